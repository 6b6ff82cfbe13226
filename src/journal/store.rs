//! The state directory (`.specter`) and the runs in it.
//!
//! Everything is private (0700, 0600) whatever the umask, and a state directory that is a symlink or belongs to
//! someone else is refused: who can put one there must not choose where specter writes.

use super::lock::{Lock, LockError};
use super::reader::{self, JournalError, Loaded};
use super::writer::Journal;
use crate::event::{Event, EventKind, RunInfo, RunOutcome};
use crate::{clock, fs};
use std::fmt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

pub(super) const JOURNAL: &str = "journal.ndjson";
const STATE_DIR: &str = ".specter";
const RUNS: &str = "runs";

/// Nothing in the state directory is to be committed but the configuration users share.
const GITIGNORE: &[u8] = b"*\n!impl-config.json\n";

/// A run's name: UTC to the second and four hexadecimal digits, so that names sort by time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

impl RunId {
    /// None if it does not look like `20261121-041500-7f3a`: such a name is no path either.
    pub fn parse(text: &str) -> Option<RunId> {
        let shape = b"dddddddd-dddddd-xxxx";
        let fits = |(byte, kind): (u8, &u8)| match kind {
            b'd' => byte.is_ascii_digit(),
            b'x' => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            _ => byte == *kind,
        };
        let matches = text.len() == shape.len() && text.bytes().zip(shape).all(fits);
        matches.then(|| RunId(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name that sorts after `latest` even if the clock went back or the second is the same.
    fn after(latest: Option<&RunId>, now_ms: u64, random: u64) -> RunId {
        let random = random as u16;
        let stamp = clock::compact(now_ms);
        let Some(latest) = latest.filter(|latest| latest.0[..15] >= *stamp) else {
            // The lower half, so that more runs of the same second find room above.
            return RunId(format!("{stamp}-{:04x}", random >> 1));
        };
        let suffix = u16::from_str_radix(&latest.0[16..], 16).unwrap_or(u16::MAX);
        match suffix.checked_add(1 + random % 64) {
            Some(next) => RunId(format!("{}-{next:04x}", &latest.0[..15])),
            None => RunId(format!("{}-{:04x}", second_after(&latest.0[..15]), random >> 1)),
        }
    }
}

/// The next second of a stamp. One that is no date keeps sorting last by its own text.
fn second_after(stamp: &str) -> String {
    let parsed = jiff::fmt::strtime::parse("%Y%m%d-%H%M%S", stamp).and_then(|parsed| parsed.to_datetime());
    let next = parsed.ok().and_then(|time| time.checked_add(jiff::SignedDuration::from_secs(1)).ok());
    next.map_or_else(|| stamp.to_owned(), |time| time.strftime("%Y%m%d-%H%M%S").to_string())
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the state directory `{}` is {what}", fs::shown(path))]
    Refused { path: PathBuf, what: &'static str },
    #[error(transparent)]
    File(#[from] fs::Error),
}

impl StoreError {
    /// What the user can do.
    pub fn help(&self) -> &'static str {
        match self {
            StoreError::Refused { .. } => "remove it, or name another directory with `--state-dir`",
            StoreError::File(_) => "make it writable, or name another directory with `--state-dir`",
        }
    }
}

/// The state directory of one project.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// The state directory for writing: made if it is missing.
    pub fn open(project: &Path, state_dir: Option<&Path>) -> Result<Store, StoreError> {
        let store = Store::at(project, state_dir);
        if state_dir.is_some() {
            fs::create_private_dirs(&store.dir)?;
        } else {
            fs::create_private_dir(&store.dir)?;
        }
        store.check(true)?;
        fs::create_private_dir(&store.dir.join(RUNS))?;
        store.ignore_all()?;
        Ok(store)
    }

    /// The state directory for reading, if there is one. Writes nothing.
    pub fn find(project: &Path, state_dir: Option<&Path>) -> Result<Option<Store>, StoreError> {
        let store = Store::at(project, state_dir);
        match store.check(false) {
            Ok(()) => Ok(Some(store)),
            Err(StoreError::File(error)) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn at(project: &Path, state_dir: Option<&Path>) -> Store {
        Store { dir: state_dir.map_or_else(|| project.join(STATE_DIR), Path::to_owned) }
    }

    fn check(&self, tighten: bool) -> Result<(), StoreError> {
        let metadata = std::fs::symlink_metadata(&self.dir)
            .map_err(|error| fs::Error::io("inspect", &self.dir, error))?;
        let refused = |what| Err(StoreError::Refused { path: self.dir.clone(), what });
        if metadata.is_symlink() {
            return refused("a symbolic link");
        }
        if !metadata.is_dir() {
            return refused("not a directory");
        }
        if fs::own_uid().is_some_and(|uid| uid != metadata.uid()) {
            return refused("owned by another user");
        }
        if tighten && metadata.mode() & 0o777 != fs::PRIVATE_DIR {
            // As a clone makes it when the configuration in it is committed.
            std::fs::set_permissions(&self.dir, PermissionsExt::from_mode(fs::PRIVATE_DIR))
                .map_err(|error| fs::Error::io("set the mode of", &self.dir, error))?;
        }
        Ok(())
    }

    /// Written again if a power loss emptied it; a user's own text stays.
    fn ignore_all(&self) -> Result<(), fs::Error> {
        let path = self.dir.join(".gitignore");
        match fs::read(&path, 1 << 16) {
            Ok(contents) if contents.bytes.iter().any(|b| !matches!(b, 0 | b'\n')) => Ok(()),
            Ok(_) => fs::replace_relaxed(&path, GITIGNORE, fs::Access::Private),
            Err(error) if error.is_not_found() => fs::replace_relaxed(&path, GITIGNORE, fs::Access::Private),
            Err(error) => Err(error),
        }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes the project's lock; see [`Lock::acquire`].
    pub fn lock(&self, command: &str, now_ms: u64) -> Result<Lock, LockError> {
        let lock = Lock::acquire(&self.dir.join("lock"), command, &clock::stamp(now_ms))?;
        // What a killed predecessor left half-written; nothing depends on its removal.
        let _ = fs::sweep_temporaries(&self.dir);
        Ok(lock)
    }

    /// Whether the lock is held by a living process right now. Writes nothing.
    pub fn is_locked(&self) -> bool {
        let Ok((file, _)) = fs::open_regular(&self.dir.join("lock"), false) else { return false };
        matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock))
    }

    pub fn run_dir(&self, run: &RunId) -> PathBuf {
        self.dir.join(RUNS).join(run.as_str())
    }

    /// A new run: its name, and its journal, still empty. Takes the place of one that was killed before it began.
    pub fn create_run(&self, now_ms: u64, seed: u64, held: &Lock) -> Result<(RunId, Journal), StoreError> {
        let runs = self.runs()?;
        if let Some(last) = runs.last()
            && matches!(reader::first_event(&self.run_dir(last).join(JOURNAL)), Ok(None))
        {
            let journal = Journal::resume(&self.run_dir(last), &Loaded::default(), held)?;
            return Ok((last.clone(), journal));
        }
        let run = RunId::after(runs.last(), now_ms, seed);
        let dir = self.run_dir(&run);
        fs::create_private_dir(&dir)?;
        let journal = Journal::create(&dir, held)?;
        Ok((run, journal))
    }

    /// Goes on with a run that was loaded; see [`Journal::resume`].
    pub fn resume_run(&self, run: &RunId, loaded: &Loaded, held: &Lock) -> Result<Journal, fs::Error> {
        Journal::resume(&self.run_dir(run), loaded, held)
    }

    /// All runs, oldest first.
    pub fn runs(&self) -> Result<Vec<RunId>, fs::Error> {
        let dir = self.dir.join(RUNS);
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fs::Error::io("list", &dir, error)),
        };
        let mut runs = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| fs::Error::io("list", &dir, error))?;
            runs.extend(entry.file_name().to_str().and_then(RunId::parse));
        }
        runs.sort_unstable();
        Ok(runs)
    }

