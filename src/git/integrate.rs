//! Integrating: what an attempt made becomes one commit on specter's own tip and reaches the user's working tree.
//! Branch, index, stash and what the user has not committed stay as they are.
//!
//! First everything is merged in memory; the working tree is touched only if all of it merges, and then only at paths
//! that the attempt changed. Where the user has a version of a path that is nobody else's, that is merged with too.

use super::disk::{self, join};
use super::intent::{Step, Steps};
use super::merge::{Conflict, ConflictKind, Merged};
use super::renames::{Renames, Three};
use super::repo::Git;
use super::rules;
use super::save::{Saved, bytes_of, is_at_or_below};
use super::tree::{self, Changes, Differs, Entry, RelPath};
use super::worktree::Worktree;
use super::{Attempt, Error};
use git2::Oid;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

pub use super::intent::Finished;

/// Directories of specter's own, wherever a tree is looked at.
const OWN: &[&str] =
    &[".specter", ".specter-state", ".specter-memory", ".specify/agents/context/implementation"];

/// What makes tools run commands: a person looks at it first. A name without `/` counts at any depth.
const PROTECTED: &[&str] = &[
    ".gitattributes",
    ".gitmodules",
    ".github/workflows",
    ".github/actions",
    ".gitlab-ci.yml",
    ".circleci",
    ".travis.yml",
    "azure-pipelines.yml",
    "Jenkinsfile",
    ".buildkite",
    ".husky",
    ".pre-commit-config.yaml",
    ".claude",
    ".codex",
    ".gemini",
    ".cursor",
    ".mcp.json",
    ".vscode",
    ".idea",
    ".envrc",
    ".devcontainer",
    ".specify/extensions.yml",
    "specter.toml",
];

/// Which paths an attempt may change.
#[derive(Clone, Debug)]
pub struct Rules {
    own: Vec<RelPath>,
    never: Vec<RelPath>,
    protected: Vec<RelPath>,
}

impl Rules {
    /// `task_files`: relative to the root; changes that attempts make to them are left out.
    pub fn new(task_files: &[PathBuf]) -> Rules {
        let bytes = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect();
        Rules {
            own: bytes(OWN),
            never: task_files.iter().map(|path| bytes_of(path)).collect(),
            protected: bytes(PROTECTED),
        }
    }

    /// The project is not the repository's root but this directory in it: what is specter's own is there too.
    #[must_use]
    pub fn in_directory(mut self, below: &Path) -> Rules {
        if !below.as_os_str().is_empty() {
            let there: Vec<RelPath> = OWN.iter().map(|name| bytes_of(&below.join(name))).collect();
            self.own.extend(there);
        }
        self
    }

    /// More directories of specter's own.
    #[must_use]
    pub fn leaving_out(mut self, paths: &[PathBuf]) -> Rules {
        self.own.extend(paths.iter().map(|path| bytes_of(path)));
        self
    }

    /// More paths that a person looks at first.
    #[must_use]
    pub fn protecting(mut self, paths: &[PathBuf]) -> Rules {
        self.protected.extend(paths.iter().map(|path| bytes_of(path)));
        self
    }

    pub(super) fn own_paths(&self) -> &[RelPath] {
        &self.own
    }

    pub(super) fn is_never(&self, path: &[u8]) -> bool {
        self.own.iter().chain(&self.never).any(|top| is_at_or_below(path, top))
    }

    fn is_protected(&self, path: &[u8]) -> bool {
        self.protected.iter().any(|top| {
            is_at_or_below(path, top)
                || (!top.contains(&b'/')
                    && path.split(|b| *b == b'/').any(|name| name.eq_ignore_ascii_case(top)))
        })
    }
}

/// What became of an attempt's changes.
#[derive(Debug)]
pub enum Outcome {
    Integrated(Integrated),
    /// It changed nothing that counts.
    Nothing {
        dropped: Vec<PathBuf>,
    },
    /// It changed what a person should look at first; nothing was integrated.
    Review {
        paths: Vec<PathBuf>,
    },
    /// Nothing was integrated.
    Conflict(Vec<Conflict>),
}

