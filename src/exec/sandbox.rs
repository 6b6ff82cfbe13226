//! The sandbox of tasks (`--sandbox`): a thread of its own that gave up changing files elsewhere, and starts every task of
//! the run, because what it gave up its children lack too.
//!
//! Workers cannot restrict themselves: they write logs that tasks must not touch. A program that restricts itself and
//! then runs the task would cost a second start for each, and hide from specter why a task cannot be started.
//! Where that is: outside the project (allowed besides it: a private directory for temporary files, what the user lists,
//! and the devices below), or only where others work, which holds for tasks in working trees of their own.

use super::Workspace;
use super::around::{above, around};
use super::command::Command;
use super::refusal;
use super::scratch::{Place, Scratch};
use crate::sys::{self, Also, HandedDown, Held, Launcher, Pid, Streams, Strings};
use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

/// Devices that programs write to and that keep nothing, terminals for programs that make their own, and shared memory
/// (semaphores of several languages' standard libraries are made there).
const DEVICES: [&str; 8] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/ptmx",
    "/dev/pts",
    "/dev/shm",
];
/// What tells programs where temporary files go.
pub(super) const TEMPORARY_NAMES: [&str; 3] = ["TMPDIR", "TMP", "TEMP"];

/// Where tasks may change files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxConfig {
    /// The project and what the user lists; canonical, existing.
    pub writable: Vec<PathBuf>,
    pub elsewhere: Elsewhere,
    /// What each agent's own process may change besides, by its name; passed over what does not exist.
    pub of_agents: BTreeMap<String, Vec<PathBuf>>,
}

/// What tasks may do outside of what is theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// Change nothing, signal nobody.
    Nothing,
    /// Everything, but change files in these: other tasks' working trees among them. Only tasks in working trees are
    /// restricted. Canonical so far as they exist.
    AllBut(Vec<PathBuf>),
}

impl SandboxConfig {
    fn allowed(&self) -> Vec<PathBuf> {
        let usual = match &self.elsewhere {
            Elsewhere::Nothing => DEVICES.map(PathBuf::from).into(),
            Elsewhere::AllBut(spared) => around(spared),
        };
        self.writable.iter().cloned().chain(usual).collect()
    }

    fn also(&self) -> Also {
        match self.elsewhere {
            Elsewhere::Nothing => Also::DevicesAndSignals,
            Elsewhere::AllBut(_) => Also::Nothing,
        }
    }

    /// Whether new names directly in `dir` are refused, only because of what lies deeper in it.
    pub fn is_above(&self, dir: &Path) -> bool {
        matches!(&self.elsewhere, Elsewhere::AllBut(spared) if above(spared).contains(dir))
    }

    /// Whether this system holds to it, found out by trying on a thread that ends.
    pub fn try_out(&self) -> io::Result<Held> {
        let (allowed, also) = (self.allowed(), self.also());
        let probe = std::thread::Builder::new().spawn(move || sys::restrict_thread(&allowed, also))?;
        probe.join().map_err(|_| io::Error::other("the thread that tried it broke"))?
    }
}

/// The sandbox of the project, and one for each workspace: what runs there may change files there, and in no other.
pub(super) struct Sandboxes {
    /// None: what runs in the project is not restricted.
    project: Option<Arc<Sandbox>>,
    /// Without the project itself.
    config: SandboxConfig,
    /// What tasks inherit.
    kept: Vec<HandedDown>,
    /// One for all: to make and to clear one away waits for the disk, and looks through what others left there.
    scratch: Scratch,
}

impl Sandboxes {
    /// `dir` is where tasks of the project start, as in [`Launcher::new`].
    pub(super) fn new(
        config: SandboxConfig,
        project: &Path,
        dir: Option<CString>,
        kept: &[HandedDown],
    ) -> io::Result<Sandboxes> {
        let scratch = Scratch::new()?;
        let allowed = config.allowed().into_iter().chain([scratch.dir().to_owned()]).collect();
        let make = || Sandbox::new(allowed, config.also(), Launcher::new(dir)?.handing_down(kept));
        let is_for_all = config.elsewhere == Elsewhere::Nothing;
        let sandbox = is_for_all.then(make).transpose()?.map(Arc::new);
        let real = project.canonicalize().unwrap_or_else(|_| project.to_owned());
        let writable = config.writable.into_iter().filter(|path| *path != real && path != project).collect();
        let config = SandboxConfig { writable, ..config };
        Ok(Sandboxes { project: sandbox, config, kept: kept.to_vec(), scratch })
    }

    /// With a place for temporary files. None: there is none for it. Each attempt in a working tree has its own: what is made anew in a tree between two
    /// of them (its repository is) was not there when the first was restricted, and is not allowed by its name.
    pub(super) fn of(&self, workspace: Option<&Workspace>) -> io::Result<Option<(Arc<Sandbox>, Place)>> {
        let sandbox = match (workspace, &self.project) {
            (None, None) => return Ok(None),
            (None, Some(sandbox)) => (Arc::clone(sandbox), self.scratch.attempt()?),
            (Some(workspace), _) => {
                let place = self.scratch.attempt()?;
                (Arc::new(self.make(workspace, &place)?), place)
            }
        };
        Ok(Some(sandbox))
    }

