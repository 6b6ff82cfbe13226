//! The text of `specter plan`: what would run, in which order, and what each task waits for.

use super::edges;
use super::header::{Manner, header};
use super::sheet::Sheet;
use super::text::{duration, elide, pad, plural, some_of, thousands, width};
use super::theme::{Label, Screen, Sign};
use crate::plan::graph::NodeIx;
use crate::plan::queue::Queue;
use crate::plan::{EdgeKind, LeftOut, Plan, Role};
use crate::task::{PhaseIx, TaskIx};
use std::cmp::Reverse;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::time::Duration;

/// Tasks that are listed: more than anybody reads.
const MAX_ROWS: usize = 2_000;
/// Ids of predecessors named in a row.
const MAX_NEEDS: usize = 4;
/// Tasks of the critical path that are named.
const MAX_PATH: usize = 12;

/// The whole text. `expected` is the simulated duration of the run, if known.
pub fn plan_text(screen: &Screen, plan: &Plan, manner: &Manner, expected: Option<Duration>) -> String {
    let mut sheet = Sheet::new(screen);
    for line in header(screen, plan, manner) {
        sheet.line(line);
    }
    let order = order(plan);
    if order.is_empty() {
        sheet.section("Nothing to run");
    } else {
        table(&mut sheet, plan, &order);
    }
    left_out(&mut sheet, plan);
    if !order.is_empty() {
        shape(&mut sheet, plan, &order, expected);
    }
    sheet.done()
}

/// A task that is run, and the step at which its predecessors allow it, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub task: TaskIx,
    pub step: u32,
}

/// The tasks that are run in the order in which a single worker would take them: what is ready, longest remaining
/// path first, then priority, then file order (SPEC 3.4). Steps count what must follow one another.
pub fn order(plan: &Plan) -> Vec<Step> {
    let count = plan.graph.node_count();
    let mut unmet: Vec<u32> =
        (0..count).map(|node| plan.graph.before(NodeIx(node as u32)).len() as u32).collect();
    let mut depth = vec![0u32; count];
    // What runs nothing is passed at once; the others by rank.
    let mut passing: Vec<NodeIx> = Vec::new();
    let mut by_rank: Vec<TaskIx> = plan.runnable().collect();
    by_rank.sort_by_cached_key(|task| Reverse(rank(plan, *task)));
    let mut ranks = vec![0; plan.tasks.len()];
    for (rank, task) in by_rank.iter().enumerate() {
        ranks[task.ix()] = rank as u32;
    }
    let mut ready = Queue::new(by_rank.len());
    let mut order = Vec::with_capacity(by_rank.len());
    let mut free: Vec<NodeIx> = (0..count as u32).map(NodeIx).filter(|node| unmet[node.ix()] == 0).collect();
    loop {
        for node in free.drain(..) {
            match run_task(plan, node) {
                Some(task) => ready.push(ranks[task.ix()]),
                None => passing.push(node),
            }
        }
        let node = match passing.pop() {
            Some(node) => node,
            None => match ready.pop() {
                Some(rank) => by_rank[rank as usize].into(),
                None => return order,
            },
        };
        let own = u32::from(run_task(plan, node).is_some());
        let reached = depth[node.ix()] + own;
        if own == 1 {
            order.push(Step { task: TaskIx(node.0), step: reached });
        }
        for edge in plan.graph.after(node) {
            let to = edge.to.ix();
            depth[to] = depth[to].max(reached);
            unmet[to] -= 1;
            if unmet[to] == 0 {
                free.push(edge.to);
            }
        }
    }
}

fn run_task(plan: &Plan, node: NodeIx) -> Option<TaskIx> {
    plan.graph.task(node).filter(|task| plan.planned(*task).role == Role::Run)
}

fn rank(plan: &Plan, task: TaskIx) -> (Duration, Reverse<u8>, Reverse<u32>) {
    (
        plan.planned(task).remaining.into(),
        Reverse(plan.task(task).priority.unwrap_or(u8::MAX)),
        Reverse(task.0),
    )
}

