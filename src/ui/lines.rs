//! One event, one line or a few: what scrolls by while a run goes on. Shared by the live screen and the plain lines.
//!
//! Titles, ids and output are made safe here; lines fit the screen's width as far as there is anything to cut.

use super::text::{duration, elide, elided, output_line, plural, push_duration, some_of, width, wrap};
use super::theme::{Label, Screen, Sign};
use super::view::{View, title};
use crate::event::providers;
use crate::event::{
    AttemptOutcome, AttemptReport, BudgetKind, Event, EventKind, GateVerdict, NoteLevel, Scarce, SkipReason,
    Stop, TaskRef, Verdict, agents, files,
};
use crate::plan::{LeftOut, Plan, Role};
use crate::task::TaskId;
use crate::text::{push_number, safe};
use std::fmt::Write as _;
use std::time::Duration;

/// Lines of a failed attempt's output that are shown at once; the rest is in its log.
const TAIL_LINES: usize = 8;
/// Lines of a conflict that are shown at once; the log has them all.
const HUNK_LINES: usize = 24;
/// The widest an id is shown before it is cut.
const ID_WIDTH: usize = 20;

/// Lines for an event, and how much they matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    pub lines: Vec<String>,
    pub weight: Weight,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Only with `-v`.
    Detail,
    /// A task ended well: may be folded into a count when there are very many.
    #[default]
    Done,
    /// Shown in any case but with `-q`.
    Notice,
    /// Shown always.
    Trouble,
}

impl Told {
    #[expect(clippy::unnecessary_wraps, reason = "every caller gives an option: most events say nothing")]
    fn one(weight: Weight, line: String) -> Option<Told> {
        Some(Told { lines: vec![line], weight })
    }

    /// Whether this screen wants it.
    pub fn is_wanted(&self, screen: &Screen) -> bool {
        match self.weight {
            Weight::Detail => screen.verbose > 0,
            Weight::Done | Weight::Notice => !screen.quiet,
            Weight::Trouble => true,
        }
    }
}

/// As [`tell`], if this screen wants it. What every task brings is judged before its words are put together: most of
/// it is not shown, and there may be very many.
pub fn tell_if_wanted(screen: &Screen, view: &View, plan: &Plan, event: &Event) -> Option<Told> {
    let is_routine = match &event.kind {
        EventKind::AttemptStarted { .. } | EventKind::BoxTicked { .. } => screen.verbose == 0,
        EventKind::TaskDone { .. } => screen.quiet,
        _ => false,
    };
    if is_routine { None } else { tell(screen, view, plan, event).filter(|told| told.is_wanted(screen)) }
}

