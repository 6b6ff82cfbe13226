//! The watchdog against simulated agents of every kind, a thousand of each: none that gets anywhere is ended, each that is
//! stuck is found within its limit.

use super::*;
use fastrand::Rng;

const STALL: Duration = Duration::from_mins(10);
const MINUTE: Duration = Duration::from_mins(1);

/// What a simulated agent does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    /// Prints nothing, writes a file now and then.
    Writes,
    /// Prints nothing, computes, on machines of any load.
    Computes,
    /// Prints something new now and then.
    Speaks,
    /// Waits for a command that it runs.
    WaitsForChild,
    /// Prints the same words for ever, and blinks a little.
    Chatters,
    /// Waits for a command whose process is gone.
    ChildDied,
    /// Nothing at all.
    Hangs,
    /// Answers when it is asked whether it goes on, and does nothing.
    Answers,
}

struct Simulated {
    does: Does,
    rng: Rng,
    sample: Sample,
    files: u64,
    /// From then on it does what it does; before, it speaks.
    from: Duration,
    next: Duration,
    gap: Duration,
}

impl Simulated {
    fn new(does: Does, seed: u64) -> Simulated {
        let mut rng = Rng::with_seed(seed);
        // No agent runs a tool before it has been seen at all.
        let from = Duration::from_secs(rng.u64(1..1200));
        // Never quite as long as the limit.
        let gap = Duration::from_secs(rng.u64(1..500));
        let sample = Sample { processes: rng.u32(1..4), ..Sample::default() };
        Simulated { does, rng, sample, files: 7, from, next: Duration::ZERO, gap }
    }

    /// What is seen at `now`, `since` after the last time.
    fn at(&mut self, now: Duration, since: Duration, wants_files: bool) -> Sample {
        let is_due = now >= self.next;
        if is_due {
            self.next = now + self.gap.mul_f64(self.rng.f64());
        }
        // Its timers wake it up: up to two hundredths of a core.
        let idle = since.mul_f64(self.rng.f64() / 50.0);
        self.sample.cpu += idle;
        if now < self.from {
            self.sample.news += u64::from(is_due);
        } else {
            self.go_on(is_due, since);
        }
        Sample { files: wants_files.then_some(self.files), ..self.sample }
    }

    fn hears(&mut self, verdict: Verdict, now: Duration) {
        let is_asked = matches!(verdict, Verdict::Quiet(QuietStage::Nudge, _));
        self.sample.news += u64::from(is_asked && self.does == Does::Answers && now >= self.from);
    }

    fn go_on(&mut self, is_due: bool, since: Duration) {
        match self.does {
            Does::Writes => self.files += u64::from(is_due),
            // A sixth of a core at the worst, and not in every moment.
            Does::Computes if self.rng.u32(0..4) > 0 => {
                self.sample.cpu += since.mul_f64(self.rng.f64() * 0.8 + 0.15);
            }
            Does::Speaks => self.sample.news += u64::from(is_due),
            Does::WaitsForChild if self.sample.open_calls == 0 => {
                self.sample.open_calls = 1;
                self.sample.processes += 1;
            }
            Does::ChildDied => self.sample.open_calls = 1,
            Does::Computes | Does::WaitsForChild | Does::Chatters | Does::Hangs | Does::Answers => {}
        }
    }
}

type Stages = Vec<(Duration, QuietStage, Duration)>;

/// When the watchdog spoke its last word, if it did within four hours.
fn watched(does: Does, seed: u64, limits: Limits) -> Option<(Duration, Duration, Verdict)> {
    told(does, seed, limits).0
}

/// That, and all that it said before.
fn told(does: Does, seed: u64, limits: Limits) -> (Option<(Duration, Duration, Verdict)>, Stages) {
    let mut stages = Vec::new();
    let mut agent = Simulated::new(does, seed);
    let mut watchdog = Watchdog::new(limits, Some(7));
    let (mut now, mut last) = (Duration::ZERO, Duration::ZERO);
    while now < 240 * MINUTE {
        let sample = agent.at(now, now.saturating_sub(last), watchdog.wants_files(now));
        let verdict = watchdog.look(now, &sample);
        stages.extend(match verdict {
            Verdict::Quiet(stage, quiet) => Some((now, stage, quiet)),
            _ => None,
        });
        if !matches!(verdict, Verdict::Fine | Verdict::Quiet(..)) {
            return (Some((now, agent.from, verdict)), stages);
        }
        agent.hears(verdict, now);
        last = now;
        // The machine is busy: samples come late.
        now += watchdog.pause(now).mul_f64(1.0 + agent.rng.f64());
    }
    (None, stages)
}

#[test]
fn whoever_gets_anywhere_is_never_ended() {
    let limits = Limits { stall: STALL, wall: None };
    for does in [Does::Writes, Does::Computes, Does::Speaks, Does::WaitsForChild] {
        for seed in 0..1000 {
            assert_eq!(watched(does, seed, limits), None, "{does:?}, seed {seed}");
        }
    }
}

#[test]
fn whoever_is_stuck_is_found_within_the_limit() {
    let limits = Limits { stall: STALL, wall: None };
    for does in [Does::Chatters, Does::ChildDied, Does::Hangs] {
        for seed in 0..1000 {
            let Some((at, from, verdict)) = watched(does, seed, limits) else {
                panic!("{does:?}, seed {seed}: never")
            };
            assert_eq!(verdict, Verdict::Stalled(STALL), "{does:?}, seed {seed}");
            // Asked to end, and two samples late at the most.
            assert!(
                at <= from + STALL + WRAP_UP + 3 * MINUTE,
                "{does:?}, seed {seed}: after {at:?}, from {from:?}"
            );
        }
    }
}

