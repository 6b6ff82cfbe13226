//! Who does what (SPEC 4.3): a task's own `run` blocks go to the shell, all other tasks to the agent that their `agent:`
//! line names, or to the default one. That every one of them can be called is settled before anything is run.

use super::error::{Error, Kind};
use super::hints;
use super::programs::find_program;
use crate::agent::{Permission, Presets};
use crate::clock::Clock;
use crate::config::proofs::{Identity, Proof, Proofs};
use crate::config::{Config, Environment, Isolation};
use crate::domains::{self, Hints, Rules};
use crate::driver::Briefing;
use crate::exec::{AgentConfig, PlainPrompts, WALL};
use crate::git;
use crate::plan::{Mode, Plan};
use crate::prompt::Context;
use crate::schedule::{Link, MAX_CHAIN};
use crate::task::{Document, State, Task};
use crate::text::{count, nearest, safe};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// So many tasks without work are listed.
const LISTED: usize = 20;

pub(super) struct Staff {
    presets: Presets,
    /// Who does tasks about what.
    rules: Rules,
    hints: Hints,
    /// For tasks that name none, and of which no rule does.
    default: Option<String>,
    /// Who takes over from whom; empty where nobody does.
    chain: Vec<Link>,
    /// Why somebody of the chain does not take over, in words.
    left_out: Vec<String>,
    /// Agents that the run can call: what an edit of the file adds may name others.
    called: BTreeSet<String>,
}

impl Staff {
    /// The agents there are, and the one that was asked for.
    pub(super) fn of(config: &Config, project: &Path) -> Result<Staff, Error> {
        let presets = config.agents.clone();
        let is_here = |name: &str| {
            presets.get(name).is_some_and(|preset| find_program(&preset.command, project).is_some())
        };
        let mut named: Vec<String> = Vec::new();
        let default = match config.agent.as_str() {
            "" | "none" => None,
            "auto" => {
                let found = presets.in_order().into_iter().find(|name| is_here(name)).map(str::to_owned);
                Some(found.ok_or_else(|| nobody_here(&presets))?)
            }
            // Of several the first that is there: the others are for when it fails.
            chain => {
                let names: Vec<&str> =
                    chain.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
                let unknown = names.iter().find(|name| presets.get(name).is_none());
                if let Some(name) = unknown {
                    return Err(unknown_agent(name, &presets));
                }
                let first = names.iter().find(|name| is_here(name)).or(names.first());
                named = names.iter().map(|name| (*name).to_owned()).collect();
                first.map(|name| (*name).to_owned())
            }
        };
        let (rules, hints) = (Rules::new(&config.domains), hints::of(config)?);
        let (chain, left_out) = (Vec::new(), Vec::new());
        let mut staff = Staff { presets, rules, hints, default, chain, left_out, called: BTreeSet::new() };
        staff.form_chain(&named, project);
        Ok(staff)
    }

    /// Those of the chain that are here, each once, with whether it is on record that they answer.
    fn form_chain(&mut self, names: &[String], project: &Path) {
        let mut seen = BTreeSet::new();
        let names: Vec<&String> = names.iter().filter(|name| seen.insert(*name)).collect();
        if names.len() < 2 {
            return;
        }
        let (proofs, now) = (proofs(), Clock::start().wall_ms());
        for (n, name) in names.iter().enumerate() {
            let Some(preset) = self.presets.get(name) else { continue };
            let program = find_program(&preset.command, project).filter(|_| preset.is_callable());
            let Some(program) = program else {
                self.left_out.push(format!("`{}` is not installed: it cannot take over", safe(name)));
                continue;
            };
            if self.chain.len() == MAX_CHAIN {
                self.left_out.push(format!(
                    "a chain has {MAX_CHAIN} agents at most: `{}` and what follows cannot take over",
                    safe(name)
                ));
                break;
            }
            let identity = Identity::of(preset, &program);
            let is_proven =
                identity.zip(proofs.get(*name)).is_some_and(|(identity, proof)| proof.holds(&identity, now));
            if n > 0 && !is_proven {
                self.left_out.push(format!(
                    "nothing proves that `{}` answers, so it does not take over: `specter doctor --agents` proves it",
                    safe(name)
                ));
            }
            self.chain.push(Link { agent: (*name).clone(), is_proven });
        }
    }

    /// What a person should know before the night begins.
    pub(super) fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Every open task without work gets the agent of its domain, or the default one, if there is one.
    pub(super) fn assign(&self, document: &mut Document) {
        for task in document.tasks.iter_mut().filter(|task| is_for_agent(task)) {
            if let Some(named) = task.more.agent.as_deref() {
                let named = self.named(named).map(Into::into);
                task.more.agent = named;
            }
            let assigned = domains::assign(task, &self.rules, &self.hints).agent;
            if let Some(agent) = assigned.or_else(|| self.default.clone()) {
                task.more.agent = Some(agent.as_str().into());
            }
        }
    }

    /// The agent that a task's own line names. Nothing: it names a role, such as `Designer`, which says nothing of who has it.
    /// What is nearly an agent's name stays as it is, to be told of.
    fn named(&self, word: &str) -> Option<String> {
        let name = word.to_lowercase();
        // Of two or three letters everything is near, `qa` too.
        let is_nearly = || name == word && name.len() > 3 && nearest(word, self.presets.names()).is_some();
        (self.presets.get(&name).is_some() || is_nearly()).then_some(name)
    }

