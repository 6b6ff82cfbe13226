//! Agents that ask: what needs their tasks waits with them, all else goes on, and an answer lets them go on.

use super::fixture::File;
use super::providers::{Run, asking, failed, file, limits};
use fastrand::Rng;
use specter::event::{AnsweredBy, EventKind, FailureClass, RunOutcome, TaskRef};
use specter::history::History;
use specter::plan::{LeftOut, Role};
use specter::schedule::{Obstacle, TaskOutcome, TaskState};
use specter::task::TaskId;

/// `C2` needs `C1`, `C3` only comes after it, `S1` has nothing to do with them.
fn branch() -> File {
    let mut branch = file(&["C1", "C2", "C3", "S1"]);
    branch.line_mut("C2").unwrap().needs.push("C1".to_owned());
    branch.line_mut("C3").unwrap().after.push("C1".to_owned());
    branch
}

fn answers(run: &Run) -> Vec<(String, AnsweredBy)> {
    let told = run.journal.iter().filter_map(|event| match &event.kind {
        EventKind::QuestionAnswered { answer, by, .. } => Some((answer.clone(), *by)),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_question_parks_its_branch_and_all_else_goes_on_to_an_end_that_says_resume() {
    let mut run = Run::new(branch(), limits(1));
    assert_eq!(run.running(), ["C1"]);
    run.end("C1", asking(true));
    let c1 = run.ix("C1");
    assert_eq!(run.scheduler.state(run.ix("C2")), TaskState::Finished(TaskOutcome::Blocked { by: c1 }));
    assert_eq!(run.why("C2"), [Obstacle::BlockedBy(c1)]);
    run.succeed("C3");
    run.succeed("S1");
    assert_eq!(run.outcome(), Some(RunOutcome::Stopped));
    let counts = run.scheduler.counts();
    assert_eq!((counts.done, counts.parked, counts.blocked, counts.selected), (2, 1, 1, 4));
    assert_eq!(run.count(|kind| matches!(kind, EventKind::RetryScheduled { .. })), 0);
}

#[test]
fn an_answer_to_the_run_at_work_lets_the_branch_go_on_at_once_and_costs_no_attempt() {
    let mut run = Run::new(branch(), limits(1));
    run.end("C1", asking(true));
    run.answer("C1", "eighty");
    run.succeed("C3");
    assert_eq!(run.running(), ["C1"]);
    for _ in 0..2 {
        run.end("C1", failed(FailureClass::Gate));
        run.wake_until_start();
        if run.running() != ["C1"] {
            run.succeed("S1");
            run.wake_until_start();
        }
    }
    run.succeed("C1");
    run.succeed("C2");
    assert_eq!(run.outcome(), Some(RunOutcome::AllDone), "{:?}", run.attempts());
    assert_eq!(answers(&run), [("eighty".to_owned(), AnsweredBy::Person)]);
}

#[test]
fn what_is_done_and_ticked_does_not_run_again_because_somebody_answers() {
    let mut graph = branch();
    graph.task("G1", &[]);
    graph.line_mut("S1").unwrap().group = Some("G1".to_owned());
    graph.line_mut("G1").unwrap().role = Role::Group;
    let mut run = Run::new(graph, limits(2));
    run.end("C1", asking(true));
    run.succeed("S1");
    for id in ["S1", "G1"] {
        let task = TaskRef { ix: run.ix(id), id: TaskId::new(id) };
        let ticked = run.scheduler.stamp(run.now, EventKind::BoxTicked { task, line: 1 });
        run.journal.push(ticked);
    }
    run.answer("C1", "eighty");
    let told = |run: &Run, id: &str| {
        run.count(|kind| matches!(kind, EventKind::TaskDone { task, .. } if task.id.as_str() == id))
    };
    assert_eq!(run.running(), ["C3"], "C1 comes before it and waits for it now: {:?}", run.attempts());
    ["C3", "C1", "C2"].into_iter().for_each(|id| drop(run.succeed(id)));
    assert_eq!(run.outcome(), Some(RunOutcome::AllDone));
    assert_eq!((told(&run, "S1"), told(&run, "G1")), (1, 1), "{:?}", run.attempts());
}

#[test]
fn a_question_outlives_its_session_and_its_answer_too() {
    let mut run = Run::new(branch(), limits(1));
    run.end("C1", asking(true));
    let mut run = run.resume(0);
    assert_eq!(run.running(), ["C3"], "not asked again");
    run.succeed("C3");
    run.succeed("S1");
    assert_eq!(run.outcome(), Some(RunOutcome::Stopped));
    assert_eq!(run.starts(), 3 + 1, "C3 began in both sessions");
    run.answer("C1", "first thought");
    run.answer("C1", "better one");
    assert_eq!(answers(&run).len(), 2, "both are on record");
    let history = History::from_events(&run.journal);
    assert_eq!(history.questions()[&TaskId::new("C1")].answer.as_deref(), Some("better one"));
    let mut run = run.resume(0);
    assert_eq!(run.running(), ["C1"]);
    run.succeed("C1");
    run.succeed("C2");
    assert_eq!(run.outcome(), Some(RunOutcome::AllDone));
}

/// `C1` asks, and is not the next to start; `S2` runs.
fn asked_behind_another() -> Run {
    let mut three = file(&["C1", "S1", "S2"]);
    three.line_mut("S1").unwrap().estimate = 9;
    let mut run = Run::new(three, limits(1));
    run.succeed("S1");
    run.file.line_mut("S2").unwrap().estimate = 8;
    run.end("C1", asking(true));
    assert_eq!(run.running(), ["S2"]);
    run
}

fn edit(run: &mut Run, id: &str, role: Role) {
    run.file.line_mut(id).unwrap().role = role;
    let decision = run.scheduler.replan(run.now, std::sync::Arc::new(run.file.plan()));
    run.scheduler.check();
    run.journal.extend(decision.events);
}

#[test]
fn a_better_answer_counts_until_the_task_goes_on_also_in_the_next_session() {
    let mut run = asked_behind_another();
    run.answer("C1", "first thought");
    let mut run = run.resume(0);
    assert_eq!(run.running(), ["S2"]);
    run.answer("C1", "better one");
    run.succeed("S2");
    assert_eq!(run.running(), ["C1"]);
    assert_eq!(answers(&run).last().map(|(answer, _)| answer.as_str()), Some("better one"));
}

#[test]
fn what_a_person_took_out_of_the_work_asks_nothing_any_more() {
    for role in [Role::LeftOut(LeftOut::Manual), Role::Done] {
        let mut run = asked_behind_another();
        edit(&mut run, "C1", role);
        assert!(run.scheduler.answer(run.now, &TaskId::new("C1"), 1, "too late").events.is_empty());
        edit(&mut run, "C1", Role::Run);
        assert!(History::from_events(&run.journal).questions().is_empty());
        assert!(run.scheduler.answer(run.now, &TaskId::new("C1"), 1, "too late").events.is_empty());
        run.succeed("S2");
        assert_eq!(run.running(), ["C1"], "asked for anew");
    }
}

#[test]
fn answers_to_what_nobody_asked_are_none() {
    let mut run = Run::new(branch(), limits(2));
    assert!(run.answer("C3", "x").events.is_empty(), "it asked nothing");
    assert!(run.answer("Z9", "x").events.is_empty(), "there is no such task");
    run.end("C1", asking(true));
    run.answer("C1", "x");
    run.wake_until_start();
    while !run.running().contains(&"C1") {
        let id = run.running()[0].to_owned();
        run.succeed(&id);
    }
    let attempts = run.scheduler.answer(run.now, &TaskId::new("C1"), 1, "too late");
    assert!(attempts.events.is_empty(), "it has gone on since");
}

#[test]
fn where_nobody_is_to_be_asked_the_default_is_taken_and_costs_an_attempt() {
    let mut run = Run::new(file(&["C1"]), limits(1));
    for _ in 0..3 {
        run.wake_until_start();
        run.end("C1", asking(false));
    }
    assert_eq!(run.outcome(), Some(RunOutcome::SomeFailed), "who asks for ever fails");
    assert_eq!(answers(&run), vec![("this".to_owned(), AnsweredBy::Default); 2]);
}

#[test]
fn a_parked_task_that_a_person_ticks_is_done_and_frees_what_needs_it() {
    let mut run = Run::new(branch(), limits(1));
    run.end("C1", asking(true));
    run.file.line_mut("C1").unwrap().role = Role::Done;
    let decision = run.scheduler.replan(run.now, std::sync::Arc::new(run.file.plan()));
    run.journal.extend(decision.events);
    run.succeed("C3");
    let second = run.running()[0].to_owned();
    run.succeed(&second);
    let third = run.running()[0].to_owned();
    run.succeed(&third);
    assert_eq!(run.outcome(), Some(RunOutcome::AllDone));
    let history = History::from_events(&run.journal);
    assert!(history.questions().is_empty());
}

/// For any order of ends, answers and restarts: nobody runs who waits for an answer, and each that was answered goes on.
#[test]
fn nobody_runs_before_his_question_is_answered() {
    for seed in 0..300 {
        let mut rng = Rng::with_seed(seed);
        let mut run = Run::new(branch(), limits(rng.u32(1..4)));
        for _ in 0..60 {
            if run.outcome() == Some(RunOutcome::AllDone) {
                break;
            }
            let open = History::from_events(&run.journal);
            let open: Vec<String> = open
                .questions()
                .iter()
                .filter(|(_, asked)| asked.answer.is_none())
                .map(|(id, _)| id.to_string())
                .collect();
            assert!(!run.running().iter().any(|id| open.iter().any(|open| open == id)), "seed {seed}");
            match rng.u8(..6) {
                0 if run.running().is_empty() => run = run.resume(0),
                1 if !open.is_empty() => {
                    run.answer(&open[0], "yes");
                }
                _ if run.scheduler.is_over() => {
                    if let Some(open) = open.first() {
                        run.answer(open, "yes");
                    }
                    run = run.resume(0);
                }
                _ => {
                    let running: Vec<String> = run.running().iter().map(|id| (*id).to_owned()).collect();
                    let Some(id) = rng.choice(&running) else {
                        run.wake_until_start();
                        continue;
                    };
                    let asks = id.starts_with('C') && rng.u8(..3) == 0;
                    if asks {
                        run.end(id, asking(true))
                    } else {
                        run.succeed(id)
                    };
                }
            }
        }
        assert_eq!(run.outcome(), Some(RunOutcome::AllDone), "seed {seed}");
    }
}

/// A random graph, any outcomes, restarts and answers: returns how often somebody asked.
fn asks(seed: u64) -> usize {
    let mut rng = Rng::with_seed(seed);
    let ids: Vec<String> =
        (1..=rng.usize(2..9)).map(|n| format!("{}{n}", ["C", "X"][rng.usize(..2)])).collect();
    let mut graph = file(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    for (n, id) in ids.iter().enumerate().skip(1) {
        let line = graph.line_mut(id).unwrap();
        match rng.u8(..3) {
            0 => line.needs.push(ids[rng.usize(..n)].clone()),
            1 => line.after.push(ids[rng.usize(..n)].clone()),
            _ => {}
        }
    }
    let needs: Vec<(String, Vec<String>)> =
        ids.iter().map(|id| (id.clone(), graph.line_mut(id).unwrap().needs.clone())).collect();
    let mut run = Run::new(graph, limits(rng.u32(1..4)));
    for _ in 0..80 {
        if rng.u8(..8) == 0 {
            run.answer_some(&mut rng);
        }
        if run.scheduler.is_over() || rng.u8(..15) == 0 {
            run = run.resume(1_000);
            continue;
        }
        let running: Vec<String> = run.running().iter().map(|id| (*id).to_owned()).collect();
        let Some(id) = rng.choice(&running) else {
            run.wake_until_start();
            continue;
        };
        match rng.u8(..6) {
            0 | 1 => run.end(id, asking(true)),
            2 => run.end(id, asking(false)),
            3 => run.end(id, failed(FailureClass::Gate)),
            4 => run.end(id, failed(FailureClass::Cancelled)),
            _ => run.succeed(id),
        };
    }
    // Once everything has an answer and nothing fails any more, all of it gets done.
    for round in 0.. {
        assert!(round < 2_000, "seed {seed}: it never ends");
        let open: Vec<TaskId> = History::from_events(&run.journal).questions().keys().cloned().collect();
        open.iter().for_each(|id| drop(run.answer(id.as_str(), "yes")));
        if run.outcome() == Some(RunOutcome::AllDone) {
            break;
        }
        if run.scheduler.is_over() {
            run = run.resume(1_000);
        }
        run.wake_until_start();
        if let Some(id) = run.running().first().map(|id| (*id).to_owned()) {
            run.succeed(&id);
        }
    }
    let mut waiting: Vec<&TaskId> = Vec::new();
    let mut asked = 0;
    for event in &run.journal {
        match &event.kind {
            EventKind::TaskParked { task, .. } => {
                asked += 1;
                waiting.push(&task.id);
            }
            EventKind::QuestionAnswered { task, .. } => waiting.retain(|id| **id != task.id),
            EventKind::AttemptStarted { task, .. } => {
                assert!(!waiting.contains(&&task.id), "seed {seed}: {} goes on without an answer", task.id);
                let of = needs.iter().find(|(id, _)| id == task.id.as_str()).unwrap();
                let held = of.1.iter().find(|need| waiting.iter().any(|id| id.as_str() == need.as_str()));
                assert!(held.is_none(), "seed {seed}: {} begins, and {held:?} waits for an answer", task.id);
            }
            _ => {}
        }
    }
    asked
}

#[test]
fn whatever_asks_and_ends_nothing_goes_on_without_its_answer_and_with_it_all_gets_done() {
    let seeds = std::env::var("SPECTER_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(300);
    let asked: usize = (0..seeds).map(asks).sum();
    assert!(asked as u64 >= seeds, "they ask, or this shows nothing: {asked}");
}
