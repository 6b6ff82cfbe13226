//! `specter plan --prompt T012`: exactly what an agent would be told first, and what that is made of. Also what prompts of
//! a run are built from: documents, templates, domains.

use super::args::{Global, Implement};
use super::error::{Error, Kind};
use super::exit::Exit;
use super::hints;
use super::out::Pieces;
use super::plan::Planned;
use super::stage::{self, Stream};
use super::target::Target;
use crate::config::Config;
use crate::documents;
use crate::domains::Rules;
use crate::driver::{Briefing, Left};
use crate::plan::Plan;
use crate::prompt::template::Findings;
use crate::prompt::{self, Context, Handoffs, Settings, Templates};
use crate::task::TaskIx;
use crate::text::{Untrusted, nearest, safe};
use crate::ui;

/// What prompts of a run are built from. Templates with errors are found here, before anything is started.
pub(super) fn context(global: &Global, config: &Config, target: &Target) -> Result<Context, Error> {
    let (templates, findings) = templates(config, target);
    let screen = stage::screen(global, config, Stream::Err);
    for finding in &findings {
        stage::print_findings(&screen, &finding.source, &finding.found);
    }
    if findings.iter().flat_map(|finding| &finding.found).any(crate::diagnostic::Diagnostic::is_error) {
        return Err(Error::message(Kind::Config, "a template of prompts cannot be used; nothing was done")
            .hint("mend it, or remove it to use the usual one"));
    }
    let documents = documents::collect(&target.project, &target.file);
    let settings =
        Settings { task_file: target.name.clone(), max_tokens: config.prompt_tokens, tdd: config.tdd() };
    Ok(Context::new(documents.read, templates, &settings, documents.left_out))
}

/// The project's templates, with what is wrong with them.
pub(super) fn templates(config: &Config, target: &Target) -> (Templates, Vec<Findings>) {
    let (own, unreadable) = documents::templates(&target.project, &config.prompts_dir);
    let (templates, mut findings) = Templates::with(&own);
    findings.extend(unreadable.iter().map(|left| prompt::template::unreadable(&left.what, &left.why)));
    (templates, findings)
}

pub(super) fn print(global: &Global, given: &Implement, id: &str) -> Result<Exit, Error> {
    let mut planned = Planned::new(global, given)?;
    let screen = stage::screen(global, &planned.config, Stream::Err);
    let Some(plan) = planned.plan.take() else {
        stage::print_findings(&screen, &planned.file.source, &planned.findings);
        return Ok(stage::exit_for(&planned.findings));
    };
    let task = named(&plan, id)?;
    let context = context(global, &planned.config, &planned.target)?;
    let left = Left { handoffs: handoffs(&planned)?, ..Left::default() };
    let rules = Rules::new(&planned.config.domains);
    let briefing = Briefing { context, rules, hints: hints::of(&planned.config)? };
    let (built, assignment) = briefing.prompt(&planned.target.project, &plan, task, 1, &left);
    if !screen.quiet {
        if plan.task(task).has_run_block() {
            stage::note(
                &planned.config,
                &format!("{} has a `run` block: it is run without an agent", safe(id)),
            );
        }
        let limit = planned.config.prompt_tokens;
        stage::write_err(&ui::prompt::prompt(&screen, id, &built, limit, &assignment));
    }
    put(&built.text)?;
    Ok(Exit::Done)
}

/// Byte for byte, except on a terminal: there it must not steer anything.
fn put(text: &str) -> Result<(), Error> {
    let mut out = Pieces::new();
    if out.is_terminal() {
        let lines: String = text.lines().map(|line| format!("{}\n", Untrusted(line))).collect();
        out.put(lines.as_bytes());
    } else {
        out.put(text.as_bytes());
    }
    out.end()
}

fn named(plan: &Plan, id: &str) -> Result<TaskIx, Error> {
    let Some(task) = plan.find(id) else {
        let near = nearest(id, plan.tasks.iter().map(|task| task.id.as_str()));
        return Err(Error::usage(format!("there is no task `{}`", safe(id)))
            .maybe_hint(near.map(|near| format!("did you mean `{}`?", safe(near)))));
    };
    if plan.task(task).is_group {
        return Err(Error::usage(format!("`{}` is a group: agents do the tasks in it", safe(id)))
            .hint("name one of those"));
    }
    Ok(task)
}

/// What the last run's tasks left.
fn handoffs(planned: &Planned) -> Result<Handoffs, Error> {
    let Some(store) = &planned.store else { return Ok(Handoffs::default()) };
    let Some(run) = store.latest(Some(&planned.target.name))? else { return Ok(Handoffs::default()) };
    Ok(Handoffs::from_events(&store.load(&run)?.events))
}
