//! Which parts of the documents a task gets: found by what it cites, the files it names, its story and its words, the
//! strongest first, until the room is used up.

use super::index::{Index, Place};
use super::words;
use super::{LeftOut, Role, fence, tokens};
use crate::source::Span;
use crate::task::{NamedPath, Story};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

/// Why a part is handed over, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tie {
    Cited,
    Path,
    Story,
    Words,
}

/// What a task says that parts of documents can be found by.
#[derive(Debug, Default)]
pub(super) struct Wanted<'a> {
    pub ids: Vec<String>,
    pub requirements: Vec<(u32, Option<u32>)>,
    pub stories: &'a [Story],
    pub files: &'a [NamedPath],
    pub words: HashSet<String>,
}

impl<'a> Wanted<'a> {
    /// Of a task's line, the title in it, and its body.
    pub(super) fn of(
        line: &str,
        title: &str,
        body: &str,
        stories: &'a [Story],
        files: &'a [NamedPath],
    ) -> Wanted<'a> {
        let mut ids: Vec<String> = [line, body].into_iter().flat_map(words::ids).map(|(_, id)| id).collect();
        ids.dedup();
        ids.truncate(MAX_CITED);
        let mut requirements: Vec<_> = [line, body].into_iter().flat_map(words::requirements).collect();
        requirements.truncate(MAX_CITED);
        let words = words::significant(title).chain(files.iter().flat_map(stem)).take(MAX_CITED).collect();
        Wanted { ids, requirements, stories, files, words }
    }
}

/// A task that names more is a document itself.
const MAX_CITED: usize = 64;
/// Parts that are weighed for one task; what is beyond is counted only.
const MAX_PARTS: usize = 96;
/// Less room than this is not worth a cut part.
const WORTH_CUTTING: u64 = 200;

fn stem(file: &NamedPath) -> Vec<String> {
    let name = file.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    words::significant(name.split('.').next().unwrap_or_default()).collect()
}

/// A part of a document as it is handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Slice {
    /// `specs/001/spec.md:12-30`
    pub source: String,
    /// The headings it stands under.
    pub under: String,
    pub why: String,
    /// In its fence.
    pub text: String,
    #[serde(skip)]
    pub tokens: u64,
}

#[derive(Debug, Default)]
pub(super) struct Slices {
    pub taken: Vec<Slice>,
    pub left_out: Vec<LeftOut>,
    pub hidden: usize,
}

/// A part that could be handed over.
struct Part {
    tie: Tie,
    /// Smaller is better, within a tie.
    weight: usize,
    place: Place,
    /// With all subsections.
    tree: bool,
    why: String,
}

/// What of one document is handed over so far: by where it begins, where it ends and why.
type Taken = BTreeMap<usize, (usize, Vec<String>)>;

/// What every task gets anyway, by document: few ranges, ascending.
pub(super) type Given = BTreeMap<u32, Vec<Range<usize>>>;

pub(super) fn slices(index: &Index, wanted: &Wanted<'_>, given: &Given, room: u64) -> Slices {
    let mut parts = parts(index, wanted);
    parts.sort_by_key(|part| (part.tie, part.weight, part.place, part.tree));
    let mut seen = HashSet::new();
    parts.retain(|part| seen.insert((part.place, part.tree)));
    let mut filling = Filling { index, given, room, taken: BTreeMap::new(), left_out: Vec::new() };
    let further = parts.len().saturating_sub(MAX_PARTS);
    parts.iter().take(MAX_PARTS).for_each(|part| filling.offer(part));
    if further > 0 {
        let what = format!("{further} more parts that share words with the task");
        filling.left_out.push(LeftOut { what, why: "they match the task less".to_owned(), bytes: 0 });
    }
    filling.finish()
}