/// What is told of `event`; `view` has already taken it in. Blocked tasks are gathered by [`Blocked`] instead.
pub fn tell(screen: &Screen, view: &View, plan: &Plan, event: &Event) -> Option<Told> {
    let line = Line { screen, view, plan };
    match &event.kind {
        EventKind::AttemptStarted { task, attempt, .. } => {
            Told::one(Weight::Detail, line.started(task, *attempt))
        }
        EventKind::GateFinished { task, gate, verdict, .. } => line.gate(task, gate, *verdict),
        EventKind::RetryScheduled { task, attempt, delay, .. } => {
            Told::one(Weight::Notice, line.retry(task, *attempt, *delay))
        }
        EventKind::TaskDone { task, attempts, verdict, duration } => {
            Told::one(Weight::Done, line.done(task, *attempts, *verdict, *duration))
        }
        EventKind::TaskFailed { task, attempts, .. } => {
            Some(Told { lines: line.failed(task, *attempts), weight: Weight::Trouble })
        }
        EventKind::TaskSkipped { task, why } => Told::one(Weight::Notice, line.skipped(task, *why)),
        EventKind::TaskCancelled { task } => Told::one(Weight::Detail, line.cancelled(task)),
        EventKind::BoxTicked { task, line: at } => {
            Told::one(Weight::Detail, format!("{} ticked on line {at}", safe(task.id.as_str())))
        }
        EventKind::BoxPending { task, problem } => Told::one(
            Weight::Trouble,
            line.warning(&format!("the box of {} could not be ticked: {problem}", task.id)),
        ),
        EventKind::CheckpointCreated { name, .. } => {
            Told::one(Weight::Detail, format!("checkpoint {}", safe(name)))
        }
        EventKind::WorktreeLeased { task, .. }
        | EventKind::AttemptSaved { task, .. }
        | EventKind::Integrated { task, .. }
        | EventKind::Conflicted { task, .. }
        | EventKind::ReviewNeeded { task, .. }
        | EventKind::Escaped { task, .. } => line.files(task, &event.kind),
        EventKind::Committed { branch, commit, tasks, tag } => {
            Told::one(Weight::Notice, safe(&files::committed(branch, commit, tasks, tag.as_deref())))
        }
        EventKind::RolledBack { to, saved, reopened, done, .. } => {
            Told::one(Weight::Notice, safe(&files::rolled_back(to, saved, reopened, done)))
        }
        EventKind::BudgetReached { budget, limit } => Told::one(
            Weight::Trouble,
            line.warning(&format!("{}: nothing more is started", budget_words(*budget, limit))),
        ),
        EventKind::AdmissionChanged { waits_for, text } => line.room(*waits_for, text),
        EventKind::ProviderHeld { provider, until, told, why, rule, .. } => {
            let words = providers::held(provider, *until, *told, *why);
            let words = if rule.is_empty() { words } else { format!("{words}: {rule}") };
            Told::one(Weight::Trouble, line.warning(&words))
        }
        EventKind::AgentChanged { task, from, to, why, until, used_up } => {
            let words = agents::handed_over(from, to, *why, *until, *used_up);
            Told::one(Weight::Trouble, line.warning(&format!("{}: {words}", task.id)))
        }
        EventKind::TaskParked { task, question, .. } => {
            let (id, asked) = (&task.id, agents::asked(question));
            let how = format!("`specter answer {id} \"…\"` answers it");
            Told::one(Weight::Trouble, line.warning(&format!("{id} waits for an answer: {asked}; {how}")))
        }
        EventKind::QuestionAnswered { task, answer, by, .. } => {
            let words = format!("{}: {}", task.id, agents::answered(*by, answer));
            Told::one(Weight::Notice, safe(&words))
        }
        EventKind::AttemptQuiet { task, attempt, stage, quiet } => {
            let words = agents::quiet(*attempt, *stage, *quiet);
            Told::one(Weight::Trouble, line.warning(&format!("{}: {words}", task.id)))
        }
        EventKind::ProviderOpened { provider } => {
            Told::one(Weight::Notice, format!("provider {} answers again", safe(provider)))
        }
        EventKind::HookFinished { command, extension, before, agent, failed, .. } => {
            let words = agents::hook(command, extension, *before, agent, failed.as_deref());
            match failed {
                None => Told::one(Weight::Notice, safe(&words)),
                Some(_) => Told::one(Weight::Trouble, line.warning(&words)),
            }
        }
        EventKind::Interrupted { signal, how } => Told::one(Weight::Trouble, line.interrupted(signal, *how)),
        EventKind::PlanChanged { added, removed, reopened, ticked } => {
            line.replanned([added, removed, reopened, ticked])
        }
        EventKind::Note { level, text } => line.note(*level, text),
        EventKind::AgentStep { task, step, .. } => {
            let text = format!("{} {}", safe(task.id.as_str()), safe(&agents::step(step)));
            Told::one(Weight::Detail, text)
        }
        EventKind::RunStarted { .. }
        | EventKind::RunResumed { .. }
        | EventKind::AttemptFinished { .. }
        | EventKind::TaskBlocked { .. }
        | EventKind::RunFinished { .. } => None,
    }
}

/// Appends the line of a task that ended well, for those who write lines one after the other: as [`tell`], without a
/// text of its own for each. False, with nothing written, if this screen does not want it or it is another event.
pub fn push_routine(
    out: &mut String,
    words: &mut String,
    told: (&Screen, &View, &Plan),
    event: &Event,
) -> bool {
    let (screen, view, plan) = told;
    match &event.kind {
        EventKind::TaskDone { task, attempts, verdict, duration } if !screen.quiet => {
            Line { screen, view, plan }.push_done(out, words, task, (*attempts, *verdict, *duration));
            true
        }
        _ => false,
    }
}

struct Line<'a> {
    screen: &'a Screen,
    view: &'a View,
    plan: &'a Plan,
}

