//! `answer`: what agents ask, and what a person says to it. It is on record before this says so; who goes on with it is the
//! run at work, or the next one.

use super::args::{Answer, Format, Global};
use super::error::{Error, Kind};
use super::exit::Exit;
use super::target::Target;
use super::{hold, out, stage};
use crate::clock::Clock;
use crate::event::{AnsweredBy, EventKind, TaskRef};
use crate::history::{Asked, History};
use crate::journal::{LockError, answers};
use crate::task::TaskId;
use crate::text::{nearest, safe};
use serde::Serialize;
use std::collections::BTreeMap;

/// Longer ones belong into a file that the answer names.
const MAX_BYTES: usize = 16 << 10;

/// Set for whatever runs in an attempt.
const IN_ATTEMPT: &str = "SPECTER_TASK_ID";

/// A question, for programs.
#[derive(Serialize)]
struct Shown<'a> {
    task: &'a str,
    /// The attempt that asks.
    attempt: u32,
    question: &'a str,
    options: &'a [String],
    /// What the agent would take by itself.
    default: Option<&'a str>,
    /// The last one.
    answer: Option<&'a str>,
    /// Of an answer that was given now: `run` if a run at work takes it up, else `resume`.
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_up_by: Option<&'static str>,
}

pub(super) fn answer(global: &Global, given: &Answer) -> Result<Exit, Error> {
    let is_json = given.format == Format::Json;
    if given.answer.is_some() && std::env::var_os(IN_ATTEMPT).is_some() {
        return Err(Error::message(
            Kind::Untrusted,
            "a question is answered by a person, not from within a task",
        )
        .hint(format!("`{IN_ATTEMPT}` says that this runs in an attempt of specter")));
    }
    let target = Target::find(given.target.as_deref(), global)?;
    let config = stage::configuration(global, &target, &[])?.config;
    let store = stage::find_store(global, &config, &target)?;
    let run = store.as_ref().map(|store| store.latest(Some(&target.name))).transpose()?.flatten();
    let (Some(store), Some(run)) = (store, run) else {
        return match &given.task {
            Some(_) => Err(Error::usage("nothing was run yet, so nothing is asked")),
            None if is_json => shown(&[]),
            None => said("nothing is asked\n"),
        };
    };
    let mut loaded = store.load(&run)?;
    let history = History::from_events(&loaded.events);
    let Some(task) = &given.task else {
        let all: Vec<Shown<'_>> = history.questions().iter().map(of).collect();
        return if is_json { shown(&all) } else { said(&list(history.questions())) };
    };
    let Some((id, asked)) = history.questions().get_key_value(&TaskId::new(task)) else {
        return Err(asks_nothing(&target, &history, task));
    };
    let Some(text) = &given.answer else {
        return if is_json { shown(&[of((id, asked))]) } else { said(&one(id, asked)) };
    };
    check(text)?;
    let clock = Clock::start();
    let attempt = asked.attempt;
    let before = asked.answer.as_ref().map(|_| "instead of the answer before; ").unwrap_or_default();
    let taken_up_by = match store.lock("specter answer", clock.wall_ms()) {
        Ok(lock) => {
            let task = TaskRef { ix: TaskRef::UNRESOLVED, id: id.clone() };
            let kind =
                EventKind::QuestionAnswered { task, attempt, answer: text.clone(), by: AnsweredBy::Person };
            hold::record(&store, &lock, &run, &mut loaded, vec![kind])?;
            "resume"
        }
        Err(LockError::Held { .. }) => {
            let left = answers::Answer { task: id.clone(), attempt, answer: text.clone() };
            answers::leave(&store.run_dir(&run), &left, clock.wall_ms())?;
            "run"
        }
        Err(error) => return Err(Error::new(Kind::Io, error)),
    };
    if is_json {
        let given = Shown { answer: Some(text), taken_up_by: Some(taken_up_by), ..of((id, asked)) };
        return shown(&[given]);
    }
    let then =
        if taken_up_by == "run" { "the run at work takes it up" } else { "`specter resume` goes on with it" };
    said(&format!("{}: recorded, {before}{then}\n", safe(id.as_str())))
}

fn of<'a>((id, asked): (&'a TaskId, &'a Asked)) -> Shown<'a> {
    let question = &asked.question;
    Shown {
        task: id.as_str(),
        attempt: asked.attempt,
        question: &question.question,
        options: &question.options,
        default: question.default.as_deref(),
        answer: asked.answer.as_deref(),
        taken_up_by: None,
    }
}

fn shown(questions: &[Shown<'_>]) -> Result<Exit, Error> {
    out::json(&serde_json::json!({ "questions": questions }))?;
    Ok(Exit::Done)
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
