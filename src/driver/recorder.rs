//! The recorder: makes events durable in groups, then lets them be seen, ticks boxes, writes state files.
//!
//! One thread. Order is the promise: fdatasync first, everything visible after it. The hub appends in order, so a
//! group is never durable without what came before it; no task waits for the disk, but in strict durability.

use super::files::StateFiles;
use super::hub::{Batch, Hub};
use super::screen::Screen;
use super::ticker::BoxTicker;
use crate::event::{Event, EventKind, NoteLevel};
use crate::fs;
use crate::journal::Syncer;
use crate::plan::Plan;
use crate::sink::Sink;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Durable at most this often; a group costs one sync whatever its size.
const GROUP: Duration = Duration::from_millis(10);
/// How long to wait for news before looking after boxes and files that were put off.
const IDLE: Duration = Duration::from_millis(100);

pub(super) struct Recorder {
    pub(super) hub: Arc<Hub>,
    pub(super) syncer: Syncer,
    pub(super) sinks: Vec<Box<dyn Sink>>,
    pub(super) screen: Arc<Screen>,
    pub(super) ticker: BoxTicker,
    pub(super) files: StateFiles,
    /// What could not be written at the very end, when nothing more is recorded.
    pub(super) problems: Vec<String>,
}

impl Recorder {
    /// Until the closing event is on disk and shown, or the record broke. Returns what was folded on the way.
    pub(super) fn run(mut self) -> Recorder {
        self.prepare();
        loop {
            let batch = self.hub.next_batch(IDLE);
            let started = Instant::now();
            if !self.take(&batch) {
                break;
            }
            self.settle(&batch.plan, batch.is_last);
            if batch.is_last {
                self.close(&batch.plan);
                break;
            }
            if !batch.events.is_empty() {
                self.hub.rest(GROUP.saturating_sub(started.elapsed()));
            }
        }
        self
    }

    /// While the first tasks run, what needs no record is made, and made durable. Then the first group is given its time, as all
    /// later ones are: a run that is over sooner needs one sync for its start and its end.
    fn prepare(&mut self) {
        let started = Instant::now();
        self.files.make_dirs();
        if let Err(error) = self.syncer.prepare() {
            self.hub.fail(io_error(error));
        }
        self.hub.rest(GROUP.saturating_sub(started.elapsed()));
    }

    /// Syncs and shows one group; false when the record broke.
    fn take(&mut self, batch: &Batch) -> bool {
        if batch.events.is_empty() {
            return !self.hub.is_broken();
        }
        match self.syncer.sync() {
            Ok(frames) => self.hub.synced(frames),
            Err(error) => self.hub.fail(io_error(error)),
        }
        if self.hub.is_broken() {
            // What is not durable is not shown; the attempts still running must end first.
            return !batch.is_last;
        }
        self.show(&batch.plan, &batch.events);
        true
    }

    fn show(&mut self, plan: &Arc<Plan>, events: &[Event]) {
        for event in events {
            self.ticker.on_event(plan, event);
            self.files.on_event(plan, event);
        }
        let mut failed = Vec::new();
        self.sinks.retain_mut(|sink| {
            let shown =
                events.iter().try_for_each(|event| sink.on_event(plan, event)).and_then(|()| sink.flush());
            shown.map_err(|error| failed.push(error)).is_ok()
        });
        for error in failed {
            if error.source.kind() == io::ErrorKind::BrokenPipe {
                self.hub.reader_left();
            } else {
                self.note(NoteLevel::Warn, format!("no more is shown there: {error}"));
            }
        }
    }

    /// Boxes and state files, at their own bounded rates; all of them when the run is over.
    fn settle(&mut self, plan: &Arc<Plan>, all: bool) {
        let looked = self.ticker.look(plan, all);
        if !looked.events.is_empty() {
            self.hub.record(looked.events);
        }
        if let Some(plan) = looked.plan.filter(|_| !all) {
            self.screen.replanned(&plan);
            self.hub.replan(plan);
        }
        if !all {
            // At the end they are written once, after the closing event.
            for problem in self.files.write(plan, false) {
                self.note(NoteLevel::Warn, problem);
            }
        }
    }

    /// The last events of the run: the boxes just ticked, then the closing one. One sync for both, because the order of
    /// the journal keeps the closing event from outliving what it speaks of.
    fn close(&mut self, plan: &Arc<Plan>) {
        let pending = self.ticker.pending().count() as u32;
        let events = self.hub.close(pending);
        if events.is_empty() {
            return;
        }
        if let Err(error) = self.syncer.sync() {
            self.hub.fail(io_error(error));
            return;
        }
        self.show(plan, &events);
        self.problems = self.files.write(plan, true);
    }

    fn note(&self, level: NoteLevel, text: String) {
        self.hub.record(vec![EventKind::Note { level, text }]);
    }
}

/// What the hub keeps of a failure: the system's kind, with file and operation in words.
fn io_error(error: fs::Error) -> io::Error {
    io::Error::new(error.io_kind().unwrap_or(io::ErrorKind::Other), error)
}
