//! The fold itself: what each event does to the rows and the figures.

use super::{
    CheckpointMark, Gates, MAX_REMARKS, Remark, RemarkKind, Row, Session, Stamp, Stopped, Summary, TaskState,
    index, work,
};
use crate::event::agents;
use crate::event::{
    AttemptReport, Elapsed, Event, EventKind, FailureClass, GateVerdict, NoteLevel, RunOutcome, SkipReason,
    TaskRef, Verdict,
};
use crate::plan::Plan;
use crate::task::{TaskId, TaskIx};
use std::num::NonZeroU32;

impl Summary {
    /// Takes in one event. `plan` is the plan as it reads after the event.
    pub fn apply(&mut self, plan: &Plan, event: &Event) {
        self.seq = event.seq;
        match &event.kind {
            EventKind::RunStarted { info, started, .. } => {
                self.info = info.clone();
                self.open_session(*started, info.jobs);
            }
            EventKind::RunResumed { started, jobs, .. } => self.resume(plan, *started, *jobs),
            _ => {}
        }
        // When the session is over: that it lasted until now is not true.
        let is_late = self.outcome().is_some() || matches!(event.kind, EventKind::RolledBack { .. });
        let at = if is_late {
            self.late = self.late.max(event.at.as_millis() as u64);
            self.late
        } else {
            self.advance(event.at)
        };
        match &event.kind {
            EventKind::RunStarted { .. }
            | EventKind::RunResumed { .. }
            | EventKind::BoxTicked { .. }
            | EventKind::WorktreeLeased { .. }
            | EventKind::AttemptSaved { .. }
            | EventKind::Integrated { .. }
            | EventKind::Conflicted { .. }
            | EventKind::ReviewNeeded { .. }
            | EventKind::AdmissionChanged { .. }
            | EventKind::ProviderHeld { .. }
            | EventKind::ProviderOpened { .. }
            | EventKind::Committed { .. }
            | EventKind::AttemptQuiet { .. }
            | EventKind::Escaped { .. } => {}
            EventKind::PlanChanged { added, removed, reopened, ticked } => {
                self.plan_changed(plan, [added, removed, reopened, ticked]);
            }
            EventKind::AttemptStarted { task, attempt, executor, worker } => {
                let task = self.resolve(task);
                self.start_attempt(plan, task, at, (*attempt, executor, *worker));
            }
            EventKind::AgentChanged { task, from, to, why, until, used_up } => {
                let words = agents::handed_over(from, to, *why, *until, *used_up);
                let text = format!("{}: {words}", task.id);
                self.remark(RemarkKind::Note { level: NoteLevel::Info, text });
            }
            EventKind::AttemptFinished { task, attempt, report } => {
                let task = self.resolve(task);
                self.end_attempt(plan, task, at, (*attempt, report));
            }
            EventKind::AgentStep { task, attempt, step, .. } => {
                let task = self.resolve(task);
                self.rows[task.ix()].step(*attempt, step);
            }
            EventKind::GateFinished { task, verdict, .. } => {
                let task = self.resolve(task);
                self.rows[task.ix()].gates.add(*verdict);
            }
            EventKind::RetryScheduled { task, .. } => self.settle(task, TaskState::Waiting),
            EventKind::TaskDone { task, verdict, duration, .. } => self.done(task, *verdict, *duration),
            EventKind::TaskFailed { task, class, .. } => self.failed(task, *class),
            EventKind::TaskParked { task, question, .. } => {
                self.questions.insert(task.id.clone(), (**question).clone());
                self.settle(task, TaskState::Parked);
            }
            EventKind::QuestionAnswered { task, .. } => {
                let place = self.resolve(task);
                if self.row(place).state == TaskState::Parked {
                    self.settle(task, TaskState::Open);
                }
            }
            EventKind::TaskBlocked { task, by } => self.blocked(task, by),
            EventKind::TaskSkipped { task, why } => self.settle(task, skipped(*why)),
            EventKind::TaskCancelled { task } => self.settle(task, TaskState::Cancelled),
            EventKind::BoxPending { task, problem } => {
                self.remark(RemarkKind::BoxPending { task: task.id.clone(), problem: problem.clone() });
            }
            EventKind::CheckpointCreated { name, done, .. } => {
                let at = self.wall();
                self.last_checkpoint = Some(CheckpointMark { name: name.clone(), done: *done, at });
            }
            EventKind::RolledBack { to, reopened, done, .. } => {
                self.stop(Stopped::RolledBack(to.clone()));
                self.finish(RunOutcome::Stopped);
                self.boxes_changed(plan, [(reopened, TaskState::Open), (done, TaskState::Done)]);
            }
            EventKind::BudgetReached { budget, limit } => {
                self.stop(Stopped::Budget { budget: *budget, limit: limit.clone() });
            }
            EventKind::Interrupted { signal, .. } => self.stop(Stopped::Signal(signal.clone())),
            EventKind::HookFinished {
                command, extension, before, agent, provider, failed, spent, ..
            } => {
                // Of no task, and yet it was paid for.
                if spent.is_some() {
                    let provider = if provider.is_empty() { agent } else { provider };
                    work::book(&mut self.accounts, provider, 0, *spent);
                }
                let text = agents::hook(command, extension, *before, agent, failed.as_deref());
                match failed {
                    Some(_) if *before => self.stop(Stopped::Hook(text)),
                    Some(_) => self.remark(RemarkKind::Note { level: NoteLevel::Warn, text }),
                    None => self.remark(RemarkKind::Note { level: NoteLevel::Info, text }),
                }
            }
            EventKind::Note { level, text } => {
                self.remark(RemarkKind::Note { level: *level, text: text.clone() });
            }
            EventKind::RunFinished { outcome, .. } => self.finish(*outcome),
        }
    }

