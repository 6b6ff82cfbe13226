//! The rules of SPEC 3.1 that state `Needs`, one function each, strongest first.
//!
//! Explicit edges go where they are told. All others are read off the file in the order that explicit edges leave: a
//! task that depends on a later one counts as standing behind it. So every other edge goes forward in that order, and
//! no rule can close a circle.

use super::draft::{Cause, Draft, Pool, Prefix, pool_of};
use super::graph::NodeIx;
use super::lanes::Layout;
use super::order::Order;
use super::resolve::{Ends, Needs};
use super::{Reason, estimate};
use crate::task::{Document, NeedForm, PhaseKind, TaskIx};
use std::collections::HashMap;
use std::rc::Rc;

/// What the rules read.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) document: &'a Document,
    pub(super) layout: &'a Layout,
    pub(super) order: &'a Order,
}

impl Ground<'_> {
    /// The tasks that are no groups, in the order that explicit edges leave.
    pub(super) fn sequence(&self) -> impl Iterator<Item = TaskIx> + '_ {
        self.order.sequence.iter().copied().filter(|task| !self.document.task(*task).is_group)
    }

    /// Whether that order is the file's.
    fn is_file_order(&self) -> bool {
        self.sequence().is_sorted()
    }
}

/// Rule 1: what was stated on a task, in a field or by waves; what a group needs, and what a group is made of.
pub(super) fn explicit(draft: &mut Draft, document: &Document, needs: &Needs) {
    let mut groups = Groups { inherit: vec![None; document.tasks.len()], document };
    let mut gates: HashMap<*const TaskIx, NodeIx> = HashMap::new();
    for need in needs.list.iter().filter(|need| need.form != NeedForm::Prose) {
        let cause = Cause::needs(need.form.into(), need.line);
        for dependent in need.dependent.tasks() {
            match &need.on {
                Ends::Many(many) if !document.task(*dependent).is_group => {
                    let gate = shared_gate(draft, &mut gates, many, cause);
                    draft.link(gate, *dependent, cause);
                }
                ends => ends.tasks().iter().for_each(|need| groups.link(draft, *need, *dependent, cause)),
            }
        }
    }
    let cause = Cause::needs(Reason::Waves, needs.waves_line);
    for pair in needs.waves.windows(2) {
        let Some(before) = pool_of(pair[0].iter().copied()).node(draft, cause) else { continue };
        pair[1].iter().for_each(|task| groups.link(draft, before, *task, cause));
    }
    groups.finish(draft);
}

/// One gate for all tasks that name the same range, story or phase.
fn shared_gate(
    draft: &mut Draft,
    gates: &mut HashMap<*const TaskIx, NodeIx>,
    many: &Rc<[TaskIx]>,
    cause: Cause,
) -> NodeIx {
    *gates.entry(many.as_ptr()).or_insert_with(|| {
        let gate = draft.gate();
        many.iter().for_each(|task| draft.link(*task, gate, cause));
        gate
    })
}

/// A group is settled behind all it holds, and what it needs they need.
struct Groups<'a> {
    /// Per group the gate through which its needs reach what it holds.
    inherit: Vec<Option<NodeIx>>,
    document: &'a Document,
}

impl Groups<'_> {
    fn link(&mut self, draft: &mut Draft, need: impl Into<NodeIx>, dependent: TaskIx, cause: Cause) {
        let need = need.into();
        if self.holds(dependent, need) {
            return;
        }
        draft.link(need, dependent, cause);
        if self.document.task(dependent).is_group {
            let gate = *self.inherit[dependent.ix()].get_or_insert_with(|| draft.gate());
            draft.link(need, gate, cause);
        }
    }

    /// Whether `node` is a task within `group`: that a group needs its own part goes without saying.
    fn holds(&self, group: TaskIx, node: NodeIx) -> bool {
        let mut at = self.document.tasks.get(node.ix()).and_then(|task| task.group);
        while let Some(parent) = at {
            if parent == group {
                return true;
            }
            // Groups stand before what they hold, so this ends.
            at = self.document.task(parent).group.filter(|next| *next < parent);
        }
        false
    }

    fn finish(mut self, draft: &mut Draft) {
        for (n, task) in self.document.tasks.iter().enumerate() {
            let (own, Some(group)) = (TaskIx(n as u32), task.group.filter(|group| group.ix() < n)) else {
                continue;
            };
            let cause = Cause::needs(Reason::Group, task.line);
            draft.link(own, group, cause);
            let Some(gate) = self.inherit[group.ix()] else { continue };
            if task.is_group {
                let inner = *self.inherit[n].get_or_insert_with(|| draft.gate());
                draft.link(gate, inner, cause);
            } else {
                draft.link(gate, own, cause);
            }
        }
    }
}

