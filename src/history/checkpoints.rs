//! When the project's files are to be saved as a whole, what those moments are called, and what was done then.
//!
//! After each task: `T005`. Before a phase begins: `before Phase 2: Foundation`. After every five tasks:
//! `after-5-tasks`. Before going back: `before-rollback-1`. Knows plans for their headings only, and nothing of how
//! files are saved: whoever saves them asks here for the names, and records [`EventKind::CheckpointCreated`]; what is
//! saved before going back is recorded by [`EventKind::RolledBack`].

use crate::event::{Event, EventKind, TaskRef};
use crate::plan::Plan;
use crate::task::{Phase, PhaseIx, Task, TaskId, TaskIx};
use crate::text::nearest;
use std::collections::{HashMap, HashSet};

/// A name after this many done tasks.
pub const EVERY: usize = 5;

/// The name before a phase begins. Of several phases with one title, each but the first is told by its place.
pub fn before_phase(phases: &[Phase], phase: PhaseIx) -> Option<String> {
    let place = phase.0 as usize;
    let title = phases.get(place)?.title.as_str();
    let is_taken = phases[..place].iter().any(|earlier| earlier.title == title);
    Some(if is_taken { format!("before {title} (phase {})", place + 1) } else { format!("before {title}") })
}

/// The name after this many tasks.
pub fn after_tasks(done: usize) -> String {
    format!("after-{done}-tasks")
}

/// The name of what was there before the run went back for the `nth` time, from 1.
pub fn before_rollback(nth: usize) -> String {
    format!("before-rollback-{nth}")
}

/// Finds the moments as events come.
#[derive(Clone, Debug, Default)]
pub struct Moments {
    /// Names of the phases in which something has started.
    begun: Vec<String>,
    /// Tasks that ran in this run and are done.
    done: HashSet<TaskId>,
}

impl Moments {
    /// As after all of a run's earlier events.
    pub fn resumed<'a>(plan: &Plan, events: impl IntoIterator<Item = &'a Event>) -> Moments {
        let mut moments = Moments::default();
        let places: HashMap<&TaskId, TaskIx> =
            plan.tasks.iter().zip(0..).map(|(task, n)| (&task.id, TaskIx(n))).collect();
        let task = |task: &TaskRef| places.get(&task.id).map(|ix| plan.task(*ix));
        for event in events {
            moments.fold(plan, &event.kind, &task);
        }
        moments
    }

    /// The names under which the files are to be saved now that this has happened, mostly none. What is due at a start
    /// is to be saved before the attempt changes anything, what is due at an end once its work is part of the files.
    pub fn on_event(&mut self, plan: &Plan, event: &Event) -> Vec<String> {
        // A file that was edited meanwhile has moved it: rare enough to search.
        let task = |task: &TaskRef| {
            let there = plan.tasks.get(task.ix.ix()).filter(|there| there.id == task.id);
            there.or_else(|| plan.tasks.iter().find(|other| other.id == task.id))
        };
        self.fold(plan, &event.kind, &task)
    }

    fn fold<'a>(
        &mut self,
        plan: &Plan,
        kind: &EventKind,
        find: &dyn Fn(&TaskRef) -> Option<&'a Task>,
    ) -> Vec<String> {
        match kind {
            EventKind::AttemptStarted { task, .. } => {
                self.done.remove(&task.id);
                self.begin(plan, find(task)).into_iter().collect()
            }
            EventKind::TaskDone { task, attempts: 1.., .. } => {
                self.done.insert(task.id.clone());
                let counted = self.done.len().is_multiple_of(EVERY).then(|| after_tasks(self.done.len()));
                [task.id.to_string()].into_iter().chain(counted).collect()
            }
            EventKind::PlanChanged { reopened, .. } => {
                edit(&mut self.done, reopened, &[]);
                Vec::new()
            }
            EventKind::RolledBack { reopened, done, .. } => {
                edit(&mut self.done, reopened, done);
                self.begin_again(plan);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn begin(&mut self, plan: &Plan, task: Option<&Task>) -> Option<String> {
        let name = before_phase(&plan.phases, task?.phase?)?;
        // Mostly the phase begun last; a file has few of them.
        if self.begun.iter().rev().any(|begun| *begun == name) {
            return None;
        }
        self.begun.push(name.clone());
        Some(name)
    }

    /// After going back, a phase in which nothing is done has not begun.
    fn begin_again(&mut self, plan: &Plan) {
        let done = plan.tasks.iter().filter(|task| self.done.contains(&task.id));
        let phases: HashSet<PhaseIx> = done.filter_map(|task| task.phase).collect();
        let names: HashSet<String> =
            phases.into_iter().filter_map(|phase| before_phase(&plan.phases, phase)).collect();
        self.begun.retain(|begun| names.contains(begun));
    }
}

/// A saved state of the files that one can go back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    pub name: String,
    /// Holds the files.
    pub reference: String,
    /// Of the last event that it holds.
    pub seq: u64,
    /// Milliseconds since the epoch.
    pub at: u64,
    /// How many tasks were done.
    pub done: u32,
}

/// All points of a run, oldest first. A name that was given anew means the newest.
pub fn points<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<Point> {
    let mut newest: HashMap<String, (u64, Point)> = HashMap::new();
    let (mut session, mut rollbacks, mut before) = (0, 0, 0);
    let mut now = HashSet::new();
    for event in events {
        let at = session + event.at.as_millis() as u64;
        let point = match &event.kind {
            EventKind::RunStarted { started, done_before, .. } => {
                (session, before) = (*started, *done_before);
                None
            }
            EventKind::RunResumed { started, .. } => {
                session = *started;
                None
            }
            EventKind::CheckpointCreated { name, done, reference: Some(reference) } => {
                let (name, reference) = (name.clone(), reference.clone());
                Some(Point { name, reference, seq: event.seq, at, done: *done })
            }
            // What was there before is as it was before this event.
            EventKind::RolledBack { saved, .. } => {
                rollbacks += 1;
                let (name, done) = (before_rollback(rollbacks), before + now.len() as u32);
                Some(Point { name, reference: saved.clone(), seq: event.seq - 1, at, done })
            }
            _ => None,
        };
        apply(&mut now, &event.kind);
        if let Some(point) = point {
            newest.insert(point.name.clone(), (event.seq, point));
        }
    }
    let mut points: Vec<(u64, Point)> = newest.into_values().collect();
    points.sort_by_key(|(made, _)| *made);
    points.into_iter().map(|(_, point)| point).collect()
}

/// The tasks that are done after these events.
pub fn done_after<'a>(events: impl IntoIterator<Item = &'a Event>) -> HashSet<TaskId> {
    let mut done = HashSet::new();
    for event in events {
        apply(&mut done, &event.kind);
    }
    done
}

