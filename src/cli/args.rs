//! The command line as types (SPEC 11.2 and the flags of 3.2, 3.3, 4.5, 5, 6.3, 14). Parses and nothing else.
//!
//! A flag exists only if it does something, or says that it does nothing yet. What a flag means for the configuration
//! is told by [`Implement::overrides`]: one list of (setting, value, spelling), laid over the files like any layer.

mod admin;
mod kept;
mod look;
mod usual;

use super::exit::Exit;
use crate::config::Override;
use crate::plan;
pub use admin::{Agents, ConfigArgs, Doctor, Init, TrustArgs};
use clap::{Args, Parser, Subcommand, ValueEnum};
pub use kept::{Checkpoints, Recover, RecoverWhat, Restore, Rollback};
pub use look::{Answer, Check, CheckFormat, Log, Status, Why};
use serde_json::Value;
use std::path::PathBuf;

/// make for specs: plans a tasks.md as a dependency graph and runs it, durably
#[derive(Debug, Parser)]
#[command(
    name = "specter",
    version,
    after_help = Exit::table(),
    arg_required_else_help = true,
    subcommand_required = true,
    infer_long_args = false,
    max_term_width = 100,
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command understands.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// Read this project configuration instead of specter.toml and .specter/impl-config.json
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Keep state here instead of .specter in the project
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// When to colour
    #[arg(long, global = true, value_name = "WHEN")]
    pub color: Option<Color>,
    /// Draw with ASCII characters only
    #[arg(long, global = true)]
    pub ascii: bool,
    /// Say less: once for results only, twice for nothing but errors
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "verbose")]
    pub quiet: u8,
    /// Say more: commands and their output
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the open tasks of a task file
    #[command(alias = "run", after_help = Exit::table())]
    Implement(Box<Implement>),
    /// Show what `implement` would run, in which order and why; writes nothing
    Plan(Box<PlanOnly>),
    /// Check task files and print what is wrong with them; runs nothing
    #[command(alias = "validate")]
    Check(Check),
    /// Say what a task waits for and why, what waits for it, and how it stands
    Why(Why),
    /// Show how the last run stands
    Status(Status),
    /// Go on with the last unfinished run
    #[command(alias = "continue")]
    Resume(Box<Implement>),
    /// Show the log of the last run, or the output of one task
    Log(Log),
    /// List what agents ask, or answer one of them: its task goes on with that
    Answer(Answer),
    /// List the saved states of the files that one can go back to
    Checkpoints(Checkpoints),
    /// Go back to a saved state: files, boxes and what counts as done
    Rollback(Rollback),
    /// List what attempts left and is kept; show, compare or bring back one of them
    Recover(Recover),
    /// List the coding agents that specter knows: which are installed, which version, how each would be called
    Agents(Agents),
    /// Look at everything a run needs and say what is wrong with it
    Doctor(Doctor),
    /// Show every setting, its value and where it comes from
    Config(ConfigArgs),
    /// Agree to the commands a task file names, or see and revoke what was agreed to
    Trust(TrustArgs),
    /// Prepare a project: .gitignore lines and a commented specter.toml
    Init(Init),
    /// Print the JSON Schema of something specter writes
    Schema {
        /// Without one, the names are listed
        name: Option<String>,
    },
    /// Print a completion script for a shell
    Completions { shell: clap_complete::Shell },
    /// Print the manual page
    Man,
}

/// Which of the open tasks (SPEC 3.3).
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which tasks")]
pub struct Select {
    /// Only tasks of these stories
    #[arg(long, value_name = "US1,US2", value_delimiter = ',')]
    pub story: Vec<String>,
    /// Only tasks that match: `P1`, `US3`, a tag, `phase:2`, `T003..T009`, `path:src/**`, with `and`, `or`, `not`
    #[arg(long, alias = "priority", value_name = "EXPR")]
    pub filter: Vec<String>,
    /// Only these tasks
    #[arg(long, alias = "task", value_name = "T001,T002", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Only this task and those after it in the file
    #[arg(long, value_name = "TASK")]
    pub from: Option<String>,
    /// Only this task and those before it in the file
    #[arg(long, value_name = "TASK")]
    pub until: Option<String>,
    /// Only tasks of these phases, by number or name
    #[arg(long, value_name = "PHASE", value_delimiter = ',')]
    pub phase: Vec<String>,
    /// Only setup, foundation and the first story
    #[arg(long, alias = "mvp-only")]
    pub mvp: bool,
    /// Also the open tasks that the chosen ones need
    #[arg(long)]
    pub with_needs: bool,
    /// Also optional tasks (`- [ ]*`)
    #[arg(long)]
    pub include_optional: bool,
}

