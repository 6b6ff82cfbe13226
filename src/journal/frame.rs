//! One frame as one line: `{"v":1,"n":3,"s":2,"e":[{…},…],"c":"1a2b3c4d"}`.
//!
//! `v` version of the format, `n` number of the frame from 1, `s` how many frames were known to be on disk when this
//! one was written, `e` its events, `c` the CRC-32 of every byte before `,"c":`. The beginning (`{"v":N,`) and the
//! end (`,"c":"…"}`) are the same in every version to come, so that an old program can tell a newer journal from a
//! damaged one.

use crate::event::Event;
use crate::text::put_number;
use serde::Deserialize;

/// The newest version of the format that is understood; the one that is written.
pub const VERSION: u32 = 1;

/// `,"c":"12345678"}`
const TRAILER: usize = 16;

/// A frame as read.
#[derive(Debug, Deserialize)]
pub(super) struct Frame {
    #[serde(rename = "n")]
    pub(super) number: u64,
    #[serde(rename = "s")]
    pub(super) synced: u64,
    #[serde(rename = "e")]
    pub(super) events: Vec<Event>,
}

/// Why a line is no frame.
#[derive(Debug, PartialEq)]
pub(super) enum NotAFrame {
    /// Cut, or with a wrong checksum.
    Checksum,
    /// Whole, and of a version that is not known.
    Newer(u32),
    /// Whole, and not what a frame holds: the parser's words.
    Content(String),
}

/// Replaces `buffer` by the frame's line, its line end included.
pub(super) fn encode(
    buffer: &mut Vec<u8>,
    number: u64,
    synced: u64,
    events: &[Event],
) -> serde_json::Result<()> {
    buffer.clear();
    buffer.extend_from_slice(HEAD);
    put_number(buffer, number);
    buffer.extend_from_slice(b",\"s\":");
    put_number(buffer, synced);
    buffer.extend_from_slice(b",\"e\":[");
    for (n, event) in events.iter().enumerate() {
        if n > 0 {
            buffer.push(b',');
        }
        event.write_json(buffer)?;
    }
    buffer.push(b']');
    let checksum = crc32fast::hash(buffer);
    buffer.extend_from_slice(b",\"c\":\"");
    buffer.extend((0..8).rev().map(|digit| HEX[(checksum >> (4 * digit)) as usize & 0xf]));
    buffer.extend_from_slice(b"\"}\n");
    Ok(())
}

/// Version 1 and the key of the frame's number.
const HEAD: &[u8] = b"{\"v\":1,\"n\":";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// `line` is without its line end.
pub(super) fn decode(line: &[u8]) -> Result<Frame, NotAFrame> {
    if !is_whole(line) {
        return Err(NotAFrame::Checksum);
    }
    match version(line) {
        Some(VERSION) => serde_json::from_slice(line).map_err(|error| NotAFrame::Content(error.to_string())),
        Some(newer) => Err(NotAFrame::Newer(newer)),
        None => Err(NotAFrame::Content("no version".to_owned())),
    }
}

fn is_whole(line: &[u8]) -> bool {
    let Some(at) = line.len().checked_sub(TRAILER) else { return false };
    let (body, trailer) = line.split_at(at);
    let digits = trailer.strip_prefix(b",\"c\":\"").and_then(|rest| rest.strip_suffix(b"\"}"));
    digits.and_then(hex) == Some(crc32fast::hash(body))
}

/// Exactly what `{:08x}` writes: nothing else may pass for it.
fn hex(digits: &[u8]) -> Option<u32> {
    let is_lower_hex = digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let text = std::str::from_utf8(digits).ok()?;
    if is_lower_hex { u32::from_str_radix(text, 16).ok() } else { None }
}

fn version(line: &[u8]) -> Option<u32> {
    let rest = line.strip_prefix(b"{\"v\":")?;
    let digits = rest.split(|b| *b == b',').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventKind, NoteLevel};
    use std::time::Duration;

    fn note(seq: u64) -> Event {
        let kind = EventKind::Note { level: NoteLevel::Info, text: "hello, \"you\"\n".to_owned() };
        Event { seq, at: Duration::from_millis(5), kind }
    }

    fn line(number: u64, events: &[Event]) -> Vec<u8> {
        let mut buffer = Vec::new();
        encode(&mut buffer, number, 0, events).unwrap();
        assert_eq!(buffer.pop(), Some(b'\n'));
        buffer
    }

    /// A line of another version with a right checksum.
    fn reversioned(line: &[u8], from: &str, to: &str) -> Vec<u8> {
        let body = String::from_utf8(line[..line.len() - TRAILER].to_vec()).unwrap();
        let body = body.replacen(from, to, 1).into_bytes();
        let checksum = crc32fast::hash(&body);
        [body, format!(",\"c\":\"{checksum:08x}\"}}").into_bytes()].concat()
    }

    #[test]
    fn a_frame_is_one_line_of_json_and_reads_back() {
        let events = [note(1), note(2)];
        let line = line(7, &events);
        assert!(!line.contains(&b'\n'));
        let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!((&json["v"], &json["n"]), (&1.into(), &7.into()));
        assert_eq!(json["e"][0]["kind"], "note");
        let frame = decode(&line).unwrap();
        assert_eq!((frame.number, frame.events.as_slice()), (7, &events[..]));
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let line = line(1, &[note(1)]);
        let newer = reversioned(&line, "\"v\":1", "\"v\":23");
        assert_eq!(decode(&newer).unwrap_err(), NotAFrame::Newer(23));
        let mut flipped = line.clone();
        flipped[5] = b'3';
        assert_eq!(decode(&flipped).unwrap_err(), NotAFrame::Checksum);
    }

    #[test]
    fn a_kind_that_is_not_known_is_named() {
        let unknown = reversioned(&line(1, &[note(1)]), "\"note\"", "\"dance\"");
        let NotAFrame::Content(why) = decode(&unknown).unwrap_err() else { panic!("decoded") };
        assert!(why.contains("dance"), "{why}");
    }

    #[test]
    fn a_checksum_in_capitals_is_damage() {
        let mut line = line(1, &[note(1)]);
        let at = line.len() - 3;
        line[at] = line[at].to_ascii_uppercase();
        // Only where the digit is a letter does this change anything.
        let changed = line[at].is_ascii_uppercase();
        assert_eq!(decode(&line).is_err(), changed);
    }
}
