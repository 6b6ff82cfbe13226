//! What ends a command early: a kind (heading and exit code), a cause, and what to do about it.
//!
//! Findings in files that people write are not errors but diagnostics; a command prints them and returns its exit code.

use super::exit::Exit;
use crate::text::Untrusted;
use std::io::Write as _;

/// Why a command could not do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command line asks for something that does not exist.
    Usage,
    /// The task file or the journal cannot be understood.
    Input,
    /// Something needed is missing.
    Preflight,
    /// The world: disk, permissions.
    Io,
    /// Another run is at work.
    Locked,
    /// The repository names commands that nobody agreed to.
    Untrusted,
    Config,
    /// A bug of ours.
    Internal,
    /// Whoever read our output went away: nothing to say.
    BrokenPipe,
}

impl Kind {
    pub fn exit(self) -> Exit {
        match self {
            Kind::Usage => Exit::Usage,
            Kind::Input => Exit::BadInput,
            Kind::Preflight => Exit::Preflight,
            Kind::Io => Exit::Io,
            Kind::Locked => Exit::Locked,
            Kind::Untrusted => Exit::Untrusted,
            Kind::Config => Exit::BadConfig,
            Kind::Internal => Exit::Bug,
            Kind::BrokenPipe => Exit::Done,
        }
    }

    fn heading(self) -> &'static str {
        match self {
            Kind::Internal => "internal error",
            _ => "error",
        }
    }
}

/// An error with what a person needs to get past it.
#[derive(Debug)]
pub struct Error {
    pub kind: Kind,
    pub source: anyhow::Error,
    pub hints: Vec<String>,
}

impl Error {
    pub fn new(kind: Kind, source: impl Into<anyhow::Error>) -> Error {
        Error { kind, source: source.into(), hints: Vec::new() }
    }

    pub fn message(kind: Kind, message: impl Into<String>) -> Error {
        Error::new(kind, anyhow::Error::msg(message.into()))
    }

    pub fn usage(message: impl Into<String>) -> Error {
        Error::message(Kind::Usage, message)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hints.push(hint.into());
        self
    }

    #[must_use]
    pub fn maybe_hint(self, hint: Option<String>) -> Error {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Says it on stderr. Control characters of paths and titles never reach the terminal.
    pub fn print(&self) {
        if self.kind == Kind::BrokenPipe {
            return;
        }
        let bold = anstyle::Style::new().bold();
        let red = bold.fg_color(Some(anstyle::AnsiColor::Red.into()));
        let mut stderr = anstream::stderr().lock();
        let causes = causes(&self.source);
        // Nothing is left to be done when stderr itself is gone.
        let _ = writeln!(stderr, "{red}{}{red:#}: {}", self.kind.heading(), causes.join(": "));
        for hint in &self.hints {
            let _ = writeln!(stderr, "{bold}help{bold:#}: {}", one_text(hint));
        }
    }
}

/// What happened and why. Many errors tell their cause in their own text: it is not told twice.
fn causes(error: &anyhow::Error) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = one_text(&cause.to_string());
        if told.last().is_none_or(|last| !last.ends_with(&text)) {
            told.push(text);
        }
    }
    told
}

/// Line ends are ours (lists); everything else that could steer a terminal is escaped.
fn one_text(text: &str) -> String {
    text.split('\n').map(|line| Untrusted(line).to_string()).collect::<Vec<_>>().join("\n")
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        let kind = match error.kind() {
            std::io::ErrorKind::BrokenPipe => Kind::BrokenPipe,
            _ => Kind::Io,
        };
        Error::new(kind, error)
    }
}

impl From<crate::fs::Error> for Error {
    fn from(error: crate::fs::Error) -> Error {
        Error::new(Kind::Io, error)
    }
}

impl From<crate::journal::StoreError> for Error {
    fn from(error: crate::journal::StoreError) -> Error {
        let help = error.help();
        Error::new(Kind::Io, error).hint(help)
    }
}

impl From<crate::journal::JournalError> for Error {
    fn from(error: crate::journal::JournalError) -> Error {
        let help = error.help();
        let kind =
            if matches!(error, crate::journal::JournalError::File(_)) { Kind::Io } else { Kind::Input };
        Error::new(kind, error).hint(help)
    }
}

/// Adds what was being done to an error of the world.
pub trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> Doing<T> for Result<T, std::io::Error> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|error| {
            let mut error = Error::from(error);
            error.source = error.source.context(what());
            error
        })
    }
}

/// A bug must say so, where the record of the run is, and that nothing is lost. The exit code is set by `cli::main`,
/// which catches the unwinding.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let payload = info.payload();
        let what = payload
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "unknown reason".to_owned());
        let mut stderr = std::io::stderr().lock();
        let _ = writeln!(stderr, "internal error: {} ({place})", one_text(&what));
        let _ = writeln!(
            stderr,
            "help: this is a bug in specter {}; finished tasks are recorded in `.specter/runs/`, and `specter resume` goes on from there",
            env!("CARGO_PKG_VERSION")
        );
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_a_quiet_success_and_other_io_is_not() {
        let error = Error::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(error.kind.exit(), Exit::Done);
        let error = Error::from(std::io::Error::from(std::io::ErrorKind::StorageFull));
        assert_eq!(error.kind.exit(), Exit::Io);
    }

    #[test]
    fn a_cause_that_is_part_of_the_message_is_not_told_twice() {
        let cause = || std::io::Error::other("disk full");
        let error = anyhow::Error::new(cause()).context("cannot write `x`: disk full").context("saving");
        assert_eq!(causes(&error), ["saving", "cannot write `x`: disk full"]);
        assert_eq!(causes(&anyhow::Error::new(cause()).context("saving")), ["saving", "disk full"]);
    }

    #[test]
    fn causes_keep_their_lines_and_lose_their_escapes() {
        assert_eq!(one_text("a\n\x1b[2Jb"), "a\n\\e[2Jb");
    }
}
