//! Single rules of the schedule, one small task file each.

use crate::schedule::fixture::File;
use specter::event::{
    AttemptOutcome, AttemptReport, BudgetKind, Conflict, Event, EventKind, FailureClass, RunInfo, RunOutcome,
    Scarce, Stop, TaskRef, Verdict,
};
use specter::history::{History, Settled};
use specter::plan::{LeftOut, Mode, Role};
use specter::policy::{Budgets, FailurePolicy, RetryPolicy};
use specter::schedule::{
    Action, Decision, FORECAST_CAP, Input, Limits, Obstacle, PATIENCE, Scheduler, Session, Shortage,
    TaskOutcome, TaskState, forecast,
};
use specter::task::{TaskId, TaskIx};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A scheduler, its clock and its journal.
struct Run {
    scheduler: Scheduler,
    now: Duration,
    journal: Vec<Event>,
    file: File,
    limits: Limits,
}

fn limits(jobs: u32) -> Limits {
    let retry = RetryPolicy { jitter: Duration::ZERO, ..RetryPolicy::default() };
    Limits { jobs, retry, failure: FailurePolicy::KeepGoing, budgets: Budgets::default() }
}

impl Run {
    fn new(file: File, limits: Limits) -> Run {
        let history = History::default();
        let session = Session::after(&history, RunInfo::default(), 0, 1);
        let scheduler = Scheduler::new(Arc::new(file.plan()), limits.clone(), &history, session);
        let mut run = Run { scheduler, now: Duration::ZERO, journal: Vec::new(), file, limits };
        run.step(Input::Begin);
        run
    }

    /// The process died, or ended; another takes up the journal.
    fn resume(self) -> Run {
        let history = History::from_events(&self.journal);
        let session = Session::after(&history, RunInfo::default(), 0, 2);
        let plan = Arc::new(self.file.plan());
        let scheduler = Scheduler::new(plan, self.limits.clone(), &history, session);
        let mut run = Run { scheduler, now: Duration::ZERO, ..self };
        run.step(Input::Begin);
        run
    }

    fn step(&mut self, input: Input) -> Decision {
        let decision = self.scheduler.step(self.now, input);
        self.scheduler.check();
        self.journal.extend(decision.events.iter().cloned());
        decision
    }

    fn ix(&self, id: &str) -> TaskIx {
        self.scheduler.plan().find(id).unwrap()
    }

    fn state(&self, id: &str) -> TaskState {
        self.scheduler.state(self.ix(id))
    }

    fn running(&self) -> Vec<&str> {
        self.scheduler.running().map(|(_, _, id)| id.as_str()).collect()
    }

    fn end(&mut self, id: &str, report: AttemptReport) -> Decision {
        self.now += Duration::from_secs(1);
        let task = self.ix(id);
        self.step(Input::Finished { task, report })
    }

    fn succeed(&mut self, id: &str) -> Decision {
        self.end(id, AttemptReport { duration: Duration::from_secs(1), ..AttemptReport::default() })
    }

    fn fail(&mut self, id: &str, class: FailureClass) -> Decision {
        let (outcome, class) = (AttemptOutcome::ExitCode(1), Some(class));
        self.end(id, AttemptReport { outcome, class, ..AttemptReport::default() })
    }

    fn wake(&mut self) -> Decision {
        self.now = self.scheduler.next_wakeup().expect("something is due");
        self.step(Input::Wakeup)
    }

    fn outcome(&self) -> Option<RunOutcome> {
        self.journal.iter().rev().find_map(|event| match event.kind {
            EventKind::RunFinished { outcome, .. } => Some(outcome),
            _ => None,
        })
    }
}

/// T1, and T2 which needs it, and T3 which needs that, and T4 on its own.
fn chain() -> File {
    let mut file = File::new(Mode::Graph);
    file.task("T1", &[]);
    file.task("T2", &["T1"]);
    file.task("T3", &["T2"]);
    file.task("T4", &[]);
    file
}

