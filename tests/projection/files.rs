//! Each file as people see it, for each kind of run; and what programs are promised.

use super::run::Run;
use super::stories::{interrupted, parallel, partial, resumed, serial};
use insta::assert_snapshot;
use serde_json::Value;
use specter::event::{Conflict, Event, EventKind, Merge, TaskRef};
use specter::plan::observed::title_mark;
use specter::projection::{
    Content, Moment, Projections, context, history, log, memory, metrics, schema, session, speckit, status,
};
use specter::task::TaskId;
use std::time::Duration;

#[test]
fn the_log_tells_a_run_line_by_line() {
    for (name, run) in runs() {
        assert_snapshot!(format!("log_{name}"), log::render(&run.plan, &run.events));
    }
}

#[test]
fn the_metrics_have_the_names_their_readers_know() {
    for (name, run) in runs() {
        assert_snapshot!(format!("metrics_{name}"), metrics::render(&run.plan, &run.summary()));
    }
}

#[test]
fn the_session_says_where_the_run_stands_and_what_to_do() {
    for (name, run) in runs() {
        assert_snapshot!(format!("session_{name}"), session::render(&run.plan, &run.summary()));
    }
}

#[test]
fn the_session_before_a_resume_names_the_blocker() {
    let mut run = resumed();
    let at = run.events.iter().position(|event| event.seq > 1 && is_end(event)).unwrap();
    run.events.truncate(at + 1);
    assert_snapshot!("session_blocker", session::render(&run.plan, &run.summary()));
}

const REAL: &str = "# Tasks: accounts

## Phase 1: Setup

- [x] T001 Create the project in src/
- [ ] T002 Install dependencies (depends on T001)

## Phase 2: User Story 1

- [ ] T003 [P] [US1] Create the user model in src/models/user.rs
- [ ] T004 [P] [US1] Create the session model in src/models/session.rs
- [ ] T005 [US1] Create the service in src/service.rs

## Phase 3: User Story 2

- [ ] T006 [P] [US2] Create the profile model in src/models/profile.rs
- [ ] T007 [P] [US2] Write about profiles in docs/profile.md

## Phase 4: Polish

- [ ] T008 Update docs/index.md
";

/// The plan of a task file as it is read.
fn real(mode: specter::plan::Mode) -> specter::plan::Plan {
    let source = specter::source::SourceText::new("specs/001-accounts/tasks.md", REAL);
    let options = specter::plan::Options { mode, ..specter::plan::Options::default() };
    specter::plan::plan(specter::parse::parse(&source).0, &options).unwrap().0
}

#[test]
fn the_batches_of_a_real_file_follow_its_mode() {
    use specter::plan::Mode::{Graph, Parallel, Sequential, Stories};
    let batches = |mode| {
        let plan = real(mode);
        let ids = |batch: &Vec<specter::task::TaskIx>| {
            batch.iter().map(|task| plan.task(*task).id.to_string()).collect::<Vec<_>>().join(" ")
        };
        context::batches_of(&plan).iter().map(ids).collect::<Vec<_>>().join(" | ")
    };
    assert_eq!(batches(Sequential), "T002 | T003 | T004 | T005 | T006 | T007 | T008");
    assert_eq!(batches(Parallel), "T002 | T003 T004 T006 T007 | T005 | T008");
    assert_eq!(batches(Stories), "T002 | T003 T004 T006 T007 | T005 | T008");
    assert_eq!(batches(Graph), "T002 | T003 T004 T006 T007 | T005 | T008");
    let run = Run::new(real(Parallel), 4);
    assert_snapshot!("context_real", context::render(&run.plan, &run.summary()));
}

fn is_end(event: &specter::event::Event) -> bool {
    matches!(event.kind, specter::event::EventKind::RunFinished { .. })
}

#[test]
fn the_context_is_the_plan_as_given() {
    for (name, run) in runs() {
        assert_snapshot!(format!("context_{name}"), context::render(&run.plan, &run.summary()));
    }
}

#[test]
fn the_memory_keeps_what_was_done_and_what_is_left() {
    for (name, run) in runs() {
        let summary = run.summary();
        let text = [
            memory::completed(&run.plan, &summary).unwrap_or_default(),
            memory::planned(&run.plan, &summary),
            memory::workflow(&run.plan, &summary),
            memory::decisions(&summary).unwrap_or_default(),
        ];
        assert_snapshot!(format!("memory_{name}"), text.join("\n---\n"));
    }
}

#[test]
fn the_phase_is_what_spec_kit_reads() {
    let run = resumed();
    let summary = run.summary();
    assert_snapshot!("speckit_resumed", speckit::current_phase(&run.plan, &summary, Some(summary.wall())));
    let run = partial();
    assert_snapshot!("speckit_pending", speckit::pending_changes(&run.plan, &run.summary()));
    assert_snapshot!("speckit_completed", speckit::completed_changes(&run.plan, &run.summary()));
}

