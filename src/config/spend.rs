//! What agents may spend, and what a provider's limit and an agent's question do: how these settings are read and shown. What they do is known to
//! `schedule`.

use super::Config;
use crate::policy::{OnLimit, OnQuestion};
use serde_json::{Value, json};

const MICROS: u64 = 1_000_000;

pub(super) fn show_tokens(config: &Config) -> Value {
    config.budgets.max_tokens.map_or_else(|| "none".into(), Value::from)
}

/// A whole number, with `k` or `M` behind it for thousands or millions.
pub(super) fn set_tokens(config: &mut Config, value: &Value) -> Result<(), String> {
    let text = plain(value);
    let wrong =
        || format!("this must be a number of tokens from 1, such as `500k` or `2M`, or `none`, not `{text}`");
    if text.trim() == "none" {
        config.budgets.max_tokens = None;
        return Ok(());
    }
    let (digits, factor) = match text.trim().strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1_000),
        None => match text.trim().strip_suffix(['m', 'M']) {
            Some(digits) => (digits, 1_000_000),
            None => (text.trim(), 1),
        },
    };
    let tokens = digits.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    config.budgets.max_tokens = Some(tokens.filter(|tokens| *tokens > 0).ok_or_else(wrong)?);
    Ok(())
}

pub(super) fn tokens_schema() -> Value {
    json!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "string", "examples": ["500k", "2M", "none"] }] })
}

pub(super) fn show_cost(config: &Config) -> Value {
    let Some(micros) = config.budgets.max_cost_micros else { return "none".into() };
    let (dollars, rest) = (micros / MICROS, micros % MICROS);
    let text = format!("{dollars}.{rest:06}");
    text.trim_end_matches('0').trim_end_matches('.').into()
}

/// Dollars, with or without their sign.
pub(super) fn set_cost(config: &mut Config, value: &Value) -> Result<(), String> {
    let text = plain(value);
    let wrong = || {
        format!("this must be an amount of dollars above 0, such as `5` or `2.50`, or `none`, not `{text}`")
    };
    let amount = text.trim();
    if amount == "none" {
        config.budgets.max_cost_micros = None;
        return Ok(());
    }
    config.budgets.max_cost_micros = Some(micros(amount.trim_start_matches('$').trim()).ok_or_else(wrong)?);
    Ok(())
}

/// In whole numbers all the way: money is not rounded.
fn micros(amount: &str) -> Option<u64> {
    let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && part.is_empty() || !digits(whole) || !digits(part) || part.len() > 6 {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
    let part = format!("{part:0<6}").parse::<u64>().ok()?;
    whole.checked_mul(MICROS)?.checked_add(part).filter(|micros| *micros > 0)
}

pub(super) fn cost_schema() -> Value {
    json!({ "anyOf": [
        { "type": "number", "exclusiveMinimum": 0 },
        { "type": "string", "examples": ["5", "2.50", "none"] },
    ] })
}

pub(super) fn show_on_limit(config: &Config) -> Value {
    match config.budgets.on_limit {
        OnLimit::Wait => "wait".into(),
        OnLimit::Failover => "failover".into(),
        OnLimit::Stop => "stop".into(),
    }
}

pub(super) fn set_on_limit(config: &mut Config, value: &Value) -> Result<(), String> {
    let text = plain(value);
    config.budgets.on_limit = match &*text {
        "wait" => OnLimit::Wait,
        "stop" => OnLimit::Stop,
        "failover" => OnLimit::Failover,
        _ => return Err(format!("this must be `wait`, `failover` or `stop`, not `{text}`")),
    };
    Ok(())
}

pub(super) fn on_limit_schema() -> Value {
    json!({ "enum": ["wait", "failover", "stop"] })
}

pub(super) fn show_blocked(config: &Config) -> Value {
    match config.on_question {
        OnQuestion::Park => "park".into(),
        OnQuestion::Default => "default".into(),
        OnQuestion::Fail => "fail".into(),
    }
}

pub(super) fn set_blocked(config: &mut Config, value: &Value) -> Result<(), String> {
    let text = plain(value);
    config.on_question = match &*text {
        "park" => OnQuestion::Park,
        "default" => OnQuestion::Default,
        "fail" => OnQuestion::Fail,
        _ => return Err(format!("this must be `park`, `default` or `fail`, not `{text}`")),
    };
    Ok(())
}

pub(super) fn blocked_schema() -> Value {
    json!({ "enum": ["park", "default", "fail"] })
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_with_their_thousands_and_millions() {
        let read = |text: &str| {
            let mut config = Config::default();
            set_tokens(&mut config, &text.into()).map(|()| config.budgets.max_tokens)
        };
        assert_eq!(read("500k"), Ok(Some(500_000)));
        assert_eq!(read("2 M"), Ok(Some(2_000_000)));
        assert_eq!(read("7"), Ok(Some(7)));
        assert_eq!(read("none"), Ok(None));
        for wrong in ["", "0", "-1", "2G", "1.5M", "99999999999999999999", "99999999999999999M"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn money_is_read_to_the_millionth_of_a_dollar_and_shown_as_it_was_read() {
        let read = |value: Value| {
            let mut config = Config::default();
            set_cost(&mut config, &value).map(|()| (config.budgets.max_cost_micros, show_cost(&config)))
        };
        assert_eq!(read("$2.50".into()), Ok((Some(2_500_000), "2.5".into())));
        assert_eq!(read(json!(5)), Ok((Some(5_000_000), "5".into())));
        assert_eq!(read(json!(0.25)), Ok((Some(250_000), "0.25".into())));
        assert_eq!(read(".000001".into()), Ok((Some(1), "0.000001".into())));
        assert_eq!(read("none".into()), Ok((None, "none".into())));
        for wrong in ["", "0", ".", "-1", "1e3", "5 EUR", "0.0000001", "99999999999999999999"] {
            assert!(read(wrong.into()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_a_limit_does_is_one_of_three_words() {
        let mut config = Config::default();
        let refused = set_on_limit(&mut config, &"sleep".into());
        assert!(refused.is_err_and(|why| why.contains("`wait`, `failover` or `stop`")));
        for (word, on_limit) in
            [("stop", OnLimit::Stop), ("failover", OnLimit::Failover), ("wait", OnLimit::Wait)]
        {
            assert_eq!(set_on_limit(&mut config, &word.into()), Ok(()));
            assert_eq!((config.budgets.on_limit, show_on_limit(&config)), (on_limit, word.into()));
        }
    }
}
