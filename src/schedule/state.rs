//! Where each task stands, and the counts that follow from it. [`Board::set`] is the only door.

use super::ready::Rank;
use super::staff::Seat;
use crate::event::{Counts, Elapsed, SkipReason};
use crate::plan::{LeftOut, Nanos, Role};
use crate::task::TaskIx;

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// For `unmet` others (tasks or gates) to be settled.
    Waiting {
        unmet: u32,
    },
    Ready {
        attempt: u32,
    },
    Running {
        attempt: u32,
    },
    /// Holds no worker; `attempt` is the one that will follow.
    BackingOff {
        attempt: u32,
        until: Elapsed,
    },
    Finished(TaskOutcome),
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskOutcome {
    Done,
    Failed,
    /// Its agent asks something: until somebody answers.
    Parked,
    /// By the failed or waiting task at the root of it.
    Blocked {
        by: TaskIx,
    },
    Skipped(SkipReason),
    /// Was running when the run was stopped.
    Cancelled,
    /// Open, and not asked for.
    NotSelected,
}

impl From<LeftOut> for TaskOutcome {
    fn from(left_out: LeftOut) -> TaskOutcome {
        match left_out {
            LeftOut::NotSelected => TaskOutcome::NotSelected,
            LeftOut::Optional => TaskOutcome::Skipped(SkipReason::Optional),
            LeftOut::Dropped => TaskOutcome::Skipped(SkipReason::Dropped),
            LeftOut::Unclear => TaskOutcome::Skipped(SkipReason::Unclear),
            LeftOut::Manual => TaskOutcome::Skipped(SkipReason::Manual),
        }
    }
}

/// What a person did to a box since it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    Cleared,
    Ticked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Also groups that are not done yet.
    Waiting,
    Ready,
    Running {
        worker: u32,
    },
    /// Until its `not_before`.
    BackingOff,
    Settled(TaskOutcome),
}

/// All that is kept of a task while the run goes on.
#[derive(Clone, Debug)]
pub(super) struct TaskSlot {
    stage: Stage,
    pub(super) role: Role,
    /// Holds others, whatever its role: it is not counted.
    pub(super) is_group: bool,
    pub(super) rank: Rank,
    /// Attempts started, all sessions.
    pub(super) attempts: u32,
    /// What was taken from the retry budget.
    pub(super) spent: u32,
    pub(super) max_attempts: u32,
    pub(super) limited: u32,
    pub(super) no_change: u32,
    /// A retry, also one that waits for others as well, does not start before this.
    pub(super) not_before: Nanos,
    /// When its last attempt of this session began.
    pub(super) started: Nanos,
    /// Of a group: how many in it are not done.
    pub(super) children: u32,
    /// Its box is known to be ticked.
    pub(super) ticked: bool,
    /// Ticked before the run began.
    pub(super) before_run: bool,
    /// A person ticked it while it ran.
    pub(super) believed: bool,
    /// Settled in an earlier session, so that is not said again.
    pub(super) told: bool,
    /// Failed in an earlier session: taken up first.
    pub(super) failed_before: bool,
    pub(super) edit: Option<Edit>,
    /// The file no longer has it.
    pub(super) removed: bool,
    /// Across an edit: it was known to be blocked.
    pub(super) told_blocked: bool,
    /// Which agent does it, if one does.
    pub(super) seat: Option<Seat>,
    /// The attempt whose question was the last one; 0: none asked.
    pub(super) asked: u32,
}

impl TaskSlot {
    pub(super) fn new(role: Role) -> TaskSlot {
        TaskSlot {
            stage: Stage::Waiting,
            role,
            is_group: role == Role::Group,
            rank: Rank::MAX,
            attempts: 0,
            spent: 0,
            max_attempts: 1,
            limited: 0,
            no_change: 0,
            not_before: Nanos::default(),
            started: Nanos::default(),
            children: 0,
            ticked: false,
            before_run: false,
            believed: false,
            told: false,
            failed_before: false,
            edit: None,
            removed: false,
            told_blocked: false,
            seat: None,
            asked: 0,
        }
    }

