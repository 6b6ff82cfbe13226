//! `copilot --output-format json`. Seen with 1.0.102: the session's id comes last, tokens not at all; when a limit ends
//! stands only in the provider's answer beside a failed call.

use super::json::{self, str_of};
use crate::agent::reset;
use crate::agent::told::{self, AgentError, StopReason, Told};
use serde_json::Value;

#[derive(Debug, Default)]
pub struct Copilot {
    model: String,
    /// What the provider answered to the last call that failed.
    answer: String,
}

/// Most lines only repeat; failed calls are marked like those and are needed.
pub(super) fn is_noise(line: &[u8]) -> bool {
    const NOISE: [&[u8]; 6] = [
        b"{\"type\":\"assistant.message_delta\"",
        b"{\"type\":\"assistant.tool_call_delta\"",
        b"{\"type\":\"assistant.reasoning_delta\"",
        b"{\"type\":\"tool.execution_partial_result\"",
        b"{\"type\":\"session.background_tasks_changed\"",
        b"{\"type\":\"user.message\"",
    ];
    NOISE.iter().any(|noise| line.starts_with(noise))
}

impl Copilot {
    pub(super) fn event(&mut self, event: &Value, out: &mut Vec<Told>) {
        let data = &event["data"];
        match str_of(&event["type"]) {
            "assistant.message" => {
                if let Some(model) = json::name(&data["model"]).filter(|model| *model != self.model) {
                    self.model.clone_from(&model);
                    out.push(Told::Model(model));
                }
                out.extend(json::text(&data["content"]).map(Told::Text));
            }
            "tool.execution_start" => {
                out.push(json::begun(
                    str_of(&data["toolCallId"]),
                    str_of(&data["toolName"]),
                    &data["arguments"],
                ));
            }
            "tool.execution_complete" => end(data, out),
            "model.call_failure" => {
                self.answer = told::bounded(str_of(&data["errorMessage"]), told::MAX_TEXT);
            }
            "assistant.turn_retry" => {
                let reason = json::name(&data["reason"]).unwrap_or_default();
                let why = told::one_line(&format!("{reason}: {}", told::one_line(&self.answer)));
                out.push(Told::Retry { after: reset::wait(&self.answer), why });
            }
            "session.error" => {
                let message = json::text(&data["message"]).unwrap_or_default();
                let kind = json::name(&data["errorType"]).unwrap_or_default();
                out.push(Told::Failed(AgentError {
                    status: json::status(&data["statusCode"]),
                    resets: reset::find(&message).or_else(|| reset::find(&self.answer)),
                    ..AgentError::new(kind, message)
                }));
                out.push(Told::Stop(StopReason::Error));
            }
            "result" => {
                out.extend(json::name(&event["sessionId"]).map(Told::Session));
                if event["exitCode"].as_i64() == Some(0) {
                    out.push(Told::Stop(StopReason::EndTurn));
                }
            }
            _ => {}
        }
    }
}

fn end(data: &Value, out: &mut Vec<Told>) {
    let exit = data["shellExecution"]["exitCode"].as_i64().and_then(|code| i32::try_from(code).ok());
    let failed = str_of(&data["error"]["message"]);
    let output = if failed.is_empty() { json::output(&data["result"]["content"]) } else { failed.to_owned() };
    out.push(Told::StepEnded {
        key: json::name(&data["toolCallId"]).unwrap_or_default(),
        ok: data["success"].as_bool().map(|ok| ok && exit.is_none_or(|code| code == 0)),
        exit,
        output: told::bounded(&output, told::MAX_OUTPUT),
    });
}
