//! Judgements on accounts made by hand; whole recorded runs and real messages are judged in `tests/agent`.

use super::*;
use crate::agent::preset::Presets;
use crate::agent::told::Told;

fn account(told: &[Told]) -> Account {
    let mut account = Account::default();
    told.iter().for_each(|told| account.tell(told));
    account
}

fn judged(agent: &str, outcome: &AttemptOutcome, told: &[Told], stderr: &str, work: Work) -> Ending {
    let presets = Presets::compiled_in();
    let preset = presets.get(agent).expect("preset");
    judge(&Ended { preset, outcome, account: &account(told), stderr, work })
}

fn failure(ending: Ending) -> Failure {
    match ending {
        Ending::Failed(failure) => *failure,
        other => panic!("did not fail: {other:?}"),
    }
}

fn cause(outcome: AttemptOutcome, told: &[Told], stderr: &str) -> Cause {
    failure(judged("gemini", &outcome, told, stderr, Work::Unknown)).cause
}

fn error(kind: &str, message: &str) -> Told {
    Told::Failed(AgentError::new(kind, message))
}

fn text(text: &str) -> Told {
    Told::Text(text.to_owned())
}

const EXIT: AttemptOutcome = AttemptOutcome::ExitCode(1);

#[test]
fn an_exit_code_of_0_with_an_error_is_a_failure() {
    assert_eq!(cause(AttemptOutcome::Success, &[error("", "429 Too Many Requests")], ""), Cause::RateLimit);
    let unknown = failure(judged("pi", &AttemptOutcome::Success, &[error("", "boo")], "", Work::Changed));
    assert_eq!((unknown.cause, unknown.classified.class), (Cause::Other, FailureClass::Unknown));
    assert_eq!(unknown.classified.rule, "exit code 0, and yet it ended with an error: boo");
}

#[test]
fn an_error_that_was_survived_does_not_make_a_good_end_bad() {
    let told = [error("rate_limit", "429"), text("Done.")];
    assert_eq!(judged("pi", &AttemptOutcome::Success, &told, "", Work::Changed), Ending::Worked);
}

#[test]
fn a_claim_without_work_is_no_change_and_silence_is_told_apart() {
    let claim = failure(judged("claude", &AttemptOutcome::Success, &[text("All done.")], "", Work::Nothing));
    assert_eq!((claim.cause, claim.classified.class), (Cause::NoChange, FailureClass::NoChange));
    let silent = failure(judged("claude", &AttemptOutcome::Success, &[], "", Work::Unknown));
    assert_eq!(silent.classified.rule, "exit code 0, and it printed nothing");
    let garbage = failure(judged(
        "claude",
        &AttemptOutcome::Success,
        &[Told::Unreadable { bytes: 9 }],
        "",
        Work::Nothing,
    ));
    assert_eq!((garbage.cause, garbage.then), (Cause::Silent, Then::Begin));
    assert_eq!(judged("claude", &AttemptOutcome::Success, &[], "", Work::Changed), Ending::Worked);
}

#[test]
fn what_the_model_says_about_errors_is_never_looked_at() {
    let told = [text("I hit a rate limit: 429 Too Many Requests, usage limit reached, invalid api key.")];
    assert_eq!(judged("claude", &AttemptOutcome::Success, &told, "", Work::Changed), Ending::Worked);
    let failed = failure(judged("claude", &EXIT, &told, "", Work::Changed));
    assert_eq!(failed.cause, Cause::Other);
}

#[test]
fn a_question_asks_unless_it_ended_badly() {
    let told = [text("Which of the two?")];
    assert!(matches!(judged("claude", &AttemptOutcome::Success, &told, "", Work::Nothing), Ending::Asks(_)));
    assert!(matches!(judged("claude", &EXIT, &told, "", Work::Nothing), Ending::Failed(_)));
}

#[test]
fn the_strongest_of_several_errors_counts_and_the_exact_time_of_them() {
    let limit =
        AgentError { resets: Some(Reset::At(1_795_283_998)), ..AgentError::new("usage_limit_reached", "") };
    let told =
        [Told::Failed(limit), error("rate_limit", "You've hit your session limit · resets 5:59pm (UTC)")];
    let failure = failure(judged("claude", &EXIT, &told, "", Work::Nothing));
    assert_eq!((failure.cause, failure.resets), (Cause::UsageLimit, Some(Reset::At(1_795_283_998))));
}

#[test]
fn a_message_makes_a_word_stronger_and_never_weaker() {
    let with = |status: u16, kind: &str, message: &str| {
        let error = AgentError { status: Some(status), ..AgentError::new(kind, message) };
        cause(EXIT, &[Told::Failed(error)], "")
    };
    assert_eq!(with(429, "rate_limit", "429 The usage limit has been reached"), Cause::UsageLimit);
    assert_eq!(with(429, "", "You exceeded your current quota, please check your plan"), Cause::Billing);
    assert_eq!(with(429, "", "You exceeded your current quota. Please retry in 37.9s."), Cause::RateLimit);
    assert_eq!(with(401, "authentication_failed", "rate limit"), Cause::Auth);
    assert_eq!(
        with(429, "rate_limit", "Server is temporarily limiting requests (not your usage limit)"),
        Cause::RateLimit
    );
}

