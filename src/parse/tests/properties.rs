//! What holds for any text at all.

use super::super::parse;
use super::corpus::assert_sound;
use crate::source::SourceText;
use crate::task::{Document, State};
use proptest::prelude::*;

/// Pieces that task files are made of, and some that they should not be made of.
fn piece() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "- [ ] ",
        "- [x] ",
        "- [X] ",
        "-[]",
        "* [~] ",
        "1. [ ] ",
        "- [✅] ",
        "- [ ]* ",
        "T001",
        "T002a",
        "T-3",
        "1.",
        "1.1 ",
        "**T004**",
        "`t-01`",
        " [P]",
        "(P) ",
        "[US1]",
        "[US1/2] ",
        "[P after T001]",
        "[",
        "]",
        "(",
        ")",
        " (depends on T001, T002-T004)",
        "(依赖 T001)",
        " after:T002 ",
        "Dependencies: T001",
        "- depends_on: [t-01]",
        "Files: src/a.rs",
        "```sh run\n",
        "```\n",
        "~~~",
        "<!--",
        "-->",
        "> ",
        "| a |\n|---|\n",
        "---\n",
        "## Phase 1: Setup\n",
        "### T005: Title [P]\n",
        "## Dependencies\n",
        "T001 → T002",
        "depends on T003",
        "until T010",
        "**Checkpoint**: ok\n",
        "src/{a,b}.rs",
        "`src/x.ts:1-2`",
        "[a](../b.md)",
        "\n",
        "\n\n",
        "  ",
        "    ",
        "\t",
        "\r\n",
        "é",
        "作成",
        "🟡 ",
        "\u{200b}",
        "`",
        "``",
        "**",
        "~~",
        "T001–T009",
        "{\"waves\":[{\"tasks\":[\"1.1\"]}]}",
        "Total Tasks: 9",
        "\u{3000}",
        "Т001",
        ":",
        "：",
        "—",
    ]);
    prop_oneof![8 => fixed.prop_map(str::to_owned), 1 => "[a-zA-Z0-9 ./-]{0,12}", 1 => any::<char>().prop_map(String::from)]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..60).prop_map(|pieces| pieces.concat())
}

/// All that is known of tasks but state and mark.
fn without_state(document: &Document) -> Vec<String> {
    let mut tasks = document.tasks.clone();
    for task in &mut tasks {
        task.state = State::Open;
        task.checkbox = None;
    }
    tasks.iter().map(|task| format!("{task:?}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 3 / 2, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_without_panic_and_without_loss(text in text()) {
        assert_sound(&SourceText::new("t", text));
    }

    #[test]
    fn noise_is_read_too(text in any::<String>()) {
        assert_sound(&SourceText::new("t", text));
    }

    #[test]
    fn ticking_one_box_changes_one_task(text in text(), pick in any::<prop::sample::Index>()) {
        let text = format!("- [ ] T900 first\n\n{text}");
        let (before, _) = parse(&SourceText::new("t", text.clone()));
        let open: Vec<usize> = (0..before.tasks.len())
            .filter(|ix| before.tasks[*ix].checkbox.as_ref().is_some_and(|c| c.is_one_byte() && c.mark == " "))
            .collect();
        let ix = open[pick.index(open.len())];
        let at = before.tasks[ix].checkbox.as_ref().unwrap().inner.start as usize;
        let mut bytes = text.into_bytes();
        bytes[at] = b'x';
        let (after, _) = parse(&SourceText::new("t", String::from_utf8(bytes).unwrap()));
        prop_assert_eq!(without_state(&before), without_state(&after));
        prop_assert_eq!(after.tasks[ix].state, State::Done);
        for (other, (a, b)) in before.tasks.iter().zip(&after.tasks).enumerate() {
            // Only what stands in a dropped or optional group may follow it.
            let follows = a.group.is_some() || a.checkbox.is_none();
            prop_assert!(other == ix || follows || a.state == b.state);
        }
    }

    #[test]
    fn ids_of_files_without_ids_are_unique_and_stable(titles in prop::collection::vec("[a-z]{1,3}", 1..30)) {
        let text: String = titles.iter().flat_map(|title| ["- [ ] ", title, "\n"]).collect();
        let ids = |text: &str| parse(&SourceText::new("t", text)).0.tasks.into_iter().map(|t| t.id).collect::<Vec<_>>();
        let first = ids(&text);
        let unique: std::collections::HashSet<_> = first.iter().collect();
        prop_assert_eq!(unique.len(), titles.len());
        prop_assert_eq!(&first, &ids(&text.replace("[ ]", "[x]")));
    }
}
