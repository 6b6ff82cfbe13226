//! Lays the layers over one another and remembers which one decided each setting.

use super::file::{self, Entry, Malformed};
use super::{Config, SETTINGS, Setting, agents, foreign};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{NotText, SourceText, Span};
use crate::text::nearest;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Larger files are no configuration.
const MAX_BYTES: u64 = 1 << 20;

/// Names of project files; the later one is stronger.
const PROJECT_FILES: [&str; 2] = [".specter/impl-config.json", "specter.toml"];

/// The process's environment, read once.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    pub fn of_process() -> &'static Environment {
        static OF_PROCESS: OnceLock<Environment> = OnceLock::new();
        OF_PROCESS.get_or_init(|| Environment(std::env::vars_os().collect()))
    }

    pub fn new<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Environment {
        Environment(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// `$XDG_…_HOME`, if absolute as its standard demands, else the given place below the home directory.
    pub fn base_dir(&self, xdg: &str, below_home: &str) -> Option<PathBuf> {
        let home = || self.get("HOME").map(|home| Path::new(home).join(below_home));
        self.get(xdg).map(PathBuf::from).filter(|dir| dir.is_absolute()).or_else(home)
    }

    fn specter_names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().filter_map(|name| name.to_str()).filter(|name| name.starts_with("SPECTER_"))
    }
}

/// A flag as a setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    pub key: &'static str,
    /// As typed: `--jobs`.
    pub flag: String,
    pub value: Value,
}

/// Where a value comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    #[default]
    Default,
    User {
        file: PathBuf,
        line: u32,
    },
    Project {
        file: PathBuf,
        line: u32,
    },
    Env(String),
    Flag(String),
}

/// Something about a file's key that is worth saying and no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub file: PathBuf,
    pub line: u32,
    pub key: String,
    pub text: String,
}

/// A complaint about a configuration file.
#[derive(Clone, Debug)]
pub struct Finding {
    pub source: SourceText,
    pub diagnostic: Diagnostic,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    #[error("the configuration is invalid")]
    Findings(Vec<Finding>),
    #[error("cannot read configuration `{}`", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot read configuration `{}`: {why}", path.display())]
    NotAFile { path: PathBuf, why: &'static str },
    #[error("`{name}` in the environment: {message}")]
    Env { name: String, message: String },
    #[error("`{flag}`: {message}")]
    Flag { flag: String, message: String },
}

/// Where to look.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    pub env: &'a Environment,
    pub root: Option<&'a Path>,
    /// `--config`: instead of the project's own files. It is read with a project's rights.
    pub config: Option<&'a Path>,
    pub overrides: &'a [Override],
}

#[derive(Clone, Debug, Default)]
pub struct Loaded {
    pub config: Config,
    /// By place in [`SETTINGS`].
    pub origins: Vec<Origin>,
    pub notes: Vec<Note>,
    /// What the project's files say of settings that decide what is executed: part of what is agreed to.
    pub executes: Vec<(String, String)>,
}

/// The user's own file, whether it exists or not.
pub fn user_file(env: &Environment) -> Option<PathBuf> {
    env.base_dir("XDG_CONFIG_HOME", ".config").map(|dir| dir.join("specter/config.toml"))
}

