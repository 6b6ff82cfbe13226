//! Configuration: layers of settings, each value with its origin (SPEC 14.1), and consent to what a repository
//! would run (14.2, [`trust`]).
//!
//! Layers: defaults < user file < project file < `SPECTER_*` < flags. What settings exist is one table
//! (`settings`); files, environment, flags, `specter config` and the JSON Schema all read it. Knows nothing of clap,
//! rendering or commands.

mod agents;
mod domains;
mod file;
mod foreign;
mod layers;
mod machine;
pub mod proofs;
mod schema;
mod settings;
mod spend;
pub mod trust;

pub use layers::{Environment, Finding, Invalid, Loaded, Note, Origin, Override, Sources, load, user_file};
pub use schema::schema;
pub use settings::{SETTINGS, Setting};

use crate::agent::Presets;
use crate::plan::{Mode, ProseDeps, Treat};
use crate::policy::{Budgets, FailurePolicy, Floor, Floors, OnQuestion, RetryPolicy};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

/// How many tasks may run at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jobs {
    /// One per core.
    #[default]
    Auto,
    Count(NonZeroU32),
}

/// How many processes builds in tasks may run at once, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jobserver {
    /// One per core, where tasks may overlap.
    #[default]
    Auto,
    Off,
    Count(NonZeroU32),
}

/// Which results tick a box (SPEC 8.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tick {
    /// Only what a check has confirmed.
    Verified,
    /// Also work that ended well and that nothing checked.
    #[default]
    Unverified,
}

/// What waits for the disk. In both, nothing is shown or ticked before its record is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// No task does: after power loss what ended within the last group of records may run again.
    #[default]
    Group,
    /// Each start does: after power loss only what the workers had in hand runs again.
    Strict,
}

/// How much is proven (SPEC 8.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    Fast,
    #[default]
    Standard,
    Enterprise,
}

/// What keeps tasks from changing files that are not theirs. Later is stricter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sandbox {
    Off,
    /// Tasks in working trees: not those of others, nor the project. Where the system can.
    #[default]
    Auto,
    /// Nothing outside of the project. Where the system can; without one where it cannot.
    Write,
    /// As `Write`, and where the system cannot hold to all of it nothing is run.
    Require,
}

/// Where attempts work. Later keeps more apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isolation {
    /// In the project.
    None,
    /// Agents that may overlap in working trees of their own, everything else in the project.
    #[default]
    Auto,
    /// Each in a working tree of its own.
    Worktree,
}

/// When integrated work becomes commits of the user's branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Commit {
    #[default]
    Off,
    /// Each task.
    Task,
    /// Each finished phase.
    Phase,
}

