//! Ticks boxes in the task file while people and agents edit it (SPEC 2.6).
//!
//! The file is never rewritten: a tick is one byte written in place, at an offset that was verified in the same open
//! file just before. So inode, mode, links, line ends and every other byte stay, and nobody's save is undone by ours.
//! What an editor's save undoes of ours is found at the next look and ticked again. The journal is the truth; the
//! boxes follow it.
//!
//! A box that lost its tick was either overwritten by an editor that had loaded the file before, or cleared by a
//! person. An editor's old copy lacks every tick since it was loaded: so if one that was made no earlier is still
//! there, a person cleared this one, and it is not ticked again.

mod settle;

use crate::diagnostic::Diagnostic;
use crate::fs::{self, Identity};
use crate::source::{NotText, SourceText};
use crate::task::{Document, TaskId};
use crate::writeback::{self, Index, Tick, TickEdit};
use settle::Unreadable;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

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

/// The boxes of one task file.
#[derive(Debug)]
pub struct Boxes {
    path: PathBuf,
    parse: Parse,
    known: Option<Known>,
    wanted: BTreeMap<TaskId, Wanted>,
    /// Wanted, and neither ticked nor stuck in the known text.
    open: Vec<Tick>,
    /// The last reason given for each task that could not be ticked.
    stuck: BTreeMap<TaskId, String>,
    /// Counts looks at the file; the time at which ticks were made.
    look: u64,
    /// Ticks up to this look were read back.
    confirmed: u64,
    /// After a failed sync nothing this process reads back proves anything.
    failed: bool,
}

#[derive(Debug)]
struct Wanted {
    tick: Tick,
    /// The look at which it was last ticked.
    ticked: Option<u64>,
}

