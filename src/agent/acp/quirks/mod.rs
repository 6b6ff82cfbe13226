//! What single agents tell in a way of their own: beside the protocol's fields (`_meta`) or against their sense. Each is
//! known by what it sends, not by its preset, so that an agent of the user's own that wraps one of them is understood too.

mod codex;
mod copilot;
mod gemini;
mod opencode;
mod qwen;

use crate::agent::dialect::json::number;
use crate::agent::told::{AgentError, Told, Usage, UsageScope};
use agent_client_protocol_schema::v1::Meta;
use serde_json::Value;

#[derive(Debug, Default)]
pub(super) struct Quirks {
    codex: codex::Trouble,
    copilot: copilot::Notes,
    /// Each request told what it used: the turn's sum would count it twice.
    has_counted: bool,
}

impl Quirks {
    /// What the agent calls itself.
    pub(super) fn meet(&mut self, name: &str) {
        self.copilot.meet(name);
    }

    /// That piece of a message is a note of the agent's program.
    pub(super) fn is_note(&self, piece: &str) -> bool {
        self.copilot.is_note(piece)
    }

    pub(super) fn note(&mut self, piece: &str, out: &mut Vec<Told>) {
        self.copilot.hear(piece, out);
    }

    /// The model speaks or does something.
    pub(super) fn go_on(&mut self, out: &mut Vec<Told>) {
        self.copilot.go_on(out);
    }

    /// What stands beside an update.
    pub(super) fn meta(&mut self, meta: &Value, out: &mut Vec<Told>) {
        self.codex.hear(&meta["codex"], out);
        if let Some(usage) = qwen::usage(meta) {
            self.has_counted = true;
            out.push(Told::Usage { of: UsageScope::Add, usage });
        }
    }

    /// The error that a message is, where it is none of the model's.
    pub(super) fn error_in(&mut self, text: &str) -> Option<AgentError> {
        self.codex.error_in(text)
    }

    /// What a turn used, from the answer that ended it.
    pub(super) fn usage(&self, answer: &Value) -> Option<Usage> {
        if self.has_counted {
            return None;
        }
        usage(&answer["usage"]).or_else(|| gemini::usage(&answer["_meta"]))
    }

    /// The turn is over; `answer` is what ended it well.
    pub(super) fn finish(&mut self, answer: Option<&Value>, out: &mut Vec<Told>) {
        self.codex.finish(out);
        self.copilot.finish(answer, out);
    }
}

/// A command's exit code, from a tool's output or what stands beside it.
pub(super) fn exit(output: Option<&Value>, meta: Option<&Meta>) -> Option<i32> {
    let of_meta = meta.and_then(codex::exit);
    of_meta.or_else(|| output.and_then(|output| opencode::exit(output).or_else(|| copilot::exit(output))))
}

/// The protocol's own figures. Some count what came from a cache beside the input, some within it: the sum tells.
fn usage(told: &Value) -> Option<Usage> {
    let of = |key: &str| number(&told[key]).unwrap_or(0);
    let (input, output) = (number(&told["inputTokens"])?, of("outputTokens"));
    let (cached, thought) = (of("cachedReadTokens"), of("thoughtTokens"));
    let total = number(&told["totalTokens"]);
    let is_within =
        [output, output.saturating_add(thought)].iter().any(|out| total == Some(input.saturating_add(*out)));
    let beside = if is_within { 0 } else { cached.saturating_add(of("cachedWriteTokens")) };
    Some(Usage { input: input.saturating_add(beside), cached, output, cost_micros: None })
}
