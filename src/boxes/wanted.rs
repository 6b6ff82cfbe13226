//! Which boxes are to be ticked, and when each was: four bytes for a task that stands in the known text as it was wanted,
//! more for the few that do not.

use crate::task::{TaskId, TaskIx};
use crate::writeback::{Index, Tick, Want};
use foldhash::HashMap;

/// A task whose box is wanted. Good until the text is read anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// In the known text.
    Here(TaskIx),
    Stray(u32),
}

#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// By place in the known text, for as many as were asked for.
    here: Vec<Mark>,
    /// Wanted otherwise than the known text has them, in the order in which they were asked for. What is not wanted any more
    /// keeps its place.
    strays: Vec<Option<Stray>>,
    by_id: HashMap<TaskId, u32>,
}

#[derive(Debug)]
struct Stray {
    tick: Tick,
    mark: Mark,
}

/// Not wanted, wanted, or ticked at a look, in one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark(u32);

impl Mark {
    const NONE: Mark = Mark(0);
    const WANTED: Mark = Mark(1);

    fn ticked_at(look: u32) -> Mark {
        Mark(look.saturating_add(2))
    }

    /// The look at which it was last ticked.
    fn made(self) -> Option<u32> {
        self.0.checked_sub(2)
    }
}

impl Wanted {
    /// None if it is wanted already.
    pub(super) fn want(&mut self, tick: Tick, index: Option<&Index>) -> Option<Key> {
        if self.stray(&tick.task).is_some() {
            return None;
        }
        if let Some(place) = index.and_then(|index| index.exactly(&tick)) {
            let is_new = self.mark_at(place) == Mark::NONE;
            if is_new {
                self.set_here(place, Mark::WANTED);
            }
            return is_new.then_some(Key::Here(place));
        }
        let known = index.and_then(|index| index.with_id(&tick.task, tick.line));
        let is_new = known.is_none_or(|place| self.mark_at(place) == Mark::NONE);
        if is_new {
            self.add_stray(tick, Mark::WANTED);
        }
        is_new.then(|| Key::Stray(self.strays.len() as u32 - 1))
    }

    /// The task as it is wanted, if it is. `line` is where it may stand.
    pub(super) fn key(&self, task: &TaskId, line: u32, index: Option<&Index>) -> Option<Key> {
        if let Some(stray) = self.stray(task) {
            return Some(stray);
        }
        if self.here.is_empty() {
            return None;
        }
        let place = index?.with_id(task, line)?;
        (self.mark_at(place) != Mark::NONE).then_some(Key::Here(place))
    }

    pub(super) fn drop(&mut self, key: Key) {
        match key {
            Key::Here(place) => self.set_here(place, Mark::NONE),
            Key::Stray(n) => {
                if let Some(stray) = self.strays.get_mut(n as usize).and_then(Option::take) {
                    self.by_id.remove(&stray.tick.task);
                }
            }
        }
    }

    pub(super) fn is_wanted(&self, key: Key) -> bool {
        self.mark(key) != Mark::NONE
    }

    /// The look at which it was last ticked.
    pub(super) fn made(&self, key: Key) -> Option<u32> {
        self.mark(key).made()
    }

    /// Returns when it was ticked before.
    pub(super) fn set_made(&mut self, key: Key, look: u32) -> Option<u32> {
        let before = self.made(key);
        match key {
            Key::Here(place) => self.set_here(place, Mark::ticked_at(look)),
            Key::Stray(n) => {
                let stray = self.strays.get_mut(n as usize).and_then(Option::as_mut);
                stray.into_iter().for_each(|stray| stray.mark = Mark::ticked_at(look));
            }
        }
        before
    }

