//! The protocol: messages in any order, in any state of the conversation.

use super::*;
use crate::agent::told::{PlanState, StepKind, StopReason, Told, Usage, UsageScope};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

const PATIENCE: Patience =
    Patience { call: Duration::from_mins(1), turn: Duration::from_hours(1), cancel: Duration::from_secs(3) };

fn wanted() -> Wanted {
    Wanted {
        dir: "/w".to_owned(),
        roots: vec!["/w".to_owned(), "/tmp/own".to_owned()],
        prompt: "do it".to_owned(),
        prompt_resumed: "go on".to_owned(),
        mode: "default".to_owned(),
        ..Wanted::default()
    }
}

/// A client and what it said so far, one message at a time.
struct Table {
    client: Client,
    said: Said,
    read: usize,
}

impl Table {
    fn new(wanted: Wanted) -> Table {
        let mut said = Said::default();
        let client = Client::begin(wanted, PATIENCE, &mut said);
        Table { client, said, read: 0 }
    }

    fn hear(&mut self, message: &Value) -> &mut Table {
        self.client.line(message.to_string().as_bytes(), &mut self.said);
        self
    }

    /// Messages since the last look.
    fn sent(&mut self) -> Vec<Value> {
        let lines = self.said.lines[self.read..].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let sent = lines.map(|line| serde_json::from_slice(line).expect("a line is JSON")).collect();
        self.read = self.said.lines.len();
        sent
    }

    /// The one call that was made since.
    fn called(&mut self) -> (String, Value, u64) {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        let call = sent.remove(0);
        let method = call["method"].as_str().expect("a method").to_owned();
        (method, call["params"].clone(), call["id"].as_u64().expect("an id"))
    }

    /// Answers the call that was made since, which is `method`.
    fn answer(&mut self, method: &str, result: &Value) -> Value {
        let (called, params, id) = self.called();
        assert_eq!(called, method);
        self.hear(&json!({ "jsonrpc": "2.0", "id": id, "result": result }));
        params
    }

    fn refuse(&mut self, method: &str, error: &Value) {
        let (called, _, id) = self.called();
        assert_eq!(called, method);
        self.hear(&json!({ "jsonrpc": "2.0", "id": id, "error": error }));
    }

    fn update(&mut self, update: &Value) -> &mut Table {
        let params = json!({ "sessionId": "s1", "update": update });
        self.hear(&json!({ "jsonrpc": "2.0", "method": "session/update", "params": params }))
    }

    /// As far as the prompt.
    fn prompted(wanted: Wanted) -> Table {
        let mut table = Table::new(wanted);
        table.answer("initialize", &json!({ "protocolVersion": 1 }));
        table.answer("session/new", &json!({ "sessionId": "s1" }));
        table
    }

    fn told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.said.told)
    }

    fn errors(&self) -> Vec<(String, String)> {
        let errors = self.said.told.iter().filter_map(|told| match told {
            Told::Failed(error) => Some((error.kind.clone(), error.message.clone())),
            _ => None,
        });
        errors.collect()
    }
}

fn modes() -> Value {
    json!({ "currentModeId": "plan", "availableModes": [{ "id": "plan", "name": "Plan" }, { "id": "default", "name": "D" }] })
}

