//! Which keys a preset has, and what to say of one that it has not.

use crate::text;

/// Every key. A `*` stands for any name.
pub(super) const KEYS: &[&str] = &[
    "rank",
    "title",
    "provider",
    "protocol",
    "command",
    "args",
    "args-tail",
    "prompt",
    "events",
    "flags.model",
    "flags.resume",
    "flags.new-session",
    "flags.extra-dir",
    "flags.max-turns",
    "permissions.unattended",
    "permissions.edits",
    "env.*",
    "env-pass",
    "secrets",
    "private-tmpdir",
    "soft-stop",
    "log",
    "own-sandbox",
    "writes",
    "ignore-changes",
    "stall",
    "version",
    "install",
    "login",
    "exits.*",
    "acp.command",
    "acp.args",
    "acp.mode",
    "acp.model",
    "acp.own-sandbox",
    "acp.version",
    "acp.patience",
    "acp.install",
];

pub(super) fn is_known(key: &str) -> bool {
    KEYS.iter().any(|known| match known.strip_suffix('*') {
        Some(table) => key.len() > table.len() && key.starts_with(table),
        None => *known == key,
    })
}

pub(super) fn nearest(key: &str) -> Option<&'static str> {
    text::nearest(key, KEYS.iter().copied())
}

/// What can stand in `--agent`, in a file's name and in a table of TOML without quotes.
pub(super) fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 40
        && name.chars().all(fits)
        && name != "auto"
}

/// What serde says of a wrong value, as a fragment.
pub(super) fn in_words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    match text.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((found, "a sequence")) => format!("this must be a list, not {found}"),
        Some((found, expected)) => format!("this must be {expected}, not {found}"),
        None => text.to_owned(),
    }
}