fn apply(done: &mut HashSet<TaskId>, kind: &EventKind) {
    match kind {
        EventKind::TaskDone { task, .. } => edit(done, &[], std::slice::from_ref(&task.id)),
        EventKind::AttemptStarted { task, .. } => edit(done, std::slice::from_ref(&task.id), &[]),
        EventKind::PlanChanged { reopened, ticked: again, .. }
        | EventKind::RolledBack { reopened, done: again, .. } => edit(done, reopened, again),
        _ => {}
    }
}

fn edit(done: &mut HashSet<TaskId>, without: &[TaskId], with: &[TaskId]) {
    for task in without {
        done.remove(task);
    }
    done.extend(with.iter().cloned());
}

/// Why there is no point of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// `phase:9`
    NoSuchPhase,
    /// It had not begun when files were saved.
    PhaseNotBegun(String),
    /// With the name that is most like it.
    NoSuchName(Option<String>),
}

/// The point that is meant by `T005`, `phase:2`, a name, or a reference.
pub fn find<'a>(points: &'a [Point], phases: &[Phase], wanted: &str) -> Result<&'a Point, NotFound> {
    let named = |name: &str| points.iter().rev().find(|point| point.name == name);
    if let Some(point) = named(wanted).or_else(|| points.iter().find(|point| point.reference == wanted)) {
        return Ok(point);
    }
    if let Some(phase) = wanted.strip_prefix("phase:") {
        let phase = phase_named(phases, phase.trim()).ok_or(NotFound::NoSuchPhase)?;
        let name = before_phase(phases, phase).ok_or(NotFound::NoSuchPhase)?;
        return named(&name).ok_or(NotFound::PhaseNotBegun(name));
    }
    let same = |point: &&Point| point.name.eq_ignore_ascii_case(wanted);
    points.iter().rev().find(same).ok_or_else(|| {
        let near = nearest(wanted, points.iter().map(|point| point.name.as_str()));
        NotFound::NoSuchName(near.map(str::to_owned))
    })
}

