//! Formats: what single lines mean, and that nothing an agent prints breaks its reader. Whole recorded runs are judged in
//! `tests/agent`.

use super::*;
use crate::agent::fold::Account;
use crate::agent::told::{PlanState, StepKind, StopReason, UsageScope};
use proptest::prelude::*;
use serde_json::json;

const ALL: [Events; 8] = [
    Events::ClaudeStreamJson,
    Events::CodexJson,
    Events::GeminiStreamJson,
    Events::OpencodeJson,
    Events::CopilotJson,
    Events::PiJson,
    Events::AiderText,
    Events::Text,
];

fn read(events: Events, output: &[u8]) -> Vec<Told> {
    let (mut reader, mut out) = (Reader::new(events), Vec::new());
    reader.feed(output, &mut out);
    reader.finish(&mut out);
    out
}

fn account(told: &[Told]) -> Account {
    let mut account = Account::default();
    told.iter().for_each(|told| account.tell(told));
    account
}

#[test]
fn a_line_that_is_no_json_is_told_and_the_next_one_is_read() {
    let output =
        b"Warning: x\n{\"type\":\"thread.started\",\"thread_id\":\"T\"}\n{\"type\":\"item.comp\n\n[1]\n";
    let told = read(Events::CodexJson, output);
    assert_eq!(
        told,
        [Told::Unreadable { bytes: 10 }, Told::Session("T".into()), Told::Unreadable { bytes: 18 },]
    );
}

#[test]
fn a_line_longer_than_any_that_an_agent_prints_is_passed_over_without_being_kept() {
    let (mut reader, mut out) = (Reader::new(Events::CodexJson), Vec::new());
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..20 {
        reader.feed(&chunk, &mut out);
    }
    reader.feed(b"\n{\"type\":\"thread.started\",\"thread_id\":\"T\"}", &mut out);
    reader.finish(&mut out);
    assert_eq!(out, [Told::Unreadable { bytes: 20 << 20 }, Told::Session("T".into())]);
}

#[test]
fn a_failed_command_of_claude_has_its_exit_code_and_a_subagents_words_are_not_the_last_message() {
    let lines = [
        json!({"type":"assistant","message":{"id":"m","content":[{"type":"tool_use","id":"t","name":"Bash","input":{"command":"false\ntrue"}}]},"parent_tool_use_id":null}),
        json!({"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t","is_error":true,"content":"Exit code 7\nno"}]}}),
        json!({"type":"assistant","message":{"id":"n","content":[{"type":"text","text":"inner"}]},"parent_tool_use_id":"t"}),
    ];
    let told = read(Events::ClaudeStreamJson, lines.map(|line| line.to_string()).join("\n").as_bytes());
    assert_eq!(
        told,
        [
            Told::StepBegun { key: "t".into(), kind: StepKind::Run, title: "false".into(), paths: vec![] },
            Told::StepEnded {
                key: "t".into(),
                ok: Some(false),
                exit: Some(7),
                output: "Exit code 7\nno".into()
            },
        ]
    );
}

#[test]
fn a_subscriptions_limit_has_its_end_and_a_refused_request_alone_is_no_limit() {
    let event =
        |info: serde_json::Value| json!({"type":"rate_limit_event","rate_limit_info":info}).to_string();
    let limit = event(json!({"status":"rejected","resetsAt":1_795_283_998,"rateLimitType":"five_hour"}));
    let told = read(Events::ClaudeStreamJson, limit.as_bytes());
    assert!(
        matches!(&told[..], [Told::Failed(error)] if error.resets == Some(crate::agent::Reset::At(1_795_283_998)))
    );
    assert!(read(Events::ClaudeStreamJson, event(json!({"status":"rejected"})).as_bytes()).is_empty());
    let allowed =
        event(json!({"status":"allowed_warning","resetsAt":1_795_283_998,"rateLimitType":"seven_day"}));
    assert!(read(Events::ClaudeStreamJson, allowed.as_bytes()).is_empty());
}

