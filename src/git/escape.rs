//! Who changed what outside its own working tree: the user's repository and files before and after, and what differs.
//! Whether that was the user or an attempt, the caller judges, who knows when which attempt ran and what specter
//! itself integrated meanwhile.

use super::Error;
use super::branch::Made;
use super::error::git;
use super::integrate::path_of;
use super::names::ROOT;
use super::repo::Git;
use super::tree::{self, Entry};
use crate::fs::shown;
use git2::{Index, Oid};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

pub(super) type Hash = [u8; 32];

/// The state of a repository and its working tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// What `HEAD` says, of the main and every linked working tree.
    heads: BTreeMap<PathBuf, Vec<u8>>,
    refs: BTreeMap<String, Oid>,
    /// What is staged, not when it was last looked at.
    index: Hash,
    /// Configuration, hooks and what else git reads from its directory.
    files: BTreeMap<PathBuf, Hash>,
    tree: Oid,
}

/// Something that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `HEAD` of a working tree.
    Head {
        file: PathBuf,
        from: String,
        to: String,
    },
    Reference {
        name: String,
        from: Option<Oid>,
        to: Option<Oid>,
    },
    Index,
    /// In the repository's directory: `config`, `hooks/pre-commit`.
    Setting(PathBuf),
    /// In the user's working tree.
    File {
        path: PathBuf,
        from: Option<Entry>,
        to: Option<Entry>,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Head { file, from, to } => {
                write!(f, "{}: from `{from}` to `{to}`", shown(file))
            }
            Change::Reference { name, from, to } => {
                let id = |id: &Option<Oid>| id.map_or_else(|| "nothing".to_owned(), |id| id.to_string());
                write!(f, "{name}: from {} to {}", id(from), id(to))
            }
            Change::Index => f.write_str("the index"),
            Change::Setting(file) => write!(f, "{} of the repository", shown(file)),
            Change::File { path, from, to } => {
                let what = match (from, to) {
                    (None, _) => "made",
                    (_, None) => "removed",
                    _ => "changed",
                };
                write!(f, "{} {what}", shown(path))
            }
        }
    }
}

impl Change {
    /// Whether it decides what git does, which nobody does by accident.
    pub fn is_setting(&self) -> bool {
        matches!(self, Change::Setting(_))
    }
}

impl Fingerprint {
    /// As it stands after specter itself committed, as far as it was what that started from: what somebody else changed
    /// meanwhile still differs.
    pub fn committed(&mut self, made: &Made) {
        if let Some(branch) = self.refs.get_mut(&made.reference).filter(|branch| **branch == made.from) {
            *branch = made.commit;
        }
        if let Some(tag) = &made.tag {
            self.refs.entry(format!("refs/tags/{tag}")).or_insert(made.commit);
        }
        if self.index == made.index.0 {
            self.index = made.index.1;
        }
    }
}

impl Git {
    /// How everything stands now. The files' contents are in the repository afterwards.
    pub fn fingerprint(&mut self) -> Result<Fingerprint, Error> {
        let tree = self.snapshot_main()?.tree;
        Ok(Fingerprint {
            heads: self.heads(),
            refs: self.foreign_refs()?,
            index: self.index_hash()?,
            files: self.settings(),
            tree,
        })
    }

