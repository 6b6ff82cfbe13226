//! Whether this run's tasks are sandboxed, and where they may change files then: settled before anything is run.
//!
//! What weakens the sandbox is said, one line each; with `require` it ends the command instead. How the sandbox works is
//! known to `exec`, what it cannot hold to at all is told in the README.
//!
//! By default tasks in working trees are kept from others' trees, the project and what specter keeps, and from nothing
//! else. New names directly in a directory above one of these cannot be allowed, so that what common programs make there
//! when they are first used is to be made for them before ([`Room`]). Settling changes nothing: nobody has agreed yet.

mod room;

use super::error::{Error, Kind};
use super::target::Target;
use super::{stage, workspace};
use crate::agent::Presets;
use crate::config::{self, Config, Environment, Isolation};
use crate::exec::{AgentConfig, Elsewhere, SandboxConfig};
use crate::plan::Plan;
use crate::sys::Held;
use crate::{fs, git};
use room::Place;
pub(super) use room::Room;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The sandbox of this run, if there is to be one, and what is to be made before it is there.
pub(super) fn settle(
    config: &Config,
    target: &Target,
    state: &Path,
    (plan, agents): (&Plan, Option<&AgentConfig>),
) -> Result<(Option<SandboxConfig>, Room), Error> {
    let is_auto = match config.sandbox {
        config::Sandbox::Off => return Ok((None, Room::default())),
        config::Sandbox::Auto if config.isolation != Isolation::Worktree => {
            return Ok((None, Room::default()));
        }
        level => level == config::Sandbox::Auto,
    };
    let env = Environment::of_process();
    let project = &target.project;
    let elsewhere = if is_auto {
        Elsewhere::AllBut(halved(apart(config, project, state, env)?, &config.agents, env))
    } else {
        Elsewhere::Nothing
    };
    let mut flaws = Vec::new();
    let mut writable = if is_auto { shared(config, project) } else { vec![project.to_owned()] };
    for listed in &config.sandbox_write {
        let path = expanded(listed, env)?;
        match path.canonicalize() {
            Ok(path) => writable.push(path),
            Err(_) => {
                say(config, &format!("tasks cannot write to `{}`: it does not exist", fs::shown(&path)));
            }
        }
    }
    // By default they may write there like everybody.
    let of_agents = if is_auto { BTreeMap::new() } else { own_places(agents, env) };
    flaws.extend(match &elsewhere {
        Elsewhere::Nothing => undermined(writable.iter().chain(of_agents.values().flatten()), env),
        Elsewhere::AllBut(spared) => joined(&writable, spared),
    });
    let sandbox = SandboxConfig { writable, elsewhere, of_agents };
    let held = sandbox.try_out();
    match &held {
        Ok(Held::All) => {}
        Ok(Held::But(what)) => flaws.push(format!("this kernel cannot keep tasks from {what}")),
        Err(error) if is_auto => {
            let what = "tasks are not kept from each other's working trees";
            flaws.push(format!("{what}, only watched: {error}"));
        }
        Err(error) => flaws.push(format!("tasks cannot be sandboxed here: {error}")),
    }
    for name in with_their_own(plan, agents).iter().filter(|_| held.is_ok()) {
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
    if held.is_err() {
        return Ok((None, Room::default()));
    }
    let room = room(&sandbox, (&called(plan, agents), &config.agents), env);
    Ok((Some(sandbox), room))
}

/// Agents of the plan, and who may take over from them.
fn called<'a>(plan: &'a Plan, agents: Option<&'a AgentConfig>) -> BTreeSet<&'a str> {
    let Some(agents) = agents else { return BTreeSet::new() };
    let links = agents.chain.iter().map(|link| link.agent.as_str());
    of_plan(plan).chain(links).collect()
}

fn of_plan(plan: &Plan) -> impl Iterator<Item = &str> {
    let tasks = plan.runnable().map(|task| plan.task(task)).filter(|task| !task.has_run_block());
    tasks.filter_map(|task| task.more.agent.as_deref())
}

/// Agents of the plan that bring a sandbox of their own, which cannot be made inside another.
fn with_their_own<'a>(plan: &'a Plan, agents: Option<&AgentConfig>) -> BTreeSet<&'a str> {
    let Some(agents) = agents else { return BTreeSet::new() };
    let has = |name: &&str| agents.presets.get(name).is_some_and(|it| it.has_own_sandbox(agents.permission));
    of_plan(plan).filter(has).collect()
}

