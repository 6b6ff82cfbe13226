//! Nothing of a task outlives it or specter: eleven styles of children, each ended in five ways, through the real binary.
//!
//! `SPECTER_ORPHANS` is how often each of the 55 cells is played.

use super::{NEVER, Times, one_task, system};
use crate::exec::orphans::{STYLES, code, number};
use crate::run::sandbox::{Sandbox, finish, processes_in, scale, until, wait};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
enum End {
    TimeOut,
    CtrlC,
    Terminate,
    HangUp,
    Kill,
}

const ENDS: [End; 5] = [End::TimeOut, End::CtrlC, End::Terminate, End::HangUp, End::Kill];

/// Besides the other styles: in a session of its own, orphaned, and without the environment it was given.
const HIDDEN: (&str, &str) =
    ("hidden", "(env -i setsid sh -c 'sleep N & sleep N' >/dev/null 2>&1 &); echo up > up; sleep N");

/// Living processes whose command line holds `number`. One that is just being started has none yet: two looks.
fn alive(number: &str) -> Vec<String> {
    let look = || {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = entries.filter_map(|entry| {
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(number).then_some(line)
        });
        lines.collect::<Vec<_>>()
    };
    let first = look();
    if first.is_empty() { look() } else { first }
}

/// One cell, once; how long it took from the order to end until nothing was left.
fn play(style: (&str, &str), end: End) -> Duration {
    let number = number();
    let limit = if matches!(end, End::TimeOut) { "timeout=1s retries=0" } else { "" };
    let sandbox = Sandbox::new(&one_task(limit, &code(style.1, &number)));
    let mut child = sandbox.command(["implement", "--yes", "--grace=200ms"]).spawn().unwrap();
    // A limit also ends a task that has not got that far.
    if !matches!(end, End::TimeOut) {
        until("the task to run", || sandbox.exists("up"));
        if style.0 != "direct" && style.0 != "grandchild" {
            until("its children to run", || !alive(&number).is_empty());
        }
    }
    let ordered = Instant::now();
    let code = match end {
        End::TimeOut => Some(1),
        End::CtrlC | End::HangUp => Some(130),
        End::Terminate => Some(143),
        End::Kill => None,
    };
    match end {
        End::TimeOut => {}
        End::CtrlC => system::signal(child.id(), libc::SIGINT),
        End::Terminate => system::signal(child.id(), libc::SIGTERM),
        End::HangUp => system::signal(child.id(), libc::SIGHUP),
        End::Kill => child.kill().unwrap(),
    }
    if code.is_some() {
        let ended = finish(child);
        assert_eq!(ended.code, code, "{} {end:?}: {}", style.0, ended.all());
        // Nothing may be left the moment it is gone.
        assert_eq!(alive(&number), Vec::<String>::new(), "{} {end:?}", style.0);
    } else {
        assert!(wait(&mut child, NEVER).is_some());
        until(&format!("{} to be gone after kill -9", style.0), || alive(&number).is_empty());
    }
    let took = ordered.elapsed();
    until("the project to be left", || processes_in(&sandbox.root()).is_empty());
    assert_eq!(alive(&number), Vec::<String>::new(), "{} {end:?}", style.0);
    took
}

#[test]
fn campaign_nothing_outlives_its_end_in_any_style() {
    let rounds = scale("SPECTER_ORPHANS", 1);
    let styles: Vec<_> = STYLES.into_iter().chain([HIDDEN]).collect();
    // Two at a time: most of a cell is waiting.
    let mut told = Vec::new();
    std::thread::scope(|scope| {
        let halves: Vec<_> = (0..2)
            .map(|half| {
                let styles = &styles;
                scope.spawn(move || {
                    let mut times: Vec<Times> = ENDS.iter().map(|_| Times::default()).collect();
                    for round in 0..rounds * styles.len() as u64 {
                        for (at, end) in ENDS.into_iter().enumerate() {
                            let turn = round as usize * ENDS.len() + at;
                            if turn % 2 == half {
                                times[at].note(play(styles[round as usize % styles.len()], end));
                            }
                        }
                    }
                    times
                })
            })
            .collect();
        for half in halves {
            told.push(half.join().unwrap());
        }
    });
    let (mut first, second) = (told.remove(0), told.remove(0));
    for (at, times) in second.into_iter().enumerate() {
        first[at].0.extend(times.0);
        println!("{}", first[at].tell(&format!("{:?}", ENDS[at])));
    }
    println!("{} cells, {rounds} times each: nothing left", styles.len() * ENDS.len());
}

