//! Bytes as they come, cut into lines for a dialect. Holds one line at most, and of a line that is longer than any that
//! an agent prints, nothing.

use super::{Dialect, Events};
use crate::agent::told::Told;

/// A longer line is passed over and told as unreadable.
pub const MAX_LINE: usize = 16 << 20;

#[derive(Debug)]
pub struct Reader {
    dialect: Dialect,
    lines: Lines,
}

impl Reader {
    pub fn new(events: Events) -> Reader {
        Reader { dialect: Dialect::of(events), lines: Lines::default() }
    }

    /// The next bytes, cut wherever it may be.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Told>) {
        let dialect = &mut self.dialect;
        self.lines.feed(bytes, |line| tell(dialect, line, out));
    }

    /// The output has ended; a line without an end counts.
    pub fn finish(&mut self, out: &mut Vec<Told>) {
        let dialect = &mut self.dialect;
        self.lines.finish(|line| tell(dialect, line, out));
        self.dialect.finish(out);
    }
}

fn tell(dialect: &mut Dialect, line: Result<&[u8], u64>, out: &mut Vec<Told>) {
    match line {
        Ok(line) => dialect.line(line, out),
        Err(bytes) => out.push(Told::Unreadable { bytes }),
    }
}

/// Cuts bytes into lines, and hands on each without its end; of one that is too long, only its length.
#[derive(Debug, Default)]
pub struct Lines {
    /// A line whose end has not come.
    begun: Vec<u8>,
    /// Bytes of a line that is too long.
    too_long: u64,
}

impl Lines {
    /// The next bytes, cut wherever it may be.
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Result<&[u8], u64>)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            self.end_line(line, &mut each);
            bytes = rest;
        }
        self.keep(bytes);
    }

    /// The bytes have ended; a line without an end counts.
    pub fn finish(&mut self, mut each: impl FnMut(Result<&[u8], u64>)) {
        if !self.begun.is_empty() || self.too_long > 0 {
            self.end_line(b"", &mut each);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.too_long > 0 || self.begun.len() + bytes.len() > MAX_LINE {
            self.too_long += (self.begun.len() + bytes.len()) as u64;
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self, end: &[u8], each: &mut impl FnMut(Result<&[u8], u64>)) {
        if self.begun.is_empty() && self.too_long == 0 && end.len() <= MAX_LINE {
            return each(Ok(end));
        }
        self.keep(end);
        if self.too_long > 0 {
            each(Err(std::mem::take(&mut self.too_long)));
        } else {
            let line = std::mem::take(&mut self.begun);
            each(Ok(&line));
            // The allocation serves the next line, unless it was a rare one.
            if line.capacity() <= 1 << 20 {
                self.begun = line;
                self.begun.clear();
            }
        }
    }
}
