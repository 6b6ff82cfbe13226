//! Who may run beside whom (SPEC 3.2), in time that grows with a task's lanes and not with what runs.
//!
//! All modes are one rule over *classes* of tasks: two tasks conflict unless both have `[P]`, if they share a lane
//! or one of them is *global*, that is in a lane of no story. `--parallel` makes every task global; sequential makes
//! none of them `[P]` as well; `--parallel=graph` makes all of them `[P]`. Knows no edges and no states.
//!
//! Besides, two tasks never run side by side that work on a *contested* path: one over which an attempt of this run was
//! found to be at odds with another (SPEC 3.2). What tasks name alone is kept apart by the plan's edges.

use super::staff::Seat;
use crate::plan::{LaneIx, Mode, Plan};
use crate::task::{Few, TaskIx};
use foldhash::HashMap;

/// Tasks of one class are interchangeable for the rule.
pub(super) type ClassIx = u32;

/// Position of a contested path.
type PathIx = u32;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Class {
    parallel: bool,
    /// Story lanes; empty means global.
    lanes: Few<LaneIx>,
    /// Ascending.
    contested: Few<PathIx>,
    /// Which agent does it. Bears on nobody else: it only keeps apart who may start from who may not.
    seat: Option<Seat>,
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

/// A path over which attempts were at odds.
#[derive(Clone, Debug)]
struct Contested {
    path: String,
    /// How many work on it now, and how many better ones wait to.
    running: u32,
    waiting: u32,
}

/// A task whose class changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) task: TaskIx,
    pub(super) from: ClassIx,
    pub(super) to: ClassIx,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Overlap {
    classes: Vec<Class>,
    known: HashMap<Class, ClassIx>,
    contested: Vec<Contested>,
    by_path: HashMap<String, PathIx>,
    /// Who works on which path, made when the first one is contested: most runs see none.
    works_on: Option<HashMap<String, Vec<TaskIx>>>,
    class_of: Vec<ClassIx>,
    running: Bag,
    /// Better tasks that wait for others to end: nothing that would delay them further may start.
    waiting: Bag,
    waiting_classes: Vec<ClassIx>,
}

impl Overlap {
    /// `seat` tells which agent does a task.
    pub(super) fn new(plan: &Plan, seat: impl Fn(TaskIx) -> Option<Seat>) -> Overlap {
        let bag = || Bag::new(plan.lanes.len());
        let mut overlap = Overlap {
            classes: Vec::new(),
            known: HashMap::default(),
            contested: Vec::new(),
            by_path: HashMap::default(),
            works_on: None,
            class_of: Vec::new(),
            running: bag(),
            waiting: bag(),
            waiting_classes: Vec::new(),
        };
        overlap.class_of =
            plan.task_ixs().map(|task| overlap.known_class(class(plan, seat(task), task))).collect();
        overlap
    }

    fn known_class(&mut self, class: Class) -> ClassIx {
        let Overlap { known, classes, .. } = self;
        *known.entry(class).or_insert_with_key(|class| {
            classes.push(class.clone());
            classes.len() as ClassIx - 1
        })
    }

    /// `task` was found to write `path`, at odds with another. From now on nothing that works on it runs beside what
    /// does. Returns whose class changed; `is_running` tells who runs.
    ///
    /// Each task comes to each contested path it works on once, so all calls together take no longer than reading all
    /// paths does.
    pub(super) fn contest(
        &mut self,
        plan: &Plan,
        task: TaskIx,
        path: &str,
        is_running: impl Fn(TaskIx) -> bool,
    ) -> Vec<Moved> {
        let works_on = self.works_on.get_or_insert_with(|| works_on(plan));
        let own = works_on.entry(path.to_owned()).or_default();
        if !own.contains(&task) {
            own.push(task);
        }
        let above = path.match_indices('/').map(|(at, _)| &path[..at]).chain([path]);
        let mut tasks: Vec<TaskIx> = above.filter_map(|path| works_on.get(path)).flatten().copied().collect();
        tasks.sort_unstable();
        tasks.dedup();
        let next = self.contested.len() as PathIx;
        let at = *self.by_path.entry(path.to_owned()).or_insert(next);
        if at == next {
            self.contested.push(Contested { path: path.to_owned(), running: 0, waiting: 0 });
        }
        tasks.into_iter().filter_map(|task| self.join(task, at, is_running(task))).collect()
    }

    fn join(&mut self, task: TaskIx, path: PathIx, is_running: bool) -> Option<Moved> {
        let from = self.class(task);
        let mut class = self.classes[from as usize].clone();
        let Err(at) = class.contested.binary_search(&path) else { return None };
        class.contested.to_mut().insert(at, path);
        let to = self.known_class(class);
        self.class_of[task.ix()] = to;
        if is_running {
            self.contested[path as usize].running += 1;
        }
        Some(Moved { task, from, to })
    }

    /// A path on which both work, so that they may not at the same time.
    pub(super) fn contested_by(&self, a: TaskIx, b: TaskIx) -> Option<&str> {
        let (a, b) = (&self.classes[self.class(a) as usize], &self.classes[self.class(b) as usize]);
        let path = a.contested.iter().find(|path| b.contested.contains(path))?;
        Some(&self.contested[*path as usize].path)
    }

    pub(super) fn class_count(&self) -> usize {
        self.classes.len()
    }

    pub(super) fn class(&self, task: TaskIx) -> ClassIx {
        self.class_of[task.ix()]
    }

    /// Which agent does tasks of `class`.
    pub(super) fn seat(&self, class: ClassIx) -> Option<Seat> {
        self.classes[class as usize].seat
    }

    /// Another agent does `task`, which is not ready. What runs beside it is the same.
    pub(super) fn reseat(&mut self, task: TaskIx, seat: Seat) {
        let class = Class { seat: Some(seat), ..self.classes[self.class(task) as usize].clone() };
        self.class_of[task.ix()] = self.known_class(class);
    }

    pub(super) fn start(&mut self, task: TaskIx) {
        let class = &self.classes[self.class(task) as usize];
        self.running.change(class, 1);
        class.contested.iter().for_each(|path| self.contested[*path as usize].running += 1);
    }

    pub(super) fn end(&mut self, task: TaskIx) {
        let class = &self.classes[self.class(task) as usize];
        self.running.change(class, -1);
        class.contested.iter().for_each(|path| self.contested[*path as usize].running -= 1);
    }

    /// As it is when nothing runs.
    pub(super) fn at_rest(&self) -> Overlap {
        let mut overlap = self.clone();
        let lanes = overlap.running.by_lane.len();
        overlap.running = Bag::new(lanes);
        overlap.contested.iter_mut().for_each(|path| path.running = 0);
        overlap
    }

    /// Whether a task of `class` may start beside what runs and without delaying what waits to run alone.
    pub(super) fn may_start(&self, class: ClassIx) -> bool {
        let class = &self.classes[class as usize];
        let is_free = |path: &PathIx| {
            let path = &self.contested[*path as usize];
            path.running == 0 && path.waiting == 0
        };
        self.running.lets(class) && self.waiting.lets(class) && class.contested.iter().all(is_free)
    }

    /// Notes that the best task of `class` has to wait. True if so must every task of any class.
    pub(super) fn wait(&mut self, class: ClassIx) -> bool {
        self.waiting_classes.push(class);
        let class = &self.classes[class as usize];
        self.waiting.change(class, 1);
        class.contested.iter().for_each(|path| self.contested[*path as usize].waiting += 1);
        class.is_global() && !class.parallel
    }

    /// Forgets who waits.
    pub(super) fn clear_waiting(&mut self) {
        while let Some(class) = self.waiting_classes.pop() {
            let class = &self.classes[class as usize];
            self.waiting.change(class, -1);
            class.contested.iter().for_each(|path| self.contested[*path as usize].waiting -= 1);
        }
    }

    /// Whether the two may never run side by side.
    pub(super) fn conflict(&self, a: TaskIx, b: TaskIx) -> bool {
        let (a, b) = (&self.classes[self.class(a) as usize], &self.classes[self.class(b) as usize]);
        let meet = a.is_global() || b.is_global() || a.lanes.iter().any(|lane| b.lanes.contains(lane));
        let at_odds = a.contested.iter().any(|path| b.contested.contains(path));
        at_odds || (meet && !(a.parallel && b.parallel))
    }
}

/// By what tasks name; a directory stands for all below it, which whoever asks looks for from there upwards.
fn works_on(plan: &Plan) -> HashMap<String, Vec<TaskIx>> {
    let mut works_on: HashMap<String, Vec<TaskIx>> = HashMap::default();
    for task in plan.task_ixs() {
        for file in &plan.task(task).files {
            works_on.entry(file.path.trim_end_matches('/').to_owned()).or_default().push(task);
        }
    }
    works_on
}

fn class(plan: &Plan, seat: Option<Seat>, task: TaskIx) -> Class {
    let parallel = match plan.mode {
        Mode::Sequential => false,
        Mode::Parallel | Mode::Stories => plan.task(task).parallel,
        Mode::Graph => true,
    };
    let lanes = &plan.planned(task).lanes;
    let in_stories =
        plan.mode == Mode::Stories && lanes.iter().all(|lane| plan.lanes[lane.0 as usize].is_story);
    let lanes = if in_stories { lanes.clone() } else { Few::new() };
    Class { parallel, lanes, contested: Few::new(), seat }
}
