//! Journals as they were written once: they are read to the same state for ever, and one that is not understood is
//! refused untouched. One directory each; `tasks.md` is the file that all of them are of.
//!
//! Stored bytes are never changed. A new version of the format adds directories.

use crate::run::sandbox::{Ended, Sandbox};
use insta::assert_snapshot;
use specter::event::EventKind;
use specter::history::History;
use specter::journal;
use specter::parse::parse;
use specter::plan::{Options, plan};
use specter::projection::{log, metrics, session};
use specter::source::SourceText;
use specter::summary::Summary;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const TASKS: &str = include_str!("tasks.md");
const RUN: &str = ".specter/runs/20261121-041500-7f3a";

fn stored(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).join("journal.ndjson")
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(stored(name)).unwrap()
}

/// What everything that is kept of a run is made of.
fn state(name: &str) -> String {
    let loaded = journal::read(&stored(name)).unwrap();
    let source = SourceText::new("tasks.md", TASKS);
    let plan = plan(parse(&source).0, &Options::default()).unwrap().0;
    let history = History::from_events(&loaded.events);
    let summary = Summary::of(&plan, &loaded.events);
    let mut text = format!("{} frames, {} bytes, {:?}\n", loaded.frames, loaded.good_len, loaded.tail);
    let _ = writeln!(
        text,
        "session {}, {} dispatches, {:?}, last event {}, {:?}",
        history.sessions,
        history.dispatches,
        history.elapsed(),
        history.last_seq,
        history.outcome
    );
    let mut tasks: Vec<_> = history.tasks().collect();
    tasks.sort_by_key(|(id, _)| *id);
    for (id, task) in tasks {
        let _ = writeln!(text, "{id}: {task:?}, {} spent", task.spent());
    }
    let _ = writeln!(text, "\n{}", log::render(&plan, &loaded.events));
    let _ = writeln!(text, "{}", session::render(&plan, &summary));
    let _ = writeln!(text, "{}", metrics::render(&plan, &summary));
    text
}

#[test]
fn every_stored_journal_reads_to_the_state_it_had() {
    let names = [
        "agents",
        "commits",
        "every-kind",
        "files",
        "finished",
        "holed",
        "hooks",
        "interrupted",
        "killed",
        "limits",
        "night",
        "repeated",
        "sessions",
        "torn",
        "waiting",
        "zeroed",
    ];
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries
        .filter(|path| path.join("journal.ndjson").exists())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, names, "each stored journal has its state");
    for name in names {
        assert_snapshot!(name, state(name));
    }
}

#[test]
fn the_stored_journals_hold_every_kind_of_event() {
    // A kind that is added has to be added here, or this does not compile; then a stored journal must hold it.
    let name = |kind: &EventKind| match kind {
        EventKind::RunStarted { .. } => "run_started",
        EventKind::RunResumed { .. } => "run_resumed",
        EventKind::PlanChanged { .. } => "plan_changed",
        EventKind::AttemptStarted { .. } => "attempt_started",
        EventKind::AttemptFinished { .. } => "attempt_finished",
        EventKind::AgentStep { .. } => "agent_step",
        EventKind::GateFinished { .. } => "gate_finished",
        EventKind::RetryScheduled { .. } => "retry_scheduled",
        EventKind::TaskDone { .. } => "task_done",
        EventKind::TaskFailed { .. } => "task_failed",
        EventKind::TaskBlocked { .. } => "task_blocked",
        EventKind::TaskSkipped { .. } => "task_skipped",
        EventKind::TaskCancelled { .. } => "task_cancelled",
        EventKind::BoxTicked { .. } => "box_ticked",
        EventKind::BoxPending { .. } => "box_pending",
        EventKind::CheckpointCreated { .. } => "checkpoint_created",
        EventKind::WorktreeLeased { .. } => "worktree_leased",
        EventKind::AttemptSaved { .. } => "attempt_saved",
        EventKind::Integrated { .. } => "integrated",
        EventKind::Conflicted { .. } => "conflicted",
        EventKind::ReviewNeeded { .. } => "review_needed",
        EventKind::Escaped { .. } => "escaped",
        EventKind::Committed { .. } => "committed",
        EventKind::RolledBack { .. } => "rolled_back",
        EventKind::BudgetReached { .. } => "budget_reached",
        EventKind::AdmissionChanged { .. } => "admission_changed",
        EventKind::ProviderHeld { .. } => "provider_held",
        EventKind::ProviderOpened { .. } => "provider_opened",
        EventKind::AgentChanged { .. } => "agent_changed",
        EventKind::TaskParked { .. } => "task_parked",
        EventKind::QuestionAnswered { .. } => "question_answered",
        EventKind::AttemptQuiet { .. } => "attempt_quiet",
        EventKind::HookFinished { .. } => "hook_finished",
        EventKind::Interrupted { .. } => "interrupted",
        EventKind::Note { .. } => "note",
        EventKind::RunFinished { .. } => "run_finished",
    };
    let events = ["agents", "commits", "every-kind", "files", "hooks", "limits", "night", "waiting"]
        .into_iter()
        .flat_map(|name| journal::read(&stored(name)).unwrap().events);
    let kinds: std::collections::BTreeSet<_> = events.map(|event| name(&event.kind)).collect();
    assert_eq!(kinds.len(), 36, "{kinds:?}");
}

