//! Files of a working tree, read and written without following links: what a task made of the directories on the way
//! cannot lead anywhere else. Knows nothing of trees.

use super::error::at;
use super::tree::Kind;
use super::{Error, LeftOut, Why};
use crate::sys::{self, Dir};
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Which state of which file: two equal stamps mean that nobody wrote it, within the clock's grain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub dev: u64,
    pub ino: u64,
    pub len: u64,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: i128,
    pub ctime: i128,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Stamp {
        let ns = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Stamp {
            dev: metadata.dev(),
            ino: metadata.ino(),
            len: metadata.len(),
            mode: metadata.mode(),
            uid: metadata.uid(),
            gid: metadata.gid(),
            mtime: ns(metadata.mtime(), metadata.mtime_nsec()),
            ctime: ns(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// When it was last touched.
    pub(super) fn latest(&self) -> i128 {
        self.mtime.max(self.ctime)
    }
}

pub(super) fn kind_of(metadata: &Metadata) -> Option<Kind> {
    let kind = metadata.file_type();
    match () {
        () if kind.is_symlink() => Some(Kind::Link),
        () if kind.is_file() && metadata.mode() & 0o100 != 0 => Some(Kind::Executable),
        () if kind.is_file() => Some(Kind::File),
        () => None,
    }
}

/// The path below a root that these bytes mean.
pub(super) fn join(root: &Path, path: &[u8]) -> PathBuf {
    root.join(OsStr::from_bytes(path))
}

pub(super) fn parent_of(path: &[u8]) -> &[u8] {
    path.iter().rposition(|b| *b == b'/').map_or(&[], |slash| &path[..slash])
}

pub(super) fn name_of(path: &[u8]) -> &[u8] {
    path.iter().rposition(|b| *b == b'/').map_or(path, |slash| &path[slash + 1..])
}

/// What a file holds, and in which state it was when it was read.
#[derive(Debug)]
pub(super) struct Content {
    pub kind: Kind,
    pub bytes: Vec<u8>,
    pub stamp: Stamp,
    /// False if somebody wrote it while it was read.
    pub is_settled: bool,
}

/// Reads a file or link; the reason if it cannot be kept.
pub(super) fn read(path: &Path, limit: u64) -> Result<Content, Why> {
    let unreadable = |error: io::Error| Why::Unreadable(error.to_string());
    let metadata = std::fs::symlink_metadata(path).map_err(unreadable)?;
    let kind = kind_of(&metadata).ok_or(Why::Special)?;
    if metadata.len() > limit {
        return Err(Why::TooLarge(metadata.len()));
    }
    let stamp = Stamp::of(&metadata);
    if kind == Kind::Link {
        let target: OsString = std::fs::read_link(path).map_err(unreadable)?.into_os_string();
        return Ok(Content { kind, bytes: target.into_vec(), stamp, is_settled: true });
    }
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(unreadable)?;
    let mut bytes = Vec::with_capacity(metadata.len() as usize + 1);
    // One byte more than allowed, so that a file that grows meanwhile is noticed.
    (&file).take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(Why::TooLarge(bytes.len() as u64));
    }
    let after = Stamp::of(&file.metadata().map_err(unreadable)?);
    Ok(Content { kind, bytes, stamp, is_settled: after == stamp })
}

/// What stands at a path below `root`, or nothing. A link among the directories on the way is an error.
pub(super) fn read_below(root: &Path, path: &[u8], limit: u64) -> Result<Option<Content>, Error> {
    if !has_directories(root, parent_of(path))? {
        return Ok(None);
    }
    let full = join(root, path);
    match std::fs::symlink_metadata(&full) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("inspect", &full, error)),
        Ok(metadata) if metadata.is_dir() => return Ok(None),
        Ok(_) => {}
    }
    read(&full, limit).map(Some).map_err(|why| Error::NotSaved { path: full, what: why.to_string() })
}

/// True if every name on this way is a directory. False if one is missing or a file; an error if one is a link.
pub(super) fn has_directories(root: &Path, way: &[u8]) -> Result<bool, Error> {
    if way.is_empty() {
        return Ok(true);
    }
    let mut here = root.to_owned();
    for name in way.split(|b| *b == b'/') {
        here.push(OsStr::from_bytes(name));
        match std::fs::symlink_metadata(&here) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(metadata) if metadata.is_symlink() => return Err(Error::ThroughLink { path: here }),
            Ok(_) => return Ok(false),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(false);
            }
            Err(error) => return Err(Error::io("inspect", &here, error)),
        }
    }
    Ok(true)
}

/// A name in a directory that is held open.
pub(super) struct Place {
    /// Held so that [`Place::path`] stays valid.
    _dir: Dir,
    path: PathBuf,
}

impl Place {
    /// The directories on the way are made where they are missing; a link among them is an error.
    pub(super) fn below(root: &Path, path: &[u8]) -> Result<Place, Error> {
        let way = Path::new(OsStr::from_bytes(parent_of(path)));
        let dir = Dir::open(root)
            .and_then(|root| root.below(way, 0o777))
            .map_err(at("make the directories of", &join(root, path)))?;
        let path = dir.path().join(OsStr::from_bytes(name_of(path)));
        Ok(Place { _dir: dir, path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes a new file or link, durable. `mode` are the permission bits of a file.
pub(super) fn create(path: &Path, kind: Kind, bytes: &[u8], mode: Option<u32>) -> io::Result<()> {
    if kind == Kind::Link {
        return std::os::unix::fs::symlink(OsStr::from_bytes(bytes), path);
    }
    let default = if kind == Kind::Executable { 0o777 } else { 0o666 };
    let mut file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(default)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    file.write_all(bytes)?;
    if let Some(mode) = mode {
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode & 0o7777))?;
    }
    file.sync_all()
}

/// The permissions a file gets that replaces one with mode `old`: the same, but for the executable bits.
pub(super) fn merged_mode(old: u32, kind: Kind) -> u32 {
    match kind {
        Kind::Executable => old | ((old & 0o444) >> 2) | 0o100,
        _ => old & !0o111,
    }
}

/// Removes the directories on the way to a removed file that are empty now; the root stays.
pub(super) fn prune(root: &Path, path: &[u8]) {
    let mut way = parent_of(path);
    while !way.is_empty() {
        // One that is not empty refuses; that is where it ends.
        if std::fs::remove_dir(join(root, way)).is_err() {
            return;
        }
        way = parent_of(way);
    }
}

/// Moves to another name, also onto another file system; an error if the name is taken.
pub(super) fn move_new(from: &Path, to: &Path) -> io::Result<()> {
    sys::rename_new(from, to)
}

/// The file system's own idea of now, from a file written in `dir`.
pub(super) fn now_in(dir: &Path) -> Result<i128, Error> {
    let path = dir.join("now");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&path)
        .map_err(at("write", &path))?;
    (&file).write_all(b"\n").map_err(at("write", &path))?;
    Ok(Stamp::of(&file.metadata().map_err(at("inspect", &path))?).latest())
}

pub(super) fn left_out(path: &[u8], why: Why) -> LeftOut {
    LeftOut { path: PathBuf::from(OsString::from_vec(path.to_vec())), why }
}
