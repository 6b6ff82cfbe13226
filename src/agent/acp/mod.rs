//! The Agent Client Protocol, version 1, spoken from the side of a client: one agent, one session, one task. A pure state
//! machine ([`Client`]): lines of the agent and the passing of deadlines go in, lines for the agent, what it told
//! ([`Told`](super::Told)) and the next deadline come out. Starts nothing, knows no clock and no file.
//!
//! Types are those of the protocol's own schema crate, pinned; what they cannot read (updates and fields that a newer agent
//! sends, answers that are nearly right) is looked at as bare JSON or passed over, so that no update ends a session.
//! The transport, lines of JSON-RPC, is ours and not the SDK's runtime. Measured as programs that do one task each, built
//! like specter (`lto = "fat"`, rustc 1.95), everything counted that they bring:
//!
//! | a client of | crates | release build, CPU time | program | own lines |
//! | --- | ---: | ---: | ---: | ---: |
//! | `serde_json` alone | 6 | 12 s | 0.7 MB | 196 |
//! | the schema's types (1.15.1), as here | 34 | 61 s | 1.4 MB | 198 |
//! | the SDK (5.0.0) with `tokio` | 69 | 109 s | 2.9 MB | 185 |
//!
//! The SDK saves next to no lines, went from 3.4 to 5.0 within three weeks, starts and ends processes in its own way (no
//! directory, no sandbox, no guardian), and its handlers leave no place for a deadline on each call and a test of every
//! order of messages. The types are dear for what they do, too; they are there because they are the protocol's own word. One
//! thing they change everywhere: their crate asks `serde_json` to keep the order of keys.
//!
//! What single agents do in their own way stands in `quirks`, one file for each; how they are started and which mode is
//! chosen, in the presets.

mod client;
mod errors;
mod offer;
mod permission;
mod quirks;
mod tools;
mod updates;
mod wire;

pub use client::{Client, Patience, Said, Wait, Wanted};

#[cfg(test)]
mod tests;
