//! Second pass: goes down the lines once, with the open headings and list items, and makes tasks of candidates.
//!
//! Decides nesting, bodies, phases and the reason for every line that is ignored. Knows nothing of edges.

use super::blocks::{Blocks, Kind};
use super::candidates::{Candidate, Candidates, Style};
use super::findings::Findings;
use super::headings::{self, Section};
use super::make::{self, Place};
use super::needs::field::{self, Field};
use super::needs::prose;
use super::scan::{self, Mark};
use super::{fences, loose, state};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{SourceText, Span};
use crate::task::{
    Checkpoint, Dependent, Document, EcoString, Ignored, IgnoredReason, NeedForm, Phase, PhaseIx, PhaseKind,
    TaskIx, WrittenNeed,
};
use foldhash::{HashMap, HashMapExt};

/// Lists nested deeper than this belong to the body of the task above.
pub(super) const DEPTH: usize = 64;

/// A heading whose section is open.
struct Open {
    level: u8,
    line: u32,
    title: Option<headings::Title>,
    section: Section,
    phase: Option<PhaseIx>,
    task: Option<TaskIx>,
}

/// Boxes without ids in a heading task's body: they tell its state if nothing else does.
#[derive(Clone, Copy, Default)]
pub(super) struct Boxes {
    pub open: u32,
    pub done: u32,
}

pub(super) struct Walk<'s, 'c> {
    pub source: &'s SourceText,
    pub style: &'c Style<'s>,
    pub document: Document,
    pub findings: Findings,
    /// Which task has an id; the first one.
    pub seen: HashMap<&'s str, TaskIx>,
    pub boxes: HashMap<u32, Boxes>,
    /// For heading tasks without a box: their words or their Status field say done.
    pub said_done: HashMap<u32, bool>,
    blocks: &'c Blocks,
    headings: Vec<Open>,
    /// Open list items that are tasks: column of the bullet, task.
    stack: Vec<(u32, TaskIx)>,
    /// The task whose paragraph the last line belongs to.
    lazy: Option<TaskIx>,
    /// Below an empty `Files:` field: its owner and its column.
    files: Option<(TaskIx, u32)>,
    ticks: (u32, u32),
    pub stated_total: Option<(u32, Span)>,
    /// The first box in code or a comment, and how many there are.
    pub hidden_boxes: Option<(u32, u32)>,
    /// How often each synthetic id was given out.
    pub twins: HashMap<String, u32>,
    only_checklists: bool,
    deep: bool,
    /// The heading whose boxes were last said to be ignored.
    said_section: Option<u32>,
}

impl<'s, 'c> Walk<'s, 'c> {
    pub(super) fn new(
        source: &'s SourceText,
        blocks: &'c Blocks,
        style: &'c Style<'s>,
        only_checklists: bool,
    ) -> Self {
        Walk {
            source,
            style,
            document: Document { tick: 'x', ..Document::default() },
            findings: Findings::default(),
            seen: HashMap::with_capacity(style.known.len()),
            boxes: HashMap::new(),
            said_done: HashMap::new(),
            blocks,
            headings: Vec::new(),
            stack: Vec::new(),
            lazy: None,
            files: None,
            ticks: (0, 0),
            stated_total: None,
            hidden_boxes: None,
            twins: HashMap::new(),
            only_checklists,
            deep: false,
            said_section: None,
        }
    }

    pub(super) fn run(&mut self, candidates: Candidates) {
        // Growing by doubling would hold the largest part of the memory twice.
        self.document.tasks.reserve_exact(candidates.len());
        let mut candidates = candidates.cursor();
        let (mut headings, mut fences) =
            (self.blocks.headings.iter().peekable(), self.blocks.fences.iter().peekable());
        let mut line = 1;
        while line <= self.source.line_count() {
            while headings.next_if(|h| h.line < line).is_some() {}
            while fences.next_if(|f| f.first < line).is_some() {}
            let candidate = candidates.at(line);
            if let Some(fence) = fences.next_if(|f| f.first == line) {
                self.fence(fence);
                line = fence.last + 1;
                continue;
            }
            match headings.next_if(|h| h.line == line) {
                Some(h) if self.blocks.kind(line) == Kind::Text => self.heading(line, h.level, candidate),
                _ => match candidate {
                    Some(candidate) => self.candidate(candidate),
                    None => self.other(line),
                },
            }
            line += 1;
        }
        self.document.tick = if self.ticks.1 > self.ticks.0 { 'X' } else { 'x' };
    }

    fn ignore(&mut self, line: u32, reason: IgnoredReason) {
        self.document.ignored.push(Ignored { line, reason });
    }

