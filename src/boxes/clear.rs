//! Clearing boxes: the way back from a tick, as careful as the tick was. One byte each; every other byte stays.

use super::{MAX_LOOKS, Trouble, alone, not_text, settle};
use crate::fs;
use crate::parse::parse;
use crate::source::SourceText;
use crate::task::TaskId;
use crate::writeback::{self, Edits, Index, Problem, Tick};
use std::collections::HashSet;
use std::path::Path;

/// What clearing led to. On disk, as far as it is not a problem.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// With their lines; those that were blank already are not among them.
    pub cleared: Vec<(TaskId, u32)>,
    /// Still ticked, or not to be found for certain, and why. A task that is no longer in the file is no problem.
    pub problems: Vec<(TaskId, String)>,
}

/// Makes sure that the boxes of `wanted` are blank in the file as it is now.
pub fn clear(path: &Path, wanted: &[Tick]) -> Cleared {
    let mut cleared = Cleared::default();
    if wanted.is_empty() {
        return cleared;
    }
    for _ in 0..MAX_LOOKS {
        match look(path, wanted, &mut cleared) {
            Ok(Some(edits)) => {
                let problems = edits.problems.into_iter().filter(|(_, problem)| *problem != Problem::Gone);
                let said = problems.map(|(nth, problem)| (wanted[nth].task.clone(), problem.to_string()));
                cleared.problems = said.collect();
                return cleared;
            }
            Ok(None) => {}
            Err(trouble) => return failed(cleared, wanted, &trouble.to_string()),
        }
    }
    failed(cleared, wanted, "the file keeps changing")
}

/// What there is to say once nothing is left to be cleared; none if the file must be looked at again.
fn look(path: &Path, wanted: &[Tick], cleared: &mut Cleared) -> Result<Option<Edits>, Trouble> {
    let mut room = alone::Room::default();
    let found = settle::read(path, None, &mut room)?;
    let source = SourceText::from_bytes(fs::shown(path), found.bytes.unwrap_or_default())
        .map_err(|error| Trouble::NotText(not_text(&error)))?;
    let (document, _) = parse(&source);
    let index = Index::new(&document, &source);
    let edits = writeback::clears(&index, wanted);
    let failed = |operation| move |error| Trouble::File(fs::Error::io(operation, path, error));
    let written = alone::write(&found.file, &index, &edits.edits, &mut room).map_err(failed("write"))?;
    // Also if nothing was written: whoever cleared them may not have synced.
    found.file.sync_data().map_err(failed("sync"))?;
    let done = edits.edits.iter().take(written).map(|edit| (wanted[edit.nth].task.clone(), edit.line));
    cleared.cleared.extend(done);
    Ok(edits.edits.is_empty().then_some(edits))
}

fn failed(mut cleared: Cleared, wanted: &[Tick], why: &str) -> Cleared {
    let done: HashSet<&TaskId> = cleared.cleared.iter().map(|(task, _)| task).collect();
    let left = wanted.iter().filter(|tick| !done.contains(&tick.task));
    cleared.problems = left.map(|tick| (tick.task.clone(), why.to_owned())).collect();
    cleared
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(text: &str, ids: &[&str]) -> Vec<Tick> {
        let (document, _) = parse(&SourceText::new("tasks.md", text));
        let named = document.tasks.iter().filter(|task| ids.contains(&task.id.as_str()));
        named.map(Tick::of).collect()
    }

    fn cleared(text: &str, now: &str, ids: &[&str]) -> (Cleared, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tasks.md");
        std::fs::write(&path, now).unwrap();
        let cleared = clear(&path, &ticks(text, ids));
        (cleared, std::fs::read_to_string(&path).unwrap())
    }

    #[test]
    fn only_the_byte_in_each_box_changes() {
        let text = "\u{feff}# T\r\n- [x] T001 One\r\n- [X] T002 Two [x]\r\n* [ ] T003 x\r\n- [x] T004 Four";
        let (told, after) = cleared(text, text, &["T001", "T002", "T003"]);
        assert_eq!(after, text.replacen("[x]", "[ ]", 1).replace("[X]", "[ ]"));
        let lines: Vec<(&str, u32)> = told.cleared.iter().map(|(id, line)| (id.as_str(), *line)).collect();
        assert_eq!(lines, [("T001", 2), ("T002", 3)]);
        assert_eq!(told.problems, []);
    }

    #[test]
    fn a_box_is_found_where_an_edit_moved_it_and_what_is_gone_is_no_problem() {
        let text = "- [x] T001 One\n- [x] T002 Two\n";
        let (told, after) = cleared(text, "# New\n\n- [x] T002 Two\n", &["T001", "T002"]);
        assert_eq!(after, "# New\n\n- [ ] T002 Two\n");
        assert_eq!(told.problems, []);
    }

    #[test]
    fn what_is_not_certain_is_left_and_said() {
        let text = "- [x] T001 One\n- [x] T002 Two\n- [x] T003 Three\n";
        let now = "- [✅] T001 One\n- [x] T002 Other\n- [x] T002 Another\n- [x] T009 Three\n";
        let (told, after) = cleared(text, now, &["T001", "T002", "T003"]);
        assert_eq!(after, now);
        let problems: Vec<&str> = told.problems.iter().map(|(_, problem)| problem.as_str()).collect();
        assert_eq!(
            problems,
            [
                "the box `[✅]` is not one character wide, at line 1",
                "several tasks have this id, at lines 2, 3",
                "the task is now `T009`, at line 4"
            ]
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_problem_of_each_box() {
        let dir = tempfile::tempdir().unwrap();
        let told = clear(&dir.path().join("missing.md"), &ticks("- [x] T001 One\n", &["T001"]));
        assert_eq!(told.problems.len(), 1);
    }
}
