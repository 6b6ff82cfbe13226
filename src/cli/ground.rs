//! What the commands over kept files stand on: project, state directory, its runs, the repository. With the lock
//! held, what a session that died left is taken up first, so that nothing is looked at half done.

use super::args::Global;
use super::error::{Error, Kind};
use super::target::{self, Target};
use super::{hold, stage, workspace};
use crate::clock::Clock;
use crate::config::Config;
use crate::driver::rollback::{self, Place, Rollback, RolledBack};
use crate::driver::{self, take_up_files};
use crate::event::Event;
use crate::git::{self, Git, Pool};
use crate::history::History;
use crate::journal::{Loaded, Lock, RunId, Store};
use crate::task::{Document, Task};
use std::path::{Path, PathBuf};

/// What Spec Kit's companions read: derived, so never restored.
const DERIVED: [&str; 4] =
    [".specter", ".specter-state", ".specter-memory", ".specify/agents/context/implementation"];

pub(super) struct Ground {
    pub(super) target: Target,
    pub(super) config: Config,
    pub(super) store: Store,
    pub(super) clock: Clock,
}

/// The run that goes on: its record, and the repository as it is for it.
pub(super) struct Base {
    pub(super) run: RunId,
    pub(super) loaded: Loaded,
    pub(super) git: Git,
    /// Held until the end.
    pub(super) lock: Lock,
}

impl Ground {
    /// Of the task file that is meant.
    pub(super) fn of_file(global: &Global, given: Option<&Path>) -> Result<Ground, Error> {
        let target = Target::find(given, global)?;
        Ground::of_target(global, target)?.ok_or_else(no_run)
    }

    /// Of the project, whichever task file is meant; none without a state directory.
    pub(super) fn of_project(global: &Global, given: Option<&Path>) -> Result<Option<Ground>, Error> {
        let target = match Target::find(given, global) {
            Err(_) if given.is_none() => Target::bare(&target::here()?),
            found => found?,
        };
        Ground::of_target(global, target)
    }

    fn of_target(global: &Global, target: Target) -> Result<Option<Ground>, Error> {
        let config = stage::configuration(global, &target, &[])?.config;
        let store = stage::find_store(global, &config, &target)?;
        Ok(store.map(|store| Ground { target, config, store, clock: Clock::start() }))
    }

    /// Runs of the task file, oldest first.
    pub(super) fn runs(&self) -> Result<Vec<RunId>, Error> {
        let mut runs = Vec::new();
        for run in self.store.runs()? {
            if self.store.info(&run)?.is_some_and(|info| info.file == self.target.name) {
                runs.push(run);
            }
        }
        Ok(runs)
    }

    /// The repository as it is for a run. Nothing is taken up.
    pub(super) fn git(&self, run: &RunId) -> Result<Git, Error> {
        Ok(workspace::open(&self.config, &self.target, &self.store, run, &self.clock)?)
    }

    pub(super) fn lock(&self) -> Result<Lock, Error> {
        hold::lock(&self.store, &self.clock, &self.config)
    }

    /// Takes up the newest run: ends what its death left running, finishes what was begun, saves what was left.
    pub(super) fn base(&self, run: RunId, lock: Lock) -> Result<Base, Error> {
        let loaded = self.store.load(&run)?;
        driver::clear_leftovers(&run, &History::from_events(&loaded.events));
        let git = self.git(&run)?;
        let mut base = Base { run, loaded, git, lock };
        let pool = self.pool(&base.git);
        let tasks = self.tasks();
        let taken = take_up_files(&mut base.git, pool.as_ref(), &tasks, &base.loaded.events)?;
        taken.notes.iter().for_each(|note| self.say(note));
        if !taken.events.is_empty() {
            let mut journal = self.store.resume_run(&base.run, &base.loaded, &base.lock)?;
            rollback::append(&mut journal, &base.loaded.events, taken.events, self.clock.wall_ms())?;
            base.loaded = self.store.load(&base.run)?;
        }
        Ok(base)
    }

