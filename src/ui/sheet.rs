//! Text in sections of labelled rows, fitted to a width: what the reports of commands are written with.

use super::text::{elide, elide_middle, pad, width, wrap};
use super::theme::{Label, Screen, Sign};
use crate::text::safe;
use std::fmt::Display;

/// The widest a column of labels gets.
const LABELS: usize = 26;
/// Narrower screens have no room for columns.
const MIN_COLUMNS: usize = 44;

pub struct Sheet<'a> {
    screen: &'a Screen,
    out: String,
}

impl<'a> Sheet<'a> {
    pub fn new(screen: &'a Screen) -> Sheet<'a> {
        Sheet { screen, out: String::new() }
    }

    pub fn screen(&self) -> &'a Screen {
        self.screen
    }

    /// What was written, with a line end.
    pub fn done(self) -> String {
        self.out
    }

    /// Columns left of an indented line.
    pub fn room(&self, indent: usize) -> usize {
        self.screen.width.saturating_sub(indent).max(8)
    }

    /// A line as it is; it must be safe and fit already.
    pub fn line(&mut self, line: impl Display) {
        self.out.push_str(&line.to_string());
        self.out.push('\n');
    }

    pub fn blank(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    /// A blank line and a heading.
    pub fn section(&mut self, heading: &str) {
        self.blank();
        self.line(self.screen.paint(Label::Heading, safe(heading)));
    }

    /// `  label   value`, the values of a section below one another; long values wrap.
    pub fn row(&mut self, label: &str, value: &str) {
        if self.screen.width < MIN_COLUMNS {
            return self.words("  ", &format!("{label}: {value}"));
        }
        let column = LABELS.min(self.screen.width / 2);
        let label = pad(&elide(label, column - 2, ""), column - 2);
        for (n, part) in wrap(&safe(value), self.room(column + 2)).iter().enumerate() {
            if n == 0 {
                self.line(format!("  {}  {part}", self.screen.paint(Label::Dim, &label)));
            } else {
                self.line(format!("{}{part}", " ".repeat(column + 2)));
            }
        }
    }

    /// Words wrapped behind an indent; further lines hang below the first one's words.
    pub fn words(&mut self, lead: &str, text: &str) {
        let indent = width(lead);
        for (n, part) in wrap(&safe(text), self.room(indent)).iter().enumerate() {
            let lead = if n == 0 { lead.to_owned() } else { " ".repeat(indent) };
            self.line(format!("{lead}{part}"));
        }
    }

    /// A path or command: cut in its middle, because its ends say most.
    pub fn path(&mut self, lead: &str, path: &str) {
        let path = elide_middle(path, self.room(width(lead)), self.screen.sign(Sign::Ellipsis));
        self.line(format!("{lead}{path}"));
    }

    /// A command to type: never cut, because half a command is none.
    pub fn command(&mut self, lead: &str, command: &str) {
        self.line(format!("{lead}{}", self.screen.paint(Label::Command, safe(command))));
    }

    /// `  name   words`, the name in a column of at most `column`, as long as the words have room.
    pub fn pair(&mut self, name: &str, words: &str, column: usize) {
        let ellipsis = self.screen.sign(Sign::Ellipsis);
        let words = elide(words, self.room(12), ellipsis);
        let column = column.min(self.screen.width.saturating_sub(width(&words) + 4).max(6));
        let name = pad(&elide(name, column, ellipsis), column);
        self.line(format!("  {name}  {words}"));
    }

    /// `  T005 Write user tests` and words behind it.
    pub fn task(&mut self, indent: &str, id: &str, title: &str, behind: &str) {
        self.marked_task(indent, Label::Dim, id, title, behind);
    }

    /// The same, with a sign in `indent` that has its own meaning.
    pub fn marked_task(&mut self, indent: &str, label: Label, id: &str, title: &str, behind: &str) {
        let ellipsis = self.screen.sign(Sign::Ellipsis);
        let lead = width(indent);
        let id = elide(id, self.room(lead).min(24), ellipsis);
        let room = self.screen.width.saturating_sub(lead + width(&id));
        let behind = elide(behind, room.saturating_sub(1).min((room / 2).max(12)), ellipsis);
        let title = elide(title, room.saturating_sub(width(&behind) + 2), ellipsis);
        let mut line = format!("{}{}", self.screen.paint(label, indent), self.screen.paint(Label::Id, id));
        for part in [title, behind] {
            if !part.is_empty() {
                line.push(' ');
                line.push_str(&part);
            }
        }
        self.line(line);
    }
}
