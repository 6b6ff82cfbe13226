//! What follows when something is settled: a failure runs ahead along `Needs` edges, order follows behind.
//!
//! Both waves use a list, never the stack: chains of a hundred thousand tasks are real.

use super::layout::NodeIx;
use super::state::{Stage, TaskOutcome};
use super::{Decision, Scheduler};
use crate::event::{EventKind, SkipReason, Verdict};
use crate::plan::{EdgeKind, Role};
use crate::policy::FailurePolicy;
use crate::task::TaskIx;
use std::sync::Arc;
use std::time::Duration;

impl Scheduler {
    /// Sets a new position going: tells what is settled from the start, blocks, makes ready.
    pub(super) fn set_going(&mut self, out: &mut Decision) {
        self.tell_left_out(out);
        let roots: Vec<TaskIx> =
            self.board.all().filter(|(_, slot)| self.blocks(slot.stage())).map(|(task, _)| task).collect();
        for task in roots {
            self.block_dependents(out, task);
        }
        let count = self.nodes.len() as u32;
        self.work.extend((0..count).rev().map(NodeIx).filter(|node| self.nodes[node.ix()].unmet == 0));
        self.flow(out);
    }

    fn tell_left_out(&mut self, out: &mut Decision) {
        let silent = |slot: &super::state::TaskSlot| {
            slot.told || slot.is_group || !matches!(slot.role, Role::LeftOut(_))
        };
        let left_out: Vec<(TaskIx, SkipReason)> = self
            .board
            .all()
            .filter(|(_, slot)| !silent(slot))
            .filter_map(|(task, slot)| match slot.stage() {
                Stage::Settled(TaskOutcome::Skipped(why)) => Some((task, why)),
                _ => None,
            })
            .collect();
        for (task, why) in left_out {
            let slot = self.board.get_mut(task);
            // What it asked goes with it: should it come back, it is asked for anew.
            (slot.told, slot.asked) = (true, 0);
            let task = self.task_ref(task);
            self.record(out, EventKind::TaskSkipped { task, why });
        }
    }

    /// Whether what needs such a task is blocked by it.
    fn blocks(&self, stage: Stage) -> bool {
        match stage {
            Stage::Settled(TaskOutcome::Failed) => self.limits.failure != FailurePolicy::ContinueOnError,
            Stage::Settled(TaskOutcome::Skipped(SkipReason::Manual) | TaskOutcome::Parked) => true,
            _ => false,
        }
    }

    /// Ends a task that the plan runs and settles all that follows. Its own event is recorded by the caller.
    pub(super) fn settle(&mut self, out: &mut Decision, task: TaskIx, outcome: TaskOutcome) {
        let stage = Stage::Settled(outcome);
        self.board.set(task, stage);
        if outcome == TaskOutcome::Done {
            self.child_done(out, task);
        }
        if self.blocks(stage) {
            self.block_dependents(out, task);
        }
        self.let_go(task);
        let node = NodeIx::from(task);
        if self.nodes[node.ix()].unmet == 0 {
            self.work.push(node);
        }
        self.flow(out);
    }

    /// Runs ahead of order: everything that needs `root`, directly or not, is blocked by it.
    fn block_dependents(&mut self, out: &mut Decision, root: TaskIx) {
        let plan = Arc::clone(&self.plan);
        let mut wave = vec![NodeIx::from(root)];
        while let Some(node) = wave.pop() {
            for edge in plan.graph.after(node).filter(|edge| edge.kind == EdgeKind::Needs) {
                if self.nodes[edge.to.ix()].blocked_by.is_none() && self.block(out, edge.to, root) {
                    wave.push(edge.to);
                }
            }
        }
    }

