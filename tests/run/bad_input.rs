//! Bad input is an error before anything runs: one clear message, what to do, the right exit code, nothing written.

use super::sandbox::Sandbox;
use std::os::unix::fs::PermissionsExt;

const WORK: &str = "\n\n  ```sh run\n  echo ran >> ran\n  ```\n";

fn task(line: &str) -> String {
    format!("- [ ] {line}{WORK}")
}

/// Runs `implement` on `text`; it must end with `code`, say each of `told`, run nothing and write no state.
#[track_caller]
fn refused(text: &str, args: &[&str], code: i32, told: &[&str]) {
    let sandbox = Sandbox::new(text);
    let ended = sandbox.run(["implement", "--yes"].iter().chain(args)).expect(code);
    for words in told {
        assert!(ended.stderr.contains(words), "`{words}` is missing:\n{}", ended.stderr);
    }
    assert!(!sandbox.exists("ran"), "something ran");
    assert!(!sandbox.exists(".specter"), "state was written");
    assert_eq!(sandbox.read("tasks.md"), text);
}

#[test]
fn a_file_without_tasks_is_an_error_and_never_a_success() {
    for text in ["", "\n\n", "# Tasks\n\nprose\n", "- a list\n- and no box\n"] {
        refused(text, &[], 65, &["no-tasks"]);
    }
}

#[test]
fn duplicate_ids_name_both_lines() {
    refused(
        &format!("{}{}", task("T001 A"), task("T001 B")),
        &[],
        65,
        &["duplicate-id", "T001", "tasks.md:6"],
    );
}

#[test]
fn dependencies_that_lead_nowhere_or_in_circles_are_errors() {
    refused(&task("T001 A (depends on T0002)"), &[], 65, &["unknown-dependency", "T0002"]);
    refused(&task("T001 A (depends on T001)"), &[], 65, &["self-dependency"]);
    let circle = format!("{}{}", task("T001 A (depends on T002)"), task("T002 B (depends on T001)"));
    refused(&circle, &[], 65, &["cycle", "T001", "T002"]);
}

#[test]
fn blocks_that_cannot_be_read_are_errors() {
    refused("- [ ] T001 A\n\n  ```sh run\n  echo ran >> ran\n\n- [ ] T002 B\n", &[], 65, &["unclosed-fence"]);
    refused(
        "- [ ] T001 A\n\n  ```sh run timeout=soon\n  echo ran >> ran\n  ```\n",
        &[],
        65,
        &["bad-attribute", "soon"],
    );
    refused(
        "- [ ] T001 A\n\n  ```sh run tiemout=1s\n  echo ran >> ran\n  ```\n",
        &[],
        65,
        &["bad-attribute", "timeout"],
    );
}

#[test]
fn open_tasks_without_work_are_listed_before_anything_runs() {
    refused(&format!("{}- [ ] T002 Think\n", task("T001 A")), &[], 69, &["T002", "sh run"]);
}

#[test]
fn what_is_asked_for_and_does_not_exist_is_answered_with_the_nearest_name() {
    let text = task("T001 [US1] A");
    refused(&text, &["--story=US11"], 2, &["US11"]);
    refused(&text, &["--filter=phase:9"], 2, &["9"]);
    refused(&text, &["--filter=((US1"], 2, &["bad-filter"]);
    refused(&text, &["--only=T002"], 2, &["T002", "T001"]);
    refused(&text, &["--paralel"], 2, &["--parallel"]);
    refused(&text, &["--parallel=grahp"], 2, &["graph"]);
    refused(&text, &["--jobs=0"], 2, &["--jobs"]);
}

#[test]
fn an_unknown_setting_names_its_place_and_the_nearest_one() {
    let sandbox = Sandbox::new(&task("T001 A"));
    sandbox.write("specter.toml", "\nretreis = 3\n");
    let ended = sandbox.run(["implement", "--yes"]).expect(78);
    for words in ["specter.toml:2:1", "retreis", "retries"] {
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    assert!(!sandbox.exists("ran"));
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    for (bytes, told) in [
        (&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], "UTF-8"),
        (&b"- [ ] T001 caf\xe9\n"[..], "line 1, column 15"),
        (&b"\xff\xfe-\0 \0[\0 \0]\0"[..], "UTF-16"),
        (&b"- [ ] T001 a\n\0\0"[..], "NUL"),
    ] {
        let sandbox = Sandbox::new("");
        std::fs::write(sandbox.root().join("tasks.md"), bytes).unwrap();
        let ended = sandbox.run(["implement", "--yes"]).expect(65);
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }
}

