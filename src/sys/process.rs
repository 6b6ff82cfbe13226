//! Waiting for, signalling and adopting processes.

use super::{Pid, check};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Exit(i32),
    Signal(i32),
}

/// A reaped process: how it ended and what it used, its reaped descendants included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    pub how: How,
    pub cpu: Duration,
    pub max_rss_kb: u64,
    pub read_kb: u64,
    pub written_kb: u64,
}

/// Reaps `pid`, a child of ours, if it has ended.
pub fn try_wait(pid: Pid) -> io::Result<Option<Ended>> {
    wait4(pid, libc::WNOHANG)
}

/// Waits until `pid`, a child of ours, has ended.
pub fn wait(pid: Pid) -> io::Result<Ended> {
    loop {
        if let Some(ended) = wait4(pid, 0)? {
            return Ok(ended);
        }
    }
}

/// Removes an adopted process that has ended; false if it has not, or is no child of ours.
pub fn reap(pid: Pid) -> bool {
    matches!(try_wait(pid), Ok(Some(_)))
}

fn wait4(pid: Pid, flags: libc::c_int) -> io::Result<Option<Ended>> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both results are owned by this frame; a zeroed rusage is valid.
        let (reaped, usage) = unsafe {
            (libc::wait4(pid, &raw mut status, flags, usage.as_mut_ptr()), usage.assume_init_ref())
        };
        match check(reaped) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(ended(status, usage))),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn ended(status: libc::c_int, usage: &libc::rusage) -> Ended {
    let how = if libc::WIFSIGNALED(status) {
        How::Signal(libc::WTERMSIG(status))
    } else {
        How::Exit(libc::WEXITSTATUS(status))
    };
    let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    // Block counts are in units of 512 bytes.
    Ended {
        how,
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        max_rss_kb: usage.ru_maxrss as u64,
        read_kb: usage.ru_inblock as u64 / 2,
        written_kb: usage.ru_oublock as u64 / 2,
    }
}

/// Sends `signal` to one process. Never to a group, to all, or to init.
pub fn kill(pid: Pid, signal: i32) -> io::Result<()> {
    if pid <= 1 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: no memory is involved.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Does what SIGTSTP does to a program that does not handle it: stops this process until somebody continues it, or
/// nothing where nobody could (no shell with job control is around it). Then the handler is in place again.
pub fn suspend_myself() -> io::Result<()> {
    // SAFETY: a zeroed action is the default one; both structs live through the calls. `raise` returns when the
    // process goes on.
    unsafe {
        let mut handler = MaybeUninit::<libc::sigaction>::zeroed();
        let default = MaybeUninit::<libc::sigaction>::zeroed();
        check(libc::sigaction(libc::SIGTSTP, default.as_ptr(), handler.as_mut_ptr()))?;
        let raised = check(libc::raise(libc::SIGTSTP));
        check(libc::sigaction(libc::SIGTSTP, handler.as_ptr(), std::ptr::null_mut()))?;
        raised.map(drop)
    }
}

/// Sends `signal` to the process group `group`.
pub fn kill_group(group: Pid, signal: i32) -> io::Result<()> {
    if group <= 1 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: no memory is involved.
    check(unsafe { libc::kill(-group, signal) }).map(drop)
}

/// Whether any process, ended but not reaped ones included, is left in the group.
pub fn group_exists(group: Pid) -> bool {
    // SAFETY: no memory is involved.
    group > 1 && unsafe { libc::kill(-group, 0) } == 0
}

/// From now on descendants whose parents have ended become children of this process.
pub fn adopt_orphans() -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

/// Marks what this process starts from now on, itself included: a number in the limit on file locks, which Linux has not
/// looked at since 2.4. Unlike an environment it is not cleared by `env -i`, and unlike a session it cannot be left by
/// accident: every descendant inherits it.
pub fn mark_descendants(mark: u64) -> io::Result<()> {
    let mut limit = lock_limit(0)?;
    limit.rlim_cur = mark;
    // SAFETY: the struct lives through the call.
    check(unsafe { libc::setrlimit(libc::RLIMIT_LOCKS, &raw const limit) }).map(drop)
}

/// The mark that `pid` carries, or the limit that it has without one: see [`mark_descendants`].
pub fn mark_of(pid: Pid) -> io::Result<u64> {
    lock_limit(pid).map(|limit| limit.rlim_cur)
}

/// 0 is this process.
fn lock_limit(pid: Pid) -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: nothing is set; the old value is filled in.
    check(unsafe { libc::prlimit(pid, libc::RLIMIT_LOCKS, std::ptr::null(), &raw mut limit) })?;
    Ok(limit)
}

/// What the system counts time on the cores in.
pub fn tick() -> Duration {
    // SAFETY: no memory is involved.
    let each_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Duration::from_secs(1) / u32::try_from(each_second).ok().filter(|ticks| *ticks > 0).unwrap_or(100)
}

/// The session this process is in.
pub fn own_session() -> Pid {
    // SAFETY: cannot fail for the calling process.
    unsafe { libc::getsid(0) }
}

/// Becomes readable when the process has ended.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    pub fn open(pid: Pid) -> io::Result<PidFd> {
        // SAFETY: on success the descriptor is new and ours; it is close-on-exec by definition.
        unsafe {
            let fd = check(libc::syscall(libc::SYS_pidfd_open, pid, 0) as libc::c_int)?;
            Ok(PidFd(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// Sends `signal` to this very process, whoever has its number by now.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        let nothing = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: without details of the signal no memory is involved.
        let sent =
            unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.0.as_raw_fd(), signal, nothing, 0) };
        check(sent as libc::c_int).map(drop)
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
