//! `codex exec --json`. Seen with 0.169.0: `error` tells both of a retry (`Reconnecting… 1/5 (why)`) and of the end, which
//! `turn.failed` repeats; nothing there is for machines, so the message alone says what it was.

use super::json::{self, items, number, str_of};
use crate::agent::told::{AgentError, PlanItem, PlanState, StepKind, StopReason, Told, UsageScope, one_line};
use serde_json::Value;

#[derive(Debug, Default)]
pub struct Codex {
    /// The last error, so that the turn's end does not repeat it.
    last_error: String,
}

impl Codex {
    pub(super) fn event(&mut self, event: &Value, out: &mut Vec<Told>) {
        match str_of(&event["type"]) {
            "thread.started" => out.extend(json::name(&event["thread_id"]).map(Told::Session)),
            "item.started" => begin(&event["item"], out),
            "item.completed" => end(&event["item"], out),
            "item.updated" => out.extend(plan(&event["item"])),
            "turn.completed" => {
                let of = |key: &str| number(&event["usage"][key]).unwrap_or(0);
                let usage =
                    json::usage(of("input_tokens"), of("cached_input_tokens"), of("output_tokens"), None);
                if !usage.is_nothing() {
                    out.push(Told::Usage { of: UsageScope::Total, usage });
                }
                out.push(Told::Stop(StopReason::EndTurn));
            }
            "turn.failed" => {
                self.error(&event["error"], out);
                out.push(Told::Stop(StopReason::Error));
            }
            "error" => self.error(event, out),
            _ => {}
        }
    }

    fn error(&mut self, error: &Value, out: &mut Vec<Told>) {
        let message = json::text(&error["message"]).unwrap_or_default();
        if let Some(why) = message.strip_prefix("Reconnecting...") {
            let why = why.split_once('(').map_or(why, |(_, why)| why.trim_end_matches(')'));
            out.push(Told::Retry { after: None, why: one_line(why) });
            return;
        }
        if message != self.last_error {
            let kind = json::name(&error["codexErrorInfo"]).unwrap_or_default();
            out.push(Told::Failed(AgentError::new(kind, message.clone())));
            self.last_error = message;
        }
    }
}

fn begin(item: &Value, out: &mut Vec<Told>) {
    let key = json::name(&item["id"]).unwrap_or_default();
    match str_of(&item["type"]) {
        "command_execution" => out.push(Told::StepBegun {
            key,
            kind: StepKind::Run,
            title: json::command(&item["command"]).unwrap_or_default(),
            paths: Vec::new(),
        }),
        "file_change" => {
            let paths: Vec<String> =
                items(&item["changes"]).filter_map(|change| json::name(&change["path"])).take(64).collect();
            let kinds = || items(&item["changes"]).map(|change| str_of(&change["kind"]));
            let kind = if kinds().all(|kind| kind == "delete") { StepKind::Delete } else { StepKind::Edit };
            let title = match (paths.first(), paths.len()) {
                (Some(path), 1) => format!("{} {path}", kinds().next().unwrap_or("change")),
                (Some(path), n) => format!("change {path} and {} more", n - 1),
                (None, _) => "change files".to_owned(),
            };
            out.push(Told::StepBegun { key, kind, title: one_line(&title), paths });
        }
        "mcp_tool_call" => {
            let title = format!("{} {}", str_of(&item["server"]), str_of(&item["tool"]));
            out.push(Told::StepBegun {
                key,
                kind: StepKind::Other,
                title: one_line(&title),
                paths: Vec::new(),
            });
        }
        "web_search" => {
            let title = format!("search {}", str_of(&item["query"]));
            out.push(Told::StepBegun {
                key,
                kind: StepKind::Fetch,
                title: one_line(&title),
                paths: Vec::new(),
            });
        }
        "todo_list" => out.extend(plan(item)),
        _ => {}
    }
}

fn end(item: &Value, out: &mut Vec<Told>) {
    let key = json::name(&item["id"]).unwrap_or_default();
    match str_of(&item["type"]) {
        "agent_message" => out.extend(json::text(&item["text"]).map(Told::Text)),
        // Some kinds of step have no beginning of their own in some versions: an end alone would be lost.
        "web_search" => {
            begin(item, out);
            out.push(Told::StepEnded { key, ok: None, exit: None, output: String::new() });
        }
        "command_execution" | "file_change" | "mcp_tool_call" => {
            let exit = item["exit_code"].as_i64().and_then(|code| i32::try_from(code).ok());
            let ok = match str_of(&item["status"]) {
                "completed" => Some(exit.is_none_or(|code| code == 0)),
                "failed" | "declined" => Some(false),
                _ => exit.map(|code| code == 0),
            };
            let output = json::output(&item["aggregated_output"]);
            out.push(Told::StepEnded { key, ok, exit, output });
        }
        "todo_list" => out.extend(plan(item)),
        _ => {}
    }
}

fn plan(item: &Value) -> Option<Told> {
    if str_of(&item["type"]) != "todo_list" {
        return None;
    }
    let entry = |entry: &Value| {
        let state =
            if entry["completed"].as_bool() == Some(true) { PlanState::Done } else { PlanState::Open };
        Some(PlanItem { text: json::name(&entry["text"])?, state })
    };
    Some(Told::Plan(items(&item["items"]).filter_map(entry).take(200).collect()))
}
