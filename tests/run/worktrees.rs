//! Attempts in working trees of their own, with the real program in real repositories and the `git` program as judge:
//! what they make is integrated, nothing else changes, and whatever goes wrong loses nothing.

use super::sandbox::{Ended, Sandbox};
use crate::git::{git_in, no_git, run_git};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A project in a repository, and what its user has that must stay.
pub(crate) struct Project {
    pub(crate) sandbox: Sandbox,
}

/// A task with a `run` block, and a `verify` block if there is one.
pub(crate) fn task(line: &str, run: &str, verify: Option<&str>) -> String {
    let verify = verify.map(|code| format!("  ```sh verify\n  {code}\n  ```\n")).unwrap_or_default();
    format!("- [ ] {line}\n\n  ```sh run\n  {run}\n  ```\n{verify}\n")
}

impl Project {
    pub(crate) fn new(tasks: &str, files: &[(&str, &str)]) -> Project {
        let sandbox = Sandbox::new(tasks);
        for (path, text) in files {
            sandbox.write(path, text);
        }
        let project = Project { sandbox };
        project.git(&["init", "-q", "-b", "main"]);
        for (key, value) in [
            ("maintenance.auto", "false"),
            ("gc.auto", "0"),
            ("user.name", "A User"),
            ("user.email", "user@example.org"),
        ] {
            project.git(&["config", key, value]);
        }
        project.git(&["add", "-A"]);
        project.git(&["commit", "-q", "-m", "first"]);
        project
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git_in(&self.sandbox.root(), arguments)
    }

    /// HEAD, index, stash, branches, configuration, hooks.
    pub(crate) fn own(&self) -> Vec<String> {
        let read =
            |name: &str| format!("{:?}", std::fs::read(self.sandbox.root().join(".git").join(name)).ok());
        let refs = self.git(&["for-each-ref", "refs/heads", "refs/tags", "refs/remotes", "refs/stash"]);
        let mut own: Vec<String> = ["HEAD", "index", "config"].map(read).into();
        own.extend([refs, self.git(&["stash", "list"]), self.git(&["reflog"])]);
        own
    }

    pub(crate) fn implement(&self, more: &[&str]) -> Ended {
        let usual = ["implement", "tasks.md", "--yes", "--isolation=worktree", "--parallel=graph", "-j4"];
        self.sandbox.run(usual.iter().chain(more))
    }

    pub(crate) fn fsck(&self) {
        let said = run_git(&self.sandbox.root(), &["fsck", "--strict", "--no-dangling"]);
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }

    fn events(&self, kind: &str) -> Vec<serde_json::Value> {
        self.sandbox.events().into_iter().filter(|event| event["kind"] == kind).collect()
    }

    /// Everything that is reachable from specter's references, as text.
    pub(crate) fn kept(&self) -> String {
        let script = "git for-each-ref --format='%(objectname)' refs/specter | git rev-list --objects --stdin \
                      | cut -d' ' -f1 | git cat-file --batch";
        let said = Command::new("sh").args(["-c", script]).current_dir(self.sandbox.root()).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8_lossy(&said.stdout).into_owned()
    }
}

/// Somebody who works in the project while specter runs.
struct Shell(Child);

