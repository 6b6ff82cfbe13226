//! Limits of providers, and what agents spent, as they bear on the run: what is told of them, and when waiting ends it.

use super::provider::{Held, ProviderIx, Terms};
use super::{Decision, Scheduler};
use crate::event::providers::clock;
use crate::event::{AttemptReport, BudgetKind, EventKind, FailureClass};
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
        self.record(out, kind);
        if stops {
            self.reach(out, BudgetKind::Provider, text);
        }
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
            self.overlap.provider(class).is_none_or(|provider| self.providers.holds(provider).is_none())
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
        let mut wanted: Vec<ProviderIx> =
            self.ready.classes().filter_map(|class| self.overlap.provider(class)).collect();
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
