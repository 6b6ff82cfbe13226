//! One attempt's prompt: what is only for this task, in the room that is left behind the prefix.
//!
//! The room is given out in the order of what an agent can least do without: the task itself, what failed before, what
//! earlier tasks left, then parts of the documents.

use super::context::{Context, hidden_note};
use super::handoff::{self, Left};
use super::slice::{self, Slices, Wanted};
use super::template::{Handoff, Retry, TaskText, View};
use super::{Answer, Inputs, LeftOut, Part, Past, Prompt, fence, outline, pattern, tokens};
use crate::event::{AnsweredBy, AttemptOutcome, AttemptReport, FailureClass, Verdict, agents};
use crate::plan::Plan;
use crate::source::Span;
use crate::task::{BlockKind, Task, TaskIx};
use std::sync::Arc;

/// What the headings and sentences of the template come to.
const FRAME: u64 = 300;
/// What naming the parts without room comes to.
const ELSEWHERE: u64 = 300;
/// So many of them are named in the prompt; all are told to people.
const NAMED: usize = 12;
const HANDOFFS: usize = 8;
const FILES: usize = 40;
/// Of a failed attempt's output, of what its agent said, of each side of a conflict.
const OUTPUT: usize = 6_000;
const SAID: usize = 1_500;
const HUNK: usize = 2_000;
const HUNKS: usize = 3;
/// Of what the task file says about the part a task is in.
const ABOUT: usize = 1_200;

/// What is put together, with its account.
struct Draft<'a> {
    context: &'a Context,
    view: View,
    parts: Vec<Part>,
    left_out: Vec<LeftOut>,
    notes: Vec<String>,
    room: u64,
}

/// The prompt of one attempt. Linear in the task, its direct predecessors and the size of the prompt.
pub fn build(inputs: &Inputs<'_>) -> Prompt {
    let context = inputs.context;
    let task = inputs.plan.task(inputs.task);
    let room = context.max_tokens.saturating_sub(context.prefix_tokens + FRAME + ELSEWHERE);
    let mut draft = Draft {
        context,
        view: View::default(),
        parts: Vec::new(),
        left_out: context.left_out.clone(),
        notes: context.notes.clone(),
        room,
    };
    draft.task(inputs.plan, task);
    draft.place(inputs.plan, inputs.task);
    draft.advice(inputs, task);
    draft.retry(inputs);
    draft.handoffs(inputs);
    draft.slices(task);
    draft.finish(&inputs.plan.file)
}

