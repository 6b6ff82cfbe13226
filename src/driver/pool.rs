//! The bounded pool: persistent threads that run attempts and hand in what came of them.
//!
//! Plain threads, not a runtime's tasks: starting a process, reading its output and reaping it are three blocking
//! calls, and a thread that does just them is the cheapest way known (measured in the project's benchmarks).

use super::hub::{Hub, Job};
use super::integrate::Turn;
use super::workspaces::{Work, Workspaces};
use crate::event::{AttemptOutcome, AttemptReport, FailureClass};
use crate::exec::{Attempt, Executor, OutputObserver};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// Enough for spawning and reading; the default of 2 MiB would only cost address space.
const STACK_BYTES: usize = 256 * 1024;
/// Where agents work: their events are read, and nest as deep as the reader lets them.
const AGENT_STACK_BYTES: usize = 2 << 20;

pub(super) struct Pool {
    hub: Arc<Hub>,
    executor: Arc<Executor>,
    workspaces: Arc<Workspaces>,
    observer: Arc<dyn OutputObserver + Send + Sync>,
    jobs: usize,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    pub(super) fn new(
        hub: Arc<Hub>,
        executor: Arc<Executor>,
        workspaces: Arc<Workspaces>,
        observer: Arc<dyn OutputObserver + Send + Sync>,
        jobs: usize,
    ) -> Pool {
        Pool { hub, executor, workspaces, observer, jobs, threads: Vec::new() }
    }

    /// Starts as many threads as there is work for, up to `jobs`. One that was started and has not come to its first
    /// attempt yet counts: else a single task would start a thread for each look at the queue.
    pub(super) fn grow(&mut self) -> std::io::Result<()> {
        let wanted = self.hub.attempts().min(self.jobs);
        if wanted > self.threads.len() {
            self.executor.expect(wanted as u32);
        }
        for _ in self.threads.len()..wanted {
            let (hub, executor, observer) =
                (Arc::clone(&self.hub), Arc::clone(&self.executor), Arc::clone(&self.observer));
            let workspaces = Arc::clone(&self.workspaces);
            let name = format!("worker {}", self.threads.len() + 1);
            let work = move || work(&hub, &executor, &workspaces, &*observer);
            let stack = if self.executor.has_agents() { AGENT_STACK_BYTES } else { STACK_BYTES };
            self.threads.push(Builder::new().name(name).stack_size(stack).spawn(work)?);
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.threads.is_empty()
    }

    /// Waits until every thread has left; they do once the run is over.
    pub(super) fn join(self) {
        for thread in self.threads {
            // A worker's panic was already turned into a report; the thread itself cannot fail.
            let _ = thread.join();
        }
    }
}

fn work(hub: &Hub, executor: &Executor, workspaces: &Workspaces, observer: &dyn OutputObserver) {
    let mut next = hub.next_job();
    while let Some(mut job) = next {
        let (report, turn) = if hub.may_start(&job) {
            // Before the attempt changes anything.
            workspaces.save(hub, std::mem::take(&mut job.moments), true);
            run(hub, executor, workspaces, &job, observer)
        } else {
            (cancelled(), None)
        };
        let ended = hub.finished(job.stop, report);
        if !ended.moments.is_empty() {
            workspaces.save(hub, ended.moments, false);
            if turn.is_some() {
                let task = job.plan.task(job.task);
                workspaces.commit(hub, task, ended.phase.as_deref());
            }
            hub.saved();
        }
        drop(turn);
        next = ended.job.or_else(|| {
            executor.rest();
            hub.next_job()
        });
    }
}

/// The record broke before the start was on disk.
fn cancelled() -> AttemptReport {
    AttemptReport { outcome: AttemptOutcome::Cancelled, ..AttemptReport::default() }
}

/// A panic in an executor is our bug: the task fails with it, the run goes on, the panic hook has said where.
fn run<'a>(
    hub: &Hub,
    executor: &Executor,
    workspaces: &'a Workspaces,
    job: &Job,
    observer: &dyn OutputObserver,
) -> (AttemptReport, Option<Turn<'a>>) {
    let attempt = Attempt {
        plan: Some(&job.plan),
        agent: job.agent.as_deref(),
        ..Attempt::new(job.task, job.plan.task(job.task), job.attempt, job.is_last)
    };
    let work = Work { hub, executor, observer, stop: &job.stop, attempt };
    catch_unwind(AssertUnwindSafe(|| workspaces.run(&work))).unwrap_or_else(|_| (broken(), None))
}

fn broken() -> AttemptReport {
    AttemptReport {
        outcome: AttemptOutcome::StartFailed("internal error in the executor".to_owned()),
        class: Some(FailureClass::Permanent),
        rule: Some("a bug of specter; see its message above".to_owned()),
        ..AttemptReport::default()
    }
}
