//! Findings as people and programs see them.

use super::support::{colored, is_clean};
use proptest::prelude::*;
use specter::diagnostic::{Code, Diagnostic};
use specter::source::{SourceText, Span};
use specter::ui::diagnostics::{MAX_PRINTED, count_line, json_text, render, to_json};
use specter::ui::theme::Screen;

/// The span of the `n`-th (from 0) occurrence of `what`.
fn nth(source: &SourceText, what: &str, n: usize) -> Span {
    let (at, _) = source.text().match_indices(what).nth(n).unwrap();
    Span::new(at, at + what.len())
}

fn unknown() -> (SourceText, Vec<Diagnostic>) {
    let source = SourceText::new(
        "tasks.md",
        "# Tasks\n\n- [ ] T012 [P] [US1] 作成 model in src/models/a.py (depends on T099)\n",
    );
    let diagnostic = Diagnostic::error(
        Code::UnknownDependency,
        "task `T012` depends on `T099`, which is not in this file",
    )
    .at(nth(&source, "T099", 0), "no task has this id")
    .help("a task with a similar id exists: `T009`");
    (source, vec![diagnostic])
}

#[test]
fn the_caret_stands_under_what_follows_wide_characters() {
    let (source, found) = unknown();
    insta::assert_snapshot!(render(&Screen::plain(80), &source, &found));
}

#[test]
fn colour_adds_styles_and_nothing_else() {
    let (source, found) = unknown();
    let styled = render(&colored(80), &source, &found);
    assert_ne!(styled, render(&Screen::plain(80), &source, &found));
    assert_eq!(
        anstream::adapter::strip_str(&styled).to_string(),
        render(&Screen::plain(80), &source, &found)
    );
}

#[test]
fn a_cycle_shows_every_edge_with_its_line() {
    let lines: Vec<String> = (1..=4)
        .map(|n| format!("- [ ] T{n:03} Task {n} (depends on T{:03})\n\nnote\n\n\n\n", n % 4 + 1))
        .collect();
    let source = SourceText::new("specs/001/tasks.md", lines.concat());
    let mut cycle = Diagnostic::error(
        Code::Cycle,
        "tasks wait for one another in a circle: `T001` -> `T002` -> `T003` -> `T004` -> `T001`",
    );
    for n in 1..=4u32 {
        let next = format!("depends on T{:03}", n % 4 + 1);
        cycle = cycle.at(nth(&source, &next, 0), format!("`T{n:03}` waits for `T{:03}`", n % 4 + 1));
    }
    let found = [cycle.help("remove one of these dependencies")];
    insta::assert_snapshot!(render(&Screen::plain(80), &source, &found));
}

#[test]
fn two_places_of_one_line_share_it() {
    let source = SourceText::new("tasks.md", "- [ ] T001 a T001 b\n- [ ] T001 c\n");
    let found = [Diagnostic::error(Code::DuplicateId, "two tasks have the id `T001`")
        .at(nth(&source, "T001", 2), "used again here")
        .at(nth(&source, "T001", 0), "first used here")
        .at(nth(&source, "T001", 1), "and here")];
    insta::assert_snapshot!(render(&Screen::plain(80), &source, &found));
}

#[test]
fn a_line_of_a_megabyte_is_cut_around_the_place() {
    let source = SourceText::new(
        "tasks.md",
        format!("- [ ] T001 {} T099 {}\n", "x".repeat(1 << 20), "y".repeat(1 << 20)),
    );
    let found = [Diagnostic::error(Code::UnknownDependency, "no task `T099`")
        .at(nth(&source, "T099", 0), "no task has this id")];
    let text = render(&Screen::plain(80), &source, &found);
    insta::assert_snapshot!(text);
}

#[test]
fn hostile_characters_are_shown_escaped_and_the_caret_stays_right() {
    let source = SourceText::new(
        "ta\x1b[2Jsks.md",
        "- [ ] T001 \x1b]0;x\x07 a\u{202e}b\tc\u{200b} \u{9b}31m depends on T\u{2066}99 \u{e0041}\n",
    );
    let found = [Diagnostic::warning(Code::HiddenCharacters, "the title of `T\u{200b}001` holds \x1b")
        .at(nth(&source, "T\u{2066}99", 0), "he\u{202e}re\x07")
        .help("remove \u{2028} them")];
    let text = render(&Screen::plain(120), &source, &found);
    assert!(is_clean(&text), "{text:?}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_finding_without_a_place_names_the_file_alone() {
    let source = SourceText::new("tasks.md", "");
    let found = [Diagnostic::error(Code::NoTasks, "no task was recognised in `tasks.md`")
        .help("a task is a checkbox item such as `- [ ] T001 Do something`")];
    insta::assert_snapshot!(render(&Screen::plain(80), &source, &found));
}

#[test]
fn an_empty_place_at_the_end_of_the_file_has_a_caret() {
    let source = SourceText::new("tasks.md", "- [ ] T001 a\n```sh run\ntrue\n");
    let end = source.text().len();
    let found = [Diagnostic::error(Code::UnclosedFence, "a code block is never closed")
        .at(nth(&source, "```sh run", 0), "opened here")
        .at(Span::new(end, end), "still open at the end of the file")];
    insta::assert_snapshot!(render(&Screen::plain(80), &source, &found));
}

#[test]
fn only_so_many_are_printed_and_the_rest_is_counted() {
    let source = SourceText::new("tasks.md", "- [ ] T001 a\n");
    let warning = Diagnostic::warning(Code::NoWork, "task `T001` says neither a command nor an agent");
    let mut found = vec![warning; MAX_PRINTED + 1233];
    found.push(Diagnostic::error(Code::NoTasks, "an error comes first"));
    let text = render(&Screen::plain(80), &source, &found);
    assert!(text.starts_with("error[no-tasks]: an error comes first\n"));
    assert_eq!(text.matches("no-work").count(), MAX_PRINTED - 1);
    assert!(text.ends_with("… 1,234 more findings, not shown\n1 error, 1,283 warnings\n"), "{text}");
    assert_eq!(render(&Screen::plain(80), &source, &[]), "");
    assert_eq!(count_line(&Screen::plain(80), &found[..1]), "1 warning");
}

#[test]
fn json_says_the_same_and_holds_nothing_raw() {
    let source = SourceText::new("tasks.md", "- [ ] T001 作成 \u{202e} T099 T001\n");
    let found = Diagnostic::error(Code::UnknownDependency, "no task `T099\u{202e}`")
        .at(nth(&source, "T099", 0), "here")
        .at(nth(&source, "T001", 1), "there")
        .help("one")
        .help("two");
    let text = json_text(&to_json(&source, &found)).unwrap();
    assert!(is_clean(&text));
    insta::assert_snapshot!(text);
}

proptest! {
    #[test]
    fn any_line_any_place_any_width_is_rendered_safely(
        text in "[ -~\u{202e}\x1b\u{200b}作é🎉\n\t]{0,200}",
        (a, b, c) in (0usize..210, 0usize..30, 0usize..210),
        width in 1usize..200,
    ) {
        let source = SourceText::new("t", text.clone());
        let start = text.floor_char_boundary(a);
        let end = text.ceil_char_boundary((start + b).min(text.len()));
        let other = text.floor_char_boundary(c);
        let found = [Diagnostic::error(Code::Cycle, "m").at(Span::new(start, end), "label").at(Span::new(other, other), "x")];
        let rendered = render(&Screen::plain(width), &source, &found);
        prop_assert!(is_clean(&rendered), "{rendered:?}");
        prop_assert!(rendered.contains("label"));
    }
}
