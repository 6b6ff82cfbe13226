//! The text of `specter doctor`: one line for each thing that was looked at, and what to do about it.

use super::sheet::Sheet;
use super::text::plural;
use super::theme::{Label, Screen, Sign};
use crate::projection::kept::{DoctorJson, FindingJson, Level};
use crate::text::safe;

/// The widest name of a thing.
const THINGS: usize = 13;

pub fn doctor(screen: &Screen, told: &DoctorJson) -> String {
    let mut sheet = Sheet::new(screen);
    for finding in &told.findings {
        if screen.quiet && finding.level == Level::Ok {
            continue;
        }
        line(&mut sheet, finding);
    }
    if !told.idle.is_empty() {
        let how = if told.removed { "removed" } else { "not needed, removed by `specter doctor --clean`" };
        sheet.section(&format!("{} {how}", plural(told.idle.len(), "working tree")));
        for path in &told.idle {
            sheet.path("  ", &safe(path));
        }
    }
    if !screen.quiet {
        let count = |level: Level| told.findings.iter().filter(|finding| finding.level == level).count();
        let (failures, warnings) = (count(Level::Fail), count(Level::Warn));
        sheet.blank();
        sheet.line(match (failures, warnings) {
            (0, 0) => "all is well".to_owned(),
            (0, n) => format!("a run can start, {}", plural(n, "warning")),
            (n, 0) => plural(n, "failure"),
            (n, more) => format!("{}, {}", plural(n, "failure"), plural(more, "warning")),
        });
    }
    sheet.done()
}

fn line(sheet: &mut Sheet<'_>, finding: &FindingJson) {
    let screen = *sheet.screen();
    let (label, word) = match finding.level {
        Level::Ok => (Label::Done, "ok  "),
        Level::Warn => (Label::Warning, "warn"),
        Level::Fail => (Label::Failed, "fail"),
    };
    let what = super::text::pad(&safe(&finding.what), THINGS);
    let lead = format!("{word}  {what} ");
    let words = super::text::wrap(&safe(&finding.text), sheet.room(super::text::width(&lead)));
    for (n, part) in words.iter().enumerate() {
        if n == 0 {
            sheet.line(format!("{}  {what} {part}", screen.paint(label, word)));
        } else {
            sheet.line(format!("{}{part}", " ".repeat(super::text::width(&lead))));
        }
    }
    for help in &finding.help {
        sheet.words(&format!("      {} ", screen.sign(Sign::Arrow)), help);
    }
}
