//! The agent executor: one attempt of a task by a coding agent, called by its command line or spoken with by the Agent
//! Client Protocol, from its prompt to what came of it.
//!
//! What an agent says is recorded and never believed: done is what changed files, left the files that the task names and
//! passes the task's own checks. How agents are called, what their output means and what their end means is known to
//! `crate::agent`; how a process is run and ended, to the rest of `exec`.

mod context;
mod feed;
mod files;
mod gates;
mod listen;
mod memory;
mod news;
mod process;
mod prompt;
mod steps;
mod talk;
mod watchdog;

use super::command::Programs;
use super::environment::{Environment, is_listed};
use super::life::Setting;
use super::sandbox::{Sandbox, Sandboxes};
use super::scratch::{Place, Scratch};
use super::shell::{ShellExecutor, path_string};
use super::stop::StopHandle;
use super::tree::TOKEN_IS;
use super::{Attempt, OutputObserver, Part, Workspace};
use crate::agent::acp::{Patience, Wanted};
use crate::agent::judge::{Cause as Blame, Failure, MAX_FILE, Question, Then, Work, in_file};
use crate::agent::{
    Call, CommandLine, Ended, Ending, Permission, Preset, Presets, Reader, Session, SoftStop, judge,
};
use crate::classify::Classified;
use crate::event::{self, AgentReport, AttemptOutcome, AttemptReport, Event, FailureClass, GateVerdict};
use crate::fs;
use crate::policy::OnQuestion;
use crate::schedule::Link;
use crate::sys::{self, How, Strings};
use crate::task::{BlockKind, TaskId};
use files::{Files, Look};
use listen::{Ear, Heard};
use memory::{Memories, Memory, Next};
use process::{Called, Cause, End};
pub use prompt::{Asked, PlainPrompts, Prompted, Prompts};
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use talk::{Source, Talk};
use watchdog::{Limits, Watchdog};

/// Without a sign of progress, where neither the preset nor the user says how long.
const STALL: Duration = Duration::from_mins(10);
/// In all, where the user does not say.
pub const WALL: Duration = Duration::from_hours(1);
/// In an attempt's place: into which the agent writes what stops it, and the variable that names it.
const BLOCKED_FILE: &str = "blocked.md";
const BLOCKED: &str = "SPECTER_BLOCKED_FILE";
/// An agent's own log is looked at up to this size, and of its trouble so many lines.
const OWN_LOG: u64 = 16 << 20;
const OWN_LINES: usize = 4;
/// How long an agent that is told to call off its turn may take to do so.
const CANCEL: Duration = Duration::from_secs(3);

/// What attempts by agents are made of, decided before anything runs.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    pub presets: Presets,
    /// Instead of the agents' own choice.
    pub model: Option<String>,
    /// What a question does to its task.
    pub on_question: OnQuestion,
    pub permission: Permission,
    /// specter's own environment.
    pub vars: Vec<(OsString, OsString)>,
    /// Variables that children get although their names look secret, from the user's own configuration.
    pub env_pass: Vec<String>,
    /// Instead of the presets' limits.
    pub stall: Option<Duration>,
    pub wall: Option<Duration>,
    /// Files that only specter writes, from the project.
    pub own_files: Vec<PathBuf>,
    /// Who takes over from whom.
    pub chain: Vec<Link>,
    pub prompts: Arc<dyn Prompts>,
}

impl AgentConfig {
    /// Whose limits each agent runs into.
    pub fn providers(&self) -> BTreeMap<String, String> {
        self.presets.iter().map(|(name, preset)| (name.to_owned(), preset.provider.clone())).collect()
    }

    /// Variables whose values are secret by the presets' word.
    pub fn secrets(&self) -> Vec<String> {
        self.presets.iter().flat_map(|(_, preset)| preset.secrets.iter().cloned()).collect()
    }
}

/// Runs attempts of tasks that have no work of their own. Shared by all workers of a run.
pub struct AgentExecutor {
    config: AgentConfig,
    /// By preset, once it was needed.
    environments: Mutex<HashMap<String, Arc<Prepared>>>,
    scratch: Mutex<Option<Arc<Scratch>>>,
    memories: Memories,
}

/// What all attempts of one agent share.
struct Prepared {
    environment: Environment,
    programs: Programs,
}

