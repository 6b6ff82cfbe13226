//! Whether everything that is stored twice agrees, and nobody started too early. For tests: linear, after each step.

use super::Scheduler;
use super::layout::NodeIx;
use super::state::{Stage, TaskOutcome};
use crate::event::{Counts, SkipReason};
use crate::plan::{EdgeKind, Role};
use crate::policy::FailurePolicy;
use crate::task::TaskIx;

impl Scheduler {
    /// Panics if an invariant does not hold.
    pub fn check(&self) {
        self.check_sets();
        self.check_counts();
        if self.begun {
            self.check_nodes();
        }
        self.check_overlap();
        self.check_providers();
        assert!(self.work.is_empty(), "work is left over");
        let has_room = self.admission.short.is_none();
        let idle = self.slots.len() == 0 && self.halt.is_none() && self.limits.jobs > 0 && has_room;
        let stuck = idle && self.begun && !self.over && self.has_open_ready();
        assert!(!stuck, "nothing runs although something is ready");
    }

    fn count(&self, stage: impl Fn(Stage) -> bool) -> usize {
        self.board.all().filter(|(_, slot)| stage(slot.stage())).count()
    }

    fn check_sets(&self) {
        assert_eq!(self.ready.len(), self.count(|stage| stage == Stage::Ready), "ready");
        let waiting = self.count(|stage| matches!(stage, Stage::BackingOff));
        assert_eq!(self.backing_off.len(), waiting, "backing off");
        let removed = self.removed.iter().flatten().count();
        let running = self.count(|stage| matches!(stage, Stage::Running { .. })) + removed;
        assert_eq!(self.slots.len() as usize, running, "running");
        for (worker, task) in self.slots.running() {
            if task.ix() < self.board.len() {
                assert_eq!(self.board.get(task).worker(), Some(worker), "worker");
            }
        }
    }

    /// Whoever runs for a provider is known to it, by its slot; whoever waits for one is waited for.
    fn check_providers(&self) {
        self.providers.check();
        let mut held: Vec<u32> = Vec::new();
        for provider in self.providers.ixs() {
            held.extend(self.providers.workers(provider));
        }
        held.sort_unstable();
        assert!(held.windows(2).all(|pair| pair[0] < pair[1]), "a slot is held for two providers");
        let taken: Vec<u32> = self.slots.running().map(|(worker, _)| worker).collect();
        assert!(held.iter().all(|worker| taken.contains(worker)), "nobody runs for whom a provider is held");
        let waits = self.begun && !self.over && self.halt.is_none() && !self.ready.is_empty();
        if waits && !self.has_open_ready() && self.slots.len() == 0 && self.removed.is_empty() {
            assert!(self.next_wakeup().is_some(), "nobody looks whether a provider is to be had again");
        }
    }

    fn check_counts(&self) {
        let mut counts = Counts::default();
        for (_, slot) in self.board.all().filter(|(_, slot)| !slot.is_group) {
            match slot.stage() {
                Stage::Settled(TaskOutcome::NotSelected) => continue,
                Stage::Settled(TaskOutcome::Skipped(SkipReason::Manual)) => {
                    counts.manual += 1;
                    continue;
                }
                Stage::Settled(TaskOutcome::Done) if slot.before_run => {
                    counts.done_before += 1;
                    continue;
                }
                Stage::Settled(TaskOutcome::Done) => counts.done += 1,
                Stage::Settled(TaskOutcome::Failed) => counts.failed += 1,
                Stage::Settled(TaskOutcome::Parked) => counts.parked += 1,
                Stage::Settled(TaskOutcome::Blocked { .. }) => counts.blocked += 1,
                Stage::Settled(TaskOutcome::Skipped(_)) => counts.skipped += 1,
                Stage::Settled(TaskOutcome::Cancelled) => counts.cancelled += 1,
                _ => counts.open += 1,
            }
            counts.selected += 1;
        }
        assert_eq!(self.counts(), counts, "counts");
        let undone = self.board.all().any(|(_, slot)| slot.role == Role::Run && !slot.is_done());
        assert_eq!(self.board.all_done(), !undone, "all done");
    }

    /// `unmet` is what is not released, and what is ready or further has all its needs done.
    fn check_nodes(&self) {
        for node in (0..self.nodes.len() as u32).map(NodeIx) {
            let edges = self.plan.graph.before(node);
            let open = edges.iter().filter(|edge| !self.nodes[edge.from.ix()].released).count();
            let held = self.held.iter().filter(|(_, held)| *held == node).count();
            assert_eq!(self.nodes[node.ix()].unmet as usize, open + held, "unmet of node {}", node.0);
            let task = self.plan.graph.task(node);
            let Some(task) = task.filter(|task| self.board.stage(*task) == Stage::Ready) else { continue };
            for edge in edges.iter().filter(|edge| edge.kind == EdgeKind::Needs) {
                let need =
                    self.plan.graph.task(edge.from).filter(|need| self.board.get(*need).role == Role::Run);
                let done = need.is_none_or(|need| self.board.get(need).is_done());
                let tolerated = self.limits.failure == FailurePolicy::ContinueOnError;
                // A retry keeps the right its first attempt had, also if the file was edited meanwhile.
                let begun = self.board.get(task).attempts > 0;
                assert!(done || tolerated || begun, "task {} is ready before its needs", task.0);
            }
        }
    }

    fn check_overlap(&self) {
        let running: Vec<TaskIx> = self.slots.running().map(|(_, task)| task).collect();
        let mut overlap = self.overlap.at_rest();
        let known = running.iter().filter(|task| task.ix() < self.board.len());
        known.for_each(|task| overlap.start(*task));
        for task in self.plan.task_ixs() {
            let class = self.overlap.class(task);
            assert_eq!(self.overlap.may_start(class), overlap.may_start(class), "overlap of task {}", task.0);
        }
    }
}