#[test]
fn a_failed_task_blocks_what_needs_it_directly_or_not_and_nothing_else() {
    let mut run = Run::new(chain(), limits(1));
    assert_eq!(run.running(), ["T1"]);
    run.fail("T1", FailureClass::Permanent);
    let by = run.ix("T1");
    assert_eq!(run.state("T2"), TaskState::Finished(TaskOutcome::Blocked { by }));
    assert_eq!(run.state("T3"), TaskState::Finished(TaskOutcome::Blocked { by }));
    assert_eq!(run.running(), ["T4"]);
    run.succeed("T4");
    assert_eq!(run.outcome(), Some(RunOutcome::SomeFailed));
}

#[test]
fn a_failure_holds_up_order_only_until_it_is_settled() {
    let mut file = File::new(Mode::Graph);
    file.task("T1", &[]);
    file.task("T2", &[]).after.push("T1".to_owned());
    let mut run = Run::new(file, limits(2));
    assert_eq!(run.running(), ["T1"]);
    run.fail("T1", FailureClass::Permanent);
    assert_eq!(run.running(), ["T2"]);
}

#[test]
fn a_blocked_task_still_keeps_the_order_of_those_around_it() {
    let mut file = File::new(Mode::Graph);
    file.task("T1", &[]);
    file.task("T2", &[]);
    file.task("T3", &["T1"]).after.push("T2".to_owned());
    file.task("T4", &[]).after.push("T3".to_owned());
    let mut run = Run::new(file, limits(4));
    run.fail("T1", FailureClass::Permanent);
    assert!(matches!(run.state("T3"), TaskState::Finished(TaskOutcome::Blocked { .. })));
    assert_eq!(run.running(), ["T2"], "T4 may name T2's files: T3 stands between them");
    run.succeed("T2");
    assert_eq!(run.running(), ["T4"]);
}

#[test]
fn fail_fast_starts_nothing_more_and_lets_the_rest_finish() {
    let limits = Limits { failure: FailurePolicy::FailFast, ..limits(2) };
    let mut file = chain();
    file.task("T5", &[]);
    let mut run = Run::new(file, limits);
    assert_eq!(run.running(), ["T1", "T4"]);
    run.fail("T4", FailureClass::Permanent);
    assert_eq!(run.running(), ["T1"]);
    run.succeed("T1");
    assert_eq!(run.outcome(), Some(RunOutcome::SomeFailed));
    let counts = run.scheduler.counts();
    assert_eq!((counts.done, counts.failed, counts.open), (1, 1, 3));
}

#[test]
fn continue_on_error_runs_even_what_needed_the_failed_task() {
    let limits = Limits { failure: FailurePolicy::ContinueOnError, ..limits(1) };
    let mut run = Run::new(chain(), limits);
    run.fail("T1", FailureClass::Permanent);
    assert_eq!(run.running(), ["T2"]);
}

#[test]
fn what_needs_a_person_is_blocked_at_once_and_told() {
    let mut file = chain();
    file.line_mut("T1").unwrap().role = Role::LeftOut(LeftOut::Manual);
    let mut run = Run::new(file, limits(2));
    let by = run.ix("T1");
    assert_eq!(run.state("T3"), TaskState::Finished(TaskOutcome::Blocked { by }));
    run.succeed("T4");
    assert_eq!(run.outcome(), Some(RunOutcome::SomeFailed));
    let counts = run.scheduler.counts();
    assert_eq!((counts.selected, counts.done, counts.blocked, counts.manual), (3, 1, 2, 1));
}

#[test]
fn a_waiting_task_holds_no_worker() {
    let mut run = Run::new(chain(), limits(1));
    run.fail("T1", FailureClass::Transient);
    assert_eq!(run.running(), ["T4"]);
    assert_eq!(run.scheduler.next_wakeup(), Some(Duration::from_secs(2)));
    run.succeed("T4"); // a second later
    assert_eq!(run.running(), ["T1"]);
}

#[test]
fn the_third_failure_is_the_last() {
    let mut run = Run::new(chain(), limits(4));
    run.succeed("T4");
    run.fail("T1", FailureClass::Transient);
    run.wake();
    run.fail("T1", FailureClass::Gate);
    run.wake();
    let decision = run.fail("T1", FailureClass::Unknown);
    assert!(decision.events.iter().any(|event| matches!(
        &event.kind,
        EventKind::TaskFailed { attempts: 3, class: FailureClass::Unknown, .. }
    )));
}

