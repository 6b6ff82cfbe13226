//! The account of one run of an agent, folded from what it told: bounded, however much that was.

use super::told::{self, AgentError, PlanItem, StepKind, StopReason, Told, Usage, UsageScope};
use std::collections::HashMap;

/// Of more steps the first and the last are kept.
const MAX_STEPS: usize = 1000;
const MAX_ERRORS: usize = 32;

#[derive(Clone, Debug, Default)]
pub struct Account {
    pub session: Option<String>,
    pub model: Option<String>,
    pub steps: Vec<Step>,
    /// Steps that are not in the list because it was full.
    pub steps_left_out: u64,
    pub plan: Vec<PlanItem>,
    /// Nothing: the agent told of none.
    pub usage: Option<Usage>,
    /// The last message.
    pub final_text: String,
    /// In order; [`Account::survived`] of them are past.
    pub errors: Vec<AgentError>,
    /// So many of the first errors were followed by work.
    pub survived: usize,
    pub stop: Option<StopReason>,
    /// What it tried again by itself.
    pub retries: u32,
    /// Why it tries again by itself, as long as nothing came of that.
    pub waits: Option<AgentError>,
    /// Bytes of lines that were not what the format promises.
    pub unreadable: u64,
    /// Anything readable was told at all.
    pub told: bool,
    open: HashMap<String, usize>,
}

/// Something the agent did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub kind: StepKind,
    pub title: String,
    pub paths: Vec<String>,
    /// Nothing: it did not end, or the agent does not say how.
    pub ok: Option<bool>,
    pub exit: Option<i32>,
    pub ended: bool,
}

impl Account {
    pub fn tell(&mut self, told: &Told) {
        self.told |= !matches!(told, Told::Unreadable { .. });
        match told {
            Told::Session(id) => self.session = Some(id.clone()),
            Told::Model(name) => self.model = Some(name.clone()),
            Told::Text(text) => {
                self.work();
                self.final_text = told::bounded(text, told::MAX_TEXT);
            }
            Told::StepBegun { key, kind, title, paths } => {
                self.work();
                self.begin(
                    key,
                    Step {
                        kind: *kind,
                        title: title.clone(),
                        paths: paths.clone(),
                        ok: None,
                        exit: None,
                        ended: false,
                    },
                );
            }
            Told::StepEnded { key, ok, exit, .. } => self.end(key, *ok, *exit),
            Told::Plan(items) => self.plan.clone_from(items),
            Told::Usage { of: UsageScope::Total, usage } => self.usage = Some(*usage),
            Told::Usage { of: UsageScope::Add, usage } => {
                self.usage = Some(self.usage.unwrap_or_default().plus(*usage));
            }
            Told::Retry { after, why } => {
                self.retries = self.retries.saturating_add(1);
                self.waits = Some(AgentError { retry_after: *after, ..AgentError::new("", why.as_str()) });
            }
            Told::Failed(error) => self.fail(error),
            Told::Stop(reason) => self.stop = Some(reason.clone()),
            Told::Unreadable { bytes } => self.unreadable = self.unreadable.saturating_add(*bytes),
        }
    }

    /// Errors after which nothing was done any more.
    pub fn open_errors(&self) -> &[AgentError] {
        self.errors.get(self.survived..).unwrap_or_default()
    }

    /// Steps begun, those included that are not in the list.
    pub fn steps_in_all(&self) -> u64 {
        self.steps.len() as u64 + self.steps_left_out
    }

    fn work(&mut self) {
        self.survived = self.errors.len();
        self.stop = None;
        self.waits = None;
    }

    fn begin(&mut self, key: &str, step: Step) {
        if self.steps.len() == MAX_STEPS {
            // Half of the list stays, the other half moves on, so that dropping costs nothing per step.
            let middle = MAX_STEPS / 2..MAX_STEPS * 3 / 4;
            let (from, gone) = (middle.end, middle.len());
            self.steps_left_out += gone as u64;
            self.steps.drain(middle.clone());
            self.open.retain(|_, at| !middle.contains(at));
            self.open.values_mut().filter(|at| **at >= from).for_each(|at| *at -= gone);
        }
        self.open.insert(key.to_owned(), self.steps.len());
        self.steps.push(step);
    }

