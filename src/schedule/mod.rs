//! The scheduler: a synchronous state machine, `step(now, input) -> Decision` (SPEC 4.1).
//!
//! Invariants: a decision's events are journalled, as one frame, before any of its actions is carried out; a task
//! starts only when each of its `Needs` is done; at most `jobs` attempts run at once; every task is settled exactly
//! once. The machine never reads a clock, a file or the environment.
//!
//! Every node of the plan's graph is *released* once all before it are released and it is itself settled; a failure
//! runs ahead of that along `Needs` edges and settles what it blocks at once. So order holds through gates, done,
//! left-out and blocked tasks alike, and nobody hears of a blocked task later than need be.
//!
//! Parts: `state` (where each task stands, counts), `layout` (from plan and history to a starting position),
//! `settle` (the two waves above), `attempt` (what the end of an attempt means), `ready`, `overlap`, `slots` (who
//! starts next and where), `provider`, `staff`, `limits` (whose limits agents run into, who takes over, and what that does), `stop` (budgets, interrupts, the end), `replan`, `explain`, `forecast`, `check`.

mod admission;
mod attempt;
mod check;
mod explain;
mod forecast;
mod layout;
mod limits;
mod overlap;
mod provider;
mod ready;
mod replan;
mod settle;
mod slots;
mod staff;
mod state;
mod stop;

pub use admission::{PATIENCE, Shortage};
pub use explain::{Explanation, Obstacle};
pub use forecast::{FORECAST_CAP, Forecast, forecast};
pub use provider::{Held, LOOK, MARGIN};
pub use staff::{Link, MAX_CHAIN};
pub use state::{TaskOutcome, TaskState};
pub use stop::Halt;

use crate::event::{
    AttemptReport, Conflict, Counts, Elapsed, Event, EventKind, RunInfo, RunOutcome, Spent, Stop, TaskRef,
};
use crate::history::{Handed, History, MAX_CONTESTED};
use crate::plan::Plan;
use crate::plan::observed::from_project;
use crate::policy::{Budgets, FailurePolicy, RetryPolicy};
use crate::task::{TaskId, TaskIx};
use admission::Admission;
use layout::Node;
use overlap::{Moved, Overlap};
use provider::Providers;
use ready::Ready;
use slots::Slots;
use staff::Staff;
use state::{Board, Stage, TaskSlot};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// What the scheduler may do at once and how long it tries.
#[derive(Clone, Debug)]
pub struct Limits {
    pub jobs: u32,
    pub retry: RetryPolicy,
    pub failure: FailurePolicy,
    pub budgets: Budgets,
}

/// What a session is: one process's part of a run.
#[derive(Clone, Debug, Default)]
pub struct Session {
    pub info: RunInfo,
    /// Wall time in milliseconds since the epoch at which the session's clock stood at zero.
    pub started: u64,
    /// 1 for a new run.
    pub number: u32,
    /// For the jitter of waits.
    pub seed: u64,
    /// Number of the session's first event: one more than the last on record.
    pub first_seq: u64,
    /// Where the project lies in its repository, with a slash at its end, or nothing: events name files from there.
    pub within: String,
    /// Whose limits each agent that may be called runs into; empty without agents.
    pub providers: BTreeMap<String, String>,
    /// Who takes over from whom, first to last.
    pub chain: Vec<Link>,
    /// Its first event is on record already, ...
    pub is_begun: bool,
    /// ... and so much was spent since.
    pub spent: Spent,
}

impl Session {
    /// The session that takes up `history`, or begins the run if there is none.
    pub fn after(history: &History, info: RunInfo, started: u64, seed: u64) -> Session {
        let (number, first_seq) = (history.sessions + 1, history.last_seq + 1);
        Session { info, started, number, seed, first_seq, ..Session::default() }
    }
}

