//! A started process until nothing of it lives any more: reaping it, and ending its whole tree when it is to end. What it
//! prints is read by whoever runs it, also while it ends.

use super::sandbox::Sandbox;
use super::stop::{Armed, StopHandle};
use super::tree::{Owner, Trees};
use crate::event::Stop;
use crate::sys::{self, Ended, How, Launcher, Pid, PidFd, Strings};
use std::collections::HashSet;
use std::ffi::CStr;
use std::io;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

/// How often an ending tree is looked at.
pub(super) const LOOK: Duration = Duration::from_millis(10);
/// How long a killed process may take to be gone.
const KILLED: Duration = Duration::from_secs(5);

/// What a process is started with and ended by, whatever it is.
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
    /// Between TERM and KILL.
    pub(super) grace: Duration,
}

impl<'a> Setting<'a> {
    /// What `start` starts, from its first moment on.
    pub(super) fn begin(&self, start: impl FnOnce() -> io::Result<Pid>) -> io::Result<Life<'a>> {
        let Setting { trees, stop, token, grace, .. } = *self;
        let started = Instant::now();
        let pid = stop.enter(start)?;
        trees.live().add(pid);
        let owner = Owner { leader: pid, token };
        Ok(Life { pid, owner, trees, stop, grace, started, pidfd: None, reaped: None })
    }
}

/// One process, the leader of its session.
pub(super) struct Life<'a> {
    pub(super) pid: Pid,
    pub(super) owner: Owner<'a>,
    pub(super) trees: &'a Trees,
    pub(super) stop: &'a StopHandle,
    grace: Duration,
    pub(super) started: Instant,
    /// Opened when the process does not end soon.
    pub(super) pidfd: Option<PidFd>,
    reaped: Option<Ended>,
}

impl Life<'_> {
    /// Since the start, without the time paused.
    pub(super) fn spent(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started).saturating_sub(self.stop.paused(now))
    }

    /// Without it (no descriptor left) the end of output has to do.
    pub(super) fn watch_end(&mut self) {
        if self.pidfd.is_none() {
            self.pidfd = PidFd::open(self.pid).ok();
        }
    }

    pub(super) fn reap(&mut self) -> bool {
        if self.reaped.is_none() {
            let pid = self.pid;
            self.reaped = self.stop.leave(|| match sys::try_wait(pid) {
                Ok(ended) => ended,
                // Not ours any more: whoever took it took its figures too.
                Err(_) => Some(unknown_end()),
            });
            if self.reaped.is_some() {
                self.trees.live().remove(pid);
            }
        }
        self.reaped.is_some()
    }

    /// The process has ended or was killed; it is gone in a moment.
    fn await_reap(&mut self) {
        let limit = Instant::now() + KILLED;
        while !self.reap() && Instant::now() < limit {
            self.watch_end();
            let ended = self.pidfd.as_ref().map(PidFd::as_fd);
            let _looked = sys::poll([ended], Some(LOOK));
        }
        if self.reaped.is_none() {
            self.stop.leave(|| Some(()));
            self.trees.live().remove(self.pid);
        }
    }

    /// How it ended, once it was reaped.
    pub(super) fn ended(&self) -> Ended {
        self.reaped.unwrap_or_else(unknown_end)
    }
}

/// Who runs a process and reads what it prints.
pub(super) trait Runs<'a> {
    fn life(&mut self) -> &mut Life<'a>;

    /// Waits for one thing to happen and takes what was printed.
    fn turn(&mut self, wait: Option<Duration>);

    /// Nothing of the process lives afterwards; says what of it was still there, or cannot be killed. `is_ended`: it ended by
    /// itself.
    fn clear(&mut self, is_ended: bool) -> Vec<String> {
        let mut leaked = Vec::new();
        if !is_ended && !self.end_tree() {
            let life = self.life();
            let left = life.trees.members(life.owner);
            leaked.extend(left.iter().map(|process| format!("{} cannot be killed", process.describe())));
        }
        let life = self.life();
        life.await_reap();
        leaked.extend(life.trees.clear(life.owner));
        leaked
    }

    /// TERM to all, the grace period, KILL to what is left. False if something could not be killed.
    fn end_tree(&mut self) -> bool {
        if self.life().stop.requested() != Some(Stop::Now) {
            self.ask_tree();
        }
        let life = self.life();
        let is_over = life.trees.kill(life.owner);
        // A process whose first thread has ended looks ended while others of its threads live on. Not reaped yet, so
        // the number is still its own.
        let _usually_gone = sys::kill_group(life.pid, sys::SIGKILL);
        is_over
    }

    /// Asks, and reads on while the tree ends, until the grace is over or the caller wants it gone now.
    fn ask_tree(&mut self) {
        let limit = Instant::now() + self.life().grace;
        let mut look = Duration::from_millis(1);
        let mut asked = HashSet::new();
        self.life().watch_end();
        while Instant::now() < limit && self.life().stop.requested() != Some(Stop::Now) {
            let life = self.life();
            if life.trees.ask_all(life.owner, &mut asked) == 0 {
                return;
            }
            self.turn(Some(look));
            look = (look * 2).min(LOOK * 5);
        }
    }
}

fn unknown_end() -> Ended {
    Ended { how: How::Signal(sys::SIGKILL), cpu: Duration::ZERO, max_rss_kb: 0, read_kb: 0, written_kb: 0 }
}
