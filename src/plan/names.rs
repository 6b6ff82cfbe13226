//! Which task an id means: exactly, or in the one other way it can be read; ranges of ids; the nearest name.
//!
//! Knows ids as text. `T17` means `T017` as long as only one task can be meant (SPEC 2.4); where `T0101` and `T101`
//! both exist each means itself.

use crate::task::{Task, TaskId, TaskIx};
use crate::text;
use foldhash::{HashMap, HashMapExt};
use std::cell::OnceCell;
use std::cmp::Ordering;

/// An id in comparable pieces: runs of digits compare as numbers, all else as lower-case text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Piece {
    Number(u64),
    Text(String),
}

/// Why two ids are no range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoRange {
    Unknown(String),
    Reversed,
    OtherStyle,
}

/// The ids of a document.
#[derive(Debug)]
pub(super) struct Names<'a> {
    tasks: &'a [Task],
    /// Built at the first question: many files ask none.
    exact: OnceCell<HashMap<TaskId, TaskIx>>,
    /// Built at the first id that is not written exactly.
    loose: OnceCell<HashMap<Vec<Piece>, Vec<TaskIx>>>,
    /// Built at the first range.
    sorted: OnceCell<Vec<(Vec<Piece>, TaskIx)>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(tasks: &'a [Task]) -> Names<'a> {
        Names { tasks, exact: OnceCell::new(), loose: OnceCell::new(), sorted: OnceCell::new() }
    }

    fn exact(&self) -> &HashMap<TaskId, TaskIx> {
        self.exact.get_or_init(|| {
            let mut exact = HashMap::with_capacity(self.tasks.len());
            for (ix, id) in ids(self.tasks) {
                exact.entry(id.clone()).or_insert(ix);
            }
            exact
        })
    }

    /// The task an id means.
    pub(super) fn find(&self, id: &str) -> Option<TaskIx> {
        if let Some(task) = self.exact().get(&TaskId::new(id)) {
            return Some(*task);
        }
        let id = id.trim().trim_matches('`');
        self.exact().get(&TaskId::new(id)).copied().or_else(|| match &self.loose().get(&pieces(id))?[..] {
            [only] => Some(*only),
            _ => None,
        })
    }

    /// The tasks whose ids lie between two ids, both included, in document order.
    pub(super) fn between(&self, first: &str, last: &str) -> Result<Vec<TaskIx>, NoRange> {
        let end = |id: &str| self.find(id).ok_or_else(|| NoRange::Unknown(id.to_owned()));
        // What the ends are called in the file decides, not how the range spells them.
        let (from, to) = (self.key(end(first)?, first), self.key(end(last)?, last));
        if !same_style(&from, &to) {
            return Err(NoRange::OtherStyle);
        }
        match from.cmp(&to) {
            Ordering::Greater => Err(NoRange::Reversed),
            _ => Ok(self.slice(&from, &to)),
        }
    }

    /// As much of a range as exists, for ranges told in prose.
    pub(super) fn around(&self, first: &str, last: &str) -> Vec<TaskIx> {
        let (from, to) = (pieces(first), pieces(last));
        if same_style(&from, &to) { self.slice(&from, &to) } else { Vec::new() }
    }

    fn slice(&self, from: &[Piece], to: &[Piece]) -> Vec<TaskIx> {
        let sorted = self.sorted();
        let start = sorted.partition_point(|(key, _)| &key[..] < from);
        let mut tasks: Vec<TaskIx> = sorted[start..]
            .iter()
            .take_while(|(key, _)| &key[..] <= to)
            .filter(|(key, _)| same_style(key, from))
            .map(|(_, ix)| *ix)
            .collect();
        tasks.sort_unstable();
        tasks.dedup();
        tasks
    }

    fn key(&self, task: TaskIx, written: &str) -> Vec<Piece> {
        let key = pieces(self.tasks[task.ix()].id.as_str());
        let aliased = self.tasks[task.ix()].more.aliases.iter().map(|id| pieces(id.as_str()));
        let written = pieces(written);
        aliased.into_iter().find(|alias| *alias == written).unwrap_or(key)
    }

    fn loose(&self) -> &HashMap<Vec<Piece>, Vec<TaskIx>> {
        self.loose.get_or_init(|| {
            let mut loose: HashMap<Vec<Piece>, Vec<TaskIx>> = HashMap::new();
            for (ix, id) in ids(self.tasks) {
                let tasks = loose.entry(pieces(id.as_str())).or_default();
                if !tasks.contains(&ix) {
                    tasks.push(ix);
                }
            }
            loose
        })
    }

    fn sorted(&self) -> &Vec<(Vec<Piece>, TaskIx)> {
        self.sorted.get_or_init(|| {
            let mut sorted: Vec<_> = ids(self.tasks).map(|(ix, id)| (pieces(id.as_str()), ix)).collect();
            sorted.sort_unstable();
            sorted
        })
    }

    /// The id that was probably meant.
    pub(super) fn nearest(&self, id: &str) -> Option<&'a str> {
        text::nearest(id, ids(self.tasks).map(|(_, id)| id.as_str()))
    }

    /// The tasks for which `test` holds and that do something themselves.
    pub(super) fn where_task(&self, test: impl Fn(&Task) -> bool) -> Vec<TaskIx> {
        (0..self.tasks.len() as u32)
            .map(TaskIx)
            .filter(|ix| !self.tasks[ix.ix()].is_group && test(&self.tasks[ix.ix()]))
            .collect()
    }
}

fn ids(tasks: &[Task]) -> impl Iterator<Item = (TaskIx, &TaskId)> {
    tasks.iter().enumerate().flat_map(|(n, task)| {
        std::iter::once(&task.id).chain(&task.more.aliases).map(move |id| (TaskIx(n as u32), id))
    })
}

/// `T012.5a` becomes `t`, 12, `.`, 5, `a`.
fn pieces(id: &str) -> Vec<Piece> {
    let id = id.trim().trim_matches('`').trim_end_matches(['.', ':']);
    let mut pieces: Vec<Piece> = Vec::new();
    let mut rest = id;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        pieces.push(match piece.parse() {
            Ok(number) if digits => Piece::Number(number),
            _ => Piece::Text(piece.to_lowercase()),
        });
        rest = after;
    }
    pieces
}

/// Whether two ids begin alike, up to their first number.
fn same_style(a: &[Piece], b: &[Piece]) -> bool {
    match (a.first(), b.first()) {
        (Some(Piece::Text(a)), Some(Piece::Text(b))) => a == b,
        (Some(Piece::Number(_)), Some(Piece::Number(_))) => true,
        _ => false,
    }
}
