//! What tasks were seen to write, and what later plans make of it.

use super::sandbox::Sandbox;
use serde_json::Value;
use specter::plan::observed::title_mark;

const TASKS: &str = "- [ ] T001 [P] Add one in src/a.rs\n- [ ] T002 [P] Add two in src/b.rs\n- [ ] T003 [P] Add three in src/c.rs\n";

/// A line of history, as a run writes it.
fn line(id: &str, title: &str, seen: &[&str], run: &str) -> String {
    let seen = seen.iter().map(|path| format!("\"{path}\"")).collect::<Vec<_>>().join(",");
    format!(
        "{{\"file\":\"tasks.md\",\"id\":\"{id}\",\"kind\":\"other\",\"outcome\":\"done\",\"duration_ms\":5,\"attempt_ms\":5,\
         \"attempts\":1,\"seen\":[{seen}],\"title\":\"{:x}\",\"at\":1,\"run\":\"{run}\",\"seq\":4}}\n",
        title_mark(title)
    )
}

fn after(sandbox: &Sandbox) -> Vec<(String, Value)> {
    let plan = sandbox.run(["plan", "--parallel", "--format=json"]).expect(0).stdout;
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let of = |task: &Value| {
        let id = task["id"].as_str().unwrap().to_owned();
        task["after"]
            .as_array()
            .unwrap()
            .iter()
            .map(move |edge| (id.clone(), edge.clone()))
            .collect::<Vec<_>>()
    };
    plan["tasks"].as_array().unwrap().iter().flat_map(of).collect()
}

#[test]
fn two_tasks_seen_to_write_one_file_are_planned_one_after_the_other_and_why_says_so() {
    let sandbox = Sandbox::new(TASKS);
    assert_eq!(after(&sandbox), []);
    let (one, two) = ("Add one in src/a.rs", "Add two in src/b.rs");
    let seen =
        line("T001", one, &["src/lib.rs", "src/a.rs"], "r1") + &line("T002", two, &["src/lib.rs"], "r1");
    sandbox.write(".specter/history.ndjson", &seen);
    let edges = after(&sandbox);
    assert_eq!(edges.len(), 1, "{edges:?}");
    let (id, edge) = &edges[0];
    assert_eq!(
        (id.as_str(), &edge["id"], &edge["reason"], &edge["line"]),
        ("T002", &"T001".into(), &"file".into(), &2.into())
    );
    assert_eq!(
        edge["observed"].to_string(),
        r#"{"path":"src/lib.rs","seen":[{"id":"T001","run":"r1"},{"id":"T002","run":"r1"}]}"#
    );
    let why = sandbox.run(["why", "T002", "--parallel"]).expect(0).stdout;
    assert!(
        why.contains("order only: T001 and T002 were both seen to write `src/lib.rs` in run r1"),
        "{why}"
    );
    assert_eq!(after(&sandbox), edges, "the same file and history give the same plan");
    // Another task under that id is not judged by it.
    sandbox.write("tasks.md", &TASKS.replace("Add two", "Remove two"));
    assert_eq!(after(&sandbox), []);
}

#[test]
fn what_was_seen_counts_against_what_is_named_and_in_a_repository_above() {
    let sandbox = Sandbox::new("");
    sandbox.write(".git/HEAD", "");
    sandbox.write("sub/tasks.md", TASKS);
    sandbox.write("sub/specter.toml", "");
    let seen = line("T003", "Add three in src/c.rs", &["sub/src/a.rs", "src/b.rs"], "r1");
    sandbox.write("sub/.specter/history.ndjson", &seen);
    let why =
        sandbox.command(["why", "T003", "tasks.md"]).current_dir(sandbox.root().join("sub")).spawn().unwrap();
    let why = super::sandbox::finish(why).expect(0).stdout;
    let told = "T003 was seen to write `src/a.rs` in run r1, which T001 names";
    assert!(why.contains(told) && !why.contains("src/b.rs` in run"), "{why}");
}