fn table(sheet: &mut Sheet<'_>, plan: &Plan, order: &[Step]) {
    sheet.section("Tasks, in planned order");
    let screen = sheet.screen();
    let id_width =
        order.iter().map(|step| width(plan.task(step.task).id.as_str())).max().unwrap_or(0).min(16);
    let step_width = order.iter().map(|step| step.step).max().unwrap_or(1).to_string().len();
    let phase_of = |step: &Step| plan.task(step.task).phase;
    let has_headings = screen.width >= 40 && is_sorted_enough(order, phase_of);
    let mut last = None;
    for step in order.iter().take(MAX_ROWS) {
        if has_headings && last != Some(phase_of(step)) {
            last = Some(phase_of(step));
            let title = phase_of(step).and_then(|phase| plan.phases.get(phase.0 as usize));
            let title = title.map_or("no heading", |phase| phase.title.as_str());
            let title = elide(title, sheet.room(2), screen.sign(Sign::Ellipsis));
            sheet.line(format!("  {}", screen.paint(Label::Dim, title)));
        }
        row(sheet, plan, *step, (step_width, id_width));
    }
    if order.len() > MAX_ROWS {
        let more = thousands((order.len() - MAX_ROWS) as u64);
        sheet.line(format!("  {} {more} more; `--format json` lists all", screen.sign(Sign::Ellipsis)));
    }
}

/// Phases that take turns at every line are no headings worth printing.
fn is_sorted_enough(order: &[Step], phase_of: impl Fn(&Step) -> Option<PhaseIx>) -> bool {
    let mut phases: HashSet<Option<PhaseIx>> = order.first().map(&phase_of).into_iter().collect();
    let mut changes = 0;
    for pair in order.windows(2) {
        let (before, phase) = (phase_of(&pair[0]), phase_of(&pair[1]));
        if before != phase {
            changes += 1;
            phases.insert(phase);
        }
    }
    changes <= 2 * phases.len()
}

/// `  3 T007 Add user routes in src/routes/users.js  US1 P1  needs T005, T006`
fn row(sheet: &mut Sheet<'_>, plan: &Plan, step: Step, (step_width, id_width): (usize, usize)) {
    let screen = sheet.screen();
    let ellipsis = screen.sign(Sign::Ellipsis);
    let task = plan.task(step.task);
    let number = format!("{:>step_width$}", step.step);
    let id = pad(&elide(task.id.as_str(), id_width, ellipsis), id_width);
    let lead = 2 + width(&number) + 1 + width(&id) + 1;
    let mut room = screen.width.saturating_sub(lead);
    let marks = markers(plan, step.task);
    let waits = waits(plan, step.task);
    let mut behind = String::new();
    if screen.width >= 60 {
        let limit = room / 3;
        if !marks.is_empty() {
            behind = format!("  {}", elide(&marks, limit / 2, ellipsis));
        }
        if !waits.is_empty() {
            let _ = write!(behind, "  {}", elide(&waits, limit, ellipsis));
        }
        room = room.saturating_sub(width(&behind));
    }
    let mut line = format!("  {} {}", screen.paint(Label::Dim, number), screen.paint(Label::Id, id));
    let title = elide(&task.title, room, ellipsis);
    if !title.is_empty() {
        line.push(' ');
        line.push_str(&title);
    }
    if !behind.is_empty() {
        line.push_str(&screen.paint(Label::Dim, behind).to_string());
    }
    sheet.line(line);
}

/// `[P] US1 P1`
fn markers(plan: &Plan, task: TaskIx) -> String {
    let task = plan.task(task);
    let mut parts: Vec<String> = Vec::new();
    if task.parallel {
        parts.push("[P]".to_owned());
    }
    if task.all_stories {
        parts.push("ALL".to_owned());
    }
    parts.extend(task.stories.iter().map(|story| story.0.clone()));
    parts.extend(task.priority.map(|priority| format!("P{priority}")));
    parts.extend(task.more.layer.map(|layer| format!("L{layer}")));
    parts.join(" ")
}

