//! Writes the derived files at a bounded rate. None of them is the truth: a failure to write one is said, not fatal.

use crate::event::Event;
use crate::fs::{self, Access};
use crate::journal::RunId;
use crate::plan::Plan;
use crate::projection::memory::Frame;
use crate::projection::{Content, Moment, Place, Projections, Section, Target, Write};
use crate::summary::Summary;
use crate::sys::Dir;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// While the run goes on, files are written at most this often, ...
const RATE: Duration = Duration::from_secs(1);
/// ... and never for more than a fiftieth of the time: so many times as long as a write took is waited for the next.
const SHARE: u32 = 50;

/// So many bytes that go behind a file do not wait for it.
const GATHERED: usize = 64 << 10;

/// The largest derived file that is read back, in bytes.
const LIMIT: u64 = 256 << 20;

/// Where they go is held open and entered without following links: tasks can change what lies there, and must not
/// choose what specter overwrites.
pub(super) struct StateFiles {
    project: Root,
    /// Where `.specter/…` files go: the state directory, wherever it is.
    state_dir: Root,
    projections: Projections,
    pub(super) summary: Summary,
    next: Instant,
    written: HashSet<String>,
    said: HashSet<String>,
}

struct Root {
    path: PathBuf,
    /// Why it could not be opened, if so: told of each file that is not written.
    dir: io::Result<Dir>,
}

impl Root {
    fn new(path: &Path) -> Root {
        Root { path: path.to_owned(), dir: Dir::open(path) }
    }

    fn below(&self, relative: &Path, mode: u32) -> io::Result<Dir> {
        match &self.dir {
            Ok(dir) => dir.below(relative, mode),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }
}

impl StateFiles {
    pub(super) fn new(
        project: &Path,
        state_dir: &Path,
        projections: Projections,
        summary: Summary,
    ) -> StateFiles {
        StateFiles {
            project: Root::new(project),
            state_dir: Root::new(state_dir),
            projections,
            summary,
            next: Instant::now() + RATE,
            written: HashSet::new(),
            said: HashSet::new(),
        }
    }

    /// Makes the directories that every run writes to, while there is time. What cannot be made is told of the files that
    /// go there.
    pub(super) fn make_dirs(&self) {
        for place in [Place::LatestCheckpoint, Place::ChangesPlanned] {
            let path = place.path();
            let _ = self.project.below(fs::parent(Path::new(&path)), access(&path).dir_mode());
        }
    }

    pub(super) fn on_event(&mut self, plan: &Plan, event: &Event) {
        self.summary.apply(plan, event);
        self.projections.on_event(plan, &self.summary, event);
    }

    /// Writes what is due; `all` at the end. Returns what could not be written, each problem once.
    pub(super) fn write(&mut self, plan: &Plan, all: bool) -> Vec<String> {
        let started = Instant::now();
        let is_due = all || started >= self.next;
        if !is_due && self.projections.gathered() < GATHERED {
            return Vec::new();
        }
        let moment = if all { Moment::Rest } else { Moment::Going };
        let Self { projections, summary, project, state_dir, written, .. } = self;
        let run = RunId::parse(&summary.info.run);
        let mut places =
            Places { project, state_dir, run, written, entered: Vec::new(), problems: Vec::new() };
        if is_due {
            projections.each_due(plan, summary, moment, &mut places);
        } else {
            projections.append(summary, &mut places);
        }
        let problems = places.problems;
        if is_due {
            self.next = started + RATE.max(started.elapsed() * SHARE);
        }
        problems.into_iter().filter(|problem| self.said.insert(problem.clone())).collect()
    }

    /// What was written in this session, as people name it, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.written.iter().cloned().collect();
        names.sort();
        names
    }
}

/// Where files go, and which did.
struct Places<'a> {
    project: &'a Root,
    state_dir: &'a Root,
    /// None: its name, which is part of a path, is none that specter gives.
    run: Option<RunId>,
    written: &'a mut HashSet<String>,
    /// Directories that this round has entered: most get several files. A handful.
    entered: Vec<Entered>,
    problems: Vec<String>,
}

/// Writes a file at a path. Tried once more where the path's directory is missing.
type Put<'a> = &'a mut dyn FnMut(&Path) -> Result<(), fs::Error>;

struct Entered {
    in_state_dir: bool,
    /// Below the project, or below the state directory.
    relative: PathBuf,
    dir: Dir,
}

impl Target for Places<'_> {
    fn write(&mut self, write: Write) {
        let access = access(&write.place.path());
        self.put(write.place, &mut |here| put_here(here, &write.content, access));
    }

    fn write_pieces(&mut self, place: Place, next: &mut dyn FnMut(&mut String) -> bool) {
        let access = access(&place.path());
        let mut pieces = Pieces { next, is_begun: false };
        self.put(place, &mut |here| {
            pieces.check(here)?;
            fs::replace_name_by(here, access, &mut |file| pieces.write(file))
        });
    }

    fn write_section(&mut self, place: Place, section: Section, next: &mut dyn FnMut(&mut String) -> bool) {
        let access = access(&place.path());
        let mut pieces = Pieces { next, is_begun: false };
        self.put(place, &mut |here| {
            pieces.check(here)?;
            let existing = existing(here)?;
            let frame = Frame::new(existing.as_deref(), section.title, &section.key);
            fs::replace_name_by(here, access, &mut |file| {
                file.write_all(frame.before.as_bytes())?;
                file.write_all(frame.begin.as_bytes())?;
                pieces.write(file)?;
                file.write_all(frame.end.as_bytes())?;
                file.write_all(frame.after.as_bytes())
            })
        });
    }
}

