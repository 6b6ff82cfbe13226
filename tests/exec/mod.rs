//! The shell executor with real processes. Everything is bounded; nothing sleeps to wait for something else.
#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

mod blocks;
mod bounds;
mod guard;
mod jobserver;
mod measure;
pub(crate) mod orphans;
mod races;
mod stopping;

use specter::event::{AttemptReport, Stop};
use specter::exec::{Attempt, NoObserver, OutputObserver, ShellConfig, ShellExecutor, StopHandle};
use specter::source::Span;
use specter::sys::LivePids;
use specter::task::{Block, BlockKind, Few, State, Task, TaskId, TaskIx};
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A project in a directory of its own, with an executor that has no guardian.
struct Bench {
    dir: TempDir,
    shell: ShellExecutor,
    /// No two attempts of a run carry the same number.
    attempts: AtomicU32,
}

impl Bench {
    fn new() -> Bench {
        Bench::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut ShellConfig)) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().canonicalize().unwrap();
        // Tests of one process share its orphans: tokens tell them apart, and the table that none is alone.
        static LIVE: LazyLock<LivePids> = LazyLock::new(|| {
            let live = LivePids::new().unwrap();
            // No attempt is ever the only one: what a killed specter of another test left belongs to none.
            live.add(std::process::id() as i32);
            live
        });
        let run = format!("run-{}-{:x}", std::process::id(), fastrand::u64(..));
        let mut config = ShellConfig::new(project.clone(), run, project.join("run"));
        // Long, so that what needs it all is noticed.
        config.grace = Duration::from_secs(30);
        config.live = Some(LIVE.clone());
        change(&mut config);
        Bench { dir, shell: ShellExecutor::new(config).unwrap(), attempts: AtomicU32::new(1) }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn run(&self, blocks: &[Block]) -> AttemptReport {
        self.run_with(blocks, &StopHandle::new(), true)
    }

    fn run_with(&self, blocks: &[Block], stop: &StopHandle, last: bool) -> AttemptReport {
        self.observe(blocks, stop, last, &NoObserver)
    }

    fn observe(
        &self,
        blocks: &[Block],
        stop: &StopHandle,
        last: bool,
        observer: &dyn OutputObserver,
    ) -> AttemptReport {
        let task = task(blocks);
        let number = self.attempts.fetch_add(1, Ordering::Relaxed);
        self.shell.run(&Attempt::new(TaskIx(7), &task, number, last), stop, observer)
    }

    fn sh(&self, code: &str) -> AttemptReport {
        self.run(&[sh(code)])
    }

    fn log(&self, report: &AttemptReport) -> String {
        assert!(!report.log.is_empty(), "no log: {report:?}");
        String::from_utf8(std::fs::read(self.path().join("run").join(&report.log)).unwrap()).unwrap()
    }

    fn file(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.path().join(name)).ok()
    }

    /// Waits for a file that a task writes, then does something.
    fn when(&self, name: &str, then: impl FnOnce()) {
        until(|| self.file(name).is_some_and(|text| text.ends_with('\n')));
        then();
    }
}

fn sh(code: &str) -> Block {
    block(BlockKind::Run, "sh", code)
}

fn block(kind: BlockKind, interpreter: &str, code: &str) -> Block {
    Block {
        kind,
        interpreter: interpreter.into(),
        code: code.into(),
        given: specter::task::Rare::default(),
        line: 3,
        span: Span { start: 0, end: 0 },
    }
}

fn task(blocks: &[Block]) -> Task {
    let span = Span { start: 0, end: 0 };
    Task {
        id: TaskId::new("T001"),
        synthetic: false,
        line: 1,
        span,
        id_span: span,
        title: "Add a model".into(),
        checkbox: None,
        state: State::Open,
        parallel: false,
        stories: Few::new(),
        all_stories: false,
        priority: None,
        more: specter::task::Rare::default(),
        phase: None,
        group: None,
        is_group: false,
        checkpoint: false,
        files: Few::new(),
        blocks: blocks.to_vec(),
        body: span,
    }
}

/// Looks until it holds; fails after a time no correct run needs.
fn until(mut holds: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < limit, "it never came to hold");
        std::thread::yield_now();
    }
}

/// Runs `act` beside `other`, which stops or pauses it by `stop`.
fn beside<T: Send>(stop: &StopHandle, act: impl FnOnce() -> T + Send, other: impl FnOnce()) -> T {
    struct EndAfterPanic<'a>(&'a StopHandle);
    impl Drop for EndAfterPanic<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.0.resume();
                self.0.stop(Stop::Now);
            }
        }
    }
    std::thread::scope(|scope| {
        let running = scope.spawn(act);
        let guard = EndAfterPanic(stop);
        other();
        drop(guard);
        running.join().unwrap()
    })
}

fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// Living processes whose environment or command line holds `mark`.
fn alive_with(mark: &str) -> Vec<i32> {
    let has = |pid: &i32, file: &str| {
        let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        bytes.windows(mark.len()).any(|w| w == mark.as_bytes())
    };
    let entries = std::fs::read_dir("/proc").unwrap();
    let mut pids: Vec<i32> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    // Newest first: one that hops will have ended when all the others have been looked at.
    pids.reverse();
    pids.into_iter()
        .filter(|pid| *pid != std::process::id() as i32)
        .filter(|pid| (has(pid, "environ") || has(pid, "cmdline")) && is_alive(*pid))
        .collect()
}

const GRACEFULLY: Stop = Stop::Gracefully;
