//! Memory, disk, processor time and attempts are bounded, whatever tasks do.
//!
//! `SPECTER_OUTPUT_MB` is how much one task prints, `SPECTER_TASKS` how many tasks run, `SPECTER_IDLE_SECONDS` how long
//! nothing happens, `SPECTER_BOMB` how many processes keep forking.

use super::{NEVER, Times, check_record, many_tasks, one_task, system};
use crate::run::sandbox::{Sandbox, finish, processes_in, scale, until, wait};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Runs without anyone reading; the most memory specter itself had, in kB. Looked at again and again: what the system
/// tells at the end counts the memory of whoever started it too.
fn most_memory(sandbox: &Sandbox, args: &[&str]) -> u64 {
    let mut command = sandbox.command(args);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut most = 0;
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        most = most.max(peak.and_then(|kb| kb.parse().ok()).unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(0));
            return most;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn rss_of_output(code: &str) -> (u64, Sandbox) {
    let sandbox = Sandbox::new(&one_task("", code));
    (most_memory(&sandbox, &["implement", "--yes"]), sandbox)
}

#[test]
fn campaign_memory_and_log_do_not_grow_with_output() {
    let megabytes = scale("SPECTER_OUTPUT_MB", 48);
    let (base, _) = rss_of_output("true");
    println!("{base} kB without output");
    let bytes = megabytes * 1_000_000;
    for (what, code) in [
        ("one endless line", format!("head -c {bytes} /dev/zero | tr '\\0' 'x'")),
        ("short lines", format!("yes | head -c {bytes}")),
        ("bytes that are no text", format!("head -c {bytes} /dev/zero | tr '\\0' '\\377'")),
    ] {
        let started = Instant::now();
        let (rss, sandbox) = rss_of_output(&code);
        println!("{what}: {megabytes} MB in {:.1?}, {rss} kB at most", started.elapsed());
        assert!(rss < base + 24 * 1024, "{what}: {rss} kB, {base} kB without output");
        let event = sandbox.events().into_iter().find(|event| event["kind"] == "attempt_finished").unwrap();
        assert_eq!(event["output_bytes"], bytes);
        let log = sandbox.journal().unwrap().with_file_name("tasks/T001/attempt-1.log");
        let log = std::fs::read(log).unwrap();
        assert!(log.len() <= (16 << 20) + 64, "{what}: {} bytes of log", log.len());
        let note = format!("[specter: {} bytes dropped]", bytes - (16 << 20));
        assert!(log.windows(note.len()).any(|piece| piece == note.as_bytes()), "{what}: no {note}");
    }
}

#[test]
fn campaign_memory_grows_little_with_the_number_of_tasks() {
    let most = scale("SPECTER_TASKS", 2_000);
    let rss = |n: u64| {
        let sandbox = Sandbox::new(&many_tasks(n, "true"));
        let most = most_memory(&sandbox, &["implement", "--parallel", "-j4", "--yes", "-q"]);
        assert_eq!(sandbox.ticked().len() as u64, n);
        most
    };
    let mut before: Option<(u64, u64)> = None;
    let mut n = most.min(1_000);
    while n <= most {
        let kb = rss(n);
        let growth = before.map(|(m, less)| (kb.saturating_sub(less)) as f64 / (n - m) as f64);
        println!(
            "{n} tasks: {kb} kB{}",
            growth.map_or(String::new(), |kb| format!(", {kb:.2} kB for each more"))
        );
        assert!(kb < 64 * 1024 + 4 * n, "{n} tasks: {kb} kB");
        before = Some((n, kb));
        n = if n < most { (n * 10).min(most) } else { most + 1 };
    }
}

/// Processor time of one process, all its threads, without its children.
fn cpu(pid: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let of = |path: std::path::PathBuf| {
        let stat = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
        stat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
    };
    Duration::from_nanos(threads.map(|thread| of(thread.path())).sum())
}

#[test]
fn campaign_a_run_that_waits_uses_no_processor_time() {
    let seconds = scale("SPECTER_IDLE_SECONDS", 2);
    for (what, at_terminal) in [("plain", false), ("at a terminal", true)] {
        let tasks =
            one_task("", "echo up > up; until test -e go; do sleep 0.05; done") + &many_tasks(300, "true");
        let sandbox = Sandbox::new(&tasks);
        let terminal = super::pty::Terminal::new(40, 120);
        let command = sandbox.command(["implement", "--yes"]);
        let mut child = if at_terminal {
            terminal.start(command)
        } else {
            let mut command = command;
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        until("the task to run", || sandbox.exists("up"));
        let before = cpu(child.id());
        std::thread::sleep(Duration::from_secs(seconds));
        let share = cpu(child.id()).saturating_sub(before).as_secs_f64() / seconds as f64;
        println!("{what}: {:.2} % of a processor while waiting", share * 100.0);
        sandbox.write("go", "");
        assert_eq!(wait(&mut child, NEVER).expect("it ends").code(), Some(0));
        assert!(share < 0.05, "{what}: {share}");
    }
}

#[test]
fn campaign_a_fork_bomb_is_ended_by_ctrl_c() {
    // Bounded, for it runs on somebody's machine: so many processes, each of which starts another all the time.
    let bombs = scale("SPECTER_BOMB", 40);
    let code = format!(
        "trap '' TERM INT\nbomb() {{ while :; do sh -c 'trap \"\" TERM; exec sleep 0.1'; done; }}\n\
         i=0; while [ $i -lt {bombs} ]; do if [ $((i % 2)) = 0 ]; then bomb & else (setsid sh -c 'trap \"\" TERM; while :; do sleep 0.1; done' &); fi; i=$((i+1)); done\n\
         echo up > up; wait"
    );
    let sandbox = Sandbox::new(&one_task("", &code));
    let child = sandbox.command(["implement", "--yes", "--grace=10m"]).spawn().unwrap();
    until("the bomb to be lit", || sandbox.exists("up"));
    let (mut heard, mut ended) = (Times::default(), Times::default());
    let first = Instant::now();
    system::signal(child.id(), libc::SIGINT);
    until("the first Ctrl-C to be recorded", || !sandbox.ids("interrupted").is_empty());
    println!("heard after {:.1?}", first.elapsed());
    heard.note(first.elapsed());
    let second = Instant::now();
    system::signal(child.id(), libc::SIGINT);
    finish(child).expect(130);
    println!("ended after {:.1?}", second.elapsed());
    ended.note(second.elapsed());
    assert_eq!(processes_in(&sandbox.root()), Vec::<String>::new());
    check_record(&sandbox);
    println!("{bombs} processes that fork: {}; {}", heard.tell("heard after"), ended.tell("ended after"));
}

#[test]
fn what_fails_in_the_same_words_is_not_tried_a_third_time() {
    let attempts = |attributes: &str, args: &[&str], code: &str| {
        let sandbox = Sandbox::new(&one_task(attributes, &format!("echo x >> tries\n{code}")));
        sandbox.write("specter.toml", "retryDelays = [1]\n");
        sandbox.run(["implement", "--yes"].iter().chain(args)).expect(1);
        sandbox.read("tries").lines().count()
    };
    assert_eq!(attempts("", &[], "echo 3 tests failed; exit 7"), 2);
    // Other words each time, or none at all: up to three times, and no more.
    assert_eq!(attempts("", &[], "wc -l tries; exit 7"), 3);
    assert_eq!(attempts("", &[], "exit 7"), 3);
    // What may heal is worth another try, and what somebody asked for is done.
    assert_eq!(attempts("", &[], "echo connection refused; exit 7"), 3);
    assert_eq!(attempts("retries=3", &[], "echo 3 tests failed; exit 7"), 4);
    assert_eq!(attempts("", &["--retries=2"], "echo 3 tests failed; exit 7"), 3);
}

#[test]
fn a_fallback_is_tried_as_soon_as_a_failure_comes_back_in_the_same_words() {
    let fallback = "\n  ```sh fallback\n  echo fallback >> tries\n  ```\n";
    let sandbox = Sandbox::new(&(one_task("", "echo x >> tries\necho 3 tests failed; exit 7") + fallback));
    sandbox.write("specter.toml", "retryDelays = [1]\n");
    sandbox.run(["implement", "--yes"]).expect(0);
    assert_eq!(sandbox.read("tries"), "x\nx\nfallback\n");
}
