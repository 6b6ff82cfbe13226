//! The command line from outside: what is typed, what is printed, how it ends.

mod agents;
mod commands;
mod config;
mod input;
pub(crate) mod kept;
mod target;
mod trust;

use crate::run::sandbox::{Ended, Sandbox};

/// A task that leaves a trace when it runs.
const TRACE: &str = "- [ ] T001 Leave a trace\n\n  ```sh run\n  echo ran >> trace\n  ```\n";

/// Both streams and the exit code as one text, without what differs from place to place.
fn page(sandbox: &Sandbox, ended: &Ended) -> String {
    let Ended { code, stdout, stderr } = ended;
    let code = code.map_or("a signal".to_owned(), |code| code.to_string());
    let root = sandbox.root().canonicalize().unwrap();
    format!("{stdout}--- stderr\n{stderr}--- exit {code}\n").replace(root.to_str().unwrap(), "[project]")
}

/// Every file of the project with its bytes.
fn everything(sandbox: &Sandbox) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let (mut files, mut dirs) = (Vec::new(), vec![sandbox.root()]);
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                dirs.push(path);
            } else {
                files.push((path.clone(), std::fs::read(path).unwrap_or_default()));
            }
        }
    }
    files.sort();
    files
}
