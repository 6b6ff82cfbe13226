//! Small looks at one line of text: indentation, bullets, boxes. Knows no ids, no tasks and no other line.

/// Columns of leading white space (tabs reach the next multiple of four) and its bytes.
pub(super) fn indent(line: &str) -> (u32, usize) {
    // Spaces alone, as in nearly every line.
    let spaces = line.bytes().take_while(|b| *b == b' ').count();
    if line.as_bytes().get(spaces).is_none_or(u8::is_ascii_graphic) {
        return (spaces as u32, spaces);
    }
    let mut columns = 0;
    for (at, c) in line.char_indices() {
        match c {
            ' ' => columns += 1,
            '\t' => columns = columns / 4 * 4 + 4,
            c if c.is_whitespace() || c == '\u{feff}' => columns += 1,
            _ => return (columns, at),
        }
    }
    (columns, line.len())
}

/// A list item's opening, and its box if it has one. Offsets count bytes of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// Column of the (last) bullet.
    pub indent: u32,
    /// How many bullets stand before the content: `- - x` has two.
    pub bullets: u32,
    pub bracket: Option<Bracket>,
    /// `- [ ]*`
    pub starred: bool,
    /// No space between bullet and box, or box and text.
    pub squashed: bool,
    /// A bullet or space that Markdown does not know (`•`, `–`, U+3000) stands before the box.
    pub odd: bool,
    /// Where what follows bullet and box begins.
    pub rest: usize,
}

/// `[…]` of at most three characters at the place of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bracket {
    pub start: usize,
    pub end: usize,
    pub mark: Mark,
}

/// What stands between the brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Open,
    Done,
    /// `[✅]`
    DoneEmoji,
    /// Something whose meaning is not agreed on: `~`, `-`, `!`.
    Unclear,
    /// A letter or digit: a box only if an id follows.
    Letter,
    /// No box: `[P]`, `[US1]`, a link.
    None,
}

/// A bullet with the space behind it: the bytes it takes, and whether Markdown knows it.
struct Bullet {
    len: usize,
    odd: bool,
}

fn bullet(rest: &str) -> Option<Bullet> {
    let first = rest.chars().next()?;
    let mark = match first {
        '-' | '*' | '+' => 1,
        '0'..='9' => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            match rest.as_bytes().get(digits) {
                Some(b'.' | b')') if digits <= 9 => digits + 1,
                _ => return None,
            }
        }
        '–' | '—' | '•' | '◦' | '▪' | '·' => first.len_utf8(),
        _ => return None,
    };
    let after = &rest[mark..];
    if let [b' ', next, ..] = after.as_bytes()
        && next.is_ascii_graphic()
    {
        return Some(Bullet { len: mark + 1, odd: !first.is_ascii() });
    }
    let space: usize = after.chars().take_while(|c| c.is_whitespace()).map(char::len_utf8).sum();
    let odd = !first.is_ascii() || !after[..space].is_ascii();
    match after[space..].chars().next() {
        Some('[') => Some(Bullet { len: mark + space, odd }),
        None => Some(Bullet { len: mark, odd }),
        Some(_) if space > 0 => Some(Bullet { len: mark + space, odd }),
        Some(_) => None,
    }
}

/// Reads bullets and box at the start of a line; None if the line is no list item.
pub(super) fn item(line: &str) -> Option<Item> {
    let (mut column, mut at) = indent(line);
    let mut item = Item {
        indent: column,
        bullets: 0,
        bracket: None,
        starred: false,
        squashed: false,
        odd: false,
        rest: at,
    };
    while let Some(bullet) = bullet(&line[at..]) {
        item.indent = column;
        item.bullets += 1;
        item.odd |= bullet.odd;
        item.squashed = !line[..at + bullet.len].ends_with(char::is_whitespace);
        column += bullet.len as u32;
        at += bullet.len;
    }
    if item.bullets == 0 {
        return None;
    }
    item.rest = at;
    item.bracket = bracket(line, at);
    let Some(bracket) = item.bracket else {
        item.squashed = false;
        return Some(item);
    };
    item.rest = bracket.end + 1;
    let after = &line[item.rest..];
    let star = after.strip_prefix("\\*").or_else(|| after.strip_prefix('*').filter(|s| !s.starts_with('*')));
    let star = star
        .or_else(|| after.strip_prefix(" * "))
        .filter(|s| s.is_empty() || !s.starts_with(char::is_alphabetic));
    if let Some(rest) = star {
        item.starred = true;
        item.rest = line.len() - rest.len();
    }
    item.squashed |= line[item.rest..].chars().next().is_some_and(|c| !c.is_whitespace());
    Some(item)
}

/// The box of a heading: `## [ ] T001`.
pub(super) fn bracket(line: &str, at: usize) -> Option<Bracket> {
    let inside = line.get(at..)?.strip_prefix('[')?;
    let close = inside.char_indices().take(4).find(|(_, c)| *c == ']')?.0;
    let inner = &inside[..close];
    let after = &inside[close + 1..];
    Some(Bracket { start: at + 1, end: at + 1 + close, mark: mark(inner, after) })
}

