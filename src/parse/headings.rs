//! What a heading's words say: phase number, kind, stories, priority, and what sort of section it opens. One heading,
//! no context.

use super::head;
use crate::task::{Few, PhaseKind, Story};

/// What checkboxes below a heading are likely to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// Tasks, as far as the heading says.
    Work,
    /// Dependencies, execution order: order may be told here.
    Order,
    /// Parallel opportunities, notes, strategy, summaries: ids are mentioned here.
    Notes,
    /// A parallel example: never tasks.
    Example,
    /// Checklists, validation, acceptance, definition of done.
    Checklist,
}

/// A heading's text without marks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Title {
    pub number: Option<String>,
    /// How much like a phase it looks: `Phase 3` 3, `Sprint 2`, `3.`, `User Story 1` 2, else 1, `Subtasks` 0.
    pub rank: u8,
    pub kind: PhaseKind,
    pub stories: Few<Story>,
    pub priority: Option<u8>,
    pub section: Section,
    /// Says ✅, DONE or COMPLETED.
    pub done: bool,
}

const PHASE: [&str; 8] = ["phase", "フェーズ", "阶段", "階段", "фаза", "fase", "этап", "단계"];
const STEPS: [&str; 16] = [
    "milestone",
    "sprint",
    "wave",
    "batch",
    "group",
    "step",
    "epic",
    "stage",
    "part",
    "iteration",
    "slice",
    "track",
    "section",
    "etapa",
    "work package",
    "wp",
];

/// Headings that say nothing of what stands below; the one above them is the phase.
const GENERIC: [&str; 12] = [
    "tasks",
    "subtasks",
    "included subtasks",
    "task list",
    "implementation",
    "implementation tasks",
    "tests",
    "steps",
    "подзадачи",
    "任务",
    "任务列表",
    "タスク",
];

/// `title` is the heading's text without `#`s.
pub(super) fn read(title: &str) -> Title {
    let plain = title.trim_start_matches(|c: char| !c.is_alphanumeric());
    let lower = plain.to_lowercase();
    let (rank, number, rest) = numbered(plain, &lower);
    let leads = lower[lower.len().saturating_sub(rest)..].trim_start_matches(|c: char| !c.is_alphanumeric());
    let story_led = leads.starts_with("user story ")
        || (leads.starts_with("us") && leads[2..].starts_with(|c: char| c.is_ascii_digit()));
    // `User Story 7 — Prompts (implements US2)` is about the first one.
    let named = if story_led {
        leads.find([':', '：', '(', '（', '—', '–']).or_else(|| leads.find(" - ")).unwrap_or(leads.len())
    } else {
        0
    };
    let stories = if story_led { stories(&leads[..named]) } else { stories(plain) };
    let kind =
        if story_led && !stories.is_empty() { PhaseKind::Story } else { kind(leads, !stories.is_empty()) };
    Title {
        rank: if rank == 1 && GENERIC.contains(&leads.trim_end_matches(|c: char| !c.is_alphanumeric())) {
            0
        } else if rank == 1 && (story_led || led_by_kind(leads)) {
            2
        } else {
            rank
        },
        number,
        kind,
        priority: priority(&lower),
        section: section(&lower, leads, rank),
        done: ["✅", "☑"].iter().any(|mark| title.contains(mark))
            || ["done", "completed", "complete"].iter().any(|w| ends_with_word(&lower, w)),
        stories: stories.into(),
    }
}

/// `Phase 3: …`, `Sprint 2`, `3. …`, `3 - …`: the rank, the number, and how many bytes of the lower-cased text follow.
fn numbered(plain: &str, lower: &str) -> (u8, Option<String>, usize) {
    for (rank, words) in [(3, &PHASE[..]), (2, &STEPS[..])] {
        let Some(word) = words.iter().filter(|word| lower.starts_with(*word)).max_by_key(|word| word.len())
        else {
            continue;
        };
        let rest = &lower[word.len()..];
        if word.is_ascii() && rest.starts_with(|c: char| c.is_alphabetic()) {
            continue;
        }
        let rest = rest.trim_start_matches([' ', '-', '#']);
        let number: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
        let number = number.trim_end_matches('.');
        let short = number.len() == 1 || number.len() <= 6 && number.bytes().any(|b| b.is_ascii_digit());
        let counts = number.starts_with(|c: char| c.is_ascii_digit()) || short;
        if counts && !number.is_empty() {
            let after = rest.len() - number.len();
            let upper =
                plain.get(plain.len().saturating_sub(rest.len())..).and_then(|t| t.get(..number.len()));
            return (rank, Some(upper.unwrap_or(number).to_owned()), after);
        }
    }
    let len = lower.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let number = lower[..len].trim_end_matches('.');
    let ends = lower[len..].starts_with([' ', ':', '：', ')', '、']) || number.len() < len;
    if !number.is_empty() && number.starts_with(|c: char| c.is_ascii_digit()) && ends && len < 12 {
        return (2, Some(number.to_owned()), lower.len() - len);
    }
    (1, None, lower.len())
}

