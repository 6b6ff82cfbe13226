//! Why a task has not started: the reasons as data; `ui` puts them into words.

use super::layout::NodeIx;
use super::state::{Stage, TaskOutcome, TaskState};
use super::{Halt, Held, Scheduler};
use crate::event::{Elapsed, Scarce};
use crate::plan::Role;
use crate::plan::graph::Edge;
use crate::task::TaskIx;
use std::collections::HashSet;

/// What is known of a task's standing.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    pub task: TaskIx,
    pub role: Role,
    pub state: TaskState,
    /// Attempts started so far, and how many the retry budget holds.
    pub attempts: u32,
    pub max_attempts: u32,
    /// What stands between the task and its start; empty if it has started or ended.
    pub obstacles: Vec<Obstacle>,
}

/// One reason not to start.
#[derive(Clone, Debug, PartialEq)]
pub enum Obstacle {
    /// `on` is not settled; `edge` is the last step to it, with its reason and line.
    Waits { on: TaskIx, edge: Edge },
    /// It needs, directly or not, a task that failed or that waits for a person.
    BlockedBy(TaskIx),
    /// The file was edited: the plan now puts the task before `by`, which already runs.
    Held { by: TaskIx },
    /// This task runs and works on `path`, over which attempts were at odds.
    Contested { path: String, with: TaskIx },
    /// The mode does not let it run beside these.
    Overlap { with: Vec<TaskIx> },
    /// It would delay this better task, which waits to run alone.
    GivesWay { to: TaskIx },
    /// The machine has too little of it.
    Scarce(Scarce),
    /// The provider of its agent is at a limit.
    Provider { name: String, why: Held },
    /// All workers are busy; `ahead` ready tasks come first.
    NoFreeWorker { jobs: u32, ahead: u32 },
    /// A task that was removed from the file still runs.
    RemovedTaskRuns,
    /// It failed, and waits for its next attempt.
    BackingOff { until: Elapsed },
    /// Nothing more is started.
    Halted(Halt),
}

impl Scheduler {
    /// Why `task` has not started. Looks at as much of the plan as lies before it, so it is for one question at a
    /// time, not for every step.
    pub fn explain(&self, task: TaskIx) -> Explanation {
        let slot = self.board.get(task);
        let mut obstacles = match slot.stage() {
            Stage::Waiting => self.waits(task),
            Stage::Ready => self.why_ready_waits(task),
            Stage::BackingOff => vec![Obstacle::BackingOff { until: slot.not_before.into() }],
            Stage::Settled(TaskOutcome::Blocked { by }) => vec![Obstacle::BlockedBy(by)],
            Stage::Running { .. } | Stage::Settled(_) => Vec::new(),
        };
        let is_open = !matches!(slot.stage(), Stage::Running { .. } | Stage::Settled(_));
        obstacles.extend(self.halt.filter(|_| is_open).map(Obstacle::Halted));
        let (attempts, max_attempts) = (slot.attempts, slot.max_attempts);
        Explanation { task, role: slot.role, state: self.state(task), attempts, max_attempts, obstacles }
    }

    /// The open tasks behind every unmet edge, through gates and whatever else only passes order on.
    fn waits(&self, task: TaskIx) -> Vec<Obstacle> {
        let start = NodeIx::from(task);
        let mut obstacles = Vec::new();
        let mut seen = HashSet::from([start]);
        let mut wave = vec![start];
        let mut found = Vec::new();
        while let Some(node) = wave.pop() {
            let held = self.held.iter().filter(|(_, held)| *held == node);
            obstacles.extend(held.map(|(by, _)| Obstacle::Held { by: *by }));
            for edge in self.plan.graph.before(node) {
                if self.nodes[edge.from.ix()].released || !seen.insert(edge.from) {
                    continue;
                }
                match self.plan.graph.task(edge.from).filter(|on| self.is_open_work(*on)) {
                    Some(on) => found.push((on, *edge)),
                    None => wave.push(edge.from),
                }
            }
        }
        found.sort_unstable_by_key(|(on, _)| *on);
        obstacles.extend(found.into_iter().map(|(on, edge)| Obstacle::Waits { on, edge }));
        obstacles
    }

    fn is_open_work(&self, task: TaskIx) -> bool {
        let slot = self.board.get(task);
        let settled = matches!(slot.stage(), Stage::Settled(outcome) if outcome != TaskOutcome::Cancelled);
        !settled && slot.role != Role::Group
    }

    fn why_ready_waits(&self, task: TaskIx) -> Vec<Obstacle> {
        if !self.removed.is_empty() {
            return vec![Obstacle::RemovedTaskRuns];
        }
        let seat = self.overlap.seat(self.overlap.class(task));
        let nobody = seat.filter(|seat| self.staff.choose(*seat, &self.providers).is_none());
        let provider = nobody.and_then(|seat| self.staff.provider(seat));
        if let Some((provider, why)) = provider.and_then(|known| Some((known, self.providers.holds(known)?)))
        {
            return vec![Obstacle::Provider { name: self.providers.name(provider).to_owned(), why }];
        }
        let with: Vec<TaskIx> = self
            .slots
            .running()
            .map(|(_, other)| other)
            .filter(|other| self.overlap.conflict(task, *other))
            .collect();
        let contested =
            with.iter().find_map(|other| Some((*other, self.overlap.contested_by(task, *other)?)));
        if let Some((with, path)) = contested {
            return vec![Obstacle::Contested { path: path.to_owned(), with }];
        }
        if !with.is_empty() {
            return vec![Obstacle::Overlap { with }];
        }
        let rank = self.board.get(task).rank;
        let better = self.ready.heads().take_while(|head| *head < rank).map(|head| self.order[head as usize]);
        let mut held_up = better.filter(|head| !self.overlap.may_start(self.overlap.class(*head)));
        if let Some(to) = held_up.find(|head| self.overlap.conflict(task, *head)) {
            return vec![Obstacle::GivesWay { to }];
        }
        if let Some(scarce) = self.waits_for() {
            return vec![Obstacle::Scarce(scarce)];
        }
        let ready = self.board.all().filter(|(_, slot)| slot.stage() == Stage::Ready);
        let ahead = ready.filter(|(_, slot)| slot.rank < rank).count() as u32;
        vec![Obstacle::NoFreeWorker { jobs: self.limits.jobs, ahead }]
    }
}
