//! What a run may take of the machine: how its settings are read and shown. What they do is known to `exec` and `driver`.

use super::{Config, Jobserver};
use crate::policy::Floor;
use crate::text::size;
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

pub(super) fn show_floor(floor: Floor) -> Value {
    match floor {
        Floor::Auto => "auto".into(),
        Floor::Off => "none".into(),
        Floor::Bytes(bytes) => size(bytes).into(),
    }
}

/// A size with its unit. A bare number is refused: some mean bytes by it, others MiB.
pub(super) fn read_floor(value: &Value) -> Result<Floor, String> {
    let text = plain(value);
    let wrong =
        || format!("this must be a size with its unit, such as `256 MiB`, `auto` or `none`, not `{text}`");
    match text.trim() {
        "auto" => return Ok(Floor::Auto),
        "none" | "off" | "0" => return Ok(Floor::Off),
        _ => {}
    }
    let digits = text.trim().bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.trim().split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "kib" | "k" | "kb" => 10,
        "mib" | "m" | "mb" => 20,
        "gib" | "g" | "gb" => 30,
        "tib" | "t" | "tb" => 40,
        _ => return Err(wrong()),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    bytes.map(|bytes| if bytes == 0 { Floor::Off } else { Floor::Bytes(bytes) }).ok_or_else(wrong)
}

pub(super) fn floor_schema() -> Value {
    json!({ "type": "string", "examples": ["auto", "none", "256 MiB", "2 GiB"] })
}

pub(super) fn show_load(config: &Config) -> Value {
    config.floors.max_load.map_or_else(|| "none".into(), |load| json!(load))
}

pub(super) fn set_load(config: &mut Config, value: &Value) -> Result<(), String> {
    let text = plain(value);
    config.floors.max_load = match text.parse::<f64>() {
        Ok(load) if load.is_finite() && load > 0.0 => Some(load),
        _ if text == "none" => None,
        _ => return Err(format!("this must be a number above 0, or `none`, not `{text}`")),
    };
    Ok(())
}

pub(super) fn load_schema() -> Value {
    json!({ "anyOf": [{ "type": "number", "exclusiveMinimum": 0 }, { "const": "none" }] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_are_sizes_with_a_unit() {
        let read = |text: &str| read_floor(&text.into());
        assert_eq!(read("256 MiB"), Ok(Floor::Bytes(256 << 20)));
        assert_eq!(read("2g"), Ok(Floor::Bytes(2 << 30)));
        assert_eq!(
            (read("auto"), read("none"), read("0")),
            (Ok(Floor::Auto), Ok(Floor::Off), Ok(Floor::Off))
        );
        for wrong in ["256", "MiB", "-1 MiB", "1.5 GiB", "99999999999999 TiB", ""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(read_floor(&json!(256)).is_err());
        for floor in [Floor::Auto, Floor::Off, Floor::Bytes(256 << 20), Floor::Bytes(3 << 40)] {
            assert_eq!(read_floor(&show_floor(floor)), Ok(floor));
        }
    }
}
