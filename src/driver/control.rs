//! The control thread: signals, timers, the live screen, edits of the task file. Everything that waits, waits here.
//!
//! It runs no attempt and writes no record; it brings inputs to the hub and keeps the pool as large as its work.

use super::hub::Hub;
use super::machine::{Change, Machine};
use super::pool::Pool;
use super::screen::Screen;
use crate::clock::Clock;
use crate::event::{Elapsed, Stop};
use crate::journal::answers::{self, Answer};
use crate::schedule::Input;
use crate::sys;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGHUP come from systems that kill soon after: what has not ended by then is killed in order.
const SHORT_GRACE: Duration = Duration::from_secs(3);
/// Longer than any wait; a wake-up for nothing is harmless.
const FAR: Duration = Duration::from_hours(1);
/// While something is asked, answers are looked for so often.
const ANSWERS: Duration = Duration::from_secs(1);

pub(super) struct Control {
    pub(super) hub: Arc<Hub>,
    pub(super) pool: Pool,
    pub(super) screen: Arc<Screen>,
    /// None where nothing has a floor.
    pub(super) machine: Option<Machine>,
    pub(super) clock: Clock,
    /// Where answers to agents' questions are left.
    pub(super) run_dir: PathBuf,
    /// Those that were taken up: they are removed once the run's record is whole.
    pub(super) answers: Vec<PathBuf>,
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    suspend: Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            suspend: signal(SignalKind::from_raw(sys::SIGTSTP))?,
        })
    }
}

impl Control {
    /// Until the run is over; returns the answers that were taken up. The pool's threads are joined before this returns.
    pub(super) fn run(mut self) -> io::Result<Vec<PathBuf>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let result = runtime.block_on(self.watch());
        self.pool.join();
        result.map(|()| self.answers)
    }

    async fn watch(&mut self) -> io::Result<()> {
        let mut signals = Signals::new()?;
        let every = self.screen.tick_every();
        let mut ticks = tokio::time::interval(every.unwrap_or(FAR));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut patience: Option<(Elapsed, i32, &'static str)> = None;
        let mut interrupts = 0;
        // Before anything starts.
        self.look();
        self.hub.input(Input::Begin);
        while !self.hub.is_over() {
            self.take_answers();
            self.grow();
            self.look();
            let now = self.clock.now();
            if let Some((_, signal, name)) = patience.take_if(|(end, ..)| *end <= now) {
                self.interrupt(signal, name, Stop::Now);
            }
            let look = self.machine.as_ref().map(Machine::next);
            let answers = self.hub.is_asked().then_some(now + ANSWERS);
            let next = [self.hub.next_wakeup(), patience.map(|(end, ..)| end), look, answers]
                .into_iter()
                .flatten()
                .min();
            let wait = next.map_or(FAR, |at| at.saturating_sub(now));
            tokio::select! {
                biased;
                _ = signals.interrupt.recv() => {
                    interrupts += 1;
                    self.interrupt(2, "SIGINT", if interrupts > 1 { Stop::Now } else { Stop::Gracefully });
                }
                _ = signals.terminate.recv() => {
                    self.interrupt(15, "SIGTERM", Stop::Gracefully);
                    patience.get_or_insert((now + SHORT_GRACE, 15, "SIGTERM"));
                }
                _ = signals.hang_up.recv() => {
                    self.interrupt(1, "SIGHUP", Stop::Gracefully);
                    patience.get_or_insert((now + SHORT_GRACE, 1, "SIGHUP"));
                }
                _ = signals.suspend.recv() => self.suspend(),
                () = self.hub.control.notified() => {}
                () = tokio::time::sleep(wait) => self.hub.wake_up(),
                _ = ticks.tick(), if every.is_some() => self.screen.tick(self.clock.now(), &self.hub),
            }
        }
        Ok(())
    }

    /// What people answered since the last look.
    fn take_answers(&mut self) {
        if !self.hub.is_asked() {
            return;
        }
        for left in answers::left(&self.run_dir) {
            if !self.answers.contains(&left.path) {
                let Answer { task, attempt, answer } = &left.answer;
                if self.hub.answer(task, *attempt, answer) {
                    self.answers.push(left.path);
                }
            }
        }
    }

    /// Whether the machine has room.
    fn look(&mut self) {
        let now = self.clock.now();
        if let Some(Change(short)) = self.machine.as_mut().and_then(|machine| machine.look(now)) {
            self.hub.input(Input::Admission(short));
        }
    }

    /// Too few threads is slower, not wrong: as long as one could be started, the run goes on.
    fn grow(&mut self) {
        if let Err(error) = self.pool.grow() {
            if self.pool.is_empty() {
                self.hub.fail(error);
            } else {
                self.screen.warn_once("threads", &format!("cannot start another worker thread: {error}"));
            }
        }
    }

    fn interrupt(&self, signal: i32, name: &'static str, how: Stop) {
        self.screen.interrupted(name, how);
        self.hub.input(Input::Interrupt { signal, name, how });
    }

    /// Ctrl-Z: the tasks stop too, and their time-outs with them; `fg` continues all.
    fn suspend(&self) {
        self.hub.pause();
        self.screen.hide();
        if let Err(error) = sys::suspend_myself() {
            self.screen.warn_once("suspend", &format!("cannot be suspended: {error}"));
        }
        self.hub.resume();
    }
}
