//! What tasks were seen to write in earlier runs, as far as it counts for this plan (SPEC 3.2).
//!
//! Knows nothing of where that is kept. A fact holds for the task it was seen of: by id and title, so that a task that was
//! written anew is not judged by what another did under its id.

use super::Plan;
use crate::task::{Task, TaskId, TaskIx};
use crate::text::fnv1a;

/// Files that the tools of many tasks write in passing. They are merged by rule or made again, and would put every task
/// after every other.
const BY_THE_WAY: [&str; 17] = [
    "Cargo.lock",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "bun.lockb",
    "deno.lock",
    "poetry.lock",
    "pdm.lock",
    "uv.lock",
    "Pipfile.lock",
    "Gemfile.lock",
    "composer.lock",
    "mix.lock",
    "go.sum",
    "flake.lock",
];

/// What one task was seen to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    pub task: TaskId,
    /// Of the task as it was written then: [`title_mark`].
    pub title: u64,
    /// Relative to the project.
    pub files: Vec<String>,
    /// The run in which that was.
    pub run: String,
}

impl Observed {
    pub(super) fn is_of(&self, task: &Task) -> bool {
        self.task == task.id && self.title == title_mark(&task.title)
    }

    pub(super) fn counted(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str).filter(|path| counts(path))
    }
}

/// A path from the repository's root as one from the project. `within` is where the project lies in the repository,
/// with a slash at its end, or nothing.
pub fn from_project(path: &str, within: &str) -> String {
    match path.strip_prefix(within) {
        Some(below) => below.to_owned(),
        None => format!("{}{path}", "../".repeat(within.matches('/').count())),
    }
}

/// Tells titles apart, also in another process.
pub fn title_mark(title: &str) -> u64 {
    fnv1a(title.as_bytes())
}

/// Whether tasks that write the file come one after the other.
pub fn counts(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    !BY_THE_WAY.contains(&name)
}

/// An order between two tasks that their lines do not tell: at least one of them was only seen to write the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub first: TaskIx,
    pub then: TaskIx,
    /// What `then` writes; `first` writes this, or something above or below it.
    pub path: String,
    /// The run in which `first` was seen to write it; none if its line names it.
    pub by_first: Option<String>,
    /// The same of `then`.
    pub by_then: Option<String>,
}

impl Plan {
    /// Why `then` comes after `first`, if only observation says so.
    pub fn sighting(&self, first: TaskIx, then: TaskIx) -> Option<&Sighting> {
        let key = (then, first);
        let at = self.sightings.binary_search_by_key(&key, |seen| (seen.then, seen.first)).ok()?;
        self.sightings.get(at)
    }
}
