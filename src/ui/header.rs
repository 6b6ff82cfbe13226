//! The lines before everything else: which file, how much of it, in which manner.

use super::text::{and_list, elide_middle, plural};
use super::theme::{Label, Screen, Sign};
use crate::plan::{Lane, LeftOut, Plan, Role};
use crate::text::safe;

/// What the header says beside the plan. Empty strings are left out.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// The run's id; empty for `plan`.
    pub run: String,
    /// `sequential`, `parallel`, …, as the user names it.
    pub mode: String,
    pub jobs: u32,
    /// The selection as typed.
    pub selection: Vec<String>,
    /// What runs the tasks, as `shell`.
    pub executors: Vec<String>,
    /// On resume: the number of this session, from 2.
    pub session: u32,
}

/// One to three lines, each within the width where that can be done.
pub fn header(screen: &Screen, plan: &Plan, manner: &Manner) -> Vec<String> {
    let ellipsis = screen.sign(Sign::Ellipsis);
    let file = elide_middle(&plan.file, screen.width.saturating_sub(8), ellipsis);
    let mut lines = vec![format!("{} {file}", screen.paint(Label::Heading, "specter"))];
    lines.extend(join(screen, &counts(plan)));
    lines.extend(join(screen, &manners(manner)));
    lines
}

fn counts(plan: &Plan) -> Vec<String> {
    let of = |role: Role| plan.planned.iter().filter(|planned| planned.role == role).count();
    let to_run = of(Role::Run);
    let mut parts = vec![format!("{} to run", plural(to_run, "task"))];
    let others = [
        (of(Role::Done), "done before"),
        (of(Role::LeftOut(LeftOut::NotSelected)), "not selected"),
        (of(Role::LeftOut(LeftOut::Manual)), "for a person"),
        (of(Role::LeftOut(LeftOut::Optional)), "optional"),
        (of(Role::LeftOut(LeftOut::Dropped)), "dropped"),
        (of(Role::LeftOut(LeftOut::Unclear)), "unclear"),
    ];
    parts.extend(others.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
    parts.extend(stories(&plan.lanes));
    parts
}

/// `stories US1, US2 and US3`
fn stories(lanes: &[Lane]) -> Option<String> {
    let names: Vec<String> = lanes.iter().filter(|lane| lane.is_story).map(|lane| safe(&lane.name)).collect();
    match names.len() {
        0 => None,
        1 => Some(format!("story {}", names[0])),
        2..=6 => Some(format!("stories {}", and_list(&names))),
        n => Some(format!("{n} stories")),
    }
}

fn manners(manner: &Manner) -> Vec<String> {
    let mut parts = Vec::new();
    if !manner.mode.is_empty() {
        parts.push(safe(&manner.mode));
    }
    if manner.jobs > 0 {
        parts.push(plural(manner.jobs as usize, "worker"));
    }
    if !manner.executors.is_empty() {
        parts.push(safe(&manner.executors.join(", ")));
    }
    if !manner.selection.is_empty() {
        parts.push(format!("only {}", safe(&manner.selection.join(" "))));
    }
    if manner.session > 1 {
        parts.push(format!("resumed, session {}", manner.session));
    }
    if !manner.run.is_empty() {
        parts.push(format!("run {}", safe(&manner.run)));
    }
    parts
}

/// Parts behind one another, on as many lines as they need.
fn join(screen: &Screen, parts: &[String]) -> Vec<String> {
    let separator = format!(" {} ", screen.sign(Sign::Dot));
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        let part = super::text::elide(part, screen.width, screen.sign(Sign::Ellipsis));
        match lines.last_mut() {
            Some(line) if super::text::width(line) + 3 + super::text::width(&part) <= screen.width => {
                line.push_str(&separator);
                line.push_str(&part);
            }
            _ => lines.push(part),
        }
    }
    lines
}
