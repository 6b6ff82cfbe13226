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
