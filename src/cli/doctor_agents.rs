//! `doctor --agents`: whether the installed agents answer. Each is called as a run would call it, with a question of one
//! line, in an empty directory of its own; that it changed no file is what was asked of it.

use super::agents::is_of_project;
use super::error::Error;
use super::programs::find_program;
use crate::agent::{Permission, Preset, Presets};
use crate::clock::Clock;
use crate::config::proofs::{Identity, Proof, Proofs};
use crate::config::{Environment, Loaded};
use crate::event::{AttemptReport, FailureClass, agents};
use crate::exec::{
    self, AgentConfig, AgentExecutor, Attempt, Executor, NoObserver, PlainPrompts, ShellConfig,
    ShellExecutor, StopHandle,
};
use crate::fs;
use crate::parse;
use crate::policy::OnQuestion;
use crate::projection::kept::Level;
use crate::source::SourceText;
use crate::task::TaskIx;
use crate::text::safe;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Who does not answer such a question in this time answers no other.
const WALL: Duration = Duration::from_mins(2);
const STALL: Duration = Duration::from_mins(1);
/// A program's own version takes a few seconds at the most.
const PROBE: Duration = Duration::from_secs(15);
const QUESTION: &str = "- [ ] T001 Answer with the one word `ready` and nothing else; change no file\n";

/// What one agent did.
pub(super) struct Answer {
    pub(super) what: String,
    pub(super) level: Level,
    pub(super) text: String,
    pub(super) help: Vec<String>,
}

/// Calls every agent that is installed, one after the other. What a repository names as a program is not called.
pub(super) fn ask(loaded: &Loaded, project: &Path) -> Result<Vec<Answer>, Error> {
    let presets = &loaded.config.agents;
    let mut answers = Vec::new();
    for (name, preset) in presets.iter() {
        let is_foreign = is_of_project(loaded, name);
        if preset.is_callable() && !is_foreign && find_program(&preset.command, project).is_some() {
            answers.push(answer(loaded, presets, name, project)?);
        }
    }
    Ok(answers)
}

fn answer(loaded: &Loaded, presets: &Presets, name: &str, project: &Path) -> Result<Answer, Error> {
    let place = Place::new()?;
    let config = &loaded.config;
    let shell =
        ShellConfig::new(place.0.clone(), format!("doctor-{}", std::process::id()), place.0.join(".specter"));
    let fetching = presets.get(name).map(Preset::fetching).unwrap_or_default();
    let agents = AgentConfig {
        presets: presets.clone(),
        model: Some(config.model.clone()).filter(|model| !model.is_empty()),
        permission: Permission::Unattended,
        vars: std::env::vars_os().collect(),
        env_pass: config.env_pass.clone(),
        stall: Some(STALL + fetching),
        wall: Some(WALL + fetching),
        own_files: Vec::new(),
        on_question: OnQuestion::Default,
        chain: Vec::new(),
        prompts: Arc::new(PlainPrompts),
    };
    let shell = ShellExecutor::new(ShellConfig {
        secrets: agents.secrets(),
        grace: Duration::from_secs(2),
        ..shell
    })?;
    let executor = Executor::Agents(shell, AgentExecutor::new(agents, &[]));
    let (mut document, _) = parse::parse(&SourceText::new("doctor", QUESTION));
    let Some(task) = document.tasks.first_mut() else {
        return Ok(told(presets, name, &AttemptReport::default()));
    };
    task.more.agent = Some(name.into());
    let attempt = Attempt::new(TaskIx(0), task, 1, true);
    let report = executor.run(&attempt, &StopHandle::new(), &NoObserver);
    executor.clear_orphans();
    let mut answer = told(presets, name, &report);
    if let Err(error) = record(presets, name, project, answer.level == Level::Ok) {
        answer.help.push(format!("that could not be recorded: {error}"));
    }
    Ok(answer)
}

/// Who answered may take over from others (`--on-limit failover`); who did not may no more.
fn record(presets: &Presets, name: &str, project: &Path, has_answered: bool) -> Result<(), fs::Error> {
    let Some(proofs) = Proofs::of_user(Environment::of_process()) else { return Ok(()) };
    let program =
        presets.get(name).and_then(|preset| Some((preset, find_program(&preset.command, project)?)));
    let proof = program.filter(|_| has_answered).and_then(|(preset, program)| {
        let identity = Identity::of(preset, &program)?;
        let version = if preset.version.is_empty() {
            String::new()
        } else {
            exec::first_line(&program, &preset.version, PROBE).unwrap_or_default()
        };
        Some(Proof { identity, version, at: Clock::start().wall_ms() })
    });
    proofs.set(name, proof)
}

fn told(presets: &Presets, name: &str, report: &AttemptReport) -> Answer {
    let what = format!("agent {name}");
    let has_answered = report.outcome.is_success() || report.class == Some(FailureClass::NoChange);
    if has_answered {
        let spent = report.agent.as_ref().and_then(|agent| agent.spent.as_ref()).map(agents::spent);
        let spent = spent.map(|spent| format!(", {spent}")).unwrap_or_default();
        let text = format!("answers, after {:.1} s{spent}", report.duration.as_secs_f64());
        return Answer { what, level: Level::Ok, text, help: Vec::new() };
    }
    let why = report.rule.as_deref().unwrap_or("nobody knows why");
    let login = presets.get(name).map(|preset| preset.login.clone()).filter(|login| !login.is_empty());
    let help = login.filter(|_| report.class == Some(FailureClass::Permanent)).into_iter().collect();
    Answer { what, level: Level::Warn, text: format!("does not answer: {}", safe(why)), help }
}

/// A directory that goes when it is not needed any more.
struct Place(std::path::PathBuf);

impl Place {
    fn new() -> std::io::Result<Place> {
        let dir = std::env::temp_dir().join(format!(
            "specter-doctor-{}-{:016x}",
            std::process::id(),
            fastrand::u64(..)
        ));
        // An error where something of that name is there already.
        std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&dir)?;
        Ok(Place(dir.canonicalize()?))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _left = std::fs::remove_dir_all(&self.0);
    }
}
