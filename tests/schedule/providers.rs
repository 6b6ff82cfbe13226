//! Limits of providers: who waits for them and for how long, by a wall clock that jumps while the machine sleeps.

use crate::schedule::fixture::{AGENTS, File};
use fastrand::Rng;
use specter::event::{
    AgentReport, AgentStep, AnsweredBy, AttemptOutcome, AttemptReport, BudgetKind, Event, EventKind,
    FailureClass, Question, RunInfo, RunOutcome, Spent, TaskRef,
};
use specter::history::History;
use specter::plan::{Mode, Role};
use specter::policy::{Budgets, FailurePolicy, OnLimit, RetryPolicy};
use specter::schedule::{
    Decision, Held, Input, Limits, Link, MARGIN, Obstacle, Scheduler, Session, TaskOutcome, TaskState,
};
use specter::task::{TaskId, TaskIx};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What the wall clock shows when a test begins.
const BEGIN: u64 = 1_795_236_300_000;
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// A scheduler, and a machine with two clocks: one that only counts while it is awake, and one on the wall.
pub(super) struct Run {
    pub(super) scheduler: Scheduler,
    pub(super) now: Duration,
    /// What the wall clock showed, or would have, when `now` was zero.
    zero: u64,
    pub(super) journal: Vec<Event>,
    pub(super) file: File,
    limits: Limits,
    /// Who takes over from whom, and whether it is on record that they answer.
    chain: Vec<Link>,
}

pub(super) fn limits(jobs: u32) -> Limits {
    let retry = RetryPolicy { jitter: Duration::ZERO, ..RetryPolicy::default() };
    Limits { jobs, retry, failure: FailurePolicy::KeepGoing, budgets: Budgets::default() }
}

/// `C1`… by claude, `X1`… by codex, `S1`… by the shell, all at once if there are workers.
pub(super) fn file(ids: &[&str]) -> File {
    let mut file = File::new(Mode::Graph);
    for id in ids {
        let agent = match id.as_bytes()[0] {
            b'C' => Some("claude".to_owned()),
            b'X' => Some("codex".to_owned()),
            _ => None,
        };
        file.task(id, &[]).agent = agent;
    }
    file
}

fn session(history: &History, started: u64) -> Session {
    let providers: BTreeMap<String, String> =
        AGENTS.iter().map(|(agent, provider)| ((*agent).to_owned(), (*provider).to_owned())).collect();
    Session { providers, ..Session::after(history, RunInfo::default(), started, 1) }
}

impl Run {
    pub(super) fn new(file: File, limits: Limits) -> Run {
        Run::taken_up((file, limits, Vec::new()), Vec::new(), BEGIN)
    }

    /// With a chain of claude and codex, of which those are proven.
    pub(super) fn chained(file: File, limits: Limits, proven: [bool; 2]) -> Run {
        let link =
            |((agent, _), is_proven): ((&str, &str), bool)| Link { agent: agent.to_owned(), is_proven };
        let chain = AGENTS.into_iter().zip(proven).map(link).collect();
        let on_limit = OnLimit::Failover;
        let limits = Limits { budgets: Budgets { on_limit, ..limits.budgets }, ..limits };
        Run::taken_up((file, limits, chain), Vec::new(), BEGIN)
    }

    fn taken_up((file, limits, chain): (File, Limits, Vec<Link>), journal: Vec<Event>, zero: u64) -> Run {
        let history = History::from_events(&journal);
        let session = Session { chain: chain.clone(), ..session(&history, zero) };
        let scheduler = Scheduler::new(Arc::new(file.plan()), limits.clone(), &history, session);
        let mut run = Run { scheduler, now: Duration::ZERO, zero, journal, file, limits, chain };
        run.step(Input::Begin);
        run
    }

    /// The process ended; another takes up the journal so much later.
    pub(super) fn resume(self, later: u64) -> Run {
        let wall = self.wall();
        Run::taken_up((self.file, self.limits, self.chain), self.journal, wall + later)
    }

    /// Task and agent of each attempt, in order.
    pub(super) fn attempts(&self) -> Vec<String> {
        let started = self.journal.iter().filter_map(|event| match &event.kind {
            EventKind::AttemptStarted { task, executor, .. } => Some(format!("{} {executor}", task.id)),
            _ => None,
        });
        started.collect()
    }

    fn handed_over(&self) -> Vec<(String, String, FailureClass, Option<u64>, bool)> {
        let told = self.journal.iter().filter_map(|event| match &event.kind {
            EventKind::AgentChanged { task, to, why, until, used_up, .. } => {
                Some((task.id.to_string(), to.clone(), *why, *until, *used_up))
            }
            _ => None,
        });
        told.collect()
    }

