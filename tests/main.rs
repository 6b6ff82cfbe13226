//! Integration tests, linked once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on fails, and says on what"
)]

mod agent;
mod architecture;
pub(crate) mod cli;
pub(crate) mod exec;
#[path = "fuzz/checks/mod.rs"]
mod fuzz;
mod fuzzed;
pub(crate) mod git;
mod golden;
pub(crate) mod keep;
mod model;
pub(crate) mod process;
pub(crate) mod projection;
mod prompt;
pub(crate) mod run;
mod schedule;
mod ui;
