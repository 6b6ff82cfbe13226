//! What the plan does with each task: run it, take it as done, or leave it out; and whether what is run has all it needs.
//!
//! Knows the graph of `Needs`; adds no edge.

use super::findings::Findings;
use super::graph::{Graph, NodeIx};
use super::resolve::{Ends, Needs, listed};
use super::select::Chosen;
use super::{EdgeKind, LeftOut, Reason, Role, Selection};
use crate::diagnostic::{Code, Diagnostic};
use crate::task::{Document, NeedForm, State, TaskIx};
use crate::text::{count, safe};

/// The role each task has by its own state and the selection.
pub(super) fn roles(document: &Document, chosen: &Chosen, selection: &Selection) -> Vec<Role> {
    let role = |(n, task): (usize, &crate::task::Task)| {
        let run = if chosen.selected[n] { Role::Run } else { Role::LeftOut(LeftOut::NotSelected) };
        match task.state {
            _ if task.is_group => Role::Group,
            State::Done => Role::Done,
            State::Manual => Role::LeftOut(LeftOut::Manual),
            State::Unclear => Role::LeftOut(LeftOut::Unclear),
            State::Optional if !selection.include_optional && !chosen.named[n] => {
                Role::LeftOut(LeftOut::Optional)
            }
            State::Dropped if !chosen.named[n] => Role::LeftOut(LeftOut::Dropped),
            State::Open | State::Optional | State::Dropped => run,
        }
    };
    document.tasks.iter().enumerate().map(role).collect()
}

/// A task that is needed, open and not selected; by whom and why.
struct Missing {
    task: TaskIx,
    by: TaskIx,
    reason: Reason,
}

/// Takes in what selected tasks need, or says what is missing.
pub(super) fn close(
    document: &Document,
    graph: &Graph,
    roles: &mut [Role],
    selection: &Selection,
    found: &mut Findings,
) {
    let any_left = roles.contains(&Role::LeftOut(LeftOut::NotSelected));
    let missing = if any_left { missing(graph, roles) } else { Vec::new() };
    if selection.with_needs {
        for missing in &missing {
            roles[missing.task.ix()] = Role::Run;
        }
    } else if !missing.is_empty() {
        found.push(not_selected(document, &missing));
    }
    keep_groups_open(document, roles);
}

/// Backward along `Needs` from what is run, through all that settles by itself.
fn missing(graph: &Graph, roles: &[Role]) -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut seen = vec![false; graph.node_count()];
    let starts = (0..roles.len() as u32).map(TaskIx).filter(|task| roles[task.ix()] == Role::Run);
    for start in starts {
        let mut stack: Vec<(NodeIx, Reason)> = Vec::new();
        let push = |stack: &mut Vec<(NodeIx, Reason)>, node: NodeIx| {
            let needs = graph.before(node).iter().filter(|edge| edge.kind == EdgeKind::Needs);
            stack.extend(needs.map(|edge| (edge.from, edge.reason)));
        };
        push(&mut stack, start.into());
        while let Some((node, reason)) = stack.pop() {
            let role = graph.task(node).map(|task| roles[task.ix()]);
            if std::mem::replace(&mut seen[node.ix()], true)
                || matches!(role, Some(Role::Run | Role::LeftOut(LeftOut::Manual)))
            {
                continue;
            }
            if let (Some(task), Some(Role::LeftOut(LeftOut::NotSelected))) = (graph.task(node), role) {
                missing.push(Missing { task, by: start, reason });
            }
            push(&mut stack, node);
        }
    }
    missing.sort_unstable_by_key(|missing| missing.task);
    missing
}

fn not_selected(document: &Document, missing: &[Missing]) -> Diagnostic {
    const LABELS: usize = 5;
    let ids: Vec<&str> = missing.iter().map(|missing| document.task(missing.task).id.as_str()).collect();
    let verb = if missing.len() == 1 { "is" } else { "are" };
    let tasks = count(missing.len() as u64, "open task");
    let message = format!("{tasks} that {verb} not selected {verb} needed: {}", listed(&ids));
    let mut diagnostic = Diagnostic::error(Code::NotSelected, message);
    for missing in missing.iter().take(LABELS) {
        let by = safe(document.task(missing.by).id.as_str());
        let text = format!("`{by}` needs it{}", told(missing.reason));
        diagnostic = diagnostic.at(document.task(missing.task).id_span, text);
    }
    diagnostic.help("add `--with-needs` to run what is needed as well")
}

fn told(reason: Reason) -> &'static str {
    match reason {
        Reason::Phase => ": its phase comes before",
        Reason::Checkpoint => ": it comes before a checkpoint",
        Reason::Lane => ": it comes before in the same lane",
        Reason::Layer => ": it is of a lower layer",
        Reason::Tdd => ": its tests come first",
        _ => "",
    }
}

/// A group of which something open is left out is not finished by this plan.
fn keep_groups_open(document: &Document, roles: &mut [Role]) {
    for n in (0..document.tasks.len()).rev() {
        let Role::LeftOut(open @ (LeftOut::NotSelected | LeftOut::Unclear)) = roles[n] else { continue };
        if let Some(group) = document.tasks[n].group.filter(|group| group.ix() < n) {
            roles[group.ix()] = Role::LeftOut(open);
        }
    }
}

/// Explicit dependencies of what is run on tasks that are neither run nor done.
pub(super) fn unclear_needs(document: &Document, needs: &Needs, roles: &[Role], found: &mut Findings) {
    for need in &needs.list {
        let stated = matches!(need.form, NeedForm::Explicit | NeedForm::Field);
        // A range or a story means what there is of it, so only tasks named by id count.
        let (Ends::One(dependent), Ends::One(on), true) = (&need.dependent, &need.on, stated) else {
            continue;
        };
        let runs = roles[dependent.ix()] == Role::Run;
        if !runs || !matches!(roles[on.ix()], Role::LeftOut(_)) {
            continue;
        }
        let (id, other) = (safe(document.task(*dependent).id.as_str()), safe(document.task(*on).id.as_str()));
        let mark = document.task(*on).checkbox.as_ref().map_or("~", |checkbox| checkbox.mark.as_str());
        let (what, help) = match roles[on.ix()] {
            Role::LeftOut(LeftOut::Unclear) => (
                format!("whose mark `{}` says neither open nor done", safe(mark)),
                format!("decide with `--treat '{0}=open'` or `--treat '{0}=done'`", safe(mark)),
            ),
            Role::LeftOut(LeftOut::Dropped) => (
                "which is open but said to be dropped".to_owned(),
                format!("run it with `--only {other}`, or remove the dependency"),
            ),
            Role::LeftOut(LeftOut::Optional) => (
                "which is optional and not included".to_owned(),
                "add `--include-optional` to run it, or remove the dependency".to_owned(),
            ),
            _ => continue,
        };
        found.push(
            Diagnostic::error(Code::NeedsUnclear, format!("task `{id}` depends on `{other}`, {what}"))
                .at(need.span, "needed here")
                .at(document.task(*on).id_span, "neither run nor done")
                .help(help),
        );
    }
}
