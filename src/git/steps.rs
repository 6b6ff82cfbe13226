//! Where a test may stop this module, as a kill would: between any two effects.

use super::Error;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many effects are still allowed. Real runs have no limit.
#[derive(Debug, Default)]
pub struct Steps(Option<AtomicU32>);

impl Steps {
    pub fn unlimited() -> Steps {
        Steps(None)
    }

    pub fn at_most(effects: u32) -> Steps {
        Steps(Some(AtomicU32::new(effects)))
    }

    /// Called before each effect on disk.
    pub(super) fn next(&self) -> Result<(), Error> {
        let Some(left) = &self.0 else { return Ok(()) };
        let one_less = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        one_less.map(drop).map_err(|_| Error::Stopped)
    }
}
