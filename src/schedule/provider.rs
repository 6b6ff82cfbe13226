//! Providers of models: whose limits agents run into, and when each may be asked again (SPEC 5.1).
//!
//! A usage limit holds its provider until the time it named, by the wall clock, so that a suspended machine or a clock that
//! was set loses nothing; then one attempt goes ahead, and the others follow once it was answered. Where no time is named,
//! one attempt asks now and then. A rate limit holds it for moments and halves what runs side by side, which grows again
//! with each success. Tasks that the shell runs have no provider, and a run without agents has none of this.
//!
//! Knows no tasks, only the pool's slots; the wall clock is told.

use crate::event::{AttemptOutcome, AttemptReport, Elapsed, EventKind, FailureClass};
use crate::history::History;
use std::collections::BTreeMap;
use std::time::Duration;

/// Added to the time a limit named: clocks differ, and a provider's own takes a while to begin anew.
pub const MARGIN: Duration = Duration::from_secs(30);
/// While something is held, the wall clock is looked at so often: it may jump, and the machine may sleep.
pub const LOOK: Duration = Duration::from_secs(20);
/// A usage limit that names no time is asked about after so many minutes; the last repeats.
const ASK: [u64; 5] = [5, 10, 20, 40, 60];
/// The first wait for a rate limit that names no time, in waits for a second attempt, and the longest: whoever asked has
/// tried again many times before it gave up.
const RATE: u32 = 30;
const RATE_CAP: Duration = Duration::from_mins(10);
/// So many refusals in a row, and it is not asked again in this session.
const REFUSALS: u32 = 3;

/// Position of a provider.
pub(super) type ProviderIx = u16;

/// Why a ready task that needs a provider does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Until this wall time in milliseconds; none: not again in this session.
    Until(Option<u64>, FailureClass),
    /// One attempt goes ahead to see whether it answers again.
    Probed,
    /// So many attempts may run side by side.
    Full(u32),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Open,
    /// `told`: by the provider, not guessed.
    Held {
        until: u64,
        told: bool,
        why: FailureClass,
    },
    /// One attempt at a time.
    Probing,
    /// Not again in this session.
    Refuses,
}

/// What the end of an attempt tells of its provider.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    Worked,
    /// It answered, whatever became of the work.
    Answered,
    /// Until then, if that was named.
    Usage(Option<u64>),
    /// For so many milliseconds, if that was named.
    Rate(Option<u64>),
    Refused,
    Nothing,
}

impl Said {
    fn of(report: &AttemptReport) -> Said {
        use FailureClass::{Conflict, Gate, NoChange, Permanent, RateLimit, UsageLimit};
        let agent = report.agent.as_deref();
        match (&report.outcome, report.class) {
            (AttemptOutcome::Success, _) => Said::Worked,
            (AttemptOutcome::NotIntegrated, _) | (_, Some(Gate | NoChange | Conflict)) => Said::Answered,
            (_, Some(UsageLimit)) => Said::Usage(agent.and_then(|agent| agent.resets_at)),
            (_, Some(RateLimit)) => Said::Rate(report.retry_after_ms),
            (AttemptOutcome::StartFailed(_), Some(Permanent)) => Said::Refused,
            _ if agent.is_some_and(|agent| agent.refused) => Said::Refused,
            _ => Said::Nothing,
        }
    }
}

/// What the run allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) jobs: u32,
    /// The wait before a second attempt.
    pub(super) base: Duration,
}

