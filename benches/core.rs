//! What the core costs: parsing, planning, scheduling in virtual time, the journal, the fold of events, write-back.
//!
//! `cargo bench --bench core` (`-- plan` for one group). Inputs are made here, so two machines measure the same.
//! Whole runs against other programs are measured by `benches/compare`.

#![expect(clippy::unwrap_used, reason = "a broken benchmark is to stop")]

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use specter::event::{AttemptReport, Event, EventKind, RunInfo, TaskRef, Verdict};
use specter::history::History;
use specter::journal::{self, Journal, Lock};
use specter::parse::parse;
use specter::plan::{self, Mode, Plan};
use specter::policy::{Budgets, FailurePolicy, RetryPolicy};
use specter::schedule::{Action, Input, Limits, Scheduler, Session};
use specter::source::SourceText;
use specter::summary::Summary;
use specter::task::{Document, TaskIx};
use specter::writeback::{Index, Tick, ticks};
use std::collections::VecDeque;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn main() {
    divan::main();
}

/// Tasks with a run block each; each needs two of the layer before it, its own column and the next.
fn layered(layers: usize, width: usize) -> SourceText {
    let mut text = "# Tasks\n\n".to_owned();
    for n in 0..layers * width {
        let (layer, column) = (n / width, n % width);
        let _ = write!(text, "- [ ] T{:06} [P] Do the work of part {}", n + 1, n + 1);
        if layer > 0 {
            let above = (layer - 1) * width + 1;
            let next = above + (column + 1) % width;
            let _ = write!(text, " (depends on T{:06}, T{next:06})", above + column);
        }
        text.push_str("\n\n  ```sh run\n  true\n  ```\n\n");
    }
    SourceText::new("tasks.md", text)
}

fn flat(tasks: usize) -> SourceText {
    layered(1, tasks)
}

fn document(source: &SourceText) -> Document {
    let (document, findings) = parse(source);
    assert!(findings.is_empty(), "{findings:?}");
    document
}

fn options() -> plan::Options {
    plan::Options { file: "tasks.md".to_owned(), mode: Mode::Graph, ..plan::Options::default() }
}

fn planned(source: &SourceText) -> Arc<Plan> {
    Arc::new(plan::plan(document(source), &options()).unwrap().0)
}

fn limits() -> Limits {
    Limits {
        jobs: 8,
        retry: RetryPolicy::default(),
        failure: FailurePolicy::default(),
        budgets: Budgets::default(),
    }
}

fn session() -> Session {
    Session { info: RunInfo::default(), started: 0, number: 1, seed: 1, first_seq: 1, ..Session::default() }
}

/// Runs the whole plan in virtual time, one millisecond a task; `each` sees the events of every decision.
fn run(scheduler: &mut Scheduler, mut each: impl FnMut(Vec<Event>)) {
    let mut now = Duration::ZERO;
    let mut running: VecDeque<TaskIx> = VecDeque::new();
    let mut input = Input::Begin;
    loop {
        let decision = scheduler.step(now, input);
        running.extend(decision.actions.iter().filter_map(|action| match action {
            Action::Start { task, .. } => Some(*task),
            _ => None,
        }));
        each(decision.events);
        let Some(task) = running.pop_front() else { return };
        now += Duration::from_millis(1);
        input = Input::Finished { task, report: AttemptReport::default() };
    }
}

/// All events of a run of `plan`: three a task, and the run's own.
fn events(plan: &Arc<Plan>) -> Vec<Event> {
    let mut scheduler = Scheduler::new(Arc::clone(plan), limits(), &History::default(), session());
    let mut all = Vec::new();
    run(&mut scheduler, |events| all.extend(events));
    all
}

/// From text to tasks with their blocks, ids and dependencies.
#[divan::bench(args = [1_000, 10_000, 100_000])]
fn parse_tasks(bencher: Bencher, tasks: usize) {
    let source = layered(tasks / 100, 100);
    bencher
        .counter(BytesCount::of_str(source.text()))
        .counter(ItemsCount::new(tasks))
        .bench(|| parse(black_box(&source)));
}

