//! From dependencies as written to dependencies between tasks: ids, ranges, stories, phases, waves.
//!
//! Knows the document; adds no edge. An unknown id is an error where a person stated a dependency and a warning where
//! it was read out of a sentence.

use super::findings::Findings;
use super::names::{Names, NoRange};
use super::same_story;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::task::{Dependent, Document, NeedForm, Target, TaskIx, WrittenNeed};
use crate::text::{self, safe};
use std::collections::HashMap;
use std::rc::Rc;

/// Tasks that the ranges, stories and phases named as dependencies may stand for altogether.
const EXPANDED: usize = 1_000_000;
/// Unknown ids for which the nearest one is looked for, since each look-up reads all ids.
const NEAREST: usize = 20;

/// One task, or several named by a range, a story or a phase. Equal texts share one list.
#[derive(Clone, Debug)]
pub(super) enum Ends {
    One(TaskIx),
    Many(Rc<[TaskIx]>),
}

impl Ends {
    pub(super) fn tasks(&self) -> &[TaskIx] {
        match self {
            Ends::One(task) => std::slice::from_ref(task),
            Ends::Many(tasks) => tasks,
        }
    }
}

/// Each of `dependent` waits for each of `need`.
#[derive(Clone, Debug)]
pub(super) struct Need {
    pub(super) dependent: Ends,
    pub(super) on: Ends,
    pub(super) form: NeedForm,
    pub(super) line: u32,
    pub(super) span: Span,
}

/// The document's dependencies, resolved.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs {
    pub(super) list: Vec<Need>,
    /// Kiro's waves, in order; each needs the one before.
    pub(super) waves: Vec<Vec<TaskIx>>,
    pub(super) waves_line: u32,
}

pub(super) fn needs(
    document: &Document,
    written: Vec<WrittenNeed>,
    names: &Names<'_>,
    found: &mut Findings,
) -> Needs {
    let mut resolver = Resolver { document, names, found, known: HashMap::new(), expanded: 0, nearest: 0 };
    let mut list = Vec::with_capacity(written.len());
    list.extend(written.into_iter().filter_map(|need| resolver.need(&need)));
    let waves = resolver.waves();
    Needs { list, waves, waves_line: document.waves.as_ref().map_or(0, |waves| waves.line) }
}

struct Resolver<'a, 'f> {
    document: &'a Document,
    names: &'a Names<'a>,
    found: &'f mut Findings,
    /// Lists already worked out, by what was written.
    known: HashMap<String, Rc<[TaskIx]>>,
    expanded: usize,
    nearest: usize,
}

/// Where a dependency stands, for messages.
#[derive(Clone, Copy)]
struct Place<'a> {
    form: NeedForm,
    span: Span,
    dependent: Option<&'a str>,
}

impl Resolver<'_, '_> {
    fn need(&mut self, written: &WrittenNeed) -> Option<Need> {
        let mut place = Place { form: written.form, span: written.span, dependent: None };
        let dependent = match &written.dependent {
            Dependent::Task(task) => Ends::One(*task),
            Dependent::Written(target) => self.target(target, place)?,
        };
        if let Ends::One(task) = dependent {
            place.dependent = Some(self.document.task(task).id.as_str());
        }
        let need = self.target(&written.need, place)?;
        if let (Ends::One(a), Ends::One(b)) = (&dependent, &need)
            && a == b
        {
            self.itself(*a, place);
            return None;
        }
        let (need, dependent) = (self.without(need, &dependent, &written.need, place)?, dependent);
        Some(Need { dependent, on: need, form: written.form, line: written.line, span: written.span })
    }

    /// A range, story or phase that holds the dependent itself means its others, but a range typed on the task is
    /// taken at its word.
    fn without(&mut self, need: Ends, dependent: &Ends, target: &Target, place: Place<'_>) -> Option<Ends> {
        let (Ends::Many(tasks), Ends::One(own)) = (&need, dependent) else { return Some(need) };
        if tasks.binary_search(own).is_err() {
            return Some(need);
        }
        if matches!(target, Target::Range(..)) && place.form != NeedForm::Prose {
            self.itself(*own, place);
            return None;
        }
        if !self.may_expand(tasks.len(), place) {
            return None;
        }
        let others: Vec<TaskIx> = tasks.iter().copied().filter(|task| task != own).collect();
        Some(Ends::Many(others.into()))
    }

