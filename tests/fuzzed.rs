//! What the fuzzer checks, checked here for its seeds and for every input that ever broke something.

use crate::fuzz;
use std::path::{Path, PathBuf};

fn files(dir: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// The seeds of `target` that are kept as files, the inputs that broke it, and `more`.
fn play(target: &str, check: fn(&[u8]), more: impl IntoIterator<Item = Vec<u8>>) {
    for kept in ["seeds", "regressions"] {
        for file in files(&format!("tests/fuzz/{kept}/{target}")) {
            println!("{}", file.display());
            check(&std::fs::read(file).unwrap());
        }
    }
    more.into_iter().for_each(|input| check(&input));
}

fn examples(name: &str) -> Vec<Vec<u8>> {
    ["quickstart", "partial-failure", "resume"]
        .map(|example| {
            std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example).join(name))
        })
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

fn behind(first: u8, rest: &[u8]) -> Vec<u8> {
    [&[first], rest].concat()
}

#[test]
fn task_files_are_read_planned_and_shown() {
    play("parse", fuzz::parse::check, examples("tasks.md"));
}

#[test]
fn selections_choose_what_they_say() {
    play("select", fuzz::select::check, []);
}

#[test]
fn only_boxes_change() {
    let edited = |text: Vec<u8>| [text.clone(), vec![0], b"- [ ] T999 New\r\n".to_vec(), text].concat();
    play(
        "boxes",
        fuzz::boxes::check,
        examples("tasks.md").into_iter().flat_map(|text| [text.clone(), edited(text)]),
    );
}

#[test]
fn configuration_is_read_or_refused() {
    play("config", fuzz::config::check, examples("specter.toml").iter().map(|text| behind(b'T', text)));
}

#[test]
fn journals_are_read_or_refused_and_go_on() {
    let stored = ["killed", "torn", "sessions", "every-kind"].map(|name| {
        let path = format!("{}/tests/golden/{name}/journal.ndjson", env!("CARGO_MANIFEST_DIR"));
        behind(0, &std::fs::read(path).unwrap())
    });
    let damage = (0..6).map(|how| vec![23, how, 200, 1, 40, 2, 1, 0, 9]);
    play("journal", fuzz::journal::check, stored.into_iter().chain(damage));
}
