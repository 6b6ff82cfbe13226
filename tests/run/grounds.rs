//! Every peculiar repository with the real program: it works in it or refuses before anything is written and says what
//! to do, and nothing of the user's changes, byte for byte. What has its proof in `worktrees` is not proven again.

use super::sandbox::{Ended, Sandbox, finish};
use super::worktrees::{Project, task};
use crate::git::{files_below, git_in, no_git, run_git};
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Content, or target, and mode of everything that is not specter's own.
fn everything(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let is_own = |path: &Path| {
        let path = path.strip_prefix(root).unwrap();
        let own = [
            ".git/objects",
            ".git/refs/specter",
            ".specter",
            ".specter-state",
            ".specter-memory",
            "tasks.md",
        ];
        own.iter().any(|own| path.starts_with(own))
    };
    let files = files_below(root).into_iter().filter(|path| !is_own(path));
    let content = |path: &Path| {
        let metadata = path.symlink_metadata().unwrap();
        let bytes = match std::fs::read_link(path) {
            Ok(target) => target.into_os_string().into_encoded_bytes(),
            Err(_) if metadata.is_file() => std::fs::read(path).unwrap(),
            Err(_) => Vec::new(),
        };
        (metadata.mode(), bytes)
    };
    files.map(|path| (path.clone(), content(&path))).collect()
}

/// The run ends well, and all that is different is that these files are there.
#[track_caller]
fn works(project: &Project, made: &[(&str, &str)]) -> Ended {
    let root = project.sandbox.root();
    let before = everything(&root);
    let ended = project.implement(&[]).expect(0);
    let mut after = everything(&root);
    for (path, text) in made {
        let (_, bytes) = after.remove(&root.join(path)).unwrap_or_default();
        assert_eq!(String::from_utf8_lossy(&bytes), *text, "{path}");
    }
    let mut before = before;
    made.iter().for_each(|(path, _)| drop(before.remove(&root.join(path))));
    same(&before, &after);
    project.fsck();
    ended
}

#[track_caller]
fn same(before: &BTreeMap<PathBuf, (u32, Vec<u8>)>, after: &BTreeMap<PathBuf, (u32, Vec<u8>)>) {
    let differs = |path: &&PathBuf| before.get(*path) != after.get(*path);
    let paths: Vec<&PathBuf> = before.keys().chain(after.keys()).filter(differs).collect();
    assert!(paths.is_empty(), "changed: {paths:?}");
}

/// Refused before anything is written, with these words.
#[track_caller]
fn refused(sandbox: &Sandbox, words: &[&str]) {
    let list = |root: &Path| -> BTreeMap<PathBuf, Vec<u8>> {
        files_below(root)
            .into_iter()
            .map(|path| (path.clone(), std::fs::read(path).unwrap_or_default()))
            .collect()
    };
    let before = list(&sandbox.root());
    let ended = sandbox.run(["implement", "tasks.md", "--yes", "--isolation=worktree"]).expect(69);
    for word in words {
        assert!(ended.stderr.contains(word), "`{word}`: {}", ended.stderr);
    }
    assert_eq!(list(&sandbox.root()), before);
}

fn executable(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_bare_repository_is_refused_for_working_trees_and_works_without() {
    if no_git() {
        return;
    }
    let sandbox = Sandbox::new(&task("T001 Work", "echo x > y.txt", None));
    git_in(&sandbox.root(), &["init", "-q", "--bare", "."]);
    refused(&sandbox, &["the repository is bare", "run it in a working tree of the repository"]);
    sandbox.run(["implement", "tasks.md", "--yes"]).expect(0);
    assert_eq!(sandbox.read("y.txt"), "x\n");
    assert_eq!(git_in(&sandbox.root(), &["for-each-ref"]), "", "there is nothing to save for");
}

#[test]
fn submodules_are_told_and_stay_as_they_are() {
    if no_git() {
        return;
    }
    let inner = Project::new("", &[("i", "i\n")]);
    let url = inner.sandbox.root().display().to_string();
    let project =
        Project::new(&task("T001 Work", "echo x > y.txt; ls -A sub > seen.txt", None), &[("a", "a\n")]);
    project.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "sub"]);
    project.git(&["commit", "-q", "-m", "with a submodule"]);
    project.sandbox.write("sub/i", "changed and not committed\n");
    project.sandbox.write("sub/untracked", "untracked\n");
    let ended = works(&project, &[("y.txt", "x\n"), ("seen.txt", "")]);
    assert!(ended.stderr.contains("submodules are left as they are: `sub`"), "{}", ended.stderr);
}

