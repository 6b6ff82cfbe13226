//! When a limit ends, as messages tell it: a point in time, a span, or what a clock will show. Pure: what time it is and
//! which zone a name means is handed in.
//!
//! Order (the surest first): a field with seconds since 1970, a span, an instant with its zone, a date or clock time.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use std::time::Duration;

/// Longer than this nobody is meant to wait: it was misread.
const MAX_DAYS: u64 = 400;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Seconds since 1970.
    At(i64),
    /// From when it was said.
    In(Duration),
    /// What a clock shows then.
    Clock(Clock),
}

/// A time of day, perhaps of a certain day, in some zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    pub day: Option<Day>,
    pub hour: i8,
    pub minute: i8,
    /// `UTC`, `America/New_York`. Nothing: the zone of the agent's process.
    pub zone: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    pub month: i8,
    pub day: i8,
    /// Nothing: the next one.
    pub year: Option<i16>,
}

impl Reset {
    /// The instant, not before `now`. `local` is the zone that the agent ran in; a name that `named` does not know is
    /// taken for it.
    pub fn resolve(
        &self,
        now: Timestamp,
        local: &TimeZone,
        named: &dyn Fn(&str) -> Option<TimeZone>,
    ) -> Option<Timestamp> {
        let at = match self {
            Reset::At(second) => Timestamp::from_second(*second).ok()?,
            Reset::In(span) => now.checked_add(*span).ok()?,
            Reset::Clock(clock) => clock.resolve(now, local, named)?,
        };
        Some(at.max(now))
    }
}

/// A time by the clock that is past by less is meant, not the next day's.
const JUST_PAST: Duration = Duration::from_mins(2);

impl Clock {
    fn resolve(
        &self,
        now: Timestamp,
        local: &TimeZone,
        named: &dyn Fn(&str) -> Option<TimeZone>,
    ) -> Option<Timestamp> {
        let zone = match self.zone.as_deref() {
            None => local.clone(),
            Some(name) if is_utc(name) => TimeZone::UTC,
            Some(name) => named(name).unwrap_or_else(|| local.clone()),
        };
        let today = now.to_zoned(zone.clone()).date();
        let time = Time::new(self.hour, self.minute, 0, 0).ok()?;
        let on = |date: Date| date.to_datetime(time).to_zoned(zone.clone()).ok().map(|at| at.timestamp());
        // A clock without seconds shows the minute that has begun: what it names may be over just before it is read.
        let earliest = now.checked_sub(JUST_PAST).ok()?;
        match self.day {
            None => {
                let days = [today.yesterday(), Ok(today), today.tomorrow()].into_iter().flatten();
                days.filter_map(on).find(|at| *at > earliest)
            }
            Some(Day { month, day, year: Some(year) }) => on(Date::new(year, month, day).ok()?),
            Some(Day { month, day, year: None }) => {
                let of = |year: i16| on(Date::new(year, month, day).ok()?);
                of(today.year()).filter(|at| *at > earliest).or_else(|| of(today.year().checked_add(1)?))
            }
        }
    }
}

fn is_utc(zone: &str) -> bool {
    ["utc", "gmt", "z", "etc/utc"].iter().any(|name| zone.eq_ignore_ascii_case(name))
}

/// When the limit that `message` speaks of ends.
pub fn find(message: &str) -> Option<Reset> {
    let lower = message.to_ascii_lowercase();
    unix(&lower)
        .map(Reset::At)
        .or_else(|| span_after(&lower, SPANS).map(Reset::In))
        .or_else(|| instant(message, &lower).map(Reset::At))
        .or_else(|| clock(message, &lower).map(Reset::Clock))
}

/// How long `message` asks to wait.
pub fn wait(message: &str) -> Option<Duration> {
    span_after(&message.to_ascii_lowercase(), SPANS)
}

const UNIX: &[&str] = &["resets_at", "resetsat", "reset_at", "limit reached|", "x-ratelimit-reset"];

