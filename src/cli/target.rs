//! Temporary: the file as given.

use super::args::Global;
use super::error::{Error, Kind};
use std::path::{Path, PathBuf};

pub(super) struct Target {
    pub(super) project: PathBuf,
    pub(super) file: PathBuf,
    pub(super) name: String,
    /// As people type it from here.
    pub(super) typed: String,
}

impl Target {
    pub(super) fn find(given: Option<&Path>, _global: &Global) -> Result<Target, Error> {
        let here = std::env::current_dir()?;
        let mut file = here.join(given.unwrap_or(Path::new("tasks.md")));
        if file.is_dir() {
            file.push("tasks.md");
        }
        let file = file.canonicalize().map_err(|error| Error::new(Kind::Input, error))?;
        let dir = file.parent().unwrap_or(&here).to_owned();
        let marks = [".specter", "specter.toml", ".specify", ".git"];
        let project = dir
            .ancestors()
            .find(|dir| marks.iter().any(|mark| dir.join(mark).exists()))
            .unwrap_or(&dir)
            .to_owned();
        let name = file.strip_prefix(&project).unwrap_or(&file).to_string_lossy().into_owned();
        Ok(Target { typed: name.clone(), project, file, name })
    }
}
