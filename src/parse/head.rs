//! What stands between a box and a title: decoration, emoji, id, markers. One line, no context.

use super::id::{self, Token};
use crate::task::{Few, Story};

/// What a bracketed marker says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Markers {
    pub parallel: bool,
    pub stories: Few<Story>,
    pub all_stories: bool,
    pub priority: Option<u8>,
    pub layer: Option<u8>,
    pub tags: Few<String>,
    /// The inside of `[P after T001]`, `[depends:T001]`: byte ranges of the line, dependencies to be read.
    pub needs: Few<(usize, usize)>,
    pub manual: bool,
    pub dropped: bool,
}

/// The head of an item: everything before the title.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Head {
    pub id: Option<Token>,
    /// Bold or backticked, or followed by a colon: looks like an id on purpose.
    pub decorated: bool,
    pub struck: bool,
    /// `2.4*`
    pub starred: bool,
    /// `T004–T005`: the range's last id.
    pub range: Option<String>,
    pub markers: Markers,
    pub title: (usize, usize),
}

pub(super) fn read(line: &str, from: usize) -> Head {
    let mut reader = Reader { line, at: from, head: Head::default(), open: Vec::new() };
    reader.run();
    reader.head.title = reader.title();
    reader.head
}

struct Reader<'a> {
    line: &'a str,
    at: usize,
    head: Head,
    /// Emphasis opened before the id and not closed yet.
    open: Vec<&'static str>,
}

const DECORATION: [&str; 6] = ["**", "__", "~~", "`", "*", "_"];

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    fn run(&mut self) {
        loop {
            let before = self.at;
            self.spaces();
            let decorated = self.decoration();
            if self.head.id.is_none() && (self.id() || self.emoji()) {
                continue;
            }
            if self.marker() {
                continue;
            }
            if !decorated {
                self.at = before;
                return;
            }
        }
    }

    fn spaces(&mut self) {
        self.at = self.line.len() - self.rest().trim_start().len();
    }

    /// Takes emphasis that closes what was opened, or that opens in front of an id or marker.
    fn decoration(&mut self) -> bool {
        let start = self.at;
        if !matches!(self.rest().bytes().next(), Some(b'*' | b'_' | b'~' | b'`')) {
            return false;
        }
        while let Some(sign) = DECORATION.iter().copied().find(|sign| self.rest().starts_with(sign)) {
            let glued = !self.line[..self.at].ends_with(char::is_whitespace);
            if self.open.contains(&sign) && glued {
                self.open.retain(|s| *s != sign);
                self.at += sign.len();
                continue;
            }
            if self.head.id.is_some() || !self.opens(sign) {
                break;
            }
            self.open.push(sign);
            self.head.struck |= sign == "~~";
            self.at += sign.len();
        }
        self.at > start
    }

    /// Whether an id or marker stands behind this run of decoration.
    fn opens(&self, sign: &str) -> bool {
        let inner = self.rest()[sign.len()..].trim_start_matches(['*', '_', '`', '~']);
        let at = self.line.len() - inner.len();
        let bracketed = inner.starts_with('[');
        bracketed || id::head(self.line, at).is_some()
    }

    fn id(&mut self) -> bool {
        let Some(token) = id::head(self.line, self.at) else { return false };
        self.take_id(token);
        true
    }

    fn take_id(&mut self, token: Token) {
        let text = &self.line[token.start..token.end];
        self.head.decorated =
            !self.open.is_empty() || self.line[token.end..token.next].starts_with([':', '：', '.']);
        self.at = token.next;
        self.head.id = Some(token);
        if let Some((last, end)) = id::range_end(self.line, text, token.end) {
            self.head.range = Some(last);
            self.at = end;
        }
        if self.rest().starts_with('*') && !self.rest().starts_with("**") && !self.open.contains(&"*") {
            self.head.starred = true;
            self.at += 1;
        }
        // `T001 — text`, `**T001**: text`: the dash or colon is a terminator too.
        let save = self.at;
        self.decoration();
        let rest = self.rest().trim_start();
        let dash = ["—", "–", "-", ":", "："].iter().find_map(|d| rest.strip_prefix(d));
        match dash.filter(|after| {
            after.is_empty() || after.starts_with(char::is_whitespace) || rest.starts_with(['：', '—', '–'])
        }) {
            Some(after) => self.at = self.line.len() - after.len(),
            None if self.at == save => {}
            None => {}
        }
    }

    /// One symbol before the id, such as `✅` or `🟡`.
    fn emoji(&mut self) -> bool {
        let Some(c) = self.rest().chars().next() else { return false };
        let symbol = matches!(c, '\u{2190}'..='\u{2bff}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}');
        if symbol {
            self.at += c.len_utf8();
        }
        symbol
    }

    /// `[P]`, `(P)`, `[US1]`, a tag; also `[T001]` and `[T001](link)` when there is no id yet.
    fn marker(&mut self) -> bool {
        let rest = self.rest();
        if rest.starts_with("(P)") {
            self.head.markers.parallel = true;
            self.at += 3;
            return true;
        }
        let Some(inner) = bracketed(rest) else { return false };
        let start = self.at + 1;
        let after = &rest[inner.len() + 2..];
        if self.head.id.is_none()
            && let Some(token) = id::head(self.line, start)
                .filter(|t| t.end == start + inner.len() && t.kind != id::Kind::Weak)
        {
            self.head.id = Some(token);
            self.head.decorated = true;
            self.at = start + inner.len() + 1 + link(after);
            return true;
        }
        let known = is_known(inner);
        let apart = after.chars().next().is_none_or(|c| {
            c.is_whitespace() || matches!(c, '[' | '*' | ':' | '-' | '~' | '_' | '`' | '.' | ',')
        });
        if !(apart || known && after.starts_with(char::is_alphanumeric))
            || (after.starts_with(": ") && !known)
        {
            return false;
        }
        add(&mut self.head.markers, self.line, start, start + inner.len());
        self.at = start + inner.len() + 1;
        // `[US1]: text`
        if let Some(text) = self.rest().strip_prefix(": ") {
            self.at = self.line.len() - text.len();
        }
        true
    }

    /// The rest of the line, without emphasis left open and white space.
    fn title(&self) -> (usize, usize) {
        let rest = self.rest();
        let start = self.line.len() - rest.trim_start().len();
        let mut end = start + rest.trim().len();
        for sign in &self.open {
            if self.line[start..end].matches(sign).count() == 1
                && let Some(text) = self.line[start..end].strip_suffix(sign)
            {
                end = start + text.trim_end().len();
            }
        }
        (start, end.max(start))
    }
}

