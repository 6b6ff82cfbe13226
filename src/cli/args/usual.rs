//! The command line of the commands that are called all the time, understood without building the definition of all others.
//!
//! Knows three names; what each means stands where it always did. Whatever is not understood here is left to the whole
//! definition: help, versions, slips and the words for them are its alone.

use super::{Cli, Global, Implement, PlanOnly};
use clap::{Args as _, FromArgMatches as _, Parser as _};
use std::ffi::OsString;

impl Cli {
    /// What this process was called with.
    pub fn of_process() -> Result<Cli, clap::Error> {
        let typed: Vec<OsString> = std::env::args_os().collect();
        match usual(&typed) {
            Some(cli) => Ok(cli),
            None => Cli::try_parse_from(typed),
        }
    }
}

/// `typed` as the whole definition would understand it, if it is a usual command and without fault.
///
/// A word that looks like a command may be the value of an option before it. Then the true command is not known here, which
/// is a fault, or is the same; so nothing is understood in another way than by all.
fn usual(typed: &[OsString]) -> Option<Cli> {
    let command = typed.iter().skip(1).find_map(|word| {
        let new = clap::Command::new;
        Some(match word.to_str()? {
            "implement" | "run" => Implement::augment_args(new("implement").alias("run")),
            "resume" | "continue" => Implement::augment_args(new("resume").alias("continue")),
            "plan" => PlanOnly::augment_args(new("plan")),
            _ => return None,
        })
    })?;
    let mut root =
        Global::augment_args(clap::Command::new("specter")).subcommand_required(true).subcommand(command);
    let matches = root.try_get_matches_from_mut(typed);
    // Made once in a process: to give it back piece by piece takes as long as to make it.
    std::mem::forget(root);
    Cli::from_arg_matches_mut(&mut matches.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Vec<OsString> {
        ["specter"].into_iter().chain(line.split_whitespace()).map(OsString::from).collect()
    }

    #[test]
    fn a_usual_command_means_what_the_whole_definition_says() {
        for line in [
            "implement",
            "run tasks.md -j4 --parallel=graph --yes -vv --color never",
            "-q implement specs/001 use auth agents --only T1,T2 --only=T3",
            "--config implement run --retries 3 --retries 4",
            "--state-dir s resume --continue --max-cost=2.50",
            "continue --treat=~=open --format json --ascii",
            "plan 001 --prompt T005 --config c.toml",
            "implement plan",
            "implement -- run",
        ] {
            let whole = Cli::try_parse_from(typed(line)).expect(line);
            let found = usual(&typed(line)).expect(line);
            assert_eq!(format!("{found:?}"), format!("{whole:?}"), "{line}");
        }
    }

    #[test]
    fn what_is_none_or_has_a_fault_is_left_to_the_whole_definition() {
        for line in [
            "",
            "status",
            "implement --help",
            "help implement",
            "--version",
            "--version run",
            "implement --paralel",
            "--config implement plan",
            "--config plan check",
            "--state-dir plan resume",
            "-q -v plan",
            "plan --prompt T005 --format json",
            "implemnt",
        ] {
            assert!(usual(&typed(line)).is_none(), "{line}");
        }
    }
}
