//! Text that is nearly always a few bytes long: ids, marks, names of interpreters.
//!
//! Up to 14 bytes stand in the value itself: a hundred thousand ids cost no allocation, and one that is copied into an
//! event or a table is sixteen bytes and no count that threads share. Longer text is shared.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

const ROOM: usize = 14;

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub struct Short(Repr);

/// The same text is always kept in the same way, so that equality may look at what is kept.
#[derive(Clone, PartialEq, Eq)]
enum Repr {
    /// Zeros behind the text.
    Here {
        len: u8,
        bytes: [u8; ROOM],
    },
    Elsewhere(Arc<String>),
}

impl Short {
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // It was text when it was put there.
            Repr::Here { .. } => str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Repr::Elsewhere(text) => text,
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Here { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Elsewhere(text) => text.as_bytes(),
        }
    }
}

impl From<&str> for Short {
    fn from(text: &str) -> Short {
        if text.len() > ROOM {
            return Short(Repr::Elsewhere(Arc::new(text.to_owned())));
        }
        let mut bytes = [0; ROOM];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Short(Repr::Here { len: text.len() as u8, bytes })
    }
}

impl Default for Short {
    fn default() -> Short {
        Short::from("")
    }
}

impl Hash for Short {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Repr::Here { len, bytes } => {
                // Two words at once, where a hasher would take single bytes.
                let mut words = [0; 16];
                words[..ROOM].copy_from_slice(bytes);
                words[ROOM] = *len;
                u128::from_le_bytes(words).hash(state);
            }
            Repr::Elsewhere(text) => text.hash(state),
        }
    }
}

impl Ord for Short {
    fn cmp(&self, other: &Short) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Short {
    fn partial_cmp(&self, other: &Short) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Deref for Short {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for Short {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Short {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::hash::BuildHasher;

    proptest! {
        #[test]
        fn a_short_text_behaves_as_the_text_it_holds(a in "\\PC{0,8}", b in "[ab\u{0}é]{0,18}", c in "[ab\u{0}é]{0,18}") {
            let hasher = foldhash::fast::FixedState::default();
            for text in [&a, &b, &c] {
                let short = Short::from(text.as_str());
                prop_assert_eq!(short.as_str(), text.as_str());
                prop_assert_eq!(hasher.hash_one(&short), hasher.hash_one(Short::from(text.as_str())));
            }
            let (left, right) = (Short::from(b.as_str()), Short::from(c.as_str()));
            prop_assert_eq!(left.cmp(&right), b.cmp(&c));
            prop_assert_eq!(left == right, b == c);
        }
    }

    #[test]
    fn it_takes_two_words() {
        assert_eq!(size_of::<Option<Short>>(), 16);
    }
}
