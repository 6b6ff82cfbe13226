//! Whether this run's tasks are sandboxed, and where they may change files then: settled before anything is run.
//!
//! What weakens the sandbox is said, one line each; with `require` it ends the command instead. How the sandbox works is
//! known to `exec`, what it cannot hold to at all is told in the README.
//!
//! By default tasks in working trees are kept from others' trees, the project and what specter keeps, and from nothing
//! else. New names directly in a directory above one of these cannot be allowed, so that directories which common
//! programs make in the home directory when they are first used are made for them before.

use super::error::{Error, Kind};
use super::implement::find_program;
use super::target::Target;
use super::{stage, workspace};
use crate::agent::{Preset, Presets};
use crate::config::{self, Config, Environment, Isolation};
use crate::exec::{AgentConfig, Elsewhere, SandboxConfig};
use crate::plan::Plan;
use crate::sys::Held;
use crate::{fs, git};
use std::collections::BTreeSet;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// What programs make in the home directory; the empty name stands for all of them. What agents make is in their presets.
const FIRST_USED: [(&str, &[&str]); 15] = [
    ("", &[".cache", ".config", ".local/bin", ".local/lib", ".local/share"]),
    ("bun", &[".bun"]),
    ("bundle", &[".bundle"]),
    ("cargo", &[".cargo"]),
    ("dotnet", &[".dotnet", ".nuget"]),
    ("gem", &[".gem"]),
    ("ghc", &[".cabal", ".stack"]),
    ("go", &["go"]),
    ("gradle", &[".gradle"]),
    ("java", &[".gradle", ".m2", ".java"]),
    ("mise", &[".local/state/mise"]),
    ("npm", &[".npm", ".node-gyp"]),
    ("rustup", &[".rustup"]),
    ("sbt", &[".ivy2", ".sbt"]),
    ("yarn", &[".yarn"]),
];

/// The sandbox of this run, if there is to be one; `nested` are agents that bring one.
pub(super) fn settle(
    config: &Config,
    target: &Target,
    state: &Path,
    nested: &BTreeSet<&str>,
) -> Result<Option<SandboxConfig>, Error> {
    let is_auto = match config.sandbox {
        config::Sandbox::Off => return Ok(None),
        config::Sandbox::Auto if config.isolation != Isolation::Worktree => return Ok(None),
        level => level == config::Sandbox::Auto,
    };
    let env = Environment::of_process();
    let project = &target.project;
    let elsewhere = if is_auto { apart(config, project, state, &env)? } else { Elsewhere::Nothing };
    let mut flaws = Vec::new();
    let mut writable = if is_auto { shared(config, project) } else { vec![project.to_owned()] };
    for listed in &config.sandbox_write {
        let path = expanded(listed, &env)?;
        match path.canonicalize() {
            Ok(path) => writable.push(path),
            Err(_) => {
                say(config, &format!("tasks cannot write to `{}`: it does not exist", fs::shown(&path)));
            }
        }
    }
    flaws.extend(match &elsewhere {
        Elsewhere::Nothing => undermined(&writable, &env),
        Elsewhere::AllBut(spared) => joined(&writable, spared),
    });
    let sandbox = SandboxConfig { writable, elsewhere };
    let held = sandbox.try_out();
    if held.is_ok() {
        make_room(&sandbox, &env, (&config.agents, project));
    }
    match &held {
        Ok(Held::All) => {}
        Ok(Held::But(what)) => flaws.push(format!("this kernel cannot keep tasks from {what}")),
        Err(error) if is_auto => {
            let what = "tasks are not kept from each other's working trees";
            flaws.push(format!("{what}, only watched: {error}"));
        }
        Err(error) => flaws.push(format!("tasks cannot be sandboxed here: {error}")),
    }
    for name in nested.iter().filter(|_| held.is_ok()) {
        if is_auto {
            stage::note(config, &format!("`{name}` is kept apart by its own sandbox, not by specter's"));
        } else {
            let what = "has a sandbox of its own, which cannot be made inside this one: what it starts fails";
            say(config, &format!("`{name}` {what}; `--sandbox=auto` lets it have its own"));
        }
    }
    if config.sandbox == config::Sandbox::Require && !flaws.is_empty() {
        return Err(Error::message(Kind::Preflight, flaws.join("; "))
            .hint("nothing was run; `--sandbox=write` runs with as much of a sandbox as there can be"));
    }
    flaws.iter().for_each(|flaw| say(config, flaw));
    Ok(held.is_ok().then_some(sandbox))
}

/// Agents of the plan that bring a sandbox of their own, which cannot be made inside another.
pub(super) fn with_their_own<'a>(plan: &'a Plan, agents: Option<&AgentConfig>) -> BTreeSet<&'a str> {
    let Some(agents) = agents else { return BTreeSet::new() };
    let tasks = plan.runnable().map(|task| plan.task(task)).filter(|task| !task.has_run_block());
    let names = tasks.filter_map(|task| task.more.agent.as_deref());
    let has = |name: &&str| agents.presets.get(name).is_some_and(|it| it.has_own_sandbox(agents.permission));
    names.filter(has).collect()
}

