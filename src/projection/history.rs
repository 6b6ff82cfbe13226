//! `.specter/history.ndjson`: how long tasks took, for the estimates of later plans, and what they were seen to write,
//! for the order of later plans.
//!
//! One line per settled task and run. Reading forgives: a torn last line, lines of a newer version and nonsense are
//! passed over, for nothing here is the truth. Only the newest line of a task counts, so the file is compacted when
//! it holds three times as many lines as tasks.

use super::json::{Object, first_key, key};
use crate::event::{Event, EventKind};
use crate::plan::estimate::Kind;
use crate::plan::observed::{self, Observed};
use crate::plan::{Estimates, Plan};
use crate::summary::Summary;
use crate::task::TaskId;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Lines up to which no file is compacted.
const SMALL: usize = 200;
/// Files of one task that are kept.
const MAX_FILES: usize = 32;
/// Files of one task that were seen and are kept; those of conflicts first.
const MAX_SEEN: usize = 64;
/// Bytes of their names.
const MAX_NAMES: usize = 4096;
/// What a line mostly has room in.
const LINE: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The task file, relative to the project.
    pub file: String,
    pub id: String,
    /// What its title says it is about: `model`, `test`, …; empty in lines of an older version.
    #[serde(default)]
    pub kind: String,
    pub outcome: Outcome,
    /// Time its attempts ran, added up.
    pub duration_ms: u64,
    /// Of the last attempt alone: what an estimate needs.
    #[serde(default)]
    pub attempt_ms: u64,
    #[serde(default)]
    pub attempts: u32,
    /// Files the task names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// What its attempts were seen to write or to be at odds over, relative to the repository's root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<String>,
    /// Of the task that this was seen of: `plan::observed::title_mark`, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Wall time, milliseconds since the epoch.
    pub at: u64,
    pub run: String,
    /// Of the event that says so: with `run`, what makes the line unique.
    pub seq: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Done,
    Failed,
}

/// What the attempts of tasks that are not settled yet were seen to write.
#[derive(Debug, Default)]
pub struct Seen(HashMap<TaskId, Vec<String>>);

impl Seen {
    pub fn on_event(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Integrated { task, merge, .. } => {
                self.add(&task.id, merge.files.iter().chain(&merge.kept));
            }
            EventKind::Conflicted { task, conflicts, .. } => {
                self.add(&task.id, conflicts.iter().map(|conflict| &conflict.path));
            }
            _ => {}
        }
    }

    /// A bounded number of them: a task that writes thousands of files is not told apart by the last of them.
    fn add<'a>(&mut self, task: &TaskId, paths: impl Iterator<Item = &'a String>) {
        for path in paths.filter(|path| observed::counts(path)).take(MAX_SEEN) {
            let known = self.0.entry(task.clone()).or_default();
            let names: usize = known.iter().map(String::len).sum();
            if known.len() < MAX_SEEN && names + path.len() <= MAX_NAMES && !known.contains(path) {
                known.push(path.clone());
            }
        }
    }
}

/// Adds the line of an [`Entry`] to `out` if `event` settles a task. `summary` has folded it.
pub fn write(plan: &Plan, summary: &Summary, seen: &mut Seen, event: &Event, out: &mut String) {
    seen.on_event(&event.kind);
    let (task, outcome) = match &event.kind {
        EventKind::TaskDone { task, attempts: 1.., .. } => (task, "done"),
        EventKind::TaskFailed { task, .. } => (task, "failed"),
        _ => return,
    };
    let Some(ix) = summary.locate(task) else { return };
    let row = summary.row(ix);
    out.reserve(LINE);
    let mut line = Object::open(out);
    line.string(first_key!("file"), &summary.info.file);
    line.string(key!("id"), task.id.as_str());
    line.word(key!("kind"), kind_word(Kind::of(super::title(plan, ix))));
    line.word(key!("outcome"), outcome);
    line.number(key!("duration_ms"), row.busy_ms());
    line.number(key!("attempt_ms"), row.last_ms());
    line.number(key!("attempts"), row.attempts.into());
    let named = plan.tasks.get(ix.ix()).map_or(&[][..], |task| &task.files);
    line.strings(key!("files"), named.iter().take(MAX_FILES).map(|file| file.path.as_str()));
    if let Some(seen) = seen.0.remove(&task.id) {
        line.strings(key!("seen"), seen.iter().map(String::as_str));
        line.string(key!("title"), &format!("{:x}", observed::title_mark(super::title(plan, ix))));
    }
    line.number(key!("at"), summary.wall());
    line.string(key!("run"), &summary.info.run);
    line.number(key!("seq"), event.seq);
    line.close();
    out.push('\n');
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Test => "test",
        Kind::Migration => "migration",
        Kind::Docs => "docs",
        Kind::Controller => "controller",
        Kind::Route => "route",
        Kind::Service => "service",
        Kind::Model => "model",
        Kind::Other => "other",
    }
}

