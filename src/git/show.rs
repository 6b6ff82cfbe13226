//! What specter keeps, looked at: every saved attempt of every run and what was rescued, what each changed, and the
//! files of it put somewhere. Writes no reference but where files of the project are replaced.

use super::disk::{self, Place, join};
use super::error::{at, git};
use super::names::ROOT;
use super::repo::Git;
use super::restore::{Restored, is_excepted};
use super::save::{Saved, bytes_of, is_at_or_below};
use super::tree::{self, Changes, RelPath};
use super::worktree::Worktree;
use super::{Attempt, Error, Kind, Outcome};
use git2::{Delta, Diff, DiffFormat, DiffOptions, Oid, Patch};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Something that is kept under a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub reference: String,
    /// As [`super::Run::name`] has it.
    pub run: String,
    /// Whose it is; none: it was rescued.
    pub attempt: Option<Attempt>,
    pub commit: Oid,
    /// What it started from, if that is known.
    pub base: Option<Oid>,
    /// Seconds since 1970.
    pub at: i64,
    /// In words, for what is no attempt's.
    pub title: String,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Added,
    Changed,
    Removed,
}

/// A file that an attempt changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    pub path: PathBuf,
    pub how: How,
    /// Lines; none where it is no text.
    pub lines: Option<(usize, usize)>,
    /// Git does not keep it: it was saved beside the rest.
    pub is_ignored: bool,
}

/// What was written into another directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenOut {
    pub written: Vec<PathBuf>,
    /// Other content stood there, and stays.
    pub stay: Vec<PathBuf>,
}

/// A path that was asked for and is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmatched(pub PathBuf);

/// The message of a commit that holds what git ignores.
pub(super) const IGNORED: &str = "what git ignores";

/// Whether specter keeps anything in the repository that holds `inside`.
pub fn keeps_anything(inside: &Path) -> bool {
    let Ok(repo) = super::repo::discover(inside) else { return false };
    repo.references_glob(&format!("{ROOT}/*")).is_ok_and(|mut found| found.next().is_some())
}

impl Git {
    /// Every attempt that was ever saved, of any run, and everything that was rescued, oldest first.
    pub fn kept(&self) -> Result<Vec<Kept>, Error> {
        let mut kept = Vec::new();
        let attempts = format!("{ROOT}/attempts/");
        for (reference, commit) in self.references(&format!("{ROOT}/"))? {
            let below = &reference[ROOT.len() + 1..];
            let mut names = below.split('/');
            let (first, second) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
            let is_attempt = reference.starts_with(&attempts);
            if !is_attempt && second != "rescued" {
                continue;
            }
            let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
            let attempt = Attempt::of_message(&message).filter(|_| is_attempt);
            let run = if is_attempt { second } else { first }.to_owned();
            let base = commit.parent_id(0).ok().filter(|_| attempt.is_some());
            let title = message.lines().next().unwrap_or_default().to_owned();
            let (id, at) = (commit.id(), commit.time().seconds());
            kept.push(Kept { reference, run, attempt, commit: id, base, at, title });
        }
        kept.sort_by(|a, b| (a.at, &a.reference).cmp(&(b.at, &b.reference)));
        Ok(kept)
    }

    /// What a reference of specter's points to; none if there is no such reference, or it is none of specter's.
    pub fn find(&self, reference: &str) -> Result<Option<Oid>, Error> {
        if !reference.starts_with(ROOT) || !git2::Reference::is_valid_name(reference) {
            return Ok(None);
        }
        self.find_ref(reference)
    }

    /// When a commit was made, in seconds since 1970.
    pub fn made_at(&self, commit: Oid) -> Result<i64, Error> {
        self.repo.find_commit(commit).map(|commit| commit.time().seconds()).map_err(git("read a commit"))
    }

    /// The commits with which attempts of a run ([`super::Run::name`]) were integrated.
    pub fn all_integrated(&self, run: &str) -> Result<HashMap<Attempt, Oid>, Error> {
        let mut found = HashMap::new();
        let tip = format!("{ROOT}/{run}/tip");
        if let Some(tip) = if git2::Reference::is_valid_name(&tip) { self.find_ref(&tip)? } else { None } {
            self.back_from(tip, None, |commit| {
                if let Some(attempt) = Attempt::of_message(&String::from_utf8_lossy(commit.message_bytes())) {
                    found.entry(attempt).or_insert(commit.id());
                }
                Ok(true)
            })?;
        }
        Ok(found)
    }

    /// Files of a commit whose content is not in the repository any more.
    pub fn missing(&self, commit: Oid) -> Result<Vec<PathBuf>, Error> {
        let odb = self.repo.odb().map_err(git("open the objects"))?;
        let files = tree::flatten(&self.repo, self.tree_of(commit)?)?;
        let is_missing = |entry: &tree::Entry| entry.kind != Kind::Submodule && !odb.exists(entry.id);
        let missing = files.iter().filter(|(_, entry)| is_missing(entry));
        Ok(missing.map(|(path, _)| super::integrate::path_of(path)).collect())
    }

