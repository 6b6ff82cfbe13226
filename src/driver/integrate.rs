//! From what an attempt left to the project's files: merged, checked again where others' work came meanwhile, and only
//! then integrated. One at a time: whoever integrates holds the turn until the task's end is on record and its
//! checkpoint made, so that a checkpoint holds the work of exactly the tasks that are done.

use super::escapes::Window;
use super::unix_words;
use super::workspaces::{Held, Opened, OpenedTrees, Work, not_integrated, task_id};
use crate::event::{AttemptReport, Conflict, EventKind, FailureClass, Merge};
use crate::exec::{Attempt, Masker, Part};
use crate::git::{self, Error, Integrated, Outcome};
use crate::task::{BlockKind, TaskId};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So often a merged result is checked while others integrate; after that they wait for it.
const PATIENCE: u32 = 2;

/// Held while the project's files and the record of who made them are brought into step.
pub(super) type Turn<'a> = MutexGuard<'a, ()>;

#[derive(Default)]
pub(super) struct Merging {
    turn: Mutex<()>,
    /// What each task last conflicted with: the same once more will be the same for ever.
    conflicts: Mutex<HashMap<TaskId, Vec<Conflict>>>,
    /// An integration failed: what it had begun comes before all others.
    has_failed: AtomicBool,
    /// Tasks whose work became part of the project's files after their attempt was given up.
    late: Mutex<HashSet<TaskId>>,
}

impl Merging {
    pub(super) fn wait(&self) -> Turn<'_> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is the conflict that the task had before.
    fn is_same_again(&self, task: &TaskId, conflicts: &[Conflict]) -> bool {
        let mut known = self.conflicts.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(task.clone(), conflicts.to_vec()).is_some_and(|before| before == conflicts)
    }

    fn late(&self) -> MutexGuard<'_, HashSet<TaskId>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opened {
    /// The report of an attempt that ended well, as it is with its changes integrated or not.
    pub(super) fn integrate(
        &self,
        work: &Work<'_>,
        held: &mut Held,
        report: AttemptReport,
        window: Window,
    ) -> (AttemptReport, Option<Turn<'_>>) {
        let Some(trees) = &self.trees else { return (report, None) };
        let made = Arc::clone(&held.saved);
        let has_checks = work.attempt.task.blocks_of(BlockKind::Verify).next().is_some();
        for round in 0.. {
            let mut turn = (round >= PATIENCE || !has_checks).then(|| trees.merging.wait());
            let preview = match self.preview(held, &made) {
                Ok(preview) => preview,
                Err(error) => return (broken(report, &error), turn),
            };
            if let (true, Some(merged)) = (has_checks, preview.merged) {
                match self.check_merged(work, held, merged) {
                    Ok(checked) if checked.outcome.is_success() => {}
                    Ok(checked) => return (regressed(report, checked), turn),
                    Err(error) => return (broken(report, &error), turn),
                }
            }
            let turn = turn.take().unwrap_or_else(|| trees.merging.wait());
            if let Err(error) = self.finish_begun(trees) {
                return (broken(report, &error), Some(turn));
            }
            let strays = trees.strays.of(&work.attempt.task.id, held.worktree.root());
            if trees.watch.told(self, work, window, strays) {
                // Tried again: of several attempts of one time most did not do it.
                let rule = if trees.strays.is_soiled(held.worktree.root()) { SOILED } else { ESCAPED };
                return (not_integrated(report, FailureClass::Gate, rule.to_owned()), Some(turn));
            }
            match self.integrate_onto(preview.tip, held, &made) {
                Ok(None) => {} // Others were faster: what is checked must be what will be.
                Ok(Some(outcome)) => {
                    let is_late = trees.merging.late().contains(&work.attempt.task.id);
                    let report = self.judge(work, report, outcome, is_late);
                    if report.outcome.is_success() {
                        // Done by this attempt: should it be asked for anew, there is nothing to fall back on.
                        trees.merging.late().remove(&work.attempt.task.id);
                    }
                    return (report, Some(turn));
                }
                Err(error) => {
                    trees.merging.has_failed.store(true, Ordering::Relaxed);
                    return (broken(report, &error), Some(turn));
                }
            }
        }
        unreachable!("the loop ends by returning: with the turn held, the tip stands still")
    }

