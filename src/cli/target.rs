//! Which task file is meant, and which directory is its project (SPEC 10.1). Looks, and writes nothing.

use super::args::Global;
use super::error::{Error, Kind};
use crate::text::{nearest, safe};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Where features live, relative to a project.
const PLACES: [&str; 8] = [
    "specs",
    "features",
    ".specify/specs",
    ".specify/features",
    ".kiro/specs",
    "openspec/changes",
    "specs/infrastructure",
    "specs/features",
];
/// What makes a directory a project.
const MARKS: [&str; 3] = [".specter", "specter.toml", ".specify"];
const TASKS: &str = "tasks.md";
/// Candidates named in an error.
const MAX_LISTED: usize = 20;

#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Absolute.
    pub(super) project: PathBuf,
    /// Absolute.
    pub(super) file: PathBuf,
    /// The file relative to the project, with forward slashes: what the run is known by.
    pub(super) name: String,
    /// As a person types it from where they are.
    pub(super) typed: String,
}

impl Target {
    /// `given` may be a file, a directory, or a feature's id; without it, the feature that is active.
    pub(super) fn find(given: Option<&Path>, _global: &Global) -> Result<Target, Error> {
        let here = here()?;
        let file = match given {
            Some(given) => named(&here, given)?,
            None => active(&here)?,
        };
        Target::of(&here, &file)
    }

    /// No file: only the project, for commands that can do without.
    pub(super) fn bare(here: &Path) -> Target {
        Target {
            project: root(here),
            file: here.join(TASKS),
            name: TASKS.to_owned(),
            typed: TASKS.to_owned(),
        }
    }

    fn of(here: &Path, file: &Path) -> Result<Target, Error> {
        let typed = file.strip_prefix(here).unwrap_or(file).to_string_lossy().into_owned();
        // A link is followed: state and lock belong to the file that is changed.
        let file = file.canonicalize().map_err(|error| cannot_read(&typed, &error))?;
        let dir = file.parent().unwrap_or(Path::new("/"));
        let here = here.canonicalize()?;
        let marked = dir.ancestors().find(|dir| is_project(dir));
        let project = match marked {
            Some(marked) => marked.to_owned(),
            None if dir.starts_with(&here) => here.clone(),
            None => dir.to_owned(),
        };
        warn_of_link(&here, &typed, &file);
        let name = file.strip_prefix(&project).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        Ok(Target { project, file, name, typed })
    }
}

/// The directory people are in.
pub(super) fn here() -> Result<PathBuf, Error> {
    std::env::current_dir().map_err(|error| {
        Error::message(Kind::Io, format!("the current directory cannot be told: {error}"))
            .hint("change to a directory that exists")
    })
}

/// A task file that is a link to somewhere else is ticked there: said, since few expect it.
fn warn_of_link(here: &Path, typed: &str, file: &Path) {
    let lexical = here.join(typed);
    let is_link = lexical.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
    let dir = lexical.parent().and_then(|dir| dir.canonicalize().ok());
    if is_link && dir.is_some_and(|dir| !file.starts_with(dir)) {
        let (typed, file) = (safe(typed), safe(&file.to_string_lossy()));
        super::stage::write_err(&format!("warning: `{typed}` is a link; the file is `{file}`\n"));
    }
}

fn cannot_read(typed: &str, error: &std::io::Error) -> Error {
    Error::message(Kind::Input, format!("cannot read `{}`: {error}", safe(typed))).hint("check the path")
}

/// A file, a directory with a `tasks.md`, or the id of a feature.
fn named(here: &Path, given: &Path) -> Result<PathBuf, Error> {
    let path = here.join(given);
    if path.is_dir() {
        let file = path.join(TASKS);
        return if file.exists() { Ok(file) } else { Err(no_tasks_in(&path)) };
    }
    // Also a pipe or a device: whether it can be read is said where it is read.
    if path.symlink_metadata().is_ok() {
        return Ok(path);
    }
    let typed = given.to_string_lossy();
    let all = features(&root(here));
    let matching: Vec<&PathBuf> = all.iter().filter(|file| is_feature(file, &typed)).collect();
    match matching.as_slice() {
        [one] => Ok((*one).clone()),
        [] => {
            let beside = path.parent().map(task_files).unwrap_or_default();
            let names: Vec<String> = all.iter().map(|file| feature(file)).chain(beside).collect();
            let near = nearest(&typed, names.iter().map(String::as_str))
                .map(|name| format!("did you mean `{}`?", safe(name)));
            Err(Error::message(
                Kind::Input,
                format!("there is no file, directory or feature `{}`", safe(&typed)),
            )
            .maybe_hint(near)
            .hint("name a task file, its directory, or a feature's number"))
        }
        several => Err(choose(here, &format!("`{}` may mean several features", safe(&typed)), several)),
    }
}

/// Names of the Markdown files in a directory.
fn task_files(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    let markdown =
        paths.filter(|path| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("md")));
    let names = markdown.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn no_tasks_in(dir: &Path) -> Error {
    Error::message(
        Kind::Input,
        format!("`{}` is a directory without a tasks.md", safe(&dir.to_string_lossy())),
    )
    .hint("name the task file itself")
}