/// Where each agent writes for itself.
fn own_places(agents: Option<&AgentConfig>, env: &Environment) -> BTreeMap<String, Vec<PathBuf>> {
    let presets = agents.into_iter().flat_map(|agents| agents.presets.iter());
    let places = presets.map(|(name, preset)| {
        let places = preset.writes.iter().filter_map(|written| Place::of(written, env));
        // A file alone would be written over in place.
        let dirs = places.filter(|place| place.is_dir).map(|place| resolved(&place.path));
        (name.to_owned(), dirs.collect())
    });
    places.collect()
}

/// Everywhere but in working trees, the repository and what specter keeps.
fn apart(config: &Config, project: &Path, state: &Path, env: &Environment) -> Result<Vec<PathBuf>, Error> {
    let root = git::root_of(project).map_err(|error| workspace::failed(&error))?;
    let own = env.base_dir("XDG_STATE_HOME", ".local/state").map(|dir| dir.join("specter"));
    let mut spared = git::dirs_of(project).map_err(|error| workspace::failed(&error))?;
    spared.extend([Some(state.to_owned()), own].into_iter().flatten());
    spared.push(workspace::trees_dir(config, &root)?);
    // Where the home directory lies in the repository, programs need more of it than they must be kept from.
    let home = env.get("HOME").map(|home| resolved(Path::new(home)));
    let holds_home = |dir: &Path| home.as_ref().is_some_and(|home| home.starts_with(dir));
    spared.extend([root, resolved(project)].into_iter().find(|dir| !holds_home(dir)));
    Ok(spared.iter().map(|path| resolved(path)).collect())
}

/// With the files of agents that would be written over in place, because where they lie no other can take their place:
/// who reads them meanwhile, another agent or the user's own, takes half of one for a broken one.
fn halved(spared: Vec<PathBuf>, presets: &Presets, env: &Environment) -> Vec<PathBuf> {
    let written = presets.iter().flat_map(|(_, preset)| &preset.writes);
    let files = written.filter_map(|written| Place::of(written, env)).filter(|place| !place.is_dir);
    let files = files.map(|place| resolved(&place.path));
    let is_above =
        |path: &PathBuf| path.parent().is_some_and(|dir| spared.iter().any(|it| it.starts_with(dir)));
    let files: Vec<PathBuf> = files.filter(is_above).collect();
    spared.into_iter().chain(files).collect()
}

/// What the user wants all working trees to share.
fn shared(config: &Config, project: &Path) -> Vec<PathBuf> {
    let names = config.carry.iter().filter_map(|item| item.strip_suffix("=symlink"));
    names.filter_map(|name| project.join(name).canonicalize().ok()).collect()
}

/// What programs that are installed would make and could not: in directories above protected ones; with nothing allowed
/// elsewhere, what the `called` agents write for themselves.
fn room(sandbox: &SandboxConfig, (called, presets): (&BTreeSet<&str>, &Presets), env: &Environment) -> Room {
    let path = env.get("PATH").unwrap_or_default();
    let is_installed = |name: &str| std::env::split_paths(path).any(|dir| dir.join(name).is_file());
    let own = presets.iter().filter(|(name, preset)| match sandbox.elsewhere {
        Elsewhere::Nothing => called.contains(name),
        Elsewhere::AllBut(_) => called.contains(name) || is_installed(&preset.command),
    });
    let own = own.flat_map(|(_, preset)| &preset.writes).filter_map(|written| Place::of(written, env));
    match sandbox.elsewhere {
        Elsewhere::Nothing => Room::missing_of(own),
        Elsewhere::AllBut(_) => {
            let all = own.chain(room::of_programs(env, is_installed));
            Room::missing_of(
                all.filter(|place| resolved(&place.path).parent().is_some_and(|dir| sandbox.is_above(dir))),
            )
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
fn undermined<'a>(writable: impl Iterator<Item = &'a PathBuf> + Clone, env: &Environment) -> Option<String> {
    let home = env.get("HOME").map(PathBuf::from);
    let trust = env.base_dir("XDG_STATE_HOME", ".local/state").map(|dir| dir.join("specter"));
    let own = config::user_file(env);
    let precious =
        [(home, "your home directory"), (own, "your configuration"), (trust, "what you agreed to")];
    let resolved = precious.into_iter().filter_map(|(path, what)| Some((resolved(&path?), what)));
    resolved.into_iter().find_map(|(path, what)| {
        let place = writable.clone().find(|place| path.starts_with(place))?;
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
