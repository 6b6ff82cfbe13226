//! The Agent Client Protocol, version 1, spoken from the side of a client: one agent, one session, one task. A pure state
//! machine ([`Client`]): lines of the agent and the passing of deadlines go in, lines for the agent, what it told
//! ([`Told`](super::Told)) and the next deadline come out. Starts nothing, knows no clock and no file.
//!
//! Types are those of the protocol's own schema crate, pinned; what they cannot read (updates and fields that a newer agent
//! sends, answers that are nearly right) is looked at as bare JSON or passed over, so that no update ends a session.
//! The transport, lines of JSON-RPC, is ours and not the SDK's runtime. Measured with rustc 1.95 as small programs that
//! were built like specter (`lto = "fat"`): see the table.
//!
//! PROBE-TABLE
//!
//! The SDK would bring an asynchronous runtime, its own way to start and end processes (no directory, no sandbox, no
//! guardian) and handlers in which a deadline for each call and a test of every order of messages are hard to write; the
//! lines it would save are those of `wire` and the envelope in `client`.
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
