//! Private places for temporary files: one directory for a run, one in it for each attempt, gone after it.
//!
//! Not in the project: tools that look upwards from a temporary file would find the project's own configuration there,
//! and the path of a socket must be short. What a killed specter left behind is removed by the next one that makes such
//! a place.

use crate::fs::{self, Process};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

const PREFIX: &str = "specter-";

/// The run's place. Removed when dropped.
pub(super) struct Scratch {
    dir: PathBuf,
    next: AtomicU32,
}

impl Scratch {
    /// Below the user's own place for temporary files, under a name that nobody can foresee.
    pub(super) fn new() -> io::Result<Scratch> {
        let base = std::env::temp_dir().canonicalize()?;
        sweep(&base);
        let Process { pid, start } = Process::this();
        let mut random = RandomState::new().build_hasher();
        random.write_u8(0);
        let dir = base.join(format!("{PREFIX}{pid}-{start}-{:016x}", random.finish()));
        // An error where something of that name is there already, a link above all.
        std::fs::DirBuilder::new().create(&dir)?;
        let scratch = Scratch { dir, next: AtomicU32::new(1) };
        make_private(&scratch.dir)?;
        Ok(scratch)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// An attempt's own place.
    pub(super) fn attempt(&self) -> io::Result<Place> {
        let dir = self.dir.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        std::fs::DirBuilder::new().create(&dir)?;
        make_private(&dir)?;
        Ok(Place(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is looked at again by the next run's sweep.
        let _left = remove(&self.dir);
    }
}

/// An attempt's place. Removed when dropped.
pub(super) struct Place(PathBuf);

impl Place {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _left = remove(&self.0);
    }
}

/// Whatever the umask left of the mode.
fn make_private(dir: &Path) -> io::Result<()> {
    std::fs::set_permissions(dir, PermissionsExt::from_mode(fs::PRIVATE_DIR))
}

/// Removes the places of processes that are gone.
fn sweep(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let is_stale = entry.file_name().to_str().and_then(owner).is_some_and(|owner| !owner.is_alive());
        if !is_stale {
            continue;
        }
        let is_ours = |meta: &std::fs::Metadata| meta.is_dir() && Some(meta.uid()) == fs::own_uid();
        if std::fs::symlink_metadata(entry.path()).is_ok_and(|meta| is_ours(&meta)) {
            let _left = remove(&entry.path());
        }
    }
}

fn owner(name: &str) -> Option<Process> {
    let mut parts = name.strip_prefix(PREFIX)?.split('-');
    let process = Process { pid: parts.next()?.parse().ok()?, start: parts.next()?.parse().ok()? };
    parts.next().map(|_| process)
}

/// Removes a directory with all that is in it, whatever a task made of it: of any depth (directories are moved to the
/// top before they are emptied, so that neither a path nor the stack grows), of any mode, never through a link.
fn remove(dir: &Path) -> io::Result<()> {
    let mut moved = 0_u64;
    loop {
        let mut found_directory = false;
        open_up(dir)?;
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                found_directory = true;
                flatten(dir, &entry.path(), &mut moved)?;
            } else {
                std::fs::remove_file(entry.path())?;
            }
        }
        if !found_directory {
            return std::fs::remove_dir(dir);
        }
    }
}

/// Empties `inner`, a directory in `top`: its files are removed, its directories moved to `top`.
fn flatten(top: &Path, inner: &Path, moved: &mut u64) -> io::Result<()> {
    open_up(inner)?;
    for entry in std::fs::read_dir(inner)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            // Moving a directory needs the right to write into it.
            open_up(&entry.path())?;
            std::fs::rename(entry.path(), free_name(top, moved))?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    std::fs::remove_dir(inner)
}

fn free_name(top: &Path, moved: &mut u64) -> PathBuf {
    loop {
        *moved += 1;
        let name = top.join(format!("{moved}.gone"));
        if name.symlink_metadata().is_err() {
            return name;
        }
    }
}

fn open_up(dir: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(dir)?.permissions().mode() & 0o700 {
        0o700 => Ok(()),
        _ => make_private(dir),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_place_is_private_and_gone_with_its_owner() {
        let scratch = Scratch::new().unwrap();
        let place = scratch.attempt().unwrap();
        let other = scratch.attempt().unwrap();
        let (dir, path) = (scratch.dir().to_owned(), place.path().to_owned());
        assert_ne!(path, other.path());
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&path)), (0o700, 0o700));
        std::fs::write(path.join("x"), "x").unwrap();
        drop(place);
        assert!(!path.exists() && dir.exists());
        drop((other, scratch));
        assert!(!dir.exists());
    }

    #[test]
    fn nothing_outside_is_removed_through_a_link() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("kept"), "x").unwrap();
        let scratch = Scratch::new().unwrap();
        let place = scratch.attempt().unwrap();
        symlink(outside.path(), place.path().join("link")).unwrap();
        std::fs::create_dir(place.path().join("d")).unwrap();
        symlink(outside.path(), place.path().join("d/link")).unwrap();
        let path = place.path().to_owned();
        drop(place);
        assert!(!path.exists() && outside.path().join("kept").exists());
    }

    #[test]
    fn depth_and_modes_are_no_obstacle() {
        let scratch = Scratch::new().unwrap();
        let place = scratch.attempt().unwrap();
        let top = place.path().to_owned();
        // Deeper than a path can be long: each level is made at the top and put into the one above it.
        for _ in 0..3000 {
            std::fs::create_dir(top.join("outer")).unwrap();
            if top.join("d").exists() {
                std::fs::rename(top.join("d"), top.join("outer/d")).unwrap();
            }
            std::fs::rename(top.join("outer"), top.join("d")).unwrap();
        }
        std::fs::create_dir(top.join("locked")).unwrap();
        std::fs::write(top.join("locked/x"), "x").unwrap();
        std::fs::create_dir(top.join("1.gone")).unwrap();
        std::fs::set_permissions(top.join("locked"), PermissionsExt::from_mode(0o0)).unwrap();
        let small = std::thread::Builder::new().stack_size(64 << 10);
        small.spawn(move || drop(place)).unwrap().join().unwrap();
        assert!(!top.exists());
    }

    #[test]
    fn what_a_dead_process_left_is_swept_and_what_a_living_one_has_is_not() {
        let base = tempfile::tempdir().unwrap();
        let own = Process::this();
        let dir = |pid: u32, start: u64| base.path().join(format!("{PREFIX}{pid}-{start}-00"));
        let (alive, dead) = (dir(own.pid, own.start), dir(own.pid, own.start + 1));
        let others = [base.path().join("specter-notes"), base.path().join("other")];
        for dir in [&alive, &dead].into_iter().chain(&others) {
            std::fs::create_dir_all(dir.join("sub")).unwrap();
        }
        symlink(&others[1], dir(own.pid, own.start + 2)).unwrap();
        sweep(base.path());
        assert!(alive.exists() && !dead.exists() && others.iter().all(|other| other.join("sub").exists()));
    }
}
