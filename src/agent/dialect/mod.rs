//! What each agent prints, turned into [`Told`]: one file per format. Tolerant: formats grow with each version of an
//! agent, so what is not known is passed over, and a line that is no JSON is told as [`Told::Unreadable`], never an error.
//!
//! A line's work is linear in its length. What only repeats (deltas, partial messages) is passed over unparsed.

mod aider;
mod claude;
mod codex;
mod copilot;
mod cursor;
mod gemini;
pub(super) mod json;
mod opencode;
mod pi;
mod reader;
mod text;

use super::told::Told;
use serde::{Deserialize, Serialize};

pub use reader::{Lines, MAX_LINE, Reader};

/// The name of an output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Events {
    ClaudeStreamJson,
    CodexJson,
    GeminiStreamJson,
    OpencodeJson,
    CopilotJson,
    PiJson,
    /// Text for people, in which errors of requests are known by their form.
    AiderText,
    #[default]
    Text,
}

/// Reads one run's output, line by line.
#[derive(Debug)]
pub enum Dialect {
    Claude(claude::Claude),
    Codex(codex::Codex),
    Gemini(gemini::Gemini),
    Opencode(opencode::Opencode),
    Copilot(copilot::Copilot),
    Pi(pi::Pi),
    Aider(aider::Aider),
    Text(text::Text),
}

impl Dialect {
    pub fn of(events: Events) -> Dialect {
        match events {
            Events::ClaudeStreamJson => Dialect::Claude(claude::Claude::default()),
            Events::CodexJson => Dialect::Codex(codex::Codex::default()),
            Events::GeminiStreamJson => Dialect::Gemini(gemini::Gemini::default()),
            Events::OpencodeJson => Dialect::Opencode(opencode::Opencode::default()),
            Events::CopilotJson => Dialect::Copilot(copilot::Copilot::default()),
            Events::PiJson => Dialect::Pi(pi::Pi::default()),
            Events::AiderText => Dialect::Aider(aider::Aider::default()),
            Events::Text => Dialect::Text(text::Text::default()),
        }
    }

    /// One line, without its end.
    pub fn line(&mut self, line: &[u8], out: &mut Vec<Told>) {
        match self {
            Dialect::Claude(of) => json::object(line, out, |value, out| of.event(value, out)),
            Dialect::Codex(of) => json::object(line, out, |value, out| of.event(value, out)),
            Dialect::Gemini(of) => json::object(line, out, |value, out| of.event(value, out)),
            Dialect::Opencode(of) => json::object(line, out, |value, out| of.event(value, out)),
            Dialect::Copilot(of) => {
                if !copilot::is_noise(line) {
                    json::object(line, out, |value, out| of.event(value, out));
                }
            }
            Dialect::Pi(of) => {
                if !pi::is_noise(line) {
                    json::object(line, out, |value, out| of.event(value, out));
                }
            }
            Dialect::Aider(of) => of.line(line, out),
            Dialect::Text(of) => of.line(line),
        }
    }

    /// The output has ended.
    pub fn finish(&mut self, out: &mut Vec<Told>) {
        match self {
            Dialect::Gemini(of) => of.finish(out),
            Dialect::Aider(of) => of.finish(out),
            Dialect::Text(of) => of.finish(out),
            Dialect::Claude(_)
            | Dialect::Codex(_)
            | Dialect::Opencode(_)
            | Dialect::Copilot(_)
            | Dialect::Pi(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