/// The inside of a bracket that opens here, if it is short and plain.
fn bracketed(rest: &str) -> Option<&str> {
    let inside = rest.strip_prefix('[')?;
    let close = inside.bytes().take(65).position(|b| matches!(b, b']' | b'[' | b'`'))?;
    (inside.as_bytes()[close] == b']').then(|| &inside[..close])
}

/// The length of `(…)` directly behind a bracket.
fn link(after: &str) -> usize {
    if after.starts_with('(') { after.find(')').map_or(0, |at| at + 1) } else { 0 }
}

fn is_known(inner: &str) -> bool {
    inner == "P" || stories(inner).is_some() || rank(inner, 'P').is_some() || rank(inner, 'L').is_some()
}

/// `P1` … `P9`, `L0` … `L9`.
fn rank(inner: &str, letter: char) -> Option<u8> {
    let digit = inner.strip_prefix(letter)?;
    let value = digit.parse::<u8>().ok().filter(|_| digit.len() == 1)?;
    (letter == 'L' || value > 0).then_some(value)
}

const MANUAL: [&str; 5] = ["MANUAL", "YOU", "HUMAN", "APPROVAL-GATE", "MANUAL-TEST"];
const DROPPED: [&str; 6] = ["DEFERRED", "SKIPPED", "REMOVED", "DROPPED", "CANCELLED", "SKIP"];

