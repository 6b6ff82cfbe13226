//! Where a test may stop this module, as a kill would: between any two effects.

use super::Error;
use std::cell::Cell;

/// How many effects are still allowed. Real runs have no limit.
#[derive(Debug, Default)]
pub struct Steps(Option<Cell<u32>>);

impl Steps {
    pub fn unlimited() -> Steps {
        Steps(None)
    }

    pub fn at_most(effects: u32) -> Steps {
        Steps(Some(Cell::new(effects)))
    }

    /// Called before each effect on disk.
    pub(super) fn next(&self) -> Result<(), Error> {
        let Some(left) = &self.0 else { return Ok(()) };
        let still = left.get().checked_sub(1).ok_or(Error::Stopped)?;
        left.set(still);
        Ok(())
    }
}