/// A text that comes piece by piece, and once: what is left of it would be no whole file.
struct Pieces<'a> {
    next: &'a mut dyn FnMut(&mut String) -> bool,
    is_begun: bool,
}

impl Pieces<'_> {
    fn check(&self, here: &Path) -> Result<(), fs::Error> {
        if self.is_begun {
            return Err(fs::Error::io("write", here, io::ErrorKind::NotFound.into()));
        }
        Ok(())
    }

    fn write(&mut self, file: &mut File) -> io::Result<()> {
        self.is_begun = true;
        let mut piece = String::new();
        while (self.next)(&mut piece) {
            file.write_all(piece.as_bytes())?;
            piece.clear();
        }
        Ok(())
    }
}

impl Places<'_> {
    fn put(&mut self, place: Place, put: Put<'_>) {
        let mut full = place.path();
        if full.contains("<run>") {
            let Some(run) = &self.run else { return };
            full = full.replace("<run>", run.as_str());
        }
        let (in_state_dir, name) = match full.strip_prefix(".specter/") {
            Some(name) => (true, name),
            None => (false, full.as_str()),
        };
        match self.put_below(in_state_dir, Path::new(name), access(&full), put) {
            Ok(()) if matches!(place, Place::Checkpoint(_)) => {}
            Ok(()) => drop(self.written.insert(full)),
            Err(error) => self.problems.push(format!("a derived file is behind: {error}")),
        }
    }

    fn put_below(
        &mut self,
        in_state_dir: bool,
        name: &Path,
        access: Access,
        put: Put<'_>,
    ) -> Result<(), fs::Error> {
        let root = if in_state_dir { self.state_dir } else { self.project };
        let path = root.path.join(name);
        let (parent, name) = (name.parent().unwrap_or(Path::new("")), name.file_name().unwrap_or_default());
        let is_here = |entered: &Entered| entered.in_state_dir == in_state_dir && entered.relative == parent;
        if let Some(known) = self.entered.iter().position(is_here) {
            match put(&self.entered[known].dir.path().join(name)) {
                // Somebody removed the directory meanwhile: it is made again.
                Err(error) if error.is_not_found() => drop(self.entered.swap_remove(known)),
                result => return result.map_err(|error| error.about(&path)),
            }
        }
        let dir = root
            .below(parent, access.dir_mode())
            .map_err(|error| fs::Error::io("enter", fs::parent(&path), error))?;
        let here = dir.path().join(name);
        self.entered.push(Entered { in_state_dir, relative: parent.to_owned(), dir });
        put(&here).map_err(|error| error.about(&path))
    }
}

/// What is meant to be committed, or read by others' tools, is as the umask says; everything else is private.
fn access(path: &str) -> Access {
    let is_private = path.starts_with(".specter/") || path.starts_with(".specter-state/");
    if is_private { Access::Private } else { Access::Shared }
}

fn put_here(here: &Path, content: &Content, access: Access) -> Result<(), fs::Error> {
    match content {
        Content::Append(text) => fs::append(here, text.as_bytes()),
        Content::Replace(text) => fs::replace_name(here, text.as_bytes(), access),
        other => {
            let whole = other.onto(existing(here)?.as_deref());
            fs::replace_name(here, whole.as_bytes(), access)
        }
    }
}

/// What the file holds now, if there is one.
fn existing(here: &Path) -> Result<Option<String>, fs::Error> {
    match fs::read_no_link(here, LIMIT) {
        Ok(contents) => Ok(Some(match String::from_utf8(contents.bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::memory;

    #[test]
    fn a_section_that_comes_in_pieces_reads_as_one_that_came_whole() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::new(dir.path());
        let file = dir.path().join(Place::ChangesCompleted.path());
        let mut expected = None;
        for (key, count) in [("001-a@1", 3), ("001-a@2", 1), ("001-a@1", 5)] {
            let lines: Vec<String> = (0..count).map(|n| format!("- [x] T{n} ({key})\n")).collect();
            let mut written = HashSet::new();
            let mut places = Places {
                project: &root,
                state_dir: &root,
                run: None,
                written: &mut written,
                entered: Vec::new(),
                problems: Vec::new(),
            };
            let mut pieces = lines.iter();
            let section = Section { title: "Changes completed", key: key.to_owned() };
            places.write_section(Place::ChangesCompleted, section, &mut |text| {
                pieces.next().map(|line| text.push_str(line)).is_some()
            });
            assert_eq!(places.problems, Vec::<String>::new());
            let whole = memory::merge(expected.as_deref(), "Changes completed", key, &lines.concat());
            assert_eq!(std::fs::read_to_string(&file).unwrap(), whole);
            let edited = format!("mine\n{whole}mine too");
            std::fs::write(&file, &edited).unwrap();
            expected = Some(edited);
        }
    }
}
