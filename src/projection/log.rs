//! `.specter/implementation.log`: what happened, line by line, and a block for each task that ended.
//!
//! Appended to as events come; the text of a run is a function of its events, so a log that is missing or behind
//! after a crash is caught up without a line being written twice.

use super::markdown::{last_line, push_safe};
use super::time::{Stamps, duration, percent, write_duration};
use crate::event::providers;
use crate::event::{
    AttemptOutcome, AttemptReport, BlockRef, Event, EventKind, FailureClass, GateVerdict, NoteLevel,
    RunOutcome, SkipReason, Stop, TaskRef, Verdict, agents, files,
};
use crate::plan::Plan;
use crate::summary::{AgentWork, Row, Summary};
use crate::task::{BlockKind, TaskId, TaskIx};
use crate::text::{count, push_number};
use std::fmt::Write as _;

/// Lines of a failed task's output that its block shows; the attempt's own log has them all.
const TAIL_LINES: usize = 5;

/// What the log remembers between lines.
#[derive(Clone, Debug, Default)]
pub struct LogLines {
    stamps: Stamps,
    /// Attempts of the present part (see `summary::Spans`), and the sums of the parallel parts before it.
    attempts: u32,
    announced: bool,
    before: (u64, u64),
}

/// The log of a whole run.
pub fn render<'a>(plan: &Plan, events: impl IntoIterator<Item = &'a Event>) -> String {
    let (mut summary, mut lines, mut out) = (Summary::new(plan), LogLines::default(), String::new());
    for event in events {
        summary.apply(plan, event);
        lines.on_event(plan, &summary, event, &mut out);
    }
    out
}

impl LogLines {
    /// Appends what `event` has to say. `summary` has folded it already.
    pub fn on_event(&mut self, plan: &Plan, summary: &Summary, event: &Event, out: &mut String) {
        let mut log = Writer { plan, summary, stamps: &mut self.stamps, out };
        match &event.kind {
            EventKind::RunStarted { total, selected, done_before, .. } => {
                log.run_started(*total, *selected, *done_before);
            }
            EventKind::RunResumed { session, jobs, selected, done_before, .. } => {
                self.attempts = 0;
                log.run_resumed((*session, *jobs), (*selected, *done_before));
            }
            EventKind::PlanChanged { added, removed, reopened, ticked } => {
                log.plan_changed([
                    ("added", added),
                    ("removed", removed),
                    ("reopened", reopened),
                    ("ticked", ticked),
                ]);
            }
            EventKind::AttemptStarted { task, attempt, worker, .. } => {
                log.attempt_started(task, *attempt, *worker);
                self.part_grows(plan, summary, out);
            }
            EventKind::AttemptFinished { task, attempt, report } => {
                log.attempt_finished(task, *attempt, report);
                self.part_shrinks(plan, summary, out);
            }
            EventKind::GateFinished { task, gate, verdict, duration: took, .. } => {
                let took = duration(took.as_millis() as u64);
                log.task("GATE", task, &[" ", gate, " ", gate_word(*verdict), " (", &took, ")"]);
            }
            EventKind::RetryScheduled { task, attempt, delay, class } => {
                let (attempt, delay) = (attempt.to_string(), duration(delay.as_millis() as u64));
                log.task("RETRY", task, &[" attempt ", &attempt, " in ", &delay, " (", class.as_str(), ")"]);
            }
            EventKind::TaskDone { task, attempts: 0, .. } => {
                log.task("TASK", task, &[" completed: all in it is settled"]);
            }
            EventKind::TaskDone { task, duration: took, .. } => {
                log.completed(task, took.as_millis() as u64);
                log.block(task, "COMPLETED");
            }
            EventKind::TaskFailed { task, attempts, class } => {
                let attempts = count(*attempts, "attempt");
                log.task("ERROR", task, &[" failed after ", &attempts, " (", class.as_str(), ")"]);
                log.block(task, "FAILED");
            }
            EventKind::TaskBlocked { task, by } => log.task("TASK", task, &[" blocked by ", by.id.as_str()]),
            EventKind::TaskSkipped { task, why } => log.task("TASK", task, &[" skipped: ", skip_word(*why)]),
            EventKind::TaskCancelled { task } => log.task("TASK", task, &[" cancelled; open on resume"]),
            // The task's own lines say so.
            EventKind::BoxTicked { .. } | EventKind::AgentStep { .. } => {}
            EventKind::BoxPending { task, problem } => {
                log.task("WARN", task, &[" is done, but its box could not be ticked: ", problem]);
            }
            EventKind::CheckpointCreated { name, done, .. } => {
                log.line("CHECKPOINT", &[name, " (", &count(*done, "task"), " done)"]);
            }
            EventKind::WorktreeLeased { task, .. }
            | EventKind::AttemptSaved { task, .. }
            | EventKind::Integrated { task, .. }
            | EventKind::Conflicted { task, .. }
            | EventKind::ReviewNeeded { task, .. }
            | EventKind::Escaped { task, .. } => log.files(task, &event.kind),
            EventKind::Committed { branch, commit, tasks, tag } => {
                log.line("INFO", &[&files::committed(branch, commit, tasks, tag.as_deref())]);
            }
            EventKind::RolledBack { to, saved, reopened, done, .. } => {
                log.line("ROLLBACK", &[&files::rolled_back(to, saved, reopened, done)]);
            }
            EventKind::BudgetReached { budget, limit } => {
                log.line("WARN", &["budget reached: ", super::budget_word(*budget), " ", limit]);
            }
            EventKind::AdmissionChanged { waits_for: Some(scarce), text } => {
                log.line("WARN", &["waiting for ", scarce.words(), ": ", text]);
            }
            EventKind::AdmissionChanged { waits_for: None, .. } => {
                log.line("INFO", &["the machine has room again"]);
            }
            EventKind::ProviderHeld { provider, until, told, why, rule, .. } => {
                log.line("WARN", &[&providers::held(provider, *until, *told, *why), ": ", rule]);
            }
            EventKind::AgentChanged { task, from, to, why, until, used_up } => {
                let words = agents::handed_over(from, to, *why, *until, *used_up);
                log.task("RETRY", task, &[": ", &words]);
            }
            EventKind::ProviderOpened { provider } => {
                log.line("INFO", &["provider ", provider, " answers again"]);
            }
            EventKind::TaskParked { task, question, .. } => {
                log.task("WARN", task, &[" waits for an answer: ", &agents::asked(question)]);
            }
            EventKind::QuestionAnswered { task, answer, by, .. } => {
                log.task("INFO", task, &[": ", &agents::answered(*by, answer)]);
            }
            EventKind::AttemptQuiet { task, attempt, stage, quiet } => {
                log.task("WARN", task, &[": ", &agents::quiet(*attempt, *stage, *quiet)]);
            }
            EventKind::HookFinished { command, extension, before, agent, failed, .. } => {
                let level = if failed.is_some() { "WARN" } else { "INFO" };
                log.line(level, &[&agents::hook(command, extension, *before, agent, failed.as_deref())]);
            }
            EventKind::Interrupted { signal, how } => log.interrupted(signal, *how),
            EventKind::Note { level, text } => log.line(level_word(*level), &[text]),
            EventKind::RunFinished { outcome, .. } => log.run_finished(*outcome),
        }
    }

