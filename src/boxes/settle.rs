//! Reading a file that others may be writing just now: what it holds once it has come to rest.

use super::alone::{self, Room};
use crate::fs::{self, Contents, Identity};
use crate::source::MAX_BYTES;
use crate::writeback::Index;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// Between two reads that must be equal.
const PAUSE: Duration = Duration::from_millis(3);
/// A text that looks cut short must read the same this often.
const CUT_READS: u32 = 20;
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
    let mut last: Option<Contents> = None;
    let (mut equal, mut missing) = (0, 0);
    for _ in 0..MAX_READS {
        match look(path, expected, room) {
            Ok(Looked::Expected(file, identity)) => return Ok(Found { file, identity, bytes: None }),
            Ok(Looked::Other(file, contents)) => {
                equal = if is_same(last.as_ref(), &contents) { equal + 1 } else { 0 };
                if equal >= needed(&contents.bytes, expected) {
                    let Contents { bytes, identity } = contents;
                    return Ok(Found { file, identity, bytes: Some(bytes) });
                }
                last = Some(contents);
            }
            Err(error) if error.is_not_found() && missing < MISSING_READS => missing += 1,
            Err(error) => return Err(error.into()),
        }
        std::thread::sleep(PAUSE);
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
