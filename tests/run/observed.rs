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
