//! Any task file, edited meanwhile in any way: ticking changes the byte in wanted boxes and nothing else.
//!
//! Input: the file as it was planned; behind a NUL the file as it is when boxes are ticked (else it is the same); behind
//! another NUL one byte per task, odd if it is done (else all are).

use super::in_scratch;
use specter::boxes::Boxes;
use specter::parse::parse;
use specter::source::SourceText;
use specter::task::{Document, State, Task};
use specter::writeback::{Index, Tick, ticks};

pub fn check(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let planned = parts.next().unwrap_or_default();
    let now = parts.next().unwrap_or(planned);
    let chosen = parts.next();
    let Ok((_, before)) = read(planned) else { return };
    let is_wanted = |(n, task): &(usize, &Task)| {
        let done = chosen.is_none_or(|chosen| chosen.get(*n).is_some_and(|byte| byte % 2 == 1));
        done && task.state != State::Done
    };
    let wanted: Vec<Tick> =
        before.tasks.iter().enumerate().filter(is_wanted).map(|(_, task)| Tick::of(task)).collect();
    let mut wanted_once = wanted.clone();
    let mut seen = std::collections::HashSet::new();
    wanted_once.retain(|tick| seen.insert(tick.task.clone()));

    if let Ok((source, document)) = read(now) {
        let after = assert_pure(&source, &document, now, &wanted_once);
        // With a file it takes milliseconds, so this is for few: those that are equal or whose length says so.
        if planned == now || now.len() % 64 == 7 {
            assert_on_disk(now, &wanted_once, Some(&after));
        }
    } else if now.len() % 64 == 7 {
        assert_on_disk(now, &wanted_once, None);
    }
}

fn read(bytes: &[u8]) -> Result<(SourceText, Document), specter::source::NotText> {
    let source = SourceText::from_bytes("tasks.md", bytes.to_vec())?;
    let (document, _) = parse(&source);
    Ok((source, document))
}

/// Decides and applies; gives the file afterwards.
fn assert_pure(source: &SourceText, document: &Document, now: &[u8], wanted: &[Tick]) -> Vec<u8> {
    let edits = ticks(&Index::new(document, source), wanted);
    assert_eq!(edits.edits.len() + edits.already.len() + edits.problems.len(), wanted.len());
    let mut after = now.to_vec();
    for edit in &edits.edits {
        let at = edit.offset as usize;
        let old = &wanted[edit.nth];
        assert_eq!((after[at - 1], after[at], after[at + 1]), (b'[', edit.old, b']'));
        assert!(edit.old == b' ' || old.mark.as_bytes() == [edit.old]);
        assert!(matches!(edit.new, b'x' | b'X') && edit.old != edit.new);
        after[at] = edit.new;
    }
    let (_, then) = read(&after).unwrap();
    assert_eq!(then.tasks.len(), document.tasks.len(), "ticking made or lost a task");
    for edit in &edits.edits {
        let (before, now) = (document.task(edit.ix), then.task(edit.ix));
        assert_eq!((&before.id, &before.title, before.line), (&now.id, &now.title, now.line));
        assert_eq!(now.state, State::Done, "ticked and not done");
    }
    after
}

/// The same through a file: only the bytes of boxes differ, and a second look changes nothing.
fn assert_on_disk(now: &[u8], wanted: &[Tick], expected: Option<&[u8]>) {
    in_scratch(|dir| {
        let path = dir.join("tasks.md");
        std::fs::write(&path, now).unwrap();
        let mut boxes = Boxes::new(&path);
        let ticked = boxes.tick(wanted);
        let after = std::fs::read(&path).unwrap();
        assert_eq!(after.len(), now.len());
        let changed: Vec<usize> = (0..now.len()).filter(|at| now[*at] != after[*at]).collect();
        for at in &changed {
            assert_eq!((now[at - 1], now[at + 1]), (b'[', b']'));
            assert!(matches!(after[*at], b'x' | b'X'));
        }
        match expected {
            Some(expected) => assert!(after == expected, "the file is not what was decided"),
            None => assert!(changed.is_empty() && ticked.ticked.is_empty()),
        }
        let again = boxes.tick(&[]);
        assert!(again.ticked.is_empty() && again.reticked.is_empty() && again.changed.is_none());
        assert_eq!(std::fs::read(&path).unwrap(), after);
    });
}
