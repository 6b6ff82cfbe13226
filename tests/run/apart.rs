//! Tasks at work side by side, one of which silently writes where the other works, in the project or in what specter keeps:
//! with default settings nothing of it arrives. Hostile tasks meet by files, and find the others as any process can.

use super::agents::Agents as _;
use super::sandbox::{Ended, finish};
use super::worktrees::{Project, task};
use crate::git::no_git;
use std::path::Path;

/// Each way to write that a task tries; what worked is told in the task's own file.
const WAYS: &[(&str, &str)] = &[
    ("the tree of the other, from /proc", "for d in $(readlink /proc/[0-9]*/cwd | sort -u); do
    case $d in \"$PWD\") ;; */worktrees/*) echo $WORD > \"$d/evil1\" && echo \"$d\" >> found;; esac; done; test -e found"),
    ("the tree of the other, from the list of the pool", "for d in \"$STATE\"/worktrees/*/*/p; do
    test \"$d\" = \"$PWD\" || echo $WORD > \"$d/evil2\" && test -e \"$d/evil2\"; done"),
    ("a file of the other", "echo $WORD >> \"$(cat \"$MEET/one\")/theirs.txt\""),
    ("the repository of the other", "echo $WORD > \"$(cat \"$MEET/one\")/../git/refs/heads/evil\""),
    ("a link in the tree of the other", "ln \"$PWD/own.txt\" \"$(cat \"$MEET/one\")/evil3\""),
    ("moved into the tree of the other", "echo $WORD > mine && mv mine \"$(cat \"$MEET/one\")/evil4\""),
    ("the project", "echo $WORD >> \"$ROOT/mine.txt\""),
    ("the repository of the project", "git -C \"$ROOT\" config core.pager evil"),
    ("the journal", "for run in \"$ROOT\"/.specter/runs/*; do echo $WORD >> \"$run/journal.ndjson\"; done"),
    ("what was agreed to", "mkdir -p \"$STATE/trust\" && echo $WORD > \"$STATE/trust/evil\""),
];

fn hostile() -> String {
    let tries = WAYS
        .iter()
        .map(|(name, code)| format!("if ( {code} ) 2>> errors; then echo '{name}' >> own.txt; fi"));
    let tries: Vec<String> = tries.collect();
    let code = format!(
        "while ! test -e \"$MEET/one\"; do sleep 0.01; done; echo begun > own.txt\n{}\nrm -f errors found mine\ntouch \"$MEET/done\"",
        tries.join("\n")
    );
    task("T002 [P] Write own.txt", &code.replace('\n', "\n  "), None)
}

fn victim() -> String {
    let code = "pwd > \"$MEET/begun\"; echo kept > theirs.txt; mv \"$MEET/begun\" \"$MEET/one\"
  while ! test -e \"$MEET/done\"; do sleep 0.01; done";
    task("T001 [P] Write theirs.txt", code, None)
}

fn implement(project: &Project, meet: &Path, more: &[&str]) -> Ended {
    let usual =
        ["implement", "tasks.md", "--yes", "--isolation=worktree", "--parallel", "-j2", "--retries=0"];
    let mut command = project.sandbox.command(usual.iter().chain(more));
    command.env("MEET", meet).env("WORD", "malice").env("ROOT", project.sandbox.root());
    command.env("STATE", project.sandbox.home().join(".local/state/specter"));
    finish(command.spawn().unwrap())
}

fn both(more: &[&str]) -> (Project, Ended) {
    let project = Project::new(&(victim() + &hostile()), &[("mine.txt", "mine\n")]);
    let meet = tempfile::tempdir().unwrap();
    let ended = implement(&project, meet.path(), more);
    (project, ended)
}

#[test]
fn a_task_cannot_write_where_another_works_nor_in_the_project_nor_in_what_specter_keeps() {
    if no_git() {
        return;
    }
    let (project, ended) = both(&[]);
    let own = project.own();
    let ended = ended.expect(0);
    assert_eq!(project.sandbox.read("own.txt"), "begun\n", "none of the ways is open: {}", ended.all());
    assert_eq!(project.sandbox.read("theirs.txt"), "kept\n");
    assert_eq!(project.sandbox.read("mine.txt"), "mine\n");
    assert!(!project.kept().contains("malice"), "nothing of it is in what the attempts left");
    assert!((1..=4).all(|n| !project.sandbox.exists(&format!("evil{n}"))));
    assert!(project.of_kind("escaped").is_empty(), "{}", ended.all());
    assert_eq!(project.sandbox.ticked(), ["T001", "T002"]);
    assert_eq!(project.own(), own);
    assert!(ended.all().contains("shell, in working trees kept from each other"), "{}", ended.all());
    project.fsck();
}