/// An attempt that runs, by its slot.
#[derive(Clone, Copy, Debug)]
struct Running {
    worker: u32,
    generation: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Provider {
    name: String,
    state: State,
    /// How many may run side by side; without bound until a rate limit says otherwise.
    room: f32,
    running: Vec<Running>,
    /// Counts limits: what began before the last one knows nothing newer.
    generation: u32,
    /// Limits in a row, without an answer between, and when by the wall clock the first one was met.
    turn: u32,
    since: u64,
    refusals: u32,
    /// The attempt that went ahead was answered while it runs.
    answered: bool,
    /// It is held on record: after a refusal one goes ahead as well, and nobody was told of that.
    is_told: bool,
}

impl Provider {
    fn new(name: &str) -> Provider {
        Provider {
            name: name.to_owned(),
            state: State::Open,
            room: f32::INFINITY,
            running: Vec::new(),
            generation: 0,
            turn: 0,
            since: 0,
            refusals: 0,
            answered: false,
            is_told: false,
        }
    }

    /// What began since the last limit.
    fn newer(&self) -> usize {
        self.running.iter().filter(|running| running.generation == self.generation).count()
    }

    /// Why not one attempt more.
    fn holds(&self) -> Option<Held> {
        match self.state {
            State::Open if (self.running.len() as f32) < self.room.floor() => None,
            State::Open => Some(Held::Full(self.room as u32)),
            State::Probing if self.newer() == 0 => None,
            State::Probing => Some(Held::Probed),
            State::Held { until, why, .. } => Some(Held::Until(Some(until), why)),
            State::Refuses => Some(Held::Until(None, FailureClass::Permanent)),
        }
    }

    /// What it says of itself, and what of it is to be recorded.
    fn hear(
        &mut self,
        said: Said,
        is_new: bool,
        wall: u64,
        Terms { jobs, base }: Terms,
        rule: Option<&str>,
    ) -> Option<EventKind> {
        match said {
            Said::Nothing => None,
            Said::Worked | Said::Answered => {
                self.refusals = 0;
                if is_new && said == Said::Worked && self.room.is_finite() {
                    self.room = (self.room + 1.0 / self.room).min(jobs.max(1) as f32);
                }
                is_new.then(|| self.open())?
            }
            Said::Usage(at) => {
                let told = at.map(|at| at.saturating_add(millis(MARGIN))).filter(|until| *until > wall);
                // What began before the last limit may tell of one that is not over: then nothing that began before this
                // one says that it is.
                let is_held = matches!(self.state, State::Held { .. });
                self.limited(is_new || (told.is_some() && !is_held), wall);
                let until =
                    told.unwrap_or(wall + ASK[(self.turn.max(1) as usize - 1).min(ASK.len() - 1)] * 60_000);
                let says_more = is_new || told.is_some();
                says_more.then(|| self.hold(until, told.is_some(), FailureClass::UsageLimit, rule))?
            }
            Said::Rate(_) if !is_new => None,
            Said::Rate(named) => {
                self.limited(true, wall);
                self.room = (self.room.min(jobs.max(1) as f32) / 2.0).max(1.0);
                let first = if named.is_some() { base } else { base.saturating_mul(RATE) };
                let doubled = first.saturating_mul(1 << (self.turn - 1).min(16)).min(RATE_CAP);
                let wait = named.unwrap_or(0).max(millis(doubled));
                self.hold(wall.saturating_add(wait), named.is_some(), FailureClass::RateLimit, rule)
            }
            Said::Refused => self.refused(rule),
        }
    }

    fn limited(&mut self, is_new: bool, wall: u64) {
        if is_new {
            self.generation += 1;
            self.turn += 1;
            if self.turn == 1 {
                self.since = wall;
            }
        }
    }

    fn hold(&mut self, until: u64, told: bool, why: FailureClass, rule: Option<&str>) -> Option<EventKind> {
        match self.state {
            State::Refuses => return None,
            // What was guessed gives way to what was named, and what was named to what is later.
            State::Held { until: before, told: was_told, .. }
                if (was_told && !told) || (was_told == told && until <= before) =>
            {
                return None;
            }
            _ => {}
        }
        self.state = State::Held { until, told, why };
        self.answered = false;
        Some(self.held_event(Some(until), told, why, rule))
    }

