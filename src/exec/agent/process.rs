//! An agent's process from start to end: its prompt into its input, its two streams to a listener, a watchdog beside it, and
//! nothing of its tree left behind. What it says is the listener's business.

use super::super::life::{LOOK, Life, Runs, Setting};
use super::super::pipe::Printed;
use super::super::stop::Armed;
use super::feed::Feed;
use super::watchdog::{Sample, Verdict, Watchdog};
use crate::event::{QuietStage, Stop};
use crate::sys::{self, Ended, PidFd, Streams, Strings};
use std::ffi::CStr;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long output is read on after the process itself has ended: someone else holds the pipe.
const DRAIN: Duration = Duration::from_secs(1);
/// How long an agent that said it is done may take to go.
const LINGER: Duration = Duration::from_secs(30);

/// How an agent is called.
pub(super) struct Called<'a> {
    pub(super) program: &'a Arc<CStr>,
    pub(super) arguments: &'a Strings,
    pub(super) prompt: Vec<u8>,
    /// The signal by which it is asked to end what it does, before it is ended.
    pub(super) soft_stop: Option<i32>,
}

/// Who hears what the agent prints.
pub(super) trait Listener {
    fn out(&mut self, piece: &[u8]);
    fn err(&mut self, piece: &[u8]);
    /// What was heard so far that counts for the watchdog.
    fn heard(&self) -> Heard;
    /// A number that changes with the files of the workspace.
    fn files(&mut self) -> u64;
    /// For the agent's input; `unread` is what it has not read yet.
    fn say(&mut self, unread: usize) -> Vec<u8>;
    /// Its input can be closed.
    fn has_said_all(&self) -> bool;
    /// So much time has passed since the start; how long until it is to be told again.
    fn time(&mut self, now: Duration) -> Option<Duration>;
    /// It is to be ended. False if it need not be waited for.
    fn cancel(&mut self) -> bool;
    /// How long an agent that said it is done may take to go.
    fn linger(&self) -> Option<Duration>;
    /// Asks it whether it goes on. False where it hears nothing any more.
    fn nudge(&mut self) -> bool;
    /// It shows no sign of progress for so long.
    fn quiet(&mut self, stage: QuietStage, quiet: Duration);
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) news: u64,
    pub(super) open_calls: u32,
    /// The agent said that its turn is over, and nothing since.
    pub(super) is_done: bool,
}

/// Why it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Itself,
    /// It had said that it is done, and stayed.
    Stayed,
    TimedOut(Duration),
    Stalled(Duration),
    Stopped,
}

pub(super) struct End {
    pub(super) ended: Ended,
    pub(super) cause: Cause,
    pub(super) leaked: Vec<String>,
}

/// Starts the agent and returns when nothing of it lives any more. An error means that it could not be started.
pub(super) fn run(
    called: Called<'_>,
    setting: &Setting<'_>,
    watchdog: &mut Watchdog,
    listener: &mut dyn Listener,
) -> io::Result<End> {
    let Called { program, arguments, prompt, soft_stop } = called;
    let Setting { environment, dir, launcher, armed, .. } = *setting;
    let (input, feed) = Feed::new(prompt, listener.has_said_all())?;
    let ((out, out_into), (err, err_into)) = (sys::pipe()?, sys::pipe()?);
    let streams = Streams { input: input.as_fd(), out: out_into.as_fd(), err: err_into.as_fd() };
    let mut life = setting.begin(|| match setting.sandbox {
        None => launcher.start_with(program, arguments, environment, dir, streams),
        Some(sandbox) => sandbox.start_with(program, arguments, environment, dir, streams),
    })?;
    drop((input, out_into, err_into));
    life.watch_end();
    let [out, err] = [out, err].map(Printed::new);
    // Agents print much.
    out.grow();
    let mut agent =
        Agent { life, armed, listener, feed, out, err, exited: None, done: None, soft_stop, asked: None };
    let cause = agent.watch(watchdog);
    Ok(agent.finish(cause))
}

struct Agent<'a, 'b> {
    life: Life<'a>,
    armed: &'a Armed<'a>,
    listener: &'b mut dyn Listener,
    feed: Feed,
    out: Printed,
    err: Printed,
    /// When the process was seen to have ended.
    exited: Option<Instant>,
    /// When it was first seen to be done.
    done: Option<Instant>,
    soft_stop: Option<i32>,
    /// It was asked to end: no progress for this long.
    asked: Option<Duration>,
}

impl<'a> Runs<'a> for Agent<'a, '_> {
    fn life(&mut self) -> &mut Life<'a> {
        &mut self.life
    }

    /// Waits for one thing to happen, takes what was printed, gives what is read.
    fn turn(&mut self, wait: Option<Duration>) {
        // Once it has ended it would end every further wait at once.
        let ended = self.life.pidfd.as_ref().filter(|_| self.exited.is_none()).map(PidFd::as_fd);
        let wake = self.armed.wake.as_fd();
        let fds = [self.out.interest(), self.err.interest(), Some(wake), ended];
        let Ok(([out, err, wake, ended], may_write)) = sys::poll_writing(fds, self.feed.wanting(), wait)
        else {
            // Polling only fails for want of memory: look again soon.
            std::thread::sleep(LOOK);
            return;
        };
        if wake.any() {
            self.armed.wake.clear();
        }
        if may_write {
            self.feed.go_on();
        }
        self.out.take(out, |piece| self.listener.out(piece));
        self.err.take(err, |piece| self.listener.err(piece));
        if ended.any() {
            self.exited.get_or_insert_with(Instant::now);
        }
    }
}