#[test]
fn usage_is_added_up_until_the_whole_is_told() {
    let message = |id: &str, text: &str| {
        json!({"type":"assistant","message":{"id":id,"content":[{"type":"text","text":text}],
            "usage":{"input_tokens":10,"cache_read_input_tokens":5,"cache_creation_input_tokens":1,"output_tokens":2}}})
    };
    let lines =
        [message("a", "1"), message("a", "2"), message("b", "3")].map(|line| line.to_string()).join("\n");
    let killed = account(&read(Events::ClaudeStreamJson, lines.as_bytes())).usage.expect("usage");
    assert_eq!((killed.input, killed.cached, killed.output), (32, 10, 4));
    let result = json!({"type":"result","usage":{"input_tokens":20,"cache_read_input_tokens":12,"output_tokens":9},"total_cost_usd":0.02145,"result":"3"});
    let told = read(Events::ClaudeStreamJson, format!("{lines}\n{result}").as_bytes());
    let whole = account(&told).usage.expect("usage");
    assert_eq!((whole.input, whole.cached, whole.output, whole.cost_micros), (32, 12, 9, Some(21_450)));
    assert_eq!(
        told.iter().filter(|told| matches!(told, Told::Text(_))).count(),
        3,
        "the result repeats no text"
    );
}

#[test]
fn parts_of_a_message_of_gemini_are_one_text() {
    let part =
        |text: &str| json!({"type":"message","role":"assistant","content":text,"delta":true}).to_string();
    let lines = [
        part("Hel"),
        part("lo"),
        json!({"type":"tool_use","tool_name":"read_file","tool_id":"1","parameters":{"absolute_path":"/a"}})
            .to_string(),
        part("!"),
    ];
    let told = read(Events::GeminiStreamJson, lines.join("\n").as_bytes());
    assert_eq!(
        told,
        [
            Told::Text("Hello".into()),
            Told::StepBegun {
                key: "1".into(),
                kind: StepKind::Read,
                title: "read_file /a".into(),
                paths: vec!["/a".into()]
            },
            Told::Text("!".into()),
        ]
    );
}

#[test]
fn a_tool_of_cursor_is_a_step() {
    let lines = [
        r#"{"type":"tool_call","subtype":"started","call_id":"c1","tool_call":{"shellToolCall":{"args":{"command":"ls -1","workingDirectory":"/ws"}},"toolCallId":"c1"},"session_id":"s1"}"#,
        r#"{"type":"tool_call","subtype":"completed","call_id":"c1","tool_call":{"shellToolCall":{"args":{"command":"ls -1"},"result":{"success":{"stdout":"a\n","exitCode":0}}}}}"#,
        r#"{"type":"tool_call","subtype":"started","call_id":"c2","tool_call":{"editToolCall":{"args":{"path":"src/a.ts"}}}}"#,
        r#"{"type":"tool_call","subtype":"completed","call_id":"c2","tool_call":{"editToolCall":{"args":{},"result":{"rejected":{}}}}}"#,
    ];
    let account = account(&read(Events::ClaudeStreamJson, lines.join("\n").as_bytes()));
    let steps: Vec<_> =
        account.steps.iter().map(|step| (step.kind, step.title.as_str(), step.ok, step.exit)).collect();
    assert_eq!(
        steps,
        [(StepKind::Run, "ls -1", Some(true), Some(0)), (StepKind::Edit, "edit src/a.ts", Some(false), None),]
    );
}

#[test]
fn plans_of_all_agents_read_the_same() {
    for (events, line) in [
        (
            Events::ClaudeStreamJson,
            json!({"type":"assistant","message":{"content":[{"type":"tool_use","id":"t","name":"TodoWrite","input":{"todos":[{"content":"a","status":"completed"},{"content":"b","status":"in_progress"}]}}]}}),
        ),
        (
            Events::OpencodeJson,
            json!({"type":"tool_use","part":{"tool":"todowrite","callID":"t","state":{"status":"completed","input":{"todos":[{"content":"a","status":"completed"},{"content":"b","status":"in_progress"}]}}}}),
        ),
        (
            Events::GeminiStreamJson,
            json!({"type":"tool_use","tool_name":"write_todos","tool_id":"t","parameters":{"todos":[{"description":"a","status":"completed"},{"description":"b","status":"in_progress"}]}}),
        ),
    ] {
        let plan = account(&read(events, line.to_string().as_bytes())).plan;
        let plan: Vec<(&str, PlanState)> = plan.iter().map(|item| (item.text.as_str(), item.state)).collect();
        assert_eq!(plan, [("a", PlanState::Done), ("b", PlanState::Active)], "{events:?}");
    }
    let codex = json!({"type":"item.updated","item":{"id":"i","type":"todo_list","items":[{"text":"a","completed":true},{"text":"b","completed":false}]}});
    assert_eq!(account(&read(Events::CodexJson, codex.to_string().as_bytes())).plan.len(), 2);
}

