//! How long each phase was being worked on: the time in which at least one of its attempts ran.

use crate::plan::Plan;
use crate::task::TaskIx;

#[derive(Clone, Debug, Default, PartialEq)]
struct PhaseSpan {
    title: Box<str>,
    running: u32,
    since: u64,
    worked_ms: u64,
}

/// One per phase of the plan, and a last one for tasks without.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Phases {
    spans: Vec<PhaseSpan>,
}

impl Phases {
    pub(super) fn new(plan: &Plan) -> Phases {
        let titled = |phase: &crate::task::Phase| PhaseSpan {
            title: phase.title.as_str().into(),
            ..PhaseSpan::default()
        };
        let spans = plan.phases.iter().map(titled).chain([PhaseSpan::default()]).collect();
        Phases { spans }
    }

    pub(super) fn start(&mut self, plan: &Plan, task: TaskIx, at: u64) {
        let span = self.span(plan, task);
        if span.running == 0 {
            span.since = at;
        }
        span.running += 1;
    }

    pub(super) fn end(&mut self, plan: &Plan, task: TaskIx, at: u64) {
        let span = self.span(plan, task);
        span.running = span.running.saturating_sub(1);
        if span.running == 0 {
            span.worked_ms += at.saturating_sub(span.since);
        }
    }

    /// What was cut off has been ended before.
    pub(super) fn end_session(&mut self) {
        self.spans.iter_mut().for_each(|span| span.running = 0);
    }

    /// The file was edited: times follow the headings' texts.
    pub(super) fn follow(&mut self, plan: &Plan) {
        let mut fresh = Phases::new(plan);
        let same = fresh.spans.len() == self.spans.len()
            && fresh.spans.iter().zip(&self.spans).all(|(a, b)| a.title == b.title);
        if same {
            return;
        }
        let old: std::collections::HashMap<Box<str>, PhaseSpan> =
            self.spans.drain(..).map(|span| (span.title.clone(), span)).collect();
        for span in &mut fresh.spans {
            if let Some(known) = old.get(&span.title) {
                span.clone_from(known);
            }
        }
        *self = fresh;
    }

    /// Up to `at` of the present session.
    pub(super) fn worked_ms(&self, n: usize, at: u64) -> u64 {
        self.spans.get(n).map_or(0, |span| {
            span.worked_ms + if span.running > 0 { at.saturating_sub(span.since) } else { 0 }
        })
    }

    fn span(&mut self, plan: &Plan, task: TaskIx) -> &mut PhaseSpan {
        let last = self.spans.len() - 1;
        let phase = plan.tasks.get(task.ix()).and_then(|task| task.phase);
        let n = phase.map_or(last, |phase| (phase.0 as usize).min(last));
        &mut self.spans[n]
    }
}
