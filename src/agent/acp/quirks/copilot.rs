//! copilot 1.0.102 ends a turn whose requests failed with `end_turn`: the error is a piece of a message of its own that
//! begins with `Error: `, and the answer tells no usage. What it tries again is told as `Info: … Retrying...`. It has a
//! command's exit code among the parts of its output.

use crate::agent::told::{AgentError, Told};
use serde_json::Value;

/// As it calls itself.
const NAME: &str = "Copilot";

#[derive(Debug, Default)]
pub(super) struct Notes {
    is_it: bool,
    /// An error, unless the turn goes on after it or ends well.
    error: Option<String>,
}

impl Notes {
    pub(super) fn meet(&mut self, name: &str) {
        self.is_it = name == NAME;
    }

    /// A piece of a message that the program wrote and no model, as far as can be seen.
    pub(super) fn is_note(&self, piece: &str) -> bool {
        self.is_it && (piece.starts_with("Error: ") || is_retry(piece))
    }

    pub(super) fn hear(&mut self, piece: &str, out: &mut Vec<Told>) {
        if is_retry(piece) {
            out.push(Told::Retry { after: None, why: piece.trim_start_matches("Info: ").to_owned() });
        } else {
            self.error = Some(piece.to_owned());
        }
    }

    /// The turn goes on: it was part of a message.
    pub(super) fn go_on(&mut self, out: &mut Vec<Told>) {
        out.extend(self.error.take().map(Told::Text));
    }

    pub(super) fn finish(&mut self, answer: Option<&Value>, out: &mut Vec<Told>) {
        let Some(error) = self.error.take() else { return };
        let is_well = answer.is_some_and(|answer| answer["usage"].is_object());
        out.push(if is_well {
            Told::Text(error)
        } else {
            Told::Failed(AgentError::new("", error.trim_start_matches("Error: ")))
        });
    }
}

fn is_retry(piece: &str) -> bool {
    piece.starts_with("Info: ") && piece.ends_with("Retrying...")
}

pub(super) fn exit(output: &Value) -> Option<i32> {
    let parts = output["contents"].as_array()?;
    parts.iter().find_map(|part| i32::try_from(part["exitCode"].as_i64()?).ok())
}
