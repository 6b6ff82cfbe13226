//! One process from start to end: read what it prints, watch the clock and the stop handle, end its whole tree when
//! asked to, reap it, and leave nothing of it behind.
//!
//! Common case, in system calls: pipe, spawn, close, poll, close, wait4 (and about every second time pidfd_open, poll,
//! wait4, close), kill (is the group empty?), pread (are there orphans?). Everything else happens only to processes that print, linger, or leave something behind.

use super::capture::Capture;
use super::command::Command;
use super::jobserver::Jobserver;
use super::life::{LOOK, Life, Runs};
use super::sandbox::Sandbox;
use super::stop::{Armed, StopHandle};
use super::tree::Trees;
use crate::sys::{self, Ended, Launcher, PidFd, Strings};
use std::cell::RefCell;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// Until then the end of a process is expected to show as the end of its output alone.
const SHORT: Duration = Duration::from_millis(50);
/// How long output is read on after the process itself has ended: someone else holds the pipe.
const DRAIN: Duration = Duration::from_millis(200);
const BUFFER: usize = 64 * 1024;
/// Whoever prints this much gets a larger pipe.
const MUCH: u64 = 1 << 20;

/// What a process is run with.
pub(super) struct Setting<'a> {
    pub(super) launcher: &'a Launcher,
    /// Starts it instead of the launcher, if there is one.
    pub(super) sandbox: Option<&'a Sandbox>,
    pub(super) trees: &'a Trees,
    pub(super) stop: &'a StopHandle,
    pub(super) armed: &'a Armed<'a>,
    pub(super) environment: [&'a Strings; 2],
    pub(super) dir: Option<&'a CStr>,
    /// Value of the token in the environment.
    pub(super) token: &'a [u8],
    pub(super) limit: Option<Duration>,
    pub(super) grace: Duration,
    /// Where a token for the attempt is to be had, if it has none.
    pub(super) short_of: Option<&'a Jobserver>,
}

/// Why a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Itself,
    TimedOut(Duration),
    Stopped,
}

pub(super) struct End {
    pub(super) ended: Ended,
    pub(super) cause: Cause,
    pub(super) leaked: Vec<String>,
}

/// Starts `command` and returns when nothing of it lives any more. An error means that it could not be started.
pub(super) fn run(command: &Command, setting: &Setting<'_>, capture: &mut Capture<'_>) -> io::Result<End> {
    let started = Instant::now();
    let (out, into) = sys::pipe()?;
    let Setting { environment, dir, launcher, .. } = *setting;
    let pid = setting.stop.enter(|| match setting.sandbox {
        None => launcher.start(&command.program, &command.arguments, environment, dir, into.as_fd()),
        Some(sandbox) => sandbox.start(command, environment, dir, into.as_fd()),
    })?;
    let life = Life::new(pid, setting.token, setting.trees, setting.stop, setting.grace);
    drop(into);
    let mut child = Child {
        life,
        setting,
        short_of: setting.short_of,
        capture,
        started,
        out: Some(out),
        is_new: true,
        exited: None,
    };
    let cause = child.watch();
    Ok(child.finish(cause))
}

struct Child<'a, 'b> {
    life: Life<'a>,
    setting: &'a Setting<'a>,
    /// Until it has one.
    short_of: Option<&'a Jobserver>,
    capture: &'a mut Capture<'b>,
    started: Instant,
    /// `None` after the end of output.
    out: Option<OwnedFd>,
    /// Not waited for yet.
    is_new: bool,
    /// When the process was seen to have ended.
    exited: Option<Instant>,
}

impl<'a> Runs<'a> for Child<'a, '_> {
    fn life(&mut self) -> &mut Life<'a> {
        &mut self.life
    }

    fn turn(&mut self, wait: Option<Duration>) {
        self.turn(wait);
    }
}

impl Child<'_, '_> {
    /// Until the process has ended and its output too (or nearly), or it must be ended.
    fn watch(&mut self) -> Cause {
        loop {
            // Output mostly ends a moment before the process: not reaped yet, the next turn waits for its end.
            if self.out.is_none() && (self.exited.is_some() || self.life.reap()) {
                return Cause::Itself;
            }
            if self.setting.stop.requested().is_some() {
                return Cause::Stopped;
            }
            let wait = match self.time_left() {
                Left::Forever => None,
                Left::Some(wait) => Some(wait),
                Left::Drained => return Cause::Itself,
                Left::TimedOut(limit) => return Cause::TimedOut(limit),
            };
            self.turn(wait);
        }
    }

