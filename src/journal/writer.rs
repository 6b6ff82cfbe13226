//! Appending frames, and making them durable.
//!
//! [`Journal::append`] is one `write`: it survives the death of the process. [`Syncer::sync`] is one `fdatasync` for
//! everything appended so far: it survives power loss. They are separate so that a thread of its own can sync while
//! tasks go on. A failure of either is final: after a failed `fdatasync` the kernel may have dropped the pages, and
//! after a failed write the file may end in half a frame. Both are repaired by the next run that resumes.

use super::lock::Lock;
use super::reader::Loaded;
use super::{frame, store};
use crate::event::Event;
use crate::fs;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What writer and syncer know of each other.
#[derive(Debug, Default)]
struct Shared {
    appended: AtomicU64,
    synced: AtomicU64,
    failed: AtomicBool,
    /// The way to the journal was made durable by this process.
    names_synced: AtomicBool,
}

impl Shared {
    fn check(&self) -> io::Result<()> {
        if self.failed.load(Ordering::Acquire) {
            return Err(io::Error::other("the journal failed before; nothing more can be recorded"));
        }
        Ok(())
    }

    fn fail(&self, error: io::Error) -> io::Error {
        self.failed.store(true, Ordering::Release);
        error
    }
}

/// The journal of one run, open for appending. One owner; the lock is held.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    shared: Arc<Shared>,
}

impl Journal {
    /// A new journal in the new directory of a run.
    pub fn create(run_dir: &Path, _held: &Lock) -> Result<Journal, fs::Error> {
        let path = run_dir.join(store::JOURNAL);
        let file = fs::create_new(&path)?;
        Ok(Journal::new(path, file, 0))
    }

    /// Goes on with a journal that was read: cuts its torn tail and makes what was read durable.
    ///
    /// On return everything `loaded` holds is on disk, so what follows from it may be acted on.
    pub fn resume(run_dir: &Path, loaded: &Loaded, _held: &Lock) -> Result<Journal, fs::Error> {
        let path = run_dir.join(store::JOURNAL);
        let file = fs::open_append_existing(&path)?;
        let length = file.metadata().map_err(|error| fs::Error::io("inspect", &path, error))?.len();
        if length != loaded.good_len {
            file.set_len(loaded.good_len).map_err(|error| fs::Error::io("cut the end of", &path, error))?;
        }
        file.sync_all().map_err(|error| fs::Error::io("sync", &path, error))?;
        sync_names(run_dir)?;
        let journal = Journal::new(path, file, loaded.frames);
        journal.shared.synced.store(loaded.frames, Ordering::Release);
        journal.shared.names_synced.store(true, Ordering::Release);
        Ok(journal)
    }

    fn new(path: PathBuf, file: File, frames: u64) -> Journal {
        let shared = Shared { appended: AtomicU64::new(frames), ..Shared::default() };
        Journal { path, file, buffer: Vec::with_capacity(4096), shared: Arc::new(shared) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends the events of one decision as one frame, with one write. No events, no frame.
    pub fn append(&mut self, events: &[Event]) -> io::Result<()> {
        self.shared.check()?;
        if events.is_empty() {
            return Ok(());
        }
        let number = self.shared.appended.load(Ordering::Relaxed) + 1;
        let synced = self.shared.synced.load(Ordering::Relaxed);
        frame::encode(&mut self.buffer, number, synced, events)?;
        self.file.write_all(&self.buffer).map_err(|error| self.shared.fail(named(&self.path, error)))?;
        self.shared.appended.store(number, Ordering::Release);
        Ok(())
    }

    /// Frames appended so far, those of earlier sessions included.
    pub fn appended(&self) -> u64 {
        self.shared.appended.load(Ordering::Acquire)
    }

    /// For the thread that makes appended frames durable.
    pub fn syncer(&self) -> io::Result<Syncer> {
        let run_dir = fs::parent(&self.path).to_owned();
        Ok(Syncer { file: self.file.try_clone()?, run_dir, shared: Arc::clone(&self.shared) })
    }
}

/// The system's kind of error, with file and operation in words.
fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), fs::Error::io("write", path, error))
}

/// Makes the way to the journal durable: run directory, `runs`, the state directory, the project. All of them each
/// time, because an earlier process may have made a directory and died before it synced the one above.
fn sync_names(run_dir: &Path) -> Result<(), fs::Error> {
    run_dir.ancestors().take(4).filter(|dir| !dir.as_os_str().is_empty()).try_for_each(fs::sync_dir)
}

/// Makes appended frames durable.
#[derive(Debug)]
pub struct Syncer {
    file: File,
    run_dir: PathBuf,
    shared: Arc<Shared>,
}

impl Syncer {
    /// Makes the way to the journal durable, while there is nothing else to wait for: [`Syncer::sync`] need not do it
    /// then.
    pub fn prepare(&mut self) -> Result<(), fs::Error> {
        self.sync_names_once().inspect_err(|_| self.shared.failed.store(true, Ordering::Release))
    }

    /// Everything appended before this call is on disk when it returns; gives the number of frames that are.
    pub fn sync(&mut self) -> Result<u64, fs::Error> {
        let failed = |error| fs::Error::io("sync", &self.run_dir.join(store::JOURNAL), error);
        self.shared.check().map_err(failed)?;
        let appended = self.shared.appended.load(Ordering::Acquire);
        if appended > self.durable() {
            let synced = self.file.sync_data().map_err(failed);
            synced
                .and_then(|()| self.sync_names_once())
                .inspect_err(|_| self.shared.failed.store(true, Ordering::Release))?;
            self.shared.synced.store(appended, Ordering::Release);
        }
        Ok(appended)
    }

    /// Frames known to be on disk.
    pub fn durable(&self) -> u64 {
        self.shared.synced.load(Ordering::Acquire)
    }

    fn sync_names_once(&mut self) -> Result<(), fs::Error> {
        if !self.shared.names_synced.load(Ordering::Acquire) {
            sync_names(&self.run_dir)?;
            self.shared.names_synced.store(true, Ordering::Release);
        }
        Ok(())
    }
}
