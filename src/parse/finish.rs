//! What can be said only when all lines are read: groups, the state of heading tasks, findings about the whole file.

use super::blocks::Blocks;
use super::walk::Walk;
use super::{id, loose};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{SourceText, Span};
use crate::task::{Document, State, Task};
use crate::text::{count, is_unsafe, safe};
use std::collections::HashMap;

pub(super) fn finish(mut walk: Walk<'_, '_>, blocks: &Blocks) -> (Document, Vec<Diagnostic>) {
    groups(&mut walk.document.tasks);
    heading_states(&mut walk);
    comment(&mut walk, blocks);
    file(&mut walk);
    twins(&mut walk);
    hidden(&mut walk);
    (walk.document, walk.findings.finish())
}

/// Marks groups, and hands `optional` and `dropped` down to what stands in them. Parents come before their children.
fn groups(tasks: &mut [Task]) {
    for ix in 0..tasks.len() {
        let Some(parent) = tasks[ix].group.map(crate::task::TaskIx::ix).filter(|parent| *parent < ix) else {
            continue;
        };
        tasks[parent].is_group = true;
        let above = tasks[parent].state;
        if tasks[ix].state == State::Open && matches!(above, State::Optional | State::Dropped) {
            tasks[ix].state = above;
        }
    }
    // What a group's own title asks of a person, its children do.
    for task in tasks.iter_mut().filter(|task| task.is_group && task.state == State::Manual) {
        task.state = State::Open;
    }
}

/// A heading task without a box is done if its words, its Status field or all boxes below say so.
fn heading_states(walk: &mut Walk<'_, '_>) {
    let mut boxless = None;
    let mut ids: Vec<(u32, bool)> = walk.said_done.iter().map(|(ix, done)| (*ix, *done)).collect();
    ids.sort_unstable();
    for (ix, said) in ids {
        let boxes = walk.boxes.get(&ix).copied().unwrap_or_default();
        let task = &mut walk.document.tasks[ix as usize];
        boxless = boxless.or(Some(task.id_span));
        if task.state == State::Open && (said || boxes.done > 0 && boxes.open == 0) {
            task.state = State::Done;
        }
    }
    if let Some(span) = boxless {
        let number = walk.said_done.len() as u32;
        walk.findings.push(
            Diagnostic::warning(
                Code::NoBox,
                format!("{} without a box: specter cannot tick them", count(number, "task heading")),
            )
            .at(span, "the first one")
            .help("write `### [ ] T001: Text`; until then only the journal knows what is done"),
        );
    }
}

/// A comment that is never closed hides what follows.
fn comment(walk: &mut Walk<'_, '_>, blocks: &Blocks) {
    let Some(line) = blocks.open_comment else { return };
    let span = walk.source.line_span(line);
    let hides = (line..=walk.source.line_count()).any(|n| loose::is_plain_box(walk.source.line_text(n)));
    let diagnostic = if hides {
        Diagnostic::error(Code::UnclosedComment, "comment is never closed and hides what looks like tasks")
    } else {
        Diagnostic::warning(Code::UnclosedComment, "comment is never closed")
    };
    walk.findings.push(diagnostic.at(span, "opened here").help("close it with `-->`"));
}

/// No tasks, no ids, a stated number that is wrong.
fn file(walk: &mut Walk<'_, '_>) {
    let tasks = &walk.document.tasks;
    let Some(first) = tasks.first() else {
        let diagnostic = no_tasks(walk.source, &walk.document);
        walk.findings.push(diagnostic);
        return;
    };
    if first.synthetic {
        let span = first.id_span;
        walk.findings.push(
            Diagnostic::warning(
                Code::NoIds,
                "no task of this file has an id, so ids were made from place and text",
            )
            .at(span, format!("this one is `{}`", first.id))
            .help("write ids such as `T001` behind the boxes; they stay the same when the text changes"),
        );
    }
    if let Some((line, boxes)) = walk.hidden_boxes.filter(|(_, boxes)| *boxes as usize > tasks.len()) {
        let message =
            format!("{} in code and comments, more than there are tasks", count(boxes, "task-like line"));
        let span = walk.source.line_span(line);
        walk.findings.push(
            Diagnostic::warning(Code::TaskInFence, message).at(span, "the first one; not taken as a task"),
        );
    }
    let tasks = &walk.document.tasks;
    let leaves = tasks.iter().filter(|task| !task.is_group).count() as u32;
    let all = tasks.iter().map(|task| 1 + task.more.aliases.len() as u32).sum::<u32>();
    if let Some((stated, span)) =
        walk.stated_total.filter(|(n, _)| *n != leaves && *n != all && *n != tasks.len() as u32)
    {
        walk.findings.push(
            Diagnostic::warning(
                Code::CountMismatch,
                format!("the file says {}, but {leaves} were found", count(stated, "task")),
            )
            .at(span, "stated here"),
        );
    }
}

