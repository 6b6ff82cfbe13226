//! Which bytes of a task file tick which boxes: from the text as it is now and the tasks that are done, to edits of
//! one byte each (SPEC 2.6).
//!
//! Pure: reads no file and writes none. A box is found by its task's id *and* text, because people edit the file
//! while a run goes on; where it is not certain which box is meant, none is touched and the reason is given.

use crate::source::{BOM, Excerpt, SourceText, Span};
use crate::task::{Document, EcoString, Task, TaskId, TaskIx};
use foldhash::{HashMap, HashMapExt};
use std::cell::OnceCell;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;

/// A task whose box must be ticked, as it stood in the file when it was planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    pub task: TaskId,
    pub title: Excerpt,
    /// What stood between the brackets; the tick replaces this or a blank, and nothing else.
    pub mark: EcoString,
    /// Where it stood: looked at first.
    pub line: u32,
}

impl Tick {
    pub fn of(task: &Task) -> Tick {
        let mark = task.checkbox.as_ref().map_or_else(EcoString::default, |checkbox| checkbox.mark.clone());
        Tick { task: task.id.clone(), title: task.title.clone(), mark, line: task.line }
    }
}

/// One byte of the file to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TickEdit {
    /// Which of the wanted boxes it ticks.
    pub nth: usize,
    /// In the document the edit was made for.
    pub ix: TaskIx,
    /// In the file, a byte order mark counted.
    pub offset: u64,
    pub old: u8,
    pub new: u8,
    /// 1-based.
    pub line: u32,
}

/// Why a box is not ticked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Neither the id nor the text is in the file any more.
    Gone,
    /// The same text now has another id: the user's edit is the truth.
    Renamed { to: TaskId, line: u32 },
    /// Several tasks have this id, and none or more than one has this text.
    Ambiguous { lines: Vec<u32> },
    /// A task heading or item without a box.
    NoBox { line: u32 },
    /// `[]` or `[✅]`: ticking it would change more than one byte.
    NotOneByte { mark: String, line: u32 },
    /// Someone put another mark there meanwhile.
    Marked { mark: String, line: u32 },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::text::Untrusted;
        match self {
            Problem::Gone => f.write_str("the task is no longer in the file"),
            Problem::Renamed { to, line } => {
                write!(f, "the task is now `{}`, at line {line}", Untrusted(to.as_str()))
            }
            Problem::Ambiguous { lines } => {
                let lines: Vec<String> = lines.iter().take(5).map(u32::to_string).collect();
                write!(f, "several tasks have this id, at lines {}", lines.join(", "))
            }
            Problem::NoBox { line } => write!(f, "the task has no box, at line {line}"),
            Problem::NotOneByte { mark, line } => {
                write!(f, "the box `[{}]` is not one character wide, at line {line}", Untrusted(mark))
            }
            Problem::Marked { mark, line } => {
                write!(f, "the box was marked `[{}]` meanwhile, at line {line}", Untrusted(mark))
            }
        }
    }
}

/// What is to be done with the wanted boxes; each wanted task is in exactly one list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// By ascending offset.
    pub edits: Vec<TickEdit>,
    /// Ticked already, by whomever: which of the wanted, and at which line.
    pub already: Vec<(usize, u32)>,
    pub problems: Vec<(usize, Problem)>,
}

/// A box to be ticked.
#[derive(Clone, Copy, Debug)]
pub enum Want<'a> {
    /// Of the task at this place, whatever its mark.
    At(TaskIx),
    Tick(&'a Tick),
}

impl<'a> From<&'a Tick> for Want<'a> {
    fn from(tick: &'a Tick) -> Want<'a> {
        Want::Tick(tick)
    }
}

