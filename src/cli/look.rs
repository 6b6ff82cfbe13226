//! `why`, `status` and `log`: what the plan and the record of the last run tell. They only read.

use super::args::{Format, Global, Implement, Log, Status, Why};
use super::error::{Error, Kind};
use super::exit::Exit;
use super::out;
use super::plan::Planned;
use super::stage::{self, Stream};
use crate::clock::Clock;
use crate::event::{EventKind, providers};
use crate::fs;
use crate::history::History;
use crate::journal::{Loaded, RunId, Store};
use crate::plan::export::{EdgeJson, PlanJson};
use crate::plan::{Plan, Role};
use crate::policy::{Budgets, FailurePolicy, RetryPolicy};
use crate::projection::status;
use crate::schedule::{Limits, Scheduler, Session};
use crate::summary::Summary;
use crate::task::TaskIx;
use crate::text::{file_name, json_safe, nearest, safe};
use crate::ui;
use crate::ui::runs::RunLine;
use crate::ui::status::Life;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// The record of the last run of a file.
struct Record {
    run: RunId,
    loaded: Loaded,
    is_running: bool,
}

fn record(planned: &Planned) -> Result<Option<Record>, Error> {
    let Some(store) = &planned.store else { return Ok(None) };
    let Some(run) = store.latest(Some(&planned.target.name))? else { return Ok(None) };
    let loaded = store.load(&run)?;
    Ok(Some(Record { run, loaded, is_running: store.is_locked() }))
}

fn bare_plan(
    global: &Global,
    target: Option<std::path::PathBuf>,
    shape: super::args::Shape,
) -> Result<(Planned, Plan), Error> {
    let given = Implement { target, shape, ..Implement::default() };
    let mut planned = Planned::new(global, &given)?;
    match planned.plan.take() {
        Some(plan) => Ok((planned, plan)),
        None => {
            let screen = stage::screen(global, &planned.config, Stream::Err);
            stage::print_findings(&screen, &planned.file.source, &planned.findings);
            Err(Error::message(Kind::Input, "the task file has errors").hint("`specter check` lists them"))
        }
    }
}

// ── why ──────────────────────────────────────────────────────────────────────────────────────────────────────────

#[derive(Serialize)]
struct WhyJson {
    schema: u32,
    id: String,
    state: String,
    needs: Vec<EdgeJson>,
    after: Vec<EdgeJson>,
    needed_by: Vec<String>,
}

pub(super) fn why(global: &Global, given: &Why) -> Result<Exit, Error> {
    let (planned, plan) = bare_plan(global, given.target.clone(), given.shape.clone())?;
    let task = named(&plan, &given.task)?;
    let record = record(&planned)?;
    if given.format == Format::Json {
        out::json(&why_json(&planned, &plan, task))?;
        return Ok(Exit::Done);
    }
    let summary = record.as_ref().map(|record| Summary::of(&plan, &record.loaded.events));
    let obstacles = obstacles(&plan, record.as_ref(), task);
    let run_dir = record.as_ref().zip(planned.store.as_ref());
    let run_dir =
        run_dir.map(|(record, store)| stage::shown(&store.run_dir(&record.run), &planned.target.project));
    let known = ui::why::Known {
        summary: summary.as_ref(),
        obstacles: &obstacles,
        run_dir: run_dir.as_deref().unwrap_or_default(),
    };
    let screen = stage::screen(global, &planned.config, Stream::Out);
    out::text(&ui::why::why(&screen, &plan, task, known))?;
    Ok(Exit::Done)
}

fn named(plan: &Plan, id: &str) -> Result<TaskIx, Error> {
    plan.find(id).ok_or_else(|| {
        let near = nearest(id, plan.tasks.iter().map(|task| task.id.as_str()));
        Error::usage(format!("no task has the id `{}`", safe(id)))
            .maybe_hint(near.map(|near| format!("did you mean `{}`?", safe(near))))
    })
}

/// Why the task would not start next, were the run taken up now.
fn obstacles(plan: &Plan, record: Option<&Record>, task: TaskIx) -> Vec<String> {
    if plan.planned(task).role != Role::Run {
        return Vec::new();
    }
    let events = record.map(|record| record.loaded.events.as_slice()).unwrap_or_default();
    let history = History::from_events(events);
    let limits = Limits {
        jobs: history.info.as_ref().map_or(1, |info| info.jobs),
        retry: RetryPolicy::default(),
        failure: FailurePolicy::default(),
        budgets: Budgets::default(),
    };
    let plan = Arc::new(plan.clone());
    let scheduler = Scheduler::new(Arc::clone(&plan), limits, &history, Session::default());
    let obstacles = scheduler.explain(task).obstacles;
    // The run that goes on said so; whether it is still so, only that run knows.
    let waits_for = history.waits_for.clone().filter(|_| obstacles.is_empty());
    let waits = waits_for.map(|(scarce, text)| format!("waiting for {}: {}", scarce.words(), safe(&text)));
    // Which agent would do it is decided when it is run: a task of the shell has no provider, any other may.
    let held = history.holds().iter().filter(|_| !plan.task(task).has_run_block());
    let held = held.map(|(name, hold)| safe(&providers::held(name, hold.until, hold.told, hold.why)));
    let held: Vec<String> = held.collect();
    let words = obstacles.iter().map(|it| ui::why::obstacle_words(&plan, task, it, Duration::ZERO));
    waits.into_iter().chain(held).chain(words).collect()
}