    /// Blocks one node if it can be; true if that passes on.
    fn block(&mut self, out: &mut Decision, node: NodeIx, by: TaskIx) -> bool {
        let task = self.plan.graph.task(node);
        let passes = match task.map(|task| (self.board.get(task).role, self.board.stage(task))) {
            None | Some((Role::Group | Role::Run, Stage::Waiting)) => true,
            Some((Role::LeftOut(_), Stage::Settled(outcome))) => {
                outcome != TaskOutcome::Skipped(SkipReason::Manual) && outcome != TaskOutcome::Done
            }
            // Done speaks for itself; what failed or was cancelled passes on its own; what runs has begun.
            Some(_) => false,
        };
        if !passes {
            return false;
        }
        self.nodes[node.ix()].blocked_by = Some(by);
        if let Some(task) = task.filter(|task| self.board.stage(*task) == Stage::Waiting)
            && self.board.get(task).role == Role::Run
        {
            self.board.set(task, Stage::Settled(TaskOutcome::Blocked { by }));
            if self.board.get(task).told_blocked {
                return true;
            }
            let (task, by) = (self.task_ref(task), self.task_ref(by));
            self.record(out, EventKind::TaskBlocked { task, by });
        }
        true
    }

    /// Order: releases nodes whose turn has come, until none is left.
    fn flow(&mut self, out: &mut Decision) {
        let plan = Arc::clone(&self.plan);
        while let Some(node) = self.work.pop() {
            if !self.arrive(out, node) || std::mem::replace(&mut self.nodes[node.ix()].released, true) {
                continue;
            }
            for edge in plan.graph.after(node) {
                self.meet(edge.to);
            }
        }
    }

    /// One thing less that `node` waits for.
    fn meet(&mut self, node: NodeIx) {
        let unmet = &mut self.nodes[node.ix()].unmet;
        *unmet -= 1;
        if *unmet == 0 {
            self.work.push(node);
        }
    }

    /// Nothing before `node` is open any more. True if nothing after it needs to wait for it either.
    fn arrive(&mut self, out: &mut Decision, node: NodeIx) -> bool {
        let Some(task) = self.plan.graph.task(node) else { return true };
        match (self.board.get(task).role, self.board.stage(task)) {
            (_, Stage::Settled(TaskOutcome::Cancelled)) => false,
            (_, Stage::Settled(_)) => true,
            (Role::Group, _) => {
                self.finish_group(out, task);
                true
            }
            (_, Stage::Waiting) => {
                self.make_ready(task);
                false
            }
            _ => false,
        }
    }

    /// A group is done when all in it are and its turn has come; then it counts for its own group.
    fn finish_group(&mut self, out: &mut Decision, group: TaskIx) {
        let mut next = Some(group);
        while let Some(group) = next.take() {
            let slot = self.board.get(group);
            if slot.role != Role::Group
                || slot.is_done()
                || slot.children > 0
                || self.nodes[group.ix()].unmet > 0
            {
                return;
            }
            let silent = slot.ticked || slot.told;
            self.board.set(group, Stage::Settled(TaskOutcome::Done));
            if !silent {
                let task = self.task_ref(group);
                let (verdict, duration) = (Verdict::Unverified, Duration::ZERO);
                self.record(out, EventKind::TaskDone { task, attempts: 0, verdict, duration });
            }
            next = self.count_down(group);
        }
    }

    fn child_done(&mut self, out: &mut Decision, task: TaskIx) {
        if let Some(group) = self.count_down(task) {
            self.finish_group(out, group);
        }
    }

    /// One child less to wait for; the group if that was the last.
    fn count_down(&mut self, child: TaskIx) -> Option<TaskIx> {
        let group = self.plan.task(child).group?;
        let slot = self.board.get_mut(group);
        slot.children = slot.children.saturating_sub(1);
        (slot.children == 0).then_some(group)
    }

    /// After an edit: what was held back for `task` no longer is.
    fn let_go(&mut self, task: TaskIx) {
        if self.held.is_empty() {
            return;
        }
        let (free, held) = std::mem::take(&mut self.held).into_iter().partition(|(by, _)| *by == task);
        self.held = held;
        let free: Vec<(TaskIx, NodeIx)> = free;
        for (_, node) in free {
            self.meet(node);
        }
    }
}
