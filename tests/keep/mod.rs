//! What is kept on disk: the journal, the lock, the state directory, files, boxes. Damage of every kind, two
//! processes, editors that save meanwhile.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod boxes;
mod child;
pub(crate) mod editors;
mod events;
mod files;
mod journal;
mod lock;
mod store;
mod umask;

use specter::event::{Event, EventKind, NoteLevel};
use std::time::Duration;

fn note(seq: u64, text: &str) -> Event {
    let kind = EventKind::Note { level: NoteLevel::Info, text: text.to_owned() };
    Event { seq, at: Duration::from_millis(seq * 3), kind }
}
