//! What a text names: requirement ids, paths, and the words worth looking up. Linear in the text; nothing of documents.

use std::ops::Range;

/// `FR-001`, `NFR-2`, `FR-AUTH-03`, `SC-001a`: capital letters, then numbers, joined by hyphens. In order, with doubles.
pub(super) fn ids(text: &str) -> Vec<(Range<usize>, String)> {
    let bytes = text.as_bytes();
    let is_part = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_uppercase() || at > 0 && is_part(bytes[at - 1]) {
            at += 1;
            continue;
        }
        let len = bytes[at..].iter().take_while(|b| is_part(**b)).count();
        let word = text.get(at..at + len).unwrap_or_default().trim_end_matches(['-', '_']);
        if is_id(word) {
            found.push((at..at + word.len(), word.to_ascii_uppercase()));
        }
        at += len.max(1);
    }
    found
}

fn is_id(word: &str) -> bool {
    let Some((kind, number)) = word.rsplit_once('-') else { return false };
    let digits = number.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let is_number = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let is_kind = (1..=16).contains(&kind.len())
        && kind.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-')
        && kind.starts_with(|c: char| c.is_ascii_uppercase());
    is_number && number.len() - digits.len() <= 1 && is_kind
}

/// Kiro's `_Requirements: 1.2, 3.1_`, also `Requirement 2`: requirement and, if told, its criterion.
pub(super) fn requirements(text: &str) -> Vec<(u32, Option<u32>)> {
    let mut found = Vec::new();
    for line in text.lines() {
        let lower = line.to_ascii_lowercase();
        let Some(at) = lower.find("requirement") else { continue };
        let after = lower[at..].trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let after = after.trim_start_matches(|c: char| c == ':' || c == '*' || c.is_whitespace());
        for item in after.split([',', ';', '&']).map(str::trim) {
            let item = item.trim_start_matches(['_', '*', '[', '(']);
            let end = item.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(item.len());
            let number = item[..end].trim_end_matches('.');
            let mut parts = number.splitn(2, '.').map(str::parse::<u32>);
            match (parts.next(), parts.next()) {
                (Some(Ok(whole)), None) => found.push((whole, None)),
                (Some(Ok(whole)), Some(Ok(part))) => found.push((whole, Some(part))),
                // A list of numbers ends where words begin.
                _ => break,
            }
        }
    }
    found
}

/// What looks like a path or a file's name, with where it stands.
pub(super) fn paths(text: &str) -> Vec<(Range<usize>, &str)> {
    let is_border = |c: char| c.is_whitespace() || "()[]<>\"'`,;|*=".contains(c);
    let mut found = Vec::new();
    let mut start = 0;
    for (at, border) in text.match_indices(is_border).chain([(text.len(), "")]) {
        let word = text.get(start..at).unwrap_or_default();
        let bare = word.trim_end_matches(['.', ':', '!', '?']).trim_start_matches("./");
        if is_path(bare) {
            let offset = start + word.find(bare).unwrap_or(0);
            found.push((offset..offset + bare.len(), bare));
        }
        start = at + border.len();
    }
    found
}

fn is_path(word: &str) -> bool {
    if word.len() < 3 || word.len() > 200 || word.contains("://") || word.starts_with('/') {
        return false;
    }
    let name = word.rsplit('/').next().unwrap_or(word);
    let has_extension = name.rsplit_once('.').is_some_and(|(stem, extension)| {
        // `e.g` is no file.
        stem.len() + extension.len() > 2
            && (1..=6).contains(&extension.len())
            && extension.starts_with(|c: char| c.is_ascii_alphabetic())
            && extension.bytes().all(|b| b.is_ascii_alphanumeric())
            && stem.contains(|c: char| c.is_alphabetic())
    });
    has_extension || word.contains('/') && word.contains(|c: char| c.is_alphabetic()) && !word.contains(' ')
}

