//! Reads the documents of a feature for prompts: which files there are in which form of specification, within limits.
//!
//! Knows places and names; what is made of the texts is `prompt`'s business. A link that leads out of the project is not
//! followed: what it points to would be sent to whoever runs the model.

use crate::fs;
use crate::prompt::{Document, LeftOut, Role};
use crate::source::SourceText;
use crate::task::Task;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Of one document, of all together, and how many.
const MAX_BYTES: u64 = 1 << 20;
const MAX_ALL: u64 = 8 << 20;
const MAX_FILES: usize = 200;
const MAX_DEPTH: usize = 4;

/// Beside the task file.
const FEATURE: &[(&str, Role)] = &[
    ("spec.md", Role::Spec),
    ("requirements.md", Role::Requirements),
    ("proposal.md", Role::Proposal),
    ("plan.md", Role::Plan),
    ("design.md", Role::Design),
    ("data-model.md", Role::DataModel),
    ("contracts", Role::Contract),
    ("specs", Role::Spec),
    ("research.md", Role::Research),
    ("quickstart.md", Role::Quickstart),
];
/// In the project.
const PROJECT: &[(&str, Role)] = &[
    (".specify/memory/constitution.md", Role::Constitution),
    ("memory/constitution.md", Role::Constitution),
    (".kiro/steering", Role::Facts),
    ("openspec/project.md", Role::Facts),
];
/// What documents end in.
const EXTENSIONS: [&str; 10] =
    ["md", "markdown", "mdx", "yaml", "yml", "json", "graphql", "proto", "txt", "sql"];

/// What was read, and what was not and why.
#[derive(Debug, Default)]
pub struct Documents {
    pub read: Vec<Document>,
    pub left_out: Vec<LeftOut>,
}

/// The documents of the feature whose task file this is.
pub fn collect(project: &Path, task_file: &Path) -> Documents {
    let mut reader = Reader {
        project: std::fs::canonicalize(project).unwrap_or_else(|_| project.to_owned()),
        seen: BTreeSet::new(),
        bytes: 0,
        found: Documents::default(),
    };
    for (name, role) in PROJECT {
        reader.take(&project.join(name), *role, 0);
    }
    if let Some(feature) = task_file.parent() {
        // The task file of a project without features has everything beside it.
        let own = feature != project;
        for (name, role) in FEATURE.iter().filter(|(name, _)| own || !matches!(*name, "specs" | "contracts"))
        {
            reader.take(&feature.join(name), *role, 0);
        }
    }
    reader.found
}

struct Reader {
    project: PathBuf,
    seen: BTreeSet<PathBuf>,
    bytes: u64,
    found: Documents,
}

impl Reader {
    /// A file, or all documents in a directory, by name.
    fn take(&mut self, path: &Path, role: Role, depth: usize) {
        // What is not there is no news.
        let Ok(real) = std::fs::canonicalize(path) else { return };
        let Ok(inside) = real.strip_prefix(&self.project).map(Path::to_owned) else {
            return self.leave_out(path, "it is a link that leads out of the project", 0);
        };
        if !self.seen.insert(real.clone()) {
            return;
        }
        if real.is_dir() {
            if depth < MAX_DEPTH {
                names(&real).iter().for_each(|name| self.take(&path.join(name), role, depth + 1));
            }
            return;
        }
        let extension = real.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if EXTENSIONS.contains(&extension) {
            self.file(&real, &inside, role);
        }
    }

    fn file(&mut self, real: &Path, inside: &Path, role: Role) {
        if self.found.read.len() >= MAX_FILES {
            return self.leave_out(inside, "there are more documents than are read", 0);
        }
        let contents = match fs::read(real, MAX_BYTES.min(MAX_ALL - self.bytes)) {
            Ok(contents) => contents,
            Err(error) => return self.leave_out(inside, &error.to_string(), 0),
        };
        let size = contents.bytes.len() as u64;
        let name = inside.to_string_lossy().replace('\\', "/");
        match SourceText::from_bytes(name.clone(), contents.bytes) {
            Ok(text) => {
                self.bytes += size;
                self.found.read.push(Document { path: name, role, text });
            }
            Err(_) => self.leave_out(inside, "it is not UTF-8 text", size),
        }
    }

    fn leave_out(&mut self, path: &Path, why: &str, bytes: u64) {
        let shown = path.strip_prefix(&self.project).unwrap_or(path).to_string_lossy().into_owned();
        self.found.left_out.push(LeftOut { what: shown, why: why.to_owned(), bytes });
    }
}

/// What is in a directory, sorted; hidden entries aside.
fn names(dir: &Path) -> Vec<std::ffi::OsString> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut names: Vec<_> = names.filter(|name| !name.as_encoded_bytes().starts_with(b".")).collect();
    names.sort();
    names
}

/// Templates that the project has in the place of the compiled-in ones, sorted by name, and those that cannot be read.
pub fn templates(project: &Path, dir: &str) -> (Vec<SourceText>, Vec<LeftOut>) {
    const MAX_TEMPLATE: u64 = 256 << 10;
    let (mut read, mut left_out) = (Vec::new(), Vec::new());
    let place = project.join(dir);
    for name in names(&place).iter().filter(|name| name.as_encoded_bytes().ends_with(b".md.j2")) {
        let shown = format!("{dir}/{}", name.to_string_lossy());
        let contents = fs::read(&place.join(name), MAX_TEMPLATE).map_err(|error| error.to_string());
        let text = contents.and_then(|contents| {
            SourceText::from_bytes(shown.clone(), contents.bytes)
                .map_err(|_| "it is not UTF-8 text".to_owned())
        });
        match text {
            Ok(text) => read.push(text),
            Err(why) => left_out.push(LeftOut { what: shown, why, bytes: 0 }),
        }
    }
    (read, left_out)
}

