//! A GNU make jobserver for the children of a run (SPEC 4.3): builds in tasks that run side by side share the cores
//! instead of taking all of them each.
//!
//! A pipe holds one token for each core. Whoever runs a second process at once takes one and gives it back; the first
//! process of each child is free, so specter takes one for each attempt that runs. An attempt is never kept waiting for
//! it: where all are taken, it takes the next one that is given back ([`Jobserver::catch_up`]). Tokens that killed
//! processes held are missing until nothing runs; then the pipe is filled again.
//!
//! cargo, and what it starts, is told of it always: it has its own order of work. A plain `make` is told only where the
//! user wants it run in parallel, by `parallel-make` or by `-j` in an own MAKEFLAGS: makefiles like `all: clean build` are
//! written in the order in which they are run one by one. A `-j` on make's own command line is the user's word: make then
//! leaves the jobserver. `MFLAGS` is not set: nothing reads it but makefiles that want it on a command line.
//!
//! Children get the pipe as descriptors, which every make understands. By a name (`fifo:`), which ninja wants and which
//! programs that close descriptors pass on, only where make is told and is none of the older ones that stop at it.

use crate::sys::{self, HandedDown};
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Above what scripts use by number (`exec 3>&1`), below every limit on open files.
const LOWEST_DESCRIPTOR: i32 = 200;
/// More tokens than a pipe holds for certain would be lost.
const MOST: u32 = 4096;
/// The variables that tell of a jobserver.
pub(super) const NAMES: [&str; 3] = ["MAKEFLAGS", "MFLAGS", "CARGO_MAKEFLAGS"];

/// What the user wants of the jobserver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobserverConfig {
    /// How many processes of all attempts together may run at once.
    pub tokens: u32,
    /// Also a make that was not told to run in parallel takes part, and does so then.
    pub parallel_make: bool,
}

/// See the module.
pub(super) struct Jobserver {
    /// The pipe, both ends in one, as specter uses it: never waits.
    pool: File,
    /// The pipe as children get it.
    ends: [HandedDown; 2],
    tokens: u32,
    seats: Mutex<Seats>,
}

#[derive(Debug, Default)]
struct Seats {
    /// Attempts that run.
    running: u32,
    /// Attempts that are about to.
    pending: u32,
    /// Tokens taken for them; kept between the attempts of a worker.
    taken: u32,
    /// Tokens that were missing when nothing ran, over the whole run.
    lost: u64,
}

impl Jobserver {
    pub(super) fn new(tokens: u32) -> io::Result<Jobserver> {
        let tokens = tokens.clamp(1, MOST);
        let (read, write) = sys::pipe()?;
        let ends = [HandedDown::new(&read, LOWEST_DESCRIPTOR)?, HandedDown::new(&write, LOWEST_DESCRIPTOR)?];
        // Opened anew: that the children's own ends wait must not depend on what specter does with its.
        let path = format!("/proc/self/fd/{}", read.as_raw_fd());
        let pool = OpenOptions::new().read(true).write(true).custom_flags(sys::NEVER_WAIT).open(path)?;
        let server = Jobserver { pool, ends, tokens, seats: Mutex::default() };
        server.put(tokens);
        Ok(server)
    }

    /// What children inherit.
    pub(super) fn ends(&self) -> &[HandedDown] {
        &self.ends
    }

    /// How children are told. `fifo` is the way by name.
    fn auth(&self, is_fifo: bool) -> String {
        let [read, write] = self.ends.each_ref().map(HandedDown::number);
        if is_fifo {
            return format!(
                "--jobserver-auth=fifo:/proc/{}/fd/{}",
                std::process::id(),
                self.pool.as_raw_fd()
            );
        }
        // The first word is what make called it before 4.2.
        format!("--jobserver-fds={read},{write} --jobserver-auth={read},{write}")
    }

    /// The variables that tell children, given those that specter inherited. In the sandbox they cannot open what is
    /// specter's.
    pub(super) fn variables(
        &self,
        parallel_make: bool,
        vars: &[(OsString, OsString)],
        is_sandboxed: bool,
    ) -> Vec<(&'static str, Vec<u8>)> {
        let own =
            vars.iter().find(|(name, _)| name == "MAKEFLAGS").map_or(OsStr::new(""), |(_, value)| value);
        let own = if is_foreign("MAKEFLAGS", own) { b"" } else { own.as_bytes() };
        let tells_make = parallel_make || asks_for_jobs(own);
        let is_fifo = tells_make && !is_sandboxed && make_knows_fifo();
        let ours = format!("-j {}", self.auth(is_fifo)).into_bytes();
        let mut told = vec![("CARGO_MAKEFLAGS", ours.clone())];
        if tells_make {
            told.push(("MAKEFLAGS", before(ours, own)));
        }
        told
    }

