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
mod verdict;
mod watchdog;

use super::command::Programs;
use super::environment::{Environment, is_listed};
use super::life::Setting;
use super::sandbox::{Sandbox, Sandboxes};
use super::scratch::{Place, Scratch};
use super::shell::{ShellExecutor, path_string};
use super::stop::StopHandle;
use super::tree::TOKEN_IS;
use super::{Attempt, OutputObserver, Workspace};
use crate::agent::acp::{Patience, Wanted};
use crate::agent::judge::{MAX_FILE, Question, in_file};
use crate::agent::{Call, CommandLine, Permission, Preset, Presets, Reader, Session, SoftStop};
use crate::event::{AttemptOutcome, AttemptReport, Event, FailureClass};
use crate::fs;
use crate::policy::OnQuestion;
use crate::schedule::Link;
use crate::sys::{self, How, Strings};
use crate::task::TaskId;
use files::{Files, Look};
use listen::{Ear, Heard};
use memory::{Memories, Memory};
use process::{Called, Cause, End};
pub use prompt::{Asked, PlainPrompts, Prompted, Prompts};
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use talk::{Source, Talk};
use verdict::{outcome, say_once};
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
