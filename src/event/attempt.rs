//! What is known of one attempt: how it ended and of what kind that is, what its agent did, said and asked, what was integrated.

use crate::task::{BlockKind, TaskId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;

/// How an attempt's changes became part of the project's files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Merge {
    /// Holds everything integrated so far.
    pub commit: String,
    /// What the attempt changed, relative to the repository's root.
    pub files: Vec<String>,
    /// Others' work had come meanwhile, so the result was checked again where there is a check.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub merged: bool,
    /// Changes to files that only specter writes; they are saved and not integrated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
    /// Files that a person wrote in that very moment: theirs stayed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// Files whose two versions became one by a rule for their kind: `path: rule`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_rule: Vec<String>,
}

/// A file that cannot be merged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conflict {
    pub path: String,
    /// In words.
    pub what: String,
    /// Whose attempt made the other side; none: a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<TaskId>,
    /// Both sides and what they came from, as a diff of three; masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hunks: Vec<String>,
}

/// One step of an agent; texts are masked and bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentStep {
    /// `read`, `edit`, `delete`, `move`, `search`, `run`, `fetch`, `think` or `other`.
    pub action: Cow<'static, str>,
    /// The command, the file, or the tool's name.
    pub title: String,
    /// Files it reads or writes, as the agent wrote them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Not known where the agent does not say, or the step never ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
}

/// What an agent says of its own attempt; texts are masked and bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentReport {
    /// Its preset.
    pub agent: String,
    /// Whose limits it runs into.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub provider: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// By which it can go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
    /// Why it ended its turn, by its own account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
    /// How many steps it took; one that is very busy has more than there are events of it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub steps: u64,
    /// The end of its last message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// What it was told, in tokens as they are estimated.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub prompt_tokens: u64,
    /// When the limit that it ran into ends: wall time in milliseconds since the epoch, where it was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<u64>,
    /// It failed of what it was given to work with (a key, credit, a model's name) and not of the task.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// It asks something instead of ending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<Box<Question>>,
    /// And waits for a person to answer: that costs no attempt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub parks: bool,
}

/// What an agent asks; texts are masked and bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Question {
    pub question: String,
    /// What it offers to choose from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// What it would take by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnsweredBy {
    Person,
    /// Nobody: the agent's own default was taken.
    Default,
}

/// What is done about an attempt without progress (SPEC 4.5), one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuietStage {
    /// It is said.
    Notice,
    /// It is asked whether it goes on, where its protocol can.
    Nudge,
    /// It is asked to end.
    SoftStop,
}

/// Tokens and money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spent {
    /// All that was sent, what came from a cache included.
    #[serde(default)]
    pub input: u64,
    /// Of that, what came from a cache.
    #[serde(default)]
    pub cached: u64,
    #[serde(default)]
    pub output: u64,
    /// Millionths of a dollar, where the agent says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
}

impl Spent {
    pub fn tokens(self) -> u64 {
        self.input.saturating_add(self.output)
    }

    #[must_use]
    pub fn plus(self, more: Spent) -> Spent {
        let cost_micros = match (self.cost_micros, more.cost_micros) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        Spent {
            input: self.input.saturating_add(more.input),
            cached: self.cached.saturating_add(more.cached),
            output: self.output.saturating_add(more.output),
            cost_micros,
        }
    }
}

impl AttemptReport {
    /// What it waits for a person to answer.
    pub fn parked_by(&self) -> Option<&Question> {
        let agent = self.agent.as_ref()?;
        agent.asks.as_deref().filter(|_| agent.parks)
    }
}

/// Facts about one attempt. No judgement but the class, which names the rule that gave it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptReport {
    pub outcome: AttemptOutcome,
    #[serde(with = "super::millis")]
    #[schemars(with = "u64")]
    pub duration: Duration,
    /// Which block ended the attempt (the one that failed, or the last one).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<BlockRef>,
    /// For failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<FailureClass>,
    /// The rule that gave the class, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Time to wait that the failure itself named (`retry-after`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The last lines of output, masked, at most 2 kB; only for failures.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
    /// Where the whole output is, relative to the run's directory; empty if there was none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub output_bytes: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cpu_ms: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub max_rss_kb: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub disk_read_kb: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub disk_written_kb: u64,
    /// Processes that outlived the attempt and were ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaked: Vec<String>,
    /// A `fallback` block succeeded after `run` had failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_fallback: bool,
    /// The task has verify blocks and all passed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verified: bool,
    /// Where an agent did the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Box<AgentReport>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlockRef {
    pub kind: BlockKind,
    /// 1-based among blocks of its kind.
    pub number: u32,
    /// 1-based line of its fence in the task file.
    pub line: u32,
}

/// How the process ended: facts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    #[default]
    Success,
    ExitCode(i32),
    Signalled(i32),
    /// After this many milliseconds.
    TimedOut(u64),
    /// It could not be started: the system's own words.
    StartFailed(String),
    Cancelled,
    /// The work ended well, but what it made is not part of the project's files; the class and its rule say why.
    NotIntegrated,
}

impl AttemptOutcome {
    pub fn is_success(&self) -> bool {
        *self == AttemptOutcome::Success
    }
}

/// SPEC 5.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    Transient,
    RateLimit,
    UsageLimit,
    Permanent,
    Gate,
    Conflict,
    NoChange,
    Cancelled,
    /// Nothing recognised: retried like a transient failure.
    Unknown,
}

impl FailureClass {
    pub fn as_str(self) -> &'static str {
        match self {
            FailureClass::Transient => "transient",
            FailureClass::RateLimit => "rate-limit",
            FailureClass::UsageLimit => "usage-limit",
            FailureClass::Permanent => "permanent",
            FailureClass::Gate => "gate",
            FailureClass::Conflict => "conflict",
            FailureClass::NoChange => "no-change",
            FailureClass::Cancelled => "cancelled",
            FailureClass::Unknown => "unknown",
        }
    }
}
