//! Ticking the boxes of real files: exactly the bytes between the brackets, whatever else is in the file.

use proptest::prelude::*;
use specter::boxes::{Boxes, Ticked};
use specter::diagnostic::Diagnostic;
use specter::source::{Excerpt, SourceText, Span};
use specter::task::{Checkbox, Document, Few, State, Task, TaskId};
use specter::writeback::Tick;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Lines `- [?] ID title` and no others: enough to find boxes by, and independent of the parser proper.
pub(super) fn parse(source: &SourceText) -> (Document, Vec<Diagnostic>) {
    let mut document = Document { tick: 'x', ..Document::default() };
    for line in 1..=source.line_count() {
        document.tasks.extend(parse_line(source, line));
    }
    (document, Vec::new())
}

fn parse_line(source: &SourceText, line: u32) -> Option<Task> {
    let text = source.line_text(line);
    let (before, rest) = text.split_once("- [")?;
    let (mark, rest) = rest.split_once("] ")?;
    let (id, title) = rest.split_once(' ')?;
    let span = source.line_span(line);
    let start = span.start as usize + before.len() + 3;
    let checkbox = Checkbox { inner: Span::new(start, start + mark.len()), mark: mark.into() };
    Some(Task { id: TaskId::new(id), title: title.into(), line, span, checkbox: Some(checkbox), ..blank() })
}

fn blank() -> Task {
    Task {
        id: TaskId::new(""),
        synthetic: false,
        line: 0,
        span: Span::default(),
        id_span: Span::default(),
        title: Excerpt::default(),
        checkbox: None,
        state: State::Open,
        parallel: false,
        stories: Few::new(),
        all_stories: false,
        priority: None,
        more: specter::task::Rare::default(),
        phase: None,
        group: None,
        is_group: false,
        checkpoint: false,
        files: Few::new(),
        blocks: Vec::new(),
        body: Span::default(),
    }
}

pub(super) fn tick(id: &str, title: &str) -> Tick {
    Tick { task: TaskId::new(id), title: title.into(), mark: " ".into(), line: 0 }
}

struct File {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl File {
    fn new(text: &str) -> File {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tasks.md");
        std::fs::write(&path, text).unwrap();
        File { _dir: dir, path }
    }

    fn boxes(&self) -> Boxes {
        Boxes::with_parser(&self.path, parse)
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.path).unwrap()
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.path, text).unwrap();
    }

    /// As most editors save.
    fn replace(&self, text: &str) {
        let temporary = self.path.with_extension("new");
        std::fs::write(&temporary, text).unwrap();
        std::fs::rename(temporary, &self.path).unwrap();
    }
}

fn ids(ticked: &[(TaskId, u32)]) -> Vec<(&str, u32)> {
    ticked.iter().map(|(id, line)| (id.as_str(), *line)).collect()
}

fn problem(ticked: &Ticked) -> &str {
    let [(_, problem)] = ticked.pending.as_slice() else { panic!("{ticked:?}") };
    problem
}

#[test]
fn a_tick_changes_one_byte_and_keeps_the_file_what_it_is() {
    let text = "\u{feff}# T\r\n- [ ] T1 a\r\n\t- [ ] T2 b  \n- [X] T3 作\n- [ ] T4 d";
    let file = File::new(text);
    std::fs::set_permissions(&file.path, PermissionsExt::from_mode(0o640)).unwrap();
    let link = file.path.with_file_name("link.md");
    std::fs::hard_link(&file.path, &link).unwrap();
    let before = std::fs::metadata(&file.path).unwrap();
    let ticked = file.boxes().tick(&[tick("T4", "d"), tick("T2", "b  ")]);
    assert_eq!(ids(&ticked.ticked), [("T2", 3), ("T4", 5)]);
    assert_eq!(file.text(), text.replace("[ ] T2", "[x] T2").replace("[ ] T4", "[x] T4"));
    let after = std::fs::metadata(&file.path).unwrap();
    assert_eq!((after.ino(), after.mode(), after.nlink()), (before.ino(), before.mode(), 2));
}