impl Select {
    pub fn is_everything(&self) -> bool {
        self.selection() == plan::Selection { with_needs: self.with_needs, ..plan::Selection::default() }
    }

    pub fn selection(&self) -> plan::Selection {
        plan::Selection {
            stories: self.story.clone(),
            filters: self.filter.clone(),
            only: self.only.clone(),
            from: self.from.clone(),
            until: self.until.clone(),
            phases: self.phase.clone(),
            mvp: self.mvp,
            with_needs: self.with_needs,
            include_optional: self.include_optional,
        }
    }

    /// As arguments that parse to the same selection: what a run remembers for its resume.
    pub fn to_options(&self) -> Vec<String> {
        let lists =
            [("story", &self.story), ("filter", &self.filter), ("only", &self.only), ("phase", &self.phase)];
        let mut options: Vec<String> = lists
            .iter()
            .flat_map(|(name, list)| list.iter().map(move |item| format!("--{name}={item}")))
            .collect();
        let ends = [("from", &self.from), ("until", &self.until)];
        options.extend(ends.iter().filter_map(|(name, id)| id.as_ref().map(|id| format!("--{name}={id}"))));
        let switches =
            [("mvp", self.mvp), ("with-needs", self.with_needs), ("include-optional", self.include_optional)];
        options.extend(switches.iter().filter(|(_, on)| *on).map(|(name, _)| format!("--{name}")));
        options
    }
}

/// What decides the order (SPEC 3.1, 3.2).
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which order")]
pub struct Shape {
    /// Overlap tasks marked `[P]`; `=stories`: also story lanes; `=graph`: whatever the dependencies allow
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "parallel")]
    pub parallel: Option<Mode>,
    /// How unclear marks are read: `~=open`, `-=skip`, `!=done`
    #[arg(long, value_name = "MARK=STATE")]
    pub treat: Vec<String>,
    /// What an order told in prose becomes
    #[arg(long, value_name = "HOW")]
    pub prose_deps: Option<Prose>,
    /// Test tasks of a story come before its other tasks
    #[arg(long)]
    pub tdd: bool,
    /// Warnings are errors
    #[arg(long)]
    pub strict: bool,
}

