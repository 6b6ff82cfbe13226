//! A model that answers by a script, for real agents: one server on loopback that speaks what they speak (Anthropic Messages,
//! OpenAI Responses and Chat Completions, Gemini), reads its orders out of the prompt and keeps a record of what it ordered.
//!
//! Orders stand in the task, one a line: `- order: write PATH TEXT` (`\n` in it begins a line) and `- order: run COMMAND`.
//! Each is answered with one call of a tool that the agent offers; when the results of all are there, with a last message.
//! What goes wrong is set by the test ([`Model::fail`]). It knows nothing of specter but how a prompt names its task.

mod asked;
mod faults;
mod http;
mod orders;
mod reply;
mod tools;

pub(crate) use faults::Fault;
pub(crate) use orders::{Action, INPUT, OUTPUT};

use asked::Asked;
use http::{Connection, Request};
use orders::{Decision, decide};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) struct Model {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    ended: AtomicBool,
    /// What goes wrong now, from which step of a task on.
    fault: Mutex<(Option<Fault>, usize)>,
    /// What was asked and answered, in order.
    log: Mutex<Vec<Value>>,
    ids: AtomicU64,
}

impl Model {
    pub(crate) fn start() -> Model {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.ended.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&serving);
                // It ends with its connection.
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Model { address, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// This goes wrong, from a task's step `from` on (the first is 1); nothing: all is well.
    pub(crate) fn fail(&self, fault: Option<Fault>, from: usize) {
        *self.shared.fault.lock().unwrap() = (fault, from);
    }

    pub(crate) fn log(&self) -> Vec<Value> {
        self.shared.log.lock().unwrap().clone()
    }

    /// What it had the agent of a task do, in order.
    pub(crate) fn ordered(&self, task: &str) -> Vec<Action> {
        let entries = self.log().into_iter().filter(|entry| entry["task"] == task);
        entries.filter_map(|entry| Action::of(&entry["order"])).collect()
    }

    /// How many requests of a task were answered well.
    pub(crate) fn answered(&self, task: &str) -> u64 {
        let is_answer = |entry: &&Value| entry["task"] == task && entry["answered"] == true;
        self.log().iter().filter(is_answer).count() as u64
    }

    /// How often it was asked about a task, whatever it answered.
    pub(crate) fn asked(&self, task: &str) -> usize {
        self.log().iter().filter(|entry| entry["task"] == task).count()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        let _woken = TcpStream::connect(self.address);
    }
}

/// How one request was answered.
type Answered = std::io::Result<()>;

impl Shared {
    fn serve(&self, stream: TcpStream) {
        let mut connection = Connection::new(stream);
        while let Ok(Some(request)) = connection.read() {
            // Whoever asks may be gone before it is answered.
            if self.answer(&mut connection, &request).is_err() || connection.is_over() {
                return;
            }
        }
    }

