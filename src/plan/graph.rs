//! The graph of a plan: nodes are tasks and gates, edges carry kind, reason and line.
//!
//! A *gate* is a node without work that stands for "all of those before all of these"; it keeps a barrier between
//! two phases of a thousand tasks at two thousand edges instead of a million. The only file that names petgraph.

use super::{EdgeKind, Reason};
use crate::task::TaskIx;

/// A task (`0..tasks`) or a gate (`tasks..nodes`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIx(pub u32);

impl NodeIx {
    pub fn ix(self) -> usize {
        self.0 as usize
    }
}

impl From<TaskIx> for NodeIx {
    fn from(task: TaskIx) -> NodeIx {
        NodeIx(task.0)
    }
}

/// `to` waits for `from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    pub from: NodeIx,
    pub to: NodeIx,
    pub kind: EdgeKind,
    pub reason: Reason,
    /// 1-based line that says so.
    pub line: u32,
}

/// An acyclic graph in compressed rows, both directions.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    tasks: u32,
    nodes: u32,
    edges: Vec<Edge>,
    /// `edges` sorted by `to`; row starts per node.
    before_rows: Vec<u32>,
    /// Indices into `edges`, sorted by `from`; row starts per node.
    after_rows: Vec<u32>,
    after_edges: Vec<u32>,
}

impl Graph {
    /// Rows from a list of edges. Keeps the strongest of several edges between the same two nodes.
    pub fn new(tasks: usize, nodes: usize, mut edges: Vec<Edge>) -> Graph {
        edges.sort_unstable_by_key(|edge| (edge.to, edge.from, edge.kind, edge.reason, edge.line));
        edges.dedup_by_key(|edge| (edge.to, edge.from));
        let mut by_from: Vec<u32> = (0..edges.len() as u32).collect();
        by_from.sort_by_key(|edge| edges[*edge as usize].from);
        let rows = |key: &dyn Fn(u32) -> NodeIx| {
            let mut rows = vec![0u32; nodes + 1];
            (0..edges.len() as u32).for_each(|edge| rows[key(edge).ix() + 1] += 1);
            (1..rows.len()).for_each(|n| rows[n] += rows[n - 1]);
            rows
        };
        Graph {
            tasks: tasks as u32,
            nodes: nodes as u32,
            before_rows: rows(&|edge| edges[edge as usize].to),
            after_rows: rows(&|edge| edges[edge as usize].from),
            after_edges: by_from,
            edges,
        }
    }

    pub fn node_count(&self) -> usize {
        self.nodes as usize
    }

    pub fn edge_count(&self) -> usize {
        self.edges.len()
    }

    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The task a node is, or `None` for a gate.
    pub fn task(&self, node: NodeIx) -> Option<TaskIx> {
        (node.0 < self.tasks).then_some(TaskIx(node.0))
    }

    /// Edges into `node`: what it waits for.
    pub fn before(&self, node: impl Into<NodeIx>) -> &[Edge] {
        let node = node.into().ix();
        &self.edges[self.before_rows[node] as usize..self.before_rows[node + 1] as usize]
    }

    /// Edges out of `node`: what waits for it.
    pub fn after(&self, node: impl Into<NodeIx>) -> impl Iterator<Item = &Edge> + '_ {
        let node = node.into().ix();
        let row = self.after_rows[node] as usize..self.after_rows[node + 1] as usize;
        self.after_edges[row].iter().map(|edge| &self.edges[*edge as usize])
    }

    /// Whether `node` is a gate.
    pub fn is_gate(&self, node: NodeIx) -> bool {
        node.0 >= self.tasks
    }
}
