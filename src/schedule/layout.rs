//! From a plan, and what is known of its tasks, to a starting position: slots, nodes, ranks.
//!
//! Linear in tasks and edges, but for sorting the ranks. Nothing is decided here; `settle` sets it going.

pub(super) use crate::plan::graph::NodeIx;

use super::state::{Board, Edit, Stage, TaskOutcome, TaskSlot};
use super::{Overlap, Ready, Scheduler};
use crate::history::{History, Settled, TaskHistory};
use crate::plan::{LeftOut, Plan, Role};
use crate::task::{BlockKind, State, Task, TaskId, TaskIx};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

/// A node of the graph, while the run goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Node {
    /// Edges into it whose other end is not released.
    pub(super) unmet: u32,
    /// The failed or waiting task at the root of what blocks it.
    pub(super) blocked_by: Option<TaskIx>,
    /// What comes after it no longer waits for it.
    pub(super) released: bool,
}

/// One slot per task of `plan`, as a new session finds it.
pub(super) fn from_history(plan: &Plan, history: &History) -> Vec<TaskSlot> {
    plan.task_ixs()
        .map(|task| {
            let id = &plan.task(task).id;
            let known = if history.is_empty() { TaskHistory::default() } else { history.task(id) };
            let mut slot = known_slot(plan.task(task), plan.planned(task).role, &known);
            slot.asked = asked(history, id);
            slot
        })
        .collect()
}

/// What `history` knows of tasks that are not in the file just now: an editor may have saved half of it.
pub(super) fn missing(plan: &Plan, history: &History) -> HashMap<TaskId, TaskSlot> {
    let mut known: HashMap<TaskId, TaskSlot> =
        history.tasks().map(|(id, task)| (id.clone(), missing_slot(task, asked(history, id)))).collect();
    for task in plan.tasks.iter() {
        known.remove(&task.id);
    }
    known
}

fn missing_slot(known: &TaskHistory, asked: u32) -> TaskSlot {
    let mut slot = TaskSlot::new(Role::Run);
    (slot.removed, slot.ticked, slot.attempts) = (true, known.ticked, known.attempts);
    slot.told = matches!(known.settled, Some(Settled::Skipped | Settled::Done));
    slot.failed_before = known.settled == Some(Settled::Failed);
    if !slot.failed_before {
        (slot.spent, slot.limited, slot.no_change) = (known.spent(), known.limited, known.no_change);
    }
    let stage = match known.settled {
        Some(Settled::Done) => Stage::Settled(TaskOutcome::Done),
        Some(Settled::Parked) => Stage::Settled(TaskOutcome::Parked),
        _ => Stage::Waiting,
    };
    slot.asked = asked;
    slot.staged(stage)
}

/// A task nothing is known of.
pub(super) fn new_slot(task: &Task, role: Role) -> TaskSlot {
    known_slot(task, role, &TaskHistory::default())
}

fn known_slot(task: &Task, role: Role, known: &TaskHistory) -> TaskSlot {
    let mut slot = TaskSlot::new(role);
    slot.ticked = role == Role::Done || task.state == State::Done;
    slot.before_run = role == Role::Done && *known == TaskHistory::default();
    slot.is_group = task.is_group;
    slot.attempts = known.attempts;
    slot.failed_before = known.settled == Some(Settled::Failed);
    slot.edit = edit(task, role, known);
    if !slot.failed_before && slot.edit.is_none() {
        (slot.spent, slot.limited, slot.no_change) = (known.spent(), known.limited, known.no_change);
    }
    slot.told = slot.edit.is_none() && matches!(known.settled, Some(Settled::Skipped | Settled::Done));
    let stage = first_stage(role, known, slot.edit == Some(Edit::Cleared));
    slot.staged(stage)
}

/// The attempt whose question was the last one, answered or not.
fn asked(history: &History, id: &TaskId) -> u32 {
    history.questions().get(id).map_or(0, |asked| asked.attempt)
}

fn edit(task: &Task, role: Role, known: &TaskHistory) -> Option<Edit> {
    match role {
        Role::Run | Role::Group | Role::LeftOut(_)
            if known.is_done() && known.ticked && task.state != State::Done =>
        {
            Some(Edit::Cleared)
        }
        Role::Done if !(known.is_done() && known.ticked) && *known != TaskHistory::default() => {
            Some(Edit::Ticked)
        }
        _ => None,
    }
}

