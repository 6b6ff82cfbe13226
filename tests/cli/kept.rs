//! `checkpoints`, `rollback`, `recover`, `doctor`: over real repositories, after real runs.

use super::page;
use crate::git::{no_git, run_git};
use crate::run::sandbox::{Ended, Sandbox, ticked};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Two phases, two tasks each; the second phase changes, removes and adds.
pub(crate) const TASKS: &str = "# Tasks\n
## Phase 1: Setup\n
- [ ] T001 Write a\n\n  ```sh run\n  echo a > a.txt\n  ```\n
- [ ] T002 Write b (depends on T001)\n\n  ```sh run\n  mkdir -p d && echo b > d/b.txt\n  ```\n
## Phase 2: Core\n
- [ ] T003 Change a, remove b (depends on T002)\n\n  ```sh run\n  echo more >> a.txt && rm d/b.txt\n  ```\n
- [ ] T004 Write c (depends on T003)\n\n  ```sh run\n  echo c > c.txt\n  ```\n";

/// A project in a git repository with one commit, and a change of the user's that is not committed.
pub(crate) fn repository(tasks: &str) -> Sandbox {
    let sandbox = Sandbox::new(tasks);
    sandbox.write("README", "hello\n");
    sandbox.write(".gitignore", ".specter/\n.specter-state/\n.specter-memory/\n*.log\n");
    for arguments in [
        &["init", "-q", "-b", "main"][..],
        &["config", "maintenance.auto", "false"],
        &["config", "gc.auto", "0"],
        &["config", "user.name", "A User"],
        &["config", "user.email", "user@example.org"],
        &["add", "-A"],
        &["commit", "-q", "-m", "first"],
    ] {
        assert!(run_git(&sandbox.root(), arguments).status.success(), "{arguments:?}");
    }
    sandbox.write("README", "hello, changed\n");
    sandbox
}

pub(crate) fn implement(sandbox: &Sandbox, more: &[&str]) -> Ended {
    let mut args = vec!["implement", "--yes", "--isolation=worktree"];
    args.extend_from_slice(more);
    sandbox.run(args)
}

/// What only the user may change.
pub(crate) fn own(root: &Path) -> Vec<String> {
    let git = |arguments: &[&str]| String::from_utf8_lossy(&run_git(root, arguments).stdout).into_owned();
    let file = |name: &str| format!("{:?}", std::fs::read(root.join(".git").join(name)).ok());
    vec![
        git(&["for-each-ref", "refs/heads", "refs/tags", "refs/remotes", "refs/stash"]),
        git(&["stash", "list"]),
        git(&["reflog"]),
        file("HEAD"),
        file("index"),
        file("config"),
    ]
}

/// The project's files but specter's own and git's.
pub(crate) fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut files, mut dirs) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            match entry.file_type().unwrap().is_dir() {
                true if name.starts_with(".specter") || name == ".git" => {}
                true => dirs.push(path),
                false => drop(files.insert(name, std::fs::read(&path).unwrap())),
            }
        }
    }
    files
}

fn json(ended: Ended) -> Value {
    serde_json::from_str(&ended.expect(0).stdout).unwrap()
}

