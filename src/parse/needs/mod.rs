//! Dependencies as written: phrases on a task's line, fields, sentences, sections, waves (SPEC 2.4).
//!
//! Finds what is said and how strongly; whether the ids exist and the order makes sense is the plan's business.

pub(super) mod field;
pub(super) mod phrase;
pub(super) mod prose;
pub(super) mod waves;

use super::head;
use super::id;
use crate::source::Span;
use crate::task::{Story, Target};

/// The words that open an explicit dependency, longest first, and whether a list of ids must follow.
const OPENERS: [(&str, bool); 26] = [
    ("depends on", true),
    ("depends-on", true),
    ("depends_on", true),
    ("depends", true),
    ("dependencies", true),
    ("dependency", true),
    ("depend on", true),
    ("deps", true),
    ("blocked by", true),
    ("blocked-by", true),
    ("blocked_by", true),
    ("runs after", false),
    ("run after", false),
    ("after", false),
    ("requires", false),
    ("needs", false),
    ("前置任务", true),
    ("前置", true),
    ("依赖于", true),
    ("依赖", true),
    ("依賴", true),
    ("依存", true),
    ("зависит от", true),
    ("depende de", true),
    ("dépend de", true),
    ("abhängig von", true),
];

/// The opening word at the start of lower-cased text: its length, and whether ids must follow.
pub(super) fn opener(lower: &str) -> Option<(usize, bool)> {
    OPENERS.iter().find_map(|(word, strict)| {
        let rest = lower.strip_prefix(word)?;
        let ends = !word.is_ascii() || !rest.starts_with(|c: char| c.is_ascii_alphanumeric());
        ends.then_some((word.len(), *strict))
    })
}

/// Whether any opening word begins like the text; spares most brackets the closer look.
pub(super) fn may_open(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| matches!(b | 32, b'd' | b'b' | b'r' | b'a' | b'n') || !b.is_ascii())
}

/// Whether bracketed text opens a dependency. Only if something follows: `[after]` alone is a tag.
pub(super) fn opens(lower: &str) -> bool {
    may_open(lower) && opener(lower).is_some_and(|(len, _)| lower[len..].bytes().any(|b| b.is_ascii_digit()))
}

/// What a stretch of text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub target: Target,
    pub span: Span,
}

/// A written thing that is meant as an id and is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Odd {
    pub span: Span,
    pub text: String,
    pub why: &'static str,
}

/// One id, range, story or phase at a place: what it names and where it ends.
pub(super) fn target(text: &str, at: usize, numbers: bool) -> Option<(Target, usize)> {
    let rest = text.get(at..)?;
    if let Some((number, end)) = phase(text, at) {
        return Some((Target::Phase(number), end));
    }
    if let Some((story, end)) = story(rest) {
        return Some((Target::Story(story), at + end));
    }
    let token = id::listed(text, at, numbers)?;
    let first = &text[token.start..token.end];
    if let Some((last, end)) = id::range_end(text, first, token.end) {
        return Some((Target::Range(first.into(), last.as_str().into()), end));
    }
    Some((Target::Id(first.into()), token.end))
}

/// `Phase 2`, `phase 3.1`, `Phase N`.
fn phase(text: &str, at: usize) -> Option<(String, usize)> {
    if !matches!(text.as_bytes().get(at), Some(b'p' | b'P')) {
        return None;
    }
    let head = text.get(at..at + 5).filter(|head| head.eq_ignore_ascii_case("phase"))?;
    let rest = text[at + head.len()..].strip_prefix(' ')?;
    let len = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let number = rest[..len].trim_end_matches('.');
    let start = text.len() - rest.len();
    (!number.is_empty()).then(|| (number.to_owned(), start + number.len()))
}

/// `US2`, `User Story 2`, `Story 2`.
fn story(rest: &str) -> Option<(Story, usize)> {
    if !rest.starts_with(['u', 'U', 's', 'S']) {
        return None;
    }
    let prefix = ["user story ", "story ", "us-", "us"]
        .iter()
        .find(|p| rest.get(..p.len()).is_some_and(|head| head.eq_ignore_ascii_case(p)))?;
    let name = &rest[prefix.len()..];
    let mut len = name.bytes().take_while(u8::is_ascii_digit).count();
    if len == 0 {
        return None;
    }
    while name[len..].starts_with('.') && name[len + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        len += 1 + name[len + 1..].bytes().take_while(u8::is_ascii_digit).count();
    }
    len += name[len..].bytes().take_while(u8::is_ascii_lowercase).count().min(1);
    if name[len..].starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let found = head::stories(&format!("US{}", &name[..len]))?.stories.into_iter().next()?;
    Some((found, prefix.len() + len))
}

/// Whether a word may stand between two ids of a list without ending it.
fn joins(word: &str) -> bool {
    [
        "and",
        "or",
        "y",
        "e",
        "et",
        "und",
        "и",
        "及",
        "和",
        "与",
        "と",
        "および",
        "task",
        "tasks",
        "both",
        "all",
        "of",
        "the",
        "on",
        "completion",
        "story",
        "任务",
        "タスク",
    ]
    .iter()
    .any(|w| w.eq_ignore_ascii_case(word))
}

/// Whether a value says that there is nothing to wait for.
pub(super) fn is_none(value: &str) -> bool {
    let value = value.trim().trim_matches(['*', '_', '`', '.', '[', ']', '(', ')', '"', '\'']).trim();
    let word = value
        .split(|c: char| c.is_whitespace() || matches!(c, '(' | '（' | ',' | ';' | '。'))
        .next()
        .unwrap_or_default();
    [
        "", "-", "–", "—", "none", "n/a", "na", "no", "nothing", "无", "無", "なし", "нет", "ninguna",
        "ninguno", "nenhuma", "aucune", "keine",
    ]
    .iter()
    .any(|none| none.eq_ignore_ascii_case(word))
}

