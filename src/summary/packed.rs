//! Numbers in as few bytes as they need: a row has ten of them, and there may be a hundred thousand rows.

use std::num::{NonZeroU32, NonZeroU64};

/// An instant of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(NonZeroU64);

/// Bits of the milliseconds: 34 years of one session.
const AT_BITS: u32 = 40;
const LAST_AT: u64 = (1 << AT_BITS) - 1;
const LAST_SESSION: u64 = u64::MAX >> AT_BITS;

impl Stamp {
    /// `session` counts from 1, `at` is milliseconds since it began.
    pub(super) fn new(session: NonZeroU32, at: u64) -> Stamp {
        let session = u64::from(session.get()).min(LAST_SESSION);
        Stamp(NonZeroU64::MIN.saturating_add((session << AT_BITS | at.min(LAST_AT)) - 1))
    }

    /// From 1.
    pub fn session(self) -> usize {
        (self.0.get() >> AT_BITS) as usize
    }

    /// Milliseconds since that session began.
    pub fn at(self) -> u64 {
        self.0.get() & LAST_AT
    }
}

/// A number of 48 bits: 8,900 years in milliseconds, 281 terabytes. What is more is as much as there is room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wide([u16; 3]);

impl Wide {
    pub(super) const MAX: u64 = (1 << 48) - 1;

    pub(super) fn get(self) -> u64 {
        let [low, middle, high] = self.0.map(u64::from);
        low | middle << 16 | high << 32
    }

    pub(super) fn add(&mut self, more: u64) {
        *self = self.get().saturating_add(more).into();
    }
}

impl From<u64> for Wide {
    fn from(n: u64) -> Wide {
        let n = n.min(Wide::MAX);
        Wide([n as u16, (n >> 16) as u16, (n >> 32) as u16])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_went_in_and_stop_at_the_largest() {
        for n in [0, 1, 0xffff, 0x1_0000, 0x1234_5678_9abc, Wide::MAX] {
            assert_eq!(Wide::from(n).get(), n);
        }
        let mut wide = Wide::from(Wide::MAX - 1);
        wide.add(u64::MAX);
        assert_eq!(wide.get(), Wide::MAX);
    }

    #[test]
    fn an_instant_is_a_session_and_a_time_in_it() {
        let session = |n| NonZeroU32::new(n).unwrap();
        for (n, at) in [(1, 0), (1, 1), (7, 86_400_000), (3, LAST_AT)] {
            let stamp = Stamp::new(session(n), at);
            assert_eq!((stamp.session(), stamp.at()), (n as usize, at));
        }
        assert!(Stamp::new(session(1), LAST_AT) < Stamp::new(session(2), 0));
        assert_eq!(Stamp::new(session(u32::MAX), u64::MAX).session() as u64, LAST_SESSION);
        assert_eq!(size_of::<Option<Stamp>>(), 8);
    }
}
