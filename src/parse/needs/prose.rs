//! Order told in sentences: on a task's line, and in Dependencies sections (`T035 → T036/T037`, `US2 depends on US1`).
//!
//! Only what is plain is taken. Everything found here is advisory: the plan drops what contradicts the rest.

use super::super::scan;
use super::phrase::Phrase;
use super::{Named, list, target};
use crate::source::Span;

/// What a sentence on a task's line says of the task.
#[derive(Debug, Default)]
pub(in super::super) struct Said {
    /// The task waits for these.
    pub needs: Vec<Named>,
    /// These wait for the task (`until T010`, `before T010`).
    pub needed_by: Vec<Named>,
}

/// Reads a title. The bytes that explicit phrases used up say nothing more.
pub(in super::super) fn on_task(line: &str, from: usize, base: usize, phrases: &[Phrase]) -> Said {
    let mut said = Said::default();
    let text = &line[from..];
    if !text.bytes().any(|b| b.is_ascii_digit()) {
        return said;
    }
    let mut done = 0;
    for (start, end) in scan::outside_code(text) {
        // Most words do not even begin like one that is looked for. Words are short: a search for each space costs more.
        let pairs = text.as_bytes()[start..].windows(2).take(end - start).enumerate();
        let may_say = |pair: &[u8]| matches!(pair, [b' ', b'd' | b'D' | b'b' | b'B' | b'u' | b'U']);
        let spaces = pairs.filter(|(_, pair)| may_say(pair)).map(|(at, _)| start + at);
        for at in spaces {
            let at = from + at + 1;
            let before = phrases.partition_point(|phrase| phrase.start <= at);
            if at < done || before > 0 && at < phrases[before - 1].list.end {
                continue;
            }
            let Some((len, reverse)) = word(&line[at..]) else { continue };
            if negated(&line[from..at]) {
                continue;
            }
            let list = first_ids(line, at + len, base);
            done = list.1;
            if reverse { said.needed_by.extend(list.0) } else { said.needs.extend(list.0) }
        }
    }
    said
}

/// `depends on`, or the reverse words `until` and `before`.
fn word(rest: &str) -> Option<(usize, bool)> {
    if !rest.starts_with(['d', 'D', 'b', 'B', 'u', 'U']) {
        return None;
    }
    [
        ("depends on ", false),
        ("depend on ", false),
        ("blocked by ", false),
        ("until ", true),
        ("before ", true),
    ]
    .into_iter()
    .find(|(word, _)| rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word)))
    .map(|(word, reverse)| (word.len(), reverse))
}

/// The ids that follow directly.
fn first_ids(line: &str, at: usize, base: usize) -> (Vec<Named>, usize) {
    let clean = line[at..].trim_start_matches(['`', '*', ' ']);
    let start = line.len() - clean.len();
    if target(line, start, false).is_none()
        && !clean.get(..5).is_some_and(|w| w.eq_ignore_ascii_case("task ") || w.eq_ignore_ascii_case("tasks"))
    {
        return (Vec::new(), at);
    }
    let stop = line[start..].find(['.', ';', '(', ')', '（', '）']).map_or(line.len(), |n| start + n);
    // A full stop inside `T1.2` is no end of a sentence.
    let stop = if line[stop..].starts_with('.') && line[stop + 1..].starts_with(|c: char| c.is_ascii_digit())
    {
        line.len()
    } else {
        stop
    };
    let list = list(&line[..stop], start, base, false);
    (list.named, stop.max(at))
}

fn negated(before: &str) -> bool {
    let tail: String = before
        .chars()
        .rev()
        .take(14)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect::<String>()
        .to_ascii_lowercase();
    ["not ", "n't ", " no ", "never ", "without "].iter().any(|word| tail.ends_with(word))
}

/// An edge told by a section: `dependent` waits for `need`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Told {
    pub dependent: Named,
    pub need: Named,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    /// Right waits for left.
    Forward,
    /// Left waits for right.
    Backward,
}

