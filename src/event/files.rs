//! What happened to an attempt's files, in words for logs and screens. Names and paths stand in them as they were
//! stored: whoever shows a line makes it safe.

use super::{Conflict, EventKind, Merge};
use crate::task::TaskId;
use crate::text::count;

/// How many names a line gives.
const NAMED: usize = 5;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// For who asks for details.
    Detail,
    /// Something is other than expected, and dealt with.
    Warning,
    /// A person has to look.
    Trouble,
}

/// A line about a task's files, without the task's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub weight: Weight,
    pub text: String,
}

/// None for events about something else.
pub fn line(kind: &EventKind) -> Option<Line> {
    let (weight, text) = match kind {
        EventKind::WorktreeLeased { path, base, carried, .. } => {
            (Weight::Detail, leased(path, base, carried))
        }
        EventKind::AttemptSaved { attempt, reference, left_out, .. } => saved(*attempt, reference, left_out),
        EventKind::Integrated { merge, .. } => integrated(merge),
        EventKind::Conflicted { conflicts, .. } => (Weight::Warning, conflicted(conflicts)),
        EventKind::ReviewNeeded { paths, .. } => (
            Weight::Trouble,
            format!("changed {}: nothing of it is integrated before a person has looked", names(paths)),
        ),
        EventKind::Escaped { changes, reference, unkept, .. } => {
            (Weight::Trouble, escaped(changes, reference.as_deref(), unkept.as_deref()))
        }
        _ => return None,
    };
    Some(Line { weight, text })
}

/// A commit on the user's branch.
pub fn committed(branch: &str, commit: &str, tasks: &[TaskId], tag: Option<&str>) -> String {
    let names: Vec<&str> = tasks.iter().take(NAMED).map(TaskId::as_str).collect();
    let tag = tag.map(|tag| format!(", tagged `{tag}`")).unwrap_or_default();
    format!("committed {}{} to `{branch}` as {}{tag}", names.join(", "), more(tasks.len()), short(commit))
}

/// What a going back did.
pub fn rolled_back(to: &str, saved: &str, reopened: &[TaskId], done: &[TaskId]) -> String {
    let mut text = format!("rolled back to {to}");
    if !reopened.is_empty() {
        text.push_str(&format!(", {} open again", count(reopened.len() as u64, "task")));
    }
    if !done.is_empty() {
        text.push_str(&format!(", {} done again", count(done.len() as u64, "task")));
    }
    text.push_str(&format!("; the files before are kept as {saved}"));
    text
}

fn leased(path: &str, base: &str, carried: &[String]) -> String {
    let mut text = format!("works in {path}, from {}", short(base));
    if !carried.is_empty() {
        text.push_str(&format!(", with {}", names(carried)));
    }
    text
}

fn saved(attempt: u32, reference: &str, left_out: &[String]) -> (Weight, String) {
    if left_out.is_empty() {
        return (Weight::Detail, format!("attempt {attempt} is kept as {reference}"));
    }
    let text = format!(
        "attempt {attempt} is kept as {reference}, but for {}: its working tree stays as it is",
        names(left_out)
    );
    (Weight::Warning, text)
}

fn integrated(merge: &Merge) -> (Weight, String) {
    let Merge { commit, files, merged, dropped, kept, by_rule } = merge;
    let mut text = format!("integrated {} as {}", count(files.len() as u64, "file"), short(commit));
    if *merged {
        text.push_str(", merged with what came meanwhile");
    }
    if !by_rule.is_empty() {
        text.push_str(&format!(", by rule: {}", names(by_rule)));
    }
    if !dropped.is_empty() {
        text.push_str(&format!(", left out what only specter writes: {}", names(dropped)));
    }
    if !kept.is_empty() {
        text.push_str(&format!(", kept as somebody wrote it just then: {}", names(kept)));
    }
    let weight = if dropped.is_empty() && kept.is_empty() { Weight::Detail } else { Weight::Warning };
    (weight, text)
}

fn conflicted(conflicts: &[Conflict]) -> String {
    let each = |conflict: &Conflict| match &conflict.other {
        Some(other) => format!("`{}` with {other} ({})", conflict.path, conflict.what),
        None => format!("`{}` with the working tree ({})", conflict.path, conflict.what),
    };
    let shown: Vec<String> = conflicts.iter().take(NAMED).map(each).collect();
    format!("conflicts in {}{}", shown.join(", "), more(conflicts.len()))
}