/// The edits that tick the boxes of `wanted` in the file as `index` knows it.
pub fn ticks<'a, W: Into<Want<'a>>>(index: &Index, wanted: impl IntoIterator<Item = W>) -> Edits {
    let mut edits = Edits::default();
    for (nth, want) in wanted.into_iter().enumerate() {
        let found = match want.into() {
            Want::At(ix) => index.edit(ix, nth, None),
            Want::Tick(tick) => index.find(tick).and_then(|ix| index.edit(ix, nth, Some(&tick.mark))),
        };
        match found {
            Ok(Found::Other(edit)) => edits.edits.push(edit),
            Ok(Found::AsWanted { line }) => edits.already.push((nth, line)),
            Err(problem) => edits.problems.push((nth, problem)),
        }
    }
    edits.edits.sort_by_key(|edit| edit.offset);
    edits
}

/// The edits that clear the boxes of `wanted`: those that are ticked become blank. What is open already is in
/// [`Edits::already`].
pub fn clears<'a>(index: &Index, wanted: impl IntoIterator<Item = &'a Tick>) -> Edits {
    let mut edits = Edits::default();
    for (nth, tick) in wanted.into_iter().enumerate() {
        match index.find(tick).and_then(|ix| index.clear(ix, nth)) {
            Ok(Found::Other(edit)) => edits.edits.push(edit),
            Ok(Found::AsWanted { line }) => edits.already.push((nth, line)),
            Err(problem) => edits.problems.push((nth, problem)),
        }
    }
    edits.edits.sort_by_key(|edit| edit.offset);
    edits
}

/// A box as it is wanted already, or the byte that makes it so.
enum Found {
    Other(TickEdit),
    AsWanted { line: u32 },
}

/// Whether a mark says that the task is done (SPEC 2.1).
fn is_ticked(mark: &str) -> bool {
    matches!(mark, "x" | "X" | "✅")
}

/// What a task file holds: the text it was read as, and what was ticked since; where its boxes stand and whose they are.
/// All that is kept of a document to tick it by.
#[derive(Debug, Default)]
pub struct Index {
    text: Excerpt,
    has_bom: bool,
    tasks: Tasks,
    /// Where in the text boxes were ticked since it was read, ascending.
    ticked: Vec<u32>,
    /// `x` or `X`
    tick: u8,
    /// The first task of each id. Made when a task does not stand where it stood.
    by_id: OnceCell<HashMap<TaskId, TaskIx>>,
    /// What tasks stand for besides their own ids.
    aliases: Vec<(TaskId, TaskIx)>,
    /// All tasks of the ids that several have; mostly there are none.
    shared: HashMap<TaskId, Vec<TaskIx>>,
    /// Needed only where an id does not settle it.
    by_title: OnceCell<HashMap<Excerpt, Vec<TaskIx>>>,
}

/// The tasks of a text, by line: those of its plan, or what is kept of a document that others wrote.
#[derive(Debug)]
enum Tasks {
    Planned(Arc<Vec<Task>>),
    Read(Vec<Place>),
}

#[derive(Debug)]
struct Place {
    id: TaskId,
    title: Excerpt,
    line: u32,
    inner: Option<Span>,
    synthetic: bool,
}

/// What is asked of a task.
#[derive(Clone, Copy)]
struct Stand<'a> {
    id: &'a TaskId,
    title: &'a Excerpt,
    line: u32,
    /// Between the brackets.
    inner: Option<Span>,
    synthetic: bool,
}

impl Default for Tasks {
    fn default() -> Tasks {
        Tasks::Read(Vec::new())
    }
}

impl Tasks {
    fn len(&self) -> usize {
        match self {
            Tasks::Planned(tasks) => tasks.len(),
            Tasks::Read(places) => places.len(),
        }
    }