impl Draft<'_> {
    /// Takes the room for a part and enters it.
    fn spend(&mut self, name: &str, source: &str, text: &str) {
        let part = Part {
            name: name.to_owned(),
            source: source.to_owned(),
            bytes: text.len() as u64,
            tokens: tokens::estimate(text),
        };
        self.room = self.room.saturating_sub(part.tokens);
        self.parts.push(part);
    }

    /// The task's own line and body; what is beyond half of the room is left to be read in the file.
    fn task(&mut self, plan: &Plan, task: &Task) {
        let raw = format!("{}\n{}", task.title.beside(task.span), task.title.beside(task.body));
        let plain = fence::dedented(&raw);
        let (whole, hidden) = fence::visible(&plain, &outline::comments(&plain));
        if hidden > 0 {
            self.notes.push(hidden_note(hidden, task.id.as_str()));
        }
        let kept = tokens::lines_within(&whole, self.room / 2);
        let kept = if kept == 0 { fence::first_bytes(&whole, self.room as usize).0.len() } else { kept };
        let mut text = fence::fenced("md", &whole[..kept]);
        let source = format!("{}:{}", plan.file, task.line);
        if kept < whole.len() {
            text.push_str(&format!(
                "\n\nIt goes on in `{}`: read it there from line {} on.",
                fence::inline(&plan.file),
                task.line
            ));
            let bytes = (whole.len() - kept) as u64;
            let why = "the task alone takes more than half of the room".to_owned();
            self.left_out.push(LeftOut { what: source.clone(), why, bytes });
        }
        self.spend("task", &source, &text);
        self.view.task.text = text;
        self.view.task.id = fence::inline(task.id.as_str());
    }

    /// Where the task stands in its file, and which files it names.
    fn place(&mut self, plan: &Plan, ix: TaskIx) {
        let task = plan.task(ix);
        let view = &mut self.view.task;
        if let Some(phase) = task.phase.and_then(|phase| plan.phases.get(phase.0 as usize)) {
            view.phase = fence::inline(&phase.title);
            view.about = about(plan, task, phase.span);
        }
        view.acceptance = acceptance(plan, ix);
        view.groups = groups(plan, task);
        let (outside, files): (Vec<_>, Vec<_>) = task.files.iter().partition(|file| file.outside);
        let name =
            |file: &&crate::task::NamedPath| fence::inline(file.pattern.as_deref().unwrap_or(&file.path));
        view.files = files.iter().take(FILES).map(name).collect();
        view.outside = outside.iter().take(FILES).map(name).collect();
        let TaskText { phase, about, acceptance, groups, files, outside, .. } = view;
        let all = [phase.as_str(), about, acceptance].map(str::to_owned).into_iter();
        let all: Vec<String> = all.chain(groups.iter().chain(&*files).chain(&*outside).cloned()).collect();
        self.spend("place", &plan.file, &all.join("\n"));
    }

    fn advice(&mut self, inputs: &Inputs<'_>, task: &Task) {
        self.view.neighbours = inputs.neighbours.iter().take(FILES).map(|path| fence::inline(path)).collect();
        let own = task
            .blocks_of(BlockKind::Verify)
            .map(|block| format!("- the `verify` block in line {}", block.line));
        self.view.gates =
            own.chain(inputs.gates.iter().map(|gate| format!("- {}", fence::inline(gate)))).collect();
        self.view.instructions = inputs.instructions.iter().map(|line| fence::inline(line)).collect();
        self.view.pattern = pattern::of(&task.title, &task.files);
        for (name, source, text) in [
            ("neighbours", "the directories", self.view.neighbours.join("\n")),
            ("checks", "the task", self.view.gates.join("\n")),
            ("instructions", "the task's domain", self.view.instructions.join("\n")),
        ] {
            if !text.is_empty() {
                self.spend(name, source, &text);
            }
        }
        if let Some(pattern) = self.view.pattern {
            self.spend("pattern", pattern.name, pattern.text);
        }
    }

    fn retry(&mut self, inputs: &Inputs<'_>) {
        let Some(past) = inputs.past.filter(|past| is_retried(past)) else { return };
        let mut retry = Retry { attempt: inputs.attempt, ..Retry::default() };
        fill(&mut retry, past);
        let conflicts = retry.conflicts.join("\n");
        let text = [retry.what.as_str(), &retry.output, &retry.said, &conflicts, &retry.answer].join("\n");
        self.spend("failure", &format!("attempt {}", inputs.attempt.saturating_sub(1)), &text);
        self.view.retry = Some(retry);
    }

    fn handoffs(&mut self, inputs: &Inputs<'_>) {
        let (before, more) = handoff::predecessors(inputs.plan, inputs.task, HANDOFFS);
        /// Its heading.
        const HEADING: u64 = 12;
        self.view.more_handoffs = more;
        let mut room = self.room / 4;
        for before in before {
            let task = inputs.plan.task(before);
            let text = handed_over(task, inputs.handoffs.of(&task.id));
            let cost = tokens::estimate(&text) + HEADING;
            if cost > room {
                let what = format!("what {} left", task.id);
                let why = "no room left for what earlier tasks left".to_owned();
                self.left_out.push(LeftOut { what, why, bytes: text.len() as u64 });
                self.view.more_handoffs += 1;
                continue;
            }
            room -= cost;
            self.room = self.room.saturating_sub(HEADING);
            self.spend(&format!("handoff {}", task.id), "events", &text);
            self.view.handoffs.push(Handoff { id: fence::inline(task.id.as_str()), text });
        }
    }

    fn slices(&mut self, task: &Task) {
        let body = task.title.beside(task.body);
        let wanted = Wanted::of(task.title.beside(task.span), &task.title, body, &task.stories, &task.files);
        let Slices { taken, left_out, hidden } =
            slice::slices(&self.context.index, &wanted, &self.context.given, self.room);
        if hidden > 0 {
            self.notes.push(hidden_note(hidden, "the documents"));
        }
        for slice in &taken {
            self.spend("slice", &slice.source, &slice.text);
        }
        let mut room = ELSEWHERE;
        for left in left_out.iter().take(NAMED) {
            room = room.saturating_sub(tokens::estimate(&left.what) + 2);
            if room < 20 {
                break;
            }
            self.view.elsewhere.push(left.what.clone());
        }
        let unnamed = left_out.len() - self.view.elsewhere.len();
        if unnamed > 0 {
            self.view.elsewhere.push(format!("and {unnamed} more parts"));
        }
        self.view.slices = taken;
        self.left_out.extend(left_out);
    }

    fn finish(mut self, file: &str) -> Prompt {
        let context = self.context;
        let (own, problem) = context.templates.task(&self.view);
        self.notes.extend(problem);
        if context.templates.is_own_task() {
            self.drop_unused(&own);
        }
        let text = format!("{}\n{own}", context.prefix);
        let tokens_estimate = context.prefix_tokens + tokens::estimate(&own);
        let mut parts = context.parts.clone();
        parts.append(&mut self.parts);
        let known: u64 = parts.iter().map(|part| part.bytes).sum();
        parts.push(Part {
            name: "frame".to_owned(),
            source: context.templates.task_source(),
            bytes: (text.len() as u64).saturating_sub(known),
            tokens: tokens_estimate.saturating_sub(parts.iter().map(|part| part.tokens).sum()),
        });
        if tokens_estimate > context.max_tokens {
            let most = context.max_tokens;
            self.notes.push(format!("the prompt is about {tokens_estimate} tokens, more than the {most} it should be: `{file}` and the templates take that much"));
        }
        Prompt {
            prefix: Arc::clone(&context.prefix),
            text,
            tokens_estimate,
            parts,
            left_out: self.left_out,
            notes: self.notes,
        }
    }

    /// A project's own template need not use what it is offered.
    fn drop_unused(&mut self, text: &str) {
        let view = &self.view;
        let is_used = |part: &Part| match part.name.as_str() {
            "slice" => {
                view.slices.iter().any(|slice| slice.source == part.source && text.contains(&slice.text))
            }
            "task" => text.contains(&view.task.text),
            "pattern" => view.pattern.is_some_and(|pattern| text.contains(pattern.text.trim_end())),
            name if name.starts_with("handoff ") => view
                .handoffs
                .iter()
                .any(|handoff| name.ends_with(&handoff.id) && text.contains(&handoff.text)),
            _ => true,
        };
        let (used, unused): (Vec<Part>, Vec<Part>) =
            std::mem::take(&mut self.parts).into_iter().partition(is_used);
        self.parts = used;
        self.left_out.extend(unused.into_iter().map(|part| LeftOut {
            what: format!("{} {}", part.name, part.source),
            why: "the project's template does not use it".to_owned(),
            bytes: part.bytes,
        }));
    }
}

