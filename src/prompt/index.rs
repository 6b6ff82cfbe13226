//! The documents of a feature, taken apart once per run: which section or item says something of an id, a story, a path,
//! a word. Asked per task, it only looks up.

use super::outline::{self, Outline, Unit};
use super::words;
use super::{Document, Role};
use crate::source::SourceText;
use std::collections::{HashMap, HashSet};

/// One unit of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub document: u32,
    pub unit: u32,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub path: String,
    pub role: Role,
    pub text: SourceText,
    pub outline: Outline,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    pub entries: Vec<Entry>,
    /// Where an id is defined: what begins with it.
    defined: HashMap<String, Vec<Place>>,
    mentioned: HashMap<String, Vec<Place>>,
    /// By number and criterion.
    requirements: HashMap<(u32, Option<u32>), Vec<Place>>,
    /// By the story's number as written: `1`, `1.2`, `1b`.
    stories: HashMap<String, Vec<Place>>,
    paths: HashMap<String, Vec<Place>>,
    headings: HashMap<String, Vec<Place>>,
    /// How many words worth comparing a heading has.
    lengths: HashMap<Place, usize>,
}

/// What is in more places than this says nothing of any of them.
const MAX_PLACES: usize = 48;

impl Index {
    pub(super) fn new(documents: Vec<Document>) -> Index {
        let mut index = Index::default();
        for document in documents {
            let outline = match document.path.rsplit_once('.').map(|(_, extension)| extension) {
                Some("md" | "markdown" | "mdx") => outline::markdown(document.text.text()),
                Some("yaml" | "yml") => outline::yaml(document.text.text()),
                _ => outline::whole(document.text.text()),
            };
            let entry = Entry { path: document.path, role: document.role, text: document.text, outline };
            index.take_in(index.entries.len() as u32, &entry);
            index.entries.push(entry);
        }
        index
    }

    pub(super) fn entry(&self, place: Place) -> &Entry {
        &self.entries[place.document as usize]
    }

    pub(super) fn unit(&self, place: Place) -> &Unit {
        &self.entry(place).outline.units[place.unit as usize]
    }

    pub(super) fn title(&self, place: Place) -> &str {
        let entry = self.entry(place);
        entry.text.text().get(self.unit(place).title.clone()).unwrap_or_default()
    }

    /// The section a unit stands in, or itself.
    pub(super) fn section(&self, place: Place) -> Place {
        let unit = self.unit(place);
        match unit.parent.filter(|_| !unit.is_section()) {
            Some(parent) => Place { unit: parent, ..place },
            None => place,
        }
    }

    /// Where an id is defined; where nothing defines it, where it is mentioned.
    pub(super) fn id(&self, id: &str) -> &[Place] {
        let defined = get(&self.defined, id);
        if defined.is_empty() { get(&self.mentioned, id) } else { defined }
    }

    /// The criterion of a requirement, and its requirement.
    pub(super) fn requirement(&self, number: u32, criterion: Option<u32>) -> Vec<Place> {
        let of = |key| self.requirements.get(&key).map_or(&[][..], Vec::as_slice);
        let whole = of((number, None));
        let part = criterion.map_or(&[][..], |criterion| of((number, Some(criterion))));
        part.iter().chain(whole).copied().collect()
    }

    pub(super) fn story(&self, number: &str) -> &[Place] {
        get(&self.stories, number)
    }

    pub(super) fn path(&self, path: &str) -> &[Place] {
        get(&self.paths, path)
    }

    /// Sections whose headings share words with these, with how many they share of how many. Ascending by place.
    pub(super) fn headings(&self, words: &HashSet<String>) -> Vec<(Place, usize, usize)> {
        let mut shared: HashMap<Place, usize> = HashMap::new();
        for place in words.iter().flat_map(|word| get(&self.headings, word)) {
            *shared.entry(*place).or_default() += 1;
        }
        let mut found: Vec<_> = shared
            .into_iter()
            .map(|(place, count)| (place, count, self.lengths.get(&place).copied().unwrap_or(count)))
            .collect();
        found.sort_unstable();
        found
    }

