//! Makes one task of a candidate at its place, with what its line says of dependencies and files, and says what is odd.

use super::blocks::Fence;
use super::candidates::Candidate;
use super::findings::Findings;
use super::needs::{self, List, phrase, prose};
use super::scan::Mark;
use super::walk::Walk;
use super::{id, paths, state};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{SourceText, Span};
use crate::task::{
    Checkbox, Dependent, EcoString, Few, More, NeedForm, PhaseIx, Rare, State, Story, Target, Task, TaskId,
    TaskIx, WrittenNeed,
};
use crate::text::{fnv1a, safe};
use std::collections::hash_map::Entry;

/// Where a task stands.
pub(super) struct Place {
    pub phase: Option<PhaseIx>,
    /// The task it is nested under.
    pub parent: Option<TaskIx>,
    /// Stories it inherits if it names none.
    pub stories: Few<Story>,
}

/// The longest range of ids that one task line may stand for.
const ALIASES: u64 = 1_000;

pub(super) fn task(walk: &mut Walk<'_, '_>, candidate: &Candidate, place: Place) -> TaskIx {
    let ix = TaskIx(walk.document.tasks.len() as u32);
    let source = walk.source;
    let line = candidate.line;
    let span = source.line_span(line);
    let text = source.slice(span);
    let base = span.start as usize;
    let (from, to) = candidate.head.title;
    let title = &text[from..to];
    let written = candidate.id(source).filter(|_| walk.style.counts(source, candidate));
    let group = numeric_parent(walk, written).or(place.parent);
    let (id, id_span) = match (written, candidate.head.id) {
        (Some(id), Some(token)) => (TaskId::new(id), Span::new(base + token.start, base + token.end)),
        _ => (synthetic(walk, &place, title), Span::new(base + from, base + to)),
    };
    if let Some(written) = written {
        register(walk, written, ix, id_span);
    }
    odd_box(walk, candidate, span, base, written.is_some());
    let aliases = aliases(walk, candidate, written, span);
    let mut files = Vec::new();
    paths::find(title, base + from, &mut files);
    line_needs(walk, candidate, ix, text, base);
    let state = state_of(candidate, title);
    say_state(walk, candidate, state, title, id_span);
    let markers = &candidate.head.markers;
    walk.document.tasks.push(Task {
        id,
        synthetic: written.is_none(),
        line,
        span,
        id_span,
        title: source.excerpt(Span::new(base + from, base + to)),
        checkbox: candidate.bracket.map(|bracket| Checkbox {
            inner: Span::new(base + bracket.start, base + bracket.end),
            mark: EcoString::from(&text[bracket.start..bracket.end]),
        }),
        state,
        parallel: markers.parallel,
        stories: if markers.stories.is_empty() && !markers.all_stories {
            place.stories
        } else {
            markers.stories.clone()
        },
        all_stories: markers.all_stories,
        priority: markers.priority,
        more: Rare::new(More { aliases, layer: markers.layer, tags: markers.tags.clone(), agent: None }),
        phase: place.phase,
        group,
        is_group: false,
        checkpoint: state::is_checkpoint(title),
        files: files.into(),
        blocks: Vec::new(),
        body: Span::new(span.end as usize, span.end as usize),
    });
    ix
}

/// `1.2.3` stands in `1.2`, or in `1`, wherever that was written.
fn numeric_parent(walk: &Walk<'_, '_>, written: Option<&str>) -> Option<TaskIx> {
    let mut id = written.filter(|id| id.starts_with(|c: char| c.is_ascii_digit()))?;
    while let Some((prefix, _)) = id.rsplit_once('.') {
        if let Some(parent) = walk.seen.get(prefix) {
            return Some(*parent);
        }
        id = prefix;
    }
    None
}

/// An id from place and text, the same in every parse of the same task: `p2-ab12cd34`.
fn synthetic(walk: &mut Walk<'_, '_>, place: &Place, title: &str) -> TaskId {
    let phase = place.phase.and_then(|ix| walk.document.phases.get(ix.0 as usize));
    let number = place.phase.map_or(0, |ix| ix.0 + 1);
    let heading = phase.map_or("", |p| p.title.as_str());
    let hash = fnv1a(format!("{heading}\n{title}").as_bytes()) as u32;
    let id = format!("p{number}-{hash:08x}");
    let twins = walk.twins.entry(id.clone()).or_insert(0);
    *twins += 1;
    if *twins == 1 { TaskId::new(&id) } else { TaskId::new(&format!("{id}-{twins}")) }
}

