//! What a prompt orders, how far it is done, and what comes next.

use super::asked::{Asked, Turn};
use super::faults::Fault;
use super::tools;
use serde_json::{Value, json};

/// Tokens of each request and of each answer, whoever asks.
pub(crate) const INPUT: u64 = 1200;
/// Of [`INPUT`].
pub(super) const CACHED: u64 = 200;
pub(crate) const OUTPUT: u64 = 42;

const NAMES_TASK: &str = "# Your task: ";
const NAMES_ORDER: &str = "- order: ";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Write { path: String, text: String },
    Run(String),
}

/// An order, as it should be found in the record of what the agent did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) action: String,
    /// The file or the command.
    pub(crate) what: String,
}

impl Action {
    pub(super) fn of(entry: &Value) -> Option<Action> {
        let text = |name: &str| entry[name].as_str().map(str::to_owned);
        Some(Action { action: text("action")?, what: text("what")? })
    }
}

/// What to answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Decision {
    /// Whose orders they are; nothing: the agent asks about something of its own.
    pub(super) task: Option<String>,
    /// The last message, or what is said beside a call.
    pub(super) text: String,
    pub(super) call: Option<tools::Call>,
    done: usize,
    order: Option<Action>,
}

impl Decision {
    /// For the record.
    pub(super) fn entry(&self, asked: &Asked, fault: Option<&Fault>) -> Value {
        let is_answered = fault.is_none_or(Fault::is_answered);
        let order = self.order.as_ref().filter(|_| is_answered);
        json!({
            "task": self.task,
            "api": asked.api.word(),
            "model": asked.model,
            "step": self.done + 1,
            "order": order.map(|order| json!({ "action": order.action, "what": order.what })),
            "tool": self.call.as_ref().map(|call| call.tool.name.clone()),
            "fault": fault.map(Fault::word),
            "answered": is_answered,
        })
    }
}

/// What to answer, and what of it goes wrong; `fault` does from some step on.
pub(super) fn decide(asked: &Asked, fault: Option<(Fault, usize)>) -> (Decision, Option<Fault>) {
    let Some((task, orders, done, must_read)) = wanted(asked) else {
        // A name for the conversation, whether there are news: nothing that a task depends on.
        let text = "OK".to_owned();
        return (Decision { text, ..Decision::default() }, None);
    };
    let fault = fault.filter(|(_, from)| done + 1 >= *from).map(|(fault, _)| fault);
    if let Some(Order::Write { path, .. }) = orders.get(done).filter(|_| must_read) {
        let (text, call) = (format!("I read {path} first."), tools::read(asked, path));
        return (Decision { task: Some(task), text, call, done, ..Decision::default() }, fault);
    }
    (next(asked, task, orders, done, fault.as_ref()), fault)
}

fn next(asked: &Asked, task: String, mut orders: Vec<Order>, done: usize, fault: Option<&Fault>) -> Decision {
    let decision = Decision { task: Some(task), done, ..Decision::default() };
    if fault.is_some_and(|fault| matches!(fault, Fault::Claims)) {
        let text = "All done: the file is written and every check passes.".to_owned();
        return Decision { text, ..decision };
    }
    if fault.is_some_and(|fault| matches!(fault, Fault::Stub)) {
        orders.retain_mut(|order| match order {
            Order::Write { text, .. } => {
                *text = "# TODO: write this\n".to_owned();
                true
            }
            Order::Run(_) => false,
        });
    }
    let Some(order) = orders.get(done) else {
        let text = format!("Done: all {} steps.", orders.len());
        let files = orders.iter().filter_map(|order| match order {
            Order::Write { path, .. } => Some(path.as_str()),
            Order::Run(_) => None,
        });
        return Decision {
            text: format!("{text} Written: {}.", files.collect::<Vec<_>>().join(", ")),
            ..decision
        };
    };
    let text = format!("Step {}.", done + 1);
    match tools::call(asked, order) {
        Some((call, order)) => Decision { text, call: Some(call), order: Some(order), ..decision },
        None => Decision { text: "No tool for that is offered.".to_owned(), ..decision },
    }
}

/// The task that the last prompt names, its orders, how many of them have a result, and whether the last one was refused
/// until its file is read.
fn wanted(asked: &Asked) -> Option<(String, Vec<Order>, usize, bool)> {
    if asked.tools.is_empty() {
        return None;
    }
    let at =
        asked.turns.iter().rposition(|turn| matches!(turn, Turn::User(text) if text.contains(NAMES_TASK)))?;
    let Turn::User(text) = &asked.turns[at] else { return None };
    let (_, after) = text.rsplit_once(NAMES_TASK)?;
    let task = after.split_whitespace().next()?.to_owned();
    let orders = after.lines().filter_map(|line| order(line.trim().strip_prefix(NAMES_ORDER)?)).collect();
    let results = asked.turns[at..].iter().filter_map(|turn| match turn {
        Turn::Results { all, refused } => Some((*all, *refused)),
        Turn::User(_) => None,
    });
    let (all, refused) = results.fold((0, 0), |sum, (all, refused)| (sum.0 + all, sum.1 + refused));
    let must_read = matches!(asked.turns.last(), Some(Turn::Results { refused, .. }) if *refused > 0);
    // After each refusal the file was read, but after the last one if it is what was told just now.
    let done = (all + usize::from(must_read)).saturating_sub(2 * refused);
    Some((task, orders, done, must_read))
}

fn order(line: &str) -> Option<Order> {
    match line.split_once(' ')? {
        ("write", rest) => {
            let (path, text) = rest.split_once(' ').unwrap_or((rest, ""));
            Some(Order::Write { path: path.to_owned(), text: text.replace("\\n", "\n") + "\n" })
        }
        ("run", command) => Some(Order::Run(command.to_owned())),
        _ => None,
    }
}
