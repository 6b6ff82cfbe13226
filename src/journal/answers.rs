//! Answers to what agents asked, left beside the journal for the run that is at work: only that run writes its journal.
//! One file each, in the order in which they were given. What is left by the time no run is at work, the next start takes.

use crate::fs;
use crate::task::TaskId;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const DIR: &str = "answers";
const MAX_BYTES: u64 = 256 << 10;
/// So many are looked at: nobody types more.
const MAX_FILES: usize = 1_000;

/// One that is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// To be removed once it is on record.
    pub path: PathBuf,
    pub answer: Answer,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub task: TaskId,
    /// The attempt that asks.
    pub attempt: u32,
    pub answer: String,
}

fn as_text<S: serde::Serializer>(id: &TaskId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(id.as_str())
}

fn from_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<TaskId, D::Error> {
    Ok(TaskId::new(&String::deserialize(deserializer)?))
}

/// Leaves it, durably. `now_ms` is wall time, for the order.
pub fn leave(run_dir: &Path, answer: &Answer, now_ms: u64) -> Result<(), fs::Error> {
    let dir = run_dir.join(DIR);
    fs::create_private_dirs(&dir)?;
    let path = dir.join(format!("{now_ms:020}-{}.json", std::process::id()));
    let text = serde_json::to_vec(answer)
        .map_err(|error| fs::Error::io("write", &path, std::io::Error::other(error)))?;
    fs::atomic_replace(&path, &text, fs::Access::Private)
}

/// What is left, in order. Anything else in that place is passed over.
pub fn left(run_dir: &Path) -> Vec<Left> {
    let Ok(entries) = std::fs::read_dir(run_dir.join(DIR)) else { return Vec::new() };
    let is_answer = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let mut paths: Vec<PathBuf> =
        entries.take(MAX_FILES).filter_map(|entry| Some(entry.ok()?.path())).filter(is_answer).collect();
    paths.sort_unstable();
    let read = |path: PathBuf| {
        let read = fs::read_no_link(&path, MAX_BYTES).ok()?;
        Some(Left { answer: serde_json::from_slice(&read.bytes).ok()?, path })
    };
    paths.into_iter().filter_map(read).collect()
}

/// They are on record now.
pub fn forget(left: &[PathBuf]) {
    for path in left {
        // What cannot be removed is an answer to a question that is answered: nothing comes of it.
        let _gone = std::fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_found_in_the_order_in_which_they_were_given_and_rubbish_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert!(left(dir.path()).is_empty());
        let answer = |answer: &str| Answer { task: TaskId::new("T1"), attempt: 2, answer: answer.to_owned() };
        leave(dir.path(), &answer("later"), 20).unwrap();
        leave(dir.path(), &answer("sooner"), 9).unwrap();
        std::fs::write(dir.path().join("answers/00000000000000000010-1.json"), "{").unwrap();
        std::fs::write(dir.path().join("answers/notes.txt"), "x").unwrap();
        let found = left(dir.path());
        let told: Vec<&str> = found.iter().map(|left| left.answer.answer.as_str()).collect();
        assert_eq!(told, ["sooner", "later"]);
        assert_eq!(found[0].answer, answer("sooner"));
        forget(&[found[0].path.clone()]);
        assert_eq!(left(dir.path()).len(), 1);
    }
}
