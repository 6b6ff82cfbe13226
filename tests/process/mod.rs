//! Processes, terminals, clocks and bounds, through the real binary: the campaigns of promises about what a run leaves
//! behind and how it answers. Small by default; the variables that make them large stand in
//! `tests/campaigns/processes.sh`.

mod bounds;
mod clocks;
mod editors;
mod orphans;
mod pty;
mod rivals;
mod streams;
mod system;
mod terminal;

use crate::run::sandbox::Sandbox;
use std::fmt::Write as _;
use std::time::Duration;

/// A busy machine may be slow, never wrong: what a promise says takes a second must not take this long.
const NEVER: Duration = Duration::from_secs(90);

/// What a command that runs to its end shows on a terminal.
pub(crate) fn on_terminal(command: std::process::Command) -> String {
    let terminal = pty::Terminal::new(40, 120);
    let mut child = terminal.start(command);
    assert!(crate::run::sandbox::wait(&mut child, NEVER).is_some(), "it does not end");
    terminal.check_restored();
    terminal.shown()
}

/// Times of one kind, told at the end of a campaign.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn note(&mut self, time: Duration) {
        assert!(time < NEVER, "it took {time:?}");
        self.0.push(time);
    }

    /// Median and maximum.
    fn tell(&mut self, what: &str) -> String {
        self.0.sort();
        match (self.0.get(self.0.len() / 2), self.0.last()) {
            (Some(median), Some(max)) => {
                format!("{what}: median {median:.0?}, max {max:.0?} of {}", self.0.len())
            }
            _ => format!("{what}: never"),
        }
    }
}

/// One task with `code` as its work; `attributes` follow `sh run`.
fn one_task(attributes: &str, code: &str) -> String {
    let mut text = format!("- [ ] T001 Work\n\n  ```sh run {attributes}\n");
    for line in code.lines() {
        writeln!(text, "  {line}").unwrap();
    }
    text + "  ```\n"
}

/// `n` independent tasks with the same work.
fn many_tasks(n: u64, code: &str) -> String {
    (1..=n).map(|n| format!("- [ ] T{n:06} [P] Step\n\n  ```sh run\n  {code}\n  ```\n")).collect()
}

/// What must hold of the record of a run that ended in order: every attempt that began has ended, nothing began after
/// an interruption, the last word is there, and no box is ticked that was not recorded as done.
fn check_record(sandbox: &Sandbox) {
    let events = sandbox.events();
    let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
    assert_eq!(of("attempt_started"), of("attempt_finished"), "an attempt has no end in the record");
    assert_eq!(events.last().unwrap()["kind"], "run_finished");
    let interrupted = events.iter().position(|event| event["kind"] == "interrupted");
    if let Some(at) = interrupted {
        let late = events[at..].iter().find(|event| event["kind"] == "attempt_started");
        assert_eq!(late, None, "started after the interruption");
    }
    let seqs: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "the record is out of order");
    let done = sandbox.ids("task_done");
    for id in sandbox.ticked() {
        assert!(done.contains(&id), "{id} is ticked without a record");
    }
}
