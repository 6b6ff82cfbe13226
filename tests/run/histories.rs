//! Random runs of the real program over real repositories: overlapping edits, conflicts, failures, agents that commit by
//! themselves, SIGKILL and SIGINT at random instants, and a user who edits, stages and commits meanwhile. After each
//! history every line that any attempt wrote is reachable, every line of the user is on disk, and HEAD, index and stash
//! are as the user left them (RELIABILITY P6).

use super::sandbox::{finish, scale};
use super::worktrees::{Project, task};
use crate::git::{Tally, git_in, no_git, run_git};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const FILES: usize = 6;
const LINES: usize = 12;

fn name(n: usize) -> String {
    format!("d{}/f{n}.txt", n % 3)
}

/// A script that writes lines nobody else writes and notes each, once it is written, in a ledger outside.
fn script(random: &mut fastrand::Rng, id: &str) -> String {
    let mut steps = vec!["n=${SPECTER_ATTEMPT##*/}".to_owned()];
    for _ in 0..random.usize(1..4) {
        let (file, line) = (name(random.usize(..FILES + 2)), random.usize(1..=LINES));
        steps.push("t=$(od -An -N8 -tx1 /dev/urandom | tr -d ' ')".to_owned());
        steps.push(format!(
            "if test -e {file}; then sed -i \"{line}s/$/\\nagent {id} $n $t/\" {file}; else mkdir -p $(dirname {file}); echo \"agent {id} $n $t\" > {file}; fi"
        ));
        // A file may be shorter than that by now: then nothing was written.
        steps.push(format!("if grep -q \"$t\" {file}; then echo \"agent {id} $n $t\" >> \"$LEDGER\"; fi"));
        match random.u32(..6) {
            0 => steps.push("git add -A && git commit -qm agent".to_owned()),
            1 => steps.push(format!("sleep 0.0{}", random.u32(1..9))),
            _ => {}
        }
    }
    if random.u32(..6) == 0 {
        steps.push("false".to_owned());
    }
    steps.join("\n  ")
}

fn tasks(random: &mut fastrand::Rng) -> String {
    let count = random.usize(4..9);
    let mut text = String::from("# Tasks\n\n## Phase 1: Work\n\n");
    for n in 1..=count {
        let id = format!("T{n:03}");
        let needs = if n > 2 && random.bool() {
            format!(" (depends on T{:03})", random.usize(1..n))
        } else {
            String::new()
        };
        let verify = random.bool().then_some("grep -rq agent .");
        text += &task(&format!("{id} [P] Step {n}{needs}"), &script(random, &id), verify);
    }
    text
}

/// What the user did, one thing after the other, until told to stop.
#[derive(Default)]
struct User {
    lines: BTreeSet<String>,
    edits: usize,
    commits: usize,
    head: String,
    index: String,
}

fn git_state(root: &Path) -> (String, String) {
    let head = git_in(root, &["rev-parse", "HEAD"]) + &git_in(root, &["symbolic-ref", "HEAD"]);
    (head, git_in(root, &["ls-files", "-s"]) + &git_in(root, &["stash", "list"]))
}

fn user_works(root: &Path, mut random: fastrand::Rng, is_over: &AtomicBool) -> User {
    let mut user = User::default();
    (user.head, user.index) = git_state(root);
    let pace = random.u64(20..200);
    while !is_over.load(Ordering::Relaxed) {
        match random.u32(..8) {
            0 => {
                git_in(root, &["commit", "-q", "--allow-empty", "-m", "user"]);
                user.commits += 1;
            }
            1 => {
                let file = name(random.usize(..FILES));
                if root.join(&file).exists() {
                    git_in(root, &["add", &file]);
                }
            }
            _ => {
                // As an editor saves: what was there, with a line more. In a file of the user's own, and in a shared one.
                let line = format!("user {:016x}", random.u64(..));
                let shared = root.join(name(random.usize(..FILES)));
                let path = if random.bool() { root.join("own.txt") } else { shared };
                append(&path, &line);
                user.lines.insert(line);
                user.edits += 1;
            }
        }
        (user.head, user.index) = git_state(root);
        std::thread::sleep(Duration::from_millis(pace));
    }
    user
}

/// Appending alone can be told from an old copy that is written over what came meanwhile, which is no fault of anybody's.
fn append(path: &Path, line: &str) {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}

fn one_history(seed: u64) -> Tally {
    let mut random = fastrand::Rng::with_seed(seed);
    let text: String = (0..LINES).map(|n| format!("line {n}\n")).collect();
    let names: Vec<String> = (0..FILES).map(name).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), text.as_str())).collect();
    let project = Project::new(&tasks(&mut random), &files);
    let root = project.sandbox.root();
    let ledger = root.parent().unwrap().join("ledger");
    std::fs::write(&ledger, "").unwrap();
    let is_over = AtomicBool::new(false);
    let mut tally = Tally::default();
    let user = std::thread::scope(|scope| {
        let (user_random, user_root) = (random.fork(), root.clone());
        let user = scope.spawn(|| {
            let (root, random) = (user_root, user_random);
            user_works(&root, random, &is_over)
        });
        let over = Over(&is_over);
        sessions(&project, &ledger, &mut random, &mut tally);
        drop(over);
        user.join().unwrap()
    });
    check(&project, &ledger, &user, &mut tally);
    tally
}