/// Where Spec Kit's extensions say what they want done around an implementation; none if there is none that is text.
pub fn extensions(project: &Path) -> Option<SourceText> {
    const NAME: &str = ".specify/extensions.yml";
    let contents = fs::read(&project.join(NAME), MAX_BYTES).ok()?;
    SourceText::from_bytes(NAME, contents.bytes).ok()
}

/// What a command of one of Spec Kit's extensions says, with the file's path: as the extension has it, else as it was
/// installed for an agent. None where there is no such file, or the names are none.
pub fn command(project: &Path, extension: &str, command: &str) -> Option<(String, String)> {
    const MAX_COMMAND: u64 = 128 << 10;
    let is_name = |name: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !name.is_empty() && !name.starts_with('.') && name.chars().all(is_plain)
    };
    if !is_name(extension) || !is_name(command) {
        return None;
    }
    let skill = command.replace('.', "-");
    let places = [
        format!(".specify/extensions/{extension}/commands/{command}.md"),
        format!(".claude/skills/{skill}/SKILL.md"),
        format!(".agents/skills/{skill}/SKILL.md"),
        format!(".claude/commands/{command}.md"),
        format!(".github/agents/{command}.agent.md"),
    ];
    places.into_iter().find_map(|place| {
        let contents = fs::read(&project.join(&place), MAX_COMMAND).ok()?;
        let source = SourceText::from_bytes(place.clone(), contents.bytes).ok()?;
        Some((place, source.text().to_owned()))
    })
}

/// What is beside the files that a task names, relative to the project: whoever makes a file follows its neighbours.
pub fn neighbours(project: &Path, task: &Task) -> Vec<String> {
    /// Of one directory, and in all.
    const OF_ONE: usize = 12;
    const IN_ALL: usize = 24;
    const DIRECTORIES: usize = 4;
    let Ok(root) = std::fs::canonicalize(project) else { return Vec::new() };
    let named = task.files.iter().filter(|file| !file.outside);
    let dirs: BTreeSet<&str> = named
        .map(|file| if file.is_dir { file.path.trim_end_matches('/') } else { parent(&file.path) })
        .filter(|dir| !dir.is_empty())
        .collect();
    let mut found = Vec::new();
    for dir in dirs.into_iter().take(DIRECTORIES) {
        let Ok(real) = std::fs::canonicalize(root.join(dir)) else { continue };
        if real.starts_with(&root) {
            let inside = names(&real).into_iter().take(OF_ONE);
            found.extend(inside.map(|name| format!("{dir}/{}", name.to_string_lossy())));
        }
    }
    found.truncate(IN_ALL);
    found
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, name: &str, text: &[u8]) -> PathBuf {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn read(root: &Path, task_file: &Path) -> Vec<(String, Role)> {
        collect(root, task_file).read.into_iter().map(|document| (document.path, document.role)).collect()
    }

    #[test]
    fn documents_are_found_in_every_form_of_specification() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        put(root, ".specify/memory/constitution.md", b"# C\n");
        let tasks = put(root, "specs/001-a/tasks.md", b"- [ ] T001 a\n");
        put(root, "specs/001-a/spec.md", b"# S\n");
        put(root, "specs/001-a/contracts/v1/api.yaml", b"openapi: 3\n");
        put(root, "specs/001-a/contracts/logo.png", b"\x89PNG");
        put(root, "specs/002-b/spec.md", b"# other\n");
        let expected = [
            (".specify/memory/constitution.md", Role::Constitution),
            ("specs/001-a/spec.md", Role::Spec),
            ("specs/001-a/contracts/v1/api.yaml", Role::Contract),
        ];
        assert_eq!(read(root, &tasks), expected.map(|(path, role)| (path.to_owned(), role)));
        let change = put(root, "openspec/changes/add-x/tasks.md", b"- [ ] 1.1 a\n");
        put(root, "openspec/project.md", b"# P\n");
        put(root, "openspec/changes/add-x/proposal.md", b"# P\n");
        put(root, "openspec/changes/add-x/specs/cli/spec.md", b"# S\n");
        let found = read(root, &change);
        assert!(
            found.contains(&("openspec/changes/add-x/specs/cli/spec.md".to_owned(), Role::Spec)),
            "{found:?}"
        );
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn what_cannot_be_handed_over_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let root = dir.path();
        let tasks = put(root, "specs/001-a/tasks.md", b"- [ ] T001 a\n");
        put(root, "specs/001-a/plan.md", b"\xff\xfe\0a");
        put(root, "specs/001-a/research.md", &vec![b'a'; MAX_BYTES as usize + 1]);
        let secret = put(other.path(), "secret", b"key");
        std::os::unix::fs::symlink(secret, root.join("specs/001-a/spec.md")).unwrap();
        let found = collect(root, &tasks);
        assert!(found.read.is_empty());
        let whys: Vec<&str> = found.left_out.iter().map(|left| left.why.as_str()).collect();
        assert_eq!(whys.len(), 3);
        assert!(
            whys[0].contains("leads out") && whys[1].contains("UTF-8") && whys[2].contains("at most"),
            "{whys:?}"
        );
    }
}
