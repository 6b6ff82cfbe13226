//! `.specter/implementation-context.md`: the plan as given: configuration, tasks, state, batches.

use super::markdown::{code, inline, push_inline};
use super::{progress, write_ids, write_ids_inline, write_task};
use crate::plan::{EdgeKind, LaneIx, Mode, Plan, Role};
use crate::summary::{Summary, TaskState};
use crate::task::{TaskId, TaskIx};
use crate::text::count;
use std::collections::HashMap;
use std::fmt::Write as _;

pub fn render(plan: &Plan, summary: &Summary) -> String {
    let mut out = String::from("# Implementation context\n\n");
    configuration(&mut out, plan, summary);
    batches(&mut out, plan, summary);
    tasks(&mut out, plan, summary);
    out
}

fn configuration(out: &mut String, plan: &Plan, summary: &Summary) {
    let info = &summary.info;
    let needs = plan.graph.edges().iter().filter(|edge| edge.kind == EdgeKind::Needs).count();
    let _ = writeln!(out, "## Configuration\n");
    for (name, value) in [
        ("Run", code(&info.run)),
        ("Feature", code(super::feature(&info.file))),
        ("Task file", code(&info.file)),
        ("Mode", inline(&info.mode)),
        ("Workers", summary.sessions.last().map_or(0, |session| session.jobs).to_string()),
        (
            "Selection",
            if info.selection.is_empty() { "everything".to_owned() } else { code(&info.selection.join(" ")) },
        ),
        ("Options", if info.options.is_empty() { "none".to_owned() } else { code(&info.options.join(" ")) }),
        (
            "Graph",
            format!("{}, {needs} of which block on failure", count(plan.graph.edge_count() as u64, "edge")),
        ),
        ("Progress", progress(summary)),
    ] {
        let _ = writeln!(out, "- {name}: {value}");
    }
}

fn tasks(out: &mut String, plan: &Plan, summary: &Summary) {
    let mut phase = None;
    let _ = writeln!(out, "\n## Tasks");
    for task in plan.task_ixs().filter(|task| plan.planned(*task).role != Role::Group) {
        let written = plan.task(task);
        if phase != Some(written.phase) {
            phase = Some(written.phase);
            let title = written.phase.and_then(|phase| plan.phases.get(phase.0 as usize));
            let _ = writeln!(
                out,
                "\n### {}\n",
                title.map_or("No phase".to_owned(), |phase| inline(&phase.title))
            );
        }
        write_task(out, plan, summary, task, "- ");
        out.push_str(" — ");
        push_state(out, summary, task);
        out.push('\n');
        detail(out, plan, task);
    }
}

fn push_state(out: &mut String, summary: &Summary, task: TaskIx) {
    let row = summary.row(task);
    match row.blocked_by().filter(|_| row.state == TaskState::Blocked) {
        Some(by) => {
            out.push_str("blocked by ");
            push_inline(out, summary.id(by).as_str());
        }
        None => out.push_str(row.state.as_str()),
    }
}

/// What the task waits for and which files it names.
fn detail(out: &mut String, plan: &Plan, task: TaskIx) {
    for (kind, word) in [(EdgeKind::Needs, "needs"), (EdgeKind::After, "after")] {
        let edges = plan.graph.before(task).iter().filter(|edge| edge.kind == kind);
        let ids: Vec<&str> = edges
            .clone()
            .filter_map(|edge| plan.graph.task(edge.from))
            .map(|task| plan.task(task).id.as_str())
            .collect();
        // A gate stands for as many tasks as a phase has: its reason says enough.
        let gate = edges.clone().find(|edge| plan.graph.is_gate(edge.from));
        if ids.is_empty() && gate.is_none() {
            continue;
        }
        let mut text = String::new();
        write_ids(&mut text, ids.iter().copied());
        if let Some(gate) = gate {
            let reason = format!("{:?}", gate.reason).to_lowercase();
            text.push_str(if ids.is_empty() { "" } else { ", " });
            let _ = write!(text, "all that stands before by {reason} (line {})", gate.line);
        }
        let _ = writeln!(out, "  - {word}: {}", inline(&text));
    }
    let files: Vec<String> = plan.task(task).files.iter().map(|file| code(&file.path)).collect();
    if !files.is_empty() {
        let _ = writeln!(out, "  - files: {}", files.join(", "));
    }
}

fn batches(out: &mut String, plan: &Plan, summary: &Summary) {
    let _ = writeln!(
        out,
        "\n## Batches\n\nWhat may run side by side, were all tasks equally long. A task starts as soon as what it \
         waits for is done; no batch waits for another.\n"
    );
    for (n, batch) in batches_of(plan).iter().enumerate() {
        let _ = write!(out, "{}. ", n + 1);
        write_ids_inline(out, batch.iter().map(|task| summary.id(*task)).map(TaskId::as_str));
        out.push('\n');
    }
}

/// The tasks to run in batches: by the number of tasks before them on their longest path, then by what the mode
/// lets overlap.
pub fn batches_of(plan: &Plan) -> Vec<Vec<TaskIx>> {
    let levels = levels(plan);
    let mut places: Vec<((u32, u32), TaskIx)> = Vec::new();
    let mut taken: HashMap<(u32, LaneIx), u32> = HashMap::new();
    for task in plan.runnable() {
        let level = levels[task.ix()];
        places.push(((level, slot(plan, task, level, &mut taken)), task));
    }
    places.sort_unstable();
    let mut batches: Vec<(u32, Vec<TaskIx>)> = places
        .chunk_by(|a, b| a.0 == b.0)
        .map(|batch| (batch[0].0.0, batch.iter().map(|(_, task)| *task).collect()))
        .collect();
    batches.sort_by_key(|(level, tasks)| (*level, tasks.first().copied()));
    batches.into_iter().map(|(_, tasks)| tasks).collect()
}

/// Which batch of its level a task joins: the first if it may overlap the others there, else one of its own.
fn slot(plan: &Plan, task: TaskIx, level: u32, taken: &mut HashMap<(u32, LaneIx), u32>) -> u32 {
    let parallel = plan.task(task).parallel;
    let lane = match plan.mode {
        Mode::Graph => return 0,
        Mode::Parallel | Mode::Stories if parallel => return 0,
        Mode::Stories => plan.planned(task).lanes.first().copied().unwrap_or(LaneIx(u32::MAX)),
        Mode::Parallel | Mode::Sequential => LaneIx(u32::MAX),
    };
    let n = taken.entry((level, lane)).or_insert(0);
    *n += 1;
    *n
}

/// Per node, the number of tasks to run before it on the longest path. In order of readiness, without recursion.
fn levels(plan: &Plan) -> Vec<u32> {
    let graph = &plan.graph;
    let count = graph.node_count().max(plan.tasks.len());
    let mut levels = vec![0u32; count];
    let mut unmet: Vec<u32> = vec![0; count];
    graph.edges().iter().for_each(|edge| unmet[edge.to.ix()] += 1);
    let mut ready: Vec<_> = (0..graph.node_count() as u32)
        .map(crate::plan::graph::NodeIx)
        .filter(|node| unmet[node.ix()] == 0)
        .collect();
    while let Some(node) = ready.pop() {
        let runs = graph.task(node).is_some_and(|task| plan.planned(task).role == Role::Run);
        let next = levels[node.ix()] + u32::from(runs);
        for edge in graph.after(node) {
            let to = edge.to.ix();
            levels[to] = levels[to].max(next);
            unmet[to] -= 1;
            if unmet[to] == 0 {
                ready.push(edge.to);
            }
        }
    }
    levels
}
