//! Edges of a plan as people think of them: from task to task, gates looked through, with the reason in words.

use crate::plan::graph::{Edge, NodeIx};
use crate::plan::observed::Sighting;
use crate::plan::{EdgeKind, Plan, Reason};
use crate::task::{Task, TaskIx};
use crate::text::safe;
use std::collections::HashSet;

/// A task on the other side of one or more edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    pub task: TaskIx,
    pub kind: EdgeKind,
    pub reason: Reason,
    /// 1-based line that says so; 0 if none does.
    pub line: u32,
}

/// What `task` waits for, in document order. Gates are walked with a list, each once: linear in the edges met.
pub fn before(plan: &Plan, task: TaskIx) -> Vec<Link> {
    walk(plan, task, |node| plan.graph.before(node).iter().map(|edge| (edge.from, *edge)).collect())
}

/// What waits for `task`, in document order.
pub fn after(plan: &Plan, task: TaskIx) -> Vec<Link> {
    walk(plan, task, |node| plan.graph.after(node).map(|edge| (edge.to, *edge)).collect())
}

fn walk(plan: &Plan, task: TaskIx, step: impl Fn(NodeIx) -> Vec<(NodeIx, Edge)>) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    let mut seen: HashSet<(NodeIx, EdgeKind)> = HashSet::new();
    // The first edge is what is told; a later `After` weakens the whole way.
    let mut wave: Vec<(NodeIx, Option<Link>)> = vec![(task.into(), None)];
    while let Some((node, via)) = wave.pop() {
        for (next, edge) in step(node) {
            let first = via.unwrap_or(Link { task, kind: edge.kind, reason: edge.reason, line: edge.line });
            let link = Link { kind: first.kind.max(edge.kind), ..first };
            match plan.graph.task(next) {
                Some(task) => links.push(Link { task, ..link }),
                None if seen.insert((next, link.kind)) => wave.push((next, Some(link))),
                None => {}
            }
        }
    }
    links.sort_by_key(|link| (link.task, link.kind, link.reason));
    links.dedup_by_key(|link| link.task);
    links
}

/// Why `later` ("it") waits for `earlier`: `its phase comes after Phase 2: Foundational (line 30)`.
pub fn explain(plan: &Plan, earlier: TaskIx, later: TaskIx, reason: Reason, line: u32) -> String {
    let (first, second) = (plan.task(earlier), plan.task(later));
    let id = safe(first.id.as_str());
    if let Some(seen) = plan.sighting(earlier, later).filter(|_| reason == Reason::File) {
        return sighted(seen, &id, &safe(second.id.as_str()));
    }
    let words = match reason {
        Reason::Explicit => format!("its line names {id}"),
        Reason::Field => format!("its dependencies name {id}"),
        Reason::Waves => format!("{id} is in an earlier wave"),
        Reason::Checkpoint => "a checkpoint stands between them".to_owned(),
        Reason::Phase => match phase(plan, first) {
            Some(title) => format!("its phase comes after {title}"),
            None => "its phase comes later".to_owned(),
        },
        Reason::Lane => match lane(plan, earlier) {
            Some(name) => format!("{id} comes earlier in {name}"),
            None => format!("{id} comes earlier in the same lane"),
        },
        Reason::Layer => match (first.more.layer, second.more.layer) {
            (Some(low), Some(high)) => format!("layer L{high} comes after L{low}"),
            _ => format!("{id} is in a lower layer"),
        },
        Reason::Tdd => "tests come first in a story".to_owned(),
        Reason::Prose => "the text says so".to_owned(),
        Reason::File => match shared_file(first, second) {
            Some(path) => format!("both name `{path}`"),
            None => "both touch the same file".to_owned(),
        },
        Reason::Mode => "the mode runs them in file order".to_owned(),
        Reason::Group if first.is_group => format!("it waits for the group {id}"),
        Reason::Group => "a group is done when all in it are".to_owned(),
    };
    if line == 0 { words } else { format!("{words} (line {line})") }
}

/// What no line says has no line.
fn sighted(seen: &Sighting, first: &str, then: &str) -> String {
    let path = safe(&seen.path);
    match (seen.by_first.as_deref().map(safe), seen.by_then.as_deref().map(safe)) {
        (Some(a), Some(b)) if a == b => {
            format!("{first} and {then} were both seen to write `{path}` in run {a}")
        }
        (Some(a), Some(b)) => {
            format!("{first} was seen to write `{path}` in run {a}, {then} in run {b}")
        }
        (Some(run), None) => format!("{first} was seen to write `{path}` in run {run}, which {then} names"),
        (None, run) => {
            format!(
                "{then} was seen to write `{path}` in run {}, which {first} names",
                run.unwrap_or_default()
            )
        }
    }
}

fn phase(plan: &Plan, task: &Task) -> Option<String> {
    let phase = plan.phases.get(task.phase?.0 as usize)?;
    Some(safe(&phase.title))
}

fn lane(plan: &Plan, task: TaskIx) -> Option<String> {
    let lane = plan.planned(task).lanes.first()?;
    Some(safe(&plan.lanes.get(lane.0 as usize)?.name))
}

/// Tasks name few files: comparing each with each is cheap, and asked once per edge shown.
fn shared_file(first: &Task, second: &Task) -> Option<String> {
    let both = first.files.iter().find(|a| second.files.iter().any(|b| a.path == b.path));
    both.map(|file| safe(&file.path))
}
