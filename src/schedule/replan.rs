//! The file was edited while the run goes on (SPEC 2.6): from the old position to one in the new plan, by id.
//!
//! Linear in both plans (times what runs): an edit is rare, and a position mended piece by piece would be wrong in
//! some piece.

use super::layout::{self, NodeIx};
use super::state::{Edit, Stage, TaskOutcome, TaskSlot};
use super::{Decision, Removed, Scheduler};
use crate::event::{Elapsed, Event, EventKind, SkipReason, TaskRef};
use crate::plan::{Plan, Role};
use crate::task::{State, Task, TaskId, TaskIx};
use std::collections::HashMap;
use std::sync::Arc;

/// What `PlanChanged` tells.
#[derive(Default)]
struct Changes {
    added: Vec<TaskId>,
    removed: Vec<TaskId>,
    reopened: Vec<TaskId>,
    ticked: Vec<TaskId>,
}

impl Changes {
    fn is_empty(&self) -> bool {
        [&self.added, &self.removed, &self.reopened, &self.ticked].iter().all(|ids| ids.is_empty())
    }
}

impl Scheduler {
    /// Takes up the plan of an edited file. Added tasks join; open ones that are gone are dropped; one that runs and
    /// is gone goes on to its end, which settles nothing any more, and nothing starts beside it. A box that was
    /// cleared runs again; one that was ticked is believed, and what was blocked by it is open again.
    ///
    /// Positions change: a driver that remembers [`TaskIx`] takes the new ones from [`Scheduler::running`].
    pub fn replan(&mut self, now: Elapsed, plan: Arc<Plan>) -> Decision {
        let mut out = Decision::default();
        if self.over {
            return out;
        }
        self.now = self.now.max(now);
        self.begin_once(&mut out);
        let (first, first_seq) = (out.events.len(), self.next_seq);
        let mut changes = Changes::default();
        let mut before = self.take_slots();
        let slots = carry_over(&plan, &mut before, &mut changes);
        self.lay_out(plan, slots);
        self.drop_missing(&mut out, before, &mut changes);
        self.take_up_running();
        self.set_going(&mut out);
        self.tell_unblocked(&mut changes);
        self.tell_changes(&mut out, (first, first_seq), changes);
        self.go_on(&mut out);
        out
    }

    /// What waited for an answer has it: it is open again, and so is all that it blocked. In a new position, as after an
    /// edit, which is right in every piece. But nobody edited anything: boxes that were ticked since the plan was made
    /// stand there open, and say nothing.
    pub(super) fn unpark(&mut self, out: &mut Decision, task: TaskIx) {
        self.board.set(task, Stage::Waiting);
        let (first, first_seq) = (out.events.len(), self.next_seq);
        let slots = self.board.take().into_iter().map(laid_out_again).collect();
        self.lay_out(Arc::clone(&self.plan), slots);
        self.take_up_running();
        self.set_going(out);
        let mut changes = Changes::default();
        self.tell_unblocked(&mut changes);
        self.tell_changes(out, (first, first_seq), changes);
        self.go_on(out);
    }

    /// The change is told first, though it is known last.
    fn tell_changes(&mut self, out: &mut Decision, (first, first_seq): (usize, u64), changes: Changes) {
        if changes.is_empty() {
            return;
        }
        let Changes { added, removed, reopened, ticked } = changes;
        let kind = EventKind::PlanChanged { added, removed, reopened, ticked };
        out.events.insert(first, Event { seq: 0, at: self.now, kind });
        self.number(&mut out.events[first..], first_seq);
    }

    fn number(&mut self, events: &mut [Event], first_seq: u64) {
        for (event, seq) in events.iter_mut().zip(first_seq..) {
            event.seq = seq;
        }
        self.next_seq = first_seq + events.len() as u64;
    }

    /// Everything known of any task that was ever in the file, by id.
    fn take_slots(&mut self) -> HashMap<TaskId, TaskSlot> {
        let mut slots = std::mem::take(&mut self.dropped);
        let ids = self.plan.tasks.iter().map(|task| task.id.clone());
        slots.extend(ids.zip(self.board.take()));
        slots.extend(self.removed.drain(..).flatten().map(|removed| (removed.id, removed.slot)));
        slots
    }

