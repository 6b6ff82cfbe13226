//! JSON as the projections write it: unsafe characters escaped, times in seconds, ratios rounded.

use super::time::{Stamps, push_thousandths, rfc3339};
use crate::text::{ESCAPES, JSON, needs, push_number};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Milliseconds that are written as seconds: `12`, or `12.345` when they are not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub u64);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(1000) {
            serializer.serialize_u64(self.0 / 1000)
        } else {
            serializer.serialize_f64(self.0 as f64 / 1000.0)
        }
    }
}

impl JsonSchema for Seconds {
    fn schema_name() -> Cow<'static, str> {
        "Seconds".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0 })
    }
}

/// Wall time in milliseconds since the epoch that is written as RFC 3339 in UTC, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub u64);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// Four decimals are more than any of these figures is worth.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// Pretty JSON with a final newline, in which no character can move a cursor: strings hold them as `\u009b`.
pub fn text(value: &impl Serialize) -> String {
    // Only maps with keys that are no strings can fail, and there are none.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    guarded(text, |c| c != '\n' && crate::text::is_unsafe(c))
}

/// One line of JSON, guarded likewise.
pub fn line(value: &impl Serialize) -> String {
    let mut text = guarded(serde_json::to_string(value).unwrap_or_default(), crate::text::is_unsafe);
    text.push('\n');
    text
}

fn guarded(text: String, is_unsafe: impl Fn(char) -> bool + Copy) -> String {
    if text.is_ascii() && !text.contains('\x7f') {
        return text; // the serializer has escaped what is below a space
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut units = [0; 2];
    for c in text.chars() {
        if is_unsafe(c) {
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// The key of a field after the first, as it is written: `,"name":`.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}
/// The key of an object's first field, with the object's beginning.
macro_rules! first_key {
    ($name:literal) => {
        concat!("{\"", $name, "\":")
    };
}
pub(super) use {first_key, key};

/// An object on one line, written field by field: for the lines of which there is one per task, where serde's
/// generality costs several thousand instructions each. Keys come as [`key!`] and [`first_key!`] make them, so that
/// one copy writes all that stands between two values; and where its length is known, which it is when inlined, that
/// copy is a store or two. What is absent is left out.
pub(super) struct Object<'a> {
    out: &'a mut String,
}

impl<'a> Object<'a> {
    /// The caller writes the first field by a [`first_key!`].
    pub(super) fn open(out: &'a mut String) -> Object<'a> {
        Object { out }
    }

    pub(super) fn close(self) {
        self.out.push('}');
    }

    #[inline]
    pub(super) fn string(&mut self, key: &str, value: &str) {
        self.out.push_str(key);
        push_string(self.out, value);
    }

    /// Of a value that needs no escape: a word of our own.
    #[inline]
    pub(super) fn word(&mut self, key: &str, value: &str) {
        self.out.push_str(key);
        self.out.push('"');
        self.out.push_str(value);
        self.out.push('"');
    }

    #[inline]
    pub(super) fn maybe_word(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.word(key, value);
        }
    }

    #[inline]
    pub(super) fn maybe(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.string(key, value);
        }
    }

    #[inline]
    pub(super) fn number(&mut self, key: &str, value: u64) {
        self.out.push_str(key);
        push_number(self.out, value);
    }

    #[inline]
    pub(super) fn maybe_number(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    /// As serde writes a number: few rows have one.
    pub(super) fn dollars(&mut self, key: &str, value: f64) {
        self.out.push_str(key);
        self.out.push_str(&serde_json::to_string(&value).unwrap_or_default());
    }

    #[inline]
    pub(super) fn seconds(&mut self, key: &str, Seconds(ms): Seconds) {
        self.number(key, ms / 1000);
        if !ms.is_multiple_of(1000) {
            push_thousandths(self.out, ms % 1000);
        }
    }

    #[inline]
    pub(super) fn maybe_time(&mut self, key: &str, value: Option<Time>, stamps: &mut Stamps) {
        if let Some(Time(ms)) = value {
            self.word(key, stamps.text(ms));
        }
    }

    /// Left out if there are none.
    pub(super) fn strings<'s>(&mut self, key: &str, values: impl IntoIterator<Item = &'s str>) {
        let mut values = values.into_iter();
        let Some(first) = values.next() else { return };
        self.out.push_str(key);
        self.out.push('[');
        push_string(self.out, first);
        for value in values {
            self.out.push(',');
            push_string(self.out, value);
        }
        self.out.push(']');
    }

    #[inline]
    pub(super) fn flag(&mut self, key: &str) {
        self.out.push_str(key);
        self.out.push_str("true");
    }

    pub(super) fn object(&mut self, key: &str, fields: impl FnOnce(&mut Object)) {
        self.out.push_str(key);
        let mut inner = Object::open(self.out);
        fields(&mut inner);
        inner.close();
    }
}

fn push_string(out: &mut String, value: &str) {
    if needs(value) & (ESCAPES | JSON) == 0 {
        out.push('"');
        out.push_str(value);
        out.push('"');
    } else {
        out.push_str(line(&value).trim_end_matches('\n'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_fool_a_terminal_is_escaped_and_reads_back_the_same() {
        let hostile = "a\u{9b}2J\u{202e}\x7f\n\u{e0041}é";
        for text in [text(&hostile), line(&hostile)] {
            assert!(!text.trim_end().chars().any(crate::text::is_unsafe), "{text:?}");
            assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hostile);
        }
    }

    #[test]
    fn objects_written_by_field_read_back() {
        let mut text = String::new();
        let mut object = Object::open(&mut text);
        object.string(first_key!("a"), "x\"\\\n\u{202e}");
        object.seconds(key!("b"), Seconds(12_034));
        object.strings(key!("c"), ["1", "2"]);
        object.strings(key!("none"), []);
        object.object(key!("d"), |inner| inner.number(first_key!("e"), u64::MAX));
        object.flag(key!("f"));
        object.maybe(key!("none"), None);
        object.word(key!("g"), "w");
        object.close();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let known = serde_json::json!({
            "a": "x\"\\\n\u{202e}", "b": 12.034, "c": ["1", "2"], "d": { "e": u64::MAX }, "f": true, "g": "w"
        });
        assert_eq!(value, known);
    }

    #[test]
    fn whole_seconds_are_whole_numbers() {
        assert_eq!(line(&[Seconds(332_000), Seconds(500)]), "[332,0.5]\n");
    }
}
