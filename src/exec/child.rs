//! One process from start to end: read what it prints, watch the clock and the stop handle, end its whole tree when
//! asked to, reap it, and leave nothing of it behind.
//!
//! Common case, in system calls: pipe, spawn, close, poll, close, wait4 (and about every second time pidfd_open, poll,
//! wait4, close), kill (is the group empty?), pread (are there orphans?). Everything else happens only to processes that print, linger, or leave something behind.

use super::capture::Capture;
use super::command::Command;
use super::jobserver::Jobserver;
use super::life::{LOOK, Life, Runs, Setting};
use super::pipe::{MUCH, Printed};
use crate::sys::{self, Ended, PidFd, Ready};
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Until then the end of a process is expected to show as the end of its output alone.
const SHORT: Duration = Duration::from_millis(50);
/// How long output is read on after the process itself has ended: someone else holds the pipe.
const DRAIN: Duration = Duration::from_millis(200);

/// What a process may use.
pub(super) struct Bounds<'a> {
    pub(super) time: Option<Duration>,
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
pub(super) fn run(
    command: &Command,
    setting: &Setting<'_>,
    bounds: Bounds<'_>,
    capture: &mut Capture<'_>,
) -> io::Result<End> {
    let (out, into) = sys::pipe()?;
    let Setting { environment, dir, launcher, .. } = *setting;
    let life = setting.begin(|| match setting.sandbox {
        None => launcher.start(&command.program, &command.arguments, environment, dir, into.as_fd()),
        Some(sandbox) => sandbox.start(command, environment, dir, into.as_fd()),
    })?;
    drop(into);
    let out = Printed::new(out);
    let mut child = Child { life, setting, bounds, capture, out, is_new: true, exited: None };
    let cause = child.watch();
    Ok(child.finish(cause))
}

struct Child<'a, 'b> {
    life: Life<'a>,
    setting: &'a Setting<'a>,
    bounds: Bounds<'a>,
    capture: &'a mut Capture<'b>,
    out: Printed,
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
            if self.out.is_over() && (self.exited.is_some() || self.life.reap()) {
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
        if fresh && self.bounds.time.is_none_or(|limit| limit >= SHORT) && !self.out.is_over() {
            // The first wait needs no clock: it begins where the process began.
            if std::mem::replace(&mut self.is_new, false) {
                return Left::Some(SHORT);
            }
            let spent = self.life.started.elapsed();
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
        let Some(limit) = self.bounds.time else { return slow_look.map_or(Left::Forever, Left::Some) };
        let spent = self.life.spent(now);
        if spent >= limit {
            return Left::TimedOut(limit);
        }
        let left = limit.saturating_sub(spent);
        Left::Some(slow_look.map_or(left, |look| look.min(left)))
    }

    /// Waits for one thing to happen and takes what was printed.
    fn turn(&mut self, wait: Option<Duration>) {
        let out = self.out.interest();
        // Once it has ended it would end every further wait at once.
        let ended = self.life.pidfd.as_ref().filter(|_| self.exited.is_none()).map(PidFd::as_fd);
        let wake = self.setting.armed.wake.as_fd();
        let token = self.bounds.short_of.map(Jobserver::as_fd);
        let Ok([out, wake, ended, token]) = sys::poll([out, Some(wake), ended, token], wait) else {
            // Polling only fails for want of memory: look again soon.
            std::thread::sleep(LOOK);
            return;
        };
        if wake.any() {
            self.setting.armed.wake.clear();
        }
        self.take(out);
        if token.any() {
            self.bounds.short_of = self.bounds.short_of.filter(|server| server.catch_up());
        }
        if ended.any() {
            self.exited = Some(Instant::now());
        }
    }

    fn take(&mut self, ready: Ready) {
        let before = self.capture.bytes;
        self.out.take(ready, |piece| self.capture.push(piece));
        if before < u64::from(MUCH) && self.capture.bytes >= u64::from(MUCH) {
            self.out.grow();
        }
    }

    fn finish(mut self, cause: Cause) -> End {
        let leaked = self.clear(cause == Cause::Itself);
        self.out.drain(|piece| self.capture.push(piece));
        self.capture.end_of_stream();
        End { ended: self.life.ended(), cause, leaked }
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