#[test]
fn retries_of_the_run_block_override_the_policy() {
    let mut file = chain();
    file.line_mut("T1").unwrap().retries = Some(0);
    let mut run = Run::new(file, limits(1));
    run.fail("T1", FailureClass::Transient);
    assert_eq!(run.state("T1"), TaskState::Finished(TaskOutcome::Failed));
}

#[test]
fn a_limit_is_waited_for_and_costs_no_attempt() {
    let mut run = Run::new(chain(), limits(4));
    run.succeed("T4");
    for _ in 0..5 {
        let report = AttemptReport {
            outcome: AttemptOutcome::ExitCode(1),
            class: Some(FailureClass::RateLimit),
            retry_after_ms: Some(60_000),
            ..AttemptReport::default()
        };
        run.end("T1", report);
        assert_eq!(run.scheduler.next_wakeup(), Some(run.now + Duration::from_mins(1)));
        run.wake();
    }
    run.succeed("T1");
    assert_eq!(run.running(), ["T2"]);
}

#[test]
fn a_limit_that_never_ends_is_a_failure() {
    let mut run = Run::new(chain(), limits(1));
    let mut waits = 0;
    while !matches!(run.state("T1"), TaskState::Finished(TaskOutcome::Failed)) {
        run.fail("T1", FailureClass::RateLimit);
        if run.running() == ["T4"] {
            run.succeed("T4");
        }
        if run.outcome().is_none() && run.running().is_empty() {
            run.wake();
        }
        waits += 1;
        assert!(waits < 100, "it waits for ever");
    }
}

#[test]
fn a_crash_gives_no_second_budget_and_a_resume_of_what_failed_does() {
    let mut run = Run::new(chain(), limits(1));
    run.fail("T1", FailureClass::Transient);
    run.succeed("T4"); // a second later
    run.fail("T1", FailureClass::Transient);
    run.wake();
    assert_eq!(run.state("T1"), TaskState::Running { attempt: 3 });
    let mut run = run.resume(); // died under the third attempt
    assert_eq!(run.state("T1"), TaskState::Running { attempt: 4 });
    run.fail("T1", FailureClass::Transient);
    assert_eq!(run.state("T1"), TaskState::Finished(TaskOutcome::Failed));
    let mut run = run.resume(); // asked for anew
    run.fail("T1", FailureClass::Transient);
    assert!(matches!(run.state("T1"), TaskState::BackingOff { attempt: 6, .. }));
}

#[test]
fn what_failed_before_goes_first_on_resume() {
    let mut file = File::new(Mode::Graph);
    file.task("T1", &[]);
    file.task("T2", &[]);
    file.task("T3", &[]).estimate = 0;
    let mut run = Run::new(file, limits(3));
    run.fail("T3", FailureClass::Permanent);
    run.limits.jobs = 1;
    let run = run.resume();
    assert_eq!(run.running(), ["T3"]);
}

#[test]
fn the_longest_path_goes_first_then_priority_then_place() {
    let mut file = File::new(Mode::Graph);
    file.task("T1", &[]);
    file.task("T2", &[]).priority = Some(2);
    file.task("T3", &[]).priority = Some(1);
    file.task("T4", &[]).estimate = 9;
    let mut run = Run::new(file, limits(1));
    let mut order = Vec::new();
    while let Some(id) = run.running().first().map(ToString::to_string) {
        run.succeed(&id);
        order.push(id);
    }
    assert_eq!(order, ["T4", "T3", "T2", "T1"]);
}

#[test]
fn nothing_joins_a_task_that_waits_to_run_alone() {
    let mut file = File::new(Mode::Parallel);
    file.task("T1", &[]).parallel = true;
    file.task("T2", &[]).estimate = 5;
    file.task("T3", &[]).parallel = true;
    file.line_mut("T1").unwrap().estimate = 9;
    let mut run = Run::new(file, limits(4));
    assert_eq!(run.running(), ["T1"]);
    let why = run.scheduler.explain(run.ix("T3")).obstacles;
    assert_eq!(why, [Obstacle::GivesWay { to: run.ix("T2") }]);
    let why = run.scheduler.explain(run.ix("T2")).obstacles;
    assert_eq!(why, [Obstacle::Overlap { with: vec![run.ix("T1")] }]);
    run.succeed("T1");
    assert_eq!(run.running(), ["T2"]);
}

