//! First pass: every line that could be a task, read alone, and what the file as a whole says about its ids.
//!
//! Knows no nesting and no sections; those are the second pass's business.

use super::blocks::{Blocks, Kind};
use super::head::{self, Head};
use super::id;
use super::scan::{self, Bracket, Item, Mark};
use crate::source::SourceText;
use foldhash::HashMap;

/// A box, or a heading that names an id.
#[derive(Debug)]
pub(super) struct Candidate {
    pub line: u32,
    /// Bullet and indentation; None for headings.
    pub item: Option<Item>,
    pub bracket: Option<Bracket>,
    pub head: Head,
}

impl Candidate {
    /// The id as written.
    pub(super) fn id<'s>(&self, source: &'s SourceText) -> Option<&'s str> {
        let token = self.head.id?;
        source.line_text(self.line).get(token.start..token.end)
    }

    fn kind(&self) -> Option<id::Kind> {
        self.head.id.map(|token| token.kind)
    }
}

/// All candidates in file order, in portions: the walk gives the memory of each back while it makes tasks of the rest.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    portions: Vec<Vec<Candidate>>,
}

const PORTION: usize = 2_048;

impl Candidates {
    pub(super) fn len(&self) -> usize {
        self.portions.iter().map(Vec::len).sum()
    }

    fn iter(&self) -> impl Iterator<Item = &Candidate> {
        self.portions.iter().flatten()
    }

    /// To go down the lines with.
    pub(super) fn cursor(self) -> Cursor {
        Cursor { portions: self.portions.into_iter(), portion: Vec::new(), next: 0 }
    }

    fn push(&mut self, candidate: Candidate) {
        match self.portions.last_mut().filter(|portion| portion.len() < PORTION) {
            Some(portion) => portion.push(candidate),
            None => self.portions.push(vec![candidate]),
        }
    }
}

/// The candidates from some line on.
pub(super) struct Cursor {
    portions: std::vec::IntoIter<Vec<Candidate>>,
    portion: Vec<Candidate>,
    next: usize,
}

impl Cursor {
    /// The next candidate, if it stands at this line.
    pub(super) fn at(&mut self, line: u32) -> Option<&Candidate> {
        if self.next == self.portion.len() {
            (self.portion, self.next) = (self.portions.next()?, 0);
        }
        let next = self.portion.get(self.next).filter(|next| next.line == line)?;
        self.next += 1;
        Some(next)
    }
}

pub(super) fn read(source: &SourceText, blocks: &Blocks) -> Candidates {
    let mut found = Candidates::default();
    let mut headings = blocks.headings.iter().peekable();
    for line in 1..=source.line_count() {
        while headings.next_if(|h| h.line < line).is_some() {}
        if blocks.kind(line) == Kind::Text || unbarred(source, blocks, line) {
            let text = source.line_text(line);
            let candidate = match headings.peek().filter(|h| h.line == line) {
                Some(_) => heading(text, line),
                None => boxed(text, line),
            };
            if let Some(candidate) = candidate {
                found.push(candidate);
            }
        }
    }
    found
}

/// A box that Markdown drew into the table above it.
fn unbarred(source: &SourceText, blocks: &Blocks, line: u32) -> bool {
    blocks.kind(line) == Kind::Table && !source.line_text(line).contains('|')
}

fn boxed(text: &str, line: u32) -> Option<Candidate> {
    // Most lines hold no bracket at all.
    memchr::memchr(b'[', text.as_bytes())?;
    let item = scan::item(text)?;
    let (item, bracket) = inner(text, item)?;
    let mut head = head::read(text, item.rest);
    if bracket.mark == Mark::Letter && head.id.is_none() {
        return None;
    }
    head.title.1 = head::trailing(&mut head.markers, text, head.title, false);
    Some(Candidate { line, item: Some(item), bracket: Some(bracket), head })
}

/// Of `- [ ] - [X] T002` the box beside the id counts: it is the one that will be ticked.
fn inner(text: &str, outer: Item) -> Option<(Item, Bracket)> {
    let bracket = outer.bracket.filter(|b| b.mark != Mark::None)?;
    let second = scan::item(&text[outer.rest..]).and_then(|item| Some((item, item.bracket?)));
    let Some((item, mut second)) = second.filter(|(_, b)| b.mark != Mark::None) else {
        return Some((outer, bracket));
    };
    second.start += outer.rest;
    second.end += outer.rest;
    Some((Item { rest: item.rest + outer.rest, odd: true, bracket: Some(second), ..outer }, second))
}

