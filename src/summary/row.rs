//! What is remembered of one task. Small, because there may be a hundred thousand; what only failures need is boxed.

use crate::event::{AttemptOutcome, AttemptReport, BlockRef, FailureClass, Verdict};
use crate::plan::{LeftOut, Role};
use crate::task::TaskIx;
use std::num::NonZeroU32;

/// Attempts of one task that are remembered one by one.
const MAX_ATTEMPTS: usize = 16;

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TaskState {
    /// Selected, not started.
    Open,
    Running,
    /// For its next attempt.
    Waiting,
    Done,
    Failed,
    Blocked,
    Skipped,
    /// Stopped with the run; open on resume.
    Cancelled,
    /// Ticked before the run began, or by a person meanwhile.
    DoneBefore,
    /// Not selected, optional, dropped or unclear.
    LeftOut,
    /// For a person.
    Manual,
    /// Holds other tasks and runs nothing.
    Group,
    /// The file no longer has it.
    Removed,
}

impl TaskState {
    pub const COUNT: usize = 13;

    pub fn as_str(self) -> &'static str {
        match self {
            TaskState::Open => "open",
            TaskState::Running => "running",
            TaskState::Waiting => "waiting",
            TaskState::Done => "done",
            TaskState::Failed => "failed",
            TaskState::Blocked => "blocked",
            TaskState::Skipped => "skipped",
            TaskState::Cancelled => "cancelled",
            TaskState::DoneBefore => "done-before",
            TaskState::LeftOut => "left-out",
            TaskState::Manual => "manual",
            TaskState::Group => "group",
            TaskState::Removed => "removed",
        }
    }

    /// Whether the run is done with it, for good or ill.
    pub fn is_settled(self) -> bool {
        matches!(self, TaskState::Done | TaskState::Failed | TaskState::Blocked | TaskState::Skipped)
    }

    /// Where a task stands before anything has happened.
    pub(super) fn first(role: Role) -> TaskState {
        match role {
            Role::Run => TaskState::Open,
            Role::Group => TaskState::Group,
            Role::Done => TaskState::DoneBefore,
            Role::LeftOut(LeftOut::Manual) => TaskState::Manual,
            Role::LeftOut(_) => TaskState::LeftOut,
        }
    }

    /// The file no longer has the task: what is done stays done, what runs goes on.
    pub(super) fn once_gone(self) -> TaskState {
        match self {
            TaskState::Done | TaskState::Running => self,
            _ => TaskState::Removed,
        }
    }
}

/// An instant of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// From 1.
    pub session: NonZeroU32,
    /// Milliseconds since that session began.
    pub at: u64,
}

/// One task of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub state: TaskState,
    pub verdict: Option<Verdict>,
    /// Of the last failure, while it counts.
    pub class: Option<FailureClass>,
    /// It had failed when an earlier session ended.
    pub failed_before: bool,
    /// An attempt was running when a session ended without a word.
    pub cut_off: bool,
    /// Its last attempt succeeded by a fallback.
    pub by_fallback: bool,
    pub gates: Gates,
    pub(super) executor: u16,
    /// Started so far, all sessions.
    pub attempts: u32,
    /// Pool slot of the last attempt, from 1; 0 before the first.
    pub worker: u32,
    pub blocked_by: Option<TaskIx>,
    /// Begin of the first attempt.
    pub started: Option<Stamp>,
    /// End of the last attempt; None while one runs.
    pub ended: Option<Stamp>,
    /// Begin of the last attempt, milliseconds since its session began.
    pub attempt_at: u64,
    /// The task's duration: time its attempts ran, added up; waits between them do not count.
    pub busy_ms: u64,
    /// Of the last attempt alone, as its executor measured it.
    pub last_ms: u64,
    pub cpu_ms: u64,
    /// Peak of any one process of it.
    pub max_rss_kb: u64,
    pub disk_read_kb: u64,
    pub disk_written_kb: u64,
    pub output_bytes: u64,
    pub beside: Beside,
    pub detail: Option<Box<Detail>>,
}

/// Gates of the last attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gates {
    pub passed: u16,
    pub failed: u16,
    pub inconclusive: u16,
}

/// What is known beyond the row, for tasks that had a failure or left processes behind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detail {
    /// Rule that gave the class of the last failure.
    pub rule: Option<String>,
    /// Last lines of its output.
    pub tail: String,
    /// Where its whole output is, relative to the run's directory.
    pub log: String,
    /// Which block ended it.
    pub block: Option<BlockRef>,
    /// Attempts in order, the last 16.
    pub attempts: Vec<Attempt>,
    /// Processes that outlived an attempt and were ended.
    pub leaked: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    pub number: u32,
    pub outcome: AttemptOutcome,
    pub class: Option<FailureClass>,
    pub duration_ms: u64,
    pub block: Option<BlockRef>,
}