    fn notes(&self) -> Vec<&str> {
        let notes = self.journal.iter().filter_map(|event| match &event.kind {
            EventKind::Note { text, .. } => Some(text.as_str()),
            _ => None,
        });
        notes.collect()
    }

    pub(super) fn wall(&self) -> u64 {
        self.zero + self.now.as_millis() as u64
    }

    pub(super) fn step(&mut self, input: Input) -> Decision {
        let decision = self.scheduler.step(self.now, input);
        self.scheduler.check();
        self.journal.extend(decision.events.iter().cloned());
        decision
    }

    pub(super) fn ix(&self, id: &str) -> TaskIx {
        self.scheduler.plan().find(id).unwrap()
    }

    pub(super) fn running(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = self.scheduler.running().map(|(_, _, id)| id.as_str()).collect();
        ids.sort_unstable();
        ids
    }

    /// As the driver does it: what a limit says is heard with the time it is said at.
    pub(super) fn end(&mut self, id: &str, report: AttemptReport) -> Decision {
        self.now += Duration::from_secs(1);
        if matches!(report.class, Some(FailureClass::UsageLimit | FailureClass::RateLimit)) {
            self.step(Input::Wall(self.wall()));
        }
        let task = self.ix(id);
        self.step(Input::Finished { task, report })
    }

    pub(super) fn succeed(&mut self, id: &str) -> Decision {
        self.end(id, AttemptReport::default())
    }

    pub(super) fn usage(&mut self, id: &str, resets_at: Option<u64>) -> Decision {
        self.end(id, usage(resets_at))
    }

    fn rate(&mut self, id: &str, wait: Option<u64>) -> Decision {
        self.end(id, AttemptReport { retry_after_ms: wait, ..failed(FailureClass::RateLimit) })
    }

    fn refuse(&mut self, id: &str) -> Decision {
        let agent = AgentReport { refused: true, ..AgentReport::default() };
        self.end(id, AttemptReport { agent: Some(Box::new(agent)), ..failed(FailureClass::Permanent) })
    }

    /// Sleeps until the next wake-up, as the driver does: by the clock that stands still while the machine sleeps.
    fn wake(&mut self) -> Decision {
        self.now = self.now.max(self.scheduler.next_wakeup().expect("something is due"));
        if self.scheduler.waits_for_wall() {
            self.step(Input::Wall(self.wall()));
        }
        self.step(Input::Wakeup)
    }

    /// As `specter answer` does it: to the run at work, or into the record of one that is over.
    pub(super) fn answer(&mut self, id: &str, answer: &str) -> Decision {
        let history = History::from_events(&self.journal);
        let attempt = history.questions().get(&TaskId::new(id)).map_or(0, |asked| asked.attempt);
        if self.scheduler.is_over() && attempt > 0 {
            let task = TaskRef { ix: TaskRef::UNRESOLVED, id: TaskId::new(id) };
            let (answer, by) = (answer.to_owned(), AnsweredBy::Person);
            let kind = EventKind::QuestionAnswered { task, attempt, answer, by };
            self.journal.push(Event { seq: self.journal.len() as u64 + 1, at: self.now, kind });
        }
        let decision = self.scheduler.answer(self.now, &TaskId::new(id), attempt, answer);
        self.scheduler.check();
        self.journal.extend(decision.events.iter().cloned());
        decision
    }

    pub(super) fn answer_some(&mut self, rng: &mut Rng) {
        let history = History::from_events(&self.journal);
        let asked: Vec<String> = history.questions().keys().map(ToString::to_string).collect();
        if let Some(id) = rng.choice(&asked) {
            self.answer(id, "yes");
        }
    }

    /// Until something starts, or the run is over. Returns how long it took.
    pub(super) fn wake_until_start(&mut self) -> u64 {
        let from = self.wall();
        for _ in 0..100_000 {
            if !self.running().is_empty() || self.scheduler.is_over() {
                return self.wall() - from;
            }
            self.wake();
        }
        panic!("nothing ever starts");
    }

    pub(super) fn outcome(&self) -> Option<RunOutcome> {
        match self.journal.last()?.kind {
            EventKind::RunFinished { outcome, .. } => Some(outcome),
            _ => None,
        }
    }

    fn budget(&self) -> Option<(BudgetKind, &str)> {
        self.journal.iter().rev().find_map(|event| match &event.kind {
            EventKind::BudgetReached { budget, limit } => Some((*budget, limit.as_str())),
            _ => None,
        })
    }

    pub(super) fn count(&self, is: impl Fn(&EventKind) -> bool) -> usize {
        self.journal.iter().filter(|event| is(&event.kind)).count()
    }

