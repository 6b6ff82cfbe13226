//! The files of a session that died: what it had begun to integrate is finished, what attempts left is saved, and an
//! attempt whose work is part of the project's files counts as done, although that is not on record.
//!
//! To be called with the project's lock held, before the task file is planned.

use super::commits::of_found;
use crate::event::{AttemptReport, Event, EventKind, TaskRef, Verdict};
use crate::fs::shown;
use crate::git::{Attempt, Error, Git, Pool, Worktree};
use crate::history::History;
use crate::task::{BlockKind, Task, TaskId};
use crate::text::count;
use std::collections::HashSet;

/// What was found and made good.
#[derive(Debug, Default)]
pub struct TakenUp {
    /// To be added to the run's record.
    pub events: Vec<EventKind>,
    /// For people.
    pub notes: Vec<String>,
}

/// `tasks` are those of the file as it reads now, `events` what the run's record holds.
pub fn take_up_files(
    git: &mut Git,
    pool: Option<&Pool>,
    tasks: &[Task],
    events: &[Event],
) -> Result<TakenUp, Error> {
    let mut taken = TakenUp::default();
    git.clear_stale_locks()?;
    if let Some(finished) = git.finish()? {
        taken.notes.push("an integration that was cut off is finished".to_owned());
        for path in finished.kept {
            taken.notes.push(format!("`{}` was changed meanwhile and stays as it is", shown(&path)));
        }
        if finished.rescued > 0 {
            taken.notes.push(format!("{} found half way and kept", count(finished.rescued, "edit")));
        }
    }
    let recorded: HashSet<&str> = events.iter().filter_map(committed).collect();
    let found = git.take_up_commits(&|commit| recorded.contains(&*commit.to_string()))?;
    taken.events.extend(found.into_iter().map(of_found));
    let mut saved = 0;
    for worktree in pool.map(|pool| git.leased(pool)).transpose()?.unwrap_or_default() {
        saved += u32::from(save(git, worktree, &mut taken)?);
    }
    if saved > 0 {
        taken.notes.push(format!(
            "{} of a run that died saved: see `specter recover`",
            count(saved, "working tree")
        ));
    }
    let history = History::from_events(events);
    let open = history.tasks().filter(|(_, task)| !task.is_done());
    // With no end on record, or with one that was finished after it was given up; both may be one task's.
    let mut perhaps: Vec<(&TaskId, u32, bool)> = open
        .flat_map(|(id, task)| {
            let given_up = task.not_integrated.map(|number| (id, number, false));
            given_up.into_iter().chain(task.in_flight.map(|number| (id, number, true)))
        })
        .collect();
    perhaps.sort();
    let mut counted: Option<&TaskId> = None;
    for (id, number, is_in_flight) in perhaps {
        if counted == Some(id) || git.integrated(&Attempt { task: id.to_string(), number })?.is_none() {
            continue;
        }
        let [ended, done] = done(id, number, tasks);
        taken.events.extend(is_in_flight.then_some(ended));
        taken.events.push(done);
        taken.notes.push(format!("{id} is integrated and counts as done"));
        counted = Some(id);
    }
    Ok(taken)
}

/// Whether it was saved whole, so that its place is free again.
fn save(git: &mut Git, worktree: Worktree, taken: &mut TakenUp) -> Result<bool, Error> {
    let (whose, root) = (worktree.attempt().clone(), worktree.root().to_owned());
    let saved = git.save_attempt(&worktree, &whose)?;
    taken.events.push(EventKind::AttemptSaved {
        task: unresolved(&TaskId::new(&whose.task)),
        attempt: whose.number,
        reference: saved.reference().to_owned(),
        commit: saved.commit().to_string(),
        left_out: saved.left_out().iter().map(|out| format!("{}: {}", shown(&out.path), out.why)).collect(),
    });
    match git.give_back(worktree, &saved) {
        Ok(crate::git::Removal::Idle) => Ok(true),
        Ok(crate::git::Removal::Kept(_)) => Ok(false),
        Err(error) => {
            taken.notes.push(format!("the working tree `{}` stays as it is: {error}", shown(&root)));
            Ok(false)
        }
    }
}

fn committed(event: &Event) -> Option<&str> {
    match &event.kind {
        EventKind::Committed { commit, .. } => Some(commit),
        _ => None,
    }
}

/// It was integrated, which only follows success.
fn done(id: &TaskId, attempt: u32, tasks: &[Task]) -> [EventKind; 2] {
    let task = unresolved(id);
    let known = tasks.iter().find(|task| task.id == *id);
    let verified = known.is_some_and(|task| task.blocks_of(BlockKind::Verify).next().is_some());
    let report = AttemptReport { verified, ..AttemptReport::default() };
    let duration = report.duration;
    let verdict = if verified { Verdict::Verified } else { Verdict::Unverified };
    [
        EventKind::AttemptFinished { task: task.clone(), attempt, report: Box::new(report) },
        EventKind::TaskDone { task, attempts: attempt, verdict, duration },
    ]
}

fn unresolved(id: &TaskId) -> TaskRef {
    TaskRef { ix: TaskRef::UNRESOLVED, id: id.clone() }
}

/// The events with their numbers, as the session that died would have recorded them at its end.
pub fn stamped(kinds: Vec<EventKind>, events: &[Event]) -> Vec<Event> {
    let (last, at) = events.last().map_or((0, std::time::Duration::ZERO), |event| (event.seq, event.at));
    kinds.into_iter().zip(last + 1..).map(|(kind, seq)| Event { seq, at, kind }).collect()
}