#[test]
fn a_stored_journal_is_written_the_same_way_today() {
    for name in [
        "agents",
        "commits",
        "every-kind",
        "files",
        "finished",
        "hooks",
        "limits",
        "night",
        "sessions",
        "waiting",
    ] {
        let events = journal::read(&stored(name)).unwrap().events;
        let text = String::from_utf8(bytes(name)).unwrap();
        for event in events {
            let mut json = Vec::new();
            event.write_json(&mut json).unwrap();
            let json = String::from_utf8(json).unwrap();
            assert!(text.contains(&json), "{name}: {json}");
        }
    }
}

/// A project whose last run has this journal.
fn project(journal: &[u8]) -> Sandbox {
    let sandbox = Sandbox::new(TASKS);
    sandbox.write(&format!("{RUN}/journal.ndjson"), "");
    std::fs::write(sandbox.root().join(RUN).join("journal.ndjson"), journal).unwrap();
    sandbox
}

fn ran(sandbox: &Sandbox) -> Vec<String> {
    let mut ran: Vec<String> = sandbox.read("ran").lines().map(str::to_owned).collect();
    ran.sort();
    ran
}

#[test]
fn every_unfinished_stored_run_is_taken_up_and_what_is_done_never_runs_again() {
    for (name, told) in [
        ("killed", ""),
        ("interrupted", ""),
        ("torn", "was cut short (60 bytes) and is dropped"),
        ("zeroed", "was cut short (300 bytes) and is dropped"),
        ("holed", "was cut short"),
        ("repeated", "stands there twice; the second is dropped"),
    ] {
        let sandbox = project(&bytes(name));
        let Ended { stderr, .. } = sandbox.run(["resume", "--yes"]).expect(0);
        assert!(stderr.contains(told), "{name}: {stderr}");
        assert_eq!(stderr.contains("dropped"), !told.is_empty(), "{name}: {stderr}");
        assert_eq!(ran(&sandbox), ["T003", "T004"], "{name}");
        assert_eq!(sandbox.ticked(), ["T001", "T002", "T003", "T004"], "{name}");
        let again = sandbox.run(["status"]).expect(0);
        assert!(!again.stderr.contains("dropped"), "{name}: told once: {}", again.stderr);
        let starts = sandbox.events().into_iter().filter(|event| event["kind"] == "attempt_started");
        let last = starts.rev().find(|event| event["task"] == "T003").unwrap();
        assert_eq!(last["attempt"], 2, "{name}: no log is overwritten");
    }
}

/// `frame` with its number right and a checksum of its own.
fn sealed(body: &str) -> Vec<u8> {
    format!("{body},\"c\":\"{:08x}\"}}\n", crc32fast::hash(body.as_bytes())).into_bytes()
}