#[test]
fn a_first_interrupt_lets_go_and_a_second_kills() {
    let mut run = Run::new(chain(), limits(2));
    let how = |how| Input::Interrupt { signal: 2, name: "SIGINT", how };
    let cancels = |decision: &Decision, stop| {
        decision.actions.iter().filter(|a| matches!(a, Action::Cancel { how, .. } if *how == stop)).count()
    };
    assert_eq!(cancels(&run.step(how(Stop::Gracefully)), Stop::Gracefully), 2);
    assert!(run.step(how(Stop::Gracefully)).events.is_empty());
    assert_eq!(cancels(&run.step(how(Stop::Now)), Stop::Now), 2);
    let cancelled = AttemptReport { outcome: AttemptOutcome::Cancelled, ..AttemptReport::default() };
    run.end("T1", cancelled.clone());
    run.end("T4", cancelled);
    assert_eq!(run.outcome(), Some(RunOutcome::Interrupted { signal: 2 }));
    let counts = run.scheduler.counts();
    assert_eq!((counts.cancelled, counts.failed, counts.open), (2, 0, 2));
    let history = History::from_events(&run.journal);
    assert_eq!(history.task(&TaskId::new("T1")).spent(), 0, "a cancelled attempt costs nothing");
    assert_eq!(run.resume().running(), ["T1", "T4"]);
}

#[test]
fn a_budget_of_dispatches_ends_the_run_and_holds_over_sessions() {
    let budgets = Budgets { max_dispatches: Some(2), ..Budgets::default() };
    let mut run = Run::new(chain(), Limits { budgets, ..limits(1) });
    run.succeed("T1");
    run.succeed("T2");
    assert_eq!(run.outcome(), Some(RunOutcome::Stopped));
    let run = run.resume();
    assert!(run.running().is_empty());
    assert_eq!(run.outcome(), Some(RunOutcome::Stopped));
}

#[test]
fn a_run_that_needs_exactly_its_budget_ends_well() {
    let budgets = Budgets { max_dispatches: Some(4), ..Budgets::default() };
    let mut run = Run::new(chain(), Limits { budgets, ..limits(1) });
    for id in ["T1", "T2", "T3", "T4"] {
        run.succeed(id);
    }
    assert_eq!(run.outcome(), Some(RunOutcome::AllDone));
}

#[test]
fn time_is_counted_over_all_sessions() {
    let budgets = Budgets { max_time: Some(Duration::from_secs(3)), ..Budgets::default() };
    let mut run = Run::new(chain(), Limits { budgets, ..limits(1) });
    run.succeed("T1");
    run.succeed("T2");
    let mut run = run.resume();
    assert_eq!(run.scheduler.next_wakeup(), Some(Duration::from_secs(1)));
    let decision = run.wake();
    assert!(decision.actions.iter().any(|a| matches!(a, Action::Cancel { how: Stop::Gracefully, .. })));
    run.succeed("T3");
    assert_eq!(run.outcome(), Some(RunOutcome::Stopped));
}

#[test]
fn a_group_is_done_when_all_in_it_are() {
    let mut file = chain();
    file.task("G", &[]).role = Role::Group;
    file.line_mut("T1").unwrap().group = Some("G".to_owned());
    file.line_mut("T4").unwrap().group = Some("G".to_owned());
    let mut run = Run::new(file, limits(2));
    run.succeed("T1");
    let decision = run.succeed("T4");
    assert!(decision.events.iter().any(|event| matches!(&event.kind,
        EventKind::TaskDone { task, attempts: 0, verdict: Verdict::Unverified, .. } if task.id.as_str() == "G")));
    assert_eq!(run.scheduler.counts().selected, 4, "groups are not counted");
}

#[test]
fn a_group_with_a_failed_child_is_not_done_and_blocks_what_needs_it() {
    let mut file = File::new(Mode::Graph);
    file.task("T1", &[]).group = Some("G".to_owned());
    file.task("G", &[]).role = Role::Group;
    file.task("T2", &["G"]);
    let mut run = Run::new(file, limits(2));
    run.fail("T1", FailureClass::Permanent);
    assert_eq!(run.state("G"), TaskState::Waiting { unmet: 0 });
    assert_eq!(run.state("T2"), TaskState::Finished(TaskOutcome::Blocked { by: run.ix("T1") }));
}

