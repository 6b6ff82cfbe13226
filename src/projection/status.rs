//! The status of a run for programs (SPEC 11.5).

use super::log::verdict_word;
use super::schema::VERSION;
use crate::event::{Question, RunOutcome};
use crate::plan::Plan;
use crate::summary::{Row, Summary, TaskState};
use crate::task::TaskIx;
use schemars::JsonSchema;
use serde::Serialize;

/// Where a run stands.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "specter status")]
pub struct Status<'a> {
    /// Version of this format; fields are only ever added within one.
    pub schema: u32,
    /// Id of the run.
    pub run: &'a str,
    /// The task file, relative to the project.
    pub file: &'a str,
    pub state: RunState,
    /// Every task of the file but groups, in document order.
    pub tasks: Vec<TaskStatus<'a>>,
    pub counts: StatusCounts,
    /// Milliseconds over all sessions, the gaps between them not counted.
    pub duration_ms: u64,
    /// Sessions so far: 1, and one more for each resume.
    pub sessions: u32,
    /// Why the last session ended early, in words.
    pub stopped: Option<String>,
}

/// Whether a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    Running,
    /// Every selected task is settled: done, failed, blocked or skipped.
    Finished,
    /// Ended by a signal, a budget or a crash; `specter resume` takes it up.
    Interrupted,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct TaskStatus<'a> {
    pub id: &'a str,
    /// `open`, `running`, `waiting` (for its next attempt), `parked` (for an answer), `done`, `failed`, `blocked`, `skipped`, `cancelled`,
    /// `done-before` (ticked before the run), `left-out` (not selected), `manual` (for a person) or `removed`.
    pub state: &'static str,
    /// Attempts started, all sessions.
    pub attempts: u32,
    /// What the gates found; null unless done.
    pub verdict: Option<&'static str>,
    /// The task that keeps it from running.
    pub blocked_by: Option<&'a str>,
    /// What the agent of a parked task asks; `specter answer` answers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<&'a Question>,
}

/// Over the selected tasks.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StatusCounts {
    /// All of them: done + failed + blocked + skipped + cancelled + open + parked.
    pub selected: u32,
    pub done: u32,
    pub failed: u32,
    pub blocked: u32,
    pub skipped: u32,
    pub cancelled: u32,
    /// Neither settled nor cancelled; `running` is among them.
    pub open: u32,
    pub running: u32,
    /// Ticked before the run began.
    pub done_before: u32,
    /// Waiting for a person.
    pub manual: u32,
    /// Waiting for a person's answer.
    pub parked: u32,
}

/// `alive`: the process that holds the run's lock still runs.
pub fn run_state(summary: &Summary, alive: bool) -> RunState {
    match summary.outcome() {
        None if alive => RunState::Running,
        None | Some(RunOutcome::Interrupted { .. } | RunOutcome::Stopped) => RunState::Interrupted,
        Some(RunOutcome::AllDone | RunOutcome::SomeFailed) => RunState::Finished,
    }
}

pub fn render(plan: &Plan, summary: &Summary, alive: bool) -> String {
    super::json::text(&Status::of(plan, summary, alive))
}

pub fn schema() -> String {
    super::schema::text::<Status<'static>>()
}

impl<'a> Status<'a> {
    /// `plan` is only asked how many tasks the file has; rows past it are of tasks it no longer has.
    pub fn of(plan: &Plan, summary: &'a Summary, alive: bool) -> Status<'a> {
        let counts = summary.counts();
        let listed = |(task, row): &(TaskIx, &Row)| {
            row.state != TaskState::Group && (task.ix() < plan.tasks.len() || row.has_run())
        };
        Status {
            schema: VERSION,
            run: &summary.info.run,
            file: &summary.info.file,
            state: run_state(summary, alive),
            tasks: summary
                .rows()
                .filter(listed)
                .map(|(task, row)| TaskStatus::of(summary, task, row))
                .collect(),
            counts: StatusCounts {
                selected: counts.selected,
                done: counts.done,
                failed: counts.failed,
                blocked: counts.blocked,
                skipped: counts.skipped,
                cancelled: counts.cancelled,
                open: counts.open,
                running: summary.running().len() as u32,
                done_before: counts.done_before,
                manual: counts.manual,
                parked: counts.parked,
            },
            duration_ms: summary.duration_ms(),
            sessions: summary.sessions.len() as u32,
            stopped: summary.stopped.as_ref().map(super::stopped_words),
        }
    }
}

impl<'a> TaskStatus<'a> {
    fn of(summary: &'a Summary, task: TaskIx, row: &Row) -> TaskStatus<'a> {
        TaskStatus {
            id: summary.id(task).as_str(),
            state: row.state.as_str(),
            attempts: row.attempts,
            verdict: row.verdict.filter(|_| row.state == TaskState::Done).map(verdict_word),
            blocked_by: row.blocked_by().map(|by| summary.id(by).as_str()),
            question: summary.question(task),
        }
    }
}
