//! Real coding agents, driven by the real program, against a model that answers by a script. They are large and not part of
//! this project: `SPECTER_AGENTS` names the directory that holds them, `NAME/node_modules/.bin/PROGRAM` each, as
//! `tests/campaigns/install_agents.sh` leaves them; without it the tests say so and do nothing. See
//! `tests/campaigns/agents.sh`.
//!
//! Here: which agents there are and what each must be told to find the model. None of it reaches beyond loopback.

mod faults;
mod fetched;
mod twelve;

use super::worktrees::Project;
use crate::model::Model;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const KEY: &str = "sk-dummy-0000000000000000";
/// Nobody listens there: what ignores who is excepted fails at once.
const NOWHERE: &str = "http://127.0.0.1:9";

/// An agent that is installed.
struct Real {
    /// What it is called here.
    name: &'static str,
    /// What it is called by specter.
    agent: &'static str,
    /// First on PATH.
    bins: Vec<PathBuf>,
    /// It tells when a quota begins anew; codex to the minute.
    tells_when: bool,
    /// It finds a session of a process before, always: gemini by ACP does now and then.
    resumes: bool,
}

/// Who pays. Only subscriptions have quotas with an end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Account {
    Key,
    Subscription,
}

/// Files below HOME, variables and arguments by which an agent finds the model.
#[derive(Default)]
struct Surroundings {
    files: Vec<(&'static str, String)>,
    env: Vec<(&'static str, String)>,
    arguments: Vec<&'static str>,
}

/// Name here, name in specter, the folders of its programs.
const KNOWN: &[(&str, &str, &[&str])] = &[
    ("claude", "claude", &["claude"]),
    ("codex", "codex", &["codex"]),
    ("gemini", "gemini", &["gemini"]),
    ("pi", "pi", &["pi"]),
    ("qwen", "qwen", &["qwen"]),
    ("copilot", "copilot", &["copilot"]),
    ("opencode", "opencode", &["opencode"]),
    ("claude-acp", "claude-acp", &["claude-agent-acp"]),
    ("codex-acp", "codex-acp", &["codex-acp"]),
    ("gemini-acp", "gemini-acp", &["gemini"]),
];

impl Real {
    /// Those that are asked for and there; those that are not there are told of.
    fn all() -> Vec<Real> {
        let Some(dir) = std::env::var_os("SPECTER_AGENTS").map(PathBuf::from).filter(|dir| dir.is_dir())
        else {
            println!("skipped: SPECTER_AGENTS names no directory of agents");
            return Vec::new();
        };
        let asked = std::env::var("SPECTER_AGENT_NAMES").unwrap_or_default();
        let is_asked = |name: &str| asked.is_empty() || asked.split(',').any(|asked| asked == name);
        let known = KNOWN.iter().filter(|(name, ..)| is_asked(name));
        known.filter_map(|(name, agent, folders)| Real::find(&dir, name, agent, folders)).collect()
    }

    fn find(dir: &Path, name: &'static str, agent: &'static str, folders: &[&str]) -> Option<Real> {
        let bins: Vec<PathBuf> =
            folders.iter().map(|folder| dir.join(folder).join("node_modules/.bin")).collect();
        if let Some(missing) = bins.iter().find(|bin| !bin.is_dir()) {
            println!("skipped: `{name}`, as `{}` is not there", missing.display());
            return None;
        }
        Some(Real {
            name,
            agent,
            bins,
            tells_when: matches!(agent, "claude" | "codex"),
            resumes: agent != "gemini-acp",
        })
    }

    fn surroundings(&self, port: u16, account: Account) -> Surroundings {
        let base = format!("http://127.0.0.1:{port}");
        let key = KEY.to_owned();
        match self.agent.trim_end_matches("-acp") {
            "claude" => {
                let key = match account {
                    Account::Key => ("ANTHROPIC_API_KEY", key),
                    Account::Subscription => ("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-dummy".to_owned()),
                };
                // Refused for root otherwise.
                let env = vec![("ANTHROPIC_BASE_URL", base), key, ("IS_SANDBOX", "1".to_owned())];
                Surroundings { env, ..Surroundings::default() }
            }
            "codex" => Surroundings {
                files: vec![(
                    ".codex/config.toml",
                    format!(
                        "model = \"gpt-5.5\"\nmodel_provider = \"scripted\"\n[model_providers.scripted]\nname = \"scripted\"\n\
                         base_url = \"{base}/v1\"\nenv_key = \"OPENAI_API_KEY\"\nwire_api = \"responses\"\n\
                         request_max_retries = 1\nstream_max_retries = 1\n"
                    ),
                )],
                env: vec![("OPENAI_API_KEY", key)],
                ..Surroundings::default()
            },
            "gemini" => Surroundings {
                files: vec![(
                    ".gemini/settings.json",
                    r#"{"security":{"auth":{"selectedType":"gemini-api-key"}},"privacy":{"usageStatisticsEnabled":false},
                        "general":{"maxAttempts":2,"enableAutoUpdate":false,"enableAutoUpdateNotification":false}}"#
                        .to_owned(),
                )],
                env: vec![("GEMINI_API_KEY", key), ("GOOGLE_GEMINI_BASE_URL", base)],
                arguments: vec!["--model=gemini-2.5-pro"],
            },
            "pi" => Surroundings {
                files: vec![
                    (
                        ".pi/agent/settings.json",
                        r#"{"quietStartup":true,"defaultProvider":"scripted","defaultModel":"scripted",
                            "retry":{"maxRetries":1,"baseDelayMs":200,"provider":{"maxRetries":0}}}"#
                            .to_owned(),
                    ),
                    (
                        ".pi/agent/models.json",
                        format!(
                            r#"{{"providers":{{"scripted":{{"baseUrl":"{base}/v1","api":"openai-completions","apiKey":"{KEY}",
                                "models":[{{"id":"scripted","name":"scripted","reasoning":false,"input":["text"],
                                "cost":{{"input":1,"output":2,"cacheRead":0,"cacheWrite":0}},"contextWindow":200000,
                                "maxTokens":8192}}]}}}}}}"#
                        ),
                    ),
                ],
                ..Surroundings::default()
            },
            "qwen" => Surroundings {
                files: vec![(
                    ".qwen/settings.json",
                    r#"{"security":{"auth":{"selectedType":"openai"}},"privacy":{"usageStatisticsEnabled":false},
                        "general":{"disableAutoUpdate":true,"disableUpdateNag":true}}"#
                        .to_owned(),
                )],
                env: vec![("OPENAI_API_KEY", key), ("OPENAI_BASE_URL", format!("{base}/v1"))],
                arguments: vec!["--model=scripted"],
            },
            "copilot" => Surroundings {
                env: vec![
                    ("COPILOT_OFFLINE", "true".to_owned()),
                    ("COPILOT_MODEL", "scripted".to_owned()),
                    ("COPILOT_PROVIDER_BASE_URL", format!("{base}/v1")),
                    ("COPILOT_PROVIDER_API_KEY", key),
                ],
                ..Surroundings::default()
            },
            "opencode" => {
                let own = format!(
                    r#"{{"autoupdate":false,"share":"disabled","model":"scripted/scripted","small_model":"scripted/scripted",
                        "provider":{{"scripted":{{"npm":"@ai-sdk/openai-compatible","name":"scripted",
                        "options":{{"baseURL":"{base}/v1","apiKey":"{KEY}"}},"models":{{"scripted":{{"name":"scripted",
                        "limit":{{"context":200000,"output":8192}},"tool_call":true}}}}}}}}}}"#
                );
                let env = vec![("OPENCODE_CONFIG_CONTENT", own), ("OPENCODE_DISABLE_MODELS_FETCH", "1".to_owned())];
                Surroundings { env, ..Surroundings::default() }
            }
            other => panic!("nothing is known of the surroundings of `{other}`"),
        }
    }

    /// Several of codex that begin at once in a new home make its files at once, and some of them end of it.
    fn settle(&self, home: &Path) {
        if self.agent != "codex-acp" {
            return;
        }
        let mut command = Command::new(self.bins[0].join("codex-acp"));
        command.env("HOME", home).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut codex = command.spawn().unwrap();
        let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}"#;
        writeln!(codex.stdin.as_mut().unwrap(), "{hello}").unwrap();
        let mut answer = String::new();
        BufReader::new(codex.stdout.as_mut().unwrap()).read_line(&mut answer).unwrap();
        drop(codex.stdin.take());
        assert!(codex.wait().unwrap().success() && answer.contains("agentCapabilities"), "{answer}");
    }

    /// `specter implement` in the project, with this agent and its model and no way out.
    fn implement(&self, project: &Project, model: &Model, account: Account, more: &[&str]) -> Command {
        let Surroundings { files, env, arguments } = self.surroundings(model.port(), account);
        for (path, text) in files {
            let path = project.sandbox.home().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        self.settle(&project.sandbox.home());
        let agent = format!("--agent={}", self.agent);
        let level = std::env::var("SPECTER_AGENT_SANDBOX").map(|level| format!("--sandbox={level}"));
        let usual = ["implement", "tasks.md", "--yes", &agent];
        let level = level.as_deref().ok();
        let mut command = project.sandbox.command(usual.iter().chain(more).chain(&arguments).chain(&level));
        let own = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths(self.bins.iter().cloned().chain(std::env::split_paths(&own))).unwrap();
        command.env("PATH", path).envs(env);
        // Qwen Code takes a proxy for loopback too, whatever is excepted.
        let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
        for name in proxies.into_iter().filter(|_| self.agent != "qwen") {
            command.env(name, NOWHERE).env(name.to_lowercase(), NOWHERE);
        }
        command.env("NO_PROXY", "127.0.0.1,localhost").env("no_proxy", "127.0.0.1,localhost");
        command
    }
}
