//! The environment of children (SPEC 14.3): what is withheld, what is added. Made once for a run, not per attempt.
//!
//! Added, unless the user has set them: `CI=true`, `GIT_TERMINAL_PROMPT=0`, `DEBIAN_FRONTEND=noninteractive`. Not
//! `NO_COLOR`: output is a pipe, and a test suite may be about colours. A block's own `env.K=V` comes last and wins.

use super::jobserver;
use super::tree::{OUTER_NAME, TOKEN_NAME};
use crate::sys::Strings;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Change what a shell, the loader or git does before the task's own words count.
const WITHHELD_NAMES: [&str; 4] = ["BASH_ENV", "ENV", "OLDPWD", "_"];
const WITHHELD_PREFIXES: [&str; 3] = ["GIT_", "LD_", "SPECTER_"];
const ADDED: [(&str, &str); 3] =
    [("CI", "true"), ("GIT_TERMINAL_PROMPT", "0"), ("DEBIAN_FRONTEND", "noninteractive")];

/// Whether a variable's name says that its value is secret.
pub fn is_secret_name(name: &str) -> bool {
    // Every start asks it of every variable, some of them twice: so one look at most letters is enough.
    let has = |at: usize| {
        let words: &[&str] = match name.as_bytes()[at].to_ascii_uppercase() {
            b'C' => &["CREDENTIAL"],
            b'K' => &["KEY"],
            b'P' => &["PASSWORD", "PASSWD", "PASSPHRASE"],
            b'S' => &["SECRET"],
            b'T' => &["TOKEN"],
            _ => return false,
        };
        let rest = &name.as_bytes()[at..];
        words
            .iter()
            .any(|word| rest.get(..word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word.as_bytes())))
    };
    (0..name.len()).any(has)
}