fn first_stage(role: Role, known: &TaskHistory, is_cleared: bool) -> Stage {
    match role {
        Role::Done => Stage::Settled(TaskOutcome::Done),
        // Also if its box is still to be ticked: what is done never runs again, unless a person cleared it.
        Role::Run | Role::LeftOut(_) if known.is_done() && !is_cleared => Stage::Settled(TaskOutcome::Done),
        Role::Run if known.settled == Some(Settled::Parked) && !is_cleared => {
            Stage::Settled(TaskOutcome::Parked)
        }
        Role::LeftOut(left_out) => Stage::Settled(left_out.into()),
        Role::Run | Role::Group => Stage::Waiting,
    }
}

impl Scheduler {
    /// Takes up `plan` with `slots`. Forgets all that follows from them.
    pub(super) fn lay_out(&mut self, plan: Arc<Plan>, mut slots: Vec<TaskSlot>) {
        set_budgets(&plan, &mut slots, self.limits.retry.max_attempts);
        count_children(&plan, &mut slots);
        self.order = rank(&plan, &mut slots);
        self.seat_all(&plan, &mut slots);
        self.overlap = Overlap::new(&plan, |task| slots[task.ix()].seat);
        self.ready = Ready::new(self.overlap.class_count());
        self.backing_off.clear();
        self.held.clear();
        self.nodes = nodes(&plan);
        self.board = Board::new(slots);
        self.plan = plan;
        self.contest_all();
    }

    /// Each task by its agent, or by who took over from that one, in this session or before it.
    fn seat_all(&mut self, plan: &Plan, slots: &mut [TaskSlot]) {
        for (task, slot) in plan.tasks.iter().zip(slots) {
            let before = slot.seat;
            slot.seat = self.staff.seat(task, before);
            if self.handed.is_empty() || before.is_some() {
                continue;
            }
            let handed = self.handed.remove(&task.id).filter(|_| slot.edit.is_none());
            let seat = slot.seat.zip(handed).map(|(seat, handed)| self.staff.handed(seat, &handed));
            slot.seat = seat.or(slot.seat);
        }
    }

    /// What was learned of files is not of the plan. Nothing is ready or running by it yet.
    fn contest_all(&mut self) {
        if self.contested.is_empty() {
            return;
        }
        let plan = Arc::clone(&self.plan);
        let places: HashMap<&TaskId, TaskIx> =
            plan.task_ixs().map(|task| (&plan.task(task).id, task)).collect();
        for (id, path) in &self.contested {
            if let Some(task) = places.get(id) {
                self.overlap.contest(&plan, *task, path, |_| false);
            }
        }
        self.ready.make_room(self.overlap.class_count());
    }
}

fn nodes(plan: &Plan) -> Vec<Node> {
    let count = plan.graph.node_count() as u32;
    let unmet = |node| plan.graph.before(NodeIx(node)).len() as u32;
    (0..count).map(|node| Node { unmet: unmet(node), ..Node::default() }).collect()
}

/// `retries=N` of the first run block wins. What is open may always be tried once, whatever it spent before.
fn set_budgets(plan: &Plan, slots: &mut [TaskSlot], policy: u32) {
    for (slot, task) in slots.iter_mut().zip(plan.tasks.iter()) {
        slot.max_attempts = max_attempts(task, policy);
        slot.spent = slot.spent.min(slot.max_attempts - 1);
    }
}

fn max_attempts(task: &Task, policy: u32) -> u32 {
    let retries = task.blocks_of(BlockKind::Run).next().and_then(|block| block.given.retries);
    retries.map_or(policy, |retries| retries.saturating_add(1)).max(1)
}

/// A group waits for its children, but not for those that were left aside on purpose.
fn count_children(plan: &Plan, slots: &mut [TaskSlot]) {
    for slot in slots.iter_mut() {
        slot.children = 0;
    }
    for (child, task) in plan.tasks.iter().enumerate() {
        let aside = matches!(slots[child].role, Role::LeftOut(LeftOut::Optional | LeftOut::Dropped));
        if let Some(group) = task.group
            && !slots[child].is_done()
            && !aside
        {
            slots[group.ix()].children += 1;
        }
    }
}

/// SPEC 3.4: what failed before (6.3), the longest path to the end, priority, place in the file.
fn rank(plan: &Plan, slots: &mut [TaskSlot]) -> Vec<TaskIx> {
    let mut keys: Vec<_> = plan
        .task_ixs()
        .filter(|task| slots[task.ix()].role == Role::Run)
        .map(|task| {
            let priority = plan.task(task).priority.unwrap_or(u8::MAX);
            let failed_before = slots[task.ix()].failed_before;
            (Reverse(failed_before), Reverse(plan.planned(task).remaining), priority, task)
        })
        .collect();
    keys.sort_unstable();
    let order: Vec<TaskIx> = keys.into_iter().map(|(.., task)| task).collect();
    for (rank, task) in order.iter().enumerate() {
        slots[task.ix()].rank = rank as u32;
    }
    order
}
