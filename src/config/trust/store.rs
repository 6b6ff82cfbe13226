//! What was agreed to, one private file per project in the user's state directory. Nothing in a repository, its `.git`
//! least of all, has a say in it. A record that cannot be read grants nothing.

use super::{Commands, Hash, State, Trust, Unit};
use crate::config::Environment;
use crate::fs;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

const VERSION: u32 = 1;
const MAX_BYTES: u64 = 64 << 20;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    version: u32,
    /// For people; the file's name is what counts.
    project: String,
    /// By path of the task file in the project.
    files: BTreeMap<String, Vec<Agreed>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Agreed {
    hash: String,
    place: String,
    text: Vec<String>,
}

/// A project with commands that were agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub project: String,
    pub files: Vec<String>,
    pub commands: usize,
}

/// The directory of records.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    pub fn new(dir: PathBuf) -> Store {
        Store { dir }
    }

    /// `$XDG_STATE_HOME/specter/trust`; none without a home.
    pub fn of_user(env: &Environment) -> Option<Store> {
        env.base_dir("XDG_STATE_HOME", ".local/state").map(|dir| Store::new(dir.join("specter/trust")))
    }

    /// How the user stands to these commands. `project` is canonical.
    pub fn state(&self, project: &Path, file: &str, commands: &Commands) -> State {
        let record = self.read(project).unwrap_or_default();
        let agreed: BTreeSet<Hash> =
            record.files.values().flatten().filter_map(|agreed| Hash::parse(&agreed.hash)).collect();
        let added: Vec<Unit> =
            commands.units.iter().filter(|unit| !agreed.contains(&unit.hash)).cloned().collect();
        if added.is_empty() {
            return State::Trusted;
        }
        if agreed.is_empty() {
            return State::New;
        }
        let now = Trust::of(commands);
        let before = record.files.get(file).into_iter().flatten();
        let removed = before.filter_map(unit).filter(|unit| !now.units.contains(&unit.hash)).collect();
        State::Changed { added, removed }
    }

    /// Remembers that the user agreed, instead of what was agreed to for this file before.
    pub fn allow(&self, project: &Path, file: &str, commands: &Commands) -> Result<(), fs::Error> {
        let mut record = self.read(project).unwrap_or_default();
        record.version = VERSION;
        record.project = project.to_string_lossy().into_owned();
        let agreed = commands.units.iter().map(|unit| Agreed {
            hash: unit.hash.to_string(),
            place: unit.place.clone(),
            text: unit.text.clone(),
        });
        record.files.insert(file.to_owned(), agreed.collect());
        fs::create_private_dirs(&self.dir)?;
        let path = self.path(project);
        let text = serde_json::to_vec_pretty(&record)
            .map_err(|error| fs::Error::io("write", &path, std::io::Error::other(error)))?;
        fs::atomic_replace(&path, &text, fs::Access::Private)
    }

    /// Forgets the project; false if nothing was known.
    pub fn revoke(&self, project: &Path) -> Result<bool, fs::Error> {
        let path = self.path(project);
        match std::fs::remove_file(&path) {
            Ok(()) => fs::sync_dir(&self.dir).map(|()| true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(fs::Error::io("remove", &path, error)),
        }
    }

    /// All projects, by path.
    pub fn list(&self) -> Result<Vec<Known>, fs::Error> {
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fs::Error::io("read", &self.dir, error)),
        };
        let records = entries.filter_map(|entry| read_record(&entry.ok()?.path()));
        let mut known: Vec<Known> = records.map(summary).collect();
        known.sort_by(|a, b| a.project.cmp(&b.project));
        Ok(known)
    }

    fn read(&self, project: &Path) -> Option<Record> {
        read_record(&self.path(project))
    }

    fn path(&self, project: &Path) -> PathBuf {
        let mut fields = super::Fields::new("specter project 1");
        fields.add(project.as_os_str().as_bytes());
        self.dir.join(format!("{}.json", fields.finish()))
    }
}

fn read_record(path: &Path) -> Option<Record> {
    let contents = fs::read(path, MAX_BYTES).ok()?;
    let record: Record = serde_json::from_slice(&contents.bytes).ok()?;
    (record.version == VERSION).then_some(record)
}

fn unit(agreed: &Agreed) -> Option<Unit> {
    let hash = Hash::parse(&agreed.hash)?;
    Some(Unit { hash, place: agreed.place.clone(), text: agreed.text.clone() })
}

fn summary(record: Record) -> Known {
    let hashes: BTreeSet<&str> = record.files.values().flatten().map(|agreed| agreed.hash.as_str()).collect();
    let commands = hashes.len();
    Known { project: record.project, files: record.files.into_keys().collect(), commands }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{block, task};
    use super::*;
    use crate::task::BlockKind;
    use std::os::unix::fs::PermissionsExt as _;

    fn commands(codes: &[&str]) -> Commands {
        let tasks: Vec<_> = codes.iter().map(|code| task("T1", vec![block(BlockKind::Run, code)])).collect();
        Commands::of(&tasks, &[])
    }

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::new(dir.path().join("state/specter/trust"));
        (dir, store)
    }

    #[test]
    fn consent_lasts_until_something_new_would_run() {
        let (_dir, store) = store();
        let project = Path::new("/p");
        assert_eq!(store.state(project, "tasks.md", &commands(&["a", "b"])), State::New);
        store.allow(project, "tasks.md", &commands(&["a", "b"])).expect("writes");
        assert_eq!(store.state(project, "tasks.md", &commands(&["b", "a"])), State::Trusted);
        assert_eq!(store.state(project, "tasks.md", &commands(&["a"])), State::Trusted);
        let State::Changed { added, removed } = store.state(project, "tasks.md", &commands(&["a", "c"]))
        else {
            panic!("not changed")
        };
        assert_eq!((added[0].text[1].as_str(), removed[0].text[1].as_str()), ("  c", "  b"));
        assert_eq!(store.state(Path::new("/q"), "tasks.md", &commands(&["a"])), State::New);
    }

    #[test]
    fn two_files_of_a_project_do_not_forget_each_other() {
        let (_dir, store) = store();
        let project = Path::new("/p");
        store.allow(project, "a.md", &commands(&["a"])).expect("writes");
        store.allow(project, "b.md", &commands(&["b"])).expect("writes");
        assert_eq!(store.state(project, "a.md", &commands(&["a"])), State::Trusted);
        assert_eq!(
            store.list().expect("lists"),
            [Known {
                project: "/p".to_owned(),
                files: vec!["a.md".to_owned(), "b.md".to_owned()],
                commands: 2
            }]
        );
        assert!(store.revoke(project).expect("removes") && !store.revoke(project).expect("nothing left"));
        assert_eq!(store.state(project, "a.md", &commands(&["a"])), State::New);
    }

    #[test]
    fn records_are_private_and_damaged_ones_grant_nothing() {
        let (_dir, store) = store();
        let project = Path::new("/p");
        store.allow(project, "a.md", &commands(&["a"])).expect("writes");
        let path = store.path(project);
        let mode = |path: &Path| std::fs::metadata(path).expect("exists").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&store.dir)), (0o600, 0o700));
        let text = std::fs::read_to_string(&path).expect("reads").replace("\"version\": 1", "\"version\": 2");
        std::fs::write(&path, text).expect("writes");
        assert_eq!(store.state(project, "a.md", &commands(&["a"])), State::New);
        std::fs::write(&path, "{").expect("writes");
        assert_eq!(store.state(project, "a.md", &commands(&["a"])), State::New);
    }
}