fn parts(index: &Index, wanted: &Wanted<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut put = |tie, weight, place, tree, why: String| parts.push(Part { tie, weight, place, tree, why });
    for (n, id) in wanted.ids.iter().enumerate() {
        for place in index.id(id) {
            put(Tie::Cited, n, *place, false, format!("cites {id}"));
        }
    }
    for (n, (number, criterion)) in wanted.requirements.iter().enumerate() {
        let name = criterion.map_or_else(|| number.to_string(), |part| format!("{number}.{part}"));
        for place in index.requirement(*number, *criterion) {
            let whole = criterion.is_none() && index.unit(place).is_section();
            put(Tie::Cited, n, place, whole, format!("cites requirement {name}"));
        }
    }
    for file in wanted.files.iter().take(MAX_CITED) {
        let path = file.path.trim_end_matches('/');
        // A name alone may be another file's; a longer way to the same file says more.
        let name = path.rsplit('/').next().filter(|name| name.contains('.'));
        for (weight, key) in [(0, Some(path)), (1, name.filter(|name| *name != path))] {
            for place in key.map_or(&[][..], |key| index.path(key)) {
                let section = index.section(*place);
                put(
                    Tie::Path,
                    weight,
                    section,
                    is_small(index, section),
                    format!("names {}", fence::inline(&file.path)),
                );
            }
        }
    }
    for story in wanted.stories {
        let number = story.0.trim_start_matches(|c: char| !c.is_ascii_digit()).to_ascii_lowercase();
        for place in index.story(&number) {
            put(Tie::Story, 0, *place, true, format!("is story {}", story.0));
        }
    }
    for (place, shared, of) in index.headings(&wanted.words) {
        // One word of a long heading is chance.
        if (shared >= 2 || of <= 2) && says_something(index, place) {
            let weight = usize::MAX - shared * 1_000 / of.max(1) - shared * 100;
            let title = index.title(place);
            let why = if title.is_empty() {
                "shares words".to_owned()
            } else {
                format!("shares words with \"{}\"", fence::inline(title))
            };
            put(Tie::Words, weight, place, is_small(index, place), why);
        }
    }
    parts
}

/// Whether a section is handed over with all that is below it.
fn is_small(index: &Index, place: Place) -> bool {
    const SMALL: usize = 2_000;
    let unit = index.unit(place);
    unit.level > 1 && unit.tree_end - unit.own.start <= SMALL
}

/// Whether there is more of it than its heading.
fn says_something(index: &Index, place: Place) -> bool {
    let unit = index.unit(place);
    let end = if is_small(index, place) { unit.tree_end } else { unit.own.end };
    let text = index.entry(place).text.text().get(unit.title.end.max(unit.own.start)..end);
    text.is_some_and(|text| text.contains(|c: char| c.is_alphanumeric()))
}

struct Filling<'i> {
    index: &'i Index,
    given: &'i Given,
    room: u64,
    taken: BTreeMap<u32, Taken>,
    left_out: Vec<LeftOut>,
}

impl Filling<'_> {
    fn offer(&mut self, part: &Part) {
        let unit = self.index.unit(part.place);
        let end = if part.tree { unit.tree_end } else { unit.own.end };
        let whole = unit.own.start..end;
        for open in self.uncovered(part.place.document, whole) {
            self.take(part, open);
        }
        self.note(part);
    }

    /// What of a range is not handed over yet.
    fn uncovered(&self, document: u32, range: Range<usize>) -> Vec<Range<usize>> {
        let taken = self.taken.get(&document).into_iter().flatten().map(|(start, (end, _))| *start..*end);
        let mut known: Vec<Range<usize>> =
            taken.chain(self.given.get(&document).into_iter().flatten().cloned()).collect();
        known.sort_unstable_by_key(|range| range.start);
        let mut open = Vec::new();
        let mut at = range.start;
        for known in known.into_iter().filter(|known| known.start < range.end && known.end > range.start) {
            if known.start > at {
                open.push(at..known.start);
            }
            at = at.max(known.end);
        }
        if at < range.end {
            open.push(at..range.end);
        }
        let text = self.text(document);
        open.retain(|range| !text.get(range.clone()).unwrap_or_default().trim().is_empty());
        open
    }

    fn text(&self, document: u32) -> &str {
        self.index.entries[document as usize].text.text()
    }

    /// As much of a range as fits; the rest is said to be left out.
    fn take(&mut self, part: &Part, range: Range<usize>) {
        /// The line that says where it is from, and its fence.
        const FRAME: u64 = 40;
        let text = self.text(part.place.document).get(range.clone()).unwrap_or_default();
        let cost = tokens::estimate(text) + FRAME;
        let mut fits = range.clone();
        if cost > self.room {
            let is_worth = part.tie != Tie::Words && self.room >= WORTH_CUTTING;
            let room = if is_worth { self.room.saturating_sub(FRAME) } else { 0 };
            fits.end = range.start + tokens::lines_within(text, room);
            self.leave_out(part, fits.end..range.end);
        }
        if fits.is_empty() {
            return;
        }
        let cost =
            tokens::estimate(self.text(part.place.document).get(fits.clone()).unwrap_or_default()) + FRAME;
        self.room = self.room.saturating_sub(cost);
        let taken = self.taken.entry(part.place.document).or_default();
        taken.insert(fits.start, (fits.end, vec![part.why.clone()]));
    }

    fn leave_out(&mut self, part: &Part, range: Range<usize>) {
        let title = self.index.title(self.index.section(part.place));
        let named = if title.is_empty() { String::new() } else { format!(" ({})", fence::inline(title)) };
        let what = format!("{}{named}", located(self.index, part.place.document, &range));
        let why = format!("no room left; the task {}", part.why);
        self.left_out.push(LeftOut { what, why, bytes: range.len() as u64 });
    }

    /// A further reason for what was handed over for another one.
    fn note(&mut self, part: &Part) {
        const REASONS: usize = 4;
        let start = self.index.unit(part.place).own.start;
        let Some(taken) = self.taken.get_mut(&part.place.document) else { return };
        let Some((_, (end, whys))) = taken.range_mut(..=start).next_back() else { return };
        if *end > start && whys.len() < REASONS && !whys.contains(&part.why) {
            whys.push(part.why.clone());
        }
    }

    /// In the order of the documents; pieces that touch are one.
    fn finish(self) -> Slices {
        let mut out = Slices { left_out: self.left_out, ..Slices::default() };
        for (document, taken) in &self.taken {
            let entry = &self.index.entries[*document as usize];
            let mut joined: Vec<(Range<usize>, Vec<String>)> = Vec::new();
            for (start, (end, whys)) in taken {
                match joined.last_mut() {
                    Some((last, known)) if gap_is_blank(entry.text.text(), last.end, *start) => {
                        last.end = *end;
                        known.extend(
                            whys.iter().filter(|why| !known.contains(why)).cloned().collect::<Vec<_>>(),
                        );
                    }
                    _ => joined.push((*start..*end, whys.clone())),
                }
            }
            for (range, whys) in joined {
                let (slice, hidden) = cut(self.index, *document, &range, &whys);
                out.hidden += hidden;
                out.taken.extend(slice);
            }
        }
        out
    }
}