    fn part_grows(&mut self, plan: &Plan, summary: &Summary, out: &mut String) {
        if summary.running().len() == 1 {
            let spans = summary.spans();
            self.before = (spans.parallel_sequential_ms(), spans.parallel_wall_ms());
            (self.attempts, self.announced) = (0, false);
        }
        self.attempts += 1;
        if summary.running().len() > 1 && !self.announced {
            self.announced = true;
            let jobs = summary.sessions.last().map_or(0, |session| session.jobs);
            let mut log = Writer { plan, summary, stamps: &mut self.stamps, out };
            log.line("PARALLEL", &["running side by side, up to ", &count(jobs, "worker")]);
        }
    }

    fn part_shrinks(&mut self, plan: &Plan, summary: &Summary, out: &mut String) {
        if !summary.running().is_empty() || !self.announced || self.attempts == 0 {
            return;
        }
        let spans = summary.spans();
        let sequential = spans.parallel_sequential_ms() - self.before.0;
        let wall = spans.parallel_wall_ms() - self.before.1;
        let attempts = count(self.attempts, "attempt");
        self.attempts = 0;
        let [took, instead, saved] = [wall, sequential, sequential - wall].map(duration);
        let mut log = Writer { plan, summary, stamps: &mut self.stamps, out };
        log.line("PARALLEL", &[&attempts, " in ", &took, " instead of ", &instead, ", ", &saved, " saved"]);
    }
}

/// One event's lines.
struct Writer<'a> {
    plan: &'a Plan,
    summary: &'a Summary,
    stamps: &'a mut Stamps,
    out: &'a mut String,
}