/// All layers.
pub fn load(sources: &Sources<'_>) -> Result<Loaded, Invalid> {
    let mut loader = Loader::default();
    loader.loaded.origins = vec![Origin::Default; SETTINGS.len()];
    if let Some(path) = user_file(sources.env) {
        loader.file(&path, Layer::User)?;
    }
    match (sources.config, sources.root) {
        (Some(path), _) => {
            if !loader.file(path, Layer::Project)? {
                return Err(Invalid::NotAFile { path: path.to_owned(), why: "there is no such file" });
            }
        }
        (None, Some(root)) => {
            for name in PROJECT_FILES {
                loader.file(&root.join(name), Layer::Project)?;
            }
        }
        (None, None) => {}
    }
    loader.incomplete_agents();
    if !loader.findings.is_empty() {
        return Err(Invalid::Findings(loader.findings));
    }
    loader.environment(sources.env)?;
    loader.flags(sources.overrides)?;
    Ok(loader.loaded)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer {
    User,
    Project,
}

#[derive(Default)]
struct Loader {
    loaded: Loaded,
    findings: Vec<Finding>,
    /// Agents that files say something of, and where the last of them begins to.
    agents: BTreeMap<String, (SourceText, Span)>,
}

impl Loader {
    /// Reads one file; false if there is none.
    fn file(&mut self, path: &Path, layer: Layer) -> Result<bool, Invalid> {
        let Some(source) = read(path)? else { return Ok(false) };
        let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let entries =
            if is_json { file::json_entries(source.text()) } else { file::toml_entries(source.text()) };
        match entries {
            Err(Malformed { message, span }) => {
                let kind = if is_json { "JSON" } else { "TOML" };
                let what = format!("this is not valid {kind}");
                self.find(&source, Diagnostic::error(Code::BadConfig, what).at(span, message));
            }
            Ok(mut entries) => {
                entries.sort_by_key(|entry| foreign::strength(&entry.path));
                let place = Place { path, layer, source: &source, is_json };
                entries.iter().for_each(|entry| self.entry(&place, entry));
            }
        }
        Ok(true)
    }

    fn find(&mut self, source: &SourceText, diagnostic: Diagnostic) {
        self.findings.push(Finding { source: source.clone(), diagnostic });
    }

    fn entry(&mut self, place: &Place<'_>, entry: &Entry) {
        if let Some(said) = agents::said(&entry.path) {
            return self.agent(place, entry, said);
        }
        let (key, value) = match place.meaning(entry) {
            Ok(Some(known)) => known,
            Ok(None) => return self.note(place, entry, "has no effect yet"),
            Err(diagnostic) => return self.find(place.source, diagnostic),
        };
        if key.is_empty() {
            return;
        }
        let Some((ix, setting)) = Setting::find(key) else { return };
        if place.layer == Layer::Project && setting.user_only {
            return self.find(place.source, user_only(setting.key, entry));
        }
        let before = setting.strictness.map(|of| (of, self.loaded.config.clone()));
        if let Err(message) = setting.set(&mut self.loaded.config, &value) {
            let what = format!("the value of `{}` cannot be used", entry.path);
            return self
                .find(place.source, Diagnostic::error(Code::BadValue, what).at(entry.value_span, message));
        }
        if let Some((strictness, before)) = before.filter(|_| place.layer == Layer::Project)
            && strictness(&self.loaded.config) < strictness(&before)
        {
            self.loaded.config = before;
            return self.note(
                place,
                entry,
                "has no effect: a project can only be stricter than your own choice",
            );
        }
        if place.layer == Layer::Project && setting.executes {
            self.loaded.executes.retain(|(known, _)| known != key);
            self.loaded.executes.push((key.to_owned(), value.to_string()));
        }
        self.loaded.origins[ix] = place.origin(entry);
    }

    fn agent(&mut self, place: &Place<'_>, entry: &Entry, said: agents::Said<'_>) {
        if place.layer == Layer::Project && said.is_user_only() {
            return self.find(place.source, user_only(&entry.path, entry));
        }
        if let Err(diagnostic) = said.set(&mut self.loaded.config.agents, entry) {
            return self.find(place.source, diagnostic);
        }
        if said.key.is_empty() {
            return;
        }
        if place.layer == Layer::Project {
            self.loaded.executes.retain(|(known, _)| *known != entry.path);
            self.loaded.executes.push((entry.path.clone(), entry.value.to_string()));
        }
        let is_elsewhere = |(source, _): &(SourceText, Span)| source.name() != place.source.name();
        if self.agents.get(said.name).is_none_or(is_elsewhere) {
            self.agents.insert(said.name.to_owned(), (place.source.clone(), entry.key));
        }
    }

    /// Once all files are read: what one leaves out another may say.
    fn incomplete_agents(&mut self) {
        for (name, (source, key)) in std::mem::take(&mut self.agents) {
            if let Some(problem) = self.loaded.config.agents.problem(&name) {
                let what = format!("the agent `{name}` cannot be called");
                self.find(&source, Diagnostic::error(Code::BadValue, what).at(key, problem));
            }
        }
    }

    fn note(&mut self, place: &Place<'_>, entry: &Entry, text: &str) {
        self.loaded.notes.push(Note {
            file: place.path.to_owned(),
            line: place.source.line(entry.key.start),
            key: entry.path.clone(),
            text: text.to_owned(),
        });
    }

    fn environment(&mut self, env: &Environment) -> Result<(), Invalid> {
        // Mostly there are none, and the names of all settings need not be made.
        if env.specter_names().next().is_none() {
            return Ok(());
        }
        for (ix, setting) in SETTINGS.iter().enumerate() {
            let name = setting.env_name();
            let Some(text) = env.get(&name) else { continue };
            let text = text.to_string_lossy();
            let set = setting.set(&mut self.loaded.config, &setting.from_text(&text));
            set.map_err(|message| Invalid::Env { name: name.clone(), message })?;
            self.loaded.origins[ix] = Origin::Env(name);
        }
        self.misspelt(env);
        Ok(())
    }

    /// Variables of that prefix may belong to tasks or to a surrounding run; one that is nearly a setting is told of.
    fn misspelt(&mut self, env: &Environment) {
        let names: Vec<String> = SETTINGS.iter().map(Setting::env_name).collect();
        for typed in env.specter_names().filter(|typed| names.iter().all(|name| name != typed)) {
            let rest = |name: &'_ str| name.trim_start_matches("SPECTER_").to_owned();
            let rests: Vec<String> = names.iter().map(|name| rest(name)).collect();
            if let Some(near) = nearest(&rest(typed), rests.iter().map(String::as_str)) {
                self.loaded.notes.push(Note {
                    file: PathBuf::new(),
                    line: 0,
                    key: typed.to_owned(),
                    text: format!("is no setting; did you mean `SPECTER_{near}`?"),
                });
            }
        }
    }

    fn flags(&mut self, overrides: &[Override]) -> Result<(), Invalid> {
        for given in overrides {
            let Some((ix, setting)) = Setting::find(given.key) else { continue };
            let set = setting.set(&mut self.loaded.config, &given.value);
            set.map_err(|message| Invalid::Flag { flag: given.flag.clone(), message })?;
            self.loaded.origins[ix] = Origin::Flag(given.flag.clone());
        }
        Ok(())
    }
}

/// The file an entry stands in.
struct Place<'a> {
    path: &'a Path,
    layer: Layer,
    source: &'a SourceText,
    is_json: bool,
}

