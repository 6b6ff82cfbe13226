//! `[agents.NAME]` in configuration files: one key at a time laid over what is known of an agent, or over nothing for one
//! of the user's own. What a project's files say of it decides what is executed, so it is part of what is agreed to.

use super::file::Entry;
use crate::agent::{Presets, Wrong};
use crate::diagnostic::{Code, Diagnostic};
use serde_json::{Map, Value, json};

/// Which secrets an agent gets, which are masked, and what the sandbox lets it write, is nothing that repository content
/// decides.
const USER_ONLY: [&str; 3] = ["env-pass", "secrets", "writes"];

/// What an entry says of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said<'a> {
    pub(super) name: &'a str,
    pub(super) key: &'a str,
}

/// None if the entry is about something else. A key is empty for a table with nothing in it.
pub(super) fn said(path: &str) -> Option<Said<'_>> {
    let rest = path.strip_prefix("agents").filter(|rest| rest.is_empty() || rest.starts_with('.'))?;
    let rest = rest.trim_start_matches('.');
    let (name, key) = rest.split_once('.').unwrap_or((rest, ""));
    Some(Said { name, key })
}

impl Said<'_> {
    pub(super) fn is_user_only(&self) -> bool {
        USER_ONLY.contains(&self.key)
    }

    /// Lays the entry's value over `presets`, or says what is wrong with it.
    pub(super) fn set(&self, presets: &mut Presets, entry: &Entry) -> Result<(), Diagnostic> {
        if self.key.is_empty() {
            let is_table = entry.value.as_object().is_some_and(Map::is_empty);
            let what = format!("the value of `{}` cannot be used", entry.path);
            return if is_table {
                Ok(())
            } else {
                Err(Diagnostic::error(Code::BadValue, what)
                    .at(entry.value_span, "this must be a table of agents"))
            };
        }
        presets.set(self.name, self.key, &entry.value).map_err(|wrong| match wrong {
            Wrong::Name => Diagnostic::error(Code::BadValue, format!("`{}` is no name for an agent", self.name))
                .at(entry.key, "this is below it")
                .help("a name is of lower case letters, digits, `-` and `_`, begins with a letter, and is not `auto`"),
            Wrong::Key { near } => {
                let diagnostic = Diagnostic::error(Code::UnknownKey, format!("unknown setting `{}`", entry.path))
                    .at(entry.key, "an agent has no such setting");
                match near {
                    Some(near) => {
                        let near = format!("agents.{}.{}", self.name, near.replace('*', "NAME"));
                        diagnostic.help(format!("a setting with a similar name exists: `{near}`"))
                    }
                    None => diagnostic.help("`specter config --schema` lists all settings"),
                }
            }
            Wrong::Value(message) => {
                let what = format!("the value of `{}` cannot be used", entry.path);
                Diagnostic::error(Code::BadValue, what).at(entry.value_span, message)
            }
        })
    }
}

/// For the JSON Schema of configuration files.
pub(super) fn schema() -> Value {
    let mut properties = Map::new();
    for key in Presets::keys() {
        match key.split_once('.') {
            None => {
                properties.insert((*key).to_owned(), json!({}));
            }
            Some((table, name)) => {
                let below = properties.entry(table).or_insert_with(
                    || json!({ "type": "object", "properties": {}, "additionalProperties": false }),
                );
                if name == "*" {
                    *below = json!({ "type": "object", "additionalProperties": { "type": "string" } });
                } else {
                    below["properties"][name] = json!({});
                }
            }
        }
    }
    json!({
        "type": "object",
        "description": "how coding agents are called, by name: laid over what is known of them, or an agent of your own",
        "additionalProperties": { "type": "object", "properties": properties, "additionalProperties": false },
    })
}
