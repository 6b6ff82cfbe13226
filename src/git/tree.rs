//! Trees as git stores them: reading one flat, finding what differs between two, building one from another and a
//! list of changes. Only what changed is read or written.

use super::Error;
use super::error::git;
use git2::{Delta, DiffOptions, ObjectType, Oid, Repository};
use std::collections::BTreeMap;

/// Deeper trees are refused: no path on disk can be that deep.
const MAX_DEPTH: usize = 1024;

/// A path relative to the root: bytes with `/` between names.
pub(super) type RelPath = Vec<u8>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Executable,
    Link,
    /// A submodule: a commit of another repository.
    Submodule,
}

impl Kind {
    pub(super) fn of(mode: i32) -> Option<Kind> {
        match mode {
            0o100_644 | 0o100_664 => Some(Kind::File),
            0o100_755 => Some(Kind::Executable),
            0o120_000 => Some(Kind::Link),
            0o160_000 => Some(Kind::Submodule),
            _ => None,
        }
    }

    pub(super) fn mode(self) -> i32 {
        match self {
            Kind::File => 0o100_644,
            Kind::Executable => 0o100_755,
            Kind::Link => 0o120_000,
            Kind::Submodule => 0o160_000,
        }
    }

    pub(super) fn is_file(self) -> bool {
        matches!(self, Kind::File | Kind::Executable)
    }
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: Oid,
    pub kind: Kind,
}

/// What stands at a path on both sides of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Differs {
    pub path: RelPath,
    pub old: Option<Entry>,
    pub new: Option<Entry>,
}

pub(super) type Files = BTreeMap<RelPath, Entry>;

/// Every file of a tree, by path.
pub(super) fn flatten(repo: &Repository, tree: Oid) -> Result<Files, Error> {
    let mut files = BTreeMap::new();
    let mut open: Vec<(RelPath, Oid, usize)> = vec![(Vec::new(), tree, 0)];
    while let Some((prefix, id, depth)) = open.pop() {
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep { limit: MAX_DEPTH });
        }
        let tree = repo.find_tree(id).map_err(git("read a tree"))?;
        for entry in &tree {
            let mut path = prefix.clone();
            path.extend_from_slice(entry.name_bytes());
            if entry.kind() == Some(ObjectType::Tree) {
                path.push(b'/');
                open.push((path, entry.id(), depth + 1));
            } else if let Some(kind) = Kind::of(entry.filemode()) {
                files.insert(path, Entry { id: entry.id(), kind });
            }
        }
    }
    Ok(files)
}

