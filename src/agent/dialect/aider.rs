//! `aider`: text for people. It exits with 0 even when no request got through, so that the errors of the library it asks
//! models by (`litellm.RateLimitError: …`) are all there is; they stand at the beginning of a line, which the model's own
//! words in such a run never do but in an answer, and an answer is work that clears them again.

use super::text::Text;
use crate::agent::told::{AgentError, StopReason, Told};

#[derive(Debug, Default)]
pub struct Aider {
    text: Text,
    failed: bool,
}

impl Aider {
    pub(super) fn line(&mut self, line: &[u8], out: &mut Vec<Told>) {
        self.text.line(line);
        let Ok(line) = std::str::from_utf8(line) else { return };
        let line = line.trim_end();
        if let Some(error) = error(line) {
            self.failed = true;
            out.push(Told::Failed(error));
        } else if line.starts_with("Retrying in ") {
            out.push(Told::Retry { after: crate::agent::reset::wait(line), why: String::new() });
        } else if let Some(path) = line.strip_prefix("Applied edit to ") {
            let key = path.to_owned();
            out.push(crate::agent::dialect::json::begun(&key, "edit", &serde_json::json!({ "path": path })));
            out.push(Told::StepEnded { key, ok: Some(true), exit: None, output: String::new() });
            self.failed = false;
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Told>) {
        if self.failed {
            out.push(Told::Stop(StopReason::Error));
        } else {
            self.text.finish(out);
        }
    }
}

/// `litellm.AuthenticationError: AuthenticationError: OpenAIException - Incorrect API key provided: …`
fn error(line: &str) -> Option<AgentError> {
    let (kind, message) = line.strip_prefix("litellm.")?.split_once(':')?;
    let is_kind = kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && (kind.ends_with("Error") || kind.ends_with("Exception") || kind == "Timeout");
    is_kind.then(|| AgentError::new(kind, message.trim()))
}