/// By its number, by its title, or by a part of the title.
fn phase_named(phases: &[Phase], wanted: &str) -> Option<PhaseIx> {
    let lower = wanted.to_lowercase();
    let by: [&dyn Fn(&Phase) -> bool; 3] = [
        &|phase| phase.number.as_deref().is_some_and(|number| number.eq_ignore_ascii_case(wanted)),
        &|phase| phase.title.to_lowercase() == lower,
        &|phase| lower.chars().count() >= 3 && phase.title.to_lowercase().contains(&lower),
    ];
    by.iter().find_map(|is| phases.iter().position(is)).map(|place| PhaseIx(place as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{RunInfo, Verdict};
    use crate::plan::fixture;
    use std::time::Duration;

    const TEXT: &str = "## Phase 1: Setup\n- [ ] T001 a\n- [ ] T002 b\n- [ ] T003 c\n\
                        ## Phase 2: Core\n- [ ] T004 d\n- [ ] T005 e\n- [ ] T006 f\n\
                        ## Phase 1: Setup\n- [ ] T007 g\n";

    fn plan() -> Plan {
        let mut document = fixture::document(TEXT);
        for (n, phase) in document.phases.iter_mut().enumerate() {
            phase.number = Some((n + 1).to_string());
        }
        crate::plan::plan(document, &crate::plan::Options::default()).unwrap().0
    }

    /// A run as its events, the names that were due after each.
    struct Told {
        plan: Plan,
        moments: Moments,
        events: Vec<Event>,
    }

    impl Told {
        fn new() -> Told {
            let mut told = Told { plan: plan(), moments: Moments::default(), events: Vec::new() };
            told.tell(EventKind::RunStarted {
                info: RunInfo::default(),
                started: 1000,
                total: 7,
                selected: 7,
                done_before: 0,
            });
            told
        }

        fn tell(&mut self, kind: EventKind) -> Vec<String> {
            let seq = self.events.len() as u64 + 1;
            self.events.push(Event { seq, at: Duration::from_millis(seq), kind });
            self.moments.on_event(&self.plan, self.events.last().unwrap())
        }

        fn start(&mut self, id: &str) -> Vec<String> {
            let task = task(id);
            self.tell(EventKind::AttemptStarted { task, attempt: 1, executor: "shell".into(), worker: 1 })
        }

        fn done(&mut self, id: &str) -> Vec<String> {
            let (task, verdict) = (task(id), Verdict::Verified);
            let names =
                self.tell(EventKind::TaskDone { task, attempts: 1, verdict, duration: Duration::ZERO });
            for name in &names {
                self.save(name);
            }
            names
        }

        fn save(&mut self, name: &str) {
            let done = done_after(&self.events).len() as u32;
            let (name, reference) = (name.to_owned(), Some(format!("refs/{}", name.replace(' ', "-"))));
            assert!(self.tell(EventKind::CheckpointCreated { name, done, reference }).is_empty());
        }

        fn find(&self, wanted: &str) -> Result<String, NotFound> {
            find(&points(&self.events), &self.plan.phases, wanted).map(|point| point.name.clone())
        }
    }

    fn rolled_back(saved: &str, reopened: &[&str], done: &[&str]) -> EventKind {
        let ids = |ids: &[&str]| ids.iter().map(|id| TaskId::new(id)).collect();
        EventKind::RolledBack {
            to: "T001".to_owned(),
            commit: String::new(),
            saved: saved.to_owned(),
            reopened: ids(reopened),
            done: ids(done),
        }
    }

    fn task(id: &str) -> TaskRef {
        TaskRef { ix: TaskRef::UNRESOLVED, id: TaskId::new(id) }
    }

    #[test]
    fn each_task_each_phase_and_every_fifth_task_is_a_moment() {
        let mut told = Told::new();
        assert_eq!(told.start("T001"), ["before Phase 1: Setup"]);
        assert!(told.start("T002").is_empty());
        assert_eq!(told.done("T001"), ["T001"]);
        for id in ["T002", "T003"] {
            assert_eq!(told.done(id), [id]);
        }
        assert_eq!(told.start("T004"), ["before Phase 2: Core"]);
        assert_eq!(told.done("T004"), ["T004"]);
        assert_eq!(told.done("T005"), ["T005", "after-5-tasks"]);
        assert_eq!(told.start("T007"), ["before Phase 1: Setup (phase 3)"]);
        let group = EventKind::TaskDone {
            task: task("T008"),
            attempts: 0,
            verdict: Verdict::Verified,
            duration: Duration::ZERO,
        };
        assert!(told.tell(group).is_empty(), "a group changes no file");
        let mut again = Moments::resumed(&told.plan, &told.events);
        let event = told.events[1].clone();
        assert!(again.on_event(&told.plan, &event).is_empty(), "begun before the resume");
    }

    #[test]
    fn a_phase_that_was_gone_back_on_begins_again() {
        let mut told = Told::new();
        for id in ["T001", "T004"] {
            told.start(id);
            told.done(id);
        }
        told.tell(rolled_back("refs/before", &["T004"], &[]));
        assert!(told.start("T002").is_empty());
        assert_eq!(told.start("T004"), ["before Phase 2: Core"]);
        assert_eq!(told.done("T004"), ["T004"]);
        let mut again = Moments::resumed(&told.plan, &told.events);
        for id in ["T002", "T003", "T005"] {
            let kind = told.events[2].kind.clone();
            let EventKind::TaskDone { attempts, verdict, duration, .. } = kind else { panic!() };
            let kind = EventKind::TaskDone { task: task(id), attempts, verdict, duration };
            let names = again.on_event(&told.plan, &Event { seq: 99, at: Duration::ZERO, kind });
            assert_eq!(names.len(), if id == "T005" { 2 } else { 1 }, "{id}");
        }
    }

    #[test]
    fn a_point_is_found_by_task_phase_name_and_reference() {
        let mut told = Told::new();
        for (id, phase) in [("T001", Some("before Phase 1: Setup")), ("T002", None), ("T004", None)] {
            if let Some(name) = phase {
                told.save(name);
            }
            told.start(id);
            told.done(id);
        }
        told.tell(rolled_back("refs/before", &["T004"], &[]));
        assert_eq!(told.find("T002").unwrap(), "T002");
        assert_eq!(told.find("t002").unwrap(), "T002");
        assert_eq!(told.find("phase:1").unwrap(), "before Phase 1: Setup");
        assert_eq!(told.find("phase:setup").unwrap(), "before Phase 1: Setup");
        assert_eq!(told.find("before-rollback-1").unwrap(), "before-rollback-1");
        assert_eq!(told.find("refs/before").unwrap(), before_rollback(1));
        assert_eq!(told.find("refs/T001").unwrap(), "T001");
        assert_eq!(told.find("phase:2"), Err(NotFound::PhaseNotBegun("before Phase 2: Core".to_owned())));
        assert_eq!(told.find("phase:9"), Err(NotFound::NoSuchPhase));
        assert_eq!(told.find("T02"), Err(NotFound::NoSuchName(Some("T002".to_owned()))));
    }

    fn done_by(told: &Told, seq: u64) -> HashSet<TaskId> {
        done_after(told.events.iter().filter(|event| event.seq <= seq))
    }

    #[test]
    fn what_was_done_then_is_told_by_the_events_up_to_then() {
        let mut told = Told::new();
        told.done("T001");
        told.done("T002");
        let points = points(&told.events);
        let names: Vec<(&str, u32, u64)> = points.iter().map(|p| (p.name.as_str(), p.done, p.at)).collect();
        assert_eq!(names, [("T001", 1, 1003), ("T002", 2, 1005)]);
        assert_eq!(done_by(&told, points[0].seq), HashSet::from([TaskId::new("T001")]));
        told.start("T001");
        assert_eq!(done_after(&told.events), HashSet::from([TaskId::new("T002")]));
        told.tell(rolled_back("refs/before", &["T002"], &["T001"]));
        let order: Vec<String> = super::points(&told.events).into_iter().map(|point| point.name).collect();
        assert_eq!(order, ["T001", "T002", "before-rollback-1"]);
        assert_eq!(done_after(&told.events), HashSet::from([TaskId::new("T001")]));
        let before =
            find(&super::points(&told.events), &told.plan.phases, "before-rollback-1").unwrap().clone();
        assert_eq!((before.reference.as_str(), before.done), ("refs/before", 1));
        assert_eq!(done_by(&told, before.seq), HashSet::from([TaskId::new("T002")]));
    }
}
