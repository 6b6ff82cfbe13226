//! What there is to show while a run goes on: a fold of events that the live screen and the plain lines share.
//!
//! One event costs O(1) (a changed plan: one pass). Time is the events' own; the view reads no clock. Tasks are known
//! by id, so that a plan made anew while running, with other positions, changes nothing here.

use super::ends::{Ended, Ends};
use super::text::output_line;
use crate::event::{
    AttemptReport, Elapsed, Event, EventKind, FailureClass, RunInfo, RunOutcome, Scarce, SkipReason, TaskRef,
};
use crate::plan::{Plan, Role};
use crate::summary::{Summary, TaskState};
use crate::task::TaskId;
use foldhash::HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The longest last line of output that is kept of a running task.
const LAST_LINE_BYTES: usize = 512;

/// A task with a running attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    pub id: TaskId,
    pub title: String,
    pub attempt: u32,
    pub worker: u32,
    pub since: Elapsed,
    /// The last line it printed, without styles; empty if none.
    pub last_line: String,
}

/// A task that waits for its next attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct BackingOff {
    pub id: TaskId,
    /// The attempt to come.
    pub attempt: u32,
    pub until: Elapsed,
    pub class: FailureClass,
}

#[derive(Clone, Debug, Default)]
pub struct View {
    pub info: Option<RunInfo>,
    /// 1 for a fresh run.
    pub session: u32,
    /// Tasks to run, all sessions of the run together.
    pub selected: u32,
    pub done: u32,
    pub failed: u32,
    pub blocked: u32,
    pub skipped: u32,
    /// Waiting for a person.
    pub manual: u32,
    /// Waiting for an answer.
    pub parked: BTreeSet<TaskId>,
    /// Given by the driver, found by simulating the rest.
    pub time_left: Option<Duration>,
    /// Since an interrupt or a reached budget: nothing more is started.
    pub is_stopping: bool,
    /// What tasks that could start wait for.
    pub waits_for: Option<Scarce>,
    /// Providers of models that a limit holds, and until when by the wall clock in milliseconds, if that is known.
    pub held: BTreeMap<String, Option<u64>>,
    pub outcome: Option<RunOutcome>,
    ends: Ends,
    /// As many as there are workers, in no order.
    running: Vec<Running>,
    waiting: HashMap<TaskId, BackingOff>,
    /// Reports of failed attempts of tasks that are not settled yet.
    failing: HashMap<TaskId, Box<AttemptReport>>,
    /// The last report of the task that the last event settled as failed.
    last_failure: Option<Box<AttemptReport>>,
    /// What ended last: its texts have room for those of what starts next.
    spare: Option<Running>,
}

impl View {
    pub fn new() -> View {
        View::default()
    }

    /// As after the events that `summary` has folded: for a resumed run.
    pub fn resumed(summary: &Summary) -> View {
        let mut view = View { session: summary.sessions.len() as u32, ..View::default() };
        view.ends.follow(summary.tasks());
        for (task, row) in summary.rows() {
            let ended = match row.state {
                TaskState::Done => Ended::Done,
                TaskState::Failed => Ended::Failed,
                TaskState::Blocked => Ended::Blocked,
                TaskState::Skipped => Ended::Skipped,
                _ => continue,
            };
            view.settle(&TaskRef { ix: task, id: summary.id(task).clone() }, ended);
        }
        let parked = summary.in_state(TaskState::Parked);
        view.parked = parked.map(|(task, _)| summary.id(task).clone()).collect();
        view.selected = summary.counts().selected;
        view
    }

