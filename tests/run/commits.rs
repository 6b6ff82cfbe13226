//! `--commit` and `--tag` with the real program: each task or phase a commit of the user's branch, nothing of the
//! user's in it, refused where it cannot be held to, and neither lost nor doubled by kills.

use super::sandbox::{finish, scale};
use super::worktrees::{Project, task};
use crate::git::no_git;
use std::collections::BTreeSet;
use std::time::Duration;

fn subjects(project: &Project) -> Vec<String> {
    project.git(&["log", "--reverse", "--format=%s", "main"]).lines().map(str::to_owned).collect()
}

const PHASES: &str = "# Tasks\n\n## Phase 1: Setup\n\nT1\nT2\n## Phase 2: Core\n\nT3\nT4\n";

/// Two phases of two tasks.
fn phases(last: &str) -> String {
    let works = [
        ("T1", task("T001 Make the base in a.txt", "echo a > a.txt", Some("test -s a.txt"))),
        ("T2", task("T002 Add to it in shared.txt", "sed -i 's/^one$/ONE/' shared.txt", None)),
        ("T3", task("T003 Make b.txt", "cat a.txt > b.txt", None)),
        ("T4", task("T004 Make c.txt", last, None)),
    ];
    works.iter().fold(PHASES.to_owned(), |text, (name, work)| text.replacen(&format!("{name}\n"), work, 1))
}

const SHARED: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";

#[test]
fn each_task_becomes_a_commit_with_its_tag_and_nothing_of_the_users() {
    if no_git() {
        return;
    }
    let project = Project::new(&phases("echo c > c.txt"), &[("shared.txt", SHARED), ("mine.txt", "mine\n")]);
    project.sandbox.write("shared.txt", &SHARED.replace("seven", "mine"));
    project.sandbox.write("mine.txt", "staged\n");
    project.git(&["add", "mine.txt"]);
    let ended = project.implement(&["--commit=task", "--tag=done/{task}"]).expect(0);
    assert_eq!(
        subjects(&project),
        [
            "first",
            "T001: Make the base in a.txt",
            "T002: Add to it in shared.txt",
            "T003: Make b.txt",
            "T004: Make c.txt"
        ]
    );
    assert_eq!(project.git(&["show", "HEAD:shared.txt"]), SHARED.replace("one", "ONE"));
    assert_eq!(project.git(&["show", "HEAD:mine.txt"]), "mine\n");
    assert_eq!(project.git(&["show", "done/T002:shared.txt"]), SHARED.replace("one", "ONE"));
    assert_eq!(project.git(&["tag"]), "done/T001\ndone/T002\ndone/T003\ndone/T004\n");
    let status = project.git(&["status", "--porcelain", "--untracked-files=no"]);
    assert_eq!(status, "M  mine.txt\n M shared.txt\n M tasks.md\n");
    let body = project.git(&["log", "-1", "--format=%an%n%b", "done/T003"]);
    assert!(body.starts_with("A User\n") && body.contains("Specter-Task: T003\n"), "{body}");
    assert_eq!(project.sandbox.events().iter().filter(|event| event["kind"] == "committed").count(), 4);
    assert!(ended.stderr.contains("committed T001 to `main` as"), "{}", ended.stderr);
    assert!(project.sandbox.ids("escaped").is_empty(), "its own commits are no escape");
    project.fsck();
}

#[test]
fn each_finished_phase_becomes_one_commit_and_an_unfinished_one_none() {
    if no_git() {
        return;
    }
    let project = Project::new(&phases("test -e ../go && echo c > c.txt"), &[("shared.txt", SHARED)]);
    let ended = project.implement(&["--commit=phase", "--tag={phase}", "--retries=0"]).expect(1);
    assert_eq!(subjects(&project), ["first", "Phase 1: Setup"]);
    let body = project.git(&["log", "-1", "--format=%b"]);
    assert!(body.contains("T001: Make the base in a.txt\nT002: Add to it in shared.txt"), "{body}");
    assert!(
        ended.stderr.contains("the work of 1 task is not committed: they are committed when"),
        "{}",
        ended.stderr
    );
    let text = project.sandbox.read("tasks.md").replace("test -e ../go && ", "");
    project.sandbox.write("tasks.md", &text);
    project.sandbox.run(["resume", "tasks.md", "--yes"]).expect(0);
    assert_eq!(subjects(&project), ["first", "Phase 1: Setup", "Phase 2: Core"]);
    assert_eq!(project.git(&["tag"]), "Phase-1-Setup\nPhase-2-Core\n");
    assert_eq!(project.git(&["show", "HEAD:c.txt"]), "c\n");
}