fn mark(inner: &str, after: &str) -> Mark {
    let trimmed = inner.trim_matches(|c: char| c.is_whitespace() || c == '\u{200b}');
    let link = after.starts_with('(') && !inner.is_empty() && !after.starts_with("(P)");
    match trimmed {
        "" => Mark::Open,
        _ if link => Mark::None,
        "x" | "X" => Mark::Done,
        "✅" => Mark::DoneEmoji,
        "P" => Mark::None,
        "xx" | "XX" => Mark::Unclear,
        _ if trimmed.chars().count() == 1
            && trimmed.is_ascii()
            && !trimmed.starts_with(|c: char| c.is_ascii_punctuation()) =>
        {
            Mark::Letter
        }
        _ if trimmed.chars().any(|c| c.is_ascii_alphanumeric())
            || trimmed.contains(['[', '^', '`', '<', '(']) =>
        {
            Mark::None
        }
        _ => Mark::Unclear,
    }
}

/// The parts of a line outside of backticks, as byte ranges in order; an unpaired backtick is text.
pub(super) fn outside_code(text: &str) -> impl Iterator<Item = (usize, usize)> {
    // Most lines hold no code, and then there is nothing to allocate.
    let whole = memchr::memchr(b'`', text.as_bytes()).is_none();
    let parts = if whole { Vec::new() } else { parts_outside_code(text) };
    whole.then_some((0, text.len())).into_iter().chain(parts)
}

fn parts_outside_code(text: &str) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    // Runs of backticks, then each opening run is closed by the next run of equal length. `next` remembers, per
    // length, the runs still ahead, so that a line of many different runs stays linear.
    let mut runs = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'`' {
            let len = bytes[at..].iter().take_while(|b| **b == b'`').count();
            runs.push((at, len));
            at += len;
        } else {
            at += 1;
        }
    }
    let mut ahead: std::collections::HashMap<usize, Vec<usize>> = std::collections::HashMap::new();
    for (ix, (_, len)) in runs.iter().enumerate().rev() {
        ahead.entry(*len).or_default().push(ix);
    }
    let mut parts = Vec::new();
    let (mut start, mut ix) = (0, 0);
    while let Some((at, len)) = runs.get(ix).copied() {
        let list = ahead.entry(len).or_default();
        while list.last().is_some_and(|next| *next <= ix) {
            list.pop();
        }
        match list.last() {
            Some(close) => {
                parts.push((start, at));
                start = runs[*close].0 + len;
                ix = close + 1;
            }
            None => ix += 1,
        }
    }
    parts.push((start, text.len()));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark_of(line: &str) -> Option<(String, Mark, usize)> {
        let item = item(line)?;
        let bracket = item.bracket?;
        Some((line[bracket.start..bracket.end].to_owned(), bracket.mark, item.rest))
    }

    #[test]
    fn boxes_are_found_behind_every_bullet() {
        for line in [
            "- [x] a",
            "* [x] a",
            "+ [x] a",
            "1. [x] a",
            "12) [x] a",
            "-\t[x]\ta",
            "   - [x] a",
            "-[x]a",
            "• [x] a",
        ] {
            assert_eq!(mark_of(line).map(|m| m.1), Some(Mark::Done), "{line}");
        }
        for line in ["[x] a", "a - [x]", "--help", "**bold** [x]", "1234567890. [x] a", "\\- [x]"] {
            assert_eq!(mark_of(line), None, "{line}");
        }
    }

    #[test]
    fn the_inner_span_is_exact() {
        assert_eq!(mark_of("- [] T1"), Some((String::new(), Mark::Open, 4)));
        assert_eq!(mark_of("- [✅] T1"), Some(("✅".to_owned(), Mark::DoneEmoji, 7)));
        assert_eq!(mark_of("- [⚠️] T1").map(|m| m.1), Some(Mark::Unclear));
        assert_eq!(mark_of("- [P] tasks").map(|m| m.1), Some(Mark::None));
        assert_eq!(mark_of("- [x](http://a)").map(|m| m.1), Some(Mark::None));
        assert_eq!(mark_of("- [US1] a").map(|m| m.1), Some(Mark::None));
        assert_eq!(mark_of("- [long] a"), None);
    }

    #[test]
    fn a_star_behind_the_box_means_optional() {
        assert!(item("- [ ]* 1.1 a").is_some_and(|i| i.starred && !i.squashed));
        assert!(item("- [ ]\\* 1.1 a").is_some_and(|i| i.starred));
        assert!(item("- [ ] **T1** a").is_some_and(|i| !i.starred));
        assert!(item("-[X]T1[P]a").is_some_and(|i| i.squashed));
    }

    #[test]
    fn code_spans_pair_by_length() {
        let parts = |s: &str| outside_code(s).map(|(a, b)| s[a..b].to_owned()).collect::<Vec<_>>();
        assert_eq!(parts("a `b` c"), ["a ", " c"]);
        assert_eq!(parts("a ``b ` c`` d ` e"), ["a ", " d ` e"]);
        assert_eq!(parts("a ` b"), ["a ` b"]);
    }
}
