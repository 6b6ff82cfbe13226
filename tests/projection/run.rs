//! Plans and event lists by hand: what a scheduler would tell of a run, with times one can add up in one's head.

use specter::event::{
    AttemptOutcome, AttemptReport, Counts, Event, EventKind, FailureClass, RunInfo, RunOutcome, Stop,
    TaskRef, Verdict,
};
use specter::plan::graph::{Edge, Graph};
use specter::plan::{EdgeKind, Lane, LaneIx, Mode, Plan, PlannedTask, Reason, Role};
use specter::source::Span;
use specter::summary::Summary;
use specter::task::{Few, Phase, PhaseIx, PhaseKind, State, Story, Task, TaskId, TaskIx};
use std::time::Duration;

/// 2026-01-31T14:20:00Z
pub(crate) const START: u64 = 1_769_869_200_000;

/// `T001 [P] [US1] Title` per line; a line that begins with `#` starts a phase; `!` before the id means ticked.
pub(crate) fn plan(mode: Mode, text: &str) -> Plan {
    let (mut tasks, mut phases): (Vec<Task>, Vec<Phase>) = (Vec::new(), Vec::new());
    for (n, line) in text.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        match line.strip_prefix('#') {
            Some(title) => phases.push(phase(title.trim(), n as u32 + 1)),
            None => tasks.push(task(line, n as u32 + 1, phases.len().checked_sub(1))),
        }
    }
    let planned = tasks.iter().map(|task| PlannedTask {
        role: match task.state {
            State::Done => Role::Done,
            _ if task.is_group => Role::Group,
            _ => Role::Run,
        },
        lanes: vec![LaneIx(0)].into(),
        estimate: Duration::from_secs(12).into(),
        remaining: Duration::from_secs(12).into(),
    });
    Plan {
        file: "specs/001-auth/tasks.md".to_owned(),
        mode,
        planned: planned.collect(),
        phases,
        lanes: vec![Lane { name: "US1".to_owned(), is_story: true }],
        checkpoints: Vec::new(),
        ignored: Vec::new(),
        graph: Graph::new(tasks.len(), tasks.len(), Vec::new()),
        sightings: Vec::new(),
        tick: 'x',
        tasks: tasks.into(),
    }
}

/// `dependent` needs `need`, for each pair.
pub(crate) fn with_needs(mut plan: Plan, needs: &[(&str, &str)]) -> Plan {
    let node = |id: &str| plan.find(id).unwrap().into();
    let edge = |(dependent, need): &(&str, &str)| Edge {
        from: node(need),
        to: node(dependent),
        kind: EdgeKind::Needs,
        reason: Reason::Explicit,
        line: 1,
    };
    let edges: Vec<Edge> = needs.iter().map(edge).collect();
    plan.graph = Graph::new(plan.tasks.len(), plan.tasks.len(), edges);
    plan
}

fn phase(title: &str, line: u32) -> Phase {
    Phase {
        title: title.to_owned(),
        number: None,
        kind: PhaseKind::Other,
        stories: Few::new(),
        priority: None,
        line,
        span: Span::default(),
    }
}

pub(crate) fn task(line: &str, number: u32, phase: Option<usize>) -> Task {
    let (done, line) = line.strip_prefix('!').map_or((false, line), |line| (true, line));
    let (id, mut title) = line.split_once(' ').unwrap_or((line, ""));
    let parallel = title.starts_with("[P] ");
    title = title.strip_prefix("[P] ").unwrap_or(title);
    let mut stories = Vec::new();
    if let Some((story, rest)) = title.strip_prefix("[US").and_then(|rest| rest.split_once("] ")) {
        stories.push(Story(format!("US{story}")));
        title = rest;
    }
    Task {
        id: TaskId::new(id),
        synthetic: false,
        line: number,
        span: Span::default(),
        id_span: Span::default(),
        title: title.into(),
        checkbox: None,
        state: if done { State::Done } else { State::Open },
        parallel,
        stories: stories.into(),
        all_stories: false,
        priority: None,
        more: specter::task::Rare::default(),
        phase: phase.map(|n| PhaseIx(n as u32)),
        group: None,
        is_group: false,
        checkpoint: false,
        files: Few::new(),
        blocks: Vec::new(),
        body: Span::default(),
    }
}

/// A run being told. Time moves only by `at` and `after`.
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) events: Vec<Event>,
    now: u64,
    jobs: u32,
    running: Vec<(String, u64, u32)>,
    attempts: std::collections::HashMap<String, u32>,
    sessions: u32,
}

impl Run {
    pub(crate) fn new(plan: Plan, jobs: u32) -> Run {
        let mut run = Run {
            plan,
            events: Vec::new(),
            now: 0,
            jobs,
            running: Vec::new(),
            attempts: std::collections::HashMap::new(),
            sessions: 1,
        };
        let mode = serde_json::to_value(run.plan.mode).unwrap().as_str().unwrap().to_owned();
        let info = RunInfo {
            run: "r1".to_owned(),
            file: run.plan.file.clone(),
            mode,
            jobs,
            seed: 7,
            version: "0.1.0".to_owned(),
            ..RunInfo::default()
        };
        let counts = run.summary().counts();
        let total = run.plan.tasks.len() as u32;
        run.tell(EventKind::RunStarted {
            info,
            started: START,
            total,
            selected: counts.selected,
            done_before: counts.done_before,
        });
        run
    }

    pub(crate) fn summary(&self) -> Summary {
        Summary::of(&self.plan, &self.events)
    }

    pub(crate) fn tell(&mut self, kind: EventKind) -> &mut Run {
        let seq = self.events.len() as u64 + 1;
        self.events.push(Event { seq, at: Duration::from_millis(self.now), kind });
        self
    }

