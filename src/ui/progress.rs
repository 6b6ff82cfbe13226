//! The live screen of a terminal: finished tasks scroll up, a block below says what is going on. Only this file names
//! indicatif.
//!
//! Events only mark it dirty and queue lines; the driver calls [`Live::draw`] on a tick, and a frame is one write. When
//! tasks end faster than a person reads, their lines become a count; failures are always shown. The cursor is never
//! hidden and no terminal mode is changed, so there is nothing that a kill could leave behind but the block itself.

use super::block::block;
use super::lines::{Blocked, Weight, tell_if_wanted};
use super::plain::folded;
use super::text::{elide, output_line, width};
use super::theme::{Screen, Sign};
use super::view::View;
use crate::event::{Elapsed, Event, EventKind};
use crate::plan::Plan;
use crate::sink::{Sink, SinkError};
use crate::task::TaskId;
use crate::text::safe;
use anstream::adapter::strip_str;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};
use std::fmt;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Nothing is drawn earlier: a short run shows no block at all.
pub const FIRST_FRAME: Duration = Duration::from_millis(250);
/// The shortest time between two frames: 10 a second are as smooth as needed and cost half of 20.
pub const FRAME: Duration = Duration::from_millis(100);
/// Without any event, elapsed times still move on.
const IDLE_FRAME: Duration = Duration::from_millis(500);
/// Lines of done tasks a second; more are folded into a count.
const LINES_PER_SECOND: f64 = 20.0;
/// A count of folded lines appears at most this often.
const FOLD_EVERY: Duration = Duration::from_secs(1);
/// After this many failures, only their first line is shown.
const FULL_FAILURES: usize = 30;

pub struct Live {
    screen: Screen,
    view: View,
    pen: Pen,
    bar: ProgressBar,
    text: Arc<Mutex<String>>,
    blocked: Blocked,
    queue: Vec<String>,
    folded: usize,
    last_fold: Elapsed,
    allowance: Allowance,
    failures: usize,
    is_dirty: bool,
    last_frame: Option<Elapsed>,
    is_finished: bool,
}

impl Live {
    /// `view` is empty for a fresh run; see [`View::resumed`].
    pub fn new(out: Box<dyn Write + Send>, screen: Screen, view: View, header: &[String]) -> Live {
        let pen = Pen::new(out, &screen);
        let text = Arc::new(Mutex::new(String::new()));
        Live {
            screen,
            view,
            bar: new_bar(&pen, &text),
            pen,
            text,
            blocked: Blocked::default(),
            queue: if screen.quiet { Vec::new() } else { header.to_vec() },
            folded: 0,
            last_fold: Elapsed::ZERO,
            allowance: Allowance::default(),
            failures: 0,
            is_dirty: true,
            last_frame: None,
            is_finished: false,
        }
    }

    pub fn view(&self) -> &View {
        &self.view
    }

    pub fn set_time_left(&mut self, left: Option<Duration>) {
        self.view.time_left = left;
    }

    /// A line of a running task's output; with `-vv` it also scrolls by.
    pub fn output(&mut self, task: &TaskId, line: &str) {
        self.view.output(task, line);
        self.is_dirty = true;
        if self.screen.verbose >= 2 {
            let bar = self.screen.sign(Sign::Bar);
            let room = self.screen.width.saturating_sub(width(&safe(task.as_str())) + 3);
            let line = elide(&output_line(line), room, self.screen.sign(Sign::Ellipsis));
            self.queue.push(format!("{} {bar} {line}", safe(task.as_str())));
        }
    }

    /// A line that is no event.
    pub fn say(&mut self, line: &str) {
        self.queue.push(line.to_owned());
        self.is_dirty = true;
    }

    /// When the next call of [`Live::draw`] may do something: the driver need not tick earlier.
    pub fn next_frame(&self) -> Elapsed {
        match self.last_frame {
            None => FIRST_FRAME,
            Some(last) => last + if self.is_dirty { FRAME } else { IDLE_FRAME },
        }
    }

    /// Draws a frame if one is due. Cheap when it is not.
    pub fn draw(&mut self, now: Elapsed) -> io::Result<()> {
        if self.is_finished || now < self.next_frame() {
            return Ok(());
        }
        self.last_frame = Some(now);
        self.is_dirty = false;
        self.end_blocked();
        if now >= self.last_fold + FOLD_EVERY {
            self.last_fold = now;
            self.end_folded();
        }
        self.frame(&block(&self.screen, &self.view, now))
    }

