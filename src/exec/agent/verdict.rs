//! What came of an attempt: its report, how it is judged, the gates it has to pass, what the next one should know.

use super::listen::Heard;
use super::memory::{Memory, Next};
use super::process::Cause;
use super::{Run, Seen, Told, context, gates, steps};
use crate::agent::judge::{Cause as Blame, Failure, Question, Then, Work};
use crate::agent::{Ended, Ending, judge};
use crate::classify::Classified;
use crate::event::{self, AgentReport, AttemptOutcome, AttemptReport, FailureClass, GateVerdict};
use crate::exec::{Attempt, Part};
use crate::policy::OnQuestion;
use crate::sys::How;
use crate::task::{BlockKind, TaskId};
use std::time::{Duration, Instant};

impl Run<'_> {
    fn zone(&self) -> Option<&str> {
        self.preset.env.iter().rev().find(|(name, _)| *name == "TZ").map(|(_, zone)| zone.as_str())
    }

    /// Without the name of its working tree: who is told of it works in another, and may write there by that name.
    pub(super) fn as_in_any_tree(&self, text: &str) -> String {
        match self.attempt.workspace {
            Some(workspace) => text.replace(&format!("{}/", workspace.dir.display()), ""),
            None => text.to_owned(),
        }
    }

    pub(super) fn report(&self, told: &Told, outcome: AttemptOutcome) -> AttemptReport {
        let Told { end, heard, session, prompt_tokens, .. } = told;
        let mask = |text: &str| self.shell.masker.mask(text);
        let account = &heard.account;
        let agent = AgentReport {
            agent: self.name.to_owned(),
            provider: self.preset.provider.clone(),
            model: account.model.as_deref().map(mask),
            session: session.clone(),
            spent: account.usage.map(steps::spent),
            stop: account.stop.as_ref().map(context::stop_word),
            steps: heard.steps,
            text: mask(&self.as_in_any_tree(&context::end_of(&account.final_text))),
            prompt_tokens: *prompt_tokens,
            ..AgentReport::default()
        };
        AttemptReport {
            outcome,
            log: heard.log.clone(),
            output_bytes: heard.bytes,
            cpu_ms: end.ended.cpu.as_millis() as u64,
            max_rss_kb: end.ended.max_rss_kb,
            disk_read_kb: end.ended.read_kb,
            disk_written_kb: end.ended.written_kb,
            leaked: end.leaked.clone(),
            agent: Some(Box::new(agent)),
            ..AttemptReport::default()
        }
    }

    pub(super) fn start_failed(&self, outcome: &AttemptOutcome) -> AttemptReport {
        let account = crate::agent::Account::default();
        let ended =
            Ended { preset: self.preset, outcome, account: &account, stderr: "", work: Work::Unknown };
        let mut report = AttemptReport { outcome: outcome.clone(), ..AttemptReport::default() };
        if let Ending::Failed(failure) = judge(&ended) {
            apply(&mut report, &failure.classified);
        }
        report
    }

    pub(super) fn judge(&self, told: &Told, outcome: &AttemptOutcome, has_work: bool) -> Ending {
        let task = self.attempt.task;
        let checks = task.blocks_of(BlockKind::Verify).next().is_some();
        let work = match has_work {
            true => Work::Changed,
            // Its checks tell whether there was anything to change.
            false if checks && task.files.is_empty() => Work::Unknown,
            false => Work::Nothing,
        };
        let Heard { account, stderr, .. } = &told.heard;
        judge(&Ended { preset: self.preset, outcome, account, stderr, work })
    }

    /// The gates, one after the other; what the next attempt should know, if there is to be one.
    pub(super) fn conclude(
        &self,
        told: &Told,
        ending: Ending,
        seen: &Seen,
        report: &mut AttemptReport,
    ) -> Option<Next> {
        // Who wrote down what stops him has not merely failed, unless something else ended him.
        let ending = match (&told.question, ending) {
            (Some(question), Ending::Failed(failure)) if is_idle(&failure) => Ending::Asks(question.clone()),
            (Some(question), Ending::Worked | Ending::Asks(_)) => Ending::Asks(question.clone()),
            (_, ending) => ending,
        };
        match ending {
            Ending::Failed(failure) => {
                self.gate("process", GateVerdict::Failed, Duration::ZERO);
                Some(self.failed(told, *failure, report))
            }
            Ending::Asks(question) => {
                self.gate("process", GateVerdict::Failed, Duration::ZERO);
                Some(self.asked(question, seen.has_asked, report))
            }
            Ending::Worked => {
                self.gate("process", GateVerdict::Passed, Duration::ZERO);
                self.artifacts(seen, report).or_else(|| self.checks(seen, report))
            }
        }
    }

    fn gate(&self, name: &'static str, verdict: GateVerdict, duration: Duration) {
        self.observer.gate(name, verdict, duration);
    }

    fn failed(&self, told: &Told, failure: Failure, report: &mut AttemptReport) -> Next {
        fail(report);
        apply(report, &failure.classified);
        if let (Blame::Auth, Some(rule)) = (failure.cause, &mut report.rule)
            && !self.preset.login.is_empty()
        {
            rule.push_str(&format!("; {}", self.preset.login));
        }
        report.tail = self.tail(told);
        if let Cause::Stalled(limit) = told.end.cause {
            let why = match failure.cause {
                Blame::Other => {
                    report.class = Some(FailureClass::Transient);
                    "no new output, no file written, no work on the cores"
                }
                // It waited for something.
                _ => failure.classified.rule.as_str(),
            };
            report.rule = Some(format!("no progress for {}: {why}", context::duration(limit)));
        }
        let resets = failure.resets.as_ref().and_then(|reset| context::resets_at(reset, self.zone()));
        if let Some((wait, _)) = resets {
            report.retry_after_ms = report.retry_after_ms.max(Some(wait.as_millis() as u64));
        }
        if let Some(agent) = &mut report.agent {
            agent.resets_at = resets.map(|(_, at)| at).filter(|_| failure.cause == Blame::UsageLimit);
            agent.refused = matches!(failure.cause, Blame::Auth | Blame::Billing | Blame::Config);
        }
        if failure.then == Then::Begin { Next::Begin } else { Next::Resume }
    }

    /// What it asks is the attempt's end. A plain question, which may be politeness, is handed back once; who asks again
    /// means it.
    fn asked(&self, question: Question, has_asked: bool, report: &mut AttemptReport) -> Next {
        fail(report);
        let mask = |text: &str| self.shell.masker.mask(&self.as_in_any_tree(text));
        let policy = self.agents.config.on_question;
        let is_meant = !question.is_plain || has_asked;
        let asks = event::Question {
            question: mask(&question.text),
            options: question.options.iter().map(|option| mask(option)).collect(),
            default: question.default.as_deref().map(mask),
        };
        let is_final = is_meant && policy == OnQuestion::Fail;
        report.class = Some(if is_final { FailureClass::Permanent } else { FailureClass::Gate });
        report.rule =
            Some(format!("it asks instead of ending: {}", crate::agent::told::one_line(&asks.question)));
        report.tail = context::end_of(&asks.question);
        if let Some(agent) = &mut report.agent {
            agent.parks = is_meant && policy == OnQuestion::Park;
            agent.asks = Some(Box::new(asks));
        }
        if is_meant { Next::Resume } else { Next::Decide }
    }

    /// What the task names is there and not empty, and where no check of its own proves more, some of it changed.
    fn artifacts(&self, seen: &Seen, report: &mut AttemptReport) -> Option<Next> {
        let task = self.attempt.task;
        let mut missing = gates::missing(task, self.dir);
        if missing.is_empty() && seen.is_elsewhere && task.blocks_of(BlockKind::Verify).next().is_none() {
            missing = vec![gates::unchanged(task)];
        }
        if missing.is_empty() {
            self.gate("artifact", GateVerdict::Passed, Duration::ZERO);
            return None;
        }
        self.gate("artifact", GateVerdict::Failed, Duration::ZERO);
        fail(report);
        report.class = Some(FailureClass::Gate);
        report.rule = Some(format!("it says it is done, and {}", missing.join(", ")));
        Some(Next::Resume)
    }

    /// The task's own checks, by the shell.
    fn checks(&self, seen: &Seen, report: &mut AttemptReport) -> Option<Next> {
        self.attempt.task.blocks_of(BlockKind::Verify).next()?;
        let attempt = Attempt { part: Part::Checks, ..*self.attempt };
        let started = Instant::now();
        let checked = self.shell.run(&attempt, self.stop, self.observer);
        let passed = checked.outcome.is_success();
        let verdict = if passed { GateVerdict::Passed } else { GateVerdict::Failed };
        self.gate("verify", verdict, started.elapsed());
        report.verified = passed;
        gates::take_over(report, checked);
        if passed {
            return None;
        }
        if !seen.has_work {
            // That the check failed says that there was something to change.
            let failed = report.rule.take().unwrap_or_default();
            report.class = Some(FailureClass::NoChange);
            report.rule = Some(format!("it says it is done, no file changed, and {failed}"));
        }
        Some(Next::Resume)
    }

    pub(super) fn remember(&self, session: Option<String>, has_work: bool, next: Option<Next>) {
        let task: &TaskId = &self.attempt.task.id;
        let Some(next) = next else { return self.agents.memories.forget(task) };
        let memory = Memory {
            agent: self.name.to_owned(),
            dir: self.dir.to_owned(),
            session: session.filter(|_| next != Next::Begin),
            has_work,
            has_asked: next == Next::Decide,
        };
        self.agents.memories.keep(task, memory);
    }

    /// What tells most about a failure: its errors, what it wrote to its error output, what it said last.
    fn tail(&self, told: &Told) -> String {
        let Heard { account, stderr, .. } = &told.heard;
        let errors: Vec<&str> = account.open_errors().iter().map(|error| error.message.as_str()).collect();
        let parts = [errors.join("\n"), stderr.clone(), account.final_text.clone()];
        let text = parts.into_iter().find(|text| !text.trim().is_empty()).unwrap_or_default();
        self.shell.masker.mask(&context::end_of(&text))
    }
}

