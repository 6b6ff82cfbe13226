//! What agents of a run are told: the project's documents as they were read once, the plan, and what the tasks before left.

use crate::documents;
use crate::event::{Event, EventKind};
use crate::exec::{Asked, PlainPrompts, Prompted, Prompts};
use crate::prompt::{self, Context, Handoffs, Inputs};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// What finished tasks left, kept up with as events are recorded.
#[derive(Clone, Debug, Default)]
pub(super) struct HandedOn(Arc<Mutex<Handoffs>>);

impl HandedOn {
    pub(super) fn of(events: &[Event]) -> HandedOn {
        let handed_on = HandedOn::default();
        events.iter().for_each(|event| handed_on.on_event(event));
        handed_on
    }

    pub(super) fn on_event(&self, event: &Event) {
        let mut handoffs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        handoffs.apply(event);
        if let EventKind::AttemptFinished { task, report, .. } = &event.kind
            && let Some(agent) = report.agent.as_ref().filter(|_| report.outcome.is_success())
        {
            handoffs.said(&task.id, &agent.text);
        }
    }
}

/// Builds prompts from all that is known of the run.
#[derive(Debug)]
pub(super) struct Prompter {
    pub(super) context: Context,
    pub(super) project: PathBuf,
    pub(super) handed_on: HandedOn,
}

impl Prompts for Prompter {
    fn prompt(&self, asked: &Asked<'_>) -> Prompted {
        let Some(plan) = asked.plan else { return PlainPrompts.prompt(asked) };
        let neighbours = documents::neighbours(&self.project, asked.task);
        let handoffs = self.handed_on.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let built = prompt::build(&Inputs {
            context: &self.context,
            plan,
            task: asked.ix,
            handoffs: &handoffs,
            attempt: 1,
            began_before: false,
            // The executor knows what went wrong before, and says it.
            previous: None,
            instructions: &[],
            neighbours: &neighbours,
            gates: &[],
        });
        Prompted {
            prefix: built.prefix.to_string(),
            own: built.own().to_owned(),
            tokens: built.tokens_estimate,
        }
    }
}
