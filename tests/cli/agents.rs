//! `agents`, and what configuration files say of agents.

use super::{TRACE, page};
use crate::run::sandbox::{Ended, Sandbox, finish};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;

/// An executable file in the project.
fn program(sandbox: &Sandbox, name: &str, script: &str) {
    sandbox.write(name, &format!("#!/bin/sh\n{script}\n"));
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(sandbox.root().join(name), mode).unwrap();
}

/// With nothing on PATH but the project's `bin`.
fn run(sandbox: &Sandbox, args: &[&str]) -> Ended {
    let bin = sandbox.root().join("bin");
    finish(sandbox.command(args).env("PATH", bin).env("ANTHROPIC_API_KEY", "sk-secret").spawn().unwrap())
}

#[test]
fn agents_are_listed_with_their_versions_and_how_each_would_be_called() {
    let sandbox = Sandbox::new(TRACE);
    program(&sandbox, "bin/claude", "echo \"9.9 (Fake) key=$ANTHROPIC_API_KEY in $PWD\"");
    program(&sandbox, "bin/gemini", ":");
    let shown = run(&sandbox, &["agents"]).expect(0);
    insta::assert_snapshot!(page(&sandbox, &shown));
    let more = run(&sandbox, &["agents", "-v", "claude"]).expect(0).stdout;
    assert!(more.contains("--resume SESSION < PROMPT.md") && !more.contains("codex"), "{more}");
    let wrong = run(&sandbox, &["agents", "cluade"]).expect(2).stderr;
    assert!(wrong.contains("did you mean `claude`?"), "{wrong}");
}

#[test]
fn programs_get_the_list_as_json() {
    let sandbox = Sandbox::new(TRACE);
    program(&sandbox, "bin/codex", "echo codex-cli 1.0");
    sandbox.write("specter.toml", "agent = 'codex,claude'\n");
    let told: Value =
        serde_json::from_str(&run(&sandbox, &["agents", "--format=json"]).expect(0).stdout).unwrap();
    assert_eq!((&told["agent"], &told["auto"]), (&"codex,claude".into(), &"codex".into()));
    let of = |name: &str| {
        told["agents"].as_array().unwrap().iter().find(|agent| agent["name"] == name).unwrap().clone()
    };
    assert_eq!((&of("codex")["version"], &of("claude")["path"]), (&"codex-cli 1.0".into(), &Value::Null));
    assert!(of("codex")["resume"].as_str().unwrap().starts_with("codex exec resume SESSION --json"));
    assert!(run(&sandbox, &["schema", "agents"]).expect(0).stdout.contains("specter agents"));
}

#[test]
fn an_agent_that_is_fetched_when_it_is_started_does_not_count_as_installed() {
    let sandbox = Sandbox::new(TRACE);
    program(&sandbox, "bin/npx", ":");
    let config = sandbox.home().join(".config/specter/config.toml");
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    let text = "[agents.claude.acp]\ncommand = \"npx\"\nargs = [\"-y\", \"one@1.2\"]\n[agents.py]\nprotocol = \"acp\"\ncommand = \"uvx\"\n";
    std::fs::write(config, text).unwrap();
    let told = run(&sandbox, &["agents", "--format=json"]).expect(0).stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    let of = |name: &str| {
        told["agents"].as_array().unwrap().iter().find(|agent| agent["name"] == name).unwrap().clone()
    };
    assert_eq!((&of("claude-acp")["fetched_by"], &of("claude")["acp_path"]), (&"npx".into(), &Value::Null));
    let shown = run(&sandbox, &["agents", "claude", "claude-acp", "py"]).expect(0).stdout;
    let (fetched, missing) = shown.split_once("Not installed").unwrap();
    assert!(
        fetched.contains("Fetched when first started\n  claude-acp") && !fetched.contains("Installed"),
        "{shown}"
    );
    assert!(missing.contains("npm install -g @anthropic-ai/claude-code"), "{shown}");
    assert!(missing.contains("`uvx` was not found on PATH"), "{shown}");
}

#[test]
fn a_program_that_the_project_names_is_not_started_to_list_it() {
    let sandbox = Sandbox::new(TRACE);
    program(&sandbox, "mine", "touch started; echo 1.0");
    let command = sandbox.root().join("mine").to_str().unwrap().to_owned();
    sandbox
        .write("specter.toml", &format!("[agents.mine]\ncommand = '{command}'\nversion = ['--version']\n"));
    let listed = run(&sandbox, &["agents", "mine"]).expect(0).stdout;
    assert!(listed.contains("not asked for its version"), "{listed}");
    assert!(!sandbox.exists("started"));
    // The user's own configuration needs nobody's leave.
    std::fs::rename(sandbox.root().join("specter.toml"), sandbox.root().join("own.toml")).unwrap();
    let home = sandbox.root().join("home");
    std::fs::create_dir_all(home.join(".config/specter")).unwrap();
    std::fs::rename(sandbox.root().join("own.toml"), home.join(".config/specter/config.toml")).unwrap();
    let own =
        finish(sandbox.command(["agents", "mine"]).env("HOME", &home).spawn().unwrap()).expect(0).stdout;
    assert!(own.contains("1.0"), "{own}");
}

#[test]
fn how_a_project_calls_an_agent_is_agreed_to_like_its_commands() {
    let sandbox = Sandbox::new(TRACE);
    sandbox.run(["trust"]).expect(0);
    sandbox.write("specter.toml", "[agents.claude]\ncommand = './claude'\nargs = ['-x']\n");
    let refused = sandbox.run(["implement"]).expect(77);
    assert!(
        refused.stderr.contains("agents.claude.command") && refused.stderr.contains("./claude"),
        "{}",
        refused.stderr
    );
    assert_eq!(sandbox.read("trace"), "");
    sandbox.run(["trust"]).expect(0);
    sandbox.run(["implement"]).expect(0);
    sandbox.write("tasks.md", TRACE);
    sandbox.write("specter.toml", "[agents.claude]\ncommand = './claude'\nargs = ['-y']\n");
    sandbox.run(["implement"]).expect(77);
}

#[test]
fn a_project_that_chooses_agents_by_domain_or_hint_is_asked_about() {
    for (key, text) in [
        ("agent", "agent = 'claude'\n"),
        ("hint", "hint = 'use claude agents'\n"),
        ("domains", "[[domains]]\nname = 'all'\nwords = ['trace']\nagent = 'claude'\n"),
    ] {
        let sandbox = Sandbox::new(TRACE);
        sandbox.run(["trust"]).expect(0);
        sandbox.write("specter.toml", text);
        let refused = sandbox.run(["implement"]).expect(77);
        assert!(refused.stderr.contains(key), "{}", refused.stderr);
        assert_eq!(sandbox.read("trace"), "");
    }
}

#[test]
fn a_preset_with_an_error_is_shown_where_it_stands() {
    let sandbox = Sandbox::new(TRACE);
    sandbox.write("specter.toml", "[agents.claude]\nargs = '-p'\nstal = '5m'\n");
    let ended = sandbox.run(["agents"]).expect(78);
    insta::assert_snapshot!(page(&sandbox, &ended));
}
