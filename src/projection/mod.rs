//! The files that tell people and their tools about a run: each a pure function of plan and events (SPEC 6.1).
//!
//! Knows formats and paths. Knows no clock and no disk: the driver folds events into a [`crate::summary::Summary`],
//! hands both to [`Projections`], and writes what [`Projections::due`] returns. Nothing here is the truth; a file
//! that is lost or behind is rendered again.

pub mod agents;
pub mod checkpoint;
pub mod context;
pub mod history;
pub mod json;
pub mod kept;
pub mod log;
pub mod markdown;
pub mod memory;
pub mod metrics;
mod place;
pub mod rollback_plan;
pub mod schema;
pub mod session;
pub mod speckit;
pub mod status;
pub mod time;

pub use place::{Content, Moment, Place, Projections, Section, Target, Write};

use crate::event::{BudgetKind, RunOutcome};
use crate::plan::Plan;
use crate::summary::{Row, Stopped, Summary, TaskState};
use crate::task::TaskIx;
use crate::text::{ESCAPES, MARKDOWN, Untrusted, count, needs};
use markdown::{push_inline, push_safe};
use std::fmt::Write as _;

/// Ids in a list within a line, and tasks in a list of a file that is rewritten while the run goes on.
const MAX_IDS: usize = 50;
const MAX_LISTED: usize = 200;

/// What the command to go on with is called.
const RESUME: &str = "specter resume";

/// What people call the feature that a task file belongs to: its directory, or its own name when it has none.
pub fn feature(file: &str) -> &str {
    let mut parts = file.rsplit(['/', '\\']).filter(|part| !matches!(*part, "" | "." | ".."));
    let name = parts.next().unwrap_or("tasks");
    parts.next().unwrap_or_else(|| name.rsplit_once('.').map_or(name, |(stem, _)| stem))
}

/// A task's title; nothing for one the file no longer has.
fn title(plan: &Plan, task: TaskIx) -> &str {
    plan.tasks.get(task.ix()).map_or("", |task| &task.title)
}

/// `- [x] T001 [P] [US1] Title` with what follows left to the caller.
fn write_task(out: &mut String, plan: &Plan, summary: &Summary, task: TaskIx, bullet: &str) {
    out.push_str(bullet);
    push_inline(out, summary.id(task).as_str());
    if let Some(written) = plan.tasks.get(task.ix()) {
        if written.parallel {
            out.push_str(" [P]");
        }
        for story in &written.stories {
            out.push_str(" [");
            push_inline(out, &story.0);
            out.push(']');
        }
        out.push(' ');
        push_inline(out, &written.title);
    }
}

/// At most `max` tasks as lines of their own, then how many are left out.
fn write_list(out: &mut String, tasks: &[TaskIx], max: usize, mut line: impl FnMut(&mut String, TaskIx)) {
    tasks.iter().take(max).for_each(|task| line(out, *task));
    if tasks.len() > max {
        let _ = writeln!(out, "- … and {} more", tasks.len() - max);
    }
}

fn write_ids<'a>(out: &mut String, ids: impl ExactSizeIterator<Item = &'a str>) {
    let more = ids.len().saturating_sub(MAX_IDS);
    for (n, id) in ids.take(MAX_IDS).enumerate() {
        out.push_str(if n == 0 { "" } else { ", " });
        push_safe(out, id);
    }
    if more > 0 {
        let _ = write!(out, " and {more} more");
    }
}

/// As [`write_ids`], as inline Markdown.
fn write_ids_inline<'a>(out: &mut String, ids: impl ExactSizeIterator<Item = &'a str>) {
    let start = out.len();
    write_ids(out, ids);
    // Mostly there is nothing to escape, and what was written stays.
    if needs(&out[start..]) & (ESCAPES | MARKDOWN) != 0 {
        let ids = out.split_off(start);
        push_inline(out, &ids);
    }
}

/// `T002, T003 and 4 more`, or `none`.
fn write_beside(out: &mut String, summary: &Summary, row: &Row) {
    for (n, task) in row.beside.names().enumerate() {
        out.push_str(if n == 0 { "" } else { ", " });
        push_safe(out, summary.id(task).as_str());
    }
    if row.beside.count() == 0 {
        out.push_str("none");
    } else if row.beside.more() > 0 {
        let _ = write!(out, " and {} more", row.beside.more());
    }
}

fn ids_in(summary: &Summary, state: TaskState) -> Vec<TaskIx> {
    if summary.tally(state) == 0 {
        return Vec::new(); // nothing to look for
    }
    summary.in_state(state).map(|(task, _)| task).collect()
}

/// Selected tasks that are still to be done.
fn still_open(summary: &Summary) -> Vec<TaskIx> {
    let open = |row: &Row| row.state.is_selected() && row.state != TaskState::Done;
    summary.rows().filter(|(_, row)| open(row)).map(|(task, _)| task).collect()
}

fn budget_word(budget: BudgetKind) -> &'static str {
    match budget {
        BudgetKind::Dispatches => "attempts",
        BudgetKind::Time => "time",
        BudgetKind::Cost => "cost",
        BudgetKind::Tokens => "tokens",
        BudgetKind::Disk => "disk",
        BudgetKind::Provider => "provider",
    }
}

fn outcome_words(outcome: RunOutcome) -> String {
    match outcome {
        RunOutcome::AllDone => "finished, all done".to_owned(),
        RunOutcome::SomeFailed => "finished, not all done".to_owned(),
        RunOutcome::Interrupted { signal } => format!("interrupted by signal {signal}"),
        RunOutcome::Stopped => "stopped by a limit".to_owned(),
    }
}

fn stopped_words(stopped: &Stopped) -> String {
    match stopped {
        Stopped::Signal(signal) => format!("interrupted by {}", Untrusted(signal)),
        Stopped::Budget { budget, limit } => {
            format!("budget of {} reached ({})", budget_word(*budget), Untrusted(limit))
        }
        Stopped::RolledBack(to) => format!("rolled back to {}", Untrusted(to)),
        Stopped::Hook(what) => Untrusted(what).to_string(),
    }
}

/// `6/15 tasks`
fn progress(summary: &Summary) -> String {
    let counts = summary.counts();
    format!("{}/{}", counts.done, count(counts.selected, "task"))
}

/// Why a failed task failed, in a few words: the last thing it said, else its class.
fn failure_line(row: &Row) -> String {
    let detail = row.detail.as_deref();
    let said = detail.map_or("", |detail| markdown::last_line(&detail.tail));
    if !said.is_empty() {
        return said.to_owned();
    }
    let outcome =
        detail.and_then(|detail| detail.attempts.last()).map(|attempt| log::outcome_words(&attempt.outcome));
    outcome.or_else(|| row.class.map(|class| class.as_str().to_owned())).unwrap_or_default()
}
