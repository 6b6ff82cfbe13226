//! Templates of prompts: the compiled-in ones, and a project's own in their place. The only file that names `minijinja`.
//!
//! Strict: what is not defined is an error. Whether a template can be rendered is found out when it is read, with
//! everything there can be and with as little as there can be, so that an error is a finding with its line before a run
//! and not a failed task in it. Templates have no functions, include nothing and may do only so much work.

use super::pattern::Pattern;
use super::slice::Slice;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{SourceText, Span};
use crate::text::nearest;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;

/// File names of templates.
pub const NAMES: [&str; 2] = [PREFIX, TASK];
const PREFIX: &str = "prefix.md.j2";
const TASK: &str = "task.md.j2";
const BUILT_IN: [(&str, &str); 2] =
    [(PREFIX, include_str!("templates/prefix.md.j2")), (TASK, include_str!("templates/task.md.j2"))];

/// Steps of a template's machine: a thousand times what ours take.
const FUEL: u64 = 5_000_000;

/// The names a template can use. One list for both checks and hints.
const PREFIX_NAMES: &[&str] = &["task_file", "tdd", "constitution", "facts", "documents"];
const TASK_NAMES: &[&str] = &[
    "task",
    "neighbours",
    "gates",
    "instructions",
    "pattern",
    "slices",
    "elsewhere",
    "handoffs",
    "more_handoffs",
    "retry",
];