    fn get(&self, ix: TaskIx) -> Option<Stand<'_>> {
        match self {
            Tasks::Planned(tasks) => tasks.get(ix.ix()).map(|task| Stand {
                id: &task.id,
                title: &task.title,
                line: task.line,
                inner: task.checkbox.as_ref().map(|checkbox| checkbox.inner),
                synthetic: task.synthetic,
            }),
            Tasks::Read(places) => places.get(ix.ix()).map(|place| Stand {
                id: &place.id,
                title: &place.title,
                line: place.line,
                inner: place.inner,
                synthetic: place.synthetic,
            }),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (TaskIx, Stand<'_>)> {
        (0..self.len() as u32).map(TaskIx).filter_map(|ix| Some((ix, self.get(ix)?)))
    }

    /// The first at this line or behind it.
    fn at_line(&self, line: u32) -> TaskIx {
        TaskIx(match self {
            Tasks::Planned(tasks) => tasks.partition_point(|task| task.line < line),
            Tasks::Read(places) => places.partition_point(|place| place.line < line),
        } as u32)
    }
}

impl Place {
    fn new(task: &Task) -> Place {
        Place {
            id: task.id.clone(),
            title: task.title.clone(),
            line: task.line,
            inner: task.checkbox.as_ref().map(|checkbox| checkbox.inner),
            synthetic: task.synthetic,
        }
    }
}

impl Index {
    /// Of `document`, which was parsed from `source`.
    pub fn new(document: &Document, source: &SourceText) -> Index {
        let places = Tasks::Read(document.tasks.iter().map(Place::new).collect());
        Index::of(places, &document.tasks, document.tick, source)
    }

    /// Of the tasks of a plan of `source`, which are not copied. `tick` is `x` or `X`.
    pub fn planned(tasks: &Arc<Vec<Task>>, tick: char, source: &SourceText) -> Index {
        Index::of(Tasks::Planned(Arc::clone(tasks)), tasks, tick, source)
    }

    fn of(places: Tasks, tasks: &[Task], tick: char, source: &SourceText) -> Index {
        let aliases = tasks.iter().zip(0..).filter(|(task, _)| !task.more.aliases.is_empty());
        let aliases =
            aliases.flat_map(|(task, n)| task.more.aliases.iter().map(move |id| (id.clone(), TaskIx(n))));
        let mut index = Index {
            text: source.excerpt(Span::new(0, source.text().len())),
            has_bom: source.file_offset(0) > 0,
            tasks: places,
            tick: if tick == 'X' { b'X' } else { b'x' },
            aliases: aliases.collect(),
            ..Index::default()
        };
        // The first of each id is not kept: it takes as much room as the rest, and is rarely asked for.
        index.shared = index.ids().1;
        index
    }

    /// The first task of each id, and all of those that several have.
    fn ids(&self) -> (HashMap<TaskId, TaskIx>, HashMap<TaskId, Vec<TaskIx>>) {
        let mut by_id: HashMap<TaskId, TaskIx> = HashMap::with_capacity(self.tasks.len());
        let mut shared: HashMap<TaskId, Vec<TaskIx>> = HashMap::new();
        let own = self.tasks.iter().map(|(ix, task)| (task.id, ix));
        for (id, ix) in own.chain(self.aliases.iter().map(|(id, ix)| (id, *ix))) {
            match by_id.entry(id.clone()) {
                Entry::Vacant(free) => {
                    free.insert(ix);
                }
                Entry::Occupied(first) => {
                    shared.entry(id.clone()).or_insert_with(|| vec![*first.get()]).push(ix);
                }
            }
        }
        for several in shared.values_mut() {
            several.sort_unstable();
        }
        (by_id, shared)
    }

    /// The task that `tick` means in this document.
    pub fn find(&self, tick: &Tick) -> Result<TaskIx, Problem> {
        let Some(first) = self.first(&tick.task, tick.line) else { return self.find_by_title(tick) };
        if !self.shared.is_empty()
            && let Some(several) = self.shared.get(&tick.task)
        {
            return self.one_of(several, &tick.title);
        }
        // An id made from place and text passes to another task when the file is edited: the text decides.
        let is_other = self.tasks.get(first).is_some_and(|task| task.synthetic && *task.title != tick.title);
        if is_other { self.find_by_title(tick) } else { Ok(first) }
    }

    /// Makes `tick` hold no part of an earlier text: each edit of a large file would otherwise leave its text behind.
    pub fn adopt(&self, tick: &mut Tick) {
        let place = self.first(&tick.task, tick.line).and_then(|ix| self.tasks.get(ix));
        match place.filter(|place| *place.title == tick.title) {
            Some(place) => (tick.title, tick.line) = (place.title.clone(), place.line),
            None => tick.title = Excerpt::from(tick.title.as_str()),
        }
    }