    fn end(&mut self, key: &str, ok: Option<bool>, exit: Option<i32>) {
        let Some(at) = self.open.remove(key) else { return };
        if let Some(step) = self.steps.get_mut(at) {
            (step.ok, step.exit, step.ended) = (ok, exit, true);
        }
    }

    /// The same failure is often told twice: by the request and by the turn.
    fn fail(&mut self, error: &AgentError) {
        let open = self.errors.len() > self.survived;
        if open && self.errors.last() == Some(error) {
            return;
        }
        if self.errors.len() == MAX_ERRORS {
            self.errors.remove(0);
            self.survived = self.survived.saturating_sub(1);
        }
        self.errors.push(error.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(all: &[Told]) -> Account {
        let mut account = Account::default();
        all.iter().for_each(|told| account.tell(told));
        account
    }

    fn begun(key: &str) -> Told {
        Told::StepBegun { key: key.to_owned(), kind: StepKind::Run, title: key.to_owned(), paths: vec![] }
    }

    fn ended(key: &str, ok: bool) -> Told {
        Told::StepEnded { key: key.to_owned(), ok: Some(ok), exit: None, output: String::new() }
    }

    fn usage(of: UsageScope, input: u64) -> Told {
        Told::Usage { of, usage: Usage { input, ..Usage::default() } }
    }

    #[test]
    fn a_step_ends_as_it_was_told_whatever_ended_between() {
        let account = told(&[begun("a"), begun("b"), ended("b", true), ended("a", false), ended("x", true)]);
        let ends: Vec<Option<bool>> = account.steps.iter().map(|step| step.ok).collect();
        assert_eq!(ends, [Some(false), Some(true)]);
    }

    #[test]
    fn a_key_that_is_used_again_names_the_new_step() {
        let account = told(&[begun("a"), ended("a", false), begun("a"), ended("a", true)]);
        let ends: Vec<Option<bool>> = account.steps.iter().map(|step| step.ok).collect();
        assert_eq!(ends, [Some(false), Some(true)]);
    }

    #[test]
    fn of_very_many_steps_the_first_and_the_last_are_kept_and_still_end() {
        let mut account = Account::default();
        for n in 0..5000 {
            account.tell(&begun(&n.to_string()));
        }
        assert!(account.steps.len() <= MAX_STEPS);
        assert_eq!(account.steps_in_all(), 5000);
        assert_eq!((account.steps[0].title.as_str(), account.steps[499].title.as_str()), ("0", "499"));
        account.tell(&ended("4999", true));
        account.tell(&ended("3", true));
        assert_eq!(account.steps.last().map(|step| (step.title.as_str(), step.ended)), Some(("4999", true)));
        assert!(account.steps[3].ended && !account.steps[4].ended);
        assert!(account.open.len() <= MAX_STEPS);
    }

    #[test]
    fn a_total_replaces_and_the_rest_adds_up() {
        let account = told(&[usage(UsageScope::Add, 3), usage(UsageScope::Add, 4)]);
        assert_eq!(account.usage.map(|usage| usage.input), Some(7));
        let account = told(&[usage(UsageScope::Add, 3), usage(UsageScope::Total, 5)]);
        assert_eq!(account.usage.map(|usage| usage.input), Some(5));
    }

    #[test]
    fn an_error_is_past_once_work_went_on_and_is_counted_once() {
        let error = Told::Failed(AgentError::new("rate_limit", "slow down"));
        let account = told(&[error.clone(), error.clone()]);
        assert_eq!(account.open_errors().len(), 1);
        let account = told(&[error.clone(), begun("a"), ended("a", true)]);
        assert!(account.open_errors().is_empty() && account.errors.len() == 1);
        let account = told(&[error.clone(), begun("a"), error]);
        assert_eq!((account.open_errors().len(), account.errors.len()), (1, 2));
    }
}
