//! Instants and durations as text: RFC 3339 in UTC, and `1m 44s`. Knows no clock and no zone.

use crate::text::push_number;

const DAY: u64 = 86_400;
/// 9999-12-31T23:59:59Z: a clock that says more is wrong, and four digits are all the format has.
const LAST_SECOND: u64 = 253_402_300_799;

/// `2026-01-31T14:20:13Z` for milliseconds since the epoch.
pub fn rfc3339(ms: u64) -> String {
    let seconds = (ms / 1000).min(LAST_SECOND);
    let (year, month, day) = civil(seconds / DAY);
    let second = seconds % DAY;
    let mut text = String::with_capacity(20);
    two_digits(&mut text, year / 100);
    for (value, end) in [
        (year % 100, '-'),
        (month, '-'),
        (day, 'T'),
        (second / 3600, ':'),
        (second / 60 % 60, ':'),
        (second % 60, 'Z'),
    ] {
        two_digits(&mut text, value);
        text.push(end);
    }
    text
}

fn two_digits(text: &mut String, value: u64) {
    text.push(char::from(b'0' + (value / 10 % 10) as u8));
    text.push(char::from(b'0' + (value % 10) as u8));
}

/// Year, month, day of a day since 1970-01-01, in the proleptic Gregorian calendar, counted in eras of 400 years
/// that begin on 1 March, so that the leap day is the last of its year.
fn civil(day: u64) -> (u64, u64, u64) {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, day)
}

/// Stamps in order of time: the text of a second is made once.
#[derive(Clone, Debug, Default)]
pub(super) struct Stamps {
    second: Option<u64>,
    text: String,
}

impl Stamps {
    pub(super) fn write(&mut self, ms: u64, out: &mut String) {
        out.push_str(self.text(ms));
    }

    pub(super) fn text(&mut self, ms: u64) -> &str {
        if self.second != Some(ms / 1000) {
            self.second = Some(ms / 1000);
            self.text = rfc3339(ms);
        }
        &self.text
    }
}

/// `340ms`, `12s`, `12.3s`, `1m 44s`, `2h 5m`.
pub fn duration(ms: u64) -> String {
    let mut text = String::new();
    write_duration(ms, &mut text);
    text
}

pub(super) fn write_duration(ms: u64, out: &mut String) {
    let seconds = ms / 1000;
    let mut two = |first: u64, unit: &str, second: u64, end: &str| {
        push_number(out, first);
        out.push_str(unit);
        push_number(out, second);
        out.push_str(end);
    };
    match ms {
        60_000..3_600_000 => two(seconds / 60, "m ", seconds % 60, "s"),
        3_600_000.. => two(seconds / 3600, "h ", seconds / 60 % 60, "m"),
        1000.. if ms % 1000 >= 100 => two(seconds, ".", ms % 1000 / 100, "s"),
        _ => {
            let (number, unit) = if ms < 1000 { (ms, "ms") } else { (seconds, "s") };
            push_number(out, number);
            out.push_str(unit);
        }
    }
}

/// `.012` for 12.
pub(super) fn push_thousandths(out: &mut String, thousandths: u64) {
    out.push('.');
    for digit in [thousandths / 100, thousandths / 10, thousandths] {
        out.push(char::from(b'0' + (digit % 10) as u8));
    }
}

/// `64%` for 0.64.
pub fn percent(ratio: f64) -> String {
    format!("{:.0}%", ratio * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_read_as_people_say_them() {
        for (ms, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (12_000, "12s"),
            (12_340, "12.3s"),
            (59_999, "59.9s"),
            (104_000, "1m 44s"),
            (7_500_000, "2h 5m"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn a_clock_that_is_wrong_gives_a_stamp_all_the_same() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59Z");
    }

    proptest! {
        #[test]
        fn stamps_agree_with_a_calendar_library(second in 0..=LAST_SECOND - 1) {
            let known = jiff::Timestamp::from_second(second as i64);
            prop_assume!(known.is_ok());
            prop_assert_eq!(rfc3339(second * 1000 + 999), known.unwrap().to_string());
        }
    }
}
