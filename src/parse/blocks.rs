//! Which lines of the text are code, comment, table, quote or front matter, and where headings and fences stand.
//!
//! The only file that names `pulldown_cmark`. It decides block context alone; list items and tasks are read line by
//! line elsewhere, because real task files hold boxes that Markdown does not know.

use super::plain::{self, Plain};
use crate::source::{SourceText, Span};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// What a line is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Fence,
    Comment,
    Table,
    Quote,
    FrontMatter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heading {
    pub line: u32,
    pub level: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fence {
    /// First and last line, the fences' own lines included.
    pub first: u32,
    pub last: u32,
    pub closed: bool,
}

#[derive(Debug)]
pub(super) struct Blocks {
    /// Indexed by line - 1.
    pub kinds: Vec<Kind>,
    pub headings: Vec<Heading>,
    pub fences: Vec<Fence>,
    /// First line of a comment that is never closed.
    pub open_comment: Option<u32>,
}

impl Blocks {
    pub(super) fn kind(&self, line: u32) -> Kind {
        self.kinds.get(line as usize - 1).copied().unwrap_or(Kind::Text)
    }
}

pub(super) fn read(source: &SourceText) -> Blocks {
    let mut reader = Reader::new(source);
    reader.front_matter();
    let first = if reader.offset == 0 { 1 } else { source.line(reader.offset as u32) };
    match plain::read(source, first) {
        Some(plain) => reader.take(plain),
        None => reader.events(),
    }
    reader.blocks
}

/// As [`read`], by the full parser alone.
#[cfg(test)]
pub(super) fn fully(source: &SourceText) -> Blocks {
    let mut reader = Reader::new(source);
    reader.front_matter();
    reader.events();
    reader.blocks
}

struct Reader<'s> {
    source: &'s SourceText,
    blocks: Blocks,
    offset: usize,
    items: u32,
    quotes: u32,
    /// The line of the last offset asked for; offsets ascend, so looking further is short.
    line: u32,
}

impl<'s> Reader<'s> {
    fn new(source: &'s SourceText) -> Reader<'s> {
        Reader {
            source,
            blocks: Blocks {
                kinds: vec![Kind::Text; source.line_count() as usize],
                headings: Vec::new(),
                fences: Vec::new(),
                open_comment: None,
            },
            offset: 0,
            items: 0,
            quotes: 0,
            line: 1,
        }
    }

    fn take(&mut self, plain: Plain) {
        for fence in &plain.fences {
            self.mark(fence.first, fence.last, Kind::Fence);
        }
        self.blocks.headings = plain.headings;
        self.blocks.fences = plain.fences;
    }

    /// Skips `---` … `---` (or `+++`) at the top. Spec Kit leaves a blank line behind the first `---`, which Markdown
    /// would read as a rule and a heading, so this is decided here by whether the content looks like keys.
    fn front_matter(&mut self) {
        let count = self.source.line_count();
        let Some(open) = (1..=count.min(20)).find(|n| !self.source.line_text(*n).trim().is_empty()) else {
            return;
        };
        let fence = self.source.line_text(open).trim_end().to_owned();
        if fence != "---" && fence != "+++" {
            return;
        }
        let mut keys = 0;
        for line in open + 1..=count.min(open + 200) {
            let text = self.source.line_text(line);
            if text.trim_end() == fence || (fence == "---" && text.trim_end() == "...") {
                if keys > 0 {
                    self.mark(1, line, Kind::FrontMatter);
                    self.offset = self.source.line_span(line + 1).start as usize;
                    if line == count {
                        self.offset = self.source.text().len();
                    }
                }
                return;
            }
            if is_key(text) {
                keys += 1;
            } else if keys == 0 && !text.trim().is_empty() {
                return;
            }
        }
    }

    fn events(&mut self) {
        let text = &self.source.text()[self.offset..];
        let base = self.offset;
        for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
            let range = base + range.start..base + range.end;
            match event {
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) => self.fence(range),
                Event::Start(Tag::HtmlBlock) => self.html(range),
                Event::Start(Tag::Table(_)) => self.fill(range, Kind::Table),
                Event::Start(Tag::BlockQuote(_)) => {
                    if self.quotes == 0 {
                        self.fill(range, Kind::Quote);
                    }
                    self.quotes += 1;
                }
                Event::End(TagEnd::BlockQuote(_)) => self.quotes -= 1,
                Event::Start(Tag::Item) => self.items += 1,
                Event::End(TagEnd::Item) => self.items -= 1,
                Event::Start(Tag::Heading { level, .. }) if self.items + self.quotes == 0 => {
                    let line = self.line_of(range.start);
                    self.blocks.headings.push(Heading { line, level: level as u8 });
                }
                _ => {}
            }
        }
    }

    fn line_of(&mut self, offset: usize) -> u32 {
        if (offset as u32) < self.source.line_span(self.line).start {
            self.line = self.source.line(offset as u32);
        }
        let mut steps = 0;
        while self.line < self.source.line_count()
            && self.source.line_span(self.line + 1).start <= offset as u32
        {
            self.line += 1;
            steps += 1;
            if steps == 64 {
                self.line = self.source.line(offset as u32);
                break;
            }
        }
        self.line
    }

    fn lines_of(&mut self, range: &std::ops::Range<usize>) -> (u32, u32) {
        let first = self.line_of(range.start);
        let last = self.line_of(range.end.saturating_sub(1).max(range.start));
        (first, last)
    }

    fn fill(&mut self, range: std::ops::Range<usize>, kind: Kind) {
        let (first, last) = self.lines_of(&range);
        self.mark(first, last, kind);
    }

    /// Outer context wins: a fence in a quote stays a quote.
    fn mark(&mut self, first: u32, last: u32, kind: Kind) {
        let end = (last as usize).min(self.blocks.kinds.len());
        for slot in &mut self.blocks.kinds[first as usize - 1..end] {
            if *slot == Kind::Text {
                *slot = kind;
            }
        }
    }

    fn fence(&mut self, range: std::ops::Range<usize>) {
        let (first, last) = self.lines_of(&range);
        if self.blocks.kind(first) != Kind::Text {
            return;
        }
        let closed = last > first && closes(self.source.line_text(first), self.source.line_text(last));
        self.mark(first, last, Kind::Fence);
        self.blocks.fences.push(Fence { first, last, closed });
    }

    /// Comments and raw blocks (`<pre>`, `<script>`) hold no tasks. Other tags, such as `<details>` or an anchor, only
    /// stand around Markdown in practice, so lines below them stay text.
    fn html(&mut self, range: std::ops::Range<usize>) {
        let text = self.source.slice(Span::new(range.start, range.end)).trim_start();
        let is_comment = text.starts_with("<!--");
        let lower: String = text.chars().take(10).map(|c| c.to_ascii_lowercase()).collect();
        let raw =
            ["<pre", "<script", "<style", "<textarea", "<?", "<!"].iter().any(|tag| lower.starts_with(tag));
        if !is_comment && !raw {
            return;
        }
        if is_comment && !text.contains("-->") {
            let line = self.line_of(range.start);
            self.blocks.open_comment.get_or_insert(line);
        }
        self.fill(range, Kind::Comment);
    }
}

