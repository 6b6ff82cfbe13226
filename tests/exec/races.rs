//! Races between what a task starts and the look at it, in a tight loop under load: processes that hop, that are being given
//! a program, that end while they are looked at. `SPECTER_RACES` is how often each style is played.

use super::orphans::{code, number};
use super::*;
use crate::run::sandbox::scale;
use specter::event::AttemptOutcome;
use std::sync::atomic::AtomicBool;

/// What a task leaves behind when it ends.
const LEFT: [(&str, &str); 6] = [
    (
        "hopper",
        "echo 'echo $2 > hops; [ $2 -gt 0 ] && sh hop $1 $(($2-1)) &' > hop; sh hop N 20000 & echo N > up",
    ),
    (
        "leaper",
        "echo 'echo $2 > hops; [ $2 -gt 0 ] && setsid sh leap $1 $(($2-1)) &' > leap; setsid sh leap N 20000 & echo N > up",
    ),
    // Given another program all the time: without an environment for a moment each time.
    (
        "changeling",
        "echo '[ $2 -gt 0 ] && exec sh change $1 $(($2-1))' > change; (setsid sh change N 9000 &); echo N > up",
    ),
    // Just being started when the task ends.
    ("newborn", "(setsid sleep N &); echo N > up"),
    // Orphans come and go beside the one that stays, and the list of them with them.
    (
        "crowd",
        "i=0; while [ $i -lt 20 ]; do (setsid true &); i=$((i+1)); done; (setsid sleep N &); echo N > up",
    ),
    ("forks", "(setsid sh -c 'i=0; while [ $i -lt 9000 ]; do (:) ; i=$((i+1)); done # N' &); echo N > up"),
];

/// Whether what hops in `bench` goes on: each writes how many are to come.
fn goes_on(bench: &Bench) -> bool {
    let (before, limit) = (bench.file("hops"), Instant::now() + Duration::from_secs(10));
    while Instant::now() < limit {
        if bench.file("hops").is_some_and(|now| now.ends_with('\n') && Some(now) != before) {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

#[test]
fn campaign_nothing_escapes_a_look_and_nothing_else_is_taken_for_it() {
    let rounds = scale("SPECTER_RACES", 1);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Load: whoever is looked at is often not running just then.
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _over = Over(&is_over);
        for round in 0..rounds {
            for (at, (name, style)) in LEFT.into_iter().enumerate() {
                play(name, style, LEFT[(at + round as usize) % 2].1);
            }
        }
    });
    println!("{} styles, {rounds} times each: nothing left, nothing else ended", LEFT.len());
}

/// Leaves something behind beside another attempt, whose own must live until that one ends.
fn play(name: &str, style: &str, beside_style: &str) {
    let (bench, other) = (Bench::new(), Bench::with(|config| config.grace = Duration::from_millis(50)));
    let (mine, others) = (number(), number());
    let stop = StopHandle::new();
    // Its first process does not carry the number, only what it leaves behind.
    let long = [sh(&format!("{}; exec sleep 100000", code(beside_style, &others)))];
    let report = beside(
        &stop,
        || other.run_with(&long, &stop, true),
        || {
            other.when("up", || {
                let report = bench.sh(&code(style, &mine));
                assert!(report.outcome.is_success(), "{name}: {report:?}");
                (0..5).for_each(|_| assert_eq!(alive_with(&mine), [0; 0], "{name}: {report:?}"));
                assert!(goes_on(&other), "{name} took another's with it: {report:?}");
                stop.stop(Stop::Now);
            });
        },
    );
    assert_eq!(report.outcome, AttemptOutcome::Cancelled);
    (0..5).for_each(|_| assert_eq!(alive_with(&others), [0; 0], "beside {name}"));
}
