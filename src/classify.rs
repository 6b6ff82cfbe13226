//! What kind of failure it was, by which rule, why it may have happened and what to do (SPEC 5.1, 5.3). Pure: facts
//! in, judgement out.

use crate::event::{AttemptOutcome, AttemptReport, FailureClass};
use crate::task::BlockKind;
use std::time::Duration;

/// What is known of a failed attempt.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub outcome: &'a AttemptOutcome,
    /// Which kind of block failed.
    pub kind: Option<BlockKind>,
    /// The end of its output.
    pub tail: &'a str,
}

/// What the user added: parts of messages, upper and lower case alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub retryable: Vec<String>,
    pub non_retryable: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    pub class: FailureClass,
    /// The rule that fired, in words.
    pub rule: String,
    /// How long the failure itself asked to wait.
    pub retry_after: Option<Duration>,
    /// Why it may have happened, likeliest first.
    pub causes: Vec<String>,
    /// What a person can do.
    pub fixes: Vec<String>,
}

pub fn classify(facts: &Facts<'_>, _rules: &Rules) -> Classified {
    let class = match facts.outcome {
        AttemptOutcome::Cancelled => FailureClass::Cancelled,
        _ if facts.kind == Some(BlockKind::Verify) => FailureClass::Gate,
        AttemptOutcome::TimedOut(_) => FailureClass::Transient,
        AttemptOutcome::ExitCode(126 | 127) | AttemptOutcome::StartFailed(_) => FailureClass::Permanent,
        _ => FailureClass::Unknown,
    };
    Classified { class, rule: String::new(), retry_after: None, causes: Vec::new(), fixes: Vec::new() }
}

/// The judgement on a stored report, for whoever explains it later.
pub fn explain(report: &AttemptReport, rules: &Rules) -> Classified {
    let kind = report.block.map(|block| block.kind);
    classify(&Facts { outcome: &report.outcome, kind, tail: &report.tail }, rules)
}

/// What to try instead of a known command that failed.
pub fn alternatives(_command: &str) -> &'static [&'static str] {
    &[]
}
