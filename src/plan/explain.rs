//! What a task waits for and what waits for it, through gates, with reason and line: the data of `specter why`.
//!
//! Knows the plan; says nothing of a run.

use super::graph::{Edge, NodeIx};
use super::{EdgeKind, Plan, Reason};
use crate::task::TaskIx;
use std::collections::HashSet;

/// One end of an order between two tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    pub task: TaskIx,
    pub kind: EdgeKind,
    pub reason: Reason,
    /// 1-based line that says so.
    pub line: u32,
}

/// A task's place in the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// In file order; the plan's own edges, not what follows from them.
    pub waits_for: Vec<Link>,
    pub needed_by: Vec<Link>,
}

impl Plan {
    /// What the task waits for and what waits for it.
    pub fn place(&self, task: TaskIx) -> Place {
        Place { waits_for: self.waits_for(task), needed_by: self.needed_by(task) }
    }

    /// The tasks that `task` waits for, in file order.
    pub fn waits_for(&self, task: TaskIx) -> Vec<Link> {
        let edges = |node: NodeIx| self.graph.before(node).iter().map(|edge| (edge.from, edge)).collect();
        // Near the dependent the edge says why it waits; a group's gate only hands on what the group was told.
        self.links(task, edges, |near, far| if near.reason == Reason::Group { far } else { near })
    }

    /// The tasks that wait for `task`, in file order.
    pub fn needed_by(&self, task: TaskIx) -> Vec<Link> {
        let edges = |node: NodeIx| self.graph.after(node).map(|edge| (edge.to, edge)).collect();
        self.links(task, edges, |far, near| if near.reason == Reason::Group { far } else { near })
    }

    /// Follows edges through gates; `tell` picks of two edges in a row the one whose cause is told.
    fn links<'a>(
        &'a self,
        task: TaskIx,
        edges: impl Fn(NodeIx) -> Vec<(NodeIx, &'a Edge)>,
        tell: impl Fn(&'a Edge, &'a Edge) -> &'a Edge,
    ) -> Vec<Link> {
        let mut links = Vec::new();
        let mut seen: HashSet<(NodeIx, EdgeKind, Reason, u32)> = HashSet::new();
        let mut stack = edges(task.into());
        while let Some((node, edge)) = stack.pop() {
            match self.graph.task(node) {
                Some(task) => {
                    links.push(Link { task, kind: edge.kind, reason: edge.reason, line: edge.line });
                }
                None if seen.insert((node, edge.kind, edge.reason, edge.line)) => {
                    stack.extend(edges(node).into_iter().map(|(next, further)| (next, tell(edge, further))));
                }
                None => {}
            }
        }
        // The strongest of several between the same two.
        links.sort_unstable();
        links.dedup_by_key(|link| link.task);
        links
    }
}
