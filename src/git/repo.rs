//! The user's repository, opened so that nothing of it is ever run or written but objects and own references.

use super::disk;
use super::error::{at, git};
use super::names::{ROOT, Run};
use super::save::{Cache, Limits};
use super::tree::{self, RelPath};
use super::walk::Tracked;
use super::{Error, Rules, Steps};
use crate::clock::Clock;
use crate::{fs, sys};
use git2::{ErrorCode, Oid, Repository, RepositoryOpenFlags, Signature, Time};
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often and how long a reference is tried that somebody else has locked.
pub(super) const LOCK_TRIES: u32 = 50;
pub(super) const LOCK_WAIT: Duration = Duration::from_millis(40);
/// A lock on one of specter's own references that is older was left by a process that died.
const STALE_LOCK: Duration = Duration::from_millis(1500);

/// The repository of one run, owned by one thread.
pub struct Git {
    pub(super) repo: Repository,
    /// The working tree of the user, without links.
    pub(super) root: PathBuf,
    pub(super) run: Run,
    pub(super) clock: Clock,
    pub(super) rules: Rules,
    pub(super) limits: Limits,
    pub(super) steps: Steps,
    /// What is being written lies here until it is complete: on the file system of the working tree.
    pub(super) staging: PathBuf,
    pub(super) caches: HashMap<PathBuf, Cache>,
    /// The paths of the tree that was last asked about: the next one differs in little.
    flat: Option<(Oid, Arc<BTreeSet<RelPath>>)>,
}

impl Git {
    /// Opens the repository whose working tree holds `inside`. `state` is a directory of specter's own.
    pub fn open(inside: &Path, state: &Path, run: Run, rules: Rules, clock: Clock) -> Result<Git, Error> {
        // Trees are written only from objects that exist; everything is synced before it has a name.
        git2::opts::strict_object_creation(true);
        sys::sync_git_objects();
        let repo = discover(inside)?;
        let root = working_directory(&repo)?;
        let staging = state.join("git");
        fs::create_private_dirs(&staging)?;
        let staging = std::fs::canonicalize(&staging).map_err(at("resolve", &staging))?;
        Ok(Git {
            repo,
            root,
            run,
            clock,
            rules,
            limits: Limits::default(),
            steps: Steps::unlimited(),
            staging,
            caches: HashMap::new(),
            flat: None,
        })
    }

