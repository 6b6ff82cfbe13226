//! Saving: what a working tree holds becomes a tree, a commit on no branch and a reference. Only files that changed
//! since the last time are read. Everything that removes or overwrites asks for the [`Saved`] made here.

use super::disk::{self, Stamp, join, left_out};
use super::error::git;
use super::names::Attempt;
use super::tree::{self, Changes, Differs, Entry, Kind, RelPath};
use super::walk::{self, Scope, Tracked, Walked};
use super::worktree::Worktree;
use super::{Error, Git, LeftOut, Why};
use git2::{Index, Oid, Repository};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Directories that git ignores and that are made again from what is tracked.
pub(super) const REBUILDABLE: &[&str] = &[
    "target",
    "node_modules",
    ".venv",
    "venv",
    "__pycache__",
    ".tox",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    "dist",
    "build",
    "out",
    ".next",
    ".nuxt",
    ".gradle",
    ".cache",
    ".turbo",
    ".parcel-cache",
    "coverage",
    "vendor",
    "bower_components",
    ".terraform",
    "Pods",
    "DerivedData",
    ".eggs",
    "obj",
    "_build",
];

/// The bits of an index entry's flags that say which side of a conflict it is.
const STAGE: u16 = 0x3000;

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Larger files are left out and listed.
    pub file_bytes: u64,
    /// No new working tree is made where less than this is free.
    pub room_bytes: u64,
    /// If saving the user's files would copy more than this into the repository at once, nothing is saved: there is
    /// data that nobody meant to be in it. What attempts made is saved whatever it takes.
    pub copied_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { file_bytes: 256 << 20, room_bytes: 512 << 20, copied_bytes: 4 << 30 }
    }
}

type Ignored = BTreeMap<RelPath, Entry>;

/// The proof that what a working tree held is reachable. Only saving makes one.
#[derive(Debug)]
#[must_use]
pub struct Saved {
    pub(super) root: PathBuf,
    pub(super) tree: Oid,
    pub(super) commit: Oid,
    pub(super) reference: String,
    pub(super) left_out: Vec<LeftOut>,
    /// What git ignores and is kept beside the tree, or is the user's own file, brought over and unchanged.
    pub(super) ignored: Ignored,
}

impl Saved {
    pub fn commit(&self) -> Oid {
        self.commit
    }

    /// The tracked and untracked files, as a tree of git.
    pub fn tree(&self) -> Oid {
        self.tree
    }

    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// What is not covered: as long as there is any, nothing that holds it is removed.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }
}

/// A file as it was when it was last read.
#[derive(Clone, Copy, Debug)]
struct Known {
    stamp: Stamp,
    entry: Entry,
    /// False while it may have been written again within the clock's grain.
    is_trusted: bool,
    /// The look at which it was last there.
    seen: u32,
}

/// What is known of a working tree, so that only what changed is read again.
#[derive(Debug, Default)]
pub(super) struct Cache {
    tree: Option<Oid>,
    files: BTreeMap<RelPath, Known>,
    /// How often it was looked at.
    looks: u32,
    /// The index that specter wrote: as long as it is the same one, nothing is staged.
    index: Option<Stamp>,
}

impl Cache {
    /// A tree whose files were all just written by specter.
    pub(super) fn fresh(
        tree: Oid,
        files: impl IntoIterator<Item = (RelPath, Entry, Stamp)>,
        now: i128,
    ) -> Cache {
        let known =
            |entry, stamp: Stamp| Known { stamp, entry, is_trusted: is_settled(&stamp, now), seen: 0 };
        let files = files.into_iter().map(|(path, entry, stamp)| (path, known(entry, stamp))).collect();
        Cache { tree: Some(tree), files, looks: 0, index: None }
    }

    pub(super) fn note(&mut self, path: RelPath, written: Option<(Entry, Stamp)>, now: i128) {
        match written {
            Some((entry, stamp)) => {
                self.files.insert(path, Known { stamp, entry, is_trusted: is_settled(&stamp, now), seen: 0 });
            }
            None => {
                self.files.remove(&path);
            }
        }
    }

    pub(super) fn tree(&self) -> Option<Oid> {
        self.tree
    }

    pub(super) fn set_tree(&mut self, tree: Oid) {
        self.tree = Some(tree);
    }

    /// What an index is that specter has just written.
    pub(super) fn set_index(&mut self, path: &Path) {
        self.index = std::fs::symlink_metadata(path).ok().map(|metadata| Stamp::of(&metadata));
    }

