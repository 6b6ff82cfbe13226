//! The shapes of `checkpoints`, `rollback`, `recover` and `doctor` for programs; their texts are made from them too.
//! Only shapes: who looks at repositories fills them in.

use super::schema::VERSION;
use schemars::JsonSchema;
use serde::Serialize;

/// A file and what happened, or would happen, to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileJson {
    /// Relative to the repository's root.
    pub path: String,
    pub change: ChangeJson,
    /// Lines; null where it is no text or nobody counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<u64>,
    /// Git ignores it: it was kept beside the rest.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignored: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeJson {
    Added,
    Changed,
    Removed,
}

/// What one can go back to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "specter checkpoints")]
pub struct CheckpointsJson {
    pub schema: u32,
    /// Oldest first.
    pub checkpoints: Vec<CheckpointJson>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CheckpointJson {
    /// What `rollback --to` takes.
    pub name: String,
    pub run: String,
    /// RFC 3339.
    pub at: String,
    /// Tasks that were done then.
    pub done: u32,
    /// Files that differ from the checkpoint before; null for the first one.
    pub files: Option<u64>,
    pub reference: String,
    /// Null: the reference is not in the repository any more.
    pub commit: Option<String>,
}

/// What going back changed, or would change.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "specter rollback")]
pub struct RollbackJson {
    pub schema: u32,
    pub to: String,
    pub run: String,
    pub commit: String,
    /// True: nothing was changed.
    pub dry_run: bool,
    /// The checkpoint of what was there before.
    pub saved: SavedJson,
    pub files: Vec<FileJson>,
    /// Boxes that are blank now, and boxes that are ticked now.
    pub cleared: Vec<BoxJson>,
    pub ticked: Vec<BoxJson>,
    /// Tasks that are open now, and tasks that are done now.
    pub reopened: Vec<String>,
    pub done: Vec<String>,
    /// Files that somebody wrote in that very moment: theirs stayed.
    pub kept: Vec<String>,
    /// Commits of the user's branch with work of tasks that are open now: they stay.
    pub commits: Vec<CommitJson>,
}

/// A commit on the user's branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CommitJson {
    pub branch: String,
    pub commit: String,
    pub tasks: Vec<String>,
    pub tag: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SavedJson {
    pub name: String,
    pub reference: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BoxJson {
    pub task: String,
    /// 1-based.
    pub line: u32,
}

/// Everything that attempts left and that specter keeps.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "specter recover")]
pub struct RecoverJson {
    pub schema: u32,
    /// Oldest first.
    pub attempts: Vec<KeptJson>,
    /// What was about to be overwritten or removed, and belongs to no attempt.
    pub rescued: Vec<KeptJson>,
    /// Working trees that are in use, or hold what cannot be saved.
    pub leased: Vec<LeasedJson>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KeptJson {
    /// What `recover show` and its kin take.
    pub name: String,
    pub run: String,
    /// Null for what was rescued.
    pub task: Option<String>,
    pub attempt: Option<u32>,
    /// RFC 3339.
    pub at: String,
    pub state: KeptState,
    /// How many files it changed.
    pub files: u64,
    pub reference: String,
    pub commit: String,
    /// In words.
    pub what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeptState {
    /// Part of the project's files.
    Integrated,
    /// It was, until the run went back.
    RolledBack,
    /// A person looks at it first.
    Review,
    /// It contradicts what others made.
    Conflict,
    /// It changed what is outside its working tree.
    Escaped,
    /// It failed, was stopped, or its run died.
    Saved,
    /// Written by nobody's attempt.
    Rescued,
}

impl KeptState {
    pub fn words(self) -> &'static str {
        match self {
            KeptState::Integrated => "integrated",
            KeptState::RolledBack => "rolled back",
            KeptState::Review => "waits for review",
            KeptState::Conflict => "conflict",
            KeptState::Escaped => "escaped",
            KeptState::Saved => "saved",
            KeptState::Rescued => "rescued",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeasedJson {
    pub task: String,
    pub attempt: u32,
    pub path: String,
    /// Why it is not saved.
    pub why: String,
}

/// One attempt and what it changed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "specter recover show")]
pub struct ShownJson {
    pub schema: u32,
    #[serde(flatten)]
    pub kept: KeptJson,
    /// The commit it started from.
    pub base: Option<String>,
    pub files: Vec<FileJson>,
}

/// What `doctor` found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "specter doctor")]
pub struct DoctorJson {
    pub schema: u32,
    /// Nothing keeps a run from starting.
    pub ok: bool,
    pub findings: Vec<FindingJson>,
    /// With `--clean`: working trees that were removed; else those that would be.
    pub idle: Vec<String>,
    pub removed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FindingJson {
    pub level: Level,
    /// What it is about: `repository`, `lock`, `disk`, `task file`, …
    pub what: String,
    /// In words.
    pub text: String,
    /// What to do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    Warn,
    Fail,
}

impl CheckpointsJson {
    pub fn new(checkpoints: Vec<CheckpointJson>) -> CheckpointsJson {
        CheckpointsJson { schema: VERSION, checkpoints }
    }
}
