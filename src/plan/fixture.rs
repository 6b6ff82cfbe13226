//! Documents for tests from a few lines in the manner of a task file. Understands only plain forms, so that a test of
//! the plan does not depend on the parser.

use super::{Options, Plan, Role, plan};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Excerpt, Span};
use crate::task::{
    Block, BlockKind, Checkbox, Checkpoint, Dependent, Document, Few, NamedPath, NeedForm, Phase, PhaseIx,
    PhaseKind, Rare, State, Story, Target, Task, TaskId, TaskIx, Waves, WrittenNeed,
};
use std::collections::BTreeSet;

/// Reads lines such as `- [ ] T001 [P] [US1] title in src/a.rs (depends on T000)`, `## Phase 1: Setup`,
/// `**Checkpoint**`, `waves: 1.1 1.2 | 2.1`, and sentences `T001 after T002` or `US1 after US2`.
pub(crate) fn document(text: &str) -> Document {
    let mut document = Document { tick: 'x', ..Document::default() };
    let mut groups: Vec<(usize, TaskIx)> = Vec::new();
    let mut at = 0;
    for (n, line) in text.lines().enumerate() {
        let (number, span) = (n as u32 + 1, Span::new(at, at + line.len()));
        at += line.len() + 1;
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some(title) = line.strip_prefix("## ") {
            document.phases.push(phase(title, number, span));
        } else if let Some(rest) = line.strip_prefix("- [") {
            groups.retain(|(own, _)| *own < indent);
            let ix = TaskIx(document.tasks.len() as u32);
            let (mut task, needs) = task(rest, number, span, ix);
            task.phase = document.phases.len().checked_sub(1).map(|phase| PhaseIx(phase as u32));
            task.group = groups.last().map(|(_, group)| *group);
            if let Some(group) = task.group {
                document.tasks[group.ix()].is_group = true;
            }
            groups.push((indent, ix));
            document.tasks.push(task);
            document.needs.extend(needs);
        } else if line.starts_with("**Checkpoint") {
            document.checkpoints.push(Checkpoint {
                phase: document.phases.len().checked_sub(1).map(|phase| PhaseIx(phase as u32)),
                after_tasks: document.tasks.len() as u32,
                text: line.to_owned(),
                line: number,
            });
        } else if let Some(waves) = line.strip_prefix("waves:") {
            let ids = |wave: &str| wave.split_whitespace().map(|id| (id.to_owned(), span)).collect();
            document.waves = Some(Waves { waves: waves.split('|').map(ids).collect(), line: number });
        } else if let Some((after, before)) = line.split_once(" after ") {
            document.needs.push(WrittenNeed {
                dependent: Dependent::Written(Box::new(target(after))),
                need: target(before),
                form: NeedForm::Prose,
                line: number,
                span,
            });
        }
    }
    document
}

fn phase(title: &str, line: u32, span: Span) -> Phase {
    let lower = title.to_lowercase();
    let kind = [
        ("setup", PhaseKind::Setup),
        ("foundation", PhaseKind::Foundation),
        ("user story", PhaseKind::Story),
        ("polish", PhaseKind::Polish),
    ];
    let number = |text: &str| text.chars().take_while(char::is_ascii_alphanumeric).collect::<String>();
    let story = lower.find("user story ").map(|at| Story(format!("US{}", number(&title[at + 11..]))));
    Phase {
        title: title.to_owned(),
        number: title.strip_prefix("Phase ").map(number),
        kind: kind.iter().find(|(word, _)| lower.contains(word)).map_or(PhaseKind::Other, |(_, kind)| *kind),
        stories: story.into_iter().collect(),
        priority: lower.find("priority: p").and_then(|at| lower[at + 11..at + 12].parse().ok()),
        line,
        span,
    }
}

fn task(rest: &str, line: u32, span: Span, ix: TaskIx) -> (Task, Vec<WrittenNeed>) {
    let (mark, rest) = rest.split_once(']').unwrap();
    let optional = rest.starts_with('*');
    let (text, needs) = match rest.split_once(" (depends on ") {
        Some((text, needs)) => (text, needs.split(')').next().unwrap()),
        None => (rest, ""),
    };
    let mut words = text.trim_start_matches('*').split_whitespace();
    let id = words.next().unwrap();
    let mut task = empty(id, line, span);
    task.checkbox = Some(Checkbox {
        inner: Span::new(span.start as usize + 3, span.start as usize + 4),
        mark: mark.into(),
    });
    let words: Vec<&str> = words.collect();
    for word in &words {
        word_of(&mut task, word);
    }
    task.title =
        words.iter().filter(|word| !word.starts_with('[')).copied().collect::<Vec<_>>().join(" ").into();
    task.checkpoint = task.title.starts_with("Checkpoint");
    task.state = match mark {
        "x" => State::Done,
        " " if optional => State::Optional,
        " " if task.title.contains("DROPPED") => State::Dropped,
        " " if task.more.tags.iter().any(|tag| tag == "MANUAL") => State::Manual,
        " " => State::Open,
        _ => State::Unclear,
    };
    let need = |need: &str| WrittenNeed {
        dependent: Dependent::Task(ix),
        need: target(need),
        form: NeedForm::Explicit,
        line,
        span,
    };
    (task, needs.split(", ").filter(|need| !need.is_empty()).map(need).collect())
}

