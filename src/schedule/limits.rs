//! Limits of providers, and what agents spent, as they bear on the run: what is told of them, and when waiting ends it.

use super::provider::{Held, ProviderIx, Terms};
use super::staff::Seat;
use super::{Decision, Scheduler};
use crate::event::providers::clock;
use crate::event::{AttemptReport, BudgetKind, EventKind, FailureClass, NoteLevel};
use crate::policy::OnLimit;
use crate::task::TaskIx;

impl Scheduler {
    /// Whether anything waits for a time by the wall clock: then [`super::Input::Wall`] is to come before each wake-up.
    pub fn waits_for_wall(&self) -> bool {
        self.providers.waits()
    }

    pub(super) fn wall_told(&mut self, out: &mut Decision, ms: u64) {
        if !self.providers.is_empty() {
            let told = self.providers.look(self.now, ms);
            told.into_iter().for_each(|kind| self.record(out, kind));
        }
    }

    /// Limits that an earlier session met, and that are not over.
    pub(super) fn tell_held(&mut self, out: &mut Decision) {
        self.wall_told(out, self.session.started);
        let told = self.providers.held();
        told.into_iter().for_each(|kind| self.record(out, kind));
    }

    pub(super) fn note_spent(&mut self, report: &AttemptReport) {
        if let Some(spent) = report.agent.as_ref().and_then(|agent| agent.spent) {
            self.spent = self.spent.plus(spent);
        }
    }

    /// An attempt in slot `worker` ended: what that says of its provider.
    pub(super) fn note_limit(&mut self, worker: u32, report: &AttemptReport) -> Option<EventKind> {
        if self.providers.is_empty() {
            return None;
        }
        let terms = Terms { jobs: self.limits.jobs, base: self.limits.retry.base };
        self.providers.ended(worker, report, self.now, terms)
    }

    pub(super) fn tell_limit(&mut self, out: &mut Decision, told: Option<EventKind>) {
        let Some(kind) = told else { return };
        let stops = matches!(&kind, EventKind::ProviderHeld { why: FailureClass::UsageLimit, .. })
            && self.limits.budgets.on_limit == OnLimit::Stop
            && self.halt.is_none();
        let text = match &kind {
            EventKind::ProviderHeld { provider, until, told, .. } if stops => {
                at_limit(provider, until.filter(|_| *told))
            }
            _ => String::new(),
        };
        let nobody = self.why_nobody_takes_over(&kind);
        self.record(out, kind);
        nobody.into_iter().for_each(|note| self.record(out, note));
        if stops {
            self.reach(out, BudgetKind::Provider, text);
        }
    }

    /// Said once: what is to take over at a limit, and does not.
    fn why_nobody_takes_over(&mut self, held: &EventKind) -> Option<EventKind> {
        let EventKind::ProviderHeld { provider, why: FailureClass::UsageLimit, .. } = held else {
            return None;
        };
        if self.staff.has_said_why {
            return None;
        }
        let text = self.staff.why_nobody(self.providers.by_name(provider)?)?;
        self.staff.has_said_why = true;
        Some(EventKind::Note { level: NoteLevel::Warn, text })
    }

    /// Which agent does `task`, or is to do it next; none: the shell, or one without a name.
    pub fn agent_of(&self, task: TaskIx) -> Option<&str> {
        let seat = self.overlap.seat(self.overlap.class(task))?;
        Some(self.staff.name(seat))
    }

    /// Whoever does `task` now does it on behalf of `seat`; true if that is somebody else than before.
    pub(super) fn reseat(&mut self, task: TaskIx, seat: Seat) -> bool {
        if self.board.get(task).seat == Some(seat) {
            return false;
        }
        self.board.get_mut(task).seat = Some(seat);
        self.overlap.reseat(task, seat);
        self.ready.make_room(self.overlap.class_count());
        true
    }

