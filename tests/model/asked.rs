//! What an agent asks, in one form whatever it speaks: who said what, and which tools there are.

use serde_json::Value;

/// What agents say of a file that is to be overwritten and that nobody has read in this process: Claude Code, Qwen Code.
const UNREAD: &str = "has not been read";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Anthropic,
    Chat,
    Responses,
    Gemini,
}

impl Api {
    pub(super) fn word(self) -> &'static str {
        match self {
            Api::Anthropic => "anthropic",
            Api::Chat => "chat",
            Api::Responses => "responses",
            Api::Gemini => "gemini",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) api: Api,
    pub(super) model: String,
    pub(super) stream: bool,
    /// What the agent tells of itself and its place.
    pub(super) system: String,
    pub(super) turns: Vec<Turn>,
    pub(super) tools: Vec<Tool>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Turn {
    User(String),
    /// So many tools told what came of them; of those, so many would not change a file that was not read before.
    Results {
        all: usize,
        refused: usize,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Tool {
    pub(super) name: String,
    /// Of its arguments.
    pub(super) schema: Value,
    /// It takes plain text instead of arguments.
    pub(super) is_free: bool,
    pub(super) namespace: Option<String>,
}

impl Asked {
    /// Nothing: it is none of the paths where models are asked.
    pub(super) fn read(path: &str, body: &Value) -> Option<Asked> {
        let mut asked = Asked {
            api: Api::Chat,
            model: text(&body["model"]),
            stream: body["stream"] == true,
            system: String::new(),
            turns: Vec::new(),
            tools: Vec::new(),
        };
        match path.rsplit('/').next()? {
            "messages" => asked.anthropic(body),
            "completions" => asked.chat(body),
            "responses" => asked.responses(body),
            last => {
                let (model, what) = last.split_once(':')?;
                asked.model = model.to_owned();
                asked.stream = what == "streamGenerateContent";
                asked.gemini(body);
            }
        }
        Some(asked)
    }

    fn anthropic(&mut self, body: &Value) {
        self.api = Api::Anthropic;
        self.system = text(&body["system"]);
        for message in list(&body["messages"]) {
            let results = list(&message["content"]).iter().filter(|part| part["type"] == "tool_result");
            let results: Vec<String> = results.map(|part| text(&part["content"])).collect();
            self.say(text(&message["role"]) == "user", &text(&message["content"]), &results);
        }
        for tool in list(&body["tools"]) {
            self.offer(&tool["name"], &tool["input_schema"], false, None);
        }
    }

    fn chat(&mut self, body: &Value) {
        for message in list(&body["messages"]) {
            match text(&message["role"]).as_str() {
                "system" | "developer" => self.system.push_str(&text(&message["content"])),
                "tool" => self.say(false, "", &[text(&message["content"])]),
                role => self.say(role == "user", &text(&message["content"]), &[]),
            }
        }
        for tool in list(&body["tools"]) {
            self.offer(&tool["function"]["name"], &tool["function"]["parameters"], false, None);
        }
    }

    fn responses(&mut self, body: &Value) {
        self.api = Api::Responses;
        self.system = text(&body["instructions"]);
        if body["input"].is_string() {
            self.say(true, &text(&body["input"]), &[]);
        }
        for item in list(&body["input"]) {
            let kind = item["type"].as_str().unwrap_or("message");
            match (kind, item["role"].as_str()) {
                ("message", Some("user")) => self.say(true, &text(&item["content"]), &[]),
                ("message", Some("system" | "developer")) => self.system.push_str(&text(&item["content"])),
                (kind, _) if kind.ends_with("_output") => self.say(false, "", &[text(&item["output"])]),
                _ => {}
            }
        }
        for tool in list(&body["tools"]) {
            match tool["type"].as_str() {
                Some("function") => self.offer(&tool["name"], &tool["parameters"], false, None),
                Some("custom") => self.offer(&tool["name"], &Value::Null, true, None),
                Some("namespace") => {
                    for inner in list(&tool["tools"]) {
                        self.offer(&inner["name"], &inner["parameters"], false, tool["name"].as_str());
                    }
                }
                _ => {}
            }
        }
    }

    fn gemini(&mut self, body: &Value) {
        self.api = Api::Gemini;
        self.system = text(&body["systemInstruction"]["parts"]);
        for content in list(&body["contents"]) {
            let parts = list(&content["parts"]);
            let results = parts.iter().filter(|part| part["functionResponse"].is_object());
            let results: Vec<String> =
                results.map(|part| part["functionResponse"]["response"].to_string()).collect();
            self.say(text(&content["role"]) != "model", &text(&content["parts"]), &results);
        }
        for tool in list(&body["tools"]).iter().flat_map(|tool| list(&tool["functionDeclarations"])) {
            let schema = &tool["parametersJsonSchema"];
            let schema = if schema.is_null() { &tool["parameters"] } else { schema };
            self.offer(&tool["name"], schema, false, None);
        }
    }

    fn say(&mut self, is_user: bool, text: &str, results: &[String]) {
        if !results.is_empty() {
            let refused = results.iter().filter(|result| result.contains(UNREAD)).count();
            self.turns.push(Turn::Results { all: results.len(), refused });
        }
        if is_user && !text.is_empty() {
            self.turns.push(Turn::User(text.to_owned()));
        }
    }

    fn offer(&mut self, name: &Value, schema: &Value, is_free: bool, namespace: Option<&str>) {
        let namespace = namespace.map(str::to_owned);
        self.tools.push(Tool { name: text(name), schema: schema.clone(), is_free, namespace });
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// What a person would read of it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().map(text).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
        }
        // A tool's result is no word of the user's.
        Value::Object(part) if part.get("type").is_some_and(|kind| kind == "tool_result") => String::new(),
        Value::Object(part) => part.get("text").map(text).unwrap_or_default(),
        _ => String::new(),
    }
}
