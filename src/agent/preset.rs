//! How an agent is called, as data. What is known of real agents stands in `presets/*.toml`; configuration lays its own
//! values over them, one key at a time ([`Presets::set`]). Starts nothing and looks for nothing on this machine.

mod keys;

use super::dialect::Events;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

/// How an agent is called.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Preset {
    /// In the order of these, `auto` takes the first that is installed; 0 is never taken by it.
    pub rank: u32,
    /// What people call it.
    pub title: String,
    /// Whose limits it runs into: agents of one provider are held together.
    pub provider: String,
    /// What it speaks when it is started by `command`.
    pub protocol: Protocol,
    /// The program; empty: by `acp` alone.
    pub command: String,
    /// A group in braces on its own (`{resume}`) stands where that group's arguments go; groups without such a place
    /// follow, then `args-tail`.
    pub args: Vec<String>,
    pub args_tail: Vec<String>,
    pub prompt: PromptBy,
    pub events: Events,
    pub flags: Flags,
    pub permissions: Permissions,
    pub env: BTreeMap<String, String>,
    /// Variables it gets although they look like secrets; a `*` at the end takes all that begin so.
    pub env_pass: Vec<String>,
    /// Those of them whose values are masked wherever output is kept or shown.
    pub secrets: Vec<String>,
    /// It leaves files in the directory for temporary files that nobody else should find.
    pub private_tmpdir: bool,
    /// Where it logs what it waits for and tells nobody, below the home directory; `{session}` stands for its session.
    pub log: String,
    /// When it keeps what it starts in a sandbox of its own, of a kind that cannot be made inside specter's.
    pub own_sandbox: OwnSandbox,
    /// What it writes for itself outside of the project: sessions, settings, caches. Below the home directory (`~/…`) or
    /// where a variable says (`$NAME`, `$NAME/…`). Directories end in a `/`. A file is one that it replaces as a whole, and
    /// writes over in place where it cannot, so that others may read half of it.
    pub writes: Vec<String>,
    /// Files it makes for itself, which are no work done.
    pub ignore_changes: Vec<String>,
    /// No output for so long, and it hangs.
    #[serde(serialize_with = "to_time", deserialize_with = "from_time")]
    pub stall: Option<Duration>,
    /// How it is asked to end what it does, before it is ended.
    pub soft_stop: SoftStop,
    /// Arguments that make it print its version.
    pub version: Vec<String>,
    /// One line each, for people.
    pub install: String,
    pub login: String,
    /// What its exit codes say, where they say more than that it failed: the word of an error.
    pub exits: BTreeMap<String, String>,
    /// How it is started for the Agent Client Protocol: the preset `NAME-acp` is made of it.
    pub acp: Option<Acp>,
}

/// When an agent keeps what it starts in a sandbox of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnSandbox {
    #[default]
    Never,
    /// Where it may do edits alone.
    Edits,
    Always,
}

/// What an agent and specter tell each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// A prompt in, events out.
    #[default]
    Events,
    /// The Agent Client Protocol, over its input and output.
    Acp,
}

/// How an agent without progress is asked to end what it does. One that is spoken with is told so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SoftStop {
    /// As by Ctrl-C: agents save their session then.
    #[default]
    Interrupt,
    Terminate,
    None,
}

/// How the prompt reaches the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PromptBy {
    #[default]
    Stdin,
    /// `{prompt-file}` in an argument is the name of a file that holds it.
    File,
    /// `{prompt}` in an argument, or the last one. At most 128 KiB on Linux, and visible to every user.
    Argument,
}

/// Arguments that are added when there is something to say. Empty: the agent has no such thing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Flags {
    /// `{model}`
    pub model: Vec<String>,
    /// `{session}`: goes on with it.
    pub resume: Vec<String>,
    /// `{session}`: begins one with an id that the caller chose.
    pub new_session: Vec<String>,
    /// `{dir}`, once for each; or `{dirs}`, once for all: their names in quotes, with commas between.
    pub extra_dir: Vec<String>,
    /// `{turns}`
    pub max_turns: Vec<String>,
}

/// Arguments for what the agent may do unasked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Permissions {
    /// Everything.
    pub unattended: Vec<String>,
    /// Edits in the project.
    pub edits: Vec<String>,
}

