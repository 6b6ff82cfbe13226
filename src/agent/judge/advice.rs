//! Why an agent failed and what a person can do, for each cause.

use super::{Cause, Ended};
use crate::agent::preset::Preset;

type Lists = (Vec<String>, Vec<String>);

pub(super) fn of(cause: Cause, ended: &Ended<'_>) -> Lists {
    let preset = ended.preset;
    let lists = |causes: &[&str], fixes: &[&str]| -> Lists {
        (
            causes.iter().map(|text| (*text).to_owned()).collect(),
            fixes.iter().map(|text| (*text).to_owned()).collect(),
        )
    };
    match cause {
        Cause::UsageLimit => lists(
            &["the quota of your account with this provider is used up"],
            &[
                "nothing: it goes on when the quota begins anew, `specter resume` does so later",
                "name a second agent that takes over: `--agent one,other --on-limit failover`",
            ],
        ),
        Cause::Billing => lists(
            &["the account with this provider has no money left, or no billing"],
            &["add credit or a plan with the provider, then `specter resume`"],
        ),
        Cause::Auth => {
            let (causes, mut fixes) =
                lists(&["you are not logged in with this agent, or its key is wrong or expired"], &[]);
            fixes.push(log_in(preset));
            (causes, fixes)
        }
        Cause::Config => lists(
            &[
                "the model's name is wrong or your account may not use it",
                "this version of the agent knows a flag no more",
            ],
            &["correct `--model`, or the agent's settings: `specter agents` shows how it is called"],
        ),
        Cause::Context => lists(
            &["the prompt, or the session so far, is longer than the model can read"],
            &["make the task smaller: a task that names fewer files, or two tasks"],
        ),
        Cause::Refusal => lists(
            &["the provider's rules, or the model, forbid what the task's words ask for"],
            &["say the task in other words, or give it to another agent"],
        ),
        Cause::Truncated => {
            lists(&["one answer was longer than the model's limit"], &["make the task smaller"])
        }
        Cause::Budget => lists(
            &["the task needs more than one run of the agent was given"],
            &["allow more, or make the task smaller"],
        ),
        Cause::RateLimit => lists(
            &["too many requests in too short a time, perhaps by other programs with the same account"],
            &["run fewer at once with `--jobs`"],
        ),
        Cause::Overloaded => lists(&["the provider has trouble at the moment"], &["`specter resume` later"]),
        Cause::Network => lists(
            &["no network, a proxy in between, or the provider ended the connection"],
            &["check the network, then `specter resume`"],
        ),
        Cause::NoChange => lists(
            &["the agent believes it is done, or it was not allowed to write"],
            &["say in the task which files it makes", "read its log: `specter log` with the task's id"],
        ),
        Cause::Silent => lists(
            &["the agent ended without a word: a wrong version, a wrapper in its place, or a crash"],
            &["`specter doctor --agents` makes a small call with each agent"],
        ),
        Cause::Other => lists(&[], &["read the log, correct the cause, then `specter resume`"]),
    }
}

fn log_in(preset: &Preset) -> String {
    if preset.login.is_empty() {
        "log in with the agent, or set its key".to_owned()
    } else {
        format!("log in: {}", preset.login)
    }
}
