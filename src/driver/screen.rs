//! The terminal's share of a run: one console behind one lock.
//!
//! The recorder tells it durable events, workers their last line of output, the control thread when to draw.

use super::hub::Hub;
use crate::event::{Elapsed, Event, Stop};
use crate::exec::OutputObserver;
use crate::plan::Plan;
use crate::sink::{Sink, SinkError};
use crate::sys;
use crate::task::TaskIx;
use crate::ui::console::Console;
use crate::ui::theme;
use crate::ui::view::View;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time left is simulated anew at most this often, ...
const FORECAST: Duration = Duration::from_secs(1);
/// ... and for at most a hundredth of the time: the simulation goes through every task that is left.
const SHARE: u32 = 100;

pub(super) struct Screen {
    settings: theme::Screen,
    inner: Mutex<Inner>,
}

struct Inner {
    console: Console,
    plan: Arc<Plan>,
    next_forecast: Elapsed,
    warned: Vec<&'static str>,
}

impl Screen {
    pub(super) fn new(
        settings: theme::Screen,
        plan: &Arc<Plan>,
        view: View,
        header: &[String],
        out: Box<dyn Write + Send>,
    ) -> Screen {
        let console = Console::new(out, settings, view, header);
        let inner = Inner { console, plan: Arc::clone(plan), next_forecast: FORECAST, warned: Vec::new() };
        Screen { settings, inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often a tick may do something: the live block moves at 20 frames a second at the most (PERF S12), plain
    /// lines have a heartbeat, a quiet screen nothing.
    pub(super) fn tick_every(&self) -> Option<Duration> {
        match () {
            () if self.settings.quiet => None,
            () if self.settings.interactive => Some(Duration::from_millis(50)),
            () => Some(Duration::from_secs(1)),
        }
    }

    /// A frame, a heartbeat: whatever is due. A screen that is gone stops nothing here; its sink reports it.
    pub(super) fn tick(&self, now: Elapsed, hub: &Hub) {
        // Not before it is shown, either: plain lines say it with their heartbeat only.
        let is_due = |inner: &Inner| now >= inner.next_forecast && now >= inner.console.next_tick();
        // Simulated outside the lock, which those who have something to show wait for.
        let due = is_due(&self.lock());
        let left = due.then(|| (Instant::now(), hub.time_left()));
        let mut inner = self.lock();
        if let Some((started, left)) = left {
            inner.next_forecast = now + FORECAST.max(started.elapsed() * SHARE);
            inner.console.set_time_left(left);
        }
        if self.settings.interactive
            && let Some((columns, rows)) = sys::terminal_size(true)
        {
            inner.console.resize(columns, rows);
        }
        let _ = inner.console.tick(now);
    }

    pub(super) fn replanned(&self, plan: &Arc<Plan>) {
        self.lock().plan = Arc::clone(plan);
    }

    pub(super) fn say(&self, line: &str) {
        let _ = self.lock().console.say(line);
    }

    /// Says a warning of one kind only once.
    pub(super) fn warn_once(&self, kind: &'static str, text: &str) {
        let mut inner = self.lock();
        if !inner.warned.contains(&kind) {
            inner.warned.push(kind);
            drop(inner);
            self.say(&format!("warning: {text}"));
        }
    }

    /// At once, before any record: a person who pressed Ctrl-C must see that it was heard.
    pub(super) fn interrupted(&self, signal: &str, how: Stop) {
        self.say(&match how {
            Stop::Gracefully => format!(
                "{signal}: nothing more is started; running tasks are asked to end (again to kill them)"
            ),
            Stop::Now => format!("{signal}: running tasks are killed"),
        });
    }

    /// Takes the live block away, for Ctrl-Z; the next frame brings it back.
    pub(super) fn hide(&self) {
        let _ = self.lock().console.hide();
    }

    pub(super) fn finish(&self) -> io::Result<()> {
        self.lock().console.finish()
    }
}

impl OutputObserver for Screen {
    fn is_watching(&self) -> bool {
        !self.settings.quiet
    }

    fn line(&self, task: TaskIx, line: &str) {
        let mut inner = self.lock();
        let Some(id) = inner.plan.tasks.get(task.ix()).map(|task| task.id.clone()) else { return };
        let _ = inner.console.output(&id, line);
    }
}

/// The screen as a consumer of events.
pub(super) struct ScreenSink(pub(super) Arc<Screen>);

impl Sink for ScreenSink {
    fn on_event(&mut self, plan: &Plan, event: &Event) -> Result<(), SinkError> {
        self.0.lock().console.on_event(plan, event)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.0.lock().console.flush()
    }
}