#[derive(Clone, Debug)]
pub enum Input {
    /// First input of a session.
    Begin,
    /// An attempt ended; `report.class` is set for failures.
    Finished { task: TaskIx, report: AttemptReport },
    /// The instant named by `next_wakeup` has come.
    Wakeup,
    /// Start nothing more; end what runs. `signal` as in `RunOutcome::Interrupted`.
    Interrupt { signal: i32, name: &'static str, how: Stop },
    /// The number of workers changed; 0 is a pause.
    Jobs(u32),
    /// What the wall clock shows, in milliseconds since the epoch. While [`Scheduler::waits_for_wall`], it comes before each
    /// wake-up, and before the end of an attempt that ran into a limit.
    Wall(u64),
    /// Whether the machine has room for another attempt changed.
    Admission(Option<Shortage>),
}

/// What one input led to. Two lists, so that write-ahead is the shape of the type, not a habit.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// First: journal these together as one frame.
    pub events: Vec<Event>,
    /// Then: do these.
    pub actions: Vec<Action>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Run attempt `attempt` (from 1) of `task` in pool slot `worker` (from 1).
    Start { task: TaskIx, attempt: u32, worker: u32 },
    /// End the running attempt of `task`; it still reports `Finished`.
    Cancel { task: TaskIx, how: Stop },
    /// Nothing more will be asked.
    Exit(RunOutcome),
}

/// A task that was removed from the file while it ran. Its position lies behind the plan's own.
#[derive(Clone, Debug)]
struct Removed {
    id: TaskId,
    slot: TaskSlot,
}

/// What tasks took against what was expected of them, in this session.
#[derive(Clone, Copy, Debug, Default)]
struct Velocity {
    expected: Duration,
    taken: Duration,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Scheduler {
    plan: Arc<Plan>,
    limits: Limits,
    session: Session,
    /// Time of earlier sessions.
    elapsed_before: Duration,
    now: Elapsed,
    board: Board,
    nodes: Vec<Node>,
    /// Rank to task.
    order: Vec<TaskIx>,
    ready: Ready,
    backing_off: BinaryHeap<Reverse<(Elapsed, TaskIx)>>,
    overlap: Overlap,
    /// Over which files, by their way from the project, attempts of which task were at odds with others.
    contested: BTreeSet<(TaskId, String)>,
    slots: Slots,
    admission: Admission,
    providers: Providers,
    staff: Staff,
    /// Who took over what in earlier sessions, of tasks that were not in the file since.
    handed: BTreeMap<TaskId, Handed>,
    /// By agents, all sessions.
    spent: Spent,
    removed: Vec<Option<Removed>>,
    /// What is known of tasks that the file no longer has: an editor may save half a file and then the whole.
    dropped: HashMap<TaskId, TaskSlot>,
    /// After an edit: the second waits for the first to settle, although the plan's order is the other way round.
    held: Vec<(TaskIx, layout::NodeIx)>,
    /// Nodes to look at; empty between steps.
    work: Vec<layout::NodeIx>,
    halt: Option<Halt>,
    stop: Option<Stop>,
    dispatches: u32,
    next_seq: u64,
    rng: fastrand::Rng,
    velocity: Velocity,
    begun: bool,
    over: bool,
}

impl Scheduler {
    /// `history` is what the run's journal says so far; empty for a new run.
    pub fn new(plan: Arc<Plan>, limits: Limits, history: &History, session: Session) -> Scheduler {
        let providers = Providers::new(&session.providers, history, session.started);
        let staff = Staff::new(&session.providers, &session.chain, limits.budgets.on_limit, &providers);
        let mut scheduler = Scheduler {
            elapsed_before: history.elapsed(),
            now: Elapsed::ZERO,
            board: Board::default(),
            nodes: Vec::new(),
            order: Vec::new(),
            ready: Ready::default(),
            backing_off: BinaryHeap::new(),
            overlap: Overlap::default(),
            contested: BTreeSet::new(),
            slots: Slots::default(),
            admission: Admission::default(),
            providers,
            staff,
            handed: history.handed().clone(),
            spent: history.spent.plus(session.spent),
            removed: Vec::new(),
            dropped: layout::missing(&plan, history),
            held: Vec::new(),
            work: Vec::new(),
            halt: None,
            stop: None,
            dispatches: history.dispatches,
            next_seq: session.first_seq.max(1),
            rng: fastrand::Rng::with_seed(session.seed),
            velocity: Velocity::default(),
            begun: false,
            over: false,
            limits: Limits { jobs: limits.jobs.max(1), ..limits },
            session,
            plan: Arc::clone(&plan),
        };
        let contested = history.contested().iter();
        scheduler.contested =
            contested.map(|(id, path)| (id.clone(), from_project(path, &scheduler.session.within))).collect();
        let slots = layout::from_history(&plan, history);
        scheduler.lay_out(plan, slots);
        scheduler
    }

