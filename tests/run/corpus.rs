//! Real task files that nobody here wrote, from the folder that `SPECTER_CORPUS` names.

use super::sandbox::{Sandbox, scale};
use std::path::PathBuf;

pub(super) fn files() -> Vec<PathBuf> {
    let Some(dir) = std::env::var_os("SPECTER_CORPUS") else {
        println!("skipped: SPECTER_CORPUS is not set");
        return Vec::new();
    };
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    files.sort();
    assert!(files.len() >= 100, "the corpus has {} files", files.len());
    files
}

#[test]
fn every_real_file_is_checked_and_planned_in_every_mode() {
    for file in files() {
        let text = std::fs::read(&file).unwrap();
        let sandbox = Sandbox::new("");
        std::fs::write(sandbox.root().join("tasks.md"), &text).unwrap();
        let check = sandbox.run(["check", "tasks.md"]);
        assert!(matches!(check.code, Some(0 | 65)), "{}: {}", file.display(), check.all());
        for mode in [None, Some("--parallel"), Some("--parallel=stories"), Some("--parallel=graph")] {
            let plan = sandbox.run(["plan", "tasks.md"].into_iter().chain(mode));
            assert_eq!(plan.code == Some(0), check.code == Some(0), "{}: {}", file.display(), plan.all());
        }
        assert!(!sandbox.exists(".specter"), "looking writes nothing");
    }
}

/// Gives every open leaf task work: it echoes its id and writes the file that bears its name.
fn inject(sandbox: &Sandbox) -> Option<usize> {
    let plan = sandbox.run(["plan", "--format=json", "--include-optional"]);
    if plan.code != Some(0) {
        return None;
    }
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    let text = sandbox.read("tasks.md");
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let tasks = plan["tasks"].as_array().unwrap();
    let groups: Vec<&serde_json::Value> = tasks.iter().map(|task| &task["group"]).collect();
    let mut given = 0;
    for task in tasks.iter().rev() {
        if groups.contains(&&task["id"]) || !matches!(task["state"].as_str(), Some("open" | "optional")) {
            continue;
        }
        let line = task["line"].as_u64().unwrap() as usize - 1;
        let id = task["id"].as_str().unwrap();
        let indent: String = lines[line].chars().take_while(|c| c.is_whitespace()).collect();
        let is_item = lines[line].trim_start().starts_with(['-', '*', '+']);
        let indent = if is_item { indent + "  " } else { String::new() };
        if !lines[line].ends_with('\n') {
            lines[line].push('\n');
        }
        let block = format!(
            "\n{indent}```sh run\n{indent}echo {id}\n{indent}mkdir -p written\n{indent}echo {id} > written/'{}'\n{indent}```\n\n",
            id.replace('/', "_")
        );
        lines.insert(line + 1, block);
        given += 1;
    }
    std::fs::write(sandbox.root().join("tasks.md"), lines.concat()).unwrap();
    Some(given)
}

#[test]
fn campaign_real_files_run_to_all_boxes_ticked_in_every_mode() {
    let files = files();
    // All of them take minutes: a sample by default, the whole in the campaigns.
    let wanted = scale("SPECTER_CORPUS_FILES", 32) as usize;
    let step = (files.len() / wanted.max(1)).max(1);
    let mut ran = 0;
    for file in files.into_iter().step_by(step) {
        let original = std::fs::read_to_string(&file).unwrap();
        // Every box open, so that there is work in each file.
        let open = original.replace("- [x]", "- [ ]").replace("- [X]", "- [ ]");
        let mut modes = 0;
        for mode in ["--parallel=graph", "--parallel=stories", "--parallel", "-j1"] {
            let sandbox = Sandbox::new(&open);
            let Some(given) = inject(&sandbox).filter(|given| *given > 0) else { break };
            let before = sandbox.read("tasks.md");
            let ended = sandbox.run(["implement", "--yes", "--include-optional", "-q", mode]);
            if ended.code != Some(0) {
                // Files whose open work waits for a person or is unclear cannot end with every box ticked.
                assert_eq!(ended.code, Some(1), "{}: {}", file.display(), ended.all());
                let blocked = !sandbox.ids("task_blocked").is_empty();
                assert!(blocked, "{} failed without a blocker: {}", file.display(), ended.all());
                break;
            }
            let after = sandbox.read("tasks.md");
            let differing: Vec<(u8, u8)> =
                before.bytes().zip(after.bytes()).filter(|(a, b)| a != b).collect();
            assert_eq!(before.len(), after.len(), "{}", file.display());
            assert!(
                differing.iter().all(|(a, b)| *a == b' ' && matches!(b, b'x' | b'X')),
                "{}",
                file.display()
            );
            let written = std::fs::read_dir(sandbox.root().join("written")).unwrap().count();
            assert_eq!(written, given, "{}", file.display());
            modes += 1;
        }
        ran += usize::from(modes == 4);
    }
    if std::env::var_os("SPECTER_CORPUS").is_some() {
        println!("{ran} real files ran to the end in all four modes");
        assert!(ran >= 20, "only {ran} files ran to the end");
    }
}