macro_rules! assert_page {
    ($sandbox:expr, $($ended:expr),+) => {{
        let pages: Vec<String> = vec![$(page(&$sandbox, &$ended)),+];
        insta::with_settings!({filters => vec![
            (r"\d{8}-\d{6}-[0-9a-f]{4}", "[run]"),
            (r"x\[run\]-[0-9a-f]{12}", "[run]"),
            (r"-[0-9a-f]{12}\b", "-[digest]"),
            (r"\b[0-9a-f]{40}\b", "[commit]"),
            (r"\b[0-9a-f]{40}\b", "[commit]"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\dZ", "[minute]"),
            (r"\d+\.\d (GB|MB|kB)", "[size]"),
            (r"refs/specter/\S+", "refs/specter/…"),
            (r"`/\S*/home/", "`[home]/"),
        ]}, { insta::assert_snapshot!(pages.join("\n")) });
    }};
}

#[test]
fn one_can_go_back_to_what_an_earlier_run_saved() {
    if no_git() {
        return;
    }
    let sandbox = repository(TASKS);
    implement(&sandbox, &["--until=T002"]).expect(0);
    sandbox.write("between.txt", "the user's, between two runs\n");
    implement(&sandbox, &[]).expect(0);
    assert_eq!(sandbox.ticked().len(), 4);
    let list = sandbox.run(["checkpoints"]).expect(0).stdout;
    assert!(list.contains("--to RUN/NAME"), "{list}");
    let runs: Vec<&str> = list.lines().filter_map(|line| line.strip_prefix("Run ")).collect();
    let [first, second] = runs[..] else { panic!("{list}") };
    // The same name means the newest; with its run, that run's.
    let earlier = format!("{first}/T001");
    sandbox.run(["rollback", "--to", &earlier]).expect(0);
    assert_eq!(sandbox.ticked(), ["T001"]);
    let here = files(&sandbox.root());
    assert!(here.contains_key("a.txt") && !here.contains_key("c.txt") && !here.contains_key("between.txt"));
    assert!(!here.contains_key("d/b.txt"));
    sandbox.run(["rollback", "--to", "before-rollback-1"]).expect(0);
    let again = files(&sandbox.root());
    assert_eq!(again["between.txt"], b"the user's, between two runs\n");
    assert_eq!((sandbox.ticked().len(), &again["c.txt"][..]), (4, &b"c\n"[..]));
    let later = format!("{second}/T001");
    let none = sandbox.run(["rollback", "--to", &later]).expect(2);
    assert!(none.stderr.contains("there is no checkpoint"), "{}", none.stderr);
    sandbox.run(["resume", "--yes"]).expect(0);
}

#[test]
fn a_run_can_be_gone_back_on_and_that_too_and_resume_goes_on_from_there() {
    if no_git() {
        return;
    }
    let sandbox = repository(TASKS);
    implement(&sandbox, &[]).expect(0);
    let full = files(&sandbox.root());
    let own_before = own(&sandbox.root());
    // Written since, and known to no checkpoint.
    sandbox.write("notes", "mine\n");
    sandbox.write("x.log", "ignored\n");
    let dry = sandbox.run(["rollback", "--to=phase:2", "--dry-run"]).expect(0);
    assert_eq!(sandbox.ticked().len(), 4, "a dry run changes nothing");
    let back = sandbox.run(["rollback", "--to=phase:2"]).expect(0);
    assert_eq!(sandbox.ticked(), ["T001", "T002"]);
    let here = files(&sandbox.root());
    assert_eq!((&here["a.txt"][..], &here["d/b.txt"][..]), (&b"a\n"[..], &b"b\n"[..]));
    assert!(!here.contains_key("c.txt") && !here.contains_key("notes"), "{:?}", here.keys());
    assert_eq!(here["x.log"], b"ignored\n");
    assert_eq!(own(&sandbox.root()), own_before);
    let list = sandbox.run(["checkpoints"]).expect(0);
    assert_page!(sandbox, dry, back, list);

    let tree = |name: &str| checkpoint_tree(&sandbox, name);
    assert_eq!(tree_now(&sandbox), tree("before Phase 2: Core"));
    sandbox.run(["resume", "--yes"]).expect(0);
    assert_eq!(files(&sandbox.root())["a.txt"], full["a.txt"]);
    assert_eq!(sandbox.ticked().len(), 4);
    assert_eq!(
        sandbox.ids("task_done").iter().filter(|id| *id == "T001").count(),
        1,
        "T001 did not run again"
    );
    // Going back on the going back: what was there then, with the file nobody knew.
    sandbox.run(["rollback", "--to", "before-rollback-1"]).expect(0);
    let again = files(&sandbox.root());
    assert_eq!(again["notes"], b"mine\n");
    assert_eq!(sandbox.ticked().len(), 4);
    sandbox.run(["rollback", "--to=T001"]).expect(0);
    assert_eq!(sandbox.ticked(), ["T001"]);
    sandbox.run(["rollback", "--to", "before-rollback-3"]).expect(0);
    assert_eq!(sandbox.ticked().len(), 4, "boxes come back too");
    assert_eq!(files(&sandbox.root()), again);
    assert_eq!(own(&sandbox.root()), own_before);
    fsck(&sandbox.root());
}

pub(crate) fn fsck(root: &Path) {
    let said = run_git(root, &["fsck", "--strict", "--no-dangling"]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

/// The tree of a checkpoint without the task file.
pub(crate) fn checkpoint_tree(sandbox: &Sandbox, name: &str) -> String {
    let all = json(sandbox.run(["checkpoints", "--format=json"]));
    let list = all["checkpoints"].as_array().unwrap().clone();
    let found = list.iter().rev().find(|point| point["name"] == name).unwrap();
    without_tasks(sandbox, found["commit"].as_str().unwrap())
}

/// The tree that the project's files are now, without the task file: by git's own word.
pub(crate) fn tree_now(sandbox: &Sandbox) -> String {
    let index = sandbox.root().parent().unwrap().join("index");
    let _ = std::fs::remove_file(&index);
    let git = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        let said = command.args(arguments).current_dir(sandbox.root()).env("GIT_INDEX_FILE", &index).output();
        let said = said.unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    };
    git(&["add", "-A"]);
    let tree = git(&["write-tree"]);
    without_tasks(sandbox, &tree)
}

fn without_tasks(sandbox: &Sandbox, tree: &str) -> String {
    let listed = run_git(&sandbox.root(), &["ls-tree", "-r", "--full-tree", tree]);
    assert!(listed.status.success());
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    text.lines().filter(|line| !line.ends_with("\ttasks.md")).collect::<Vec<_>>().join("\n")
}

#[test]
fn boxes_are_the_only_bytes_of_the_task_file_that_going_back_changes() {
    if no_git() {
        return;
    }
    let sandbox = repository(&TASKS.replace('\n', "\r\n"));
    implement(&sandbox, &[]).expect(0);
    // Edited since: a new line above, another title.
    let edited = sandbox.read("tasks.md").replace("# Tasks\r\n", "# Tasks\r\n\r\nNew words.\r\n");
    sandbox.write("tasks.md", &edited);
    sandbox.run(["rollback", "--to=T003"]).expect(0);
    assert_eq!(sandbox.read("tasks.md"), edited.replace("[x] T004", "[ ] T004"));
}

#[test]
fn a_box_that_cannot_be_cleared_for_certain_stops_everything_before_it_begins() {
    if no_git() {
        return;
    }
    let sandbox = repository(TASKS);
    implement(&sandbox, &[]).expect(0);
    let text = sandbox.read("tasks.md").replace("[x] T004", "[✅] T004");
    sandbox.write("tasks.md", &text);
    let before = files(&sandbox.root());
    let told = sandbox.run(["rollback", "--to=T002"]).expect(65);
    assert_eq!(files(&sandbox.root()), before);
    assert_page!(sandbox, told);
}

#[test]
fn what_cannot_be_gone_back_to_is_said_with_the_nearest_name() {
    if no_git() {
        return;
    }
    let sandbox = repository(TASKS);
    let none = sandbox.run(["rollback", "--to=T001"]).expect(69);
    let empty = sandbox.run(["recover"]).expect(0);
    implement(&sandbox, &["--phase=1"]).expect(0);
    let unknown = sandbox.run(["rollback", "--to=T01"]).expect(2);
    let phase = sandbox.run(["rollback", "--to=phase:9"]).expect(2);
    let ahead = sandbox.run(["rollback", "--to=phase:2"]).expect(2);
    let same = sandbox.run(["rollback", "--to=T002"]).expect(0);
    assert_page!(sandbox, none, empty, unknown, phase, ahead, same);
}

#[test]
fn a_project_without_a_repository_or_with_another_specter_at_work_is_told_so() {
    let sandbox = Sandbox::new(TASKS);
    sandbox.run(["implement", "--yes"]).expect(0);
    let told = sandbox.run(["rollback", "--to=T001"]).expect(69);
    assert!(told.stderr.contains("not inside a git working tree"), "{}", told.stderr);
    if no_git() {
        return;
    }
    let sandbox = repository(TASKS);
    implement(&sandbox, &[]).expect(0);
    let lock = std::fs::File::options().write(true).open(sandbox.root().join(".specter/lock")).unwrap();
    lock.lock().unwrap();
    sandbox.run(["rollback", "--to=T001"]).expect(75);
    sandbox.run(["recover", "restore", "T001"]).expect(75);
    sandbox.run(["recover"]).expect(0);
    let doctor = sandbox.run(["doctor"]).expect(0);
    assert!(doctor.stdout.contains("a run is at work"), "{}", doctor.stdout);
    assert_eq!(sandbox.ticked().len(), 4);
}

/// One task that fails twice, one that makes what a person must look at first.
const TROUBLE: &str = "# Tasks\n
- [ ] T001 [P] [US1] Fail\n\n  ```sh run retries=1\n  echo half > half.txt; echo x > n.log; exit 1\n  ```\n
- [ ] T002 [P] [US2] Change what runs commands\n\n  ```sh run\n  echo export A=1 > .envrc; echo new > new.txt\n  ```\n
- [ ] T003 [P] [US2] Wait for it (depends on T002)\n\n  ```sh run\n  cat .envrc > seen\n  ```\n";

#[test]
fn what_attempts_left_is_listed_shown_compared_and_brought_back() {
    if no_git() {
        return;
    }
    let sandbox = repository(TROUBLE);
    implement(&sandbox, &[]).expect(1);
    assert!(!sandbox.exists("half.txt") && !sandbox.exists(".envrc"));
    let list = sandbox.run(["recover"]).expect(0);
    let several = sandbox.run(["recover", "show", "T001"]).expect(2);
    let show = sandbox.run(["recover", "show", "T001/2"]).expect(0);
    let diff = sandbox.run(["recover", "diff", "T001/2"]).expect(0);
    let unknown = sandbox.run(["recover", "diff", "T009"]).expect(2);
    let missing = sandbox.run(["recover", "restore", "T001/2", "nope"]).expect(2);
    let outside = sandbox.run(["recover", "restore", "T001/2", "../home/x"]).expect(2);
    sandbox.write("half.txt", "mine\n");
    let back = sandbox.run(["recover", "restore", "T001/2"]).expect(0);
    assert_eq!((sandbox.read("half.txt"), sandbox.read("n.log")), ("half\n".into(), "x\n".into()));
    let elsewhere = sandbox.run(["recover", "restore", "T002", "--to", "../out"]).expect(0);
    let out = sandbox.root().parent().unwrap().join("out");
    assert_eq!(std::fs::read_to_string(out.join(".envrc")).unwrap(), "export A=1\n");
    std::fs::write(out.join("new.txt"), "other\n").unwrap();
    let stays = sandbox.run(["recover", "restore", "T002", "--to", "../out"]).expect(74);
    assert_eq!(std::fs::read_to_string(out.join("new.txt")).unwrap(), "other\n");
    assert_page!(sandbox, list, several, show, diff, unknown, missing, outside, back, elsewhere, stays);
    // What was there before is a checkpoint like any other.
    sandbox.run(["rollback", "--to=before-restore-1"]).expect(0);
    assert_eq!(sandbox.read("half.txt"), "mine\n");
}

#[test]
fn what_waits_for_review_is_accepted_and_what_waited_for_it_runs() {
    if no_git() {
        return;
    }
    let sandbox = repository(TROUBLE);
    implement(&sandbox, &[]).expect(1);
    let wrong = sandbox.run(["recover", "accept", "T001/1"]).expect(2);
    let accepted = sandbox.run(["recover", "accept", "T002"]).expect(0);
    assert_eq!((sandbox.read(".envrc"), sandbox.ticked()), ("export A=1\n".into(), vec!["T002".to_owned()]));
    let again = sandbox.run(["recover", "accept", "T002"]).expect(2);
    assert_page!(sandbox, wrong, accepted, again);
    sandbox.run(["resume", "--yes", "--isolation=worktree"]).expect(1);
    assert_eq!(sandbox.read("seen"), "export A=1\n");
    assert_eq!(sandbox.ids("task_done"), ["T002", "T003"]);
    assert_eq!(sandbox.ids("attempt_started").iter().filter(|id| *id == "T002").count(), 1);
}

#[test]
fn an_attempt_of_an_earlier_run_is_accepted_by_its_runs_name_and_the_newest_run_goes_on_from_it() {
    if no_git() {
        return;
    }
    let sandbox = repository(TROUBLE);
    implement(&sandbox, &[]).expect(1);
    let earlier = runs(&sandbox).pop().unwrap();
    // The same once more, but for what the task makes beside: which of both is accepted can be told.
    sandbox.write("tasks.md", &TROUBLE.replace("echo new > new.txt", "echo newer > new.txt"));
    implement(&sandbox, &[]).expect(1);
    let newest = runs(&sandbox).pop().unwrap();
    assert_ne!(earlier, newest);
    let several = sandbox.run(["recover", "accept", "T002/1"]).expect(2);
    assert!(several.stderr.contains(&format!("{earlier}/T002/1")), "{}", several.stderr);
    let accepted = sandbox.run(["recover", "accept", &format!("{earlier}/T002/1")]).expect(0);
    assert!(accepted.stdout.contains("2 files"), "{}", accepted.stdout);
    assert_eq!((sandbox.read(".envrc"), sandbox.read("new.txt")), ("export A=1\n".into(), "new\n".into()));
    assert_eq!(sandbox.ticked(), ["T002"]);
    let states = json(sandbox.run(["recover", "--format=json"]));
    let state = |name: String| {
        let mut all = states["attempts"].as_array().unwrap().iter();
        all.find(|kept| kept["name"] == name.as_str()).unwrap()["state"].clone()
    };
    assert_eq!(state(format!("{earlier}/T002/1")), "integrated");
    assert_eq!(state(format!("{newest}/T002/1")), "review");
    sandbox.run(["recover", "accept", &format!("{earlier}/T002/1")]).expect(2);
    // The newest run has it on record as done: it goes on with what waited, and can be gone back on.
    sandbox.run(["resume", "--yes", "--isolation=worktree"]).expect(1);
    assert_eq!(sandbox.read("seen"), "export A=1\n");
    assert_eq!(sandbox.ids("task_done"), ["T002", "T003"]);
    assert_eq!(sandbox.ids("attempt_started").iter().filter(|id| *id == "T002").count(), 1);
    sandbox.run(["rollback", "--to=T002"]).expect(0);
    assert_eq!((sandbox.exists(".envrc"), sandbox.exists("seen")), (true, false));
    assert_eq!(sandbox.ticked(), ["T002"]);
}

#[test]
fn an_acceptance_that_dies_between_the_records_of_two_runs_leaves_nothing_to_do_again() {
    if no_git() {
        return;
    }
    let sandbox = repository(TROUBLE);
    implement(&sandbox, &[]).expect(1);
    let earlier = runs(&sandbox).pop().unwrap();
    implement(&sandbox, &[]).expect(1);
    let newest = runs(&sandbox).pop().unwrap();
    assert_ne!(earlier, newest);
    let journal = |run: &str| sandbox.root().join(".specter/runs").join(run).join("journal.ndjson");
    let lengths = [&earlier, &newest].map(|run| std::fs::metadata(journal(run)).unwrap().len());
    let name = format!("{earlier}/T002/1");
    sandbox.run(["recover", "accept", &name]).expect(0);
    // One of the two was on disk when it died: that of the run which goes on.
    let cut = std::fs::File::options().write(true).open(journal(&earlier)).unwrap();
    cut.set_len(lengths[0]).unwrap();
    let done = |run: &str, kind: &str| {
        let text = std::fs::read_to_string(journal(run)).unwrap();
        text.matches(&format!("\"kind\":\"{kind}\",\"task\":\"T002\"")).count()
    };
    assert_eq!((done(&earlier, "integrated"), done(&newest, "task_done")), (0, 1));
    let states = json(sandbox.run(["recover", "--format=json"]));
    let all = states["attempts"].as_array().unwrap();
    let state = &all.iter().find(|kept| kept["name"] == name.as_str()).unwrap()["state"];
    assert_eq!(state, "integrated", "the repository says so");
    let again = sandbox.run(["recover", "accept", &name]).expect(2);
    assert!(again.stderr.contains("does not wait for review"), "{}", again.stderr);
    assert_eq!(done(&earlier, "task_done"), 1, "made up for: {}", again.stderr);
    sandbox.run(["resume", "--yes", "--isolation=worktree"]).expect(1);
    assert_eq!(sandbox.read("seen"), "export A=1\n");
    assert_eq!(sandbox.ids("attempt_started").iter().filter(|id| *id == "T002").count(), 1);
    assert_eq!(sandbox.ticked(), ["T002", "T003"]);
    // None of the two was: it is accepted as if nothing had been.
    let cut = |run: &str, length: u64| {
        std::fs::File::options().write(true).open(journal(run)).unwrap().set_len(length).unwrap();
    };
    cut(&earlier, lengths[0]);
    cut(&newest, lengths[1]);
    sandbox.write("tasks.md", TROUBLE);
    sandbox.run(["recover", "accept", &name]).expect(0);
    assert_eq!((done(&earlier, "integrated"), done(&newest, "task_done")), (1, 1));
    assert_eq!(sandbox.ticked(), ["T002"]);
}

#[test]
fn an_attempt_whose_run_has_no_record_any_more_is_brought_back_and_not_accepted() {
    if no_git() {
        return;
    }
    let sandbox = repository(TROUBLE);
    implement(&sandbox, &[]).expect(1);
    let earlier = runs(&sandbox).pop().unwrap();
    implement(&sandbox, &[]).expect(1);
    let newest = runs(&sandbox).pop().unwrap();
    std::fs::remove_dir_all(sandbox.root().join(".specter/runs").join(&earlier)).unwrap();
    let list = json(sandbox.run(["recover", "--format=json"]));
    // By the name it has in the repository, where that is another one.
    let mut all = list["attempts"].as_array().unwrap().iter();
    let kept = all.find(|kept| kept["task"] == "T002" && kept["run"] != newest.as_str());
    let name = kept.unwrap()["name"].as_str().unwrap().to_owned();
    let refused = sandbox.run(["recover", "accept", &name]).expect(2);
    assert!(refused.stderr.contains("whose record is gone"), "{}", refused.stderr);
    assert!(!sandbox.exists(".envrc"));
}

/// Names of all runs, oldest first.
fn runs(sandbox: &Sandbox) -> Vec<String> {
    let all = std::fs::read_dir(sandbox.root().join(".specter/runs")).unwrap();
    let mut names: Vec<String> = all.map(|run| run.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn checks_that_did_not_run_on_what_an_accepted_attempt_became_are_named() {
    if no_git() {
        return;
    }
    let tasks = "- [ ] T001 Write\n\n  ```sh run\n  echo 'export A=1' > .envrc; echo x > x\n  ```\n  ```sh verify\n  \
                 test -s x\n  ```\n";
    let sandbox = repository(tasks);
    implement(&sandbox, &[]).expect(1);
    sandbox.write("mine", "since then\n");
    let accepted = sandbox.run(["recover", "accept", "T001"]).expect(0);
    let told =
        "it was merged with what came since, and 1 verify block of T001 did not run on the result: run it";
    assert!(accepted.all().contains(told), "{}", accepted.all());
    assert_eq!((sandbox.read("x"), sandbox.read("mine")), ("x\n".to_owned(), "since then\n".to_owned()));
}

#[test]
fn a_patch_is_byte_exact_to_a_pipe_and_safe_on_a_terminal() {
    if no_git() {
        return;
    }
    let escape =
        "- [ ] T001 Write\n\n  ```sh run\n  printf 'x\\033[2Jy\\r\\n' > f; printf '\\000\\377' > b\n  ```\n";
    let sandbox = repository(escape);
    implement(&sandbox, &[]).expect(0);
    let raw = sandbox.command(["recover", "diff", "T001"]).output().unwrap().stdout;
    let text = String::from_utf8_lossy(&raw).into_owned();
    assert!(text.contains("+x\u{1b}[2Jy\r\n"), "{text}");
    assert!(String::from_utf8_lossy(&raw).contains("GIT binary patch"));
    let file = sandbox.root().parent().unwrap().join("patch");
    std::fs::write(&file, &raw).unwrap();
    for name in ["f", "b"] {
        std::fs::remove_file(sandbox.root().join(name)).unwrap();
    }
    assert!(run_git(&sandbox.root(), &["apply", file.to_str().unwrap()]).status.success());
    assert_eq!(std::fs::read(sandbox.root().join("f")).unwrap(), b"x\x1b[2Jy\r\n");
    assert_eq!(std::fs::read(sandbox.root().join("b")).unwrap(), [0, 255]);
    let shown = crate::process::on_terminal(sandbox.command(["--color=never", "recover", "diff", "T001"]));
    assert!(!shown.contains('\u{1b}') && shown.contains("+x\\e[2Jy"), "{shown:?}");
}

#[test]
fn what_a_killed_run_left_is_saved_before_it_is_listed() {
    if no_git() {
        return;
    }
    let sandbox = repository(
        "- [ ] T001 Hang\n\n  ```sh run\n  echo half > half.txt; touch started; sleep 600\n  ```\n",
    );
    let mut child = sandbox.command(["implement", "--yes", "--isolation=worktree"]).spawn().unwrap();
    let trees = sandbox.root().parent().unwrap().join("home/.local/state/specter/worktrees");
    crate::run::sandbox::until("the task to start", || {
        let projects = std::fs::read_dir(&trees).into_iter().flatten().flatten();
        projects.into_iter().any(|project| project.path().join("1/p/started").exists())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let list = json(sandbox.run(["recover", "--format=json"]));
    assert_eq!(
        (&list["attempts"][0]["name"], &list["attempts"][0]["state"]),
        (&"T001/1".into(), &"saved".into())
    );
    assert_eq!(list["leased"], Value::Array(Vec::new()));
    sandbox.run(["recover", "restore", "T001", "half.txt"]).expect(0);
    assert_eq!(sandbox.read("half.txt"), "half\n");
    let again = json(sandbox.run(["recover", "list", "--format=json"]));
    assert_eq!(again["attempts"], list["attempts"], "saved once");
}

#[test]
fn the_state_directory_may_be_gone() {
    if no_git() {
        return;
    }
    let sandbox = repository(TROUBLE);
    implement(&sandbox, &[]).expect(1);
    std::fs::remove_dir_all(sandbox.root().join(".specter")).unwrap();
    let list = json(sandbox.run(["recover", "--format=json"]));
    assert_eq!(list["attempts"].as_array().unwrap().len(), 3);
    sandbox.run(["recover", "restore", "T001/2"]).expect(69);
    sandbox.run(["recover", "restore", "T001/2", "--to=../out"]).expect(0);
    assert!(sandbox.root().parent().unwrap().join("out/half.txt").exists());
}

#[test]
fn json_has_the_published_shape() {
    if no_git() {
        return;
    }
    let sandbox = repository(TROUBLE);
    implement(&sandbox, &[]).expect(1);
    for (name, args) in [
        ("checkpoints", &["checkpoints"][..]),
        ("recover", &["recover"]),
        ("recover-show", &["recover", "show", "T001/2"]),
        ("doctor", &["doctor"]),
    ] {
        let value = json(sandbox.run(args.iter().chain(&["--format=json"])));
        let schema: Value = serde_json::from_str(&sandbox.run(["schema", name]).expect(0).stdout).unwrap();
        crate::projection::files::check(&schema, &schema, &value, name).unwrap();
    }
    let points = json(sandbox.run(["checkpoints", "--format=json"]));
    let first = points["checkpoints"][0]["name"].as_str().unwrap().to_owned();
    let back = json(sandbox.run(["rollback", "--dry-run", "--format=json", "--to", &first]));
    let schema: Value = serde_json::from_str(&sandbox.run(["schema", "rollback"]).expect(0).stdout).unwrap();
    crate::projection::files::check(&schema, &schema, &back, "rollback").unwrap();
}

#[test]
fn doctor_tells_everything_at_once() {
    if no_git() {
        return;
    }
    let sandbox = repository(TASKS);
    let well = sandbox.run(["doctor"]).expect(0);
    sandbox.write("tasks.md", "- [ ] T001 a\n\n  ```nosuchlang run\n  x\n  ```\n\n- [ ] T002 b\n");
    sandbox.write("specter.toml", "isolation = \"worktree\"\n");
    std::fs::write(sandbox.root().join(".git/index.lock"), "").unwrap();
    std::fs::write(sandbox.root().join(".git/MERGE_HEAD"), format!("{}\n", "0".repeat(40))).unwrap();
    let ill = sandbox.run(["doctor"]).expect(69);
    assert_page!(sandbox, well, ill);
    assert!(!sandbox.exists(".specter"), "looking writes nothing");
}

#[test]
fn doctor_removes_idle_working_trees_only_when_asked_to() {
    if no_git() {
        return;
    }
    let sandbox = repository(TASKS);
    implement(&sandbox, &[]).expect(0);
    sandbox.write("specter.toml", "[worktrees]\nkeep = 0\n");
    let listed = json(sandbox.run(["doctor", "--format=json"]));
    let path = listed["idle"][0].as_str().unwrap().to_owned();
    assert!(Path::new(&path).is_dir() && listed["removed"] == false);
    let removed = json(sandbox.run(["doctor", "--clean", "--format=json"]));
    assert_eq!((removed["removed"].clone(), Path::new(&path).exists()), (true.into(), false));
    let none = json(sandbox.run(["doctor", "--format=json"]));
    assert_eq!(none["idle"], Value::Array(Vec::new()));
    assert_eq!(json(sandbox.run(["recover", "--format=json"]))["attempts"].as_array().unwrap().len(), 4);
}

#[test]
fn how_to_go_back_by_hand_is_written_and_works() {
    if no_git() {
        return;
    }
    let sandbox = repository(TASKS);
    std::fs::create_dir(sandbox.root().join(".specify")).unwrap();
    implement(&sandbox, &[]).expect(0);
    let run = sandbox.journal().unwrap().parent().unwrap().to_owned();
    let text = std::fs::read_to_string(run.join("rollback-plan.md")).unwrap();
    assert_eq!(sandbox.read(".specify/agents/context/implementation/rollback-plan.md"), text);
    let at = text.find("`T002`").unwrap();
    let reference = text[at..].split("reference: `").nth(1).unwrap().split('`').next().unwrap();
    assert!(text[at..].contains("2 tasks done since: T003, T004"), "{text}");
    let step = text.lines().find(|line| line.contains("git restore")).unwrap().trim();
    let said = std::process::Command::new("sh")
        .args(["-c", &step.replace("REFERENCE", reference)])
        .current_dir(sandbox.root())
        .output()
        .unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!((sandbox.read("a.txt"), sandbox.read("d/b.txt")), ("a\n".into(), "b\n".into()));
    assert_eq!(ticked(&sandbox.read("tasks.md")).len(), 4, "boxes are for the person");
}
