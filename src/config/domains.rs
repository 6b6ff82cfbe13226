//! `[[domains]]`: which agents do tasks about what, as read from configuration and shown there.

use super::Config;
use crate::domains::Rule;
use crate::text::nearest;
use serde_json::{Map, Value, json};

const KEYS: [&str; 8] = ["name", "words", "paths", "stories", "layers", "agent", "model", "instructions"];

pub(super) fn show(config: &Config) -> Value {
    let texts = |list: &[String]| (!list.is_empty()).then(|| json!(list));
    let shown = config.domains.iter().map(|rule| {
        let layers = (!rule.layers.is_empty()).then(|| json!(rule.layers));
        let entries = [
            ("name", Some(json!(rule.name))),
            ("words", texts(&rule.words)),
            ("paths", texts(&rule.paths)),
            ("stories", texts(&rule.stories)),
            ("layers", layers),
            ("agent", rule.agent.as_ref().map(|agent| json!(agent))),
            ("model", rule.model.as_ref().map(|model| json!(model))),
            ("instructions", texts(&rule.instructions)),
        ];
        let entries = entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        Value::Object(entries.collect::<Map<_, _>>())
    });
    shown.collect()
}

pub(super) fn set(config: &mut Config, value: &Value) -> Result<(), String> {
    let list = value.as_array().ok_or("this must be a list of tables `[[domains]]`")?;
    let rules = list.iter().map(rule).collect::<Result<Vec<Rule>, String>>()?;
    if let Some(twice) =
        rules.iter().enumerate().find(|(n, rule)| rules[..*n].iter().any(|r| r.name == rule.name))
    {
        return Err(format!("two domains are called `{}`", twice.1.name));
    }
    config.domains = rules;
    Ok(())
}

fn rule(value: &Value) -> Result<Rule, String> {
    let table = value.as_object().ok_or("each of `[[domains]]` must be a table")?;
    if let Some(unknown) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let near = nearest(unknown, KEYS).map(|near| format!("; did you mean `{near}`?"));
        return Err(format!("a domain has no `{unknown}`{}", near.unwrap_or_default()));
    }
    let name = text(table, "name")?.ok_or("each domain must have a `name`")?;
    let rule = Rule {
        words: texts(table, &name, "words")?,
        paths: texts(table, &name, "paths")?,
        stories: texts(table, &name, "stories")?,
        layers: layers(table, &name)?,
        agent: text(table, "agent")?,
        model: text(table, "model")?,
        instructions: texts(table, &name, "instructions")?,
        name,
    };
    let decides = !(rule.words.is_empty()
        && rule.paths.is_empty()
        && rule.stories.is_empty()
        && rule.layers.is_empty());
    let follows = rule.agent.is_some() || rule.model.is_some() || !rule.instructions.is_empty();
    match (decides, follows) {
        // Both missing: it only takes the place of a usual one.
        (true, true) | (false, false) => Ok(rule),
        (true, false) => Err(format!("domain `{}` needs an `agent`, a `model` or `instructions`", rule.name)),
        (false, true) => Err(format!("domain `{}` needs `words`, `paths`, `stories` or `layers`", rule.name)),
    }
}

fn text(table: &Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    match table.get(key) {
        None => Ok(None),
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(format!("`{key}` of a domain must be a text that is not empty")),
    }
}

fn texts(table: &Map<String, Value>, name: &str, key: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("`{key}` of domain `{name}` must be a list of texts that are not empty");
    let list = match table.get(key) {
        None => return Ok(Vec::new()),
        Some(value) => value.as_array().ok_or_else(wrong)?,
    };
    let text = |value: &Value| value.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned);
    list.iter().map(|value| text(value).ok_or_else(wrong)).collect()
}

fn layers(table: &Map<String, Value>, name: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("`layers` of domain `{name}` must be a list of numbers from 0 to 9");
    let list = match table.get("layers") {
        None => return Ok(Vec::new()),
        Some(value) => value.as_array().ok_or_else(wrong)?,
    };
    let layer = |value: &Value| value.as_u64().filter(|layer| *layer <= 9).map(|layer| layer as u8);
    list.iter().map(|value| layer(value).ok_or_else(wrong)).collect()
}

pub(super) fn schema() -> Value {
    let text = || json!({ "type": "string", "minLength": 1 });
    let texts = || json!({ "type": "array", "items": text() });
    json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": false,
            "properties": {
                "name": text(),
                "words": texts(),
                "paths": texts(),
                "stories": texts(),
                "layers": { "type": "array", "items": { "type": "integer", "minimum": 0, "maximum": 9 } },
                "agent": text(),
                "model": text(),
                "instructions": texts(),
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &Value) -> Result<Vec<Rule>, String> {
        let mut config = Config::default();
        set(&mut config, value).map(|()| config.domains)
    }

    #[test]
    fn domains_read_back_what_they_show() {
        let value = json!([
            { "name": "web", "words": ["page"], "paths": ["web/**"], "agent": "claude", "instructions": ["be kind"] },
            { "name": "base", "layers": [0, 1], "stories": ["US1"], "model": "small" },
            { "name": "auth" },
        ]);
        let mut config = Config::default();
        set(&mut config, &value).expect("reads");
        assert_eq!(show(&config), value);
    }

    #[test]
    fn what_a_domain_cannot_be_is_said() {
        for (value, part) in [
            (json!({}), "a list of tables"),
            (json!([{ "words": ["a"] }]), "must have a `name`"),
            (json!([{ "name": "a", "wrods": ["a"] }]), "did you mean `words`"),
            (json!([{ "name": "a", "words": "a", "agent": "b" }]), "must be a list"),
            (json!([{ "name": "a", "layers": [12], "agent": "b" }]), "from 0 to 9"),
            (json!([{ "name": "a", "words": ["a"] }]), "needs an `agent`"),
            (json!([{ "name": "a", "agent": "b" }]), "needs `words`"),
            (json!([{ "name": "a" }, { "name": "a" }]), "two domains"),
        ] {
            let error = read(&value).expect_err("refused");
            assert!(error.contains(part), "{error}");
        }
    }
}
