//! What must be true of a schedule, said a second time and without the scheduler's own bookkeeping: by walking the
//! plan's graph for every question. Slow on purpose.

use specter::plan::graph::NodeIx;
use specter::plan::{EdgeKind, LeftOut, Mode, Plan, Role};
use specter::task::TaskIx;
use std::collections::{BTreeMap, BTreeSet};

/// What the world itself saw of each task, by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Succeeded and on record, or ticked by a person, and not cleared since.
    pub(crate) done: BTreeSet<String>,
    /// Failed for good in this session.
    pub(crate) failed: BTreeSet<String>,
    /// Asks something, on record, and nobody has answered.
    pub(crate) parked: BTreeSet<String>,
    pub(crate) continue_on_error: bool,
}

impl Seen {
    fn is_done(&self, plan: &Plan, task: TaskIx) -> bool {
        plan.planned(task).role == Role::Done || self.done.contains(plan.task(task).id.as_str())
    }

    fn has_failed(&self, plan: &Plan, task: TaskIx) -> bool {
        self.failed.contains(plan.task(task).id.as_str())
    }

    fn is_parked(&self, plan: &Plan, task: TaskIx) -> bool {
        self.parked.contains(plan.task(task).id.as_str())
    }

    /// The failed or waiting tasks for which nothing that needs `task` may run, `task` itself excluded.
    pub(crate) fn blockers(&self, plan: &Plan, task: TaskIx) -> BTreeSet<TaskIx> {
        let mut blockers = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![NodeIx::from(task)];
        while let Some(node) = open.pop() {
            for edge in plan.graph.before(node).iter().filter(|edge| edge.kind == EdgeKind::Needs) {
                if !seen.insert(edge.from) {
                    continue;
                }
                let Some(need) = plan.graph.task(edge.from) else {
                    open.push(edge.from);
                    continue;
                };
                let role = plan.planned(need).role;
                if self.is_done(plan, need) {
                } else if role == Role::LeftOut(LeftOut::Manual) {
                    blockers.insert(need);
                } else if self.has_failed(plan, need) {
                    if !self.continue_on_error {
                        blockers.insert(need);
                    }
                } else if self.is_parked(plan, need) {
                    blockers.insert(need);
                } else {
                    open.push(edge.from);
                }
            }
        }
        blockers
    }

    /// Whether the task can be told to be over: done, failed, waiting for an answer, blocked or not to be run at all.
    pub(crate) fn is_settled(&self, plan: &Plan, task: TaskIx) -> bool {
        plan.planned(task).role != Role::Run
            || self.is_done(plan, task)
            || self.has_failed(plan, task)
            || self.is_parked(plan, task)
            || !self.blockers(plan, task).is_empty()
    }

    /// All work that comes before `task` in any way is over, and nothing it needs has failed.
    pub(crate) fn may_begin(&self, plan: &Plan, task: TaskIx) -> bool {
        self.blockers(plan, task).is_empty()
            && ancestors(plan, task).into_iter().all(|before| self.is_settled(plan, before))
    }
}

/// Every task before `task`, through edges of any kind.
pub(crate) fn ancestors(plan: &Plan, task: TaskIx) -> BTreeSet<TaskIx> {
    let mut seen = BTreeSet::new();
    let mut open = vec![NodeIx::from(task)];
    while let Some(node) = open.pop() {
        open.extend(plan.graph.before(node).iter().map(|edge| edge.from).filter(|from| seen.insert(*from)));
    }
    seen.into_iter().filter_map(|node| plan.graph.task(node)).collect()
}

/// SPEC 3.2 in its own words.
pub(crate) fn may_overlap(plan: &Plan, a: TaskIx, b: TaskIx) -> bool {
    let both_parallel = plan.task(a).parallel && plan.task(b).parallel;
    let lanes = |task: TaskIx| &plan.planned(task).lanes;
    let story = |task: TaskIx| lanes(task).iter().all(|lane| plan.lanes[lane.0 as usize].is_story);
    let may = match plan.mode {
        Mode::Sequential => false,
        Mode::Parallel => both_parallel,
        Mode::Stories => {
            let apart = !lanes(a).iter().any(|lane| lanes(b).contains(lane));
            both_parallel || (apart && story(a) && story(b))
        }
        Mode::Graph => true,
    };
    assert_eq!(may, plan.may_overlap(a, b), "the plan says the same");
    may
}

pub(crate) fn share_a_file(plan: &Plan, a: TaskIx, b: TaskIx) -> bool {
    let paths = |task: TaskIx| plan.task(task).files.iter().map(|file| &file.path).collect::<BTreeSet<_>>();
    paths(a).intersection(&paths(b)).next().is_some()
}

/// Which ready task goes first: what failed before, the longest path, priority, place in the file.
pub(crate) fn better(plan: &Plan, failed_before: &BTreeSet<String>, a: TaskIx, b: TaskIx) -> bool {
    let key = |task: TaskIx| {
        let again = !failed_before.contains(plan.task(task).id.as_str());
        let remaining = std::cmp::Reverse(plan.planned(task).remaining);
        (again, remaining, plan.task(task).priority.unwrap_or(u8::MAX), task)
    };
    key(a) < key(b)
}

/// How often something happened, by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(BTreeMap<String, u32>);

impl Tally {
    pub(crate) fn add(&mut self, id: &str) -> u32 {
        let n = self.0.entry(id.to_owned()).or_default();
        *n += 1;
        *n
    }

    pub(crate) fn get(&self, id: &str) -> u32 {
        self.0.get(id).copied().unwrap_or(0)
    }

    pub(crate) fn reset(&mut self, id: &str) {
        self.0.remove(id);
    }
}