/// How it is started for the Agent Client Protocol.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Acp {
    /// The program; with `protocol = "acp"` the preset's own `command` says it.
    pub command: String,
    pub args: Vec<String>,
    /// The mode to choose: one in which it asks before it does something, since specter answers. Empty: its own.
    pub mode: String,
    /// Arguments with `{model}`; empty: a model is chosen by the protocol.
    pub model: Vec<String>,
    /// Instead of what the preset says, which holds for its `command`.
    pub own_sandbox: OwnSandbox,
    /// Arguments that make it print its version; empty: it is not asked.
    pub version: Vec<String>,
    /// So long an answer may take, that to a prompt excepted.
    #[serde(serialize_with = "to_time", deserialize_with = "from_time")]
    pub patience: Option<Duration>,
    pub install: String,
}

/// Where the preset does not say how long an answer may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// So long where the program is fetched first.
const FETCHED: Duration = Duration::from_mins(5);
/// Programs that fetch what they start.
const FETCHERS: [&str; 6] = ["npx", "bunx", "uvx", "pnpx", "pipx", "uv"];

/// Whether that program fetches what it starts, so that to find it does not mean that the agent is there.
pub fn is_fetcher(command: &str) -> bool {
    FETCHERS.contains(&command.rsplit('/').next().unwrap_or_default())
}

/// The end of the name of a preset that is made of another one's `acp`.
const SUFFIX: &str = "-acp";

/// One call of an agent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call<'a> {
    pub model: Option<&'a str>,
    pub session: Session<'a>,
    pub permission: Permission,
    pub extra_dirs: &'a [String],
    pub max_turns: Option<u32>,
    pub prompt: &'a str,
    /// Where the prompt was written, for agents that read it from a file.
    pub prompt_file: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Session<'a> {
    #[default]
    None,
    /// Begin one with this id, where the agent lets one choose.
    New(&'a str),
    /// Go on with it, where the agent can.
    Resume(&'a str),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Permission {
    /// Whatever it wants: for agents whose limits are set from outside.
    #[default]
    Unattended,
    /// Edits in the project, and what the agent itself counts as harmless.
    Edits,
}

/// What is started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    pub program: String,
    pub args: Vec<String>,
    /// Set besides the environment that tasks get.
    pub env: Vec<(String, String)>,
    /// The prompt goes to its standard input.
    pub stdin: bool,
}

impl Preset {
    pub fn is_callable(&self) -> bool {
        !self.command.is_empty()
    }

    pub fn speaks_acp(&self) -> bool {
        self.protocol == Protocol::Acp
    }

    /// How long an answer may take that is none to a prompt.
    pub fn patience(&self) -> Duration {
        let said = self.acp.as_ref().and_then(|acp| acp.patience);
        said.unwrap_or(if is_fetcher(&self.command) { FETCHED } else { PATIENCE })
    }

    /// So much longer it may take to come to its first word: its program may have to be fetched.
    pub fn fetching(&self) -> Duration {
        if is_fetcher(&self.command) { self.patience() } else { Duration::ZERO }
    }

    /// The same agent, started for the protocol.
    fn by_acp(&self) -> Preset {
        let acp = self.acp.clone().unwrap_or_default();
        let login = self.login.clone();
        Preset {
            rank: 0,
            title: format!("{} (ACP)", self.title).trim_start().to_owned(),
            protocol: Protocol::Acp,
            command: acp.command.clone(),
            args: acp.args.clone(),
            args_tail: Vec::new(),
            prompt: PromptBy::Stdin,
            events: Events::default(),
            flags: Flags { model: acp.model.clone(), ..Flags::default() },
            permissions: Permissions::default(),
            version: acp.version.clone(),
            install: acp.install.clone(),
            own_sandbox: acp.own_sandbox,
            login,
            exits: BTreeMap::new(),
            acp: Some(acp),
            ..self.clone()
        }
    }

    pub fn has_own_sandbox(&self, permission: Permission) -> bool {
        match self.own_sandbox {
            OwnSandbox::Never => false,
            OwnSandbox::Edits => permission == Permission::Edits,
            OwnSandbox::Always => true,
        }
    }

