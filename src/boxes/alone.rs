//! Writing where nobody else can write at that moment: the file is looked at and changed under a lease.
//!
//! An editor that saves in place would otherwise have written between our look and our byte, which then lands in the
//! middle of a word. Where there is no lease (network file systems, another user's file, someone who keeps the file
//! open) the bytes around each box are looked at just before instead: that leaves microseconds.

use crate::sys::{self, Lease};
use crate::writeback::{Index, TickEdit};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// How often, and with which pause, someone who has the file open is waited for: a save takes less, and who keeps a
/// file open would hold up the run.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(1);

/// Writes each edit where its box still stands; stops at the first that does not. Gives how many were written: none if
/// the file, seen alone, is not `expected` any more.
pub(super) fn write(file: &File, expected: &Index, edits: &[TickEdit], room: &mut Room) -> io::Result<usize> {
    if edits.is_empty() {
        return Ok(0);
    }
    let Some(_lease) = alone(file) else { return write_at_risk(file, edits) };
    if holds(file, expected, room)? { write_all(file, edits) } else { Ok(0) }
}

fn alone(file: &File) -> Option<Lease<'_>> {
    for _ in 0..TRIES {
        match sys::try_lease(file) {
            Ok(Some(lease)) => return Some(lease),
            Ok(None) => std::thread::sleep(PAUSE),
            Err(_) => return None,
        }
    }
    None
}

/// Compared piece by piece, for a large file would take its size in memory once more.
pub(super) const PIECE: usize = 16 << 10;

/// Room for a piece, used again at every look.
#[derive(Debug, Default)]
pub(super) struct Room(Vec<u8>);

/// Whether the file holds what is expected, no more and no less.
pub(super) fn holds(file: &File, expected: &Index, room: &mut Room) -> io::Result<bool> {
    let len = expected.file_len();
    if file.metadata()?.len() != len as u64 {
        return Ok(false);
    }
    room.0.resize(PIECE, 0);
    let found = &mut room.0;
    for at in (0..len).step_by(PIECE) {
        let piece = PIECE.min(len - at);
        match file.read_exact_at(&mut found[..piece], at as u64) {
            Ok(()) => {}
            // It was longer a moment ago.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
        if !expected.holds(at, &mut found[..piece]) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn write_all(file: &File, edits: &[TickEdit]) -> io::Result<usize> {
    for edit in edits {
        file.write_all_at(&[edit.new], edit.offset)?;
    }
    Ok(edits.len())
}

fn write_at_risk(file: &File, edits: &[TickEdit]) -> io::Result<usize> {
    for (written, edit) in edits.iter().enumerate() {
        let mut marker = [0; 3];
        let Some(start) = edit.offset.checked_sub(1) else { return Ok(written) };
        match file.read_exact_at(&mut marker, start) {
            Ok(()) if marker == [b'[', edit.old, b']'] => file.write_all_at(&[edit.new], edit.offset)?,
            Ok(()) => return Ok(written),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(written),
            Err(error) => return Err(error),
        }
    }
    Ok(edits.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceText;
    use crate::task::TaskIx;
    use std::fs::OpenOptions;

    fn index(text: &str) -> Index {
        let source = SourceText::new("tasks.md", text);
        Index::new(&crate::parse::parse(&source).0, &source)
    }

    fn edit(offset: u64) -> TickEdit {
        TickEdit { nth: 0, ix: TaskIx(0), offset, old: b' ', new: b'x', line: 1 }
    }

    #[test]
    fn a_text_that_became_another_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tasks.md");
        let old = "- [ ] T1 a\n- [ ] T2 b\n";
        // As after an edit that moved the boxes by just one line: one stands where another stood.
        std::fs::write(&path, "- [ ] T9 z\n- [ ] T1 a\n").unwrap();
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        assert_eq!(write(&file, &index(old), &[edit(3)], &mut Room::default()).unwrap(), 0);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "- [ ] T9 z\n- [ ] T1 a\n");
    }

    #[test]
    fn who_keeps_the_file_open_does_not_stop_a_tick() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tasks.md");
        std::fs::write(&path, "- [ ] T1 a\n").unwrap();
        let _viewer = File::open(&path).unwrap();
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        assert_eq!(write(&file, &index("- [ ] T1 a\n"), &[edit(3)], &mut Room::default()).unwrap(), 1);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "- [x] T1 a\n");
    }
}
