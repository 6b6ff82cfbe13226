//! Where attempts work: in the project, or each in a working tree of its own whose changes then become part of the
//! project's files. Also when the project's files are saved as a whole.
//!
//! Order is the promise: what an attempt left is saved before it is judged, nothing is integrated that was not checked
//! as it will be, and a working tree is given back only with the proof that all of it is kept. Knows no scheduler:
//! what happened goes to the hub as events, what came of it is in the attempt's report.

use super::commits::{Commits, Committer};
use super::escapes::{Watch, Window};
use super::hub::Hub;
use super::integrate::{Merging, Turn};
use super::strays::Strays;
use super::unix_words;
use crate::event::{
    AgentStep, AttemptOutcome, AttemptReport, Event, EventKind, FailureClass, GateVerdict, NoteLevel,
    QuietStage, TaskRef,
};
use crate::exec::{Attempt, Executor, OutputObserver, StopHandle, Workspace};
use crate::fs::shown;
use crate::git::{self, Brought, Carried, Carry, Error, Git, How, Owner, Removal, Saved, Worktree};
use crate::history::History;
use crate::task::{Task, TaskId, TaskIx};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The repository that the project is in, opened for this run.
pub struct Repository {
    pub git: Git,
    /// From the repository's root to the project; empty if they are the same.
    pub below: PathBuf,
    /// None: attempts work in the project.
    pub trees: Option<Trees>,
}

impl Repository {
    /// Where working trees are made, if they are.
    pub(super) fn trees_dir(&self) -> Option<PathBuf> {
        self.trees.as_ref().map(|trees| trees.pool.dir().to_owned())
    }

    /// Where the project lies in it, with a slash at its end; nothing at its root.
    pub(super) fn within(&self) -> String {
        let below = unix_words(&self.below);
        if below.is_empty() { below } else { format!("{below}/") }
    }
}

/// Working trees for attempts.
pub struct Trees {
    pub pool: git::Pool,
    /// What git ignores and every working tree needs.
    pub carry: Vec<Carry>,
    /// So many idle ones are kept for the next run.
    pub keep: usize,
    pub user: User,
    /// Where the user's branch gets commits of it.
    pub commits: Option<Commits>,
}

/// Who else changes files while the run goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum User {
    /// Somebody, if another program works in the project.
    #[default]
    Unknown,
    /// The user does: what changes is theirs.
    Works,
    /// Nobody: what changes, an attempt did.
    Sleeps,
}

/// At most this share of a run's time goes to saving the project's files after tasks that work in it.
const SHARE: u32 = 20;

pub(super) struct Workspaces {
    repository: Option<Opened>,
}

pub(super) struct Opened {
    pub(super) owner: Owner,
    below: PathBuf,
    pub(super) trees: Option<OpenedTrees>,
    started: Instant,
    spent: Mutex<Duration>,
    /// There is too much to save: said once.
    gave_up: AtomicBool,
    /// Working trees of agents' attempts that failed: the next attempt of the task goes on in it.
    kept: Mutex<HashMap<TaskId, Held>>,
    /// What attempts left that asked something, in sessions before this one.
    parked: Mutex<HashMap<TaskId, Left>>,
}

/// What an attempt left, as it was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Left {
    attempt: u32,
    reference: String,
    commit: String,
}

/// Of each task whose last attempt waits for an answer, or has it and has not gone on.
pub(super) fn parked(events: &[Event]) -> HashMap<TaskId, Left> {
    let history = History::from_events(events);
    let mut left = HashMap::new();
    for event in events {
        if let EventKind::AttemptSaved { task, attempt, reference, commit, .. } = &event.kind {
            let (reference, commit) = (reference.clone(), commit.clone());
            left.insert(task.id.clone(), Left { attempt: *attempt, reference, commit });
        }
    }
    left.retain(|id, left| history.questions().get(id).is_some_and(|asked| asked.attempt == left.attempt));
    left
}

pub(super) struct OpenedTrees {
    pool: git::Pool,
    carry: Vec<Carry>,
    keep: usize,
    pub(super) merging: Merging,
    pub(super) watch: Watch,
    pub(super) strays: Strays,
    committer: Option<Committer>,
}

