//! Writes the derived files at a bounded rate. None of them is the truth: a failure to write one is said, not fatal.

use crate::event::Event;
use crate::fs::{self, Access};
use crate::plan::Plan;
use crate::projection::{Content, Moment, Place, Projections, Write};
use crate::summary::Summary;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// While the run goes on, files are written at most this often, ...
const RATE: Duration = Duration::from_secs(1);
/// ... and never for more than a fiftieth of the time: so many times as long as a write took is waited for the next.
const SHARE: u32 = 50;

/// The largest derived file that is read back, in bytes.
const LIMIT: u64 = 256 << 20;

pub(super) struct StateFiles {
    project: PathBuf,
    /// Where `.specter/…` files go: the state directory, wherever it is.
    state_dir: PathBuf,
    projections: Projections,
    pub(super) summary: Summary,
    next: Instant,
    written: HashSet<String>,
    said: HashSet<String>,
}

impl StateFiles {
    pub(super) fn new(
        project: &Path,
        state_dir: &Path,
        projections: Projections,
        summary: Summary,
    ) -> StateFiles {
        StateFiles {
            project: project.to_owned(),
            state_dir: state_dir.to_owned(),
            projections,
            summary,
            next: Instant::now() + RATE,
            written: HashSet::new(),
            said: HashSet::new(),
        }
    }

    pub(super) fn on_event(&mut self, plan: &Plan, event: &Event) {
        self.summary.apply(plan, event);
        self.projections.on_event(plan, &self.summary, event);
    }

    /// Writes what is due; `all` at the end. Returns what could not be written, each problem once.
    pub(super) fn write(&mut self, plan: &Plan, all: bool) -> Vec<String> {
        let started = Instant::now();
        if !all && started < self.next {
            return Vec::new();
        }
        let moment = if all { Moment::Rest } else { Moment::Going };
        let mut problems = Vec::new();
        let Self { projections, summary, project, state_dir, written, .. } = self;
        let mut places = Places { project, state_dir, written };
        projections.each_due(plan, summary, moment, &mut |write| problems.extend(places.put(write)));
        self.next = started + RATE.max(started.elapsed() * SHARE);
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
    project: &'a Path,
    state_dir: &'a Path,
    written: &'a mut HashSet<String>,
}

impl Places<'_> {
    fn put(&mut self, write: Write) -> Option<String> {
        let path = self.path(write.place);
        match put(&path, &write.content, access(write.place)) {
            Ok(()) => {
                if !matches!(write.place, Place::Checkpoint(_)) {
                    self.written.insert(write.place.path());
                }
                None
            }
            Err(error) => Some(format!("a derived file is behind: {error}")),
        }
    }

    fn path(&self, place: Place) -> PathBuf {
        let path = place.path();
        match path.strip_prefix(".specter/") {
            Some(name) => self.state_dir.join(name),
            None => self.project.join(path),
        }
    }
}

/// What lies in the private state directory stays private; the rest is meant to be read and committed.
fn access(place: Place) -> Access {
    if place.path().starts_with(".specter/") { Access::Private } else { Access::Shared }
}

fn put(path: &Path, content: &Content, access: Access) -> Result<(), fs::Error> {
    if access == Access::Shared {
        std::fs::create_dir_all(fs::parent(path))
            .map_err(|error| fs::Error::io("create", fs::parent(path), error))?;
    }
    match content {
        Content::Append(text) => fs::append(path, text.as_bytes()),
        Content::Replace(text) => fs::replace_relaxed(path, text.as_bytes(), access),
        other => {
            let existing = match fs::read(path, LIMIT) {
                Ok(contents) => Some(String::from_utf8_lossy(&contents.bytes).into_owned()),
                Err(error) if error.is_not_found() => None,
                Err(error) => return Err(error),
            };
            fs::replace_relaxed(path, other.onto(existing.as_deref()).as_bytes(), access)
        }
    }
}
