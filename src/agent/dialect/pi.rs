//! `pi -p --mode json`. Seen with 0.73.1: the exit code is 0 whatever happened, so the last message's `stopReason` is what
//! counts; each delta repeats the whole message so far, and the turn's end and the agent's end repeat everything again.

use super::json::{self, items, number, str_of};
use crate::agent::told::{AgentError, StopReason, Told, UsageScope};
use serde_json::Value;

#[derive(Debug, Default)]
pub struct Pi {
    model: String,
}

/// Only repeats what other lines say, at the cost of the square of a message's length.
pub(super) fn is_noise(line: &[u8]) -> bool {
    const NOISE: [&[u8]; 6] = [
        b"{\"type\":\"message_update\"",
        b"{\"type\":\"message_start\"",
        b"{\"type\":\"tool_execution_update\"",
        b"{\"type\":\"turn_end\"",
        b"{\"type\":\"turn_start\"",
        b"{\"type\":\"agent_end\"",
    ];
    NOISE.iter().any(|noise| line.starts_with(noise))
}

impl Pi {
    pub(super) fn event(&mut self, event: &Value, out: &mut Vec<Told>) {
        match str_of(&event["type"]) {
            "session" => out.extend(json::name(&event["id"]).map(Told::Session)),
            "message_end" => self.message(&event["message"], out),
            "tool_execution_start" => {
                out.push(json::begun(
                    str_of(&event["toolCallId"]),
                    str_of(&event["toolName"]),
                    &event["args"],
                ));
            }
            "tool_execution_end" => out.push(Told::StepEnded {
                key: json::name(&event["toolCallId"]).unwrap_or_default(),
                ok: event["isError"].as_bool().map(|failed| !failed),
                exit: None,
                output: json::output(&event["result"]["content"]),
            }),
            "auto_retry_start" => out.push(Told::Retry {
                after: json::millis(&event["delayMs"]),
                why: json::name(&event["errorMessage"]).unwrap_or_default(),
            }),
            _ => {}
        }
    }

    fn message(&mut self, message: &Value, out: &mut Vec<Told>) {
        if str_of(&message["role"]) != "assistant" {
            return;
        }
        if let Some(model) = json::name(&message["model"]).filter(|model| *model != self.model) {
            self.model.clone_from(&model);
            out.push(Told::Model(model));
        }
        let usage = &message["usage"];
        let of = |key: &str| number(&usage[key]).unwrap_or(0);
        let cached = of("cacheRead");
        let input = of("input").saturating_add(cached).saturating_add(of("cacheWrite"));
        let usage = json::usage(input, cached, of("output"), json::micros(&usage["cost"]["total"]));
        if !usage.is_nothing() {
            out.push(Told::Usage { of: UsageScope::Add, usage });
        }
        for part in items(&message["content"]) {
            if str_of(&part["type"]) == "text" {
                out.extend(json::text(&part["text"]).map(Told::Text));
            }
        }
        match str_of(&message["stopReason"]) {
            "" | "toolUse" => {}
            "error" => {
                let text = json::text(&message["errorMessage"]).unwrap_or_default();
                // `429 Rate limit reached …`
                let status =
                    text.get(..3).and_then(|code| code.parse().ok()).filter(|code| (400..600).contains(code));
                out.push(Told::Failed(AgentError { status, ..AgentError::new("", text) }));
                out.push(Told::Stop(StopReason::Error));
            }
            reason => out.push(Told::Stop(StopReason::of_word(reason))),
        }
    }
}