fn register<'s>(walk: &mut Walk<'s, '_>, id: &'s str, ix: TaskIx, span: Span) {
    let first = match walk.seen.entry(id) {
        Entry::Vacant(free) => {
            free.insert(ix);
            return;
        }
        Entry::Occupied(first) => *first.get(),
    };
    let before = walk.document.tasks[first.ix()].id_span;
    let line = walk.source.line(before.start);
    walk.findings.add(Code::DuplicateId, || {
        Diagnostic::error(Code::DuplicateId, format!("id `{}` is used twice", safe(id)))
            .at(span, "used again here")
            .at(before, format!("first used here, on line {line}"))
            .help("give one of the two tasks another id")
    });
}

fn aliases(walk: &mut Walk<'_, '_>, candidate: &Candidate, written: Option<&str>, span: Span) -> Few<TaskId> {
    let (Some(first), Some(last)) = (written, candidate.head.range.as_deref()) else { return Few::new() };
    let name = format!("{}–{}", safe(first), safe(last));
    match id::range(first, last) {
        id::Range::Good(n) if n <= ALIASES => {
            let warning =
                Diagnostic::warning(Code::RangeTask, format!("one line stands for {n} tasks, `{name}`"));
            walk.findings
                .push(warning.at(span, "one box for several ids").help("write one line for each id"));
            (1..n).filter_map(|step| id::nth(first, step)).map(|id| TaskId::new(&id)).collect()
        }
        id::Range::Good(_) => {
            let warning =
                Diagnostic::warning(Code::BadRange, format!("range `{name}` is too long for one task"));
            walk.findings.push(warning.at(span, "read as its first id"));
            Few::new()
        }
        id::Range::Bad(why) => {
            let warning =
                Diagnostic::warning(Code::BadRange, format!("range `{name}` cannot be read: {why}"));
            walk.findings.push(warning.at(span, "read as its first id"));
            Few::new()
        }
    }
}

fn state_of(candidate: &Candidate, title: &str) -> State {
    let head = &candidate.head;
    match candidate.bracket.map(|b| b.mark) {
        Some(Mark::Done | Mark::DoneEmoji) => State::Done,
        Some(Mark::Unclear | Mark::Letter | Mark::None) => State::Unclear,
        Some(Mark::Open) | None => {
            let starred = head.starred || candidate.item.is_some_and(|item| item.starred);
            if head.struck || title.starts_with("~~") || head.markers.dropped || state::is_dropped(title) {
                State::Dropped
            } else if head.markers.manual || state::is_manual(title) {
                State::Manual
            } else if starred {
                State::Optional
            } else {
                State::Open
            }
        }
    }
}

fn say_state(walk: &mut Walk<'_, '_>, candidate: &Candidate, state: State, title: &str, id: Span) {
    let Some(bracket) = candidate.bracket else { return };
    let line = walk.source.line_span(candidate.line);
    let inner = Span::new(line.start as usize + bracket.start, line.start as usize + bracket.end);
    match state {
        State::Unclear => walk.findings.add(Code::UnclearMark, || {
            let mark = safe(walk.source.slice(inner));
            Diagnostic::warning(Code::UnclearMark, format!("`[{mark}]` is neither open nor done"))
                .at(inner, "left out: not run, not counted as done")
                .help(format!("write `[ ]` or `[x]`, or say what it means with `--treat '{mark}=open'`"))
        }),
        State::Dropped => walk.findings.add(Code::DroppedTask, || {
            Diagnostic::warning(
                Code::DroppedTask,
                "task is open, but its text says that it is not to be done",
            )
            .at(id, "left out unless named with `--only`")
        }),
        State::Manual => {
            let title = short(title);
            walk.findings.add(Code::ManualTask, || {
                Diagnostic::warning(Code::ManualTask, format!("task `{title}` asks for a person"))
                    .at(id, "never run by specter; what needs it waits")
            });
        }
        State::Open | State::Done | State::Optional => {}
    }
}

fn short(title: &str) -> String {
    let mut text: String = title.chars().take(48).collect();
    if text.len() < title.len() {
        text.push('…');
    }
    safe(&text)
}

/// Says what is unusual about box and spacing.
fn odd_box(walk: &mut Walk<'_, '_>, candidate: &Candidate, span: Span, base: usize, has_id: bool) {
    let (Some(item), Some(bracket)) = (candidate.item, candidate.bracket) else { return };
    let inner = walk.source.slice(Span::new(base + bracket.start, base + bracket.end));
    let usual = matches!(inner, " " | "x" | "X")
        || !matches!(bracket.mark, Mark::Open | Mark::Done | Mark::DoneEmoji);
    let around = Span::new(base + bracket.start - 1, base + bracket.end + 1);
    if !usual || item.odd {
        let shown = safe(inner);
        walk.findings.add(Code::OddBox, || {
            Diagnostic::warning(Code::OddBox, format!("box `[{shown}]` is not written as `- [ ]` or `- [x]`"))
                .at(around, if bracket.mark == Mark::Open { "read as open" } else { "read as done" })
        });
    }
    if item.squashed {
        walk.findings.add(Code::SquashedLine, || {
            Diagnostic::warning(Code::SquashedLine, "spaces between bullet, box and text are missing")
                .at(span, "read as best as possible")
                .help("write `- [ ] T001 Text`")
        });
    }
    if !has_id {
        disguised_id(walk.source, candidate, &mut walk.findings);
    }
}

