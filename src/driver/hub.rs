//! Where decisions are made, recorded and handed out: the scheduler, the journal and the queue of work, behind one lock.
//!
//! Whoever brings news (a worker with an ended attempt, the control thread with a signal or a timer) takes the lock,
//! steps the scheduler, appends the decision's events to the journal as one frame, and only then hands out what to
//! do. A worker that ended an attempt takes the next one itself, so that a chain of tasks needs no wake-up.
//! The hub knows no terminal and no task file; the recorder takes the events from here once they are on disk.

use super::prompts::HandedOn;
use crate::clock::Clock;
use crate::event::{AttemptReport, Event, EventKind, FailureClass, RunOutcome, Stop};
use crate::exec::StopHandle;
use crate::history::checkpoints::Moments;
use crate::history::phases::Phases;
use crate::journal::Journal;
use crate::plan::Plan;
use crate::schedule::{self, Action, Decision, Input, Scheduler};
use crate::task::{TaskId, TaskIx};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// One attempt to run, as handed to a worker.
pub(super) struct Job {
    pub(super) task: TaskIx,
    pub(super) attempt: u32,
    /// No retry will follow if this one fails: fallbacks may be tried.
    pub(super) is_last: bool,
    pub(super) plan: Arc<Plan>,
    /// Who does it, if an agent does.
    pub(super) agent: Option<String>,
    pub(super) stop: Arc<StopHandle>,
    /// The frame of the journal that records its start.
    frame: u64,
    /// Names under which the files are to be saved before it changes any.
    pub(super) moments: Vec<String>,
}

/// What follows when an attempt has ended.
pub(super) struct Next {
    /// For the same worker.
    pub(super) job: Option<Job>,
    /// Names under which the files are to be saved, now that the work is part of them.
    pub(super) moments: Vec<String>,
    /// The phase that is over with it, where that is asked about.
    pub(super) phase: Option<String>,
}

pub(super) struct Hub {
    clock: Clock,
    /// Strict durability: nothing starts before the record of its start is on disk.
    strict: bool,
    core: Mutex<Core>,
    /// There is work, or none will come.
    work: Condvar,
    /// There is something to record, or the run is over.
    recorder: Condvar,
    /// The run is over.
    over: Condvar,
    /// More of the record is on disk, or none will be.
    synced: Condvar,
    /// The next wake-up moved, or the run is over.
    pub(super) control: Notify,
}

#[derive(Clone)]
struct Running {
    /// In `plan`, which is the plan of when it was decided to run it.
    task: TaskIx,
    plan: Arc<Plan>,
    /// What the scheduler calls it now: an edit of the file moves tasks, and may remove one that runs.
    position: TaskIx,
    attempt: u32,
    agent: Option<String>,
    stop: Arc<StopHandle>,
    frame: u64,
    moments: Vec<String>,
}

struct Core {
    scheduler: Scheduler,
    plan: Arc<Plan>,
    journal: Journal,
    seq: u64,
    queue: VecDeque<Running>,
    /// Attempts handed out or queued, and how to end them; at most `jobs`, so a list.
    running: Vec<Running>,
    /// Of the last step, empty: room for the next.
    decision: Decision,
    /// Handles of attempts that have ended, ready for others.
    handles: Vec<Arc<StopHandle>>,
    idle_workers: u32,
    recorder_waits: bool,
    /// Frames known to be on disk; kept in strict durability only.
    durable: u64,
    /// In the journal, not yet known to be on disk.
    unsynced: Vec<Event>,
    next_wakeup: Option<Duration>,
    /// The closing event is kept back until boxes and state files are written.
    closing: Option<(RunOutcome, Event)>,
    broken: Option<io::Error>,
    /// What starts now starts paused.
    is_paused: bool,
    /// Where files are saved: when.
    moments: Option<Moments>,
    /// Of the events just recorded: with the task whose start makes them due, or none for an end.
    due: Vec<(Option<TaskIx>, Vec<String>)>,
    /// Where phases are committed: what is left of them.
    phases: Option<Phases>,
    /// The one that is over with the events just recorded.
    ended_phase: Option<String>,
    /// For agents: what finished tasks left to later ones.
    handed_on: Option<HandedOn>,
    /// Workers that save files after an attempt: the run is not over before that is on record.
    saving: u32,
}

