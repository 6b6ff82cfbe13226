//! `recover accept`: what waits for a person's look becomes part of the project's files, and its task counts as done.
//!
//! An attempt of an earlier run is integrated by that run, whose attempts it is told apart from. That its task is done is
//! on record where the next session and a rollback look: in the newest run of the same task file.

use super::error::{Error, Kind};
use super::exit::Exit;
use super::ground::Base;
use super::recover::{Command, Known};
use super::rollback::words;
use crate::boxes::Boxes;
use crate::driver;
use crate::driver::rollback::append;
use crate::event::{EventKind, Merge, TaskRef, Verdict};
use crate::git::{Attempt, Outcome};
use crate::history::History;
use crate::history::checkpoints::done_after;
use crate::journal::RunId;
use crate::projection::kept::KeptState;
use crate::task::{BlockKind, TaskId};
use crate::text::{count, safe};
use crate::writeback::Tick;
use std::time::Duration;

/// Conflicting paths named in an error.
const MAX_LISTED: usize = 20;

pub(super) fn accept(command: &Command<'_>, wanted: &str) -> Result<Exit, Error> {
    let newest = command.base()?;
    let found = command.find(&newest.git, wanted)?;
    let name = safe(&found.json.name);
    let Some(attempt) = found.kept.attempt.clone() else {
        return Err(Error::usage(format!("`{name}` is no attempt")).hint("`specter recover` lists them"));
    };
    let (mut base, newer) = runs(command, newest, &found, &name)?;
    let task = TaskRef { ix: TaskRef::UNRESOLVED, id: TaskId::new(&attempt.task) };
    let history = match &newer {
        Some(newer) => History::from_events(&command.ground.store.load(newer)?.events),
        None => History::from_events(&base.loaded.events),
    };
    let is_done = history.task(&task.id).is_done();
    check(is_done, &found, &name)?;
    let merge = integrate(&mut base, &found, &attempt)?;
    let files = merge.files.len() as u64;
    let is_merged = merge.merged;
    let mut events =
        vec![EventKind::Integrated { task: task.clone(), attempt: attempt.number, merge: Box::new(merge) }];
    if let Some(newer) = newer {
        record(command, &mut base, std::mem::take(&mut events))?;
        base = command.ground.base(newer, base.lock)?;
    }
    if !is_done {
        events.push(EventKind::TaskDone {
            task: task.clone(),
            attempts: attempt.number,
            // A person's look is no check.
            verdict: Verdict::Unverified,
            duration: Duration::ZERO,
        });
    }
    record(command, &mut base, events)?;
    let saved = base.git.checkpoint(&attempt.task)?;
    let mut events = vec![EventKind::CheckpointCreated {
        name: attempt.task.clone(),
        done: done_after(&base.loaded.events).len() as u32,
        reference: Some(saved.reference().to_owned()),
    }];
    let (ticked, problems) = tick(command, &base, &task);
    events.extend(ticked);
    record(command, &mut base, events)?;
    let mut lines = vec![format!("{name} is integrated: {}", count(files, "file"))];
    lines.extend(unchecked(command, &task, is_merged));
    lines.extend(problems);
    lines.push("`specter resume` goes on with what waited for it".to_owned());
    command.say(&lines.join("\n"))
}

/// The run whose attempt it is, and the newest one of the same task file if that is another.
fn runs(
    command: &Command<'_>,
    newest: Base,
    found: &Known,
    name: &str,
) -> Result<(Base, Option<RunId>), Error> {
    let ground = &command.ground;
    let run = RunId::parse(&found.json.run);
    let info = run.as_ref().map(|run| ground.store.info(run)).transpose()?.flatten();
    let (Some(run), Some(info)) = (run, info) else {
        return Err(Error::usage(format!(
            "{name} is of a run whose record is gone, {}",
            safe(&found.json.run)
        ))
        .hint(format!("bring back what it changed: `specter recover restore {name}`")));
    };
    let newer = ground.store.latest(Some(&info.file))?.filter(|newer| *newer != run);
    let base = if newest.run == run { newest } else { ground.base(run, newest.lock)? };
    Ok((base, newer))
}

