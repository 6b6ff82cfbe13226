//! `.specify/agents/context/implementation/`: what Spec Kit's companions read, where the project has `.specify/`.

use super::time::rfc3339;
use super::{ids_in, still_open, write_task};
use crate::plan::Plan;
use crate::summary::{PhaseFigures, Summary, TaskState};
use serde::Serialize;

/// `current-phase.json`
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are those its readers know")]
struct CurrentPhase<'a> {
    implementation_id: &'a str,
    /// The phase being worked on; null when none is left.
    current_phase: Option<&'a str>,
    phases_completed: Vec<&'a str>,
    phases_remaining: Vec<&'a str>,
    last_checkpoint: Option<String>,
}

/// `last_checkpoint`: wall time of the newest checkpoint, milliseconds since the epoch.
pub fn current_phase(plan: &Plan, summary: &Summary, last_checkpoint: Option<u64>) -> String {
    let phases = summary.phases(plan);
    let title = |figures: &PhaseFigures| {
        let phase = figures.phase.and_then(|phase| plan.phases.get(phase.0 as usize));
        phase.map_or("tasks", |phase| phase.title.as_str())
    };
    let is_done = |figures: &&PhaseFigures| figures.done == figures.tasks;
    let mut open: Vec<&str> = phases.iter().filter(|figures| !is_done(figures)).map(title).collect();
    let current = (!open.is_empty()).then(|| open.remove(0));
    super::json::text(&CurrentPhase {
        implementation_id: super::feature(&summary.info.file),
        current_phase: current,
        phases_completed: phases.iter().filter(is_done).map(title).collect(),
        phases_remaining: open,
        last_checkpoint: last_checkpoint.map(rfc3339),
    })
}

/// `completed-changes.md`
pub fn completed_changes(plan: &Plan, summary: &Summary) -> String {
    let mut out = String::from("# Completed changes\n\n");
    list(&mut out, plan, summary, &ids_in(summary, TaskState::Done), "- [x] ");
    out
}

/// `pending-changes.md`
pub fn pending_changes(plan: &Plan, summary: &Summary) -> String {
    let mut out = String::from("# Pending changes\n\n");
    list(&mut out, plan, summary, &still_open(summary), "- [ ] ");
    out
}

fn list(out: &mut String, plan: &Plan, summary: &Summary, tasks: &[crate::task::TaskIx], bullet: &str) {
    if tasks.is_empty() {
        out.push_str("none\n");
    }
    for task in tasks {
        write_task(out, plan, summary, *task, bullet);
        out.push('\n');
    }
}
