//! The text of `specter log`: the runs there are, and one run's events as lines with their times.

use super::lines::{Blocked, tell};
use super::sheet::Sheet;
use super::text::{duration, elide, pad, pad_left};
use super::theme::{Label, Screen, Sign};
use super::view::View;
use crate::event::{Counts, Event, EventKind, RunOutcome};
use crate::plan::Plan;
use std::time::Duration;

/// One run in the list.
#[derive(Clone, Debug)]
pub struct RunLine {
    pub run: String,
    pub file: String,
    /// Milliseconds since the epoch.
    pub started: u64,
    pub duration: Duration,
    pub sessions: u32,
    pub counts: Counts,
    /// None while it runs or after its process died.
    pub outcome: Option<RunOutcome>,
    pub is_running: bool,
}

/// The list, in the order given.
pub fn runs(screen: &Screen, runs: &[RunLine]) -> String {
    let mut sheet = Sheet::new(screen);
    if runs.is_empty() {
        sheet.line("no runs yet");
    }
    for run in runs {
        let (sign, label, words) = ending(run);
        let counts = format!("{}/{}", run.counts.done, run.counts.selected);
        let fixed = format!(
            "{}  {}  {}  {}",
            pad(&elide(&run.run, 28, ""), 20),
            stamp(run.started),
            pad_left(&counts, 7),
            pad_left(&duration(run.duration), 7),
        );
        let fixed = elide(&fixed, sheet.room(2), screen.sign(Sign::Ellipsis));
        let used = super::text::width(&fixed) + 2 + super::text::width(screen.sign(sign));
        let rest = elide(
            &format!("{words}  {}", run.file),
            screen.width.saturating_sub(used),
            screen.sign(Sign::Ellipsis),
        );
        let line =
            format!("{} {fixed} {}", screen.paint(label, screen.sign(sign)), screen.paint(Label::Dim, rest));
        sheet.line(line.trim_end());
    }
    sheet.done()
}

fn ending(run: &RunLine) -> (Sign, Label, String) {
    match run.outcome {
        _ if run.is_running => (Sign::Running, Label::Running, "running".to_owned()),
        Some(RunOutcome::AllDone) => (Sign::Done, Label::Done, "done".to_owned()),
        Some(RunOutcome::SomeFailed) => (
            Sign::Failed,
            Label::Failed,
            format!("{} failed, {} blocked", run.counts.failed, run.counts.blocked),
        ),
        Some(RunOutcome::Interrupted { .. }) => (Sign::Open, Label::Warning, "interrupted".to_owned()),
        Some(RunOutcome::Stopped) => (Sign::Open, Label::Warning, "stopped".to_owned()),
        None => (Sign::Open, Label::Warning, "died".to_owned()),
    }
}

/// `2026-01-31 14:20Z`
pub fn stamp(millis: u64) -> String {
    match jiff::Timestamp::from_millisecond(millis as i64) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%MZ").to_string(),
        Err(_) => "at an unknown time".to_owned(),
    }
}

/// Every event of a run that has something to tell, in order, behind the time since its session began.
pub fn log(screen: &Screen, plan: &Plan, events: &[Event]) -> String {
    const TIME: usize = 9;
    let inner = Screen {
        width: screen.width.saturating_sub(TIME + 1).max(1),
        verbose: screen.verbose.max(1),
        ..*screen
    };
    let mut view = View::new();
    let mut blocked = Blocked::default();
    let mut sheet = Sheet::new(screen);
    for event in events {
        view.apply(plan, event);
        let time = screen.paint(Label::Dim, pad_left(&duration(event.at), TIME)).to_string();
        let mut lines = Vec::new();
        if let EventKind::TaskBlocked { task, by } = &event.kind {
            lines.extend(blocked.add(&inner, plan, task, by));
        } else {
            lines.extend(blocked.take(&inner));
            lines.extend(session_line(&event.kind));
            lines.extend(tell(&inner, &view, plan, event).into_iter().flat_map(|told| told.lines));
        }
        for line in lines {
            sheet.line(format!("{time} {line}"));
        }
    }
    if let Some(line) = blocked.take(&inner) {
        sheet.line(format!("{} {line}", " ".repeat(TIME)));
    }
    sheet.done()
}

fn session_line(kind: &EventKind) -> Option<String> {
    match kind {
        EventKind::RunStarted { info, started, .. } => {
            let run = crate::text::safe(&info.run);
            Some(format!(
                "run {run} started {}, specter {}",
                stamp(*started),
                crate::text::safe(&info.version)
            ))
        }
        EventKind::RunResumed { session, started, .. } => {
            Some(format!("resumed {}, session {session}", stamp(*started)))
        }
        EventKind::RunFinished { outcome, counts, duration: took, .. } => {
            let how = match outcome {
                RunOutcome::AllDone => "all done".to_owned(),
                RunOutcome::SomeFailed => format!("{} failed, {} blocked", counts.failed, counts.blocked),
                RunOutcome::Interrupted { signal } => format!("interrupted by signal {signal}"),
                RunOutcome::Stopped => "stopped".to_owned(),
            };
            Some(format!(
                "finished: {how}, {} of {} done in {}",
                counts.done,
                counts.selected,
                duration(*took)
            ))
        }
        _ => None,
    }
}
