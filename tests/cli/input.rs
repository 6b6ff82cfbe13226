//! Bad input: each gets one clear diagnostic, what to do, and its exit code; nothing is run and nothing is written.

use super::{TRACE, everything, page};
use crate::run::sandbox::{Ended, Sandbox};
use std::os::unix::fs::PermissionsExt as _;

/// Runs `implement --yes ARGS` and makes sure that it did nothing at all.
fn refused(sandbox: &Sandbox, args: &[&str]) -> Ended {
    let before = everything(sandbox);
    let ended = sandbox.run(["implement", "--yes"].iter().chain(args));
    assert!(!sandbox.exists("trace"), "{args:?} ran a task");
    assert_eq!(everything(sandbox), before, "{args:?} wrote something");
    ended
}

/// All cases on one page, each under its name.
fn pages(cases: &[(&str, &[u8])]) -> String {
    let one = |(name, bytes): &(&str, &[u8])| {
        let sandbox = Sandbox::new("");
        std::fs::write(sandbox.root().join("tasks.md"), bytes).unwrap();
        let ended = refused(&sandbox, &["tasks.md"]);
        assert_eq!(ended.code, Some(65), "{name}");
        format!("## {name}\n{}\n", page(&sandbox, &ended))
    };
    cases.iter().map(one).collect()
}

#[test]
fn a_file_that_is_no_text_is_told_apart_and_refused() {
    insta::assert_snapshot!(pages(&[
        ("empty", b""),
        ("only a byte order mark", b"\xef\xbb\xbf"),
        ("binary", b"\x7fELF\x02\x01\x01\0\0\0"),
        ("latin 1", b"# Tasks\n\n- [ ] T001 Caf\xe9\n"),
        ("cut in a character", b"- [ ] T001 \xe4\xbd"),
        ("UTF-16", b"\xff\xfe-\0 \0[\0 \0]\0"),
        ("no task", b"# Notes\n\nNothing to do here.\n"),
    ]));
}

#[test]
fn a_file_that_makes_no_sense_is_refused_with_places() {
    let with_trace = |text: &str| format!("{TRACE}{text}").into_bytes();
    let attribute = TRACE.replace("sh run", "sh run timeout=soon");
    insta::assert_snapshot!(pages(&[
        ("duplicate id", &with_trace("- [ ] T001 Again\n")),
        ("unknown dependency", &with_trace("- [ ] T002 Later (depends on T010)\n")),
        ("self dependency", &with_trace("- [ ] T002 Later (depends on T002)\n")),
        ("cycle", &with_trace("- [ ] T002 A (depends on T003)\n- [ ] T003 B (depends on T002)\n")),
        ("unclosed fence", &with_trace("\n```sh\necho b\n\n- [ ] T002 Swallowed\n")),
        ("bad attribute", attribute.as_bytes()),
    ]));
}

