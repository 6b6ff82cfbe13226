//! The only place that talks to the system without std: starting, awaiting and signalling processes, polling, shared
//! memory, the guardian's fork, leases, restricting threads. Linux. Knows nothing of tasks; what it offers is safe to call.
#![expect(unsafe_code, reason = "system calls that std does not offer; every block says why it is sound")]

mod beneath;
mod disk;
mod guard;
mod landlock;
mod lease;
mod memory;
mod poll;
mod process;
mod shared;
mod spawn;

pub use beneath::Dir;
pub use disk::{Room, exchange, may_write, reflink, rename_new, room, sync_git_objects};
pub use guard::{GuardHandle, fork_guard};
pub use landlock::{Also, Held, restrict_thread};
pub use lease::{Lease, has_writer, try_lease};
pub use memory::{expect_memory, keep_memory, prepare_memory};
pub use poll::{
    HandedDown, Interest, NEVER_WAIT, NFS, Ready, Wake, close_all_on_exec, file_system, grow_pipe, is_closed,
    never_wait, pipe, poll, poll_writing, read, read_at, terminal_size, try_lock_record, write,
};
pub use process::{
    Ended, How, PidFd, adopt_orphans, group_exists, kill, kill_group, mark_descendants, mark_of, own_session,
    reap, suspend_myself, tick, try_wait, wait,
};
pub use shared::LivePids;
pub use spawn::{Launcher, Streams, Strings};

/// A process id.
pub type Pid = i32;

pub const SIGHUP: i32 = libc::SIGHUP;
pub const SIGINT: i32 = libc::SIGINT;
pub const SIGQUIT: i32 = libc::SIGQUIT;
pub const SIGILL: i32 = libc::SIGILL;
pub const SIGABRT: i32 = libc::SIGABRT;
pub const SIGFPE: i32 = libc::SIGFPE;
pub const SIGKILL: i32 = libc::SIGKILL;
pub const SIGSEGV: i32 = libc::SIGSEGV;
pub const SIGPIPE: i32 = libc::SIGPIPE;
pub const SIGTERM: i32 = libc::SIGTERM;
pub const SIGSTOP: i32 = libc::SIGSTOP;
pub const SIGTSTP: i32 = libc::SIGTSTP;
pub const SIGCONT: i32 = libc::SIGCONT;

/// The error of whoever asks for a process that is gone.
pub const NO_SUCH_PROCESS: i32 = libc::ESRCH;

/// The last error of the calling thread, or success.
fn check(result: libc::c_int) -> std::io::Result<libc::c_int> {
    if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(result) }
}