#[test]
fn what_a_task_writes_where_a_submodule_is_does_not_reach_the_submodule_and_is_kept() {
    if no_git() {
        return;
    }
    let inner = Project::new("", &[("i", "i\n")]);
    let url = inner.sandbox.root().display().to_string();
    let project = Project::new(
        &task("T001 Work", "mkdir -p sub; echo strayed > sub/new; echo x > y.txt", None),
        &[("a", "a\n")],
    );
    project.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "sub"]);
    project.git(&["commit", "-q", "-m", "with a submodule"]);
    let before = everything(&project.sandbox.root().join("sub"));
    let ended = project.implement(&["--retries=0"]);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    assert!(ended.stderr.contains("`sub` is in the way"), "{}", ended.stderr);
    same(&before, &everything(&project.sandbox.root().join("sub")));
    assert!(!project.sandbox.exists("sub/new"));
    // Kept in the repository, or where it was written.
    let trees = project.sandbox.root().parent().unwrap().join("home/.local/state/specter/worktrees");
    let strayed = |path: &PathBuf| std::fs::read(path).is_ok_and(|bytes| bytes == b"strayed\n");
    assert!(
        project.kept().contains("strayed") || files_below(&trees).iter().any(strayed),
        "what it wrote is nowhere: {}",
        ended.all()
    );
}

#[test]
fn no_filter_runs_and_pointers_of_large_files_are_carried_as_they_are() {
    if no_git() {
        return;
    }
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n";
    let tasks = task("T001 Work", "cp big.lfs copy.txt; cp shout.up heard.txt; echo more >> shout.up", None);
    let project = Project::new(
        &tasks,
        &[
            (".gitattributes", "*.lfs filter=lfs diff=lfs merge=lfs -text\n*.up filter=up\n"),
            ("big.lfs", pointer),
        ],
    );
    let ran = project.sandbox.root().join(".git/ran");
    let filter = |what: &str| format!("touch '{}'; {what}", ran.display());
    project.git(&["config", "filter.up.clean", &filter("tr a-z A-Z")]);
    project.git(&["config", "filter.up.smudge", &filter("tr A-Z a-z")]);
    project.git(&["config", "filter.up.required", "true"]);
    project.sandbox.write("shout.up", "on disk\n");
    project.git(&["add", "shout.up"]);
    project.git(&["commit", "-q", "-m", "what git keeps is not what is on disk"]);
    assert_eq!(project.git(&["cat-file", "blob", "HEAD:shout.up"]), "ON DISK\n");
    std::fs::remove_file(&ran).unwrap();
    project.git(&["config", "filter.lfs.process", &filter("exit 1")]);
    let ended = works(
        &project,
        &[("copy.txt", pointer), ("heard.txt", "on disk\n"), ("shout.up", "on disk\nmore\n")],
    );
    assert!(!ran.exists(), "a filter ran");
    project.git(&["config", "--unset", "filter.lfs.process"]);
    assert!(ended.stderr.contains("filters (`lfs`, `up`) are not run"), "{}", ended.stderr);
    assert_eq!(project.git(&["status", "--porcelain", "big.lfs"]), "");
    assert_eq!(project.git(&["diff", "--name-only"]).lines().collect::<Vec<_>>(), ["shout.up", "tasks.md"]);
}

