//! Ticks boxes in the task file while people and agents edit it (SPEC 2.6).
//!
//! The file is never rewritten: a tick is one byte written in place, while nobody else has the file open, after making
//! sure that it still holds what was read. So inode, mode, links, line ends and every other byte stay, and nobody's save
//! is undone by ours. What an editor's save undoes of ours is found at the next look and ticked again. The journal is the
//! truth; the boxes follow it.
//!
//! A box that lost its tick was either overwritten by an editor that had loaded the file before, or cleared by a
//! person. An editor's old copy lacks every tick since it was loaded: so if one that was made no earlier is still
//! there, a person cleared this one, and it is not ticked again.

mod alone;
mod clear;
mod settle;
mod wanted;

pub use clear::{Cleared, clear};

use crate::diagnostic::Diagnostic;
use crate::fs::{self, Identity};
use crate::source::{NotText, SourceText};
use crate::task::{Document, Task, TaskId};
use crate::writeback::{self, Edits, Index, Tick, TickEdit};
use alone::Room;
use settle::Unreadable;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wanted::{Key, Wanted};

/// How a text is understood; [`crate::parse::parse`] but in tests.
pub type Parse = fn(&SourceText) -> (Document, Vec<Diagnostic>);

/// What one call led to. The ticks in it are on disk.
#[derive(Debug, Default)]
pub struct Ticked {
    /// Newly seen ticked, by us or by others; with their lines.
    pub ticked: Vec<(TaskId, u32)>,
    /// Ticked again after an editor's save had undone it.
    pub reticked: Vec<TaskId>,
    /// Cleared by a person: no longer wanted.
    pub cleared: Vec<TaskId>,
    /// Could not be ticked, and why. Said once for each reason; tried again when the file has changed.
    pub pending: Vec<(TaskId, String)>,
    /// Others changed the file: this is what it held before our ticks.
    pub changed: Option<Edited>,
}

/// The file as others left it.
#[derive(Debug)]
pub struct Edited {
    pub source: SourceText,
    pub document: Document,
    pub diagnostics: Vec<Diagnostic>,
}

/// Whether a person cleared a box that was ticked at look `made` and is open now; else the save of an older text undid
/// it. That text lacks every tick since it was loaded, so a tick made later that still stands, as `newest` does, tells.
///
/// Strictly later: an editor may read the file while a batch is written, and then has some of its ticks.
pub fn is_cleared<Look: Ord>(made: Look, newest: Option<Look>) -> bool {
    newest.is_some_and(|newest| made < newest)
}

/// The boxes of one task file.
#[derive(Debug)]
pub struct Boxes {
    path: PathBuf,
    parse: Parse,
    known: Option<Known>,
    wanted: Wanted,
    /// Wanted, and neither ticked nor stuck in the known text.
    open: Vec<Key>,
    /// The last reason given for each task that could not be ticked.
    stuck: BTreeMap<TaskId, String>,
    /// To read pieces of the file into.
    room: Room,
    /// Counts looks at the file; the time at which ticks were made.
    look: u32,
    /// Ticks up to this look were read back.
    confirmed: u32,
    /// After a failed sync nothing this process reads back proves anything: how it failed.
    failed: Option<String>,
    /// The last look came to no good end: the file cannot be read or written.
    behind: bool,
}

/// The file as it should be: what was last read, and our ticks since.
#[derive(Debug)]
struct Known {
    identity: Identity,
    index: Index,
}

/// Looks in one call, each after writing or after someone else wrote.
const MAX_LOOKS: u32 = 50;

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("the file is not text at the moment: {0}")]
    NotText(&'static str),
    #[error("{0}")]
    Failed(String),
}

impl Boxes {
    /// Reads nothing yet.
    pub fn new(path: impl Into<PathBuf>) -> Boxes {
        Boxes::with_parser(path, crate::parse::parse)
    }

    /// As [`Boxes::new`], for files in which boxes are found in another way.
    pub fn with_parser(path: impl Into<PathBuf>, parse: Parse) -> Boxes {
        Boxes {
            path: path.into(),
            parse,
            known: None,
            wanted: Wanted::default(),
            open: Vec::new(),
            stuck: BTreeMap::new(),
            room: Room::default(),
            look: 0,
            confirmed: 0,
            failed: None,
            behind: false,
        }
    }

