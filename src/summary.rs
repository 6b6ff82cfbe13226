//! What a run amounts to: a fold of events into one row per task and the figures of the whole.
//!
//! Knows the plan and the events, nothing else: no clock (time is that of the events), no file, no wording. Folding
//! the events of all sessions at once gives the same as folding them as they come. One event costs O(1) (a session's
//! start and an edited file: one pass over the rows); a task costs a [`Row`] of some 130 bytes, and more only when
//! it fails.

mod beside;
mod fold;
mod numbers;
mod packed;
mod phases;
mod row;
mod spans;
mod work;

pub use beside::Beside;
pub use numbers::{Numbers, PhaseFigures, Recovery};
pub use packed::Stamp;
pub use row::{Attempt, Detail, Gates, Row, TaskState};
pub use spans::Spans;
pub use work::{Account, Action, AgentWork};

use crate::event::{BudgetKind, Counts, Event, NoteLevel, Question, RunInfo, RunOutcome, Spent, TaskRef};
use crate::plan::Plan;
use crate::task::{Task, TaskId, TaskIx};
use phases::Phases;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Remarks that are kept one by one; further ones are counted.
const MAX_REMARKS: usize = 200;

/// One stretch of the run, from its start or a resume to its end or its crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Wall time of its begin, milliseconds since the epoch.
    pub started: u64,
    /// Until its last event.
    pub length: u64,
    pub jobs: u32,
    /// Tasks of this run that were done when it began.
    pub done_before: u32,
    /// None while it runs, and for ever if it crashed.
    pub outcome: Option<RunOutcome>,
}

/// Why a session ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// By this signal, as the system calls it.
    Signal(String),
    Budget {
        budget: BudgetKind,
        limit: String,
    },
    /// It went back to the checkpoint of this name.
    RolledBack(String),
    /// What an extension wants done first failed, in words: no task was begun.
    Hook(String),
}

/// Something that departs from the plan as given, or that a person was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Wall time, milliseconds since the epoch.
    pub at: u64,
    pub kind: RemarkKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemarkKind {
    PlanChanged {
        added: Vec<TaskId>,
        removed: Vec<TaskId>,
        reopened: Vec<TaskId>,
        ticked: Vec<TaskId>,
    },
    /// The task is done by its fallback, not by its own work.
    ByFallback(TaskId),
    BoxPending {
        task: TaskId,
        problem: String,
    },
    Stopped(Stopped),
    Note {
        level: NoteLevel,
        text: String,
    },
}

/// A named state of the run to which one can look back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointMark {
    pub name: String,
    pub done: u32,
    /// Wall time, milliseconds since the epoch.
    pub at: u64,
}

/// Results of the project's own tests, where something reported them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tests {
    pub passed: u32,
    pub failed: u32,
    pub coverage: Option<f64>,
    pub duration_ms: u64,
}

/// The fold. Rows are indexed as the plan's tasks; rows past those belong to tasks the file no longer has.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub info: RunInfo,
    pub sessions: Vec<Session>,
    /// Why the last session ended early.
    pub stopped: Option<Stopped>,
    pub remarks: Vec<Remark>,
    pub remarks_dropped: u32,
    pub last_checkpoint: Option<CheckpointMark>,
    /// None until something reports them: nothing is invented.
    pub tests: Option<Tests>,
    /// Rows of done tasks in the order in which they ended.
    pub done_order: Vec<TaskIx>,
    /// Some of them may be open again.
    undone: bool,
    /// When something happened after the last session had ended, milliseconds since it began.
    late: u64,
    /// `seq` of the last event folded.
    pub seq: u64,
    /// Of the plan: whose the first rows are.
    tasks: Arc<Vec<Task>>,
    /// Whose the others are.
    gone: Vec<TaskId>,
    rows: Vec<Row>,
    /// Only while events name tasks by id alone (read from disk).
    by_id: Option<HashMap<TaskId, u32>>,
    tally: [u32; TaskState::COUNT],
    /// Rows with a running attempt, in order of start.
    running: Vec<TaskIx>,
    /// Attempts started so far, which makes the number that ran beside one a subtraction.
    starts: u32,
    /// Of each that runs: attempts started when its own began, that one counted, less those that ran then.
    starts_before: Vec<u32>,
    spans: Spans,
    phases: Phases,
    executors: Vec<String>,
    attempts_ended: u32,
    attempts_failed: u32,
    cpu_known: bool,
    /// What agents spent, by provider.
    accounts: Vec<Account>,
    /// What agents asked last.
    questions: BTreeMap<TaskId, Question>,
}

impl Summary {
    /// Nothing has happened yet.
    pub fn new(plan: &Plan) -> Summary {
        let mut summary = Summary {
            info: RunInfo::default(),
            sessions: Vec::new(),
            stopped: None,
            remarks: Vec::new(),
            remarks_dropped: 0,
            last_checkpoint: None,
            tests: None,
            done_order: Vec::new(),
            undone: false,
            late: 0,
            seq: 0,
            tasks: Arc::clone(&plan.tasks),
            gone: Vec::new(),
            rows: plan.planned.iter().map(|planned| Row::new(TaskState::first(planned.role))).collect(),
            by_id: None,
            tally: [0; TaskState::COUNT],
            running: Vec::new(),
            starts: 0,
            starts_before: Vec::new(),
            spans: Spans::default(),
            phases: Phases::new(plan),
            executors: Vec::new(),
            attempts_ended: 0,
            attempts_failed: 0,
            cpu_known: false,
            accounts: Vec::new(),
            questions: BTreeMap::new(),
        };
        summary.count_again();
        summary
    }

