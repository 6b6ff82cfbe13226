//! All exit codes (SPEC 15), once: `--help`, the man page and the README print this table. Knows nothing of commands.

use crate::event::RunOutcome;
use std::fmt::Write as _;
use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    SomeFailed = 1,
    Usage = 2,
    Stopped = 3,
    BadInput = 65,
    Preflight = 69,
    Bug = 70,
    Io = 74,
    Locked = 75,
    Untrusted = 77,
    BadConfig = 78,
    Interrupted = 130,
    Terminated = 143,
}

impl Exit {
    pub const ALL: [Exit; 13] = [
        Exit::Done,
        Exit::SomeFailed,
        Exit::Usage,
        Exit::Stopped,
        Exit::BadInput,
        Exit::Preflight,
        Exit::Bug,
        Exit::Io,
        Exit::Locked,
        Exit::Untrusted,
        Exit::BadConfig,
        Exit::Interrupted,
        Exit::Terminated,
    ];

    pub fn code(self) -> u8 {
        self as u8
    }

    pub fn text(self) -> &'static str {
        match self {
            Exit::Done => "all selected tasks are done",
            Exit::SomeFailed => "some tasks failed or are blocked",
            Exit::Usage => "the command line is wrong",
            Exit::Stopped => "stopped before the end by a budget, a limit or an open question: resume later",
            Exit::BadInput => "the task file or the journal is invalid",
            Exit::Preflight => "something needed is missing: nothing was run",
            Exit::Bug => "a bug in specter",
            Exit::Io => "state cannot be read or written",
            Exit::Locked => "another run holds the lock: try later",
            Exit::Untrusted => "commands in the repository are not trusted",
            Exit::BadConfig => "the configuration is invalid",
            Exit::Interrupted => "interrupted",
            Exit::Terminated => "terminated",
        }
    }

    /// The whole table, one line each, for help texts.
    pub fn table() -> String {
        let mut table = String::from("Exit codes:");
        for exit in Exit::ALL {
            // Writing to a string cannot fail.
            let _ = write!(table, "\n  {:>3}  {}", exit.code(), exit.text());
        }
        table
    }
}

impl From<RunOutcome> for Exit {
    fn from(outcome: RunOutcome) -> Exit {
        match outcome {
            RunOutcome::AllDone => Exit::Done,
            RunOutcome::SomeFailed => Exit::SomeFailed,
            RunOutcome::Stopped => Exit::Stopped,
            RunOutcome::Interrupted { signal: libc::SIGTERM } => Exit::Terminated,
            // A closed terminal or pipe is an interruption like Ctrl-C (SPEC 4.4).
            RunOutcome::Interrupted { .. } => Exit::Interrupted,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lists_every_code_once_in_ascending_order() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert!(codes.is_sorted_by(|a, b| a < b));
        assert_eq!(Exit::table().lines().count(), codes.len() + 1);
    }

    #[test]
    fn signals_choose_the_exit_code() {
        let exit = |signal| Exit::from(RunOutcome::Interrupted { signal }).code();
        assert_eq!((exit(libc::SIGINT), exit(libc::SIGTERM), exit(libc::SIGHUP)), (130, 143, 130));
    }
}
