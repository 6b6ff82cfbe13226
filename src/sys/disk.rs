//! Names and contents on disk beyond std: swapping two names, moving without replacing, sharing blocks between
//! files, how much room there is, and telling libgit2 to sync what it writes.

use super::check;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Swaps what two names stand for, in one step: nothing that either held is gone.
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    rename(one, other, libc::RENAME_EXCHANGE)
}

/// Moves a name; an error if the new one is taken.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    rename(from, to, libc::RENAME_NOREPLACE)
}

fn rename(from: &Path, to: &Path, flags: libc::c_uint) -> io::Result<()> {
    let (from, to) = (c_path(from)?, c_path(to)?);
    // SAFETY: both names are strings that live through the call.
    check(unsafe { libc::renameat2(libc::AT_FDCWD, from.as_ptr(), libc::AT_FDCWD, to.as_ptr(), flags) })?;
    Ok(())
}

/// Makes `to` hold what `from` holds without copying it: both share their blocks until one of them is written.
pub fn reflink(from: &File, to: &File) -> io::Result<()> {
    // SAFETY: both descriptors are open through the call; the third argument of FICLONE is a descriptor.
    check(unsafe { libc::ioctl(to.as_raw_fd(), libc::FICLONE as _, from.as_raw_fd()) })?;
    Ok(())
}

/// Bytes of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub all: u64,
    /// What this process may still use of it.
    pub free: u64,
}

/// Of the file system that holds `path`.
pub fn room(path: &Path) -> io::Result<Room> {
    let path = c_path(path)?;
    let mut found = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the path is a string that lives through the call; the struct is filled in on success, and valid in any
    // case.
    let found = unsafe {
        check(libc::statvfs(path.as_ptr(), found.as_mut_ptr()))?;
        found.assume_init()
    };
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(Room { all: bytes(found.f_blocks), free: bytes(found.f_bavail) })
}

/// From now on libgit2 syncs every object and reference before it gives it its name. False if it cannot.
pub fn sync_git_objects() -> bool {
    // SAFETY: the option takes one int; it only sets a flag that libgit2 reads when it writes.
    unsafe {
        libgit2_sys::init();
        libgit2_sys::git_libgit2_opts(
            libgit2_sys::GIT_OPT_ENABLE_FSYNC_GITDIR as libc::c_int,
            1 as libc::c_int,
        ) == 0
    }
}

/// Whether this process may make and remove names in a directory.
pub fn may_write(dir: &Path) -> bool {
    let Ok(dir) = c_path(dir) else { return false };
    // SAFETY: the name is a string that lives through the call.
    unsafe { libc::faccessat(libc::AT_FDCWD, dir.as_ptr(), libc::W_OK | libc::X_OK, libc::AT_EACCESS) == 0 }
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}
