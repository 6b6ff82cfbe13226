//! `posix_spawn`: a child in its own session, without copying specter's address space.
//!
//! glibc's file actions cost a system call each to make, so they are made once per worker and output descriptor and
//! kept. Nothing here decides what is run.

use super::{HandedDown, Pid};
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

/// NUL-terminated strings in one buffer: an argument vector or an environment.
#[derive(Clone, Debug, Default)]
pub struct Strings {
    bytes: Vec<u8>,
    starts: Vec<u32>,
}

impl Strings {
    pub fn new() -> Strings {
        Strings::default()
    }

    /// Empty again, with the room it has.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.starts.clear();
    }

    /// Appends one string made of `parts`. A NUL cannot stand in it and becomes a space.
    pub fn push(&mut self, parts: &[&[u8]]) {
        self.write(|bytes| parts.iter().for_each(|part| bytes.extend_from_slice(part)));
    }

    /// Appends what `write` appends as one string; the same holds.
    pub fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let from = self.bytes.len();
        self.starts.push(from as u32);
        write(&mut self.bytes);
        let written = &mut self.bytes[from..];
        if memchr::memchr(0, written).is_some() {
            written.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b' ');
        }
        self.bytes.push(0);
    }

    pub fn first(&self) -> &[u8] {
        self.iter().next().unwrap_or_default()
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let ends = self.starts.iter().skip(1).copied().chain([self.bytes.len() as u32]);
        self.starts.iter().zip(ends).map(|(start, end)| &self.bytes[*start as usize..end as usize - 1])
    }

    fn pointers(&self, into: &mut Vec<*mut c_char>) {
        let base = self.bytes.as_ptr();
        into.extend(
            self.starts.iter().map(|start| base.wrapping_add(*start as usize).cast_mut().cast::<c_char>()),
        );
    }
}

/// What a child reads and writes, where that is not input from nowhere and one pipe for all it prints.
#[derive(Clone, Copy, Debug)]
pub struct Streams<'a> {
    pub input: BorrowedFd<'a>,
    pub out: BorrowedFd<'a>,
    pub err: BorrowedFd<'a>,
}

/// Starts children that share a working directory.
pub struct Launcher {
    attributes: Attributes,
    null: File,
    dir: Option<CString>,
    /// What children keep open.
    kept: Vec<HandedDown>,
    id: u32,
}

impl Launcher {
    /// `dir` is where children start; `None` for where specter itself is.
    pub fn new(dir: Option<CString>) -> io::Result<Launcher> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let null = File::open("/dev/null")?;
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Ok(Launcher { attributes: Attributes::new()?, null, dir, kept: Vec::new(), id })
    }

    /// Children get these too.
    #[must_use]
    pub fn handing_down(self, kept: &[HandedDown]) -> Launcher {
        Launcher { kept: kept.to_vec(), ..self }
    }

    /// Starts `program` in a session of its own: input from nowhere, output and errors to `out`, default signals.
    pub fn start(
        &self,
        program: &CStr,
        arguments: &Strings,
        environment: [&Strings; 2],
        dir: Option<&CStr>,
        out: BorrowedFd<'_>,
    ) -> io::Result<Pid> {
        thread_local! { static SCRATCH: RefCell<Scratch> = RefCell::default(); }
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.point(arguments, environment);
            match dir {
                Some(dir) => {
                    let out = out.as_raw_fd();
                    let actions = Actions::new([self.null.as_raw_fd(), out, out], Some(dir), &self.kept)?;
                    self.spawn(program, &actions, scratch)
                }
                None => {
                    let at = scratch.actions(self, out.as_raw_fd())?;
                    self.spawn(program, &scratch.actions[at].2, scratch)
                }
            }
        })
    }

    /// As [`Launcher::start`], with each stream its own.
    pub fn start_with(
        &self,
        program: &CStr,
        arguments: &Strings,
        environment: [&Strings; 2],
        dir: Option<&CStr>,
        streams: Streams<'_>,
    ) -> io::Result<Pid> {
        let streams = [streams.input, streams.out, streams.err].map(|fd| fd.as_raw_fd());
        let actions = Actions::new(streams, dir.or(self.dir.as_deref()), &self.kept)?;
        let mut scratch = Scratch::default();
        scratch.point(arguments, environment);
        self.spawn(program, &actions, &scratch)
    }

    fn spawn(&self, program: &CStr, actions: &Actions, scratch: &Scratch) -> io::Result<Pid> {
        let mut pid: Pid = 0;
        // SAFETY: all pointers live until the call returns; both vectors end in null and point into `Strings` that
        // the caller borrows.
        let error = unsafe {
            libc::posix_spawn(
                &raw mut pid,
                program.as_ptr(),
                &raw const actions.0,
                &raw const self.attributes.0,
                scratch.arguments.as_ptr(),
                scratch.environment.as_ptr(),
            )
        };
        if error == 0 { Ok(pid) } else { Err(io::Error::from_raw_os_error(error)) }
    }
}

