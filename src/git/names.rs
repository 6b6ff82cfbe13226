//! Names of references: which run, which task, which attempt. Any id makes a name that git takes, and no two ids
//! the same one.

use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::Path;

/// Everything of specter's is below this.
pub(super) const ROOT: &str = "refs/specter";

/// A run, as references name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run(String);

/// One try at one task of a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    pub task: String,
    pub number: u32,
}

impl Attempt {
    /// Lines at the end of a commit's message that say whose it is.
    pub(super) fn trailers(&self) -> String {
        format!("{TASK}{}\n{NUMBER}{}\n", self.task.replace(['\n', '\r'], " "), self.number)
    }

    /// Whose a commit is, if it is an attempt's.
    pub(super) fn of_message(message: &str) -> Option<Attempt> {
        let value = |key: &str| message.lines().rev().find_map(|line| line.strip_prefix(key));
        Some(Attempt { task: value(TASK)?.to_owned(), number: value(NUMBER)?.parse().ok()? })
    }
}

const TASK: &str = "Specter-Task: ";
const NUMBER: &str = "Specter-Attempt: ";

impl Run {
    pub fn new(id: &str) -> Run {
        Run(slug(id))
    }

    /// As it stands in references.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Whether a reference, or a lock on one, is this run's alone.
    pub(super) fn owns(&self, path: &Path) -> bool {
        path.components().any(|part| part.as_os_str() == self.0.as_str())
    }

    pub(super) fn tip(&self) -> String {
        format!("{ROOT}/{}/tip", self.0)
    }

    pub(super) fn intent(&self) -> String {
        format!("{ROOT}/{}/intent", self.0)
    }

    /// What commit of the user's branch was begun last.
    pub(super) fn commit(&self) -> String {
        format!("{ROOT}/{}/commit", self.0)
    }

    /// The last integration that is a commit of the user's branch.
    pub(super) fn committed(&self) -> String {
        format!("{ROOT}/{}/committed", self.0)
    }

    pub(super) fn checkpoint(&self, name: &str) -> String {
        format!("{ROOT}/{}/checkpoints/{}", self.0, slug(name))
    }

    pub(super) fn checkpoints(&self) -> String {
        format!("{ROOT}/{}/checkpoints/", self.0)
    }

    pub(super) fn attempt(&self, attempt: &Attempt) -> String {
        format!("{ROOT}/attempts/{}/{}/{}", self.0, slug(&attempt.task), attempt.number)
    }

    /// Content of no attempt that something was about to overwrite; numbered.
    pub(super) fn rescued(&self, number: u32) -> String {
        format!("{ROOT}/{}/rescued/{number}", self.0)
    }
}

/// Letters, digits, `-`, `_` and single dots stay; whatever else is in an id is told apart by a digest.
fn slug(id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_name = |id: &str| {
        !id.is_empty()
            && id.len() <= 64
            && id.chars().all(plain)
            && !id.starts_with(['.', '-'])
            && !id.ends_with('.')
            && !id.contains("..")
            && !id.to_ascii_lowercase().ends_with(".lock")
            // Where file names ignore case, `t1` and `T1` would share a reference.
            && !id.chars().any(|c| c.is_ascii_lowercase())
    };
    if is_name(id) {
        return id.to_owned();
    }
    let readable: String =
        id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(32).collect();
    let digest = Sha256::digest(id.as_bytes());
    let short = digest.iter().take(6).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    format!("x{}-{short}", readable.trim_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_makes_a_name_git_takes_and_no_two_the_same() {
        let ids = [
            "T001",
            "t001",
            "1.",
            "1.2.3",
            "a b",
            "a-b",
            "..",
            ".lock",
            "x.lock",
            "",
            "任务",
            "T001/../x",
            "-T",
            "~^:?*[",
        ];
        let run = Run::new("2026-11-21T10:00:00Z");
        let names: std::collections::BTreeSet<String> =
            ids.iter().map(|id| run.attempt(&Attempt { task: (*id).to_owned(), number: 1 })).collect();
        assert_eq!(names.len(), ids.len());
        for name in names {
            assert!(git2::Reference::is_valid_name(&name), "{name}");
        }
    }
}
