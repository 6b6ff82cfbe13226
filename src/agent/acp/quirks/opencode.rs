//! opencode 1.18.33 has a command's exit code in its output. What it tells of tokens is of the last request only.

use serde_json::Value;

pub(super) fn exit(output: &Value) -> Option<i32> {
    i32::try_from(output["metadata"]["exit"].as_i64()?).ok()
}
