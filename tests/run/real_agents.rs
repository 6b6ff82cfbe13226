//! Real coding agents, driven by the real program, against a model that answers by a script. They are large and not part of
//! this project: `SPECTER_AGENTS` names the directory that holds them (`npm/NAME/node_modules/.bin/NAME`),
//! `SPECTER_SCRIPTED_MODEL` the server; without both the test says so and does nothing. See `tests/campaigns/agents.sh`.

use super::agents::Agents as _;
use super::sandbox::{finish, until};
use super::worktrees::Project;
use crate::git::no_git;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// So many tasks are done, four at once.
const TASKS: usize = 12;
const KEY: &str = "sk-dummy-0000000000000000";

struct Model {
    server: Child,
    port: u16,
}

impl Model {
    fn start(script: &Path, dir: &Path) -> Model {
        let file = dir.join("port");
        let mut command = Command::new("python3");
        command.arg(script).args(["--port", "0", "--max-seconds", "900", "--port-file"]).arg(&file);
        let server =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let port = || std::fs::read_to_string(&file).unwrap_or_default().trim().parse().ok();
        until("the model to listen", || port().is_some());
        Model { server, port: port().unwrap() }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _gone = self.server.kill();
        let _reaped = self.server.wait();
    }
}

/// Files below HOME and variables by which an agent finds the model.
struct Surroundings {
    files: Vec<(&'static str, String)>,
    env: Vec<(&'static str, String)>,
    arguments: Vec<&'static str>,
}

fn surroundings(agent: &str, port: u16) -> Surroundings {
    let base = format!("http://127.0.0.1:{port}");
    let key = || KEY.to_owned();
    match agent {
        "claude" => Surroundings {
            files: vec![],
            env: vec![("ANTHROPIC_BASE_URL", base), ("ANTHROPIC_API_KEY", key()), ("IS_SANDBOX", "1".to_owned())],
            arguments: vec![],
        },
        "codex" => Surroundings {
            files: vec![(
                ".codex/config.toml",
                format!(
                    "model = \"gpt-5.5\"\nmodel_provider = \"scripted\"\n[model_providers.scripted]\nname = \"scripted\"\n\
                     base_url = \"{base}/v1\"\nenv_key = \"OPENAI_API_KEY\"\nwire_api = \"responses\"\n"
                ),
            )],
            env: vec![("OPENAI_API_KEY", key())],
            arguments: vec![],
        },
        "gemini" => Surroundings {
            files: vec![(
                ".gemini/settings.json",
                r#"{"security":{"auth":{"selectedType":"gemini-api-key"}},"privacy":{"usageStatisticsEnabled":false},
                    "general":{"enableAutoUpdate":false,"enableAutoUpdateNotification":false}}"#
                    .to_owned(),
            )],
            env: vec![("GEMINI_API_KEY", key()), ("GOOGLE_GEMINI_BASE_URL", base)],
            arguments: vec!["--model=gemini-2.5-pro"],
        },
        "pi" => Surroundings {
            files: vec![
                (".pi/agent/settings.json", r#"{"quietStartup":true,"defaultProvider":"scripted","defaultModel":"scripted"}"#.to_owned()),
                (
                    ".pi/agent/models.json",
                    format!(
                        r#"{{"providers":{{"scripted":{{"baseUrl":"{base}/v1","api":"openai-completions","apiKey":"{KEY}",
                            "models":[{{"id":"scripted","name":"scripted","reasoning":false,"input":["text"],
                            "cost":{{"input":1,"output":2,"cacheRead":0,"cacheWrite":0}},"contextWindow":200000,"maxTokens":8192}}]}}}}}}"#
                    ),
                ),
            ],
            env: vec![],
            arguments: vec![],
        },
        other => panic!("nothing is known of the surroundings of `{other}`"),
    }
}

#[test]
fn real_agents_do_twelve_tasks_side_by_side_and_the_record_tells_what_the_model_ordered() {
    let Some((agents, model)) = given() else {
        println!("skipped: SPECTER_AGENTS and SPECTER_SCRIPTED_MODEL do not name agents and a model");
        return;
    };
    if no_git() {
        return;
    }
    let names = std::env::var("SPECTER_AGENT_NAMES").unwrap_or_else(|_| "claude,codex,gemini,pi".to_owned());
    for name in names.split(',') {
        let binary = agents.join("npm").join(name).join("node_modules/.bin").join(name);
        if !binary.exists() {
            println!("skipped: `{}` is not there", binary.display());
            continue;
        }
        twelve_tasks(name, &binary, &model);
    }
}

fn given() -> Option<(PathBuf, PathBuf)> {
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.exists());
    Some((path("SPECTER_AGENTS")?, path("SPECTER_SCRIPTED_MODEL")?))
}

fn twelve_tasks(name: &str, binary: &Path, model: &Path) {
    let words = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay", "kiwi", "lynx"];
    let task = |word: &str, n: usize| {
        let check = format!("test \"$(python3 src/{word}.py)\" = {word}");
        format!(
            "- [ ] T{n:03} [P] Create src/{word}.py that prints {word}\n\n  ```sh verify\n  {check}\n  ```\n\n"
        )
    };
    let tasks: String = words.iter().zip(1..).map(|(word, n)| task(word, n)).collect();
    let project = Project::new(&tasks, &[("README.md", "# an example\n")]);
    let model = Model::start(model, &project.sandbox.home());
    let Surroundings { files, env, arguments } = surroundings(name, model.port);
    for (path, text) in files {
        let path = project.sandbox.home().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let own = project.own();
    let agent = format!("--agent={name}");
    let usual = ["implement", "tasks.md", "--yes", "--parallel", "-j4", "--stall=2m", &agent];
    let mut command = project.sandbox.command(usual.iter().chain(&arguments));
    let mut path = binary.parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    command.env("PATH", path).envs(env);
    let started = std::time::Instant::now();
    let ended = finish(command.spawn().unwrap());
    let took = started.elapsed();
    let log = project.sandbox.read(".specter/implementation.log");
    assert_eq!(ended.code, Some(0), "{name}\n{}\n{log}", ended.all());
    assert_eq!(project.sandbox.ticked().len(), TASKS, "{name}");
    let done = project.of_kind("task_done");
    assert!(done.iter().all(|done| done["verdict"] == "verified"), "{name}: {done:?}");
    for (word, n) in words.iter().zip(1..) {
        let id = format!("T{n:03}");
        let steps: Vec<_> =
            project.of_kind("agent_step").into_iter().filter(|step| step["task"] == id.as_str()).collect();
        let file = format!("src/{word}.py");
        let wrote = steps
            .iter()
            .any(|step| step["action"] == "edit" && step.to_string().contains(&file) && step["ok"] == true);
        assert!(wrote, "{name}, {id}: {steps:?}");
    }
    let ended = project.of_kind("attempt_finished");
    assert_eq!(ended.len(), TASKS, "{name}: no attempt failed");
    for end in &ended {
        assert!(end["agent"]["session"].is_string(), "{name}: {end}");
        assert!(end["agent"]["spent"]["input"].as_u64().is_some_and(|tokens| tokens > 0), "{name}: {end}");
    }
    assert_eq!(project.own(), own, "{name}");
    project.nothing_is_left();
    println!("{name}: {TASKS} tasks verified in {took:?}, {} steps", project.of_kind("agent_step").len());
}
