//! How a run begins and ends: the first and the last event, interrupts, budgets (SPEC 4.4, 4.5).

use super::state::Edit;
use super::{Action, Decision, Scheduler};
use crate::event::{BudgetKind, Elapsed, EventKind, RunOutcome, Stop};
use crate::task::TaskId;

/// Why nothing more is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// A task has failed and `--fail-fast` was given.
    FailFast,
    Budget(BudgetKind),
    Interrupted {
        signal: i32,
    },
}

impl Scheduler {
    pub(super) fn begin_once(&mut self, out: &mut Decision) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        if !self.session.is_begun {
            let kind = self.beginning();
            self.record(out, kind);
        }
        self.tell_held(out);
        if self.session.number > 1 {
            self.tell_boxes(out);
        }
        self.set_going(out);
    }

    /// The session's first event.
    pub fn beginning(&self) -> EventKind {
        let groups = self.plan.tasks.iter().filter(|task| task.is_group).count();
        let total = (self.plan.tasks.len() - groups) as u32;
        let counts = self.counts();
        let (selected, done_before) = (counts.selected, counts.done_before);
        let started = self.session.started;
        if self.session.number > 1 {
            let (session, jobs) = (self.session.number, self.limits.jobs);
            EventKind::RunResumed { session, started, jobs, total, selected, done_before }
        } else {
            EventKind::RunStarted { info: self.session.info.clone(), started, total, selected, done_before }
        }
    }

    /// Between two sessions a person cleared or ticked boxes: so the record agrees with the file again.
    fn tell_boxes(&mut self, out: &mut Decision) {
        let ids = |edit: Edit| -> Vec<TaskId> {
            let edited = self.board.all().filter(|(_, slot)| slot.edit == Some(edit));
            edited.map(|(task, _)| self.plan.task(task).id.clone()).collect()
        };
        let (reopened, ticked) = (ids(Edit::Cleared), ids(Edit::Ticked));
        if !reopened.is_empty() || !ticked.is_empty() {
            let (added, removed) = (Vec::new(), Vec::new());
            self.record(out, EventKind::PlanChanged { added, removed, reopened, ticked });
        }
    }

    pub(super) fn interrupt(&mut self, out: &mut Decision, signal: i32, name: &str, how: Stop) {
        let first = !matches!(self.halt, Some(Halt::Interrupted { .. }));
        if !first && self.stop >= Some(how) {
            return; // the same again
        }
        self.record(out, EventKind::Interrupted { signal: name.to_owned(), how });
        if first {
            self.halt = Some(Halt::Interrupted { signal });
        }
        self.end_running(out, how);
    }

    fn end_running(&mut self, out: &mut Decision, how: Stop) {
        if self.stop < Some(how) {
            self.stop = Some(how);
            out.actions.extend(self.slots.running().map(|(_, task)| Action::Cancel { task, how }));
        }
    }

    /// When the time budget is used up, in this session's time.
    pub(super) fn deadline(&self) -> Option<Elapsed> {
        Some(self.limits.budgets.max_time?.saturating_sub(self.elapsed_before))
    }

    pub(super) fn check_time(&mut self, out: &mut Decision) {
        let work_left = self.slots.len() > 0 || self.has_startable();
        if self.halt.is_none() && work_left && self.deadline().is_some_and(|deadline| self.now >= deadline) {
            let limit = self.limits.budgets.max_time.unwrap_or_default();
            self.reach(out, BudgetKind::Time, format!("{limit:?}"));
            self.end_running(out, Stop::Gracefully);
        }
    }

    /// Reached when one more start is wanted, so that a run that needs exactly its budget ends well.
    pub(super) fn check_dispatches(&mut self, out: &mut Decision) {
        let Some(limit) = self.limits.budgets.max_dispatches else { return };
        if self.dispatches >= limit && self.has_startable() {
            self.reach(out, BudgetKind::Dispatches, limit.to_string());
        }
    }

    pub(super) fn has_startable(&self) -> bool {
        !self.ready.is_empty() || !self.backing_off.is_empty()
    }

    pub(super) fn reach(&mut self, out: &mut Decision, budget: BudgetKind, limit: String) {
        self.record(out, EventKind::BudgetReached { budget, limit });
        self.halt = Some(Halt::Budget(budget));
    }

    pub(super) fn exit_if_over(&mut self, out: &mut Decision) {
        if self.slots.len() > 0 || (self.halt.is_none() && self.has_startable()) {
            return;
        }
        self.over = true;
        let (outcome, counts) = (self.outcome(), self.counts());
        let duration = self.elapsed_before + self.now;
        self.record(out, EventKind::RunFinished { outcome, counts, duration, unticked: 0 });
        out.actions.push(Action::Exit(outcome));
    }

    fn outcome(&self) -> RunOutcome {
        let counts = self.counts();
        let all_settled = counts.open + counts.cancelled == 0;
        match self.halt {
            _ if self.board.all_done() => RunOutcome::AllDone,
            Some(Halt::Interrupted { signal }) => RunOutcome::Interrupted { signal },
            Some(Halt::Budget(_)) if !all_settled => RunOutcome::Stopped,
            // A person answers, and it goes on.
            _ if counts.parked > 0 => RunOutcome::Stopped,
            _ => RunOutcome::SomeFailed,
        }
    }

    /// Why nothing more is started, if so.
    pub fn halt(&self) -> Option<Halt> {
        self.halt
    }

    /// Whether the run has ended.
    pub fn is_over(&self) -> bool {
        self.over
    }
}
