//! Measuring, cutting and padding text by columns; durations and numbers in words. Pure.
//!
//! Widths are the larger of two measures (whole cluster, sum of its characters), because terminals differ in which
//! they follow: a line that fits by ours fits by theirs.

use crate::text::{COMMANDS, ESCAPES, Untrusted, needs, push_number};
use anstream::adapter::strip_str;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// At most this many characters are one cluster: a letter under a thousand accents is cut, not carried along.
const CLUSTER_CHARS: usize = 8;

/// A character with what sits on it: accents, variation selectors, skin tones; flags as pairs.
fn clusters(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let mut end = first.len_utf8();
        let mut is_flag = is_regional(first);
        for c in rest[end..].chars().take(CLUSTER_CHARS) {
            let belongs = extends(c) || (is_flag && is_regional(c));
            if !belongs {
                break;
            }
            is_flag = false;
            end += c.len_utf8();
        }
        let (cluster, after) = rest.split_at(end);
        rest = after;
        let sum: usize = cluster.chars().map(|c| c.width().unwrap_or(0)).sum();
        Some((cluster, sum.max(cluster.width())))
    })
}

fn is_regional(c: char) -> bool {
    matches!(c, '\u{1f1e6}'..='\u{1f1ff}')
}

/// Belongs to the character before it.
fn extends(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}') || c.width() == Some(0)
}

/// Columns that `text` takes; it must hold no styles.
pub fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    clusters(text).map(|(_, width)| width).sum()
}

/// The longest start of `text` that fits into `limit` columns.
fn fitting(text: &str, limit: usize) -> &str {
    if text.is_ascii() {
        return &text[..limit.min(text.len())];
    }
    let (mut end, mut used) = (0, 0);
    for (cluster, width) in clusters(text) {
        used += width;
        // What has no width of its own sits on something: nothing is left to sit on.
        if used > limit || limit == 0 {
            break;
        }
        end += cluster.len();
    }
    &text[..end]
}

/// The longest end of `text` that fits into `limit` columns.
fn fitting_end(text: &str, limit: usize) -> &str {
    if text.is_ascii() {
        return &text[text.len().saturating_sub(limit)..];
    }
    let mut start = text.len();
    let mut used = 0;
    let parts: Vec<(&str, usize)> = clusters(text).collect();
    for (cluster, width) in parts.iter().rev() {
        used += width;
        if used > limit {
            break;
        }
        start -= cluster.len();
    }
    &text[start..]
}

/// `text` made safe and cut at its end to `limit` columns, `ellipsis` included.
pub fn elide(text: &str, limit: usize, ellipsis: &str) -> String {
    elided(text, limit, ellipsis).into_owned()
}

/// As [`elide`]; text that is plain and fits, as ids and titles mostly are, is not copied.
pub fn elided<'a>(text: &'a str, limit: usize, ellipsis: &str) -> Cow<'a, str> {
    // Not plain is what `Untrusted` might change.
    let begins = |text: &str| text.bytes().find(|byte| *byte != b' ');
    let is_plain = || needs(text) & (ESCAPES | COMMANDS) == 0 && begins(text) != Some(b':');
    if text.len() <= limit && is_plain() {
        return text.into();
    }
    cut(text, limit, ellipsis).into()
}

fn cut(text: &str, limit: usize, ellipsis: &str) -> String {
    if limit == 0 {
        // Also for text without a width of its own: the caller would make room for it with a space.
        return String::new();
    }
    let text = shown(text, limit);
    if width(&text) <= limit {
        return text;
    }
    match limit.checked_sub(width(ellipsis)) {
        Some(room) => format!("{}{ellipsis}", fitting(&text, room).trim_end()),
        None => fitting(&text, limit).to_owned(),
    }
}

/// `text` made safe and cut in its middle: for paths, whose ends say most.
pub fn elide_middle(text: &str, limit: usize, ellipsis: &str) -> String {
    let text = Untrusted(text).to_string();
    if width(&text) <= limit {
        return text;
    }
    let Some(room) = limit.checked_sub(width(ellipsis)) else { return fitting(&text, limit).to_owned() };
    let head = fitting(&text, room / 2);
    let tail = fitting_end(&text, room - width(head));
    format!("{head}{ellipsis}{tail}")
}

/// What is left to see of a line that a program wrote for a terminal: no styles, and of what it wrote over itself only
/// the last. Still to be made safe.
pub fn output_line(line: &str) -> String {
    let end = line.floor_char_boundary(4096);
    let plain = strip_str(&line[..end]).to_string();
    let last = plain.trim_end().rsplit('\r').next().unwrap_or_default();
    last.to_owned()
}

/// Safe text, without looking at more of a megabyte than can be shown.
fn shown(text: &str, limit: usize) -> String {
    let most = limit.saturating_mul(4 * CLUSTER_CHARS).saturating_add(64);
    let end = if text.len() <= most { text.len() } else { text.floor_char_boundary(most) };
    Untrusted(&text[..end]).to_string()
}

/// `text` and spaces up to `columns`.
pub fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Spaces up to `columns` and `text`.
pub fn pad_left(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

/// `text` broken at spaces into lines of at most `limit` columns; a longer word stands alone, uncut.
pub fn wrap(text: &str, limit: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let columns = width(word);
        match lines.last_mut() {
            Some(line) if used + 1 + columns <= limit => {
                line.push(' ');
                line.push_str(word);
                used += 1 + columns;
            }
            _ => {
                lines.push(word.to_owned());
                used = columns;
            }
        }
    }
    lines
}

