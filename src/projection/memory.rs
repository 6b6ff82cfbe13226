//! `.specter-memory/`: what was done, what is left, how far each feature is, what departed from the plan.
//!
//! Meant to be committed and to be written in by people: specter owns only the text between its own marker lines,
//! one section per key, and puts a new section after what is there.

use super::markdown::inline;
use super::time::{Stamps, duration, percent, rfc3339, write_duration};
use super::{ids_in, log::verdict_word, progress, still_open, stopped_words, write_ids, write_task};
use crate::event::NoteLevel;
use crate::plan::Plan;
use crate::summary::{Remark, RemarkKind, Row, Summary, TaskState};
use crate::task::{TaskId, TaskIx};
use crate::text::count;
use std::borrow::Cow;
use std::fmt::Write as _;

const BEGIN: &str = "<!-- specter:begin ";
const END: &str = "<!-- specter:end ";
const CLOSE: &str = " -->";
/// Key of the section with the totals over all features; no feature's key has a leading `=`.
const TOTALS: &str = "=totals";
/// Starts the line in a feature's progress from which the totals are added up.
const FIGURES: &str = "<!-- specter:figures ";

/// What the line of a done task mostly has room in.
const LINE: usize = 128;
/// Lines of one piece.
const LINES: usize = 256;

/// `existing` with the section of `key` replaced by `section`, or added at the end. Every byte outside it stays.
/// Without an existing file, `title` becomes its heading.
pub fn merge(existing: Option<&str>, title: &str, key: &str, section: &str) -> String {
    let frame = Frame::new(existing, title, key);
    let body = section.trim_end_matches('\n');
    [&*frame.before, &frame.begin, body, "\n", &frame.end, frame.after].concat()
}

/// What stands around a section's text, its markers included.
pub struct Frame<'a> {
    pub before: Cow<'a, str>,
    pub begin: String,
    pub end: String,
    pub after: &'a str,
}

impl<'a> Frame<'a> {
    /// As [`merge`] puts it.
    pub fn new(existing: Option<&'a str>, title: &str, key: &str) -> Frame<'a> {
        let key = marker_key(key);
        let (mut begin, end) = (format!("{BEGIN}{key}{CLOSE}\n"), format!("{END}{key}{CLOSE}\n"));
        let Some(existing) = existing else {
            return Frame { before: format!("# {title}\n\n").into(), begin, end, after: "" };
        };
        if let Some((from, to)) = section_at(existing, &key) {
            return Frame { before: existing[..from].into(), begin, end, after: &existing[to..] };
        }
        let gap = match () {
            () if existing.is_empty() || existing.ends_with("\n\n") => "",
            () if existing.ends_with('\n') => "\n",
            () => "\n\n",
        };
        begin.insert_str(0, gap);
        Frame { before: existing.into(), begin, end, after: "" }
    }
}

/// As [`merge`], then the totals over all features' sections.
pub fn merge_progress(existing: Option<&str>, key: &str, section: &str) -> String {
    let merged = merge(existing, "Workflow progress", key, section);
    let totals = totals(&merged);
    merge(Some(&merged), "", TOTALS, &totals)
}

/// Bytes of a section, markers included: from its begin line to its end line. A begin without an end reaches only
/// over itself, so that a marker someone deleted by hand costs no text.
fn section_at(text: &str, key: &str) -> Option<(usize, usize)> {
    let (begin, end) = (format!("{BEGIN}{key}{CLOSE}"), format!("{END}{key}{CLOSE}"));
    let mut start = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let next = at + line.len();
        let bare = line.trim_end();
        if bare == begin && start.is_none() {
            start = Some((at, next));
        } else if bare == end
            && let Some((start, _)) = start
        {
            return Some((start, next));
        }
        at = next;
    }
    start
}

/// The key as it stands in a marker: nothing in it can end the comment, and different keys stay different.
fn marker_key(key: &str) -> String {
    let mut out = String::new();
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'.' | b'/' | b'@' | b'=')
            || (byte == b'-' && !out.ends_with('-'))
        {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02x}");
        }
    }
    out
}

/// `001-auth`, or `001-auth@<run>` for what each run adds.
pub fn key(summary: &Summary) -> String {
    super::feature(&summary.info.file).trim_start_matches('=').to_owned()
}

