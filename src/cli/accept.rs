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
use crate::journal::{Loaded, Lock, RunId};
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
    let integrated =
        EventKind::Integrated { task: task.clone(), attempt: attempt.number, merge: Box::new(merge) };
    let done = (!is_done).then(|| EventKind::TaskDone {
        task: task.clone(),
        attempts: attempt.number,
        // A person's look is no check.
        verdict: Verdict::Unverified,
        duration: Duration::ZERO,
    });
    // A process that died may have come as far as that.
    let integrated = Some(integrated).filter(|_| !is_recorded(&base, &attempt));
    let problems = match newer {
        None => {
            record(command, &mut base, integrated.into_iter().chain(done).collect())?;
            save_and_tick(command, &mut base, &task)?
        }
        // First what keeps it from being done again: a process that dies in between leaves nothing open but a line in the
        // record of a run that is over, which whoever looks at that run makes up for.
        Some(newer) => {
            let Base { run, loaded, lock, .. } = base;
            let mut base = command.ground.base(newer, lock)?;
            record(command, &mut base, done.into_iter().collect())?;
            let problems = save_and_tick(command, &mut base, &task)?;
            add(command, (&run, &loaded, &base.lock), integrated.into_iter().collect())?;
            problems
        }
    };
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

/// That its work is part of the project is on record in its own run.
fn is_recorded(base: &Base, attempt: &Attempt) -> bool {
    base.loaded.events.iter().any(|event| match &event.kind {
        EventKind::Integrated { task, attempt: number, .. } => {
            task.id.as_str() == attempt.task && *number == attempt.number
        }
        _ => false,
    })
}

/// The task is done: the files are saved as they are now, and its box is ticked. What kept it from being ticked.
fn save_and_tick(command: &Command<'_>, base: &mut Base, task: &TaskRef) -> Result<Vec<String>, Error> {
    let saved = base.git.checkpoint(task.id.as_str())?;
    let mut events = vec![EventKind::CheckpointCreated {
        name: task.id.to_string(),
        done: done_after(&base.loaded.events).len() as u32,
        reference: Some(saved.reference().to_owned()),
    }];
    let (ticked, problems) = tick(command, base, task);
    events.extend(ticked);
    record(command, base, events)?;
    Ok(problems)
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
    add(command, (&base.run, &base.loaded, &base.lock), events)?;
    base.loaded = command.ground.store.load(&base.run)?;
    Ok(())
}

fn add(
    command: &Command<'_>,
    (run, loaded, lock): (&RunId, &Loaded, &Lock),
    events: Vec<EventKind>,
) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let ground = &command.ground;
    let mut journal = ground.store.resume_run(run, loaded, lock)?;
    append(&mut journal, &loaded.events, events, ground.clock.wall_ms())?;
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