#[test]
fn a_sparse_checkout_stays_sparse() {
    if no_git() {
        return;
    }
    for cone in ["--cone", "--no-cone"] {
        let tasks = task("T001 Work", "cat in/a > y.txt; test ! -e out; echo new > in/new", None);
        let project = Project::new(&tasks, &[("in/a", "a\n"), ("out/b", "b\n"), ("out/deep/c", "c\n")]);
        let what = if cone == "--cone" { vec!["in"] } else { vec!["/*", "!/out/"] };
        project.git(&[&["sparse-checkout", "set", cone][..], &what].concat());
        assert!(!project.sandbox.exists("out"));
        let ended = works(&project, &[("y.txt", "a\n"), ("in/new", "new\n")]);
        assert!(ended.stderr.contains("the checkout is sparse"), "{}", ended.stderr);
        assert!(!project.sandbox.exists("out"));
        project.git(&["commit", "-q", "-am", "the user goes on"]);
        assert_eq!(project.git(&["cat-file", "blob", "HEAD:out/deep/c"]), "c\n", "nothing looks removed");
    }
}

#[test]
fn a_nested_repository_is_nobodys_business() {
    if no_git() {
        return;
    }
    let tasks = task("T001 Work", "echo x > y.txt; test ! -e nested/file", None);
    let project = Project::new(&tasks, &[("a", "a\n")]);
    project.sandbox.write("nested/file", "nested\n");
    let nested = project.sandbox.root().join("nested");
    git_in(&nested, &["init", "-q"]);
    git_in(&nested, &["add", "-A"]);
    git_in(&nested, &["-c", "user.name=n", "-c", "user.email=n@n", "commit", "-qm", "nested"]);
    project.sandbox.write("nested/file", "nested, changed\n");
    works(&project, &[("y.txt", "x\n")]);
}

#[test]
fn names_that_differ_in_case_alone_are_different_files() {
    if no_git() {
        return;
    }
    let tasks = task("T001 Work", "echo more >> file.txt; mkdir -p DIR; echo x > DIR/y", None);
    let files = [("File.txt", "upper\n"), ("file.txt", "lower\n"), ("dir/y", "other\n")];
    let project = Project::new(&tasks, &files);
    works(&project, &[("file.txt", "lower\nmore\n"), ("DIR/y", "x\n")]);

    // The setting of a file system that ignores case, on one that does not: as a clone from such a system has it.
    let project = Project::new(&tasks, &files[..1]);
    project.git(&["config", "core.ignorecase", "true"]);
    project.sandbox.write("tasks.md", &task("T001 Work", "echo more >> File.txt; echo x > y", None));
    works(&project, &[("File.txt", "upper\nmore\n"), ("y", "x\n")]);
}