impl Place<'_> {
    fn origin(&self, entry: &Entry) -> Origin {
        let (file, line) = (self.path.to_owned(), self.source.line(entry.key.start));
        match self.layer {
            Layer::User => Origin::User { file, line },
            Layer::Project => Origin::Project { file, line },
        }
    }

    /// The setting and value an entry means; an empty name for one that only confirms a default; `None` for one
    /// without effect.
    fn meaning(&self, entry: &Entry) -> Result<Option<(&'static str, Value)>, Diagnostic> {
        // In JSON files that exist, a bare number for `timeout` is milliseconds.
        let millis = self.is_json && foreign::plain(&entry.path) == "timeout" && entry.value.is_number();
        if let Some((_, setting)) = Setting::find(&entry.path).filter(|_| !millis && entry.path != "treat") {
            return Ok(Some((setting.key, entry.value.clone())));
        }
        if let Some(mark) = entry.path.strip_prefix("treat.") {
            let word = entry.value.as_str().unwrap_or_default();
            return Ok(Some(("treat", format!("{mark}={word}").into())));
        }
        if is_empty_table(entry) {
            return Ok(Some(("", Value::Null)));
        }
        if !millis && !foreign::is_known(&entry.path) {
            return Err(unknown_key(entry));
        }
        match foreign::meaning(&entry.path, &entry.value) {
            Ok(foreign::Meaning::Set(key, value)) => Ok(Some((key, value))),
            Ok(foreign::Meaning::Agrees) => Ok(Some(("", Value::Null))),
            Ok(foreign::Meaning::NoEffect) => Ok(None),
            Err(message) => {
                let what = format!("the value of `{}` cannot be used", entry.path);
                Err(Diagnostic::error(Code::BadValue, what).at(entry.value_span, message))
            }
        }
    }
}