    /// What is different in `after`.
    pub fn compare(&self, before: &Fingerprint, after: &Fingerprint) -> Result<Vec<Change>, Error> {
        let mut changes = Vec::new();
        for (file, from, to) in differing(&before.heads, &after.heads) {
            let text = |bytes: Option<&Vec<u8>>| {
                bytes.map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned()).unwrap_or_default()
            };
            changes.push(Change::Head { file: file.clone(), from: text(from), to: text(to) });
        }
        for (name, from, to) in differing(&before.refs, &after.refs) {
            changes.push(Change::Reference { name: name.clone(), from: from.copied(), to: to.copied() });
        }
        if before.index != after.index {
            changes.push(Change::Index);
        }
        let settings = differing(&before.files, &after.files);
        changes.extend(settings.into_iter().map(|(file, ..)| Change::Setting(file.clone())));
        for differs in tree::differences(&self.repo, before.tree, after.tree)? {
            // Whoever wrote there, specter keeps watch over it by itself.
            if self.rules.is_never(&differs.path) {
                continue;
            }
            changes.push(Change::File { path: path_of(&differs.path), from: differs.old, to: differs.new });
        }
        Ok(changes)
    }

    /// When the change was made, as far as the file system tells; of what is gone, when the directory last changed.
    pub fn changed_at(&self, change: &Change) -> Option<SystemTime> {
        let common = self.repo.commondir();
        match change {
            Change::Head { file, .. } | Change::Setting(file) => changed_below(common, file),
            Change::Index => changed_below(self.repo.path(), Path::new("index")),
            Change::Reference { name, .. } => {
                changed_below(common, Path::new(name)).max(changed_below(common, Path::new("packed-refs")))
            }
            Change::File { path, .. } => changed_below(&self.root, path),
        }
    }

    /// Keeps everything that the changes are made of reachable: files as a tree, commits that were come from or gone to.
    pub fn keep_changes(&mut self, changes: &[Change], message: &str) -> Result<String, Error> {
        let mut files = tree::Changes::new();
        let mut commits: Vec<Oid> = Vec::new();
        for change in changes {
            match change {
                Change::File { path, to, .. } => {
                    files.insert(super::save::bytes_of(path), *to);
                }
                Change::Reference { from, to, .. } => commits.extend(from.iter().chain(to)),
                Change::Head { from, to, .. } => {
                    commits.extend([from, to].into_iter().filter_map(|text| Oid::from_str(text).ok()));
                }
                Change::Index | Change::Setting(_) => {}
            }
        }
        let files = files.into_iter().filter(|(_, entry)| entry.is_some()).collect();
        let tree = tree::update(&self.repo, None, &files)?;
        commits.retain(|id| self.repo.find_commit(*id).is_ok());
        commits.sort();
        commits.dedup();
        self.rescue(tree, &commits, message)
    }

    fn heads(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let common = self.repo.commondir();
        let mut files = vec![common.join("HEAD")];
        let linked = std::fs::read_dir(common.join("worktrees"));
        files.extend(linked.into_iter().flatten().flatten().map(|entry| entry.path().join("HEAD")));
        let read = |file: PathBuf| {
            let text = std::fs::read(&file).ok()?;
            Some((relative(&file, common), text))
        };
        files.into_iter().filter_map(read).collect()
    }

    /// All but specter's own.
    fn foreign_refs(&self) -> Result<BTreeMap<String, Oid>, Error> {
        let references = self.repo.references().map_err(git("list the references"))?;
        let mut found = BTreeMap::new();
        for reference in references.flatten() {
            let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
            if let (false, Some(id)) = (name.starts_with(&format!("{ROOT}/")), reference.target()) {
                found.insert(name, id);
            }
        }
        Ok(found)
    }

    fn index_hash(&self) -> Result<Hash, Error> {
        let mut index = self.repo.index().map_err(git("read the index"))?;
        index.read(false).map_err(git("read the index"))?;
        Ok(index_hash(&index))
    }

    fn settings(&self) -> BTreeMap<PathBuf, Hash> {
        let common = self.repo.commondir();
        let named = [
            "config",
            "config.worktree",
            "info/exclude",
            "info/attributes",
            "info/grafts",
            "objects/info/alternates",
        ];
        let mut files: Vec<PathBuf> = named.iter().map(|name| common.join(name)).collect();
        let mut open = vec![common.join("hooks")];
        while let Some(dir) = open.pop() {
            for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
                let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let list = if is_dir { &mut open } else { &mut files };
                list.push(entry.path());
            }
        }
        let hash = |file: PathBuf| {
            let metadata = std::fs::symlink_metadata(&file).ok()?;
            let mut hash = Sha256::new();
            hash.update(std::os::unix::fs::MetadataExt::mode(&metadata).to_le_bytes());
            if metadata.is_symlink() {
                hash.update(std::fs::read_link(&file).ok()?.as_os_str().as_encoded_bytes());
            } else if metadata.is_file() {
                hash.update(std::fs::read(&file).ok()?);
            }
            Some((relative(&file, common), hash.finalize().into()))
        };
        files.into_iter().filter_map(hash).collect()
    }
}

/// What is staged, not when it was last looked at.
pub(super) fn index_hash(index: &Index) -> Hash {
    let mut hash = Sha256::new();
    for entry in index.iter() {
        hash.update(entry.id.as_bytes());
        hash.update(entry.mode.to_le_bytes());
        hash.update((entry.flags & 0x3000).to_le_bytes());
        hash.update(&entry.path);
        hash.update([0]);
    }
    hash.finalize().into()
}

/// The later of content and metadata: no program can set that.
fn changed_below(root: &Path, path: &Path) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt;
    let mut way = Some(path);
    while let Some(path) = way {
        if let Ok(metadata) = std::fs::symlink_metadata(root.join(path)) {
            let since = Duration::new(metadata.ctime().max(0) as u64, metadata.ctime_nsec() as u32);
            return Some(SystemTime::UNIX_EPOCH + since);
        }
        way = path.parent();
    }
    None
}

fn relative(file: &Path, dir: &Path) -> PathBuf {
    file.strip_prefix(dir).unwrap_or(file).to_owned()
}

/// Keys whose values differ, with both values.
fn differing<'a, K: Ord, V: PartialEq>(
    before: &'a BTreeMap<K, V>,
    after: &'a BTreeMap<K, V>,
) -> Vec<(&'a K, Option<&'a V>, Option<&'a V>)> {
    let gone = before.keys().filter(|key| !after.contains_key(*key));
    let keys = after.keys().chain(gone);
    keys.map(|key| (key, before.get(key), after.get(key))).filter(|(_, from, to)| from != to).collect()
}
