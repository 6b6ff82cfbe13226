//! Explicit phrases on one line: `(depends on T001)`, `[depends:T001]`, `after:T002`.

use super::super::scan;
use super::{List, list, may_open, opener};

/// What one line says explicitly at one place.
#[derive(Debug)]
pub(in super::super) struct Phrase {
    /// Where it begins; it takes the bytes from here to the list's end.
    pub start: usize,
    pub list: List,
    /// Ids must follow.
    pub strict: bool,
}

/// Reads `line[from..]`, which stands at `base` in the source together with the rest of the line. Every byte is looked
/// at once: reading goes on behind what a list has consumed.
pub(in super::super) fn read(line: &str, from: usize, base: usize, numbers: bool) -> Vec<Phrase> {
    let mut phrases = Vec::new();
    let text = &line[from..];
    let mut done = 0;
    for (start, end) in scan::outside_code(text) {
        for at in signs(&text[start..end]) {
            let at = from + start + at;
            if at < done {
                continue;
            }
            if let Some((list, strict)) = group(line, at, base, numbers) {
                done = list.end;
                phrases.push(Phrase { start: at, list, strict });
            }
        }
    }
    phrases
}

/// Where brackets open and colons stand, `（` among them. Bytes are enough: none of the signs is part of another
/// character.
fn signs(text: &str) -> impl Iterator<Item = usize> + '_ {
    // `（` begins with a byte that few texts hold; without it one search finds all.
    let wide = if text.is_ascii() { None } else { Some(text.match_indices('（').map(|(at, _)| at)) };
    let mut wide = wide.into_iter().flatten().peekable();
    let mut plain = memchr::memchr3_iter(b'(', b'[', b':', text.as_bytes()).peekable();
    std::iter::from_fn(move || match (plain.peek(), wide.peek()) {
        (Some(at), Some(other)) if other < at => wide.next(),
        (Some(_), _) => plain.next(),
        (None, _) => wide.next(),
    })
}

/// A bracket or `word:` at `at` that opens a dependency.
fn group(line: &str, at: usize, base: usize, numbers: bool) -> Option<(List, bool)> {
    if line[at..].starts_with(':') {
        return tagged(line, at, base, numbers);
    }
    let open = line[at..].chars().next()?.len_utf8();
    let inner = line[at + open..].trim_start_matches(['*', '_', ' ', '`']);
    let start = line.len() - inner.len();
    if !may_open(inner) {
        return None;
    }
    let (len, strict) = opened_by(inner)?;
    let list = list(line, start + len, base, numbers);
    (strict || !list.named.is_empty() || !list.odd.is_empty()).then_some((list, strict))
}

/// `after:T002`, `depends:T001,T002` outside of brackets: the ids follow without a space.
fn tagged(line: &str, colon: usize, base: usize, numbers: bool) -> Option<(List, bool)> {
    let is_tag =
        ["after", "depends", "depends-on", "depends_on", "deps", "needs", "blocked-by"].iter().any(|word| {
            line[..colon].strip_suffix(word).is_some_and(|before| {
                !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_'))
            })
        });
    if !is_tag {
        return None;
    }
    let rest = &line[colon + 1..];
    let len = rest.find(char::is_whitespace).unwrap_or(rest.len());
    if len == 0 {
        return None;
    }
    let end = colon + 1 + len;
    let mut list = list(&line[..end], colon + 1, base, numbers);
    list.end = end;
    (!list.named.is_empty()).then_some((list, true))
}

/// The opening word, in any case, at the start of the text: its length, and whether ids must follow.
pub(in super::super) fn opened_by(text: &str) -> Option<(usize, bool)> {
    // Enough characters for any of the words.
    const LONGEST: usize = 16;
    let head = &text.as_bytes()[..text.len().min(LONGEST)];
    if !head.is_ascii() {
        return opener(&text.chars().take(LONGEST).flat_map(char::to_lowercase).collect::<String>());
    }
    let mut lower = [0; LONGEST];
    let lower = &mut lower[..head.len()];
    lower.copy_from_slice(head);
    lower.make_ascii_lowercase();
    opener(std::str::from_utf8(lower).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::tests::show;
    use super::*;

    fn ids(line: &str) -> String {
        read(line, 0, 0, false).iter().map(|phrase| show(&phrase.list.named)).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn only_a_bracket_that_starts_with_the_word_counts() {
        assert_eq!(ids("a (depends on T012, T013)"), "T012 T013");
        assert_eq!(ids("a *(depends on T001)* — b"), "T001");
        assert_eq!(ids("a (Depends on T010-T016.)"), "T010..T016");
        assert_eq!(ids("a (runs after T010 so that T011 works)"), "T010");
        assert_eq!(ids("a (after T207)"), "T207");
        assert_eq!(ids("a (appended after T003's grep snapshot)"), "");
        assert_eq!(ids("a (render-only, depends on T003)"), "");
        assert_eq!(ids("a [depends:T001] b after:T002"), "T001 | T002");
        assert_eq!(ids("实现（依赖 T011, T012）"), "T011 T012");
        assert_eq!(ids("a (requires Node 18) (needs review)"), "");
        assert_eq!(ids("show `(depends on T999)` in docs"), "");
        assert_eq!(ids("a (depends on T001) (depends on T002)"), "T001 | T002");
        assert_eq!(ids("a (depends on (T001))"), "T001");
    }

    #[test]
    fn unclosed_groups_cost_one_look() {
        let line = "(depends on ".repeat(20_000);
        let phrases = read(&line, 0, 0, false);
        assert!(phrases.len() <= 2);
        let line = format!("a (depends on T001, {}", " ,".repeat(50_000));
        assert_eq!(ids(&line), "T001");
    }
}