#[test]
fn before_anything_is_ended_it_is_said_then_asked_and_then_asked_to_end_each_once_and_in_time() {
    let limits = Limits { stall: STALL, wall: None };
    for does in [Does::Chatters, Does::ChildDied, Does::Hangs] {
        for seed in 0..1000 {
            let (Some((end, ..)), stages) = told(does, seed, limits) else { panic!("{does:?}, seed {seed}") };
            let last = stages.len().saturating_sub(3);
            let kinds: Vec<QuietStage> = stages[last..].iter().map(|(_, stage, _)| *stage).collect();
            assert_eq!(
                kinds,
                [QuietStage::Notice, QuietStage::Nudge, QuietStage::SoftStop],
                "{does:?}, seed {seed}: {stages:?}"
            );
            for ((_, _, quiet), least) in stages[last..].iter().zip([STALL / 2, STALL * 3 / 4, STALL]) {
                assert!(*quiet >= least && *quiet <= least + 2 * MINUTE, "{does:?}, seed {seed}: {quiet:?}");
            }
            let (asked, ..) = stages[last + 2];
            assert!(end >= asked + WRAP_UP && end <= asked + WRAP_UP + 2 * MINUTE, "{does:?}, seed {seed}");
        }
    }
}

#[test]
fn who_gets_anywhere_is_never_asked_to_end_and_hardly_ever_spoken_of() {
    let limits = Limits { stall: STALL, wall: None };
    for does in [Does::Writes, Does::Computes, Does::Speaks, Does::WaitsForChild] {
        for seed in 0..1000 {
            let (_, stages) = told(does, seed, limits);
            let worst = stages.iter().map(|(_, stage, _)| *stage).max();
            assert!(worst < Some(QuietStage::SoftStop), "{does:?}, seed {seed}: {stages:?}");
        }
    }
}

#[test]
fn who_answers_and_does_nothing_is_asked_twice_and_then_found() {
    let limits = Limits { stall: STALL, wall: None };
    for seed in 0..1000 {
        let (Some((at, from, _)), stages) = told(Does::Answers, seed, limits) else { panic!("seed {seed}") };
        let asked = stages.iter().filter(|(at, stage, _)| *stage == QuietStage::Nudge && *at >= from);
        assert!(asked.count() <= 2, "seed {seed}: {stages:?}");
        assert!(at <= from + 3 * STALL + 6 * MINUTE, "seed {seed}: after {at:?}, from {from:?}");
    }
}

#[test]
fn nobody_works_longer_than_the_wall_limit() {
    let wall = Duration::from_hours(1);
    let limits = Limits { stall: STALL, wall: Some(wall) };
    for does in [Does::Writes, Does::Computes, Does::Speaks, Does::WaitsForChild] {
        for seed in 0..100 {
            let Some((at, _, verdict)) = watched(does, seed, limits) else {
                panic!("{does:?}, seed {seed}: never")
            };
            assert_eq!(verdict, Verdict::OutOfTime(wall), "{does:?}, seed {seed}");
            assert!(at < wall + MINUTE, "{does:?}, seed {seed}: {at:?}");
        }
    }
}

#[test]
fn a_limit_of_moments_is_kept_too() {
    let mut watchdog = Watchdog::new(Limits { stall: Duration::from_millis(300), wall: None }, Some(1));
    let nothing = Sample { files: Some(1), processes: 1, ..Sample::default() };
    let quiet = Duration::from_millis(200);
    assert_eq!(watchdog.look(quiet, &nothing), Verdict::Quiet(QuietStage::Notice, quiet));
    assert!(watchdog.wants_files(Duration::from_millis(310)));
    let not_looked = Sample { files: None, ..nothing };
    assert_eq!(
        watchdog.look(Duration::from_millis(310), &not_looked),
        Verdict::Fine,
        "never without the files"
    );
    let quiet = Duration::from_millis(320);
    assert_eq!(watchdog.look(quiet, &nothing), Verdict::Quiet(QuietStage::SoftStop, quiet));
    assert_eq!(watchdog.look(Duration::from_millis(380), &nothing), Verdict::Fine, "it has a moment to end");
    assert_eq!(
        watchdog.look(Duration::from_millis(400), &nothing),
        Verdict::Stalled(Duration::from_millis(300))
    );
}

#[test]
fn time_on_the_cores_that_goes_with_a_process_is_no_progress_and_hides_none() {
    let mut watchdog = Watchdog::new(Limits { stall: STALL, wall: None }, Some(1));
    let cpu =
        |cpu| Sample { cpu: Duration::from_secs(cpu), files: Some(1), processes: 1, ..Sample::default() };
    assert_eq!(watchdog.look(MINUTE, &cpu(60)), Verdict::Fine);
    assert_eq!(watchdog.look(2 * MINUTE, &cpu(3)), Verdict::Fine);
    assert_eq!(watchdog.look(10 * MINUTE, &cpu(63)), Verdict::Fine, "an eighth of a core");
    let notice = Verdict::Quiet(QuietStage::Notice, 5 * MINUTE);
    assert_eq!(watchdog.look(15 * MINUTE, &cpu(64)), notice);
    let stop = Verdict::Quiet(QuietStage::SoftStop, STALL);
    assert_eq!(watchdog.look(20 * MINUTE, &cpu(64)), stop);
    assert_eq!(watchdog.look(21 * MINUTE, &cpu(64)), Verdict::Stalled(STALL));
}