#[test]
fn a_checkpoint_comes_before_each_phase_and_after_every_five_tasks() {
    let run = serial();
    let (mut projections, summary) = Projections::resumed(&run.plan, &run.events, false);
    let texts: Vec<String> = projections
        .due(&run.plan, &summary, Moment::Rest)
        .into_iter()
        .filter(|write| write.place.path().contains("checkpoint-"))
        .map(|write| format!("== {}\n{}", write.place.path(), write.content.onto(None)))
        .collect();
    assert_eq!(texts.len(), 4);
    assert_snapshot!("checkpoints", texts.join("\n"));
}

#[test]
fn the_status_has_the_promised_shape() {
    let run = partial();
    let text = status::render(&run.plan, &run.summary(), false);
    assert_snapshot!("status_partial", text);
    let states: Vec<status::RunState> = [
        status::run_state(&run.summary(), false),
        status::run_state(&interrupted().summary(), false),
        status::run_state(&unfinished().summary(), true),
        status::run_state(&unfinished().summary(), false),
    ]
    .into();
    use status::RunState::{Finished, Interrupted, Running};
    assert_eq!(states, [Finished, Interrupted, Running, Interrupted]);
}

fn unfinished() -> Run {
    let mut run = serial();
    run.events.truncate(6);
    run
}

fn runs() -> [(&'static str, Run); 5] {
    [
        ("serial", serial()),
        ("parallel", parallel()),
        ("resumed", resumed()),
        ("partial", partial()),
        ("interrupted", interrupted()),
    ]
}

// ── schemas ───────────────────────────────────────────────────────────────────────────────────────────────────

/// Whether `value` has the shape that `schema` gives: types, required and known properties, all the way down.
pub(crate) fn check(root: &Value, schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).ok_or(format!("{path}: {reference}"))?;
        return check(root, target, value, path);
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(options) = schema[word].as_array() {
            let tried: Vec<_> = options.iter().map(|option| check(root, option, value, path)).collect();
            let beside = schema.as_object().is_some_and(|schema| schema.contains_key("properties"));
            if !tried.iter().any(Result::is_ok) {
                return Err(format!("{path}: no option fits {value}: {tried:?}"));
            }
            if !beside {
                return Ok(());
            }
        }
    }
    if let Some(constant) = schema.get("const") {
        return if constant == value { Ok(()) } else { Err(format!("{path}: {value} is not {constant}")) };
    }
    if let Some(options) = schema["enum"].as_array()
        && !options.contains(value)
    {
        return Err(format!("{path}: {value} is none of {options:?}"));
    }
    check_type(schema, value, path)?;
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            return Err(format!("{path}: `{name}` is missing"));
        }
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            check(root, inner, value, &format!("{path}.{name}"))?;
        }
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for (n, value) in values.iter().enumerate() {
            check(root, items, value, &format!("{path}[{n}]"))?;
        }
    }
    Ok(())
}

fn check_type(schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    let allowed: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => return Ok(()),
    };
    let fits = |kind: &&str| match *kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    if allowed.iter().any(fits) { Ok(()) } else { Err(format!("{path}: {value} is not {allowed:?}")) }
}

/// Properties that `value` has and the schema of an object does not name.
fn unknown(root: &Value, value: &Value) -> Vec<String> {
    let properties = root["properties"].as_object().unwrap();
    value.as_object().unwrap().keys().filter(|name| !properties.contains_key(*name)).cloned().collect()
}

fn named(name: &str) -> Value {
    serde_json::from_str(&schema::named(name).unwrap()).unwrap()
}

#[test]
fn each_schema_fits_what_is_written() {
    for (name, run) in runs() {
        let summary = run.summary();
        for (schema, text) in [
            ("metrics", metrics::render(&run.plan, &summary)),
            ("status", status::render(&run.plan, &summary, true)),
        ] {
            let (root, value): (Value, Value) = (named(schema), serde_json::from_str(&text).unwrap());
            assert_eq!(check(&root, &root, &value, name), Ok(()), "{schema}");
            assert_eq!(unknown(&root, &value), Vec::<String>::new());
        }
        let root = named("events");
        for event in &run.events {
            let value = serde_json::to_value(event).unwrap();
            assert_eq!(check(&root, &root, &value, name), Ok(()), "{value}");
        }
    }
}

#[test]
fn the_check_of_schemas_finds_what_is_wrong() {
    let root = named("status");
    let run = partial();
    let good: Value = serde_json::from_str(&status::render(&run.plan, &run.summary(), true)).unwrap();
    for (pointer, bad) in [("/state", "going"), ("/schema", "one"), ("/tasks/0/attempts", "none")] {
        let mut value = good.clone();
        *value.pointer_mut(pointer).unwrap() = Value::from(bad);
        assert!(check(&root, &root, &value, "status").is_err(), "{pointer}");
    }
    let mut value = good;
    value["counts"].as_object_mut().unwrap().remove("done");
    assert!(check(&root, &root, &value, "status").is_err());
}

#[test]
fn every_figure_is_defined_in_the_schema() {
    let root = named("metrics");
    assert_snapshot!("schema_metrics", schema::named("metrics").unwrap());
    assert_snapshot!("schema_events", schema::named("events").unwrap());
    assert_snapshot!("schema_status", schema::named("status").unwrap());
    for pointer in ["/$defs/Parallel/properties/efficiency", "/$defs/Performance/properties/avgTaskDuration"]
    {
        assert!(root.pointer(pointer).unwrap()["description"].as_str().unwrap().len() > 40, "{pointer}");
    }
    assert!(schema::NAMES.iter().all(|name| schema::named(name).is_some()));
}