    /// An attempt begins; it ends with what is returned. Its token stays for the next one, until [`Jobserver::rest`].
    pub(super) fn enter(&self) -> Seat<'_> {
        let mut seats = self.lock();
        seats.running += 1;
        seats.pending = seats.pending.saturating_sub(1);
        let is_short = self.take_wanted(&mut seats);
        Seat { server: self, is_short }
    }

    /// So many attempts run or are about to begin: their tokens are taken before the first of them can take them.
    pub(super) fn expect(&self, attempts: u32) {
        let mut seats = self.lock();
        seats.pending = attempts.saturating_sub(seats.running);
        self.take_wanted(&mut seats);
    }

    /// A token may have come back. True if one is still wanted.
    pub(super) fn catch_up(&self) -> bool {
        self.take_wanted(&mut self.lock())
    }

    /// A worker has nothing to do. Tokens of no attempt go back; where none runs at all, the pipe is made full.
    pub(super) fn rest(&self) {
        let mut seats = self.lock();
        // Whoever rests found nothing to be begun.
        seats.pending = 0;
        let free = seats.taken.saturating_sub(seats.running);
        if seats.running > 0 {
            seats.taken -= free;
            return self.put(free);
        }
        if seats.taken == 0 {
            return;
        }
        let there = self.drain() + free;
        seats.lost += u64::from(self.tokens.saturating_sub(there));
        seats.taken = 0;
        self.put(self.tokens);
    }

    /// How many tokens were found missing so far.
    pub(super) fn lost(&self) -> u64 {
        self.lock().lost
    }

    /// True if there were not as many as there are attempts.
    fn take_wanted(&self, seats: &mut Seats) -> bool {
        let wanted = (seats.running + seats.pending).min(self.tokens);
        let mut token = [0];
        while seats.taken < wanted && (&self.pool).read(&mut token).is_ok_and(|got| got == 1) {
            seats.taken += 1;
        }
        seats.taken < wanted
    }

    /// Takes all there is, and says how many that were.
    fn drain(&self) -> u32 {
        let mut tokens = [0; MOST as usize];
        let mut all = 0;
        // Bounded: a task may have written what it liked, and a process that hid may still do so.
        for _ in 0..32 {
            match (&self.pool).read(&mut tokens) {
                Ok(got) if got > 0 => all += got as u32,
                _ => break,
            }
        }
        all
    }

    fn put(&self, tokens: u32) {
        if tokens > 0 {
            // Full only if a task filled it: then there are more than enough.
            let _full = (&self.pool).write(&[b'+'; MOST as usize][..tokens as usize]);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt that runs.
pub(super) struct Seat<'a> {
    server: &'a Jobserver,
    /// There was no token for it: then it is to watch the jobserver's descriptor.
    pub(super) is_short: bool,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.server.lock().running -= 1;
    }
}

impl AsFd for Jobserver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pool.as_fd()
    }
}

/// Names the jobserver of a make that started specter; children do not get that.
pub(super) fn is_foreign(name: &str, value: &OsStr) -> bool {
    NAMES.contains(&name) && String::from_utf8_lossy(value.as_bytes()).contains("--jobserver")
}

/// Whether a MAKEFLAGS tells make to run in parallel: `-j8`, `--jobs=8`, and `kj8` as make itself writes it.
fn asks_for_jobs(flags: &[u8]) -> bool {
    let mut words = flags.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).peekable();
    let letters = words.peek().is_some_and(|first| !first.starts_with(b"-") && !first.contains(&b'='));
    let in_letters = letters && words.next().is_some_and(|first| first.contains(&b'j'));
    in_letters
        || words
            .take_while(|word| *word != b"--")
            .any(|word| word.starts_with(b"--jobs") || (word.starts_with(b"-j") && word != b"-j1"))
}

/// `ours`, then the user's own flags, whose letters at the very beginning need a dash once they are not the first.
fn before(mut ours: Vec<u8>, own: &[u8]) -> Vec<u8> {
    let own = own.trim_ascii();
    if own.is_empty() {
        return ours;
    }
    let first = own.split(|byte| *byte == b' ').next().unwrap_or_default();
    ours.push(b' ');
    if !first.starts_with(b"-") && !first.contains(&b'=') {
        ours.push(b'-');
    }
    ours.extend_from_slice(own);
    ours
}

/// make before 4.4 stops at a jobserver that is told of by name. Where there is no make, nobody stops at it.
fn make_knows_fifo() -> bool {
    let asked = Command::new("make").arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
    asked.map_or(true, |answer| knows_fifo(&answer.stdout))
}

