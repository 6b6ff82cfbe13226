//! Files of a tree, written into a directory that is specter's alone, and the index that says so. A few threads write,
//! as most of the time goes into waiting for the file system. Nothing is synced: such a tree can be made again.

use super::Error;
use super::disk::{self, Stamp, join};
use super::error::{at, git};
use super::repo::Git;
use super::save::Cache;
use super::steps::Steps;
use super::tree::{Entry, Kind, RelPath};
use crate::sys::Dir;
use git2::{Index, IndexEntry, IndexTime, Repository, RepositoryOpenFlags};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// More threads only wait for each other.
const MAX_THREADS: usize = 4;
/// What one thread takes at a time: neighbours, so that directories are entered once.
const BATCH: usize = 128;

type Written = Vec<(RelPath, Entry, Stamp)>;

impl Git {
    /// Writes files and links where nothing is, sorted by path.
    pub(super) fn write_files(&self, root: &Path, files: &[(RelPath, Entry)]) -> Result<Written, Error> {
        let batches: Vec<&[(RelPath, Entry)]> = files.chunks(BATCH).collect();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = cores.min(MAX_THREADS).min(batches.len());
        if threads <= 1 {
            let writer = Writer { repo: &self.repo, root, steps: &self.steps };
            return writer.write(files);
        }
        let (next, steps, path) = (AtomicUsize::new(0), &self.steps, self.repo.path());
        let work = || -> Result<Vec<(usize, Written)>, Error> {
            // Each reads objects through a repository of its own: libgit2's are not to be shared.
            let none: [&OsStr; 0] = [];
            let flags = RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::NO_DOTGIT;
            let repo = Repository::open_ext(path, flags, none).map_err(git("open the repository"))?;
            let writer = Writer { repo: &repo, root, steps };
            let mut done = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let Some(batch) = batches.get(n) else { return Ok(done) };
                done.push((n, writer.write(batch)?));
            }
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let own = work();
            let joined =
                others.into_iter().map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            std::iter::once(own).chain(joined).collect()
        });
        let mut done = Vec::with_capacity(batches.len());
        for result in results {
            done.extend(result?);
        }
        done.sort_unstable_by_key(|(n, _)| *n);
        Ok(done.into_iter().flat_map(|(_, written)| written).collect())
    }
}

struct Writer<'a> {
    repo: &'a Repository,
    root: &'a Path,
    steps: &'a Steps,
}

impl Writer<'_> {
    fn write(&self, files: &[(RelPath, Entry)]) -> Result<Written, Error> {
        let odb = self.repo.odb().map_err(git("open the objects"))?;
        let top = Dir::open(self.root).map_err(at("open", self.root))?;
        let mut written = Vec::with_capacity(files.len());
        let mut open: Option<(&[u8], Dir)> = None;
        for (path, entry) in files {
            self.steps.next()?;
            let way = disk::parent_of(path);
            if open.as_ref().is_none_or(|(open, _)| *open != way) {
                let dir = top
                    .below(Path::new(OsStr::from_bytes(way)), 0o777)
                    .map_err(at("make the directories of", &join(self.root, path)))?;
                open = Some((way, dir));
            }
            let Some((_, dir)) = &open else { continue };
            let name = OsStr::from_bytes(disk::name_of(path));
            if entry.kind == Kind::Submodule {
                // Filling it is the affair of whoever needs it.
                dir.below(Path::new(name), 0o777).map_err(at("create directory", &join(self.root, path)))?;
                continue;
            }
            let object = odb.read(entry.id).map_err(git("read a file's content"))?;
            let stamp =
                create(dir, name, entry.kind, object.data()).map_err(at("write", &join(self.root, path)))?;
            written.push((path.clone(), *entry, stamp));
        }
        Ok(written)
    }
}

fn create(dir: &Dir, name: &OsStr, kind: Kind, bytes: &[u8]) -> io::Result<Stamp> {
    if kind == Kind::Link {
        let path = dir.path().join(name);
        std::os::unix::fs::symlink(OsStr::from_bytes(bytes), &path)?;
        return std::fs::symlink_metadata(path).map(|metadata| Stamp::of(&metadata));
    }
    let mode = if kind == Kind::Executable { 0o777 } else { 0o666 };
    let mut file = dir.create_new(name, mode)?;
    file.write_all(bytes)?;
    file.metadata().map(|metadata| Stamp::of(&metadata))
}

/// The index of a working tree, with the metadata of what was just written, so that `git status` reads no file.
pub(super) fn write_index(path: &Path, cache: &mut Cache) -> Result<(), Error> {
    let write = || -> Result<(), git2::Error> {
        let mut index = Index::open(path)?;
        index.clear()?;
        for (path, entry, stamp) in cache.entries() {
            index.add(&index_entry(path, *entry, stamp))?;
        }
        index.write()
    };
    write().map_err(git("write a working tree's index"))?;
    cache.set_index(path);
    Ok(())
}

fn index_entry(path: &[u8], entry: Entry, stamp: &Stamp) -> IndexEntry {
    let time = |ns: i128| IndexTime::new((ns / 1_000_000_000) as i32, (ns % 1_000_000_000) as u32);
    IndexEntry {
        ctime: time(stamp.ctime),
        mtime: time(stamp.mtime),
        dev: stamp.dev as u32,
        ino: stamp.ino as u32,
        mode: entry.kind.mode() as u32,
        uid: stamp.uid,
        gid: stamp.gid,
        file_size: stamp.len as u32,
        id: entry.id,
        flags: 0,
        flags_extended: 0,
        path: path.to_vec(),
    }
}
