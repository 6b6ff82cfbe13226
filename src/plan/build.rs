//! From a document to a checked plan, step by step; the only file that knows the order of the steps.

use super::draft::{Cause, Draft};
use super::edges::{self, Ground};
use super::files::{Shared, files};
use super::findings::Findings;
use super::graph::Graph;
use super::lanes::{self, Layout};
use super::names::Names;
use super::observed::Sighting;
use super::order::{Order, remaining};
use super::resolve::{self, Needs};
use super::{
    Mode, Options, Plan, PlannedTask, Reason, Role, Treat, cycle, estimate, lint, prose, roles, select,
};
use crate::diagnostic::Diagnostic;
use crate::task::{Document, State, Task, TaskIx, WrittenNeed};
use std::time::Duration;

/// Plans a document (SPEC 3). `Ok` holds the plan and the warnings; `Err` holds all errors, then the warnings.
pub fn plan(mut document: Document, options: &Options) -> Result<(Plan, Vec<Diagnostic>), Vec<Diagnostic>> {
    treat(&mut document, options);
    inherit(&mut document);
    let written = std::mem::take(&mut document.needs);
    let mut found = Findings::default();
    let made = make(&document, written, options, &mut found);
    match made {
        Some(made) if !found.has_errors() => Ok((made.into_plan(document, options), found.into_sorted())),
        _ => Err(found.into_sorted()),
    }
}

/// Reads unclear marks as the user says.
fn treat(document: &mut Document, options: &Options) {
    if options.treat.is_empty() {
        return;
    }
    for task in document.tasks.iter_mut().filter(|task| task.state == State::Unclear) {
        let Some(mark) = task.checkbox.as_ref().map(|checkbox| checkbox.mark.trim()) else { continue };
        // The last word counts, as with flags.
        let said = options.treat.iter().rev().find(|(own, _)| own.trim() == mark);
        task.state = match said {
            Some((_, Treat::Open)) => State::Open,
            Some((_, Treat::Done)) => State::Done,
            Some((_, Treat::Skip)) => State::Dropped,
            None => State::Unclear,
        };
    }
}

/// A task without a story or priority of its own has those its phase's heading names.
fn inherit(document: &mut Document) {
    for task in &mut document.tasks {
        let Some(phase) = task.phase.and_then(|phase| document.phases.get(phase.0 as usize)) else {
            continue;
        };
        task.priority = task.priority.or(phase.priority);
        if task.stories.is_empty() && !task.all_stories && !task.is_group && lanes::is_story(phase) {
            task.stories.clone_from(&phase.stories);
        }
    }
}

/// The parts of a plan that are worked out from the document.
struct Made {
    layout: Layout,
    graph: Graph,
    sightings: Vec<Sighting>,
    roles: Vec<Role>,
}

/// `written` are the document's dependencies, which nothing asks for once they are resolved.
fn make(
    document: &Document,
    written: Vec<WrittenNeed>,
    options: &Options,
    found: &mut Findings,
) -> Option<Made> {
    let names = Names::new(&document.tasks);
    let needs = resolve::needs(document, written, &names, found);
    let layout = Layout::new(document);
    let chosen = select::select(document, &names, &options.selection, found);
    let mut draft = Draft::new(document.tasks.len());
    edges::explicit(&mut draft, document, &needs);
    let order = first_order(&mut draft, document, &layout, &needs, &names, options, found)?;
    let ground = Ground { document, layout: &layout, order: &order };
    let (shared, sightings, order) = rules(&mut draft, ground, options, &needs, found);
    let mut roles = roles::roles(document, &chosen, &options.selection);
    let graph = draft.graph();
    roles::close(document, &graph, &mut roles, &options.selection, found);
    roles::unclear_needs(document, &needs, &roles, found);
    lint::relations(
        lint::Read { document, layout: &layout, needs: &needs, roles: &roles, shared: &shared },
        found,
    );
    let graph =
        if options.mode == Mode::Sequential { one_by_one(draft, document, &order, &roles) } else { graph };
    Some(Made { layout, graph, sightings, roles })
}

