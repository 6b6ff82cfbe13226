//! The summary beside the real scheduler: two folds of one run, which must agree whatever happens.

use super::run::{START, plan, with_needs};
use fastrand::Rng;
use specter::event::{AttemptOutcome, AttemptReport, Event, EventKind, FailureClass, RunInfo, Stop};
use specter::history::History;
use specter::plan::{Mode, Plan};
use specter::policy::{Budgets, FailurePolicy, RetryPolicy};
use specter::projection::{Moment, Place, Projections, log};
use specter::schedule::{Action, Decision, Input, Limits, Scheduler, Session};
use specter::summary::Summary;
use specter::task::TaskIx;
use std::sync::Arc;
use std::time::Duration;

fn random_plan(rng: &mut Rng) -> Plan {
    let count = rng.usize(1..20);
    let line = |n: usize, rng: &mut Rng| {
        let ticked = if rng.u8(..6) == 0 { "!" } else { "" };
        let parallel = if rng.bool() { "[P] " } else { "" };
        format!("{ticked}T{n:03} {parallel}Task\n")
    };
    let text: String = (0..count).map(|n| line(n, rng)).collect();
    let ids: Vec<String> = (0..count).map(|n| format!("T{n:03}")).collect();
    let mut needs: Vec<(&str, &str)> = Vec::new();
    for n in 1..count {
        (0..rng.usize(..3)).for_each(|_| needs.push((&ids[n], &ids[rng.usize(..n)])));
    }
    let mode = rng.choice([Mode::Sequential, Mode::Parallel, Mode::Graph]).unwrap_or_default();
    with_needs(plan(mode, &text), &needs)
}

struct Sim {
    rng: Rng,
    plan: Arc<Plan>,
    journal: Vec<Event>,
    running: Vec<(TaskIx, Duration)>,
    now: Duration,
    over: bool,
}

impl Sim {
    /// Until the run ends or the session is cut off; None for a crash.
    fn session(&mut self, cut_after: usize) -> Option<Scheduler> {
        let history = History::from_events(&self.journal);
        let seed = self.rng.u64(..);
        let info = RunInfo { run: "r1".to_owned(), jobs: 3, ..RunInfo::default() };
        let session = Session::after(&history, info, START + self.journal.len() as u64 * 1_000_000, seed);
        let limits = Limits {
            jobs: 3,
            retry: RetryPolicy::default(),
            failure: self.rng.choice([FailurePolicy::KeepGoing, FailurePolicy::FailFast]).unwrap_or_default(),
            budgets: Budgets { max_dispatches: Some(self.rng.u32(5..60)), ..Budgets::default() },
        };
        let mut scheduler = Scheduler::new(Arc::clone(&self.plan), limits, &history, session);
        (self.now, self.over) = (Duration::ZERO, false);
        self.running.clear();
        let mut input = Input::Begin;
        for _ in 0..cut_after {
            let decision = scheduler.step(self.now, input);
            self.take(decision);
            if self.over {
                return Some(scheduler);
            }
            input = self.next(&scheduler);
        }
        None
    }

    fn take(&mut self, decision: Decision) {
        self.journal.extend(decision.events);
        for action in decision.actions {
            match action {
                Action::Start { task, .. } => {
                    let ends = self.now + Duration::from_millis(self.rng.u64(..5000));
                    self.running.push((task, ends));
                }
                Action::Cancel { task, .. } => {
                    let now = self.now;
                    self.running
                        .iter_mut()
                        .filter(|(other, _)| *other == task)
                        .for_each(|(_, end)| *end = now);
                }
                Action::Exit(_) => self.over = true,
            }
        }
    }

    fn next(&mut self, scheduler: &Scheduler) -> Input {
        if self.rng.u8(..40) == 0 {
            return Input::Interrupt { signal: 2, name: "SIGINT", how: Stop::Gracefully };
        }
        let end =
            self.running.iter().enumerate().min_by_key(|(_, (_, end))| *end).map(|(n, (_, end))| (n, *end));
        let wakeup = scheduler.next_wakeup();
        match (end, wakeup) {
            (Some((n, end)), wakeup) if wakeup.is_none_or(|wakeup| end <= wakeup) => {
                self.now = self.now.max(end);
                let (task, _) = self.running.swap_remove(n);
                Input::Finished { task, report: self.report() }
            }
            (_, Some(wakeup)) => {
                self.now = self.now.max(wakeup);
                Input::Wakeup
            }
            _ => panic!("nothing is left to wait for, and the run is not over"),
        }
    }

    fn report(&mut self) -> AttemptReport {
        let class = self.rng.choice([FailureClass::Transient, FailureClass::Permanent, FailureClass::Gate]);
        match self.rng.u8(..4) {
            0 => AttemptReport { outcome: AttemptOutcome::ExitCode(1), class, ..AttemptReport::default() },
            _ => AttemptReport::default(),
        }
    }
}

#[test]
fn the_summary_counts_as_the_scheduler_does() {
    let (mut ended, mut resumed) = (0, 0);
    for seed in 0..400 {
        let mut rng = Rng::with_seed(seed);
        let plan = Arc::new(random_plan(&mut rng));
        let mut sim = Sim {
            rng,
            plan: Arc::clone(&plan),
            journal: Vec::new(),
            running: Vec::new(),
            now: Duration::ZERO,
            over: false,
        };
        for _ in 0..4 {
            let cut_after = if sim.rng.bool() { sim.rng.usize(1..40) } else { usize::MAX };
            let end = sim.session(cut_after);
            let summary = Summary::of(&plan, &sim.journal);
            assert_eq!(summary.seq as usize, sim.journal.len(), "seed {seed}");
            if let Some(scheduler) = end {
                ended += 1;
                let Some(EventKind::RunFinished { counts, duration, outcome, .. }) =
                    sim.journal.last().map(|event| &event.kind)
                else {
                    panic!("seed {seed}: a run ends with its last event")
                };
                assert_eq!(summary.counts(), *counts, "seed {seed}");
                assert_eq!(scheduler.counts(), *counts, "seed {seed}");
                assert_eq!(summary.outcome(), Some(*outcome), "seed {seed}");
                assert!(duration.as_millis().abs_diff(summary.duration_ms().into()) <= 4, "seed {seed}");
                assert!(summary.running().is_empty(), "seed {seed}");
            }
            resumed += usize::from(summary.is_resumed());
            laws(&plan, &sim.journal, &summary, seed);
        }
    }
    assert!(ended > 500 && resumed > 500, "{ended} runs ended, {resumed} were taken up");
}

/// What holds after every session.
fn laws(plan: &Plan, journal: &[Event], summary: &Summary, seed: u64) {
    let numbers = summary.numbers();
    assert!(numbers.efficiency.is_none_or(|efficiency| (0.0..1.0).contains(&efficiency)), "seed {seed}");
    assert!(summary.spans().executing_ms() <= numbers.duration_ms, "seed {seed}");
    assert!(summary.spans().peak() <= 3, "seed {seed}");
    if plan.mode == Mode::Sequential {
        assert_eq!((numbers.saved_ms, numbers.efficiency), (0, None), "seed {seed}");
    }
    let (mut projections, again) = Projections::resumed(plan, journal, false);
    assert_eq!(again.numbers(), numbers, "seed {seed}");
    let writes = projections.due(plan, &again, Moment::Rest);
    let text = writes.iter().find(|write| write.place == Place::Log).unwrap().content.onto(None);
    assert_eq!(text, log::render(plan, journal), "seed {seed}");
}
