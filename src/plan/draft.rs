//! The graph while it is being built: a growing list of edges, gates on demand, and "all of those so far" as one node.
//!
//! Knows nodes and edges, not what tasks mean. Nothing here checks for circles: whoever adds edges sees to it.

use super::graph::{Edge, Graph, NodeIx};
use super::{EdgeKind, Reason};
use crate::task::TaskIx;

/// Why an edge is there, and the line that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) kind: EdgeKind,
    pub(super) reason: Reason,
    pub(super) line: u32,
}

impl Cause {
    pub(super) fn needs(reason: Reason, line: u32) -> Cause {
        Cause { kind: EdgeKind::Needs, reason, line }
    }

    pub(super) fn after(reason: Reason, line: u32) -> Cause {
        Cause { kind: EdgeKind::After, reason, line }
    }
}

/// A graph under construction.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    tasks: usize,
    nodes: usize,
    edges: Vec<Edge>,
}

impl Draft {
    pub(super) fn new(tasks: usize) -> Draft {
        Draft { tasks, nodes: tasks, edges: Vec::with_capacity(tasks * 3) }
    }

    /// A new gate: a node without work.
    pub(super) fn gate(&mut self) -> NodeIx {
        self.nodes += 1;
        NodeIx(self.nodes as u32 - 1)
    }

    /// `to` waits for `from`.
    pub(super) fn link(&mut self, from: impl Into<NodeIx>, to: impl Into<NodeIx>, cause: Cause) {
        let Cause { kind, reason, line } = cause;
        self.edges.push(Edge { from: from.into(), to: to.into(), kind, reason, line });
    }

    pub(super) fn graph(&self) -> Graph {
        Graph::new(self.tasks, self.nodes, &self.edges)
    }

    pub(super) fn finish(self) -> Graph {
        Graph::new(self.tasks, self.nodes, self.edges)
    }
}

/// All nodes added so far as one node to wait for. Asked again and again while it grows, it makes a chain of gates,
/// so that "each of those before each of these, as far as they come earlier" costs one edge per member and question.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    /// Not yet behind `gate`.
    fresh: Vec<NodeIx>,
    gate: Option<NodeIx>,
}

impl Pool {
    pub(super) fn add(&mut self, node: impl Into<NodeIx>) {
        self.fresh.push(node.into());
    }

    /// The node that stands for all members; `None` while there are none. A single member stands for itself.
    pub(super) fn node(&mut self, draft: &mut Draft, cause: Cause) -> Option<NodeIx> {
        match (self.gate, &self.fresh[..]) {
            (gate, []) => gate,
            (None, [only]) => Some(*only),
            _ => {
                let gate = draft.gate();
                for node in self.gate.into_iter().chain(self.fresh.drain(..)) {
                    draft.link(node, gate, cause);
                }
                self.gate = Some(gate);
                self.gate
            }
        }
    }
}

/// Pools in numbered slots, asked for "everything in the slots before this one": a Fenwick tree, so that a task is
/// added to a logarithm of pools and the answer joins a logarithm of them.
#[derive(Clone, Debug)]
pub(super) struct Prefix {
    pools: Vec<Pool>,
    /// Per slot the parts that were joined last and their gate.
    joined: Vec<Option<(Vec<NodeIx>, NodeIx)>>,
}

impl Prefix {
    pub(super) fn new(slots: usize) -> Prefix {
        Prefix { pools: vec![Pool::default(); slots], joined: vec![None; slots] }
    }

    pub(super) fn add(&mut self, slot: usize, node: impl Into<NodeIx> + Copy) {
        let mut n = slot + 1;
        while n <= self.pools.len() {
            self.pools[n - 1].add(node);
            n += n & n.wrapping_neg();
        }
    }

    /// The node that stands for all members of the slots before `slot`.
    pub(super) fn before(&mut self, slot: usize, draft: &mut Draft, cause: Cause) -> Option<NodeIx> {
        let mut parts = Vec::new();
        let mut n = slot;
        while n > 0 {
            parts.extend(self.pools[n - 1].node(draft, cause));
            n -= n & n.wrapping_neg();
        }
        if parts.len() <= 1 {
            return parts.pop();
        }
        if let Some((joined, gate)) = &self.joined[slot]
            && *joined == parts
        {
            return Some(*gate);
        }
        let gate = draft.gate();
        for part in &parts {
            draft.link(*part, gate, cause);
        }
        self.joined[slot] = Some((parts, gate));
        Some(gate)
    }
}

/// Tasks as nodes, where a slice of tasks is at hand.
pub(super) fn pool_of(tasks: impl IntoIterator<Item = TaskIx>) -> Pool {
    let mut pool = Pool::default();
    tasks.into_iter().for_each(|task| pool.add(task));
    pool
}
