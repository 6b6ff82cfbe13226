//! Reading a file that others may be writing just now: what it holds once it has come to rest.

use super::alone::{self, Room};
use crate::fs::{self, Contents, Identity};
use crate::source::MAX_BYTES;
use crate::sys;
use crate::writeback::Index;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// Between two reads that must be equal.
const PAUSE: Duration = Duration::from_millis(3);
/// A text that looks cut short must read the same this often.
const CUT_READS: u32 = 20;
/// A text that someone has open for writing must read the same this often: on a busy machine an editor may rest in the
/// middle of a save, and what it has not written yet is no task that somebody removed. Some keep it open for good.
const WRITTEN_READS: u32 = 150;
/// So many reads until a file that keeps changing is left for later: about two seconds.
const MAX_READS: u32 = 600;
/// A file that is missing may be between an editor's two steps: so many looks.
const MISSING_READS: u32 = 30;

#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("the file keeps changing")]
    Restless,
}

/// The file at rest.
pub(super) struct Found {
    pub(super) file: File,
    pub(super) identity: Identity,
    /// What it holds; none if that is what was expected.
    pub(super) bytes: Option<Vec<u8>>,
}

/// Opens and reads the file: at once if it holds `expected`, else when it has come to rest.
pub(super) fn read(path: &Path, expected: Option<&Index>, room: &mut Room) -> Result<Found, Unreadable> {
    read_pausing(path, expected, room, || std::thread::sleep(PAUSE))
}

fn read_pausing(
    path: &Path,
    expected: Option<&Index>,
    room: &mut Room,
    mut pause: impl FnMut(),
) -> Result<Found, Unreadable> {
    let mut last: Option<Contents> = None;
    let (mut equal, mut missing) = (0, 0);
    for _ in 0..MAX_READS {
        match look(path, expected, room) {
            Ok(Looked::Expected(file, identity)) => return Ok(Found { file, identity, bytes: None }),
            Ok(Looked::Other(file, contents)) => {
                equal = if is_same(last.as_ref(), &contents) { equal + 1 } else { 0 };
                // Ours is one that may write, too.
                drop(file);
                if equal >= needed(&contents.bytes, expected)
                    && (equal >= WRITTEN_READS || !is_being_written(path))
                    && let Some(file) = open_again(path, &contents.identity)?
                {
                    let Contents { bytes, identity } = contents;
                    return Ok(Found { file, identity, bytes: Some(bytes) });
                }
                last = Some(contents);
            }
            Err(error) if error.is_not_found() && missing < MISSING_READS => missing += 1,
            Err(error) => return Err(error.into()),
        }
        pause();
    }
    Err(Unreadable::Restless)
}

enum Looked {
    Expected(File, Identity),
    Other(File, Contents),
}

fn look(path: &Path, expected: Option<&Index>, room: &mut Room) -> Result<Looked, fs::Error> {
    let (mut file, metadata) = fs::open_regular(path, true)?;
    let identity = Identity::of(&metadata);
    if let Some(expected) = expected
        && alone::holds(&file, expected, room).map_err(|error| fs::Error::io("read", path, error))?
    {
        return Ok(Looked::Expected(file, identity));
    }
    let bytes = fs::read_rest(&mut file, path, metadata.len(), MAX_BYTES as u64)?;
    Ok(Looked::Other(file, Contents { bytes, identity }))
}

/// Where it cannot be told, nobody does.
fn is_being_written(path: &Path) -> bool {
    fs::open_regular(path, false).is_ok_and(|(file, _)| sys::has_writer(&file).unwrap_or(false))
}

/// None if it is another file now, or was changed.
fn open_again(path: &Path, identity: &Identity) -> Result<Option<File>, fs::Error> {
    match fs::open_regular(path, true) {
        Ok((file, metadata)) => Ok((Identity::of(&metadata) == *identity).then_some(file)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_same(last: Option<&Contents>, now: &Contents) -> bool {
    last.is_some_and(|last| last.identity == now.identity && last.bytes == now.bytes)
}

/// A file that shrank to a beginning of itself is probably being written just now.
fn needed(bytes: &[u8], expected: Option<&Index>) -> u32 {
    let is_cut = bytes.is_empty() || expected.is_some_and(|expected| begins_with(expected, bytes));
    if is_cut { CUT_READS } else { 1 }
}

fn begins_with(expected: &Index, bytes: &[u8]) -> bool {
    let mut pieces = bytes.chunks(alone::PIECE).enumerate();
    pieces.all(|(n, piece)| expected.holds(n * alone::PIECE, &mut piece.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceText;
    use std::io::Write as _;

    const OLD: &str = "- [ ] T1 a\n- [ ] T2 b\n";
    const NEW: &str = "note\n- [ ] T1 a\n- [ ] T2 b\n";

    /// What is read while somebody, who has saved a part of `NEW` and has the file open, goes on at the pause of that number.
    fn read_while_saved(goes_on_at: u32) -> (String, u32) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tasks.md");
        let mut editor = Some(File::create(&path).unwrap());
        let (first, rest) = NEW.split_at(18);
        editor.as_ref().unwrap().write_all(first.as_bytes()).unwrap();
        let source = SourceText::new("tasks.md", OLD);
        let expected = Index::new(&crate::parse::parse(&source).0, &source);
        let mut pauses = 0;
        let found = read_pausing(&path, Some(&expected), &mut Room::default(), || {
            pauses += 1;
            if pauses == goes_on_at {
                editor.take().unwrap().write_all(rest.as_bytes()).unwrap();
            }
        });
        (String::from_utf8(found.unwrap().bytes.unwrap()).unwrap(), pauses)
    }

    #[test]
    fn a_save_that_rests_in_its_middle_is_waited_for() {
        if sys::has_writer(&tempfile::tempfile().unwrap()).is_err() {
            eprintln!("skipped: this file system knows no leases");
            return;
        }
        assert_eq!(read_while_saved(WRITTEN_READS / 2).0, NEW);
    }

    #[test]
    fn who_keeps_a_file_open_for_writing_is_not_waited_for_forever() {
        let (text, pauses) = read_while_saved(u32::MAX);
        assert_eq!(text, &NEW[..18]);
        assert!(pauses <= WRITTEN_READS + 1, "{pauses}");
    }
}
