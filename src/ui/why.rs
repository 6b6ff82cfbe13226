//! The text of `specter why T012`: how a task stands, what it waits for, what waits for it.

use super::edges::{self, Link, explain};
use super::lines::{outcome_words, tail, verdict_words};
use super::sheet::Sheet;
use super::text::{duration, plural, some_of};
use super::theme::{Label, Screen, Sign};
use crate::event::{Elapsed, providers};
use crate::plan::{EdgeKind, LeftOut, Plan, Role};
use crate::schedule::{Halt, Held, Obstacle};
use crate::summary::{Row, Summary, TaskState};
use crate::task::{State, TaskId, TaskIx};
use crate::text::safe;
use std::collections::HashMap;
use std::time::Duration;

/// Links told one by one; further ones are counted.
const MAX_LINKS: usize = 25;
/// Lines of output shown of a failure.
const TAIL_LINES: usize = 15;

/// What is known besides the plan.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Of the last run, if there was one.
    pub summary: Option<&'a Summary>,
    /// Why it has not started yet, from a run that goes on, in words.
    pub obstacles: &'a [String],
    /// Directory of the run, to find logs in.
    pub run_dir: &'a str,
}

pub fn why(screen: &Screen, plan: &Plan, task: TaskIx, known: Known<'_>) -> String {
    let mut sheet = Sheet::new(screen);
    let written = plan.task(task);
    sheet.marked_task("", Label::Id, written.id.as_str(), &written.title, "");
    let place = written.phase.and_then(|phase| plan.phases.get(phase.0 as usize));
    let place = place.map(|phase| format!(", {}", phase.title)).unwrap_or_default();
    sheet.words("  ", &format!("{} line {}{place}", plan.file, written.line));
    let record = Record::of(known.summary);
    standing(&mut sheet, plan, task, &record, known);
    links(&mut sheet, plan, "Waits for", &edges::before(plan, task), &record, |link| (link.task, task));
    links(&mut sheet, plan, "Waited for by", &edges::after(plan, task), &record, |link| (task, link.task));
    sheet.done()
}

/// What the last run recorded, by id: the plan may read differently now.
struct Record<'a> {
    summary: Option<&'a Summary>,
    by_id: HashMap<&'a TaskId, TaskIx>,
}

impl<'a> Record<'a> {
    fn of(summary: Option<&'a Summary>) -> Record<'a> {
        let rows =
            summary.into_iter().flat_map(|summary| summary.rows().map(|(task, _)| (summary.id(task), task)));
        Record { summary, by_id: rows.collect() }
    }

    fn row(&self, plan: &Plan, task: TaskIx) -> Option<(&'a Summary, &'a Row)> {
        let place = self.by_id.get(&plan.task(task).id)?;
        self.summary.map(|summary| (summary, summary.row(*place)))
    }

    fn state(&self, plan: &Plan, task: TaskIx) -> Option<TaskState> {
        self.row(plan, task).map(|(_, row)| row.state)
    }
}

fn standing(sheet: &mut Sheet<'_>, plan: &Plan, task: TaskIx, record: &Record<'_>, known: Known<'_>) {
    sheet.section("Stands");
    let found = record.row(plan, task);
    let has_record = |row: &Row| {
        let is_told = matches!(row.state, TaskState::DoneBefore | TaskState::Manual | TaskState::LeftOut);
        (row.has_run() && !is_told) || matches!(row.state, TaskState::Blocked | TaskState::Parked)
    };
    match found.filter(|(_, row)| has_record(row)) {
        Some((summary, row)) => {
            let place = record.by_id.get(&plan.task(task).id).copied().unwrap_or(task);
            recorded(sheet, plan, (place, row), summary, known.run_dir);
        }
        None => sheet.words("  ", role_words(plan, task)),
    }
    known.obstacles.iter().for_each(|words| sheet.words("  ", words));
}

/// What the plan alone says.
fn role_words(plan: &Plan, task: TaskIx) -> &'static str {
    match plan.planned(task).role {
        Role::Run => "not started yet",
        Role::Group => "a group: it runs nothing and is done when all in it are settled",
        Role::Done => "done: its box was ticked by hand or by another tool; specter holds no evidence for it",
        Role::LeftOut(LeftOut::NotSelected) => "not selected, so it is not run",
        Role::LeftOut(LeftOut::Optional) => "optional: run only with `--include-optional`",
        Role::LeftOut(LeftOut::Dropped) => {
            "its text says that it is dropped: run only if named with `--only`"
        }
        Role::LeftOut(LeftOut::Unclear) => "its mark is unclear: `--treat` says how to read it",
        Role::LeftOut(LeftOut::Manual) => "for a person: never run, never ticked; what needs it waits",
    }
}

