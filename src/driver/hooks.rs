//! What extensions want done around a run, carried out by an agent: one command after the other, in the project itself, each
//! with what its file says as the prompt. Whether that is asked for and was agreed to is decided before, by `cli`.

use crate::event::{AttemptReport, EventKind, FailureClass, Stop};
use crate::exec::{
    AgentConfig, AgentExecutor, Asked, Attempt, Executor, Guardian, NoObserver, Prompted, Prompts,
    ShellConfig, ShellExecutor, StopHandle,
};
use crate::hooks::{Hook, Moment};
use crate::parse;
use crate::source::SourceText;
use crate::task::{Task, TaskId, TaskIx};
use std::io;
use std::sync::Arc;
use std::task::Poll;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Events of agents are read on it, as on the pool's threads.
const STACK_BYTES: usize = 2 << 20;

/// A hook with what it says is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub hook: Hook,
    /// Its file, and what that says; none: only the agent knows the command.
    pub text: Option<(String, String)>,
}

/// By whom, and with what.
pub struct Hooking {
    pub agent: String,
    pub config: AgentConfig,
    /// Its `run` is a token of its own.
    pub shell: ShellConfig,
}

/// What came of them: the last one may have failed; those behind it were not begun.
#[derive(Debug, Default)]
pub struct HooksEnded {
    pub last: Option<EventKind>,
    /// What ended them.
    pub signal: Option<i32>,
}

/// Who is told of hooks.
pub trait Watching {
    fn begins(&mut self, hook: &Hook);
    /// It has ended: the next one begins when this returns.
    fn ended(&mut self, event: &EventKind) -> io::Result<()>;
}

/// To be called while the process has one thread.
pub fn carry_out(
    commands: &[Command],
    by: Hooking,
    guardian: &Guardian,
    told: &mut dyn Watching,
) -> io::Result<HooksEnded> {
    guardian.guard(&by.shell.run)?;
    let guard = Some((guardian.pid(), guardian.live()));
    let secrets = by.config.secrets();
    let shell = ShellExecutor::new(ShellConfig { secrets, guard, ..by.shell })?;
    let prompts = Arc::new(HookPrompts(commands.iter().map(prompt).collect()));
    let executor = Executor::Agents(shell, AgentExecutor::new(AgentConfig { prompts, ..by.config }, &[]));
    let executor = Arc::new(executor);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut ended = HooksEnded::default();
    let mut recorded = Ok(());
    for (n, command) in commands.iter().enumerate() {
        told.begins(&command.hook);
        let Some(task) = task(command, n, &by.agent) else { continue };
        let (report, signal) = runtime.block_on(attempt(Arc::clone(&executor), task, n))?;
        let failed = failure(&report);
        let has_failed = failed.is_some();
        let event = EventKind::HookFinished {
            command: command.hook.command.clone(),
            extension: command.hook.extension.clone(),
            before: command.hook.moment == Moment::Before,
            agent: by.agent.clone(),
            provider: report.agent.as_ref().map(|agent| agent.provider.clone()).unwrap_or_default(),
            duration: report.duration,
            failed,
            spent: report.agent.as_ref().and_then(|agent| agent.spent),
        };
        recorded = told.ended(&event);
        (ended.last, ended.signal) = (Some(event), signal);
        if has_failed || recorded.is_err() {
            break;
        }
    }
    executor.clear_orphans();
    recorded.map(|()| ended)
}

/// One of them, on a thread of its own, so that a signal can end it. Returns the signal, if one did.
async fn attempt(executor: Arc<Executor>, task: Task, n: usize) -> io::Result<(AttemptReport, Option<i32>)> {
    let kinds = [(2, SignalKind::interrupt()), (15, SignalKind::terminate()), (1, SignalKind::hangup())];
    let mut signals = Vec::new();
    for (number, kind) in kinds {
        signals.push((number, signal(kind)?));
    }
    let stop = Arc::new(StopHandle::new());
    let (told, mut report) = oneshot::channel();
    let (of_worker, ix) = (Arc::clone(&stop), TaskIx(n as u32));
    let work = move || {
        let attempt = Attempt::new(ix, &task, 1, true);
        let _ = told.send(executor.run(&attempt, &of_worker, &NoObserver));
    };
    let worker = std::thread::Builder::new().name("hook".to_owned()).stack_size(STACK_BYTES).spawn(work)?;
    let mut ended_by = None;
    let report = loop {
        tokio::select! {
            number = first(&mut signals) => {
                stop.stop(if ended_by.is_some() { Stop::Now } else { Stop::Gracefully });
                ended_by = ended_by.or(Some(number));
            }
            report = &mut report => break report,
        }
    };
    let _ended = worker.join();
    // A panic in the executor is our bug; the panic hook has said where.
    let broken = |_| AttemptReport {
        class: Some(FailureClass::Permanent),
        rule: Some("a bug of specter; see its message above".to_owned()),
        ..AttemptReport::default()
    };
    Ok((report.unwrap_or_else(broken), ended_by))
}

