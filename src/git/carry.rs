//! What git ignores but a working tree needs to run: brought from the user's tree into an attempt's.
//!
//! Sharing blocks (reflink) and copying keep the user's files apart from the attempt's. A hard link does not: whoever
//! writes such a file in place writes both. So it is taken by itself only for packages, which tools replace whole.

use super::Error;
use super::disk::{self, join};
use super::error::at;
use super::tree::RelPath;
use super::walk::{self, below};
use crate::sys;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What may be copied without being asked for.
const SMALL: u64 = 64 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Reflink where the file system can; else packages by hard link, small things by copy, build output not at all.
    Auto,
    Reflink,
    HardLink,
    Symlink,
    Copy,
}

/// A name, or a path from the root, that is wanted in every working tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carry {
    pub name: PathBuf,
    pub how: How,
}

impl Carry {
    /// What common projects need.
    pub fn usual() -> Vec<Carry> {
        let names = [
            "node_modules",
            ".venv",
            "venv",
            "vendor",
            "target",
            ".env",
            ".env.local",
            ".envrc",
            ".tool-versions",
        ];
        names.iter().map(|name| Carry { name: PathBuf::from(name), how: How::Auto }).collect()
    }
}

/// What was brought over, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    pub path: PathBuf,
    /// None: left behind, as nothing fast and safe was possible.
    pub how: Option<How>,
    pub files: u64,
}

/// Brings those of `ignored` (paths in `from`) that are wanted. A name that is there already stays.
pub(super) fn carry_over(
    from: &Path,
    to: &Path,
    ignored: &[RelPath],
    wanted: &[Carry],
) -> Result<Vec<Carried>, Error> {
    let mut carried = Vec::new();
    for path in ignored {
        let Some(carry) = wanted.iter().find(|carry| is_meant(&carry.name, path)) else { continue };
        let (source, target) = (join(from, path), join(to, path));
        let is_free = std::fs::symlink_metadata(&target).is_err();
        let has_parent = disk::has_directories(to, disk::parent_of(path)).unwrap_or(false);
        if !is_free || !has_parent {
            continue;
        }
        let how = choose(carry.how, &source, &target)?;
        let files = match how {
            None => 0,
            Some(How::Symlink) => {
                std::os::unix::fs::symlink(&source, &target).map_err(at("link", &target))?;
                1
            }
            Some(how) => duplicate(&source, &target, how)?,
        };
        carried.push(Carried { path: PathBuf::from(std::ffi::OsStr::from_bytes(path)), how, files });
    }
    Ok(carried)
}

fn is_meant(name: &Path, path: &[u8]) -> bool {
    let name = name.as_os_str().as_bytes();
    name == path || name == disk::name_of(path)
}

fn choose(how: How, source: &Path, target: &Path) -> Result<Option<How>, Error> {
    if how != How::Auto {
        return Ok(Some(how));
    }
    if can_reflink(source, target) {
        return Ok(Some(How::Reflink));
    }
    let is_packages = ["node_modules", "vendor"].iter().any(|name| source.ends_with(name));
    Ok(match () {
        () if is_packages && is_same_device(source, target) => Some(How::HardLink),
        () if walk::size(source, SMALL)? <= SMALL => Some(How::Copy),
        () => None,
    })
}

fn is_same_device(source: &Path, target: &Path) -> bool {
    let dev = |path: &Path| std::fs::symlink_metadata(path).map(|metadata| metadata.dev()).ok();
    dev(source).is_some() && dev(source) == target.parent().and_then(dev)
}

/// Tried on an empty scratch pair beside the target, on the first file that is found.
fn can_reflink(source: &Path, target: &Path) -> bool {
    let mut open = vec![source.to_owned()];
    while let Some(path) = open.pop() {
        let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            let Ok(entries) = std::fs::read_dir(&path) else { continue };
            open.extend(entries.flatten().map(|entry| entry.path()));
        } else if metadata.is_file() && metadata.len() > 0 {
            let probe = target.with_extension("specter-probe");
            let works =
                File::open(&path).and_then(|from| sys::reflink(&from, &File::create_new(&probe)?)).is_ok();
            let _ = std::fs::remove_file(&probe);
            return works;
        }
    }
    false
}

/// Copies a file or a whole directory, links as links; how many files that were. Special files are passed over.
fn duplicate(source: &Path, target: &Path, how: How) -> Result<u64, Error> {
    let mut files = 0;
    let mut open: Vec<RelPath> = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let place = |root: &Path| if path.is_empty() { root.to_owned() } else { join(root, &path) };
        let (from, to) = (place(source), place(target));
        let metadata = std::fs::symlink_metadata(&from).map_err(at("inspect", &from))?;
        if metadata.is_dir() {
            std::fs::create_dir(&to).map_err(at("create directory", &to))?;
            for entry in std::fs::read_dir(&from).map_err(at("list", &from))? {
                let entry = entry.map_err(at("list", &from))?;
                open.push(below(&path, entry.file_name().as_bytes()));
            }
            continue;
        }
        files += 1;
        let done = match () {
            () if metadata.is_symlink() => {
                std::fs::read_link(&from).and_then(|link| std::os::unix::fs::symlink(link, &to))
            }
            () if !metadata.is_file() => Ok(()),
            () if how == How::HardLink => std::fs::hard_link(&from, &to),
            () => copy_file(&from, &to, metadata.mode(), how),
        };
        done.map_err(at("carry over to", &to))?;
    }
    Ok(files)
}

fn copy_file(from: &Path, to: &Path, mode: u32, how: How) -> io::Result<()> {
    let source =
        OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(from)?;
    let target = File::create_new(to)?;
    match how {
        How::Reflink => sys::reflink(&source, &target)?,
        _ => {
            io::copy(&mut &source, &mut &target)?;
        }
    }
    target.set_permissions(PermissionsExt::from_mode(mode & 0o777))?;
    // Build tools compare times.
    let times = std::fs::FileTimes::new().set_modified(source.metadata()?.modified()?);
    target.set_times(times)
}
