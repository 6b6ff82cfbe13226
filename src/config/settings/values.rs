//! Values of settings by their kind: what is taken for one, how it is written, what is said of one that is not it.

use crate::text::nearest;
use serde_json::{Value, json};
use std::time::Duration;

/// The complaint about a value of the wrong kind.
pub(super) fn wants(what: &str, value: &Value) -> String {
    match value.as_str() {
        Some(text) => format!("this must be {what}, not `{text}`"),
        None => format!("this must be {what}, not `{value}`"),
    }
}

pub(super) fn read_text(value: &Value) -> Result<String, String> {
    match value.as_str() {
        Some("") => Err("this must not be empty".to_owned()),
        Some(text) => Ok(text.to_owned()),
        None => Err(wants("a text", value)),
    }
}

pub(super) fn read_list<T>(value: &Value, item: fn(&Value) -> Result<T, String>) -> Result<Vec<T>, String> {
    value.as_array().ok_or_else(|| wants("a list", value))?.iter().map(item).collect()
}

pub(super) fn read_maybe<T>(
    value: &Value,
    some: fn(&Value) -> Result<T, String>,
) -> Result<Option<T>, String> {
    if value.as_str() == Some("none") { Ok(None) } else { some(value).map(Some) }
}

pub(super) fn read_count(value: &Value) -> Result<u32, String> {
    let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
    count.ok_or_else(|| wants("a whole number from 0", value))
}

/// A time with its unit. A bare number is refused: other tools mean milliseconds by it, people mean seconds.
pub(super) fn read_time(value: &Value) -> Result<Duration, String> {
    let wants_time = || wants("a time with its unit, such as `500ms`, `90s` or `1h 30m`", value);
    let text = value.as_str().ok_or_else(wants_time)?;
    let signed: jiff::SignedDuration = text.trim().parse().map_err(|_| wants_time())?;
    Duration::try_from(signed).map_err(|_| "a time cannot be negative".to_owned())
}

pub(super) fn show_time(time: Duration) -> Value {
    match jiff::SignedDuration::try_from(time) {
        Ok(time) => format!("{time:#}").into(),
        Err(_) => format!("{}s", time.as_secs()).into(),
    }
}

pub(super) fn read_word(value: &Value, words: &[&'static str]) -> Result<usize, String> {
    let typed = value.as_str().unwrap_or_default();
    if let Some(place) = words.iter().position(|word| *word == typed) {
        return Ok(place);
    }
    let all = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let near = nearest(typed, words.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
    Err(wants(&format!("one of {all}"), value) + &near.unwrap_or_default())
}

pub(super) fn count_schema() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}
