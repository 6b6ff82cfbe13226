//! `--commit` and `--tag`: whether what was asked for can be done, before anything is run; and what a run that died
//! left uncommitted.

use super::error::{Error, Kind};
use super::{stage, workspace};
use crate::config::{Commit, Config, Isolation};
use crate::driver::commits::{self, Commits, Each, Told};
use crate::event::Event;
use crate::git::{self, Attempt, Finding, Git};
use crate::history::History;
use crate::journal::RunId;
use crate::task::{Document, State, Task, TaskId};
use crate::text::safe;
use std::path::Path;

/// What the settings mean for a run.
pub(super) fn wanted(config: &Config, run: &RunId) -> Option<Commits> {
    let each = match config.commit {
        Commit::Off => return None,
        Commit::Task => Each::Task,
        Commit::Phase => Each::Phase,
    };
    let tag = Some(config.tag.clone()).filter(|tag| !tag.is_empty());
    Some(Commits { run: run.to_string(), each, tag })
}

/// Whether the settings go together.
pub(super) fn check_words(config: &Config) -> Result<(), Error> {
    let wrong = |what: String, help: &str| Err(Error::message(Kind::Preflight, what).hint(help));
    let placeholder = match config.commit {
        Commit::Off if config.tag.is_empty() => return Ok(()),
        Commit::Off => {
            return wrong(
                "`tag` is set and nothing is committed".to_owned(),
                "say when to commit: `--commit=task` or `--commit=phase`",
            );
        }
        _ if config.isolation != Isolation::Worktree => {
            return wrong(
                "tasks that work in the project cannot be committed: what they changed is not told from what you did"
                    .to_owned(),
                "give each attempt a working tree of its own: `--isolation=worktree`",
            );
        }
        Commit::Task => "{task}",
        Commit::Phase => "{phase}",
    };
    let tag = &config.tag;
    if tag.is_empty() {
        return Ok(());
    }
    if !tag.contains(placeholder) {
        let what = format!("every commit would get the same tag, `{}`", safe(tag));
        return wrong(what, &format!("put `{placeholder}` into it, such as `done/{placeholder}`"));
    }
    if !git::is_tag_name(&commits::tag(tag, "T001", "Phase-1", "run")) {
        let what = format!("git takes no tag like `{}`", safe(tag));
        return wrong(what, &format!("such as `done/{placeholder}`; `{{run}}` is there too"));
    }
    Ok(())
}

/// What forbids commits in this repository.
pub(super) fn stops(config: &Config, project: &Path, findings: &[Finding]) -> Result<Vec<Finding>, Error> {
    if config.commit == Commit::Off {
        return Ok(Vec::new());
    }
    let tags = !config.tag.is_empty();
    git::stops_commits(project, findings, tags).map_err(|error| workspace::failed(&error))
}

/// Commits what a run that died had integrated. What cannot be committed is said and no error.
pub(super) fn left(
    config: &Config,
    git: &mut Git,
    run: &RunId,
    events: &[Event],
    document: Option<&Document>,
) -> Result<Told, Error> {
    let Some(commits) = wanted(config, run).filter(|_| config.isolation == Isolation::Worktree) else {
        return Ok(Told::default());
    };
    let tasks = document.map(|document| document.tasks.as_slice()).unwrap_or_default();
    let told = commits::commit_left(git, &commits, tasks, |last| {
        ended_phase(document?, &History::from_events(events), last)
    });
    let told = told.map_err(|error| workspace::failed(&error))?;
    for text in told.warnings.iter().chain(&told.put_off) {
        stage::note(config, &format!("warning: {text}"));
    }
    Ok(told)
}

/// The title of the phase that this attempt's task is in, if nothing in it is left to do.
fn ended_phase(document: &Document, history: &History, last: &Attempt) -> Option<String> {
    let id = TaskId::new(&last.task);
    let phase = document.tasks.iter().find(|task| task.id == id)?.phase;
    let is_left =
        |task: &Task| task.phase == phase && task.state == State::Open && !history.task(&task.id).is_done();
    if document.tasks.iter().any(is_left) {
        return None;
    }
    let title =
        phase.and_then(|phase| document.phases.get(phase.0 as usize)).map(|phase| phase.title.clone());
    Some(title.unwrap_or_else(|| "the tasks".to_owned()))
}