    /// What `before` still holds has no place in the new plan.
    fn drop_missing(&mut self, out: &mut Decision, before: HashMap<TaskId, TaskSlot>, changes: &mut Changes) {
        let mut missing: Vec<(TaskId, TaskSlot)> = before.into_iter().collect();
        missing.sort_unstable_by(|a, b| a.0.cmp(&b.0)); // the map's order is no order
        for (id, mut slot) in missing {
            if matches!(slot.stage(), Stage::Running { .. }) {
                if !slot.removed {
                    changes.removed.push(id.clone());
                }
                slot.removed = true;
                self.removed.push(Some(Removed { id, slot }));
                continue;
            }
            if slot.role == Role::Run && !matches!(slot.stage(), Stage::Settled(_)) && !slot.removed {
                changes.removed.push(id.clone());
                let task = TaskRef { ix: TaskRef::UNRESOLVED, id: id.clone() };
                self.record(out, EventKind::TaskSkipped { task, why: SkipReason::Removed });
                slot.asked = 0;
            }
            slot.removed = true;
            self.dropped.insert(id, slot);
        }
    }

    /// What runs keeps its worker under its new position, and holds back what the new plan puts before it.
    fn take_up_running(&mut self) {
        let workers: Vec<(u32, TaskIx)> = self
            .board
            .all()
            .filter_map(|(task, slot)| Some((slot.worker()?, task)))
            .chain(
                self.removed
                    .iter()
                    .zip(self.board.len() as u32..)
                    .filter_map(|(removed, ix)| Some((removed.as_ref()?.slot.worker()?, TaskIx(ix)))),
            )
            .collect();
        for (worker, task) in workers {
            self.slots.rename(worker, task);
            if task.ix() < self.board.len() {
                self.overlap.start(task);
                self.hold_back(task);
            }
        }
    }

    /// What comes before a running task in the new plan may name the same files: it waits for it to settle.
    fn hold_back(&mut self, running: TaskIx) {
        let plan = Arc::clone(&self.plan);
        let mut seen = vec![false; self.nodes.len()];
        let mut wave = vec![NodeIx::from(running)];
        while let Some(node) = wave.pop() {
            for edge in plan.graph.before(node) {
                if std::mem::replace(&mut seen[edge.from.ix()], true) {
                    continue;
                }
                wave.push(edge.from);
                let task = plan.graph.task(edge.from);
                if task.is_some_and(|task| {
                    self.board.get(task).role == Role::Run && self.board.stage(task) == Stage::Waiting
                }) {
                    self.nodes[edge.from.ix()].unmet += 1;
                    self.held.push((running, edge.from));
                }
            }
        }
    }

    fn tell_unblocked(&mut self, changes: &mut Changes) {
        for n in 0..self.board.len() as u32 {
            let task = TaskIx(n);
            let was_blocked = std::mem::take(&mut self.board.get_mut(task).told_blocked);
            let is_blocked = matches!(self.board.stage(task), Stage::Settled(TaskOutcome::Blocked { .. }));
            if was_blocked && !is_blocked && self.board.get(task).role == Role::Run {
                changes.reopened.push(self.plan.task(task).id.clone());
            }
        }
    }
}

/// For a new position in the same plan.
fn laid_out_again(mut slot: TaskSlot) -> TaskSlot {
    let was = slot.stage();
    slot.told_blocked = matches!(was, Stage::Settled(TaskOutcome::Blocked { .. }));
    match was {
        Stage::Settled(TaskOutcome::Done) if slot.role == Role::Group => {
            slot.told = true;
            slot.staged(Stage::Waiting)
        }
        Stage::Settled(TaskOutcome::Blocked { .. }) | Stage::Ready | Stage::BackingOff => {
            slot.staged(Stage::Waiting)
        }
        Stage::Settled(_) | Stage::Waiting | Stage::Running { .. } => slot,
    }
}

/// One slot per task of the new plan; takes what it uses from `before`.
fn carry_over(plan: &Plan, before: &mut HashMap<TaskId, TaskSlot>, changes: &mut Changes) -> Vec<TaskSlot> {
    let mut slots = Vec::with_capacity(plan.tasks.len());
    for (task, planned) in plan.tasks.iter().zip(&plan.planned) {
        let becomes_group = |old: &TaskSlot| task.is_group && old.worker().is_some();
        let old = match before.get(&task.id) {
            Some(old) if becomes_group(old) => None, // what runs goes on as if removed
            _ => before.remove(&task.id),
        };
        let Some(old) = old else {
            if planned.role == Role::Run {
                changes.added.push(task.id.clone());
            }
            slots.push(layout::new_slot(task, planned.role));
            continue;
        };
        let was_aside = old.removed || matches!(old.role, Role::LeftOut(_));
        let role = planned.role;
        let slot = carry(old, role, task);
        match slot.edit {
            Some(Edit::Cleared) => changes.reopened.push(task.id.clone()),
            Some(Edit::Ticked) => changes.ticked.push(task.id.clone()),
            None if was_aside && role == Role::Run && !matches!(slot.stage(), Stage::Settled(_)) => {
                changes.added.push(task.id.clone());
            }
            None => {}
        }
        slots.push(slot);
    }
    slots
}

