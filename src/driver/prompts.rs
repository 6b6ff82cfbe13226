//! What agents of a run are told: the project's documents as they were read once, the plan, what the tasks before left, and
//! what the attempts before failed of.

use crate::documents;
use crate::domains::{self, Assignment, Hints, Rules};
use crate::event::{Event, EventKind};
use crate::exec::{Asked, PlainPrompts, Prompted, Prompts};
use crate::plan::Plan;
use crate::prompt::{self, Context, Earlier, Handoffs, Inputs, Prompt};
use crate::task::{Task, TaskIx};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What tasks and attempts left, kept up with as events are recorded.
#[derive(Clone, Debug, Default)]
pub(super) struct HandedOn(Arc<Mutex<Left>>);

/// To later tasks, and to later attempts.
#[derive(Clone, Debug, Default)]
pub struct Left {
    pub handoffs: Handoffs,
    pub earlier: Earlier,
}

impl HandedOn {
    pub(super) fn of(events: &[Event]) -> HandedOn {
        let handed_on = HandedOn::default();
        events.iter().for_each(|event| handed_on.on_event(event));
        handed_on
    }

    pub(super) fn on_event(&self, event: &Event) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.earlier.apply(event);
        left.handoffs.apply(event);
        if let EventKind::AttemptFinished { task, report, .. } = &event.kind
            && let Some(agent) = report.agent.as_ref().filter(|_| report.outcome.is_success())
        {
            left.handoffs.said(&task.id, &agent.text);
        }
    }
}

/// What prompts of a run are built from.
#[derive(Debug)]
pub struct Briefing {
    pub context: Context,
    /// What a task's domain asks for besides.
    pub rules: Rules,
    pub hints: Hints,
}

impl Briefing {
    /// What the agent of attempt `attempt` of `task` is told: the one place where that is put together.
    pub fn prompt(
        &self,
        project: &Path,
        plan: &Plan,
        task: TaskIx,
        attempt: u32,
        left: &Left,
    ) -> (Prompt, Assignment) {
        let known = plan.task(task);
        let assignment = domains::assign(known, &self.rules, &self.hints);
        let built = prompt::build(&Inputs {
            context: &self.context,
            plan,
            task,
            handoffs: &left.handoffs,
            attempt,
            past: left.earlier.of(&known.id),
            instructions: &assignment.instructions,
            neighbours: &documents::neighbours(project, known),
            gates: &gates(known),
        });
        (built, assignment)
    }
}

/// What decides besides the task's own checks.
fn gates(task: &Task) -> Vec<String> {
    let files = "every file that the task names is there and not empty".to_owned();
    let named = task.files.iter().any(|file| !file.outside && file.pattern.is_none());
    named.then_some(files).into_iter().collect()
}

/// Builds prompts from all that is known of the run.
#[derive(Debug)]
pub(super) struct Prompter {
    pub(super) briefing: Briefing,
    pub(super) project: PathBuf,
    pub(super) handed_on: HandedOn,
}

impl Prompts for Prompter {
    fn prompt(&self, asked: &Asked<'_>) -> Prompted {
        let Some(plan) = asked.plan else { return PlainPrompts.prompt(asked) };
        // Held for the milliseconds of building: a copy for each attempt would be of all that all tasks left.
        let left = self.handed_on.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (built, assignment) = self.briefing.prompt(&self.project, plan, asked.ix, asked.number, &left);
        Prompted {
            prefix: built.prefix.to_string(),
            own: built.own().to_owned(),
            tokens: built.tokens_estimate,
            model: assignment.model.map(|model| (assignment.agent, model)),
        }
    }
}
