//! Lists of one requirement a line: `go.sum`, `go.mod`, `requirements.txt`.

use super::Sides;
use super::element::requirement_name;
use super::parts::{Differing, Part, rejoin};
use super::unite::{Item, never, unite};

/// `go.sum`: module, version, digest. One version with two digests is a contradiction.
pub(super) fn sums(sides: &Sides<'_>) -> Option<String> {
    let items = |text: &str| -> Option<Vec<Item>> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        lines
            .map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                let [module, version, _] = words[..] else { return None };
                Some(Item {
                    key: format!("{module} {version}"),
                    value: line.to_owned(),
                    text: format!("{line}\n"),
                })
            })
            .collect()
    };
    let united = unite(&items(sides.base)?, &items(sides.there)?, &items(sides.attempt)?, &never)?;
    Some(united.into_iter().map(|item| item.text).collect())
}

pub(super) fn requirements(parts: &[Part]) -> Option<String> {
    by_line(parts, |_, line| {
        // An option of pip means the same wherever it stands only if it is whole.
        let name = requirement_name(line).filter(|_| !line.starts_with('-'));
        Some(name.unwrap_or_else(|| line.to_owned()))
    })
}

pub(super) fn go_mod(parts: &[Part]) -> Option<String> {
    by_line(parts, |before, line| {
        let (line, _) = line.split_once("//").unwrap_or((line, ""));
        let is_alone = line.starts_with("require ");
        let words: Vec<&str> = line.strip_prefix("require ").unwrap_or(line).split_whitespace().collect();
        let [module, version] = words[..] else { return None };
        let is_required = is_alone || block(before) == Some("require");
        (is_required && version.starts_with('v')).then(|| module.to_owned())
    })
}

/// What the block is that is open at the end of this text.
fn block(before: &str) -> Option<&str> {
    let last = before.lines().rev().map(str::trim).find(|line| line.ends_with('(') || *line == ")")?;
    last.strip_suffix('(').map(str::trim)
}

/// Entries of a line each (more where a line ends in `\`), with the comments before them.
fn by_line(parts: &[Part], key: impl Fn(&str, &str) -> Option<String>) -> Option<String> {
    rejoin(parts, |place: &Differing<'_>| {
        let [base, there, attempt] = place.sides().map(|text| entries(text, |line| key(place.before, line)));
        let united = unite(&base?, &there?, &attempt?, &never)?;
        Some(united.into_iter().map(|item| item.text).collect::<String>().into())
    })
}

fn entries(text: &str, key: impl Fn(&str) -> Option<String>) -> Option<Vec<Item>> {
    let mut entries = Vec::new();
    let (mut led, mut comments) = (String::new(), String::new());
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with('#') || bare.starts_with("//") {
            led.push_str(line);
            comments.push_str(bare);
            continue;
        }
        let mut whole = line.to_owned();
        while whole.trim_end().ends_with('\\') {
            whole.push_str(lines.next()?);
        }
        let value = std::mem::take(&mut comments) + whole.trim();
        entries.push(Item { key: key(bare)?, value, text: std::mem::take(&mut led) + &whole });
    }
    comments.is_empty().then_some(entries)
}