/// `needs T005, T006; after T003`, of what is run as well.
fn waits(plan: &Plan, task: TaskIx) -> String {
    let links = edges::before(plan, task);
    let of = |kind: EdgeKind| -> Vec<String> {
        let is_meant = |link: &&edges::Link| link.kind == kind && plan.planned(link.task).role == Role::Run;
        links.iter().filter(is_meant).map(|link| plan.task(link.task).id.to_string()).collect()
    };
    let said = [("needs", of(EdgeKind::Needs)), ("after", of(EdgeKind::After))];
    let parts = said.iter().filter(|(_, ids)| !ids.is_empty());
    parts.map(|(word, ids)| format!("{word} {}", some_of(ids, MAX_NEEDS))).collect::<Vec<_>>().join("; ")
}

fn left_out(sheet: &mut Sheet<'_>, plan: &Plan) {
    let groups = [
        (Role::Done, "done before"),
        (Role::LeftOut(LeftOut::NotSelected), "not selected"),
        (Role::LeftOut(LeftOut::Manual), "for a person"),
        (Role::LeftOut(LeftOut::Optional), "optional"),
        (Role::LeftOut(LeftOut::Dropped), "dropped by its text"),
        (Role::LeftOut(LeftOut::Unclear), "mark unclear"),
    ];
    let mut ids = groups.map(|_| Vec::new());
    for (planned, task) in plan.planned.iter().zip(plan.tasks.iter()) {
        if !matches!(planned.role, Role::Run | Role::Group)
            && let Some(group) = groups.iter().position(|(role, _)| *role == planned.role)
        {
            ids[group].push(task.id.to_string());
        }
    }
    let found = groups.iter().zip(ids).filter(|(_, ids)| !ids.is_empty());
    let found: Vec<(&str, Vec<String>)> = found.map(|((_, what), ids)| (*what, ids)).collect();
    if found.is_empty() {
        return;
    }
    sheet.section("Not run");
    for (what, ids) in found {
        sheet.row(&format!("{} {what}", ids.len()), &some_of(&ids, 8));
    }
}

fn shape(sheet: &mut Sheet<'_>, plan: &Plan, order: &[Step], expected: Option<Duration>) {
    sheet.section("Shape");
    let steps = order.iter().map(|step| step.step).max().unwrap_or(0) as usize;
    let mut widths = vec![0usize; steps + 1];
    for step in order {
        widths[step.step as usize] += 1;
    }
    let widest = widths.iter().max().copied().unwrap_or(0);
    sheet
        .row("steps", &format!("{}, up to {} side by side", thousands(steps as u64), plural(widest, "task")));
    let path = critical_path(plan, order);
    let length = path.first().map(|task| plan.planned(*task).remaining).unwrap_or_default().into();
    let ids: Vec<String> = path.iter().map(|task| plan.task(*task).id.to_string()).collect();
    let arrow = format!(" {} ", sheet.screen().sign(Sign::Arrow));
    let shown = if ids.len() > MAX_PATH {
        let half = MAX_PATH / 2;
        let dots = sheet.screen().sign(Sign::Ellipsis);
        format!("{}{arrow}{dots}{arrow}{}", ids[..half].join(&arrow), ids[ids.len() - half..].join(&arrow))
    } else {
        ids.join(&arrow)
    };
    sheet.row("critical path", &format!("{}: {shown}", duration(length)));
    if let Some(expected) = expected {
        sheet.row("expected duration", &duration(expected));
    }
}

/// The longest way through the plan by expected durations.
fn critical_path(plan: &Plan, order: &[Step]) -> Vec<TaskIx> {
    let longest = |tasks: &mut dyn Iterator<Item = TaskIx>| {
        tasks.min_by_key(|task| (Reverse(plan.planned(*task).remaining), *task))
    };
    let mut path = Vec::new();
    let mut next = longest(&mut order.iter().map(|step| step.task));
    while let Some(task) = next {
        path.push(task);
        next = longest(&mut run_successors(plan, task).into_iter());
    }
    path
}

/// Tasks that are run behind `task`, looking through everything that runs nothing.
fn run_successors(plan: &Plan, task: TaskIx) -> Vec<TaskIx> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut wave = vec![NodeIx::from(task)];
    while let Some(node) = wave.pop() {
        for edge in plan.graph.after(node).filter(|edge| seen.insert(edge.to)) {
            match run_task(plan, edge.to) {
                Some(next) => found.push(next),
                None => wave.push(edge.to),
            }
        }
    }
    found
}
