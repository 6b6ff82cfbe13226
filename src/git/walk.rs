//! Which files a working tree has that are worth keeping: tracked ones, and others that git does not ignore.
//! Reads names and metadata only. What cannot be kept is listed with its reason, never passed over.

use super::Error;
use super::disk::{self, Stamp, join, left_out};
use super::error::{at, git};
use super::tree::RelPath;
use git2::Repository;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::fs::DirEntry;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Deeper directories are listed as left out.
const MAX_DEPTH: usize = 512;

/// Something in a working tree that saving it does not cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub path: PathBuf,
    pub why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    Unreadable(String),
    /// Bytes.
    TooLarge(u64),
    /// A repository inside the repository, with whatever it holds.
    NestedRepository,
    /// A named pipe, a socket, a device.
    Special,
    TooDeep,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Unreadable(reason) => write!(f, "cannot be read: {reason}"),
            Why::TooLarge(bytes) => write!(f, "too large: {bytes} bytes"),
            Why::NestedRepository => f.write_str("a repository of its own"),
            Why::Special => f.write_str("neither a file nor a link"),
            Why::TooDeep => f.write_str("too many directories deep"),
        }
    }
}

pub(super) struct Found {
    pub path: RelPath,
    pub stamp: Stamp,
}

#[derive(Default)]
pub(super) struct Walked {
    pub files: Vec<Found>,
    pub left_out: Vec<LeftOut>,
    /// What git ignores: the topmost names only.
    pub ignored: Vec<RelPath>,
    /// Submodules that stand where they are tracked.
    pub submodules: Vec<RelPath>,
}

/// What decides whether a file is worth keeping.
pub(super) struct Scope<'a> {
    /// Open with its working directory at the root that is walked; none: nothing is ignored.
    pub rules: Option<&'a Repository>,
    /// Kept even if ignored.
    pub tracked: &'a Tracked,
    /// Never kept and never listed, with everything below.
    pub skip: &'a [RelPath],
}

impl Scope<'_> {
    fn is_skipped(&self, path: &[u8]) -> bool {
        self.skip.iter().any(|skip| skip == path)
    }

    fn is_ignored(&self, path: &[u8], is_dir: bool) -> Result<bool, Error> {
        let Some(rules) = self.rules else { return Ok(false) };
        let mut path = path.to_vec();
        if is_dir {
            path.push(b'/');
        }
        rules
            .is_path_ignored(Path::new(std::ffi::OsStr::from_bytes(&path)))
            .map_err(git("read the ignore rules"))
    }
}

/// Paths that git knows: those of a tree, which many walks share, and those that are staged besides.
#[derive(Clone, Debug, Default)]
pub(super) struct Tracked {
    pub tree: Arc<BTreeSet<RelPath>>,
    pub staged: BTreeSet<RelPath>,
}

impl Tracked {
    fn contains(&self, path: &[u8]) -> bool {
        self.tree.contains(path) || self.staged.contains(path)
    }

    fn has_below(&self, dir: &[u8]) -> bool {
        let prefix = below(dir, b"");
        let has = |paths: &BTreeSet<RelPath>| {
            paths.range(prefix.clone()..).next().is_some_and(|path| path.starts_with(&prefix))
        };
        has(&self.tree) || has(&self.staged)
    }
}

/// Walks everything below `start` (empty: the whole tree).
pub(super) fn walk(root: &Path, start: &[u8], scope: &Scope<'_>) -> Result<Walked, Error> {
    let mut walked = Walked::default();
    // Directories still to be read; whether the ignore rules say no to what is untracked in them.
    let mut open: Vec<(RelPath, usize, bool)> = vec![(start.to_vec(), 0, false)];
    while let Some((dir, depth, is_ignored)) = open.pop() {
        let path = join(root, &dir);
        let entries = match entries_in(&path) {
            Ok(entries) => entries,
            Err(error) if dir.is_empty() => return Err(Error::io("list", &path, error)),
            Err(error) => {
                walked.left_out.push(left_out(&dir, Why::Unreadable(error.to_string())));
                continue;
            }
        };
        if !dir.is_empty() && entries.iter().any(|(name, _)| name.eq_ignore_ascii_case(".git")) {
            if scope.tracked.contains(&dir) {
                walked.submodules.push(dir);
            } else {
                walked.left_out.push(left_out(&dir, Why::NestedRepository));
            }
            continue;
        }
        for (name, entry) in entries {
            let is_git = dir.is_empty() && name.eq_ignore_ascii_case(".git");
            let child = below(&dir, name.as_bytes());
            if is_git || scope.is_skipped(&child) {
                continue;
            }
            // Asked of the directory that is open: a path is looked up once for all that is in it.
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // Gone since the directory was read.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    walked.left_out.push(left_out(&child, Why::Unreadable(error.to_string())));
                    continue;
                }
            };
            if metadata.is_dir() {
                // A submodule that was never filled.
                if scope.tracked.contains(&child) && is_empty_dir(&join(root, &child)) {
                    walked.submodules.push(child);
                    continue;
                }
                let ignored = is_ignored || scope.is_ignored(&child, true)?;
                match () {
                    () if ignored && !scope.tracked.has_below(&child) => walked.ignored.push(child),
                    () if depth >= MAX_DEPTH => walked.left_out.push(left_out(&child, Why::TooDeep)),
                    () => open.push((child, depth + 1, ignored)),
                }
                continue;
            }
            let is_tracked = scope.tracked.contains(&child);
            if !is_tracked && (is_ignored || scope.is_ignored(&child, false)?) {
                walked.ignored.push(child);
                continue;
            }
            match disk::kind_of(&metadata) {
                Some(_) => walked.files.push(Found { path: child, stamp: Stamp::of(&metadata) }),
                None => walked.left_out.push(left_out(&child, Why::Special)),
            }
        }
    }
    Ok(walked)
}

fn entries_in(dir: &Path) -> std::io::Result<Vec<(OsString, DirEntry)>> {
    let entry = |entry: std::io::Result<DirEntry>| entry.map(|entry| (entry.file_name(), entry));
    std::fs::read_dir(dir)?.map(entry).collect()
}

fn is_empty_dir(dir: &Path) -> bool {
    std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}

pub(super) fn below(dir: &[u8], name: &[u8]) -> RelPath {
    let mut path = Vec::with_capacity(dir.len() + name.len() + 1);
    if !dir.is_empty() {
        path.extend_from_slice(dir);
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// Bytes that a file or directory takes, counted no further than `limit`.
pub(super) fn size(path: &Path, limit: u64) -> Result<u64, Error> {
    let mut total = 0;
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let metadata = std::fs::symlink_metadata(&path).map_err(at("inspect", &path))?;
        if metadata.is_dir() {
            for entry in std::fs::read_dir(&path).map_err(at("list", &path))? {
                open.push(entry.map_err(at("list", &path))?.path());
            }
        } else {
            total += metadata.len();
        }
        if total > limit {
            break;
        }
    }
    Ok(total)
}
