//! Hooks of Spec Kit's `.specify/extensions.yml`: what an extension wants done before and after an implementation.
//!
//! Reads what such a file holds below `hooks:`, lists of flat tables, line by line, and refuses the rest of YAML (anchors,
//! tags, text over several lines, braces) with the line: no crate for YAML is needed for that, and none of its surprises
//! come with it. Commands in it are an agent's slash commands, and this says which there are; who carries them out is not
//! known here.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{SourceText, Span};

/// When a hook is meant to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    Before,
    After,
}

/// One hook that is enabled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    pub moment: Moment,
    pub extension: String,
    /// As an agent knows it: `speckit.git.commit`.
    pub command: String,
    /// Only offered; without that it has to be run.
    pub optional: bool,
    pub priority: u32,
    /// What a person is asked where it is optional.
    pub prompt: String,
    pub description: String,
    pub condition: Condition,
    pub line: u32,
}

/// When a hook holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    #[default]
    Always,
    /// Of the environment: the variable, and its value if one is asked for (or asked not to be).
    Env { name: String, test: Test },
    /// Of an extension's own configuration, which specter does not read, or in no known form: it counts as not holding.
    Unknown(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    IsSet,
    Is(String),
    IsNot(String),
}

impl Condition {
    pub fn holds(&self, env: &dyn Fn(&str) -> Option<String>) -> bool {
        match self {
            Condition::Always => true,
            Condition::Unknown(_) => false,
            Condition::Env { name, test } => match (test, env(name)) {
                (Test::IsSet, value) => value.is_some_and(|value| !value.is_empty()),
                (Test::Is(wanted), value) => value.as_ref() == Some(wanted),
                (Test::IsNot(unwanted), value) => value.as_ref() != Some(unwanted),
            },
        }
    }

    fn read(text: &str) -> Condition {
        let unknown = || Condition::Unknown(text.to_owned());
        let Some((subject, test)) = text.trim().split_once(char::is_whitespace) else { return unknown() };
        let Some(name) = subject.strip_prefix("env.").filter(|name| !name.is_empty()) else {
            return unknown();
        };
        let test = test.trim();
        let value = |rest: &str| plain(rest.trim()).filter(|value| !value.is_empty());
        let test = match (test, test.strip_prefix("=="), test.strip_prefix("!=")) {
            ("is set", ..) => Some(Test::IsSet),
            (_, Some(rest), _) => value(rest).map(Test::Is),
            (_, _, Some(rest)) => value(rest).map(Test::IsNot),
            _ => None,
        };
        test.map_or_else(unknown, |test| Condition::Env { name: name.to_owned(), test })
    }
}

const EVENTS: [(&str, Moment); 2] =
    [("before_implement", Moment::Before), ("after_implement", Moment::After)];

/// One line of a list of tables.
struct Line<'t> {
    indent: usize,
    /// It begins an item.
    dash: bool,
    key: &'t str,
    value: &'t str,
}

/// The enabled hooks around an implementation, in the order they are to be run.
pub fn parse(source: &SourceText) -> Result<Vec<Hook>, Diagnostic> {
    let mut hooks: Vec<(Hook, bool)> = Vec::new();
    let (mut within, mut event) = (false, None);
    let mut event_indent = 0;
    for number in 1..=source.line_count() {
        let Some(line) = line(source, number)? else { continue };
        if line.indent == 0 && !line.dash {
            within = line.key == "hooks";
            event = None;
            if within && !matches!(line.value, "" | "{}" | "null" | "~") {
                return Err(refused(source, number, "a table of lists is expected under `hooks`"));
            }
            continue;
        }
        if !within {
            continue;
        }
        if !line.dash && (event.is_none() || line.indent <= event_indent) {
            let moment = EVENTS.iter().find(|(name, _)| *name == line.key).map(|(_, moment)| *moment);
            event = Some(moment);
            event_indent = line.indent;
            continue;
        }
        // Hooks of other commands are none of ours.
        let Some(Some(moment)) = event else { continue };
        if line.dash {
            hooks.push((Hook::new(moment, number), true));
        }
        let Some((hook, enabled)) = hooks.last_mut().filter(|(hook, _)| hook.moment == moment) else {
            return Err(refused(source, number, "a list is expected here: `- extension: NAME`"));
        };
        let value =
            plain(line.value).ok_or_else(|| refused(source, number, "this form of YAML is not read here"))?;
        hook.set(line.key, &value, enabled).map_err(|what| refused(source, number, what))?;
    }
    let mut enabled: Vec<Hook> =
        hooks.into_iter().filter(|(_, enabled)| *enabled).map(|(hook, _)| hook).collect();
    // Stable: what has the same priority stays in its order.
    enabled.sort_by_key(|hook| (hook.moment, hook.priority));
    Ok(enabled)
}

