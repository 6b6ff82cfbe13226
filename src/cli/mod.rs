//! The command line: arguments in, exit code out. The only place that knows `anyhow`, exit codes and wording of errors.

pub mod args;
pub mod error;
pub mod exit;
