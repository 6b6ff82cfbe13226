//! The JSON Schema of configuration files, made from the table of settings, so that the two cannot drift apart.

use super::{SETTINGS, Setting, agents, foreign};
use serde_json::{Map, Value, json};

/// Dotted names become nested objects; accepted foreign keys are listed without a type.
pub fn schema() -> Value {
    let mut root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "specter configuration",
        "type": "object",
        "properties": {},
        "additionalProperties": false,
    });
    for setting in SETTINGS {
        let mut leaf = setting.schema();
        leaf["description"] = setting.doc.into();
        insert(&mut root, setting.key, leaf);
    }
    for key in foreign::KEYS.iter().filter(|key| Setting::find(key).is_none()) {
        let leaf = json!({ "description": "accepted from existing files" });
        insert(&mut root, key.trim_end_matches('.'), leaf);
    }
    insert(&mut root, "agents", agents::schema());
    root
}

fn object() -> Value {
    json!({ "type": "object", "properties": {}, "additionalProperties": false })
}

fn insert(root: &mut Value, key: &str, leaf: Value) {
    let (tables, name) = key.rsplit_once('.').unwrap_or(("", key));
    let tables = tables.split('.').filter(|table| !table.is_empty());
    let place =
        tables.fold(root, |place, table| (properties(place).entry(table).or_insert_with(object)) as _);
    properties(place).insert(name.to_owned(), leaf);
}

fn properties(object: &mut Value) -> &mut Map<String, Value> {
    if !object["properties"].is_object() {
        object["properties"] = Value::Object(Map::new());
    }
    match &mut object["properties"] {
        Value::Object(map) => map,
        _ => unreachable!("it was just made an object"),
    }
}