fn escaped(changes: &[String], reference: Option<&str>, unkept: Option<&str>) -> String {
    let kept = reference.map(|reference| format!("; kept as {reference}")).unwrap_or_default();
    let unkept = unkept.map(|why| format!("; it could not all be kept: {why}")).unwrap_or_default();
    let changes = names(changes);
    format!("changed what is outside its working tree: {changes}; nothing of it is integrated{kept}{unkept}")
}

fn names(all: &[String]) -> String {
    let shown: Vec<String> = all.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    format!("{}{}", shown.join(", "), more(all.len()))
}

fn more(all: usize) -> String {
    if all > NAMED { format!(" and {} more", all - NAMED) } else { String::new() }
}

/// As much of a commit's name as people use.
fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TaskRef;

    fn task() -> TaskRef {
        TaskRef { ix: TaskRef::UNRESOLVED, id: TaskId::new("T002") }
    }

    fn told(kind: &EventKind) -> (Weight, String) {
        let line = line(kind).unwrap();
        (line.weight, line.text)
    }

    #[test]
    fn a_conflict_names_file_reason_and_the_other_task() {
        let of = |path: &str, other: Option<&str>| Conflict {
            path: path.to_owned(),
            what: "both changed the same lines".to_owned(),
            other: other.map(TaskId::new),
            hunks: Vec::new(),
        };
        let conflicts = vec![of("src/a.rs", Some("T001")), of("b", None)];
        let (weight, text) = told(&EventKind::Conflicted { task: task(), attempt: 1, conflicts });
        assert_eq!(weight, Weight::Warning);
        assert_eq!(
            text,
            "conflicts in `src/a.rs` with T001 (both changed the same lines), `b` with the working tree (both changed the same lines)"
        );
    }

    #[test]
    fn an_escape_says_what_could_not_be_kept() {
        let (changes, unkept) = (vec!["a changed".to_owned()], Some("the disk is full".to_owned()));
        let kind = EventKind::Escaped { task: task(), attempt: 1, changes, reference: None, unkept };
        let text = "changed what is outside its working tree: `a changed`; nothing of it is integrated; it could not \
                    all be kept: the disk is full";
        assert_eq!(told(&kind), (Weight::Trouble, text.to_owned()));
    }

    #[test]
    fn what_was_left_out_of_an_integration_is_said() {
        let merge = Merge {
            commit: "0123456789abcdef".to_owned(),
            files: (0..7).map(|n| format!("f{n}")).collect(),
            merged: true,
            dropped: vec!["tasks.md".to_owned()],
            ..Merge::default()
        };
        let (weight, text) =
            told(&EventKind::Integrated { task: task(), attempt: 1, merge: Box::new(merge) });
        assert_eq!(weight, Weight::Warning);
        assert_eq!(
            text,
            "integrated 7 files as 0123456789, merged with what came meanwhile, left out what only specter writes: `tasks.md`"
        );
    }

    #[test]
    fn long_lists_are_cut_and_counted() {
        let paths = (0..8).map(|n| format!("p{n}")).collect();
        let (_, text) = told(&EventKind::ReviewNeeded { task: task(), attempt: 1, paths });
        assert!(text.starts_with("changed `p0`, `p1`, `p2`, `p3`, `p4` and 3 more:"), "{text}");
    }

    #[test]
    fn a_commit_says_whose_work_is_in_it_and_where_it_is() {
        let tasks = [TaskId::new("T1"), TaskId::new("T2")];
        assert_eq!(
            committed("main", "0123456789abcdef", &tasks, Some("done/T2")),
            "committed T1, T2 to `main` as 0123456789, tagged `done/T2`"
        );
    }

    #[test]
    fn going_back_says_what_is_open_and_where_the_rest_is() {
        let text = rolled_back("phase 2", "refs/specter/r/x", &[TaskId::new("T1")], &[]);
        assert_eq!(
            text,
            "rolled back to phase 2, 1 task open again; the files before are kept as refs/specter/r/x"
        );
    }
}
