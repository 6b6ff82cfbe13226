//! The end of a run in words: what was done, how long it took, what failed and why, what to do next.
//!
//! All figures are those of `crate::summary`; nothing is worked out here.

use super::lines::{outcome_words, tail};
use super::sheet::Sheet;
use super::text::{duration, elide, plural, some_of, thousands, width};
use super::theme::{Label, Screen, Sign};
use crate::event::{Counts, RunOutcome, agents};
use crate::plan::Plan;
use crate::summary::{Detail, PhaseFigures, RemarkKind, Row, Stopped, Summary, TaskState};
use crate::task::TaskIx;
use crate::text::safe;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Failed tasks told in full; further ones by id.
const MAX_FAILED: usize = 20;
/// Lines of output shown of a failed task.
const TAIL_LINES: usize = 12;
/// Phases shown one by one.
const MAX_PHASES: usize = 30;
/// The widest a phase's name is shown.
const MAX_NAME: usize = 48;
/// Ids named in one list.
const MAX_IDS: usize = 12;

/// What may have gone wrong with a task and what may help.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    pub causes: Vec<String>,
    pub fixes: Vec<String>,
}

/// Everything the end summary tells.
pub struct Ending<'a> {
    pub plan: &'a Plan,
    pub summary: &'a Summary,
    /// For failed tasks.
    pub advice: &'a dyn Fn(TaskIx) -> Advice,
    /// Directory of the run, to find logs in: `.specter/runs/<run>`.
    pub run_dir: &'a str,
    /// Files written, relative to the project.
    pub state_files: &'a [String],
    /// The one command that goes on with this run.
    pub resume: &'a str,
    /// The task file as to be typed, for commands.
    pub target: &'a str,
}

/// The whole summary, ending in a line end.
pub fn summary(screen: &Screen, ending: &Ending<'_>) -> String {
    let mut sheet = Sheet::new(screen);
    let counts = ending.summary.counts();
    headline(&mut sheet, ending, counts);
    if !screen.quiet {
        figures(&mut sheet, ending, counts);
        phases(&mut sheet, ending);
        recovery(&mut sheet, ending);
    }
    failed(&mut sheet, ending);
    blocked(&mut sheet, ending);
    parked(&mut sheet, ending);
    if !screen.quiet {
        waiting(&mut sheet, ending);
        remarks(&mut sheet, ending);
        files(&mut sheet, ending);
    }
    next_steps(&mut sheet, ending, counts);
    sheet.done()
}

// ── headline ─────────────────────────────────────────────────────────────────────────────────────────────────────

fn headline(sheet: &mut Sheet<'_>, ending: &Ending<'_>, counts: Counts) {
    let screen = sheet.screen();
    let resumed = if ending.summary.is_resumed() { " (resumed)" } else { "" };
    let (sign, label, words) = match ending.summary.outcome() {
        Some(RunOutcome::AllDone) if counts.selected == 0 => (Some(Sign::Done), Label::Done, nothing(counts)),
        Some(RunOutcome::AllDone) => {
            (Some(Sign::Done), Label::Done, format!("Implementation complete{resumed}"))
        }
        Some(RunOutcome::SomeFailed) if counts.done == 0 => {
            (Some(Sign::Failed), Label::Failed, format!("Implementation failed{resumed}"))
        }
        Some(RunOutcome::SomeFailed) => {
            (Some(Sign::Failed), Label::Failed, format!("Implementation partially complete{resumed}"))
        }
        Some(RunOutcome::Interrupted { signal }) => {
            (None, Label::Warning, format!("Implementation interrupted by {}{resumed}", by(ending, signal)))
        }
        Some(RunOutcome::Stopped) => {
            (None, Label::Warning, format!("Implementation stopped: {}{resumed}", budget(ending)))
        }
        None => (None, Label::Warning, format!("Implementation not finished{resumed}")),
    };
    let words = elide(&words, sheet.room(5), screen.sign(Sign::Ellipsis));
    match sign {
        Some(sign) => sheet.line(format!(
            "{} {}",
            screen.paint(Label::Heading, words),
            screen.paint(label, screen.sign(sign))
        )),
        None => sheet.line(screen.paint(label, words)),
    }
}

