//! `.specter-state/current-session.md`: where the run stands, for a person and for tools that poll it.
//!
//! Rewritten often, so every list in it is bounded.

use super::markdown::{fenced, inline};
use super::time::{duration, rfc3339};
use super::{
    MAX_LISTED, RESUME, failure_line, ids_in, progress, still_open, stopped_words, write_list, write_task,
};
use crate::event::{RunOutcome, agents};
use crate::plan::Plan;
use crate::summary::{Summary, TaskState};
use crate::task::TaskIx;
use crate::text::count;
use std::collections::HashMap;
use std::fmt::Write as _;

/// Completed tasks that are listed, the last ones.
const MAX_DONE: usize = 50;
const TAIL_LINES: usize = 10;
/// What the text mostly has room in.
const TEXT: usize = 8192;

pub fn render(plan: &Plan, summary: &Summary) -> String {
    let mut out = String::with_capacity(TEXT);
    out.push_str("# Current session\n\n");
    head(&mut out, plan, summary);
    current(&mut out, plan, summary);
    failed(&mut out, plan, summary);
    blocked(&mut out, plan, summary);
    completed(&mut out, plan, summary);
    next(&mut out, plan, summary);
    ending(&mut out, plan, summary);
    out
}

/// `IN PROGRESS`, `COMPLETED`, `FAILED`, `INTERRUPTED`, `STOPPED`.
fn status(summary: &Summary) -> &'static str {
    match summary.outcome() {
        None => "IN PROGRESS",
        Some(RunOutcome::AllDone) => "COMPLETED",
        Some(RunOutcome::SomeFailed) => "FAILED",
        Some(RunOutcome::Interrupted { .. }) => "INTERRUPTED",
        Some(RunOutcome::Stopped) => "STOPPED",
    }
}

/// What runs; else what failed; else what comes next.
fn at_hand(summary: &Summary) -> Option<TaskIx> {
    summary
        .running()
        .first()
        .copied()
        .or_else(|| ids_in(summary, TaskState::Failed).first().copied())
        .or_else(|| still_open(summary).first().copied())
}

fn head(out: &mut String, plan: &Plan, summary: &Summary) {
    let mut current = String::new();
    match at_hand(summary) {
        Some(task) => write_task(&mut current, plan, summary, task, ""),
        None => current.push_str("none"),
    }
    let started = summary.sessions.first().map_or(0, |session| session.started);
    for (name, value) in [
        ("Current Task", current),
        ("Status", status(summary).to_owned()),
        ("Progress", progress(summary)),
        ("Run", inline(&summary.info.run)),
        ("File", inline(&summary.info.file)),
        ("Started", rfc3339(started)),
        ("Updated", rfc3339(summary.wall())),
        (
            "Duration",
            format!(
                "{} in {}",
                duration(summary.duration_ms()),
                count(summary.sessions.len() as u64, "session")
            ),
        ),
    ] {
        let _ = writeln!(out, "{name}: {value}");
    }
}

fn current(out: &mut String, plan: &Plan, summary: &Summary) {
    if summary.running().is_empty() {
        return;
    }
    out.push_str("\nRunning Tasks:\n");
    let started = summary.sessions.last().map_or(0, |session| session.started);
    write_list(out, summary.running(), MAX_LISTED, |out, task| {
        let row = summary.row(task);
        write_task(out, plan, summary, task, "- [ ] ");
        let since = rfc3339(started + row.running_since().unwrap_or(0));
        let _ = writeln!(out, " (worker {}, attempt {}, since {since})", row.worker, row.attempts);
    });
}

fn failed(out: &mut String, plan: &Plan, summary: &Summary) {
    let failed = ids_in(summary, TaskState::Failed);
    if failed.is_empty() {
        return;
    }
    out.push_str("\nFailed Tasks:\n");
    write_list(out, &failed, MAX_LISTED, |out, task| {
        let row = summary.row(task);
        write_task(out, plan, summary, task, "- [ ] ");
        let class = row.class.map_or("unknown", crate::event::FailureClass::as_str);
        let _ = write!(out, "\n  Error: {}\n  Class: {class}", inline(&failure_line(row)));
        if let Some(rule) = row.detail.as_deref().and_then(|detail| detail.rule.as_deref()) {
            let _ = write!(out, " ({})", inline(rule));
        }
        let _ = writeln!(out, "\n  Attempts: {}", row.attempts);
        if let Some(detail) = row.detail.as_deref().filter(|detail| !detail.tail.trim().is_empty()) {
            fenced(out, "  ", &detail.tail, TAIL_LINES);
        }
    });
}

