//! From a block to a program and its arguments: which interpreter, with which flag, or the command itself.
//!
//! Shells run with `-e`: a line that fails in the middle fails the block, because a box ticked over an ignored
//! failure would not be earned.

use super::direct::plain_words;
use super::environment::Environment;
use crate::sys::Strings;
use crate::task::Block;
use std::collections::HashMap;
use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The system takes at most 128 kB as one argument.
const LONGEST_ARGUMENT: usize = 120 * 1024;

/// Programs found on the path of children, remembered for the run. One that was not found is looked for again: a
/// task may have installed it.
pub(super) struct Programs {
    path: Vec<PathBuf>,
    /// The path has no entry that means another place in another directory.
    is_absolute: bool,
    found: RwLock<HashMap<String, Arc<CStr>, foldhash::fast::RandomState>>,
}

impl Programs {
    pub(super) fn new(path: &[u8]) -> Programs {
        let path: Vec<PathBuf> =
            path.split(|byte| *byte == b':').map(|p| OsStr::from_bytes(p).into()).collect();
        let is_absolute = path.iter().all(|entry| entry.is_absolute());
        Programs { path, is_absolute, found: RwLock::default() }
    }

    /// Where `name` is; a name with a slash is its own answer.
    pub(super) fn find(&self, name: &str) -> Option<Arc<CStr>> {
        if name.contains('/') {
            return CString::new(name).ok().map(Arc::from);
        }
        let known = self.found.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        known.or_else(|| self.search(name))
    }

    fn search(&self, name: &str) -> Option<Arc<CStr>> {
        let candidates = self.path.iter().filter(|dir| dir.is_absolute()).map(|dir| dir.join(name));
        let found = candidates.into_iter().find(|path| is_executable(path))?;
        let found: Arc<CStr> = Arc::from(CString::new(found.into_os_string().into_vec()).ok()?);
        let mut known = self.found.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(name.to_owned(), Arc::clone(&found));
        Some(found)
    }

    /// What was remembered about `name` turned out wrong.
    pub(super) fn forget(&self, name: &str) {
        self.found.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// How a program takes code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    /// `-e -c CODE`: stops at the first failing command.
    ShellCode,
    /// This flag, then the code.
    Flag(&'static str),
    /// The name of a file.
    File,
}

fn takes(interpreter: &str) -> Takes {
    let name = interpreter.rsplit('/').next().unwrap_or(interpreter);
    // `python3.12` takes what `python` takes.
    match name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "sh" | "bash" | "dash" | "zsh" | "ksh" | "mksh" | "ash" => Takes::ShellCode,
        "python" | "pypy" | "fish" => Takes::Flag("-c"),
        "node" | "bun" | "ruby" | "perl" | "lua" | "Rscript" => Takes::Flag("-e"),
        "php" => Takes::Flag("-r"),
        "pwsh" => Takes::Flag("-Command"),
        _ => Takes::File,
    }
}

/// What is to be started.
pub(super) struct Command {
    pub(super) program: Arc<CStr>,
    pub(super) arguments: Strings,
    /// Started without the shell it was written for: if the start fails, the shell is asked after all, so that its
    /// words and exit code are what the user sees.
    pub(super) is_direct: bool,
    /// Removed after the block has ended.
    #[expect(dead_code, reason = "held for its drop")]
    pub(super) script: Option<Script>,
}

/// A block cannot be started at all.
#[derive(Debug)]
pub(super) enum Trouble {
    NoInterpreter(String),
    Script(std::io::Error),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::NoInterpreter(name) => write!(f, "`{name}`: command not found on PATH"),
            Trouble::Script(error) => write!(f, "the block's code cannot be written to a file: {error}"),
        }
    }
}

/// What deciding needs besides the block.
pub(super) struct Commands {
    pub(super) programs: Programs,
    /// Stands for `sh`.
    pub(super) shell: Arc<CStr>,
    /// Never start a command without its shell.
    pub(super) force_shell: bool,
    /// For code that cannot be an argument.
    pub(super) scripts: PathBuf,
    has_functions: bool,
}

impl Commands {
    pub(super) fn new(
        environment: &Environment,
        shell: CString,
        force_shell: bool,
        scripts: PathBuf,
    ) -> Commands {
        let programs = Programs::new(&environment.path);
        let has_functions = environment.has_functions;
        Commands { programs, shell: Arc::from(shell), force_shell, scripts, has_functions }
    }

    /// The command for `code`, without a shell where none is needed and `allow_direct`.
    /// Its arguments take the place of what is in `room`.
    pub(super) fn of(
        &self,
        block: &Block,
        code: &str,
        allow_direct: bool,
        mut room: Strings,
    ) -> Result<Command, Trouble> {
        room.clear();
        let direct = if allow_direct { self.direct(block, code, &mut room) } else { None };
        match direct {
            Some(program) => Ok(Command { program, arguments: room, is_direct: true, script: None }),
            None => self.interpreted(&block.interpreter, code, room),
        }
    }

    fn direct(&self, block: &Block, code: &str, arguments: &mut Strings) -> Option<Arc<CStr>> {
        let sets_path = block.given.env.iter().any(|(name, _)| name == "PATH");
        let is_plain_shell = matches!(block.interpreter.as_str(), "sh" | "dash" | "shell")
            || (block.interpreter == "bash" && !self.has_functions);
        if self.force_shell || sets_path || !is_plain_shell || !self.programs.is_absolute {
            return None;
        }
        let mut words = plain_words(code)?;
        let first = words.next()?;
        let program = self.programs.find(first)?;
        arguments.push(&[first.as_bytes()]);
        words.for_each(|word| arguments.push(&[word.as_bytes()]));
        Some(program)
    }

    fn interpreted(&self, name: &str, code: &str, mut arguments: Strings) -> Result<Command, Trouble> {
        let is_default = matches!(name, "sh" | "shell");
        let program = if is_default { Some(Arc::clone(&self.shell)) } else { self.programs.find(name) };
        let program = program.ok_or_else(|| Trouble::NoInterpreter(name.to_owned()))?;
        let takes = if is_default { Takes::ShellCode } else { takes(name) };
        arguments.push(&[name.as_bytes()]);
        if takes == Takes::ShellCode {
            arguments.push(&[b"-e"]);
        }
        let mut script = None;
        let flag = match takes {
            Takes::ShellCode => Some("-c"),
            Takes::Flag(flag) => Some(flag),
            Takes::File => None,
        };
        match flag.filter(|_| code.len() <= LONGEST_ARGUMENT) {
            Some(flag) => {
                arguments.push(&[flag.as_bytes()]);
                arguments.push(&[code.as_bytes()]);
            }
            None => {
                let written = Script::write(&self.scripts, code).map_err(Trouble::Script)?;
                arguments.push(&[written.0.as_os_str().as_bytes()]);
                script = Some(written);
            }
        }
        Ok(Command { program, arguments, is_direct: false, script })
    }
}

/// A private file with a block's code; removed when dropped.
pub(super) struct Script(PathBuf);

impl Script {
    fn write(dir: &Path, code: &str) -> std::io::Result<Script> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let name = format!("script-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let script = Script(dir.join(name));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&script.0)?;
        file.write_all(code.as_bytes())?;
        Ok(script)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // A file that cannot be removed is in the run's own directory and does no harm.
        let _left = fs::remove_file(&self.0);
    }
}