    fn take_in(&mut self, document: u32, entry: &Entry) {
        let text = entry.text.text();
        let units = &entry.outline.units;
        let place = |unit: usize| Place { document, unit: unit as u32 };
        let mut requirement = None;
        for (n, unit) in units.iter().enumerate() {
            let own = text.get(unit.own.clone()).unwrap_or_default();
            if let Some((_, id)) = leading_id(own) {
                add(&mut self.defined, id, place(n));
            }
            if unit.is_section() {
                let title = text.get(unit.title.clone()).unwrap_or_default();
                self.heading(title, place(n), entry);
                requirement = requirement_of(units, n, title, requirement);
            } else if let Some((number, _)) = requirement
                && is_requirement(entry.role)
            {
                let criterion = leading_criterion(own, number).or(unit.ordinal.map(|n| n as u32));
                if let Some(criterion) = criterion {
                    self.requirements.entry((number, Some(criterion))).or_default().push(place(n));
                }
            }
            if let Some((number, level)) = requirement
                && unit.level == level
                && is_requirement(entry.role)
            {
                self.requirements.entry((number, None)).or_default().push(place(n));
            }
            if !unit.is_section() && matches!(entry.role, Role::Spec | Role::DataModel) {
                self.entity(own, place(n));
            }
        }
        self.mentions(document, entry);
    }

    fn heading(&mut self, title: &str, place: Place, entry: &Entry) {
        let stories = stories(title);
        if !stories.is_empty() {
            // It belongs to the tasks of that story; to others that share a word with it, it does not.
            return stories.into_iter().for_each(|number| add(&mut self.stories, number, place));
        }
        let mut words: HashSet<String> = words::significant(title).collect();
        // A file that is one piece has no other heading than its name.
        if entry.role == Role::Contract && entry.outline.units.len() == 1 {
            let name = entry.path.rsplit('/').next().unwrap_or_default();
            words.extend(words::significant(name.split('.').next().unwrap_or_default()));
        }
        self.lengths.insert(place, words.len());
        for word in words {
            add(&mut self.headings, word, place);
        }
    }

    /// `- **User**: …` tells of an entity as a heading does.
    fn entity(&mut self, own: &str, place: Place) {
        let bare = own.trim_start_matches(['-', '*', '+', ' ']);
        let is_bold = own.len() > bare.len() && own[..own.len() - bare.len()].contains("**");
        let Some((name, _)) = bare.split_once("**").filter(|(name, _)| is_bold && name.len() <= 60) else {
            return;
        };
        let words: HashSet<String> = words::significant(name).collect();
        self.lengths.insert(place, words.len());
        for word in words {
            add(&mut self.headings, word, place);
        }
    }

    /// Ids and paths anywhere, each with the innermost unit it stands in.
    fn mentions(&mut self, document: u32, entry: &Entry) {
        let text = entry.text.text();
        let mut inner = Inner { units: &entry.outline.units, next: 0, open: Vec::new() };
        for (range, id) in words::ids(text) {
            if let Some(unit) = inner.at(range.start) {
                add(&mut self.mentioned, id, Place { document, unit });
            }
        }
        let mut inner = Inner { units: &entry.outline.units, next: 0, open: Vec::new() };
        for (range, path) in words::paths(text) {
            let Some(unit) = inner.at(range.start) else { continue };
            let place = Place { document, unit };
            add(&mut self.paths, path.to_owned(), place);
            if let Some((_, name)) = path.rsplit_once('/').filter(|(_, name)| name.contains('.')) {
                add(&mut self.paths, name.to_owned(), place);
            }
        }
    }
}

fn get<'m>(map: &'m HashMap<String, Vec<Place>>, key: &str) -> &'m [Place] {
    map.get(key).map_or(&[], Vec::as_slice)
}

fn add(map: &mut HashMap<String, Vec<Place>>, key: String, place: Place) {
    let places = map.entry(key).or_default();
    if places.len() < MAX_PLACES && places.last() != Some(&place) {
        places.push(place);
    }
}

fn is_requirement(role: Role) -> bool {
    matches!(role, Role::Requirements | Role::Spec)
}

/// The innermost unit at offsets that only grow.
struct Inner<'u> {
    units: &'u [Unit],
    next: usize,
    open: Vec<u32>,
}

impl Inner<'_> {
    fn at(&mut self, offset: usize) -> Option<u32> {
        while let Some(unit) = self.units.get(self.next).filter(|unit| unit.own.start <= offset) {
            self.drop_ended(unit.own.start);
            self.open.push(self.next as u32);
            self.next += 1;
        }
        self.drop_ended(offset);
        self.open.last().copied()
    }

    fn drop_ended(&mut self, offset: usize) {
        while self.open.last().is_some_and(|open| self.units[*open as usize].own.end <= offset) {
            self.open.pop();
        }
    }
}

/// The id a unit begins with, decoration aside.
fn leading_id(own: &str) -> Option<(usize, String)> {
    let line = own.lines().next()?;
    let bare = line.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let bare = if bare.starts_with(|c: char| c.is_ascii_digit()) {
        bare.trim_start_matches(|c: char| !c.is_ascii_uppercase())
    } else {
        bare
    };
    let skipped = line.len() - bare.len();
    let (range, id) = words::ids(&bare[..boundary(bare, 32)]).into_iter().next()?;
    (range.start == 0 && skipped <= 12).then_some((skipped, id))
}

