//! Task files for the simulation, made and edited without the parser, and the plans they mean.

use fastrand::Rng;
use specter::plan::graph::{Edge, Graph, NodeIx};
use specter::plan::{EdgeKind, Lane, LaneIx, LeftOut, Mode, Plan, PlannedTask, Reason, Role};
use specter::source::Span;
use specter::task::{Block, BlockKind, Few, NamedPath, State, Task, TaskId, TaskIx};
use std::time::Duration;

/// A task as a test writes it. Edges run from lower to higher `place`, so no file has a cycle.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) place: u32,
    pub(crate) role: Role,
    pub(crate) parallel: bool,
    pub(crate) priority: Option<u8>,
    pub(crate) lanes: Vec<u32>,
    pub(crate) files: Vec<u32>,
    pub(crate) retries: Option<u32>,
    pub(crate) group: Option<String>,
    pub(crate) needs: Vec<String>,
    pub(crate) after: Vec<String>,
    pub(crate) estimate: u64,
    /// Done by this agent instead of the shell.
    pub(crate) agent: Option<String>,
}

/// All of `before` before all of `after`.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub(crate) place: u32,
    pub(crate) before: Vec<String>,
    pub(crate) after: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) mode: Mode,
    pub(crate) lines: Vec<Line>,
    pub(crate) gates: Vec<Gate>,
    next: u32,
    /// Some of its tasks are for agents.
    staff: bool,
    /// Lines that were taken out, and may come back: an editor saves half a file and then the whole.
    gone: Vec<Line>,
}

const LANES: u32 = 5;

/// Whose limits each agent runs into.
pub(crate) const AGENTS: [(&str, &str); 2] = [("claude", "anthropic"), ("codex", "openai")];

fn agent_of(n: u32) -> Option<String> {
    AGENTS.get(n as usize % 3).map(|(agent, _)| (*agent).to_owned())
}

impl File {
    pub(crate) fn new(mode: Mode) -> File {
        File { mode, lines: Vec::new(), gates: Vec::new(), next: 0, staff: false, gone: Vec::new() }
    }

    /// A plain task at the end, for tests that write their file by hand.
    pub(crate) fn task(&mut self, id: &str, needs: &[&str]) -> &mut Line {
        let place = (self.lines.len() as u32 + 1) * 1000;
        let needs = needs.iter().map(|id| (*id).to_owned()).collect();
        self.lines.push(Line {
            id: id.to_owned(),
            place,
            role: Role::Run,
            parallel: false,
            priority: None,
            lanes: vec![0],
            files: Vec::new(),
            retries: None,
            group: None,
            needs,
            after: Vec::new(),
            estimate: 1,
            agent: None,
        });
        self.lines.last_mut().unwrap()
    }

    pub(crate) fn random(rng: &mut Rng) -> File {
        let mode = [Mode::Sequential, Mode::Parallel, Mode::Stories, Mode::Stories, Mode::Graph, Mode::Graph]
            [rng.usize(..6)];
        let mut file = File::new(mode);
        // A few are large: most faults need few tasks, and the oracle's time grows with the square.
        let most = if rng.u16(..500) == 0 { 120 } else { 16 };
        for _ in 0..rng.usize(1..most) {
            file.add(rng);
        }
        for _ in 0..rng.usize(..3) {
            let place = rng.u32(..1_000_000);
            let mut some = |file: &File| -> Vec<String> {
                file.lines.iter().filter(|_| rng.u8(..3) == 0).map(|line| line.id.clone()).collect()
            };
            let gate = Gate { place, before: some(&file), after: some(&file) };
            file.gates.push(gate);
        }
        for _ in 0..rng.usize(..3) {
            file.add_group(rng);
        }
        file
    }

    /// Two of three tasks are for agents from now on, also of those that come.
    pub(crate) fn give_to_agents(&mut self) {
        self.staff = true;
        for (n, line) in self.lines.iter_mut().enumerate().filter(|(_, line)| !line.id.starts_with('G')) {
            line.agent = agent_of(n as u32);
        }
    }

