//! Bytes as they come, cut into lines for a dialect. Holds one line at most, and of a line that is longer than any that
//! an agent prints, nothing.

use super::{Dialect, Events};
use crate::agent::told::Told;

/// A longer line is passed over and told as unreadable.
pub const MAX_LINE: usize = 16 << 20;

#[derive(Debug)]
pub struct Reader {
    dialect: Dialect,
    /// A line whose end has not come.
    begun: Vec<u8>,
    /// Bytes of a line that is too long.
    too_long: u64,
}

impl Reader {
    pub fn new(events: Events) -> Reader {
        Reader { dialect: Dialect::of(events), begun: Vec::new(), too_long: 0 }
    }

    /// The next bytes, cut wherever it may be.
    pub fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<Told>) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            self.end_line(line, out);
            bytes = rest;
        }
        self.keep(bytes);
    }

    /// The output has ended; a line without an end counts.
    pub fn finish(&mut self, out: &mut Vec<Told>) {
        if !self.begun.is_empty() || self.too_long > 0 {
            self.end_line(b"", out);
        }
        self.dialect.finish(out);
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.too_long > 0 || self.begun.len() + bytes.len() > MAX_LINE {
            self.too_long += (self.begun.len() + bytes.len()) as u64;
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self, end: &[u8], out: &mut Vec<Told>) {
        if self.begun.is_empty() && self.too_long == 0 && end.len() <= MAX_LINE {
            return self.dialect.line(end, out);
        }
        self.keep(end);
        if self.too_long > 0 {
            out.push(Told::Unreadable { bytes: std::mem::take(&mut self.too_long) });
        } else {
            let line = std::mem::take(&mut self.begun);
            self.dialect.line(&line, out);
            // The allocation serves the next line, unless it was a rare one.
            if line.capacity() <= 1 << 20 {
                self.begun = line;
                self.begun.clear();
            }
        }
    }
}
