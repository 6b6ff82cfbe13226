//! Which bytes of a task file tick which boxes: from the text as it is now and the tasks that are done, to edits of
//! one byte each (SPEC 2.6).
//!
//! Pure: reads no file and writes none. A box is found by its task's id *and* text, because people edit the file
//! while a run goes on; where it is not certain which box is meant, none is touched and the reason is given.

use crate::source::SourceText;
use crate::task::{Document, Task, TaskId, TaskIx};
use std::cell::OnceCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

/// A task whose box must be ticked, as it stood in the file when it was planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    pub task: TaskId,
    pub title: String,
    /// What stood between the brackets; the tick replaces this or a blank, and nothing else.
    pub mark: String,
}

impl Tick {
    pub fn of(task: &Task) -> Tick {
        let mark = task.checkbox.as_ref().map_or_else(String::new, |checkbox| checkbox.mark.clone());
        Tick { task: task.id.clone(), title: task.title.clone(), mark }
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

/// The edits that tick the boxes of `wanted` in `document`, which was parsed from `source`.
pub fn ticks<'a>(
    document: &Document,
    source: &SourceText,
    index: &Index,
    wanted: impl IntoIterator<Item = &'a Tick>,
) -> Edits {
    let mut edits = Edits::default();
    for (nth, tick) in wanted.into_iter().enumerate() {
        let found = index.find(document, tick).and_then(|ix| edit(document, source, ix, (nth, tick)));
        match found {
            Ok(Found::Open(edit)) => edits.edits.push(edit),
            Ok(Found::Ticked { line }) => edits.already.push((nth, line)),
            Err(problem) => edits.problems.push((nth, problem)),
        }
    }
    edits.edits.sort_by_key(|edit| edit.offset);
    edits
}

enum Found {
    Open(TickEdit),
    Ticked { line: u32 },
}

fn edit(
    document: &Document,
    source: &SourceText,
    ix: TaskIx,
    (nth, tick): (usize, &Tick),
) -> Result<Found, Problem> {
    let task = document.task(ix);
    let line = task.line;
    let Some(checkbox) = &task.checkbox else { return Err(Problem::NoBox { line }) };
    let mark = checkbox.mark.as_str();
    if is_ticked(mark) {
        return Ok(Found::Ticked { line });
    }
    let &[old] = mark.as_bytes() else { return Err(Problem::NotOneByte { mark: mark.to_owned(), line }) };
    if mark != " " && mark != tick.mark {
        return Err(Problem::Marked { mark: mark.to_owned(), line });
    }
    let new = if document.tick == 'X' { b'X' } else { b'x' };
    let offset = source.file_offset(checkbox.inner.start);
    Ok(Found::Open(TickEdit { nth, ix, offset, old, new, line }))
}

/// Whether a mark says that the task is done (SPEC 2.1).
fn is_ticked(mark: &str) -> bool {
    matches!(mark, "x" | "X" | "✅")
}

/// Finds the tasks of one document; made once per document.
#[derive(Debug, Default)]
pub struct Index {
    /// The first task of each id.
    by_id: HashMap<TaskId, TaskIx>,
    /// All tasks of the ids that several have; mostly there are none.
    shared: HashMap<TaskId, Vec<TaskIx>>,
    /// Needed only where an id does not settle it.
    by_title: OnceCell<HashMap<String, Vec<TaskIx>>>,
}

impl Index {
    pub fn new(document: &Document) -> Index {
        let mut by_id: HashMap<TaskId, TaskIx> = HashMap::with_capacity(document.tasks.len());
        let mut shared: HashMap<TaskId, Vec<TaskIx>> = HashMap::new();
        for (ix, task) in with_ix(document) {
            for id in std::iter::once(&task.id).chain(&task.aliases) {
                match by_id.entry(id.clone()) {
                    Entry::Vacant(free) => {
                        free.insert(ix);
                    }
                    Entry::Occupied(first) => {
                        shared.entry(id.clone()).or_insert_with(|| vec![*first.get()]).push(ix);
                    }
                }
            }
        }
        Index { by_id, shared, by_title: OnceCell::new() }
    }

    /// The task that `tick` means in this document.
    pub fn find(&self, document: &Document, tick: &Tick) -> Result<TaskIx, Problem> {
        let Some(first) = self.by_id.get(&tick.task) else { return self.find_by_title(document, tick) };
        if !self.shared.is_empty()
            && let Some(several) = self.shared.get(&tick.task)
        {
            return one_of(document, several, &tick.title);
        }
        let task = document.task(*first);
        // An id made from place and text passes to another task when the file is edited: the text decides.
        let is_other = task.synthetic && task.title != tick.title;
        if is_other { self.find_by_title(document, tick) } else { Ok(*first) }
    }

    fn find_by_title(&self, document: &Document, tick: &Tick) -> Result<TaskIx, Problem> {
        let titles = self.by_title.get_or_init(|| {
            let mut titles: HashMap<String, Vec<TaskIx>> = HashMap::new();
            for (ix, task) in with_ix(document) {
                titles.entry(task.title.clone()).or_default().push(ix);
            }
            titles
        });
        let Some([ix]) = titles.get(&tick.title).map(Vec::as_slice) else { return Err(Problem::Gone) };
        let task = document.task(*ix);
        if task.synthetic {
            return Ok(*ix);
        }
        Err(Problem::Renamed { to: task.id.clone(), line: task.line })
    }
}

fn with_ix(document: &Document) -> impl Iterator<Item = (TaskIx, &Task)> {
    document.tasks.iter().enumerate().map(|(n, task)| (TaskIx(n as u32), task))
}

fn one_of(document: &Document, several: &[TaskIx], title: &str) -> Result<TaskIx, Problem> {
    let mut same = several.iter().filter(|ix| document.task(**ix).title == title);
    match (same.next(), same.next()) {
        (Some(ix), None) => Ok(*ix),
        _ => Err(Problem::Ambiguous { lines: several.iter().map(|ix| document.task(*ix).line).collect() }),
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
        ticks(&document, &source, &Index::new(&document), &wanted)
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