/// What the recorder is to do next.
pub(super) struct Batch {
    pub(super) events: Vec<Event>,
    pub(super) plan: Arc<Plan>,
    /// All attempts are over; after these events only the closing one follows.
    pub(super) is_last: bool,
}

impl Hub {
    pub(super) fn new(
        scheduler: Scheduler,
        plan: Arc<Plan>,
        journal: Journal,
        clock: Clock,
        last_seq: u64,
        strict: bool,
    ) -> Hub {
        let core = Core {
            scheduler,
            plan,
            journal,
            seq: last_seq,
            queue: VecDeque::new(),
            running: Vec::new(),
            decision: Decision::default(),
            handles: Vec::new(),
            idle_workers: 0,
            recorder_waits: false,
            durable: 0,
            unsynced: Vec::new(),
            next_wakeup: None,
            closing: None,
            broken: None,
            is_paused: false,
            moments: None,
            due: Vec::new(),
            phases: None,
            ended_phase: None,
            handed_on: None,
            saving: 0,
        };
        Hub {
            clock,
            strict,
            core: Mutex::new(core),
            work: Condvar::new(),
            recorder: Condvar::new(),
            over: Condvar::new(),
            synced: Condvar::new(),
            control: Notify::new(),
        }
    }

    /// Keeps what finished tasks leave up to date from now on.
    pub(super) fn handing_on(self, handed_on: Option<HandedOn>) -> Hub {
        self.lock().handed_on = handed_on;
        self
    }

    /// Tells from now on when files are to be saved.
    pub(super) fn saving_at(self, moments: Option<Moments>) -> Hub {
        self.lock().moments = moments;
        self
    }

    /// Tells from now on which phases are over.
    pub(super) fn watching(self, phases: Option<Phases>) -> Hub {
        self.lock().phases = phases;
        self
    }

