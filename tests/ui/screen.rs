//! What a run looks like while it goes on: every kind of line, the plain lines, the live block on a terminal.

use super::support::*;
use indicatif::{InMemoryTerm, TermLike};
use proptest::prelude::*;
use specter::event::{
    AttemptOutcome, AttemptReport, BudgetKind, Counts, EventKind, FailureClass, GateVerdict, NoteLevel,
    RunOutcome, Scarce, SkipReason, Stop, Verdict,
};
use specter::sink::Sink;
use specter::task::TaskId;
use specter::ui::block::block;
use specter::ui::header::{Manner, header};
use specter::ui::jsonl::JsonLines;
use specter::ui::lines::{Blocked, tell};
use specter::ui::plain::Plain;
use specter::ui::progress::Live;
use specter::ui::theme::Screen;
use specter::ui::view::View;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Collects what is written, call by call.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<String>>>);

impl Written {
    fn text(&self) -> String {
        self.0.lock().unwrap().concat()
    }

    fn calls(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A terminal that is written to as bytes.
#[derive(Clone)]
struct Terminal(InMemoryTerm, Written);

impl Terminal {
    fn new(columns: u16, rows: u16) -> Terminal {
        Terminal(InMemoryTerm::new(rows, columns), Written::default())
    }
}

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_str(std::str::from_utf8(bytes).unwrap())?;
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn manner() -> Manner {
    Manner {
        run: "20261121-101500-ab12".to_owned(),
        mode: "parallel".to_owned(),
        jobs: 4,
        executors: vec!["shell".to_owned()],
        ..Manner::default()
    }
}

fn failure(outcome: AttemptOutcome, class: FailureClass) -> AttemptReport {
    AttemptReport {
        outcome,
        class: Some(class),
        rule: Some("exit code 127".to_owned()),
        ..AttemptReport::default()
    }
}

/// One event of every kind that says something.
fn everything() -> Script {
    let plan = feature();
    let of = |id: &str| task_ref(&plan, id);
    let gate = |verdict| EventKind::GateFinished {
        task: of("T005"),
        attempt: 1,
        gate: "verify 1".to_owned(),
        verdict,
        duration: Duration::from_secs(1),
    };
    let skipped = |id: &str, why| EventKind::TaskSkipped { task: of(id), why };
    let done = |id: &str, attempts, verdict| EventKind::TaskDone {
        task: of(id),
        attempts,
        verdict,
        duration: Duration::from_secs(75),
    };
    let note = |level| EventKind::Note { level, text: "a note \x1b[2J".to_owned() };
    let ids = |ids: &[&str]| ids.iter().map(|id| TaskId::new(id)).collect::<Vec<_>>();
    let kinds = vec![
        skipped("T004", SkipReason::Manual),
        skipped("T010", SkipReason::Optional),
        skipped("T011", SkipReason::Dropped),
        skipped("T012", SkipReason::Unclear),
        EventKind::CheckpointCreated { name: "before Phase 3".to_owned(), done: 3, reference: None },
        EventKind::BoxTicked { task: of("T002"), line: 12 },
        EventKind::BoxPending { task: of("T002"), problem: "tasks.md: permission denied".to_owned() },
        gate(GateVerdict::Passed),
        gate(GateVerdict::Failed),
        gate(GateVerdict::Inconclusive),
        EventKind::PlanChanged {
            added: ids(&["T013", "T014"]),
            removed: ids(&["T009"]),
            reopened: Vec::new(),
            ticked: ids(&["T003"]),
        },
        note(NoteLevel::Info),
        note(NoteLevel::Warn),
        note(NoteLevel::Error),
        EventKind::BudgetReached { budget: BudgetKind::Dispatches, limit: "50".to_owned() },
        EventKind::AdmissionChanged {
            waits_for: Some(Scarce::Memory),
            text: "120 MiB are available, the floor is 256 MiB".to_owned(),
        },
        EventKind::AdmissionChanged { waits_for: None, text: String::new() },
        EventKind::Interrupted { signal: "SIGINT".to_owned(), how: Stop::Gracefully },
        EventKind::Interrupted { signal: "SIGINT".to_owned(), how: Stop::Now },
        EventKind::TaskCancelled { task: of("T007") },
    ];
    let verdicts = vec![
        done("T002", 1, Verdict::Verified),
        done("T003", 2, Verdict::Unverified),
        done("T005", 1, Verdict::NoChange),
        done("T006", 1, Verdict::Inconclusive),
        done("T009", 3, Verdict::Regressed),
    ];
    let mut script = Script::new(plan)
        .run_started()
        .start(0, "T002", 1, 1)
        .start(100, "T007", 2, 2)
        .retry(400, "T006", 2, 1400, refused())
        .failed(500, "T006", 3, refused())
        .blocked(500, "T007", "T006")
        .blocked(500, "T008", "T006")
        .failed(600, "T008", 1, failure(AttemptOutcome::TimedOut(90_000), FailureClass::Permanent))
        .failed(600, "T008", 1, failure(AttemptOutcome::Signalled(9), FailureClass::Unknown))
        .failed(
            600,
            "T008",
            1,
            failure(AttemptOutcome::StartFailed("no\x1bsh".to_owned()), FailureClass::Permanent),
        )
        .start(700, "T007", 2, 2);
    for kind in verdicts.into_iter().chain(kinds) {
        script = script.at(900, kind);
    }
    script
}

/// All lines of a script, in detail.
fn lines(screen: &Screen, script: &Script) -> String {
    let mut view = View::new();
    let mut blocked = Blocked::default();
    let mut out: Vec<String> = Vec::new();
    for event in &script.events {
        view.apply(&script.plan, event);
        if let EventKind::TaskBlocked { task, by } = &event.kind {
            out.extend(blocked.add(screen, &script.plan, task, by));
        } else {
            out.extend(blocked.take(screen));
            out.extend(tell(screen, &view, &script.plan, event).into_iter().flat_map(|told| told.lines));
        }
    }
    out.join("\n")
}

#[test]
fn every_kind_of_line_at_every_width() {
    let script = everything();
    let mut out = String::new();
    for screen in WIDTHS.map(Screen::plain).into_iter().chain([ascii(80), colored(80)]) {
        let Screen { width, unicode, color, .. } = screen;
        let text = lines(&screen, &script);
        assert!(is_clean(&text), "{text}");
        out += &format!("── width {width}, unicode {unicode}, colour {color} ──\n{text}\n\n");
    }
    insta::assert_snapshot!(out.replace('\x1b', "␛"));
}

#[test]
fn the_header_says_what_is_to_be_done() {
    let plan = feature();
    let mut out = String::new();
    for screen in WIDTHS.map(Screen::plain).into_iter().chain([ascii(80)]) {
        let mut manner = manner();
        manner.selection = vec!["--story".to_owned(), "US1\x1b".to_owned()];
        manner.session = 2;
        let text = header(&screen, &plan, &manner).join("\n");
        assert!(widest(&text) <= screen.width, "{text}");
        out += &format!("── {} ──\n{text}\n\n", screen.width);
    }
    insta::assert_snapshot!(out);
}

/// A run in the middle of it: two running, one waiting, one failed, one blocked.
fn busy() -> Script {
    Script::new(feature())
        .run_started()
        .start(0, "T002", 1, 1)
        .done(15_000, "T002", 1, 15_000)
        .start(15_000, "T003", 1, 1)
        .done(31_000, "T003", 1, 16_000)
        .start(31_000, "T005", 1, 1)
        .start(31_000, "T006", 1, 2)
        .retry(40_000, "T006", 2, 1_500, refused())
        .start(41_500, "T006", 2, 2)
        .retry(50_000, "T006", 3, 3_500, refused())
        .start(51_000, "T009", 1, 3)
        .failed(51_500, "T008", 1, failure(AttemptOutcome::ExitCode(127), FailureClass::Permanent))
        .blocked(51_500, "T007", "T008")
}

fn view_of(script: &Script) -> View {
    let mut view = View::new();
    script.events.iter().for_each(|event| view.apply(&script.plan, event));
    view.output(&TaskId::new("T005"), "\x1b[32mPASS\x1b[0m tests/user.test.js (12 passed)");
    view.time_left = Some(Duration::from_secs(80));
    view
}

#[test]
fn the_block_fits_every_width_and_height() {
    let view = view_of(&busy());
    let now = Duration::from_secs(52);
    let mut out = String::new();
    for (width, height) in
        [(200, 24), (80, 24), (40, 24), (20, 24), (80, 4), (80, 3), (80, 2), (80, 1), (5, 24), (1, 1)]
    {
        let lines = block(&live(width, height), &view, now);
        assert!(lines.len() <= (height - 1).max(1), "{width}x{height}: {lines:?}");
        assert!(widest(&lines.join("\n")) <= width, "{width}x{height}: {lines:?}");
        out += &format!("── {width} x {height} ──\n{}\n\n", lines.join("\n"));
    }
    out += &format!(
        "── ASCII ──\n{}\n\n",
        block(&Screen { unicode: false, ..live(80, 24) }, &view, now).join("\n")
    );
    out +=
        &format!("── colour ──\n{}\n", block(&Screen { color: true, ..live(80, 24) }, &view, now).join("\n"));
    insta::assert_snapshot!(out.replace('\x1b', "␛"));
}

#[test]
fn the_block_says_what_is_waited_for() {
    let mut view = View::new();
    let script = busy();
    let waits = |waits_for| EventKind::AdmissionChanged { waits_for, text: String::new() };
    let script = script.at(60_000, waits(Some(Scarce::Memory))).at(61_000, waits(None));
    let mut told = Vec::new();
    for event in &script.events {
        view.apply(&script.plan, event);
        told.push(block(&live(200, 24), &view, event.at)[0].contains("waiting for memory"));
    }
    assert_eq!(told[told.len() - 2..], [true, false]);
}

#[test]
fn the_block_says_which_provider_is_held_and_until_when() {
    let mut view = View::new();
    let held = |provider: &str, until| EventKind::ProviderHeld {
        provider: provider.to_owned(),
        why: FailureClass::UsageLimit,
        until,
        told: true,
        turn: 1,
        since: 0,
        rule: "limit \x1b[2J".to_owned(),
    };
    let script = busy()
        .at(60_000, held("anthropic\x1b[2J", Some(1_795_317_000_000)))
        .at(61_000, EventKind::ProviderOpened { provider: "anthropic\x1b[2J".to_owned() })
        .at(62_000, held("openai", None));
    let mut told = Vec::new();
    for event in &script.events {
        view.apply(&script.plan, event);
        let line = block(&live(200, 24), &view, event.at)[0].clone();
        assert!(!line.contains('\x1b'), "{line:?}");
        told.push(["held until 03:10 UTC", "openai held"].map(|words| line.contains(words)));
    }
    assert_eq!(told[told.len() - 3..], [[true, false], [false, false], [false, true]]);
}

#[test]
fn counts_are_true_through_retries_blocks_and_cancels() {
    let script = busy();
    let view = view_of(&script);
    assert_eq!((view.selected, view.settled(), view.done, view.failed, view.blocked), (7, 4, 2, 1, 1));
    assert_eq!((view.running_count(), view.waiting_count(), view.queued(), view.percent()), (2, 1, 0, 57));
    let script = script.at(60_000, EventKind::TaskCancelled { task: task_ref(&feature(), "T005") });
    let view = view_of(&script);
    assert_eq!((view.settled(), view.running_count(), view.queued()), (4, 1, 1));
}

#[test]
fn plain_lines_tell_a_run_from_header_to_end() {
    let written = Written::default();
    let screen = Screen::plain(100);
    let script = busy();
    let head = header(&screen, &script.plan, &manner());
    let mut plain = Plain::new(Box::new(written.clone()), screen, View::new(), &head);
    for event in &script.events {
        plain.on_event(&script.plan, event).unwrap();
        plain.flush().unwrap();
    }
    plain.output(&TaskId::new("T005"), "compiling \x1b[1mfoo").unwrap();
    plain.tick(Duration::from_mins(1)).unwrap();
    plain.tick(Duration::from_secs(82)).unwrap();
    plain.tick(Duration::from_secs(83)).unwrap();
    plain.finish().unwrap();
    assert!(is_clean(&written.text()));
    insta::assert_snapshot!(written.text());
}

#[test]
fn quiet_shows_trouble_alone_and_very_verbose_shows_output() {
    let show = |quiet, verbose| {
        let written = Written::default();
        let screen = Screen { quiet, verbose, ..Screen::plain(60) };
        let script = busy();
        let mut plain = Plain::new(Box::new(written.clone()), screen, View::new(), &["header".to_owned()]);
        script.events.iter().for_each(|event| plain.on_event(&script.plan, event).unwrap());
        plain.output(&TaskId::new("T005"), "a line\x07\n").unwrap();
        plain.tick(Duration::from_secs(200)).unwrap();
        plain.finish().unwrap();
        written.text()
    };
    insta::assert_snapshot!(format!("── -q ──\n{}\n── -vv ──\n{}", show(true, 0), show(false, 2)));
}

/// `count` tasks that do nothing, one every `micros`, two at a time.
fn flat(count: u32, micros: u64) -> Script {
    let names: Vec<(String, String)> =
        (1..=count).map(|n| (format!("T{n:05}"), format!("No-op {n}"))).collect();
    let tasks: Vec<(&str, &str)> = names.iter().map(|(id, title)| (id.as_str(), title.as_str())).collect();
    let plan = plan(&tasks);
    let mut script = Script::new(plan).run_started();
    for n in 1..=count {
        let at = Duration::from_micros(u64::from(n) * micros).as_millis() as u64;
        let task = specter::event::TaskRef {
            ix: specter::task::TaskIx(n - 1),
            id: TaskId::new(&names[n as usize - 1].0),
        };
        let duration = Duration::from_millis(1);
        let report = Box::new(AttemptReport { duration, ..AttemptReport::default() });
        script = script
            .at(
                at,
                EventKind::AttemptStarted {
                    task: task.clone(),
                    attempt: 1,
                    executor: "shell".into(),
                    worker: 1 + n % 2,
                },
            )
            .at(at + 1, EventKind::AttemptFinished { task: task.clone(), attempt: 1, report })
            .at(at + 1, EventKind::TaskDone { task, attempts: 1, verdict: Verdict::Unverified, duration });
    }
    script
}

#[test]
fn ten_thousand_tasks_in_three_seconds_cost_less_than_twenty_kilobytes_of_terminal() {
    let script = flat(10_000, 300);
    let written = Written::default();
    let head = header(&live(80, 24), &script.plan, &manner());
    let mut live = Live::new(Box::new(written.clone()), live(80, 24), View::new(), &head);
    for event in &script.events {
        live.on_event(&script.plan, event).unwrap();
        live.draw(event.at).unwrap();
    }
    live.finish().unwrap();
    let bytes = written.text().len();
    assert!(bytes < 20_000, "{bytes} bytes");
    assert!(written.calls() <= 3 * 20 + 4, "{} writes", written.calls());
}

#[test]
fn ten_thousand_plain_lines_are_written_in_batches() {
    let script = flat(10_000, 300);
    let written = Written::default();
    let mut plain = Plain::new(Box::new(written.clone()), Screen::plain(80), View::new(), &[]);
    script.events.iter().for_each(|event| plain.on_event(&script.plan, event).unwrap());
    plain.finish().unwrap();
    let text = written.text();
    assert_eq!(text.lines().count(), 10_000);
    assert!(
        written.calls() <= text.len() / (8 << 10) + 1,
        "{} writes of {} bytes",
        written.calls(),
        text.len()
    );
}

#[test]
fn the_terminal_shows_lines_above_and_the_block_below_and_is_clean_at_the_end() {
    let terminal = Terminal::new(80, 24);
    let script = busy();
    let screen = live(80, 24);
    let head = header(&screen, &script.plan, &manner());
    let mut live = Live::new(Box::new(terminal.clone()), screen, View::new(), &head);
    let mut shots = String::new();
    live.draw(Duration::from_millis(200)).unwrap();
    shots += &format!("── before the first frame ──\n{}\n", terminal.0.contents());
    let mut next = 1_000;
    for event in &script.events {
        while Duration::from_millis(next) < event.at {
            live.draw(Duration::from_millis(next)).unwrap();
            next += 100;
        }
        live.on_event(&script.plan, event).unwrap();
    }
    live.output(&TaskId::new("T005"), "PASS tests/user.test.js");
    live.draw(Duration::from_secs(53)).unwrap();
    shots += &format!("── while it runs ──\n{}\n", terminal.0.contents());
    live.resize(78, 24);
    live.draw(Duration::from_secs(54)).unwrap();
    shots += &format!("── made a little narrower ──\n{}\n", terminal.0.contents());
    live.finish().unwrap();
    shots += &format!("── at the end ──\n{}\n", terminal.0.contents());
    insta::assert_snapshot!(shots);
}

#[test]
fn a_run_shorter_than_the_first_frame_shows_its_lines_and_no_block() {
    let terminal = Terminal::new(60, 10);
    let script = Script::new(feature()).run_started().start(0, "T002", 1, 1).done(100, "T002", 1, 100);
    let mut live = Live::new(Box::new(terminal.clone()), live(60, 10), View::new(), &[]);
    for event in &script.events {
        live.on_event(&script.plan, event).unwrap();
        live.draw(event.at).unwrap();
    }
    assert_eq!(terminal.1.text(), "");
    drop(live);
    insta::assert_snapshot!(terminal.0.contents(), @"[1/7] T002 Add linting configuration in .eslintrc.js… ✓ 0.1s");
}

#[test]
fn failures_are_shown_even_when_thousands_of_tasks_are_folded() {
    let mut script = flat(3_000, 100);
    let task = task_ref(&script.plan, "T00001");
    let report = Box::new(failure(AttemptOutcome::ExitCode(3), FailureClass::Permanent));
    script = script
        .at(301, EventKind::AttemptFinished { task: task.clone(), attempt: 1, report })
        .at(301, EventKind::TaskFailed { task, attempts: 1, class: FailureClass::Permanent });
    let written = Written::default();
    let mut live = Live::new(Box::new(written.clone()), live(80, 24), View::new(), &[]);
    script.events.iter().for_each(|event| live.on_event(&script.plan, event).unwrap());
    live.finish().unwrap();
    let text = written.text();
    assert!(text.contains("T00001 No-op 1 ✗ failed\r\n    exit code 3 (permanent"), "{text}");
    assert!(text.contains("… 2,980 tasks done"), "{text}");
    assert!(text.lines().count() < 30, "{text}");
}

#[test]
fn a_panic_leaves_the_terminal_on_a_fresh_line() {
    let terminal = Terminal::new(60, 10);
    let script = busy();
    let mut live = Live::new(Box::new(terminal.clone()), live(60, 10), View::new(), &[]);
    script.events.iter().for_each(|event| live.on_event(&script.plan, event).unwrap());
    live.draw(Duration::from_secs(52)).unwrap();
    let restorer = live.restorer();
    restorer.restore();
    restorer.restore();
    terminal.0.write_str("panicked").unwrap();
    let shown = terminal.0.contents();
    assert_eq!(shown.lines().last(), Some("panicked"), "{shown}");
    assert!(!terminal.1.text().contains("\x1b[?"), "no mode of the terminal is changed");
}

struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_broken_pipe_comes_back_as_one() {
    let script = busy();
    let is_broken = |error: io::Error| assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    let mut plain = Plain::new(Box::new(Broken), Screen::plain(80), View::new(), &[]);
    script.events.iter().for_each(|event| plain.on_event(&script.plan, event).unwrap());
    is_broken(plain.flush().unwrap_err().source);
    let mut json = JsonLines::new(Box::new(Broken));
    json.on_event(&script.plan, &script.events[0]).unwrap();
    is_broken(json.flush().unwrap_err().source);
    let mut live = Live::new(Box::new(Broken), live(80, 24), View::new(), &["header".to_owned()]);
    script.events.iter().for_each(|event| live.on_event(&script.plan, event).unwrap());
    is_broken(live.draw(Duration::from_secs(1)).unwrap_err());
}

#[test]
fn json_lines_carry_the_schema_once_and_every_event_as_written() {
    let written = Written::default();
    let script = everything();
    let mut json = JsonLines::new(Box::new(written.clone()));
    script.events.iter().for_each(|event| json.on_event(&script.plan, event).unwrap());
    json.flush().unwrap();
    let text = written.text();
    assert!(is_clean(&text));
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["schema"], &first["seq"], &first["kind"]),
        (&1.into(), &1.into(), &"run_started".into())
    );
    assert_eq!(text.matches("\"schema\"").count(), 1);
    for (line, event) in text.lines().zip(&script.events) {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        value.as_object_mut().unwrap().remove("schema");
        assert_eq!(value, serde_json::to_value(event).unwrap());
    }
}

