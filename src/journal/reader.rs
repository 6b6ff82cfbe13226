//! Reading a journal back: whole frames, and what the end of the file says about how the writer ended.
//!
//! A crash leaves a prefix, perhaps with half a frame, NULs or holes where blocks never reached the disk. That is a
//! *tail* and is dropped. Anything else is *damage*: it is reported with its place, and nothing is written.

use super::frame::{self, Frame, NotAFrame};
use crate::event::Event;
use crate::fs;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A journal as far as it is good.
#[derive(Debug, Default)]
pub struct Loaded {
    pub events: Vec<Event>,
    /// Number of the last good frame.
    pub frames: u64,
    /// Bytes of the good frames; what lies behind is the tail.
    pub good_len: u64,
    pub tail: Tail,
    /// When the file was last written, in nanoseconds since the epoch.
    pub written_ns: i128,
}

/// How the file ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tail {
    #[default]
    Clean,
    /// This many bytes of unfinished writing follow: never acknowledged, to be dropped.
    Torn { bytes: u64 },
    /// The last frame stands there twice; the second one is to be dropped.
    Repeated { bytes: u64 },
}

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error(
        "`{}` was written by a newer specter (format {version}, this one reads up to {})",
        fs::shown(path),
        frame::VERSION
    )]
    Newer { path: PathBuf, line: u64, version: u32 },
    #[error("`{}` is damaged at line {line}, byte {offset}: {damage}", fs::shown(path))]
    Damaged { path: PathBuf, line: u64, offset: u64, damage: Damage },
}

impl JournalError {
    /// What the user can do.
    pub fn help(&self) -> &'static str {
        match self {
            JournalError::File(_) => "make the file readable, then try again",
            JournalError::Newer { .. } => "use that version or a later one; the journal was left as it is",
            JournalError::Damaged { .. } => {
                "nothing was changed; put the file back from a backup, or move the directory of the run away: \
                 ticked boxes in the task file still count as done"
            }
        }
    }
}

/// What is wrong with a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("the checksum does not match")]
    Checksum,
    #[error("unexpected content: {0}")]
    Content(String),
    #[error("frame {found} follows frame {last}")]
    FrameOrder { last: u64, found: u64 },
    #[error("event {found} follows event {last}")]
    EventOrder { last: u64, found: u64 },
}

/// So many NULs in a row never come from a flipped bit: the block was not written.
const HOLE: usize = 8;

/// Reads a journal, in one pass and without changing anything.
pub fn read(path: &Path) -> Result<Loaded, JournalError> {
    let (file, metadata) = fs::open_regular(path, false)?;
    let mut reader = Reader::new(path, file);
    reader.loaded.written_ns = fs::Identity::of(&metadata).mtime_ns;
    // A frame with one event takes 150 bytes or more.
    reader.loaded.events.reserve((metadata.len() / 150).min(1 << 20) as usize);
    while reader.next_line()? {
        match reader.accept() {
            Ok(()) => {}
            Err(end) => return reader.end(end),
        }
    }
    Ok(reader.loaded)
}

/// The first event of a journal, if it has one: says which task file the run was for, without reading all of it.
pub fn first_event(path: &Path) -> Result<Option<Event>, JournalError> {
    let (file, _) = fs::open_regular(path, false)?;
    let mut reader = Reader::new(path, file);
    if reader.next_line()?
        && let Err(end) = reader.accept()
    {
        reader.end(end)?;
        return Ok(None);
    }
    Ok(reader.loaded.events.into_iter().next())
}

/// How much of a journal's end is looked at by [`last_events`].
const END: u64 = 1 << 16;

/// The events of the last frames, back to the first that holds one to which `tells` says yes, as far as they fit into a
/// look at the end: a quick way to see whether a long run came to its end. Empty if the end is not whole; then only
/// [`read`] tells.
pub(super) fn last_events(path: &Path, tells: impl Fn(&Event) -> bool) -> Result<Vec<Event>, JournalError> {
    let (mut file, metadata) = fs::open_regular(path, false)?;
    let start = metadata.len().saturating_sub(END);
    file.seek(SeekFrom::Start(start)).map_err(|error| fs::Error::io("read", path, error))?;
    let end = fs::read_rest(&mut file, path, metadata.len() - start, 2 * END)?;
    let Some(end) = end.strip_suffix(b"\n") else { return Ok(Vec::new()) };
    // From the last line backwards, up to the first that is cut by the look or damaged.
    let mut frames: Vec<Frame> = Vec::new();
    for frame in end.rsplit(|byte| *byte == b'\n').map_while(|line| frame::decode(line).ok()) {
        frames.push(frame);
        if frames.last().is_some_and(|frame| frame.events.iter().any(&tells)) {
            break;
        }
    }
    frames.reverse();
    Ok(frames.into_iter().flat_map(|frame| frame.events).collect())
}

