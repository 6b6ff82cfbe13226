//! Reading JSON whose shape nobody promised: what is missing or of another kind is nothing.

use crate::agent::told::{self, MAX_NAME, MAX_OUTPUT, MAX_PATHS, MAX_TEXT, StepKind, Told, Usage};
use serde_json::Value;
use std::time::Duration;

/// Hands an object to `event`. Other JSON is passed over, and so is an empty line; anything else is unreadable.
pub(in crate::agent) fn object(
    line: &[u8],
    out: &mut Vec<Told>,
    mut event: impl FnMut(&Value, &mut Vec<Told>),
) {
    let line = line.trim_ascii();
    if line.is_empty() {
        return;
    }
    match serde_json::from_slice::<Value>(line) {
        Ok(value) => {
            if value.is_object() {
                event(&value, out);
            }
        }
        Err(_) => out.push(Told::Unreadable { bytes: line.len() as u64 }),
    }
}

/// A text that is there and not empty, bounded.
pub(in crate::agent) fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(|text| told::bounded(text, MAX_TEXT))
}

pub(in crate::agent) fn name(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(told::one_line)
}

pub(in crate::agent) fn str_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A whole number, also one written as `2000.0`.
pub(in crate::agent) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_f64().filter(|n| *n >= 0.0 && *n < 9e15).map(|n| n as u64))
}

pub(in crate::agent) fn status(value: &Value) -> Option<u16> {
    number(value).and_then(|n| u16::try_from(n).ok()).filter(|n| (100..600).contains(n))
}

pub(in crate::agent) fn millis(value: &Value) -> Option<Duration> {
    number(value).map(Duration::from_millis)
}

/// Dollars as millionths.
pub(in crate::agent) fn micros(value: &Value) -> Option<u64> {
    value
        .as_f64()
        .filter(|dollars| *dollars >= 0.0 && *dollars < 1e9)
        .map(|dollars| (dollars * 1e6).round() as u64)
}

/// The list's items, none if it is no list.
pub(in crate::agent) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A tool's result: a text, or a list of parts with texts.
pub(in crate::agent) fn output(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return told::bounded(text, MAX_OUTPUT);
    }
    let mut all = String::new();
    for part in items(value) {
        let part = part.as_str().unwrap_or_else(|| str_of(&part["text"]));
        if !part.is_empty() {
            if !all.is_empty() {
                all.push('\n');
            }
            all.push_str(part);
        }
    }
    told::bounded(&all, MAX_OUTPUT)
}

/// A step by its tool's name and what the tool is given.
pub(in crate::agent) fn begun(key: &str, tool: &str, input: &Value) -> Told {
    let kind = StepKind::of_tool(tool);
    let paths = paths(input);
    let command = ["command", "cmd", "script"].iter().find_map(|key| command(&input[*key]));
    let about =
        ["query", "pattern", "url", "description", "prompt"].iter().find_map(|key| name(&input[*key]));
    let title = match (command, paths.first()) {
        (Some(command), _) => command,
        (None, Some(path)) => format!("{} {path}", told::one_line(tool)),
        (None, None) => match about {
            Some(about) => format!("{} {about}", told::one_line(tool)),
            None => told::one_line(tool),
        },
    };
    Told::StepBegun { key: told::one_line(key), kind, title: told::one_line(&title), paths }
}

/// A command as one line: a text, or a list of words. Of what a shell is handed, that alone: who asked for
/// `python3 a.py` is told that it ran, not how.
pub(in crate::agent) fn command(value: &Value) -> Option<String> {
    let (words, text) = match value.as_array() {
        Some(words) => {
            let words: Vec<String> = words.iter().map(|word| str_of(word).to_owned()).collect();
            let text = words.join(" ");
            (words, text)
        }
        None => (shell_words(str_of(value)), str_of(value).to_owned()),
    };
    let script = match &words[..] {
        [shell, flag, script] if is_shell(shell) && matches!(flag.as_str(), "-c" | "-lc") => script,
        _ => &text,
    };
    Some(told::one_line(script)).filter(|command| !command.is_empty())
}

fn is_shell(word: &str) -> bool {
    matches!(word.rsplit('/').next(), Some("sh" | "bash" | "zsh" | "dash"))
}

fn shell_words(text: &str) -> Vec<String> {
    match text.split_once(' ') {
        Some((first, _)) if is_shell(first) => shlex::split(text).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The files that a tool's input names.
pub(in crate::agent) fn paths(input: &Value) -> Vec<String> {
    const KEYS: [&str; 7] =
        ["file_path", "path", "filePath", "notebook_path", "absolute_path", "filename", "dir_path"];
    let one = KEYS.iter().filter_map(|key| name(&input[*key]));
    let many = ["paths", "files"].iter().flat_map(|key| items(&input[*key]).filter_map(name));
    one.chain(many).take(MAX_PATHS).map(|path| path.chars().take(MAX_NAME).collect()).collect()
}

pub(in crate::agent) fn usage(input: u64, cached: u64, output: u64, cost_micros: Option<u64>) -> Usage {
    Usage { input, cached, output, cost_micros }
}
