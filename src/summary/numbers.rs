//! The figures people read, worked out from a [`Summary`] when asked. One pass over the rows each.

use super::{Row, Summary, TaskState};
use crate::plan::Plan;
use crate::task::TaskIx;

/// Figures of the whole run. Times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// All sessions, the gaps between them not counted.
    pub duration_ms: u64,
    /// What the run would have taken with one attempt at a time: `duration + saved`.
    pub sequential_ms: u64,
    pub saved_ms: u64,
    /// Time saved ÷ sequential time of the parallel parts, in [0, 1); None if nothing overlapped.
    pub efficiency: Option<f64>,
    /// Time saved ÷ sequential equivalent: how much shorter the whole run got.
    pub shorter_by: Option<f64>,
    /// Tasks of which an attempt overlapped one of another task.
    pub parallel_tasks: u32,
    /// Most attempts at once.
    pub peak: u32,
    /// Done tasks per minute of `duration`.
    pub tasks_per_minute: Option<f64>,
    /// Mean of the done tasks' durations, not of wall time.
    pub average_ms: Option<f64>,
    pub longest: Option<(TaskIx, u64)>,
    pub shortest: Option<(TaskIx, u64)>,
    /// Attempts beyond each task's first, all sessions.
    pub retries: u32,
    /// Failed attempts ÷ ended attempts; cancelled ones do not count.
    pub error_rate: Option<f64>,
    /// None where the system does not tell.
    pub cpu_ms: Option<u64>,
    pub peak_memory_kb: Option<u64>,
    pub disk_read_kb: Option<u64>,
    pub disk_written_kb: Option<u64>,
}

/// One phase of the breakdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseFigures {
    /// None for tasks under no heading.
    pub phase: Option<crate::task::PhaseIx>,
    /// Selected tasks in it.
    pub tasks: u32,
    pub done: u32,
    pub failed: u32,
    pub blocked: u32,
    /// Time in which at least one of its attempts ran.
    pub worked_ms: u64,
    /// Its tasks' durations added up.
    pub busy_ms: u64,
}

/// What a resumed run took over and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    pub sessions: u32,
    /// Done in earlier sessions.
    pub previously_done: u32,
    /// Done in this one.
    pub resumed: u32,
    /// Had failed in an earlier session and are done now.
    pub failed_now_done: Vec<TaskIx>,
    /// Had failed in an earlier session and are not done.
    pub failed_still: Vec<TaskIx>,
    /// Were running when an earlier session ended without a word.
    pub cut_off: Vec<TaskIx>,
    /// Of this session, in milliseconds.
    pub session_ms: u64,
}

impl Summary {
    pub fn numbers(&self) -> Numbers {
        let duration_ms = self.duration_ms();
        let saved_ms = self.spans.saved_ms();
        let sequential_ms = duration_ms + saved_ms;
        let totals = Totals::of(&self.rows);
        let minutes = duration_ms as f64 / 60_000.0;
        let known = |figure: u64| self.cpu_known.then_some(figure);
        Numbers {
            duration_ms,
            sequential_ms,
            saved_ms,
            efficiency: self.spans.efficiency(),
            shorter_by: (sequential_ms > 0).then(|| saved_ms as f64 / sequential_ms as f64),
            parallel_tasks: totals.parallel_tasks,
            peak: self.spans.peak(),
            tasks_per_minute: (minutes > 0.0).then(|| f64::from(self.tally(TaskState::Done)) / minutes),
            average_ms: (totals.done > 0).then(|| totals.done_ms as f64 / f64::from(totals.done)),
            longest: totals.longest,
            shortest: totals.shortest,
            retries: totals.retries,
            error_rate: (self.attempts_ended > 0)
                .then(|| f64::from(self.attempts_failed) / f64::from(self.attempts_ended)),
            cpu_ms: known(totals.cpu_ms),
            peak_memory_kb: known(totals.max_rss_kb),
            disk_read_kb: known(totals.disk_read_kb),
            disk_written_kb: known(totals.disk_written_kb),
        }
    }