/// The user goes home whatever becomes of the sessions.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn sessions(project: &Project, ledger: &PathBuf, random: &mut fastrand::Rng, tally: &mut Tally) {
    let ends = random.usize(1..4);
    for session in 0..=ends {
        let mut args = if session == 0 { vec!["implement", "tasks.md"] } else { vec!["resume", "tasks.md"] };
        args.extend([
            "--yes",
            "--isolation=worktree",
            "--user-edits=expected",
            "--parallel",
            "-j3",
            "--retries=2",
        ]);
        let mut command = project.sandbox.command(args);
        let mut child = command.env("LEDGER", ledger).spawn().unwrap();
        if session < ends {
            std::thread::sleep(Duration::from_millis(random.u64(1..900)));
            if child.try_wait().unwrap().is_none() {
                if random.u32(..4) == 0 {
                    let pid = child.id().to_string();
                    std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
                    tally.interrupts += 1;
                } else {
                    child.kill().unwrap();
                    tally.kills += 1;
                }
            }
            finish(child);
        } else {
            let ended = finish(child);
            assert!(matches!(ended.code, Some(0 | 1)), "{:?}\n{}", ended.code, ended.all());
        }
    }
}

fn check(project: &Project, ledger: &Path, user: &User, tally: &mut Tally) {
    let root = project.sandbox.root();
    assert_eq!(
        git_state(&root),
        (user.head.clone(), user.index.clone()),
        "HEAD, index and stash are the user's"
    );
    let events = project.sandbox.events();
    let count = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
    tally.attempts += count("attempt_started");
    tally.integrated += count("integrated");
    tally.conflicts += count("conflicted");
    tally.failures += count("task_failed");
    (tally.user_edits, tally.user_commits) =
        (tally.user_edits + user.edits, tally.user_commits + user.commits);

    let kept = project.kept();
    let kept: BTreeSet<&str> = kept.lines().collect();
    let written = std::fs::read_to_string(ledger).unwrap();
    let lost: Vec<&str> = written.lines().filter(|line| !kept.contains(line)).collect();
    tally.losses += lost.len();
    assert!(lost.is_empty(), "of attempts: {lost:?}");

    let disk: String = crate::git::files_below(&root)
        .into_iter()
        .filter(|path| !path.starts_with(root.join(".git")))
        .map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned())
        .collect();
    let on_disk: BTreeSet<&str> = disk.lines().collect();
    let lost: Vec<&String> = user.lines.iter().filter(|line| !on_disk.contains(line.as_str())).collect();
    tally.losses += lost.len();
    assert!(lost.is_empty(), "of the user: {lost:?}");

    // A ticked box has its work in the files that specter integrated.
    let tips = project.git(&["for-each-ref", "--format=%(refname)", "refs/specter"]);
    let tips: Vec<&str> = tips.lines().filter(|name| name.ends_with("/tip")).collect();
    let integrated: String =
        tips.iter().map(|tip| project.git(&["log", "--first-parent", "--format=%B", tip])).collect();
    for event in events.iter().filter(|event| event["kind"] == "task_done") {
        let (id, attempt) = (event["task"].as_str().unwrap(), &event["attempts"]);
        let trailers = format!("Specter-Task: {id}\nSpecter-Attempt: {attempt}\n");
        let wrote = written.lines().any(|line| line.starts_with(&format!("agent {id} {attempt} ")));
        assert!(integrated.contains(&trailers) || !wrote, "{id} is done, and its work is not integrated");
    }
    for id in project.sandbox.ids("task_done") {
        assert!(project.sandbox.ticked().contains(&id), "{id} is done, and its box is open");
    }
    project.fsck();
    let said = run_git(&root, &["commit", "-q", "--allow-empty", "-am", "the user goes on"]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn campaign_no_run_loses_a_line_of_anybody() {
    if no_git() {
        return;
    }
    let runs = scale("SPECTER_RUN_HISTORIES", 2);
    let first = scale("SPECTER_SEED", 1);
    let mut sum = Tally::default();
    for seed in first..first + runs {
        let result = std::panic::catch_unwind(|| one_history(seed));
        let Ok(tally) = result else { panic!("the history of seed {seed}") };
        sum += tally;
    }
    println!("{runs} histories of runs: {sum:?}");
    assert!(sum.integrated > 0 && sum.attempts > 0);
}