/// Whether children do not get the variable. `pass` holds names, or beginnings that end in `*`, from the user's own
/// configuration.
pub fn is_withheld(name: &str, pass: &[String]) -> bool {
    !is_listed(name, pass)
        && (is_secret_name(name)
            || WITHHELD_NAMES.contains(&name)
            || WITHHELD_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

/// Whether a list of names, or beginnings that end in `*`, has it.
pub(super) fn is_listed(name: &str, list: &[String]) -> bool {
    list.iter().any(|listed| match listed.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == listed,
    })
}

/// What children get, prepared.
pub(super) struct Environment {
    pub(super) base: Strings,
    /// The search path of children, as they see it.
    pub(super) path: Vec<u8>,
    /// Exported shell functions: a plain word may then mean something else to bash.
    pub(super) has_functions: bool,
}

impl Environment {
    /// `told` is what children are told besides, whatever specter itself inherited under those names.
    pub(super) fn new(
        vars: &[(OsString, OsString)],
        pass: &[String],
        project: &Path,
        run: &str,
        told: &[(&str, Vec<u8>)],
    ) -> Environment {
        let mut base = Strings::new();
        let mut path = b"/usr/local/bin:/usr/bin:/bin".to_vec();
        let mut has_functions = false;
        let name_of = |name: &OsString| String::from_utf8_lossy(name.as_bytes()).into_owned();
        for (name, value) in vars {
            let text = name_of(name);
            if text == "PWD" || is_withheld(&text, pass) || jobserver::is_foreign(&text, value) {
                continue;
            }
            if told.iter().any(|(name, _)| *name == text) {
                continue;
            }
            if text == "PATH" {
                path = value.as_bytes().to_vec();
            }
            has_functions |= text.starts_with("BASH_FUNC_");
            base.push(&[name.as_bytes(), b"=", value.as_bytes()]);
        }
        for (name, value) in ADDED {
            let passed = vars.iter().any(|(n, _)| n == name) && !is_withheld(name, pass);
            if !passed {
                base.push(&[name.as_bytes(), b"=", value.as_bytes()]);
            }
        }
        told.iter().for_each(|(name, value)| base.push(&[name.as_bytes(), b"=", value]));
        let project = project.as_os_str().as_bytes();
        base.push(&[b"PWD=", project]);
        base.push(&[b"SPECTER_PROJECT=", project]);
        base.push(&[b"SPECTER_RUN=", run.as_bytes()]);
        let around = [OUTER_NAME, TOKEN_NAME].map(|name| vars.iter().find(|(n, _)| n == name));
        let around: Vec<&[u8]> = around.into_iter().flatten().map(|(_, value)| value.as_bytes()).collect();
        if !around.is_empty() {
            base.push(&[OUTER_NAME.as_bytes(), b"=", &around.join(&b'\n')]);
        }
        Environment { base, path, has_functions }
    }

    /// The whole environment of a block that sets variables of its own, or starts elsewhere; `project` is another
    /// directory that stands for the project's.
    pub(super) fn with(
        &self,
        own: &Strings,
        extra: &[(String, String)],
        dir: Option<&Path>,
        project: Option<&Path>,
    ) -> Strings {
        let mut all = Strings::new();
        let is_replaced = |entry: &[u8]| {
            let name = entry.split(|byte| *byte == b'=').next().unwrap_or_default();
            (dir.is_some() && name == b"PWD")
                || (project.is_some() && name == b"SPECTER_PROJECT")
                || extra.iter().any(|(n, _)| n.as_bytes() == name)
        };
        self.base.iter().chain(own.iter()).filter(|e| !is_replaced(e)).for_each(|e| all.push(&[e]));
        if let Some(dir) = dir {
            all.push(&[b"PWD=", dir.as_os_str().as_bytes()]);
        }
        if let Some(project) = project {
            all.push(&[b"SPECTER_PROJECT=", project.as_os_str().as_bytes()]);
        }
        for (name, value) in extra {
            all.push(&[name.as_bytes(), b"=", value.as_bytes()]);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_what_bends_tools_are_withheld() {
        for name in [
            "AWS_SECRET_ACCESS_KEY",
            "GITHUB_TOKEN",
            "npm_config_password",
            "DB_PASSWORD",
            "PGPASSWD",
            "gpg_passphrase",
            "GOOGLE_CREDENTIALS",
            "OPENAI_API_KEY",
            "GIT_DIR",
            "LD_PRELOAD",
            "BASH_ENV",
            "ENV",
            "SPECTER_JOBS",
        ] {
            assert!(is_withheld(name, &[]), "{name}");
        }
        for name in ["PATH", "HOME", "SSH_AUTH_SOCK", "LANG", "CARGO_HOME", "GITHUB_ACTIONS", "ENVIRONMENT"] {
            assert!(!is_withheld(name, &[]), "{name}");
        }
    }

    #[test]
    fn the_user_passes_names_and_beginnings() {
        let pass = ["NPM_TOKEN".to_owned(), "AWS_*".to_owned()];
        assert!(!is_withheld("NPM_TOKEN", &pass) && !is_withheld("AWS_SECRET_ACCESS_KEY", &pass));
        assert!(is_withheld("NPM_TOKEN_2", &pass));
    }

    #[test]
    fn a_blocks_own_values_replace_what_was_there() {
        let vars = [("A".into(), "1".into()), ("CI".into(), "yes".into()), ("PATH".into(), "/x".into())];
        let environment = Environment::new(&vars, &[], Path::new("/p"), "r1", &[]);
        assert_eq!(environment.path, b"/x");
        let mut own = Strings::new();
        own.push(&[b"SPECTER_TASK_ID=T1"]);
        let all = environment.with(&own, &[("A".into(), "2".into())], Some(Path::new("/p/web")), None);
        let all: Vec<String> = all.iter().map(|e| String::from_utf8_lossy(e).into_owned()).collect();
        let of = |name: &str| {
            all.iter().filter(|e| e.starts_with(&format!("{name}="))).cloned().collect::<Vec<_>>()
        };
        assert_eq!(of("A"), ["A=2"]);
        assert_eq!(of("CI"), ["CI=yes"]);
        assert_eq!(of("PWD"), ["PWD=/p/web"]);
        assert_eq!(of("SPECTER_TASK_ID"), ["SPECTER_TASK_ID=T1"]);
    }
}
