//! What is allowed: retries, waits, budgets, what a failure does. Plain values; nothing here acts.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How often and after which wait a failed attempt is tried again (SPEC 5.2).
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// All attempts of a task together, the first one included; at least 1.
    pub max_attempts: u32,
    /// Somebody said so, and it is not the default.
    pub is_given: bool,
    /// Wait before the second attempt.
    pub base: Duration,
    /// What each further wait is multiplied by; 1 for a linear strategy's constant wait.
    pub factor: f64,
    /// The longest wait before jitter.
    pub cap: Duration,
    /// Up to this much is added at random.
    pub jitter: Duration,
    /// Waits given one by one (`retryDelays`); the last one repeats. Empty: computed from the above.
    pub delays: Vec<Duration>,
}

impl Default for RetryPolicy {
    fn default() -> RetryPolicy {
        RetryPolicy {
            max_attempts: 3,
            is_given: false,
            base: Duration::from_secs(1),
            factor: 2.0,
            cap: Duration::from_secs(10),
            jitter: Duration::from_millis(500),
            delays: Vec::new(),
        }
    }
}

impl RetryPolicy {
    /// The wait before attempt `next` (2 is the first retry).
    pub fn delay(&self, next: u32, rng: &mut fastrand::Rng) -> Duration {
        let step = next.saturating_sub(2);
        let plain = match self.delays.get(step as usize).or(self.delays.last()) {
            Some(delay) => *delay,
            None => self.base.mul_f64(self.factor.max(1.0).powi(step.min(32) as i32).min(1e9)).min(self.cap),
        };
        plain + self.jitter.mul_f64(rng.f64())
    }
}

/// Of something that attempts need, so much stays free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Floor {
    /// What is usual, or less on a small machine.
    #[default]
    Auto,
    Off,
    Bytes(u64),
}

impl Floor {
    pub fn of(self, usual: u64) -> u64 {
        match self {
            Floor::Auto => usual,
            Floor::Off => 0,
            Floor::Bytes(bytes) => bytes,
        }
    }

    pub fn is_off(self) -> bool {
        self.of(1) == 0
    }
}

/// While less than this is free on the machine, nothing more is started (SPEC 4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Floors {
    pub memory: Floor,
    pub disk: Floor,
    /// The highest load average over a minute.
    pub max_load: Option<f64>,
}

/// What the failure of one task does to the rest of the run (SPEC 5.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailurePolicy {
    /// Block what needs it; everything else goes on.
    #[default]
    KeepGoing,
    /// Start nothing more after the first failed task.
    FailFast,
    /// Run even what needed the failed task.
    ContinueOnError,
}

/// Limits that end a run cleanly, counted across resumes (SPEC 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Attempts started in the whole run, for whatever reason; `None` is no limit.
    pub max_dispatches: Option<u32>,
    /// Attempts that changed nothing, per task.
    pub max_no_change: u32,
    /// Time over all sessions of the run.
    pub max_time: Option<Duration>,
    /// Sent to and received from models, by what agents tell of it.
    pub max_tokens: Option<u64>,
    /// Millionths of a dollar, by what agents tell of it.
    pub max_cost_micros: Option<u64>,
    pub on_limit: OnLimit,
    /// A provider's limit that lasts longer than this ends the run, once there is nothing else to do.
    pub max_wait: Duration,
}

/// What a usage limit of a provider does to the run (SPEC 5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLimit {
    /// What needs that provider waits, all else goes on.
    #[default]
    Wait,
    /// The next agent of the chain takes over, in the same workspace; who has none waits.
    Failover,
    /// Nothing more is started.
    Stop,
}

/// What a question of an agent does to its task (SPEC 4.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnQuestion {
    /// It waits for an answer, and what needs it with it.
    #[default]
    Park,
    /// What the agent would take by itself is taken; without such a thing it decides alone.
    Default,
    /// It has failed.
    Fail,
}

impl Default for Budgets {
    fn default() -> Budgets {
        Budgets {
            max_dispatches: None,
            max_no_change: 3,
            max_time: None,
            max_tokens: None,
            max_cost_micros: None,
            on_limit: OnLimit::Wait,
            max_wait: Duration::from_hours(8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_with_at_most_half_a_second_of_jitter() {
        let policy = RetryPolicy::default();
        let mut rng = fastrand::Rng::with_seed(1);
        for (next, seconds) in [(2, 1), (3, 2), (4, 4), (5, 8), (6, 10), (60, 10)] {
            let delay = policy.delay(next, &mut rng);
            let least = Duration::from_secs(seconds);
            assert!(delay >= least && delay <= least + Duration::from_millis(500), "{next}: {delay:?}");
        }
    }

    #[test]
    fn given_delays_are_used_in_turn_and_the_last_repeats() {
        let delays = [1, 5].map(Duration::from_secs).to_vec();
        let policy = RetryPolicy { delays, jitter: Duration::ZERO, ..RetryPolicy::default() };
        let mut rng = fastrand::Rng::with_seed(1);
        let waits: Vec<u64> = (2..6).map(|n| policy.delay(n, &mut rng).as_secs()).collect();
        assert_eq!(waits, [1, 5, 5, 5]);
    }
}