#[test]
fn what_is_done_and_not_ticked_is_not_run_again_but_what_a_person_cleared_is() {
    let mut file = File::new(Mode::Graph);
    file.task("T1", &[]);
    file.task("T2", &["T1"]);
    let mut run = Run::new(file, limits(1));
    run.succeed("T1");
    let mut run = run.resume();
    assert_eq!(run.running(), ["T2"]);
    let task = specter::event::TaskRef { ix: run.ix("T1"), id: TaskId::new("T1") };
    let ticked = run.scheduler.stamp(run.now, EventKind::BoxTicked { task, line: 1 });
    run.journal.push(ticked);
    let run = run.resume();
    assert_eq!(run.running(), ["T1"]);
    let history = History::from_events(&run.journal);
    assert_eq!(history.task(&TaskId::new("T1")).settled, None);
    assert_eq!(history.task(&TaskId::new("T2")).in_flight, Some(2), "begun in both sessions");
}

#[test]
fn an_edit_adds_drops_and_frees() {
    let mut run = Run::new(chain(), limits(1));
    run.fail("T1", FailureClass::Permanent);
    run.file.line_mut("T1").unwrap().role = Role::Done; // repaired by hand
    run.file.lines.retain(|line| line.id != "T3" && line.id != "T4"); // T4 runs
    run.file.task("T9", &[]);
    let decision = run.scheduler.replan(run.now, Arc::new(run.file.plan()));
    run.scheduler.check();
    let changed = decision.events.iter().find_map(|event| match &event.kind {
        EventKind::PlanChanged { added, removed, reopened, ticked } => Some(
            [added, removed, reopened, ticked].map(|ids| ids.iter().map(TaskId::as_str).collect::<Vec<_>>()),
        ),
        _ => None,
    });
    // T3 was settled as blocked: there is nothing to drop.
    assert_eq!(changed.unwrap(), [vec!["T9"], vec!["T4"], vec!["T2"], vec!["T1"]]);
    assert_eq!(run.running(), ["T4"]);
    let (_, removed, _) = run.scheduler.running().next().unwrap();
    let why = run.scheduler.explain(run.ix("T2")).obstacles;
    assert_eq!(why, [Obstacle::RemovedTaskRuns]);
    run.step(Input::Finished { task: removed, report: AttemptReport::default() });
    assert_eq!(run.running(), ["T2"]);
}

#[test]
fn a_waiting_task_says_what_it_waits_for_through_gates_and_done_tasks() {
    let mut file = chain();
    file.line_mut("T2").unwrap().role = Role::Done;
    let run = Run::new(file, limits(1));
    let why = run.scheduler.explain(run.ix("T3")).obstacles;
    assert!(
        matches!(why[..], [Obstacle::Waits { on, edge }] if on == run.ix("T1") && edge.to.0 == 1),
        "{why:?}"
    );
    let why = run.scheduler.explain(run.ix("T4")).obstacles;
    assert_eq!(why, [Obstacle::NoFreeWorker { jobs: 1, ahead: 0 }]);
}

#[test]
fn time_left_is_what_the_rest_of_the_schedule_takes_at_this_runs_pace() {
    let mut file = File::new(Mode::Graph);
    for id in ["T1", "T2", "T3", "T4", "T5"] {
        file.task(id, &[]).estimate = 10;
    }
    let mut run = Run::new(file, limits(2));
    assert_eq!(forecast(&run.scheduler, run.now, FORECAST_CAP).left, Duration::from_secs(30));
    let task = run.ix("T1");
    run.now = Duration::from_secs(20); // twice as long as expected
    let report = AttemptReport { duration: run.now, ..AttemptReport::default() };
    run.step(Input::Finished { task, report });
    let left = forecast(&run.scheduler, run.now, FORECAST_CAP);
    assert_eq!((left.left, left.at_least), (Duration::from_secs(40), false));
    let bound = forecast(&run.scheduler, run.now, 1);
    assert_eq!((bound.left, bound.at_least), (Duration::from_secs(40), true));
}

