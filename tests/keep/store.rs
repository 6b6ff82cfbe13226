//! The state directory: what is made, what is refused, which run is the last one.

use super::note;
use specter::event::{Counts, Event, EventKind, RunInfo, RunOutcome};
use specter::journal::{Lock, RunId, Store, StoreError, Tail};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const NOW: u64 = 1_795_234_500_000;

struct Project {
    dir: tempfile::TempDir,
    store: Store,
    lock: Lock,
}

fn started(file: &str, run: &RunId) -> Event {
    let info = RunInfo { run: run.to_string(), file: file.to_owned(), ..RunInfo::default() };
    let kind = EventKind::RunStarted { info, started: NOW, total: 1, selected: 1, done_before: 0 };
    Event { seq: 1, at: Duration::ZERO, kind }
}

impl Project {
    fn new() -> Project {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), None).unwrap();
        let lock = store.lock("test", NOW).unwrap();
        Project { dir, store, lock }
    }

    fn run(&self, file: &str, end: Option<RunOutcome>) -> RunId {
        let (run, mut journal) = self.store.create_run(NOW, 0x7f3a, &self.lock).unwrap();
        journal.append(&[started(file, &run)]).unwrap();
        if let Some(outcome) = end {
            let counts = Counts::default();
            let kind = EventKind::RunFinished { outcome, counts, duration: Duration::ZERO, unticked: 0 };
            journal.append(&[Event { seq: 2, at: Duration::ZERO, kind }]).unwrap();
        }
        run
    }

    fn unfinished(&self, file: Option<&str>) -> Option<RunId> {
        self.store.unfinished(file).unwrap().map(|(run, _)| run)
    }
}

#[test]
fn git_sees_only_the_shared_configuration() {
    let project = Project::new();
    let ignore = project.dir.path().join(".specter/.gitignore");
    assert_eq!(std::fs::read_to_string(&ignore).unwrap(), "*\n!impl-config.json\n");
    // What a power loss can leave of it is written again; what a user wrote stays.
    for (text, after) in
        [("", "*\n!impl-config.json\n"), ("\0\0", "*\n!impl-config.json\n"), ("logs\n", "logs\n")]
    {
        std::fs::write(&ignore, text).unwrap();
        Store::open(project.dir.path(), None).unwrap();
        assert_eq!(std::fs::read_to_string(&ignore).unwrap(), after);
    }
}

#[test]
fn a_state_directory_that_is_a_symlink_or_a_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("target");
    std::fs::create_dir(&target).unwrap();
    let state = dir.path().join(".specter");
    std::os::unix::fs::symlink(&target, &state).unwrap();
    let error = Store::open(dir.path(), None).unwrap_err();
    assert!(error.to_string().ends_with("is a symbolic link"), "{error}");
    assert!(Store::find(dir.path(), None).is_err());
    assert_eq!(std::fs::read_dir(&target).unwrap().count(), 0);

    std::fs::remove_file(&state).unwrap();
    std::fs::write(&state, "").unwrap();
    let error = Store::open(dir.path(), None).unwrap_err();
    assert!(matches!(error, StoreError::Refused { what: "not a directory", .. }), "{error}");
}

#[test]
fn looking_for_a_state_directory_makes_none() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Store::find(dir.path(), None).unwrap().is_none());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    Store::open(dir.path(), None).unwrap();
    assert!(Store::find(dir.path(), None).unwrap().is_some());
}

#[test]
fn a_state_directory_elsewhere_is_made_with_what_is_above_it() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("a/b");
    let store = Store::open(dir.path(), Some(&state)).unwrap();
    assert_eq!(store.dir(), state);
    assert!(!dir.path().join(".specter").exists());
}

