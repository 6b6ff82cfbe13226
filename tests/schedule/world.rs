//! A world for the scheduler: virtual time, scripted attempts, a journal, a task file, people and crashes.
//!
//! All that happens follows from one seed. Every rule is checked against what the world itself counted.

use crate::schedule::fixture::{AGENTS, File};
use crate::schedule::oracle::{self, Seen, Tally};
use fastrand::Rng;
use specter::event::{
    AgentReport, AgentStep, AnsweredBy, AttemptOutcome, AttemptReport, BudgetKind, Conflict, Counts, Elapsed,
    Event, EventKind, FailureClass, Question, RunInfo, RunOutcome, Scarce, SkipReason, Stop,
};
use specter::history::History;
use specter::plan::{LeftOut, Plan, Role};
use specter::policy::{Budgets, FailurePolicy, OnLimit, RetryPolicy};
use specter::prompt::Earlier;
use specter::schedule::{
    Action, Decision, Halt, Input, Limits, Link, Obstacle, PATIENCE, Scheduler, Session, Shortage,
    TaskOutcome, TaskState,
};
use specter::task::{BlockKind, TaskId, TaskIx};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What happens from outside, besides the ends of attempts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    pub(crate) interrupts: bool,
    pub(crate) crashes: bool,
    pub(crate) jobs: bool,
    pub(crate) edits: bool,
    pub(crate) budgets: bool,
    /// The machine sleeps for hours, and a report comes with a time before the last one's.
    pub(crate) clock: bool,
    /// Attempts are found to be at odds over files.
    pub(crate) conflicts: bool,
    /// Memory, disk and cores become scarce and free again.
    pub(crate) scarce: bool,
    /// Two of three tasks are for agents, whose providers have limits; the wall clock is set, and the machine sleeps.
    pub(crate) agents: bool,
    /// Agents ask, and wait for answers or go on by themselves; people answer, in time, too late and beside the point.
    pub(crate) questions: bool,
    /// Only one session, however it ends.
    pub(crate) one_session: bool,
}

struct Running {
    id: String,
    attempt: u32,
    ends: Elapsed,
    report: AttemptReport,
    /// The file no longer has it.
    removed: bool,
    /// Whose limits it runs into, and whether that one was closed when it began.
    provider: Option<String>,
    ahead: bool,
}

/// What happens next.
#[expect(clippy::large_enum_variant, reason = "there is one of them at a time")]
enum Next {
    Step(Input),
    /// Somebody edits the file.
    Edit,
    /// Somebody answers, or thinks so.
    Answer,
}

/// A question that is on record, and the last answer to it.
struct Asked {
    attempt: u32,
    answer: Option<String>,
}

/// What comes after the scheduler was told the time.
enum Pending {
    Wakeup,
    End(u32),
}

/// What became of one world.
pub(crate) struct Ended {
    pub(crate) journal: Vec<Event>,
    pub(crate) sessions: u32,
}

pub(crate) struct World {
    seed: u64,
    rng: Rng,
    weather: Weather,
    file: File,
    plan: Arc<Plan>,
    limits: Limits,
    journal: Vec<Event>,
    rounds: u32,
    /// Where in the journal this session begins.
    session_from: usize,
    now: Elapsed,
    /// The latest time the scheduler was told.
    told_time: Elapsed,
    before: Elapsed,
    jobs: u32,
    running: BTreeMap<u32, Running>,
    seen: Seen,
    /// Attempts ever started, and what they took from the budget.
    starts: Tally,
    spent: Tally,
    limited: Tally,
    no_change: Tally,
    dispatches: u32,
    /// May be tried once more although its budget is spent: it was under way when the process died.
    granted: BTreeSet<String>,
    not_before: BTreeMap<String, Elapsed>,
    failed_before: BTreeSet<String>,
    /// On record as done, and its box not ticked yet.
    unticked: BTreeSet<String>,
    told: Tally,
    /// Was open when it was taken out of the file, and is told again should it come back.
    halted: bool,
    interrupted: Option<i32>,
    budget_reached: bool,
    fail_fast: bool,
    edited: bool,
    over: Option<RunOutcome>,
    /// Over which files attempts of which task were at odds.
    contested: BTreeSet<(String, String)>,
    /// What the wall clock shows at the beginning of the session, and what the scheduler was last told of it.
    wall_zero: u64,
    told_wall: u64,
    pending: Option<Pending>,
    /// Providers that are at a limit on record, until when; none: not again in this session.
    closed: BTreeMap<String, Option<u64>>,
    /// Who takes over from whom, with whether that one is proven.
    chain: Vec<Link>,
    /// Who does a task that was handed over, and who used up his attempts at it.
    agent: BTreeMap<String, String>,
    used_up: BTreeSet<(String, String)>,
    /// What there is too little of.
    short: Option<Scarce>,
    /// Since when something could start, nothing runs, and that alone is why.
    quiet_since: Option<Elapsed>,
    /// How to take back the last attempt's end, should its record be lost.
    undo: Option<Undo>,
    /// One seed is played again, to be looked at.
    aloud: bool,
    /// People edit the file, so nobody can tell which ticks are older than the run.
    edits: bool,
    has_agents: bool,
    /// For questions and answers: without them, what happens stays what it was.
    chance: Rng,
    questions: BTreeMap<String, Asked>,
    answers: u32,
    /// An answer opened again what comes before others that had begun.
    unparked: bool,
    /// The last attempt that ended.
    ended: Option<(String, AttemptReport)>,
}

struct Undo {
    id: String,
    seen: Seen,
    tallies: [Tally; 3],
}

const MAX_ROUNDS: u32 = 40;

impl World {
    pub(crate) fn new(seed: u64, weather: Weather) -> World {
        let mut rng = Rng::with_seed(seed);
        let mut file = File::random(&mut rng);
        if weather.agents {
            file.give_to_agents();
        }
        let limits = limits(&mut rng, weather);
        World::with(seed, rng, weather, file, limits)
    }

    pub(crate) fn with(seed: u64, rng: Rng, weather: Weather, file: File, limits: Limits) -> World {
        let plan = Arc::new(file.plan());
        let continue_on_error = limits.failure == FailurePolicy::ContinueOnError;
        // From a seed of its own: what else happens stays what it was.
        let mut chance = Rng::with_seed(seed ^ 0x5eed);
        let mut chain: Vec<Link> = Vec::new();
        if weather.agents && chance.u8(..3) > 0 {
            let link =
                |(agent, _): (&str, &str)| Link { agent: agent.to_owned(), is_proven: chance.u8(..4) > 0 };
            chain = AGENTS.into_iter().map(link).collect();
        }
        World {
            seed,
            rng,
            weather,
            file,
            plan,
            jobs: limits.jobs,
            limits,
            journal: Vec::new(),
            rounds: 0,
            session_from: 0,
            now: Elapsed::ZERO,
            told_time: Elapsed::ZERO,
            before: Elapsed::ZERO,
            running: BTreeMap::new(),
            seen: Seen { continue_on_error, ..Seen::default() },
            starts: Tally::default(),
            spent: Tally::default(),
            limited: Tally::default(),
            no_change: Tally::default(),
            dispatches: 0,
            granted: BTreeSet::new(),
            not_before: BTreeMap::new(),
            failed_before: BTreeSet::new(),
            unticked: BTreeSet::new(),
            told: Tally::default(),
            halted: false,
            interrupted: None,
            budget_reached: false,
            fail_fast: false,
            edited: false,
            over: None,
            contested: BTreeSet::new(),
            wall_zero: 1_795_236_300_000,
            told_wall: 0,
            pending: None,
            closed: BTreeMap::new(),
            chain,
            agent: BTreeMap::new(),
            used_up: BTreeSet::new(),
            short: None,
            quiet_since: None,
            undo: None,
            aloud: std::env::var_os("SPECTER_SEED").is_some(),
            edits: weather.edits,
            has_agents: weather.agents,
            chance: Rng::with_seed(seed ^ 0xa5ced),
            questions: BTreeMap::new(),
            answers: 0,
            unparked: false,
            ended: None,
        }
    }

