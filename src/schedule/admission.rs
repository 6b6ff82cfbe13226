//! Whether the machine has room for one more attempt (SPEC 4.5). What is free is told by whoever drives the scheduler
//! ([`super::Input::Admission`]); what follows is decided here.
//!
//! While something is below its floor, what runs goes on and nothing joins it. Where nothing runs, waiting could go on for
//! ever: after [`PATIENCE`] one attempt starts all the same, alone. But for a full disk: an attempt would only fail there,
//! so the run is stopped, to be taken up when there is room.

use super::{Decision, Scheduler};
use crate::event::{BudgetKind, Elapsed, EventKind, Scarce};
use std::time::Duration;

/// How long nothing runs before one attempt starts all the same.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// A machine at its limit goes over it and back: a wait is told at most so often.
const AGAIN: Duration = Duration::from_mins(1);

/// What there is too little of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    pub of: Scarce,
    /// In figures: `120 MiB are free, the floor is 256 MiB`.
    pub text: String,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Admission {
    pub(super) short: Option<Shortage>,
    /// Since when something is ready, nothing runs, and nothing is started for want of it.
    idle_since: Option<Elapsed>,
    /// On record: what is waited for now.
    told: Option<Scarce>,
    told_at: Option<Elapsed>,
}

impl Admission {
    /// When to look again if nothing else happens.
    pub(super) fn deadline(&self) -> Option<Elapsed> {
        Some(self.idle_since? + PATIENCE)
    }
}

impl Scheduler {
    /// What is waited for, if anything is.
    pub fn waits_for(&self) -> Option<Scarce> {
        let waits = self.has_open_ready() && self.halt.is_none() && !self.over;
        self.admission.short.as_ref().filter(|_| waits).map(|short| short.of)
    }

    pub(super) fn room_changed(&mut self, out: &mut Decision, short: Option<Shortage>) {
        self.admission.short = short;
        if self.admission.short.is_none() && self.admission.told.take().is_some() {
            self.record(out, EventKind::AdmissionChanged { waits_for: None, text: String::new() });
        }
    }

    /// Whether a ready task may start, as far as the machine goes.
    pub(super) fn is_admitted(&mut self, out: &mut Decision) -> bool {
        let Some(short) = self.admission.short.clone().filter(|_| self.has_open_ready()) else {
            self.admission.idle_since = None;
            return true;
        };
        self.tell_shortage(out, &short);
        if self.slots.len() > 0 {
            self.admission.idle_since = None;
            return false;
        }
        let since = *self.admission.idle_since.get_or_insert(self.now);
        if self.now < since + PATIENCE {
            return false;
        }
        self.admission.idle_since = None;
        if short.of == Scarce::Disk {
            self.reach(out, BudgetKind::Disk, short.text);
            return false;
        }
        true
    }

    /// All slots are taken, or none may be: nobody waits for the machine.
    pub(super) fn is_not_asked(&mut self) {
        self.admission.idle_since = None;
    }

    fn tell_shortage(&mut self, out: &mut Decision, short: &Shortage) {
        let is_known = self.admission.told == Some(short.of);
        let is_recent = self.admission.told_at.is_some_and(|at| self.now < at + AGAIN);
        if is_known || is_recent {
            return;
        }
        (self.admission.told, self.admission.told_at) = (Some(short.of), Some(self.now));
        let (waits_for, text) = (Some(short.of), short.text.clone());
        self.record(out, EventKind::AdmissionChanged { waits_for, text });
    }
}