/// A known table with nothing in it says nothing.
fn is_empty_table(entry: &Entry) -> bool {
    let below = format!("{}.", foreign::plain(&entry.path));
    let known = SETTINGS.iter().map(|setting| setting.key).chain(foreign::KEYS.iter().copied());
    entry.value.as_object().is_some_and(serde_json::Map::is_empty)
        && (entry.path == "treat"
            || entry.path == "implementer"
            || known.into_iter().any(|key| key.starts_with(&below)))
}

fn unknown_key(entry: &Entry) -> Diagnostic {
    let known = SETTINGS.iter().map(|setting| setting.key);
    let foreign = foreign::KEYS.iter().map(|key| key.trim_end_matches('.'));
    let diagnostic = Diagnostic::error(Code::UnknownKey, format!("unknown setting `{}`", entry.path))
        .at(entry.key, "no setting has this name");
    match nearest(foreign::plain(&entry.path), known.chain(foreign)) {
        Some(near) => diagnostic.help(format!("a setting with a similar name exists: `{near}`")),
        None => diagnostic.help("`specter config --schema` lists all settings"),
    }
}

fn user_only(key: &str, entry: &Entry) -> Diagnostic {
    let what = format!("a project cannot set `{key}`");
    Diagnostic::error(Code::UserOnlyKey, what)
        .at(entry.key, "only your own configuration may decide this")
        .help("set it in `~/.config/specter/config.toml` or in the environment")
}

/// The text of a regular file of bearable size; `None` if there is none.
fn read(path: &Path) -> Result<Option<SourceText>, Invalid> {
    let unreadable = |source| Invalid::Unreadable { path: path.to_owned(), source };
    let not_a_file = |why| Invalid::NotAFile { path: path.to_owned(), why };
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(error)),
    };
    // A pipe or device would be waited for without end.
    if !meta.is_file() {
        return Err(not_a_file("it is not a regular file"));
    }
    if meta.len() > MAX_BYTES {
        return Err(not_a_file("it is larger than 1 MiB"));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let name = path.to_string_lossy().into_owned();
    SourceText::from_bytes(name, bytes).map(Some).map_err(|why| match why {
        NotText::Nul { .. } | NotText::WideEncoding => not_a_file("it is not text"),
        NotText::InvalidUtf8 { .. } => not_a_file("it is not UTF-8"),
        NotText::TooLarge { .. } => not_a_file("it is too large"),
    })
}

