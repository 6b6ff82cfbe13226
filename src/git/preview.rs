//! What an attempt's work and what came meanwhile are together, before anybody has it: as a tree, and in the attempt's
//! own working tree, so that it can be checked there.

use super::Error;
use super::checkout::write_index;
use super::integrate::Outcome;
use super::renames::Three;
use super::repo::Git;
use super::save::Saved;
use super::tree;
use super::worktree::Worktree;
use git2::Oid;

/// What integrating would start from and lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preview {
    pub tip: Oid,
    /// What nobody has seen yet; none: the attempt's own tree is the result, or there is none, which
    /// [`Git::integrate_onto`] says.
    pub merged: Option<Oid>,
}

/// What became of what an earlier attempt left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
    /// It is in the working tree.
    Work,
    /// There was none, or others have done the same.
    Nothing,
    /// It and what came since contradict each other.
    Contradiction,
    /// It is not in the repository any more.
    Gone,
}

impl Git {
    /// Merges in memory; nothing changes.
    pub fn preview(&mut self, worktree: &Worktree, saved: &Saved) -> Result<Preview, Error> {
        let tip = self.tip()?;
        if tip == worktree.base() {
            return Ok(Preview { tip, merged: None });
        }
        let (_, made) = self.countable(worktree, saved)?;
        let tip_tree = self.tree_of(tip)?;
        let base = self.tree_of(worktree.base())?;
        let trees = Three { base, there: tip_tree, attempt: saved.tree };
        let merged = self.merge_trees(&trees, &made)?;
        let is_result = merged.conflicts.is_empty() && !merged.is.is_empty();
        let update = || tree::update(&self.repo, Some(tip_tree), &merged.is);
        let merged = is_result.then(update).transpose()?;
        Ok(Preview { tip, merged })
    }

    /// Makes the attempt's working tree hold another tree. What it held is saved: that is what `saved` proves.
    pub fn hold(&mut self, worktree: &Worktree, saved: &Saved, tree: Oid) -> Result<(), Error> {
        let root = worktree.root();
        self.check_unchanged(worktree, saved)?;
        let mut cache = self.caches.remove(root).unwrap_or_default();
        self.bring_to(root, &mut cache, tree)?;
        let written = write_index(&worktree.git_dir().join("index"), &mut cache);
        self.caches.insert(root.to_owned(), cache);
        written
    }

    /// Brings what an earlier attempt left into a working tree that was just leased, together with what came since. After
    /// anything but [`Brought::Work`] it holds what it was leased with.
    pub fn go_on_from(&mut self, worktree: &Worktree, commit: Oid) -> Result<Brought, Error> {
        let parent = self.repo.find_commit(commit).and_then(|commit| commit.parent_id(0));
        let Ok(parent) = parent else { return Ok(Brought::Gone) };
        let base = self.tree_of(parent)?;
        let (attempt, there) = (self.tree_of(commit)?, self.tree_of(worktree.base())?);
        let mut made = tree::differences(&self.repo, base, attempt)?;
        made.retain(|change| !self.rules.is_never(&change.path));
        let merged = self.merge_trees(&Three { base, there, attempt }, &made)?;
        if !merged.conflicts.is_empty() {
            return Ok(Brought::Contradiction);
        }
        if merged.is.is_empty() {
            return Ok(Brought::Nothing);
        }
        let tree = tree::update(&self.repo, Some(there), &merged.is)?;
        let root = worktree.root();
        let mut cache = self.caches.remove(root).unwrap_or_default();
        let brought = self.bring_to(root, &mut cache, tree);
        self.caches.insert(root.to_owned(), cache);
        brought.map(|()| Brought::Work)
    }

    /// As [`Git::integrate`], if the tip is still this one.
    pub fn integrate_onto(
        &mut self,
        tip: Oid,
        worktree: &Worktree,
        saved: &Saved,
        may_protected: bool,
    ) -> Result<Option<Outcome>, Error> {
        if self.tip()? != tip {
            return Ok(None);
        }
        self.integrate(worktree, saved, may_protected).map(Some)
    }
}