fn nothing(counts: Counts) -> String {
    match counts.done_before {
        0 => "Nothing to do: no task is open in this selection".to_owned(),
        n => format!("Nothing to do: {} done before", plural(n as usize, "task")),
    }
}

fn by(ending: &Ending<'_>, signal: i32) -> String {
    match &ending.summary.stopped {
        Some(Stopped::Signal(name)) => safe(name),
        _ => format!("signal {signal}"),
    }
}

fn budget(ending: &Ending<'_>) -> String {
    match &ending.summary.stopped {
        Some(Stopped::Budget { budget, limit }) => super::lines::budget_words(*budget, &safe(limit)),
        _ if ending.summary.counts().parked > 0 => "questions wait for an answer".to_owned(),
        _ => "a limit was reached".to_owned(),
    }
}

// ── figures ──────────────────────────────────────────────────────────────────────────────────────────────────────

fn figures(sheet: &mut Sheet<'_>, ending: &Ending<'_>, counts: Counts) {
    if counts.selected == 0 {
        return;
    }
    let numbers = ending.summary.numbers();
    sheet.section("Summary");
    sheet.row("tasks", &tasks(counts));
    sheet.row("duration", &ms(numbers.duration_ms));
    if numbers.saved_ms > 0 {
        sheet.row("sequential equivalent", &ms(numbers.sequential_ms));
        let shorter =
            numbers.shorter_by.map(|share| format!(" ({} shorter)", percent(share))).unwrap_or_default();
        sheet.row("time saved", &format!("{}{shorter}", ms(numbers.saved_ms)));
    }
    if let Some(efficiency) = numbers.efficiency.filter(|_| numbers.saved_ms > 0) {
        let beside = plural(numbers.parallel_tasks as usize, "task");
        sheet.row(
            "parallel efficiency",
            &format!("{} ({beside} side by side, {} at once)", percent(efficiency), numbers.peak),
        );
    }
    if let Some(average) = numbers.average_ms {
        let rate =
            numbers.tasks_per_minute.map(|rate| format!(" ({rate:.1} tasks a minute)")).unwrap_or_default();
        sheet.row("average task", &format!("{}{rate}", ms(average.round() as u64)));
    }
    if counts.done > 1 {
        extreme(sheet, ending, "longest task", numbers.longest);
        extreme(sheet, ending, "shortest task", numbers.shortest);
    }
    if numbers.retries > 0 {
        sheet.row("retries", &thousands(numbers.retries.into()));
    }
    if let Some(spent) = ending.summary.spent() {
        sheet.row("agents", &agents::spent(&spent));
    }
    if let Some(tests) = ending.summary.tests {
        let coverage = tests.coverage.map(|share| format!(", {share:.0}% coverage")).unwrap_or_default();
        sheet.row("tests", &format!("{} passing, {} failing{coverage}", tests.passed, tests.failed));
    }
}

/// `8 of 10 done, 1 failed, 1 blocked`
fn tasks(counts: Counts) -> String {
    let others = [
        (counts.failed, "failed"),
        (counts.blocked, "blocked"),
        (counts.skipped, "skipped"),
        (counts.cancelled, "cancelled"),
        (counts.open, "open"),
        (counts.parked, "waiting for an answer"),
        (counts.manual, "for a person"),
        (counts.done_before, "done before"),
    ];
    let mut words =
        format!("{} of {} done", thousands(counts.done.into()), thousands(counts.selected.into()));
    for (n, what) in others.into_iter().filter(|(n, _)| *n > 0) {
        let _ = write!(words, ", {} {what}", thousands(n.into()));
    }
    words
}

fn extreme(sheet: &mut Sheet<'_>, ending: &Ending<'_>, label: &str, task: Option<(TaskIx, u64)>) {
    if let Some((task, took)) = task {
        let took = ms(took);
        let id = ending.summary.id(task);
        let room = sheet.room(31 + width(&took) + width(id.as_str())).max(12);
        let title = elide(title(ending, task), room, sheet.screen().sign(Sign::Ellipsis));
        sheet.row(label, format!("{took} ({id} {title})").trim_end());
    }
}

