//! Why a task has not started, in words: the scheduler's reasons, one line each.

use super::edges::explain;
use super::text::{plural, some_of};
use crate::plan::Plan;
use crate::schedule::{Halt, Obstacle};
use crate::task::TaskIx;
use crate::text::safe;

/// Tasks named in one reason.
const MAX_NAMES: usize = 6;

/// What stands between `task` and its start.
pub fn obstacles(plan: &Plan, task: TaskIx, obstacles: &[Obstacle]) -> Vec<String> {
    obstacles.iter().map(|obstacle| words(plan, task, obstacle)).collect()
}

fn words(plan: &Plan, task: TaskIx, obstacle: &Obstacle) -> String {
    let id = |task: &TaskIx| plan.tasks.get(task.ix()).map_or_else(|| "a removed task".to_owned(), |t| safe(t.id.as_str()));
    match obstacle {
        Obstacle::Waits { on, edge } => {
            format!("waits for {}: {}", id(on), explain(plan, *on, task, edge.reason, edge.line))
        }
        Obstacle::BlockedBy(by) => format!("blocked by {}, which failed or waits for a person", id(by)),
        Obstacle::Held { by } => format!("the file was edited while {} was running: waits until it is settled", id(by)),
        Obstacle::Overlap { with } => {
            let names: Vec<String> = with.iter().map(id).collect();
            format!("may not run beside {} in this mode", some_of(&names, MAX_NAMES))
        }
        Obstacle::GivesWay { to } => format!("would delay {}, which must run alone and comes first", id(to)),
        Obstacle::NoFreeWorker { jobs, ahead } => format!(
            "no worker is free ({} at most), {} first",
            plural(*jobs as usize, "worker"),
            match ahead {
                1 => "1 ready task comes".to_owned(),
                n => format!("{n} ready tasks come"),
            }
        ),
        Obstacle::RemovedTaskRuns => "a task that was removed from the file still runs".to_owned(),
        Obstacle::BackingOff { .. } => "it failed and waits for its next attempt".to_owned(),
        Obstacle::Halted(halt) => match halt {
            Halt::FailFast => "the run stops at the first failure, and one has happened".to_owned(),
            Halt::Budget(_) => "a budget of the run is spent".to_owned(),
            Halt::Interrupted { .. } => "the run was interrupted".to_owned(),
        },
    }
}
