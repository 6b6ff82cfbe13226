//! What the end of an attempt means for its task (SPEC 5.1, 5.2).

use super::staff::Seat;
use super::state::{Stage, TaskOutcome, TaskSlot};
use super::{Decision, Halt, Scheduler};
use crate::event::{
    AnsweredBy, AttemptReport, Elapsed, EventKind, FailureClass, Question, SkipReason, TaskRef, Verdict,
};
use crate::history::{Cost, cost};
use crate::plan::Role;
use crate::policy::FailurePolicy;
use crate::task::{TaskId, TaskIx};
use std::time::Duration;

/// A limit that never ends is a failure: after this many waits for one, a task has failed.
const MAX_LIMITED: u32 = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    Done,
    Cancelled,
    /// It waits for an answer.
    Parked,
    Failed(FailureClass),
    /// Tried again; `turn` is the attempt as the waits count them (2 is the first retry).
    Again {
        class: FailureClass,
        turn: u32,
    },
}

/// Takes from the task's budget and says what is left of it.
///
/// Where a provider is known, it is held as a whole, and how long the run waits for it is limited there.
fn judge(report: &AttemptReport, slot: &mut TaskSlot, max_no_change: u32, has_provider: bool) -> Judgement {
    let class = report.class.unwrap_or(FailureClass::Unknown);
    match cost(report) {
        Cost::Nothing if report.outcome.is_success() => return Judgement::Done,
        Cost::Nothing if report.parked_by().is_some() => return Judgement::Parked,
        Cost::Nothing => return Judgement::Cancelled,
        Cost::Wait if slot.limited >= MAX_LIMITED && !has_provider => return Judgement::Failed(class),
        Cost::Wait => {
            slot.limited += 1;
            return Judgement::Again { class, turn: slot.limited + 1 };
        }
        Cost::Attempt => slot.spent += 1,
    }
    slot.no_change += u32::from(class == FailureClass::NoChange);
    let spent = slot.spent >= slot.max_attempts || slot.no_change >= max_no_change;
    if class == FailureClass::Permanent || spent {
        Judgement::Failed(class)
    } else {
        Judgement::Again { class, turn: slot.spent + 1 }
    }
}

impl Scheduler {
    /// Whether `task` fails for good if the attempt that runs now costs its share of the budget and fails.
    pub fn is_last_attempt(&self, task: TaskIx) -> bool {
        // A task that was removed from the file while it ran is not tried again.
        let Some(slot) = (task.ix() < self.board.len()).then(|| self.board.get(task)) else { return true };
        slot.spent + 1 >= slot.max_attempts
    }

    pub(super) fn attempt_finished(&mut self, out: &mut Decision, task: TaskIx, report: AttemptReport) {
        if task.ix() >= self.board.len() {
            return self.removed_finished(out, task, report);
        }
        let Stage::Running { worker } = self.board.stage(task) else {
            return; // a late report of an attempt that was given up
        };
        self.slots.give_back(worker);
        self.overlap.end(task);
        let max_no_change = self.limits.budgets.max_no_change;
        let seat = self.overlap.seat(self.overlap.class(task));
        let has_provider = seat.is_some_and(|seat| self.staff.provider(seat).is_some());
        // What checks find in a command that nobody can run, no other agent mends.
        // Nor is what one asks for another to guess.
        let asks = report.agent.as_ref().and_then(|agent| agent.asks.clone());
        let is_final = report.class == Some(FailureClass::Permanent);
        let may_pass_on = !is_final || (report.block.is_none() && asks.is_none());
        let limit = self.note_limit(worker, &report);
        self.note_spent(&report);
        let slot = self.board.get_mut(task);
        let attempt = slot.attempts;
        let judgement = judge(&report, slot, max_no_change, has_provider);
        let (duration, verified, after) = (report.duration, report.verified, report.retry_after_ms);
        // Its provider waits, by the wall clock; the task need not too.
        let is_limit = matches!(report.class, Some(FailureClass::RateLimit | FailureClass::UsageLimit));
        let after = after.filter(|_| !(has_provider && is_limit));
        let task_ref = self.task_ref(task);
        let finished =
            EventKind::AttemptFinished { task: task_ref.clone(), attempt, report: Box::new(report) };
        self.record(out, finished);
        self.tell_limit(out, limit);
        let not_run = self.board.get(task).role != Role::Run || self.board.get(task).believed;
        match judgement {
            Judgement::Done => self.done(out, task, task_ref, duration, verified),
            _ if not_run => self.ended_unasked(out, task, task_ref),
            Judgement::Cancelled => self.cancelled(out, task, task_ref),
            Judgement::Parked => self.park(out, task, task_ref, asks.unwrap_or_default()),
            Judgement::Again { .. } if self.halt.is_some() => self.cancelled(out, task, task_ref),
            Judgement::Again { class, turn } => {
                self.take_default(out, &task_ref, attempt, asks.as_deref());
                self.retry(out, task, task_ref, class, turn, after);
            }
            Judgement::Failed(class) => match seat.filter(|_| may_pass_on) {
                Some(seat) => self.pass_on(out, task, task_ref, class, seat),
                None => self.failed(out, task, task_ref, class),
            },
        }
    }

