//! Who may run beside whom (SPEC 3.2), in time that grows with a task's lanes and not with what runs.
//!
//! All modes are one rule over *classes* of tasks: two tasks conflict unless both have `[P]`, if they share a lane
//! or one of them is *global*, that is in a lane of no story. `--parallel` makes every task global; sequential makes
//! none of them `[P]` as well; `--parallel=graph` makes all of them `[P]`. Knows no edges and no states.

use crate::plan::{LaneIx, Mode, Plan};
use crate::task::{Few, TaskIx};
use foldhash::HashMap;

/// Tasks of one class are interchangeable for the rule.
pub(super) type ClassIx = u32;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Class {
    parallel: bool,
    /// Story lanes; empty means global.
    lanes: Few<LaneIx>,
}

impl Class {
    fn is_global(&self) -> bool {
        self.lanes.is_empty()
    }
}

/// A bag of tasks (those that run, or those that wait to run alone) and who may join it.
#[derive(Clone, Debug, Default)]
struct Bag {
    all: Count,
    global: Count,
    by_lane: Vec<Count>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    tasks: u32,
    /// Those without `[P]`.
    serial: u32,
}

impl Count {
    fn change(&mut self, class: &Class, by: i32) {
        self.tasks = self.tasks.saturating_add_signed(by);
        if !class.parallel {
            self.serial = self.serial.saturating_add_signed(by);
        }
    }

    fn lets(self, class: &Class) -> bool {
        if class.parallel { self.serial == 0 } else { self.tasks == 0 }
    }
}

impl Bag {
    fn new(lanes: usize) -> Bag {
        Bag { by_lane: vec![Count::default(); lanes], ..Bag::default() }
    }

    fn change(&mut self, class: &Class, by: i32) {
        self.all.change(class, by);
        if class.is_global() {
            self.global.change(class, by);
        }
        for lane in &class.lanes {
            self.by_lane[lane.0 as usize].change(class, by);
        }
    }

    fn lets(&self, class: &Class) -> bool {
        if class.is_global() {
            return self.all.lets(class);
        }
        self.global.lets(class) && class.lanes.iter().all(|lane| self.by_lane[lane.0 as usize].lets(class))
    }
}

#[derive(Clone, Debug)]
pub(super) struct Overlap {
    classes: Vec<Class>,
    class_of: Vec<ClassIx>,
    running: Bag,
    /// Better tasks that wait for others to end: nothing that would delay them further may start.
    waiting: Bag,
    waiting_classes: Vec<ClassIx>,
}

impl Overlap {
    pub(super) fn new(plan: &Plan) -> Overlap {
        let mut classes = Vec::new();
        let mut known: HashMap<Class, ClassIx> = HashMap::default();
        let class_of = plan
            .task_ixs()
            .map(|task| {
                let class = class(plan, task);
                *known.entry(class).or_insert_with_key(|class| {
                    classes.push(class.clone());
                    classes.len() as ClassIx - 1
                })
            })
            .collect();
        let bag = || Bag::new(plan.lanes.len());
        Overlap { classes, class_of, running: bag(), waiting: bag(), waiting_classes: Vec::new() }
    }

    pub(super) fn class_count(&self) -> usize {
        self.classes.len()
    }

    pub(super) fn class(&self, task: TaskIx) -> ClassIx {
        self.class_of[task.ix()]
    }

    pub(super) fn start(&mut self, task: TaskIx) {
        self.running.change(&self.classes[self.class(task) as usize], 1);
    }

    pub(super) fn end(&mut self, task: TaskIx) {
        self.running.change(&self.classes[self.class(task) as usize], -1);
    }

    /// Whether a task of `class` may start beside what runs and without delaying what waits to run alone.
    pub(super) fn may_start(&self, class: ClassIx) -> bool {
        let class = &self.classes[class as usize];
        self.running.lets(class) && self.waiting.lets(class)
    }

    /// Notes that the best task of `class` has to wait. True if so must every task of any class.
    pub(super) fn wait(&mut self, class: ClassIx) -> bool {
        self.waiting_classes.push(class);
        let class = &self.classes[class as usize];
        self.waiting.change(class, 1);
        class.is_global() && !class.parallel
    }

    /// Forgets who waits.
    pub(super) fn clear_waiting(&mut self) {
        while let Some(class) = self.waiting_classes.pop() {
            self.waiting.change(&self.classes[class as usize], -1);
        }
    }

    /// Whether the two may never run side by side.
    pub(super) fn conflict(&self, a: TaskIx, b: TaskIx) -> bool {
        let (a, b) = (&self.classes[self.class(a) as usize], &self.classes[self.class(b) as usize]);
        let meet = a.is_global() || b.is_global() || a.lanes.iter().any(|lane| b.lanes.contains(lane));
        meet && !(a.parallel && b.parallel)
    }
}

fn class(plan: &Plan, task: TaskIx) -> Class {
    let parallel = match plan.mode {
        Mode::Sequential => false,
        Mode::Parallel | Mode::Stories => plan.task(task).parallel,
        Mode::Graph => true,
    };
    let lanes = &plan.planned(task).lanes;
    let in_stories =
        plan.mode == Mode::Stories && lanes.iter().all(|lane| plan.lanes[lane.0 as usize].is_story);
    let lanes = if in_stories { lanes.clone() } else { Few::new() };
    Class { parallel, lanes }
}