    fn refused(&mut self, rule: Option<&str>) -> Option<EventKind> {
        self.refusals += 1;
        match self.state {
            State::Refuses => None,
            _ if self.refusals >= REFUSALS => {
                self.state = State::Refuses;
                Some(self.held_event(None, false, FailureClass::Permanent, rule))
            }
            // One after the other from now on, so that a wrong key costs three attempts and not one of every task.
            State::Open => {
                self.state = State::Probing;
                self.generation += 1;
                None
            }
            _ => None,
        }
    }

    fn held_event(
        &mut self,
        until: Option<u64>,
        told: bool,
        why: FailureClass,
        rule: Option<&str>,
    ) -> EventKind {
        self.is_told = true;
        let (provider, rule) = (self.name.clone(), rule.unwrap_or_default().to_owned());
        EventKind::ProviderHeld { provider, until, told, why, turn: self.turn, since: self.since, rule }
    }

    fn open(&mut self) -> Option<EventKind> {
        (self.turn, self.answered) = (0, false);
        if self.state == State::Refuses {
            return None;
        }
        self.state = State::Open;
        self.tell_open()
    }

    fn tell_open(&mut self) -> Option<EventKind> {
        let was_told = std::mem::take(&mut self.is_told);
        was_told.then(|| EventKind::ProviderOpened { provider: self.name.clone() })
    }

