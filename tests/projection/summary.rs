//! Figures that can be checked with pencil and paper, and laws that hold whatever happens.

use super::run::{Run, plan};
use super::stories::{interrupted, parallel, partial, resumed, serial};
use proptest::prelude::*;
use specter::event::{Counts, EventKind, FailureClass, RunOutcome, SkipReason, TaskRef};
use specter::plan::Mode;
use specter::summary::{Stopped, Summary, TaskState};
use specter::task::TaskId;

fn ids(summary: &Summary, tasks: &[specter::task::TaskIx]) -> Vec<String> {
    tasks.iter().map(|task| summary.id(*task).to_string()).collect()
}

#[test]
fn fifty_seconds_of_work_in_eighteen_are_an_efficiency_of_sixty_four_percent() {
    let run = parallel();
    let summary = run.summary();
    let numbers = summary.numbers();
    assert_eq!(numbers.efficiency, Some(0.64));
    assert_eq!(
        (summary.spans().parallel_sequential_ms(), summary.spans().parallel_wall_ms()),
        (50_000, 18_000)
    );
    // 50 + 18 + 31 s; one at a time it were 32 s more.
    assert_eq!((numbers.duration_ms, numbers.saved_ms, numbers.sequential_ms), (99_000, 32_000, 131_000));
    assert_eq!((numbers.parallel_tasks, numbers.peak), (4, 4));
    assert_eq!(
        numbers.longest.map(|(task, ms)| (ids(&summary, &[task]), ms)),
        Some((vec!["T007".to_owned()], 18_000))
    );
    assert_eq!(
        numbers.shortest.map(|(task, ms)| (ids(&summary, &[task]), ms)),
        Some((vec!["T012".to_owned()], 4000))
    );
    let beside: Vec<_> = summary.row(run.ix("T008")).beside.names().collect();
    assert_eq!(ids(&summary, &beside), ["T005", "T006", "T007"]);
}

#[test]
fn the_average_is_over_task_durations_and_not_over_wall_time() {
    let numbers = parallel().summary().numbers();
    assert_eq!(numbers.average_ms, Some(131_000.0 / 12.0));
    assert_eq!(numbers.tasks_per_minute, Some(12.0 / (99.0 / 60.0)));
}

#[test]
fn a_serial_run_saves_nothing_and_has_no_efficiency() {
    let run = serial();
    let summary = run.summary();
    let numbers = summary.numbers();
    assert_eq!((numbers.duration_ms, numbers.sequential_ms, numbers.saved_ms), (84_000, 84_000, 0));
    assert_eq!((numbers.efficiency, numbers.parallel_tasks, numbers.peak), (None, 0, 1));
    assert_eq!(numbers.average_ms, Some(10_500.0));
    let phases: Vec<(u32, u64)> =
        summary.phases(&run.plan).iter().map(|phase| (phase.done, phase.worked_ms)).collect();
    assert_eq!(phases, [(3, 35_000), (3, 26_000), (2, 23_000)]);
}

#[test]
fn a_resumed_run_counts_both_sessions_and_tells_what_was_taken_over() {
    let run = resumed();
    let summary = run.summary();
    let numbers = summary.numbers();
    // 65 s of work, three attempts of 3 s with waits of 1 and 2 s; then 25 s ten minutes later.
    assert_eq!(numbers.duration_ms, 65_000 + 12_000 + 25_000);
    assert_eq!((numbers.retries, numbers.error_rate), (3, Some(3.0 / 12.0)));
    let recovery = summary.recovery().unwrap();
    assert_eq!((recovery.sessions, recovery.previously_done, recovery.resumed), (2, 6, 3));
    assert_eq!(recovery.session_ms, 25_000);
    assert_eq!(ids(&summary, &recovery.failed_now_done), ["T007"]);
    let row = summary.row(run.ix("T007"));
    assert_eq!((row.attempts, row.busy_ms(), row.last_ms()), (4, 17_000, 8000));
    assert_eq!((row.class, row.state), (None, TaskState::Done));
    assert!(serial().summary().recovery().is_none());
}

#[test]
fn a_failure_keeps_its_class_its_words_and_whom_it_blocks() {
    let run = partial();
    let summary = run.summary();
    let counts = Counts { selected: 6, done: 4, failed: 1, blocked: 1, done_before: 1, ..Counts::default() };
    assert_eq!(summary.counts(), counts);
    let row = summary.row(run.ix("T005"));
    assert_eq!(row.class, Some(FailureClass::Permanent));
    assert_eq!(row.detail.as_ref().unwrap().tail, "SMTP connection timeout\n");
    assert_eq!(summary.row(run.ix("T006")).blocked_by(), Some(run.ix("T005")));
    assert!(summary.row(run.ix("T004")).by_fallback);
    // 12 + 15 + 18 s in 18.
    assert_eq!(summary.numbers().efficiency, Some(27.0 / 45.0));
    assert_eq!((summary.numbers().cpu_ms, summary.numbers().peak_memory_kb), (Some(4200), Some(51_200)));
}