/// Goal and test of a phase: what stands between its heading and its first task.
fn about(plan: &Plan, task: &Task, heading: Span) -> String {
    let first = plan.tasks.partition_point(|other| other.span.start < heading.end);
    let end = plan.tasks.get(first).map_or(heading.end, |other| other.span.start);
    let next = plan.phases.partition_point(|phase| phase.span.start < heading.end);
    let end = plan.phases.get(next).map_or(end, |phase| end.min(phase.span.start));
    let text = task.title.beside(Span { start: heading.end, end: end.max(heading.end) });
    quoted(text, ABOUT)
}

/// Text of the task file in its fence; nothing if nothing is to be seen.
fn quoted(text: &str, most: usize) -> String {
    let (text, _) = fence::first_bytes(text, most);
    let (visible, _) = fence::visible(text, &outline::comments(text));
    let plain = fence::dedented(&visible);
    if plain.is_empty() { String::new() } else { fence::fenced("md", &plain) }
}

/// The checkpoint that ends the part a task is in.
fn acceptance(plan: &Plan, ix: TaskIx) -> String {
    let next = plan.checkpoints.partition_point(|checkpoint| checkpoint.after_tasks <= ix.0);
    let same = |checkpoint: &&crate::task::Checkpoint| checkpoint.phase == plan.task(ix).phase;
    plan.checkpoints
        .get(next)
        .filter(same)
        .map_or_else(String::new, |checkpoint| quoted(&checkpoint.text, ABOUT))
}

/// Titles of the groups a task is in, outermost first.
fn groups(plan: &Plan, task: &Task) -> Vec<String> {
    const DEEPEST: usize = 8;
    let mut titles = Vec::new();
    let mut group = task.group;
    while let Some(ix) = group.filter(|_| titles.len() < DEEPEST) {
        let group_task = plan.task(ix);
        titles.push(fence::inline(&format!("{} {}", group_task.id, &*group_task.title)));
        group = group_task.group;
    }
    titles.reverse();
    titles
}

