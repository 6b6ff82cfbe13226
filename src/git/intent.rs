//! Changing the user's working tree so that a stop at any moment can be made good.
//!
//! Before the first file is touched, everything is in the repository: what the files are, what they shall be, and the
//! commit that will be the tip once they are. `refs/specter/<run>/intent` names it: a commit with the trees `before`
//! and `after` of the touched paths alone and the old and the new tip as parents. It is open while the tip is still the
//! old one; nothing is ever deleted to close it. Files are swapped, not replaced: what stood there is looked at once
//! more when it is out of the way, so that an edit in the last moment is found and kept.

use super::Error;
use super::disk::{self, Place, join};
use super::error::at;
use super::merge::Merged;
use super::repo::Git;
use super::save::bytes_of;
use super::tree::{self, Changes, Entry, Kind, RelPath};
use crate::sys;
use git2::Oid;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a file is tried that somebody keeps changing.
const TRIES: u32 = 8;
/// How long it is waited before what failed is tried again.
const AGAIN: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(100)];
const BESIDE: &str = ".specter-merge-";

/// What a path is and shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub before: Option<Entry>,
    pub after: Option<Entry>,
}

pub(super) type Steps = BTreeMap<RelPath, Step>;

struct Intent {
    old_tip: Oid,
    new_tip: Oid,
    steps: Steps,
}

/// What became of one path.
enum Placed {
    Done,
    /// Somebody else's version stays; the other one is in the new tip.
    Theirs,
}

impl Git {
    /// Records what is about to happen to the working tree.
    pub(super) fn intend(&self, old_tip: Oid, new_tip: Oid, steps: &Steps) -> Result<(), Error> {
        let side = |name: &str, entry: fn(&Step) -> Option<Entry>| -> Changes {
            let named = |path: &RelPath| [name.as_bytes(), b"/", path].concat();
            steps.iter().filter_map(|(path, step)| Some((named(path), Some(entry(step)?)))).collect()
        };
        let mut changes = side("before", |step| step.before);
        changes.extend(side("after", |step| step.after));
        let tree = tree::update(&self.repo, None, &changes)?;
        let commit = self.commit(tree, &[old_tip, new_tip], "changes to the working tree\n")?;
        let reference = self.run.intent();
        let earlier = self.find_ref(&reference)?;
        self.set_ref(&reference, commit, earlier)
    }

    /// Finishes what was begun and not finished, if anything was: the paths where somebody else's version stayed.
    pub fn finish(&mut self) -> Result<Option<Finished>, Error> {
        let Some(intent) = self.open_intent()? else { return Ok(None) };
        let rescued = self.rescue_staged(&intent.steps)?;
        let kept = self.carry_out(&intent)?;
        let written = intent.steps.iter().map(|(path, step)| (super::integrate::path_of(path), step.after));
        Ok(Some(Finished { tip: intent.new_tip, kept, rescued, written: written.collect() }))
    }

    fn open_intent(&self) -> Result<Option<Intent>, Error> {
        let (Some(tip), Some(id)) = (self.find_ref(&self.run.tip())?, self.find_ref(&self.run.intent())?)
        else {
            return Ok(None);
        };
        let commit = self.repo.find_commit(id).map_err(super::error::git("read a commit"))?;
        let parents: Vec<Oid> = commit.parent_ids().collect();
        let [old_tip, new_tip] = parents[..] else { return Ok(None) };
        if tip != old_tip {
            return Ok(None);
        }
        let mut steps = Steps::new();
        for (path, entry) in tree::flatten(&self.repo, commit.tree_id())? {
            let mut put = |side: &[u8], set: fn(&mut Step, Entry)| {
                if let Some(path) = path.strip_prefix(side) {
                    set(steps.entry(path.to_vec()).or_insert(Step { before: None, after: None }), entry);
                }
            };
            put(b"before/", |step, entry| step.before = Some(entry));
            put(b"after/", |step, entry| step.after = Some(entry));
        }
        Ok(Some(Intent { old_tip, new_tip, steps }))
    }

    pub(super) fn has_open_intent(&self) -> Result<bool, Error> {
        Ok(self.open_intent()?.is_some())
    }

    /// Carries out what [`Git::intend`] recorded. What the disk refuses once it may take a moment later: half of an
    /// integration would stay where it is until somebody finishes it.
    pub(super) fn carry_out_intent(&mut self) -> Result<Vec<PathBuf>, Error> {
        let Some(intent) = self.open_intent()? else { return Ok(Vec::new()) };
        let mut result = self.carry_out(&intent);
        for pause in AGAIN {
            match result {
                Ok(_) | Err(Error::Stopped) => break,
                Err(_) => {
                    std::thread::sleep(pause);
                    result = self.finish().map(|finished| finished.map_or_else(Vec::new, |done| done.kept));
                }
            }
        }
        result
    }

