//! Directories that are entered one name at a time and never through a link: what tasks make of the names below one
//! cannot lead specter's own writing anywhere else.

use super::check;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// A directory, held open: it stays the same one when somebody moves it and puts another in its place.
#[derive(Debug)]
pub struct Dir(OwnedFd);

impl Dir {
    /// Whatever `path` leads to now.
    pub fn open(path: &Path) -> io::Result<Dir> {
        enter(libc::AT_FDCWD, path.as_os_str(), 0)
    }

    /// A directory below this one; made, with this mode, where it is missing. A link on the way is an error.
    pub fn below(&self, relative: &Path, mode: u32) -> io::Result<Dir> {
        let mut dir = enter(self.0.as_raw_fd(), OsStr::new("."), 0)?;
        for component in relative.components() {
            let Component::Normal(name) = component else { return Err(io::ErrorKind::InvalidInput.into()) };
            dir = dir.step(name, mode)?;
        }
        Ok(dir)
    }

    fn step(&self, name: &OsStr, mode: u32) -> io::Result<Dir> {
        match enter(self.0.as_raw_fd(), name, libc::O_NOFOLLOW) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let path = c_string(name)?;
                // SAFETY: the name is a string that lives through the call. Somebody else may be faster.
                let made = check(unsafe { libc::mkdirat(self.0.as_raw_fd(), path.as_ptr(), mode) });
                match made {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                    _ => enter(self.0.as_raw_fd(), name, libc::O_NOFOLLOW),
                }
            }
            result => result,
        }
    }

    /// A new file, private, instead of whatever had its name.
    pub fn create(&self, name: &OsStr) -> io::Result<File> {
        let path = c_string(name)?;
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC;
        // SAFETY: the name is a string that lives through the call; on success the descriptor is new and ours.
        let open = || unsafe {
            let fd = check(libc::openat(self.0.as_raw_fd(), path.as_ptr(), flags, 0o600))?;
            Ok(File::from_raw_fd(fd))
        };
        match open() {
            Err(error) if io::Error::kind(&error) == io::ErrorKind::AlreadyExists => {
                // SAFETY: as above. What cannot be removed shows in the second try.
                unsafe { libc::unlinkat(self.0.as_raw_fd(), path.as_ptr(), 0) };
                open()
            }
            result => result,
        }
    }

    /// A new file; an error if the name is taken. Made with this mode, less what the process masks.
    pub fn create_new(&self, name: &OsStr, mode: u32) -> io::Result<File> {
        let path = c_string(name)?;
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        // SAFETY: the name is a string that lives through the call; on success the descriptor is new and ours.
        unsafe {
            let fd = check(libc::openat(self.0.as_raw_fd(), path.as_ptr(), flags, mode))?;
            Ok(File::from_raw_fd(fd))
        }
    }

    /// A path that leads here, whatever became of the name; valid as long as this lives.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

fn enter(at: RawFd, name: &OsStr, flags: libc::c_int) -> io::Result<Dir> {
    let name = c_string(name)?;
    let flags = flags | libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the name is a string that lives through the call; on success the descriptor is new and ours.
    unsafe {
        let fd = check(libc::openat(at, name.as_ptr(), flags))?;
        Ok(Dir(OwnedFd::from_raw_fd(fd)))
    }
}

fn c_string(name: &OsStr) -> io::Result<CString> {
    CString::new(name.as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn no_link_leads_out() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("kept"), "precious").unwrap();
        symlink(outside.path(), inside.path().join("way")).unwrap();
        symlink(outside.path().join("kept"), inside.path().join("file")).unwrap();
        let dir = Dir::open(inside.path()).unwrap();
        assert!(dir.below(Path::new("way"), 0o700).is_err() && dir.below(Path::new("way/x"), 0o700).is_err());
        assert!(dir.below(Path::new("../x"), 0o700).is_err() && dir.below(Path::new("/etc"), 0o700).is_err());
        std::io::Write::write_all(&mut dir.create(OsStr::new("file")).unwrap(), b"new").unwrap();
        assert_eq!(std::fs::read(outside.path().join("kept")).unwrap(), b"precious");
        assert_eq!(std::fs::read(inside.path().join("file")).unwrap(), b"new");
    }

    #[test]
    fn what_is_missing_is_made_and_stays_the_same_when_it_is_moved() {
        let inside = tempfile::tempdir().unwrap();
        let dir = Dir::open(inside.path()).unwrap();
        let below = dir.below(Path::new("a/b"), 0o700).unwrap();
        assert_eq!(inside.path().join("a/b").metadata().unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::rename(inside.path().join("a/b"), inside.path().join("moved")).unwrap();
        std::fs::write(below.path().join("x"), "x").unwrap();
        drop(below.create(OsStr::new("y")).unwrap());
        assert!(inside.path().join("moved/x").exists() && inside.path().join("moved/y").exists());
    }
}
