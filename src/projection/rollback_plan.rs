//! `rollback-plan.md`: how to go back by hand, with git alone, to any of the newest saved states of the files.

use super::markdown::code;
use super::time::rfc3339;
use super::write_ids_inline;
use crate::event::{Event, EventKind};
use crate::history::checkpoints::before_rollback;
use crate::plan::Plan;
use crate::summary::Summary;
use crate::task::TaskId;
use crate::text::{count, safe};
use std::collections::VecDeque;
use std::fmt::Write as _;

/// So many of the newest are told; `specter checkpoints` has them all.
const TOLD: usize = 50;

/// A saved state of the files.
#[derive(Clone, Debug)]
struct Point {
    name: String,
    reference: String,
    /// Wall time, milliseconds since the epoch.
    at: u64,
    /// Length of `Summary::done_order` then.
    done: usize,
}

/// The newest saved states, gathered as events come.
#[derive(Clone, Debug, Default)]
pub struct RollbackPlan {
    points: VecDeque<Point>,
    more: usize,
    rollbacks: usize,
    /// The branch that got commits of this run.
    branch: Option<String>,
}

impl RollbackPlan {
    /// `summary` has folded `event`.
    pub fn on_event(&mut self, summary: &Summary, event: &Event) {
        let (name, reference) = match &event.kind {
            EventKind::CheckpointCreated { name, reference: Some(reference), .. } => {
                (name.clone(), reference)
            }
            EventKind::Committed { branch, .. } => {
                self.branch = Some(branch.clone());
                return;
            }
            EventKind::RolledBack { saved, .. } => {
                self.rollbacks += 1;
                (before_rollback(self.rollbacks), saved)
            }
            _ => return,
        };
        // A name that is given anew means the newest.
        self.points.retain(|point| point.reference != *reference);
        let done = summary.done_order.len();
        self.points.push_back(Point { name, reference: reference.clone(), at: summary.wall(), done });
        if self.points.len() > TOLD {
            self.points.pop_front();
            self.more += 1;
        }
    }

    /// None before anything is saved.
    pub fn render(&self, plan: &Plan, summary: &Summary) -> Option<String> {
        if self.points.is_empty() {
            return None;
        }
        let mut out = String::from("# Rollback plan\n\n");
        let _ = writeln!(out, "Run: {}", code(&summary.info.run));
        let _ = writeln!(out, "File: {}\n", code(&plan.file));
        out.push_str(
            "`specter rollback --to NAME` goes back to a state below: files, boxes and what counts as done, with \
             what is there now saved before. By hand, in the root of the repository:\n\n",
        );
        let _ = writeln!(out, "1. Keep a copy of what is there now: `cp -a . ../before-rollback`");
        let _ = writeln!(out, "2. Files as they were then, with REFERENCE from the list below:\n");
        let file = quoted(&plan.file);
        let _ = writeln!(out, "   ```sh");
        let _ = writeln!(out, "   git restore --source=REFERENCE --worktree -- . ':(exclude)'{file}");
        let _ = writeln!(out, "   ```\n");
        let _ = writeln!(out, "3. Files that came since, to be removed as far as they are not wanted:\n");
        let _ = writeln!(out, "   ```sh");
        let _ = writeln!(out, "   git ls-tree -r --name-only REFERENCE | sort > ../then");
        let _ =
            writeln!(out, "   git ls-files --cached --others --exclude-standard | sort | comm -13 ../then -");
        let _ = writeln!(out, "   ```\n");
        out.push_str("4. Clear the boxes of the tasks that the state lists as done since, and run `specter implement`.\n");
        if let Some(branch) = &self.branch {
            let _ = writeln!(
                out,
                "\nCommits that this run made on {} stay there whatever is gone back to: `git revert` undoes one.",
                code(branch)
            );
        }
        out.push_str("\n## States, newest first\n\n");
        for point in self.points.iter().rev() {
            write_point(&mut out, summary, point);
        }
        if self.more > 0 {
            let _ = writeln!(out, "- … and {} more: `specter checkpoints`", self.more);
        }
        Some(out)
    }
}

fn write_point(out: &mut String, summary: &Summary, point: &Point) {
    let after = summary.done_order.get(point.done..).unwrap_or_default();
    let after = summary.still_done(after);
    let _ = writeln!(out, "- {} ({})", code(&point.name), rfc3339(point.at));
    let _ = writeln!(out, "  - reference: {}", code(&point.reference));
    let _ = write!(out, "  - {} done since", count(after.len() as u64, "task"));
    if !after.is_empty() {
        out.push_str(": ");
        write_ids_inline(out, after.iter().map(|task| summary.id(*task)).map(TaskId::as_str));
    }
    out.push('\n');
}

/// As a shell takes it. What cannot stand in one line of Markdown is shown escaped.
fn quoted(path: &str) -> String {
    format!("'{}'", safe(path).replace('\'', r"'\''"))
}
