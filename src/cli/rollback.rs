//! `checkpoints` and `rollback`: what one can go back to, and going back.

use super::args::{Checkpoints, Format, Global, Implement, Rollback as Given};
use super::error::{Error, Kind};
use super::exit::Exit;
use super::ground::{Base, Ground, events_of, except, finish_rollback, no_run};
use super::plan::Planned;
use super::stage::{self, Stream};
use super::{hold, out};
use crate::driver;
use crate::driver::rollback::{self, Goal, Place, Preview, Rollback, RolledBack};
use crate::event::{Event, EventKind, Verdict};
use crate::git::{self, Git};
use crate::history::History;
use crate::history::checkpoints::{self, NotFound, Point, done_after};
use crate::journal::RunId;
use crate::projection::kept::{
    BoxJson, ChangeJson, CheckpointJson, CheckpointsJson, CommitJson, FileJson, RollbackJson, SavedJson,
};
use crate::projection::schema::VERSION;
use crate::projection::time::rfc3339;
use crate::task::{Phase, TaskId};
use crate::text::safe;
use crate::ui;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

// ── checkpoints ──────────────────────────────────────────────────────────────────────────────────────────────────

pub(super) fn list(global: &Global, given: &Checkpoints) -> Result<Exit, Error> {
    let ground = Ground::of_file(global, given.target.as_deref())?;
    let mut all = Vec::new();
    for run in ground.runs()? {
        let events = ground.store.load(&run)?.events;
        let git = ground.git(&run)?;
        // That boxes were ticked meanwhile is no change of files.
        let except = except(&ground.target, &ground.store, &git);
        all.extend(of_run(&git, &run, &events, &except)?);
    }
    let known = CheckpointsJson::new(all);
    if given.format == Format::Json {
        out::json(&known)?;
    } else {
        out::text(&ui::kept::checkpoints(&stage::screen(global, &ground.config, Stream::Out), &known))?;
    }
    Ok(Exit::Done)
}

fn of_run(
    git: &Git,
    run: &RunId,
    events: &[Event],
    except: &[PathBuf],
) -> Result<Vec<CheckpointJson>, Error> {
    let mut before = None;
    let mut list = Vec::new();
    for point in all_points(git, events)? {
        let commit = git.find(&point.reference)?;
        let files = match (before, commit) {
            (Some(before), Some(commit)) => Some(git.differing(before, commit, except)? as u64),
            _ => None,
        };
        // When the files were saved, rather than when that was recorded.
        let at =
            commit.map(|commit| git.made_at(commit)).transpose()?.map_or(point.at, |at| at as u64 * 1000);
        list.push(CheckpointJson {
            name: point.name,
            run: run.to_string(),
            at: rfc3339(at),
            done: point.done,
            files,
            reference: point.reference,
            commit: commit.map(|commit| commit.to_string()),
        });
        before = commit.or(before);
    }
    Ok(list)
}

/// The points of a run's record, and checkpoints that are in none: saved before single files were put back, or when
/// the process died before it was recorded.
fn all_points(git: &Git, events: &[Event]) -> Result<Vec<Point>, Error> {
    let mut points = checkpoints::points(events);
    let known: HashSet<&str> = points.iter().map(|point| point.reference.as_str()).collect();
    let others: Vec<git::Checkpoint> =
        git.checkpoints()?.into_iter().filter(|own| !known.contains(own.reference.as_str())).collect();
    let last = events.last().map_or(0, |event| event.seq);
    let done = done_after(events).len() as u32;
    points.extend(others.into_iter().map(|own| Point {
        name: own.name,
        reference: own.reference,
        seq: last,
        at: own.at as u64 * 1000,
        done,
    }));
    Ok(points)
}

// ── rollback ─────────────────────────────────────────────────────────────────────────────────────────────────────

pub(super) fn rollback(global: &Global, given: &Given) -> Result<Exit, Error> {
    let ground = Ground::of_file(global, given.target.as_deref())?;
    let run = ground.runs()?.pop().ok_or_else(no_run)?;
    let lock = ground.lock()?;
    let mut base = ground.base(run, lock)?;
    let command = Command { global, given, ground: &ground };
    if let Some((finished, done)) = finish_rollback(&ground, &mut base)? {
        let is_asked = checkpoints::find(&[point_of(&finished)], &command.phases(), &given.to).is_ok();
        if is_asked {
            return command.tell(&base, &finished, Done::Now(Vec::new(), done));
        }
        ground.say(&format!("a going back to {} that was cut off is finished", safe(&finished.to)));
    }
    let unverified = ground.config.tick == crate::config::Tick::Unverified;
    hold::repair(&ground.target, &base.loaded, unverified);
    command.go(base)
}

fn point_of(rollback: &Rollback) -> Point {
    Point { name: rollback.to.clone(), reference: String::new(), seq: 0, at: 0, done: 0 }
}

