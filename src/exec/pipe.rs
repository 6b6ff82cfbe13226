//! What a process prints, as it comes out of its pipe: piece by piece while the process runs, and what is still in the
//! pipe at its end. What the pieces mean is their reader's business.

use crate::sys::{self, Interest, Ready};
use std::cell::RefCell;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

const PIECE: usize = 64 * 1024;
/// What a pipe holds once it was grown; none of ours holds more.
pub(super) const MUCH: u32 = 1 << 20;

/// The end that is read.
pub(super) struct Printed(Option<OwnedFd>);

impl Printed {
    pub(super) fn new(out: OwnedFd) -> Printed {
        Printed(Some(out))
    }

    /// For whoever prints much.
    pub(super) fn grow(&self) {
        if let Some(out) = &self.0 {
            sys::grow_pipe(out.as_fd(), MUCH);
        }
    }

    /// To be waited for; nothing once it is over.
    pub(super) fn interest(&self) -> Interest<'_> {
        self.0.as_ref().map(OwnedFd::as_fd)
    }

    /// Nobody can print any more.
    pub(super) fn is_over(&self) -> bool {
        self.0.is_none()
    }

    /// Reads once, if there is anything; how much that was.
    pub(super) fn take(&mut self, ready: Ready, hear: impl FnOnce(&[u8])) -> usize {
        thread_local! { static ROOM: RefCell<Vec<u8>> = RefCell::new(vec![0; PIECE]); }
        let Some(out) = self.0.as_ref().filter(|_| ready.any()) else { return 0 };
        let got = if ready.readable {
            ROOM.with_borrow_mut(|room| {
                let got = sys::read(out.as_fd(), room).unwrap_or(0);
                if got > 0 {
                    hear(&room[..got]);
                }
                got
            })
        } else {
            0
        };
        if got == 0 {
            self.0 = None;
        }
        got
    }

    /// What is still in the pipe, without waiting for more: bounded by what a pipe holds and not by time, or a busy
    /// machine would lose the end of it. It is over then, whoever else still holds the other end.
    pub(super) fn drain(&mut self, mut hear: impl FnMut(&[u8])) {
        let mut left = MUCH as usize;
        while left > 0 && !self.is_over() {
            let Ok([ready]) = sys::poll([self.interest()], Some(Duration::ZERO)) else { break };
            match self.take(ready, &mut hear) {
                0 => break,
                got => left = left.saturating_sub(got),
            }
        }
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, OpenOptions};
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    /// A pipe that holds as much as one can, and somebody who could go on printing.
    fn full() -> (Printed, File, usize) {
        let (out, into) = sys::pipe().unwrap();
        let out = Printed::new(out);
        out.grow();
        let path = format!("/proc/self/fd/{}", into.as_raw_fd());
        let mut into = OpenOptions::new().write(true).custom_flags(sys::NEVER_WAIT).open(path).unwrap();
        let mut held = 0;
        while let Ok(n) = into.write(&[b'x'; 4096]) {
            held += n;
        }
        (out, into, held)
    }

    #[test]
    fn what_is_still_in_a_pipe_is_read_to_its_end_though_somebody_holds_it() {
        let (mut out, _held, full) = full();
        let mut heard = 0;
        out.drain(|piece| heard += piece.len());
        assert_eq!((heard, out.is_over()), (full, true));
        assert!(full >= 64 << 10, "{full}");
    }

    #[test]
    fn whoever_prints_faster_than_is_read_does_not_hold_the_end() {
        let (mut out, mut into, full) = full();
        let mut heard = 0;
        out.drain(|piece| {
            heard += piece.len();
            // No reader at all is what the last of these finds.
            let _refused_where_full = into.write_all(&vec![b'y'; piece.len()]);
        });
        assert!(out.is_over() && heard >= full && heard <= MUCH as usize + PIECE, "{heard} of {full}");
    }

    #[test]
    fn an_end_without_a_word_is_an_end() {
        let (out, into) = sys::pipe().unwrap();
        let mut out = Printed::new(out);
        drop(into);
        let [ready] = sys::poll([out.interest()], None).unwrap();
        assert_eq!((out.take(ready, |_| panic!("nothing was said")), out.is_over()), (0, true));
    }
}
