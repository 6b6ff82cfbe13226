//! Plans, events and screens by hand.

use specter::event::{
    AttemptOutcome, AttemptReport, Event, EventKind, FailureClass, RunInfo, TaskRef, Verdict,
};
use specter::plan::graph::{Edge, Graph, NodeIx};
use specter::plan::{EdgeKind, Lane, LaneIx, LeftOut, Mode, Plan, PlannedTask, Reason, Role};
use specter::source::Span;
use specter::task::{Few, Phase, PhaseIx, PhaseKind, State, Story, Task, TaskId, TaskIx};
use specter::ui::theme::Screen;
use std::sync::Arc;
use std::time::Duration;

/// Widths at which snapshots are made.
pub(crate) const WIDTHS: [usize; 3] = [20, 80, 200];

pub(crate) fn colored(width: usize) -> Screen {
    Screen { color: true, ..Screen::plain(width) }
}

pub(crate) fn ascii(width: usize) -> Screen {
    Screen { unicode: false, ..Screen::plain(width) }
}

pub(crate) fn live(width: usize, height: usize) -> Screen {
    Screen { interactive: true, height, ..Screen::plain(width) }
}

pub(crate) fn task(id: &str, title: &str) -> Task {
    Task {
        id: TaskId::new(id),
        synthetic: false,
        line: 0,
        span: Span::default(),
        id_span: Span::default(),
        title: title.into(),
        checkbox: None,
        state: State::Open,
        parallel: false,
        stories: Few::new(),
        all_stories: false,
        priority: None,
        more: specter::task::Rare::default(),
        phase: None,
        group: None,
        is_group: false,
        checkpoint: false,
        files: Few::new(),
        blocks: Vec::new(),
        body: Span::default(),
    }
}

/// A plan whose tasks stand on lines 10, 12, 14, …, all to be run, without edges or phases.
pub(crate) fn plan(tasks: &[(&str, &str)]) -> Plan {
    let tasks: Vec<Task> = tasks
        .iter()
        .enumerate()
        .map(|(n, (id, title))| Task { line: 10 + 2 * n as u32, ..task(id, title) })
        .collect();
    let planned = PlannedTask {
        role: Role::Run,
        lanes: vec![LaneIx(0)].into(),
        estimate: Duration::from_secs(12).into(),
        remaining: Duration::from_secs(12).into(),
    };
    Plan {
        file: "specs/001-login/tasks.md".to_owned(),
        mode: Mode::Parallel,
        planned: vec![planned; tasks.len()],
        graph: Graph::new(tasks.len(), tasks.len(), Vec::new()),
        phases: Vec::new(),
        lanes: vec![Lane { name: "Setup".to_owned(), is_story: false }],
        checkpoints: Vec::new(),
        ignored: Vec::new(),
        sightings: Vec::new(),
        tick: 'x',
        tasks: tasks.into(),
    }
}

