//! Three ways in which editors save, while boxes are ticked: no edit is lost, no byte damaged, all ticks are there.
//!
//! `SPECTER_SAVES` sets how often each editor saves.

use super::boxes::{parse, read, tick};
use specter::boxes::Boxes;
use specter::writeback::Tick;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const TASKS: usize = 200;
/// So many ticks beside an editor that saves show something.
const ENOUGH: usize = 10;

pub(crate) fn rename(path: &Path, text: &str) {
    let temporary = path.with_extension("tmp");
    std::fs::write(&temporary, text).unwrap();
    std::fs::rename(temporary, path).unwrap();
}

pub(crate) fn in_place(path: &Path, text: &str) {
    let mut file = File::create(path).unwrap();
    // In pieces, as buffered writers do.
    for piece in text.as_bytes().chunks(4096) {
        file.write_all(piece).unwrap();
    }
}

pub(crate) fn backup_and_create(path: &Path, text: &str) {
    std::fs::rename(path, path.with_extension("md~")).unwrap();
    in_place(path, text);
}

/// Loads, adds a line at a random place, saves. The file it loads is complete: nobody else writes whole files.
fn edit(path: &Path, n: usize, rng: &mut fastrand::Rng, save: fn(&Path, &str)) {
    let text = read(path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    let note = format!("note {n}");
    lines.insert(rng.usize(..=lines.len()), &note);
    save(path, &(lines.join("\n") + "\n"));
}

fn contend(save: fn(&Path, &str)) {
    let saves: usize = std::env::var("SPECTER_SAVES").ok().and_then(|n| n.parse().ok()).unwrap_or(150);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tasks.md");
    let ticks: Vec<Tick> = (0..TASKS).map(|n| tick(&format!("T{n}"), "do it")).collect();
    let lines: Vec<String> = (0..TASKS).map(|n| format!("- [ ] T{n} do it\n")).collect();
    std::fs::write(&path, lines.concat()).unwrap();

    let (is_over, meanwhile) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut boxes = Boxes::with_parser(&path, parse);
    let mut reticked = 0;
    let saves = std::thread::scope(|scope| {
        let editor = scope.spawn(|| {
            let mut rng = fastrand::Rng::with_seed(7);
            let mut saved = 0;
            // On a busy machine longer than asked for: else it would prove little.
            while saved < saves || (meanwhile.load(Ordering::Relaxed) <= ENOUGH && saved < 100 * saves) {
                edit(&path, saved, &mut rng, save);
                saved += 1;
                // The pace of a busy editor, up to a hundred saves a second; nothing waits for it.
                std::thread::sleep(Duration::from_millis(rng.u64(1..12)));
            }
            is_over.store(true, Ordering::Release);
            saved
        });
        let mut done = 0;
        while !is_over.load(Ordering::Acquire) {
            done = (done + 1).min(TASKS);
            let ticked = boxes.tick(&ticks[..done]);
            assert_eq!(ticked.cleared, [], "an editor was taken for a person");
            meanwhile.fetch_add(ticked.ticked.len(), Ordering::Relaxed);
            reticked += ticked.reticked.len();
        }
        editor.join().unwrap()
    });
    boxes.tick(&ticks);
    let meanwhile = meanwhile.into_inner();
    assert!(meanwhile > ENOUGH, "only {meanwhile} ticks were made while the editor saved");
    let text = read(&path).unwrap();
    let (mut notes, tasks): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("note "));
    let expected: Vec<String> = (0..TASKS).map(|n| format!("- [x] T{n} do it")).collect();
    assert_eq!(tasks, expected, "{reticked} ticked again");
    notes.sort_unstable();
    let mut saved: Vec<String> = (0..saves).map(|n| format!("note {n}")).collect();
    saved.sort_unstable();
    assert_eq!(notes, saved);
}

#[test]
fn an_editor_that_renames_loses_no_edit() {
    contend(rename);
}

#[test]
fn an_editor_that_writes_in_place_loses_no_edit() {
    contend(in_place);
}

#[test]
fn an_editor_that_keeps_a_backup_loses_no_edit() {
    contend(backup_and_create);
}
