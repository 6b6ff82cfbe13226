//! `doctor`: everything a run needs, looked at, all failures at once. Changes nothing but with `--clean`.

use super::args::{Doctor, Format, Global};
use super::error::Error;
use super::exit::Exit;
use super::stage::{self, Stream};
use super::target::{self, Target};
use super::{doctor_agents, hold, out, programs, workspace};
use crate::clock::Clock;
use crate::config::{Config, Isolation};
use crate::driver::rollback;
use crate::exec::{Elsewhere, SandboxConfig};
use crate::fs::shown;
use crate::git::{self, Git, Pool};
use crate::journal::{RunId, Store};
use crate::plan::Plan;
use crate::projection::kept::{DoctorJson, FindingJson, Level};
use crate::projection::schema::VERSION;
use crate::sys::{self, Held};
use crate::task::Task;
use crate::text::{count, safe};
use crate::ui;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Less than this is worth a warning; less than that and a run cannot even record what it does.
const LITTLE: u64 = 1 << 30;
const TOO_LITTLE: u64 = 16 << 20;

pub(super) fn doctor(global: &Global, given: &Doctor) -> Result<Exit, Error> {
    let mut doc = Looked::default();
    let (target, config) = doc.project(global, given)?;
    let plan = doc.task_file(&config, &target);
    if let Some(plan) = &plan {
        doc.programs(plan, &config, &target.project);
    }
    doc.repository(&config, &target.project);
    let store = doc.state(global, &config, &target);
    doc.sandbox(&target.project, &config);
    if given.agents {
        doc.agents(global, &target)?;
    }
    let (mut idle, mut removed) = (Vec::new(), false);
    if let Some(store) = &store {
        doc.rollbacks(store);
        if let Some((mut git, pool)) = doc.kept(&config, &target, store) {
            let keep = config.keep_trees as usize;
            idle = git.garbage(&pool, keep)?.iter().map(|path| path.to_string_lossy().into_owned()).collect();
            if given.clean && !idle.is_empty() {
                let _lock = hold::lock(store, &Clock::start(), &config)?;
                git.clear_stale_locks()?;
                git.collect_garbage(&pool, keep)?;
                removed = true;
            }
        }
    }
    let ok = doc.findings.iter().all(|finding| finding.level != Level::Fail);
    let told = DoctorJson { schema: VERSION, ok, findings: doc.findings, idle, removed };
    if given.format == Format::Json {
        out::json(&told)?;
    } else {
        out::text(&ui::doctor::doctor(&stage::screen(global, &config, Stream::Out), &told))?;
    }
    Ok(if ok { Exit::Done } else { Exit::Preflight })
}

/// What was found so far.
#[derive(Default)]
struct Looked {
    findings: Vec<FindingJson>,
}

impl Looked {
    fn say(&mut self, level: Level, what: &str, text: impl Into<String>, help: &[&str]) {
        let help = help.iter().map(|help| (*help).to_owned()).collect();
        self.findings.push(FindingJson { level, what: what.to_owned(), text: text.into(), help });
    }

    fn fail(&mut self, what: &str, error: &Error) {
        let text = error.source.to_string();
        let help = error.hints.clone();
        self.findings.push(FindingJson { level: Level::Fail, what: what.to_owned(), text, help });
    }

    /// The project and its configuration; the defaults where that is invalid, so that the rest can be looked at.
    fn project(&mut self, global: &Global, given: &Doctor) -> Result<(Target, Config), Error> {
        let target = match Target::find(given.target.as_deref(), global) {
            Ok(target) => target,
            Err(error) => {
                self.fail("task file", &error);
                Target::bare(&target::here()?)
            }
        };
        match stage::configuration(global, &target, &[]) {
            Ok(loaded) => {
                let notes = loaded.notes.len() as u64;
                let text =
                    if notes == 0 { "valid".to_owned() } else { format!("valid, {}", count(notes, "note")) };
                self.say(Level::Ok, "configuration", text, &[]);
                Ok((target, loaded.config))
            }
            Err(error) => {
                self.fail("configuration", &error);
                Ok((target, Config::default()))
            }
        }
    }