#[test]
fn a_resumed_run_counts_what_earlier_sessions_did() {
    let script = busy();
    let end = EventKind::RunFinished {
        outcome: RunOutcome::Interrupted { signal: 2 },
        counts: Counts::default(),
        duration: Duration::from_mins(1),
        unticked: 0,
    };
    let resumed =
        EventKind::RunResumed { session: 2, started: 1, jobs: 4, total: 12, selected: 7, done_before: 1 };
    let script = script.at(60_000, end).at(0, resumed);
    let (last, before) = script.events.split_last().unwrap();
    let summary = specter::summary::Summary::of(&script.plan, before);
    let mut view = View::resumed(&summary);
    view.apply(&script.plan, last);
    assert_eq!((view.selected, view.settled(), view.done, view.failed), (7, 2, 2, 0));
}

proptest! {
    #[test]
    fn any_title_and_output_at_any_size_stays_in_the_block(
        titles in prop::collection::vec(any::<String>(), 1..6),
        output in any::<String>(),
        (width, height) in (1usize..201, 1usize..30),
        unicode in any::<bool>(),
    ) {
        let named: Vec<(String, &str)> =
            titles.iter().enumerate().map(|(n, title)| (format!("{n}{title}"), title.as_str())).collect();
        let tasks: Vec<(&str, &str)> = named.iter().map(|(id, title)| (id.as_str(), *title)).collect();
        let mut script = Script::new(plan(&tasks)).run_started();
        for (n, (id, _)) in tasks.iter().enumerate() {
            script = script.start(n as u64, id, 1 + n as u32 % 3, n as u32 + 1);
        }
        let (first, _) = tasks[0];
        let script = script.retry(10, first, 2, 5_000, refused());
        let mut view = View::new();
        script.events.iter().for_each(|event| view.apply(&script.plan, event));
        tasks.iter().for_each(|(id, _)| view.output(&TaskId::new(id), &output));
        let screen = Screen { unicode, ..live(width, height) };
        let lines = block(&screen, &view, Duration::from_secs(9));
        let text = lines.join("\n");
        prop_assert!(lines.len() <= (height - 1).max(1));
        prop_assert!(widest(&text) <= width, "{text:?}");
        prop_assert!(is_clean(&text), "{text:?}");
        prop_assert!(is_clean(&self::lines(&screen, &script)));
    }
}
