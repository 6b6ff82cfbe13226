//! The one vocabulary of a run: what the journal stores and every consumer (terminal, reports, boxes) reads.
//!
//! An event is a fact that was decided or happened. Live output is not an event. Stored formats only grow:
//! a new field gets `#[serde(default)]`.

pub mod agents;
mod attempt;
pub mod files;
mod json;
pub mod providers;

pub use attempt::{
    AgentReport, AgentStep, AnsweredBy, AttemptOutcome, AttemptReport, BlockRef, Conflict, FailureClass,
    Merge, Question, QuietStage, Spent,
};

use crate::task::{TaskId, TaskIx};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::time::Duration;

/// Time since the run's session began. The core never reads a clock: the driver passes this in.
pub type Elapsed = Duration;

/// A task in an event: the id is what is stored, the index is only for this process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(transparent, inline)]
pub struct TaskRef {
    #[schemars(skip)]
    pub ix: TaskIx,
    pub id: TaskId,
}

impl TaskRef {
    /// An index that points nowhere, as after reading from disk.
    pub const UNRESOLVED: TaskIx = TaskIx(u32::MAX);
}

impl Serialize for TaskRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.id.serialize(serializer)
    }
}

/// Milliseconds as a whole number on disk.
mod millis {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_millis() as u64)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// Flat on disk: `{seq, at, kind, task?, attempt?, …}` (SPEC 11.5). [`Event::write_json`] is the fast way to write it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Event {
    /// Counts up by one over the whole run, resumes included; starts at 1.
    pub seq: u64,
    /// Milliseconds since this session began.
    #[serde(with = "millis")]
    #[schemars(with = "u64")]
    pub at: Elapsed,
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What a run is: written once, in its first event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunInfo {
    pub run: String,
    /// The task file, relative to the project.
    pub file: String,
    pub mode: String,
    pub jobs: u32,
    pub seed: u64,
    /// The selection as typed, empty for everything.
    #[serde(default)]
    pub selection: Vec<String>,
    /// Version of specter that wrote this.
    pub version: String,
    /// Command-line options to take up on resume, as arguments.
    #[serde(default)]
    pub options: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventKind {
    /// First event of a run. `started` is wall time in milliseconds since the epoch.
    RunStarted {
        info: RunInfo,
        started: u64,
        total: u32,
        selected: u32,
        done_before: u32,
    },
    /// First event of a resumed session.
    RunResumed {
        session: u32,
        started: u64,
        jobs: u32,
        total: u32,
        selected: u32,
        done_before: u32,
    },
    /// The file was edited while running; the plan now reads so.
    PlanChanged {
        added: Vec<TaskId>,
        removed: Vec<TaskId>,
        reopened: Vec<TaskId>,
        ticked: Vec<TaskId>,
    },
    AttemptStarted {
        task: TaskRef,
        attempt: u32,
        executor: Cow<'static, str>,
        /// Slot of the pool, from 1: what a timeline draws as a row.
        worker: u32,
    },
    AttemptFinished {
        task: TaskRef,
        attempt: u32,
        #[serde(flatten)]
        report: Box<AttemptReport>,
    },
    /// Something an agent did in an attempt, as it told it; `n` counts from 1.
    AgentStep {
        task: TaskRef,
        attempt: u32,
        n: u32,
        #[serde(flatten)]
        step: Box<AgentStep>,
    },
    GateFinished {
        task: TaskRef,
        attempt: u32,
        gate: String,
        verdict: GateVerdict,
        #[serde(with = "millis")]
        #[schemars(with = "u64")]
        duration: Duration,
    },
    RetryScheduled {
        task: TaskRef,
        /// The attempt that will follow.
        attempt: u32,
        #[serde(with = "millis")]
        #[schemars(with = "u64")]
        delay: Duration,
        class: FailureClass,
    },
    TaskDone {
        task: TaskRef,
        attempts: u32,
        verdict: Verdict,
        /// Of the attempt that succeeded.
        #[serde(with = "millis")]
        #[schemars(with = "u64")]
        duration: Duration,
    },
    TaskFailed {
        task: TaskRef,
        attempts: u32,
        class: FailureClass,
    },
    /// Its agent asks what only a person can say: what needs it waits for `specter answer`, all else goes on.
    TaskParked {
        task: TaskRef,
        /// The one that asks.
        attempt: u32,
        #[serde(flatten)]
        question: Box<Question>,
    },
    /// What was asked in that attempt has an answer: a person's, or what the agent would have taken by itself.
    QuestionAnswered {
        task: TaskRef,
        attempt: u32,
        answer: String,
        by: AnsweredBy,
    },
    /// An attempt shows no sign of progress.
    AttemptQuiet {
        task: TaskRef,
        attempt: u32,
        stage: QuietStage,
        /// For so long.
        #[serde(with = "millis")]
        #[schemars(with = "u64")]
        quiet: Duration,
    },
    /// `by` is the failed (or waiting) task at the root of it.
    TaskBlocked {
        task: TaskRef,
        by: TaskRef,
    },
    TaskSkipped {
        task: TaskRef,
        why: SkipReason,
    },
    /// Was running or waiting when the run was stopped; open on resume.
    TaskCancelled {
        task: TaskRef,
    },
    BoxTicked {
        task: TaskRef,
        line: u32,
    },
    /// A box that should be ticked could not be: `problem` says why; it is tried again at the next start.
    BoxPending {
        task: TaskRef,
        problem: String,
    },
    CheckpointCreated {
        name: String,
        done: u32,
        /// The reference that holds the files, where they were saved too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
    },
    /// The attempt works in a tree of its own, made from the commit `base`.
    WorktreeLeased {
        task: TaskRef,
        attempt: u32,
        path: String,
        base: String,
        /// What git ignores and was brought over, and how.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        carried: Vec<String>,
    },
    /// All that the attempt left is reachable from `reference`, whatever becomes of it.
    AttemptSaved {
        task: TaskRef,
        attempt: u32,
        reference: String,
        commit: String,
        /// What could not be saved and stays where it is, each with the reason.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<String>,
    },
    /// What the attempt made is part of the project's files now.
    Integrated {
        task: TaskRef,
        attempt: u32,
        #[serde(flatten)]
        merge: Box<Merge>,
    },
    /// What the attempt made contradicts what others made: nothing of it is in the project's files.
    Conflicted {
        task: TaskRef,
        attempt: u32,
        conflicts: Vec<Conflict>,
    },
    /// The attempt changed what makes tools run commands: a person looks at it first.
    ReviewNeeded {
        task: TaskRef,
        attempt: u32,
        paths: Vec<String>,
    },
    /// The attempt changed something outside its own tree; nothing of it is in the project's files.
    Escaped {
        task: TaskRef,
        attempt: u32,
        changes: Vec<String>,
        /// Keeps the files as the attempt left them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        /// Why some of that could not be kept: it is where it was written, and nowhere else.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unkept: Option<String>,
    },
    /// Work that is part of the project's files became a commit of the user's branch, as was asked for.
    Committed {
        branch: String,
        commit: String,
        /// Whose work is in it.
        tasks: Vec<TaskId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tag: Option<String>,
    },
    /// Files, boxes and state went back to a checkpoint.
    RolledBack {
        /// Its name.
        to: String,
        commit: String,
        /// The reference that holds the files as they were before.
        saved: String,
        /// Done before, open now.
        reopened: Vec<TaskId>,
        /// Open before, done now: going back on a going back.
        done: Vec<TaskId>,
    },
    BudgetReached {
        budget: BudgetKind,
        limit: String,
    },
    /// Something is ready and not started for want of room on the machine, or no longer so.
    AdmissionChanged {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waits_for: Option<Scarce>,
        /// In figures.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// Nothing that needs this provider of models is started before it is asked again.
    ProviderHeld {
        provider: String,
        /// `usage-limit`, `rate-limit`; `permanent`: it refuses whatever is asked.
        why: FailureClass,
        /// Wall time in milliseconds since the epoch; none: not again in this session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
        /// The provider named that time; else it is only asked then.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        told: bool,
        /// Limits in a row, and the wall time of the first.
        #[serde(default)]
        turn: u32,
        #[serde(default)]
        since: u64,
        /// What showed it, in words.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        rule: String,
    },
    /// Another agent of the chain takes over, in the same workspace.
    AgentChanged {
        task: TaskRef,
        from: String,
        to: String,
        /// What the first one's attempts ended with, or what holds its provider.
        why: FailureClass,
        /// Until when its provider is held: wall time in milliseconds since the epoch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
        /// Its attempts are used up: it is not asked again for this task.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        used_up: bool,
    },
    /// It answers again.
    ProviderOpened {
        provider: String,
    },
    /// An agent carried out what an extension wants done around the run, or could not.
    HookFinished {
        /// As an agent knows it: `speckit.git.commit`.
        command: String,
        extension: String,
        /// Before the first task; else after the last.
        before: bool,
        agent: String,
        /// Whose limits it ran into.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        provider: String,
        #[serde(with = "millis")]
        #[schemars(with = "u64")]
        duration: Duration,
        /// Why it failed; none: it did not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spent: Option<Spent>,
    },
    Interrupted {
        signal: String,
        how: Stop,
    },
    /// Something a person should know that is none of the above.
    Note {
        level: NoteLevel,
        text: String,
    },
    RunFinished {
        outcome: RunOutcome,
        counts: Counts,
        #[serde(with = "millis")]
        #[schemars(with = "u64")]
        duration: Duration,
        /// Boxes of done tasks that could not be ticked; they are at the next start.
        #[serde(default)]
        unticked: u32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateVerdict {
    Passed,
    Failed,
    Inconclusive,
}

/// What the gates found (SPEC 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Verified,
    /// The work ended well and nothing was there to check it.
    #[default]
    Unverified,
    NoChange,
    Inconclusive,
    Regressed,
    Escaped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    Manual,
    Optional,
    Dropped,
    Unclear,
    /// Removed from the file while running.
    Removed,
}

/// How to end what runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// TERM, the grace period, then KILL.
    Gracefully,
    Now,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetKind {
    Dispatches,
    Time,
    Cost,
    Tokens,
    /// The disk has less room than its floor.
    Disk,
    /// A provider of models is not to be had for longer than is waited for.
    Provider,
}

/// What attempts need of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scarce {
    Memory,
    Disk,
    /// Time on the cores: more processes want to run than was allowed.
    Load,
}

impl Scarce {
    /// As in "waiting for ...".
    pub fn words(self) -> &'static str {
        match self {
            Scarce::Memory => "memory",
            Scarce::Disk => "room on the disk",
            Scarce::Load => "less load",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoteLevel {
    Info,
    Warn,
    Error,
}

/// Over the selected tasks, groups not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    pub selected: u32,
    /// Finished in this run, all sessions.
    pub done: u32,
    pub failed: u32,
    pub blocked: u32,
    pub skipped: u32,
    pub cancelled: u32,
    /// Neither started nor settled.
    pub open: u32,
    /// Ticked before the run began.
    pub done_before: u32,
    /// Waiting for a person.
    pub manual: u32,
    /// Waiting for a person's answer.
    #[serde(default, skip_serializing_if = "is_none")]
    pub parked: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    AllDone,
    SomeFailed,
    /// By a signal: which one decides the exit code (2 INT, 15 TERM, 1 HUP, 13 PIPE).
    Interrupted {
        signal: i32,
    },
    /// A budget or limit: resume later.
    Stopped,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_none(n: &u32) -> bool {
    *n == 0
}
