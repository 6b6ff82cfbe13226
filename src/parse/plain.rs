//! The block structure of text that uses only the plain part of Markdown: headings, lists, paragraphs, closed fences.
//!
//! Gives up (`None`) at the first line it is not sure of, and then the full parser reads the whole text: what this finds
//! is what that would have found (`tests` compares the two), several times faster, and nearly all large files are plain.
//! Knows lines and containers; nothing of tasks.

use super::blocks::{Fence, Heading};
use crate::source::SourceText;

/// What the plain reading found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plain {
    pub headings: Vec<Heading>,
    pub fences: Vec<Fence>,
}

/// Reads the lines from `first` on.
pub(super) fn read(source: &SourceText, first: u32) -> Option<Plain> {
    if has_odd_space(source.text().as_bytes()) {
        return None;
    }
    let mut reader = Reader { found: Plain::default(), items: Vec::new(), paragraph: false, fence: None };
    for line in first..=source.line_count() {
        reader.line(source.line_text(line).as_bytes(), line)?;
    }
    reader.fence.is_none().then_some(reader.found)
}

/// Tabs, form feeds and lone carriage returns: each means something else in each place.
fn has_odd_space(text: &[u8]) -> bool {
    text.starts_with(b"\xef\xbb\xbf")
        || memchr::memchr3(b'\t', 0x0b, 0x0c, text).is_some()
        || memchr::memchr_iter(b'\r', text).any(|at| text.get(at + 1) != Some(&b'\n'))
}

struct Open {
    mark: u8,
    len: usize,
    first: u32,
}

struct Reader {
    found: Plain,
    /// Columns at which the content of the open list items begins, ascending.
    items: Vec<usize>,
    /// The last line may be continued by one that belongs to nothing else.
    paragraph: bool,
    /// A fence in the innermost open item.
    fence: Option<Open>,
}

impl Reader {
    fn line(&mut self, text: &[u8], line: u32) -> Option<()> {
        let column = run(text, b' ');
        if column == text.len() {
            self.paragraph = false;
            return Some(());
        }
        let within = self.items.partition_point(|content| *content <= column);
        let indent = column - self.content(within);
        if let Some(open) = &self.fence {
            if within < self.items.len() {
                return None;
            }
            if indent < 4 && ends(&text[column..], open) {
                self.found.fences.push(Fence { first: open.first, last: line, closed: true });
                self.fence = None;
            }
            return Some(());
        }
        if indent >= 4 {
            // Code, or the paragraph goes on.
            if !self.paragraph {
                self.items.truncate(within);
            }
            return Some(());
        }
        self.block(text, column, within, line)
    }

    fn content(&self, within: usize) -> usize {
        within.checked_sub(1).map_or(0, |last| self.items[last])
    }

    /// What begins at `at`, in the innermost of `within` items.
    fn block(&mut self, text: &[u8], mut at: usize, mut within: usize, line: u32) -> Option<()> {
        // Counted once, so that a line of many bullets stays linear.
        let drawn = at + undrawn(&text[at..]);
        loop {
            let rest = &text[at..];
            match rest[0] {
                b'>' | b'<' | b'|' | b'=' | b':' => return None,
                b'[' if rest.windows(2).any(|two| two == b"]:") => return None,
                b'-' | b'*' | b'_' if at >= drawn => return self.rule(rest, within),
                b'#' => {
                    if let Some(level) = heading(rest) {
                        self.close(within);
                        if within == 0 {
                            self.found.headings.push(Heading { line, level });
                        }
                        return Some(());
                    }
                }
                b'`' | b'~' => {
                    if let Some(len) = fence(rest) {
                        self.close(within);
                        self.fence = Some(Open { mark: rest[0], len, first: line });
                        return Some(());
                    }
                }
                _ => {}
            }
            let Some(bullet) = bullet(rest) else { break };
            let spaces = run(&rest[bullet..], b' ');
            // An empty item, code in an item, and a number that may or may not end the paragraph before it.
            if bullet + spaces == rest.len()
                || spaces > 4
                || bullet > 1 && self.paragraph && within == self.items.len()
            {
                return None;
            }
            self.close(within);
            at += bullet + spaces;
            self.items.push(at);
            within = self.items.len();
        }
        if !self.paragraph {
            self.close(within);
            self.paragraph = true;
        }
        Some(())
    }

    /// `---` alone; under a paragraph it would make that a heading.
    fn rule(&mut self, rest: &[u8], within: usize) -> Option<()> {
        let len = run(rest, b'-');
        if len < 3 || len < rest.len() || self.paragraph {
            return None;
        }
        self.close(within);
        Some(())
    }

