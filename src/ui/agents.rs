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
    let names = told.agents.iter().map(|agent| agent.name.len()).max().unwrap_or_default().min(20);
    if !here.is_empty() {
        sheet.section("Installed");
    }
    for agent in here {
        installed(&mut sheet, agent, names);
    }
    if !missing.is_empty() && !screen.quiet {
        sheet.section("Not installed");
        for agent in missing {
            sheet.pair(&safe(&agent.name), &safe(&agent.install), names);
        }
    }
    sheet.blank();
    sheet.words("", &chosen(told));
    sheet.done()
}

fn installed(sheet: &mut Sheet<'_>, agent: &AgentJson, names: usize) {
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