/// The file as it should be: what was last read, and our ticks since.
#[derive(Debug)]
struct Known {
    bytes: Vec<u8>,
    identity: Identity,
    source: SourceText,
    document: Document,
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
    #[error("the file could not be synced before")]
    Failed,
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
            wanted: BTreeMap::new(),
            open: Vec::new(),
            stuck: BTreeMap::new(),
            look: 0,
            confirmed: 0,
            failed: false,
        }
    }

    /// Knows the text the plan was made from: what differs from it was changed by others since.
    #[must_use]
    pub fn planned(mut self, contents: fs::Contents, source: SourceText, document: Document) -> Boxes {
        self.known = Some(Known::new(contents, source, document));
        self
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes sure that the boxes of `done`, and of all calls before, are ticked in the file as it is now.
    pub fn tick(&mut self, done: &[Tick]) -> Ticked {
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
        if let Err(trouble) = result {
            self.all_stuck(&trouble, &mut ticked);
        }
        ticked
    }

    /// What is wanted and is not ticked, with the last reason given.
    pub fn pending(&self) -> impl Iterator<Item = (&TaskId, &str)> {
        self.stuck.iter().map(|(task, problem)| (task, problem.as_str()))
    }

    /// Whether the task's box was ticked here and nobody cleared it since: where the file says otherwise, an editor's
    /// save undid the tick.
    pub fn is_ticked(&self, task: &TaskId) -> bool {
        self.wanted.get(task).is_some_and(|wanted| wanted.ticked.is_some())
    }

    /// The task is to run again: its box is no longer wanted.
    pub fn forget(&mut self, task: &TaskId) {
        if self.wanted.remove(task).is_none() {
            return; // the common case: nothing to search for
        }
        self.stuck.remove(task);
        self.open.retain(|tick| tick.task != *task);
    }

    fn want(&mut self, done: &[Tick]) {
        for tick in done {
            if !self.wanted.contains_key(&tick.task) {
                self.wanted.insert(tick.task.clone(), Wanted { tick: tick.clone(), ticked: None });
                self.open.push(tick.clone());
            }
        }
    }

    /// Reads, understands, ticks. True if the file must be looked at again.
    fn look(&mut self, ticked: &mut Ticked) -> Result<bool, Trouble> {
        if self.failed {
            return Err(Trouble::Failed);
        }
        let expected = self.known.as_ref().map(|known| known.bytes.as_slice());
        let (file, contents) = settle::read(&self.path, expected)?;
        match &mut self.known {
            Some(known) if known.bytes == contents.bytes => {
                let is_replaced = !known.identity.is_same_file(&contents.identity);
                known.identity = contents.identity;
                self.confirmed = self.look;
                if is_replaced {
                    self.sync_name()?;
                }
            }
            _ => self.understand(contents, ticked)?,
        }
        self.look += 1;
        self.write(&file, ticked)
    }

    /// An editor that saves by renaming does not sync the directory: without this, power loss would bring back a file
    /// that lacks ticks which were reported.
    fn sync_name(&self) -> Result<(), Trouble> {
        Ok(fs::sync_dir(fs::parent(&self.path))?)
    }

    /// Takes up what others wrote.
    fn understand(&mut self, contents: fs::Contents, ticked: &mut Ticked) -> Result<(), Trouble> {
        let source = SourceText::from_bytes(fs::shown(&self.path), contents.bytes.clone())
            .map_err(|error| Trouble::NotText(not_text(&error)))?;
        let (document, diagnostics) = (self.parse)(&source);
        if self.known.is_some() {
            let (source, document) = (source.clone(), document.clone());
            ticked.changed = Some(Edited { source, document, diagnostics });
        }
        self.sync_name()?;
        self.known = Some(Known::new(contents, source, document));
        self.sort_wanted(ticked);
        Ok(())
    }

    /// Compares what is wanted with a text that is new: drops what a person cleared, the rest is looked up again.
    fn sort_wanted(&mut self, ticked: &mut Ticked) {
        let Some(known) = &self.known else { return };
        self.stuck.clear();
        self.open = self.wanted.values().map(|wanted| wanted.tick.clone()).collect();
        let now = writeback::ticks(&known.document, &known.source, &known.index, &self.open);
        let made = |task: &TaskId| self.wanted.get(task).and_then(|wanted| wanted.ticked);
        let newest =
            now.already.iter().filter_map(|(task, _)| made(task)).filter(|at| *at <= self.confirmed).max();
        // Strictly: an editor may read the file while a batch is written, and then has some of its ticks.
        let is_cleared = |edit: &TickEdit| made(&edit.task).is_some_and(|at| Some(at) < newest);
        let cleared = now.edits.iter().filter(|edit| is_cleared(edit)).map(|edit| edit.task.clone());
        ticked.cleared.extend(cleared);
        // Few: a person cleared them one by one.
        for task in &ticked.cleared {
            self.wanted.remove(task);
        }
        self.open.retain(|tick| self.wanted.contains_key(&tick.task));
    }

    /// Ticks what is open. True if the file must be looked at again.
    fn write(&mut self, file: &File, ticked: &mut Ticked) -> Result<bool, Trouble> {
        let Some(known) = self.known.as_mut().filter(|_| !self.open.is_empty()) else { return Ok(false) };
        let found = writeback::ticks(&known.document, &known.source, &known.index, &self.open);
        let written = write_edits(file, &found.edits)
            .map_err(|error| Trouble::File(fs::Error::io("write", &self.path, error)))?;
        if !found.edits.is_empty() || !found.already.is_empty() {
            // Also for those that stood there ticked: whoever wrote them may not have synced.
            let synced = file.sync_data();
            self.failed = synced.is_err();
            synced.map_err(|error| Trouble::File(fs::Error::io("sync", &self.path, error)))?;
        }
        let (written, rest) = found.edits.split_at(written);
        for edit in written {
            known.apply(edit);
        }
        // Without those that are stuck: they are looked up again when the text has changed.
        let rest = rest.iter().filter_map(|edit| self.wanted.get(&edit.task));
        self.open = rest.map(|wanted| wanted.tick.clone()).collect();
        let mut seen = found.already;
        seen.extend(written.iter().map(|edit| (edit.task.clone(), edit.line)));
        seen.sort_by_key(|(_, line)| *line);
        for (task, line) in seen {
            self.note(task, line, ticked);
        }
        for (task, problem) in &found.problems {
            self.say(task, problem.to_string(), ticked);
        }
        Ok(!found.edits.is_empty())
    }

    /// The box of `task` is ticked.
    fn note(&mut self, task: TaskId, line: u32, ticked: &mut Ticked) {
        self.stuck.remove(&task);
        let Some(wanted) = self.wanted.get_mut(&task) else { return };
        let before = wanted.ticked.replace(self.look);
        match before {
            None => ticked.ticked.push((task, line)),
            Some(_) => ticked.reticked.push(task),
        }
    }

    fn say(&mut self, task: &TaskId, problem: String, ticked: &mut Ticked) {
        if self.stuck.get(task) != Some(&problem) {
            self.stuck.insert(task.clone(), problem.clone());
            ticked.pending.push((task.clone(), problem));
        }
    }

    fn all_stuck(&mut self, trouble: &Trouble, ticked: &mut Ticked) {
        let open: Vec<TaskId> = self.open.iter().map(|tick| tick.task.clone()).collect();
        for task in open {
            self.say(&task, trouble.to_string(), ticked);
        }
    }
}

/// Writes each edit after making sure that its box still stands there; stops at the first that does not.
/// Gives how many were written.
fn write_edits(file: &File, edits: &[TickEdit]) -> io::Result<usize> {
    for (written, edit) in edits.iter().enumerate() {
        let mut marker = [0; 3];
        let Some(start) = edit.offset.checked_sub(1) else { return Ok(written) };
        match file.read_exact_at(&mut marker, start) {
            Ok(()) if marker == [b'[', edit.old, b']'] => file.write_all_at(&[edit.new], edit.offset)?,
            Ok(()) => return Ok(written),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(written),
            Err(error) => return Err(error),
        }
    }
    Ok(edits.len())
}

impl Known {
    fn new(contents: fs::Contents, source: SourceText, document: Document) -> Known {
        let index = Index::new(&document);
        Known { bytes: contents.bytes, identity: contents.identity, source, document, index }
    }

    fn apply(&mut self, edit: &TickEdit) {
        if let Some(byte) = self.bytes.get_mut(edit.offset as usize) {
            *byte = edit.new;
        }
        if let Some(checkbox) =
            self.document.tasks.get_mut(edit.ix.ix()).and_then(|task| task.checkbox.as_mut())
        {
            checkbox.mark = char::from(edit.new).to_string();
        }
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