#[test]
fn an_exit_code_that_means_something_counts_where_no_error_was_told() {
    let exit = |code: i32, stderr: &str| {
        failure(judged("gemini", &AttemptOutcome::ExitCode(code), &[], stderr, Work::Nothing))
    };
    assert_eq!(exit(41, "").cause, Cause::Auth);
    assert_eq!(exit(41, "").classified.rule, "exit code 41 of this agent means `auth`");
    assert_eq!(exit(55, "").cause, Cause::Config);
    assert_eq!(exit(53, "").cause, Cause::Budget);
    assert_eq!(exit(1, "x\nerror: unexpected argument '--foo' found\n").cause, Cause::Config);
    assert_eq!(exit(1, "").cause, Cause::Other);
}

#[test]
fn the_error_output_of_any_program_is_known_too() {
    let full = failure(judged("claude", &EXIT, &[], "write: No space left on device\n", Work::Nothing));
    assert_eq!(full.classified.class, FailureClass::Permanent);
    assert!(full.classified.rule.contains("the disk is full"), "{}", full.classified.rule);
}

#[test]
fn what_is_not_installed_is_told_how_to_install() {
    let outcome = AttemptOutcome::StartFailed("`claude`: command not found on PATH".into());
    let missing = failure(judged("claude", &outcome, &[], "", Work::Nothing));
    assert_eq!(missing.classified.class, FailureClass::Permanent);
    assert_eq!(missing.classified.fixes[0], "install it: `npm install -g @anthropic-ai/claude-code`");
}

#[test]
fn a_limit_says_how_long_and_a_session_too_long_is_begun_anew() {
    let rate = failure(judged(
        "codex",
        &EXIT,
        &[error("", "rate limit exceeded. Please try again in 2.5s.")],
        "",
        Work::Nothing,
    ));
    assert_eq!(rate.classified.retry_after, Some(Duration::from_millis(2500)));
    assert_eq!(rate.then, Then::Resume);
    let long = failure(judged("codex", &EXIT, &[error("", "Prompt is too long")], "", Work::Nothing));
    assert_eq!((long.cause, long.then), (Cause::Context, Then::Begin));
}

#[test]
fn stopped_and_out_of_time_are_what_they_are_whatever_was_told() {
    let told = [error("rate_limit", "429")];
    let stopped = failure(judged("claude", &AttemptOutcome::Cancelled, &told, "", Work::Nothing));
    assert_eq!(stopped.classified.class, FailureClass::Cancelled);
    let told = [error("context_length_exceeded", "prompt is too long")];
    let late = failure(judged("claude", &AttemptOutcome::TimedOut(1000), &told, "", Work::Nothing));
    assert_eq!((late.classified.class, late.cause), (FailureClass::Transient, Cause::Other));
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_a_judgement(kind in "\\PC{0,20}", message in "\\PC{0,80}", stderr in "(\\PC{0,40}\n){0,4}", last in "\\PC{0,60}[?*\n]{0,3}") {
        for outcome in [AttemptOutcome::Success, EXIT, AttemptOutcome::Signalled(9)] {
            let told = [text(&last), error(&kind, &message)];
            let _ = judged("claude", &outcome, &told, &stderr, Work::Unknown);
            let _ = judged("claude", &outcome, &told[..1], &stderr, Work::Nothing);
        }
    }
}

#[test]
fn who_was_ended_while_it_waited_for_a_limit_failed_of_the_limit() {
    let late = |told: &[Told], stderr: &str| {
        failure(judged("claude", &AttemptOutcome::TimedOut(1000), told, stderr, Work::Nothing))
    };
    let retry = |why: &str, seconds: u64| Told::Retry {
        after: Some(Duration::from_secs(seconds)),
        why: why.to_owned(),
    };
    let waits = late(&[retry("429 rate_limit", 40)], "");
    assert_eq!(
        (waits.cause, waits.classified.retry_after),
        (Cause::RateLimit, Some(Duration::from_secs(40)))
    );
    let hours = late(&[retry("429 rate_limit", 7200)], "");
    assert_eq!((hours.cause, hours.resets), (Cause::UsageLimit, Some(Reset::In(Duration::from_hours(2)))));
    let logs = late(&[], "x\nlevel=ERROR error=\"Rate limit reached. Please try again in 40s.\"\n");
    assert_eq!(logs.cause, Cause::RateLimit);
    // Who gave up by itself has told how long it waited, not how long it was asked to.
    let told = [retry("429 rate_limit", 1), error("rate_limit", "429")];
    let ended = failure(judged("claude", &EXIT, &told, "", Work::Nothing));
    assert_eq!((ended.cause, ended.classified.retry_after), (Cause::RateLimit, None));
    // What is past, and what is no limit, says nothing of why it stood still.
    assert_eq!(late(&[retry("429 rate_limit", 40), text("I go on.")], "").cause, Cause::Other);
    assert_eq!(late(&[retry("500 server_error", 1)], "").classified.class, FailureClass::Transient);
    assert_eq!(late(&[], "Rate limit reached\nlistening\n").cause, Cause::Other);
}
