//! Whether attempts changed anything outside their own working trees.
//!
//! Everything around them (HEAD, references, index, configuration, hooks, files of the main working tree) is compared
//! with how it was when it was last looked at. A change that specter did not make, dated within the time of an attempt,
//! was made by that attempt or by the user. No record of the system tells which; so it is asked whether anybody else is
//! at work in the project. If nobody is, it was an attempt, and every attempt of that time is held for it: none of them
//! can be told from the one that did it. What decides what git does (configuration, hooks) is never taken for the user's.
//!
//! What an attempt writes into the working tree of another that is at work looks like the other's own work: the sandbox
//! keeps it from happening, and what agents tell of it is `strays`' to find. Trees in which nobody is at work are looked at when they are used again.

use super::workspaces::{Opened, User, Work};
use crate::event::EventKind;
use crate::exec::others_at_work;
use crate::git::{Change, Entry, Error, Fingerprint, Made};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// When an attempt ran.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    from: SystemTime,
}

/// Files are dated by a clock that ticks a hundred times a second or more, so one that was just changed may be dated
/// before the moment in which its change began.
const GRAIN: Duration = Duration::from_millis(50);

impl Window {
    /// An attempt begins.
    pub(super) fn open() -> Window {
        Window { from: SystemTime::now() - GRAIN }
    }
}

pub(super) struct Watch {
    user: User,
    /// By which this run's own processes are known.
    session: String,
    root: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// How everything stood when it was last looked at.
    last: Option<Fingerprint>,
    /// What specter wrote since, and what it wrote.
    own: BTreeMap<PathBuf, Option<Entry>>,
    /// What nobody owned up to, with its time.
    foreign: Vec<Foreign>,
    has_warned: bool,
}

struct Foreign {
    at: SystemTime,
    words: String,
    reference: Option<String>,
    /// Why it could not be kept.
    unkept: Option<String>,
}

impl Watch {
    pub(super) fn new(user: User, session: &str, root: &Path) -> Watch {
        Watch { user, session: session.to_owned(), root: root.to_owned(), inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before the first attempt: how everything is.
    pub(super) fn begin(&self, opened: &Opened) -> Result<(), Error> {
        let mut inner = self.lock();
        if inner.last.is_none() {
            inner.last = Some(opened.owner.ask(crate::git::Git::fingerprint)?);
        }
        Ok(())
    }

    /// These paths were written by specter.
    pub(super) fn wrote(&self, written: &BTreeMap<PathBuf, Option<Entry>>) {
        self.lock().own.extend(written.iter().map(|(path, entry)| (path.clone(), *entry)));
    }

    /// Specter itself committed on the user's branch.
    pub(super) fn committed(&self, made: &Made) {
        if let Some(last) = &mut self.lock().last {
            last.committed(made);
        }
    }

    /// Looks at everything, and says whether the attempt of this window is held for something.
    /// `strays` are what its agent told of itself.
    pub(super) fn told(&self, opened: &Opened, work: &Work<'_>, window: Window, strays: Vec<String>) -> bool {
        let mut inner = self.lock();
        if let Err(error) = self.look(&mut inner, opened, work) {
            // What cannot be looked at cannot be vouched for.
            let words = format!("it could not be told what changed outside: {error}");
            inner.foreign.push(Foreign { at: SystemTime::now(), words, reference: None, unkept: None });
        }
        let of_window: Vec<&Foreign> =
            inner.foreign.iter().filter(|foreign| foreign.at >= window.from).collect();
        if of_window.is_empty() && strays.is_empty() {
            return false;
        }
        work.record(EventKind::Escaped {
            task: work.task_ref(),
            attempt: work.attempt.number,
            changes: of_window.iter().map(|foreign| foreign.words.clone()).chain(strays).collect(),
            reference: of_window.iter().find_map(|foreign| foreign.reference.clone()),
            unkept: of_window.iter().find_map(|foreign| foreign.unkept.clone()),
        });
        true
    }

    /// Adds what changed since the last look and is nobody's.
    fn look(&self, inner: &mut Inner, opened: &Opened, work: &Work<'_>) -> Result<(), Error> {
        let Some(last) = inner.last.take() else { return Ok(()) };
        let own = std::mem::take(&mut inner.own);
        let (now, changes) = opened.owner.ask(move |git| {
            let now = git.fingerprint()?;
            let changes: Vec<(Change, Option<SystemTime>)> = git
                .compare(&last, &now)?
                .into_iter()
                .filter(|change| !is_own(change, &own))
                .map(|change| {
                    let at = git.changed_at(&change);
                    (change, at)
                })
                .collect();
            Ok((now, changes))
        })?;
        inner.last = Some(now);
        if changes.is_empty() {
            return Ok(());
        }
        let users = self.users();
        let (theirs, escaped): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|(change, _)| users.is_some() && !change.is_setting());
        if let Some(users) = users.filter(|_| !theirs.is_empty() && !inner.has_warned) {
            inner.has_warned = true;
            let words: Vec<String> = theirs.iter().take(3).map(|(change, _)| change.to_string()).collect();
            work.warn(format!("{} while tasks ran: taken for yours, because {users}", words.join(", ")));
        }
        if escaped.is_empty() {
            return Ok(());
        }
        let list: Vec<Change> = escaped.iter().map(|(change, _)| change.clone()).collect();
        let kept = opened.owner.ask(move |git| git.keep_changes(&list, "changed outside of working trees\n"));
        let (reference, unkept) = match kept {
            Ok(reference) => (Some(reference), None),
            Err(error) => (None, Some(error.to_string())),
        };
        inner.foreign.extend(escaped.into_iter().map(|(change, at)| Foreign {
            at: at.unwrap_or_else(SystemTime::now),
            words: change.to_string(),
            reference: reference.clone(),
            unkept: unkept.clone(),
        }));
        Ok(())
    }

    /// Why what changed may be the user's.
    fn users(&self) -> Option<String> {
        match self.user {
            User::Works => Some("you said that you work here too".to_owned()),
            User::Sleeps => None,
            User::Unknown => {
                let others = others_at_work(&self.session, &self.root);
                (!others.is_empty()).then(|| format!("{} works in the project", others.join(", ")))
            }
        }
    }
}

/// What specter integrated, as it integrated it.
fn is_own(change: &Change, own: &BTreeMap<PathBuf, Option<Entry>>) -> bool {
    matches!(change, Change::File { path, to, .. } if own.get(path) == Some(to))
}
