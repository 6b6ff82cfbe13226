//! Orders of a graph: the one nearest to the document, the circles that leave none, and the longest remaining path.
//!
//! Knows nodes and edges only. Everything is iterative, so that a chain of any length fits the stack.

use super::graph::{Graph, NodeIx, circles};
use super::queue::Queue;
use super::{Plan, Role};
use crate::task::TaskIx;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::Duration;

/// A topological order of all nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    /// The tasks, groups included.
    pub(super) sequence: Vec<TaskIx>,
    /// Position per node.
    pub(super) rank: Vec<u32>,
}

impl Order {
    /// The smallest order by `key`: of all nodes that may come next the one with the least key does. Gates, and tasks
    /// of which `passes` says so, come as soon as they can, so that they hold nothing back.
    ///
    /// Adding edges that go forward in the smallest order leaves it the smallest, so it stays valid while rules add
    /// such edges. `Err` holds the nodes in circles and behind them.
    pub(super) fn smallest(
        graph: &Graph,
        key: impl Fn(TaskIx) -> u64,
        passes: impl Fn(TaskIx) -> bool,
    ) -> Result<Order, Vec<NodeIx>> {
        let mut unmet: Vec<u32> =
            (0..graph.node_count()).map(|n| graph.before(NodeIx(n as u32)).len() as u32).collect();
        let mut order = Order { sequence: Vec::new(), rank: vec![u32::MAX; graph.node_count()] };
        let ranks = Ranks::new(graph, key);
        let (mut at_once, mut waiting) = (Vec::new(), Queue::new(graph.task_count()));
        let mut place = 0;
        let ready = |node: NodeIx, at_once: &mut Vec<NodeIx>, waiting: &mut Queue| match graph.task(node) {
            Some(task) if !passes(task) => waiting.push(ranks.of(task)),
            _ => at_once.push(node),
        };
        for node in (0..graph.node_count() as u32).map(NodeIx).filter(|node| unmet[node.ix()] == 0) {
            ready(node, &mut at_once, &mut waiting);
        }
        let next = |waiting: &mut Queue| Some(ranks.task(waiting.pop()?).into());
        while let Some(node) = at_once.pop().or_else(|| next(&mut waiting)) {
            order.rank[node.ix()] = place;
            place += 1;
            order.sequence.extend(graph.task(node));
            for edge in graph.after(node) {
                unmet[edge.to.ix()] -= 1;
                if unmet[edge.to.ix()] == 0 {
                    ready(edge.to, &mut at_once, &mut waiting);
                }
            }
        }
        if place as usize == graph.node_count() {
            return Ok(order);
        }
        Err((0..graph.node_count() as u32).map(NodeIx).filter(|node| unmet[node.ix()] > 0).collect())
    }

    pub(super) fn rank(&self, node: impl Into<NodeIx>) -> u32 {
        self.rank[node.into().ix()]
    }
}

/// Tasks by key, and those with the same key by place.
struct Ranks {
    /// Tasks in order, and each one's place in it; None if that is the file's.
    order: Option<(Vec<TaskIx>, Vec<u32>)>,
}

impl Ranks {
    fn new(graph: &Graph, key: impl Fn(TaskIx) -> u64) -> Ranks {
        let tasks = || (0..graph.task_count() as u32).map(TaskIx);
        if tasks().is_sorted_by_key(&key) {
            return Ranks { order: None };
        }
        let mut order: Vec<TaskIx> = tasks().collect();
        order.sort_by_cached_key(|task| key(*task));
        let mut ranks = vec![0; order.len()];
        for (rank, task) in order.iter().enumerate() {
            ranks[task.ix()] = rank as u32;
        }
        Ranks { order: Some((order, ranks)) }
    }

    fn of(&self, task: TaskIx) -> u32 {
        self.order.as_ref().map_or(task.0, |(_, ranks)| ranks[task.ix()])
    }

    fn task(&self, rank: u32) -> TaskIx {
        self.order.as_ref().map_or(TaskIx(rank), |(order, _)| order[rank as usize])
    }
}

/// One shortest way around each circle among `stuck`: nodes such that each waits for the one before it, and the first
/// for the last.
pub(super) fn ways_around(graph: &Graph, stuck: &[NodeIx]) -> Vec<Vec<NodeIx>> {
    circles(graph, stuck).iter().map(|circle| way_around(graph, circle)).collect()
}

fn way_around(graph: &Graph, circle: &[NodeIx]) -> Vec<NodeIx> {
    let start = circle[0];
    let inside = |node: NodeIx| circle.binary_search(&node).is_ok();
    let mut came_from = vec![None; graph.node_count()];
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for edge in graph.after(node).filter(|edge| inside(edge.to)) {
            if edge.to == start {
                let mut way = vec![node];
                while let Some(before) = came_from[way[way.len() - 1].ix()] {
                    way.push(before);
                }
                way.reverse();
                return way;
            }
            if came_from[edge.to.ix()].is_none() {
                came_from[edge.to.ix()] = Some(node);
                queue.push_back(edge.to);
            }
        }
    }
    circle.to_vec()
}

/// Per node the longest way from its start to the end, where `weight` says how long a task takes.
pub(super) fn remaining(graph: &Graph, weight: impl Fn(TaskIx) -> Duration) -> Vec<Duration> {
    let nodes = graph.node_count();
    let mut unmet: Vec<u32> = vec![0; nodes];
    graph.edges().iter().for_each(|edge| unmet[edge.from.ix()] += 1);
    let mut stack: Vec<NodeIx> = (0..nodes as u32).map(NodeIx).filter(|node| unmet[node.ix()] == 0).collect();
    let mut longest = vec![Duration::ZERO; nodes];
    while let Some(node) = stack.pop() {
        let own = graph.task(node).map_or(Duration::ZERO, &weight);
        let total = longest[node.ix()].saturating_add(own);
        longest[node.ix()] = total;
        for edge in graph.before(node) {
            let before = &mut longest[edge.from.ix()];
            *before = (*before).max(total);
            unmet[edge.from.ix()] -= 1;
            if unmet[edge.from.ix()] == 0 {
                stack.push(edge.from);
            }
        }
    }
    longest
}

impl Plan {
    /// The runnable tasks on the longest path, in order (SPEC 3.4). Of equal paths the one first in the file.
    pub fn critical_path(&self) -> Vec<TaskIx> {
        let longest = remaining(&self.graph, |task| self.weight(task));
        let nodes = (0..self.graph.node_count() as u32).map(NodeIx);
        let best = |nodes: &mut dyn Iterator<Item = NodeIx>| {
            nodes.max_by_key(|node| (longest[node.ix()], Reverse(*node)))
        };
        let mut path = Vec::new();
        let mut at = best(&mut nodes.filter(|node| self.graph.before(*node).is_empty()));
        while let Some(node) = at {
            path.extend(self.graph.task(node).filter(|task| self.planned(*task).role == Role::Run));
            at = best(&mut self.graph.after(node).map(|edge| edge.to));
        }
        path
    }

    /// How long a task takes in this plan: nothing if it is not run.
    pub fn weight(&self, task: TaskIx) -> Duration {
        let planned = self.planned(task);
        if planned.role == Role::Run { planned.estimate.into() } else { Duration::ZERO }
    }
}
