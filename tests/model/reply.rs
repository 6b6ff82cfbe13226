//! One answer in each of the languages, whole or as the events of a stream.

use super::asked::{Api, Asked};
use super::orders::{CACHED, Decision, INPUT, OUTPUT};
use serde_json::{Value, json};

/// Name and data.
pub(super) type Event = (Option<&'static str>, String);

/// Makes a new id from its beginning.
type Ids<'a> = &'a mut dyn FnMut(&str) -> String;

pub(super) fn whole(asked: &Asked, decision: &Decision, id: Ids<'_>) -> Value {
    match asked.api {
        Api::Anthropic => anthropic(asked, decision, id),
        Api::Chat => chat(asked, decision, id),
        Api::Responses => {
            let items = items(decision, id);
            response(asked, &id("resp_"), Some(&items))
        }
        Api::Gemini => gemini(asked, decision, id),
    }
}

pub(super) fn events(asked: &Asked, decision: &Decision, id: Ids<'_>) -> Vec<Event> {
    match asked.api {
        Api::Anthropic => anthropic_events(asked, decision, id),
        Api::Chat => chat_events(asked, decision, id),
        Api::Responses => response_events(asked, decision, id),
        Api::Gemini => gemini_events(asked, decision, id),
    }
}

/// As models send it: a few letters at a time.
fn pieces(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(20).map(|piece| piece.iter().collect()).collect()
}

// ── Anthropic Messages ────────────────────────────────────────────────────────────────────────────────────────────

fn anthropic(asked: &Asked, decision: &Decision, id: Ids<'_>) -> Value {
    let mut content = vec![json!({ "type": "text", "text": decision.text })];
    if let Some(call) = &decision.call {
        let (name, input) = (&call.tool.name, &call.arguments);
        content.push(json!({ "type": "tool_use", "id": id("toolu_"), "name": name, "input": input }));
    }
    let stop = if decision.call.is_some() { "tool_use" } else { "end_turn" };
    // What came from a cache is not part of the input here.
    json!({
        "id": id("msg_"), "type": "message", "role": "assistant", "model": asked.model, "content": content,
        "stop_reason": stop, "stop_sequence": null,
        "usage": { "input_tokens": INPUT - CACHED, "cache_creation_input_tokens": 0, "cache_read_input_tokens": CACHED,
                   "output_tokens": OUTPUT },
    })
}

fn anthropic_events(asked: &Asked, decision: &Decision, id: Ids<'_>) -> Vec<Event> {
    let mut message = anthropic(asked, decision, id);
    let stop = message["stop_reason"].take();
    let content = message["content"].take();
    message["content"] = json!([]);
    message["usage"]["output_tokens"] = 1.into();
    let mut events = vec![json!({ "type": "message_start", "message": message })];
    for (index, block) in content.as_array().into_iter().flatten().enumerate() {
        let (empty, deltas) = if block["type"] == "text" {
            let delta = |text| json!({ "type": "text_delta", "text": text });
            let text = block["text"].as_str().unwrap_or_default();
            (json!({ "type": "text", "text": "" }), pieces(text).into_iter().map(delta).collect())
        } else {
            let empty = json!({ "type": "tool_use", "id": block["id"], "name": block["name"], "input": {} });
            (empty, vec![json!({ "type": "input_json_delta", "partial_json": block["input"].to_string() })])
        };
        events.push(json!({ "type": "content_block_start", "index": index, "content_block": empty }));
        let deltas: Vec<Value> = deltas;
        let delta = |delta| json!({ "type": "content_block_delta", "index": index, "delta": delta });
        events.extend(deltas.into_iter().map(delta));
        events.push(json!({ "type": "content_block_stop", "index": index }));
    }
    let delta = json!({ "stop_reason": stop, "stop_sequence": null });
    events.push(json!({ "type": "message_delta", "delta": delta, "usage": { "output_tokens": OUTPUT } }));
    events.push(json!({ "type": "message_stop" }));
    events.into_iter().map(named).collect()
}

/// Whose name is its type.
fn named(event: Value) -> Event {
    let names = [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.done",
        "response.output_item.done",
        "response.completed",
    ];
    let name = names.into_iter().find(|name| event["type"] == *name);
    (name, event.to_string())
}

// ── OpenAI Chat Completions ───────────────────────────────────────────────────────────────────────────────────────

fn chat_usage() -> Value {
    json!({ "prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT,
            "prompt_tokens_details": { "cached_tokens": CACHED } })
}

fn chat_call(decision: &Decision, id: Ids<'_>) -> Option<Value> {
    let call = decision.call.as_ref()?;
    let function = json!({ "name": call.tool.name, "arguments": call.arguments.to_string() });
    Some(json!({ "index": 0, "id": id("call_"), "type": "function", "function": function }))
}

fn chat(asked: &Asked, decision: &Decision, id: Ids<'_>) -> Value {
    let call = chat_call(decision, id);
    let reason = if call.is_some() { "tool_calls" } else { "stop" };
    let mut message = json!({ "role": "assistant", "content": decision.text });
    if let Some(call) = call {
        message["tool_calls"] = json!([call]);
    }
    let choice = json!({ "index": 0, "message": message, "finish_reason": reason });
    json!({ "id": id("chatcmpl-"), "object": "chat.completion", "created": 1, "model": asked.model, "choices": [choice],
            "usage": chat_usage() })
}

fn chat_events(asked: &Asked, decision: &Decision, id: Ids<'_>) -> Vec<Event> {
    let call = chat_call(decision, id);
    let reason = if call.is_some() { "tool_calls" } else { "stop" };
    let own = id("chatcmpl-");
    let chunk = |choices: Value, usage: Value| {
        json!({ "id": own, "object": "chat.completion.chunk", "created": 1, "model": asked.model, "choices": choices,
                "usage": usage })
    };
    let choice = |delta: Value, reason: Value| {
        chunk(json!([{ "index": 0, "delta": delta, "finish_reason": reason }]), Value::Null)
    };
    let mut events = vec![choice(json!({ "role": "assistant", "content": "" }), Value::Null)];
    events.extend(
        pieces(&decision.text).into_iter().map(|text| choice(json!({ "content": text }), Value::Null)),
    );
    events.extend(call.map(|call| choice(json!({ "tool_calls": [call] }), Value::Null)));
    events.push(choice(json!({}), reason.into()));
    events.push(chunk(json!([]), chat_usage()));
    let mut events: Vec<Event> = events.into_iter().map(|event| (None, event.to_string())).collect();
    events.push((None, "[DONE]".to_owned()));
    events
}

// ── OpenAI Responses ──────────────────────────────────────────────────────────────────────────────────────────────

fn items(decision: &Decision, id: Ids<'_>) -> Vec<Value> {
    let text = json!({ "type": "output_text", "text": decision.text, "annotations": [] });
    let message = json!({ "type": "message", "id": id("msg_"), "status": "completed", "role": "assistant", "content": [text] });
    let call = decision.call.as_ref().map(|call| {
        let (own, name) = (id("item_"), &call.tool.name);
        let mut item = if call.tool.is_free {
            json!({ "type": "custom_tool_call", "input": call.arguments })
        } else {
            json!({ "type": "function_call", "arguments": call.arguments.to_string() })
        };
        for (key, value) in
            [("id", own.as_str()), ("call_id", &id("call_")), ("name", name), ("status", "completed")]
        {
            item[key] = value.into();
        }
        if let Some(namespace) = &call.tool.namespace {
            item["namespace"] = namespace.as_str().into();
        }
        item
    });
    [message].into_iter().chain(call).collect()
}

/// Without items it has only begun.
fn response(asked: &Asked, id: &str, items: Option<&[Value]>) -> Value {
    let usage = json!({ "input_tokens": INPUT, "input_tokens_details": { "cached_tokens": CACHED }, "output_tokens": OUTPUT,
                        "output_tokens_details": { "reasoning_tokens": 0 }, "total_tokens": INPUT + OUTPUT });
    json!({
        "id": id, "object": "response", "created_at": 1, "model": asked.model, "error": null, "incomplete_details": null,
        "status": if items.is_some() { "completed" } else { "in_progress" }, "output": items.unwrap_or_default(),
        "usage": items.map(|_| usage), "metadata": {}, "parallel_tool_calls": false, "tool_choice": "auto", "tools": [],
    })
}

fn response_events(asked: &Asked, decision: &Decision, id: Ids<'_>) -> Vec<Event> {
    let items = items(decision, id);
    let own = id("resp_");
    let mut events = vec![json!({ "type": "response.created", "response": response(asked, &own, None) })];
    for (index, item) in items.iter().enumerate() {
        let mut begun = item.clone();
        begun["status"] = "in_progress".into();
        let part = |kind: &str, key: &str, value: Value| {
            let mut event =
                json!({ "type": format!("response.{kind}"), "item_id": item["id"], "output_index": index });
            event[key] = value;
            event
        };
        let field = match item["type"].as_str() {
            Some("message") => "content",
            Some("custom_tool_call") => "input",
            _ => "arguments",
        };
        begun[field] = if field == "content" { json!([]) } else { "".into() };
        events.push(json!({ "type": "response.output_item.added", "output_index": index, "item": begun }));
        match field {
            "content" => {
                let empty = json!({ "type": "output_text", "text": "", "annotations": [] });
                let mut texts = vec![part("content_part.added", "part", empty)];
                let delta = |text: String| part("output_text.delta", "delta", text.into());
                texts.extend(pieces(&decision.text).into_iter().map(delta));
                texts.push(part("output_text.done", "text", decision.text.as_str().into()));
                texts.push(part("content_part.done", "part", item["content"][0].clone()));
                texts.iter_mut().for_each(|event| event["content_index"] = 0.into());
                events.extend(texts);
            }
            field => {
                let kind =
                    if field == "input" { "custom_tool_call_input" } else { "function_call_arguments" };
                events.push(part(&format!("{kind}.delta"), "delta", item[field].clone()));
                events.push(part(&format!("{kind}.done"), field, item[field].clone()));
            }
        }
        events.push(json!({ "type": "response.output_item.done", "output_index": index, "item": item }));
    }
    events.push(json!({ "type": "response.completed", "response": response(asked, &own, Some(&items)) }));
    for (n, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = n.into();
    }
    events.into_iter().map(named).collect()
}

// ── Gemini ────────────────────────────────────────────────────────────────────────────────────────────────────────

fn gemini_part(asked: &Asked, parts: &Value, is_last: bool, id: &str) -> Value {
    let mut candidate = json!({ "content": { "parts": parts, "role": "model" }, "index": 0 });
    if is_last {
        candidate["finishReason"] = "STOP".into();
    }
    json!({
        "candidates": [candidate], "modelVersion": asked.model, "responseId": id,
        "usageMetadata": { "promptTokenCount": INPUT, "candidatesTokenCount": OUTPUT, "totalTokenCount": INPUT + OUTPUT,
                           "cachedContentTokenCount": CACHED },
    })
}

fn gemini_parts(decision: &Decision) -> Vec<Value> {
    let call = decision
        .call
        .as_ref()
        .map(|call| json!({ "functionCall": { "name": call.tool.name, "args": call.arguments } }));
    [json!({ "text": decision.text })].into_iter().chain(call).collect()
}

fn gemini(asked: &Asked, decision: &Decision, id: Ids<'_>) -> Value {
    gemini_part(asked, &json!(gemini_parts(decision)), true, &id("g"))
}

fn gemini_events(asked: &Asked, decision: &Decision, id: Ids<'_>) -> Vec<Event> {
    let own = id("g");
    // A last part of its own, as the service sends it: a line that breaks before it left something undone.
    let said = gemini_parts(decision).into_iter().map(|part| gemini_part(asked, &json!([part]), false, &own));
    let end = gemini_part(asked, &json!([{ "text": "" }]), true, &own);
    said.chain([end]).map(|event| (None, event.to_string())).collect()
}