impl AgentExecutor {
    /// `earlier` are the events of the run so far.
    pub fn new(config: AgentConfig, earlier: &[Event]) -> AgentExecutor {
        let memories = Memories::of(earlier);
        AgentExecutor { config, environments: Mutex::default(), scratch: Mutex::default(), memories }
    }

    /// Runs one attempt on the calling thread: the agent, then the task's checks. Returns when nothing of it lives any
    /// more.
    pub(super) fn run(
        &self,
        shell: &ShellExecutor,
        attempt: &Attempt<'_>,
        stop: &StopHandle,
        observer: &dyn OutputObserver,
    ) -> AttemptReport {
        let started = Instant::now();
        let name = attempt.agent_name().unwrap_or_default();
        let mut report = match self.config.presets.get(name) {
            Some(preset) => {
                let dir = attempt.workspace.map_or(&*shell.project, |workspace| &workspace.dir);
                Run { agents: self, shell, attempt, stop, observer, name, preset, dir }.attempt()
            }
            None => not_started(&format!("no agent `{name}` is known"), FailureClass::Permanent),
        };
        let now = Instant::now();
        report.duration = (now - started).saturating_sub(stop.paused(now));
        report
    }

    /// What it made passed its own gates and was not integrated: for the next attempt.
    pub(super) fn learn(&self, task: &TaskId, report: &AttemptReport) {
        let Some(agent) = &report.agent else { return };
        let memory = Memory {
            agent: agent.agent.clone(),
            // A conflict is solved from where everybody stands now, in another working tree.
            has_work: report.class != Some(FailureClass::Conflict),
            ..Memory::default()
        };
        self.memories.keep(task, memory);
    }

    fn prepared(&self, shell: &ShellExecutor, name: &str, preset: &Preset) -> Arc<Prepared> {
        let mut known = self.environments.lock().unwrap_or_else(PoisonError::into_inner);
        let prepared = known.entry(name.to_owned()).or_insert_with(|| {
            let pass: Vec<String> = preset.env_pass.iter().chain(&self.config.env_pass).cloned().collect();
            let is_given = |name: &OsString| context::is_given(&name.to_string_lossy(), &pass);
            let vars: Vec<_> = self.config.vars.iter().filter(|(name, _)| is_given(name)).cloned().collect();
            let environment = Environment::new(&vars, &pass, &shell.project, &shell.run, &shell.told);
            let programs = Programs::new(&environment.path);
            Arc::new(Prepared { environment, programs })
        });
        Arc::clone(prepared)
    }

    /// A place for one attempt's temporary files.
    fn place(&self) -> io::Result<(Arc<Scratch>, Place)> {
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let scratch = match &*scratch {
            Some(scratch) => Arc::clone(scratch),
            None => Arc::clone(scratch.insert(Arc::new(Scratch::new()?))),
        };
        let place = scratch.attempt()?;
        Ok((scratch, place))
    }
}

fn not_started(why: &str, class: FailureClass) -> AttemptReport {
    AttemptReport {
        outcome: AttemptOutcome::StartFailed(why.to_owned()),
        class: Some(class),
        rule: Some(format!("it could not be started: {why}")),
        ..AttemptReport::default()
    }
}

/// An attempt under way.
struct Run<'a> {
    agents: &'a AgentExecutor,
    shell: &'a ShellExecutor,
    attempt: &'a Attempt<'a>,
    stop: &'a StopHandle,
    observer: &'a dyn OutputObserver,
    name: &'a str,
    preset: &'a Preset,
    /// Where it works.
    dir: &'a Path,
}

/// What was seen of its files.
struct Seen {
    /// In this attempt or the ones before it in this place.
    has_work: bool,
    /// Everything that changed is something that the task does not name.
    is_elsewhere: bool,
    /// The attempt before ended with a plain question, and was told to decide by itself.
    has_asked: bool,
}

/// What came of the agent, before anything is checked.
struct Told {
    end: End,
    heard: Heard,
    session: Option<String>,
    prompt_tokens: u64,
    /// What it wrote into the file for that.
    question: Option<Question>,
}

