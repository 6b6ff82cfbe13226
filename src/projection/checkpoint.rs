//! `.specter-state/checkpoints/`: where the run stood before each phase and after every five tasks.
//!
//! A mark is a few numbers; its text is rendered when it is written. A run so fast that many marks fall between two
//! writes keeps the last few only.

use super::markdown::inline;
use super::time::{duration, rfc3339};
use super::{MAX_LISTED, RESUME, write_ids_inline, write_list, write_task};
use crate::event::{Event, EventKind};
use crate::history::checkpoints::EVERY;
use crate::plan::Plan;
use crate::summary::Summary;
use crate::task::{PhaseIx, TaskId, TaskIx};
use crate::text::count;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt::Write as _;

/// Marks kept until they are written.
const MAX_PENDING: usize = 8;

/// Why a checkpoint was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    BeforePhase(PhaseIx),
    EveryFiveTasks,
    /// By something that made a checkpoint of the files too.
    Named(String),
}

/// Where the run stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// From 1 over the whole run.
    pub number: u32,
    pub why: Why,
    /// Wall time, milliseconds since the epoch.
    pub at: u64,
    pub duration_ms: u64,
    pub selected: u32,
    pub failed: u32,
    pub blocked: u32,
    /// Length of `Summary::done_order` then: its first so many were done.
    pub done: usize,
}

/// Finds the marks as events come.
#[derive(Clone, Debug, Default)]
pub struct Checkpoints {
    number: u32,
    begun: Vec<PhaseIx>,
    pending: VecDeque<Mark>,
    last: Option<Mark>,
}

impl Checkpoints {
    /// `summary` has folded `event`.
    pub fn on_event(&mut self, plan: &Plan, summary: &Summary, event: &Event) {
        let why = match &event.kind {
            EventKind::AttemptStarted { task, .. } => self.new_phase(plan, summary.locate(task)),
            EventKind::TaskDone { attempts: 1.., .. } if summary.done_order.len().is_multiple_of(EVERY) => {
                Some(Why::EveryFiveTasks)
            }
            // Where files are saved too, they are at these very moments and after each task.
            EventKind::CheckpointCreated { name, reference: None, .. } => Some(Why::Named(name.clone())),
            _ => None,
        };
        if let Some(why) = why {
            self.mark(summary, why);
        }
    }

    fn new_phase(&mut self, plan: &Plan, task: Option<TaskIx>) -> Option<Why> {
        let phase = plan.tasks.get(task?.ix())?.phase?;
        // Mostly the phase begun last; a file has few of them.
        if self.begun.iter().rev().any(|begun| *begun == phase) {
            return None;
        }
        self.begun.push(phase);
        Some(Why::BeforePhase(phase))
    }

    fn mark(&mut self, summary: &Summary, why: Why) {
        self.number += 1;
        let counts = summary.counts();
        let mark = Mark {
            number: self.number,
            why,
            at: summary.wall(),
            duration_ms: summary.duration_ms(),
            selected: counts.selected,
            failed: counts.failed,
            blocked: counts.blocked,
            done: summary.done_order.len(),
        };
        self.last = Some(mark.clone());
        self.pending.push_back(mark);
        if self.pending.len() > MAX_PENDING {
            self.pending.pop_front();
        }
    }

    /// The newest mark of the run.
    pub fn last(&self) -> Option<&Mark> {
        self.last.as_ref()
    }

    /// Marks not yet taken, oldest first.
    pub fn take(&mut self) -> Vec<Mark> {
        self.pending.drain(..).collect()
    }
}

/// What one mostly has room in.
const TEXT: usize = 2048;

pub fn render(plan: &Plan, summary: &Summary, mark: &Mark) -> String {
    let mut out = String::with_capacity(TEXT);
    let _ = write!(out, "# Checkpoint {:03}\n\n", mark.number);
    let done = done_then(summary, mark);
    let reason = match &mark.why {
        Why::BeforePhase(phase) => {
            let title = plan.phases.get(phase.0 as usize).map_or("", |phase| &phase.title);
            format!("before phase {}", inline(title))
        }
        Why::EveryFiveTasks => format!("after every {}", count(EVERY as u64, "task")),
        Why::Named(name) => inline(name),
    };
    for (name, value) in [
        ("Run", inline(&summary.info.run)),
        ("File", inline(&summary.info.file)),
        ("Made", reason),
        ("At", format!("{} ({} into the run)", rfc3339(mark.at), duration(mark.duration_ms))),
        ("Progress", format!("{}/{}", done.len(), count(mark.selected, "task"))),
        ("Failed", mark.failed.to_string()),
        ("Blocked", mark.blocked.to_string()),
    ] {
        let _ = writeln!(out, "{name}: {value}");
    }
    tasks(&mut out, plan, summary, &done);
    let _ = write!(out, "\nResume: `{RESUME}`\n");
    out
}

fn tasks(out: &mut String, plan: &Plan, summary: &Summary, done: &[TaskIx]) {
    if let Some((last, earlier)) =
        done.split_last_chunk::<5>().map(|(earlier, last)| (&last[..], earlier)).or(Some((done, &[])))
    {
        out.push_str("\nCompleted Tasks:\n");
        if !earlier.is_empty() {
            out.push_str("- earlier, newest first: ");
            let ids = earlier.iter().rev().map(|task| summary.id(*task)).map(TaskId::as_str);
            write_ids_inline(out, ids);
            out.push('\n');
        }
        write_list(out, last, MAX_LISTED, |out, task| {
            write_task(out, plan, summary, task, "- [x] ");
            out.push('\n');
        });
        if done.is_empty() {
            out.push_str("- none\n");
        }
    }
}

/// The tasks that were done at the mark and still are, in the order in which they ended.
fn done_then<'a>(summary: &'a Summary, mark: &Mark) -> Cow<'a, [TaskIx]> {
    let then = summary.done_order.get(..mark.done).unwrap_or(&summary.done_order);
    summary.still_done(then)
}
