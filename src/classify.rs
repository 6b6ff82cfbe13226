//! What kind of failure it was, by which rule, why it may have happened and what to do (SPEC 5.1, 5.3). Pure: facts
//! in, judgement out.
//!
//! Order: how the attempt ended where that alone decides, the user's own patterns, what the output says (of several
//! known messages the last one counts: earlier ones were survived), then what the exit code says.

mod advice;
mod patterns;

use crate::event::{AttemptOutcome, AttemptReport, FailureClass};
use crate::task::BlockKind;
use patterns::Pattern;
use std::time::Duration;

/// What is known of a failed attempt.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub outcome: &'a AttemptOutcome,
    /// Which kind of block failed.
    pub kind: Option<BlockKind>,
    /// The end of its output.
    pub tail: &'a str,
}

/// What the user added: parts of messages, upper and lower case alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub retryable: Vec<String>,
    pub non_retryable: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    pub class: FailureClass,
    /// The rule that fired, in words.
    pub rule: String,
    /// How long the failure itself asked to wait.
    pub retry_after: Option<Duration>,
    /// Why it may have happened, likeliest first.
    pub causes: Vec<String>,
    /// What a person can do.
    pub fixes: Vec<String>,
}

impl Classified {
    fn new(class: FailureClass, rule: impl Into<String>) -> Classified {
        Classified { class, rule: rule.into(), retry_after: None, causes: Vec::new(), fixes: Vec::new() }
    }

    fn cause(mut self, cause: impl Into<String>) -> Classified {
        self.causes.push(cause.into());
        self
    }

    fn fix(mut self, fix: impl Into<String>) -> Classified {
        self.fixes.push(fix.into());
        self
    }
}

/// Judges a failure. Of a success it says only that nothing is known.
pub fn classify(facts: &Facts<'_>, rules: &Rules) -> Classified {
    let mut judged = by_end(facts)
        .or_else(|| by_user(facts.tail, rules))
        .or_else(|| by_output(facts.tail))
        .unwrap_or_else(|| by_code(facts));
    let can_be_gate = !matches!(judged.class, FailureClass::Cancelled)
        && !matches!(facts.outcome, AttemptOutcome::StartFailed(_) | AttemptOutcome::ExitCode(126 | 127));
    if facts.kind == Some(BlockKind::Verify) && can_be_gate {
        judged.class = FailureClass::Gate;
        judged.rule = format!("a `verify` block failed: {}", judged.rule);
    }
    judged
}

/// The judgement on a stored report, for whoever explains it later. The stored class and rule stand.
pub fn explain(report: &AttemptReport, rules: &Rules) -> Classified {
    let kind = report.block.map(|block| block.kind);
    let judged = classify(&Facts { outcome: &report.outcome, kind, tail: &report.tail }, rules);
    Classified {
        class: report.class.unwrap_or(judged.class),
        rule: report.rule.clone().unwrap_or(judged.rule),
        ..judged
    }
}

/// What to try instead of a known command that failed.
pub fn alternatives(command: &str) -> &'static [&'static str] {
    match command.trim() {
        "npm install" | "npm i" => &["npm ci", "yarn install", "npm install --legacy-peer-deps"],
        "npm ci" => &["npm install", "npm install --legacy-peer-deps"],
        "yarn" | "yarn install" => &["npm install"],
        "pip install -r requirements.txt" => &["python3 -m pip install -r requirements.txt"],
        "npm run format" => &["npx eslint . --fix"],
        _ => &[],
    }
}

/// How it ended decides alone.
fn by_end(facts: &Facts<'_>) -> Option<Classified> {
    match facts.outcome {
        AttemptOutcome::Cancelled => Some(Classified::new(FailureClass::Cancelled, "it was stopped")),
        AttemptOutcome::TimedOut(millis) => Some(timed_out(*millis)),
        AttemptOutcome::StartFailed(why) => Some(start_failed(why)),
        AttemptOutcome::Success
        | AttemptOutcome::ExitCode(_)
        | AttemptOutcome::Signalled(_)
        // Whoever integrates knows why not, and says so.
        | AttemptOutcome::NotIntegrated => None,
    }
}

fn timed_out(millis: u64) -> Classified {
    let limit = advice::duration(millis);
    Classified::new(FailureClass::Transient, format!("no end after {limit}"))
        .cause("the work needs longer than its limit")
        .cause("it waits for something that never comes: input, a lock, a service")
        .fix(format!("allow more than {limit}: `timeout=…` on the block, or `--timeout`"))
}