#[test]
fn a_long_chain_is_blocked_without_recursion() {
    let mut file = File::new(Mode::Graph);
    for n in 0..20_000u32 {
        file.task(&format!("C{n}"), &[]);
    }
    let plan = chained(&file);
    let begun = Instant::now();
    let history = History::default();
    let session = Session::after(&history, RunInfo::default(), 0, 1);
    let mut scheduler = Scheduler::new(Arc::new(plan), limits(8), &history, session);
    let mut decision = scheduler.step(Duration::ZERO, Input::Begin);
    let (outcome, class) = (AttemptOutcome::ExitCode(1), Some(FailureClass::Permanent));
    let report = AttemptReport { outcome, class, ..AttemptReport::default() };
    let Some(Action::Start { task, .. }) = decision.actions.pop() else { panic!("nothing started") };
    scheduler.step(Duration::ZERO, Input::Finished { task, report });
    println!("a chain of 20,000 blocked in {:?}", begun.elapsed());
    assert_eq!(scheduler.counts().blocked, 19_999);
    assert!(scheduler.is_over());
}

/// Measures, and asserts only that it ends well: `cargo test --release timing -- --nocapture`.
#[test]
fn timing_of_a_large_plan() {
    use specter::plan::graph::{Edge, Graph, NodeIx};
    use specter::plan::{EdgeKind, Reason};
    let count: u32 = if cfg!(debug_assertions) { 5_000 } else { 100_000 };
    let mut file = File::new(Mode::Graph);
    for n in 0..count {
        file.task(&format!("T{n:06}"), &[]).estimate = u64::from(n % 7);
    }
    let mut plan = file.plan_without_edges();
    let mut rng = fastrand::Rng::with_seed(1);
    let edges = (1..count).flat_map(|to| [(rng.u32(..to), to), (rng.u32(to.saturating_sub(50)..to), to)]);
    let edge = |(from, to)| Edge {
        from: NodeIx(from),
        to: NodeIx(to),
        kind: EdgeKind::Needs,
        reason: Reason::Explicit,
        line: 1,
    };
    let tasks = count as usize;
    plan.graph = Graph::new(tasks, tasks, edges.map(edge).collect::<Vec<_>>());
    let plan = Arc::new(plan);
    let history = History::default();
    let session = Session::after(&history, RunInfo::default(), 0, 1);
    let begun = Instant::now();
    let mut scheduler = Scheduler::new(plan, limits(8), &history, session);
    let mut decision = scheduler.step(Duration::ZERO, Input::Begin);
    println!("{count} tasks, begun after {:?}", begun.elapsed());
    let mut running = std::collections::VecDeque::new();
    let mut steps = 0;
    loop {
        running.extend(decision.actions.drain(..).filter_map(|action| match action {
            Action::Start { task, .. } => Some(task),
            _ => None,
        }));
        let Some(task) = running.pop_front() else { break };
        decision.events.clear();
        let report = AttemptReport::default();
        scheduler.step_into(Duration::ZERO, Input::Finished { task, report }, &mut decision);
        steps += 1;
    }
    let took = begun.elapsed();
    println!("{count} tasks, {} edges, {steps} steps: {took:?}", count * 2);
    println!("{:?} a task", took / count);
    assert_eq!(scheduler.counts().done, count);
}

/// Each task needs the one before it.
fn chained(file: &File) -> specter::plan::Plan {
    use specter::plan::graph::{Edge, Graph, NodeIx};
    use specter::plan::{EdgeKind, Reason};
    let mut plan = file.plan_without_edges();
    let count = plan.tasks.len();
    let edge = |n: u32| Edge {
        from: NodeIx(n - 1),
        to: NodeIx(n),
        kind: EdgeKind::Needs,
        reason: Reason::Explicit,
        line: 1,
    };
    plan.graph = Graph::new(count, count, (1..count as u32).map(edge).collect::<Vec<_>>());
    plan
}

#[test]
fn the_history_knows_how_each_task_was_settled() {
    let mut run = Run::new(chain(), limits(2));
    run.succeed("T4");
    run.fail("T1", FailureClass::Permanent);
    let history = History::from_events(&run.journal);
    let settled = |id: &str| history.task(&TaskId::new(id)).settled;
    assert_eq!(settled("T4"), Some(Settled::Done));
    assert_eq!(settled("T1"), Some(Settled::Failed));
    assert_eq!(settled("T3"), Some(Settled::Blocked));
    assert_eq!((history.dispatches, history.sessions), (2, 1));
    assert_eq!(history.outcome, Some(RunOutcome::SomeFailed));
    assert!(history.is_unfinished());
    assert_eq!(history.task(&TaskId::new("T1")).spent(), 0, "who resumes asks for it anew");
}

