//! Which files there are, which of them are due, and how each takes up what is already on disk.

use super::checkpoint::Checkpoints;
use super::log::LogLines;
use super::rollback_plan::RollbackPlan;
use super::{checkpoint, context, history, log, memory, metrics, session, speckit};
use crate::event::{Event, EventKind};
use crate::plan::Plan;
use crate::summary::Summary;
use crate::text::fingerprint;
use std::collections::HashMap;

/// Up to this many tasks, files that list them all are kept current while the run goes on; above it they are
/// written when it rests, so that writing never grows with tasks times time.
const SMALL: usize = 500;

/// A derived file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Log,
    History,
    Session,
    LatestCheckpoint,
    Checkpoint(u32),
    Metrics,
    Context,
    ChangesCompleted,
    ChangesPlanned,
    WorkflowProgress,
    DecisionsLog,
    CurrentPhase,
    CompletedChanges,
    PendingChanges,
    RollbackPlan,
    SpeckitRollbackPlan,
}

impl Place {
    /// All but the numbered ones.
    pub const ALL: [Place; 15] = [
        Place::Log,
        Place::History,
        Place::Session,
        Place::LatestCheckpoint,
        Place::Metrics,
        Place::Context,
        Place::ChangesCompleted,
        Place::ChangesPlanned,
        Place::WorkflowProgress,
        Place::DecisionsLog,
        Place::CurrentPhase,
        Place::CompletedChanges,
        Place::PendingChanges,
        Place::RollbackPlan,
        Place::SpeckitRollbackPlan,
    ];

    /// Relative to the project; `<run>` stands for the run's name.
    pub fn path(self) -> String {
        let path = match self {
            Place::Log => ".specter/implementation.log",
            Place::History => ".specter/history.ndjson",
            Place::Session => ".specter-state/current-session.md",
            Place::LatestCheckpoint => ".specter-state/checkpoints/latest.md",
            Place::Checkpoint(n) => return format!(".specter-state/checkpoints/checkpoint-{n:03}.md"),
            Place::Metrics => ".specter/implementation-metrics.json",
            Place::Context => ".specter/implementation-context.md",
            Place::ChangesCompleted => ".specter-memory/CHANGES-COMPLETED.md",
            Place::ChangesPlanned => ".specter-memory/CHANGES-PLANNED.md",
            Place::WorkflowProgress => ".specter-memory/WORKFLOW-PROGRESS.md",
            Place::DecisionsLog => ".specter-memory/DECISIONS-LOG.md",
            Place::CurrentPhase => ".specify/agents/context/implementation/current-phase.json",
            Place::CompletedChanges => ".specify/agents/context/implementation/completed-changes.md",
            Place::PendingChanges => ".specify/agents/context/implementation/pending-changes.md",
            Place::RollbackPlan => ".specter/runs/<run>/rollback-plan.md",
            Place::SpeckitRollbackPlan => ".specify/agents/context/implementation/rollback-plan.md",
        };
        path.to_owned()
    }

    /// Only where the project has `.specify/`.
    pub fn is_speckit(self) -> bool {
        matches!(
            self,
            Place::CurrentPhase
                | Place::CompletedChanges
                | Place::PendingChanges
                | Place::SpeckitRollbackPlan
        )
    }

    /// Written while the run goes on, however many tasks it has.
    fn is_bounded(self) -> bool {
        matches!(
            self,
            Place::Log
                | Place::History
                | Place::Session
                | Place::LatestCheckpoint
                | Place::Checkpoint(_)
                | Place::RollbackPlan
                | Place::SpeckitRollbackPlan
        )
    }
}

/// What a file is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Goes at the end of what is there.
    Append(String),
    /// Is the whole file.
    Replace(String),
    /// The log of all events of a run so far.
    Log { run: String, text: String },
    /// Lines of history that may be there already.
    History(String),
    /// A section of a file that others write in too.
    Section { title: &'static str, key: String, text: String },
    /// The same, followed by totals over all sections.
    Progress { key: String, text: String },
}

impl Content {
    /// The whole file as it must read, given how it reads now.
    pub fn onto(&self, existing: Option<&str>) -> String {
        let old = existing.unwrap_or("");
        match self {
            Content::Append(text) => format!("{old}{text}"),
            Content::Replace(text) => text.clone(),
            Content::Log { run, text } => log::caught_up(old, run, text),
            Content::History(lines) => history::appended(old, lines),
            Content::Section { title, key, text } => memory::merge(existing, title, key, text),
            Content::Progress { key, text } => memory::merge_progress(existing, key, text),
        }
    }