    /// The terminal has another size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let (columns, rows) = (usize::from(columns.max(1)), usize::from(rows.max(1)));
        if (columns, rows) == (self.screen.width, self.screen.height) {
            return;
        }
        (self.screen.width, self.screen.height) = (columns, rows);
        self.pen.erase(columns, rows);
        // A new target for the same bar: dropping the old bar would draw once more, over lines that are not its own.
        self.bar.set_draw_target(target(&self.pen));
        self.is_dirty = true;
    }

    /// Takes the block away for a while: the next [`Live::draw`] brings it back.
    pub fn hide(&mut self) -> io::Result<()> {
        self.is_dirty = true;
        if self.last_frame.is_some() { self.frame(&[]) } else { Ok(()) }
    }

    /// Writes what is left and takes the block away. Call it on every way out; dropping does it too.
    pub fn finish(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.is_finished, true) {
            return Ok(());
        }
        self.end_blocked();
        self.end_folded();
        if self.last_frame.is_none() && self.queue.is_empty() {
            return Ok(());
        }
        let result = self.frame(&[]);
        self.bar.finish_and_clear();
        self.pen.end_line().and(result)
    }

    /// For a panic hook: makes room below the block, so that the message is not written into it.
    pub fn restorer(&self) -> Restorer {
        Restorer { pen: self.pen.clone() }
    }

    fn frame(&mut self, block: &[String]) -> io::Result<()> {
        *lock(&self.text) = block.join("\n");
        self.pen.ink().drawn = block.iter().map(|line| width(&strip_str(line).to_string())).collect();
        let lines = std::mem::take(&mut self.queue);
        if lines.is_empty() {
            self.bar.force_draw();
        } else {
            self.bar.println(lines.join("\n"));
        }
        self.pen.take_error()
    }

    fn take_in(&mut self, plan: &Plan, event: &Event) {
        self.view.apply(plan, event);
        self.is_dirty = true;
        if let EventKind::TaskBlocked { task, by } = &event.kind {
            let line = self.blocked.add(&self.screen, plan, task, by);
            self.queue.extend(line);
            return;
        }
        self.end_blocked();
        // The fast path of very many short tasks: nothing is even worded.
        if matches!(event.kind, EventKind::TaskDone { .. }) && !self.allowance.take(event.at) {
            self.folded += 1;
            return;
        }
        let Some(mut told) = tell_if_wanted(&self.screen, &self.view, plan, event) else { return };
        if told.weight == Weight::Trouble {
            self.failures += 1;
            if self.failures > FULL_FAILURES {
                told.lines.truncate(1);
            }
        }
        self.queue.append(&mut told.lines);
    }

    fn end_blocked(&mut self) {
        let line = self.blocked.take(&self.screen);
        self.queue.extend(line);
    }

    fn end_folded(&mut self) {
        let count = std::mem::take(&mut self.folded);
        if count > 0 && !self.screen.quiet {
            self.queue.push(folded(&self.screen, &self.view, count));
        }
    }
}

impl Sink for Live {
    fn on_event(&mut self, plan: &Plan, event: &Event) -> Result<(), SinkError> {
        self.take_in(plan, event);
        match self.pen.take_error() {
            Ok(()) => Ok(()),
            Err(source) => Err(SinkError { what: "cannot write to the terminal".to_owned(), source }),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.is_finished = true;
            self.restorer().restore();
        } else {
            // Nobody is left to be told.
            let _ = self.finish();
        }
    }
}