    /// Takes in one event. `plan` is the plan as it reads after the event.
    pub fn apply(&mut self, plan: &Plan, event: &Event) {
        self.last_failure = None;
        self.ends.follow(&plan.tasks);
        match &event.kind {
            EventKind::RunStarted { info, selected, .. } => {
                *self = View { info: Some(info.clone()), session: 1, ..View::default() };
                self.count_selected(plan);
                // As it was then: when an old run is told again, the plan has changed since.
                self.selected = *selected;
            }
            EventKind::RunResumed { session, .. } => self.resume(plan, *session),
            EventKind::PlanChanged { removed, reopened, .. } => self.replan(plan, removed, reopened),
            EventKind::AttemptStarted { task, attempt, worker, .. } => {
                self.start(plan, task, *attempt, *worker, event.at);
            }
            EventKind::AttemptFinished { task, report, .. } => {
                self.spare = self.take_running(&task.id).or(self.spare.take());
                if !report.outcome.is_success() {
                    self.failing.insert(task.id.clone(), report.clone());
                }
            }
            EventKind::RetryScheduled { task, attempt, delay, class } => {
                let until = event.at + *delay;
                let waiting = BackingOff { id: task.id.clone(), attempt: *attempt, until, class: *class };
                self.waiting.insert(task.id.clone(), waiting);
            }
            EventKind::TaskDone { task, .. } => self.settle(task, Ended::Done),
            EventKind::TaskFailed { task, .. } => {
                self.last_failure = self.failing.remove(&task.id);
                self.settle(task, Ended::Failed);
            }
            EventKind::TaskBlocked { task, .. } => self.settle(task, Ended::Blocked),
            EventKind::TaskParked { task, .. } => {
                self.stand_by(&task.id);
                self.parked.insert(task.id.clone());
            }
            EventKind::QuestionAnswered { task, .. } => {
                self.parked.remove(&task.id);
            }
            EventKind::TaskSkipped { task, why } => self.skip(plan, task, *why),
            EventKind::TaskCancelled { task } => self.forget(task),
            EventKind::Interrupted { .. } | EventKind::BudgetReached { .. } => self.is_stopping = true,
            EventKind::AdmissionChanged { waits_for, .. } => self.waits_for = *waits_for,
            EventKind::ProviderHeld { provider, until, .. } => {
                self.held.insert(provider.clone(), *until);
            }
            EventKind::ProviderOpened { provider } => {
                self.held.remove(provider);
            }
            EventKind::RunFinished { outcome, .. } => self.outcome = Some(*outcome),
            EventKind::GateFinished { .. }
            | EventKind::AgentStep { .. }
            | EventKind::AgentChanged { .. }
            | EventKind::AttemptQuiet { .. }
            | EventKind::BoxTicked { .. }
            | EventKind::BoxPending { .. }
            | EventKind::CheckpointCreated { .. }
            | EventKind::WorktreeLeased { .. }
            | EventKind::AttemptSaved { .. }
            | EventKind::Integrated { .. }
            | EventKind::Conflicted { .. }
            | EventKind::ReviewNeeded { .. }
            | EventKind::Escaped { .. }
            | EventKind::Committed { .. }
            // Between sessions, when nothing is shown live.
            | EventKind::HookFinished { .. }
            | EventKind::RolledBack { .. }
            | EventKind::Note { .. } => {}
        }
    }

    /// A line of output of a running task. Its styles are dropped; it is made safe when drawn.
    pub fn output(&mut self, task: &TaskId, line: &str) {
        let Some(running) = self.running.iter_mut().find(|running| running.id == *task) else { return };
        let line = output_line(line);
        let line = line.trim();
        if !line.is_empty() {
            running.last_line.clear();
            running.last_line.push_str(&line[..line.floor_char_boundary(LAST_LINE_BYTES)]);
        }
    }

    pub fn settled(&self) -> u32 {
        self.done + self.failed + self.blocked + self.skipped
    }

    /// Settled over selected, rounded down: 100 means all.
    pub fn percent(&self) -> u32 {
        let (settled, selected) = (u64::from(self.settled()), u64::from(self.selected));
        (settled * 100).checked_div(selected).map_or(100, |percent| percent.min(100) as u32)
    }

    /// Neither settled, running nor backing off.
    pub fn queued(&self) -> u32 {
        let busy = (self.running.len() + self.waiting.len()) as u32;
        self.selected.saturating_sub(self.settled()).saturating_sub(busy)
    }

    pub fn running_count(&self) -> usize {
        self.running.len()
    }

    pub fn waiting_count(&self) -> usize {
        self.waiting.len()
    }

    /// Running tasks, the longest first.
    pub fn running(&self) -> Vec<&Running> {
        let mut running: Vec<&Running> = self.running.iter().collect();
        running.sort_by(|a, b| (a.since, a.worker, &a.id).cmp(&(b.since, b.worker, &b.id)));
        running
    }

