//! The few system calls that the campaigns need and the standard library does not offer. The only test code that is
//! unsafe.
#![expect(unsafe_code, reason = "a terminal of our own")]

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

/// Both sides of a new terminal: the one that types and reads, the one that programs get.
pub(super) fn terminal(rows: u16, columns: u16) -> (File, File) {
    let (mut ours, mut theirs) = (0, 0);
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: both numbers are filled in on success and nobody else owns them; name and modes may be null.
    unsafe {
        let result = libc::openpty(
            &raw mut ours,
            &raw mut theirs,
            std::ptr::null_mut(),
            std::ptr::null(),
            &raw const size,
        );
        assert_eq!(result, 0, "no terminal: {}", std::io::Error::last_os_error());
        for fd in [ours, theirs] {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
        (File::from_raw_fd(ours), File::from_raw_fd(theirs))
    }
}

/// Makes the command's standard input its controlling terminal, in a session of its own.
pub(super) fn take_terminal(command: &mut Command) {
    // SAFETY: only system calls that may be made between fork and exec.
    unsafe {
        command.pre_exec(|| {
            if libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
                return Err(std::io::Error::last_os_error());
            }
            // Inherited as ignored by what a script started in the background.
            libc::signal(libc::SIGQUIT, libc::SIG_DFL);
            // A killed campaign must not leave a core file in every sandbox.
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
            Ok(())
        });
    }
}

/// The terminal's modes: echo, line editing, special characters.
pub(super) fn modes(terminal: &File) -> Vec<u32> {
    // SAFETY: a zeroed struct is valid and filled in on success.
    let modes = unsafe {
        let mut modes: libc::termios = std::mem::zeroed();
        assert_eq!(libc::tcgetattr(terminal.as_raw_fd(), &raw mut modes), 0);
        modes
    };
    let flags = [modes.c_iflag, modes.c_oflag, modes.c_cflag, modes.c_lflag];
    flags.into_iter().chain(modes.c_cc.map(u32::from)).collect()
}

/// Asks the program at the terminal's other end to draw itself anew in another size.
pub(super) fn resize(terminal: &File, rows: u16, columns: u16) {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the struct lives through the call.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    assert_eq!(result, 0);
}

/// Whether `file` can be read within `wait`; true also when the other side is gone.
pub(super) fn is_readable(file: &File, wait: Duration) -> bool {
    let mut polled = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one descriptor is given, and it lives through the call.
    unsafe { libc::poll(&raw mut polled, 1, wait.as_millis() as libc::c_int) > 0 }
}

/// Sends a signal to a process that this test started.
pub(super) fn signal(pid: u32, signal: i32) {
    assert!(pid > 1);
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { libc::kill(pid as libc::pid_t, signal) }, 0);
}