/// One bar whose text is the whole block.
fn new_bar(pen: &Pen, text: &Arc<Mutex<String>>) -> ProgressBar {
    let text = Arc::clone(text);
    let draw = move |_: &ProgressState, out: &mut dyn fmt::Write| {
        let _ = out.write_str(&lock(&text));
    };
    let style = ProgressStyle::with_template("{block}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(None, target(pen)).with_style(style.with_key("block", draw))
}

fn target(pen: &Pen) -> ProgressDrawTarget {
    ProgressDrawTarget::term_like(Box::new(pen.clone()))
}

/// Lines that may scroll by: up to a second's worth at once, then as many as a person can follow.
#[derive(Debug)]
struct Allowance {
    left: f64,
    at: Elapsed,
}

impl Default for Allowance {
    fn default() -> Allowance {
        Allowance { left: LINES_PER_SECOND, at: Elapsed::ZERO }
    }
}

impl Allowance {
    fn take(&mut self, now: Elapsed) -> bool {
        let gained = now.saturating_sub(self.at).as_secs_f64() * LINES_PER_SECOND;
        self.at = self.at.max(now);
        // What is refused counts too: lines come back when tasks end slowly again, not now and then between.
        self.left = (self.left + gained - 1.0).clamp(-LINES_PER_SECOND, LINES_PER_SECOND);
        self.left >= 0.0
    }
}

/// Leaves the block as it stands and goes to a fresh line. Safe to call from a panic hook, more than once.
#[derive(Clone)]
pub struct Restorer {
    pen: Pen,
}

impl Restorer {
    pub fn restore(&self) {
        // The panic may have come from within a frame: then the lock is held and there is nothing to do.
        if let Ok(mut ink) = self.pen.ink.try_lock() {
            let _ = ink.end_line();
        }
    }
}

/// What indicatif draws with. It gathers a frame and writes it at once, and ends lines by line ends instead of filling
/// them with blanks up to the border, which makes a frame a fraction of the size.
#[derive(Clone)]
struct Pen {
    ink: Arc<Mutex<Ink>>,
}

struct Ink {
    out: Box<dyn Write + Send>,
    buffer: String,
    width: usize,
    height: usize,
    /// The next piece is the filler behind a line.
    is_filler: bool,
    /// The cursor stands behind a line that has no end yet.
    is_open: bool,
    /// Widths of the lines of the last frame.
    drawn: Vec<usize>,
    error: Option<io::Error>,
}

impl Pen {
    fn new(out: Box<dyn Write + Send>, screen: &Screen) -> Pen {
        let ink = Ink {
            out,
            buffer: String::new(),
            width: screen.width,
            height: screen.height,
            is_filler: false,
            is_open: false,
            drawn: Vec::new(),
            error: None,
        };
        Pen { ink: Arc::new(Mutex::new(ink)) }
    }

    fn ink(&self) -> MutexGuard<'_, Ink> {
        lock(&self.ink)
    }

    fn take_error(&self) -> io::Result<()> {
        self.ink().error.take().map_or(Ok(()), Err)
    }

    fn end_line(&self) -> io::Result<()> {
        self.ink().end_line()
    }

    /// Takes the block away as it stands after the terminal broke its lines anew.
    fn erase(&self, columns: usize, rows: usize) {
        let mut ink = self.ink();
        (ink.width, ink.height) = (columns, rows);
        if !std::mem::take(&mut ink.is_open) {
            return;
        }
        let broken: usize = ink.drawn.iter().map(|line| line.div_ceil(columns).max(1)).sum();
        let up = broken.min(rows).saturating_sub(1);
        ink.buffer.push('\r');
        ink.up(up);
        ink.buffer.push_str("\x1b[J");
        ink.write();
    }
}

impl Ink {
    /// Moves the cursor `n` places.
    fn moves(&mut self, n: usize, direction: &str) {
        let _ = write!(self.buffer, "\x1b[{n}{direction}");
    }

    fn up(&mut self, lines: usize) {
        if lines > 0 {
            self.moves(lines, "A");
        }
    }

    fn end_line(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_open) {
            self.buffer.push_str("\r\n");
        }
        self.write();
        self.error.take().map_or(Ok(()), Err)
    }

    fn write(&mut self) {
        if !self.buffer.is_empty() {
            let result = self.out.write_all(self.buffer.as_bytes()).and_then(|()| self.out.flush());
            self.error = result.err().or(self.error.take());
            self.buffer.clear();
        }
    }
}

impl fmt::Debug for Pen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pen")
    }
}

impl TermLike for Pen {
    fn width(&self) -> u16 {
        self.ink().width.min(usize::from(u16::MAX)) as u16
    }

    fn height(&self) -> u16 {
        self.ink().height.min(usize::from(u16::MAX)) as u16
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.ink().up(n);
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        if n > 0 {
            self.ink().moves(n, "B");
        }
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        if n > 0 {
            self.ink().moves(n, "C");
        }
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        if n > 0 {
            self.ink().moves(n, "D");
        }
        Ok(())
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.write_str(line)?;
        self.write_str("")
    }

    /// Called in pairs: a line, then the blanks that would fill it up.
    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut ink = self.ink();
        if std::mem::take(&mut ink.is_filler) {
            return Ok(());
        }
        if std::mem::replace(&mut ink.is_open, true) {
            ink.buffer.push_str("\r\n");
        }
        ink.buffer.push_str(text);
        ink.is_filler = true;
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        let mut ink = self.ink();
        ink.is_open = false;
        ink.buffer.push_str("\r\x1b[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        self.ink().write();
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