    /// How long the next wait may be.
    fn time_left(&mut self) -> Left {
        let fresh = self.life.pidfd.is_none();
        if fresh && self.setting.limit.is_none_or(|limit| limit >= SHORT) && self.out.is_some() {
            // The first wait needs no clock: it begins where the process began.
            if std::mem::replace(&mut self.is_new, false) {
                return Left::Some(SHORT);
            }
            let spent = self.started.elapsed();
            if spent < SHORT {
                return Left::Some(SHORT.saturating_sub(spent));
            }
        }
        if fresh {
            self.life.watch_end();
        }
        let now = Instant::now();
        if let Some(at) = self.exited {
            return match (at + DRAIN).checked_duration_since(now) {
                Some(left) if !left.is_zero() => Left::Some(left),
                _ => Left::Drained,
            };
        }
        let slow_look = self.life.pidfd.is_none().then_some(SHORT);
        let Some(limit) = self.setting.limit else { return slow_look.map_or(Left::Forever, Left::Some) };
        let spent = self.spent(now);
        if spent >= limit {
            return Left::TimedOut(limit);
        }
        let left = limit.saturating_sub(spent);
        Left::Some(slow_look.map_or(left, |look| look.min(left)))
    }

    /// Since the start, without the time paused.
    fn spent(&self, now: Instant) -> Duration {
        let all = now.saturating_duration_since(self.started);
        all.saturating_sub(self.setting.stop.paused(now))
    }

    /// Waits for one thing to happen and takes what was printed.
    fn turn(&mut self, wait: Option<Duration>) {
        let out = self.out.as_ref().map(OwnedFd::as_fd);
        // Once it has ended it would end every further wait at once.
        let ended = self.life.pidfd.as_ref().filter(|_| self.exited.is_none()).map(PidFd::as_fd);
        let wake = self.setting.armed.wake.as_fd();
        let token = self.short_of.map(Jobserver::as_fd);
        let Ok([out, wake, ended, token]) = sys::poll([out, Some(wake), ended, token], wait) else {
            // Polling only fails for want of memory: look again soon.
            std::thread::sleep(LOOK);
            return;
        };
        if wake.any() {
            self.setting.armed.wake.clear();
        }
        if out.readable {
            self.take();
        } else if out.hung_up {
            self.out = None;
        }
        if token.any() {
            self.short_of = self.short_of.filter(|server| server.catch_up());
        }
        if ended.any() {
            self.exited = Some(Instant::now());
        }
    }

    /// Reads once.
    fn take(&mut self) {
        thread_local! { static PIECE: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]); }
        let Some(out) = &self.out else { return };
        let before = self.capture.bytes;
        let more = PIECE.with_borrow_mut(|piece| match sys::read(out.as_fd(), piece) {
            Ok(n) if n > 0 => {
                self.capture.push(&piece[..n]);
                true
            }
            _ => false,
        });
        if before < MUCH && self.capture.bytes >= MUCH {
            sys::grow_pipe(out.as_fd(), MUCH as u32);
        }
        if !more {
            self.out = None;
        }
    }

    fn finish(mut self, cause: Cause) -> End {
        let leaked = self.clear(cause == Cause::Itself);
        self.drain();
        self.capture.end_of_stream();
        End { ended: self.life.ended(), cause, leaked }
    }

    /// What is still in the pipe, without waiting for more: bounded by what a pipe holds and not by time, or a busy
    /// machine would lose the end of it.
    fn drain(&mut self) {
        let limit = self.capture.bytes + 2 * MUCH;
        while let Some(out) = &self.out {
            match sys::poll([Some(out.as_fd())], Some(Duration::ZERO)) {
                Ok([ready]) if ready.readable && self.capture.bytes < limit => self.take(),
                _ => self.out = None,
            }
        }
    }
}

/// How long to wait next.
enum Left {
    Forever,
    Some(Duration),
    /// The process has ended and its output was read on for long enough.
    Drained,
    TimedOut(Duration),
}