    // ── sessions ──────────────────────────────────────────────────────────────────────────────────────────────

    fn open_session(&mut self, started: u64, jobs: u32) {
        let done_before = self.tally(TaskState::Done);
        self.sessions.push(Session { started, length: 0, jobs, done_before, outcome: None });
        (self.stopped, self.late) = (None, 0);
    }

    /// What ran when the session before ended without a word is open again, and so is what failed.
    fn resume(&mut self, plan: &Plan, started: u64, jobs: u32) {
        self.close_running(plan);
        for (row, planned) in self.rows.iter_mut().zip(&plan.planned) {
            row.failed_before |= row.state == TaskState::Failed;
            row.resume(planned.role);
        }
        self.count_again();
        self.open_session(started, jobs);
        self.by_id = None;
    }

    /// Ends what still runs at the last instant on record.
    fn close_running(&mut self, plan: &Plan) {
        let at = self.sessions.last().map_or(0, |session| session.length);
        let running = std::mem::take(&mut self.running);
        for (task, before) in running.into_iter().zip(std::mem::take(&mut self.starts_before)) {
            self.end_interval(plan, task, at, before);
            self.rows[task.ix()].cut_off = true;
        }
        self.spans.end_session();
        self.phases.end_session();
    }

    fn finish(&mut self, outcome: RunOutcome) {
        if let Some(session) = self.sessions.last_mut() {
            session.outcome = Some(outcome);
        }
    }

    /// Milliseconds since the session began; never goes back.
    fn advance(&mut self, at: Elapsed) -> u64 {
        if self.sessions.is_empty() {
            self.open_session(0, 0); // a journal that lost its head
        }
        let Some(session) = self.sessions.last_mut() else { return 0 };
        session.length = session.length.max(at.as_millis() as u64);
        session.length
    }

    fn stamp(&self) -> Option<Stamp> {
        let session = NonZeroU32::new(self.sessions.len() as u32)?;
        Some(Stamp::new(session, self.sessions.last()?.length))
    }

    // ── attempts ──────────────────────────────────────────────────────────────────────────────────────────────

    fn start_attempt(&mut self, plan: &Plan, task: TaskIx, at: u64, what: (u32, &str, u32)) {
        let (attempt, executor, worker) = what;
        let (executor, stamp) = (self.intern(executor), self.stamp());
        self.spans.start(at);
        self.phases.start(plan, task, at);
        self.set(task, TaskState::Running);
        self.starts += 1;
        let row = &mut self.rows[task.ix()];
        row.attempts = row.attempts.max(attempt);
        row.worker = worker;
        row.executor = executor;
        row.begin(stamp);
        self.meet(task);
        self.starts_before.push(self.starts - self.running.len() as u32);
        self.running.push(task);
    }

