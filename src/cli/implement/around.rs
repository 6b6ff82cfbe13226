//! What extensions want done before the first task and after the last, as parts of the run.

use super::request::shell;
use super::{Opened, Session};
use crate::cli::args::Format;
use crate::cli::error::{Error, Kind};
use crate::cli::exit::Exit;
use crate::cli::hold::record;
use crate::cli::hooks::{self, Hooks};
use crate::cli::limits::limits;
use crate::cli::stage;
use crate::clock::Clock;
use crate::driver::{self, Begun};
use crate::event::{Event, RunOutcome};
use crate::exec::{Guardian, ShellConfig};
use crate::hooks::Moment;
use crate::journal::{Loaded, Lock, RunId, Store};
use crate::plan::Plan;
use crate::sink::Sink;
use crate::ui::jsonl::JsonLines;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// In the state directory: what hooks wrote to their output.
const HOOKS: &str = "hooks";

impl Session<'_> {
    /// What extensions want done first; what of it is on record as done is not done again. With it the session begins, so
    /// that what was done of it is on record before anything follows. The exit if nothing follows.
    pub(super) fn hooks_before(
        &self,
        hooks: &Hooks,
        store: &Store,
        opened: &mut Opened,
        (plan, shell, guardian): (&Arc<Plan>, &Path, &Guardian),
    ) -> Result<Result<Option<Begun>, Exit>, Error> {
        let earlier = opened.loaded.as_ref().map(|loaded| &*loaded.events).unwrap_or_default();
        let due = hooks.due(Moment::Before, earlier);
        if due.is_empty() {
            return Ok(Ok(None));
        }
        let failed = |error| Error::new(Kind::Io, error);
        let clock = Clock::start();
        opened.started = clock.wall_ms();
        let first = (self.info(&opened.run), earlier);
        let limits = limits(&self.loaded.config);
        let mut begun = Begun::begin(&mut opened.journal, (plan, limits), first, (clock, opened.started))
            .map_err(failed)?;
        let journal = &mut opened.journal;
        let ended = hooks.run(
            &due,
            (self.hook_shell(store, shell), guardian),
            &self.loaded.config,
            &mut |event| begun.record(journal, event.clone()).map_err(failed),
        )?;
        let Some(why) = hooks::failure(&ended) else { return Ok(Ok(Some(begun))) };
        let outcome =
            ended.signal.map_or(RunOutcome::SomeFailed, |signal| RunOutcome::Interrupted { signal });
        let events = begun.end(journal, outcome).map_err(failed)?;
        if self.args.format == Format::Json {
            show(JsonLines::new(Box::new(io::stdout())), plan, &events)?;
        }
        self.write_files(store, plan, &store.load(&opened.run)?);
        if ended.signal.is_some() {
            self.say(&format!("{why}; no task was begun"));
            return Ok(Err(Exit::from(outcome)));
        }
        Err(Error::message(Kind::Preflight, why)
            .hint(format!(
                "its output is below `{}`",
                stage::shown(&store.dir().join(HOOKS), &self.target.project)
            ))
            .hint("no task was begun; `specter resume` tries it again, `--no-hooks` leaves hooks to you"))
    }

    /// Derived files, from the record alone.
    fn write_files(&self, store: &Store, plan: &Plan, loaded: &Loaded) {
        let problems = driver::rebuild(&self.target.project, store, plan, &loaded.events);
        problems.iter().for_each(|problem| self.say(&format!("warning: {problem}")));
    }

    /// What extensions want done when all is done, for the record of the run. The exit if one failed.
    pub(super) fn hooks_after(
        &self,
        hooks: &Hooks,
        (store, lock, run): (&Store, &Lock, &RunId),
        plan: &Plan,
        shell: &Path,
    ) -> Result<Option<Exit>, Error> {
        let due = hooks.due(Moment::After, &[]);
        if due.is_empty() {
            return Ok(None);
        }
        let mut loaded = store.load(run)?;
        let known = loaded.events.len();
        let guardian = Guardian::start().map_err(|error| Error::new(Kind::Io, error))?;
        let ended = hooks.run(
            &due,
            (self.hook_shell(store, shell), &guardian),
            &self.loaded.config,
            &mut |event| record(store, lock, run, &mut loaded, vec![event.clone()]),
        )?;
        if self.args.format == Format::Json {
            let told = loaded.events.get(known..).unwrap_or_default();
            show(JsonLines::going_on(Box::new(io::stdout())), plan, told)?;
        }
        self.write_files(store, plan, &loaded);
        let Some(why) = hooks::failure(&ended) else { return Ok(None) };
        stage::write_err(&format!("{why}; all tasks are done, and what it is for is left to you\n"));
        let signal = ended.signal.map(|signal| Exit::from(RunOutcome::Interrupted { signal }));
        Ok(Some(signal.unwrap_or(Exit::SomeFailed)))
    }

    fn hook_shell(&self, store: &Store, program: &Path) -> ShellConfig {
        let token = format!("hooks.{}.{}", std::process::id(), self.clock.wall_ms());
        let mut shell = shell(&self.loaded.config, &self.target.project, token, &store.dir().join(HOOKS));
        shell.shell = program.to_owned();
        shell.sandbox.clone_from(&self.sandbox);
        shell
    }
}

fn show(mut lines: JsonLines, plan: &Plan, events: &[Event]) -> Result<(), Error> {
    let shown = events.iter().try_for_each(|event| lines.on_event(plan, event));
    shown.and_then(|()| lines.flush()).map_err(|error| Error::new(Kind::Io, error.source))
}
