//! The text that asks for trust: the exact commands a repository names, and what changed since they were last allowed.
//!
//! Nothing is cut here, because what is not shown must not be agreed to; everything is escaped, so that what is shown
//! is what runs. Decides nothing.

use super::sheet::Sheet;
use super::text::plural;
use super::theme::{Label, Screen, Sign};
use crate::text::safe;
use std::collections::HashSet;

/// A command that the repository names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    /// Where: `tasks.md:12 T003 run (sh)`.
    pub origin: String,
    /// Its exact text, of one line or many.
    pub text: String,
}

/// The prompt, without reading an answer. `trusted` is what was allowed before, if anything was.
pub fn prompt(screen: &Screen, project: &str, commands: &[Command], trusted: Option<&[Command]>) -> String {
    let mut sheet = Sheet::new(screen);
    listing(&mut sheet, project, commands, trusted);
    sheet.blank();
    sheet.words("", "Run them? [o]nce, [a]lways until they change, [n]o");
    sheet.done()
}

/// What to say where nobody can be asked: the commands and the ways to allow them.
pub fn refusal(
    screen: &Screen,
    project: &str,
    commands: &[Command],
    trusted: Option<&[Command]>,
    hash: &str,
) -> String {
    let mut sheet = Sheet::new(screen);
    listing(&mut sheet, project, commands, trusted);
    sheet.blank();
    sheet.words("", "nobody is here to ask, so nothing was run; to allow exactly these commands:");
    sheet.command("  once    ", &format!("--trust={hash}"));
    sheet.command("  always  ", "specter trust");
    sheet.done()
}

fn listing(sheet: &mut Sheet<'_>, project: &str, commands: &[Command], trusted: Option<&[Command]>) {
    let screen = sheet.screen();
    let known: HashSet<&str> =
        trusted.unwrap_or_default().iter().map(|command| command.text.as_str()).collect();
    let now: HashSet<&str> = commands.iter().map(|command| command.text.as_str()).collect();
    let head = match trusted {
        None => format!("{project} names {} to run on this machine:", plural(commands.len(), "command")),
        Some(_) => format!("the commands of {project} changed since they were allowed:"),
    };
    sheet.line(screen.paint(Label::Warning, safe(&head)));
    let (old, new): (Vec<&Command>, Vec<&Command>) =
        commands.iter().partition(|command| known.contains(command.text.as_str()));
    for command in new {
        show(sheet, command, if trusted.is_some() { "+" } else { screen.sign(Sign::Bar) }, Label::Done);
    }
    for command in trusted.unwrap_or_default().iter().filter(|command| !now.contains(command.text.as_str())) {
        show(sheet, command, "-", Label::Failed);
    }
    if !old.is_empty() {
        sheet.blank();
        sheet.line(format!("{} allowed before, unchanged", plural(old.len(), "command")));
        if screen.verbose > 0 {
            for command in old {
                show(sheet, command, screen.sign(Sign::Bar), Label::Dim);
            }
        }
    }
}

/// Each line behind a sign, so that no line of a command can pass for one of ours.
fn show(sheet: &mut Sheet<'_>, command: &Command, sign: &str, label: Label) {
    let screen = sheet.screen();
    sheet.blank();
    sheet.line(screen.paint(Label::Dim, safe(&command.origin)));
    for line in command.text.split('\n') {
        sheet.line(format!("  {} {}", screen.paint(label, sign), safe(line)));
    }
}