    /// These events of the session are in the journal already: they are shown before all others.
    pub(super) fn going_on_from(self, begun: Vec<Event>) -> Hub {
        let mut core = self.lock();
        core.note_moments(&begun);
        core.unsynced = begun;
        drop(core);
        self
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        // A panic elsewhere must not take the record down with it.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings news to the scheduler and hands out what follows.
    pub(super) fn input(&self, input: Input) {
        let mut core = self.lock();
        self.step(&mut core, input);
        let ready = core.queue.len();
        self.wake(&mut core, ready);
    }

    /// The time of the next wake-up has come. What waits for a time of day is told it first: the machine may have slept.
    pub(super) fn wake_up(&self) {
        let mut core = self.lock();
        if core.scheduler.waits_for_wall() {
            self.step(&mut core, Input::Wall(self.clock.wall_ms()));
        }
        self.step(&mut core, Input::Wakeup);
        let ready = core.queue.len();
        self.wake(&mut core, ready);
    }

    /// An attempt ended.
    pub(super) fn finished(&self, ended: Arc<StopHandle>, report: AttemptReport) -> Next {
        let mut core = self.lock();
        // By identity, not by index: the plan may have changed while it ran.
        if let Some(at) = core.running.iter().position(|running| Arc::ptr_eq(&running.stop, &ended)) {
            let task = core.running.swap_remove(at).position;
            core.keep(ended);
            if matches!(report.class, Some(FailureClass::UsageLimit | FailureClass::RateLimit)) {
                self.step(&mut core, Input::Wall(self.clock.wall_ms()));
            }
            self.step(&mut core, Input::Finished { task, report });
        }
        let moments: Vec<String> =
            std::mem::take(&mut core.due).into_iter().flat_map(|(_, names)| names).collect();
        let phase = core.ended_phase.take();
        core.saving += u32::from(!moments.is_empty());
        let job = core.take_job();
        let ready = core.queue.len();
        self.wake(&mut core, ready);
        Next { job, moments, phase }
    }

    /// Waits for an attempt to run; `None` when the run is over.
    pub(super) fn next_job(&self) -> Option<Job> {
        let mut core = self.lock();
        loop {
            if let Some(job) = core.take_job() {
                return Some(job);
            }
            if core.is_over() {
                return None;
            }
            core.idle_workers += 1;
            core = self.work.wait(core).unwrap_or_else(PoisonError::into_inner);
            core.idle_workers -= 1;
        }
    }

    /// How many attempts are queued or at work: so many workers have something to do.
    pub(super) fn attempts(&self) -> usize {
        self.lock().running.len()
    }

    /// The files are saved, or are not going to be.
    pub(super) fn saved(&self) {
        let mut core = self.lock();
        core.saving -= 1;
        self.wake(&mut core, 0);
    }

    /// How many tasks are done, before the run and in it.
    pub(super) fn done(&self) -> u32 {
        let counts = self.lock().scheduler.counts();
        counts.done + counts.done_before
    }

    /// Records facts that no decision of the scheduler made (a ticked box, a note).
    pub(super) fn record(&self, kinds: Vec<EventKind>) {
        let now = self.clock.now();
        let mut core = self.lock();
        let mut events = kinds.into_iter().map(|kind| core.scheduler.stamp(now, kind)).collect();
        core.record(&mut events);
        self.wake(&mut core, 0);
    }

    /// The next events to make durable and show. Waits for some, for `at_most`, or for the end.
    pub(super) fn next_batch(&self, at_most: Duration) -> Batch {
        let mut core = self.lock();
        if core.unsynced.is_empty() && !core.is_over() {
            core.recorder_waits = true;
            let waited = self.recorder.wait_timeout(core, at_most);
            core = waited.unwrap_or_else(PoisonError::into_inner).0;
            core.recorder_waits = false;
        }
        // The next group will be about as large.
        let room = Vec::with_capacity(core.unsynced.len());
        Batch {
            events: std::mem::replace(&mut core.unsynced, room),
            plan: Arc::clone(&core.plan),
            is_last: core.is_over(),
        }
    }

    /// Appends the closing event: everything that belongs to the run is now recorded, but for `pending` boxes. Returns
    /// what is not known to be on disk, the closing event last; nothing if the record broke.
    pub(super) fn close(&self, pending: u32) -> Vec<Event> {
        let mut core = self.lock();
        let Some((_, mut event)) = core.closing.clone() else { return Vec::new() };
        event.at = self.clock.now();
        if let EventKind::RunFinished { unticked, .. } = &mut event.kind {
            *unticked = pending;
        }
        core.record(&mut vec![event]);
        if core.broken.is_some() { Vec::new() } else { std::mem::take(&mut core.unsynced) }
    }

    /// In strict durability, waits until the start of `job` is on disk, and with it all it follows from. False if it
    /// never will be.
    pub(super) fn may_start(&self, job: &Job) -> bool {
        if !self.strict {
            return true;
        }
        let core = self.lock();
        let waiting = self.synced.wait_while(core, |core| core.durable < job.frame && core.broken.is_none());
        waiting.unwrap_or_else(PoisonError::into_inner).broken.is_none()
    }

    /// So many frames are on disk.
    pub(super) fn synced(&self, frames: u64) {
        if self.strict {
            self.lock().durable = frames;
            self.synced.notify_all();
        }
    }

    /// Waits so long, or until the run is over: what comes meanwhile is recorded as one group. In strict durability
    /// tasks wait for the record, so it does not wait.
    pub(super) fn rest(&self, at_most: Duration) {
        if self.strict {
            return;
        }
        let core = self.lock();
        let resting = self.over.wait_timeout_while(core, at_most, |core| !core.is_over());
        drop(resting.unwrap_or_else(PoisonError::into_inner));
    }

    /// Whoever read our output is gone: an interruption, not a crash (SPEC 4.4).
    pub(super) fn reader_left(&self) {
        self.input(Input::Interrupt { signal: 13, name: "SIGPIPE", how: Stop::Gracefully });
    }

    /// What the rest of the run may take, if that can be told.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let now = self.clock.now();
        // A copy is simulated outside the lock, so that no worker waits for a forecast.
        let scheduler = self.lock().scheduler.clone();
        let forecast = schedule::forecast(&scheduler, now, schedule::FORECAST_CAP);
        (!forecast.left.is_zero()).then_some(forecast.left)
    }