    /// Tasks waiting for their next attempt, the next one first.
    pub fn waiting(&self) -> Vec<&BackingOff> {
        let mut waiting: Vec<&BackingOff> = self.waiting.values().collect();
        waiting.sort_by(|a, b| (a.until, &a.id).cmp(&(b.until, &b.id)));
        waiting
    }

    /// The last report of the task that the last event settled as failed, or that is to be tried again.
    pub fn failure(&self, task: &TaskId) -> Option<&AttemptReport> {
        self.last_failure.as_deref().or_else(|| self.failing.get(task).map(|report| &**report))
    }

    /// What failed or was blocked is open again; `selected` is counted anew because the file may have changed.
    fn resume(&mut self, plan: &Plan, session: u32) {
        self.session = session;
        self.is_stopping = false;
        self.waits_for = None;
        self.held.clear(); // what still is, is told again
        self.outcome = None;
        self.running.clear();
        self.waiting.clear();
        self.failing.clear();
        self.ends.keep_done();
        (self.failed, self.blocked, self.skipped) = (0, 0, 0);
        self.count_selected(plan);
    }

    fn replan(&mut self, plan: &Plan, removed: &[TaskId], reopened: &[TaskId]) {
        removed.iter().chain(reopened).for_each(|task| self.stand_by(task));
        for ended in self.ends.remove_all(removed.iter().chain(reopened)) {
            *self.counter(ended) -= 1;
        }
        self.count_selected(plan);
    }

    /// What is to be run and what this run has already ended: a finished task may read as done in the new plan.
    fn count_selected(&mut self, plan: &Plan) {
        let tasks = plan.tasks.iter().zip(&plan.planned).enumerate();
        let selected = tasks
            .filter(|(place, (task, planned))| planned.role == Role::Run || self.ends.has(*place, &task.id));
        self.selected = selected.count() as u32;
    }

    fn start(&mut self, plan: &Plan, task: &TaskRef, attempt: u32, worker: u32, at: Elapsed) {
        self.forget(task);
        let (mut text, mut last_line) =
            self.spare.take().map_or_else(Default::default, |spare| (spare.title, spare.last_line));
        text.clear();
        text.push_str(title(plan, task));
        last_line.clear();
        let running = Running { id: task.id.clone(), title: text, attempt, worker, since: at, last_line };
        self.running.push(running);
    }

    /// Only what was to be run counts as skipped; a manual task waits for its person.
    fn skip(&mut self, plan: &Plan, task: &TaskRef, why: SkipReason) {
        if why == SkipReason::Manual {
            self.manual += 1;
        }
        if plan.planned.get(task.ix.ix()).is_some_and(|planned| planned.role == Role::Run) {
            self.settle(task, Ended::Skipped);
        }
    }

    fn settle(&mut self, task: &TaskRef, ended: Ended) {
        self.stand_by(&task.id);
        if let Some(before) = self.ends.insert(task, ended) {
            *self.counter(before) -= 1;
        }
        *self.counter(ended) += 1;
    }

    /// As if nothing had happened to the task.
    fn forget(&mut self, task: &TaskRef) {
        self.stand_by(&task.id);
        if let Some(ended) = self.ends.remove(task) {
            *self.counter(ended) -= 1;
        }
    }

    /// It neither runs nor is about to. Looked up only where something is: the hash costs more than all the rest.
    fn stand_by(&mut self, task: &TaskId) {
        self.take_running(task);
        if !self.waiting.is_empty() {
            self.waiting.remove(task);
        }
        if !self.failing.is_empty() {
            self.failing.remove(task);
        }
    }

    fn take_running(&mut self, task: &TaskId) -> Option<Running> {
        let at = self.running.iter().position(|running| running.id == *task)?;
        Some(self.running.swap_remove(at))
    }

    fn counter(&mut self, ended: Ended) -> &mut u32 {
        match ended {
            Ended::Done => &mut self.done,
            Ended::Failed => &mut self.failed,
            Ended::Blocked => &mut self.blocked,
            Ended::Skipped => &mut self.skipped,
        }
    }
}

/// A task's title; empty if the plan no longer has the task.
pub fn title<'a>(plan: &'a Plan, task: &TaskRef) -> &'a str {
    plan.tasks
        .get(task.ix.ix())
        .filter(|planned| planned.id == task.id)
        .map_or("", |planned| planned.title.as_str())
}
