//! Messages as well-known programs write them, and what is made of them.

use super::*;

fn judged(outcome: &AttemptOutcome, kind: BlockKind, tail: &str) -> Classified {
    classify(&Facts { outcome, kind: Some(kind), tail }, &Rules::default())
}

fn failed(tail: &str) -> Classified {
    judged(&AttemptOutcome::ExitCode(1), BlockKind::Run, tail)
}

#[test]
fn messages_of_well_known_programs_have_their_class() {
    use FailureClass::{Permanent, RateLimit, Transient, Unknown, UsageLimit};
    for (tail, class) in [
        ("Error: connect ECONNREFUSED 127.0.0.1:5432", Transient),
        ("curl: (6) Could not resolve host: example.invalid", Transient),
        (
            "npm ERR! network request to https://registry failed, reason: getaddrinfo ENOTFOUND registry.npmjs.org",
            Transient,
        ),
        ("read tcp 10.0.0.1:443: connection reset by peer", Transient),
        ("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 12 (apt)", Transient),
        ("fatal: Unable to create '/x/.git/index.lock': File exists.", Transient),
        ("curl: (22) The requested URL returned error: 503", Transient),
        ("HTTP 429 Too Many Requests", RateLimit),
        ("You exceeded your current quota", UsageLimit),
        ("write error: No space left on device", Permanent),
        ("sh: 1: foo: not found", Permanent),
        ("bash: line 1: foo: command not found", Permanent),
        ("touch: cannot touch '/x': Permission denied", Permanent),
        ("sh: 2: Syntax error: \"fi\" unexpected", Permanent),
        ("ModuleNotFoundError: No module named 'flask'", Permanent),
        ("Error: Cannot find module 'express'", Permanent),
        ("remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://x/'", Permanent),
        ("git@github.com: Permission denied (publickey).", Permanent),
        ("cat: a/b: No such file or directory", Permanent),
        ("Error: listen EADDRINUSE: address already in use :::3000", Permanent),
        ("npm ERR! code ERESOLVE", Permanent),
        ("write: Disk quota exceeded", Permanent),
        ("npm ERR! code E404", Permanent),
        ("npm error could not determine executable to run", Permanent),
        (
            r#"npm error npx canceled due to missing packages and no YES option: ["an-agent@1.2.3"]"#,
            Permanent,
        ),
        (
            "error: No solution found when resolving tool dependencies\n  cause: Because an-agent was not found",
            Permanent,
        ),
        ("3 tests failed", Unknown),
        ("HEAD is now at 3e404ab", Unknown),
        ("error: no matching overloaded function", Unknown),
        ("", Unknown),
    ] {
        assert_eq!(failed(tail).class, class, "{tail}");
        assert!(!failed(tail).rule.is_empty());
    }
}

#[test]
fn of_several_messages_the_last_one_counts() {
    let tail = "warning: connection reset by peer, trying again\nok\nSyntaxError: invalid syntax\n\nmake: *** [x] Error 1";
    assert_eq!(failed(tail).class, FailureClass::Permanent);
    assert_eq!(failed(tail).rule, "the output says: a syntax error");
}

#[test]
fn a_refused_connection_names_who_does_not_listen() {
    for (tail, place, start) in [
        ("Error: connect ECONNREFUSED 127.0.0.1:5432", "127.0.0.1:5432 (PostgreSQL's port)", "the database"),
        (
            "psql: error: connection to server at \"localhost\" (127.0.0.1), port 5432 failed: Connection refused",
            "127.0.0.1:5432 (PostgreSQL's port)",
            "the database",
        ),
        ("dial tcp [::1]:6379: connect: connection refused", "[::1]:6379 (Redis's port)", "Redis"),
        (
            "curl: (7) Failed to connect to localhost port 8080 after 0 ms",
            "localhost:8080 (a development server's port)",
            "the development server",
        ),
        ("redis://localhost:6379: Connection refused", "localhost:6379 (Redis's port)", "Redis"),
    ] {
        let judged = failed(tail);
        assert_eq!(
            judged.causes,
            [format!("nothing listens on {}", place.replace("Redis's", "Redis'"))],
            "{tail}"
        );
        assert_eq!(judged.fixes, [format!("start {start}, then `specter resume`")], "{tail}");
    }
    assert_eq!(failed("connection refused").fixes, ["start the service, then `specter resume`"]);
    assert_eq!(failed("x.example:4000: Connection refused").causes, ["nothing listens on x.example:4000"]);
}

