//! `config`, `trust`, `init`, `completions`, `man`: what surrounds a run.

use super::args::{Cli, ConfigArgs, Format, Global, Init, TrustArgs};
use super::error::{Error, Kind};
use super::exit::Exit;
use super::stage;
use super::target::{self, Target};
use super::{agent_commands, consent, hooks, out};
use crate::config::trust::Commands;
use crate::config::{Origin, SETTINGS, schema};
use crate::projection::schema as published;
use crate::text::{count, nearest, safe};
use crate::ui::consent::Command as Shown;
use clap::CommandFactory as _;
use serde::Serialize;
use std::io::Write as _;
use std::path::Path;

// ── config ───────────────────────────────────────────────────────────────────────────────────────────────────────

#[derive(Serialize)]
struct SettingJson {
    key: &'static str,
    value: serde_json::Value,
    origin: String,
}

#[derive(Serialize)]
struct ConfigJson {
    schema: u32,
    settings: Vec<SettingJson>,
    notes: Vec<String>,
}

/// Every setting, its value and where it comes from.
pub(super) fn config(global: &Global, given: &ConfigArgs) -> Result<Exit, Error> {
    if given.schema {
        out::json(&schema())?;
        return Ok(Exit::Done);
    }
    let here = target::here()?;
    let target = Target::find(None, global).unwrap_or_else(|_| Target::bare(&here));
    let loaded = stage::configuration(global, &target, &[])?;
    let settings: Vec<SettingJson> = SETTINGS
        .iter()
        .zip(&loaded.origins)
        .map(|(setting, origin)| SettingJson {
            key: setting.key,
            value: setting.show(&loaded.config),
            origin: origin_words(origin, &target.project),
        })
        .collect();
    let notes: Vec<String> = loaded
        .notes
        .iter()
        .map(|note| {
            let place = match note.line {
                0 => "environment".to_owned(),
                line => format!("{}:{line}", stage::shown(&note.file, &target.project)),
            };
            format!("{place}: `{}` {}", safe(&note.key), note.text)
        })
        .collect();
    if given.format == Format::Json {
        out::json(&ConfigJson { schema: 1, settings, notes })?;
        return Ok(Exit::Done);
    }
    let widest = settings.iter().map(|setting| setting.key.len()).max().unwrap_or(0);
    let mut text = String::new();
    for setting in &settings {
        let value = match &setting.value {
            serde_json::Value::String(value) => safe(value),
            value => safe(&value.to_string()),
        };
        text += &format!("{:widest$}  {value}  ({})\n", setting.key, setting.origin);
    }
    for note in notes {
        text += &format!("note: {note}\n");
    }
    out::text(&text)?;
    Ok(Exit::Done)
}

fn origin_words(origin: &Origin, project: &Path) -> String {
    match origin {
        Origin::Default => "default".to_owned(),
        Origin::User { file, line } | Origin::Project { file, line } => {
            format!("{}:{line}", stage::shown(file, project))
        }
        Origin::Env(name) => format!("environment {}", safe(name)),
        Origin::Flag(flag) => safe(flag),
    }
}

// ── trust ────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Agrees to, lists or forgets what repositories may execute. Runs nothing.
pub(super) fn trust(global: &Global, given: &TrustArgs) -> Result<Exit, Error> {
    let store = consent::store()?;
    if given.list {
        let mut text = String::new();
        for known in store.list()? {
            let files = known.files.iter().map(|file| safe(file)).collect::<Vec<_>>().join(", ");
            text +=
                &format!("{}  {} ({files})\n", safe(&known.project), count(known.commands as u64, "command"));
        }
        out::text(if text.is_empty() { "no project is trusted\n" } else { &text })?;
        return Ok(Exit::Done);
    }
    let target = Target::find(given.target.as_deref(), global)?;
    let project = safe(&target.project.to_string_lossy());
    if given.revoke {
        let known = store.revoke(&target.project)?;
        out::text(&format!("{project}: {}\n", if known { "forgotten" } else { "nothing was agreed to" }))?;
        return Ok(Exit::Done);
    }
    let loaded = stage::configuration(global, &target, &[])?;
    let file = stage::read(&target)?;
    let screen = stage::screen(global, &loaded.config, stage::Stream::Err);
    let hooks = hooks::mandatory(hooks::read(&target, &screen), &target);
    let commands = Commands::of(&file.document.tasks, &loaded.executes).and(&hooks::to_agree_to(&hooks));
    if commands.is_empty() {
        out::text(&format!("{project}: nothing in `{}` would be executed\n", safe(&target.name)))?;
        return Ok(Exit::Done);
    }
    for Shown { origin, text } in consent::shown(&commands.units, &target.name) {
        let lines: String = text.lines().map(|line| format!("  | {}\n", safe(line))).collect();
        out::text(&format!("{}\n{lines}", safe(&origin)))?;
    }
    out::text(&format!("hash: {}\n", commands.hash()))?;
    if !given.hash {
        store.allow(&target.project, &target.name, &commands)?;
        out::text(&format!("{project}: {} agreed to\n", count(commands.units.len() as u64, "command")))?;
    }
    Ok(Exit::Done)
}

