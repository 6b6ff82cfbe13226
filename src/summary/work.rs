//! What agents did and spent, for one task and for the whole run.

use crate::event::{AgentReport, AgentStep, Spent};

/// Of a task so many steps are remembered; further ones are counted.
const MAX_ACTIONS: usize = 100;

/// What agents did for one task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentWork {
    /// The preset of the last attempt.
    pub agent: String,
    /// All attempts together.
    pub spent: Option<Spent>,
    pub actions: Vec<Action>,
    /// Steps that are not among the actions.
    pub more: u64,
    /// The end of the last attempt's last message.
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub attempt: u32,
    pub step: AgentStep,
}

impl AgentWork {
    pub(super) fn took(&mut self, attempt: u32, step: &AgentStep) {
        if self.actions.len() < MAX_ACTIONS {
            self.actions.push(Action { attempt, step: step.clone() });
        } else {
            self.more += 1;
        }
    }

    pub(super) fn ended(&mut self, report: &AgentReport) {
        self.agent.clone_from(&report.agent);
        self.text.clone_from(&report.text);
        add(&mut self.spent, report.spent);
    }
}

/// What attempts at one provider came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The provider, or the story.
    pub name: String,
    pub attempts: u32,
    /// None: no agent told.
    pub spent: Option<Spent>,
}

/// Adds to the account of `name`; there is a handful of them.
pub(super) fn book(accounts: &mut Vec<Account>, name: &str, attempts: u32, spent: Option<Spent>) {
    let known = accounts.iter().position(|account| account.name == name);
    let at = known.unwrap_or_else(|| {
        accounts.push(Account { name: name.to_owned(), ..Account::default() });
        accounts.len() - 1
    });
    accounts[at].attempts += attempts;
    add(&mut accounts[at].spent, spent);
}

pub(super) fn add(all: &mut Option<Spent>, more: Option<Spent>) {
    if let Some(more) = more {
        *all = Some(all.unwrap_or_default().plus(more));
    }
}
