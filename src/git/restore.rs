//! Checkpoints: the whole working tree under a name, and back to it. Going back saves first what is there, so that
//! going back can be gone back on.

use super::error::git;
use super::integrate::step;
use super::intent::Steps;
use super::names::ROOT;
use super::repo::Git;
use super::save::{Saved, bytes_of, is_at_or_below};
use super::show::How;
use super::tree::{self, Changes};
use super::{Attempt, Error};
use git2::Oid;
use std::path::PathBuf;

/// A saved state of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub name: String,
    pub reference: String,
    pub commit: Oid,
    pub tree: Oid,
    /// Seconds since 1970.
    pub at: i64,
}

/// What going back did.
#[derive(Debug)]
pub struct Restored {
    /// The new tip: attempts start from here.
    pub tip: Oid,
    /// Where the working tree was before.
    pub saved: Saved,
    pub paths: Vec<PathBuf>,
    /// Paths that somebody wrote in the very moment.
    pub kept: Vec<PathBuf>,
    /// Holds files that were replaced and that a checkpoint leaves out, because git ignores them.
    pub rescued: Option<String>,
}

const NAME: &str = "Specter-Checkpoint: ";
/// How the message of a going back begins.
pub(super) const BACK: &str = "back to ";
/// Under which name was saved what the working tree held before.
const BEFORE: &str = "Specter-Before: ";

impl Git {
    /// Saves the working tree under a name.
    pub fn checkpoint(&mut self, name: &str) -> Result<Saved, Error> {
        let title = name.replace(['\n', '\r'], " ");
        let reference = self.run.checkpoint(name);
        self.save_main(&reference, &format!("checkpoint {title}\n\n{NAME}{title}\n"))
    }

    /// The reference of a checkpoint with this name, whether or not there is one.
    pub fn checkpoint_reference(&self, name: &str) -> String {
        self.run.checkpoint(name)
    }

    /// All of this run, oldest first.
    pub fn checkpoints(&self) -> Result<Vec<Checkpoint>, Error> {
        let mut found = Vec::new();
        for (reference, commit) in self.references(&self.run.checkpoints())? {
            let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
            let name =
                message.lines().find_map(|line| line.strip_prefix(NAME)).unwrap_or_default().to_owned();
            let (tree, at) = (commit.tree_id(), commit.time().seconds());
            found.push(Checkpoint { name, reference, commit: commit.id(), tree, at });
        }
        found.sort_by_key(|checkpoint| (checkpoint.at, checkpoint.reference.clone()));
        Ok(found)
    }

    /// Every attempt that was ever saved, of any run: its reference, whose it is, its commit.
    pub fn saved_attempts(&self) -> Result<Vec<(String, Option<Attempt>, Oid)>, Error> {
        let found = self.references(&format!("{ROOT}/attempts/"))?;
        let of =
            |commit: &git2::Commit<'_>| Attempt::of_message(&String::from_utf8_lossy(commit.message_bytes()));
        Ok(found.into_iter().map(|(name, commit)| (name, of(&commit), commit.id())).collect())
    }

    pub(super) fn references(&self, prefix: &str) -> Result<Vec<(String, git2::Commit<'_>)>, Error> {
        let list = || -> Result<_, git2::Error> {
            let mut found = Vec::new();
            for reference in self.repo.references_glob(&format!("{prefix}*"))? {
                let reference = reference?;
                let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
                found.push((name, reference.peel_to_commit()?));
            }
            Ok(found)
        };
        list().map_err(git("list the references"))
    }

    /// What going back to a commit would change, without changing anything.
    pub fn would_restore(&mut self, commit: Oid, except: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
        Ok(self.would_change(commit, except)?.into_iter().map(|(path, _)| path).collect())
    }