    /// Every open task must say what runs it, and whoever that is must be there. None if no agent is needed.
    pub(super) fn check(
        &mut self,
        plan: &Plan,
        config: &Config,
        project: &Path,
        own_files: Vec<PathBuf>,
    ) -> Result<Option<AgentConfig>, Error> {
        without_work(plan)?;
        let tasks = plan.runnable().map(|task| plan.task(task)).filter(|task| !task.has_run_block());
        let names: BTreeSet<&str> = tasks.filter_map(|task| task.more.agent.as_deref()).collect();
        if names.is_empty() {
            return Ok(None);
        }
        names.iter().try_for_each(|name| self.can_be_called(name, project))?;
        self.called = names.into_iter().map(str::to_owned).collect();
        self.called.extend(self.chain.iter().map(|link| link.agent.clone()));
        Ok(Some(self.config(config, own_files)))
    }

    /// Who carries out what belongs to no task: the default agent, else the first that a task of the run has.
    pub(super) fn for_hooks(&self, plan: &Plan) -> Option<String> {
        let tasks = plan.runnable().map(|task| plan.task(task)).filter(|task| !task.has_run_block());
        let mut of_tasks = tasks.filter_map(|task| task.more.agent.as_deref());
        self.default.clone().or_else(|| of_tasks.next().map(str::to_owned))
    }

    /// What attempts by agents are made of.
    pub(super) fn config(&self, config: &Config, own_files: Vec<PathBuf>) -> AgentConfig {
        AgentConfig {
            presets: self.presets.clone(),
            model: Some(config.model.clone()).filter(|model| !model.is_empty()),
            permission: Permission::Unattended,
            vars: std::env::vars_os().collect(),
            env_pass: config.env_pass.clone(),
            on_question: config.on_question,
            chain: self.chain.clone(),
            stall: config.stall,
            wall: Some(config.timeout.unwrap_or(WALL)),
            own_files,
            prompts: Arc::new(PlainPrompts),
        }
    }

    /// What the agents of a run are told, as far as it is known before it begins.
    pub(super) fn brief(&self, context: Context) -> Briefing {
        Briefing { context, rules: self.rules.clone(), hints: self.hints.clone() }
    }

    /// Whether the run can have this task done by an agent.
    pub(super) fn is_here(&self, task: &Task) -> bool {
        task.more.agent.as_deref().is_some_and(|name| self.called.contains(name))
    }

    pub(super) fn can_be_called(&self, name: &str, project: &Path) -> Result<(), Error> {
        let Some(preset) = self.presets.get(name) else { return Err(unknown_agent(name, &self.presets)) };
        let shown = safe(name);
        if let Some(problem) = self.presets.problem(name) {
            let what = format!("the agent `{shown}` cannot be called: {problem}");
            return Err(Error::message(Kind::Config, what));
        }
        if find_program(&preset.command, project).is_some() {
            return Ok(());
        }
        let what = format!(
            "the agent `{shown}` is not installed: `{}` was not found on PATH",
            safe(&preset.command)
        );
        let error = Error::message(Kind::Preflight, what);
        let error = if preset.install.is_empty() {
            error
        } else {
            error.hint(format!("`{}`", safe(&preset.install)))
        };
        Err(error
            .hint("or name another one with `--agent`; `--agent auto` takes the first that is installed"))
    }
}

/// What is on record of agents that answered.
fn proofs() -> BTreeMap<String, Proof> {
    Proofs::of_user(Environment::of_process()).map(|proofs| proofs.read()).unwrap_or_default()
}

fn is_for_agent(task: &Task) -> bool {
    task.state == State::Open && !task.is_group && !task.has_run_block()
}

/// Agents that may overlap get working trees of their own where nobody said otherwise, if the project is in a repository.
pub(super) fn isolation(config: &Config, jobs: u32, project: &Path) -> Result<Isolation, String> {
    let may_overlap = config.mode != Mode::Sequential && jobs > 1;
    if config.isolation != Isolation::Auto || !may_overlap {
        return Ok(config.isolation);
    }
    match git::root_of(project) {
        Ok(_) => Ok(Isolation::Worktree),
        Err(error) => Err(format!("agents work side by side in the project itself: {error}")),
    }
}

fn unknown_agent(name: &str, presets: &Presets) -> Error {
    let error = Error::message(Kind::Config, format!("no agent `{}` is known", safe(name)));
    let known: Vec<&str> = presets.names().collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("known are {}", known.join(", "))),
    }
}

fn nobody_here(presets: &Presets) -> Error {
    let error = Error::message(Kind::Preflight, "no coding agent is installed");
    let installs = presets.in_order().into_iter().filter_map(|name| presets.get(name)).take(3);
    installs.filter(|preset| !preset.install.is_empty()).fold(error, |error, preset| {
        error.hint(format!("{}: `{}`", safe(&preset.title), safe(&preset.install)))
    })
}

fn without_work(plan: &Plan) -> Result<(), Error> {
    let tasks = plan.runnable().map(|task| plan.task(task));
    let without: Vec<&Task> =
        tasks.filter(|task| !task.has_run_block() && task.more.agent.is_none()).collect();
    if without.is_empty() {
        return Ok(());
    }
    let line =
        |task: &&Task| format!("  line {}: {} {}", task.line, safe(task.id.as_str()), safe(&task.title));
    let shown: Vec<String> = without.iter().take(LISTED).map(line).collect();
    let more = match without.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!("\n  … and {more} more"),
    };
    let what =
        format!("{} without work:\n{}{more}", count(without.len() as u64, "open task"), shown.join("\n"));
    Err(Error::message(Kind::Preflight, what)
        .hint(
            "let a coding agent do them: `--agent claude`, or `--agent auto` for the first that is installed",
        )
        .hint("or give each a fenced block whose info string is `sh run`, indented under the task")
        .hint("or leave them out with `--only`, `--filter` or `--story`"))
}
