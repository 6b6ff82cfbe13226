//! Moving a reference of the user's. libgit2 holds git's lock on it while it waits for the disk, and a kill in that
//! time leaves the lock: the user's next `git commit` fails. Here the new value is on disk before the lock is taken, so
//! that it is held for two system calls, and its content tells whose it is.

use super::Error;
use super::error::at;
use super::repo::{Git, LOCK_TRIES, LOCK_WAIT};
use crate::{fs, sys};
use git2::{Oid, Signature};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

pub(super) enum Move {
    Done,
    /// It is not where it was.
    Elsewhere,
    Locked,
}

impl Git {
    /// Points a reference of the user's at `to`, if it still is where `from` says (`None`: it does not exist).
    pub(super) fn move_ref(&self, name: &str, to: Oid, from: Option<Oid>) -> Result<Move, Error> {
        self.steps.next()?;
        // What it will name is on disk, with the directories that it is in.
        fs::sync_dir(&self.objects())?;
        let path = self.repo.commondir().join(name);
        let dir = fs::parent(&path);
        std::fs::create_dir_all(dir).map_err(at("create directory", dir))?;
        let prepared = self.prepared_ref();
        let write = || -> std::io::Result<()> {
            let mut file = std::fs::File::create(&prepared)?;
            file.write_all(format!("{to}\n").as_bytes())?;
            file.sync_all()
        };
        write().map_err(at("write", &prepared))?;
        let lock = self.lock_of(name);
        for attempt in 1.. {
            match sys::rename_new(&prepared, &lock) {
                Ok(()) => break,
                Err(error) if error.kind() == ErrorKind::AlreadyExists && attempt < LOCK_TRIES => {
                    std::thread::sleep(LOCK_WAIT);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    remove(&prepared)?;
                    return Ok(Move::Locked);
                }
                Err(error) => return Err(Error::io("write", &lock, error)),
            }
        }
        self.steps.next()?;
        if self.find_ref(name)? != from {
            remove(&lock)?;
            return Ok(Move::Elsewhere);
        }
        if let Err(error) = std::fs::rename(&lock, &path) {
            remove(&lock)?;
            return Err(Error::io("write", &path, error));
        }
        fs::sync_dir(dir)?;
        Ok(Move::Done)
    }

    /// As git notes it, where git notes it. That it was noted is no condition for anything; what could not be is told.
    pub(super) fn note_move(
        &self,
        logs: &[&str],
        (from, to): (Oid, Oid),
        who: &Signature<'_>,
        what: &str,
    ) -> Result<(), Error> {
        let when = who.when();
        let offset = when.offset_minutes();
        let zone = format!("{}{:02}{:02}", when.sign(), offset.abs() / 60, offset.abs() % 60);
        let (name, mail) = (who.name().unwrap_or_default(), who.email().unwrap_or_default());
        let line = format!("{from} {to} {name} <{mail}> {} {zone}\t{what}\n", when.seconds());
        let mut noted = Ok(());
        for log in logs {
            let dir = if *log == "HEAD" { self.repo.path() } else { self.repo.commondir() };
            let path = dir.join("logs").join(log);
            let written = std::fs::OpenOptions::new()
                .append(true)
                .open(&path)
                .and_then(|mut log| log.write_all(line.as_bytes()));
            match written {
                // Where git keeps no log, there is none to add to.
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    noted = Err(Error::io("write", &path, error));
                }
                _ => {}
            }
        }
        noted
    }

    /// Removes what a kill left of moving a reference there.
    pub(super) fn clear_left_move(&self, name: &str, to: Oid) -> Result<(), Error> {
        remove(&self.prepared_ref())?;
        let lock = self.lock_of(name);
        if std::fs::read(&lock).is_ok_and(|content| content == format!("{to}\n").as_bytes()) {
            remove(&lock)?;
        }
        Ok(())
    }

    fn prepared_ref(&self) -> PathBuf {
        self.repo.commondir().join(format!("specter-{}-reference", self.run.name()))
    }

    fn lock_of(&self, name: &str) -> PathBuf {
        self.repo.commondir().join(format!("{name}.lock"))
    }
}

pub(super) fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path, error)),
        _ => Ok(()),
    }
}