    /// One that nobody else uses.
    pub(super) fn make(&self, workspace: &Workspace, place: &Place) -> io::Result<Sandbox> {
        let mut allowed = self.config.allowed();
        allowed.extend(workspace.writable.iter().cloned().chain([place.path().to_owned()]));
        let dir =
            CString::new(workspace.dir.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput)?;
        Sandbox::new(allowed, self.config.also(), Launcher::new(Some(dir))?.handing_down(&self.kept))
    }

    /// What the agent of this name may change besides.
    pub(super) fn of_agent(&self, name: &str) -> &[PathBuf] {
        self.config.of_agents.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Goes on after the reason of a failure, if its output looks as if something was refused.
    pub(super) fn hint(&self, output: &str) -> Option<String> {
        refusal::hint(&self.config.elsewhere, output)
    }

    /// Whether it holds for what runs in the project, too.
    pub(super) fn is_for_all(&self) -> bool {
        self.project.is_some()
    }
}

/// Starts what runs in the sandbox.
pub(super) struct Sandbox {
    /// `None` only while it is dropped.
    requests: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

struct Request {
    program: Arc<CStr>,
    arguments: Strings,
    environment: [Strings; 2],
    dir: Option<CString>,
    streams: Given,
    answer: SyncSender<io::Result<Pid>>,
}

/// What a child reads and writes.
enum Given {
    /// Nothing, and one pipe for all it prints.
    Out(OwnedFd),
    /// Input, output, errors.
    Each([OwnedFd; 3]),
}

impl Sandbox {
    /// `launcher` is what would start tasks without it.
    fn new(allowed: Vec<PathBuf>, also: Also, launcher: Launcher) -> io::Result<Sandbox> {
        let (requests, received) = channel();
        let (ready, is_ready) = sync_channel(1);
        let thread = std::thread::Builder::new().name("sandbox".to_owned()).spawn(move || {
            let restricted = sys::restrict_thread(&allowed, also).map(drop);
            let is_restricted = restricted.is_ok();
            if ready.send(restricted).is_ok() && is_restricted {
                serve(&launcher, &received);
            }
        })?;
        is_ready.recv().map_err(|_| gone())??;
        Ok(Sandbox { requests: Some(requests), thread: Some(thread) })
    }

    /// As [`Launcher::start`].
    pub(super) fn start(
        &self,
        command: &Command,
        environment: [&Strings; 2],
        dir: Option<&CStr>,
        out: BorrowedFd<'_>,
    ) -> io::Result<Pid> {
        let streams = Given::Out(out.try_clone_to_owned()?);
        self.ask((&command.program, &command.arguments), environment, dir, streams)
    }

    /// As [`Launcher::start_with`].
    pub(super) fn start_with(
        &self,
        program: &Arc<CStr>,
        arguments: &Strings,
        environment: [&Strings; 2],
        dir: Option<&CStr>,
        streams: Streams<'_>,
    ) -> io::Result<Pid> {
        let Streams { input, out, err } = streams;
        let owned = |fd: BorrowedFd<'_>| fd.try_clone_to_owned();
        let streams = Given::Each([owned(input)?, owned(out)?, owned(err)?]);
        self.ask((program, arguments), environment, dir, streams)
    }

    fn ask(
        &self,
        (program, arguments): (&Arc<CStr>, &Strings),
        environment: [&Strings; 2],
        dir: Option<&CStr>,
        streams: Given,
    ) -> io::Result<Pid> {
        let (answer, answered) = sync_channel(1);
        let request = Request {
            program: Arc::clone(program),
            arguments: arguments.clone(),
            environment: environment.map(Strings::clone),
            dir: dir.map(CStr::to_owned),
            streams,
            answer,
        };
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        requests.send(request).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Without a sender the thread ends.
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("the sandbox's thread is gone")
}

/// Starts what comes, one after the other, until nobody can ask any more.
fn serve(launcher: &Launcher, received: &Receiver<Request>) {
    for Request { program, arguments, environment, dir, streams, answer } in received {
        let ([base, own], dir) = (&environment, dir.as_deref());
        let started = match &streams {
            Given::Out(out) => launcher.start(&program, &arguments, [base, own], dir, out.as_fd()),
            Given::Each([input, out, err]) => {
                let streams = Streams { input: input.as_fd(), out: out.as_fd(), err: err.as_fd() };
                launcher.start_with(&program, &arguments, [base, own], dir, streams)
            }
        };
        // Closed before the answer: the end of output must not wait for us.
        drop(streams);
        // Whoever asked waits for the answer.
        let _heard = answer.send(started);
    }
}