fn phases(sheet: &mut Sheet<'_>, ending: &Ending<'_>) {
    let phases = ending.summary.phases(ending.plan);
    if phases.len() < 2 {
        return;
    }
    sheet.section("Phases");
    let name = |figures: &PhaseFigures| {
        let phase = figures.phase.and_then(|phase| ending.plan.phases.get(phase.0 as usize));
        safe(phase.map_or("no heading", |phase| phase.title.as_str()))
    };
    let column = phases.iter().map(|figures| width(&name(figures))).max().unwrap_or(0).min(MAX_NAME);
    for figures in phases.iter().take(MAX_PHASES) {
        let mut words = format!("{}/{} in {}", figures.done, figures.tasks, ms(figures.worked_ms));
        for (n, what) in [(figures.failed, "failed"), (figures.blocked, "blocked")] {
            if n > 0 {
                let _ = write!(words, ", {n} {what}");
            }
        }
        sheet.pair(&name(figures), &words, column);
    }
    if phases.len() > MAX_PHASES {
        sheet.words("  ", &format!("and {} more", phases.len() - MAX_PHASES));
    }
}

fn recovery(sheet: &mut Sheet<'_>, ending: &Ending<'_>) {
    let Some(recovery) = ending.summary.recovery() else { return };
    sheet.section("Recovery");
    sheet.row("previously done", &plural(recovery.previously_done as usize, "task"));
    sheet.row("done in this session", &plural(recovery.resumed as usize, "task"));
    let sessions = plural(recovery.sessions as usize, "session");
    let total = ms(ending.summary.duration_ms());
    sheet.row("duration", &format!("{} in this session, {total} in {sessions}", ms(recovery.session_ms)));
    let ids = |tasks: &[TaskIx]| some_ids(ending, tasks);
    if !recovery.failed_now_done.is_empty() {
        sheet.row("failed before, done now", &ids(&recovery.failed_now_done));
    }
    if !recovery.failed_still.is_empty() {
        sheet.row("failed before, not done", &ids(&recovery.failed_still));
    }
    if !recovery.cut_off.is_empty() {
        sheet.row("cut off, run again", &ids(&recovery.cut_off));
    }
    if let Some(checkpoint) = &ending.summary.last_checkpoint {
        sheet.row("checkpoint", &checkpoint.name);
    }
}

// ── what went wrong ──────────────────────────────────────────────────────────────────────────────────────────────

fn failed(sheet: &mut Sheet<'_>, ending: &Ending<'_>) {
    let failed: Vec<(TaskIx, &Row)> = ending.summary.in_state(TaskState::Failed).collect();
    if failed.is_empty() {
        return;
    }
    sheet.section(if failed.len() == 1 { "Failed task" } else { "Failed tasks" });
    for (task, row) in failed.iter().take(MAX_FAILED) {
        one_failed(sheet, ending, *task, row);
    }
    if failed.len() > MAX_FAILED {
        let rest: Vec<TaskIx> = failed[MAX_FAILED..].iter().map(|(task, _)| *task).collect();
        sheet.words("  ", &format!("and {} more: {}", rest.len(), some_ids(ending, &rest)));
    }
}

fn one_failed(sheet: &mut Sheet<'_>, ending: &Ending<'_>, task: TaskIx, row: &Row) {
    let screen = sheet.screen();
    let indent = format!("  {} ", screen.sign(Sign::Failed));
    sheet.marked_task(&indent, Label::Failed, ending.summary.id(task).as_str(), title(ending, task), "");
    let none = Detail::default();
    let detail = row.detail.as_deref().unwrap_or(&none);
    if let Some(class) = row.class {
        let rule = detail.rule.as_deref().map(|rule| format!(": {rule}")).unwrap_or_default();
        sheet.words("    ", &format!("class {}{rule}", class.as_str()));
    }
    sheet.words("    ", &attempts(row, detail));
    for line in tail(screen, &detail.tail, TAIL_LINES) {
        sheet.line(line);
    }
    if !detail.log.is_empty() {
        sheet.path("    log ", &format!("{}/{}", ending.run_dir, detail.log));
    }
    let advice = (ending.advice)(task);
    let bullet = format!("      {} ", screen.sign(Sign::Bullet));
    if !advice.causes.is_empty() {
        sheet.line("    possible causes");
        advice.causes.iter().for_each(|cause| sheet.words(&bullet, cause));
    }
    if !advice.fixes.is_empty() {
        sheet.line("    suggested fixes");
        for (n, fix) in advice.fixes.iter().enumerate() {
            sheet.words(&format!("      {}. ", n + 1), fix);
        }
    }
}

