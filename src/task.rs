//! The words of a task file as types: task, mark, phase, story, block, written dependency (SPEC 1 and 2).
//!
//! A [`Document`] is what was *written*, in document order; whether it makes sense together is the plan's business.

mod few;
mod rare;

pub use ecow::EcoString;
pub use few::Few;
pub use rare::{Facts, Rare};

use crate::source::{Excerpt, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// A task's id as written (`T014`, `1.2`, `t-01`), without decoration. Identity is (spec directory, id).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String", inline)]
pub struct TaskId(EcoString);

impl TaskId {
    pub fn new(id: &str) -> TaskId {
        TaskId(EcoString::from(id))
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for TaskId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TaskId, D::Error> {
        String::deserialize(deserializer).map(|id| TaskId::new(&id))
    }
}

/// Position of a task in its document and plan; dense, so per-task state is a `Vec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskIx(pub u32);

impl TaskIx {
    pub fn ix(self) -> usize {
        self.0 as usize
    }
}

/// What the mark in the box, or the text beside it, says of a task (SPEC 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Open,
    Done,
    /// Open, but the text says DEFERRED, SKIPPED, REMOVED, or is struck through.
    Dropped,
    /// `[~]`, `[-]`, `[!]`, …: neither run nor counted as done.
    Unclear,
    /// `- [ ]*`
    Optional,
    /// For a person.
    Manual,
}

/// A box in the file: the span between the brackets (empty for `[]`) and what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkbox {
    /// Between the brackets, exclusive of them.
    pub inner: Span,
    /// The text between the brackets as written: ` `, `x`, `X`, `~`, `✅`, or nothing.
    pub mark: EcoString,
}

impl Checkbox {
    /// Whether the box can be ticked by changing one byte.
    pub fn is_one_byte(&self) -> bool {
        self.inner.end == self.inner.start + 1
    }
}

/// A story's name without decoration: `US1`, `US1.2`, `US1b`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Story(pub String);

/// Position of a phase in its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhaseIx(pub u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PhaseKind {
    Setup,
    Foundation,
    Story,
    Polish,
    Other,
}

/// A heading that holds tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// The heading's text without `#`s.
    pub title: String,
    /// The number or letter in `Phase 3`, `3.`, `Phase N`, as written.
    pub number: Option<String>,
    pub kind: PhaseKind,
    /// Stories the heading names (`User Story 1`, `US1 + US2`).
    pub stories: Few<Story>,
    /// `(Priority: P1)` in the heading.
    pub priority: Option<u8>,
    pub line: u32,
    pub span: Span,
}

/// A `**Checkpoint**: …` line: a barrier within the lane of the tasks before it in its phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The phase it stands in, if any.
    pub phase: Option<PhaseIx>,
    /// The number of tasks (of the whole document) that stand before it.
    pub after_tasks: u32,
    pub text: String,
    pub line: u32,
}

/// What an executable block is for (SPEC 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BlockKind {
    Run,
    Fallback,
    Verify,
}

/// A fenced block whose info string makes it executable.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    pub kind: BlockKind,
    /// First word of the info string: `sh`, `bash`, `python3`.
    pub interpreter: EcoString,
    /// The code with the fence's own indentation removed.
    pub code: Excerpt,
    pub given: Rare<Given>,
    pub line: u32,
    pub span: Span,
}

/// What a block's info string asks for besides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    pub timeout: Option<Duration>,
    /// `dir=web`, relative to the project.
    pub dir: Option<String>,
    /// `retries=0`: attempts after the first.
    pub retries: Option<u32>,
    pub env: Few<(String, String)>,
}

impl Facts for Given {
    const NONE: &'static Given = &Given { timeout: None, dir: None, retries: None, env: Few::new() };
}

/// How a dependency was written; decides its strength (SPEC 2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NeedForm {
    /// On the task's line: `(depends on T012)`, `[depends:T001]`, `after:T002`, `[P after T001]`.
    Explicit,
    /// A field or sub-bullet: `Dependencies: T001`.
    Field,
    /// Kiro's `{"waves":[…]}`.
    Waves,
    /// Told in a sentence or in a Dependencies section.
    Prose,
}

/// One end of a dependency as written, not yet resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Id(EcoString),
    /// Inclusive, as written: `T001-T009`.
    Range(EcoString, EcoString),
    /// `US2`
    Story(Story),
    /// `Phase 2`: the number as written.
    Phase(String),
}

