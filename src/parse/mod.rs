//! A task file's text becomes a [`Document`] and what is to be said of it (SPEC 2). Never fails, never panics.
//!
//! Knows every shape of task files and nothing of plans: whether ids exist, edges make sense or files are there is
//! decided elsewhere. Two passes over the lines: `candidates` reads each line alone, `walk` sees them in context.
//! Everything is linear in the text; nothing recurses on it.

mod account;
mod blocks;
mod candidates;
mod fences;
mod findings;
mod finish;
mod head;
mod headings;
mod id;
mod loose;
mod make;
mod needs;
mod path_words;
mod paths;
mod plain;
mod scan;
mod state;
#[cfg(test)]
mod tests;
mod walk;

pub use account::{Row, account};

use crate::diagnostic::Diagnostic;
use crate::source::SourceText;
use crate::task::Document;

/// Reads a task file. Whatever the text, the result is a document (maybe without tasks) and a list of findings.
pub fn parse(source: &SourceText) -> (Document, Vec<Diagnostic>) {
    let blocks = blocks::read(source);
    let candidates = candidates::read(source, &blocks);
    let style = candidates::Style::of(source, &candidates);
    let has_candidates = candidates.len() > 0;
    let mut walk = walk::Walk::new(source, &blocks, &style, false);
    walk.run(candidates);
    if walk.document.tasks.is_empty() && has_candidates && !style.has_ids {
        // Every box stands in a section that reads like a checklist: then the checklist is the work.
        walk = walk::Walk::new(source, &blocks, &style, true);
        walk.run(candidates::read(source, &blocks));
    }
    finish::finish(walk, &blocks)
}
