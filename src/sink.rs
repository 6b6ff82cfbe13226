//! Who only looks: a sink is told every durable event, in order, and never answers.
//!
//! If a sink fails, the driver says so once and goes on without it; the journal is what counts.

use crate::event::Event;
use crate::plan::Plan;

/// A consumer of events: terminal, JSON lines, projections, boxes.
pub trait Sink: Send {
    /// `event` is on disk. Called in order of `seq`.
    fn on_event(&mut self, plan: &Plan, event: &Event) -> Result<(), SinkError>;

    /// No more events for now: a good moment to write what was gathered.
    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// A sink could not do its work: which one, on what, why.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct SinkError {
    pub what: String,
    #[source]
    pub source: std::io::Error,
}
