//! What a failure's output tells of the sandbox: whether it may have refused something, and what a person can do then.
//! Looks whether files exist, and changes nothing. What output says is not always the cause, so the words are careful.

use super::around::above;
use super::sandbox::Elsewhere;
use crate::text::safe;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What programs and languages say of a write that was refused, in small letters.
const SIGNS: [&str; 9] = [
    "permission denied",
    "permissiondenied",
    "operation not permitted",
    "cross-device link",
    "eacces",
    "eperm",
    "exdev",
    "permissionerror",
    "effective uid is not 0",
];
/// Of one output so many paths are looked at.
const PATHS: usize = 64;

pub(super) fn may_have_refused(output: &str) -> bool {
    let output = output.to_ascii_lowercase();
    SIGNS.iter().any(|sign| output.contains(sign))
}

/// Goes on after the reason of a failure, if its output looks like it.
pub(super) fn hint(elsewhere: &Elsewhere, output: &str) -> Option<String> {
    if !may_have_refused(output) {
        return None;
    }
    let what = match elsewhere {
        Elsewhere::Nothing => {
            "`sandbox-write` in your own configuration allows more, `--sandbox=off` everything".to_owned()
        }
        Elsewhere::AllBut(spared) => match new_name(output, &above(spared)) {
            Some(path) => format!(
                "tasks make no new names in the directory of `{0}`, so make it for them (`mkdir {0}`, `touch` for a \
                 file), or allow everything by `--sandbox=off`",
                safe(&path.to_string_lossy())
            ),
            None => "tasks change neither the project, nor other tasks' trees, nor names in a directory above one of \
                     these; `--sandbox=off` allows everything"
                .to_owned(),
        },
    };
    Some(format!("; the sandbox may have refused it: {what}"))
}

/// The first path in the output of which a part is missing whose directory is above something protected: that part.
fn new_name(output: &str, above: &BTreeSet<&Path>) -> Option<PathBuf> {
    // A sentence goes on after a path, or ends with it.
    let is_around = |c: char| c.is_whitespace() || "'\"`‘’“”«»<>()[]{},;=|".contains(c);
    let words = output.split(is_around).map(|word| word.trim_end_matches(['.', ':', '…']));
    let paths = words.filter(|word| word.len() > 1 && word.starts_with('/')).map(Path::new).take(PATHS);
    paths.flat_map(Path::ancestors).find(|part| is_refused(part, above)).map(Path::to_owned)
}

fn is_refused(path: &Path, above: &BTreeSet<&Path>) -> bool {
    let is_plain = path.components().all(|part| part != std::path::Component::ParentDir);
    is_plain && path.parent().is_some_and(|dir| above.contains(dir)) && path.symlink_metadata().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_is_missing_above_what_is_protected_is_found_in_the_words_of_many_programs() {
        let home = tempfile::tempdir().expect("a directory");
        let home = home.path().canonicalize().expect("exists");
        std::fs::create_dir_all(home.join("src/project")).expect("made");
        std::fs::create_dir(home.join(".there")).expect("made");
        let spared = Elsewhere::AllBut(vec![home.join("src/project"), home.join(".local/state/x")]);
        let of = |output: &str| hint(&spared, &output.replace('~', &home.to_string_lossy())).expect("a hint");
        for output in [
            "mkdir: cannot create directory ‘~/.tool’: Permission denied",
            "Error: EACCES: permission denied, mkdir '~/.tool/_cacache'",
            "error: failed to create directory `~/.tool/registry`\n\nCaused by:\n  Permission denied (os error 13)",
            "PermissionError: [Errno 13] Permission denied: '~/.tool/a/b'",
            "go: mkdir ~/.tool: permission denied",
            "Os { code: 13, kind: PermissionDenied, message: \"no\" } at ~/.tool.",
        ] {
            assert!(
                of(output).contains(&format!("`mkdir {}/.tool`", home.display())),
                "{output}: {}",
                of(output)
            );
        }
        for output in [
            "sh: cannot create ~/src/project/x: Permission denied",
            "~/.there: Permission denied",
            "Permission denied",
            "/: Permission denied",
            "../x/.tool: Permission denied",
        ] {
            assert!(!of(output).contains("mkdir") && of(output).contains("`--sandbox=off`"), "{output}");
        }
        assert_eq!(hint(&spared, "no such file: /x"), None);
        assert!(hint(&Elsewhere::Nothing, "EPERM").is_some_and(|hint| hint.contains("`sandbox-write`")));
    }
}
