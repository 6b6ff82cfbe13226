//! The grammar of ids: `T001a`, `T-12`, `TASK-001`, `Task 1.1`, `1.2.3`, `1.`, `t-01`, `DB-001`, and ranges of them.
//!
//! Knows one token at one place; whether the file uses such ids is decided by who asks. Digits are ASCII digits only.

/// How surely a token is an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `T001`, `TASK-001`, `t-01`
    Tee,
    /// `Task 1.1`: the number is the id.
    Word,
    /// `1.1`, or `1.` with its full stop.
    Number,
    /// `DB-001`, `U1.1`: an id only if the file uses such.
    Weak,
}

/// A token in a line: `start..end` is the id, `next` is behind its terminator (`:`, `.`, ` —`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub start: usize,
    pub end: usize,
    pub next: usize,
    pub kind: Kind,
}

/// The id at the head of an item's or heading's text.
pub(super) fn head(line: &str, at: usize) -> Option<Token> {
    let (start, end, kind) = tee(line, at)
        .map(|end| (at, end, Kind::Tee))
        .or_else(|| word(line, at).map(|(start, end)| (start, end, Kind::Word)))
        .or_else(|| number(line, at).map(|end| (at, end, Kind::Number)))
        .or_else(|| weak(line, at).map(|end| (at, end, Kind::Weak)))?;
    let next = terminator(line, end, kind)?;
    Some(Token { start, end, next, kind })
}

