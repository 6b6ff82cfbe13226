//! Which tasks the user chose (SPEC 3.3): stories, filters, ids, a stretch of the file, phases, the MVP.
//!
//! Knows names and places of tasks, no edges: what else the chosen ones need is the roles' business.

use super::filter::{self, Step};
use super::findings::Findings;
use super::glob::Glob;
use super::names::{Names, NoRange};
use super::{Selection, same_story};
use crate::diagnostic::{Code, Diagnostic};
use crate::task::{Document, Phase, PhaseIx, PhaseKind, Story, Task, TaskIx};
use crate::text::{self, safe};

/// What was chosen.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    /// Per task.
    pub(super) selected: Vec<bool>,
    /// Per task: by its own id with `--only`.
    pub(super) named: Vec<bool>,
}

pub(super) fn select(
    document: &Document,
    names: &Names<'_>,
    selection: &Selection,
    found: &mut Findings,
) -> Chosen {
    let mut chooser = Chooser { document, names, found };
    let count = document.tasks.len();
    let mut selected = vec![true; count];
    let mut narrow = |set: Vec<bool>| selected.iter_mut().zip(set).for_each(|(own, other)| *own &= other);
    if !selection.stories.is_empty() {
        narrow(chooser.any(&selection.stories, Chooser::story));
    }
    for expression in &selection.filters {
        narrow(chooser.filter(expression));
    }
    let mut named = vec![false; count];
    if !selection.only.is_empty() {
        named = chooser.any(&selection.only, |chooser, id| chooser.ids(id, "--only"));
        narrow(named.clone());
    }
    if let Some(id) = &selection.from {
        narrow(chooser.stretch(id, "--from", true));
    }
    if let Some(id) = &selection.until {
        narrow(chooser.stretch(id, "--until", false));
    }
    if !selection.phases.is_empty() {
        narrow(chooser.any(&selection.phases, Chooser::phase));
    }
    if selection.mvp {
        narrow(chooser.mvp());
    }
    let is_narrowed = *selection
        != Selection {
            with_needs: selection.with_needs,
            include_optional: selection.include_optional,
            ..Selection::default()
        };
    if is_narrowed && !selected.contains(&true) && !chooser.found.has_errors() {
        chooser.nothing();
    }
    Chosen { selected, named }
}

struct Chooser<'a, 'f> {
    document: &'a Document,
    names: &'a Names<'a>,
    found: &'f mut Findings,
}

impl Chooser<'_, '_> {
    /// The tasks for which `test` holds, as one flag per task.
    fn set(&self, test: impl Fn(&Task) -> bool) -> Vec<bool> {
        self.document.tasks.iter().map(|task| !task.is_group && test(task)).collect()
    }

    fn of(&self, tasks: impl IntoIterator<Item = TaskIx>) -> Vec<bool> {
        let mut set = vec![false; self.document.tasks.len()];
        tasks.into_iter().for_each(|task| set[task.ix()] = true);
        // A group stands for what it holds, and stands before it.
        for n in 0..set.len() {
            if let Some(group) = self.document.tasks[n].group {
                set[n] |= set[group.ix()];
            }
        }
        set.iter_mut().zip(&self.document.tasks).for_each(|(chosen, task)| *chosen &= !task.is_group);
        set
    }

    /// What any of several names, given one by one or with commas, chooses.
    fn any(&mut self, names: &[String], mut one: impl FnMut(&mut Self, &str) -> Vec<bool>) -> Vec<bool> {
        let mut all = vec![false; self.document.tasks.len()];
        for name in
            names.iter().flat_map(|names| names.split(',')).map(str::trim).filter(|name| !name.is_empty())
        {
            let set = one(self, name);
            all.iter_mut().zip(set).for_each(|(own, other)| *own |= other);
        }
        all
    }

    fn story(&mut self, name: &str) -> Vec<bool> {
        self.story_set(name).unwrap_or_else(|| {
            let stories = self.stories();
            self.unknown("story", name, stories.iter().map(String::as_str), "the stories of this file are")
        })
    }

    /// `US1` also means its parts `US1.1`, `US1.2`; a bare `1` means `US1`.
    fn story_set(&self, name: &str) -> Option<Vec<bool>> {
        let full =
            if name.bytes().all(|b| b.is_ascii_digit()) { format!("US{name}") } else { name.to_owned() };
        let set = self.set(|task| task.stories.iter().any(|story| is_story_or_part(story, &full)));
        set.contains(&true).then_some(set)
    }

    fn stories(&self) -> Vec<String> {
        let mut stories: Vec<String> = Vec::new();
        for story in self.document.tasks.iter().flat_map(|task| &task.stories) {
            if stories.last() != Some(&story.0) {
                stories.push(story.0.clone());
            }
        }
        stories.sort_unstable();
        stories.dedup();
        stories
    }

