//! What is said when a run has ended: the summary on stdout, or nothing beside the events with `--format json`.

use super::stage;
use super::target::Target;
use crate::classify::{self, Facts, Rules};
use crate::driver::Ended;
use crate::plan::Plan;
use crate::task::TaskIx;
use crate::text::safe;
use crate::ui::summary::{Advice, Ending, summary};
use crate::ui::theme::Screen;
use std::io::Write as _;

/// The end of a run.
pub(super) fn end(screen: &Screen, ended: &Ended, target: &Target, run_dir: &str, json: bool) {
    let name = shlex::try_quote(&target.typed).map_or_else(|_| safe(&target.typed), |quoted| safe(&quoted));
    let ending = Ending {
        plan: &ended.plan,
        summary: &ended.summary,
        advice: &|task| advice(ended, task),
        run_dir,
        state_files: &ended.files,
        resume: &format!("specter resume {name}"),
        target: &name,
    };
    let text = summary(screen, &ending);
    if json {
        // Standard output belongs to the events.
        stage::write_err(&text);
    } else {
        let mut out = std::io::stdout().lock();
        // Whoever read it is gone: the run itself is recorded, so this is no failure.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
    for problem in &ended.problems {
        stage::write_err(&format!("warning: {problem}\n"));
    }
}

/// Possible causes and suggested fixes: the rules read the last attempt's facts again.
fn advice(ended: &Ended, task: TaskIx) -> Advice {
    let row = ended.summary.row(task);
    let Some(detail) = row.detail.as_deref() else { return Advice::default() };
    let Some(attempt) = detail.attempts.last() else { return Advice::default() };
    let facts =
        Facts { outcome: &attempt.outcome, tail: &detail.tail, kind: detail.block.map(|block| block.kind) };
    let classified = classify::classify(&facts, &Rules::default());
    Advice { causes: classified.causes, fixes: classified.fixes }
}

/// A plan in which nothing is open.
pub(super) fn nothing_to_do(screen: &Screen, plan: &Plan) {
    if screen.quiet {
        return;
    }
    let done = plan.planned.iter().filter(|planned| planned.role == crate::plan::Role::Done).count();
    let text = format!("nothing to do: {} of {} done, none selected is open\n", done, plan.tasks.len());
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
