//! What messages of limits say, and when that is.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("timestamp")
}

/// As if New York were five hours behind all year.
fn named(name: &str) -> Option<TimeZone> {
    (name == "America/New_York").then(|| TimeZone::fixed(jiff::tz::offset(-5)))
}

/// When the message's limit ends, if it is read on a Saturday at 16:30 in UTC.
fn when(message: &str) -> Option<String> {
    let now = at("2026-11-21T16:30:00Z");
    let local = TimeZone::fixed(jiff::tz::offset(1));
    find(message)?.resolve(now, &local, &named).map(|at| at.to_string())
}

#[test]
fn the_end_of_a_limit_is_read_however_it_is_told() {
    for (message, end) in [
        (
            r#"{"type":"usage_limit_reached","resets_at":1795283561,"resets_in_seconds":3600}"#,
            "2026-11-21T17:52:41Z",
        ),
        ("Claude AI usage limit reached|1795284000", "2026-11-21T18:00:00Z"),
        ("Rate limit reached. Please try again in 2.5s.", "2026-11-21T16:30:02.5Z"),
        ("Please retry in 37.966s.", "2026-11-21T16:30:37.966Z"),
        ("Please try again in 6m0s.", "2026-11-21T16:36:00Z"),
        ("Your quota will reset after 22h13m7s.", "2026-11-22T14:43:07Z"),
        ("try again in 3 days 4 hours 10 minutes.", "2026-11-24T20:40:00Z"),
        ("retry-after: 30", "2026-11-21T16:30:30Z"),
        (r#""retryDelay":"32s""#, "2026-11-21T16:30:32Z"),
        ("You've hit your session limit · resets 5:59pm (UTC)", "2026-11-21T17:59:00Z"),
        ("You've hit your limit · resets 3:36am (UTC)", "2026-11-22T03:36:00Z"),
        ("limit reached ∙ resets 1pm (America/New_York)", "2026-11-21T18:00:00Z"),
        ("limit reached ∙ resets 11am (America/New_York)", "2026-11-22T16:00:00Z"),
        ("weekly limit reached ∙ resets Nov 27, 9am (UTC)", "2026-11-27T09:00:00Z"),
        ("resets Jan 2, 5:30pm (UTC)", "2027-01-02T17:30:00Z"),
        ("You’ve hit your usage limit. Visit x or try again at 6:12 PM.", "2026-11-21T17:12:00Z"),
        ("You’ve hit your usage limit. Visit x or try again at 3:12 AM.", "2026-11-22T02:12:00Z"),
        ("or try again at Nov 23rd, 2026 10:32 AM.", "2026-11-23T09:32:00Z"),
        ("your limit resets at 2026-11-21T18:00:00Z", "2026-11-21T18:00:00Z"),
    ] {
        let read = when(message);
        let read = read
            .as_deref()
            .map(|read| read.split_once('.').map_or(read.to_owned(), |(whole, _)| format!("{whole}Z")));
        let end = end.split_once('.').map_or(end.to_owned(), |(whole, _)| format!("{whole}Z"));
        assert_eq!(read, Some(end), "{message}");
    }
}

#[test]
fn what_tells_no_time_is_not_read_as_one() {
    for message in [
        "You have exhausted your daily quota on this model.",
        "Please try again later.",
        "try again at your own risk",
        "resets to 5",
        "It resets 5 counters",
        "try again at 25:00 PM",
        "try again at 13pm",
        "resets Feb 31, 5pm (UTC)x",
        "",
    ] {
        let read =
            find(message).and_then(|reset| reset.resolve(at("2026-11-21T16:30:00Z"), &TimeZone::UTC, &named));
        assert_eq!(read, None, "{message}");
    }
}

#[test]
fn a_time_that_is_past_is_now() {
    let now = at("2026-11-21T16:30:00Z");
    assert_eq!(Reset::At(5).resolve(now, &TimeZone::UTC, &named), Some(now));
}

#[test]
fn a_minute_that_has_just_passed_is_not_the_next_days() {
    let end = |message: &str, now: &str| {
        find(message).and_then(|reset| reset.resolve(at(now), &TimeZone::UTC, &named)).unwrap()
    };
    let now = "2026-11-21T17:49:40Z";
    assert_eq!(end("try again at 5:49 PM.", now), at(now));
    assert_eq!(end("try again at 5:46 PM.", now), at("2026-11-22T17:46:00Z"));
    assert_eq!(end("try again at 11:59 PM.", "2026-11-22T00:00:20Z"), at("2026-11-22T00:00:20Z"));
    assert_eq!(end("resets Nov 21, 5:49pm (UTC)", now), at(now));
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_it(text in "\\PC{0,80}") {
        let _ = find(&text);
        let _ = find(&format!("try again at {text}"));
        let _ = find(&format!("resets {text}"));
        let _ = find(&format!("retry in {text}"));
        let _ = find(&format!("resets_at: {text}"));
    }

    #[test]
    fn a_clock_time_is_within_a_day_and_shows_that_hour(hour in 1u32..=12, minute in 0u32..60, pm: bool, now in 0i64..4_000_000_000) {
        let now = Timestamp::from_second(now).expect("in range");
        let half = if pm { "pm" } else { "AM" };
        let reset = find(&format!("resets {hour}:{minute:02}{half} (UTC)")).expect("read");
        let end = reset.resolve(now, &TimeZone::UTC, &named).expect("resolved");
        proptest::prop_assert!(end >= now && end.as_second() - now.as_second() <= 86_400);
        // Or it has just passed.
        let shown = if end == now { now - Duration::from_mins(2) } else { end }.to_zoned(TimeZone::UTC);
        let hour_of_day = hour % 12 + if pm { 12 } else { 0 };
        let late = (i64::from(hour_of_day * 60 + minute) - i64::from(shown.hour()) * 60 - i64::from(shown.minute())).rem_euclid(1440);
        let most = if end == now { 2 } else { 0 };
        proptest::prop_assert!(late <= most, "{} minutes late", late);
    }

    #[test]
    fn a_span_is_read_as_it_was_written(hours in 0u64..48, minutes in 0u64..60, seconds in 1u64..60) {
        let text = format!("try again in {hours}h{minutes}m{seconds}s");
        proptest::prop_assert_eq!(wait(&text), Some(Duration::from_secs(hours * 3600 + minutes * 60 + seconds)));
    }
}
