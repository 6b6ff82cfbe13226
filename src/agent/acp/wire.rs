//! JSON-RPC 2.0, one message a line: what a line of the agent is, and the lines for it. Knows no method.

use serde::Serialize;
use serde_json::{Value, json};

/// One message of the agent.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    /// Wants an answer with the same id, whatever that is.
    Request {
        id: Value,
        method: String,
        params: Value,
    },
    Note {
        method: String,
        params: Value,
    },
    Answer {
        id: u64,
        result: Result<Value, Refused>,
    },
    /// An object that is none of these.
    Strange,
}

/// The error in an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Refused {
    pub(super) code: i64,
    pub(super) message: String,
    pub(super) data: Value,
}

/// The messages of a line: one, or those of a batch; nothing where it is no JSON.
pub(super) fn read(line: &[u8]) -> Option<Vec<Heard>> {
    match serde_json::from_slice(line).ok()? {
        Value::Array(all) => Some(all.into_iter().map(message).collect()),
        Value::Object(one) => Some(vec![message(Value::Object(one))]),
        _ => None,
    }
}

fn message(mut value: Value) -> Heard {
    let id = value.get("id").filter(|id| !id.is_null()).cloned();
    let mut take = |key: &str| value.get_mut(key).map(Value::take).unwrap_or_default();
    match (take("method"), id) {
        (Value::String(method), Some(id)) => Heard::Request { id, method, params: take("params") },
        (Value::String(method), None) => Heard::Note { method, params: take("params") },
        // Our ids are numbers; some write them as text.
        (_, Some(id)) => match id.as_u64().or_else(|| id.as_str()?.parse().ok()) {
            Some(id) => Heard::Answer { id, result: result(take("result"), take("error")) },
            None => Heard::Strange,
        },
        (_, None) => Heard::Strange,
    }
}

fn result(result: Value, error: Value) -> Result<Value, Refused> {
    if error.is_null() {
        return Ok(result);
    }
    let code = error["code"].as_i64().or_else(|| error["code"].as_str()?.parse().ok()).unwrap_or_default();
    let message = error["message"].as_str().or(error.as_str()).unwrap_or_default().to_owned();
    Err(Refused { code, message, data: error["data"].clone() })
}

pub(super) fn request(id: u64, method: &str, params: &impl Serialize, into: &mut Vec<u8>) {
    line(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": value(params) }), into);
}

pub(super) fn note(method: &str, params: &impl Serialize, into: &mut Vec<u8>) {
    line(&json!({ "jsonrpc": "2.0", "method": method, "params": value(params) }), into);
}

pub(super) fn answer(id: &Value, result: &impl Serialize, into: &mut Vec<u8>) {
    line(&json!({ "jsonrpc": "2.0", "id": id, "result": value(result) }), into);
}

pub(super) fn refuse(id: &Value, code: i32, message: &str, into: &mut Vec<u8>) {
    line(&json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } }), into);
}

/// The types of the schema have no maps with keys that JSON lacks and no numbers it cannot write.
fn value(params: &impl Serialize) -> Value {
    serde_json::to_value(params).unwrap_or_default()
}

fn line(message: &Value, into: &mut Vec<u8>) {
    into.extend_from_slice(message.to_string().as_bytes());
    into.push(b'\n');
}
