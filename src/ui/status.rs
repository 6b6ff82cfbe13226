//! The text of `specter status`: how a run stands, every task that is not simply done, and the counts.

use super::lines::outcome_words;
use super::sheet::Sheet;
use super::text::{duration, plural};
use super::theme::{Label, Screen, Sign};
use crate::event::{Counts, Question, RunOutcome};
use crate::plan::Plan;
use crate::summary::{Row, Stopped, Summary, TaskState};
use crate::task::TaskIx;
use std::fmt::Write as _;
use std::time::Duration;

/// Rows per state that are shown without `-v`.
const MAX_ROWS: usize = 40;

/// Whether the run goes on, as the lock tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Running,
    /// It ended in good order.
    Finished,
    /// It was stopped, or its process died.
    Interrupted,
}

impl Life {
    /// The name that programs read.
    pub fn as_str(self) -> &'static str {
        match self {
            Life::Running => "running",
            Life::Finished => "finished",
            Life::Interrupted => "interrupted",
        }
    }
}

/// `now` is milliseconds since the epoch.
pub fn status(screen: &Screen, plan: &Plan, summary: &Summary, life: Life, now: u64) -> String {
    let mut sheet = Sheet::new(screen);
    let counts = summary.counts();
    let label = match life {
        Life::Running => Label::Running,
        Life::Finished if counts.failed + counts.blocked == 0 => Label::Done,
        _ => Label::Warning,
    };
    sheet.line(format!(
        "run {} {}",
        crate::text::safe(&summary.info.run),
        screen.paint(label, life.as_str())
    ));
    sheet.words("  ", &plan.file);
    sheet.words("  ", &progress(counts));
    sheet.words("  ", &times(summary, life, now));
    let states = [
        (
            TaskState::Running,
            if life == Life::Running { "Running" } else { "Cut off, to run again on resume" },
        ),
        (TaskState::Waiting, "Waiting for the next attempt"),
        (TaskState::Parked, "Waiting for your answer"),
        (TaskState::Failed, "Failed"),
        (TaskState::Blocked, "Blocked"),
        (TaskState::Cancelled, "Stopped, open on resume"),
        (TaskState::Open, "Open"),
        (TaskState::Manual, "For a person"),
        (TaskState::Skipped, "Skipped"),
        (TaskState::Done, "Done"),
    ];
    for (state, heading) in states {
        if state != TaskState::Done || screen.verbose > 0 {
            section(&mut sheet, plan, summary, (state, heading), (life, now));
        }
    }
    sheet.done()
}

fn progress(counts: Counts) -> String {
    let settled = counts.done + counts.failed + counts.blocked + counts.skipped;
    let percent =
        if counts.selected == 0 { 100 } else { u64::from(settled) * 100 / u64::from(counts.selected) };
    let mut words = format!("{percent}%: {} of {} done", counts.done, counts.selected);
    let others = [
        (counts.failed, "failed"),
        (counts.blocked, "blocked"),
        (counts.parked, "waiting for an answer"),
        (counts.skipped, "skipped"),
        (counts.open + counts.cancelled, "open"),
        (counts.manual, "for a person"),
        (counts.done_before, "done before"),
    ];
    for (n, what) in others.into_iter().filter(|(n, _)| *n > 0) {
        let _ = write!(words, ", {n} {what}");
    }
    words
}

fn times(summary: &Summary, life: Life, now: u64) -> String {
    let session = summary.sessions.last();
    let running = session.filter(|_| life == Life::Running);
    let live =
        running.map_or(0, |session| now.saturating_sub(session.started).saturating_sub(session.length));
    let total = duration(Duration::from_millis(summary.duration_ms() + live));
    let sessions = plural(summary.sessions.len(), "session");
    let end = match (summary.outcome(), &summary.stopped) {
        (_, Some(Stopped::Signal(name))) => format!(", stopped by {name}"),
        (_, Some(Stopped::Budget { budget, limit })) => {
            format!(", stopped: {}", super::lines::budget_words(*budget, &crate::text::safe(limit)))
        }
        (_, Some(Stopped::RolledBack(to))) => format!(", rolled back to {}", crate::text::safe(to)),
        (_, Some(Stopped::Hook(what))) => format!(", no task was begun: {}", crate::text::safe(what)),
        (Some(RunOutcome::Interrupted { signal }), None) => format!(", stopped by signal {signal}"),
        (None, None) if life == Life::Interrupted => ", ended without a word".to_owned(),
        _ => String::new(),
    };
    format!("{total} in {sessions}{end}")
}

