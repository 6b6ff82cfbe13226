//! Words and messages of agents and their providers, as data: what each of them means.
//!
//! Only what programs print is matched, never what a model says. Each message stands in `tests/agent/messages.toml` or in
//! `tests/agent/recorded` with its source.

use super::Cause::{
    self, Auth, Billing, Budget, Config, Context, Network, Overloaded, RateLimit, Refusal, Silent, Truncated,
    UsageLimit,
};

/// Words for machines, lower case and without `_`, `-`, blanks and the library's name.
const KINDS: &[(Cause, &[&str])] = &[
    (
        UsageLimit,
        &["usagelimitreached", "usagelimitexceeded", "usagelimit", "quotaexceeded", "freeusagelimiterror"],
    ),
    (
        Billing,
        &[
            "billingerror",
            "insufficientquota",
            "insufficientcredits",
            "creditserror",
            "paymentrequired",
            "billingnotactive",
        ],
    ),
    (
        Auth,
        &[
            "auth",
            "authentication",
            "authenticationfailed",
            "authenticationerror",
            "authenticationrequired",
            "apikeyinvalid",
            "invalidapikey",
            "unauthorized",
            "unauthenticated",
            "providerautherror",
            "autherror",
            "oauthorgnotallowed",
        ],
    ),
    (
        Config,
        &[
            "config",
            "modelnotfound",
            "notfounderror",
            "notfound",
            "permissionerror",
            "permissiondenied",
            "permissiondeniederror",
            "providermodelnotfounderror",
            "untrusted",
            "input",
        ],
    ),
    (
        Context,
        &[
            "prompttoolong",
            "contextoverflowerror",
            "contextlengthexceeded",
            "contextwindowexceedederror",
            "requesttoolarge",
            "contextlimit",
        ],
    ),
    (Refusal, &["refusal", "contentfilter", "contentpolicyviolationerror"]),
    (Truncated, &["maxoutputtokens", "messageoutputlengtherror"]),
    (Budget, &["errormaxturns", "maxturns", "errormaxbudgetusd", "turns", "budget"]),
    (
        RateLimit,
        &[
            "ratelimit",
            "ratelimiterror",
            "ratelimitexceeded",
            "resourceexhausted",
            "toomanyrequests",
            "userglobalratelimited",
        ],
    ),
    (
        Overloaded,
        &[
            "overloaded",
            "overloadederror",
            "serverisoverloaded",
            "servererror",
            "apierror",
            "internalservererror",
            "unavailable",
            "serviceunavailableerror",
            "internal",
            "badgatewayerror",
        ],
    ),
    (Silent, &["noanswer"]),
    (Network, &["network", "apiconnectionerror", "timeout", "connectionerror", "restartable"]),
];

pub(super) fn of_kind(kind: &str) -> Option<Cause> {
    let kind: String = kind
        .trim_start_matches("litellm.")
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    KINDS.iter().find(|(_, kinds)| kinds.contains(&kind.as_str())).map(|(cause, _)| *cause)
}

pub(super) fn of_status(status: u16) -> Option<Cause> {
    Some(match status {
        401 => Auth,
        402 => Billing,
        403 | 404 => Config,
        408 => Network,
        413 => Context,
        429 => RateLimit,
        500..=599 => Overloaded,
        _ => return None,
    })
}

