//! Lock files that list packages one after the other: `Cargo.lock`, `uv.lock`, `poetry.lock`, `yarn.lock`.

use super::Sides;
use super::element::Named;
use super::semantic;
use super::table::unite_tables;
use super::unite::{Item, never, unite};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashSet};

const PACKAGE: &str = "[[package]]";

/// `[[package]]` tables by name, version and source. None if both sides resolved a name differently, or a package is
/// gone that another still needs: such a file only its tool can write.
pub(super) fn packages(sides: &Sides<'_>) -> Option<String> {
    let [base, there, attempt] = sides.all().map(Lock::read);
    let (base, there, attempt) = (base?, there?, attempt?);
    let three_way = |base: &str, there: &str, attempt: &str| match () {
        () if there == attempt || attempt == base => Some(there.to_owned()),
        () if there == base => Some(attempt.to_owned()),
        () => None,
    };
    let head = three_way(base.head, there.head, attempt.head)?;
    let tail = three_way(base.tail, there.tail, attempt.tail)?;
    let united = unite(&base.packages, &there.packages, &attempt.packages, &unite_package)?;
    let (theirs, ours) = (versions(&there.packages), versions(&attempt.packages));
    for (name, found) in &versions(&united) {
        if theirs.get(name) != Some(found) && ours.get(name) != Some(found) {
            return None;
        }
    }
    let packages: Vec<&str> = united.iter().map(|item| item.text.trim_end_matches('\n')).collect();
    let text = head + &packages.join("\n\n") + "\n" + if tail.is_empty() { "" } else { "\n" } + &tail;
    has_all_it_needs(&semantic::toml(&text)?).then_some(text)
}

struct Lock<'a> {
    head: &'a str,
    packages: Vec<Item>,
    tail: &'a str,
}

impl Lock<'_> {
    fn read(text: &str) -> Option<Lock<'_>> {
        let mut starts: Vec<usize> = Vec::new();
        let mut end = text.len();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let bare = line.trim_end();
            if bare == PACKAGE {
                // Packages behind something else are more than this knows.
                if end < text.len() {
                    return None;
                }
                starts.push(at);
            } else if !starts.is_empty() && bare.starts_with('[') && end == text.len() {
                let is_inside = bare.starts_with("[package.") || bare.starts_with("[[package.");
                if !is_inside {
                    end = at;
                }
            }
            at += line.len();
        }
        let first = starts.first().copied().unwrap_or(end);
        let ends = starts.iter().skip(1).copied().chain([end]);
        let packages = starts.iter().zip(ends).map(|(start, end)| package(&text[*start..end]));
        Some(Lock { head: &text[..first], packages: packages.collect::<Option<_>>()?, tail: &text[end..] })
    }
}

/// A package is called by its name, version and source, in this order of importance.
fn package(text: &str) -> Option<Item> {
    let own = text.lines().skip(1).take_while(|line| !line.starts_with('[')).collect::<Vec<_>>();
    let value =
        |name: &str| own.iter().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
    let key = format!(
        "{}\0{}\0{}",
        value("name")?.trim(),
        value("version").unwrap_or_default().trim(),
        value("source").unwrap_or_default().trim()
    );
    Some(Item { key, value: text.trim().to_owned(), text: text.to_owned() })
}

/// A package that both changed: what it needs is united, anything else is a contradiction.
fn unite_package(base: Option<&Item>, there: &Item, attempt: &Item) -> Option<Item> {
    let inner = |item: &Item| {
        item.text.trim_end().strip_prefix(PACKAGE).map(|text| format!("{}\n", text.trim_start()))
    };
    let base = match base {
        Some(base) => inner(base)?,
        None => return None,
    };
    let text = format!("{PACKAGE}\n{}", unite_tables(&base, &inner(there)?, &inner(attempt)?, Named::Whole)?);
    Some(Item { key: there.key.clone(), value: text.trim().to_owned(), text })
}

/// Which versions, from where, each name has.
fn versions(packages: &[Item]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for item in packages {
        let (name, rest) = item.key.split_once('\0').unwrap_or((&item.key, ""));
        versions.entry(name).or_default().insert(rest);
    }
    versions
}

/// True if every package that another one needs is listed.
pub(super) fn has_all_it_needs(lock: &Value) -> bool {
    let packages = lock.get("package").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let names: HashSet<&str> = packages.iter().filter_map(|package| package.get("name")?.as_str()).collect();
    let needed = packages.iter().filter_map(|package| package.get("dependencies")?.as_array()).flatten();
    let name = |needed: &Value| -> bool {
        let name = needed.as_str().or_else(|| needed.get("name")?.as_str()).unwrap_or_default();
        names.contains(name.split(' ').next().unwrap_or_default())
    };
    needed.into_iter().all(name)
}

/// Blocks between empty lines, each called by its first line: `a@^1, a@^1.2:`. None if a request would stand twice.
pub(super) fn blocks(sides: &Sides<'_>) -> Option<String> {
    if sides.all().iter().any(|side| side.contains('\r')) {
        return None;
    }
    let [base, there, attempt] = sides.all().map(read_blocks);
    let united = unite(&base, &there, &attempt, &never)?;
    let mut seen = HashSet::new();
    let requests = united.iter().filter(|item| item.text.contains('\n'));
    for request in requests.flat_map(|item| item.key.trim_end_matches(':').split(", ")) {
        if !seen.insert(request.trim_matches('"').to_owned()) {
            return None;
        }
    }
    let blocks: Vec<&str> = united.iter().map(|item| item.text.as_str()).collect();
    Some(blocks.join("\n\n") + "\n")
}

fn read_blocks(text: &str) -> Vec<Item> {
    // An empty line of its own kind stands behind the head of the file: it is part of what follows.
    let blocks =
        text.split("\n\n").map(|block| block.trim_end_matches('\n')).filter(|block| !block.trim().is_empty());
    blocks
        .map(|block| {
            let key = block.trim_start_matches('\n').lines().next().unwrap_or_default();
            Item { key: key.to_owned(), value: block.to_owned(), text: block.to_owned() }
        })
        .collect()
}
