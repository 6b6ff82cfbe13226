//! Progress for everything that is no terminal: plain lines, one a task, with a sign of life when nothing happens.
//!
//! Written in batches: lines are gathered and written when the driver flushes or 8 kB are full, never once per event
//! when many come at once. Reads no clock: the driver calls [`Plain::tick`].

use super::lines::{Blocked, push_routine, tell_if_wanted};
use super::text::{duration, elide, output_line, plural};
use super::theme::{Label, Screen, Sign};
use super::view::View;
use crate::event::{Elapsed, Event, EventKind};
use crate::plan::Plan;
use crate::sink::{Sink, SinkError};
use crate::task::TaskId;
use crate::text::safe;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

/// Written at the latest when this much has been gathered.
const BUFFER: usize = 8 << 10;
/// After this long without a line, one says what is running.
pub const HEARTBEAT: Duration = Duration::from_secs(30);
/// Running tasks that a heartbeat names.
const BEATING: usize = 3;

pub struct Plain {
    out: Box<dyn Write + Send>,
    screen: Screen,
    view: View,
    blocked: Blocked,
    buffer: String,
    /// Room to put words together in.
    words: String,
    last_line: Elapsed,
}

impl Plain {
    /// `view` is empty for a fresh run; see [`View::resumed`].
    pub fn new(out: Box<dyn Write + Send>, screen: Screen, view: View, header: &[String]) -> Plain {
        let mut plain = Plain {
            out,
            screen,
            view,
            blocked: Blocked::default(),
            buffer: String::new(),
            words: String::new(),
            last_line: Elapsed::ZERO,
        };
        if !screen.quiet {
            for line in header {
                plain.push(line);
            }
        }
        plain
    }

    pub fn view(&self) -> &View {
        &self.view
    }

    pub fn set_time_left(&mut self, left: Option<Duration>) {
        self.view.time_left = left;
    }

    /// A line of a running task's output: kept for the heartbeat, printed with `-vv`.
    pub fn output(&mut self, task: &TaskId, line: &str) -> io::Result<()> {
        self.view.output(task, line);
        if self.screen.verbose < 2 {
            return Ok(());
        }
        let bar = self.screen.sign(Sign::Bar);
        self.push(&format!("{} {bar} {}", safe(task.as_str()), safe(&output_line(line))));
        self.write_if(BUFFER)
    }

    /// A line that is no event.
    pub fn say(&mut self, line: &str) -> io::Result<()> {
        self.push(line);
        self.write_if(1)
    }

    pub fn next_heartbeat(&self) -> Elapsed {
        self.last_line + HEARTBEAT
    }

    /// Called now and then: says what is running if nothing was said for long.
    pub fn tick(&mut self, now: Elapsed) -> io::Result<()> {
        if !self.screen.quiet && now >= self.last_line + HEARTBEAT && self.view.outcome.is_none() {
            self.last_line = now;
            let line = heartbeat(&self.screen, &self.view, now);
            self.push(&line);
        }
        self.write_if(1)
    }

    /// Writes what is left. Call it on every way out.
    pub fn finish(&mut self) -> io::Result<()> {
        self.end_blocked();
        self.write_if(1)?;
        self.out.flush()
    }

    fn take_in(&mut self, plan: &Plan, event: &Event) {
        self.view.apply(plan, event);
        let before = self.buffer.len();
        if let EventKind::TaskBlocked { task, by } = &event.kind {
            if let Some(line) = self.blocked.add(&self.screen, plan, task, by) {
                self.push(&line);
            }
        } else {
            self.end_blocked();
            let told = (&self.screen, &self.view, plan);
            if push_routine(&mut self.buffer, &mut self.words, told, event) {
                self.buffer.push('\n');
            } else if let Some(told) = tell_if_wanted(&self.screen, &self.view, plan, event) {
                told.lines.iter().for_each(|line| self.push(line));
            }
        }
        if self.buffer.len() > before {
            self.last_line = event.at;
        }
    }

    fn end_blocked(&mut self) {
        if self.blocked.is_empty() {
            return; // as before nearly every event
        }
        if let Some(line) = self.blocked.take(&self.screen) {
            self.push(&line);
        }
    }

    fn push(&mut self, line: &str) {
        self.buffer.push_str(line);
        self.buffer.push('\n');
    }

    fn write_if(&mut self, at_least: usize) -> io::Result<()> {
        if self.buffer.len() < at_least {
            return Ok(());
        }
        let result = self.out.write_all(self.buffer.as_bytes());
        self.buffer.clear();
        result
    }
}

impl Sink for Plain {
    fn on_event(&mut self, plan: &Plan, event: &Event) -> Result<(), SinkError> {
        self.take_in(plan, event);
        self.write_if(BUFFER).map_err(sink_error)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.end_blocked();
        self.write_if(1).map_err(sink_error)
    }
}

fn sink_error(source: io::Error) -> SinkError {
    SinkError { what: "cannot write progress".to_owned(), source }
}

/// `5/12 done, 2 running: T005 1m 3s (compiling foo), T006 12s`
fn heartbeat(screen: &Screen, view: &View, now: Elapsed) -> String {
    let running = view.running();
    let named: Vec<String> = running
        .iter()
        .take(BEATING)
        .map(|task| {
            let last = elide(&task.last_line, 40, screen.sign(Sign::Ellipsis));
            let last = if last.is_empty() { last } else { format!(" ({last})") };
            format!("{} {}{last}", safe(task.id.as_str()), duration(now.saturating_sub(task.since)))
        })
        .collect();
    let mut words = format!("[{}/{}] ", view.settled(), view.selected);
    match (running.len(), view.waiting().first()) {
        (0, Some(next)) => {
            let wait = duration(next.until.saturating_sub(now));
            let next = safe(next.id.as_str());
            let _ = write!(words, "{} waiting, next is {next} in {wait}", view.waiting_count());
        }
        (0, None) => words += "nothing is running",
        (n, _) => {
            let more = if n > BEATING { ", and more" } else { "" };
            let _ = write!(words, "{} running: {}{more}", n, named.join(", "));
        }
    }
    if let Some(left) = view.time_left {
        let _ = write!(words, ", about {} left", duration(left));
    }
    screen.paint(Label::Dim, elide(&words, screen.width, screen.sign(Sign::Ellipsis))).to_string()
}

/// How many lines of tasks were folded into one: for the live screen.
pub(super) fn folded(screen: &Screen, view: &View, count: usize) -> String {
    let words = format!("{} {} done", screen.sign(Sign::Ellipsis), plural(count, "task"));
    let counter = format!("[{}/{}]", view.settled(), view.selected);
    format!("{} {words}", screen.paint(Label::Dim, counter))
}