    /// The attempts of one agent are used up: the next one of the chain has its own (SPEC 5.3).
    fn pass_on(
        &mut self,
        out: &mut Decision,
        task: TaskIx,
        task_ref: TaskRef,
        class: FailureClass,
        seat: Seat,
    ) {
        let Some(next) = self.staff.after_failure(seat) else {
            return self.failed(out, task, task_ref, class);
        };
        self.tell_handed_over(out, task, (seat, next), class, None, true);
        self.reseat(task, next);
        let slot = self.board.get_mut(task);
        (slot.spent, slot.no_change) = (0, 0);
        if self.halt.is_some() {
            self.cancelled(out, task, task_ref);
        } else {
            self.retry(out, task, task_ref, class, 2, None);
        }
    }

    fn done(
        &mut self,
        out: &mut Decision,
        task: TaskIx,
        task_ref: TaskRef,
        duration: Duration,
        verified: bool,
    ) {
        self.velocity.expected += Duration::from(self.plan.planned(task).estimate);
        self.velocity.taken += duration;
        let verdict = if verified { Verdict::Verified } else { Verdict::Unverified };
        let attempts = self.board.get(task).attempts;
        self.record(out, EventKind::TaskDone { task: task_ref, attempts, verdict, duration });
        self.settle(out, task, TaskOutcome::Done);
    }

    fn failed(&mut self, out: &mut Decision, task: TaskIx, task_ref: TaskRef, class: FailureClass) {
        let attempts = self.board.get(task).attempts;
        self.record(out, EventKind::TaskFailed { task: task_ref, attempts, class });
        self.settle(out, task, TaskOutcome::Failed);
        if self.limits.failure == FailurePolicy::FailFast && self.halt.is_none() {
            self.halt = Some(Halt::FailFast);
        }
    }

    /// What needs it waits with it, all else goes on (SPEC 4.6).
    fn park(&mut self, out: &mut Decision, task: TaskIx, task_ref: TaskRef, question: Box<Question>) {
        let attempt = self.board.get(task).attempts;
        self.board.get_mut(task).asked = attempt;
        self.record(out, EventKind::TaskParked { task: task_ref, attempt, question });
        self.settle(out, task, TaskOutcome::Parked);
    }

    /// Nobody is there to answer: it goes on as it would by itself.
    fn take_default(&mut self, out: &mut Decision, task: &TaskRef, attempt: u32, asks: Option<&Question>) {
        if let Some(answer) = asks.and_then(|asks| asks.default.clone()) {
            let (task, by) = (task.clone(), AnsweredBy::Default);
            self.record(out, EventKind::QuestionAnswered { task, attempt, answer, by });
        }
    }

