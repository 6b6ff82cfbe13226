//! What the events of a run say so far: a fold, nothing more. It is what a resume knows.
//!
//! One look-up per event and one small record per task that ever had an event. Knows ids, not plans: the file may
//! read differently now. Says what happened; what to do about it is the scheduler's business.

pub mod checkpoints;
pub mod phases;

use crate::event::{
    AttemptOutcome, AttemptReport, Elapsed, Event, EventKind, FailureClass, Question, RunInfo, RunOutcome,
    Scarce, Spent,
};
use crate::task::TaskId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// How a task was last settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// For good, unless its box is cleared.
    Done,
    /// Open again on resume, with a fresh retry budget: who resumes asks for it.
    Failed,
    /// Open again on resume.
    Blocked,
    /// Open again on resume, if the plan then runs it.
    Skipped,
    /// Open again on resume, with what is left of its retry budget.
    Cancelled,
    /// Its agent asks something, and nobody has answered.
    Parked,
}

/// What is known of one task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskHistory {
    /// How it was settled; `None` again as soon as it starts once more.
    pub settled: Option<Settled>,
    /// Attempts started: the next one's number is one more, so that no log is overwritten.
    pub attempts: u32,
    /// Attempts that ended in failure, or under which the process died, since the task was last asked for.
    pub failed: u32,
    /// Waits for a rate or usage limit; they cost no attempt.
    pub limited: u32,
    /// Attempts that changed nothing.
    pub no_change: u32,
    /// Started, with no end on record: the process died under it. It runs again.
    pub in_flight: Option<u32>,
    /// The last attempt that did its work, and that could not be made part of the project's files.
    pub not_integrated: Option<u32>,
    /// The session in which it last started.
    session: u32,
    /// Its box was ticked, by specter or by a person.
    pub ticked: bool,
}

impl TaskHistory {
    pub fn is_done(&self) -> bool {
        self.settled == Some(Settled::Done)
    }

    fn start(&mut self, attempt: u32, session: u32) {
        self.session = session;
        if self.settled == Some(Settled::Failed) {
            self.forget_failures();
        }
        self.settled = None;
        self.attempts = self.attempts.max(attempt);
        if self.in_flight.replace(attempt).is_some() {
            self.failed += 1; // the one before has no end on record: the process died under it
        }
    }

    fn end(&mut self, report: &AttemptReport) {
        self.in_flight = None;
        if report.outcome == AttemptOutcome::NotIntegrated {
            self.not_integrated = Some(self.attempts);
        }
        match cost(report) {
            Cost::Nothing => {}
            Cost::Wait => self.limited += 1,
            Cost::Attempt => self.failed += 1,
        }
        if report.class == Some(FailureClass::NoChange) {
            self.no_change += 1;
        }
    }

    fn forget_failures(&mut self) {
        self.not_integrated = None;
        (self.failed, self.limited, self.no_change) = (0, 0, 0);
    }

    /// What counts against the retry budget of the next attempt.
    pub fn spent(&self) -> u32 {
        match self.settled {
            Some(Settled::Failed) => 0,
            _ => self.failed + u32::from(self.in_flight.is_some()),
        }
    }
}

/// What an ended attempt takes from a task's budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    Nothing,
    /// One of the waits for a limit.
    Wait,
    Attempt,
}

pub(crate) fn cost(report: &AttemptReport) -> Cost {
    if report.parked_by().is_some() {
        return Cost::Nothing; // who asks has not failed
    }
    match (&report.outcome, report.class) {
        (AttemptOutcome::Success | AttemptOutcome::Cancelled, _) | (_, Some(FailureClass::Cancelled)) => {
            Cost::Nothing
        }
        (_, Some(FailureClass::RateLimit | FailureClass::UsageLimit)) => Cost::Wait,
        _ => Cost::Attempt,
    }
}

/// The fold. `History::default()` is a run that has not begun.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    pub info: Option<RunInfo>,
    /// Sessions begun, the first one included.
    pub sessions: u32,
    /// Wall time in milliseconds at which the run, and its last session, began.
    pub started: u64,
    pub session_started: u64,
    /// Attempts started in all sessions.
    pub dispatches: u32,
    /// Time over all sessions but the last.
    pub elapsed_before: Duration,
    /// Time of the last session, as far as its events tell.
    pub elapsed_session: Elapsed,
    pub last_seq: u64,
    /// How the last session ended; `None` while it runs or when it died.
    pub outcome: Option<RunOutcome>,
    tasks: HashMap<TaskId, TaskHistory>,
    /// What the session waits for, in figures, if it waits for room on the machine.
    pub waits_for: Option<(Scarce, String)>,
    /// Over which files attempts of which task were at odds with others; relative to the repository's root.
    contested: BTreeSet<(TaskId, String)>,
    /// Providers that a limit holds, by name.
    holds: BTreeMap<String, Hold>,
    /// By agents, over all attempts.
    pub spent: Spent,
    /// Tasks that another agent took over.
    handed: BTreeMap<TaskId, Handed>,
    /// What agents asked, until the tasks go on.
    questions: BTreeMap<TaskId, Asked>,
}

