//! Agents by what they really printed: runs recorded from the real programs (`recorded/AGENT/CASE.{out,err,code}`), and
//! (`recorded_acp/AGENT/CASE.ndjson` by the Agent Client Protocol) and messages that people reported (`messages.toml`).

mod messages;
mod recorded;
mod recorded_acp;

use specter::agent::{Account, Cause, Ending};
use std::path::{Path, PathBuf};

/// Of each agent: each recorded failure, and what it is.
type Failures = [(&'static str, &'static [(&'static str, Cause)])];

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agent").join(name)
}

/// Each recorded failure is judged as what it is, and is of that cause's class.
#[track_caller]
fn all_are_judged_right(failures: &Failures, ending: impl Fn(&str, &str) -> Ending) {
    let mut wrong = Vec::new();
    for (agent, cases) in failures {
        for (case, cause) in *cases {
            match ending(agent, case) {
                Ending::Failed(failure)
                    if failure.cause == *cause && failure.classified.class == cause.class() => {}
                other => wrong.push(format!("{agent} {case}: not {cause:?} but {other:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// No recording lies about that nothing is asked of.
#[track_caller]
fn all_are_known(directory: &Path, failures: &Failures) {
    let mut seen = 0;
    for agent in std::fs::read_dir(directory).unwrap() {
        let agent = agent.unwrap();
        let name = agent.file_name().into_string().unwrap();
        let cases =
            failures.iter().find(|(agent, _)| *agent == name).map(|(_, cases)| *cases).unwrap_or_default();
        for file in std::fs::read_dir(agent.path()).unwrap() {
            let file = file.unwrap().path();
            let case = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let known = case.ends_with("ok") || cases.iter().any(|(known, _)| *known == case);
            assert!(known, "{}", file.display());
            seen += 1;
        }
    }
    assert!(seen > failures.len(), "{seen}");
}

/// Of what is cut off anywhere, the steps are a beginning of those of the whole; the last `open` may get another title yet.
#[track_caller]
fn is_read_up_to_every_cut(
    agent: &str,
    whole: &[u8],
    (step, open): (usize, usize),
    account: impl Fn(&[u8]) -> Account,
) {
    let all = account(whole);
    for cut in (0..whole.len()).step_by(step) {
        let part = account(&whole[..cut]);
        assert!(part.steps_in_all() <= all.steps_in_all(), "{agent} at {cut}");
        let told = part.steps.len().saturating_sub(open);
        let mut pairs = part.steps.iter().zip(&all.steps).take(told);
        assert!(pairs.all(|(one, other)| one.title == other.title), "{agent} at {cut}");
    }
}