    /// What single files may take to be kept, and what must stay free.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Git {
        self.limits = limits;
        self
    }

    /// Which paths attempts may change, once it is known where the repository is.
    #[must_use]
    pub fn with_rules(mut self, rules: Rules) -> Git {
        self.rules = rules;
        self
    }

    /// Whether this run has integrated, or prepared to.
    pub fn has_tip(&self) -> Result<bool, Error> {
        Ok(self.find_ref(&self.run.tip())?.is_some())
    }

    /// For tests: stops after so many effects.
    #[must_use]
    pub fn with_steps(mut self, steps: Steps) -> Git {
        self.steps = steps;
        self
    }

    /// Said before each effect of whoever works with the repository, so that tests can stop there too.
    pub fn next_step(&self) -> Result<(), Error> {
        self.steps.next()
    }

    /// The user's working tree.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Removes locks on specter's own references that a killed run left. Call it while the run's own lock is held.
    pub fn clear_stale_locks(&self) -> Result<usize, Error> {
        let mut removed = 0;
        let mut open = vec![self.repo.commondir().join(ROOT)];
        while let Some(dir) = open.pop() {
            let Ok(entries) = std::fs::read_dir(&dir) else { continue };
            for entry in entries {
                let entry = entry.map_err(at("list", &dir))?;
                let path = entry.path();
                let metadata = entry.metadata().map_err(at("inspect", &path))?;
                if metadata.is_dir() {
                    open.push(path);
                } else if path.extension() == Some(OsStr::new("lock"))
                    // Of this run nobody else is at work; other projects in the repository have runs of their own.
                    && (self.run.owns(&path) || is_stale(&metadata))
                {
                    std::fs::remove_file(&path).map_err(at("remove", &path))?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    pub(super) fn find_ref(&self, name: &str) -> Result<Option<Oid>, Error> {
        match self.repo.refname_to_id(name) {
            Ok(id) => Ok(Some(id)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(git("read a reference")(error)),
        }
    }

    /// Points a reference of specter's at a commit, if it still is where `old` says (`None`: it does not exist).
    pub(super) fn set_ref(&self, name: &str, new: Oid, old: Option<Oid>) -> Result<(), Error> {
        self.steps.next()?;
        // libgit2 syncs what it writes and the directory that is in, but not the name of a directory that it makes.
        fs::sync_dir(&self.objects())?;
        let missing = self.missing_directories(name);
        for attempt in 1.. {
            let result = match old {
                Some(old) => self.repo.reference_matching(name, new, true, old, "specter"),
                None => self.repo.reference(name, new, false, "specter"),
            };
            match result {
                Ok(_) => break,
                Err(error) if error.code() == ErrorCode::Locked && attempt < LOCK_TRIES => {
                    std::thread::sleep(LOCK_WAIT);
                }
                // Held all that time: by nobody who lives.
                Err(error) if error.code() == ErrorCode::Locked && attempt == LOCK_TRIES => {
                    self.clear_stale_locks()?;
                }
                Err(error) if matches!(error.code(), ErrorCode::Modified | ErrorCode::Exists) => {
                    return Err(Error::Moved { reference: name.to_owned() });
                }
                Err(error) => return Err(git("write a reference")(error)),
            }
        }
        for made in missing {
            fs::sync_dir(fs::parent(&made))?;
        }
        Ok(())
    }

    /// Directories on the way to a reference that writing it will make.
    fn missing_directories(&self, name: &str) -> Vec<PathBuf> {
        let path = self.repo.commondir().join(name);
        let way = path.ancestors().skip(1).take_while(|dir| !dir.as_os_str().is_empty());
        way.take_while(|dir| !dir.exists()).map(Path::to_owned).collect()
    }

    /// A commit on no branch.
    pub(super) fn commit(&self, tree: Oid, parents: &[Oid], message: &str) -> Result<Oid, Error> {
        self.steps.next()?;
        let seconds = (self.clock.wall_ms() / 1000) as i64;
        let signature = Signature::new("specter", "specter@localhost", &Time::new(seconds, 0));
        let write = || {
            let signature = signature?;
            let tree = self.repo.find_tree(tree)?;
            let parents: Vec<_> =
                parents.iter().map(|id| self.repo.find_commit(*id)).collect::<Result<_, _>>()?;
            let parents: Vec<_> = parents.iter().collect();
            self.repo.commit(None, &signature, &signature, message, &tree, &parents)
        };
        write().map_err(git("write a commit"))
    }

    pub(super) fn tree_of(&self, commit: Oid) -> Result<Oid, Error> {
        self.repo.find_commit(commit).map(|commit| commit.tree_id()).map_err(git("read a commit"))
    }

    pub(super) fn blob(&self, bytes: &[u8]) -> Result<Oid, Error> {
        self.repo.blob(bytes).map_err(git("write a file's content"))
    }

    pub(super) fn content(&self, id: Oid) -> Result<Vec<u8>, Error> {
        self.repo.find_blob(id).map(|blob| blob.content().to_vec()).map_err(git("read a file's content"))
    }

    /// What the user's index tracks, also where it is ignored.
    pub(super) fn tracked(&self) -> Result<Tracked, Error> {
        let mut index = self.repo.index().map_err(git("read the index"))?;
        index.read(false).map_err(git("read the index"))?;
        let tree = Arc::new(index.iter().map(|entry| entry.path).collect());
        Ok(Tracked { tree, staged: BTreeSet::new() })
    }

    /// The paths of a tree.
    pub(super) fn paths_of_tree(&mut self, tree: Oid) -> Result<Arc<BTreeSet<RelPath>>, Error> {
        let paths = match self.flat.take() {
            Some((held, paths)) if held == tree => paths,
            Some((held, mut paths)) => {
                let set = Arc::make_mut(&mut paths);
                for change in tree::differences(&self.repo, held, tree)? {
                    match change.new {
                        Some(_) => set.insert(change.path),
                        None => set.remove(&change.path),
                    };
                }
                paths
            }
            None => Arc::new(tree::flatten(&self.repo, tree)?.into_keys().collect()),
        };
        self.flat = Some((tree, Arc::clone(&paths)));
        Ok(paths)
    }

    /// An object of this repository is below this directory.
    pub(super) fn objects(&self) -> PathBuf {
        self.repo.commondir().join("objects")
    }

    pub(super) fn fs_now(&self) -> Result<i128, Error> {
        disk::now_in(&self.staging)
    }
}

fn is_stale(metadata: &std::fs::Metadata) -> bool {
    let age = |at: SystemTime| at.elapsed().unwrap_or_default();
    metadata.modified().is_ok_and(|at| age(at) > STALE_LOCK)
}

/// The repository a path is in. The owner of its directory must be this user, as git demands it; the environment
/// (`GIT_DIR` and its kin, set where specter is started by a hook) is not asked.
pub(super) fn discover(inside: &Path) -> Result<Repository, Error> {
    let none: [&OsStr; 0] = [];
    match Repository::open_ext(inside, RepositoryOpenFlags::empty(), none) {
        Ok(repo) => Ok(repo),
        Err(error) if error.code() == ErrorCode::NotFound => {
            Err(Error::NoRepository { path: inside.to_owned() })
        }
        Err(error) => Err(git("open the repository")(error)),
    }
}

/// All that belongs to the repository that `inside` is in and is no file of its working tree: what it shares with other
/// working trees, and of a linked one its own. They need not lie in each other.
pub fn dirs_of(inside: &Path) -> Result<Vec<PathBuf>, Error> {
    let repo = discover(inside)?;
    Ok(vec![repo.commondir().to_owned(), repo.path().to_owned()])
}

/// The root of the repository that `inside` is in.
pub fn root_of(inside: &Path) -> Result<PathBuf, Error> {
    working_directory(&discover(inside)?)
}

pub(super) fn working_directory(repo: &Repository) -> Result<PathBuf, Error> {
    let root = repo.workdir().ok_or_else(|| Error::Bare { path: repo.path().to_owned() })?;
    std::fs::canonicalize(root).map_err(at("resolve", root))
}
