//! Entries of TOML tables and elements of lists that both sides added at the same place. Order, comments and layout of
//! what is not added stay as they are.

use super::element::{Named, element, outside_strings, unite_lists};
use super::parts::{Differing, Part, rejoin};
use super::unite::{Item, never, unite};

pub(super) fn merge(parts: &[Part]) -> Option<String> {
    rejoin(parts, |place: &Differing<'_>| {
        let [base, there, attempt] = place.sides();
        unite_tables(base, there, attempt, Named::ByRequirement).map(Into::into)
    })
}

/// Lines that are entries, elements or whole tables.
pub(super) fn unite_tables(base: &str, there: &str, attempt: &str, named: Named) -> Option<String> {
    let read = |text| Tables::read(text, named);
    let (base, there, attempt) = (read(base)?, read(there)?, read(attempt)?);
    let headers = unite(&base.headers(), &there.headers(), &attempt.headers(), &never)?;
    let reconcile =
        |base: Option<&Item>, there: &Item, attempt: &Item| unite_lists(base, there, attempt, named);
    let mut text = String::new();
    for header in headers {
        text.push_str(&header.text);
        let [base, there, attempt] = [&base, &there, &attempt].map(|tables| tables.entries(&header.key));
        for item in unite(base, there, attempt, &reconcile)? {
            text.push_str(&item.text);
        }
    }
    text.push_str(&there.tail);
    Some(text)
}

struct Table {
    /// Its key is the header; the first table, that these lines began in, has none.
    header: Item,
    entries: Vec<Item>,
}

struct Tables {
    tables: Vec<Table>,
    /// Empty lines at the end.
    tail: String,
}

impl Tables {
    fn headers(&self) -> Vec<Item> {
        self.tables.iter().map(|table| table.header.clone()).collect()
    }

    fn entries(&self, key: &str) -> &[Item] {
        let table = self.tables.iter().find(|table| table.header.key == key);
        table.map(|table| table.entries.as_slice()).unwrap_or_default()
    }

    /// None for what is not understood: arrays of tables, strings of several lines, comments that belong to nothing.
    fn read(text: &str, named: Named) -> Option<Tables> {
        let nothing = Item { key: String::new(), value: String::new(), text: String::new() };
        let mut tables = vec![Table { header: nothing, entries: Vec::new() }];
        // Comments and empty lines belong to what comes next.
        let (mut before, mut comments) = (String::new(), String::new());
        let mut lines = text.split_inclusive('\n');
        while let Some(line) = lines.next() {
            let bare = line.trim();
            if bare.is_empty() || bare.starts_with('#') {
                before.push_str(line);
                comments.push_str(bare);
                continue;
            }
            let (led, said) = (std::mem::take(&mut before), std::mem::take(&mut comments));
            if bare.starts_with('[') {
                let header = bare.strip_prefix('[')?.split_once(']')?.0;
                if header.starts_with('[') {
                    return None;
                }
                let header = Item { key: header.to_owned(), value: said + bare, text: led + line };
                tables.push(Table { header, entries: Vec::new() });
                continue;
            }
            let entry = match quoted(bare) {
                Some((written, rest)) if !rest.trim_start().starts_with(['=', '.']) => {
                    element_line(line, written, rest, &led, &said, named)?
                }
                _ => {
                    let (key, _) = bare.split_once('=')?;
                    let key = key.trim().to_owned();
                    let mut whole = line.to_owned();
                    while is_open(&whole)? {
                        whole.push_str(lines.next()?);
                    }
                    let is_key = !key.is_empty()
                        && key.chars().all(|c| c.is_alphanumeric() || "_.-\"'/@:+ ".contains(c));
                    if !is_key {
                        return None;
                    }
                    let key = key.replace(['"', '\''], "");
                    Item { key, value: said + whole.trim(), text: led + &whole }
                }
            };
            tables.last_mut()?.entries.push(entry);
        }
        comments.is_empty().then_some(Tables { tables, tail: before })
    }
}

/// A string at the start, with its quotes, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let end = text[1..].find(quote)? + 2;
    // An escape is more than this knows.
    (!text[..end].contains('\\')).then(|| text.split_at(end))
}

/// An element on a line of its own; it gets a comma if it has none.
fn element_line(line: &str, written: &str, rest: &str, led: &str, said: &str, named: Named) -> Option<Item> {
    let rest = rest.trim();
    let remark = rest.strip_prefix(',').unwrap_or(rest).trim();
    if !remark.is_empty() && !remark.starts_with('#') {
        return None;
    }
    let indent = &line[..line.len() - line.trim_start().len()];
    let gap = if remark.is_empty() { "" } else { "  " };
    let end = if line.ends_with("\r\n") { "\r\n" } else { "\n" };
    let item = element(written, named, format!("{led}{indent}{written},{gap}{remark}{end}"));
    Some(Item { value: format!("{said}{written}{remark}"), ..item })
}

/// True if brackets are open at the end of an entry. None for strings of several lines and brackets that close nothing.
fn is_open(entry: &str) -> Option<bool> {
    if entry.contains("\"\"\"") || entry.contains("'''") {
        return None;
    }
    let mut depth = 0_usize;
    for line in entry.lines() {
        for (_, c) in outside_strings(line)? {
            match c {
                '#' => break,
                '[' | '{' => depth += 1,
                ']' | '}' => depth = depth.checked_sub(1)?,
                _ => {}
            }
        }
    }
    Some(depth > 0)
}
