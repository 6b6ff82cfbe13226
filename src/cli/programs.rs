//! Programs by their name.

use super::error::{Error, Kind};
use crate::config::Config;
use crate::plan::Plan;
use crate::task::Block;
use crate::text::safe;
use std::path::{Path, PathBuf};

/// What stands for `sh`, found before anything is run.
pub(super) fn shell_program(config: &Config, project: &Path, plan: &Plan) -> Result<PathBuf, Error> {
    let usual = PathBuf::from("/bin/sh");
    let is_shell = |block: &Block| matches!(block.interpreter.as_str(), "sh" | "shell");
    let wants_one = plan.runnable().any(|task| plan.task(task).blocks.iter().any(is_shell));
    let is_usual = config.shell == "sh" && usual.exists();
    if !wants_one || is_usual {
        return Ok(usual);
    }
    find_program(&config.shell, project).ok_or_else(|| {
        let what = format!("the shell `{}` was not found", safe(&config.shell));
        Error::message(Kind::Preflight, what)
            .hint("install it, or name another with `shell` in specter.toml or SPECTER_SHELL")
    })
}

/// A program by its name on PATH, or by its path from `base`.
pub(super) fn find_program(name: &str, base: &Path) -> Option<PathBuf> {
    let places: Vec<PathBuf> = if name.contains('/') {
        vec![base.join(name)]
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).filter(|dir| dir.is_absolute()).map(|dir| dir.join(name)).collect()
    };
    places.into_iter().find(|place| is_program(place))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