    /// How many files differ between two commits, but for `except`.
    pub fn differing(&self, old: Oid, new: Oid, except: &[PathBuf]) -> Result<usize, Error> {
        let differ = tree::differences(&self.repo, self.tree_of(old)?, self.tree_of(new)?)?;
        Ok(differ.iter().filter(|change| !is_excepted(&change.path, except)).count())
    }

    /// How many files it changed.
    pub fn count_changes(&self, kept: &Kept) -> Result<usize, Error> {
        let (old, new) = self.sides(kept)?;
        let ignored = match self.ignored_tree(kept)? {
            Some(tree) => tree::flatten(&self.repo, tree)?.len(),
            None => 0,
        };
        Ok(tree::differences(&self.repo, old, new)?.len() + ignored)
    }

    /// What it changed, by path; what git ignores last.
    pub fn changes(&self, kept: &Kept) -> Result<Vec<FileChange>, Error> {
        let (old, new) = self.sides(kept)?;
        let mut changes = file_changes(&self.diff(old, new, &[], false)?, false)?;
        if let Some(ignored) = self.ignored_tree(kept)? {
            let empty = tree::empty_tree(&self.repo)?;
            changes.extend(file_changes(&self.diff(empty, ignored, &[], false)?, true)?);
        }
        Ok(changes)
    }

    /// What it changed as a patch, of all or some paths: pieces of lines, each with its kind (`+`, `-`, ` `, others
    /// for headings). `whole`: also what is no text, so that the patch can be applied.
    pub fn patch(
        &self,
        kept: &Kept,
        paths: &[PathBuf],
        whole: bool,
        piece: &mut dyn FnMut(char, &[u8]) -> bool,
    ) -> Result<(), Error> {
        let (old, new) = self.sides(kept)?;
        let mut sides = vec![(old, new)];
        if let Some(ignored) = self.ignored_tree(kept)? {
            sides.push((tree::empty_tree(&self.repo)?, ignored));
        }
        for (old, new) in sides {
            let diff = self.diff(old, new, paths, whole)?;
            let mut goes_on = true;
            let printed = diff.print(DiffFormat::Patch, |_, _, line| {
                goes_on = piece(line.origin(), line.content());
                goes_on
            });
            if goes_on {
                printed.map_err(git("write a patch"))?;
            }
        }
        Ok(())
    }

    /// Puts what it changed, or the files at some paths as it left them, into the project. What is there is saved as
    /// `save_as` before.
    pub fn put_back(
        &mut self,
        kept: &Kept,
        paths: &[PathBuf],
        save_as: &str,
    ) -> Result<Result<Restored, Vec<Unmatched>>, Error> {
        match self.wanted(kept, paths)? {
            Ok(changes) => self.put_in_place(&changes, save_as).map(Ok),
            Err(unmatched) => Ok(Err(unmatched)),
        }
    }

    /// Integrates an attempt that a person has looked at, from what is kept of it.
    pub fn accept(&mut self, kept: &Kept) -> Result<Outcome, Error> {
        let (Some(attempt), Some(base)) = (kept.attempt.clone(), kept.base) else {
            return Ok(Outcome::Nothing { dropped: Vec::new() });
        };
        let worktree = Worktree::given_back(base, attempt);
        let saved = Saved {
            root: worktree.root().to_owned(),
            tree: self.tree_of(kept.commit)?,
            commit: kept.commit,
            reference: kept.reference.clone(),
            left_out: Vec::new(),
            ignored: std::collections::BTreeMap::new(),
        };
        self.integrate(&worktree, &saved, true)
    }

    /// Which paths [`Git::put_back`] would change.
    pub fn would_put_back(&self, kept: &Kept, paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
        let Ok(changes) = self.wanted(kept, paths)? else { return Ok(Vec::new()) };
        let mut differ = Vec::new();
        for (path, after) in &changes {
            if self.on_disk(path)? != *after {
                differ.push(super::integrate::path_of(path));
            }
        }
        Ok(differ)
    }

