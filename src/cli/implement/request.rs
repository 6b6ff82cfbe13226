//! What a run is asked for: the plan and all that the driver needs besides.

use super::{Opened, Session};
use crate::boxes::Boxes;
use crate::cli::args::Format;
use crate::cli::error::Error;
use crate::cli::limits::{cores, jobs, limits};
use crate::cli::staff::Staff;
use crate::cli::{stage, workspace};
use crate::config::trust::Trust;
use crate::config::{self, Config, Isolation};
use crate::driver::{self, Replanned, Request};
use crate::event::RunInfo;
use crate::exec::{Elsewhere, JobserverConfig, SandboxConfig, ShellConfig};
use crate::history::History;
use crate::journal::{RunId, Store};
use crate::plan::{self, Plan, Role};
use crate::sink::Sink;
use crate::task::{State, Task};
use crate::text::safe;
use crate::ui::{header, jsonl::JsonLines};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

impl Session<'_> {
    pub(super) fn info(&self, run: &RunId) -> RunInfo {
        let config = &self.loaded.config;
        RunInfo {
            run: run.to_string(),
            file: self.target.name.clone(),
            mode: plan::export::mode_name(config.mode).to_owned(),
            jobs: jobs(config),
            seed: self.clock.seed(),
            selection: self.args.select.to_options(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            options: self.args.to_options(),
        }
    }

    pub(super) fn request(
        &self,
        store: &Store,
        Opened { run, journal, loaded, started }: Opened,
        plan: Arc<Plan>,
        boxes: Boxes,
        (options, staff): (plan::Options, Staff),
    ) -> Result<Request, Error> {
        let config = &self.loaded.config;
        let repository = workspace::settle(config, &self.target, store, &run, &self.clock)?;
        let jobs = jobs(config);
        let run_dir = store.run_dir(&run);
        let screen = stage::screen(self.global, config, stage::Stream::Err);
        let session = loaded.as_ref().map_or(1, |loaded| History::from_events(&loaded.events).sessions + 1);
        let manner = header::Manner {
            run: run.to_string(),
            mode: plan::export::mode_name(config.mode).to_owned(),
            jobs,
            selection: self.args.select.to_options(),
            executors: executors(&plan, self.sandbox.as_ref(), config.isolation),
            session,
        };
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        if self.args.format == Format::Json {
            sinks.push(Box::new(JsonLines::new(Box::new(io::stdout()))));
        }
        Ok(Request {
            project: self.target.project.clone(),
            store: store.clone(),
            info: self.info(&run),
            limits: limits(config),
            shell: shell(
                config,
                &self.target.project,
                driver::session_token(&run, session, started),
                &run_dir,
            ),
            agents: None,
            prompts: None,
            begun: None,
            header: header::header(&screen, &plan, &manner),
            screen,
            boxes,
            replan: replan(options, Arc::clone(&plan), staff),
            plan,
            run,
            started,
            journal,
            loaded,
            sinks,
            tick_unverified: config.tick == config::Tick::Unverified,
            strict: config.durability == config::Durability::Strict,
            floors: config.floors,
            repository,
        })
    }
}

/// Who works, and where.
fn executors(plan: &Plan, sandbox: Option<&SandboxConfig>, isolation: Isolation) -> Vec<String> {
    let mut names = BTreeSet::new();
    for task in plan.runnable().map(|task| plan.task(task)) {
        names.insert(task.more.agent.as_deref().filter(|_| !task.has_run_block()).unwrap_or("shell"));
    }
    let mut words: Vec<String> = names.into_iter().map(str::to_owned).collect();
    if let Some(last) = words.last_mut() {
        let is_for_all = sandbox.is_some_and(|sandbox| sandbox.elsewhere == Elsewhere::Nothing);
        let sandboxed = if is_for_all { " in a sandbox" } else { "" };
        let place = match (isolation, sandbox) {
            (Isolation::Worktree, Some(_)) => ", in working trees kept from each other",
            (Isolation::Worktree, None) => ", in working trees",
            _ => "",
        };
        *last = format!("{last}{sandboxed}{place}");
    }
    words
}

/// One task at a time shares the cores with nobody.
fn jobserver(config: &Config) -> Option<JobserverConfig> {
    let tokens = match config.jobserver {
        config::Jobserver::Off => return None,
        config::Jobserver::Auto if jobs(config) == 1 => return None,
        config::Jobserver::Auto => cores(),
        config::Jobserver::Count(tokens) => tokens.get(),
    };
    Some(JobserverConfig { tokens, parallel_make: config.parallel_make })
}

pub(super) fn shell(config: &Config, project: &Path, token: String, run_dir: &Path) -> ShellConfig {
    let mut shell = ShellConfig::new(project.to_owned(), token, run_dir.to_owned());
    shell.env_pass.clone_from(&config.env_pass);
    shell.force_shell = config.force_shell;
    shell.grace = config.grace;
    shell.jobserver = jobserver(config);
    shell.timeout = config.timeout;
    shell.try_alternatives = config.try_alternatives;
    shell.retries_are_given = config.retry.is_given;
    shell.rules.retryable.clone_from(&config.retryable);
    shell.rules.non_retryable.clone_from(&config.non_retryable);
    shell
}

/// How an edited file is planned: with the same options, and nothing in it that nobody agreed to. Agreed to was all of
/// `agreed`, the plan the run began with; what that means is hashed at the first edit, for most runs see none.
fn replan(options: plan::Options, agreed: Arc<Plan>, staff: Staff) -> driver::Replan {
    let trust = OnceLock::new();
    Box::new(move |edited| {
        let trust = trust.get_or_init(|| Trust::of_tasks(&agreed.tasks));
        let mut document = edited.document;
        staff.assign(&mut document);
        let mut warnings = Vec::new();
        for task in &mut document.tasks {
            if task.state == State::Open && !trust.covers(task) {
                task.state = State::Manual;
                warnings.push(format!(
                    "{} was given commands that nobody agreed to: it waits (`specter trust`, then `specter resume`)",
                    safe(task.id.as_str())
                ));
            }
        }
        let first = |found: &[crate::diagnostic::Diagnostic]| {
            let error = found.iter().find(|diagnostic| diagnostic.is_error())?;
            let line = error.span().map_or(0, |span| edited.source.line(span.start));
            Some(format!("line {line}: {}", error.message))
        };
        if let Some(error) = first(&edited.diagnostics) {
            return Err(error);
        }
        match plan::plan(document, &options) {
            Ok((mut plan, _)) => {
                let open = plan.task_ixs().filter(|task| plan.planned(*task).role == Role::Run);
                let has_work = |task: &Task| task.has_run_block() || staff.is_here(task);
                let idle: Vec<_> = open.filter(|task| !has_work(plan.task(*task))).collect();
                for task in idle {
                    plan.planned[task.ix()].role = Role::LeftOut(plan::LeftOut::Manual);
                    warnings.push(format!("{} has no work: it waits", safe(plan.task(task).id.as_str())));
                }
                plan.file = edited.source.name().to_owned();
                Ok(Replanned { plan, warnings })
            }
            Err(found) => Err(first(&found).unwrap_or_else(|| "it has errors".to_owned())),
        }
    })
}