    pub(super) fn starts(&self) -> usize {
        self.count(|kind| matches!(kind, EventKind::AttemptStarted { .. }))
    }

    pub(super) fn why(&self, id: &str) -> Vec<Obstacle> {
        self.scheduler.explain(self.ix(id)).obstacles
    }

    /// The agent at work on `id` does something.
    fn steps(&mut self, id: &str) {
        let task = TaskRef { ix: self.ix(id), id: TaskId::new(id) };
        let step = Box::new(AgentStep::default());
        let event = self.scheduler.stamp(self.now, EventKind::AgentStep { task, attempt: 1, n: 1, step });
        self.journal.push(event);
    }
}

pub(super) fn failed(class: FailureClass) -> AttemptReport {
    AttemptReport { outcome: AttemptOutcome::ExitCode(1), class: Some(class), ..AttemptReport::default() }
}

/// It asks, and waits for a person or not.
pub(super) fn asking(parks: bool) -> AttemptReport {
    let asks = Some(Box::new(Question {
        question: "which?".to_owned(),
        default: Some("this".to_owned()),
        options: vec![],
    }));
    let agent = AgentReport { asks, parks, ..AgentReport::default() };
    AttemptReport { agent: Some(Box::new(agent)), ..failed(FailureClass::Gate) }
}

fn usage(resets_at: Option<u64>) -> AttemptReport {
    let agent = AgentReport { resets_at, ..AgentReport::default() };
    AttemptReport { agent: Some(Box::new(agent)), ..failed(FailureClass::UsageLimit) }
}

fn claude(why: Held) -> Vec<Obstacle> {
    vec![Obstacle::Provider { name: "anthropic".to_owned(), why }]
}

#[test]
fn a_usage_limit_holds_what_needs_its_provider_until_its_end_and_nothing_else() {
    let mut run = Run::new(file(&["C1", "C2", "X1", "S1"]), limits(1));
    assert_eq!(run.running(), ["C1"]);
    let at = run.wall() + 5 * HOUR;
    run.usage("C1", Some(at));
    assert_eq!(run.running(), ["X1"], "another's provider goes on");
    run.succeed("X1");
    run.succeed("S1");
    assert!(run.running().is_empty());
    let until = at + MARGIN.as_millis() as u64;
    assert_eq!(run.why("C2"), claude(Held::Until(Some(until), FailureClass::UsageLimit)));
    run.wake_until_start();
    assert!(run.wall() >= until && run.wall() <= at + MINUTE, "{} after the end", run.wall() - at);
    run.succeed("C1");
    run.succeed("C2");
    assert_eq!(run.outcome(), Some(RunOutcome::AllDone));
    let report = run.journal.iter().filter(|event| matches!(event.kind, EventKind::TaskFailed { .. }));
    assert_eq!(report.count(), 0, "a limit spends no attempt");
}

#[test]
fn after_the_end_of_a_limit_one_attempt_goes_ahead_and_its_success_lets_the_others_follow() {
    let mut run = Run::new(file(&["C1", "C2", "C3"]), limits(3));
    let at = run.wall() + HOUR;
    run.usage("C1", Some(at));
    run.usage("C2", Some(at));
    run.usage("C3", Some(at));
    assert_eq!(run.count(|kind| matches!(kind, EventKind::ProviderHeld { .. })), 1, "one limit is told once");
    run.wake_until_start();
    assert_eq!(run.running().len(), 1);
    let ahead = run.running()[0].to_owned();
    assert_eq!(run.why(if ahead == "C1" { "C2" } else { "C1" }), claude(Held::Probed));
    run.succeed(&ahead);
    assert_eq!(run.running().len(), 2);
    assert_eq!(run.count(|kind| matches!(kind, EventKind::ProviderOpened { .. })), 1, "and so is its end");
}

#[test]
fn the_others_follow_as_soon_as_the_agent_that_went_ahead_does_something() {
    let mut run = Run::new(file(&["C1", "C2", "C3"]), limits(3));
    let at = run.wall() + HOUR;
    for id in ["C1", "C2", "C3"] {
        run.usage(id, Some(at));
    }
    run.wake_until_start();
    let ahead = run.running()[0].to_owned();
    run.steps(&ahead);
    assert_eq!(run.scheduler.next_wakeup(), Some(run.now), "at once");
    run.wake();
    assert_eq!(run.running().len(), 3);
}

#[test]
fn what_ran_before_a_limit_says_nothing_of_its_end() {
    let mut run = Run::new(file(&["C1", "C2", "C3"]), limits(2));
    let at = run.wall() + HOUR;
    run.usage("C1", Some(at));
    run.steps("C2");
    run.succeed("C2");
    assert!(run.running().is_empty(), "still held");
}

