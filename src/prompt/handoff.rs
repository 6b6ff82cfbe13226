//! What earlier tasks leave to later ones: a fold over events, a few lines a task.
//!
//! Which of them a task needs is told by the plan's edges; explicit ones first, and never more than a page.

use super::fence;
use crate::event::{Event, EventKind, Verdict};
use crate::plan::graph::NodeIx;
use crate::plan::{Plan, Reason};
use crate::task::{TaskId, TaskIx};
use std::collections::{HashMap, HashSet};

/// What one task left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Relative to the repository's root.
    pub files: Vec<String>,
    /// Files beyond those.
    pub more_files: usize,
    /// The last thing its agent said.
    pub said: String,
    pub verdict: Option<Verdict>,
}

/// What every finished task left, as far as anything is known of it.
#[derive(Clone, Debug, Default)]
pub struct Handoffs {
    tasks: HashMap<TaskId, Left>,
}

/// Of one task so many files are kept, and so much of what was said.
const MAX_FILES: usize = 24;
const MAX_SAID: usize = 1_500;

impl Handoffs {
    pub fn from_events<'e>(events: impl IntoIterator<Item = &'e Event>) -> Handoffs {
        let mut handoffs = Handoffs::default();
        events.into_iter().for_each(|event| handoffs.apply(event));
        handoffs
    }

    pub fn apply(&mut self, event: &Event) {
        match &event.kind {
            // Whatever it did before, this attempt may do something else.
            EventKind::AttemptStarted { task, .. } => {
                self.tasks.remove(&task.id);
            }
            EventKind::Integrated { task, merge, .. } => self.changed(&task.id, &merge.files),
            EventKind::TaskDone { task, verdict, .. } => {
                self.tasks.entry(task.id.clone()).or_default().verdict = Some(*verdict);
            }
            EventKind::RolledBack { reopened, .. } => reopened.iter().for_each(|id| {
                self.tasks.remove(id);
            }),
            _ => {}
        }
    }

    /// Files that a task changed, where no event tells them.
    pub fn changed(&mut self, task: &TaskId, files: &[String]) {
        let left = self.tasks.entry(task.clone()).or_default();
        left.files = files.iter().take(MAX_FILES).cloned().collect();
        left.more_files = files.len().saturating_sub(MAX_FILES);
    }

    /// The last message of a task's agent.
    pub fn said(&mut self, task: &TaskId, text: &str) {
        let (text, cut) = fence::first_bytes(text.trim(), MAX_SAID);
        let said = if cut { format!("{text} […]") } else { text.to_owned() };
        self.tasks.entry(task.clone()).or_default().said = said;
    }

    pub fn of(&self, task: &TaskId) -> Option<&Left> {
        self.tasks.get(task)
    }
}

/// The tasks before this one that say most about its work, at most `limit`, and how many more there are at least.
pub(super) fn predecessors(plan: &Plan, task: TaskIx, limit: usize) -> (Vec<TaskIx>, usize) {
    /// Behind a gate may be thousands: so many nodes are looked at.
    const LOOKED_AT: usize = 96;
    let own = plan.task(task);
    let mut seen: HashSet<NodeIx> = HashSet::from([task.into()]);
    let mut stack: Vec<(NodeIx, Option<Reason>)> = vec![(task.into(), None)];
    let mut found: Vec<(u8, std::cmp::Reverse<TaskIx>)> = Vec::new();
    while let Some((node, via)) = stack.pop() {
        // From the end: what stands just before a task is nearer to it.
        for edge in plan.graph.before(node).iter().rev() {
            if seen.len() > LOOKED_AT {
                break;
            }
            if !seen.insert(edge.from) {
                continue;
            }
            let reason = via.unwrap_or(edge.reason);
            match plan.graph.task(edge.from) {
                Some(before) if plan.task(before).is_group => stack.push((edge.from, Some(reason))),
                Some(before) => found.push((rank(plan, own, before, reason), std::cmp::Reverse(before))),
                None => stack.push((edge.from, Some(reason))),
            }
        }
    }
    found.sort_unstable();
    let more = found.len().saturating_sub(limit);
    let mut nearest: Vec<TaskIx> = found.into_iter().take(limit).map(|(_, task)| task.0).collect();
    nearest.sort_unstable();
    (nearest, more)
}

/// How near a task's work is: smaller is nearer.
fn rank(plan: &Plan, own: &crate::task::Task, before: TaskIx, reason: Reason) -> u8 {
    let other = plan.task(before);
    match reason {
        Reason::Explicit | Reason::Field | Reason::Waves | Reason::Prose => 0,
        Reason::File => 1,
        _ if other.files.iter().any(|file| own.files.iter().any(|mine| mine.path == file.path)) => 1,
        _ if other.stories.iter().any(|story| own.stories.contains(story)) => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Merge, TaskRef};
    use crate::parse::parse;
    use crate::plan::{Mode, Options, plan};
    use crate::source::SourceText;
    use std::time::Duration;

    fn event(kind: EventKind) -> Event {
        Event { seq: 1, at: Duration::ZERO, kind }
    }

    fn task(id: &str) -> TaskRef {
        TaskRef { ix: TaskIx(0), id: TaskId::new(id) }
    }

    #[test]
    fn a_task_leaves_its_files_until_it_is_done_again() {
        let merge = Merge { files: (0..30).map(|n| format!("f{n}")).collect(), ..Merge::default() };
        let integrated =
            event(EventKind::Integrated { task: task("T1"), attempt: 1, merge: Box::new(merge) });
        let mut handoffs = Handoffs::from_events([&integrated]);
        handoffs.said(&TaskId::new("T1"), &"é".repeat(2_000));
        let left = handoffs.of(&TaskId::new("T1")).unwrap();
        assert_eq!((left.files.len(), left.more_files), (24, 6));
        assert!(left.said.len() <= 1_510 && left.said.ends_with("[…]"));
        handoffs.apply(&event(EventKind::RolledBack {
            to: String::new(),
            commit: String::new(),
            saved: String::new(),
            reopened: vec![TaskId::new("T1")],
            done: Vec::new(),
        }));
        assert_eq!(handoffs.of(&TaskId::new("T1")), None);
    }

    #[test]
    fn the_nearest_predecessors_come_first_and_many_are_counted() {
        let mut text = "## Phase 1: Setup\n".to_owned();
        (1..=40).for_each(|n| text.push_str(&format!("- [ ] T{n:03} [P] Do part {n}\n")));
        text.push_str("## Phase 2: More\n- [ ] T041 Do the rest (depends on T002)\n");
        let (document, _) = parse(&SourceText::new("t", text));
        let options = Options { mode: Mode::Graph, ..Options::default() };
        let (plan, _) = plan(document, &options).unwrap();
        let last = plan.find("T041").unwrap();
        let (nearest, more) = predecessors(&plan, last, 4);
        let ids: Vec<&str> = nearest.iter().map(|task| plan.task(*task).id.as_str()).collect();
        assert!(ids.contains(&"T002") && ids.len() == 4, "{ids:?}");
        assert!(more > 0);
    }
}