/// `"resets_at":1795283000`, `Claude AI usage limit reached|1749924000`.
fn unix(lower: &str) -> Option<i64> {
    UNIX.iter().find_map(|name| {
        let rest = after_last(lower, name)?.trim_start_matches(['"', '\\', '\'', ':', '=', ' ']);
        let digits = &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())];
        match (digits.len(), digits.parse::<i64>().ok()?) {
            (10, seconds) => Some(seconds),
            (13, millis) => Some(millis / 1000),
            _ => None,
        }
    })
}

const SPANS: &[&str] = &[
    "resets_in_seconds",
    "retry-after",
    "retry_after",
    "retrydelay",
    "try again in",
    "retry in",
    "retry after",
    "retrying in",
    "resets in",
    "reset in",
    "resets after",
    "reset after",
    "available again in",
    "please wait",
];

/// The span told last, of the first of these phrases that tells one.
fn span_after(lower: &str, phrases: &[&str]) -> Option<Duration> {
    phrases.iter().find_map(|phrase| {
        let rest = after_last(lower, phrase)?;
        let rest = rest.trim_start_matches([' ', '"', '\\', '\'', ':', '=', '~']);
        let rest = rest.strip_prefix("about ").or_else(|| rest.strip_prefix("at least ")).unwrap_or(rest);
        span(rest)
    })
}

/// `2.5s`, `22h13m7s`, `1 hour 5 minutes`, `5 days, 3 hours and 2 minutes`, `30` (seconds).
fn span(text: &str) -> Option<Duration> {
    let (mut rest, mut total, mut parts) = (text, 0.0_f64, 0);
    while parts < 6 {
        let at = rest.trim_start_matches([' ', ',']);
        let at = at.strip_prefix("and ").unwrap_or(at);
        let digits = &at[..at.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(at.len())];
        let Ok(number) = digits.trim_end_matches('.').parse::<f64>() else { break };
        let after = at[digits.len()..].trim_start_matches(' ');
        let word = &after[..after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len())];
        match unit(word) {
            Some(seconds) => total += number * seconds,
            // `12:30` is a time of day; a bare number before anything else is seconds.
            None if parts == 0 && !at[digits.len()..].starts_with(':') => {
                total = number;
                parts = 1;
                break;
            }
            None => break,
        }
        rest = &after[word.len()..];
        parts += 1;
    }
    let span = Duration::try_from_secs_f64(total).ok()?;
    (parts > 0 && span <= Duration::from_hours(24 * MAX_DAYS)).then_some(span)
}

fn unit(word: &str) -> Option<f64> {
    Some(match word {
        "ms" | "millisecond" | "milliseconds" => 0.001,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 604_800.0,
        _ => return None,
    })
}

const CLOCKS: &[&str] = &[
    "try again at",
    "try again on",
    "try again after",
    "resets at",
    "resets on",
    "reset at",
    "reset on",
    "resets",
    "available again at",
    "regain access on",
    "regain access at",
    "until",
];

/// `resets at 2026-11-21T18:00:00Z`.
fn instant(message: &str, lower: &str) -> Option<i64> {
    CLOCKS.iter().find_map(|phrase| {
        let rest = message.get(lower.rfind(phrase)? + phrase.len()..)?;
        let rest = rest.trim_start_matches([' ', ':', '"', '\'']);
        let end = rest.find([' ', ',', ')', '"', '\'', '\n']).unwrap_or(rest.len());
        let word = rest[..end].trim_end_matches('.');
        // What has no offset is not an instant.
        word.parse::<Timestamp>().ok().map(Timestamp::as_second)
    })
}

/// `resets 3:36am (UTC)`, `try again at 3:12 AM`, `try again at Nov 23rd, 2026 10:32 AM`.
fn clock(message: &str, lower: &str) -> Option<Clock> {
    CLOCKS.iter().find_map(|phrase| {
        let at = lower.rfind(phrase)? + phrase.len();
        let (mut clock, used) = clock_at(lower.get(at..)?)?;
        clock.zone = zone(message.get(at + used..)?);
        Some(clock)
    })
}

