//! Runs of real agents against a scripted model, recorded: claude 2.1.197, codex 0.169.0, gemini 0.61.0, qwen 0.15.10,
//! copilot 1.0.102, opencode 1.18.33, pi 0.73.1. Each was asked to write `src/hello.py` and to run it. Repeated lines and
//! long lists were cut out, paths replaced.

use specter::agent::{
    Account, Cause, Ended, Ending, Presets, Reader, Reset, StepKind, StopReason, Told, Work, judge,
};
use specter::event::AttemptOutcome;

struct Recorded {
    out: Vec<u8>,
    err: String,
    code: i32,
}

fn recorded(agent: &str, case: &str) -> Recorded {
    let file = |extension: &str| super::directory("recorded").join(agent).join(format!("{case}.{extension}"));
    Recorded {
        out: std::fs::read(file("out")).unwrap_or_else(|error| panic!("{agent} {case}: {error}")),
        err: std::fs::read_to_string(file("err")).unwrap_or_default(),
        code: std::fs::read_to_string(file("code")).unwrap().trim().parse().unwrap(),
    }
}

fn told(agent: &str, output: &[u8]) -> Vec<Told> {
    let presets = Presets::compiled_in();
    let (mut reader, mut out) = (Reader::new(presets.get(agent).unwrap().events), Vec::new());
    reader.feed(output, &mut out);
    reader.finish(&mut out);
    out
}

fn account(agent: &str, output: &[u8]) -> Account {
    let mut account = Account::default();
    told(agent, output).iter().for_each(|told| account.tell(told));
    account
}

fn ending(agent: &str, run: &Recorded, work: Work) -> Ending {
    let presets = Presets::compiled_in();
    let outcome = match run.code {
        0 => AttemptOutcome::Success,
        code => AttemptOutcome::ExitCode(code),
    };
    judge(&Ended {
        preset: presets.get(agent).unwrap(),
        outcome: &outcome,
        account: &account(agent, &run.out),
        stderr: &run.err,
        work,
    })
}

/// What each recorded failure is. Limits on which qwen and pi sleep without a word are not among them: no run ends so.
const FAILURES: &super::Failures = &[
    (
        "claude",
        &[
            ("429", Cause::RateLimit),
            ("subscription-429", Cause::RateLimit),
            // Of an account that pays by the token, as far as the agent tells.
            ("quota", Cause::RateLimit),
            ("subscription-quota", Cause::UsageLimit),
            ("401", Cause::Auth),
            ("subscription-401", Cause::Auth),
            ("credit", Cause::Billing),
            ("529", Cause::Overloaded),
            ("context", Cause::Context),
            ("disconnect", Cause::Overloaded),
            ("refusal", Cause::Refusal),
            ("maxtokens", Cause::Truncated),
            ("404model", Cause::Config),
            ("claims_done", Cause::NoChange),
        ],
    ),
    (
        "codex",
        &[
            ("429", Cause::RateLimit),
            ("quota", Cause::UsageLimit),
            ("401", Cause::Auth),
            ("credit", Cause::Billing),
            ("529", Cause::Overloaded),
            ("context", Cause::Context),
            ("disconnect", Cause::Network),
            ("maxtokens", Cause::Truncated),
            ("404model", Cause::Config),
            ("claims_done", Cause::NoChange),
            // It does not say that the model refused.
            ("refusal", Cause::NoChange),
        ],
    ),
    (
        "gemini",
        &[
            ("429", Cause::RateLimit),
            ("quota", Cause::UsageLimit),
            ("401", Cause::Auth),
            ("credit", Cause::Billing),
            ("529", Cause::Overloaded),
            ("context", Cause::Context),
            ("disconnect", Cause::Network),
            ("404model", Cause::Config),
            ("claims_done", Cause::NoChange),
            ("refusal", Cause::NoChange),
            ("maxtokens", Cause::NoChange),
        ],
    ),
    (
        "qwen",
        &[
            ("401", Cause::Auth),
            ("context", Cause::Context),
            ("disconnect", Cause::Network),
            ("404model", Cause::Config),
            ("claims_done", Cause::NoChange),
            ("refusal", Cause::NoChange),
            ("maxtokens", Cause::NoChange),
        ],
    ),
    (
        "copilot",
        &[
            ("429", Cause::RateLimit),
            ("quota", Cause::UsageLimit),
            ("401", Cause::Auth),
            ("credit", Cause::Billing),
            ("529", Cause::Overloaded),
            ("context", Cause::Context),
            ("disconnect", Cause::Network),
            ("404model", Cause::Config),
            ("claims_done", Cause::NoChange),
            ("refusal", Cause::NoChange),
            ("maxtokens", Cause::NoChange),
        ],
    ),
    (
        "opencode",
        &[
            ("429", Cause::RateLimit),
            ("401", Cause::Auth),
            ("context", Cause::Context),
            ("404model", Cause::Config),
            ("claims_done", Cause::NoChange),
        ],
    ),
    (
        "pi",
        &[
            ("429", Cause::RateLimit),
            ("401", Cause::Auth),
            ("credit", Cause::Billing),
            ("529", Cause::Overloaded),
            ("context", Cause::Context),
            ("disconnect", Cause::Network),
            ("maxtokens", Cause::Truncated),
            ("404model", Cause::Config),
            ("claims_done", Cause::NoChange),
            ("refusal", Cause::Refusal),
        ],
    ),
];

