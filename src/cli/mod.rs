//! The command line: arguments in, exit code out. The only place that knows `anyhow`, exit codes and wording of errors.

pub mod args;
mod check;
mod consent;
pub mod error;
pub mod exit;
mod implement;
mod look;
mod out;
mod plan;
mod report;
mod stage;
mod target;

use clap::Parser as _;
use std::process::ExitCode;

pub fn main() -> ExitCode {
    let cli = args::Cli::parse();
    let result = match &cli.command {
        args::Command::Implement(given) => implement::implement(&cli.global, given),
        args::Command::Resume(given) => {
            let mut given = (**given).clone();
            given.run.resume = true;
            implement::implement(&cli.global, &given)
        }
        args::Command::Plan(given) => plan::plan(&cli.global, given),
        args::Command::Check(given) => check::check(&cli.global, given),
        args::Command::Why(given) => look::why(&cli.global, given),
        args::Command::Status(given) => look::status(&cli.global, given),
        args::Command::Log(given) => look::log(&cli.global, given),
        _ => Err(error::Error::usage("not there yet")),
    };
    match result {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            error.print();
            ExitCode::from(error.kind.exit().code())
        }
    }
}
