//! Which of the tools that an agent offers does what is ordered, and with which arguments. Agents name the same thing
//! differently: what a tool is for is told by its name, what it takes by its schema.

use super::asked::{Asked, Tool, Turn};
use super::orders::{Action, Order};
use serde_json::{Map, Value, json};
use std::path::Path;

const WRITERS: &[&str] =
    &["Write", "write_file", "write", "create", "create_file", "write_to_file", "str_replace_editor"];
const READERS: &[&str] = &["Read", "read_file", "read", "view"];
const SHELLS: &[&str] = &[
    "exec_command",
    "shell_command",
    "shell",
    "bash",
    "Bash",
    "run_shell_command",
    "execute_command",
    "run_terminal_cmd",
    "terminal",
];
const PATHS: &[&str] = &["file_path", "absolute_path", "filePath", "path", "filename"];
const TEXTS: &[&str] = &["content", "contents", "file_text", "text"];
const COMMANDS: &[&str] = &["cmd", "command", "commands", "script"];

#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) tool: Tool,
    /// An object, or a text where the tool takes that.
    pub(super) arguments: Value,
}

/// The call, and how it should be found in the record.
pub(super) fn call(asked: &Asked, order: &Order) -> Option<(Call, Action)> {
    let action = |action: &str, what: &str| Action { action: action.to_owned(), what: what.to_owned() };
    match order {
        Order::Run(command) => Some((run(asked, command)?, action("run", command))),
        Order::Write { path, text } => match write(asked, path, text) {
            Some(call) => Some((call, action("edit", path))),
            None => {
                let command = here(path, text);
                Some((run(asked, &command)?, action("run", &command)))
            }
        },
    }
}

fn write(asked: &Asked, path: &str, text: &str) -> Option<Call> {
    for tool in WRITERS.iter().filter_map(|name| named(asked, name)).filter(|tool| !tool.is_free) {
        let (Some(path_is), Some(text_is)) = (takes(tool, PATHS), takes(tool, TEXTS)) else { continue };
        let whole = place(asked).map_or(path.to_owned(), |dir| format!("{dir}/{path}"));
        // Some can only make new files, in directories that are there.
        if tool.name == "create" && !can_create(Path::new(&whole)) {
            continue;
        }
        let mut given = Map::new();
        given.insert(path_is.to_owned(), whole.into());
        given.insert(text_is.to_owned(), text.into());
        if takes(tool, &["command"]).is_some() {
            given.insert("command".to_owned(), "create".into());
        }
        return Some(Call { tool: tool.clone(), arguments: filled(tool, given) });
    }
    let tool = named(asked, "apply_patch")?;
    let lines: String = text.lines().map(|line| format!("+{line}\n")).collect();
    let patch = format!("*** Begin Patch\n*** Add File: {path}\n{lines}*** End Patch\n");
    let arguments = if tool.is_free {
        Value::String(patch)
    } else {
        let name = takes(tool, &["input", "patch", "patchText"])?;
        filled(tool, Map::from_iter([(name.to_owned(), patch.into())]))
    };
    Some(Call { tool: tool.clone(), arguments })
}

/// As every model does when it is told so.
pub(super) fn read(asked: &Asked, path: &str) -> Option<Call> {
    let mut readers = READERS.iter().filter_map(|name| named(asked, name));
    let (tool, path_is) = readers.find_map(|tool| Some((tool, takes(tool, PATHS)?)))?;
    let whole = place(asked).map_or(path.to_owned(), |dir| format!("{dir}/{path}"));
    let given = Map::from_iter([(path_is.to_owned(), whole.into())]);
    Some(Call { tool: tool.clone(), arguments: filled(tool, given) })
}

fn can_create(path: &Path) -> bool {
    !path.exists() && path.parent().is_some_and(Path::is_dir)
}

fn run(asked: &Asked, command: &str) -> Option<Call> {
    let known = SHELLS.iter().filter_map(|name| named(asked, name));
    let tool = known.chain(&asked.tools).find(|tool| !tool.is_free && takes(tool, COMMANDS).is_some())?;
    let name = takes(tool, COMMANDS)?;
    let is_list = tool.schema["properties"][name]["type"] == "array";
    let value = if is_list { json!(["bash", "-lc", command]) } else { command.into() };
    Some(Call { tool: tool.clone(), arguments: filled(tool, Map::from_iter([(name.to_owned(), value)])) })
}

fn named<'a>(asked: &'a Asked, name: &str) -> Option<&'a Tool> {
    asked.tools.iter().find(|tool| tool.name == name)
}

/// The first of `names` that the tool knows.
fn takes<'a>(tool: &Tool, names: &[&'a str]) -> Option<&'a str> {
    names.iter().copied().find(|name| tool.schema["properties"].get(name).is_some())
}

/// With something harmless for all that the tool wants besides.
fn filled(tool: &Tool, mut given: Map<String, Value>) -> Value {
    for name in tool.schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let of = &tool.schema["properties"][name];
        given.entry(name).or_insert_with(|| match of["type"].as_str().map(str::to_lowercase).as_deref() {
            _ if of["enum"].is_array() => of["enum"][0].clone(),
            Some("boolean") => false.into(),
            Some("number" | "integer") => 60.into(),
            Some("array") => json!([]),
            Some("object") => json!({}),
            _ => "a step of the script".into(),
        });
    }
    Value::Object(given)
}

/// Writing a file where there is nothing but a shell.
fn here(path: &str, text: &str) -> String {
    let dir = Path::new(path).parent().map(|dir| dir.display().to_string()).filter(|dir| !dir.is_empty());
    let made = dir.map(|dir| format!("mkdir -p '{dir}' && ")).unwrap_or_default();
    format!("{made}cat > '{path}' <<'END-OF-SCRIPT'\n{text}END-OF-SCRIPT")
}

/// Where the agent works, by its own word: some tools take whole paths only. Believed if there is such a directory.
fn place(asked: &Asked) -> Option<String> {
    let said = asked.turns.iter().filter_map(|turn| match turn {
        Turn::User(text) => Some(text.as_str()),
        Turn::Results { .. } => None,
    });
    let mut lines = [asked.system.as_str()].into_iter().chain(said).flat_map(str::lines);
    lines.find_map(|line| {
        let lower = line.to_lowercase();
        let words = [
            "working directory",
            "working in the directory",
            "cwd",
            "workspace director",
            "current directory",
            "project root",
        ];
        let after = words.iter().find_map(|word| lower.find(word).map(|at| at + word.len()))?;
        let rest = line.get(after..)?;
        let path = rest[rest.find('/')?..]
            .split([' ', '<', '>', '"', '\'', '`', '|', '\\', ',', ';', ')'])
            .next()?;
        let path = path.trim_end_matches(['.', '/', ':', '*']);
        (path.len() > 1 && Path::new(path).is_dir()).then(|| path.to_owned())
    })
}