    /// Notes who runs beside whom. Each row takes at most eight names, so a task costs eight steps however many
    /// run, apart from the walk over rows that are already full (at most the number of workers).
    fn meet(&mut self, task: TaskIx) {
        for n in 0..self.running.len() {
            let other = self.running[n];
            if !self.rows[other.ix()].beside.is_full() {
                self.rows[other.ix()].beside.name(task);
            }
            if !self.rows[task.ix()].beside.is_full() {
                self.rows[task.ix()].beside.name(other);
            }
        }
    }

    fn end_attempt(&mut self, plan: &Plan, task: TaskIx, at: u64, what: (u32, &AttemptReport)) {
        let (attempt, report) = what;
        let Some(n) = self.running.iter().position(|other| *other == task) else { return };
        self.running.remove(n);
        let before = self.starts_before.remove(n);
        self.end_interval(plan, task, at, before);
        let counted = report.class != Some(FailureClass::Cancelled);
        self.attempts_ended += u32::from(counted);
        self.attempts_failed += u32::from(counted && !report.outcome.is_success());
        self.cpu_known |= report.cpu_ms > 0 || report.max_rss_kb > 0;
        self.rows[task.ix()].take(attempt, report);
        if let Some(agent) = &report.agent {
            let provider = if agent.provider.is_empty() { &agent.agent } else { &agent.provider };
            work::book(&mut self.accounts, provider, 1, agent.spent);
        }
        let known = task.ix() < plan.tasks.len();
        self.set(task, if known { TaskState::Open } else { TaskState::Removed });
    }

    /// `before`: see `starts_before`.
    fn end_interval(&mut self, plan: &Plan, task: TaskIx, at: u64, before: u32) {
        self.spans.end(at);
        self.phases.end(plan, task, at);
        let stamp = self.stamp();
        let row = &mut self.rows[task.ix()];
        row.end(stamp);
        row.beside.end(self.starts - before);
    }

    fn intern(&mut self, executor: &str) -> u16 {
        // A handful at most: shell and the agents of the run.
        let known = self.executors.iter().position(|name| name == executor);
        let n = known.unwrap_or_else(|| {
            self.executors.push(executor.to_owned());
            self.executors.len() - 1
        });
        n as u16
    }

    // ── outcomes ──────────────────────────────────────────────────────────────────────────────────────────────

    fn settle(&mut self, task: &TaskRef, state: TaskState) {
        let task = self.resolve(task);
        self.set(task, state);
    }

    fn done(&mut self, task: &TaskRef, verdict: Verdict, duration: Elapsed) {
        let ix = self.resolve(task);
        if self.rows[ix.ix()].state == TaskState::Group {
            return;
        }
        self.set(ix, TaskState::Done);
        self.done_order.push(ix);
        let row = &mut self.rows[ix.ix()];
        row.verdict = Some(verdict);
        row.class = None;
        row.set_last_ms(duration.as_millis() as u64);
        if row.by_fallback {
            self.remark(RemarkKind::ByFallback(task.id.clone()));
        }
    }

    fn failed(&mut self, task: &TaskRef, class: FailureClass) {
        let task = self.resolve(task);
        self.set(task, TaskState::Failed);
        self.rows[task.ix()].class = Some(class);
    }

    fn blocked(&mut self, task: &TaskRef, by: &TaskRef) {
        let (task, by) = (self.resolve(task), self.resolve(by));
        self.set(task, TaskState::Blocked);
        self.rows[task.ix()].set_blocked_by(Some(by));
    }

    fn stop(&mut self, stopped: Stopped) {
        self.remark(RemarkKind::Stopped(stopped.clone()));
        self.stopped = Some(stopped);
    }

    fn remark(&mut self, kind: RemarkKind) {
        if self.remarks.len() < MAX_REMARKS {
            let at = self.wall();
            self.remarks.push(Remark { at, kind });
        } else {
            self.remarks_dropped += 1;
        }
    }

    /// The one door through which a row's state changes.
    fn set(&mut self, task: TaskIx, state: TaskState) {
        let row = &mut self.rows[task.ix()];
        if row.state == TaskState::Group {
            return;
        }
        self.tally[row.state as usize] -= 1;
        self.tally[state as usize] += 1;
        self.undone |= row.state == TaskState::Done;
        row.state = state;
    }