    pub fn load(&self, run: &RunId) -> Result<Loaded, JournalError> {
        reader::read(&self.run_dir(run).join(JOURNAL))
    }

    /// The last run that began: of the task file `file` (as in [`RunInfo::file`]), or of any.
    ///
    /// A run that was killed before its first record was whole never began and is passed over.
    pub fn latest(&self, file: Option<&str>) -> Result<Option<RunId>, JournalError> {
        for run in self.runs()?.into_iter().rev() {
            if self.info(&run)?.is_some_and(|info| file.is_none_or(|file| file == info.file)) {
                return Ok(Some(run));
            }
        }
        Ok(None)
    }

    /// What a run was started with; none if it never began.
    pub fn info(&self, run: &RunId) -> Result<Option<RunInfo>, JournalError> {
        match reader::first_event(&self.run_dir(run).join(JOURNAL)) {
            Ok(event) => Ok(event.and_then(|event| match event.kind {
                EventKind::RunStarted { info, .. } => Some(info),
                _ => None,
            })),
            Err(JournalError::File(error)) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The last run of `file`, with its journal, if something is left to do in it.
    pub fn unfinished(&self, file: Option<&str>) -> Result<Option<(RunId, Loaded)>, JournalError> {
        let Some(run) = self.latest(file)? else { return Ok(None) };
        let tells = |event: &Event| end_of(event).is_some();
        if is_finished(&reader::last_events(&self.run_dir(&run).join(JOURNAL), tells)?) {
            return Ok(None);
        }
        let loaded = self.load(&run)?;
        Ok((!is_finished(&loaded.events)).then_some((run, loaded)))
    }
}

/// Whether the run came to its end with everything done, as far as its last events tell.
fn is_finished(events: &[Event]) -> bool {
    events.iter().rev().find_map(end_of).unwrap_or(false)
}

/// Whether nothing was left to do at this event; none for those that do not tell.
fn end_of(event: &Event) -> Option<bool> {
    match &event.kind {
        EventKind::RunFinished { outcome, unticked, .. } => {
            Some(*outcome == RunOutcome::AllDone && *unticked == 0)
        }
        EventKind::RunStarted { .. } | EventKind::RunResumed { .. } | EventKind::RolledBack { .. } => {
            Some(false)
        }
        _ => None,
    }
}
