//! Properties of plans over random documents, and a slow oracle that reads SPEC 3.1 pair by pair.

#![expect(clippy::format_push_string, reason = "tests read better so")]

use super::fixture::{before, document};
use super::*;
use crate::task::{Dependent, Document, PhaseKind, Target};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// One line of a random file, before it has its number.
#[derive(Clone, Debug)]
enum Line {
    Heading(usize),
    Checkpoint,
    Task { mark: usize, parallel: bool, story: usize, file: usize, needs: Vec<i8>, barrier: bool },
    Prose(u8, u8),
}

const HEADINGS: [&str; 6] = ["Setup", "Foundation", "User Story 1", "User Story 2", "Polish", "More"];
const STORIES: [&str; 6] = ["", "", " [US1]", " [US2]", " [US1] [US2]", " [ALL]"];
const FILES: [&str; 6] = ["", "", " in src/a.rs", " in src/b.rs", " in src/m/", " in src/m/c.rs"];
const MARKS: [&str; 6] = ["[ ]", "[ ]", "[ ]", "[x]", "[~]", "[ ]*"];

fn line() -> impl Strategy<Value = Line> {
    let needs = prop::collection::vec(prop_oneof![9 => -6i8..0, 1 => 1i8..4], 0..3);
    let barrier = prop::bool::weighted(0.08);
    let task = (0..MARKS.len(), any::<bool>(), 0..STORIES.len(), 0..FILES.len(), needs, barrier).prop_map(
        |(mark, parallel, story, file, needs, barrier)| Line::Task {
            mark,
            parallel,
            story,
            file,
            needs,
            barrier,
        },
    );
    prop_oneof![
        10 => task,
        2 => (0..HEADINGS.len()).prop_map(Line::Heading),
        1 => Just(Line::Checkpoint),
        1 => (0u8..20, 0u8..20).prop_map(|(a, b)| Line::Prose(a, b)),
    ]
}

/// The file's text. Tasks are numbered from 0; a dependency that would lead out of the file is left away.
fn text(lines: &[Line]) -> String {
    let count = lines.iter().filter(|line| matches!(line, Line::Task { .. })).count() as i32;
    let (mut text, mut n) = (String::new(), 0);
    for line in lines {
        text += &match line {
            Line::Heading(kind) => format!("## {}\n", HEADINGS[*kind]),
            Line::Checkpoint => "**Checkpoint**\n".to_owned(),
            Line::Prose(a, b) if i32::from(*a.max(b)) < count => format!("T{a} after T{b}\n"),
            Line::Prose(..) => String::new(),
            Line::Task { mark, parallel, story, file, needs, barrier } => {
                let ids = needs.iter().map(|by| n + i32::from(*by)).filter(|id| (0..count).contains(id));
                let ids: Vec<String> = ids.map(|id| format!("T{id}")).collect();
                let (mark, story, file) = (MARKS[*mark], STORIES[*story], FILES[*file]);
                let parallel = if *parallel { " [P]" } else { "" };
                let title = if *barrier { "Checkpoint" } else { "Work" };
                let needs =
                    if ids.is_empty() { String::new() } else { format!(" (depends on {})", ids.join(", ")) };
                n += 1;
                format!("- {mark} T{}{parallel}{story} {title}{file}{needs}\n", n - 1)
            }
        };
    }
    text
}

fn texts() -> impl Strategy<Value = String> {
    prop::collection::vec(line(), 1..24).prop_map(|lines| text(&lines))
}

/// Explicit edges only, as pairs of positions; no self-dependencies, no circles, or `None`.
fn explicit(document: &Document) -> Option<BTreeSet<(usize, usize)>> {
    let mut pairs = BTreeSet::new();
    for need in &document.needs {
        if let (Dependent::Task(task), Target::Id(id)) = (&need.dependent, &need.need) {
            let on = document.tasks.iter().position(|task| *id == *task.id.as_str())?;
            if on == task.ix() {
                return None;
            }
            pairs.insert((on, task.ix()));
        }
    }
    Some(pairs)
}

/// At each step the first task of the file that waits for none that is left.
fn first_order(count: usize, pairs: &BTreeSet<(usize, usize)>) -> Option<Vec<usize>> {
    let mut order: Vec<usize> = Vec::new();
    while order.len() < count {
        let free = |n: &usize| !order.contains(n) && pairs.iter().all(|(a, b)| b != n || order.contains(a));
        order.push((0..count).find(free)?);
    }
    Some(order)
}

