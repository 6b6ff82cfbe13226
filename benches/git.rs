//! What working trees and integrating cost beside the `git` program, in turns on the same repository: medians, 95th
//! percentiles and their ratios, and the disk that a further working tree takes. `benches/git --help` runs it.
//!
//! Both sides do the same work: a tree of the same commit, the same changes to the same files, into the same tree.
//! `git` is asked as a person would: with its process and its defaults, which sync no object. specter syncs.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a broken benchmark is to stop; figures are printed"
)]

use specter::clock::Clock;
use specter::git::{Attempt, Carry, Git, Outcome, Owner, Pool, Rules, Run, Worktree};
use std::fmt::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const HELP: &str = "benches/git [--files N] [--rounds N] [--side-by-side N] [--dir DIR]

  --files         of the generated repository (10000)
  --rounds        of each measurement, specter and git in turns (20)
  --side-by-side  tasks at once (16)
  --dir           where everything is made: a disk to measure (the directory for temporary files)";

/// Files that one task changes.
const CHANGED: usize = 5;

struct Options {
    files: usize,
    rounds: usize,
    side_by_side: usize,
    dir: PathBuf,
}

fn options() -> Option<Options> {
    let mut options = Options { files: 10_000, rounds: 20, side_by_side: 16, dir: std::env::temp_dir() };
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let value = words.next()?;
        match word.as_str() {
            "--files" => options.files = value.parse().ok()?,
            "--rounds" => options.rounds = value.parse().ok()?,
            "--side-by-side" => options.side_by_side = value.parse().ok()?,
            "--dir" => options.dir = PathBuf::from(value),
            _ => return None,
        }
    }
    Some(options)
}

fn main() {
    let Some(options) = options() else {
        println!("{HELP}");
        return;
    };
    let dir = options.dir.join(format!("specter-bench-git-{}", std::process::id()));
    let place = Place::new(&dir, options.files);
    println!("{} files, {} rounds, in {}", options.files, options.rounds, options.dir.display());
    println!("{:<34} {:>16} {:>16}   ratio", "median / p95, ms", "specter", "git");
    place.one_after_the_other(&options);
    place.side_by_side(options.side_by_side);
    place.disk();
    place.git(&["fsck", "--strict", "--no-dangling"]);
    println!("git fsck: clean");
    std::fs::remove_dir_all(dir).unwrap();
}

#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn of<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.0.push(start.elapsed());
        result
    }

    fn at(&self, share: usize) -> f64 {
        let mut times = self.0.clone();
        times.sort();
        times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1000.0
    }

    fn shown(&self) -> String {
        format!("{:.1} / {:.1}", self.at(50), self.at(95))
    }
}

fn row(what: &str, specter: &Times, git: &Times) {
    let ratio = |share| specter.at(share) / git.at(share);
    let (median, tail) = (ratio(50), ratio(95));
    println!("{what:<34} {:>16} {:>16}   {median:.2} / {tail:.2}", specter.shown(), git.shown());
}

struct Place {
    dir: PathBuf,
    files: Vec<String>,
}

impl Place {
    fn new(dir: &Path, files: usize) -> Place {
        let files = (0..files).map(|n| format!("d{}/e{}/f{n}.rs", n % 25, n % 100)).collect();
        let place = Place { dir: dir.to_owned(), files };
        std::fs::create_dir_all(place.root()).unwrap();
        for (n, file) in place.files.iter().enumerate() {
            put(&place.root(), file, &text(n, "first"));
        }
        put(&place.root(), ".gitignore", "node_modules\ntarget\n");
        place.git(&["init", "-q", "-b", "main"]);
        for (name, value) in
            [("gc.auto", "0"), ("maintenance.auto", "false"), ("user.name", "A"), ("user.email", "a@b")]
        {
            place.git(&["config", name, value]);
        }
        place.git(&["add", "-A"]);
        place.git(&["commit", "-q", "-m", "first"]);
        // As in a repository that was cloned.
        place.git(&["repack", "-q", "-a", "-d"]);
        place
    }

    fn root(&self) -> PathBuf {
        self.dir.join("project")
    }

    fn git(&self, arguments: &[&str]) -> String {
        git_in(&self.root(), arguments)
    }

    fn open(&self) -> (Git, Pool) {
        let rules = Rules::new(&[PathBuf::from("tasks.md")]);
        let git =
            Git::open(&self.root(), &self.dir.join("state"), Run::new("R1"), rules, Clock::start()).unwrap();
        let pool = Pool::open(&self.dir.join("cache"), &git).unwrap();
        (git, pool)
    }

    /// What the `n`th task does, whoever gave it its tree.
    fn change(&self, root: &Path, n: usize, by: &str) {
        for k in 0..CHANGED {
            let file = (n * 37 + k * 11) % self.files.len();
            put(root, &self.files[file], &text(file, &format!("{by} {n}")));
        }
    }