/// Adds the marker at `start..end` of the line.
pub(super) fn add(markers: &mut Markers, line: &str, start: usize, end: usize) {
    let inner = line[start..end].trim();
    if inner == "P" {
        markers.parallel = true;
        return;
    }
    let lower = inner.to_ascii_lowercase();
    if inner.starts_with("P ") || inner.starts_with("P:") {
        markers.parallel = true;
        if lower[2..].trim_start().starts_with("after") || lower[2..].trim_start().starts_with("depends") {
            markers.needs.push((start + 2, end));
        } else {
            markers.tags.push(inner.to_owned());
        }
    } else if let Some(found) = stories(inner) {
        for story in found.stories {
            if !markers.stories.contains(&story) {
                markers.stories.push(story);
            }
        }
        markers.priority = markers.priority.or(found.priority);
    } else if let Some(priority) = rank(inner, 'P') {
        markers.priority = markers.priority.or(Some(priority));
    } else if let Some(layer) = rank(inner, 'L') {
        markers.layer = markers.layer.or(Some(layer));
    } else if lower == "all" {
        markers.all_stories = true;
    } else if super::needs::opens(&lower) {
        markers.needs.push((start, end));
    } else if inner.is_empty() || lower == "x" {
    } else {
        let upper = inner.to_ascii_uppercase();
        markers.manual |= MANUAL.contains(&upper.as_str());
        markers.dropped |= DROPPED.contains(&upper.as_str());
        markers.tags.push(inner.to_owned());
    }
}

pub(super) struct Stories {
    pub stories: Vec<Story>,
    pub priority: Option<u8>,
}

/// `US1`, `US1/2`, `US1+US2`, `US1-P1`, `Story: US1`, `User Story 2`.
pub(super) fn stories(inner: &str) -> Option<Stories> {
    let strip = |text: &'_ str, prefix: &str| -> Option<usize> {
        text.get(..prefix.len()).filter(|head| head.eq_ignore_ascii_case(prefix)).map(|_| prefix.len())
    };
    let body = strip(inner, "story:").map_or(inner, |at| inner[at..].trim_start());
    let (skip, named) = ["user story ", "story ", "us-", "us"]
        .iter()
        .find_map(|prefix| strip(body, prefix).map(|at| (at, true)))
        .unwrap_or((0, false));
    if !named {
        return None;
    }
    let mut found = Stories { stories: Vec::new(), priority: None };
    for part in body[skip..].split(['/', '+', ',', '&', '-', ' ']).filter(|part| !part.is_empty()) {
        if let Some(priority) = rank(part, 'P') {
            found.priority = Some(priority);
            continue;
        }
        let name = strip(part, "us").map_or(part, |at| &part[at..]);
        let digits = name.bytes().take_while(u8::is_ascii_digit).count();
        let tail = &name[digits..];
        let fine =
            digits > 0 && name.len() <= 12 && tail.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
        if !fine {
            return None;
        }
        found.stories.push(Story(format!("US{name}")));
    }
    (!found.stories.is_empty()).then_some(found)
}

