//! Going back to a checkpoint: files, boxes, record. However it is interrupted, whoever starts next finishes it.
//!
//! What is to happen is noted on disk before the first effect (`rollback.json` in the run's directory), and the note
//! goes when all of it has happened. In between every step can be told from what is there: files, because the commit
//! that ends their change names what was saved before; boxes, because a blank one needs no clearing; the record,
//! because its event names what was saved. So each step is done once, and doing all of them again does no harm.

use super::ticker::may_tick;
use crate::boxes::{self, Boxes};
use crate::event::{Event, EventKind};
use crate::fs::{self, Access, shown};
use crate::git::{self, Git, Oid};
use crate::history::History;
use crate::history::checkpoints::before_rollback;
use crate::journal::{Journal, Loaded, Lock, RunId, Store};
use crate::parse::parse;
use crate::source::{MAX_BYTES, SourceText};
use crate::task::{State, Task, TaskId};
use crate::text::{count, safe};
use crate::writeback::Tick;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

const NOTE: &str = "rollback.json";
const NOTE_LIMIT: u64 = 64 << 20;

#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    #[error(transparent)]
    Git(#[from] git::Error),
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("the run's record cannot be written: {0}")]
    Record(#[source] io::Error),
    #[error("`{}` cannot be understood: {source}", shown(path))]
    Note {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("the boxes of {} cannot be changed: {}", count(*count_of as u64, "task"), said(problems))]
    Boxes { count_of: usize, problems: Vec<(TaskId, String)> },
    #[error("the task file is not text at the moment")]
    NotText,
    #[error("the checkpoint `{}` is not in the repository any more", safe(name))]
    Gone { name: String },
    #[error(
        "the checkpoint `{}` is damaged: the content of {} is not in the repository any more, `{}` first",
        safe(name),
        count(missing.len() as u64, "file"),
        missing.first().map(|path| shown(path)).unwrap_or_default()
    )]
    Damaged { name: String, missing: Vec<PathBuf> },
}

fn said(problems: &[(TaskId, String)]) -> String {
    const SHOWN: usize = 5;
    let each =
        problems.iter().take(SHOWN).map(|(task, why)| format!("{}: {}", safe(task.as_str()), safe(why)));
    each.collect::<Vec<_>>().join("; ")
}

/// What is to happen, and where everything is.
pub struct Place<'a> {
    pub store: &'a Store,
    pub run: &'a RunId,
    pub lock: &'a Lock,
    /// The run's record as it is on disk.
    pub loaded: &'a Loaded,
    /// Absolute.
    pub task_file: &'a Path,
    /// Paths of specter's own and the task file, relative to the repository's root: they are not restored as files.
    pub except: &'a [PathBuf],
    pub now_ms: u64,
}

/// Going back, decided. Kept on disk while it happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// The name of the checkpoint.
    pub to: String,
    /// The commit with its files.
    pub commit: String,
    /// Under which name everything is saved before.
    pub save_as: String,
    /// Done now, open then.
    pub reopened: Vec<TaskId>,
    /// Open now, done then.
    pub done: Vec<TaskId>,
    /// Of `done`: those whose boxes are to be ticked.
    pub ticks: Vec<TaskId>,
}

/// What going back did.
#[derive(Debug)]
pub struct RolledBack {
    /// The reference that holds what was there before.
    pub saved: String,
    /// Boxes that are blank now, and boxes that are ticked now, with their lines.
    pub cleared: Vec<(TaskId, u32)>,
    pub ticked: Vec<(TaskId, u32)>,
    /// Files that somebody wrote in that very moment: theirs stayed.
    pub kept: Vec<PathBuf>,
}

/// What a going back would change.
#[derive(Debug)]
pub struct Preview {
    pub rollback: Rollback,
    pub files: Vec<(PathBuf, git::Changed)>,
    pub cleared: Vec<(TaskId, u32)>,
    pub ticked: Vec<(TaskId, u32)>,
    /// Boxes that cannot be changed for certain: as long as there are any, nothing is done.
    pub problems: Vec<(TaskId, String)>,
}

/// A checkpoint to go back to.
pub struct Goal<'a> {
    pub name: &'a str,
    pub reference: &'a str,
    /// The tasks that were done then, and those that are now.
    pub then: &'a HashSet<TaskId>,
    pub now: &'a HashSet<TaskId>,
    /// Tasks whose boxes specter may tick.
    pub may_tick: &'a HashSet<TaskId>,
}

