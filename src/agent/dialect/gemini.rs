//! `gemini -o stream-json`. Seen with 0.61.0: a message comes in parts (`delta: true`), the error at the end as text in
//! brackets or as the provider's JSON inside of it.

use super::json::{self, items, number, str_of};
use crate::agent::told::{self, AgentError, MAX_TEXT, PlanItem, PlanState, StopReason, Told, UsageScope};
use serde_json::Value;

#[derive(Debug, Default)]
pub struct Gemini {
    /// A message of which more may come.
    message: String,
}

impl Gemini {
    pub(super) fn event(&mut self, event: &Value, out: &mut Vec<Told>) {
        let kind = str_of(&event["type"]);
        if kind == "message" {
            return self.message(event, out);
        }
        self.finish(out);
        match kind {
            "init" => {
                out.extend(json::name(&event["session_id"]).map(Told::Session));
                out.extend(json::name(&event["model"]).map(Told::Model));
            }
            "tool_use" => {
                let tool = str_of(&event["tool_name"]);
                out.push(json::begun(str_of(&event["tool_id"]), tool, &event["parameters"]));
                out.extend(plan(tool, &event["parameters"]));
            }
            "tool_result" => {
                let error = str_of(&event["error"]["message"]);
                let output = if error.is_empty() { json::output(&event["output"]) } else { error.to_owned() };
                out.push(Told::StepEnded {
                    key: json::name(&event["tool_id"]).unwrap_or_default(),
                    ok: event["status"].as_str().map(|status| status == "success"),
                    exit: None,
                    output: told::bounded(&output, told::MAX_OUTPUT),
                });
            }
            // Warnings come so too; only the result says whether it was the end.
            "error" if str_of(&event["severity"]) != "warning" => out.push(Told::Failed(error(event))),
            "result" => result(event, out),
            _ => {}
        }
    }

    fn message(&mut self, event: &Value, out: &mut Vec<Told>) {
        if str_of(&event["role"]) != "assistant" {
            return;
        }
        if event["delta"].as_bool() != Some(true) {
            self.finish(out);
        }
        let more = str_of(&event["content"]);
        // Bounded where it grows; the whole is bounded again when it is told.
        if self.message.len() + more.len() <= 2 * MAX_TEXT {
            self.message.push_str(more);
        } else {
            self.message = told::bounded(&(std::mem::take(&mut self.message) + more), MAX_TEXT);
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Told>) {
        if !self.message.is_empty() {
            let message = std::mem::take(&mut self.message);
            out.push(Told::Text(told::bounded(&message, MAX_TEXT)));
        }
    }
}

fn result(event: &Value, out: &mut Vec<Told>) {
    let of = |key: &str| number(&event["stats"][key]).unwrap_or(0);
    let usage = json::usage(of("input_tokens"), of("cached"), of("output_tokens"), None);
    if !usage.is_nothing() {
        out.push(Told::Usage { of: UsageScope::Total, usage });
    }
    if str_of(&event["status"]) == "success" {
        out.push(Told::Stop(StopReason::EndTurn));
        return;
    }
    out.push(Told::Failed(error(&event["error"])));
    out.push(Told::Stop(StopReason::Error));
}

/// `[API Error: …]` around a sentence, or around the provider's own JSON.
fn error(error: &Value) -> AgentError {
    let text = str_of(&error["message"]);
    let kind = str_of(&error["type"]);
    let kind = if kind == "unknown" || kind == "error" { "" } else { kind };
    let inner = text.strip_prefix("[API Error: ").map(|rest| rest.strip_suffix(']').unwrap_or(rest));
    if let Some(Ok(answer)) = inner.map(serde_json::from_str::<Value>) {
        let told = &answer["error"];
        let reason = items(&told["details"]).find_map(|detail| json::name(&detail["reason"]));
        let kind = reason.or_else(|| json::name(&told["status"])).unwrap_or_default();
        let message = json::text(&told["message"]).unwrap_or_else(|| text.to_owned());
        return AgentError { status: json::status(&told["code"]), ..AgentError::new(kind, message) };
    }
    AgentError::new(kind, text)
}

fn plan(tool: &str, input: &Value) -> Option<Told> {
    if tool != "write_todos" {
        return None;
    }
    let item = |item: &Value| {
        let text = json::name(&item["description"]).or_else(|| json::name(&item["content"]))?;
        Some(PlanItem { text, state: PlanState::of_word(str_of(&item["status"])) })
    };
    let all: Vec<PlanItem> = items(&input["todos"]).filter_map(item).take(200).collect();
    (!all.is_empty()).then_some(Told::Plan(all))
}