/// Every line that can be read, in order.
pub fn entries(text: &str) -> impl Iterator<Item = Entry> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok())
}

/// Known durations for the plan of `file`: of each task, how long its newest successful attempt took.
pub fn estimates(text: &str, file: &str) -> Estimates {
    let done = entries(text).filter(|entry| entry.outcome == Outcome::Done && entry.file == file);
    let by_task =
        done.map(|entry| (TaskId::new(&entry.id), Duration::from_millis(entry.attempt_ms))).collect();
    Estimates { by_task }
}

/// What tasks of `file` were last seen to write, in the order of their ids; paths as the lines have them.
pub fn observed(text: &str, file: &str) -> Vec<Observed> {
    let mut newest: HashMap<String, Entry> = HashMap::new();
    // Most lines tell of nothing seen, and need not be read.
    for line in text.lines().filter(|line| line.contains("\"seen\":")) {
        let entry = serde_json::from_str::<Entry>(line).ok();
        if let Some(entry) = entry.filter(|entry| entry.file == file && !entry.seen.is_empty()) {
            newest.insert(entry.id.clone(), entry);
        }
    }
    let mut all: Vec<Observed> = newest.into_values().filter_map(of_entry).collect();
    all.sort_unstable_by(|a, b| a.task.cmp(&b.task));
    all
}

fn of_entry(entry: Entry) -> Option<Observed> {
    let title = u64::from_str_radix(&entry.title, 16).ok()?;
    Some(Observed { task: TaskId::new(&entry.id), title, files: entry.seen, run: entry.run })
}

/// The file as it must read after `lines` were added: those it holds already are left out, a torn last line is
/// dropped, and it is compacted when that is due.
pub fn appended(existing: &str, lines: &str) -> String {
    let whole = existing.rfind('\n').map_or("", |at| &existing[..=at]);
    let runs: HashSet<(String, u64)> = entries(whole).map(|entry| (entry.run, entry.seq)).collect();
    let mut text = whole.to_owned();
    for line in lines.split_inclusive('\n') {
        let known =
            serde_json::from_str::<Entry>(line).is_ok_and(|entry| runs.contains(&(entry.run, entry.seq)));
        if !known {
            text.push_str(line);
        }
    }
    compacted(&text).unwrap_or(text)
}

/// The newest line of each task and outcome, and the newest that tells what was seen, if the file is three times as long as that; None if it is not.
pub fn compacted(text: &str) -> Option<String> {
    let lines = text.lines().count();
    if lines <= SMALL {
        return None;
    }
    let mut newest: HashMap<(String, String, bool, bool), (usize, Entry)> = HashMap::new();
    for (n, entry) in entries(text).enumerate() {
        let is_done = entry.outcome == Outcome::Done;
        let key = (entry.file.clone(), entry.id.clone(), is_done, entry.seen.is_empty());
        newest.insert(key, (n, entry));
    }
    if lines <= newest.len() * 3 {
        return None;
    }
    let mut kept: Vec<(usize, Entry)> = newest.into_values().collect();
    kept.sort_unstable_by_key(|(n, _)| *n);
    Some(kept.iter().map(|(_, entry)| super::json::line(entry)).collect())
}
