//! Statements that bring names in, which both sides added at the same place: `use`, `mod`, `import`, `#include`,
//! `export … from`. Statements with the same origin become one with the names of both; the same name from two origins
//! is left to a person.

use super::element::split;
use super::parts::{Differing, Part, rejoin};
use super::unite::{Item, may_be_changed_twice, never, unite, unite_names};
use std::collections::HashSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Rust,
    Python,
    Script,
    /// Java, Kotlin, Scala: `import a.b.C`.
    Dotted,
    Go,
    C,
}

impl Language {
    pub(super) fn of(extension: &str) -> Option<Language> {
        Some(match extension {
            "rs" => Language::Rust,
            "py" | "pyi" => Language::Python,
            "js" | "jsx" | "mjs" | "cjs" | "ts" | "tsx" | "mts" | "cts" => Language::Script,
            "java" | "kt" | "kts" => Language::Dotted,
            "go" => Language::Go,
            "c" | "h" | "cc" | "cpp" | "cxx" | "hh" | "hpp" | "hxx" => Language::C,
            _ => return None,
        })
    }
}

pub(super) fn merge(language: Language, parts: &[Part]) -> Option<String> {
    rejoin(parts, |place| resolve(language, place).map(Into::into))
}

fn resolve(language: Language, place: &Differing<'_>) -> Option<String> {
    if language == Language::Go && !is_in_import_block(place.before) && !place.there.contains("import ") {
        return None;
    }
    if is_in_list(place.before) {
        return unite_elements(place);
    }
    let [base, there, attempt] = place.sides().map(|text| statements(language, text));
    let (base, there, attempt) = (base?, there?, attempt?);
    let items = |list: &[Statement]| -> Vec<Item> { list.iter().map(|s| s.item.clone()).collect() };
    let (of_base, of_there, of_attempt) = (items(&base), items(&there), items(&attempt));
    if may_be_changed_twice(&of_base, &of_there, &of_attempt) || clash(&base, &there, &attempt) {
        return None;
    }
    let united = unite(&of_base, &of_there, &of_attempt, &unite_lists)?;
    Some(united.into_iter().map(|item| item.text).collect())
}

/// Behind `use a::{` and its like, with nothing closed since.
fn is_in_list(before: &str) -> bool {
    const STARTS: &[&str] = &["use ", "pub use ", "pub(", "import ", "export ", "from "];
    let is_bracket = |line: &&str| line.contains(['{', '}', '(', ')']);
    let last = before.lines().rev().map(str::trim).find(is_bracket).unwrap_or_default();
    let is_import = STARTS.iter().any(|start| last.starts_with(start)) && !last.contains(" fn ");
    is_import && last.ends_with(['{', '(']) && last != "import ("
}

/// Names of a list that has a line for each.
fn unite_elements(place: &Differing<'_>) -> Option<String> {
    let items = |text: &str| -> Option<Vec<Item>> {
        let lines = text.split_inclusive('\n').filter(|line| !line.trim().is_empty());
        lines
            .map(|line| {
                let name = line.trim().trim_end_matches(',');
                let indent = &line[..line.len() - line.trim_start().len()];
                let end = if line.ends_with("\r\n") { "\r\n" } else { "\n" };
                // One line, one name, or several that need no line of their own.
                let is_name = !name.is_empty() && is_plain(name, ": *#,$");
                let text = format!("{indent}{name},{end}");
                is_name.then(|| Item { key: name.to_owned(), value: String::new(), text })
            })
            .collect()
    };
    let [base, there, attempt] = place.sides().map(items);
    let (base, there, attempt) = (base?, there?, attempt?);
    if may_be_changed_twice(&base, &there, &attempt) {
        return None;
    }
    let united = unite(&base, &there, &attempt, &never)?;
    Some(united.into_iter().map(|item| item.text).collect())
}

/// Behind `import (` with no `)` since.
fn is_in_import_block(before: &str) -> bool {
    let last = before.lines().rev().map(str::trim).find(|line| line.ends_with('(') || *line == ")");
    last == Some("import (")
}

struct Statement {
    item: Item,
    /// What it brings in, as far as that can be told.
    names: Vec<String>,
}

/// True if each side newly brings in the same name, from different origins.
fn clash(base: &[Statement], there: &[Statement], attempt: &[Statement]) -> bool {
    let new = |side: &[Statement]| -> HashSet<(String, String)> {
        let known = |statement: &Statement, name: &str| {
            base.iter().any(|old| old.item.key == statement.item.key && old.names.iter().any(|n| n == name))
        };
        let pairs = side.iter().flat_map(|s| s.names.iter().map(move |name| (s, name)));
        pairs
            .filter(|(s, name)| !known(s, name))
            .map(|(s, name)| (name.clone(), s.item.key.clone()))
            .collect()
    };
    let (there, attempt) = (new(there), new(attempt));
    attempt.iter().any(|(name, key)| there.iter().any(|(other, origin)| other == name && origin != key))
}

