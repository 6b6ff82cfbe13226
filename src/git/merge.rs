//! Three versions of one path become one, or a conflict that shows both sides. A side is never taken wholesale where
//! both changed something.

use super::error::git;
use super::repo::Git;
use super::rules::{self, Sides};
use super::tree::{Entry, Kind};
use super::{Attempt, Error};
use git2::{MergeFileInput, MergeFileOptions, merge_file};
use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

/// Hunks are shown up to this many lines a side.
const SHOWN_LINES: usize = 200;

/// A path that cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub path: PathBuf,
    pub kind: ConflictKind,
    /// Whose attempt last changed the path on the other side; none: the user did, in the working tree.
    pub other: Option<Attempt>,
    /// What helps with this file in particular: the program that writes it.
    pub help: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// Both changed the same lines. Without any: their lines go together, but make no file of its kind.
    Lines(Vec<Hunk>),
    /// Both changed it, and it is no text.
    Binary,
    /// It was removed there and changed by the attempt.
    RemovedThere,
    /// It was changed there and removed by the attempt.
    RemovedByAttempt,
    /// Both made it something else: a file, a link, a submodule.
    DifferentKinds,
    /// A directory stands where a file should, or a file or link where a directory should.
    InTheWay(PathBuf),
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        self.help.map_or(Ok(()), |help| write!(f, "; {help}"))
    }
}

impl fmt::Display for ConflictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConflictKind::Lines(hunks) if hunks.is_empty() => {
                f.write_str("what both changed makes no valid file together")
            }
            ConflictKind::Lines(_) => f.write_str("both changed the same lines"),
            ConflictKind::Binary => f.write_str("both changed it, and it is no text"),
            ConflictKind::RemovedThere => f.write_str("removed there, changed by the attempt"),
            ConflictKind::RemovedByAttempt => f.write_str("changed there, removed by the attempt"),
            ConflictKind::DifferentKinds => f.write_str("a file on one side, something else on the other"),
            ConflictKind::InTheWay(path) => write!(f, "`{}` is in the way", crate::fs::shown(path)),
        }
    }
}

impl ConflictKind {
    /// The conflicting places as git shows them, with what both sides come from; `there` names the other side.
    pub fn shown(&self, there: &str, attempt: &str) -> Vec<String> {
        let ConflictKind::Lines(hunks) = self else { return Vec::new() };
        hunks.iter().map(|hunk| hunk.shown(there, attempt)).collect()
    }
}

impl Hunk {
    fn shown(&self, there: &str, attempt: &str) -> String {
        let mut lines = vec![format!("<<<<<<< {there}")];
        lines.extend_from_slice(&self.there);
        lines.push("||||||| before both".to_owned());
        lines.extend_from_slice(&self.base);
        lines.push("=======".to_owned());
        lines.extend_from_slice(&self.attempt);
        lines.push(format!(">>>>>>> {attempt}"));
        lines.join("\n")
    }
}

/// Lines that both sides changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hunk {
    pub base: Vec<String>,
    pub there: Vec<String>,
    pub attempt: Vec<String>,
}

pub(super) enum Merged {
    /// What stands there now, and by which rule if lines alone did not merge.
    Is(Option<Entry>, Option<&'static str>),
    Conflict(ConflictKind),
}

/// What became of three texts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Text {
    Merged(Vec<u8>),
    ByRule(String, &'static str),
    Conflict(Vec<Hunk>),
}

impl Git {
    /// What `base` becomes if both `there` and `attempt` happen to it.
    pub(super) fn merge_entry(
        &self,
        path: &[u8],
        base: Option<Entry>,
        there: Option<Entry>,
        attempt: Option<Entry>,
    ) -> Result<Merged, Error> {
        if there == attempt || attempt == base {
            return Ok(Merged::Is(there, None));
        }
        if there == base {
            return Ok(Merged::Is(attempt, None));
        }
        let (there, attempt) = match (there, attempt) {
            (Some(there), Some(attempt)) => (there, attempt),
            (None, _) => return Ok(Merged::Conflict(ConflictKind::RemovedThere)),
            (_, None) => return Ok(Merged::Conflict(ConflictKind::RemovedByAttempt)),
        };
        let base = base.filter(|base| base.kind.is_file());
        if !there.kind.is_file() || !attempt.kind.is_file() {
            return Ok(Merged::Conflict(ConflictKind::DifferentKinds));
        }
        let kind = match base {
            Some(base) if base.kind == there.kind => attempt.kind,
            _ => there.kind,
        };
        self.merge_content(path, base, there, attempt, kind)
    }