#[test]
fn files_that_cannot_be_read_are_left_alone() {
    if no_git() {
        return;
    }
    let tasks = task("T001 Work", "echo x > y.txt", None) + &task("T002 More", "echo z > z.txt", None);
    let project = Project::new(&tasks, &[("a", "a\n"), ("tracked", "tracked\n")]);
    project.sandbox.write("untracked", "mine alone\n");
    project.sandbox.write("closed/inner", "inner\n");
    let root = project.sandbox.root();
    let made = Command::new("mkfifo").arg(root.join("pipe")).status().unwrap();
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    let before = everything(&root);
    let closed = ["tracked", "untracked", "closed"];
    let mode = |mode: u32| {
        for name in closed {
            std::fs::set_permissions(root.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    let modes: Vec<u32> = closed.iter().map(|name| root.join(name).metadata().unwrap().mode()).collect();
    mode(0o000);
    let ended = run_as_somebody(&project);
    for (name, mode) in closed.iter().zip(modes) {
        assert_eq!(root.join(name).metadata().unwrap().mode() & 0o777, 0, "{name} stays closed");
        std::fs::set_permissions(root.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let ended = ended.expect(0);
    let mut after = everything(&root);
    for (path, text) in [("y.txt", "x\n"), ("z.txt", "z\n")] {
        assert_eq!(after.remove(&root.join(path)).unwrap_or_default().1, text.as_bytes(), "{}", ended.all());
    }
    same(&before, &after);
    assert!(!project.kept().contains("mine alone"), "it could be read: this proves nothing");
}

/// Runs it as a user whom permissions hold back: as root nothing is unreadable.
fn run_as_somebody(project: &Project) -> Ended {
    const SOMEBODY: u32 = 65534;
    let root = project.sandbox.root();
    let usual = ["implement", "tasks.md", "--yes", "--isolation=worktree"];
    let mut command = project.sandbox.command(usual);
    if root.metadata().unwrap().uid() == 0 {
        let above = root.parent().unwrap();
        let program = above.join("specter");
        std::fs::copy(command.get_program(), &program).unwrap();
        let owner = format!("{SOMEBODY}:{SOMEBODY}");
        let given = Command::new("chown").args(["-R", "-h", &owner]).arg(above).status().unwrap();
        assert!(given.success());
        let mut as_somebody = Command::new(program);
        as_somebody.args(command.get_args()).current_dir(&root).env_clear();
        for (name, value) in command.get_envs() {
            value.map(|value| as_somebody.env(name, value));
        }
        as_somebody.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        std::os::unix::process::CommandExt::uid(&mut as_somebody, SOMEBODY);
        std::os::unix::process::CommandExt::gid(&mut as_somebody, SOMEBODY);
        command = as_somebody;
    }
    let ended = finish(command.spawn().unwrap());
    if root.metadata().unwrap().uid() == SOMEBODY {
        let back =
            Command::new("chown").args(["-R", "-h", "0:0"]).arg(root.parent().unwrap()).status().unwrap();
        assert!(back.success());
    }
    ended
}

#[test]
fn paths_of_three_hundred_characters_are_made_changed_and_removed() {
    if no_git() {
        return;
    }
    let deep = |name: &str| format!("{}/{}/{name}", "d".repeat(150), "e".repeat(150));
    let long = "n".repeat(255);
    let (old, gone, new) = (deep("old"), deep("gone"), deep("new"));
    let work = format!("echo more >> {old}; rm {gone}; echo new > {new}; echo long > {long}");
    let project = Project::new(&task("T001 Work", &work, None), &[(&old, "old\n"), (&gone, "gone\n")]);
    let mine = deep("mine");
    project.sandbox.write(&mine, "mine\n");
    let root = project.sandbox.root();
    let mut before = everything(&root);
    project.implement(&[]).expect(0);
    let mut after = everything(&root);
    for (path, text) in [(&old, "old\nmore\n"), (&new, "new\n"), (&long, "long\n")] {
        before.remove(&root.join(path));
        assert_eq!(after.remove(&root.join(path)).unwrap().1, text.as_bytes());
    }
    before.remove(&root.join(&gone));
    same(&before, &after);
    project.fsck();
}

#[test]
fn a_git_command_at_work_is_waited_for_and_one_that_stays_is_told() {
    if no_git() {
        return;
    }
    let project = Project::new(&task("T001 Work", "echo x > y.txt", None), &[("a", "a\n")]);
    let lock = project.sandbox.root().join(".git/index.lock");
    let at_work = || {
        std::fs::write(&lock, "").unwrap();
        let mut command = Command::new("git");
        command.args(["cat-file", "--batch"]).current_dir(project.sandbox.root());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
    };
    let mut git = at_work();
    refused(&project.sandbox, &["a git command works in the repository", "wait for the git command"]);
    let usual = ["implement", "tasks.md", "--yes", "--isolation=worktree"];
    let run = project.sandbox.command(usual).spawn().unwrap();
    std::fs::remove_file(&lock).unwrap();
    drop(git.stdin.take());
    git.wait().unwrap();
    finish(run).expect(0);
    assert_eq!(project.sandbox.read("y.txt"), "x\n");
}

#[test]
fn what_is_under_way_is_refused_with_how_to_end_it() {
    if no_git() {
        return;
    }
    let tasks = task("T001 Work", "echo x > y.txt", None);
    for (what, name) in [("cherry-pick", "cherry-pick"), ("revert", "revert")] {
        let project = Project::new(&tasks, &[("x", "x\n")]);
        project.git(&["checkout", "-q", "-b", "other"]);
        project.sandbox.write("x", "other\n");
        project.git(&["commit", "-qam", "other"]);
        project.sandbox.write("x", "again\n");
        project.git(&["commit", "-qam", "again"]);
        let commit = if what == "revert" { "HEAD~1" } else { "main" };
        if what == "cherry-pick" {
            project.git(&["checkout", "-q", "main"]);
            project.sandbox.write("x", "main\n");
            project.git(&["commit", "-qam", "main"]);
            project.git(&["checkout", "-q", "other"]);
        }
        assert!(!run_git(&project.sandbox.root(), &[what, commit]).status.success());
        refused(&project.sandbox, &[&format!("a {name} is under way"), "--abort"]);
    }
}

#[test]
fn no_hook_runs_and_nothing_is_signed() {
    if no_git() {
        return;
    }
    let tasks = task("T001 Work", "echo x > y.txt; git add -A; git commit -qm own; git tag -a -m t t", None);
    let project = Project::new(&tasks, &[("a", "a\n")]);
    let root = project.sandbox.root();
    let ran = root.parent().unwrap().join("ran");
    let marker = format!("#!/bin/sh\necho \"$0\" >> '{}'\nexit 1\n", ran.display());
    for hook in [
        "pre-commit",
        "prepare-commit-msg",
        "commit-msg",
        "post-commit",
        "post-checkout",
        "pre-merge-commit",
        "post-merge",
        "post-index-change",
        "reference-transaction",
        "pre-auto-gc",
        "post-rewrite",
    ] {
        executable(&root.join(".git/hooks").join(hook), &marker);
    }
    executable(&root.join(".git/program"), &marker);
    let program = root.join(".git/program").display().to_string();
    for (key, value) in [
        ("commit.gpgsign", "true"),
        ("tag.gpgsign", "true"),
        ("gpg.program", &*program),
        ("core.fsmonitor", &program),
        ("core.editor", &program),
        ("core.pager", &program),
        ("credential.helper", &program),
        ("core.sshCommand", &program),
        ("diff.external", &program),
    ] {
        std::fs::write(root.join(".git/config"), {
            let (section, name) = key.split_once('.').unwrap();
            project.sandbox.read(".git/config") + &format!("[{section}]\n\t{name} = {value}\n")
        })
        .unwrap();
    }
    let before = everything(&root);
    project.implement(&[]).expect(0);
    let mut after = everything(&root);
    assert_eq!(after.remove(&root.join("y.txt")).unwrap().1, b"x\n");
    same(&before, &after);
    assert!(!ran.exists(), "ran: {}", std::fs::read_to_string(&ran).unwrap_or_default());
}

// ── full disks ───────────────────────────────────────────────────────────────────────────────────────────────────

/// A file system of its own in memory; none where mounting is not allowed.
struct Mount(PathBuf);

impl Mount {
    fn new(dir: &Path, options: &str) -> Option<Mount> {
        std::fs::create_dir_all(dir).unwrap();
        let said =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "specter-test"]).arg(dir).output();
        if said.is_ok_and(|said| said.status.success()) {
            return Some(Mount(dir.to_owned()));
        }
        eprintln!("skipped: no file system can be mounted here");
        None
    }

    fn resize(&self, options: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.0).status();
        assert!(done.unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(done.unwrap().success() || std::thread::panicking());
    }
}

#[test]
fn a_disk_that_fills_while_a_working_tree_is_made_fails_the_attempt_and_nothing_else() {
    if no_git() {
        return;
    }
    let cache = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::new(&cache.path().join("trees"), "size=640m") else { return };
    let project = Project::new(&task("T001 Work", "echo x > y.txt", None), &[("a", "a\n")]);
    let run = |args: &[&str]| {
        let usual = ["--yes", "--isolation=worktree", "--min-free-disk=none", "--retries=0"];
        let mut command = project.sandbox.command(args.iter().chain(&usual));
        command.env("XDG_STATE_HOME", &mount.0);
        finish(command.spawn().unwrap())
    };
    run(&["implement", "tasks.md"]).expect(0);
    // The next run needs more than is there, in a working tree that was there before.
    project.sandbox.write("tasks.md", &task("T001 Work", "cat large | wc -c > size.txt", None));
    project.sandbox.write("large", &"0123456789abcdef".repeat(1 << 18));
    mount.resize("size=2m");
    let root = project.sandbox.root();
    let before = everything(&root);
    let ended = run(&["implement", "tasks.md"]).expect(1);
    assert!(ended.all().contains("no working tree could be made"), "{}", ended.all());
    assert!(ended.all().contains("No space left on device"), "{}", ended.all());
    same(&before, &everything(&root));
    assert!(project.sandbox.ticked().is_empty());
    mount.resize("size=640m");
    run(&["resume", "tasks.md"]).expect(0);
    assert_eq!(project.sandbox.read("size.txt").trim(), "4194304");
    project.fsck();
}

#[test]
fn a_disk_that_fills_while_work_is_saved_or_integrated_loses_nothing() {
    if no_git() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::new(&place.path().join("small"), "size=64m") else { return };
    // Incompressible, so that it needs its room wherever it is.
    let work = "head -c 3000000 /dev/urandom > large; sha256sum < large > sum.txt; cp sum.txt \"$SUM\"";
    let project =
        Project::new(&task("T001 Work", work, Some("test -s large")), &[("a", "a\n"), ("b", "b\n")]);
    let home = project.sandbox.root();
    let (root, sum) = (mount.0.join("p"), home.parent().unwrap().join("sum"));
    // As the user has it: something staged, something changed, something new.
    let made = Command::new("cp").arg("-a").arg(&home).arg(&root).status().unwrap();
    assert!(made.success());
    std::fs::write(root.join("a"), "staged\n").unwrap();
    git_in(&root, &["add", "a"]);
    std::fs::write(root.join("b"), "changed\n").unwrap();
    std::fs::write(root.join("mine"), "mine\n").unwrap();
    std::fs::write(&sum, "").unwrap();
    let run = |args: &[&str]| {
        let usual = ["--yes", "--isolation=worktree", "--min-free-disk=none", "--retries=0"];
        let mut command = project.sandbox.command(args.iter().chain(&usual));
        command.current_dir(&root).env("SUM", &sum);
        finish(command.spawn().unwrap())
    };
    let before = everything(&root);
    let sizes: Vec<u64> = (0..9).map(|n| 500 + n * 900).collect();
    let (mut full, mut failed) = (0, 0);
    for size in sizes {
        let used = String::from_utf8(Command::new("du").args(["-sk"]).arg(&mount.0).output().unwrap().stdout)
            .unwrap();
        let used: u64 = used.split_whitespace().next().unwrap().parse().unwrap();
        mount.resize(&format!("size={}k", used + size));
        let args =
            if root.join(".specter").exists() { ["resume", "tasks.md"] } else { ["implement", "tasks.md"] };
        let ended = run(&args);
        assert!(!ended.all().contains("panicked"), "{}", ended.all());
        if ended.code == Some(0) {
            break;
        }
        (full, failed) = (full + u32::from(ended.all().contains("No space left on device")), failed + 1);
        let mut now = everything(&root);
        now.retain(|path, _| before.contains_key(path));
        same(&before, &now);
    }
    mount.resize("size=64m");
    let ended = run(&["resume", "tasks.md"]);
    assert!(ended.code == Some(0) || failed == 0, "{}", ended.all());
    println!("{failed} runs on a disk too small, {full} of them were told so by the system");
    assert!(full > 0);
    let mut now = everything(&root);
    assert_eq!(now.remove(&root.join("large")).unwrap().1.len(), 3_000_000);
    assert_eq!(now.remove(&root.join("sum.txt")).unwrap().1, std::fs::read(&sum).unwrap());
    same(&before, &now);
    let said = run_git(&root, &["fsck", "--strict", "--no-dangling"]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    git_in(&root, &["commit", "-qm", "the user goes on"]);
}