#[test]
fn hostile_history_is_no_error_and_shows_nothing_raw() {
    let sandbox = Sandbox::new(TASKS);
    let bad = line("T001", "Add one in src/a.rs", &["\\u001b[31m/x", "../../etc", "/", ""], "\\u001b]0;x")
        + &line("T002", "Add two in src/b.rs", &["\\u001b[31m/x", "/etc/passwd"], "r1")
        + "{\"file\":\"tasks.md\",\"id\":\"T003\",\"seen\":7}\nnonsense \"seen\":\n";
    sandbox.write(".specter/history.ndjson", &bad);
    let why = sandbox.run(["why", "T002", "--parallel"]).expect(0);
    assert!(!why.stdout.contains('\u{1b}') && why.stdout.contains("was seen to write"), "{}", why.stdout);
}

/// A repository in the sandbox, all of it committed; false where there is no git program.
fn commit_all(sandbox: &Sandbox, root: &std::path::Path) -> bool {
    let git = |args: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(args).current_dir(root);
        git.env("HOME", sandbox.root().join("../home")).output().is_ok_and(|done| done.status.success())
    };
    git(&["init", "-q"]) && git(&["add", "-A"]) && git(&["commit", "-qm", "begin"])
}

/// Two tasks that name a file each, and both write `shared`. `meet` holds what they tell one another: the first time,
/// each waits until the other has begun.
fn colliding(meet: &std::path::Path) -> String {
    let task = |id: &str, other: &str, file: &str| {
        let meet = meet.display();
        format!(
            "- [ ] {id} [P] Write {id} in {file}\n\n  ```sh run\n  touch {meet}/{id}; until [ -e {meet}/{other} ]; do :; done\n  \
             mkdir -p src; echo {id} > {file}; echo {id} >> shared\n  ```\n\n"
        )
    };
    task("T001", "T002", "src/a") + &task("T002", "T001", "src/b")
}

fn two_that_collide(project: &str) {
    let sandbox = Sandbox::new("");
    let meet = sandbox.root().parent().unwrap().join("meet");
    std::fs::create_dir(&meet).unwrap();
    sandbox.write(&format!("{project}tasks.md"), &colliding(&meet));
    sandbox.write(&format!("{project}specter.toml"), "");
    sandbox.write(".gitignore", ".specter*\n");
    if !commit_all(&sandbox, &sandbox.root()) {
        return println!("skipped: there is no git");
    }
    let root = sandbox.root().join(project);
    let specter = |args: &[&str]| {
        super::sandbox::finish(sandbox.command(args).current_dir(&root).spawn().unwrap()).expect(0)
    };
    let run = ["implement", "--yes", "--parallel", "--jobs=2", "--isolation=worktree", "tasks.md"];
    specter(&run);
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap_or_default();
    let shared = read("shared");
    assert!(matches!(&*shared, "T001\nT002\n" | "T002\nT001\n"), "both are integrated: {shared:?}");
    let journal = |kind: &str| {
        let runs = std::fs::read_dir(root.join(".specter/runs")).unwrap();
        let newest = runs.map(|entry| entry.unwrap().path()).max().unwrap();
        let text = std::fs::read_to_string(newest.join("journal.ndjson")).unwrap();
        text.matches(&format!("\"kind\":\"{kind}\"")).count()
    };
    assert_eq!((journal("conflicted"), journal("integrated")), (1, 2));
    let why = specter(&["why", "T002", "tasks.md", "--parallel"]).stdout;
    assert!(why.contains("T001 and T002 were both seen to write `shared` in run "), "{why}");
    // Once more: now one after the other, and nothing is at odds.
    std::fs::write(root.join("tasks.md"), read("tasks.md").replace("[x]", "[ ]")).unwrap();
    specter(&run);
    assert_eq!((journal("conflicted"), journal("integrated")), (0, 2));
    assert_eq!(read("shared"), format!("{shared}T001\nT002\n"));
}

#[test]
fn two_tasks_that_collided_are_retried_integrated_and_run_one_after_the_other_next_time() {
    two_that_collide("");
}

#[test]
fn what_was_seen_is_found_again_where_the_project_is_a_part_of_its_repository() {
    two_that_collide("part/of/it/");
}
