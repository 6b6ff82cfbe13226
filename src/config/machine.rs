//! What a run may take of the machine: how its settings are read and shown. What they do is known to `exec` and `driver`.

use super::{Config, Jobserver};
use serde_json::{Value, json};
use std::num::NonZeroU32;

pub(super) fn show_jobserver(config: &Config) -> Value {
    match config.jobserver {
        Jobserver::Auto => "auto".into(),
        Jobserver::Off => "off".into(),
        Jobserver::Count(count) => count.get().into(),
    }
}

pub(super) fn set_jobserver(config: &mut Config, value: &Value) -> Result<(), String> {
    let text = plain(value);
    config.jobserver = match (text.parse::<NonZeroU32>(), &*text) {
        (Ok(count), _) => Jobserver::Count(count),
        (_, "auto") => Jobserver::Auto,
        (_, "off" | "0") => Jobserver::Off,
        _ => return Err(format!("this must be `auto`, `off` or a whole number from 1, not `{text}`")),
    };
    Ok(())
}

pub(super) fn jobserver_schema() -> Value {
    json!({ "anyOf": [{ "enum": ["auto", "off"] }, { "type": "integer", "minimum": 1 }] })
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