impl Finding {
    pub fn span(&self) -> Span {
        self.diagnostic.span().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Jobs;
    use crate::plan::{Mode, Treat};
    use std::time::Duration;

    struct Files(tempfile::TempDir);

    impl Files {
        fn new(files: &[(&str, &str)]) -> Files {
            let dir = tempfile::tempdir().expect("temporary directory");
            for (name, text) in files {
                let path = dir.path().join(name);
                std::fs::create_dir_all(path.parent().expect("parent")).expect("directory");
                std::fs::write(path, text).expect("file");
            }
            Files(dir)
        }

        fn load(&self, env: &[(&str, &str)], overrides: &[Override]) -> Result<Loaded, Invalid> {
            let home = self.0.path().join("home");
            let home = home.to_str().expect("UTF-8");
            let env = Environment::new(env.iter().copied().chain([("HOME", home)]));
            load(&Sources { env: &env, root: Some(self.0.path()), config: None, overrides })
        }

        fn codes(&self) -> Vec<(Code, u32, u32)> {
            match self.load(&[], &[]) {
                Err(Invalid::Findings(findings)) => findings
                    .iter()
                    .map(|f| {
                        (f.diagnostic.code, f.source.line(f.span().start), f.source.column(f.span().start))
                    })
                    .collect(),
                other => panic!("{other:?}"),
            }
        }
    }

    fn origin(loaded: &Loaded, key: &str) -> Origin {
        loaded.origins[Setting::find(key).expect("known").0].clone()
    }

    #[test]
    fn each_layer_is_stronger_than_the_one_before_it() {
        let files = Files::new(&[
            ("home/.config/specter/config.toml", "jobs = 1\nretries = 1\ngrace = '1s'\nstrict = true\n"),
            ("specter.toml", "retries = 2\ngrace = '2s'\nstrict = false\n"),
        ]);
        let flag = Override { key: "strict", flag: "--strict".to_owned(), value: true.into() };
        let loaded = files.load(&[("SPECTER_GRACE", "3s"), ("SPECTER_STRICT", "0")], &[flag]).expect("loads");
        let config = &loaded.config;
        assert_eq!(
            (config.retry.max_attempts, config.grace, config.strict),
            (3, Duration::from_secs(3), true)
        );
        assert!(matches!(config.jobs, Jobs::Count(n) if n.get() == 1));
        assert!(matches!(origin(&loaded, "jobs"), Origin::User { line: 1, .. }));
        assert!(matches!(origin(&loaded, "retries"), Origin::Project { line: 1, .. }));
        assert_eq!(origin(&loaded, "grace"), Origin::Env("SPECTER_GRACE".to_owned()));
        assert_eq!(origin(&loaded, "strict"), Origin::Flag("--strict".to_owned()));
        assert_eq!(origin(&loaded, "tdd"), Origin::Default);
    }

    #[test]
    fn keys_of_files_that_exist_are_accepted() {
        let json = r#"{"implementer": {
            "errorRecovery": {"autoRetry": false, "maxRetries": 5, "backoffStrategy": "linear"},
            "parallel": {"enabled": true, "maxWorkers": 4, "taskTimeout": 60000, "dynamicScaling": true},
            "testing": {"runTests": true, "testFirst": true, "coverageTarget": 80}, "validation": {}},
            "retryDelays": [1000, 2500], "priorityWeights": {"P1": 1.0}, "timeout": 30000, "verboseLogging": true}"#;
        let loaded = Files::new(&[(".specter/impl-config.json", json)]).load(&[], &[]).expect("loads");
        let config = &loaded.config;
        assert_eq!((config.mode, config.retry.max_attempts, config.retry.factor), (Mode::Parallel, 1, 1.0));
        assert_eq!(config.retry.delays, [Duration::from_secs(1), Duration::from_millis(2500)]);
        assert_eq!((config.timeout, config.tdd(), config.verbosity), (Some(Duration::from_mins(1)), true, 1));
        let notes: Vec<&str> = loaded.notes.iter().map(|note| note.key.as_str()).collect();
        assert_eq!(
            notes,
            [
                "implementer.parallel.dynamicScaling",
                "implementer.testing.runTests",
                "implementer.testing.coverageTarget",
                "priorityWeights.P1"
            ]
        );
    }

    #[test]
    fn a_wrong_key_or_value_is_found_where_it_stands_and_all_are_told() {
        let files = Files::new(&[
            ("specter.toml", "jobs = 2\n\nretrys = 1\ntimeout = 30\n[env]\npass = ['TOKEN']\n"),
            (".specter/impl-config.json", "{\"maxRetries\": 1,\n  \"parallel\": {\"maxWorker\": 4}}"),
        ]);
        assert_eq!(
            files.codes(),
            [
                (Code::UnknownKey, 2, 16),
                (Code::UnknownKey, 3, 1),
                (Code::BadValue, 4, 11),
                (Code::UserOnlyKey, 6, 1)
            ]
        );
        assert_eq!(Files::new(&[("specter.toml", "a = [\n")]).codes()[0].0, Code::BadConfig);
    }

    #[test]
    fn unknown_keys_are_answered_with_the_nearest_name() {
        let files = Files::new(&[("specter.toml", "[retry]\nfactr = 2\n")]);
        let Err(Invalid::Findings(findings)) = files.load(&[], &[]) else { panic!("loads") };
        assert_eq!(findings[0].diagnostic.help, ["a setting with a similar name exists: `retry.factor`"]);
    }

    #[test]
    fn only_the_user_decides_what_secrets_tasks_get_and_where_state_is() {
        let text = "state-dir = '/tmp/x'\n[env]\npass = ['TOKEN']\n";
        let files = Files::new(&[("home/.config/specter/config.toml", text)]);
        assert_eq!(files.load(&[], &[]).expect("loads").config.env_pass, ["TOKEN"]);
        assert_eq!(Files::new(&[("specter.toml", text)]).codes().len(), 2);
    }

    #[test]
    fn what_a_project_says_of_execution_is_kept_apart_to_be_agreed_to() {
        let files = Files::new(&[("specter.toml", "shell = 'bash'\njobs = 2\n[treat]\n'~' = 'open'\n")]);
        let loaded = files.load(&[], &[]).expect("loads");
        assert_eq!(loaded.executes, [("shell".to_owned(), "\"bash\"".to_owned())]);
        assert_eq!(loaded.config.treat, [("~".to_owned(), Treat::Open)]);
    }

    #[test]
    fn an_agent_is_made_of_what_user_and_project_say_of_it() {
        let loaded = Files::new(&[
            (
                "home/.config/specter/config.toml",
                "[agents.claude]\nenv-pass = ['X_KEY']\nflags.model = ['-M', '{model}']\n[agents.mine]\nstall = '90s'\n",
            ),
            ("specter.toml", "agent = 'mine,claude'\n[agents.mine]\ncommand = './mine'\nenv = { A = '1' }\n"),
        ]);
        let loaded = loaded.load(&[], &[]).expect("loads");
        let of = |name: &str| loaded.config.agents.get(name).expect("known");
        assert_eq!(
            (of("claude").flags.model.len(), of("claude").env_pass.as_slice()),
            (2, ["X_KEY".to_owned()].as_slice())
        );
        assert_eq!((of("claude").command.as_str(), of("mine").command.as_str()), ("claude", "./mine"));
        assert_eq!(of("mine").stall, Some(Duration::from_secs(90)));
        assert_eq!(loaded.config.agent, "mine,claude");
        let agreed: Vec<&str> = loaded.executes.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(agreed, ["agent", "agents.mine.command", "agents.mine.env.A"]);
    }

    #[test]
    fn where_an_agent_may_write_is_said_by_the_user_alone() {
        let said = "[agents.claude]\nwrites = ['~/']\n";
        assert_eq!(Files::new(&[("specter.toml", said)]).codes(), [(Code::UserOnlyKey, 2, 1)]);
        let of_user = |said: &str| Files::new(&[("home/.config/specter/config.toml", said)]);
        assert!(of_user(said).load(&[], &[]).is_ok());
        assert_eq!(of_user("[agents.claude]\nwrites = ['here/']\n").codes(), [(Code::BadValue, 2, 1)]);
    }

    #[test]
    fn what_is_wrong_with_an_agent_is_found_where_it_stands() {
        let files = Files::new(&[(
            "specter.toml",
            "[agents.claude]\narg = ['x']\nargs = 'x'\nenv-pass = ['TOKEN']\n[agents.Mine]\ncommand = 'x'\n[agents.new]\n\n\
             stall = '1m'\nprompt = 'stdout'\n",
        )]);
        assert_eq!(
            files.codes(),
            [
                (Code::UnknownKey, 2, 1),
                (Code::BadValue, 3, 8),
                (Code::UserOnlyKey, 4, 1),
                (Code::BadValue, 6, 1),
                (Code::BadValue, 10, 10),
                (Code::BadValue, 9, 1)
            ]
        );
        let Err(Invalid::Findings(findings)) = files.load(&[], &[]) else { panic!("loads") };
        assert_eq!(
            findings[0].diagnostic.help,
            ["a setting with a similar name exists: `agents.claude.args`"]
        );
        assert_eq!(findings[1].diagnostic.labels[0].text, "this must be a list, not string \"x\"");
        assert!(findings[5].diagnostic.labels[0].text.contains("neither `command` nor `acp.command`"));
        assert!(Files::new(&[("specter.toml", "[agents]\n[agents.claude]\n")]).load(&[], &[]).is_ok());
        assert_eq!(Files::new(&[("specter.toml", "agents = 5\n")]).codes(), [(Code::BadValue, 1, 10)]);
    }

    #[test]
    fn a_misspelt_variable_is_told_of_and_others_are_left_alone() {
        let env = [("SPECTER_JBOS", "3"), ("SPECTER_TASK_ID", "T001"), ("SPECTER_TEST_SEED", "1")];
        let loaded = Files::new(&[]).load(&env, &[]).expect("loads");
        let keys: Vec<&str> = loaded.notes.iter().map(|note| note.key.as_str()).collect();
        assert_eq!(keys, ["SPECTER_JBOS"]);
    }
}
