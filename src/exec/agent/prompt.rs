//! What an agent is asked to do: the task in its own words, how it will be checked, what went wrong before.

use crate::task::{BlockKind, Task};

/// The same for every task.
const PREFIX: &str = "You work on one task of a larger plan, alone, in the current directory. Nobody is there to answer \
questions: decide by yourself.\n\
Rules: change files only below the current directory. Do not commit, push or switch branches. Do not edit the task file; \
its boxes are ticked by others. Leave no placeholders. Stop when the task is done and say in a few words what you did.\n";

pub(super) fn prompt(task: &Task, file: &str, lesson: Option<&str>, is_resumed: bool) -> String {
    let mut text = String::new();
    if !is_resumed {
        text.push_str(PREFIX);
    }
    text.push_str(&format!("\n# Task {}, from {file}\n\n{}\n", task.id, task.title.as_str()));
    let body = task.title.beside(task.body).trim_end();
    if !body.trim().is_empty() {
        text.push_str(body);
        text.push('\n');
    }
    let mut checks = task.blocks_of(BlockKind::Verify).peekable();
    if checks.peek().is_some() {
        text.push_str("\n# It is done when these commands succeed\n");
        for block in checks {
            text.push_str(&format!("\n```{}\n{}\n```\n", block.interpreter, block.code.trim_end()));
        }
    }
    if let Some(lesson) = lesson {
        text.push_str(&format!("\n# What went wrong before\n\n{lesson}\n"));
    }
    text
}
