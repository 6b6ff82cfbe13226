//! What the plan has to tell a person, collected; past a limit of one kind only the number is kept.

use crate::diagnostic::{Code, Diagnostic, Severity};
use std::collections::BTreeMap;

/// Findings of one code and severity that are kept; a hostile file could have a million.
const KEPT: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Findings {
    kept: Vec<Diagnostic>,
    counts: BTreeMap<(Severity, Code), usize>,
}

impl Findings {
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        let count = self.counts.entry((diagnostic.severity, diagnostic.code)).or_default();
        *count += 1;
        if *count <= KEPT {
            self.kept.push(diagnostic);
        }
    }

    pub(super) fn has_errors(&self) -> bool {
        self.counts.keys().any(|(severity, _)| *severity == Severity::Error)
    }

    /// Errors first, each in file order.
    pub(super) fn into_sorted(self) -> Vec<Diagnostic> {
        let mut all = self.kept;
        for ((severity, code), count) in self.counts {
            if count > KEPT {
                let text =
                    format!("{} more findings of kind `{}` are not shown", count - KEPT, code.as_str());
                all.push(Diagnostic { severity, ..Diagnostic::warning(Code::TooMany, text) });
            }
        }
        // Stable, and what has no place in the file comes after what has.
        all.sort_by_key(|diagnostic| {
            (diagnostic.severity, diagnostic.span().is_none(), diagnostic.span().map(|span| span.start))
        });
        all
    }
}
