//! Pipes, wake-ups and waiting for several of them at once.

use super::check;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// A pipe: the end to read, the end to write. Both close on exec.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the array is filled on success, and both descriptors are new and ours.
    unsafe {
        check(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC))?;
        Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}

/// For opening: reads and writes fail where they would have to wait.
pub const NEVER_WAIT: i32 = libc::O_NONBLOCK;

/// A descriptor that children get under its own number (see [`super::Launcher::handing_down`]).
#[derive(Clone, Debug)]
pub struct HandedDown(Arc<OwnedFd>);

impl HandedDown {
    /// The file behind `fd`, under the first free number from `lowest` on. It closes on exec, but for those it is
    /// handed down to.
    pub fn new(fd: &OwnedFd, lowest: RawFd) -> io::Result<HandedDown> {
        // SAFETY: no memory is involved; on success the descriptor is new and ours.
        unsafe {
            let own = check(libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, lowest))?;
            Ok(HandedDown(Arc::new(OwnedFd::from_raw_fd(own))))
        }
    }

    pub fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Nothing that this process inherited or has open so far reaches its children.
pub fn close_all_on_exec() {
    // SAFETY: no memory is involved; descriptors stay open here. A kernel without it leaves them as they are.
    unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int) };
}

/// Asks for a larger pipe; a refusal (the user's limit) only costs speed.
pub fn grow_pipe(fd: BorrowedFd<'_>, bytes: u32) {
    // SAFETY: no memory is involved.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETPIPE_SZ, bytes as libc::c_int) };
}

/// One `read`; 0 is the end.
pub fn read(fd: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<usize> {
    loop {
        // SAFETY: the buffer is borrowed for the call and its length is given.
        let got = unsafe { libc::read(fd.as_raw_fd(), into.as_mut_ptr().cast(), into.len()) };
        match usize::try_from(got) {
            Ok(got) => return Ok(got),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
}

/// One `pread` from the start of `file`.
pub fn read_at(file: &File, into: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, 0)
}

/// The type of NFS, as [`file_system`] gives it.
pub const NFS: i64 = libc::NFS_SUPER_MAGIC;

/// The type of the file system that holds `file`.
pub fn file_system(file: &File) -> io::Result<i64> {
    let mut found = std::mem::MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: filled in on success, and a zeroed struct is valid in any case.
    unsafe {
        check(libc::fstatfs(file.as_raw_fd(), found.as_mut_ptr()))?;
        Ok(found.assume_init().f_type)
    }
}

/// Locks all of `file` for its open description alone; false if another one has it.
pub fn try_lock_record(file: &File) -> io::Result<bool> {
    let whole = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    // SAFETY: the struct lives through the call.
    match check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const whole) }) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What one descriptor of a [`poll`] is ready for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    pub readable: bool,
    /// The other side is gone: once nothing is readable any more, this is the end.
    pub hung_up: bool,
}

impl Ready {
    pub fn any(self) -> bool {
        self.readable || self.hung_up
    }
}

/// A descriptor to wait for; `None` is skipped.
pub type Interest<'a> = Option<BorrowedFd<'a>>;

/// Waits until one of `N` descriptors can be read, for at most `timeout`. An interruption ends the wait early.
pub fn poll<const N: usize>(fds: [Interest<'_>; N], timeout: Option<Duration>) -> io::Result<[Ready; N]> {
    let mut polled = fds.map(|fd| libc::pollfd {
        fd: fd.map_or(-1, |fd| fd.as_raw_fd()),
        events: libc::POLLIN,
        revents: 0,
    });
    // Rounded up, so that a deadline has passed when its wait ends.
    let millis = timeout.map_or(-1, |t| t.as_nanos().div_ceil(1_000_000).min(60_000_000) as libc::c_int);
    // SAFETY: the array lives through the call and its length is given.
    match check(unsafe { libc::poll(polled.as_mut_ptr(), N as libc::nfds_t, millis) }) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(polled.map(ready)),
    }
}

/// As [`poll`], and whether `writable` takes more: ready also where nobody reads it any more.
pub fn poll_writing<const N: usize>(
    fds: [Interest<'_>; N],
    writable: Interest<'_>,
    timeout: Option<Duration>,
) -> io::Result<([Ready; N], bool)> {
    let entry = |fd: Interest<'_>, events| libc::pollfd {
        fd: fd.map_or(-1, |fd| fd.as_raw_fd()),
        events,
        revents: 0,
    };
    let mut polled: Vec<libc::pollfd> = fds.iter().map(|fd| entry(*fd, libc::POLLIN)).collect();
    polled.push(entry(writable, libc::POLLOUT));
    let millis = timeout.map_or(-1, |t| t.as_nanos().div_ceil(1_000_000).min(60_000_000) as libc::c_int);
    // SAFETY: the array lives through the call and its length is given.
    match check(unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, millis) }) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok((std::array::from_fn(|at| ready(polled[at])), polled[N].revents != 0)),
    }
}

fn ready(fd: libc::pollfd) -> Ready {
    Ready {
        readable: fd.revents & libc::POLLIN != 0,
        hung_up: fd.revents & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0,
    }
}

/// From now on reads and writes of this description fail where they would have to wait.
pub fn never_wait(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no memory is involved.
    unsafe {
        let flags = check(libc::fcntl(fd.as_raw_fd(), libc::F_GETFL))?;
        check(libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK)).map(drop)
    }
}

/// One `write`; `WouldBlock` where the other side has to read first.
pub fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    loop {
        // SAFETY: the buffer is borrowed for the call and its length is given.
        let put = unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(put) {
            Ok(put) => return Ok(put),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
}

/// Whether the other side of a pipe's reading end is gone and nothing is left to read.
pub fn is_closed(fd: BorrowedFd<'_>) -> bool {
    matches!(poll([Some(fd)], Some(Duration::ZERO)), Ok([ready]) if ready.hung_up && !ready.readable)
}

/// Wakes a worker out of [`poll`].
#[derive(Debug)]
pub struct Wake(OwnedFd);

impl Wake {
    pub fn new() -> io::Result<Wake> {
        // SAFETY: on success the descriptor is new and ours.
        unsafe {
            let fd = check(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK))?;
            Ok(Wake(OwnedFd::from_raw_fd(fd)))
        }
    }

    pub fn ring(&self) {
        let one = 1u64;
        // SAFETY: eight bytes are read from `one`. A full counter is as good as a ring.
        unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), 8) };
    }

    /// Forgets the rings so far.
    pub fn clear(&self) {
        let mut count = [0; 8];
        let _none_if_silent = read(self.0.as_fd(), &mut count);
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Columns and rows of the terminal behind standard error or standard output, if there is one and it knows.
pub fn terminal_size(is_stderr: bool) -> Option<(u16, u16)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    let fd = if is_stderr { libc::STDERR_FILENO } else { libc::STDOUT_FILENO };
    // SAFETY: the call fills in the struct it is given.
    let result = unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}