#[test]
fn a_task_is_begun_asked_and_ended_in_this_order_and_nothing_is_offered_to_the_agent() {
    let mut table = Table::new(wanted());
    let first = table.answer("initialize", &json!({ "protocolVersion": 1, "agentCapabilities": { "x": 1 } }));
    assert_eq!(first["protocolVersion"], 1);
    let offered = &first["clientCapabilities"];
    assert_eq!(
        (&offered["fs"]["readTextFile"], &offered["fs"]["writeTextFile"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(offered["terminal"], json!(false));
    let session = table.answer("session/new", &json!({ "sessionId": "s1", "modes": modes(), "more": [] }));
    assert_eq!((&session["cwd"], &session["mcpServers"]), (&json!("/w"), &json!([])));
    let mode = table.answer("session/set_mode", &json!({}));
    assert_eq!(mode, json!({ "sessionId": "s1", "modeId": "default" }));
    assert!(!table.client.is_over());
    let usage = json!({ "inputTokens": 100, "cachedReadTokens": 20, "outputTokens": 7, "totalTokens": 127 });
    let prompt = table.answer("session/prompt", &json!({ "stopReason": "end_turn", "usage": usage }));
    assert_eq!(prompt["prompt"], json!([{ "type": "text", "text": "do it" }]));
    assert!(table.client.is_over() && table.client.has_answered() && table.client.wait().is_none());
    let usage = Usage { input: 120, cached: 20, output: 7, cost_micros: None };
    assert_eq!(
        table.told(),
        [
            Told::Session("s1".to_owned()),
            Told::Usage { of: UsageScope::Add, usage },
            Told::Stop(StopReason::EndTurn)
        ]
    );
}

#[test]
fn a_mode_or_a_model_is_chosen_by_whatever_the_agent_offers() {
    let option = |id: &str, category: &str, values: &[&str]| {
        let options: Vec<Value> =
            values.iter().map(|value| json!({ "value": value, "name": value })).collect();
        json!({ "id": id, "name": id, "category": category, "type": "select", "currentValue": values[0], "options": options })
    };
    let with_model = || Wanted { model: Some("big".to_owned()), ..wanted() };
    let mut table = Table::new(with_model());
    table.answer("initialize", &json!({ "protocolVersion": 1 }));
    let options = json!([option("m", "mode", &["build", "default"]), { "id": 7 }, option("mo", "model", &["small", "big"])]);
    table.answer("session/new", &json!({ "sessionId": "s1", "configOptions": options }));
    let chosen = table.answer("session/set_config_option", &json!({}));
    assert_eq!(chosen, json!({ "sessionId": "s1", "configId": "m", "value": "default" }));
    let chosen = table.answer("session/set_config_option", &json!({}));
    assert_eq!(chosen, json!({ "sessionId": "s1", "configId": "mo", "value": "big" }));
    assert_eq!(table.called().0, "session/prompt");
    let models = table.told();
    assert!(
        models.contains(&Told::Model("small".to_owned())) && models.contains(&Told::Model("big".to_owned()))
    );

    // An older list, a mode that is not there, a refused mode.
    let mut table = Table::new(with_model());
    table.answer("initialize", &json!({ "protocolVersion": 1 }));
    let models = json!({ "currentModelId": "small", "availableModels": [] });
    table.answer("session/new", &json!({ "sessionId": "s1", "models": models, "modes": modes() }));
    table.refuse("session/set_mode", &json!({ "code": -32602, "message": "no" }));
    table.refuse("session/set_model", &json!({ "code": -32602, "message": "model `big` not found" }));
    assert!(table.client.is_over());
    assert_eq!(table.errors()[0].1, "model `big` not found");

    let mut table = Table::new(with_model());
    table.answer("initialize", &json!({ "protocolVersion": 1 }));
    table.answer("session/new", &json!({ "sessionId": "s1" }));
    assert_eq!(table.errors()[0].0, "config");
    assert!(table.client.is_over());
}

#[test]
fn a_session_is_gone_on_with_as_the_agent_can_and_its_past_is_not_told_again() {
    for (can, method) in [
        (json!({ "sessionCapabilities": { "resume": {} }, "loadSession": true }), "session/resume"),
        (json!({ "loadSession": true }), "session/load"),
    ] {
        let mut table = Table::new(Wanted { session: Some("s1".to_owned()), ..wanted() });
        table.answer("initialize", &json!({ "protocolVersion": 1, "agentCapabilities": can }));
        let (called, params, id) = table.called();
        assert_eq!(
            (called.as_str(), &params["sessionId"], &params["cwd"]),
            (method, &json!("s1"), &json!("/w"))
        );
        let past = json!({ "sessionUpdate": "agent_message_chunk", "content": { "type": "text", "text": "the past" } });
        table.update(&past).hear(&json!({ "jsonrpc": "2.0", "id": id, "result": null }));
        let prompt = table.answer("session/prompt", &json!({ "stopReason": "end_turn" }));
        assert_eq!(prompt["prompt"][0]["text"], "go on");
        assert_eq!(table.told(), [Told::Session("s1".to_owned()), Told::Stop(StopReason::EndTurn)]);

        // Unknown to it: a new one, with the whole prompt.
        let mut table = Table::new(Wanted { session: Some("s0".to_owned()), ..wanted() });
        table.answer("initialize", &json!({ "protocolVersion": 1, "agentCapabilities": can }));
        table.refuse(method, &json!({ "code": -32602, "message": "no such session" }));
        table.answer("session/new", &json!({ "sessionId": "s2" }));
        let (_, params, _) = table.called();
        assert_eq!((&params["sessionId"], &params["prompt"][0]["text"]), (&json!("s2"), &json!("do it")));
        assert!(table.errors().is_empty());
    }
    let mut table = Table::new(Wanted { session: Some("s1".to_owned()), ..wanted() });
    table.answer("initialize", &json!({ "protocolVersion": 1 }));
    assert_eq!(table.called().0, "session/new", "it can neither");
}

#[test]
fn what_stays_inside_is_allowed_what_does_not_is_refused_and_both_are_steps() {
    let mut table = Table::prompted(wanted());
    table.sent();
    table.told();
    let options = json!([{ "optionId": "a", "kind": "allow_once", "name": "A" }, { "optionId": "r", "kind": "reject_once", "name": "R" }]);
    let mut ask = |id: Value, call: Value| -> Value {
        let params = json!({ "sessionId": "s1", "options": options, "toolCall": call });
        table.hear(
            &json!({ "jsonrpc": "2.0", "id": id, "method": "session/request_permission", "params": params }),
        );
        let mut sent = table.sent();
        assert_eq!((sent.len(), &sent[0]["id"]), (1, &id));
        sent.remove(0)["result"]["outcome"]["optionId"].take()
    };
    let edit = |id: &str, path: &str| json!({ "toolCallId": id, "title": "Writing", "kind": "edit", "status": "pending", "locations": [{ "path": path }] });
    assert_eq!(ask(json!(0), edit("e1", "/w/src/a.rs")), "a");
    assert_eq!(ask(json!("x"), edit("e2", "/etc/passwd")), "r");
    let diff = json!([{ "type": "diff", "path": "/w/../x", "newText": "" }]);
    assert_eq!(ask(json!(2), json!({ "toolCallId": "e3", "kind": "edit", "content": diff })), "r");
    assert_eq!(
        ask(json!(3), json!({ "toolCallId": "c1", "kind": "execute", "rawInput": { "command": "make" } })),
        "a"
    );
    assert_eq!(
        ask(
            json!(4),
            json!({ "toolCallId": "c2", "kind": "execute", "rawInput": { "command": "ls", "cwd": "/" } })
        ),
        "r"
    );
    assert_eq!(ask(json!(5), json!("nothing that can be read")), "r");
    let permits: Vec<(String, Option<bool>)> = {
        let told = table.told();
        let title = |key: &str| {
            told.iter().find_map(|told| match told {
                Told::StepBegun { key: known, kind: StepKind::Permit, title, .. } if known == key => {
                    Some(title.clone())
                }
                _ => None,
            })
        };
        told.iter()
            .filter_map(|told| match told {
                Told::StepEnded { key, ok, .. } => title(key).map(|title| (title, *ok)),
                _ => None,
            })
            .collect()
    };
    let known: Vec<(&str, Option<bool>)> = permits.iter().map(|(title, ok)| (title.as_str(), *ok)).collect();
    assert_eq!(
        known,
        [
            ("allowed: Writing /w/src/a.rs", Some(true)),
            ("refused, as `/etc/passwd` is outside: Writing /etc/passwd", Some(false)),
            ("refused, as `/w/../x` is outside: edit /w/../x", Some(false)),
            ("allowed: make", Some(true)),
            ("refused, as `/` is outside: ls", Some(false)),
            ("refused, as `something that it does not name` is outside:", Some(false)),
        ]
    );
    // Once the turn is called off nothing is allowed any more.
    table.client.cancel(&mut table.said);
    assert_eq!(table.sent()[0]["method"], "session/cancel");
    let params = json!({ "sessionId": "s1", "options": options, "toolCall": edit("e9", "/w/a") });
    table.hear(
        &json!({ "jsonrpc": "2.0", "id": 9, "method": "session/request_permission", "params": params }),
    );
    assert_eq!(table.sent()[0]["result"], json!({ "outcome": { "outcome": "cancelled" } }));
}

#[test]
fn who_asks_leave_under_another_name_than_that_of_the_call_does_one_thing_not_two() {
    let mut table = Table::prompted(wanted());
    table.sent();
    table.told();
    let path = json!([{ "path": "/w/a.py" }]);
    table.update(&json!({ "sessionUpdate": "tool_call", "toolCallId": "t1", "title": "write: /w/a.py", "kind": "edit", "locations": path }));
    let diff = |path: &str| json!([{ "type": "diff", "path": path, "newText": "x" }]);
    let options = json!([{ "optionId": "a", "kind": "allow_once", "name": "A" }]);
    let mut ask = |id: &str, path: &str| {
        let call = json!({ "toolCallId": id, "title": format!("Approve {path}"), "kind": "edit", "content": diff(path) });
        let params = json!({ "sessionId": "s1", "options": options, "toolCall": call });
        table.hear(
            &json!({ "jsonrpc": "2.0", "id": id, "method": "session/request_permission", "params": params }),
        );
    };
    ask("approval-1", "/w/a.py");
    ask("approval-2", "/w/b.py");
    let begun: Vec<String> = table
        .told()
        .iter()
        .filter_map(|told| match told {
            Told::StepBegun { title, .. } => Some(title.clone()),
            _ => None,
        })
        .collect();
    let wanted =
        ["write: /w/a.py", "allowed: Approve /w/a.py", "Approve /w/b.py", "allowed: Approve /w/b.py"];
    assert_eq!(begun, wanted);
}

#[test]
fn a_tool_call_is_one_step_however_many_messages_tell_of_it() {
    let mut table = Table::prompted(wanted());
    table.told();
    let call = |word: &str, more: Value| {
        let mut update = json!({ "sessionUpdate": word, "toolCallId": "t1" });
        update.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        update
    };
    table.update(&call(
        "tool_call",
        json!({ "title": "Write", "kind": "edit", "status": "pending", "rawInput": {} }),
    ));
    assert!(table.told().is_empty(), "not known yet");
    let path = json!([{ "path": "/w/src/a.rs" }]);
    table.update(&call(
        "tool_call_update",
        json!({ "title": "Write a", "locations": path, "status": "unheard-of" }),
    ));
    table.update(&call("tool_call_update", json!({ "title": "Write b", "status": "in_progress" })));
    table.update(&call("tool_call_update", json!({ "status": "completed", "rawOutput": "ok" })));
    let paths = vec!["/w/src/a.rs".to_owned()];
    assert_eq!(
        table.told(),
        [
            Told::StepBegun {
                key: "t1".into(),
                kind: StepKind::Edit,
                title: "Write a /w/src/a.rs".into(),
                paths
            },
            Told::StepEnded { key: "t1".into(), ok: Some(true), exit: None, output: "ok".into() },
        ]
    );
    // Without a title, which a tool call must have, and never ended.
    table.update(&call("tool_call", json!({ "kind": "search" })));
    table.answer("session/prompt", &json!({ "stopReason": "end_turn" }));
    assert!(
        matches!(&table.told()[0], Told::StepBegun { kind: StepKind::Search, title, .. } if title == "search")
    );
}

#[test]
fn messages_are_told_whole_and_what_is_unknown_ends_nothing() {
    let mut table = Table::prompted(wanted());
    table.told();
    let chunk = |text: &str, id: &str| json!({ "sessionUpdate": "agent_message_chunk", "content": { "type": "text", "text": text }, "messageId": id });
    table
        .update(&chunk("one ", "m1"))
        .update(&json!({ "sessionUpdate": "of_version_9", "x": [1] }))
        .update(&chunk("whole", "m1"));
    table.update(&chunk("two", "m2")).update(&json!({ "sessionUpdate": "plan", "entries": [
        { "content": "a", "priority": "high", "status": "completed" }, { "content": "b", "priority": "x", "status": "?" },
        { "content": "c", "priority": "low", "status": "in_progress" }] }));
    table.update(&json!({ "sessionUpdate": "usage_update", "used": 1, "size": 2, "cost": { "amount": 0.5, "currency": "USD" } }));
    table.update(&json!("?")).hear(&json!({ "jsonrpc": "2.0", "method": "_x/y", "params": 1 }));
    table.client.line(b"npm warn deprecated", &mut table.said);
    table.answer("session/prompt", &json!({ "stopReason": "max_tokens" }));
    let told = table.told();
    let texts: Vec<&str> = told
        .iter()
        .filter_map(|told| match told {
            Told::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(texts, ["one whole", "two"]);
    let plan: Vec<PlanState> = told
        .iter()
        .find_map(|told| match told {
            Told::Plan(items) => Some(items.iter().map(|item| item.state).collect()),
            _ => None,
        })
        .unwrap();
    assert_eq!(plan, [PlanState::Done, PlanState::Active]);
    assert!(told.contains(&Told::Unreadable { bytes: 19 }));
    let usage = Usage { cost_micros: Some(500_000), ..Usage::default() };
    assert_eq!(
        told[told.len() - 2..],
        [Told::Usage { of: UsageScope::Add, usage }, Told::Stop(StopReason::MaxTokens)]
    );
}

#[test]
fn an_error_is_told_with_its_agents_word_for_it() {
    for (error, kind, status) in [
        (json!({ "code": -32000, "message": "Authentication required" }), "auth", None),
        (
            json!({ "code": -32603, "message": "Internal error", "data": { "errorKind": "rate_limit" } }),
            "rate_limit",
            None,
        ),
        (
            json!({ "code": -32603, "message": "x", "data": { "codexErrorInfo": "usageLimitExceeded" } }),
            "usageLimitExceeded",
            None,
        ),
        (json!({ "code": -32603, "message": "x", "data": { "errorName": "APIError" } }), "APIError", None),
        (json!({ "code": 429, "message": "x" }), "", Some(429)),
        (json!({ "code": 1001, "message": "x", "data": { "restartable": true } }), "restartable", None),
        (json!("no object"), "", None),
    ] {
        let mut table = Table::prompted(wanted());
        table.refuse("session/prompt", &error);
        assert!(table.client.is_over() && table.client.has_answered());
        let Some(Told::Failed(told)) = table.told().pop() else { panic!("{error}") };
        assert_eq!((told.kind.as_str(), told.status), (kind, status), "{error}");
    }
    let mut table = Table::new(wanted());
    table.answer("initialize", &json!({ "protocolVersion": 2 }));
    assert_eq!(table.errors()[0].0, "config");
    assert!(table.client.is_over() && !table.client.has_answered());
}

#[test]
fn a_turn_that_ends_well_with_an_error_for_its_message_has_failed() {
    let mut table = Table::prompted(wanted());
    let info = |status: &str| json!({ "sessionUpdate": "session_info_update", "_meta": { "codex": { "threadStatus": { "type": status } } } });
    let retry = json!({ "sessionUpdate": "session_info_update", "_meta": { "codex": { "error": {
        "message": "Reconnecting", "codexErrorInfo": { "responseStreamDisconnected": { "httpStatusCode": 429 } }, "willRetry": true } } } });
    table.update(&info("active")).update(&retry).update(&info("systemError"));
    table.update(&json!({ "sessionUpdate": "agent_message_chunk", "content": { "type": "text", "text": "last status: 429 Too Many Requests\n" } }));
    table.answer("session/prompt", &json!({ "stopReason": "end_turn", "usage": null }));
    assert_eq!(table.errors(), [(String::new(), "last status: 429 Too Many Requests".to_owned())]);
    assert!(
        table.said.told.iter().any(|told| matches!(told, Told::Retry { why, .. } if why == "Reconnecting"))
    );
}

#[test]
fn whoever_does_not_answer_is_not_waited_for() {
    let mut table = Table::new(wanted());
    let first = table.client.wait().unwrap();
    assert_eq!(first.limit, PATIENCE.call);
    table.client.too_late(&mut table.said);
    assert!(table.client.is_over());
    assert_eq!(
        table.errors(),
        [("no_answer".to_owned(), "the agent did not answer `initialize` within 60 s".to_owned())]
    );

    let mut table = Table::new(wanted());
    table.answer("initialize", &json!({}));
    assert_ne!(table.client.wait().unwrap().number, first.number);
    table.client.too_late(&mut table.said);
    assert!(table.errors()[0].1.contains("`session/new`"));

    // A turn is called off first, and ends without an answer to that too.
    let mut table = Table::prompted(wanted());
    table.sent();
    assert_eq!(table.client.wait().unwrap().limit, PATIENCE.turn);
    table.client.too_late(&mut table.said);
    assert_eq!(table.sent()[0]["method"], "session/cancel");
    assert_eq!(table.client.wait().unwrap().limit, PATIENCE.cancel);
    table.client.too_late(&mut table.said);
    assert!(table.client.is_over() && !table.client.has_answered());
}

#[test]
fn more_can_be_said_in_the_same_session_while_it_works_and_after() {
    let mut table = Table::prompted(wanted());
    let (_, _, id) = table.called();
    assert!(table.client.say("hurry".to_owned(), &mut table.said));
    assert_eq!(table.sent()[0]["method"], "session/cancel");
    table.hear(&json!({ "id": id, "result": { "stopReason": "cancelled" } }));
    assert!(!table.client.is_over());
    let params = table.answer("session/prompt", &json!({ "stopReason": "end_turn" }));
    assert_eq!((&params["sessionId"], &params["prompt"][0]["text"]), (&json!("s1"), &json!("hurry")));
    assert!(table.client.is_over());
    assert!(table.client.say("and more".to_owned(), &mut table.said));
    let (_, params, id) = table.called();
    assert_eq!(params["prompt"][0]["text"], "and more");
    // What is called off for good hears nothing more.
    table.client.cancel(&mut table.said);
    assert!(!table.client.say("late".to_owned(), &mut table.said));
    table.hear(&json!({ "id": id, "result": { "stopReason": "cancelled" } }));
    assert!(table.client.is_over());
    assert!(!Table::new(wanted()).client.say("early".to_owned(), &mut Said::default()));
}

/// Something an agent might send, or not.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let id = prop_oneof![
        Just(json!(1)),
        Just(json!(2)),
        Just(json!(3)),
        Just(json!(4)),
        Just(json!("5")),
        Just(json!(null)),
        Just(json!(1.5)),
        Just(json!({ "a": [] }))
    ];
    let value = prop_oneof![
        Just(json!(null)),
        Just(json!({})),
        Just(json!([])),
        Just(json!("s1")),
        Just(json!({ "protocolVersion": 1, "agentCapabilities": { "loadSession": true } })),
        Just(json!({ "sessionId": "s1", "modes": modes() })),
        Just(json!({ "stopReason": "end_turn" })),
        Just(json!({ "stopReason": 7 })),
        Just(
            json!({ "sessionId": "s1", "update": { "sessionUpdate": "tool_call", "toolCallId": "t", "status": "completed", "title": "x" } })
        ),
        Just(
            json!({ "sessionId": "s1", "update": { "sessionUpdate": "agent_message_chunk", "content": { "type": "text", "text": "é" } } })
        ),
        Just(json!({ "sessionId": "s1", "update": { "sessionUpdate": "plan", "entries": 3 } })),
        Just(
            json!({ "sessionId": "s1", "options": [{ "optionId": "a", "kind": "allow_once" }], "toolCall": { "toolCallId": "t" } })
        ),
        Just(json!({ "code": -32000, "message": 3 })),
    ];
    let method = prop_oneof![
        Just("session/update"),
        Just("session/request_permission"),
        Just("fs/read_text_file"),
        Just("?"),
        Just("terminal/create")
    ];
    let kind = 0..6_u8;
    (kind, id, value, method, any::<Vec<u8>>()).prop_map(|(kind, id, value, method, bytes)| match kind {
        0 => {
            json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": value }).to_string().into_bytes()
        }
        1 => json!({ "method": method, "params": value }).to_string().into_bytes(),
        2 => json!({ "id": id, "result": value }).to_string().into_bytes(),
        3 => json!({ "id": id, "error": value }).to_string().into_bytes(),
        4 => json!([{ "id": id, "result": value }, { "id": id, "method": method }]).to_string().into_bytes(),
        _ => bytes,
    })
}

proptest! {
    #[test]
    fn in_whatever_order_messages_come_each_request_is_answered_once_and_a_deadline_runs_until_the_end(
        messages in prop::collection::vec((message(), 0..12_u8), 0..24),
        resumed in any::<bool>(),
    ) {
        let session = resumed.then(|| "s1".to_owned());
        let mut table = Table::new(Wanted { session, model: Some("m".to_owned()), ..wanted() });
        table.sent();
        for (line, act) in messages {
            match act {
                0 => table.client.too_late(&mut table.said),
                1 => table.client.cancel(&mut table.said),
                2 => { table.client.say("more".to_owned(), &mut table.said); }
                _ => {}
            }
            table.sent();
            let asked: Vec<Value> = match serde_json::from_slice(&line) {
                Ok(Value::Array(all)) => all,
                Ok(one) => vec![one],
                Err(_) => Vec::new(),
            };
            let asked: Vec<Value> = asked.into_iter().filter(|one| one["method"].is_string() && !one["id"].is_null()).map(|one| one["id"].clone()).collect();
            table.client.line(&line, &mut table.said);
            let sent = table.sent();
            let answered: Vec<Value> = sent.iter().filter(|one| one["method"].is_null()).map(|one| one["id"].clone()).collect();
            prop_assert_eq!(&answered, &asked);
            prop_assert!(sent.iter().all(|one| one["jsonrpc"] == "2.0"));
            prop_assert_eq!(table.client.wait().is_none(), table.client.is_over());
        }
        // However it stands, it ends in a bounded number of deadlines.
        for _ in 0..6 {
            table.client.too_late(&mut table.said);
        }
        prop_assert!(table.client.is_over());
        table.client.gone(&mut table.said);
    }
}
