//! Asking a program for its version: a short run that is ended after its time, whatever it does. Gets no secrets, no
//! input and no directory of anybody's; what it started in its own group ends with it.

use super::environment::is_withheld;
use crate::sys::{self, SIGKILL};
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// More than this nobody prints as a version.
const MAX_BYTES: u64 = 4096;

/// The first line that is not empty, of its output or else of its error output.
pub fn first_line(program: &Path, args: &[String], limit: Duration) -> Result<String, String> {
    let vars = std::env::vars_os().filter(|(name, _)| !is_withheld(&name.to_string_lossy(), &[]));
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .envs(vars)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("it could not be started: {error}"))?;
    let (send, ended) = mpsc::channel();
    let pipes: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|pipe| Box::new(pipe) as _),
        child.stderr.take().map(|pipe| Box::new(pipe) as _),
    ];
    for (ix, pipe) in pipes.into_iter().enumerate() {
        let send = send.clone();
        // Ends with the pipe, or with the program when it is killed below.
        thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(pipe) = pipe {
                let _ = pipe.take(MAX_BYTES).read_to_end(&mut bytes);
            }
            let _ = send.send((ix, bytes));
        });
    }
    let mut said = [Vec::new(), Vec::new()];
    let deadline = Instant::now() + limit;
    let mut open = 2;
    while open > 0 {
        match ended.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((ix, bytes)) => said[ix] = bytes,
            Err(_) => break,
        }
        open -= 1;
    }
    // Nothing of it stays, even if it closed its output and went on.
    let _ = i32::try_from(child.id()).map(|group| sys::kill_group(group, SIGKILL));
    let _ = child.wait();
    let line = said.iter().find_map(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    });
    match line {
        Some(line) => Ok(line.chars().take(80).collect()),
        None if open > 0 => Err(format!("it said nothing within {} s", limit.as_secs())),
        None => Err("it printed nothing".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, limit: Duration) -> Result<String, String> {
        first_line(Path::new("/bin/sh"), &["-c".to_owned(), script.to_owned()], limit)
    }

    #[test]
    fn the_first_line_counts_wherever_it_was_printed() {
        let limit = Duration::from_secs(20);
        assert_eq!(sh("echo; echo ' tool 1.2'; echo more; echo no >&2", limit), Ok("tool 1.2".to_owned()));
        assert_eq!(sh("echo tool 3 >&2; exit 1", limit), Ok("tool 3".to_owned()));
        assert_eq!(sh(":", limit), Err("it printed nothing".to_owned()));
        assert!(
            first_line(Path::new("/no/such"), &[], limit)
                .is_err_and(|why| why.contains("could not be started"))
        );
    }

    #[test]
    fn a_program_that_says_nothing_or_never_ends_is_ended() {
        assert_eq!(
            sh("exec sleep 600", Duration::from_millis(50)),
            Err("it said nothing within 0 s".to_owned())
        );
        let begun = Instant::now();
        assert!(sh("while :; do echo y; done", Duration::from_secs(20)).is_ok_and(|line| line == "y"));
        assert!(begun.elapsed() < Duration::from_secs(20), "its output was waited for to its end");
    }
}
