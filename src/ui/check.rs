//! The text of `specter check`: findings of one file with its account, or a table over many files.

use super::diagnostics::{count_line, render};
use super::sheet::Sheet;
use super::text::{elide_middle, pad, pad_left, plural, thousands, width};
use super::theme::{Label, Screen, Sign};
use crate::diagnostic::Diagnostic;
use crate::source::SourceText;
use crate::task::{Document, IgnoredReason};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What was recognised and what was not: the two add up to everything that looks like a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub tasks: usize,
    pub groups: usize,
    pub ignored: BTreeMap<IgnoredReason, usize>,
}

impl Account {
    pub fn of(document: &Document) -> Account {
        let groups = document.tasks.iter().filter(|task| task.is_group).count();
        let mut ignored = BTreeMap::new();
        document.ignored.iter().for_each(|line| *ignored.entry(line.reason).or_insert(0) += 1);
        Account { tasks: document.tasks.len() - groups, groups, ignored }
    }

    pub fn ignored_count(&self) -> usize {
        self.ignored.values().sum()
    }

    /// `42 tasks, 3 groups, 17 lines ignored: 12 in code blocks, 5 in checklists`
    pub fn line(&self) -> String {
        let mut words = plural(self.tasks, "task");
        if self.groups > 0 {
            let _ = write!(words, ", {}", plural(self.groups, "group"));
        }
        if self.ignored.is_empty() {
            return words;
        }
        let mut reasons: Vec<(&IgnoredReason, &usize)> = self.ignored.iter().collect();
        reasons.sort_by_key(|(reason, n)| (std::cmp::Reverse(**n), **reason));
        let reasons: Vec<String> = reasons
            .iter()
            .map(|(reason, n)| format!("{} {}", thousands(**n as u64), ignored_words(**reason)))
            .collect();
        format!("{words}, {} ignored: {}", plural(self.ignored_count(), "line"), reasons.join(", "))
    }
}

/// Where or what an ignored line is, behind a number.
pub fn ignored_words(reason: IgnoredReason) -> &'static str {
    match reason {
        IgnoredReason::Fence => "in code blocks",
        IgnoredReason::Comment => "in comments",
        IgnoredReason::Table => "in tables",
        IgnoredReason::Quote => "in quotes",
        IgnoredReason::FrontMatter => "in front matter",
        IgnoredReason::Checklist => "in checklists",
        IgnoredReason::Note => "in notes",
        IgnoredReason::Body => "in task bodies",
        IgnoredReason::Prose => "in prose",
        IgnoredReason::Mention => "mentioning a task again",
        IgnoredReason::NoId => "without an id",
        IgnoredReason::TooDeep => "nested too deeply",
    }
}

/// Findings, then the account.
pub fn check(screen: &Screen, source: &SourceText, account: &Account, found: &[Diagnostic]) -> String {
    let mut out = render(screen, source, found);
    if screen.quiet && found.is_empty() {
        return out;
    }
    if found.is_empty() {
        let _ = writeln!(out, "{} no findings", screen.mark(Sign::Done));
    }
    for line in super::text::wrap(&account.line(), screen.width.max(20)) {
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// One file of the table.
#[derive(Clone, Debug)]
pub struct FileRow {
    pub file: String,
    /// Why the file could not be read as text, instead of an account.
    pub account: Result<Account, String>,
    pub warnings: usize,
    pub errors: usize,
}

/// Recognised, ignored, warnings and errors of each file, and of all.
pub fn table(screen: &Screen, rows: &[FileRow]) -> String {
    const NUMBERS: [&str; 5] = ["tasks", "groups", "ignored", "warnings", "errors"];
    let mut sheet = Sheet::new(screen);
    let columns: usize = NUMBERS.iter().map(|name| name.len() + 2).sum();
    let widest = rows.iter().map(|row| width(&row.file)).max().unwrap_or(0).max(4);
    let name = screen.width.saturating_sub(columns).clamp(8, widest.max(8));
    let line = |file: &str, cells: &[String]| {
        let file = pad(&elide_middle(file, name, screen.sign(Sign::Ellipsis)), name);
        let cells = NUMBERS.iter().zip(cells).map(|(head, cell)| format!("  {}", pad_left(cell, head.len())));
        format!("{file}{}", cells.collect::<String>())
    };
    sheet.line(screen.paint(Label::Heading, line("file", &NUMBERS.map(str::to_owned))));
    let mut total = [0usize; 5];
    for row in rows {
        match &row.account {
            Ok(account) => {
                let cells =
                    [account.tasks, account.groups, account.ignored_count(), row.warnings, row.errors];
                total.iter_mut().zip(cells).for_each(|(sum, n)| *sum += n);
                let text = line(&row.file, &cells.map(|n| thousands(n as u64)));
                match (row.errors, row.warnings) {
                    (0, _) => sheet.line(text),
                    _ => sheet.line(screen.paint(Label::Failed, text)),
                }
            }
            Err(why) => {
                total[4] += row.errors.max(1);
                let file = pad(&elide_middle(&row.file, name, screen.sign(Sign::Ellipsis)), name);
                let why = super::text::elide(
                    why,
                    screen.width.saturating_sub(name + 2),
                    screen.sign(Sign::Ellipsis),
                );
                sheet.line(format!("{file}  {}", screen.paint(Label::Failed, why)));
            }
        }
    }
    let all = line(&plural(rows.len(), "file"), &total.map(|n| thousands(n as u64)));
    sheet.line(screen.paint(Label::Heading, all));
    sheet.done()
}

/// `2 errors, 3 warnings` or that there are none.
pub fn verdict(screen: &Screen, found: &[Diagnostic]) -> String {
    match found {
        [] => format!("{} no findings", screen.mark(Sign::Done)),
        found => count_line(screen, found),
    }
}
