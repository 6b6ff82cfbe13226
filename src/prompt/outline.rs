//! A document's sections and list items, by the byte: what slices are made of. One pass of the Markdown parser.
//!
//! Other formats have blocks too: YAML is cut at its first two levels of keys, everything else is one piece. The only
//! file of this module that names `pulldown_cmark`.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::ops::Range;

/// A heading with what stands under it, or a list item, paragraph or table row in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// The heading with its text up to the next heading of any level; the item with what is nested in it.
    pub own: Range<usize>,
    /// Up to the next heading of the same or a higher level.
    pub tree_end: usize,
    /// The heading's text; empty for items.
    pub title: Range<usize>,
    /// 1 to 6; 0 for items.
    pub level: u8,
    /// The section it stands in.
    pub parent: Option<u32>,
    /// The number of an item in a numbered list.
    pub ordinal: Option<u64>,
}

impl Unit {
    pub(super) fn is_section(&self) -> bool {
        self.level > 0
    }
}

/// Units by where they begin, an outer one before the inner; comments ascending.
#[derive(Debug, Default)]
pub(super) struct Outline {
    pub units: Vec<Unit>,
    pub comments: Vec<Range<usize>>,
}

/// Items nested deeper are part of the one they are in.
const MAX_DEPTH: usize = 3;

pub(super) fn markdown(text: &str) -> Outline {
    let mut reader =
        Reader { text, outline: Outline::default(), sections: Vec::new(), lists: Vec::new(), quotes: 0 };
    // What stands before the first heading is a section too.
    reader.section(0..0, 0..0, 1);
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        reader.event(&event, range);
    }
    reader.finish()
}

/// The comments of a text that is no document of its own.
pub(super) fn comments(text: &str) -> Vec<Range<usize>> {
    if !text.contains("<!--") {
        return Vec::new();
    }
    markdown(text).comments
}

struct Reader<'t> {
    text: &'t str,
    outline: Outline,
    /// Open sections, outermost first.
    sections: Vec<u32>,
    /// The next number of each open list.
    lists: Vec<Option<u64>>,
    quotes: u32,
}

impl Reader<'_> {
    fn event(&mut self, event: &Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(Tag::Heading { level, .. }) if self.lists.is_empty() && self.quotes == 0 => {
                let title = heading_text(self.text, &range);
                self.section(range, title, *level as u8);
            }
            Event::Start(Tag::List(first)) => self.lists.push(*first),
            Event::End(TagEnd::List(_)) => {
                self.lists.pop();
            }
            Event::Start(Tag::Item) => {
                let ordinal = self.lists.last().copied().flatten();
                if let Some(Some(next)) = self.lists.last_mut() {
                    *next = next.saturating_add(1);
                }
                if self.lists.len() <= MAX_DEPTH && self.quotes == 0 {
                    self.item(range, ordinal);
                }
            }
            Event::Start(Tag::Paragraph | Tag::TableRow) if self.lists.is_empty() && self.quotes == 0 => {
                self.item(range, None);
            }
            Event::Start(Tag::BlockQuote(_)) => self.quotes += 1,
            Event::End(TagEnd::BlockQuote(_)) => self.quotes = self.quotes.saturating_sub(1),
            Event::Start(Tag::HtmlBlock) | Event::InlineHtml(_) => self.comments(range),
            _ => {}
        }
    }

    fn section(&mut self, heading: Range<usize>, title: Range<usize>, level: u8) {
        self.close(heading.start, level);
        let parent = self.sections.last().copied();
        self.sections.push(self.outline.units.len() as u32);
        let own = heading.start..self.text.len();
        self.outline.units.push(Unit { own, tree_end: self.text.len(), title, level, parent, ordinal: None });
    }

    /// Ends the text of the last section here, and sections of this level and below altogether.
    fn close(&mut self, at: usize, level: u8) {
        if let Some(last) = self.sections.last() {
            let own = &mut self.outline.units[*last as usize].own;
            own.end = own.end.min(at);
        }
        while let Some(open) = self.sections.last() {
            let unit = &mut self.outline.units[*open as usize];
            if unit.level < level {
                break;
            }
            unit.tree_end = at;
            self.sections.pop();
        }
    }

    fn item(&mut self, own: Range<usize>, ordinal: Option<u64>) {
        let parent = self.sections.last().copied();
        let tree_end = own.end;
        self.outline.units.push(Unit { own, tree_end, title: 0..0, level: 0, parent, ordinal });
    }

    fn comments(&mut self, range: Range<usize>) {
        let mut at = range.start;
        while let Some(open) = self.text.get(at..range.end).and_then(|rest| rest.find("<!--")) {
            let start = at + open;
            // An unclosed one hides all that follows it in its block.
            let end = self.text[start..range.end].find("-->").map_or(range.end, |n| start + n + 3);
            self.outline.comments.push(start..end);
            at = end;
        }
    }

    fn finish(mut self) -> Outline {
        self.close(self.text.len(), 0);
        self.outline.comments.sort_by_key(|comment| comment.start);
        self.outline
    }
}