fn check(is_done: bool, found: &Known, name: &str) -> Result<(), Error> {
    match found.json.state {
        // Integrated, and the process died before that was recorded.
        KeptState::Integrated if !is_done => Ok(()),
        KeptState::Review => Ok(()),
        state => Err(Error::usage(format!("{name} does not wait for review: {}", state.words()))
            .hint(format!("bring back what it changed: `specter recover restore {name}`"))),
    }
}

fn integrate(base: &mut Base, found: &Known, attempt: &Attempt) -> Result<Merge, Error> {
    if let Some(commit) = base.git.integrated(attempt)? {
        // The process died before it was recorded.
        let files = base.git.changes(&found.kept)?.iter().map(|file| words(&file.path)).collect();
        return Ok(Merge { commit: commit.to_string(), files, ..Merge::default() });
    }
    base.git.take_up()?;
    match base.git.accept(&found.kept)? {
        Outcome::Integrated(done) => Ok(driver::merge(done)),
        Outcome::Conflict(conflicts) => {
            let list: Vec<String> = conflicts
                .iter()
                .take(MAX_LISTED)
                .map(|conflict| format!("  {}", crate::fs::shown(&conflict.path)))
                .collect();
            let what = format!(
                "it contradicts what the project holds now; nothing was changed:\n{}",
                list.join("\n")
            );
            Err(Error::message(Kind::Preflight, what).hint(format!(
                "bring it into another directory and merge by hand: `specter recover restore {} --to DIR`",
                safe(&found.json.name)
            )))
        }
        Outcome::Nothing { .. } | Outcome::Review { .. } => {
            Err(Error::usage("it changed nothing that could be integrated"))
        }
    }
}

fn record(command: &Command<'_>, base: &mut Base, events: Vec<EventKind>) -> Result<(), Error> {
    let ground = &command.ground;
    let mut journal = ground.store.resume_run(&base.run, &base.loaded, &base.lock)?;
    append(&mut journal, &base.loaded.events, events, ground.clock.wall_ms())?;
    base.loaded = ground.store.load(&base.run)?;
    Ok(())
}

/// What a person has to look at: its checks ran before it was integrated, and not on what it has become.
fn unchecked(command: &Command<'_>, task: &TaskRef, is_merged: bool) -> Option<String> {
    let document = command.ground.document();
    let blocks = document.iter().flat_map(|document| &document.tasks).find(|known| known.id == task.id);
    let checks = blocks.map_or(0, |task| task.blocks_of(BlockKind::Verify).count()) as u64;
    match (is_merged, checks) {
        (false, _) => None,
        (true, 0) => {
            Some("it was merged with what came since: look at the result, nothing has checked it".to_owned())
        }
        (true, n) => Some(format!(
            "it was merged with what came since, and {} of {} did not run on the result: run {}",
            count(n, "verify block"),
            safe(task.id.as_str()),
            if n == 1 { "it" } else { "them" }
        )),
    }
}

/// The task's box, in the file of its run.
fn tick(command: &Command<'_>, base: &Base, task: &TaskRef) -> (Vec<EventKind>, Vec<String>) {
    let history = History::from_events(&base.loaded.events);
    let ground = &command.ground;
    let file = ground.target.project.join(history.info.map(|info| info.file).unwrap_or_default());
    let Ok(read) = super::stage::read_path(&file, &ground.target.name) else {
        return (
            Vec::new(),
            vec![format!("the box of {} is not ticked: its file cannot be read", safe(task.id.as_str()))],
        );
    };
    let ticks: Vec<Tick> =
        read.document.tasks.iter().filter(|known| known.id == task.id).map(Tick::of).collect();
    let told = Boxes::new(&file).tick(&ticks);
    let events = told.ticked.iter().map(|(_, line)| EventKind::BoxTicked { task: task.clone(), line: *line });
    let problems = told
        .pending
        .iter()
        .map(|(id, why)| format!("the box of {} is not ticked: {}", safe(id.as_str()), safe(why)));
    (events.collect(), problems.collect())
}
