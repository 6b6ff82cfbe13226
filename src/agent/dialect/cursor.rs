//! What `cursor-agent --output-format stream-json` prints besides the shapes it has in common with claude: its tools. From
//! its documentation and from lines in public repositories, not from a run.

use super::json::{self, str_of};
use crate::agent::told::{self, Told};
use serde_json::Value;

/// `{"type":"tool_call","subtype":"started","call_id":"1","tool_call":{"shellToolCall":{"args":{"command":"ls"}}}}`
pub(super) fn tool_call(event: &Value, out: &mut Vec<Told>) {
    let key = json::name(&event["call_id"]).unwrap_or_default();
    let tool = event["tool_call"].as_object().and_then(|all| all.iter().find(|(_, of)| of.is_object()));
    let Some((name, of)) = tool else { return };
    match str_of(&event["subtype"]) {
        "started" => out.push(json::begun(&key, name.trim_end_matches("ToolCall"), &of["args"])),
        "completed" => {
            let success = &of["result"]["success"];
            let exit = success["exitCode"].as_i64().and_then(|code| i32::try_from(code).ok());
            let ok = success.is_object() && exit.is_none_or(|code| code == 0);
            let output = ["stdout", "content", "message"].iter().find_map(|key| json::text(&success[*key]));
            let output = told::bounded(&output.unwrap_or_default(), told::MAX_OUTPUT);
            out.push(Told::StepEnded { key, ok: Some(ok), exit, output });
        }
        _ => {}
    }
}
