//! The user's index after a commit that specter makes on the user's branch: what the commit changes is in it as it is
//! committed, everything else as it was. A path that the user has staged otherwise is refused.
//!
//! The new index is written beside the old one and whole before git's lock is taken, so that the lock is held for two
//! system calls; a kill between them leaves a lock whose content tells whose it is.

use super::branch::ways;
use super::error::{at, git};
use super::escape::{Hash, index_hash};
use super::integrate::path_of;
use super::repo::{LOCK_TRIES, LOCK_WAIT};
use super::tree::{Differs, Entry, Kind, RelPath};
use super::{Error, Steps};
use crate::{fs, sys};
use git2::{Index, IndexEntry, IndexTime, Repository};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

pub(super) struct Staging {
    index: PathBuf,
    prepared: PathBuf,
    was: Vec<u8>,
    hashes: (Hash, Hash),
    /// Of the prepared file; none: nothing is to be staged.
    digest: Option<String>,
}

pub(super) enum Taken {
    Done,
    /// The index was changed meanwhile.
    Again,
    Locked,
}

impl Staging {
    /// The path that the user has staged otherwise, if there is one: then nothing is prepared.
    pub(super) fn prepare(
        repo: &Repository,
        run: &str,
        changes: &[Differs],
    ) -> Result<Result<Staging, PathBuf>, Error> {
        let path = repo.path().join("index");
        let was = std::fs::read(&path).map_err(at("read", &path))?;
        let permissions = std::fs::metadata(&path).map_err(at("inspect", &path))?.permissions();
        let prepared = prepared_path(repo, run);
        std::fs::write(&prepared, &was).map_err(at("write", &prepared))?;
        let mut index = Index::open(&prepared).map_err(git("read the index"))?;
        if let Some(other) = staged_otherwise(&index, changes) {
            remove(&prepared)?;
            return Ok(Err(path_of(&other)));
        }
        let before = index_hash(&index);
        let mut is_other = false;
        for change in changes {
            is_other |= stage(&mut index, change).map_err(git("stage a change"))?;
        }
        let hashes = (before, index_hash(&index));
        if !is_other {
            remove(&prepared)?;
            return Ok(Ok(Staging { index: path, prepared, was, hashes, digest: None }));
        }
        index.write().map_err(git("write the index"))?;
        std::fs::set_permissions(&prepared, permissions).map_err(at("write", &prepared))?;
        let bytes = std::fs::read(&prepared).map_err(at("read", &prepared))?;
        Ok(Ok(Staging { index: path, prepared, was, hashes, digest: Some(digest(&bytes)) }))
    }

    pub(super) fn digest(&self) -> Option<String> {
        self.digest.clone()
    }

    pub(super) fn hashes(&self) -> (Hash, Hash) {
        self.hashes
    }

    /// Puts it in the place of the user's index, if that still is what it was.
    pub(super) fn take(&self, steps: &Steps) -> Result<Taken, Error> {
        if self.digest.is_none() {
            return Ok(Taken::Done);
        }
        steps.next()?;
        let lock = lock_path(&self.index);
        for attempt in 1.. {
            match sys::rename_new(&self.prepared, &lock) {
                Ok(()) => break,
                Err(error) if error.kind() == ErrorKind::AlreadyExists && attempt < LOCK_TRIES => {
                    std::thread::sleep(LOCK_WAIT);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    remove(&self.prepared)?;
                    return Ok(Taken::Locked);
                }
                Err(error) => return Err(Error::io("write", &lock, error)),
            }
        }
        steps.next()?;
        if !std::fs::read(&self.index).is_ok_and(|now| now == self.was) {
            remove(&lock)?;
            return Ok(Taken::Again);
        }
        if let Err(error) = std::fs::rename(&lock, &self.index) {
            remove(&lock)?;
            return Err(Error::io("write", &self.index, error));
        }
        fs::sync_dir(fs::parent(&self.index))?;
        Ok(Taken::Done)
    }

    /// What a killed run left: an index that was prepared, and git's lock if it is that very one.
    pub(super) fn clear_left(repo: &Repository, run: &str, left: Option<&str>) -> Result<(), Error> {
        let prepared = prepared_path(repo, run);
        remove(&prepared)?;
        remove(&lock_path(&prepared))?;
        let lock = lock_path(&repo.path().join("index"));
        if std::fs::read(&lock).is_ok_and(|bytes| Some(digest(&bytes).as_str()) == left) {
            remove(&lock)?;
        }
        Ok(())
    }
}

fn prepared_path(repo: &Repository, run: &str) -> PathBuf {
    repo.path().join(format!("specter-{run}-index"))
}

fn lock_path(index: &Path) -> PathBuf {
    let mut name = index.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path, error)),
        _ => Ok(()),
    }
}

/// A path of the commit, or one in its way, that is staged neither as it was committed nor as it will be.
fn staged_otherwise(index: &Index, changes: &[Differs]) -> Option<RelPath> {
    let gone: BTreeSet<&[u8]> =
        changes.iter().filter(|change| change.new.is_none()).map(|change| change.path.as_slice()).collect();
    for change in changes {
        let path = path_of(&change.path);
        let is_conflicted = (1..=3).any(|stage| index.get_path(&path, stage).is_some());
        let staged = index.get_path(&path, 0);
        let is_promise = staged.as_ref().is_some_and(is_intent_to_add);
        let staged = staged.and_then(|entry| entry_of(&entry));
        if is_conflicted || is_promise || (staged != change.old && staged != change.new) {
            return Some(change.path.clone());
        }
        if change.new.is_none() {
            continue;
        }
        let above = ways(&change.path)
            .find(|way| !gone.contains(way.as_slice()) && index.get_path(&path_of(way), 0).is_some());
        if above.is_some() {
            return above;
        }
        if change.old.is_none()
            && let Some(below) = first_below(index, &change.path)
            && !gone.contains(below.as_slice())
        {
            return Some(below);
        }
    }
    None
}

/// The first entry in a directory.
fn first_below(index: &Index, dir: &[u8]) -> Option<RelPath> {
    let prefix = [dir, b"/"].concat();
    let at = index.find_prefix(prefix.as_slice()).ok()?;
    index.get(at).map(|entry| entry.path).filter(|path| path.starts_with(&prefix))
}

fn is_intent_to_add(entry: &IndexEntry) -> bool {
    const INTENT_TO_ADD: u16 = 1 << 13;
    entry.flags_extended & INTENT_TO_ADD != 0
}

fn entry_of(entry: &IndexEntry) -> Option<Entry> {
    Kind::of(entry.mode as i32).map(|kind| Entry { id: entry.id, kind })
}

/// Whether that was to be done.
fn stage(index: &mut Index, change: &Differs) -> Result<bool, git2::Error> {
    let path = path_of(&change.path);
    let old = index.get_path(&path, 0);
    let Some(new) = change.new else {
        if old.is_some() {
            index.remove(&path, 0)?;
        }
        return Ok(old.is_some());
    };
    if old.as_ref().and_then(entry_of) == Some(new) {
        return Ok(false);
    }
    let (flags, flags_extended) = old.map_or((0, 0), |old| (old.flags, old.flags_extended));
    // No metadata: git reads the file once, and knows then.
    index.add(&IndexEntry {
        ctime: IndexTime::new(0, 0),
        mtime: IndexTime::new(0, 0),
        dev: 0,
        ino: 0,
        mode: new.kind.mode() as u32,
        uid: 0,
        gid: 0,
        file_size: 0,
        id: new.id,
        flags,
        flags_extended,
        path: path.as_os_str().as_bytes().to_vec(),
    })?;
    Ok(true)
}
