//! Many tasks, much output: nothing grows out of bounds.

use super::sandbox::{Sandbox, scale};

#[test]
fn thousands_of_tasks_run_to_the_end_and_every_box_is_ticked() {
    let n = scale("SPECTER_TASKS", 2_000);
    let tasks: String =
        (1..=n).map(|n| format!("- [ ] T{n:05} [P] Do nothing\n\n  ```sh run\n  true\n  ```\n")).collect();
    let sandbox = Sandbox::new(&tasks);
    sandbox.run(["implement", "--parallel", "-j8", "--yes", "-q"]).expect(0);
    assert_eq!(sandbox.ticked().len() as u64, n);
    assert_eq!(sandbox.read("tasks.md"), tasks.replace("- [ ]", "- [x]"));
    // Nothing left to do: quick, exit 0, and nothing runs.
    let before = sandbox.journal();
    sandbox.run(["implement", "--parallel", "-j8", "--yes", "-q"]).expect(0);
    assert_eq!(before.is_some(), sandbox.journal().is_some());
}

#[test]
fn much_output_fills_neither_memory_nor_disk() {
    let megabytes = scale("SPECTER_MEGABYTES", 64);
    let sandbox = Sandbox::new(&format!(
        "- [ ] T001 Talk\n\n  ```sh run\n  head -c {megabytes}000000 /dev/zero | tr '\\0' 'x'\n  ```\n"
    ));
    sandbox.run(["implement", "--yes"]).expect(0);
    let journal = sandbox.journal().unwrap();
    let log = journal.parent().unwrap().join("tasks/T001/attempt-1.log");
    let bytes = std::fs::metadata(&log).unwrap().len();
    assert!(bytes > 1_000_000 && bytes < 17_000_000, "{bytes} bytes of log");
    let report = sandbox.events().into_iter().find(|event| event["kind"] == "attempt_finished").unwrap();
    assert_eq!(report["output_bytes"], megabytes * 1_000_000);
}