    /// Sessions until the run has ended well, or nothing is left that could change.
    pub(crate) fn run(mut self) -> Ended {
        loop {
            self.rounds += 1;
            assert!(self.rounds < MAX_ROUNDS, "the run takes no end");
            if self.rounds > 6 {
                self.weather = Weather { budgets: self.weather.budgets, ..Weather::default() };
            }
            self.play();
            let ended = self.over.is_some_and(|outcome| !matches!(outcome, RunOutcome::Interrupted { .. }));
            if self.weather.one_session || (ended && self.rng.u8(..4) > 0) {
                return Ended { journal: self.journal, sessions: self.rounds };
            }
            self.between_sessions();
        }
    }

    /// One session, from its begin to its exit or to a crash.
    fn play(&mut self) {
        let mut scheduler = self.begin();
        let crash_after = if self.weather.crashes { self.rng.usize(..60) } else { usize::MAX };
        let mut frames = 0;
        let mut next = Next::Step(Input::Begin);
        loop {
            let time = if matches!(next, Next::Answer) { self.now } else { self.time() };
            let decision = match next {
                Next::Step(input) => scheduler.step(time, input),
                Next::Edit => self.edit(&mut scheduler),
                Next::Answer => self.answer(&mut scheduler),
            };
            if frames == crash_after {
                self.lose_frame();
                return self.crash();
            }
            frames += 1;
            assert!(frames < 50_000, "the session takes no end");
            self.record(&scheduler, &decision);
            if frames > crash_after {
                return self.crash(); // on record, and nothing of it was done
            }
            self.act(&scheduler, &decision);
            scheduler.check();
            self.note_quiet(&scheduler);
            self.check(&scheduler, &decision);
            if self.over.is_some() {
                return self.check_end(&scheduler);
            }
            self.tick_some(&mut scheduler);
            if self.weather.conflicts {
                self.conflict(&mut scheduler);
            }
            if self.weather.agents {
                self.agent_steps(&mut scheduler);
            }
            next = self.next(&scheduler);
        }
    }

    /// What the scheduler is told of the time; `now` is what it must make of it.
    fn time(&mut self) -> Elapsed {
        let jumps = self.weather.clock && self.rng.u8(..8) == 0;
        if jumps && self.rng.bool() {
            self.now += Duration::from_millis(self.rng.u64(..10 * 3_600_000));
        } else if jumps {
            self.now = self.told_time;
            return self.now.saturating_sub(Duration::from_millis(self.rng.u64(..3_600_000)));
        }
        self.told_time = self.now;
        self.now
    }

    fn begin(&mut self) -> Scheduler {
        let history = self.history();
        assert_eq!(history.last_seq, self.journal.len() as u64, "events are numbered without a gap");
        assert_eq!(history.dispatches, self.dispatches, "dispatches on record");
        assert_eq!(history.elapsed(), self.before, "time on record");
        let asked = self.questions.iter().map(|(id, it)| (id.as_str(), it.attempt, it.answer.as_deref()));
        let on_record = history.questions().iter();
        let on_record = on_record.map(|(id, it)| (id.as_str(), it.attempt, it.answer.as_deref()));
        assert!(asked.eq(on_record), "what is asked: {:?}", history.questions());
        (self.now, self.told_time) = (Elapsed::ZERO, Elapsed::ZERO);
        self.session_from = self.journal.len();
        self.limits.jobs = self.jobs.max(1);
        self.jobs = self.limits.jobs;
        self.over = None;
        self.told = Tally::default();
        self.not_before.clear();
        self.seen.failed.clear();
        (self.short, self.quiet_since, self.pending) = (None, None, None);
        self.closed.retain(|_, until| until.is_some());
        self.see_wall(self.wall_zero);
        (self.halted, self.interrupted, self.budget_reached) = (false, None, false);
        (self.fail_fast, self.edited, self.unparked, self.ended) = (false, false, false, None);
        let seed = self.rng.u64(..);
        let mut session = Session::after(&history, RunInfo::default(), self.wall_zero, seed);
        if self.has_agents {
            let named = |(agent, provider): (&str, &str)| (agent.to_owned(), provider.to_owned());
            session.providers = AGENTS.into_iter().map(named).collect();
            session.chain.clone_from(&self.chain);
        }
        let begun = |event: &&Event| {
            matches!(event.kind, EventKind::RunStarted { .. } | EventKind::RunResumed { .. })
        };
        assert_eq!(session.number as usize, self.journal.iter().filter(begun).count() + 1);
        Scheduler::new(Arc::clone(&self.plan), self.limits.clone(), &history, session)
    }

    /// From the journal as it is, or as it reads after a way through a file.
    fn history(&mut self) -> History {
        if self.rng.u8(..8) > 0 {
            return History::from_events(&self.journal);
        }
        let lines: Vec<String> =
            self.journal.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        let events: Vec<Event> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        History::from_events(&events)
    }

    /// An attempt may have ended, and nobody will ever know.
    fn lose_frame(&mut self) {
        let Some(Undo { id, seen, tallies }) = self.undo.take() else { return };
        self.seen = seen;
        [self.spent, self.limited, self.no_change] = tallies;
        self.spent.add(&id);
        self.granted.insert(id);
    }

    fn crash(&mut self) {
        for running in std::mem::take(&mut self.running).into_values() {
            self.spent.add(&running.id);
            self.granted.insert(running.id);
        }
    }

    fn between_sessions(&mut self) {
        self.wall_zero = self.wall() + self.rng.u64(..3_600_000);
        let session = self.journal.get(self.session_from..).unwrap_or_default();
        self.before += session.last().map(|event| event.at).unwrap_or_default();
        for event in session {
            if let EventKind::AttemptStarted { task, .. }
            | EventKind::TaskBlocked { task, .. }
            | EventKind::TaskSkipped { task, .. } = &event.kind
            {
                self.failed_before.remove(task.id.as_str());
            }
        }
        self.failed_before.append(&mut self.seen.failed);
        self.repair_boxes();
        if self.weather.edits && self.rng.bool() {
            self.change_file();
        }
        // Cleared before the crash, and that was not recorded any more: the next session sees it, and forgets what was spent.
        let open = self.file.lines.iter().filter(|line| line.role == Role::Run).map(|line| line.id.clone());
        for id in open.collect::<Vec<_>>() {
            if self.on_record(&id) == (true, true) {
                self.box_cleared(&id);
            }
        }
        for id in self.failed_before.clone() {
            self.forget(&id); // who resumes asks for it anew
        }
        if self.budget_reached {
            self.limits.budgets = Budgets::default();
        }
        if self.weather.questions {
            self.answer_between_sessions();
        }
        self.plan = Arc::new(self.file.plan());
    }

    /// Another agent tries it from the start.
    fn forget_spent(&mut self, id: &str) {
        self.spent.reset(id);
        self.no_change.reset(id);
        self.granted.remove(id);
    }

    fn forget(&mut self, id: &str) {
        self.forget_spent(id);
        self.limited.reset(id);
        self.agent.remove(id);
        self.used_up.retain(|(task, _)| task != id);
    }

    // ── what comes next ───────────────────────────────────────────────────────────────────────────────────────

    fn next(&mut self, scheduler: &Scheduler) -> Next {
        match self.pending.take() {
            Some(Pending::Wakeup) => return Next::Step(Input::Wakeup),
            Some(Pending::End(worker)) => return Next::Step(self.finish(scheduler, worker)),
            None => {}
        }
        let end = self.running.iter().map(|(worker, running)| (running.ends, *worker)).min();
        let wakeup = scheduler.next_wakeup();
        assert!(
            end.is_some() || wakeup.is_some() || self.jobs == 0,
            "deadlock: nothing runs, nothing is due, and the run is not over"
        );
        if self.weather.edits && self.rng.u8(..20) == 0 {
            return Next::Edit;
        }
        if self.weather.questions && self.chance.u8(..8) == 0 {
            return Next::Answer;
        }
        if let Some(input) = self.intrude() {
            return Next::Step(input);
        }
        match (end, wakeup) {
            (Some((ends, worker)), wakeup) if wakeup.is_none_or(|wakeup| ends <= wakeup) => {
                self.now = self.now.max(ends);
                let class = self.running[&worker].report.class;
                if matches!(class, Some(FailureClass::UsageLimit | FailureClass::RateLimit)) {
                    self.pending = Some(Pending::End(worker));
                    return Next::Step(self.tell_wall());
                }
                Next::Step(self.finish(scheduler, worker))
            }
            (_, Some(wakeup)) => {
                self.now = self.now.max(wakeup);
                if scheduler.waits_for_wall() {
                    self.sleep();
                    self.pending = Some(Pending::Wakeup);
                    return Next::Step(self.tell_wall());
                }
                Next::Step(Input::Wakeup)
            }
            (_, None) => {
                self.jobs = self.rng.u32(1..5);
                Next::Step(Input::Jobs(self.jobs))
            }
        }
    }