    /// Before the slot is part of a board.
    pub(super) fn staged(mut self, stage: Stage) -> TaskSlot {
        self.stage = stage;
        self
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    /// The pool slot it runs in.
    pub(super) fn worker(&self) -> Option<u32> {
        match self.stage {
            Stage::Running { worker } => Some(worker),
            _ => None,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.stage == Stage::Settled(TaskOutcome::Done)
    }

    /// The field of `Counts` that this task is counted in; what runs is open. Groups are not counted.
    fn count<'a>(&self, counts: &'a mut Counts) -> Option<&'a mut u32> {
        if self.is_group {
            return None;
        }
        Some(match self.stage {
            Stage::Settled(TaskOutcome::NotSelected) => return None,
            Stage::Waiting | Stage::Ready | Stage::Running { .. } | Stage::BackingOff => &mut counts.open,
            Stage::Settled(TaskOutcome::Done) if self.before_run => &mut counts.done_before,
            Stage::Settled(TaskOutcome::Done) => &mut counts.done,
            Stage::Settled(TaskOutcome::Failed) => &mut counts.failed,
            Stage::Settled(TaskOutcome::Parked) => &mut counts.parked,
            Stage::Settled(TaskOutcome::Blocked { .. }) => &mut counts.blocked,
            Stage::Settled(TaskOutcome::Skipped(SkipReason::Manual)) => &mut counts.manual,
            Stage::Settled(TaskOutcome::Skipped(_)) => &mut counts.skipped,
            Stage::Settled(TaskOutcome::Cancelled) => &mut counts.cancelled,
        })
    }
}

/// Every task of the plan, and what they add up to.
#[derive(Clone, Debug, Default)]
pub(super) struct Board {
    tasks: Vec<TaskSlot>,
    counts: Counts,
    /// Tasks that the plan runs and that are not done.
    undone: u32,
}

impl Board {
    pub(super) fn new(tasks: Vec<TaskSlot>) -> Board {
        let mut board = Board { tasks, ..Board::default() };
        for task in &board.tasks {
            if let Some(n) = task.count(&mut board.counts) {
                *n += 1;
            }
            board.undone += u32::from(task.role == Role::Run && !task.is_done());
        }
        board
    }

    /// Leaves it empty.
    pub(super) fn take(&mut self) -> Vec<TaskSlot> {
        std::mem::take(self).tasks
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn get(&self, task: TaskIx) -> &TaskSlot {
        &self.tasks[task.ix()]
    }

    /// For everything but the stage.
    pub(super) fn get_mut(&mut self, task: TaskIx) -> &mut TaskSlot {
        &mut self.tasks[task.ix()]
    }

    pub(super) fn stage(&self, task: TaskIx) -> Stage {
        self.tasks[task.ix()].stage
    }

    pub(super) fn set(&mut self, task: TaskIx, stage: Stage) {
        let task = &mut self.tasks[task.ix()];
        let was_done = task.is_done();
        if let Some(n) = task.count(&mut self.counts) {
            *n -= 1;
        }
        task.stage = stage;
        if let Some(n) = task.count(&mut self.counts) {
            *n += 1;
        }
        if task.role == Role::Run {
            self.undone = self.undone + u32::from(was_done) - u32::from(task.is_done());
        }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts { selected: selected(&self.counts), ..self.counts }
    }

    /// Whether every task that the plan runs is done.
    pub(super) fn all_done(&self) -> bool {
        self.undone == 0
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (TaskIx, &TaskSlot)> {
        self.tasks.iter().enumerate().map(|(n, task)| (TaskIx(n as u32), task))
    }
}

/// The work of this run, settled or not: neither what was ticked before it nor what waits for a person.
fn selected(counts: &Counts) -> u32 {
    counts.open
        + counts.done
        + counts.failed
        + counts.blocked
        + counts.skipped
        + counts.cancelled
        + counts.parked
}
