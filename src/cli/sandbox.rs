//! Whether this run's tasks are sandboxed, and where they may change files then: settled before anything is run.
//!
//! What weakens the sandbox is said, one line each; with `require` it ends the command instead. How the sandbox works is
//! known to `exec`, what it cannot hold to at all is told in the README.

use super::error::{Error, Kind};
use super::stage;
use crate::config::{self, Config, Environment};
use crate::exec::SandboxConfig;
use crate::fs;
use crate::sys::Held;
use std::path::{Path, PathBuf};

/// The sandbox of this run, if there is to be one.
pub(super) fn settle(config: &Config, project: &Path) -> Result<Option<SandboxConfig>, Error> {
    if config.sandbox == config::Sandbox::Off {
        return Ok(None);
    }
    let env = Environment::of_process();
    let mut flaws = Vec::new();
    let mut writable = vec![project.to_owned()];
    for listed in &config.sandbox_write {
        let path = expanded(listed, &env)?;
        match path.canonicalize() {
            Ok(path) => writable.push(path),
            Err(_) => {
                say(config, &format!("tasks cannot write to `{}`: it does not exist", fs::shown(&path)));
            }
        }
    }
    flaws.extend(undermined(&writable, &env));
    let sandbox = SandboxConfig { writable };
    let held = sandbox.try_out();
    match &held {
        Ok(Held::All) => {}
        Ok(Held::But(what)) => flaws.push(format!("this kernel cannot keep tasks from {what}")),
        Err(error) => flaws.push(format!("tasks cannot be sandboxed here: {error}")),
    }
    if config.sandbox == config::Sandbox::Require && !flaws.is_empty() {
        return Err(Error::message(Kind::Preflight, flaws.join("; "))
            .hint("nothing was run; `--sandbox=write` runs with as much of a sandbox as there can be"));
    }
    flaws.iter().for_each(|flaw| say(config, flaw));
    Ok(held.is_ok().then_some(sandbox))
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

/// With links followed as far as the path exists.
fn resolved(path: &Path) -> PathBuf {
    let existing = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    match existing {
        Some((above, real)) => path.strip_prefix(above).map_or(real.clone(), |below| real.join(below)),
        None => path.to_owned(),
    }
}