/// What a worker keeps between starts.
#[derive(Default)]
struct Scratch {
    arguments: Vec<*mut c_char>,
    environment: Vec<*mut c_char>,
    /// By launcher and output descriptor.
    actions: Vec<(u32, RawFd, Actions)>,
}

impl Scratch {
    fn point(&mut self, arguments: &Strings, environment: [&Strings; 2]) {
        self.arguments.clear();
        self.environment.clear();
        arguments.pointers(&mut self.arguments);
        for strings in environment {
            strings.pointers(&mut self.environment);
        }
        self.arguments.push(ptr::null_mut());
        self.environment.push(ptr::null_mut());
    }

    fn actions(&mut self, launcher: &Launcher, out: RawFd) -> io::Result<usize> {
        let known = self.actions.iter().position(|(id, fd, _)| (*id, *fd) == (launcher.id, out));
        if let Some(at) = known {
            return Ok(at);
        }
        // Descriptors of a worker move within a small set; more than this is a leak of something else.
        if self.actions.len() >= 16 {
            self.actions.clear();
        }
        let streams = [launcher.null.as_raw_fd(), out, out];
        let actions = Actions::new(streams, launcher.dir.as_deref(), &launcher.kept)?;
        self.actions.push((launcher.id, out, actions));
        Ok(self.actions.len() - 1)
    }
}

struct Attributes(libc::posix_spawnattr_t);

// SAFETY: never changed once made; `posix_spawn` only reads it.
unsafe impl Send for Attributes {}
// SAFETY: as above.
unsafe impl Sync for Attributes {}

impl Attributes {
    fn new() -> io::Result<Attributes> {
        let mut raw = MaybeUninit::<libc::posix_spawnattr_t>::uninit();
        let mut none = MaybeUninit::<libc::sigset_t>::uninit();
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        let flags = libc::c_int::from(libc::POSIX_SPAWN_SETSID)
            | libc::POSIX_SPAWN_SETSIGMASK
            | libc::POSIX_SPAWN_SETSIGDEF;
        // SAFETY: each object is initialised by its init function before it is used.
        unsafe {
            verdict(libc::posix_spawnattr_init(raw.as_mut_ptr()))?;
            libc::sigemptyset(none.as_mut_ptr());
            libc::sigfillset(all.as_mut_ptr());
            libc::sigdelset(all.as_mut_ptr(), libc::SIGKILL);
            libc::sigdelset(all.as_mut_ptr(), libc::SIGSTOP);
            verdict(libc::posix_spawnattr_setflags(raw.as_mut_ptr(), flags as libc::c_short))?;
            verdict(libc::posix_spawnattr_setsigmask(raw.as_mut_ptr(), none.as_ptr()))?;
            verdict(libc::posix_spawnattr_setsigdefault(raw.as_mut_ptr(), all.as_ptr()))?;
            Ok(Attributes(raw.assume_init()))
        }
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, destroyed once.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}

struct Actions(libc::posix_spawn_file_actions_t);

impl Actions {
    /// `streams` are what the child has as input, output and errors.
    fn new(streams: [RawFd; 3], dir: Option<&CStr>, kept: &[HandedDown]) -> io::Result<Actions> {
        let mut raw = MaybeUninit::<libc::posix_spawn_file_actions_t>::uninit();
        // SAFETY: initialised first; from then on `Actions` owns it and destroys it also when a step fails.
        let mut actions = unsafe {
            verdict(libc::posix_spawn_file_actions_init(raw.as_mut_ptr()))?;
            Actions(raw.assume_init())
        };
        let raw = &raw mut actions.0;
        // SAFETY: `raw` is initialised; the path is copied by the call.
        unsafe {
            if let Some(dir) = dir {
                verdict(libc::posix_spawn_file_actions_addchdir_np(raw, dir.as_ptr()))?;
            }
            // Onto itself: then it does not close on exec.
            let kept = kept.iter().map(|fd| (fd.number(), fd.number()));
            for (from, to) in streams.into_iter().zip(0..).chain(kept) {
                verdict(libc::posix_spawn_file_actions_adddup2(raw, from, to))?;
            }
        }
        Ok(actions)
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, destroyed once.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

/// The `posix_spawn` family returns its error instead of setting `errno`.
fn verdict(error: libc::c_int) -> io::Result<()> {
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_kept_apart_and_hold_no_nul() {
        let mut strings = Strings::new();
        strings.push(&[b"A=", b"1"]);
        strings.push(&[b"B=x\0y"]);
        let all: Vec<&[u8]> = strings.iter().collect();
        assert_eq!(all, [b"A=1".as_slice(), b"B=x y"]);
    }
}