/// Everywhere but in working trees, the repository and what specter keeps.
fn apart(config: &Config, project: &Path, state: &Path, env: &Environment) -> Result<Elsewhere, Error> {
    // Without one there are no working trees either: that is told soon.
    let Ok(root) = git::root_of(project) else { return Ok(Elsewhere::AllBut(Vec::new())) };
    let git_dir = git::dir_of(project).ok();
    let own = env.base_dir("XDG_STATE_HOME", ".local/state").map(|dir| dir.join("specter"));
    let mut spared: Vec<PathBuf> = [Some(state.to_owned()), own, git_dir].into_iter().flatten().collect();
    spared.push(workspace::trees_dir(config, &root)?);
    // Where the home directory lies in the repository, programs need more of it than they must be kept from.
    let home = env.get("HOME").map(|home| resolved(Path::new(home)));
    let holds_home = |dir: &Path| home.as_ref().is_some_and(|home| home.starts_with(dir));
    spared.extend([root, resolved(project)].into_iter().find(|dir| !holds_home(dir)));
    Ok(Elsewhere::AllBut(spared.iter().map(|path| resolved(path)).collect()))
}

/// What the user wants all working trees to share.
fn shared(config: &Config, project: &Path) -> Vec<PathBuf> {
    let names = config.carry.iter().filter_map(|item| item.strip_suffix("=symlink"));
    names.filter_map(|name| project.join(name).canonicalize().ok()).collect()
}

/// Makes what programs that are installed would make in the home directory and could not.
fn make_room(sandbox: &SandboxConfig, env: &Environment, (agents, project): (&Presets, &Path)) {
    let Some(home) = env.get("HOME").map(|home| resolved(Path::new(home))) else { return };
    let path = env.get("PATH").unwrap_or_default();
    let is_installed =
        |name: &str| name.is_empty() || std::env::split_paths(path).any(|dir| dir.join(name).is_file());
    let first_used = FIRST_USED.iter().filter(|(program, _)| is_installed(program));
    let of_programs = first_used.flat_map(|(_, names)| names.iter().copied());
    // Whoever fetches an agent is found by the fetcher's name: the agent's own may stand nowhere.
    let is_here = |agent: &Preset| find_program(&agent.command, project).is_some();
    let callable = agents.iter().filter(|(name, agent)| agents.problem(name).is_none() && is_here(agent));
    let of_agents = callable.flat_map(|(_, agent)| agent.home.iter().map(String::as_str));
    for dir in of_programs.chain(of_agents).map(|name| home.join(name)) {
        if dir.parent().is_some_and(|parent| sandbox.is_above(parent)) {
            // Where it cannot be made, nor can the program.
            let _made = std::fs::DirBuilder::new().recursive(true).mode(fs::PRIVATE_DIR).create(&dir);
        }
    }
}

fn say(config: &Config, text: &str) {
    stage::note(config, &format!("warning: {text}"));
}

fn expanded(listed: &str, env: &Environment) -> Result<PathBuf, Error> {
    let path = match (listed.strip_prefix("~/"), env.get("HOME")) {
        (Some(below), Some(home)) => Path::new(home).join(below),
        _ => PathBuf::from(listed),
    };
    if path.is_absolute() {
        return Ok(path);
    }
    let shown = fs::shown(&path);
    Err(Error::message(Kind::Config, format!("`sandbox-write` names `{shown}`, which is no absolute path"))
        .hint("begin it with `/` or `~/`"))
}

/// What specter and the user's other programs believe must not be for tasks to change.
fn undermined(writable: &[PathBuf], env: &Environment) -> Option<String> {
    let home = env.get("HOME").map(PathBuf::from);
    let trust = env.base_dir("XDG_STATE_HOME", ".local/state").map(|dir| dir.join("specter"));
    let own = config::user_file(env);
    let precious =
        [(home, "your home directory"), (own, "your configuration"), (trust, "what you agreed to")];
    let resolved = precious.into_iter().filter_map(|(path, what)| Some((resolved(&path?), what)));
    resolved.into_iter().find_map(|(path, what)| {
        let place = writable.iter().find(|place| path.starts_with(place))?;
        Some(format!("the sandbox does not protect {what}: it is in `{}`", fs::shown(place)))
    })
}

/// What the user lists must not hold what others work in.
fn joined(writable: &[PathBuf], spared: &[PathBuf]) -> Option<String> {
    let place = writable.iter().find(|place| spared.iter().any(|spared| spared.starts_with(place)))?;
    Some(format!("tasks are not kept from each other's working trees: they are in `{}`", fs::shown(place)))
}

/// With links followed as far as the path exists.
fn resolved(path: &Path) -> PathBuf {
    let existing = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    match existing {
        Some((above, real)) => path.strip_prefix(above).map_or(real.clone(), |below| real.join(below)),
        None => path.to_owned(),
    }
}