#[test]
fn what_is_no_file_is_never_waited_for() {
    let sandbox = Sandbox::new(TRACE);
    let root = sandbox.root();
    std::fs::create_dir(root.join("dir")).unwrap();
    std::os::unix::fs::symlink("nowhere.md", root.join("dangling.md")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(root.join("pipe.md")).status().unwrap();
    assert!(made.success());
    let mut text = String::new();
    for file in ["dir", "missing.md", "taks.md", "dangling.md", "pipe.md", "/dev/zero"] {
        let ended = sandbox.run(["implement", "--yes", file]).expect(65);
        text += &format!("## {file}\n{}\n", page(&sandbox, &ended));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_file_that_may_not_be_read_says_so() {
    let sandbox = Sandbox::new(TRACE);
    let path = sandbox.root().join("tasks.md");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&path).is_ok() {
        println!("skipped: this user may read everything");
        return;
    }
    let ended = sandbox.run(["implement", "--yes"]).expect(65);
    assert!(
        ended.stderr.contains("Permission denied") && ended.stderr.contains("help: check its permissions")
    );
}

#[test]
fn a_command_line_that_asks_for_what_is_not_there_is_answered_with_the_nearest_name() {
    let sandbox =
        Sandbox::new(&format!("## Phase 1: Setup\n\n{}", TRACE.replace("Leave", "[US1] [P1] Leave")));
    let cases: [&[&str]; 15] = [
        &["--sotry=US1"],
        &["--parallel=storys"],
        &["--format=jsn"],
        &["--story=US2"],
        &["--filter=P9"],
        &["--filter=P1 nad US1"],
        &["--filter=(P1"],
        &["--only=T100"],
        &["--from=T010"],
        &["--phase=7"],
        &["-j0"],
        &["--timeout=30"],
        &["--retries=many"],
        &["--treat=~"],
        &["--trust=abc"],
    ];
    let mut text = String::new();
    for args in cases {
        let before = everything(&sandbox);
        let ended = sandbox.run(["implement"].iter().chain(args)).expect(2);
        assert_eq!(everything(&sandbox), before, "{args:?}");
        text += &format!("## {}\n{}\n", args.join(" "), page(&sandbox, &ended));
    }
    for command in
        [&["implemnt"][..], &["check", "--explain", "cycel"], &["completions", "basj"], &["why", "T002"]]
    {
        let ended = sandbox.run(command).expect(2);
        text += &format!("## specter {}\n{}\n", command.join(" "), page(&sandbox, &ended));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_shell_that_is_not_there_is_found_before_anything_runs() {
    let sandbox = Sandbox::new(TRACE);
    for shell in ["nosuchshell", "./nosuchshell", "./tasks.md"] {
        let mut command = sandbox.command(["implement", "--yes"]);
        let ended =
            crate::run::sandbox::finish(command.env("SPECTER_SHELL", shell).spawn().unwrap()).expect(69);
        assert!(ended.stderr.contains(&format!("the shell `{shell}` was not found")), "{}", ended.stderr);
        assert!(!sandbox.exists("trace") && !sandbox.exists(".specter"));
    }
}

#[test]
fn the_shell_that_is_named_is_the_one_that_runs() {
    let sandbox = Sandbox::new(TRACE);
    sandbox.write("shells/mine", "#!/bin/sh\necho mine > which\nexec /bin/sh \"$@\"\n");
    let path = sandbox.root().join("shells/mine");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.write("specter.toml", "shell = 'shells/mine'\n");
    sandbox.run(["implement", "--yes"]).expect(0);
    assert_eq!((sandbox.read("which").as_str(), sandbox.read("trace").as_str()), ("mine\n", "ran\n"));
}

#[test]
fn a_plain_command_goes_through_the_shell_when_told_to() {
    let sandbox = Sandbox::new("- [ ] T001 Touch\n\n  ```sh run\n  touch trace\n  ```\n");
    sandbox.write("mine", "#!/bin/sh\necho mine > which\nexec /bin/sh \"$@\"\n");
    let path = sandbox.root().join("mine");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.write("specter.toml", "shell = './mine'\nforce-shell = true\n");
    sandbox.run(["implement", "--yes"]).expect(0);
    assert!(sandbox.exists("trace") && sandbox.exists("which"));
}

#[test]
fn a_place_that_cannot_hold_state_is_told_of_before_anything_runs() {
    let sandbox = Sandbox::new(TRACE);
    std::fs::create_dir(sandbox.root().join("real")).unwrap();
    let mut text = String::new();
    for dir in ["tasks.md", "/dev/null/state"] {
        let ended = refused(&sandbox, &["--state-dir", dir]).expect(74);
        text += &format!("## --state-dir {dir}\n{}\n", page(&sandbox, &ended));
    }
    std::os::unix::fs::symlink("real", sandbox.root().join(".specter")).unwrap();
    let ended = refused(&sandbox, &[]).expect(74);
    text += &format!("## a link\n{}\n", page(&sandbox, &ended));
    insta::assert_snapshot!(text);
}

#[test]
fn a_directory_that_is_gone_is_told_of() {
    let sandbox = Sandbox::new(TRACE);
    let script = "mkdir gone && cd gone && rmdir ../gone && exec \"$0\" plan";
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_specter")]).current_dir(sandbox.root());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(74));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("the current directory cannot be told"), "{stderr}");
}

#[test]
fn a_path_that_is_not_utf_8_works_like_any_other() {
    use std::os::unix::ffi::OsStrExt as _;
    let sandbox = Sandbox::new("");
    let name = std::ffi::OsStr::from_bytes(b"t\xffsks.md");
    std::fs::write(sandbox.root().join(name), TRACE).unwrap();
    sandbox.run([std::ffi::OsStr::new("check"), name]).expect(0);
    sandbox.run([std::ffi::OsStr::new("implement"), "--yes".as_ref(), name]).expect(0);
    assert!(std::fs::read_to_string(sandbox.root().join(name)).unwrap().starts_with("- [x] T001"));
    assert_eq!(sandbox.read("trace"), "ran\n");
}

#[test]
fn a_warning_that_ends_a_strict_command_is_told_to_quiet_screens_too() {
    let sandbox = Sandbox::new(&format!("{TRACE}- [~] T002 Half\n"));
    for args in [&["implement", "--yes", "--strict", "-q"][..], &["plan", "--strict", "-q"]] {
        let ended = sandbox.run(args).expect(65);
        assert!(ended.stderr.contains("unclear-mark"), "{args:?}: {}", ended.stderr);
    }
    assert!(!sandbox.exists("trace"));
}

#[test]
fn a_warning_fails_a_strict_check_and_no_other() {
    let sandbox = Sandbox::new(&format!("{TRACE}- [~] T002 Half\n"));
    sandbox.run(["check"]).expect(0);
    let ended = sandbox.run(["check", "--strict"]).expect(65);
    assert!(ended.all().contains("unclear-mark"), "{}", ended.all());
    Sandbox::new(TRACE).run(["check", "--strict"]).expect(0);
}