#[test]
fn the_latest_end_that_was_named_counts() {
    let mut run = Run::new(file(&["C1", "C2", "C3"]), limits(3));
    let at = run.wall();
    run.usage("C1", None);
    run.usage("C2", Some(at + 3 * HOUR));
    run.usage("C3", Some(at + HOUR));
    run.wake_until_start();
    assert!(run.wall() >= at + 3 * HOUR);
}

#[test]
fn a_limit_that_names_no_end_is_asked_about_less_and_less_often_and_spends_no_attempt() {
    let mut run = Run::new(file(&["C1"]), limits(1));
    let mut waits = Vec::new();
    for _ in 0..7 {
        run.usage("C1", None);
        waits.push(run.wake_until_start() / MINUTE);
    }
    assert_eq!(waits, [5, 10, 20, 40, 60, 60, 60]);
    run.succeed("C1");
    assert_eq!(run.outcome(), Some(RunOutcome::AllDone));
}

#[test]
fn a_limit_that_names_no_end_is_not_waited_for_longer_than_was_allowed() {
    let mut run = Run::new(file(&["C1", "C2"]), limits(1));
    let from = run.wall();
    while run.outcome().is_none() {
        let id = run.running()[0].to_owned();
        run.usage(&id, None);
        run.wake_until_start();
    }
    assert_eq!(run.outcome(), Some(RunOutcome::Stopped));
    assert!(matches!(run.budget(), Some((BudgetKind::Provider, _))));
    assert!(run.wall() - from <= 8 * HOUR && run.wall() - from >= 6 * HOUR);
    assert!(run.starts() < 15, "{} attempts", run.starts());
}

#[test]
fn a_limit_further_away_than_is_waited_ends_the_run_once_there_is_nothing_else_to_do() {
    let mut run = Run::new(file(&["C1", "C2", "S1"]), limits(1));
    let at = run.wall() + 48 * HOUR;
    run.usage("C1", Some(at));
    assert_eq!(run.running(), ["S1"]);
    run.succeed("S1");
    run.wake_until_start();
    assert_eq!(run.outcome(), Some(RunOutcome::Stopped));
    assert_eq!(
        run.budget(),
        Some((BudgetKind::Provider, "anthropic is at its limit until 2026-11-23 04:45 UTC"))
    );
    assert_eq!(run.starts(), 2);
    // Too early again: nothing is asked. In time: it goes on.
    let run = run.resume(HOUR);
    assert_eq!((run.outcome(), run.starts()), (Some(RunOutcome::Stopped), 2));
    let run = run.resume(47 * HOUR + MINUTE);
    assert_eq!(run.starts(), 3);
}

#[test]
fn who_does_not_want_to_wait_is_told_when_to_come_back_and_what_runs_goes_on() {
    let budgets = Budgets { on_limit: OnLimit::Stop, ..Budgets::default() };
    let mut run = Run::new(file(&["C1", "S1", "S2", "S3"]), Limits { budgets, ..limits(2) });
    let at = run.wall() + HOUR;
    run.usage("C1", Some(at));
    assert_eq!(run.running(), ["S1"]);
    run.succeed("S1");
    assert_eq!(run.outcome(), Some(RunOutcome::Stopped));
    assert_eq!(
        run.budget(),
        Some((BudgetKind::Provider, "anthropic is at its limit until 2026-11-21 05:45 UTC"))
    );
}

#[test]
fn a_resume_before_the_end_of_a_limit_does_not_run_into_it_again() {
    let mut run = Run::new(file(&["C1", "C2", "S1"]), limits(1));
    let at = run.wall() + 2 * HOUR;
    run.usage("C1", Some(at));
    let mut run = run.resume(HOUR);
    assert_eq!(run.running(), ["S1"], "the shell knows no limits");
    run.succeed("S1");
    run.wake_until_start();
    assert!(run.wall() >= at && run.wall() <= at + MINUTE);
    // And one after its end asks first.
    let mut run = run.resume(0);
    assert_eq!(run.running().len(), 1);
    let ahead = run.running()[0].to_owned();
    run.succeed(&ahead);
    assert_eq!(run.scheduler.counts().done, 2);
}