#[test]
fn an_error_of_aiders_library_is_one_and_talk_about_it_is_not() {
    let told = read(
        Events::AiderText,
        b"litellm.RateLimitError: RateLimitError: OpenAIException - slow down\nRetrying in 2.0 seconds...\n",
    );
    let account = account(&told);
    assert_eq!(account.open_errors().first().map(|error| error.kind.as_str()), Some("RateLimitError"));
    assert_eq!((account.retries, account.stop), (1, Some(StopReason::Error)));
    let told = read(
        Events::AiderText,
        b"I would catch litellm.RateLimitError: it is thrown\nlitellm. is a library\n",
    );
    assert!(told.iter().all(|told| matches!(told, Told::Text(_))), "{told:?}");
}

#[test]
fn of_text_the_end_is_the_last_message_however_long_it_was() {
    let mut output = Vec::new();
    for n in 0..100_000 {
        output.extend_from_slice(format!("line {n}\n").as_bytes());
    }
    let told = read(Events::Text, &output);
    let [Told::Text(text)] = &told[..] else { panic!("{}", told.len()) };
    assert!(text.ends_with("line 99999") && text.len() <= crate::agent::told::MAX_TEXT);
}

#[test]
fn a_message_that_pi_repeats_with_each_delta_is_not_even_parsed() {
    assert!(pi::is_noise(b"{\"type\":\"message_update\",\"assistantMessageEvent\":{"));
    let told = read(Events::PiJson, b"{\"type\":\"message_update\",\"torn");
    assert!(told.is_empty());
}

#[test]
fn totals_and_parts_are_told_apart() {
    let codex = json!({"type":"turn.completed","usage":{"input_tokens":3600,"cached_input_tokens":600,"output_tokens":126}});
    let told = read(Events::CodexJson, codex.to_string().as_bytes());
    assert!(
        matches!(told[0], Told::Usage { of: UsageScope::Total, usage } if usage.input == 3600 && usage.cached == 600)
    );
}

/// JSON of any shape below the words that the formats use.
fn shapes() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "[a-zé\"\\\\ \n]{0,6}".prop_map(Into::into),
        prop::sample::select(vec![
            "assistant",
            "result",
            "system",
            "init",
            "user",
            "text",
            "tool_use",
            "tool_result",
            "error",
            "item.completed",
            "command_execution",
            "file_change",
            "message_end",
            "message",
            "session.error",
            "rate_limit_event",
            "rejected",
            "turn.failed",
            "step_finish",
            "tool.execution_complete",
            "success",
            "[API Error: {\"error\":5}]",
            "todo_list",
        ])
        .prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let key = prop::sample::select(vec![
            "type",
            "subtype",
            "message",
            "content",
            "error",
            "data",
            "part",
            "state",
            "item",
            "usage",
            "result",
            "id",
            "name",
            "input",
            "status",
            "text",
            "role",
            "todos",
            "changes",
            "stats",
            "tokens",
            "rate_limit_info",
            "resetsAt",
            "stopReason",
            "errorMessage",
            "is_error",
            "details",
            "toolName",
            "arguments",
            "command",
            "paths",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|pairs| pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_break_a_reader_and_where_they_are_cut_makes_no_difference(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'"'), Just(b'{')], 0..200),
        cuts in prop::collection::vec(0usize..200, 0..6),
    ) {
        for events in ALL {
            let whole = read(events, &bytes);
            let (mut reader, mut out, mut from) = (Reader::new(events), Vec::new(), 0);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
            cuts.sort_unstable();
            for cut in cuts.into_iter().chain([bytes.len()]) {
                reader.feed(&bytes[from..cut], &mut out);
                from = cut;
            }
            reader.finish(&mut out);
            prop_assert_eq!(&out, &whole);
        }
    }

    #[test]
    fn no_shape_of_json_breaks_a_dialect_or_an_account(lines in prop::collection::vec(shapes(), 1..6)) {
        let output = lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        for events in ALL {
            let told = read(events, output.as_bytes());
            let is_readable = told.iter().all(|told| !matches!(told, Told::Unreadable { .. }));
            prop_assert!(is_readable);
            let _ = account(&told);
        }
    }
}