    /// Seconds since the session began.
    pub(crate) fn at(&mut self, seconds: u64) -> &mut Run {
        self.now = seconds * 1000;
        self
    }

    pub(crate) fn at_ms(&mut self, ms: u64) -> &mut Run {
        self.now = ms;
        self
    }

    pub(crate) fn after(&mut self, seconds: u64) -> &mut Run {
        self.now += seconds * 1000;
        self
    }

    pub(crate) fn reference(&self, id: &str) -> TaskRef {
        let ix = self.plan.find(id).unwrap_or(TaskRef::UNRESOLVED);
        TaskRef { ix, id: TaskId::new(id) }
    }

    pub(crate) fn start(&mut self, id: &str) -> &mut Run {
        let worker = (1..=1000).find(|n| self.running.iter().all(|(_, _, worker)| worker != n)).unwrap();
        let attempt = *self.attempts.entry(id.to_owned()).and_modify(|n| *n += 1).or_insert(1);
        self.running.push((id.to_owned(), self.now, worker));
        let task = self.reference(id);
        self.tell(EventKind::AttemptStarted { task, attempt, executor: "shell".into(), worker })
    }

    fn finish(&mut self, id: &str, mut report: AttemptReport) -> (TaskRef, u32, Duration) {
        let n = self.running.iter().position(|(running, ..)| running == id).unwrap();
        let (_, since, _) = self.running.remove(n);
        report.duration = Duration::from_millis(self.now - since);
        let (task, attempt, duration) = (self.reference(id), self.attempts[id], report.duration);
        self.tell(EventKind::AttemptFinished { task: task.clone(), attempt, report: Box::new(report) });
        (task, attempt, duration)
    }

    pub(crate) fn succeed(&mut self, id: &str, report: AttemptReport) -> &mut Run {
        let verdict = if report.verified { Verdict::Verified } else { Verdict::Unverified };
        let (task, attempts, duration) = self.finish(id, report);
        self.tell(EventKind::TaskDone { task: task.clone(), attempts, verdict, duration });
        self.tell(EventKind::BoxTicked { task, line: 1 })
    }

    pub(crate) fn done(&mut self, id: &str) -> &mut Run {
        self.succeed(id, AttemptReport::default())
    }

    /// An attempt fails; what follows is told by the caller.
    pub(crate) fn attempt_fails(&mut self, id: &str, class: FailureClass, tail: &str) -> &mut Run {
        let report = AttemptReport {
            outcome: AttemptOutcome::ExitCode(1),
            class: Some(class),
            rule: Some("connection refused".to_owned()),
            tail: tail.to_owned(),
            log: format!("tasks/{id}/attempt-{}.log", self.attempts[id]),
            ..AttemptReport::default()
        };
        self.finish(id, report);
        self
    }

    pub(crate) fn retry(&mut self, id: &str, delay: u64) -> &mut Run {
        let (task, attempt) = (self.reference(id), self.attempts[id] + 1);
        let delay = Duration::from_millis(delay);
        self.tell(EventKind::RetryScheduled { task, attempt, delay, class: FailureClass::Transient })
    }

    pub(crate) fn fails(&mut self, id: &str, class: FailureClass, tail: &str) -> &mut Run {
        self.attempt_fails(id, class, tail);
        let (task, attempts) = (self.reference(id), self.attempts[id]);
        self.tell(EventKind::TaskFailed { task, attempts, class })
    }

    pub(crate) fn blocked(&mut self, id: &str, by: &str) -> &mut Run {
        let (task, by) = (self.reference(id), self.reference(by));
        self.tell(EventKind::TaskBlocked { task, by })
    }

    /// One task after the other, so many seconds each.
    pub(crate) fn serially(&mut self, tasks: &[(&str, u64)]) -> &mut Run {
        for (id, seconds) in tasks {
            self.start(id).after(*seconds).done(id);
        }
        self
    }

    pub(crate) fn interrupt(&mut self, signal: &str) -> &mut Run {
        self.tell(EventKind::Interrupted { signal: signal.to_owned(), how: Stop::Gracefully });
        for (id, ..) in self.running.clone() {
            let cancelled = AttemptReport {
                outcome: AttemptOutcome::Cancelled,
                class: Some(FailureClass::Cancelled),
                ..AttemptReport::default()
            };
            let (task, ..) = self.finish(&id, cancelled);
            self.tell(EventKind::TaskCancelled { task });
        }
        self
    }

    pub(crate) fn end(&mut self, outcome: RunOutcome) -> &mut Run {
        let summary = self.summary();
        let duration = Duration::from_millis(summary.duration_ms());
        self.tell(EventKind::RunFinished { outcome, counts: summary.counts(), duration, unticked: 0 })
    }

    /// The next session, `gap` seconds after the last event.
    pub(crate) fn resume(&mut self, gap: u64) -> &mut Run {
        let summary = self.summary();
        let started = summary.wall() + gap * 1000;
        self.running.clear();
        self.sessions += 1;
        self.now = 0;
        let total = self.plan.tasks.len() as u32;
        let Counts { selected, done_before, .. } = summary.counts();
        let (session, jobs) = (self.sessions, self.jobs);
        self.tell(EventKind::RunResumed { session, started, jobs, total, selected, done_before })
    }

    /// As a journal gives them back: tasks by id alone, whole milliseconds.
    pub(crate) fn through_disk(&self) -> Vec<Event> {
        let again = |event: &Event| serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap();
        self.events.iter().map(again).collect()
    }

    pub(crate) fn ix(&self, id: &str) -> TaskIx {
        self.plan.find(id).unwrap()
    }
}