    pub fn can_resume(&self) -> bool {
        !self.flags.resume.is_empty()
    }

    /// The session's id can be chosen before the start, so that it is known even if the agent is killed at once.
    pub fn can_name_session(&self) -> bool {
        !self.flags.new_session.is_empty()
    }

    /// What that exit code says, as the word of an error.
    pub fn exit_means(&self, code: i32) -> Option<&str> {
        self.exits.get(&code.to_string()).map(String::as_str)
    }

    pub fn command_line(&self, call: &Call<'_>) -> CommandLine {
        let mut groups = Groups::of(self, call);
        let mut args = Vec::new();
        for arg in &self.args {
            match groups.take(arg) {
                Some(group) => args.extend(group),
                None => args.push(call.fill(arg)),
            }
        }
        args.extend(groups.rest());
        args.extend(self.args_tail.iter().map(|arg| call.fill(arg)));
        let has_place = self.args.iter().chain(&self.args_tail).any(|arg| arg.contains("{prompt}"));
        if self.prompt == PromptBy::Argument && !has_place {
            args.push(call.prompt.to_owned());
        }
        CommandLine {
            program: self.command.clone(),
            args,
            env: self.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            stdin: self.prompt == PromptBy::Stdin,
        }
    }

    fn problem(&self) -> Option<&'static str> {
        if !self.is_callable() {
            return Some("it has neither `command` nor `acp.command`");
        }
        let names_file = self.args.iter().chain(&self.args_tail).any(|arg| arg.contains("{prompt-file}"));
        if self.prompt == PromptBy::File && self.is_callable() && !names_file {
            return Some("its `prompt` is a file, and none of its `args` has `{prompt-file}`");
        }
        if self.writes.iter().any(|place| !(place.starts_with("~/") || place.starts_with(['$', '/']))) {
            return Some("its `writes` has a place that begins with neither `~/`, `$NAME` nor `/`");
        }
        None
    }
}

impl Call<'_> {
    /// Replaces what stands for the prompt. Nothing of the prompt itself is looked at again.
    fn fill(&self, arg: &str) -> String {
        if let Some((before, after)) = arg.split_once("{prompt-file}") {
            return format!("{before}{}{after}", self.prompt_file.unwrap_or_default());
        }
        match arg.split_once("{prompt}") {
            Some((before, after)) => format!("{before}{}{after}", self.prompt),
            None => arg.to_owned(),
        }
    }
}

