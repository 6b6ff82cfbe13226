//! How much may be under way, and how long all of it should take.

use crate::config::{self, Config};
use crate::history::History;
use crate::plan::{Mode, Plan};
use crate::schedule::{self, Limits, Scheduler};
use std::sync::Arc;
use std::time::Duration;

pub(super) fn limits(config: &Config) -> Limits {
    Limits {
        jobs: jobs(config),
        retry: config.retry.clone(),
        failure: config.failure,
        budgets: config.budgets,
    }
}

pub(super) fn jobs(config: &Config) -> u32 {
    match (config.mode, config.jobs) {
        (Mode::Sequential, _) => 1,
        (_, config::Jobs::Count(jobs)) => jobs.get(),
        (_, config::Jobs::Auto) => cores(),
    }
}

pub(super) fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32)
}

/// How long a new run of `plan` should take: it is played through with what is known of durations.
pub(super) fn expected(plan: &Plan, config: &Config) -> Option<Duration> {
    let history = History::default();
    let session = schedule::Session::default();
    let scheduler = Scheduler::new(Arc::new(plan.clone()), limits(config), &history, session);
    let forecast = schedule::forecast(&scheduler, Duration::ZERO, schedule::FORECAST_CAP);
    (!forecast.at_least && !forecast.left.is_zero()).then_some(forecast.left)
}