/// The order that explicit edges leave, or the circles that leave none.
fn first_order(
    draft: &mut Draft,
    document: &Document,
    layout: &Layout,
    needs: &Needs,
    names: &Names<'_>,
    options: &Options,
    found: &mut Findings,
) -> Option<Order> {
    let graph = draft.graph();
    let order = match file_order(&graph, document) {
        Ok(order) => order,
        Err(stuck) => {
            let circles = cycle::cycles(document, names, needs, &graph, &stuck);
            for circle in circles {
                found.push(circle);
            }
            return None;
        }
    };
    if !options.tdd {
        return Some(order);
    }
    let is_test = |task: TaskIx| {
        let in_story = layout.lanes(task).iter().any(|lane| layout.lanes[lane.0 as usize].is_story);
        !in_story || estimate::writes_tests(document.task(task))
    };
    let first = sorted(&graph, document, |task| u64::from(!is_test(task)) << 32 | u64::from(task.0));
    edges::tests_first(draft, Ground { document, layout, order: &first });
    Some(sorted(&draft.graph(), document, file_key))
}

/// Rules 2 to 7. Also returns an order of the whole.
fn rules(
    draft: &mut Draft,
    ground: Ground<'_>,
    options: &Options,
    needs: &Needs,
    found: &mut Findings,
) -> (Vec<Shared>, Vec<Sighting>, Order) {
    let document = ground.document;
    let ends = edges::lanes(draft, ground);
    edges::phases(draft, ground, &ends);
    let (shared, sightings) = files(draft, ground, &options.observed_files);
    let mut order = ground.order.clone();
    if document.tasks.iter().any(|task| task.more.layer.is_some()) {
        // Tasks without a layer go with the lowest, so that they hold no low layer back.
        let key =
            |task: TaskIx| u64::from(document.task(task).more.layer.unwrap_or(0)) << 32 | u64::from(task.0);
        let low_first = sorted(&draft.graph(), document, key);
        edges::layers(draft, Ground { order: &low_first, ..ground });
        order = sorted(&draft.graph(), document, file_key);
    }
    if needs.list.iter().any(|need| need.form == crate::task::NeedForm::Prose) {
        let whole = sorted(&draft.graph(), document, file_key);
        prose::prose(draft, document, needs.list.iter(), options.prose, &whole, found);
        order = sorted(&draft.graph(), document, file_key);
    }
    (shared, sightings, order)
}

fn file_key(task: TaskIx) -> u64 {
    u64::from(task.0)
}

fn file_order(graph: &Graph, document: &Document) -> Result<Order, Vec<super::graph::NodeIx>> {
    Order::smallest(graph, file_key, |task| document.task(task).is_group)
}

/// An order of a graph that is known to have one.
fn sorted(graph: &Graph, document: &Document, key: impl Fn(TaskIx) -> u64) -> Order {
    let order = Order::smallest(graph, key, |task| document.task(task).is_group);
    order.unwrap_or_else(|stuck| {
        unreachable!("rules only add edges along an order, yet {} nodes are in circles", stuck.len())
    })
}

/// One task at a time: what is run, chained in the order nearest to the file's.
fn one_by_one(mut draft: Draft, document: &Document, order: &Order, roles: &[Role]) -> Graph {
    let mut last: Option<TaskIx> = None;
    for task in order.sequence.iter().filter(|task| roles[task.ix()] == Role::Run) {
        if let Some(last) = last {
            draft.link(last, *task, Cause::after(Reason::Mode, document.task(*task).line));
        }
        last = Some(*task);
    }
    draft.finish()
}

impl Made {
    fn into_plan(self, document: Document, options: &Options) -> Plan {
        let durations = estimate::durations(&document.tasks, &self.roles, &options.estimates);
        let is_run = |task: TaskIx| self.roles[task.ix()] == Role::Run;
        let weight = |task: TaskIx| if is_run(task) { durations[task.ix()] } else { Duration::ZERO };
        let remaining = remaining(&self.graph, weight);
        let planned = (self.roles.iter().zip(self.layout.of).zip(&durations).zip(remaining))
            .map(|(((role, lanes), estimate), remaining)| PlannedTask {
                role: *role,
                lanes,
                estimate: (*estimate).into(),
                remaining: remaining.into(),
            })
            .collect();
        Plan {
            file: options.file.clone(),
            mode: options.mode,
            tasks: document.tasks.into(),
            planned,
            phases: document.phases,
            lanes: self.layout.lanes,
            checkpoints: document.checkpoints,
            ignored: document.ignored,
            graph: self.graph,
            sightings: self.sightings,
            tick: document.tick,
        }
    }
}

/// Whether the task says itself what to run or who does it.
pub(super) fn says_work(task: &Task) -> bool {
    task.has_run_block() || task.more.agent.is_some()
}