    pub(super) fn count_again(&mut self) {
        self.tally = [0; TaskState::COUNT];
        self.rows.iter().for_each(|row| self.tally[row.state as usize] += 1);
    }

    // ── tasks by id ───────────────────────────────────────────────────────────────────────────────────────────

    /// The row of a task. An event from disk names it by id alone; a task the file no longer has gets a row of
    /// its own after the others.
    fn resolve(&mut self, task: &TaskRef) -> TaskIx {
        if let Some(ix) = self.locate(task) {
            return ix;
        }
        let by_id = self.by_id.take().unwrap_or_else(|| index(self.ids()));
        let (gone, rows) = (&mut self.gone, &mut self.rows);
        let n = *self.by_id.insert(by_id).entry(task.id.clone()).or_insert_with(|| {
            gone.push(task.id.clone());
            rows.push(Row::new(TaskState::Removed));
            self.tally[TaskState::Removed as usize] += 1;
            rows.len() as u32 - 1
        });
        TaskIx(n)
    }

    /// The file was edited: rows follow their ids to their new places.
    fn plan_changed(&mut self, plan: &Plan, [added, removed, reopened, ticked]: [&Vec<TaskId>; 4]) {
        self.remark(RemarkKind::PlanChanged {
            added: added.clone(),
            removed: removed.clone(),
            reopened: reopened.clone(),
            ticked: ticked.clone(),
        });
        self.boxes_changed(plan, [(reopened, TaskState::Open), (ticked, TaskState::Done)]);
    }

    fn boxes_changed(&mut self, plan: &Plan, changes: [(&[TaskId], TaskState); 2]) {
        self.follow(plan);
        for (ids, state) in changes {
            for id in ids {
                let task = self.resolve(&TaskRef { ix: TaskRef::UNRESOLVED, id: id.clone() });
                // What runs goes on and says itself how it ended.
                if !matches!(self.rows[task.ix()].state, TaskState::Running | TaskState::DoneBefore) {
                    self.set(task, state);
                }
            }
        }
        self.by_id = None;
    }

    fn follow(&mut self, plan: &Plan) {
        let fresh = Summary::new(plan);
        if self.ids().eq(fresh.ids()) {
            self.tasks = fresh.tasks;
        } else {
            self.move_rows(fresh);
        }
        self.rows.iter_mut().zip(&plan.planned).for_each(|(row, planned)| row.follow(planned.role));
        self.phases.follow(plan);
        self.undone = true;
        self.count_again();
    }

    /// Moves each row to the place its id has in `fresh`; rows without one go to the end.
    fn move_rows(&mut self, fresh: Summary) {
        let places = index(fresh.ids());
        let (mut gone, mut rows) = (Vec::new(), fresh.rows);
        let old = std::mem::take(&mut self.rows);
        let moved: Vec<TaskIx> = self
            .ids()
            .zip(old)
            .map(|(id, mut row)| match places.get(id) {
                Some(place) => {
                    rows[*place as usize] = row;
                    TaskIx(*place)
                }
                None => {
                    row.state = row.state.once_gone();
                    gone.push(id.clone());
                    rows.push(row);
                    TaskIx(rows.len() as u32 - 1)
                }
            })
            .collect();
        let to = |task: TaskIx| moved.get(task.ix()).copied().unwrap_or(task);
        for row in &mut rows {
            row.set_blocked_by(row.blocked_by().map(to));
            row.beside.rename(to);
        }
        self.running.iter_mut().chain(&mut self.done_order).for_each(|task| *task = to(*task));
        (self.tasks, self.gone, self.rows, self.by_id) = (fresh.tasks, gone, rows, None);
    }
}

fn skipped(why: SkipReason) -> TaskState {
    match why {
        SkipReason::Manual => TaskState::Manual,
        SkipReason::Removed => TaskState::Removed,
        SkipReason::Optional | SkipReason::Dropped | SkipReason::Unclear => TaskState::Skipped,
    }
}

impl Gates {
    fn add(&mut self, verdict: GateVerdict) {
        match verdict {
            GateVerdict::Passed => self.passed += 1,
            GateVerdict::Failed => self.failed += 1,
            GateVerdict::Inconclusive => self.inconclusive += 1,
        }
    }
}
