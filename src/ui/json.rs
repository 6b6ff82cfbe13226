//! What `plan` and `status` tell programs (SPEC 11.5). Names and shapes hold; fields are only added.
//!
//! Edges are given from task to task, gates looked through: a barrier between two phases of a thousand tasks is told
//! as the million edges it stands for.

use super::diagnostics::{JsonDiagnostic, to_json};
use super::edges::{self, Link};
use super::status::Life;
use crate::diagnostic::Diagnostic;
use crate::event::{Counts, Verdict};
use crate::plan::{EdgeKind, Mode, Plan, Reason};
use crate::source::SourceText;
use crate::summary::Summary;
use crate::task::{IgnoredReason, State, Story, Task, TaskIx};
use serde::Serialize;

/// Version of both shapes.
pub const SCHEMA: u32 = 1;

#[derive(Debug, Serialize)]
pub struct PlanJson<'a> {
    pub schema: u32,
    pub file: &'a str,
    pub mode: Mode,
    pub tasks: Vec<TaskJson<'a>>,
    pub ignored: Vec<IgnoredJson>,
    pub diagnostics: Vec<JsonDiagnostic>,
}

#[derive(Debug, Serialize)]
pub struct TaskJson<'a> {
    pub id: &'a str,
    pub line: u32,
    pub title: &'a str,
    pub state: State,
    pub parallel: bool,
    pub stories: &'a [Story],
    pub priority: Option<u8>,
    pub layer: Option<u8>,
    pub phase: Option<&'a str>,
    pub group: Option<&'a str>,
    pub files: Vec<&'a str>,
    pub work: Work,
    pub needs: Vec<LinkJson<'a>>,
    pub after: Vec<LinkJson<'a>>,
}

/// What does the task's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    Run,
    Agent,
    None,
}

#[derive(Debug, Serialize)]
pub struct LinkJson<'a> {
    pub id: &'a str,
    pub reason: Reason,
    pub line: u32,
}

#[derive(Debug, Serialize)]
pub struct IgnoredJson {
    pub line: u32,
    pub reason: IgnoredReason,
}

/// The plan with what was found on the way.
pub fn plan_json<'a>(plan: &'a Plan, source: &SourceText, found: &[Diagnostic]) -> PlanJson<'a> {
    PlanJson {
        schema: SCHEMA,
        file: &plan.file,
        mode: plan.mode,
        tasks: plan.task_ixs().map(|task| task_json(plan, task)).collect(),
        ignored: plan
            .ignored
            .iter()
            .map(|line| IgnoredJson { line: line.line, reason: line.reason })
            .collect(),
        diagnostics: found.iter().map(|diagnostic| to_json(source, diagnostic)).collect(),
    }
}

fn task_json(plan: &Plan, ix: TaskIx) -> TaskJson<'_> {
    let task = plan.task(ix);
    let links = edges::before(plan, ix);
    let of = |kind| links.iter().filter(|link| link.kind == kind).map(|link| link_json(plan, link)).collect();
    TaskJson {
        id: task.id.as_str(),
        line: task.line,
        title: &task.title,
        state: task.state,
        parallel: task.parallel,
        stories: &task.stories,
        priority: task.priority,
        layer: task.layer,
        phase: task
            .phase
            .and_then(|phase| plan.phases.get(phase.0 as usize))
            .map(|phase| phase.title.as_str()),
        group: task.group.map(|group| plan.task(group).id.as_str()),
        files: task.files.iter().map(|file| file.pattern.as_deref().unwrap_or(&file.path)).collect(),
        work: work(task),
        needs: of(EdgeKind::Needs),
        after: of(EdgeKind::After),
    }
}

fn work(task: &Task) -> Work {
    match (task.has_run_block(), &task.agent) {
        (true, _) => Work::Run,
        (false, Some(_)) => Work::Agent,
        (false, None) => Work::None,
    }
}

fn link_json<'a>(plan: &'a Plan, link: &Link) -> LinkJson<'a> {
    LinkJson { id: plan.task(link.task).id.as_str(), reason: link.reason, line: link.line }
}

#[derive(Debug, Serialize)]
pub struct StatusJson<'a> {
    pub schema: u32,
    pub run: &'a str,
    /// `running`, `finished` or `interrupted`.
    pub state: &'static str,
    pub tasks: Vec<TaskStatusJson<'a>>,
    pub counts: Counts,
    pub sessions: usize,
    /// Over all sessions.
    pub duration_ms: u64,
}

#[derive(Debug, Serialize)]
pub struct TaskStatusJson<'a> {
    pub id: &'a str,
    pub state: &'static str,
    pub attempts: u32,
    pub verdict: Option<Verdict>,
    pub blocked_by: Option<&'a str>,
}

pub fn status_json(summary: &Summary, life: Life) -> StatusJson<'_> {
    let tasks = summary.rows().map(|(task, row)| TaskStatusJson {
        id: summary.id(task).as_str(),
        state: row.state.as_str(),
        attempts: row.attempts,
        verdict: row.verdict,
        blocked_by: row.blocked_by.map(|by| summary.id(by).as_str()),
    });
    StatusJson {
        schema: SCHEMA,
        run: &summary.info.run,
        state: life.as_str(),
        tasks: tasks.collect(),
        counts: summary.counts(),
        sessions: summary.sessions.len(),
        duration_ms: summary.duration_ms(),
    }
}
