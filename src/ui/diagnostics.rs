//! Diagnostics as text and JSON. Only this file names annotate-snippets.
//!
//! The renderer is given lines that were made safe and cut around what is underlined, so that neither a hostile nor a
//! very long line reaches the screen; places and columns are those of the file.

use super::text::{elide, plural, width};
use super::theme::{Label as Style, Screen, Sign};
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::source::{SourceText, Span};
use crate::text::{is_unsafe, json_safe, no_commands, safe};
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

/// Findings printed one by one; further ones are counted.
pub const MAX_PRINTED: usize = 50;
/// Labels shown of one finding: a cycle of a thousand tasks is told by its first and last edges.
const MAX_LABELS: usize = 12;
/// The renderer must not cut again: lines come to it cut.
const UNLIMITED: usize = 100_000;
/// Code is given at least this room, however narrow the screen.
const MIN_ROOM: usize = 16;

/// All findings as text: errors first, each group in file order, ended by a line that counts them. Empty if none.
pub fn render(screen: &Screen, source: &SourceText, diagnostics: &[Diagnostic]) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| (diagnostic.severity, diagnostic.span().map_or(0, |span| span.start)));
    let mut out = String::new();
    for diagnostic in sorted.iter().take(MAX_PRINTED) {
        out.push_str(&one(screen, source, diagnostic));
        out.push_str("\n\n");
    }
    if sorted.len() > MAX_PRINTED {
        let more = plural(sorted.len() - MAX_PRINTED, "more finding");
        let _ = writeln!(out, "{} {more}, not shown", screen.sign(Sign::Ellipsis));
    }
    out.push_str(&count_line(screen, diagnostics));
    out.push('\n');
    no_commands(out)
}

/// `2 errors, 3 warnings`; empty if there are none.
pub fn count_line(screen: &Screen, diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    let warnings = diagnostics.len() - errors;
    let mut parts = Vec::new();
    if errors > 0 {
        parts.push(screen.paint(Style::Failed, plural(errors, "error")).to_string());
    }
    if warnings > 0 {
        parts.push(screen.paint(Style::Warning, plural(warnings, "warning")).to_string());
    }
    parts.join(", ")
}

/// One finding, without a line end behind it.
pub fn one(screen: &Screen, source: &SourceText, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let name = safe(source.name());
    let title = level.primary_title(safe(&diagnostic.message)).id(diagnostic.code.as_str());
    let mut group = Group::with_title(title);
    if diagnostic.labels.is_empty() {
        group = group.element(Origin::path(name.clone()));
    }
    let stretches = stretches(excerpts(screen, source, &diagnostic.labels));
    for stretch in &stretches {
        group = group.element(snippet(source, stretch, name.clone()));
    }
    let mut report = vec![group];
    report.extend(
        diagnostic.help.iter().map(|help| Group::with_title(Level::HELP.secondary_title(safe(help)))),
    );
    let mut text = renderer(screen).render(&report);
    // The renderer counts columns in the text it was given; where that was cut or escaped, the file's are meant.
    for mark in stretches.iter().flatten().flat_map(|excerpt| &excerpt.marks) {
        let [told, meant] =
            [mark.shown_column, mark.column].map(|column| format!("> {name}:{}:{column}", mark.line));
        text = text.replacen(&told, &meant, usize::from(told != meant));
    }
    text
}

fn renderer(screen: &Screen) -> Renderer {
    let renderer = if screen.color { Renderer::styled() } else { Renderer::plain() };
    renderer.term_width(UNLIMITED)
}

/// A part of one line, safe and cut, with what is underlined in it.
struct Excerpt {
    line: u32,
    text: String,
    marks: Vec<Mark>,
}

struct Mark {
    /// In the excerpt's text.
    range: Range<usize>,
    label: String,
    is_primary: bool,
    line: u32,
    column: u32,
    shown_column: u32,
}

/// Lines further apart than this are shown on their own.
const MAX_GAP: u32 = 200;

/// Excerpts that are shown together; those with the finding's own place first.
fn stretches(excerpts: Vec<Excerpt>) -> Vec<Vec<Excerpt>> {
    let mut stretches: Vec<Vec<Excerpt>> = Vec::new();
    for excerpt in excerpts {
        match stretches.last_mut() {
            Some(stretch) if stretch.last().is_some_and(|last| is_near(last.line, excerpt.line)) => {
                stretch.push(excerpt);
            }
            _ => stretches.push(vec![excerpt]),
        }
    }
    let is_primary =
        |stretch: &Vec<Excerpt>| stretch.iter().flat_map(|one| &one.marks).any(|mark| mark.is_primary);
    stretches.sort_by_key(|stretch| !is_primary(stretch));
    stretches
}