// ── history ───────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn history_gives_back_how_long_the_last_attempt_took() {
    let run = resumed();
    let (mut projections, summary) = Projections::resumed(&run.plan, &run.events, false);
    let writes = projections.due(&run.plan, &summary, Moment::Going);
    let Some(Content::History(lines)) =
        writes.into_iter().map(|write| write.content).find(|content| matches!(content, Content::History(_)))
    else {
        panic!("a resumed run catches up its history")
    };
    let text = history::appended("", &lines);
    assert_eq!(text.lines().count(), 10);
    let torn = &text[..text.len() - 10];
    assert_eq!(history::appended(torn, &lines), text, "a torn line is written again, the others are not");
    let estimates = history::estimates(&text, "specs/001-auth/tasks.md").by_task;
    assert_eq!(estimates[&specter::task::TaskId::new("T007")].as_secs(), 8);
    assert!(history::estimates(&text, "specs/002-other/tasks.md").by_task.is_empty());
    assert_eq!(history::entries(torn).count(), 9);
    let kinds: Vec<String> = history::entries(&text).map(|entry| entry.kind).take(7).collect();
    assert_eq!(kinds, ["model", "service", "route", "model", "service", "route", "migration"]);
}

#[test]
fn history_stays_as_long_as_there_are_tasks() {
    let run = serial();
    let (mut projections, summary) = Projections::resumed(&run.plan, &run.events, false);
    let writes = projections.due(&run.plan, &summary, Moment::Rest);
    let lines = writes
        .iter()
        .find(|write| write.place.path().ends_with("history.ndjson"))
        .unwrap()
        .content
        .onto(None);
    let mut text = String::new();
    for n in 0..1000 {
        text = history::appended(&text, &lines.replace("\"r1\"", &format!("\"r{n}\"")));
        assert!(text.lines().count() <= 208);
    }
    assert_eq!(history::estimates(&text, &run.plan.file).by_task.len(), 8);
}

#[test]
fn history_tells_what_tasks_were_seen_to_write() {
    let run = resumed();
    let task = |id: &str| TaskRef { ix: TaskRef::UNRESOLVED, id: TaskId::new(id) };
    let conflict = |path: &str| Conflict { path: path.to_owned(), ..Conflict::default() };
    let many: Vec<String> =
        (0..500).map(|n| format!("generated/{n}")).chain(["Cargo.lock".to_owned()]).collect();
    let happened = [
        EventKind::Conflicted {
            task: task("T001"),
            attempt: 1,
            conflicts: vec![conflict("src/a"), conflict("yarn.lock")],
        },
        EventKind::Integrated {
            task: task("T001"),
            attempt: 2,
            merge: Box::new(Merge {
                files: vec!["src/b".to_owned(), "src/a".to_owned()],
                ..Merge::default()
            }),
        },
        EventKind::Integrated {
            task: task("T002"),
            attempt: 1,
            merge: Box::new(Merge { files: many, ..Merge::default() }),
        },
    ];
    // As if it had happened at the beginning of the run.
    let seen = happened.into_iter().map(|kind| Event { seq: 2, at: Duration::ZERO, kind });
    let events: Vec<Event> =
        run.events[..1].iter().cloned().chain(seen).chain(run.events[1..].iter().cloned()).collect();
    let (mut projections, summary) = Projections::resumed(&run.plan, &events, false);
    let writes = projections.due(&run.plan, &summary, Moment::Rest);
    let lines = writes.iter().find(|write| write.place.path().ends_with("history.ndjson")).unwrap();
    let mut text = lines.content.onto(None);
    let file = "specs/001-auth/tasks.md";
    let observed = history::observed(&text, file);
    let told: Vec<(&str, usize)> =
        observed.iter().map(|seen| (seen.task.as_str(), seen.files.len())).collect();
    assert_eq!(told, [("T001", 2), ("T002", 64)]);
    assert_eq!(observed[0].files, ["src/a", "src/b"]);
    assert_eq!(observed[0].title, title_mark(&run.plan.tasks[0].title));
    assert_eq!(observed[0].run, summary.info.run);
    assert!(history::observed(&text, "specs/002-other/tasks.md").is_empty());
    // Runs in which nothing is seen take nothing back, however many there are.
    for n in 0..300 {
        let (mut projections, _) = Projections::resumed(&run.plan, &run.events, false);
        let plain = projections.due(&run.plan, &summary, Moment::Rest);
        let plain = plain.iter().find(|write| write.place.path().ends_with("history.ndjson")).unwrap();
        let Content::History(lines) = &plain.content else { panic!("lines") };
        text = history::appended(&text, &lines.replace("\"run\":\"", &format!("\"run\":\"{n}")));
    }
    assert!(text.lines().count() < 260);
    assert_eq!(history::observed(&text, file), observed);
}
