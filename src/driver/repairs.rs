//! Boxes that a run's record says should be ticked and that are open when the run is taken up again.
//!
//! Of three kinds: recorded as done and not yet ticked; ticked, and undone by a save of a text that was read before;
//! ticked, and cleared by a person who wants the task done again. The first two are ticked, or finished work would run
//! again; the third is not. What is on disk is known to the caller; here is only the rule.

use super::ticker::may_tick;
use crate::boxes::is_cleared;
use crate::event::{Event, EventKind, Verdict};
use crate::history::History;
use crate::task::{State, Task, TaskId};
use crate::writeback::Tick;
use std::collections::{HashMap, HashSet};

/// When the task file was last saved, seen from the run that is taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// While the run went on, which was cut off before it can have looked: judged as the run would have done.
    Meanwhile,
    /// After the run had ended or could have looked: what is open was meant to be.
    After,
}

/// As long as this after its last record a run that was cut off may have gone on without a look at the file.
const UNSEEN_NS: i128 = 1_000_000_000;

impl Saved {
    /// From the times at which the file and the run's record were last written, in nanoseconds.
    pub fn of(file_ns: i128, record_ns: i128, events: &[Event]) -> Saved {
        if History::ended_by(events).is_some() || file_ns > record_ns + UNSEEN_NS {
            Saved::After
        } else {
            Saved::Meanwhile
        }
    }
}

/// Ticks for those of `tasks` whose boxes are to be ticked.
pub fn repairs(tasks: &[Task], events: &[Event], tick_unverified: bool, saved: Saved) -> Vec<Tick> {
    let record = Record::of(events, tick_unverified);
    let stale = if saved == Saved::Meanwhile { record.undone(tasks) } else { HashSet::new() };
    let is_lost = |task: &&Task| record.unticked.contains(&task.id) || stale.contains(&task.id);
    tasks.iter().filter(|task| may_tick(task)).filter(is_lost).map(Tick::of).collect()
}

/// What the events say of boxes, cleared ones left out.
#[derive(Default)]
struct Record {
    /// Done, and not ticked.
    unticked: HashSet<TaskId>,
    /// Ticked, and by which look at the file: those of one look stand together, of one time.
    ticked: HashMap<TaskId, u32>,
}

impl Record {
    fn of(events: &[Event], tick_unverified: bool) -> Record {
        let mut record = Record::default();
        let (mut look, mut last) = (0, None);
        for event in events {
            let this = matches!(event.kind, EventKind::BoxTicked { .. }).then_some(event.at);
            look += u32::from(this != last);
            last = this;
            record.apply(&event.kind, look, tick_unverified);
        }
        record
    }

    fn apply(&mut self, kind: &EventKind, look: u32, tick_unverified: bool) {
        match kind {
            EventKind::TaskDone { task, verdict, attempts, .. }
                if tick_unverified || *verdict == Verdict::Verified || *attempts == 0 =>
            {
                self.unticked.insert(task.id.clone());
            }
            EventKind::BoxTicked { task, .. } => {
                self.unticked.remove(&task.id);
                self.ticked.insert(task.id.clone(), look);
            }
            // Cleared by a person, and run again.
            EventKind::AttemptStarted { task, .. } => self.forget(&task.id),
            EventKind::PlanChanged { reopened, .. } => reopened.iter().for_each(|task| self.forget(task)),
            // The boxes were cleared and ticked before this was recorded.
            EventKind::RolledBack { reopened, done, .. } => {
                reopened.iter().chain(done).for_each(|task| self.forget(task));
            }
            _ => {}
        }
    }

    fn forget(&mut self, task: &TaskId) {
        self.unticked.remove(task);
        self.ticked.remove(task);
    }

    /// Ticks that a stale text undid and no person cleared, by the rule for a save while the run goes on.
    fn undone(&self, tasks: &[Task]) -> HashSet<TaskId> {
        let look = |task: &Task| self.ticked.get(&task.id).copied();
        let newest = tasks.iter().filter(|task| task.state == State::Done).filter_map(look).max();
        let undone = tasks.iter().filter(|task| task.state != State::Done);
        let undone = undone.filter(|task| look(task).is_some_and(|at| !is_cleared(at, newest)));
        undone.map(|task| task.id.clone()).collect()
    }
}
