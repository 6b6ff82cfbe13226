//! Ending, pausing and resuming a running attempt from another thread, at any moment of its life.
//!
//! The worker alone ends processes; this tells it to, and wakes it. Pausing is done by the caller itself, because
//! the whole of specter is about to be stopped. The lock makes sure that a signal never meets a reused process id.

use crate::event::Stop;
use crate::sys::{self, Pid, Wake};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const RUN: u8 = 0;
const GRACEFULLY: u8 = 1;
const NOW: u8 = 2;

/// Shared between the worker that runs an attempt and whoever may stop it. One per attempt, or one per worker with
/// [`StopHandle::reset`] in between.
#[derive(Debug, Default)]
pub struct StopHandle {
    state: AtomicU8,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Of the worker thread, while an attempt runs.
    wake: Option<Arc<Wake>>,
    /// The session of the process that runs now and is not reaped yet.
    group: Option<Pid>,
    paused_since: Option<Instant>,
    paused: Duration,
    /// The bell was rung since the attempt began.
    rung: bool,
}

impl StopHandle {
    pub fn new() -> StopHandle {
        StopHandle::default()
    }

    /// Ready for the next attempt.
    pub fn reset(&self) {
        self.state.store(RUN, Ordering::Release);
        *self.lock() = Inner::default();
    }

    /// Asks the attempt to end. The stricter of several requests holds.
    pub fn stop(&self, how: Stop) {
        let state = match how {
            Stop::Gracefully => GRACEFULLY,
            Stop::Now => NOW,
        };
        self.state.fetch_max(state, Ordering::AcqRel);
        self.lock().ring();
    }

    pub fn requested(&self) -> Option<Stop> {
        match self.state.load(Ordering::Acquire) {
            RUN => None,
            GRACEFULLY => Some(Stop::Gracefully),
            _ => Some(Stop::Now),
        }
    }

    /// Stops the processes where they are. Returns when the signal is sent, so the caller may stop itself then.
    pub fn pause(&self) {
        let mut inner = self.lock();
        if inner.paused_since.is_none() {
            inner.paused_since = Some(Instant::now());
            // A session of its own has no terminal that could stop it: the system would ignore SIGTSTP.
            inner.signal(sys::SIGSTOP);
        }
    }

    /// Lets them go on. The time between is not charged to any time-out.
    pub fn resume(&self) {
        let mut inner = self.lock();
        if let Some(since) = inner.paused_since.take() {
            inner.paused += since.elapsed();
            inner.signal(sys::SIGCONT);
            inner.ring();
        }
    }

    /// How long the attempt has been paused so far.
    pub(super) fn paused(&self, now: Instant) -> Duration {
        let inner = self.lock();
        let current = inner.paused_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        inner.paused + current
    }

    /// From here until the guard is dropped, `stop` wakes the calling thread.
    pub(super) fn arm(&self) -> std::io::Result<Armed<'_>> {
        thread_local! { static WAKE: std::cell::RefCell<Option<Arc<Wake>>> = const { std::cell::RefCell::new(None) }; }
        let wake = WAKE.with_borrow_mut(|kept| match kept {
            Some(wake) => Ok(Arc::clone(wake)),
            None => Wake::new().map(|wake| Arc::clone(kept.insert(Arc::new(wake)))),
        })?;
        self.lock().wake = Some(Arc::clone(&wake));
        Ok(Armed { stop: self, wake })
    }

    /// Starts a process that leads a group: pausing reaches it from now on. The lock is held while it starts: whoever
    /// pauses stops all of specter next, and a process known only to a stopped thread would run on.
    pub(super) fn enter(&self, start: impl FnOnce() -> std::io::Result<Pid>) -> std::io::Result<Pid> {
        let mut inner = self.lock();
        let group = start()?;
        inner.group = Some(group);
        if inner.paused_since.is_some() {
            inner.signal(sys::SIGSTOP);
        }
        Ok(group)
    }

    /// Reaps the leader by `reap`, forgetting it in the same moment.
    pub(super) fn leave<T>(&self, reap: impl FnOnce() -> Option<T>) -> Option<T> {
        let mut inner = self.lock();
        let reaped = reap();
        if reaped.is_some() {
            inner.group = None;
        }
        reaped
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn ring(&mut self) {
        if let Some(wake) = &self.wake {
            wake.ring();
            self.rung = true;
        }
    }

    fn signal(&self, signal: i32) {
        if let Some(group) = self.group {
            // It may just have ended; then there is nothing to signal.
            let _ended = sys::kill_group(group, signal);
        }
    }
}

/// See [`StopHandle::arm`].
pub(super) struct Armed<'a> {
    stop: &'a StopHandle,
    pub(super) wake: Arc<Wake>,
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        let mut inner = self.stop.lock();
        inner.wake = None;
        // The bell belongs to the thread: a ring meant for this attempt must not reach the next.
        if std::mem::take(&mut inner.rung) {
            self.wake.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_request_holds() {
        let stop = StopHandle::new();
        assert_eq!(stop.requested(), None);
        stop.stop(Stop::Now);
        stop.stop(Stop::Gracefully);
        assert_eq!(stop.requested(), Some(Stop::Now));
        stop.reset();
        assert_eq!(stop.requested(), None);
    }

    #[test]
    fn time_paused_adds_up_and_ends_with_resume() {
        let stop = StopHandle::new();
        stop.pause();
        let later = Instant::now() + Duration::from_secs(5);
        assert!(stop.paused(later) >= Duration::from_secs(5) - Duration::from_millis(1));
        stop.resume();
        assert!(stop.paused(later) < Duration::from_secs(5));
    }
}