fn carry(mut slot: TaskSlot, role: Role, task: &Task) -> TaskSlot {
    let was = slot.stage();
    let was_blocked = matches!(was, Stage::Settled(TaskOutcome::Blocked { .. }));
    slot.told_blocked = was_blocked && !slot.removed;
    (slot.role, slot.removed, slot.edit) = (role, false, None);
    slot.is_group = task.is_group;
    match role {
        Role::Done => ticked(slot, was),
        Role::Run => to_run(slot, was),
        Role::Group => to_group(slot, task),
        Role::LeftOut(left_out) => leave_out(slot, was, task, left_out.into()),
    }
}

fn ticked(mut slot: TaskSlot, was: Stage) -> TaskSlot {
    let was_ticked = std::mem::replace(&mut slot.ticked, true);
    match was {
        Stage::Settled(TaskOutcome::Done) => {
            slot.edit = (!was_ticked).then_some(Edit::Ticked);
            slot
        }
        Stage::Running { .. } => {
            slot.edit = (!slot.believed).then_some(Edit::Ticked);
            slot.believed = true;
            slot
        }
        _ => {
            slot.edit = Some(Edit::Ticked);
            (slot.told_blocked, slot.asked) = (false, 0);
            slot.staged(Stage::Settled(TaskOutcome::Done))
        }
    }
}

fn to_run(mut slot: TaskSlot, was: Stage) -> TaskSlot {
    let was_believed = std::mem::take(&mut slot.believed);
    match was {
        Stage::Running { .. } if was_believed => {
            (slot.spent, slot.limited, slot.no_change, slot.ticked) = (0, 0, 0, false);
            // Whose attempts were used up has them again: as the record has it, its own agent is the first.
            slot.seat = None;
            slot.edit = Some(Edit::Cleared);
            slot
        }
        Stage::Settled(TaskOutcome::Done) if slot.ticked => cleared(&slot),
        Stage::Settled(
            TaskOutcome::Done | TaskOutcome::Failed | TaskOutcome::Cancelled | TaskOutcome::Parked,
        )
        | Stage::Running { .. } => {
            slot.ticked = false;
            slot
        }
        Stage::Settled(TaskOutcome::Blocked { .. } | TaskOutcome::Skipped(_) | TaskOutcome::NotSelected)
        | Stage::Waiting
        | Stage::Ready
        | Stage::BackingOff => {
            slot.told = false;
            slot.staged(Stage::Waiting)
        }
    }
}

/// Asked for anew: with a fresh budget, but with its count of attempts, for their logs stay.
fn cleared(slot: &TaskSlot) -> TaskSlot {
    let mut fresh = TaskSlot::new(slot.role);
    fresh.attempts = slot.attempts;
    fresh.edit = Some(Edit::Cleared);
    fresh
}

/// A group is done when all in it are, now as before; it is told again only if its box is open again.
fn to_group(mut slot: TaskSlot, task: &Task) -> TaskSlot {
    let was_ticked = std::mem::replace(&mut slot.ticked, task.state == State::Done);
    let is_cleared = was_ticked && !slot.ticked;
    slot.told = (slot.told || slot.is_done()) && !is_cleared;
    slot.told_blocked = false;
    slot.staged(Stage::Waiting)
}

fn leave_out(mut slot: TaskSlot, was: Stage, task: &Task, outcome: TaskOutcome) -> TaskSlot {
    match was {
        Stage::Settled(TaskOutcome::Done) if !slot.ticked || task.state == State::Done => slot,
        Stage::Settled(TaskOutcome::Done) => cleared(&slot).staged(Stage::Settled(outcome)),
        Stage::Running { .. } => {
            if std::mem::take(&mut slot.believed) {
                (slot.ticked, slot.edit) = (false, Some(Edit::Cleared));
            }
            slot
        }
        _ => {
            slot.told = slot.told && was == Stage::Settled(outcome);
            if was == Stage::Settled(TaskOutcome::Failed) {
                (slot.spent, slot.limited, slot.no_change) = (0, 0, 0); // asked for anew, should it come back
                slot.seat = None;
            }
            slot.told_blocked = false;
            slot.staged(Stage::Settled(outcome))
        }
    }
}