    fn wall(&self) -> u64 {
        self.wall_zero + self.now.as_millis() as u64
    }

    fn tell_wall(&mut self) -> Input {
        self.see_wall(self.wall());
        Input::Wall(self.told_wall)
    }

    /// Over is over, also if the clock is set back.
    fn see_wall(&mut self, wall: u64) {
        self.told_wall = wall;
        self.closed.values_mut().flatten().filter(|until| **until <= wall).for_each(|until| *until = 0);
    }

    /// The machine sleeps through much of a limit, or somebody sets its clock back.
    fn sleep(&mut self) {
        let ends = self.closed.values().flatten().min().copied().unwrap_or(0);
        match self.rng.u8(..8) {
            0..=3 => self.wall_zero += self.rng.u64(..=ends.saturating_sub(self.wall()) + 1_000),
            4 if self.weather.clock => self.wall_zero -= self.rng.u64(..60_000),
            _ => {}
        }
    }

    /// An agent at work does something: whoever it asks answers.
    fn agent_steps(&mut self, scheduler: &mut Scheduler) {
        if self.rng.u8(..4) > 0 || self.over.is_some() {
            return;
        }
        let at_work = self.running.values().filter(|running| running.provider.is_some() && !running.removed);
        let Some(id) = at_work.map(|running| running.id.clone()).next() else { return };
        let Some(ix) = self.plan.find(&id) else { return };
        let task = specter::event::TaskRef { ix, id: TaskId::new(&id) };
        let step = Box::new(AgentStep::default());
        let event = scheduler.stamp(self.now, EventKind::AgentStep { task, attempt: 1, n: 1, step });
        self.journal.push(event);
    }

    /// Something from outside, now and then.
    fn intrude(&mut self) -> Option<Input> {
        if self.weather.interrupts && self.rng.u8(..40) == 0 {
            let how = if self.rng.bool() { Stop::Gracefully } else { Stop::Now };
            let signal = if self.rng.bool() { 2 } else { 15 };
            self.interrupted.get_or_insert(signal);
            self.halted = true;
            return Some(Input::Interrupt { signal, name: "SIGINT", how });
        }
        if self.weather.jobs && self.rng.u8(..20) == 0 {
            self.jobs = self.rng.u32(..6);
            return Some(Input::Jobs(self.jobs));
        }
        if self.weather.scarce && self.rng.u8(..12) == 0 {
            self.short = [None, None, Some(Scarce::Memory), Some(Scarce::Load), Some(Scarce::Disk)]
                [self.rng.usize(..5)];
            let short = self.short.map(|of| Shortage { of, text: String::new() });
            return Some(Input::Admission(short));
        }
        (self.rng.u8(..30) == 0).then_some(Input::Wakeup) // for nothing
    }

    fn finish(&mut self, scheduler: &Scheduler, worker: u32) -> Input {
        let running = self.running.remove(&worker).unwrap();
        let (_, task, id) = scheduler.running().find(|(slot, ..)| *slot == worker).unwrap();
        assert_eq!(id.as_str(), running.id, "worker {worker}");
        let Running { id, report, removed, .. } = running;
        let tallies = [self.spent.clone(), self.limited.clone(), self.no_change.clone()];
        self.undo = Some(Undo { id: id.clone(), seen: self.seen.clone(), tallies });
        self.judge((!removed).then_some(task), &id, &report);
        self.ended = Some((id, report.clone()));
        Input::Finished { task, report }
    }

    /// What this end means, in the world's own count.
    fn judge(&mut self, task: Option<TaskIx>, id: &str, report: &AttemptReport) {
        let asked = task.filter(|task| self.plan.planned(*task).role == Role::Run);
        match (&report.outcome, report.class) {
            (AttemptOutcome::Success, _) if task.is_some() => {
                self.seen.done.insert(id.to_owned());
            }
            (AttemptOutcome::Success | AttemptOutcome::Cancelled, _) => {}
            _ if report.parked_by().is_some() => {} // who asks has not failed
            (_, Some(FailureClass::RateLimit | FailureClass::UsageLimit)) => {
                self.limited.add(id);
            }
            (_, class) => {
                self.granted.remove(id);
                let spent = self.spent.add(id);
                if class == Some(FailureClass::NoChange) {
                    self.no_change.add(id);
                }
                let no_change = self.no_change.get(id) >= self.limits.budgets.max_no_change;
                let Some(task) = asked else { return };
                if class == Some(FailureClass::Permanent) || spent >= self.max_attempts(task) || no_change {
                    self.seen.failed.insert(id.to_owned());
                }
            }
        }
    }

    fn max_attempts(&self, task: TaskIx) -> u32 {
        let retries =
            self.plan.task(task).blocks_of(BlockKind::Run).next().and_then(|block| block.given.retries);
        retries.map_or(self.limits.retry.max_attempts, |retries| retries + 1)
    }

    // ── the journal ───────────────────────────────────────────────────────────────────────────────────────────

    fn record(&mut self, scheduler: &Scheduler, decision: &Decision) {
        self.undo = None;
        for event in &decision.events {
            assert_eq!(event.seq, self.journal.len() as u64 + 1, "events are numbered without a gap");
            assert_eq!(event.at, self.now);
            self.journal.push(event.clone());
            if self.aloud {
                eprintln!("{}", serde_json::to_string(event).unwrap());
            }
            self.take_in(scheduler, event);
        }
    }

