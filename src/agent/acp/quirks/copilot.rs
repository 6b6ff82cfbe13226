//! copilot 1.0.102 has a command's exit code among the parts of its output.

use serde_json::Value;

pub(super) fn exit(output: &Value) -> Option<i32> {
    let parts = output["contents"].as_array()?;
    parts.iter().find_map(|part| i32::try_from(part["exitCode"].as_i64()?).ok())
}
