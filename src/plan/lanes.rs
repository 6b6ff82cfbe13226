//! Which lanes a task is in, which stretch of the file it stands in, and where barriers cut a lane.
//!
//! Knows phases, stories and checkpoints; adds no edge. A *stretch* is a phase, or what stands before the first
//! heading (stretch 0).

use super::{Lane, LaneIx};
use crate::task::{Document, Few, Phase, PhaseKind, Story, Task, TaskIx};
use std::collections::HashMap;

/// Lanes that checkpoint tasks may bar beyond their own, altogether. A phase with many stories and many checkpoint
/// tasks would otherwise make their product.
const BARRED: usize = 1 << 18;

/// Where everything stands.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) lanes: Vec<Lane>,
    /// Lanes per task; empty for groups.
    pub(super) of: Vec<Few<LaneIx>>,
    /// Stretch per task.
    pub(super) stretch: Vec<u32>,
    /// Per stretch.
    pub(super) kinds: Vec<PhaseKind>,
    /// The line of its heading.
    pub(super) lines: Vec<u32>,
    /// The stretch before it that holds tasks.
    pub(super) previous: Vec<Option<u32>>,
    /// Lanes that a checkpoint task bars beside its own.
    pub(super) bars: HashMap<TaskIx, Vec<LaneIx>>,
    /// Per lane: tasks that stand before a checkpoint line, and the line; ascending.
    pub(super) cuts: Vec<Vec<(u32, u32)>>,
}

impl Layout {
    pub(super) fn new(document: &Document) -> Layout {
        let mut lanes = Lanes::default();
        let of = document.tasks.iter().map(|task| lanes.of(task, document)).collect();
        let mut layout = Layout {
            cuts: vec![Vec::new(); lanes.list.len()],
            lanes: lanes.list,
            of,
            stretch: document.tasks.iter().map(stretch).collect(),
            kinds: std::iter::once(first_kind(document))
                .chain(document.phases.iter().map(|p| p.kind))
                .collect(),
            lines: std::iter::once(0).chain(document.phases.iter().map(|phase| phase.line)).collect(),
            previous: Vec::new(),
            bars: HashMap::new(),
        };
        layout.previous = layout.previous_stretches(document);
        layout.find_barriers(document);
        layout
    }

    pub(super) fn stretch(&self, task: TaskIx) -> usize {
        self.stretch[task.ix()] as usize
    }

    pub(super) fn kind(&self, task: TaskIx) -> PhaseKind {
        self.kinds[self.stretch(task)]
    }

    pub(super) fn lanes(&self, task: TaskIx) -> &[LaneIx] {
        &self.of[task.ix()]
    }

    /// How many checkpoint lines of the lane stand before the task.
    pub(super) fn level(&self, lane: LaneIx, task: TaskIx) -> usize {
        self.cuts[lane.0 as usize].partition_point(|(after, _)| *after <= task.0)
    }

    fn previous_stretches(&self, document: &Document) -> Vec<Option<u32>> {
        let mut holds = vec![false; self.kinds.len()];
        for (task, stretch) in document.tasks.iter().zip(&self.stretch) {
            holds[*stretch as usize] |= !task.is_group;
        }
        let mut last = None;
        let next = |(n, holds): (usize, &bool)| {
            let before = last;
            last = if *holds { Some(n as u32) } else { last };
            before
        };
        holds.iter().enumerate().map(next).collect()
    }

    /// A checkpoint bars the lanes of the tasks before it in its stretch.
    fn find_barriers(&mut self, document: &Document) {
        let mut lines = document.checkpoints.iter().peekable();
        let mut seen = Seen::new(self.lanes.len());
        let mut barred = 0;
        for (n, task) in document.tasks.iter().enumerate() {
            while let Some(line) = lines.next_if(|line| line.after_tasks as usize <= n) {
                let stretch = line.phase.map_or(0, |phase| phase.0 + 1);
                seen.cut(stretch, line.after_tasks, line.line, &mut self.cuts);
            }
            let stretch = self.stretch[n];
            let is_barrier = task.checkpoint && !task.is_group;
            if task.checkpoint && task.is_group {
                // A checkpoint that holds tasks comes before and after them as a line would.
                seen.cut(stretch, n as u32, task.line, &mut self.cuts);
                let end = last_within(document, n);
                seen.pending.push((end as u32 + 1, stretch, task.line));
            }
            while let Some((after, stretch, line)) = seen.pending.pop_if(|(after, ..)| *after as usize <= n) {
                seen.cut(stretch, after, line, &mut self.cuts);
            }
            if is_barrier && barred < BARRED {
                let others = seen.others(stretch, &self.of[n]);
                barred += others.len();
                self.bars.insert(TaskIx(n as u32), others);
            }
            seen.add(stretch, &self.of[n]);
        }
    }
}

/// The last task within a group.
fn last_within(document: &Document, group: usize) -> usize {
    let mut last = group;
    let inside = |task: &Task, last: usize| {
        task.group.is_some_and(|parent| parent.ix() >= group && parent.ix() <= last)
    };
    while document.tasks.get(last + 1).is_some_and(|task| inside(task, last)) {
        last += 1;
    }
    last
}

