//! What a title says of its task's state: dropped, for a person, a checkpoint. Words only; the box is read elsewhere.

const DROPPED: [&str; 7] =
    ["DEFERRED", "SKIPPED", "REMOVED", "DROPPED", "SCOPED OUT", "CANCELLED", "SUPERSEDED"];

/// Whether a title says that the task is not to be done: `**REMOVED** …`, `… (skipped - later)`, `— DEFERRED`.
/// The word must stand where a remark stands, so that `return SKIPPED` or `remove deferred loading` say nothing.
pub(super) fn is_dropped(title: &str) -> bool {
    if !may_be_dropped(title) {
        return false;
    }
    let start = title.trim_start_matches(['*', '_', '~', ' ', '(', '[']);
    if DROPPED.iter().any(|word| remark(start, word) && !start[word.len()..].starts_with(" in ")) {
        return true;
    }
    super::scan::outside_code(title).any(|(from, to)| {
        let part = &title[from..to];
        part.match_indices(['(', '（', '*', '—', '–', '-', '_', '[']).any(|(at, sign)| {
            // Only the first of a run is looked at, so that a line of stars stays linear.
            if matches!(sign, "*" | "_") && part[..at].ends_with(['*', '_']) {
                return false;
            }
            let after = part[at + sign.len()..].trim_start_matches(['*', '_', ' ']);
            let bracket = matches!(sign, "(" | "（" | "[");
            let dash = sign == "-" && !part[..at].ends_with(' ');
            !dash
                && DROPPED
                    .iter()
                    .any(|word| remark(after, word) || bracket && remark_in_any_case(after, word))
        })
    })
}

/// Whether any of the words begins somewhere; spares most titles the closer look.
fn may_be_dropped(title: &str) -> bool {
    const LETTERS: [bool; 256] = letters(b"dsrc");
    holds(title, &LETTERS, |word| {
        matches!(&word, b"defe" | b"skip" | b"remo" | b"drop" | b"scop" | b"canc" | b"supe")
    })
}

/// Whether four letters in a row, in any case, pass the test. `first` are those that begin any of the words.
fn holds(text: &str, first: &[bool; 256], test: impl Fn([u8; 4]) -> bool) -> bool {
    let text = text.as_bytes();
    let word =
        |at: usize| text.get(at..at + 4).is_some_and(|w| test([w[0] | 32, w[1] | 32, w[2] | 32, w[3] | 32]));
    text.iter().enumerate().any(|(at, byte)| first[*byte as usize] && word(at))
}

/// Lower-case letters in both cases.
const fn letters(lower: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < lower.len() {
        table[lower[at] as usize] = true;
        table[lower[at].to_ascii_uppercase() as usize] = true;
        at += 1;
    }
    table
}

