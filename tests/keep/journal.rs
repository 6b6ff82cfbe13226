//! Journals cut, flipped, holed and repeated: a reader returns a prefix and a position, or refuses with a place.

use super::note;
use specter::event::Event;
use specter::journal::{self, Damage, Journal, JournalError, Loaded, Lock, Tail};
use std::path::PathBuf;

struct Run {
    dir: tempfile::TempDir,
    lock: Lock,
}

impl Run {
    fn new() -> Run {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::acquire(&dir.path().join("lock"), "test", "now").unwrap();
        Run { dir, lock }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("journal.ndjson")
    }

    /// Frames of one to three events; synced after the third. Gives each frame's end.
    fn write(&self, frames: u64) -> Vec<u64> {
        let mut journal = Journal::create(self.dir.path(), &self.lock).unwrap();
        let mut syncer = journal.syncer().unwrap();
        let mut seq = 0;
        let mut ends = Vec::new();
        for frame in 1..=frames {
            let events: Vec<Event> = (0..=frame % 3)
                .map(|_| {
                    seq += 1;
                    note(seq, "naïve \"text\"")
                })
                .collect();
            journal.append(&events).unwrap();
            ends.push(std::fs::metadata(self.path()).unwrap().len());
            if frame == 3 {
                assert_eq!(syncer.sync().unwrap(), 3);
            }
        }
        ends
    }

    fn read(&self) -> Result<Loaded, JournalError> {
        journal::read(&self.path())
    }

    fn with(&self, bytes: &[u8]) -> Result<Loaded, JournalError> {
        std::fs::write(self.path(), bytes).unwrap();
        let result = self.read();
        assert_eq!(std::fs::read(self.path()).unwrap(), bytes, "reading changes nothing");
        result
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).unwrap()
    }
}

fn assert_prefix(loaded: &Loaded, whole: &Loaded) {
    assert_eq!(loaded.events[..], whole.events[..loaded.events.len()]);
}

fn damage_of(result: Result<Loaded, JournalError>) -> (u64, u64, Damage) {
    match result {
        Err(JournalError::Damaged { line, offset, damage, .. }) => (line, offset, damage),
        other => panic!("not reported as damage: {other:?}"),
    }
}

