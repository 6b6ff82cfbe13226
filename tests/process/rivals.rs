//! Specters that start at once on one project: exactly one runs, the others say who, a killed one is no obstacle.
//!
//! `SPECTER_RIVALS` is how many races are run.

use super::{NEVER, Times};
use crate::run::sandbox::{Ended, Sandbox, finish, scale, until};
use std::time::{Duration, Instant};

/// Works until the file `go` exists.
const WAIT: &str =
    "- [ ] T001 Work\n\n  ```sh run\n  echo ran >> ran; until test -e go; do sleep 0.005; done\n  ```\n";

/// Starts `n` at once; the winner ends when all others have. How long each loser took.
fn race(n: usize) -> Vec<Duration> {
    let sandbox = Sandbox::new(WAIT);
    let command = || sandbox.command(["implement", "--yes"]);
    let mut losers = Vec::new();
    let barrier = std::sync::Barrier::new(n);
    let ends: Vec<Ended> = std::thread::scope(|scope| {
        let (ended, is_ended) = std::sync::mpsc::channel();
        let threads: Vec<_> = (0..n)
            .map(|_| {
                let (barrier, command, ended) = (&barrier, &command, ended.clone());
                scope.spawn(move || {
                    barrier.wait();
                    let started = Instant::now();
                    let end = finish(command().spawn().unwrap());
                    ended.send(started.elapsed()).unwrap();
                    end
                })
            })
            .collect();
        for _ in 1..n {
            losers.push(is_ended.recv_timeout(NEVER).expect("a loser waits for the winner"));
        }
        sandbox.write("go", "");
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let codes: Vec<_> = ends.iter().map(|end| end.code).collect();
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
    for loser in ends.iter().filter(|end| end.code != Some(0)) {
        assert_eq!(loser.code, Some(75), "{}", loser.all());
        check_message(&loser.stderr);
    }
    assert_eq!(sandbox.read("ran"), "ran\n");
    assert_eq!(sandbox.ticked(), ["T001"]);
    losers
}

/// It names the holder: its process, its machine, its command.
fn check_message(text: &str) {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert!(text.contains("another run holds the lock"), "{text}");
    assert!(text.contains("specter implement --yes`, process "), "{text}");
    assert!(text.contains(&format!(" on {}", host.trim())), "{text}");
}

#[test]
fn campaign_of_specters_that_start_at_once_exactly_one_runs() {
    let races = scale("SPECTER_RIVALS", 6);
    let mut times = Times::default();
    for round in 0..races {
        // 2 to 16, each as often.
        race(2 + (round * 7 % 15) as usize).into_iter().for_each(|time| times.note(time));
    }
    println!("{races} races: one ran each time");
    println!("{}", times.tell("from start to exit 75"));
    let late = times.0.iter().filter(|time| **time > Duration::from_millis(200)).count();
    println!("{late} of {} took more than 200 ms", times.0.len());
}

#[test]
fn the_lock_goes_with_its_killed_holder() {
    let sandbox = Sandbox::new(WAIT);
    let mut holder = sandbox.command(["implement", "--yes"]).spawn().unwrap();
    until("the task to run", || sandbox.exists("ran"));
    sandbox.run(["implement", "--yes"]).expect(75);
    holder.kill().unwrap();
    holder.wait().unwrap();
    sandbox.write("go", "");
    // At once: its guardian may still be at work and holds no lock.
    sandbox.run(["resume", "--yes"]).expect(0);
    assert_eq!(sandbox.ticked(), ["T001"]);
}

#[test]
fn a_state_directory_copied_from_another_machine_is_no_obstacle() {
    let sandbox = Sandbox::new(WAIT);
    sandbox.write("go", "");
    sandbox.run(["implement", "--yes"]).expect(0);
    let lock = sandbox.read(".specter/lock");
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let other = lock.replace(host.trim(), "elsewhere").replace("\"pid\":", "\"pid\":1,\"was\":");
    sandbox.write(".specter/lock", &other);
    sandbox.write("tasks.md", &sandbox.read("tasks.md").replace("[x]", "[ ]"));
    sandbox.run(["implement", "--yes"]).expect(0);
    assert_eq!(sandbox.ticked(), ["T001"]);
    assert!(sandbox.read(".specter/lock").contains(host.trim()));
}
