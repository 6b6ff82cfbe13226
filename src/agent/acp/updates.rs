//! `session/update` turned into what the agent told. Messages come in pieces and are told whole; what only repeats what is
//! known (commands that exist, options, thoughts) is passed over.

use super::quirks::Quirks;
use super::tools::Tools;
use crate::agent::dialect::json;
use crate::agent::told::{self, MAX_TEXT, PlanItem, PlanState, Told, Usage, UsageScope};
use agent_client_protocol_schema::v1::{
    ContentBlock, ContentChunk, Plan, PlanEntryStatus, SessionUpdate, ToolCallUpdate, UsageUpdate,
};
use serde::Deserialize as _;
use serde_json::Value;

/// Large, frequent, and of no use here.
const NOISE: [&str; 5] = [
    "available_commands_update",
    "config_option_update",
    "current_mode_update",
    "agent_thought_chunk",
    "user_message_chunk",
];

#[derive(Debug, Default)]
pub(super) struct Updates {
    pub(super) tools: Tools,
    pub(super) quirks: Quirks,
    /// A message whose end has not come, and its name.
    text: String,
    text_id: Option<String>,
    /// Of the session so far, in millionths of a dollar.
    cost: u64,
    told_cost: u64,
}

impl Updates {
    pub(super) fn hear(&mut self, update: &Value, out: &mut Vec<Told>) {
        let word = json::str_of(&update["sessionUpdate"]);
        if NOISE.contains(&word) {
            return;
        }
        self.quirks.meta(&update["_meta"], out);
        match SessionUpdate::deserialize(update) {
            Ok(SessionUpdate::AgentMessageChunk(chunk)) => self.chunk(&chunk, out),
            Ok(SessionUpdate::ToolCall(call)) => self.tool(&call.into(), false, out),
            Ok(SessionUpdate::ToolCallUpdate(update)) => self.tool(&update, false, out),
            Ok(SessionUpdate::Plan(plan)) => out.extend(items(&plan)),
            Ok(SessionUpdate::UsageUpdate(update)) => self.usage(&update),
            // Nearly a tool call: an update of one may lack whatever it likes.
            Err(_) if matches!(word, "tool_call" | "tool_call_update") => {
                if let Ok(update) = ToolCallUpdate::deserialize(update) {
                    self.tool(&update, false, out);
                }
            }
            _ => {}
        }
    }

    pub(super) fn tool(&mut self, update: &ToolCallUpdate, is_asked: bool, out: &mut Vec<Told>) {
        self.end_text(out);
        self.quirks.go_on(out);
        self.tools.hear(update, is_asked, out);
    }

    fn chunk(&mut self, chunk: &ContentChunk, out: &mut Vec<Told>) {
        let ContentBlock::Text(text) = &chunk.content else { return };
        if self.quirks.is_note(&text.text) {
            self.end_text(out);
            return self.quirks.note(&text.text, out);
        }
        self.quirks.go_on(out);
        let id = chunk.message_id.as_ref().map(|id| id.0.to_string());
        if id != self.text_id {
            self.end_text(out);
        }
        self.text_id = id;
        self.text.push_str(&text.text);
        // Shortened only when twice as long, so that many small pieces are not moved each time.
        if self.text.len() > 2 * MAX_TEXT {
            self.text = told::bounded(&self.text, MAX_TEXT);
        }
    }

    /// What was said so far is whole.
    fn end_text(&mut self, out: &mut Vec<Told>) {
        let text = std::mem::take(&mut self.text);
        self.text_id = None;
        let text = text.trim_end();
        if text.trim().is_empty() {
            return;
        }
        let text = told::bounded(text, MAX_TEXT);
        out.push(match self.quirks.error_in(&text) {
            Some(error) => Told::Failed(error),
            None => Told::Text(text),
        });
    }

    fn usage(&mut self, update: &UsageUpdate) {
        if let Some(cost) = update.cost.as_ref().filter(|cost| cost.currency == "USD" && cost.amount >= 0.0) {
            self.cost = (cost.amount.min(1e9) * 1e6).round() as u64;
        }
    }

    /// The turn is over; `answer` is what ended it well.
    pub(super) fn finish(&mut self, answer: Option<&Value>, out: &mut Vec<Told>) {
        self.end_text(out);
        self.tools.finish(out);
        let cost = self.cost.saturating_sub(self.told_cost);
        self.told_cost = self.cost;
        let usage = answer.and_then(|answer| self.quirks.usage(answer)).unwrap_or_default();
        let cost_micros = Some(cost).filter(|cost| *cost > 0);
        let usage = Usage { cost_micros, ..usage };
        if !usage.is_nothing() {
            out.push(Told::Usage { of: UsageScope::Add, usage });
        }
        self.quirks.finish(answer, out);
    }
}

fn items(plan: &Plan) -> Option<Told> {
    let item = |entry: &agent_client_protocol_schema::v1::PlanEntry| PlanItem {
        text: told::one_line(&entry.content),
        state: match entry.status {
            PlanEntryStatus::InProgress => PlanState::Active,
            PlanEntryStatus::Completed => PlanState::Done,
            _ => PlanState::Open,
        },
    };
    let items: Vec<PlanItem> = plan.entries.iter().take(200).map(item).collect();
    (!items.is_empty()).then_some(Told::Plan(items))
}