    /// The same, with what would become of each file.
    pub fn would_change(&mut self, commit: Oid, except: &[PathBuf]) -> Result<Vec<(PathBuf, How)>, Error> {
        let target = self.tree_of(commit)?;
        let here = self.snapshot_main()?.tree;
        let changes = tree::differences(&self.repo, here, target)?;
        let changes = changes.into_iter().filter(|change| !is_excepted(&change.path, except));
        let how = |change: &tree::Differs| match (change.old, change.new) {
            (None, _) => How::Added,
            (_, None) => How::Removed,
            _ => How::Changed,
        };
        Ok(changes.map(|change| (super::integrate::path_of(&change.path), how(&change))).collect())
    }

    /// Makes the working tree hold what a commit holds, but for `except`. What is there is saved as `save_as` before.
    pub fn restore(&mut self, commit: Oid, save_as: &str, except: &[PathBuf]) -> Result<Restored, Error> {
        if self.has_open_intent()? {
            return Err(Error::Unfinished);
        }
        let target = self.tree_of(commit)?;
        let saved = self.checkpoint(save_as)?;
        let changes = tree::differences(&self.repo, saved.tree, target)?;
        let steps: Steps = changes
            .into_iter()
            .filter(|change| !is_excepted(&change.path, except))
            .map(|change| (change.path, step(change.old, change.new)))
            .collect();
        self.go(saved, &steps, &format!("{BACK}{commit}\n\n{BEFORE}{save_as}\n"), None)
    }

    /// Whether the working tree has gone away, to the end, from what it was when it was saved under this name.
    pub fn has_left(&self, save_as: &str) -> Result<bool, Error> {
        let Some(tip) = self.find_ref(&self.run.tip())? else { return Ok(false) };
        let mut found = false;
        self.back_from(tip, None, |commit| {
            let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
            found = message.lines().any(|line| line.strip_prefix(BEFORE) == Some(save_as));
            Ok(!found)
        })?;
        Ok(found)
    }

    /// Makes single paths hold something else; all others stay. What is there is saved as `save_as` before, also what
    /// git ignores; a path whose content cannot be saved is an error, and nothing is changed.
    pub(super) fn put_in_place(&mut self, changes: &Changes, save_as: &str) -> Result<Restored, Error> {
        if self.has_open_intent()? {
            return Err(Error::Unfinished);
        }
        let saved = self.checkpoint(save_as)?;
        let mut steps = Steps::new();
        let mut unsaved = Changes::new();
        for (path, after) in changes {
            let before = self.on_disk(path)?;
            if before == *after {
                continue;
            }
            if before.is_some() && tree::at_path(&self.repo, saved.tree, path)? != before {
                unsaved.insert(path.clone(), before);
            }
            steps.insert(path.clone(), step(before, *after));
        }
        let rescued = if unsaved.is_empty() {
            None
        } else {
            let tree = tree::update(&self.repo, None, &unsaved)?;
            Some(self.rescue(tree, &[], &format!("what git ignores, {save_as}\n"))?)
        };
        self.go(saved, &steps, &format!("single files\n\n{BEFORE}{save_as}\n"), rescued)
    }

    fn go(
        &mut self,
        saved: Saved,
        steps: &Steps,
        message: &str,
        rescued: Option<String>,
    ) -> Result<Restored, Error> {
        let tip = self.tip()?;
        let list = steps.iter().map(|(path, step)| (path.clone(), step.after)).collect();
        let tree = tree::update(&self.repo, Some(saved.tree), &list)?;
        let new_tip = self.commit(tree, &[tip], message)?;
        self.intend(tip, new_tip, steps)?;
        let kept = self.carry_out_intent()?;
        let paths = steps.keys().map(|path| super::integrate::path_of(path)).collect();
        Ok(Restored { tip: new_tip, saved, paths, kept, rescued })
    }
}

pub(super) fn is_excepted(path: &[u8], except: &[PathBuf]) -> bool {
    except.iter().any(|top| is_at_or_below(path, &bytes_of(top)))
}
