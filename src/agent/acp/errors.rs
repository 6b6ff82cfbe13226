//! What an error in an answer says, in the vocabulary of the judge. Each agent has its own word for machines in `data`.

use super::wire::Refused;
use crate::agent::dialect::json;
use crate::agent::told::AgentError;
use serde_json::Value;

/// The protocol's code for "log in first".
const AUTH_REQUIRED: i64 = -32_000;

/// claude; codex; opencode.
const KINDS: [&str; 3] = ["errorKind", "codexErrorInfo", "errorName"];

pub(super) fn told(refused: &Refused) -> AgentError {
    let Refused { code, message, data } = refused;
    let word = KINDS.iter().find_map(|key| json::name(&data[*key]));
    let kind = match word {
        None if *code == AUTH_REQUIRED => "auth".to_owned(),
        // codex, where the program behind it ended: several that begin at once in a new home do.
        None if data["restartable"] == true => "restartable".to_owned(),
        word => word.unwrap_or_default(),
    };
    AgentError { status: status(*code, data), ..AgentError::new(kind, text(message, data)) }
}

/// gemini puts the provider's status where the protocol has its codes.
fn status(code: i64, data: &Value) -> Option<u16> {
    let of_code = u16::try_from(code).ok().filter(|code| (400..600).contains(code));
    let of_data =
        || ["httpStatusCode", "statusCode", "status"].iter().find_map(|key| json::status(&data[*key]));
    of_code.or_else(of_data)
}

/// The message, and what `data` adds to it.
fn text(message: &str, data: &Value) -> String {
    let more = ["message", "details", "errorMessage"].iter().find_map(|key| json::text(&data[*key]));
    match more.or_else(|| json::text(data)) {
        Some(more) if !message.contains(&more) => format!("{message}: {more}"),
        _ => message.to_owned(),
    }
}