fn is_near(line: u32, next: u32) -> bool {
    next > line && next - line <= MAX_GAP
}

/// The lines between are blank, because the renderer folds them, but for a single one, which it shows.
fn snippet(source: &SourceText, stretch: &[Excerpt], name: String) -> Snippet<'static, Annotation<'static>> {
    let first = stretch.first().map_or(1, |excerpt| excerpt.line);
    let (mut text, mut line) = (String::new(), first);
    let mut annotations = Vec::new();
    for excerpt in stretch {
        if excerpt.line == line + 2 {
            text.push('\n');
            text.push_str(&elide(source.line_text(line + 1), width(&excerpt.text), "..."));
            line += 1;
        }
        text.push_str(&"\n".repeat((excerpt.line - line) as usize));
        line = excerpt.line;
        let base = text.len();
        text.push_str(&excerpt.text);
        annotations.extend(excerpt.marks.iter().map(|mark| {
            let kind = if mark.is_primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            kind.span(base + mark.range.start..base + mark.range.end).label(mark.label.clone())
        }));
    }
    Snippet::source(text).path(name).line_start(first as usize).annotations(annotations)
}

/// One excerpt a line, in the order of the labels' lines; a cycle's many labels are cut in their middle.
fn excerpts(screen: &Screen, source: &SourceText, labels: &[Label]) -> Vec<Excerpt> {
    let mut by_line: BTreeMap<u32, Vec<(usize, &Label)>> = BTreeMap::new();
    let kept = labels.iter().enumerate().filter(|(n, _)| *n < MAX_LABELS - 1 || *n == labels.len() - 1);
    for (n, label) in kept {
        by_line.entry(source.line(label.span.start)).or_default().push((n, label));
    }
    let gutter = by_line.keys().last().map_or(1, |line| line.to_string().len()) + 3;
    let room = screen.width.saturating_sub(gutter).max(MIN_ROOM);
    by_line.into_iter().flat_map(|(line, labels)| line_excerpts(source, line, &labels, room)).collect()
}

/// The labels of one line in one excerpt if they all fit into it, else each in its own.
fn line_excerpts(source: &SourceText, line: u32, labels: &[(usize, &Label)], room: usize) -> Vec<Excerpt> {
    let span = source.line_span(line);
    let text = source.slice(span);
    let marks: Vec<(Range<usize>, &Label, bool)> =
        labels.iter().map(|(n, label)| (within(span, label.span, text), *label, *n == 0)).collect();
    let start = marks.iter().map(|(range, ..)| range.start).min().unwrap_or(0);
    let end = marks.iter().map(|(range, ..)| range.end).max().unwrap_or(0);
    let longest = marks.iter().map(|(_, label, _)| width(&safe(&label.text))).max().unwrap_or(0);
    if text.len() <= room || shown_width(&text[start..end], room) + longest + 4 <= room {
        return vec![excerpt(line, text, &marks, start..end, longest, room)];
    }
    let alone = |mark: &(Range<usize>, &Label, bool)| {
        let label = width(&safe(&mark.1.text));
        excerpt(line, text, std::slice::from_ref(mark), mark.0.clone(), label, room)
    };
    marks.iter().map(alone).collect()
}

/// Where a span lies in its line, on character boundaries; what leaves the line is cut.
fn within(line: Span, span: Span, text: &str) -> Range<usize> {
    let base = line.start as usize;
    let start = text.floor_char_boundary(span.range().start.saturating_sub(base).min(text.len()));
    let end = text.ceil_char_boundary(span.range().end.saturating_sub(base).clamp(start, text.len()));
    start..end
}

