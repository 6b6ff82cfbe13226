//! One specter per project: an advisory lock on a file that stays.
//!
//! The lock belongs to the open file and ends with the process, however it ends; so a dead holder is no obstacle and
//! nothing has to be removed. The file's text (who holds it) serves the message only and is never trusted.
//! The descriptor is close-on-exec. A process *forked* from this one without exec shares the lock and must close its
//! descriptors, or the lock outlives specter with it.

use crate::fs::{self, Process};
use std::fs::{File, TryLockError};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Held until dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    /// The file system has no locks: go on, and warn that nothing keeps a second specter away.
    pub unsupported: bool,
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
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock::held(file, command, since, false)),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {
                    return Ok(Lock::held(file, command, since, true));
                }
                Err(TryLockError::Error(error)) => return Err(fs::Error::io("lock", path, error).into()),
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
    fn held(file: File, command: &str, since: &str, unsupported: bool) -> Lock {
        let process = Process::this();
        let text = serde_json::json!({
            "pid": process.pid, "start": process.start, "host": host(), "since": since, "command": command,
        });
        let mut text = text.to_string().into_bytes();
        text.push(b'\n');
        if file.write_all_at(&text, 0).is_ok() {
            let _ = file.set_len(text.len() as u64);
        }
        Lock { _file: file, unsupported }
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