impl Writer<'_> {
    fn head(&mut self, kind: &str) {
        self.stamps.write(self.summary.wall(), self.out);
        self.out.push_str(" [");
        self.out.push_str(kind);
        self.out.push_str("] ");
    }

    fn line(&mut self, kind: &str, parts: &[&str]) {
        self.head(kind);
        for part in parts {
            push_safe(self.out, part);
        }
        self.out.push('\n');
    }

    fn task(&mut self, kind: &str, task: &TaskRef, parts: &[&str]) {
        self.head(kind);
        push_safe(self.out, task.id.as_str());
        for part in parts {
            push_safe(self.out, part);
        }
        self.out.push('\n');
    }

    fn indented(&mut self, line: &str) {
        self.out.push_str("  | ");
        push_safe(self.out, line);
        self.out.push('\n');
    }

    fn run_started(&mut self, total: u32, selected: u32, done_before: u32) {
        let info = &self.summary.info;
        let (mode, jobs) = (info.mode.as_str(), count(info.jobs, "worker"));
        self.line("INFO", &["run ", &info.run, STARTED, "specter ", &info.version, ", ", mode, ", ", &jobs]);
        let (loaded, selected, before) =
            (count(total, "task"), selected.to_string(), done_before.to_string());
        let file = &self.summary.info.file;
        self.line(
            "INFO",
            &["loaded ", &loaded, " from ", file, "; ", &selected, " selected, ", &before, " done before"],
        );
    }

    fn run_resumed(&mut self, (session, jobs): (u32, u32), (selected, done_before): (u32, u32)) {
        let (session, jobs) = (session.to_string(), count(jobs, "worker"));
        let (selected, before) = (selected.to_string(), done_before.to_string());
        let run = &self.summary.info.run;
        self.line(
            "INFO",
            &[
                "run ",
                run,
                " resumed, session ",
                &session,
                ": ",
                &jobs,
                ", ",
                &selected,
                " selected, ",
                &before,
                " done before",
            ],
        );
    }

    fn plan_changed(&mut self, changes: [(&str, &Vec<TaskId>); 4]) {
        let mut text = String::from("the task file was edited");
        for (what, ids) in changes.into_iter().filter(|(_, ids)| !ids.is_empty()) {
            let _ = write!(text, "; {what} ");
            super::write_ids(&mut text, ids.iter().map(TaskId::as_str));
        }
        self.line("INFO", &[&text]);
    }

    fn files(&mut self, task: &TaskRef, kind: &EventKind) {
        let Some(files::Line { weight, text }) = files::line(kind) else { return };
        let level = match weight {
            files::Weight::Detail => "FILES",
            files::Weight::Warning => "WARN",
            files::Weight::Trouble => "ERROR",
        };
        self.task(level, task, &[" ", &text]);
        if let EventKind::Conflicted { conflicts, .. } = kind {
            for hunk in conflicts.iter().flat_map(|conflict| &conflict.hunks) {
                hunk.lines().for_each(|line| self.indented(line));
            }
        }
    }

    fn attempt_started(&mut self, task: &TaskRef, attempt: u32, worker: u32) {
        self.head("TASK");
        push_safe(self.out, task.id.as_str());
        self.out.push_str(" started");
        if attempt > 1 {
            self.out.push_str(", attempt ");
            push_number(self.out, attempt.into());
        }
        self.out.push_str(" (worker ");
        push_number(self.out, worker.into());
        self.out.push(')');
        if attempt == 1 {
            self.out.push_str(": ");
            push_safe(self.out, self.summary.locate(task).map_or("", |task| super::title(self.plan, task)));
        }
        self.out.push('\n');
    }

    fn completed(&mut self, task: &TaskRef, took: u64) {
        self.head("TASK");
        push_safe(self.out, task.id.as_str());
        self.out.push_str(" completed (");
        write_duration(took, self.out);
        self.out.push_str(")\n");
    }

    fn attempt_finished(&mut self, task: &TaskRef, attempt: u32, report: &AttemptReport) {
        if !report.leaked.is_empty() {
            let leaked = report.leaked.join(", ");
            self.task("WARN", task, &[" left processes behind, which were ended: ", &leaked]);
        }
        if report.outcome.is_success() {
            return;
        }
        let (attempt, took) = (attempt.to_string(), duration(report.duration.as_millis() as u64));
        let outcome = outcome_words(&report.outcome);
        let why = class_words(report.class, report.rule.as_deref());
        self.task("WARN", task, &[" attempt ", &attempt, " ended with ", &outcome, " after ", &took, &why]);
    }

    fn interrupted(&mut self, signal: &str, how: Stop) {
        let what = match how {
            Stop::Gracefully => ": what runs has its grace period, nothing more is started",
            Stop::Now => ": what runs is ended now",
        };
        self.line("WARN", &["interrupted by ", signal, what]);
    }

    fn run_finished(&mut self, outcome: RunOutcome) {
        let counts = self.summary.counts();
        let numbers = self.summary.numbers();
        let mut text = format!(
            " {}: {} of {} done, {} failed, {} blocked, {} open; {}",
            super::outcome_words(outcome),
            counts.done,
            counts.selected,
            counts.failed,
            counts.blocked,
            counts.open + counts.cancelled + counts.parked,
            duration(numbers.duration_ms),
        );
        if let Some(efficiency) = numbers.efficiency {
            let [sequential, saved] = [numbers.sequential_ms, numbers.saved_ms].map(duration);
            let _ = write!(
                text,
                " instead of {sequential}, {saved} saved, parallel efficiency {}",
                percent(efficiency)
            );
        }
        let run = &self.summary.info.run;
        self.line("INFO", &["run ", run, &text]);
    }

    // ── the block of a task that ended ────────────────────────────────────────────────────────────────────────

    fn block(&mut self, task: &TaskRef, status: &str) {
        let Some(task) = self.summary.locate(task) else { return };
        let row = self.summary.row(task);
        self.out.push_str("  status: ");
        self.out.push_str(status);
        if let Some(verdict) = row.verdict {
            self.out.push_str(" (");
            self.out.push_str(verdict_word(verdict));
            self.out.push(')');
        }
        self.out.push_str("\n  duration: ");
        write_duration(row.busy_ms(), self.out);
        if row.attempts > 1 {
            let _ = write!(self.out, " in {} attempts", row.attempts);
        }
        self.out.push_str("\n  ran beside: ");
        super::write_beside(self.out, self.summary, row);
        self.out.push('\n');
        self.actions(task, row);
        self.agent(row);
        self.tests(row);
        self.failure(row);
    }

    /// What is known to have been done: the blocks that ran and how earlier attempts ended.
    fn actions(&mut self, task: TaskIx, row: &Row) {
        let written = self.plan.tasks.get(task.ix());
        let runs = written.map_or(0, |task| task.blocks_of(BlockKind::Run).count());
        self.out.push_str("  actions: ");
        let attempts = row.detail.iter().flat_map(|detail| &detail.attempts);
        let mut gap = "";
        for attempt in attempts.filter(|attempt| !attempt.outcome.is_success()) {
            let _ = write!(self.out, "{gap}attempt {}: {}", attempt.number, block_words(attempt.block));
            push_safe(self.out, &outcome_words(&attempt.outcome));
            gap = "; ";
        }
        if row.class.is_none() {
            self.out.push_str(gap);
            match (row.by_fallback, runs) {
                _ if agent_of(row).is_some() => {
                    push_safe(self.out, agent_of(row).map_or("", |work| &work.agent));
                    self.out.push_str(" ended well");
                }
                (true, _) => self.out.push_str("a fallback block succeeded"),
                (false, 0) => self.out.push_str("ended well"),
                (false, 1) => self.out.push_str("the run block succeeded"),
                (false, _) => {
                    let _ = write!(self.out, "all {runs} run blocks succeeded");
                }
            }
        }
        self.out.push('\n');
    }

    /// What an agent did, step by step, as it told it.
    fn agent(&mut self, row: &Row) {
        let Some(work) = agent_of(row) else { return };
        let mut attempt = 0;
        for action in &work.actions {
            if std::mem::replace(&mut attempt, action.attempt) != action.attempt && row.attempts > 1 {
                let _ = writeln!(self.out, "    attempt {attempt}:");
            }
            self.out.push_str("    - ");
            push_safe(self.out, &agents::step(&action.step));
            self.out.push('\n');
        }
        if work.more > 0 {
            let _ = writeln!(self.out, "    and {} more", count(work.more, "step"));
        }
        if let Some(spent) = &work.spent {
            let _ = writeln!(self.out, "  spent: {}", agents::spent(spent));
        }
    }

    fn tests(&mut self, row: &Row) {
        let gates = row.gates;
        if gates != crate::summary::Gates::default() {
            let _ = writeln!(
                self.out,
                "  tests: {} passed, {} failed, {} inconclusive (gates of the last attempt)",
                gates.passed, gates.failed, gates.inconclusive
            );
        }
    }

    fn failure(&mut self, row: &Row) {
        let Some(detail) = row.detail.as_ref().filter(|_| row.class.is_some()) else { return };
        if !detail.log.is_empty() {
            self.out.push_str("  output: ");
            push_safe(self.out, &detail.log);
            self.out.push('\n');
        }
        let lines: Vec<&str> = detail.tail.trim_end().lines().collect();
        for line in &lines[lines.len().saturating_sub(TAIL_LINES)..] {
            self.out.push_str("  | ");
            push_safe(self.out, line.trim_end_matches('\r'));
            self.out.push('\n');
        }
    }
}

