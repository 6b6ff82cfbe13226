//! Each agent with each fault of its model, in a run of its own: what specter makes of it, what it costs, and that nothing is
//! lost and nothing left. The table is printed; cells that are not as SPEC 5.1 wants them are named and fail the test.

use super::{Account, Real};
use crate::git::no_git;
use crate::model::{Fault, Model};
use crate::run::agents::Agents as _;
use crate::run::sandbox::scale;
use crate::run::worktrees::Project;
use serde_json::Value;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// No cell may take longer.
const PATIENCE: Duration = Duration::from_mins(2);
/// A quota that begins anew so many seconds from now, and one whose end is waited for.
const QUOTA: u64 = 2 * 3600;
const SOON: u64 = 20;
/// What a provider asks to wait for, and the least where none was named: 30 waits for a second attempt.
const AFTER: Duration = Duration::from_secs(2);
const UNTOLD: Duration = Duration::from_secs(6);
/// The work before the fault.
const FIRST: &str = "the first file of this task";

/// What a cell is to show.
struct Expected {
    fault: Option<Fault>,
    /// The step of the task where it begins.
    from: usize,
    /// It is over once the first attempt ended.
    heals: bool,
    retries: u32,
    /// Of the first attempt; none: there was no failure.
    class: Option<&'static str>,
    attempts: usize,
    exit: i32,
    session: Goes,
    /// What a usage limit does.
    on_limit: &'static str,
}

/// How a second attempt goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goes {
    On,
    Anew,
    Nowhere,
}

fn expected(column: &str) -> Expected {
    let well = Expected {
        fault: None,
        from: 2,
        heals: true,
        retries: 0,
        class: None,
        attempts: 1,
        exit: 0,
        session: Goes::Nowhere,
        on_limit: "stop",
    };
    // What costs an attempt is allowed just one more.
    let again = |fault: Fault, class: &'static str| Expected {
        fault: Some(fault),
        retries: 1,
        class: Some(class),
        attempts: 2,
        session: Goes::On,
        ..expected("ok")
    };
    match column {
        "ok" => well,
        // It costs none: without retries the task is done all the same.
        "429" => Expected { retries: 0, ..again(Fault::RateLimit(AFTER), "rate-limit") },
        "overloaded" => again(Fault::Overloaded, "transient"),
        "limit" => Expected {
            fault: Some(Fault::Limit(now() + QUOTA)),
            heals: false,
            class: Some("usage-limit"),
            exit: 3,
            ..well
        },
        // It is waited for, by the wall clock, and costs none either.
        "wakes" => Expected {
            retries: 0,
            heals: false,
            on_limit: "wait",
            ..again(Fault::Limit(now() + SOON), "usage-limit")
        },
        "401" => Expected {
            fault: Some(Fault::Unauthorized),
            from: 1,
            heals: false,
            retries: 2,
            class: Some("permanent"),
            exit: 1,
            ..well
        },
        "context" => Expected { session: Goes::Anew, ..again(Fault::Context, "transient") },
        "disconnect" => again(Fault::Disconnect, "transient"),
        "claims" => Expected { from: 1, ..again(Fault::Claims, "no-change") },
        "stub" => Expected { from: 1, ..again(Fault::Stub, "gate") },
        "slow" => Expected { fault: Some(Fault::Slow(Duration::from_millis(300))), from: 1, ..well },
        "hang" => again(Fault::Hang, "transient"),
        other => panic!("no fault is called `{other}`"),
    }
}

/// The one that takes longest is begun first.
const COLUMNS: [&str; 12] = [
    "wakes",
    "ok",
    "429",
    "overloaded",
    "limit",
    "401",
    "context",
    "disconnect",
    "claims",
    "stub",
    "slow",
    "hang",
];

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// What was seen.
#[derive(Default)]
struct Cell {
    class: String,
    rule: String,
    attempts: usize,
    exit: String,
    requests: usize,
    took: Duration,
    /// Between the first attempt and the second.
    waited: Option<Duration>,
    wrong: Vec<String>,
}

