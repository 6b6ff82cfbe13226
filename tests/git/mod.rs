//! The repository: saving, working trees, integrating, checkpoints, escapes, over real repositories and with the
//! `git` program as the judge.

mod committing;
mod escapes;
mod expiring;
mod histories;
mod integrating;
mod keeping;
mod merging;
mod restoring;
mod saving;
mod states;
mod stops;
mod takeup;
mod trees;

use specter::clock::Clock;
use specter::git::{Attempt, Git, Limits, Outcome, Pool, Rules, Run, Saved, Steps, Worktree};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What random histories came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) attempts: usize,
    pub(crate) integrated: usize,
    pub(crate) conflicts: usize,
    pub(crate) failures: usize,
    /// Between two effects.
    pub(crate) stops: usize,
    pub(crate) kills: usize,
    pub(crate) interrupts: usize,
    pub(crate) user_edits: usize,
    pub(crate) user_commits: usize,
    pub(crate) losses: usize,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, more: Tally) {
        self.attempts += more.attempts;
        self.integrated += more.integrated;
        self.conflicts += more.conflicts;
        self.failures += more.failures;
        self.stops += more.stops;
        self.kills += more.kills;
        self.interrupts += more.interrupts;
        self.user_edits += more.user_edits;
        self.user_commits += more.user_commits;
        self.losses += more.losses;
    }
}

/// A repository of a user, with a cache and a state directory beside it.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    /// `git init` and one commit of these files.
    pub(crate) fn new(files: &[(&str, &str)]) -> Place {
        // In memory where there is such a place: these tests wait for no disk.
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let place = Place { dir: dir.unwrap() };
        std::fs::create_dir(place.root()).unwrap();
        place.git(&["init", "-q", "-b", "main"]);
        // What git does by itself in the background would be a git command at work.
        place.git(&["config", "maintenance.auto", "false"]);
        place.git(&["config", "gc.auto", "0"]);
        place.git(&["config", "user.name", "A User"]);
        place.git(&["config", "user.email", "user@example.org"]);
        for (path, text) in files {
            place.write(path, text);
        }
        place.git(&["add", "-A"]);
        place.git(&["commit", "-q", "--allow-empty", "-m", "first"]);
        place
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        put(&self.root(), path, text);
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    pub(crate) fn open(&self) -> Git {
        self.open_with(Steps::unlimited())
    }

    pub(crate) fn open_with(&self, steps: Steps) -> Git {
        let rules = Rules::new(&[PathBuf::from("tasks.md")]);
        let state = self.dir.path().join("state");
        let git = Git::open(&self.root(), &state, Run::new("R1"), rules, Clock::start()).unwrap();
        git.with_steps(steps).with_limits(Limits { file_bytes: 1 << 20, room_bytes: 0, ..Limits::default() })
    }

    pub(crate) fn pool(&self, git: &Git) -> Pool {
        Pool::open(&self.dir.path().join("cache"), git).unwrap()
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git_in(&self.root(), arguments)
    }

    /// Everything that must stay as the user left it.
    pub(crate) fn own(&self) -> Vec<String> {
        let read = |name: &str| format!("{:?}", std::fs::read(self.path(".git").join(name)).ok());
        let refs = self.git(&["for-each-ref", "refs/heads", "refs/tags", "refs/remotes", "refs/stash"]);
        let mut own = vec![read("HEAD"), read("index"), read("config"), refs];
        own.push(self.git(&["stash", "list"]));
        own.push(self.git(&["reflog"]));
        let mut locks: Vec<PathBuf> = files_below(&self.path(".git"));
        locks.retain(|path| path.extension().is_some_and(|extension| extension == "lock"));
        own.push(format!("{locks:?}"));
        own
    }

    pub(crate) fn fsck(&self) {
        let said = run_git(&self.root(), &["fsck", "--strict", "--no-dangling"]);
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        assert_eq!(String::from_utf8_lossy(&said.stderr).replace("notice: No default references\n", ""), "");
    }
}

pub(crate) fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

pub(crate) fn run_git(dir: &Path, arguments: &[&str]) -> Output {
    Command::new("git")
        .args(arguments)
        .current_dir(dir)
        .env_remove("GIT_DIR")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .output()
        .unwrap()
}

pub(crate) fn git_in(dir: &Path, arguments: &[&str]) -> String {
    let said = run_git(dir, arguments);
    assert!(said.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8_lossy(&said.stdout).into_owned()
}

/// Without the judge these tests prove nothing: they say so and pass.
pub(crate) fn no_git() -> bool {
    let is_missing = Command::new("git").arg("--version").output().is_err();
    if is_missing {
        eprintln!("skipped: there is no `git` program to judge by");
    }
    is_missing
}

pub(crate) fn attempt(task: &str) -> Attempt {
    Attempt { task: task.to_owned(), number: 1 }
}

pub(crate) fn lease(git: &mut Git, pool: &Pool, task: &str) -> Worktree {
    let tip = git.tip().unwrap();
    git.lease(pool, tip, &attempt(task), &[]).unwrap().0
}

pub(crate) fn save(git: &mut Git, worktree: &Worktree) -> Saved {
    git.save_attempt(worktree, worktree.attempt()).unwrap()
}

/// Saved, integrated, given back.
pub(crate) fn integrate(git: &mut Git, worktree: Worktree) -> Outcome {
    let saved = save(git, &worktree);
    let outcome = git.integrate(&worktree, &saved, false).unwrap();
    git.give_back(worktree, &saved).unwrap();
    outcome
}

pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let is_dir = path.symlink_metadata().unwrap().is_dir();
            let list = if is_dir { &mut open } else { &mut files };
            list.push(path);
        }
    }
    files.sort();
    files
}
