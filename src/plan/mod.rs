//! From a [`Document`](crate::task::Document) to a checked [`Plan`]: selected tasks, edges with reasons, order (SPEC 3).
//!
//! A `Plan` is acyclic, resolved and complete. It knows no clock, process or file; what it knows of past durations
//! is handed in as [`Estimates`]. Everything here is linear in tasks and edges (times a logarithm) unless a reason
//! stands beside it.

mod build;
mod cycle;
mod draft;
mod edges;
pub mod estimate;
pub mod explain;
pub mod export;
mod files;
mod filter;
mod findings;
pub mod glob;
pub mod graph;
mod lanes;
mod lint;
mod mode;
mod names;
pub mod observed;
mod order;
mod prose;
pub mod queue;
mod resolve;
mod roles;
mod select;

#[cfg(test)]
mod corpus;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use build::plan;

use crate::task::{Checkpoint, Few, Ignored, NeedForm, Phase, State, Story, Task, TaskId, TaskIx};
use graph::Graph;
use observed::{Observed, Sighting};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Who may overlap (SPEC 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One task at a time, in file order.
    #[default]
    Sequential,
    /// A task overlaps others only if all have `[P]`.
    Parallel,
    /// As `Parallel` inside a lane; different story lanes overlap.
    Stories,
    /// Whatever the edges allow.
    Graph,
}

/// Position of a lane in [`Plan::lanes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneIx(pub u32);

/// The tasks that share a story, or, for tasks without one, a phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    pub name: String,
    pub is_story: bool,
}

/// What the plan does with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Selected and open: it is run.
    Run,
    /// Runs nothing; done when all in it are settled.
    Group,
    /// Ticked before the run began.
    Done,
    /// Not run and not counted as done. Order passes through it.
    LeftOut(LeftOut),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    NotSelected,
    Optional,
    Dropped,
    Unclear,
    /// For a person: what needs it waits.
    Manual,
}

/// Why one task waits for another, strongest first (SPEC 3.1). Names are those of SPEC 11.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    Explicit,
    Field,
    Waves,
    Checkpoint,
    Phase,
    /// Stronger than the lane whose order it turns.
    Tdd,
    Lane,
    Layer,
    Prose,
    File,
    Mode,
    /// A group's completion, or what a group itself needs.
    Group,
}

impl From<NeedForm> for Reason {
    fn from(form: NeedForm) -> Reason {
        match form {
            NeedForm::Explicit => Reason::Explicit,
            NeedForm::Field => Reason::Field,
            NeedForm::Waves => Reason::Waves,
            NeedForm::Prose => Reason::Prose,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EdgeKind {
    /// A failure blocks.
    Needs,
    /// Order only.
    After,
}

/// What each task does in this plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedTask {
    pub role: Role,
    /// One for a task of one story or phase; several for `[US1][US2]`. Empty for groups.
    pub lanes: Few<LaneIx>,
    /// Expected duration of one attempt.
    pub estimate: Nanos,
    /// Longest expected path from the start of this task to the end of the plan (SPEC 3.4).
    pub remaining: Nanos,
}

/// A duration in half the room, for there are two of every task. At most 584 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nanos(u64);

impl From<Duration> for Nanos {
    fn from(duration: Duration) -> Nanos {
        Nanos(duration.as_nanos().min(u64::MAX.into()) as u64)
    }
}

impl From<Nanos> for Duration {
    fn from(nanos: Nanos) -> Duration {
        Duration::from_nanos(nanos.0)
    }
}

/// A checked plan. `tasks` and `planned` are parallel and hold *every* task of the document, in document order.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The task file as people call it.
    pub file: String,
    pub mode: Mode,
    /// Shared, for whoever needs to know what was called how: a copy would be half as large as all the rest.
    pub tasks: Arc<Vec<Task>>,
    pub planned: Vec<PlannedTask>,
    pub phases: Vec<Phase>,
    pub lanes: Vec<Lane>,
    pub checkpoints: Vec<Checkpoint>,
    pub ignored: Vec<Ignored>,
    pub graph: Graph,
    /// Orders that only observation tells, by the later task, then the earlier.
    pub sightings: Vec<Sighting>,
    /// `x` or `X` for ticking.
    pub tick: char,
}

impl Plan {
    pub fn task(&self, task: TaskIx) -> &Task {
        &self.tasks[task.ix()]
    }

    pub fn planned(&self, task: TaskIx) -> &PlannedTask {
        &self.planned[task.ix()]
    }

    pub fn task_ixs(&self) -> impl Iterator<Item = TaskIx> + use<> {
        (0..self.tasks.len() as u32).map(TaskIx)
    }

    /// The tasks that are run, in document order.
    pub fn runnable(&self) -> impl Iterator<Item = TaskIx> + '_ {
        self.task_ixs().filter(|task| self.planned(*task).role == Role::Run)
    }

    pub fn find(&self, id: &str) -> Option<TaskIx> {
        // Linear: asked once per command. Code that asks per task builds its own map.
        self.tasks.iter().position(|task| task.id.as_str() == id).map(|n| TaskIx(n as u32))
    }
}

/// What the user chose (SPEC 3.3). Empty lists choose everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    pub stories: Vec<String>,
    /// Filter expressions as typed; all must hold.
    pub filters: Vec<String>,
    pub only: Vec<String>,
    pub from: Option<String>,
    pub until: Option<String>,
    pub phases: Vec<String>,
    pub mvp: bool,
    pub with_needs: bool,
    pub include_optional: bool,
}

/// How unclear marks are read: `('~', Treat::Open)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treat {
    Open,
    Done,
    Skip,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProseDeps {
    Ignore,
    #[default]
    After,
    Needs,
}

/// Everything besides the document that decides a plan.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The task file as people call it; only shown.
    pub file: String,
    pub selection: Selection,
    pub mode: Mode,
    pub treat: Vec<(String, Treat)>,
    pub prose: ProseDeps,
    pub tdd: bool,
    pub estimates: Estimates,
    /// Files that tasks were seen to write in earlier runs: they count like named ones.
    pub observed_files: Vec<Observed>,
}

/// Known durations, from history.
#[derive(Clone, Debug, Default)]
pub struct Estimates {
    /// Last measured duration by task id.
    pub by_task: std::collections::HashMap<TaskId, Duration>,
}

/// Used where a story's name is compared: `US1` and `us1` are one.
pub fn same_story(a: &Story, b: &str) -> bool {
    a.0.eq_ignore_ascii_case(b)
}

/// Whether the state counts as settled before the run.
pub fn is_done(state: State) -> bool {
    state == State::Done
}
