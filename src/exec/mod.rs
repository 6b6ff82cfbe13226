//! Running one attempt of a task: starting its blocks, watching, ending and accounting for everything they start.
//!
//! The interface is blocking: whoever owns the worker threads calls [`Executor::run`] on one of them. Which task runs
//! when, and what its failure means for others, is not known here.

mod agent;
mod around;
mod capture;
mod child;
mod command;
mod direct;
mod environment;
mod guardian;
mod jobserver;
mod life;
mod log;
mod mask;
mod others;
mod pipe;
mod probe;
mod refusal;
mod repeat;
mod sandbox;
mod scratch;
mod scripted;
mod shell;
mod stop;
mod tree;

pub use agent::{AgentConfig, AgentExecutor, Asked, PlainPrompts, Prompted, Prompts, WALL};
pub use environment::{is_secret_name, is_withheld};
pub use guardian::{Guardian, kill_leftovers};
pub use jobserver::JobserverConfig;
pub use mask::{MaskStream, Masker};
pub use others::others_at_work;
pub use probe::first_line;
pub use sandbox::{Elsewhere, SandboxConfig};
pub use scripted::{Scripted, ScriptedAttempt};
pub use shell::{ShellConfig, ShellExecutor};
pub use stop::StopHandle;

use crate::event::{AgentStep, AttemptReport, GateVerdict, QuietStage};
use crate::plan::Plan;
use crate::task::{Task, TaskId, TaskIx};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// One try at one task.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    pub ix: TaskIx,
    pub task: &'a Task,
    /// From 1.
    pub number: u32,
    /// No other attempt follows if this one fails: `fallback` blocks are tried.
    pub last: bool,
    /// That `ix` is a position in, for whoever has to know what is around the task.
    pub plan: Option<&'a Plan>,
    /// Who does it, where that is not who its line names.
    pub agent: Option<&'a str>,
    /// Where it works, if not in the project.
    pub workspace: Option<&'a Workspace>,
    pub part: Part,
}

impl<'a> Attempt<'a> {
    /// All of a task's blocks, in the project.
    pub fn new(ix: TaskIx, task: &'a Task, number: u32, last: bool) -> Attempt<'a> {
        Attempt { ix, task, number, last, plan: None, agent: None, workspace: None, part: Part::All }
    }

    /// Which agent does it, if one does.
    pub fn agent_name(&self) -> Option<&'a str> {
        self.agent.or(self.task.more.agent.as_deref())
    }
}

/// Which of a task's blocks an attempt runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    #[default]
    All,
    /// The checks alone, once more: what they are about changed after they had passed.
    Verify,
    /// The checks alone: an agent did the work.
    Checks,
}

/// A copy of the project for one attempt alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Workspace {
    /// Stands for the project's directory; absolute.
    pub dir: PathBuf,
    /// Where the attempt may change files, if it is sandboxed.
    pub writable: Vec<PathBuf>,
    /// What an earlier attempt of the task made is in it already.
    pub holds_work: bool,
}

/// Who shows live output.
pub trait OutputObserver: Sync {
    /// Asked once per piece of output; false costs nothing further.
    fn is_watching(&self) -> bool {
        true
    }

    /// The latest line of output, masked but not made safe to show; at most ten a second for each attempt.
    fn line(&self, task: TaskIx, line: &str);

    /// What an agent did, each with its number, in the order in which it ended. They are for the record.
    fn steps(&self, _steps: Vec<(u32, AgentStep)>) {}

    /// An agent shows no sign of progress for so long, and what is done about it; for the record.
    fn quiet(&self, _stage: QuietStage, _quiet: Duration) {}

    /// What a gate found of an agent's work; for the record.
    fn gate(&self, _gate: &'static str, _verdict: GateVerdict, _duration: Duration) {}
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl OutputObserver for NoObserver {
    fn is_watching(&self) -> bool {
        false
    }

    fn line(&self, _task: TaskIx, _line: &str) {}
}

/// What can run an attempt.
#[expect(clippy::large_enum_variant, reason = "there is one in a run, and it is never moved")]
pub enum Executor {
    Shell(ShellExecutor),
    /// Tasks with work of their own by the shell, all others by agents.
    Agents(ShellExecutor, AgentExecutor),
    /// Outcome and duration by script, for rehearsals and tests.
    Scripted(Scripted),
}

impl Executor {
    /// So many attempts run or are about to begin.
    pub fn expect(&self, attempts: u32) {
        match self {
            Executor::Shell(shell) | Executor::Agents(shell, _) => shell.expect(attempts),
            Executor::Scripted(_) => {}
        }
    }

    /// A worker that ran attempts has none to run now.
    pub fn rest(&self) {
        match self {
            Executor::Shell(shell) | Executor::Agents(shell, _) => shell.rest(),
            Executor::Scripted(_) => {}
        }
    }

    /// What hides the secrets of the environment, if there is any output to hide them in.
    pub fn masker(&self) -> Option<Arc<Masker>> {
        match self {
            Executor::Shell(shell) | Executor::Agents(shell, _) => Some(shell.masker()),
            Executor::Scripted(_) => None,
        }
    }

    /// For the end of a run, when no attempt runs any more: ends what could not be traced to one, and says what it was.
    pub fn clear_orphans(&self) -> Vec<String> {
        match self {
            Executor::Shell(shell) | Executor::Agents(shell, _) => shell.clear_orphans(),
            Executor::Scripted(_) => Vec::new(),
        }
    }

    /// What agents made could not become part of the project's files: their next attempt should know.
    pub fn learn(&self, task: &TaskId, report: &AttemptReport) {
        if let Executor::Agents(_, agents) = self {
            agents.learn(task, report);
        }
    }

    pub fn has_agents(&self) -> bool {
        matches!(self, Executor::Agents(..))
    }

    /// Whether an agent does the work of `task`.
    pub fn is_for_agent(&self, task: &Task) -> bool {
        self.has_agents() && !task.has_run_block()
    }

    /// Runs the attempt on the calling thread until nothing of it lives any more.
    pub fn run(
        &self,
        attempt: &Attempt<'_>,
        stop: &StopHandle,
        observer: &dyn OutputObserver,
    ) -> AttemptReport {
        match self {
            Executor::Agents(shell, agents)
                if attempt.part == Part::All && self.is_for_agent(attempt.task) =>
            {
                agents.run(shell, attempt, stop, observer)
            }
            Executor::Shell(shell) | Executor::Agents(shell, _) => shell.run(attempt, stop, observer),
            Executor::Scripted(scripted) => scripted.run(attempt, stop),
        }
    }
}