    /// All that are wanted.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        let here = self.here.iter().zip(0..).filter(|(mark, _)| **mark != Mark::NONE);
        let strays = self.strays.iter().zip(0..).filter(|(stray, _)| stray.is_some());
        here.map(|(_, n)| Key::Here(TaskIx(n))).chain(strays.map(|(_, n)| Key::Stray(n)))
    }

    /// What to look for in the text; None if it is not wanted.
    pub(super) fn want_of(&self, key: Key) -> Option<Want<'_>> {
        match key {
            Key::Here(place) => self.is_wanted(key).then_some(Want::At(place)),
            Key::Stray(n) => Some(Want::Tick(&self.strays.get(n as usize)?.as_ref()?.tick)),
        }
    }

    pub(super) fn id(&self, key: Key, index: Option<&Index>) -> Option<TaskId> {
        match key {
            Key::Here(place) => index?.id(place).cloned(),
            Key::Stray(n) => Some(self.strays.get(n as usize)?.as_ref()?.tick.task.clone()),
        }
    }

    /// The text was `old` and is `new`: what is wanted is looked for there. Nothing holds a part of the old text afterwards:
    /// each edit of a large file would otherwise leave its text behind.
    pub(super) fn move_to(&mut self, old: Option<&Index>, new: &Index) {
        let was = std::mem::take(self);
        let here = was.here.into_iter().zip((0..).map(TaskIx)).filter(|(mark, _)| *mark != Mark::NONE);
        let here = here.filter_map(|(mark, place)| Some((old?.tick(place)?, mark)));
        let strays = was.strays.into_iter().flatten().map(|stray| (stray.tick, stray.mark));
        for (mut tick, mark) in here.chain(strays) {
            new.adopt(&mut tick);
            match new.exactly(&tick).filter(|place| self.mark_at(*place) == Mark::NONE) {
                Some(place) => self.set_here(place, mark),
                None => self.add_stray(tick, mark),
            }
        }
    }

    fn stray(&self, task: &TaskId) -> Option<Key> {
        if self.by_id.is_empty() {
            return None;
        }
        self.by_id.get(task).map(|n| Key::Stray(*n))
    }

    /// As the last of them.
    fn add_stray(&mut self, tick: Tick, mark: Mark) {
        self.by_id.insert(tick.task.clone(), self.strays.len() as u32);
        self.strays.push(Some(Stray { tick, mark }));
    }

    fn set_here(&mut self, place: TaskIx, mark: Mark) {
        if self.here.len() <= place.ix() {
            self.here.resize(place.ix() + 1, Mark::NONE);
        }
        self.here[place.ix()] = mark;
    }

    fn mark_at(&self, place: TaskIx) -> Mark {
        self.here.get(place.ix()).copied().unwrap_or_default()
    }

    fn mark(&self, key: Key) -> Mark {
        match key {
            Key::Here(place) => self.mark_at(place),
            Key::Stray(n) => {
                let stray = self.strays.get(n as usize).and_then(Option::as_ref);
                stray.map_or(Mark::NONE, |stray| stray.mark)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceText;
    use crate::task::Document;

    fn parsed(text: &str) -> (Document, Index) {
        let source = SourceText::new("tasks.md", text);
        let (document, _) = crate::parse::parse(&source);
        let index = Index::new(&document, &source);
        (document, index)
    }

    #[test]
    fn what_is_wanted_follows_its_task_through_edits_of_the_text() {
        let (document, first) = parsed("- [ ] T001 One\n- [ ] T002 Two\n- [~] T003 Three\n");
        let mut wanted = Wanted::default();
        for task in &document.tasks {
            let key = wanted.want(Tick::of(task), Some(&first)).unwrap();
            assert!(matches!(key, Key::Here(_)));
            assert_eq!(wanted.want(Tick::of(task), Some(&first)), None, "wanted already");
            wanted.set_made(key, 7);
        }
        // One moved and is ticked, one has another text, one lost the mark that it had.
        let (_, second) = parsed("# New\n\n- [ ] T002 Zwei\n- [x] T001 One\n- [ ] T003 Three\n");
        wanted.move_to(Some(&first), &second);
        let key = |wanted: &Wanted, id: &str, index| wanted.key(&TaskId::new(id), 0, Some(index)).unwrap();
        assert_eq!(key(&wanted, "T001", &second), Key::Here(TaskIx(1)));
        assert!(matches!(key(&wanted, "T002", &second), Key::Stray(_)));
        assert!(matches!(key(&wanted, "T003", &second), Key::Stray(_)));
        // All is as it was: so is what is known of it.
        wanted.move_to(Some(&second), &first);
        for task in &document.tasks {
            let key = key(&wanted, task.id.as_str(), &first);
            assert!(matches!(key, Key::Here(_)), "{}", task.id);
            assert_eq!(wanted.made(key), Some(7));
        }
        wanted.drop(key(&wanted, "T002", &first));
        assert_eq!(wanted.key(&TaskId::new("T002"), 0, Some(&first)), None);
        assert_eq!(wanted.keys().count(), 2);
    }
}
