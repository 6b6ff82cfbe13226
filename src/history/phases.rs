//! Which phase is over: told by the event that ends its last task. Knows plans for what is to run, and nothing of what
//! follows from the end of a phase.

use crate::event::{Event, EventKind};
use crate::plan::Plan;
use crate::task::{PhaseIx, TaskId};
use std::collections::{HashMap, HashSet};

/// Tasks that are not done yet, by phase. Tasks before the first heading are a phase of their own.
#[derive(Clone, Debug, Default)]
pub struct Phases {
    left: HashMap<Option<PhaseIx>, HashSet<TaskId>>,
    /// In this run.
    done: HashSet<TaskId>,
}

impl Phases {
    /// As after all of a run's earlier events.
    pub fn resumed<'a>(plan: &Plan, events: impl IntoIterator<Item = &'a Event>) -> Phases {
        let mut phases = Phases::default();
        for event in events {
            phases.fold(&event.kind);
        }
        phases.fill(plan);
        phases
    }

    fn fill(&mut self, plan: &Plan) {
        self.left.clear();
        for task in plan.runnable().map(|task| plan.task(task)) {
            if !self.done.contains(&task.id) {
                self.left.entry(task.phase).or_default().insert(task.id.clone());
            }
        }
    }

    fn fold(&mut self, kind: &EventKind) {
        match kind {
            EventKind::AttemptStarted { task, .. } => {
                self.done.remove(&task.id);
            }
            EventKind::TaskDone { task, .. } => {
                self.done.insert(task.id.clone());
            }
            EventKind::PlanChanged { reopened, .. } | EventKind::RolledBack { reopened, .. } => {
                self.done.retain(|task| !reopened.contains(task));
            }
            _ => {}
        }
    }

    /// The title of the phase that is over with this event. `plan` is the plan as it reads after it.
    pub fn on_event(&mut self, plan: &Plan, event: &Event) -> Option<String> {
        self.fold(&event.kind);
        match &event.kind {
            EventKind::TaskDone { task, .. } => self.ended(plan, &task.id),
            EventKind::PlanChanged { .. } => {
                self.fill(plan);
                None
            }
            _ => None,
        }
    }

    fn ended(&mut self, plan: &Plan, task: &TaskId) -> Option<String> {
        // A file has few phases.
        let phase = *self.left.iter().find(|(_, left)| left.contains(task))?.0;
        let left = self.left.get_mut(&phase)?;
        left.remove(task);
        if !left.is_empty() {
            return None;
        }
        self.left.remove(&phase);
        Some(title(plan, phase))
    }
}

/// What a phase is called.
pub fn title(plan: &Plan, phase: Option<PhaseIx>) -> String {
    let phase = phase.and_then(|phase| plan.phases.get(phase.0 as usize));
    phase.map_or_else(|| "the tasks".to_owned(), |phase| phase.title.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{TaskRef, Verdict};
    use crate::plan::fixture;
    use std::time::Duration;

    const TEXT: &str = "- [ ] T000 before all\n## Phase 1: Setup\n- [x] T001 a\n- [ ] T002 b\n- [ ] T003 c\n\
                        ## Phase 2: Core\n- [ ] T004 d\n";

    fn plan(text: &str) -> Plan {
        crate::plan::plan(fixture::document(text), &crate::plan::Options::default()).unwrap().0
    }

    fn event(kind: EventKind) -> Event {
        Event { seq: 1, at: Duration::ZERO, kind }
    }

    fn done(id: &str) -> Event {
        let task = TaskRef { ix: TaskRef::UNRESOLVED, id: TaskId::new(id) };
        let (verdict, duration) = (Verdict::Verified, Duration::ZERO);
        event(EventKind::TaskDone { task, attempts: 1, verdict, duration })
    }

    #[test]
    fn a_phase_is_over_with_the_last_task_that_it_has_to_run() {
        let plan = plan(TEXT);
        let mut phases = Phases::resumed(&plan, []);
        let mut tell = |id: &str| phases.on_event(&plan, &done(id));
        assert_eq!(tell("T002"), None);
        assert_eq!(tell("T004").as_deref(), Some("Phase 2: Core"));
        assert_eq!(tell("T003").as_deref(), Some("Phase 1: Setup"));
        assert_eq!(tell("T000").as_deref(), Some("the tasks"));
        assert_eq!(tell("T000"), None, "once");
    }

    #[test]
    fn what_was_done_before_a_resume_counts_and_a_task_that_came_since_is_waited_for() {
        let mut phases = Phases::resumed(&plan(TEXT), [&done("T002")]);
        let longer = plan(&TEXT.replace("## Phase 2", "- [ ] T005 e\n## Phase 2"));
        let ids = |ids: &[&str]| ids.iter().map(|id| TaskId::new(id)).collect();
        let (added, none) = (ids(&["T005"]), Vec::new());
        let edited =
            EventKind::PlanChanged { added, removed: none.clone(), reopened: none.clone(), ticked: none };
        assert_eq!(phases.on_event(&longer, &event(edited)), None);
        assert_eq!(phases.on_event(&longer, &done("T003")), None);
        assert_eq!(phases.on_event(&longer, &done("T005")).as_deref(), Some("Phase 1: Setup"));
    }
}
