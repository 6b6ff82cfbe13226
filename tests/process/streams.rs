//! Whatever specter's own streams and terminal are, or are not: no panic.

use super::pty::Terminal;
use super::{NEVER, many_tasks};
use crate::run::sandbox::{Sandbox, finish, wait};
use std::process::Command;

fn sandbox() -> Sandbox {
    Sandbox::new(
        &(many_tasks(20, "echo hello; sleep 0.05")
            + "- [ ] T900 [P] Fail\n\n  ```sh run retries=0\n  echo no; exit 3\n  ```\n"),
    )
}

const ARGS: [&str; 4] = ["implement", "--parallel", "-j2", "--yes"];

#[test]
fn closed_streams_are_no_crash() {
    for closed in ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full"] {
        for format in ["--format=text", "--format=json"] {
            let sandbox = sandbox();
            let specter = sandbox.command(["x"]).get_program().to_owned();
            let mut command = sandbox.command(["unused"]);
            let environment: Vec<_> = command
                .get_envs()
                .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
                .collect();
            command = Command::new("sh");
            command
                .args(["-c", &format!("exec \"$@\" {closed}"), "sh"])
                .arg(specter)
                .args(ARGS)
                .arg(format)
                .current_dir(sandbox.root())
                .env_clear()
                .envs(environment)
                .stdin(std::process::Stdio::null())
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped());
            let ended = finish(command.spawn().unwrap());
            let is_orderly = matches!(ended.code, Some(1 | 74 | 130));
            assert!(is_orderly, "{closed} {format}: {:?} {}", ended.code, ended.all());
            assert!(!ended.all().contains("panicked"), "{closed}: {}", ended.all());
            super::check_record(&sandbox);
        }
    }
}

#[test]
fn a_terminal_of_any_size_and_kind_is_no_crash() {
    for (rows, columns) in [(1, 1), (0, 0), (1, 500), (2, 3), (1000, 1)] {
        for (name, value) in [("TERM", "xterm"), ("TERM", "dumb"), ("NO_COLOR", "1"), ("TERM", "")] {
            let sandbox = sandbox();
            let terminal = Terminal::new(rows, columns);
            let mut command = sandbox.command(ARGS);
            command.env_remove("COLUMNS");
            let mut child = terminal.start_as(command, name, value);
            let status = wait(&mut child, NEVER).expect("it ends");
            assert_eq!(status.code(), Some(1), "{rows}x{columns} {name}={value}: {}", terminal.shown());
            assert!(!terminal.shown().contains("panicked"));
            terminal.check_restored();
        }
    }
}

#[test]
fn a_terminal_that_changes_its_size_all_the_time_is_no_crash() {
    let sandbox = sandbox();
    let terminal = Terminal::new(24, 80);
    let mut child = terminal.start(sandbox.command(ARGS));
    let mut rng = fastrand::Rng::with_seed(7);
    let status = loop {
        terminal.resize(rng.u16(0..40), rng.u16(0..120));
        if let Some(status) = wait_a_little(&mut child) {
            break status;
        }
    };
    assert_eq!(status.code(), Some(1), "{}", terminal.shown());
    terminal.check_restored();
}

fn wait_a_little(child: &mut std::process::Child) -> Option<std::process::ExitStatus> {
    std::thread::sleep(std::time::Duration::from_millis(2));
    child.try_wait().unwrap()
}
