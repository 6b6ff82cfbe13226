//! Interruptions are not crashes (SPEC 4.4): Ctrl-C once and twice, SIGTERM, SIGHUP, a closed pipe.

use super::sandbox::{Sandbox, finish, processes_in, until};
use std::process::{Child, Command};

pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Two independent tasks: one that ends on TERM, and one that comes after it.
fn slow(first: &str) -> Sandbox {
    Sandbox::new(&format!(
        "- [ ] T001 Slow\n\n  ```sh run\n  {first}\n  ```\n- [ ] T002 Never\n\n  ```sh run\n  echo T002 >> ran\n  ```\n"
    ))
}

fn interrupted(name: &str, code: i32) {
    let sandbox = slow("echo up > up; exec sleep 300");
    let child = sandbox.command(["implement", "--yes"]).spawn().unwrap();
    until("the task to run", || sandbox.exists("up"));
    signal(&child, name);
    let ended = finish(child).expect(code);
    assert!(ended.all().contains("specter resume"), "{}", ended.all());
    assert!(sandbox.ticked().is_empty() && !sandbox.exists("ran"));
    assert_eq!(processes_in(&sandbox.root()), Vec::<String>::new());
    assert_eq!(sandbox.ids("task_cancelled"), ["T001"]);
    // What was cut short runs again, and costs none of its attempts.
    sandbox.write("tasks.md", &sandbox.read("tasks.md").replace("exec sleep 300", "true"));
    finish(sandbox.command(["resume", "--yes"]).spawn().unwrap()).expect(0);
    assert_eq!(sandbox.ticked(), ["T001", "T002"]);
}

#[test]
fn ctrl_c_ends_the_run_in_order_and_resume_goes_on() {
    interrupted("INT", 130);
}

#[test]
fn sigterm_ends_the_run_in_order() {
    interrupted("TERM", 143);
}

#[test]
fn a_closed_terminal_is_an_interruption() {
    interrupted("HUP", 130);
}

#[test]
fn the_second_ctrl_c_kills_what_ignores_the_first() {
    let sandbox = slow("trap '' TERM INT; echo up > up; while :; do sleep 0.1; done");
    let child = sandbox.command(["implement", "--yes"]).spawn().unwrap();
    until("the task to run", || sandbox.exists("up"));
    signal(&child, "INT");
    until("the first to be recorded", || !sandbox.ids("interrupted").is_empty());
    signal(&child, "INT");
    finish(child).expect(130);
    assert_eq!(processes_in(&sandbox.root()), Vec::<String>::new());
}

#[test]
fn what_ignores_sigterm_is_killed_after_a_short_grace() {
    let sandbox = slow("trap '' TERM INT HUP; echo up > up; while :; do sleep 0.1; done");
    let child = sandbox.command(["implement", "--yes", "--grace=10m"]).spawn().unwrap();
    until("the task to run", || sandbox.exists("up"));
    signal(&child, "TERM");
    finish(child).expect(143);
    assert_eq!(processes_in(&sandbox.root()), Vec::<String>::new());
}

#[test]
fn a_reader_that_leaves_early_is_no_crash() {
    let sandbox = Sandbox::new("- [ ] T001 A\n\n  ```sh run\n  true\n  ```\n");
    let mut child = sandbox.command(["implement", "--yes", "--format=json"]).spawn().unwrap();
    drop(child.stdout.take());
    drop(child.stderr.take());
    let status = child.wait().unwrap();
    assert!(status.code().is_some_and(|code| code != 101 && code != 70), "{status:?}");
}