/// Cuts `text` to `room` columns so that `focus` and a label of `label` columns behind it can be seen.
fn excerpt(
    line: u32,
    text: &str,
    marks: &[(Range<usize>, &Label, bool)],
    focus: Range<usize>,
    label: usize,
    room: usize,
) -> Excerpt {
    let window = window(text, focus, label, room);
    let mut shown = String::new();
    let is_cut = (window.start > 0, window.end < text.len());
    if is_cut.0 {
        shown.push_str("...");
    }
    // Offsets in the safe text of every boundary in the window that a mark may name.
    let mut offsets: BTreeMap<usize, usize> = BTreeMap::new();
    for (at, c) in text[window.clone()].char_indices() {
        offsets.insert(window.start + at, shown.len());
        push_safe(&mut shown, c);
    }
    let end = shown.len();
    if is_cut.1 {
        shown.push_str("...");
    }
    let offset = |at: usize| {
        if at <= window.start && is_cut.0 { 3 } else { offsets.get(&at).copied().unwrap_or(end) }
    };
    let column = |text: &str| text.chars().count() as u32 + 1;
    let marks = marks
        .iter()
        .map(|(range, label, is_primary)| Mark {
            range: offset(range.start)..offset(range.end),
            label: safe(&label.text),
            is_primary: *is_primary,
            line,
            column: column(&text[..range.start]),
            shown_column: column(&shown[..offset(range.start)]),
        })
        .collect();
    Excerpt { line, text: shown, marks }
}

/// The byte range of the line to show.
fn window(text: &str, focus: Range<usize>, label: usize, room: usize) -> Range<usize> {
    if text.len() <= 8 * room && shown_width(text, usize::MAX) <= room {
        return 0..text.len();
    }
    // Room for the dots at both ends.
    let room = room.saturating_sub(6).max(4);
    let mut end = advance(text, focus.start, room);
    if end > focus.end {
        end = focus.end;
    }
    let behind = (label + 1).min(room / 2);
    let used = shown_width(&text[focus.start..end], room);
    let free = room.saturating_sub(used);
    let start = retreat(text, focus.start, free.saturating_sub(behind));
    let taken = shown_width(&text[start..end], room);
    start..advance(text, end, room.saturating_sub(taken))
}

/// The boundary at most `columns` behind `from`.
fn advance(text: &str, from: usize, columns: usize) -> usize {
    let mut used = 0;
    for (at, c) in text[from..].char_indices() {
        used += char_width(c);
        if used > columns {
            return from + at;
        }
    }
    text.len()
}

/// The boundary at most `columns` before `from`.
fn retreat(text: &str, from: usize, columns: usize) -> usize {
    let mut used = 0;
    let mut start = from;
    for (at, c) in text[..from].char_indices().rev() {
        used += char_width(c);
        if used > columns {
            break;
        }
        start = at;
    }
    start
}

fn char_width(c: char) -> usize {
    let mut safe_char = String::new();
    push_safe(&mut safe_char, c);
    width(&safe_char).max(1)
}

/// Columns of the safe text, counted no further than `most`.
fn shown_width(text: &str, most: usize) -> usize {
    let mut used = 0;
    for c in text.chars() {
        used += char_width(c);
        if used > most {
            break;
        }
    }
    used
}

fn push_safe(out: &mut String, c: char) {
    if is_unsafe(c) { out.push_str(&safe(c.encode_utf8(&mut [0; 4]))) } else { out.push(c) }
}

/// A finding as programs read it.
#[derive(Debug, Serialize)]
pub struct JsonDiagnostic {
    pub code: &'static str,
    pub severity: Severity,
    /// 1-based; 0 if the finding is about the whole file.
    pub line: u32,
    /// 1-based, in characters; 0 if the finding is about the whole file.
    pub column: u32,
    pub message: String,
    /// What to do, one sentence a line; null if there is nothing to say.
    pub help: Option<String>,
    /// Further places that belong to it.
    pub related: Vec<JsonLabel>,
}

#[derive(Debug, Serialize)]
pub struct JsonLabel {
    pub line: u32,
    pub column: u32,
    pub message: String,
}

/// The finding as data, in the shape that `check`, `plan` and others share.
pub fn to_json(source: &SourceText, diagnostic: &Diagnostic) -> JsonDiagnostic {
    let place = |span: Span| (source.line(span.start), source.column(span.start));
    let (line, column) = diagnostic.span().map_or((0, 0), place);
    let related = diagnostic.labels.iter().skip(1).map(|label| {
        let (line, column) = place(label.span);
        JsonLabel { line, column, message: label.text.clone() }
    });
    JsonDiagnostic {
        code: diagnostic.code.as_str(),
        severity: diagnostic.severity,
        line,
        column,
        message: diagnostic.message.clone(),
        help: (!diagnostic.help.is_empty()).then(|| diagnostic.help.join("\n")),
        related: related.collect(),
    }
}

/// Any data as indented JSON with a line end, safe to print.
pub fn json_text<T: Serialize>(data: &T) -> serde_json::Result<String> {
    let mut text = json_safe(&serde_json::to_string_pretty(data)?).into_owned();
    text.push('\n');
    Ok(text)
}