pub(super) fn outcome(told: &Told) -> AttemptOutcome {
    let Told { end, heard, .. } = told;
    match (end.cause, end.ended.how) {
        (Cause::Itself, _) if heard.has_answered => AttemptOutcome::Success,
        (Cause::Stopped, _) => AttemptOutcome::Cancelled,
        (Cause::TimedOut(limit) | Cause::Stalled(limit), _) => {
            AttemptOutcome::TimedOut(limit.as_millis() as u64)
        }
        (Cause::Stayed, _) | (Cause::Itself, How::Exit(0)) => AttemptOutcome::Success,
        (Cause::Itself, How::Exit(code)) => AttemptOutcome::ExitCode(code),
        (Cause::Itself, How::Signal(signal)) => AttemptOutcome::Signalled(signal),
    }
}

/// Whether it failed of nothing but having done nothing.
fn is_idle(failure: &Failure) -> bool {
    matches!(failure.cause, Blame::NoChange | Blame::Silent | Blame::Other)
}

/// Its checks, run in a sandbox too, may have said so already.
pub(super) fn say_once(report: &mut AttemptReport, hint: &str) {
    let rule = report.rule.get_or_insert_default();
    if !rule.contains(hint) {
        rule.push_str(hint);
    }
}

/// It ended with 0, which does not mean that it succeeded.
fn fail(report: &mut AttemptReport) {
    report.verified = false;
    if report.outcome.is_success() {
        report.outcome = AttemptOutcome::ExitCode(0);
    }
}

fn apply(report: &mut AttemptReport, classified: &Classified) {
    report.class = Some(classified.class);
    report.rule = Some(classified.rule.clone());
    report.retry_after_ms = classified.retry_after.map(|wait| wait.as_millis() as u64);
}