    fn answer(&self, connection: &mut Connection, request: &Request) -> Answered {
        if request.method != "POST" {
            return models(connection, request);
        }
        let path = request.path.as_str();
        if path.ends_with("/count_tokens") || path.ends_with(":countTokens") {
            return connection.json(200, &[], &json!({ "input_tokens": INPUT, "totalTokens": INPUT }));
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let Some(asked) = Asked::read(path, &body) else {
            self.note(json!({ "unknown": path }));
            return connection.json(
                404,
                &[],
                &json!({ "error": { "message": format!("no such path: {path}") } }),
            );
        };
        let (fault, from) = self.fault.lock().unwrap().clone();
        let fault = fault.filter(Fault::is_not_over).map(|fault| (fault, from));
        let (decision, fault) = decide(&asked, fault);
        self.note(decision.entry(&asked, fault.as_ref()));
        match &fault {
            None | Some(Fault::Disconnect | Fault::Slow(_) | Fault::Claims | Fault::Stub) => {
                self.reply(connection, &asked, &decision, fault.as_ref())
            }
            Some(Fault::Hang) => connection.wait_for_the_end(),
            Some(error) => {
                let (status, headers, body) = error.body(asked.api, &asked.model);
                connection.json(status, &headers, &body)
            }
        }
    }

    fn reply(
        &self,
        connection: &mut Connection,
        asked: &Asked,
        decision: &Decision,
        fault: Option<&Fault>,
    ) -> Answered {
        let mut id = |start: &str| format!("{start}{:016x}", self.ids.fetch_add(1, Ordering::Relaxed) + 1);
        if !asked.stream {
            return match fault {
                Some(Fault::Disconnect) => connection.cut(),
                _ => connection.json(200, &[], &reply::whole(asked, decision, &mut id)),
            };
        }
        connection.begin_events()?;
        let events = reply::events(asked, decision, &mut id);
        let middle = events.len().saturating_sub(1).min(2);
        for (n, (name, data)) in events.into_iter().enumerate() {
            match fault {
                Some(Fault::Disconnect) if n == middle => return connection.cut(),
                Some(Fault::Slow(pause)) => std::thread::sleep(*pause),
                _ => {}
            }
            connection.event(name, &data)?;
        }
        connection.end_events()
    }

    fn note(&self, entry: Value) {
        self.log.lock().unwrap().push(entry);
    }
}

/// Which models there are, for agents that ask.
fn models(connection: &mut Connection, request: &Request) -> Answered {
    if request.method == "HEAD" {
        return connection.json(200, &[], &Value::Null);
    }
    let Some((before, name)) = request.path.split_once("/models") else {
        return connection.json(404, &[], &json!({ "error": { "message": "no such path" } }));
    };
    let name = name.trim_start_matches('/');
    let one = |name: &str| {
        if before.contains("v1beta") {
            json!({ "name": format!("models/{name}"), "displayName": name, "inputTokenLimit": 1_048_576,
                        "outputTokenLimit": 65_536, "supportedGenerationMethods": ["generateContent"] })
        } else {
            json!({ "id": name, "object": "model", "type": "model", "display_name": name, "created": 1,
                         "created_at": "2026-01-01T00:00:00Z", "owned_by": "script" })
        }
    };
    let all = json!({ "object": "list", "data": [one("scripted")], "models": [one("scripted")], "has_more": false });
    connection.json(200, &[], &if name.is_empty() { all } else { one(name) })
}

#[test]
fn the_script_is_followed_call_by_call_in_every_language() {
    let prompt = "# Your task: T007\n\n- order: write src/a.py print(\"a\")\\nprint(\"b\")\n- order: run python3 src/a.py\n";
    let tool = |name: &str, wanted: &[&str]| {
        let properties: serde_json::Map<String, Value> =
            wanted.iter().map(|name| ((*name).to_owned(), json!({ "type": "string" }))).collect();
        (name.to_owned(), json!({ "type": "object", "properties": properties, "required": wanted }))
    };
    let (write, run) =
        (tool("write_file", &["file_path", "content"]), tool("bash", &["command", "description"]));
    let schemas = [&write, &run];
    let chat: Vec<Value> = schemas
        .iter()
        .map(|(name, schema)| json!({ "type": "function", "function": { "name": name, "parameters": schema } }))
        .collect();
    let anthropic: Vec<Value> =
        schemas.iter().map(|(name, schema)| json!({ "name": name, "input_schema": schema })).collect();
    let gemini: Vec<Value> = schemas
        .iter()
        .map(|(name, schema)| json!({ "name": name, "parametersJsonSchema": schema }))
        .collect();
    let responses: Vec<Value> = schemas
        .iter()
        .map(|(name, schema)| json!({ "type": "function", "name": name, "parameters": schema }))
        .collect();
    let user = json!({ "role": "user", "content": prompt });
    let result = json!({ "role": "tool", "tool_call_id": "1", "content": "ok" });
    let answer = json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "1", "content": "ok" }] });
    let output = json!({ "type": "function_call_output", "call_id": "1", "output": "ok" });
    let back = json!({ "role": "user", "parts": [{ "functionResponse": { "name": "write_file", "response": {} } }] });
    let after = |first: &Value, result: &Value, count: usize| -> Vec<Value> {
        [first.clone()].into_iter().chain(std::iter::repeat_n(result.clone(), count)).collect()
    };
    let said = json!({ "role": "user", "parts": [{ "text": prompt }] });
    let model = Model::start();
    for done in 0..3 {
        let bodies = [
            ("/v1/chat/completions", json!({ "messages": after(&user, &result, done), "tools": chat })),
            ("/v1/messages", json!({ "messages": after(&user, &answer, done), "tools": anthropic })),
            ("/v1/responses", json!({ "input": after(&user, &output, done), "tools": responses })),
            (
                "/v1beta/models/m:generateContent",
                json!({ "contents": after(&said, &back, done), "tools": [{ "functionDeclarations": gemini }] }),
            ),
        ];
        for (path, body) in bodies {
            let text = http::ask(model.port(), path, &body);
            let wanted = ["src/a.py", "python3 src/a.py", "src/a.py"][done];
            assert!(text.contains(wanted) && (done < 2 || text.contains("Done")), "{path} {done}: {text}");
        }
    }
    let ordered = model.ordered("T007");
    assert_eq!(ordered.len(), 8);
    assert_eq!(ordered[0], Action { action: "edit".to_owned(), what: "src/a.py".to_owned() });
    assert_eq!(ordered[4], Action { action: "run".to_owned(), what: "python3 src/a.py".to_owned() });
    assert_eq!((model.answered("T007"), model.asked("T007")), (12, 12));
    // What must be read first is read, and then ordered once more: no step is lost of it.
    let reader = json!({ "type": "function", "function": { "name": "read_file", "parameters": { "properties": { "path": { "type": "string" } } } } });
    let tools: Vec<Value> = chat.iter().cloned().chain([reader]).collect();
    let told = |text: &str| json!({ "role": "tool", "tool_call_id": "1", "content": text });
    let refused = told("File src/a.py has not been read in this session");
    for (results, wanted) in [
        (vec![refused.clone()], "read_file"),
        (vec![refused.clone(), told("old")], "write_file"),
        (vec![refused, told("old"), told("ok")], "python3 src/a.py"),
    ] {
        let messages: Vec<Value> = [user.clone()].into_iter().chain(results).collect();
        let body = json!({ "messages": messages, "tools": tools });
        let text = http::ask(model.port(), "/v1/chat/completions", &body);
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let model = Model::start();
    model.fail(Some(Fault::RateLimit(Duration::from_secs(7))), 1);
    let limited = http::ask(model.port(), "/v1/messages", &json!({ "messages": [user], "tools": anthropic }));
    assert!(limited.starts_with("HTTP/1.1 429") && limited.contains("retry-after: 7"), "{limited}");
    assert_eq!((model.answered("T007"), model.asked("T007")), (0, 1));
}
