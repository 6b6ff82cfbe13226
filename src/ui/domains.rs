//! Which agents do which tasks of a plan by their domains, and why: a section behind the plan.

use super::sheet::Sheet;
use super::text::some_of;
use super::theme::Screen;
use crate::domains::{Assignment, Hints, Rules, assign};
use crate::plan::Plan;
use std::collections::BTreeMap;

/// So many tasks of one domain are named.
const NAMED: usize = 12;

/// Nothing where no rule decides anything; what only gives advice is told to who asks for details.
pub fn domains(screen: &Screen, plan: &Plan, rules: &Rules, hints: &Hints) -> String {
    let mut rows: BTreeMap<(bool, String), Vec<String>> = BTreeMap::new();
    // The usual rules only advise: with nothing else there is nothing to ask them for.
    let asks = rules.decide() || hints.agent.is_some() || screen.verbose > 0;
    let tasks = plan.runnable().map(|ix| plan.task(ix));
    // What has commands of its own needs no agent.
    for task in tasks.filter(|task| !task.has_run_block() && (asks || task.more.agent.is_some())) {
        let assignment = assign(task, rules, hints);
        let decides = assignment.agent.is_some() || assignment.model.is_some();
        if assignment.because.is_empty() || !decides && screen.verbose == 0 {
            continue;
        }
        rows.entry((!decides, label(&assignment))).or_default().push(task.id.to_string());
    }
    let mut sheet = Sheet::new(screen);
    if rows.is_empty() {
        return sheet.done();
    }
    sheet.line("");
    sheet.line(screen.paint(super::theme::Label::Heading, "Domains"));
    for ((_, label), ids) in &rows {
        sheet.row(label, &some_of(ids, NAMED));
    }
    sheet.done()
}

/// `links: claude, opus`
fn label(assignment: &Assignment) -> String {
    let who: Vec<&str> =
        [&assignment.agent, &assignment.model].into_iter().flatten().map(String::as_str).collect();
    let who = if who.is_empty() { "advice".to_owned() } else { who.join(", ") };
    match &assignment.domain {
        Some(domain) => format!("{domain}: {who}"),
        None => who,
    }
}