    fn task_file(&mut self, config: &Config, target: &Target) -> Option<Plan> {
        if self.findings.iter().any(|finding| finding.what == "task file") {
            return None;
        }
        let file = match stage::read(target) {
            Ok(file) => file,
            Err(error) => {
                self.fail("task file", &error);
                return None;
            }
        };
        let options = stage::plan_options(&super::args::Implement::default(), config, target, None);
        let (plan, findings) = stage::plan_with_findings(&file, &options);
        let name = safe(&target.typed);
        let Some(plan) = plan else {
            let errors = findings.iter().filter(|finding| finding.is_error()).count() as u64;
            let text = format!("`{name}` has {}", count(errors, "error"));
            self.say(Level::Fail, "task file", text, &["`specter check` lists them"]);
            return None;
        };
        let open = plan.runnable().count();
        let text = format!("`{name}`: {}, {open} to run", count(plan.tasks.len() as u64, "task"));
        let has_work =
            |task: &Task| task.has_run_block() || task.more.agent.is_some() || !config.agent.is_empty();
        let without = plan.runnable().filter(|task| !has_work(plan.task(*task))).count() as u64;
        match (without, findings.len() as u64) {
            (0, 0) => self.say(Level::Ok, "task file", text, &[]),
            (0, n) => {
                let text = format!("{text}, {}", count(n, "warning"));
                self.say(Level::Warn, "task file", text, &["`specter check` lists them"]);
            }
            (n, _) => {
                let text = format!("{text}, {} without work", count(n, "open task"));
                self.say(
                    Level::Fail,
                    "task file",
                    text,
                    &[
                        "let an agent do them: `agent` in the configuration, or `--agent`",
                        "or give each a fenced block whose info string is `sh run`",
                    ],
                );
            }
        }
        Some(plan)
    }

    /// What the blocks of open tasks are started with.
    fn programs(&mut self, plan: &Plan, config: &Config, project: &Path) {
        let blocks = plan.runnable().flat_map(|task| &plan.task(task).blocks);
        let names: BTreeSet<&str> = blocks
            .map(|block| match block.interpreter.as_str() {
                "sh" | "shell" => config.shell.as_str(),
                other => other,
            })
            .collect();
        if names.is_empty() {
            return;
        }
        let (found, missing): (Vec<&str>, Vec<&str>) =
            names.into_iter().partition(|name| programs::find_program(name, project).is_some());
        let list = |names: &[&str]| {
            names.iter().map(|name| format!("`{}`", safe(name))).collect::<Vec<_>>().join(", ")
        };
        if missing.is_empty() {
            self.say(Level::Ok, "programs", format!("{} on PATH", list(&found)), &[]);
        } else {
            let text = format!("{} not found on PATH", list(&missing));
            self.say(
                Level::Fail,
                "programs",
                text,
                &["install it, or run without the tasks that need it: `--only`, `--filter`"],
            );
        }
    }

    fn repository(&mut self, config: &Config, project: &Path) {
        let needs_one = config.isolation == Isolation::Worktree;
        if let Err(error) = super::commit::check_words(config) {
            self.fail("commits", &error);
        }
        let findings = git::probe(project);
        let found = findings.as_deref().unwrap_or_default();
        let stops = super::commit::stops(config, project, found).unwrap_or_default();
        for git::Finding { state, help } in stops {
            let help: Vec<&str> = help.into_iter().collect();
            self.say(Level::Fail, "commits", state.to_string(), &help);
        }
        match findings {
            Err(error) => self.say(Level::Fail, "repository", error.to_string(), &[]),
            Ok(findings) if findings.is_empty() => self.say(Level::Ok, "repository", "clean", &[]),
            Ok(findings) => {
                for finding in findings {
                    let level = match finding.help {
                        Some(_) if needs_one => Level::Fail,
                        None if !finding.state.matters_to_trees() => Level::Ok,
                        _ => Level::Warn,
                    };
                    let help: Vec<&str> = finding.help.into_iter().collect();
                    self.say(level, "repository", finding.state.to_string(), &help);
                }
            }
        }
    }

    /// State directory, lock, disk.
    fn state(&mut self, global: &Global, config: &Config, target: &Target) -> Option<Store> {
        let store = match stage::find_store(global, config, target) {
            Ok(store) => store,
            Err(error) => {
                self.fail("state", &error);
                return None;
            }
        };
        let dir = match &store {
            Some(store) => store.dir().to_owned(),
            None => stage::state_dir(global, config, target)
                .ok()
                .flatten()
                .unwrap_or_else(|| target.project.join(".specter")),
        };
        self.place("state", &dir);
        // Without a repository there are none, and that is said already.
        match git::root_of(&target.project).map(|root| workspace::trees_dir(config, &root)) {
            Ok(Ok(dir)) => self.place("working trees", &dir),
            Ok(Err(error)) => self.fail("working trees", &error),
            Err(_) => {}
        }
        match &store {
            Some(store) if store.is_locked() => {
                let help = "wait for it, or end it; its lock goes with it";
                self.say(Level::Warn, "lock", "a run is at work in this project", &[help]);
            }
            _ => self.say(Level::Ok, "lock", "free", &[]),
        }
        store
    }

