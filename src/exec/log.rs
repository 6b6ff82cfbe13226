//! The log of one attempt: private, made with the first byte, bounded: the first and the last 8 MB, and between
//! them how much was dropped. A disk that does not take it costs the log, never the task.

use crate::fs::PRIVATE_DIR;
use crate::sys::Dir;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const HEAD: u64 = 8 << 20;
const TAIL: u64 = 8 << 20;

pub(super) struct AttemptLog<'a> {
    dir: &'a Dir,
    /// In `dir`.
    path: PathBuf,
    file: Option<File>,
    /// All bytes given so far, kept or not.
    given: u64,
    /// Bytes that could not be written.
    lost: u64,
    head: u64,
    tail: u64,
}

impl<'a> AttemptLog<'a> {
    /// What is kept of the begin and of the end.
    pub(super) const ROOM: (u64, u64) = (HEAD, TAIL);

    pub(super) fn new(dir: &'a Dir, path: PathBuf, (head, tail): (u64, u64)) -> AttemptLog<'a> {
        AttemptLog { dir, path, file: None, given: 0, lost: 0, head, tail }
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) {
        if self.given == 0 && !bytes.is_empty() {
            match create(self.dir, &self.path) {
                Ok(file) => self.file = Some(file),
                Err(_) => self.file = None,
            }
        }
        while !bytes.is_empty() {
            let (at, room) = self.place();
            let n = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            let (now, later) = bytes.split_at(n);
            if self.file.as_ref().is_none_or(|file| file.write_all_at(now, at).is_err()) {
                self.lost += n as u64;
                // What is there stays; a log with holes would be worse than one that ends early.
                self.file = None;
            }
            self.given += n as u64;
            bytes = later;
        }
    }

    /// Where the next byte goes and how many fit there: the last part is a ring in the file.
    fn place(&self) -> (u64, u64) {
        if self.given < self.head {
            return (self.given, self.head - self.given);
        }
        let in_ring = (self.given - self.head) % self.tail;
        (self.head + in_ring, self.tail - in_ring)
    }

    /// Straightens the ring. Gives the number of bytes that are not in the log because the disk refused them.
    pub(super) fn finish(&mut self) -> u64 {
        let dropped = self.given.saturating_sub(self.head + self.tail);
        if dropped > 0 && self.file.is_some() && self.straighten(dropped).is_err() {
            self.lost += self.tail;
        }
        self.file = None;
        self.lost
    }

    fn straighten(&self, dropped: u64) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut ring = vec![0; self.tail as usize];
        file.read_exact_at(&mut ring, self.head)?;
        let (at, _) = self.place();
        ring.rotate_left((at - self.head) as usize);
        let note = format!("\n[specter: {dropped} bytes dropped]\n");
        file.write_all_at(note.as_bytes(), self.head)?;
        file.write_all_at(&ring, self.head + note.len() as u64)
    }
}

/// Tasks may have put links in the way: none is followed.
fn create(dir: &Dir, path: &Path) -> io::Result<File> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    dir.below(path.parent().unwrap_or(Path::new("")), PRIVATE_DIR)?.create(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn logged(pieces: &[&[u8]]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let run = Dir::open(dir.path()).unwrap();
        let path = dir.path().join("tasks/T1/attempt-1.log");
        let mut log = AttemptLog::new(&run, "tasks/T1/attempt-1.log".into(), (8, 4));
        for piece in pieces {
            log.write(piece);
        }
        assert_eq!(log.finish(), 0);
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn what_fits_is_kept_whole() {
        assert_eq!(logged(&[b"0123", b"456789ab"]), "0123456789ab");
    }

    #[test]
    fn of_too_much_the_beginning_and_the_end_are_kept() {
        let expected = "01234567\n[specter: 5 bytes dropped]\ndefg";
        assert_eq!(logged(&[b"0123456789abcdefg"]), expected);
        let single: Vec<&[u8]> = b"0123456789abcdefg".chunks(1).collect();
        assert_eq!(logged(&single), expected);
    }

    #[test]
    fn nothing_is_created_without_output_and_only_the_owner_may_read() {
        let dir = tempfile::tempdir().unwrap();
        let run = Dir::open(dir.path()).unwrap();
        let path = dir.path().join("a/b.log");
        let mut log = AttemptLog::new(&run, "a/b.log".into(), AttemptLog::ROOM);
        log.write(b"");
        assert!(!path.exists());
        log.write(b"x");
        log.finish();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(path.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_link_in_the_way_leads_nowhere() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let run = Dir::open(dir.path()).unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("a")).unwrap();
        let mut log = AttemptLog::new(&run, "a/b.log".into(), AttemptLog::ROOM);
        log.write(b"12345");
        assert_eq!(log.finish(), 5);
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_refusing_disk_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "a file").unwrap();
        let run = Dir::open(dir.path()).unwrap();
        let mut log = AttemptLog::new(&run, "a/b.log".into(), AttemptLog::ROOM);
        log.write(b"12345");
        assert_eq!(log.finish(), 5);
    }
}