/// Words that say what is done or how, not to what.
const COMMON: &[&str] = &[
    "add",
    "all",
    "and",
    "app",
    "apply",
    "are",
    "based",
    "basic",
    "build",
    "check",
    "code",
    "complete",
    "component",
    "components",
    "config",
    "configure",
    "create",
    "define",
    "details",
    "each",
    "ensure",
    "entities",
    "entity",
    "existing",
    "feature",
    "file",
    "files",
    "for",
    "from",
    "function",
    "functional",
    "implement",
    "implementation",
    "include",
    "index",
    "init",
    "initial",
    "initialize",
    "into",
    "its",
    "key",
    "lib",
    "main",
    "make",
    "method",
    "mod",
    "model",
    "models",
    "module",
    "new",
    "not",
    "one",
    "per",
    "phase",
    "plan",
    "project",
    "requirement",
    "requirements",
    "run",
    "scenario",
    "service",
    "services",
    "setup",
    "should",
    "spec",
    "specs",
    "src",
    "story",
    "support",
    "task",
    "tasks",
    "test",
    "tests",
    "that",
    "the",
    "this",
    "type",
    "types",
    "unit",
    "update",
    "use",
    "user",
    "using",
    "verify",
    "when",
    "with",
    "work",
    "write",
];

/// Words worth comparing: small letters, `camelCase` and `snake_case` taken apart, a plural's `s` off. With doubles.
pub(super) fn significant(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).flat_map(humps).filter_map(|word| {
        let lower = word.to_lowercase();
        let is_word = !lower.bytes().all(|b| b.is_ascii_digit());
        let is_worth = is_word && (lower.chars().count() >= 3 || !lower.is_ascii());
        (is_worth && COMMON.binary_search(&lower.as_str()).is_err()).then(|| singular(lower))
    })
}

fn singular(mut word: String) -> String {
    if word.len() > 4 && word.ends_with("ies") {
        word.truncate(word.len() - 3);
        word.push('y');
    } else if word.len() > 3 && word.ends_with('s') && !word.ends_with("ss") && !word.ends_with("us") {
        word.pop();
    }
    word
}

/// `UserProfile` as `User` and `Profile`; `HTTPServer` as `HTTP` and `Server`.
fn humps(word: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut before: Option<(usize, char)> = None;
    let mut upper_before = false;
    for (at, c) in word.char_indices() {
        if let Some((last, previous)) = before {
            if c.is_uppercase() && !previous.is_uppercase() {
                parts.push(&word[start..at]);
                start = at;
            } else if c.is_lowercase() && previous.is_uppercase() && upper_before && last > start {
                parts.push(&word[start..last]);
                start = last;
            }
            upper_before = previous.is_uppercase() && c.is_uppercase();
        }
        before = Some((at, c));
    }
    parts.push(&word[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_requirements_are_told_from_other_words() {
        let found = |text: &str| ids(text).into_iter().map(|(_, id)| id).collect::<Vec<_>>();
        assert_eq!(
            found("**FR-001**: x, (SC-2) FR-AUTH-03 NFR-010a. T-12"),
            ["FR-001", "SC-2", "FR-AUTH-03", "NFR-010a".to_ascii_uppercase().as_str(), "T-12"]
        );
        assert_eq!(found("x-FR-001 fr-001 FR-00123 FR- A-B aFR-1"), [""; 0]);
    }

    #[test]
    fn numbers_of_requirements_are_read_and_prose_is_not() {
        assert_eq!(requirements("  - _Requirements: 1.2, 3.1, 4_"), [(1, Some(2)), (3, Some(1)), (4, None)]);
        assert_eq!(requirements("**Requirements**: 2.1\n"), [(2, Some(1))]);
        assert_eq!(requirements("covers Requirement 7 in full"), [(7, None)]);
        assert_eq!(requirements("the requirements of 3 users"), []);
    }

    #[test]
    fn paths_stand_in_prose() {
        let found = |text| paths(text).into_iter().map(|(_, path)| path).collect::<Vec<_>>();
        assert_eq!(
            found(
                "In `src/a.rs`, (see docs/b.md). Also ./c/d and package.json, v1.2 3.5 e.g. https://x.y/z /api/u"
            ),
            ["src/a.rs", "docs/b.md", "c/d", "package.json"]
        );
    }

    #[test]
    fn words_are_compared_in_one_form() {
        let found: Vec<String> =
            significant("Create UserProfiles for HTTPServer in src/audit_entries.rs").collect();
        assert_eq!(found, ["profile", "http", "server", "audit", "entry"]);
        assert!(COMMON.is_sorted());
    }
}