/// What stands at one path of a tree.
pub(super) fn at_path(repo: &Repository, tree: Oid, path: &[u8]) -> Result<Option<Entry>, Error> {
    let mut here = tree;
    let mut names = path.split(|b| *b == b'/').peekable();
    while let Some(name) = names.next() {
        let tree = repo.find_tree(here).map_err(git("read a tree"))?;
        let Some(entry) = tree.get_name_bytes(name) else { return Ok(None) };
        let is_tree = entry.kind() == Some(ObjectType::Tree);
        match (names.peek().is_some(), is_tree) {
            (true, true) => here = entry.id(),
            (false, false) => {
                return Ok(Kind::of(entry.filemode()).map(|kind| Entry { id: entry.id(), kind }));
            }
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// True if a tree has a directory at this path.
pub(super) fn has_directory(repo: &Repository, tree: Oid, path: &[u8]) -> Result<bool, Error> {
    let mut here = tree;
    for name in path.split(|b| *b == b'/') {
        let tree = repo.find_tree(here).map_err(git("read a tree"))?;
        match tree.get_name_bytes(name) {
            Some(entry) if entry.kind() == Some(ObjectType::Tree) => here = entry.id(),
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// What differs between two trees, in order of path. Equal directories are not entered.
pub(super) fn differences(repo: &Repository, old: Oid, new: Oid) -> Result<Vec<Differs>, Error> {
    if old == new {
        return Ok(Vec::new());
    }
    let old = repo.find_tree(old).map_err(git("read a tree"))?;
    let new = repo.find_tree(new).map_err(git("read a tree"))?;
    let mut options = DiffOptions::new();
    options.skip_binary_check(true).include_typechange(true).ignore_submodules(false);
    let diff = repo
        .diff_tree_to_tree(Some(&old), Some(&new), Some(&mut options))
        .map_err(git("compare two trees"))?;
    let entry = |file: git2::DiffFile<'_>, is_there: bool| {
        let kind = is_there.then(|| Kind::of(u32::from(file.mode()) as i32)).flatten();
        kind.map(|kind| Entry { id: file.id(), kind })
    };
    let mut changes: BTreeMap<RelPath, (Option<Entry>, Option<Entry>)> = BTreeMap::new();
    for delta in diff.deltas() {
        let (old, new) = (delta.old_file(), delta.new_file());
        let path = new.path_bytes().or(old.path_bytes()).unwrap_or_default().to_vec();
        let old = entry(old, !matches!(delta.status(), Delta::Added));
        let new = entry(new, !matches!(delta.status(), Delta::Deleted));
        // A change of type may come as a deletion and an addition of the same path.
        let change = changes.entry(path).or_default();
        change.0 = change.0.or(old);
        change.1 = change.1.or(new);
    }
    Ok(changes.into_iter().map(|(path, (old, new))| Differs { path, old, new }).collect())
}

/// What shall stand at a path: nothing for `None`. Sorted by path.
pub(super) type Changes = BTreeMap<RelPath, Option<Entry>>;

/// The tree that `base` becomes with these changes. Directories that end up empty are left out, as git does.
pub(super) fn update(repo: &Repository, base: Option<Oid>, changes: &Changes) -> Result<Oid, Error> {
    let list: Vec<(&[u8], Option<Entry>)> =
        changes.iter().map(|(path, entry)| (path.as_slice(), *entry)).collect();
    match subtree(repo, base, &list, 0)? {
        Some(tree) => Ok(tree),
        None => empty_tree(repo),
    }
}

pub(super) fn empty_tree(repo: &Repository) -> Result<Oid, Error> {
    repo.treebuilder(None).and_then(|builder| builder.write()).map_err(git("write a tree"))
}

/// One directory's worth: `changes` are relative to it. Recursion is bounded by [`MAX_DEPTH`].
fn subtree(
    repo: &Repository,
    base: Option<Oid>,
    changes: &[(&[u8], Option<Entry>)],
    depth: usize,
) -> Result<Option<Oid>, Error> {
    if depth > MAX_DEPTH {
        return Err(Error::TooDeep { limit: MAX_DEPTH });
    }
    let base = base.map(|id| repo.find_tree(id)).transpose().map_err(git("read a tree"))?;
    let mut builder = repo.treebuilder(base.as_ref()).map_err(git("write a tree"))?;
    for (name, leaf, below) in by_first_name(changes) {
        let old = base.as_ref().and_then(|tree| tree.get_name_bytes(name));
        let old_tree =
            old.as_ref().filter(|entry| entry.kind() == Some(ObjectType::Tree)).map(git2::TreeEntry::id);
        let below_tree = if below.is_empty() {
            old_tree.filter(|_| leaf.is_none())
        } else {
            subtree(repo, old_tree, &below, depth + 1)?
        };
        if leaf.is_none() && below_tree.is_none() && old_tree.is_none() {
            // Nothing came below a name that is a file here, or nothing.
            continue;
        }
        let result = match leaf {
            Some(Some(entry)) => Some((entry.id, entry.kind.mode())),
            // The file here goes; a directory may have come in its place.
            Some(None) | None => below_tree.map(|tree| (tree, 0o040_000)),
        };
        match result {
            Some((id, mode)) => {
                builder.insert(name, id, mode).map_err(git("write a tree"))?;
            }
            None if old.is_some() => builder.remove(name).map_err(git("write a tree"))?,
            None => {}
        }
    }
    if builder.is_empty() {
        return Ok(None);
    }
    builder.write().map(Some).map_err(git("write a tree"))
}

type Group<'a> = (&'a [u8], Option<Option<Entry>>, Vec<(&'a [u8], Option<Entry>)>);

/// Changes by the first name of their paths: the change of that very name, and those below it.
fn by_first_name<'a>(changes: &[(&'a [u8], Option<Entry>)]) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<&[u8], Group<'a>> = BTreeMap::new();
    for (path, entry) in changes {
        let (name, rest) = match path.iter().position(|b| *b == b'/') {
            Some(slash) => (&path[..slash], Some(&path[slash + 1..])),
            None => (*path, None),
        };
        let group = groups.entry(name).or_insert_with(|| (name, None, Vec::new()));
        match rest {
            Some(rest) => group.2.push((rest, *entry)),
            None => group.1 = Some(*entry),
        }
    }
    groups.into_values().collect()
}
