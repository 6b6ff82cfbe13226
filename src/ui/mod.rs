//! What people see, folded from events: the live screen, plain lines, JSON lines, and the text of every command.
//!
//! Everything here is text from data: functions return a `String` or write to an `io::Write` that is handed in. It
//! knows no tokio, reads no clock, environment or file, and asks nothing back. What others wrote (titles, ids,
//! output) is shown only through `crate::text::Untrusted`. Results belong on stdout, progress on stderr; which
//! stream is which is the caller's business.

pub mod agents;
pub mod block;
pub mod check;
pub mod consent;
pub mod console;
pub mod diagnostics;
pub mod doctor;
pub mod domains;
pub mod edges;
mod ends;
pub mod header;
pub mod jsonl;
pub mod kept;
pub mod lines;
pub mod plain;
pub mod plan;
pub mod progress;
pub mod prompt;
pub mod runs;
pub mod sheet;
pub mod status;
pub mod summary;
pub mod text;
pub mod theme;
pub mod view;
pub mod why;