impl Agent<'_, '_> {
    /// Until it has ended and its output too (or nearly), or it must be ended.
    fn watch(&mut self, watchdog: &mut Watchdog) -> Cause {
        let mut next_look = watchdog.pause(Duration::ZERO);
        loop {
            if self.life.stop.requested().is_some() {
                return Cause::Stopped;
            }
            if self.life.pidfd.is_none() && self.exited.is_none() && self.life.reap() {
                self.exited = Some(Instant::now());
            }
            let drained = self.exited.map(|at| DRAIN.saturating_sub(at.elapsed()));
            if drained.is_some_and(|left| left.is_zero() || (self.out.is_over() && self.err.is_over())) {
                return self.asked.map_or(Cause::Itself, Cause::Stalled);
            }
            if self.has_stayed() {
                return self.asked.map_or(Cause::Stayed, Cause::Stalled);
            }
            let now = self.life.spent(Instant::now());
            let told = self.converse(now);
            if now >= next_look {
                match self.look(now, watchdog) {
                    Verdict::Fine => next_look = now + watchdog.pause(now),
                    Verdict::Quiet(stage, quiet) => {
                        self.rouse(stage, quiet, watchdog.limit());
                        next_look = now + watchdog.pause(now);
                    }
                    Verdict::Stalled(limit) => return Cause::Stalled(limit),
                    Verdict::OutOfTime(limit) => return Cause::TimedOut(limit),
                }
            }
            let look = next_look.saturating_sub(now);
            self.turn(Some(self.wait(told.map_or(look, |told| told.min(look)), drained)));
        }
    }

    /// No progress for so long: what is done about it before it is ended.
    fn rouse(&mut self, stage: QuietStage, quiet: Duration, limit: Duration) {
        let is_told = match stage {
            QuietStage::Notice => true,
            // Who reads nothing after its prompt cannot be asked.
            QuietStage::Nudge => self.listener.nudge(),
            QuietStage::SoftStop => {
                self.asked = Some(limit);
                if !self.listener.cancel()
                    && let Some(signal) = self.soft_stop
                {
                    // It may just have ended; then there is nothing to signal.
                    let _ended = sys::kill_group(self.life.pid, signal);
                }
                true
            }
        };
        if is_told {
            self.listener.quiet(stage, quiet);
        }
    }

    /// Says what is to be said; how long until there may be something more.
    fn converse(&mut self, now: Duration) -> Option<Duration> {
        let next = self.listener.time(now);
        let said = self.listener.say(self.feed.unread());
        self.feed.push(&said);
        if self.listener.has_said_all() {
            self.feed.end();
        }
        next
    }

    /// Before its processes are ended it is asked to end its turn, so that its session stays good. Bounded by the listener.
    fn call_off(&mut self) {
        if self.exited.is_some() || !self.listener.cancel() {
            return;
        }
        while self.exited.is_none() && self.life.stop.requested() != Some(Stop::Now) {
            let Some(left) = self.converse(self.life.spent(Instant::now())) else { return };
            self.turn(Some(left.clamp(Duration::from_millis(1), LOOK * 10)));
            if self.life.pidfd.is_none() && self.life.reap() {
                return;
            }
        }
    }

    fn wait(&self, look: Duration, drained: Option<Duration>) -> Duration {
        let stayed = self.done.map(|at| self.linger().saturating_sub(at.elapsed()));
        // Without a descriptor for its end, or with all its output over, nothing wakes us when it ends.
        let blind = self.life.pidfd.is_none().then_some(LOOK);
        let waits = [drained, stayed, blind].into_iter().flatten();
        waits.fold(look, Duration::min).max(Duration::from_millis(1))
    }

    /// It said that it is done, and neither went nor did anything since.
    fn has_stayed(&mut self) -> bool {
        if !self.listener.heard().is_done {
            self.done = None;
            return false;
        }
        self.done.get_or_insert_with(Instant::now).elapsed() >= self.linger()
    }

    fn linger(&self) -> Duration {
        self.listener.linger().unwrap_or(LINGER)
    }

    fn look(&mut self, now: Duration, watchdog: &mut Watchdog) -> Verdict {
        let members = self.life.trees.members(self.life.owner);
        let ticks: u64 = members.iter().map(|process| process.cpu).sum();
        let heard = self.listener.heard();
        let files = watchdog.wants_files(now).then(|| self.listener.files());
        let sample = Sample {
            news: heard.news,
            cpu: sys::tick() * u32::try_from(ticks).unwrap_or(u32::MAX),
            processes: members.len() as u32,
            open_calls: heard.open_calls,
            files,
        };
        watchdog.look(now, &sample)
    }

    fn finish(mut self, cause: Cause) -> End {
        if matches!(cause, Cause::Stopped | Cause::TimedOut(_) | Cause::Stalled(_)) {
            self.call_off();
        }
        let leaked = self.clear(cause == Cause::Itself);
        self.out.drain(|piece| self.listener.out(piece));
        self.err.drain(|piece| self.listener.err(piece));
        End { ended: self.life.ended(), cause, leaked }
    }
}