/// `dependent` waits for `need`. For everything but section prose the dependent is one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenNeed {
    pub dependent: Dependent,
    pub need: Target,
    pub form: NeedForm,
    pub line: u32,
    /// The id (or range) as written, for messages.
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dependent {
    /// The task on whose line or in whose body it stands.
    Task(TaskIx),
    /// Named in a Dependencies section or an arrow chain.
    /// Boxed, since it is rare and the others are many.
    Written(Box<Target>),
}

/// A file, directory or glob that a task names, normalised: forward slashes, no `./`, no line numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamedPath {
    pub path: String,
    /// Ends in `/`, or is a glob's fixed prefix: everything below it is meant.
    pub is_dir: bool,
    /// Holds `*`, `?` or `{…}`; then `path` is the fixed prefix and `is_dir` is true.
    pub pattern: Option<String>,
    /// Absolute, or climbs out by `..`.
    pub outside: bool,
    pub span: Span,
}

/// One task or group as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub id: TaskId,
    /// The id was made from place and text because the file has no ids.
    pub synthetic: bool,
    /// 1-based line of the item or heading.
    pub line: u32,
    /// The item's or heading's first line, without its line end.
    pub span: Span,
    /// Where the id stands (or the title, for synthetic ids).
    pub id_span: Span,
    /// The description without box, id and leading markers; inline markup kept as written.
    pub title: Excerpt,
    /// None for a heading task without a box.
    pub checkbox: Option<Checkbox>,
    pub state: State,
    /// Exactly `[P]` or `(P)`, or `[P after …]`, `[P:1.1]`.
    pub parallel: bool,
    pub stories: Few<Story>,
    /// `[ALL]`
    pub all_stories: bool,
    /// `[P1]`…`[P9]`
    pub priority: Option<u8>,
    pub more: Rare<More>,
    pub phase: Option<PhaseIx>,
    /// The group this task is in.
    pub group: Option<TaskIx>,
    /// Holds other tasks; runs nothing itself.
    pub is_group: bool,
    /// A checkpoint task: a barrier within its lane.
    pub checkpoint: bool,
    /// A line that stands for several ids and is still open must be split before it runs.
    pub files: Few<NamedPath>,
    /// `run`, `fallback` and `verify` blocks in document order.
    pub blocks: Vec<Block>,
    /// Everything below the first line that belongs to the task, verbatim; empty span if nothing.
    pub body: Span,
}

/// What few tasks have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct More {
    /// Further ids of a line that stands for a range (`T004–T005`).
    pub aliases: Few<TaskId>,
    /// `[L0]`…`[L9]`
    pub layer: Option<u8>,
    /// Every other bracketed label, without brackets.
    pub tags: Few<String>,
    /// `agent:` line, if any.
    pub agent: Option<EcoString>,
}

impl Facts for More {
    const NONE: &'static More = &More { aliases: Few::new(), layer: None, tags: Few::new(), agent: None };
}

impl Task {
    pub fn blocks_of(&self, kind: BlockKind) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(move |block| block.kind == kind)
    }

    pub fn has_run_block(&self) -> bool {
        self.blocks_of(BlockKind::Run).next().is_some()
    }
}

/// Why a line that looks like a task is none (SPEC 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IgnoredReason {
    Fence,
    Comment,
    Table,
    Quote,
    FrontMatter,
    /// A checklist, validation or acceptance section.
    Checklist,
    /// `[P]` and `[Story]` legends and notes, "Parallel example" blocks.
    Note,
    /// A sub-checkbox without id in a task's body.
    Body,
    /// A mention of ids in prose or a plain bullet.
    Prose,
    /// The id already belongs to a task above; this line only mentions it.
    Mention,
    /// A checkbox without id among tasks with ids.
    NoId,
    /// Nested deeper than the limit.
    TooDeep,
}

/// A line that looks like a task and is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ignored {
    pub line: u32,
    pub reason: IgnoredReason,
}

/// Kiro's waves: each list needs all tasks of the list before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waves {
    pub waves: Vec<Vec<(String, Span)>>,
    pub line: u32,
}

/// A task file as written. Tasks, phases and checkpoints in document order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    pub tasks: Vec<Task>,
    pub phases: Vec<Phase>,
    pub checkpoints: Vec<Checkpoint>,
    pub needs: Vec<WrittenNeed>,
    pub waves: Option<Waves>,
    /// Lines that look like tasks and are none, ascending.
    pub ignored: Vec<Ignored>,
    /// `x` or `X`: what the file's own majority uses; `x` when it has none.
    pub tick: char,
}

impl Document {
    pub fn task(&self, task: TaskIx) -> &Task {
        &self.tasks[task.ix()]
    }
}
