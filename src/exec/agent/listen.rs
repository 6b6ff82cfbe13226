//! What an agent prints, heard once and for all: its raw output into the attempt's log, its events into the account and
//! the record, its last line to the screen, and for the watchdog whether it said anything new.

use super::super::OutputObserver;
use super::super::capture::Capture;
use super::super::refusal::may_have_refused;
use super::super::shell::ShellExecutor;
use super::super::{Attempt, NoObserver};
use super::files::{Files, Look};
use super::news::News;
use super::process::{self, Listener};
use super::steps::Steps;
use super::talk::Source;
use crate::agent::{Account, Told};
use crate::event::QuietStage;
use std::time::{Duration, Instant};

/// Of the error output so much is kept.
const STDERR: usize = 64 << 10;
/// Of the raw output so much is kept from its begin, and so much from its end.
const LOG: (u64, u64) = (48 << 20, 16 << 20);
/// To an agent that shows no sign of progress.
const NUDGE: &str = "You have shown no sign of progress for minutes. If something hangs, end it and go on with the task in another \
                     way; if you are done, end your turn.";
/// Between two lines shown.
const SHOW_EVERY: Duration = Duration::from_millis(100);

/// What was heard in all.
pub(super) struct Heard {
    pub(super) account: Account,
    pub(super) steps: u64,
    /// The end of the error output.
    pub(super) stderr: String,
    /// What a tool of it said last of a write that was refused.
    pub(super) refused: String,
    pub(super) log: String,
    pub(super) bytes: u64,
    /// It answered its prompt: how its process ended says nothing more.
    pub(super) has_answered: bool,
}

pub(super) struct Ear<'a> {
    shell: &'a ShellExecutor,
    attempt: &'a Attempt<'a>,
    observer: &'a dyn OutputObserver,
    capture: Capture<'a>,
    source: Source,
    told: Vec<Told>,
    account: Account,
    steps: Steps<'a>,
    news: News,
    errors: News,
    stderr: Vec<u8>,
    refused: String,
    files: (&'a Files<'a>, &'a Look),
    shown: Option<Instant>,
}

impl<'a> Ear<'a> {
    pub(super) fn new(
        shell: &'a ShellExecutor,
        attempt: &'a Attempt<'a>,
        observer: &'a dyn OutputObserver,
        source: Source,
        files: (&'a Files<'a>, &'a Look),
    ) -> Ear<'a> {
        Ear {
            shell,
            attempt,
            observer,
            // Nobody wants to see raw events.
            capture: Capture::new(&shell.masker, &NoObserver, attempt, &shell.run_dir).keeping(LOG),
            source,
            told: Vec::new(),
            account: Account::default(),
            steps: Steps::new(&shell.masker, files.0.root),
            news: News::default(),
            errors: News::default(),
            stderr: Vec::new(),
            refused: String::new(),
            files,
            shown: None,
        }
    }

    /// `is_clean`: its process ended by itself and with 0.
    pub(super) fn finish(mut self, is_clean: bool) -> Heard {
        self.source.finish(is_clean, &mut self.told);
        self.take();
        self.steps.finish();
        self.record();
        let stderr = self.end_of_errors();
        if !self.stderr.is_empty() {
            self.capture.push(b"\n[specter: the end of its error output]\n");
            let errors = std::mem::take(&mut self.stderr);
            self.capture.push(&errors);
        }
        self.capture.end_of_stream();
        let lost = self.capture.finish();
        self.shell.lost_log(lost);
        Heard {
            account: self.account,
            steps: self.steps.count(),
            stderr,
            refused: self.refused,
            log: self.capture.log_name(),
            bytes: self.capture.bytes,
            has_answered: self.source.has_answered(),
        }
    }

    fn end_of_errors(&self) -> String {
        String::from_utf8_lossy(&self.stderr[self.stderr.len().saturating_sub(STDERR)..]).into_owned()
    }

    /// What the reader understood goes where it belongs.
    fn take(&mut self) {
        for told in self.told.drain(..) {
            self.account.tell(&told);
            self.steps.tell(&told);
            // What went well may quote anything.
            if let Told::StepEnded { ok, exit, output, .. } = told
                && (ok == Some(false) || exit.is_some_and(|code| code != 0))
                && may_have_refused(&output)
            {
                self.refused = output;
            }
        }
    }

    /// What was understood is told to all.
    fn hand_on(&mut self) {
        if !self.told.is_empty() {
            self.take();
            self.record();
            self.show();
        }
    }

    fn record(&mut self) {
        let steps = self.steps.take();
        if !steps.is_empty() {
            self.observer.steps(steps);
        }
    }

    fn show(&mut self) {
        let now = Instant::now();
        if !self.observer.is_watching() || self.shown.is_some_and(|shown| now < shown + SHOW_EVERY) {
            return;
        }
        if let Some(line) = self.steps.line() {
            self.shown = Some(now);
            self.observer.line(self.attempt.ix, &line);
        }
    }
}

impl Listener for Ear<'_> {
    fn out(&mut self, piece: &[u8]) {
        self.capture.push(piece);
        self.news.hear(piece);
        self.source.feed(piece, &mut self.told);
        self.hand_on();
    }

    fn err(&mut self, piece: &[u8]) {
        self.errors.hear(piece);
        self.stderr.extend_from_slice(piece);
        // Shortened only when twice as long, so that many small pieces are not moved each time.
        if self.stderr.len() > 2 * STDERR {
            self.stderr.drain(..self.stderr.len() - STDERR);
        }
    }

    fn heard(&self) -> process::Heard {
        process::Heard {
            news: self.news.count + self.errors.count,
            open_calls: self.steps.open(),
            is_done: match self.source.linger() {
                Some(_) => self.source.is_over(),
                None => self.account.stop.is_some() && self.steps.open() == 0,
            },
        }
    }

    fn files(&mut self) -> u64 {
        let (files, before) = self.files;
        files.print(before)
    }

    fn say(&mut self, unread: usize) -> Vec<u8> {
        let said = self.source.say(unread, &mut self.told);
        self.hand_on();
        said
    }

    fn has_said_all(&self) -> bool {
        self.source.is_over()
    }

    fn time(&mut self, now: Duration) -> Option<Duration> {
        let next = self.source.time(now, &mut self.told);
        self.hand_on();
        next
    }

    fn cancel(&mut self) -> bool {
        let is_waited_for = self.source.cancel(&mut self.told);
        self.hand_on();
        is_waited_for
    }

    fn linger(&self) -> Option<Duration> {
        self.source.linger()
    }

    fn nudge(&mut self) -> bool {
        let is_heard = self.source.nudge(NUDGE.to_owned(), &mut self.told);
        self.hand_on();
        is_heard
    }

    fn quiet(&mut self, stage: QuietStage, quiet: Duration) {
        self.observer.quiet(stage, quiet);
    }
}