/// The file as it is after `edit`, taken up while the run goes on.
fn edited(run: &mut Run, edit: impl FnOnce(&mut File)) {
    edit(&mut run.file);
    let decision = run.scheduler.replan(run.now, Arc::new(run.file.plan()));
    run.scheduler.check();
    run.journal.extend(decision.events);
}

#[test]
fn what_an_earlier_session_did_is_known_of_a_task_that_comes_back_to_the_file() {
    let mut run = Run::new(chain(), limits(2));
    run.succeed("T1");
    run.fail("T4", FailureClass::Transient);
    let gone: Vec<_> = ["T1", "T4"].map(|id| run.file.line(id).unwrap().clone()).into();
    run.file.lines.retain(|line| line.id != "T1" && line.id != "T4");
    let mut run = run.resume();
    assert_eq!(run.running(), ["T2"]);
    edited(&mut run, |file| file.lines.extend(gone));
    assert_eq!(run.state("T1"), TaskState::Finished(TaskOutcome::Done), "it is on record as done");
    assert_eq!(run.state("T4"), TaskState::Running { attempt: 2 }, "no log is overwritten");
}

#[test]
fn what_is_freed_by_an_edit_has_no_new_budget_after_a_resume() {
    let mut file = chain();
    file.task("T5", &["T1"]);
    let mut run = Run::new(file, limits(1));
    run.file.line_mut("T1").unwrap().role = Role::Done;
    edited(&mut run, |file| file.line_mut("T5").unwrap().priority = Some(1));
    run.succeed("T1");
    let first = run.running()[0].to_owned();
    run.fail(&first, FailureClass::Transient);
    run.file.line_mut("T1").unwrap().role = Role::LeftOut(LeftOut::Manual);
    let mut run = run.resume();
    assert!(matches!(run.state(&first), TaskState::Finished(TaskOutcome::Blocked { .. })), "{first}");
    edited(&mut run, |file| file.line_mut("T1").unwrap().role = Role::Done);
    let history = History::from_events(&run.journal);
    assert_eq!(history.task(&TaskId::new(&first)).spent(), 1, "the attempt before it was blocked counts");
}

/// T2 runs, and then T3, which names `f3`. T1, beside one of them, is at odds over `path` and is to be tried again.
fn at_odds(beside: &str, path: &str) -> Run {
    let mut file = File::new(Mode::Graph);
    file.task("T1", &[]);
    file.task("T2", &[]);
    file.task("T3", &["T2"]).files = vec![3];
    let mut run = Run::new(file, limits(2));
    assert_eq!(run.running(), ["T2", "T1"]);
    if beside == "T3" {
        run.succeed("T2");
        assert_eq!(run.running(), ["T3", "T1"], "nobody knew");
    }
    let task = TaskRef { ix: run.ix("T1"), id: TaskId::new("T1") };
    let conflicts = vec![Conflict { path: path.to_owned(), ..Conflict::default() }];
    let event = run.scheduler.stamp(run.now, EventKind::Conflicted { task, attempt: 1, conflicts });
    run.journal.push(event);
    run.fail("T1", FailureClass::Conflict);
    run
}

#[test]
fn a_task_at_odds_over_a_file_is_tried_again_beside_nobody_who_names_it() {
    let mut run = at_odds("T3", "f3");
    run.wake();
    assert_eq!(run.running(), ["T3"]);
    let with = run.ix("T3");
    let why = run.scheduler.explain(run.ix("T1")).obstacles;
    assert_eq!(why, [Obstacle::Contested { path: "f3".to_owned(), with }]);
    run.succeed("T3");
    assert_eq!(run.running(), ["T1"]);
    run.succeed("T1");
    assert_eq!(run.outcome(), Some(RunOutcome::AllDone));
}

#[test]
fn who_names_the_file_waits_for_the_task_that_was_at_odds_over_it() {
    let mut run = at_odds("T2", "f3");
    run.wake();
    assert_eq!(run.running(), ["T2", "T1"]);
    run.succeed("T2");
    assert_eq!(run.running(), ["T1"]);
    run.succeed("T1");
    assert_eq!(run.running(), ["T3"]);
}

