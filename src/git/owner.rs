//! The one thread that owns the repository: whatever touches it is asked of this thread and done one after the other,
//! so that no two workers ever meet at a lock of git.

use super::{Error, Git};
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;

type Job = Box<dyn FnOnce(&mut Git) + Send>;

/// The way to ask. Dropping it ends the thread once everything asked is done.
pub struct Owner {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Owner {
    /// Starts the thread with a repository.
    pub fn start(mut git: Git) -> std::io::Result<Owner> {
        let (jobs, asked) = mpsc::channel::<Job>();
        let thread = std::thread::Builder::new().name("git".to_owned()).spawn(move || {
            for job in asked {
                job(&mut git);
            }
        })?;
        Ok(Owner { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Waits until it is done.
    pub fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Git) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = mpsc::sync_channel(1);
        let job: Job = Box::new(move |git| {
            // Whoever asked may be gone; what was done is done.
            let _ = answer.send(work(git));
        });
        let jobs = self.jobs.as_ref().ok_or(Error::OwnerGone)?;
        jobs.send(job).map_err(|_| Error::OwnerGone)?;
        answered.recv().map_err(|_| Error::OwnerGone)?
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic in it has been reported by the hook already.
            let _ = thread.join();
        }
    }
}