// ── init ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/// What is written by runs and should not be committed.
const IGNORED: [&str; 2] = [".specter/", ".specter-state/"];

const CONFIG: &str = "\
# Configuration of specter for this project; `specter config` shows every setting, its value and its origin.
# jobs = 4
# retries = 2
# timeout = \"10m\"
";

const EXAMPLE: &str = "\
# Tasks: an example

- [ ] T001 Write a greeting to `hello.txt`

  ```sh run
  echo hello > hello.txt
  ```

- [ ] T002 Check it (depends on T001)

  ```sh run
  grep -q hello hello.txt
  ```
";

/// Prepares a project. Never overwrites; says what it did.
pub(super) fn init(_global: &Global, given: &Init) -> Result<Exit, Error> {
    let here = target::here()?;
    let ignored = ignore(&here)?;
    let mut done = vec![format!(".gitignore: {ignored}")];
    done.push(create(&here, "specter.toml", CONFIG)?);
    if given.example {
        done.push(create(&here, "tasks.md", EXAMPLE)?);
    }
    if given.agent_commands {
        done.extend(agent_commands::write(&here)?);
    }
    done.push("next: `specter plan`, then `specter implement`".to_owned());
    out::text(&format!("{}\n", done.join("\n")))?;
    Ok(Exit::Done)
}

pub(super) fn create(here: &Path, name: &str, text: &str) -> Result<String, Error> {
    match std::fs::OpenOptions::new().write(true).create_new(true).open(here.join(name)) {
        Ok(mut file) => {
            file.write_all(text.as_bytes())?;
            Ok(format!("{name}: written"))
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Ok(format!("{name}: there already, left as it is"))
        }
        Err(error) => Err(Error::message(Kind::Io, format!("cannot write `{name}`: {error}"))),
    }
}

fn ignore(here: &Path) -> Result<String, Error> {
    let path = here.join(".gitignore");
    let existing = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Error::message(Kind::Io, format!("cannot read `.gitignore`: {error}"))),
    };
    let missing: Vec<&str> =
        IGNORED.into_iter().filter(|line| existing.lines().all(|known| known.trim() != *line)).collect();
    if missing.is_empty() {
        return Ok("complete already".to_owned());
    }
    let gap = if existing.is_empty() || existing.ends_with('\n') { "" } else { "\n" };
    let lines = format!("{gap}{}\n", missing.join("\n"));
    let file = std::fs::OpenOptions::new().append(true).create(true).open(&path);
    file.and_then(|mut file| file.write_all(lines.as_bytes()))
        .map_err(|error| Error::message(Kind::Io, format!("cannot write `.gitignore`: {error}")))?;
    Ok(format!("added {}", missing.join(" and ")))
}

// ── completions, man ─────────────────────────────────────────────────────────────────────────────────────────────

pub(super) fn completions(shell: clap_complete::Shell) -> Result<Exit, Error> {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "specter", &mut bytes);
    out::text(&String::from_utf8_lossy(&bytes))?;
    Ok(Exit::Done)
}

/// A published shape, or the names of all.
pub(super) fn schema_of(name: Option<&str>) -> Result<Exit, Error> {
    const CONFIG_NAME: &str = "config";
    let names = || published::NAMES.into_iter().chain([CONFIG_NAME]);
    match name {
        None => out::text(&format!("{}\n", names().collect::<Vec<_>>().join("\n")))?,
        Some(CONFIG_NAME) => out::json(&schema())?,
        Some(name) => {
            let text = published::named(name).ok_or_else(|| {
                let near = nearest(name, names()).map(|near| format!("did you mean `{near}`?"));
                Error::usage(format!("there is no schema `{}`", safe(name)))
                    .maybe_hint(near)
                    .hint("`specter schema` lists the names")
            })?;
            out::text(&text)?;
        }
    }
    Ok(Exit::Done)
}

/// The manual page, all commands in one.
pub(super) fn man() -> Result<Exit, Error> {
    let mut bytes = Vec::new();
    let root = Cli::command();
    clap_mangen::Man::new(root.clone()).render(&mut bytes)?;
    for command in root.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = format!("specter-{}", command.get_name());
        clap_mangen::Man::new(command.clone().name(name)).render(&mut bytes)?;
    }
    out::text(&String::from_utf8_lossy(&bytes))?;
    Ok(Exit::Done)
}
