//! Keeps the task file and the run in step, both ways: ticks what is recorded as done, takes up what others edited.
//!
//! Coalesced: the file is looked at now and then and at the end, never once per task.

use super::Replan;
use crate::boxes::{self, Boxes, Edited, Ticked};
use crate::event::{Event, EventKind, NoteLevel, TaskRef, Verdict};
use crate::plan::Plan;
use crate::task::{State, Task, TaskId, TaskIx};
use crate::text::safe;
use crate::writeback::Tick;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Boxes are ticked at most this often.
const TICK: Duration = Duration::from_millis(200);
/// With nothing to tick, edits by others are looked for this often.
const LOOK: Duration = Duration::from_millis(500);
/// So many times as long as a look took is waited for the next: a look costs at most a fiftieth of the time, ...
const SHARE: u32 = 50;
/// ... but a tick that an editor undid is made again within a second.
const SLOWEST: Duration = Duration::from_millis(800);

pub(super) struct BoxTicker {
    boxes: Boxes,
    replan: Replan,
    done: Vec<Tick>,
    /// Positions of tasks, for events; made anew for each plan.
    known: Option<(Arc<Plan>, HashMap<TaskId, TaskIx>)>,
    last: Instant,
    /// What the last look took.
    took: Duration,
    tick_unverified: bool,
    /// Attempts of agents that work where the task file is: it is within their reach.
    agents: AgentsHere,
}

/// Whether what is ticked may be an agent's doing.
#[derive(Default)]
struct AgentsHere {
    /// None: they have working trees of their own.
    running: Option<usize>,
    /// One worked since the file was looked at last.
    since_look: bool,
}

impl AgentsHere {
    fn on_event(&mut self, kind: &EventKind) {
        let Some(running) = &mut self.running else { return };
        match kind {
            EventKind::AttemptStarted { executor, .. } if executor != "shell" => {
                *running += 1;
                self.since_look = true;
            }
            EventKind::AttemptFinished { report, .. } if report.agent.is_some() => {
                *running = running.saturating_sub(1);
            }
            _ => {}
        }
    }

    fn looked(&mut self) {
        self.since_look = self.running.is_some_and(|running| running > 0);
    }
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
        BoxTicker {
            boxes,
            replan,
            done,
            known: None,
            last: Instant::now(),
            took: Duration::ZERO,
            tick_unverified,
            agents: AgentsHere::default(),
        }
    }

    /// Agents work in the project itself: a box that is ticked meanwhile was not ticked by a person for all we know, and a
    /// box that was not earned must not stay ticked.
    pub(super) fn within_reach_of_agents(mut self) -> BoxTicker {
        self.agents.running = Some(0);
        self
    }

    pub(super) fn on_event(&mut self, plan: &Plan, event: &Event) {
        self.agents.on_event(&event.kind);
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
            EventKind::AttemptStarted { task, attempt: 1, .. } => {
                let line = plan.tasks.get(task.ix.ix()).map_or(0, |task| task.line);
                self.boxes.forget(&task.id, line);
            }
            EventKind::PlanChanged { reopened, .. } => {
                reopened.iter().for_each(|task| self.boxes.forget(task, 0));
            }
            _ => {}
        }
    }

    /// Looks at the file if it is time to, or `now` in any case.
    pub(super) fn look(&mut self, plan: &Arc<Plan>, now: bool) -> Looked {
        let due = if self.done.is_empty() { LOOK } else { TICK };
        let started = Instant::now();
        if !now && started - self.last < due.max((self.took * SHARE).min(SLOWEST)) {
            return Looked::default();
        }
        let ticked = self.boxes.tick_all(std::mem::take(&mut self.done));
        self.last = Instant::now();
        self.took = self.last - started;
        let mut looked = Looked { events: self.told(plan, &ticked), plan: None };
        if let Some(mut edited) = ticked.changed {
            if self.agents.since_look {
                self.untick(plan, &mut edited, &mut looked);
            }
            self.take_up(plan, edited, &ticked.cleared, &mut looked);
        }
        self.agents.looked();
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
            let task = at_line(plan, task, *line).unwrap_or_else(|| self.task_ref(plan, task));
            events.push(EventKind::BoxTicked { task, line: *line });
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

    /// Clears the boxes that somebody ticked while agents were at work, and says so.
    fn untick(&self, plan: &Arc<Plan>, edited: &mut Edited, looked: &mut Looked) {
        let open: HashSet<&TaskId> =
            plan.tasks.iter().filter(|task| task.state == State::Open).map(|task| &task.id).collect();
        let is_new = |task: &Task| task.state == State::Done && !task.is_group && open.contains(&task.id);
        let mut wanted = Vec::new();
        for task in edited.document.tasks.iter_mut().filter(|task| is_new(task)) {
            if !self.boxes.is_ticked(&task.id, task.line) {
                wanted.push(Tick::of(task));
                task.state = State::Open;
            }
        }
        if wanted.is_empty() {
            return;
        }
        let cleared = boxes::clear(self.boxes.path(), &wanted);
        let names: Vec<String> = wanted.iter().map(|tick| tick.task.to_string()).collect();
        let mut text = format!("ticked while an agent worked here, and cleared: {}", names.join(", "));
        for (task, problem) in &cleared.problems {
            text += &format!("; the box of {task} could not be cleared: {problem}");
        }
        looked.events.push(EventKind::Note { level: NoteLevel::Warn, text });
    }

    /// Others edited the file: plans it as it reads now, unless that cannot be done; then the run goes on as planned.
    fn take_up(&self, plan: &Arc<Plan>, mut edited: Edited, cleared: &[TaskId], looked: &mut Looked) {
        let note = |level, text| EventKind::Note { level, text };
        // The text is older than our ticks: a box open in it was not cleared, and its task must not run again.
        for task in edited.document.tasks.iter_mut().filter(|task| self.boxes.is_ticked(&task.id, task.line))
        {
            task.state = State::Done;
        }
        let is_ours = |task: &Task| self.boxes.is_ticked(&task.id, task.line);
        match (self.replan)(edited) {
            Ok(new) if cleared.is_empty() && same_work(plan, &new.plan, is_ours) => {}
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

/// The task where the plan has it, as long as nobody moved the line.
fn at_line(plan: &Plan, id: &TaskId, line: u32) -> Option<TaskRef> {
    let at = plan.tasks.partition_point(|task| task.line < line);
    let is_same = plan.tasks.get(at).is_some_and(|task| task.id == *id);
    is_same.then(|| TaskRef { ix: TaskIx(at as u32), id: id.clone() })
}

/// Whether the box is ours to tick: not done already, and not a mark that people gave a meaning of their own. Such a
/// mark on a group stays when all in it is done.
pub(super) fn may_tick(task: &Task) -> bool {
    !matches!(task.state, State::Done | State::Unclear)
}

/// Whether two plans of a file differ in nothing that decides what runs: an edit of prose changes no plan, nor does the
/// tick of a box that `is_ours`.
fn same_work(old: &Plan, new: &Plan, is_ours: impl Fn(&Task) -> bool) -> bool {
    old.tasks.len() == new.tasks.len()
        && old.graph.edges() == new.graph.edges()
        && old.tasks.iter().zip(new.tasks.iter()).all(|(a, b)| {
            a.id == b.id && a.title == b.title && (a.state == b.state || is_ours(b)) && a.blocks == b.blocks
        })
}
