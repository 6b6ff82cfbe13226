//! What is asked of the files once an agent says it is done, and of the task's own checks.

use super::files::Change;
use crate::event::AttemptReport;
use crate::task::{NamedPath, Task};
use std::path::Path;

/// Files that mean something although nothing is in them.
const MAY_BE_EMPTY: [&str; 5] = ["__init__.py", ".gitkeep", ".keep", "py.typed", ".nojekyll"];
/// So many are named.
const NAMED: usize = 5;
/// A task whose title begins so does not leave its files behind.
const ENDS_FILES: [&str; 8] = ["remove", "delete", "drop", "rename", "move", "replace", "migrate", "merge"];

/// Files that the task names and that are not there, or empty: one fragment for each.
pub(super) fn missing(task: &Task, dir: &Path) -> Vec<String> {
    let first = task.title.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    if ENDS_FILES.contains(&first.as_str()) {
        return Vec::new();
    }
    task.files.iter().filter_map(|named| trouble(named, dir)).take(NAMED).collect()
}

/// Whether all that changed is known, and none of it is what the task names.
pub(super) fn is_elsewhere(task: &Task, change: &Change) -> bool {
    let mut named = inside(task).peekable();
    named.peek().is_some()
        && change.is_whole()
        && !change.is_nothing()
        && !named.any(|named| change.written.iter().any(|path| is_of(named, path)))
}

/// What is said of it.
pub(super) fn unchanged(task: &Task) -> String {
    let names: Vec<String> = inside(task).take(NAMED).map(|named| format!("`{}`", named.path)).collect();
    let more = if inside(task).nth(NAMED).is_some() { ", …" } else { "" };
    format!("of what the task names nothing changed: {}{more}", names.join(", "))
}

fn inside(task: &Task) -> impl Iterator<Item = &NamedPath> {
    task.files.iter().filter(|named| !named.outside)
}

/// The file itself, or what is in a directory; of a pattern, whatever is below its fixed part.
fn is_of(named: &NamedPath, path: &str) -> bool {
    let name = named.path.trim_start_matches("./").trim_end_matches('/');
    name.is_empty() || path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn trouble(named: &NamedPath, dir: &Path) -> Option<String> {
    if named.outside || named.pattern.is_some() {
        return None;
    }
    let shown = &named.path;
    let Ok(meta) = dir.join(&named.path).symlink_metadata() else {
        return Some(format!("`{shown}` does not exist"));
    };
    let may_be_empty = MAY_BE_EMPTY.iter().any(|name| named.path.rsplit('/').next() == Some(name));
    (meta.is_file() && meta.len() == 0 && !may_be_empty).then(|| format!("`{shown}` is empty"))
}

/// What the checks found becomes the attempt's end; what the agent did stays.
pub(super) fn take_over(report: &mut AttemptReport, checked: AttemptReport) {
    report.cpu_ms += checked.cpu_ms;
    report.max_rss_kb = report.max_rss_kb.max(checked.max_rss_kb);
    report.disk_read_kb += checked.disk_read_kb;
    report.disk_written_kb += checked.disk_written_kb;
    report.output_bytes += checked.output_bytes;
    report.leaked.extend(checked.leaked);
    report.block = checked.block;
    if checked.outcome.is_success() {
        return;
    }
    report.outcome = checked.outcome;
    (report.class, report.rule, report.tail) = (checked.class, checked.rule, checked.tail);
    report.retry_after_ms = checked.retry_after_ms;
    if !checked.log.is_empty() {
        report.log = checked.log;
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::shell::tests::task;
    use super::*;
    use crate::source::Span;

    fn named(path: &str) -> NamedPath {
        NamedPath {
            path: path.to_owned(),
            is_dir: false,
            pattern: None,
            outside: false,
            span: Span::default(),
        }
    }

    #[test]
    fn who_changed_something_else_only_did_not_do_what_the_task_names() {
        let mut task = task(&[]);
        let changed = |paths: &[&str]| Change {
            written: paths.iter().map(|path| (*path).to_owned()).collect(),
            removed: 0,
        };
        assert!(!is_elsewhere(&task, &changed(&["NOTES.md"])), "it names nothing");
        let dir = NamedPath { is_dir: true, ..named("tests/") };
        let pattern = NamedPath { pattern: Some("web/*.ts".to_owned()), is_dir: true, ..named("web") };
        task.files = [named("src/a.rs"), dir, pattern].into_iter().collect();
        for path in ["src/a.rs", "tests/b.rs", "web/x/c.ts"] {
            assert!(!is_elsewhere(&task, &changed(&["NOTES.md", path])), "{path}");
        }
        for path in ["NOTES.md", "src/a.rs.bak", "testsuite", "a.rs"] {
            assert!(is_elsewhere(&task, &changed(&[path])), "{path}");
        }
        assert!(!is_elsewhere(&task, &changed(&[])), "that nothing changed is told by others");
        let removed = Change { removed: 1, ..changed(&["NOTES.md"]) };
        assert!(!is_elsewhere(&task, &removed), "which is gone is not known");
        assert_eq!(unchanged(&task), "of what the task names nothing changed: `src/a.rs`, `tests/`, `web`");
    }

    #[test]
    fn what_a_task_names_must_be_there_and_hold_something() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("full"), "x").unwrap();
        std::fs::write(dir.path().join("empty"), "").unwrap();
        std::fs::write(dir.path().join("__init__.py"), "").unwrap();
        let mut task = task(&[]);
        let outside = NamedPath { outside: true, ..named("../x") };
        let pattern = NamedPath { pattern: Some("src/**".to_owned()), is_dir: true, ..named("src") };
        task.files = [named("full"), named("empty"), named("__init__.py"), named("gone"), outside, pattern]
            .into_iter()
            .collect();
        assert_eq!(missing(&task, dir.path()), ["`empty` is empty", "`gone` does not exist"]);
        task.title = "Remove gone and empty".into();
        assert!(missing(&task, dir.path()).is_empty());
    }
}
