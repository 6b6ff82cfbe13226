//! Summary and projections: hand-made runs with known answers, and every file as people see it.

#![expect(clippy::unwrap_used, clippy::format_collect, reason = "tests may panic and need not be fast")]

pub(crate) mod files;
mod hostile;
mod places;
mod run;
mod scheduler;
mod stories;
mod summary;