/// `0.3s`, `12s`, `2m 3s`, `1h 02m`.
pub fn duration(duration: Duration) -> String {
    let mut text = String::new();
    push_duration(&mut text, duration);
    text
}

/// Appends it.
pub fn push_duration(out: &mut String, duration: Duration) {
    if duration < Duration::from_millis(950) {
        let tenths = u64::from(duration.subsec_millis() + 50) / 100;
        out.push_str(if tenths == 0 { "0" } else { "0." });
        if tenths > 0 {
            push_number(out, tenths);
        }
        return out.push('s');
    }
    let seconds = duration.as_secs() + u64::from(duration.subsec_millis() >= 500);
    let _ = match seconds {
        0..60 => write!(out, "{seconds}s"),
        60..3600 => write!(out, "{}m {}s", seconds / 60, seconds % 60),
        _ => write!(out, "{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    };
}

/// `1,234,567`
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 task`, `1,234 tasks`.
pub fn plural(n: usize, one: &str) -> String {
    format!("{} {one}{}", thousands(n as u64), if n == 1 { "" } else { "s" })
}

/// `a`, `a and b`, `a, b and c`.
pub fn and_list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// The first few ids and how many more: `T001, T002, T003 and 12 more`.
pub fn some_of(ids: &[String], most: usize) -> String {
    if ids.len() <= most + 1 {
        return and_list(ids);
    }
    format!("{} and {} more", ids[..most].join(", "), thousands((ids.len() - most) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_read_as_people_say_them() {
        let cases = [
            (0, "0s"),
            (40, "0s"),
            (60, "0.1s"),
            (340, "0.3s"),
            (949, "0.9s"),
            (950, "1s"),
            (12_400, "12s"),
            (59_500, "1m 0s"),
            (123_000, "2m 3s"),
            (3_720_000, "1h 02m"),
            (360_000_000, "100h 00m"),
        ];
        for (millis, expected) in cases {
            assert_eq!(duration(Duration::from_millis(millis)), expected, "{millis}");
        }
    }

    #[test]
    fn numbers_and_lists_read_well() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((plural(1, "task"), plural(1234, "task")), ("1 task".into(), "1,234 tasks".into()));
        let ids: Vec<String> = (1..=6).map(|n| format!("T{n}")).collect();
        assert_eq!(some_of(&ids, 3), "T1, T2, T3 and 3 more");
        assert_eq!(some_of(&ids[..4], 3), "T1, T2, T3 and T4");
        assert_eq!(some_of(&[], 3), "");
    }

    #[test]
    fn wide_text_is_cut_by_columns_and_clusters_stay_whole() {
        assert_eq!(width("作成 x"), 6);
        assert_eq!(elide("作成する model", 7, "…"), "作成す…");
        assert_eq!(elide("作成する model", 6, "…"), "作成…");
        assert_eq!(elide("cafe\u{301}s", 4, ""), "cafe\u{301}");
        assert_eq!(elide("🇩🇪🇫🇷", 3, ""), "🇩🇪");
        assert_eq!(elide("abcdef", 2, "..."), "ab");
        assert_eq!(elide("abc", 0, "…"), "");
        assert_eq!(elide("\u{11d3f}", 0, "…"), "");
        assert_eq!(elide_middle("src/very/long/path.rs", 11, "…"), "src/v…th.rs");
        assert_eq!(width(&elide("⚠️ warning sign", 3, "…")), 2 + 1);
    }

    #[test]
    fn what_is_cut_is_also_made_safe() {
        assert_eq!(elide("a\x1b[31m", 20, "…"), "a\\e[31m");
        assert_eq!(elide("##[error]a", 20, "…"), "\\x23#[error]a");
        assert_eq!(elide(" ::error::a", 20, "…"), " \\x3a:error::a");
        assert_eq!(elide_middle("a\u{202e}b", 20, "…"), "a\\u{202e}b");
    }

    #[test]
    fn output_is_shown_without_styles_and_without_what_it_overwrote() {
        assert_eq!(output_line(" 10%\r 50%\r\x1b[32m100%\x1b[0m done\r"), "100% done");
        assert_eq!(output_line("\x1b]0;title\x07text \n"), "text");
        assert_eq!(output_line(&"x".repeat(1 << 20)).len(), 4096);
    }

    #[test]
    fn a_megabyte_is_cut_quickly() {
        assert_eq!(elide(&"x".repeat(1 << 20), 5, "…"), "xxxx…");
        assert!(elide(&format!("e{}", "\u{301}".repeat(1 << 20)), 5, "…").len() < 1000);
    }

    #[test]
    fn words_wrap_and_none_is_lost() {
        assert_eq!(wrap("a bb ccc dddddddd e", 6), ["a bb", "ccc", "dddddddd", "e"]);
        assert_eq!(wrap("", 6), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn cut_text_fits_and_holds_nothing_raw(text in any::<String>(), limit in 0usize..60) {
            for cut in [elide(&text, limit, "…"), elide_middle(&text, limit, "…")] {
                prop_assert!(width(&cut) <= limit, "{cut:?}");
                prop_assert!(!cut.contains(crate::text::is_unsafe), "{cut:?}");
            }
            prop_assert!(width(&pad(&elide(&text, limit, ""), limit)) <= limit);
        }
    }
}