#[test]
fn an_edit_of_the_file_does_not_lose_a_hold() {
    let mut run = Run::new(file(&["C1", "C2"]), limits(2));
    let at = run.wall() + HOUR;
    run.usage("C1", Some(at));
    run.file.task("C3", &[]).agent = Some("claude".to_owned());
    run.file.lines.retain(|line| line.id != "C2");
    let decision = run.scheduler.replan(run.now, Arc::new(run.file.plan()));
    run.scheduler.check();
    run.journal.extend(decision.events);
    // C2 still runs and is in the file no more: nothing joins it, and its end says what any end says.
    let (_, gone, _) = run.scheduler.running().next().unwrap();
    run.now += Duration::from_secs(1);
    run.step(Input::Finished { task: gone, report: usage(Some(at + HOUR)) });
    assert!(run.running().is_empty());
    run.wake_until_start();
    assert!(run.wall() >= at + HOUR, "the later end counts, also of a task that is gone");
    assert_eq!(run.running().len(), 1);
}

#[test]
fn a_rate_limit_halves_what_runs_side_by_side_once_and_successes_let_it_grow_again() {
    let ids: Vec<String> = (0..40).map(|n| format!("C{n:02}")).collect();
    let mut run = Run::new(file(&ids.iter().map(String::as_str).collect::<Vec<_>>()), limits(8));
    let first: Vec<String> = run.running().iter().map(|id| (*id).to_owned()).collect();
    assert_eq!(first.len(), 8);
    for id in &first {
        run.rate(id, Some(2_000));
    }
    run.wake_until_start();
    assert_eq!(run.running().len(), 4, "eight failures of one moment halve once");
    let mut most = Vec::new();
    while run.outcome().is_none() {
        run.wake_until_start();
        let id = run.running()[0].to_owned();
        run.succeed(&id);
        most.push(run.running().len());
    }
    assert_eq!(run.outcome(), Some(RunOutcome::AllDone));
    assert!(most.contains(&5) && most.contains(&8), "{most:?}");
}

#[test]
fn rate_limits_without_end_burn_neither_attempts_nor_dispatches() {
    let mut run = Run::new(file(&["C1", "C2", "C3"]), limits(3));
    while run.outcome().is_none() {
        run.wake_until_start();
        if let Some(id) = run.running().first().map(|id| (*id).to_owned()) {
            run.rate(&id, None);
        }
    }
    assert_eq!(run.outcome(), Some(RunOutcome::Stopped));
    assert_eq!(run.count(|kind| matches!(kind, EventKind::TaskFailed { .. })), 0);
    assert!(run.starts() < 80, "{} attempts in eight hours", run.starts());
}

#[test]
fn a_provider_that_refuses_everything_is_asked_three_times_and_not_once_for_every_task() {
    let ids: Vec<String> = (0..30).map(|n| format!("C{n:02}")).chain(["S1".to_owned()]).collect();
    let mut run = Run::new(file(&ids.iter().map(String::as_str).collect::<Vec<_>>()), limits(2));
    while let Some(id) = run.running().iter().find(|id| id.starts_with('C')).map(|id| (*id).to_owned()) {
        run.refuse(&id);
    }
    assert_eq!(run.running(), ["S1"], "all else goes on");
    run.succeed("S1");
    assert_eq!(run.outcome(), Some(RunOutcome::Stopped));
    assert_eq!(run.budget(), Some((BudgetKind::Provider, "anthropic refuses whatever is asked")));
    assert!(run.starts() <= 5, "{} attempts", run.starts());
    let run = run.resume(0);
    assert!(!run.running().is_empty(), "who resumes may have logged in");
}

#[test]
fn refusals_with_an_answer_between_are_no_row() {
    let mut run = Run::new(file(&["C1", "C2", "C3", "C4", "C5"]), limits(1));
    for id in ["C1", "C2"] {
        run.refuse(id);
    }
    run.succeed("C3");
    run.refuse("C4");
    run.succeed("C5");
    assert_eq!(run.outcome(), Some(RunOutcome::SomeFailed));
}

fn spending(input: u64, cost: u64) -> AttemptReport {
    let spent = Spent { input, cost_micros: Some(cost), ..Spent::default() };
    let agent = AgentReport { spent: Some(spent), ..AgentReport::default() };
    AttemptReport { agent: Some(Box::new(agent)), ..AttemptReport::default() }
}

#[test]
fn what_agents_spend_is_counted_over_resumes_and_ends_the_run_cleanly() {
    for (budgets, kind) in [
        (Budgets { max_tokens: Some(300), ..Budgets::default() }, BudgetKind::Tokens),
        (Budgets { max_cost_micros: Some(3_000_000), ..Budgets::default() }, BudgetKind::Cost),
    ] {
        let ids = ["C1", "C2", "C3", "C4", "C5"];
        let mut run = Run::new(file(&ids), Limits { budgets, ..limits(1) });
        run.end("C1", spending(100, 1_000_000));
        run.end("C2", spending(100, 1_000_000));
        let mut run = run.resume(0);
        run.end("C3", spending(100, 1_000_000));
        assert_eq!(run.outcome(), Some(RunOutcome::Stopped));
        assert_eq!(run.budget().map(|(budget, _)| budget), Some(kind));
        assert_eq!(run.scheduler.counts().open, 2);
        assert_eq!(run.resume(0).starts(), 3 + 1, "C3's was under way when the first session ended");
    }
}