impl Run<'_> {
    fn attempt(&self) -> AttemptReport {
        let mut memory = self.agents.memories.of_task(&self.attempt.task.id, self.name, self.dir);
        memory.has_work |= self.attempt.workspace.is_some_and(|workspace| workspace.holds_work);
        let files = self.files();
        let before = files.look();
        let told = match self.agent(&memory, &files, &before) {
            Ok(told) => told,
            Err(why) => {
                let outcome = AttemptOutcome::StartFailed(why);
                return self.start_failed(&outcome);
            }
        };
        let change = files.change_since(&before);
        let has_work = memory.has_work || !change.is_nothing();
        let outcome = outcome(&told);
        let mut report = self.report(&told, outcome);
        let ending = self.judge(&told, &report.outcome, has_work);
        // What an earlier attempt did to them is not known file by file.
        let is_elsewhere = !memory.has_work && gates::is_elsewhere(self.attempt.task, &change);
        let seen = Seen { has_work, is_elsewhere, has_asked: memory.has_asked };
        let next = self.conclude(&told, ending, &seen, &mut report);
        if !report.outcome.is_success()
            && let Some(hint) = self.hint(&told, &report.tail)
        {
            say_once(&mut report, &self.shell.masker.mask(&hint));
        }
        self.remember(told.session, has_work, next);
        report
    }

    fn files(&self) -> Files<'_> {
        let AgentConfig { own_files, .. } = &self.agents.config;
        Files { root: self.dir, skip: own_files, ignore: &self.preset.ignore_changes }
    }

    // ── the agent itself ──────────────────────────────────────────────────────────────────────────────────────

    fn agent(&self, memory: &Memory, files: &Files<'_>, before: &Look) -> Result<Told, String> {
        let said = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
        let prepared = self.agents.prepared(self.shell, self.name, self.preset);
        let (_scratch, place) =
            self.agents.place().map_err(said("no private directory for temporary files could be made"))?;
        let own_id = context::uuid();
        let session = match &memory.session {
            Some(id) if self.preset.can_resume() => Session::Resume(id),
            _ if self.preset.can_name_session() => Session::New(&own_id),
            _ => Session::None,
        };
        let is_resumed = matches!(session, Session::Resume(_));
        let Attempt { ix, task, plan, .. } = *self.attempt;
        let number = self.attempt.number;
        let prompted = self.agents.config.prompts.prompt(&Asked { ix, task, number, plan });
        let prompt = prompt::text(&prompted, is_resumed);
        let prompt_file = place.path().join("prompt.md");
        let call = Call {
            model: self.model(&prompted),
            session,
            permission: self.agents.config.permission,
            prompt: &prompt,
            prompt_file: prompt_file.to_str(),
            ..Call::default()
        };
        let line = self.preset.command_line(&call);
        if !line.stdin {
            std::fs::write(&prompt_file, &prompt).map_err(said("the prompt could not be written"))?;
        }
        let program = prepared
            .programs
            .find(&line.program)
            .ok_or_else(|| format!("`{}`: command not found on PATH", line.program))?;
        let named = match session {
            Session::New(id) | Session::Resume(id) => Some(id.to_owned()),
            Session::None => None,
        };
        // What an attempt before it logged in the same session is none of this one's.
        let log = named.as_deref().and_then(|session| self.own_log(session)).map(|path| {
            let from = path.metadata().map_or(0, |metadata| metadata.len());
            (path, from)
        });
        let (input, source) = match self.preset.speaks_acp() {
            true => (Vec::new(), self.talk(memory, &prompted, &place)),
            false if line.stdin => (prompt.into_bytes(), Source::Events(Reader::new(self.preset.events))),
            false => (Vec::new(), Source::Events(Reader::new(self.preset.events))),
        };
        let (end, mut heard) = self
            .process((&prepared, &program, &line), (input, source), &place, (files, before))
            .map_err(|error| format!("`{}`: {error}", program.to_string_lossy()))?;
        let session = heard.account.session.clone().or(named);
        if let Some((path, from)) = log.filter(|_| end.cause != Cause::Itself) {
            heard.stderr.push_str(&trouble_in(&path, from));
        }
        let question = question_in(&place);
        Ok(Told { end, heard, session, prompt_tokens: prompted.tokens, question })
    }

    /// What the task's domain names, if that is for this agent; else what the run was given.
    fn model<'a>(&'a self, prompted: &'a Prompted) -> Option<&'a str> {
        let of_domain = prompted
            .model
            .as_ref()
            .filter(|(agent, _)| agent.as_ref().is_none_or(|agent| agent == self.name));
        of_domain.map(|(_, model)| model.as_str()).or(self.agents.config.model.as_deref())
    }

    /// Where it logs what it tells nobody, if it does.
    fn own_log(&self, session: &str) -> Option<PathBuf> {
        let is_id = session.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if self.preset.log.is_empty() || !is_id {
            return None;
        }
        Some(self.home()?.join(self.preset.log.replace("{session}", session)))
    }

    fn home(&self) -> Option<&Path> {
        let (_, home) = self.agents.config.vars.iter().find(|(name, _)| name == "HOME")?;
        Some(Path::new(home))
    }

    /// What is wanted of an agent that is spoken with.
    fn talk(&self, memory: &Memory, prompted: &Prompted, place: &Place) -> Source {
        let AgentConfig { wall, .. } = &self.agents.config;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        // Agents name files as they find them, through links or not.
        let real = self.dir.canonicalize().ok();
        let roots = [Some(self.dir), real.as_deref(), Some(place.path())];
        let wanted = Wanted {
            dir: text(self.dir),
            roots: roots.into_iter().flatten().map(text).collect(),
            session: memory.session.clone(),
            prompt: prompt::text(prompted, false),
            prompt_resumed: prompt::text(prompted, true),
            mode: self.preset.acp.as_ref().map(|acp| acp.mode.clone()).unwrap_or_default(),
            model: self.model(prompted).map(str::to_owned).filter(|_| self.preset.flags.model.is_empty()),
        };
        // The watchdog is there before.
        let turn = wall.unwrap_or(WALL) + CANCEL;
        Source::Talk(Box::new(Talk::new(
            wanted,
            Patience { call: self.preset.patience(), turn, cancel: CANCEL },
        )))
    }

    fn process(
        &self,
        (prepared, program, line): (&Prepared, &Arc<CStr>, &CommandLine),
        (input, source): (Vec<u8>, Source),
        place: &Place,
        (files, before): (&Files<'_>, &Look),
    ) -> io::Result<(End, Heard)> {
        let armed = self.stop.arm()?;
        let mut own = Strings::new();
        self.shell.write_own(self.attempt, &mut own);
        let token = own.first()[TOKEN_IS.len()..].to_vec();
        let environment = self.environment(prepared, line, &own, place);
        let mut arguments = Strings::new();
        arguments.push(&[line.program.as_bytes()]);
        line.args.iter().for_each(|arg| arguments.push(&[arg.as_bytes()]));
        let dir = path_string(self.dir)?;
        let sandbox = self.sandbox(place)?;
        let setting = Setting {
            launcher: &self.shell.launcher,
            sandbox: sandbox.as_ref(),
            trees: &self.shell.trees,
            stop: self.stop,
            armed: &armed,
            environment: [&environment, &Strings::new()],
            dir: Some(&dir),
            token: &token,
            grace: self.shell.grace,
        };
        let called = Called {
            program,
            arguments: &arguments,
            prompt: input,
            soft_stop: match self.preset.soft_stop {
                SoftStop::Interrupt => Some(sys::SIGINT),
                SoftStop::Terminate => Some(sys::SIGTERM),
                SoftStop::None => None,
            },
        };
        let AgentConfig { stall, wall, .. } = self.agents.config;
        let stall = stall.or(self.preset.stall).unwrap_or(STALL);
        let mut watchdog = Watchdog::new(Limits { stall, wall }, Some(before.print()));
        let mut ear = Ear::new(self.shell, self.attempt, self.observer, source, (files, before));
        let end = process::run(called, &setting, &mut watchdog, &mut ear)?;
        let is_clean = matches!((end.cause, end.ended.how), (Cause::Itself, How::Exit(0)));
        Ok((end, ear.finish(is_clean)))
    }

    /// For this process alone: it ends with it.
    fn sandbox(&self, place: &Place) -> io::Result<Option<Sandbox>> {
        let Some(all) = &self.shell.sandbox else { return Ok(None) };
        self.is_sandboxed(all).then(|| all.make(&self.workspace(all), place)).transpose()
    }

    fn is_sandboxed(&self, all: &Sandboxes) -> bool {
        // One that its own sandbox keeps in its tree needs no other, and has none that works in another.
        let is_kept = self.preset.has_own_sandbox(self.agents.config.permission);
        all.is_for_all() || (self.attempt.workspace.is_some() && !is_kept)
    }

    /// Of what it was refused, where that may be the sandbox's doing.
    fn hint(&self, told: &Told, tail: &str) -> Option<String> {
        let all = self.shell.sandbox.as_ref().filter(|all| self.is_sandboxed(all))?;
        let Heard { account, stderr, refused, .. } = &told.heard;
        let errors = account.open_errors().iter().map(|error| error.message.as_str());
        let said = [refused.as_str(), stderr.as_str(), account.final_text.as_str(), tail];
        said.into_iter().chain(errors).find_map(|text| all.hint(text))
    }

    /// Where it may change files, if it is sandboxed.
    fn workspace(&self, all: &Sandboxes) -> Workspace {
        let writable = match self.attempt.workspace {
            Some(workspace) => workspace.writable.clone(),
            None => vec![self.shell.project.clone()],
        };
        let writable = writable.into_iter().chain(all.of_agent(self.name).iter().cloned()).collect();
        Workspace { dir: self.dir.to_owned(), writable, holds_work: false }
    }

    fn environment(&self, prepared: &Prepared, line: &CommandLine, own: &Strings, place: &Place) -> Strings {
        let mut extra = line.env.clone();
        extra.extend(
            place.path().join(BLOCKED_FILE).to_str().map(|file| (BLOCKED.to_owned(), file.to_owned())),
        );
        let is_private = self.preset.private_tmpdir || self.shell.sandbox.is_some();
        if is_private && let Some(dir) = place.path().to_str() {
            extra.extend(super::sandbox::TEMPORARY_NAMES.map(|name| (name.to_owned(), dir.to_owned())));
        }
        // What the user set is the user's word.
        extra.retain(|(name, _)| !is_listed(name, &self.agents.config.env_pass));
        let project = self.attempt.workspace.map(|workspace| workspace.dir.as_path());
        prepared.environment.with(own, &extra, Some(self.dir), project)
    }

    // ── what came of it ───────────────────────────────────────────────────────────────────────────────────────

    fn zone(&self) -> Option<&str> {
        self.preset.env.iter().rev().find(|(name, _)| *name == "TZ").map(|(_, zone)| zone.as_str())
    }

    /// Without the name of its working tree: who is told of it works in another, and may write there by that name.
    fn as_in_any_tree(&self, text: &str) -> String {
        match self.attempt.workspace {
            Some(workspace) => text.replace(&format!("{}/", workspace.dir.display()), ""),
            None => text.to_owned(),
        }
    }

    fn report(&self, told: &Told, outcome: AttemptOutcome) -> AttemptReport {
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

    fn start_failed(&self, outcome: &AttemptOutcome) -> AttemptReport {
        let account = crate::agent::Account::default();
        let ended =
            Ended { preset: self.preset, outcome, account: &account, stderr: "", work: Work::Unknown };
        let mut report = AttemptReport { outcome: outcome.clone(), ..AttemptReport::default() };
        if let Ending::Failed(failure) = judge(&ended) {
            apply(&mut report, &failure.classified);
        }
        report
    }

    fn judge(&self, told: &Told, outcome: &AttemptOutcome, has_work: bool) -> Ending {
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
    fn conclude(&self, told: &Told, ending: Ending, seen: &Seen, report: &mut AttemptReport) -> Option<Next> {
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

    fn remember(&self, session: Option<String>, has_work: bool, next: Option<Next>) {
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

fn outcome(told: &Told) -> AttemptOutcome {
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

/// What an agent logged of trouble from there on, but that it was called off: that came of its end. All else in it may be
/// what its model or a file says.
fn trouble_in(log: &Path, from: u64) -> String {
    let Ok(read) = fs::read_no_link(log, OWN_LOG) else { return String::new() };
    let new = read.bytes.get(from as usize..).unwrap_or_default();
    let text = String::from_utf8_lossy(new);
    let is_trouble =
        |line: &&str| (line.contains("[WARN]") || line.contains("[ERROR]")) && !line.contains("aborted");
    let lines: Vec<&str> = text.lines().filter(is_trouble).collect();
    let last = &lines[lines.len().saturating_sub(OWN_LINES)..];
    last.iter().map(|line| format!("\n{line}")).collect()
}

/// What an agent wrote into the file for questions. Whatever else lies there is none.
fn question_in(place: &Place) -> Option<Question> {
    let read = fs::read_no_link(&place.path().join(BLOCKED_FILE), MAX_FILE).ok()?;
    in_file(&String::from_utf8_lossy(&read.bytes))
}

/// Its checks, run in a sandbox too, may have said so already.
fn say_once(report: &mut AttemptReport, hint: &str) {
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
