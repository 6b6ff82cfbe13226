//! How the tasks of a run ended, by task: a byte each for those that stand in the plan.

use crate::event::TaskRef;
use crate::task::{Task, TaskId, TaskIx};
use foldhash::{HashMap, HashMapExt};
use std::sync::Arc;

/// How a task of the selection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Done,
    Failed,
    Blocked,
    Skipped,
}

/// Knows tasks by their place in the plan it follows, and by id those that it lacks or that an event from disk names.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    tasks: Arc<Vec<Task>>,
    here: Vec<Option<Ended>>,
    others: HashMap<TaskId, Ended>,
}

impl Ends {
    /// Goes on with the tasks of this plan.
    pub(super) fn follow(&mut self, tasks: &Arc<Vec<Task>>) {
        if Arc::ptr_eq(&self.tasks, tasks) {
            return;
        }
        let was = std::mem::take(&mut self.here).into_iter().zip(self.tasks.iter());
        self.others.extend(was.filter_map(|(ended, task)| Some((task.id.clone(), ended?))));
        self.tasks = Arc::clone(tasks);
        if self.others.is_empty() {
            return;
        }
        for (place, task) in tasks.iter().enumerate() {
            if let Some(ended) = self.others.remove(&task.id) {
                self.set(place, Some(ended));
            }
        }
    }

    pub(super) fn insert(&mut self, task: &TaskRef, ended: Ended) -> Option<Ended> {
        match self.place(task) {
            Some(place) => self.set(place, Some(ended)),
            None => self.others.insert(task.id.clone(), ended),
        }
    }

    pub(super) fn remove(&mut self, task: &TaskRef) -> Option<Ended> {
        match self.place(task) {
            Some(place) if place < self.here.len() => self.set(place, None),
            Some(_) => None,
            None => self.others.remove(&task.id),
        }
    }

    /// How those ended that are now as if nothing had happened to them.
    pub(super) fn remove_all<'a>(&mut self, ids: impl Iterator<Item = &'a TaskId>) -> Vec<Ended> {
        let mut ids = ids.peekable();
        if ids.peek().is_none() {
            return Vec::new();
        }
        let mut places = HashMap::with_capacity(self.tasks.len());
        places.extend(self.tasks.iter().zip(0..).map(|(task, place)| (&task.id, TaskIx(place))));
        let named = ids.map(|id| {
            let ix = places.get(id).copied().unwrap_or(TaskRef::UNRESOLVED);
            TaskRef { ix, id: id.clone() }
        });
        let named: Vec<TaskRef> = named.collect();
        named.iter().filter_map(|task| self.remove(task)).collect()
    }

    /// Forgets all but what is done.
    pub(super) fn keep_done(&mut self) {
        self.others.retain(|_, ended| *ended == Ended::Done);
        self.here.iter_mut().for_each(|ended| *ended = ended.filter(|ended| *ended == Ended::Done));
    }

    /// Whether the task at this place ended.
    pub(super) fn has(&self, place: usize, task: &TaskId) -> bool {
        let is_here = self.here.get(place).is_some_and(Option::is_some);
        is_here || !self.others.is_empty() && self.others.contains_key(task)
    }

    fn place(&self, task: &TaskRef) -> Option<usize> {
        let is_there = self.tasks.get(task.ix.ix()).is_some_and(|known| known.id == task.id);
        if is_there && (self.others.is_empty() || !self.others.contains_key(&task.id)) {
            return Some(task.ix.ix());
        }
        // An event from disk, in a view that began with a plan: none does so for many tasks.
        let is_odd = !is_there && task.ix == TaskRef::UNRESOLVED && !self.here.is_empty();
        is_odd.then(|| self.tasks.iter().position(|known| known.id == task.id)).flatten()
    }

    fn set(&mut self, place: usize, ended: Option<Ended>) -> Option<Ended> {
        if self.here.len() <= place {
            self.here.resize(place + 1, None);
        }
        std::mem::replace(&mut self.here[place], ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(ids: &[&str]) -> Arc<Vec<Task>> {
        let text: String = ids.iter().map(|id| format!("- [ ] {id} a\n")).collect();
        let source = crate::source::SourceText::new("tasks.md", text);
        crate::parse::parse(&source).0.tasks.into()
    }

    fn at(ix: u32, id: &str) -> TaskRef {
        TaskRef { ix: TaskIx(ix), id: TaskId::new(id) }
    }

    #[test]
    fn what_ended_follows_its_task_to_another_place_and_out_of_the_plan_and_back() {
        let mut ends = Ends::default();
        let first = tasks(&["T001", "T002", "T003"]);
        ends.follow(&first);
        assert_eq!(ends.insert(&at(0, "T001"), Ended::Done), None);
        assert_eq!(ends.insert(&at(2, "T003"), Ended::Failed), None);
        ends.follow(&tasks(&["T003", "T004"]));
        assert!(ends.has(0, &TaskId::new("T003")) && !ends.has(1, &TaskId::new("T004")));
        assert_eq!(ends.insert(&at(0, "T003"), Ended::Blocked), Some(Ended::Failed));
        let unknown = TaskRef { ix: TaskRef::UNRESOLVED, id: TaskId::new("T003") };
        assert_eq!(ends.insert(&unknown, Ended::Done), Some(Ended::Blocked));
        ends.follow(&first);
        assert_eq!(ends.remove(&at(0, "T001")), Some(Ended::Done));
        assert_eq!(ends.remove_all([TaskId::new("T003"), TaskId::new("T002")].iter()), [Ended::Done]);
        assert_eq!(ends.remove(&at(2, "T003")), None);
    }
}