struct Reader<'a> {
    path: &'a Path,
    input: BufReader<File>,
    line: Vec<u8>,
    number: u64,
    offset: u64,
    /// The last good line's checksum, to recognise it when it is repeated.
    previous: u32,
    loaded: Loaded,
}

/// Why a line was not accepted.
enum End {
    Damage(Damage),
    Newer(u32),
    Torn,
    Repeated,
}

impl<'a> Reader<'a> {
    fn new(path: &'a Path, file: File) -> Reader<'a> {
        let input = BufReader::with_capacity(1 << 16, file);
        Reader { path, input, line: Vec::new(), number: 0, offset: 0, previous: 0, loaded: Loaded::default() }
    }

    /// False at the end of the file.
    fn next_line(&mut self) -> Result<bool, JournalError> {
        self.offset += self.line.len() as u64;
        self.number += 1;
        self.line.clear();
        let read = self.input.read_until(b'\n', &mut self.line);
        Ok(read.map_err(|error| fs::Error::io("read", self.path, error))? > 0)
    }

    fn accept(&mut self) -> Result<(), End> {
        let frame = self.frame()?;
        self.check_order(&frame)?;
        self.loaded.frames = frame.number;
        self.loaded.good_len = self.offset + self.line.len() as u64;
        self.loaded.events.extend(frame.events);
        self.previous = crc32fast::hash(&self.line);
        Ok(())
    }

    fn frame(&self) -> Result<Frame, End> {
        let Some(line) = self.line.strip_suffix(b"\n") else { return Err(self.unfinished()) };
        frame::decode(line).map_err(|error| match error {
            NotAFrame::Checksum if has_hole(line) => End::Torn,
            NotAFrame::Checksum => End::Damage(Damage::Checksum),
            NotAFrame::Newer(version) => End::Newer(version),
            NotAFrame::Content(why) => End::Damage(Damage::Content(why)),
        })
    }

    /// A last line without its end: half a write, unless a whole frame is followed by something else than a line end.
    fn unfinished(&self) -> End {
        match self.line.split_last() {
            Some((_, whole)) if frame::decode(whole).is_ok() => End::Damage(Damage::Checksum),
            _ => End::Torn,
        }
    }

    fn check_order(&self, frame: &Frame) -> Result<(), End> {
        let last = self.loaded.frames;
        if frame.number == last && last > 0 && crc32fast::hash(&self.line) == self.previous {
            return Err(End::Repeated);
        }
        if frame.number != last + 1 {
            return Err(End::Damage(Damage::FrameOrder { last, found: frame.number }));
        }
        let mut last = self.loaded.events.last().map_or(0, |event| event.seq);
        for event in &frame.events {
            if event.seq != last + 1 {
                return Err(End::Damage(Damage::EventOrder { last, found: event.seq }));
            }
            last = event.seq;
        }
        Ok(())
    }

    fn end(mut self, end: End) -> Result<Loaded, JournalError> {
        match end {
            End::Damage(damage) => Err(self.damaged(damage)),
            End::Newer(version) => {
                Err(JournalError::Newer { path: self.path.to_owned(), line: self.number, version })
            }
            End::Torn => self.skip_tail().map(|bytes| self.finish(Tail::Torn { bytes })),
            End::Repeated => {
                let bytes = self.line.len() as u64;
                if self.next_line()? {
                    return Err(self.damaged(Damage::FrameOrder {
                        last: self.loaded.frames,
                        found: self.loaded.frames,
                    }));
                }
                Ok(self.finish(Tail::Repeated { bytes }))
            }
        }
    }

    /// Blocks can reach the disk out of order, so whole frames may follow a hole. They were not acknowledged either,
    /// unless one says that the missing one had been synced: then the hole came later and is damage.
    fn skip_tail(&mut self) -> Result<u64, JournalError> {
        let (number, offset) = (self.number, self.offset);
        while self.next_line()? {
            let Some(line) = self.line.strip_suffix(b"\n") else { continue };
            if frame::decode(line).is_ok_and(|frame| frame.synced > self.loaded.frames) {
                (self.number, self.offset) = (number, offset);
                return Err(self.damaged(Damage::Checksum));
            }
        }
        Ok(self.offset - offset)
    }

    fn finish(&mut self, tail: Tail) -> Loaded {
        Loaded { tail, ..std::mem::take(&mut self.loaded) }
    }

    fn damaged(&self, damage: Damage) -> JournalError {
        JournalError::Damaged { path: self.path.to_owned(), line: self.number, offset: self.offset, damage }
    }
}

fn has_hole(line: &[u8]) -> bool {
    let mut run = 0;
    line.iter().any(|byte| {
        run = if *byte == 0 { run + 1 } else { 0 };
        run >= HOLE
    })
}
