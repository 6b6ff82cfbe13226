//! Working trees of their own for attempts, outside the project, used again from a pool.
//!
//! Each is a small repository that borrows the user's objects: its own HEAD, index, references, stash, configuration.
//! So whatever an attempt does with git in it meets no lock of the user's repository or of another attempt, moves no
//! branch, shares no stash, and a sandbox needs to let it write nothing else. (Linked working trees share all of
//! these, and adding them side by side fails at `config.lock`.)
//!
//! A slot `<pool>/<n>/` holds `git/` (the repository), a directory with the project's name (the tree) and `state`,
//! which says what may be done: leased to an attempt, idle with a tree that is saved, or, without it, half made.

use super::carry::{self, Carried, Carry};
use super::checkout::write_index;
use super::disk::{self, join};
use super::error::{at, git};
use super::names::Attempt;
use super::repo::Git;
use super::save::{Cache, Saved};
use super::tree::{self, Differs, Entry, Kind, RelPath};
use super::walk::{Scope, Tracked};
use super::{Error, LeftOut};
use crate::fs::{self, Access};
use git2::{Config, Oid, Repository, RepositoryOpenFlags};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const STATE_LIMIT: u64 = 1 << 20;

/// Where the working trees of one project are.
#[derive(Clone, Debug)]
pub struct Pool {
    dir: PathBuf,
    /// Tools derive names from the directory they run in: every tree is called as the project is.
    project: OsString,
}

/// What a slot is, on disk.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Slot {
    Idle { tree: String },
    Leased { base: String, task: String, attempt: u32 },
}

/// A working tree that an attempt has for itself.
#[derive(Clone, Debug)]
pub struct Worktree {
    slot: PathBuf,
    root: PathBuf,
    /// The user's repository, whose ignore rules count: those of the attempt could hide what it made.
    user_git: PathBuf,
    base: Oid,
    attempt: Attempt,
}

/// What became of a working tree that was given back.
#[derive(Debug, PartialEq, Eq)]
pub enum Removal {
    /// Ready for the next attempt.
    Idle,
    /// It stays as it is, because not all of it could be saved.
    Kept(Vec<LeftOut>),
}

impl Pool {
    /// The pool of the project of `git`, below the directory of all pools.
    pub fn open(pools: &Path, git: &Git) -> Result<Pool, Error> {
        let digest = Sha256::digest(git.root.as_os_str().as_bytes());
        let key: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let project = git.root.file_name().unwrap_or(OsStr::new("project")).to_owned();
        let dir = pools.join(key);
        fs::create_private_dirs(&dir)?;
        let dir = std::fs::canonicalize(&dir).map_err(at("resolve", &dir))?;
        Ok(Pool { dir, project })
    }

    /// Where its working trees are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn slots(&self) -> Result<Vec<PathBuf>, Error> {
        let mut slots = Vec::new();
        for entry in std::fs::read_dir(&self.dir).map_err(at("list", &self.dir))? {
            let path = entry.map_err(at("list", &self.dir))?.path();
            if path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.parse::<u32>().is_ok()) {
                slots.push(path);
            }
        }
        slots.sort_by_key(|path| number_of(path));
        Ok(slots)
    }
}

/// Bytes that are free where a path is.
pub fn room(path: &Path) -> Result<u64, Error> {
    crate::sys::room(path).map(|room| room.free).map_err(at("measure the room at", path))
}

fn number_of(slot: &Path) -> u32 {
    slot.file_name().and_then(OsStr::to_str).and_then(|name| name.parse().ok()).unwrap_or(0)
}