fn blocked(out: &mut String, plan: &Plan, summary: &Summary) {
    let blocked = ids_in(summary, TaskState::Blocked);
    if blocked.is_empty() {
        return;
    }
    out.push_str("\nBlocked Tasks:\n");
    write_list(out, &blocked, MAX_LISTED, |out, task| {
        write_task(out, plan, summary, task, "- [ ] ");
        let by = summary.row(task).blocked_by().map(|by| inline(summary.id(by).as_str()));
        let _ = writeln!(out, " (blocked by {})", by.unwrap_or_default());
    });
}

fn completed(out: &mut String, plan: &Plan, summary: &Summary) {
    let done = summary.still_done(&summary.done_order);
    if done.is_empty() {
        return;
    }
    out.push_str("\nCompleted Tasks:\n");
    let before = done.len().saturating_sub(MAX_DONE);
    if before > 0 {
        let _ = writeln!(out, "- … {before} earlier");
    }
    for task in &done[before..] {
        write_task(out, plan, summary, *task, "- [x] ");
        out.push('\n');
    }
}

fn next(out: &mut String, plan: &Plan, summary: &Summary) {
    const WAITS: [TaskState; 4] =
        [TaskState::Open, TaskState::Waiting, TaskState::Cancelled, TaskState::Parked];
    let total: u32 = WAITS.iter().map(|state| summary.tally(*state)).sum();
    if total == 0 {
        return;
    }
    out.push_str("\nRemaining Tasks:\n");
    // Only as far as they are listed: there may be very many.
    let open = summary.rows().filter(|(_, row)| WAITS.contains(&row.state));
    for (task, _) in open.take(MAX_DONE) {
        write_task(out, plan, summary, task, "- [ ] ");
        out.push('\n');
    }
    if total as usize > MAX_DONE {
        let _ = writeln!(out, "- … and {} more", total as usize - MAX_DONE);
    }
}

/// What stands in the way and what to do about it.
fn ending(out: &mut String, plan: &Plan, summary: &Summary) {
    let blocker = blocker(plan, summary);
    let stopped = summary.stopped.as_ref().map(stopped_words);
    let action = match (summary.outcome(), &blocker) {
        (None, _) => "none; the run goes on. If it was killed, go on with",
        (Some(RunOutcome::AllDone), _) => {
            out.push_str("\nBlocker: none\nAction: none; all selected tasks are done\n");
            return;
        }
        (Some(_), Some(_)) => "fix what made it fail, then go on with",
        (Some(_), None) => "go on with",
    };
    let blocker = blocker.or(stopped).unwrap_or_else(|| "none".to_owned());
    let _ = write!(out, "\nBlocker: {blocker}\nAction: {action} `{RESUME}`\n");
}

/// The failed task that keeps most others from running.
fn blocker(plan: &Plan, summary: &Summary) -> Option<String> {
    let mut held: HashMap<TaskIx, u32> = HashMap::new();
    for task in ids_in(summary, TaskState::Blocked) {
        if let Some(by) = summary.row(task).blocked_by() {
            *held.entry(by).or_default() += 1;
        }
    }
    let parked = ids_in(summary, TaskState::Parked);
    let failed = ids_in(summary, TaskState::Failed).into_iter().chain(parked);
    let manual = held.keys().copied().filter(|task| summary.row(*task).state == TaskState::Manual);
    let worst =
        failed.chain(manual).max_by_key(|task| (held.get(task).copied().unwrap_or(0), u32::MAX - task.0))?;
    let mut text = String::new();
    write_task(&mut text, plan, summary, worst, "");
    let why = match summary.row(worst).state {
        TaskState::Manual => "waits for a person".to_owned(),
        TaskState::Parked => {
            let asked = summary.question(worst).map(agents::asked).unwrap_or_default();
            format!("waits for an answer (`specter answer {}`): {}", summary.id(worst), inline(&asked))
        }
        _ => inline(&failure_line(summary.row(worst))),
    };
    let blocks = held.get(&worst).map_or(String::new(), |n| format!(" (blocks {})", count(*n, "task")));
    Some(format!("{text}: {why}{blocks}"))
}