    /// An id, or a range `T003..T009`, also with a dash.
    fn ids(&mut self, text: &str, option: &str) -> Vec<bool> {
        match self.id_set(text) {
            Some(Ok(set)) => set,
            Some(Err(message)) => self.fail(Code::UnknownSelection, message, Vec::new()),
            None => {
                let near = self.names.nearest(text);
                let help = near.map(|near| format!("a task with a similar id exists: `{}`", safe(near)));
                let message = format!("`{option} {}` names no task of this file", safe(text));
                self.fail(Code::UnknownSelection, message, help.into_iter().collect())
            }
        }
    }

    fn id_set(&self, text: &str) -> Option<Result<Vec<bool>, String>> {
        if let Some(task) = self.names.find(text) {
            return Some(Ok(self.of([task])));
        }
        let (first, last) = text.split_once("..").or_else(|| text.split_once('-'))?;
        let last = last.trim_start_matches(['=', '.']);
        match self.names.between(first, last) {
            Ok(tasks) => Some(Ok(self.of(tasks))),
            Err(NoRange::Unknown(_)) if !text.contains("..") => None,
            Err(NoRange::Unknown(id)) => {
                Some(Err(format!("`{}` names `{}`, which is not in this file", safe(text), safe(&id))))
            }
            Err(NoRange::Reversed) => Some(Err(format!("the range `{}` is reversed", safe(text)))),
            Err(NoRange::OtherStyle) => {
                Some(Err(format!("the ids of `{}` are of different styles", safe(text))))
            }
        }
    }

    /// From a task to the end of the file, or from its start to a task, the task included.
    fn stretch(&mut self, id: &str, option: &str, from: bool) -> Vec<bool> {
        let at = self.ids(id, option);
        let count = at.len();
        let keep = if from {
            at.iter().position(|set| *set).map(|first| first..count)
        } else {
            at.iter().rposition(|set| *set).map(|last| 0..last + 1)
        };
        let keep = keep.unwrap_or(0..0);
        (0..count).map(|n| keep.contains(&n) && !self.document.tasks[n].is_group).collect()
    }

    fn phase(&mut self, name: &str) -> Vec<bool> {
        self.phase_set(name).unwrap_or_else(|| {
            let phases = self.document.phases.iter();
            let names: Vec<&str> =
                phases.flat_map(|p| p.number.as_deref().into_iter().chain([p.title.as_str()])).collect();
            self.unknown("phase", name, names, "the phases of this file are")
        })
    }

    /// By number, by kind, by title, or by a part of the title, whichever says something first.
    fn phase_set(&self, name: &str) -> Option<Vec<bool>> {
        let lower = name.to_lowercase();
        let by: [&dyn Fn(&Phase) -> bool; 4] = [
            &|phase| phase.number.as_deref().is_some_and(|number| number.eq_ignore_ascii_case(name)),
            &|phase| kind_name(phase.kind).contains(&lower.as_str()),
            &|phase| phase.title.to_lowercase() == lower,
            &|phase| lower.chars().count() >= 3 && phase.title.to_lowercase().contains(&lower),
        ];
        by.iter().find_map(|is| {
            let phases: Vec<bool> = self.document.phases.iter().map(is).collect();
            let in_phase = |phase: PhaseIx| phases.get(phase.0 as usize).copied().unwrap_or(false);
            let set = self.set(|task| task.phase.is_some_and(in_phase));
            set.contains(&true).then_some(set)
        })
    }

    /// Setup, foundation and the first story of the file.
    fn mvp(&mut self) -> Vec<bool> {
        let first =
            self.document.tasks.iter().filter(|task| !task.is_group).find_map(|task| task.stories.first());
        let Some(first) = first else {
            let help = "choose tasks with --phase, --only or --until instead".to_owned();
            return self.fail(
                Code::UnknownSelection,
                "`--mvp` asks for the first story, and this file has none".into(),
                vec![help],
            );
        };
        let prepares = |phase: &Option<PhaseIx>| match phase
            .and_then(|phase| self.document.phases.get(phase.0 as usize))
        {
            Some(phase) => matches!(phase.kind, PhaseKind::Setup | PhaseKind::Foundation),
            // Before the first heading.
            None => !self.document.phases.is_empty(),
        };
        self.set(|task| {
            let is_first = task.stories.iter().any(|story| same_story(story, &first.0));
            is_first
                || (task.stories.is_empty() && prepares(&task.phase))
                || (prepares(&task.phase) && task.phase.is_some())
        })
    }

    /// Works an expression out for all tasks at once.
    fn filter(&mut self, expression: &str) -> Vec<bool> {
        let steps = match filter::parse(expression) {
            Ok(steps) => steps,
            Err(bad) => {
                let column = expression.get(..bad.at).map_or(0, |before| before.chars().count()) + 1;
                let message = format!("the filter `{}` cannot be read: {}", safe(expression), safe(&bad.why));
                let help = format!("at character {column}; for example: `P1 and not (US3 or path:src/**)`");
                return self.fail(Code::BadFilter, message, vec![help]);
            }
        };
        let mut stack: Vec<Vec<bool>> = Vec::new();
        for step in steps {
            match step {
                Step::Name(word) => {
                    let set = self.name(word.text);
                    stack.push(set);
                }
                Step::Not => {
                    if let Some(top) = stack.last_mut() {
                        top.iter_mut()
                            .zip(&self.document.tasks)
                            .for_each(|(set, task)| *set = !*set && !task.is_group);
                    }
                }
                Step::And | Step::Or => {
                    if let (Some(right), Some(left)) = (stack.pop(), stack.last_mut()) {
                        let join = |a: bool, b: bool| if step == Step::And { a && b } else { a || b };
                        left.iter_mut().zip(right).for_each(|(left, right)| *left = join(*left, right));
                    }
                }
            }
        }
        stack.pop().unwrap_or_else(|| vec![false; self.document.tasks.len()])
    }

