//! What is remembered of one task. Small, because there may be a hundred thousand; what only failures need is boxed.

use super::beside::Beside;
use super::packed::{Stamp, Wide};
use super::work::AgentWork;
use crate::event::{AgentStep, AttemptOutcome, AttemptReport, BlockRef, FailureClass, Verdict};
use crate::plan::{LeftOut, Role};
use crate::task::TaskIx;

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
    /// Its agent asks something.
    Parked,
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
    pub const COUNT: usize = 14;

    pub fn as_str(self) -> &'static str {
        match self {
            TaskState::Open => "open",
            TaskState::Running => "running",
            TaskState::Waiting => "waiting",
            TaskState::Done => "done",
            TaskState::Failed => "failed",
            TaskState::Parked => "parked",
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
    /// An attempt runs: `mark` is its begin, else the end of the last one.
    is_at_work: bool,
    pub gates: Gates,
    pub(super) executor: u16,
    busy_ms: Wide,
    last_ms: Wide,
    cpu_ms: Wide,
    max_rss_kb: Wide,
    disk_read_kb: Wide,
    disk_written_kb: Wide,
    output_bytes: Wide,
    /// Started so far, all sessions.
    pub attempts: u32,
    /// Pool slot of the last attempt, from 1; 0 before the first.
    pub worker: u32,
    /// `NOBODY` if nothing does.
    blocked_by: u32,
    /// Begin of the first attempt.
    pub started: Option<Stamp>,
    mark: Option<Stamp>,
    pub beside: Beside,
    pub detail: Option<Box<Detail>>,
}

const NOBODY: u32 = u32::MAX;

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
    /// What agents did, if any worked on it.
    pub agent: Option<Box<AgentWork>>,
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
            is_at_work: false,
            gates: Gates::default(),
            executor: u16::MAX,
            busy_ms: Wide::default(),
            last_ms: Wide::default(),
            cpu_ms: Wide::default(),
            max_rss_kb: Wide::default(),
            disk_read_kb: Wide::default(),
            disk_written_kb: Wide::default(),
            output_bytes: Wide::default(),
            attempts: 0,
            worker: 0,
            blocked_by: NOBODY,
            started: None,
            mark: None,
            beside: Beside::default(),
            detail: None,
        }
    }

    pub fn blocked_by(&self) -> Option<TaskIx> {
        (self.blocked_by != NOBODY).then_some(TaskIx(self.blocked_by))
    }

    pub(super) fn set_blocked_by(&mut self, by: Option<TaskIx>) {
        self.blocked_by = by.map_or(NOBODY, |by| by.0);
    }

    /// End of the last attempt; None while one runs.
    pub fn ended(&self) -> Option<Stamp> {
        self.mark.filter(|_| !self.is_at_work)
    }

    /// Begin of the attempt that runs, milliseconds since its session began.
    pub fn running_since(&self) -> Option<u64> {
        self.mark.filter(|_| self.is_at_work).map(Stamp::at)
    }

    /// The task's duration: time its attempts ran, added up; waits between them do not count.
    pub fn busy_ms(&self) -> u64 {
        self.busy_ms.get()
    }

    /// Of the last attempt alone, as its executor measured it.
    pub fn last_ms(&self) -> u64 {
        self.last_ms.get()
    }

    pub(super) fn set_last_ms(&mut self, last_ms: u64) {
        self.last_ms = last_ms.into();
    }

    pub fn cpu_ms(&self) -> u64 {
        self.cpu_ms.get()
    }

    /// Peak of any one process of it.
    pub fn max_rss_kb(&self) -> u64 {
        self.max_rss_kb.get()
    }

    pub fn disk_read_kb(&self) -> u64 {
        self.disk_read_kb.get()
    }

    pub fn disk_written_kb(&self) -> u64 {
        self.disk_written_kb.get()
    }

    pub fn output_bytes(&self) -> u64 {
        self.output_bytes.get()
    }

    /// Whether an attempt of it was ever started in this run.
    pub fn has_run(&self) -> bool {
        self.started.is_some()
    }

    /// Whether the system told what its attempts used: no process has no resident set.
    pub fn knows_resources(&self) -> bool {
        self.cpu_ms() > 0 || self.max_rss_kb() > 0
    }

    /// A new session begins: what is not done is open again, and what was ticked meanwhile is believed.
    pub(super) fn resume(&mut self, role: Role) {
        match (role, self.state) {
            (_, TaskState::Done | TaskState::Group) | (Role::Run, TaskState::Parked) => {}
            (Role::Run | Role::Done, _) => {
                self.state = TaskState::first(role);
                self.set_blocked_by(None);
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

    /// An attempt of it begins.
    pub(super) fn begin(&mut self, at: Option<Stamp>) {
        self.started = self.started.or(at);
        (self.mark, self.is_at_work) = (at, true);
        self.gates = Gates::default();
    }

    /// The attempt that runs is over.
    pub(super) fn end(&mut self, at: Option<Stamp>) {
        let since = self.running_since().unwrap_or(0);
        self.busy_ms.add(at.map_or(0, Stamp::at).saturating_sub(since));
        (self.mark, self.is_at_work) = (at, false);
    }

    /// The facts of an attempt that ended.
    pub(super) fn take(&mut self, number: u32, report: &AttemptReport) {
        self.set_last_ms(report.duration.as_millis() as u64);
        self.cpu_ms.add(report.cpu_ms);
        self.max_rss_kb = self.max_rss_kb().max(report.max_rss_kb).into();
        self.disk_read_kb.add(report.disk_read_kb);
        self.disk_written_kb.add(report.disk_written_kb);
        self.output_bytes.add(report.output_bytes);
        self.by_fallback = report.by_fallback;
        self.class = report.class;
        if let Some(agent) = &report.agent {
            self.agent_work().ended(agent);
        }
        if self.detail.is_some() || !report.outcome.is_success() || !report.leaked.is_empty() {
            self.detail.get_or_insert_default().take(number, report);
        }
    }

    pub(super) fn step(&mut self, attempt: u32, step: &AgentStep) {
        self.agent_work().took(attempt, step);
    }

    fn agent_work(&mut self) -> &mut AgentWork {
        self.detail.get_or_insert_default().agent.get_or_insert_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_stays_small() {
        assert!(size_of::<Row>() <= 128, "{}", size_of::<Row>());
    }
}
