//! A project's lock, and what is done under it to a run that is not under way.

use super::error::{Error, Kind};
use super::stage;
use super::target::Target;
use crate::boxes::Boxes;
use crate::clock::Clock;
use crate::config::Config;
use crate::driver::{self, Saved};
use crate::event::EventKind;
use crate::exec::Masker;
use crate::journal::{Loaded, Lock, LockError, RunId, Store};
use std::io;

pub(super) fn lock(store: &Store, clock: &Clock, config: &Config) -> Result<Lock, Error> {
    let command =
        std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
    // It is kept in a file.
    let command = Masker::of_environment(&std::env::vars_os().collect::<Vec<_>>(), &[]).mask(&command);
    let lock = store.lock(&command, clock.wall_ms()).map_err(|error| match error {
        error @ LockError::Held { .. } => {
            Error::new(Kind::Locked, error).hint("wait for it, or end it; its lock goes with it")
        }
        error => Error::new(Kind::Io, error),
    })?;
    lock.caveat().into_iter().for_each(|caveat| stage::note(config, caveat));
    Ok(lock)
}

/// Adds to the record of a run that is not under way.
pub(super) fn record(
    store: &Store,
    lock: &Lock,
    run: &RunId,
    loaded: &mut Loaded,
    kinds: Vec<EventKind>,
) -> Result<(), Error> {
    if kinds.is_empty() {
        return Ok(());
    }
    let events = driver::stamped(kinds, &loaded.events);
    let failed = |error: io::Error| Error::new(Kind::Io, error);
    let mut journal = store.resume_run(run, loaded, lock)?;
    journal.append(&events).map_err(failed)?;
    let mut syncer = journal.syncer().map_err(failed)?;
    syncer.prepare()?;
    syncer.sync()?;
    *loaded = store.load(run)?;
    Ok(())
}

/// Ticks what a killed run recorded as done, before the file is planned: a finished task never runs again.
pub(super) fn repair(target: &Target, loaded: &Loaded, tick_unverified: bool) {
    let Ok(file) = stage::read(target) else { return };
    let saved = Saved::of(file.identity.mtime_ns, loaded.written_ns, &loaded.events);
    let ticks = driver::repairs(&file.document.tasks, &loaded.events, tick_unverified, saved);
    if !ticks.is_empty() {
        Boxes::new(&target.file).tick(&ticks);
    }
}
