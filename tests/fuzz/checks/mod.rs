//! What must hold for any bytes at all: one function per way in. libFuzzer calls them with bytes of its own; `cargo
//! test` calls them with the seeds and with every input that ever broke one of them.

#![allow(unreachable_pub, reason = "public for the fuzz targets, which are a package of their own")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken promise is to stop the fuzzer")]

pub mod boxes;
pub mod config;
pub mod journal;
pub mod parse;
pub mod select;

use specter::plan::Mode;
use std::path::Path;

pub(crate) const MODES: [Mode; 4] = [Mode::Sequential, Mode::Parallel, Mode::Stories, Mode::Graph];

/// Nothing in `shown` can move a cursor, hide or reorder text.
pub(crate) fn assert_harmless(shown: &str) {
    let raw = shown.chars().find(|c| *c != '\n' && specter::text::is_unsafe(*c));
    assert_eq!(raw, None, "shown raw in {shown:?}");
}

/// An empty directory, the same one for each call of a thread: making one takes longer than most checks.
pub(crate) fn in_scratch<T>(check: impl FnOnce(&Path) -> T) -> T {
    thread_local! {
        static SCRATCH: tempfile::TempDir = tempfile::tempdir().unwrap();
    }
    SCRATCH.with(|dir| check(dir.path()))
}
