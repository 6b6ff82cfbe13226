//! Rule 5: tasks that name the same file, or a directory and something in it, come one after the other.
//!
//! Knows paths as text, never a file system. A trie over path components finds the tasks before in the length of the
//! path, whatever the number of tasks.

use super::Reason;
use super::draft::{Cause, Draft};
use super::edges::Ground;
use super::observed::{Observed, Sighting};
use crate::task::{NamedPath, TaskId, TaskIx};
use std::collections::{HashMap, HashSet};

/// Two tasks marked `[P]` that name one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shared {
    pub(super) first: TaskIx,
    pub(super) then: TaskIx,
    pub(super) path: String,
}

/// Adds `After` edges along the order of `ground`. Returns what tasks marked `[P]` share by name, and what only
/// observation tells.
pub(super) fn files(
    draft: &mut Draft,
    ground: Ground<'_>,
    observed: &[Observed],
) -> (Vec<Shared>, Vec<Sighting>) {
    let observed: HashMap<&TaskId, &Observed> = observed.iter().map(|seen| (&seen.task, seen)).collect();
    let mut trie = Trie::new();
    let (mut shared, mut sightings, mut by_name) = (Vec::new(), Vec::new(), HashSet::new());
    let mut before = Vec::new();
    for task in ground.sequence() {
        let written = ground.document.task(task);
        let seen = observed.get(&written.id).filter(|seen| seen.is_of(written));
        let named = written.files.iter().map(|path| (path.path.as_str(), None));
        let seen_paths = seen.iter().flat_map(|seen| seen.counted().map(|path| (path, Some(&*seen.run))));
        for (path, run) in named.chain(seen_paths) {
            before.clear();
            trie.touch(path, Touch { task, run }, &mut before);
            for Before { touch: other, same } in before.iter().filter(|before| before.touch.task != task) {
                draft.link(other.task, task, Cause::after(Reason::File, written.line));
                let first = ground.document.task(other.task);
                if run.is_some() || other.run.is_some() {
                    sightings.push(Sighting {
                        first: other.task,
                        then: task,
                        path: path.to_owned(),
                        by_first: other.run.map(str::to_owned),
                        by_then: run.map(str::to_owned),
                    });
                    continue;
                }
                if !observed.is_empty() {
                    by_name.insert((other.task, task));
                }
                if *same && first.parallel && written.parallel && first.phase == written.phase {
                    shared.push(Shared { first: other.task, then: task, path: path.to_owned() });
                }
            }
        }
    }
    // What the lines tell as well needs no observation.
    sightings.retain(|seen| !by_name.contains(&(seen.first, seen.then)));
    sightings.sort_by_key(|seen| (seen.then, seen.first));
    sightings.dedup_by_key(|seen| (seen.then, seen.first));
    (shared, sightings)
}

/// A task that writes a path: in some run as was seen, or as its line says.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Touch<'a> {
    task: TaskIx,
    run: Option<&'a str>,
}

/// One that writes a path in conflict with another.
#[derive(Clone, Copy, Debug)]
struct Before<'a> {
    touch: Touch<'a>,
    /// The very same path, not one above or below it.
    same: bool,
}

/// Paths by component. Every node may be a file or a directory: what has something below it is a directory.
struct Trie<'a> {
    nodes: Vec<Node<'a>>,
    children: HashMap<(u32, &'a str), u32>,
}

#[derive(Default)]
struct Node<'a> {
    /// The last task that writes this very path.
    last: Option<Touch<'a>>,
    /// The tasks that write something below it, after that one.
    below: Vec<Touch<'a>>,
}

impl<'a> Trie<'a> {
    fn new() -> Trie<'a> {
        Trie { nodes: vec![Node::default()], children: HashMap::new() }
    }

    /// Notes who writes `path`, and finds whom that comes after. The project's root itself is no path: who names
    /// it, or a pattern that begins with `*`, is taken to name no file.
    fn touch(&mut self, path: &'a str, touch: Touch<'a>, before: &mut Vec<Before<'a>>) {
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
            before.extend(self.nodes[*node as usize].last.map(|touch| Before { touch, same: false }));
        }
        let node = &mut self.nodes[at as usize];
        let below = node.below.drain(..).map(|touch| Before { touch, same: false });
        before.extend(node.last.map(|touch| Before { touch, same: true }).into_iter().chain(below));
        // What a task names is not merely seen of it.
        if node.last.is_none_or(|last| last.task != touch.task) {
            node.last = Some(touch);
        }
        for node in &above[1..] {
            let below = &mut self.nodes[*node as usize].below;
            if below.last().is_none_or(|last| last.task != touch.task) {
                below.push(touch);
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
