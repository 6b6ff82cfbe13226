//! A second process: the test binary runs one of its own tests again, in another role.

use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Set in the second process; its value is the directory the roles share.
const VARIABLE: &str = "SPECTER_TEST_ROLE_DIR";

/// The shared directory, in the second process.
pub(super) fn role_dir() -> Option<std::path::PathBuf> {
    std::env::var_os(VARIABLE).map(Into::into)
}

/// Runs `test` (its full name) as the second process, through `sh -c PREPARE`, which sets limits or the umask first.
pub(super) fn command(test: &str, dir: &Path, prepare: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("{prepare}\nexec \"$@\""))
        .arg("sh")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(VARIABLE, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Runs it to its end and demands that it passes.
pub(super) fn must_pass(test: &str, dir: &Path, prepare: &str) {
    let output = command(test, dir, prepare).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "no test is named `{test}`: {text}");
}

/// Waits until the second process prints a line that holds `word`.
pub(super) fn wait_for(child: &mut Child, word: &str) {
    use std::io::BufRead;
    let output = std::io::BufReader::new(child.stdout.as_mut().unwrap());
    assert!(output.lines().any(|line| line.unwrap().contains(word)), "it ended without `{word}`");
}