    /// The report of an attempt that has nothing to do any more: the work of the one before it is integrated after all.
    pub(super) fn integrated_late(&self, work: &Work<'_>) -> Option<(AttemptReport, Option<Turn<'_>>)> {
        let trees = self.trees.as_ref()?;
        let (merging, task) = (&trees.merging, work.attempt.task);
        if merging.has_failed.load(Ordering::Relaxed) {
            let _turn = merging.wait();
            if let Err(error) = self.finish_begun(trees) {
                work.warn(format!("an integration that was begun cannot be finished yet: {error}"));
            }
        }
        if !merging.late().remove(&task.id) {
            return None;
        }
        work.warn(format!("{}: what the attempt before made is integrated after all", task.id));
        let verified = task.blocks_of(BlockKind::Verify).next().is_some();
        Some((AttemptReport { verified, ..AttemptReport::default() }, Some(merging.wait())))
    }

    /// Finishes the integration that failed before this one, if one did. Who holds the turn calls it.
    fn finish_begun(&self, trees: &OpenedTrees) -> Result<(), Error> {
        if trees.merging.has_failed.load(Ordering::Relaxed) {
            if let Some(finished) = self.owner.ask(git::Git::finish)? {
                trees.watch.wrote(&finished.written);
                trees.merging.late().extend(finished.attempt.map(|attempt| TaskId::new(&attempt.task)));
            }
            trees.merging.has_failed.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    fn preview(&self, held: &Held, made: &Arc<git::Saved>) -> Result<git::Preview, Error> {
        let (worktree, made) = (held.worktree.clone(), Arc::clone(made));
        self.owner.ask(move |git| git.preview(&worktree, &made))
    }

    fn integrate_onto(
        &self,
        tip: git::Oid,
        held: &Held,
        made: &Arc<git::Saved>,
    ) -> Result<Option<Outcome>, Error> {
        let (worktree, made) = (held.worktree.clone(), Arc::clone(made));
        self.owner.ask(move |git| git.integrate_onto(tip, &worktree, &made, false))
    }

    /// Runs the checks on what would be. What they leave is kept apart from what the attempt made.
    fn check_merged(
        &self,
        work: &Work<'_>,
        held: &mut Held,
        merged: git::Oid,
    ) -> Result<AttemptReport, Error> {
        let (worktree, saved) = (held.worktree.clone(), Arc::clone(&held.saved));
        self.owner.ask(move |git| git.hold(&worktree, &saved, merged))?;
        let attempt = Attempt { workspace: Some(&held.workspace), part: Part::Verify, ..work.attempt };
        let checked = work.executor.run(&attempt, work.stop, work.observer);
        let whose =
            git::Attempt { task: format!("{} check", work.attempt.task.id), number: work.attempt.number };
        held.saved = Arc::new(self.save_attempt(&held.worktree, whose)?);
        Ok(checked)
    }

    /// `is_late`: what an earlier attempt made became part of the project while this one ran.
    fn judge(
        &self,
        work: &Work<'_>,
        report: AttemptReport,
        outcome: Outcome,
        is_late: bool,
    ) -> AttemptReport {
        let (task, attempt) = (work.task_ref(), work.attempt.number);
        match outcome {
            Outcome::Integrated(integrated) => {
                if let Some(trees) = &self.trees {
                    trees.watch.wrote(&integrated.written);
                }
                work.record(EventKind::Integrated { task, attempt, merge: Box::new(merge(integrated)) });
                report
            }
            // What it wrote is what stood there, or nobody keeps it.
            Outcome::Nothing { .. }
                if work.executor.is_for_agent(work.attempt.task) && !report.verified && !is_late =>
            {
                let rule = "it says it is done, and no file is other than before".to_owned();
                not_integrated(report, FailureClass::NoChange, rule)
            }
            Outcome::Nothing { dropped } if dropped.is_empty() => report,
            Outcome::Nothing { dropped } => {
                let names: Vec<String> = dropped.iter().map(|path| unix_words(path)).collect();
                work.warn(format!("{}: left out what only specter writes: {}", task.id, names.join(", ")));
                report
            }
            Outcome::Review { paths } => {
                let paths: Vec<String> = paths.iter().map(|path| unix_words(path)).collect();
                let rule = format!(
                    "it changed `{}`, which makes tools run commands: look at it, then `specter recover accept {}/{attempt}`",
                    paths.join("`, `"),
                    task.id
                );
                work.record(EventKind::ReviewNeeded { task, attempt, paths });
                not_integrated(report, FailureClass::Permanent, rule)
            }
            Outcome::Conflict(found) => self.conflicted(work, report, &found),
        }
    }

    fn conflicted(&self, work: &Work<'_>, report: AttemptReport, found: &[git::Conflict]) -> AttemptReport {
        let (task, attempt) = (work.task_ref(), work.attempt.number);
        let masker = work.executor.masker();
        let this = format!("{} attempt {attempt}", task.id);
        let conflicts: Vec<Conflict> =
            found.iter().map(|found| conflict(found, &this, masker.as_deref())).collect();
        let is_same =
            self.trees.as_ref().is_some_and(|trees| trees.merging.is_same_again(&task.id, &conflicts));
        let names: Vec<&str> = conflicts.iter().map(|conflict| conflict.path.as_str()).take(3).collect();
        let (class, rule) = if is_same {
            (FailureClass::Permanent, format!("the same conflict a second time, in `{}`", names.join("`, `")))
        } else {
            (FailureClass::Conflict, format!("conflicts in `{}`", names.join("`, `")))
        };
        work.record(EventKind::Conflicted { task, attempt, conflicts });
        not_integrated(report, class, rule)
    }
}

const ESCAPED: &str = "it changed what is outside its working tree";
const SOILED: &str = "another task wrote into its working tree";

/// What an integration did, as it is recorded.
pub fn merge(integrated: Integrated) -> Merge {
    let words = |paths: Vec<PathBuf>| paths.iter().map(|path| unix_words(path)).collect();
    Merge {
        commit: integrated.commit.to_string(),
        files: words(integrated.paths),
        merged: integrated.was_merged,
        dropped: words(integrated.dropped),
        kept: words(integrated.kept),
        by_rule: integrated
            .by_rule
            .iter()
            .map(|(path, rule)| format!("{}: {rule}", unix_words(path)))
            .collect(),
    }
}

fn conflict(found: &git::Conflict, this: &str, masker: Option<&Masker>) -> Conflict {
    let there = found.other.as_ref().map_or_else(
        || "the working tree".to_owned(),
        |other| format!("{} attempt {}", other.task, other.number),
    );
    // Both tasks' numbers of attempts change: they would make the same conflict look like another.
    let hunks = found.kind.shown(&there, this.split(" attempt").next().unwrap_or(this));
    let masked = |text: String| masker.map_or(text.clone(), |masker| masker.mask(&text));
    Conflict {
        path: unix_words(&found.path),
        what: found.to_string(),
        other: found.other.as_ref().map(task_id),
        hunks: hunks.into_iter().map(masked).collect(),
    }
}

/// Passed alone and failed together with what came meanwhile.
fn regressed(report: AttemptReport, checked: AttemptReport) -> AttemptReport {
    let rule = match &checked.rule {
        Some(rule) => format!("together with what came meanwhile its check fails: {rule}"),
        None => "together with what came meanwhile its check fails".to_owned(),
    };
    AttemptReport {
        outcome: checked.outcome,
        block: checked.block,
        class: Some(if checked.class == Some(FailureClass::Cancelled) {
            FailureClass::Cancelled
        } else {
            FailureClass::Gate
        }),
        rule: Some(rule),
        tail: checked.tail,
        log: checked.log,
        verified: false,
        ..report
    }
}

/// Git or the disk did not do it: nothing of the attempt is lost, and nothing of it is integrated.
fn broken(report: AttemptReport, error: &Error) -> AttemptReport {
    not_integrated(report, FailureClass::Transient, format!("it could not be integrated: {error}"))
}
