//! What a repository is like, before anything is done with it: every peculiarity that matters, whether it forbids
//! working side by side, and what to do. Only looks.

use super::repo::{discover, working_directory};
use super::{Error, disk};
use crate::fs::shown;
use crate::text::count;
use git2::{ErrorClass, ErrorCode, Repository, RepositoryState, StatusOptions};
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How many names are given as examples.
const EXAMPLES: usize = 5;

/// Something about a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub state: State,
    /// What is needed before attempts can have working trees of their own; none: it works as it is.
    pub help: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    NoRepository,
    /// It belongs to somebody else, who could make git run commands.
    ForeignOwner(String),
    /// It cannot be opened: an unknown format, damage.
    Unusable(String),
    Bare,
    Detached,
    /// No commit yet.
    Unborn,
    /// A merge, rebase, bisect or the like has begun.
    UnderWay(&'static str),
    /// `index.lock` is there. A git process works in the repository, or died in it.
    IndexLocked {
        path: PathBuf,
        is_owner_alive: bool,
    },
    /// Files that are not as they are committed, and files that git does not know.
    Dirty {
        changed: usize,
        untracked: usize,
    },
    Submodules(Vec<PathBuf>),
    /// Filters convert what is on disk to what git keeps: LFS, encryption.
    Filters(Vec<String>),
    Sparse,
    Shallow,
    /// Objects are fetched when they are needed, by a program.
    Partial,
    IgnoresCase,
    /// A linked working tree of another repository.
    Linked,
    Signs,
    /// Git does not know who the user is.
    NoIdentity,
    Hooks(Vec<PathBuf>),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |paths: &[PathBuf]| {
            paths.iter().map(|path| format!("`{}`", shown(path))).collect::<Vec<_>>().join(", ")
        };
        match self {
            State::NoRepository => f.write_str("there is no git repository"),
            State::ForeignOwner(why) => write!(f, "the repository belongs to somebody else: {why}"),
            State::Unusable(why) => write!(f, "the repository cannot be used: {why}"),
            State::Bare => f.write_str("the repository is bare"),
            State::Detached => f.write_str("`HEAD` is detached"),
            State::Unborn => f.write_str("there is no commit yet"),
            State::UnderWay(what) => write!(f, "a {what} is under way"),
            State::IndexLocked { path, is_owner_alive: true } => {
                write!(f, "a git command works in the repository (`{}`)", shown(path))
            }
            State::IndexLocked { path, .. } => write!(f, "`{}` was left behind", shown(path)),
            State::Dirty { changed, untracked } => {
                write!(f, "{} not committed, {untracked} untracked", count(*changed as u64, "change"))
            }
            State::Submodules(paths) => write!(f, "submodules are left as they are: {}", names(paths)),
            State::Filters(filters) => write!(
                f,
                "filters (`{}`) are not run: files are kept and carried as they are on disk",
                filters.join("`, `")
            ),
            State::Sparse => f.write_str("the checkout is sparse: what is not checked out is left as it is"),
            State::Shallow => f.write_str("the clone is shallow"),
            State::Partial => f.write_str("the clone is partial: what is missing is not fetched"),
            State::IgnoresCase => f.write_str("the file system ignores case"),
            State::Linked => f.write_str("this is a linked working tree of another repository"),
            State::Signs => f.write_str("commits are signed; those that specter makes for itself are not"),
            State::NoIdentity => f.write_str("git does not know who commits"),
            State::Hooks(paths) => write!(f, "hooks ({}) are not run by specter", names(paths)),
        }
    }
}

impl State {
    /// Whether it passes by itself.
    pub fn passes(&self) -> bool {
        matches!(self, State::IndexLocked { is_owner_alive: true, .. })
    }

    /// Whether who works in a working tree of its own should know it.
    pub fn matters_to_trees(&self) -> bool {
        matches!(self, State::Submodules(_) | State::Filters(_) | State::Sparse | State::Partial)
    }
}

