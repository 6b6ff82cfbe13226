//! The scheduler: a synchronous state machine, `step(now, input) -> Decision` (SPEC 4.1).
//!
//! Invariants: a decision's events are journalled, as one frame, before any of its actions is carried out; a task
//! starts only when each of its `Needs` is done; at most `jobs` attempts run at once; every task is settled exactly
//! once. The machine never reads a clock, a file or the environment.

use crate::event::{AttemptReport, Event, RunOutcome, Stop};
use crate::policy::{Budgets, FailurePolicy, RetryPolicy};
use crate::task::TaskIx;

/// What the scheduler may do at once and how long it tries.
#[derive(Clone, Debug)]
pub struct Limits {
    pub jobs: u32,
    pub retry: RetryPolicy,
    pub failure: FailurePolicy,
    pub budgets: Budgets,
}

#[derive(Clone, Debug)]
pub enum Input {
    /// First input of a session.
    Begin,
    /// An attempt ended; `report.class` is set for failures.
    Finished { task: TaskIx, report: AttemptReport },
    /// The instant named by `next_wakeup` has come.
    Wakeup,
    /// Start nothing more; end what runs. `signal` as in `RunOutcome::Interrupted`.
    Interrupt { signal: i32, name: &'static str, how: Stop },
    /// The number of workers changed.
    Jobs(u32),
}

/// What one input led to. Two lists, so that write-ahead is the shape of the type, not a habit.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// First: journal these together as one frame.
    pub events: Vec<Event>,
    /// Then: do these.
    pub actions: Vec<Action>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Run attempt `attempt` (from 1) of `task` in pool slot `worker` (from 1).
    Start { task: TaskIx, attempt: u32, worker: u32 },
    /// End the running attempt of `task`; it still reports `Finished`.
    Cancel { task: TaskIx, how: Stop },
    /// Nothing more will be asked.
    Exit(RunOutcome),
}