    /// Ends the paragraph and the items that the line does not stand in.
    fn close(&mut self, within: usize) {
        self.items.truncate(within);
        self.paragraph = false;
    }
}

/// How many bytes of one kind stand at the start.
fn run(text: &[u8], byte: u8) -> usize {
    text.iter().take_while(|b| **b == byte).count()
}

/// Where the end of the line begins that is made of the signs of rules, underlines and tables alone.
fn undrawn(rest: &[u8]) -> usize {
    let is_drawn = |b: &u8| matches!(b, b'-' | b'*' | b'_' | b' ' | b'|' | b':' | b'+' | b'=');
    rest.iter().rposition(|b| !is_drawn(b)).map_or(0, |last| last + 1)
}

/// The level of `## Heading`.
fn heading(rest: &[u8]) -> Option<u8> {
    let level = run(rest, b'#');
    (level <= 6 && matches!(rest.get(level), None | Some(b' '))).then_some(level as u8)
}

/// How many marks open a fence here.
fn fence(rest: &[u8]) -> Option<usize> {
    let len = run(rest, rest[0]);
    (len >= 3 && (rest[0] == b'~' || !rest[len..].contains(&b'`'))).then_some(len)
}

/// Whether the line ends the fence.
fn ends(rest: &[u8], open: &Open) -> bool {
    let len = run(rest, open.mark);
    len >= open.len && run(&rest[len..], b' ') == rest.len() - len
}

/// The length of a bullet or number with a space behind it, or at the end of the line.
fn bullet(rest: &[u8]) -> Option<usize> {
    let len = match rest[0] {
        b'-' | b'*' | b'+' => 1,
        b'0'..=b'9' => {
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            (digits <= 9 && matches!(rest.get(digits), Some(b'.' | b')'))).then_some(digits + 1)?
        }
        _ => return None,
    };
    matches!(rest.get(len), None | Some(b' ')).then_some(len)
}

#[cfg(test)]
mod tests {
    use super::super::blocks;
    use super::*;
    use proptest::prelude::*;

    fn same(text: &str) -> bool {
        let source = SourceText::new("t", text);
        let full = blocks::fully(&source);
        match read(&source, 1) {
            Some(plain) => {
                assert_eq!((&plain.headings, &plain.fences), (&full.headings, &full.fences), "{text:?}");
                let others = |kind: &blocks::Kind| !matches!(kind, blocks::Kind::Text | blocks::Kind::Fence);
                assert!(!full.kinds.iter().any(others), "{text:?}");
                true
            }
            None => false,
        }
    }

    #[test]
    fn the_shapes_of_task_files_are_plain() {
        for text in [
            "# Tasks\n\n## Phase 1: Setup\n\n- [ ] T001 [P] Do it\n\n  ```sh run\n  true\n  ```\n\n- [x] T002 b\n",
            "intro\nmore\n\n---\n\n* a\n  * b\n    c\nlazy\n\n1. x\n2. y\n   - z\n\n     ~~~\n     - [ ] no\n     ~~~\n",
            "- a\n\n    code?\n\n      code\n# h\n- b\n  # not at the top\n",
            "text\n```\n# no\n```\n## yes\r\nx\r\n",
        ] {
            assert!(same(text), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_full_parser() {
        for text in [
            "> a",
            "a\n---",
            "a\n===",
            "| a |\n|---|",
            "<!-- x -->",
            "-\ta",
            "- \n\n  a",
            "```\nopen",
            "[a]: b",
            "- ```\n  x\ny",
            "a\n2. b",
            "* * *",
            "-      code",
        ] {
            assert!(!same(text), "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn plain_and_full_reading_agree(lines in proptest::collection::vec((0_usize..9, 0_usize..BODIES.len(), 0_usize..BODIES.len()), 1..14)) {
            let mut text = String::new();
            for (indent, first, second) in lines {
                text.push_str(&" ".repeat(indent));
                text.push_str(BODIES[first]);
                if BODIES[first].ends_with(' ') {
                    text.push_str(BODIES[second]);
                }
                text.push('\n');
            }
            same(&text);
        }
    }

    const BODIES: [&str; 32] = [
        "",
        "",
        "",
        "text",
        "more text",
        "- ",
        "- ",
        "* ",
        "+ ",
        "1. ",
        "2) ",
        "10. ",
        "-  ",
        "-    ",
        "# a",
        "## b",
        "#c",
        "```",
        "```sh run",
        "```",
        "~~~",
        "````",
        "``` a`b",
        "---",
        "-",
        "[ ] T1",
        "**bold**",
        "a: b",
        "``",
        "   ",
        "1.",
        "- - a",
    ];
}