#[test]
fn a_resume_and_an_edit_remember_who_was_at_odds() {
    let mut run = at_odds("T3", "f3").resume();
    assert_eq!(run.running().len(), 1, "{:?}", run.running());
    run.file.task("T5", &[]).role = Role::Done;
    let decision = run.scheduler.replan(run.now, Arc::new(run.file.plan()));
    run.journal.extend(decision.events);
    run.scheduler.check();
    assert_eq!(run.running().len(), 1, "{:?}", run.running());
}

#[test]
fn a_directory_stands_for_the_files_in_it_that_attempts_are_at_odds_over() {
    let beside = |path: &str| {
        let mut run = at_odds("T3", path);
        run.wake();
        run.running().len()
    };
    assert_eq!(["f3/deep/x", "f33", "other/f3"].map(beside), [1, 2, 2]);
}

fn short(of: Scarce) -> Input {
    Input::Admission(Some(Shortage { of, text: "1 MiB is free, the floor is 2 MiB".to_owned() }))
}

fn told(run: &Run) -> Vec<Option<Scarce>> {
    let told = run.journal.iter().filter_map(|event| match &event.kind {
        EventKind::AdmissionChanged { waits_for, .. } => Some(*waits_for),
        _ => None,
    });
    told.collect()
}

#[test]
fn nothing_joins_what_runs_while_memory_is_scarce_and_it_is_told_once() {
    let mut file = File::new(Mode::Graph);
    for n in 1..5 {
        file.task(&format!("T{n}"), &[]);
    }
    let mut run = Run::new(file, limits(2));
    run.step(short(Scarce::Memory));
    assert_eq!(
        (run.running(), told(&run)),
        (vec!["T1", "T2"], vec![]),
        "nobody waits for a worker that is busy"
    );
    run.succeed("T1");
    assert_eq!((run.running(), told(&run)), (vec!["T2"], vec![Some(Scarce::Memory)]));
    assert_eq!(run.scheduler.waits_for(), Some(Scarce::Memory));
    assert_eq!(run.scheduler.explain(run.ix("T3")).obstacles, [Obstacle::Scarce(Scarce::Memory)]);
    run.step(Input::Admission(None));
    assert_eq!(run.running(), ["T3", "T2"]);
    run.step(short(Scarce::Memory));
    run.succeed("T2");
    assert_eq!(run.running(), ["T3"]);
    assert_eq!(told(&run), [Some(Scarce::Memory), None], "over and back within a minute is told once");
    assert_eq!(run.scheduler.next_wakeup(), None, "something runs, and its end wakes");
}

#[test]
fn where_nothing_runs_one_attempt_starts_after_a_while_without_room() {
    let mut file = File::new(Mode::Graph);
    for n in 1..4 {
        file.task(&format!("T{n}"), &[]);
    }
    let mut run = Run::new(file, limits(2));
    run.step(short(Scarce::Load));
    run.succeed("T1");
    run.succeed("T2");
    assert!(run.running().is_empty());
    let before = run.now;
    run.wake();
    assert_eq!((run.now.saturating_sub(before), run.running()), (PATIENCE, vec!["T3"]));
    run.succeed("T3");
    assert_eq!(run.outcome(), Some(RunOutcome::AllDone));
}

#[test]
fn a_full_disk_stops_the_run_once_nothing_runs_and_a_resume_goes_on() {
    let mut file = File::new(Mode::Graph);
    for n in 1..3 {
        file.task(&format!("T{n}"), &[]);
    }
    let mut run = Run::new(file, limits(1));
    run.step(short(Scarce::Disk));
    run.succeed("T1");
    run.wake();
    assert_eq!(run.outcome(), Some(RunOutcome::Stopped));
    let stopped = EventKind::BudgetReached {
        budget: BudgetKind::Disk,
        limit: "1 MiB is free, the floor is 2 MiB".to_owned(),
    };
    assert!(run.journal.iter().any(|event| event.kind == stopped));
    let mut run = run.resume();
    run.succeed("T2");
    assert_eq!(run.outcome(), Some(RunOutcome::AllDone));
}