/// What a run recorded.
fn recorded(
    sheet: &mut Sheet<'_>,
    plan: &Plan,
    (place, row): (TaskIx, &Row),
    summary: &Summary,
    run_dir: &str,
) {
    match row.state {
        TaskState::Done => done(sheet, row, summary),
        TaskState::Failed => failed(sheet, row, run_dir),
        TaskState::Blocked => {
            let by = row.blocked_by().map_or("another task".to_owned(), |by| describe(plan, summary, by));
            sheet.words("  ", &format!("blocked by {by}"));
        }
        TaskState::Parked => {
            if let Some(question) = summary.question(place) {
                super::status::question(sheet, "  ", summary.id(place).as_str(), question);
            }
        }
        TaskState::Running => {
            let executor = summary.executor(row).map(|name| format!(" by {name}")).unwrap_or_default();
            sheet.words("  ", &format!("running: attempt {}{executor}", row.attempts));
        }
        TaskState::Waiting => {
            sheet.words("  ", &format!("failed attempt {}, waits for the next one", row.attempts));
            failure(sheet, row, run_dir);
        }
        TaskState::Cancelled => sheet.words("  ", "was stopped with the run; open on resume"),
        TaskState::Open => sheet.words("  ", "open; an earlier attempt is on record"),
        other => sheet.words("  ", other.as_str()),
    }
}

/// The evidence for a tick.
fn done(sheet: &mut Sheet<'_>, row: &Row, summary: &Summary) {
    let attempts = if row.attempts > 1 { format!(" in {} attempts", row.attempts) } else { String::new() };
    let executor = summary.executor(row).map(|name| format!(" by {name}")).unwrap_or_default();
    sheet.words(
        "  ",
        &format!("done{executor} in {}{attempts}", duration(Duration::from_millis(row.busy_ms()))),
    );
    let verdict = row.verdict.map_or("unverified", verdict_words);
    let gates = match (row.gates.passed, row.gates.failed, row.gates.inconclusive) {
        (0, 0, 0) => "no check was there to prove it".to_owned(),
        (passed, 0, 0) => format!("{} passed", plural(passed.into(), "check")),
        (passed, failed, unclear) => {
            format!("checks: {passed} passed, {failed} failed, {unclear} inconclusive")
        }
    };
    sheet.words("  ", &format!("{verdict}: {gates}"));
    if row.by_fallback {
        sheet.words("  ", "by its fallback, not by its own work");
    }
}

fn failed(sheet: &mut Sheet<'_>, row: &Row, run_dir: &str) {
    sheet.words("  ", &format!("failed after {}", plural(row.attempts as usize, "attempt")));
    failure(sheet, row, run_dir);
}

fn failure(sheet: &mut Sheet<'_>, row: &Row, run_dir: &str) {
    let Some(detail) = row.detail.as_deref() else { return };
    if let Some(class) = row.class {
        let rule = detail.rule.as_deref().map(|rule| format!(": {rule}")).unwrap_or_default();
        sheet.words("  ", &format!("class {}{rule}", class.as_str()));
    }
    for attempt in &detail.attempts {
        let took = duration(Duration::from_millis(attempt.duration_ms));
        sheet.words(
            "    ",
            &format!("attempt {}: {} after {took}", attempt.number, outcome_words(&attempt.outcome)),
        );
    }
    for line in tail(sheet.screen(), &detail.tail, TAIL_LINES) {
        sheet.line(line);
    }
    if !detail.log.is_empty() {
        sheet.path("    log ", &format!("{run_dir}/{}", detail.log));
    }
}

fn describe(plan: &Plan, summary: &Summary, task: TaskIx) -> String {
    let title = plan.tasks.get(task.ix()).map_or("", |task| task.title.as_str());
    format!("{} {}", summary.id(task), safe(title))
}