    /// The first task with this id, or with this alias. `line` is where it may stand.
    fn first(&self, id: &TaskId, line: u32) -> Option<TaskIx> {
        let at = self.tasks.at_line(line);
        let is_there = self.tasks.get(at).is_some_and(|task| task.id == id);
        if is_there && self.shared.is_empty() {
            return Some(at);
        }
        self.by_id.get_or_init(|| self.ids().0).get(id).copied()
    }

    fn find_by_title(&self, tick: &Tick) -> Result<TaskIx, Problem> {
        let titles = self.by_title.get_or_init(|| {
            let mut titles: HashMap<Excerpt, Vec<TaskIx>> = HashMap::new();
            for (ix, task) in self.tasks.iter() {
                titles.entry(task.title.clone()).or_default().push(ix);
            }
            titles
        });
        let Some([ix]) = titles.get(&tick.title).map(Vec::as_slice) else { return Err(Problem::Gone) };
        let Some(task) = self.tasks.get(*ix) else { return Err(Problem::Gone) };
        if task.synthetic {
            return Ok(*ix);
        }
        Err(Problem::Renamed { to: task.id.clone(), line: task.line })
    }

    fn one_of(&self, several: &[TaskIx], title: &Excerpt) -> Result<TaskIx, Problem> {
        let those = || several.iter().filter_map(|ix| Some((*ix, self.tasks.get(*ix)?)));
        let mut same = those().filter(|(_, task)| task.title == title);
        match (same.next(), same.next()) {
            (Some((ix, _)), None) => Ok(ix),
            _ => Err(Problem::Ambiguous { lines: those().map(|(_, task)| task.line).collect() }),
        }
    }

    /// `mark` is what may stand there besides a blank; None if that is known to do.
    fn edit(&self, ix: TaskIx, nth: usize, mark: Option<&str>) -> Result<Found, Problem> {
        let Some(place) = self.tasks.get(ix) else { return Err(Problem::Gone) };
        let (line, known) = (place.line, mark);
        let Some(inner) = place.inner else { return Err(Problem::NoBox { line }) };
        let mark = self.mark(place);
        if is_ticked(mark) || self.ticked.binary_search(&inner.start).is_ok() {
            return Ok(Found::AsWanted { line });
        }
        let &[old] = mark.as_bytes() else {
            return Err(Problem::NotOneByte { mark: mark.to_owned(), line });
        };
        if old != b' ' && known.is_some_and(|known| known != mark) {
            return Err(Problem::Marked { mark: mark.to_owned(), line });
        }
        Ok(Found::Other(TickEdit { nth, ix, offset: self.offset(inner), old, new: self.tick, line }))
    }

    /// What makes a ticked box blank.
    fn clear(&self, ix: TaskIx, nth: usize) -> Result<Found, Problem> {
        let Some(place) = self.tasks.get(ix) else { return Err(Problem::Gone) };
        let line = place.line;
        let Some(inner) = place.inner else { return Err(Problem::NoBox { line }) };
        let mark = self.mark(place);
        match mark.as_bytes() {
            &[old @ (b'x' | b'X')] => {
                Ok(Found::Other(TickEdit { nth, ix, offset: self.offset(inner), old, new: b' ', line }))
            }
            _ if is_ticked(mark) => Err(Problem::NotOneByte { mark: mark.to_owned(), line }),
            _ => Ok(Found::AsWanted { line }),
        }
    }

    /// In the file.
    fn offset(&self, inner: Span) -> u64 {
        (self.before_text() + inner.start as usize) as u64
    }

    /// As it was read.
    fn mark(&self, place: Stand<'_>) -> &str {
        self.text.get(place.inner.unwrap_or_default().range()).unwrap_or_default()
    }

    pub fn id(&self, ix: TaskIx) -> Option<&TaskId> {
        self.tasks.get(ix).map(|place| place.id)
    }

