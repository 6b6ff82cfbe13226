//! Agents that `npx` and `uvx` fetch from their registries when they are first started: interrupted while they are fetched,
//! fetched by four attempts at once, there already, with a mode and a model that were chosen. The registries are the only
//! thing beyond loopback that is reached; `SPECTER_FETCHED` says that they may be (`tests/campaigns/agents.sh npx`).

use super::KEY;
use crate::git::no_git;
use crate::model::{Action, Fault, Model};
use crate::run::agents::Agents as _;
use crate::run::sandbox::{Ended, finish, until, wait};
use crate::run::signals::signal;
use crate::run::worktrees::Project;
use serde_json::Value;
use std::process::Command;
use std::time::{Duration, Instant};

/// A registry may be slow.
const PATIENCE: Duration = Duration::from_mins(10);
const WORDS: [&str; 4] = ["ant", "bee", "cat", "dog"];

/// An agent and who fetches it.
struct Fetched {
    name: &'static str,
    by: &'static str,
    /// What the user's configuration says of it.
    config: &'static str,
    /// In which it asks no leave for edits.
    mode: &'static str,
    /// As it is chosen, and as the model is asked for then.
    model: (&'static str, &'static str),
    /// Where its fetcher keeps what it fetched, at home.
    cache: &'static str,
}

const KNOWN: [Fetched; 2] = [
    Fetched {
        name: "claude-acp",
        by: "npx",
        config: "[agents.claude.acp]\ncommand = \"npx\"\nargs = [\"-y\", \"@agentclientprotocol/claude-agent-acp@0.49.0\"]\n",
        mode: "acceptEdits",
        model: ("haiku", "haiku"),
        cache: ".npm",
    },
    Fetched {
        name: "hermes",
        by: "uvx",
        config: "[agents.hermes]\nprovider = \"custom\"\nprotocol = \"acp\"\ncommand = \"uvx\"\n\
                 args = [\"--from\", \"hermes-agent[acp]==0.19.0\", \"hermes-acp\"]\nwrites = [\"~/.hermes/\"]\n\
                 env-pass = [\"OPENAI_API_KEY\", \"OPENAI_BASE_URL\"]\n",
        mode: "accept_edits",
        model: ("custom:other", "other"),
        cache: ".cache/uv",
    },
];

impl Fetched {
    fn all() -> Vec<&'static Fetched> {
        if std::env::var_os("SPECTER_FETCHED").is_none() {
            println!("skipped: SPECTER_FETCHED does not say that registries may be asked");
            return Vec::new();
        }
        let asked = std::env::var("SPECTER_AGENT_NAMES").unwrap_or_default();
        let is_asked = |name: &str| asked.is_empty() || asked.split(',').any(|asked| asked == name);
        let here = |by: &str| {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let is_here = std::env::split_paths(&path).any(|dir| dir.join(by).is_file());
            if !is_here {
                println!("skipped: there is no {by}");
            }
            is_here
        };
        KNOWN.iter().filter(|fetched| is_asked(fetched.name) && here(fetched.by)).collect()
    }

    /// What it must be told to find the model.
    fn settle(&self, project: &Project, port: u16, more: &str) {
        let home = project.sandbox.home();
        std::fs::create_dir_all(home.join(".config/specter")).unwrap();
        let retry = "retry.base = \"200ms\"\nretry.jitter = \"0ms\"\n";
        let text = format!("{retry}{}{more}", self.config);
        std::fs::write(home.join(".config/specter/config.toml"), text).unwrap();
        if self.name == "hermes" {
            std::fs::create_dir_all(home.join(".hermes")).unwrap();
            let text = format!(
                "model:\n  provider: custom\n  default: scripted\n  base_url: http://127.0.0.1:{port}/v1\n  api_key: {KEY}\n"
            );
            std::fs::write(home.join(".hermes/config.yaml"), text).unwrap();
        }
    }

    fn run(&self, project: &Project, port: u16, arguments: &[&str]) -> Ended {
        let mut child = command(project, port, arguments).spawn().unwrap();
        assert!(wait(&mut child, PATIENCE).is_some(), "{}: still at work", self.name);
        finish(child)
    }
}

/// What this machine tells its programs of registries and whom to believe there.
fn is_of_registries(name: &str) -> bool {
    ["SSL_CERT_", "UV_", "PIP_", "npm_config_", "NODE_EXTRA_"].iter().any(|prefix| name.starts_with(prefix))
}

