//! One specter per project: an advisory lock on a file that stays.
//!
//! The lock belongs to the open file and ends with the process, however it ends; so a dead holder is no obstacle and
//! nothing has to be removed. The file's text (who holds it) serves the message only and is never trusted.
//! The descriptor is close-on-exec. A process *forked* from this one without exec shares the lock and must close its
//! descriptors, or the lock outlives specter with it.
//!
//! On NFS `flock` may block for ever although it was asked not to: there a record lock of the open file is taken
//! instead, and not waited for longer than a watchdog allows.

use crate::fs::{self, Process};
use crate::sys;
use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Held until dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    manner: Manner,
}

/// How a file system locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Whole,
    /// By a record lock: the file is on a server.
    Record,
    Never,
}

/// How long a server may take to answer.
const WATCHDOG: Duration = Duration::from_secs(2);

fn manner(file_system: Option<i64>) -> Manner {
    if file_system == Some(sys::NFS) { Manner::Record } else { Manner::Whole }
}

impl Manner {
    /// Whether the lock is ours now; the file comes back with the answer.
    fn try_lock(self, file: File) -> io::Result<(File, bool)> {
        match self {
            Manner::Whole => match file.try_lock() {
                Ok(()) => Ok((file, true)),
                Err(TryLockError::WouldBlock) => Ok((file, false)),
                Err(TryLockError::Error(error)) => Err(error),
            },
            Manner::Record => {
                within(WATCHDOG, move || sys::try_lock_record(&file).map(|is_ours| (file, is_ours)))
            }
            Manner::Never => Ok((file, true)),
        }
    }
}

/// Does `act` on a thread of its own, and leaves that behind when it takes too long.
fn within<T: Send + 'static>(
    limit: Duration,
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let acting = std::thread::Builder::new().name("lock".to_owned()).spawn(move || {
        // Nobody receives what comes too late.
        let _ = sender.send(act());
    })?;
    let result = receiver.recv_timeout(limit).map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
    // The caller may fork next: it must have one thread again.
    let _ = acting.join();
    result
}

/// Who holds the lock, by its own account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub pid: u32,
    pub host: String,
    /// RFC 3339.
    pub since: String,
    pub command: String,
    process_start: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another run holds the lock{}", held_by(holder.as_ref()))]
    Held { path: PathBuf, holder: Option<Holder> },
    #[error(transparent)]
    File(#[from] fs::Error),
}

fn held_by(holder: Option<&Holder>) -> String {
    use crate::text::safe;
    holder.map_or_else(String::new, |holder| {
        let Holder { pid, host, since, command, .. } = holder;
        format!(": `{}`, process {pid} on {}, since {}", safe(command), safe(host), safe(since))
    })
}

/// A holder takes the lock first and writes its name after; a reader that comes between waits this often, so long.
const NAME_TRIES: u32 = 20;
const NAME_WAIT: Duration = Duration::from_millis(5);

impl Lock {
    /// Takes the lock or says who has it, within a tenth of a second. `command` and `since` are for that message.
    pub fn acquire(path: &Path, command: &str, since: &str) -> Result<Lock, LockError> {
        let file = fs::open_private(path)?;
        let manner = manner(sys::file_system(&file).ok());
        Lock::acquire_by(manner, file, path, command, since)
    }

    /// What the user should know of a lock that is weaker than elsewhere.
    pub fn caveat(&self) -> Option<&'static str> {
        match self.manner {
            Manner::Whole => None,
            Manner::Record => {
                Some("the project is on NFS: the lock is as good as its server, across machines too")
            }
            Manner::Never => {
                Some("this file system has no locks: nothing keeps a second specter away from the project")
            }
        }
    }

    fn acquire_by(
        mut manner: Manner,
        mut file: File,
        path: &Path,
        command: &str,
        since: &str,
    ) -> Result<Lock, LockError> {
        let mut tries = 0;
        loop {
            file = match manner.try_lock(file) {
                Ok((file, true)) => return Ok(Lock::held(file, command, since, manner)),
                Ok((file, false)) => file,
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    manner = Manner::Never;
                    fs::open_private(path)?
                }
                Err(error) => return Err(fs::Error::io("lock", path, error).into()),
            };
            if manner == Manner::Never {
                continue;
            }
            let holder = read_holder(path).filter(Holder::may_be_alive);
            tries += 1;
            if holder.is_some() || tries == NAME_TRIES {
                return Err(LockError::Held { path: path.to_owned(), holder });
            }
            std::thread::sleep(NAME_WAIT);
        }
    }

    /// A full disk must not keep anyone from running: the text is only for messages.
    fn held(file: File, command: &str, since: &str, manner: Manner) -> Lock {
        let process = Process::this();
        let text = serde_json::json!({
            "pid": process.pid, "start": process.start, "host": host(), "since": since, "command": command,
        });
        let mut text = text.to_string().into_bytes();
        text.push(b'\n');
        if file.write_all_at(&text, 0).is_ok() {
            let _ = file.set_len(text.len() as u64);
        }
        Lock { _file: file, manner }
    }
}

impl Holder {
    /// A name left by a process that is gone is not the name of the one that holds the lock now.
    fn may_be_alive(&self) -> bool {
        self.host != host() || Process { pid: self.pid, start: self.process_start }.is_alive()
    }

    fn parse(text: &[u8]) -> Option<Holder> {
        let json: serde_json::Value = serde_json::from_slice(text).ok()?;
        let string = |key: &str| json[key].as_str().map(str::to_owned);
        Some(Holder {
            pid: u32::try_from(json["pid"].as_u64()?).ok()?,
            host: string("host")?,
            since: string("since")?,
            command: string("command")?,
            process_start: json["start"].as_u64()?,
        })
    }
}

fn read_holder(path: &Path) -> Option<Holder> {
    let mut text = Vec::new();
    fs::open_regular(path, false).ok()?.0.take(4096).read_to_end(&mut text).ok()?;
    Holder::parse(&text)
}

/// The machine's name, for the message and to know whether a process number is ours to look up.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "this machine".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nfs_is_locked_by_record() {
        assert_eq!(manner(Some(sys::NFS)), Manner::Record);
        assert_eq!(manner(Some(0xef53)), Manner::Whole);
        assert_eq!(manner(None), Manner::Whole);
    }

    #[test]
    fn a_record_lock_is_held_by_one_and_goes_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let acquire = || Lock::acquire_by(Manner::Record, fs::open_private(&path)?, &path, "specter", "now");
        let first = acquire().unwrap();
        assert!(matches!(acquire(), Err(LockError::Held { holder: Some(_), .. })));
        assert!(first.caveat().is_some());
        drop(first);
        assert!(acquire().is_ok());
    }

    #[test]
    fn a_server_that_does_not_answer_is_not_waited_for() {
        let (keep, never) = std::sync::mpsc::channel::<()>();
        let result = within(Duration::from_millis(20), move || {
            let _until_the_test_is_over = never.recv();
            Ok(())
        });
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(keep);
    }
}