#[derive(Debug)]
pub struct Integrated {
    /// The new tip.
    pub commit: Oid,
    pub tree: Oid,
    /// What changed in the working tree.
    pub paths: Vec<PathBuf>,
    /// What each of them is now.
    pub written: BTreeMap<PathBuf, Option<Entry>>,
    /// Changes to files that only specter writes.
    pub dropped: Vec<PathBuf>,
    /// The tip had moved since the attempt started: its result was never seen together with what came meanwhile.
    pub was_merged: bool,
    /// Paths that somebody wrote in the very moment: their version stayed, the attempt's is in the commit.
    pub kept: Vec<PathBuf>,
    /// Paths whose lines alone did not merge, and the rule for such files that did.
    pub by_rule: Vec<(PathBuf, &'static str)>,
}

/// What merging several paths came to.
#[derive(Default)]
pub(super) struct Combined<T> {
    pub is: T,
    by_rule: BTreeMap<RelPath, &'static str>,
    /// If there are any, nothing of the rest counts.
    pub conflicts: Vec<Conflict>,
}

/// For [`Integrated::by_rule`].
const FOLLOWED: &str = "followed a renaming";

impl Git {
    /// The commit that holds everything integrated so far. At first: the working tree as the user has it.
    pub fn tip(&mut self) -> Result<Oid, Error> {
        let reference = self.run.tip();
        if let Some(tip) = self.find_ref(&reference)? {
            return Ok(tip);
        }
        let snapshot = self.snapshot_main()?;
        let head = self.repo.head().ok().and_then(|head| head.target());
        let parents: Vec<Oid> = head.into_iter().filter(|id| self.repo.find_commit(*id).is_ok()).collect();
        let tip = self.commit(snapshot.tree, &parents, "the working tree at the start\n")?;
        self.set_ref(&reference, tip, None)?;
        Ok(tip)
    }

    /// The tip with what was done to the working tree since: by the user between two sessions, by an attempt that worked
    /// in place. Not while attempts with working trees of their own are under way in it: half of their work is no base.
    pub fn take_up(&mut self) -> Result<Oid, Error> {
        if self.has_open_intent()? {
            return Err(Error::Unfinished);
        }
        let tip = self.tip()?;
        let tree = self.snapshot_main()?.tree;
        if tree == self.tree_of(tip)? {
            return Ok(tip);
        }
        let new_tip = self.commit(tree, &[tip], "the working tree as it is\n")?;
        self.set_ref(&self.run.tip(), new_tip, Some(tip))?;
        Ok(new_tip)
    }

    /// The commit with which an attempt was integrated, if it was.
    pub fn integrated(&self, attempt: &Attempt) -> Result<Option<Oid>, Error> {
        let Some(tip) = self.find_ref(&self.run.tip())? else { return Ok(None) };
        let mut found = None;
        self.back_from(tip, None, |commit| {
            if of_commit(commit).as_ref() == Some(attempt) {
                found = Some(commit.id());
            }
            Ok(found.is_none())
        })?;
        Ok(found)
    }

