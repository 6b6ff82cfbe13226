//! A session whose record begins before its first task may: what comes first (hooks) is on disk, one after the other, before
//! anything that follows it is started, so that whoever takes the run up knows of it. What it is that comes first is not
//! known here.

use super::DriverError;
use crate::clock::Clock;
use crate::event::{Counts, Event, EventKind, RunInfo, RunOutcome, Spent};
use crate::history::History;
use crate::journal::Journal;
use crate::plan::Plan;
use crate::schedule::{Limits, Scheduler, Session};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// What of a session is on record before it has a scheduler.
pub struct Begun {
    pub(super) clock: Clock,
    /// In the journal and on disk; the session's first event is the first.
    pub(super) events: Vec<Event>,
    next_seq: u64,
    counts: Counts,
    elapsed_before: Duration,
}

impl Begun {
    /// Begins the session that takes up `earlier`, or the run: the record says so when this returns. `clock` stood at zero
    /// when it was `started`.
    pub fn begin(
        journal: &mut Journal,
        (plan, limits): (&Arc<Plan>, Limits),
        (info, earlier): (RunInfo, &[Event]),
        (clock, started): (Clock, u64),
    ) -> Result<Begun, DriverError> {
        let history = History::from_events(earlier);
        let session = Session::after(&history, info, started, clock.seed());
        let scheduler = Scheduler::new(Arc::clone(plan), limits, &history, session);
        let mut begun = Begun {
            clock,
            events: Vec::new(),
            next_seq: history.last_seq + 1,
            counts: scheduler.counts(),
            elapsed_before: history.elapsed(),
        };
        begun.record(journal, scheduler.beginning())?;
        Ok(begun)
    }

    /// On disk when this returns.
    pub fn record(&mut self, journal: &mut Journal, kind: EventKind) -> Result<(), DriverError> {
        let event = Event { seq: self.next_seq, at: self.clock.now(), kind };
        append(journal, &event).map_err(DriverError::Record)?;
        self.next_seq += 1;
        self.events.push(event);
        Ok(())
    }

    /// Nothing of it may begin: the record says so too. Returns all of it.
    pub fn end(mut self, journal: &mut Journal, outcome: RunOutcome) -> Result<Vec<Event>, DriverError> {
        let duration = self.elapsed_before + self.clock.now();
        self.record(journal, EventKind::RunFinished { outcome, counts: self.counts, duration, unticked: 0 })?;
        Ok(self.events)
    }

    pub(super) fn last_seq(&self) -> u64 {
        self.next_seq - 1
    }

    /// What it took so far, in tokens and money.
    pub(super) fn spent(&self) -> Spent {
        let spent = self.events.iter().filter_map(|event| match &event.kind {
            EventKind::HookFinished { spent, .. } => *spent,
            _ => None,
        });
        spent.fold(Spent::default(), Spent::plus)
    }
}

fn append(journal: &mut Journal, event: &Event) -> io::Result<()> {
    journal.append(std::slice::from_ref(event))?;
    journal.syncer()?.sync().map(drop).map_err(io::Error::other)
}