fn boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// `1.2 WHEN …` in requirement 1.
fn leading_criterion(own: &str, requirement: u32) -> Option<u32> {
    let bare = own.trim_start_matches(|c: char| !c.is_ascii_digit() && c != '\n');
    let rest = bare.strip_prefix(&format!("{requirement}."))?;
    rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
}

/// The requirement that section `n` is or stands in, with its heading's level.
fn requirement_of(units: &[Unit], n: usize, title: &str, open: Option<(u32, u8)>) -> Option<(u32, u8)> {
    let open = open.filter(|(_, level)| units[n].level > *level);
    let rest = title.strip_prefix("Requirement").unwrap_or_default().trim_start();
    let digits = &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())];
    digits.parse().ok().map(|number| (number, units[n].level)).or(open)
}

/// Numbers of the stories a heading is of: `User Story 2 - Share (Priority: P2)`, `US1`.
fn stories(title: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lower = title.to_ascii_lowercase();
    let mut rest = lower.as_str();
    while let Some(at) = rest.find("story ").map(|at| at + 6).or_else(|| us(rest)) {
        rest = &rest[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len());
        let number = rest[..end].trim_end_matches('.');
        if number.starts_with(|c: char| c.is_ascii_digit()) {
            found.push(number.to_owned());
        }
        rest = &rest[end..];
    }
    found
}

/// Behind `us` at the beginning of a word and before a digit.
fn us(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_start = |at: usize| at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
    text.match_indices("us")
        .map(|(at, _)| at)
        .find(|at| is_start(*at) && bytes.get(at + 2).is_some_and(u8::is_ascii_digit))
        .map(|at| at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(path: &str, role: Role, text: &str) -> Index {
        let text = SourceText::new(path, text);
        Index::new(vec![Document { path: path.to_owned(), role, text }])
    }

    fn texts<'i>(index: &'i Index, places: &[Place]) -> Vec<&'i str> {
        let line = |place: &Place| {
            let own = index.unit(*place).own.clone();
            index.entry(*place).text.text()[own].lines().next().unwrap_or_default()
        };
        places.iter().map(line).collect()
    }

    #[test]
    fn an_id_is_found_where_it_is_defined() {
        let text = "# S\n\nSee FR-002.\n\n## Functional\n\n- **FR-001**: a\n- **FR-002**: b, as FR-001\n\n| SC-001 | x |\n|---|---|\n| SC-002 | y |\n";
        let index = index("spec.md", Role::Spec, text);
        assert_eq!(texts(&index, index.id("FR-002")), ["- **FR-002**: b, as FR-001"]);
        assert_eq!(texts(&index, index.id("SC-002")), ["| SC-002 | y |"]);
        assert!(index.id("FR-009").is_empty());
    }

    #[test]
    fn a_requirement_and_its_criterion_are_found_by_number() {
        let text = "# R\n\n### Requirement 1: Login\n\n**User Story:** x\n\n#### Acceptance Criteria\n\n1. WHEN a\n2. WHEN b\n\n### Requirement 2\n\n1. WHEN c\n";
        let index = index("requirements.md", Role::Requirements, text);
        assert_eq!(texts(&index, &index.requirement(1, Some(2))), ["2. WHEN b", "### Requirement 1: Login"]);
        assert_eq!(texts(&index, &index.requirement(2, None)), ["### Requirement 2"]);
        assert!(index.requirement(3, Some(1)).is_empty());
    }

    #[test]
    fn stories_paths_and_entities_are_found() {
        let text = "## User Story 1 - Sign in (Priority: P1)\n\nin `src/auth/login.ts`\n\n### Key Entities\n\n- **Session Token**: x\n";
        let index = index("spec.md", Role::Spec, text);
        assert_eq!(texts(&index, index.story("1")), ["## User Story 1 - Sign in (Priority: P1)"]);
        assert_eq!(texts(&index, index.path("login.ts")), ["in `src/auth/login.ts`"]);
        let words = ["session", "token"].map(str::to_owned).into_iter().collect();
        let found: Vec<Place> = index.headings(&words).into_iter().map(|(place, ..)| place).collect();
        assert_eq!(texts(&index, &found), ["- **Session Token**: x"]);
    }

    #[test]
    fn stories_are_read_from_headings() {
        assert_eq!(stories("Phase 3: User Story 2 - A bus 7 (US3b)"), ["2", "3b"]);
        assert_eq!(stories("US1.2 + us4: focus2"), ["1.2", "4"]);
    }
}