/// Nothing may run or change, whatever is tried, and the exit code says that the input is at fault.
#[track_caller]
fn refused(journal: &[u8], told: &[&str]) {
    for args in [&["resume", "--yes"][..], &["implement", "--yes"], &["implement", "--resume", "--yes"]] {
        let sandbox = project(journal);
        let Ended { stderr, .. } = sandbox.run(args).expect(65);
        for words in told {
            assert!(stderr.contains(words), "{args:?}: `{words}` is missing: {stderr}");
        }
        assert!(ran(&sandbox).is_empty(), "{args:?}: something ran");
        assert_eq!(sandbox.read("tasks.md"), TASKS);
        assert!(std::fs::read(sandbox.root().join(RUN).join("journal.ndjson")).unwrap() == journal);
        assert_eq!(std::fs::read_dir(sandbox.root().join(".specter/runs")).unwrap().count(), 1);
    }
}

#[test]
fn a_journal_of_a_newer_version_is_refused_untouched_and_the_way_on_is_told() {
    let told = &["newer specter", "format 2", "use that version or a later one"][..];
    refused(&sealed("{\"v\":2,\"n\":1,\"s\":0,\"cbor\":\"oWFhAQ\""), told);
    let later = sealed("{\"v\":2,\"n\":4,\"s\":3,\"e\":[]");
    refused(&[bytes("killed"), later.clone()].concat(), told);
    refused(&[bytes("killed"), later, b"{\"v\":2,\"n".to_vec()].concat(), told);
}

/// Within one version events get new fields, never new kinds: what an old program passed over could be what settles
/// a task. So a kind that is not known is refused like damage.
#[test]
fn a_kind_of_event_that_is_not_known_is_refused_by_name() {
    let dance =
        sealed("{\"v\":1,\"n\":4,\"s\":3,\"e\":[{\"seq\":7,\"at\":50,\"kind\":\"dance\",\"task\":\"T003\"}]");
    refused(&[bytes("killed"), dance].concat(), &["line 4", "dance"]);
}

#[test]
fn a_field_that_is_not_known_is_passed_over() {
    let more = sealed(
        "{\"v\":1,\"n\":4,\"s\":3,\"e\":[{\"seq\":7,\"at\":50,\"kind\":\"task_done\",\"task\":\"T003\",\"attempts\":1,\
         \"verdict\":\"verified\",\"duration\":9,\"mood\":{\"deep\":[1]}}],\"host\":\"elsewhere\"",
    );
    let sandbox = project(&[bytes("killed"), more].concat());
    sandbox.run(["resume", "--yes"]).expect(0);
    assert_eq!(ran(&sandbox), ["T004"]);
}

#[test]
fn a_flipped_bit_in_the_middle_is_refused_with_its_line_and_byte() {
    let whole = bytes("killed");
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for at in [first + 2, first + 40, first + 100] {
        let mut flipped = whole.clone();
        flipped[at] ^= 4;
        let place = format!("line 2, byte {first}");
        refused(
            &flipped,
            &["is damaged", &place, "the checksum does not match", "move the directory of the run"],
        );
    }
}

fn starts_with_what_is_open(sandbox: &Sandbox) {
    let ended = sandbox.run(["resume", "--yes"]).expect(0);
    let said = "no unfinished run to resume; starting with what is open";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    assert_eq!(ran(sandbox), ["T003", "T004"]);
}

#[test]
fn the_journal_of_another_task_file_is_neither_taken_up_nor_touched() {
    let other =
        String::from_utf8(bytes("killed")).unwrap().replace("\"file\":\"tasks.md\"", "\"file\":\"other.md\"");
    let first = other.lines().next().unwrap();
    let body = &first[..first.len() - 16];
    let journal = sealed(body);
    let sandbox = project(&journal);
    starts_with_what_is_open(&sandbox);
    assert_eq!(std::fs::read(sandbox.root().join(RUN).join("journal.ndjson")).unwrap(), journal);
}

#[test]
fn without_its_journal_a_run_goes_on_from_the_boxes_and_says_so() {
    let sandbox = project(&bytes("killed"));
    std::fs::remove_file(sandbox.root().join(RUN).join("journal.ndjson")).unwrap();
    starts_with_what_is_open(&sandbox);
}
