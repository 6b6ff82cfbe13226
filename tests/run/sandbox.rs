//! A project in a temporary directory and the real binary in it, with a bound on everything.

use serde_json::Value;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// No single call of the program may take longer.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct Sandbox {
    dir: tempfile::TempDir,
}

impl Sandbox {
    pub(crate) fn new(tasks: &str) -> Sandbox {
        let sandbox = Sandbox { dir: tempfile::tempdir().unwrap() };
        std::fs::create_dir(sandbox.path("home")).unwrap();
        std::fs::create_dir(sandbox.path("p")).unwrap();
        sandbox.write("specter.toml", "");
        sandbox.write("tasks.md", tasks);
        sandbox
    }

    /// Another one with the same files, times and all.
    pub(crate) fn copy(&self) -> Sandbox {
        let dir = tempfile::tempdir().unwrap();
        for part in ["home", "p"] {
            let copied = Command::new("cp").arg("-a").arg(self.path(part)).arg(dir.path()).status();
            assert!(copied.unwrap().success());
        }
        Sandbox { dir }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.path("p")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.root().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.root().join(name)).unwrap_or_default()
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.root().join(name).exists()
    }

    /// `specter ARGS` in the project, in a clean environment.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(specter());
        command
            .args(args)
            .current_dir(self.root())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("COLUMNS", "100")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs to the end; fails the test when it takes too long.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ended {
        finish(self.command(args).spawn().unwrap())
    }

    /// Events of the newest run, as the journal has them, oldest first.
    pub(crate) fn events(&self) -> Vec<Value> {
        let Some(journal) = self.journal() else { return Vec::new() };
        let bytes = std::fs::read(journal).unwrap();
        // A line without its end is a frame that never was.
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
        let text = String::from_utf8_lossy(&bytes[..whole]).into_owned();
        text.lines()
            .flat_map(|line| {
                let frame: Value = serde_json::from_str(line).expect("each line of the journal is JSON");
                frame["e"].as_array().cloned().expect("a frame has events")
            })
            .collect()
    }

    pub(crate) fn journal(&self) -> Option<PathBuf> {
        let runs = std::fs::read_dir(self.root().join(".specter/runs")).ok()?;
        let newest = runs.map(|entry| entry.unwrap().path()).max()?;
        Some(newest.join("journal.ndjson")).filter(|path| path.exists())
    }

    /// When the newest run's journal was last written.
    pub(crate) fn journal_written(&self) -> std::time::SystemTime {
        self.journal().unwrap().metadata().unwrap().modified().unwrap()
    }

    /// Ids of the events of one kind, in order.
    pub(crate) fn ids(&self, kind: &str) -> Vec<String> {
        let of_kind = self.events().into_iter().filter(|event| event["kind"] == kind);
        of_kind.map(|event| event["task"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub(crate) fn ticked(&self) -> Vec<String> {
        ticked(&self.read("tasks.md"))
    }

    pub(crate) fn metrics(&self) -> Value {
        serde_json::from_str(&self.read(".specter/implementation-metrics.json")).expect("metrics are JSON")
    }
}

/// The program under test: for campaigns, another build of it may be named.
fn specter() -> std::ffi::OsString {
    std::env::var_os("SPECTER_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_specter").into())
}

/// Ids of the ticked boxes of a plain task file.
pub(crate) fn ticked(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("- [x] ").or_else(|| line.strip_prefix("- [X] "))
    });
    lines.filter_map(|rest| rest.split_whitespace().next()).map(str::to_owned).collect()
}

pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Ended {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Waits for the end, reading both streams; kills and fails when it takes too long.
pub(crate) fn finish(mut child: Child) -> Ended {
    let reader = |stream: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stream.map(|mut stream| stream.read_to_end(&mut bytes));
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = reader(child.stdout.take().map(|s| Box::new(s) as _));
    let stderr = reader(child.stderr.take().map(|s| Box::new(s) as _));
    let status = wait(&mut child, PATIENCE);
    let (stdout, mut stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    if let Some(status) = status.filter(|status| status.code().is_none()) {
        stderr.push_str(&format!("[{status}]"));
    }
    let Some(status) = status else { panic!("still running after {PATIENCE:?}\n{stdout}\n{stderr}") };
    Ended { code: status.code(), stdout, stderr }
}

/// Polls for the end; `None` (and a kill) when it does not come in time.
pub(crate) fn wait(child: &mut Child, patience: Duration) -> Option<std::process::ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if start.elapsed() > patience {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until `condition` holds; fails the test when it does not in time.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Processes other than this one whose working directory is in `dir` or whose arguments name it.
pub(crate) fn processes_in(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if pid == std::process::id() {
            continue;
        }
        let Ok(cwd) = std::fs::read_link(entry.path().join("cwd")) else { continue };
        if cwd.starts_with(dir) {
            let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            let state = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            if !state.contains(") Z ") {
                found.push(format!("{pid} {command}"));
            }
        }
    }
    found
}

/// A number from the environment, for the size of a campaign.
pub(crate) fn scale(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}