/// `3 attempts: exit code 1 after 30s in the run block on line 40`
fn attempts(row: &Row, detail: &Detail) -> String {
    let count = plural(row.attempts as usize, "attempt");
    let Some(last) = detail.attempts.last() else { return count };
    let block = last.block.map(|block| {
        let kind = match block.kind {
            crate::task::BlockKind::Run => "run",
            crate::task::BlockKind::Fallback => "fallback",
            crate::task::BlockKind::Verify => "verify",
        };
        format!(" in its {kind} block on line {}", block.line)
    });
    let which = if row.attempts > 1 { "the last one: " } else { "" };
    format!(
        "{count}, {which}{} after {}{}",
        outcome_words(&last.outcome),
        ms(last.duration_ms),
        block.unwrap_or_default()
    )
}

/// By whom, and through whom: one line per blocked task, or per root when there are many.
fn blocked(sheet: &mut Sheet<'_>, ending: &Ending<'_>) {
    let mut by_root: BTreeMap<Option<TaskIx>, Vec<TaskIx>> = BTreeMap::new();
    for (task, row) in ending.summary.in_state(TaskState::Blocked) {
        by_root.entry(row.blocked_by()).or_default().push(task);
    }
    if by_root.is_empty() {
        return;
    }
    let count: usize = by_root.values().map(Vec::len).sum();
    sheet.section(if count == 1 { "Blocked task" } else { "Blocked tasks" });
    let sign = sheet.screen().sign(Sign::Blocked);
    for (root, tasks) in &by_root {
        let by = root.map_or_else(|| "another task".to_owned(), |root| root_words(ending, root));
        if count <= MAX_FAILED {
            for task in tasks {
                let id = ending.summary.id(*task);
                sheet.marked_task(
                    &format!("  {sign} "),
                    Label::Warning,
                    id.as_str(),
                    title(ending, *task),
                    &format!("({by})"),
                );
            }
        } else {
            sheet.words(
                &format!("  {sign} "),
                &format!("{} ({by}): {}", plural(tasks.len(), "task"), some_ids(ending, tasks)),
            );
        }
    }
}

fn root_words(ending: &Ending<'_>, root: TaskIx) -> String {
    let id = ending.summary.id(root);
    match ending.summary.row(root).state {
        TaskState::Manual => format!("waits for {id}, which is for a person"),
        _ => format!("blocked by {id}"),
    }
}

/// What agents ask: nothing else is in the way of their tasks.
fn parked(sheet: &mut Sheet<'_>, ending: &Ending<'_>) {
    let parked: Vec<TaskIx> = ending.summary.in_state(TaskState::Parked).map(|(task, _)| task).collect();
    if parked.is_empty() {
        return;
    }
    sheet.section("Waiting for your answer");
    let sign = sheet.screen().sign(Sign::Manual);
    for task in parked.iter().take(MAX_FAILED) {
        let id = ending.summary.id(*task).as_str();
        sheet.marked_task(&format!("  {sign} "), Label::Warning, id, title(ending, *task), "");
        if let Some(question) = ending.summary.question(*task) {
            super::status::question(sheet, "      ", id, question);
        }
    }
    if parked.len() > MAX_FAILED {
        sheet.words("  ", &format!("and {} more: `specter answer` lists them", parked.len() - MAX_FAILED));
    }
}

fn waiting(sheet: &mut Sheet<'_>, ending: &Ending<'_>) {
    let manual: Vec<TaskIx> = ending.summary.in_state(TaskState::Manual).map(|(task, _)| task).collect();
    if manual.is_empty() {
        return;
    }
    sheet.section("Waiting for a person");
    let sign = sheet.screen().sign(Sign::Manual);
    for task in manual.iter().take(MAX_FAILED) {
        sheet.marked_task(
            &format!("  {sign} "),
            Label::Warning,
            ending.summary.id(*task).as_str(),
            title(ending, *task),
            "",
        );
    }
    if manual.len() > MAX_FAILED {
        sheet.words("  ", &format!("and {} more", manual.len() - MAX_FAILED));
    }
}

