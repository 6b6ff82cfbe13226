//! The graph of a plan: nodes are tasks and gates, edges carry kind, reason and line.
//!
//! A *gate* is a node without work that stands for "all of those before all of these"; it keeps a barrier between
//! two phases of a thousand tasks at two thousand edges instead of a million. The only file that names petgraph.

use super::{EdgeKind, Reason};
use crate::task::TaskIx;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

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
    pub fn new(tasks: usize, nodes: usize, edges: impl AsRef<[Edge]>) -> Graph {
        let edges = strongest(nodes, edges.as_ref());
        let (after_rows, after_edges) = scatter(nodes, &edges, |edge| edge.from);
        let (before_rows, _) = scatter(nodes, &edges, |edge| edge.to);
        Graph { tasks: tasks as u32, nodes: nodes as u32, edges, before_rows, after_rows, after_edges }
    }

    pub fn node_count(&self) -> usize {
        self.nodes as usize
    }

    pub fn task_count(&self) -> usize {
        self.tasks as usize
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

/// Counting sort: row starts per node, and the edges' positions row by row. Linear where a comparison sort is not.
fn scatter(nodes: usize, edges: &[Edge], key: impl Fn(&Edge) -> NodeIx) -> (Vec<u32>, Vec<u32>) {
    let mut rows = vec![0u32; nodes + 1];
    for edge in edges {
        rows[key(edge).ix() + 1] += 1;
    }
    for node in 0..nodes {
        rows[node + 1] += rows[node];
    }
    let mut next = rows.clone();
    let mut places = vec![0u32; edges.len()];
    for (n, edge) in edges.iter().enumerate() {
        let slot = &mut next[key(edge).ix()];
        places[*slot as usize] = n as u32;
        *slot += 1;
    }
    (rows, places)
}

/// Sorted by `to`, then `from`; of several edges between two nodes only the strongest.
fn strongest(nodes: usize, edges: &[Edge]) -> Vec<Edge> {
    let (rows, places) = scatter(nodes, edges, |edge| edge.to);
    let mut sorted: Vec<Edge> = places.iter().map(|place| edges[*place as usize]).collect();
    for row in rows.windows(2) {
        sorted[row[0] as usize..row[1] as usize]
            .sort_unstable_by_key(|edge| (edge.from, edge.kind, edge.reason, edge.line));
    }
    sorted.dedup_by_key(|edge| (edge.to, edge.from));
    sorted
}

/// The sets of nodes that wait for one another, each ascending, in order of their first node.
///
/// Kosaraju's algorithm, because petgraph's Tarjan recurses and a long chain would overflow the stack.
pub(super) fn circles(graph: &Graph, among: &[NodeIx]) -> Vec<Vec<NodeIx>> {
    let mut position = vec![u32::MAX; graph.node_count()];
    for (n, node) in among.iter().enumerate() {
        position[node.ix()] = n as u32;
    }
    let mut part = DiGraph::<(), ()>::with_capacity(among.len(), among.len());
    for _ in among {
        part.add_node(());
    }
    for node in among {
        for edge in graph.before(*node) {
            if position[edge.from.ix()] != u32::MAX {
                let end = |node: NodeIx| NodeIndex::new(position[node.ix()] as usize);
                part.add_edge(end(edge.from), end(edge.to), ());
            }
        }
    }
    let mut circles: Vec<Vec<NodeIx>> = kosaraju_scc(&part)
        .into_iter()
        .filter(|nodes| nodes.len() > 1)
        .map(|nodes| {
            let mut nodes: Vec<NodeIx> = nodes.into_iter().map(|n| among[n.index()]).collect();
            nodes.sort_unstable();
            nodes
        })
        .collect();
    circles.sort_unstable();
    circles
}