/// One attempt, as everything here needs it.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    pub(super) hub: &'a Hub,
    pub(super) executor: &'a Executor,
    pub(super) observer: &'a dyn OutputObserver,
    pub(super) stop: &'a StopHandle,
    pub(super) attempt: Attempt<'a>,
}

impl Work<'_> {
    pub(super) fn task_ref(&self) -> TaskRef {
        TaskRef { ix: self.attempt.ix, id: self.attempt.task.id.clone() }
    }

    pub(super) fn whose(&self) -> git::Attempt {
        git::Attempt { task: self.attempt.task.id.to_string(), number: self.attempt.number }
    }

    pub(super) fn record(&self, kind: EventKind) {
        self.hub.record(vec![kind]);
    }

    /// Runs it as `attempt` says, and records what an agent does meanwhile.
    pub(super) fn execute(&self, attempt: &Attempt<'_>, strays: Option<&Strays>) -> AttemptReport {
        if !self.executor.is_for_agent(attempt.task) {
            return self.executor.run(attempt, self.stop, self.observer);
        }
        let dir = attempt.workspace.map(|workspace| workspace.dir.as_path());
        let recording = Recording { work: self, strays: strays.zip(dir) };
        self.executor.run(attempt, self.stop, &recording)
    }

    pub(super) fn warn(&self, text: String) {
        self.record(EventKind::Note { level: NoteLevel::Warn, text });
    }
}

/// Shows what an agent does, and makes it part of the record.
struct Recording<'a> {
    work: &'a Work<'a>,
    /// Who finds strays, and where the agent works.
    strays: Option<(&'a Strays, &'a Path)>,
}

impl OutputObserver for Recording<'_> {
    fn is_watching(&self) -> bool {
        self.work.observer.is_watching()
    }

    fn line(&self, task: TaskIx, line: &str) {
        self.work.observer.line(task, line);
    }

    fn steps(&self, steps: Vec<(u32, AgentStep)>) {
        let (task, attempt) = (self.work.task_ref(), self.work.attempt.number);
        if let Some((strays, dir)) = self.strays {
            steps.iter().for_each(|(_, step)| strays.look(&task.id, dir, step));
        }
        let event = |(n, step): (u32, AgentStep)| EventKind::AgentStep {
            task: task.clone(),
            attempt,
            n,
            step: Box::new(step),
        };
        self.work.hub.record(steps.into_iter().map(event).collect());
    }

    fn quiet(&self, stage: QuietStage, quiet: Duration) {
        let (task, attempt) = (self.work.task_ref(), self.work.attempt.number);
        self.work.record(EventKind::AttemptQuiet { task, attempt, stage, quiet });
    }

    fn gate(&self, gate: &'static str, verdict: GateVerdict, duration: Duration) {
        let (task, attempt) = (self.work.task_ref(), self.work.attempt.number);
        self.work.record(EventKind::GateFinished { task, attempt, gate: gate.to_owned(), verdict, duration });
    }
}

/// A working tree with the proof of what it held when it was last saved.
pub(super) struct Held {
    pub(super) worktree: Worktree,
    pub(super) workspace: Workspace,
    pub(super) saved: Arc<Saved>,
}

impl Workspaces {
    /// `parked`: what attempts of earlier sessions left that asked something.
    pub(super) fn start(
        repository: Option<Repository>,
        session: &str,
        parked: HashMap<TaskId, Left>,
    ) -> io::Result<Workspaces> {
        let Some(Repository { git, below, trees }) = repository else {
            return Ok(Workspaces { repository: None });
        };
        let root = git.root().to_owned();
        let trees = trees.map(|Trees { pool, carry, keep, user, commits }| OpenedTrees {
            pool,
            carry,
            keep,
            merging: Merging::default(),
            watch: Watch::new(user, session, &root),
            strays: Strays::default(),
            committer: commits.map(Committer::new),
        });
        let owner = Owner::start(git)?;
        let opened = Opened {
            owner,
            below,
            trees,
            started: Instant::now(),
            spent: Mutex::default(),
            gave_up: AtomicBool::new(false),
            kept: Mutex::default(),
            parked: Mutex::new(parked),
        };
        Ok(Workspaces { repository: Some(opened) })
    }

    /// Whether files are saved at the moments that have a name.
    pub(super) fn saves(&self) -> bool {
        self.repository.is_some()
    }