fn gap_is_blank(text: &str, from: usize, to: usize) -> bool {
    text.get(from..to).is_some_and(|gap| gap.trim().is_empty())
}

/// `specs/001/spec.md:12-30`
pub(super) fn located(index: &Index, document: u32, range: &Range<usize>) -> String {
    let entry = &index.entries[document as usize];
    let text = entry.text.text().get(range.clone()).unwrap_or_default();
    let from = range.start + (text.len() - text.trim_start_matches(['\n', '\r']).len());
    let to = range.start + text.trim_end().len();
    let line = |at: usize| entry.text.line(Span::new(at, at).start);
    let (first, last) = (line(from), line(to.max(from + 1) - 1));
    if first == last { format!("{}:{first}", entry.path) } else { format!("{}:{first}-{last}", entry.path) }
}

/// A range of a document, ready to be put into a prompt; none if nothing in it can be seen.
pub(super) fn cut(
    index: &Index,
    document: u32,
    range: &Range<usize>,
    whys: &[String],
) -> (Option<Slice>, usize) {
    let entry = &index.entries[document as usize];
    let text = entry.text.text().get(range.clone()).unwrap_or_default();
    let first = entry.outline.comments.partition_point(|comment| comment.end <= range.start);
    let comments: Vec<Range<usize>> = entry.outline.comments[first..]
        .iter()
        .take_while(|comment| comment.start < range.end)
        .map(|comment| comment.start.saturating_sub(range.start)..comment.end - range.start)
        .collect();
    let (visible, hidden) = fence::visible(text, &comments);
    let plain = fence::dedented(&visible);
    if plain.is_empty() {
        return (None, hidden);
    }
    let info = match entry.path.rsplit_once('.') {
        Some((_, extension)) if extension.bytes().all(|b| b.is_ascii_alphanumeric()) => extension,
        _ => "text",
    };
    let text = fence::fenced(info, &plain);
    let slice = Slice {
        source: located(index, document, range),
        under: under(index, document, range.start),
        why: whys.join("; "),
        tokens: tokens::estimate(&text),
        text,
    };
    (Some(slice), hidden)
}