fn is_key(line: &str) -> bool {
    let key = line.find([':', '=']).map_or("", |at| line[..at].trim_end());
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"'))
}

/// Whether `last` closes the fence that `first` opens. Both may stand behind list bullets or indentation.
fn closes(first: &str, last: &str) -> bool {
    let Some(at) = first.find(['`', '~']) else { return false };
    let mark = first.as_bytes()[at];
    let open = first.bytes().skip(at).take_while(|b| *b == mark).count();
    let last = last.trim();
    last.len() >= open && last.bytes().all(|b| b == mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> String {
        let letter = |kind: &Kind| match kind {
            Kind::Text => '.',
            Kind::Fence => 'f',
            Kind::Comment => 'c',
            Kind::Table => 't',
            Kind::Quote => 'q',
            Kind::FrontMatter => 'm',
        };
        read(&SourceText::new("t", text)).kinds.iter().map(letter).collect()
    }

    #[test]
    fn each_line_knows_its_context() {
        assert_eq!(kinds("a\n```\nx\n```\nb"), ".fff.");
        assert_eq!(kinds("- a\n  ~~~\n  x\n  ~~~\n- b"), ".fff.");
        assert_eq!(kinds("<!--\nx\n-->\nb"), "ccc.");
        assert_eq!(kinds("a `<!-- x` b\nc"), "..");
        assert_eq!(kinds("| a |\n|---|\n| b |\n\nc"), "ttt..");
        assert_eq!(kinds("> a\n\nb"), "q..");
        assert_eq!(kinds("<details>\n- [ ] a\n</details>\n\n<pre>\nx\n</pre>"), "....ccc");
    }

    #[test]
    fn front_matter_may_begin_with_a_blank_line() {
        assert_eq!(kinds("---\n\ndescription: x\n---\na"), "mmmm.");
        assert_eq!(kinds("+++\na = 1\n+++\na"), "mmm.");
        assert_eq!(kinds("---\n- [ ] T001 a\n---\nb"), "....");
        assert_eq!(kinds("---\ntitle: x\nb"), "...");
    }

    #[test]
    fn an_open_fence_is_known_as_open() {
        let fences = read(&SourceText::new("t", "```\na\n```\n\n```sh\nb\n")).fences;
        assert_eq!(
            fences.iter().map(|f| (f.first, f.last, f.closed)).collect::<Vec<_>>(),
            [(1, 3, true), (5, 6, false)]
        );
    }
}