fn disguised_id(source: &SourceText, candidate: &Candidate, findings: &mut Findings) -> bool {
    let line = source.line_text(candidate.line);
    let at = candidate.head.title.0;
    let Some((end, plain)) = id::disguised(line, at) else { return false };
    let base = source.line_span(candidate.line).start as usize;
    let written = safe(&line[at..end]);
    findings.push(
        Diagnostic::warning(
            Code::ConfusableId,
            format!("`{written}` looks like `{plain}`, but is written with other characters"),
        )
        .at(Span::new(base + at, base + end), "not read as an id")
        .help(format!("type it again as `{plain}`")),
    );
    true
}

/// A box without id among tasks with ids.
pub(super) fn missing_id(source: &SourceText, candidate: &Candidate, findings: &mut Findings) {
    if disguised_id(source, candidate, findings) {
        return;
    }
    let span = source.line_span(candidate.line);
    findings.add(Code::MissingId, || {
        Diagnostic::warning(Code::MissingId, "this checkbox has no id, while others have one")
            .at(span, "not taken as a task")
            .help("give it an id, or indent it below the task it belongs to")
    });
}

/// A line that a person would take for a task and that is none, such as `- ☐ T001` or `- T001 [ ] …`.
pub(super) fn near_miss(source: &SourceText, line: u32, text: &str, findings: &mut Findings) {
    let body = text.trim_start();
    let boxes = ["☐", "☑", "☒", "⬜", "⬛", "□", "［", "\\[", "&#91;"];
    let bulleted = body.starts_with(['-', '*', '+', '•', '–']);
    let after = body.trim_start_matches(['-', '*', '+', '•', '–', ' ', '\u{3000}']);
    let drawn = boxes.iter().any(|sign| after.starts_with(sign));
    let behind = bulleted && {
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let rest = after[end..].trim_start();
        (rest.starts_with("[ ]") || rest.starts_with("[x]")) && id::head(after, 0).is_some()
    };
    if !drawn && !behind {
        return;
    }
    let span = source.line_span(line);
    findings.add(Code::OddBox, || {
        Diagnostic::warning(Code::OddBox, "this looks like a task, but its box cannot be read")
            .at(span, "not taken as a task")
            .help("write `- [ ] T001 Text`")
    });
}

/// A fence that is never closed: an error if it swallows what looks like tasks.
pub(super) fn unclosed(source: &SourceText, fence: &Fence, boxes: u32, lines: u32, findings: &mut Findings) {
    let span = source.line_span(fence.first);
    let to_end = fence.last + 1 >= lines;
    let swallowed = format!("{} below would be code", crate::text::count(boxes, "task-like line"));
    let diagnostic = if boxes > 0 {
        Diagnostic::error(Code::UnclosedFence, "code block is never closed")
            .at(span, "opened here")
            .help(swallowed)
    } else if executes(source.slice(span)) {
        // Where its commands end can only be guessed, and they would be run.
        Diagnostic::error(Code::UnclosedFence, "block of commands is never closed").at(span, "opened here")
    } else {
        let where_ = if to_end {
            "opened here, runs to the end of the file"
        } else {
            "opened here, ends with its list item"
        };
        Diagnostic::warning(Code::UnclosedFence, "code block is never closed").at(span, where_)
    };
    findings.push(diagnostic.help("close it with a line of the same marks and indentation"));
}

/// Whether a fence's opening line says that what is in it is executed.
fn executes(line: &str) -> bool {
    let info = line.trim_start().trim_start_matches(['`', '~']);
    info.split_whitespace().nth(1).is_some_and(|word| matches!(word, "run" | "fallback" | "verify"))
}

