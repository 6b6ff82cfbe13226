//! The text of a task file and places in it.
//!
//! Knows bytes, lines and columns. Knows nothing of Markdown, tasks or files on disk: the bytes are handed in.
//! A [`Span`] counts bytes of the text *without* a byte order mark; [`SourceText::file_offset`] adds it back.

mod excerpt;

pub use excerpt::Excerpt;

use std::sync::Arc;

/// The largest task file that is read, in bytes (RELIABILITY: a stated limit instead of an endless wait).
pub const MAX_BYTES: usize = 64 << 20;

/// A half-open range of bytes in a [`SourceText`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, end: end as u32 }
    }

    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    pub fn is_empty(self) -> bool {
        self.start >= self.end
    }
}

/// Why bytes are not a task file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotText {
    TooLarge {
        bytes: usize,
    },
    /// UTF-16 or UTF-32, by its byte order mark or its pattern of NULs.
    WideEncoding,
    /// A NUL byte at this 1-based line.
    Nul {
        line: usize,
    },
    /// The first byte that is not UTF-8.
    InvalidUtf8 {
        line: usize,
        column: usize,
        byte: u8,
    },
}

/// A task file's text with an index of its lines. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SourceText {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    /// Also kept by whoever holds a part of it, without the index.
    text: Arc<String>,
    has_bom: bool,
    line_starts: Vec<u32>,
}

/// What a file may begin with and a text does not.
pub const BOM: &[u8] = b"\xef\xbb\xbf";

impl SourceText {
    /// `name` is what a person calls the file; it is shown in messages.
    pub fn from_bytes(name: impl Into<String>, mut bytes: Vec<u8>) -> Result<SourceText, NotText> {
        if bytes.len() > MAX_BYTES {
            return Err(NotText::TooLarge { bytes: bytes.len() });
        }
        if is_wide(&bytes) {
            return Err(NotText::WideEncoding);
        }
        let has_bom = bytes.starts_with(BOM);
        if has_bom {
            bytes.drain(..BOM.len());
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let before = &error.as_bytes()[..at];
            let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
            NotText::InvalidUtf8 {
                line: before.iter().filter(|b| **b == b'\n').count() + 1,
                column: String::from_utf8_lossy(&before[line_start..]).chars().count() + 1,
                byte: error.as_bytes()[at],
            }
        })?;
        if let Some(at) = memchr::memchr(0, text.as_bytes()) {
            return Err(NotText::Nul { line: text[..at].matches('\n').count() + 1 });
        }
        Ok(SourceText::with_bom(name.into(), text, has_bom))
    }

    /// For text that is known to be good, as in tests.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> SourceText {
        SourceText::with_bom(name.into(), text.into(), false)
    }

    fn with_bom(name: String, text: String, has_bom: bool) -> SourceText {
        let ends = || memchr::memchr_iter(b'\n', text.as_bytes());
        // Counted first: growing by doubling would hold and copy the starts of a large file twice.
        let mut line_starts = Vec::with_capacity(ends().count() + 1);
        line_starts.push(0);
        line_starts.extend(ends().map(|at| at as u32 + 1));
        SourceText { inner: Arc::new(Inner { name, text: Arc::new(text), has_bom, line_starts }) }
    }

    pub fn name(&self) -> &str {
        &self.inner.name
    }

    pub fn text(&self) -> &str {
        &self.inner.text
    }

    pub fn slice(&self, span: Span) -> &str {
        self.inner.text.get(span.range()).unwrap_or("")
    }

    /// As [`SourceText::slice`], to be kept.
    pub fn excerpt(&self, span: Span) -> Excerpt {
        Excerpt::new(&self.inner.text, span)
    }

    /// The byte offset in the file on disk, a byte order mark counted.
    pub fn file_offset(&self, offset: u32) -> u64 {
        u64::from(offset) + if self.inner.has_bom { BOM.len() as u64 } else { 0 }
    }

    /// 1-based line of a byte offset.
    pub fn line(&self, offset: u32) -> u32 {
        self.inner.line_starts.partition_point(|start| *start <= offset) as u32
    }

    /// 1-based column in characters of a byte offset.
    pub fn column(&self, offset: u32) -> u32 {
        let start = self.inner.line_starts[self.line(offset) as usize - 1];
        let upto = self.inner.text.get(start as usize..offset as usize).unwrap_or("");
        upto.chars().count() as u32 + 1
    }

    pub fn line_count(&self) -> u32 {
        self.inner.line_starts.len() as u32
    }

    /// The bytes of a 1-based line, without its line end. Empty past the end.
    #[inline]
    pub fn line_span(&self, line: u32) -> Span {
        let starts = &self.inner.line_starts;
        let Some(start) = (line as usize).checked_sub(1).and_then(|n| starts.get(n)) else {
            return Span::default();
        };
        let end = starts.get(line as usize).map_or(self.inner.text.len(), |n| *n as usize);
        let text = self.inner.text.as_bytes().get(*start as usize..end).unwrap_or_default();
        let trimmed = text.strip_suffix(b"\n").unwrap_or(text);
        let trimmed = trimmed.strip_suffix(b"\r").unwrap_or(trimmed);
        Span::new(*start as usize, *start as usize + trimmed.len())
    }

    #[inline]
    pub fn line_text(&self, line: u32) -> &str {
        self.slice(self.line_span(line))
    }
}

/// UTF-16/32 by byte order mark, or ASCII text interleaved with NULs.
fn is_wide(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return true;
    }
    let head = &bytes[..bytes.len().min(64)];
    let nuls = head.iter().filter(|b| **b == 0).count();
    nuls * 3 >= head.len() && nuls < head.len() && !head.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_counts_in_the_file_and_not_in_the_text() {
        let source = SourceText::from_bytes("t", b"\xef\xbb\xbfab\nc".to_vec()).unwrap();
        assert_eq!(source.text(), "ab\nc");
        assert_eq!(source.file_offset(3), 6);
        assert_eq!((source.line(3), source.column(3)), (2, 1));
    }

    #[test]
    fn columns_count_characters() {
        let source = SourceText::new("t", "作成 x\r\ny");
        assert_eq!(source.column(7), 4);
        assert_eq!(source.line_text(1), "作成 x");
        assert_eq!(source.line_text(2), "y");
        assert_eq!(source.line_text(3), "");
    }

    #[test]
    fn what_is_not_text_says_where() {
        let error = |bytes: &[u8]| SourceText::from_bytes("t", bytes.to_vec()).unwrap_err();
        assert_eq!(error(b"a\nb\xe9"), NotText::InvalidUtf8 { line: 2, column: 2, byte: 0xe9 });
        assert_eq!(error(b"ab\nc\0 and more text"), NotText::Nul { line: 2 });
        assert_eq!(error(b"\xff\xfea\0b\0"), NotText::WideEncoding);
        assert_eq!(error(b"a\0b\0c\0d\0"), NotText::WideEncoding);
        assert_eq!(error(&[0; 100]), NotText::Nul { line: 1 });
    }
}