/// An id in a list of ids; `Task 1` and bare numbers count only if `numbers`.
pub(super) fn listed(text: &str, at: usize, numbers: bool) -> Option<Token> {
    let token = |start, end, kind| Some(Token { start, end, next: end, kind });
    if let Some(end) = tee(text, at).filter(|end| bounded(text, *end)) {
        return token(at, end, Kind::Tee);
    }
    if let Some((start, end)) = word(text, at).filter(|(_, end)| bounded(text, *end)) {
        return token(start, end, Kind::Word);
    }
    if numbers {
        let mut end = at + digits_and_dots(&text[at..]);
        let tail = &text.as_bytes()[end..];
        if text[at..end].contains('.')
            && tail.first().is_some_and(u8::is_ascii_lowercase)
            && !tail.get(1).is_some_and(u8::is_ascii_alphanumeric)
        {
            end += 1;
        }
        if end > at && bounded(text, end) {
            return token(at, end, Kind::Number);
        }
    }
    let end = weak(text, at).filter(|end| bounded(text, *end))?;
    token(at, end, Kind::Weak)
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// `1`, `1.2`, `1.2.3`, without a final full stop.
fn digits_and_dots(text: &str) -> usize {
    let mut len = digits(text);
    while len > 0 && text.as_bytes().get(len) == Some(&b'.') {
        let more = digits(&text[len + 1..]);
        if more == 0 {
            break;
        }
        len += 1 + more;
    }
    len
}

/// `T001`, `T-12`, `T012.5`, `T001a`, `T119-S1`, `T046-MIN`, `TASK-001`, `t-01`: the end of the id.
fn tee(line: &str, at: usize) -> Option<usize> {
    let rest = &line[at..];
    if !rest.starts_with(['T', 't']) {
        return None;
    }
    let lower = rest.starts_with('t');
    let is_word = matches!(rest.as_bytes().get(1), Some(b'A' | b'a'));
    let upper_word = ["TASK-", "task-", "Task-", "TASK_", "task_"].iter().filter(|_| is_word);
    let upper_word = upper_word.into_iter().find_map(|p| rest.strip_prefix(p));
    let body = match upper_word {
        Some(body) => body,
        None => {
            let body = rest.strip_prefix(['T', 't'])?;
            let dashed = body.strip_prefix('-');
            if lower && dashed.is_none() && digits(body) < 2 {
                return None;
            }
            dashed.unwrap_or(body)
        }
    };
    let len = digits_and_dots(body);
    if len == 0 {
        return None;
    }
    let start = line.len() - body.len();
    // `TASK-001-002` is one id, `T001-004` a range.
    Some(suffixes(line, start + len, if upper_word.is_some() { usize::MAX } else { len }))
}

/// Takes `a`, `-S1`, `-02`, `-MIN` behind the number; leaves ranges (`-T058`, `-058`) and words (`-based`).
fn suffixes(line: &str, mut at: usize, width: usize) -> usize {
    at += letters(&line[at..]);
    while let Some(rest) = line[at..].strip_prefix('-') {
        let len = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let part = &rest[..len];
        let range = part.starts_with('T') && digits(&part[1..]) > 0
            || (digits(part) == len && len >= width && width > 1);
        let sub = part.bytes().next().is_some_and(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            && !part.bytes().any(|b| b.is_ascii_lowercase());
        if range || !sub || rest[len..].starts_with(|c: char| c.is_alphabetic()) {
            break;
        }
        at += 1 + len;
    }
    at
}

/// `a`, `b2`; not the first word of a title that lost its space (`T003SetupFoo`).
fn letters(rest: &str) -> usize {
    let len = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let part = &rest.as_bytes()[..len];
    let title =
        part.first().is_some_and(u8::is_ascii_uppercase) && part.get(1).is_some_and(u8::is_ascii_lowercase);
    if title { 0 } else { len }
}

/// `Task 1.1`, `TASK 3`, `Task #4`: where the number starts and ends.
fn word(line: &str, at: usize) -> Option<(usize, usize)> {
    if line[at..].bytes().next().is_none_or(|b| b.is_ascii() && b | 32 != b't') {
        return None;
    }
    let rest =
        ["Task ", "task ", "TASK ", "任务 ", "タスク "].iter().find_map(|p| line[at..].strip_prefix(p))?;
    let rest = rest.strip_prefix('#').unwrap_or(rest);
    let start = line.len() - rest.len();
    if let Some(end) = tee(line, start) {
        return Some((start, end));
    }
    let len = digits_and_dots(rest);
    (len > 0).then(|| (start, start + len + letters(&rest[len..])))
}

/// `1.1`, `1.2.3`, or a whole number with a terminator of its own.
fn number(line: &str, at: usize) -> Option<usize> {
    let mut len = digits_and_dots(&line[at..]);
    let whole = !line[at..at + len].contains('.');
    let tail = &line.as_bytes()[at + len..];
    // `1.2a`
    if !whole
        && tail.first().is_some_and(u8::is_ascii_lowercase)
        && !tail.get(1).is_some_and(u8::is_ascii_alphanumeric)
    {
        len += 1;
    }
    let next = line[at + len..].chars().next();
    let ends = matches!(next, Some('.' | ')' | ':' | '：' | '、'));
    (len > 0 && (!whole || ends)).then_some(at + len)
}

/// `DB-001`, `SC-001`, `P1`, `U1.1`, `ST-0.1.1`.
fn weak(line: &str, at: usize) -> Option<usize> {
    let rest = &line[at..];
    if !rest.starts_with(|c: char| c.is_ascii_uppercase()) {
        return None;
    }
    let alpha = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let mut len = alpha;
    if rest.as_bytes().get(len) == Some(&b'-') {
        len += 1;
        let second = rest[len..].bytes().take_while(u8::is_ascii_uppercase).count();
        if second > 0 && rest.as_bytes().get(len + second) == Some(&b'-') {
            len += second + 1;
        }
    }
    let number = digits_and_dots(&rest[len..]);
    if number == 0 || alpha > 10 {
        return None;
    }
    Some(suffixes(line, at + len + number, number))
}

/// Nothing that would make the token part of a longer word follows.
fn bounded(text: &str, end: usize) -> bool {
    !text[end..].starts_with(|c: char| {
        (c.is_alphanumeric() && (c.is_ascii() || is_lookalike(c))) || c == '_' || c == '%'
    })
}

/// Skips what stands between an id and its text; None if the token goes on as a word.
fn terminator(line: &str, end: usize, kind: Kind) -> Option<usize> {
    let rest = &line[end..];
    let Some(c) = rest.chars().next() else { return Some(end) };
    let next = end + c.len_utf8();
    let after = line[next..].chars().next();
    let open = after.is_none_or(|c| c.is_whitespace() || matches!(c, '*' | '_' | '`' | '~') || !c.is_ascii());
    match c {
        ':' | '：' => Some(next),
        '.' | ')' | '、' if open || kind == Kind::Number && after.is_some_and(|c| c.is_ascii_uppercase()) => {
            Some(next)
        }
        '*' | '`' | '[' | ']' | '(' | '（' | ',' | ';' | '/' | '+' | '=' | '—' | '–' | '→' => {
            Some(end)
        }
        '~' if rest.starts_with("~~") || kind == Kind::Tee => Some(end),
        '_' => (kind != Kind::Tee || after.is_none_or(|c| !c.is_alphanumeric())).then_some(end),
        '-' if line[next..].starts_with('T')
            || after.is_none_or(|c| c.is_whitespace() || c.is_ascii_digit()) =>
        {
            Some(end)
        }
        '@' if kind == Kind::Tee => Some(end),
        c if c.is_whitespace() => Some(end),
        // `T003Setup` and CJK text that follows without a space.
        c if kind == Kind::Tee && c.is_ascii_uppercase() => Some(end),
        c if !c.is_ascii() && !is_lookalike(c) => Some(end),
        _ => None,
    }
}

/// A second id behind a range sign: `T004–T005`, `T054-058`, `T001 ~ T008`, `T001..T009`, `T001 to T009`. Returns the
/// end's text as written in full and where it stops.
pub(super) fn range_end(text: &str, first: &str, at: usize) -> Option<(String, usize)> {
    let rest = &text[at..];
    let spaced = rest.trim_start_matches(' ');
    let first_byte = spaced.bytes().next()?;
    if first_byte.is_ascii() && !matches!(first_byte, b'-' | b'~' | b'.' | b't') {
        return None;
    }
    let sign = ["-", "–", "—", "‐", "‑", "~", "～", "..", "…", "至", "到", "から"]
        .iter()
        .find_map(|s| spaced.strip_prefix(s));
    let word = ["to ", "through ", "thru "]
        .iter()
        .find_map(|s| spaced.strip_prefix(s))
        .filter(|_| spaced.len() < rest.len());
    let after = sign.or(word)?;
    // ` - ` or ` — ` between spaces is a dash of the sentence unless an id of the same style follows.
    let after = after.trim_start_matches(['.', ' ', '`', '*']);
    let start = text.len() - after.len();
    let prefix: &str = first.trim_end_matches(|c: char| c.is_ascii_alphanumeric() && !c.is_ascii_uppercase());
    if let Some(end) = tee(text, start).filter(|end| bounded(text, *end)) {
        return Some((text[start..end].to_owned(), end));
    }
    if first.starts_with(|c: char| c.is_ascii_digit()) {
        let len = digits_and_dots(after);
        let ok = len > 0 && bounded(text, start + len) && first.contains('.') == after[..len].contains('.');
        return ok.then(|| (after[..len].to_owned(), start + len));
    }
    let len = digits(after);
    if len > 0 && sign.is_some() && spaced.len() == rest.len() && bounded(text, start + len) {
        return Some((format!("{prefix}{}", &after[..len]), start + len));
    }
    let end = weak(text, start).filter(|end| bounded(text, *end) && text[start..*end].starts_with(prefix))?;
    Some((text[start..end].to_owned(), end))
}

/// An id split into what comes before its last number, the number, and what follows.
pub(super) fn split(id: &str) -> Option<(&str, &str, &str)> {
    let last = id.rfind(|c: char| c.is_ascii_digit())? + 1;
    let first = id[..last]
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |at| at + id[at..].chars().next().map_or(1, char::len_utf8));
    Some((&id[..first], &id[first..last], &id[last..]))
}

/// What a range stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// How many ids.
    Good(u64),
    /// Why it is none.
    Bad(&'static str),
}

/// The longest range that is read as such.
pub(super) const RANGE_LIMIT: u64 = 10_000;

pub(super) fn range(first: &str, last: &str) -> Range {
    let (Some((a, from, _)), Some((b, to, _))) = (split(first), split(last)) else {
        return Range::Bad("its ends are no numbered ids");
    };
    if !a.eq_ignore_ascii_case(b) {
        return Range::Bad("its ends are written in different ways");
    }
    match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) if to < from => Range::Bad("it runs backwards"),
        (Ok(from), Ok(to)) if to - from >= RANGE_LIMIT => Range::Bad("it is longer than 10,000 ids"),
        (Ok(from), Ok(to)) => Range::Good(to - from + 1),
        _ => Range::Bad("its numbers are too large"),
    }
}