    fn take_in(&mut self, scheduler: &Scheduler, event: &Event) {
        match &event.kind {
            EventKind::AttemptStarted { task, attempt, worker, executor } => {
                self.check_agent(task.ix, executor);
                self.check_answer(task.id.as_str());
                self.started(scheduler, task.ix, task.id.as_str(), *attempt, *worker);
            }
            EventKind::AgentChanged { task, from, to, used_up, until, .. } => {
                let id = task.id.as_str();
                assert_eq!(self.agent_of(task.ix), Some(from.as_str()));
                let link = self.chain.iter().find(|link| link.agent == *to);
                let own = self.plan.task(task.ix).more.agent.as_deref();
                assert!(link.is_some_and(|link| link.is_proven) || own == Some(to), "{to} is not proven");
                assert!(!self.used_up.contains(&(id.to_owned(), to.clone())), "{to} tried {id} already");
                if *used_up {
                    assert!(self.seen.failed.remove(id), "{id} is passed on too early");
                    self.forget_spent(id);
                    self.used_up.insert((id.to_owned(), from.clone()));
                } else {
                    let failover = self.limits.budgets.on_limit == OnLimit::Failover;
                    assert!(failover || until.is_none(), "nobody asked for others to take over");
                    let open = |agent: &str| !self.closed.contains_key(provider_of(agent));
                    assert!(!open(from), "{from} could do it");
                }
                self.agent.insert(id.to_owned(), to.clone());
            }
            EventKind::RetryScheduled { task, delay, attempt, class } => {
                self.waits(task.ix, task.id.as_str(), *attempt, *delay, *class);
            }
            EventKind::TaskParked { task, attempt, question } => {
                self.settled(task.id.as_str());
                let asks = self.ended.as_ref().filter(|(id, _)| id == task.id.as_str());
                assert_eq!(asks.and_then(|(_, report)| report.parked_by()), Some(&**question));
                assert_eq!(self.starts.get(task.id.as_str()), *attempt);
                self.seen.parked.insert(task.id.to_string());
                self.questions.insert(task.id.to_string(), Asked { attempt: *attempt, answer: None });
            }
            EventKind::QuestionAnswered { task, attempt, answer, by } => match by {
                AnsweredBy::Default => self.check_default(task.id.as_str(), *attempt, answer),
                AnsweredBy::Person => self.note_answer(task.id.as_str(), *attempt, answer),
            },
            EventKind::TaskSkipped { task, .. } => self.forget_question(task.id.as_str()),
            EventKind::PlanChanged { ticked, .. } => {
                ticked.iter().for_each(|id| self.forget_question(id.as_str()));
            }
            EventKind::TaskDone { task, .. } => {
                self.settled(task.id.as_str());
                let role = self.plan.planned(task.ix).role;
                assert!(
                    role == Role::Group || self.seen.done.contains(task.id.as_str()),
                    "done from nothing"
                );
                self.unticked.insert(task.id.as_str().to_owned());
                if role != Role::Group {
                    self.seen.done.insert(task.id.as_str().to_owned());
                }
            }
            EventKind::TaskFailed { task, .. } => {
                self.settled(task.id.as_str());
                assert!(self.seen.failed.contains(task.id.as_str()), "{} failed too early", task.id);
                self.fail_fast |= self.limits.failure == FailurePolicy::FailFast;
                let own = self.plan.task(task.ix).more.agent.as_deref().unwrap_or_default();
                let now = self.agent_of(task.ix).unwrap_or_default().to_owned();
                // What one asks is not for another to guess.
                let is_asked = self.ended.as_ref().is_some_and(|(_, report)| {
                    let asks = report.agent.as_ref().is_some_and(|agent| agent.asks.is_some());
                    asks && report.class == Some(FailureClass::Permanent)
                });
                let is_in_chain = !is_asked && self.chain.iter().any(|link| link.agent == own);
                for link in self
                    .chain
                    .iter()
                    .filter(|link| is_in_chain && self.provider(task.ix).is_some() && link.agent != now)
                {
                    let has_tried = self.used_up.contains(&(task.id.to_string(), link.agent.clone()));
                    let may = link.is_proven || link.agent == own;
                    assert!(has_tried || !may, "{} could still try {}", link.agent, task.id);
                }
            }
            EventKind::TaskBlocked { task, by } => {
                self.settled(task.id.as_str());
                let blockers = self.seen.blockers(&self.plan, task.ix);
                assert!(blockers.contains(&by.ix), "{} is not blocked by {}", task.id, by.id);
            }
            EventKind::TaskCancelled { task } => {
                self.settled(task.id.as_str());
                assert!(self.is_halted(), "cancelled, and nobody asked for it");
            }
            EventKind::BudgetReached { budget, .. } => {
                let is_disk = *budget == BudgetKind::Disk;
                match budget {
                    BudgetKind::Disk => assert_eq!(self.short, Some(Scarce::Disk)),
                    BudgetKind::Provider => {
                        assert!(self.running.is_empty() && !self.closed.is_empty(), "it need not stop");
                    }
                    _ => assert!(self.weather.budgets),
                }
                assert!(!is_disk || self.has_waited(), "stopped before its time");
                (self.budget_reached, self.halted) = (true, true);
            }
            EventKind::ProviderHeld { provider, until, why, .. } => {
                assert!(until.is_none_or(|until| until > self.told_wall), "held until a time that is over");
                assert_eq!(until.is_none(), *why == FailureClass::Permanent);
                self.closed.insert(provider.clone(), *until);
                // Who went ahead before is one of those that began before this limit, and says nothing of its end.
                self.nobody_is_ahead(provider);
            }
            EventKind::ProviderOpened { provider } => {
                let until = self.closed.remove(provider);
                assert!(
                    until.flatten().is_some_and(|until| until <= self.told_wall),
                    "opened twice, or too early"
                );
                // Who went ahead may have been answered and go on: it is one of many from now on.
                self.nobody_is_ahead(provider);
            }
            EventKind::RunFinished { outcome, counts, duration, .. } => {
                assert_eq!(*duration, self.before + self.now);
                assert_eq!(*counts, scheduler.counts());
                self.over = Some(*outcome);
            }
            _ => {}
        }
    }

    fn settled(&mut self, id: &str) {
        assert_eq!(self.told.add(id), 1, "{id} is settled twice");
    }

    fn is_halted(&self) -> bool {
        self.halted || self.fail_fast
    }

    fn started(&mut self, scheduler: &Scheduler, task: TaskIx, id: &str, attempt: u32, worker: u32) {
        assert!(!self.is_halted(), "{id} starts after the run was stopped");
        assert_eq!(self.starts.add(id), attempt, "attempts of {id} are counted");
        self.dispatches += 1;
        if let Some(max) = self.limits.budgets.max_dispatches {
            assert!(self.dispatches <= max, "more dispatches than allowed");
        }
        assert!((self.running.len() as u32) < self.jobs, "more than {} jobs", self.jobs);
        if self.short.is_some() {
            assert!(self.short != Some(Scarce::Disk), "{id} starts on a full disk");
            assert!(self.running.is_empty() && self.has_waited(), "{id} starts without room");
        }
        let lowest = (1..=u32::MAX).find(|slot| !self.running.contains_key(slot));
        assert_eq!(Some(worker), lowest, "the lowest free worker");
        assert_eq!(self.plan.planned(task).role, Role::Run, "{id} is not to be run");
        assert!(!self.seen.done.contains(id), "{id} is done and runs again");
        // A retry keeps the right of its first attempt, also if the order was edited meanwhile.
        let retry = (self.edited || self.unparked) && self.not_before.contains_key(id);
        assert!(retry || self.seen.may_begin(&self.plan, task), "{id} starts before what comes before it");
        let spent = self.spent.get(id) < self.max_attempts(task);
        assert!(spent || self.granted.contains(id), "{id} has spent its attempts");
        assert!(self.not_before.get(id).is_none_or(|at| *at <= self.now), "{id} does not wait");
        for other in self.running.values() {
            assert!(!other.removed, "{id} starts beside a removed task");
            let other = self.plan.find(&other.id).unwrap();
            assert!(self.may_overlap(task, other), "{id} must not overlap {}", other.0);
            assert!(!oracle::share_a_file(&self.plan, task, other), "{id} shares a file with {}", other.0);
        }
        assert!(matches!(scheduler.state(task), TaskState::Running { attempt: n } if n == attempt));
        let mut script = Rng::with_seed(self.seed ^ hash(id) ^ u64::from(attempt) << 48);
        let provider = self.provider(task);
        let report = match provider {
            Some(_) if self.weather.questions && script.u8(..4) == 0 => asking(&mut script),
            Some(_) => self.agent_report(&mut script),
            None => report(&mut script),
        };
        let ahead = provider.as_deref().is_some_and(|provider| self.goes_ahead(provider, id));
        let ends = self.now + report.duration;
        let id = id.to_owned();
        self.running.insert(worker, Running { id, attempt, ends, report, removed: false, provider, ahead });
    }

    fn provider(&self, task: TaskIx) -> Option<String> {
        Some(provider_of(self.agent_of(task)?).to_owned())
    }

    /// Who is to do `task`, if an agent is.
    fn agent_of(&self, task: TaskIx) -> Option<&str> {
        let known = self.plan.task(task);
        let own = known.more.agent.as_deref().filter(|_| self.has_agents)?;
        Some(self.agent.get(known.id.as_str()).map_or(own, String::as_str))
    }

    fn check_agent(&self, task: TaskIx, executor: &str) {
        assert_eq!(self.agent_of(task).unwrap_or("shell"), executor, "who does {}", task.0);
    }

    /// One that asks a closed provider goes ahead alone, and after the end of its limit.
    fn goes_ahead(&self, provider: &str, id: &str) -> bool {
        let Some(until) = self.closed.get(provider) else { return false };
        assert!(until.is_some_and(|until| until <= self.told_wall), "{id} runs into a limit that is known");
        let others =
            self.running.values().filter(|other| other.ahead && other.provider.as_deref() == Some(provider));
        assert_eq!(others.count(), 0, "{id} does not go ahead alone");
        true
    }