#[test]
fn what_hid_from_every_attempt_ends_with_the_run() {
    let number = number();
    // Two at once, so that an orphan without a name is nobody's in particular.
    let hide =
        |n| format!("(env -i setsid sh -c 'sleep {number} & sleep {number}' >/dev/null 2>&1 &); sleep 0.{n}");
    let sandbox = Sandbox::new(
        &(1..=4)
            .map(|n| format!("- [ ] T{n:03} [P] Hide\n\n  ```sh run\n  {}\n  ```\n", hide(n)))
            .collect::<String>(),
    );
    let ended = sandbox.run(["implement", "--parallel", "-j4", "--yes"]).expect(0);
    assert_eq!(alive(&number), Vec::<String>::new(), "{}", ended.all());
}

#[test]
fn a_child_that_holds_the_pipe_is_reported_and_not_waited_for() {
    let number = number();
    let sandbox = Sandbox::new(&one_task("", &format!("setsid sleep {number} & exit 0")));
    sandbox.run(["implement", "--yes"]).expect(0);
    let events = sandbox.events();
    let report = events.iter().find(|event| event["kind"] == "attempt_finished").unwrap();
    assert_eq!(report["leaked"].as_array().map(Vec::len), Some(1), "{report}");
    // 200 ms for its output, then it is asked to end and does.
    println!("an attempt with a leak took {} ms", report["duration"]);
    assert!(report["duration"].as_u64().unwrap() < 5_000, "{report}");
    assert_eq!(alive(&number), Vec::<String>::new());
}

#[test]
fn the_next_start_ends_what_hid_from_a_killed_run_and_its_guardian() {
    let number = number();
    let sandbox = Sandbox::new(&one_task("", &code(HIDDEN.1, &number)));
    let mut child = sandbox.command(["implement", "--yes"]).spawn().unwrap();
    until("the task to run", || sandbox.exists("up") && !alive(&number).is_empty());
    let guardian = guardian_of(child.id());
    system::signal(guardian, libc::SIGKILL);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!alive(&number).is_empty(), "who should have ended it?");
    sandbox.write("tasks.md", &sandbox.read("tasks.md").replace(&number, "0"));
    let ended = sandbox.run(["resume", "--yes"]).expect(0);
    assert!(ended.all().contains("leftover process"), "{}", ended.all());
    assert_eq!(alive(&number), Vec::<String>::new());
}

/// What a session leaves that is killed before its first event stands in the journal: a guardian at work, and a number
/// that the next one takes.
fn a_late_guardian_spares_the_next_session(recorded_before: usize) {
    let number = number();
    let sandbox = Sandbox::new(&one_task("", &format!("echo up > up; sleep {number}")));
    let begin = || {
        let child = sandbox.command(["resume", "--yes"]).spawn().unwrap();
        until("the task to run", || sandbox.exists("up") && !alive(&number).is_empty());
        std::fs::remove_file(sandbox.root().join("up")).unwrap();
        child
    };
    let kill = |mut child: std::process::Child| {
        child.kill().unwrap();
        child.wait().unwrap();
    };
    let mut recorded = Vec::new();
    for _ in 0..recorded_before {
        kill(begin());
        until("the session to be gone", || processes_in(&sandbox.root()).is_empty());
        recorded = std::fs::read(sandbox.journal().unwrap()).unwrap();
    }
    let killed = begin();
    let guardian = guardian_of(killed.id());
    system::signal(guardian, libc::SIGSTOP);
    kill(killed);
    std::fs::write(sandbox.journal().unwrap(), recorded).unwrap();

    sandbox.write("tasks.md", &one_task("", "echo up > up; until test -e go; do sleep 0.01; done"));
    let next = sandbox.command(["resume", "--yes"]).spawn().unwrap();
    until("the next session's task to run", || sandbox.exists("up"));
    system::signal(guardian, libc::SIGCONT);
    // Nobody may have reaped it: tests of the executor make this process one that adopts.
    let stat = || std::fs::read_to_string(format!("/proc/{guardian}/stat")).ok();
    until("the guardian to go", || stat().is_none_or(|stat| stat.contains(") Z ")));
    assert_eq!(alive(&number), Vec::<String>::new());
    sandbox.write("go", "");
    finish(next).expect(0);
}

#[test]
fn the_guardian_of_a_session_that_was_never_recorded_spares_the_next_one() {
    a_late_guardian_spares_the_next_session(1);
}

#[test]
fn the_guardian_of_a_run_that_was_never_recorded_spares_the_next_one() {
    a_late_guardian_spares_the_next_session(0);
}

/// The child of `pid` that bears the guardian's name.
fn guardian_of(pid: u32) -> u32 {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let mut guardians = entries.filter_map(|entry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let (own, rest) = stat.split_once(" (specter-guard) ")?;
        let parent = rest.split(' ').nth(1)?;
        (parent == pid.to_string()).then(|| own.parse().unwrap())
    });
    guardians.next().expect("a run has a guardian")
}