fn agent_of(row: &Row) -> Option<&AgentWork> {
    row.detail.as_ref()?.agent.as_deref()
}

/// `exit code 1`, `signal 9`, …
pub(super) fn outcome_words(outcome: &AttemptOutcome) -> String {
    match outcome {
        AttemptOutcome::Success => "success".to_owned(),
        AttemptOutcome::ExitCode(code) => format!("exit code {code}"),
        AttemptOutcome::Signalled(signal) => format!("signal {signal}"),
        AttemptOutcome::TimedOut(ms) => format!("no end within {}", duration(*ms)),
        AttemptOutcome::StartFailed(why) => format!("no start ({})", last_line(why)),
        AttemptOutcome::Cancelled => "cancellation".to_owned(),
        AttemptOutcome::NotIntegrated => "nothing integrated".to_owned(),
    }
}

fn block_words(block: Option<BlockRef>) -> String {
    block.map_or_else(String::new, |block| {
        let kind = match block.kind {
            BlockKind::Run => "run",
            BlockKind::Fallback => "fallback",
            BlockKind::Verify => "verify",
        };
        format!("{kind} block {} (line {}) ", block.number, block.line)
    })
}

fn class_words(class: Option<FailureClass>, rule: Option<&str>) -> String {
    match (class, rule) {
        (Some(class), Some(rule)) => format!(" ({}: {rule})", class.as_str()),
        (Some(class), None) => format!(" ({})", class.as_str()),
        (None, _) => String::new(),
    }
}

