//! `agents`: which coding agents are installed, which version, how each would be called. Asks them nothing but their version.

use super::args::{Agents, Format, Global};
use super::error::{Error, Kind};
use super::exit::Exit;
use super::out;
use super::programs::find_program;
use super::stage::{self, Stream};
use super::target::{self, Target};
use crate::agent::preset::is_fetcher;
use crate::agent::{Call, Preset, Presets, PromptBy, Session};
use crate::config::Loaded;
use crate::exec;
use crate::fs::shown;
use crate::projection::agents::{AgentJson, AgentsJson};
use crate::text::{nearest, safe};
use crate::ui;
use std::path::Path;
use std::time::Duration;

/// A program that needs longer to tell its version has other troubles: on a busy machine some took 5 s.
const PROBE: Duration = Duration::from_secs(15);

pub(super) fn agents(global: &Global, given: &Agents) -> Result<Exit, Error> {
    let target = Target::bare(&target::here()?);
    let loaded = stage::configuration(global, &target, &[])?;
    let presets = &loaded.config.agents;
    let names = names(presets, given)?;
    let project = &target.project;
    // Each may take its time to start: all at once.
    let told = std::thread::scope(|scope| {
        let looked: Vec<_> =
            names.iter().map(|name| scope.spawn(|| look(presets, name, &loaded, project))).collect();
        looked.into_iter().filter_map(|looked| looked.join().ok().flatten()).collect::<Vec<_>>()
    });
    let is_here =
        |name: &&str| presets.get(name).is_some_and(|preset| find(&preset.command, project).is_some());
    let auto = presets.in_order().into_iter().find(is_here).map(str::to_owned);
    let told = AgentsJson::new(loaded.config.agent.clone(), auto, told);
    if given.format == Format::Json {
        out::json(&told)?;
    } else {
        out::text(&ui::agents::agents(&stage::screen(global, &loaded.config, Stream::Out), &told))?;
    }
    Ok(Exit::Done)
}

/// Those that were asked for, or all, in the order of `auto`.
fn names<'a>(presets: &'a Presets, given: &'a Agents) -> Result<Vec<&'a str>, Error> {
    if let Some(unknown) = given.names.iter().find(|name| presets.get(name).is_none()) {
        let error = Error::message(Kind::Usage, format!("no agent `{}` is known", safe(unknown)));
        return Err(match nearest(unknown, presets.names()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint("`specter agents` lists all of them"),
        });
    }
    if !given.names.is_empty() {
        return Ok(given.names.iter().map(String::as_str).collect());
    }
    let mut names = presets.in_order();
    let rest: Vec<&str> = presets.names().filter(|name| !names.contains(name)).collect();
    names.extend(rest);
    Ok(names)
}

fn look(presets: &Presets, name: &str, loaded: &Loaded, project: &Path) -> Option<AgentJson> {
    let preset = presets.get(name)?;
    let path = find(&preset.command, project);
    // One that is called so has no other way.
    let acp = preset.acp.as_ref().filter(|_| !preset.speaks_acp());
    let (version, problem) = match (presets.problem(name), &path) {
        (Some(problem), _) => (None, Some(problem.to_owned())),
        (None, None) => (None, None),
        // Looking is not running: what a repository names as a program is not even asked for its version.
        (None, Some(_)) if is_of_project(loaded, name) => (
            None,
            Some("not asked for its version: the project's configuration says how it is called".to_owned()),
        ),
        (None, Some(_)) if preset.version.is_empty() => (None, None),
        (None, Some(path)) => match exec::first_line(path, &preset.version, PROBE) {
            Ok(version) => (Some(version), None),
            Err(problem) => (None, Some(problem)),
        },
    };
    Some(AgentJson {
        name: name.to_owned(),
        title: preset.title.clone(),
        provider: preset.provider.clone(),
        path: path.map(|path| shown(&path)),
        version,
        problem,
        protocol: if preset.speaks_acp() { "acp" } else { "events" }.to_owned(),
        call: call(preset, Session::None),
        resume: if preset.can_resume() { call(preset, Session::Resume("SESSION")) } else { String::new() },
        acp: acp.map(|acp| typed(&acp.command, &acp.args)).unwrap_or_default(),
        // Who fetches it is no sign that it is there.
        acp_path: acp
            .filter(|acp| !is_fetcher(&acp.command))
            .and_then(|acp| find(&acp.command, project))
            .map(|path| shown(&path)),
        fetched_by: is_fetcher(&preset.command).then(|| preset.command.clone()),
        install: preset.install.clone(),
        login: preset.login.clone(),
    })
}

fn find(command: &str, project: &Path) -> Option<std::path::PathBuf> {
    if command.is_empty() { None } else { find_program(command, project) }
}

/// A repository says how it is called.
pub(super) fn is_of_project(loaded: &Loaded, name: &str) -> bool {
    loaded.config.agents.said_by(name).any(|name| {
        let table = format!("agents.{name}.");
        loaded.executes.iter().any(|(key, _)| key.starts_with(&table))
    })
}

fn call(preset: &Preset, session: Session<'_>) -> String {
    if !preset.is_callable() {
        return String::new();
    }
    let line = preset.command_line(&Call {
        session,
        prompt: "PROMPT",
        prompt_file: Some("PROMPT.md"),
        ..Call::default()
    });
    let typed = typed(&line.program, &line.args);
    if preset.prompt == PromptBy::Stdin && !preset.speaks_acp() {
        format!("{typed} < PROMPT.md")
    } else {
        typed
    }
}

/// As it would be typed in a shell.
fn typed(program: &str, args: &[String]) -> String {
    let words = std::iter::once(program).chain(args.iter().map(String::as_str));
    // Only a NUL cannot be quoted, and no program takes one either.
    shlex::try_join(words.clone()).unwrap_or_else(|_| words.collect::<Vec<_>>().join(" "))
}