struct Command<'a> {
    global: &'a Global,
    given: &'a Given,
    ground: &'a Ground,
}

/// A point, with the runs of the file, oldest first, and the place of its own among them.
struct Found {
    place: usize,
    point: Point,
    runs: Vec<(RunId, Vec<Event>)>,
}

/// What is to be told of it.
enum Done {
    No(Preview),
    Now(Vec<FileJson>, RolledBack),
}

impl Command<'_> {
    fn phases(&self) -> Vec<Phase> {
        self.ground.document().map(|document| document.phases).unwrap_or_default()
    }

    fn go(&self, mut base: Base) -> Result<Exit, Error> {
        let ground = self.ground;
        let Found { place: place_of, point, runs } = self.find(&base)?;
        let now = done_after(events_of(&runs));
        let earlier = events_of(&runs[..place_of]);
        let of_its_run = runs[place_of].1.iter().take_while(|event| event.seq <= point.seq);
        let then = done_after(earlier.chain(of_its_run));
        let may_tick = ever_ticked(events_of(&runs));
        let goal = Goal {
            name: &point.name,
            reference: &point.reference,
            then: &then,
            now: &now,
            may_tick: &may_tick,
        };
        let except = except(&ground.target, &ground.store, &base.git);
        let place = Place {
            store: &ground.store,
            run: &base.run,
            lock: &base.lock,
            loaded: &base.loaded,
            task_file: &ground.target.file,
            except: &except,
            now_ms: ground.clock.wall_ms(),
        };
        let preview = rollback::preview(&mut base.git, &goal, &place)?;
        check_boxes(&preview)?;
        if self.given.dry_run {
            let rollback = preview.rollback.clone();
            return self.tell(&base, &rollback, Done::No(preview));
        }
        let Preview { rollback, files, cleared, ticked, .. } = preview;
        let is_there = files.is_empty() && cleared.is_empty() && ticked.is_empty();
        if is_there && rollback.reopened.is_empty() && rollback.done.is_empty() {
            ground.say(&format!("nothing to do: everything is as it was at {}", safe(&rollback.to)));
            return Ok(Exit::Done);
        }
        let done = rollback::begin(&mut base.git, &rollback, &place)?;
        base.loaded = ground.store.load(&base.run)?;
        self.rebuild(&base);
        self.tell(&base, &rollback, Done::Now(files.iter().map(file).collect(), done))
    }

    /// The newest point that is meant.
    fn find(&self, base: &Base) -> Result<Found, Error> {
        let phases = self.phases();
        let (wanted, mut runs) = (self.given.to.as_str(), self.ground.runs()?);
        // `RUN/NAME` means that run's.
        let (only, wanted) = match wanted.split_once('/') {
            Some((run, name)) if RunId::parse(run).is_some() => (RunId::parse(run), name),
            _ => (None, wanted),
        };
        let mut loaded: Vec<(RunId, Vec<Event>)> = Vec::new();
        let mut first_error = None;
        let mut found = None;
        while let Some(run) = runs.pop() {
            let events = if run == base.run {
                base.loaded.events.clone()
            } else {
                self.ground.store.load(&run)?.events
            };
            let is_looked_at = found.is_none() && only.as_ref().is_none_or(|only| *only == run);
            if is_looked_at {
                let points = all_points(&self.ground.git(&run)?, &events)?;
                match checkpoints::find(&points, &phases, wanted) {
                    Ok(point) => found = Some((run.clone(), point.clone())),
                    Err(error) => drop(first_error.get_or_insert(error)),
                }
            }
            loaded.push((run, events));
        }
        loaded.reverse();
        let Some((run, point)) = found else {
            return Err(not_found(&self.given.to, first_error.unwrap_or(NotFound::NoSuchName(None))));
        };
        let place = loaded.iter().position(|(own, _)| *own == run).unwrap_or(0);
        Ok(Found { place, point, runs: loaded })
    }

    /// Derived files follow at once; that one cannot be written is no failure of going back.
    fn rebuild(&self, base: &Base) {
        let ground = self.ground;
        let info = History::from_events(&base.loaded.events).info.unwrap_or_default();
        let mut options = Implement::from_options(&info.options).unwrap_or_default();
        options.target = Some(ground.target.file.clone());
        let Ok(Planned { plan: Some(plan), .. }) = Planned::new(self.global, &options) else { return };
        let problems = driver::rebuild(&ground.target.project, &ground.store, &plan, &base.loaded.events);
        problems.iter().for_each(|problem| ground.say(&format!("warning: {problem}")));
    }

    fn tell(&self, base: &Base, rollback: &Rollback, done: Done) -> Result<Exit, Error> {
        let boxes = |boxes: Vec<(TaskId, u32)>| {
            boxes.into_iter().map(|(task, line)| BoxJson { task: task.to_string(), line }).collect()
        };
        let dry_run = matches!(done, Done::No(_));
        let (files, cleared, ticked, kept, reference) = match done {
            Done::No(preview) => {
                let files = preview.files.iter().map(file).collect();
                let reference = base.git.checkpoint_reference(&rollback.save_as);
                (files, preview.cleared, preview.ticked, Vec::new(), reference)
            }
            Done::Now(files, done) => (files, done.cleared, done.ticked, done.kept, done.saved),
        };
        let ids = |ids: &[TaskId]| ids.iter().map(ToString::to_string).collect();
        let json = RollbackJson {
            schema: VERSION,
            to: rollback.to.clone(),
            run: base.run.to_string(),
            commit: rollback.commit.clone(),
            dry_run,
            saved: SavedJson { name: rollback.save_as.clone(), reference },
            files,
            cleared: boxes(cleared),
            ticked: boxes(ticked),
            reopened: ids(&rollback.reopened),
            done: ids(&rollback.done),
            kept: kept.iter().map(|path| words(path)).collect(),
            commits: self.commits(rollback)?,
        };
        if self.given.format == Format::Json {
            out::json(&json)?;
        } else {
            let screen = stage::screen(self.global, &self.ground.config, Stream::Out);
            out::text(&ui::kept::rollback(&screen, &json, &self.next(rollback)))?;
        }
        Ok(Exit::Done)
    }

    /// What `--commit` put on the user's branch of tasks that are open again. Only its owner moves a branch back.
    fn commits(&self, rollback: &Rollback) -> Result<Vec<CommitJson>, Error> {
        let mut commits = Vec::new();
        for run in self.ground.runs()? {
            for event in self.ground.store.load(&run)?.events {
                if let EventKind::Committed { branch, commit, tasks, tag } = event.kind
                    && tasks.iter().any(|task| rollback.reopened.contains(task))
                {
                    let tasks = tasks.iter().map(ToString::to_string).collect();
                    commits.push(CommitJson { branch, commit, tasks, tag });
                }
            }
        }
        Ok(commits)
    }

    /// The command that goes on.
    fn next(&self, rollback: &Rollback) -> String {
        let name = &self.ground.target.typed;
        let name = shlex::try_quote(name).map_or_else(|_| safe(name), |quoted| safe(&quoted));
        if rollback.reopened.is_empty() {
            format!("specter status {name}")
        } else {
            format!("specter resume {name}")
        }
    }
}