fn word_of(task: &mut Task, word: &str) {
    if let Some(tag) = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')) {
        match tag {
            "P" => task.parallel = true,
            "ALL" => task.all_stories = true,
            "run" => task.blocks.push(run_block(task.line, task.span)),
            _ if tag.starts_with("US") => task.stories.push(Story(tag.to_owned())),
            _ if tag.len() == 2 && tag.starts_with('P') => task.priority = tag[1..].parse().ok(),
            _ if tag.len() == 2 && tag.starts_with('L') => task.more.layer = tag[1..].parse().ok(),
            _ => task.more.tags.push(tag.to_owned()),
        }
    } else if word.contains('/') || word.contains(".r") {
        task.files.push(NamedPath {
            path: word.trim_end_matches('/').to_owned(),
            is_dir: word.ends_with('/'),
            pattern: None,
            outside: word.starts_with(['/', '.']),
            span: task.span,
        });
    }
}

fn run_block(line: u32, span: Span) -> Block {
    Block {
        kind: BlockKind::Run,
        interpreter: "sh".into(),
        code: "true".into(),
        given: Rare::default(),
        line,
        span,
    }
}

fn empty(id: &str, line: u32, span: Span) -> Task {
    Task {
        id: TaskId::new(id),
        synthetic: false,
        line,
        span,
        id_span: span,
        title: Excerpt::default(),
        checkbox: None,
        state: State::Open,
        parallel: false,
        stories: Few::new(),
        all_stories: false,
        priority: None,
        more: Rare::default(),
        phase: None,
        group: None,
        is_group: false,
        checkpoint: false,
        files: Few::new(),
        blocks: Vec::new(),
        body: Span::default(),
    }
}

pub(crate) fn target(text: &str) -> Target {
    let text = text.trim();
    match text.split_once('-') {
        _ if text.starts_with("US") => Target::Story(Story(text.to_owned())),
        _ if text.starts_with("Phase ") => Target::Phase(text[6..].to_owned()),
        Some((first, last)) => Target::Range(first.into(), last.into()),
        None => Target::Id(text.into()),
    }
}

/// The plan of a text that makes one, with its warnings.
pub(crate) fn planned(text: &str, options: &Options) -> (Plan, Vec<Diagnostic>) {
    plan(document(text), options).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

pub(crate) fn errors(text: &str, options: &Options) -> Vec<Diagnostic> {
    let all = plan(document(text), options).err().unwrap_or_default();
    all.into_iter().filter(Diagnostic::is_error).collect()
}

pub(crate) fn codes(diagnostics: &[Diagnostic]) -> Vec<Code> {
    diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

/// A plan's edges as `T002 <- T001 lane`, one a line, in file order.
pub(crate) fn edges(plan: &Plan) -> String {
    let mut lines = String::new();
    for task in plan.task_ixs() {
        for link in plan.waits_for(task) {
            let reason = format!("{:?}", link.reason).to_lowercase();
            let (task, other) = (&plan.task(task).id, &plan.task(link.task).id);
            lines.extend([task.as_str(), " <- ", other.as_str(), " ", &reason, "\n"]);
        }
    }
    lines
}

/// Who must come before whom, directly or not, by ids; only ways of `Needs` if asked.
pub(crate) fn before(plan: &Plan, only_needs: bool) -> BTreeSet<(String, String)> {
    let mut pairs = BTreeSet::new();
    for start in plan.task_ixs() {
        let mut seen = vec![false; plan.graph.node_count()];
        let mut stack = vec![start.into()];
        while let Some(node) = stack.pop() {
            for edge in
                plan.graph.before(node).iter().filter(|e| !only_needs || e.kind == super::EdgeKind::Needs)
            {
                if !std::mem::replace(&mut seen[edge.from.ix()], true) {
                    stack.push(edge.from);
                    if let Some(task) = plan.graph.task(edge.from) {
                        pairs.insert((plan.task(task).id.to_string(), plan.task(start).id.to_string()));
                    }
                }
            }
        }
    }
    pairs
}

/// Ids of what is run.
pub(crate) fn run_ids(plan: &Plan) -> Vec<String> {
    plan.runnable().map(|task| plan.task(task).id.to_string()).collect()
}

pub(crate) fn role(plan: &Plan, id: &str) -> Role {
    plan.planned(plan.find(id).unwrap()).role
}