/// Whether the user changes files while a run goes on. Later is stricter with attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum UserEdits {
    /// What changes outside of working trees is the user's.
    Expected,
    /// It may be, if another program works in the project.
    #[default]
    Auto,
    /// It is not.
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// Every setting with its final value.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub mode: Mode,
    pub jobs: Jobs,
    pub jobserver: Jobserver,
    /// A plain `make` takes part in it, and runs in parallel then.
    pub parallel_make: bool,
    pub retry: RetryPolicy,
    pub failure: FailurePolicy,
    pub budgets: Budgets,
    pub floors: Floors,
    /// Who does tasks without work of their own: a name, several with commas between them, `auto`; empty for nobody.
    pub agent: String,
    /// Instead of the agent's own choice; empty for that.
    pub model: String,
    /// How agents are called.
    pub agents: Presets,
    /// How long an agent may show no progress; none: what its preset says.
    pub stall: Option<Duration>,
    /// What an agent's question does to its task.
    pub on_question: OnQuestion,
    /// Wall limit of one attempt; a block's own `timeout=` is stronger.
    pub timeout: Option<Duration>,
    pub grace: Duration,
    /// What `sh` blocks are run with.
    pub shell: String,
    /// Also start commands by it that need no shell.
    pub force_shell: bool,
    /// Variables handed to tasks although they look like secrets. From the user's own layers only.
    pub env_pass: Vec<String>,
    pub sandbox: Sandbox,
    /// Where tasks may change files besides the project. From the user's own layers only.
    pub sandbox_write: Vec<String>,
    pub isolation: Isolation,
    /// What git ignores and working trees need: `NAME` or `NAME=HOW`. Empty: what common projects need.
    pub carry: Vec<String>,
    /// Idle working trees that are kept for the next run.
    pub keep_trees: u32,
    /// Where working trees are, if not in the user's state directory. From the user's own layers only.
    pub trees_dir: Option<PathBuf>,
    /// Paths that a person looks at before a change to them is integrated, besides the usual ones.
    pub protected: Vec<String>,
    /// From the user's own layers only.
    pub user_edits: UserEdits,
    /// Save the project's files under hidden references, where it is in a repository.
    pub checkpoints: bool,
    /// If that would copy more than this into the repository at once, it is not done.
    pub max_saved: Floor,
    pub commit: Commit,
    /// What each commit's tag is called.
    pub tag: Option<String>,
    pub try_alternatives: bool,
    /// Words in a failure's output that make it worth another try, and those that make it final.
    pub retryable: Vec<String>,
    pub non_retryable: Vec<String>,
    pub strict: bool,
    pub prose: ProseDeps,
    pub treat: Vec<(String, Treat)>,
    /// As asked for; [`Config::tdd`] is what counts.
    pub test_first: bool,
    pub tick: Tick,
    pub durability: Durability,
    pub profile: Profile,
    /// From the user's own layers only.
    pub state_dir: Option<PathBuf>,
    /// Most tokens of an agent's prompt, by estimate.
    pub prompt_tokens: u32,
    /// Where the project's own templates of prompts are.
    pub prompts_dir: String,
    /// Which agents do tasks about what.
    pub domains: Vec<crate::domains::Rule>,
    /// In plain words, as typed; see [`crate::domains::Hints`].
    pub hint: Option<String>,
    pub color: Color,
    pub ascii: bool,
    /// Negative is quieter.
    pub verbosity: i32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            mode: Mode::default(),
            jobs: Jobs::default(),
            jobserver: Jobserver::default(),
            parallel_make: false,
            retry: RetryPolicy::default(),
            failure: FailurePolicy::default(),
            budgets: Budgets::default(),
            floors: Floors::default(),
            agent: String::new(),
            model: String::new(),
            agents: Presets::compiled_in(),
            stall: None,
            on_question: OnQuestion::Park,
            timeout: None,
            grace: Duration::from_secs(10),
            shell: "sh".to_owned(),
            force_shell: false,
            env_pass: Vec::new(),
            sandbox: Sandbox::default(),
            sandbox_write: Vec::new(),
            isolation: Isolation::default(),
            carry: Vec::new(),
            keep_trees: 4,
            trees_dir: None,
            protected: Vec::new(),
            user_edits: UserEdits::default(),
            checkpoints: true,
            max_saved: Floor::default(),
            commit: Commit::default(),
            tag: None,
            try_alternatives: true,
            retryable: Vec::new(),
            non_retryable: Vec::new(),
            strict: false,
            prose: ProseDeps::default(),
            treat: Vec::new(),
            test_first: false,
            tick: Tick::default(),
            durability: Durability::default(),
            profile: Profile::default(),
            state_dir: None,
            prompt_tokens: crate::prompt::DEFAULT_TOKENS,
            prompts_dir: ".specter/prompts".to_owned(),
            domains: Vec::new(),
            hint: None,
            color: Color::default(),
            ascii: false,
            verbosity: 0,
        }
    }
}

impl Config {
    /// Test tasks come first.
    pub fn tdd(&self) -> bool {
        self.test_first || self.profile == Profile::Enterprise
    }
}