#[derive(Clone, Debug, Default, Args)]
#[command(args_override_self = true)]
pub struct Implement {
    /// The task file, its directory, or a feature's id such as `001`; found by itself if there is only one choice
    pub target: Option<PathBuf>,
    /// How it is done, in plain words: `sequential`, `use auth agents in parallel`
    #[arg(value_name = "HINT")]
    pub words: Vec<String>,
    /// The same, as an option
    #[arg(long, value_name = "HINT")]
    pub hint: Vec<String>,
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub shape: Shape,
    #[command(flatten)]
    pub run: Run,
    /// How to report
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// How a run behaves (SPEC 4.5, 5, 6.3, 14.2).
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "How to run")]
pub struct Run {
    /// At most this many tasks at once; `auto`: one per core
    #[arg(short, long, value_name = "N|auto")]
    pub jobs: Option<String>,
    /// At most this many processes of all builds in tasks at once, by make's jobserver; `auto`: one per core
    #[arg(long, value_name = "N|auto|off")]
    pub jobserver: Option<String>,
    /// A plain `make` takes part in the jobserver too, and runs in parallel then
    #[arg(long)]
    pub parallel_make: bool,
    /// How often a failed task is tried again
    #[arg(long, value_name = "N")]
    pub retries: Option<u32>,
    /// Who does tasks without a `run` block: `claude`, `codex,claude`, `auto` for the first that is installed
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// The model that agents use instead of their own choice
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// End an agent that shows no progress for this time: `10m`
    #[arg(long, value_name = "TIME")]
    pub stall: Option<String>,
    /// End an attempt after this time: `90s`, `5m`, `none`; one by an agent after an hour if nothing is said
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<String>,
    /// How long a task may take to end after it was asked to
    #[arg(long, value_name = "TIME")]
    pub grace: Option<String>,
    /// Start nothing more after the first failed task
    #[arg(long, overrides_with = "continue_on_error")]
    pub fail_fast: bool,
    /// Run even what needed a failed task
    #[arg(long, alias = "keep-going")]
    pub continue_on_error: bool,
    /// End the run cleanly after this time, resumes counted
    #[arg(long, value_name = "TIME")]
    pub max_time: Option<String>,
    /// End the run cleanly after this many attempts of whatever task, resumes counted
    #[arg(long, value_name = "N", alias = "max-attempts")]
    pub max_dispatches: Option<u32>,
    /// End the run cleanly once agents used so many tokens, resumes counted: `500k`, `2M`
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<String>,
    /// End the run cleanly once agents spent so many dollars, by what they tell of it, resumes counted
    #[arg(long, value_name = "DOLLARS")]
    pub max_cost: Option<String>,
    /// What a usage limit of a model's provider does: `wait` until it ends; `failover`: the next agent of --agent takes over,
    /// in the same place, if `doctor --agents` proved it; `stop` the run cleanly
    #[arg(long, value_name = "WHAT")]
    pub on_limit: Option<String>,
    /// What an agent's question does to its task: `park` it for `specter answer`, take the agent's own `default`, or `fail`
    #[arg(long, value_name = "WHAT")]
    pub blocked: Option<String>,
    /// Wait so long for a provider's limit to end, and no longer: `8h`
    #[arg(long, value_name = "TIME")]
    pub max_wait: Option<String>,
    /// Start nothing more while less memory is available: `256 MiB`, `none`
    #[arg(long, value_name = "SIZE")]
    pub min_free_memory: Option<String>,
    /// Start nothing more while a disk that is written to has less room: `512 MiB`, `none`
    #[arg(long, value_name = "SIZE")]
    pub min_free_disk: Option<String>,
    /// Start nothing more while the load over the last minute is higher
    #[arg(long, value_name = "LOAD")]
    pub max_load: Option<String>,
    /// Go on with the last unfinished run
    #[arg(long, alias = "continue")]
    pub resume: bool,
    /// Show the plan, run and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Start plain commands by the shell too, instead of directly
    #[arg(long)]
    pub force_shell: bool,
    /// `auto`: tasks in working trees cannot change others' trees or the project; `write`: tasks can change files only in the
    /// project; `require`: and nothing is run where that cannot be held to; `off`
    #[arg(long, value_name = "LEVEL")]
    pub sandbox: Option<String>,
    /// `worktree`: each attempt works in a working tree of its own; `none`: in the project
    #[arg(long, value_name = "HOW")]
    pub isolation: Option<Isolation>,
    /// Whether you change files while it runs: what changes then is yours, or a task that escaped from its working tree
    #[arg(long, value_name = "WHICH")]
    pub user_edits: Option<UserEdits>,
    /// Do not save the project's files under hidden references of git
    #[arg(long)]
    pub no_checkpoints: bool,
    /// `task`, `phase`: commit what is integrated on the branch that is checked out (with --isolation=worktree); nothing
    /// else that has changed is in these commits, hooks are not run, nothing is signed
    #[arg(long, value_name = "EACH")]
    pub commit: Option<Commit>,
    /// Tag each such commit: `done/{task}`, `{run}/{phase}`
    #[arg(long, value_name = "PATTERN")]
    pub tag: Option<String>,
    /// `enterprise` implies --tdd; otherwise no effect yet: each profile runs the tasks' own verify blocks
    #[arg(long, value_name = "NAME")]
    pub profile: Option<Profile>,
    /// Which results tick a box: `unverified`: also work that nothing checked
    #[arg(long, value_name = "WHICH")]
    pub tick: Option<Tick>,
    /// `strict`: no task starts before its start is on disk, so that after power loss only what was running runs again
    #[arg(long, value_name = "HOW")]
    pub durability: Option<Durability>,
    /// No effect yet, as no test gates exist; verify blocks always run
    #[arg(long)]
    pub skip_tests: bool,
    /// No effect yet, as checklists are not looked at
    #[arg(long)]
    pub skip_checklists: bool,
    /// Leave what Spec Kit's extensions want done before and after the run to you
    #[arg(long)]
    pub no_hooks: bool,
    /// Agree, this once, to the commands that the task file and the project's configuration name
    #[arg(short, long)]
    pub yes: bool,
    /// Agree to exactly the commands with this hash
    #[arg(long, value_name = "HASH")]
    pub trust: Option<String>,
}

