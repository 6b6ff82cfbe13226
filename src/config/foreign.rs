//! Keys of configuration files that already exist (SPEC 14.1): mapped to a setting where there is one, otherwise
//! accepted and said to have no effect.

use serde_json::Value;

/// What an accepted foreign key becomes.
pub(super) enum Meaning {
    /// This setting with this value.
    Set(&'static str, Value),
    /// Known, and says what is the default anyway.
    Agrees,
    /// Nothing here does what it asks for.
    NoEffect,
}

/// Foreign keys, longest part first where one is a part of another. A trailing dot takes everything below it.
pub(super) const KEYS: &[&str] = &[
    "maxRetries",
    "parallelTasks",
    "maxConcurrent",
    "verboseLogging",
    "retryDelays",
    "retryableErrors",
    "nonRetryableErrors",
    "batchSize",
    "priorityWeights.",
    "parallel.enabled",
    "parallel.maxWorkers",
    "parallel.taskTimeout",
    "parallel.timeout",
    "parallel.dynamicScaling",
    "errorRecovery.autoRetry",
    "errorRecovery.maxRetries",
    "errorRecovery.backoffStrategy",
    "errorRecovery.backoffMultiplier",
    "errorRecovery.tryAlternatives",
    "errorRecovery.continueOnNonCritical",
    "testing.runTests",
    "testing.testFirst",
    "testing.coverageTarget",
    "testing.failOnCoverageBelow",
    "testing.testTimeout",
    "testing.requirePassing",
    "validation.linting",
    "validation.typeChecking",
    "validation.formatting",
    "validation.securityScan",
    "progress.",
    "quality.",
    "monitoring.",
    "integrations.",
    "jira.",
    "agent",
    "cacheEnabled",
    "tasks",
];

/// Whether a key is one that other tools' files hold; `implementer.` before it makes no difference.
pub(super) fn is_known(path: &str) -> bool {
    let path = plain(path);
    KEYS.iter().any(|key| match key.strip_suffix('.') {
        Some(table) => path == table || path.starts_with(key),
        None => path == *key,
    })
}

pub(super) fn plain(path: &str) -> &str {
    path.strip_prefix("implementer.").unwrap_or(path)
}

/// What a known foreign key asks for.
pub(super) fn meaning(path: &str, value: &Value) -> Result<Meaning, String> {
    use Meaning::{Agrees, NoEffect, Set};
    Ok(match plain(path) {
        "maxRetries" | "errorRecovery.maxRetries" => Set("retries", value.clone()),
        "timeout" | "parallel.taskTimeout" | "parallel.timeout" => Set("timeout", millis(value)?),
        "parallelTasks" | "maxConcurrent" | "parallel.maxWorkers" => Set("jobs", value.clone()),
        "parallel.enabled" => Set("mode", if flag(value)? { "parallel" } else { "sequential" }.into()),
        "verboseLogging" => Set("verbosity", i64::from(flag(value)?).into()),
        "retryDelays" => {
            let delays = value.as_array().ok_or("this must be a list of milliseconds")?;
            Set("retry.delays", delays.iter().map(millis).collect::<Result<_, _>>()?)
        }
        "retryableErrors" => Set("retryable-errors", value.clone()),
        "nonRetryableErrors" => Set("non-retryable-errors", value.clone()),
        "errorRecovery.autoRetry" if flag(value)? => Agrees,
        "errorRecovery.autoRetry" => Set("retries", 0.into()),
        "errorRecovery.backoffStrategy" => match value.as_str() {
            Some("exponential") => Agrees,
            Some("linear" | "fixed" | "constant") => Set("retry.factor", 1.into()),
            _ => return Err("this must be `exponential`, `linear` or `fixed`".to_owned()),
        },
        "errorRecovery.backoffMultiplier" => Set("retry.factor", value.clone()),
        "errorRecovery.tryAlternatives" => Set("try-alternatives", value.clone()),
        "errorRecovery.continueOnNonCritical" => {
            Set("failure", if flag(value)? { "keep-going" } else { "fail-fast" }.into())
        }
        "testing.testFirst" => Set("tdd", value.clone()),
        _ => NoEffect,
    })
}

/// Which of several keys for one setting counts, wherever they stand in a file: a key of a table is more to the point
/// than a flat one, and `autoRetry: false` than the count beside it.
pub(super) fn strength(path: &str) -> u8 {
    match plain(path) {
        "errorRecovery.autoRetry" => 2,
        path => u8::from(path.contains('.')),
    }
}

fn flag(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("this must be `true` or `false`, not `{value}`"))
}

fn millis(value: &Value) -> Result<Value, String> {
    let millis =
        value.as_u64().ok_or_else(|| format!("this must be a number of milliseconds, not `{value}`"))?;
    Ok(format!("{millis}ms").into())
}
