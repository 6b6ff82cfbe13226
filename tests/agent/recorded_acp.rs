//! Conversations with real agents by the Agent Client Protocol, recorded by specter against a scripted model: what the
//! agents said, a file each. claude-agent-acp 0.49.0, codex-acp 2.6.0, gemini 0.61.0, qwen 0.15.10, copilot 1.0.102,
//! opencode 1.18.33. Each was asked to write `src/hello.py` and to run it. Long lists were cut short, paths replaced.

use specter::agent::acp::{Client, Patience, Said, Wanted};
use specter::agent::{Account, Cause, Ended, Ending, Presets, StepKind, StopReason, Work, judge};
use specter::event::AttemptOutcome;
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);

/// What each recorded failure is. Limits that qwen and opencode sleep through without a word are not among them.
const FAILURES: &super::Failures = &[
    (
        "claude",
        &[
            ("429", Cause::RateLimit),
            // Of an account that pays by the token, as far as the agent tells.
            ("quota", Cause::RateLimit),
            ("401", Cause::Auth),
            ("context", Cause::Context),
            ("disconnect", Cause::Network),
            ("claims_done", Cause::NoChange),
        ],
    ),
    (
        "codex",
        &[
            ("429", Cause::RateLimit),
            ("quota", Cause::UsageLimit),
            ("401", Cause::Auth),
            ("context", Cause::Context),
            ("disconnect", Cause::Network),
            ("claims_done", Cause::NoChange),
        ],
    ),
    (
        "gemini",
        &[
            ("429", Cause::RateLimit),
            ("quota", Cause::UsageLimit),
            ("401", Cause::Auth),
            ("context", Cause::Context),
            // It says 500 where the connection was lost: the class is the same.
            ("disconnect", Cause::Overloaded),
            ("claims_done", Cause::NoChange),
        ],
    ),
    (
        "opencode",
        &[
            ("429", Cause::RateLimit),
            ("401", Cause::Auth),
            ("context", Cause::Context),
            ("disconnect", Cause::Overloaded),
            ("claims_done", Cause::NoChange),
        ],
    ),
    (
        "qwen",
        &[
            ("401", Cause::Auth),
            ("context", Cause::Context),
            ("disconnect", Cause::Network),
            ("claims_done", Cause::NoChange),
        ],
    ),
    (
        "copilot",
        &[
            ("429", Cause::RateLimit),
            ("quota", Cause::UsageLimit),
            ("401", Cause::Auth),
            ("context", Cause::Context),
            ("disconnect", Cause::Network),
            ("claims_done", Cause::NoChange),
        ],
    ),
];

fn recorded(agent: &str, case: &str) -> Vec<u8> {
    let file = super::directory("recorded_acp").join(agent).join(format!("{case}.ndjson"));
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// What comes of a conversation, and whether its turn was answered.
fn account(agent: &str, lines: &[u8]) -> (Account, bool) {
    let presets = Presets::compiled_in();
    let preset = presets.get(&format!("{agent}-acp")).unwrap();
    let wanted = Wanted {
        dir: "/project".to_owned(),
        roots: vec!["/project".to_owned()],
        prompt: "do it".to_owned(),
        mode: preset.acp.as_ref().map(|acp| acp.mode.clone()).unwrap_or_default(),
        ..Wanted::default()
    };
    let mut said = Said::default();
    let mut client =
        Client::begin(wanted, Patience { call: MINUTE, turn: 60 * MINUTE, cancel: MINUTE }, &mut said);
    lines.split(|byte| *byte == b'\n').for_each(|line| client.line(line, &mut said));
    let has_answered = client.has_answered();
    client.gone(&mut said);
    let mut account = Account::default();
    said.told.iter().for_each(|told| account.tell(told));
    (account, has_answered)
}

fn ending(agent: &str, case: &str, work: Work) -> Ending {
    let (account, has_answered) = account(agent, &recorded(agent, case));
    assert!(has_answered, "{agent} {case}");
    let presets = Presets::compiled_in();
    let preset = presets.get(&format!("{agent}-acp")).unwrap();
    judge(&Ended { preset, outcome: &AttemptOutcome::Success, account: &account, stderr: "", work })
}

#[test]
fn every_recorded_conversation_that_failed_is_judged_right() {
    super::all_are_judged_right(FAILURES, |agent, case| ending(agent, case, Work::Nothing));
    let Ending::Failed(quota) = ending("codex", "quota", Work::Nothing) else { panic!("it failed") };
    assert!(quota.resets.is_some(), "it says when its limit ends");
}

#[test]
fn every_recorded_conversation_is_judged_by_a_test() {
    super::all_are_known(&super::directory("recorded_acp"), FAILURES);
}

#[test]
fn what_was_done_in_a_conversation_is_told_as_the_server_ordered_it() {
    for agent in ["claude", "codex", "gemini", "opencode", "qwen", "copilot"] {
        assert_eq!(ending(agent, "ok", Work::Changed), Ending::Worked, "{agent}");
        let (account, _) = account(agent, &recorded(agent, "ok"));
        let steps: Vec<_> = account.steps.iter().filter(|step| step.kind != StepKind::Permit).collect();
        let kinds: Vec<(StepKind, bool)> =
            steps.iter().map(|step| (step.kind, step.ok == Some(true))).collect();
        // The directory was missing, which only copilot's tool minds: the server ordered the file by a command then.
        let edit = agent != "copilot";
        assert_eq!(kinds, [(StepKind::Edit, edit), (StepKind::Run, true)], "{agent}: {steps:?}");
        assert!(steps[0].paths.iter().any(|path| path.ends_with("src/hello.py")), "{agent}: {steps:?}");
        assert!(steps[0].title.contains("src/hello.py"), "{agent}: {steps:?}");
        assert!(!edit || steps[1].title == "python3 src/hello.py", "{agent}: {steps:?}");
        let allowed = account.steps.iter().filter(|step| step.kind == StepKind::Permit);
        assert!(allowed.clone().all(|step| step.ok == Some(true)), "{agent}");
        assert_eq!(account.final_text, "Done. created src/hello.py; ran python3 src/hello.py.", "{agent}");
        assert_eq!(account.stop, Some(StopReason::EndTurn), "{agent}");
        assert!(account.session.as_ref().is_some_and(|id| id.len() >= 20), "{agent}");
        assert_eq!((account.errors.len(), account.unreadable), (0, 0), "{agent}");
        let usage = account.usage.map(|usage| (usage.input, usage.cached, usage.output));
        let wanted = match agent {
            // The same numbers mean 1200 beside the 200 from the cache in this provider's words.
            "claude" => (4200, 600, 126),
            // What came from the cache is within, and not told.
            "gemini" => (3600, 0, 126),
            // Of the last request.
            "opencode" => (1200, 200, 42),
            _ => (3600, 600, 126),
        };
        assert_eq!(usage, Some(wanted), "{agent}");
    }
}

#[test]
fn a_conversation_that_is_cut_off_anywhere_is_read_up_to_there() {
    for (agent, _) in FAILURES {
        super::is_read_up_to_every_cut(agent, &recorded(agent, "ok"), (211, 1), |lines| {
            let (account, has_answered) = account(agent, lines);
            let is_whole = lines.len() == recorded(agent, "ok").len();
            assert!(is_whole || !has_answered, "{agent} at {}", lines.len());
            account
        });
    }
}
