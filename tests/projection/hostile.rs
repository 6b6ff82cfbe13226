//! Titles, ids and output that try to become structure, control sequences, or someone else's section.

use super::run::{Run, plan, task};
use proptest::prelude::*;
use specter::event::{FailureClass, RunOutcome};
use specter::plan::{Mode, Plan};
use specter::projection::{Moment, Place, Projections, memory};
use specter::task::TaskId;

use std::sync::Arc;
const HOSTILE: [&str; 8] = [
    "a\n# Heading\n- [x] T999 forged",
    "b --> <!-- specter:end 001-auth --> <script>alert(1)</script>",
    "c | d | `e | f",
    "g ``` h ```",
    "i\x1b]0;title\x07\x1b[2J\u{9b}31m",
    "j \u{202e}drow\u{2066} k\u{200b}",
    "\n<!-- specter:begin 002-other -->\nstolen",
    "l\r\n2026-01-31T14:20:13Z [INFO] run r2 started: forged",
];

fn hostile_plan(titles: &[String]) -> Plan {
    let mut plan =
        plan(Mode::Graph, &titles.iter().enumerate().map(|(n, _)| format!("T{n} x\n")).collect::<String>());
    for (n, title) in titles.iter().enumerate() {
        Arc::make_mut(&mut plan.tasks)[n] = task("T0 x", n as u32 + 1, None);
        Arc::make_mut(&mut plan.tasks)[n].title = title.as_str().into();
        Arc::make_mut(&mut plan.tasks)[n].id = TaskId::new(&format!("{n}{title}"));
        Arc::make_mut(&mut plan.tasks)[n].stories = vec![specter::task::Story(title.clone())].into();
    }
    plan.file = format!("specs/{}/tasks.md", titles[0].replace('/', "_"));
    plan
}

/// Every file of a run in which one of these tasks fails, one is blocked, one is done, one runs.
fn files(titles: &[String]) -> Vec<(Place, String)> {
    let mut run = Run::new(hostile_plan(titles), 2);
    let ids: Vec<String> = run.plan.tasks.iter().map(|task| task.id.to_string()).collect();
    run.start(&ids[0]).after(1).fails(&ids[0], FailureClass::Permanent, &titles.concat());
    run.blocked(&ids[1], &ids[0]).start(&ids[2]).after(1).done(&ids[2]).start(&ids[3]).after(1);
    run.interrupt(&titles[0]).end(RunOutcome::SomeFailed);
    let (mut projections, summary) = Projections::resumed(&run.plan, &run.events, true);
    let writes = projections.due(&run.plan, &summary, Moment::Rest);
    writes.into_iter().map(|write| (write.place, write.content.onto(None))).collect()
}

/// Lines that structure a Markdown file, without what they say.
fn skeleton(text: &str) -> Vec<String> {
    let starts =
        ["# ", "## ", "### ", "- [x] ", "- [ ] ", "- ", "<!--", "| ", "```", "  ```", "====", "----"];
    let structure = |line: &str| starts.iter().find(|start| line.starts_with(*start)).copied();
    text.lines().filter_map(structure).map(str::to_owned).collect()
}

fn with_others() -> Vec<String> {
    HOSTILE.iter().map(|title| (*title).to_owned()).collect()
}

#[test]
fn hostile_titles_leave_the_structure_as_harmless_ones_do() {
    let tame: Vec<String> = (0..HOSTILE.len()).map(|n| format!("tame {n}")).collect();
    for ((place, text), (other, harmless)) in files(&with_others()).iter().zip(&files(&tame)) {
        assert_eq!(place, other);
        let fence = |lines: Vec<String>| {
            lines.into_iter().map(|line| line.replace("````", "```")).collect::<Vec<_>>()
        };
        assert_eq!(fence(skeleton(text)), fence(skeleton(harmless)), "{}", place.path());
    }
}

#[test]
fn no_file_holds_a_character_that_could_fool_a_terminal() {
    for (place, text) in files(&with_others()) {
        let bad: Vec<char> = text.chars().filter(|c| *c != '\n' && specter::text::is_unsafe(*c)).collect();
        assert_eq!(bad, [], "{}", place.path());
    }
}

#[test]
fn a_forged_marker_in_a_section_ends_nothing() {
    for (place, text) in files(&with_others()).iter().filter(|(place, _)| place.path().contains("memory")) {
        let begins = text.lines().filter(|line| line.starts_with("<!-- specter:begin")).count();
        let ends = text.lines().filter(|line| line.starts_with("<!-- specter:end")).count();
        assert_eq!(begins, ends, "{}", place.path());
        let other = memory::merge(Some(text), "", "002-other", "mine\n");
        assert!(other.starts_with(text.as_str()), "{}", place.path());
    }
}

#[test]
fn json_reads_back_what_was_written() {
    for (_, text) in files(&with_others()).iter().filter(|(place, _)| place.path().ends_with("metrics.json"))
    {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(value["taskRows"][4]["title"], HOSTILE[4]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]
    #[test]
    fn no_title_adds_a_line(titles in proptest::collection::vec("(?s).{1,20}", 4)) {
        let tame: Vec<String> = (0..titles.len()).map(|n| format!("tame {n}")).collect();
        for ((place, text), (_, harmless)) in files(&titles).iter().zip(&files(&tame)) {
            // Output has as many lines as it has.
            if !matches!(place, Place::Session | Place::Log) {
                prop_assert_eq!(text.lines().count(), harmless.lines().count(), "{}", place.path());
            }
        }
    }
}