#[test]
fn what_is_ticked_already_is_reported_and_not_written() {
    let file = File::new("- [x] T1 a\n- [X] T2 b\n");
    let before = std::fs::metadata(&file.path).unwrap();
    let mut boxes = file.boxes();
    assert_eq!(ids(&boxes.tick(&[tick("T1", "a"), tick("T2", "b")]).ticked), [("T1", 1), ("T2", 2)]);
    assert!(boxes.tick(&[tick("T1", "a")]).ticked.is_empty(), "said once");
    let after = std::fs::metadata(&file.path).unwrap();
    assert_eq!((after.mtime(), after.mtime_nsec()), (before.mtime(), before.mtime_nsec()));
}

#[test]
fn a_tick_that_a_save_undid_is_made_again_and_the_edit_stays() {
    for save in [File::write as fn(&File, &str), File::replace] {
        let file = File::new("- [ ] T1 a\n- [ ] T2 b\n");
        let mut boxes = file.boxes();
        boxes.tick(&[tick("T1", "a")]);
        save(&file, "- [ ] T1 a\nnew line\n- [ ] T2 b\n");
        let ticked = boxes.tick(&[tick("T2", "b")]);
        assert_eq!(file.text(), "- [x] T1 a\nnew line\n- [x] T2 b\n");
        assert_eq!(ids(&ticked.ticked), [("T2", 3)]);
        assert_eq!(ticked.reticked, [TaskId::new("T1")]);
        assert_eq!(ticked.changed.unwrap().source.text(), "- [ ] T1 a\nnew line\n- [ ] T2 b\n");
    }
}

#[test]
fn a_box_that_a_person_cleared_stays_cleared() {
    let file = File::new("- [ ] T1 a\n- [ ] T2 b\n- [ ] T3 c\n");
    let mut boxes = file.boxes();
    boxes.tick(&[tick("T1", "a")]);
    boxes.tick(&[tick("T2", "b")]);
    // Who saved this had seen the later tick of T2, so also that of T1.
    file.replace("- [ ] T1 a, again\n- [x] T2 b\n- [ ] T3 c\n");
    let ticked = boxes.tick(&[tick("T3", "c")]);
    assert_eq!(ticked.cleared, [TaskId::new("T1")]);
    assert_eq!(file.text(), "- [ ] T1 a, again\n- [x] T2 b\n- [x] T3 c\n");
    assert!(boxes.tick(&[]).cleared.is_empty());
    // Run again, it is ticked like any other.
    assert_eq!(ids(&boxes.tick(&[tick("T1", "a, again")]).ticked), [("T1", 1)]);
}

#[test]
fn a_box_is_found_by_id_when_its_line_moved_or_its_text_changed() {
    let file = File::new("- [ ] T1 a\n- [ ] T2 b\n");
    let mut boxes = file.boxes();
    boxes.tick(&[]);
    file.write("- [ ] T2 better\n\n\n- [ ] T1 a\n");
    boxes.tick(&[tick("T1", "a"), tick("T2", "b")]);
    assert_eq!(file.text(), "- [x] T2 better\n\n\n- [x] T1 a\n");
}