impl Shell {
    fn open(project: &Project) -> Shell {
        let mut command = Command::new("sleep");
        command.arg("600").current_dir(project.sandbox.root()).stdout(Stdio::null());
        Shell(command.spawn().unwrap())
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn side_by_side_tasks_are_integrated_and_nothing_of_the_users_changes() {
    if no_git() {
        return;
    }
    let tasks = [
        task("T001 Make src/base.txt", "mkdir -p src; echo base > src/base.txt", None),
        task("T002 [P] Write src/a.txt", "cp src/base.txt src/a.txt", Some("test -s src/a.txt")),
        task(
            "T003 [P] Write src/b.txt",
            "cp src/base.txt src/b.txt; git add -A; git commit -qm agent",
            Some("test -s src/b.txt"),
        ),
        task("T004 [P] Change shared.txt", "sed -i 's/^one$/ONE/' shared.txt", None),
        task(
            "T005 [P] Change the end of shared.txt in src/c.txt",
            "sed -i 's/^nine$/NINE/' shared.txt",
            None,
        ),
    ];
    let shared = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n";
    let project = Project::new(
        &tasks.concat(),
        &[("shared.txt", shared), ("mine.txt", "mine\n"), (".gitignore", "secret\n")],
    );
    project.sandbox.write("mine.txt", "mine, changed and not committed\n");
    project.sandbox.write("stashed.txt", "x\n");
    project.git(&["add", "stashed.txt"]);
    project.git(&["stash", "-q", "-u"]);
    project.sandbox.write("mine.txt", "changed again\n");
    project.sandbox.write("staged.txt", "staged\n");
    project.git(&["add", "staged.txt"]);
    project.sandbox.write("untracked.txt", "untracked\n");
    project.sandbox.write("secret", "never in git\n");
    let own = project.own();
    project.implement(&[]).expect(0);
    assert_eq!(project.own(), own);
    assert_eq!(project.sandbox.ticked(), ["T001", "T002", "T003", "T004", "T005"]);
    assert_eq!(project.sandbox.read("src/a.txt"), "base\n");
    assert_eq!(project.sandbox.read("src/b.txt"), "base\n");
    assert_eq!(project.sandbox.read("shared.txt"), shared.replace("one", "ONE").replace("nine", "NINE"));
    assert_eq!(project.sandbox.read("mine.txt"), "changed again\n");
    assert_eq!(project.sandbox.read("staged.txt"), "staged\n");
    assert_eq!(project.sandbox.read("untracked.txt"), "untracked\n");
    assert!(!project.kept().contains("never in git"), "what git ignores stays out of the repository");
    assert_eq!(project.events("integrated").len(), 5);
    project.fsck();
    project.git(&["commit", "-q", "-am", "the user commits as ever"]);
}

#[test]
fn a_conflict_is_retried_on_the_fresh_base_and_names_both_tasks() {
    if no_git() {
        return;
    }
    // The second waits until the first is integrated: it is seen in the project.
    let wait = "while ! grep -q ONE \"$ROOT/shared.txt\"; do sleep 0.01; done";
    let tasks = [
        task("T001 [P] In src/a.txt", "sed -i 's/^one$/ONE/' shared.txt", None),
        task(
            "T002 [P] In src/b.txt",
            &format!("sed -i 's/^one$/uno/; s/^ONE$/UNO/' shared.txt; {wait}"),
            None,
        ),
    ];
    let project = Project::new(&tasks.concat(), &[("shared.txt", "one\ntwo\n")]);
    let root = project.sandbox.root();
    let usual = ["implement", "tasks.md", "--yes", "--isolation=worktree", "--parallel", "-j2"];
    let mut command = project.sandbox.command(usual);
    command.env("ROOT", &root);
    let ended = super::sandbox::finish(command.spawn().unwrap()).expect(0);
    assert_eq!(project.sandbox.read("shared.txt"), "UNO\ntwo\n");
    let conflicts = project.events("conflicted");
    assert_eq!(conflicts.len(), 1, "{}", ended.stderr);
    assert_eq!((&conflicts[0]["task"], &conflicts[0]["attempt"]), (&"T002".into(), &1.into()));
    let conflict = &conflicts[0]["conflicts"][0];
    assert_eq!((&conflict["path"], &conflict["other"]), (&"shared.txt".into(), &"T001".into()));
    let hunk = conflict["hunks"][0].as_str().unwrap();
    for part in ["<<<<<<< T001", "ONE", "||||||| before both", "one", "uno", ">>>>>>> T002"] {
        assert!(hunk.contains(part), "{hunk}");
    }
    assert!(project.kept().contains("uno"), "what conflicted is kept");
}

#[test]
fn the_same_conflict_twice_fails_the_task_and_shows_its_place() {
    if no_git() {
        return;
    }
    // The user changes the same line again and again while the attempt works: on every base it contradicts.
    let run = "printf 'theirs\\n' > shared.txt; echo mine > \"$ROOT/shared.txt\"";
    let project = Project::new(&task("T001 In shared.txt", run, None), &[("shared.txt", "one\n")]);
    let usual =
        ["implement", "tasks.md", "--yes", "--isolation=worktree", "--user-edits=expected", "--retries=5"];
    let mut command = project.sandbox.command(usual.iter().chain(&["--sandbox=off"]));
    command.env("ROOT", project.sandbox.root());
    let ended = super::sandbox::finish(command.spawn().unwrap()).expect(1);
    assert_eq!(project.sandbox.read("shared.txt"), "mine\n", "the user's line stays");
    assert!(ended.stderr.contains("the same conflict a second time, in `shared.txt`"), "{}", ended.stderr);
    assert!(ended.stderr.contains("theirs"), "its place is shown: {}", ended.stderr);
    assert_eq!(project.events("attempt_started").len(), 2);
    assert!(project.sandbox.ticked().is_empty());
}

#[test]
fn what_passes_alone_and_fails_together_is_not_integrated() {
    if no_git() {
        return;
    }
    let count = "test $(cat n/* | wc -l) -le 1";
    let wait = "while ! test -e \"$ROOT/n/a\"; do sleep 0.01; done";
    let tasks = [
        task("T001 [P] In n/a", "mkdir -p n; echo 1 > n/a", Some(count)),
        task("T002 [P] In n/b", &format!("mkdir -p n; echo 1 > n/b; {wait}"), Some(count)),
    ];
    let project = Project::new(&tasks.concat(), &[("x", "x\n")]);
    let usual =
        ["implement", "tasks.md", "--yes", "--isolation=worktree", "--parallel", "-j2", "--retries=0"];
    let mut command = project.sandbox.command(usual);
    command.env("ROOT", project.sandbox.root());
    let ended = super::sandbox::finish(command.spawn().unwrap()).expect(1);
    assert_eq!(project.sandbox.ticked(), ["T001"]);
    assert!(!project.sandbox.exists("n/b"));
    let said = ended.all();
    assert!(said.contains("together with what came meanwhile its check fails"), "{said}");
    assert!(project.sandbox.read(".specter/implementation.log").contains("gate"));
}

#[test]
fn every_way_out_of_a_working_tree_is_found_and_nothing_of_it_is_integrated() {
    if no_git() {
        return;
    }
    let ways = [
        ("a file by its absolute path", "echo x >> \"$ROOT/mine.txt\"", "mine.txt changed"),
        ("a moved HEAD", "git -C \"$ROOT\" checkout -q -b elsewhere", "HEAD"),
        (
            "a commit on the user's branch",
            "git -C \"$ROOT\" commit -q --allow-empty -m sneaked",
            "refs/heads/main",
        ),
        ("the configuration", "git -C \"$ROOT\" config core.pager evil", "config of the repository"),
        (
            "a hook",
            "mkdir -p \"$ROOT/.git/hooks\"; echo evil > \"$ROOT/.git/hooks/pre-commit\"",
            "hooks/pre-commit",
        ),
        ("the index", "git -C \"$ROOT\" rm -q --cached mine.txt", "the index"),
    ];
    for (what, way, shown) in ways {
        let tasks = task("T001 Work", &format!("echo own > own.txt; {way}"), None);
        let project = Project::new(&tasks, &[("mine.txt", "mine\n")]);
        let usual =
            ["implement", "tasks.md", "--yes", "--isolation=worktree", "--retries=0", "--sandbox=off"];
        let mut command = project.sandbox.command(usual);
        command.env("ROOT", project.sandbox.root()).env("GIT_PAGER", "cat");
        let ended = super::sandbox::finish(command.spawn().unwrap());
        assert_eq!(ended.code, Some(1), "{what}: {}", ended.all());
        let escaped = project.events("escaped");
        assert_eq!(escaped.len(), 1, "{what}: {}", ended.all());
        assert!(escaped[0]["changes"].to_string().contains(shown), "{what}: {escaped:?}");
        assert!(escaped[0]["reference"].is_string(), "{what}: it is kept");
        assert!(!project.sandbox.exists("own.txt"), "{what}: nothing is integrated");
        assert!(project.sandbox.ticked().is_empty(), "{what}");
        assert!(project.kept().contains("own"), "{what}: what the attempt made is kept");
    }
}

#[test]
fn who_works_in_the_project_meanwhile_is_not_taken_for_a_task() {
    if no_git() {
        return;
    }
    let tasks = task("T001 Work", "echo own > own.txt; echo x >> \"$ROOT/mine.txt\"", None);
    let project = Project::new(&tasks, &[("mine.txt", "mine\n")]);
    let _somebody = Shell::open(&project);
    let usual = ["implement", "tasks.md", "--yes", "--isolation=worktree", "--sandbox=off"];
    let mut command = project.sandbox.command(usual);
    command.env("ROOT", project.sandbox.root());
    let ended = super::sandbox::finish(command.spawn().unwrap()).expect(0);
    assert!(ended.stderr.contains("taken for yours, because sleep ("), "{}", ended.stderr);
    assert_eq!(project.sandbox.read("mine.txt"), "mine\nx\n");
    assert_eq!(project.sandbox.read("own.txt"), "own\n");
}

#[test]
fn a_sandboxed_attempt_cannot_even_try() {
    if no_git() {
        return;
    }
    let tasks = task("T001 Work", "echo own > own.txt; ! echo x >> \"$ROOT/mine.txt\"", None);
    let project = Project::new(&tasks, &[("mine.txt", "mine\n")]);
    let usual = ["implement", "tasks.md", "--yes", "--isolation=worktree", "--sandbox=write"];
    let mut command = project.sandbox.command(usual);
    command.env("ROOT", project.sandbox.root());
    let ended = super::sandbox::finish(command.spawn().unwrap());
    if ended.stderr.contains("cannot be sandboxed here") {
        eprintln!("skipped: this system has no sandbox");
        return;
    }
    ended.expect(0);
    assert_eq!(project.sandbox.read("mine.txt"), "mine\n");
    assert_eq!(project.sandbox.read("own.txt"), "own\n");
}

/// Who wrote a file no system tells afterwards: what a task writes into the tree of another that is at work can only be
/// kept from happening.
#[test]
fn a_sandboxed_attempt_cannot_write_into_a_tree_where_another_is_at_work() {
    if no_git() {
        return;
    }
    let wait = |what: &str| format!("while ! test -e \"$MEET/{what}\"; do sleep 0.01; done");
    let meet = tempfile::tempdir().unwrap();
    let tasks = [
        task(
            "T001 [P] In one.txt",
            &format!("echo one > one.txt; touch \"$MEET/one\"; {}", wait("two")),
            None,
        ),
        task(
            "T002 [P] In two.txt",
            &format!(
                "{}; touch two.txt; for tree in \"$TREES\"/*/*/p; do if test \"$tree\" != \"$PWD\"; then \
                 if echo strayed > \"$tree/one.txt\"; then echo got in >> two.txt; fi; \
                 if touch \"$tree/strayed.txt\"; then echo got in >> two.txt; fi; fi; done; touch \"$MEET/two\"",
                wait("one")
            ),
            None,
        ),
    ];
    let project = Project::new(&tasks.concat(), &[("a", "a\n")]);
    let home = project.sandbox.root().parent().unwrap().join("home");
    let config = home.join(".config/specter/config.toml");
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    std::fs::write(&config, format!("sandbox-write = [\"{}\"]\n", meet.path().display())).unwrap();
    let usual =
        ["implement", "tasks.md", "--yes", "--isolation=worktree", "--parallel", "-j2", "--sandbox=write"];
    let mut command = project.sandbox.command(usual);
    command.env("MEET", meet.path()).env("TREES", home.join(".local/state/specter/worktrees"));
    let ended = super::sandbox::finish(command.spawn().unwrap());
    if ended.stderr.contains("cannot be sandboxed here") {
        eprintln!("skipped: this system has no sandbox");
        return;
    }
    ended.expect(0);
    assert_eq!(
        (project.sandbox.read("one.txt"), project.sandbox.read("two.txt")),
        ("one\n".to_owned(), String::new())
    );
    assert!(!project.sandbox.exists("strayed.txt"));
}

#[test]
fn what_makes_tools_run_commands_waits_for_a_person() {
    if no_git() {
        return;
    }
    let tasks = task(
        "T001 Work",
        "mkdir -p .github/workflows; echo x > .github/workflows/ci.yml; echo y > y.txt",
        None,
    );
    let project = Project::new(&tasks, &[("x", "x\n")]);
    let ended = project.implement(&[]).expect(1);
    assert!(ended.all().contains(".github/workflows/ci.yml"), "{}", ended.all());
    assert!(!project.sandbox.exists("y.txt") && !project.sandbox.exists(".github"));
    assert_eq!(project.events("review_needed").len(), 1);
}

#[test]
fn agents_cannot_tick_boxes_or_touch_state() {
    if no_git() {
        return;
    }
    let tasks = [
        task(
            "T001 Cheat",
            "sed -i 's/\\[ \\]/[x]/' tasks.md; mkdir -p .specter; echo x > .specter/y; echo z > z",
            None,
        ),
        task("T002 Fail", "false", None),
    ];
    let project = Project::new(&tasks.concat(), &[("x", "x\n")]);
    project.implement(&["--retries=0"]).expect(1);
    assert_eq!(project.sandbox.ticked(), ["T001"]);
    assert!(!project.sandbox.exists(".specter/y"));
    assert_eq!(project.sandbox.read("z"), "z\n");
}

#[test]
fn a_project_below_the_repositorys_root_works_the_same() {
    if no_git() {
        return;
    }
    let tasks = task(
        "T001 Work",
        "cat here.txt > made.txt; pwd > pwd.txt; echo up > ../up.txt",
        Some("test -s made.txt"),
    );
    let project = Project::new(&tasks, &[("here.txt", "here\n")]);
    // The repository is the directory above.
    let above = project.sandbox.root().parent().unwrap().to_owned();
    std::fs::rename(project.sandbox.root().join(".git"), above.join(".git")).unwrap();
    std::fs::write(above.join(".gitignore"), "home/\n").unwrap();
    git_in(&above, &["add", "-A"]);
    git_in(&above, &["commit", "-qm", "moved"]);
    let own = std::fs::read(above.join(".git/index")).unwrap();
    // A place in the repository is refused, before anything is written.
    let said = project.implement(&[]).expect(69).stderr;
    assert!(
        said.contains("they must be outside the project") && !project.sandbox.exists(".specter"),
        "{said}"
    );
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = project.sandbox.command(["implement", "tasks.md", "--yes", "--isolation=worktree"]);
    command.env("XDG_STATE_HOME", elsewhere.path());
    super::sandbox::finish(command.spawn().unwrap()).expect(0);
    assert_eq!(std::fs::read(above.join(".git/index")).unwrap(), own);
    assert_eq!(project.sandbox.read("made.txt"), "here\n");
    assert_eq!(std::fs::read_to_string(above.join("up.txt")).unwrap(), "up\n");
    let worked = PathBuf::from(project.sandbox.read("pwd.txt").trim());
    assert!(worked.ends_with("p") && !worked.starts_with(&above), "{worked:?}");
    let paths: Vec<String> = git_in(&above, &["status", "--porcelain"]).lines().map(str::to_owned).collect();
    assert!(paths.iter().all(|path| !path.contains(".specter/")), "{paths:?}");
}

#[test]
fn what_stands_in_the_way_is_told_before_anything_is_written() {
    if no_git() {
        return;
    }
    let tasks = task("T001 Work", "echo x > y.txt", None);
    type Broken<'a> = (&'a str, &'a dyn Fn(&Project), &'a str);
    let broken: [Broken<'_>; 5] = [
        (
            "no repository",
            &|p| std::fs::remove_dir_all(p.sandbox.root().join(".git")).unwrap(),
            "no git repository",
        ),
        ("a merge under way", &|p| start_merge(p), "a merge is under way"),
        (
            "a rebase under way",
            &|p| std::fs::create_dir(p.sandbox.root().join(".git/rebase-merge")).unwrap(),
            "rebase is under way",
        ),
        (
            "a bisect under way",
            &|p| p.sandbox.write(".git/BISECT_LOG", "git bisect start\n"),
            "bisect is under way",
        ),
        ("a lock left behind", &|p| p.sandbox.write(".git/index.lock", ""), "index.lock` was left behind"),
    ];
    for (what, breaks, shown) in broken {
        let project = Project::new(&tasks, &[("x", "x\n")]);
        breaks(&project);
        let before = listing(&project);
        let ended = project.implement(&[]);
        assert_eq!(ended.code, Some(69), "{what}: {}", ended.all());
        assert!(ended.stderr.contains(shown), "{what}: {}", ended.stderr);
        assert_eq!(listing(&project), before, "{what}: nothing changes");
    }
}

fn start_merge(project: &Project) {
    project.git(&["checkout", "-q", "-b", "other"]);
    project.sandbox.write("x", "other\n");
    project.git(&["commit", "-qam", "other"]);
    project.git(&["checkout", "-q", "main"]);
    project.sandbox.write("x", "main\n");
    project.git(&["commit", "-qam", "main"]);
    assert!(!run_git(&project.sandbox.root(), &["merge", "other"]).status.success());
}

fn listing(project: &Project) -> Vec<(PathBuf, Vec<u8>)> {
    let files = crate::git::files_below(&project.sandbox.root());
    files.into_iter().map(|path| (path.clone(), std::fs::read(&path).unwrap_or_default())).collect()
}

#[test]
fn unusual_repositories_work() {
    if no_git() {
        return;
    }
    let tasks = task("T001 Work", "echo x > y.txt", None);
    type Odd<'a> = (&'a str, &'a dyn Fn(&Project));
    let odd: [Odd<'_>; 6] = [
        ("detached", &|p| drop(p.git(&["checkout", "-q", "--detach"]))),
        ("a branch without a commit", &|p| drop(p.git(&["checkout", "-q", "--orphan", "new"]))),
        ("hooks and signing", &|p| {
            p.sandbox.write(".git/hooks/post-commit", "#!/bin/sh\ntouch ran-a-hook\n");
            p.git(&["config", "commit.gpgsign", "true"]);
            p.git(&["config", "gpg.program", "/nonexistent"]);
        }),
        ("dirty", &|p| p.sandbox.write("x", "dirty\n")),
        ("a nested repository", &|p| {
            p.sandbox.write("nested/file", "nested\n");
            git_in(&p.sandbox.root().join("nested"), &["init", "-q"]);
        }),
        ("links, long names, unreadable files", &|p| {
            let root = p.sandbox.root();
            std::os::unix::fs::symlink("x", root.join("link")).unwrap();
            std::os::unix::fs::symlink("nowhere", root.join("broken")).unwrap();
            let long: PathBuf = (0..6).map(|n| n.to_string().repeat(50)).collect();
            p.sandbox.write(&long.join("f").to_string_lossy(), "long\n");
        }),
    ];
    for (what, make) in odd {
        let project = Project::new(&tasks, &[("x", "x\n")]);
        make(&project);
        let own = |p: &Project| {
            let read = |name: &str| std::fs::read(p.sandbox.root().join(".git").join(name)).ok();
            (read("HEAD"), read("index"), read("config"))
        };
        let before = own(&project);
        let ended = project.implement(&[]);
        assert_eq!(ended.code, Some(0), "{what}: {}", ended.all());
        assert_eq!(own(&project), before, "{what}");
        assert_eq!(project.sandbox.read("y.txt"), "x\n", "{what}");
        assert!(!project.sandbox.exists("ran-a-hook"), "{what}");
    }
}

#[test]
fn data_that_nobody_meant_to_be_in_the_repository_is_not_copied_there() {
    if no_git() {
        return;
    }
    let tasks = task("T001 Work", "echo x > y.txt", None) + &task("T002 More", "echo x > z.txt", None);
    let project = Project::new(&tasks, &[("x", "x\n")]);
    project.sandbox.write("data.bin", &"0123456789abcdef".repeat(1 << 17));
    project.sandbox.write("specter.toml", "max-saved = \"1 MiB\"\n");
    let ended = project.sandbox.run(["implement", "tasks.md", "--yes"]).expect(0);
    let said =
        ended.stderr.matches("would copy 2 MiB into the repository, more than `max-saved` (1 MiB)").count();
    assert_eq!(said, 1, "{}", ended.stderr);
    assert!(project.git(&["for-each-ref", "refs/specter"]).is_empty());
    assert_eq!(project.sandbox.ticked(), ["T001", "T002"]);

    project.sandbox.write("tasks.md", &tasks);
    let ended = project.implement(&[]).expect(1);
    assert!(ended.stderr.contains("more than `max-saved`"), "{}", ended.stderr);
    project.sandbox.write(".gitignore", "data.bin\n");
    project.sandbox.run(["resume", "tasks.md", "--yes"]).expect(0);
    assert_eq!(project.sandbox.ticked(), ["T001", "T002"]);
}

#[test]
fn work_whose_integration_the_disk_refused_is_finished_by_the_next_one_and_not_done_again() {
    if no_git() {
        return;
    }
    use sha2::Digest as _;
    // What is to become `a.txt` lies here until it is complete; where a directory lies, nothing can be written.
    let key: String = sha2::Sha256::digest("a.txt")[..10].iter().map(|byte| format!("{byte:02x}")).collect();
    let staged = format!(".specter/git/merge-{key}/in-the-way");
    let mends = "rm -r \"$HOME\"/../p/.specter/git/merge-*; echo b > b.txt";
    for check in [None, Some("test -s a.txt")] {
        let tasks = [
            task("T001 [P] Write a.txt", "echo ran >> \"$HOME/ran\"; echo a > a.txt", check),
            task("T002 [P] Write b.txt", mends, None),
        ];
        let project = Project::new(&tasks.concat(), &[(".gitignore", ".specter/\n")]);
        project.sandbox.write(&staged, "");
        // One after the other: the second begins when the first has failed, and ends before it is tried again.
        let ended = project.implement(&["-j1", "--retries=2", "--sandbox=off"]).expect(0);
        let rules: Vec<String> =
            project.events("attempt_finished").iter().map(|event| event["rule"].to_string()).collect();
        assert!(rules[0].contains("could not be integrated"), "{rules:?}");
        let told = "T001: what the attempt before made is integrated after all";
        assert!(ended.all().contains(told), "{}", ended.all());
        assert_eq!(std::fs::read_to_string(project.sandbox.home().join("ran")).unwrap(), "ran\n");
        assert_eq!(
            (project.sandbox.read("a.txt"), project.sandbox.read("b.txt")),
            ("a\n".into(), "b\n".into())
        );
        assert_eq!(project.sandbox.ticked(), ["T001", "T002"]);
        assert_eq!(project.sandbox.ids("attempt_started"), ["T001", "T002", "T001"]);
        let verdicts = project.events("task_done");
        let of_first = verdicts.iter().find(|event| event["task"] == "T001").unwrap();
        let wanted = if check.is_some() { "verified" } else { "unverified" };
        assert_eq!(of_first["verdict"], wanted);
        project.fsck();
    }
}

#[test]
fn what_was_integrated_late_while_the_next_attempt_ran_is_nothing_to_fall_back_on_when_it_is_asked_for_anew()
{
    if no_git() {
        return;
    }
    use sha2::Digest as _;
    let key: String = sha2::Sha256::digest("a.txt")[..10].iter().map(|byte| format!("{byte:02x}")).collect();
    let count = "$(wc -l < \"$HOME/ran\")";
    let until = |condition: &str| format!("until {condition}; do sleep 0.02; done");
    // The second attempt begins while nothing can be integrated, and ends after T002 has finished what the first began.
    let first = format!(
        "echo ran >> \"$HOME/ran\"\n  [ {count} -eq 1 ] || {}\n  echo a > a.txt",
        until("[ -e \"$HOME\"/../p/b.txt ]")
    );
    let second = format!(
        "{}\n  rm -r \"$HOME\"/../p/.specter/git/merge-*\n  echo b > b.txt",
        until(&format!("[ -e \"$HOME/ran\" ] && [ {count} -ge 2 ]"))
    );
    // A box counts as cleared by a person where a later one stands.
    let third = until("grep -q '\\[x\\] T001' \"$HOME\"/../p/tasks.md");
    let last = until(&format!("[ {count} -ge 3 ]"));
    let tasks = [
        task("T001 [P] Write a.txt", &first, None),
        task("T002 [P] Write b.txt", &second, None),
        task("T003 [P] Keep the run going", &third, None),
        task("T004 [P] Keep it going longer", &last, None),
    ];
    let project = Project::new(&tasks.concat(), &[(".gitignore", ".specter/\n")]);
    project.sandbox.write(&format!(".specter/git/merge-{key}/in-the-way"), "");
    std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            project.implement(&["-j4", "--parallel", "--retries=3", "--timeout=60s", "--sandbox=off"])
        });
        crate::run::sandbox::until("T003's tick is on record", || {
            project.events("box_ticked").iter().any(|event| event["task"] == "T003")
        });
        let cleared = project.sandbox.read("tasks.md").replace("[x] T001", "[ ] T001");
        project.sandbox.write("tasks.md", &cleared);
        run.join().unwrap().expect(0);
    });
    assert_eq!(std::fs::read_to_string(project.sandbox.home().join("ran")).unwrap(), "ran\nran\nran\n");
    assert_eq!(project.sandbox.ticked(), ["T001", "T002", "T003", "T004"]);
}
