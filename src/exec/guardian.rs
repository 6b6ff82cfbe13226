//! What remains when specter is killed without a chance to clean up: a small copy of it that ends every process of
//! the run (PDEATHSIG and process groups alone leave most styles of children alive).

use super::tree::{Proc, exterminate, families};
use crate::sys::{self, GuardHandle, LivePids, Pid};
use std::collections::HashSet;
use std::io;

/// How often it is looked for what carries the mark, while something moves.
const STRIKES: usize = 50;

/// The guard of this process. Dropped, it says goodbye, and the guard goes at once.
///
/// It is there before there is much to guard because it is a copy: of a small process it costs little, of one that has
/// planned a hundred thousand tasks every page of the plan, and of one with threads an interruption of them all at each.
#[derive(Debug)]
pub struct Guardian {
    handle: GuardHandle,
    live: LivePids,
}

impl Guardian {
    /// It knows of no run yet: it does nothing, however this process ends. To be called while the process has one thread.
    pub fn start() -> io::Result<Guardian> {
        let live = LivePids::new()?;
        let table = live.clone();
        let handle = sys::fork_guard(c"specter-guard", move |run| {
            let sessions = table.all();
            end_run(run, &sessions, &[]);
        })?;
        Ok(Guardian { handle, live })
    }

    /// From here on it guards `run`, the token every child carries (see `ShellConfig::run`), and none that it was told of
    /// before: nothing of that one is left.
    pub fn guard(&self, run: &str) -> io::Result<()> {
        self.handle.tell(run)?;
        // After the fork: the guardian is not one of those it ends. Without the mark (a limit set by the user) only a
        // process that hides on purpose is missed.
        let _marked = sys::mark_descendants(mark(run));
        Ok(())
    }

    pub fn pid(&self) -> Pid {
        self.handle.pid()
    }

    /// The table of running sessions.
    pub fn live(&self) -> LivePids {
        self.live.clone()
    }

    /// Nothing of the run is left, nor will be: the guard goes while the last things are written.
    pub fn dismiss(&mut self) {
        self.handle.dismiss();
    }

    /// The run is over: waits until the guard is gone.
    pub fn finish(self) {
        drop(self);
    }
}

/// Ends what an earlier, killed session of `run` may have left behind; how many processes that were. Never touches
/// this process or one it descends from.
pub fn kill_leftovers(run: &str) -> usize {
    end_run(run, &[], &ancestors())
}

/// A number for `run`, as good as unique (64-bit FNV-1a), far above every limit that people set and below "no limit".
pub(super) fn mark(run: &str) -> u64 {
    let hash = run.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    1 << 62 | hash >> 2
}

fn end_run(run: &str, sessions: &[Pid], spare: &[Pid]) -> usize {
    let own = std::process::id() as Pid;
    let prefix = format!("{run}/");
    let mark = mark(run);
    let never: Vec<Pid> = spare.iter().copied().chain([own]).collect();
    let mut ended = HashSet::new();
    let find = || {
        families(&never, |process| {
            process.in_sessions(sessions)
                || sys::mark_of(process.pid).is_ok_and(|found| found == mark)
                || process.tokens().iter().any(|token| token.starts_with(prefix.as_bytes()))
        })
    };
    let find_and_count = || {
        let found = find();
        ended.extend(found.iter().map(|process: &Proc| process.pid));
        found
    };
    let (mut struck, mut zombies) = (HashSet::new(), HashSet::new());
    exterminate(find_and_count, || strike(mark, &never, &mut struck, &mut zombies));
    ended.union(&struck).count()
}

/// Kills what carries the mark the moment it is looked at, newest first: one that starts another and ends at once is
/// gone before a walk over all processes comes to it. True if there was one, or if one was gone and nobody knows whose it
/// was, though not for ever: others' processes come and go too.
fn strike(mark: u64, never: &[Pid], struck: &mut HashSet<Pid>, zombies: &mut HashSet<Pid>) -> bool {
    let mut has_struck = false;
    for _ in 0..STRIKES {
        let numbers: Vec<Pid> = Proc::numbers().filter(|pid| !never.contains(pid)).collect();
        let mut is_quiet = true;
        for pid in numbers.into_iter().rev() {
            match sys::mark_of(pid) {
                Ok(found) if found == mark => {}
                Ok(_) => continue,
                Err(error) => {
                    is_quiet &= error.raw_os_error() != Some(sys::NO_SUCH_PROCESS);
                    continue;
                }
            }
            match Proc::read(pid) {
                // What it started before it ended was not on this list.
                Some(process) if process.is_zombie => is_quiet &= !zombies.insert(pid),
                Some(process) => {
                    process.signal(sys::SIGKILL);
                    struck.insert(pid);
                    (is_quiet, has_struck) = (false, true);
                }
                None => is_quiet = false,
            }
        }
        if is_quiet {
            break;
        }
    }
    has_struck
}

fn ancestors() -> Vec<Pid> {
    let mut chain = Vec::new();
    let mut pid = std::process::id() as Pid;
    while let Some(process) = Proc::read(pid) {
        chain.push(pid);
        pid = process.parent;
    }
    chain
}