fn command(project: &Project, port: u16, arguments: &[&str]) -> Command {
    let mut command = project.sandbox.command(arguments);
    command.envs(std::env::vars().filter(|(name, _)| is_of_registries(name)));
    command.env("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{port}")).env("ANTHROPIC_API_KEY", KEY);
    command.env("OPENAI_BASE_URL", format!("http://127.0.0.1:{port}/v1")).env("OPENAI_API_KEY", KEY);
    command.env("IS_SANDBOX", "1");
    command
}

fn tasks(marker: &str) -> String {
    let task = |(n, word): (usize, &&str)| {
        format!(
            "- [ ] T00{} [P] Create src/{word}{marker}.py\n  - order: write src/{word}{marker}.py print(\"{word}\")\n  \
               - order: run python3 src/{word}{marker}.py\n\n  ```sh verify\n  test \"$(python3 src/{word}{marker}.py)\" = {word}\n  ```\n\n",
            n + 1
        )
    };
    WORDS.iter().enumerate().map(task).collect()
}

#[test]
fn agents_that_npx_and_uvx_fetch_do_their_tasks_cold_and_warm_and_in_the_mode_and_with_the_model_that_were_chosen()
 {
    if no_git() {
        return;
    }
    for fetched in Fetched::all() {
        let project = Project::new(&tasks(""), &[("README.md", "# an example\n")]);
        let model = Model::start();
        fetched.settle(&project, model.port(), "");
        interrupted(fetched, &project, &model);
        cold(fetched, &project, &model);
        warm(fetched, &project, &model);
        asked(fetched, &project, &model);
        project.fsck();
        project.nothing_is_left();
    }
}

fn implement<'a>(agent: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    ["implement", "tasks.md", "--yes", agent, "--parallel", "-j4", "--grace=3s"]
        .into_iter()
        .chain(more.iter().copied())
        .collect()
}

/// While it is fetched.
fn interrupted(fetched: &Fetched, project: &Project, model: &Model) {
    let agent = format!("--agent={}", fetched.name);
    let child = command(project, model.port(), &implement(&agent, &[])).spawn().unwrap();
    // Made for it before: it is at work once something is in it.
    let cache = project.sandbox.home().join(fetched.cache);
    until("it is being fetched", || std::fs::read_dir(&cache).is_ok_and(|mut dir| dir.next().is_some()));
    signal(&child, "INT");
    let ended = finish(child).expect(130);
    assert!(project.of_kind("task_done").is_empty(), "{}", ended.all());
    project.nothing_is_left();
    println!("{}: interrupted while it was fetched, nothing left", fetched.name);
}

fn cold(fetched: &Fetched, project: &Project, model: &Model) {
    let started = Instant::now();
    let ended = fetched.run(project, model.port(), &["resume", "tasks.md", "--yes"]);
    let log = project.sandbox.read(".specter/implementation.log");
    assert_eq!(ended.code, Some(0), "{}\n{}\n{log}", fetched.name, ended.all());
    check(fetched, project, model, "cold");
    println!("{}: {} tasks verified cold in {:.1?}", fetched.name, WORDS.len(), started.elapsed());
}

/// Each task is verified, did what was ordered, and told its session and what it took.
fn check(fetched: &Fetched, project: &Project, model: &Model, what: &str) {
    let name = fetched.name;
    let done = project.of_kind("task_done");
    assert_eq!(done.len(), WORDS.len(), "{name}, {what}");
    assert!(done.iter().all(|done| done["verdict"] == "verified"), "{name}, {what}: {done:?}");
    let steps = project.of_kind("agent_step");
    for n in 1..=WORDS.len() {
        let id = format!("T00{n}");
        let of_task = |event: &&Value| event["task"] == id.as_str();
        let mut mine: Vec<&Value> = steps
            .iter()
            .filter(of_task)
            .filter(|step| matches!(step["action"].as_str(), Some("edit" | "run")))
            .collect();
        mine.sort_by_key(|step| (step["attempt"].as_u64(), step["n"].as_u64()));
        let told: Vec<_> = mine.into_iter().map(did).collect();
        let ordered = model.ordered(&id);
        assert_eq!(
            told[told.len().saturating_sub(2)..],
            ordered[ordered.len() - 2..],
            "{name}, {what}, {id}"
        );
    }
    for end in project.of_kind("attempt_finished").iter().filter(|end| end["class"].is_null()) {
        let agent = &end["agent"];
        assert!(agent["session"].as_str().is_some_and(|session| !session.is_empty()), "{name}: {agent}");
        assert!(agent["spent"]["input"].as_u64().is_some_and(|input| input > 0), "{name}: {agent}");
    }
}

