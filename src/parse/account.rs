//! One row of the table that `specter check --table` prints: how much of a file was recognised, and what was not.

use crate::diagnostic::Diagnostic;
use crate::task::{Document, IgnoredReason};
use serde::Serialize;
use std::collections::BTreeMap;

/// The sums of one file. Groups are among the recognised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    pub recognised: usize,
    pub groups: usize,
    pub ignored: BTreeMap<IgnoredReason, usize>,
    pub warnings: usize,
    pub errors: usize,
}

impl Row {
    /// All lines that look like a task and are none.
    pub fn ignored_lines(&self) -> usize {
        self.ignored.values().sum()
    }
}

/// Sums up what [`super::parse`] found.
pub fn account(document: &Document, diagnostics: &[Diagnostic]) -> Row {
    let mut row = Row {
        recognised: document.tasks.len(),
        groups: document.tasks.iter().filter(|task| task.is_group).count(),
        errors: diagnostics.iter().filter(|d| d.is_error()).count(),
        ..Row::default()
    };
    row.warnings = diagnostics.len() - row.errors;
    for ignored in &document.ignored {
        *row.ignored.entry(ignored.reason).or_default() += 1;
    }
    row
}