fn no_tasks(source: &SourceText, document: &Document) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::NoTasks, "no task was recognised");
    match document.ignored.first() {
        Some(ignored) => diagnostic
            .at(source.line_span(ignored.line), "the first line that looks like one")
            .help(format!(
                "{} may be meant as tasks, but none has a box outside of code, comments and notes",
                count(document.ignored.len() as u64, "line")
            ))
            .help("write tasks as `- [ ] T001 Text`"),
        None => diagnostic.at(Span::default(), "this file").help("write tasks as `- [ ] T001 Text`"),
    }
}

/// Ids that differ only by case: their log files would be one on many file systems.
fn twins(walk: &mut Walk<'_, '_>) {
    let tasks = &walk.document.tasks;
    if !tasks.iter().any(|task| !task.synthetic && task.id.as_bytes().iter().any(u8::is_ascii_lowercase)) {
        return;
    }
    let mut seen: HashMap<String, usize> = HashMap::with_capacity(tasks.len());
    for (ix, task) in tasks.iter().enumerate().filter(|(_, task)| !task.synthetic) {
        let first = *seen.entry(task.id.as_str().to_ascii_uppercase()).or_insert(ix);
        let before = &tasks[first];
        if before.id != task.id {
            let message = format!(
                "ids `{}` and `{}` differ only by case",
                safe(before.id.as_str()),
                safe(task.id.as_str())
            );
            let (a, b) = (before.id_span, task.id_span);
            walk.findings.push(
                Diagnostic::warning(Code::ConfusableId, message).at(b, "this one").at(a, "and this one"),
            );
        }
    }
}

/// The bytes with which characters that are not to be seen begin.
const SUSPICIOUS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(
            byte as u8,
            0..=8 | 0x0b..=0x1f | 0x7f | 0xc2 | 0xd8 | 0xe1 | 0xe2 | 0xef | 0xf3
        );
        byte += 1;
    }
    table
};

/// Bytes of plain text, of which none is suspicious, are passed by in blocks of this size.
const BLOCK: usize = 32;

fn is_plain(block: &[u8]) -> bool {
    block.iter().fold(true, |plain, byte| plain & matches!(byte, 0x20..0x7f | b'\n'))
}

/// Invisible, direction-changing and control characters anywhere in the file.
fn hidden(walk: &mut Walk<'_, '_>) {
    let text = walk.source.text();
    let bytes = text.as_bytes();
    let mut line_warned = 0;
    let blocks = bytes.chunks(BLOCK).enumerate().filter(|(_, block)| !is_plain(block));
    let looked_at = blocks.flat_map(|(n, block)| (n * BLOCK..).zip(block));
    for (at, byte) in looked_at {
        if !SUSPICIOUS[*byte as usize] || *byte == b'\r' && bytes.get(at + 1) == Some(&b'\n') {
            continue;
        }
        let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else { continue };
        let joiner = matches!(c, '\u{200c}' | '\u{200d}') && is_joined(text, at, c);
        let selector = ('\u{fe00}'..='\u{fe0e}').contains(&c);
        if !is_unsafe(c) || joiner || selector && at > 0 && !bytes[at - 1].is_ascii() {
            continue;
        }
        let line = walk.source.line(at as u32);
        if line == line_warned {
            continue;
        }
        line_warned = line;
        walk.findings.add(Code::HiddenCharacters, || {
            Diagnostic::warning(
                Code::HiddenCharacters,
                format!("the text holds the invisible character U+{:04X}", c as u32),
            )
            .at(Span::new(at, at + c.len_utf8()), "here")
            .help("remove it, if it was not meant")
        });
    }
}

/// Between letters of scripts that use joiners, and inside emoji, they are part of the word.
fn is_joined(text: &str, at: usize, c: char) -> bool {
    let before = text[..at].chars().next_back();
    let after = text[at + c.len_utf8()..].chars().next();
    before.is_some_and(|c| !c.is_ascii()) && after.is_some_and(|c| !c.is_ascii() && id::ascii_of(c).is_none())
}
