//! What an attempt by an agent needs to know of its surroundings: which variables are handed on, ids, times in words.

use super::super::capture::{REPORT_TAIL, report_tail};
use super::super::environment::is_listed;
use crate::agent::{Reset, StopReason};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// Handed on to agents. Not everything, as to the shell: an agent reads what it likes, and who writes to it may ask for it.
const NAMES: [&str; 42] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "TMPDIR",
    "TMP",
    "TEMP",
    "CI",
    "COLUMNS",
    "NO_COLOR",
    "EDITOR",
    "PAGER",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "CC",
    "CXX",
    "AR",
    "CFLAGS",
    "CXXFLAGS",
    "LDFLAGS",
    "MAKEFLAGS",
    "GOPATH",
    "GOROOT",
    "GOFLAGS",
    "DEBIAN_FRONTEND",
    "IN_NIX_SHELL",
    "NIX_PATH",
];
/// So do all that begin so: what compilers, package managers and test runners are told.
const PREFIXES: [&str; 29] = [
    "LC_",
    "XDG_",
    "CARGO_",
    "RUST",
    "GO111",
    "GOPRIVATE",
    "GOPROXY",
    "JAVA_",
    "MAVEN_",
    "GRADLE_",
    "NODE_",
    "npm_config_",
    "NPM_CONFIG_",
    "PNPM_",
    "YARN_",
    "BUN_",
    "NVM_",
    "VOLTA_",
    "PYTHON",
    "PIP_",
    "UV_",
    "VIRTUAL_ENV",
    "CONDA_",
    "PYENV_",
    "RBENV_",
    "GEM_",
    "BUNDLE_",
    "DOTNET_",
    "PKG_CONFIG_",
];

pub(super) fn is_given(name: &str, pass: &[String]) -> bool {
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || is_listed(name, pass)
        // What is told of attempts around this one.
        || name == super::super::tree::TOKEN_NAME || name == super::super::tree::OUTER_NAME
}

/// A random one, version 4.
pub(super) fn uuid() -> String {
    let random = [RandomState::new().hash_one(0_u8), RandomState::new().hash_one(1_u8)];
    let high = random[0] & !0xf000 | 0x4000;
    let low = random[1] & !(0xc0 << 56) | 0x80 << 56;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// As much of the end as a report has room for.
pub(super) fn end_of(text: &str) -> String {
    if text.len() <= REPORT_TAIL { text.trim_end().to_owned() } else { report_tail(text) }
}

pub(super) fn stop_word(stop: &StopReason) -> String {
    match stop {
        StopReason::EndTurn => "end_turn".to_owned(),
        StopReason::MaxTokens => "max_tokens".to_owned(),
        StopReason::Budget => "budget".to_owned(),
        StopReason::Refusal => "refusal".to_owned(),
        StopReason::Cancelled => "cancelled".to_owned(),
        StopReason::Error => "error".to_owned(),
        StopReason::Other(word) => word.clone(),
    }
}

/// `10m`
pub(super) fn duration(time: Duration) -> String {
    jiff::SignedDuration::try_from(time)
        .map_or_else(|_| format!("{}s", time.as_secs()), |time| format!("{time:#}"))
}

/// How long until then, and that instant in milliseconds since the epoch. A time of day without its zone is one of `zone`,
/// as the agent was told it by `TZ`, or else of the machine's.
pub(super) fn resets_at(reset: &Reset, zone: Option<&str>) -> Option<(Duration, u64)> {
    let now = Timestamp::now();
    let at = reset.resolve(now, &local(zone), &|name| TimeZone::get(name).ok())?;
    Some((Duration::try_from(at.duration_since(now)).ok()?, u64::try_from(at.as_millisecond()).ok()?))
}

/// What cannot be found out is UTC, as for every other program.
fn local(zone: Option<&str>) -> TimeZone {
    match zone {
        Some(name) => TimeZone::get(name).or_else(|_| TimeZone::posix(name)).unwrap_or(TimeZone::UTC),
        None => TimeZone::try_system().unwrap_or(TimeZone::UTC),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_get_what_builds_need_and_what_was_passed_and_nothing_else() {
        let pass = ["ANTHROPIC_API_KEY".to_owned(), "COPILOT_PROVIDER_*".to_owned()];
        for name in
            ["PATH", "LC_ALL", "CARGO_HOME", "PYTHONPATH", "ANTHROPIC_API_KEY", "COPILOT_PROVIDER_BASE_URL"]
        {
            assert!(is_given(name, &pass), "{name}");
        }
        for name in ["AWS_PROFILE", "OPENAI_API_KEY", "SSH_AUTH_SOCK", "KUBECONFIG", "SPECTER_JOBS"] {
            assert!(!is_given(name, &pass), "{name}");
        }
    }

    #[test]
    fn a_time_of_day_is_one_of_the_zone_that_the_agent_knows() {
        let reset = crate::agent::reset::find("try again at 6:12 PM").expect("a time");
        let shown = |zone: &str| {
            let (_, at) = resets_at(&reset, Some(zone)).expect("an instant");
            Timestamp::from_millisecond(at as i64).expect("in range").to_string()
        };
        assert!(shown("UTC").ends_with("T18:12:00Z"));
        assert!(shown("IST-5:30").ends_with("T12:42:00Z"), "{}", shown("IST-5:30"));
        assert!(shown("no zone at all").ends_with("T18:12:00Z"));
    }

    #[test]
    fn ids_have_the_form_that_agents_check() {
        let ids = [uuid(), uuid()];
        assert_ne!(ids[0], ids[1]);
        for id in ids {
            let parts: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
            assert!(
                id.as_bytes()[14] == b'4' && matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'),
                "{id}"
            );
        }
    }
}