/// `--tdd`: a story's test tasks come before its other tasks. `ground` holds an order that puts tests first.
pub(super) fn tests_first(draft: &mut Draft, ground: Ground<'_>) {
    let mut tests: Vec<Pool> = vec![Pool::default(); ground.layout.lanes.len()];
    for task in ground.sequence() {
        let written = ground.document.task(task);
        let is_test = estimate::writes_tests(written);
        for lane in ground.layout.lanes(task) {
            let pool = &mut tests[lane.0 as usize];
            if !ground.layout.lanes[lane.0 as usize].is_story {
                continue;
            }
            let cause = Cause::needs(Reason::Tdd, written.line);
            if is_test {
                pool.add(task);
            } else if let Some(node) = pool.node(draft, cause) {
                draft.link(node, task, cause);
            }
        }
    }
}

/// The two ends of each lane within each stretch, so that phases need not name what lies between.
#[derive(Clone, Debug)]
pub(super) struct LaneEnds {
    /// Per task: nothing of its lanes in its stretch needs it.
    last: Vec<bool>,
    /// Per task: it needs nothing of its lanes in its stretch.
    first: Vec<bool>,
}

/// Rules 2 and 4: each lane from its start, with checkpoints as barriers in it.
pub(super) fn lanes(draft: &mut Draft, ground: Ground<'_>) -> LaneEnds {
    let tasks = ground.document.tasks.len();
    let mut ends = LaneEnds { last: vec![true; tasks], first: vec![true; tasks] };
    let mut walks: Vec<Walk> = (0..ground.layout.lanes.len()).map(|_| Walk::default()).collect();
    for task in ground.sequence() {
        let barred = ground.layout.bars.get(&task).map_or(&[][..], Vec::as_slice);
        for lane in ground.layout.lanes(task).iter().chain(barred) {
            let walk = &mut walks[lane.0 as usize];
            walk.cuts(draft, &ground.layout.cuts[lane.0 as usize], task);
            walk.step(draft, ground, task, &mut ends);
        }
    }
    ends
}

/// A lane read up to some task.
#[derive(Default)]
struct Walk {
    /// The last task without `[P]`, or barrier: everything before it comes before it.
    joint: Option<(NodeIx, Cause)>,
    /// The `[P]` tasks since then.
    run: Vec<TaskIx>,
    cuts: usize,
}

impl Walk {
    /// The checkpoint lines that stand before `task`.
    fn cuts(&mut self, draft: &mut Draft, cuts: &[(u32, u32)], task: TaskIx) {
        while let Some((_, line)) = cuts.get(self.cuts).filter(|(after, _)| *after <= task.0) {
            self.cuts += 1;
            let cause = Cause::needs(Reason::Checkpoint, *line);
            if self.run.is_empty() {
                self.joint = self.joint.map(|(joint, _)| (joint, cause));
                continue;
            }
            let gate = pool_of(self.run.drain(..)).node(draft, cause);
            self.joint = gate.map(|gate| (gate, cause));
        }
    }

    fn step(&mut self, draft: &mut Draft, ground: Ground<'_>, task: TaskIx, ends: &mut LaneEnds) {
        let written = ground.document.task(task);
        let is_barrier = written.checkpoint;
        let own = Cause::needs(if is_barrier { Reason::Checkpoint } else { Reason::Lane }, written.line);
        let stretch = ground.layout.stretch(task);
        let mut link = |from: NodeIx, cause: Cause| {
            draft.link(from, task, cause);
            if ground.layout.stretch.get(from.ix()).is_some_and(|other| *other as usize == stretch) {
                ends.last[from.ix()] = false;
                ends.first[task.ix()] = false;
            }
        };
        if let Some((joint, cause)) = self.joint {
            link(joint, if is_barrier || cause.reason == Reason::Lane { own } else { cause });
        }
        if written.parallel && !is_barrier {
            self.run.push(task);
            return;
        }
        self.run.drain(..).for_each(|before| link(before.into(), own));
        self.joint = Some((task.into(), Cause { line: written.line, ..own }));
    }
}

