//! Commits on the user's branch: which there are to be now, what they are called, and what is told of them.
//!
//! Knows nothing of how a commit is made (`git`) nor when a phase is over (`history::phases`). The same steps serve a
//! run under way and the start after one that died: only the way to the repository differs.

use super::hub::Hub;
use super::workspaces::Opened;
use crate::event::{EventKind, NoteLevel};
use crate::git::{
    Attempt, Committing, Error, FoundCommit, Git, Made, NewCommit, Pending, PutOff, Uncommitted,
};
use crate::task::{Task, TaskId};
use crate::text::{count, safe};
use std::sync::{Mutex, PoisonError};

/// When there is to be a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Each {
    Task,
    Phase,
}

/// What the user asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commits {
    /// Of the run.
    pub run: String,
    pub each: Each,
    /// With `{task}`, `{phase}`, `{run}`.
    pub tag: Option<String>,
}

/// A commit to be made.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) attempts: Vec<Uncommitted>,
    pub(super) new: NewCommit,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Told {
    pub made: Vec<Made>,
    /// To be recorded.
    pub events: Vec<EventKind>,
    pub warnings: Vec<String>,
    /// Why there is no commit, or no further one.
    pub put_off: Option<String>,
}

const TASK: &str = "Specter-Task: ";

impl Commits {
    /// `titles` tells a task's title, `phase` the title of the phase that is over.
    pub(super) fn batches(
        &self,
        pending: Pending,
        phase: Option<&str>,
        titles: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<Batch> {
        let attempts = pending.attempts;
        match self.each {
            Each::Task => attempts.into_iter().map(|one| self.batch(vec![one], None, titles)).collect(),
            Each::Phase if attempts.is_empty() || phase.is_none() => Vec::new(),
            Each::Phase => vec![self.batch(attempts, phase, titles)],
        }
    }

    fn batch(
        &self,
        attempts: Vec<Uncommitted>,
        phase: Option<&str>,
        titles: &dyn Fn(&str) -> Option<String>,
    ) -> Batch {
        let run = self.run.as_str();
        let titled = |attempt: &Attempt| match titles(&attempt.task) {
            Some(title) if !title.trim().is_empty() => {
                format!("{}: {}", safe(&attempt.task), safe(title.trim()))
            }
            _ => safe(&attempt.task),
        };
        let lines: Vec<String> = attempts.iter().map(|one| titled(&one.attempt)).collect();
        let head = match phase {
            Some(phase) => format!("{}\n\n{}", safe(phase), lines.join("\n")),
            None => lines.join("\n"),
        };
        let whose: String =
            attempts.iter().map(|one| format!("{TASK}{}\n", safe(&one.attempt.task))).collect();
        let last = attempts.last().map(|one| one.attempt.task.as_str()).unwrap_or_default();
        let tag = self.tag.as_ref().map(|pattern| tag(pattern, last, phase.unwrap_or_default(), run));
        let message = format!("{head}\n\nSpecter-Run: {run}\n{whose}");
        Batch { attempts, new: NewCommit { message, tag } }
    }
}

/// A tag's name of a pattern; what git takes in no name becomes `-`.
pub fn tag(pattern: &str, task: &str, phase: &str, run: &str) -> String {
    let plain = |text: &str| {
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let text: String = text.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
        let parts: Vec<&str> = text.split('-').filter(|part| !part.is_empty()).collect();
        parts.join("-").replace("..", ".").trim_matches('.').to_owned()
    };
    pattern.replace("{task}", &plain(task)).replace("{phase}", &plain(phase)).replace("{run}", &plain(run))
}

/// Makes the commits, up to the first that cannot be made now.
pub(super) fn make(
    batches: Vec<Batch>,
    mut commit: impl FnMut(Vec<Uncommitted>, NewCommit) -> Result<Committing, Error>,
) -> Told {
    let mut told = Told::default();
    for Batch { attempts, new } in batches {
        let tasks: Vec<TaskId> = attempts.iter().map(|one| TaskId::new(&one.attempt.task)).collect();
        match commit(attempts, new) {
            Ok(Committing::There) => {}
            Ok(Committing::Made(made)) => {
                if let Some(tag) = &made.taken {
                    told.warnings
                        .push(format!("the tag `{}` is there already, and stays where it is", safe(tag)));
                }
                if let Some(why) = &made.unnoted {
                    told.warnings
                        .push(format!("{} is committed, but not in git's reflog: {why}", made.commit));
                }
                told.events.push(event(&made, tasks));
                told.made.push(made);
            }
            Ok(Committing::PutOff(why)) => {
                told.put_off = Some(put_off(&tasks, &why));
                break;
            }
            Err(error) => {
                told.put_off = Some(format!("{}: {error}", not_committed(&tasks)));
                break;
            }
        }
    }
    told
}

/// Commits while a run goes on. Whoever calls it holds the turn to integrate.
pub(super) struct Committer {
    commits: Commits,
    /// Why there was no commit when it was last tried: the same is told once.
    put_off: Mutex<Option<String>>,
}

impl Committer {
    pub(super) fn new(commits: Commits) -> Committer {
        Committer { commits, put_off: Mutex::default() }
    }