#[test]
fn what_cannot_be_committed_is_refused_before_anything_runs() {
    if no_git() {
        return;
    }
    let tasks = task("T001 Work", "echo x > y.txt", None);
    let refused = |make: &dyn Fn(&Project), args: &[&str], words: &[&str]| {
        let project = Project::new(&tasks, &[("a", "a\n")]);
        make(&project);
        let git = project.sandbox.root().join(".git");
        let all = || -> Vec<(std::path::PathBuf, Vec<u8>)> {
            let files = crate::git::files_below(&git).into_iter();
            files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
        };
        let before = all();
        let usual = ["implement", "tasks.md", "--yes"];
        let ended = project.sandbox.run(usual.iter().chain(args)).expect(69);
        for word in words {
            assert!(ended.stderr.contains(word), "{args:?}: `{word}`: {}", ended.stderr);
        }
        assert!(all() == before, "{args:?}: nothing changes");
        assert!(!project.sandbox.exists("y.txt") && !project.sandbox.exists(".specter"));
    };
    let as_is = |_: &Project| {};
    let trees = "--isolation=worktree";
    refused(&as_is, &["--commit=task"], &["what they changed is not told from what you did", trees]);
    refused(&as_is, &["--tag=x"], &["`--commit=task` or `--commit=phase`"]);
    refused(&as_is, &[trees, "--commit=task", "--tag=x"], &["the same tag, `x`", "`{task}`"]);
    refused(&as_is, &[trees, "--commit=phase", "--tag=a b/{phase}"], &["git takes no tag like"]);
    let detach = |p: &Project| drop(p.git(&["checkout", "-q", "--detach"]));
    refused(&detach, &[trees, "--commit=task"], &["`HEAD` is detached", "check out the branch"]);
    let orphan = |p: &Project| drop(p.git(&["checkout", "-q", "--orphan", "new"]));
    refused(&orphan, &[trees, "--commit=task"], &["no commit yet", "make a first commit"]);
    let sign = |p: &Project| drop(p.git(&["config", "commit.gpgsign", "true"]));
    refused(&sign, &[trees, "--commit=task"], &["commits are signed", "specter cannot sign"]);
    let nobody = |p: &Project| drop(p.git(&["config", "--unset", "user.email"]));
    refused(&nobody, &[trees, "--commit=task"], &["git does not know who commits", "`user.email`"]);
}

#[test]
fn hooks_do_not_run_and_that_is_said() {
    if no_git() {
        return;
    }
    let project = Project::new(&task("T001 Work", "echo x > y.txt", None), &[("a", "a\n")]);
    for hook in ["pre-commit", "commit-msg", "post-commit", "reference-transaction", "post-index-change"] {
        let path = project.sandbox.root().join(".git/hooks").join(hook);
        project
            .sandbox
            .write(&format!(".git/hooks/{hook}"), "#!/bin/sh\ntouch \"$(dirname \"$0\")/ran\"\nexit 1\n");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, mode).unwrap();
    }
    let ended = project.implement(&["--commit=task"]).expect(0);
    assert!(ended.stderr.contains("are not run by specter"), "{}", ended.stderr);
    assert!(!project.sandbox.exists(".git/hooks/ran"));
    assert_eq!(subjects(&project).len(), 2);
}

#[test]
fn what_is_put_off_is_told_and_stays_in_the_files() {
    if no_git() {
        return;
    }
    let project = Project::new(&phases("echo c > c.txt"), &[("shared.txt", SHARED)]);
    // Another version of the same file is staged: the branch gets what came before, and nothing that builds on it.
    project.sandbox.write("shared.txt", &SHARED.replace("seven", "mine"));
    project.git(&["add", "shared.txt"]);
    let ended = project.implement(&["--commit=task"]).expect(0);
    assert_eq!(subjects(&project), ["first", "T001: Make the base in a.txt"]);
    let told =
        "T002 is not committed, its files are as they shall be: you have staged `shared.txt` otherwise";
    assert_eq!(ended.stderr.matches(told).count(), 2, "when it happens and at the end: {}", ended.stderr);
    assert!(ended.stderr.contains("the work of 3 tasks is not committed"), "{}", ended.stderr);
    assert_eq!(project.git(&["show", ":shared.txt"]), SHARED.replace("seven", "mine"));
    assert_eq!(project.sandbox.ticked().len(), 4);
    assert_eq!(project.sandbox.read("b.txt"), "a\n");
}

#[test]
fn going_back_leaves_the_branch_alone_and_names_the_commits() {
    if no_git() {
        return;
    }
    let project = Project::new(&phases("echo c > c.txt"), &[("shared.txt", SHARED)]);
    project.implement(&["--commit=task"]).expect(0);
    let before = project.git(&["rev-parse", "HEAD", "HEAD~1"]);
    let head = project.git(&["rev-parse", "HEAD"]);
    let ended = project.sandbox.run(["rollback", "tasks.md", "--to=T002"]).expect(0);
    assert_eq!(project.git(&["rev-parse", "HEAD", "HEAD~1"]), before);
    assert!(ended.stdout.contains("stay on the branch"), "{}", ended.stdout);
    assert!(ended.stdout.contains(&format!("{} on main: T004", &head[..10])), "{}", ended.stdout);
    assert!(!project.sandbox.exists("b.txt"));
    // It goes on without commits, and says so.
    let ended = project.sandbox.run(["resume", "tasks.md", "--yes"]).expect(0);
    assert!(ended.stderr.contains("it makes no commits any more"), "{}", ended.stderr);
    assert_eq!(project.git(&["rev-parse", "HEAD"]), head);
    assert_eq!(project.sandbox.read("c.txt"), "c\n");
    assert_eq!(project.git(&["status", "--porcelain", "b.txt", "c.txt"]), "");
}