/// Decides what going back means now.
pub fn preview(git: &mut Git, goal: &Goal<'_>, place: &Place<'_>) -> Result<Preview, RollbackError> {
    let gone = || RollbackError::Gone { name: goal.name.to_owned() };
    let commit = git.find(goal.reference)?.ok_or_else(gone)?;
    let missing = git.missing(commit)?;
    if !missing.is_empty() {
        return Err(RollbackError::Damaged { name: goal.name.to_owned(), missing });
    }
    let sorted = |ids: HashSet<TaskId>| {
        let mut ids: Vec<TaskId> = ids.into_iter().collect();
        ids.sort();
        ids
    };
    let reopened = sorted(goal.now.difference(goal.then).cloned().collect());
    let done = sorted(goal.then.difference(goal.now).cloned().collect());
    let rollbacks =
        place.loaded.events.iter().filter(|event| matches!(event.kind, EventKind::RolledBack { .. })).count();
    let boxes = TaskFile::read(place.task_file)?;
    let ticks = done.iter().filter(|task| goal.may_tick.contains(*task)).cloned().collect();
    let rollback = Rollback {
        to: goal.name.to_owned(),
        commit: commit.to_string(),
        save_as: before_rollback(rollbacks + 1),
        reopened,
        done,
        ticks,
    };
    let files = git.would_change(commit, place.except)?;
    let (cleared, ticked, problems) = boxes.changes(&rollback);
    Ok(Preview { rollback, files, cleared, ticked, problems })
}

/// Goes back.
pub fn begin(git: &mut Git, rollback: &Rollback, place: &Place<'_>) -> Result<RolledBack, RollbackError> {
    // First of all: whatever comes, what is there now can be gone back to.
    let _ = git.checkpoint(&rollback.save_as)?;
    let text = serde_json::to_vec(rollback).map_err(|source| note_error(place, source))?;
    git.next_step()?;
    fs::atomic_replace(&note(place.store, place.run), &text, Access::Private)?;
    carry_out(git, rollback, place)
}

