//! `specter implement` and `specter resume`: from a target to a run, and from its end to an exit code.
//!
//! The order is the promise: everything that can be wrong is found before anything is run or written; the lock is
//! taken before the journal is read; what a killed run finished is ticked before the file is planned.

mod around;
mod earlier;
mod request;

use super::args::{Format, Global, Implement};
use super::error::{Error, Kind};
use super::exit::Exit;
use super::hold::lock;
use super::hooks::Hooks;
use super::limits::jobs;
use super::programs::shell_program;
use super::staff::{self, Staff};
use super::target::Target;
use super::{consent, hooks, prompt, report, sandbox, stage, workspace};
use crate::boxes::Boxes;
use crate::clock::Clock;
use crate::config;
use crate::driver::{self, DriverError};
use crate::event::RunOutcome;
use crate::exec::{Guardian, SandboxConfig};
use crate::journal::{Journal, Loaded, Lock, RunId, Store};
use crate::plan::Plan;
use crate::sys;
use crate::text::safe;
use std::path::PathBuf;
use std::sync::Arc;

/// Runs the open tasks of the target.
pub(super) fn implement(global: &Global, given: &Implement) -> Result<Exit, Error> {
    if given.run.dry_run {
        return super::plan::dry_run(global, given);
    }
    // Before there is anything to copy.
    let guardian = Guardian::start().map_err(|error| Error::new(Kind::Io, DriverError::Start(error)))?;
    sys::prepare_memory();
    let target = Target::find(given.target.as_deref(), global)?;
    let session = Session::open(global, given, target)?;
    session.run(guardian)
}

/// What is known before the file is planned.
struct Session<'a> {
    global: &'a Global,
    target: Target,
    /// As typed, or as the run that is taken up remembers it.
    args: Implement,
    loaded: config::Loaded,
    clock: Clock,
    /// Held from before the journal is read to the end. `None` while there is no state directory yet.
    held: Option<(Store, Lock)>,
    /// The run to go on with.
    resumed: Option<(RunId, Loaded)>,
    /// That run had no sandbox, and a record in the repository cannot ask for none.
    was_open: bool,
    sandbox: Option<SandboxConfig>,
}