#[test]
fn an_interrupted_run_says_by_what_and_leaves_its_tasks_open() {
    let run = interrupted();
    let summary = run.summary();
    assert_eq!(summary.stopped, Some(Stopped::Signal("SIGINT".to_owned())));
    assert_eq!(summary.outcome(), Some(RunOutcome::Interrupted { signal: 2 }));
    let counts = Counts { selected: 4, done: 1, cancelled: 2, open: 1, ..Counts::default() };
    assert_eq!(summary.counts(), counts);
    assert_eq!(summary.numbers().error_rate, Some(0.0));
    let mut run = run;
    run.resume(5);
    assert_eq!(run.summary().counts().open, 3);
    assert_eq!(run.summary().stopped, None);
}

#[test]
fn what_ran_when_the_process_died_ends_with_the_last_event_on_record() {
    let mut run = Run::new(plan(Mode::Graph, "T001 One\nT002 Two"), 2);
    run.start("T001")
        .after(1)
        .start("T002")
        .after(2)
        .tell(EventKind::Note { level: specter::event::NoteLevel::Info, text: "last words".to_owned() });
    run.resume(100).start("T001").after(5).done("T001").start("T002").after(4).done("T002");
    let summary = run.summary();
    assert_eq!(summary.row(run.ix("T001")).busy_ms(), 3000 + 5000);
    assert_eq!(summary.numbers().duration_ms, 3000 + 9000);
    assert_eq!(summary.numbers().saved_ms, 2000);
    assert_eq!(ids(&summary, &summary.recovery().unwrap().cut_off), ["T001", "T002"]);
    assert_eq!(summary.sessions[0].outcome, None);
}

#[test]
fn more_than_eight_neighbours_are_counted_and_not_named() {
    let text: String = (1..=20).map(|n| format!("T{n:03} [P] Task\n")).collect();
    let mut run = Run::new(plan(Mode::Graph, &text), 20);
    let ids: Vec<String> = (1..=20).map(|n| format!("T{n:03}")).collect();
    for id in &ids {
        run.start(id);
    }
    for id in &ids {
        run.after(1).done(id);
    }
    let summary = run.summary();
    for (_, row) in summary.rows() {
        assert_eq!((row.beside.names().count(), row.beside.count(), row.beside.more()), (8, 19, 11));
    }
}

#[test]
fn one_after_the_other_at_the_same_instant_is_not_side_by_side() {
    let mut run = Run::new(plan(Mode::Graph, "T001 One\nT002 Two"), 2);
    run.serially(&[("T001", 3), ("T002", 3)]);
    assert_eq!(run.summary().numbers().efficiency, None);
    assert_eq!(run.summary().row(run.ix("T001")).beside.count(), 0);
}

#[test]
fn rows_follow_their_tasks_when_the_file_is_edited() {
    let mut run = Run::new(plan(Mode::Graph, "T001 One\nT002 Two\nT003 Three"), 2);
    run.serially(&[("T001", 3)]).start("T003");
    let mut summary = run.summary();
    let edited = plan(Mode::Graph, "T000 Zero\nT003 Three\nT001 One");
    let id = |id: &str| TaskId::new(id);
    let changed = EventKind::PlanChanged {
        added: vec![id("T000")],
        removed: vec![id("T002")],
        reopened: Vec::new(),
        ticked: Vec::new(),
    };
    let gone = EventKind::TaskSkipped {
        task: TaskRef { ix: TaskRef::UNRESOLVED, id: id("T002") },
        why: SkipReason::Removed,
    };
    let told = run.events.len();
    run.plan = edited;
    run.after(1).tell(changed).tell(gone).after(2).done("T003");
    for event in &run.events[told..] {
        summary.apply(&run.plan, event);
    }
    assert_eq!(summary.row(run.ix("T003")).busy_ms(), 3000);
    assert_eq!(summary.row(run.ix("T001")).state, TaskState::Done);
    assert_eq!(summary.row(run.ix("T000")).state, TaskState::Open);
    let counts = Counts { selected: 3, done: 2, open: 1, ..Counts::default() };
    assert_eq!(summary.counts(), counts);
    assert_eq!(ids(&summary, &summary.done_order), ["T001", "T003"]);
}

