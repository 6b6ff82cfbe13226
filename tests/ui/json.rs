//! What programs read.

use super::support::{Script, feature, is_clean};
use serde_json::{Value, json};
use specter::plan::{EdgeKind, Reason};
use specter::schedule::Halt;
use specter::schedule::Obstacle;
use specter::source::SourceText;
use specter::summary::Summary;
use specter::ui::diagnostics::json_text;
use specter::ui::edges;
use specter::ui::json::{plan_json, status_json};
use specter::ui::status::Life;
use specter::ui::why::obstacle_words;
use std::time::Duration;

#[test]
fn a_plan_tells_edges_from_task_to_task() {
    let plan = feature();
    let text = json_text(&plan_json(&plan, &SourceText::new("tasks.md", ""), &[])).unwrap();
    assert!(is_clean(&text));
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&value["schema"], &value["mode"]), (&json!(1), &json!("parallel")));
    let of = |n: usize, key: &str| value["tasks"][n][key].clone();
    let phase = |id: &str| json!({ "id": id, "reason": "phase", "line": 17 });
    assert_eq!(of(4, "needs"), json!([phase("T003"), phase("T004")]));
    assert_eq!(of(7, "after"), json!([{ "id": "T007", "reason": "file", "line": 24 }]));
    assert_eq!(
        (of(3, "state"), of(4, "parallel"), of(4, "work")),
        (json!("manual"), json!(true), json!("none"))
    );
    assert_eq!((of(6, "stories"), of(6, "phase")), (json!(["US1"]), json!("Phase 3: User Story 1 - Log in")));
}

#[test]
fn links_look_through_gates_in_both_directions() {
    let plan = feature();
    let ids = |links: Vec<edges::Link>| -> Vec<String> {
        links.iter().map(|link| plan.task(link.task).id.to_string()).collect()
    };
    let find = |id: &str| plan.find(id).unwrap();
    assert_eq!(ids(edges::before(&plan, find("T006"))), ["T003", "T004"]);
    assert_eq!(ids(edges::after(&plan, find("T003"))), ["T005", "T006"]);
    let after: Vec<EdgeKind> = edges::before(&plan, find("T009")).iter().map(|link| link.kind).collect();
    assert_eq!(after, [EdgeKind::After, EdgeKind::Needs]);
}

#[test]
fn a_status_names_state_and_blocker_of_each_task() {
    let script = Script::new(feature())
        .run_started()
        .start(0, "T002", 1, 1)
        .failed(10, "T002", 1, super::support::refused())
        .blocked(10, "T003", "T002");
    let summary = Summary::of(&script.plan, &script.events);
    let value = serde_json::to_value(status_json(&summary, Life::Interrupted)).unwrap();
    assert_eq!((&value["state"], &value["counts"]["failed"]), (&json!("interrupted"), &json!(1)));
    let third =
        json!({ "id": "T003", "state": "blocked", "attempts": 0, "verdict": null, "blocked_by": "T002" });
    assert_eq!(value["tasks"][2], third);
}

#[test]
fn every_obstacle_has_its_words() {
    let plan = feature();
    let [on, task] = ["T006", "T007"].map(|id| plan.find(id).unwrap());
    let edge = *plan.graph.before(task).iter().find(|edge| edge.reason == Reason::Explicit).unwrap();
    let until = Duration::from_secs(9);
    let obstacles = [
        Obstacle::Waits { on, edge },
        Obstacle::BlockedBy(on),
        Obstacle::Held { by: on },
        Obstacle::Overlap { with: vec![on, task] },
        Obstacle::GivesWay { to: on },
        Obstacle::NoFreeWorker { jobs: 4, ahead: 0 },
        Obstacle::NoFreeWorker { jobs: 1, ahead: 2 },
        Obstacle::RemovedTaskRuns,
        Obstacle::BackingOff { until },
        Obstacle::Halted(Halt::FailFast),
    ];
    let words = obstacles.map(|obstacle| obstacle_words(&plan, task, &obstacle, Duration::from_secs(4)));
    insta::assert_snapshot!(words.join("\n"));
}