impl<'a> Session<'a> {
    fn open(global: &'a Global, given: &Implement, target: Target) -> Result<Session<'a>, Error> {
        let loaded = stage::configuration(global, &target, &given.overrides())?;
        let clock = Clock::start();
        let store = stage::find_store(global, &loaded.config, &target)?;
        let held =
            store.map(|store| lock(&store, &clock, &loaded.config).map(|lock| (store, lock))).transpose()?;
        let args = given.clone();
        let mut session = Session {
            global,
            target,
            args,
            loaded,
            clock,
            held,
            resumed: None,
            was_open: false,
            sandbox: None,
        };
        session.look_back()?;
        Ok(session)
    }

    fn say(&self, text: &str) {
        stage::note(&self.loaded.config, text);
    }

    fn run(mut self, guardian: Guardian) -> Result<Exit, Error> {
        let stage::TaskFile { identity, source, mut document, diagnostics } = stage::read(&self.target)?;
        let mut staff = Staff::of(&self.loaded.config, &self.target.project)?;
        staff.assign(&mut document);
        // The usual end of a long day: no durations are needed, nor is any box to be found.
        let is_over = self.resumed.is_none() && stage::is_all_done(&document);
        let store = self.store().filter(|_| !is_over);
        let options = stage::plan_options(&self.args, &self.loaded.config, &self.target, store);
        let screen = stage::screen(self.global, &self.loaded.config, stage::Stream::Err);
        let (plan, findings) = match stage::planned(
            &source,
            (document, diagnostics),
            &options,
            self.loaded.config.strict,
            &screen,
        ) {
            Ok(planned) => planned,
            Err(exit) => return Ok(exit),
        };
        stage::print_findings(&screen, &source, &findings);
        let own_files = vec![PathBuf::from(&self.target.name)];
        let agents = staff.check(&plan, &self.loaded.config, &self.target.project, own_files)?;
        if agents.is_some() {
            staff.left_out().iter().for_each(|why| self.say(&format!("warning: {why}")));
        }
        self.isolate(agents.is_some());
        // What is wrong with templates is found before anything is run.
        let context =
            agents.as_ref().map(|_| prompt::context(self.global, &self.loaded.config, &self.target));
        let prompts = context.transpose()?.map(|context| staff.brief(context));
        let shell = shell_program(&self.loaded.config, &self.target.project, &plan)?;
        self.say_what_has_no_effect();
        if plan.runnable().next().is_none() && self.resumed.is_none() {
            // Nothing is executed, so nobody is asked whether it may be.
            self.rebuild_missing(&plan)?;
            report::nothing_to_do(&screen, &plan);
            // The process ends here: its memory need not be given back piece by piece.
            std::mem::forget((plan, source));
            return Ok(Exit::Done);
        }
        let hooks =
            hooks::settle((&self.target, &self.args.run), (&staff, &self.loaded.config), &plan, &screen)?;
        let state = stage::state_dir(self.global, &self.loaded.config, &self.target)?;
        let state = state.unwrap_or_else(|| self.target.project.join(".specter"));
        workspace::check(&self.loaded.config, &self.target.project)?;
        let done_by = (&plan, agents.as_ref());
        let (sandbox, room) = sandbox::settle(&self.loaded.config, &self.target, &state, done_by)?;
        self.sandbox = sandbox;
        if let (Some((run, _)), true, Some(_)) = (&self.resumed, self.was_open, &self.sandbox) {
            self.say(&format!(
                "run {run} was made with `--sandbox=off` and goes on in the sandbox: give that at `resume`, too, if its tasks need it"
            ));
        }
        let commands = hooks.as_ref().map(Hooks::commands).unwrap_or_default();
        consent::agree(self.global, &self.target, (&plan, commands), &self.loaded, &self.args.run)?;
        room.make();
        let (store, lock) = self.hold()?;
        let plan = Arc::new(plan);
        let mut opened = self.open_run(&store, &lock)?;
        let begun = match &hooks {
            Some(hooks) => match self.hooks_before(hooks, &store, &mut opened, (&plan, &shell, &guardian))? {
                Ok(begun) => begun,
                Err(exit) => return Ok(exit),
            },
            None => None,
        };
        let boxes = Boxes::new(&self.target.file).planned(identity, &source, &plan.tasks, plan.tick);
        // From here on its lines are asked for no more.
        drop(source);
        let mut request = self.request(&store, opened, plan, boxes, (options, staff))?;
        request.shell.shell.clone_from(&shell);
        (request.agents, request.prompts) = (agents, prompts);
        (request.begun, request.shell.sandbox) = (begun, self.sandbox.clone());
        let run = request.run.clone();
        let json = self.args.format == Format::Json;
        let ended = driver::run(request, guardian).map_err(|error| {
            Error::new(Kind::Io, error).hint("what is recorded is safe; `specter resume` goes on from there")
        })?;
        let after = match hooks.filter(|_| ended.outcome == RunOutcome::AllDone) {
            Some(hooks) => self.hooks_after(&hooks, (&store, &lock, &run), &ended.plan, &shell)?,
            None => None,
        };
        drop(lock);
        let run_dir = stage::shown(&store.run_dir(&run), &self.target.project);
        report::end(&screen, &ended, &self.target, &run_dir, json);
        if ended.outcome == RunOutcome::AllDone && ended.is_behind {
            let what = format!("`{}` does not show what was done", safe(&self.target.typed));
            return Err(Error::message(Kind::Io, what)
                .hint("every task is recorded as done; `specter resume` ticks the boxes and runs none of them again"));
        }
        let exit = after.unwrap_or_else(|| Exit::from(ended.outcome));
        // The process ends here: its memory need not be given back piece by piece.
        std::mem::forget(ended);
        Ok(exit)
    }

    fn store(&self) -> Option<&Store> {
        self.held.as_ref().map(|(store, _)| store)
    }

    /// A flag that is understood and does nothing yet is not passed over in silence.
    fn say_what_has_no_effect(&self) {
        let run = &self.args.run;
        let profile = run.profile.is_some_and(|profile| profile != super::args::Profile::Enterprise);
        let given = [
            (run.skip_tests, "--skip-tests", "there are no test gates yet; verify blocks always run"),
            (run.skip_checklists, "--skip-checklists", "checklists are not looked at"),
            (profile, "--profile", "each profile runs the tasks' own verify blocks so far"),
        ];
        for (_, flag, why) in given.iter().filter(|(given, ..)| *given) {
            self.say(&format!("`{flag}` has no effect: {why}"));
        }
    }

    /// Derived files of the last run that were deleted come back from its journal (SPEC 6.1).
    fn rebuild_missing(&self, plan: &Plan) -> Result<(), Error> {
        let Some(store) = self.store() else { return Ok(()) };
        let project = &self.target.project;
        let is_there = store.dir().join("implementation-metrics.json").exists()
            && store.dir().join("implementation.log").exists()
            && project.join(".specter-state/current-session.md").exists();
        if is_there {
            return Ok(());
        }
        if let Some(run) = store.latest(Some(&self.target.name))? {
            let problems = driver::rebuild(project, store, plan, &store.load(&run)?.events);
            problems.iter().for_each(|problem| self.say(&format!("warning: {problem}")));
        }
        Ok(())
    }

    /// Agents that may overlap work in trees of their own, unless somebody said otherwise.
    fn isolate(&mut self, has_agents: bool) {
        if !has_agents {
            return;
        }
        let config = &self.loaded.config;
        match staff::isolation(config, jobs(config), &self.target.project) {
            Ok(isolation) => self.loaded.config.isolation = isolation,
            Err(why) => self.say(&format!("warning: {why}")),
        }
    }

    /// Store and lock; made now if this is the project's first run.
    fn hold(&mut self) -> Result<(Store, Lock), Error> {
        // Opened again where it is held already: that also mends the directory's own files.
        let store = stage::open_store(self.global, &self.loaded.config, &self.target)?;
        let lock = match self.held.take() {
            Some((_, lock)) => lock,
            None => lock(&store, &self.clock, &self.loaded.config)?,
        };
        Ok((store, lock))
    }

    /// The run that goes on, or a new one, of which nothing is on record.
    fn open_run(&mut self, store: &Store, lock: &Lock) -> Result<Opened, Error> {
        let started = self.clock.wall_ms();
        if let Some((run, loaded)) = self.resumed.take() {
            let journal = store.resume_run(&run, &loaded, lock)?;
            return Ok(Opened { run, journal, loaded: Some(loaded), started });
        }
        let (run, journal) = store.create_run(started, self.clock.seed(), lock)?;
        Ok(Opened { run, journal, loaded: None, started })
    }
}

/// A run whose journal is open for what comes.
struct Opened {
    run: RunId,
    journal: Journal,
    /// What the journal held; none for a new run.
    loaded: Option<Loaded>,
    /// Wall time of the session's beginning.
    started: u64,
}