/// The lanes met so far in the stretch being read.
struct Seen {
    stretch: u32,
    all: Vec<LaneIx>,
    is_in_all: Vec<u32>,
    /// Those that got a task since the last cut: another cut would add nothing to the rest.
    fresh: Vec<LaneIx>,
    /// Cuts to make once this many tasks were read: ends of checkpoint groups.
    pending: Vec<(u32, u32, u32)>,
    /// Counts stretches, so that `is_in_all` needs no clearing.
    turn: u32,
}

impl Seen {
    fn new(lanes: usize) -> Seen {
        Seen {
            stretch: 0,
            all: Vec::new(),
            is_in_all: vec![0; lanes],
            fresh: Vec::new(),
            pending: Vec::new(),
            turn: 1,
        }
    }

    fn turn_to(&mut self, stretch: u32) {
        if self.stretch != stretch {
            (self.stretch, self.turn) = (stretch, self.turn + 1);
            self.all.clear();
            self.fresh.clear();
        }
    }

    fn add(&mut self, stretch: u32, lanes: &[LaneIx]) {
        self.turn_to(stretch);
        for lane in lanes {
            if self.is_in_all[lane.0 as usize] != self.turn {
                self.is_in_all[lane.0 as usize] = self.turn;
                self.all.push(*lane);
            }
            if !self.fresh.contains(lane) {
                self.fresh.push(*lane);
            }
        }
    }

    fn cut(&mut self, stretch: u32, after: u32, line: u32, cuts: &mut [Vec<(u32, u32)>]) {
        if stretch == self.stretch {
            self.fresh.drain(..).for_each(|lane| cuts[lane.0 as usize].push((after, line)));
        }
    }

    fn others(&mut self, stretch: u32, own: &[LaneIx]) -> Vec<LaneIx> {
        self.turn_to(stretch);
        self.all.iter().copied().filter(|lane| !own.contains(lane)).collect()
    }
}

/// The lanes, in order of their first task.
#[derive(Default)]
struct Lanes {
    list: Vec<Lane>,
    stories: HashMap<String, LaneIx>,
    stretches: foldhash::HashMap<u32, LaneIx>,
    /// Each lane alone, as nearly all tasks have it.
    alone: Vec<Few<LaneIx>>,
}

impl Lanes {
    fn of(&mut self, task: &Task, document: &Document) -> Few<LaneIx> {
        let phase = task.phase.and_then(|phase| document.phases.get(phase.0 as usize));
        match (task, phase) {
            _ if task.is_group => Few::new(),
            _ if !task.all_stories && !task.stories.is_empty() => {
                let lanes = self.of_stories(&task.stories);
                self.shared(lanes)
            }
            (_, Some(phase)) if is_story(phase) => {
                let mut lanes = self.of_stories(&phase.stories);
                // Work for every story is not only this one's: the phase's own lane says so.
                lanes.extend(task.all_stories.then(|| self.of_stretch(stretch(task), Some(phase))));
                self.shared(lanes)
            }
            _ => {
                let lane = self.of_stretch(stretch(task), phase);
                self.alone(lane)
            }
        }
    }

    fn shared(&mut self, lanes: Vec<LaneIx>) -> Few<LaneIx> {
        if let [lane] = lanes[..] { self.alone(lane) } else { lanes.into() }
    }

    fn alone(&mut self, lane: LaneIx) -> Few<LaneIx> {
        let known = self.alone.len() as u32;
        self.alone.extend((known..=lane.0).map(|lane| Few::from(vec![LaneIx(lane)])));
        self.alone[lane.0 as usize].clone()
    }

    fn of_stories(&mut self, stories: &[Story]) -> Vec<LaneIx> {
        let mut lanes: Vec<LaneIx> = stories.iter().map(|story| self.of_story(story)).collect();
        lanes.sort_unstable();
        lanes.dedup();
        lanes
    }

    fn of_story(&mut self, story: &Story) -> LaneIx {
        let next = LaneIx(self.list.len() as u32);
        *self.stories.entry(story.0.to_lowercase()).or_insert_with(|| {
            self.list.push(Lane { name: story.0.clone(), is_story: true });
            next
        })
    }

    fn of_stretch(&mut self, stretch: u32, phase: Option<&Phase>) -> LaneIx {
        let next = LaneIx(self.list.len() as u32);
        *self.stretches.entry(stretch).or_insert_with(|| {
            let name = phase.map_or_else(|| "tasks".to_owned(), |phase| phase.title.clone());
            self.list.push(Lane { name, is_story: false });
            next
        })
    }
}

fn stretch(task: &Task) -> u32 {
    task.phase.map_or(0, |phase| phase.0 + 1)
}

/// Whether a task without a story of its own belongs to the phase's.
pub(super) fn is_story(phase: &Phase) -> bool {
    phase.kind == PhaseKind::Story && !phase.stories.is_empty()
}

/// What stands before the first heading prepares what follows, so everything that needs a setup needs it.
fn first_kind(document: &Document) -> PhaseKind {
    if document.phases.is_empty() { PhaseKind::Other } else { PhaseKind::Setup }
}