    fn ignore_if_loose(&mut self, line: u32, reason: IgnoredReason) {
        if loose::looks_like_a_task(self.source.line_text(line)) {
            self.ignore(line, reason);
        }
    }

    fn section(&self) -> Section {
        self.headings.iter().rev().map(|h| h.section).find(|s| *s != Section::Work).unwrap_or(Section::Work)
    }

    fn heading_task(&self) -> Option<TaskIx> {
        self.headings.iter().rev().find_map(|h| h.task)
    }

    fn heading(&mut self, line: u32, level: u8, candidate: Option<&Candidate>) {
        self.stack.clear();
        self.lazy = None;
        self.files = None;
        while self.headings.last().is_some_and(|h| h.level >= level) {
            self.headings.pop();
        }
        let text = self.source.line_text(line);
        let title = text.trim().trim_start_matches('#').trim_end_matches('#').trim();
        let words = headings::read(title);
        let mut open = Open { level, line, section: words.section, phase: None, task: None, title: None };
        let task = candidate.filter(|candidate| self.heading_is_task(candidate));
        if let Some(candidate) = task {
            let parent = self.heading_task();
            let place = self.place(parent);
            let boxless = candidate.bracket.is_none();
            let ix = self.push(candidate, place);
            if boxless {
                self.said_done.insert(ix.0, words.done);
            }
            open.task = Some(ix);
            open.section = Section::Work;
        } else {
            self.ignore_heading(line);
            if let Some(owner) = self.heading_task() {
                self.extend(owner, line);
            }
            if let Some(text) = state::checkpoint(title) {
                self.checkpoint(text.to_owned(), line);
            }
            open.title = Some(words);
        }
        self.headings.push(open);
    }

    fn heading_is_task(&self, candidate: &Candidate) -> bool {
        let id = candidate.id(self.source).unwrap_or_default();
        let example = self.section() == Section::Example;
        let described = candidate.bracket.is_none() && self.style.is_boxed(id);
        let twice = self.seen.contains_key(id) && self.section() != Section::Work;
        !example && !described && !twice && self.style.counts(self.source, candidate)
    }

    fn ignore_heading(&mut self, line: u32) {
        let reason =
            if self.section() == Section::Example { IgnoredReason::Note } else { IgnoredReason::Mention };
        self.ignore_if_loose(line, reason);
    }

    /// A box in a list.
    fn candidate(&mut self, candidate: &Candidate) {
        let (Some(item), Some(bracket)) = (candidate.item, candidate.bracket) else { return };
        let line = candidate.line;
        while self.stack.last().is_some_and(|(column, _)| *column + 2 > item.indent) {
            self.stack.pop();
        }
        self.files = None;
        match self.source.line_text(line).as_bytes().get(bracket.start) {
            Some(b'x') => self.ticks.0 += 1,
            Some(b'X') => self.ticks.1 += 1,
            _ => {}
        }
        match self.reason(candidate) {
            Some(reason) => self.ignored_box(candidate, reason),
            None => {
                let parent = self.stack.last().map(|(_, task)| *task).or_else(|| self.heading_task());
                let place = self.place(parent);
                let ix = self.push(candidate, place);
                self.stack.push((item.indent, ix));
                self.lazy = Some(ix);
            }
        }
    }

    /// Why a box is no task; None if it is one.
    fn reason(&mut self, candidate: &Candidate) -> Option<IgnoredReason> {
        let section = self.section();
        let item = candidate.item?;
        if self.stack.len() >= DEPTH || item.bullets as usize > DEPTH {
            return Some(IgnoredReason::TooDeep);
        }
        if section == Section::Example {
            return Some(IgnoredReason::Note);
        }
        if self.style.counts(self.source, candidate) {
            let id = candidate.id(self.source).unwrap_or_default();
            let mention = section != Section::Work && self.seen.contains_key(id);
            return mention.then_some(IgnoredReason::Mention);
        }
        if self.style.has_ids && (!self.stack.is_empty() || self.heading_task().is_some()) {
            return Some(IgnoredReason::Body);
        }
        match section {
            Section::Checklist if !self.only_checklists => Some(IgnoredReason::Checklist),
            Section::Order | Section::Notes if !self.only_checklists => Some(IgnoredReason::Note),
            _ if self.style.has_ids => Some(IgnoredReason::NoId),
            _ => None,
        }
    }