pub fn run_key(summary: &Summary) -> String {
    format!("{}@{}", key(summary), summary.info.run)
}

fn heading(out: &mut String, summary: &Summary, what: &str) {
    let _ = writeln!(out, "## {}{what}\n", inline(super::feature(&summary.info.file)));
}

/// What this run completed; None if nothing. Each run has a section of its own: the file is a record.
pub fn completed(plan: &Plan, summary: &Summary) -> Option<String> {
    let mut pieces = Completed::new(plan, summary)?;
    let mut text = String::with_capacity(summary.tally(TaskState::Done) as usize * LINE);
    while pieces.next(&mut text) {}
    Some(text)
}

/// As [`completed`], one piece after the other, so that it need not be held whole. It ends with its only last line end.
pub struct Completed<'a> {
    plan: &'a Plan,
    summary: &'a Summary,
    done: Box<dyn Iterator<Item = (TaskIx, &'a Row)> + 'a>,
    stamps: Stamps,
    is_begun: bool,
}

impl<'a> Completed<'a> {
    /// None if there is nothing.
    pub fn new(plan: &'a Plan, summary: &'a Summary) -> Option<Completed<'a>> {
        if summary.tally(TaskState::Done) == 0 {
            return None;
        }
        let done = Box::new(summary.in_state(TaskState::Done));
        Some(Completed { plan, summary, done, stamps: Stamps::default(), is_begun: false })
    }

    /// Puts the next piece behind `text`; false if there was none.
    pub fn next(&mut self, text: &mut String) -> bool {
        if !std::mem::replace(&mut self.is_begun, true) {
            let started = self.summary.sessions.first().map_or(0, |session| session.started);
            heading(text, self.summary, &format!(": run of {}", rfc3339(started)));
        }
        let mut lines = 0;
        for (task, row) in self.done.by_ref().take(LINES) {
            write_completed(text, self.plan, self.summary, (task, row), &mut self.stamps);
            lines += 1;
        }
        lines > 0
    }
}

fn write_completed(
    out: &mut String,
    plan: &Plan,
    summary: &Summary,
    (task, row): (TaskIx, &Row),
    stamps: &mut Stamps,
) {
    write_task(out, plan, summary, task, "- [x] ");
    out.push_str(" (");
    if let Some(stamp) = row.ended() {
        stamps.write(summary.wall_of(stamp), out);
        out.push_str(", ");
    }
    write_duration(row.busy_ms(), out);
    out.push_str(", ");
    out.push_str(row.verdict.map_or("believed", verdict_word));
    if row.attempts > 1 {
        let _ = write!(out, ", {} attempts", row.attempts);
    }
    out.push_str(")\n");
}

/// What is still to be done, and what keeps it.
pub fn planned(plan: &Plan, summary: &Summary) -> String {
    let mut out = String::new();
    heading(&mut out, summary, "");
    let open = still_open(summary);
    let manual = ids_in(summary, TaskState::Manual);
    if open.is_empty() && manual.is_empty() {
        out.push_str("Nothing is left of what was selected.\n");
    }
    for task in open.into_iter().chain(manual) {
        let row = summary.row(task);
        write_task(&mut out, plan, summary, task, "- [ ] ");
        let _ = match (row.state, row.blocked_by()) {
            (TaskState::Blocked, Some(by)) => {
                write!(out, " (blocked by {})", inline(summary.id(by).as_str()))
            }
            (TaskState::Failed, _) => {
                write!(out, " (failed: {})", row.class.map_or("unknown", crate::event::FailureClass::as_str))
            }
            (TaskState::Manual, _) => write!(out, " (for a person)"),
            (TaskState::Skipped, _) => write!(out, " (skipped)"),
            _ => Ok(()),
        };
        out.push('\n');
    }
    let left_out = summary.tally(TaskState::LeftOut);
    if left_out > 0 {
        let _ = writeln!(out, "\n{} not selected in this run.", count(left_out, "task"));
    }
    out
}

