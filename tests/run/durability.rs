//! What is on disk when (RELIABILITY P1, P9): strict durability, and a record that cannot be written.

use super::sandbox::Sandbox;
use std::collections::HashMap;
use std::process::Command;

fn chain(tasks: usize) -> String {
    let task =
        |n| format!("- [ ] T{n:03} [P] A step of the chain\n\n  ```sh run\n  echo T{n:03} >> ran\n  ```\n\n");
    (1..=tasks).map(task).collect()
}

struct Frame {
    number: u64,
    /// How many frames were on disk when it was written.
    on_disk: u64,
    /// Kind and task.
    events: Vec<(String, String)>,
}

fn frames(sandbox: &Sandbox) -> Vec<Frame> {
    let text = std::fs::read_to_string(sandbox.journal().unwrap()).unwrap();
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let frame = |line: &str| {
        let frame: serde_json::Value = serde_json::from_str(line).unwrap();
        let events = frame["e"].as_array().unwrap().iter();
        let events = events.map(|event| (word(&event["kind"]), word(&event["task"]))).collect();
        Frame { number: frame["n"].as_u64().unwrap(), on_disk: frame["s"].as_u64().unwrap(), events }
    };
    text.lines().map(frame).collect()
}

#[test]
fn in_strict_durability_nothing_starts_before_its_start_is_on_disk() {
    let sandbox = Sandbox::new(&chain(20));
    sandbox.run(["implement", "--yes", "--parallel=graph", "-j3", "--durability=strict"]).expect(0);
    let mut started = HashMap::new();
    let mut checked = 0;
    for Frame { number, on_disk, events } in frames(&sandbox) {
        for (kind, task) in events {
            if kind == "attempt_finished" {
                assert!(
                    on_disk >= started[&task],
                    "{task} ended while frame {} was not on disk",
                    started[&task]
                );
                checked += 1;
            } else if kind == "attempt_started" {
                started.insert(task, number);
            }
        }
    }
    assert_eq!(checked, 20);
}

/// `specter implement` where no file can grow beyond `kib`.
fn limited(sandbox: &Sandbox, kib: u32) -> super::sandbox::Ended {
    let specter = sandbox.command([] as [&str; 0]);
    let script = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$@\"");
    let mut command = Command::new("bash");
    command.args(["-c", &script, "bash"]).arg(specter.get_program()).args([
        "implement",
        "--yes",
        "--durability=strict",
    ]);
    command.env_clear().envs(specter.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(sandbox.root()).stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    super::sandbox::finish(command.spawn().unwrap())
}

#[test]
fn a_journal_that_cannot_be_written_ends_the_run_and_is_named_and_the_resume_goes_on() {
    let sandbox = Sandbox::new(&chain(12));
    let ended = limited(&sandbox, 2);
    assert!(ended.stderr.contains("journal.ndjson`: File too large"), "{}", ended.all());
    ended.expect(74);
    let (done, ran) = (sandbox.ids("task_done").len(), sandbox.read("ran").lines().count());
    assert!(done < 12 && ran <= done + 1, "{ran} ran and {done} are recorded: more than was in hand");
    sandbox.run(["resume", "--yes"]).expect(0);
    assert_eq!(sandbox.ids("task_done").len(), 12);
    assert!(sandbox.read("ran").lines().count() <= 13);
}