/// From tasks to a checked graph with order and estimates, without the parse.
#[divan::bench(args = [100, 1_000])]
fn plan_layers_of_100(bencher: Bencher, layers: usize) {
    let document = document(&layered(layers, 100));
    let options = options();
    bencher
        .counter(ItemsCount::new(layers * 100))
        .with_inputs(|| document.clone())
        .bench_values(|document| plan::plan(document, &options));
}

/// Every decision of a run, without anything being done: what the scheduler alone costs.
#[divan::bench(args = [10_000, 100_000])]
fn schedule_no_ops(bencher: Bencher, tasks: usize) {
    let plan = planned(&layered(tasks / 100, 100));
    bencher
        .counter(ItemsCount::new(tasks))
        .with_inputs(|| Scheduler::new(Arc::clone(&plan), limits(), &History::default(), session()))
        .bench_refs(|scheduler| run(scheduler, |events| drop(black_box(events))));
}

/// One fold of all events of a run into its summary.
#[divan::bench]
fn summary_of_30_000_events(bencher: Bencher) {
    let plan = planned(&flat(10_000));
    let events = events(&plan);
    bencher.counter(ItemsCount::new(events.len())).bench(|| Summary::of(&plan, black_box(&events)));
}

/// An ended attempt, a done task and the start of the next: the frame of every successful task.
fn frame() -> Vec<Event> {
    let plan = planned(&flat(2));
    let task = |n: u32| TaskRef { ix: TaskIx(n), id: plan.task(TaskIx(n)).id.clone() };
    let at = Duration::from_millis(1_234);
    let report =
        Box::new(AttemptReport { duration: at, cpu_ms: 3, max_rss_kb: 2_000, ..AttemptReport::default() });
    let kinds = [
        EventKind::AttemptFinished { task: task(0), attempt: 1, report },
        EventKind::TaskDone { task: task(0), attempts: 1, verdict: Verdict::Unverified, duration: at },
        EventKind::AttemptStarted { task: task(1), attempt: 1, executor: "shell".into(), worker: 1 },
    ];
    (1..).zip(kinds).map(|(seq, kind)| Event { seq, at, kind }).collect()
}

fn new_journal(dir: &Path) -> Journal {
    let lock = Lock::acquire(&dir.join("lock"), "bench", "now").unwrap();
    Journal::create(dir, &lock).unwrap()
}

/// Encoding and one `write`; no sync.
#[divan::bench]
fn journal_append_of_3_events(bencher: Bencher) {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = new_journal(dir.path());
    let events = frame();
    bencher.bench_local(|| journal.append(black_box(&events)).unwrap());
}

/// What a resume reads: 10,000 frames of three events, checked and decoded.
#[divan::bench]
fn journal_read_of_30_000_events(bencher: Bencher) {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = new_journal(dir.path());
    let mut events = frame();
    for _ in 0..10_000 {
        journal.append(&events).unwrap();
        events.iter_mut().for_each(|event| event.seq += 3);
    }
    bencher.counter(ItemsCount::new(30_000_u32)).bench(|| {
        let loaded = journal::read(journal.path()).unwrap();
        assert_eq!(loaded.events.len(), 30_000);
        loaded
    });
}

/// Finding 10,000 boxes in a parsed file, and the byte to change in each.
#[divan::bench]
fn write_back_of_10_000_ticks(bencher: Bencher) {
    let source = flat(10_000);
    let document = document(&source);
    let wanted: Vec<Tick> = document.tasks.iter().map(Tick::of).collect();
    bencher.counter(ItemsCount::new(wanted.len())).bench(|| {
        let edits = ticks(&Index::new(&document, &source), black_box(&wanted));
        assert_eq!(edits.edits.len(), wanted.len());
        edits
    });
}