#[derive(Clone, Debug, Default, Args)]
pub struct PlanOnly {
    /// The task file, its directory, or a feature's id such as `001`
    pub target: Option<PathBuf>,
    /// How it is done, in plain words: `sequential`, `use auth agents in parallel`
    #[arg(value_name = "HINT")]
    pub words: Vec<String>,
    /// The same, as an option
    #[arg(long, value_name = "HINT")]
    pub hint: Vec<String>,
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub shape: Shape,
    /// Print exactly what an agent would be told for this task, and on standard error what that is made of
    #[arg(long, value_name = "TASK", conflicts_with = "format")]
    pub prompt: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    Sequential,
    Parallel,
    Stories,
    Graph,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Prose {
    Ignore,
    After,
    Needs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    Fast,
    Standard,
    Enterprise,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tick {
    Verified,
    Unverified,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    Group,
    Strict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Isolation {
    None,
    Auto,
    Worktree,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Commit {
    Off,
    Task,
    Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UserEdits {
    Expected,
    Auto,
    None,
}

/// The word a value was typed as.
fn word(value: impl ValueEnum) -> Value {
    value.to_possible_value().map_or(Value::Null, |value| Value::from(value.get_name()))
}

impl Global {
    pub fn overrides(&self) -> Vec<Override> {
        let mut list = Overrides::default();
        list.maybe("color", "--color", self.color.map(word));
        list.maybe("ascii", "--ascii", self.ascii.then_some(Value::Bool(true)));
        let verbosity = i64::from(self.verbose) - i64::from(self.quiet);
        let flag = if verbosity < 0 { "--quiet" } else { "--verbose" };
        list.maybe("verbosity", flag, (verbosity != 0).then(|| verbosity.into()));
        // Lossy text would name another directory: such a path is used as typed by the caller instead.
        list.maybe(
            "state-dir",
            "--state-dir",
            self.state_dir.as_ref().and_then(|dir| dir.to_str()).map(Value::from),
        );
        list.0
    }
}

impl Shape {
    pub fn overrides(&self) -> Vec<Override> {
        let mut list = Overrides::default();
        list.maybe("mode", "--parallel", self.parallel.map(word));
        for treat in &self.treat {
            list.maybe("treat", "--treat", Some(treat.as_str().into()));
        }
        list.maybe("prose-deps", "--prose-deps", self.prose_deps.map(word));
        list.maybe("tdd", "--tdd", self.tdd.then_some(Value::Bool(true)));
        list.maybe("strict", "--strict", self.strict.then_some(Value::Bool(true)));
        list.0
    }
}

impl Implement {
    /// What the flags say, as settings. The order is that of the list, so the last of two wins.
    pub fn overrides(&self) -> Vec<Override> {
        let run = &self.run;
        let mut list = Overrides::default();
        list.maybe("profile", "--profile", run.profile.map(word));
        list.0.extend(self.shape.overrides());
        let hints: Vec<&str> = self.hint.iter().chain(&self.words).map(String::as_str).collect();
        list.maybe("hint", "--hint", (!hints.is_empty()).then(|| hints.join(", ").into()));
        list.maybe("jobs", "--jobs", run.jobs.as_deref().map(Value::from));
        list.maybe("jobserver", "--jobserver", run.jobserver.as_deref().map(Value::from));
        list.maybe("parallel-make", "--parallel-make", run.parallel_make.then_some(Value::Bool(true)));
        list.maybe("retries", "--retries", run.retries.map(Value::from));
        list.maybe("agent", "--agent", run.agent.as_deref().map(Value::from));
        list.maybe("model", "--model", run.model.as_deref().map(Value::from));
        list.maybe("stall", "--stall", run.stall.as_deref().map(Value::from));
        list.maybe("timeout", "--timeout", run.timeout.as_deref().map(Value::from));
        list.maybe("grace", "--grace", run.grace.as_deref().map(Value::from));
        list.maybe("failure", "--fail-fast", run.fail_fast.then(|| "fail-fast".into()));
        list.maybe(
            "failure",
            "--continue-on-error",
            run.continue_on_error.then(|| "continue-on-error".into()),
        );
        list.maybe("tick", "--tick", run.tick.map(word));
        list.maybe("durability", "--durability", run.durability.map(word));
        list.maybe("max-time", "--max-time", run.max_time.as_deref().map(Value::from));
        list.maybe("force-shell", "--force-shell", run.force_shell.then_some(Value::Bool(true)));
        list.maybe("sandbox", "--sandbox", run.sandbox.as_deref().map(Value::from));
        list.maybe("isolation", "--isolation", run.isolation.map(word));
        list.maybe("user-edits", "--user-edits", run.user_edits.map(word));
        list.maybe("checkpoints", "--no-checkpoints", run.no_checkpoints.then_some(Value::Bool(false)));
        list.maybe("commit", "--commit", run.commit.map(word));
        list.maybe("tag", "--tag", run.tag.as_deref().map(Value::from));
        list.maybe("min-free-memory", "--min-free-memory", run.min_free_memory.as_deref().map(Value::from));
        list.maybe("min-free-disk", "--min-free-disk", run.min_free_disk.as_deref().map(Value::from));
        list.maybe("max-load", "--max-load", run.max_load.as_deref().map(Value::from));
        list.maybe("max-dispatches", "--max-dispatches", run.max_dispatches.map(Value::from));
        list.maybe("max-tokens", "--max-tokens", run.max_tokens.as_deref().map(Value::from));
        list.maybe("max-cost", "--max-cost", run.max_cost.as_deref().map(Value::from));
        list.maybe("on-limit", "--on-limit", run.on_limit.as_deref().map(Value::from));
        list.maybe("blocked", "--blocked", run.blocked.as_deref().map(Value::from));
        list.maybe("max-wait", "--max-wait", run.max_wait.as_deref().map(Value::from));
        list.0
    }

    /// The options a resume takes up, as arguments of `implement`.
    pub fn to_options(&self) -> Vec<String> {
        let mut options = self.select.to_options();
        options.extend(self.overrides().iter().map(as_option));
        options
    }

    /// What was typed, laid over the options of the run that goes on: a selection typed now replaces the old one, and
    /// of two values for one setting the one typed now counts.
    pub fn laid_over(&self, remembered: &[String]) -> Result<Implement, clap::Error> {
        let mut earlier = Implement::from_options(remembered)?;
        if !self.select.is_everything() {
            earlier.select = Select::default();
        }
        if !self.hint.is_empty() || !self.words.is_empty() {
            earlier.hint.clear();
        }
        let mut options = earlier.to_options();
        options.extend(self.to_options());
        Implement::from_options(&options)
    }

    /// Options of an earlier run, as it remembered them.
    pub fn from_options(options: &[String]) -> Result<Implement, clap::Error> {
        let typed = ["specter", "implement"].into_iter().map(str::to_owned).chain(options.iter().cloned());
        match Cli::try_parse_from(typed)?.command {
            Command::Implement(implement) => Ok(*implement),
            _ => Ok(Implement::default()),
        }
    }
}

fn as_option(given: &Override) -> String {
    match (&*given.flag, &given.value) {
        (flag @ ("--fail-fast" | "--continue-on-error" | "--no-checkpoints"), _)
        | (flag, Value::Bool(true)) => flag.to_owned(),
        (flag, Value::String(text)) => format!("{flag}={text}"),
        (flag, value) => format!("{flag}={value}"),
    }
}

#[derive(Default)]
struct Overrides(Vec<Override>);

impl Overrides {
    fn maybe(&mut self, key: &'static str, flag: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.0.push(Override { key, flag: flag.to_owned(), value });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn implement(args: &[&str]) -> Implement {
        let cli = Cli::try_parse_from(["specter", "implement"].iter().chain(args)).expect("parses");
        match cli.command {
            Command::Implement(implement) => *implement,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn parallel_takes_its_value_only_after_an_equals_sign() {
        let args = implement(&["--parallel", "specs/001"]);
        assert_eq!((args.shape.parallel, args.target), (Some(Mode::Parallel), Some("specs/001".into())));
        assert_eq!(implement(&["--parallel=graph"]).shape.parallel, Some(Mode::Graph));
    }

    #[test]
    fn spellings_of_other_tools_mean_the_same() {
        assert!(implement(&["--continue"]).run.resume && implement(&["--resume"]).run.resume);
        assert!(implement(&["--mvp-only"]).select.mvp);
        assert_eq!(implement(&["--priority=P2"]).select.filter, ["P2"]);
        assert_eq!(implement(&["--task=T005"]).select.only, ["T005"]);
        assert!(matches!(
            Cli::try_parse_from(["specter", "run"]).expect("parses").command,
            Command::Implement(_)
        ));
    }

    #[test]
    fn a_resumed_run_gets_the_options_it_was_started_with() {
        let args = [
            "--story=US1,US2",
            "--filter=P1 and not T003",
            "--from=T001",
            "--mvp",
            "--with-needs",
            "--parallel=stories",
            "-j3",
            "--retries=5",
            "--timeout=90s",
            "--fail-fast",
            "--treat=~=open",
            "--treat=-=skip",
            "--tdd",
            "--max-dispatches=9",
            "--max-tokens=2M",
            "--max-cost=2.50",
            "--on-limit=stop",
            "--blocked=default",
            "--max-wait=2h",
            "--prose-deps=ignore",
            "--profile=fast",
            "--durability=strict",
            "--isolation=worktree",
            "--user-edits=none",
            "--no-checkpoints",
            "--agent=codex,claude",
            "--model=m",
            "--stall=5m",
            "--commit=phase",
            "--tag={run}/{phase}",
        ];
        let first = implement(&args);
        let again = Implement::from_options(&first.to_options()).expect("parses");
        assert_eq!(again.overrides(), first.overrides());
        assert_eq!(again.select.selection(), first.select.selection());
        assert_eq!(first.overrides().len(), 25);
    }

    #[test]
    fn what_is_typed_on_resume_is_stronger_than_what_the_run_remembers() {
        let first = implement(&["--story=US1", "--retries=5", "--fail-fast", "--parallel", "--treat=~=open"]);
        let typed = implement(&["--resume", "--retries=1", "--continue-on-error", "--parallel=graph"]);
        let both = typed.laid_over(&first.to_options()).expect("parses");
        assert_eq!((both.run.retries, both.shape.parallel), (Some(1), Some(Mode::Graph)));
        assert_eq!((both.run.fail_fast, both.run.continue_on_error), (false, true));
        assert_eq!(
            (both.select.story, both.shape.treat),
            (vec!["US1".to_owned()], vec!["~=open".to_owned()])
        );
        let narrowed = implement(&["--only=T003"]).laid_over(&first.to_options()).expect("parses");
        assert!(narrowed.select.story.is_empty() && narrowed.select.only == ["T003"]);
    }

    #[test]
    fn lists_may_be_given_in_parts() {
        let args = implement(&["--story=US1", "--story", "US2", "--only=T1", "--only=T2", "-j2", "-j3"]);
        assert_eq!((args.select.story.len(), args.select.only.len()), (2, 2));
        assert_eq!(args.run.jobs.as_deref(), Some("3"));
    }

    #[test]
    fn slips_are_answered_with_the_nearest_name() {
        let said = |args: &[&str]| match Cli::try_parse_from(args) {
            Ok(_) => panic!("{args:?} parses"),
            Err(error) => error.to_string(),
        };
        assert!(said(&["specter", "implemnt"]).contains("'implement'"));
        assert!(said(&["specter", "implement", "--paralel"]).contains("'--parallel'"));
        assert!(said(&["specter", "implement", "--parallel=stores"]).contains("'stories'"));
    }
}