    /// Runs an attempt. As long as the turn is held, nothing else becomes part of the project's files.
    pub(super) fn run(&self, work: &Work<'_>) -> (AttemptReport, Option<Turn<'_>>) {
        match &self.repository {
            Some(opened) if opened.trees.is_some() => opened.run_in_tree(work),
            _ => (work.execute(&work.attempt, None), None),
        }
    }

    /// Saves the project's files under these names. `must`: whatever it takes; else only while that is little beside
    /// what the run takes.
    pub(super) fn save(&self, hub: &Hub, names: Vec<String>, must: bool) {
        let Some(opened) = &self.repository else { return };
        let must = must || opened.trees.is_some();
        for name in names {
            if must || opened.has_time() {
                opened.save(hub, name);
            }
        }
    }

    /// Whether it matters when a phase is over.
    pub(super) fn is_by_phase(&self) -> bool {
        self.committer().is_some_and(|(_, committer)| committer.is_by_phase())
    }

    fn committer(&self) -> Option<(&Opened, &Committer)> {
        let opened = self.repository.as_ref()?;
        Some((opened, opened.trees.as_ref()?.committer.as_ref()?))
    }

    /// Commits what is due on the user's branch, now that `task` is done, and with it `phase`. With the turn held.
    pub(super) fn commit(&self, hub: &Hub, task: &Task, phase: Option<&str>) {
        if let Some((opened, committer)) = self.committer() {
            committer.commit(opened, hub, task, phase);
        }
    }

    /// For the end of a run: working trees that will not be used again go. Returns what a person should know.
    pub(super) fn finish(&self) -> Vec<String> {
        let Some(opened) = &self.repository else { return Vec::new() };
        let Opened { owner, trees: Some(trees), .. } = opened else { return Vec::new() };
        let mut problems = opened.give_back_kept();
        // Of a write that the disk refused.
        let _next_start_tries_again = owner.ask(|git| git.clear_stale_locks());
        let (pool, keep) = (trees.pool.clone(), trees.keep);
        if let Err(error) = owner.ask(move |git| git.collect_garbage(&pool, keep)) {
            problems.push(format!("working trees that are not needed any more were not removed: {error}"));
        }
        problems.extend(self.committer().and_then(|(opened, committer)| committer.left(opened)));
        problems
    }
}

impl Opened {
    fn run_in_tree(&self, work: &Work<'_>) -> (AttemptReport, Option<Turn<'_>>) {
        if let Some(ended) = self.integrated_late(work) {
            return ended;
        }
        let (worktree, carried) = match self.take_kept(work).map_or_else(|| self.lease(work), Ok) {
            Ok(leased) => leased,
            Err(error) => return (not_isolated(&error), None),
        };
        work.record(leased(work, &worktree, &carried));
        let holds_work = match self.bring_back(work, &worktree) {
            Ok(holds_work) => holds_work,
            // It stays leased: what is in it is saved at the next start.
            Err(error) => return (not_isolated(&error), None),
        };
        let workspace = self.workspace(&worktree, holds_work);
        let attempt = Attempt { workspace: Some(&workspace), ..work.attempt };
        let window = Window::open();
        let strays = self.trees.as_ref().map(|trees| &trees.strays);
        let (root, task) = (worktree.root().to_owned(), &work.attempt.task.id);
        strays.inspect(|strays| strays.begin(&root, task));
        let mut report = work.execute(&attempt, strays);
        let saved = match self.save_attempt(&worktree, work.whose()) {
            Ok(saved) => Arc::new(saved),
            // It stays leased: what is in it is saved at the next start.
            Err(error) => {
                let what =
                    format!("its working tree `{}` could not be saved: {error}", shown(worktree.root()));
                return (not_integrated(report, FailureClass::Transient, what), None);
            }
        };
        work.record(saved_event(work, &saved));
        let mut held = Held { worktree, workspace, saved };
        let mut turn = None;
        if report.outcome.is_success() {
            (report, turn) = self.integrate(work, &mut held, report, window);
            if !report.outcome.is_success() {
                work.executor.learn(&work.attempt.task.id, &report);
            }
        } else if let Some(trees) = &self.trees {
            // With the turn: what another attempt integrates just now is nobody's escape.
            let _turn = trees.merging.wait();
            trees.watch.told(self, work, window, trees.strays.of(task, &root));
        }
        let is_clean = !strays.is_some_and(|strays| strays.is_soiled(&root));
        if work.executor.is_for_agent(work.attempt.task) && is_tried_again(&report) && is_clean {
            self.keep(work, held);
        } else {
            self.give_back(work, held);
        }
        (report, turn)
    }