#[test]
fn each_of_these_ways_is_open_without_the_sandbox() {
    if no_git() {
        return;
    }
    let (project, ended) = both(&["--sandbox=off"]);
    let said = project.kept() + &ended.all();
    let closed: Vec<&str> = WAYS.iter().map(|(name, _)| *name).filter(|name| !said.contains(name)).collect();
    assert!(closed.is_empty(), "{closed:?}: {}", ended.all());
}

#[test]
fn a_task_in_a_working_tree_may_write_everywhere_else() {
    if no_git() {
        return;
    }
    let code = "echo x > \"$MEET/outside\"; echo x >> ~/.profile; mkdir ~/.cache/tool; echo x > ~/.cache/tool/x
  mv ~/.cache/tool ~/.config/tool; ln ~/.config/tool/x ~/notes/x
  git add -A; git -c user.name=a -c user.email=a@b commit -qm own --allow-empty; git gc -q
  echo x > $TMPDIR/x; mv $TMPDIR/x x; echo x > /dev/null; kill -0 $PPID; f=/dev/shm/specter-test-$$; echo > $f; rm $f";
    let project = Project::new(&task("T001 Write x", code, Some("test -e x")), &[("mine.txt", "mine\n")]);
    std::fs::write(project.sandbox.home().join(".profile"), "").unwrap();
    std::fs::create_dir(project.sandbox.home().join("notes")).unwrap();
    let meet = tempfile::tempdir().unwrap();
    implement(&project, meet.path(), &[]).expect(0);
    assert!(meet.path().join("outside").exists() && project.sandbox.home().join(".config/tool/x").exists());
    assert_eq!(std::fs::read_to_string(project.sandbox.home().join(".profile")).unwrap(), "x\n");
}

#[test]
fn a_task_commits_in_a_tree_that_another_had_before_it() {
    if no_git() {
        return;
    }
    let commit = "git add -A; git -c user.name=a -c user.email=a@b commit -qm own";
    let one = |n: u32| task(&format!("T00{n} Write {n}"), &format!("echo {n} > {n}; {commit}"), None);
    for level in ["auto", "write"] {
        let project = Project::new(&(one(1) + &one(2) + &one(3)), &[("mine.txt", "mine\n")]);
        let meet = tempfile::tempdir().unwrap();
        implement(&project, meet.path(), &[&format!("--sandbox={level}")]).expect(0);
        let leased = project.of_kind("worktree_leased");
        assert!(leased.len() == 3 && leased[0]["path"] == leased[2]["path"], "{level}: {leased:?}");
        assert_eq!(project.sandbox.ticked(), ["T001", "T002", "T003"], "{level}");
    }
}

#[test]
fn a_failure_that_the_sandbox_may_have_caused_names_it_and_how_to_turn_it_off() {
    if no_git() {
        return;
    }
    let project = Project::new(&task("T001 Write", "echo x > \"$ROOT/x\"", None), &[("mine.txt", "mine\n")]);
    let meet = tempfile::tempdir().unwrap();
    let ended = implement(&project, meet.path(), &[]).expect(1);
    assert!(ended.all().contains("the sandbox may have refused it"), "{}", ended.all());
    assert!(ended.all().contains("`--sandbox=off`"), "{}", ended.all());
    let project = Project::new(&task("T001 Fail", "echo broken; exit 1", None), &[("mine.txt", "mine\n")]);
    let ended = implement(&project, meet.path(), &[]).expect(1);
    assert!(!ended.all().contains("sandbox"), "{}", ended.all());
}