/// What the record tells of a step; a command of hermes has no place of its own, only one in the title.
fn did(step: &Value) -> Action {
    let Action { action, what } = super::twelve::did(step);
    Action { action, what: what.trim_start_matches("terminal: ").to_owned() }
}

/// With mode and model chosen, and a limit on the way: it goes on in its session.
fn warm(fetched: &Fetched, project: &Project, model: &Model) {
    let name = fetched.name;
    project.sandbox.write("tasks.md", &tasks("2"));
    project.git(&["add", "-A"]);
    project.git(&["commit", "-q", "-m", "second"]);
    let mode = format!("[agents.{name}.acp]\nmode = \"{}\"\n", fetched.mode);
    fetched.settle(project, model.port(), &mode);
    let asked_before = model.log().len();
    model.fail(Some(Fault::RateLimit(Duration::from_secs(1))), 2);
    let (agent, chosen) = (format!("--agent={name}"), format!("--model={}", fetched.model.0));
    let arguments = implement(&agent, &[&chosen, "--stall=2m"]);
    let started = Instant::now();
    let mut child = command(project, model.port(), &arguments).spawn().unwrap();
    until("an attempt ran into the limit", || {
        project.of_kind("attempt_finished").iter().any(|end| !end["class"].is_null())
    });
    model.fail(None, 0);
    assert!(wait(&mut child, PATIENCE).is_some(), "{name}: still at work");
    let ended = finish(child);
    let log = project.sandbox.read(".specter/implementation.log");
    assert_eq!(ended.code, Some(0), "{name}\n{}\n{log}", ended.all());
    check(fetched, project, model, "warm");
    let ends = project.of_kind("attempt_finished");
    for failed in ends.iter().filter(|end| !end["class"].is_null()) {
        assert_eq!(failed["class"], "rate-limit", "{name}: {failed}");
        let next = ends.iter().find(|end| end["task"] == failed["task"] && end["class"].is_null()).unwrap();
        assert_eq!(failed["agent"]["session"], next["agent"]["session"], "{name}: it goes on in its session");
    }
    let is_for_edit = |step: &&Value| {
        let title = step["title"].as_str().unwrap();
        step["action"] == "permit" && title.contains(".py") && !title.contains("python3")
    };
    let permits = project.of_kind("agent_step");
    assert_eq!(
        permits.iter().filter(is_for_edit).count(),
        0,
        "{name}: in `{}` it asks no leave for edits",
        fetched.mode
    );
    let models: Vec<Value> = model.log()[asked_before..]
        .iter()
        .filter(|entry| entry["task"].is_string())
        .map(|entry| entry["model"].clone())
        .collect();
    let is_chosen = |model: &Value| model.as_str().is_some_and(|model| model.contains(fetched.model.1));
    assert!(!models.is_empty() && models.iter().all(is_chosen), "{name}: {models:?}");
    println!(
        "{name}: {} tasks verified warm in {:.1?}, mode and model as chosen",
        WORDS.len(),
        started.elapsed()
    );
}

/// `agents` and `doctor` tell of it.
fn asked(fetched: &Fetched, project: &Project, model: &Model) {
    let told = |arguments: &[&str]| -> Value {
        let ended = fetched.run(project, model.port(), arguments);
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.all()))
    };
    let listed = told(&["agents", fetched.name, "--format=json"]);
    assert_eq!(listed["agents"][0]["fetched_by"], fetched.by);
    let doctor = told(&["doctor", "--agents", "--format=json"]);
    let name = format!("agent {}", fetched.name);
    let found =
        doctor["findings"].as_array().unwrap().iter().find(|finding| finding["what"] == name.as_str());
    assert!(found.is_some_and(|found| found["level"] == "ok"), "{doctor}");
    println!("{}: doctor says it {}", fetched.name, found.unwrap()["text"].as_str().unwrap());
}
