//! The only reader of the monotonic clock, the wall clock and the system's randomness.
//!
//! Durations come from the monotonic clock alone; the wall clock serves display and names. Two hidden variables
//! hold the wall clock and the seed still for tests: `SPECTER_TEST_NOW` (RFC 3339) and `SPECTER_TEST_SEED`.

use crate::event::Elapsed;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Hidden: the wall clock stands at this RFC 3339 instant.
pub const NOW_VARIABLE: &str = "SPECTER_TEST_NOW";
/// Hidden: the seed of everything random.
pub const SEED_VARIABLE: &str = "SPECTER_TEST_SEED";

/// A session's clock: made once, copied to whoever needs the time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    fixed_wall: Option<u64>,
    seed: u64,
}

impl Clock {
    /// Time counts from here.
    pub fn start() -> Clock {
        let variable = |name| std::env::var(name).ok();
        Clock::with(variable(NOW_VARIABLE).as_deref(), variable(SEED_VARIABLE).as_deref())
    }

    fn with(fixed_now: Option<&str>, fixed_seed: Option<&str>) -> Clock {
        Clock {
            start: Instant::now(),
            fixed_wall: fixed_now.and_then(parse_stamp),
            seed: fixed_seed.and_then(|seed| seed.parse().ok()).unwrap_or_else(random),
        }
    }

    /// Monotonic time since [`Clock::start`].
    pub fn now(&self) -> Elapsed {
        self.start.elapsed()
    }

    /// The instant at which [`Clock::now`] reads `elapsed`: for timers.
    pub fn instant(&self, elapsed: Elapsed) -> Instant {
        self.start + elapsed
    }

    /// Milliseconds since the epoch. May jump: never subtract two of these.
    pub fn wall_ms(&self) -> u64 {
        self.fixed_wall.unwrap_or_else(|| {
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
        })
    }

    /// Seeds this session's random choices.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The wall clock as [`stamp`] shows it.
    pub fn stamp(&self) -> String {
        stamp(self.wall_ms())
    }
}

/// Unpredictable bits from the system: the standard library keys its hashers with them.
fn random() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(0);
    hasher.finish()
}

fn parse_stamp(text: &str) -> Option<u64> {
    let stamp: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(stamp.as_millisecond()).ok()
}

fn timestamp(ms: u64) -> jiff::Timestamp {
    i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()).unwrap_or_default()
}

/// Milliseconds since the epoch as RFC 3339 in UTC, to the second: `2026-01-31T14:20:13Z`.
pub fn stamp(ms: u64) -> String {
    timestamp(ms / 1000 * 1000).to_string()
}

/// The same to the millisecond: `2026-01-31T14:20:13.250Z`.
pub fn stamp_ms(ms: u64) -> String {
    format!("{:.3}", timestamp(ms))
}

/// The same for names of files, sortable: `20260131-142013`.
pub fn compact(ms: u64) -> String {
    timestamp(ms).strftime("%Y%m%d-%H%M%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_rfc_3339_in_utc() {
        assert_eq!(stamp(1_769_869_213_250), "2026-01-31T14:20:13Z");
        assert_eq!(stamp_ms(1_769_869_213_250), "2026-01-31T14:20:13.250Z");
        assert_eq!(compact(1_769_869_213_250), "20260131-142013");
        assert_eq!(stamp(u64::MAX), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn a_fixed_clock_and_seed_stand_still() {
        let clock = Clock::with(Some("2026-01-31T14:20:13Z"), Some("7"));
        assert_eq!((clock.stamp().as_str(), clock.seed()), ("2026-01-31T14:20:13Z", 7));
    }

    #[test]
    fn seeds_differ_and_time_does_not_run_backwards() {
        let clock = Clock::with(None, None);
        let before = clock.now();
        assert_ne!(clock.seed(), Clock::with(None, None).seed());
        assert!(clock.now() >= before);
        assert!(clock.wall_ms() > 1_700_000_000_000);
    }
}
