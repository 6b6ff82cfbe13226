//! What the end of an agent's run means (SPEC 5.1): its exit code never means done, and what the model says about itself
//! is never looked at, only what the program around it told of errors.
//!
//! Order: how it ended where that alone decides (stopped, out of time, not started); the errors it ended with; what its
//! exit code means; the end of its error output; what any program's failure would mean ([`classify`]). Where it ended
//! well: was its answer cut off, refused, a question, without any work?

mod advice;
mod patterns;
mod question;

use super::fold::Account;
use super::preset::Preset;
use super::reset::{self, Reset};
use super::told::{AgentError, StopReason, one_line};
use crate::classify::{self, Classified, Facts, Rules};
use crate::event::{AttemptOutcome, FailureClass};
use std::time::Duration;

pub use question::{MAX_FILE, Question, in_file};

/// What is known of an agent's run.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    pub preset: &'a Preset,
    pub outcome: &'a AttemptOutcome,
    pub account: &'a Account,
    /// The end of what it wrote to its error output.
    pub stderr: &'a str,
    pub work: Work,
}

/// Whether files changed while it worked, apart from those that it makes for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Work {
    /// Nobody looked, or the task need not change anything.
    #[default]
    Unknown,
    Changed,
    /// None did, and the task is to change some.
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing speaks against it: what it made is to be checked.
    Worked,
    /// It waits for an answer.
    Asks(Question),
    Failed(Box<Failure>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub classified: Classified,
    pub cause: Cause,
    /// When the limit ends, if it said so.
    pub resets: Option<Reset>,
    pub then: Then,
}

/// How a further attempt goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// In the same session, where the agent can.
    Resume,
    /// In a new one: this one is what it failed of.
    Begin,
}

/// What it failed of. Earlier is stronger where several are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A quota with a time when it begins anew.
    UsageLimit,
    /// Money is missing.
    Billing,
    Auth,
    /// The model, a flag, a permission: asking again changes nothing.
    Config,
    /// The session grew too long for the model.
    Context,
    /// It would not.
    Refusal,
    /// Its answer was cut off.
    Truncated,
    /// It used up the turns, time or money it was given.
    Budget,
    RateLimit,
    Overloaded,
    Network,
    /// It says it is done and changed nothing.
    NoChange,
    /// It printed nothing that could be understood.
    Silent,
    Other,
}

impl Cause {
    pub fn class(self) -> FailureClass {
        match self {
            Cause::UsageLimit => FailureClass::UsageLimit,
            Cause::Billing | Cause::Auth | Cause::Config | Cause::Refusal => FailureClass::Permanent,
            Cause::RateLimit => FailureClass::RateLimit,
            Cause::Context | Cause::Truncated | Cause::Budget | Cause::Overloaded | Cause::Network => {
                FailureClass::Transient
            }
            Cause::NoChange => FailureClass::NoChange,
            Cause::Silent | Cause::Other => FailureClass::Unknown,
        }
    }

    fn then(self) -> Then {
        match self {
            Cause::Context | Cause::Refusal | Cause::Silent => Then::Begin,
            _ => Then::Resume,
        }
    }
}

/// A cause and the rule that gave it, in words.
#[derive(Clone, Debug)]
struct Found {
    cause: Cause,
    rule: String,
}

pub fn judge(ended: &Ended<'_>) -> Ending {
    match ended.outcome {
        AttemptOutcome::Cancelled | AttemptOutcome::StartFailed(_) => general(ended),
        AttemptOutcome::TimedOut(_) => match by_wait_of_its_own(ended) {
            Some(found) => failed(ended, found),
            None => general(ended),
        },
        AttemptOutcome::Success if ended.account.open_errors().is_empty() => well(ended),
        _ => match by_errors(ended.account.open_errors())
            .or_else(|| by_stop(ended.account))
            .or_else(|| by_exit(ended))
            .or_else(|| by_stderr(ended.stderr))
            .or_else(|| by_errors(&ended.account.errors))
        {
            Some(found) => failed(ended, found),
            None => unknown(ended),
        },
    }
}

/// It ended with 0 and told of no error.
fn well(ended: &Ended<'_>) -> Ending {
    let account = ended.account;
    if let Some(found) = by_stop(account) {
        return failed(ended, found);
    }
    if let Some(question) = question::find(&account.final_text, ended.work) {
        return Ending::Asks(question);
    }
    if !account.told && ended.work != Work::Changed {
        // Some say only on their error output why they did nothing.
        let found = by_stderr(ended.stderr).unwrap_or_else(|| Found {
            cause: Cause::Silent,
            rule: match account.unreadable {
                0 => "exit code 0, and it printed nothing".to_owned(),
                bytes => {
                    format!("exit code 0, and nothing of the {bytes} bytes it printed could be understood")
                }
            },
        });
        return failed(ended, found);
    }
    if ended.work == Work::Nothing {
        let rule = "it says it is done, and no file changed".to_owned();
        return failed(ended, Found { cause: Cause::NoChange, rule });
    }
    Ending::Worked
}

fn by_stop(account: &Account) -> Option<Found> {
    let (cause, rule) = match account.stop.as_ref()? {
        StopReason::MaxTokens => (Cause::Truncated, "its answer was cut off at the limit of tokens"),
        StopReason::Refusal => (Cause::Refusal, "the model refused"),
        StopReason::Budget => (Cause::Budget, "it used up the turns, time or money it was given"),
        StopReason::EndTurn | StopReason::Cancelled | StopReason::Error | StopReason::Other(_) => {
            return None;
        }
    };
    Some(Found { cause, rule: rule.to_owned() })
}

