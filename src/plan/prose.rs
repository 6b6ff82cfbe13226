//! Rule 7: orders told in sentences, taken in as long as they contradict nothing stronger.
//!
//! Knows the finished graph of the rules before it. What would close a circle is dropped and said.

use super::draft::{Cause, Draft};
use super::findings::Findings;
use super::graph::{Graph, NodeIx};
use super::order::Order;
use super::resolve::Need;
use super::{EdgeKind, ProseDeps, Reason};
use crate::diagnostic::{Code, Diagnostic};
use crate::task::{Document, NeedForm, TaskIx};
use crate::text::safe;
use std::collections::HashMap;

/// Nodes and edges looked at while deciding about orders that go backward, beside a multiple of the graph's size:
/// each such search is linear, and a file may tell any number of them.
const VISITS: usize = 1_000_000;
/// Pairs of two lists that are decided one by one; longer lists are taken or dropped as a whole.
const PAIRS: usize = 64;

pub(super) fn prose<'a>(
    draft: &mut Draft,
    document: &Document,
    needs: impl Iterator<Item = &'a Need>,
    how: ProseDeps,
    order: &Order,
    found: &mut Findings,
) {
    let kind = match how {
        ProseDeps::Ignore => return,
        ProseDeps::After => EdgeKind::After,
        ProseDeps::Needs => EdgeKind::Needs,
    };
    let mut needs = needs.filter(|need| need.form == NeedForm::Prose).peekable();
    if needs.peek().is_none() {
        return;
    }
    let graph = draft.graph();
    let budget = VISITS + 4 * (graph.node_count() + graph.edge_count());
    let mut prose = Prose {
        seen: vec![0; graph.node_count()],
        turn: 0,
        added: HashMap::new(),
        order: order.clone(),
        graph,
        budget,
        document,
    };
    for need in needs {
        let cause = Cause { kind, reason: Reason::Prose, line: need.line };
        prose.take(draft, need, cause, found);
    }
}

struct Prose<'a> {
    graph: Graph,
    /// What was taken in since `graph` was made; may lead to and from gates that it does not have.
    added: HashMap<NodeIx, Vec<NodeIx>>,
    /// A valid order of both.
    order: Order,
    /// What is left of the visits.
    budget: usize,
    seen: Vec<u32>,
    turn: u32,
    document: &'a Document,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Fits,
    Contradicts,
    TooCostly,
}

impl Prose<'_> {
    fn take(&mut self, draft: &mut Draft, need: &Need, cause: Cause, found: &mut Findings) {
        let (before, after) = (need.on.tasks(), self.leaves(need.dependent.tasks()));
        let mut worst = Verdict::Fits;
        let mut decide = |prose: &mut Self, before: &[TaskIx], after: &[TaskIx]| {
            let verdict = prose.take_all(draft, before, after, cause);
            worst = if verdict == Verdict::Fits { worst } else { verdict };
        };
        if before.len() * after.len() <= PAIRS {
            for (before, after) in before.iter().flat_map(|b| after.iter().map(move |a| (*b, *a))) {
                if before != after {
                    decide(self, &[before], &[after]);
                }
            }
        } else {
            decide(self, before, &after);
        }
        if worst != Verdict::Fits {
            found.push(self.dropped(need, worst));
        }
    }

    /// What a group waits for, what it holds waits for; a sentence about a group is about its parts.
    fn leaves(&self, tasks: &[TaskIx]) -> Vec<TaskIx> {
        let [only] = tasks else { return tasks.to_vec() };
        if !self.document.task(*only).is_group {
            return tasks.to_vec();
        }
        let mut inside = vec![*only];
        let rest = self.document.tasks.iter().enumerate().skip(only.ix() + 1);
        for (n, task) in rest {
            match task.group {
                Some(group) if inside.binary_search(&group).is_ok() => inside.push(TaskIx(n as u32)),
                _ => break,
            }
        }
        inside.retain(|task| !self.document.task(*task).is_group);
        inside
    }

    fn take_all(&mut self, draft: &mut Draft, before: &[TaskIx], after: &[TaskIx], cause: Cause) -> Verdict {
        let latest = before.iter().map(|task| self.order.rank(*task)).max();
        let earliest = after.iter().map(|task| self.order.rank(*task)).min();
        let (Some(latest), Some(earliest)) = (latest, earliest) else { return Verdict::Fits };
        let forward = latest < earliest;
        if !forward {
            let verdict = self.reaches(after, before, latest);
            if verdict != Verdict::Fits {
                return verdict;
            }
        }
        match (before, after) {
            ([_], _) | (_, [_]) => {
                for (before, after) in before.iter().flat_map(|b| after.iter().map(move |a| (*b, *a))) {
                    self.link(draft, before.into(), after.into(), cause);
                }
            }
            _ => {
                let gate = draft.gate();
                self.order.rank.push(latest);
                self.seen.push(0);
                for task in before {
                    self.link(draft, (*task).into(), gate, cause);
                }
                for task in after {
                    self.link(draft, gate, (*task).into(), cause);
                }
            }
        }
        if !forward {
            self.sort_again(draft);
        }
        Verdict::Fits
    }

    fn link(&mut self, draft: &mut Draft, from: NodeIx, to: NodeIx, cause: Cause) {
        draft.link(from, to, cause);
        self.added.entry(from).or_default().push(to);
    }

    /// An edge against the order asks for another order, which exists since the edge closes no circle.
    fn sort_again(&mut self, draft: &Draft) {
        let graph = draft.graph();
        self.budget = self.budget.saturating_sub(graph.node_count() + graph.edge_count());
        let groups = |task: TaskIx| self.document.task(task).is_group;
        if let Ok(order) = Order::smallest(&graph, |task| u64::from(task.0), groups) {
            (self.order, self.graph) = (order, graph);
            self.added.clear();
        }
    }

    /// Whether any of `from` leads to any of `to`, none of which stands behind `latest` in the order.
    fn reaches(&mut self, from: &[TaskIx], to: &[TaskIx], latest: u32) -> Verdict {
        self.turn += 1;
        let mut stack: Vec<NodeIx> = from.iter().map(|task| NodeIx::from(*task)).collect();
        while let Some(node) = stack.pop() {
            if self.seen[node.ix()] == self.turn || self.order.rank(node) > latest {
                continue;
            }
            self.seen[node.ix()] = self.turn;
            if self.graph.task(node).is_some_and(|task| to.binary_search(&task).is_ok()) {
                return Verdict::Contradicts;
            }
            let before = stack.len();
            if node.ix() < self.graph.node_count() {
                stack.extend(self.graph.after(node).map(|edge| edge.to));
            }
            stack.extend(self.added.get(&node).into_iter().flatten());
            let cost = 1 + stack.len() - before;
            let Some(left) = self.budget.checked_sub(cost) else { return Verdict::TooCostly };
            self.budget = left;
        }
        Verdict::Fits
    }

    fn dropped(&self, need: &Need, verdict: Verdict) -> Diagnostic {
        let name = |tasks: &[TaskIx]| match tasks {
            [only] => format!("`{}`", safe(self.document.task(*only).id.as_str())),
            tasks => format!("{} tasks", tasks.len()),
        };
        let (after, before) = (name(need.dependent.tasks()), name(need.on.tasks()));
        let why = match verdict {
            Verdict::TooCostly => "too many such orders to check them all",
            _ => "the rest of the plan says the reverse",
        };
        let message = format!("the order told here, {after} after {before}, is not used: {why}");
        Diagnostic::warning(Code::ProseDropped, message)
            .at(need.span, "told here")
            .help("state it as `(depends on …)` on the task if it must hold")
    }
}