    /// Writes the files into another directory. Nothing that is there already is touched.
    pub fn write_out(
        &self,
        kept: &Kept,
        paths: &[PathBuf],
        dir: &Path,
    ) -> Result<Result<WrittenOut, Vec<Unmatched>>, Error> {
        let changes = match self.wanted(kept, paths)? {
            Ok(changes) => changes,
            Err(unmatched) => return Ok(Err(unmatched)),
        };
        std::fs::create_dir_all(dir).map_err(at("create directory", dir))?;
        let (mut written, mut stay) = (Vec::new(), Vec::new());
        for (path, entry) in changes {
            let Some(entry) = entry.filter(|entry| entry.kind != Kind::Submodule) else { continue };
            let bytes = self.content(entry.id)?;
            let place = Place::below(dir, &path)?;
            let name = super::integrate::path_of(&path);
            match disk::create(place.path(), entry.kind, &bytes, None) {
                Ok(()) => written.push(name),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    let there = disk::read(&join(dir, &path), self.limits.file_bytes);
                    let is_same = there.is_ok_and(|there| there.bytes == bytes && there.kind == entry.kind);
                    if !is_same {
                        stay.push(name);
                    }
                }
                Err(error) => return Err(Error::io("write", &join(dir, &path), error)),
            }
        }
        Ok(Ok(WrittenOut { written, stay }))
    }

    /// What shall stand at which paths.
    fn wanted(&self, kept: &Kept, paths: &[PathBuf]) -> Result<Result<Changes, Vec<Unmatched>>, Error> {
        let (old, new) = self.sides(kept)?;
        let ignored = match self.ignored_tree(kept)? {
            Some(tree) => tree::flatten(&self.repo, tree)?,
            None => tree::Files::new(),
        };
        let mut changes = Changes::new();
        if paths.is_empty() {
            let made = tree::differences(&self.repo, old, new)?;
            changes.extend(made.into_iter().map(|change| (change.path, change.new)));
            changes.extend(ignored.into_iter().map(|(path, entry)| (path, Some(entry))));
            return Ok(Ok(changes));
        }
        let mut files = tree::flatten(&self.repo, new)?;
        files.extend(ignored);
        let mut unmatched = Vec::new();
        for path in paths {
            let top: RelPath = bytes_of(path);
            let below = files.range(top.clone()..).take_while(|(path, _)| path.starts_with(&top));
            let found: Vec<_> = below.filter(|(path, _)| is_at_or_below(path, &top)).collect();
            if found.is_empty() {
                unmatched.push(Unmatched(path.clone()));
            }
            changes.extend(found.into_iter().map(|(path, entry)| (path.clone(), Some(*entry))));
        }
        Ok(if unmatched.is_empty() { Ok(changes) } else { Err(unmatched) })
    }

    /// The trees before and after.
    fn sides(&self, kept: &Kept) -> Result<(Oid, Oid), Error> {
        let old = match kept.base {
            Some(base) => self.tree_of(base)?,
            None => tree::empty_tree(&self.repo)?,
        };
        Ok((old, self.tree_of(kept.commit)?))
    }

    fn ignored_tree(&self, kept: &Kept) -> Result<Option<Oid>, Error> {
        if kept.attempt.is_none() {
            return Ok(None);
        }
        let commit = self.repo.find_commit(kept.commit).map_err(git("read a commit"))?;
        let beside = commit.parents().skip(1);
        let is_ignored = |parent: &git2::Commit<'_>| {
            parent.author().name_bytes() == b"specter"
                && parent.message_bytes().starts_with(IGNORED.as_bytes())
        };
        Ok(beside.filter(is_ignored).map(|parent| parent.tree_id()).next())
    }

    fn diff(&self, old: Oid, new: Oid, paths: &[PathBuf], whole: bool) -> Result<Diff<'_>, Error> {
        let mut options = DiffOptions::new();
        options.include_typechange(true).ignore_submodules(false).show_binary(whole);
        options.disable_pathspec_match(true);
        if whole {
            options.id_abbrev(40);
        }
        for path in paths {
            options.pathspec(path);
        }
        let mut compare = || {
            let (old, new) = (self.repo.find_tree(old)?, self.repo.find_tree(new)?);
            self.repo.diff_tree_to_tree(Some(&old), Some(&new), Some(&mut options))
        };
        compare().map_err(git("compare two trees"))
    }
}

fn file_changes(diff: &Diff<'_>, is_ignored: bool) -> Result<Vec<FileChange>, Error> {
    let mut changes = Vec::new();
    for (n, delta) in diff.deltas().enumerate() {
        let patch = Patch::from_diff(diff, n).map_err(git("compare two files"))?;
        let stats = patch.filter(|patch| !patch.delta().flags().is_binary());
        let lines = stats.map(|patch| patch.line_stats()).transpose().map_err(git("compare two files"))?;
        let lines = lines.map(|(_, added, removed)| (added, removed));
        let file = if delta.status() == Delta::Deleted { delta.old_file() } else { delta.new_file() };
        let how = match delta.status() {
            Delta::Added => How::Added,
            Delta::Deleted => How::Removed,
            _ => How::Changed,
        };
        let path = super::integrate::path_of(file.path_bytes().unwrap_or_default());
        changes.push(FileChange { path, how, lines, is_ignored });
    }
    Ok(changes)
}