fn remark(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// `(skipped - …)`, `(deferred)`: lower case counts only as the first word of a bracket.
fn remark_in_any_case(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
        && text[word.len()..].chars().next().is_none_or(|c| {
            matches!(c, ')' | '）' | ':' | ';' | ',' | ']' | '.')
                || (c == ' ' && says_why(&text[word.len()..]))
        })
}

/// ` - reason`, ` to v2`, ` until …`: the remark goes on, as opposed to `(skipped tests count)`.
fn says_why(rest: &str) -> bool {
    let rest = rest.trim_start();
    ["-", "—", "–", "to ", "until ", "by ", "per ", "for ", "because ", "as "]
        .iter()
        .any(|word| rest.starts_with(word))
}

/// Whether a title plainly asks for a person. Conservative: whatever needs such a task waits for somebody.
pub(super) fn is_manual(title: &str) -> bool {
    if !may_be_manual(title) {
        return false;
    }
    let plain = title.trim_start_matches(|c: char| !c.is_alphanumeric());
    let lower: String = plain.chars().take(400).flat_map(char::to_lowercase).collect();
    let made = [
        "checklist",
        "plan",
        "script",
        "guide",
        "doc",
        "page",
        "procedure",
        "template",
        "steps",
        "section",
        "instruction",
    ];
    let opens = [
        "manually ",
        "manual test",
        "manual verif",
        "manual qa",
        "manual smoke",
        "manual valid",
        "manual check",
        "manual review",
        "human review",
        "ask the stakeholder",
        "ask stakeholder",
        "ask the user ",
        "ask a human",
        "stakeholder review",
        "stakeholder sign-off",
        "user acceptance test",
        "get approval",
        "obtain approval",
        "get sign-off",
        "obtain sign-off",
        "request human",
        "run manual",
        "perform manual",
        "conduct manual",
        "execute manual",
        "do manual",
    ];
    if let Some(word) = opens.iter().find(|word| lower.starts_with(*word)) {
        let next: Vec<&str> = lower[word.len()..]
            .split(|c: char| !c.is_alphanumeric())
            .filter(|w| !w.is_empty())
            .take(2)
            .collect();
        return !next.iter().any(|w| made.iter().any(|m| w.starts_with(m)));
    }
    let says = [
        "manual testing by",
        "manual test by",
        "ask the stakeholder",
        "requires human",
        "by a human",
        "needs human",
        "human must",
        "(manual)",
        "(human)",
    ];
    if says.iter().any(|word| lower.contains(word)) {
        return true;
    }
    let checks = ["test ", "verify ", "check ", "validate ", "confirm ", "smoke test ", "smoke-test "];
    let verb = checks.iter().any(|verb| lower.starts_with(verb));
    verb && lower
        .match_indices("manually")
        .any(|(at, _)| !lower[..at].ends_with("be ") && !lower[..at].ends_with('-'))
}

/// Whether any word that could ask for a person begins somewhere; spares most titles the closer look.
fn may_be_manual(title: &str) -> bool {
    const LETTERS: [bool; 256] = letters(b"mhsa");
    holds(title, &LETTERS, |word| {
        matches!(&word, b"manu" | b"huma" | b"stak" | b"acce" | b"appr" | b"sign" | b"ask ")
    })
}

/// `Checkpoint - Ensure all tests pass`.
pub(super) fn is_checkpoint(title: &str) -> bool {
    if !may_be_checkpoint(title) {
        return false;
    }
    let plain = title.trim_start_matches(|c: char| !c.is_alphanumeric());
    ["checkpoint", "检查点", "檢查點", "チェックポイント", "контрольная точка", "punto de control"]
        .iter()
        .any(|word| {
            let same = |head: &str| {
                if word.is_ascii() { head.eq_ignore_ascii_case(word) } else { head.to_lowercase() == *word }
            };
            plain.as_bytes().first().map(|b| b | 32) == word.as_bytes().first().map(|b| b | 32)
                && plain.get(..word.len()).is_some_and(same)
                && !plain[word.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        })
}

/// Whether the text begins, behind signs, like one of the words for a checkpoint.
fn may_be_checkpoint(text: &str) -> bool {
    let first = text.bytes().find(|b| b.is_ascii_alphanumeric() || !b.is_ascii());
    first.is_some_and(|b| matches!(b, b'c' | b'C' | b'p' | b'P') || !b.is_ascii())
}

/// The text of a `**Checkpoint**: …` line; None if the line is none.
pub(super) fn checkpoint(line: &str) -> Option<&str> {
    if !may_be_checkpoint(line) {
        return None;
    }
    let plain = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    if line[..line.len() - plain.len()].contains('[') || !is_checkpoint(plain) {
        return None;
    }
    let colon = plain.char_indices().take(60).find(|(_, c)| matches!(c, ':' | '：' | '—' | '–'));
    let bold = line.trim_start_matches(['-', ' ', '>', '\t']).starts_with("**");
    let (at, c) = colon.or_else(|| bold.then(|| plain.char_indices().find(|(_, c)| *c == '*')).flatten())?;
    Some(
        plain[at + c.len_utf8()..].trim_matches(|c: char| c.is_whitespace() || matches!(c, '*' | ':' | '：')),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_drop_a_task_and_words_do_not() {
        for title in [
            "**REMOVED** ~~Include it~~ - Use download",
            "**DEFERRED (2026-06-02)** — admin",
            "Verify search (skipped - will verify later)",
            "a — DEFERRED",
            "a (Deferred to v2)",
            "a _(deferred)_",
            "SKIPPED: b",
            "DROPPED - x",
        ] {
            assert!(is_dropped(title), "{title}");
        }
        for title in [
            "return SKIPPED from the gate",
            "Remove deferred loading",
            "count (skipped tests) too",
            "`(SKIPPED)` label",
            "handle removed files",
            "Render DEFERRED state",
        ] {
            assert!(!is_dropped(title), "{title}");
        }
    }

    #[test]
    fn a_person_is_asked_for_only_when_it_is_plain() {
        for title in [
            "Manually test the flow",
            "Manual testing by QA",
            "Test full workflow manually (add → list)",
            "Human review of the copy",
            "**Manual verification**: run the app",
            "Ask the stakeholder for colours",
        ] {
            assert!(is_manual(title), "{title}");
        }
        for title in [
            "Write manual test checklist in docs/a.md",
            "Manual test plan in docs",
            "Add automatic leave marking",
            "Implement human review queue",
            "Create user manual",
            "Remove manually written code",
            "Approve button in src/a.rs",
        ] {
            assert!(!is_manual(title), "{title}");
        }
    }

    #[test]
    fn checkpoint_lines_give_their_text() {
        assert_eq!(checkpoint("**Checkpoint**: All ready"), Some("All ready"));
        assert_eq!(checkpoint("**Checkpoint:** All ready"), Some("All ready"));
        assert_eq!(checkpoint("- ✅ **Checkpoint US1**: ok"), Some("ok"));
        assert_eq!(checkpoint("Checkpoints are good"), None);
        assert_eq!(checkpoint("- [ ] Checkpoint: x"), None);
        assert!(is_checkpoint("Checkpoint - Ensure all tests pass"));
    }
}