/// The arguments that depend on the call, by name, until each was placed.
struct Groups(Vec<(&'static str, Vec<String>)>);

impl Groups {
    fn of(preset: &Preset, call: &Call<'_>) -> Groups {
        let flags = &preset.flags;
        let filled = |group: &[String], name: &str, value: &str| -> Vec<String> {
            group.iter().map(|arg| arg.replace(name, value)).collect()
        };
        let permission = match call.permission {
            Permission::Unattended => &preset.permissions.unattended,
            Permission::Edits => &preset.permissions.edits,
        };
        let (resume, new) = match call.session {
            Session::None => (Vec::new(), Vec::new()),
            Session::New(id) => (Vec::new(), filled(&flags.new_session, "{session}", id)),
            Session::Resume(id) => (filled(&flags.resume, "{session}", id), Vec::new()),
        };
        let turns = call.max_turns.map(|turns| turns.to_string());
        Groups(vec![
            ("{permission}", permission.clone()),
            ("{model}", call.model.map_or_else(Vec::new, |model| filled(&flags.model, "{model}", model))),
            ("{resume}", resume),
            ("{new-session}", new),
            ("{extra-dir}", extra_dirs(&flags.extra_dir, call.extra_dirs)),
            ("{max-turns}", turns.map_or_else(Vec::new, |turns| filled(&flags.max_turns, "{turns}", &turns))),
        ])
    }

    /// The group that `arg` is the place of, once.
    fn take(&mut self, arg: &str) -> Option<Vec<String>> {
        let group = self.0.iter_mut().find(|(name, _)| *name == arg)?;
        Some(std::mem::take(&mut group.1))
    }

    fn rest(self) -> impl Iterator<Item = String> {
        self.0.into_iter().flat_map(|(_, group)| group)
    }
}

fn extra_dirs(group: &[String], dirs: &[String]) -> Vec<String> {
    if dirs.is_empty() {
        return Vec::new();
    }
    if group.iter().any(|arg| arg.contains("{dirs}")) {
        let quoted: Vec<String> = dirs.iter().map(|dir| Value::from(dir.as_str()).to_string()).collect();
        return group.iter().map(|arg| arg.replace("{dirs}", &quoted.join(","))).collect();
    }
    dirs.iter().flat_map(|dir| group.iter().map(move |arg| arg.replace("{dir}", dir))).collect()
}

/// All presets: those compiled in, and what configuration made of them. Costs nothing until one is asked for.
#[derive(Clone, Debug, Default)]
pub struct Presets {
    /// Nothing: as compiled in.
    own: Option<Box<Tables>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Tables {
    raw: BTreeMap<String, Value>,
    all: BTreeMap<String, Preset>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(Tables::compiled_in);

/// Name and text of each preset that is compiled in.
pub const COMPILED_IN: &[(&str, &str)] = &[
    ("claude", include_str!("presets/claude.toml")),
    ("codex", include_str!("presets/codex.toml")),
    ("gemini", include_str!("presets/gemini.toml")),
    ("opencode", include_str!("presets/opencode.toml")),
    ("qwen", include_str!("presets/qwen.toml")),
    ("copilot", include_str!("presets/copilot.toml")),
    ("pi", include_str!("presets/pi.toml")),
    ("aider", include_str!("presets/aider.toml")),
    ("cursor", include_str!("presets/cursor.toml")),
    ("goose", include_str!("presets/goose.toml")),
    ("amp", include_str!("presets/amp.toml")),
    ("crush", include_str!("presets/crush.toml")),
    ("mini", include_str!("presets/mini.toml")),
];

impl Tables {
    /// A test parses each of them.
    fn compiled_in() -> Tables {
        let mut tables = Tables::default();
        for (name, text) in COMPILED_IN {
            if let Ok(raw) = toml::from_str::<Value>(text) {
                let _bad = tables.put(name, raw);
            }
        }
        tables
    }

    /// Takes what is said of a preset, and makes of it what is called: it and, by its `acp`, a second one.
    fn put(&mut self, name: &str, raw: Value) -> Result<(), serde_json::Error> {
        let base = name.strip_suffix(SUFFIX).and_then(|base| self.all.get(base)).filter(|base| has_acp(base));
        let preset = match base {
            Some(base) => second(base, &raw)?,
            None => only_acp(serde_json::from_value(raw.clone())?),
        };
        let second = if has_acp(&preset) && !preset.speaks_acp() {
            let name = format!("{name}{SUFFIX}");
            let own = self.raw.get(&name).cloned().unwrap_or_default();
            let second = second(&preset, &own)?;
            Some((name, second))
        } else {
            None
        };
        self.raw.insert(name.to_owned(), raw);
        self.all.insert(name.to_owned(), preset);
        self.all.extend(second);
        Ok(())
    }
}

fn has_acp(preset: &Preset) -> bool {
    preset.acp.as_ref().is_some_and(|acp| !acp.command.is_empty())
}

/// One that can be called by the protocol alone is called so under its own name.
fn only_acp(preset: Preset) -> Preset {
    if preset.command.is_empty() && has_acp(&preset) {
        Preset { title: preset.title.clone(), rank: preset.rank, ..preset.by_acp() }
    } else {
        preset
    }
}

/// What is made of `base` by its `acp`, with what `raw` says of it, of its `acp` first.
fn second(base: &Preset, raw: &Value) -> Result<Preset, serde_json::Error> {
    let acp: Map<String, Value> =
        raw.get("acp").map(|acp| ("acp".to_owned(), acp.clone())).into_iter().collect();
    over(&over(base, &Value::Object(acp))?.by_acp(), raw)
}

/// `preset` with what `raw` says laid over it.
fn over(preset: &Preset, raw: &Value) -> Result<Preset, serde_json::Error> {
    let mut whole = serde_json::to_value(preset)?;
    for (key, value) in raw.as_object().into_iter().flatten() {
        match (value.as_object(), whole.get_mut(key).and_then(Value::as_object_mut)) {
            (Some(more), Some(table)) => table.extend(more.clone()),
            _ => whole[key] = value.clone(),
        }
    }
    serde_json::from_value(whole)
}

impl PartialEq for Presets {
    fn eq(&self, other: &Presets) -> bool {
        self.tables() == other.tables()
    }
}

impl Presets {
    /// Those that every installation knows.
    pub fn compiled_in() -> Presets {
        Presets::default()
    }

    fn tables(&self) -> &Tables {
        self.own.as_deref().unwrap_or_else(|| &TABLES)
    }

    pub fn get(&self, name: &str) -> Option<&Preset> {
        self.tables().all.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Preset)> {
        self.tables().all.iter().map(|(name, preset)| (name.as_str(), preset))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tables().all.keys().map(String::as_str)
    }

    /// Names in the order in which `auto` tries them.
    pub fn in_order(&self) -> Vec<&str> {
        let mut names: Vec<(u32, &str)> =
            self.iter().map(|(name, preset)| (preset.rank, name)).filter(|(rank, _)| *rank > 0).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name).collect()
    }

    /// Lays one value over the preset `name`, which is begun if there is none. `key` is dotted below the preset:
    /// `flags.model`, `env.NAME`. Says what is wrong with it otherwise, and changes nothing.
    pub fn set(&mut self, name: &str, key: &str, value: &Value) -> Result<(), Wrong> {
        if !keys::is_name(name) {
            return Err(Wrong::Name);
        }
        if !keys::is_known(key) {
            return Err(Wrong::Key { near: keys::nearest(key) });
        }
        let mut raw = self.tables().raw.get(name).cloned().unwrap_or_else(|| Value::Object(Map::new()));
        put(&mut raw, key, value.clone());
        let mut tables = self.own.take().unwrap_or_else(|| Box::new(TABLES.clone()));
        let put = tables.put(name, raw).map_err(|error| Wrong::Value(keys::in_words(&error)));
        self.own = Some(tables);
        put
    }

    /// Whose tables in configuration say how it is called: its own, and that of the preset it is made of.
    pub fn said_by<'a>(&self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let base = name.strip_suffix(SUFFIX).filter(|base| self.get(base).is_some_and(has_acp));
        [Some(name), base].into_iter().flatten()
    }

    /// Keys of a preset, dotted; a `*` stands for any name.
    pub fn keys() -> &'static [&'static str] {
        keys::KEYS
    }

    /// What a preset lacks to be called at all.
    pub fn problem(&self, name: &str) -> Option<&'static str> {
        self.get(name)?.problem()
    }
}

