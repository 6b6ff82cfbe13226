//! Whether a line of output says something that was not said just before: numbers, times and ids do not count, so that
//! "retrying (attempt 7)" is the same line as the one before. Knows no format.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// So many different lines are remembered: what turns in a longer circle is taken for new.
const REMEMBERED: usize = 256;
/// Of a longer line the begin counts.
const PART: usize = 4096;

pub(super) struct News {
    hasher: RandomState,
    seen: Vec<u64>,
    next: usize,
    /// The begin of the line whose end has not come.
    line: Vec<u8>,
    /// Lines that said something new.
    pub(super) count: u64,
}

impl Default for News {
    fn default() -> News {
        News { hasher: RandomState::new(), seen: Vec::new(), next: 0, line: Vec::new(), count: 0 }
    }
}

impl News {
    /// The next bytes, cut wherever it may be.
    pub(super) fn hear(&mut self, mut piece: &[u8]) {
        while let Some(end) = memchr::memchr(b'\n', piece) {
            self.keep(&piece[..end]);
            self.end_line();
            piece = &piece[end + 1..];
        }
        self.keep(piece);
    }

    fn keep(&mut self, part: &[u8]) {
        let room = PART.saturating_sub(self.line.len()).min(part.len());
        self.line.extend_from_slice(&part[..room]);
    }

    fn end_line(&mut self) {
        let shape = self.shape(&self.line);
        self.line.clear();
        if self.seen.contains(&shape) {
            return;
        }
        self.count += 1;
        if self.seen.len() < REMEMBERED {
            self.seen.push(shape);
        } else {
            self.seen[self.next] = shape;
            self.next = (self.next + 1) % REMEMBERED;
        }
    }

    /// A number for the line's words; words with a digit in them are left out.
    fn shape(&self, line: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        for word in line.split(|byte| !is_of_word(*byte)) {
            if !word.is_empty() && !word.iter().any(u8::is_ascii_digit) {
                hasher.write(word);
                hasher.write_u8(b' ');
            }
        }
        hasher.finish()
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(pieces: &[&str]) -> u64 {
        let mut news = News::default();
        pieces.iter().for_each(|piece| news.hear(piece.as_bytes()));
        news.count
    }

    #[test]
    fn the_same_words_with_other_numbers_times_and_ids_are_no_news() {
        let mut text = String::new();
        for n in 0..100_u64 {
            text += &format!(
                "{{\"type\":\"system\",\"subtype\":\"api_retry\",\"attempt\":{n},\"ms\":{}}}\n",
                n * 531
            );
            text += &format!("Retrying in {n}s (attempt {n}/10)\n");
            text += &format!(
                "{{\"uuid\":\"{:08x}-a9{n:02}-4b1c-bbbb-{:012x}\"}}\n",
                n * 7_654_321,
                n * 987_654_321
            );
        }
        assert_eq!(heard(&[&text]), 3);
        let (one, other) = text.split_at(1234);
        assert_eq!(heard(&[one, other]), 3, "however it comes");
    }

    #[test]
    fn other_words_are_news_and_memory_is_bounded() {
        assert_eq!(heard(&["one\n", "two\n", "\n", "three"]), 3);
        let mut news = News::default();
        for n in 0..1000_u32 {
            let word: String = format!("{n}").bytes().map(|byte| char::from(byte - b'0' + b'a')).collect();
            news.hear(format!("{word} {}\n", "x".repeat(10_000)).as_bytes());
        }
        assert_eq!(news.count, 1000);
        assert!(news.seen.len() <= REMEMBERED && news.line.capacity() <= 2 * PART);
    }
}
