//! Files that are the same ones under another name: what one side did to the content and the other to the name can
//! both happen. Only where libgit2 finds them alike and nothing else could be meant; all else stays a conflict.

use super::Error;
use super::error::git;
use super::tree::{self, Differs, Entry, RelPath};
use git2::{Delta, DiffFindOptions, DiffOptions, Oid, Repository};
use std::collections::BTreeMap;

/// How much of a file, in percent, must be the same. git itself takes half.
const ALIKE: u16 = 60;
/// Where more files than this were added or removed, no file is compared with every other.
const MAX_COMPARED: usize = 400;

/// The trees of a merge.
pub(super) struct Three {
    pub base: Oid,
    pub there: Oid,
    pub attempt: Oid,
}

/// What is merged instead, and where.
pub(super) struct Followed {
    pub path: RelPath,
    pub base: Option<Entry>,
    pub there: Option<Entry>,
    pub attempt: Option<Entry>,
}

/// Which files each side renamed, found out when it is asked for.
pub(super) struct Renames<'a> {
    repo: &'a Repository,
    trees: &'a Three,
    by_attempt: Option<Names>,
    there: Option<Names>,
}

/// From the old path to the new one.
type Names = BTreeMap<RelPath, RelPath>;

impl<'a> Renames<'a> {
    pub(super) fn of(repo: &'a Repository, trees: &'a Three) -> Renames<'a> {
        Renames { repo, trees, by_attempt: None, there: None }
    }

    /// For a change that is in conflict with what is `there`: the same change to the file where it is now.
    pub(super) fn follow(
        &mut self,
        change: &Differs,
        there: Option<Entry>,
        made: &[Differs],
    ) -> Result<Option<Followed>, Error> {
        let is_touched = |path: &[u8]| made.iter().find(|change| change.path == path);
        match (change.old, there, change.new) {
            // Renamed by the attempt, changed there.
            (base @ Some(_), there @ Some(_), None) => {
                let Some(path) = self.by_attempt()?.get(&change.path).cloned() else { return Ok(None) };
                let is_free = tree::at_path(self.repo, self.trees.there, &path)?.is_none();
                let Some(attempt) = is_touched(&path).and_then(|change| change.new) else { return Ok(None) };
                Ok(is_free.then_some(Followed { path, base, there, attempt: Some(attempt) }))
            }
            // Renamed there, changed by the attempt.
            (base @ Some(_), None, attempt @ Some(_)) => {
                let Some(path) = self.there()?.get(&change.path).cloned() else { return Ok(None) };
                let there = tree::at_path(self.repo, self.trees.there, &path)?;
                Ok(is_touched(&path).is_none().then_some(Followed { path, base, there, attempt }))
            }
            // Both made a file of this name: perhaps from the same one.
            (None, there @ Some(_), attempt @ Some(_)) => {
                let from = |names: &Names| {
                    names.iter().find(|(_, new)| **new == change.path).map(|(old, _)| old.clone())
                };
                let (Some(one), Some(other)) = (from(self.by_attempt()?), from(self.there()?)) else {
                    return Ok(None);
                };
                let base = tree::at_path(self.repo, self.trees.base, &one)?;
                Ok((one == other).then_some(Followed { path: change.path.clone(), base, there, attempt }))
            }
            _ => Ok(None),
        }
    }

    fn by_attempt(&mut self) -> Result<&Names, Error> {
        if self.by_attempt.is_none() {
            self.by_attempt = Some(renamed(self.repo, self.trees.base, self.trees.attempt)?);
        }
        Ok(self.by_attempt.get_or_insert_default())
    }

    fn there(&mut self) -> Result<&Names, Error> {
        if self.there.is_none() {
            self.there = Some(renamed(self.repo, self.trees.base, self.trees.there)?);
        }
        Ok(self.there.get_or_insert_default())
    }
}

fn renamed(repo: &Repository, old: Oid, new: Oid) -> Result<Names, Error> {
    let find = || -> Result<Names, git2::Error> {
        let (old, new) = (repo.find_tree(old)?, repo.find_tree(new)?);
        let mut options = DiffOptions::new();
        options.skip_binary_check(true).ignore_submodules(true);
        let mut diff = repo.diff_tree_to_tree(Some(&old), Some(&new), Some(&mut options))?;
        // A content that is there several times could have come from anywhere.
        let mut contents: BTreeMap<Oid, usize> = BTreeMap::new();
        for delta in diff.deltas() {
            let id = match delta.status() {
                Delta::Added => delta.new_file().id(),
                Delta::Deleted => delta.old_file().id(),
                _ => continue,
            };
            *contents.entry(id).or_default() += 1;
        }
        let mut options = DiffFindOptions::new();
        options.renames(true).rename_threshold(ALIKE).rename_limit(MAX_COMPARED);
        diff.find_similar(Some(&mut options))?;
        let mut names = Names::new();
        for delta in diff.deltas().filter(|delta| delta.status() == Delta::Renamed) {
            let (old, new) = (delta.old_file(), delta.new_file());
            let allowed = if old.id() == new.id() { 2 } else { 1 };
            let is_unique = [old.id(), new.id()].iter().all(|id| contents.get(id) == Some(&allowed));
            if let (true, Some(from), Some(to)) = (is_unique, old.path_bytes(), new.path_bytes()) {
                names.insert(from.to_vec(), to.to_vec());
            }
        }
        Ok(names)
    };
    find().map_err(git("look for renamed files"))
}
