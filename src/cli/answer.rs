//! `answer`: what agents ask, and what a person says to it. It is on record before this says so; who goes on with it is the
//! run at work, or the next one.

use super::args::{Answer, Global};
use super::error::{Error, Kind};
use super::exit::Exit;
use super::target::Target;
use super::{implement, out, stage};
use crate::clock::Clock;
use crate::event::{AnsweredBy, EventKind, TaskRef};
use crate::history::{Asked, History};
use crate::journal::{LockError, answers};
use crate::task::TaskId;
use crate::text::{nearest, safe};
use std::collections::BTreeMap;

/// Longer ones belong into a file that the answer names.
const MAX_BYTES: usize = 16 << 10;

pub(super) fn answer(global: &Global, given: &Answer) -> Result<Exit, Error> {
    let target = Target::find(given.target.as_deref(), global)?;
    let config = stage::configuration(global, &target, &[])?.config;
    let store = stage::find_store(global, &config, &target)?;
    let run = store.as_ref().map(|store| store.latest(Some(&target.name))).transpose()?.flatten();
    let (Some(store), Some(run)) = (store, run) else {
        return match &given.task {
            Some(_) => Err(Error::usage("nothing was run yet, so nothing is asked")),
            None => said("nothing is asked\n"),
        };
    };
    let mut loaded = store.load(&run)?;
    let history = History::from_events(&loaded.events);
    let Some(task) = &given.task else { return said(&list(history.questions())) };
    let Some((id, asked)) = history.questions().get_key_value(&TaskId::new(task)) else {
        return Err(asks_nothing(&target, &history, task));
    };
    let Some(text) = &given.answer else { return said(&one(id, asked)) };
    check(text)?;
    let clock = Clock::start();
    let id = id.clone();
    let attempt = asked.attempt;
    let before = asked.answer.as_ref().map(|_| "instead of the answer before; ").unwrap_or_default();
    match store.lock("specter answer", clock.wall_ms()) {
        Ok(lock) => {
            let task = TaskRef { ix: TaskRef::UNRESOLVED, id: id.clone() };
            let kind =
                EventKind::QuestionAnswered { task, attempt, answer: text.clone(), by: AnsweredBy::Person };
            implement::record(&store, &lock, &run, &mut loaded, vec![kind])?;
            said(&format!("{}: recorded, {before}`specter resume` goes on with it\n", safe(id.as_str())))
        }
        Err(LockError::Held { .. }) => {
            let left = answers::Answer { task: id.clone(), attempt, answer: text.clone() };
            answers::leave(&store.run_dir(&run), &left, clock.wall_ms())?;
            said(&format!("{}: recorded, {before}the run at work takes it up\n", safe(id.as_str())))
        }
        Err(error) => Err(Error::new(Kind::Io, error)),
    }
}

fn said(text: &str) -> Result<Exit, Error> {
    out::text(text)?;
    Ok(Exit::Done)
}

fn check(text: &str) -> Result<(), Error> {
    if text.trim().is_empty() {
        return Err(Error::usage("the answer is empty").hint("say what the agent is to do, in quotes"));
    }
    if text.len() > MAX_BYTES {
        return Err(Error::usage(format!("the answer is longer than {} kB", MAX_BYTES >> 10))
            .hint("write it into a file of the project, and name that file in the answer"));
    }
    Ok(())
}

fn asks_nothing(target: &Target, history: &History, typed: &str) -> Error {
    let questions = history.questions();
    let ids: Vec<String> = stage::read(target)
        .map(|file| file.document.tasks.iter().map(|task| task.id.to_string()).collect())
        .unwrap_or_default();
    let error = if ids.iter().any(|id| id == typed) {
        Error::usage(format!("{} asks nothing", safe(typed)))
    } else {
        let near = nearest(typed, ids.iter().map(String::as_str));
        Error::usage(format!("there is no task `{}`", safe(typed)))
            .maybe_hint(near.map(|near| format!("did you mean `{}`?", safe(near))))
    };
    match questions.keys().next() {
        Some(_) => {
            let asking: Vec<String> = questions.keys().map(|id| safe(id.as_str())).collect();
            error.hint(format!("waiting for an answer: {}", asking.join(", ")))
        }
        None => error.hint("no question is open"),
    }
}

fn list(questions: &BTreeMap<TaskId, Asked>) -> String {
    if questions.is_empty() {
        return "nothing is asked\n".to_owned();
    }
    questions.iter().map(|(id, asked)| one(id, asked)).collect::<Vec<_>>().join("\n")
}

fn one(id: &TaskId, asked: &Asked) -> String {
    let (id, question) = (safe(id.as_str()), &asked.question);
    let mut text = format!("{id} asks: {}\n", safe(&question.question));
    for option in &question.options {
        text.push_str(&format!("  - {}\n", safe(option)));
    }
    if let Some(default) = &question.default {
        text.push_str(&format!("  by itself it would take: {}\n", safe(default)));
    }
    match &asked.answer {
        Some(answer) => text.push_str(&format!("  answered: {}\n", safe(answer))),
        None => text.push_str(&format!("  answer with: specter answer {id} \"…\"\n")),
    }
    text
}
