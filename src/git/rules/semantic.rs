//! What a TOML or JSON text says, and what it should say after both sides happened to it. Knows nothing of layout: it
//! judges what the rules wrote.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;

/// Lists of names whose order says nothing. Other lists that both sides changed are a contradiction.
const SETS: &[&str] = &[
    "dependencies",
    "requires",
    "members",
    "default-members",
    "exclude",
    "keywords",
    "categories",
    "classifiers",
    "workspaces",
    "files",
];
/// Tables all of whose lists are such.
const TABLES_OF_SETS: &[&str] = &["features", "optional-dependencies", "dependency-groups", "extras"];

/// None: it is no JSON, or an object has a name twice.
pub(super) fn json(text: &str) -> Option<Value> {
    serde_json::from_str::<Strict>(text).ok().map(|strict| strict.0)
}

/// None: it is no TOML; its parser refuses names that stand twice.
pub(super) fn toml(text: &str) -> Option<Value> {
    let table: toml::Table = toml::from_str(text).ok()?;
    serde_json::to_value(table).ok()
}

/// What becomes of a value: `Some(None)` if it is gone, `None` if the sides contradict each other. Recursion is bounded
/// by what the parsers let through.
#[expect(clippy::option_option, reason = "no answer, and the answer that nothing is there")]
pub(super) fn three_way(
    base: Option<&Value>,
    there: Option<&Value>,
    attempt: Option<&Value>,
) -> Option<Option<Value>> {
    within("", "", base, there, attempt)
}

#[expect(clippy::option_option, reason = "see above")]
fn within(
    parent: &str,
    name: &str,
    base: Option<&Value>,
    there: Option<&Value>,
    attempt: Option<&Value>,
) -> Option<Option<Value>> {
    if there == attempt || attempt == base {
        return Some(there.cloned());
    }
    if there == base {
        return Some(attempt.cloned());
    }
    match (there?, attempt?) {
        (Value::Object(there), Value::Object(attempt)) => {
            let empty = Map::new();
            let base = base.and_then(Value::as_object).unwrap_or(&empty);
            let keys: BTreeSet<&String> = there.keys().chain(attempt.keys()).collect();
            let mut merged = Map::new();
            for key in keys {
                let value = within(name, key, base.get(key), there.get(key), attempt.get(key))?;
                merged.extend(value.map(|value| (key.clone(), value)));
            }
            Some(Some(Value::Object(merged)))
        }
        (Value::Array(there), Value::Array(attempt))
            if SETS.contains(&name) || TABLES_OF_SETS.contains(&parent) =>
        {
            let base = base.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let (base, there, attempt) = (names(base)?, names(there)?, names(attempt)?);
            let is_kept =
                |name: &&str| !base.contains(*name) || (there.contains(*name) && attempt.contains(*name));
            let union: BTreeSet<&str> = there.union(&attempt).copied().filter(is_kept).collect();
            Some(Some(union.into_iter().map(Value::from).collect()))
        }
        _ => None,
    }
}

/// The strings of a list, if it has nothing else and none twice.
fn names(list: &[Value]) -> Option<BTreeSet<&str>> {
    let names: BTreeSet<&str> = list.iter().map(Value::as_str).collect::<Option<_>>()?;
    (names.len() == list.len()).then_some(names)
}

/// Equal, but for the order of lists of strings.
pub(super) fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| is_same(value, other)))
        }
        (Value::Array(one), Value::Array(other)) => match (names(one), names(other)) {
            (Some(one), Some(other)) => one == other,
            _ => one == other,
        },
        _ => one == other,
    }
}

/// JSON in which no object has a name twice: the usual parser keeps the last one and says nothing.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Strict, D::Error> {
        deserializer.deserialize_any(Reader).map(Strict)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some((key, Strict(value))) = object.next_entry::<String, Strict>()? {
            if values.insert(key, value).is_some() {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(Value::Object(values))
    }
}
