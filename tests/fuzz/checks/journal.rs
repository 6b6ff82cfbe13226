//! Any bytes as a journal, and any damage to a journal that was written.
//!
//! Input: the first byte chooses. 0: the rest is the file. 1: the rest is lines without their checksums, which are
//! added, so that what is inside of frames is reached. Else: a journal of that many frames is written, and the rest
//! damages it.

use super::in_scratch;
use specter::event::{Event, EventKind, NoteLevel, RunInfo};
use specter::history::History;
use specter::journal::{self, Journal, JournalError, Loaded, Lock, Tail};
use specter::parse::parse;
use specter::plan::{Options, Plan, plan};
use specter::policy::{Budgets, FailurePolicy, RetryPolicy};
use specter::schedule::{Input, Limits, Scheduler, Session, forecast};
use specter::source::SourceText;
use specter::summary::Summary;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub fn check(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else { return };
    in_scratch(|dir| match how {
        0 => drop(assert_read(dir, rest)),
        1 => drop(assert_read(dir, &with_checksums(rest))),
        frames => assert_damaged(dir, *frames, rest),
    });
}

fn with_checksums(lines: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    for body in lines.split_inclusive(|byte| *byte == b'\n') {
        let Some(body) = body.strip_suffix(b"\n") else {
            file.extend_from_slice(body);
            continue;
        };
        file.extend_from_slice(body);
        file.extend_from_slice(format!(",\"c\":\"{:08x}\"}}\n", crc32fast::hash(body)).as_bytes());
    }
    file
}

/// Reading changes nothing, and what was read can be acted on.
fn assert_read(dir: &Path, bytes: &[u8]) -> Option<Loaded> {
    let path = dir.join("journal.ndjson");
    std::fs::write(&path, bytes).unwrap();
    let result = journal::read(&path);
    let first = journal::first_event(&path);
    assert!(std::fs::read(&path).unwrap() == bytes, "reading changed the file");
    let loaded = match result {
        Ok(loaded) => loaded,
        Err(error) => {
            let place = match &error {
                JournalError::Damaged { line, offset, .. } => Some((*line, *offset as usize)),
                JournalError::Newer { line, .. } => Some((*line, 0)),
                JournalError::File(_) => None,
            };
            let (line, offset) = place.expect("a file that is there can be read");
            assert!(line >= 1 && offset <= bytes.len());
            assert!(!error.to_string().is_empty() && !error.help().is_empty());
            return None;
        }
    };
    let rest = bytes.len() as u64 - loaded.good_len;
    assert_eq!(
        rest,
        match loaded.tail {
            Tail::Clean => 0,
            Tail::Torn { bytes } | Tail::Repeated { bytes } => bytes,
        }
    );
    assert!(loaded.events.iter().zip(1..).all(|(event, seq)| event.seq == seq));
    assert_eq!(first.unwrap().as_ref(), loaded.events.first());
    assert_taken_up(&loaded.events);
    Some(loaded)
}

fn feature() -> Arc<Plan> {
    thread_local! {
        static PLAN: Arc<Plan> = {
            let text = "- [ ] T001 One\n- [x] T002 Two (depends on T001)\n- [ ] T003 [P] Three\n- [ ] T004 Four\n";
            let (document, _) = parse(&SourceText::new("tasks.md", text));
            Arc::new(plan(document, &Options::default()).unwrap().0)
        };
    }
    PLAN.with(Arc::clone)
}

/// Every fold bears any events, and a scheduler can be made of them and begins.
fn assert_taken_up(events: &[Event]) {
    for event in events {
        let mut fast = Vec::new();
        event.write_json(&mut fast).unwrap();
        let back: Event = serde_json::from_slice(&fast).unwrap();
        assert_eq!(back, *event, "what is read is what would be written");
    }
    let plan = feature();
    let summary = Summary::of(&plan, events);
    let _ = (summary.counts(), summary.duration_ms());
    let history = History::from_events(events);
    let limits = Limits {
        jobs: 2,
        retry: RetryPolicy::default(),
        failure: FailurePolicy::KeepGoing,
        budgets: Budgets {
            max_dispatches: Some(5),
            max_time: Some(Duration::from_hours(1)),
            ..Budgets::default()
        },
    };
    let session = Session::after(&history, RunInfo::default(), 0, 1);
    let mut scheduler = Scheduler::new(plan, limits, &history, session);
    let decision = scheduler.step(Duration::from_millis(1), Input::Begin);
    scheduler.check();
    assert!(!decision.events.is_empty());
    let _ = forecast(&scheduler, Duration::from_millis(2), 100);
}

