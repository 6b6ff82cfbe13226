//! Time left, by running the rest of the schedule with expected durations (SPEC 12.2).

use super::admission::Admission;
use super::state::Stage;
use super::{Action, Decision, Input, Scheduler, Velocity};
use crate::event::{AttemptReport, Elapsed};
use crate::plan::Role;
use crate::policy::Budgets;
use crate::task::TaskIx;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// How many open tasks are played through before a bound must do.
pub const FORECAST_CAP: usize = 2_000;

/// How long the rest will take if it goes as expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    pub left: Duration,
    /// There is more left than was played through: `left` is what it takes at the least.
    pub at_least: bool,
}

/// Works on a copy: the real run is not touched. At most `cap` tasks are played through.
pub fn forecast(scheduler: &Scheduler, now: Elapsed, cap: usize) -> Forecast {
    let open = scheduler.counts().open as usize;
    if scheduler.over || open == 0 {
        return Forecast::default();
    }
    let scale = scheduler.velocity.scale();
    if open > cap {
        return Forecast { left: least(scheduler, scale), at_least: true };
    }
    let left = Play::new(scheduler, now, scale).end().saturating_sub(now);
    Forecast { left, at_least: false }
}

impl Velocity {
    /// What durations are multiplied by: what was taken over what was expected, once there is something to go by.
    fn scale(self) -> f64 {
        let expected = self.expected.as_secs_f64();
        if expected > 0.0 { self.taken.as_secs_f64() / expected } else { 1.0 }
    }
}

/// The longer of the work shared by all workers and the longest path.
fn least(scheduler: &Scheduler, scale: f64) -> Duration {
    let jobs = f64::from(scheduler.limits.jobs.max(1));
    let is_open = |stage| !matches!(stage, Stage::Settled(_));
    let open = scheduler.board.all().filter(|(_, slot)| slot.role == Role::Run && is_open(slot.stage()));
    let (mut work, mut path) = (Duration::ZERO, Duration::ZERO);
    for planned in open.map(|(task, _)| scheduler.plan.planned(task)) {
        work += Duration::from(planned.estimate);
        path = path.max(planned.remaining.into());
    }
    Duration::from_secs_f64((work.as_secs_f64() / jobs).max(path.as_secs_f64()) * scale)
}

/// The rest of the run, in which every attempt succeeds after its expected time.
struct Play {
    scheduler: Scheduler,
    now: Elapsed,
    scale: f64,
    ends: BinaryHeap<Reverse<(Elapsed, TaskIx)>>,
    /// Used again for every step; its events are of no interest.
    decision: Decision,
}

impl Play {
    fn new(scheduler: &Scheduler, now: Elapsed, scale: f64) -> Play {
        let mut play = Play {
            scheduler: scheduler.clone(),
            now,
            scale,
            ends: BinaryHeap::new(),
            decision: Decision::default(),
        };
        // Without budgets: how long the work takes, not when it will be stopped.
        play.scheduler.limits.budgets = Budgets::default();
        // Nor how long the machine is busy with something else.
        play.scheduler.admission = Admission::default();
        play.scheduler.providers.open_all();
        play.scheduler.limits.jobs = play.scheduler.limits.jobs.max(1);
        for (_, task) in scheduler.slots.running() {
            let is_known = task.ix() < scheduler.board.len();
            let begun = if is_known { scheduler.board.get(task).started.into() } else { now };
            play.ends.push(Reverse(((begun + play.expected(task)).max(now), task)));
        }
        play
    }

    fn expected(&self, task: TaskIx) -> Duration {
        let planned = self.scheduler.plan.planned.get(task.ix());
        planned.map_or(Duration::ZERO, |planned| Duration::from(planned.estimate).mul_f64(self.scale))
    }

    /// The instant at which nothing is left.
    fn end(mut self) -> Elapsed {
        if self.ends.is_empty() {
            self.step(Input::Wakeup);
        }
        while let Some((at, input)) = self.next() {
            self.now = self.now.max(at);
            self.step(input);
        }
        self.now
    }

    fn next(&mut self) -> Option<(Elapsed, Input)> {
        let wakeup = self.scheduler.next_wakeup();
        match (wakeup, self.ends.peek().copied()) {
            (Some(wakeup), end) if end.is_none_or(|Reverse((end, _))| wakeup < end) => {
                Some((wakeup, Input::Wakeup))
            }
            (_, Some(Reverse((end, task)))) => {
                self.ends.pop();
                let report = AttemptReport { duration: self.expected(task), ..AttemptReport::default() };
                Some((end, Input::Finished { task, report }))
            }
            _ => None,
        }
    }

    fn step(&mut self, input: Input) {
        self.decision.events.clear();
        self.decision.actions.clear();
        let mut decision = std::mem::take(&mut self.decision);
        self.scheduler.step_into(self.now, input, &mut decision);
        for action in &decision.actions {
            if let Action::Start { task, .. } = action {
                self.ends.push(Reverse((self.now + self.expected(*task), *task)));
            }
        }
        self.decision = decision;
    }
}