#[test]
fn what_the_user_wants_all_trees_to_share_can_be_written_by_them() {
    if no_git() {
        return;
    }
    let code = "echo x > packages/x; echo x > y; ! echo x > \"$ROOT/z\"";
    let files = [(".gitignore", "packages\n"), ("packages/one", "1\n")];
    let project = Project::new(&task("T001 Write y", code, None), &files);
    project.sandbox.write("../home/.config/specter/config.toml", "worktrees.carry = ['packages=symlink']\n");
    let meet = tempfile::tempdir().unwrap();
    implement(&project, meet.path(), &[]).expect(0);
    assert_eq!((project.sandbox.read("packages/x"), project.sandbox.exists("z")), ("x\n".to_owned(), false));
}

#[test]
fn where_the_kernel_cannot_one_line_says_that_trees_are_only_watched() {
    if no_git() {
        return;
    }
    let project = Project::new(&task("T001 Write x", "echo x > x", None), &[("mine.txt", "mine\n")]);
    let usual = ["implement", "tasks.md", "--yes", "--isolation=worktree"];
    let ended = super::landlock::where_the_kernel_refuses(project.sandbox.command(usual)).expect(0);
    let line = "tasks are not kept from each other's working trees, only watched";
    assert_eq!(ended.stderr.matches(line).count(), 1, "{}", ended.stderr);
    assert!(!ended.stderr.contains("kept from each other ·"), "{}", ended.stderr);
    assert_eq!(project.sandbox.read("x"), "x\n");
}

/// Names in a directory, in order.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn nothing_is_made_at_home_before_it_was_agreed_to_and_then_what_programs_need() {
    if no_git() {
        return;
    }
    let project = Project::new(&task("T001 Write x", "echo x > x", None), &[("mine.txt", "mine\n")]);
    let home = project.sandbox.home();
    let before = names(&home);
    let trees = "--isolation=worktree";
    project.sandbox.run(["implement", "tasks.md", trees]).expect(77);
    assert_eq!(names(&home), before, "it was not agreed to");
    project.sandbox.run(["implement", "tasks.md", trees, "--yes", "--dry-run"]).expect(0);
    project.sandbox.run(["plan", "tasks.md"]).expect(0);
    assert_eq!(names(&home), before, "nothing was to be run");
    project.sandbox.run(["implement", "tasks.md", trees, "--yes"]).expect(0);
    for made in [".cache", ".config", ".local/bin", ".local/share"] {
        assert!(home.join(made).is_dir(), "{made}");
    }
}

#[test]
fn a_name_that_a_task_cannot_make_is_told_with_what_makes_it_and_then_it_works() {
    if no_git() {
        return;
    }
    let code = "mkdir -p ~/.new-tool/cache && echo x > ~/.new-tool/cache/x";
    let project = Project::new(&task("T001 Use it", code, None), &[("mine.txt", "mine\n")]);
    let tool = project.sandbox.home().join(".new-tool");
    let meet = tempfile::tempdir().unwrap();
    implement(&project, meet.path(), &[]).expect(1);
    let rule = project.of_kind("attempt_finished")[0]["rule"].as_str().unwrap().to_owned();
    assert!(rule.contains(&format!("(`mkdir {}`,", tool.display())), "{rule}");
    std::fs::create_dir(&tool).unwrap();
    implement(&project, meet.path(), &[]).expect(0);
    assert!(tool.join("cache/x").exists());
}

#[test]
fn an_agent_that_was_refused_a_write_fails_with_the_same_hint() {
    if no_git() {
        return;
    }
    let orders = ["try mkdir ~/.new-tool", "say I could not"];
    let tasks = super::agents::task("T001 Write a.txt", &orders, None);
    let project = Project::new(&tasks, &[("mine.txt", "mine\n")]);
    let trees = ["--isolation=worktree", "--user-edits=none", "--retries=0"];
    project.hire().agents(&trees).expect(1);
    let rules = project.failures();
    let hint = format!("`mkdir {}/.new-tool`", project.sandbox.home().display());
    assert!(rules.len() == 1 && rules[0].1.contains(&hint), "{rules:?}");
    project.hire().agents(&[trees.as_slice(), &["--sandbox=off"]].concat()).expect(1);
    assert!(!project.failures()[0].1.contains("sandbox"), "{:?}", project.failures());
}