    fn one_after_the_other(&self, options: &Options) {
        let (mut git, pool) = self.open();
        let [mut made, mut git_made, mut again, mut saved_in, mut git_saved, mut merged, mut git_merged] =
            [const { Times(Vec::new()) }; 7];
        let [mut given_back, mut all, mut git_all] = [const { Times(Vec::new()) }; 3];
        let mut first = Times::default();
        let tip = first.of(|| git.tip().unwrap());
        for n in 0..options.rounds {
            let start = Instant::now();
            let attempt = attempt(&format!("N{n}"));
            let worktree = made.of(|| git.lease(&pool, tip, &attempt, &[]).unwrap().0);
            self.change(worktree.root(), n, "specter");
            let saved = git.save_attempt(&worktree, &attempt).unwrap();
            git.give_back(worktree, &saved).unwrap();
            all.0.push(start.elapsed());
            git.collect_garbage(&pool, 0).unwrap();
            let start = Instant::now();
            let (path, head) = (format!("../git{n}"), self.head());
            git_made.of(|| self.git(&["worktree", "add", "-q", "--detach", &path, &head]));
            self.change(&self.dir.join(format!("git{n}")), n, "git");
            let dir = self.dir.join(format!("git{n}"));
            git_in(&dir, &["add", "-A"]);
            git_in(&dir, &["commit", "-q", "-m", "x"]);
            git_all.0.push(start.elapsed());
            self.git(&["worktree", "remove", "--force", &path]);
        }
        // The second half measures with the tree of the first use: git has no pool.
        self.git(&["worktree", "add", "-q", "--detach", "../git"]);
        let dir = self.dir.join("git");
        let tip = git.tip().unwrap();
        let warm: Vec<Worktree> = ["warm 1", "warm 2"]
            .iter()
            .map(|whose| git.lease(&pool, tip, &attempt(whose), &[]).unwrap().0)
            .collect();
        for worktree in warm {
            let saved = git.save_attempt(&worktree, worktree.attempt()).unwrap();
            git.give_back(worktree, &saved).unwrap();
        }
        for n in 0..options.rounds {
            let tip = git.tip().unwrap();
            let mut lease =
                |whose: String| again.of(|| git.lease(&pool, tip, &attempt(&whose), &[]).unwrap().0);
            let (before, worktree) = (lease(format!("B{n}")), lease(format!("T{n}")));
            put(before.root(), "other", &text(n, "moved"));
            self.change(worktree.root(), n, "specter");
            let saved_before = git.save_attempt(&before, before.attempt()).unwrap();
            let outcome = git.integrate(&before, &saved_before, false).unwrap();
            assert!(matches!(outcome, Outcome::Integrated(_)), "{outcome:?}");
            let saved = saved_in.of(|| git.save_attempt(&worktree, worktree.attempt()).unwrap());
            let outcome = merged.of(|| git.integrate(&worktree, &saved, false).unwrap());
            assert!(matches!(&outcome, Outcome::Integrated(done) if done.was_merged), "{outcome:?}");
            given_back.of(|| git.give_back(worktree, &saved).unwrap());
            git.give_back(before, &saved_before).unwrap();
        }
        // The same for git, whose branch and index move with it.
        self.git(&["checkout", "-q", "--", "."]);
        std::fs::remove_file(self.root().join("other")).unwrap();
        for n in 0..options.rounds {
            self.change(&dir, n, "specter");
            git_saved.of(|| {
                git_in(&dir, &["add", "-A"]);
                git_in(&dir, &["commit", "-q", "-m", "x"]);
            });
            let head = git_in(&dir, &["rev-parse", "HEAD"]);
            put(&self.root(), "other", &text(n, "moved"));
            self.git(&["add", "other"]);
            self.git(&["commit", "-q", "-m", "the tip moved"]);
            git_merged.of(|| self.git(&["merge", "-q", "--no-ff", "--no-edit", head.trim()]));
        }
        self.git(&["worktree", "remove", "--force", "../git"]);
        row("a new working tree", &made, &git_made);
        row("a pooled one again (git: new)", &again, &git_made);
        row("save an attempt (add + commit)", &saved_in, &git_saved);
        row("integrate (merge)", &merged, &git_merged);
        row("new, changed, saved", &all, &git_all);
        println!("{:<34} {:>16}", "give back", given_back.shown());
    }

    fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Each task: a tree, changes, save, integrate, give back; all at once.
    fn side_by_side(&self, tasks: usize) {
        let mut times = [Times::default(), Times::default()];
        for round in 0..3 {
            times[0].of(|| self.by_specter(tasks, round));
            times[1].of(|| self.by_git(tasks, round));
        }
        row(&format!("{tasks} tasks side by side"), &times[0], &times[1]);
    }