fn gate_word(verdict: GateVerdict) -> &'static str {
    match verdict {
        GateVerdict::Passed => "passed",
        GateVerdict::Failed => "failed",
        GateVerdict::Inconclusive => "inconclusive",
    }
}

pub(super) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Verified => "verified",
        Verdict::Unverified => "unverified",
        Verdict::NoChange => "no-change",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Regressed => "regressed",
        Verdict::Escaped => "escaped",
    }
}

fn skip_word(why: SkipReason) -> &'static str {
    match why {
        SkipReason::Manual => "it asks for a person",
        SkipReason::Optional => "it is optional",
        SkipReason::Dropped => "its text says it was dropped",
        SkipReason::Unclear => "its mark is unclear",
        SkipReason::Removed => "it was removed from the file",
    }
}

fn level_word(level: NoteLevel) -> &'static str {
    match level {
        NoteLevel::Info => "INFO",
        NoteLevel::Warn => "WARN",
        NoteLevel::Error => "ERROR",
    }
}

// ── catching up ───────────────────────────────────────────────────────────────────────────────────────────────

const STARTED: &str = " started: ";

/// The log file as it must read: whatever it holds of `run` is replaced by `text`, the log of all events of that
/// run; what other runs wrote stays.
pub fn caught_up(existing: &str, run: &str, text: &str) -> String {
    let mut own = String::from("[INFO] run ");
    push_safe(&mut own, run);
    own.push_str(STARTED);
    let Some(start) = line_starts(existing).find(|at| is_run_start(&existing[*at..], &own)) else {
        let gap = if existing.is_empty() || existing.ends_with('\n') { "" } else { "\n" };
        return format!("{existing}{gap}{text}");
    };
    let end = line_starts(existing)
        .filter(|at| *at > start)
        .find(|at| is_run_start(&existing[*at..], "[INFO] run ") && !is_run_start(&existing[*at..], &own))
        .unwrap_or(existing.len());
    format!("{}{text}{}", &existing[..start], &existing[end..])
}

fn line_starts(text: &str) -> impl Iterator<Item = usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1))
}

/// A stamp, a space, then `head` and ` started: `. Blocks are indented, so only the log's own lines match.
fn is_run_start(rest: &str, head: &str) -> bool {
    let line = rest.lines().next().unwrap_or("");
    line.get(21..).is_some_and(|line| line.starts_with(head) && line.contains(STARTED))
        && line.as_bytes()[19] == b'Z'
}