fn why_json(planned: &Planned, plan: &Plan, task: TaskIx) -> WhyJson {
    let mut whole = PlanJson::new(plan, &planned.file.source, &planned.findings);
    let own = whole.tasks.swap_remove(task.ix());
    let needed_by = plan.needed_by(task).iter().map(|link| plan.task(link.task).id.to_string()).collect();
    WhyJson {
        schema: 1,
        id: own.id,
        state: serde_json::to_value(own.state)
            .ok()
            .and_then(|v| v.as_str().map(str::to_owned))
            .unwrap_or_default(),
        needs: own.needs,
        after: own.after,
        needed_by,
    }
}

// ── status ───────────────────────────────────────────────────────────────────────────────────────────────────────

/// How often `--watch` looks.
const WATCH: Duration = Duration::from_millis(500);

pub(super) fn status(global: &Global, given: &Status) -> Result<Exit, Error> {
    let mut shown = String::new();
    loop {
        let (planned, plan) = bare_plan(global, given.target.clone(), super::args::Shape::default())?;
        let Some(record) = record(&planned)? else {
            return Err(Error::message(Kind::Preflight, "there is no run of this file yet")
                .hint("`specter implement` starts one; `specter plan` shows what it would do"));
        };
        let text = status_text(global, given, &planned, &plan, &record);
        if text != shown {
            out::text(&text)?;
            shown = text;
        }
        if !given.watch || !record.is_running {
            return Ok(Exit::Done);
        }
        std::thread::sleep(WATCH);
    }
}

fn status_text(global: &Global, given: &Status, planned: &Planned, plan: &Plan, record: &Record) -> String {
    let summary = Summary::of(plan, &record.loaded.events);
    if given.format == Format::Json {
        return status::render(plan, &summary, record.is_running);
    }
    let life = match status::run_state(&summary, record.is_running) {
        status::RunState::Running => Life::Running,
        status::RunState::Finished => Life::Finished,
        status::RunState::Interrupted => Life::Interrupted,
    };
    let screen = stage::screen(global, &planned.config, Stream::Out);
    ui::status::status(&screen, plan, &summary, life, Clock::start().wall_ms())
}

// ── log ──────────────────────────────────────────────────────────────────────────────────────────────────────────

pub(super) fn log(global: &Global, given: &Log) -> Result<Exit, Error> {
    let (planned, plan) = bare_plan(global, given.target.clone(), super::args::Shape::default())?;
    let Some(record) = record(&planned)? else {
        out::text(&ui::runs::runs(&stage::screen(global, &planned.config, Stream::Out), &[]))?;
        return Ok(Exit::Done);
    };
    let store = planned.store.as_ref();
    match (&given.task, store) {
        (Some(task), Some(store)) => attempts(store, &record.run, &plan, task, given.attempt),
        _ if given.format == Format::Json => {
            let lines: Vec<String> = record.loaded.events.iter().map(json_line).collect();
            out::text(&lines.concat())?;
            Ok(Exit::Done)
        }
        _ => {
            let screen = stage::screen(global, &planned.config, Stream::Out);
            let runs = store.map(|store| run_lines(store, &plan)).transpose()?.unwrap_or_default();
            out::text(&format!(
                "{}\n{}",
                ui::runs::runs(&screen, &runs),
                ui::runs::log(&screen, &plan, &record.loaded.events)
            ))?;
            Ok(Exit::Done)
        }
    }
}

fn json_line(event: &crate::event::Event) -> String {
    let mut bytes = Vec::new();
    // Into memory: this cannot fail.
    let _ = event.write_json(&mut bytes);
    bytes.push(b'\n');
    json_safe(&String::from_utf8_lossy(&bytes)).into_owned()
}

/// The newest runs, newest first.
fn run_lines(store: &Store, plan: &Plan) -> Result<Vec<RunLine>, Error> {
    const NEWEST: usize = 10;
    let mut lines = Vec::new();
    for run in store.runs()?.into_iter().rev().take(NEWEST) {
        // A damaged journal of some old run must not hide the others.
        let Ok(loaded) = store.load(&run) else { continue };
        let Some(EventKind::RunStarted { info, started, .. }) = loaded.events.first().map(|e| &e.kind) else {
            continue;
        };
        let summary = Summary::of(plan, &loaded.events);
        lines.push(RunLine {
            run: info.run.clone(),
            file: info.file.clone(),
            started: *started,
            duration: Duration::from_millis(summary.duration_ms()),
            sessions: summary.sessions.len() as u32,
            counts: summary.counts(),
            outcome: summary.outcome(),
            is_running: lines.is_empty() && store.is_locked() && summary.outcome().is_none(),
        });
    }
    Ok(lines)
}

/// The output of a task's attempts, with control characters made visible.
fn attempts(store: &Store, run: &RunId, plan: &Plan, id: &str, only: Option<u32>) -> Result<Exit, Error> {
    let task = plan.task(named(plan, id)?);
    let dir = store.run_dir(run).join("tasks").join(file_name(task.id.as_str()));
    let mut found = false;
    for number in 1..=1000 {
        if only.is_some_and(|only| only != number) {
            continue;
        }
        let Ok(contents) = fs::read(&dir.join(format!("attempt-{number}.log")), 64 << 20) else { continue };
        found = true;
        out::text(&format!("== {} attempt {number}\n", safe(task.id.as_str())))?;
        for line in String::from_utf8_lossy(&contents.bytes).lines() {
            out::text(&format!("{}\n", safe(line)))?;
        }
    }
    if !found {
        out::text(&format!("{} printed nothing in run {run}\n", safe(task.id.as_str())))?;
    }
    Ok(Exit::Done)
}