#[test]
fn every_recorded_failure_is_judged_right() {
    super::all_are_judged_right(FAILURES, |agent, case| ending(agent, &recorded(agent, case), Work::Nothing));
}

#[test]
fn every_recording_is_judged_by_a_test() {
    super::all_are_known(&super::directory("recorded"), FAILURES);
}

#[test]
fn what_was_done_is_told_as_the_server_ordered_it() {
    for agent in ["claude", "codex", "gemini", "qwen", "copilot", "opencode", "pi"] {
        let run = recorded(agent, "ok");
        assert_eq!(ending(agent, &run, Work::Changed), Ending::Worked, "{agent}");
        let account = account(agent, &run.out);
        let steps: Vec<(StepKind, bool)> =
            account.steps.iter().map(|step| (step.kind, step.ok == Some(true))).collect();
        // The directory was missing, which only copilot's tool minds: the server ordered the file by a command then.
        let edit = agent != "copilot";
        let (first, second) = (&account.steps[0], &account.steps[1]);
        assert_eq!(steps, [(StepKind::Edit, edit), (StepKind::Run, true)], "{agent}: {:?}", account.steps);
        assert!(first.paths.iter().any(|path| path.ends_with("src/hello.py")), "{agent}: {first:?}");
        assert!(first.title.ends_with("src/hello.py"), "{agent}: {first:?}");
        if edit {
            assert!(second.title.contains("python3 src/hello.py"), "{agent}: {second:?}");
        }
        assert_eq!(account.final_text, "Done. created src/hello.py; ran python3 src/hello.py.", "{agent}");
        assert_eq!(account.stop, Some(StopReason::EndTurn), "{agent}");
        assert!(account.session.as_ref().is_some_and(|id| id.len() >= 20), "{agent}");
        assert_eq!((account.errors.len(), account.unreadable), (0, 0), "{agent}");
        // Three requests of 1000 new and 200 cached tokens, three answers of 42.
        let usage = account.usage.map(|usage| (usage.input, usage.cached, usage.output));
        let wanted = match agent {
            "copilot" => None,
            // The same numbers mean 1200 beside the 200 from the cache in this provider's words.
            "claude" => Some((4200, 600, 126)),
            _ => Some((3600, 600, 126)),
        };
        assert_eq!(usage, wanted, "{agent}");
    }
    let cost = |agent: &str| account(agent, &recorded(agent, "ok").out).usage.unwrap().cost_micros;
    assert_eq!((cost("claude"), cost("codex"), cost("pi")), (Some(21_450), None, Some(3252)));
}

#[test]
fn a_command_is_told_as_it_was_asked_for_whichever_shell_ran_it() {
    // The recording of copilot ends before the command.
    for agent in ["claude", "codex", "gemini", "qwen", "opencode", "pi"] {
        let steps = account(agent, &recorded(agent, "ok").out).steps;
        let mut ran = steps.iter().filter(|step| step.kind == StepKind::Run);
        assert!(ran.any(|step| step.title == "python3 src/hello.py"), "{agent}: {steps:?}");
    }
}

#[test]
fn the_exit_code_of_a_command_and_its_output_are_kept_where_the_agent_tells_them() {
    for (agent, exit) in [("codex", Some(0)), ("opencode", Some(0)), ("copilot", Some(0)), ("claude", None)] {
        let told = told(agent, &recorded(agent, "ok").out);
        let last = told.iter().rev().find_map(|told| match told {
            Told::StepEnded { exit, output, .. } => Some((*exit, output.trim().to_owned())),
            _ => None,
        });
        let (code, output) = last.unwrap();
        assert_eq!(code, exit, "{agent}");
        assert!(agent == "copilot" || output == "hello", "{agent}: {output}");
    }
}

#[test]
fn a_limit_tells_when_it_ends_as_exactly_as_the_agent_does() {
    let resets = |agent: &str, case: &str| match ending(agent, &recorded(agent, case), Work::Nothing) {
        Ending::Failed(failure) => failure.resets,
        other => panic!("{agent} {case}: {other:?}"),
    };
    assert_eq!(resets("claude", "subscription-quota"), Some(Reset::At(1_795_283_998)));
    assert_eq!(resets("copilot", "quota"), Some(Reset::At(1_795_283_561)));
    let Some(Reset::Clock(clock)) = resets("codex", "quota") else { panic!("no clock") };
    assert_eq!((clock.hour, clock.minute, clock.zone), (17, 49, None));
    assert_eq!(resets("gemini", "quota"), None);
    for agent in ["gemini", "pi", "opencode", "copilot"] {
        assert_eq!(resets(agent, "429"), Some(Reset::In(std::time::Duration::from_secs(2))), "{agent}");
    }
}

#[test]
fn a_recording_that_is_cut_off_anywhere_is_read_up_to_there() {
    for (agent, _) in FAILURES {
        super::is_read_up_to_every_cut(agent, &recorded(agent, "ok").out, (97, 0), |out| account(agent, out));
    }
}
