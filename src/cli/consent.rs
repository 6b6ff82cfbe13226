//! Temporary: consent by `--yes` only.

use super::args::{Global, Run};
use super::error::{Error, Kind};
use super::target::Target;
use crate::config::trust::{Commands, State, Store, Trust};
use crate::config::{Environment, Loaded};
use crate::plan::Plan;

pub(super) fn agree(
    _global: &Global,
    target: &Target,
    plan: &Plan,
    loaded: &Loaded,
    run: &Run,
) -> Result<Trust, Error> {
    let commands = Commands::of(&plan.tasks, &loaded.executes);
    let trust = Trust::of(&commands);
    if run.yes || commands.is_empty() {
        return Ok(trust);
    }
    let store = Store::of_user(&Environment::of_process());
    match store.map(|store| store.state(&target.project, &target.name, &commands)) {
        Some(State::Trusted) => Ok(trust),
        _ => Err(Error::message(Kind::Untrusted, "not trusted")),
    }
}
