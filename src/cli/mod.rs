//! The command line: arguments in, exit code out. The only place that knows `anyhow`, exit codes and wording of errors.

mod accept;
mod admin;
mod agent_commands;
mod agents;
mod answer;
pub mod args;
mod check;
mod commit;
mod consent;
mod doctor;
mod doctor_agents;
pub mod error;
pub mod exit;
mod ground;
mod hints;
mod hold;
mod hooks;
mod implement;
mod limits;
mod look;
mod out;
mod plan;
mod programs;
mod prompt;
mod recover;
mod report;
mod rollback;
mod sandbox;
mod staff;
mod stage;
mod target;
mod workspace;

use args::{Cli, Command};
use error::Error;
use exit::Exit;
use std::process::ExitCode;

/// The whole program.
pub fn main() -> ExitCode {
    crate::sys::keep_memory();
    error::install_panic_hook();
    let cli = match Cli::of_process() {
        Ok(cli) => cli,
        Err(mut error) => {
            only_nearest(&mut error);
            // Help and version are no errors; a reader that is gone is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    choose_color(cli.global.color);
    match std::panic::catch_unwind(|| run(&cli)) {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(error)) => {
            error.print();
            error.kind.exit().into()
        }
        // The panic hook has said what and where.
        Err(_) => Exit::Bug.into(),
    }
}

/// For errors, which are printed without a screen; everything else asks its own.
fn choose_color(color: Option<args::Color>) {
    let choice = match color {
        Some(args::Color::Always) => anstream::ColorChoice::Always,
        Some(args::Color::Never) => anstream::ColorChoice::Never,
        Some(args::Color::Auto) | None => return,
    };
    choice.write_global();
}

/// Of the commands that look like the one typed, only the nearest is worth naming.
fn only_nearest(error: &mut clap::Error) {
    use clap::error::{ContextKind, ContextValue};
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else { return };
    let Some(ContextValue::Strings(names)) = error.get(ContextKind::SuggestedSubcommand) else { return };
    if let Some(near) = crate::text::nearest(typed, names.iter().map(String::as_str)).map(str::to_owned) {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![near]));
    }
}

fn run(cli: &Cli) -> Result<Exit, Error> {
    let global = &cli.global;
    match &cli.command {
        Command::Implement(given) => implement::implement(global, given),
        Command::Resume(given) => {
            let mut given = (**given).clone();
            given.run.resume = true;
            implement::implement(global, &given)
        }
        Command::Plan(given) => plan::plan(global, given),
        Command::Check(given) => check::check(global, given),
        Command::Why(given) => look::why(global, given),
        Command::Status(given) => look::status(global, given),
        Command::Log(given) => look::log(global, given),
        Command::Answer(given) => answer::answer(global, given),
        Command::Checkpoints(given) => rollback::list(global, given),
        Command::Rollback(given) => rollback::rollback(global, given),
        Command::Recover(given) => recover::recover(global, given),
        Command::Agents(given) => agents::agents(global, given),
        Command::Doctor(given) => doctor::doctor(global, given),
        Command::Config(given) => admin::config(global, given),
        Command::Trust(given) => admin::trust(global, given),
        Command::Init(given) => admin::init(global, given),
        Command::Schema { name } => admin::schema_of(name.as_deref()),
        Command::Completions { shell } => admin::completions(*shell),
        Command::Man => admin::man(),
    }
}
