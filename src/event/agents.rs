//! What agents did and spent, in words for logs and screens. Texts stand in them as they were stored: whoever shows a line
//! makes it safe.

use super::{AgentStep, AnsweredBy, FailureClass, Question, QuietStage, Spent, providers};
use std::time::Duration;

/// How many paths a line gives.
const NAMED: usize = 3;

/// `edit src/a.rs`, `run cargo test (exit code 1)`
pub fn step(step: &AgentStep) -> String {
    let mut text = step.action.to_string();
    let path = step.paths.first().filter(|path| step.paths.len() == 1 && step.title.ends_with(path.as_str()));
    // `Write src/a.rs`: what the agent calls its tool says nothing more.
    let title = path.unwrap_or(&step.title);
    if !title.is_empty() {
        text.push_str(&format!(" {title}"));
    }
    if path.is_none() && !step.paths.is_empty() {
        let shown: Vec<&str> = step.paths.iter().take(NAMED).map(String::as_str).collect();
        let more = if step.paths.len() > NAMED { ", …" } else { "" };
        text.push_str(&format!(" [{}{more}]", shown.join(", ")));
    }
    match (step.exit, step.ok) {
        (Some(0), _) | (None, Some(true)) => {}
        (Some(code), _) => text.push_str(&format!(" (exit code {code})")),
        (None, Some(false)) => text.push_str(" (failed)"),
        (None, None) => text.push_str(" (no end told)"),
    }
    text
}

/// `12345 tokens in (10000 cached), 678 out, $0.0123`
pub fn spent(spent: &Spent) -> String {
    let cached = if spent.cached > 0 { format!(" ({} cached)", spent.cached) } else { String::new() };
    let mut text = format!("{} tokens in{cached}, {} out", spent.input, spent.output);
    if let Some(micros) = spent.cost_micros.filter(|micros| *micros > 0) {
        let (dollars, rest) = (micros / 1_000_000, micros % 1_000_000);
        text.push_str(&format!(", ${dollars}.{:04}", rest / 100));
    }
    text
}

/// `codex takes over from claude, which is at its usage limit until 2026-11-22 03:10 UTC`
pub fn handed_over(from: &str, to: &str, why: FailureClass, until: Option<u64>, used_up: bool) -> String {
    match (used_up, until) {
        (true, _) => format!("{to} takes over from {from}, whose attempts are used up ({})", why.as_str()),
        (false, Some(until)) => {
            format!("{to} takes over from {from}, which is at its limit until {}", providers::clock(until))
        }
        (false, None) => format!("{to} takes over from {from}, which refuses whatever is asked"),
    }
}

/// `which port (80 | 8080; by itself it would take 8080)`
pub fn asked(question: &Question) -> String {
    let mut more = question.options.join(" | ");
    if let Some(default) = &question.default {
        let between = if more.is_empty() { "" } else { "; " };
        more.push_str(&format!("{between}by itself it would take {default}"));
    }
    if more.is_empty() { question.question.clone() } else { format!("{} ({more})", question.question) }
}

/// `answered: 8080`
pub fn answered(by: AnsweredBy, answer: &str) -> String {
    match by {
        AnsweredBy::Person => format!("answered: {answer}"),
        AnsweredBy::Default => format!("nobody is asked; it takes what it would take by itself: {answer}"),
    }
}

/// `attempt 2 shows no sign of progress for 300s: it is asked to end`
pub fn quiet(attempt: u32, stage: QuietStage, quiet: Duration) -> String {
    let then = match stage {
        QuietStage::Notice => "",
        QuietStage::Nudge => ": it is asked whether it goes on",
        QuietStage::SoftStop => ": it is asked to end",
    };
    format!("attempt {attempt} shows no sign of progress for {}s{then}", quiet.as_secs())
}

/// What is said of a hook that was carried out: its command, its extension, whether before the run, by whom, and why it
/// failed.
pub fn hook(command: &str, extension: &str, before: bool, agent: &str, failed: Option<&str>) -> String {
    let moment = if before { "before" } else { "after" };
    let hook = format!("hook {moment} the run, `/{command}` of {extension}");
    match failed {
        None => format!("{hook}: done by {agent}"),
        Some(why) => format!("{hook}: {agent} failed: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_tells_what_was_done_to_what_and_how_it_ended() {
        let told = |action: &'static str, title: &str, paths: &[&str], ok, exit| {
            let paths = paths.iter().map(|path| (*path).to_owned()).collect();
            step(&AgentStep { action: action.into(), title: title.to_owned(), paths, ok, exit })
        };
        assert_eq!(told("edit", "Write src/a.rs", &["src/a.rs"], Some(true), None), "edit src/a.rs");
        assert_eq!(told("edit", "src/a.rs", &["src/a.rs"], Some(true), None), "edit src/a.rs");
        assert_eq!(told("run", "cargo test", &[], Some(false), Some(101)), "run cargo test (exit code 101)");
        assert_eq!(
            told("edit", "patch", &["a", "b", "c", "d"], Some(false), None),
            "edit patch [a, b, c, …] (failed)"
        );
        assert_eq!(told("fetch", "", &[], None, None), "fetch (no end told)");
    }

    #[test]
    fn what_was_spent_names_money_only_where_it_is_known() {
        let told = Spent { input: 1200, cached: 1000, output: 34, cost_micros: Some(12_345) };
        assert_eq!(spent(&told), "1200 tokens in (1000 cached), 34 out, $0.0123");
        assert_eq!(spent(&Spent { input: 5, output: 1, ..Spent::default() }), "5 tokens in, 1 out");
    }
}