/// What is wrong with a value for a preset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The preset's name.
    Name,
    Key {
        near: Option<&'static str>,
    },
    Value(String),
}

/// Puts `value` at `key`; of tables with free names the rest is the name, dots and all.
fn put(raw: &mut Value, key: &str, value: Value) {
    let (table, name) = match key.split_once('.') {
        Some((table, name)) => (Some(table), name),
        None => (None, key),
    };
    let place = match table {
        None => raw,
        Some(table) => {
            let Some(root) = raw.as_object_mut() else { return };
            root.entry(table).or_insert_with(|| Value::Object(Map::new()))
        }
    };
    if !place.is_object() {
        *place = Value::Object(Map::new());
    }
    if let Some(map) = place.as_object_mut() {
        map.insert(name.to_owned(), value);
    }
}

#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
fn to_time<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match time.and_then(|time| jiff::SignedDuration::try_from(time).ok()) {
        Some(time) => serializer.serialize_str(&format!("{time:#}")),
        None => serializer.serialize_str("none"),
    }
}

fn from_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == "none" {
        return Ok(None);
    }
    let signed = text.trim().parse::<jiff::SignedDuration>().ok();
    match signed.and_then(|time| Duration::try_from(time).ok()) {
        Some(time) => Ok(Some(time)),
        None => Err(serde::de::Error::custom(
            "this must be a time with its unit, such as `90s` or `10m`, or `none`",
        )),
    }
}

#[cfg(test)]
mod tests;