#[test]
fn whatever_goes_wrong_with_the_model_is_told_for_what_it_is_by_every_agent() {
    let all = Real::all();
    if all.is_empty() || no_git() {
        return;
    }
    let asked = std::env::var("SPECTER_AGENT_FAULTS").unwrap_or_else(|_| COLUMNS.join(","));
    let columns: Vec<&str> = asked.split(',').collect();
    let pairs = columns.iter().flat_map(|column| all.iter().map(move |real| (real, *column)));
    let cells: Vec<(&Real, &str)> =
        pairs.filter(|(real, column)| *column != "wakes" || real.tells_when).collect();
    let started = Instant::now();
    let seen: Vec<Mutex<Cell>> = cells.iter().map(|_| Mutex::default()).collect();
    let next = AtomicUsize::new(0);
    // They mostly wait.
    let side_by_side = scale("SPECTER_AGENT_CELLS", 4);
    std::thread::scope(|scope| {
        for _ in 0..side_by_side {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((real, column)) = cells.get(at) else { return };
                    *seen[at].lock().unwrap() = measured(real, column);
                }
            });
        }
    });
    let mut table: Vec<_> = cells.iter().zip(seen).collect();
    table.sort_by_key(|((real, _), _)| all.iter().position(|one| std::ptr::eq(one, *real)));
    println!("\n| agent | fault | class | attempts | waited | exit | requests | seconds | rule |");
    println!("| --- | --- | --- | ---: | ---: | --- | ---: | ---: | --- |");
    let mut wrong = Vec::new();
    for ((real, column), cell) in table {
        let cell = cell.into_inner().unwrap();
        let Cell { class, rule, attempts, exit, requests, took, waited, .. } = &cell;
        let (name, took) = (real.name, took.as_secs_f32());
        let waited = waited.map(|waited| format!("{:.1}", waited.as_secs_f32())).unwrap_or_default();
        println!(
            "| {name} | {column} | {class} | {attempts} | {waited} | {exit} | {requests} | {took:.1} | {rule} |"
        );
        wrong.extend(cell.wrong.iter().map(|why| format!("{} × {column}: {why}", real.name)));
    }
    println!("\n{} cells in {:.0?}, {} wrong", cells.len(), started.elapsed(), wrong.len());
    wrong.iter().for_each(|wrong| println!("wrong: {wrong}"));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// One run.
fn measured(real: &Real, column: &str) -> Cell {
    let expected = expected(column);
    let tasks = format!(
        "- [ ] T001 Create a.txt and b.txt\n  - order: write a.txt {FIRST}\n  - order: write b.txt second\n\n  \
         ```sh verify\n  grep -q first a.txt && grep -q second b.txt\n  ```\n"
    );
    let project = Project::new(&tasks, &[("README.md", "# an example\n")]);
    let config = project.sandbox.home().join(".config/specter/config.toml");
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    std::fs::write(config, "retry.base = \"200ms\"\nretry.jitter = \"0ms\"\n").unwrap();
    let own = project.own();
    let model = Model::start();
    model.fail(expected.fault.clone(), expected.from);
    let retries = format!("--retries={}", expected.retries);
    let on_limit = format!("--on-limit={}", expected.on_limit);
    let more = ["--isolation=worktree", "--stall=7s", "--grace=2s", &on_limit, &retries];
    let account = match expected.fault {
        Some(Fault::Limit(_)) => Account::Subscription,
        _ => Account::Key,
    };
    let mut command = real.implement(&project, &model, account, &more);
    let started = Instant::now();
    let code = run(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(), || {
        if expected.heals && !project.of_kind("attempt_finished").is_empty() {
            model.fail(None, 0);
        }
    });
    let took = started.elapsed();
    let mut cell = judged(&project, &model, &expected, real.resumes);
    cell.took = took;
    cell.exit = code.map_or("none".to_owned(), |code| code.to_string());
    if code != Some(expected.exit) {
        cell.wrong.push(format!("ended with {}, not {}", cell.exit, expected.exit));
    }
    if project.own() != own {
        cell.wrong.push("something of the user's changed".to_owned());
    }
    let left = left(&project);
    if !left.is_empty() {
        cell.wrong.push(format!("processes are left: {left:?}"));
    }
    cell
}

