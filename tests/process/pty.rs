//! A terminal with a person at it, played by a test: types, reads, closes the window.

use super::system;
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

pub(super) const CTRL_C: &str = "\x03";
pub(super) const CTRL_Z: &str = "\x1a";
pub(super) const CTRL_BACKSLASH: &str = "\x1c";

pub(super) struct Terminal {
    /// `None` once the window is closed.
    ours: Option<Arc<File>>,
    theirs: Option<File>,
    shown: Arc<Mutex<Vec<u8>>>,
    is_closed: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    before: Vec<u32>,
}

impl Terminal {
    pub(super) fn new(rows: u16, columns: u16) -> Terminal {
        let (ours, theirs) = system::terminal(rows, columns);
        let before = system::modes(&theirs);
        let ours = Arc::new(ours);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let is_closed = Arc::new(AtomicBool::new(false));
        let reader = {
            let (ours, shown, is_closed) = (Arc::clone(&ours), Arc::clone(&shown), Arc::clone(&is_closed));
            std::thread::spawn(move || read_all(&ours, &shown, &is_closed))
        };
        let theirs = Some(theirs);
        Terminal { ours: Some(ours), theirs, shown, is_closed, reader: Some(reader), before }
    }

    /// Starts `command` at this terminal, leading a session.
    pub(super) fn start(&self, command: Command) -> Child {
        self.start_as(command, "TERM", "xterm-256color")
    }

    /// The same, with one variable set.
    pub(super) fn start_as(&self, mut command: Command, name: &str, value: &str) -> Child {
        let side = || Stdio::from(self.theirs.as_ref().unwrap().try_clone().unwrap());
        command.stdin(side()).stdout(side()).stderr(side()).env("TERM", "xterm-256color").env(name, value);
        system::take_terminal(&mut command);
        command.spawn().unwrap()
    }

    pub(super) fn press(&self, keys: &str) {
        self.ours.as_deref().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    pub(super) fn resize(&self, rows: u16, columns: u16) {
        system::resize(self.ours.as_deref().unwrap(), rows, columns);
    }

    pub(super) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    /// Closes the window: whoever is at the other side is hung up on.
    pub(super) fn close(&mut self) {
        self.is_closed.store(true, Ordering::Release);
        self.reader.take().into_iter().for_each(|reader| reader.join().unwrap());
        self.theirs = None;
        self.ours = None;
    }

    /// What was written has been read when the terminal has nothing more for a while.
    fn settle(&self) {
        let mut quiet = 0;
        while quiet < 3 {
            let is_readable = system::is_readable(self.ours.as_deref().unwrap(), Duration::ZERO);
            quiet = if is_readable { 0 } else { quiet + 1 };
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The program has ended and the terminal is as it was: modes, cursor, screen.
    #[track_caller]
    pub(super) fn check_restored(&self) {
        self.settle();
        assert_eq!(system::modes(self.theirs.as_ref().unwrap()), self.before, "modes were left changed");
        let shown = self.shown();
        for (on, off, what) in [
            ("\x1b[?25l", "\x1b[?25h", "the cursor is hidden"),
            ("\x1b[?1049h", "\x1b[?1049l", "the other screen is shown"),
            ("\x1b[?7l", "\x1b[?7h", "lines are not wrapped"),
            ("\x1b[?2004h", "\x1b[?2004l", "pasting is bracketed"),
        ] {
            let is_on = shown.rfind(on).is_some_and(|at| shown.rfind(off).is_none_or(|later| later < at));
            assert!(!is_on, "{what}: {shown:?}");
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::Release);
    }
}

fn read_all(from: &File, into: &Mutex<Vec<u8>>, is_closed: &AtomicBool) {
    let mut piece = [0; 4096];
    while !is_closed.load(Ordering::Acquire) {
        if !system::is_readable(from, Duration::from_millis(10)) {
            continue;
        }
        match (&mut &*from).read(&mut piece) {
            Ok(n) if n > 0 => into.lock().unwrap().extend_from_slice(&piece[..n]),
            // Nobody has the other side open.
            _ => return,
        }
    }
}