    fn ignored_box(&mut self, candidate: &Candidate, reason: IgnoredReason) {
        let line = candidate.line;
        self.ignore(line, reason);
        let span = self.source.line_span(line);
        match reason {
            IgnoredReason::NoId | IgnoredReason::Body if self.checkpoint_box(candidate) => {}
            IgnoredReason::NoId => make::missing_id(self.source, candidate, &mut self.findings),
            IgnoredReason::TooDeep if !self.deep => {
                self.deep = true;
                let message = format!("lists are nested deeper than {DEPTH} levels");
                self.findings.push(
                    Diagnostic::warning(Code::TooDeep, message)
                        .at(span, "belongs to the body of the task above"),
                );
            }
            IgnoredReason::Checklist | IgnoredReason::Note if !self.style.has_ids && self.new_section() => {
                self.findings.add(Code::IgnoredSection, || {
                    Diagnostic::warning(
                        Code::IgnoredSection,
                        "checkboxes in a checklist or notes section are no tasks",
                    )
                    .at(span, "the first one of this section")
                });
            }
            _ => {}
        }
        let owner = self.owner(candidate.item.map_or(0, |i| i.indent));
        if let Some(owner) = owner {
            self.extend(owner, line);
            if self.stack.is_empty() {
                let boxes = self.boxes.entry(owner.0).or_default();
                match candidate.bracket.map(|b| b.mark) {
                    Some(Mark::Done | Mark::DoneEmoji) => boxes.done += 1,
                    _ => boxes.open += 1,
                }
            }
        }
        self.lazy = owner;
    }

    /// `- [ ] Checkpoint: …` without an id among tasks with ids is a checkpoint line.
    fn checkpoint_box(&mut self, candidate: &Candidate) -> bool {
        let text = self.source.line_text(candidate.line);
        let title = &text[candidate.head.title.0..candidate.head.title.1];
        if !self.stack.is_empty() || !state::is_checkpoint(title) {
            return false;
        }
        let rest = title.split_once([':', '：', '—', '–']).map_or(title, |(_, rest)| rest).trim();
        self.checkpoint(rest.to_owned(), candidate.line);
        true
    }

    /// Whether this is the first box of its section that is ignored.
    fn new_section(&mut self) -> bool {
        let heading = self.headings.last().map_or(0, |h| h.line);
        self.said_section.replace(heading) != Some(heading)
    }

    /// Where a task stands: its phase, the stories it inherits, its parent.
    fn place(&mut self, parent: Option<TaskIx>) -> Place {
        let phase = self.phase();
        let stories =
            self.headings.iter().rev().filter_map(|h| h.title.as_ref()).find(|t| t.kind == PhaseKind::Story);
        Place { phase, parent, stories: stories.map(|t| t.stories.clone()).unwrap_or_default() }
    }

    /// The phase of a task that stands here. `Phase 3` beats `Sprint 2` or `3.`, which beat other headings; among
    /// equals the outer one counts, and for plain headings the inner one. A `User Story 1` below a phase that names
    /// no story is a phase of its own.
    fn phase(&mut self) -> Option<PhaseIx> {
        let mut best: Option<(usize, u8)> = None;
        let deeper = self.headings.iter().any(|h| h.level > 1 && h.title.is_some());
        for (at, open) in self.headings.iter().enumerate() {
            let Some(title) = &open.title else { continue };
            if open.level == 1 && title.rank < 2 && deeper {
                continue;
            }
            let replaces = best.is_none_or(|(before, rank)| {
                let above = self.headings[before].title.as_ref();
                let plain_phase = above.is_some_and(|t| t.kind == PhaseKind::Other && t.stories.is_empty());
                let story = title.kind == PhaseKind::Story && title.rank == 2 && plain_phase;
                title.rank > rank || (title.rank == 1 && rank == 1) || story
            });
            if replaces {
                best = Some((at, title.rank));
            }
        }
        let (at, _) = best?;
        if self.headings[at].phase.is_none() {
            let (line, title) = (self.headings[at].line, self.headings[at].title.as_ref()?);
            let span = self.source.line_span(line);
            let text = self.source.slice(span).trim().trim_start_matches('#').trim_end_matches('#').trim();
            self.document.phases.push(Phase {
                title: text.to_owned(),
                number: title.number.clone(),
                kind: title.kind,
                stories: title.stories.clone(),
                priority: title.priority,
                line,
                span,
            });
            self.headings[at].phase = Some(PhaseIx(self.document.phases.len() as u32 - 1));
        }
        self.headings[at].phase
    }

    fn push(&mut self, candidate: &Candidate, place: Place) -> TaskIx {
        make::task(self, candidate, place)
    }

    /// The open task that a line at this column belongs to.
    fn owner(&mut self, column: u32) -> Option<TaskIx> {
        while self.stack.last().is_some_and(|(indent, _)| *indent >= column) {
            self.stack.pop();
        }
        self.stack.last().map(|(_, task)| *task).or_else(|| self.heading_task())
    }

