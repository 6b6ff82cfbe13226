//! Who changed what outside its own working tree: the user's repository and files before and after, and what differs.
//! Whether that was the user or an attempt, the caller judges, who knows when which attempt ran and what specter
//! itself integrated meanwhile.

use super::Error;
use super::error::git;
use super::integrate::path_of;
use super::names::ROOT;
use super::repo::Git;
use super::tree::{self, Entry};
use git2::Oid;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

type Hash = [u8; 32];

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
            changes.push(Change::File { path: path_of(&differs.path), from: differs.old, to: differs.new });
        }
        Ok(changes)
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
        let mut hash = Sha256::new();
        for entry in index.iter() {
            hash.update(entry.id.as_bytes());
            hash.update(entry.mode.to_le_bytes());
            hash.update((entry.flags & 0x3000).to_le_bytes());
            hash.update(&entry.path);
            hash.update([0]);
        }
        Ok(hash.finalize().into())
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
