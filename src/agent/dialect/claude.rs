//! `claude -p --output-format stream-json --verbose`, and `qwen -o stream-json`, which prints the same shapes; cursor's
//! tools have one of their own.
//!
//! Seen with claude 2.1.197 and qwen 0.15.10. Quirks: a failed run says `subtype: success` with `is_error: true`; an error
//! comes as an assistant's message with `error` beside it; qwen tells errors as a message `[API Error: …]` of no tokens,
//! says `is_error: false` and exits 0; a subscription's limit comes as a `rate_limit_event`.

use super::cursor;
use super::json::{self, items, number, str_of};
use crate::agent::reset::Reset;
use crate::agent::told::{AgentError, PlanItem, PlanState, StopReason, Told, UsageScope};
use serde_json::Value;

#[derive(Debug, Default)]
pub struct Claude {
    /// The last message, so that the result does not repeat it.
    last_text: String,
    /// A message comes in parts, each with the same usage.
    last_usage: String,
    failed: bool,
}

impl Claude {
    pub(super) fn event(&mut self, event: &Value, out: &mut Vec<Told>) {
        match str_of(&event["type"]) {
            "system" => Self::system(event, out),
            "assistant" => self.assistant(event, out),
            "user" => Self::user(event, out),
            "result" => self.result(event, out),
            "tool_call" => cursor::tool_call(event, out),
            "rate_limit_event" => self.rate_limit(&event["rate_limit_info"], out),
            _ => {}
        }
    }

    fn system(event: &Value, out: &mut Vec<Told>) {
        match str_of(&event["subtype"]) {
            "init" => {
                out.extend(json::name(&event["session_id"]).map(Told::Session));
                out.extend(json::name(&event["model"]).map(Told::Model));
            }
            "api_retry" => {
                let mut why = str_of(&event["error"]).to_owned();
                if let Some(status) = json::status(&event["error_status"]) {
                    why = format!("{status} {why}");
                }
                out.push(Told::Retry { after: json::millis(&event["retry_delay_ms"]), why });
            }
            "retry" => {
                let after = json::millis(&event["delayMs"]);
                let why = json::name(&event["error"]).or_else(|| json::name(&event["message"]));
                out.push(Told::Retry { after, why: why.unwrap_or_default() });
            }
            _ => {}
        }
    }

    fn assistant(&mut self, event: &Value, out: &mut Vec<Told>) {
        let message = &event["message"];
        // What an agent within the agent says is not the agent's word.
        let is_own = event["parent_tool_use_id"].is_null();
        self.count(message, out);
        for part in items(&message["content"]) {
            match str_of(&part["type"]) {
                "text" => {
                    let Some(text) = json::text(&part["text"]) else { continue };
                    let (said, error) = split(event, message, &text);
                    if is_own && !said.is_empty() {
                        self.last_text = said.to_owned();
                        out.push(Told::Text(said.to_owned()));
                    }
                    if let Some(error) = error {
                        self.failed = true;
                        out.push(Told::Failed(error));
                    }
                }
                "tool_use" => {
                    let tool = str_of(&part["name"]);
                    out.push(json::begun(str_of(&part["id"]), tool, &part["input"]));
                    out.extend(plan(tool, &part["input"]));
                }
                _ => {}
            }
        }
    }

    /// Until the result tells the whole: what each request sent is known from its first part on.
    fn count(&mut self, message: &Value, out: &mut Vec<Told>) {
        let id = str_of(&message["id"]);
        let usage = usage(&message["usage"], None);
        if usage.is_nothing() || (!id.is_empty() && self.last_usage == id) {
            return;
        }
        self.last_usage = id.chars().take(200).collect();
        out.push(Told::Usage { of: UsageScope::Add, usage });
    }

    fn user(event: &Value, out: &mut Vec<Told>) {
        for part in items(&event["message"]["content"]) {
            if str_of(&part["type"]) != "tool_result" {
                continue;
            }
            let output = json::output(&part["content"]);
            let failed = part["is_error"].as_bool().unwrap_or(false);
            out.push(Told::StepEnded {
                key: json::name(&part["tool_use_id"]).unwrap_or_default(),
                ok: Some(!failed),
                exit: exit_code(&output).filter(|_| failed),
                output,
            });
        }
    }