    pub(super) fn is_by_phase(&self) -> bool {
        self.commits.each == Each::Phase
    }

    /// `task` was just integrated, and with it `phase` is over.
    pub(super) fn commit(&self, opened: &Opened, hub: &Hub, task: &Task, phase: Option<&str>) {
        let told = match self.try_commit(opened, hub, task, phase) {
            Ok(told) => told,
            Err(error) => Told { put_off: Some(format!("nothing is committed: {error}")), ..Told::default() },
        };
        if let Some(trees) = &opened.trees {
            told.made.iter().for_each(|made| trees.watch.committed(made));
        }
        let warnings = told.warnings.into_iter().chain(self.news(told.put_off));
        let notes = warnings.map(|text| EventKind::Note { level: NoteLevel::Warn, text });
        let events: Vec<EventKind> = told.events.into_iter().chain(notes).collect();
        if !events.is_empty() {
            hub.record(events);
        }
    }

    fn try_commit(
        &self,
        opened: &Opened,
        hub: &Hub,
        task: &Task,
        phase: Option<&str>,
    ) -> Result<Told, Error> {
        let pending = opened.owner.ask(|git| git.uncommitted())?;
        if pending.went_back {
            return Ok(Told { put_off: Some(went_back()), ..Told::default() });
        }
        // Others are committed with it only after something was put off: rare enough to search.
        let titles = |id: &str| {
            let is_it = task.id.as_str() == id;
            if is_it { Some(task.title.to_string()) } else { title_of(&hub.plan().tasks, id) }
        };
        let batches = self.commits.batches(pending, phase, &titles);
        Ok(make(batches, |attempts, new| opened.owner.ask(move |git| git.commit_on_branch(&attempts, &new))))
    }

    fn news(&self, put_off: Option<String>) -> Option<String> {
        let mut known = self.put_off.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = *known != put_off;
        known.clone_from(&put_off);
        put_off.filter(|_| is_news)
    }

