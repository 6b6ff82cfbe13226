//! Whether the files of a workspace are others than before, by size, time and number of each: contents are not read. What
//! specter, git and builds keep there does not count.

use std::collections::HashMap;
use std::fs::Metadata;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Directories that hold what others made: git, specter, package managers, builds.
const NOT_WORK: [&str; 24] = [
    ".git",
    ".hg",
    ".jj",
    ".specter",
    ".specter-state",
    ".specter-memory",
    "node_modules",
    ".venv",
    "venv",
    "target",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".tox",
    ".gradle",
    ".next",
    ".nuxt",
    ".turbo",
    ".cache",
    ".parcel-cache",
    ".svelte-kit",
    "coverage",
    ".nyc_output",
];
/// More files than these are not looked at: in so many nobody can tell in time what changed.
const MOST: usize = 500_000;
/// So many changed files are named.
const NAMED: usize = 200;

/// Where is looked, and what does not count.
pub(super) struct Files<'a> {
    pub(super) root: &'a Path,
    /// Paths from the root.
    pub(super) skip: &'a [PathBuf],
    /// Of names, with `*` for anything.
    pub(super) ignore: &'a [String],
}

/// How the files were at one moment.
#[derive(Default)]
pub(super) struct Look {
    hasher: RandomState,
    /// By path, each as a number.
    entries: HashMap<u64, u64>,
}

/// What is different.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Written or new, from the root; not all of very many.
    pub(super) written: Vec<String>,
    pub(super) removed: usize,
}

impl Change {
    pub(super) fn is_nothing(&self) -> bool {
        self.written.is_empty() && self.removed == 0
    }
}

impl Change {
    /// Whether everything that changed is named.
    pub(super) fn is_whole(&self) -> bool {
        self.removed == 0 && self.written.len() < NAMED
    }
}

impl Files<'_> {
    pub(super) fn look(&self) -> Look {
        let mut look = Look::default();
        self.walk(|path, meta| {
            let (path, state) = look.numbers(path, meta);
            look.entries.insert(path, state);
        });
        look
    }

    /// A number that is the same as long as the files are; of what it is made `like` says.
    pub(super) fn print(&self, like: &Look) -> u64 {
        let mut print = 0_u64;
        self.walk(|path, meta| print = print.wrapping_add(like.print_of(like.numbers(path, meta))));
        print
    }

    pub(super) fn change_since(&self, before: &Look) -> Change {
        let (mut change, mut known) = (Change::default(), 0);
        self.walk(|path, meta| {
            let (number, state) = before.numbers(path, meta);
            let old = before.entries.get(&number);
            known += usize::from(old.is_some());
            if old != Some(&state) && change.written.len() < NAMED {
                change.written.push(path.to_string_lossy().into_owned());
            }
        });
        change.removed = before.entries.len().saturating_sub(known);
        change
    }

    /// Every file, links not followed. What cannot be read is not there.
    fn walk(&self, mut each: impl FnMut(&Path, &Metadata)) {
        let (mut open, mut seen) = (vec![self.root.to_owned()], 0);
        while let Some(dir) = open.pop() {
            for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
                let (path, name) = (entry.path(), entry.file_name());
                let Ok(meta) = entry.metadata() else { continue };
                let Ok(relative) = path.strip_prefix(self.root) else { continue };
                let name = name.to_string_lossy();
                if self.skip.iter().any(|skip| skip == relative)
                    || self.ignore.iter().any(|like| fits(like, &name))
                {
                    continue;
                }
                if !meta.is_dir() {
                    seen += 1;
                    if seen > MOST {
                        return;
                    }
                    each(relative, &meta);
                } else if !NOT_WORK.contains(&name.as_ref()) {
                    open.push(path);
                }
            }
        }
    }
}

impl Look {
    pub(super) fn print(&self) -> u64 {
        self.entries
            .iter()
            .fold(0, |print: u64, (path, state)| print.wrapping_add(self.print_of((*path, *state))))
    }

    fn print_of(&self, entry: (u64, u64)) -> u64 {
        self.hasher.hash_one(entry)
    }

    fn numbers(&self, path: &Path, meta: &Metadata) -> (u64, u64) {
        let mut state = self.hasher.build_hasher();
        for part in
            [meta.len(), meta.mtime() as u64, meta.mtime_nsec() as u64, meta.ino(), u64::from(meta.mode())]
        {
            state.write_u64(part);
        }
        (self.hasher.hash_one(path.as_os_str().as_bytes()), state.finish())
    }
}

/// Whether `name` is what `like` says; `*` stands for anything.
fn fits(like: &str, name: &str) -> bool {
    let mut parts = like.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_made_or_removed_is_a_change_and_what_is_nobodys_work_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        for path in ["a", "src/b", "src/gone", ".git/index", "target/x", "tasks.md"] {
            put(path, "1");
        }
        let (skip, ignore) = ([PathBuf::from("tasks.md")], [".aider*".to_owned()]);
        let files = Files { root: dir.path(), skip: &skip, ignore: &ignore };
        let before = files.look();
        assert_eq!(before.entries.len(), 3);
        assert!(files.change_since(&before).is_nothing());
        assert_eq!(files.print(&before), before.print());
        for path in [".git/index", "target/y", "tasks.md", ".aider.chat.md", "node_modules/m/i.js"] {
            put(path, "22");
        }
        assert!(files.change_since(&before).is_nothing());
        assert_eq!(files.print(&before), before.print());
        put("src/b", "22");
        put("src/new", "");
        std::fs::remove_file(dir.path().join("src/gone")).unwrap();
        let mut change = files.change_since(&before);
        change.written.sort();
        assert_eq!(change, Change { written: vec!["src/b".to_owned(), "src/new".to_owned()], removed: 1 });
        assert_ne!(files.print(&before), before.print());
    }

    #[test]
    fn stars_stand_for_anything() {
        for (like, name) in
            [(".aider*", ".aider.tags"), ("*.log", "a.log"), ("a*b*c", "a-b-b-c"), ("x", "x"), ("*", "")]
        {
            assert!(fits(like, name), "{like} {name}");
        }
        for (like, name) in
            [(".aider*", "aider"), ("*.log", "a.logs"), ("a*b*c", "a-c"), ("x", "xy"), ("ab*ba", "aba")]
        {
            assert!(!fits(like, name), "{like} {name}");
        }
    }
}