/// One that was begun and is not finished, if there is any.
pub fn pending(store: &Store, run: &RunId) -> Result<Option<Rollback>, RollbackError> {
    let path = note(store, run);
    match fs::read_no_link(&path, NOTE_LIMIT) {
        Ok(contents) => serde_json::from_slice(&contents.bytes)
            .map(Some)
            .map_err(|source| RollbackError::Note { path, source }),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Does what is not done yet. To be called with any half-done change of files finished ([`Git::finish`]).
pub fn carry_out(git: &mut Git, rollback: &Rollback, place: &Place<'_>) -> Result<RolledBack, RollbackError> {
    let commit =
        Oid::from_str(&rollback.commit).map_err(|_| RollbackError::Gone { name: rollback.to.clone() })?;
    let mut kept = Vec::new();
    if !git.has_left(&rollback.save_as)? {
        kept = git.restore(commit, &rollback.save_as, place.except)?.kept;
    }
    let saved = git.checkpoint_reference(&rollback.save_as);
    git.next_step()?;
    let (cleared, ticked) = change_boxes(rollback, place)?;
    git.next_step()?;
    record(rollback, &saved, place)?;
    git.next_step()?;
    // Of a process that died before it could begin.
    fs::sweep_temporaries(&place.store.run_dir(place.run))?;
    let path = note(place.store, place.run);
    std::fs::remove_file(&path).map_err(|error| fs::Error::io("remove", &path, error))?;
    fs::sync_dir(fs::parent(&path))?;
    Ok(RolledBack { saved, cleared, ticked, kept })
}

fn note(store: &Store, run: &RunId) -> PathBuf {
    store.run_dir(run).join(NOTE)
}

fn note_error(place: &Place<'_>, source: serde_json::Error) -> RollbackError {
    RollbackError::Note { path: note(place.store, place.run), source }
}

type Lines = Vec<(TaskId, u32)>;

fn change_boxes(rollback: &Rollback, place: &Place<'_>) -> Result<(Lines, Lines), RollbackError> {
    let file = TaskFile::read(place.task_file)?;
    let boxes::Cleared { cleared, mut problems } =
        boxes::clear(place.task_file, &file.of(&rollback.reopened, |_| true));
    let wanted: Vec<Tick> = file.of(&rollback.ticks, may_tick);
    let mut ticked = Vec::new();
    if !wanted.is_empty() {
        let told = Boxes::new(place.task_file).tick(&wanted);
        ticked = told.ticked;
        problems.extend(told.pending);
    }
    if problems.is_empty() {
        return Ok((cleared, ticked));
    }
    Err(RollbackError::Boxes { count_of: problems.len(), problems })
}

/// Appends the event, unless it is there, and makes it durable.
fn record(rollback: &Rollback, saved: &str, place: &Place<'_>) -> Result<(), RollbackError> {
    let is_this =
        |event: &Event| matches!(&event.kind, EventKind::RolledBack { saved: known, .. } if known == saved);
    let mut journal = place.store.resume_run(place.run, place.loaded, place.lock)?;
    if place.loaded.events.iter().any(is_this) {
        return Ok(());
    }
    let kind = EventKind::RolledBack {
        to: rollback.to.clone(),
        commit: rollback.commit.clone(),
        saved: saved.to_owned(),
        reopened: rollback.reopened.clone(),
        done: rollback.done.clone(),
    };
    append(&mut journal, &place.loaded.events, vec![kind], place.now_ms)
}

/// Records what happened between two sessions, durably.
pub fn append(
    journal: &mut Journal,
    events: &[Event],
    kinds: Vec<EventKind>,
    now_ms: u64,
) -> Result<(), RollbackError> {
    let history = History::from_events(events);
    let last = events.last().map_or(Duration::ZERO, |event| event.at);
    // What a session that died left undone belongs to it: when it would have happened nobody knows.
    let is_now = History::ended_by(events).is_some()
        || kinds.iter().any(|kind| matches!(kind, EventKind::RolledBack { .. }));
    // A clock that was set back must not make this look earlier than what it follows.
    let now = Duration::from_millis(now_ms.saturating_sub(history.session_started)).max(last);
    let at = if is_now { now } else { last };
    let numbered = (history.last_seq + 1..).zip(kinds);
    let events: Vec<Event> = numbered.map(|(seq, kind)| Event { seq, at, kind }).collect();
    journal.append(&events).map_err(RollbackError::Record)?;
    let mut syncer = journal.syncer().map_err(RollbackError::Record)?;
    syncer.sync()?;
    Ok(())
}

/// The task file as it reads now.
struct TaskFile {
    tasks: Vec<Task>,
}

impl TaskFile {
    fn read(path: &Path) -> Result<TaskFile, RollbackError> {
        let contents = fs::read(path, MAX_BYTES as u64)?;
        let source =
            SourceText::from_bytes(shown(path), contents.bytes).map_err(|_| RollbackError::NotText)?;
        Ok(TaskFile { tasks: parse(&source).0.tasks })
    }

    /// The boxes of these tasks, as far as they are in the file.
    fn of(&self, ids: &[TaskId], is_wanted: fn(&Task) -> bool) -> Vec<Tick> {
        let ids: HashSet<&TaskId> = ids.iter().collect();
        let named = self.tasks.iter().filter(|task| ids.contains(&task.id));
        named.filter(|task| is_wanted(task)).map(Tick::of).collect()
    }

    fn changes(&self, rollback: &Rollback) -> (Lines, Lines, Vec<(TaskId, String)>) {
        let (reopened, ticks): (HashSet<&TaskId>, HashSet<&TaskId>) =
            (rollback.reopened.iter().collect(), rollback.ticks.iter().collect());
        let (mut cleared, mut ticked, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        for task in &self.tasks {
            let (clears, sets) = (reopened.contains(&task.id), ticks.contains(&task.id));
            if !clears && !sets {
                continue;
            }
            if !seen.insert(&task.id) {
                problems.push((
                    task.id.clone(),
                    format!("several tasks have this id, one at line {}", task.line),
                ));
            } else if clears && task.state == State::Done {
                match task.checkbox.as_ref().map(|checkbox| checkbox.mark.as_str()) {
                    Some("x" | "X") => cleared.push((task.id.clone(), task.line)),
                    _ => problems.push((
                        task.id.clone(),
                        format!("its box is not one character wide, at line {}", task.line),
                    )),
                }
            } else if sets && may_tick(task) {
                ticked.push((task.id.clone(), task.line));
            }
        }
        (cleared, ticked, problems)
    }
}