    /// False if somebody else may have staged something since.
    pub(super) fn is_own_index(&self, path: &Path) -> bool {
        let now = std::fs::symlink_metadata(path).ok().map(|metadata| Stamp::of(&metadata));
        now.is_some() && now == self.index
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&RelPath, &Entry, &Stamp)> {
        self.files.iter().map(|(path, known)| (path, &known.entry, &known.stamp))
    }
}

/// A file touched this recently may change once more without its times changing: their grain is a tick of the
/// system's clock, or seconds where the file system keeps no fractions.
fn is_settled(stamp: &Stamp, now: i128) -> bool {
    const SECOND: i128 = 1_000_000_000;
    let grain = if stamp.mtime % SECOND == 0 { 2 * SECOND } else { SECOND / 20 };
    stamp.latest() + grain < now
}

/// What a working tree held at one time.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub tree: Oid,
    pub left_out: Vec<LeftOut>,
    pub ignored: Vec<RelPath>,
}

impl Git {
    /// The user's working tree as it is now, under a reference of this name.
    pub(super) fn snapshot_main(&mut self) -> Result<Snapshot, Error> {
        let tracked = self.tracked()?;
        let root = self.root.clone();
        let mut cache = self.caches.remove(&root).unwrap_or_default();
        if cache.tree.is_none() {
            self.seed_from_index(&mut cache)?;
        }
        let skip = self.rules.own_paths().to_vec();
        let scope = Scope { rules: Some(&self.repo), tracked: &tracked, skip: &skip };
        let walked = self.walk_main(&root, &scope, &cache);
        let result = walked.and_then(|walked| self.snapshot_of(&root, walked, &mut cache));
        self.caches.insert(root, cache);
        result
    }

    /// The user's files, unless there is too much among them that the repository does not hold yet.
    fn walk_main(&self, root: &Path, scope: &Scope<'_>, cache: &Cache) -> Result<Walked, Error> {
        let walked = walk::walk(root, &[], scope)?;
        let is_known = |found: &walk::Found| {
            cache.files.get(&found.path).is_some_and(|known| known.is_trusted && known.stamp == found.stamp)
        };
        let sizes = walked.files.iter().filter(|found| !is_known(found)).map(|found| found.stamp.len);
        let bytes: u64 = sizes.filter(|len| *len <= self.limits.file_bytes).sum();
        if bytes > self.limits.copied_bytes {
            return Err(Error::TooMuch { path: root.to_owned(), bytes, limit: self.limits.copied_bytes });
        }
        Ok(walked)
    }

    pub(super) fn snapshot(
        &self,
        root: &Path,
        scope: &Scope<'_>,
        cache: &mut Cache,
    ) -> Result<Snapshot, Error> {
        self.snapshot_of(root, walk::walk(root, &[], scope)?, cache)
    }

