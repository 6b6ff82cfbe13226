//! What can go wrong with a repository. Every error says what was being done to what.

use crate::fs::{self, shown};
use crate::text::size;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {operation}: {source}")]
    Git {
        operation: &'static str,
        #[source]
        source: git2::Error,
    },
    #[error(transparent)]
    Disk(#[from] fs::Error),
    #[error("`{}` is not inside a git working tree", shown(path))]
    NoRepository { path: PathBuf },
    #[error("the repository at `{}` is bare: it has no working tree", shown(path))]
    Bare { path: PathBuf },
    #[error("`{reference}` was moved by somebody else")]
    Moved { reference: String },
    #[error("`{}` changed after it was saved", shown(path))]
    ChangedSince { path: PathBuf },
    #[error("`{}` holds what cannot be saved: {what}", shown(path))]
    NotSaved { path: PathBuf, what: String },
    #[error("`{}` leads through a link", shown(path))]
    ThroughLink { path: PathBuf },
    #[error("an object of the repository nests deeper than {limit} directories")]
    TooDeep { limit: usize },
    #[error(
        "no room for another working tree: `{}` has {} MiB left, {} MiB are to stay free",
        shown(path),
        free >> 20,
        wanted >> 20
    )]
    NoRoom { path: PathBuf, free: u64, wanted: u64 },
    #[error(
        "saving the files of `{}` would copy {} into the repository, more than `max-saved` ({})",
        shown(path),
        size(*bytes),
        size(*limit)
    )]
    TooMuch { path: PathBuf, bytes: u64, limit: u64 },
    #[error("an integration that was begun is not finished")]
    Unfinished,
    #[error("the thread that owns the repository is gone")]
    OwnerGone,
    /// Only tests stop in the middle.
    #[error("stopped at a step")]
    Stopped,
}

impl Error {
    pub(super) fn io(operation: &'static str, path: &Path, source: io::Error) -> Error {
        Error::Disk(fs::Error::io(operation, path, source))
    }
}

/// For `map_err`: `.map_err(git("read the tree"))`.
pub(super) fn git(operation: &'static str) -> impl FnOnce(git2::Error) -> Error {
    move |source| Error::Git { operation, source }
}

/// For `map_err`: `.map_err(at("read", path))`.
pub(super) fn at(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::io(operation, path, source)
}
