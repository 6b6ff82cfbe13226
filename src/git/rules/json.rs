//! Entries of JSON objects that both sides added at the same place. Commas are put anew; all else stays as written.

use super::parts::{Differing, Part, Resolved, rejoin};
use super::unite::{Item, never, unite};

pub(super) fn merge(parts: &[Part]) -> Option<String> {
    rejoin(parts, resolve)
}

fn resolve(place: &Differing<'_>) -> Option<Resolved> {
    let whole = Whole::around(place)?;
    let [base, there, attempt] = place.sides().map(|side| entries(&whole.with(side)));
    let list = unite(&base?, &there?, &attempt?, &never)?;
    let after = place.after[whole.after.len()..].trim_start();
    if after.is_empty() {
        return None;
    }
    let is_end = after.starts_with(['}', ']']);
    let mut text = String::new();
    for (n, item) in list.iter().enumerate() {
        let line = item.text.trim_end_matches(['\r', '\n']);
        text.push_str(line);
        if n + 1 < list.len() || !is_end {
            text.push(',');
        }
        text.push_str(&item.text[line.len()..]);
    }
    Some(Resolved { text, from_before: whole.before.len(), from_after: whole.after.len() })
}

/// The agreed lines around a place that make whole entries of it: entries that look alike at their ends are told apart
/// somewhere in the middle.
struct Whole<'a> {
    before: &'a str,
    after: &'a str,
}

impl<'a> Whole<'a> {
    fn around(place: &Differing<'a>) -> Option<Whole<'a>> {
        let shapes = place.sides().map(shape);
        let mut missing = 0;
        for shape in &shapes {
            missing = missing.max(shape.as_ref()?.0);
        }
        let mut start = place.before.len();
        let mut found = 0;
        while found < missing {
            let line_start = place.before[..start].trim_end_matches('\n').rfind('\n').map_or(0, |at| at + 1);
            let (closed, opened) = shape(&place.before[line_start..start])?;
            found = found + opened - closed.min(found + opened);
            // A line that closes more than it opens belongs to an entry before.
            missing += closed.saturating_sub(opened);
            if line_start == 0 && found < missing {
                return None;
            }
            start = line_start;
        }
        // How deep each side is at its end must be the same: the same lines close it.
        let mut depth = None;
        for shape in &shapes {
            let (closed, opened) = shape.as_ref()?;
            let here = missing.checked_sub(*closed)? + opened;
            if *depth.get_or_insert(here) != here {
                return None;
            }
        }
        let mut depth = depth?;
        let mut end = 0;
        while depth > 0 {
            let line = place.after[end..].split_inclusive('\n').next()?;
            let (closed, opened) = shape(line)?;
            depth = depth.checked_sub(closed)? + opened;
            end += line.len();
        }
        Some(Whole { before: &place.before[start..], after: &place.after[..end] })
    }

    fn with(&self, side: &str) -> String {
        [self.before, side, self.after].concat()
    }
}

/// How many brackets lines close that they did not open, and how many they leave open.
fn shape(lines: &str) -> Option<(usize, usize)> {
    let (mut closed, mut open) = (0, 0_usize);
    for line in lines.lines() {
        for bracket in brackets(line)? {
            match (bracket, open) {
                ('{' | '[', _) => open += 1,
                (_, 0) => closed += 1,
                _ => open -= 1,
            }
        }
    }
    Some((closed, open))
}

/// The entries that these lines are, without the commas behind them. None if they are no whole entries.
fn entries(text: &str) -> Option<Vec<Item>> {
    let mut entries: Vec<Item> = Vec::new();
    let mut open: Option<(Item, usize)> = None;
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() {
            continue;
        }
        let (mut item, depth) = match open.take() {
            Some(open) => open,
            None => (Item { key: key_of(line)?, value: String::new(), text: String::new() }, 0),
        };
        let depth = depth_after(line, depth)?;
        if depth > 0 {
            item.text.push_str(line);
            item.value.push_str(line.trim());
            open = Some((item, depth));
            continue;
        }
        let bare = line.trim_end();
        let bare_of_comma = bare.strip_suffix(',').unwrap_or(bare).trim_end();
        item.text.push_str(bare_of_comma);
        item.text.push_str(if line.ends_with("\r\n") { "\r\n" } else { "\n" });
        item.value.push_str(bare_of_comma.trim());
        entries.push(item);
    }
    open.is_none().then_some(entries)
}

/// The name of an entry; an element of a list is its own.
fn key_of(line: &str) -> Option<String> {
    let rest = line.trim_start().strip_prefix('"')?;
    let mut is_escaped = false;
    let end = rest.find(|c| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    })?;
    let is_entry = rest[end + 1..].trim_start().starts_with(':');
    Some(format!("{}{}", if is_entry { "" } else { "[]" }, &rest[..end]))
}

/// How many brackets are open behind a line. None: it closes one that was not opened here.
fn depth_after(line: &str, mut depth: usize) -> Option<usize> {
    for bracket in brackets(line)? {
        match bracket {
            '{' | '[' => depth += 1,
            _ => depth = depth.checked_sub(1)?,
        }
    }
    Some(depth)
}

/// The brackets of a line that stand in no string. None if a string does not end in its line.
fn brackets(line: &str) -> Option<Vec<char>> {
    let (mut is_string, mut is_escaped) = (false, false);
    let mut found = Vec::new();
    for c in line.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_string => is_escaped = true,
            '"' => is_string = !is_string,
            '{' | '[' | '}' | ']' if !is_string => found.push(c),
            _ => {}
        }
    }
    (!is_string).then_some(found)
}
