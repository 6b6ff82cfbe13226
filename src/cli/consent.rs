//! Consent before anything of a repository is executed (SPEC 14.2): asks once, or says how to agree.
//!
//! What was agreed to is kept by `config::trust` in the user's own directory; nothing in a repository can grant it,
//! and neither can `CI=true`.

use super::args::{Global, Run};
use super::error::{Error, Kind};
use super::hooks::to_agree_to;
use super::stage::{self, Stream};
use super::target::Target;
use crate::config::trust::{Commands, Hash, State, Store, Unit};
use crate::config::{Environment, Loaded};
use crate::driver::hooks::Command;
use crate::plan::Plan;
use crate::text::safe;
use crate::ui::consent::{Command as Shown, prompt, refusal};
use crate::ui::theme::Screen;
use std::io::{BufRead as _, IsTerminal as _};

/// All that `plan` and `hooks` run was agreed to: before, by a flag, or just now. An error otherwise, and nothing has run.
pub(super) fn agree(
    global: &Global,
    target: &Target,
    (plan, hooks): (&Plan, &[Command]),
    loaded: &Loaded,
    run: &Run,
) -> Result<(), Error> {
    // First of all, because it spares the hash of every task's commands.
    if run.yes {
        return Ok(());
    }
    let commands = Commands::of(&plan.tasks, &loaded.executes).and(&to_agree_to(hooks));
    if commands.is_empty() {
        return Ok(());
    }
    if let Some(hash) = &run.trust {
        return by_hash(hash, &commands);
    }
    let store = store()?;
    match store.state(&target.project, &target.name, &commands) {
        State::Trusted => Ok(()),
        state => {
            let screen = stage::screen(global, &loaded.config, Stream::Err);
            ask(&screen, target, &commands, &state, &store)
        }
    }
}

/// The user's own store.
pub(super) fn store() -> Result<Store, Error> {
    Store::of_user(Environment::of_process()).ok_or_else(|| {
        Error::message(Kind::Untrusted, "there is no place to remember what you agreed to")
            .hint("set HOME or XDG_STATE_HOME, or agree for this once with `--yes`")
    })
}

fn by_hash(typed: &str, commands: &Commands) -> Result<(), Error> {
    let hash = commands.hash();
    match Hash::parse(typed) {
        Some(agreed) if agreed == hash => Ok(()),
        Some(_) => {
            Err(Error::message(Kind::Untrusted, "the commands are not the ones this hash was made for")
                .hint("`specter trust --hash` shows them and their hash as they are now"))
        }
        None => Err(Error::usage(format!("`--trust={}` is no hash: 64 hexadecimal digits", safe(typed)))),
    }
}

fn ask(
    screen: &Screen,
    target: &Target,
    commands: &Commands,
    state: &State,
    store: &Store,
) -> Result<(), Error> {
    let project = target.project.to_string_lossy();
    let now = shown(&commands.units, &target.name);
    let before = match state {
        State::Changed { removed, .. } => Some(before(commands, state, removed, &target.name)),
        _ => None,
    };
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        stage::write_err(&refusal(screen, &project, &now, before.as_deref(), &commands.hash().to_string()));
        return Err(Error::message(Kind::Untrusted, "the commands of this repository were not agreed to")
            .hint("`--yes` agrees for this once to whatever the file names then; `CI` being set agrees to nothing"));
    }
    stage::write_err(&prompt(screen, &project, &now, before.as_deref()));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "o" | "once" | "y" | "yes" => Ok(()),
        "a" | "always" => Ok(store.allow(&target.project, &target.name, commands)?),
        _ => Err(Error::message(Kind::Untrusted, "not agreed to; nothing was run")),
    }
}

/// What was agreed to: what stands there still and is not new, and what is gone.
fn before(commands: &Commands, state: &State, removed: &[Unit], file: &str) -> Vec<Shown> {
    let State::Changed { added, .. } = state else { return Vec::new() };
    let kept = commands.units.iter().filter(|unit| added.iter().all(|new| new.hash != unit.hash));
    shown(kept.chain(removed), file)
}

pub(super) fn shown<'a>(units: impl IntoIterator<Item = &'a Unit>, file: &str) -> Vec<Shown> {
    let command =
        |unit: &Unit| Shown { origin: format!("{file}: {}", unit.place), text: unit.text.join("\n") };
    units.into_iter().map(command).collect()
}