    fn nobody_is_ahead(&mut self, provider: &str) {
        let of = |running: &&mut Running| running.provider.as_deref() == Some(provider);
        self.running.values_mut().filter(of).for_each(|running| running.ahead = false);
    }

    fn agent_report(&self, script: &mut Rng) -> AttemptReport {
        let duration = Duration::from_millis(script.u64(..5_000));
        let told = |class, agent| AttemptReport {
            outcome: AttemptOutcome::ExitCode(1),
            class: Some(class),
            duration,
            agent: Some(Box::new(agent)),
            ..AttemptReport::default()
        };
        let nothing = AgentReport::default();
        match script.u8(..16) {
            0 | 1 => {
                let resets_at = Some(self.wall() + script.u64(..600_000));
                told(FailureClass::UsageLimit, AgentReport { resets_at, ..nothing })
            }
            2 => told(FailureClass::UsageLimit, nothing),
            3 => told(FailureClass::Permanent, AgentReport { refused: true, ..nothing }),
            _ => report(script),
        }
    }

    fn is_held(&self, scheduler: &Scheduler, task: TaskIx) -> bool {
        let obstacles = scheduler.explain(task).obstacles;
        self.provider(task).is_some() && obstacles.iter().any(|it| matches!(it, Obstacle::Provider { .. }))
    }

    fn waits(&mut self, task: TaskIx, id: &str, attempt: u32, delay: Duration, class: FailureClass) {
        assert_eq!(attempt, self.starts.get(id) + 1);
        assert!(!self.is_halted(), "{id} is to be tried again although the run was stopped");
        self.check_asked(id);
        let left = self.spent.get(id) < self.max_attempts(task) || self.granted.contains(id);
        assert!(left, "{id} has no attempt left");
        let is_limit = matches!(class, FailureClass::RateLimit | FailureClass::UsageLimit);
        let turn = if is_limit { self.limited.get(id) } else { self.spent.get(id) };
        let plain = Duration::from_secs(1 << turn.saturating_sub(1).min(6)).min(Duration::from_secs(10));
        assert!(delay >= plain, "{id} waits {delay:?}, not {plain:?}");
        let most = plain.max(RETRY_AFTER) + Duration::from_millis(500);
        assert!(delay <= most, "{id} waits {delay:?}");
        let waits_itself = class == FailureClass::RateLimit && self.provider(task).is_none();
        assert!(!waits_itself || delay >= RETRY_AFTER, "the limit named a longer wait");
        self.not_before.insert(id.to_owned(), self.now + delay);
    }

    // ── questions ─────────────────────────────────────────────────────────────────────────────────────────────

    /// `specter answer`, while the run is at work: mostly to what is asked, and at times to what nobody asked or asks any more.
    fn answer(&mut self, scheduler: &mut Scheduler) -> Decision {
        let asked: Vec<(String, u32)> =
            self.questions.iter().map(|(id, asked)| (id.clone(), asked.attempt)).collect();
        let (id, attempt) = match (self.chance.choice(asked), self.chance.u8(..8)) {
            (Some((id, attempt)), 0) => (id, attempt + 1),
            (Some((id, attempt)), 1) => (id, attempt - 1),
            (Some(asked), 2..) => asked,
            _ => {
                let Some(line) = self.chance.choice(&self.file.lines) else { return Decision::default() };
                (line.id.clone(), self.starts.get(&line.id))
            }
        };
        self.answers += 1;
        let text = format!("answer {}", self.answers);
        let counts = self.plan.find(&id).is_some()
            && self.questions.get(&id).is_some_and(|asked| asked.attempt == attempt);
        let decision = scheduler.answer(self.now, &TaskId::new(&id), attempt, &text);
        let first = decision.events.first().map(|event| &event.kind);
        let is_taken = matches!(first, Some(EventKind::QuestionAnswered { task, attempt: of, answer, by })
            if task.id.as_str() == id && *of == attempt && *answer == text && *by == AnsweredBy::Person);
        assert_eq!(is_taken, counts, "an answer to {id} in attempt {attempt}");
        assert!(is_taken || (decision.events.is_empty() && decision.actions.is_empty()));
        decision
    }

    /// `specter answer` writes to the journal itself when no run is at work.
    fn answer_between_sessions(&mut self) {
        let asked: Vec<(String, u32)> =
            self.questions.iter().map(|(id, asked)| (id.clone(), asked.attempt)).collect();
        for (id, attempt) in asked {
            if self.chance.bool() {
                continue;
            }
            self.answers += 1;
            let answer = format!("answer {}", self.answers);
            self.note_answer(&id, attempt, &answer);
            let task =
                specter::event::TaskRef { ix: specter::event::TaskRef::UNRESOLVED, id: TaskId::new(&id) };
            let seq = self.journal.len() as u64 + 1;
            let at = self.journal.last().map(|event| event.at).unwrap_or_default();
            let kind = EventKind::QuestionAnswered { task, attempt, answer, by: AnsweredBy::Person };
            self.journal.push(Event { seq, at, kind });
        }
    }

    fn note_answer(&mut self, id: &str, attempt: u32, answer: &str) {
        let asked = self.questions.get_mut(id).unwrap_or_else(|| panic!("{id} asks nothing"));
        assert_eq!(asked.attempt, attempt);
        asked.answer = Some(answer.to_owned());
        if self.seen.parked.remove(id) {
            self.unparked = true;
            self.told = Tally::default(); // what it blocked is open again
        }
    }

    fn forget_question(&mut self, id: &str) {
        self.questions.remove(id);
        self.seen.parked.remove(id);
    }

    /// A task that asked goes on with the last answer, and not without one.
    fn check_answer(&mut self, id: &str) {
        assert!(!self.seen.parked.contains(id), "{id} goes on, and nobody has answered");
        let Some(Asked { answer, .. }) = self.questions.remove(id) else { return };
        let past = Earlier::from_events(self.journal.iter().rev().skip(1).rev());
        let told = past.of(&TaskId::new(id)).and_then(|past| past.answer.as_ref()?.answer.clone());
        assert_eq!(told, answer.map(|answer| (AnsweredBy::Person, answer)), "what {id} is told");
    }

    fn check_default(&self, id: &str, attempt: u32, answer: &str) {
        let (ended, report) = self.ended.as_ref().unwrap();
        assert!(ended == id && attempt == self.starts.get(id) && report.parked_by().is_none());
        let asks = report.agent.as_ref().and_then(|agent| agent.asks.as_ref());
        assert_eq!(asks.and_then(|asks| asks.default.as_deref()), Some(answer), "by itself {id} takes that");
    }

    /// Who is tried again does not wait for an answer, and is told what he would have taken by himself.
    fn check_asked(&self, id: &str) {
        let Some((_, report)) = self.ended.as_ref().filter(|(ended, _)| ended == id) else { return };
        assert!(report.parked_by().is_none(), "{id} asks, and is tried again");
        let default = report.agent.as_ref().and_then(|agent| agent.asks.as_ref()?.default.as_ref());
        let before = self.journal.len().checked_sub(2).map(|at| &self.journal[at].kind);
        let is_told = matches!(before, Some(EventKind::QuestionAnswered { task, .. } | EventKind::AgentChanged { task, .. })
                if task.id.as_str() == id);
        assert!(default.is_none() || is_told, "{id} is not told what it would take");
    }

    /// Carries out the actions, and holds them against the record.
    fn act(&mut self, scheduler: &Scheduler, decision: &Decision) {
        let mut started: Vec<(TaskIx, u32, u32)> = (decision.events.iter())
            .filter_map(|event| match &event.kind {
                EventKind::AttemptStarted { task, attempt, worker, .. } => Some((task.ix, *attempt, *worker)),
                _ => None,
            })
            .collect();
        started.reverse();
        for action in &decision.actions {
            match action {
                Action::Start { task, attempt, worker } => {
                    assert_eq!(started.pop(), Some((*task, *attempt, *worker)), "started and not on record");
                    assert_eq!(self.running[worker].attempt, *attempt);
                }
                Action::Cancel { task, how } => self.cancel(scheduler, *task, *how),
                Action::Exit(outcome) => assert_eq!(self.over, Some(*outcome)),
            }
        }
        assert!(started.is_empty(), "on record and not started");
    }

