//! gemini 0.61.0 tells what a turn used beside the answer. It announces no tool call that it asks leave for: the request is
//! the first that is heard of it. Its errors have the provider's HTTP status as their code. It offers `session/load` and
//! mostly answers it with "No previous sessions found for this project" in a new process.

use crate::agent::dialect::json::number;
use crate::agent::told::Usage;
use serde_json::Value;

pub(super) fn usage(meta: &Value) -> Option<Usage> {
    let count = &meta["quota"]["token_count"];
    let (input, output) = (number(&count["input_tokens"])?, number(&count["output_tokens"]).unwrap_or(0));
    Some(Usage { input, output, ..Usage::default() })
}