/// The statements that these lines are; None if there is anything else among them.
fn statements(language: Language, text: &str) -> Option<Vec<Statement>> {
    let mut found = Vec::new();
    // Comments, attributes and empty lines belong to what comes next.
    let (mut led, mut said) = (String::new(), String::new());
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        let bare = line.trim();
        if bare.is_empty() || is_remark(language, bare) {
            led.push_str(line);
            said.push_str(bare);
            continue;
        }
        let mut whole = line.to_owned();
        while !is_whole(language, &whole)? {
            whole.push_str(lines.next()?);
        }
        let mut statement = read(language, &whole)?;
        statement.item.value = std::mem::take(&mut said) + &statement.item.value;
        statement.item.text = std::mem::take(&mut led) + &whole;
        found.push(statement);
    }
    // Empty lines at the end are layout.
    said.is_empty().then_some(found)
}

fn is_remark(language: Language, line: &str) -> bool {
    match language {
        Language::Rust => line.starts_with("//") || (line.starts_with("#[") && line.ends_with(']')),
        Language::Python => line.starts_with('#'),
        _ => line.starts_with("//") || (line.starts_with("/*") && line.ends_with("*/")),
    }
}

/// True if the statement ends with these lines. None for what can be no statement of ours.
fn is_whole(language: Language, text: &str) -> Option<bool> {
    let mut depth = 0_usize;
    for c in text.chars() {
        match c {
            '{' | '(' => depth += 1,
            '}' | ')' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    let is_ended = match language {
        Language::Rust => text.trim_end().ends_with(';'),
        _ => true,
    };
    // A comment could hide an end; what goes on and on is no import.
    if text.lines().count() > 200
        || (text.contains("//") && language != Language::Script && language != Language::Go)
    {
        return None;
    }
    Some(depth == 0 && is_ended)
}

/// A statement without its text: what it is called, what it says, what it brings in.
fn read(language: Language, text: &str) -> Option<Statement> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let flat = words.join(" ");
    match language {
        Language::Rust => rust(&flat),
        Language::Python => python(&flat),
        Language::Script => script(&flat),
        Language::Dotted => {
            let path = flat.strip_prefix("import ")?.trim_end_matches(';').trim_end();
            is_plain(path, "._*` ")
                .then(|| single(&flat, path.rsplit(['.', ' ']).next().filter(|name| *name != "*")))
        }
        Language::Go => {
            let rest = flat.strip_prefix("import ").unwrap_or(&flat);
            let (alias, path) = rest.rsplit_once(' ').unwrap_or(("", rest));
            let inner = path.strip_prefix('"')?.strip_suffix('"')?;
            let name = if alias.is_empty() { inner.rsplit('/').next() } else { Some(alias) };
            let is_name = is_plain(alias, "_.") && is_plain(inner, "/._-~");
            is_name.then(|| single(&flat, name.filter(|name| !matches!(*name, "_" | "."))))
        }
        Language::C => {
            let rest = flat.strip_prefix("#include")?.trim_start();
            let is_name = (rest.starts_with('<') && rest.ends_with('>'))
                || (rest.len() > 2 && rest.starts_with('"') && rest.ends_with('"'));
            is_name.then(|| single(&flat, None))
        }
    }
}

/// A statement that is only itself.
fn single(flat: &str, name: Option<&str>) -> Statement {
    let item = Item { key: flat.to_owned(), value: flat.to_owned(), text: String::new() };
    Statement { item, names: name.map(str::to_owned).into_iter().collect() }
}

/// A statement with a list: it is called by what is around the list.
fn listed(head: &str, list: &str, tail: &str, name: impl Fn(&str) -> String) -> Option<Statement> {
    let elements: Vec<&str> = split(list)?.into_iter().filter(|element| !element.is_empty()).collect();
    let value = elements.join(", ");
    let names = elements.iter().map(|element| name(element)).collect();
    Some(Statement { item: Item { key: format!("{head}\0{tail}"), value, text: String::new() }, names })
}

fn is_plain(text: &str, also: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c == '_' || also.contains(c))
}