    fn cancel(&mut self, scheduler: &Scheduler, task: TaskIx, how: Stop) {
        assert!(self.is_halted());
        let (worker, ..) = scheduler.running().find(|(_, running, _)| *running == task).unwrap();
        let heeds = how == Stop::Now || self.rng.bool();
        let running = self.running.get_mut(&worker).unwrap();
        if heeds && running.ends > self.now {
            running.ends = self.now;
            running.report = AttemptReport {
                outcome: AttemptOutcome::Cancelled,
                class: Some(FailureClass::Cancelled),
                ..AttemptReport::default()
            };
        }
    }

    // ── the file ──────────────────────────────────────────────────────────────────────────────────────────────

    /// Boxes are ticked some time after the record.
    fn tick_some(&mut self, scheduler: &mut Scheduler) {
        for id in self.unticked.clone() {
            if self.rng.bool() {
                continue;
            }
            let Some(task) = self.plan.find(&id) else { continue };
            match self.file.line_mut(&id).map(|line| &mut line.role) {
                Some(role @ Role::Run) => *role = Role::Done,
                Some(Role::Group) => {}
                _ => continue,
            }
            self.unticked.remove(&id);
            let task = specter::event::TaskRef { ix: task, id: TaskId::new(&id) };
            let event = scheduler.stamp(self.now, EventKind::BoxTicked { task, line: 1 });
            assert_eq!(event.seq, self.journal.len() as u64 + 1);
            self.journal.push(event);
        }
    }

    /// Now and then a running attempt is found to be at odds with others, or with a person.
    fn conflict(&mut self, scheduler: &mut Scheduler) {
        if self.rng.u8(..6) > 0 {
            return;
        }
        let running: Vec<String> = self
            .running
            .values()
            .filter(|running| !running.removed)
            .map(|running| running.id.clone())
            .collect();
        let Some(id) = self.rng.choice(running) else { return };
        let Some(ix) = self.plan.find(&id) else { return };
        let paths: Vec<String> =
            (0..self.rng.usize(1..3)).map(|_| format!("f{}", self.rng.u32(..14))).collect();
        self.contested.extend(paths.iter().map(|path| (id.clone(), path.clone())));
        let conflicts = paths.into_iter().map(|path| Conflict { path, ..Conflict::default() }).collect();
        let task = specter::event::TaskRef { ix, id: TaskId::new(&id) };
        let event = scheduler.stamp(self.now, EventKind::Conflicted { task, attempt: 1, conflicts });
        assert_eq!(event.seq, self.journal.len() as u64 + 1);
        self.journal.push(event);
        scheduler.check();
    }

    /// Whether both work on a file over which some attempt was at odds, as far as lines and conflicts tell.
    fn at_odds(&self, a: TaskIx, b: TaskIx) -> bool {
        let works_on = |task: TaskIx, path: &String| {
            let task = self.plan.task(task);
            task.files.iter().any(|file| file.path == *path)
                || self.contested.contains(&(task.id.to_string(), path.clone()))
        };
        // Of a task that the file no longer has nothing is remembered that would concern others.
        let told = self.contested.iter().filter(|(id, _)| self.plan.find(id).is_some());
        let mut paths = told.map(|(_, path)| path);
        paths.any(|path| works_on(a, path) && works_on(b, path))
    }

    fn may_overlap(&self, a: TaskIx, b: TaskIx) -> bool {
        oracle::may_overlap(&self.plan, a, b) && !self.at_odds(a, b)
    }

    /// Boxes follow the record also when the process died before it could tick them.
    fn repair_boxes(&mut self) {
        for id in std::mem::take(&mut self.unticked) {
            if self.rng.bool() {
                self.unticked.insert(id); // left undone
            } else if let Some(line) = self.file.line_mut(&id).filter(|line| line.role == Role::Run) {
                line.role = Role::Done;
                let task =
                    specter::event::TaskRef { ix: specter::event::TaskRef::UNRESOLVED, id: TaskId::new(&id) };
                let seq = self.journal.len() as u64 + 1;
                let at = self.journal.last().map(|event| event.at).unwrap_or_default();
                self.journal.push(Event { seq, at, kind: EventKind::BoxTicked { task, line: 1 } });
            }
        }
    }

    fn change_file(&mut self) {
        let before = self.file.clone();
        for _ in 0..self.rng.usize(1..3) {
            self.file.edit(&mut self.rng);
        }
        self.file.keep_roles(&before);
        for line in before.gone().iter().filter(|line| self.file.line(&line.id).is_some()) {
            self.granted.insert(line.id.clone()); // back again, and tried once whatever it spent
        }
        for line in before.lines.iter().chain(before.gone()) {
            let now = self.file.line(&line.id).map(|line| line.role);
            match (line.role, now) {
                (Role::Done, Some(Role::Run | Role::LeftOut(_))) => self.box_cleared(&line.id),
                (_, Some(Role::LeftOut(_))) if self.seen.failed.remove(&line.id) => self.forget(&line.id),
                (Role::LeftOut(_), Some(Role::Run)) => {
                    self.granted.insert(line.id.clone()); // what is open may always be tried once
                }
                (was, Some(Role::Done)) if was != Role::Done => {
                    self.seen.done.insert(line.id.clone());
                    self.seen.failed.remove(&line.id);
                    self.unticked.remove(&line.id);
                }
                _ => {}
            }
        }
    }

    /// What a cleared box means depends on what is on record: a person's tick may have been lost with the process.
    fn box_cleared(&mut self, id: &str) {
        let (done, ticked) = self.on_record(id);
        if done && !ticked {
            self.unticked.insert(id.to_owned()); // looks like a box that is still to be ticked
            return;
        }
        self.seen.done.remove(id);
        self.unticked.remove(id);
        if done {
            self.failed_before.remove(id);
            self.not_before.remove(id);
            self.forget(id);
        } else if self.failed_on_record(id) {
            self.failed_before.insert(id.to_owned());
        }
    }

    fn failed_on_record(&self, id: &str) -> bool {
        let told = self.journal.iter().rev().find_map(|event| match &event.kind {
            EventKind::TaskFailed { task, .. } if task.id.as_str() == id => Some(true),
            EventKind::AttemptStarted { task, .. }
            | EventKind::TaskBlocked { task, .. }
            | EventKind::TaskSkipped { task, .. }
                if task.id.as_str() == id =>
            {
                Some(false)
            }
            _ => None,
        });
        told == Some(true)
    }

    /// Whether the journal has it done, and its box ticked.
    fn on_record(&self, id: &str) -> (bool, bool) {
        let (mut done, mut ticked) = (false, false);
        let names = |ids: &[TaskId]| ids.iter().any(|other| other.as_str() == id);
        for event in &self.journal {
            match &event.kind {
                EventKind::TaskDone { task, .. } if task.id.as_str() == id => done = true,
                EventKind::BoxTicked { task, .. } if task.id.as_str() == id => ticked = true,
                EventKind::PlanChanged { reopened, .. } if names(reopened) => (done, ticked) = (false, false),
                EventKind::PlanChanged { ticked: now, .. } if names(now) => (done, ticked) = (true, true),
                _ => {}
            }
        }
        (done, ticked)
    }

    fn edit(&mut self, scheduler: &mut Scheduler) -> Decision {
        self.edited = true;
        self.change_file();
        self.plan = Arc::new(self.file.plan());
        if self.aloud {
            for line in &self.file.lines {
                eprintln!("{line:?}");
            }
        }
        let plan = Arc::clone(&self.plan);
        for running in self.running.values_mut() {
            running.removed = plan.find(&running.id).is_none();
        }
        let decision = scheduler.replan(self.now, plan);
        self.told = Tally::default(); // an edit may open what was settled
        decision
    }

    // ── what must hold after each step ────────────────────────────────────────────────────────────────────────