/// The time at the beginning of `text`, and how much of it that is.
fn clock_at(text: &str) -> Option<(Clock, usize)> {
    let mut words = Words { text, at: 0 };
    words.skip(&[' ', ':', ',']);
    let mut day = None;
    if let Some(month) = month(words.peek_word()) {
        words.word();
        words.skip(&[' ', '.']);
        let number = words.number().filter(|day| (1..=31).contains(day))?;
        if matches!(words.peek_word(), "st" | "nd" | "rd" | "th") {
            words.word();
        }
        words.skip(&[' ', ',']);
        let year = words.number_of(4);
        words.skip(&[' ', ',']);
        if words.peek_word() == "at" {
            words.word();
            words.skip(&[' ']);
        }
        day = Some(Day { month, day: number as i8, year: year.map(|year| year as i16) });
    }
    let hour = words.number()?;
    let minute = words.minutes();
    words.skip(&[' ']);
    let half = match words.peek_word() {
        "am" | "pm" => Some(words.word() == "pm"),
        _ => None,
    };
    let hour = match half {
        Some(is_pm) if (1..=12).contains(&hour) => hour % 12 + if is_pm { 12 } else { 0 },
        None if minute.is_some() && hour < 24 => hour,
        _ => return None,
    };
    let minute = minute.unwrap_or(0);
    let clock = Clock { day, hour: hour as i8, minute: minute as i8, zone: None };
    (minute < 60).then_some((clock, words.at))
}

fn month(word: &str) -> Option<i8> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let short = word.get(..3)?;
    MONTHS.iter().position(|name| *name == short).map(|at| at as i8 + 1)
}

/// ` (America/New_York)`, ` UTC`.
fn zone(text: &str) -> Option<String> {
    let text = text.trim_start();
    let name = match text.strip_prefix('(') {
        Some(rest) => &rest[..rest.find(')')?],
        None => &text[..text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len())],
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    let fits = !name.is_empty() && name.len() <= 40 && name.chars().all(is_name);
    (fits && (text.starts_with('(') || is_utc(name))).then(|| name.to_owned())
}

/// Walks over the beginning of a text.
struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip(&mut self, chars: &[char]) {
        self.at = self.text.len() - self.rest().trim_start_matches(chars).len();
    }

    fn peek_word(&self) -> &'a str {
        let rest = self.rest();
        &rest[..rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len())]
    }

    fn word(&mut self) -> &'a str {
        let word = self.peek_word();
        self.at += word.len();
        word
    }

    fn digits(&self) -> &'a str {
        let rest = self.rest();
        &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())]
    }

    /// At most two digits.
    fn number(&mut self) -> Option<u32> {
        let digits = self.digits();
        let number = digits.parse().ok().filter(|_| digits.len() <= 2)?;
        self.at += digits.len();
        Some(number)
    }

    fn number_of(&mut self, length: usize) -> Option<u32> {
        let digits = self.digits();
        let number = digits.parse().ok().filter(|_| digits.len() == length)?;
        self.at += length;
        Some(number)
    }

    /// `:36`, perhaps with seconds that nobody needs.
    fn minutes(&mut self) -> Option<u32> {
        let before = self.at;
        let colon = |words: &mut Self| {
            let is = words.rest().starts_with(':');
            words.at += usize::from(is);
            is
        };
        if !colon(self) {
            return None;
        }
        let Some(minute) = self.number_of(2) else {
            self.at = before;
            return None;
        };
        let at = self.at;
        if !(colon(self) && self.number_of(2).is_some()) {
            self.at = at;
        }
        Some(minute)
    }
}

fn after_last<'a>(text: &'a str, phrase: &str) -> Option<&'a str> {
    text.get(text.rfind(phrase)? + phrase.len()..)
}

#[cfg(test)]
mod tests;
