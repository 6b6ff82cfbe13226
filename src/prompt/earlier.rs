//! What the attempts before left to say to the next one of the same task: a fold over events. Kept only of tasks that are
//! tried again, and bounded by what an attempt's report holds.

use crate::event::{AnsweredBy, AttemptReport, Conflict, Event, EventKind, Question};
use crate::task::TaskId;
use std::collections::HashMap;

/// What was asked, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub question: Question,
    /// None: nobody was there to answer.
    pub answer: Option<(AnsweredBy, String)>,
}

/// What is known of the attempts of one task so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// Of the last attempt that did not end well.
    pub report: Option<AttemptReport>,
    /// If others' work was in its way.
    pub conflicts: Vec<Conflict>,
    /// The process died under the attempt before, or under one before that whose work is still there.
    pub began_before: bool,
    pub answer: Option<Answer>,
    /// The agent that gave the task to the one who does it now.
    pub handed_by: Option<String>,
    is_running: bool,
    /// By another task that failed or waits; freed of it, it goes on where it was.
    is_blocked: bool,
    /// Told of the attempt that runs.
    now: Vec<Conflict>,
}

/// The past of every task that is not done.
#[derive(Clone, Debug, Default)]
pub struct Earlier {
    tasks: HashMap<TaskId, Past>,
}