    fn fingerprint(&self) -> u64 {
        match self {
            Content::Append(_) | Content::Log { .. } | Content::History(_) => 0,
            Content::Replace(text) | Content::Section { text, .. } | Content::Progress { text, .. } => {
                fingerprint(text.as_bytes())
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub place: Place,
    pub content: Content,
}

/// Takes what is to be written.
pub trait Target {
    fn write(&mut self, write: Write);

    /// A whole file that is too long to be held: `next` puts a piece of it behind what it is given, and says whether
    /// there was one.
    fn write_pieces(&mut self, place: Place, next: &mut dyn FnMut(&mut String) -> bool);

    /// The same for a section of a file that others write in too. The text ends with one line end.
    fn write_section(&mut self, place: Place, section: Section, next: &mut dyn FnMut(&mut String) -> bool);
}

/// Where in a file a section goes: see [`Content::Section`].
#[derive(Clone, Debug)]
pub struct Section {
    pub title: &'static str,
    pub key: String,
}

impl Target for Vec<Write> {
    fn write(&mut self, write: Write) {
        self.push(write);
    }

    fn write_pieces(&mut self, place: Place, next: &mut dyn FnMut(&mut String) -> bool) {
        let mut text = String::new();
        while next(&mut text) {}
        self.push(Write { place, content: Content::Replace(text) });
    }

    fn write_section(&mut self, place: Place, section: Section, next: &mut dyn FnMut(&mut String) -> bool) {
        let mut text = String::new();
        while next(&mut text) {}
        let Section { title, key } = section;
        self.push(Write { place, content: Content::Section { title, key, text } });
    }
}

/// When files are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The run goes on. To be asked at a bounded rate: once a second is enough.
    Going,
    /// It ends, or is about to: everything.
    Rest,
}

/// Gathers what is to be written. Rendering is done when asked, not per event.
#[derive(Debug, Default)]
pub struct Projections {
    speckit: bool,
    lines: LogLines,
    log: String,
    history: String,
    seen: history::Seen,
    checkpoints: Checkpoints,
    rollback: RollbackPlan,
    /// Events of earlier sessions were folded: what they wrote may be on disk or not.
    resumed: bool,
    changed: bool,
    /// Fingerprint of what each file was last given.
    written: HashMap<Place, u64>,
}

impl Projections {
    /// `speckit`: the project has `.specify/`.
    pub fn new(speckit: bool) -> Projections {
        Projections { speckit, ..Projections::default() }
    }

    /// After all of a run's events on disk were folded, before new ones come.
    pub fn resumed<'a>(
        plan: &Plan,
        events: impl IntoIterator<Item = &'a Event>,
        speckit: bool,
    ) -> (Projections, Summary) {
        let (mut projections, mut summary) = (Projections::new(speckit), Summary::new(plan));
        for event in events {
            summary.apply(plan, event);
            projections.on_event(plan, &summary, event);
        }
        projections.resumed = true;
        (projections, summary)
    }

    /// `summary` has folded `event`.
    pub fn on_event(&mut self, plan: &Plan, summary: &Summary, event: &Event) {
        self.changed = true;
        self.lines.on_event(plan, summary, event, &mut self.log);
        history::write(plan, summary, &mut self.seen, event, &mut self.history);
        self.checkpoints.on_event(plan, summary, event);
        self.rollback.on_event(summary, event);
        if matches!(event.kind, EventKind::RunStarted { .. } | EventKind::PlanChanged { .. }) {
            self.written.remove(&Place::Context);
        }
    }

    /// Bytes gathered for the files that are only appended to.
    pub fn gathered(&self) -> usize {
        self.log.len() + self.history.len()
    }

    /// What was gathered goes behind those files now, for it has become long; all other files wait their time.
    pub fn append(&mut self, summary: &Summary, to: &mut dyn Target) {
        self.appends(summary).into_iter().for_each(|write| to.write(write));
    }

    /// What is to be written now. A file that is kept current and has not changed since it was last returned is not
    /// among it.
    pub fn due(&mut self, plan: &Plan, summary: &Summary, moment: Moment) -> Vec<Write> {
        let mut due = Vec::new();
        self.each_due(plan, summary, moment, &mut due);
        due
    }

    /// As [`Projections::due`], one file after the other: no two texts that list every task are held at once.
    pub fn each_due(&mut self, plan: &Plan, summary: &Summary, moment: Moment, to: &mut dyn Target) {
        if !std::mem::take(&mut self.changed) && moment == Moment::Going {
            return;
        }
        self.append(summary, to);
        self.checkpoints(plan, summary).into_iter().for_each(|write| to.write(write));
        let is_small = plan.tasks.len() <= SMALL;
        let all = moment == Moment::Rest || is_small;
        for place in Place::ALL {
            let first_context = place == Place::Context && !self.written.contains_key(&place);
            let wanted =
                (all || place.is_bounded() || first_context) && (self.speckit || !place.is_speckit());
            if wanted && place == Place::Metrics && !is_small {
                let mut pieces = metrics::Pieces::new(plan, summary);
                to.write_pieces(place, &mut |text| pieces.next(text));
            } else if wanted && place == Place::ChangesCompleted && !is_small {
                if let Some(mut pieces) = memory::Completed::new(plan, summary) {
                    to.write_section(place, completed_section(summary), &mut |text| pieces.next(text));
                }
            } else if wanted
                && let Some(content) = self.render(place, plan, summary)
                && self.is_new(place, &content, !is_small && !place.is_bounded())
            {
                to.write(Write { place, content });
            }
        }
    }

    /// One file as a whole; None for those that are appended to and those that have nothing to say.
    pub fn render(&self, place: Place, plan: &Plan, summary: &Summary) -> Option<Content> {
        let key = || memory::key(summary);
        let run_key = || memory::run_key(summary);
        let last = self.checkpoints.last();
        Some(match place {
            Place::Log | Place::History | Place::Checkpoint(_) => return None,
            Place::Session => Content::Replace(session::render(plan, summary)),
            Place::LatestCheckpoint => Content::Replace(checkpoint::render(plan, summary, last?)),
            Place::Metrics => Content::Replace(metrics::render(plan, summary)),
            Place::Context => Content::Replace(context::render(plan, summary)),
            Place::ChangesCompleted => {
                let text = memory::completed(plan, summary)?;
                let Section { title, key } = completed_section(summary);
                Content::Section { title, key, text }
            }
            Place::ChangesPlanned => Content::Section {
                title: "Changes planned",
                key: key(),
                text: memory::planned(plan, summary),
            },
            Place::WorkflowProgress => {
                Content::Progress { key: key(), text: memory::workflow(plan, summary) }
            }
            Place::DecisionsLog => {
                Content::Section { title: "Decisions", key: run_key(), text: memory::decisions(summary)? }
            }
            Place::CurrentPhase => {
                Content::Replace(speckit::current_phase(plan, summary, last.map(|mark| mark.at)))
            }
            Place::CompletedChanges => Content::Replace(speckit::completed_changes(plan, summary)),
            Place::PendingChanges => Content::Replace(speckit::pending_changes(plan, summary)),
            Place::RollbackPlan | Place::SpeckitRollbackPlan => {
                Content::Replace(self.rollback.render(plan, summary)?)
            }
        })
    }

    fn appends(&mut self, summary: &Summary) -> Vec<Write> {
        let catch_up = std::mem::take(&mut self.resumed);
        let (log, history) = (emptied(&mut self.log), emptied(&mut self.history));
        let contents = if catch_up {
            let run = summary.info.run.clone();
            [(Place::Log, Content::Log { run, text: log }), (Place::History, Content::History(history))]
        } else {
            [(Place::Log, Content::Append(log)), (Place::History, Content::Append(history))]
        };
        let says_something = |content: &Content| *content != Content::Append(String::new());
        contents
            .into_iter()
            .filter(|(_, content)| says_something(content))
            .map(|(place, content)| Write { place, content })
            .collect()
    }

    fn checkpoints(&mut self, plan: &Plan, summary: &Summary) -> Vec<Write> {
        let marks = self.checkpoints.take();
        let write = |mark: &checkpoint::Mark| Write {
            place: Place::Checkpoint(mark.number),
            content: Content::Replace(checkpoint::render(plan, summary, mark)),
        };
        marks.iter().map(write).collect()
    }

    /// A file that is written at rest only has changed since: its text, which may be very long, is not looked at.
    fn is_new(&mut self, place: Place, content: &Content, surely: bool) -> bool {
        let fingerprint = if surely { 0 } else { content.fingerprint() };
        self.written.insert(place, fingerprint) != Some(fingerprint) || surely
    }
}

fn completed_section(summary: &Summary) -> Section {
    Section { title: "Changes completed", key: memory::run_key(summary) }
}

/// What was gathered; as much again has room without moving.
fn emptied(gathered: &mut String) -> String {
    let room = String::with_capacity(gathered.len());
    std::mem::replace(gathered, room)
}
