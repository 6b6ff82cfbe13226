//! Limits of providers in words, for logs and screens. Texts stand in them as they were stored: whoever shows a line makes
//! it safe. Times are in UTC: events are read on other machines too.

use super::FailureClass;

/// `2026-11-22 03:10 UTC`
pub fn clock(ms: u64) -> String {
    let at =
        i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()).unwrap_or_default();
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// `provider anthropic is held until 2026-11-22 03:10 UTC (usage limit)`
pub fn held(provider: &str, until: Option<u64>, told: bool, why: FailureClass) -> String {
    let of = match why {
        FailureClass::UsageLimit => "usage limit",
        FailureClass::RateLimit => "rate limit",
        _ => "it refuses",
    };
    match until {
        Some(until) if told || why == FailureClass::RateLimit => {
            format!("provider {provider} is held until {} ({of})", clock(until))
        }
        Some(until) => {
            format!(
                "provider {provider} is held ({of}, with no time named): it is asked again at {}",
                clock(until)
            )
        }
        None => format!("provider {provider} is not asked any more: it refused whatever was asked"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_with_its_end_in_utc() {
        let at = Some(1_795_317_000_000);
        assert_eq!(
            held("anthropic", at, true, FailureClass::UsageLimit),
            "provider anthropic is held until 2026-11-22 03:10 UTC (usage limit)"
        );
        assert_eq!(
            held("openai", at, false, FailureClass::UsageLimit),
            "provider openai is held (usage limit, with no time named): it is asked again at 2026-11-22 03:10 UTC"
        );
        assert!(held("x", None, false, FailureClass::Permanent).contains("refused whatever was asked"));
    }
}
