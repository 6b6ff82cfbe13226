//! What an agent tells while it works, in one vocabulary for all of them. Values only; who tells it and who listens is
//! not known here.

use super::reset::Reset;
use std::time::Duration;

/// Of a step's output so much is kept.
pub const MAX_OUTPUT: usize = 32 * 1024;
/// Of anything else that is one text: a message, an error.
pub const MAX_TEXT: usize = 64 * 1024;
/// Of a title, a path, a name.
pub const MAX_NAME: usize = 1024;
/// Paths of one step.
pub const MAX_PATHS: usize = 64;

/// One thing an agent told.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// The id by which the agent can go on later.
    Session(String),
    Model(String),
    /// A whole message to the user.
    Text(String),
    StepBegun {
        /// Names the step until it ended.
        key: String,
        kind: StepKind,
        /// The command, the file, or the tool's name: one line.
        title: String,
        /// Files it reads or writes, as the agent wrote them.
        paths: Vec<String>,
    },
    StepEnded {
        key: String,
        /// Nothing: the agent does not say.
        ok: Option<bool>,
        exit: Option<i32>,
        /// At most [`MAX_OUTPUT`].
        output: String,
    },
    /// The agent's own list of what to do, whole each time.
    Plan(Vec<PlanItem>),
    Usage {
        of: UsageScope,
        usage: Usage,
    },
    /// The agent tries something again by itself.
    Retry {
        after: Option<Duration>,
        why: String,
    },
    Failed(AgentError),
    Stop(StopReason),
    /// A line that is not what the format promises.
    Unreadable {
        bytes: u64,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepKind {
    Read,
    Edit,
    Delete,
    Move,
    Search,
    Run,
    Fetch,
    Think,
    /// Leave that was asked for.
    Permit,
    #[default]
    Other,
}

impl StepKind {
    pub fn as_str(self) -> &'static str {
        match self {
            StepKind::Read => "read",
            StepKind::Edit => "edit",
            StepKind::Delete => "delete",
            StepKind::Move => "move",
            StepKind::Search => "search",
            StepKind::Run => "run",
            StepKind::Fetch => "fetch",
            StepKind::Think => "think",
            StepKind::Permit => "permit",
            StepKind::Other => "other",
        }
    }

    /// By the name of an agent's tool. Names of one agent never mean something else with another.
    pub fn of_tool(name: &str) -> StepKind {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "read" | "read_file" | "readfile" | "read_many_files" | "view" | "view_image"
            | "notebookread" | "cat" | "open" => StepKind::Read,
            "write"
            | "write_file"
            | "writefile"
            | "edit"
            | "multiedit"
            | "notebookedit"
            | "replace"
            | "edit_file"
            | "create"
            | "create_file"
            | "str_replace"
            | "str_replace_editor"
            | "str_replace_based_edit_tool"
            | "apply_patch"
            | "patch"
            | "insert"
            | "file_change" => StepKind::Edit,
            "delete" | "delete_file" | "remove_file" => StepKind::Delete,
            "move" | "move_file" | "rename" => StepKind::Move,
            "grep"
            | "glob"
            | "ls"
            | "list"
            | "list_directory"
            | "listdirectory"
            | "find"
            | "search"
            | "search_file_content"
            | "grep_search"
            | "rg"
            | "codebase_search" => StepKind::Search,
            "bash" | "shell" | "run_shell_command" | "run_terminal_cmd" | "exec_command" | "execute"
            | "command_execution" | "powershell" | "bashoutput" | "read_bash" | "write_bash" => StepKind::Run,
            "webfetch" | "web_fetch" | "websearch" | "web_search" | "google_web_search" | "fetch"
            | "fetch_url" => StepKind::Fetch,
            "think" | "todowrite" | "todo_write" | "write_todos" | "taskcreate" | "taskupdate"
            | "update_plan" => StepKind::Think,
            _ => StepKind::Other,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanItem {
    pub text: String,
    pub state: PlanState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlanState {
    #[default]
    Open,
    Active,
    Done,
}

impl PlanState {
    /// As agents write it.
    pub fn of_word(word: &str) -> PlanState {
        match word {
            "completed" | "done" => PlanState::Done,
            "in_progress" | "in-progress" | "active" => PlanState::Active,
            _ => PlanState::Open,
        }
    }
}

/// What a figure of usage counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageScope {
    /// Everything of this run of the agent: replaces what was told before.
    Total,
    /// One more request: is added.
    Add,
}

/// Tokens and money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All that was sent, what came from a cache included.
    pub input: u64,
    /// Of that, what came from a cache.
    pub cached: u64,
    pub output: u64,
    /// Millionths of a dollar, where the agent says so.
    pub cost_micros: Option<u64>,
}

impl Usage {
    pub fn is_nothing(&self) -> bool {
        *self == Usage::default() || *self == Usage { cost_micros: Some(0), ..Usage::default() }
    }

    #[must_use]
    pub fn plus(self, more: Usage) -> Usage {
        let cost_micros = match (self.cost_micros, more.cost_micros) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        Usage {
            input: self.input.saturating_add(more.input),
            cached: self.cached.saturating_add(more.cached),
            output: self.output.saturating_add(more.output),
            cost_micros,
        }
    }
}

/// Something failed, in the agent's own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentError {
    /// Of the provider's answer.
    pub status: Option<u16>,
    /// A word for machines, as the agent or its provider wrote it: `rate_limit`, `usage_limit_reached`. May be empty.
    pub kind: String,
    pub message: String,
    pub retry_after: Option<Duration>,
    pub resets: Option<Reset>,
}

