//! Settings whose values are like no other's: each reads, shows and describes its own.

use super::values::{read_count, read_list, read_text, read_word, wants};
use super::{SANDBOX_WORDS, SANDBOXES, place};
use crate::config::{Config, Jobs};
use crate::plan::Treat;
use crate::prompt::MIN_TOKENS;
use serde_json::{Value, json};
use std::num::NonZeroU32;

pub(super) fn show_jobs(jobs: Jobs) -> Value {
    match jobs {
        Jobs::Auto => "auto".into(),
        Jobs::Count(count) => count.get().into(),
    }
}

pub(super) fn set_jobs(config: &mut Config, value: &Value) -> Result<(), String> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    config.jobs = match text.parse::<NonZeroU32>() {
        Ok(count) => Jobs::Count(count),
        Err(_) if text == "auto" => Jobs::Auto,
        Err(_) => return Err(wants("`auto` or a whole number from 1", value)),
    };
    Ok(())
}

pub(super) fn jobs_schema() -> Value {
    json!({ "anyOf": [{ "const": "auto" }, { "type": "integer", "minimum": 1 }] })
}

pub(super) fn set_retries(config: &mut Config, value: &Value) -> Result<(), String> {
    config.retry.max_attempts = read_count(value)?.saturating_add(1);
    config.retry.is_given = true;
    Ok(())
}

pub(super) fn set_factor(config: &mut Config, value: &Value) -> Result<(), String> {
    let factor = value.as_f64().filter(|factor| factor.is_finite() && *factor >= 1.0);
    config.retry.factor = factor.ok_or_else(|| wants("a number from 1", value))?;
    Ok(())
}

pub(super) fn set_prompt_tokens(config: &mut Config, value: &Value) -> Result<(), String> {
    let count = read_count(value)?;
    if count < MIN_TOKENS {
        return Err(format!("this must be at least {MIN_TOKENS}: the rules alone take a part of it"));
    }
    config.prompt_tokens = count;
    Ok(())
}

pub(super) fn prompt_tokens_schema() -> Value {
    json!({ "type": "integer", "minimum": MIN_TOKENS })
}

pub(super) fn show_hint(config: &Config) -> Value {
    config.hint.as_deref().unwrap_or("none").into()
}

pub(super) fn set_hint(config: &mut Config, value: &Value) -> Result<(), String> {
    let hint = read_text(value)?;
    config.hint = (hint != "none").then_some(hint);
    Ok(())
}

pub(super) fn set_prompts_dir(config: &mut Config, value: &Value) -> Result<(), String> {
    let dir = read_text(value)?;
    let is_inside =
        std::path::Path::new(&dir).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if !is_inside {
        return Err(wants("a directory in the project", value));
    }
    config.prompts_dir = dir;
    Ok(())
}

pub(super) fn set_verbosity(config: &mut Config, value: &Value) -> Result<(), String> {
    let number = value.as_i64().filter(|number| (-9..=9).contains(number));
    config.verbosity = number.ok_or_else(|| wants("a whole number from -9 to 9", value))? as i32;
    Ok(())
}

/// A name, nothing as `none`.
pub(super) fn show_name(name: &str) -> Value {
    if name.is_empty() { "none".into() } else { name.into() }
}

/// From the environment a name may look like a number.
pub(super) fn read_name(value: &Value) -> Result<String, String> {
    let text = if value.is_number() { value.to_string() } else { read_text(value)? };
    Ok(if text == "none" { String::new() } else { text })
}

pub(super) fn show_state_dir(config: &Config) -> Value {
    config.state_dir.as_ref().map_or_else(|| ".specter".into(), |dir| dir.to_string_lossy().into())
}

pub(super) fn set_state_dir(config: &mut Config, value: &Value) -> Result<(), String> {
    config.state_dir = Some(read_text(value)?.into());
    Ok(())
}

pub(super) fn show_trees_dir(config: &Config) -> Value {
    config.trees_dir.as_ref().map_or_else(|| "auto".into(), |dir| dir.to_string_lossy().into())
}

pub(super) fn set_trees_dir(config: &mut Config, value: &Value) -> Result<(), String> {
    let dir = read_text(value)?;
    config.trees_dir = (dir != "auto").then(|| dir.into());
    Ok(())
}

pub(super) fn set_tag(config: &mut Config, value: &Value) -> Result<(), String> {
    let pattern = read_text(value)?;
    config.tag = (pattern != "none").then_some(pattern);
    Ok(())
}

/// How something is brought into a working tree, by name.
const CARRY_WORDS: [&str; 5] = ["auto", "reflink", "hardlink", "symlink", "copy"];

pub(super) fn carry_schema() -> Value {
    json!({ "type": "array", "items": { "type": "string" } })
}

pub(super) fn set_carry(config: &mut Config, value: &Value) -> Result<(), String> {
    let list = read_list(value, read_text)?;
    for item in &list {
        let (name, how) = item.split_once('=').unwrap_or((item, "auto"));
        let path = std::path::Path::new(name);
        let is_inside = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if name.is_empty() || !is_inside {
            return Err(wants("names of files or directories in the project", &json!(item)));
        }
        read_word(&how.into(), &CARRY_WORDS)?;
    }
    config.carry = list;
    Ok(())
}

pub(super) fn show_sandbox(config: &Config) -> Value {
    SANDBOX_WORDS[place(&SANDBOXES, &config.sandbox)].into()
}

pub(super) fn set_sandbox(config: &mut Config, value: &Value) -> Result<(), String> {
    if value.as_str() == Some("full") {
        return Err("`full` does not exist yet; `write` and `require` do".to_owned());
    }
    config.sandbox = SANDBOXES[read_word(value, &SANDBOX_WORDS)?];
    Ok(())
}

const TREATS: [(&str, Treat); 3] = [("open", Treat::Open), ("done", Treat::Done), ("skip", Treat::Skip)];

pub(super) fn show_treat(config: &Config) -> Value {
    let word = |treat| TREATS.iter().find(|(_, known)| *known == treat).map_or("", |(word, _)| *word);
    config.treat.iter().map(|(mark, treat)| (mark.clone(), Value::from(word(*treat)))).collect()
}

/// `~=open`, as typed or as made from a table's entry. A later one for the same mark replaces the earlier.
pub(super) fn set_treat(config: &mut Config, value: &Value) -> Result<(), String> {
    let typed = value.as_str().ok_or_else(|| wants("`MARK=STATE`, such as `~=open`", value))?;
    for item in typed.split(',') {
        let (mark, word) =
            item.split_once('=').ok_or_else(|| wants("`MARK=STATE`, such as `~=open`", value))?;
        let (mark, word) = (mark.trim().trim_start_matches('[').trim_end_matches(']'), word.trim());
        if matches!(mark, "" | "x" | "X") {
            return Err(format!("`[{mark}]` is not an unclear mark"));
        }
        let words = TREATS.map(|(word, _)| word);
        let (_, treat) = TREATS[read_word(&word.into(), &words)?];
        config.treat.retain(|(known, _)| known != mark);
        config.treat.push((mark.to_owned(), treat));
    }
    Ok(())
}

pub(super) fn treat_schema() -> Value {
    json!({ "type": "object", "additionalProperties": { "enum": TREATS.map(|(word, _)| word) } })
}