/// Every `User Story 1`, `US1 + US2` of the text.
fn stories(plain: &str) -> Vec<Story> {
    let mut found: Vec<Story> = Vec::new();
    let mut before = ' ';
    for (at, c) in plain.char_indices() {
        if matches!(c, 'U' | 'u' | 'S' | 's') && !before.is_alphanumeric() {
            let end = plain[at..]
                .find([':', '：', ')', '）', '-', '—', '–', '(', '（', ',', ']'])
                .unwrap_or(plain.len() - at);
            let words: Vec<&str> = plain[at..at + end].split_whitespace().collect();
            let first = words.first().copied().unwrap_or_default();
            let text = match first.to_ascii_lowercase().as_str() {
                "user" | "story" => words[..words.len().min(3)].join(" "),
                _ => first.to_owned(),
            };
            let text = text.trim_end_matches(|c: char| !c.is_alphanumeric());
            // `User Story 1 Tasks` names a story, `Story map` does not: shorten until it reads.
            let short = || text.rsplit_once(' ').map(|(head, _)| head.to_owned()).unwrap_or_default();
            let named = head::stories(text).or_else(|| head::stories(&short()));
            found.extend(
                named.into_iter().flat_map(|n| n.stories).filter(|s| !found.contains(s)).collect::<Vec<_>>(),
            );
        }
        before = c;
    }
    found
}

fn kind(leads: &str, named: bool) -> PhaseKind {
    let words = |list: &[&str]| list.iter().filter_map(|w| word_at(leads, w)).min();
    let found = [
        (words(&["setup", "set-up", "set up", "scaffolding"]), PhaseKind::Setup),
        (
            words(&["foundation", "foundational", "foundations", "blocking prerequisites"]),
            PhaseKind::Foundation,
        ),
        (words(&["polish", "cross-cutting", "final", "finalization"]), PhaseKind::Polish),
    ];
    let first = found.iter().filter_map(|(at, kind)| at.map(|at| (at, *kind))).min_by_key(|(at, _)| *at);
    match first {
        Some((_, kind)) => kind,
        None if named => PhaseKind::Story,
        None => PhaseKind::Other,
    }
}

/// `Setup`, `Foundational …`, `Polish` as the heading's first word.
fn led_by_kind(leads: &str) -> bool {
    ["setup", "foundation", "foundational", "polish"].iter().any(|word| word_at(leads, word) == Some(0))
}

