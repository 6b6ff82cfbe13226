//! Whether attempts get working trees of their own and files are saved: settled before anything is run, from the
//! configuration and the repository that the project is in. What forbids it ends the command with everything that is to
//! be done about it; nothing is ever done without what was asked for.

use super::error::{Error, Kind};
use super::target::Target;
use super::{commit, stage};
use crate::clock::Clock;
use crate::config::{Commit, Config, Environment, Isolation, UserEdits};
use crate::driver::{self, Repository, Trees, User};
use crate::fs;
use crate::git::{self, Carry, Git, How, Pool, Rules, Run, State};
use crate::journal::{RunId, Store};
use crate::policy::Floor;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// For this run; none where there is no repository and none was asked for.
pub(super) fn settle(
    config: &Config,
    target: &Target,
    store: &Store,
    run: &RunId,
    clock: &Clock,
) -> Result<Option<Repository>, Error> {
    let wants_trees = config.isolation == Isolation::Worktree;
    if !wants_trees && !config.checkpoints {
        return Ok(None);
    }
    let mut git = match open(config, target, store, run, clock) {
        Ok(git) => git,
        Err(git::Error::NoRepository { .. } | git::Error::Bare { .. }) if !wants_trees => return Ok(None),
        Err(error) if !wants_trees => {
            stage::note(config, &format!("warning: files are not saved for `specter rollback`: {error}"));
            return Ok(None);
        }
        Err(error) => return Err(failed(&error)),
    };
    let below = below(&git, &target.project);
    let trees = if wants_trees { Some(trees(config, target, run, &mut git)?) } else { None };
    Ok(Some(Repository { git, below, trees }))
}

/// The repository as it is for this run.
pub(super) fn open(
    config: &Config,
    target: &Target,
    store: &Store,
    run: &RunId,
    clock: &Clock,
) -> Result<Git, git::Error> {
    let name = Run::new(run.as_str());
    let git = Git::open(&target.project, store.dir(), name, Rules::new(&[]), *clock)?;
    let below = below(&git, &target.project);
    let inside = |path: &Path| path.strip_prefix(git.root()).map(Path::to_owned).ok();
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let task_file: Vec<PathBuf> = inside(&real(&target.file)).into_iter().collect();
    let own: Vec<PathBuf> = inside(&real(store.dir())).into_iter().collect();
    let protected: Vec<PathBuf> = config.protected.iter().map(|path| below.join(path)).collect();
    let rules = Rules::new(&task_file).in_directory(&below).leaving_out(&own).protecting(&protected);
    let usual = git::Limits::default();
    let copied_bytes = match config.max_saved {
        Floor::Off => u64::MAX,
        limit => limit.of(usual.copied_bytes),
    };
    Ok(git.with_rules(rules).with_limits(git::Limits { copied_bytes, ..usual }))
}

fn below(git: &Git, project: &Path) -> PathBuf {
    let real = std::fs::canonicalize(project).unwrap_or_else(|_| project.to_owned());
    real.strip_prefix(git.root()).map(Path::to_owned).unwrap_or_default()
}

/// How long a git command that works in the repository is waited for: most are over before a person could read of it.
const GIT_WORKS: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(50);

/// What there is to say of the repository once no git command is at work in it, if that is soon.
fn settled(project: &Path) -> Result<Vec<git::Finding>, Error> {
    let limit = Instant::now() + GIT_WORKS;
    loop {
        let findings = git::probe(project).map_err(|error| failed(&error))?;
        let is_busy = findings.iter().any(|finding| finding.state.passes());
        if !is_busy || Instant::now() > limit {
            return Ok(findings);
        }
        std::thread::sleep(LOOK);
    }
}