    fn itself(&mut self, task: TaskIx, place: Place<'_>) {
        // In prose a task often mentions itself; that says nothing.
        if place.form == NeedForm::Prose {
            return;
        }
        let id = safe(self.document.task(task).id.as_str());
        self.found.push(
            Diagnostic::error(Code::SelfDependency, format!("task `{id}` depends on itself"))
                .at(place.span, "this is the task's own id")
                .help("remove it, or name the task that was meant"),
        );
    }

    fn target(&mut self, target: &Target, place: Place<'_>) -> Option<Ends> {
        match target {
            Target::Id(id) => match self.names.find(id) {
                Some(task) => Some(Ends::One(task)),
                None => self.unknown(id, place),
            },
            Target::Range(first, last) => self.range(first, last, place),
            Target::Story(story) => {
                let list = self.list(&format!("story {}", story.0.to_lowercase()), place, |resolver| {
                    resolver.names.where_task(|task| task.stories.iter().any(|own| same_story(own, &story.0)))
                })?;
                self.named(list, &story.0, "story", place)
            }
            Target::Phase(number) => {
                let list = self.list(&format!("phase {}", number.to_lowercase()), place, |resolver| {
                    resolver.phase(number)
                })?;
                self.named(list, number, "phase", place)
            }
        }
    }

    fn phase(&self, number: &str) -> Vec<TaskIx> {
        let phases = &self.document.phases;
        let is = |phase: u32| {
            let own = phases[phase as usize].number.as_deref();
            own.is_some_and(|own| own.eq_ignore_ascii_case(number))
        };
        self.names.where_task(|task| task.phase.is_some_and(|phase| is(phase.0)))
    }

    fn range(&mut self, first: &str, last: &str, place: Place<'_>) -> Option<Ends> {
        let key = format!("range {first} {last}");
        if let Some(known) = self.known.get(&key) {
            return Some(Ends::Many(known.clone()));
        }
        let tasks = match self.names.between(first, last) {
            Ok(tasks) => tasks,
            Err(_) if place.form == NeedForm::Prose => self.names.around(first, last),
            Err(NoRange::Unknown(id)) => return self.unknown(&id, place),
            Err(why) => return self.bad_range(first, last, &why, place),
        };
        let list = self.list(&key, place, |_| tasks)?;
        (!list.is_empty()).then_some(Ends::Many(list))
    }

    /// A list by name, worked out once; `None` past the limit.
    fn list(
        &mut self,
        key: &str,
        place: Place<'_>,
        make: impl FnOnce(&Self) -> Vec<TaskIx>,
    ) -> Option<Rc<[TaskIx]>> {
        if let Some(known) = self.known.get(key) {
            return Some(known.clone());
        }
        let tasks: Rc<[TaskIx]> = make(self).into();
        if !self.may_expand(tasks.len(), place) {
            return None;
        }
        self.known.insert(key.to_owned(), tasks.clone());
        Some(tasks)
    }

    /// Counts what ranges, stories and phases stand for, and says so once it is too much.
    fn may_expand(&mut self, by: usize, place: Place<'_>) -> bool {
        let within = self.expanded <= EXPANDED;
        self.expanded = self.expanded.saturating_add(by);
        if within && self.expanded > EXPANDED {
            let message = format!("the ranges of this file stand for more than {EXPANDED} dependencies");
            let diagnostic = Diagnostic::error(Code::BadRange, message);
            self.found.push(diagnostic.at(place.span, "from here on they are too many"));
        }
        self.expanded <= EXPANDED
    }

    /// A story or phase, which must have tasks.
    fn named(&mut self, list: Rc<[TaskIx]>, name: &str, what: &str, place: Place<'_>) -> Option<Ends> {
        if !list.is_empty() {
            return Some(Ends::Many(list));
        }
        let message = format!("{} `{}`, a {what} without tasks in this file", subject(place), safe(name));
        let diagnostic = severe(place, Code::UnknownDependency, message);
        self.found.push(diagnostic.at(place.span, format!("no task belongs to this {what}")));
        None
    }