    /// Phases with selected tasks, in document order; tasks under no heading last.
    pub fn phases(&self, plan: &Plan) -> Vec<PhaseFigures> {
        let none = plan.phases.len();
        let now = self.sessions.last().map_or(0, |session| session.length);
        let mut phases: Vec<PhaseFigures> = (0..=none)
            .map(|n| PhaseFigures {
                phase: (n < none).then_some(crate::task::PhaseIx(n as u32)),
                tasks: 0,
                done: 0,
                failed: 0,
                blocked: 0,
                worked_ms: self.phases.worked_ms(n, now),
                busy_ms: 0,
            })
            .collect();
        for (task, row) in self.rows().take(plan.tasks.len()).filter(|(_, row)| row.state.is_selected()) {
            let n = plan.task(task).phase.map_or(none, |phase| (phase.0 as usize).min(none));
            let figures = &mut phases[n];
            figures.tasks += 1;
            figures.done += u32::from(row.state == TaskState::Done);
            figures.failed += u32::from(row.state == TaskState::Failed);
            figures.blocked += u32::from(row.state == TaskState::Blocked);
            figures.busy_ms += row.busy_ms();
        }
        phases.retain(|figures| figures.tasks > 0);
        phases
    }

    /// None unless the run was resumed.
    pub fn recovery(&self) -> Option<Recovery> {
        let session = self.sessions.last().filter(|_| self.is_resumed())?;
        let those = |keep: fn(&Row) -> bool| -> Vec<TaskIx> {
            self.rows().filter(|(_, row)| keep(row)).map(|(task, _)| task).collect()
        };
        Some(Recovery {
            sessions: self.sessions.len() as u32,
            previously_done: session.done_before,
            resumed: self.tally(TaskState::Done).saturating_sub(session.done_before),
            failed_now_done: those(|row| row.failed_before && row.state == TaskState::Done),
            failed_still: those(|row| row.failed_before && row.state != TaskState::Done),
            cut_off: those(|row| row.cut_off),
            session_ms: session.length,
        })
    }
}

/// What is added up over the rows.
#[derive(Default)]
struct Totals {
    parallel_tasks: u32,
    retries: u32,
    cpu_ms: u64,
    max_rss_kb: u64,
    disk_read_kb: u64,
    disk_written_kb: u64,
    /// Tasks that were done by an attempt, and their durations.
    done: u32,
    done_ms: u64,
    longest: Option<(TaskIx, u64)>,
    shortest: Option<(TaskIx, u64)>,
}

impl Totals {
    /// In one pass: there may be a hundred thousand rows, and they do not fit a cache.
    fn of(rows: &[Row]) -> Totals {
        let mut totals = Totals::default();
        for (n, row) in rows.iter().enumerate() {
            totals.parallel_tasks += u32::from(row.beside.count() > 0);
            totals.retries += row.attempts.saturating_sub(1);
            totals.cpu_ms += row.cpu_ms();
            totals.max_rss_kb = totals.max_rss_kb.max(row.max_rss_kb());
            totals.disk_read_kb += row.disk_read_kb();
            totals.disk_written_kb += row.disk_written_kb();
            if row.state == TaskState::Done && row.has_run() {
                totals.take_done(TaskIx(n as u32), row.busy_ms());
            }
        }
        totals
    }

    /// Of equals, the first stays.
    fn take_done(&mut self, task: TaskIx, ms: u64) {
        self.done += 1;
        self.done_ms += ms;
        if self.longest.is_none_or(|(_, longest)| ms > longest) {
            self.longest = Some((task, ms));
        }
        if self.shortest.is_none_or(|(_, shortest)| ms < shortest) {
            self.shortest = Some((task, ms));
        }
    }
}

impl TaskState {
    /// Whether it counts among the selected tasks.
    pub fn is_selected(self) -> bool {
        self.is_settled()
            || matches!(
                self,
                TaskState::Open
                    | TaskState::Running
                    | TaskState::Waiting
                    | TaskState::Cancelled
                    | TaskState::Parked
            )
    }
}