    fn name(&mut self, name: &str) -> Vec<bool> {
        if let Some(phase) = name.strip_prefix("phase:") {
            return self.phase(phase.trim_matches('"'));
        }
        if let Some(pattern) = name.strip_prefix("path:") {
            let glob = Glob::new(pattern.trim_matches('"'));
            return self.set(|task| task.files.iter().any(|file| glob.fits(&file.path)));
        }
        let plain = name.strip_prefix("tag:").unwrap_or(name).trim_matches('"');
        let sets = [
            numbered(plain, 'P').map(|n| self.set(|task| task.priority == Some(n))),
            numbered(plain, 'L').map(|n| self.set(|task| task.more.layer == Some(n))),
            self.story_set(plain),
            Some(self.set(|task| task.more.tags.iter().any(|tag| tag.eq_ignore_ascii_case(plain)))),
        ];
        if let Some(set) = sets.into_iter().flatten().find(|set| set.contains(&true)) {
            return set;
        }
        match self.id_set(plain) {
            Some(Ok(set)) => set,
            Some(Err(message)) => self.fail(Code::UnknownSelection, message, Vec::new()),
            None => self.unknown_name(plain),
        }
    }

    fn unknown_name(&mut self, name: &str) -> Vec<bool> {
        let tasks = &self.document.tasks;
        let mut known = self.stories();
        known.extend(
            (1..=9).filter(|n| tasks.iter().any(|task| task.priority == Some(*n))).map(|n| format!("P{n}")),
        );
        known.extend(
            (0..=9).filter(|n| tasks.iter().any(|task| task.more.layer == Some(*n))).map(|n| format!("L{n}")),
        );
        known.extend(tasks.iter().flat_map(|task| &task.more.tags).cloned());
        known.sort_unstable();
        known.dedup();
        let near = text::nearest(name, known.iter().map(String::as_str)).or_else(|| self.names.nearest(name));
        let help = match near {
            Some(near) => format!("did you mean `{}`?", safe(near)),
            None if known.is_empty() => "this file has neither stories nor priorities nor tags".to_owned(),
            None => format!(
                "this file has {}",
                super::resolve::listed(&known.iter().map(String::as_str).collect::<Vec<_>>())
            ),
        };
        let message = format!(
            "the filter names `{}`, which is no story, priority, tag or task of this file",
            safe(name)
        );
        self.fail(Code::UnknownSelection, message, vec![help])
    }

    fn unknown<'n>(
        &mut self,
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'n str>,
        all: &str,
    ) -> Vec<bool> {
        let known: Vec<&str> = known.into_iter().collect();
        let help = match text::nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{}`?", safe(near)),
            None if known.is_empty() => format!("no task of this file belongs to a {what}"),
            None => format!("{all} {}", super::resolve::listed(&known)),
        };
        self.fail(
            Code::UnknownSelection,
            format!("there is no {what} `{}` in this file", safe(name)),
            vec![help],
        )
    }

    fn fail(&mut self, code: Code, message: String, help: Vec<String>) -> Vec<bool> {
        self.found.push(Diagnostic { help, ..Diagnostic::error(code, message) });
        vec![false; self.document.tasks.len()]
    }

    fn nothing(&mut self) {
        self.found.push(
            Diagnostic::error(Code::NothingSelected, "no task is in all that was selected").help(
                "selections narrow one another: leave one out, or see `specter plan` for what there is",
            ),
        );
    }
}

fn is_story_or_part(story: &Story, name: &str) -> bool {
    let Some(start) = story.0.get(..name.len()) else { return false };
    start.eq_ignore_ascii_case(name) && matches!(story.0.as_bytes().get(name.len()), None | Some(b'.'))
}

/// `P1` to `P9`.
fn numbered(name: &str, letter: char) -> Option<u8> {
    let (first, rest) = name.split_at_checked(1)?;
    let digit = rest.parse().ok().filter(|_| rest.len() == 1)?;
    first.eq_ignore_ascii_case(letter.encode_utf8(&mut [0; 4])).then_some(digit)
}

fn kind_name(kind: PhaseKind) -> &'static [&'static str] {
    match kind {
        PhaseKind::Setup => &["setup"],
        PhaseKind::Foundation => &["foundation", "foundational"],
        PhaseKind::Story => &["story", "stories"],
        PhaseKind::Polish => &["polish"],
        PhaseKind::Other => &[],
    }
}