/// Everything there is to say about the repository that holds `inside`.
pub fn probe(inside: &Path) -> Result<Vec<Finding>, Error> {
    let repo = match discover(inside) {
        Ok(repo) => repo,
        Err(Error::NoRepository { .. }) => {
            return Ok(vec![stops(
                State::NoRepository,
                "run `git init`, or go without working trees: `--isolation none`",
            )]);
        }
        Err(Error::Git { source, .. }) if source.code() == ErrorCode::Owner => {
            let help = "if you trust it: `git config --global --add safe.directory PATH`";
            return Ok(vec![stops(State::ForeignOwner(source.message().to_owned()), help)]);
        }
        Err(Error::Git { source, .. }) if source.class() == ErrorClass::Os => {
            return Ok(vec![stops(
                State::Unusable(source.message().to_owned()),
                "see that its files can be read",
            )]);
        }
        Err(Error::Git { source, .. }) => {
            let help = "go without working trees: `--isolation none`";
            return Ok(vec![stops(State::Unusable(source.message().to_owned()), help)]);
        }
        Err(error) => return Err(error),
    };
    if repo.is_bare() {
        return Ok(vec![stops(State::Bare, "run it in a working tree of the repository")]);
    }
    let root = working_directory(&repo)?;
    let mut findings = Vec::new();
    findings.extend(head(&repo));
    findings.extend(half_done(&repo));
    findings.extend(index_lock(&repo, &root));
    findings.extend(contents(&repo, &root));
    findings.extend(dirty(&repo));
    findings.extend(settings(&repo));
    Ok(findings)
}

fn stops(state: State, help: &'static str) -> Finding {
    Finding { state, help: Some(help) }
}

fn works(state: State) -> Finding {
    Finding { state, help: None }
}

fn head(repo: &Repository) -> Option<Finding> {
    match repo.head() {
        Ok(_) => repo.head_detached().is_ok_and(|is| is).then(|| works(State::Detached)),
        Err(error) if error.code() == ErrorCode::UnbornBranch => Some(works(State::Unborn)),
        Err(error) => {
            Some(stops(State::Unusable(error.message().to_owned()), "repair `HEAD`, see `git status`"))
        }
    }
}

pub(super) fn under_way(repo: &Repository) -> Option<&'static str> {
    Some(match repo.state() {
        RepositoryState::Clean => return None,
        RepositoryState::Merge => "merge",
        RepositoryState::Revert | RepositoryState::RevertSequence => "revert",
        RepositoryState::CherryPick | RepositoryState::CherryPickSequence => "cherry-pick",
        RepositoryState::Bisect => "bisect",
        RepositoryState::Rebase | RepositoryState::RebaseInteractive | RepositoryState::RebaseMerge => {
            "rebase"
        }
        RepositoryState::ApplyMailbox | RepositoryState::ApplyMailboxOrRebase => "am",
    })
}

fn half_done(repo: &Repository) -> Option<Finding> {
    let help = "finish it or give it up (`--continue`, `--abort`, `git bisect reset`)";
    under_way(repo).map(|what| stops(State::UnderWay(what), help))
}

/// How often a lock may be another one after a look at the processes, before it is believed that git works here.
const LOOKS: u32 = 20;

/// specter itself needs no lock of the index; but who holds it is changing the same files.
fn index_lock(repo: &Repository, root: &Path) -> Option<Finding> {
    let path = repo.path().join("index.lock");
    let is_owner_alive = is_owner_alive(&path, root)?;
    let help = if is_owner_alive {
        "wait for the git command that is running"
    } else {
        "no git command runs here: remove the file"
    };
    Some(stops(State::IndexLocked { path, is_owner_alive }, help))
}