#[test]
fn what_cannot_be_ticked_is_said_once_and_left_alone() {
    for (text, expected) in [
        ("- [ ] T9 other\n", "the task is no longer in the file"),
        ("- [ ] T9 a\n", "the task is now `T9`, at line 1"),
        ("- [] T1 a\n", "the box `[]` is not one character wide, at line 1"),
        ("- [⚠] T1 a\n", "the box `[⚠]` is not one character wide, at line 1"),
        ("- [-] T1 a\n", "the box was marked `[-]` meanwhile, at line 1"),
        ("- [ ] T1 b\n- [ ] T1 c\n", "several tasks have this id, at lines 1, 2"),
    ] {
        let file = File::new(text);
        let mut boxes = file.boxes();
        assert_eq!(problem(&boxes.tick(&[tick("T1", "a")])), expected);
        assert_eq!(file.text(), text);
        assert!(boxes.tick(&[]).pending.is_empty(), "said twice: {expected}");
        assert_eq!(boxes.pending().count(), 1);
        // The next edit may solve it.
        file.replace("- [ ] T1 a\n");
        assert_eq!(ids(&boxes.tick(&[]).ticked), [("T1", 1)], "{expected}");
        assert_eq!(boxes.pending().count(), 0);
    }
}

#[test]
fn of_two_tasks_with_one_id_the_one_with_the_text_is_ticked() {
    let file = File::new("- [ ] T1 a\n- [ ] T1 b\n");
    file.boxes().tick(&[tick("T1", "b")]);
    assert_eq!(file.text(), "- [ ] T1 a\n- [x] T1 b\n");
}

#[test]
fn a_mark_that_the_plan_treated_as_open_is_replaced() {
    let file = File::new("- [~] T1 a\n");
    file.boxes().tick(&[Tick { mark: "~".into(), ..tick("T1", "a") }]);
    assert_eq!(file.text(), "- [x] T1 a\n");
}

#[test]
fn a_file_that_vanished_is_said_and_ticked_when_it_is_back() {
    let file = File::new("- [ ] T1 a\n- [ ] T2 b\n");
    let mut boxes = file.boxes();
    boxes.tick(&[tick("T1", "a")]);
    std::fs::remove_file(&file.path).unwrap();
    assert!(problem(&boxes.tick(&[tick("T2", "b")])).starts_with("cannot open `"));
    file.write("- [ ] T1 a\n- [ ] T2 b\n");
    boxes.tick(&[]);
    assert_eq!(file.text(), "- [x] T1 a\n- [x] T2 b\n");
}

#[test]
fn a_file_that_is_no_longer_text_is_left_alone() {
    let file = File::new("- [ ] T1 a\n");
    let mut boxes = file.boxes();
    boxes.tick(&[]);
    std::fs::write(&file.path, b"- [ ] T1 a\xff\n").unwrap();
    assert!(problem(&boxes.tick(&[tick("T1", "a")])).contains("not UTF-8"));
    assert_eq!(std::fs::read(&file.path).unwrap(), b"- [ ] T1 a\xff\n");
}

#[test]
fn a_named_pipe_in_place_of_the_file_is_an_error() {
    let file = File::new("");
    std::fs::remove_file(&file.path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&file.path).status().unwrap().success());
    assert!(problem(&file.boxes().tick(&[tick("T1", "a")])).ends_with("is a named pipe, not a file"));
}

#[test]
fn a_symlinked_file_is_ticked_where_it_is() {
    let file = File::new("- [ ] T1 a\n");
    let link = file.path.with_file_name("link.md");
    std::os::unix::fs::symlink("tasks.md", &link).unwrap();
    Boxes::with_parser(&link, parse).tick(&[tick("T1", "a")]);
    assert_eq!(file.text(), "- [x] T1 a\n");
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn an_edit_before_the_first_tick_is_noticed_against_the_plan() {
    let file = File::new("- [ ] T1 a\n");
    let contents = specter::fs::read(&file.path, 1000).unwrap();
    let source = SourceText::from_bytes("tasks.md", contents.bytes).unwrap();
    let (document, _) = parse(&source);
    let mut boxes = file.boxes().planned(contents.identity, &source, &document.tasks.into(), document.tick);
    assert!(boxes.tick(&[]).changed.is_none());
    file.replace("- [ ] T1 a\n- [ ] T2 b\n");
    assert_eq!(boxes.tick(&[]).changed.unwrap().document.tasks.len(), 2);
}

fn line_end() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["\n", "\r\n"])
}