    fn carry_out(&mut self, intent: &Intent) -> Result<Vec<PathBuf>, Error> {
        let mut kept = Vec::new();
        let removals = intent.steps.iter().rev().filter(|(_, step)| step.after.is_none());
        let writes = intent.steps.iter().filter(|(_, step)| step.after.is_some());
        for (path, step) in removals.chain(writes) {
            if let Placed::Theirs = self.place(path, *step)? {
                kept.push(PathBuf::from(OsStr::from_bytes(path)));
            }
        }
        self.sync_directories(&intent.steps)?;
        self.set_ref(&self.run.tip(), intent.new_tip, Some(intent.old_tip))?;
        Ok(kept)
    }

    /// Brings one path from `before` to `after`. Whatever else stands there is merged with, or stays.
    fn place(&self, path: &[u8], step: Step) -> Result<Placed, Error> {
        let Step { mut before, mut after } = step;
        if [before, after].iter().flatten().any(|entry| entry.kind == Kind::Submodule) {
            // What is in a submodule is its own repository's affair.
            return Ok(Placed::Theirs);
        }
        for _ in 0..TRIES {
            let found = match self.on_disk(path) {
                Ok(found) => found,
                Err(Error::ThroughLink { .. } | Error::NotSaved { .. }) => return Ok(Placed::Theirs),
                Err(error) => return Err(error),
            };
            if found != before {
                match self.merge_entry(path, before, found, after)? {
                    Merged::Is(merged, _) => (before, after) = (found, merged),
                    Merged::Conflict(_) => return Ok(Placed::Theirs),
                }
            }
            if before == after {
                if after.is_none() {
                    // Perhaps a stop came between the file and its directories.
                    disk::prune(&self.root, path);
                }
                return Ok(Placed::Done);
            }
            self.steps.next()?;
            let swapped = match after {
                Some(after) => self.put(path, before, after)?,
                None => self.take_away(path, before)?,
            };
            match swapped {
                Swapped::AsExpected => return Ok(Placed::Done),
                Swapped::Again => {}
                Swapped::InTheWay => return Ok(Placed::Theirs),
            }
        }
        Ok(Placed::Theirs)
    }

    /// What stands at a path of the user's working tree; its content is in the repository afterwards.
    pub(super) fn on_disk(&self, path: &[u8]) -> Result<Option<Entry>, Error> {
        match disk::read_below(&self.root, path, self.limits.file_bytes)? {
            Some(content) => Ok(Some(Entry { id: self.blob(&content.bytes)?, kind: content.kind })),
            None => Ok(None),
        }
    }