/// The feature that is worked on, by the first of these that says so: environment, a feature's directory that people
/// are in, `.specify/feature.json`, the branch, a `tasks.md` in the project itself, the only feature with open tasks.
/// Never silently one of several.
fn active(here: &Path) -> Result<PathBuf, Error> {
    let root = root(here);
    if let Some(dir) = std::env::var_os("SPECIFY_FEATURE_DIRECTORY").filter(|dir| !dir.is_empty()) {
        return in_dir(&root.join(&dir), "SPECIFY_FEATURE_DIRECTORY");
    }
    let local = here.join(TASKS);
    if here != root && local.exists() {
        return Ok(local);
    }
    if let Some(dir) = persisted(&root)? {
        return in_dir(&root.join(dir), ".specify/feature.json");
    }
    let all = features(&root);
    if let Some(file) = by_branch(&root, &all) {
        return Ok(file);
    }
    if local.exists() {
        return Ok(local);
    }
    let open: Vec<&PathBuf> = all.iter().filter(|file| has_open_box(file)).collect();
    match (open.as_slice(), all.as_slice()) {
        ([one], _) => Ok((*one).clone()),
        ([], [one]) => Ok(one.clone()),
        ([], []) => Err(Error::usage("there is no task file here")
            .hint("name one: `specter implement path/to/tasks.md`")
            .hint("`specter init --example` writes a small one to try")),
        ([], several) => {
            Err(choose(here, "several features, none with open tasks", &several.iter().collect::<Vec<_>>()))
        }
        (several, _) => Err(choose(here, "several features have open tasks", several)),
    }
}

fn in_dir(dir: &Path, by: &str) -> Result<PathBuf, Error> {
    let file = dir.join(TASKS);
    if file.exists() {
        return Ok(file);
    }
    let shown = safe(&file.to_string_lossy());
    Err(Error::message(
        Kind::Input,
        format!("{by} names a feature without a task file: `{shown}` is missing"),
    ))
}

#[derive(Deserialize)]
struct FeatureFile {
    feature_directory: String,
}

fn persisted(root: &Path) -> Result<Option<String>, Error> {
    let path = root.join(".specify/feature.json");
    let Ok(contents) = crate::fs::read(&path, 1 << 20) else { return Ok(None) };
    match serde_json::from_slice::<FeatureFile>(&contents.bytes) {
        Ok(feature) => Ok(Some(feature.feature_directory)),
        Err(error) => {
            Err(Error::message(Kind::Input, format!("`.specify/feature.json` cannot be read: {error}"))
                .hint("name the task file on the command line"))
        }
    }
}

/// The branch's number, as in `003-photo-albums` or `feat/003-photo-albums`.
fn by_branch(root: &Path, all: &[PathBuf]) -> Option<PathBuf> {
    let repository = git2::Repository::discover(root).ok()?;
    let head = repository.head().ok()?;
    let branch = head.shorthand().ok()?;
    let name = branch.rsplit('/').next()?;
    let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
    if digits.len() < 3 || !name[digits.len()..].starts_with('-') {
        return None;
    }
    let mut matching = all.iter().filter(|file| feature(file).starts_with(&format!("{digits}-")));
    let first = matching.next()?;
    matching.next().is_none().then(|| first.clone())
}

fn is_project(dir: &Path) -> bool {
    MARKS.iter().any(|mark| dir.join(mark).exists()) || is_repository(dir)
}

/// As git sees it: an empty `.git`, as some sandboxes leave it behind in a directory for temporary files, makes none.
pub(super) fn is_repository(dir: &Path) -> bool {
    let git = dir.join(".git");
    git.is_file() || git.join("HEAD").symlink_metadata().is_ok()
}

/// The nearest directory upwards that is a project, else here.
fn root(here: &Path) -> PathBuf {
    let marked = here.ancestors().find(|dir| is_project(dir));
    marked.unwrap_or(here).to_owned()
}

/// Every task file in the known places, sorted, each once.
fn features(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for place in PLACES {
        let Ok(entries) = std::fs::read_dir(root.join(place)) else { continue };
        let files = entries.flatten().map(|entry| entry.path().join(TASKS));
        found.extend(files.filter(|file| file.is_file()));
    }
    found.sort();
    found.dedup();
    found
}

/// The name of the directory a task file is in.
fn feature(file: &Path) -> String {
    file.parent()
        .and_then(Path::file_name)
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// `001`, `I001`, `F001`, `001-auth`, `phase-0/001-auth`.
fn is_feature(file: &Path, typed: &str) -> bool {
    let name = feature(file);
    let number = typed.strip_prefix(['I', 'F']).unwrap_or(typed);
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    name == typed
        || is_number && name.starts_with(&format!("{number}-"))
        || typed.contains('/') && file.parent().is_some_and(|dir| dir.ends_with(typed))
}

fn has_open_box(file: &Path) -> bool {
    crate::fs::read(file, 16 << 20)
        .is_ok_and(|contents| contents.bytes.windows(3).any(|three| three == b"[ ]"))
}

fn choose(here: &Path, what: &str, several: &[&PathBuf]) -> Error {
    let list: Vec<String> = several
        .iter()
        .take(MAX_LISTED)
        .map(|file| format!("  {}", safe(&file.strip_prefix(here).unwrap_or(file).to_string_lossy())))
        .collect();
    let more = several.len().saturating_sub(MAX_LISTED);
    let more = if more > 0 { format!("\n  … and {more} more") } else { String::new() };
    Error::usage(format!("{what}:\n{}{more}", list.join("\n"))).hint("name the one you mean")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_is_meant_by_number_name_or_path() {
        let file = Path::new("/p/specs/phase-0/001-auth/tasks.md");
        for typed in ["001", "F001", "I001", "001-auth", "phase-0/001-auth"] {
            assert!(is_feature(file, typed), "{typed}");
        }
        for typed in ["1", "002", "auth", "0/001-auth", ""] {
            assert!(!is_feature(file, typed), "{typed}");
        }
    }
}
