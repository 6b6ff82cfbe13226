//! Nothing of an attempt lives on: ten styles of children, each ended in every way.

use super::*;
use specter::event::AttemptOutcome;

/// Starts children in some style; `N` is a number that no other process sleeps for.
pub(crate) const STYLES: [(&str, &str); 10] = [
    ("direct", "exec sleep N"),
    ("grandchild", "sh -c 'sleep N; true'"),
    ("background", "sleep N & echo up > up; sleep N"),
    ("orphan", "(sleep N & sleep N &) ; echo up > up; sleep N"),
    ("setsid", "setsid sleep N & echo up > up; sleep N"),
    ("daemon", "(setsid sh -c '(setsid sleep N >/dev/null 2>&1 &)' &) ; echo up > up; sleep N"),
    (
        "stubborn",
        "(trap '' TERM HUP; nohup sh -c 'trap \"\" TERM HUP; while :; do sleep 0.N; done' >/dev/null 2>&1 &); echo up > up; sleep N",
    ),
    // Each starts the next and ends: gone before a walk over all processes comes to it. The second in a session of its own
    // each time. (A function that calls itself would be quicker, and is ended by the shell after a thousand times.)
    ("hopper", "echo '[ $2 -gt 0 ] && sh hop $1 $(($2-1)) &' > hop; sh hop N 20000 & echo up > up; sleep N"),
    (
        "leaper",
        "echo '[ $2 -gt 0 ] && setsid sh leap $1 $(($2-1)) &' > leap; setsid sh leap N 20000 & echo up > up; sleep N",
    ),
    ("storm", "i=0; while [ $i -lt 200 ]; do (sleep N &) ; i=$((i+1)); done; echo up > up; sleep N"),
];

pub(crate) fn number() -> String {
    fastrand::u32(100_000_000..999_999_999).to_string()
}

pub(crate) fn code(style: &str, number: &str) -> String {
    // The first two have no moment of their own to say that they run.
    let code = style.replace('N', number);
    if code.contains("> up") { code } else { format!("echo up > up\n{code}") }
}

/// Looks often: what hops is seldom where one looks.
fn nothing_is_left(number: &str, name: &str) {
    for _ in 0..5 {
        let left = alive_with(number);
        assert!(left.is_empty(), "{name}: {left:?}");
    }
}

#[test]
fn a_time_out_leaves_nothing() {
    for (name, style) in STYLES {
        let bench = Bench::with(|config| config.grace = Duration::from_millis(100));
        let number = number();
        let mut block = sh(&code(style, &number));
        block.given.timeout = Some(Duration::from_secs(1));
        let report = bench.run(&[block]);
        assert_eq!(report.outcome, AttemptOutcome::TimedOut(1000), "{name}: {report:?}");
        assert!(report.duration < Duration::from_secs(15), "{name}: {:?}", report.duration);
        nothing_is_left(&number, name);
    }
}

#[test]
fn a_stop_leaves_nothing() {
    for how in [Stop::Gracefully, Stop::Now] {
        for (name, style) in STYLES {
            let bench = Bench::with(|config| config.grace = Duration::from_millis(100));
            let number = number();
            let blocks = [sh(&code(style, &number))];
            let stop = StopHandle::new();
            let report = beside(
                &stop,
                || bench.run_with(&blocks, &stop, true),
                || bench.when("up", || stop.stop(how)),
            );
            assert_eq!(report.outcome, AttemptOutcome::Cancelled, "{name}: {report:?}");
            nothing_is_left(&number, name);
        }
    }
}

#[test]
fn a_normal_end_leaves_nothing_and_names_what_was_left() {
    for (name, style) in STYLES {
        let bench = Bench::new();
        let number = number();
        // As above, but the task itself ends.
        let style = style.strip_suffix("sleep N").unwrap_or("true");
        let report = bench.sh(&code(style, &number));
        assert!(report.outcome.is_success(), "{name}: {report:?}");
        nothing_is_left(&number, name);
        let has_left = !matches!(name, "direct" | "grandchild");
        assert_eq!(!report.leaked.is_empty(), has_left, "{name}: {report:?}");
    }
}

#[test]
fn an_attempts_end_does_not_touch_another() {
    let bench = Bench::new();
    let stop = StopHandle::new();
    let (mine, other) = (number(), number());
    let long = [sh(&format!("(setsid sleep {other} &); echo up > up; sleep {other}"))];
    let report = beside(
        &stop,
        || bench.run_with(&long, &stop, true),
        || {
            bench.when("up", || {
                let report = bench.sh(&format!("(setsid sleep {mine} >/dev/null 2>&1 &); true"));
                assert!(report.outcome.is_success());
                nothing_is_left(&mine, "mine");
                // The shell and two that sleep, as soon as it has started them.
                until(|| alive_with(&other).len() == 3);
                stop.stop(Stop::Now);
            });
        },
    );
    assert_eq!(report.outcome, AttemptOutcome::Cancelled);
    nothing_is_left(&other, "other");
}
