//! Every real task file of the folder named by `SPECTER_CORPUS`.

use super::super::{account, parse};
use crate::source::SourceText;
use std::collections::HashSet;

/// The corpus's files; empty (and said so) if there is none.
fn files() -> Vec<SourceText> {
    let Some(folder) = std::env::var_os("SPECTER_CORPUS") else {
        eprintln!("skipped: SPECTER_CORPUS is not set");
        return Vec::new();
    };
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "md"));
    paths.sort();
    assert!(paths.len() >= 100, "the corpus has lost files: {}", paths.len());
    let read = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        SourceText::from_bytes(name, std::fs::read(path).unwrap()).unwrap()
    };
    paths.iter().map(read).collect()
}

/// What must hold for any text: every line that looks like a task is recognised or ignored, once; spans are spans.
pub(super) fn assert_sound(source: &SourceText) {
    let (document, diagnostics) = parse(source);
    let text = source.text();
    let recognised: HashSet<u32> = document.tasks.iter().map(|task| task.line).collect();
    assert_eq!(recognised.len(), document.tasks.len(), "{}: two tasks on one line", source.name());
    let ignored: HashSet<u32> = document.ignored.iter().map(|ignored| ignored.line).collect();
    assert_eq!(ignored.len(), document.ignored.len(), "{}: a line is ignored twice", source.name());
    assert!(document.ignored.is_sorted_by_key(|i| i.line), "{}: ignored out of order", source.name());
    assert!(recognised.is_disjoint(&ignored), "{}: a line is both", source.name());
    for line in 1..=source.line_count() {
        let known = recognised.contains(&line) || ignored.contains(&line);
        assert!(
            known || !loosely(source.line_text(line)),
            "{}:{line}: lost: {}",
            source.name(),
            source.line_text(line)
        );
    }
    let good = |span: crate::source::Span| text.get(span.range()).is_some();
    for task in &document.tasks {
        assert!(
            good(task.span) && good(task.id_span) && good(task.body),
            "{}:{}: spans",
            source.name(),
            task.line
        );
        assert!(
            task.body.start >= task.span.end
                && task.group.is_none_or(|group| group.ix() < document.tasks.len())
        );
        if let Some(checkbox) = &task.checkbox {
            let (start, end) = (checkbox.inner.start as usize, checkbox.inner.end as usize);
            assert_eq!(checkbox.mark, text[start..end]);
            assert_eq!(
                (&text[start - 1..start], &text[end..=end]),
                ("[", "]"),
                "{}:{}",
                source.name(),
                task.line
            );
        }
        assert!(
            task.files.iter().all(|file| good(file.span)) && task.blocks.iter().all(|block| good(block.span))
        );
    }
    assert!(document.needs.iter().all(|need| good(need.span)));
    assert!(diagnostics.iter().flat_map(|d| &d.labels).all(|label| good(label.span)));
    assert_eq!(
        document.tasks.is_empty(),
        diagnostics.iter().any(|d| d.code == crate::diagnostic::Code::NoTasks)
    );
}

/// The loose rule, written down a second time and in another way than the parser's own.
fn loosely(line: &str) -> bool {
    let chars: Vec<char> = line.trim_start().chars().collect();
    let digits = chars.iter().take_while(|c| c.is_ascii_digit()).count();
    let bullet = match (digits, chars.get(digits)) {
        (0, Some('-' | '*' | '+')) => 1,
        (1.., Some('.' | ')')) => digits + 1,
        _ => 0,
    };
    let after: Vec<char> = chars[bullet..].iter().copied().skip_while(|c| c.is_whitespace()).collect();
    let boxed = bullet > 0 && after.first() == Some(&'[') && (1..=4).any(|n| after.get(n) == Some(&']'));
    let marks = |c: &char| c.is_whitespace() || "#*_`~".contains(*c);
    let bare: Vec<char> = after.iter().copied().skip_while(marks).collect();
    let number = if bare.get(1) == Some(&'-') { bare.get(2) } else { bare.get(1) };
    boxed || bare.first() == Some(&'T') && number.is_some_and(char::is_ascii_digit)
}

#[test]
fn every_line_of_the_corpus_that_looks_like_a_task_is_accounted_for() {
    for source in files() {
        assert_sound(&source);
    }
}

#[test]
fn the_corpus_is_read_nearly_whole() {
    let (mut recognised, mut lost, mut empty) = (0, 0, Vec::new());
    for source in files() {
        let (document, diagnostics) = parse(&source);
        let row = account(&document, &diagnostics);
        recognised += row.recognised;
        lost += row.ignored.get(&crate::task::IgnoredReason::NoId).copied().unwrap_or(0);
        if row.recognised == 0 {
            empty.push(source.name().to_owned());
        }
    }
    assert_eq!(empty, [""; 0], "files without tasks");
    assert!(lost * 20 <= recognised, "{lost} boxes without id beside {recognised} tasks");
}

#[test]
fn the_plain_reading_of_the_corpus_is_the_full_one() {
    use super::super::{blocks, plain};
    let files = files();
    let mut plain_ones = 0;
    for source in &files {
        let Some(found) = plain::read(source, 1) else { continue };
        plain_ones += 1;
        let full = blocks::fully(source);
        assert_eq!((&found.headings, &found.fences), (&full.headings, &full.fences), "{}", source.name());
        assert_eq!(blocks::read(source).kinds, full.kinds, "{}", source.name());
    }
    assert!(files.is_empty() || plain_ones > 0, "no file of {} was read plainly", files.len());
}
