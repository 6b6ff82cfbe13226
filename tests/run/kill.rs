//! `kill -9` at random moments, each followed by a resume (SPEC 6.2): nothing finished is lost or repeated.

use super::sandbox::{Sandbox, finish, processes_in, scale, until};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const TASKS: usize = 60;

/// Sixty tasks in layers of ten; each notes in `truth` that its work happened, then lingers a little.
fn tasks() -> String {
    let mut text = String::from("# Tasks\n\n## Phase 1: Work\n\n");
    for n in 1..=TASKS {
        let needs = if n > 10 { format!(" (depends on T{:03})", n - 10) } else { String::new() };
        text += &format!(
            "- [ ] T{n:03} [P] Step {n}{needs}\n\n  ```sh run\n  sleep 0.0{}\n  echo T{n:03} >> truth\n  sleep 0.0{}\n  ```\n\n",
            n % 4,
            n % 3,
        );
    }
    text
}

fn truth(sandbox: &Sandbox) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for id in sandbox.read("truth").lines() {
        *counts.entry(id.to_owned()).or_default() += 1;
    }
    counts
}

/// One run with up to four kills, then a resume to the end. Returns how many kills hit a living run.
fn one_run(rng: &mut fastrand::Rng) -> u64 {
    let sandbox = Sandbox::new(&tasks());
    let mut kills = 0;
    for round in 0..4 {
        let args: &[&str] = match round {
            0 => &["implement", "--parallel=graph", "-j4", "--yes"],
            _ => &["resume", "--yes"],
        };
        let mut child = sandbox.command(args).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(rng.u64(1..160)));
        let alive = child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        child.wait().unwrap();
        kills += u64::from(alive);
        // Half of the time the next session begins while the killed one's guardian may still be at work.
        if rng.bool() {
            until("the killed run's processes to be gone", || processes_in(&sandbox.root()).is_empty());
        }
        check_killed(&sandbox);
    }
    let before: BTreeSet<String> = sandbox.ids("task_done").into_iter().collect();
    let counts = truth(&sandbox);
    finish(sandbox.command(["resume", "--yes"]).spawn().unwrap()).expect(0);
    check_end(&sandbox, &before, &counts);
    until("every process to be gone", || processes_in(&sandbox.root()).is_empty());
    kills
}

/// Right after a kill: a ticked box was earned and recorded.
fn check_killed(sandbox: &Sandbox) {
    let done: BTreeSet<String> = sandbox.ids("task_done").into_iter().collect();
    let counts = truth(sandbox);
    for id in sandbox.ticked() {
        assert!(done.contains(&id), "{id} is ticked without a record");
        assert!(counts.contains_key(&id), "{id} is ticked and never ran");
    }
}

fn check_end(sandbox: &Sandbox, before: &BTreeSet<String>, counts: &BTreeMap<String, u32>) {
    let after = truth(sandbox);
    for id in before {
        assert_eq!(after.get(id), counts.get(id), "{id} was finished and ran again");
    }
    let all: BTreeSet<String> = (1..=TASKS).map(|n| format!("T{n:03}")).collect();
    assert_eq!(sandbox.ticked().into_iter().collect::<BTreeSet<_>>(), all);
    assert_eq!(after.keys().cloned().collect::<BTreeSet<_>>(), all);
    let boxes = sandbox.read("tasks.md").replace("- [x]", "- [ ]");
    assert_eq!(boxes, tasks(), "only boxes may change");
    let mut done = sandbox.ids("task_done");
    done.sort();
    assert_eq!(done, all.into_iter().collect::<Vec<_>>(), "each task is recorded as done exactly once");
}

#[test]
fn campaign_kills_at_random_moments_cost_nothing() {
    let wanted = scale("SPECTER_KILLS", 12);
    let seed = scale("SPECTER_SEED", 7);
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut kills = 0;
    for _ in 0..wanted {
        kills += one_run(&mut rng);
        if kills >= wanted {
            break;
        }
    }
    println!("{kills} kills, seed {seed}: nothing lost, nothing repeated, no process left");
    assert!(kills >= wanted.min(12), "too few kills hit a living run: {kills}");
}
