//! Tool calls as they become known: an agent announces one before it knows what it will be, says more of it in parts, and
//! ends it. A step is told once it is known what it is about.

use super::quirks;
use crate::agent::dialect::json;
use crate::agent::told::{self, MAX_NAME, MAX_OUTPUT, MAX_PATHS, StepKind, Told};
use agent_client_protocol_schema::v1::{
    ContentBlock, ToolCallContent, ToolCallStatus, ToolCallUpdate, ToolCallUpdateFields, ToolKind,
};
use std::collections::HashMap;

/// So many at once are known and not ended; of more nothing is remembered.
const MAX_OPEN: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct Tools(HashMap<String, Tool>);

#[derive(Debug, Default)]
struct Tool {
    kind: StepKind,
    title: String,
    command: Option<String>,
    paths: Vec<String>,
    output: String,
    /// The step has begun for those who listen.
    is_told: bool,
}

impl Tools {
    /// A part of a call. `is_asked`: it waits for leave, so no more will be known before it begins.
    pub(super) fn hear(&mut self, update: &ToolCallUpdate, is_asked: bool, out: &mut Vec<Told>) {
        let key = told::one_line(&update.tool_call_id.0);
        if self.0.len() >= MAX_OPEN && !self.0.contains_key(&key) {
            return;
        }
        let fields = &update.fields;
        if is_asked && !self.0.contains_key(&key) && self.is_announced(fields) {
            return;
        }
        let has_ended = matches!(fields.status, Some(ToolCallStatus::Completed | ToolCallStatus::Failed));
        let tool = self.0.entry(key.clone()).or_default();
        tool.learn(fields);
        if !tool.is_told && (is_asked || has_ended || tool.is_known(fields)) {
            tool.begin(&key, out);
        }
        if has_ended && let Some(tool) = self.0.remove(&key) {
            let exit = quirks::exit(fields.raw_output.as_ref(), update.meta.as_ref());
            let is_done = fields.status == Some(ToolCallStatus::Completed);
            out.push(Told::StepEnded {
                key,
                ok: Some(is_done && exit.is_none_or(|code| code == 0)),
                exit,
                output: told::bounded(&tool.output, MAX_OUTPUT),
            });
        }
    }

    /// Some ask leave under another name than that of the call: what does the same to the same is the same step.
    fn is_announced(&self, fields: &ToolCallUpdateFields) -> bool {
        let asked = Tool::of(fields);
        let is_same = |tool: &Tool| tool.paths == asked.paths && tool.command == asked.command;
        let is_clear = !asked.paths.is_empty() || asked.command.is_some();
        is_clear && self.0.values().any(|tool| tool.is_told && tool.kind == asked.kind && is_same(tool))
    }

    /// In few words, what the call is about.
    pub(super) fn title(&self, update: &ToolCallUpdate) -> String {
        let known = self.0.get(&told::one_line(&update.tool_call_id.0));
        known.map_or_else(|| Tool::of(&update.fields).title(), Tool::title)
    }

    /// The turn is over: what has not ended has no end.
    pub(super) fn finish(&mut self, out: &mut Vec<Told>) {
        let mut left: Vec<(String, Tool)> = self.0.drain().filter(|(_, tool)| !tool.is_told).collect();
        left.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        left.iter_mut().for_each(|(key, tool)| tool.begin(key, out));
    }
}

impl Tool {
    fn of(fields: &ToolCallUpdateFields) -> Tool {
        let mut tool = Tool::default();
        tool.learn(fields);
        tool
    }

    fn learn(&mut self, fields: &ToolCallUpdateFields) {
        if let Some(title) = fields.title.as_deref().filter(|title| !title.trim().is_empty() && !self.is_told)
        {
            self.title = told::one_line(title);
        }
        match fields.kind {
            Some(kind) if kind != ToolKind::Other => self.kind = kind_of(kind),
            _ if self.kind == StepKind::Other => {
                let name = fields.name.as_deref().or(fields.title.as_deref());
                self.kind = name.map_or(StepKind::Other, StepKind::of_tool);
            }
            _ => {}
        }
        if let Some(input) = &fields.raw_input {
            self.command =
                ["command", "cmd"].iter().find_map(|key| json::command(&input[*key])).or(self.command.take());
        }
        if self.paths.is_empty() {
            self.paths = paths(fields);
        }
        for content in fields.content.iter().flatten() {
            if let ToolCallContent::Content(content) = content
                && let ContentBlock::Text(text) = &content.content
            {
                self.output = told::bounded(&text.text, MAX_OUTPUT);
            }
        }
        if let Some(output) = fields.raw_output.as_ref().and_then(json::text) {
            self.output = told::bounded(&output, MAX_OUTPUT);
        }
    }

    /// What is told of it will not get better.
    fn is_known(&self, fields: &ToolCallUpdateFields) -> bool {
        match self.kind {
            StepKind::Run => self.command.is_some(),
            StepKind::Read | StepKind::Edit | StepKind::Delete | StepKind::Move => !self.paths.is_empty(),
            _ => fields.status == Some(ToolCallStatus::InProgress),
        }
    }

    fn begin(&mut self, key: &str, out: &mut Vec<Told>) {
        self.is_told = true;
        // A command's place is its directory, no file of it.
        let paths = if self.kind == StepKind::Run { Vec::new() } else { self.paths.clone() };
        out.push(Told::StepBegun { key: key.to_owned(), kind: self.kind, title: self.title(), paths });
    }

    fn title(&self) -> String {
        if let Some(command) = self.command.as_ref().filter(|_| self.kind == StepKind::Run) {
            return command.clone();
        }
        let words = if self.title.is_empty() { self.kind.as_str() } else { &self.title };
        match self.paths.first().filter(|_| self.kind != StepKind::Run) {
            Some(path) if !words.contains(file_name(path)) => told::one_line(&format!("{words} {path}")),
            _ => words.to_owned(),
        }
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn paths(fields: &ToolCallUpdateFields) -> Vec<String> {
    let located = fields.locations.iter().flatten().map(|location| location.path.to_string_lossy());
    let changed = fields.content.iter().flatten().filter_map(|content| match content {
        ToolCallContent::Diff(diff) => Some(diff.path.to_string_lossy()),
        _ => None,
    });
    let mut paths: Vec<String> = Vec::new();
    for path in located.chain(changed) {
        let path: String = path.chars().take(MAX_NAME).collect();
        if !paths.contains(&path) {
            paths.push(path);
        }
        if paths.len() == MAX_PATHS {
            return paths;
        }
    }
    match &fields.raw_input {
        Some(input) if paths.is_empty() => json::paths(input),
        _ => paths,
    }
}

fn kind_of(kind: ToolKind) -> StepKind {
    match kind {
        ToolKind::Read => StepKind::Read,
        ToolKind::Edit => StepKind::Edit,
        ToolKind::Delete => StepKind::Delete,
        ToolKind::Move => StepKind::Move,
        ToolKind::Search => StepKind::Search,
        ToolKind::Execute => StepKind::Run,
        ToolKind::Think => StepKind::Think,
        ToolKind::Fetch => StepKind::Fetch,
        _ => StepKind::Other,
    }
}