    pub(super) fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.lock().plan)
    }

    pub(super) fn outcome(&self) -> Option<RunOutcome> {
        self.lock().closing.as_ref().map(|(outcome, _)| *outcome)
    }

    pub(super) fn is_over(&self) -> bool {
        self.lock().is_over()
    }

    pub(super) fn next_wakeup(&self) -> Option<Duration> {
        self.lock().next_wakeup
    }

    /// Writing the record failed: start nothing more, end what runs. There is no later "ok" (RELIABILITY P9).
    pub(super) fn fail(&self, error: io::Error) {
        let mut core = self.lock();
        core.fail(error);
        self.wake(&mut core, 0);
    }

    pub(super) fn is_broken(&self) -> bool {
        self.lock().broken.is_some()
    }

    pub(super) fn take_failure(&self) -> Option<io::Error> {
        self.lock().broken.take()
    }

    /// The file was edited: goes on with the plan as it reads now.
    pub(super) fn replan(&self, plan: Arc<Plan>) {
        let now = self.clock.now();
        let mut core = self.lock();
        let mut decision = core.scheduler.replan(now, Arc::clone(&plan));
        core.renumber();
        core.plan = plan;
        core.apply(&mut decision);
        let ready = core.queue.len();
        self.wake(&mut core, ready);
    }

    /// Somebody answers what an agent asked. False if that is not asked, or cannot be recorded any more.
    pub(super) fn answer(&self, task: &TaskId, attempt: u32, answer: &str) -> bool {
        let now = self.clock.now();
        let mut core = self.lock();
        if core.broken.is_some() {
            return false;
        }
        let mut decision = core.scheduler.answer(now, task, attempt, answer);
        if decision.events.is_empty() {
            return false;
        }
        core.renumber();
        core.apply(&mut decision);
        let ready = core.queue.len();
        self.wake(&mut core, ready);
        core.broken.is_none()
    }

    /// Whether anything waits for an answer.
    pub(super) fn is_asked(&self) -> bool {
        self.lock().scheduler.counts().parked > 0
    }

    /// Stops every running attempt where it is, and those that start until [`Hub::resume`] (SIGTSTP).
    pub(super) fn pause(&self) {
        let mut core = self.lock();
        core.is_paused = true;
        core.running.iter().for_each(|running| running.stop.pause());
    }

    /// Lets them go on (SIGCONT).
    pub(super) fn resume(&self) {
        let mut core = self.lock();
        core.is_paused = false;
        core.running.iter().for_each(|running| running.stop.resume());
    }

    fn step(&self, core: &mut Core, input: Input) {
        if core.broken.is_some() {
            return;
        }
        let mut decision = std::mem::take(&mut core.decision);
        core.scheduler.step_into(self.clock.now(), input, &mut decision);
        core.apply(&mut decision);
        core.decision = decision;
    }

    /// Wakes exactly who has something to do. `ready` is how many queued jobs others should take.
    fn wake(&self, core: &mut Core, ready: usize) {
        let over = core.is_over();
        if core.broken.is_some() {
            self.synced.notify_all();
        }
        if over {
            self.work.notify_all();
            self.over.notify_all();
        } else {
            (0..ready.min(core.idle_workers as usize)).for_each(|_| self.work.notify_one());
        }
        if core.recorder_waits && (over || !core.unsynced.is_empty()) {
            core.recorder_waits = false;
            self.recorder.notify_one();
        }
        let wakeup = core.scheduler.next_wakeup();
        let more_workers = ready > core.idle_workers as usize;
        if over || more_workers || wakeup != core.next_wakeup {
            core.next_wakeup = wakeup;
            self.control.notify_one();
        }
    }
}

