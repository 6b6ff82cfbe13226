//! Whether an agent's last message waits for an answer (SPEC 4.6). This is the one place where the model's own words
//! count: a question is what it says, not a claim about what it did.

use super::Work;
use crate::agent::told::one_line;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    pub text: String,
    /// What it offers to choose from.
    pub options: Vec<String>,
    /// What it would take by itself.
    pub default: Option<String>,
    /// Nothing marks it as one that stops the work: it may only be politeness.
    pub is_plain: bool,
}

/// So much is read of a file with a question.
pub const MAX_FILE: u64 = 16 << 10;
const MAX_OPTIONS: usize = 20;

/// Words of a polite offer after work that is done.
const OFFERS: [&str; 8] = [
    "would you like me to",
    "do you want me to",
    "want me to",
    "shall i also",
    "should i also",
    "anything else",
    "is there anything",
    "let me know if you",
];

/// The question that the message ends with. A block that begins with `BLOCKED:` counts wherever it stands; else the last
/// line must be one, and where work was done a mere offer of more is none.
pub(super) fn find(message: &str, work: Work) -> Option<Question> {
    blocked(message).or_else(|| {
        let last = message.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
        let plain = last.trim_end_matches(['*', '_', '`', '"', '\'', ')', '”', ' ']);
        if !plain.ends_with(['?', '？']) {
            return None;
        }
        let lower = last.to_lowercase();
        let is_offer = work != Work::Nothing && OFFERS.iter().any(|offer| lower.contains(offer));
        (!is_offer).then(|| Question { text: one_line(last), is_plain: true, ..Question::default() })
    })
}

/// `BLOCKED: question`, then perhaps `OPTIONS: a | b` and `DEFAULT: a`.
fn blocked(message: &str) -> Option<Question> {
    let mut lines = message.lines().map(|line| line.trim().trim_matches('*').trim());
    let text = lines.find_map(|line| line.strip_prefix("BLOCKED:"))?.trim();
    let mut question = Question { text: one_line(text), ..Question::default() };
    add_choices(&mut question, lines);
    Some(question).filter(|question| !question.text.is_empty())
}

/// What a file says that an agent wrote to ask: the lines of such a block, or plain words.
pub fn in_file(text: &str) -> Option<Question> {
    blocked(text).or_else(|| {
        let is_choice = |line: &&str| line.starts_with("OPTIONS:") || line.starts_with("DEFAULT:");
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let words: Vec<&str> = lines.iter().copied().take_while(|line| !is_choice(line)).collect();
        let mut question = Question { text: one_line(&words.join(" ")), ..Question::default() };
        add_choices(&mut question, lines.into_iter());
        Some(question).filter(|question| !question.text.is_empty())
    })
}

fn add_choices<'a>(question: &mut Question, lines: impl Iterator<Item = &'a str>) {
    for line in lines {
        if let Some(options) = line.strip_prefix("OPTIONS:") {
            let options = options.split('|').map(str::trim).filter(|option| !option.is_empty());
            question.options = options.take(MAX_OPTIONS).map(one_line).collect();
        } else if let Some(default) = line.strip_prefix("DEFAULT:") {
            question.default = Some(one_line(default)).filter(|default| !default.is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(message: &str, work: Work) -> Option<String> {
        find(message, work).map(|question| question.text)
    }

    #[test]
    fn a_question_at_the_end_waits_for_an_answer() {
        for work in [Work::Nothing, Work::Changed] {
            assert_eq!(
                text("I looked at it.\n\nWhich database should I use: **PostgreSQL or SQLite?**\n", work)
                    .as_deref(),
                Some("Which database should I use: **PostgreSQL or SQLite?**")
            );
        }
        assert_eq!(text("Why? Because it was wrong. I fixed it.", Work::Changed), None);
        assert_eq!(text("", Work::Nothing), None);
    }

    #[test]
    fn an_offer_after_work_is_no_question_but_without_work_it_is() {
        let message = "Done, the tests pass. Would you like me to also update the README?";
        assert_eq!(text(message, Work::Changed), None);
        assert!(text(message, Work::Nothing).is_some());
    }

    #[test]
    fn a_file_may_hold_a_block_or_plain_words_and_neither_is_without_bounds() {
        let text = |file: &str| in_file(file).map(|question| question.text);
        assert_eq!(text("BLOCKED: which port\n").as_deref(), Some("which port"));
        let plain = in_file("Which port\nis it?\n\nOPTIONS: 80 | 8080\nDEFAULT: 80\n").unwrap();
        assert_eq!((plain.text.as_str(), plain.options.len()), ("Which port is it?", 2));
        assert_eq!((plain.default.as_deref(), plain.is_plain), (Some("80"), false));
        assert_eq!(text(" \n\t\n"), None);
        assert_eq!(text("OPTIONS: 1 | 2\n"), None);
        assert!(text(&"x".repeat(100_000)).is_some_and(|text| text.len() < 5_000));
    }

    #[test]
    fn a_block_names_options_and_a_default() {
        let question = find(
            "Wrote half.\nBLOCKED: which port\nOPTIONS: 80 | 8080 |\nDEFAULT: 8080\nBye.",
            Work::Changed,
        );
        assert_eq!(
            question,
            Some(Question {
                text: "which port".into(),
                options: vec!["80".into(), "8080".into()],
                default: Some("8080".into()),
                is_plain: false,
            })
        );
        assert_eq!(find("BLOCKED:", Work::Changed), None);
    }
}
