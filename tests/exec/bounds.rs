//! Output without end, pipes held by others, and lines for whoever watches.

use super::*;
use specter::event::AttemptOutcome;
use std::sync::Mutex;

#[test]
fn much_output_is_kept_in_part_and_counted_in_full() {
    let bench = Bench::new();
    let report = bench.sh("head -c 40000000 /dev/zero | tr '\\0' 'x'; echo; echo the end; exit 1");
    assert_eq!(report.output_bytes, 40_000_009);
    assert_eq!(report.tail, "the end");
    let log = bench.log(&report);
    assert!(log.len() < 17 << 20 && log.ends_with("x\nthe end\n"));
    assert!(log.contains("bytes dropped]"));
}

#[test]
fn output_that_is_no_text_does_not_disturb() {
    let bench = Bench::new();
    let report = bench.sh("printf '\\377\\376 \\000 a\\n'; exit 1");
    assert_eq!(report.tail, "\u{fffd}\u{fffd} \0 a");
}

#[test]
fn a_daemon_that_holds_the_pipe_does_not_hold_the_task() {
    let bench = Bench::new();
    let started = Instant::now();
    let report = bench.sh("echo hello; setsid sleep 431 & exit 0");
    assert!(report.outcome.is_success(), "{report:?}");
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    assert_eq!(report.leaked.len(), 1, "{report:?}");
    assert!(report.leaked[0].starts_with("sleep (pid "));
    assert!(alive_with("sleep\x00431").is_empty());
    assert_eq!(bench.log(&report), "hello\n");
}

#[test]
fn a_process_that_closes_its_output_is_still_waited_for_and_timed() {
    let bench = Bench::new();
    let report = bench.sh("exec >&- 2>&-; sleep 0.2; exit 9");
    assert_eq!(report.outcome, AttemptOutcome::ExitCode(9));
    let mut block = sh("exec >&- 2>&-; sleep 432");
    block.given.timeout = Some(Duration::from_millis(100));
    assert_eq!(bench.run(&[block]).outcome, AttemptOutcome::TimedOut(100));
}

struct Lines(Mutex<Vec<(TaskIx, String)>>);

impl OutputObserver for Lines {
    fn line(&self, task: TaskIx, line: &str) {
        self.0.lock().unwrap().push((task, line.to_owned()));
    }
}

/// Takes long over every piece of output, as a busy machine does.
struct Slow;

impl OutputObserver for Slow {
    fn is_watching(&self) -> bool {
        std::thread::sleep(Duration::from_millis(60));
        false
    }

    fn line(&self, _task: TaskIx, _line: &str) {}
}

#[test]
fn what_is_still_in_the_pipe_when_a_process_ends_is_read_however_long_that_takes() {
    let bench = Bench::new();
    // The pipe holds the last megabyte when the process ends, sixteen looks long.
    let code =
        "yes 'a line of some length that is said again and again' | head -c 2500000; echo; echo the end";
    let report = bench.observe(&[sh(code)], &StopHandle::new(), true, &Slow);
    assert_eq!(report.output_bytes, 2_500_000 + 1 + 8);
    assert!(bench.log(&report).ends_with("the end\n"));
}

#[test]
fn who_watches_sees_lines_at_a_bounded_rate() {
    let bench = Bench::new();
    let lines = Lines(Mutex::default());
    let report = bench.observe(
        &[sh("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done")],
        &StopHandle::new(),
        true,
        &lines,
    );
    let lines = lines.0.into_inner().unwrap();
    assert!(!lines.is_empty() && lines[0].1.starts_with("line ") && lines[0].0 == TaskIx(7));
    assert!(
        lines.len() as u128 <= 1 + report.duration.as_millis() / 100,
        "{} in {:?}",
        lines.len(),
        report.duration
    );
}

#[test]
fn an_attempts_limit_is_shared_by_its_blocks_and_a_blocks_own_counts_instead() {
    let bench = Bench::with(|config| config.timeout = Some(Duration::from_millis(300)));
    let report = bench.run(&[sh("sleep 0.2; echo one"), sh("sleep 433")]);
    assert!(matches!(report.outcome, AttemptOutcome::TimedOut(ms) if ms < 300), "{report:?}");
    let mut longer = sh("sleep 0.5; echo fine");
    longer.given.timeout = Some(Duration::from_secs(20));
    assert!(bench.run(&[longer]).outcome.is_success());
}
