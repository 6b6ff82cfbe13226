//! The live block as lines of text: bar, running tasks, those that wait. Pure, so that every width is a test.

use super::text::{duration, elide, thousands, width};
use super::theme::{Label, Screen, Sign};
use super::view::{BackingOff, Running, View};
use crate::event::{Elapsed, providers};
use crate::text::safe;
use std::fmt::Write as _;
use std::time::Duration;

/// A task must have run this long to be worth a line: shorter ones only flicker.
const WORTH_A_LINE: Duration = Duration::from_millis(200);
/// The widest the bar itself gets.
const BAR_WIDTH: usize = 30;

/// The block for `now`: no line wider than the screen, no more lines than it is high, less one for the cursor.
pub fn block(screen: &Screen, view: &View, now: Elapsed) -> Vec<String> {
    let room = screen.height.saturating_sub(1).max(1);
    let mut lines = vec![bar(screen, view)];
    let running: Vec<&Running> =
        view.running().into_iter().filter(|task| now.saturating_sub(task.since) >= WORTH_A_LINE).collect();
    let waiting = view.waiting();
    let has_waiting = !waiting.is_empty() && room >= 3;
    let for_running = room - 1 - usize::from(has_waiting);
    let shown = if running.len() > for_running { for_running.saturating_sub(1) } else { running.len() };
    let id_width =
        running[..shown].iter().map(|task| width(&elide(task.id.as_str(), 16, ""))).max().unwrap_or(0);
    lines.extend(running[..shown].iter().map(|task| running_line(screen, task, now, id_width)));
    if shown < running.len() && for_running > 0 {
        let more = format!("  {} and {} more running", screen.sign(Sign::Ellipsis), running.len() - shown);
        lines.push(fit(screen, Label::Dim, &more));
    }
    if has_waiting {
        lines.push(waiting_line(screen, &waiting, now));
    }
    lines
}

fn fit(screen: &Screen, label: Label, text: &str) -> String {
    screen.paint(label, elide(text, screen.width, screen.sign(Sign::Ellipsis))).to_string()
}

/// `█████░░░░░  45%  5/12 · 2 running · 4 queued · 1 failed · ~1m 20s left`, dropping from the end what does not fit.
fn bar(screen: &Screen, view: &View) -> String {
    let count = format!(
        "{:>3}%  {}/{}",
        view.percent(),
        thousands(view.settled().into()),
        thousands(view.selected.into())
    );
    let count = elide(&count, screen.width, "");
    let mut line = String::new();
    let mut used = width(&count);
    let bar_width = (screen.width / 3).min(BAR_WIDTH);
    if bar_width >= 5 && used + bar_width < screen.width {
        let full = bar_width * view.percent() as usize / 100;
        line = format!(
            "{}{} ",
            screen.paint(Label::Done, screen.sign(Sign::BarFull).repeat(full)),
            screen.paint(Label::Dim, screen.sign(Sign::BarEmpty).repeat(bar_width - full)),
        );
        used += bar_width + 1;
    }
    line.push_str(&count);
    let separator = format!(" {} ", screen.sign(Sign::Dot));
    for (label, part) in parts(view) {
        used += width(&separator) + width(&part);
        if used > screen.width {
            break;
        }
        let _ = write!(line, "{}{}", screen.paint(Label::Dim, &separator), screen.paint(label, part));
    }
    line
}

/// `anthropic held until 03:10 UTC`
fn held(view: &View) -> Option<String> {
    let (name, until) = view.held.first_key_value()?;
    let until =
        until.map(|until| format!(" until {}", providers::clock(until).split_off("2026-11-22 ".len())));
    let more = match view.held.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!("{} held{}{more}", safe(name), until.unwrap_or_default()))
}

/// What stands behind the bar, the most telling first.
fn parts(view: &View) -> Vec<(Label, String)> {
    let counted = |label, n: u64, what: &str| (n > 0).then(|| (label, format!("{} {what}", thousands(n))));
    let waits_for = view.waits_for.filter(|_| !view.is_stopping);
    let held = held(view).filter(|_| !view.is_stopping);
    let left = view.time_left.filter(|_| !view.is_stopping);
    [
        view.is_stopping.then(|| (Label::Warning, "stopping".to_owned())),
        waits_for.map(|scarce| (Label::Warning, format!("waiting for {}", scarce.words()))),
        held.map(|words| (Label::Warning, words)),
        counted(Label::Failed, view.failed.into(), "failed"),
        counted(Label::Running, view.running_count() as u64, "running"),
        left.map(|left| (Label::Dim, format!("~{} left", duration(left)))),
        counted(Label::Warning, view.blocked.into(), "blocked"),
        counted(Label::Warning, view.parked.len() as u64, "parked"),
        counted(Label::Waiting, view.waiting_count() as u64, "to retry"),
        counted(Label::Dim, view.queued().into(), "queued"),
        counted(Label::Warning, view.manual.into(), "for a person"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `  T005  15s Write user tests · compiling foo`
fn running_line(screen: &Screen, task: &Running, now: Elapsed, id_width: usize) -> String {
    let ellipsis = screen.sign(Sign::Ellipsis);
    let id = elide(
        &super::text::pad(&elide(task.id.as_str(), 16, ""), id_width),
        screen.width.saturating_sub(2),
        "",
    );
    let mut rest = format!(" {:>4}", duration(now.saturating_sub(task.since)));
    if task.attempt > 1 {
        let _ = write!(rest, " (attempt {})", task.attempt);
    }
    let mut room = screen.width.saturating_sub(2 + width(&id));
    let rest = elide(&rest, room, "");
    room -= width(&rest);
    let mut line = format!("  {}{}", screen.paint(Label::Id, id), screen.paint(Label::Running, rest));
    if screen.width < 2 {
        return " ".repeat(screen.width);
    }
    let (title, last) = share(&task.title, &task.last_line, room, ellipsis);
    if !title.is_empty() {
        let _ = write!(line, " {title}");
    }
    if !last.is_empty() {
        line += &screen.paint(Label::Dim, format!(" {} {last}", screen.sign(Sign::Dot))).to_string();
    }
    line
}

/// The title takes what it needs up to half of the room, or more if the output is short; the output gets the rest.
fn share(title: &str, last: &str, room: usize, ellipsis: &str) -> (String, String) {
    let wanted = width(&elide(last, room, ellipsis));
    let for_title =
        if wanted == 0 { room.saturating_sub(1) } else { (room / 2).max(room.saturating_sub(wanted + 4)) };
    let title = elide(title, for_title.min(room.saturating_sub(1)), ellipsis);
    let left = room.saturating_sub(width(&title) + 1 + 3);
    let last = if left < 8 { String::new() } else { elide(last, left, ellipsis) };
    (title, last)
}

/// `  to retry: T008 attempt 2 in 3s, T010 attempt 3 in 9s`
fn waiting_line(screen: &Screen, waiting: &[&BackingOff], now: Elapsed) -> String {
    let named: Vec<String> = waiting
        .iter()
        .take(4)
        .map(|task| {
            let left = duration(task.until.saturating_sub(now));
            format!("{} attempt {} in {left} ({})", task.id, task.attempt, task.class.as_str())
        })
        .collect();
    fit(screen, Label::Waiting, &format!("  to retry: {}", named.join(", ")))
}
