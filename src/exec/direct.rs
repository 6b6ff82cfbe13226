//! Whether a block is one plain command that means the same with and without a shell, as make decides it.
//!
//! In doubt, it is not: a shell costs 0.3 ms, a wrong guess costs trust.

/// Characters that a shell may take for its own, wherever they stand.
const SPECIAL: &[u8] = b"|&;<>()$`\\\"'*?[]{}~!^\n\r\x0c\0";

/// First words that a shell does not look up on PATH, or whose program behaves differently from the shell's own.
const SHELLS_OWN: &[&str] = &[
    ".",
    ":",
    "[",
    "[[",
    "alias",
    "bg",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "command",
    "compgen",
    "complete",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "elif",
    "else",
    "enable",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "fc",
    "fg",
    "fi",
    "for",
    "function",
    "getopts",
    "hash",
    "help",
    "history",
    "if",
    "in",
    "jobs",
    "kill",
    "let",
    "local",
    "login",
    "logout",
    "mapfile",
    "newgrp",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "until",
    "wait",
    "while",
];

/// The words of `code` if it is one simple command without anything that a shell would interpret.
pub(super) fn plain_words(code: &str) -> Option<impl Iterator<Item = &str>> {
    let code = code.trim_matches(|c| matches!(c, ' ' | '\t' | '\n'));
    if code.bytes().any(|byte| SPECIAL_BYTE[byte as usize]) {
        return None;
    }
    // What else this splits at is special.
    let words = || code.split_ascii_whitespace();
    let first = words().next()?;
    let is_assignment = first.bytes().any(|byte| byte == b'=');
    let has_word_with = |start: u8| words().any(|word| word.as_bytes()[0] == start);
    let is_comment = code.bytes().any(|byte| byte == b'#') && has_word_with(b'#');
    if is_assignment
        || is_comment
        || first.starts_with(['-', '%'])
        || is_shells_own(first)
        || (first == "echo" && has_word_with(b'-'))
    {
        return None;
    }
    Some(words())
}

fn is_shells_own(word: &str) -> bool {
    word.len() <= LONGEST_OWN && OWN_PACKED.binary_search(&packed(word)).is_ok()
}

/// A number for a word, in the order of the words: one comparison instead of one for each letter.
const fn packed(word: &str) -> u128 {
    let bytes = word.as_bytes();
    let (mut number, mut at) = (0, 0);
    while at < LONGEST_OWN {
        number = number << 8 | if at < bytes.len() { bytes[at] as u128 } else { 0 };
        at += 1;
    }
    number
}

/// Of the words above, in bytes.
const LONGEST_OWN: usize = 9;

const OWN_PACKED: [u128; SHELLS_OWN.len()] = {
    let mut all = [0; SHELLS_OWN.len()];
    let mut at = 0;
    while at < all.len() {
        assert!(SHELLS_OWN[at].len() <= LONGEST_OWN);
        all[at] = packed(SHELLS_OWN[at]);
        at += 1;
    }
    all
};

const SPECIAL_BYTE: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < SPECIAL.len() {
        table[SPECIAL[at] as usize] = true;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn words(code: &str) -> Option<Vec<&str>> {
        plain_words(code).map(Iterator::collect)
    }

    #[test]
    fn plain_commands_need_no_shell() {
        assert_eq!(
            words("  cargo  build --features=a,b -p x\n"),
            Some(vec!["cargo", "build", "--features=a,b", "-p", "x"])
        );
        assert_eq!(words("true"), Some(vec!["true"]));
        assert_eq!(words("./run.sh 50% a@b +x"), Some(vec!["./run.sh", "50%", "a@b", "+x"]));
    }

    #[test]
    fn what_a_shell_would_interpret_goes_to_the_shell() {
        for code in [
            "",
            "# note",
            "a # note",
            "A=1 b",
            "a\nb",
            "a; b",
            "a && b",
            "a | b",
            "a > f",
            "a < f",
            "a &",
            "echo $HOME",
            "echo `x`",
            "echo 'a b'",
            "echo \"a\"",
            "a\\ b",
            "ls *",
            "ls ?",
            "ls [ab]",
            "ls ~",
            "a {b,c}",
            "! a",
            "cd x",
            "exit 3",
            ". ./env",
            "test -f x",
            "[ -f x ]",
            "kill 1",
            "printf a",
            "echo -n a",
            "pwd",
            "exec a",
            "a\r\n b",
            "if",
            "time ls",
        ] {
            assert_eq!(words(code), None, "{code:?}");
        }
    }

    #[test]
    fn the_list_is_sorted_for_its_search() {
        assert!(SHELLS_OWN.is_sorted() && OWN_PACKED.is_sorted());
        assert!(SHELLS_OWN.iter().all(|word| is_shells_own(word)));
        assert!(["t", "tru", "true", "testing", "readonlyness"].iter().all(|word| !is_shells_own(word)));
    }
}