impl AgentError {
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> AgentError {
        let (kind, message) = (kind.into(), message.into());
        AgentError {
            kind: bounded(&kind, MAX_NAME),
            message: bounded(&message, MAX_TEXT),
            ..AgentError::default()
        }
    }
}

/// Why the agent ended its turn, by its own account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    EndTurn,
    /// Its answer was cut off.
    MaxTokens,
    /// It used up the turns, time or money it was given.
    Budget,
    Refusal,
    Cancelled,
    Error,
    Other(String),
}

impl StopReason {
    /// As providers and agents write it.
    pub fn of_word(word: &str) -> StopReason {
        match word {
            "end_turn" | "stop" | "stop_sequence" | "completed" | "success" => StopReason::EndTurn,
            "max_tokens" | "length" | "max_output_tokens" => StopReason::MaxTokens,
            "error_max_turns" | "max_turns" | "max_turn_requests" | "error_max_budget_usd" => {
                StopReason::Budget
            }
            "refusal" | "content_filter" | "safety" => StopReason::Refusal,
            "cancelled" | "canceled" | "aborted" | "interrupted" => StopReason::Cancelled,
            "error" | "error_during_execution" => StopReason::Error,
            other => StopReason::Other(bounded(other, MAX_NAME)),
        }
    }
}

/// `text`, or its beginning and end with a line between them that says how much is missing.
pub fn bounded(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let half = max / 2;
    let head = floor(text, half);
    let tail = ceil(text, text.len() - half);
    format!("{}\n… {} bytes left out …\n{}", &text[..head], tail - head, &text[tail..])
}

/// The first line of `text`, at most [`MAX_NAME`] long.
pub fn one_line(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default().trim_end();
    line[..floor(line, MAX_NAME)].to_owned()
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceil(text: &str, mut at: usize) -> usize {
    while at < text.len() && !text.is_char_boundary(at) {
        at += 1;
    }
    at.min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_keeps_its_beginning_and_its_end_and_says_what_is_missing() {
        let text = format!("{}é{}", "a".repeat(99), "b".repeat(200));
        let short = bounded(&text, 100);
        assert!(short.starts_with("aaaa") && short.ends_with("bbbb"), "{short}");
        assert!(short.contains("… 201 bytes left out …"), "{short}");
        assert_eq!(bounded("short", 100), "short");
        assert_eq!(bounded("ééé", 3), "\n… 6 bytes left out …\n");
    }

    #[test]
    fn usage_adds_up_and_an_unknown_price_stays_unknown() {
        let one = Usage { input: 5, cached: 2, output: 1, cost_micros: None };
        assert_eq!(one.plus(one), Usage { input: 10, cached: 4, output: 2, cost_micros: None });
        let paid = Usage { cost_micros: Some(3), ..one };
        assert_eq!(one.plus(paid).cost_micros, Some(3));
        assert_eq!(paid.plus(paid).cost_micros, Some(6));
    }
}
