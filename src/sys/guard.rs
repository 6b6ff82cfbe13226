//! The fork behind the guardian: a copy of this process that outlives it and notices when it is gone.

use super::{Pid, check, pipe, process};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// In no line that is told.
const GOODBYE: u8 = 0;

/// The parent's hold on its guard. Dropping it says goodbye.
#[derive(Debug)]
pub struct GuardHandle {
    pid: Pid,
    line: Option<OwnedFd>,
}

impl GuardHandle {
    pub fn pid(&self) -> Pid {
        self.pid
    }
}

impl GuardHandle {
    /// What it has to act on. Until it is told, it has nothing to do, however this process ends.
    pub fn tell(&self, what: &str) -> io::Result<()> {
        let Some(line) = &self.line else { return Ok(()) };
        // At once or not at all: a pipe takes a line this short in one piece.
        super::write(line.as_fd(), format!("{what}\n").as_bytes()).map(drop)
    }

    /// Says goodbye without waiting: the guard goes while the caller does something else.
    pub fn dismiss(&mut self) {
        let Some(line) = self.line.take() else { return };
        // Without the byte the guard would act; that is as right, and ends too.
        let _already_gone = super::write(line.as_fd(), &[GOODBYE]);
    }
}

impl Drop for GuardHandle {
    fn drop(&mut self) {
        self.dismiss();
        // Nobody else may be there to reap it.
        let _already_gone = process::wait(self.pid);
    }
}

/// Forks a process called `name` that waits until this one ends. If it ended without dropping the handle, the copy
/// runs `act` with what it was told last, if anything; either way it exits then.
///
/// To be called while the process has one thread: the copy has only the calling one. And early: what this process holds
/// in memory now is copied page by page, each when it is next written to, for as long as the guard lives.
pub fn fork_guard(name: &CStr, act: impl FnOnce(&str)) -> io::Result<GuardHandle> {
    let (ours, line) = pipe()?;
    // The copy is born with all signals blocked and stays so: there is no moment at which one could end it.
    let before = block_signals();
    // SAFETY: the child never returns from this function and uses nothing that another thread could have held
    // locked (there is no other thread; glibc makes its allocator usable in any case).
    let pid = unsafe { libc::fork() };
    if pid != 0 {
        // SAFETY: the set was filled in by the call that blocked them.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut()) };
        return Ok(GuardHandle { pid: check(pid)?, line: Some(line) });
    }
    drop(line);
    // A panic must not unwind into the copied stack of the caller.
    let _ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        stand_apart(name, &ours);
        if let Some(told) = listen(&ours) {
            act(&told);
        }
    }));
    // SAFETY: ends the copy without running the parent's exit handlers.
    unsafe { libc::_exit(0) }
}

/// Until the other end is closed: what was told last, or nothing if there was a goodbye or never a whole line.
fn listen(line: &OwnedFd) -> Option<String> {
    let (mut told, mut piece) = (Vec::new(), [0; 256]);
    loop {
        match super::read(line.as_fd(), &mut piece).ok()? {
            0 => break,
            len => told.extend_from_slice(&piece[..len]),
        }
        if told.contains(&GOODBYE) {
            return None;
        }
    }
    let told = String::from_utf8(told).ok()?;
    told.strip_suffix('\n').map(|told| told.rsplit('\n').next().unwrap_or(told).to_owned())
}

/// Blocks what can be blocked, in this thread; gives what was blocked before.
fn block_signals() -> libc::sigset_t {
    // SAFETY: a set is plain memory, and both are filled in before they are read.
    unsafe {
        let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, &raw mut before);
        before
    }
}

/// Leaves everything shared with the parent: session, directory, descriptors.
fn stand_apart(name: &CStr, keep: &OwnedFd) {
    let keep = keep.as_raw_fd() as libc::c_uint;
    // SAFETY: no memory but constants is involved. Descriptors that std still believes to own are never used here.
    unsafe {
        libc::setsid();
        libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0);
        libc::chdir(c"/".as_ptr());
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        for standard in 0..3 {
            libc::dup2(null, standard);
        }
        if keep > 3 {
            libc::close_range(3, keep - 1, 0);
        }
        libc::close_range(keep + 1, libc::c_uint::MAX, 0);
    }
}