#[test]
fn at_a_limit_the_next_agent_takes_over_and_keeps_what_it_took() {
    let mut run = Run::chained(file(&["C1", "S1"]), limits(1), [true, true]);
    let at = run.wall() + 5 * HOUR;
    run.usage("C1", Some(at));
    run.succeed("S1");
    run.wake_until_start();
    let until = Some(at + MARGIN.as_millis() as u64);
    assert_eq!(run.running(), ["C1"], "at once, and not in five hours");
    assert_eq!(
        run.handed_over(),
        [("C1".to_owned(), "codex".to_owned(), FailureClass::UsageLimit, until, false)]
    );
    run.end("C1", failed(FailureClass::Gate));
    run.wake_until_start();
    run.succeed("C1");
    assert_eq!(run.outcome(), Some(RunOutcome::AllDone));
    assert_eq!(run.attempts(), ["C1 claude", "S1 shell", "C1 codex", "C1 codex"]);
    assert_eq!(run.count(|kind| matches!(kind, EventKind::TaskFailed { .. })), 0);
}

#[test]
fn a_limit_spends_no_attempt_of_anybody() {
    let limits = limits(1);
    let retry = RetryPolicy { max_attempts: 2, ..limits.retry.clone() };
    let mut run = Run::chained(file(&["C1"]), Limits { retry, ..limits }, [true, true]);
    let at = run.wall() + HOUR;
    run.usage("C1", Some(at));
    run.wake_until_start();
    run.usage("C1", Some(at));
    run.wake_until_start();
    run.end("C1", failed(FailureClass::Gate));
    run.wake_until_start();
    run.succeed("C1");
    assert_eq!(run.outcome(), Some(RunOutcome::AllDone));
    assert!(run.handed_over().iter().all(|(.., used_up)| !used_up), "{:?}", run.handed_over());
}

#[test]
fn nobody_takes_over_of_whom_nothing_proves_that_he_answers_and_that_is_said_once() {
    let mut run = Run::chained(file(&["C1", "C2"]), limits(2), [true, false]);
    let at = run.wall() + HOUR;
    run.usage("C1", Some(at));
    run.usage("C2", Some(at));
    assert!(run.running().is_empty() && run.handed_over().is_empty());
    let notes = run.notes();
    assert!(
        notes.len() == 1 && notes[0].contains("`codex`") && notes[0].contains("doctor --agents"),
        "{notes:?}"
    );
    run.wake_until_start();
    assert!(run.wall() >= at, "it waits as without a chain");
    let alone =
        Limits { budgets: Budgets { on_limit: OnLimit::Failover, ..Budgets::default() }, ..limits(1) };
    let mut run = Run::new(file(&["C1"]), alone);
    run.usage("C1", Some(run.wall() + HOUR));
    assert!(run.notes()[0].contains("--agent one,other"), "{:?}", run.notes());
}

#[test]
fn who_names_its_own_agent_outside_the_chain_keeps_it() {
    let mut chained = Run::chained(file(&["X1"]), limits(1), [true, true]);
    chained.chain.truncate(1);
    let mut run = Run::taken_up((chained.file, chained.limits, chained.chain), Vec::new(), BEGIN);
    run.usage("X1", Some(run.wall() + HOUR));
    run.wake();
    assert!(run.handed_over().is_empty() && run.running().is_empty());
}

#[test]
fn where_all_are_at_a_limit_the_first_to_end_lets_work_go_on() {
    let mut run = Run::chained(file(&["C1"]), limits(1), [true, true]);
    let from = run.wall();
    run.usage("C1", Some(from + 5 * HOUR));
    run.wake_until_start();
    run.usage("C1", Some(from + 2 * HOUR));
    run.wake_until_start();
    assert!(run.wall() >= from + 2 * HOUR && run.wall() < from + 3 * HOUR);
    run.usage("C1", Some(from + 9 * HOUR));
    run.wake_until_start();
    assert!(run.wall() >= from + 5 * HOUR && run.wall() < from + 6 * HOUR);
    run.succeed("C1");
    assert_eq!(run.attempts(), ["C1 claude", "C1 codex", "C1 codex", "C1 claude"]);
    assert_eq!(run.outcome(), Some(RunOutcome::AllDone));
}