/// Each entry: parts that must all stand in one line. The first that fits counts.
const MESSAGES: &[(Cause, &[&[&str]])] = &[
    // Says what it is not.
    (RateLimit, &[&["not your usage limit"]]),
    (
        UsageLimit,
        &[
            &["hit your", "limit"],
            &["hit the", "usage limit"],
            &["reached your", "limit"],
            &["usage limit reached"],
            &["usage limit has been reached"],
            &["usage limit exceeded"],
            &["exhausted your", "quota"],
            &["exhausted your capacity"],
            &["quota will reset"],
            &["usage_limit_reached"],
            &["freeusagelimiterror"],
            &["quota_exceeded"],
            &["allocated quota exceeded"],
            &["quota exceeded for quota metric", "per day"],
            &["exceeded your premium request allowance"],
        ],
    ),
    (
        Billing,
        &[
            &["credit balance is too low"],
            &["quota exceeded. check your plan"],
            &["insufficient_quota"],
            &["exceeded your current quota"],
            &["insufficient credits"],
            &["insufficient balance"],
            &["billing account disabled"],
            &["payment required"],
        ],
    ),
    (
        Auth,
        &[
            &["not logged in"],
            &["please run /login"],
            &["invalid api key"],
            &["invalid x-api-key"],
            &["incorrect api key"],
            &["api key not valid"],
            &["api key not found"],
            &["missing environment variable"],
            &["no api key found"],
            &["authentication required"],
            &["authentication failed"],
            &["no authentication information"],
            &["must specify the", "_api_key"],
            &["401 unauthorized"],
            &["invalid auth method"],
            &["set an auth method"],
            &["invalid oauth token"],
            &["authentication_error"],
            &["could not resolve authentication method"],
            &["authentication cancelled"],
            &["missing", "api key"],
            &["access token could not be refreshed"],
            &["failed to refresh token"],
            &["need to run /login"],
        ],
    ),
    (
        Config,
        &[
            &["does not exist or you do not have access"],
            &["issue with the selected model"],
            &["model", "not found"],
            &["models/", "is not found"],
            &["not running in a trusted directory"],
            &["not inside a trusted directory"],
            &["cannot be used with root"],
            &["--skip-git-repo-check"],
            &["unexpected argument"],
            &["unknown option"],
            &["unknown argument"],
            &["permission denied", "403"],
        ],
    ),
    (
        Context,
        &[
            &["prompt is too long"],
            &["ran out of room in the model's context"],
            &["maximum context length"],
            &["context_length_exceeded"],
            &["exceeds the context window"],
            &["input token count", "exceeds"],
            &["too large to compact"],
        ],
    ),
    (
        Refusal,
        &[
            &["safeguards flagged"],
            &["violate our usage policy"],
            &["unable to respond to this request"],
            &["content_filter"],
        ],
    ),
    (Truncated, &[&["reason: max_output_tokens"], &["exceeded the", "output token maximum"]]),
    (
        RateLimit,
        &[
            &["rate limit"],
            &["rate-limit"],
            &["ratelimit"],
            &["rate_limit"],
            &["too many requests"],
            &["resource has been exhausted"],
            &["resource_exhausted"],
            &["resource exhausted"],
            &["quota exceeded for", "per_minute"],
            &["429 status code"],
            &["status 429"],
            &["status: 429"],
            &["(429)"],
        ],
    ),
    (
        Overloaded,
        &[
            &["overloaded"],
            &["at capacity"],
            &["high demand"],
            &["service unavailable"],
            &["currently unavailable"],
            &["internal server error"],
            &["bad gateway"],
            &["gateway timeout"],
            &["server had an error"],
        ],
    ),
    (
        Network,
        &[
            &["stream disconnected"],
            &["connection dropped"],
            &["connection reset"],
            &["connection refused"],
            &["connection error"],
            &["econnreset"],
            &["econnrefused"],
            &["enotfound"],
            &["etimedout"],
            &["fetch failed"],
            &["socket hang up"],
            &["unable to connect"],
            &["couldn't connect to the amp server"],
            &["ended without a finish reason"],
            &["ended without sending"],
            &["error: terminated"],
            &["request timed out"],
            &["error decoding response body"],
            &["other side closed"],
        ],
    ),
];

/// What a message means, and the line that says so.
pub(super) fn of_message(message: &str) -> Option<(Cause, &str)> {
    if message.trim() == "terminated" {
        return Some((Network, message));
    }
    let hit = |line: &str| {
        let lower = line.to_lowercase().replace('’', "'");
        let fits = |parts: &&[&str]| parts.iter().all(|part| lower.contains(part));
        MESSAGES.iter().position(|(_, any)| any.iter().any(fits))
    };
    let (at, line) = message.lines().filter_map(|line| Some((hit(line)?, line))).min_by_key(|(at, _)| *at)?;
    MESSAGES.get(at).map(|(cause, _)| (*cause, line))
}