    /// Somebody answers what `task` asked in `attempt`. A later answer to the same question counts instead, until the task
    /// goes on. Nothing comes of an answer to what nobody asked, or to an earlier question: then the decision is empty.
    pub fn answer(&mut self, now: Elapsed, id: &TaskId, attempt: u32, answer: &str) -> Decision {
        let mut out = Decision::default();
        let known = self.plan.find(id.as_str()).filter(|task| {
            let slot = self.board.get(*task);
            let is_running = matches!(slot.stage(), Stage::Running { .. });
            slot.asked == attempt && attempt > 0 && slot.attempts == attempt && !is_running && !slot.is_done()
        });
        let Some(task) = known.filter(|_| !self.over) else { return out };
        self.now = self.now.max(now);
        self.begin_once(&mut out);
        let (task_ref, by) = (self.task_ref(task), AnsweredBy::Person);
        let answer = answer.to_owned();
        self.record(&mut out, EventKind::QuestionAnswered { task: task_ref, attempt, answer, by });
        if self.board.stage(task) == Stage::Settled(TaskOutcome::Parked) {
            self.unpark(&mut out, task);
        }
        out
    }

    fn cancelled(&mut self, out: &mut Decision, task: TaskIx, task_ref: TaskRef) {
        self.record(out, EventKind::TaskCancelled { task: task_ref });
        self.settle(out, task, TaskOutcome::Cancelled);
    }

    fn retry(
        &mut self,
        out: &mut Decision,
        task: TaskIx,
        task_ref: TaskRef,
        class: FailureClass,
        turn: u32,
        after_ms: Option<u64>,
    ) {
        let named = Duration::from_millis(after_ms.unwrap_or(0));
        let delay = self.limits.retry.delay(turn, &mut self.rng).max(named);
        let delay = Duration::from_millis(delay.as_millis() as u64); // as it will read from disk
        let attempt = self.board.get(task).attempts + 1;
        self.board.get_mut(task).not_before = (self.now + delay).into();
        self.record(out, EventKind::RetryScheduled { task: task_ref, attempt, delay, class });
        self.make_ready(task);
    }

    /// While it ran, a person ticked it or took it out of the work, and it did not succeed: their word stands.
    fn ended_unasked(&mut self, out: &mut Decision, task: TaskIx, task_ref: TaskRef) {
        let slot = self.board.get(task);
        let outcome = match slot.role {
            Role::LeftOut(left_out) if !slot.believed => left_out.into(),
            _ => TaskOutcome::Done,
        };
        if let TaskOutcome::Skipped(why) = outcome {
            self.record(out, EventKind::TaskSkipped { task: task_ref, why });
        }
        self.settle(out, task, outcome);
    }

    /// The file no longer has the task: nothing follows from its end but that others may start again.
    fn removed_finished(&mut self, out: &mut Decision, task: TaskIx, report: AttemptReport) {
        let place = task.ix() - self.board.len();
        let Some(mut removed) = self.removed.get_mut(place).and_then(Option::take) else { return };
        if self.removed.iter().all(Option::is_none) {
            self.removed.clear();
        }
        let mut limit = None;
        if let Some(worker) = removed.slot.worker() {
            self.slots.give_back(worker);
            limit = self.note_limit(worker, &report);
        }
        self.note_spent(&report);
        let attempt = removed.slot.attempts;
        judge(&report, &mut removed.slot, u32::MAX, true); // counted, should the task come back
        self.dropped.insert(removed.id.clone(), removed.slot.staged(Stage::Waiting));
        let task = TaskRef { ix: TaskRef::UNRESOLVED, id: removed.id };
        let report = Box::new(report);
        self.record(out, EventKind::AttemptFinished { task: task.clone(), attempt, report });
        self.tell_limit(out, limit);
        self.record(out, EventKind::TaskSkipped { task, why: SkipReason::Removed });
    }
}