const OPERATORS: [(&str, Operator); 18] = [
    ("→", Operator::Forward),
    ("⟶", Operator::Forward),
    ("➔", Operator::Forward),
    ("-->", Operator::Forward),
    ("->", Operator::Forward),
    ("=>", Operator::Forward),
    ("depends on", Operator::Backward),
    ("depend on", Operator::Backward),
    ("depends upon", Operator::Backward),
    ("requires", Operator::Backward),
    ("require", Operator::Backward),
    ("after", Operator::Backward),
    ("blocked by", Operator::Backward),
    ("blocks", Operator::Forward),
    ("block", Operator::Forward),
    ("before", Operator::Forward),
    ("依赖于", Operator::Backward),
    ("依赖", Operator::Backward),
];

/// The longest group on either side of an operator; real lists are short, and their product is built here.
const GROUP: usize = 64;

/// Reads one line of a Dependencies section.
pub(in super::super) fn in_section(line: &str, base: usize, numbers: bool) -> Vec<Told> {
    let mut told = Vec::new();
    if !line.bytes().any(|b| b.is_ascii_digit()) {
        return told;
    }
    let mut state =
        Section { left: Vec::new(), right: Vec::new(), operator: None, joined: false, quiet: false };
    let mut at = 0;
    let mut depth = 0_u32;
    while let Some(c) = line[at..].chars().next() {
        let wordly = at == 0 || !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        match c {
            '(' | '（' => depth += 1,
            ')' | '）' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            // A full stop or semicolon ends what was said; one inside a number does not.
            '.' | ';' | '。' | '；'
                if !line[at + c.len_utf8()..].starts_with(|c: char| c.is_ascii_digit()) =>
            {
                state.end(&mut told);
            }
            ',' | '/' | '&' | '+' | '‖' | '|' | '、' => state.joined = true,
            '`' | '*' | '_' | ' ' | '[' | ']' => {}
            _ => {
                if let Some((len, operator)) = operator(&line[at..], wordly) {
                    state.operator(&mut told, operator);
                    at += len;
                    continue;
                }
                if wordly && let Some((target, end)) = target(line, at, numbers && c.is_ascii_digit()) {
                    state.named(&mut told, Named { target, span: Span::new(base + at, base + end) });
                    at = end;
                    continue;
                }
                if wordly {
                    let len = line[at..]
                        .find(|c: char| !c.is_alphanumeric() && c != '\'')
                        .unwrap_or(line.len() - at);
                    state.word(&line[at..at + len]);
                }
            }
        }
        at += c.len_utf8();
    }
    state.end(&mut told);
    told
}

struct Section {
    left: Vec<Named>,
    right: Vec<Named>,
    operator: Option<Operator>,
    /// A separator was the last thing seen.
    joined: bool,
    /// Behind a "not": what follows says nothing.
    quiet: bool,
}

impl Section {
    fn named(&mut self, told: &mut Vec<Told>, named: Named) {
        let group = if self.operator.is_some() { &mut self.right } else { &mut self.left };
        if group.is_empty() || self.joined {
            if group.len() < GROUP {
                group.push(named);
            }
        } else if self.operator.is_some() {
            // A second group behind the operator: the first is complete.
            self.emit(told);
            self.operator = None;
            self.left = vec![named];
        } else {
            self.left = vec![named];
        }
        self.joined = false;
    }

    fn operator(&mut self, told: &mut Vec<Told>, operator: Operator) {
        if self.operator.is_some() && !self.right.is_empty() {
            self.emit(told);
            self.left = std::mem::take(&mut self.right);
        }
        self.right.clear();
        self.operator = (!self.left.is_empty() && !self.quiet).then_some(operator);
        self.joined = false;
    }

