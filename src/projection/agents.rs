//! What `specter agents` tells: which coding agents are there, which version, and how each would be called.

use super::schema::VERSION;
use schemars::JsonSchema;
use serde::Serialize;

/// The coding agents specter knows.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "specter agents")]
pub struct AgentsJson {
    pub schema: u32,
    /// Who would do tasks without work of their own, as configured; empty: nobody.
    pub agent: String,
    /// Whom `auto` would take: the first that is installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto: Option<String>,
    /// In the order in which `auto` tries them; those that it never takes last.
    pub agents: Vec<AgentJson>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AgentJson {
    pub name: String,
    pub title: String,
    /// Whose limits it runs into.
    pub provider: String,
    /// Where its program is; none: it is not installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The first line it printed when asked for its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why there is no version, or why it cannot be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What it speaks: `events` that it prints, or `acp`, the Agent Client Protocol.
    pub protocol: String,
    /// The command line of an attempt, as typed in a shell; empty: it has none.
    pub call: String,
    /// The command line of a further attempt in the same session; empty: it cannot go on with one.
    pub resume: String,
    /// How it is started for the Agent Client Protocol; empty: it is not known how.
    pub acp: String,
    /// Where the program for that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acp_path: Option<String>,
    /// The program that fetches it when it is first started, as `npx` does: whether it is there already is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetched_by: Option<String>,
    pub install: String,
    pub login: String,
}

impl AgentsJson {
    pub fn new(agent: String, auto: Option<String>, agents: Vec<AgentJson>) -> AgentsJson {
        AgentsJson { schema: VERSION, agent, auto, agents }
    }
}
