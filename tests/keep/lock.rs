//! The lock between processes: one holds it, the others say who, a dead one is no obstacle.

use super::child;
use specter::journal::{Lock, LockError};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

fn acquire(dir: &Path) -> Result<Lock, LockError> {
    Lock::acquire(&dir.join("lock"), "specter implement \u{1b}[31m", "2026-11-21T04:15:00Z")
}

/// In the second process: takes the lock and keeps it until its input ends.
fn hold_if_second() -> bool {
    let Some(dir) = child::role_dir() else { return false };
    let _lock = acquire(&dir).unwrap();
    std::io::stdout().write_all(b"\nheld\n").unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    true
}

fn start_holder(test: &str, dir: &Path) -> Child {
    let mut holder = child::command(test, dir, "").spawn().unwrap();
    child::wait_for(&mut holder, "held");
    holder
}

fn end(mut holder: Child) {
    drop(holder.stdin.take());
    holder.wait().unwrap();
}

#[test]
fn a_second_process_is_told_at_once_who_holds_the_lock() {
    if hold_if_second() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let holder = start_holder("keep::lock::a_second_process_is_told_at_once_who_holds_the_lock", dir.path());
    let before = Instant::now();
    let error = acquire(dir.path()).unwrap_err();
    assert!(before.elapsed() < Duration::from_millis(200), "{:?}", before.elapsed());
    let LockError::Held { holder: Some(who), .. } = &error else { panic!("{error}") };
    assert_eq!(who.pid, holder.id());
    let text = error.to_string();
    assert!(text.contains("2026-11-21T04:15:00Z") && text.contains("specter implement \\e[31m"), "{text}");
    end(holder);
    assert!(acquire(dir.path()).is_ok());
}

#[test]
fn a_killed_holder_is_no_obstacle() {
    if hold_if_second() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut holder = start_holder("keep::lock::a_killed_holder_is_no_obstacle", dir.path());
    assert!(acquire(dir.path()).is_err());
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(dir.path().join("lock").exists());
    assert!(acquire(dir.path()).is_ok());
}

#[test]
fn of_many_that_start_at_once_exactly_one_runs() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..50 {
        let barrier = std::sync::Barrier::new(8);
        let outcomes: Vec<Result<Lock, LockError>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        acquire(dir.path())
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    }
}

#[test]
fn a_name_left_by_a_dead_process_is_not_given_as_the_holder() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let _held = acquire(dir.path()).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let own = format!("\"pid\":{}", std::process::id());
    assert!(text.contains(&own), "{text}");
    // As if the holder had not yet written its own name over an older one.
    std::fs::write(&path, text.replace(&own, "\"pid\":4194303")).unwrap();
    let error = acquire(dir.path()).unwrap_err();
    assert!(matches!(error, LockError::Held { holder: None, .. }), "{error}");
}

#[test]
fn a_symlink_in_place_of_the_lock_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = dir.path().join("elsewhere");
    std::fs::write(&elsewhere, "precious").unwrap();
    std::os::unix::fs::symlink(&elsewhere, dir.path().join("lock")).unwrap();
    assert!(acquire(dir.path()).is_err());
    assert_eq!(std::fs::read(&elsewhere).unwrap(), b"precious");
}
