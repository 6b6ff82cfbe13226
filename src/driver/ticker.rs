//! Keeps the task file and the run in step, both ways: ticks what is recorded as done, takes up what others edited.
//!
//! Coalesced: the file is looked at now and then and at the end, never once per task.

use super::Replan;
use crate::boxes::{Boxes, Edited, Ticked};
use crate::event::{Event, EventKind, NoteLevel, TaskRef, Verdict};
use crate::plan::Plan;
use crate::task::{Document, State, Task, TaskId, TaskIx};
use crate::text::safe;
use crate::writeback::Tick;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Boxes are ticked at most this often.
const TICK: Duration = Duration::from_millis(200);
/// With nothing to tick, edits by others are looked for this often.
const LOOK: Duration = Duration::from_millis(500);

pub(super) struct BoxTicker {
    boxes: Boxes,
    replan: Replan,
    done: Vec<Tick>,
    /// Positions of tasks, for events; made anew for each plan.
    known: Option<(Arc<Plan>, HashMap<TaskId, TaskIx>)>,
    last: Instant,
    tick_unverified: bool,
}

/// What a look at the file led to.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) events: Vec<EventKind>,
    /// The plan as the file reads now, if others changed it in a way that matters.
    pub(super) plan: Option<Arc<Plan>>,
}

impl BoxTicker {
    /// `done` is recorded as done by earlier sessions and may not be ticked yet.
    pub(super) fn new(boxes: Boxes, replan: Replan, done: Vec<Tick>, tick_unverified: bool) -> BoxTicker {
        BoxTicker { boxes, replan, done, known: None, last: Instant::now(), tick_unverified }
    }

    pub(super) fn on_event(&mut self, plan: &Plan, event: &Event) {
        match &event.kind {
            EventKind::TaskDone { task, verdict, attempts, .. } => {
                // A group runs nothing and is as good as what is in it.
                let is_proven = *verdict == Verdict::Verified || *attempts == 0;
                if !is_proven && !self.tick_unverified {
                    return;
                }
                self.done.extend(plan.tasks.get(task.ix.ix()).filter(|task| may_tick(task)).map(Tick::of));
            }
            // Cleared by a person: it runs again, and until then its box stays open.
            EventKind::AttemptStarted { task, attempt: 1, .. } => self.boxes.forget(&task.id),
            EventKind::PlanChanged { reopened, .. } => {
                reopened.iter().for_each(|task| self.boxes.forget(task));
            }
            _ => {}
        }
    }

    /// Looks at the file if it is time to, or `now` in any case.
    pub(super) fn look(&mut self, plan: &Arc<Plan>, now: bool) -> Looked {
        let due = if self.done.is_empty() { LOOK } else { TICK };
        if !now && self.last.elapsed() < due {
            return Looked::default();
        }
        let ticked = self.boxes.tick(&std::mem::take(&mut self.done));
        self.last = Instant::now();
        let mut looked = Looked { events: self.told(plan, &ticked), plan: None };
        if let Some(mut edited) = ticked.changed {
            mark_ours(
                &mut edited.document,
                ticked.ticked.iter().map(|(task, _)| task).chain(&ticked.reticked),
            );
            self.take_up(plan, edited, &ticked.cleared, &mut looked);
        }
        looked
    }

    /// Boxes that should be ticked and are not, with the reason, for people.
    pub(super) fn pending(&self) -> impl Iterator<Item = String> + '_ {
        self.boxes
            .pending()
            .map(|(task, problem)| format!("the box of {} is not ticked: {problem}", safe(task.as_str())))
    }

    /// Whether that is because the file could not be read or written.
    pub(super) fn is_behind(&self) -> bool {
        self.boxes.is_behind()
    }

    fn told(&mut self, plan: &Arc<Plan>, ticked: &Ticked) -> Vec<EventKind> {
        let mut events = Vec::with_capacity(ticked.ticked.len() + ticked.pending.len());
        for (task, line) in &ticked.ticked {
            events.push(EventKind::BoxTicked { task: self.task_ref(plan, task), line: *line });
        }
        for (task, problem) in &ticked.pending {
            events.push(EventKind::BoxPending { task: self.task_ref(plan, task), problem: problem.clone() });
        }
        events
    }

    fn task_ref(&mut self, plan: &Arc<Plan>, id: &TaskId) -> TaskRef {
        if self.known.as_ref().is_none_or(|(known, _)| !Arc::ptr_eq(known, plan)) {
            let ids = plan.task_ixs().map(|task| (plan.task(task).id.clone(), task)).collect();
            self.known = Some((Arc::clone(plan), ids));
        }
        let ix = self.known.as_ref().and_then(|(_, ids)| ids.get(id)).copied();
        TaskRef { ix: ix.unwrap_or(TaskRef::UNRESOLVED), id: id.clone() }
    }

    /// Others edited the file: plans it as it reads now, unless that cannot be done; then the run goes on as planned.
    fn take_up(&self, plan: &Arc<Plan>, edited: Edited, cleared: &[TaskId], looked: &mut Looked) {
        let note = |level, text| EventKind::Note { level, text };
        match (self.replan)(edited, cleared) {
            Ok(new) if same_work(plan, &new.plan) => {}
            Ok(new) => {
                looked.events.extend(new.warnings.into_iter().map(|text| note(NoteLevel::Warn, text)));
                looked.plan = Some(Arc::new(new.plan));
            }
            Err(error) => {
                let text = format!(
                    "the task file was edited and cannot be planned now: {error}; going on as planned"
                );
                looked.events.push(note(NoteLevel::Warn, text));
            }
        }
    }
}

/// The text as others left it has boxes open that were ticked in the same look. To whoever plans it they are ticked:
/// read as they stood, each of them would seem to have been cleared by a person, and what is done would run again.
fn mark_ours<'a>(document: &mut Document, ticked: impl Iterator<Item = &'a TaskId>) {
    let ticked: HashSet<&TaskId> = ticked.collect();
    for task in document.tasks.iter_mut().filter(|task| ticked.contains(&task.id)) {
        task.state = State::Done;
        if let Some(checkbox) = &mut task.checkbox {
            checkbox.mark = "x".to_owned();
        }
    }
}

/// Whether the box is ours to tick: not done already, and not a mark that people gave a meaning of their own. Such a
/// mark on a group stays when all in it is done.
pub(super) fn may_tick(task: &Task) -> bool {
    !matches!(task.state, State::Done | State::Unclear)
}

/// Whether two plans of a file differ in nothing that decides what runs: an edit of prose changes no plan.
fn same_work(old: &Plan, new: &Plan) -> bool {
    old.tasks.len() == new.tasks.len()
        && old.graph.edges() == new.graph.edges()
        && old
            .tasks
            .iter()
            .zip(&new.tasks)
            .all(|(a, b)| a.id == b.id && a.title == b.title && a.state == b.state && a.blocks == b.blocks)
}