    /// For the next attempt of the task: what is there already is where it goes on.
    fn keep(&self, work: &Work<'_>, held: Held) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(work.attempt.task.id.clone(), held);
    }

    /// The working tree that an earlier attempt of the task left, now of this attempt. If it cannot be had there is a new
    /// one: what was in it is saved.
    fn take_kept(&self, work: &Work<'_>) -> Option<(Worktree, Vec<Carried>)> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let held = kept.remove(&work.attempt.task.id)?;
        drop(kept);
        let (worktree, whose) = (held.worktree.clone(), work.whose());
        match self.owner.ask(move |git| git.pass_on(&worktree, &whose)) {
            Ok(worktree) => Some((worktree, Vec::new())),
            Err(_) => {
                self.give_back(work, held);
                None
            }
        }
    }

    /// For the end of a run; what cannot be given back is looked at again at the next start.
    fn give_back_kept(&self) -> Vec<String> {
        let kept = std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        let results = kept.into_values().map(|held| (self.try_give_back(&held.worktree, &held.saved), held));
        let failed = results.filter_map(|(result, held)| Some((result.err()?, held)));
        failed
            .map(|(error, held)| {
                format!("the working tree `{}` stays as it is: {error}", shown(held.worktree.root()))
            })
            .collect()
    }

    /// What the attempt left that asked before this session began: with the answer it goes on from there. True if that is
    /// in the working tree now.
    fn bring_back(&self, work: &Work<'_>, worktree: &Worktree) -> Result<bool, Error> {
        let id = &work.attempt.task.id;
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        let left = parked.remove(id).and_then(|left| Some((git::Oid::from_str(&left.commit).ok()?, left)));
        drop(parked);
        let Some((commit, Left { reference, .. })) = left else { return Ok(false) };
        let of = worktree.clone();
        let brought = self.owner.ask(move |git| git.go_on_from(&of, commit))?;
        let (level, text) = match brought {
            Brought::Nothing => return Ok(false),
            Brought::Work => {
                (NoteLevel::Info, format!("{id} goes on with what it left before it asked (`{reference}`)"))
            }
            Brought::Contradiction => {
                let why = "what it left before it asked does not fit what came since";
                (NoteLevel::Warn, format!("{id} begins anew: {why}; it is kept (`{reference}`)"))
            }
            Brought::Gone => (
                NoteLevel::Warn,
                format!("{id} begins anew: what it left before it asked is not kept any more"),
            ),
        };
        work.record(EventKind::Note { level, text });
        Ok(brought == Brought::Work)
    }

    fn lease(&self, work: &Work<'_>) -> Result<(Worktree, Vec<Carried>), Error> {
        let Some(trees) = &self.trees else { return Err(Error::OwnerGone) };
        let (pool, carry, whose) = (trees.pool.clone(), trees.carry.clone(), work.whose());
        trees.watch.begin(self)?;
        self.owner.ask(move |git| {
            let tip = git.tip()?;
            git.lease(&pool, tip, &whose, &carry)
        })
    }

    fn workspace(&self, worktree: &Worktree, holds_work: bool) -> Workspace {
        let dir = if self.below.as_os_str().is_empty() {
            worktree.root().to_owned()
        } else {
            worktree.root().join(&self.below)
        };
        Workspace { dir, writable: vec![worktree.root().to_owned(), worktree.git_dir()], holds_work }
    }

    pub(super) fn save_attempt(&self, worktree: &Worktree, whose: git::Attempt) -> Result<Saved, Error> {
        let worktree = worktree.clone();
        self.owner.ask(move |git| git.save_attempt(&worktree, &whose))
    }

    /// What cannot be given back stays as it is, and is looked at again at the next start.
    fn give_back(&self, work: &Work<'_>, held: Held) {
        let Held { worktree, saved, .. } = held;
        let root = worktree.root().to_owned();
        if let Some(trees) = &self.trees {
            trees.strays.end(&root);
        }
        let result = match self.try_give_back(&worktree, &saved) {
            // Somebody still wrote there after it was saved: once more.
            Err(Error::ChangedSince { .. }) => self
                .save_attempt(&worktree, work.whose())
                .and_then(|saved| self.try_give_back(&worktree, &Arc::new(saved))),
            result => result,
        };
        match result {
            // Of what could not be saved the event told.
            Ok(Removal::Idle | Removal::Kept(_)) => {}
            Err(error) => work.warn(format!("the working tree `{}` stays as it is: {error}", shown(&root))),
        }
    }