/// Twelve tasks of three phases with every kind of edge, a gate between phases, and tasks of every state.
pub(crate) fn feature() -> Plan {
    let mut plan = plan(&[
        ("T001", "Create project structure"),
        ("T002", "Add linting configuration in .eslintrc.json"),
        ("T003", "Set up the database schema in db/schema.sql"),
        ("T004", "Configure environment (ask ops for the keys)"),
        ("T005", "Write user tests in tests/user.test.js"),
        ("T006", "作成 user model in src/models/user.js 🎉"),
        ("T007", "Add user routes in src/routes/users.js"),
        ("T008", "Email templates \x1b[31mred\u{202e}"),
        ("T009", "Update docs in docs/api.md"),
        ("T010", "Performance tuning"),
        ("T011", "Old idea DEFERRED"),
        ("T012", "Something half done"),
    ]);
    let phase = |title: &str, kind, line, stories: &[&str]| Phase {
        title: title.into(),
        number: None,
        kind,
        stories: stories.iter().map(|story| Story((*story).to_owned())).collect(),
        priority: None,
        line,
        span: Span::default(),
    };
    plan.phases = vec![
        phase("Phase 1: Setup", PhaseKind::Setup, 8, &[]),
        phase("Phase 2: Foundational", PhaseKind::Foundation, 13, &[]),
        phase("Phase 3: User Story 1 - Log in", PhaseKind::Story, 17, &["US1"]),
        phase("Phase 4: Polish", PhaseKind::Polish, 25, &[]),
    ];
    let story = |name: &str| Lane { name: name.to_owned(), is_story: true };
    let lane = |name: &str| Lane { name: name.to_owned(), is_story: false };
    plan.lanes = vec![lane("Setup"), lane("Foundational"), story("US1"), lane("Polish")];
    let places = [0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3];
    let states = [State::Open; 12];
    for (n, place) in places.into_iter().enumerate() {
        Arc::make_mut(&mut plan.tasks)[n].phase = Some(PhaseIx(place));
        Arc::make_mut(&mut plan.tasks)[n].state = states[n];
        plan.planned[n].lanes = vec![LaneIx(place)].into();
        plan.planned[n].remaining = Duration::from_secs(60 - 4 * n as u64).into();
        if place == 2 {
            Arc::make_mut(&mut plan.tasks)[n].stories = vec![Story("US1".to_owned())].into();
        }
    }
    (Arc::make_mut(&mut plan.tasks)[0].state, plan.planned[0].role) = (State::Done, Role::Done);
    (Arc::make_mut(&mut plan.tasks)[3].state, plan.planned[3].role) =
        (State::Manual, Role::LeftOut(LeftOut::Manual));
    (Arc::make_mut(&mut plan.tasks)[10].state, plan.planned[10].role) =
        (State::Dropped, Role::LeftOut(LeftOut::Dropped));
    (Arc::make_mut(&mut plan.tasks)[11].state, plan.planned[11].role) =
        (State::Unclear, Role::LeftOut(LeftOut::Unclear));
    plan.planned[9].role = Role::LeftOut(LeftOut::NotSelected);
    Arc::make_mut(&mut plan.tasks)[4].parallel = true;
    Arc::make_mut(&mut plan.tasks)[5].parallel = true;
    Arc::make_mut(&mut plan.tasks)[6].priority = Some(1);
    let gate = 12;
    let edge = |from: u32, to: u32, kind, reason, line| Edge {
        from: NodeIx(from),
        to: NodeIx(to),
        kind,
        reason,
        line,
    };
    let needs = EdgeKind::Needs;
    let edges = vec![
        edge(0, 1, needs, Reason::Lane, 12),
        edge(1, 2, needs, Reason::Phase, 13),
        edge(2, gate, needs, Reason::Phase, 13),
        edge(3, gate, needs, Reason::Phase, 13),
        edge(gate, 4, needs, Reason::Phase, 17),
        edge(gate, 5, needs, Reason::Phase, 17),
        edge(4, 6, needs, Reason::Lane, 22),
        edge(5, 6, needs, Reason::Explicit, 22),
        edge(6, 7, EdgeKind::After, Reason::File, 24),
        edge(7, 8, needs, Reason::Phase, 25),
        edge(6, 8, EdgeKind::After, Reason::Prose, 40),
    ];
    plan.graph = Graph::new(12, 13, edges);
    plan
}

pub(crate) fn task_ref(plan: &Plan, id: &str) -> TaskRef {
    TaskRef { ix: plan.find(id).unwrap_or(TaskIx(u32::MAX)), id: TaskId::new(id) }
}

/// Events one after another, at the times given.
pub(crate) struct Script {
    pub(crate) plan: Plan,
    pub(crate) events: Vec<Event>,
}

impl Script {
    pub(crate) fn new(plan: Plan) -> Script {
        Script { plan, events: Vec::new() }
    }

    pub(crate) fn at(mut self, millis: u64, kind: EventKind) -> Script {
        let seq = self.events.len() as u64 + 1;
        self.events.push(Event { seq, at: Duration::from_millis(millis), kind });
        self
    }