#[test]
fn a_path_that_is_no_task_file_is_refused() {
    let sandbox = Sandbox::new(&task("T001 A"));
    std::fs::create_dir(sandbox.root().join("empty")).unwrap();
    for (path, told) in [("missing.md", "missing.md"), ("empty", "tasks.md"), ("/dev/null", "device")] {
        let ended = sandbox.run(["implement", "--yes", path]).expect(65);
        assert!(ended.stderr.contains(told), "{path}: {}", ended.stderr);
    }
}

#[test]
fn commands_of_a_repository_run_only_after_consent() {
    let sandbox = Sandbox::new(&task("T001 A"));
    let refused = sandbox.run(["implement"]).expect(77);
    assert!(refused.stderr.contains("echo ran >> ran") && !sandbox.exists("ran"), "{}", refused.stderr);
    // CI grants nothing, and neither does a hash of other commands.
    let mut in_ci = sandbox.command(["implement"]);
    in_ci.env("CI", "true");
    super::sandbox::finish(in_ci.spawn().unwrap()).expect(77);
    sandbox.run(["implement", &format!("--trust={}", "0".repeat(64))]).expect(77);
    let hash = sandbox.run(["trust", "--hash"]).expect(0).stdout;
    let hash = hash.lines().find_map(|line| line.strip_prefix("hash: ")).unwrap();
    sandbox.run(["implement", &format!("--trust={hash}")]).expect(0);
    assert_eq!(sandbox.read("ran"), "ran\n");
    // Agreed to for good: plain edits never ask again, other commands do.
    sandbox.run(["trust"]).expect(0);
    sandbox.write("tasks.md", &task("T001 Another title"));
    sandbox.run(["implement"]).expect(0);
    sandbox.write("tasks.md", &task("T001 A").replace("echo ran", "echo other"));
    let changed = sandbox.run(["implement"]).expect(77);
    assert!(changed.stderr.contains("echo other"), "{}", changed.stderr);
}

#[test]
fn an_interpreter_that_is_missing_fails_its_task_for_good() {
    let sandbox = Sandbox::new("- [ ] T001 A\n\n  ```no-such-interpreter run\n  x\n  ```\n");
    let ended = sandbox.run(["implement", "--yes"]).expect(1);
    assert!(ended.all().contains("no-such-interpreter"), "{}", ended.all());
    assert_eq!(sandbox.ids("attempt_started").len(), 1, "a permanent failure is not tried again");
}

#[test]
fn a_project_that_cannot_be_written_is_said_before_anything_runs() {
    let sandbox = Sandbox::new(&task("T001 A"));
    // As root permissions do not bind; a file in the place of the directory does.
    sandbox.write(".specter", "in the way");
    let ended = sandbox.run(["implement", "--yes"]);
    assert!(matches!(ended.code, Some(74)), "{:?} {}", ended.code, ended.stderr);
    assert!(ended.stderr.contains(".specter") && !sandbox.exists("ran"), "{}", ended.stderr);
    std::fs::remove_file(sandbox.root().join(".specter")).unwrap();
    std::os::unix::fs::symlink("/tmp", sandbox.root().join(".specter")).unwrap();
    let ended = sandbox.run(["implement", "--yes"]).expect(74);
    assert!(ended.stderr.contains("link") && !sandbox.exists("ran"), "{}", ended.stderr);
}

#[test]
fn state_is_private_whatever_the_umask() {
    let sandbox = Sandbox::new(&task("T001 A"));
    sandbox.run(["implement", "--yes"]).expect(0);
    let mode =
        |name: &str| std::fs::metadata(sandbox.root().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(".specter"), 0o700);
    assert_eq!(mode(".specter/implementation.log"), 0o600);
    assert_eq!(std::fs::metadata(sandbox.journal().unwrap()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_damaged_journal_is_refused_and_left_as_it_is() {
    let sandbox =
        Sandbox::new(&format!("{}{}", task("T001 A"), task("T002 B").replace("echo ran >> ran", "exit 126")));
    sandbox.run(["implement", "--yes"]).expect(1);
    let journal = sandbox.journal().unwrap();
    let mut bytes = std::fs::read(&journal).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    std::fs::write(&journal, &bytes).unwrap();
    let ended = sandbox.run(["resume", "--yes"]).expect(65);
    assert!(ended.stderr.contains("damaged") && ended.stderr.contains("line"), "{}", ended.stderr);
    assert_eq!(std::fs::read(&journal).unwrap(), bytes);
}
