//! Events as JSON lines on stdout, for programs: one object a line, the first one with the schema's version.
//!
//! The shape is that of the journal's events (SPEC 11.5). Written in batches, like the plain lines.

use crate::event::Event;
use crate::plan::Plan;
use crate::sink::{Sink, SinkError};
use crate::text::json_safe;
use serde::Serialize;
use std::io::{self, Write};

/// Version of the shape of a line. Fields are added without a new version; anything else is a new one.
pub const SCHEMA: u32 = 1;

const BUFFER: usize = 8 << 10;

pub struct JsonLines {
    out: Box<dyn Write + Send>,
    buffer: String,
    is_first: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<u32>,
    #[serde(flatten)]
    event: &'a Event,
}

impl JsonLines {
    pub fn new(out: Box<dyn Write + Send>) -> JsonLines {
        JsonLines { out, buffer: String::new(), is_first: true }
    }

    /// Behind lines that others wrote.
    pub fn going_on(out: Box<dyn Write + Send>) -> JsonLines {
        JsonLines { is_first: false, ..JsonLines::new(out) }
    }

    fn push(&mut self, event: &Event) -> io::Result<()> {
        let schema = std::mem::take(&mut self.is_first).then_some(SCHEMA);
        let line = serde_json::to_string(&Line { schema, event })?;
        self.buffer.push_str(&json_safe(&line));
        self.buffer.push('\n');
        self.write_if(BUFFER)
    }

    fn write_if(&mut self, at_least: usize) -> io::Result<()> {
        if self.buffer.len() < at_least {
            return Ok(());
        }
        let result = self.out.write_all(self.buffer.as_bytes()).and_then(|()| self.out.flush());
        self.buffer.clear();
        result
    }
}

impl Sink for JsonLines {
    fn on_event(&mut self, _plan: &Plan, event: &Event) -> Result<(), SinkError> {
        self.push(event).map_err(sink_error)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.write_if(1).map_err(sink_error)
    }
}

fn sink_error(source: io::Error) -> SinkError {
    SinkError { what: "cannot write events".to_owned(), source }
}
