//! Results on standard output. A reader that went away is a quiet end, not a failure.

use super::error::Error;
use crate::ui::diagnostics::json_text;
use serde::Serialize;
use std::io::Write as _;

pub(super) fn text(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::from)
}

/// Indented JSON, without a character that could steer a terminal.
pub(super) fn json<T: Serialize>(data: &T) -> Result<(), Error> {
    text(&json_text(data).map_err(|error| Error::new(super::error::Kind::Internal, error))?)
}