fn lanes_of(document: &Document, n: usize) -> BTreeSet<String> {
    let task = &document.tasks[n];
    let phase = task.phase.map(|phase| &document.phases[phase.0 as usize]);
    let own_phase = format!("phase {:?}", task.phase);
    let story = phase.filter(|phase| phase.kind == PhaseKind::Story).map(|phase| phase.stories[0].0.clone());
    match (task.all_stories, task.stories.is_empty(), story) {
        (false, false, _) => task.stories.iter().map(|story| story.0.clone()).collect(),
        (true, _, Some(story)) => [story, own_phase].into(),
        (_, _, Some(story)) => [story].into(),
        _ => [own_phase].into(),
    }
}

/// The oracle: which tasks come before which by rules 1 to 4, pair by pair along the order that explicit edges leave.
fn oracle(
    document: &Document,
    order: &[usize],
    explicit: &BTreeSet<(usize, usize)>,
) -> BTreeSet<(usize, usize)> {
    let tasks = &document.tasks;
    let lanes: Vec<BTreeSet<String>> = (0..tasks.len()).map(|n| lanes_of(document, n)).collect();
    let mut pairs = explicit.clone();
    let names: BTreeSet<&String> = lanes.iter().flatten().collect();
    for lane in names {
        // A checkpoint task bars every lane that has a task before it in its phase.
        let met = |from: usize, phase| (0..from).any(|n| tasks[n].phase == phase && lanes[n].contains(lane));
        let is_in =
            |n: &usize| lanes[*n].contains(lane) || (tasks[*n].checkpoint && met(*n, tasks[*n].phase));
        let members: Vec<usize> = order.iter().copied().filter(is_in).collect();
        let cuts: Vec<usize> = document
            .checkpoints
            .iter()
            .map(|c| (c.after_tasks as usize, c.phase))
            .filter(|(n, p)| met(*n, *p))
            .map(|(n, _)| n)
            .collect();
        let level = |n: usize| cuts.iter().filter(|cut| **cut <= n).count();
        let so_far = |at: usize| members[..=at].iter().map(|n| level(*n)).max();
        for (j, b) in members.iter().enumerate() {
            for (i, a) in members[..j].iter().enumerate() {
                let joint = |n: usize| !tasks[n].parallel || tasks[n].checkpoint;
                let behind_joint = members[i..j].iter().any(|n| joint(*n));
                if joint(*b) || behind_joint || so_far(i) < so_far(j) {
                    pairs.insert((*a, *b));
                }
            }
        }
    }
    for (j, b) in order.iter().enumerate() {
        pairs.extend(order[..j].iter().filter(|a| phase_rule(document, &lanes, **a, *b)).map(|a| (*a, *b)));
    }
    pairs
}

/// Rule 3 for two tasks of which `a` comes first.
fn phase_rule(document: &Document, lanes: &[BTreeSet<String>], a: usize, b: usize) -> bool {
    let stretch = |n: usize| document.tasks[n].phase.map_or(0, |phase| phase.0 as usize + 1);
    let kind = |stretch: usize| match stretch {
        0 if document.phases.is_empty() => PhaseKind::Other,
        0 => PhaseKind::Setup,
        n => document.phases[n - 1].kind,
    };
    let (from, to) = (stretch(a), stretch(b));
    if document.tasks[b].all_stories && from == to {
        return lanes[a].is_disjoint(&lanes[b]);
    }
    if from >= to {
        return false;
    }
    let between = || (0..document.tasks.len()).any(|n| stretch(n) > from && stretch(n) < to);
    match kind(to) {
        _ if document.tasks[b].all_stories => true,
        PhaseKind::Polish => true,
        PhaseKind::Foundation | PhaseKind::Story => {
            matches!(kind(from), PhaseKind::Setup | PhaseKind::Foundation)
        }
        PhaseKind::Setup | PhaseKind::Other => !between(),
    }
}