/// Everything that stands in the way of what was asked for, at once. Before anything is written.
pub(super) fn check(config: &Config, project: &Path) -> Result<(), Error> {
    commit::check_words(config)?;
    if config.isolation != Isolation::Worktree {
        return Ok(());
    }
    let findings = settled(project)?;
    let stops: Vec<git::Finding> =
        findings.iter().filter(|finding| finding.help.is_some()).cloned().collect();
    refuse("attempts cannot have working trees", &stops)?;
    refuse("nothing can be committed", &commit::stops(config, project, &findings)?)?;
    trees_dir(config, &git::root_of(project).map_err(|error| failed(&error))?)?;
    let matters = |state: &State| {
        state.matters_to_trees() || (config.commit != Commit::Off && matches!(state, State::Hooks(_)))
    };
    for finding in findings.iter().filter(|finding| matters(&finding.state)) {
        stage::note(config, &finding.state.to_string());
    }
    Ok(())
}

fn refuse(what: &str, stops: &[git::Finding]) -> Result<(), Error> {
    if stops.is_empty() {
        return Ok(());
    }
    let states: Vec<String> = stops.iter().map(|stop| stop.state.to_string()).collect();
    let error = Error::message(Kind::Preflight, format!("{what}: {}", states.join("; ")));
    Err(stops.iter().filter_map(|stop| stop.help).fold(error, Error::hint))
}

fn trees(config: &Config, target: &Target, run: &RunId, git: &mut Git) -> Result<Trees, Error> {
    let pool = pool(config, git)?;
    // Of a run whose record is gone: with the lock held nobody else works in them.
    let taken = driver::take_up_files(git, Some(&pool), &[], &[]).map_err(|error| failed(&error))?;
    taken.notes.iter().for_each(|note| stage::note(config, note));
    if git.has_tip().map_err(|error| failed(&error))? {
        // What was done to the files since the session before is what attempts start from.
        git.take_up().map_err(|error| failed(&error))?;
    }
    let user = match config.user_edits {
        UserEdits::Expected => User::Works,
        UserEdits::Auto => User::Unknown,
        UserEdits::None => User::Sleeps,
    };
    let carry = if config.carry.is_empty() {
        Carry::usual()
    } else {
        let below = below(git, &target.project);
        config.carry.iter().map(|item| carry(item, &below)).collect()
    };
    Ok(Trees { pool, carry, keep: config.keep_trees as usize, user, commits: commit::wanted(config, run) })
}

/// Where the project's working trees are.
pub(super) fn pool(config: &Config, git: &Git) -> Result<Pool, Error> {
    Pool::open(&trees_dir(config, git.root())?, git).map_err(|error| failed(&error))
}

/// Where all projects' working trees are: outside of the repository at `root`, or each would hold all others.
pub(super) fn trees_dir(config: &Config, root: &Path) -> Result<PathBuf, Error> {
    let dir = config.trees_dir.clone().or_else(|| {
        // Not in the cache directory: where trees are kept from each other, programs could not make theirs in it.
        let state = Environment::of_process().base_dir("XDG_STATE_HOME", ".local/state");
        state.map(|state| state.join("specter/worktrees"))
    });
    let dir = dir.ok_or_else(|| {
        Error::message(Kind::Preflight, "there is no directory for working trees: `HOME` is not set")
            .hint("set `worktrees.dir` in your own configuration")
    })?;
    if dir.starts_with(root) || !dir.is_absolute() {
        let what = format!(
            "working trees cannot be made in `{}`: they must be outside the project",
            fs::shown(&dir)
        );
        return Err(Error::message(Kind::Preflight, what)
            .hint("set `worktrees.dir` in your own configuration to an absolute path elsewhere"));
    }
    Ok(dir)
}

/// `NAME` or `NAME=HOW`. A name with a slash is a path in the project.
fn carry(item: &str, below: &Path) -> Carry {
    let (name, how) = item.split_once('=').unwrap_or((item, "auto"));
    let name = if name.contains('/') { below.join(name) } else { PathBuf::from(name) };
    let how = match how {
        "reflink" => How::Reflink,
        "hardlink" => How::HardLink,
        "symlink" => How::Symlink,
        "copy" => How::Copy,
        _ => How::Auto,
    };
    Carry { name, how }
}

pub(super) fn failed(error: &git::Error) -> Error {
    Error::message(Kind::Preflight, format!("attempts cannot have working trees: {error}"))
        .hint("`specter doctor` tells what is wrong with the repository")
        .hint("or go without working trees: `--isolation none`")
}