impl Core {
    fn is_over(&self) -> bool {
        (self.closing.is_some() || self.broken.is_some()) && self.running.is_empty() && self.saving == 0
    }

    fn take_job(&mut self) -> Option<Job> {
        let Running { task, plan, attempt, agent, stop, frame, moments, .. } = self.queue.pop_front()?;
        let position = self.running.iter().find(|running| Arc::ptr_eq(&running.stop, &stop))?.position;
        let is_last = self.scheduler.is_last_attempt(position);
        Some(Job { task, attempt, is_last, plan, agent, stop, frame, moments })
    }

    /// Leaves the decision empty.
    fn apply(&mut self, decision: &mut Decision) {
        let Decision { events, actions } = decision;
        if let Some(EventKind::RunFinished { outcome, .. }) = events.last().map(|event| &event.kind) {
            let outcome = *outcome;
            self.closing = events.pop().map(|event| (outcome, event));
        }
        self.record(events);
        if self.broken.is_none() {
            actions.iter().for_each(|action| self.act(action));
        }
        actions.clear();
    }

    /// Takes all of `events`, also where they cannot be recorded any more.
    fn record(&mut self, events: &mut Vec<Event>) {
        if events.is_empty() || self.broken.is_some() {
            return events.clear();
        }
        for event in events.iter_mut() {
            self.seq += 1;
            event.seq = self.seq;
        }
        self.note_moments(events);
        if let Some(handed_on) = &self.handed_on {
            events.iter().for_each(|event| handed_on.on_event(event));
        }
        match self.journal.append(events) {
            Ok(()) => self.unsynced.append(events),
            Err(error) => {
                events.clear();
                self.fail(error);
            }
        }
    }

    fn note_moments(&mut self, events: &[Event]) {
        if let Some(phases) = &mut self.phases {
            let ended = events.iter().filter_map(|event| phases.on_event(&self.plan, event)).last();
            self.ended_phase = ended.or(self.ended_phase.take());
        }
        let Some(moments) = &mut self.moments else { return };
        for event in events {
            let names = moments.on_event(&self.plan, event);
            if !names.is_empty() {
                let start = match &event.kind {
                    EventKind::AttemptStarted { task, .. } => Some(task.ix),
                    _ => None,
                };
                self.due.push((start, names));
            }
        }
    }

    /// For another attempt, where nobody else holds it any more.
    fn keep(&mut self, mut ended: Arc<StopHandle>) {
        if Arc::get_mut(&mut ended).is_some() {
            ended.reset();
            self.handles.push(ended);
        }
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Start { task, attempt, .. } => {
                let plan = Arc::clone(&self.plan);
                let stop = self.handles.pop().unwrap_or_default();
                if self.is_paused {
                    stop.pause();
                }
                let frame = self.journal.appended();
                let due = self.due.iter().position(|(start, _)| *start == Some(task));
                let moments = due.map(|at| self.due.swap_remove(at).1).unwrap_or_default();
                let agent = self.scheduler.agent_of(task).map(str::to_owned);
                let running = Running { task, plan, position: task, attempt, agent, stop, frame, moments };
                self.running.push(running.clone());
                self.queue.push_back(running);
            }
            Action::Cancel { task, how } => {
                let running = self.running.iter().find(|running| running.position == task);
                running.into_iter().for_each(|running| running.stop.stop(how));
            }
            Action::Exit(_) => {}
        }
    }

    fn fail(&mut self, error: io::Error) {
        for queued in std::mem::take(&mut self.queue) {
            self.running.retain(|running| !Arc::ptr_eq(&running.stop, &queued.stop));
        }
        self.running.iter().for_each(|running| running.stop.stop(Stop::Now));
        self.broken.get_or_insert(error);
    }

    /// After a replan the same tasks have other positions, and removed ones that still run lie behind the plan's own.
    fn renumber(&mut self) {
        for running in &mut self.running {
            let id = &running.plan.task(running.task).id;
            let now = self.scheduler.running().find(|(_, _, known)| *known == id);
            running.position = now.map_or(running.position, |(_, position, _)| position);
        }
    }
}
