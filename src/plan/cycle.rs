//! Says how tasks wait for one another in a circle: the whole way, each step with the line that asks for it.
//!
//! Knows the graph of explicit dependencies and the document they stand in.

use super::Reason;
use super::graph::{Edge, Graph, NodeIx};
use super::names::Names;
use super::order::ways_around;
use super::resolve::Needs;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::task::{Document, TaskIx};
use crate::text::safe;

/// Steps shown with their own line.
const STEPS: usize = 12;
/// Circles shown.
const CIRCLES: usize = 20;

/// One error per circle.
pub(super) fn cycles(
    document: &Document,
    names: &Names<'_>,
    needs: &Needs,
    graph: &Graph,
    stuck: &[NodeIx],
) -> Vec<Diagnostic> {
    let teller = Teller { document, names, needs, graph };
    ways_around(graph, stuck).iter().take(CIRCLES).map(|way| teller.circle(way)).collect()
}

struct Teller<'a> {
    document: &'a Document,
    names: &'a Names<'a>,
    needs: &'a Needs,
    graph: &'a Graph,
}

/// `after` waits for `before`.
struct Step {
    before: TaskIx,
    after: TaskIx,
    reason: Reason,
    line: u32,
}

impl Teller<'_> {
    fn circle(&self, way: &[NodeIx]) -> Diagnostic {
        let steps = self.steps(way);
        let id = |task: TaskIx| format!("`{}`", safe(self.document.task(task).id.as_str()));
        // Told from the first task on: it waits for the last of the way, that for the one before, and so on.
        let mut path: Vec<String> = steps.iter().rev().take(STEPS).map(|step| id(step.after)).collect();
        match steps.len().saturating_sub(STEPS) {
            0 => path.extend(steps.last().map(|step| id(step.after))),
            more => path.push(format!("… {more} more")),
        }
        let message = format!("tasks wait for one another in a circle: {}", path.join(" needs "));
        let mut diagnostic = Diagnostic::error(Code::Cycle, message);
        for step in steps.iter().rev().take(STEPS) {
            let text = match step.reason {
                Reason::Group => {
                    format!("{} is part of {}, or inherits what it needs", id(step.before), id(step.after))
                }
                _ => format!("{} needs {}", id(step.after), id(step.before)),
            };
            diagnostic = diagnostic.at(self.span(step), text);
        }
        diagnostic.help("remove one of these dependencies")
    }

    /// The way without its gates; what asks for a step is the edge that enters the task.
    fn steps(&self, way: &[NodeIx]) -> Vec<Step> {
        let Some(first) = way.iter().position(|node| self.graph.task(*node).is_some()) else {
            return Vec::new();
        };
        let mut steps = Vec::new();
        let mut before = None;
        let mut entered: Option<&Edge> = None;
        let mut last = way[first];
        for node in way[first..].iter().chain(&way[..first]).chain([&way[first]]) {
            let edge = self.graph.before(*node).iter().find(|edge| edge.from == last);
            // Through a gate of inheritance the edge that led into it says more.
            entered = match (entered, edge) {
                (Some(told), Some(edge)) if edge.reason == Reason::Group => Some(told),
                (_, edge) => edge,
            };
            last = *node;
            let Some(task) = self.graph.task(*node) else { continue };
            if let (Some(before), Some(edge)) = (before, entered) {
                steps.push(Step { before, after: task, reason: edge.reason, line: edge.line });
            }
            (before, entered) = (Some(task), None);
        }
        steps
    }

    /// Where the step is asked for: the dependency on that line that means the task before, else the task itself.
    fn span(&self, step: &Step) -> Span {
        let own = self.document.task(step.after).id_span;
        if step.reason == Reason::Waves {
            let waves = self.document.waves.iter().flat_map(|waves| waves.waves.iter().flatten());
            let mut here = waves.filter(|(id, _)| self.names.find(id) == Some(step.after));
            return here.next().map_or(own, |(_, span)| *span);
        }
        let on_line =
            self.needs.list.iter().filter(|need| need.line == step.line && step.reason == need.form.into());
        on_line
            .filter(|need| need.on.tasks().contains(&step.before))
            .map(|need| need.span)
            .next()
            .unwrap_or(own)
    }
}
