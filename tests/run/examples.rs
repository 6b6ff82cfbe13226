//! The examples of the README are tests: copied to a temporary place, run as told there.

use super::sandbox::Sandbox;

fn example(name: &str) -> Sandbox {
    let dir = format!("{}/examples/{name}", env!("CARGO_MANIFEST_DIR"));
    Sandbox::new(&std::fs::read_to_string(format!("{dir}/tasks.md")).unwrap())
}

#[test]
fn the_quickstart_builds_and_checks_a_small_tool() {
    let sandbox = example("quickstart");
    let ended = sandbox.run(["implement", "--parallel=stories", "--jobs", "4", "--yes"]).expect(0);
    assert_eq!(sandbox.ticked().len(), 12);
    assert!(ended.all().contains("12"), "{}", ended.all());
    assert_eq!(sandbox.read("out/report.txt").lines().next(), Some("words:    9"));
    let verified = sandbox.events().into_iter().filter(|event| event["verdict"] == "verified").count();
    assert_eq!(verified, 3, "T002, T003 and T012 have verify blocks");
}

#[test]
fn the_resume_example_goes_on_after_its_blocker_is_fixed() {
    let sandbox = example("resume");
    let failed = sandbox.run(["implement", "--yes"]).expect(1);
    assert!(failed.all().contains("ECONNREFUSED 127.0.0.1:5432"), "{}", failed.all());
    assert!(failed.all().contains("specter resume"), "{}", failed.all());
    assert_eq!(sandbox.ticked(), ["T001", "T002"]);
    assert_eq!(sandbox.ids("task_blocked"), ["T004", "T005"]);
    sandbox.write("db/ready", "");
    let resumed = sandbox.run(["resume", "--yes"]).expect(0);
    assert!(resumed.all().contains("T003"), "{}", resumed.all());
    assert_eq!(sandbox.ticked(), ["T001", "T002", "T003", "T004", "T005"]);
    assert_eq!(sandbox.read("out/ran"), "T001\nT002\nT003\nT003\nT004\nT005\n");
}

#[test]
fn in_the_partial_failure_example_everything_independent_is_done() {
    let sandbox = example("partial-failure");
    let ended = sandbox.run(["implement", "--parallel=graph", "-j4", "--yes"]).expect(1);
    let mut ticked = sandbox.ticked();
    ticked.sort();
    assert_eq!(ticked, ["T001", "T002", "T003", "T004", "T005", "T007", "T009", "T010"]);
    assert_eq!(sandbox.ids("task_failed"), ["T006"]);
    assert_eq!(sandbox.ids("task_blocked"), ["T008"]);
    for told in ["SMTP connection timed out", "T008", "specter resume"] {
        assert!(ended.all().contains(told), "`{told}` is missing:\n{}", ended.all());
    }
}

#[test]
fn derived_files_that_were_deleted_come_back_from_the_journal() {
    let sandbox = example("quickstart");
    sandbox.run(["implement", "--parallel=stories", "-j4", "--yes"]).expect(0);
    let names = [
        ".specter/implementation-metrics.json",
        ".specter/implementation-context.md",
        ".specter/implementation.log",
        ".specter/history.ndjson",
        ".specter-state/current-session.md",
        ".specter-state/checkpoints/latest.md",
        ".specter-memory/CHANGES-COMPLETED.md",
    ];
    let before: Vec<String> = names.iter().map(|name| sandbox.read(name)).collect();
    names.iter().for_each(|name| std::fs::remove_file(sandbox.root().join(name)).unwrap());
    sandbox.run(["implement", "--yes"]).expect(0);
    for (name, before) in names.iter().zip(before) {
        assert!(!before.is_empty() && sandbox.exists(name), "{name} is missing");
    }
    let metrics = sandbox.metrics();
    assert_eq!(metrics["tasks"]["completed"], 12);
    assert!(sandbox.read(".specter/implementation.log").contains("T012 completed"));
}