    /// The one way in. Inputs after the end, and late reports, are harmless.
    pub fn step(&mut self, now: Elapsed, input: Input) -> Decision {
        let mut decision = Decision::default();
        self.step_into(now, input, &mut decision);
        decision
    }

    /// As [`Scheduler::step`], appending to `out`: a driver that gathers several inputs into one frame reuses it.
    pub fn step_into(&mut self, now: Elapsed, input: Input, out: &mut Decision) {
        if self.over {
            return;
        }
        self.now = self.now.max(now);
        self.begin_once(out);
        match input {
            Input::Begin | Input::Wakeup => {}
            Input::Finished { task, report } => self.attempt_finished(out, task, report),
            Input::Interrupt { signal, name, how } => self.interrupt(out, signal, name, how),
            Input::Jobs(jobs) => self.limits.jobs = jobs,
            Input::Wall(ms) => self.wall_told(out, ms),
            Input::Admission(short) => self.room_changed(out, short),
        }
        self.go_on(out);
    }

    /// What follows from any input.
    fn go_on(&mut self, out: &mut Decision) {
        self.check_time(out);
        self.release_due();
        self.open_answered(out);
        self.start_ready(out);
        self.check_waits(out);
        self.exit_if_over(out);
    }

    /// When to call `step` with [`Input::Wakeup`] if nothing else happens first.
    pub fn next_wakeup(&self) -> Option<Elapsed> {
        if self.over || self.halt.is_some() {
            return None;
        }
        let backoff = self.backing_off.peek().map(|Reverse((until, _))| *until);
        let provider = self.providers.deadline(self.now);
        [backoff, self.deadline(), self.admission.deadline(), provider].into_iter().flatten().min()
    }

    /// Makes an event of something that is not the scheduler's to decide (a gate, a box, a note), in one count with
    /// its own. Every event of a run's journal comes from `step`, `replan` or here.
    pub fn stamp(&mut self, now: Elapsed, kind: EventKind) -> Event {
        self.now = self.now.max(now);
        match &kind {
            EventKind::BoxTicked { task, .. } => self.note_ticked(task),
            EventKind::Conflicted { task, conflicts, .. } => self.note_conflicts(task, conflicts),
            EventKind::AgentStep { task, .. } => self.note_step(task),
            _ => {}
        }
        self.event(kind)
    }

    fn note_step(&mut self, task: &TaskRef) {
        let known = self.plan.tasks.get(task.ix.ix()).is_some_and(|known| known.id == task.id);
        if known {
            self.note_answer(task.ix);
        }
    }

    fn note_ticked(&mut self, task: &TaskRef) {
        let known = self.plan.tasks.get(task.ix.ix()).is_some_and(|known| known.id == task.id);
        if known {
            self.board.get_mut(task.ix).ticked = true;
        }
    }

    /// What follows keeps off these files while another works on them.
    fn note_conflicts(&mut self, task: &TaskRef, conflicts: &[Conflict]) {
        let plan = Arc::clone(&self.plan);
        let known = plan.tasks.get(task.ix.ix()).filter(|known| known.id == task.id);
        for conflict in conflicts.iter().take(MAX_CONTESTED) {
            let path = from_project(&conflict.path, &self.session.within);
            if known.is_some() {
                self.contest(&plan, task.ix, &path);
            }
            self.contested.insert((task.id.clone(), path));
        }
    }

