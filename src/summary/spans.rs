//! How much of a run ran side by side: one pass over the begins and ends of attempts, in order of time.
//!
//! Definitions, which the schema of the metrics repeats. *Executing*: at least one attempt runs. A *part* is a
//! stretch of executing without a gap: it begins when an attempt starts while none runs and ends when none runs any
//! more. A part is *parallel* if two attempts overlapped in it. Its *sequential time* is the sum of its attempts'
//! durations, its *wall time* its length. Then time saved = sum over the parts of (sequential - wall), which is 0 for
//! a part that is not parallel, and efficiency = time saved ÷ sequential time of the parallel parts. Everything is in
//! whole milliseconds, so the sums hold exactly.

/// One stretch of executing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Part {
    sequential: u64,
    wall: u64,
    parallel: bool,
}

/// Over all sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    last: u64,
    running: u32,
    peak: u32,
    part: Part,
    /// Sums over the closed parts, parallel and others.
    parallel: Part,
    serial: Part,
}

impl Spans {
    pub(super) fn start(&mut self, at: u64) {
        self.advance(at);
        self.part.parallel |= self.running > 0;
        self.running += 1;
        self.peak = self.peak.max(self.running);
    }

    pub(super) fn end(&mut self, at: u64) {
        self.advance(at);
        self.running = self.running.saturating_sub(1);
        if self.running == 0 {
            self.close();
        }
    }

    /// A new session counts its time from zero.
    pub(super) fn end_session(&mut self) {
        self.close();
        (self.last, self.running) = (0, 0);
    }

    fn advance(&mut self, at: u64) {
        let passed = at.saturating_sub(self.last);
        if self.running > 0 {
            self.part.wall += passed;
            self.part.sequential += passed * u64::from(self.running);
        }
        self.last = self.last.max(at);
    }

    fn close(&mut self) {
        let part = std::mem::take(&mut self.part);
        let sum = if part.parallel { &mut self.parallel } else { &mut self.serial };
        sum.sequential += part.sequential;
        sum.wall += part.wall;
    }

    fn parallel_with_open(&self) -> Part {
        let open = if self.part.parallel { self.part } else { Part::default() };
        Part {
            sequential: self.parallel.sequential + open.sequential,
            wall: self.parallel.wall + open.wall,
            parallel: true,
        }
    }

    /// Sum of the durations of all attempts, ms.
    pub fn sequential_ms(&self) -> u64 {
        self.parallel.sequential + self.serial.sequential + self.part.sequential
    }

    /// Time in which at least one attempt ran, ms.
    pub fn executing_ms(&self) -> u64 {
        self.parallel.wall + self.serial.wall + self.part.wall
    }

    /// Sum of the durations of the attempts of the parallel parts, ms.
    pub fn parallel_sequential_ms(&self) -> u64 {
        self.parallel_with_open().sequential
    }

    /// Length of the parallel parts, ms.
    pub fn parallel_wall_ms(&self) -> u64 {
        self.parallel_with_open().wall
    }

    pub fn saved_ms(&self) -> u64 {
        self.sequential_ms() - self.executing_ms()
    }

    /// Time saved ÷ sequential time of the parallel parts; None if nothing overlapped for a measurable time.
    pub fn efficiency(&self) -> Option<f64> {
        let sequential = self.parallel_sequential_ms();
        (sequential > 0).then(|| self.saved_ms() as f64 / sequential as f64)
    }

    /// Most attempts at once.
    pub fn peak(&self) -> u32 {
        self.peak
    }
}