/// Dependencies on the task's own line.
fn line_needs(walk: &mut Walk<'_, '_>, candidate: &Candidate, ix: TaskIx, text: &str, base: usize) {
    let numbers = walk.style.numbers;
    let (from, to) = candidate.head.title;
    for (start, end) in &candidate.head.markers.needs {
        let inner = &text[..*end];
        let word = phrase::opened_by(inner[*start..].trim_start());
        let at =
            start + (inner[*start..].len() - inner[*start..].trim_start().len()) + word.map_or(0, |w| w.0);
        let list = needs::list(inner, at, base, numbers);
        take(walk, ix, list, candidate.line, NeedForm::Explicit, true);
    }
    let phrases = phrase::read(&text[..to], from, base, numbers);
    let said = prose::on_task(&text[..to], from, base, &phrases);
    for phrase in phrases {
        take(walk, ix, phrase.list, candidate.line, NeedForm::Explicit, phrase.strict);
    }
    for named in said.needs {
        if !is_meant(walk.style, &named.target) {
            continue;
        }
        push(walk, Dependent::Task(ix), named.target, NeedForm::Prose, candidate.line, named.span);
    }
    if said.needed_by.is_empty() {
        return;
    }
    if let Some(me) = candidate.id(walk.source).map(|id| Target::Id(id.into())) {
        for named in
            said.needed_by.into_iter().filter(|named| is_meant(walk.style, &named.target)).collect::<Vec<_>>()
        {
            push(
                walk,
                Dependent::Written(Box::new(named.target)),
                me.clone(),
                NeedForm::Prose,
                candidate.line,
                named.span,
            );
        }
    }
}

fn push(walk: &mut Walk<'_, '_>, dependent: Dependent, need: Target, form: NeedForm, line: u32, span: Span) {
    walk.document.needs.push(WrittenNeed { dependent, need, form, line, span });
}

/// A `Dependencies:` field in a task's body.
pub(super) fn field_needs(walk: &mut Walk<'_, '_>, owner: TaskIx, line: u32, at: usize) {
    let text = walk.source.line_text(line);
    if needs::is_none(&text[at..]) {
        return;
    }
    let value = text[at..].trim_start_matches(['[', '(', '（', ' ']);
    let start = text.len() - value.len();
    let base = walk.source.line_span(line).start as usize;
    let list = needs::list(text, start, base, true);
    let form = if list.words { NeedForm::Prose } else { NeedForm::Field };
    take(walk, owner, list, line, form, false);
}

/// Takes over a list's ids. Numbers and unusual ids count if a task has them, or if nothing but ids was written.
fn take(walk: &mut Walk<'_, '_>, ix: TaskIx, list: List, line: u32, form: NeedForm, strict: bool) {
    let silent = form == NeedForm::Prose;
    let (named, odd) = (list.named, list.odd);
    for named in named {
        let doubtful = matches!(&named.target, Target::Id(id) if is_doubtful(id) && !walk.style.known.contains_key(id.as_str()));
        let number = matches!(&named.target, Target::Id(id) if id.starts_with(|c: char| c.is_ascii_digit()));
        if doubtful && (list.words || !number) {
            if strict {
                bad_dependency(walk, named.span);
            }
            continue;
        }
        push(walk, Dependent::Task(ix), named.target, form, line, named.span);
    }
    for odd in odd {
        if !odd.why.is_empty() && !silent {
            let message = format!("range `{}` cannot be read: {}", safe(&odd.text), odd.why);
            walk.findings.push(Diagnostic::error(Code::BadRange, message).at(odd.span, "in this dependency"));
        } else if strict {
            bad_dependency(walk, odd.span);
        }
    }
}

/// Whether prose names a task: labels such as `WP05` do only if a task has that id.
pub(super) fn is_meant(style: &super::candidates::Style<'_>, target: &Target) -> bool {
    match target {
        Target::Id(id) => !is_doubtful(id) || style.known.contains_key(id.as_str()),
        Target::Range(first, _) => !is_doubtful(first) || style.known.contains_key(first.as_str()),
        Target::Story(_) | Target::Phase(_) => true,
    }
}

/// `1.1`, `DB-001`, `X12`: ids only if the file has them.
fn is_doubtful(id: &str) -> bool {
    let tee = id
        .strip_prefix(['T', 't'])
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '-'));
    !tee && !id.as_bytes().get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"TASK"))
}

fn bad_dependency(walk: &mut Walk<'_, '_>, span: Span) {
    let text = safe(walk.source.slice(span));
    let plain = id::disguised(walk.source.slice(span), 0).map(|d| d.1);
    walk.findings.add(
        if plain.is_some() { Code::ConfusableId } else { Code::BadDependency },
        || match plain {
            Some(plain) => Diagnostic::warning(
                Code::ConfusableId,
                format!("`{text}` looks like `{plain}`, but is written with other characters"),
            )
            .at(span, "not read as a dependency")
            .help(format!("type it again as `{plain}`")),
            None => Diagnostic::warning(Code::BadDependency, format!("dependency `{text}` cannot be read"))
                .at(span, "no order comes from this")
                .help("write ids separated by commas, such as `(depends on T001, T002)`"),
        },
    );
}
