//! The prompt into an agent's input, as fast as it reads and no faster. That it does not read, or ends first, is its own
//! business.

use crate::sys;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// Into a pipe of this size most prompts fit at once.
const PIPE: u32 = 1 << 20;

pub(super) struct Feed {
    /// None once all is written, or nobody reads any more.
    fd: Option<OwnedFd>,
    text: Vec<u8>,
    at: usize,
    /// Closed once all is written.
    is_last: bool,
}

impl Feed {
    /// The end for the agent to read, and what feeds it; `is_last`: nothing follows.
    pub(super) fn new(text: Vec<u8>, is_last: bool) -> io::Result<(OwnedFd, Feed)> {
        let (read, write) = sys::pipe()?;
        sys::never_wait(write.as_fd())?;
        if text.len() > 1 << 16 {
            sys::grow_pipe(write.as_fd(), PIPE);
        }
        let mut feed = Feed { fd: Some(write), text, at: 0, is_last };
        feed.go_on();
        Ok((read, feed))
    }

    /// To wait for.
    pub(super) fn wanting(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().filter(|_| self.is_last || self.unread() > 0).map(OwnedFd::as_fd)
    }

    /// Bytes that the agent's input had no room for yet.
    pub(super) fn unread(&self) -> usize {
        self.text.len() - self.at
    }

    /// Writes this too, after what is there.
    pub(super) fn push(&mut self, more: &[u8]) {
        if !more.is_empty() && self.fd.is_some() {
            self.text.drain(..self.at);
            self.at = 0;
            self.text.extend_from_slice(more);
            self.go_on();
        }
    }

    /// Nothing follows.
    pub(super) fn end(&mut self) {
        if !self.is_last {
            self.is_last = true;
            self.go_on();
        }
    }

    /// Writes what can be written now, and closes when that was all.
    pub(super) fn go_on(&mut self) {
        while let Some(fd) = &self.fd {
            match self.text.get(self.at..).filter(|rest| !rest.is_empty()) {
                None if self.is_last => self.fd = None,
                None => break,
                Some(rest) => match sys::write(fd.as_fd(), rest) {
                    Ok(put) => self.at += put,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                    // Nobody reads it any more.
                    Err(_) => self.fd = None,
                },
            }
        }
        (self.text, self.at) = (Vec::new(), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn a_prompt_of_any_size_arrives_whole_and_ends() {
        for size in [0, 10, 5 << 20] {
            let text: Vec<u8> = (0..size).map(|n: usize| b'a' + (n % 23) as u8).collect();
            let (read, mut feed) = Feed::new(text.clone(), true).unwrap();
            let reader = std::thread::spawn(move || {
                let mut got = Vec::new();
                std::fs::File::from(read).read_to_end(&mut got).unwrap();
                got
            });
            while let Some(fd) = feed.wanting() {
                sys::poll_writing([None], Some(fd), None).unwrap();
                feed.go_on();
            }
            assert_eq!(reader.join().unwrap(), text);
        }
    }

    #[test]
    fn who_does_not_read_it_is_not_waited_for() {
        let (read, mut feed) = Feed::new(vec![b'x'; 5 << 20], true).unwrap();
        assert!(feed.wanting().is_some(), "it does not fit");
        drop(read);
        feed.go_on();
        assert!(feed.wanting().is_none());
    }
}
