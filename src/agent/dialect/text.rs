//! Text for people: nothing in it is for machines, so its end is the agent's last message and that is all.

use crate::agent::told::{MAX_TEXT, Told};

#[derive(Debug, Default)]
pub struct Text {
    /// The end of the output, at most twice as long as what is kept of it.
    tail: String,
}

impl Text {
    pub(super) fn line(&mut self, line: &[u8]) {
        let from = line.len().saturating_sub(MAX_TEXT);
        self.tail.push_str(String::from_utf8_lossy(&line[from..]).trim_end_matches('\r'));
        self.tail.push('\n');
        if self.tail.len() > 2 * MAX_TEXT {
            self.cut();
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Told>) {
        self.cut();
        let text = std::mem::take(&mut self.tail);
        if !text.trim().is_empty() {
            out.push(Told::Text(text.trim_end().to_owned()));
        }
    }

    fn cut(&mut self) {
        let mut from = self.tail.len().saturating_sub(MAX_TEXT);
        while !self.tail.is_char_boundary(from) {
            from += 1;
        }
        self.tail.drain(..from);
    }
}
