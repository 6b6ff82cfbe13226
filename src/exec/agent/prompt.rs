//! What an agent is asked to do. Who knows the plan, its documents and the attempts before says it ([`Prompts`]).

use crate::plan::Plan;
use crate::task::{BlockKind, Task, TaskIx};
use std::fmt::Debug;

/// What a prompt is about.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub ix: TaskIx,
    pub task: &'a Task,
    /// Of the attempt, from 1.
    pub number: u32,
    /// That `ix` is a position in.
    pub plan: Option<&'a Plan>,
}

/// What an agent is told first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompted {
    /// The same bytes for every task of a run: an agent that goes on in its session knows it.
    pub prefix: String,
    pub own: String,
    /// Of both.
    pub tokens: u64,
    /// What the task's domain is to be done with, and by which agent if it says so.
    pub model: Option<(Option<String>, String)>,
}

/// Who says what agents are told.
pub trait Prompts: Debug + Send + Sync {
    fn prompt(&self, asked: &Asked<'_>) -> Prompted;
}

/// The task in its own words and how it will be checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainPrompts;

const RULES: &str = "You work on one task, alone, in the current directory. Nobody is there to answer questions. Change \
files only below the current directory. Do not commit. Stop when it is done.\n";

impl Prompts for PlainPrompts {
    fn prompt(&self, asked: &Asked<'_>) -> Prompted {
        let task = asked.task;
        let mut own = format!("\n# Task {}\n\n{}\n", task.id, task.title.as_str());
        own.push_str(task.title.beside(task.body));
        for block in task.blocks_of(BlockKind::Verify) {
            own.push_str(&format!(
                "\nIt is done when this succeeds:\n\n```\n{}\n```\n",
                block.code.trim_end()
            ));
        }
        let tokens = (RULES.len() + own.len()) as u64 / 4;
        Prompted { prefix: RULES.to_owned(), own, tokens, model: None }
    }
}

/// All of it, as it reaches the agent.
pub(super) fn text(prompted: &Prompted, is_resumed: bool) -> String {
    let mut text = if is_resumed { String::new() } else { prompted.prefix.clone() };
    text.push_str(&prompted.own);
    text
}