    fn rate_limit(&mut self, info: &Value, out: &mut Vec<Told>) {
        let which = str_of(&info["rateLimitType"]);
        let resets = number(&info["resetsAt"]).and_then(|at| i64::try_from(at).ok()).map(Reset::At);
        // Without either it is only told that one request was refused, and the message after it says why.
        if str_of(&info["status"]) != "rejected" || (resets.is_none() && which.is_empty()) {
            return;
        }
        self.failed = true;
        let message = format!(
            "the usage limit is reached: {}",
            if which.is_empty() { "of the account" } else { which }
        );
        out.push(Told::Failed(AgentError { resets, ..AgentError::new("usage_limit_reached", message) }));
    }

    fn result(&mut self, event: &Value, out: &mut Vec<Told>) {
        out.extend(json::name(&event["session_id"]).map(Told::Session));
        let usage = usage(&event["usage"], json::micros(&event["total_cost_usd"]));
        if !usage.is_nothing() {
            out.push(Told::Usage { of: UsageScope::Total, usage });
        }
        let subtype = str_of(&event["subtype"]);
        let text = json::text(&event["result"]).unwrap_or_default();
        let is_error = event["is_error"].as_bool().unwrap_or(false) || subtype.starts_with("error");
        if is_error {
            out.push(Told::Failed(result_error(event, subtype, &text)));
        } else if !text.is_empty() && text != self.last_text && !self.failed {
            out.push(Told::Text(text));
        }
        let reason = match (subtype, str_of(&event["stop_reason"]), is_error) {
            (subtype, _, _) if subtype.starts_with("error_max") => StopReason::of_word(subtype),
            (_, reason @ ("refusal" | "max_tokens"), _) => StopReason::of_word(reason),
            (_, _, true) => StopReason::Error,
            _ => StopReason::EndTurn,
        };
        out.push(Told::Stop(reason));
    }
}

/// What the model said in a message, and the error that the agent put there.
fn split<'a>(event: &Value, message: &Value, text: &'a str) -> (&'a str, Option<AgentError>) {
    if let Some(kind) = json::name(&event["error"]) {
        return ("", Some(AgentError::new(kind, text)));
    }
    if str_of(&message["stop_reason"]) == "refusal" {
        return ("", Some(AgentError::new("refusal", text)));
    }
    // The model's own words cost tokens.
    let is_free = usage(&message["usage"], None).is_nothing();
    match text.rsplit_once("[API Error: ").filter(|(_, told)| is_free && told.ends_with(']')) {
        Some((said, told)) => (said.trim_end(), Some(AgentError::new("", told.trim_end_matches(']')))),
        None => (text, None),
    }
}

fn result_error(event: &Value, subtype: &str, text: &str) -> AgentError {
    let words = ["api_error", "terminal_reason"].iter().find_map(|key| json::name(&event[*key]));
    let kind = match words {
        _ if subtype.starts_with("error") => subtype.to_owned(),
        Some(word) if word != "completed" => word,
        _ if str_of(&event["stop_reason"]) == "refusal" => "refusal".to_owned(),
        _ => String::new(),
    };
    let errors: Vec<&str> = items(&event["errors"]).map(str_of).collect();
    let message = if text.is_empty() { errors.join("; ") } else { text.to_owned() };
    AgentError { status: json::status(&event["api_error_status"]), ..AgentError::new(kind, message) }
}

/// Anthropic counts what came from a cache beside the input, OpenAI within it; where a total is told it decides.
fn usage(usage: &Value, cost: Option<u64>) -> crate::agent::told::Usage {
    let of = |key: &str| number(&usage[key]).unwrap_or(0);
    let (input, output) = (of("input_tokens"), of("output_tokens"));
    let (cached, written) = (of("cache_read_input_tokens"), of("cache_creation_input_tokens"));
    let within = number(&usage["total_tokens"]) == Some(input.saturating_add(output));
    let whole = if within { input } else { input.saturating_add(cached).saturating_add(written) };
    json::usage(whole, cached, output, cost)
}

/// `Exit code 2`, the first line of a failed command's output.
fn exit_code(output: &str) -> Option<i32> {
    output.lines().next()?.strip_prefix("Exit code ")?.trim().parse().ok()
}

fn plan(tool: &str, input: &Value) -> Option<Told> {
    if !matches!(tool, "TodoWrite" | "todo_write") {
        return None;
    }
    let item = |item: &Value| {
        let text = json::name(&item["content"])?;
        Some(PlanItem { text, state: PlanState::of_word(str_of(&item["status"])) })
    };
    let all: Vec<PlanItem> = items(&input["todos"]).filter_map(item).take(200).collect();
    (!all.is_empty()).then_some(Told::Plan(all))
}