#[test]
fn advice_names_what_is_missing() {
    for (tail, cause) in [
        ("sh: 1: foo: not found", "`foo` is not installed, or not on PATH"),
        ("zsh: command not found: foo", "`foo` is not installed, or not on PATH"),
        ("ModuleNotFoundError: No module named 'flask'", "`flask` is not installed"),
        ("touch: cannot touch: /etc/x: Permission denied", "the user who runs specter may not use `/etc/x`"),
        (
            "curl: (6) Could not resolve host: example.invalid",
            "`example.invalid` could not be resolved: no network, or a wrong name",
        ),
        ("listen EADDRINUSE: address already in use :::3000", "another process listens on port 3000"),
        (
            "cat: a/b: No such file or directory",
            "`a/b` does not exist: no task has made it yet, or its name is misspelt",
        ),
    ] {
        assert_eq!(failed(tail).causes[0], cause, "{tail}");
    }
}

#[test]
fn how_it_ended_decides_where_the_output_is_silent() {
    let of = |outcome: AttemptOutcome| judged(&outcome, BlockKind::Run, "").class;
    assert_eq!(of(AttemptOutcome::ExitCode(127)), FailureClass::Permanent);
    assert_eq!(of(AttemptOutcome::ExitCode(126)), FailureClass::Permanent);
    assert_eq!(of(AttemptOutcome::Signalled(11)), FailureClass::Permanent);
    assert_eq!(of(AttemptOutcome::ExitCode(139)), FailureClass::Permanent);
    assert_eq!(of(AttemptOutcome::Signalled(9)), FailureClass::Transient);
    assert_eq!(of(AttemptOutcome::TimedOut(90_000)), FailureClass::Transient);
    assert_eq!(of(AttemptOutcome::Cancelled), FailureClass::Cancelled);
    assert_eq!(of(AttemptOutcome::ExitCode(3)), FailureClass::Unknown);
    assert_eq!(
        of(AttemptOutcome::StartFailed("`x`: command not found on PATH".into())),
        FailureClass::Permanent
    );
    assert_eq!(
        of(AttemptOutcome::StartFailed("Resource temporarily unavailable (os error 11)".into())),
        FailureClass::Transient
    );
    assert_eq!(judged(&AttemptOutcome::TimedOut(90_000), BlockKind::Run, "").rule, "no end after 90 s");
}

#[test]
fn a_failed_check_is_a_gate_unless_it_could_not_run() {
    let of = |outcome: AttemptOutcome, tail: &str| judged(&outcome, BlockKind::Verify, tail).class;
    assert_eq!(of(AttemptOutcome::ExitCode(1), ""), FailureClass::Gate);
    assert_eq!(of(AttemptOutcome::ExitCode(1), "connection refused"), FailureClass::Gate);
    assert_eq!(of(AttemptOutcome::TimedOut(1), ""), FailureClass::Gate);
    assert_eq!(of(AttemptOutcome::ExitCode(127), "sh: 1: foo: not found"), FailureClass::Permanent);
    assert_eq!(of(AttemptOutcome::Cancelled, ""), FailureClass::Cancelled);
}

#[test]
fn the_users_patterns_come_first() {
    let rules =
        Rules { retryable: vec!["Flaky".into(), String::new()], non_retryable: vec!["connection".into()] };
    let of =
        |tail: &str| classify(&Facts { outcome: &AttemptOutcome::ExitCode(1), kind: None, tail }, &rules);
    assert_eq!(of("connection refused").class, FailureClass::Permanent);
    assert_eq!(of("connection refused").rule, "`nonRetryableErrors` has `connection`");
    assert_eq!(of("a flaky test: syntax error").class, FailureClass::Transient);
    assert_eq!(of("other").class, FailureClass::Unknown);
}

#[test]
fn the_wait_a_limit_names_is_read() {
    for (tail, seconds) in [
        ("HTTP 429\nRetry-After: 30", Some(30.0)),
        ("429 too many requests, please try again in 1.5s.", Some(1.5)),
        ("rate limit reached, retry after 2m", Some(120.0)),
        ("rate limit: retry in 500ms", Some(0.5)),
        ("rate limit", None),
        ("rate limit, retry after 999999999999999999999 s", None),
    ] {
        assert_eq!(failed(tail).retry_after, seconds.map(Duration::from_secs_f64), "{tail}");
    }
}

#[test]
fn a_stored_report_is_explained_as_it_was_judged() {
    let report = AttemptReport {
        outcome: AttemptOutcome::ExitCode(1),
        class: Some(FailureClass::Transient),
        rule: Some("as stored".into()),
        tail: "sh: 1: foo: not found".into(),
        ..AttemptReport::default()
    };
    let explained = explain(&report, &Rules::default());
    assert_eq!((explained.class, explained.rule.as_str()), (FailureClass::Transient, "as stored"));
    assert_eq!(explained.fixes, ["install `foo`, then `specter resume`"]);
}

proptest::proptest! {
    #[test]
    fn no_output_is_too_strange(tail in "(?s).{0,300}", pick in 0usize..6) {
        let words = ["connection refused", ": not found", "retry-after:", "port", "'", "no such file or directory"];
        let tail = format!("{tail}{}{tail}", words[pick]);
        let _judged = failed(&tail);
    }
}
