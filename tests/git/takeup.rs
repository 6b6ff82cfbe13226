//! What the start after a crash finds integrated counts as done, whichever of a task's attempts it was, and once.

use super::{Place, git_in, integrate, lease, no_git, put};
use specter::driver::take_up_files;
use specter::event::{AttemptOutcome, AttemptReport, Event, EventKind, FailureClass, TaskRef};
use specter::task::TaskId;
use std::time::Duration;

fn task() -> TaskRef {
    TaskRef { ix: TaskRef::UNRESOLVED, id: TaskId::new("T1") }
}

fn started(attempt: u32) -> EventKind {
    EventKind::AttemptStarted { task: task(), attempt, executor: "shell".into(), worker: 1 }
}

/// The work was done, and then it could not be integrated.
fn given_up(attempt: u32) -> EventKind {
    let report = AttemptReport {
        outcome: AttemptOutcome::NotIntegrated,
        class: Some(FailureClass::Transient),
        ..AttemptReport::default()
    };
    EventKind::AttemptFinished { task: task(), attempt, report: Box::new(report) }
}

/// What is taken up of a record that ends so: the number of the attempt that counts, and whether its end is added.
fn taken_up(place: &Place, kinds: Vec<EventKind>) -> Vec<(u32, bool)> {
    let mut git = place.open();
    let pool = place.pool(&git);
    let stamped = |(seq, kind)| Event { seq, at: Duration::ZERO, kind };
    let events: Vec<Event> = (1..).zip(kinds).map(stamped).collect();
    let taken = take_up_files(&mut git, Some(&pool), &[], &events).unwrap();
    let ends = taken.events.iter().any(|kind| matches!(kind, EventKind::AttemptFinished { .. }));
    let done = taken.events.iter().filter_map(|kind| match kind {
        EventKind::TaskDone { attempts, .. } => Some((*attempts, ends)),
        _ => None,
    });
    done.collect()
}

#[test]
fn an_integrated_attempt_counts_although_it_was_given_up_or_has_no_end_on_record() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("a", "a\n")]);
    assert_eq!(taken_up(&place, vec![started(1)]), []);
    assert_eq!(taken_up(&place, vec![started(1), given_up(1), started(2)]), []);
    let mut git = place.open();
    let pool = place.pool(&git);
    let worktree = lease(&mut git, &pool, "T1");
    assert_eq!(worktree.attempt().number, 1);
    put(worktree.root(), "b", "made\n");
    integrate(&mut git, worktree);
    drop((git, pool));
    assert_eq!(taken_up(&place, vec![started(1)]), [(1, true)], "no end on record");
    assert_eq!(taken_up(&place, vec![started(1), given_up(1)]), [(1, false)], "given up");
    let both = vec![started(1), given_up(1), started(2)];
    assert_eq!(taken_up(&place, both), [(1, false)], "given up, and the next was under way");
    let done = EventKind::TaskDone {
        task: task(),
        attempts: 1,
        verdict: specter::event::Verdict::Unverified,
        duration: Duration::ZERO,
    };
    assert_eq!(taken_up(&place, vec![started(1), done]), [], "known already");
    assert_eq!(git_in(&place.root(), &["status", "--porcelain"]).trim(), "?? b");
}