fn start_failed(why: &str) -> Classified {
    let lower = why.to_ascii_lowercase();
    if ["resource temporarily unavailable", "cannot allocate memory", "too many open files"]
        .iter()
        .any(|text| lower.contains(text))
    {
        return Classified::new(FailureClass::Transient, format!("it could not be started: {why}"))
            .cause("the machine is out of processes, memory or open files")
            .fix("run fewer at once with `--jobs`");
    }
    let judged = Classified::new(FailureClass::Permanent, format!("it could not be started: {why}"));
    match advice::backticked(why) {
        Some(name) if lower.contains("command not found") => judged
            .cause(format!("`{name}` is not installed, or not on PATH"))
            .fix(format!("install `{name}`, then `specter resume`")),
        Some(name) if lower.contains("the directory") => judged
            .cause(format!("no task has made `{name}` yet, or its name is misspelt"))
            .fix(format!("correct `dir={name}`, or make the directory in a task before")),
        _ => judged.fix("correct the block in the task file, then `specter resume`"),
    }
}

fn by_user(tail: &str, rules: &Rules) -> Option<Classified> {
    let tail = tail.to_lowercase();
    let hit = |patterns: &[String]| {
        let mut given = patterns.iter().filter(|pattern| !pattern.is_empty());
        given.find(|pattern| tail.contains(&pattern.to_lowercase())).cloned()
    };
    if let Some(pattern) = hit(&rules.non_retryable) {
        return Some(Classified::new(
            FailureClass::Permanent,
            format!("`nonRetryableErrors` has `{pattern}`"),
        ));
    }
    hit(&rules.retryable)
        .map(|pattern| Classified::new(FailureClass::Transient, format!("`retryableErrors` has `{pattern}`")))
}

/// The last line of output that says something known.
fn by_output(tail: &str) -> Option<Classified> {
    let lines: Vec<&str> = tail.lines().collect();
    let known = |line: &str| {
        let lower = line.to_ascii_lowercase();
        patterns::PATTERNS.iter().find(|pattern| pattern.fits(&lower))
    };
    let (line, pattern) = lines.iter().rev().find_map(|line| Some((*line, known(line)?)))?;
    Some(judge(pattern, line, tail))
}

fn judge(pattern: &Pattern, line: &str, tail: &str) -> Classified {
    let mut judged = Classified::new(pattern.class, format!("the output says: {}", pattern.says));
    (judged.causes, judged.fixes) = advice::of(pattern, line);
    if pattern.class == FailureClass::RateLimit {
        judged.retry_after = advice::retry_after(tail);
    }
    judged
}

/// Nothing in the output was recognised.
fn by_code(facts: &Facts<'_>) -> Classified {
    match *facts.outcome {
        AttemptOutcome::ExitCode(126) => {
            Classified::new(FailureClass::Permanent, "exit code 126: found, but cannot be executed")
                .cause("the file is not executable, or is no program")
                .fix("`chmod +x` the file, or name its interpreter")
        }
        AttemptOutcome::ExitCode(127) => {
            Classified::new(FailureClass::Permanent, "exit code 127: command not found")
                .cause("the program is not installed, or not on PATH")
                .fix("install it, then `specter resume`")
        }
        AttemptOutcome::Signalled(signal) => by_signal(signal),
        // A shell reports so the signal that ended the command it ran.
        AttemptOutcome::ExitCode(code @ 129..=159) => by_signal(code - 128),
        AttemptOutcome::ExitCode(code) => Classified::new(
            FailureClass::Unknown,
            format!("exit code {code}, and nothing known in the output"),
        )
        .fix("read the log, correct the cause, then `specter resume`"),
        _ => Classified::new(FailureClass::Unknown, "nothing is known of it"),
    }
}

fn by_signal(signal: i32) -> Classified {
    let crashed = |name: &str| {
        Classified::new(FailureClass::Permanent, format!("ended by {name}: the program crashed"))
            .cause("a bug in the program, or in a library it uses")
            .fix("run the command by hand under a debugger")
    };
    match signal {
        4 => crashed("SIGILL"),
        6 => crashed("SIGABRT"),
        7 => crashed("SIGBUS"),
        8 => crashed("SIGFPE"),
        11 => crashed("SIGSEGV"),
        9 => Classified::new(FailureClass::Transient, "ended by SIGKILL from outside")
            .cause("the system ran out of memory and ended it (see `dmesg`)")
            .cause("someone killed it")
            .fix("run fewer at once with `--jobs`, or give the task more memory"),
        13 => Classified::new(FailureClass::Unknown, "ended by SIGPIPE: nobody read its output"),
        24 => Classified::new(
            FailureClass::Permanent,
            "ended by SIGXCPU: its limit of processor time is used up",
        )
        .fix("raise `ulimit -t`"),
        25 => Classified::new(FailureClass::Permanent, "ended by SIGXFSZ: a file grew beyond its limit")
            .fix("raise `ulimit -f`"),
        2 | 1 | 15 => {
            Classified::new(FailureClass::Transient, format!("ended by signal {signal} from outside"))
                .cause("someone, or a supervisor, asked it to end")
        }
        _ => Classified::new(FailureClass::Unknown, format!("ended by signal {signal}")),
    }
}

#[cfg(test)]
mod tests;
