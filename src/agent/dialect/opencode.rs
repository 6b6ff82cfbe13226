//! `opencode run --format json`. Seen with 1.18.33: every line has the session's id, a tool's line comes when it is over,
//! tokens and money come with each step.

use super::json::{self, items, number, str_of};
use crate::agent::told::{self, AgentError, PlanItem, PlanState, StopReason, Told, UsageScope};
use serde_json::Value;
use std::time::Duration;

#[derive(Debug, Default)]
pub struct Opencode {
    session: String,
}

impl Opencode {
    pub(super) fn event(&mut self, event: &Value, out: &mut Vec<Told>) {
        if let Some(id) = json::name(&event["sessionID"]).filter(|id| *id != self.session) {
            self.session.clone_from(&id);
            out.push(Told::Session(id));
        }
        let part = &event["part"];
        match str_of(&event["type"]) {
            "text" => out.extend(json::text(&part["text"]).map(Told::Text)),
            "tool_use" => tool(part, out),
            "step_finish" => finish(part, out),
            "error" => {
                out.push(Told::Failed(error(&event["error"])));
                out.push(Told::Stop(StopReason::Error));
            }
            _ => {}
        }
    }
}

fn tool(part: &Value, out: &mut Vec<Told>) {
    let (name, state) = (str_of(&part["tool"]), &part["state"]);
    let key = json::name(&part["callID"]).or_else(|| json::name(&part["id"])).unwrap_or_default();
    out.push(json::begun(&key, name, &state["input"]));
    if name == "todowrite" {
        let item = |item: &Value| {
            let state = PlanState::of_word(str_of(&item["status"]));
            Some(PlanItem { text: json::name(&item["content"])?, state })
        };
        out.push(Told::Plan(items(&state["input"]["todos"]).filter_map(item).take(200).collect()));
    }
    let exit = state["metadata"]["exit"].as_i64().and_then(|code| i32::try_from(code).ok());
    let ok = match str_of(&state["status"]) {
        "completed" => Some(exit.is_none_or(|code| code == 0)),
        "error" => Some(false),
        _ => None,
    };
    let failed = str_of(&state["error"]);
    let output = if failed.is_empty() { json::output(&state["output"]) } else { failed.to_owned() };
    out.push(Told::StepEnded { key, ok, exit, output: told::bounded(&output, told::MAX_OUTPUT) });
}

fn finish(part: &Value, out: &mut Vec<Told>) {
    let tokens = &part["tokens"];
    let of = |value: &Value| number(value).unwrap_or(0);
    let cached = of(&tokens["cache"]["read"]);
    let input = of(&tokens["input"]).saturating_add(cached).saturating_add(of(&tokens["cache"]["write"]));
    let output = of(&tokens["output"]).saturating_add(of(&tokens["reasoning"]));
    let usage = json::usage(input, cached, output, json::micros(&part["cost"]));
    if !usage.is_nothing() {
        out.push(Told::Usage { of: UsageScope::Add, usage });
    }
    match str_of(&part["reason"]) {
        "" | "tool-calls" => {}
        "content-filter" => out.push(Told::Stop(StopReason::Refusal)),
        reason => out.push(Told::Stop(StopReason::of_word(reason))),
    }
}

fn error(error: &Value) -> AgentError {
    let data = &error["data"];
    let message = json::text(&data["message"]).or_else(|| json::text(&error["message"])).unwrap_or_default();
    let headers = &data["responseHeaders"];
    let wait = str_of(&headers["retry-after"]).parse::<u64>().ok().map(Duration::from_secs);
    // What kind of error it was stands in the provider's own answer, handed on as text.
    let answer = serde_json::from_str::<Value>(str_of(&data["responseBody"])).unwrap_or_default();
    let said = &answer["error"];
    let kind = ["code", "type", "status"].iter().find_map(|key| json::name(&said[*key]));
    let name = json::name(&error["name"]).filter(|name| name != "APIError");
    AgentError {
        status: json::status(&data["statusCode"]),
        retry_after: wait,
        ..AgentError::new(name.or(kind).unwrap_or_default(), message)
    }
}