    pub(crate) fn add(&mut self, rng: &mut Rng) {
        self.next += 1;
        let roles = [
            Role::Done,
            Role::LeftOut(LeftOut::Manual),
            Role::LeftOut(LeftOut::NotSelected),
            Role::LeftOut(LeftOut::Optional),
            Role::LeftOut(LeftOut::Unclear),
        ];
        let role = if rng.u8(..5) == 0 { roles[rng.usize(..roles.len())] } else { Role::Run };
        let some = |rng: &mut Rng, lines: &[Line], most: usize| -> Vec<String> {
            (0..rng.usize(..=most)).filter_map(|_| Some(rng.choice(lines)?.id.clone())).collect()
        };
        let line = Line {
            id: format!("T{:03}", self.next),
            place: if rng.bool() { self.next * 10_000 } else { rng.u32(..1_000_000) },
            role,
            parallel: rng.bool(),
            priority: rng.bool().then(|| rng.u8(1..4)),
            lanes: if rng.u8(..6) == 0 { vec![1, 2] } else { vec![rng.u32(..LANES)] },
            files: (0..rng.usize(..3)).map(|_| rng.u32(..12)).collect(),
            retries: (rng.u8(..6) == 0).then(|| rng.u32(..5)),
            group: None,
            needs: some(rng, &self.lines, 2),
            after: some(rng, &self.lines, 1),
            estimate: rng.u64(..8),
            agent: self.staff.then(|| agent_of(self.next)).flatten(),
        };
        let at = if rng.bool() { self.lines.len() } else { rng.usize(..=self.lines.len()) };
        self.lines.insert(at, line);
    }

    fn add_group(&mut self, rng: &mut Rng) {
        self.next += 1;
        let id = format!("G{:03}", self.next);
        let mut place = 0;
        for line in &mut self.lines {
            if line.group.is_none() && rng.u8(..3) == 0 {
                line.group = Some(id.clone());
                place = place.max(line.place + 1);
            }
        }
        if place > 0 {
            let left_out = [Role::LeftOut(LeftOut::NotSelected), Role::LeftOut(LeftOut::Unclear)];
            let role = if rng.u8(..4) == 0 { left_out[rng.usize(..2)] } else { Role::Group };
            let group = Line { id, place, role, ..self.task("G", &[]).clone() };
            self.lines.pop();
            self.lines.insert(0, Line { files: Vec::new(), lanes: Vec::new(), ..group });
        }
    }

    /// What was taken out and may come back.
    pub(crate) fn gone(&self) -> &[Line] {
        &self.gone
    }

    /// What was taken out comes back as it last stood in a file that others saw.
    pub(crate) fn keep_roles(&mut self, before: &File) {
        for line in &mut self.gone {
            line.role = before.line(&line.id).map_or(line.role, |line| line.role);
        }
    }

