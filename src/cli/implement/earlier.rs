//! The run before: what its death left undone is repaired, and if asked to, it goes on.

use super::Session;
use crate::cli::error::{Error, Kind};
use crate::cli::hold::{record, repair};
use crate::cli::{commit, ground, stage, workspace};
use crate::config::{self, Config, Isolation};
use crate::driver::{self, rollback};
use crate::event::{AnsweredBy, Event, EventKind, TaskRef};
use crate::history::History;
use crate::journal::{Loaded, RunId, Tail, answers};
use crate::text::{count, safe};

impl Session<'_> {
    /// Takes up the last run of this file: repairs what its death left undone and, if asked to, goes on with it.
    pub(super) fn look_back(&mut self) -> Result<(), Error> {
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
        let used = |event: &Event| matches!(event.kind, EventKind::WorktreeLeased { .. });
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
        let told = commit::left(config, &mut git, run, &loaded.events, document.as_ref())?;
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
}
