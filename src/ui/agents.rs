//! The text of `specter agents`: a line for each agent, and how those that are installed are called.

use super::sheet::Sheet;
use super::text::pad;
use super::theme::{Label, Screen};
use crate::projection::agents::{AgentJson, AgentsJson};
use crate::text::safe;

pub fn agents(screen: &Screen, told: &AgentsJson) -> String {
    let mut sheet = Sheet::new(screen);
    let (here, missing): (Vec<&AgentJson>, Vec<&AgentJson>) =
        told.agents.iter().partition(|agent| agent.path.is_some() || agent.acp_path.is_some());
    let (fetched, here): (Vec<&AgentJson>, Vec<&AgentJson>) =
        here.into_iter().partition(|agent| agent.fetched_by.is_some());
    let names = told.agents.iter().map(|agent| agent.name.len()).max().unwrap_or_default().min(20);
    if !here.is_empty() {
        sheet.section("Installed");
    }
    for agent in here {
        callable(&mut sheet, agent, names);
    }
    if !fetched.is_empty() {
        sheet.section("Fetched when first started");
    }
    for agent in fetched {
        callable(&mut sheet, agent, names);
    }
    if !missing.is_empty() && !screen.quiet {
        sheet.section("Not installed");
        for agent in missing {
            sheet.pair(&safe(&agent.name), &how_to_get(agent), names);
        }
    }
    sheet.blank();
    sheet.words("", &chosen(told));
    sheet.done()
}

/// An agent that is fetched lacks nothing but what fetches it.
fn how_to_get(agent: &AgentJson) -> String {
    match &agent.fetched_by {
        Some(fetcher) => format!("`{}` was not found on PATH", safe(fetcher)),
        None => safe(&agent.install),
    }
}

fn callable(sheet: &mut Sheet<'_>, agent: &AgentJson, names: usize) {
    let screen = *sheet.screen();
    let name = pad(&safe(&agent.name), names);
    let version = match (&agent.version, &agent.problem) {
        (Some(version), _) => safe(version),
        (None, Some(problem)) => format!("? {}", safe(problem)),
        (None, None) => safe(&agent.title),
    };
    sheet.line(format!("  {}  {version}", screen.paint(Label::Id, name)));
    let lead = " ".repeat(names + 4);
    for (what, line) in [("", &agent.call), ("resumed: ", &agent.resume), ("ACP: ", &agent.acp)] {
        if !line.is_empty() && (what.is_empty() || screen.verbose > 0) {
            sheet.command(&format!("{lead}{what}"), line);
        }
    }
}

/// Who would do tasks that name nobody.
fn chosen(told: &AgentsJson) -> String {
    match (told.agent.as_str(), &told.auto) {
        ("" | "none", Some(first)) => {
            format!("no agent is chosen: `--agent auto` would take `{first}`; or set `agent` in specter.toml")
        }
        ("" | "none", None) => "no agent is chosen, and none is installed".to_owned(),
        ("auto", Some(first)) => {
            format!("tasks without work of their own go to `{first}`: `agent` is `auto`")
        }
        ("auto", None) => "`agent` is `auto`, and none is installed".to_owned(),
        (agent, _) => format!("tasks without work of their own go to `{agent}`"),
    }
}