fn closure(count: usize, pairs: &BTreeSet<(usize, usize)>) -> BTreeSet<(usize, usize)> {
    let mut reach = vec![vec![false; count]; count];
    for (a, b) in pairs {
        reach[*a][*b] = true;
    }
    for k in 0..count {
        for i in 0..count {
            for j in 0..count {
                reach[i][j] |= reach[i][k] && reach[k][j];
            }
        }
    }
    (0..count).flat_map(|a| (0..count).map(move |b| (a, b))).filter(|(a, b)| reach[*a][*b]).collect()
}

fn number(id: &str) -> usize {
    id[1..].parse().unwrap()
}

/// Whether two paths are the same or one is above the other.
fn touch(a: &str, b: &str) -> bool {
    let under =
        |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    under(a, b) || under(b, a)
}

fn graph_options() -> Options {
    Options { mode: Mode::Graph, ..Options::default() }
}

fn try_plan(text: &str, options: &Options) -> Option<Plan> {
    plan(document(text), options).ok().map(|(plan, _)| plan)
}

/// Without marks that make a dependency an error, so that most texts have a plan.
fn open(text: &str) -> String {
    text.replace("[~]", "[ ]").replace("[ ]*", "[ ]")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2 * ProptestConfig::default().cases) })]

    #[test]
    fn gates_say_what_the_rules_say_pair_by_pair(text in texts()) {
        let text = open(&text);
        let document = document(&text);
        let Some(explicit) = explicit(&document) else { return Ok(()) };
        let order = first_order(document.tasks.len(), &explicit);
        let plan = try_plan(&text, &graph_options());
        prop_assert_eq!(order.is_some(), plan.is_some());
        let (Some(order), Some(plan)) = (order, plan) else { return Ok(()) };
        let wanted = closure(document.tasks.len(), &oracle(&document, &order, &explicit));
        let made: BTreeSet<_> = before(&plan, true).iter().map(|(a, b)| (number(a), number(b))).collect();
        let missing: Vec<_> = wanted.difference(&made).collect();
        let surplus: Vec<_> = made.difference(&wanted).collect();
        prop_assert!(missing.is_empty() && surplus.is_empty(), "{text}\nmissing {missing:?}\nsurplus {surplus:?}");
    }

    #[test]
    fn every_plan_is_free_of_circles_and_the_same_each_time(text in texts(), mode in 0..4usize, tdd: bool) {
        let mode = [Mode::Sequential, Mode::Parallel, Mode::Stories, Mode::Graph][mode];
        let options = Options { mode, tdd, ..Options::default() };
        let Some(plan) = try_plan(&text, &options) else { return Ok(()) };
        prop_assert!(order::Order::smallest(&plan.graph, |task| u64::from(task.0), |_| false).is_ok());
        let again = try_plan(&text, &options).unwrap();
        prop_assert_eq!(plan.graph.edges(), again.graph.edges());
        prop_assert_eq!(&plan.planned, &again.planned);
    }

    #[test]
    fn two_tasks_that_name_one_file_are_never_unordered(text in texts()) {
        let Some(plan) = try_plan(&open(&text), &graph_options()) else { return Ok(()) };
        let ordered = before(&plan, false);
        for (n, a) in plan.tasks.iter().enumerate() {
            for b in &plan.tasks[n + 1..] {
                let meet = a.files.iter().any(|a| b.files.iter().any(|b| touch(&a.path, &b.path)));
                let (a, b) = (a.id.to_string(), b.id.to_string());
                let either = ordered.contains(&(a.clone(), b.clone())) || ordered.contains(&(b.clone(), a.clone()));
                prop_assert!(!meet || either, "{a} {b}\n{text}");
            }
        }
    }

    #[test]
    fn what_was_seen_counts_like_what_is_named_and_is_told_apart(
        text in texts(),
        seen in prop::collection::vec((0..20usize, 1..4usize, any::<bool>()), 0..12),
    ) {
        const PATHS: [&str; 4] = ["", "src/a.rs", "src/m/c.rs", "src/m/d.rs"];
        let text = open(&text);
        let document = document(&text);
        let observed: Vec<Observed> = seen
            .iter()
            .filter_map(|(task, path, same)| {
                let task = document.tasks.get(*task)?;
                let title = if *same { observed::title_mark(&task.title) } else { 0 };
                Some(Observed { task: task.id.clone(), title, files: vec![PATHS[*path].to_owned()], run: "r".to_owned() })
            })
            .collect();
        let options = Options { observed_files: observed.clone(), ..graph_options() };
        let Some(plan) = try_plan(&text, &options) else { return Ok(()) };
        prop_assert!(order::Order::smallest(&plan.graph, |task| u64::from(task.0), |_| false).is_ok());
        // The last that is told of a task counts.
        let writes = |task: &Task, by_line: bool| -> Vec<String> {
            let seen = observed.iter().rev().find(|seen| seen.task == task.id).filter(|seen| seen.is_of(task));
            let seen = seen.filter(|_| !by_line).into_iter().flat_map(|seen| seen.files.clone());
            task.files.iter().map(|file| file.path.clone()).chain(seen).collect()
        };
        let meet = |a: &Task, b: &Task, by_line: bool| {
            writes(a, by_line).iter().any(|a| writes(b, by_line).iter().any(|b| touch(a, b)))
        };
        let ordered = before(&plan, false);
        for a in plan.task_ixs() {
            for b in plan.task_ixs().filter(|b| a < *b) {
                let (first, then) = (plan.task(a), plan.task(b));
                let ids = (first.id.to_string(), then.id.to_string());
                let either = ordered.contains(&ids) || ordered.contains(&(ids.1.clone(), ids.0.clone()));
                let is_group = first.is_group || then.is_group;
                prop_assert!(either || is_group || !meet(first, then, false), "{} {}\n{}", first.id, then.id, text);
            }
            for link in plan.waits_for(a).iter().filter(|link| link.reason == Reason::File) {
                let by_line = meet(plan.task(link.task), plan.task(a), true);
                prop_assert!(plan.sighting(link.task, a).is_some() || by_line, "{}", text);
                prop_assert!(meet(plan.task(link.task), plan.task(a), false), "{}", text);
            }
        }
    }

    #[test]
    fn every_edge_has_a_true_reason(text in texts()) {
        let Some(plan) = try_plan(&text, &graph_options()) else { return Ok(()) };
        let document = document(&text);
        let lanes: Vec<_> = (0..plan.tasks.len()).map(|n| lanes_of(&document, n)).collect();
        for task in plan.task_ixs() {
            for link in plan.waits_for(task) {
                let (a, b) = (plan.task(link.task), plan.task(task));
                let share = !lanes[link.task.ix()].is_disjoint(&lanes[task.ix()]);
                let holds = match link.reason {
                    Reason::Explicit => document.needs.iter().any(|need| {
                        need.dependent == Dependent::Task(task) && need.need == Target::Id(a.id.as_str().into())
                    }),
                    Reason::Lane => share,
                    Reason::Checkpoint => a.checkpoint || b.checkpoint || (share && !document.checkpoints.is_empty()),
                    Reason::Phase => a.phase != b.phase || b.all_stories,
                    Reason::File => a.files.iter().any(|a| b.files.iter().any(|b| touch(&a.path, &b.path))),
                    Reason::Prose => document.needs.iter().any(|need| need.line == link.line),
                    _ => false,
                };
                let kind = matches!(link.reason, Reason::File | Reason::Prose | Reason::Mode);
                prop_assert!(holds, "{:?} {} {}\n{}", link, a.id, b.id, text);
                prop_assert_eq!(link.kind == EdgeKind::After, kind);
                prop_assert!(link.line >= 1 && link.line as usize <= text.lines().count());
            }
        }
    }

    #[test]
    fn a_selection_with_needs_holds_all_it_needs(text in texts(), chosen in 0..20usize) {
        let only = vec![format!("T{chosen}")];
        let selection = Selection { only, with_needs: true, ..Selection::default() };
        let Some(plan) = try_plan(&text, &Options { selection, ..graph_options() }) else { return Ok(()) };
        let needed = before(&plan, true);
        let selected = |id: &str| plan.planned(plan.find(id).unwrap()).role;
        for (a, b) in &needed {
            let (a, b) = (selected(a), selected(b));
            prop_assert!(b != Role::Run || a != Role::LeftOut(LeftOut::NotSelected), "{}", text);
        }
        // Without it the same is an error, or nothing was missing.
        let selection = Selection { only: vec![format!("T{chosen}")], ..Selection::default() };
        let narrow = try_plan(&text, &Options { selection, ..graph_options() });
        prop_assert_eq!(narrow.is_some(), plan.runnable().count() <= 1);
    }
}