    fn put(&self, path: &[u8], before: Option<Entry>, after: Entry) -> Result<Swapped, Error> {
        let full = join(&self.root, path);
        let place = match Place::below(&self.root, path) {
            Ok(place) => place,
            Err(_) if !disk::has_directories(&self.root, disk::parent_of(path)).unwrap_or(false) => {
                return Ok(Swapped::InTheWay);
            }
            Err(error) => return Err(error),
        };
        let mode = match std::fs::symlink_metadata(place.path()) {
            Ok(old) if old.is_file() => {
                Some(disk::merged_mode(std::os::unix::fs::MetadataExt::mode(&old), after.kind))
            }
            _ => None,
        };
        let staged = self.stage(path, &place, after, mode)?;
        self.steps.next()?;
        let Some(before) = before else {
            return match sys::rename_new(&staged, place.path()) {
                Ok(()) => Ok(Swapped::AsExpected),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    let is_dir =
                        std::fs::symlink_metadata(place.path()).is_ok_and(|metadata| metadata.is_dir());
                    remove(&staged)?;
                    Ok(if is_dir { Swapped::InTheWay } else { Swapped::Again })
                }
                Err(error) => Err(Error::io("write", &full, error)),
            };
        };
        match sys::exchange(&staged, place.path()) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                remove(&staged)?;
                return Ok(Swapped::Again);
            }
            Err(error) => return Err(Error::io("write", &full, error)),
        }
        self.steps.next()?;
        if self.holds(&staged, before)? {
            remove(&staged)?;
            return Ok(Swapped::AsExpected);
        }
        // Written in the last moment: it goes back to its place, and is merged with.
        sys::exchange(&staged, place.path()).map_err(at("write", &full))?;
        self.discard(&staged, Some(after))?;
        Ok(Swapped::Again)
    }

    fn take_away(&self, path: &[u8], before: Option<Entry>) -> Result<Swapped, Error> {
        let Some(before) = before else { return Ok(Swapped::AsExpected) };
        let full = join(&self.root, path);
        let place = Place::below(&self.root, path)?;
        let aside = self.staged_path(path);
        let aside = match sys::rename_new(place.path(), &aside) {
            Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => {
                let aside = beside(&place, path);
                sys::rename_new(place.path(), &aside).map_err(at("remove", &full))?;
                aside
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Swapped::Again),
            result => {
                result.map_err(at("remove", &full))?;
                aside
            }
        };
        self.steps.next()?;
        if self.holds(&aside, before)? {
            remove(&aside)?;
            disk::prune(&self.root, path);
            return Ok(Swapped::AsExpected);
        }
        match disk::move_new(&aside, place.path()) {
            Ok(()) => Ok(Swapped::Again),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                self.discard(&aside, None)?;
                Ok(Swapped::Again)
            }
            Err(error) => Err(Error::io("write", &full, error)),
        }
    }

    /// Writes a file where nobody looks, durable, on the file system of its place.
    fn stage(&self, path: &[u8], place: &Place, entry: Entry, mode: Option<u32>) -> Result<PathBuf, Error> {
        let bytes = self.content(entry.id)?;
        let device = |path: &Path| {
            std::fs::metadata(path).map(|metadata| std::os::unix::fs::MetadataExt::dev(&metadata)).ok()
        };
        let is_near = device(&self.staging) == place.path().parent().and_then(device);
        let staged = if is_near { self.staged_path(path) } else { beside(place, path) };
        // Only a stop leaves something here, and what it was has been kept since.
        remove(&staged)?;
        disk::create(&staged, entry.kind, &bytes, mode).map_err(at("write", &staged))?;
        Ok(staged)
    }

    fn staged_path(&self, path: &[u8]) -> PathBuf {
        self.staging.join(format!("merge-{}", key(path)))
    }

    fn holds(&self, path: &Path, entry: Entry) -> Result<bool, Error> {
        let content = disk::read(path, self.limits.file_bytes)
            .map_err(|why| Error::NotSaved { path: path.to_owned(), what: why.to_string() })?;
        Ok(content.kind == entry.kind
            && git2::Oid::hash_object(git2::ObjectType::Blob, &content.bytes).ok() == Some(entry.id))
    }

    /// Removes what was staged; if it is not what it should be, it is kept first.
    fn discard(&self, staged: &Path, expected: Option<Entry>) -> Result<bool, Error> {
        if let Some(expected) = expected
            && self.holds(staged, expected)?
        {
            remove(staged)?;
            return Ok(false);
        }
        let content = disk::read(staged, self.limits.file_bytes)
            .map_err(|why| Error::NotSaved { path: staged.to_owned(), what: why.to_string() })?;
        let entry = Entry { id: self.blob(&content.bytes)?, kind: content.kind };
        let name = bytes_of(Path::new(staged.file_name().unwrap_or_default()));
        let tree = tree::update(&self.repo, None, &Changes::from([(name, Some(entry))]))?;
        self.rescue(tree, &[], "written while the working tree was being changed\n")?;
        remove(staged)?;
        Ok(true)
    }

    /// What a stop left between being swapped out and being looked at.
    fn rescue_staged(&self, steps: &Steps) -> Result<u32, Error> {
        let mut rescued = 0;
        for (path, step) in steps {
            let place = join(&self.root, disk::parent_of(path)).join(beside_name(path));
            for staged in [self.staged_path(path), place] {
                if std::fs::symlink_metadata(&staged).is_err() {
                    continue;
                }
                let known =
                    |entry: Option<Entry>| entry.map_or(Ok(false), |entry| self.holds(&staged, entry));
                if known(step.before)? || known(step.after)? {
                    remove(&staged)?;
                } else if self.discard(&staged, None)? {
                    rescued += 1;
                }
            }
        }
        Ok(rescued)
    }

    fn sync_directories(&self, steps: &Steps) -> Result<(), Error> {
        let ways: BTreeSet<&[u8]> = steps.keys().map(|path| disk::parent_of(path)).collect();
        for way in ways {
            // One that was removed is synced with the one it was in.
            let mut way = way;
            loop {
                let dir = if way.is_empty() { self.root.clone() } else { join(&self.root, way) };
                match crate::fs::sync_dir(&dir) {
                    Err(error) if error.is_not_found() && !way.is_empty() => way = disk::parent_of(way),
                    Err(error) if !way.is_empty() && !dir.is_dir() => {
                        let _ = error;
                        way = disk::parent_of(way);
                    }
                    result => break result?,
                }
            }
        }
        Ok(())
    }
}

enum Swapped {
    AsExpected,
    /// Something else was there: look again.
    Again,
    /// A directory, or a file where a directory should be.
    InTheWay,
}

/// What [`Git::finish`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    pub tip: Oid,
    /// Paths where somebody else's version stayed.
    pub kept: Vec<PathBuf>,
    /// Edits found half way and kept under references of their own.
    pub rescued: u32,
    /// What each path it was about is now.
    pub written: BTreeMap<PathBuf, Option<Entry>>,
}

fn key(path: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(path).iter().take(10).map(|byte| format!("{byte:02x}")).collect()
}

fn beside_name(path: &[u8]) -> String {
    format!("{BESIDE}{}", key(path))
}

fn beside(place: &Place, path: &[u8]) -> PathBuf {
    place.path().with_file_name(beside_name(path))
}

fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path, error)),
        _ => Ok(()),
    }
}
