//! The terminal's share of a run: one face (live block or plain lines) behind one lock.
//!
//! The recorder tells it durable events, workers their last line of output, the control thread when to draw.

use super::hub::Hub;
use crate::event::{Elapsed, Event, Stop};
use crate::exec::OutputObserver;
use crate::plan::Plan;
use crate::sink::{Sink, SinkError};
use crate::task::TaskIx;
use crate::ui;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time left is simulated anew at most this often.
const FORECAST: Duration = Duration::from_secs(1);

pub(super) struct Screen {
    settings: ui::Screen,
    inner: Mutex<Inner>,
}

struct Inner {
    face: Face,
    plan: Arc<Plan>,
    next_forecast: Elapsed,
    warned: Vec<&'static str>,
}

enum Face {
    Live(ui::Live),
    Plain(ui::Plain),
}

impl Screen {
    pub(super) fn new(settings: ui::Screen, plan: &Arc<Plan>, view: ui::View, header: &[String], out: Box<dyn Write + Send>) -> Screen {
        let face = if settings.interactive && !settings.quiet {
            Face::Live(ui::Live::new(out, settings, view, header))
        } else {
            Face::Plain(ui::Plain::new(out, settings, view, header))
        };
        let inner = Inner { face, plan: Arc::clone(plan), next_forecast: FORECAST, warned: Vec::new() };
        Screen { settings, inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A frame, a heartbeat: whatever is due. A screen that is gone stops nothing here; its sink reports it.
    pub(super) fn tick(&self, now: Elapsed, hub: &Hub) {
        let left = (now >= self.lock().next_forecast).then(|| hub.time_left());
        let mut inner = self.lock();
        if let Some(left) = left {
            inner.next_forecast = now + FORECAST;
            match &mut inner.face {
                Face::Live(live) => live.set_time_left(left),
                Face::Plain(plain) => plain.set_time_left(left),
            }
        }
        let _ = match &mut inner.face {
            Face::Live(live) => live.draw(now),
            Face::Plain(plain) => plain.tick(now),
        };
    }

    pub(super) fn replanned(&self, plan: &Arc<Plan>) {
        self.lock().plan = Arc::clone(plan);
    }

    pub(super) fn say(&self, line: &str) {
        let _ = match &mut self.lock().face {
            Face::Live(live) => {
                live.say(line);
                Ok(())
            }
            Face::Plain(plain) => plain.say(line),
        };
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
            Stop::Gracefully => format!("{signal}: nothing more is started; running tasks are asked to end (again to kill them)"),
            Stop::Now => format!("{signal}: running tasks are killed"),
        });
    }

    /// Takes the live block away, for Ctrl-Z; the next frame brings it back.
    pub(super) fn hide(&self) {
        if let Face::Live(live) = &mut self.lock().face {
            let _ = live.hide();
        }
    }

    pub(super) fn resize(&self, columns: u16, rows: u16) {
        if let Face::Live(live) = &mut self.lock().face {
            live.resize(columns, rows);
        }
    }

    pub(super) fn finish(&self) -> io::Result<()> {
        match &mut self.lock().face {
            Face::Live(live) => live.finish(),
            Face::Plain(plain) => plain.finish(),
        }
    }
}

impl OutputObserver for Screen {
    fn is_watching(&self) -> bool {
        !self.settings.quiet
    }

    fn line(&self, task: TaskIx, line: &str) {
        let mut inner = self.lock();
        let Some(id) = inner.plan.tasks.get(task.ix()).map(|task| task.id.clone()) else { return };
        match &mut inner.face {
            Face::Live(live) => live.output(&id, line),
            Face::Plain(plain) => {
                let _ = plain.output(&id, line);
            }
        }
    }
}

/// The screen as a consumer of events.
pub(super) struct ScreenSink(pub(super) Arc<Screen>);

impl Sink for ScreenSink {
    fn on_event(&mut self, plan: &Plan, event: &Event) -> Result<(), SinkError> {
        match &mut self.0.lock().face {
            Face::Live(live) => live.on_event(plan, event),
            Face::Plain(plain) => plain.on_event(plan, event),
        }
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        match &mut self.0.lock().face {
            Face::Live(live) => live.flush(),
            Face::Plain(plain) => plain.flush(),
        }
    }
}
