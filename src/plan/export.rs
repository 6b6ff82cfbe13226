//! The plan for programs (SPEC 11.5): names and shapes that must hold.
//!
//! Plain data; who prints it is not known here. Gates are expanded: an edge names tasks.

use super::explain::Link;
use super::observed::Sighting;
use super::{EdgeKind, Mode, Plan, Reason, files};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::source::SourceText;
use crate::task::{Ignored, State, Task, TaskIx};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;

/// Version of the shape; grows with each incompatible change.
pub const SCHEMA: u32 = 1;

/// `specter plan --format json`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlanJson {
    pub schema: u32,
    pub file: String,
    pub mode: &'static str,
    pub tasks: Vec<TaskJson>,
    pub ignored: Vec<IgnoredJson>,
    pub diagnostics: Vec<DiagnosticJson>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TaskJson {
    pub id: String,
    /// 1-based.
    pub line: u32,
    pub title: String,
    pub state: StateJson,
    pub parallel: bool,
    pub stories: Vec<String>,
    pub priority: Option<u8>,
    pub layer: Option<u8>,
    /// The phase's heading.
    pub phase: Option<String>,
    /// Id of the group the task is in.
    pub group: Option<String>,
    pub files: Vec<String>,
    pub work: WorkJson,
    /// What must be done before; the plan's own edges, not their closure.
    pub needs: Vec<EdgeJson>,
    /// What merely comes before.
    pub after: Vec<EdgeJson>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StateJson {
    Open,
    Done,
    Dropped,
    Unclear,
    Optional,
    Manual,
}

/// Who does it, as far as the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WorkJson {
    Run,
    Agent,
    None,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EdgeJson {
    pub id: String,
    pub reason: ReasonJson,
    pub line: u32,
    /// The lines of the two do not tell: one of them was seen to write a file in an earlier run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<ObservedJson>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ObservedJson {
    pub path: String,
    /// Who was seen to write it; the other one names it, where that is one alone.
    pub seen: Vec<SeenJson>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SeenJson {
    pub id: String,
    pub run: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReasonJson {
    Explicit,
    Field,
    Waves,
    Checkpoint,
    Phase,
    Lane,
    Layer,
    Tdd,
    Prose,
    File,
    Mode,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct IgnoredJson {
    pub line: u32,
    pub reason: String,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DiagnosticJson {
    pub code: &'static str,
    pub severity: SeverityJson,
    /// 1-based; absent where a finding has no place in the file.
    pub line: Option<u32>,
    /// 1-based, in characters.
    pub column: Option<u32>,
    pub message: String,
    pub help: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SeverityJson {
    Error,
    Warning,
}

impl PlanJson {
    /// `diagnostics` are those of parser and plan together.
    pub fn new(plan: &Plan, source: &SourceText, diagnostics: &[Diagnostic]) -> PlanJson {
        PlanJson {
            schema: SCHEMA,
            file: plan.file.clone(),
            mode: mode_name(plan.mode),
            tasks: plan.task_ixs().map(|task| task_json(plan, task)).collect(),
            ignored: ignored_json(&plan.ignored),
            diagnostics: diagnostics_json(source, diagnostics),
        }
    }

    /// What can be told of a file that makes no plan.
    pub fn without_plan(file: &str, mode: Mode, source: &SourceText, diagnostics: &[Diagnostic]) -> PlanJson {
        PlanJson {
            schema: SCHEMA,
            file: file.to_owned(),
            mode: mode_name(mode),
            tasks: Vec::new(),
            ignored: Vec::new(),
            diagnostics: diagnostics_json(source, diagnostics),
        }
    }
}

/// As typed: `--parallel=stories`.
pub fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Sequential => "sequential",
        Mode::Parallel => "parallel",
        Mode::Stories => "stories",
        Mode::Graph => "graph",
    }
}

fn task_json(plan: &Plan, ix: TaskIx) -> TaskJson {
    let task = plan.task(ix);
    let links = plan.waits_for(ix);
    let of = |kind: EdgeKind| {
        let own = links.iter().filter(|link| link.kind == kind);
        own.filter_map(|link| edge_json(plan, ix, link)).collect()
    };
    TaskJson {
        id: task.id.to_string(),
        line: task.line,
        title: task.title.to_string(),
        state: state_json(task.state),
        parallel: task.parallel,
        stories: task.stories.iter().map(|story| story.0.clone()).collect(),
        priority: task.priority,
        layer: task.more.layer,
        phase: task
            .phase
            .and_then(|phase| plan.phases.get(phase.0 as usize))
            .map(|phase| phase.title.clone()),
        group: task.group.map(|group| plan.task(group).id.to_string()),
        files: task.files.iter().map(files::shown).collect(),
        work: work_json(task),
        needs: of(EdgeKind::Needs),
        after: of(EdgeKind::After),
    }
}

/// That a group is made of its tasks is said by their `group`.
fn edge_json(plan: &Plan, then: TaskIx, link: &Link) -> Option<EdgeJson> {
    let reason = match link.reason {
        Reason::Explicit => ReasonJson::Explicit,
        Reason::Field => ReasonJson::Field,
        Reason::Waves => ReasonJson::Waves,
        Reason::Checkpoint => ReasonJson::Checkpoint,
        Reason::Phase => ReasonJson::Phase,
        Reason::Lane => ReasonJson::Lane,
        Reason::Layer => ReasonJson::Layer,
        Reason::Tdd => ReasonJson::Tdd,
        Reason::Prose => ReasonJson::Prose,
        Reason::File => ReasonJson::File,
        Reason::Mode => ReasonJson::Mode,
        Reason::Group => return None,
    };
    let sighting = plan.sighting(link.task, then).filter(|_| link.reason == Reason::File);
    Some(EdgeJson {
        id: plan.task(link.task).id.to_string(),
        reason,
        line: link.line,
        observed: sighting.map(|seen| observed_json(plan, seen)),
    })
}

fn observed_json(plan: &Plan, sighting: &Sighting) -> ObservedJson {
    let both = [(sighting.first, &sighting.by_first), (sighting.then, &sighting.by_then)];
    let seen = both
        .into_iter()
        .filter_map(|(task, run)| Some(SeenJson { id: plan.task(task).id.to_string(), run: run.clone()? }));
    ObservedJson { path: sighting.path.clone(), seen: seen.collect() }
}

fn state_json(state: State) -> StateJson {
    match state {
        State::Open => StateJson::Open,
        State::Done => StateJson::Done,
        State::Dropped => StateJson::Dropped,
        State::Unclear => StateJson::Unclear,
        State::Optional => StateJson::Optional,
        State::Manual => StateJson::Manual,
    }
}

fn work_json(task: &Task) -> WorkJson {
    match task {
        _ if task.has_run_block() => WorkJson::Run,
        _ if task.more.agent.is_some() => WorkJson::Agent,
        _ => WorkJson::None,
    }
}

pub fn ignored_json(ignored: &[Ignored]) -> Vec<IgnoredJson> {
    // The reason's name is the one serde gives it.
    let name = |ignored: &Ignored| match serde_json::to_value(ignored.reason) {
        Ok(serde_json::Value::String(name)) => Cow::Owned(name),
        _ => Cow::Borrowed("other"),
    };
    ignored.iter().map(|line| IgnoredJson { line: line.line, reason: name(line).into_owned() }).collect()
}

/// Findings as programs read them; also of a file that makes no plan.
pub fn diagnostics_json(source: &SourceText, diagnostics: &[Diagnostic]) -> Vec<DiagnosticJson> {
    let json = |diagnostic: &Diagnostic| {
        let start = diagnostic.span().map(|span| span.start);
        DiagnosticJson {
            code: Code::as_str(diagnostic.code),
            severity: match diagnostic.severity {
                Severity::Error => SeverityJson::Error,
                Severity::Warning => SeverityJson::Warning,
            },
            line: start.map(|start| source.line(start)),
            column: start.map(|start| source.column(start)),
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
        }
    };
    diagnostics.iter().map(json).collect()
}
