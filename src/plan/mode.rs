//! Who may overlap (SPEC 3.2), as a rule between two tasks. The scheduler keeps counts that say the same faster.
//!
//! Knows `[P]`, lanes and mode; edges and files are the graph's business.

use super::{Mode, Plan};
use crate::task::TaskIx;

impl Plan {
    /// Whether the mode lets two tasks run side by side.
    pub fn may_overlap(&self, a: TaskIx, b: TaskIx) -> bool {
        let both_parallel = self.task(a).parallel && self.task(b).parallel;
        match self.mode {
            Mode::Sequential => false,
            Mode::Parallel => both_parallel,
            Mode::Stories => both_parallel || self.in_different_stories(a, b),
            Mode::Graph => true,
        }
    }

    /// Both are of stories alone, and they share none.
    fn in_different_stories(&self, a: TaskIx, b: TaskIx) -> bool {
        let (a, b) = (&self.planned(a).lanes, &self.planned(b).lanes);
        let is_story = |lane: &super::LaneIx| self.lanes[lane.0 as usize].is_story;
        a.iter().chain(b).all(is_story) && !a.iter().any(|lane| b.contains(lane))
    }
}