/// Departures from the plan that a reader of the result should know.
fn remarks(sheet: &mut Sheet<'_>, ending: &Ending<'_>) {
    let told: Vec<String> =
        ending.summary.remarks.iter().filter_map(|remark| remark_words(&remark.kind)).collect();
    if told.is_empty() {
        return;
    }
    sheet.section("Notes");
    let bullet = format!("  {} ", sheet.screen().sign(Sign::Bullet));
    told.iter().take(MAX_FAILED).for_each(|words| sheet.words(&bullet, words));
    let more = told.len().saturating_sub(MAX_FAILED) + ending.summary.remarks_dropped as usize;
    if more > 0 {
        sheet.words(&bullet, &format!("and {} more", thousands(more as u64)));
    }
}

fn remark_words(remark: &RemarkKind) -> Option<String> {
    match remark {
        RemarkKind::ByFallback(task) => Some(format!("{task} was done by its fallback, not by its own work")),
        RemarkKind::BoxPending { task, problem } => Some(format!(
            "the box of {task} is not ticked yet: {problem}; it is tried again at the next start"
        )),
        RemarkKind::PlanChanged { .. } => Some("the task file was edited while the run went on".to_owned()),
        RemarkKind::Note { text, .. } => Some(text.clone()),
        RemarkKind::Stopped(_) => None,
    }
}

// ── what is left ─────────────────────────────────────────────────────────────────────────────────────────────────

fn files(sheet: &mut Sheet<'_>, ending: &Ending<'_>) {
    if ending.state_files.is_empty() {
        return;
    }
    sheet.section("State written");
    ending.state_files.iter().for_each(|file| sheet.path("  ", file));
}

fn next_steps(sheet: &mut Sheet<'_>, ending: &Ending<'_>, counts: Counts) {
    let is_finished = counts.failed + counts.blocked + counts.cancelled + counts.open + counts.parked == 0;
    if is_finished && (sheet.screen().quiet || counts.manual == 0) {
        return;
    }
    sheet.section("Next steps");
    let mut step = 0;
    let mut lead = || {
        step += 1;
        format!("  {step}. ")
    };
    let failed: Vec<TaskIx> = ending.summary.in_state(TaskState::Failed).map(|(task, _)| task).collect();
    if !failed.is_empty() {
        sheet.words(&lead(), &format!("fix what made {} fail", some_ids(ending, &failed)));
    }
    let manual: Vec<TaskIx> = ending.summary.in_state(TaskState::Manual).map(|(task, _)| task).collect();
    if !manual.is_empty() {
        sheet.words(&lead(), &format!("do {} and tick the box by hand", some_ids(ending, &manual)));
    }
    let parked: Vec<TaskIx> = ending.summary.in_state(TaskState::Parked).map(|(task, _)| task).collect();
    for task in parked.iter().take(MAX_IDS) {
        let command = format!("specter answer {} \"…\"", ending.summary.id(*task));
        sheet.command(&format!("{}answer: ", lead()), &command);
    }
    if !is_finished {
        sheet.command(&format!("{}go on with: ", lead()), ending.resume);
    }
    if let Some(first) = failed.first() {
        let command = format!("specter why {} {}", ending.summary.id(*first), ending.target);
        sheet.command(&format!("{}ask for more: ", lead()), command.trim_end());
    }
}

fn title<'a>(ending: &'a Ending<'_>, task: TaskIx) -> &'a str {
    ending.plan.tasks.get(task.ix()).map_or("", |task| task.title.as_str())
}

fn some_ids(ending: &Ending<'_>, tasks: &[TaskIx]) -> String {
    let named = tasks.iter().take(MAX_IDS + 2).map(|task| ending.summary.id(*task).to_string());
    let ids: Vec<String> = named.collect();
    match tasks.len() {
        n if n > ids.len() => {
            format!("{} and {} more", ids[..MAX_IDS].join(", "), thousands((n - MAX_IDS) as u64))
        }
        _ => some_of(&ids, MAX_IDS),
    }
}

fn ms(millis: u64) -> String {
    duration(Duration::from_millis(millis))
}

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}