    /// Where working trees are; none where there can be none.
    pub(super) fn pool(&self, git: &Git) -> Option<Pool> {
        workspace::pool(&self.config, git).ok()
    }

    /// The tasks of the file as it reads now; none if it cannot be read.
    fn tasks(&self) -> Vec<Task> {
        self.document().map(|document| document.tasks).unwrap_or_default()
    }

    pub(super) fn document(&self) -> Option<Document> {
        stage::read(&self.target).ok().map(|file| file.document)
    }

    pub(super) fn say(&self, text: &str) {
        stage::note(&self.config, text);
    }
}

/// Finishes a going back that was cut off, if there is one.
pub(super) fn finish_rollback(
    ground: &Ground,
    base: &mut Base,
) -> Result<Option<(Rollback, RolledBack)>, Error> {
    let Base { run, loaded, git, lock } = base;
    let except = except(&ground.target, &ground.store, git);
    let place = Place {
        store: &ground.store,
        run,
        lock,
        loaded,
        task_file: &ground.target.file,
        except: &except,
        now_ms: ground.clock.wall_ms(),
    };
    let finished = finish(git, &place)?;
    if finished.is_some() {
        base.loaded = ground.store.load(&base.run)?;
    }
    Ok(finished)
}

/// As [`finish_rollback`].
pub(super) fn finish(git: &mut Git, place: &Place<'_>) -> Result<Option<(Rollback, RolledBack)>, Error> {
    let Some(pending) = rollback::pending(place.store, place.run)? else { return Ok(None) };
    let done = rollback::carry_out(git, &pending, place)?;
    Ok(Some((pending, done)))
}

/// Paths that going back leaves alone, relative to the repository's root.
pub(super) fn except(target: &Target, store: &Store, git: &Git) -> Vec<PathBuf> {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let project = real(&target.project);
    let own = DERIVED.iter().map(|name| project.join(name));
    let all = own.chain([real(&target.file), real(store.dir())]);
    all.filter_map(|path| path.strip_prefix(git.root()).map(Path::to_owned).ok()).collect()
}

pub(super) fn no_run() -> Error {
    Error::message(Kind::Preflight, "there is no run of this file yet")
        .hint("`specter implement` starts one; `specter plan` shows what it would do")
}

/// All events of runs, oldest first.
pub(super) fn events_of(runs: &[(RunId, Vec<Event>)]) -> impl Iterator<Item = &Event> {
    runs.iter().flat_map(|(_, events)| events)
}

impl From<git::Error> for Error {
    fn from(error: git::Error) -> Error {
        match &error {
            git::Error::NoRepository { .. } | git::Error::Bare { .. } => Error::new(Kind::Preflight, error)
                .hint("files are kept only for projects in a git repository"),
            git::Error::NotSaved { .. } | git::Error::ThroughLink { .. } => {
                Error::new(Kind::Preflight, error).hint("move it away, and try again")
            }
            _ => Error::new(Kind::Io, error),
        }
    }
}

impl From<rollback::RollbackError> for Error {
    fn from(error: rollback::RollbackError) -> Error {
        use rollback::RollbackError as E;
        match error {
            E::Git(error) => error.into(),
            error @ (E::Gone { .. } | E::Damaged { .. }) => Error::new(Kind::Preflight, error)
                .hint("`specter checkpoints` lists what can be gone back to"),
            error @ E::Boxes { .. } => Error::new(Kind::Io, error)
                .hint("set those boxes by hand; then the same command, or `specter resume`, does the rest"),
            error @ E::Note { .. } => Error::new(Kind::Input, error)
                .hint("remove it: what was saved before is in `specter checkpoints`"),
            error => Error::new(Kind::Io, error).hint("the same command, or `specter resume`, does the rest"),
        }
    }
}
