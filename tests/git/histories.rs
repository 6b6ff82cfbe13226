//! Random histories: attempts side by side with overlapping edits, edits and commits of the user meanwhile, stops at
//! random steps. After each, every line that anybody wrote is on disk or reachable, and the user's own things are as
//! the user left them.

use super::{Place, Tally, git_in, no_git, put};
use specter::git::{Attempt, Error, Git, Outcome, Pool, Steps, Worktree};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

struct History {
    place: Place,
    random: fastrand::Rng,
    tokens: u32,
    /// Lines that attempts wrote into files that are kept.
    written: Vec<String>,
    /// Lines of the user, which must be on disk.
    users: BTreeSet<String>,
    tally: Tally,
}

const FILES: usize = 6;

impl History {
    fn new(seed: u64) -> History {
        let text: String = (0..12).map(|n| format!("line {n}\n")).collect();
        let names: Vec<String> = (0..FILES).map(|n| format!("d{}/f{n}", n % 3)).collect();
        let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), text.as_str())).collect();
        files.push((".gitignore", "*.o\n"));
        History {
            place: Place::new(&files),
            random: fastrand::Rng::with_seed(seed),
            tokens: 0,
            written: Vec::new(),
            users: BTreeSet::new(),
            tally: Tally::default(),
        }
    }

    fn token(&mut self, who: &str) -> String {
        self.tokens += 1;
        format!("{who} wrote {}", self.tokens)
    }

    fn name(&mut self) -> String {
        let n = self.random.usize(..FILES + 3);
        format!("d{}/f{n}", n % 3)
    }

    /// Puts a new line somewhere into a file.
    fn edit(&mut self, root: &Path, who: &str) -> String {
        let (name, token) = (self.name(), self.token(who));
        let text = std::fs::read_to_string(root.join(&name)).unwrap_or_default();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.insert(self.random.usize(..=lines.len()), &token);
        put(root, &name, &(lines.join("\n") + "\n"));
        token
    }

    fn attempt_works(&mut self, worktree: &Worktree) {
        for _ in 0..self.random.usize(1..5) {
            let root = worktree.root();
            match self.random.u32(..10) {
                0 => {
                    // Nobody else's line may go with the file.
                    let path = root.join(self.name());
                    let is_own = std::fs::read_to_string(&path).is_ok_and(|text| !text.contains(" wrote "));
                    if is_own {
                        let _ = std::fs::remove_file(path);
                    }
                }
                1 => {
                    git_in(root, &["add", "-A"]);
                    git_in(root, &["commit", "-q", "--allow-empty", "-m", "agent"]);
                }
                _ => {
                    let token = self.edit(root, "agent");
                    self.written.push(token);
                }
            }
        }
    }

    fn user_works(&mut self) {
        match self.random.u32(..6) {
            0 => {
                self.place.git(&["add", "-A"]);
                self.place.git(&["commit", "-q", "--allow-empty", "-m", "user"]);
                self.tally.user_commits += 1;
            }
            1 => {
                let name = self.name();
                if self.place.path(&name).exists() {
                    self.place.git(&["add", &name]);
                }
            }
            _ => {
                let token = self.edit(&self.place.root(), "user");
                self.users.insert(token);
                self.tally.user_edits += 1;
            }
        }
    }

    /// Some runs are stopped somewhere.
    fn open(&mut self) -> Git {
        let is_stopped = self.random.bool();
        let steps = if is_stopped { Steps::at_most(self.random.u32(..120)) } else { Steps::unlimited() };
        self.place.open_with(steps)
    }

    fn run(&mut self) {
        let mut number = 0;
        for _ in 0..6 {
            let mut git = self.open();
            match self.session(&mut git, &mut number) {
                Ok(()) => {}
                Err(Error::Stopped) => self.tally.stops += 1,
                Err(error) => panic!("{error}"),
            }
            drop(git);
            self.recover();
            self.check();
        }
    }

    fn session(&mut self, git: &mut Git, number: &mut u32) -> Result<(), Error> {
        let pool = self.place.pool(git);
        let mut open: Vec<Worktree> = Vec::new();
        for _ in 0..self.random.usize(1..4) {
            let tip = git.tip()?;
            *number += 1;
            let whose = Attempt { task: format!("T{number:03}"), number: 1 };
            let worktree = git.lease(&pool, tip, &whose, &[])?.0;
            self.tally.attempts += 1;
            self.attempt_works(&worktree);
            open.push(worktree);
        }
        while !open.is_empty() {
            let worktree = open.swap_remove(self.random.usize(..open.len()));
            if self.random.bool() {
                self.user_works();
            }
            let own = self.place.own();
            let result = self.end(git, worktree);
            assert_eq!(self.place.own(), own);
            result?;
        }
        git.collect_garbage(&pool, 1)?;
        Ok(())
    }

    fn end(&mut self, git: &mut Git, worktree: Worktree) -> Result<(), Error> {
        let saved = git.save_attempt(&worktree, worktree.attempt())?;
        // Failed attempts are saved only.
        if self.random.u32(..5) > 0 {
            match git.integrate(&worktree, &saved, false)? {
                Outcome::Integrated(integrated) => {
                    assert_eq!(integrated.kept.len(), 0);
                    self.tally.integrated += 1;
                }
                Outcome::Conflict(_) => self.tally.conflicts += 1,
                Outcome::Nothing { .. } => {}
                Outcome::Review { paths } => panic!("{paths:?}"),
            }
        }
        git.give_back(worktree, &saved)?;
        Ok(())
    }

    /// What the next start does.
    fn recover(&mut self) {
        if self.random.bool() {
            self.user_works();
        }
        let mut git = self.place.open();
        let own = self.place.own();
        git.clear_stale_locks().unwrap();
        git.finish().unwrap();
        let pool: Pool = self.place.pool(&git);
        for worktree in git.leased(&pool).unwrap() {
            let saved = git.save_attempt(&worktree, worktree.attempt()).unwrap();
            git.give_back(worktree, &saved).unwrap();
        }
        git.collect_garbage(&pool, 1).unwrap();
        assert_eq!(self.place.own(), own);
    }

    fn check(&mut self) {
        let disk: String = super::files_below(&self.place.root())
            .into_iter()
            .filter(|path| !path.starts_with(self.place.path(".git")))
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect();
        let on_disk: BTreeSet<&str> = disk.lines().collect();
        let lost: Vec<&String> =
            self.users.iter().filter(|token| !on_disk.contains(token.as_str())).collect();
        assert!(lost.is_empty(), "of the user: {lost:?}");
        let kept = reachable(&self.place);
        let kept: BTreeSet<&str> = kept.lines().collect();
        let lost: Vec<&String> = self.written.iter().filter(|token| !kept.contains(token.as_str())).collect();
        self.tally.losses += lost.len();
        assert!(lost.is_empty(), "of attempts: {lost:?}");
    }
}

/// The contents of everything that specter's references lead to.
fn reachable(place: &Place) -> String {
    let script = "git for-each-ref --format='%(objectname)' refs/specter | git rev-list --objects --stdin \
                  | cut -d' ' -f1 | git cat-file --batch";
    let said = Command::new("sh").args(["-c", script]).current_dir(place.root()).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8_lossy(&said.stdout).into_owned()
}

#[test]
fn campaign_no_history_loses_a_line() {
    if no_git() {
        return;
    }
    let runs: u64 = std::env::var("SPECTER_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    let first: u64 = std::env::var("SPECTER_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let mut sum = Tally::default();
    for seed in first..first + runs {
        let mut history = History::new(seed);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| history.run()));
        assert!(result.is_ok(), "the history of seed {seed}");
        history.place.fsck();
        sum += history.tally;
    }
    println!("{runs} histories: {sum:?}");
    assert!(sum.integrated > 0 && sum.stops > 0 && sum.attempts > 0);
}