fn filler() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-zé作\t ]{0,20}",
        "```[a-z ]{0,5}",
        Just("- [ ]".to_owned()),
        "\\[ \\] [a-z]{0,5}",
        Just("> - [x] T900 quoted".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn only_the_wanted_boxes_change_in_any_file(
        bom in any::<bool>(),
        lines in prop::collection::vec((filler(), any::<bool>(), any::<bool>(), line_end()), 1..40),
        ends in any::<bool>(),
    ) {
        let mut text = if bom { "\u{feff}".to_owned() } else { String::new() };
        let mut expected = text.clone();
        let mut wanted = Vec::new();
        for (n, (filler, is_task, is_wanted, end)) in lines.iter().enumerate() {
            let end = if n + 1 == lines.len() && !ends { "" } else { end };
            let line = |mark: char| if *is_task { format!("  - [{mark}] T{n} {filler}{end}") } else { format!("{filler}{end}") };
            text += &line(' ');
            expected += &line(if *is_wanted { 'x' } else { ' ' });
            if *is_task && *is_wanted {
                wanted.push(tick(&format!("T{n}"), filler));
            }
        }
        let file = File::new(&text);
        let ticked = file.boxes().tick(&wanted);
        prop_assert_eq!(ticked.ticked.len(), wanted.len());
        prop_assert_eq!(file.text(), expected);
    }
}

/// Used by the editors' test as well.
pub(super) fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Everything that the parser proper finds open in a real file, ticked at once.
fn tick_all(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
    let Ok(source) = SourceText::from_bytes("tasks.md", bytes.to_vec()) else { return };
    let (document, _) = specter::parse::parse(&source);
    let mut expected = bytes.to_vec();
    let mut wanted = Vec::new();
    let mut seen = std::collections::HashMap::new();
    for task in &document.tasks {
        for id in std::iter::once(&task.id).chain(&task.more.aliases) {
            *seen.entry(id.clone()).or_insert(0) += 1;
        }
    }
    for task in document.tasks.iter().filter(|task| task.state == State::Open && seen[&task.id] == 1) {
        let Some(checkbox) = task.checkbox.as_ref().filter(|checkbox| checkbox.is_one_byte()) else {
            continue;
        };
        expected[source.file_offset(checkbox.inner.start) as usize] = document.tick as u8;
        wanted.push(Tick::of(task));
    }
    let ticked = Boxes::new(path).tick(&wanted);
    assert_eq!(ticked.ticked.len(), wanted.len(), "{ticked:?}");
    assert!(std::fs::read(path).unwrap() == expected, "other bytes changed");
    let again = SourceText::from_bytes("tasks.md", expected).unwrap();
    let (after, _) = specter::parse::parse(&again);
    assert_eq!(after.tasks.len(), document.tasks.len());
    let ids: Vec<&TaskId> = wanted.iter().map(|tick| &tick.task).collect();
    assert!(after.tasks.iter().filter(|task| ids.contains(&&task.id)).all(|task| task.state == State::Done));
}

fn files_below(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files_below(&entry.path(), found);
        } else if kind.is_file() && entry.path().extension().is_some_and(|extension| extension == "md") {
            found.push(entry.path());
        }
    }
}

#[test]
fn in_real_files_only_box_bytes_change() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tasks.md");
    tick_all(&path, b"\xef\xbb\xbf# Tasks\r\n\r\n- [ ] T001 One\r\n  - [ ] T002 Two\n* [X] **T003** Three");
    let Some(corpus) = std::env::var_os("SPECTER_CORPUS") else {
        println!("skipped the corpus: SPECTER_CORPUS is not set");
        return;
    };
    let mut files = Vec::new();
    files_below(Path::new(&corpus), &mut files);
    for file in &files {
        println!("{}", file.display());
        tick_all(&path, &std::fs::read(file).unwrap());
    }
    println!("{} files", files.len());
}