    fn snapshot_of(&self, root: &Path, walked: Walked, cache: &mut Cache) -> Result<Snapshot, Error> {
        self.steps.next()?;
        let now = self.fs_now()?;
        let Walked { files, mut left_out, ignored, submodules } = walked;
        let mut changes = Changes::new();
        cache.looks = cache.looks.wrapping_add(1);
        let look = cache.looks;
        for found in files {
            let mut known = cache.files.get_mut(&found.path);
            if let Some(known) = &mut known {
                known.seen = look;
                if known.is_trusted && known.stamp == found.stamp && cache.tree.is_some() {
                    continue;
                }
            }
            let known = known.copied();
            let seeded = known.filter(|known| known.is_trusted && known.stamp == found.stamp);
            let fresh = match seeded {
                Some(known) => known,
                None => match self.keep(&join(root, &found.path), now)? {
                    Ok(fresh) => Known { seen: look, ..fresh },
                    Err(why) => {
                        left_out.push(disk::left_out(&found.path, why));
                        continue;
                    }
                },
            };
            if cache.tree.is_none() || known.is_none_or(|known| known.entry != fresh.entry) {
                changes.insert(found.path.clone(), Some(fresh.entry));
            }
            cache.files.insert(found.path, fresh);
        }
        // What could not be looked at is not gone: it stays as it was last known.
        let hidden: Vec<Vec<u8>> =
            left_out.iter().map(|out| bytes_of(&out.path)).chain(submodules.clone()).collect();
        let gone = cache.files.iter().filter(|(_, known)| known.seen != look).map(|(path, _)| path.clone());
        for path in gone.collect::<Vec<_>>() {
            if hidden.iter().any(|hidden| is_at_or_below(&path, hidden)) {
                continue;
            }
            cache.files.remove(&path);
            changes.insert(path, None);
        }
        if cache.tree.is_none() {
            for path in &submodules {
                if let Some(entry) = self.submodule(path)? {
                    changes.insert(path.clone(), Some(entry));
                }
            }
        }
        let tree = match (cache.tree, changes.is_empty()) {
            (Some(tree), true) => tree,
            (base, _) => tree::update(&self.repo, base, &changes)?,
        };
        cache.tree = Some(tree);
        left_out.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Snapshot { tree, left_out, ignored })
    }

    /// Writes a file's content into the repository; why not, if that cannot be done.
    fn keep(&self, path: &Path, now: i128) -> Result<Result<Known, Why>, Error> {
        match disk::read(path, self.limits.file_bytes) {
            Ok(read) => {
                let id = self.blob(&read.bytes)?;
                let is_trusted = read.is_settled && is_settled(&read.stamp, now);
                Ok(Ok(Known { stamp: read.stamp, entry: Entry { id, kind: read.kind }, is_trusted, seen: 0 }))
            }
            Err(why) => Ok(Err(why)),
        }
    }

    fn submodule(&self, path: &[u8]) -> Result<Option<Entry>, Error> {
        let index = self.repo.index().map_err(git("read the index"))?;
        let entry =
            index.iter().find(|entry| entry.path == path && entry.mode == Kind::Submodule.mode() as u32);
        Ok(entry.map(|entry| Entry { id: entry.id, kind: Kind::Submodule }))
    }

    /// The user's index knows most files already: those whose metadata it agrees with need not be read, unless a
    /// filter makes what git keeps differ from what is on disk.
    fn seed_from_index(&self, cache: &mut Cache) -> Result<(), Error> {
        let index = self.repo.index().map_err(git("read the index"))?;
        let Some(written) = index.path().and_then(|path| std::fs::metadata(path).ok()) else { return Ok(()) };
        let written = Stamp::of(&written).mtime;
        if self.may_have_filters(&index)? {
            return Ok(());
        }
        let odb = self.repo.odb().map_err(git("open the objects"))?;
        for entry in index.iter() {
            let Ok(metadata) = std::fs::symlink_metadata(join(&self.root, &entry.path)) else { continue };
            let Some(kind) = disk::kind_of(&metadata) else { continue };
            let stamp = Stamp::of(&metadata);
            let time = |time: git2::IndexTime| {
                i128::from(time.seconds()) * 1_000_000_000 + i128::from(time.nanoseconds())
            };
            let is_known = time(entry.mtime) == stamp.mtime
                && time(entry.ctime) == stamp.ctime
                && stamp.latest() < written
                && entry.ino == stamp.ino as u32
                && entry.file_size == stamp.len as u32
                && entry.flags & STAGE == 0;
            // Line ends or an `$Id$` that git converts change the size.
            if is_known && odb.read_header(entry.id).is_ok_and(|(size, _)| size as u64 == stamp.len) {
                let entry_of = Entry { id: entry.id, kind };
                cache.files.insert(entry.path, Known { stamp, entry: entry_of, is_trusted: true, seen: 0 });
            }
        }
        Ok(())
    }

    fn may_have_filters(&self, index: &Index) -> Result<bool, Error> {
        let mut files: Vec<PathBuf> = index
            .iter()
            .filter(|entry| disk::name_of(&entry.path) == b".gitattributes")
            .map(|entry| join(&self.root, &entry.path))
            .collect();
        files.push(self.root.join(".gitattributes"));
        files.push(self.repo.commondir().join("info/attributes"));
        let config = self.repo.config().map_err(git("read the configuration"))?;
        files.extend(config.get_path("core.attributesFile").ok());
        Ok(files.iter().filter_map(|path| std::fs::read(path).ok()).any(|text| {
            let has = |word: &[u8]| memchr::memmem::find(&text, word).is_some();
            has(b"filter") || has(b"encoding")
        }))
    }

    /// Saves what an attempt made: its files, what it committed or staged on the way, and what is ignored but cannot
    /// be built again.
    pub fn save_attempt(&mut self, worktree: &Worktree, attempt: &Attempt) -> Result<Saved, Error> {
        let root = worktree.root().to_owned();
        let tracked = self.tracked_in(worktree, self.tree_of(worktree.base())?)?;
        let mut cache = self.caches.remove(&root).unwrap_or_default();
        let rules = worktree.rules()?;
        let skip = self.rules.own_paths().to_vec();
        let scope = Scope { rules: Some(&rules), tracked: &tracked, skip: &skip };
        let snapshot = self.snapshot(&root, &scope, &mut cache);
        self.caches.insert(root.clone(), cache);
        let mut snapshot = snapshot?;
        let (mut ignored, borrowed) = self.keep_ignored(&root, &mut snapshot)?;
        let mut parents = vec![worktree.base()];
        if !ignored.is_empty() {
            let changes = ignored.iter().map(|(path, entry)| (path.clone(), Some(*entry))).collect();
            let tree = tree::update(&self.repo, None, &changes)?;
            parents.push(self.commit(tree, &[], "what git ignores\n")?);
        }
        ignored.extend(borrowed);
        parents.extend(self.adopt(worktree)?);
        let reference = self.run.attempt(attempt);
        let earlier = self.find_ref(&reference)?;
        parents.extend(earlier);
        let message = format!("{}: attempt {}\n\n{}", attempt.task, attempt.number, attempt.trailers());
        let commit = self.commit(snapshot.tree, &parents, &message)?;
        self.set_ref(&reference, commit, earlier)?;
        Ok(Saved { root, tree: snapshot.tree, commit, reference, left_out: snapshot.left_out, ignored })
    }

    /// Saves the user's working tree under a checkpoint's name.
    pub(super) fn save_main(&mut self, reference: &str, message: &str) -> Result<Saved, Error> {
        let snapshot = self.snapshot_main()?;
        let earlier = self.find_ref(reference)?;
        let parents: Vec<Oid> = earlier.into_iter().collect();
        let commit = self.commit(snapshot.tree, &parents, message)?;
        self.set_ref(reference, commit, earlier)?;
        let root = self.root.clone();
        let (reference, ignored) = (reference.to_owned(), BTreeMap::new());
        Ok(Saved { root, tree: snapshot.tree, commit, reference, left_out: snapshot.left_out, ignored })
    }

    /// Ignored files that an attempt made or changed: kept, unless they are of a kind that is built again. Those that are
    /// what the user has at the same path (secrets that were carried over) are listed apart and stay out of the repository.
    fn keep_ignored(&self, root: &Path, snapshot: &mut Snapshot) -> Result<(Ignored, Ignored), Error> {
        let (mut kept, mut borrowed) = (Ignored::new(), Ignored::new());
        let nothing = Tracked::default();
        let scope = Scope { rules: None, tracked: &nothing, skip: &[] };
        let now = self.fs_now()?;
        for path in &snapshot.ignored {
            let is_rebuildable = REBUILDABLE.iter().any(|name| name.as_bytes() == disk::name_of(path));
            if is_rebuildable {
                continue;
            }
            let is_dir = std::fs::symlink_metadata(join(root, path)).is_ok_and(|metadata| metadata.is_dir());
            let files: Vec<RelPath> = if is_dir {
                let walked = walk::walk(root, path, &scope)?;
                snapshot.left_out.extend(walked.left_out);
                walked.files.into_iter().map(|found| found.path).collect()
            } else {
                vec![path.clone()]
            };
            for path in files {
                if let Some(entry) = self.same_as_users(root, &path) {
                    borrowed.insert(path, entry);
                    continue;
                }
                match self.keep(&join(root, &path), now)? {
                    Ok(known) => {
                        kept.insert(path, known.entry);
                    }
                    Err(why) => snapshot.left_out.push(left_out(&path, why)),
                }
            }
        }
        Ok((kept, borrowed))
    }

    fn same_as_users(&self, root: &Path, path: &[u8]) -> Option<Entry> {
        let read = |root: &Path| disk::read(&join(root, path), self.limits.file_bytes).ok();
        let (theirs, users) = (read(root)?, read(&self.root)?);
        let id = Oid::hash_object(git2::ObjectType::Blob, &theirs.bytes).ok()?;
        (theirs.bytes == users.bytes && theirs.kind == users.kind).then_some(Entry { id, kind: theirs.kind })
    }

    /// What an attempt committed, stashed or staged in its own repository, brought into the user's as loose ends:
    /// commits to be kept as parents.
    fn adopt(&self, worktree: &Worktree) -> Result<Vec<Oid>, Error> {
        let Ok(theirs) = worktree.repository() else { return Ok(Vec::new()) };
        let odb = self.repo.odb().map_err(git("open the objects"))?;
        let heads: BTreeSet<Oid> = heads_of(&theirs).into_iter().filter(|id| !odb.exists(*id)).collect();
        let mut adopted = Vec::new();
        if !heads.is_empty() {
            copy_history(&theirs, &self.repo, &heads, worktree.base())?;
            adopted.extend(heads.into_iter().filter(|id| self.repo.find_commit(*id).is_ok()));
        }
        if self.may_be_staged(worktree)
            && let Some(staged) = self.adopt_staged(&theirs, &odb)?
        {
            adopted.push(self.commit(staged, &[], "what was staged\n")?);
        }
        Ok(adopted)
    }

    fn may_be_staged(&self, worktree: &Worktree) -> bool {
        let index = worktree.git_dir().join("index");
        self.caches.get(worktree.root()).is_none_or(|cache| !cache.is_own_index(&index))
    }

    /// What git knows in an attempt's working tree: the paths of a tree, and what it staged besides.
    pub(super) fn tracked_in(&mut self, worktree: &Worktree, tree: Oid) -> Result<Tracked, Error> {
        let tree = self.paths_of_tree(tree)?;
        let mut staged = BTreeSet::new();
        if self.may_be_staged(worktree)
            && let Ok(index) = Index::open(&worktree.git_dir().join("index"))
        {
            staged.extend(index.iter().map(|entry| entry.path).filter(|path| !tree.contains(path)));
        }
        Ok(Tracked { tree, staged })
    }

    fn adopt_staged(&self, theirs: &Repository, odb: &git2::Odb<'_>) -> Result<Option<Oid>, Error> {
        let (Ok(index), Ok(their_odb)) = (theirs.index(), theirs.odb()) else { return Ok(None) };
        let mut changes = Changes::new();
        for entry in index.iter() {
            let kind = match entry.mode {
                0o120_000 => Kind::Link,
                0o100_755 => Kind::Executable,
                0o100_644 => Kind::File,
                _ => continue,
            };
            if odb.exists(entry.id) {
                continue;
            }
            let Ok(object) = their_odb.read(entry.id) else { continue };
            let id = odb.write(git2::ObjectType::Blob, object.data()).map_err(git("keep a staged file"))?;
            changes.insert(entry.path, Some(Entry { id, kind }));
        }
        if changes.is_empty() {
            return Ok(None);
        }
        tree::update(&self.repo, None, &changes).map(Some)
    }

    /// What differs between the base of an attempt and what it left.
    pub(super) fn made(&self, worktree_base: Oid, saved: &Saved) -> Result<Vec<Differs>, Error> {
        tree::differences(&self.repo, self.tree_of(worktree_base)?, saved.tree)
    }
}

