//! The record of a run: appended frames on disk, the truth that every other state file is derived from.
//!
//! A *frame* is the events of one decision, one line of JSON. It is written with one `write`, so a killed process
//! leaves whole frames; it is durable once a [`Syncer`] says so. Frames reach the disk in the order they were
//! appended, so no start survives a crash without the completions it followed.
//!
//! Knows frames, files, runs and the lock. What the events mean (history, summary) is not known here.

pub mod answers;
mod frame;
mod lock;
mod reader;
mod store;
mod writer;

pub use frame::VERSION;
pub use lock::{Holder, Lock, LockError};
pub use reader::{Damage, JournalError, Loaded, Tail, first_event, read};
pub use store::{RunId, Store, StoreError};
pub use writer::{Journal, Syncer};