/// Where a whole word stands.
fn word_at(text: &str, word: &str) -> Option<usize> {
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

fn ends_with_word(lower: &str, word: &str) -> bool {
    let text = lower.trim_end_matches(|c: char| !c.is_alphanumeric());
    text.strip_suffix(word)
        .is_some_and(|before| before.trim_end().ends_with(['—', '–', '-', '(', '[', ':', '✅']))
}

/// `(Priority: P1)`, `（Priority: P2）`.
fn priority(lower: &str) -> Option<u8> {
    let rest = &lower[lower.find("priority")? + "priority".len()..];
    let rest = rest.trim_start_matches([':', '：', ' ']).strip_prefix('p')?;
    let digit = rest.chars().next()?.to_digit(10)?;
    (digit > 0).then_some(digit as u8)
}

fn section(lower: &str, leads: &str, rank: u8) -> Section {
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&[
        "parallel example",
        "parallel execution example",
        "examples of parallel",
        "example: parallel",
        "并行示例",
        "並列実行例",
        "並列例",
    ]) {
        return Section::Example;
    }
    // `Phase 4: Validation and Testing` is work, whatever its words.
    if rank >= 2 && !lower.contains("checklist") {
        return Section::Work;
    }
    let starts = |words: &[&str]| words.iter().any(|word| leads.starts_with(word));
    if has(&[
        "dependenc",
        "execution order",
        "依赖",
        "依賴",
        "依存",
        "执行顺序",
        "実行順序",
        "зависимост",
        "dependência",
        "dépendance",
        "blocking relation",
    ]) && !has(&["install", "update", "upgrade", "add "])
    {
        return Section::Order;
    }
    if has(&[
        "checklist",
        "definition of done",
        "success criteria",
        "acceptance criteria",
        "exit criteria",
        "completion criteria",
        "quality gate",
        "sign-off",
        "清单",
        "验证",
        "验收",
        "チェックリスト",
        "验收标准",
        "受け入れ基準",
        "完了条件",
        "критерии",
        "quality check",
        "gate status",
    ]) || starts(&[
        "validation",
        "acceptance",
        "verification",
        "dod",
        "done when",
        "review gate",
        "pre-merge",
        "criterios",
    ]) {
        return Section::Checklist;
    }
    if has(&[
        "parallel",
        "strategy",
        "summary",
        "progress",
        "statistics",
        "并行",
        "並列",
        "estimat",
        "metrics",
        "legend",
        "mvp scope",
        "task count",
        "traceability",
        "coverage matrix",
    ]) || starts(&[
        "notes",
        "note",
        "format",
        "path convention",
        "overview",
        "risk",
        "next steps",
        "within ",
        "implementation notes",
        "备注",
        "注意",
        "out of scope",
    ]) {
        return Section::Notes;
    }
    Section::Work
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(title: &str) -> String {
        let t = read(title);
        let stories: Vec<&str> = t.stories.iter().map(|s| s.0.as_str()).collect();
        format!(
            "{:?} {} {:?} {:?} {:?}",
            t.kind,
            t.rank,
            t.number.as_deref().unwrap_or("-"),
            stories,
            t.priority
        )
    }

    #[test]
    fn phases_tell_kind_number_stories_and_priority() {
        assert_eq!(show("Phase 1: Setup (Shared Infrastructure)"), "Setup 3 \"1\" [] None");
        assert_eq!(show("Phase 2: Foundational (Blocking Prerequisites)"), "Foundation 3 \"2\" [] None");
        assert_eq!(
            show("Phase 3: User Story 1 - Setup tasks (Priority: P1) 🎯 MVP"),
            "Story 3 \"3\" [\"US1\"] Some(1)"
        );
        assert_eq!(show("Phase N: Polish & Cross-Cutting Concerns"), "Polish 3 \"N\" [] None");
        assert_eq!(show("Phase 3.2: Tests First (TDD)"), "Other 3 \"3.2\" [] None");
        assert_eq!(show("Phase 1：基础设施（US1 + US2）"), "Story 3 \"1\" [\"US1\", \"US2\"] None");
        assert_eq!(show("Phase 2: Foundational (US3)"), "Foundation 3 \"2\" [\"US3\"] None");
        assert_eq!(show("3. Error Handling"), "Other 2 \"3\" [] None");
        assert_eq!(show("User Story 2 - List"), "Story 2 \"-\" [\"US2\"] None");
        assert_eq!(show("Tests for User Story 1"), "Story 1 \"-\" [\"US1\"] None");
        assert_eq!(show("🚀 Sprint 2 — Later"), "Other 2 \"2\" [] None");
        assert_eq!(show("Setup"), "Setup 2 \"-\" [] None");
        assert_eq!(show("使い方"), "Other 1 \"-\" [] None");
    }

    #[test]
    fn sections_are_told_by_their_words() {
        for (title, section) in [
            ("Dependencies & Execution Order", Section::Order),
            ("Phase Dependencies", Section::Order),
            ("Parallel Opportunities", Section::Notes),
            ("Parallel Example: User Story 1", Section::Example),
            ("Notes", Section::Notes),
            ("Validation Checklist", Section::Checklist),
            ("Acceptance Criteria", Section::Checklist),
            ("4. Validation", Section::Work),
            ("Phase 5: Acceptance tests", Section::Work),
            ("Models", Section::Work),
            ("Install dependencies", Section::Work),
        ] {
            assert_eq!(read(title).section, section, "{title}");
        }
    }
}
