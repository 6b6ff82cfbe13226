//! What agents tell of themselves: that they wrote into, or ran a command on, the working tree of another task.
//!
//! No system tells afterwards who wrote a file, so in a tree that is at work a stray write looks like the work of whose
//! tree it is. An agent's own account of its steps does tell. It is no proof of the contrary: what a command writes
//! without naming the place is not seen here. By default the sandbox keeps it from happening (`exec::around`); this is for
//! where it is off or the kernel has none, and for attempts that were refused: a step that failed is no stray.

use crate::event::AgentStep;
use crate::task::TaskId;
use crate::text::without_dots;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many are named of one attempt, and so many of one tree.
const NAMED: usize = 8;

#[derive(Default)]
pub(super) struct Strays {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// By the tree's root. As many as there are workers, and those kept for a task's next attempt.
    trees: HashMap<PathBuf, Tree>,
    /// What the attempt that is under way for a task did in others' trees.
    by: HashMap<TaskId, Vec<String>>,
}

struct Tree {
    of: TaskId,
    /// What others did here.
    strays: Vec<String>,
}

impl Strays {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the tree is this task's; what happened in it between its attempts stays known.
    pub(super) fn begin(&self, root: &Path, of: &TaskId) {
        let mut inner = self.lock();
        inner.by.remove(of);
        let tree = inner.trees.entry(root.to_owned());
        tree.or_insert_with(|| Tree { of: of.clone(), strays: Vec::new() });
    }

    /// The tree is nobody's any more.
    pub(super) fn end(&self, root: &Path) {
        self.lock().trees.remove(root);
    }

    /// `dir` is where the agent works.
    pub(super) fn look(&self, by: &TaskId, dir: &Path, step: &AgentStep) {
        if step.ok == Some(false) {
            return;
        }
        let mut inner = self.lock();
        let Inner { trees, by: doers } = &mut *inner;
        for (root, tree) in trees.iter_mut().filter(|(_, tree)| tree.of != *by) {
            let Some(what) = done_in(root, dir, step) else { continue };
            push(&mut tree.strays, format!("{by} {what} in this task's working tree"));
            push(doers.entry(by.clone()).or_default(), format!("{what} in the working tree of {}", tree.of));
        }
    }

    /// What the task's attempt did elsewhere, and what others did in its tree.
    pub(super) fn of(&self, task: &TaskId, root: &Path) -> Vec<String> {
        let mut inner = self.lock();
        let mut words = inner.by.remove(task).unwrap_or_default();
        words.extend(inner.trees.get(root).iter().flat_map(|tree| tree.strays.iter().cloned()));
        words
    }

    /// Whether there is others' work in the tree.
    pub(super) fn is_soiled(&self, root: &Path) -> bool {
        self.lock().trees.get(root).is_some_and(|tree| !tree.strays.is_empty())
    }
}

fn push(words: &mut Vec<String>, word: String) {
    if words.len() < NAMED && !words.contains(&word) {
        words.push(word);
    }
}

/// What the step did below `root`, if it did anything there.
fn done_in(root: &Path, dir: &Path, step: &AgentStep) -> Option<String> {
    let verb = match &*step.action {
        "edit" => "wrote",
        "delete" => "deleted",
        "move" => "moved",
        // Of a command it is not known what it did there; building on what is not integrated is wrong as well.
        "run" => {
            let root = root.to_str()?;
            let is_named = step.title.match_indices(root).any(|(at, _)| {
                let next = step.title[at + root.len()..].chars().next();
                !next.is_some_and(|next| next.is_alphanumeric() || matches!(next, '-' | '_' | '.'))
            });
            return is_named.then(|| "ran a command".to_owned());
        }
        _ => return None,
    };
    let below = step.paths.iter().find_map(|path| {
        let path = without_dots(&dir.join(path));
        path.strip_prefix(root).ok().map(Path::to_owned)
    });
    below.map(|path| format!("{verb} `{}`", crate::fs::shown(&path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(action: &'static str, title: &str, paths: &[&str]) -> AgentStep {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        AgentStep { action: action.into(), title: title.to_owned(), paths, ok: Some(true), exit: None }
    }

    /// What T2, at work in `/t/2/app`, and T1, at work in `/t/1`, are told after a step of T2.
    fn told(step: &AgentStep) -> (Vec<String>, Vec<String>) {
        let (strays, one, two) = (Strays::default(), TaskId::new("T1"), TaskId::new("T2"));
        strays.begin(Path::new("/t/1"), &one);
        strays.begin(Path::new("/t/2"), &two);
        strays.look(&two, Path::new("/t/2/app"), step);
        assert_eq!(strays.is_soiled(Path::new("/t/1")), !strays.of(&one, Path::new("/t/1")).is_empty());
        (strays.of(&two, Path::new("/t/2")), strays.of(&one, Path::new("/t/1")))
    }

    #[test]
    fn who_says_that_it_wrote_in_anothers_tree_is_told_and_so_is_the_other() {
        for path in ["/t/1/src/a.rs", "../../1/src/a.rs", "/t/./2/../1/src/a.rs"] {
            let (by, into) = told(&step("edit", "Write", &["own.rs", path]));
            assert_eq!(by, ["wrote `src/a.rs` in the working tree of T1"]);
            assert_eq!(into, ["T2 wrote `src/a.rs` in this task's working tree"]);
        }
        let (by, _) = told(&step("run", "cd /t/1 && make", &[]));
        assert_eq!(by, ["ran a command in the working tree of T1"]);
    }

    #[test]
    fn what_is_done_at_home_or_only_read_or_failed_is_no_stray() {
        let failed = AgentStep { ok: Some(false), ..step("edit", "Write", &["/t/1/a"]) };
        for step in [
            step("edit", "Write", &["a.rs", "../b.rs", "/t/2/c.rs", "/t/10/d.rs", "/etc/e"]),
            step("read", "Read", &["/t/1/a.rs"]),
            step("run", "ls /t/10 /t/1-old /t/1.bak", &[]),
            failed,
        ] {
            assert_eq!(told(&step), (Vec::new(), Vec::new()), "{step:?}");
        }
    }

    #[test]
    fn a_tree_that_was_given_back_and_an_attempt_that_is_over_leave_nothing_behind() {
        let (strays, one, two) = (Strays::default(), TaskId::new("T1"), TaskId::new("T2"));
        let root = Path::new("/t/1");
        strays.begin(root, &one);
        strays.look(&two, Path::new("/t/2"), &step("edit", "", &["/t/1/a"]));
        strays.end(root);
        strays.begin(root, &one);
        strays.begin(Path::new("/t/2"), &two);
        assert!(strays.of(&one, root).is_empty() && !strays.is_soiled(root));
        assert!(strays.of(&two, Path::new("/t/2")).is_empty());
    }
}