    pub(crate) fn line(&self, id: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.id == id)
    }

    pub(crate) fn line_mut(&mut self, id: &str) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| line.id == id)
    }

    /// A person at work on the file: boxes, tasks that come and go, one more dependency.
    pub(crate) fn edit(&mut self, rng: &mut Rng) {
        let at = rng.usize(..self.lines.len());
        match rng.u8(..11) {
            0 | 1 => self.add(rng),
            2 if self.lines.len() > 1 && !self.lines[at].id.starts_with('G') => {
                let line = self.lines.remove(at);
                self.gone.push(line);
            }
            8 if !self.gone.is_empty() => {
                let line = self.gone.swap_remove(rng.usize(..self.gone.len()));
                self.lines.insert(at, line);
            }
            9 => {
                let other = rng.usize(..self.lines.len());
                self.lines.swap(at, other);
            }
            10 => self.lines[at].parallel = !self.lines[at].parallel,
            3 => {
                let need = rng.choice(&self.lines).map(|line| line.id.clone());
                self.lines[at].needs.extend(need);
            }
            4 if !self.lines[at].id.starts_with('G') => {
                self.lines[at].role = Role::LeftOut(LeftOut::Manual);
            }
            _ if self.lines[at].id.starts_with('G') => {}
            _ => match &mut self.lines[at].role {
                role @ Role::Done => *role = Role::Run,
                role => *role = Role::Done,
            },
        }
    }

    pub(crate) fn plan(&self) -> Plan {
        let at = |id: &str| self.lines.iter().position(|line| line.id == id);
        let gate_at = |n: usize| NodeIx((self.lines.len() + n) as u32);
        let mut edges = Vec::new();
        let mut edge = |(from, from_place): (NodeIx, u32), (to, to_place): (NodeIx, u32), kind, reason| {
            if (from_place, from) < (to_place, to) {
                edges.push(Edge { from, to, kind, reason, line: to.0 + 1 });
            }
        };
        let node = |n: usize| (NodeIx(n as u32), self.lines[n].place);
        for (n, line) in self.lines.iter().enumerate() {
            for need in line.needs.iter().filter_map(|id| at(id)) {
                edge(node(need), node(n), EdgeKind::Needs, Reason::Explicit);
            }
            for after in line.after.iter().filter_map(|id| at(id)) {
                edge(node(after), node(n), EdgeKind::After, Reason::Prose);
            }
            if let Some(group) = line.group.as_deref().and_then(at) {
                edge(node(n), node(group), EdgeKind::Needs, Reason::Group);
            }
        }
        for (n, gate) in self.gates.iter().enumerate() {
            let gate_node = (gate_at(n), gate.place);
            for before in gate.before.iter().filter_map(|id| at(id)) {
                edge(node(before), gate_node, EdgeKind::Needs, Reason::Phase);
            }
            for after in gate.after.iter().filter_map(|id| at(id)) {
                edge(gate_node, node(after), EdgeKind::Needs, Reason::Phase);
            }
        }
        for name in 0..12 {
            let mut namers: Vec<usize> =
                (0..self.lines.len()).filter(|n| self.lines[*n].files.contains(&name)).collect();
            namers.sort_by_key(|n| (self.lines[*n].place, *n));
            for pair in namers.windows(2) {
                edge(node(pair[0]), node(pair[1]), EdgeKind::After, Reason::File);
            }
        }
        self.assemble(edges)
    }

    /// For files too large for the edges' plain way of being looked up.
    pub(crate) fn plan_without_edges(&self) -> Plan {
        self.assemble(Vec::new())
    }

    fn assemble(&self, edges: Vec<Edge>) -> Plan {
        let nodes = self.lines.len() + self.gates.len();
        let graph = Graph::new(self.lines.len(), nodes, edges);
        let remaining = self.remaining(&graph);
        let lanes = |line: &Line| line.lanes.iter().map(|lane| LaneIx(*lane)).collect();
        Plan {
            file: "tasks.md".to_owned(),
            mode: self.mode,
            tasks: self.lines.iter().map(|line| self.task_of(line)).collect::<Vec<_>>().into(),
            planned: (self.lines.iter().zip(&remaining))
                .map(|(line, remaining)| PlannedTask {
                    role: line.role,
                    lanes: lanes(line),
                    estimate: Duration::from_secs(line.estimate).into(),
                    remaining: Duration::from_secs(*remaining).into(),
                })
                .collect(),
            phases: Vec::new(),
            lanes: (0..LANES).map(|n| Lane { name: format!("L{n}"), is_story: n != 0 }).collect(),
            checkpoints: Vec::new(),
            ignored: Vec::new(),
            graph,
            sightings: Vec::new(),
            tick: 'x',
        }
    }

    fn remaining(&self, graph: &Graph) -> Vec<u64> {
        let mut places: Vec<(u32, NodeIx)> = self
            .lines
            .iter()
            .map(|line| line.place)
            .collect::<Vec<_>>()
            .into_iter()
            .chain(self.gates.iter().map(|gate| gate.place))
            .zip((0..).map(NodeIx))
            .collect();
        places.sort_unstable();
        let mut remaining = vec![0; graph.node_count()];
        for (_, node) in places.into_iter().rev() {
            let own = self.lines.get(node.ix()).map_or(0, |line| line.estimate);
            remaining[node.ix()] =
                own + graph.after(node).map(|edge| remaining[edge.to.ix()]).max().unwrap_or(0);
        }
        remaining
    }

    fn task_of(&self, line: &Line) -> Task {
        let file = |n: &u32| NamedPath {
            path: format!("f{n}"),
            is_dir: false,
            pattern: None,
            outside: false,
            span: Span::default(),
        };
        let group = line.group.as_ref().and_then(|id| self.lines.iter().position(|line| line.id == *id));
        Task {
            id: TaskId::new(&line.id),
            synthetic: false,
            line: 1,
            span: Span::default(),
            id_span: Span::default(),
            title: line.id.as_str().into(),
            checkbox: None,
            state: if line.role == Role::Done { State::Done } else { State::Open },
            parallel: line.parallel,
            stories: Few::new(),
            all_stories: false,
            priority: line.priority,
            more: specter::task::Rare::new(specter::task::More {
                agent: line.agent.as_deref().map(Into::into),
                ..Default::default()
            }),
            phase: None,
            group: group.map(|n| TaskIx(n as u32)),
            is_group: line.id.starts_with('G'),
            checkpoint: false,
            files: line.files.iter().map(file).collect(),
            blocks: if line.agent.is_some() { Vec::new() } else { vec![run_block(line.retries)] },
            body: Span::default(),
        }
    }
}

fn run_block(retries: Option<u32>) -> Block {
    Block {
        kind: BlockKind::Run,
        interpreter: "sh".into(),
        code: "true".into(),
        given: specter::task::Rare::new(specter::task::Given { retries, ..Default::default() }),
        line: 1,
        span: Span::default(),
    }
}