    fn unknown(&mut self, id: &str, place: Place<'_>) -> Option<Ends> {
        let message = format!("{} `{}`, which is not in this file", subject(place), safe(id));
        let mut diagnostic =
            severe(place, Code::UnknownDependency, message).at(place.span, "no task has this id");
        self.nearest += 1;
        if self.nearest <= NEAREST
            && let Some(near) = self.names.nearest(id)
        {
            diagnostic = diagnostic.help(format!("a task with a similar id exists: `{}`", safe(near)));
        }
        self.found.push(diagnostic);
        None
    }

    fn bad_range(&mut self, first: &str, last: &str, why: &NoRange, place: Place<'_>) -> Option<Ends> {
        let (first, last) = (safe(first), safe(last));
        let (message, help) = match why {
            NoRange::Reversed => {
                (format!("the range `{first}` to `{last}` is reversed"), format!("write `{last}-{first}`"))
            }
            _ => (
                format!("the ids `{first}` and `{last}` are of different styles and make no range"),
                "name the tasks one by one, separated by commas".to_owned(),
            ),
        };
        let diagnostic = severe(place, Code::BadRange, message).at(place.span, "this range");
        self.found.push(diagnostic.help(help));
        None
    }

    fn waves(&mut self) -> Vec<Vec<TaskIx>> {
        let Some(written) = &self.document.waves else { return Vec::new() };
        let mut waves = Vec::with_capacity(written.waves.len());
        for wave in &written.waves {
            let mut tasks: Vec<TaskIx> = Vec::with_capacity(wave.len());
            for (id, span) in wave {
                let place = Place { form: NeedForm::Waves, span: *span, dependent: None };
                if let Some(Ends::One(task)) = self.target(&Target::Id(id.as_str().into()), place) {
                    tasks.push(task);
                }
            }
            tasks.sort_unstable();
            tasks.dedup();
            waves.push(tasks);
        }
        waves.retain(|wave| !wave.is_empty());
        if !waves.is_empty() {
            self.unplaced(&waves);
        }
        waves
    }

    fn unplaced(&mut self, waves: &[Vec<TaskIx>]) {
        let document = self.document;
        let mut placed = vec![false; document.tasks.len()];
        waves.iter().flatten().for_each(|task| placed[task.ix()] = true);
        for (n, task) in document.tasks.iter().enumerate() {
            // Groups stand before what they hold.
            if let Some(group) = task.group {
                placed[n] |= placed[group.ix()];
            }
        }
        let missing: Vec<&str> = (document.tasks.iter().zip(&placed))
            .filter(|(task, placed)| !*placed && !task.is_group)
            .map(|(task, _)| task.id.as_str())
            .collect();
        let Some(waves) = document.waves.as_ref().filter(|_| !missing.is_empty()) else { return };
        let span = waves.waves.iter().flatten().map(|(_, span)| *span).next().unwrap_or_default();
        let count = text::count(missing.len() as u64, "task");
        self.found.push(
            Diagnostic::warning(
                Code::WavesIncomplete,
                format!("the waves leave out {count}: {}", listed(&missing)),
            )
            .at(span, "the waves begin here")
            .help("what they leave out follows the order of the file"),
        );
    }
}

/// An error where the dependency was stated, a warning where it was only told.
fn severe(place: Place<'_>, code: Code, message: String) -> Diagnostic {
    match place.form {
        NeedForm::Prose => Diagnostic::warning(code, message).help("it is not used as an order"),
        _ => Diagnostic::error(code, message),
    }
}

fn subject(place: Place<'_>) -> String {
    match (place.dependent, place.form) {
        (Some(id), _) => format!("task `{}` depends on", safe(id)),
        (None, NeedForm::Waves) => "the waves name".to_owned(),
        (None, _) => "a dependency names".to_owned(),
    }
}

/// "`T001`, `T002` and 3 more".
pub(super) fn listed(ids: &[&str]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = ids.iter().take(SHOWN).map(|id| format!("`{}`", safe(id))).collect();
    match ids.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
