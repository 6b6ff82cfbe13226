//! Text that others wrote, put into Markdown so that it cannot become structure.
//!
//! Titles are Markdown already and stay readable: paired backticks are kept. A line that specter writes always
//! begins with its own characters, so no title can begin one.

use crate::text::{ESCAPES, MARKDOWN, Untrusted, needs, safe};
use std::fmt::Write as _;

/// One line of inline Markdown from untrusted text.
pub fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_inline(&mut out, text);
    out
}

pub(super) fn push_inline(out: &mut String, text: &str) {
    if needs(text) & (ESCAPES | MARKDOWN) == 0 {
        out.push_str(text);
        return;
    }
    let text = safe(text);
    let paired = text.matches('`').count().is_multiple_of(2) && !text.contains("``");
    let mut in_code = false;
    for c in text.chars() {
        match c {
            '`' if paired => in_code = !in_code,
            '|' => out.push('\\'),
            '`' | '<' | '[' | ']' | '&' if !in_code => out.push('\\'),
            _ => {}
        }
        out.push(c);
    }
}

/// A code span that holds the text whatever backticks are in it.
pub fn code(text: &str) -> String {
    let text = safe(text);
    let fence = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') || text.is_empty() { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A fenced block indented by `indent`, its lines made safe; at most `lines` of them, the last ones.
pub fn fenced(out: &mut String, indent: &str, text: &str, lines: usize) {
    let fence = "`".repeat((longest_run(text) + 1).max(3));
    let all: Vec<&str> = text.trim_end().lines().collect();
    let _ = writeln!(out, "{indent}{fence}text");
    for line in &all[all.len().saturating_sub(lines)..] {
        let _ = writeln!(out, "{indent}{}", Untrusted(line.trim_end_matches('\r')));
    }
    let _ = writeln!(out, "{indent}{fence}");
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// The last line that says something.
pub fn last_line(tail: &str) -> &str {
    tail.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("")
}

/// Pushes text that is mostly plain ASCII, as titles and ids are, without looking at each character twice.
pub(super) fn push_safe(out: &mut String, text: &str) {
    if needs(text) & ESCAPES == 0 {
        out.push_str(text);
    } else {
        let _ = write!(out, "{}", Untrusted(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_keeps_its_code_and_loses_its_power() {
        assert_eq!(inline("Add `a<b>|c` to <x> [y](z)"), "Add `a<b>\\|c` to \\<x> \\[y\\](z)");
        assert_eq!(inline("one ` only <!-- -->"), "one \\` only \\<!-- -->");
        assert_eq!(inline("a\n- [x] T999 done"), "a\\n- \\[x\\] T999 done");
    }

    #[test]
    fn code_and_fences_outlast_the_backticks_in_them() {
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`"), "`` ` ``");
        let mut out = String::new();
        fenced(&mut out, "  ", "x\n```\n# y\x1b[2J\n", 2);
        assert_eq!(out, "  ````text\n  ```\n  # y\\e[2J\n  ````\n");
    }
}
