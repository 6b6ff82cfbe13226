//! Letting go of what finished runs kept: their references, after somebody asked for exactly these. Objects that
//! nothing names any more are the affair of `git gc`. Nothing here happens by itself.

use super::Error;
use super::error::git;
use super::names::{ROOT, Run};
use super::repo::Git;
use git2::{ErrorCode, Oid};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A reference that could go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expirable {
    /// The run, as references name it.
    pub run: String,
    pub reference: String,
    pub commit: Oid,
    /// When it was saved: seconds since 1970.
    pub at: i64,
}

impl Git {
    /// What could go of these runs, which the caller knows to be finished, oldest first. The `keep` newest of them stay,
    /// as does what is of `since` (seconds since 1970) or later, whatever changes the working tree half way, and this
    /// run. Nothing is deleted.
    pub fn expirable(&self, finished: &[Run], keep: usize, since: i64) -> Result<Vec<Expirable>, Error> {
        let mut runs: BTreeMap<&str, Vec<Expirable>> =
            finished.iter().map(|run| (run.name(), Vec::new())).collect();
        runs.remove(self.run.name());
        let list = || -> Result<(), git2::Error> {
            for reference in self.repo.references_glob(&format!("{ROOT}/*"))? {
                let reference = reference?;
                let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
                let (Some(run), Ok(commit)) = (run_of(&name), reference.peel_to_commit()) else { continue };
                if let Some(found) = runs.get_mut(run) {
                    let (run, at) = (run.to_owned(), commit.time().seconds());
                    found.push(Expirable { run, reference: name, commit: commit.id(), at });
                }
            }
            Ok(())
        };
        let mut list = list;
        list().map_err(git("list the references"))?;
        let mut runs: Vec<Vec<Expirable>> = runs.into_values().filter(|found| !found.is_empty()).collect();
        let last = |found: &Vec<Expirable>| found.iter().map(|one| one.at).max();
        runs.sort_by_key(|found| Reverse(last(found)));
        let mut gone = Vec::new();
        for found in runs.into_iter().skip(keep).rev() {
            if last(&found) < Some(since) && !self.is_half_way(&found)? {
                gone.extend(found);
            }
        }
        Ok(gone)
    }

    /// Deletes references that [`Git::expirable`] listed, those that still are what they were; which ones.
    pub fn expire(&self, listed: &[Expirable]) -> Result<Vec<String>, Error> {
        let mut deleted = Vec::new();
        for one in listed {
            self.steps.next()?;
            let delete = || -> Result<bool, git2::Error> {
                let mut reference = self.repo.find_reference(&one.reference)?;
                let is_same = reference.target() == Some(one.commit) && run_of(&one.reference).is_some();
                if is_same {
                    reference.delete()?;
                }
                Ok(is_same)
            };
            match delete() {
                Ok(true) => deleted.push(one.reference.clone()),
                Ok(false) => {}
                // Somebody else moved or deleted it.
                Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::Modified) => {}
                Err(error) => return Err(git("delete a reference")(error)),
            }
        }
        Ok(deleted)
    }

    /// True if a run stopped while it changed the working tree: what it meant to do is named nowhere else.
    fn is_half_way(&self, found: &[Expirable]) -> Result<bool, Error> {
        let at = |name: &str| found.iter().find(|one| one.reference.ends_with(name)).map(|one| one.commit);
        let (Some(intent), Some(tip)) = (at("/intent"), at("/tip")) else { return Ok(false) };
        let intent = self.repo.find_commit(intent).map_err(git("read a commit"))?;
        Ok(intent.parent_ids().next() == Some(tip))
    }
}

/// Whose a reference is: `refs/specter/<run>/…` or `refs/specter/attempts/<run>/…`.
fn run_of(reference: &str) -> Option<&str> {
    let rest = reference.strip_prefix(ROOT)?.strip_prefix('/')?;
    let (run, more) = rest.strip_prefix("attempts/").unwrap_or(rest).split_once('/')?;
    (!more.is_empty()).then_some(run)
}