    pub(crate) fn run_started(self) -> Script {
        let selected = self.plan.runnable().count() as u32;
        let total = self.plan.tasks.len() as u32;
        let info = RunInfo {
            run: "20261121-101500-ab12".to_owned(),
            file: self.plan.file.clone(),
            mode: "parallel".to_owned(),
            jobs: 4,
            seed: 7,
            version: "0.1.0".to_owned(),
            ..RunInfo::default()
        };
        let kind =
            EventKind::RunStarted { info, started: 1_763_700_000_000, total, selected, done_before: 1 };
        self.at(0, kind)
    }

    pub(crate) fn start(self, millis: u64, id: &str, attempt: u32, worker: u32) -> Script {
        let task = task_ref(&self.plan, id);
        self.at(millis, EventKind::AttemptStarted { task, attempt, executor: "shell".into(), worker })
    }

    pub(crate) fn finish(self, millis: u64, id: &str, attempt: u32, report: AttemptReport) -> Script {
        let task = task_ref(&self.plan, id);
        self.at(millis, EventKind::AttemptFinished { task, attempt, report: Box::new(report) })
    }

    pub(crate) fn done(self, millis: u64, id: &str, attempts: u32, took: u64) -> Script {
        let task = task_ref(&self.plan, id);
        let duration = Duration::from_millis(took);
        let report = AttemptReport { duration, ..AttemptReport::default() };
        let kind = EventKind::TaskDone { task, attempts, verdict: Verdict::Unverified, duration };
        self.finish(millis, id, attempts, report).at(millis, kind)
    }

    pub(crate) fn retry(
        self,
        millis: u64,
        id: &str,
        attempt: u32,
        delay: u64,
        report: AttemptReport,
    ) -> Script {
        let task = task_ref(&self.plan, id);
        let class = report.class.unwrap_or(FailureClass::Unknown);
        let delay = Duration::from_millis(delay);
        self.finish(millis, id, attempt - 1, report)
            .at(millis, EventKind::RetryScheduled { task, attempt, delay, class })
    }

    pub(crate) fn failed(self, millis: u64, id: &str, attempts: u32, report: AttemptReport) -> Script {
        let task = task_ref(&self.plan, id);
        let class = report.class.unwrap_or(FailureClass::Unknown);
        self.finish(millis, id, attempts, report).at(millis, EventKind::TaskFailed { task, attempts, class })
    }

    pub(crate) fn blocked(self, millis: u64, id: &str, by: &str) -> Script {
        let (task, by) = (task_ref(&self.plan, id), task_ref(&self.plan, by));
        self.at(millis, EventKind::TaskBlocked { task, by })
    }
}

pub(crate) fn refused() -> AttemptReport {
    AttemptReport {
        outcome: AttemptOutcome::ExitCode(1),
        duration: Duration::from_secs(30),
        class: Some(FailureClass::Transient),
        rule: Some("the output says `connection refused`".to_owned()),
        tail: "connecting to smtp.example.com:587\n\n\x1b[31merror\x1b[0m: connect ECONNREFUSED 10.0.0.1:587\n  at \
               TCPConnectWrap.afterConnect [as oncomplete] (node:net:1494:16) which is a very long line indeed\n"
            .to_owned(),
        log: "tasks/T006/attempt-3.log".to_owned(),
        ..AttemptReport::default()
    }
}

/// Whether text may go to a terminal: nothing raw but line ends and our own styles.
pub(crate) fn is_clean(text: &str) -> bool {
    let plain = anstream::adapter::strip_str(text).to_string();
    let styles_only = text.replace('\x1b', "").len() + text.matches('\x1b').count() == text.len();
    styles_only && !plain.chars().any(|c| c != '\n' && specter::text::is_unsafe(c))
}

/// Columns of the widest line, styles not counted.
pub(crate) fn widest(text: &str) -> usize {
    text.lines()
        .map(|line| specter::ui::text::width(&anstream::adapter::strip_str(line).to_string()))
        .max()
        .unwrap_or(0)
}