#[derive(Debug, Default, Serialize)]
pub(super) struct Prefix {
    pub task_file: String,
    pub tdd: bool,
    pub constitution: Vec<Slice>,
    pub facts: Vec<Slice>,
    pub documents: Vec<PrefixDocument>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct PrefixDocument {
    pub path: String,
    pub what: &'static str,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct View {
    pub task: TaskText,
    pub neighbours: Vec<String>,
    pub gates: Vec<String>,
    pub instructions: Vec<String>,
    pub pattern: Option<Pattern>,
    pub slices: Vec<Slice>,
    pub elsewhere: Vec<String>,
    pub handoffs: Vec<Handoff>,
    pub more_handoffs: usize,
    pub retry: Option<Retry>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct TaskText {
    pub id: String,
    /// Line and body, in a fence.
    pub text: String,
    pub phase: String,
    pub groups: Vec<String>,
    pub about: String,
    pub acceptance: String,
    pub files: Vec<String>,
    pub outside: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Handoff {
    pub id: String,
    pub text: String,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Retry {
    pub attempt: u32,
    pub what: String,
    pub began_before: bool,
    pub output: String,
    pub said: String,
    pub conflicts: Vec<String>,
    /// What was asked and answered.
    pub answer: String,
    /// The agent that tried it before another one.
    pub handed_by: String,
}

/// Findings in one template.
#[derive(Clone, Debug)]
pub struct Findings {
    pub source: SourceText,
    pub found: Vec<Diagnostic>,
}

/// Templates that can be rendered.
#[derive(Debug)]
pub struct Templates {
    own: Option<Environment<'static>>,
    built_in: Environment<'static>,
    /// What a project's own are called by people, by their place in [`NAMES`].
    sources: [Option<String>; 2],
}

impl Default for Templates {
    fn default() -> Templates {
        Templates { own: None, built_in: environment(&[]), sources: [None, None] }
    }
}

impl Templates {
    /// With a project's own in the place of the compiled-in ones. Sources are named by their paths.
    pub fn with(own: &[SourceText]) -> (Templates, Vec<Findings>) {
        let mut templates = Templates::default();
        let mut findings: Vec<Findings> = Vec::new();
        let mut good: Vec<(&'static str, &SourceText)> = Vec::new();
        for source in own {
            let file = source.name().rsplit('/').next().unwrap_or_default();
            let found = match NAMES.iter().position(|name| *name == file) {
                None => vec![unknown_name(file, source)],
                Some(place) => {
                    let found = check(NAMES[place], source);
                    if !found.iter().any(Diagnostic::is_error) {
                        good.push((NAMES[place], source));
                        templates.sources[place] = Some(source.name().to_owned());
                    }
                    found
                }
            };
            if !found.is_empty() {
                findings.push(Findings { source: source.clone(), found });
            }
        }
        if !good.is_empty() {
            templates.own = Some(environment(&good));
        }
        (templates, findings)
    }

    pub(super) fn prefix_source(&self) -> String {
        self.sources[0].clone().unwrap_or_else(|| "specter".to_owned())
    }

    pub(super) fn task_source(&self) -> String {
        self.sources[1].clone().unwrap_or_else(|| "specter".to_owned())
    }

    /// Whether parts may be left out by a template.
    pub(super) fn is_own_task(&self) -> bool {
        self.sources[1].is_some()
    }

    pub(super) fn prefix(&self, view: &Prefix) -> (String, Option<String>) {
        self.render(PREFIX, &Value::from(Serde(view)))
    }

    pub(super) fn task(&self, view: &View) -> (String, Option<String>) {
        self.render(TASK, &Value::from(Serde(view)))
    }

    /// With the project's template; if that fails although it was tried, with the compiled-in one, and what went wrong.
    fn render(&self, name: &str, view: &Value) -> (String, Option<String>) {
        let mut problem = None;
        if let Some(own) = &self.own {
            match render(own, name, view) {
                Ok(text) => return (text, None),
                Err(error) => {
                    problem = Some(format!("`{name}` failed, the usual one is used: {}", told(&error)));
                }
            }
        }
        match render(&self.built_in, name, view) {
            Ok(text) => (text, problem),
            // Tests render it with everything: only memory can be missing here.
            Err(error) => (String::new(), Some(told(&error))),
        }
    }
}

fn render(environment: &Environment<'_>, name: &str, view: &Value) -> Result<String, minijinja::Error> {
    environment.get_template(name)?.render(view.clone()).map(|text| tidy(&text))
}

/// At most one empty line in a row outside of fences, and a line end at the end: what a template's own lines leave.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut fence: Option<&str> = None;
    let mut empty = true;
    for line in text.lines() {
        let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
        match fence {
            None if ticks.len() >= 3 => fence = Some(ticks),
            Some(open) if line == open => fence = None,
            _ => {}
        }
        let is_empty = line.trim().is_empty();
        if is_empty && empty && fence.is_none() {
            continue;
        }
        empty = is_empty;
        out.push_str(line);
        out.push('\n');
    }
    out.truncate(out.trim_end_matches('\n').len());
    out.push('\n');
    out
}

fn environment(own: &[(&'static str, &SourceText)]) -> Environment<'static> {
    let mut environment = bare();
    for (name, text) in BUILT_IN {
        let text = own.iter().find(|(known, _)| *known == name).map_or(text, |(_, source)| source.text());
        // What cannot be parsed was found by `check`, or by the tests; here it is only missing.
        let _ = environment.add_template_owned(name, text.to_owned());
    }
    environment
}

fn bare() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_debug(true);
    environment.set_fuel(Some(FUEL));
    let globals: Vec<String> = environment.globals().map(|(name, _)| name.to_owned()).collect();
    globals.iter().for_each(|name| environment.remove_global(name));
    environment
}

/// A template that is there and cannot be read.
pub fn unreadable(path: &str, why: &str) -> Findings {
    let source = SourceText::new(path, "");
    let message = format!("this template cannot be read: {why}");
    let found = Diagnostic::error(Code::BadTemplate, message).at(first_line(&source), "the whole file");
    Findings { source, found: vec![found] }
}

fn unknown_name(file: &str, source: &SourceText) -> Diagnostic {
    let near = nearest(file, NAMES).map(|near| format!("did you mean `{near}`?"));
    let all = NAMES.map(|name| format!("`{name}`")).join(" and ");
    let found = Diagnostic::warning(Code::BadTemplate, "no prompt is made of this template")
        .at(first_line(source), "nothing uses this file")
        .help(format!("templates are called {all}"));
    near.into_iter().fold(found, Diagnostic::help)
}

fn first_line(source: &SourceText) -> Span {
    source.line_span(1)
}

/// Everything that is wrong with a template.
fn check(name: &'static str, source: &SourceText) -> Vec<Diagnostic> {
    let mut environment = bare();
    if let Err(error) = environment.add_template_owned(name, source.text().to_owned()) {
        return vec![finding(source, &error)];
    }
    let Ok(template) = environment.get_template(name) else { return Vec::new() };
    let known = if name == PREFIX { PREFIX_NAMES } else { TASK_NAMES };
    let mut unknown: Vec<String> = template
        .undeclared_variables(false)
        .into_iter()
        .filter(|used| !known.contains(&used.as_str()))
        .collect();
    unknown.sort();
    if !unknown.is_empty() {
        return unknown.iter().map(|used| undefined(source, used, known)).collect();
    }
    let samples = if name == PREFIX {
        [Value::from(Serde(full_prefix())), Value::from(Serde(Prefix::default()))]
    } else {
        [Value::from(Serde(full_task())), Value::from(Serde(View::default()))]
    };
    let errors = samples.iter().find_map(|sample| template.render(sample.clone()).err());
    errors.iter().map(|error| finding(source, error)).collect()
}

fn undefined(source: &SourceText, used: &str, known: &[&str]) -> Diagnostic {
    let span = find_word(source.text(), used).unwrap_or_else(|| first_line(source));
    let found = Diagnostic::error(Code::BadTemplate, format!("`{used}` is not defined in a template"))
        .at(span, "nothing has this name")
        .help(format!(
            "there are {}",
            known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ));
    nearest(used, known.iter().copied())
        .map(|near| format!("did you mean `{near}`?"))
        .into_iter()
        .fold(found, Diagnostic::help)
}

/// The first place of a whole word.
fn find_word(text: &str, word: &str) -> Option<Span> {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word)
        .find(|(at, _)| {
            !is_part(text[..*at].chars().next_back()) && !is_part(text[at + word.len()..].chars().next())
        })
        .map(|(at, _)| Span::new(at, at + word.len()))
}

fn finding(source: &SourceText, error: &minijinja::Error) -> Diagnostic {
    let whole_line = || error.line().map_or_else(|| first_line(source), |line| source.line_span(line as u32));
    let exact =
        error.range().filter(|range| source.text().get(range.clone()).is_some_and(|part| !part.is_empty()));
    let span = exact.map_or_else(whole_line, |range| Span::new(range.start, range.end));
    Diagnostic::error(Code::BadTemplate, told(error))
        .at(span, "here")
        .help("templates are written in Jinja's language; whatever they use has to be defined")
}

/// What went wrong in one line, without the place.
fn told(error: &minijinja::Error) -> String {
    let kind = error.kind().to_string();
    let text = error.detail().map_or_else(|| kind.clone(), |detail| format!("{kind}: {detail}"));
    text.lines().next().unwrap_or_default().to_owned()
}

fn sample_slice() -> Slice {
    let text = "```md\ntext\n```".to_owned();
    let [source, under, why] = ["spec.md:1-2", "Requirements", "cites FR-001"].map(str::to_owned);
    Slice { source, under, why, text, tokens: 1 }
}

fn full_prefix() -> Prefix {
    Prefix {
        task_file: "tasks.md".to_owned(),
        tdd: true,
        constitution: vec![sample_slice()],
        facts: vec![sample_slice()],
        documents: vec![PrefixDocument { path: "spec.md".to_owned(), what: "the specification" }],
    }
}

fn full_task() -> View {
    let word = || "word".to_owned();
    View {
        task: TaskText {
            id: "T001".to_owned(),
            text: word(),
            phase: word(),
            groups: vec![word()],
            about: word(),
            acceptance: word(),
            files: vec![word()],
            outside: vec![word()],
        },
        neighbours: vec![word()],
        gates: vec![word()],
        instructions: vec![word()],
        pattern: Some(Pattern { name: "file", text: "- text\n" }),
        slices: vec![sample_slice()],
        elsewhere: vec![word()],
        handoffs: vec![Handoff { id: word(), text: word() }],
        more_handoffs: 1,
        retry: Some(Retry {
            attempt: 2,
            what: word(),
            began_before: true,
            output: word(),
            said: word(),
            conflicts: vec![word()],
            answer: word(),
            handed_by: word(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(file: &str, text: &str) -> Vec<(u32, String)> {
        let source = SourceText::new(format!(".specter/prompts/{file}"), text);
        let (_, findings) = Templates::with(std::slice::from_ref(&source));
        let line = |found: &Diagnostic| source.line(found.span().unwrap().start);
        findings.iter().flat_map(|f| &f.found).map(|found| (line(found), found.message.clone())).collect()
    }

    #[test]
    fn the_compiled_in_templates_are_sound() {
        for (name, text) in BUILT_IN {
            assert_eq!(check(name, &SourceText::new(name, text)), [], "{name}");
        }
    }

    #[test]
    fn an_error_in_a_template_is_found_with_its_line_before_it_is_used() {
        for (file, text, line, part) in [
            ("task.md.j2", "a\n{% if %}\n", 2, "syntax error"),
            ("task.md.j2", "a\nb {{ tsk.id }}\n", 2, "`tsk` is not defined"),
            ("task.md.j2", "a\n\n{{ task.titel }}\n", 3, "undefined"),
            ("task.md.j2", "{% for s in slices %}\n{{ s.sorce }}\n{% endfor %}", 2, "undefined"),
            ("task.md.j2", "x\n{{ retry.what }}\n", 2, "undefined"),
            ("task.md.j2", "x\n{{ task.id | nope }}\n", 2, "unknown filter"),
            ("prefix.md.j2", "x\n{{ task.id }}\n", 2, "`task` is not defined"),
            ("prefix.md.j2", "{{ range(10) }}\n", 1, "`range` is not defined"),
            ("taks.md.j2", "x\n", 1, "no prompt is made"),
        ] {
            let found = findings(file, text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].0 == line && found[0].1.contains(part), "{text}: {found:?}");
        }
        assert_eq!(findings("task.md.j2", "{{ task.id }}{% if retry %}{{ retry.what }}{% endif %}"), []);
    }

    #[test]
    fn a_template_cannot_work_for_ever() {
        let deep = "{% for a in neighbours %}".repeat(6) + "{{ task.id }}" + &"{% endfor %}".repeat(6);
        let (templates, findings) = Templates::with(&[SourceText::new("task.md.j2", deep)]);
        assert!(findings.is_empty());
        let task = View { neighbours: vec!["x".to_owned(); 40], ..View::default() };
        let (text, problem) = templates.task(&task);
        assert!(problem.is_some_and(|problem| problem.contains("fuel")) && text.contains("# Your task"));
    }

    #[test]
    fn what_a_value_holds_is_never_read_as_a_template() {
        let task = View {
            task: TaskText { text: "{{ 7 * 7 }} {% raw %}".to_owned(), ..TaskText::default() },
            ..View::default()
        };
        let (text, problem) = Templates::default().task(&task);
        assert!(problem.is_none() && text.contains("{{ 7 * 7 }} {% raw %}"));
    }

    #[test]
    fn empty_lines_are_kept_in_fences_and_joined_elsewhere() {
        assert_eq!(tidy("\n\na\n\n\nb\n```x\n\n\n```\n\n\n"), "a\n\nb\n```x\n\n\n```\n");
        assert_eq!(tidy("````md\n```\n\n\n```\n````\n\n\nc"), "````md\n```\n\n\n```\n````\n\nc\n");
    }
}