fn rust(flat: &str) -> Option<Statement> {
    let statement = flat.strip_suffix(';')?.trim_end();
    let bare = match statement.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1.trim_start(),
        Some(rest) => rest.trim_start(),
        None => statement,
    };
    if let Some(name) = bare.strip_prefix("mod ") {
        return is_plain(name, "#").then(|| single(flat, Some(name)));
    }
    if let Some(name) = bare.strip_prefix("extern crate ") {
        return is_plain(name, " ").then(|| single(flat, name.rsplit(' ').next()));
    }
    let path = bare.strip_prefix("use ")?;
    let last = |path: &str| path.rsplit([' ', ':']).next().unwrap_or_default().to_owned();
    match path.split_once('{') {
        None => is_plain(path, ": *#")
            .then(|| single(flat, Some(&*last(path)).filter(|name| !matches!(*name, "*" | "_")))),
        Some((head, rest)) => {
            let (list, tail) = rest.rsplit_once('}')?;
            let is_path = tail.is_empty() && head.ends_with("::") && is_plain(head, ": #");
            let is_list = is_plain(list, ": *#{},");
            // `self` is called as what is before the list.
            let name = |element: &str| match element {
                "self" => last(head.trim_end_matches(':')),
                nested if nested.contains('{') => nested.to_owned(),
                element => last(element),
            };
            if is_path && is_list { listed(&flat[..flat.find('{')?], list, tail, name) } else { None }
        }
    }
}

fn python(flat: &str) -> Option<Statement> {
    let last = |element: &str| element.rsplit(' ').next().unwrap_or_default().to_owned();
    if let Some(path) = flat.strip_prefix("import ") {
        // `import a.b` brings in `a`, as others do.
        let alias = path.split_once(" as ").map(|(_, alias)| alias);
        return is_plain(path, "._ ").then(|| single(flat, alias));
    }
    let (origin, list) = flat.strip_prefix("from ")?.split_once(" import ")?;
    let inner = list.strip_prefix('(').map_or(Some(list), |list| list.strip_suffix(')'))?;
    let is_known = is_plain(origin, ".") && is_plain(inner, "_, *") && !inner.contains('*');
    if !is_known {
        let is_star = is_plain(origin, ".") && inner == "*";
        return is_star.then(|| single(flat, None));
    }
    listed(&format!("from {origin} import "), inner, "", last)
}

fn script(flat: &str) -> Option<Statement> {
    let statement = flat.trim_end_matches(';').trim_end();
    let is_import = statement.starts_with("import ");
    if !is_import && !statement.starts_with("export ") {
        return None;
    }
    let (what, origin) = statement.rsplit_once(" from ")?;
    let is_string = origin.len() > 2
        && [('\'', '\''), ('"', '"')].iter().any(|(open, close)| {
            origin
                .strip_prefix(*open)
                .and_then(|o| o.strip_suffix(*close))
                .is_some_and(|o| !o.contains(['\'', '"']))
        });
    if !is_string || what.contains("//") || what.contains("/*") {
        return None;
    }
    let last = |element: &str| element.rsplit(' ').next().unwrap_or_default().to_owned();
    match what.split_once('{') {
        None => {
            let name = Some(last(what)).filter(|name| name != "*");
            is_plain(what, "$* ").then(|| single(flat, name.as_deref()))
        }
        Some((head, rest)) => {
            let list = rest.strip_suffix('}')?;
            // A default import beside the list is a name too, but one that the head tells apart.
            let is_list = is_plain(list, "$, ") && is_plain(head, "$, ");
            if is_list { listed(head, list, origin, last) } else { None }
        }
    }
}

/// Two statements with the same origin: one with the names of both, as the one there is written.
fn unite_lists(base: Option<&Item>, there: &Item, attempt: &Item) -> Option<Item> {
    if !there.key.contains('\0') || there.text.contains("//") || there.text.contains('#') {
        return None;
    }
    let names = |item: &Item| -> Option<Vec<String>> {
        Some(split(&item.value)?.into_iter().map(str::to_owned).filter(|name| !name.is_empty()).collect())
    };
    let before = base.map_or_else(|| Some(Vec::new()), names)?;
    let united = unite_names(&before, &names(there)?, &names(attempt)?)?;
    if united.is_empty() {
        return None;
    }
    let (open, close) = if there.text.contains('{') { ('{', '}') } else { ('(', ')') };
    let text = match (there.text.split_once(open), there.text.rsplit_once(close)) {
        (Some((head, inner)), Some((_, tail))) => {
            let first = inner.lines().find(|line| !line.trim().is_empty() && !line.contains(close));
            match first.filter(|_| inner.starts_with(['\n', '\r'])) {
                Some(line) => {
                    let indent = &line[..line.len() - line.trim_start().len()];
                    let outer = &head[..head.len() - head.trim_start().len()];
                    let lines: String = united.iter().map(|name| format!("{indent}{name},\n")).collect();
                    format!("{head}{open}\n{lines}{outer}{close}{tail}")
                }
                None => {
                    let gap = if inner.starts_with(' ') { " " } else { "" };
                    format!("{head}{open}{gap}{}{gap}{close}{tail}", united.join(", "))
                }
            }
        }
        // `from x import a, b` without brackets.
        _ => {
            let (head, _) = there.text.split_once(" import ")?;
            format!("{head} import {}\n", united.join(", "))
        }
    };
    Some(Item { key: there.key.clone(), value: united.join(", "), text })
}
