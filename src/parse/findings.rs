//! Collects diagnostics, at most so many of one kind. A file with 50,000 mistakes of one kind says so in one line.

use crate::diagnostic::{Code, Diagnostic, Severity};
use std::collections::BTreeMap;

/// How many findings of one code are shown.
pub(super) const SHOWN: u32 = 20;

#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Diagnostic>,
    counts: BTreeMap<Code, (u32, Severity, Option<crate::source::Span>)>,
}

impl Findings {
    /// Counts a finding; `make` is called only if it will be shown.
    pub(super) fn add(&mut self, code: Code, make: impl FnOnce() -> Diagnostic) {
        let slot = self.counts.entry(code).or_insert((0, Severity::Warning, None));
        slot.0 += 1;
        if slot.0 > SHOWN {
            return;
        }
        let diagnostic = make();
        slot.1 = slot.1.min(diagnostic.severity);
        slot.2 = diagnostic.span().or(slot.2);
        self.list.push(diagnostic);
    }

    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.add(diagnostic.code, || diagnostic);
    }

    /// All that was kept, in file order, then how much was left out.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|d| d.span().map_or(u32::MAX, |span| span.start));
        for (code, (count, severity, span)) in self.counts {
            if count > SHOWN {
                let more = count - SHOWN;
                let mut diagnostic = Diagnostic::warning(
                    Code::TooMany,
                    format!("{more} more of `{}` are not shown", code.as_str()),
                );
                diagnostic.severity = severity;
                self.list.extend([match span {
                    Some(span) => diagnostic.at(span, "the last one shown"),
                    None => diagnostic,
                }]);
            }
        }
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_findings_of_a_kind_end_in_a_count() {
        let mut findings = Findings::default();
        for _ in 0..50_000 {
            findings.add(Code::DuplicateId, || Diagnostic::error(Code::DuplicateId, "twice"));
        }
        findings.push(Diagnostic::warning(Code::NoIds, "none"));
        let list = findings.finish();
        assert_eq!(list.len(), SHOWN as usize + 2);
        let last = list.last().unwrap();
        assert_eq!(last.message, "49980 more of `duplicate-id` are not shown");
        assert!(last.is_error());
    }
}