#[test]
fn a_state_directory_that_others_may_read_is_closed_to_them() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join(".specter");
    std::fs::create_dir(&state).unwrap();
    std::fs::set_permissions(&state, PermissionsExt::from_mode(0o755)).unwrap();
    Store::open(dir.path(), None).unwrap();
    assert_eq!(std::fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn names_of_runs_sort_by_time_even_if_the_clock_stands_or_goes_back() {
    let project = Project::new();
    let mut last = None;
    for n in 0..200 {
        let now = if n % 10 == 9 { NOW - 7_200_000 } else { NOW };
        let (run, mut journal) = project.store.create_run(now, n * 7919, &project.lock).unwrap();
        journal.append(&[started("tasks.md", &run)]).unwrap();
        assert_eq!(RunId::parse(run.as_str()).as_ref(), Some(&run));
        assert!(last.is_none_or(|last| last < run), "{run}");
        last = Some(run);
    }
    assert_eq!(project.store.runs().unwrap().len(), 200);
    assert_eq!(project.store.runs().unwrap().last(), last.as_ref());
}

#[test]
fn names_that_are_no_runs_are_passed_over() {
    let project = Project::new();
    let run = project.run("tasks.md", None);
    for name in ["..", "latest", "20261121-041500-7F3A", "20261121-041500", "../../../../etc"] {
        assert_eq!(RunId::parse(name), None, "{name}");
    }
    std::fs::create_dir(project.store.dir().join("runs/notes")).unwrap();
    assert_eq!(project.store.runs().unwrap(), [run]);
}

#[test]
fn the_last_run_is_unfinished_unless_everything_was_done() {
    let project = Project::new();
    assert_eq!(project.unfinished(None), None);
    for end in [RunOutcome::SomeFailed, RunOutcome::Stopped, RunOutcome::Interrupted { signal: 2 }] {
        let run = project.run("tasks.md", Some(end));
        assert_eq!(project.unfinished(Some("tasks.md")), Some(run));
    }
    let killed = project.run("tasks.md", None);
    assert_eq!(project.unfinished(Some("tasks.md")), Some(killed));
    project.run("tasks.md", Some(RunOutcome::AllDone));
    assert_eq!(project.unfinished(Some("tasks.md")), None);
}

#[test]
fn each_task_file_has_its_own_last_run() {
    let project = Project::new();
    let a = project.run("a/tasks.md", None);
    project.run("b/tasks.md", Some(RunOutcome::AllDone));
    assert_eq!(project.unfinished(Some("a/tasks.md")), Some(a));
    assert_eq!(project.unfinished(Some("b/tasks.md")), None);
    assert_eq!(project.unfinished(Some("c/tasks.md")), None);
    assert_eq!(project.unfinished(None), None);
}

#[test]
fn a_run_killed_before_its_first_record_never_began_and_the_next_takes_its_place() {
    let project = Project::new();
    let began = project.run("tasks.md", None);
    let (killed, _) = project.store.create_run(NOW, 1, &project.lock).unwrap();
    let journal = project.store.run_dir(&killed).join("journal.ndjson");
    for torn in ["", "{\"v\":1,\"n\":1,", "\0\0\0\0\0\0\0\0\0\0\"}\n"] {
        std::fs::write(&journal, torn).unwrap();
        assert_eq!(project.unfinished(Some("tasks.md")), Some(began.clone()));
        let (again, _) = project.store.create_run(NOW, 2, &project.lock).unwrap();
        assert_eq!((again, std::fs::read(&journal).unwrap()), (killed.clone(), Vec::new()));
    }
    std::fs::remove_file(&journal).unwrap();
    assert_eq!(project.unfinished(Some("tasks.md")), Some(began.clone()));
    assert!(project.run("tasks.md", None) > killed);
}

#[test]
fn a_run_is_taken_up_where_its_journal_ends() {
    let project = Project::new();
    let run = project.run("tasks.md", None);
    let loaded = project.store.load(&run).unwrap();
    let mut journal = project.store.resume_run(&run, &loaded, &project.lock).unwrap();
    journal.append(&[note(2, "resumed")]).unwrap();
    let again = project.store.load(&run).unwrap();
    assert_eq!((again.events.len(), again.tail), (2, Tail::Clean));
}

#[test]
fn whether_a_run_is_under_way_can_be_seen_without_writing() {
    let project = Project::new();
    assert!(project.store.is_locked());
    let Project { dir: _dir, store, lock } = project;
    drop(lock);
    assert!(!store.is_locked());
}
