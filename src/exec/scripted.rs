//! An executor that runs nothing: each attempt ends as a script says, after as long as it says. For rehearsals and
//! tests of whatever drives attempts.

use super::Attempt;
use super::stop::StopHandle;
use crate::event::{AttemptOutcome, AttemptReport, FailureClass};
use crate::sys;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How one attempt goes.
#[derive(Clone, Debug, Default)]
pub struct ScriptedAttempt {
    pub takes: Duration,
    pub report: AttemptReport,
}

type Script = dyn Fn(&Attempt<'_>) -> ScriptedAttempt + Send + Sync;

pub struct Scripted(Box<Script>);

impl Scripted {
    pub fn new(script: impl Fn(&Attempt<'_>) -> ScriptedAttempt + Send + Sync + 'static) -> Scripted {
        Scripted(Box::new(script))
    }

    pub(super) fn run(&self, attempt: &Attempt<'_>, stop: &StopHandle) -> AttemptReport {
        let ScriptedAttempt { takes, mut report } = (self.0)(attempt);
        let started = Instant::now();
        let is_whole = wait(takes, stop);
        report.duration = if is_whole { takes } else { started.elapsed() };
        if !is_whole {
            report.outcome = AttemptOutcome::Cancelled;
            report.class = Some(FailureClass::Cancelled);
        }
        report
    }
}

/// False if it was stopped before.
fn wait(takes: Duration, stop: &StopHandle) -> bool {
    let started = Instant::now();
    let armed = stop.arm();
    loop {
        if stop.requested().is_some() {
            return false;
        }
        let now = Instant::now();
        let spent = (now - started).saturating_sub(stop.paused(now));
        if spent >= takes {
            return true;
        }
        let wake = armed.as_ref().ok().map(|armed| armed.wake.as_fd());
        let _woken = sys::poll([wake], Some(takes.saturating_sub(spent)));
        if let Ok(armed) = &armed {
            armed.wake.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Stop;
    use crate::exec::shell::tests::task;
    use crate::task::TaskIx;

    #[test]
    fn a_script_says_how_it_ends_and_a_stop_ends_it_before() {
        let scripted = Scripted::new(|attempt| ScriptedAttempt {
            takes: Duration::from_mins(if attempt.number == 1 { 0 } else { 10 }),
            report: AttemptReport::default(),
        });
        let task = task(&[]);
        let stop = StopHandle::new();
        let mut attempt = Attempt::new(TaskIx(0), &task, 1, false);
        assert!(scripted.run(&attempt, &stop).outcome.is_success());
        attempt.number = 2;
        std::thread::scope(|scope| {
            let running = scope.spawn(|| scripted.run(&attempt, &stop));
            stop.stop(Stop::Gracefully);
            assert_eq!(running.join().unwrap().outcome, AttemptOutcome::Cancelled);
        });
    }
}
