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
            Does::Computes | Does::WaitsForChild | Does::Chatters | Does::Hangs => {}
        }
    }
}

/// When the watchdog spoke, if it did within four hours.
fn watched(does: Does, seed: u64, limits: Limits) -> Option<(Duration, Duration, Verdict)> {
    let mut agent = Simulated::new(does, seed);
    let mut watchdog = Watchdog::new(limits, Some(7));
    let (mut now, mut last) = (Duration::ZERO, Duration::ZERO);
    while now < 240 * MINUTE {
        let sample = agent.at(now, now.saturating_sub(last), watchdog.wants_files(now));
        let verdict = watchdog.look(now, &sample);
        if verdict != Verdict::Fine {
            return Some((now, agent.from, verdict));
        }
        last = now;
        // The machine is busy: samples come late.
        now += watchdog.pause(now).mul_f64(1.0 + agent.rng.f64());
    }
    None
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
            // Two samples late at the most.
            assert!(at <= from + STALL + 3 * MINUTE, "{does:?}, seed {seed}: after {at:?}, from {from:?}");
        }
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
    assert_eq!(watchdog.look(Duration::from_millis(200), &nothing), Verdict::Fine);
    assert!(watchdog.wants_files(Duration::from_millis(310)));
    let not_looked = Sample { files: None, ..nothing };
    assert_eq!(
        watchdog.look(Duration::from_millis(310), &not_looked),
        Verdict::Fine,
        "never without the files"
    );
    assert_eq!(
        watchdog.look(Duration::from_millis(320), &nothing),
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
    assert_eq!(watchdog.look(15 * MINUTE, &cpu(64)), Verdict::Fine);
    assert_eq!(watchdog.look(20 * MINUTE, &cpu(64)), Verdict::Stalled(STALL));
}