/// One line a link and why below it; what is open first, because that is what is asked for.
fn links(
    sheet: &mut Sheet<'_>,
    plan: &Plan,
    heading: &str,
    links: &[Link],
    record: &Record<'_>,
    ends: impl Fn(&Link) -> (TaskIx, TaskIx),
) {
    sheet.section(heading);
    if links.is_empty() {
        sheet.line("  nothing");
        return;
    }
    let screen = sheet.screen();
    let is_done = |link: &Link| {
        plan.planned(link.task).role == Role::Done || record.state(plan, link.task) == Some(TaskState::Done)
    };
    let mut sorted: Vec<&Link> = links.iter().collect();
    sorted.sort_by_key(|link| (is_done(link), link.task));
    for link in sorted.iter().take(MAX_LINKS) {
        let task = plan.task(link.task);
        let sign = sign(record, plan, link.task);
        sheet.marked_task(
            &format!("  {} ", screen.sign(sign)),
            Label::Dim,
            task.id.as_str(),
            &task.title,
            "",
        );
        let (earlier, later) = ends(link);
        let order = if link.kind == EdgeKind::After { "order only: " } else { "" };
        sheet.words("      ", &format!("{order}{}", explain(plan, earlier, later, link.reason, link.line)));
    }
    if sorted.len() > MAX_LINKS {
        sheet.words("  ", &format!("and {}", plural(sorted.len() - MAX_LINKS, "more task")));
    }
}

fn sign(record: &Record<'_>, plan: &Plan, task: TaskIx) -> Sign {
    match record.state(plan, task) {
        Some(state) => super::status::sign(state),
        None => match plan.task(task).state {
            State::Done => Sign::Done,
            State::Manual => Sign::Manual,
            State::Unclear => Sign::Unclear,
            State::Dropped | State::Optional => Sign::Skipped,
            State::Open => Sign::Open,
        },
    }
}

/// An obstacle in words, for [`Known::obstacles`]. `now` is the run's own time.
pub fn obstacle_words(plan: &Plan, task: TaskIx, obstacle: &Obstacle, now: Elapsed) -> String {
    let id = |task: &TaskIx| plan.task(*task).id.to_string();
    match obstacle {
        Obstacle::Waits { on, edge } => {
            format!("waits for {}: {}", id(on), explain(plan, *on, task, edge.reason, edge.line))
        }
        Obstacle::BlockedBy(by) => format!("blocked by {}", id(by)),
        Obstacle::Held { by } => {
            format!("the file was edited: {} comes after it now but already runs", id(by))
        }
        Obstacle::Contested { path, with } => {
            format!("{} runs and works on `{}`, over which attempts were at odds", id(with), safe(path))
        }
        Obstacle::Overlap { with } => {
            let ids: Vec<String> = with.iter().map(id).collect();
            format!("the mode does not let it run beside {}", some_of(&ids, 5))
        }
        Obstacle::GivesWay { to } => format!("gives way to {}, which must run alone", id(to)),
        Obstacle::Scarce(scarce) => format!("waiting for {}", scarce.words()),
        Obstacle::Provider { name, why } => safe(&match why {
            Held::Until(until, why) => providers::held(name, *until, true, *why),
            Held::Probed => {
                format!("provider {name} was at a limit: one attempt goes ahead to see whether it answers")
            }
            Held::Full(room) => {
                format!("provider {name} lets {} run side by side", plural(*room as usize, "attempt"))
            }
        }),
        Obstacle::NoFreeWorker { jobs, ahead } => {
            let busy = if *jobs == 1 {
                "the only worker is busy".to_owned()
            } else {
                format!("all {jobs} workers are busy")
            };
            match ahead {
                0 => busy,
                n => format!("{busy}; {} ahead of it", plural(*n as usize, "ready task")),
            }
        }
        Obstacle::RemovedTaskRuns => "a task that was removed from the file still runs".to_owned(),
        Obstacle::BackingOff { until } => {
            format!("waits {} for its next attempt", duration(until.saturating_sub(now)))
        }
        Obstacle::Halted(Halt::FailFast) => "a task failed and `--fail-fast` was given".to_owned(),
        Obstacle::Halted(Halt::Budget(_)) => "a budget is used up: nothing more is started".to_owned(),
        Obstacle::Halted(Halt::Interrupted { .. }) => "the run is being stopped".to_owned(),
    }
}