impl Earlier {
    pub fn from_events<'e>(events: impl IntoIterator<Item = &'e Event>) -> Earlier {
        let mut earlier = Earlier::default();
        events.into_iter().for_each(|event| earlier.apply(event));
        earlier
    }

    pub fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::AttemptStarted { task, executor, .. } if executor != "shell" => {
                let past = self.tasks.entry(task.id.clone()).or_default();
                past.began_before |= std::mem::replace(&mut past.is_running, true);
                past.is_blocked = false;
            }
            EventKind::TaskBlocked { task, .. } => self.block(&task.id, true),
            EventKind::TaskSkipped { task, .. } => self.block(&task.id, false),
            EventKind::AttemptFinished { task, report, .. } => self.ended(&task.id, report),
            EventKind::Conflicted { task, conflicts, .. } => {
                if let Some(past) = self.tasks.get_mut(&task.id) {
                    past.now.clone_from(conflicts);
                }
            }
            EventKind::AgentChanged { task, from, .. } => {
                self.tasks.entry(task.id.clone()).or_default().handed_by = Some(from.clone());
            }
            EventKind::QuestionAnswered { task, answer, by, .. } => {
                let past = self.tasks.entry(task.id.clone()).or_default();
                past.answer.get_or_insert_default().answer = Some((*by, answer.clone()));
            }
            EventKind::TaskDone { task, .. } => {
                self.tasks.remove(&task.id);
            }
            EventKind::RolledBack { reopened, done: ticked, .. }
            | EventKind::PlanChanged { reopened, ticked, .. } => {
                // What runs goes on, and so does what was only freed; what is asked for anew begins anew.
                for id in reopened {
                    let goes_on = |past: &mut Past| past.is_running || std::mem::take(&mut past.is_blocked);
                    if !self.tasks.get_mut(id).is_some_and(goes_on) {
                        self.tasks.remove(id);
                    }
                }
                ticked.iter().for_each(|id| self.block(id, false));
            }
            _ => {}
        }
    }

    fn block(&mut self, id: &TaskId, is_blocked: bool) {
        if let Some(past) = self.tasks.get_mut(id) {
            past.is_blocked = is_blocked;
        }
    }

    fn ended(&mut self, id: &TaskId, report: &AttemptReport) {
        let Some(past) = self.tasks.get_mut(id) else { return };
        (past.is_running, past.began_before) = (false, false);
        past.conflicts = std::mem::take(&mut past.now);
        let question = report.agent.as_ref().and_then(|agent| agent.asks.as_deref());
        past.answer = question.map(|question| Answer { question: question.clone(), answer: None });
        past.report = (!report.outcome.is_success()).then(|| report.clone());
    }

    /// None: it is its first attempt.
    pub fn of(&self, task: &TaskId) -> Option<&Past> {
        self.tasks.get(task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{AgentReport, AttemptOutcome, FailureClass, TaskRef};
    use std::time::Duration;

    fn task() -> TaskRef {
        TaskRef { ix: TaskRef::UNRESOLVED, id: TaskId::new("T1") }
    }

    fn started() -> EventKind {
        EventKind::AttemptStarted { task: task(), attempt: 1, executor: "claude".into(), worker: 1 }
    }

    fn ended(report: AttemptReport) -> EventKind {
        EventKind::AttemptFinished { task: task(), attempt: 1, report: Box::new(report) }
    }

    fn failed(class: FailureClass) -> AttemptReport {
        AttemptReport { outcome: AttemptOutcome::ExitCode(1), class: Some(class), ..AttemptReport::default() }
    }

    fn past(kinds: Vec<EventKind>) -> Option<Past> {
        let events: Vec<Event> =
            kinds.into_iter().map(|kind| Event { seq: 1, at: Duration::ZERO, kind }).collect();
        Earlier::from_events(&events).of(&task().id).cloned()
    }

    #[test]
    fn the_last_failure_is_remembered_until_the_task_is_done() {
        let one = past(vec![started(), ended(failed(FailureClass::Gate)), started()]).unwrap();
        assert_eq!(one.report.as_ref().and_then(|report| report.class), Some(FailureClass::Gate));
        assert!(!one.began_before);
        let two = past(vec![started(), ended(failed(FailureClass::Gate)), started(), started()]).unwrap();
        assert!(two.began_before && two.report.is_some(), "the process died under the second");
        let (attempts, verdict, duration) = (1, crate::event::Verdict::Verified, Duration::ZERO);
        let done = EventKind::TaskDone { task: task(), attempts, verdict, duration };
        assert_eq!(past(vec![started(), ended(AttemptReport::default()), done]), None);
        assert_eq!(past(vec![]), None);
    }

    #[test]
    fn a_question_is_remembered_with_the_last_answer_to_it() {
        let question = Question { question: "which port".into(), ..Question::default() };
        let agent =
            AgentReport { asks: Some(Box::new(question.clone())), parks: true, ..AgentReport::default() };
        let asks = AttemptReport { agent: Some(Box::new(agent)), ..failed(FailureClass::Gate) };
        let by = AnsweredBy::Person;
        let answer = |answer: &str| EventKind::QuestionAnswered {
            task: task(),
            attempt: 1,
            answer: answer.to_owned(),
            by,
        };
        let told =
            past(vec![started(), ended(asks.clone()), answer("80"), answer("8080"), started()]).unwrap();
        let expected = Answer { question, answer: Some((by, "8080".to_owned())) };
        assert_eq!(told.answer, Some(expected));
        // Answered once is answered: a later failure is about something else.
        let later =
            past(vec![started(), ended(asks), answer("80"), started(), ended(failed(FailureClass::Gate))]);
        assert_eq!(later.unwrap().answer, None);
    }

    #[test]
    fn what_was_blocked_and_is_free_again_goes_on_where_it_was_and_what_was_cleared_begins_anew() {
        let agent = AgentReport { asks: Some(Box::default()), parks: true, ..AgentReport::default() };
        let asks = AttemptReport { agent: Some(Box::new(agent)), ..failed(FailureClass::Gate) };
        let answer = || EventKind::QuestionAnswered {
            task: task(),
            attempt: 1,
            answer: "80".to_owned(),
            by: AnsweredBy::Person,
        };
        let blocked = || EventKind::TaskBlocked { task: task(), by: task() };
        let reopened = || EventKind::PlanChanged {
            added: vec![],
            removed: vec![],
            reopened: vec![TaskId::new("T1")],
            ticked: vec![],
        };
        let before = || vec![started(), ended(asks.clone()), answer()];
        let told =
            |after: Vec<EventKind>| past([before(), after].concat()).and_then(|past| past.answer?.answer);
        assert!(told(vec![blocked(), reopened(), started()]).is_some());
        assert!(told(vec![blocked(), reopened(), reopened(), started()]).is_none());
        assert!(told(vec![reopened(), started()]).is_none());
    }
}
