//! What an attempt of an agent leaves for the next one of the same task: its session, and where its work is. Knows no
//! process and no file. What it failed of is told by the prompt.

use crate::event::{Event, EventKind};
use crate::task::TaskId;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// Its preset.
    pub(super) agent: String,
    /// Where it worked: agents find their sessions by it.
    pub(super) dir: PathBuf,
    /// To go on with; none to begin anew.
    pub(super) session: Option<String>,
    /// An attempt before changed files that are still there.
    pub(super) has_work: bool,
    /// Its last message ended with a plain question.
    pub(super) has_asked: bool,
}

/// How a further attempt goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// In the same session.
    Resume,
    /// The session is no good any more.
    Begin,
    /// It asked, and was to decide by itself.
    Decide,
}

#[derive(Default)]
pub(super) struct Memories(Mutex<HashMap<TaskId, Memory>>);

impl Memories {
    /// From the record of earlier sessions: what ended without success, or never ended.
    pub(super) fn of(events: &[Event]) -> Memories {
        let mut all: HashMap<TaskId, Memory> = HashMap::new();
        let mut places: HashMap<&TaskId, &str> = HashMap::new();
        for event in events {
            match &event.kind {
                EventKind::WorktreeLeased { task, path, .. } => {
                    places.insert(&task.id, path);
                }
                // Whatever it did in the project is there still, also if nobody told its end.
                EventKind::AttemptStarted { task, executor, .. } if executor != "shell" => {
                    let memory = all.entry(task.id.clone()).or_default();
                    (memory.agent, memory.has_work) = (executor.to_string(), true);
                }
                EventKind::AttemptFinished { task, report, .. } => {
                    match (&report.agent, report.outcome.is_success()) {
                        (Some(agent), false) => {
                            let memory = all.entry(task.id.clone()).or_default();
                            memory.agent.clone_from(&agent.agent);
                            memory.session.clone_from(&agent.session);
                            memory.has_asked = agent.asks.is_some() && !agent.parks;
                        }
                        _ => {
                            all.remove(&task.id);
                        }
                    }
                }
                _ => {}
            }
        }
        for (task, memory) in &mut all {
            // A working tree was given back when the session died, and the session with it.
            if let Some(path) = places.get(task) {
                (memory.dir, memory.has_work) = (PathBuf::from(path), false);
            }
        }
        Memories(Mutex::new(all))
    }

    /// What counts for an attempt by `agent` in `dir`. What an attempt elsewhere made is not there.
    pub(super) fn of_task(&self, task: &TaskId, agent: &str, dir: &Path) -> Memory {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(memory) = all.get(task) else { return Memory::default() };
        let is_here = memory.dir.as_os_str().is_empty() || memory.dir == dir;
        Memory {
            session: memory.session.clone().filter(|_| memory.agent == agent && is_here),
            has_work: memory.has_work && is_here,
            ..memory.clone()
        }
    }

    pub(super) fn keep(&self, task: &TaskId, memory: Memory) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(task.clone(), memory);
    }

    pub(super) fn forget(&self, task: &TaskId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{AgentReport, AttemptOutcome, AttemptReport, TaskRef};
    use std::time::Duration;

    fn event(kind: EventKind) -> Event {
        Event { seq: 1, at: Duration::ZERO, kind }
    }

    fn task() -> TaskRef {
        TaskRef { ix: TaskRef::UNRESOLVED, id: TaskId::new("T1") }
    }

    fn started() -> Event {
        event(EventKind::AttemptStarted { task: task(), attempt: 1, executor: "claude".into(), worker: 1 })
    }

    fn ended(outcome: AttemptOutcome) -> Event {
        let agent =
            AgentReport { agent: "claude".into(), session: Some("s1".into()), ..AgentReport::default() };
        let report = AttemptReport { outcome, agent: Some(Box::new(agent)), ..AttemptReport::default() };
        event(EventKind::AttemptFinished { task: task(), attempt: 1, report: Box::new(report) })
    }

    fn remembered(events: &[Event], agent: &str, dir: &str) -> Memory {
        Memories::of(events).of_task(&task().id, agent, Path::new(dir))
    }

    #[test]
    fn a_session_is_gone_on_with_by_the_same_agent_in_the_same_place() {
        let failed = [started(), ended(AttemptOutcome::ExitCode(1))];
        let memory = remembered(&failed, "claude", "/p");
        assert_eq!((memory.session.as_deref(), memory.has_work), (Some("s1"), true));
        assert_eq!(remembered(&failed, "codex", "/p").session, None);
        let leased = EventKind::WorktreeLeased {
            task: task(),
            attempt: 1,
            path: "/trees/1".into(),
            base: String::new(),
            carried: vec![],
        };
        let in_tree = [started(), event(leased), ended(AttemptOutcome::ExitCode(1))];
        let memory = remembered(&in_tree, "claude", "/trees/2");
        assert_eq!((memory.session, memory.has_work), (None, false));
        assert_eq!(remembered(&in_tree, "claude", "/trees/1").session.as_deref(), Some("s1"));
    }

    #[test]
    fn success_leaves_nothing_and_an_attempt_without_an_end_leaves_its_work() {
        assert_eq!(
            remembered(&[started(), ended(AttemptOutcome::Success)], "claude", "/p"),
            Memory::default()
        );
        let memory = remembered(&[started()], "claude", "/p");
        assert_eq!((memory.session, memory.has_work), (None, true));
    }
}
