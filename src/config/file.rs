//! A configuration file as a flat list of entries with their places: TOML and JSON look the same from here on.
//!
//! Both parsers bound nesting themselves, so nothing below descends deeper than they allow.

use crate::source::Span;
use serde_json::Value;
use toml::de::{DeTable, DeValue};

/// One `key = value`, tables joined by dots.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) key: Span,
    pub(super) value_span: Span,
    pub(super) value: Value,
}

/// Text that is not TOML or JSON at all.
#[derive(Debug)]
pub(super) struct Malformed {
    pub(super) message: String,
    pub(super) span: Span,
}

pub(super) fn toml_entries(text: &str) -> Result<Vec<Entry>, Malformed> {
    let table = DeTable::parse(text).map_err(|error| Malformed {
        message: error.message().to_owned(),
        span: error.span().map_or(Span::default(), |range| Span::new(range.start, range.end)),
    })?;
    let mut entries = Vec::new();
    toml_table("", table.get_ref(), &mut entries);
    entries.sort_by_key(|entry| entry.key);
    Ok(entries)
}

fn toml_table(prefix: &str, table: &DeTable<'_>, entries: &mut Vec<Entry>) {
    for (key, value) in table {
        let path = join(prefix, key.get_ref());
        if let DeValue::Table(inner) = value.get_ref()
            && !inner.is_empty()
        {
            toml_table(&path, inner, entries);
            continue;
        }
        let (key, span) = (key.span(), value.span());
        entries.push(Entry {
            path,
            key: Span::new(key.start, key.end),
            value_span: Span::new(span.start, span.end),
            value: toml_value(value.get_ref()),
        });
    }
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

fn toml_value(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| number.as_str().into(), Value::from),
        DeValue::Float(number) => {
            number.as_str().parse::<f64>().map_or_else(|_| number.as_str().into(), Value::from)
        }
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(items) => items.iter().map(|item| toml_value(item.get_ref())).collect(),
        DeValue::Table(table) => table
            .iter()
            .map(|(key, value)| (key.get_ref().to_string(), toml_value(value.get_ref())))
            .collect(),
    }
}

pub(super) fn json_entries(text: &str) -> Result<Vec<Entry>, Malformed> {
    let whole: Value = serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        Malformed { message, span: json_place(text, error.line(), error.column()) }
    })?;
    if !whole.is_object() {
        return Err(Malformed {
            message: "expected an object `{ … }`".to_owned(),
            span: Span::new(0, text.len().min(1)),
        });
    }
    Ok(JsonScan { text, at: 0 }.entries())
}

fn json_place(text: &str, line: usize, column: usize) -> Span {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut at = (start + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    Span::new(at, text[at..].chars().next().map_or(at, |c| at + c.len_utf8()))
}

/// Finds the places of keys and values in text that is known to be valid JSON; values themselves are parsed by serde.
struct JsonScan<'a> {
    text: &'a str,
    at: usize,
}

impl JsonScan<'_> {
    fn entries(mut self) -> Vec<Entry> {
        let (mut entries, mut path): (Vec<Entry>, Vec<String>) = (Vec::new(), Vec::new());
        let mut key = Span::default();
        // Strings are keys except after a colon, where `value` consumes them.
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    key = self.string();
                    path.push(serde_json::from_str(&self.text[key.range()]).unwrap_or_default());
                }
                b':' => {
                    self.at += 1;
                    self.space();
                    if self.peek() == Some(b'{') && !self.is_empty_object() {
                        continue;
                    }
                    let span = self.value();
                    let value = serde_json::from_str(&self.text[span.range()]).unwrap_or_default();
                    entries.push(Entry { path: path.join("."), key, value_span: span, value });
                    path.pop();
                }
                b'}' => {
                    path.pop();
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
        entries
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn is_empty_object(&self) -> bool {
        self.text[self.at + 1..].trim_start().starts_with('}')
    }

    fn string(&mut self) -> Span {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
        Span::new(start, self.at)
    }

    /// A whole value: a string, a list or empty object with all in it, or a word or number.
    fn value(&mut self) -> Span {
        let (start, mut depth) = (self.at, 0);
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.string();
                }
                b'[' | b'{' => {
                    depth += 1;
                    self.at += 1;
                }
                b']' | b'}' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' | b'}' if depth == 0 => break,
                byte if depth == 0 && byte.is_ascii_whitespace() => break,
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            if depth == 0 && matches!(byte, b'"' | b']' | b'}') {
                break;
            }
        }
        Span::new(start, self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(entries: &[Entry], text: &str) -> Vec<(String, String, Value)> {
        let slice = |span: Span| text[span.range()].to_owned();
        entries.iter().map(|e| (e.path.clone(), slice(e.key), e.value.clone())).collect()
    }

    #[test]
    fn toml_and_json_give_the_same_entries() {
        let toml = "a = 1\nb.c = [\"x\", \"}\"]\n[d]\ne = true\n[d.f]\ng = 'q\"'\n[h]\n";
        let json = r#" { "a": 1, "b": {"c": ["x", "}"]}, "d": {"e":true,"f":{"g":"q\""}} , "h": { } } "#;
        let toml = toml_entries(toml).expect("TOML");
        let entries = json_entries(json).expect("JSON");
        let pairs =
            |entries: &[Entry]| entries.iter().map(|e| (e.path.clone(), e.value.clone())).collect::<Vec<_>>();
        assert_eq!(pairs(&toml), pairs(&entries));
        assert_eq!(entries.len(), 5);
        assert_eq!(flat(&entries, json)[3].1, "\"g\"");
        assert_eq!(&json[entries[1].value_span.range()], r#"["x", "}"]"#);
    }

    #[test]
    fn lists_of_objects_are_one_value() {
        let json = r#"{"tasks":[{"a":{"b":[1,2]}}],"z":null}"#;
        let paths: Vec<String> = json_entries(json).expect("JSON").into_iter().map(|e| e.path).collect();
        assert_eq!(paths, ["tasks", "z"]);
    }

    #[test]
    fn malformed_text_names_its_place() {
        let error = json_entries("{\n  \"é\": nope\n}").expect_err("bad");
        assert!(error.span.start > 3 && !error.message.contains("line"), "{error:?}");
        assert!(toml_entries("a = ").is_err());
        assert!(json_entries("[1]").is_err());
    }

    proptest::proptest! {
        #[test]
        fn every_leaf_of_a_json_object_is_found(text in r#"[ ]\{"[a-c]{1,2}":( [0-9]|"[\\\\nx]n?"|\{"d":[1-9]\}|\[1, "\]"\])(,"[d-f]":(true|\{\}))?\}"#) {
            if let Ok(Value::Object(object)) = serde_json::from_str::<Value>(&text) {
                let entries = json_entries(&text).expect("valid");
                proptest::prop_assert_eq!(entries.len(), object.len());
                let whole = Value::Object(object);
                for entry in entries {
                    let found = entry.path.split('.').try_fold(&whole, |value, key| value.get(key)).cloned();
                    proptest::prop_assert_eq!(found, Some(entry.value));
                }
            }
        }
    }
}