    /// Integrates what an attempt made. `may_protected`: a person has looked at it.
    pub fn integrate(
        &mut self,
        worktree: &Worktree,
        saved: &Saved,
        may_protected: bool,
    ) -> Result<Outcome, Error> {
        if self.has_open_intent()? {
            return Err(Error::Unfinished);
        }
        let attempt = worktree.attempt();
        let (dropped, made) = self.countable(worktree, saved)?;
        let dropped = paths_of(&dropped);
        if made.is_empty() {
            return Ok(Outcome::Nothing { dropped });
        }
        let protected: Vec<PathBuf> = made
            .iter()
            .filter(|change| self.rules.is_protected(&change.path) || self.leaves_the_root(change))
            .map(|change| path_of(&change.path))
            .collect();
        if !protected.is_empty() && !may_protected {
            return Ok(Outcome::Review { paths: protected });
        }
        let tip = self.tip()?;
        let tip_tree = self.tree_of(tip)?;
        let base_tree = self.tree_of(worktree.base())?;
        let in_tip =
            self.merge_trees(&Three { base: base_tree, there: tip_tree, attempt: saved.tree }, &made)?;
        if !in_tip.conflicts.is_empty() {
            return Ok(Outcome::Conflict(self.named(in_tip.conflicts, tip, worktree.base())?));
        }
        let tree = tree::update(&self.repo, Some(tip_tree), &in_tip.is)?;
        let on_disk = self.with_working_tree(tip_tree, &in_tip.is)?;
        if !on_disk.conflicts.is_empty() {
            return Ok(Outcome::Conflict(on_disk.conflicts));
        }
        let steps = on_disk.is;
        let by_rule: Vec<(PathBuf, &'static str)> = in_tip
            .by_rule
            .into_iter()
            .chain(on_disk.by_rule)
            .map(|(path, rule)| (path_of(&path), rule))
            .collect();
        let message = format!(
            "{}: attempt {}\n\nSpecter-Saved: {}\n{}{}",
            one_line(&attempt.task),
            attempt.number,
            saved.commit,
            by_rule.iter().map(|(path, rule)| merged_line(path, rule)).collect::<String>(),
            attempt.trailers()
        );
        let commit = self.commit(tree, &[tip], &message)?;
        self.intend(tip, commit, &steps)?;
        let kept = self.carry_out_intent()?;
        let written: BTreeMap<PathBuf, Option<Entry>> =
            steps.iter().map(|(path, step)| (path_of(path), step.after)).collect();
        let paths = written.keys().cloned().collect();
        Ok(Outcome::Integrated(Integrated {
            commit,
            tree,
            paths,
            written,
            dropped,
            was_merged: tip != worktree.base(),
            kept,
            by_rule,
        }))
    }

    /// What an attempt changed: files that only specter writes, and all others.
    pub(super) fn countable(
        &self,
        worktree: &Worktree,
        saved: &Saved,
    ) -> Result<(Vec<Differs>, Vec<Differs>), Error> {
        let made = self.made(worktree.base(), saved)?;
        Ok(made.into_iter().partition(|change| self.rules.is_never(&change.path)))
    }

    /// A link that an attempt made and that leads out of the tree.
    fn leaves_the_root(&self, change: &Differs) -> bool {
        let Some(entry) = change.new.filter(|entry| entry.kind == super::Kind::Link) else { return false };
        let Ok(target) = self.content(entry.id) else { return true };
        let mut depth = change.path.iter().filter(|b| **b == b'/').count();
        if target.starts_with(b"/") {
            return true;
        }
        for name in target.split(|b| *b == b'/') {
            match name {
                b"" | b"." => {}
                b".." if depth == 0 => return true,
                b".." => depth -= 1,
                _ => depth += 1,
            }
        }
        false
    }

    /// What the tip becomes at the paths that the attempt changed.
    pub(super) fn merge_trees(&self, trees: &Three, made: &[Differs]) -> Result<Combined<Changes>, Error> {
        let tip = trees.there;
        let mut combined = Combined::<Changes>::default();
        // What is written where a submodule belongs would end up in the user's: that is another repository.
        let is_removed = |change: &&Differs| {
            change.new.is_none() && change.old.is_none_or(|old| old.kind != super::Kind::Submodule)
        };
        let removed: Vec<&[u8]> =
            made.iter().filter(is_removed).map(|change| change.path.as_slice()).collect();
        let mut renames = Renames::of(&self.repo, trees);
        for change in made {
            let there = tree::at_path(&self.repo, tip, &change.path)?;
            let merged = self.merge_entry(&change.path, change.old, there, change.new)?;
            if let Merged::Conflict(_) = merged
                && let Some(followed) = renames.follow(change, there, made)?
                && let Merged::Is(Some(entry), rule) =
                    self.merge_entry(&followed.path, followed.base, followed.there, followed.attempt)?
                && self.blocked_in(tip, &followed.path, &removed)?.is_none()
            {
                if change.new.is_none() {
                    combined.is.insert(change.path.clone(), None);
                }
                combined.by_rule.insert(followed.path.clone(), rule.unwrap_or(FOLLOWED));
                combined.is.insert(followed.path, Some(entry));
                continue;
            }
            match merged {
                Merged::Is(merged, _) if merged == there => {}
                Merged::Is(merged, rule) => {
                    if merged.is_some()
                        && let Some(blocked) = self.blocked_in(tip, &change.path, &removed)?
                    {
                        let kind = ConflictKind::InTheWay(path_of(&blocked));
                        combined.conflicts.push(conflict(&change.path, kind));
                        continue;
                    }
                    // What followed a renaming to here is more than what was put here.
                    combined.is.entry(change.path.clone()).or_insert(merged);
                    combined.by_rule.extend(rule.map(|rule| (change.path.clone(), rule)));
                }
                Merged::Conflict(kind) => combined.conflicts.push(conflict(&change.path, kind)),
            }
        }
        Ok(combined)
    }

    /// A file of the tip where a new path needs a directory, or a directory where it needs a file; unless the attempt
    /// removes that itself.
    fn blocked_in(&self, tip: Oid, path: &[u8], removed: &[&[u8]]) -> Result<Option<RelPath>, Error> {
        let mut way = disk::parent_of(path);
        while !way.is_empty() {
            if tree::at_path(&self.repo, tip, way)?.is_some() && !removed.contains(&way) {
                return Ok(Some(way.to_vec()));
            }
            way = disk::parent_of(way);
        }
        if !tree::has_directory(&self.repo, tip, path)? {
            return Ok(None);
        }
        // Everything in the directory must be what the attempt removed.
        let mut prefix = path.to_vec();
        prefix.push(b'/');
        let files = tree::flatten(&self.repo, tip)?;
        let mut left =
            files.range(prefix.clone()..).map(|(path, _)| path).take_while(|path| path.starts_with(&prefix));
        Ok(left.find(|path| !removed.contains(&path.as_slice())).cloned())
    }

    /// What must happen on disk, where the user may have another version than the tip.
    fn with_working_tree(&self, tip: Oid, changes: &Changes) -> Result<Combined<Steps>, Error> {
        let mut combined = Combined::<Steps>::default();
        for (path, new) in changes {
            let old = tree::at_path(&self.repo, tip, path)?;
            let there = match self.on_disk(path) {
                Ok(there) => there,
                Err(Error::ThroughLink { path: link }) => {
                    combined.conflicts.push(conflict(path, ConflictKind::InTheWay(link)));
                    continue;
                }
                Err(Error::NotSaved { .. }) => {
                    combined.conflicts.push(conflict(path, ConflictKind::DifferentKinds));
                    continue;
                }
                Err(error) => return Err(error),
            };
            if let (Some(_), None) = (new, there)
                && let Some(blocked) = self.blocked_on_disk(path, tip, changes)?
            {
                combined.conflicts.push(conflict(path, ConflictKind::InTheWay(blocked)));
                continue;
            }
            match self.merge_entry(path, old, there, *new)? {
                Merged::Is(merged, _) if merged == there => {}
                Merged::Is(merged, rule) => {
                    combined.is.insert(path.clone(), Step { before: there, after: merged });
                    combined.by_rule.extend(rule.map(|rule| (path.clone(), rule)));
                }
                Merged::Conflict(kind) => combined.conflicts.push(conflict(path, kind)),
            }
        }
        Ok(combined)
    }

    fn blocked_on_disk(&self, path: &[u8], tip: Oid, changes: &Changes) -> Result<Option<PathBuf>, Error> {
        let mut way = path;
        while !way.is_empty() {
            let full = join(&self.root, way);
            if let Ok(metadata) = std::fs::symlink_metadata(&full) {
                let is_expected = if way == path {
                    !metadata.is_dir() || tree::has_directory(&self.repo, tip, way)?
                } else {
                    metadata.is_dir() || changes.get(way) == Some(&None)
                };
                return Ok((!is_expected).then(|| path_of(way)));
            }
            way = disk::parent_of(way);
        }
        Ok(None)
    }

    /// Says for each conflict whose attempt the other side is.
    fn named(&self, mut conflicts: Vec<Conflict>, tip: Oid, base: Oid) -> Result<Vec<Conflict>, Error> {
        let mut seen: BTreeMap<usize, Attempt> = BTreeMap::new();
        self.back_from(tip, Some(base), |commit| {
            let Some(attempt) = of_commit(commit) else { return Ok(true) };
            let parent = commit
                .parent(0)
                .map(|parent| parent.tree_id())
                .map_err(super::error::git("read a commit"))?;
            for (n, conflict) in conflicts.iter().enumerate() {
                let path = match &conflict.kind {
                    ConflictKind::InTheWay(path) => bytes_of(path),
                    _ => bytes_of(&conflict.path),
                };
                let at = |tree| tree::at_path(&self.repo, tree, &path);
                if !seen.contains_key(&n) && at(parent)? != at(commit.tree_id())? {
                    seen.insert(n, attempt.clone());
                }
            }
            Ok(seen.len() < conflicts.len())
        })?;
        for (n, attempt) in seen {
            conflicts[n].other = Some(attempt);
        }
        Ok(conflicts)
    }

    /// Commits of the tip from new to old, first parents only, until `visit` says no or `until` is reached.
    pub(super) fn back_from(
        &self,
        tip: Oid,
        until: Option<Oid>,
        mut visit: impl FnMut(&git2::Commit<'_>) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let mut next = Some(tip);
        while let Some(id) = next.filter(|id| Some(*id) != until) {
            let commit = self.repo.find_commit(id).map_err(super::error::git("read a commit"))?;
            // Before the start there is only what the user made.
            if commit.author().name_bytes() != b"specter" || !visit(&commit)? {
                break;
            }
            next = commit.parent_ids().next();
        }
        Ok(())
    }
}

pub(super) fn of_commit(commit: &git2::Commit<'_>) -> Option<Attempt> {
    Attempt::of_message(&String::from_utf8_lossy(commit.message_bytes()))
}

fn conflict(path: &[u8], kind: ConflictKind) -> Conflict {
    // Where both sides are there, whoever writes the file can write it anew.
    let is_written_anew = matches!(kind, ConflictKind::Lines(_));
    let help = rules::advice(path).filter(|_| is_written_anew);
    Conflict { path: path_of(path), kind, other: None, help }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn merged_line(path: &Path, rule: &str) -> String {
    format!("Specter-Merged: {}: {rule}\n", one_line(&path.to_string_lossy()))
}

fn paths_of(changes: &[Differs]) -> Vec<PathBuf> {
    changes.iter().map(|change| path_of(&change.path)).collect()
}

pub(super) fn path_of(path: &[u8]) -> PathBuf {
    Path::new(OsStr::from_bytes(path)).to_owned()
}

/// For [`Steps`]: from one entry to another.
pub(super) fn step(before: Option<Entry>, after: Option<Entry>) -> Step {
    Step { before, after }
}