fn file((path, how): &(std::path::PathBuf, git::Changed)) -> FileJson {
    FileJson { path: words(path), change: change(*how), added: None, removed: None, ignored: false }
}

pub(super) fn change(how: git::Changed) -> ChangeJson {
    match how {
        git::Changed::Added => ChangeJson::Added,
        git::Changed::Changed => ChangeJson::Changed,
        git::Changed::Removed => ChangeJson::Removed,
    }
}

/// A path as JSON can hold it.
pub(super) fn words(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Tasks whose boxes were ticked at some time, or would have been.
fn ever_ticked<'a>(events: impl Iterator<Item = &'a Event>) -> HashSet<TaskId> {
    let mut ticked = HashSet::new();
    for event in events {
        match &event.kind {
            EventKind::BoxTicked { task, .. } => drop(ticked.insert(task.id.clone())),
            EventKind::TaskDone { task, verdict, attempts, .. }
                if *verdict == Verdict::Verified || *attempts == 0 =>
            {
                ticked.insert(task.id.clone());
            }
            EventKind::PlanChanged { ticked: by_hand, .. } => ticked.extend(by_hand.iter().cloned()),
            _ => {}
        }
    }
    ticked
}

fn check_boxes(preview: &Preview) -> Result<(), Error> {
    if preview.problems.is_empty() {
        return Ok(());
    }
    let each = preview.problems.iter().map(|(task, why)| format!("  {}: {why}", safe(task.as_str())));
    let list = each.take(20).collect::<Vec<_>>().join("\n");
    Err(Error::message(
        Kind::Input,
        format!("boxes cannot be changed for certain; nothing was done:\n{list}"),
    )
    .hint(
        "make each task's id the only one of its kind and its box `[x]`, or clear those boxes by hand first",
    ))
}

fn not_found(wanted: &str, why: NotFound) -> Error {
    let wanted = safe(wanted);
    let error = match why {
        NotFound::NoSuchPhase => {
            let phase = wanted.strip_prefix("phase:").unwrap_or(&wanted);
            Error::usage(format!("the file has no phase `{phase}`"))
        }
        NotFound::PhaseNotBegun(name) => {
            Error::usage(format!("there is no checkpoint `{}`: the phase has not begun", safe(&name)))
        }
        NotFound::NoSuchName(near) => Error::usage(format!("there is no checkpoint `{wanted}`"))
            .maybe_hint(near.map(|near| format!("did you mean `{}`?", safe(&near)))),
    };
    error.hint("`specter checkpoints` lists them all")
}