async fn first(signals: &mut [(i32, Signal)]) -> i32 {
    std::future::poll_fn(|context| {
        let mut is_here = |signal: &mut Signal| signal.poll_recv(context).is_ready();
        let came = signals.iter_mut().find_map(|(number, signal)| is_here(signal).then_some(*number));
        came.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

/// A command may well find nothing to do; a task may not.
fn failure(report: &AttemptReport) -> Option<String> {
    let is_done = report.class.is_none() && report.outcome.is_success();
    let why = || report.rule.clone().unwrap_or_else(|| "nobody knows why".to_owned());
    (!is_done && report.class != Some(FailureClass::NoChange)).then(why)
}

/// Under a name of its own, by which its output is found.
fn task(command: &Command, n: usize, agent: &str) -> Option<Task> {
    let moment = if command.hook.moment == Moment::Before { "before" } else { "after" };
    let (mut document, _) = parse::parse(&SourceText::new("hook", "- [ ] T001 Carry out a hook\n"));
    let mut task = document.tasks.pop()?;
    task.id = TaskId::new(&format!("hook-{moment}-{}", n + 1));
    task.more.agent = Some(agent.into());
    Some(task)
}

#[derive(Debug)]
struct HookPrompts(Vec<String>);

impl Prompts for HookPrompts {
    fn prompt(&self, asked: &Asked<'_>) -> Prompted {
        let own = self.0.get(asked.ix.ix()).cloned().unwrap_or_default();
        Prompted { tokens: own.len() as u64 / 4, own, ..Prompted::default() }
    }
}

fn prompt(command: &Command) -> String {
    let Hook { command: name, extension, moment, description, .. } = &command.hook;
    let moment = if *moment == Moment::Before { "before" } else { "after" };
    let mut text = format!(
        "Carry out the command `/{name}` of Spec Kit's extension `{extension}`, in the current directory: it is a hook \
         that has to be run {moment} an implementation. Nobody is there to answer questions. Do what the command says, as \
         if it had been typed without arguments, and nothing beyond it; do not begin to implement anything. Stop when it \
         is done. If it cannot be done, write why into the file that the environment variable `SPECTER_BLOCKED_FILE` \
         names, and stop.\n"
    );
    if !description.is_empty() {
        text.push_str(&format!("\nWhat it is for: {description}\n"));
    }
    match &command.text {
        Some((path, says)) => {
            let says = says.replace("$ARGUMENTS", "");
            text.push_str(&format!("\nThis is what the command says (`{path}`):\n\n{}\n", says.trim_end()));
        }
        None => text.push_str("\nIts instructions are not in the project: it has to be known to you.\n"),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::AttemptOutcome;

    #[test]
    fn a_hook_that_finds_nothing_to_do_is_done_and_every_other_failure_is_one() {
        let of = |outcome, class| {
            let rule = Some("why".to_owned());
            failure(&AttemptReport { outcome, class, rule, ..AttemptReport::default() })
        };
        assert_eq!(of(AttemptOutcome::Success, None), None);
        assert_eq!(of(AttemptOutcome::ExitCode(0), Some(FailureClass::NoChange)), None);
        assert_eq!(of(AttemptOutcome::ExitCode(1), Some(FailureClass::RateLimit)), Some("why".to_owned()));
        assert_eq!(of(AttemptOutcome::Cancelled, None), Some("why".to_owned()));
        assert_eq!(
            failure(&AttemptReport { outcome: AttemptOutcome::Cancelled, ..AttemptReport::default() }),
            Some("nobody knows why".to_owned())
        );
    }
}