    /// Counts a line to the body of the task made last. A line behind a group's children is nobody's.
    fn extend(&mut self, owner: TaskIx, line: u32) {
        if owner.ix() + 1 != self.document.tasks.len() {
            return;
        }
        let span = self.source.line_span(line);
        let task = &mut self.document.tasks[owner.ix()];
        if task.body.is_empty() {
            task.body = span;
        }
        task.body.end = span.end.max(task.body.end);
    }

    /// A line that is neither heading, box nor fence.
    fn other(&mut self, line: u32) {
        let text = self.source.line_text(line);
        let kind = self.blocks.kind(line);
        if kind != Kind::Text {
            return self.foreign(line, kind);
        }
        if text.trim().is_empty() {
            self.lazy = None;
            return;
        }
        let bullet = scan::item(text);
        let column = bullet.map_or_else(|| scan::indent(text).0, |item| item.indent);
        let owner = match self.lazy {
            Some(task) if bullet.is_none() => Some(task),
            _ => self.owner(column),
        };
        self.lazy = owner;
        self.ignore_prose(line, text, bullet.is_some_and(|b| b.bracket.is_some()));
        if let Some(checkpoint) = state::checkpoint(text) {
            if self.stack.is_empty() || column == 0 {
                self.stack.clear();
                self.lazy = None;
            }
            return self.checkpoint(checkpoint.to_owned(), line);
        }
        match owner {
            Some(owner) => self.body_line(owner, line, text, column),
            None => self.section_line(line, text),
        }
    }

    fn ignore_prose(&mut self, line: u32, text: &str, bracketed: bool) {
        if !loose::looks_like_a_task(text) {
            make::near_miss(self.source, line, text, &mut self.findings);
            return;
        }
        let reason = if self.section() == Section::Example || bracketed {
            IgnoredReason::Note
        } else {
            IgnoredReason::Prose
        };
        self.ignore(line, reason);
        make::near_miss(self.source, line, text, &mut self.findings);
    }

    /// A line of a comment, table, quote or front matter.
    fn foreign(&mut self, line: u32, kind: Kind) {
        let text = self.source.line_text(line);
        let reason = match kind {
            Kind::Table => IgnoredReason::Table,
            Kind::Quote => IgnoredReason::Quote,
            Kind::FrontMatter => IgnoredReason::FrontMatter,
            Kind::Fence => IgnoredReason::Fence,
            Kind::Comment | Kind::Text => IgnoredReason::Comment,
        };
        self.ignore_if_loose(line, reason);
        if kind == Kind::Comment && loose::is_plain_box(text) {
            self.hide(line, 1);
        }
        if kind == Kind::Quote
            && let Some(checkpoint) = state::checkpoint(text)
        {
            self.checkpoint(checkpoint.to_owned(), line);
        }
        let column = scan::indent(text).0;
        if let Some(owner) = self.owner(column) {
            self.extend(owner, line);
        }
        self.lazy = None;
    }

    /// Remembers boxes in code and comments: said only if they outnumber the tasks.
    fn hide(&mut self, line: u32, boxes: u32) {
        self.hidden_boxes.get_or_insert((line, 0)).1 += boxes;
    }

    fn checkpoint(&mut self, text: String, line: u32) {
        let phase = self.phase_here();
        let after_tasks = self.document.tasks.len() as u32;
        self.document.checkpoints.push(Checkpoint { phase, after_tasks, text, line });
    }

    /// The phase already made for an open heading: a checkpoint alone makes none.
    fn phase_here(&self) -> Option<PhaseIx> {
        self.headings.iter().rev().find_map(|h| h.phase)
    }

    fn body_line(&mut self, owner: TaskIx, line: u32, text: &str, column: u32) {
        self.extend(owner, line);
        let base = self.source.line_span(line).start as usize;
        if let Some((task, indent)) = self.files {
            if task == owner && column > indent {
                super::paths::find(text, base, self.document.tasks[owner.ix()].files.to_mut());
                return;
            }
            self.files = None;
        }
        let Some((field, at)) = field::read(text) else { return };
        match field {
            Field::Needs => make::field_needs(self, owner, line, at),
            Field::Files => {
                super::paths::find(&text[at..], base + at, self.document.tasks[owner.ix()].files.to_mut());
                if text[at..].trim().is_empty() {
                    self.files = Some((owner, column));
                }
            }
            Field::Status => {
                let done = is_done(&text[at..]);
                if let Some(said) = self.said_done.get_mut(&owner.0) {
                    *said |= done;
                }
            }
            Field::Parallel => self.document.tasks[owner.ix()].parallel |= is_yes(&text[at..]),
            Field::Agent => {
                // `Backend Developer` is a role: it reaches whoever does the task with the rest of the body.
                let mut words = text[at..].split_whitespace();
                let word = words.next().unwrap_or_default().trim_matches(['`', '*', '_', '"', '@']);
                let is_name = words.next().is_none_or(|next| next.starts_with(['(', '#']));
                if is_name && !word.is_empty() {
                    self.document.tasks[owner.ix()].more.agent = Some(EcoString::from(word));
                }
            }
        }
    }

