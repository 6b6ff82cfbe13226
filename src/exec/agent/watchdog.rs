//! Whether an attempt still gets anywhere (SPEC 4.5): a decision on samples alone. Knows no clock, no process, no file.
//!
//! Progress is: output that says something new, time used on the cores, a changed file, a tool call whose process lives.
//! Output alone is none: what is stuck in a loop of retries prints the same line for ever. A tool call alone is none
//! either: its process may be dead and nobody told the agent.

use crate::event::QuietStage;
use std::time::Duration;

/// Of one core: an agent that waits uses less, a compiler that shares its core with many others uses more.
const BUSY_PART: u32 = 10;
/// Over this part of the limit: in a moment a timer looks like work.
const BUSY_OVER: u32 = 4;
/// Files are looked at when this part of the limit has passed without any other sign, and so often from then on.
const LOOKS: u32 = 8;
/// What is done about it without progress, and after which part of the limit, as a fraction.
const STAGES: [(QuietStage, u32, u32); 3] =
    [(QuietStage::Notice, 1, 2), (QuietStage::Nudge, 3, 4), (QuietStage::SoftStop, 1, 1)];
/// So often an agent is asked whether it goes on; who answers and does nothing is stuck.
const MAX_NUDGES: u32 = 2;
/// How long it may take to end once it was asked to: a quarter of the limit, and no longer than this.
const WRAP_UP: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Without progress.
    pub(super) stall: Duration,
    /// In all.
    pub(super) wall: Option<Duration>,
}

/// What is seen of an attempt at one moment. Counts go up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// Pieces of output that said something new.
    pub(super) news: u64,
    /// What all its processes used of the cores.
    pub(super) cpu: Duration,
    pub(super) processes: u32,
    /// Tool calls that have begun and not ended.
    pub(super) open_calls: u32,
    /// Another number when the files are others; none where nobody looked.
    pub(super) files: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    /// No progress for so long: the next stage has come. Each is told once, until there is progress again.
    Quiet(QuietStage, Duration),
    /// No progress for that long, and it was asked to end and did not.
    Stalled(Duration),
    /// The wall limit is reached.
    OutOfTime(Duration),
}

pub(super) struct Watchdog {
    limits: Limits,
    /// When there was progress last.
    progress: Duration,
    looked_at_files: Duration,
    news: u64,
    cpu: Duration,
    cpu_at: Duration,
    files: Option<u64>,
    /// The fewest processes seen while no tool call was open: the agent's own.
    own: Option<u32>,
    /// What was told last since there was progress.
    told: Option<QuietStage>,
    nudges: u32,
    /// When it was asked to end.
    asked: Option<Duration>,
}

impl Watchdog {
    /// The attempt begins; `files` as in a sample.
    pub(super) fn new(limits: Limits, files: Option<u64>) -> Watchdog {
        let zero = Duration::ZERO;
        Watchdog {
            limits,
            progress: zero,
            looked_at_files: zero,
            news: 0,
            cpu: zero,
            cpu_at: zero,
            files,
            own: None,
            told: None,
            nudges: 0,
            asked: None,
        }
    }

    /// How long without progress is too long.
    pub(super) fn limit(&self) -> Duration {
        self.limits.stall
    }

    /// How long until the next sample is wanted.
    pub(super) fn pause(&self, now: Duration) -> Duration {
        let look = (self.limits.stall / 20).clamp(Duration::from_millis(50), Duration::from_secs(30));
        let wall = self.limits.wall.map(|wall| wall.saturating_sub(now));
        wall.map_or(look, |wall| look.min(wall)).max(Duration::from_millis(1))
    }

    /// Whether the next sample should tell of the files: a look at all of them is dear.
    pub(super) fn wants_files(&self, now: Duration) -> bool {
        let part = self.limits.stall / LOOKS;
        self.next_stage(now).is_some()
            || (self.quiet(now) >= part && now.saturating_sub(self.looked_at_files) >= part)
    }

    fn quiet(&self, now: Duration) -> Duration {
        now.saturating_sub(self.progress)
    }

    /// `now` counts from the begin, without the time in which the attempt was paused.
    pub(super) fn look(&mut self, now: Duration, sample: &Sample) -> Verdict {
        if let Some(wall) = self.limits.wall.filter(|wall| now >= *wall) {
            return Verdict::OutOfTime(wall);
        }
        if let Some(asked) = self.asked {
            let wrap_up = (self.limits.stall / 4).min(WRAP_UP);
            let is_over = now.saturating_sub(asked) >= wrap_up;
            return if is_over { Verdict::Stalled(self.limits.stall) } else { Verdict::Fine };
        }
        if self.is_progress(now, sample) {
            (self.progress, self.told) = (now, None);
        }
        // Never without a look at the files.
        match self.next_stage(now).filter(|_| sample.files.is_some()) {
            Some(stage) => self.tell(stage, now),
            None => Verdict::Fine,
        }
    }

    /// The furthest stage that has come and was not told.
    fn next_stage(&self, now: Duration) -> Option<QuietStage> {
        let (quiet, stall) = (self.quiet(now), self.limits.stall);
        let has_come = |(_, part, of): &&(QuietStage, u32, u32)| quiet >= stall * *part / *of;
        let stage = STAGES.iter().rev().find(has_come)?.0;
        let is_spent = stage == QuietStage::Nudge && self.nudges >= MAX_NUDGES;
        (self.told < Some(stage) && !is_spent).then_some(stage)
    }

    fn tell(&mut self, stage: QuietStage, now: Duration) -> Verdict {
        self.told = Some(stage);
        self.nudges += u32::from(stage == QuietStage::Nudge);
        if stage == QuietStage::SoftStop {
            self.asked = Some(now);
        }
        Verdict::Quiet(stage, self.quiet(now))
    }

    fn is_progress(&mut self, now: Duration, sample: &Sample) -> bool {
        let has_news = sample.news > std::mem::replace(&mut self.news, sample.news);
        // Each notes what it saw, whatever the others say.
        let signs = [
            has_news,
            self.is_busy(now, sample.cpu),
            self.has_written(now, sample.files),
            self.has_child(sample),
        ];
        signs.contains(&true)
    }

    fn is_busy(&mut self, now: Duration, cpu: Duration) -> bool {
        let (used, time) = (cpu.saturating_sub(self.cpu), now.saturating_sub(self.cpu_at));
        let least = self.limits.stall / BUSY_OVER;
        let is_busy = !used.is_zero() && used * BUSY_PART >= time.max(least);
        // What a process used is gone with it, where nobody of the attempt waited for it.
        if is_busy || time >= least || cpu < self.cpu {
            (self.cpu, self.cpu_at) = (cpu, now);
        }
        is_busy
    }

    fn has_written(&mut self, now: Duration, files: Option<u64>) -> bool {
        let Some(files) = files else { return false };
        self.looked_at_files = now;
        self.files.replace(files).is_some_and(|before| before != files)
    }

    fn has_child(&mut self, sample: &Sample) -> bool {
        if sample.open_calls == 0 {
            self.own = Some(self.own.map_or(sample.processes, |own| own.min(sample.processes)));
            return false;
        }
        // In doubt it lives: then only the wall limit counts.
        self.own.is_none_or(|own| sample.processes > own)
    }
}

#[cfg(test)]
#[path = "watchdog_tests.rs"]
mod tests;