    /// All events of a run at once.
    pub fn of<'a>(plan: &Plan, events: impl IntoIterator<Item = &'a Event>) -> Summary {
        let mut summary = Summary::new(plan);
        events.into_iter().for_each(|event| summary.apply(plan, event));
        summary
    }

    pub fn row(&self, task: TaskIx) -> &Row {
        &self.rows[task.ix()]
    }

    pub fn id(&self, task: TaskIx) -> &TaskId {
        match self.tasks.get(task.ix()) {
            Some(task) => &task.id,
            None => &self.gone[task.ix() - self.tasks.len()],
        }
    }

    /// Of the plan that it follows.
    pub fn tasks(&self) -> &Arc<Vec<Task>> {
        &self.tasks
    }

    /// Whose each row is.
    fn ids(&self) -> impl Iterator<Item = &TaskId> {
        self.tasks.iter().map(|task| &task.id).chain(&self.gone)
    }

    /// The row of a task that an event named, once that event was folded.
    pub fn locate(&self, task: &TaskRef) -> Option<TaskIx> {
        if task.ix.ix() < self.rows.len() && *self.id(task.ix) == task.id {
            return Some(task.ix);
        }
        self.by_id.as_ref()?.get(&task.id).map(|n| TaskIx(*n))
    }

    /// Every row with its index, those of tasks the file no longer has last.
    pub fn rows(&self) -> impl Iterator<Item = (TaskIx, &Row)> {
        self.rows.iter().enumerate().map(|(n, row)| (TaskIx(n as u32), row))
    }

    /// Rows in this state, in document order.
    pub fn in_state(&self, state: TaskState) -> impl Iterator<Item = (TaskIx, &Row)> {
        self.rows().filter(move |(_, row)| row.state == state)
    }

    /// Those of `ended`, a part of `done_order`, that are done: all, as long as none was opened again.
    pub fn still_done<'a>(&self, ended: &'a [TaskIx]) -> Cow<'a, [TaskIx]> {
        if !self.undone {
            return Cow::Borrowed(ended);
        }
        ended.iter().copied().filter(|task| self.row(*task).state == TaskState::Done).collect()
    }

    /// What agents spent, by provider; empty if none worked.
    pub fn providers(&self) -> &[Account] {
        &self.accounts
    }

    /// What agents spent in all; none if none told.
    pub fn spent(&self) -> Option<Spent> {
        let mut all = None;
        self.accounts.iter().for_each(|account| work::add(&mut all, account.spent));
        all
    }

    /// What agents spent, by story; of a task with several stories each gets all.
    pub fn stories(&self) -> Vec<Account> {
        let mut accounts = Vec::new();
        let worked =
            self.rows().filter_map(|(task, row)| Some((task, row, row.detail.as_ref()?.agent.as_ref()?)));
        for (task, row, work) in worked {
            for story in self.tasks.get(task.ix()).into_iter().flat_map(|task| task.stories.iter()) {
                work::book(&mut accounts, &story.0, row.attempts, work.spent);
            }
        }
        accounts
    }

    pub fn executor(&self, row: &Row) -> Option<&str> {
        self.executors.get(row.executor as usize).map(String::as_str)
    }

    /// Rows with a running attempt, in order of start.
    pub fn running(&self) -> &[TaskIx] {
        &self.running
    }

    /// Wall time of the last event, milliseconds since the epoch.
    pub fn wall(&self) -> u64 {
        self.sessions.last().map_or(0, |session| session.started + session.length.max(self.late))
    }

    /// Wall time of a stamp, milliseconds since the epoch.
    pub fn wall_of(&self, stamp: Stamp) -> u64 {
        self.sessions.get(stamp.session() - 1).map_or(0, |session| session.started + stamp.at())
    }

    /// Time from the run's first event to its last, the gaps between sessions not counted, in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        self.sessions.iter().map(|session| session.length).sum()
    }

    /// The outcome of the last session; None while it runs or after a crash.
    pub fn outcome(&self) -> Option<RunOutcome> {
        self.sessions.last().and_then(|session| session.outcome)
    }

    pub fn is_resumed(&self) -> bool {
        self.sessions.len() > 1
    }

    pub fn spans(&self) -> &Spans {
        &self.spans
    }

    /// Over the selected tasks; groups, and tasks the file no longer has, are not counted.
    pub fn counts(&self) -> Counts {
        let [open, running, waiting] =
            [TaskState::Open, TaskState::Running, TaskState::Waiting].map(|state| self.tally(state));
        let [done, failed, parked, blocked, skipped, cancelled] = [
            TaskState::Done,
            TaskState::Failed,
            TaskState::Parked,
            TaskState::Blocked,
            TaskState::Skipped,
            TaskState::Cancelled,
        ]
        .map(|state| self.tally(state));
        let open = open + running + waiting;
        Counts {
            selected: open + done + failed + parked + blocked + skipped + cancelled,
            done,
            failed,
            blocked,
            skipped,
            cancelled,
            open,
            done_before: self.tally(TaskState::DoneBefore),
            manual: self.tally(TaskState::Manual),
            parked,
        }
    }

    /// What the agent of a parked task asks.
    pub fn question(&self, task: TaskIx) -> Option<&Question> {
        self.questions.get(self.id(task)).filter(|_| self.row(task).state == TaskState::Parked)
    }

    /// How many rows are in this state.
    pub fn tally(&self, state: TaskState) -> u32 {
        self.tally[state as usize]
    }
}

fn index<'a>(ids: impl Iterator<Item = &'a TaskId>) -> HashMap<TaskId, u32> {
    ids.zip(0..).map(|(id, n)| (id.clone(), n)).collect()
}