    /// Knows the text the plan was made from, and the plan's tasks: what differs from it was changed by others since.
    #[must_use]
    pub fn planned(
        mut self,
        identity: Identity,
        source: &SourceText,
        tasks: &Arc<Vec<Task>>,
        tick: char,
    ) -> Boxes {
        self.known = Some(Known { identity, index: Index::planned(tasks, tick, source) });
        self
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes sure that the boxes of `done`, and of all calls before, are ticked in the file as it is now.
    pub fn tick(&mut self, done: &[Tick]) -> Ticked {
        self.tick_all(done.to_vec())
    }

    /// As [`Boxes::tick`], for ticks that nobody needs afterwards.
    pub fn tick_all(&mut self, done: Vec<Tick>) -> Ticked {
        self.want(done);
        let mut ticked = Ticked::default();
        let mut looks = 0;
        let result = loop {
            looks += 1;
            match self.look(&mut ticked) {
                Ok(true) if looks == MAX_LOOKS => break Err(Unreadable::Restless.into()),
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(trouble) => break Err(trouble),
            }
        };
        self.behind = result.is_err();
        if let Err(trouble) = result {
            self.all_stuck(&trouble, &mut ticked);
        }
        ticked
    }

    /// What is wanted and is not ticked, with the last reason given.
    pub fn pending(&self) -> impl Iterator<Item = (&TaskId, &str)> {
        self.stuck.iter().map(|(task, problem)| (task, problem.as_str()))
    }

    /// Whether boxes are not ticked because the file could not be read or written, not because of what it says.
    pub fn is_behind(&self) -> bool {
        self.behind && !self.stuck.is_empty()
    }

    /// Whether the task's box was ticked here and nobody cleared it since: where the file says otherwise, an editor's
    /// save undid the tick. `line` is where it may stand.
    pub fn is_ticked(&self, task: &TaskId, line: u32) -> bool {
        self.wanted.key(task, line, self.index()).is_some_and(|key| self.wanted.made(key).is_some())
    }

    /// The task is to run again: its box is no longer wanted. `line` is where it may stand.
    pub fn forget(&mut self, task: &TaskId, line: u32) {
        if let Some(key) = self.wanted.key(task, line, self.index()) {
            self.wanted.drop(key);
            self.stuck.remove(task);
            self.open.retain(|open| *open != key);
        }
    }

    fn index(&self) -> Option<&Index> {
        self.known.as_ref().map(|known| &known.index)
    }

    fn want(&mut self, done: Vec<Tick>) {
        let index = self.known.as_ref().map(|known| &known.index);
        for tick in done {
            self.open.extend(self.wanted.want(tick, index));
        }
    }

    /// Reads, understands, ticks. True if the file must be looked at again.
    fn look(&mut self, ticked: &mut Ticked) -> Result<bool, Trouble> {
        let found = settle::read(&self.path, self.known.as_ref().map(|known| &known.index), &mut self.room)?;
        match (&mut self.known, found.bytes) {
            (Some(known), None) => {
                let is_replaced = !known.identity.is_same_file(&found.identity);
                known.identity = found.identity;
                self.confirmed = self.look;
                if is_replaced {
                    self.sync_name()?;
                }
            }
            (_, bytes) => self.understand(bytes.unwrap_or_default(), found.identity, ticked)?,
        }
        self.look += 1;
        self.write(&found.file, ticked)
    }

    /// An editor that saves by renaming does not sync the directory: without this, power loss would bring back a file
    /// that lacks ticks which were reported.
    fn sync_name(&self) -> Result<(), Trouble> {
        Ok(fs::sync_dir(fs::parent(&self.path))?)
    }

    /// Takes up what others wrote.
    fn understand(&mut self, bytes: Vec<u8>, identity: Identity, ticked: &mut Ticked) -> Result<(), Trouble> {
        let source = SourceText::from_bytes(fs::shown(&self.path), bytes)
            .map_err(|error| Trouble::NotText(not_text(&error)))?;
        let (document, diagnostics) = (self.parse)(&source);
        let known = Known { identity, index: Index::new(&document, &source) };
        if self.known.is_some() {
            ticked.changed = Some(Edited { source, document, diagnostics });
        }
        self.sync_name()?;
        let old = self.known.as_ref().map(|known| &known.index);
        self.wanted.move_to(old, &known.index);
        self.known = Some(known);
        self.sort_wanted(ticked);
        Ok(())
    }

    /// Compares what is wanted with a text that is new: drops what a person cleared, the rest is looked up again.
    fn sort_wanted(&mut self, ticked: &mut Ticked) {
        let Some(known) = &self.known else { return };
        self.stuck.clear();
        self.open = self.wanted.keys().collect();
        let now = known.ticks(&self.wanted, &self.open);
        let made = |nth: usize| self.wanted.made(self.open[nth]);
        let newest =
            now.already.iter().filter_map(|(nth, _)| made(*nth)).filter(|at| *at <= self.confirmed).max();
        let is_cleared = |edit: &TickEdit| made(edit.nth).is_some_and(|at| is_cleared(at, newest));
        let cleared = now.edits.iter().filter(|edit| is_cleared(edit)).map(|edit| self.open[edit.nth]);
        let cleared: Vec<Key> = cleared.collect();
        // Few: a person cleared them one by one.
        for key in cleared {
            ticked.cleared.extend(self.id(key));
            self.wanted.drop(key);
        }
        self.open.retain(|key| self.wanted.is_wanted(*key));
    }

    fn id(&self, key: Key) -> Option<TaskId> {
        self.wanted.id(key, self.index())
    }

    /// Ticks what is open. True if the file must be looked at again.
    fn write(&mut self, file: &File, ticked: &mut Ticked) -> Result<bool, Trouble> {
        let Some(known) = self.known.as_mut().filter(|_| !self.open.is_empty()) else { return Ok(false) };
        if let Some(how) = &self.failed {
            return Err(Trouble::Failed(how.clone()));
        }
        let found = known.ticks(&self.wanted, &self.open);
        let written = alone::write(file, &known.index, &found.edits, &mut self.room)
            .map_err(|error| Trouble::File(fs::Error::io("write", &self.path, error)))?;
        let (written, rest) = found.edits.split_at(written);
        // Before the sync: whether or not it fails, these bytes are ours and no edit of others.
        known.index.apply(written);
        if !found.edits.is_empty() || !found.already.is_empty() {
            // Also for those that stood there ticked: whoever wrote them may not have synced.
            let synced = file.sync_data().map_err(|error| fs::Error::io("sync", &self.path, error));
            self.failed = synced.as_ref().err().map(ToString::to_string);
            synced?;
        }
        // Without those that are stuck: they are looked up again when the text has changed.
        let rest = rest.iter().map(|edit| self.open[edit.nth]).collect();
        let tried = std::mem::replace(&mut self.open, rest);
        let mut seen = found.already;
        seen.extend(written.iter().map(|edit| (edit.nth, edit.line)));
        seen.sort_by_key(|(_, line)| *line);
        for (nth, line) in seen {
            self.note(tried[nth], line, ticked);
        }
        for (nth, problem) in &found.problems {
            self.say(tried[*nth], problem.to_string(), ticked);
        }
        Ok(!found.edits.is_empty())
    }

    /// The box of the task wanted there is ticked.
    fn note(&mut self, key: Key, line: u32, ticked: &mut Ticked) {
        let Some(task) = self.id(key) else { return };
        self.stuck.remove(&task);
        match self.wanted.set_made(key, self.look) {
            None => ticked.ticked.push((task, line)),
            Some(_) => ticked.reticked.push(task),
        }
    }

    fn say(&mut self, key: Key, problem: String, ticked: &mut Ticked) {
        let Some(task) = self.id(key) else { return };
        if self.stuck.get(&task) != Some(&problem) {
            self.stuck.insert(task.clone(), problem.clone());
            ticked.pending.push((task, problem));
        }
    }

    fn all_stuck(&mut self, trouble: &Trouble, ticked: &mut Ticked) {
        for key in self.open.clone() {
            self.say(key, trouble.to_string(), ticked);
        }
    }
}

impl Known {
    /// What ticks those of `wanted` that are `open`.
    fn ticks(&self, wanted: &Wanted, open: &[Key]) -> Edits {
        writeback::ticks(&self.index, open.iter().filter_map(|key| wanted.want_of(*key)))
    }
}

fn not_text(error: &NotText) -> &'static str {
    match error {
        NotText::TooLarge { .. } => "it is too large",
        NotText::WideEncoding => "it is not UTF-8",
        NotText::Nul { .. } => "it holds a NUL byte",
        NotText::InvalidUtf8 { .. } => "it holds a byte that is not UTF-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failed_sync_edits_of_others_are_still_seen_and_nothing_is_said_to_be_ticked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tasks.md");
        std::fs::write(&path, "- [ ] T001 one\n- [ ] T002 two\n").unwrap();
        let mut boxes = Boxes::new(&path);
        assert!(boxes.tick(&[]).changed.is_none());
        boxes.failed = Some("no medium".to_owned());

        std::fs::write(&path, "- [ ] T001 one\n- [x] T002 two\n").unwrap();
        let (document, _) =
            crate::parse::parse(&SourceText::new("tasks.md", "- [ ] T001 one\n- [ ] T002 two\n"));
        let ticked = boxes.tick(&[Tick::of(&document.tasks[0])]);
        let edited = ticked.changed.unwrap();
        assert_eq!(edited.document.tasks[1].state, crate::task::State::Done);
        assert!(ticked.ticked.is_empty());
        assert_eq!(ticked.pending, [(TaskId::new("T001"), "no medium".to_owned())]);
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("- [ ] T001"));
    }
}