/// The strongest cause that any of them names.
fn by_errors(errors: &[AgentError]) -> Option<Found> {
    errors.iter().filter_map(by_error).min_by_key(|found| found.cause)
}

fn by_error(error: &AgentError) -> Option<Found> {
    let by_kind = patterns::of_kind(&error.kind)
        .map(|cause| Found { cause, rule: format!("the agent's error is `{}`", error.kind) });
    let by_text = patterns::of_message(&error.message)
        .map(|(cause, line)| Found { cause, rule: format!("the agent says: {}", shown(line)) });
    let by_status = error.status.and_then(|status| {
        let cause = patterns::of_status(status)?;
        Some(Found { cause, rule: format!("the provider answered {status}") })
    });
    // A word for machines is worth more than a number, which stands for much; what a message adds is only a stronger cause.
    let by_word = by_kind.or(by_status);
    let mut found = match (by_word, by_text) {
        (Some(word), Some(text)) if text.cause < word.cause => text,
        (Some(word), _) => word,
        (None, text) => text?,
    };
    found.cause = by_wait(found.cause, error.retry_after.or_else(|| reset::wait(&error.message)));
    Some(found)
}

/// Providers call the same thing a rate and a quota: how long it lasts tells them apart.
fn by_wait(cause: Cause, wait: Option<Duration>) -> Cause {
    match (cause, wait) {
        (Cause::Billing | Cause::UsageLimit, Some(wait)) if wait < Duration::from_mins(10) => {
            Cause::RateLimit
        }
        (Cause::RateLimit, Some(wait)) if wait >= Duration::from_hours(1) => Cause::UsageLimit,
        _ => cause,
    }
}

/// It was ended while it waited for a limit to pass, which some do for hours without a word: that is the limit's doing.
fn by_wait_of_its_own(ended: &Ended<'_>) -> Option<Found> {
    let last = || ended.stderr.lines().rfind(|line| !line.trim().is_empty());
    let found = by_errors(ended.account.open_errors())
        .or_else(|| ended.account.waits.as_ref().and_then(by_error))
        .or_else(|| by_stderr(last()?))?;
    let is_limit = matches!(found.cause, Cause::UsageLimit | Cause::RateLimit | Cause::Billing | Cause::Auth);
    is_limit.then_some(found)
}

fn by_exit(ended: &Ended<'_>) -> Option<Found> {
    let AttemptOutcome::ExitCode(code) = *ended.outcome else { return None };
    let word = ended.preset.exit_means(code)?;
    let cause = patterns::of_kind(word)?;
    Some(Found { cause, rule: format!("exit code {code} of this agent means `{word}`") })
}

/// The last line that says something known.
fn by_stderr(stderr: &str) -> Option<Found> {
    stderr.lines().rev().find_map(|line| {
        let (cause, line) = patterns::of_message(line)?;
        let cause = by_wait(cause, reset::wait(line));
        Some(Found { cause, rule: format!("its error output says: {}", shown(line)) })
    })
}

fn shown(line: &str) -> String {
    let line = one_line(line);
    match line.char_indices().nth(160) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

fn failed(ended: &Ended<'_>, found: Found) -> Ending {
    let Found { cause, rule } = found;
    let limit = matches!(cause, Cause::UsageLimit | Cause::RateLimit | Cause::Overloaded);
    let resets = if limit { resets(ended) } else { None };
    let retry_after = match (&resets, cause) {
        (Some(Reset::In(wait)), Cause::RateLimit | Cause::Overloaded) => Some(*wait),
        _ => None,
    };
    let (causes, fixes) = advice::of(cause, ended);
    let classified = Classified { class: cause.class(), rule, retry_after, causes, fixes };
    Ending::Failed(Box::new(Failure { classified, cause, resets, then: cause.then() }))
}

/// What the errors say of the limit's end: an instant if one of them tells it, else what the last one tells.
fn resets(ended: &Ended<'_>) -> Option<Reset> {
    let of = |error: &AgentError| {
        let told = error.resets.clone().or_else(|| error.retry_after.map(Reset::In));
        told.or_else(|| reset::find(&error.message))
    };
    let account = ended.account;
    // How long an agent lets pass before it tries again is its own idea, unless it was to go on with that.
    let waits = account.waits.iter().filter(|_| matches!(ended.outcome, AttemptOutcome::TimedOut(_)));
    let told: Vec<Reset> = waits.chain(account.errors.iter().rev()).filter_map(of).collect();
    let exact = told.iter().find(|reset| matches!(reset, Reset::At(_))).cloned();
    exact.or_else(|| told.into_iter().next()).or_else(|| ended.stderr.lines().rev().find_map(reset::find))
}

/// How it ended decides, or nothing that only agents say was found.
fn general(ended: &Ended<'_>) -> Ending {
    let facts = Facts { outcome: ended.outcome, kind: None, tail: ended.stderr };
    let mut classified = classify::classify(&facts, &Rules::default());
    if matches!(ended.outcome, AttemptOutcome::StartFailed(_)) && !ended.preset.install.is_empty() {
        classified.fixes.insert(0, format!("install it: `{}`", ended.preset.install));
    }
    let cause = Cause::Other;
    Ending::Failed(Box::new(Failure { classified, cause, resets: None, then: cause.then() }))
}

fn unknown(ended: &Ended<'_>) -> Ending {
    let Some(error) = ended.account.open_errors().last() else { return general(ended) };
    let told = if error.message.is_empty() { &error.kind } else { &error.message };
    let rule = match ended.outcome {
        AttemptOutcome::Success => format!("exit code 0, and yet it ended with an error: {}", shown(told)),
        _ => format!("it ended with an error that is not known: {}", shown(told)),
    };
    failed(ended, Found { cause: Cause::Other, rule })
}

#[cfg(test)]
mod tests;
