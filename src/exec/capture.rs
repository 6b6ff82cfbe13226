//! What an attempt prints: masked once, then to the log, the tail kept in memory, and whoever watches. The memory
//! used does not depend on how much is printed; an attempt that prints nothing costs nothing.

use super::log::AttemptLog;
use super::mask::{MaskStream, Masker};
use super::{Attempt, OutputObserver, Part};
use crate::sys::Dir;
use crate::text;
use std::time::{Duration, Instant};

/// Kept in memory, for rules that look at the output of a failure.
const TAIL: usize = 32 * 1024;
/// The longest tail in a report.
pub(super) const REPORT_TAIL: usize = 2048;
/// Between two lines shown of one attempt.
const SHOW_EVERY: Duration = Duration::from_millis(100);
const LONGEST_SHOWN: usize = 1024;

pub(super) struct Capture<'a> {
    masker: &'a Masker,
    observer: &'a dyn OutputObserver,
    attempt: &'a Attempt<'a>,
    run_dir: &'a Dir,
    /// How much of the begin and of the end the log keeps.
    room: (u64, u64),
    /// From the first output on.
    log: Option<AttemptLog<'a>>,
    stream: MaskStream,
    tail: Vec<u8>,
    /// Bytes the attempt printed, as it printed them.
    pub(super) bytes: u64,
    shown: Option<Instant>,
}

impl<'a> Capture<'a> {
    pub(super) fn new(
        masker: &'a Masker,
        observer: &'a dyn OutputObserver,
        attempt: &'a Attempt<'a>,
        run_dir: &'a Dir,
    ) -> Capture<'a> {
        let stream = MaskStream::default();
        Capture {
            masker,
            observer,
            attempt,
            run_dir,
            room: AttemptLog::ROOM,
            log: None,
            stream,
            tail: Vec::new(),
            bytes: 0,
            shown: None,
        }
    }

    /// The log keeps so much of the begin and of the end.
    pub(super) fn keeping(self, room: (u64, u64)) -> Capture<'a> {
        Capture { room, ..self }
    }

    pub(super) fn push(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        let name = (self.log.is_none()).then(|| self.log_name());
        let Capture { log, tail, stream, masker, run_dir, room, .. } = self;
        let log = log.get_or_insert_with(|| AttemptLog::new(run_dir, name.unwrap_or_default().into(), *room));
        stream.push(masker, piece, &mut |text| keep(log, tail, text));
        if self.observer.is_watching() {
            self.show();
        }
    }

    /// A process has ended: what was held back was no secret.
    pub(super) fn end_of_stream(&mut self) {
        let Capture { log: Some(log), tail, stream, masker, .. } = self else { return };
        stream.finish(masker, &mut |text| keep(log, tail, text));
    }

    /// The next block begins: the tail is about it alone.
    pub(super) fn next_block(&mut self) {
        self.tail.clear();
    }

    /// The last output of the current block.
    pub(super) fn tail(&self) -> String {
        String::from_utf8_lossy(last(&self.tail, TAIL)).into_owned()
    }

    /// Closes the log; how many bytes it could not take.
    pub(super) fn finish(&mut self) -> u64 {
        self.log.as_mut().map_or(0, AttemptLog::finish)
    }

    /// Relative to the run's directory; empty if nothing was printed.
    pub(super) fn log_name(&self) -> String {
        if self.bytes == 0 {
            return String::new();
        }
        let again = match self.attempt.part {
            Part::All => "",
            Part::Verify => "-merged",
            Part::Checks => "-checks",
        };
        let task = text::file_name(self.attempt.task.id.as_str());
        format!("tasks/{task}/attempt-{}{again}.log", self.attempt.number)
    }

    fn show(&mut self) {
        let now = Instant::now();
        if self.shown.is_some_and(|shown| now < shown + SHOW_EVERY) {
            return;
        }
        let text = last(&self.tail, LONGEST_SHOWN);
        let mut lines = text.rsplit(|b| matches!(b, b'\n' | b'\r'));
        if let Some(line) = lines.find(|line| !line.trim_ascii().is_empty()) {
            self.shown = Some(now);
            self.observer.line(self.attempt.ix, &String::from_utf8_lossy(line));
        }
    }
}

fn keep(log: &mut AttemptLog<'_>, tail: &mut Vec<u8>, text: &[u8]) {
    log.write(text);
    // Shortened only when twice as long, so that many small pieces are not moved each time.
    if tail.len() + text.len() > 2 * TAIL {
        let keep = TAIL.saturating_sub(text.len());
        tail.drain(..tail.len().saturating_sub(keep));
    }
    tail.extend_from_slice(last(text, TAIL));
}

fn last(bytes: &[u8], n: usize) -> &[u8] {
    &bytes[bytes.len().saturating_sub(n)..]
}

/// The last whole lines of `tail` that fit into a report.
pub(super) fn report_tail(tail: &str) -> String {
    let tail = tail.trim_end();
    if tail.len() <= REPORT_TAIL {
        return tail.to_owned();
    }
    let mut from = tail.len() - REPORT_TAIL;
    while !tail.is_char_boundary(from) {
        from += 1;
    }
    let end = &tail[from..];
    // A single endless line is cut instead.
    end.split_once('\n').map_or(end, |(_, lines)| lines).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TaskIx;

    #[test]
    fn the_tail_in_a_report_is_short_and_begins_with_a_line() {
        let lines: Vec<String> = (0..1000).map(|n| format!("line é {n}\n")).collect();
        let lines = lines.concat();
        let tail = report_tail(&lines);
        assert!(tail.len() <= REPORT_TAIL && tail.starts_with("line é ") && tail.ends_with("line é 999"));
        assert!(report_tail(&"é".repeat(5000)).len() <= REPORT_TAIL);
        assert_eq!(report_tail("a\nb\n\n"), "a\nb");
    }

    #[test]
    fn memory_does_not_grow_with_output() {
        let dir = tempfile::tempdir().unwrap();
        let masker = Masker::new([]);
        let task = super::super::shell::tests::task(&[]);
        let attempt = Attempt::new(TaskIx(0), &task, 1, true);
        let run = Dir::open(dir.path()).unwrap();
        let mut capture = Capture::new(&masker, &super::super::NoObserver, &attempt, &run);
        for _ in 0..200 {
            capture.push(&[b'x'; 5000]);
        }
        capture.end_of_stream();
        assert_eq!(capture.bytes, 1_000_000);
        assert!(capture.tail.capacity() <= 4 * TAIL);
        assert_eq!(capture.tail().len(), TAIL);
    }
}