    /// It is `wall` now.
    fn look(&mut self, wall: u64) -> Option<EventKind> {
        match self.state {
            State::Held { until, why, .. } if until <= wall => {
                // A moment's rate says nothing of the next one; whether a quota began anew is to be seen.
                self.state = if why == FailureClass::RateLimit { State::Open } else { State::Probing };
                if self.state == State::Open { self.tell_open() } else { None }
            }
            _ => None,
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// All of them. Empty where no agent is called.
#[derive(Clone, Debug, Default)]
pub(super) struct Providers {
    list: Vec<Provider>,
    /// What the wall clock showed when it was last told, and when that was.
    wall: u64,
    wall_at: Elapsed,
}

impl Providers {
    /// `agents` tells whose limits each agent runs into; `history`, which of those were met and not over.
    pub(super) fn new(agents: &BTreeMap<String, String>, history: &History, started: u64) -> Providers {
        let mut providers = Providers { wall: started, ..Providers::default() };
        for name in agents.values().filter(|name| !name.is_empty()) {
            if providers.by_name(name).is_none() {
                providers.list.push(Provider::new(name));
            }
        }
        for provider in &mut providers.list {
            let Some(hold) = history.holds().get(&provider.name) else { continue };
            let Some(until) = hold.until else { continue };
            provider.state = State::Held { until, told: hold.told, why: hold.why };
            (provider.turn, provider.since, provider.is_told) = (hold.turn, hold.since, true);
        }
        providers
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn by_name(&self, name: &str) -> Option<ProviderIx> {
        self.list.iter().position(|provider| provider.name == *name).map(|at| at as ProviderIx)
    }

    pub(super) fn name(&self, provider: ProviderIx) -> &str {
        &self.list[provider as usize].name
    }

    /// Why nothing that needs `provider` may start; none: it may.
    pub(super) fn holds(&self, provider: ProviderIx) -> Option<Held> {
        self.list[provider as usize].holds()
    }

    pub(super) fn started(&mut self, provider: ProviderIx, worker: u32) {
        let provider = &mut self.list[provider as usize];
        let generation = provider.generation;
        provider.running.push(Running { worker, generation });
    }

    /// Whoever ran in slot `worker` ended so.
    pub(super) fn ended(
        &mut self,
        worker: u32,
        report: &AttemptReport,
        now: Elapsed,
        terms: Terms,
    ) -> Option<EventKind> {
        let wall = self.now(now);
        let (provider, at) = self.at_work(worker)?;
        let ended = provider.running.swap_remove(at);
        let is_new = ended.generation == provider.generation;
        provider.hear(Said::of(report), is_new, wall, terms, report.rule.as_deref())
    }

    /// The attempt in slot `worker` got an answer and goes on.
    pub(super) fn answered(&mut self, worker: u32) {
        if let Some((provider, at)) = self.at_work(worker) {
            let is_new = provider.running[at].generation == provider.generation;
            provider.answered |= is_new && provider.state == State::Probing;
        }
    }

    fn at_work(&mut self, worker: u32) -> Option<(&mut Provider, usize)> {
        self.list.iter_mut().find_map(|provider| {
            let at = provider.running.iter().position(|running| running.worker == worker)?;
            Some((provider, at))
        })
    }

    /// The wall clock shows `wall`.
    pub(super) fn look(&mut self, now: Elapsed, wall: u64) -> Vec<EventKind> {
        (self.wall, self.wall_at) = (wall, now);
        self.list.iter_mut().filter_map(|provider| provider.look(wall)).collect()
    }

    /// What is held, as it was told.
    pub(super) fn held(&mut self) -> Vec<EventKind> {
        let held = |provider: &mut Provider| match provider.state {
            State::Held { until, told, why } => Some(provider.held_event(Some(until), told, why, None)),
            _ => None,
        };
        self.list.iter_mut().filter_map(held).collect()
    }

    /// Those whose attempt that went ahead was answered meanwhile.
    pub(super) fn open_answered(&mut self) -> Vec<EventKind> {
        let answered = self.list.iter_mut().filter(|provider| provider.answered);
        answered.filter_map(Provider::open).collect()
    }

    /// What the wall clock would show now, had nobody set it since it was last told.
    pub(super) fn now(&self, now: Elapsed) -> u64 {
        self.wall.saturating_add(millis(now.saturating_sub(self.wall_at)))
    }

    /// Whether anything waits for a time by the wall clock.
    pub(super) fn waits(&self) -> bool {
        self.list.iter().any(|provider| matches!(provider.state, State::Held { .. }))
    }

    /// When to look at the clock again, if nothing else happens.
    pub(super) fn deadline(&self, now: Elapsed) -> Option<Elapsed> {
        if self.list.iter().any(|provider| provider.answered) {
            return Some(now);
        }
        let next = |provider: &Provider| match provider.state {
            State::Held { until, .. } => {
                Some(Duration::from_millis(until.saturating_sub(self.wall)).min(LOOK))
            }
            _ => None,
        };
        Some(self.wall_at + self.list.iter().filter_map(next).min()?)
    }

    /// Whether `provider` will be asked again before more than `longest` is waited for it, in all where that is guessed.
    pub(super) fn is_worth_waiting(&self, provider: ProviderIx, now: Elapsed, longest: Duration) -> bool {
        let provider = &self.list[provider as usize];
        match provider.state {
            State::Open | State::Probing => true,
            State::Refuses => false,
            State::Held { until, told: true, .. } => until.saturating_sub(self.now(now)) <= millis(longest),
            State::Held { until, told: false, .. } => until.saturating_sub(provider.since) <= millis(longest),
        }
    }

    /// As if nobody had any limit.
    pub(super) fn open_all(&mut self) {
        for provider in &mut self.list {
            (provider.state, provider.room, provider.answered) = (State::Open, f32::INFINITY, false);
        }
    }

    /// Which slots hold attempts of `provider`.
    pub(super) fn workers(&self, provider: ProviderIx) -> impl Iterator<Item = u32> + '_ {
        self.list[provider as usize].running.iter().map(|running| running.worker)
    }

    pub(super) fn ixs(&self) -> impl Iterator<Item = ProviderIx> + use<> {
        0..self.list.len() as ProviderIx
    }

    /// Panics if what is stored does not agree. For tests.
    pub(super) fn check(&self) {
        for provider in &self.list {
            assert!(provider.room >= 1.0, "{} has no room", provider.name);
            let probes = if provider.state == State::Probing { provider.newer() } else { 0 };
            assert!(probes <= 1, "{} attempts go ahead with {}", probes, provider.name);
        }
    }
}