    /// The only task that is called so. `line` is where it may stand.
    pub fn with_id(&self, id: &TaskId, line: u32) -> Option<TaskIx> {
        let first = self.first(id, line)?;
        let is_own = self.tasks.get(first).is_some_and(|place| place.id == id);
        (is_own && !self.shared.contains_key(id)).then_some(first)
    }

    /// The task that stands here as `tick` has it: [`Index::tick`] gives the same again.
    pub fn exactly(&self, tick: &Tick) -> Option<TaskIx> {
        let ix = self.with_id(&tick.task, tick.line)?;
        let place = self.tasks.get(ix)?;
        let mark = self.mark(place);
        let is_same =
            *place.title == tick.title && (tick.mark == mark || tick.mark == " " && is_ticked(mark));
        is_same.then_some(ix)
    }

    /// What ticks the task at this place; a box that was read as ticked may be blank again.
    pub fn tick(&self, ix: TaskIx) -> Option<Tick> {
        let place = self.tasks.get(ix)?;
        let mark = self.mark(place);
        let mark = if is_ticked(mark) { " " } else { mark };
        Some(Tick { task: place.id.clone(), title: place.title.clone(), mark: mark.into(), line: place.line })
    }

    /// The edits were written.
    pub fn apply(&mut self, edits: &[TickEdit]) {
        let before = self.before_text() as u64;
        let known = self.ticked.len();
        self.ticked.extend(edits.iter().map(|edit| (edit.offset - before) as u32));
        if known > 0 && !self.ticked[known - 1..].is_sorted() {
            #[expect(clippy::stable_sort_primitive, reason = "of the two, it merges runs that are in order")]
            self.ticked.sort();
        }
    }

    /// How many bytes the file has.
    pub fn file_len(&self) -> usize {
        self.before_text() + self.text.len()
    }

    fn before_text(&self) -> usize {
        if self.has_bom { BOM.len() } else { 0 }
    }