    fn merge_content(
        &self,
        path: &[u8],
        base: Option<Entry>,
        there: Entry,
        attempt: Entry,
        kind: Kind,
    ) -> Result<Merged, Error> {
        if there.id == attempt.id || base.is_some_and(|base| base.id == attempt.id) {
            return Ok(Merged::Is(Some(Entry { id: there.id, kind }), None));
        }
        if base.is_some_and(|base| base.id == there.id) {
            return Ok(Merged::Is(Some(Entry { id: attempt.id, kind }), None));
        }
        let base = base.map(|base| self.content(base.id)).transpose()?.unwrap_or_default();
        let (there, attempt) = (self.content(there.id)?, self.content(attempt.id)?);
        if [&base, &there, &attempt].iter().any(|side| is_binary(side)) {
            return Ok(Merged::Conflict(ConflictKind::Binary));
        }
        let is = |bytes: &[u8], rule| Ok(Merged::Is(Some(Entry { id: self.blob(bytes)?, kind }), rule));
        match merge_texts(path, &base, &there, &attempt)? {
            Text::Merged(bytes) => is(&bytes, None),
            Text::ByRule(text, rule) => is(text.as_bytes(), Some(rule)),
            Text::Conflict(hunks) => Ok(Merged::Conflict(ConflictKind::Lines(hunks))),
        }
    }
}

/// Line by line; by a rule for the path where that is not enough.
pub(super) fn merge_texts(path: &[u8], base: &[u8], there: &[u8], attempt: &[u8]) -> Result<Text, Error> {
    let lines = merge_lines([base, there, attempt])?;
    let sides = Sides::of(base, there, attempt);
    if lines.is_merged {
        let text = std::str::from_utf8(&lines.bytes).ok();
        let is_broken = sides.zip(text).is_some_and(|(sides, text)| rules::is_broken(path, &sides, text));
        if !is_broken {
            return Ok(Text::Merged(lines.bytes));
        }
        // Both sides added the same name far from each other.
        return Ok(Text::Conflict(Vec::new()));
    }
    // A last line without an end would grow together with what comes behind it.
    let ended = [base, there, attempt].map(with_line_end);
    let again = merge_lines([&ended[0], &ended[1], &ended[2]])?;
    if let (Some(sides), Ok(text)) =
        (Sides::of(&ended[0], &ended[1], &ended[2]), std::str::from_utf8(&again.bytes))
        && let Some((text, rule)) = rules::merge(path, &sides, &rules::parts(text, again.marker_size))
    {
        return Ok(Text::ByRule(text, rule));
    }
    Ok(Text::Conflict(hunks(&lines.bytes, lines.marker_size)))
}

fn with_line_end(text: &[u8]) -> Cow<'_, [u8]> {
    match text.last() {
        None | Some(b'\n') => Cow::Borrowed(text),
        Some(_) => Cow::Owned([text, b"\n"].concat()),
    }
}

/// A merge in diff3 style.
struct Lines {
    bytes: Vec<u8>,
    is_merged: bool,
    marker_size: u16,
}

/// Stands above all three texts while they are merged: of a result that is empty libgit2 gives no place, and git2
/// would make a slice of that.
const ABOVE: &[u8] = b"\x01specter\x01\n";

fn merge_lines(sides: [&[u8]; 3]) -> Result<Lines, Error> {
    let marker_size = marker_size(&sides);
    let sides = sides.map(|bytes| [ABOVE, bytes].concat());
    let [in_base, in_there, in_attempt] = sides.each_ref().map(|bytes| {
        let mut input = MergeFileInput::new();
        input.content(bytes);
        input
    });
    let mut options = MergeFileOptions::new();
    options.style_diff3(true).marker_size(marker_size);
    let result =
        merge_file(&in_base, &in_there, &in_attempt, Some(&mut options)).map_err(git("merge a file"))?;
    let bytes = result.content();
    let bytes = bytes.strip_prefix(ABOVE).unwrap_or(bytes).to_vec();
    Ok(Lines { bytes, is_merged: result.is_automergeable(), marker_size })
}

/// As git decides it.
fn is_binary(bytes: &[u8]) -> bool {
    memchr::memchr(0, &bytes[..bytes.len().min(8000)]).is_some()
}

/// Long enough that no line of the files looks like a marker.
fn marker_size(sides: &[&[u8]]) -> u16 {
    let is_taken = |size: usize| {
        let markers: Vec<Vec<u8>> = [b'<', b'|', b'=', b'>'].iter().map(|c| vec![*c; size]).collect();
        sides
            .iter()
            .any(|side| side.split(|b| *b == b'\n').any(|line| markers.iter().any(|m| line.starts_with(m))))
    };
    (20..200).find(|size| !is_taken(*size)).unwrap_or(200) as u16
}

/// The conflicting places of a merge in diff3 style.
fn hunks(text: &[u8], size: u16) -> Vec<Hunk> {
    let marker = |c: u8| vec![c; usize::from(size)];
    let (start, base, middle, end) = (marker(b'<'), marker(b'|'), marker(b'='), marker(b'>'));
    let mut hunks = Vec::new();
    let mut open: Option<(Hunk, u8)> = None;
    for line in text.split(|b| *b == b'\n') {
        if line.starts_with(&start) {
            open = Some((Hunk::default(), 0));
            continue;
        }
        let Some((hunk, side)) = &mut open else { continue };
        match () {
            () if line.starts_with(&base) => *side = 1,
            () if line.starts_with(&middle) => *side = 2,
            () if line.starts_with(&end) => hunks.extend(open.take().map(|(hunk, _)| hunk)),
            () => {
                let lines = match side {
                    0 => &mut hunk.there,
                    1 => &mut hunk.base,
                    _ => &mut hunk.attempt,
                };
                if lines.len() < SHOWN_LINES {
                    lines.push(String::from_utf8_lossy(line).into_owned());
                }
            }
        }
    }
    hunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_sides_empty_is_empty() {
        // Elsewhere there is a repository, which makes libgit2 ready.
        crate::sys::sync_git_objects();
        let lines = merge_lines([b"a\n", b"", b""]).unwrap();
        assert!(lines.is_merged && lines.bytes.is_empty());
    }
}
