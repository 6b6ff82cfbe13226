//! `specter implement` and `specter resume`: from a target to a run, and from its end to an exit code.
//!
//! The order is the promise: everything that can be wrong is found before anything is run or written; the lock is
//! taken before the journal is read; what a killed run finished is ticked before the file is planned.

use super::args::{Format, Global, Implement};
use super::error::{Error, Kind};
use super::exit::Exit;
use super::hooks::Hooks;
use super::staff::{self, Staff};
use super::target::Target;
use super::{consent, ground, hooks, prompt, report, sandbox, stage, workspace};
use crate::boxes::Boxes;
use crate::clock::Clock;
use crate::config::trust::Trust;
use crate::config::{self, Config, Isolation};
use crate::driver::{self, Begun, DriverError, Replanned, Request, Saved, rollback};
use crate::event::{AnsweredBy, Event, EventKind, RunInfo, RunOutcome, TaskRef};
use crate::exec::{Elsewhere, Guardian, JobserverConfig, Masker, SandboxConfig, ShellConfig};
use crate::history::History;
use crate::hooks::Moment;
use crate::journal::{Journal, Loaded, Lock, LockError, RunId, Store, Tail, answers};
use crate::plan::{self, Mode, Plan, Role};
use crate::schedule::{self, Limits, Scheduler};
use crate::sink::Sink;
use crate::sys;
use crate::task::{State, Task};
use crate::text::{count, safe};
use crate::ui::{header, jsonl::JsonLines};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// In the state directory: what hooks wrote to their output.
const HOOKS: &str = "hooks";

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

    /// Takes up the last run of this file: repairs what its death left undone and, if asked to, goes on with it.
    fn look_back(&mut self) -> Result<(), Error> {
        let wants_resume = self.args.run.resume;
        let Some((store, _)) = &self.held else {
            self.nothing_to_resume(wants_resume);
            return Ok(());
        };
        self.finish_rollback()?;
        let Some((run, mut loaded)) = store.unfinished(Some(&self.target.name))? else {
            self.nothing_to_resume(wants_resume);
            return Ok(());
        };
        let killed = driver::clear_leftovers(&run, &History::from_events(&loaded.events));
        if killed > 0 {
            self.say(&format!(
                "{} of the interrupted run were ended",
                count(killed as u64, "leftover process").replace("processs", "processes")
            ));
        }
        match loaded.tail {
            Tail::Clean => {}
            Tail::Torn { bytes } => {
                self.say(&format!(
                    "the last record of run {run} was cut short ({bytes} bytes) and is dropped"
                ));
            }
            Tail::Repeated { bytes } => self.say(&format!(
                "the last record of run {run} stands there twice; the second is dropped ({bytes} bytes)"
            )),
        }
        self.take_answers(&run, &mut loaded)?;
        self.take_up_files(&run, &mut loaded)?;
        repair(&self.target, &loaded, self.loaded.config.tick == config::Tick::Unverified);
        if !wants_resume {
            self.commit_left(&run, &mut loaded)?;
            let what = match History::ended_by(&loaded.events) {
                Some(EventKind::RunFinished { .. }) => "left work undone".to_owned(),
                Some(EventKind::RolledBack { to, .. }) => format!("went back to {}", safe(to)),
                _ => "did not end".to_owned(),
            };
            self.say(&format!(
                "run {run} {what}; starting anew with what is open (`specter resume` goes on with it)"
            ));
            return Ok(());
        }
        self.take_up(run, loaded)
    }

    /// Answers that came when the run was at work, and that it did not take up any more.
    fn take_answers(&self, run: &RunId, loaded: &mut Loaded) -> Result<(), Error> {
        let Some((store, lock)) = &self.held else { return Ok(()) };
        let left = answers::left(&store.run_dir(run));
        let history = History::from_events(&loaded.events);
        let asked = |answer: &answers::Answer| {
            history.questions().get(&answer.task).is_some_and(|asked| asked.attempt == answer.attempt)
        };
        let answered = left.iter().map(|left| &left.answer).filter(|answer| asked(answer));
        let kinds = answered.map(|answer| EventKind::QuestionAnswered {
            task: TaskRef { ix: TaskRef::UNRESOLVED, id: answer.task.clone() },
            attempt: answer.attempt,
            answer: answer.answer.clone(),
            by: AnsweredBy::Person,
        });
        record(store, lock, run, loaded, kinds.collect())?;
        answers::forget(&left.into_iter().map(|left| left.path).collect::<Vec<_>>());
        Ok(())
    }

    /// A going back that was cut off comes first: until it is finished, files, boxes and record disagree.
    fn finish_rollback(&self) -> Result<(), Error> {
        let Some((store, lock)) = &self.held else { return Ok(()) };
        let Some(run) = store.latest(Some(&self.target.name))? else { return Ok(()) };
        if rollback::pending(store, &run)?.is_none() {
            return Ok(());
        }
        let mut git = workspace::open(&self.loaded.config, &self.target, store, &run, &self.clock)?;
        git.clear_stale_locks()?;
        git.finish()?;
        let except = ground::except(&self.target, store, &git);
        let loaded = store.load(&run)?;
        let place = rollback::Place {
            store,
            run: &run,
            lock,
            loaded: &loaded,
            task_file: &self.target.file,
            except: &except,
            now_ms: self.clock.wall_ms(),
        };
        if let Some((finished, _)) = ground::finish(&mut git, &place)? {
            self.say(&format!("a going back to {} that was cut off is finished", safe(&finished.to)));
        }
        Ok(())
    }

    /// What a run that died had under way in the repository, if it worked with one.
    fn take_up_files(&self, run: &RunId, loaded: &mut Loaded) -> Result<(), Error> {
        let Some((store, lock)) = &self.held else { return Ok(()) };
        let used = |event: &crate::event::Event| matches!(event.kind, EventKind::WorktreeLeased { .. });
        let config = &self.loaded.config;
        // What is in the repository tells, not the record: it may have been cut off before it says so.
        let mut git = match workspace::open(config, &self.target, store, run, &self.clock) {
            Ok(git) => git,
            Err(error) if loaded.events.iter().any(used) => return Err(workspace::failed(&error)),
            Err(_) => return Ok(()),
        };
        if !git.has_tip().map_err(|error| workspace::failed(&error))? {
            return Ok(());
        }
        let pool = workspace::pool(config, &git)?;
        let tasks = stage::read(&self.target).map(|file| file.document.tasks).unwrap_or_default();
        let taken = driver::take_up_files(&mut git, Some(&pool), &tasks, &loaded.events)
            .map_err(|error| workspace::failed(&error))?;
        taken.notes.iter().for_each(|note| self.say(note));
        record(store, lock, run, loaded, taken.events)
    }

    /// What a run that died integrated and did not commit, although commits are asked for.
    fn commit_left(&self, run: &RunId, loaded: &mut Loaded) -> Result<(), Error> {
        let (Some((store, lock)), config) = (&self.held, &self.loaded.config) else { return Ok(()) };
        if config.commit == config::Commit::Off || config.isolation != Isolation::Worktree {
            return Ok(());
        }
        let mut git = workspace::open(config, &self.target, store, run, &self.clock)
            .map_err(|error| workspace::failed(&error))?;
        let document = stage::read(&self.target).map(|file| file.document).ok();
        let told = super::commit::left(config, &mut git, run, &loaded.events, document.as_ref())?;
        record(store, lock, run, loaded, told.events)
    }

    fn nothing_to_resume(&self, wanted: bool) {
        if wanted {
            self.say("no unfinished run to resume; starting with what is open");
        }
    }

    /// The options of the run that goes on, with what was typed now laid over them.
    fn take_up(&mut self, run: RunId, mut loaded: Loaded) -> Result<(), Error> {
        let history = History::from_events(&loaded.events);
        let options = history.info.map(|info| info.options).unwrap_or_default();
        let remembered = self.args.laid_over(&options).map_err(|error| {
            Error::message(Kind::Input, format!("the options of run {run} cannot be read: {error}"))
        })?;
        let (run_flags, format) = (self.args.run.clone(), self.args.format);
        let target = self.args.target.take();
        self.args = remembered;
        self.args.target = target;
        self.args.format = format;
        (self.args.run.yes, self.args.run.trust) = (run_flags.yes, run_flags.trust);
        self.args.run.resume = true;
        let Config { sandbox, isolation, user_edits, .. } = self.loaded.config;
        self.loaded = stage::configuration(self.global, &self.target, &self.args.overrides())?;
        // A journal lies in the repository: what it remembers can make the sandbox stricter, never looser.
        let config = &mut self.loaded.config;
        let was_open = config.sandbox == config::Sandbox::Off && sandbox != config::Sandbox::Off;
        config.sandbox = config.sandbox.max(sandbox);
        config.isolation = config.isolation.max(isolation);
        config.user_edits = config.user_edits.max(user_edits);
        self.was_open = was_open;
        self.commit_left(&run, &mut loaded)?;
        self.resumed = Some((run, loaded));
        Ok(())
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

    /// What extensions want done first; what of it is on record as done is not done again. With it the session begins, so
    /// that what was done of it is on record before anything follows. The exit if nothing follows.
    fn hooks_before(
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
    fn hooks_after(
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

    fn info(&self, run: &RunId) -> RunInfo {
        let config = &self.loaded.config;
        RunInfo {
            run: run.to_string(),
            file: self.target.name.clone(),
            mode: plan::export::mode_name(config.mode).to_owned(),
            jobs: jobs(config),
            seed: self.clock.seed(),
            selection: self.args.select.to_options(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            options: self.args.to_options(),
        }
    }

    fn request(
        &self,
        store: &Store,
        Opened { run, journal, loaded, started }: Opened,
        plan: Arc<Plan>,
        boxes: Boxes,
        (options, staff): (plan::Options, Staff),
    ) -> Result<Request, Error> {
        let config = &self.loaded.config;
        let repository = workspace::settle(config, &self.target, store, &run, &self.clock)?;
        let jobs = jobs(config);
        let run_dir = store.run_dir(&run);
        let screen = stage::screen(self.global, config, stage::Stream::Err);
        let session = loaded.as_ref().map_or(1, |loaded| History::from_events(&loaded.events).sessions + 1);
        let manner = header::Manner {
            run: run.to_string(),
            mode: plan::export::mode_name(config.mode).to_owned(),
            jobs,
            selection: self.args.select.to_options(),
            executors: executors(&plan, self.sandbox.as_ref(), config.isolation),
            session,
        };
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        if self.args.format == Format::Json {
            sinks.push(Box::new(JsonLines::new(Box::new(io::stdout()))));
        }
        Ok(Request {
            project: self.target.project.clone(),
            store: store.clone(),
            info: self.info(&run),
            limits: limits(config),
            shell: shell(
                config,
                &self.target.project,
                driver::session_token(&run, session, started),
                &run_dir,
            ),
            agents: None,
            prompts: None,
            begun: None,
            header: header::header(&screen, &plan, &manner),
            screen,
            boxes,
            replan: replan(options, Arc::clone(&plan), staff),
            plan,
            run,
            started,
            journal,
            loaded,
            sinks,
            tick_unverified: config.tick == config::Tick::Unverified,
            strict: config.durability == config::Durability::Strict,
            floors: config.floors,
            repository,
        })
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

fn show(mut lines: JsonLines, plan: &Plan, events: &[Event]) -> Result<(), Error> {
    let shown = events.iter().try_for_each(|event| lines.on_event(plan, event));
    shown.and_then(|()| lines.flush()).map_err(|error| Error::new(Kind::Io, error.source))
}

fn limits(config: &Config) -> Limits {
    Limits {
        jobs: jobs(config),
        retry: config.retry.clone(),
        failure: config.failure,
        budgets: config.budgets,
    }
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

/// Ticks what a killed run recorded as done, before the file is planned: a finished task never runs again.
pub(super) fn repair(target: &Target, loaded: &Loaded, tick_unverified: bool) {
    let Ok(file) = stage::read(target) else { return };
    let saved = Saved::of(file.identity.mtime_ns, loaded.written_ns, &loaded.events);
    let ticks = driver::repairs(&file.document.tasks, &loaded.events, tick_unverified, saved);
    if !ticks.is_empty() {
        Boxes::new(&target.file).tick(&ticks);
    }
}

/// Who works, and where.
fn executors(plan: &Plan, sandbox: Option<&SandboxConfig>, isolation: Isolation) -> Vec<String> {
    let mut names = BTreeSet::new();
    for task in plan.runnable().map(|task| plan.task(task)) {
        names.insert(task.more.agent.as_deref().filter(|_| !task.has_run_block()).unwrap_or("shell"));
    }
    let mut words: Vec<String> = names.into_iter().map(str::to_owned).collect();
    if let Some(last) = words.last_mut() {
        let is_for_all = sandbox.is_some_and(|sandbox| sandbox.elsewhere == Elsewhere::Nothing);
        let sandboxed = if is_for_all { " in a sandbox" } else { "" };
        let place = match (isolation, sandbox) {
            (Isolation::Worktree, Some(_)) => ", in working trees kept from each other",
            (Isolation::Worktree, None) => ", in working trees",
            _ => "",
        };
        *last = format!("{last}{sandboxed}{place}");
    }
    words
}

pub(super) fn jobs(config: &Config) -> u32 {
    match (config.mode, config.jobs) {
        (Mode::Sequential, _) => 1,
        (_, config::Jobs::Count(jobs)) => jobs.get(),
        (_, config::Jobs::Auto) => cores(),
    }
}

fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32)
}

/// One task at a time shares the cores with nobody.
fn jobserver(config: &Config) -> Option<JobserverConfig> {
    let tokens = match config.jobserver {
        config::Jobserver::Off => return None,
        config::Jobserver::Auto if jobs(config) == 1 => return None,
        config::Jobserver::Auto => cores(),
        config::Jobserver::Count(tokens) => tokens.get(),
    };
    Some(JobserverConfig { tokens, parallel_make: config.parallel_make })
}

/// How long a new run of `plan` should take: it is played through with what is known of durations.
pub(super) fn expected(plan: &Plan, config: &Config) -> Option<std::time::Duration> {
    let history = History::default();
    let session = schedule::Session::default();
    let scheduler = Scheduler::new(Arc::new(plan.clone()), limits(config), &history, session);
    let forecast = schedule::forecast(&scheduler, std::time::Duration::ZERO, schedule::FORECAST_CAP);
    (!forecast.at_least && !forecast.left.is_zero()).then_some(forecast.left)
}

/// What stands for `sh`, found before anything is run.
fn shell_program(config: &Config, project: &Path, plan: &Plan) -> Result<PathBuf, Error> {
    let usual = PathBuf::from("/bin/sh");
    let is_shell = |block: &crate::task::Block| matches!(block.interpreter.as_str(), "sh" | "shell");
    let wants_one = plan.runnable().any(|task| plan.task(task).blocks.iter().any(is_shell));
    let is_usual = config.shell == "sh" && usual.exists();
    if !wants_one || is_usual {
        return Ok(usual);
    }
    find_program(&config.shell, project).ok_or_else(|| {
        let what = format!("the shell `{}` was not found", safe(&config.shell));
        Error::message(Kind::Preflight, what)
            .hint("install it, or name another with `shell` in specter.toml or SPECTER_SHELL")
    })
}

/// A program by its name on PATH, or by its path from `base`.
pub(super) fn find_program(name: &str, base: &Path) -> Option<PathBuf> {
    let places: Vec<PathBuf> = if name.contains('/') {
        vec![base.join(name)]
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).filter(|dir| dir.is_absolute()).map(|dir| dir.join(name)).collect()
    };
    places.into_iter().find(|place| is_program(place))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn shell(config: &Config, project: &Path, token: String, run_dir: &Path) -> ShellConfig {
    let mut shell = ShellConfig::new(project.to_owned(), token, run_dir.to_owned());
    shell.env_pass.clone_from(&config.env_pass);
    shell.force_shell = config.force_shell;
    shell.grace = config.grace;
    shell.jobserver = jobserver(config);
    shell.timeout = config.timeout;
    shell.try_alternatives = config.try_alternatives;
    shell.retries_are_given = config.retry.is_given;
    shell.rules.retryable.clone_from(&config.retryable);
    shell.rules.non_retryable.clone_from(&config.non_retryable);
    shell
}

/// How an edited file is planned: with the same options, and nothing in it that nobody agreed to. Agreed to was all of
/// `agreed`, the plan the run began with; what that means is hashed at the first edit, for most runs see none.
fn replan(options: plan::Options, agreed: Arc<Plan>, staff: Staff) -> driver::Replan {
    let trust = OnceLock::new();
    Box::new(move |edited| {
        let trust = trust.get_or_init(|| Trust::of_tasks(&agreed.tasks));
        let mut document = edited.document;
        staff.assign(&mut document);
        let mut warnings = Vec::new();
        for task in &mut document.tasks {
            if task.state == State::Open && !trust.covers(task) {
                task.state = State::Manual;
                warnings.push(format!(
                    "{} was given commands that nobody agreed to: it waits (`specter trust`, then `specter resume`)",
                    safe(task.id.as_str())
                ));
            }
        }
        let first = |found: &[crate::diagnostic::Diagnostic]| {
            let error = found.iter().find(|diagnostic| diagnostic.is_error())?;
            let line = error.span().map_or(0, |span| edited.source.line(span.start));
            Some(format!("line {line}: {}", error.message))
        };
        if let Some(error) = first(&edited.diagnostics) {
            return Err(error);
        }
        match plan::plan(document, &options) {
            Ok((mut plan, _)) => {
                let open = plan.task_ixs().filter(|task| plan.planned(*task).role == Role::Run);
                let has_work = |task: &Task| task.has_run_block() || staff.is_here(task);
                let idle: Vec<_> = open.filter(|task| !has_work(plan.task(*task))).collect();
                for task in idle {
                    plan.planned[task.ix()].role = Role::LeftOut(plan::LeftOut::Manual);
                    warnings.push(format!("{} has no work: it waits", safe(plan.task(task).id.as_str())));
                }
                plan.file = edited.source.name().to_owned();
                Ok(Replanned { plan, warnings })
            }
            Err(found) => Err(first(&found).unwrap_or_else(|| "it has errors".to_owned())),
        }
    })
}