#[test]
fn what_was_appended_reads_back() {
    let run = Run::new();
    let ends = run.write(6);
    let loaded = run.read().unwrap();
    assert_eq!((loaded.frames, loaded.good_len, loaded.tail), (6, ends[5], Tail::Clean));
    assert_eq!(loaded.events.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
}

#[test]
fn a_journal_cut_at_any_byte_gives_a_prefix_and_the_place() {
    let run = Run::new();
    let ends = run.write(6);
    let (bytes, whole) = (run.bytes(), run.read().unwrap());
    for cut in 0..=bytes.len() {
        let loaded = run.with(&bytes[..cut]).unwrap();
        let frames = ends.iter().filter(|end| **end <= cut as u64).count();
        let good = if frames == 0 { 0 } else { ends[frames - 1] };
        assert_eq!((loaded.frames, loaded.good_len), (frames as u64, good), "cut at {cut}");
        let expected = match cut as u64 - good {
            0 => Tail::Clean,
            bytes => Tail::Torn { bytes },
        };
        assert_eq!(loaded.tail, expected, "cut at {cut}");
        assert_prefix(&loaded, &whole);
    }
}

#[test]
fn any_flipped_bit_is_reported_at_its_line_and_never_taken_for_a_torn_end() {
    let run = Run::new();
    let ends = run.write(6);
    let bytes = run.bytes();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            let (line, offset, _) = damage_of(run.with(&flipped));
            let frame = ends.iter().filter(|end| **end <= at as u64).count();
            let start = if frame == 0 { 0 } else { ends[frame - 1] };
            assert_eq!((line, offset), (frame as u64 + 1, start), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn nuls_behind_any_byte_are_a_torn_end() {
    let run = Run::new();
    run.write(6);
    let (bytes, whole) = (run.bytes(), run.read().unwrap());
    for cut in 0..=bytes.len() {
        let mut zeroed = bytes[..cut].to_vec();
        zeroed.resize(bytes.len() + 64, 0);
        let loaded = run.with(&zeroed).unwrap();
        assert_prefix(&loaded, &whole);
        assert_eq!(loaded.tail, Tail::Torn { bytes: zeroed.len() as u64 - loaded.good_len });
    }
}

#[test]
fn a_hole_in_what_was_not_synced_is_a_torn_end_even_if_frames_follow() {
    let run = Run::new();
    let ends = run.write(9);
    let (bytes, whole) = (run.bytes(), run.read().unwrap());
    // Only three frames were synced: everything behind may be missing from any byte to any byte.
    for from in (ends[2] as usize..bytes.len() - 8).step_by(7) {
        for to in (from + 8..=bytes.len()).step_by(11) {
            let mut holed = bytes.clone();
            holed[from..to].fill(0);
            let loaded = run.with(&holed).unwrap();
            assert!(loaded.frames >= 3);
            assert_eq!(loaded.tail, Tail::Torn { bytes: bytes.len() as u64 - loaded.good_len });
            assert_prefix(&loaded, &whole);
        }
    }
}

#[test]
fn a_hole_in_what_was_synced_is_damage() {
    let run = Run::new();
    let ends = run.write(9);
    let mut bytes = run.bytes();
    bytes[ends[0] as usize + 5..ends[0] as usize + 40].fill(0);
    assert_eq!(damage_of(run.with(&bytes)), (2, ends[0], Damage::Checksum));
}

#[test]
fn a_frame_that_stands_there_twice_counts_once_at_the_end_and_is_damage_elsewhere() {
    let run = Run::new();
    let ends = run.write(4);
    let bytes = run.bytes();
    let last = &bytes[ends[2] as usize..];
    let loaded = run.with(&[&bytes[..], last].concat()).unwrap();
    assert_eq!((loaded.frames, loaded.good_len), (4, ends[3]));
    assert_eq!(loaded.tail, Tail::Repeated { bytes: last.len() as u64 });

    let first = &bytes[..ends[0] as usize];
    let (_, _, damage) = damage_of(run.with(&[first, first, &bytes[ends[0] as usize..]].concat()));
    assert_eq!(damage, Damage::FrameOrder { last: 1, found: 1 });
}

#[test]
fn a_missing_or_strange_frame_is_damage() {
    let run = Run::new();
    let ends = run.write(4);
    let bytes = run.bytes();
    let without_second = [&bytes[..ends[0] as usize], &bytes[ends[1] as usize..]].concat();
    assert_eq!(damage_of(run.with(&without_second)), (2, ends[0], Damage::FrameOrder { last: 1, found: 3 }));
    let with_an_empty_line = [&bytes[..ends[0] as usize], b"\n", &bytes[ends[0] as usize..]].concat();
    assert_eq!(damage_of(run.with(&with_an_empty_line)), (2, ends[0], Damage::Checksum));
}

#[test]
fn events_out_of_order_are_damage() {
    let run = Run::new();
    let mut journal = Journal::create(run.dir.path(), &run.lock).unwrap();
    journal.append(&[note(1, "a")]).unwrap();
    journal.append(&[note(3, "c")]).unwrap();
    let (line, _, damage) = damage_of(run.read());
    assert_eq!((line, damage), (2, Damage::EventOrder { last: 1, found: 3 }));
}

/// As a later version would write it: the beginning and the end of a line stay as they are.
fn newer_frame() -> Vec<u8> {
    let body = r#"{"v":7,"n":1,"cbor":"oWFhAQ""#;
    format!("{body},\"c\":\"{:08x}\"}}\n", crc32fast::hash(body.as_bytes())).into_bytes()
}

#[test]
fn a_newer_journal_is_refused_and_left_alone() {
    let run = Run::new();
    run.write(2);
    let bytes = run.bytes();
    for (journal, at) in [(newer_frame(), 1), ([bytes, newer_frame(), b"half a lin".to_vec()].concat(), 3)] {
        let error = run.with(&journal).unwrap_err();
        assert!(matches!(error, JournalError::Newer { version: 7, line, .. } if line == at), "{error}");
        assert!(error.help().contains("that version"));
    }
}

#[test]
fn a_resumed_journal_loses_its_torn_end_and_goes_on() {
    let run = Run::new();
    let ends = run.write(4);
    let bytes = run.bytes();
    std::fs::write(run.path(), &bytes[..bytes.len() - 9]).unwrap();
    let loaded = run.read().unwrap();
    let mut journal = Journal::resume(run.dir.path(), &loaded, &run.lock).unwrap();
    assert_eq!(run.bytes(), bytes[..ends[2] as usize]);
    let next = loaded.events.len() as u64 + 1;
    journal.append(&[note(next, "resumed")]).unwrap();
    let again = run.read().unwrap();
    assert_eq!((again.frames, again.tail, again.events.len() as u64), (4, Tail::Clean, next));
}

#[test]
fn no_events_make_no_frame_and_a_second_sync_does_nothing() {
    let run = Run::new();
    let mut journal = Journal::create(run.dir.path(), &run.lock).unwrap();
    journal.append(&[]).unwrap();
    assert_eq!(run.bytes(), b"");
    let mut syncer = journal.syncer().unwrap();
    assert_eq!(syncer.sync().unwrap(), 0);
    journal.append(&[note(1, "a")]).unwrap();
    assert_eq!((journal.appended(), syncer.durable()), (1, 0));
    assert_eq!((syncer.sync().unwrap(), syncer.durable()), (1, 1));
}

#[test]
fn an_existing_journal_is_not_overwritten() {
    let run = Run::new();
    run.write(1);
    let bytes = run.bytes();
    assert!(Journal::create(run.dir.path(), &run.lock).is_err());
    assert_eq!(run.bytes(), bytes);
}