/// The headings a range stands under that are not in it: `Requirements > Functional Requirements`.
fn under(index: &Index, document: u32, start: usize) -> String {
    let units = &index.entries[document as usize].outline.units;
    let next = units.partition_point(|unit| unit.own.start <= start);
    let Some(mut unit) = next.checked_sub(1) else { return String::new() };
    let mut titles = Vec::new();
    // Parents stand before their children, so this ends.
    loop {
        let place = Place { document, unit: unit as u32 };
        let title = index.title(place);
        if units[unit].is_section() && units[unit].own.start < start && !title.is_empty() {
            titles.push(title);
        }
        match units[unit].parent {
            Some(parent) if (parent as usize) < unit => unit = parent as usize,
            _ => break,
        }
    }
    titles.reverse();
    fence::inline(&titles.join(" > "))
}

/// Sections of documents of one role whose heading is one of these, for what every task gets.
pub(super) fn named_sections(index: &Index, role: Role, titles: &[&str]) -> Vec<(u32, Range<usize>)> {
    let mut found = Vec::new();
    for (document, entry) in index.entries.iter().enumerate().filter(|(_, entry)| entry.role == role) {
        for unit in entry.outline.units.iter().filter(|unit| unit.is_section()) {
            let title = entry.text.text().get(unit.title.clone()).unwrap_or_default().to_ascii_lowercase();
            let bare = title.trim_start_matches(|c: char| !c.is_alphabetic());
            if titles.iter().any(|known| bare.starts_with(known)) {
                found.push((document as u32, unit.own.start..unit.tree_end));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Document;
    use crate::source::SourceText;

    fn index(text: &str) -> Index {
        let text = SourceText::new("spec.md", text);
        Index::new(vec![Document { path: "spec.md".to_owned(), role: Role::Spec, text }])
    }

    const SPEC: &str = "# Spec\n\n## User Story 1 - Log in\n\nPeople log in.\n\n### Acceptance\n\nFast.\n\n## Requirements\n\n- **FR-001**: hash\n- **FR-002**: <!-- hidden --> lock\n\n## Audit log retention\n\nIn `src/audit.rs`.\n";

    fn sources(slices: &Slices) -> Vec<(&str, &str)> {
        slices.taken.iter().map(|slice| (slice.source.as_str(), slice.why.as_str())).collect()
    }

    #[test]
    fn parts_are_found_by_citation_path_story_and_words() {
        let index = index(SPEC);
        let story = [Story("US1".to_owned())];
        let wanted = Wanted::of("Do it per FR-002", "Do it per FR-002", "", &story, &[]);
        let found = slices(&index, &wanted, &Given::new(), 1_000);
        assert_eq!(sources(&found), [("spec.md:3-9", "is story US1"), ("spec.md:14", "cites FR-002")]);
        assert_eq!(found.taken[1].under, "Spec > Requirements");
        assert_eq!(found.taken[1].text, "```md\n- **FR-002**:  lock\n```");
        let wanted = Wanted::of("Keep the audit log", "Keep the audit log", "", &[], &[]);
        assert_eq!(
            sources(&slices(&index, &wanted, &Given::new(), 1_000)),
            [("spec.md:16-18", "shares words with \"Audit log retention\"")]
        );
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_place() {
        let index = index(&SPEC.replace("People log in.", &"People log in.\n".repeat(400)));
        let story = [Story("US1".to_owned())];
        let wanted =
            Wanted::of("per FR-002 in the audit log", "per FR-002 in the audit log", "", &story, &[]);
        let found = slices(&index, &wanted, &Given::new(), 400);
        assert!(found.taken.iter().map(|slice| slice.tokens).sum::<u64>() <= 400);
        assert!(found.taken.iter().any(|slice| slice.why == "cites FR-002"));
        let story = found.left_out.iter().find(|left| left.what.contains("User Story 1")).unwrap();
        assert!(story.what.starts_with("spec.md:") && story.bytes > 1_000, "{story:?}");
    }

    #[test]
    fn nothing_is_handed_over_twice() {
        let index = index(SPEC);
        let story = [Story("US1".to_owned())];
        let wanted = Wanted::of(
            "US1 log in acceptance FR-001 FR-002 FR-001",
            "US1 log in acceptance FR-001 FR-002 FR-001",
            "",
            &story,
            &[],
        );
        let found = slices(&index, &wanted, &Given::new(), 2_000);
        let all: String = found.taken.iter().map(|slice| slice.text.as_str()).collect();
        assert_eq!(all.matches("FR-001").count(), 1, "{all}");
        assert_eq!(all.matches("Acceptance").count(), 1, "{all}");
    }
}