/// Everything that names a commit: references, where they pointed before, what was stashed.
fn heads_of(repo: &Repository) -> Vec<Oid> {
    let mut heads = Vec::new();
    let mut names: Vec<String> = vec!["HEAD".to_owned(), "ORIG_HEAD".to_owned(), "refs/stash".to_owned()];
    if let Ok(references) = repo.references() {
        names.extend(references.flatten().filter_map(|reference| reference.name().ok().map(str::to_owned)));
    }
    for name in names {
        heads.extend(repo.refname_to_id(&name).ok());
        if let Ok(log) = repo.reflog(&name) {
            heads.extend(log.iter().map(|entry| entry.id_new()).filter(|id| !id.is_zero()));
        }
    }
    heads
}

fn copy_history(from: &Repository, to: &Repository, heads: &BTreeSet<Oid>, base: Oid) -> Result<(), Error> {
    let copy = || -> Result<(), git2::Error> {
        let mut walk = from.revwalk()?;
        for head in heads {
            // A tag or what else is no commit is not walked.
            if from.find_commit(*head).is_ok() {
                walk.push(*head)?;
            }
        }
        walk.hide(base)?;
        let mut builder = from.packbuilder()?;
        builder.insert_walk(&mut walk)?;
        if builder.object_count() == 0 {
            return Ok(());
        }
        let odb = to.odb()?;
        let mut writer = odb.packwriter()?;
        let mut failed = None;
        builder.foreach(|bytes| match std::io::Write::write_all(&mut writer, bytes) {
            Ok(()) => true,
            Err(error) => {
                failed = Some(error);
                false
            }
        })?;
        writer.commit()?;
        Ok(())
    };
    copy().map_err(git("keep an attempt's own commits"))
}

pub(super) fn bytes_of(path: &Path) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec()
}

pub(super) fn is_at_or_below(path: &[u8], top: &[u8]) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}