impl Line<'_> {
    /// `[5/12] T005 Write user tests ✓ 15s`: what is narrow is cut first in the title, then in the words, then in
    /// the count.
    fn ended(&self, task: &TaskRef, sign: Sign, words: &str) -> String {
        let mut line = String::with_capacity(128);
        self.push_ended(&mut line, task, sign, words);
        line
    }

    fn push_ended(&self, line: &mut String, task: &TaskRef, sign: Sign, words: &str) {
        let Screen { width: columns, .. } = *self.screen;
        let ellipsis = self.screen.sign(Sign::Ellipsis);
        let counter_width = self.push_counter(line, columns / 3);
        let sign_width = width(self.screen.sign(sign));
        let id = elided(task.id.as_str(), ID_WIDTH.min(columns.saturating_sub(sign_width + 1)), ellipsis);
        let fixed = counter_width + width(&id) + 1 + sign_width;
        let words = elided(words, columns.saturating_sub(fixed + 1).min((columns / 2).max(12)), ellipsis);
        let used = fixed + if words.is_empty() { 0 } else { width(&words) + 1 };
        let title = elided(title(self.plan, task), columns.saturating_sub(used + 1), ellipsis);

        self.screen.paint(Label::Id, &*id).push_to(line);
        if !title.is_empty() {
            line.push(' ');
            line.push_str(&title);
        }
        line.push(' ');
        self.screen.mark(sign).push_to(line);
        if !words.is_empty() {
            line.push(' ');
            line.push_str(&words);
        }
    }

    /// `[5/12] ` if it takes at most so many columns; gives how many it took.
    fn push_counter(&self, line: &mut String, at_most: usize) -> usize {
        let start = line.len();
        for (before, number) in [("[", self.view.settled()), ("/", self.view.selected)] {
            line.push_str(before);
            push_number(line, number.into());
        }
        line.push_str("] ");
        if line.len() - start > at_most {
            line.truncate(start);
        }
        let taken = line.len() - start;
        if self.screen.color {
            let counter = line.split_off(start);
            self.screen.paint(Label::Dim, counter.as_str()).push_to(line);
        }
        taken
    }

    fn started(&self, task: &TaskRef, attempt: u32) -> String {
        match attempt {
            1 => self.ended(task, Sign::Running, "started"),
            n => self.ended(task, Sign::Running, &format!("attempt {n} started")),
        }
    }

    fn gate(&self, task: &TaskRef, gate: &str, verdict: GateVerdict) -> Option<Told> {
        let (sign, words, weight) = match verdict {
            GateVerdict::Passed => (Sign::Done, "passed", Weight::Detail),
            GateVerdict::Failed => (Sign::Failed, "failed", Weight::Detail),
            GateVerdict::Inconclusive => (Sign::Unclear, "could not tell", Weight::Notice),
        };
        Told::one(weight, self.ended(task, sign, &format!("gate {gate} {words}")))
    }

    fn retry(&self, task: &TaskRef, attempt: u32, delay: Duration) -> String {
        let why = self
            .view
            .failure(&task.id)
            .map(|report| format!(": {}", short_reason(report)))
            .unwrap_or_default();
        self.ended(task, Sign::Retry, &format!("attempt {attempt} in {}{why}", duration(delay)))
    }

    fn done(&self, task: &TaskRef, attempts: u32, verdict: Verdict, took: Duration) -> String {
        let mut line = String::with_capacity(128);
        self.push_done(&mut line, &mut String::new(), task, (attempts, verdict, took));
        line
    }

    /// `words` is room to put them together in.
    fn push_done(
        &self,
        line: &mut String,
        words: &mut String,
        task: &TaskRef,
        (attempts, verdict, took): (u32, Verdict, Duration),
    ) {
        words.clear();
        push_duration(words, took);
        if attempts > 1 {
            let _ = write!(words, " (attempt {attempts})");
        }
        match verdict {
            Verdict::Verified | Verdict::Unverified => {}
            other => {
                let _ = write!(words, " {}", verdict_words(other));
            }
        }
        self.push_ended(line, task, Sign::Done, words);
    }

    /// What happened on the first line, why on the second, then what it printed.
    fn failed(&self, task: &TaskRef, attempts: u32) -> Vec<String> {
        let Some(report) = self.view.failure(&task.id) else {
            return vec![self.ended(task, Sign::Failed, "failed")];
        };
        let tries = if attempts > 1 { format!(" after {attempts} attempts") } else { String::new() };
        let mut lines = vec![self.ended(task, Sign::Failed, &format!("failed{tries}"))];
        let room = self.screen.width.saturating_sub(4).max(8);
        let why = safe(&reason(report));
        lines.extend(wrap(&why, room).iter().map(|part| format!("    {part}")));
        lines.extend(tail(self.screen, &report.tail, TAIL_LINES));
        lines
    }

    /// What happened to an attempt's files; of a conflict, the places too.
    fn files(&self, task: &TaskRef, kind: &EventKind) -> Option<Told> {
        let told = files::line(kind)?;
        let words = format!("{} {}", task.id, told.text);
        if told.weight == files::Weight::Detail {
            return Told::one(Weight::Detail, safe(&words));
        }
        let mut lines = vec![self.warning(&words)];
        if let EventKind::Conflicted { conflicts, .. } = kind {
            let hunks = conflicts.iter().flat_map(|conflict| &conflict.hunks).flat_map(|hunk| hunk.lines());
            lines.extend(hunks.take(HUNK_LINES).map(|line| format!("    {}", safe(line))));
        }
        Some(Told { lines, weight: Weight::Trouble })
    }

    fn skipped(&self, task: &TaskRef, why: SkipReason) -> String {
        let sign = if why == SkipReason::Manual { Sign::Manual } else { Sign::Skipped };
        self.ended(task, sign, skip_words(why))
    }

    fn cancelled(&self, task: &TaskRef) -> String {
        self.ended(task, Sign::Skipped, "cancelled, open on resume")
    }

    fn warning(&self, words: &str) -> String {
        format!("{} {}", self.screen.paint(Label::Warning, "warning:"), safe(words))
    }

    fn interrupted(&self, signal: &str, how: Stop) -> String {
        let words = match (how, self.view.running_count()) {
            (_, 0) => "nothing is running".to_owned(),
            (Stop::Gracefully, n) => {
                format!("ending {}; once more to end at once", plural(n, "running task"))
            }
            (Stop::Now, n) => format!("killing {}", plural(n, "running task")),
        };
        self.warning(&format!("{signal}: {words}"))
    }

    fn replanned(&self, changes: [&Vec<TaskId>; 4]) -> Option<Told> {
        let words = ["added", "removed", "reopened", "ticked by hand"];
        let parts: Vec<String> = words
            .iter()
            .zip(changes)
            .filter(|(_, ids)| !ids.is_empty())
            .map(|(word, ids)| {
                format!("{word} {}", some_of(&ids.iter().map(TaskId::to_string).collect::<Vec<_>>(), 5))
            })
            .collect();
        let told = format!("{} was edited: {}", self.plan.file, parts.join("; "));
        Told::one(Weight::Notice, self.warning(&told))
    }

    fn room(&self, waits_for: Option<Scarce>, text: &str) -> Option<Told> {
        match waits_for {
            Some(scarce) => {
                let words = format!("waiting for {}: {text}", scarce.words());
                Told::one(Weight::Trouble, self.warning(&words))
            }
            None => Told::one(Weight::Notice, "the machine has room again".to_owned()),
        }
    }

    fn note(&self, level: NoteLevel, text: &str) -> Option<Told> {
        match level {
            NoteLevel::Info => Told::one(Weight::Notice, safe(text)),
            NoteLevel::Warn => Told::one(Weight::Trouble, self.warning(text)),
            NoteLevel::Error => {
                let head = self.screen.paint(Label::Failed, "error:");
                Told::one(Weight::Trouble, format!("{head} {}", safe(text)))
            }
        }
    }
}