fn section(
    sheet: &mut Sheet<'_>,
    plan: &Plan,
    summary: &Summary,
    (state, heading): (TaskState, &str),
    (life, now): (Life, u64),
) {
    let rows: Vec<(TaskIx, &Row)> = summary.in_state(state).collect();
    if rows.is_empty() {
        return;
    }
    sheet.section(&format!("{heading} ({})", rows.len()));
    let most = if sheet.screen().verbose > 0 { usize::MAX } else { MAX_ROWS };
    let lead = format!("  {} ", sheet.screen().sign(sign(state)));
    for (task, row) in rows.iter().take(most) {
        let title = plan.tasks.get(task.ix()).map_or("", |task| task.title.as_str());
        let behind = if state == TaskState::Running && life != Life::Running {
            String::new()
        } else {
            behind(summary, row, now)
        };
        sheet.marked_task(&lead, label(state), summary.id(*task).as_str(), title, &behind);
        if let Some(asked) = summary.question(*task) {
            question(sheet, "      ", summary.id(*task).as_str(), asked);
        }
    }
    if rows.len() > most {
        sheet.words("  ", &format!("and {} more", rows.len() - most));
    }
}

/// What an agent asks, and how it is answered.
pub(super) fn question(sheet: &mut Sheet<'_>, indent: &str, id: &str, asked: &Question) {
    sheet.words(indent, &format!("asks: {}", asked.question));
    for option in &asked.options {
        sheet.words(&format!("{indent}  {} ", sheet.screen().sign(Sign::Bullet)), option);
    }
    if let Some(default) = &asked.default {
        sheet.words(indent, &format!("by itself it would take: {default}"));
    }
    sheet.command(&format!("{indent}answer with: "), &format!("specter answer {id} \"…\""));
}

/// What is worth saying behind the title.
fn behind(summary: &Summary, row: &Row, now: u64) -> String {
    let last = row.detail.as_deref().and_then(|detail| detail.attempts.last());
    match row.state {
        TaskState::Running => {
            let since = summary
                .sessions
                .last()
                .map_or(0, |session| session.started + row.running_since().unwrap_or(0));
            let took = duration(Duration::from_millis(now.saturating_sub(since)));
            if row.attempts > 1 { format!("{took} (attempt {})", row.attempts) } else { took }
        }
        TaskState::Failed | TaskState::Waiting => match (row.class, last) {
            (Some(class), Some(last)) => format!("{} ({})", outcome_words(&last.outcome), class.as_str()),
            (_, Some(last)) => outcome_words(&last.outcome),
            _ => String::new(),
        },
        TaskState::Blocked => row.blocked_by().map(|by| format!("by {}", summary.id(by))).unwrap_or_default(),
        TaskState::Done => duration(Duration::from_millis(row.busy_ms())),
        _ => String::new(),
    }
}

/// The sign of a state, shared by every list of tasks.
pub(super) fn sign(state: TaskState) -> Sign {
    match state {
        TaskState::Open | TaskState::Cancelled | TaskState::Group => Sign::Open,
        TaskState::Running => Sign::Running,
        TaskState::Waiting => Sign::Retry,
        TaskState::Done | TaskState::DoneBefore => Sign::Done,
        TaskState::Failed => Sign::Failed,
        TaskState::Blocked => Sign::Blocked,
        TaskState::Skipped | TaskState::LeftOut | TaskState::Removed => Sign::Skipped,
        TaskState::Manual | TaskState::Parked => Sign::Manual,
    }
}

fn label(state: TaskState) -> Label {
    match state {
        TaskState::Done => Label::Done,
        TaskState::Failed => Label::Failed,
        TaskState::Running => Label::Running,
        TaskState::Blocked | TaskState::Manual | TaskState::Parked => Label::Warning,
        TaskState::Waiting => Label::Waiting,
        _ => Label::Dim,
    }
}
