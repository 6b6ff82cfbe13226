//! The loose detector: which lines look like a task at all. Each such line is recognised or listed as ignored.
//!
//! Wider than the task grammar on purpose, and independent of it.

/// Whether a line looks like a task: a bullet with up to three characters in brackets, or `T12` (`T-12`) at its start
/// behind bullets, heading marks, quote marks, table bars and emphasis.
pub(super) fn looks_like_a_task(line: &str) -> bool {
    // One of the two stands in whatever does, and in few other lines.
    if memchr::memchr2(b'[', b'T', line.as_bytes()).is_none() {
        return false;
    }
    let body = line.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '>' | '|' | '\u{feff}'));
    boxed(body) || starts_with_id(body)
}

fn boxed(body: &str) -> bool {
    let Some(rest) = bullet(body) else { return false };
    let Some(inside) = rest.trim_start().strip_prefix('[') else { return false };
    inside.chars().take(4).any(|c| c == ']')
}

/// What follows one list bullet.
fn bullet(body: &str) -> Option<&str> {
    if let Some(rest) = body.strip_prefix(['-', '*', '+']) {
        return Some(rest);
    }
    let digits = body.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 { None } else { body[digits..].strip_prefix(['.', ')']) }
}

fn starts_with_id(body: &str) -> bool {
    let mut rest = body.trim_start_matches(|c: char| {
        c.is_whitespace() || matches!(c, '#' | '-' | '*' | '+' | '_' | '`' | '~')
    });
    if let Some(after) = bullet(rest) {
        rest =
            after.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '#' | '*' | '_' | '`' | '~'));
    }
    let Some(number) = rest.strip_prefix('T') else { return false };
    number.strip_prefix('-').unwrap_or(number).starts_with(|c: char| c.is_ascii_digit())
}

/// A checkbox beyond doubt: what a warning is worth for when it stands in code or a comment.
pub(super) fn is_plain_box(line: &str) -> bool {
    let body = line.trim_start();
    if !body.starts_with(['-', '*']) {
        return false;
    }
    ["- [ ] ", "- [x] ", "- [X] ", "* [ ] ", "* [x] "].iter().any(|start| body.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_looks_like_a_task_is_seen() {
        for line in [
            "- [ ] a",
            "  * [x] a",
            "1. [ ] a",
            "-[]a",
            "- [P] tasks",
            "T001 a",
            "### T001: a",
            "- **T001** a",
            "> - [ ] a",
            "| T001 | a |",
            "- `T-12` a",
            "12) T1",
            "1.### T005: a",
        ] {
            assert!(looks_like_a_task(line), "{line}");
        }
        for line in ["a - [ ] b", "- [long] a", "Tests", "- Test", "# Tasks", "(T001)", "- a T001", ""] {
            assert!(!looks_like_a_task(line), "{line}");
        }
    }
}
