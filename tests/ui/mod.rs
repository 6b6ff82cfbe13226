//! Snapshots of everything a person sees. The plans and events are made by hand, so that no other part is tested here.

#![expect(clippy::format_push_string, clippy::needless_for_each, reason = "tests may be plain")]
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly as tests do")]

mod corpus;
mod diagnostics;
mod reports;
mod sarif;
mod screen;
mod support;
