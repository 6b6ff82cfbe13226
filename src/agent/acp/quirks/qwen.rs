//! qwen 0.15.10 tells what each request used beside an empty piece of a message, and nothing at the end of a turn.

use super::usage as of;
use crate::agent::told::Usage;
use serde_json::Value;

pub(super) fn usage(meta: &Value) -> Option<Usage> {
    of(&meta["usage"])
}
