//! Messages of limits and logins that people met with real agents, each with its source: judged as what they are.

use serde::Deserialize;
use specter::agent::{Account, AgentError, Ended, Ending, Presets, Told, Work, judge};
use specter::event::AttemptOutcome;
use std::collections::BTreeSet;

#[derive(Deserialize)]
struct Messages {
    message: Vec<Message>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    agent: String,
    /// As reported, word for word.
    text: String,
    source: String,
    /// The cause, as `Debug` names it.
    cause: String,
    /// It says when it ends.
    #[serde(default)]
    resets: bool,
}

fn messages() -> Vec<Message> {
    let text = include_str!("messages.toml");
    toml::from_str::<Messages>(text).unwrap().message
}

/// Told as an error where the agent tells errors, or on its error output.
fn judged(message: &Message, on_stderr: bool) -> (String, bool) {
    let presets = Presets::compiled_in();
    let mut account = Account::default();
    if !on_stderr {
        account.tell(&Told::Failed(AgentError::new("", message.text.as_str())));
    }
    let ending = judge(&Ended {
        preset: presets.get(&message.agent).unwrap_or_else(|| panic!("no agent `{}`", message.agent)),
        outcome: &AttemptOutcome::ExitCode(1),
        account: &account,
        stderr: if on_stderr { &message.text } else { "" },
        work: Work::Nothing,
    });
    match ending {
        Ending::Failed(failure) => (format!("{:?}", failure.cause), failure.resets.is_some()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn messages_that_people_met_are_judged_as_what_they_are() {
    let mut wrong = Vec::new();
    for message in messages() {
        for on_stderr in [false, true] {
            let (cause, resets) = judged(&message, on_stderr);
            if (cause.as_str(), resets) != (message.cause.as_str(), message.resets) {
                wrong.push(format!(
                    "{}: {cause} (resets: {resets}), not {} ({}): {}",
                    message.agent, message.cause, message.resets, message.text
                ));
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn there_are_forty_messages_of_six_agents_each_once_and_with_its_source() {
    let all = messages();
    let texts: BTreeSet<&str> = all.iter().map(|message| message.text.as_str()).collect();
    let agents: BTreeSet<&str> = all.iter().map(|message| message.agent.as_str()).collect();
    assert!(texts.len() == all.len() && all.len() >= 40, "{} of {}", texts.len(), all.len());
    assert!(agents.len() >= 6, "{agents:?}");
    assert!(all.iter().all(|message| message.source.starts_with("https://")));
}
