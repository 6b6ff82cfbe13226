//! What an agent does, as it is told, turned into steps for the record: masked, bounded, each with how it ended.

use super::super::mask::Masker;
use crate::agent::told::{MAX_NAME, bounded};
use crate::agent::{Told, Usage};
use crate::event::{AgentStep, Spent};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

/// Of an attempt so many steps are recorded one by one.
const MAX_RECORDED: u32 = 10_000;
/// So many at once have begun and not ended; what is more is recorded without its end.
const MAX_OPEN: usize = 1000;
/// Of one step.
const MAX_PATHS: usize = 16;
/// On the screen.
const MAX_LINE: usize = 200;

/// A numbered step.
pub(super) type Numbered = (u32, AgentStep);

pub(super) struct Steps<'a> {
    masker: &'a Masker,
    /// Where it works, with a slash at its end: left out of what is recorded.
    dir: String,
    count: u32,
    open: HashMap<String, Numbered>,
    /// Not handed out yet.
    ready: Vec<Numbered>,
    /// For the screen: what it did or said last.
    line: Option<String>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(masker: &'a Masker, dir: &Path) -> Steps<'a> {
        let dir = format!("{}/", dir.display());
        Steps { masker, dir, count: 0, open: HashMap::new(), ready: Vec::new(), line: None }
    }

    pub(super) fn tell(&mut self, told: &Told) {
        match told {
            Told::StepBegun { key, kind, title, paths } => {
                let step = AgentStep {
                    action: Cow::Borrowed(kind.as_str()),
                    title: self.masked(title, MAX_NAME),
                    paths: paths.iter().take(MAX_PATHS).map(|path| self.masked(path, MAX_NAME)).collect(),
                    ok: None,
                    exit: None,
                };
                self.begin(key, step);
            }
            Told::StepEnded { key, ok, exit, .. } => {
                if let Some((n, step)) = self.open.remove(key) {
                    self.record(n, AgentStep { ok: *ok, exit: *exit, ..step });
                }
            }
            Told::Text(text) => {
                let last = text.lines().rev().find(|line| !line.trim().is_empty());
                self.line = last.map(|line| self.masked(line.trim(), MAX_LINE));
            }
            Told::Retry { why, .. } => {
                self.line = Some(self.masked(&format!("tries again: {why}"), MAX_LINE));
            }
            _ => {}
        }
    }

    fn begin(&mut self, key: &str, step: AgentStep) {
        self.count = self.count.saturating_add(1);
        self.line = Some(bounded(&format!("{} {}", step.action, step.title), MAX_LINE));
        if self.open.len() >= MAX_OPEN {
            return self.record(self.count, step);
        }
        // A key that is used again names the new step: the old one has no end.
        if let Some((n, old)) = self.open.insert(key.to_owned(), (self.count, step)) {
            self.record(n, old);
        }
    }

    fn record(&mut self, n: u32, step: AgentStep) {
        if n <= MAX_RECORDED {
            self.ready.push((n, step));
        }
    }

    fn masked(&self, text: &str, most: usize) -> String {
        self.masker.mask(&bounded(&text.replace(&self.dir, ""), most))
    }

    /// Steps that ended since the last time.
    pub(super) fn take(&mut self) -> Vec<Numbered> {
        std::mem::take(&mut self.ready)
    }

    /// What to show, if it changed.
    pub(super) fn line(&mut self) -> Option<String> {
        self.line.take()
    }

    /// The agent has ended: what has not, never will.
    pub(super) fn finish(&mut self) {
        let mut left: Vec<Numbered> = self.open.drain().map(|(_, step)| step).collect();
        left.sort_unstable_by_key(|(n, _)| *n);
        left.into_iter().for_each(|(n, step)| self.record(n, step));
    }

    pub(super) fn open(&self) -> u32 {
        self.open.len() as u32
    }

    pub(super) fn count(&self) -> u64 {
        u64::from(self.count)
    }
}

pub(super) fn spent(usage: Usage) -> Spent {
    let Usage { input, cached, output, cost_micros } = usage;
    Spent { input, cached, output, cost_micros }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::StepKind;

    fn begun(key: &str, title: &str) -> Told {
        let paths = vec![title.to_owned()];
        Told::StepBegun { key: key.to_owned(), kind: StepKind::Edit, title: title.to_owned(), paths }
    }

    fn ended(key: &str, ok: bool) -> Told {
        Told::StepEnded { key: key.to_owned(), ok: Some(ok), exit: None, output: String::new() }
    }

    #[test]
    fn a_step_is_handed_out_once_it_ended_and_what_never_ends_at_the_end() {
        let masker = Masker::new([]);
        let mut steps = Steps::new(&masker, Path::new("/p"));
        for told in [begun("a", "src/a"), begun("b", "src/b"), ended("b", false), begun("c", "src/c")] {
            steps.tell(&told);
        }
        let names = |steps: Vec<Numbered>| -> Vec<(u32, String, Option<bool>)> {
            steps.into_iter().map(|(n, step)| (n, step.title, step.ok)).collect()
        };
        assert_eq!(names(steps.take()), [(2, "src/b".to_owned(), Some(false))]);
        assert_eq!((steps.open(), steps.count()), (2, 3));
        assert_eq!(steps.line(), Some("edit src/c".to_owned()));
        assert_eq!(steps.line(), None);
        steps.finish();
        assert_eq!(names(steps.take()), [(1, "src/a".to_owned(), None), (3, "src/c".to_owned(), None)]);
    }

    #[test]
    fn files_of_the_workspace_are_named_from_there() {
        let masker = Masker::new([]);
        let mut steps = Steps::new(&masker, Path::new("/trees/1"));
        steps.tell(&begun("a", "/trees/1/src/a.rs"));
        steps.finish();
        let (_, step) = steps.take().remove(0);
        assert_eq!((step.title.as_str(), step.paths[0].as_str()), ("src/a.rs", "src/a.rs"));
    }

    #[test]
    fn secrets_are_masked_and_very_many_steps_are_counted() {
        let masker = Masker::new([b"correct-horse".to_vec()]);
        let mut steps = Steps::new(&masker, Path::new("/p"));
        steps.tell(&begun("a", "curl correct-horse"));
        steps.tell(&ended("a", true));
        let (_, step) = steps.take().remove(0);
        assert_eq!((step.title.as_str(), step.paths[0].as_str()), ("curl ***", "curl ***"));
        for n in 0..20_000 {
            steps.tell(&begun(&n.to_string(), "x"));
            steps.tell(&ended(&n.to_string(), true));
        }
        assert_eq!(steps.take().len(), MAX_RECORDED as usize - 1);
        assert_eq!(steps.count(), 20_001);
    }
}