/// Its exit code, if it ended in time.
fn run(mut child: Child, mut look: impl FnMut()) -> Option<i32> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if started.elapsed() > PATIENCE {
            let _ended = specter::sys::kill(child.id() as i32, specter::sys::SIGTERM);
            let _status = child.wait();
            return None;
        }
        look();
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn judged(project: &Project, model: &Model, expected: &Expected, resumes: bool) -> Cell {
    let attempts = project.of_kind("attempt_finished");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let first = attempts.first().cloned().unwrap_or_default();
    let mut cell = Cell {
        class: text(&first["class"]),
        rule: text(&first["rule"]),
        attempts: attempts.len(),
        requests: model.asked("T001"),
        waited: waited(project),
        ..Cell::default()
    };
    let waited = cell.waited;
    let mut wrong = |is: bool, why: String| cell.wrong.extend(is.then_some(why));
    let class = expected.class.unwrap_or_default();
    // Who answered when it was asked whether it goes on ended its turn: its work is judged then, and it is not there.
    let has_answered = matches!(expected.fault, Some(Fault::Hang))
        && cell.class == "gate"
        && project.of_kind("attempt_quiet").iter().any(|quiet| quiet["stage"] == "nudge");
    wrong(cell.class != class && !has_answered, format!("class `{}`, not `{class}`", cell.class));
    wrong(
        attempts.len() != expected.attempts,
        format!("{} attempts, not {}", attempts.len(), expected.attempts),
    );

    let sessions: Vec<String> = attempts.iter().map(|attempt| text(&attempt["agent"]["session"])).collect();
    if let [first, second, ..] = &sessions[..] {
        let is_same = first == second;
        wrong(
            expected.session == Goes::On && resumes && !is_same,
            "it went on in another session".to_owned(),
        );
        wrong(
            expected.session == Goes::Anew && is_same,
            "it went on in the session that it failed of".to_owned(),
        );
    }

    match expected.fault {
        Some(Fault::RateLimit(_)) => {
            let named = first["retry_after_ms"].as_u64().map(Duration::from_millis);
            let least = named.unwrap_or(UNTOLD);
            wrong(waited < Some(least), format!("asked again after {waited:?}, not {least:?}"));
        }
        Some(Fault::Limit(at)) if attempts.len() > 1 => {
            let second = project.of_kind("attempt_started").last().map_or(0, |start| wall(project, start));
            let late = second as i64 - at as i64;
            wrong(!(0..=60).contains(&late), format!("went on {late} s after the limit's end"));
        }
        _ => {}
    }

    let done = project.of_kind("task_done");
    let is_verified = done.iter().any(|done| done["verdict"] == "verified");
    wrong(is_verified != (expected.exit == 0), format!("verified: {is_verified}"));
    let is_ticked = project.sandbox.ticked() == ["T001"];
    wrong(is_ticked != is_verified, format!("ticked: {is_ticked}"));

    let has_written =
        model.log().iter().any(|entry| entry["order"]["what"] == "a.txt" && entry["fault"].is_null());
    let is_there = project.sandbox.read("a.txt").contains(FIRST) || project.kept().contains(FIRST);
    wrong(has_written && !is_there, "what it had written is lost".to_owned());

    if let Some(Fault::Limit(at)) = expected.fault {
        let held = project.of_kind("provider_held");
        let (told, until) = held.first().map_or((false, 0), |held| {
            (held["told"] == true, held["until"].as_u64().unwrap_or_default() / 1000)
        });
        wrong(held.is_empty(), "its provider is not held".to_owned());
        // Some tell the minute alone, and specter waits a moment longer.
        wrong(told && until.abs_diff(at) > 120, format!("held until {until}, the limit ends at {at}"));
        cell.rule = if told {
            format!("{} (held until its end, {:+} s)", cell.rule, until as i64 - at as i64)
        } else {
            format!("{} (no time told)", cell.rule)
        };
    }
    cell
}

/// The end of the first attempt to the start of the second.
fn waited(project: &Project) -> Option<Duration> {
    let at = |event: &Value| event["at"].as_u64().unwrap_or_default();
    let ended = project.of_kind("attempt_finished").first().map(at)?;
    let begun = project.of_kind("attempt_started").get(1).map(at)?;
    Some(Duration::from_millis(begun.saturating_sub(ended)))
}

/// When it was by the wall clock, in seconds since 1970.
fn wall(project: &Project, event: &Value) -> u64 {
    let started = project.of_kind("run_started")[0]["started"].as_u64().unwrap_or_default();
    (started + event["at"].as_u64().unwrap_or_default()) / 1000
}

/// Processes of the run, by what they were started with, whatever they made of themselves.
fn left(project: &Project) -> Vec<String> {
    let Some(journal) = project.sandbox.journal() else { return Vec::new() };
    let run = journal.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
    let mark = format!("SPECTER_ATTEMPT={run}");
    let mut left = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(mark.as_bytes())) {
            let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            left.push(String::from_utf8_lossy(&command).replace('\0', " "));
        }
    }
    left
}