/// How an attempt ended and why it counts as it does: `exit code 1 (transient: connection refused)`.
pub fn reason(report: &AttemptReport) -> String {
    let mut words = outcome_words(&report.outcome);
    if let Some(class) = report.class {
        let rule = report.rule.as_deref().map(|rule| format!(": {rule}")).unwrap_or_default();
        let _ = write!(words, " ({}{rule})", class.as_str());
    }
    words
}

/// `transient, exit code 1`
fn short_reason(report: &AttemptReport) -> String {
    let class = report.class.map(|class| format!("{}, ", class.as_str())).unwrap_or_default();
    format!("{class}{}", outcome_words(&report.outcome))
}

/// The last `most` lines of output, each behind a bar, safe and cut to the width.
pub fn tail(screen: &Screen, output: &str, most: usize) -> Vec<String> {
    let kept: Vec<String> = output.lines().map(output_line).filter(|line| !line.is_empty()).collect();
    let bar = screen.paint(Label::Dim, screen.sign(Sign::Bar));
    let room = screen.width.saturating_sub(6);
    kept[kept.len().saturating_sub(most)..]
        .iter()
        .map(|line| format!("    {bar} {}", elide(line, room, screen.sign(Sign::Ellipsis))))
        .collect()
}

/// The facts of an attempt's end in words.
pub fn outcome_words(outcome: &AttemptOutcome) -> String {
    match outcome {
        AttemptOutcome::Success => "success".to_owned(),
        AttemptOutcome::ExitCode(code) => format!("exit code {code}"),
        AttemptOutcome::Signalled(signal) => format!("ended by signal {signal}{}", signal_name(*signal)),
        AttemptOutcome::TimedOut(millis) => {
            format!("timed out after {}", duration(Duration::from_millis(*millis)))
        }
        AttemptOutcome::StartFailed(why) => format!("could not be started: {why}"),
        AttemptOutcome::Cancelled => "cancelled".to_owned(),
        AttemptOutcome::NotIntegrated => "not integrated".to_owned(),
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => " (HUP)",
        2 => " (INT)",
        6 => " (ABRT)",
        9 => " (KILL)",
        11 => " (SEGV)",
        13 => " (PIPE)",
        15 => " (TERM)",
        _ => "",
    }
}