fn note(seq: u64) -> Event {
    let kind = match seq {
        1 => EventKind::RunStarted {
            info: RunInfo { run: "r".to_owned(), file: "tasks.md".to_owned(), ..RunInfo::default() },
            started: 1,
            total: 1,
            selected: 1,
            done_before: 0,
        },
        _ => EventKind::Note { level: NoteLevel::Warn, text: "x".repeat(seq as usize % 50) },
    };
    Event { seq, at: Duration::from_millis(seq), kind }
}

/// Writes, damages, reads: a prefix, or damage with its place. What only lost its end always gives a prefix that holds
/// all that was synced, and goes on from there.
fn assert_damaged(dir: &Path, frames: u8, damage: &[u8]) {
    let path = dir.join("journal.ndjson");
    let _ = std::fs::remove_file(&path);
    let lock = Lock::acquire(&dir.join("lock"), "fuzz", "now").unwrap();
    let mut journal = Journal::create(dir, &lock).unwrap();
    let (mut seq, mut synced, mut ends) = (0, 0, Vec::new());
    for frame in 2..frames.min(24) {
        let events: Vec<Event> = (0..=frame % 3)
            .map(|_| {
                seq += 1;
                note(seq)
            })
            .collect();
        journal.append(&events).unwrap();
        ends.push(std::fs::metadata(&path).unwrap().len());
        if frame % 5 == 4 {
            synced = journal.syncer().unwrap().sync().unwrap();
        }
    }
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    let only_end = apply(&mut bytes, damage, synced.checked_sub(1).map_or(0, |n| ends[n as usize] as usize));
    let Some(loaded) = assert_read(dir, &bytes) else {
        assert!(!only_end, "a lost end is not damage");
        return;
    };
    if only_end {
        assert!(loaded.frames >= synced, "{} of {synced} synced frames", loaded.frames);
        assert!(whole.starts_with(&bytes[..loaded.good_len as usize]), "a prefix");
        assert_eq!(loaded.events, (1..=loaded.events.len() as u64).map(note).collect::<Vec<_>>());
    }
    let mut journal = Journal::resume(dir, &loaded, &lock).unwrap();
    let next = note(loaded.events.len() as u64 + 1);
    journal.append(std::slice::from_ref(&next)).unwrap();
    let again = journal::read(&path).unwrap();
    assert_eq!((again.events.last(), again.tail), (Some(&next), Tail::Clean));
    assert_eq!(again.frames, loaded.frames + 1);
}

/// Damage in steps of four bytes: what, and where. True if all of it is a lost end behind `synced`.
fn apply(bytes: &mut Vec<u8>, damage: &[u8], synced: usize) -> bool {
    let mut only_end = true;
    for step in damage.chunks_exact(4).take(8) {
        let at = usize::from(u16::from_le_bytes([step[1], step[2]])) % (bytes.len() + 1);
        match step[0] % 6 {
            0 => {
                let at = at.max(synced.min(bytes.len()));
                bytes.truncate(at);
            }
            1 => {
                let at = at.max(synced.min(bytes.len()));
                bytes[at..].fill(0);
            }
            2 => bytes.resize(bytes.len() + 8 + usize::from(step[3]), 0),
            3 if at < bytes.len() => {
                bytes[at] ^= 1 << (step[3] % 8);
                only_end = false;
            }
            4 => {
                bytes.insert(at, step[3]);
                only_end = false;
            }
            5 => {
                let end = (at + usize::from(step[3])).min(bytes.len());
                bytes.drain(at..end);
                only_end = false;
            }
            _ => {}
        }
    }
    only_end
}