/// What one finished task leaves to read.
fn handed_over(task: &Task, left: Option<&Left>) -> String {
    let mut out = fence::fenced("md", &fence::visible(&task.title, &[]).0);
    let Some(left) = left else { return out };
    match left.verdict {
        Some(Verdict::Verified) => out.push_str("\n\nIts checks passed."),
        Some(_) => out.push_str("\n\nIt is done; nothing checked it."),
        None => {}
    }
    if !left.files.is_empty() {
        let files: Vec<String> = left.files.iter().map(|file| format!("`{}`", fence::inline(file))).collect();
        let more = if left.more_files > 0 { format!(" and {} more", left.more_files) } else { String::new() };
        out.push_str(&format!("\n\nIt changed {}{more}.", files.join(", ")));
    }
    let (said, _) = fence::visible(&left.said, &[]);
    if !said.trim().is_empty() {
        out.push_str(&format!("\n\nIts agent said at the end:\n\n{}", fence::fenced("text", said.trim())));
    }
    out
}

/// Whether there is anything to say of an attempt before.
fn is_retried(past: &Past) -> bool {
    past.report.is_some() || past.began_before || past.answer.is_some()
}

/// What the attempt before ended with, in one sentence without its end.
fn what(report: &AttemptReport) -> String {
    let rule = report.rule.as_deref().map(fence::inline);
    match (&report.outcome, report.class, &report.block) {
        (AttemptOutcome::NotIntegrated, ..) => format!(
            "what it made was not taken over: {}; others changed files meanwhile",
            rule.as_deref().unwrap_or("nobody knows why")
        ),
        (_, _, Some(block)) if block.kind == BlockKind::Verify => {
            format!("the `verify` block in line {} failed", block.line)
        }
        (_, Some(FailureClass::NoChange), _) => {
            "it said that it is done, but no file was changed: make the changes in the files".to_owned()
        }
        // Nothing that its agent did wrong.
        (_, Some(FailureClass::RateLimit | FailureClass::UsageLimit | FailureClass::Cancelled), _) => {
            "it was interrupted from outside: go on where it ended".to_owned()
        }
        (_, Some(class), _) => match rule {
            Some(rule) => format!("{}: {rule}", class.as_str()),
            None => class.as_str().to_owned(),
        },
        _ => rule.unwrap_or_else(|| "it ended without a reason on record".to_owned()),
    }
}

/// What was asked and what came of it, for whoever asked.
fn answered(answer: &Answer) -> String {
    let quoted = |text: &str| fence::fenced("text", &fence::visible(text, &[]).0);
    let asked = format!("The question was:\n\n{}", quoted(&agents::asked(&answer.question)));
    match &answer.answer {
        Some((AnsweredBy::Person, text)) => {
            format!("{asked}\n\nA person answered; go on as they say:\n\n{}", quoted(text))
        }
        Some((AnsweredBy::Default, text)) => {
            format!(
                "{asked}\n\nNobody is there to answer. Go on as you would by yourself:\n\n{}",
                quoted(text)
            )
        }
        None => format!(
            "{asked}\n\nNobody is there to answer: choose what fits the task and the project best, note it in your last \
             message, and finish the work."
        ),
    }
}

/// What failed, with the words of outputs and others in fences.
fn fill(retry: &mut Retry, past: &Past) {
    (retry.attempt, retry.began_before) = (retry.attempt.max(2), past.began_before);
    retry.handed_by = past.handed_by.as_deref().map(fence::inline).unwrap_or_default();
    if let Some(answer) = &past.answer {
        retry.answer = answered(answer);
    }
    let Some(report) = &past.report else {
        "no end of it is on record".clone_into(&mut retry.what);
        return;
    };
    retry.what = what(report);
    let output = if past.answer.is_some() { "" } else { &report.tail };
    let said = report.agent.as_ref().map_or("", |agent| &agent.text);
    // Where that is all it said, it is quoted already.
    let said = if said.trim() == output.trim() || past.answer.is_some() { "" } else { said };
    let quote = |text: &str, most: usize| {
        let (end, cut) = fence::last_lines(text.trim_end(), most);
        let (visible, _) = fence::visible(end, &[]);
        let mark = if cut { "[…]\n" } else { "" };
        if visible.trim().is_empty() {
            String::new()
        } else {
            fence::fenced("text", &format!("{mark}{visible}"))
        }
    };
    retry.output = quote(output, OUTPUT);
    retry.said = quote(said, SAID);
    for conflict in past.conflicts.iter().take(HUNKS) {
        let who = conflict
            .other
            .as_ref()
            .map_or_else(|| "a person".to_owned(), |task| fence::inline(task.as_str()));
        let hunks = quote(&conflict.hunks.join("\n"), HUNK);
        retry.conflicts.push(format!(
            "`{}`, changed by {who}: {}\n\n{hunks}",
            fence::inline(&conflict.path),
            fence::inline(&conflict.what)
        ));
    }
}
