//! Configuration from outside (SPEC 14.1): every value with its origin, every mistake with its place.

use super::{TRACE, page};
use crate::run::sandbox::{Sandbox, finish};
use serde_json::Value;

const EXISTING: &str = r#"{
  "maxRetries": 1, "timeout": 30000, "parallelTasks": 5, "verboseLogging": false,
  "implementer": {
    "parallel": {"enabled": true, "maxWorkers": 4, "taskTimeout": 60000, "dynamicScaling": true},
    "errorRecovery": {"autoRetry": true, "maxRetries": 3, "backoffStrategy": "exponential", "backoffMultiplier": 2,
                      "tryAlternatives": true},
    "testing": {"runTests": true, "testFirst": true, "coverageTarget": 80, "requirePassing": true},
    "validation": {"linting": true, "typeChecking": true, "formatting": true, "securityScan": false}
  },
  "retryDelays": [1000, 2000], "retryableErrors": ["ECONNRESET"], "nonRetryableErrors": ["SyntaxError"],
  "batchSize": 5, "maxConcurrent": 10, "priorityWeights": {"P1": 1.0, "P2": 0.7}
}
"#;

#[test]
fn every_value_is_shown_with_its_origin() {
    let sandbox = Sandbox::new(TRACE);
    sandbox.write("../home/.config/specter/config.toml", "jobs = 2\n[env]\npass = ['TOKEN']\n");
    sandbox.write("specter.toml", "# ours\nretries = 5\n\n[treat]\n'~' = 'open'\n");
    let mut command = sandbox.command(["config", "--color=never"]);
    command.env("SPECTER_GRACE", "3s").env("SPECTER_JBOS", "4");
    let ended = finish(command.spawn().unwrap()).expect(0);
    let home = sandbox.root().parent().unwrap().join("home");
    insta::assert_snapshot!(page(&sandbox, &ended).replace(home.to_str().unwrap(), "[home]"));
}

#[test]
fn a_file_made_for_other_tools_is_understood_and_says_what_has_no_effect() {
    let sandbox = Sandbox::new(TRACE);
    sandbox.write("existing.json", EXISTING);
    let ended = sandbox.run(["config", "--config", "existing.json"]).expect(0);
    let changed: String =
        ended.stdout.lines().filter(|line| !line.ends_with("(default)")).map(|l| format!("{l}\n")).collect();
    insta::assert_snapshot!(changed);
}

#[test]
fn all_mistakes_are_told_at_once_where_they_stand() {
    let sandbox = Sandbox::new(TRACE);
    sandbox.write(
        "specter.toml",
        "jobz = 3\nmode = 'paralel'\ntimeout = 30\n\n[retry]\nfactor = 0.5\ndelay = '1s'\n",
    );
    sandbox.write(
        ".specter/impl-config.json",
        "{\n  \"parallel\": {\"maxWorker\": 4},\n  \"maxRetries\": \"three\"\n}\n",
    );
    let ended = sandbox.run(["plan"]).expect(78);
    insta::assert_snapshot!(page(&sandbox, &ended));
}

#[test]
fn what_is_no_configuration_at_all_is_told_of() {
    let sandbox = Sandbox::new(TRACE);
    let mut text = String::new();
    for (name, bytes) in [
        ("a.toml", &b"jobs = \n"[..]),
        ("b.json", b"{\"jobs\": 1,}"),
        ("c.json", b"[1, 2]"),
        ("d.toml", b"\xff\xfe"),
        ("e.toml", b"jobs = 1\njobs = 2\n"),
    ] {
        std::fs::write(sandbox.root().join(name), bytes).unwrap();
        let ended = sandbox.run(["config", "--config", name]).expect(78);
        text += &format!("## {name}\n{}\n", page(&sandbox, &ended));
    }
    for name in ["missing.toml", ".."] {
        let ended = sandbox.run(["config", "--config", name]).expect(78);
        text += &format!("## {name}\n{}\n", page(&sandbox, &ended));
    }
    let mut command = sandbox.command(["config"]);
    let ended = finish(command.env("SPECTER_JOBS", "none").spawn().unwrap()).expect(78);
    text += &format!("## SPECTER_JOBS=none\n{}\n", page(&sandbox, &ended));
    insta::assert_snapshot!(text);
}