    fn check(&self, scheduler: &Scheduler, decision: &Decision) {
        assert_eq!(scheduler.running_count() as usize, self.running.len());
        for (worker, _, id) in scheduler.running() {
            assert_eq!(self.running[&worker].id, id.as_str());
        }
        if !self.edited {
            self.check_files();
        }
        self.check_ready(scheduler);
        self.check_deadline(scheduler);
        self.check_order(scheduler, decision);
        self.check_explanations(scheduler);
    }

    fn has_waited(&self) -> bool {
        self.quiet_since.is_some_and(|since| self.now >= since + PATIENCE)
    }

    /// How long nothing has run for want of room.
    fn note_quiet(&mut self, scheduler: &Scheduler) {
        let mut tasks = self.plan.runnable();
        let is_ready = tasks.any(|task| {
            matches!(scheduler.state(task), TaskState::Ready { .. }) && !self.is_held(scheduler, task)
        });
        drop(tasks);
        let is_quiet = self.short.is_some() && self.running.is_empty() && self.jobs > 0 && is_ready;
        assert!(!is_quiet || self.is_halted() || scheduler.waits_for() == self.short);
        self.quiet_since = is_quiet.then(|| self.quiet_since.unwrap_or(self.now));
    }

    fn check_files(&self) {
        let running: Vec<TaskIx> = self.running.values().filter_map(|r| self.plan.find(&r.id)).collect();
        for (n, a) in running.iter().enumerate() {
            for b in &running[..n] {
                assert!(!oracle::share_a_file(&self.plan, *a, *b), "two run that name the same file");
            }
        }
    }

    /// No wake-up is lost, and nothing is ready too early.
    fn check_ready(&self, scheduler: &Scheduler) {
        for task in self.plan.runnable() {
            let id = self.plan.task(task).id.as_str();
            let state = scheduler.state(task);
            let blocked = !self.seen.blockers(&self.plan, task).is_empty();
            match state {
                TaskState::Finished(TaskOutcome::Done) => {
                    assert!(self.seen.done.contains(id), "{id} is not done");
                }
                TaskState::Finished(TaskOutcome::Failed) => assert!(self.seen.failed.contains(id)),
                TaskState::Finished(TaskOutcome::Parked) => {
                    assert!(self.seen.parked.contains(id), "{id} waits for no answer");
                }
                _ if self.seen.parked.contains(id) => panic!("{id} waits for an answer, and is {state:?}"),
                TaskState::Finished(TaskOutcome::Blocked { .. }) => assert!(blocked, "{id} is not blocked"),
                TaskState::Waiting { .. } if !self.edited => {
                    let may_begin =
                        self.seen.may_begin(&self.plan, task) && !self.is_held_back(scheduler, task);
                    let why = || scheduler.explain(task).obstacles;
                    assert!(!may_begin, "{id} could begin, and waits: {:?}", why());
                    assert!(!blocked, "{id} is blocked, and waits");
                }
                TaskState::Ready { .. } if !self.edited => {
                    let retry = self.unparked && self.not_before.contains_key(id);
                    assert!(retry || self.seen.may_begin(&self.plan, task), "{id} is ready too early");
                }
                TaskState::BackingOff { until, .. } => {
                    assert_eq!(self.not_before.get(id), Some(&until));
                    let due = scheduler.next_wakeup();
                    assert!(
                        self.is_halted() || due.is_some_and(|due| due <= until),
                        "{id} is woken too late"
                    );
                }
                _ => {}
            }
        }
    }

    /// An answer opened it again, or something blocked before it, when what comes after that had begun: it waits for this
    /// to end, as after an edit.
    fn is_held_back(&self, scheduler: &Scheduler, task: TaskIx) -> bool {
        let is_blocked = |task: &TaskIx| {
            matches!(scheduler.state(*task), TaskState::Finished(TaskOutcome::Blocked { .. }))
        };
        let has_begun = |task: &TaskIx| {
            use TaskState::{BackingOff, Ready, Running};
            matches!(scheduler.state(*task), Running { .. } | BackingOff { .. } | Ready { .. })
        };
        if !self.unparked {
            return false;
        }
        let mut held = oracle::ancestors(&self.plan, task);
        held.retain(is_blocked);
        held.insert(task);
        let mut begun = self.plan.runnable().filter(has_begun);
        begun.any(|after| !oracle::ancestors(&self.plan, after).is_disjoint(&held))
    }

    /// The run is stopped when its time is up, not later.
    fn check_deadline(&self, scheduler: &Scheduler) {
        let Some(max) = self.limits.budgets.max_time.filter(|_| self.over.is_none() && !self.is_halted())
        else {
            return;
        };
        let left = max.saturating_sub(self.before);
        assert!(self.running.is_empty() || self.now < left, "it goes on after its time");
        assert!(
            scheduler.next_wakeup().is_some_and(|due| due <= left),
            "it is not woken when its time is up"
        );
    }

    /// The best ready task starts, unless it must not; nothing passes it that would delay it.
    fn check_order(&self, scheduler: &Scheduler, decision: &Decision) {
        if self.is_halted() || self.running.values().any(|running| running.removed) || self.over.is_some() {
            return;
        }
        let running: Vec<TaskIx> = self.running.values().filter_map(|r| self.plan.find(&r.id)).collect();
        let ready: Vec<TaskIx> =
            self.plan.runnable().filter(|t| matches!(scheduler.state(*t), TaskState::Ready { .. })).collect();
        // Whose provider has no room any more since one of these starts could be waited for until then.
        let starts = decision.actions.iter().filter_map(|action| match action {
            Action::Start { task, .. } => self.provider(*task),
            _ => None,
        });
        let taken: Vec<String> = starts.collect();
        let (held, ready): (Vec<TaskIx>, Vec<TaskIx>) =
            ready.into_iter().partition(|task| self.is_held(scheduler, *task));
        let full = |task: &&TaskIx| self.provider(**task).is_some_and(|provider| taken.contains(&provider));
        let counting: Vec<TaskIx> = ready.iter().chain(held.iter().filter(full)).copied().collect();
        let better = |a, b| oracle::better(&self.plan, &self.failed_before, a, b);
        let hindered = |task| running.iter().any(|other| !self.may_overlap(task, *other));
        let gives_way =
            |task| counting.iter().any(|other| better(*other, task) && !self.may_overlap(*other, task));
        for action in &decision.actions {
            let Action::Start { task: started, .. } = action else { continue };
            for waiting in ready.iter().filter(|waiting| better(**waiting, *started)) {
                let (passed, by) = (waiting.0, started.0);
                assert!(
                    hindered(*waiting) || gives_way(*waiting),
                    "{passed} was passed over by {by}, and is better"
                );
                assert!(self.may_overlap(*waiting, *started), "a better task was delayed");
            }
        }
        if running.len() as u32 >= self.jobs || self.short.is_some() {
            return;
        }
        for task in &ready {
            assert!(hindered(*task) || gives_way(*task), "a worker is free and {} does not start", task.0);
        }
    }

    /// Whatever has not started can say why.
    fn check_explanations(&self, scheduler: &Scheduler) {
        for task in self.plan.runnable() {
            let explanation = scheduler.explain(task);
            let open = !matches!(explanation.state, TaskState::Running { .. } | TaskState::Finished(_));
            assert!(!open || !explanation.obstacles.is_empty(), "no reason for {}", task.0);
        }
    }

    // ── what must hold at the end ─────────────────────────────────────────────────────────────────────────────