    /// At the end of the run: what is no commit, and why.
    pub(super) fn left(&self, opened: &Opened) -> Option<String> {
        let known = self.put_off.lock().unwrap_or_else(PoisonError::into_inner).clone();
        uncommitted(&opened.owner.ask(|git| git.uncommitted()), known)
    }
}

/// What is to be said of work that is no commit; `known` is why.
fn uncommitted(pending: &Result<Pending, Error>, known: Option<String>) -> Option<String> {
    let attempts = match pending {
        Ok(pending) => pending.attempts.len() as u64,
        Err(error) => return Some(format!("whether all work is committed cannot be told: {error}")),
    };
    let usual = || "they are committed when their phase is over".to_owned();
    (attempts > 0).then(|| {
        format!("the work of {} is not committed: {}", count(attempts, "task"), known.unwrap_or_else(usual))
    })
}

pub(super) fn title_of(tasks: &[Task], id: &str) -> Option<String> {
    tasks.iter().find(|task| task.id.as_str() == id).map(|task| task.title.to_string())
}

/// What a run that died left uncommitted, committed now; `phase` is the title of the phase that is over with it.
/// Whoever calls it holds the project's lock, and nothing is under way.
pub fn commit_left(
    git: &mut Git,
    commits: &Commits,
    tasks: &[Task],
    phase: impl FnOnce(&Attempt) -> Option<String>,
) -> Result<Told, Error> {
    let pending = git.uncommitted()?;
    if pending.went_back {
        return Ok(Told { put_off: Some(went_back()), ..Told::default() });
    }
    let last = pending.attempts.last().map(|one| one.attempt.clone());
    let phase = last.filter(|_| commits.each == Each::Phase).and_then(|last| phase(&last));
    let batches = commits.batches(pending, phase.as_deref(), &|id| title_of(tasks, id));
    Ok(make(batches, |attempts, new| git.commit_on_branch(&attempts, &new)))
}

/// Of a run that went back.
pub(super) fn went_back() -> String {
    "this run went back to a checkpoint: it makes no commits any more, and what it makes is yours to commit"
        .to_owned()
}

fn not_committed(tasks: &[TaskId]) -> String {
    match tasks {
        [one] => format!("{} is not committed", safe(one.as_str())),
        _ => format!("{} are not committed", count(tasks.len() as u64, "task")),
    }
}

fn put_off(tasks: &[TaskId], why: &PutOff) -> String {
    let help = match why {
        PutOff::Detached | PutOff::Elsewhere(_) => "check out the branch",
        PutOff::Unborn => "make a first commit",
        PutOff::UnderWay(_) => "finish it or give it up",
        PutOff::Busy => "let it end",
        PutOff::Staged(_) => "commit or unstage that",
        PutOff::Contradicts(_) => "commit what you have changed there",
        PutOff::Filtered(_) => "commit it by yourself",
        PutOff::NoIdentity => "set `user.name` and `user.email`",
    };
    format!("{}, its files are as they shall be: {why}; {help}", not_committed(tasks))
}

fn event(made: &Made, tasks: Vec<TaskId>) -> EventKind {
    EventKind::Committed {
        branch: made.branch.clone(),
        commit: made.commit.to_string(),
        tasks,
        tag: made.tag.clone(),
    }
}

/// Of a commit that was made just before the process died.
pub(super) fn of_found(found: FoundCommit) -> EventKind {
    let tasks = found.message.lines().filter_map(|line| line.strip_prefix(TASK)).map(TaskId::new).collect();
    EventKind::Committed { branch: found.branch, commit: found.commit.to_string(), tasks, tag: found.tag }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::is_tag_name;

    #[test]
    fn that_the_repository_cannot_be_asked_is_told() {
        let error = Error::Moved { reference: "refs/specter/tip".to_owned() };
        let said = uncommitted(&Err(error), None).expect("told");
        assert!(said.contains("cannot be told") && said.contains("refs/specter/tip"), "{said}");
        let nothing = Pending { attempts: Vec::new(), went_back: false };
        assert_eq!(uncommitted(&Ok(nothing), Some("busy".to_owned())), None);
    }

    #[test]
    fn a_tags_name_is_one_that_git_takes() {
        assert_eq!(tag("done/{task}", "T001", "", "r"), "done/T001");
        assert_eq!(tag("{run}/{phase}", "T1", "Phase 2: Core (MVP) ✅", "2026-a"), "2026-a/Phase-2-Core-MVP");
        for (task, phase) in [("a..b", "x"), ("~^:?*[\\", "…"), (".lock", "-"), ("任务 1", "最初")] {
            let name = tag("v/t{task}-p{phase}", task, phase, "r");
            assert!(is_tag_name(&name), "{name}");
        }
    }
}