/// A question, and the last answer to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The attempt that asks.
    pub attempt: u32,
    pub question: Question,
    pub answer: Option<String>,
}

/// Who does a task that was given to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handed {
    pub agent: String,
    /// Whose attempts are used up.
    pub used_up: BTreeSet<String>,
}

/// A provider's limit, as it was last told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Wall time in milliseconds; none: not again in that session.
    pub until: Option<u64>,
    pub told: bool,
    pub why: FailureClass,
    pub turn: u32,
    pub since: u64,
}

/// Of one conflict so many files are remembered: a task that is at odds over more is told apart by these.
pub const MAX_CONTESTED: usize = 64;

impl History {
    pub fn from_events<'a>(events: impl IntoIterator<Item = &'a Event>) -> History {
        let mut history = History::default();
        events.into_iter().for_each(|event| history.apply(event));
        history
    }

    /// The event that ended the last session, or went back after it; none if it died.
    pub fn ended_by(events: &[Event]) -> Option<&EventKind> {
        let is_border = |kind: &&EventKind| {
            use EventKind::{RolledBack, RunFinished, RunResumed, RunStarted};
            matches!(kind, RunFinished { .. } | RolledBack { .. } | RunStarted { .. } | RunResumed { .. })
        };
        let last = events.iter().rev().map(|event| &event.kind).find(is_border);
        last.filter(|kind| matches!(kind, EventKind::RunFinished { .. } | EventKind::RolledBack { .. }))
    }

    /// Whether there is anything to take up: begun, and not ended with all done.
    pub fn is_unfinished(&self) -> bool {
        self.sessions > 0 && self.outcome != Some(RunOutcome::AllDone)
    }

    /// Time over all sessions.
    pub fn elapsed(&self) -> Duration {
        self.elapsed_before + self.elapsed_session
    }

    pub fn task(&self, id: &TaskId) -> TaskHistory {
        self.tasks.get(id).copied().unwrap_or_default()
    }

    /// Every task that ever had an event, in no order.
    pub fn tasks(&self) -> impl Iterator<Item = (&TaskId, &TaskHistory)> {
        self.tasks.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    pub fn contested(&self) -> &BTreeSet<(TaskId, String)> {
        &self.contested
    }

    /// Until it is done, or failed and is asked for anew.
    pub fn handed(&self) -> &BTreeMap<TaskId, Handed> {
        &self.handed
    }

    /// What agents asked, answered or not, of tasks that have not gone on since.
    pub fn questions(&self) -> &BTreeMap<TaskId, Asked> {
        &self.questions
    }

    pub fn holds(&self) -> &BTreeMap<String, Hold> {
        &self.holds
    }

    pub fn apply(&mut self, event: &Event) {
        self.last_seq = self.last_seq.max(event.seq);
        let is_border = matches!(event.kind, EventKind::RunStarted { .. } | EventKind::RunResumed { .. });
        // What happens when the session is over does not make it longer.
        let is_late =
            self.outcome.is_some() && !is_border || matches!(event.kind, EventKind::RolledBack { .. });
        match &event.kind {
            EventKind::RunStarted { info, started, .. } => {
                self.info = Some(info.clone());
                self.started = *started;
                self.begin_session(1, *started);
            }
            EventKind::RunResumed { session, started, .. } => self.begin_session(*session, *started),
            EventKind::RunFinished { outcome, .. } => {
                self.outcome = Some(*outcome);
                self.waits_for = None;
            }
            EventKind::AdmissionChanged { waits_for, text } => {
                self.waits_for = waits_for.map(|scarce| (scarce, text.clone()));
            }
            EventKind::ProviderHeld { provider, until, told, why, turn, since, .. } => {
                let hold = Hold { until: *until, told: *told, why: *why, turn: *turn, since: *since };
                self.holds.insert(provider.clone(), hold);
            }
            EventKind::ProviderOpened { provider } => {
                self.holds.remove(provider);
            }
            EventKind::HookFinished { spent, .. } => {
                self.spent = self.spent.plus(spent.unwrap_or_default());
            }
            kind => self.apply_to_task(kind),
        }
        if !is_late {
            self.elapsed_session = self.elapsed_session.max(event.at);
        }
    }

    fn begin_session(&mut self, session: u32, started: u64) {
        self.elapsed_before += std::mem::take(&mut self.elapsed_session);
        self.sessions = session;
        self.session_started = started;
        self.outcome = None;
        self.waits_for = None;
        // Who resumes may have seen to it.
        self.holds.retain(|_, hold| hold.until.is_some());
    }

    fn apply_to_task(&mut self, kind: &EventKind) {
        match kind {
            EventKind::PlanChanged { reopened, ticked, .. } => self.edited(reopened, ticked),
            EventKind::RolledBack { reopened, done, .. } => {
                self.edited(reopened, done);
                // Whatever it had come to, there may be work again.
                self.outcome = Some(RunOutcome::Stopped);
            }
            EventKind::AttemptStarted { task, attempt, .. } => {
                self.questions.remove(&task.id);
                self.dispatches += 1;
                let session = self.sessions;
                self.entry(&task.id).start(*attempt, session);
            }
            EventKind::AttemptFinished { task, report, .. } => {
                self.entry(&task.id).end(report);
                if let Some(spent) = report.agent.as_ref().and_then(|agent| agent.spent) {
                    self.spent = self.spent.plus(spent);
                }
            }
            EventKind::AgentChanged { task, from, to, used_up, .. } => {
                let handed = self.handed.entry(task.id.clone()).or_default();
                handed.agent.clone_from(to);
                if *used_up {
                    handed.used_up.insert(from.clone());
                    let task = self.entry(&task.id);
                    (task.failed, task.no_change) = (0, 0);
                }
            }
            EventKind::TaskDone { task, .. } => {
                self.handed.remove(&task.id);
                self.settle(&task.id, Settled::Done);
            }
            EventKind::TaskFailed { task, .. } => {
                self.handed.remove(&task.id);
                self.settle(&task.id, Settled::Failed);
            }
            EventKind::TaskParked { task, attempt, question } => {
                self.settle(&task.id, Settled::Parked);
                let asked = Asked { attempt: *attempt, question: (**question).clone(), answer: None };
                self.questions.insert(task.id.clone(), asked);
            }
            EventKind::QuestionAnswered { task, answer, .. } => {
                if let Some(asked) = self.questions.get_mut(&task.id) {
                    asked.answer = Some(answer.clone());
                }
                let task = self.entry(&task.id);
                task.settled = task.settled.filter(|settled| *settled != Settled::Parked);
            }
            EventKind::TaskBlocked { task, .. } => self.settle(&task.id, Settled::Blocked),
            EventKind::TaskSkipped { task, .. } => {
                self.questions.remove(&task.id);
                self.settle(&task.id, Settled::Skipped);
            }
            EventKind::TaskCancelled { task } => self.settle(&task.id, Settled::Cancelled),
            EventKind::BoxTicked { task, .. } => self.entry(&task.id).ticked = true,
            EventKind::Conflicted { task, conflicts, .. } => {
                let paths = conflicts.iter().take(MAX_CONTESTED).map(|conflict| conflict.path.clone());
                self.contested.extend(paths.map(|path| (task.id.clone(), path)));
            }
            _ => {}
        }
    }

    /// A person changed boxes: a cleared one is asked for anew, a ticked one is believed.
    fn edited(&mut self, reopened: &[TaskId], ticked: &[TaskId]) {
        let session = self.sessions;
        for id in reopened {
            let task = self.entry(id);
            if task.settled == Some(Settled::Blocked) {
                task.settled = None; // freed, not cleared: what it spent before it was blocked is spent
                continue;
            }
            self.handed.remove(id);
            self.questions.remove(id);
            let task = self.entry(id);
            task.forget_failures();
            // What runs now goes on; what an earlier session left behind is forgotten with the rest.
            task.in_flight = task.in_flight.filter(|_| task.session == session);
            (task.settled, task.ticked) = (None, false);
        }
        for id in ticked {
            self.questions.remove(id);
            let task = self.entry(id);
            (task.settled, task.ticked) = (Some(Settled::Done), true);
        }
    }

    fn settle(&mut self, id: &TaskId, settled: Settled) {
        let task = self.entry(id);
        if task.settled.replace(settled) == Some(Settled::Failed) {
            task.forget_failures(); // that was in an earlier session; who resumed asked for it anew
        }
        if task.in_flight.take().is_some() {
            task.failed += 1; // its end is not on record: the process died under it, and now it is not run again
        }
    }

    fn entry(&mut self, id: &TaskId) -> &mut TaskHistory {
        self.tasks.entry(id.clone()).or_default()
    }
}
