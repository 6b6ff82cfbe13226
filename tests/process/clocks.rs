//! The wall clock jumps while a run goes on: nothing times out, nothing has a negative duration, order is by sequence.
//!
//! A library made on the spot stands between specter and the system's wall clock; the monotonic clock is the system's.

use super::{check_record, one_task};
use crate::run::sandbox::{Sandbox, finish, until};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

const HOUR: i64 = 3_600;
const YEAR: i64 = 365 * 24 * HOUR;

const SHIM: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long shift(void) {
    const char *path = getenv("CLOCK_SHIFT");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    char text[32] = {0};
    long seconds = fd >= 0 && read(fd, text, 31) > 0 ? atol(text) : 0;
    if (fd >= 0) close(fd);
    return seconds;
}
int clock_gettime(clockid_t clock, struct timespec *at) {
    int result = syscall(SYS_clock_gettime, clock, at);
    if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) at->tv_sec += shift();
    return result;
}
int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    int result = syscall(SYS_gettimeofday, at, zone);
    if (!result) at->tv_sec += shift();
    return result;
}
time_t time(time_t *into) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if (into) *into = at.tv_sec;
    return at.tv_sec;
}
"#;

/// The library, and the directory that keeps it.
static LIBRARY: LazyLock<(tempfile::TempDir, PathBuf)> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let (source, library) = (dir.path().join("shim.c"), dir.path().join("shim.so"));
    std::fs::write(&source, SHIM).unwrap();
    let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).status();
    assert!(made.unwrap().success(), "the C compiler that links specter makes the shim");
    (dir, library)
});

struct Shifted(Sandbox);

impl Shifted {
    fn new(tasks: &str) -> Shifted {
        let shifted = Shifted(Sandbox::new(tasks));
        shifted.shift(0);
        shifted
    }

    /// In one step, so that no reader finds the file empty.
    fn shift(&self, seconds: i64) {
        self.0.write("shift.new", &seconds.to_string());
        std::fs::rename(self.0.root().join("shift.new"), self.0.root().join("shift")).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.0.command(args);
        command.env("LD_PRELOAD", &LIBRARY.1).env("CLOCK_SHIFT", self.0.root().join("shift"));
        command
    }

    fn until_begun(&self, what: &str, n: usize) {
        until(what, || self.0.ids(what).len() >= n);
    }
}

/// No time is negative or beyond what this test can have taken.
fn check_times(sandbox: &Sandbox) {
    check_record(sandbox);
    let events = sandbox.events();
    for event in &events {
        for field in ["at", "duration"] {
            let ms = &event[field];
            assert!(ms.is_null() || ms.as_u64().is_some_and(|ms| ms < 60_000), "{event}");
        }
    }
    let metrics = sandbox.metrics();
    check_numbers(&metrics, "");
    let seconds = metrics["duration"].as_f64().unwrap();
    assert!((0.0..60.0).contains(&seconds), "{metrics}");
}

fn check_numbers(value: &Value, name: &str) {
    match value {
        Value::Number(number) => assert!(number.as_f64().unwrap() >= 0.0, "{name} is {number}"),
        Value::Array(values) => values.iter().for_each(|value| check_numbers(value, name)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| check_numbers(value, name)),
        _ => {}
    }
}

/// One fails and waits for its second try, one runs with a limit until it may end.
fn tasks() -> String {
    let limited = one_task("timeout=30s", "echo up > up; until test -e go; do sleep 0.01; done");
    let retried = "- [ ] T002 [P] Retry\n\n  ```sh run\n  test -e once && exit 0\n  touch once; echo connection refused; exit 1\n  ```\n";
    limited.replace("T001 Work", "T001 [P] Work") + retried
}

#[test]
fn the_wall_clock_may_jump_while_tasks_run_and_wait() {
    for jumps in [vec![-HOUR], vec![10 * YEAR], vec![10 * YEAR, -HOUR], vec![-50 * YEAR, 0]] {
        let shifted = Shifted::new(&tasks());
        shifted.0.write("specter.toml", "retryDelays = [700]\n");
        let child = shifted.command(&["implement", "--parallel", "-j2", "--yes"]).spawn().unwrap();
        shifted.until_begun("retry_scheduled", 1);
        jumps.iter().for_each(|jump| shifted.shift(*jump));
        shifted.until_begun("task_done", 1);
        shifted.0.write("go", "");
        finish(child).expect(0);
        assert_eq!(shifted.0.ticked(), ["T001", "T002"], "{jumps:?}");
        assert_eq!(shifted.0.ids("attempt_started").len(), 3, "{jumps:?}");
        check_times(&shifted.0);
    }
}

#[test]
fn sessions_of_one_run_may_be_decades_apart_in_either_direction() {
    for (first, second) in [(10 * YEAR, 0), (0, 10 * YEAR), (0, -50 * YEAR)] {
        let shifted = Shifted::new(&tasks());
        shifted.0.write("specter.toml", "retryDelays = [5]\n");
        shifted.shift(first);
        let mut killed = shifted.command(&["implement", "--parallel", "-j2", "--yes"]).spawn().unwrap();
        shifted.until_begun("task_done", 1);
        killed.kill().unwrap();
        killed.wait().unwrap();
        shifted.shift(second);
        shifted.0.write("go", "");
        finish(shifted.command(&["resume", "--yes"]).spawn().unwrap()).expect(0);
        assert_eq!(shifted.0.ticked(), ["T001", "T002"], "{first} {second}");
        let metrics = shifted.0.metrics();
        check_numbers(&metrics, "");
        let seconds = metrics["duration"].as_f64().unwrap();
        assert!(seconds < 60.0, "{first} {second}: {seconds} s");
        // The next run is the newest, whatever the clock says.
        let before = shifted.0.journal();
        shifted.0.write("tasks.md", &shifted.0.read("tasks.md").replace("[x] T002", "[ ] T002"));
        finish(shifted.command(&["implement", "--yes"]).spawn().unwrap()).expect(0);
        assert!(shifted.0.journal() > before, "{first} {second}");
        assert_eq!(shifted.0.ids("task_done"), ["T002"]);
    }
}
