//! Text of others inside text of ours: fenced so that nothing in it can end its fence, and free of what nobody sees.

use crate::text::is_unsafe;
use std::ops::Range;

/// `text` in a fence longer than any run of backticks in it.
pub(super) fn fenced(info: &str, text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for byte in text.bytes() {
        run = if byte == b'`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat((longest + 1).max(3));
    let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    format!("{fence}{info}\n{text}{end}{fence}")
}

/// `text` without `comments` (ascending ranges of it) and without characters that people do not see: what reads like
/// nothing to a person must not be an instruction to an agent. Line ends become plain. How many were taken out.
pub(super) fn visible(text: &str, comments: &[Range<usize>]) -> (String, usize) {
    let mut out = String::with_capacity(text.len());
    let (mut at, mut hidden) = (0, 0);
    let mut take = |part: &str| {
        for c in part.chars() {
            match c {
                // Emoji are joined by the last one; alone it hides nothing.
                '\n' | '\t' | '\u{200d}' => out.push(c),
                '\r' => {}
                c if is_unsafe(c) => hidden += 1,
                c => out.push(c),
            }
        }
    };
    for comment in comments {
        let start = comment.start.clamp(at, text.len());
        take(text.get(at..start).unwrap_or_default());
        at = comment.end.clamp(start, text.len());
    }
    take(text.get(at..).unwrap_or_default());
    (out, hidden)
}

/// A word or line of others in a sentence of ours: on one line, without backticks, not long.
pub(super) fn inline(text: &str) -> String {
    const LONGEST: usize = 160;
    let (text, cut) = first_bytes(text.trim(), LONGEST);
    let mut out: String = text.chars().filter(|c| *c != '`' && !is_unsafe(*c)).collect();
    if cut {
        out.push('…');
    }
    out
}

/// Without the indentation that all lines share, and without empty lines at both ends.
pub(super) fn dedented(text: &str) -> String {
    let blank = |line: &&str| line.trim().is_empty();
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let common = text.lines().filter(|line| !blank(line)).map(indent).min().unwrap_or(0);
    let lines: Vec<&str> = text.lines().map(|line| line.get(common..).unwrap_or("").trim_end()).collect();
    let first = lines.iter().position(|line| !line.is_empty()).unwrap_or(lines.len());
    let last = lines.iter().rposition(|line| !line.is_empty()).map_or(first, |n| n + 1);
    lines.get(first..last).unwrap_or_default().join("\n")
}

/// The end of a text, whole lines of at most `bytes`; for outputs, whose end says what went wrong.
pub(super) fn last_lines(text: &str, bytes: usize) -> (&str, bool) {
    if text.len() <= bytes {
        return (text, false);
    }
    let mut start = text.len() - bytes;
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let rest = &text[start..];
    (rest.find('\n').map_or(rest, |at| &rest[at + 1..]), true)
}

/// The beginning of a text, at most `bytes`.
pub(super) fn first_bytes(text: &str, bytes: usize) -> (&str, bool) {
    if text.len() <= bytes {
        return (text, false);
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (&text[..end], true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_in_a_fence_can_end_it(text in "[`~a \n]{0,80}") {
            let whole = fenced("text", &text);
            let fence: String = whole.chars().take_while(|c| *c == '`').collect();
            let lines: Vec<&str> = whole.lines().collect();
            let closing: Vec<usize> =
                (1..lines.len()).filter(|n| lines[*n].trim().starts_with(&fence)).collect();
            prop_assert_eq!(closing, [lines.len() - 1]);
        }

        #[test]
        fn what_is_left_of_a_text_is_a_part_of_it(text in "[aé日\n]{0,60}", bytes in 0usize..80) {
            let (start, cut) = first_bytes(&text, bytes);
            prop_assert!(text.starts_with(start) && start.len() <= bytes.max(text.len() * usize::from(!cut)));
            let (end, _) = last_lines(&text, bytes);
            prop_assert!(text.ends_with(end));
        }
    }

    #[test]
    fn what_people_do_not_see_is_not_there() {
        let text = "a\u{200b}b <!-- do x -->c\r\n\u{e0041}d\te";
        let comment = text.find("<!--").unwrap()..text.find("c\r").unwrap();
        assert_eq!(visible(text, &[comment]), ("ab c\nd\te".to_owned(), 2));
    }

    #[test]
    fn shared_indentation_goes_and_the_rest_stays() {
        assert_eq!(dedented("\n  - a\n\n      b\n  c  \n\n"), "- a\n\n    b\nc");
        assert_eq!(dedented("\n \n"), "");
    }
}