/// Takes markers off the end of a title; `[P]` only where `parallel` says so (headings). Returns the title's new end.
pub(super) fn trailing(
    markers: &mut Markers,
    line: &str,
    (start, mut end): (usize, usize),
    heading: bool,
) -> usize {
    loop {
        let title = line[start..end].trim_end();
        end = start + title.len();
        if heading && title.ends_with("(P)") {
            markers.parallel = true;
            end -= 3;
            continue;
        }
        let Some(open) = title.strip_suffix(']').and_then(|t| t.rfind('[')) else { return end };
        let inner = &title[open + 1..title.len() - 1];
        let apart =
            open == 0 || title[..open].ends_with(|c: char| c.is_whitespace() || matches!(c, ']' | '*'));
        let known = is_known(inner) && (heading || inner != "P");
        let tag = heading && bracketed(&title[open..]).is_some() && !inner.is_empty();
        if !apart || !(known || tag || super::needs::opens(&inner.to_ascii_lowercase())) {
            return end;
        }
        add(markers, line, start + open + 1, start + open + 1 + inner.len());
        end = start + open;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(line: &str) -> String {
        let head = read(line, 0);
        let id = head.id.map_or("-", |t| &line[t.start..t.end]);
        let m = &head.markers;
        let mut text = id.to_owned();
        for (on, mark) in
            [(m.parallel, " P"), (m.all_stories, " ALL"), (head.struck, " struck"), (head.starred, " star")]
        {
            if on {
                text.push_str(mark);
            }
        }
        for story in &m.stories {
            text = format!("{text} {}", story.0);
        }
        for (name, value) in [("p", m.priority), ("l", m.layer)] {
            if let Some(value) = value {
                text = format!("{text} {name}{value}");
            }
        }
        for tag in &m.tags {
            text = format!("{text} #{tag}");
        }
        format!("{text} | {}", &line[head.title.0..head.title.1])
    }

    #[test]
    fn markers_stand_in_any_order_and_glued() {
        assert_eq!(show(" T012 [P] [P1] [US2] Add it"), "T012 P US2 p1 | Add it");
        assert_eq!(show(" T001 [US1][US2] a"), "T001 US1 US2 | a");
        assert_eq!(show("T002[P][TE]Initialize"), "T002 P | [TE]Initialize");
        assert_eq!(show(" T024 [US1/2] a"), "T024 US1 US2 | a");
        assert_eq!(show(" T024 [US1+US2] a"), "T024 US1 US2 | a");
        assert_eq!(show(" T024 [Story: US1] [L0] a"), "T024 US1 l0 | a");
        assert_eq!(show(" T024 [US1b] [ALL] [FR-012] a"), "T024 ALL US1b #FR-012 | a");
        assert_eq!(show(" 1.4 (P) a"), "1.4 P | a");
        assert_eq!(show(" T1 [P:1.1] a"), "T1 P #P:1.1 | a");
        assert_eq!(show(" T1 [P13] a"), "T1 #P13 | a");
    }

    #[test]
    fn decoration_is_taken_off_ids_and_left_on_titles() {
        assert_eq!(show(" **T009 [P]** Update"), "T009 P | Update");
        assert_eq!(show(" **T001** [ST] a"), "T001 #ST | a");
        assert_eq!(show(" **T001**: a"), "T001 | a");
        assert_eq!(show(" **Task 1.1**: a"), "1.1 | a");
        assert_eq!(show(" `t-01` a"), "t-01 | a");
        assert_eq!(show(" T001 — a"), "T001 | a");
        assert_eq!(show(" **1.** Setup"), "1 | Setup");
        assert_eq!(show(" **T001 do it**"), "T001 | do it");
        assert_eq!(show(" T001 **Bold** rest"), "T001 | **Bold** rest");
        assert_eq!(show(" 0.1. **Research** x"), "0.1 | **Research** x");
        assert_eq!(show(" ~~T017 [US1] a~~ b"), "T017 struck US1 | a~~ b");
        assert_eq!(show(" ✅ T001 a"), "T001 | a");
        assert_eq!(show(" 🟡 T004 _(partial)_ [P] a"), "T004 | _(partial)_ [P] a");
        assert_eq!(show(" 2.4* a"), "2.4 star | a");
        assert_eq!(show(" [T001](http://x/) a"), "T001 | a");
    }

    #[test]
    fn brackets_of_paths_and_prose_are_no_markers() {
        assert_eq!(show(" T019 [id]/page.tsx"), "T019 | [id]/page.tsx");
        assert_eq!(show(" T019 keep `[P]` here [P]"), "T019 | keep `[P]` here [P]");
        assert_eq!(show(" T020 [docs](a.md) b"), "T020 | [docs](a.md) b");
        assert_eq!(show(" **Bold title** of no id"), "- | **Bold title** of no id");
    }

    #[test]
    fn headings_may_carry_markers_at_their_end() {
        let line = "Do it [Story: US1] [P]";
        let mut markers = Markers::default();
        let end = trailing(&mut markers, line, (0, line.len()), true);
        assert_eq!((&line[..end], markers.parallel, markers.stories.len()), ("Do it", true, 1));
    }
}