    /// Whether the file holds `found` from byte `at` on. Our ticks are taken out of `found` on the way, so that nothing is
    /// copied.
    pub fn holds(&self, at: usize, found: &mut [u8]) -> bool {
        let before = self.before_text();
        let (bom, found) = found.split_at_mut(before.saturating_sub(at).min(found.len()));
        let start = at.saturating_sub(before);
        let end = start + found.len();
        let Some(text) = self.text.as_bytes().get(start..end) else { return false };
        let first = self.ticked.partition_point(|at| (*at as usize) < start);
        for at in self.ticked[first..].iter().map(|at| *at as usize).take_while(|at| *at < end) {
            if found[at - start] != self.tick {
                return false;
            }
            found[at - start] = text[at - start];
        }
        found == text && BOM[at.min(before)..].starts_with(bom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn document(text: &str) -> (SourceText, Document) {
        let source = SourceText::new("tasks.md", text);
        let (document, _) = parse(&source);
        (source, document)
    }

    /// Ticks of the tasks of `planned`, in the text as it is `now`.
    fn edits(planned: &str, now: &str) -> Edits {
        let wanted: Vec<Tick> = document(planned).1.tasks.iter().map(Tick::of).collect();
        let (source, document) = document(now);
        ticks(&Index::new(&document, &source), &wanted)
    }

    fn ticked(planned: &str, now: &str) -> String {
        let mut bytes = now.as_bytes().to_vec();
        for edit in edits(planned, now).edits {
            assert_eq!(bytes[edit.offset as usize], edit.old);
            bytes[edit.offset as usize] = edit.new;
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_files_own_majority_decides_between_x_and_capital_x() {
        let text = "- [X] T001 One\n- [X] T002 Two\n- [ ] T003 Three\n";
        assert_eq!(ticked(text, text), text.replace("[ ]", "[X]"));
        let text = text.replace('X', "x");
        assert_eq!(ticked(&text, &text), text.replace("[ ]", "[x]"));
    }

    #[test]
    fn tasks_without_ids_are_found_by_their_text_when_others_come_before() {
        let planned = "- [ ] Write the parser\n- [ ] Write the planner\n";
        let now = "- [ ] Something new\n- [ ] Write the planner\n- [ ] Write the parser\n";
        let expected = "- [ ] Something new\n- [x] Write the planner\n- [x] Write the parser\n";
        assert_eq!(ticked(planned, now), expected);
    }

    #[test]
    fn a_task_without_id_whose_text_is_gone_is_not_mistaken_for_its_neighbour() {
        let edits =
            edits("- [ ] Write the parser\n- [ ] Test it\n", "- [ ] Rewrite the lexer\n- [ ] Test it\n");
        assert_eq!(edits.edits.iter().map(|edit| edit.line).collect::<Vec<_>>(), [2]);
        assert_eq!(edits.problems.iter().map(|(_, problem)| problem).collect::<Vec<_>>(), [&Problem::Gone]);
    }

    #[test]
    fn any_piece_of_the_file_is_known_with_its_ticks() {
        let text = "\u{feff}# One\n\n- [ ] T001 One\n- T002 no box\n- [ ] T003 Three\n- [x] T004 Four\n";
        let source = SourceText::from_bytes("tasks.md", text.as_bytes().to_vec()).unwrap();
        let (document, _) = parse(&source);
        let mut index = Index::new(&document, &source);
        let wanted: Vec<Tick> = document.tasks.iter().map(Tick::of).collect();
        let edits = ticks(&index, &wanted).edits;
        let mut file = text.as_bytes().to_vec();
        for edit in edits.iter().rev() {
            file[edit.offset as usize] = edit.new;
            index.apply(std::slice::from_ref(edit));
        }
        assert_eq!(edits.len(), 2);
        assert_eq!(index.file_len(), file.len());
        for start in 0..file.len() {
            for end in start..=file.len() {
                assert!(index.holds(start, &mut file[start..end].to_vec()), "{start}..{end}");
                for other in start..end {
                    let mut piece = file[start..end].to_vec();
                    piece[other - start] ^= 1;
                    assert!(!index.holds(start, &mut piece), "{start}..{end}, {other} changed");
                }
            }
        }
        assert!(!index.holds(0, &mut [&file[..], b"\n"].concat()));
        assert_eq!(ticks(&index, &wanted).already.len(), 3);
    }

    #[test]
    fn an_adopted_tick_keeps_no_earlier_text() {
        let (_, before) = document("- [ ] T001 One\n- [ ] T002 Two\n- [ ] T003 Three\n");
        let (source, now) = document("# New\n\n- [ ] T001 One\n- [ ] T002 Zwei\n");
        let (index, text) = (Index::new(&now, &source), source.excerpt(Span::new(0, 5)));
        let adopted: Vec<(Tick, bool)> = before
            .tasks
            .iter()
            .map(|task| {
                let mut tick = Tick::of(task);
                index.adopt(&mut tick);
                assert_eq!((&tick.task, &tick.title), (&task.id, &task.title));
                assert!(!tick.title.shares_text(&task.title));
                let is_here = tick.title.shares_text(&text);
                (tick, is_here)
            })
            .collect();
        let told: Vec<(u32, bool)> = adopted.iter().map(|(tick, is_here)| (tick.line, *is_here)).collect();
        assert_eq!(told, [(3, true), (2, false), (3, false)]);
    }

    #[test]
    fn a_new_id_on_the_same_text_is_the_users_edit() {
        let edits = edits("- [ ] T001 One\n", "- [ ] T007 One\n");
        let renamed = Problem::Renamed { to: TaskId::new("T007"), line: 1 };
        assert_eq!(edits.problems, [(0, renamed)]);
    }

    #[test]
    fn a_box_of_another_width_is_a_problem_and_a_ticked_one_is_none() {
        let edits = edits("- [ ] T001 One\n- [ ] T002 Two\n", "- [] T001 One\n- [✅] T002 Two\n");
        let empty = Problem::NotOneByte { mark: String::new(), line: 1 };
        assert_eq!(edits.problems, [(0, empty)]);
        assert_eq!(edits.already, [(1, 2)]);
    }
}
