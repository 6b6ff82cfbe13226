//! Stops and pauses, at every moment.

use super::*;
use specter::event::{AttemptOutcome, FailureClass};

#[test]
fn a_stop_before_the_start_starts_nothing() {
    let bench = Bench::new();
    let stop = StopHandle::new();
    stop.stop(GRACEFULLY);
    let report = bench.run_with(&[sh("touch ran; sleep 1")], &stop, true);
    assert_eq!((report.outcome, report.class), (AttemptOutcome::Cancelled, Some(FailureClass::Cancelled)));
    assert!(bench.file("ran").is_none());
    stop.reset();
    assert!(bench.run_with(&[sh("true")], &stop, true).outcome.is_success());
}

#[test]
fn a_graceful_stop_lets_the_task_clean_up() {
    let bench = Bench::new();
    let stop = StopHandle::new();
    let code = "trap 'echo bye > bye; exit 0' TERM; echo up > up; while :; do sleep 0.01; done";
    let started = Instant::now();
    let report = beside(
        &stop,
        || bench.run_with(&[sh(code)], &stop, true),
        || bench.when("up", || stop.stop(GRACEFULLY)),
    );
    assert_eq!(report.outcome, AttemptOutcome::Cancelled);
    assert_eq!(bench.file("bye").unwrap(), "bye\n");
    assert!(started.elapsed() < Duration::from_secs(15));
}

#[test]
fn who_ignores_the_request_is_killed_after_the_grace() {
    let bench = Bench::with(|config| config.grace = Duration::from_millis(300));
    let stop = StopHandle::new();
    let code = "trap '' TERM; echo $$ > up; while :; do sleep 0.01; done";
    let started = Instant::now();
    let report = beside(
        &stop,
        || bench.run_with(&[sh(code)], &stop, true),
        || bench.when("up", || stop.stop(GRACEFULLY)),
    );
    assert_eq!(report.outcome, AttemptOutcome::Cancelled);
    assert!(started.elapsed() >= Duration::from_millis(300) && started.elapsed() < Duration::from_secs(15));
    assert!(!is_alive(bench.file("up").unwrap().trim().parse().unwrap()));
}

#[test]
fn a_second_stop_kills_at_once() {
    let bench = Bench::with(|config| config.grace = Duration::from_mins(10));
    let stop = StopHandle::new();
    let code = "trap 'echo asked > asked' TERM; echo up > up; while :; do sleep 0.01; done";
    let other = || {
        bench.when("up", || stop.stop(GRACEFULLY));
        bench.when("asked", || stop.stop(Stop::Now));
    };
    let started = Instant::now();
    let report = beside(&stop, || bench.run_with(&[sh(code)], &stop, true), other);
    assert_eq!(report.outcome, AttemptOutcome::Cancelled);
    assert!(started.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_stop_between_blocks_starts_no_other_block() {
    let bench = Bench::new();
    let stop = StopHandle::new();
    struct StopAtOutput<'a>(&'a StopHandle);
    impl OutputObserver for StopAtOutput<'_> {
        fn line(&self, _task: TaskIx, _line: &str) {
            self.0.stop(Stop::Gracefully);
        }
    }
    let blocks = [sh("echo x"), sh("touch second"), block(BlockKind::Fallback, "sh", "touch third")];
    let report = bench.observe(&blocks, &stop, true, &StopAtOutput(&stop));
    assert_eq!(report.outcome, AttemptOutcome::Cancelled);
    assert!(bench.file("second").is_none() && bench.file("third").is_none());
}

#[test]
fn a_time_out_ends_the_tree_and_says_after_how_long() {
    let bench = Bench::new();
    let mut block = sh("echo started; sleep 434 & sleep 434");
    block.given.timeout = Some(Duration::from_millis(150));
    let report = bench.run(&[block]);
    assert_eq!(report.outcome, AttemptOutcome::TimedOut(150));
    assert_eq!(report.tail, "started");
    assert!(alive_with("sleep\x00434").is_empty());
}

#[test]
fn time_paused_is_not_charged() {
    let bench = Bench::new();
    let stop = StopHandle::new();
    let mut block = sh("echo $$ > up; sleep 1; echo done");
    block.given.timeout = Some(Duration::from_millis(2900));
    let other = || {
        bench.when("up", || stop.pause());
        let session = bench.file("up").unwrap().trim().to_owned();
        let paused = Instant::now();
        until(|| is_stopped(&session));
        until(|| paused.elapsed() > Duration::from_secs(3));
        stop.resume();
    };
    let report = beside(&stop, || bench.run_with(&[block], &stop, true), other);
    assert!(report.outcome.is_success(), "{report:?}");
    assert!(report.duration < Duration::from_millis(2900), "{:?}", report.duration);
}

/// Whether a process of the session is stopped. Not each: a shell in the middle of a `vfork` waits for the child.
fn is_stopped(session: &str) -> bool {
    let entries = std::fs::read_dir("/proc").unwrap();
    let mut stats = entries.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("stat")).ok());
    stats.any(|stat| {
        let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
        fields.len() > 3 && fields[0] == "T" && fields[3] == session
    })
}

#[test]
fn a_paused_task_can_be_stopped() {
    let bench = Bench::new();
    let stop = StopHandle::new();
    let other = || {
        bench.when("up", || stop.pause());
        stop.stop(GRACEFULLY);
    };
    let started = Instant::now();
    let report = beside(&stop, || bench.run_with(&[sh("echo up > up; sleep 435")], &stop, true), other);
    assert_eq!(report.outcome, AttemptOutcome::Cancelled);
    assert!(started.elapsed() < Duration::from_secs(15));
}