    /// Whether there can be written, and how much.
    fn place(&mut self, what: &str, dir: &Path) {
        let existing = dir.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
        let name = shown(dir);
        if !existing.is_dir() || !sys::may_write(existing) {
            let text = format!("`{name}` cannot be written");
            self.say(Level::Fail, what, text, &["make it writable, or name another directory"]);
            return;
        }
        match sys::room(existing).map(|room| room.free) {
            Ok(free) if free < TOO_LITTLE => {
                let text = format!("`{name}`: the disk is full, {} left", bytes(free));
                self.say(Level::Fail, what, text, &["make room"]);
            }
            Ok(free) if free < LITTLE => {
                let text = format!("`{name}`: only {} left on the disk", bytes(free));
                self.say(
                    Level::Warn,
                    what,
                    text,
                    &["make room; `specter doctor --clean` removes idle working trees"],
                );
            }
            Ok(free) => self.say(Level::Ok, what, format!("`{name}`, {} free", bytes(free)), &[]),
            Err(error) => self.say(Level::Warn, what, format!("`{name}`: {error}"), &[]),
        }
    }

    fn sandbox(&mut self, project: &Path, config: &Config) {
        let writable = vec![project.to_owned()];
        let all = SandboxConfig { writable, elsewhere: Elsewhere::Nothing, of_agents: BTreeMap::new() };
        let tried = all.try_out();
        let wants = config.sandbox > crate::config::Sandbox::Auto;
        let what = match config.sandbox {
            crate::config::Sandbox::Off => "`off`: tasks change what they like",
            crate::config::Sandbox::Auto => {
                "`auto`: tasks in working trees are kept from the project and from each other"
            }
            crate::config::Sandbox::Write | crate::config::Sandbox::Require => {
                "tasks change files only in the project"
            }
        };
        match tried {
            Ok(Held::All) => self.say(Level::Ok, "sandbox", format!("{what}; supported by this kernel"), &[]),
            Ok(Held::But(flaw)) => {
                let level = if wants { Level::Warn } else { Level::Ok };
                self.say(level, "sandbox", format!("{what}; supported by this kernel, but for {flaw}"), &[]);
            }
            Err(error) => {
                let level = match config.sandbox {
                    crate::config::Sandbox::Require => Level::Fail,
                    crate::config::Sandbox::Write | crate::config::Sandbox::Auto => Level::Warn,
                    crate::config::Sandbox::Off => Level::Ok,
                };
                self.say(level, "sandbox", format!("{what}; not supported here: {error}"), &[]);
            }
        }
    }

    /// Whether they answer: only where that was asked for, since it costs.
    fn agents(&mut self, global: &Global, target: &Target) -> Result<(), Error> {
        // An invalid configuration was told of already.
        let Ok(loaded) = stage::configuration(global, target, &[]) else { return Ok(()) };
        let answers = doctor_agents::ask(&loaded, &target.project)?;
        if answers.is_empty() {
            self.say(
                Level::Warn,
                "agents",
                "none is installed",
                &["`specter agents` tells how each is installed"],
            );
        }
        for answer in answers {
            let help: Vec<&str> = answer.help.iter().map(String::as_str).collect();
            self.say(answer.level, &answer.what, answer.text, &help);
        }
        Ok(())
    }

    fn rollbacks(&mut self, store: &Store) {
        let Ok(Some(run)) = store.latest(None) else { return };
        match rollback::pending(store, &run) {
            Ok(None) => {}
            Ok(Some(pending)) => {
                let text = format!("going back to {} was cut off", safe(&pending.to));
                self.say(Level::Warn, "rollback", text, &["`specter resume` finishes it first"]);
            }
            Err(error) => self.say(Level::Fail, "rollback", error.to_string(), &[]),
        }
    }

    /// What is kept, and the working trees.
    fn kept(&mut self, config: &Config, target: &Target, store: &Store) -> Option<(Git, Pool)> {
        let run: RunId = store.latest(None).ok().flatten()?;
        let git = workspace::open(config, target, store, &run, &Clock::start()).ok()?;
        let kept = git.kept().map_or(0, |kept| kept.len()) as u64;
        let pool = workspace::pool(config, &git).ok()?;
        let (leased, size) =
            (git.leased(&pool).map_or(0, |leased| leased.len()) as u64, git.pool_size(&pool));
        let mut text = format!("{} kept", count(kept, "attempt"));
        if let Ok((trees, size)) = size {
            text += &format!(", {} with {}", count(trees as u64, "working tree"), bytes(size));
        }
        if leased > 0 && !store.is_locked() {
            text += &format!(", {leased} of them left by a run that died");
            self.say(Level::Warn, "kept", text, &["`specter recover` saves what is in them"]);
        } else {
            self.say(Level::Ok, "kept", text, &[]);
        }
        Some((git, pool))
    }
}

/// `1.5 GB`
fn bytes(n: u64) -> String {
    let (unit, size) = match n {
        1_000_000_000.. => ("GB", 1_000_000_000),
        1_000_000.. => ("MB", 1_000_000),
        1000.. => ("kB", 1000),
        _ => return format!("{n} bytes"),
    };
    format!("{}.{} {unit}", n / size, n % size * 10 / size)
}
