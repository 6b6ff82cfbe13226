//! How many tokens a text is, by counting kinds of characters: no vocabulary, no table of megabytes, a few ns a byte.
//!
//! Byte-pair vocabularies have most English words, short runs of punctuation and groups of up to three digits as one
//! token; rarer and longer words, Chinese and Japanese take more. The weights below are the least-squares fit of those
//! counts, rounded to what suits three vocabularies at once. Measured over 852 pieces of up to 8,000 characters (real
//! task files in several languages, prose, screens, Rust sources; most of them are what the weights were fitted to),
//! against the real counts:
//!
//! | vocabulary | mean error | of 95 % of the pieces | largest | mean with its sign |
//! | --- | ---: | ---: | ---: | ---: |
//! | o200k_base | 3.4 % | 8.6 % | 28 % | +0.9 % |
//! | cl100k_base | 3.5 % | 8.9 % | 17 % | +0.7 % |
//! | voyage3_base | 4.4 % | 13.1 % | 29 % | -2.4 % |
//!
//! A quarter of the bytes, the usual rule, errs there by 9 to 11 %, and by 29 to 37 % and more in one piece of twenty.
//! Models whose vocabulary is not public may count up to a third more: the limit is a guard, not an account.

/// Hundredths of a token.
const WORD: u64 = 110;
const LETTER_PAST_SIX: u64 = 13;
const DIGITS: u64 = 190;
const MARK: u64 = 53;
const FURTHER_MARK: u64 = 27;
const LINE_ENDS: u64 = 42;
const BLANKS: u64 = 90;
const IDEOGRAPH: u64 = 105;
const OTHER_LETTER: u64 = 40;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Upper,
    Lower,
    Digit,
    Blank,
    LineEnd,
    Mark,
    Ideograph,
    Other,
}

fn kind(c: char) -> Kind {
    match c {
        'A'..='Z' => Kind::Upper,
        'a'..='z' => Kind::Lower,
        '0'..='9' => Kind::Digit,
        ' ' | '\t' => Kind::Blank,
        '\n' | '\r' => Kind::LineEnd,
        '\0'..='\x7f' => Kind::Mark,
        '\u{2e80}'.. => Kind::Ideograph,
        _ => Kind::Other,
    }
}

/// Counts as characters come. A copy of it is a place one can go back to.
#[derive(Clone, Copy)]
struct Meter {
    hundredths: u64,
    last: Option<Kind>,
    /// Characters of the run, of the word for letters.
    run: u64,
}

impl Meter {
    const NEW: Meter = Meter { hundredths: 0, last: None, run: 0 };

    fn count(&mut self, c: char) {
        let kind = kind(c);
        let goes_on = match (self.last, kind) {
            // `HTTPServer`: the last capital begins the next word, which is one more word either way.
            (Some(Kind::Upper), Kind::Lower) => self.run == 1,
            (last, kind) => last == Some(kind),
        };
        self.run = if goes_on { self.run + 1 } else { 1 };
        self.last = Some(kind);
        self.hundredths += match kind {
            Kind::Upper | Kind::Lower if self.run == 1 => WORD,
            Kind::Upper | Kind::Lower => {
                if self.run > 6 {
                    LETTER_PAST_SIX
                } else {
                    0
                }
            }
            Kind::Digit => {
                if self.run % 3 == 1 {
                    DIGITS
                } else {
                    0
                }
            }
            Kind::Blank => {
                if self.run == 2 {
                    BLANKS
                } else {
                    0
                }
            }
            Kind::LineEnd => {
                if self.run == 1 {
                    LINE_ENDS
                } else {
                    0
                }
            }
            Kind::Mark => {
                if self.run == 1 {
                    MARK
                } else {
                    FURTHER_MARK
                }
            }
            Kind::Ideograph => IDEOGRAPH,
            Kind::Other => OTHER_LETTER,
        };
    }

    fn tokens(self) -> u64 {
        self.hundredths.div_ceil(100)
    }
}

/// About how many tokens `text` is.
pub fn estimate(text: &str) -> u64 {
    let mut meter = Meter::NEW;
    text.chars().for_each(|c| meter.count(c));
    meter.tokens()
}

/// How many bytes of `text` make whole lines of at most `tokens`.
pub(super) fn lines_within(text: &str, tokens: u64) -> usize {
    let (mut meter, mut end) = (Meter::NEW, 0);
    for line in text.split_inclusive('\n') {
        line.chars().for_each(|c| meter.count(c));
        if meter.tokens() > tokens {
            return end;
        }
        end += line.len();
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_near_what_vocabularies_count() {
        // Counted with o200k_base and cl100k_base.
        for (text, low, high) in [
            ("Create the user model in src/models/user.rs and hash its password.\n", 12, 19),
            ("fn main() { let HTTPServer = getUserName(12345); }", 13, 19),
            ("            indented = true\n", 4, 7),
            ("実装計画に従って検索機能を追加する", 13, 22),
            ("", 0, 0),
        ] {
            let tokens = estimate(text);
            assert!((low..=high).contains(&tokens), "{tokens}: {text}");
        }
    }

    #[test]
    fn a_text_is_cut_at_lines_and_stays_within_its_tokens() {
        let text = "one two three\n".repeat(50);
        for tokens in [0, 3, 4, 40, 1_000] {
            let cut = &text[..lines_within(&text, tokens)];
            assert!(estimate(cut) <= tokens);
            assert!(cut.is_empty() || cut.ends_with('\n'));
        }
        assert_eq!(lines_within(&text, 1_000), text.len());
    }
}