fn knows_fifo(version: &[u8]) -> bool {
    let text = String::from_utf8_lossy(version);
    let number = text.strip_prefix("GNU Make ").unwrap_or_default();
    let mut parts = number.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (4, 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(server: &Jobserver) -> u32 {
        let there = server.drain();
        server.put(there);
        there
    }

    #[test]
    fn each_attempt_takes_a_token_and_a_rest_gives_it_back() {
        let server = Jobserver::new(3).unwrap();
        let (first, second) = (server.enter(), server.enter());
        assert!(!first.is_short && !second.is_short);
        assert_eq!(free(&server), 1);
        drop(first);
        let third = server.enter();
        assert!(!third.is_short);
        assert_eq!(free(&server), 1, "the token of the attempt before is used again");
        drop(second);
        server.rest();
        assert_eq!(free(&server), 2);
        drop(third);
        server.rest();
        assert_eq!((free(&server), server.lost()), (3, 0));
    }

    #[test]
    fn attempts_that_are_about_to_begin_have_their_tokens_before_the_first_of_them_runs() {
        let server = Jobserver::new(4).unwrap();
        server.expect(3);
        assert_eq!(free(&server), 1);
        let (first, second) = (server.enter(), server.enter());
        assert!(!first.is_short && !second.is_short);
        assert_eq!(free(&server), 1, "the third is still to come");
        server.rest();
        assert_eq!(free(&server), 2, "it never came");
        drop(first);
        server.rest();
        assert_eq!(free(&server), 3);
        drop(second);
        server.rest();
        assert_eq!((free(&server), server.lost()), (4, 0));
    }

    #[test]
    fn an_attempt_without_a_token_takes_the_next_one_given_back() {
        let server = Jobserver::new(2).unwrap();
        let _first = server.enter();
        assert_eq!(server.drain(), 1, "a build of the first attempt");
        let second = server.enter();
        assert!(second.is_short && server.catch_up());
        server.put(1);
        assert!(!server.catch_up());
        assert_eq!(free(&server), 0);
    }

    #[test]
    fn more_attempts_than_tokens_want_no_more_than_there_are() {
        let server = Jobserver::new(1).unwrap();
        let (first, second) = (server.enter(), server.enter());
        assert!(!first.is_short && !second.is_short);
        drop(first);
        server.rest();
        assert_eq!(free(&server), 0, "the one that runs has it");
    }

    #[test]
    fn what_a_dead_build_held_is_back_once_nothing_runs() {
        let server = Jobserver::new(4).unwrap();
        let (first, second) = (server.enter(), server.enter());
        assert_eq!(server.drain(), 2, "taken, and never given back");
        drop(first);
        server.rest();
        assert_eq!(free(&server), 1);
        drop(second);
        server.rest();
        assert_eq!((free(&server), server.lost()), (4, 2));
    }

    #[test]
    fn a_task_that_adds_tokens_has_them_no_longer_than_it_runs() {
        let server = Jobserver::new(2).unwrap();
        let seat = server.enter();
        server.put(4000);
        drop(seat);
        server.rest();
        assert_eq!((free(&server), server.lost()), (2, 0));
    }

    #[test]
    fn make_is_told_where_the_user_runs_it_in_parallel() {
        for flags in ["-j", "-j8", "-j16", "kj8", "-k -j4", "--jobs=3", "w -j4 -- A=1"] {
            assert!(asks_for_jobs(flags.as_bytes()), "{flags}");
        }
        for flags in ["", "k", "-k", "-j1", "A=-j4", "-- -j4", "--no-print-directory"] {
            assert!(!asks_for_jobs(flags.as_bytes()), "{flags}");
        }
    }

    #[test]
    fn the_users_own_flags_stay() {
        let joined = |own: &str| String::from_utf8(before(b"-j X".to_vec(), own.as_bytes())).unwrap();
        assert_eq!(joined(""), "-j X");
        assert_eq!(joined("kj8 -- A=1"), "-j X -kj8 -- A=1");
        assert_eq!(joined("--no-print-directory"), "-j X --no-print-directory");
        assert_eq!(joined("A=1"), "-j X A=1");
    }

    #[test]
    fn only_newer_makes_are_told_by_name() {
        assert!(knows_fifo(b"GNU Make 4.4.1\nBuilt") && knows_fifo(b"GNU Make 5.0"));
        assert!(
            !knows_fifo(b"GNU Make 4.3\nBuilt") && !knows_fifo(b"GNU Make 3.81") && !knows_fifo(b"bmake")
        );
    }

    #[test]
    fn cargo_is_told_always_and_make_where_it_may_run_in_parallel() {
        let server = Jobserver::new(2).unwrap();
        let names = |parallel_make, own: &str| -> Vec<&str> {
            let vars = [("MAKEFLAGS".into(), own.into())];
            server.variables(parallel_make, &vars, false).into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(false, ""), ["CARGO_MAKEFLAGS"]);
        assert_eq!(names(false, "-j --jobserver-auth=3,4"), ["CARGO_MAKEFLAGS"]);
        assert_eq!(names(false, "-j4"), ["CARGO_MAKEFLAGS", "MAKEFLAGS"]);
        assert_eq!(names(true, ""), ["CARGO_MAKEFLAGS", "MAKEFLAGS"]);
    }
}