    /// Who starts on `task` now: where its agent may not be asked, the next one who may.
    pub(super) fn seat_for_start(&mut self, out: &mut Decision, task: TaskIx) -> Option<ProviderIx> {
        let seat = self.overlap.seat(self.overlap.class(task))?;
        let chosen = self.staff.choose(seat, &self.providers).unwrap_or(seat);
        if chosen != seat {
            let held = self.staff.provider(seat).and_then(|provider| self.providers.holds(provider));
            let (until, why) = match held {
                Some(Held::Until(until, why)) => (until, why),
                _ => (None, FailureClass::UsageLimit),
            };
            self.tell_handed_over(out, task, (seat, chosen), why, until, false);
            self.reseat(task, chosen);
        }
        self.staff.provider(chosen)
    }

    pub(super) fn tell_handed_over(
        &mut self,
        out: &mut Decision,
        task: TaskIx,
        (from, to): (Seat, Seat),
        why: FailureClass,
        until: Option<u64>,
        used_up: bool,
    ) {
        let (from, to) = (self.staff.name(from).to_owned(), self.staff.name(to).to_owned());
        let task = self.task_ref(task);
        self.record(out, EventKind::AgentChanged { task, from, to, why, until, used_up });
    }

    /// An agent at work did something: whoever it asks answers.
    pub(super) fn note_answer(&mut self, task: TaskIx) {
        if self.providers.is_empty() || task.ix() >= self.board.len() {
            return;
        }
        if let Some(worker) = self.board.get(task).worker() {
            self.providers.answered(worker);
        }
    }

    pub(super) fn open_answered(&mut self, out: &mut Decision) {
        if !self.providers.is_empty() {
            let told = self.providers.open_answered();
            told.into_iter().for_each(|kind| self.record(out, kind));
        }
    }

    /// Whether anything that is ready could start as far as providers go.
    pub(super) fn has_open_ready(&self) -> bool {
        if self.providers.is_empty() {
            return !self.ready.is_empty();
        }
        self.ready.classes().any(|class| {
            self.overlap.seat(class).is_none_or(|seat| self.staff.choose(seat, &self.providers).is_some())
        })
    }

    /// All that is left waits for providers, for longer than was allowed: the run ends, to be taken up later.
    pub(super) fn check_waits(&mut self, out: &mut Decision) {
        let waits = !self.providers.is_empty()
            && self.halt.is_none()
            && self.slots.len() == 0
            && self.backing_off.is_empty()
            && !self.ready.is_empty();
        if !waits || self.has_open_ready() {
            return;
        }
        let longest = self.limits.budgets.max_wait;
        let seats = self.ready.classes().filter_map(|class| self.overlap.seat(class));
        let mut wanted: Vec<ProviderIx> =
            seats.flat_map(|seat| self.staff.awaited(seat, &self.providers)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.iter().any(|provider| self.providers.is_worth_waiting(*provider, self.now, longest)) {
            return;
        }
        let told = wanted.iter().map(|provider| match self.providers.holds(*provider) {
            Some(Held::Until(None, _)) => {
                format!("{} refuses whatever is asked", self.providers.name(*provider))
            }
            Some(Held::Until(until, _)) => at_limit(self.providers.name(*provider), until),
            _ => at_limit(self.providers.name(*provider), None),
        });
        let text = told.collect::<Vec<_>>().join(", ");
        self.reach(out, BudgetKind::Provider, text);
    }

    /// Reached when one more start is wanted, as with attempts.
    pub(super) fn check_spent(&mut self, out: &mut Decision) {
        let budgets = &self.limits.budgets;
        if budgets.max_tokens.is_none() && budgets.max_cost_micros.is_none() {
            return;
        }
        let tokens = budgets.max_tokens.filter(|limit| self.spent.tokens() >= *limit);
        let cost = budgets.max_cost_micros.filter(|limit| self.spent.cost_micros.unwrap_or(0) >= *limit);
        if self.halt.is_some() || !self.has_startable() {
            return;
        }
        if let Some(limit) = tokens {
            self.reach(out, BudgetKind::Tokens, limit.to_string());
        } else if let Some(limit) = cost {
            self.reach(
                out,
                BudgetKind::Cost,
                format!("${}.{:02}", limit / 1_000_000, limit % 1_000_000 / 10_000),
            );
        }
    }
}

fn at_limit(provider: &str, until: Option<u64>) -> String {
    match until {
        Some(until) => format!("{provider} is at its limit until {}", clock(until)),
        None => format!("{provider} is at its limit"),
    }
}