    fn contest(&mut self, plan: &Plan, task: TaskIx, path: &str) {
        let is_running = |task| matches!(self.board.stage(task), Stage::Running { .. });
        let moved = self.overlap.contest(plan, task, path, is_running);
        self.ready.make_room(self.overlap.class_count());
        for Moved { task, from, to } in moved {
            if self.board.stage(task) == Stage::Ready {
                self.ready.change_class(self.board.get(task).rank, from, to);
            }
        }
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    pub fn state(&self, task: TaskIx) -> TaskState {
        let slot = self.board.get(task);
        let attempt = slot.attempts + 1;
        match slot.stage() {
            Stage::Waiting => TaskState::Waiting { unmet: self.nodes[task.ix()].unmet },
            Stage::Ready => TaskState::Ready { attempt },
            Stage::Running { .. } => TaskState::Running { attempt: slot.attempts },
            Stage::BackingOff => TaskState::BackingOff { attempt, until: slot.not_before.into() },
            Stage::Settled(outcome) => TaskState::Finished(outcome),
        }
    }

    /// True at any moment; what runs counts as open.
    pub fn counts(&self) -> Counts {
        self.board.counts()
    }

    pub fn jobs(&self) -> u32 {
        self.limits.jobs
    }

    /// How many attempts run.
    pub fn running_count(&self) -> u32 {
        self.slots.len()
    }

    /// Worker, task and id of what runs, by worker. Positions are the present plan's; a task that was removed from
    /// the file has one behind it, good for [`Input::Finished`] only.
    pub fn running(&self) -> impl Iterator<Item = (u32, TaskIx, &TaskId)> {
        self.slots.running().filter_map(|(worker, task)| Some((worker, task, self.id_of(task)?)))
    }

    fn id_of(&self, task: TaskIx) -> Option<&TaskId> {
        let tasks = &self.plan.tasks;
        match tasks.get(task.ix()) {
            Some(task) => Some(&task.id),
            None => self.removed.get(task.ix() - tasks.len())?.as_ref().map(|removed| &removed.id),
        }
    }

    fn task_ref(&self, task: TaskIx) -> TaskRef {
        TaskRef { ix: task, id: self.plan.task(task).id.clone() }
    }

    fn event(&mut self, kind: EventKind) -> Event {
        let event = Event { seq: self.next_seq, at: self.now, kind };
        self.next_seq += 1;
        event
    }

    fn record(&mut self, out: &mut Decision, kind: EventKind) {
        let event = self.event(kind);
        out.events.push(event);
    }

    fn release_due(&mut self) {
        while let Some(Reverse((until, task))) = self.backing_off.peek().copied() {
            if until > self.now {
                return;
            }
            self.backing_off.pop();
            self.make_ready(task);
        }
    }

    /// Ready, or ready once its wait is over.
    fn make_ready(&mut self, task: TaskIx) {
        let slot = self.board.get(task);
        let until = slot.not_before.into();
        if until > self.now {
            self.backing_off.push(Reverse((until, task)));
            self.board.set(task, Stage::BackingOff);
        } else {
            self.ready.push(slot.rank, self.overlap.class(task));
            self.board.set(task, Stage::Ready);
        }
    }

    fn start_ready(&mut self, out: &mut Decision) {
        // While a task runs that the file no longer has, its files and order are unknown to the plan: nothing joins it.
        while self.halt.is_none() && self.removed.is_empty() {
            self.check_dispatches(out);
            self.check_spent(out);
            if self.slots.len() >= self.limits.jobs || self.halt.is_some() {
                return self.is_not_asked();
            }
            if !self.is_admitted(out) {
                return;
            }
            let Some(rank) = self.pick() else { return };
            self.start(out, self.order[rank as usize]);
        }
    }

    fn pick(&mut self) -> Option<ready::Rank> {
        let Scheduler { ready, overlap, providers, staff, .. } = self;
        if providers.is_empty() {
            return ready.pick(overlap, |_, _| true);
        }
        ready.pick(overlap, |overlap, class| {
            overlap.seat(class).is_none_or(|seat| staff.choose(seat, providers).is_some())
        })
    }

    fn start(&mut self, out: &mut Decision, task: TaskIx) {
        let worker = self.slots.take(task);
        self.overlap.start(task);
        if let Some(provider) = self.seat_for_start(out, task) {
            self.providers.started(provider, worker);
        }
        self.dispatches += 1;
        let slot = self.board.get_mut(task);
        slot.attempts += 1;
        slot.started = self.now.into();
        let attempt = slot.attempts;
        self.board.set(task, Stage::Running { worker });
        let executor = self.executor(task);
        let task_ref = self.task_ref(task);
        self.record(out, EventKind::AttemptStarted { task: task_ref, attempt, executor, worker });
        out.actions.push(Action::Start { task, attempt, worker });
    }

    fn executor(&self, task: TaskIx) -> Cow<'static, str> {
        let known = self.plan.task(task);
        match &known.more.agent {
            Some(agent) if !known.has_run_block() => {
                Cow::Owned(self.agent_of(task).unwrap_or(agent).to_owned())
            }
            _ => Cow::Borrowed("shell"),
        }
    }
}
