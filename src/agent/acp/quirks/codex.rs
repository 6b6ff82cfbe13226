//! codex-acp 2.6.0. After retries that came to nothing, a full context and a lost connection it ends the turn with
//! `end_turn`; the error is a message like any other, and only that the thread's status became `systemError` tells it apart.

use crate::agent::dialect::json;
use crate::agent::told::{AgentError, Told};
use agent_client_protocol_schema::v1::Meta;
use serde_json::Value;

#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// The next message is the error, if there is one.
    is_open: bool,
}

impl Trouble {
    pub(super) fn hear(&mut self, meta: &Value, out: &mut Vec<Told>) {
        match json::str_of(&meta["threadStatus"]["type"]) {
            "systemError" => self.is_open = true,
            "active" => self.is_open = false,
            _ => {}
        }
        let error = &meta["error"];
        if !error.is_object() {
            return;
        }
        let told = told(error);
        if error["willRetry"].as_bool() == Some(true) {
            out.push(Told::Retry { after: None, why: told.message });
        } else {
            out.push(Told::Failed(told));
        }
    }

    pub(super) fn error_in(&mut self, text: &str) -> Option<AgentError> {
        std::mem::take(&mut self.is_open).then(|| AgentError::new("", text))
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Told>) {
        if std::mem::take(&mut self.is_open) {
            out.push(Told::Failed(AgentError::new("", "the agent's status is `systemError`")));
        }
    }
}

/// `codexErrorInfo` is a word, or an object whose one key is the word.
fn told(error: &Value) -> AgentError {
    let info = &error["codexErrorInfo"];
    let (word, more) = match info.as_object().and_then(|object| object.iter().next()) {
        Some((word, more)) => (word.as_str(), more),
        None => (json::str_of(info), &Value::Null),
    };
    let message = ["additionalDetails", "message"].iter().find_map(|key| json::text(&error[*key]));
    AgentError {
        status: json::status(&more["httpStatusCode"]),
        ..AgentError::new(word, message.unwrap_or_default())
    }
}

pub(super) fn exit(meta: &Meta) -> Option<i32> {
    i32::try_from(meta.get("terminal_exit")?["exit_code"].as_i64()?).ok()
}
