//! Hooks of Spec Kit's extensions around a run: which have to be run, who can do that, and what becomes of the run if one
//! fails. They are commands of an agent, so the run's agent carries them out; without one nothing begins.

use super::args::Run;
use super::error::{Error, Kind};
use super::staff::Staff;
use super::stage;
use super::target::Target;
use crate::config::{Config, Environment};
use crate::documents;
use crate::driver::hooks::{Command, Hooking, HooksEnded, Watching, carry_out};
use crate::event::{Event, EventKind, agents};
use crate::exec::{AgentConfig, Guardian, ShellConfig};
use crate::hooks::{Hook, Moment};
use crate::plan::Plan;
use crate::text::safe;
use crate::ui::theme::Screen;
use std::io;

/// Those that have to be run around this run.
pub(super) struct Hooks {
    commands: Vec<Command>,
    agent: String,
    config: AgentConfig,
}

/// What the project's extensions want, as it could be read; what cannot be read of it is said.
pub(super) fn read(target: &Target, err: &Screen) -> Vec<Hook> {
    let Some(source) = documents::extensions(&target.project) else { return Vec::new() };
    crate::hooks::parse(&source).unwrap_or_else(|found| {
        stage::print_findings(err, &source, &[found]);
        Vec::new()
    })
}

/// Variables of this process, for conditions.
pub(super) fn environment() -> impl Fn(&str) -> Option<String> {
    let env = Environment::of_process();
    move |name| env.get(name).map(|value| value.to_string_lossy().into_owned())
}

/// Those that have to be run and are not only offered, with what their files say.
pub(super) fn mandatory(hooks: Vec<Hook>, target: &Target) -> Vec<Command> {
    let env = environment();
    let must = hooks.into_iter().filter(|hook| !hook.optional && hook.condition.holds(&env));
    must.map(|hook| {
        let text = documents::command(&target.project, &hook.extension, &hook.command);
        Command { hook, text }
    })
    .collect()
}

/// For consent: where each stands, and what would be done.
pub(super) fn to_agree_to(commands: &[Command]) -> Vec<(String, Vec<String>)> {
    let unit = |command: &Command| {
        let hook = &command.hook;
        let moment = if hook.moment == Moment::Before { "before_implement" } else { "after_implement" };
        let mut text =
            vec![format!("an agent carries out /{} of {} ({moment})", hook.command, hook.extension)];
        if !hook.description.is_empty() {
            text.push(hook.description.clone());
        }
        if let Some((path, says)) = &command.text {
            text.push(format!("which says in {path}:"));
            text.extend(says.split('\n').map(|line| format!("  {line}")));
        }
        ("hook".to_owned(), text)
    };
    commands.iter().map(unit).collect()
}

/// Before anything is run: what has to be carried out, and that somebody can. Offered ones are told of.
pub(super) fn settle(
    (target, run): (&Target, &Run),
    (staff, config): (&Staff, &Config),
    plan: &Plan,
    screen: &Screen,
) -> Result<Option<Hooks>, Error> {
    let hooks = read(target, screen);
    if run.no_hooks || hooks.is_empty() {
        return Ok(None);
    }
    let env = environment();
    for hook in hooks.iter().filter(|hook| hook.optional && hook.condition.holds(&env)) {
        stage::note(config, &offered(hook));
    }
    let commands = mandatory(hooks, target);
    let Some(first) = commands.first() else { return Ok(None) };
    let Some(agent) = staff.for_hooks(plan) else {
        let what = format!("{} has to be run, and there is no agent to carry it out", named(&first.hook));
        return Err(Error::message(Kind::Preflight, what)
            .hint("name one with `--agent`")
            .hint("or run it yourself, and leave it out here with `--no-hooks`"));
    };
    staff.can_be_called(&agent, &target.project)?;
    let own_files = vec![target.name.clone().into()];
    Ok(Some(Hooks { commands, agent, config: staff.config(config, own_files) }))
}

fn named(hook: &Hook) -> String {
    let moment = if hook.moment == Moment::Before { "before" } else { "after" };
    format!("the hook `/{}` of {} {moment} the run", safe(&hook.command), safe(&hook.extension))
}

fn offered(hook: &Hook) -> String {
    let about = if hook.prompt.is_empty() { &hook.description } else { &hook.prompt };
    let about = if about.is_empty() { String::new() } else { format!(" ({})", safe(about)) };
    format!("{} is optional and left to you{about}", named(hook))
}

impl Hooks {
    pub(super) fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// Those of `moment` that `earlier` does not tell to be done.
    pub(super) fn due(&self, moment: Moment, earlier: &[Event]) -> Vec<Command> {
        let is_done = |hook: &Hook| {
            earlier.iter().any(|event| match &event.kind {
                EventKind::HookFinished { command, extension, before, failed: None, .. } => {
                    *before == (moment == Moment::Before)
                        && (command, extension) == (&hook.command, &hook.extension)
                }
                _ => false,
            })
        };
        let of_moment = self.commands.iter().filter(|command| command.hook.moment == moment);
        of_moment.filter(|command| !is_done(&command.hook)).cloned().collect()
    }

    /// Carries out what is due; `record` is given each when it has ended, before the next one begins.
    pub(super) fn run(
        &self,
        due: &[Command],
        (shell, guardian): (ShellConfig, &Guardian),
        config: &Config,
        record: &mut dyn FnMut(&EventKind) -> Result<(), Error>,
    ) -> Result<HooksEnded, Error> {
        let by = Hooking { agent: self.agent.clone(), config: self.config.clone(), shell };
        let mut told = Told { agent: &self.agent, config, record, failed: None };
        let ended = carry_out(due, by, guardian, &mut told);
        match told.failed {
            Some(failed) => Err(failed),
            None => ended.map_err(|error| Error::new(Kind::Io, error)),
        }
    }
}

struct Told<'a> {
    agent: &'a str,
    config: &'a Config,
    record: &'a mut dyn FnMut(&EventKind) -> Result<(), Error>,
    /// What ended them.
    failed: Option<Error>,
}

impl Watching for Told<'_> {
    fn begins(&mut self, hook: &Hook) {
        stage::note(self.config, &format!("{}: {}", named(hook), safe(self.agent)));
    }

    fn ended(&mut self, event: &EventKind) -> io::Result<()> {
        (self.record)(event).map_err(|error| {
            self.failed = Some(error);
            io::Error::other("it cannot be recorded")
        })
    }
}

/// What failed, in words.
pub(super) fn failure(ended: &HooksEnded) -> Option<String> {
    match ended.last.as_ref()? {
        EventKind::HookFinished { command, extension, before, agent, failed: Some(why), .. } => {
            Some(safe(&agents::hook(command, extension, *before, agent, Some(why))))
        }
        _ => None,
    }
}