// ── kills ────────────────────────────────────────────────────────────────────────────────────────────────────────

#[derive(Debug, Default)]
struct Sum {
    commits: usize,
    kills: usize,
    user_commits: usize,
    left_locks: usize,
}

fn one_history(seed: u64, sum: &mut Sum) {
    let mut random = fastrand::Rng::with_seed(seed);
    let count = random.usize(3..8);
    let by_phase = random.u32(..4) == 0;
    let mut text = "# Tasks\n\n## Phase 1: One\n\n".to_owned();
    for n in 1..=count {
        if by_phase && n == count / 2 + 1 {
            text += "## Phase 2: Two\n\n";
        }
        let line = random.usize(1..=7);
        let work = format!("sed -i '{line}s/$/ T{n:03}/' shared.txt; echo {n} > made{n}.txt");
        text += &task(&format!("T{n:03} [P] Step {n}"), &work, None);
    }
    let project =
        Project::new(&text, &[("shared.txt", SHARED), ("mine.txt", "mine\n"), ("staged.txt", "s\n")]);
    project.sandbox.write("mine.txt", "never to be committed\n");
    project.sandbox.write("staged.txt", "staged by the user\n");
    project.git(&["add", "staged.txt"]);
    let each = if by_phase { "--commit=phase" } else { "--commit=task" };
    let mut over = false;
    while !over {
        let started = project.sandbox.exists(".specter");
        let mut args = vec![if started { "resume" } else { "implement" }, "tasks.md", "--yes", each];
        args.extend(["--isolation=worktree", "--parallel", "-j3", "--tag=t/{task}/{phase}x", "--retries=9"]);
        args.push("--user-edits=expected");
        let mut child = project.sandbox.command(&args).spawn().unwrap();
        if random.u32(..5) > 0 {
            std::thread::sleep(Duration::from_micros(random.u64(20_000..700_000)));
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                sum.kills += 1;
            }
            finish(child);
        } else {
            let ended = finish(child);
            assert_eq!(ended.code, Some(0), "seed {seed}: {}", ended.all());
            over = true;
        }
        let locks = [".git/index.lock", ".git/refs/heads/main.lock"];
        let is_locked = locks.iter().any(|lock| project.sandbox.exists(lock));
        sum.left_locks += usize::from(is_locked && !over);
        if !over && !is_locked && random.bool() {
            // The user commits a file of their own between two sessions.
            let name = format!("user{}", random.u32(..));
            project.sandbox.write(&name, "user\n");
            project.git(&["add", &name]);
            project.git(&["commit", "-q", "-m", &format!("user {name}"), "--", &name]);
            sum.user_commits += 1;
        }
    }
    assert_eq!(project.sandbox.ticked().len(), count, "seed {seed}");
    let bodies = project.git(&["log", "--format=%B", "main"]);
    for n in 1..=count {
        let mine = format!("Specter-Task: T{n:03}");
        assert_eq!(bodies.lines().filter(|line| *line == mine).count(), 1, "seed {seed}: {mine}\n{bodies}");
        sum.commits += 1;
    }
    assert_eq!(project.git(&["show", "HEAD:shared.txt"]), project.sandbox.read("shared.txt"), "seed {seed}");
    assert_eq!(project.git(&["show", "HEAD:mine.txt"]), "mine\n", "seed {seed}");
    assert_eq!(project.git(&["show", ":staged.txt"]), "staged by the user\n", "seed {seed}");
    assert_eq!(project.git(&["show", "HEAD:staged.txt"]), "s\n", "seed {seed}");
    let status: BTreeSet<String> =
        project.git(&["status", "--porcelain", "--untracked-files=no"]).lines().map(str::to_owned).collect();
    let expected = [" M mine.txt", " M tasks.md", "M  staged.txt"].map(str::to_owned);
    assert_eq!(status, BTreeSet::from(expected), "seed {seed}");
    let recorded: BTreeSet<String> = project
        .sandbox
        .events()
        .iter()
        .filter(|event| event["kind"] == "committed")
        .map(|event| event["commit"].as_str().unwrap().to_owned())
        .collect();
    let own = project.git(&["log", "--format=%H", "--grep=Specter-Task:", "main"]);
    assert_eq!(recorded, own.lines().map(str::to_owned).collect(), "seed {seed}: on record as on the branch");
    project.fsck();
}

#[test]
fn campaign_no_kill_loses_or_doubles_a_commit() {
    if no_git() {
        return;
    }
    let runs = scale("SPECTER_COMMIT_KILLS", 2);
    let first = scale("SPECTER_SEED", 1);
    let mut sum = Sum::default();
    for seed in first..first + runs {
        one_history(seed, &mut sum);
    }
    println!("{runs} histories with commits: {sum:?}, losses 0, doubles 0");
    assert!(sum.commits > 0);
}
