//! Results on standard output. A reader that went away is a quiet end, not a failure.

use super::error::Error;
use crate::ui::diagnostics::json_text;
use serde::Serialize;
use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write as _};

pub(super) fn text(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::from)
}

/// What is printed in pieces, each as it is.
pub(super) struct Pieces {
    out: BufWriter<StdoutLock<'static>>,
    failed: Option<io::Error>,
}

impl Pieces {
    pub(super) fn new() -> Pieces {
        Pieces { out: BufWriter::new(io::stdout().lock()), failed: None }
    }

    /// Whether a person's terminal is there, which must get nothing raw.
    pub(super) fn is_terminal(&self) -> bool {
        self.out.get_ref().is_terminal()
    }

    /// False: it cannot be printed, and nothing more needs to be put.
    pub(super) fn put(&mut self, bytes: &[u8]) -> bool {
        if self.failed.is_none() {
            self.failed = self.out.write_all(bytes).err();
        }
        self.failed.is_none()
    }

    pub(super) fn end(mut self) -> Result<(), Error> {
        match self.failed.take() {
            Some(error) => Err(error.into()),
            None => Ok(self.out.flush()?),
        }
    }
}

/// Indented JSON, without a character that could steer a terminal.
pub(super) fn json<T: Serialize>(data: &T) -> Result<(), Error> {
    text(&json_text(data).map_err(|error| Error::new(super::error::Kind::Internal, error))?)
}
