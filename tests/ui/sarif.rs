//! Findings for code hosts.

use super::support::is_clean;
use serde_json::Value;
use specter::diagnostic::{Code, Diagnostic};
use specter::report::sarif::sarif;
use specter::source::{SourceText, Span};

fn log() -> String {
    let source =
        SourceText::new("specs/001 login/tasks.md", "- [ ] T001 作成 🎉 T099\n- [ ] T002 \u{202e}b\n");
    let at = source.text().find("T099").unwrap();
    let found = vec![
        Diagnostic::error(Code::UnknownDependency, "task `T001` depends on `T099`")
            .at(Span::new(at, at + 4), "no task has this id")
            .at(Span::new(at + 11, at + 15), "did you mean this\u{202e}")
            .help("a task with a similar id exists"),
        Diagnostic::warning(Code::NoTasks, "about the whole file \x1b"),
    ];
    sarif(&[(source, found), (SourceText::new("empty.md", ""), Vec::new())])
}

#[test]
fn places_count_characters_and_nothing_raw_is_left() {
    let text = log();
    assert!(is_clean(&text));
    let log: Value = serde_json::from_str(&text).unwrap();
    let run = &log["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    insta::assert_snapshot!(serde_json::to_string_pretty(&run["results"]).unwrap());
}

#[test]
fn every_result_names_a_rule_of_the_list() {
    let log: Value = serde_json::from_str(&log()).unwrap();
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), Code::ALL.len());
    for result in log["runs"][0]["results"].as_array().unwrap() {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
    assert!(rules.iter().all(|rule| rule["shortDescription"]["text"].as_str().unwrap().len() > 5));
}
