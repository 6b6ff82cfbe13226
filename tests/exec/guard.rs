//! `kill -9` of specter itself: a second copy of this test binary plays specter.

use super::orphans::{STYLES, code, number};
use super::*;
use specter::exec::{Guardian, kill_leftovers};
use std::process::{Child, Command, Stdio};

const PLAY: &str = "TEST_PLAYS_SPECTER";

/// Not a test of its own: what the copy does. Without the variable it has nothing to do.
#[test]
fn play_specter() {
    let Ok(part) = std::env::var(PLAY) else { return };
    let (dir, code) = part.split_once('\n').unwrap();
    let run = Path::new(dir).file_name().unwrap().to_str().unwrap().to_owned();
    let is_guarded = !code.starts_with("# unguarded");
    let guardian = is_guarded.then(|| {
        let guardian = Guardian::start().unwrap();
        guardian.guard("a-run-before").unwrap();
        guardian.guard(&run).unwrap();
        guardian
    });
    let waiting = code.starts_with("# unguarded, waiting").then(|| Guardian::start().unwrap());
    let mut config = ShellConfig::new(dir.into(), run, Path::new(dir).join("run"));
    let guard = guardian.as_ref().map(Guardian::pid).or(waiting.as_ref().map(Guardian::pid));
    if let Some(pid) = guard {
        std::fs::write(Path::new(dir).join("guard"), format!("{pid}\n")).unwrap();
    }
    if let Some(guardian) = &guardian {
        config = config.guarded_by(guardian);
    }
    let shell = ShellExecutor::new(config).unwrap();
    let task = task(&[sh(code)]);
    let attempt = Attempt::new(TaskIx(0), &task, 1, true);
    let report = shell.run(&attempt, &StopHandle::new(), &NoObserver);
    let ended = Instant::now();
    if let Some(guardian) = guardian {
        guardian.finish();
    }
    std::fs::write(Path::new(dir).join("report"), format!("{report:?} {:?}\n", ended.elapsed())).unwrap();
}

struct Played {
    dir: TempDir,
    child: Child,
}

impl Played {
    fn new(code: &str) -> Played {
        let dir = tempfile::Builder::new().prefix("run-").tempdir().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["exec::guard::play_specter", "--exact", "--nocapture"])
            .env(PLAY, format!("{}\n{code}", dir.path().display()))
            // As if a task of another run had started it: this process would adopt and end a guard that is nobody's.
            .env("SPECTER_ATTEMPT", "another-run/T1/1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Played { dir, child }
    }

    fn run(&self) -> &str {
        self.dir.path().file_name().unwrap().to_str().unwrap()
    }

    fn file(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.dir.path().join(name)).ok().filter(|text| text.ends_with('\n'))
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Processes that sleep for `number`, or run a script that holds it. Not the player, whose environment does.
fn sleepers(number: &str) -> Vec<i32> {
    let has = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.windows(number.len()).any(|w| w == number.as_bytes())
    };
    let entries = std::fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| has(pid) && is_alive(*pid)).collect()
}

#[test]
fn kill_9_leaves_nothing() {
    let mut worst = Duration::ZERO;
    // Besides the others: in a session of its own, orphaned, and without the environment it was given.
    let hidden =
        ("hidden", "(env -i setsid sh -c 'sleep N & sleep N' >/dev/null 2>&1 &); echo up > up; sleep N");
    for (name, style) in STYLES.into_iter().chain([hidden]) {
        let number = number();
        let mut played = Played::new(&code(style, &number));
        until(|| played.file("up").is_some());
        until(|| !sleepers(&number).is_empty());
        let guard: i32 = played.file("guard").unwrap().trim().parse().unwrap();
        let killed = Instant::now();
        played.kill();
        until(|| sleepers(&number).is_empty());
        let took = killed.elapsed();
        assert!(took < Duration::from_secs(2), "{name}: {took:?}");
        worst = worst.max(took);
        until(|| !is_alive(guard));
        assert!(sleepers(&number).is_empty(), "{name}");
    }
    println!("all children gone at most {worst:?} after kill -9");
}

#[test]
fn an_inner_run_ends_with_the_attempt_that_started_it() {
    for style in [
        "setsid sleep N & echo up > up; sleep N",
        "(setsid sleep N >/dev/null 2>&1 &); echo up > up; sleep N",
    ] {
        let bench = Bench::new();
        let number = number();
        let dir = bench.path().canonicalize().unwrap();
        let mut block = sh(&format!(
            "exec {} exec::guard::play_specter --exact",
            std::env::current_exe().unwrap().display()
        ));
        block.given.env =
            vec![(PLAY.into(), format!("{}\n{}", dir.display(), style.replace('N', &number)))].into();
        let stop = StopHandle::new();
        let other = || {
            bench.when("up", || until(|| sleepers(&number).len() >= 3));
            stop.stop(Stop::Now);
        };
        beside(&stop, || bench.run_with(&[block], &stop, true), other);
        assert!(sleepers(&number).is_empty());
        let guard: i32 = bench.file("guard").unwrap().trim().parse().unwrap();
        assert!(!is_alive(guard));
    }
}

#[test]
fn a_guard_that_was_told_of_no_run_ends_nothing() {
    let number = number();
    let mut played =
        Played::new(&format!("# unguarded, waiting\nsetsid sleep {number} & echo up > up; wait"));
    until(|| played.file("up").is_some() && !sleepers(&number).is_empty());
    let guard: i32 = played.file("guard").unwrap().trim().parse().unwrap();
    assert!(is_alive(guard));
    played.kill();
    until(|| !is_alive(guard));
    assert!(!sleepers(&number).is_empty());
    assert!(kill_leftovers(played.run()) >= 1);
    assert!(sleepers(&number).is_empty());
}

#[test]
fn a_guard_goes_when_it_is_told_goodbye() {
    let mut played = Played::new("true");
    assert!(played.child.wait().unwrap().success());
    let report = played.file("report").unwrap();
    assert!(report.contains("outcome: Success") && report.contains("leaked: []"), "{report}");
    assert!(!is_alive(played.file("guard").unwrap().trim().parse().unwrap()));
}

#[test]
fn the_next_start_ends_what_a_killed_session_left() {
    let (mine, other) = (number(), number());
    let mut played = Played::new(&format!("# unguarded\nsetsid sleep {mine} & echo up > up; sleep {mine}"));
    let mut bystander = Played::new(&format!("# unguarded\necho up > up; sleep {other}"));
    until(|| played.file("up").is_some() && bystander.file("up").is_some());
    until(|| sleepers(&mine).len() >= 2 && !sleepers(&other).is_empty());
    played.kill();
    assert!(kill_leftovers(played.run()) >= 2);
    assert!(sleepers(&mine).is_empty());
    assert_eq!(kill_leftovers(played.run()), 0);
    assert!(!sleepers(&other).is_empty());
    bystander.kill();
    kill_leftovers(bystander.run());
    assert!(sleepers(&other).is_empty());
}