#[test]
fn a_repository_is_out_of_reach_wherever_its_parts_lie() {
    if no_git() {
        return;
    }
    let code = "for dir in $DIRS; do test -d $dir || echo $dir >> missing; echo x > $dir/evil && echo $dir >> evil; done
  touch evil missing; test ! -s evil && test ! -s missing";
    let project = Project::new(&task("T001 Try it", code, None), &[("mine.txt", "mine\n")]);
    let (root, beside) = (project.sandbox.root(), project.sandbox.root().with_file_name("beside"));
    std::fs::create_dir(&beside).unwrap();
    let at = |name: &str| beside.join(name).to_str().unwrap().to_owned();
    project.git(&["worktree", "add", "-q", "-b", "linked", &at("linked")]);
    project.git(&["clone", "-q", "--separate-git-dir", &at("separate.git"), ".", &at("separate")]);
    project.git(&["clone", "-q", ".", &at("above")]);
    let allowed = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add"];
    let from = root.to_str().unwrap();
    crate::git::git_in(Path::new(&at("above")), &[allowed.as_slice(), &[from, "below"]].concat());
    // One whose own part does not lie in what it shares.
    project.git(&["worktree", "add", "-q", "-b", "far", &at("far")]);
    std::fs::rename(root.join(".git/worktrees/far"), at("far.git")).unwrap();
    std::fs::write(at("far/.git"), format!("gitdir: {}\n", at("far.git"))).unwrap();
    std::fs::write(at("far.git/commondir"), format!("{from}/.git\n")).unwrap();
    let cases = [
        ("linked", vec![root.join(".git"), root.join(".git/worktrees/linked")]),
        ("separate", vec![at("separate.git").into()]),
        ("above/below", vec![at("above/.git/modules/below").into(), at("above/below").into()]),
        ("far", vec![root.join(".git"), at("far.git").into()]),
    ];
    for (name, dirs) in cases {
        let mut command = project.sandbox.command([
            "implement",
            "tasks.md",
            "--yes",
            "--isolation=worktree",
            "--retries=0",
        ]);
        let dirs: Vec<&str> = dirs.iter().map(|dir| dir.to_str().unwrap()).collect();
        // Who is started by a hook inherits where that hook's repository is.
        command.current_dir(at(name)).env("GIT_DIR", at("elsewhere")).env("DIRS", dirs.join(" "));
        let ended = finish(command.spawn().unwrap());
        assert_eq!(ended.code, Some(0), "{name}: {}", ended.all());
    }
}

#[test]
fn a_run_made_without_the_sandbox_says_at_resume_that_it_has_one_now() {
    if no_git() {
        return;
    }
    let project = Project::new(
        &task("T001 Write", "echo x >> \"$ROOT/x\"; test -e ready", None),
        &[("mine.txt", "mine\n")],
    );
    let meet = tempfile::tempdir().unwrap();
    implement(&project, meet.path(), &["--sandbox=off"]).expect(1);
    let resume = |more: &[&str]| {
        let mut command = project.sandbox.command(["resume", "--yes"].iter().chain(more));
        finish(command.env("ROOT", project.sandbox.root()).spawn().unwrap())
    };
    let line = "was made with `--sandbox=off` and goes on in the sandbox";
    let ended = resume(&[]).expect(1);
    assert_eq!(ended.stderr.matches(line).count(), 1, "{}", ended.stderr);
    let ended = resume(&["--sandbox=off"]).expect(1);
    assert_eq!(ended.stderr.matches(line).count(), 0, "{}", ended.stderr);
    assert_eq!(project.sandbox.read("x"), "x\n".repeat(2), "the one between was refused");
}

#[test]
fn a_file_that_an_agent_would_write_over_in_place_stays_whole() {
    if no_git() {
        return;
    }
    let orders = ["try echo half > ~/.claude.json", "try echo x > ~/.claude/x", "write a.txt x"];
    let project =
        Project::new(&super::agents::task("T001 Write a.txt", &orders, None), &[("mine.txt", "mine\n")]);
    let home = project.sandbox.home();
    std::fs::write(home.join(".claude.json"), "{}\n").unwrap();
    project.hire().agents(&["--isolation=worktree", "--user-edits=none"]).expect(0);
    assert_eq!(std::fs::read_to_string(home.join(".claude.json")).unwrap(), "{}\n");
    assert!(home.join(".claude/x").exists());
}