fn heading(text: &str, line: u32) -> Option<Candidate> {
    let body = text.trim_start().trim_start_matches('#').trim_start();
    let at = text.len() - body.len();
    let bracket = scan::bracket(text, at).filter(|b| !matches!(b.mark, Mark::None | Mark::Letter));
    let mut head = head::read(text, bracket.map_or(at, |b| b.end + 1));
    let kind = head.id?.kind;
    let task = bracket.is_some() || matches!(kind, id::Kind::Tee | id::Kind::Word);
    if !task || head.range.is_some() {
        return None;
    }
    let closing = text[..head.title.1].trim_end_matches('#').trim_end().len();
    head.title.1 = head::trailing(&mut head.markers, text, (head.title.0, closing.max(head.title.0)), true);
    Some(Candidate { line, item: None, bracket, head })
}

/// What the file's ids look like.
#[derive(Debug, Default)]
pub(super) struct Style<'s> {
    /// Some line has an id.
    pub has_ids: bool,
    /// `1.1` and `1.` are ids here.
    pub numbers: bool,
    /// Every id that counts.
    pub known: HashMap<&'s str, bool>,
    /// How often each prefix of a weak id (`DB` of `DB-001`) occurs.
    prefixes: HashMap<&'s str, u32>,
    strong: u32,
    weak: u32,
    boxes: u32,
}

/// Labels of requirements and criteria, which are no tasks.
const REQUIREMENTS: [&str; 12] = ["SC", "FR", "NFR", "AC", "REQ", "EC", "INV", "NF", "CR", "ADR", "Q", "P"];

impl<'s> Style<'s> {
    pub(super) fn of(source: &'s SourceText, candidates: &Candidates) -> Style<'s> {
        let mut style = Style::default();
        for candidate in candidates.iter() {
            style.boxes += u32::from(candidate.item.is_some());
            match candidate.kind() {
                Some(id::Kind::Weak) => {
                    style.weak += 1;
                    let id = candidate.id(source).unwrap_or_default();
                    *style.prefixes.entry(prefix(id)).or_default() += 1;
                }
                Some(kind) => {
                    style.strong += 1;
                    style.numbers |= kind != id::Kind::Tee;
                }
                None => {}
            }
        }
        for candidate in candidates.iter() {
            if let Some(id) = candidate.id(source).filter(|_| style.counts(source, candidate)) {
                style.has_ids = true;
                *style.known.entry(id).or_default() |= candidate.bracket.is_some();
            }
        }
        style
    }

    /// Whether the candidate's id is one. A weak one (`DB-001`) must look meant: decorated or repeated; beside ids
    /// of the usual kind, labels of requirements are none.
    pub(super) fn counts(&self, source: &'s SourceText, candidate: &Candidate) -> bool {
        match candidate.kind() {
            None => false,
            Some(id::Kind::Weak) => {
                let id = candidate.id(source).unwrap_or_default();
                let prefix = prefix(id);
                let often = self.prefixes.get(prefix).is_some_and(|n| *n >= 2);
                let long = id.bytes().filter(u8::is_ascii_digit).count() >= 3;
                let label = REQUIREMENTS.contains(&prefix) && !(prefix == "P" && long);
                let plain = often && (id.contains('-') || long || self.strong == 0);
                let meant = candidate.head.decorated || plain;
                // A few labels among many boxes without ids are part of their titles.
                let usual = self.strong > 0 || self.weak * 2 >= self.boxes;
                meant && usual && !(label && self.strong > 0) && (often || self.strong == 0)
            }
            Some(_) => true,
        }
    }

    /// Whether a heading's id belongs to a box elsewhere, so that the heading only describes it.
    pub(super) fn is_boxed(&self, id: &str) -> bool {
        self.known.get(id).copied().unwrap_or(false)
    }
}

fn prefix(id: &str) -> &str {
    id.find(|c: char| !c.is_ascii_alphabetic()).map_or(id, |at| &id[..at])
}