/// The `n`th id of a range, in the width of its first.
pub(super) fn nth(first: &str, n: u64) -> Option<String> {
    let (prefix, number, _) = split(first)?;
    let value = number.parse::<u64>().ok()?.checked_add(n)?;
    Some(format!("{prefix}{value:0width$}", width = number.len()))
}

/// Characters outside ASCII that are drawn like the letters and digits of ids.
pub(super) fn is_lookalike(c: char) -> bool {
    ascii_of(c).is_some()
}

/// The ASCII character that `c` looks like or stands for.
pub(super) fn ascii_of(c: char) -> Option<char> {
    Some(match c {
        'Т' | 'Τ' => 'T',
        'т' => 't',
        'А' | 'Α' => 'A',
        'а' | 'α' => 'a',
        'В' | 'Β' => 'B',
        'С' | 'Ϲ' => 'C',
        'с' => 'c',
        'Е' | 'Ε' => 'E',
        'е' => 'e',
        'К' | 'Κ' => 'K',
        'М' | 'Μ' => 'M',
        'О' | 'Ο' => 'O',
        'о' | 'ο' => 'o',
        'Р' | 'Ρ' => 'P',
        'р' | 'ρ' => 'p',
        'Ѕ' => 'S',
        'ѕ' => 's',
        'Х' | 'Χ' => 'X',
        'х' => 'x',
        'У' | 'Υ' => 'Y',
        'І' | 'Ι' => 'I',
        '\u{ff10}'..='\u{ff19}' => char::from(b'0' + (c as u32 - 0xff10) as u8),
        '\u{ff21}'..='\u{ff3a}' => char::from(b'A' + (c as u32 - 0xff21) as u8),
        '\u{ff41}'..='\u{ff5a}' => char::from(b'a' + (c as u32 - 0xff41) as u8),
        '\u{660}'..='\u{669}' => char::from(b'0' + (c as u32 - 0x660) as u8),
        '\u{6f0}'..='\u{6f9}' => char::from(b'0' + (c as u32 - 0x6f0) as u8),
        '\u{966}'..='\u{96f}' => char::from(b'0' + (c as u32 - 0x966) as u8),
        _ => return None,
    })
}

