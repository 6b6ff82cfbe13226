//! What all prompts of a run share: the documents taken apart, the templates, the prefix.

use super::index::{Entry, Index};
use super::slice::{self, Given, Slice};
use super::template::{Prefix, PrefixDocument, Templates};
use super::{Document, LeftOut, MIN_TOKENS, Part, Role, fence, tokens};
use std::sync::Arc;

/// What of the configuration decides a prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// As agents find it.
    pub task_file: String,
    /// Most tokens of a prompt, by estimate.
    pub max_tokens: u32,
    pub tdd: bool,
}

/// Made once per run; prompts only read it.
#[derive(Debug)]
pub struct Context {
    pub(super) index: Index,
    pub(super) templates: Templates,
    pub(super) max_tokens: u64,
    pub(super) prefix: Arc<str>,
    pub(super) prefix_tokens: u64,
    pub(super) parts: Vec<Part>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) given: Given,
    pub(super) notes: Vec<String>,
}

/// Sections that say what every task should know.
const FACTS: &[(Role, &[&str])] = &[
    (
        Role::Plan,
        &["summary", "technical context", "tech stack", "technology", "project structure", "source code"],
    ),
    (Role::Proposal, &["why", "what changes"]),
    (Role::Design, &["overview", "context", "goals", "technology", "architecture"]),
    (Role::Requirements, &["introduction", "glossary"]),
    (Role::Spec, &["overview", "summary"]),
];
/// So many documents are listed.
const LISTED: usize = 40;

impl Context {
    /// `left_out` is what the reader of the documents had to leave out already.
    pub fn new(
        documents: Vec<Document>,
        templates: Templates,
        settings: &Settings,
        left_out: Vec<LeftOut>,
    ) -> Context {
        let index = Index::new(documents);
        let mut context = Context {
            index,
            templates,
            max_tokens: u64::from(settings.max_tokens.max(MIN_TOKENS)),
            prefix: Arc::from(""),
            prefix_tokens: 0,
            parts: Vec::new(),
            left_out,
            given: Given::new(),
            notes: Vec::new(),
        };
        context.render(settings);
        context
    }

    /// The text that every prompt begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    fn render(&mut self, settings: &Settings) {
        let room = self.max_tokens / 4;
        let principles = self.principles();
        let constitution = self.give("constitution", &principles, room * 2 / 3);
        let used: u64 = constitution.iter().map(|slice| slice.tokens).sum();
        let facts = self.facts();
        let facts = self.give("project", &facts, room.saturating_sub(used));
        let view = Prefix {
            task_file: fence::inline(&settings.task_file),
            tdd: settings.tdd,
            constitution,
            facts,
            documents: self.listed(),
        };
        let (text, problem) = self.templates.prefix(&view);
        self.notes.extend(problem);
        let quoted: u64 = self.parts.iter().map(|part| part.bytes).sum();
        self.prefix_tokens = tokens::estimate(&text);
        let own = Part {
            name: "rules".to_owned(),
            source: self.templates.prefix_source(),
            bytes: (text.len() as u64).saturating_sub(quoted),
            tokens: self.prefix_tokens.saturating_sub(self.parts.iter().map(|part| part.tokens).sum()),
        };
        self.parts.insert(0, own);
        self.prefix = Arc::from(text);
    }

    /// The constitution's principles; nothing of one that nobody has filled in.
    fn principles(&self) -> Vec<(u32, std::ops::Range<usize>)> {
        let named =
            slice::named_sections(&self.index, Role::Constitution, &["core principles", "principles"]);
        let all = self.index.entries.iter().enumerate();
        let filled = all.filter(|(_, entry)| entry.role == Role::Constitution && !is_template(entry));
        let ranges = filled.map(|(document, entry)| {
            let document = document as u32;
            let named = named.iter().find(|(known, _)| *known == document);
            named.cloned().unwrap_or_else(|| (document, 0..entry.text.text().len()))
        });
        ranges.collect()
    }

    fn facts(&self) -> Vec<(u32, std::ops::Range<usize>)> {
        let whole = self.index.entries.iter().enumerate().filter(|(_, entry)| entry.role == Role::Facts);
        let whole = whole.map(|(document, entry)| (document as u32, 0..entry.text.text().len()));
        let named = FACTS.iter().flat_map(|(role, titles)| slice::named_sections(&self.index, *role, titles));
        whole.chain(named).collect()
    }

    /// As much of the ranges as there is room for, in their order.
    fn give(&mut self, name: &str, ranges: &[(u32, std::ops::Range<usize>)], mut room: u64) -> Vec<Slice> {
        /// The line that says where it is from, and its fence.
        const FRAME: u64 = 30;
        let mut given = Vec::new();
        for (document, range) in ranges {
            // A section in a section is there already.
            let known = self.given.entry(*document).or_default();
            if known.iter().any(|known| known.start <= range.start && range.end <= known.end) {
                continue;
            }
            let text =
                self.index.entries[*document as usize].text.text().get(range.clone()).unwrap_or_default();
            let end = range.start + tokens::lines_within(text, room.saturating_sub(FRAME));
            if end < range.end {
                let what = slice::located(&self.index, *document, &(end..range.end));
                let why = "no room left in what all tasks get".to_owned();
                self.left_out.push(LeftOut { what, why, bytes: (range.end - end) as u64 });
            }
            if end == range.start {
                continue;
            }
            known.push(range.start..end);
            known.sort_unstable_by_key(|range| range.start);
            let (slice, hidden) = slice::cut(&self.index, *document, &(range.start..end), &[]);
            if hidden > 0 {
                let path = &self.index.entries[*document as usize].path;
                self.notes.push(hidden_note(hidden, path));
            }
            let Some(slice) = slice else { continue };
            room = room.saturating_sub(slice.tokens + FRAME);
            self.parts.push(Part {
                name: name.to_owned(),
                source: slice.source.clone(),
                bytes: slice.text.len() as u64,
                tokens: slice.tokens,
            });
            given.push(slice);
        }
        given
    }

    fn listed(&self) -> Vec<PrefixDocument> {
        let listed = self.index.entries.iter().take(LISTED);
        listed
            .map(|entry| PrefixDocument { path: fence::inline(&entry.path), what: entry.role.what() })
            .collect()
    }
}

pub(super) fn hidden_note(hidden: usize, source: &str) -> String {
    format!("{hidden} hidden characters of {source} were taken out")
}

/// Spec Kit's template with its placeholders still in it.
fn is_template(entry: &Entry) -> bool {
    let text = entry.text.text();
    ["[PROJECT_NAME]", "[PRINCIPLE_1_NAME]", "[PRINCIPLE_1_DESCRIPTION]"]
        .iter()
        .any(|mark| text.contains(mark))
}
