//! Rule 5: tasks that name the same file, or a directory and something in it, come one after the other.
//!
//! Knows paths as text, never a file system. A trie over path components finds the tasks before in the length of the
//! path, whatever the number of tasks.

use super::Reason;
use super::draft::{Cause, Draft};
use super::edges::Ground;
use crate::task::{NamedPath, TaskId, TaskIx};
use std::collections::HashMap;

/// Two tasks marked `[P]` that name one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shared {
    pub(super) first: TaskIx,
    pub(super) then: TaskIx,
    pub(super) path: String,
}

/// Adds `After` edges along the order of `ground`, and returns what tasks marked `[P]` share.
pub(super) fn files(
    draft: &mut Draft,
    ground: Ground<'_>,
    observed: &[(TaskId, Vec<String>)],
) -> Vec<Shared> {
    let observed: HashMap<&TaskId, &Vec<String>> = observed.iter().map(|(id, paths)| (id, paths)).collect();
    let mut trie = Trie::new();
    let mut shared = Vec::new();
    let mut before = Vec::new();
    for task in ground.sequence() {
        let written = ground.document.task(task);
        let named = written.files.iter().map(|path| path.path.as_str());
        let seen = observed.get(&written.id).into_iter().flat_map(|paths| paths.iter().map(String::as_str));
        for path in named.chain(seen) {
            before.clear();
            trie.touch(path, task, &mut before);
            for other in before.iter().filter(|other| other.task != task) {
                draft.link(other.task, task, Cause::after(Reason::File, written.line));
                let first = ground.document.task(other.task);
                if other.same && first.parallel && written.parallel && first.phase == written.phase {
                    shared.push(Shared { first: other.task, then: task, path: path.to_owned() });
                }
            }
        }
    }
    shared
}

/// A task that names a path in conflict with another.
#[derive(Clone, Copy, Debug)]
struct Before {
    task: TaskIx,
    /// The very same path, not one above or below it.
    same: bool,
}

/// Paths by component. Every node may be a file or a directory: what has something below it is a directory.
struct Trie<'a> {
    nodes: Vec<Node>,
    children: HashMap<(u32, &'a str), u32>,
}

#[derive(Default)]
struct Node {
    /// The last task that named this very path.
    last: Option<TaskIx>,
    /// The tasks that named something below it since then.
    below: Vec<TaskIx>,
}

impl<'a> Trie<'a> {
    fn new() -> Trie<'a> {
        Trie { nodes: vec![Node::default()], children: HashMap::new() }
    }

    /// Notes that `task` names `path`, and finds whom it comes after. The project's root itself is no path: who names
    /// it, or a pattern that begins with `*`, is taken to name no file.
    fn touch(&mut self, path: &'a str, task: TaskIx, before: &mut Vec<Before>) {
        let mut at = 0;
        let mut above = Vec::new();
        for name in components(path) {
            above.push(at);
            at = self.child(at, name);
        }
        if at == 0 {
            return;
        }
        for node in &above[1..] {
            before.extend(self.nodes[*node as usize].last.map(|task| Before { task, same: false }));
        }
        let node = &mut self.nodes[at as usize];
        let below = node.below.drain(..).map(|task| Before { task, same: false });
        before.extend(node.last.map(|task| Before { task, same: true }).into_iter().chain(below));
        node.last = Some(task);
        for node in &above[1..] {
            let below = &mut self.nodes[*node as usize].below;
            if below.last() != Some(&task) {
                below.push(task);
            }
        }
    }

    fn child(&mut self, node: u32, name: &'a str) -> u32 {
        let next = self.nodes.len() as u32;
        let child = *self.children.entry((node, name)).or_insert(next);
        if child == next {
            self.nodes.push(Node::default());
        }
        child
    }
}

fn components(path: &str) -> impl Iterator<Item = &str> {
    // An absolute path is another place than the same text without its first slash.
    let root = path.starts_with('/').then_some("/");
    root.into_iter().chain(path.split('/').filter(|name| !name.is_empty() && *name != "."))
}

/// Paths as the plan shows them: the pattern as written where there is one.
pub(super) fn shown(path: &NamedPath) -> String {
    match &path.pattern {
        Some(pattern) => pattern.clone(),
        None if path.is_dir && !path.path.ends_with('/') => format!("{}/", path.path),
        None => path.path.clone(),
    }
}
