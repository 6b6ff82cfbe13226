//! Lists in TOML, and the names of what stands in them.

use super::unite::{Item, never, unite};

/// Under which name an element is the same one in two versions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// `requests>=2` is called `requests`: two versions of it are a contradiction.
    ByRequirement,
    /// Only the whole text.
    Whole,
}

/// The name of a requirement as Python compares them; none if this is not one.
pub(super) fn requirement_name(text: &str) -> Option<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    let is_requirement = end > 0
        && matches!(
            text[end..].chars().next(),
            None | Some(' ' | '<' | '>' | '=' | '!' | '~' | '[' | ';' | '@' | '\t')
        );
    let mut name = String::new();
    for c in text[..end].chars() {
        match c {
            '-' | '_' | '.' if name.ends_with('-') => {}
            '-' | '_' | '.' => name.push('-'),
            c => name.push(c.to_ascii_lowercase()),
        }
    }
    is_requirement.then_some(name)
}

/// An element as it is written, with its quotes.
pub(super) fn element(written: &str, named: Named, text: String) -> Item {
    let bare = written.trim_matches(['"', '\'']);
    let name = match named {
        Named::ByRequirement => requirement_name(bare),
        Named::Whole => None,
    };
    Item { key: format!("[]{}", name.as_deref().unwrap_or(written)), value: written.to_owned(), text }
}

/// One list of three, written as `there` or, if only that has a line for each, as `attempt` writes it. Each text is a
/// whole entry: `name = [...]`. None if one is no list without comments, or they contradict each other.
pub(super) fn unite_lists(base: Option<&Item>, there: &Item, attempt: &Item, named: Named) -> Option<Item> {
    let of = |item: &Item| list_of(&item.text, named);
    let base_elements = match base {
        Some(base) => of(base)?,
        None => Vec::new(),
    };
    let united = unite(&base_elements, &of(there)?, &of(attempt)?, &never)?;
    let is_tall = |item: &Item| item.text.trim_end().contains('\n');
    let (head, _) = there.text.split_once('[')?;
    let written = united.iter().map(|item| item.value.as_str());
    let text = match [there, attempt].into_iter().find(|item| is_tall(item)) {
        None => format!("{head}[{}]\n", written.collect::<Vec<_>>().join(", ")),
        Some(like) => {
            let line = like.text.split_once('[')?.1.lines().find(|line| !line.trim().is_empty())?;
            let indent = &line[..line.len() - line.trim_start().len()];
            let lines: String = written.map(|element| format!("{indent}{element},\n")).collect();
            format!("{head}[\n{lines}]\n")
        }
    };
    Some(Item { key: there.key.clone(), value: text.trim().to_owned(), text })
}

fn list_of(entry: &str, named: Named) -> Option<Vec<Item>> {
    let (_, rest) = entry.split_once('[')?;
    let inner = rest.trim_end().strip_suffix(']')?;
    let item = |written: &str| element(written, named, String::new());
    Some(split(inner)?.into_iter().filter(|written| !written.is_empty()).map(item).collect())
}

/// Parts between commas that stand in no brackets and no string. None if there is a comment or a bracket stays open.
pub(super) fn split(list: &str) -> Option<Vec<&str>> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, c) in outside_strings(list)? {
        match c {
            '#' => return None,
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                parts.push(list[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(list[start..].trim());
    (depth == 0).then_some(parts)
}

/// The characters that stand in no string, and where. None if a string has no end.
pub(super) fn outside_strings(text: &str) -> Option<Vec<(usize, char)>> {
    let mut found = Vec::new();
    let mut quote: Option<char> = None;
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None => found.push((at, c)),
            Some(_) if is_escaped => is_escaped = false,
            Some('"') if c == '\\' => is_escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
        }
    }
    quote.is_none().then_some(found)
}