    fn try_give_back(&self, worktree: &Worktree, saved: &Arc<Saved>) -> Result<Removal, Error> {
        let (worktree, saved) = (worktree.clone(), Arc::clone(saved));
        self.owner.ask(move |git| git.give_back(worktree, &saved))
    }

    fn has_time(&self) -> bool {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner) * SHARE <= self.started.elapsed()
    }

    fn save(&self, hub: &Hub, name: String) {
        if self.gave_up.load(Ordering::Relaxed) {
            return;
        }
        let started = Instant::now();
        let (done, title) = (hub.done(), name.clone());
        let saved = self.owner.ask(move |git| git.checkpoint(&title));
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner) += started.elapsed();
        hub.record(vec![match saved {
            Ok(saved) => {
                let reference = Some(saved.reference().to_owned());
                EventKind::CheckpointCreated { name, done, reference }
            }
            Err(error @ Error::TooMuch { .. }) => {
                self.gave_up.store(true, Ordering::Relaxed);
                let text = format!("{error}: nothing is saved for `specter rollback`; let git ignore what should not be saved");
                EventKind::Note { level: NoteLevel::Warn, text }
            }
            Err(error) => EventKind::Note {
                level: NoteLevel::Warn,
                text: format!("the files could not be saved as `{name}`: {error}"),
            },
        }]);
    }
}

fn leased(work: &Work<'_>, worktree: &Worktree, carried: &[Carried]) -> EventKind {
    let how = |how: Option<How>| match how {
        Some(How::Reflink) => "reflink",
        Some(How::HardLink) => "hard links",
        Some(How::Symlink) => "symlink",
        Some(How::Copy | How::Auto) => "copy",
        None => "left behind",
    };
    EventKind::WorktreeLeased {
        task: work.task_ref(),
        attempt: work.attempt.number,
        path: unix_words(worktree.root()),
        base: worktree.base().to_string(),
        carried: carried.iter().map(|c| format!("{}: {}", unix_words(&c.path), how(c.how))).collect(),
    }
}

fn saved_event(work: &Work<'_>, saved: &Saved) -> EventKind {
    EventKind::AttemptSaved {
        task: work.task_ref(),
        attempt: work.attempt.number,
        reference: saved.reference().to_owned(),
        commit: saved.commit().to_string(),
        left_out: saved
            .left_out()
            .iter()
            .map(|out| format!("{}: {}", unix_words(&out.path), out.why))
            .collect(),
    }
}

/// Whether an attempt of the same task may follow that goes on where this one ended.
fn is_tried_again(report: &AttemptReport) -> bool {
    use FailureClass::{Cancelled, Conflict, Permanent};
    // After a failure for good another agent of the chain may take over, where this one got as far as to work.
    let is_passed_on = report.class == Some(Permanent) && report.agent.is_some();
    !report.outcome.is_success()
        && (is_passed_on || !matches!(report.class, Some(Permanent | Conflict | Cancelled) | None))
}

/// Never a silent fallback: who asked for a working tree of its own gets one or fails.
fn not_isolated(error: &Error) -> AttemptReport {
    AttemptReport {
        outcome: AttemptOutcome::StartFailed(format!("no working tree could be made: {error}")),
        class: Some(FailureClass::Transient),
        rule: Some("failing to isolate fails the attempt".to_owned()),
        ..AttemptReport::default()
    }
}

/// The work ended well and is not part of the project's files.
pub(super) fn not_integrated(report: AttemptReport, class: FailureClass, rule: String) -> AttemptReport {
    let outcome = if report.outcome.is_success() { AttemptOutcome::NotIntegrated } else { report.outcome };
    AttemptReport { outcome, class: Some(class), rule: Some(rule), verified: false, ..report }
}

/// Whose an event of a conflict is.
pub(super) fn task_id(attempt: &git::Attempt) -> TaskId {
    TaskId::new(&attempt.task)
}