    fn check_end(&self, scheduler: &Scheduler) {
        assert!(self.running.is_empty(), "over, and something runs");
        assert_eq!(scheduler.next_wakeup(), None);
        let last = self.journal.iter().rev().take_while(|event| {
            !matches!(event.kind, EventKind::RunStarted { .. } | EventKind::RunResumed { .. })
        });
        let ends = last.filter(|event| matches!(event.kind, EventKind::RunFinished { .. })).count();
        assert_eq!(ends, 1, "the end is told once");
        let counts = self.count(scheduler);
        let done = |counts: Counts| {
            let all = counts.done + counts.done_before;
            let counts =
                if self.edits { Counts { selected: 0, done: all, done_before: 0, ..counts } } else { counts };
            // What had begun before an edit keeps its right to be tried again, and what needs it keeps waiting.
            let open = counts.open + counts.blocked;
            if self.edited { Counts { open, blocked: 0, ..counts } } else { counts }
        };
        assert_eq!(done(scheduler.counts()), done(counts));
        let all_done =
            self.plan.runnable().all(|task| self.seen.done.contains(self.plan.task(task).id.as_str()));
        let unsettled = if self.edited { scheduler.counts() } else { counts };
        let unsettled = unsettled.open + unsettled.cancelled;
        let expected = match (all_done, self.interrupted) {
            (true, _) => RunOutcome::AllDone,
            (false, Some(signal)) => RunOutcome::Interrupted { signal },
            (false, None) if self.budget_reached && unsettled > 0 => RunOutcome::Stopped,
            (false, None) if counts.parked > 0 => RunOutcome::Stopped,
            (false, None) => RunOutcome::SomeFailed,
        };
        assert_eq!(self.over, Some(expected));
        let halts = [
            self.interrupted.map(|signal| Halt::Interrupted { signal }),
            self.fail_fast.then_some(Halt::FailFast),
        ];
        assert!(self.budget_reached || halts.contains(&scheduler.halt()) || scheduler.halt().is_none());
        if !self.is_halted() {
            assert_eq!(counts.open + counts.cancelled, 0, "over, and something is open");
            self.check_groups(scheduler);
        }
        if self.journal.iter().all(|event| !matches!(event.kind, EventKind::PlanChanged { .. })) {
            self.check_history(scheduler);
        }
    }

    /// Each task by what the world knows of it.
    fn count(&self, scheduler: &Scheduler) -> Counts {
        let mut counts = Counts::default();
        for task in self.plan.task_ixs() {
            let id = self.plan.task(task).id.as_str();
            let state = scheduler.state(task);
            let n = match self.plan.planned(task).role {
                _ if self.plan.task(task).is_group => continue,
                Role::LeftOut(LeftOut::NotSelected) if !self.seen.done.contains(id) => continue,
                Role::LeftOut(_) if self.seen.done.contains(id) => &mut counts.done,
                Role::LeftOut(LeftOut::Manual) => &mut counts.manual,
                Role::LeftOut(_) => &mut counts.skipped,
                Role::Done
                    if state == TaskState::Finished(TaskOutcome::Done) && !self.seen.done.contains(id) =>
                {
                    &mut counts.done_before
                }
                _ if self.seen.done.contains(id) => &mut counts.done,
                _ if self.seen.failed.contains(id) => &mut counts.failed,
                _ if self.seen.parked.contains(id) => &mut counts.parked,
                _ if state == TaskState::Finished(TaskOutcome::Cancelled) => &mut counts.cancelled,
                _ if !self.seen.blockers(&self.plan, task).is_empty() => &mut counts.blocked,
                _ => &mut counts.open,
            };
            *n += 1;
        }
        counts.selected = counts.open
            + counts.done
            + counts.failed
            + counts.parked
            + counts.blocked
            + counts.skipped
            + counts.cancelled;
        counts
    }

    /// A group is done exactly if all in it are, but for what was left aside on purpose.
    fn check_groups(&self, scheduler: &Scheduler) {
        for group in self.plan.task_ixs().filter(|task| self.plan.planned(*task).role == Role::Group) {
            let mut children = self.plan.task_ixs().filter(|task| self.plan.task(*task).group == Some(group));
            let done = children.all(|child| {
                let aside = matches!(
                    self.plan.planned(child).role,
                    Role::LeftOut(LeftOut::Optional | LeftOut::Dropped)
                );
                aside || scheduler.state(child) == TaskState::Finished(TaskOutcome::Done)
            });
            let is_done = scheduler.state(group) == TaskState::Finished(TaskOutcome::Done);
            assert_eq!(is_done, done, "group {}", self.plan.task(group).id);
        }
    }

    /// The fold of the journal says what the scheduler says.
    fn check_history(&self, scheduler: &Scheduler) {
        use specter::history::Settled;
        let history = History::from_events(&self.journal);
        assert_eq!(history.outcome, self.over);
        for task in self.plan.task_ixs().filter(|task| !self.plan.task(*task).is_group) {
            let known = history.task(&self.plan.task(task).id);
            let settled = match scheduler.state(task) {
                TaskState::Finished(TaskOutcome::Done) if known.settled.is_none() => continue, // before the run
                TaskState::Finished(TaskOutcome::Done) => Settled::Done,
                TaskState::Finished(TaskOutcome::Failed) => Settled::Failed,
                TaskState::Finished(TaskOutcome::Blocked { .. }) => Settled::Blocked,
                TaskState::Finished(TaskOutcome::Skipped(why)) => {
                    assert_ne!(why, SkipReason::Removed);
                    Settled::Skipped
                }
                TaskState::Finished(TaskOutcome::Cancelled) => Settled::Cancelled,
                TaskState::Finished(TaskOutcome::Parked) => Settled::Parked,
                _ => continue,
            };
            assert_eq!(known.settled, Some(settled), "{}", self.plan.task(task).id);
            assert_eq!(known.in_flight, None);
        }
    }
}

fn provider_of(agent: &str) -> &'static str {
    AGENTS.iter().find(|(known, _)| *known == agent).map(|(_, provider)| *provider).unwrap()
}

const RETRY_AFTER: Duration = Duration::from_secs(30);

fn hash(id: &str) -> u64 {
    specter::text::fnv1a(id.as_bytes())
}

/// How an attempt ends in this world.
fn report(script: &mut Rng) -> AttemptReport {
    let duration = Duration::from_millis(script.u64(..5_000));
    let failed = |outcome, class| AttemptReport { outcome, class, duration, ..AttemptReport::default() };
    let exit = AttemptOutcome::ExitCode(1);
    match script.u8(..20) {
        0 => failed(exit, Some(FailureClass::Permanent)),
        1 => failed(exit, Some(FailureClass::Transient)),
        2 => failed(AttemptOutcome::TimedOut(1_000), Some(FailureClass::Transient)),
        3 => failed(exit, None),
        4 => failed(exit, Some(FailureClass::Gate)),
        5 => failed(AttemptOutcome::Signalled(9), Some(FailureClass::Unknown)),
        6 => failed(exit, Some(FailureClass::NoChange)),
        7 => AttemptReport {
            retry_after_ms: Some(RETRY_AFTER.as_millis() as u64),
            ..failed(exit, Some(FailureClass::RateLimit))
        },
        _ => AttemptReport { duration, verified: script.bool(), ..AttemptReport::default() },
    }
}

/// One that asks: it waits for a person, goes on by itself, or fails with it.
fn asking(script: &mut Rng) -> AttemptReport {
    let duration = Duration::from_millis(script.u64(..5_000));
    let default = (script.u8(..3) > 0).then(|| "by itself".to_owned());
    let asks = Question { question: "which?".to_owned(), default, options: Vec::new() };
    let kind = script.u8(..8);
    let agent = AgentReport { asks: Some(Box::new(asks)), parks: kind > 1, ..AgentReport::default() };
    AttemptReport {
        outcome: AttemptOutcome::ExitCode(1),
        class: Some(if kind == 0 { FailureClass::Permanent } else { FailureClass::Gate }),
        duration,
        agent: Some(Box::new(agent)),
        ..AttemptReport::default()
    }
}

fn limits(rng: &mut Rng, weather: Weather) -> Limits {
    let failure = [
        FailurePolicy::KeepGoing,
        FailurePolicy::KeepGoing,
        FailurePolicy::FailFast,
        FailurePolicy::ContinueOnError,
    ][rng.usize(..4)];
    let some = |rng: &mut Rng| weather.budgets && rng.bool();
    let budgets = Budgets {
        max_dispatches: some(rng).then(|| rng.u32(..30)),
        max_no_change: rng.u32(1..4),
        max_time: some(rng).then(|| Duration::from_millis(rng.u64(..60_000))),
        on_limit: if weather.agents && rng.bool() { OnLimit::Failover } else { OnLimit::Wait },
        ..Budgets::default()
    };
    let retry = RetryPolicy { max_attempts: rng.u32(1..5), ..RetryPolicy::default() };
    Limits { jobs: rng.u32(1..6), retry, failure, budgets }
}