impl Hook {
    fn new(moment: Moment, line: u32) -> Hook {
        Hook {
            moment,
            extension: String::new(),
            command: String::new(),
            optional: true,
            priority: 10,
            prompt: String::new(),
            description: String::new(),
            condition: Condition::Always,
            line,
        }
    }

    fn set(&mut self, key: &str, value: &str, enabled: &mut bool) -> Result<(), &'static str> {
        const FLAG: &str = "this must be `true` or `false`";
        match key {
            "extension" => value.clone_into(&mut self.extension),
            "command" => value.clone_into(&mut self.command),
            "prompt" => value.clone_into(&mut self.prompt),
            "description" => value.clone_into(&mut self.description),
            "enabled" => *enabled = flag(value).ok_or(FLAG)?,
            "optional" => self.optional = flag(value).ok_or(FLAG)?,
            "priority" => {
                let priority = value.parse().ok().filter(|priority| *priority >= 1);
                self.priority = priority.ok_or("this must be a whole number from 1")?;
            }
            "condition" if !value.is_empty() => self.condition = Condition::read(value),
            _ => {}
        }
        Ok(())
    }
}

fn flag(value: &str) -> Option<bool> {
    match value {
        "true" | "True" | "yes" | "on" => Some(true),
        "false" | "False" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// What stands in a line; none if nothing does.
fn line(source: &SourceText, number: u32) -> Result<Option<Line<'_>>, Diagnostic> {
    let text = source.line_text(number);
    let bare = text.trim_start_matches(' ');
    let indent = text.len() - bare.len();
    if bare.trim().is_empty() || bare.starts_with('#') || matches!(bare.trim_end(), "---" | "...") {
        return Ok(None);
    }
    if bare.starts_with('\t') {
        return Err(refused(source, number, "lines are indented by spaces, not by tabs"));
    }
    let (dash, rest) = match bare.strip_prefix("- ") {
        Some(rest) => (true, rest.trim_start()),
        None => (
            bare.trim_end() == "-",
            bare.strip_prefix('-').filter(|rest| rest.trim().is_empty()).unwrap_or(bare),
        ),
    };
    let (key, value) = rest.split_once(':').unwrap_or((rest, ""));
    Ok(Some(Line { indent, dash, key: key.trim(), value: value.trim() }))
}

/// A scalar without its quotes and without a comment behind it; none for every other form.
fn plain(value: &str) -> Option<String> {
    let value = value.trim();
    match value.chars().next() {
        None | Some('#') => Some(String::new()),
        Some('\'') => {
            let end = value[1..].replace("''", "\0\0").find('\'')? + 1;
            is_end(&value[end + 1..]).then(|| value[1..end].replace("''", "'"))
        }
        Some('"') => {
            let end = value[1..].find('"')? + 1;
            let inner = &value[1..end];
            (is_end(&value[end + 1..]) && !inner.contains('\\')).then(|| inner.to_owned())
        }
        Some('&' | '*' | '!' | '|' | '>' | '{' | '[' | '%' | '@' | '`') => None,
        Some(_) => {
            let bare = value.split(" #").next().unwrap_or(value).trim_end();
            Some(if matches!(bare, "null" | "~" | "Null" | "NULL") { String::new() } else { bare.to_owned() })
        }
    }
}

fn is_end(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with('#')
}

fn refused(source: &SourceText, number: u32, what: &str) -> Diagnostic {
    let span: Span = source.line_span(number);
    Diagnostic::warning(Code::BadHooks, "the hooks cannot be read")
        .at(span, what)
        .help("without them nothing of it is shown or run; `before_implement` and `after_implement` are lists of tables")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Vec<Hook>, Diagnostic> {
        parse(&SourceText::new(".specify/extensions.yml", text))
    }

    const FILE: &str = "installed: [git]\nsettings: {auto_execute_hooks: true}\nhooks:\n  before_specify:\n    - extension: other\n      command: speckit.other\n  before_implement:\n  - extension: tests   # ours\n    command: speckit.tests.run\n    optional: false\n    priority: 20\n    condition: env.CI != 'true'\n  - extension: git\n    command: \"speckit.git.commit\"\n    prompt: Commit first?\n    description: 'it''s safe'\n    condition: null\n  after_implement:\n    - extension: old\n      command: speckit.old\n      enabled: false\n    - extension: report\n      command: speckit.report\n      condition: config.report.on is set\n";

    #[test]
    fn enabled_hooks_around_an_implementation_are_read_in_their_order() {
        let hooks = read(FILE).unwrap();
        let names: Vec<(&str, bool, u32)> =
            hooks.iter().map(|hook| (hook.command.as_str(), hook.optional, hook.line)).collect();
        assert_eq!(
            names,
            [("speckit.git.commit", true, 13), ("speckit.tests.run", false, 8), ("speckit.report", true, 22)]
        );
        assert_eq!(hooks[0].description, "it's safe");
        let env = |name: &str| (name == "CI").then(|| "true".to_owned());
        assert!(hooks[0].condition.holds(&env) && !hooks[1].condition.holds(&env));
        assert!(hooks[1].condition.holds(&|_| None) && !hooks[2].condition.holds(&|_| None));
    }

    #[test]
    fn a_file_without_hooks_has_none() {
        for text in ["", "installed: []\n", "hooks: {}\n", "hooks:\n", "extensions:\n  git:\n    a: 1\n"] {
            assert_eq!(read(text), Ok(Vec::new()), "{text}");
        }
    }

    #[test]
    fn what_is_not_read_is_refused_with_its_line() {
        for (text, line) in [
            ("hooks: [a]\n", 1),
            ("hooks:\n  before_implement:\n    - command: |\n        x\n", 3),
            ("hooks:\n  before_implement:\n    - command: *a\n", 3),
            ("hooks:\n  before_implement:\n    - optional: maybe\n", 3),
            ("hooks:\n  before_implement:\n    - priority: 0\n", 3),
            ("hooks:\n  before_implement:\n      command: x\n", 3),
            ("hooks:\n\tbefore_implement:\n", 2),
        ] {
            let found = read(text).unwrap_err();
            assert_eq!(SourceText::new("f", text).line(found.span().unwrap().start), line, "{text}");
        }
    }

    #[test]
    fn conditions_hold_as_they_are_written() {
        let env = |name: &str| (name == "A").then(|| "1".to_owned());
        for (text, holds) in [
            ("env.A is set", true),
            ("env.B is set", false),
            ("env.A == '1'", true),
            ("env.A == \"2\"", false),
            ("env.B != '1'", true),
            ("env.A > 0", false),
            ("config.x is set", false),
            ("true", false),
        ] {
            assert_eq!(Condition::read(text).holds(&env), holds, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_stumble(text in "(hooks:|before_implement:|- |command: |'|\"|''|é|#|\\[|\n|  |x|:){0,24}") {
            let _ = read(&text);
        }
    }
}