/// If the word at `at` would be an id were its look-alikes and invisible characters plain: the word and that id.
pub(super) fn disguised(line: &str, at: usize) -> Option<(usize, String)> {
    let word =
        line[at..].split(|c: char| c.is_whitespace() || matches!(c, ',' | ')' | '）' | ':' | ']')).next()?;
    if word.is_ascii() || word.len() > 64 {
        return None;
    }
    let plain: String =
        word.chars().filter(|c| !crate::text::is_unsafe(*c)).map(|c| ascii_of(c).unwrap_or(c)).collect();
    let token = listed(&plain, 0, true)?;
    let differs =
        !word.starts_with(&plain[..token.end]) || word[token.end..].starts_with(crate::text::is_unsafe);
    (differs && token.start == 0 && token.kind != Kind::Weak)
        .then(|| (at + word.len(), plain[..token.end].to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(line: &str) -> Option<(&str, Kind, &str)> {
        let token = head(line, 0)?;
        Some((&line[token.start..token.end], token.kind, &line[token.next..]))
    }

    #[test]
    fn every_style_of_the_wild_is_read() {
        for (line, want) in [
            ("T001 do", "T001"),
            ("T1: do", "T1"),
            ("T001a do", "T001a"),
            ("T012.5 do", "T012.5"),
            ("T119-S1 do", "T119-S1"),
            ("T018-02 — do", "T018-02"),
            ("T-12: do", "T-12"),
            ("TASK-001 do", "TASK-001"),
            ("task-001` do", "task-001"),
            ("t-01` do", "t-01"),
            ("Task 1.1: do", "1.1"),
            ("Task 3 — do", "3"),
            ("1.1 do", "1.1"),
            ("1. do", "1"),
            ("1.1. do", "1.1"),
            ("1.2.3 do", "1.2.3"),
            ("T001：做", "T001"),
            ("T001** do", "T001"),
            ("T1000", "T1000"),
            ("T1.1 — do", "T1.1"),
            ("DB-001** do", "DB-001"),
            ("U1.1** do", "U1.1"),
            ("T002[P]Do", "T002"),
            ("T003SetupDo", "T003"),
            ("T046-MIN do", "T046-MIN"),
            ("TASK-001-002：x", "TASK-001-002"),
            ("T054-T058 x", "T054"),
            ("T004–T005 x", "T004"),
            ("ST-0.1.1 x", "ST-0.1.1"),
            ("2.4* x", "2.4"),
            ("1.2a x", "1.2a"),
            ("T019@cc x", "T019"),
        ] {
            assert_eq!(id(line).map(|t| t.0), Some(want), "{line}");
        }
    }

    #[test]
    fn words_and_numbers_of_prose_are_no_ids() {
        for line in [
            "Tests",
            "T-shirt",
            "T001-based x",
            "8 colours",
            "3D view",
            "1.5xs",
            "2026-01-06 x",
            "Task list",
            "TaskId",
            "tests",
            "t1 x",
            "50% x",
            "Т001 x",
        ] {
            assert_eq!(id(line), None, "{line}");
        }
    }

    #[test]
    fn ranges_are_read_and_judged() {
        assert_eq!(range_end("T001-T009)", "T001", 4), Some(("T009".into(), 9)));
        assert_eq!(range_end("T001–004", "T001", 4), Some(("T004".into(), "T001–004".len())));
        assert_eq!(range_end("T001 to T009", "T001", 4), Some(("T009".into(), 12)));
        assert_eq!(range_end("T001 - do", "T001", 4), None);
        assert_eq!(range("T001", "T009"), Range::Good(9));
        assert!(matches!(range("T009", "T001"), Range::Bad(_)));
        assert!(matches!(range("T001", "T999999999"), Range::Bad(_)));
        assert!(matches!(range("T001", "T99999999999999999999"), Range::Bad(_)));
        assert_eq!(nth("T009", 1).as_deref(), Some("T010"));
        assert_eq!(range("1.1", "1.4"), Range::Good(4));
    }

    #[test]
    fn disguised_ids_are_seen_through() {
        for word in ["Т001", "Ｔ００１", "T٠٠١", "T0\u{200d}01", "T\u{202e}001"] {
            assert_eq!(disguised(word, 0).map(|d| d.1).as_deref(), Some("T001"), "{word}");
        }
        assert_eq!(disguised("T001", 0), None);
        assert_eq!(disguised("創建", 0), None);
    }
}