    /// A line outside of tasks: order told in a section, a stated total.
    fn section_line(&mut self, line: u32, text: &str) {
        let span = self.source.line_span(line);
        if self.section() == Section::Order {
            for told in prose::in_section(text, span.start as usize, self.style.numbers) {
                if !make::is_meant(self.style, &told.need.target)
                    || !make::is_meant(self.style, &told.dependent.target)
                {
                    continue;
                }
                let need = WrittenNeed {
                    dependent: Dependent::Written(Box::new(told.dependent.target)),
                    span: told.need.span,
                    need: told.need.target,
                    form: NeedForm::Prose,
                    line,
                };
                self.document.needs.push(need);
            }
        }
        if self.stated_total.is_none() {
            self.stated_total = total(text).map(|n| (n, span));
        }
    }

    fn fence(&mut self, fence: &super::blocks::Fence) {
        let text = self.source.line_text(fence.first);
        let column = scan::item(text).map_or_else(|| scan::indent(text).0, |item| item.indent + 2);
        let owner = self.owner(column);
        let mut boxes = 0;
        let mut first = None;
        for line in fence.first..=fence.last {
            let text = self.source.line_text(line);
            if !loose::looks_like_a_task(text) {
                continue;
            }
            self.ignore(line, IgnoredReason::Fence);
            if loose::is_plain_box(text) {
                boxes += 1;
                first = first.or(Some(line));
            }
        }
        if let Some(owner) = owner {
            self.extend(owner, fence.first);
            self.extend(owner, fence.last);
        }
        self.lazy = None;
        if !fence.closed {
            make::unclosed(self.source, fence, boxes, self.blocks.kinds.len() as u32, &mut self.findings);
        } else if let Some(line) = first {
            self.hide(line, boxes);
        }
        self.fence_content(fence, owner);
    }

    fn fence_content(&mut self, fence: &super::blocks::Fence, owner: Option<TaskIx>) {
        let (info, span) = fences::info(self.source, fence);
        if let Some(kind) = fences::kind(info) {
            let Some(owner) = owner else {
                let name = crate::text::safe(info);
                self.findings.push(
                    Diagnostic::warning(Code::StrayBlock, format!("block `{name}` belongs to no task"))
                        .at(span, "nothing will run this")
                        .help("indent the whole block by two spaces or more, below its task"),
                );
                return;
            };
            let mut found = Vec::new();
            let block = fences::block(self.source, fence, (info, span), kind, &mut found);
            let blocks = &mut self.document.tasks[owner.ix()].blocks;
            // Nearly every task has one block or none: room for four would be most of the document's memory.
            if blocks.is_empty() {
                blocks.reserve_exact(1);
            }
            blocks.push(block);
            for diagnostic in found {
                self.findings.push(diagnostic);
            }
        } else if self.document.waves.is_none() && fence.last > fence.first + 1 {
            let start = self.source.line_span(fence.first + 1).start;
            let end = self.source.line_span(if fence.closed { fence.last - 1 } else { fence.last }).end;
            let span = Span { start, end };
            self.document.waves =
                super::needs::waves::read(self.source.slice(span), start as usize, fence.first);
        }
    }
}

fn is_done(value: &str) -> bool {
    let lower = value.trim().trim_matches(['*', '_', '`']).to_lowercase();
    ["done", "complete", "✅", "[x]", "已完成", "完了", "готово"].iter().any(|word| lower.starts_with(word))
}

fn is_yes(value: &str) -> bool {
    let lower = value.trim().trim_matches(['*', '_', '`']).to_lowercase();
    ["yes", "true", "✅", "[p]", "是", "可"].iter().any(|word| lower.starts_with(word))
}

/// `**Total Tasks**: 42`
fn total(text: &str) -> Option<u32> {
    if text.len() > 200 || !text.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let rest = &lower[lower.find("total tasks").or_else(|| lower.find("total task count"))?..];
    let value = rest[rest.find([':', '='])? + 1..].trim_start_matches([' ', '*', '_', '`']);
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    value[..digits].parse().ok()
}