    fn by_specter(&self, tasks: usize, round: usize) {
        let (git, pool) = self.open();
        let owner = Owner::start(git).unwrap();
        owner.ask(Git::take_up).unwrap();
        std::thread::scope(|scope| {
            for n in 0..tasks {
                let (owner, pool) = (&owner, pool.clone());
                scope.spawn(move || {
                    let whose = attempt(&format!("S{round}-{n}"));
                    let worktree: Worktree = owner
                        .ask(move |git| {
                            let tip = git.tip()?;
                            Ok(git.lease(&pool, tip, &whose, &[])?.0)
                        })
                        .unwrap();
                    self.change(worktree.root(), 100 + n, &format!("specter {round}"));
                    owner
                        .ask(move |git| {
                            let saved = git.save_attempt(&worktree, worktree.attempt())?;
                            let outcome = git.integrate(&worktree, &saved, false)?;
                            assert!(matches!(outcome, Outcome::Integrated(_)), "{outcome:?}");
                            git.give_back(worktree, &saved)
                        })
                        .unwrap();
                });
            }
        });
        owner.ask(move |git| git.collect_garbage(&pool, 0)).unwrap();
        self.git(&["checkout", "-q", "--", "."]);
    }

    /// With a lock around what git cannot do side by side.
    fn by_git(&self, tasks: usize, round: usize) {
        let lock = std::sync::Mutex::new(());
        std::thread::scope(|scope| {
            for n in 0..tasks {
                let lock = &lock;
                scope.spawn(move || {
                    let path = format!("../side{n}");
                    {
                        let _held = lock.lock();
                        self.git(&["worktree", "add", "-q", "--detach", &path]);
                    }
                    let dir = self.dir.join(format!("side{n}"));
                    self.change(&dir, 100 + n, &format!("git {round}"));
                    git_in(&dir, &["add", "-A"]);
                    git_in(&dir, &["commit", "-q", "-m", "x"]);
                    let head = git_in(&dir, &["rev-parse", "HEAD"]);
                    let _held = lock.lock();
                    self.git(&["merge", "-q", "--no-edit", head.trim()]);
                    self.git(&["worktree", "remove", "--force", &path]);
                });
            }
        });
    }

    /// Blocks that one more working tree takes, alone and with what git ignores.
    fn disk(&self) {
        for n in 0..2000 {
            put(&self.root(), &format!("node_modules/p{}/{n}.js", n % 50), &text(n, "package"));
            put(&self.root(), &format!("target/debug/{n}.o"), &text(n, "object").repeat(4));
        }
        let (mut git, pool) = self.open();
        let tip = git.take_up().unwrap();
        let mut text = String::new();
        let plain = self.growth(|| drop(git.lease(&pool, tip, &attempt("D1"), &[]).unwrap()));
        let mut carried = Vec::new();
        let full = self.growth(|| {
            carried = git.lease(&pool, tip, &attempt("D2"), &Carry::usual()).unwrap().1;
        });
        let git_takes = self.growth(|| drop(self.git(&["worktree", "add", "-q", "--detach", "../disk"])));
        let ignored = taken(&self.root().join("node_modules")) + taken(&self.root().join("target"));
        let _ = writeln!(text, "disk of one more working tree, KiB: specter {plain}, git {git_takes}");
        let _ = writeln!(text, "with {ignored} KiB that git ignores carried over: specter {full}");
        for carried in carried {
            let _ =
                writeln!(text, "  {}: {:?}, {} files", carried.path.display(), carried.how, carried.files);
        }
        print!("{text}");
    }

    fn growth(&self, work: impl FnOnce()) -> u64 {
        let before = taken(&self.dir);
        work();
        taken(&self.dir) - before
    }
}

/// KiB of blocks, each file once however many names it has.
fn taken(dir: &Path) -> u64 {
    let mut seen = std::collections::HashSet::new();
    let mut blocks = 0;
    let mut open = vec![dir.to_owned()];
    while let Some(path) = open.pop() {
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        if seen.insert((metadata.dev(), metadata.ino())) {
            blocks += metadata.blocks();
        }
    }
    blocks / 2
}

fn attempt(task: &str) -> Attempt {
    Attempt { task: task.to_owned(), number: 1 }
}

fn text(n: usize, what: &str) -> String {
    let mut text = format!("// file {n}, {what}\n");
    for line in 0..40 {
        let _ = writeln!(text, "fn line_{line}_of_{n}() {{ do_something({}); }}", line * n);
    }
    text
}

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn git_in(dir: &Path, arguments: &[&str]) -> String {
    let said = Command::new("git")
        .args(arguments)
        .current_dir(dir)
        .env_remove("GIT_DIR")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(said.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8_lossy(&said.stdout).into_owned()
}