#[test]
fn when_the_attempts_of_one_are_used_up_the_next_has_its_own_and_nobody_is_asked_twice() {
    let mut run = Run::chained(file(&["C1"]), limits(1), [true, true]);
    while run.outcome().is_none() {
        run.wake_until_start();
        if run.outcome().is_none() {
            run.end("C1", failed(FailureClass::Gate));
        }
    }
    assert_eq!(run.attempts(), ["C1 claude", "C1 claude", "C1 claude", "C1 codex", "C1 codex", "C1 codex"]);
    assert_eq!(run.handed_over(), [("C1".to_owned(), "codex".to_owned(), FailureClass::Gate, None, true)]);
    assert_eq!(run.outcome(), Some(RunOutcome::SomeFailed));
    // Who resumes asks for it anew, from the first.
    assert_eq!(run.resume(0).attempts().last().map(String::as_str), Some("C1 claude"));
}

#[test]
fn whose_box_is_ticked_and_cleared_while_it_runs_may_be_tried_by_all_again() {
    let mut run = Run::chained(file(&["C1"]), limits(1), [true, true]);
    run.refuse("C1");
    run.wake_until_start();
    for role in [Role::Done, Role::Run] {
        run.file.lines[0].role = role;
        let decision = run.scheduler.replan(run.now, Arc::new(run.file.plan()));
        run.scheduler.check();
        run.journal.extend(decision.events);
    }
    run.end("C1", failed(FailureClass::Gate));
    run.wake_until_start();
    assert_eq!(run.attempts(), ["C1 claude", "C1 codex", "C1 claude"]);
}

#[test]
fn who_is_not_logged_in_costs_one_attempt_and_the_next_does_the_work() {
    let mut run = Run::chained(file(&["C1", "C2", "C3", "C4", "C5"]), limits(1), [true, true]);
    while run.outcome().is_none() {
        run.wake_until_start();
        let Some(id) = run.running().first().map(|id| (*id).to_owned()) else { break };
        if run.attempts().last().is_some_and(|attempt| attempt.ends_with("claude")) {
            run.refuse(&id);
        } else {
            run.succeed(&id);
        }
    }
    assert_eq!(run.outcome(), Some(RunOutcome::AllDone));
    let by_claude = run.attempts().iter().filter(|attempt| attempt.ends_with("claude")).count();
    assert!(by_claude <= 5, "{:?}", run.attempts());
    let refused = run.count(|kind| matches!(kind, EventKind::ProviderHeld { until: None, .. }));
    assert!(refused <= 1 && by_claude < 5, "after three refusals nobody asks: {:?}", run.attempts());
}

#[test]
fn a_resume_knows_who_took_over_and_asks_nobody_who_is_proven_no_more() {
    let mut run = Run::chained(file(&["C1"]), limits(1), [true, true]);
    let at = run.wall() + 5 * HOUR;
    run.usage("C1", Some(at));
    run.wake_until_start();
    let run = run.resume(MINUTE);
    assert_eq!(run.attempts(), ["C1 claude", "C1 codex", "C1 codex"], "in its session, if it has one");
    let mut run = run;
    run.chain[1].is_proven = false;
    let mut run = run.resume(MINUTE);
    run.wake_until_start();
    assert!(run.wall() >= at, "held, and codex is not asked");
    assert_eq!(run.attempts().last().map(String::as_str), Some("C1 claude"));
}

/// How one random machine wakes a task that a limit holds.
fn wakes(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    // However far away the end seems when the clock is set back.
    let budgets = Budgets { max_wait: Duration::from_hours(100), ..Budgets::default() };
    let mut run = Run::new(file(&["C1", "C2"]), Limits { budgets, ..limits(2) });
    run.zero += rng.u64(..HOUR);
    let at = run.wall() + rng.u64(MINUTE..7 * HOUR);
    run.usage("C1", Some(at));
    // C2 goes on beside it or not, and its end is no reason to start anything.
    let mut beside = rng.bool();
    if !beside {
        run.usage("C2", Some(at));
    }
    // For how long, awake, the wall clock has shown a time after the end.
    let mut late = Duration::ZERO;
    for round in 0.. {
        assert!(round < 100_000, "seed {seed}: never woken");
        let due = run.scheduler.next_wakeup().unwrap_or_else(|| panic!("seed {seed}: the wake-up is lost"));
        let sleeps = due.saturating_sub(run.now);
        assert!(sleeps <= Duration::from_secs(20), "seed {seed}: looks away for {sleeps:?}");
        let trouble = rng.u8(..30);
        let part = if trouble < 4 { sleeps.mul_f64(rng.f64()) } else { sleeps };
        run.now += part;
        late = if run.wall() >= at {
            (late + part).min(Duration::from_millis(run.wall() - at) + late)
        } else {
            Duration::ZERO
        };
        match trouble {
            0 => run.zero += rng.u64(..3 * HOUR), // the machine sleeps, or the clock is set forward
            1 => run.zero -= rng.u64(..30 * MINUTE).min(run.zero), // it is set back
            2 if beside => {
                beside = false;
                run.succeed("C2");
            }
            3 => {
                run.step(Input::Wakeup); // for nothing, and with no look at the wall
            }
            _ => {
                run.wake();
            }
        }
        if run.wall() < at {
            late = Duration::ZERO;
        }
        let is_back = run.running().contains(&"C1");
        if is_back {
            assert!(run.wall() >= at, "seed {seed}: {} ms before the end", at - run.wall());
            return;
        }
        assert!(late <= Duration::from_mins(1), "seed {seed}: {late:?} after the end, and not started");
    }
}

