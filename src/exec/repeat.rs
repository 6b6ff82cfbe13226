//! Failures that come back word for word: what nobody knows a reason for and prints the same text twice would print it
//! a third time. Knows nothing of how often a task may be tried.

use crate::event::AttemptOutcome;
use crate::task::TaskId;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

/// How each task's last failure read; only those of no known class are kept.
#[derive(Debug, Default)]
pub(super) struct LastFailures(Mutex<HashMap<TaskId, u64>>);

impl LastFailures {
    /// Notes a failure; true if the one before it was the same. One that prints nothing says nothing.
    pub(super) fn is_same_again(&self, task: &TaskId, outcome: &AttemptOutcome, tail: &str) -> bool {
        if tail.trim().is_empty() {
            return false;
        }
        let mut hasher = DefaultHasher::new();
        (format!("{outcome:?}"), tail).hash(&mut hasher);
        let print = hasher.finish();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.insert(task.clone(), print) == Some(print)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_words_and_the_same_end_of_the_same_task_are_the_same() {
        let last = LastFailures::default();
        let (one, other) = (TaskId::new("T1"), TaskId::new("T2"));
        let same = |task, code, tail| last.is_same_again(task, &AttemptOutcome::ExitCode(code), tail);
        assert!(!same(&one, 1, "no"));
        assert!(!same(&other, 1, "no"));
        assert!(!same(&one, 2, "no"));
        assert!(!same(&one, 2, "no, 3 failed"));
        assert!(same(&one, 2, "no, 3 failed"));
        assert!(!same(&one, 2, "\n") && !same(&one, 2, "\n"));
    }
}