/// None where there is no lock. One is left behind only if it is the same before and after a look that found nobody:
/// else its owner ended meanwhile, and took it along.
fn is_owner_alive(lock: &Path, root: &Path) -> Option<bool> {
    for _ in 0..LOOKS {
        let before = identity(lock)?;
        if git_works_in(root) {
            return Some(true);
        }
        if identity(lock)? == before {
            return Some(false);
        }
    }
    Some(true)
}

fn identity(path: &Path) -> Option<(u64, u64, i64, i64)> {
    let found = std::fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino(), found.ctime(), found.ctime_nsec()))
}

/// A lock says nothing of its owner: any git process in the tree may be it.
pub(super) fn git_works_in(root: &Path) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return true };
    processes.flatten().any(|process| {
        let dir = process.path();
        let is_git = std::fs::read(dir.join("comm")).is_ok_and(|name| name.starts_with(b"git"));
        is_git && std::fs::read_link(dir.join("cwd")).is_ok_and(|cwd| cwd.starts_with(root))
    })
}

fn contents(repo: &Repository, root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Ok(index) = repo.index() else {
        return vec![stops(State::Unusable("the index cannot be read".to_owned()), "see `git status`")];
    };
    let submodules: Vec<PathBuf> = index
        .iter()
        .filter(|entry| entry.mode == 0o160_000)
        .map(|entry| super::integrate::path_of(&entry.path))
        .take(EXAMPLES)
        .collect();
    if !submodules.is_empty() {
        findings.push(works(State::Submodules(submodules)));
    }
    let mut attributes: Vec<PathBuf> = index
        .iter()
        .filter(|entry| disk::name_of(&entry.path) == b".gitattributes")
        .map(|entry| disk::join(root, &entry.path))
        .collect();
    attributes.push(root.join(".gitattributes"));
    attributes.push(repo.commondir().join("info/attributes"));
    let mut filters: Vec<String> =
        attributes.iter().filter_map(|path| std::fs::read(path).ok()).flat_map(filters_in).collect();
    filters.sort();
    filters.dedup();
    if !filters.is_empty() {
        findings.push(works(State::Filters(filters)));
    }
    findings
}

fn filters_in(text: Vec<u8>) -> Vec<String> {
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines
        .flat_map(str::split_whitespace)
        .filter_map(|word| word.strip_prefix("filter="))
        .map(str::to_owned)
        .collect()
}

fn dirty(repo: &Repository) -> Option<Finding> {
    let mut options = StatusOptions::new();
    options.include_untracked(true).include_ignored(false).update_index(false).no_refresh(false);
    let statuses = repo.statuses(Some(&mut options)).ok()?;
    let untracked = statuses.iter().filter(|entry| entry.status().is_wt_new()).count();
    let changed = statuses.len() - untracked;
    (!statuses.is_empty()).then(|| works(State::Dirty { changed, untracked }))
}

fn settings(repo: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Ok(config) = repo.config() else { return findings };
    let is_set = |name: &str| config.get_bool(name).unwrap_or(false);
    if is_set("core.sparseCheckout") {
        // Every tree of specter's has what is checked out, so nothing looks removed.
        findings.push(works(State::Sparse));
    }
    if repo.is_shallow() {
        findings.push(works(State::Shallow));
    }
    if config.get_string("extensions.partialClone").is_ok() {
        findings.push(works(State::Partial));
    }
    if is_set("core.ignorecase") {
        findings.push(works(State::IgnoresCase));
    }
    if repo.is_worktree() {
        findings.push(works(State::Linked));
    }
    if is_set("commit.gpgsign") || is_set("tag.gpgsign") {
        findings.push(works(State::Signs));
    }
    let dir = config.get_path("core.hooksPath").unwrap_or_else(|_| repo.commondir().join("hooks"));
    let hooks: Vec<PathBuf> = std::fs::read_dir(&dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_none_or(|extension| extension != "sample"))
        .collect();
    if !hooks.is_empty() {
        findings.push(works(State::Hooks(hooks)));
    }
    findings
}