/// How far the feature is.
pub fn workflow(plan: &Plan, summary: &Summary) -> String {
    let counts = summary.counts();
    let numbers = summary.numbers();
    let mut out = String::new();
    heading(&mut out, summary, "");
    let _ = writeln!(out, "| | |\n| --- | --- |");
    let time = |ms: u64| duration(ms);
    let rows = [
        ("Progress", Some(progress(summary))),
        ("Done before the run", Some(counts.done_before.to_string())),
        ("Failed", Some(counts.failed.to_string())),
        ("Blocked", Some(counts.blocked.to_string())),
        ("Waiting for a person", Some(counts.manual.to_string())),
        (
            "Duration",
            Some(format!(
                "{} in {}",
                time(numbers.duration_ms),
                count(summary.sessions.len() as u64, "session")
            )),
        ),
        ("Sequential equivalent", Some(time(numbers.sequential_ms))),
        ("Time saved", Some(time(numbers.saved_ms))),
        ("Parallel efficiency", numbers.efficiency.map(percent)),
        ("Average task", numbers.average_ms.map(|ms| time(ms.round() as u64))),
        ("Retries", Some(numbers.retries.to_string())),
        ("Last run", Some(inline(&summary.info.run))),
        ("Updated", Some(rfc3339(summary.wall()))),
    ];
    for (name, value) in rows.iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value))) {
        let _ = writeln!(out, "| {name} | {value} |");
    }
    out.push('\n');
    let done = counts.done + summary.tally(TaskState::DoneBefore);
    let total = plan.planned.len() as u32 - summary.tally(TaskState::Group);
    let _ = writeln!(out, "{FIGURES}done={done} total={total} ms={}{CLOSE}", numbers.duration_ms);
    out
}

/// Sums over the figures lines of all sections.
fn totals(text: &str) -> String {
    let (mut features, mut done, mut total, mut ms) = (0u32, 0u64, 0u64, 0u64);
    for line in text.lines().filter_map(|line| line.strip_prefix(FIGURES)?.strip_suffix(CLOSE)) {
        let figure = |name: &str| -> u64 {
            let mut words = line.split(' ').filter_map(|word| word.split_once('='));
            words.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
        };
        features += 1;
        done += figure("done");
        total += figure("total");
        ms = ms.saturating_add(figure("ms"));
    }
    format!(
        "## All features\n\n{}: {done}/{} done, {} in their last runs.\n",
        count(features, "feature"),
        count(total, "task"),
        duration(ms)
    )
}

/// Where the run departed from the plan as given; None if it did not.
pub fn decisions(summary: &Summary) -> Option<String> {
    let lines: Vec<String> = summary.remarks.iter().filter_map(decision).collect();
    if lines.is_empty() {
        return None;
    }
    let mut out = String::new();
    heading(&mut out, summary, &format!(": run {}", inline(&summary.info.run)));
    out.push_str(&lines.concat());
    if summary.remarks_dropped > 0 {
        let _ = writeln!(out, "- … and {} more", summary.remarks_dropped);
    }
    Some(out)
}

fn decision(remark: &Remark) -> Option<String> {
    let at = rfc3339(remark.at);
    let what = match &remark.kind {
        RemarkKind::PlanChanged { added, removed, reopened, ticked } => changes([
            ("added", added),
            ("removed", removed),
            ("reopened", reopened),
            ("ticked by hand", ticked),
        ]),
        RemarkKind::ByFallback(task) => format!("{} was done by its fallback", inline(task.as_str())),
        RemarkKind::BoxPending { task, problem } => {
            format!("{} is done, but its box could not be ticked: {}", inline(task.as_str()), inline(problem))
        }
        RemarkKind::Stopped(stopped) => inline(&stopped_words(stopped)),
        RemarkKind::Note { level: NoteLevel::Info, .. } => return None,
        RemarkKind::Note { text, .. } => inline(text),
    };
    Some(format!("- {at} {what}\n"))
}

fn changes(changes: [(&str, &Vec<TaskId>); 4]) -> String {
    let mut text = String::from("the task file was edited");
    for (what, ids) in changes.into_iter().filter(|(_, ids)| !ids.is_empty()) {
        let _ = write!(text, "; {what}: ");
        write_ids(&mut text, ids.iter().map(TaskId::as_str));
    }
    inline(&text)
}