#[test]
fn a_held_task_starts_within_a_minute_of_the_end_through_suspends_and_set_clocks_and_never_before() {
    let seeds = std::env::var("SPECTER_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(200);
    (0..seeds).for_each(wakes);
}

/// Attempts of one random run, over any outcomes and restarts.
fn dispatches(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let max = rng.u32(1..25);
    let ids: Vec<String> =
        (0..rng.usize(1..12)).map(|n| format!("{}{n}", ["C", "X", "S"][rng.usize(..3)])).collect();
    let tokens = rng.bool().then(|| rng.u64(1..2_000));
    let budgets = Budgets { max_dispatches: Some(max), max_tokens: tokens, ..Budgets::default() };
    let limits = Limits { budgets, ..limits(rng.u32(1..5)) };
    let file = file(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let mut run = match rng.u8(..3) {
        0 => Run::new(file, limits),
        _ => Run::chained(file, limits, [rng.bool(), rng.bool()]),
    };
    for _ in 0..200 {
        if rng.u8(..6) == 0 {
            run.answer_some(&mut rng);
        }
        if rng.u8(..12) == 0 {
            run = run.resume(rng.u64(..HOUR));
        }
        if run.scheduler.is_over() {
            if run.outcome() == Some(RunOutcome::AllDone) {
                break;
            }
            run = run.resume(rng.u64(..HOUR));
            continue;
        }
        let running: Vec<String> = run.running().iter().map(|id| (*id).to_owned()).collect();
        let Some(id) = rng.choice(&running) else {
            run.wake();
            continue;
        };
        match rng.u8(..11) {
            9 => run.end(id, asking(true)),
            10 => run.end(id, asking(false)),
            0 => run.usage(id, Some(BEGIN + rng.u64(..HOUR))),
            1 => run.usage(id, None),
            2 => run.rate(id, None),
            3 => run.refuse(id),
            4 => run.end(id, failed(FailureClass::NoChange)),
            5 => run.end(id, failed(FailureClass::Transient)),
            6 => run.end(id, failed(FailureClass::Cancelled)),
            _ => run.end(id, spending(rng.u64(..200), 1)),
        };
    }
    assert!(run.starts() <= max as usize, "seed {seed}: {} of {max}", run.starts());
    let (mut spent, limit) = (0, tokens.unwrap_or(u64::MAX));
    for event in &run.journal {
        match &event.kind {
            EventKind::AttemptFinished { report, .. } => {
                spent += report.agent.as_ref().and_then(|agent| agent.spent).map_or(0, |spent| spent.input);
            }
            EventKind::AttemptStarted { .. } => assert!(spent < limit, "seed {seed}: starts with all spent"),
            _ => {}
        }
    }
}

#[test]
fn for_any_outcomes_and_restarts_dispatches_stay_within_the_budget() {
    let seeds = std::env::var("SPECTER_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(300);
    (0..seeds).for_each(dispatches);
}

#[test]
fn a_held_task_is_ready_and_open_for_whoever_counts() {
    let mut run = Run::new(file(&["C1"]), limits(1));
    let at = run.wall() + HOUR;
    run.usage("C1", Some(at));
    assert!(matches!(run.scheduler.state(run.ix("C1")), TaskState::BackingOff { attempt: 2, .. }));
    run.wake();
    assert!(matches!(run.scheduler.state(run.ix("C1")), TaskState::Ready { attempt: 2 }));
    assert_eq!(run.scheduler.counts().open, 1);
    assert!(!matches!(run.scheduler.state(run.ix("C1")), TaskState::Finished(TaskOutcome::Failed)));
    let forecast = specter::schedule::forecast(&run.scheduler, run.now, 10);
    assert!(forecast.left < Duration::from_mins(1), "it says how long the work takes");
}