impl Row {
    pub(super) fn new(state: TaskState) -> Row {
        Row {
            state,
            verdict: None,
            class: None,
            failed_before: false,
            cut_off: false,
            by_fallback: false,
            gates: Gates::default(),
            executor: u16::MAX,
            attempts: 0,
            worker: 0,
            blocked_by: None,
            started: None,
            ended: None,
            attempt_at: 0,
            busy_ms: 0,
            last_ms: 0,
            cpu_ms: 0,
            max_rss_kb: 0,
            disk_read_kb: 0,
            disk_written_kb: 0,
            output_bytes: 0,
            beside: Beside::default(),
            detail: None,
        }
    }

    /// Whether an attempt of it was ever started in this run.
    pub fn has_run(&self) -> bool {
        self.started.is_some()
    }

    /// Whether the system told what its attempts used: no process has no resident set.
    pub fn knows_resources(&self) -> bool {
        self.cpu_ms > 0 || self.max_rss_kb > 0
    }

    /// A new session begins: what is not done is open again, and what was ticked meanwhile is believed.
    pub(super) fn resume(&mut self, role: Role) {
        match (role, self.state) {
            (_, TaskState::Done | TaskState::Group) => {}
            (Role::Run | Role::Done, _) => {
                self.state = TaskState::first(role);
                self.blocked_by = None;
            }
            _ => {}
        }
    }

    /// The file was edited and gives the task this role now.
    pub(super) fn follow(&mut self, role: Role) {
        let was_aside = matches!(
            self.state,
            TaskState::LeftOut
                | TaskState::Manual
                | TaskState::Skipped
                | TaskState::Group
                | TaskState::Removed
                | TaskState::DoneBefore
        );
        let is_waiting = matches!(self.state, TaskState::Open | TaskState::Waiting);
        match role {
            Role::Run if was_aside => self.state = TaskState::Open,
            Role::Group => self.state = TaskState::Group,
            Role::LeftOut(_) if is_waiting => self.state = TaskState::first(role),
            _ => {}
        }
    }

    /// The facts of an attempt that ended.
    pub(super) fn take(&mut self, number: u32, report: &AttemptReport) {
        self.last_ms = report.duration.as_millis() as u64;
        self.cpu_ms += report.cpu_ms;
        self.max_rss_kb = self.max_rss_kb.max(report.max_rss_kb);
        self.disk_read_kb += report.disk_read_kb;
        self.disk_written_kb += report.disk_written_kb;
        self.output_bytes += report.output_bytes;
        self.by_fallback = report.by_fallback;
        self.class = report.class;
        if self.detail.is_some() || !report.outcome.is_success() || !report.leaked.is_empty() {
            self.detail.get_or_insert_default().take(number, report);
        }
    }
}

impl Detail {
    fn take(&mut self, number: u32, report: &AttemptReport) {
        self.rule.clone_from(&report.rule);
        self.tail.clone_from(&report.tail);
        self.log.clone_from(&report.log);
        self.block = report.block;
        self.leaked.extend(report.leaked.iter().take(MAX_ATTEMPTS).cloned());
        self.leaked.truncate(MAX_ATTEMPTS);
        if self.attempts.len() == MAX_ATTEMPTS {
            self.attempts.remove(0);
        }
        self.attempts.push(Attempt {
            number,
            outcome: report.outcome.clone(),
            class: report.class,
            duration_ms: report.duration.as_millis() as u64,
            block: report.block,
        });
    }
}

/// Who ran beside a task: eight names, and how many attempts in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    names: [u32; Beside::NAMES],
    len: u8,
    /// Attempts of other tasks that overlapped its earlier attempts.
    before: u32,
    /// Attempts started in the run when its own began, less those that ran then; 0 while none runs.
    base: u32,
}

impl Beside {
    pub const NAMES: usize = 8;

    /// The first eight, in the order in which they met it.
    pub fn names(&self) -> impl Iterator<Item = TaskIx> + '_ {
        self.names[..self.len as usize].iter().map(|n| TaskIx(*n))
    }

    /// How many there are of them.
    pub fn listed(&self) -> usize {
        self.len as usize
    }

    /// How many ran beside it. Exact for up to eight tasks; beyond, each of their attempts counts.
    pub fn count(&self) -> u32 {
        if self.is_full() { self.before.max(Beside::NAMES as u32) } else { u32::from(self.len) }
    }

    /// How many the names leave out.
    pub fn more(&self) -> u32 {
        self.count() - u32::from(self.len)
    }

    pub(super) fn is_full(&self) -> bool {
        self.len as usize == Beside::NAMES
    }

    pub(super) fn name(&mut self, task: TaskIx) {
        let len = self.len as usize;
        if len < Beside::NAMES && !self.names[..len].contains(&task.0) {
            self.names[len] = task.0;
            self.len += 1;
        }
    }

    /// `starts` counts its own start too.
    pub(super) fn begin(&mut self, starts: u32, running: u32) {
        self.base = starts - running;
    }

    pub(super) fn end(&mut self, starts: u32) {
        self.before += starts - self.base;
    }

    pub(super) fn rename(&mut self, to: impl Fn(TaskIx) -> TaskIx) {
        self.names[..self.len as usize].iter_mut().for_each(|n| *n = to(TaskIx(*n)).0);
    }
}