/// What a list of ids holds, read up to the bracket that closes it or the end of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct List {
    pub named: Vec<Named>,
    pub odd: Vec<Odd>,
    /// Words besides ids and separators.
    pub words: bool,
    /// Behind the closing bracket, or the end.
    pub end: usize,
    pub closed: bool,
}

/// Reads ids separated by commas and their like from `text[at..]`. An id counts only right behind a separator, so
/// that of `T010 so that T011 compiles` only the first is taken. `base` is where `text` stands in the source.
pub(super) fn list(text: &str, at: usize, base: usize, numbers: bool) -> List {
    let mut list = List { end: text.len(), ..List::default() };
    let (mut at, mut depth, mut expected) = (at, 0_u32, true);
    while let Some(c) = text[at..].chars().next() {
        match c {
            '(' | '（' | '[' => depth += 1,
            ')' | '）' | ']' if depth == 0 => {
                list.closed = true;
                list.end = at + c.len_utf8();
                return list;
            }
            ')' | '）' | ']' => depth -= 1,
            ',' | ';' | '&' | '/' | '+' | '、' | '，' | '；' | '|' | '‖' => expected = true,
            '.' if text[at + 1..].starts_with(['.', '/']) => {
                at = item(&mut list, text, at, base, numbers, &mut expected);
                continue;
            }
            c if c == ' '
                || c.is_whitespace()
                || matches!(c, '`' | '*' | '"' | '\'' | ':' | '：' | '.' | '_' | '#' | '~') => {}
            _ => {
                at = item(&mut list, text, at, base, numbers, &mut expected);
                continue;
            }
        }
        at += c.len_utf8();
    }
    list
}

fn item(list: &mut List, text: &str, at: usize, base: usize, numbers: bool, expected: &mut bool) -> usize {
    // `T0*` is no id; `*T001*` is one in italics.
    let starred = |end: usize| {
        text[end..].starts_with('*') && !text[end..].starts_with("**") && !text[..at].ends_with('*')
    };
    if *expected && let Some((target, end)) = target(text, at, numbers).filter(|(_, end)| !starred(*end)) {
        *expected = false;
        let span = Span::new(base + at, base + end);
        match bad(&target) {
            Some(why) => list.odd.push(Odd { span, text: text[at..end].to_owned(), why }),
            None => list.named.push(Named { target, span }),
        }
        return end;
    }
    let stop = |c: char| {
        c.is_whitespace() || matches!(c, ',' | ';' | ')' | '）' | ']' | '(' | '（' | '、' | '，' | '；')
    };
    let len = text[at..]
        .find(stop)
        .unwrap_or(text.len() - at)
        .max(text[at..].chars().next().map_or(1, char::len_utf8));
    let word = &text[at..at + len];
    if joins(word.trim_end_matches([':', '.'])) {
        *expected = true;
        return at + len;
    }
    let clean = word.trim_matches(['`', '*', '.', ':']);
    let idlike =
        clean.bytes().any(|b| b.is_ascii_digit()) || clean.contains('*') || id::disguised(clean, 0).is_some();
    if *expected && idlike && word.len() <= 64 && !clean.starts_with(|c: char| c.is_ascii_lowercase()) {
        list.odd.push(Odd { span: Span::new(base + at, base + at + len), text: word.to_owned(), why: "" });
    }
    list.words = true;
    *expected = false;
    at + len
}

/// Why a range cannot be read.
fn bad(target: &Target) -> Option<&'static str> {
    let Target::Range(first, last) = target else { return None };
    match id::range(first, last) {
        id::Range::Good(_) => None,
        id::Range::Bad(why) => Some(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn show(named: &[Named]) -> String {
        let one = |named: &Named| match &named.target {
            Target::Id(id) => id.to_string(),
            Target::Range(a, b) => format!("{a}..{b}"),
            Target::Story(story) => story.0.clone(),
            Target::Phase(number) => format!("phase {number}"),
        };
        named.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lists_take_ids_behind_separators_only() {
        let read = |text: &str| show(&list(text, 0, 0, true).named);
        assert_eq!(read("T001, T002 and T003)"), "T001 T002 T003");
        assert_eq!(read("T001 & T002; T003/T004)"), "T001 T002 T003 T004");
        assert_eq!(read("T001-T009, T012)"), "T001..T009 T012");
        assert_eq!(read("T010 so that T011 compiles, T012"), "T010 T012");
        assert_eq!(read("(T001)) T5"), "T001");
        assert_eq!(read("tasks T001 and T002"), "T001 T002");
        assert_eq!(read("Phase 2, US1"), "phase 2 US1");
        assert_eq!(read("1.1, 1.3, 2.3"), "1.1 1.3 2.3");
        assert_eq!(read("`t-01`, `t-02`]"), "t-01 t-02");
        assert_eq!(read("T001、T002，T003"), "T001 T002 T003");
    }

    #[test]
    fn what_looks_like_an_id_and_is_none_is_kept_for_a_warning() {
        let odd = |text: &str| list(text, 0, 0, false).odd.into_iter().map(|o| o.text).collect::<Vec<_>>();
        assert_eq!(odd("T0*, T001"), ["T0*"]);
        assert_eq!(odd("T002-T001"), ["T002-T001"]);
        assert_eq!(odd("Т001"), ["Т001"]);
        assert_eq!(odd("the server"), [""; 0]);
    }

    #[test]
    fn nothing_is_said_in_many_ways() {
        for value in ["None", "none (root task)", " - ", "[]", "N/A", "无", "**None**", "なし"] {
            assert!(is_none(value), "{value}");
        }
        assert!(!is_none("T001"));
    }
}