#[test]
fn a_row_is_small() {
    assert!(std::mem::size_of::<specter::summary::Row>() <= 256);
}

/// Any interleaving: per attempt its begin and length, in order of begin; -1 as length ends with a crash.
fn scripts() -> impl Strategy<Value = Vec<(u64, u64)>> {
    proptest::collection::vec((0u64..400, 0u64..300), 1..40)
}

/// Events of attempts `(begin, length)`, one task each; ends come before begins at the same instant.
fn told(attempts: &[(u64, u64)], crash: Option<u64>) -> Run {
    let text: String = (0..attempts.len()).map(|n| format!("T{n:03} Task\n")).collect();
    let mut run = Run::new(plan(Mode::Graph, &text), 64);
    let mut moments: Vec<(u64, bool, usize)> = Vec::new();
    for (n, (begin, length)) in attempts.iter().enumerate() {
        moments.push((*begin, true, n));
        moments.push((begin + length, *length == 0, n + attempts.len()));
    }
    moments.sort_unstable();
    let crash = crash.unwrap_or(u64::MAX);
    for (at, _, n) in moments.iter().copied().take_while(|(at, ..)| *at < crash) {
        let id = format!("T{:03}", n % attempts.len());
        run.at_ms(at);
        if n < attempts.len() {
            run.start(&id);
        } else {
            run.done(&id);
        }
    }
    run
}

/// Time covered by at least one interval and by parts with an overlap, by brute force over milliseconds.
fn covered(attempts: &[(u64, u64)]) -> (u64, u64, u64) {
    let running = |ms: u64| {
        attempts.iter().filter(|(begin, length)| (*begin..begin + length).contains(&ms)).count() as u64
    };
    let (mut wall, mut busy, mut saved) = (0, 0, 0);
    for ms in 0..800 {
        let n = running(ms);
        wall += u64::from(n > 0);
        busy += n;
        saved += n.saturating_sub(1);
    }
    (wall, busy, saved)
}

proptest! {
    #[test]
    fn wall_and_time_saved_make_up_the_sequential_time(attempts in scripts()) {
        let summary = told(&attempts, None).summary();
        let (spans, numbers) = (summary.spans(), summary.numbers());
        let (wall, busy, saved) = covered(&attempts);
        prop_assert_eq!((spans.executing_ms(), spans.sequential_ms(), spans.saved_ms()), (wall, busy, saved));
        prop_assert_eq!(busy, attempts.iter().map(|(_, length)| length).sum::<u64>());
        prop_assert_eq!(summary.rows().map(|(_, row)| row.busy_ms()).sum::<u64>(), busy);
        prop_assert_eq!(numbers.sequential_ms, numbers.duration_ms + saved);
        prop_assert!(numbers.efficiency.is_none_or(|efficiency| (0.0..1.0).contains(&efficiency)));
        prop_assert!(numbers.efficiency.is_some() || saved == 0);
        prop_assert_eq!(spans.parallel_sequential_ms() - spans.parallel_wall_ms(), saved);
    }

    #[test]
    fn to_have_run_beside_is_mutual(attempts in scripts()) {
        let summary = told(&attempts, None).summary();
        for (task, row) in summary.rows() {
            for other in row.beside.names() {
                let back = &summary.row(other).beside;
                prop_assert!(other != task);
                prop_assert!(back.names().any(|name| name == task) || back.count() > 8);
            }
        }
    }

    #[test]
    fn folding_a_journal_again_gives_what_was_folded_live(attempts in scripts(), crash in 0u64..500) {
        let mut run = told(&attempts, Some(crash));
        run.resume(10);
        for n in 0..attempts.len() {
            let id = format!("T{n:03}");
            if run.summary().row(run.ix(&id)).state != TaskState::Done {
                run.start(&id).after(1).done(&id);
            }
        }
        let mut live = Summary::new(&run.plan);
        for event in &run.events {
            live.apply(&run.plan, event);
        }
        let again = Summary::of(&run.plan, &run.through_disk());
        prop_assert_eq!(live.counts(), again.counts());
        prop_assert_eq!(live.numbers(), again.numbers());
        prop_assert_eq!(live.recovery(), again.recovery());
        let rows = |summary: &Summary| summary.rows().map(|(_, row)| row.clone()).collect::<Vec<_>>();
        prop_assert_eq!(rows(&live), rows(&again));
        prop_assert_eq!(again.counts().done as usize, attempts.len());
    }
}