/// A heading's text without its marks.
fn heading_text(text: &str, range: &Range<usize>) -> Range<usize> {
    let whole = text.get(range.clone()).unwrap_or_default();
    let line = whole.lines().next().unwrap_or_default();
    let bare = line.trim_start_matches([' ', '#']);
    let start = range.start + (line.len() - bare.len());
    start..start + bare.trim_end_matches([' ', '#']).len()
}

/// Blocks of a YAML file: its first two levels of keys, so that one operation of an interface can be handed over alone.
pub(super) fn yaml(text: &str) -> Outline {
    let mut reader =
        Reader { text, outline: Outline::default(), sections: Vec::new(), lists: Vec::new(), quotes: 0 };
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let bare = line.trim();
        let key = bare.trim_end_matches(':');
        let is_key = bare.contains(':') && !bare.starts_with(['-', '#']) && !bare.is_empty();
        if is_key && (indent == 0 || indent == 2) {
            let start = at + indent;
            let name = key.split(": ").next().unwrap_or(key);
            reader.section(at..at + line.len(), start..start + name.len(), if indent == 0 { 1 } else { 2 });
        }
        at += line.len();
    }
    if reader.outline.units.is_empty() {
        return whole(text);
    }
    reader.finish()
}

/// One piece.
pub(super) fn whole(text: &str) -> Outline {
    let own = 0..text.len();
    let unit = Unit { tree_end: own.end, own, title: 0..0, level: 1, parent: None, ordinal: None };
    Outline { units: vec![unit], comments: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str, outline: &Outline) -> Vec<String> {
        let show = |unit: &Unit| {
            let own = text[unit.own.clone()].lines().next().unwrap_or_default();
            let inner = text[unit.own.start..unit.tree_end].lines().count();
            format!("{} {own:?} {inner}", unit.level)
        };
        outline.units.iter().map(show).collect()
    }

    #[test]
    fn sections_hold_their_subsections_and_items_their_place() {
        let text = "# A\n\n1. one\n2. two\n\n## B\ntext\n\n### C\n- x\n  - y\n\n## D\n";
        let outline = markdown(text);
        let rows = shown(text, &outline);
        assert!(rows.contains(&"2 \"## B\" 7".to_owned()), "{rows:?}");
        assert!(rows.contains(&"3 \"### C\" 4".to_owned()), "{rows:?}");
        let ordinals: Vec<_> = outline.units.iter().filter_map(|unit| unit.ordinal).collect();
        assert_eq!(ordinals, [1, 2]);
        let c = outline.units.iter().position(|unit| &text[unit.title.clone()] == "C").unwrap();
        let x = outline.units.iter().find(|unit| text[unit.own.clone()].starts_with("- x")).unwrap();
        assert_eq!(x.parent, Some(c as u32));
    }

    #[test]
    fn comments_are_found_where_markdown_has_them() {
        let text = "a `<!-- code -->` b <!-- one --> c\n\n<!-- two\nlines -->\n\n```\n<!-- code -->\n```\n";
        let found: Vec<&str> = markdown(text).comments.into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, ["<!-- one -->", "<!-- two\nlines -->"]);
    }

    #[test]
    fn operations_of_an_interface_are_blocks() {
        let text = "openapi: 3.1.0\npaths:\n  /users:\n    get:\n      x: 1\n  /users/{id}:\n    get: {}\n";
        let outline = yaml(text);
        let titles: Vec<&str> = outline.units.iter().map(|unit| &text[unit.title.clone()]).collect();
        assert_eq!(titles, ["openapi", "paths", "/users", "/users/{id}"]);
        assert_eq!(&text[outline.units[2].own.clone()], "  /users:\n    get:\n      x: 1\n");
    }

    proptest! {
        #[test]
        fn units_are_nested_and_in_the_text(text in "[#\\-1. a`|>\n]{0,120}") {
            for outline in [markdown(&text), yaml(&text)] {
                for unit in &outline.units {
                    prop_assert!(text.get(unit.own.clone()).is_some() && text.get(unit.title.clone()).is_some());
                    prop_assert!(unit.own.end <= unit.tree_end && unit.tree_end <= text.len());
                }
            }
        }
    }
}
