//! Whichever of the two kinds of progress fits the screen, behind one type for the driver.

use super::plain::Plain;
use super::progress::{Live, Restorer};
use super::theme::Screen;
use super::view::View;
use crate::event::{Elapsed, Event};
use crate::plan::Plan;
use crate::sink::{Sink, SinkError};
use crate::task::TaskId;
use std::io::{self, Write};
use std::time::Duration;

/// Progress on a terminal or elsewhere. A broken pipe comes back as an error of kind `BrokenPipe`.
pub enum Console {
    Live(Box<Live>),
    Plain(Box<Plain>),
}

impl Console {
    /// The live block where somebody looks and the screen is not quiet, plain lines elsewhere.
    pub fn new(out: Box<dyn Write + Send>, screen: Screen, view: View, header: &[String]) -> Console {
        if screen.interactive && !screen.quiet {
            Console::Live(Box::new(Live::new(out, screen, view, header)))
        } else {
            Console::Plain(Box::new(Plain::new(out, screen, view, header)))
        }
    }

    pub fn view(&self) -> &View {
        match self {
            Console::Live(live) => live.view(),
            Console::Plain(plain) => plain.view(),
        }
    }

    /// Whether [`Console::tick`] must come several times a second to be of use.
    pub fn is_live(&self) -> bool {
        matches!(self, Console::Live(_))
    }

    /// A line of a running task's output. May be dropped by the caller when there are too many.
    pub fn output(&mut self, task: &TaskId, line: &str) -> io::Result<()> {
        match self {
            Console::Live(live) => {
                live.output(task, line);
                Ok(())
            }
            Console::Plain(plain) => plain.output(task, line),
        }
    }

    /// A line that is no event.
    pub fn say(&mut self, line: &str) -> io::Result<()> {
        match self {
            Console::Live(live) => {
                live.say(line);
                Ok(())
            }
            Console::Plain(plain) => plain.say(line),
        }
    }

    pub fn set_time_left(&mut self, left: Option<Duration>) {
        match self {
            Console::Live(live) => live.set_time_left(left),
            Console::Plain(plain) => plain.set_time_left(left),
        }
    }

    /// When the next tick may do something.
    pub fn next_tick(&self) -> Elapsed {
        match self {
            Console::Live(live) => live.next_frame(),
            Console::Plain(plain) => plain.next_heartbeat(),
        }
    }

    /// Draws what is due. Cheap when nothing is.
    pub fn tick(&mut self, now: Elapsed) -> io::Result<()> {
        match self {
            Console::Live(live) => live.draw(now),
            Console::Plain(plain) => plain.tick(now),
        }
    }

    /// Takes a live block away until the next tick.
    pub fn hide(&mut self) -> io::Result<()> {
        match self {
            Console::Live(live) => live.hide(),
            Console::Plain(_) => Ok(()),
        }
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        if let Console::Live(live) = self {
            live.resize(columns, rows);
        }
    }

    /// Writes what is left; takes the block away. Call it on every way out, before the end summary.
    pub fn finish(&mut self) -> io::Result<()> {
        match self {
            Console::Live(live) => live.finish(),
            Console::Plain(plain) => plain.finish(),
        }
    }

    /// For the panic hook.
    pub fn restorer(&self) -> Option<Restorer> {
        match self {
            Console::Live(live) => Some(live.restorer()),
            Console::Plain(_) => None,
        }
    }
}

impl Sink for Console {
    fn on_event(&mut self, plan: &Plan, event: &Event) -> Result<(), SinkError> {
        match self {
            Console::Live(live) => live.on_event(plan, event),
            Console::Plain(plain) => plain.on_event(plan, event),
        }
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        match self {
            Console::Live(live) => live.flush(),
            Console::Plain(plain) => plain.flush(),
        }
    }
}