/// Rule 3: foundation needs setup; stories need setup and foundation; polish and `[ALL]` need every lane before them;
/// any other phase needs the phase before.
pub(super) fn phases(draft: &mut Draft, ground: Ground<'_>, ends: &LaneEnds) {
    let mut sweep = Sweep::new(ground.layout.kinds.len());
    let short = ground.is_file_order();
    for task in ground.sequence() {
        let all = ground.document.task(task).all_stories;
        if all || !short || ends.first[task.ix()] {
            sweep.ask(draft, ground, task, all);
        }
        sweep.give(ground, task, !short || ends.last[task.ix()]);
    }
}

/// What was met so far, by stretch.
struct Sweep {
    /// Setup and foundation.
    base: Prefix,
    all: Prefix,
    own: Vec<Pool>,
    /// Tasks of other lanes than their stretch's own.
    others: Vec<Pool>,
}

impl Sweep {
    fn new(stretches: usize) -> Sweep {
        Sweep {
            base: Prefix::new(stretches),
            all: Prefix::new(stretches),
            own: vec![Pool::default(); stretches],
            others: vec![Pool::default(); stretches],
        }
    }

    fn ask(&mut self, draft: &mut Draft, ground: Ground<'_>, task: TaskIx, all: bool) {
        let layout = ground.layout;
        let stretch = layout.stretch(task);
        let line = if all { ground.document.task(task).line } else { layout.lines[stretch] };
        let cause = Cause::needs(Reason::Phase, line);
        let before = match layout.kind(task) {
            _ if all => self.all.before(stretch, draft, cause),
            PhaseKind::Polish => self.all.before(stretch, draft, cause),
            PhaseKind::Foundation | PhaseKind::Story => self.base.before(stretch, draft, cause),
            PhaseKind::Setup | PhaseKind::Other => {
                layout.previous[stretch].and_then(|previous| self.own[previous as usize].node(draft, cause))
            }
        };
        let beside = if all { self.others[stretch].node(draft, cause) } else { None };
        for node in before.into_iter().chain(beside) {
            draft.link(node, task, cause);
        }
    }

    /// `is_last`: something of its own lane and stretch stands for the task from here on.
    fn give(&mut self, ground: Ground<'_>, task: TaskIx, is_last: bool) {
        let stretch = ground.layout.stretch(task);
        if !in_lane_of_stretch(ground, task) {
            self.others[stretch].add(task);
        }
        if !is_last {
            return;
        }
        self.own[stretch].add(task);
        self.all.add(stretch, task);
        if matches!(ground.layout.kinds[stretch], PhaseKind::Setup | PhaseKind::Foundation) {
            self.base.add(stretch, task);
        }
    }
}

/// Whether the task is in the lane that an `[ALL]` task of its stretch is in.
fn in_lane_of_stretch(ground: Ground<'_>, task: TaskIx) -> bool {
    let written = ground.document.task(task);
    let phase = written.phase.and_then(|phase| ground.document.phases.get(phase.0 as usize));
    match phase {
        _ if written.all_stories || written.stories.is_empty() => true,
        Some(phase) if super::lanes::is_story(phase) => written
            .stories
            .iter()
            .any(|story| phase.stories.iter().any(|own| super::same_story(own, &story.0))),
        _ => false,
    }
}

/// Rule 6: `L1` needs every `L0`, and so on. `ground` holds an order that puts lower layers first.
pub(super) fn layers(draft: &mut Draft, ground: Ground<'_>) {
    let mut below = Prefix::new(usize::from(u8::MAX) + 1);
    for task in ground.sequence() {
        let written = ground.document.task(task);
        let Some(layer) = written.more.layer.map(usize::from) else { continue };
        let cause = Cause::needs(Reason::Layer, written.line);
        if let Some(node) = below.before(layer, draft, cause) {
            draft.link(node, task, cause);
        }
        below.add(layer, task);
    }
}
