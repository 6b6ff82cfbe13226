//! The prompt of an agent's attempt (SPEC 9.3): what an agent is told, made from plan, documents and events.
//!
//! Pure: documents, templates and facts of the run are handed in. What is the same for all tasks of a run stands first and
//! is rendered once, so that its bytes are the same in each prompt; the documents are taken apart once, too, and asked per
//! task. Everything that others wrote stands in a fence that it cannot end, without what people do not see. Who delivers
//! the prompt is not known here.

mod build;
mod context;
mod earlier;
mod fence;
mod handoff;
mod index;
mod outline;
pub mod pattern;
mod slice;
pub mod template;
mod tokens;
mod words;

pub use build::build;
pub use context::{Context, Settings};
pub use earlier::{Answer, Earlier, Past};
pub use handoff::{Handoffs, Left};
pub use template::Templates;
pub use tokens::estimate;

use crate::plan::Plan;
use crate::source::SourceText;
use crate::task::TaskIx;
use std::sync::Arc;

/// The limit of a prompt where nobody sets one, in tokens: about 64 kB of English, half of what fits into an argument.
pub const DEFAULT_TOKENS: u32 = 16_000;
/// Below this the rules alone would not fit.
pub const MIN_TOKENS: u32 = 3_000;

/// What a document is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Constitution,
    Spec,
    /// Kiro's, with numbered criteria.
    Requirements,
    Proposal,
    Plan,
    Design,
    DataModel,
    Contract,
    Research,
    Quickstart,
    /// About the project, whatever the feature: every task gets it.
    Facts,
    Other,
}

impl Role {
    /// In words, for who may read on in it.
    pub fn what(self) -> &'static str {
        match self {
            Role::Constitution => "what the project holds to",
            Role::Spec => "the specification",
            Role::Requirements => "the requirements",
            Role::Proposal => "why it is done and what changes",
            Role::Plan => "the technical plan",
            Role::Design => "the design",
            Role::DataModel => "entities and their fields",
            Role::Contract => "an interface",
            Role::Research => "decisions and what they rest on",
            Role::Quickstart => "how it is tried out",
            Role::Facts => "about the project",
            Role::Other => "further notes",
        }
    }
}

/// A document of the feature or the project.
#[derive(Clone, Debug)]
pub struct Document {
    /// Relative to the project, as agents find it.
    pub path: String,
    pub role: Role,
    pub text: SourceText,
}

/// One attempt.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    pub context: &'a Context,
    pub plan: &'a Plan,
    pub task: TaskIx,
    pub handoffs: &'a Handoffs,
    /// From 1.
    pub attempt: u32,
    /// What the attempts before left to say, if there were any.
    pub past: Option<&'a Past>,
    /// What the task's domain asks for besides.
    pub instructions: &'a [String],
    /// What is beside the files it names.
    pub neighbours: &'a [String],
    /// Checks besides the task's own blocks, in words.
    pub gates: &'a [String],
}

/// Something that is in a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    /// A file with its lines, or who said it.
    pub source: String,
    pub bytes: u64,
    pub tokens: u64,
}

/// Something that a prompt has no room for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub what: String,
    pub why: String,
    pub bytes: u64,
}

/// What an agent is told.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// The same bytes for every task and attempt of a run.
    pub prefix: Arc<str>,
    /// All of it, the prefix first.
    pub text: String,
    pub tokens_estimate: u64,
    pub parts: Vec<Part>,
    pub left_out: Vec<LeftOut>,
    /// Whatever else a person should know: hidden characters that were taken out, a template that failed.
    pub notes: Vec<String>,
}

impl Prompt {
    /// What is only for this attempt.
    pub fn own(&self) -> &str {
        self.text.get(self.prefix.len()..).unwrap_or_default()
    }
}