#[test]
fn the_published_schema_holds_every_setting() {
    let sandbox = Sandbox::new(TRACE);
    let schema = sandbox.run(["config", "--schema"]).expect(0).stdout;
    insta::assert_snapshot!(schema);
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let shown = sandbox.run(["config", "--format=json"]).expect(0).stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    for setting in shown["settings"].as_array().unwrap() {
        let key = setting["key"].as_str().unwrap();
        let found = key.split('.').try_fold(&schema, |place, name| place.get("properties")?.get(name));
        assert!(found.is_some(), "{key} is not in the schema");
    }
}

#[test]
fn the_schema_is_told_even_where_the_configuration_is_invalid() {
    let sandbox = Sandbox::new(TRACE);
    sandbox.write("specter.toml", "jobz = 1\n");
    sandbox.run(["config", "--schema"]).expect(0);
}

#[test]
fn check_plan_and_implement_judge_a_file_alike() {
    let sandbox = Sandbox::new(&format!("{TRACE}- [~] T002 Half\n"));
    let codes = || {
        let commands: [&[&str]; 3] = [&["check"], &["plan"], &["implement", "--yes"]];
        commands.map(|args| sandbox.run(args).code)
    };
    assert_eq!(codes(), [Some(0); 3]);
    sandbox.write("tasks.md", &format!("{TRACE}- [~] T002 Half\n"));
    sandbox.write("specter.toml", "strict = true\n");
    assert_eq!(codes(), [Some(65); 3]);
    sandbox.write("specter.toml", "strict = true\n[treat]\n'~' = 'done'\n");
    assert_eq!(codes(), [Some(0); 3]);
}

#[test]
fn a_state_directory_for_all_projects_keeps_them_apart() {
    let shared = tempfile::tempdir().unwrap();
    let failing = TRACE.replace("echo ran >> trace", "echo ran >> trace; test -e allowed");
    let (first, second) = (Sandbox::new(TRACE), Sandbox::new(&failing));
    let run = |sandbox: &Sandbox, args: &[&str]| {
        let mut command = sandbox.command(args);
        finish(command.env("SPECTER_STATE_DIR", shared.path()).spawn().unwrap())
    };
    run(&second, &["implement", "--yes", "--retries=0"]).expect(1);
    run(&first, &["implement", "--yes"]).expect(0);
    assert_eq!(second.read("tasks.md"), failing, "what one project finished ticked a box of another");
    second.write("allowed", "");
    run(&second, &["resume", "--yes"]).expect(0);
    assert_eq!((first.read("trace").lines().count(), second.read("trace").lines().count()), (1, 2));
    assert!(!first.exists(".specter") && !second.exists(".specter"));
    let status = run(&first, &["status", "--format=json"]).expect(0).stdout;
    assert!(status.contains("\"finished\""), "{status}");
}

#[test]
fn a_typed_state_directory_belongs_to_one_project() {
    let shared = tempfile::tempdir().unwrap();
    let dir = shared.path().join("state");
    let dir = dir.to_str().unwrap();
    let (first, second) = (Sandbox::new(TRACE), Sandbox::new(TRACE));
    first.run(["implement", "--yes", "--state-dir", dir]).expect(0);
    let ended = second.run(["implement", "--yes", "--state-dir", dir]).expect(74);
    assert!(
        ended.stderr.contains("holds the state of another project") && !second.exists("trace"),
        "{}",
        ended.stderr
    );
    first.run(["status", "--state-dir", dir]).expect(0);
}

#[test]
fn a_resume_takes_the_options_of_the_run_and_those_typed_now() {
    let sandbox = Sandbox::new(
        "- [ ] T001 Fail until allowed\n\n  ```sh run\n  echo try >> trace; test -e allowed\n  ```\n",
    );
    sandbox.write("specter.toml", "[retry]\nbase = '1ms'\njitter = '0s'\n");
    let trace = || sandbox.read("trace").lines().count();
    sandbox.run(["implement", "--yes", "--retries=0"]).expect(1);
    assert_eq!(trace(), 1);
    sandbox.run(["resume", "--yes", "--retries=3"]).expect(1);
    assert!(trace() > 2, "the retries typed on resume count: {}", trace());
    sandbox.write("allowed", "");
    sandbox.run(["resume", "--yes"]).expect(0);
    assert!(sandbox.read("tasks.md").starts_with("- [x] T001"));
}