fn state_of(slot: &Path) -> Result<Option<Slot>, Error> {
    match fs::read(&slot.join("state"), STATE_LIMIT) {
        // One that cannot be understood is not half made: it stays until a person looks at it.
        Ok(contents) => serde_json::from_slice(&contents.bytes)
            .map(Some)
            .map_err(|error| Error::io("understand", &slot.join("state"), std::io::Error::other(error))),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn set_state(slot: &Path, state: &Slot) -> Result<(), Error> {
    let text = serde_json::to_vec(state)
        .map_err(|error| Error::io("write", &slot.join("state"), std::io::Error::other(error)))?;
    Ok(fs::atomic_replace(&slot.join("state"), &text, Access::Private)?)
}

fn clear_state(slot: &Path) -> Result<(), Error> {
    let path = slot.join("state");
    std::fs::remove_file(&path).map_err(at("remove", &path))?;
    Ok(fs::sync_dir(slot)?)
}

impl Worktree {
    /// Of an attempt whose working tree was given back: only what it started from and whose it was.
    pub(super) fn given_back(base: Oid, attempt: Attempt) -> Worktree {
        Worktree { slot: PathBuf::new(), root: PathBuf::new(), user_git: PathBuf::new(), base, attempt }
    }

    /// Where the attempt works.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The commit it started from.
    pub fn base(&self) -> Oid {
        self.base
    }

    /// Whose it is.
    pub fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    /// Its own repository: what a sandbox must let it write besides the tree.
    pub fn git_dir(&self) -> PathBuf {
        self.slot.join("git")
    }

    pub(super) fn repository(&self) -> Result<Repository, Error> {
        open_exactly(&self.git_dir())
    }

    pub(super) fn rules(&self) -> Result<Repository, Error> {
        rules(&self.user_git, &self.root)
    }
}

fn rules(user_git: &Path, root: &Path) -> Result<Repository, Error> {
    let repo = open_exactly(user_git)?;
    repo.set_workdir(root, false).map_err(git("open the repository"))?;
    Ok(repo)
}

fn open_exactly(git_dir: &Path) -> Result<Repository, Error> {
    let none: [&OsStr; 0] = [];
    let flags = RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::NO_DOTGIT | RepositoryOpenFlags::BARE;
    Repository::open_ext(git_dir, flags, none).map_err(git("open the repository"))
}

impl Git {
    /// A working tree that holds exactly `base`, and of what is ignored what is wanted.
    pub fn lease(
        &mut self,
        pool: &Pool,
        base: Oid,
        attempt: &Attempt,
        wanted: &[Carry],
    ) -> Result<(Worktree, Vec<Carried>), Error> {
        let tree = self.tree_of(base)?;
        let slot = self.ready_slot(pool, tree)?;
        let root = slot.join(&pool.project);
        self.write_head(&slot, &root, base)?;
        let carried = if wanted.is_empty() {
            Vec::new()
        } else {
            let ignored = self.ignored_in_main()?;
            carry::carry_over(&self.root, &root, &ignored, wanted)?
        };
        self.steps.next()?;
        set_state(
            &slot,
            &Slot::Leased { base: base.to_string(), task: attempt.task.clone(), attempt: attempt.number },
        )?;
        let user_git = self.repo.path().to_owned();
        Ok((Worktree { slot, root, user_git, base, attempt: attempt.clone() }, carried))
    }

    /// A leased working tree, as it is, for a further attempt of the same task.
    pub fn pass_on(&mut self, worktree: &Worktree, attempt: &Attempt) -> Result<Worktree, Error> {
        self.steps.next()?;
        let (base, task) = (worktree.base.to_string(), attempt.task.clone());
        set_state(&worktree.slot, &Slot::Leased { base, task, attempt: attempt.number })?;
        Ok(Worktree { attempt: attempt.clone(), ..worktree.clone() })
    }

    /// What a run that died left leased: to be saved, then given back.
    pub fn leased(&self, pool: &Pool) -> Result<Vec<Worktree>, Error> {
        let mut found = Vec::new();
        for slot in pool.slots()? {
            if let Some(Slot::Leased { base, task, attempt }) = state_of(&slot)? {
                found.push(Worktree {
                    root: slot.join(&pool.project),
                    user_git: self.repo.path().to_owned(),
                    base: Oid::from_str(&base).map_err(git("read a working tree's state"))?,
                    attempt: Attempt { task, number: attempt },
                    slot,
                });
            }
        }
        Ok(found)
    }

    /// Gives a working tree back once what it holds is saved. Nothing else removes or resets one.
    pub fn give_back(&mut self, worktree: Worktree, saved: &Saved) -> Result<Removal, Error> {
        if saved.root != worktree.root {
            return Err(Error::NotSaved { path: worktree.root, what: "another tree was saved".to_owned() });
        }
        if !saved.left_out.is_empty() {
            return Ok(Removal::Kept(saved.left_out.clone()));
        }
        // Whoever wrote after it was saved is not to lose that.
        let ignored = self.unchanged(&worktree, saved)?;
        for path in &ignored {
            self.remove_ignored(&worktree.root, path, saved)?;
        }
        self.steps.next()?;
        set_state(&worktree.slot, &Slot::Idle { tree: saved.tree.to_string() })?;
        Ok(Removal::Idle)
    }

    fn unchanged(&mut self, worktree: &Worktree, saved: &Saved) -> Result<Vec<RelPath>, Error> {
        let rules = worktree.rules()?;
        let mut tracked = self.tracked_in(worktree, saved.tree)?;
        // What the attempt removed is still known to git: if it is there again, that is a change.
        let base = self.tree_of(worktree.base())?;
        let removed = tree::differences(&self.repo, saved.tree, base)?.into_iter();
        tracked.staged.extend(removed.filter(|change| change.new.is_some()).map(|change| change.path));
        let mut cache = self.caches.remove(&worktree.root).unwrap_or_default();
        let skip = self.rules.own_paths().to_vec();
        let scope = Scope { rules: Some(&rules), tracked: &tracked, skip: &skip };
        let now = self.snapshot(&worktree.root, &scope, &mut cache);
        self.caches.insert(worktree.root.clone(), cache);
        let now = now?;
        if now.tree != saved.tree || now.left_out != saved.left_out {
            return Err(Error::ChangedSince { path: worktree.root.clone() });
        }
        Ok(now.ignored)
    }

    /// Ignored files that were saved go, so that the next attempt starts clean; what is built again stays warm.
    fn remove_ignored(&self, root: &Path, path: &[u8], saved: &Saved) -> Result<(), Error> {
        let below: Vec<&RelPath> =
            saved.ignored.keys().filter(|kept| super::save::is_at_or_below(kept, path)).collect();
        for kept in below {
            let full = join(root, kept);
            let limit = self.limits.file_bytes;
            let is_same = disk::read(&full, limit).is_ok_and(|read| {
                Oid::hash_object(git2::ObjectType::Blob, &read.bytes).ok()
                    == saved.ignored.get(kept).map(|e| e.id)
            });
            if !is_same {
                return Err(Error::ChangedSince { path: full });
            }
            self.steps.next()?;
            std::fs::remove_file(&full).map_err(at("remove", &full))?;
            disk::prune(root, kept);
        }
        Ok(())
    }

    /// Removes half-made working trees, and idle ones until `keep` are left.
    pub fn collect_garbage(&mut self, pool: &Pool, keep: usize) -> Result<usize, Error> {
        let mut removed = 0;
        let mut idle = 0;
        for slot in pool.slots()? {
            match state_of(&slot)? {
                Some(Slot::Leased { .. }) => continue,
                Some(Slot::Idle { .. }) if idle < keep => {
                    idle += 1;
                    continue;
                }
                Some(Slot::Idle { tree }) => {
                    self.rescue_changes(&slot, &pool.project, &tree)?;
                    self.steps.next()?;
                    clear_state(&slot)?;
                }
                None => {}
            }
            self.steps.next()?;
            self.caches.remove(&slot.join(&pool.project));
            remove_tree(&slot)?;
            removed += 1;
        }
        Ok(removed)
    }

    /// Which working trees [`Git::collect_garbage`] would remove.
    pub fn garbage(&self, pool: &Pool, keep: usize) -> Result<Vec<PathBuf>, Error> {
        let (mut idle, mut garbage) = (0, Vec::new());
        for slot in pool.slots()? {
            match state_of(&slot)? {
                Some(Slot::Leased { .. }) => {}
                Some(Slot::Idle { .. }) if idle < keep => idle += 1,
                _ => garbage.push(slot),
            }
        }
        Ok(garbage)
    }

    /// How many working trees there are, and how many bytes they take.
    pub fn pool_size(&self, pool: &Pool) -> Result<(usize, u64), Error> {
        let slots = pool.slots()?;
        let mut bytes = 0;
        for slot in &slots {
            bytes += super::walk::size(slot, u64::MAX)?;
        }
        Ok((slots.len(), bytes))
    }

    /// An idle tree should hold what was saved of it; if somebody wrote there, that is saved too.
    fn rescue_changes(&mut self, slot: &Path, project: &OsStr, tree: &str) -> Result<(), Error> {
        let root = slot.join(project);
        let expected = Oid::from_str(tree).map_err(git("read a working tree's state"))?;
        let rules = rules(self.repo.path(), &root)?;
        let tracked = Tracked { tree: self.paths_of_tree(expected)?, ..Tracked::default() };
        let mut cache = self.caches.remove(&root).unwrap_or_default();
        let skip = self.rules.own_paths().to_vec();
        let scope = Scope { rules: Some(&rules), tracked: &tracked, skip: &skip };
        let now = self.snapshot(&root, &scope, &mut cache)?;
        self.caches.insert(root.clone(), cache);
        if !now.left_out.is_empty() {
            let what = now
                .left_out
                .iter()
                .map(|out| format!("`{}` {}", fs::shown(&out.path), out.why))
                .collect::<Vec<_>>();
            return Err(Error::NotSaved { path: root, what: what.join(", ") });
        }
        if now.tree != expected {
            self.rescue(now.tree, &[], "written into a working tree that nobody had\n")?;
        }
        Ok(())
    }

    /// Keeps a tree, and commits, under a reference of its own.
    pub(super) fn rescue(&self, tree: Oid, commits: &[Oid], message: &str) -> Result<String, Error> {
        let commit = self.commit(tree, commits, message)?;
        let mut number = 1;
        loop {
            let reference = self.run.rescued(number);
            if self.find_ref(&reference)?.is_none() {
                self.set_ref(&reference, commit, None)?;
                return Ok(reference);
            }
            number += 1;
        }
    }

    /// A slot that is in nobody's use, with this tree in it. Its state is cleared: until it is leased it is half made.
    fn ready_slot(&mut self, pool: &Pool, tree: Oid) -> Result<PathBuf, Error> {
        let mut highest = 0;
        for slot in pool.slots()? {
            highest = highest.max(number_of(&slot));
            let Some(Slot::Idle { tree: held }) = state_of(&slot)? else { continue };
            // One that cannot be used again is left to a person: there is more than saved work in it.
            match self.rescue_changes(&slot, &pool.project, &held) {
                Err(Error::NotSaved { .. }) => continue,
                result => result?,
            }
            self.steps.next()?;
            clear_state(&slot)?;
            self.reset(&slot, &slot.join(&pool.project), tree)?;
            return Ok(slot);
        }
        let (free, wanted) = (room(&pool.dir)?, self.limits.room_bytes);
        if free < wanted {
            return Err(Error::NoRoom { path: pool.dir.clone(), free, wanted });
        }
        let slot = pool.dir.join((highest + 1).to_string());
        self.make_slot(&slot, &slot.join(&pool.project), tree)?;
        Ok(slot)
    }

    fn make_slot(&mut self, slot: &Path, root: &Path, tree: Oid) -> Result<(), Error> {
        self.steps.next()?;
        for dir in [slot.to_owned(), root.to_owned()] {
            std::fs::create_dir(&dir).map_err(at("create directory", &dir))?;
        }
        self.make_repository(slot, root)?;
        let files: Vec<(RelPath, Entry)> = tree::flatten(&self.repo, tree)?.into_iter().collect();
        let written = self.write_files(root, &files)?;
        let now = self.fs_now()?;
        let mut cache = Cache::fresh(tree, written, now);
        write_index(&slot.join("git/index"), &mut cache)?;
        self.caches.insert(root.to_owned(), cache);
        Ok(())
    }

    /// Makes an idle tree, whose state is known, hold another tree: only what differs is touched.
    fn reset(&mut self, slot: &Path, root: &Path, tree: Oid) -> Result<(), Error> {
        let mut cache = self.caches.remove(root).unwrap_or_default();
        self.bring_to(root, &mut cache, tree)?;
        self.make_repository_again(slot, root)?;
        write_index(&slot.join("git/index"), &mut cache)?;
        self.caches.insert(root.to_owned(), cache);
        Ok(())
    }

    /// From the tree that `cache` says is there to another one.
    pub(super) fn bring_to(&self, root: &Path, cache: &mut Cache, tree: Oid) -> Result<(), Error> {
        let held = cache.tree().ok_or_else(|| Error::ChangedSince { path: root.to_owned() })?;
        let changes = tree::differences(&self.repo, held, tree)?;
        for change in changes.iter().rev().filter(|change| change.old.is_some()) {
            self.steps.next()?;
            remove_file(root, change)?;
            cache.note(change.path.clone(), None, 0);
        }
        let files: Vec<(RelPath, Entry)> =
            changes.into_iter().filter_map(|change| Some((change.path, change.new?))).collect();
        let written = self.write_files(root, &files)?;
        let now = self.fs_now()?;
        for (path, entry, stamp) in written {
            cache.note(path, Some((entry, stamp)), now);
        }
        cache.set_tree(tree);
        Ok(())
    }

    /// Whoever wrote after it was saved is not to lose that.
    pub(super) fn check_unchanged(&mut self, worktree: &Worktree, saved: &Saved) -> Result<(), Error> {
        if saved.root != worktree.root {
            return Err(Error::NotSaved {
                path: worktree.root.clone(),
                what: "another tree was saved".to_owned(),
            });
        }
        self.unchanged(worktree, saved).map(drop)
    }

    fn make_repository(&self, slot: &Path, root: &Path) -> Result<(), Error> {
        let dir = slot.join("git");
        for part in [
            "",
            "objects",
            "objects/info",
            "objects/pack",
            "refs",
            "refs/heads",
            "refs/tags",
            "info",
            "hooks",
        ] {
            let path = dir.join(part);
            std::fs::create_dir(&path).map_err(at("create directory", &path))?;
        }
        let write = |path: PathBuf, bytes: &[u8]| std::fs::write(&path, bytes).map_err(at("write", &path));
        let mut objects = self.objects().into_os_string().into_encoded_bytes();
        objects.push(b'\n');
        write(dir.join("objects/info/alternates"), &objects)?;
        write(dir.join("HEAD"), b"ref: refs/heads/none\n")?;
        write(dir.join("packed-refs"), &self.visible_refs()?)?;
        let exclude = std::fs::read(self.repo.commondir().join("info/exclude")).unwrap_or_default();
        write(dir.join("info/exclude"), &exclude)?;
        // Where a clone that is not whole ends: without it git looks for what is not there.
        if let Ok(shallow) = std::fs::read(self.repo.commondir().join("shallow")) {
            write(dir.join("shallow"), &shallow)?;
        }
        write(root.join(".git"), b"gitdir: ../git\n")?;
        self.write_config(&dir.join("config"))
    }

    /// The last attempt's references, configuration and hooks are nothing to the next one. Its objects are kept by
    /// the user's repository where they matter.
    fn make_repository_again(&self, slot: &Path, root: &Path) -> Result<(), Error> {
        let dir = slot.join("git");
        remove_tree(&dir)?;
        let link = root.join(".git");
        match std::fs::remove_file(&link) {
            Err(error) if error.kind() == std::io::ErrorKind::IsADirectory => remove_tree(&link)?,
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &link, error));
            }
            _ => {}
        }
        self.make_repository(slot, root)
    }

    /// The user's branches, tags and remote branches, to be looked at.
    fn visible_refs(&self) -> Result<Vec<u8>, Error> {
        let mut names: BTreeMap<Vec<u8>, Oid> = BTreeMap::new();
        let references = self.repo.references().map_err(git("list the references"))?;
        for reference in references.flatten() {
            let name = reference.name_bytes();
            let is_seen =
                [&b"refs/heads/"[..], b"refs/tags/", b"refs/remotes/"].iter().any(|p| name.starts_with(p));
            if let (true, Some(id)) = (is_seen, reference.target()) {
                names.insert(name.to_vec(), id);
            }
        }
        let mut text = b"# pack-refs with: sorted \n".to_vec();
        for (name, id) in names {
            text.extend_from_slice(id.to_string().as_bytes());
            text.push(b' ');
            text.extend_from_slice(&name);
            text.push(b'\n');
        }
        Ok(text)
    }

    /// Who commits, where remotes are, how line ends are: what of the user's configuration an attempt needs to use
    /// git. Nothing that runs a program by itself; nothing signs.
    fn write_config(&self, path: &Path) -> Result<(), Error> {
        const COPIED: &[&str] = &["user.", "remote.", "branch.", "diff.", "merge.", "submodule."];
        const ALSO: &[&str] =
            &["core.autocrlf", "core.eol", "core.ignorecase", "core.symlinks", "core.precomposeunicode"];
        let copy = || -> Result<(), git2::Error> {
            let mut own = Config::open(path)?;
            let config = self.repo.config()?;
            let mut entries = config.entries(None)?;
            while let Some(entry) = entries.next() {
                let entry = entry?;
                let (Ok(name), Ok(value)) = (entry.name(), entry.value()) else { continue };
                let is_local = entry.level() == git2::ConfigLevel::Local;
                let is_wanted = COPIED.iter().any(|prefix| name.starts_with(prefix)) || ALSO.contains(&name);
                let runs = [
                    "command",
                    "driver",
                    "textconv",
                    "update",
                    "external",
                    "uploadpack",
                    "receivepack",
                    "vcs",
                ]
                .iter()
                .any(|word| name.ends_with(word));
                if is_local && is_wanted && !runs {
                    own.set_multivar(name, "^$", value)?;
                }
            }
            own.set_i32("core.repositoryformatversion", 0)?;
            own.set_bool("core.bare", false)?;
            own.set_bool("core.filemode", true)?;
            own.set_bool("core.logallrefupdates", true)?;
            own.set_bool("commit.gpgsign", false)?;
            own.set_i32("gc.auto", 0)
        };
        std::fs::write(path, b"").map_err(at("write", path))?;
        copy().map_err(git("write a working tree's configuration"))
    }

    fn write_head(&self, slot: &Path, root: &Path, base: Oid) -> Result<(), Error> {
        self.steps.next()?;
        let path = slot.join("git/HEAD");
        std::fs::write(&path, format!("{base}\n")).map_err(at("write", &path))?;
        // An attempt must never start anywhere else because this was missing.
        if root.is_dir() { Ok(()) } else { Err(Error::NoRepository { path: root.to_owned() }) }
    }

    fn ignored_in_main(&mut self) -> Result<Vec<RelPath>, Error> {
        Ok(self.snapshot_main()?.ignored)
    }
}

fn remove_file(root: &Path, change: &Differs) -> Result<(), Error> {
    let path = join(root, &change.path);
    if !disk::has_directories(root, disk::parent_of(&change.path))? {
        return Ok(());
    }
    let done = match change.old.map(|entry| entry.kind) {
        Some(Kind::Submodule) => std::fs::remove_dir(&path),
        _ => std::fs::remove_file(&path),
    };
    match done {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::io("remove", &path, error));
        }
        _ => disk::prune(root, &change.path),
    }
    Ok(())
}

/// Removes a directory that specter made, with everything in it; directories that forbid it are opened first.
fn remove_tree(path: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(_) => {}
    }
    let mut open = vec![path.to_owned()];
    while let Some(dir) = open.pop() {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&dir, permissions).map_err(at("open", &dir))?;
        for entry in std::fs::read_dir(&dir).map_err(at("list", &dir))? {
            let entry = entry.map_err(at("list", &dir))?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(entry.path());
            }
        }
    }
    std::fs::remove_dir_all(path).map_err(at("remove", path))
}
