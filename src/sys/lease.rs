//! A lease on a file (fcntl(2), "Leases"): while it is held nobody else has the file open, and who wants to waits.
//! So what is read under it is still there when it is written.

use super::check;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Ignored by default, and so harmless: the system sends it to the holder when someone waits. (Its own choice, SIGIO,
/// would end the process.)
const SOMEONE_WAITS: libc::c_int = libc::SIGURG;

/// `F_SETSIG` of fcntl(2), which `libc` does not name.
const SET_SIGNAL: libc::c_int = 10;

/// Given back when dropped. To be held for moments: others are stopped in `open` meanwhile, and those that do not want
/// to be stopped get an error.
#[derive(Debug)]
pub struct Lease<'a>(&'a File);

/// The file for us alone; `None` if someone else has it open now. An error where there is no such thing: a file that is
/// another user's, a file system that knows no leases.
pub fn try_lease(file: &File) -> io::Result<Option<Lease<'_>>> {
    // SAFETY: changes only what signal this descriptor's owner gets.
    check(unsafe { libc::fcntl(file.as_raw_fd(), SET_SIGNAL, SOMEONE_WAITS) })?;
    match set(file, libc::F_WRLCK) {
        Ok(()) => Ok(Some(Lease(file))),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether someone has the file open for writing now. `file` is open for reading only, and nothing of ours for writing. An
/// error where there are no leases.
pub fn has_writer(file: &File) -> io::Result<bool> {
    // SAFETY: changes only what signal this descriptor's owner gets.
    check(unsafe { libc::fcntl(file.as_raw_fd(), SET_SIGNAL, SOMEONE_WAITS) })?;
    match set(file, libc::F_RDLCK) {
        Ok(()) => {
            drop(Lease(file));
            Ok(false)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(error),
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // Cannot fail for a lease that is held; one that the system took back after 45 seconds is given back already.
        let _ = set(self.0, libc::F_UNLCK);
    }
}

fn set(file: &File, kind: libc::c_int) -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, kind) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::os::unix::fs::OpenOptionsExt;

    #[test]
    fn nobody_opens_a_leased_file_and_who_has_it_open_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "text").unwrap();
        let open = || OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(&path);
        let ours = open().unwrap();
        {
            let Ok(Some(_lease)) = try_lease(&ours) else {
                eprintln!("skipped: this file system knows no leases");
                return;
            };
            assert_eq!(open().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
        let theirs = open().unwrap();
        assert!(try_lease(&ours).unwrap().is_none());
        drop(theirs);
        assert!(try_lease(&ours).unwrap().is_some());
    }

    #[test]
    fn who_writes_a_file_is_noticed_and_who_reads_it_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "text").unwrap();
        let (ours, _reader) = (File::open(&path).unwrap(), File::open(&path).unwrap());
        let Ok(found) = has_writer(&ours) else {
            eprintln!("skipped: this file system knows no leases");
            return;
        };
        assert!(!found);
        let writer = OpenOptions::new().append(true).open(&path).unwrap();
        assert!(has_writer(&ours).unwrap());
        drop(writer);
        assert!(!has_writer(&ours).unwrap());
    }
}
