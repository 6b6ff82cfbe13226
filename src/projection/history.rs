//! `.specter/history.ndjson`: how long tasks took, for the estimates of later plans.
//!
//! One line per settled task and run. Reading forgives: a torn last line, lines of a newer version and nonsense are
//! passed over, for nothing here is the truth. Only the newest line of a task counts, so the file is compacted when
//! it holds three times as many lines as tasks.

use super::json::{Object, first_key, key};
use crate::event::{Event, EventKind};
use crate::plan::estimate::Kind;
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

/// Adds the line of an [`Entry`] to `out` if `event` settles a task. `summary` has folded it.
pub fn write(plan: &Plan, summary: &Summary, event: &Event, out: &mut String) {
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

/// The newest line of each task and outcome, if the file is three times as long as that; None if it is not.
pub fn compacted(text: &str) -> Option<String> {
    let lines = text.lines().count();
    if lines <= SMALL {
        return None;
    }
    let mut newest: HashMap<(String, String, bool), (usize, Entry)> = HashMap::new();
    for (n, entry) in entries(text).enumerate() {
        let key = (entry.file.clone(), entry.id.clone(), entry.outcome == Outcome::Done);
        newest.insert(key, (n, entry));
    }
    if lines <= newest.len() * 3 {
        return None;
    }
    let mut kept: Vec<(usize, Entry)> = newest.into_values().collect();
    kept.sort_unstable_by_key(|(n, _)| *n);
    Some(kept.iter().map(|(_, entry)| super::json::line(entry)).collect())
}
