//! Three ways in which editors save tasks.md while specter runs it: no edit is lost, no line damaged, every tick there.
//!
//! `SPECTER_SAVES` is how often each editor saves. Unlike `keep::editors` this goes through the whole program.

use super::Times;
use crate::keep::editors::{backup_and_create, in_place, rename};
use crate::run::sandbox::{Sandbox, finish, scale, until};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Between two saves, in milliseconds; so the pace is that of ten to a hundred saves a second, and a little more.
const PAUSE: std::ops::Range<u64> = 1..15;

/// `n` tasks that together keep two workers busy for about as long as the editor saves, and one that ends when it has.
fn tasks(n: u64, saves: u64) -> String {
    let each = saves as f64 * 0.02 / n as f64;
    let mut text = String::from("# Tasks\n\n");
    for n in 1..=n {
        let pause = each * (1.0 + f64::from(n as u32 % 3)) / 2.0;
        write!(text, "- [ ] T{n:04} [P] Step {n}\n\n  ```sh run\n  sleep {pause:.3}\n  ```\n\n").unwrap();
    }
    text + "- [ ] T9999 [P] Last\n\n  ```sh run\n  until test -e go; do sleep 0.01; done\n  ```\n\n"
}

/// Loads, adds a line before a task, saves. What it loads is complete: nobody else writes whole files.
fn edit(path: &Path, n: u64, rng: &mut fastrand::Rng, save: fn(&Path, &str)) {
    let text = std::fs::read_to_string(path).unwrap();
    let places: Vec<usize> = text.match_indices("\n- [").map(|(at, _)| at + 1).collect();
    let at = rng.choice(&places).copied().unwrap_or(text.len());
    if n.is_multiple_of(20) {
        // Somebody types: what is ticked meanwhile is undone by the save.
        std::thread::sleep(Duration::from_millis(rng.u64(100..300)));
    }
    save(path, &format!("{}note {n}\n\n{}", &text[..at], &text[at..]));
}

/// How long each tick that an editor's save undid was missing, as far as looking can tell.
fn watch(path: &Path, is_over: &AtomicBool) -> Times {
    let mut ticked: HashMap<String, Option<Instant>> = HashMap::new();
    let mut times = Times::default();
    while !is_over.load(Ordering::Acquire) {
        // It may be cut short or away just now: only what stands there counts.
        let text = std::fs::read_to_string(path).unwrap_or_default();
        for line in text.lines() {
            let Some((mark, rest)) = line.strip_prefix("- [").and_then(|rest| rest.split_once("] ")) else {
                continue;
            };
            let id = rest.split(' ').next().unwrap_or_default();
            match (mark, ticked.get_mut(id)) {
                ("x", None) => drop(ticked.insert(id.to_owned(), None)),
                ("x", Some(lost)) => lost.take().into_iter().for_each(|since| times.0.push(since.elapsed())),
                (_, Some(lost)) => drop(lost.get_or_insert_with(Instant::now)),
                _ => {}
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    times
}

fn contend(name: &str, save: fn(&Path, &str)) {
    let saves = scale("SPECTER_SAVES", 120);
    let n = (saves / 10).max(40);
    let original = tasks(n, saves);
    let sandbox = Sandbox::new(&original);
    let path = sandbox.root().join("tasks.md");
    let child = sandbox.command(["implement", "--parallel", "-j2", "--yes", "-q"]).spawn().unwrap();
    // Who starts while a file is away for the moment of a save is told that there is none.
    until("the first task to run", || !sandbox.ids("attempt_started").is_empty());
    let is_over = AtomicBool::new(false);
    let started = Instant::now();
    let (mut times, ended) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&path, &is_over));
        let mut rng = fastrand::Rng::with_seed(scale("SPECTER_SEED", 7));
        for n in 0..saves {
            edit(&path, n, &mut rng, save);
            // The pace of a busy editor; nothing waits for it.
            std::thread::sleep(Duration::from_millis(rng.u64(PAUSE)));
        }
        let pace = saves as f64 / started.elapsed().as_secs_f64();
        println!("{name}: {saves} saves, {pace:.0} a second");
        sandbox.write("go", "");
        let ended = finish(child);
        is_over.store(true, Ordering::Release);
        (watcher.join().unwrap(), ended)
    });
    let ended = ended.expect(0);
    let text = sandbox.read("tasks.md");
    let (mut notes, rest): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("note "));
    notes.sort_unstable();
    let mut saved: Vec<String> = (0..saves).map(|n| format!("note {n}")).collect();
    saved.sort_unstable();
    assert_eq!(notes, saved, "an edit was lost");
    let is_text = |line: &&&str| !line.is_empty();
    let expected = original.replace("- [ ]", "- [x]");
    let expected: Vec<&str> = expected.lines().filter(|line| !line.is_empty()).collect();
    let rest: Vec<&str> = rest.iter().filter(is_text).copied().collect();
    assert!(rest == expected, "lines were damaged or not ticked: {}\n{text}", ended.all());
    // Each task ran once: no edit was taken for a person who wants it again.
    assert_eq!(sandbox.ids("attempt_started").len() as u64, n + 1);
    println!("{name}: {}", times.tell("undone ticks were back after"));
    let late = times.0.iter().filter(|time| **time > Duration::from_secs(1)).count();
    println!("{name}: {late} ticks were missing for more than 1 s");
}

#[test]
fn campaign_an_editor_that_renames_loses_no_edit() {
    contend("rename", rename);
}

#[test]
fn campaign_an_editor_that_writes_in_place_loses_no_edit() {
    contend("in place", in_place);
}

#[test]
fn campaign_an_editor_that_keeps_a_backup_loses_no_edit() {
    contend("backup", backup_and_create);
}