pub fn verdict_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Verified => "verified",
        Verdict::Unverified => "unverified",
        Verdict::NoChange => "changed nothing",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Regressed => "regressed",
        Verdict::Escaped => "escaped its workspace",
    }
}

pub fn skip_words(why: SkipReason) -> &'static str {
    match why {
        SkipReason::Manual => "waits for a person",
        SkipReason::Optional => "skipped: optional",
        SkipReason::Dropped => "skipped: its text says so",
        SkipReason::Unclear => "skipped: its mark is unclear",
        SkipReason::Removed => "skipped: removed from the file",
    }
}

/// `the limit of 50 attempts is reached`
pub fn budget_words(budget: BudgetKind, limit: &str) -> String {
    match budget {
        BudgetKind::Dispatches => format!("the limit of {limit} attempts is reached"),
        BudgetKind::Time => format!("the time budget of {limit} is used up"),
        BudgetKind::Cost => format!("the cost budget of {limit} is used up"),
        BudgetKind::Tokens => format!("the budget of {limit} tokens is used up"),
        BudgetKind::Disk => format!("the disk has too little room: {limit}"),
        BudgetKind::Provider => limit.to_owned(),
    }
}

/// Gathers blocked tasks, so that one failure that blocks a thousand tasks is one line.
#[derive(Clone, Debug, Default)]
pub struct Blocked {
    by: Option<TaskId>,
    /// What they wait for is for a person.
    is_manual: bool,
    ids: Vec<String>,
    count: usize,
}

/// Ids of blocked tasks that are named in a line.
const BLOCKED_NAMED: usize = 5;

impl Blocked {
    /// Nothing was gathered.
    pub fn is_empty(&self) -> bool {
        self.by.is_none()
    }

    /// Takes in a blocked task; gives the line of those before it if they were blocked by another.
    pub fn add(&mut self, screen: &Screen, plan: &Plan, task: &TaskRef, by: &TaskRef) -> Option<String> {
        let line = if self.by.as_ref() == Some(&by.id) { None } else { self.take(screen) };
        self.by = Some(by.id.clone());
        self.is_manual = is_manual(plan, by);
        self.count += 1;
        if self.ids.len() <= BLOCKED_NAMED {
            self.ids.push(task.id.to_string());
        }
        line
    }

    /// The line of what was gathered, if anything.
    pub fn take(&mut self, screen: &Screen) -> Option<String> {
        let by = self.by.take()?;
        let (ids, count) = (std::mem::take(&mut self.ids), std::mem::take(&mut self.count));
        let named = if count <= BLOCKED_NAMED + 1 {
            some_of(&ids, BLOCKED_NAMED)
        } else {
            let more = super::text::thousands((count - BLOCKED_NAMED) as u64);
            format!("{} and {more} more", ids[..BLOCKED_NAMED].join(", "))
        };
        let tail = match (self.is_manual, count) {
            (false, _) => format!("blocked by {by}"),
            (true, 1) => format!("waits for {by}, which is for a person"),
            (true, _) => format!("wait for {by}, which is for a person"),
        };
        let sign = screen.mark(Sign::Blocked);
        let tail = safe(&tail);
        let used = 4 + width(&tail) + width(screen.sign(Sign::Blocked));
        let named = if used + width(&safe(&named)) <= screen.width { named } else { plural(count, "task") };
        Some(format!("  {sign} {} {tail}", safe(&named)))
    }
}

fn is_manual(plan: &Plan, task: &TaskRef) -> bool {
    let planned = plan.planned.get(task.ix.ix());
    planned.is_some_and(|planned| planned.role == Role::LeftOut(LeftOut::Manual))
}