    fn word(&mut self, word: &str) {
        let lower = word.to_ascii_lowercase();
        self.quiet |= matches!(lower.as_str(), "not" | "no" | "without" | "never" | "independent")
            || lower.ends_with("n't");
        match lower.as_str() {
            "and" | "or" | "both" | "then" => self.joined |= lower != "then",
            _ => {}
        }
    }

    fn emit(&mut self, told: &mut Vec<Told>) {
        let Some(operator) = self.operator else { return };
        for left in &self.left {
            for right in &self.right {
                let (dependent, need) = match operator {
                    Operator::Forward => (right, left),
                    Operator::Backward => (left, right),
                };
                if dependent.target != need.target
                    && super::bad(&dependent.target).is_none()
                    && super::bad(&need.target).is_none()
                {
                    told.push(Told { dependent: dependent.clone(), need: need.clone() });
                }
            }
        }
    }

    fn end(&mut self, told: &mut Vec<Told>) {
        self.emit(told);
        *self = Section { left: Vec::new(), right: Vec::new(), operator: None, joined: false, quiet: false };
    }
}

fn operator(rest: &str, wordly: bool) -> Option<(usize, Operator)> {
    OPERATORS.iter().find_map(|(sign, operator)| {
        let head = rest.get(..sign.len())?;
        let word = sign.starts_with(|c: char| c.is_ascii_alphabetic());
        let fits = if word {
            wordly
                && head.eq_ignore_ascii_case(sign)
                && !rest[sign.len()..].starts_with(char::is_alphanumeric)
        } else {
            head == *sign
        };
        fits.then_some((sign.len(), *operator))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::show;
    use super::*;

    fn told(line: &str) -> String {
        let one = |t: &Told| {
            format!("{}<{}", show(std::slice::from_ref(&t.need)), show(std::slice::from_ref(&t.dependent)))
        };
        in_section(line, 0, false).iter().map(one).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn sections_tell_order_in_chains_and_verbs() {
        assert_eq!(told("- T035 → T036/T037 → T038"), "T035<T036, T035<T037, T036<T038, T037<T038");
        assert_eq!(told("- **US1（x）**：T001 -> T004-T021"), "T001<T004..T021");
        assert_eq!(
            told("- T010-T011 depend on T001-T009 (RLS policies need tables)"),
            "T001..T009<T010..T011"
        );
        assert_eq!(
            told("- T015/T016 can start after T012/T014 (need x)"),
            "T012<T015, T014<T015, T012<T016, T014<T016"
        );
        assert_eq!(told("- T001 (types) before T002 (service) and T003 (route)"), "T001<T002, T001<T003");
        assert_eq!(told("- T013 blocks T015, T016, T17"), "T013<T015, T013<T016, T013<T17");
        assert_eq!(told("- US2 depends on US1"), "US1<US2");
        assert_eq!(told("- **Phase 3 (US1)**: depends on Phase 2; blocks all"), "phase 2<phase 3");
    }

    #[test]
    fn what_is_denied_or_vague_says_nothing() {
        assert_eq!(told("- US2 does not depend on US1"), "");
        assert_eq!(told("- Foundational (Phase 2): Depends on Setup completion - BLOCKS all"), "");
        assert_eq!(told("- T003 and T004 can run in parallel"), "");
        assert_eq!(told("- Models before services"), "");
    }

    #[test]
    fn a_title_may_wait_or_be_waited_for() {
        let line = "T009 Update tests (they will not compile until T010)";
        let said = on_task(line, 5, 0, &[]);
        assert_eq!((show(&said.needs), show(&said.needed_by)), (String::new(), "T010".to_owned()));
        let said = on_task("x — depends on T007 and T008", 0, 0, &[]);
        assert_eq!(show(&said.needs), "T007 T008");
        let said = on_task("run after T006 and before T015-T018 to confirm", 0, 0, &[]);
        assert_eq!((show(&said.needs), show(&said.needed_by)), (String::new(), "T015..T018".to_owned()));
    }
}
