//! What can go wrong with a model, and how each kind of provider says so: status, headers and bodies as they are documented.

use super::asked::Api;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Too many requests; ask again after so long.
    RateLimit(Duration),
    Overloaded,
    /// A quota that begins anew at this time, in seconds since 1970.
    Limit(u64),
    Unauthorized,
    /// The conversation is too long for the model.
    Context,
    /// The line breaks in the middle of an answer.
    Disconnect,
    /// It says that all is done and orders nothing.
    Claims,
    /// It orders a placeholder.
    Stub,
    /// So long between two parts of an answer.
    Slow(Duration),
    /// No answer.
    Hang,
}

type Answer = (u16, Vec<(String, String)>, Value);

impl Fault {
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Fault::RateLimit(_) => "rate limit",
            Fault::Overloaded => "overloaded",
            Fault::Limit(_) => "usage limit",
            Fault::Unauthorized => "401",
            Fault::Context => "context",
            Fault::Disconnect => "disconnect",
            Fault::Claims => "claims done",
            Fault::Stub => "stub",
            Fault::Slow(_) => "slow",
            Fault::Hang => "hang",
        }
    }

    /// The agent gets an answer that it can act on.
    pub(super) fn is_answered(&self) -> bool {
        matches!(self, Fault::Claims | Fault::Stub | Fault::Slow(_))
    }

    /// A quota begins anew by itself.
    pub(super) fn is_not_over(&self) -> bool {
        !matches!(self, Fault::Limit(at) if *at <= now())
    }

    /// Status, headers and body of those that are an answer with an error.
    pub(super) fn body(&self, api: Api, model: &str) -> Answer {
        match api {
            Api::Anthropic => self.of_anthropic(),
            Api::Gemini => self.of_gemini(model),
            Api::Chat | Api::Responses => self.of_openai(api, model),
        }
    }

    fn of_anthropic(&self) -> Answer {
        let (status, headers, kind, message) = match self {
            Fault::RateLimit(after) => {
                let message =
                    "This request would exceed your organization's rate limit of 50 requests per minute";
                (429, vec![retry_after(after.as_secs())], "rate_limit_error", message)
            }
            Fault::Limit(at) => {
                let unified = |name: &str, value: &str| {
                    (format!("anthropic-ratelimit-unified-{name}"), value.to_owned())
                };
                let headers = vec![
                    unified("status", "rejected"),
                    unified("reset", &at.to_string()),
                    unified("representative-claim", "five_hour"),
                    unified("overage-status", "rejected"),
                    unified("overage-disabled-reason", "org_level_disabled"),
                    retry_after(at.saturating_sub(now())),
                ];
                let message = "This request would exceed your account's rate limit. Please try again later.";
                (429, headers, "rate_limit_error", message)
            }
            Fault::Unauthorized => (401, vec![], "authentication_error", "invalid x-api-key"),
            Fault::Context => {
                (400, vec![], "invalid_request_error", "prompt is too long: 213462 tokens > 200000 maximum")
            }
            _ => (529, vec![], "overloaded_error", "Overloaded"),
        };
        let error = json!({ "type": kind, "message": message });
        (status, headers, json!({ "type": "error", "error": error, "request_id": "scripted" }))
    }

    fn of_gemini(&self, model: &str) -> Answer {
        let google = |kind: &str| format!("type.googleapis.com/google.rpc.{kind}");
        let quota = |id: &str, value: &str| {
            json!({ "@type": google("QuotaFailure"), "violations": [{
                "quotaMetric": "generativelanguage.googleapis.com/generate_content_requests", "quotaId": id,
                "quotaDimensions": { "location": "global", "model": model }, "quotaValue": value }] })
        };
        let again =
            |seconds: u64| json!({ "@type": google("RetryInfo"), "retryDelay": format!("{seconds}s") });
        let (code, status, message, details) = match self {
            Fault::RateLimit(after) => {
                let after = after.as_secs();
                let details =
                    json!([quota("GenerateRequestsPerMinutePerProjectPerModel", "10"), again(after)]);
                let message =
                    format!("Resource has been exhausted (e.g. check quota). Please retry in {after}s.");
                (429, "RESOURCE_EXHAUSTED", message, details)
            }
            Fault::Limit(at) => {
                let left = at.saturating_sub(now());
                let details =
                    json!([quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "250"), again(left)]);
                let message = "You exceeded your current quota, please check your plan and billing details.";
                (429, "RESOURCE_EXHAUSTED", message.to_owned(), details)
            }
            Fault::Unauthorized => {
                let info = json!({ "@type": google("ErrorInfo"), "reason": "API_KEY_INVALID", "domain": "googleapis.com" });
                let message = "API key not valid. Please pass a valid API key.";
                (400, "INVALID_ARGUMENT", message.to_owned(), json!([info]))
            }
            Fault::Context => {
                let message =
                    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).";
                (400, "INVALID_ARGUMENT", message.to_owned(), json!([]))
            }
            _ => {
                (503, "UNAVAILABLE", "The model is overloaded. Please try again later.".to_owned(), json!([]))
            }
        };
        let error = json!({ "code": code, "message": message, "status": status, "details": details });
        (code, vec![], json!({ "error": error }))
    }

    fn of_openai(&self, api: Api, model: &str) -> Answer {
        let error = |message: &str, kind: &str, code: &str| json!({ "error": { "message": message, "type": kind, "param": null, "code": code } });
        match self {
            Fault::RateLimit(after) => {
                let after = after.as_secs();
                let message = format!(
                    "Rate limit reached for {model} in organization org-x on requests per min (RPM): Limit 3, Used 3, \
                     Requested 1. Please try again in {after}s."
                );
                (429, vec![retry_after(after)], error(&message, "requests", "rate_limit_exceeded"))
            }
            // A plan of ChatGPT, as codex meets it.
            Fault::Limit(at) if api == Api::Responses => {
                let mut body = error("The usage limit has been reached", "usage_limit_reached", "");
                body["error"]["plan_type"] = "plus".into();
                body["error"]["resets_at"] = (*at).into();
                body["error"]["resets_in_seconds"] = at.saturating_sub(now()).into();
                (429, vec![], body)
            }
            // A coding plan behind Chat Completions, as Z.AI documents its error 1308.
            Fault::Limit(at) => {
                let at = jiff::Timestamp::from_second(*at as i64).unwrap().to_string();
                let at = at.replace('T', " ").replace('Z', "");
                let message = format!("Usage limit reached for 5 hour. Your limit will reset at {at}");
                (429, vec![], error(&message, "usage_limit", "1308"))
            }
            Fault::Unauthorized => {
                let message = "Incorrect API key provided: sk-du***mmy.";
                (401, vec![], error(message, "invalid_request_error", "invalid_api_key"))
            }
            Fault::Context => {
                let message = "This model's maximum context length is 128000 tokens. However, your messages resulted in 140000 \
                               tokens. Please reduce the length of the messages.";
                (400, vec![], error(message, "invalid_request_error", "context_length_exceeded"))
            }
            _ => {
                let message = "The server is currently overloaded with other requests. Sorry about that!";
                (503, vec![], error(message, "server_error", "server_is_overloaded"))
            }
        }
    }
}

fn retry_after(seconds: u64) -> (String, String) {
    ("retry-after".to_owned(), seconds.to_string())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
