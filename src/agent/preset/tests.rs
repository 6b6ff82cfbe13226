//! Presets: what is compiled in, the command lines they give, and what configuration makes of them.

use super::*;
use serde_json::json;

fn presets() -> Presets {
    Presets::compiled_in()
}

/// Program, arguments and whether the prompt comes by standard input, as one line.
fn line(name: &str, call: &Call<'_>) -> String {
    let line = presets().get(name).expect("preset").command_line(call);
    let words = std::iter::once(&line.program).chain(&line.args);
    let quoted = shlex::try_join(words.map(String::as_str)).expect("no NUL");
    if line.stdin { quoted + " < prompt" } else { quoted }
}

#[test]
fn every_preset_that_is_compiled_in_parses_and_can_be_called() {
    for (name, text) in COMPILED_IN {
        let preset: Preset = toml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(keys::is_name(name), "{name}");
        assert_eq!(preset.problem(), None, "{name}");
        assert!(
            !preset.title.is_empty() && !preset.provider.is_empty() && !preset.install.is_empty(),
            "{name}"
        );
        assert!(preset.stall.is_some_and(|stall| stall >= Duration::from_mins(1)), "{name}");
        for secret in &preset.secrets {
            let passed = |given: &String| {
                given == secret || given.strip_suffix('*').is_some_and(|part| secret.starts_with(part))
            };
            assert!(preset.env_pass.iter().any(passed), "{name}: {secret} is masked but never passed");
        }
        assert!(text.starts_with("# "), "{name} does not say what was run");
    }
    let by_acp = presets().names().filter(|name| name.ends_with("-acp")).count();
    assert_eq!(presets().names().count(), COMPILED_IN.len() + by_acp);
    assert_eq!(by_acp, 7);
}

#[test]
fn every_key_of_a_preset_is_known_and_no_other() {
    let acp = Some(Acp::default());
    let all = serde_json::to_value(Preset { acp, ..Preset::default() }).expect("serialises");
    let mut found = Vec::new();
    for (key, value) in all.as_object().expect("object") {
        match value.as_object() {
            Some(map) if map.is_empty() => found.push(format!("{key}.*")),
            Some(map) => found.extend(map.keys().map(|below| format!("{key}.{below}"))),
            None => found.push(key.clone()),
        }
    }
    found.sort();
    let mut known: Vec<String> = keys::KEYS.iter().map(|key| (*key).to_owned()).collect();
    known.sort();
    assert_eq!(found, known);
}

#[test]
fn the_lines_are_those_that_were_run() {
    let plain = Call::default();
    for (name, wanted) in [
        ("claude", "claude -p --output-format stream-json --verbose --dangerously-skip-permissions < prompt"),
        (
            "codex",
            "codex exec --json --skip-git-repo-check -c 'analytics.enabled=false' -c 'approval_policy=\"never\"' \
             -c 'sandbox_mode=\"danger-full-access\"' - < prompt",
        ),
        ("gemini", "gemini --skip-trust -o stream-json --approval-mode yolo < prompt"),
        ("opencode", "opencode run --format json --print-logs --log-level ERROR --auto < prompt"),
        ("qwen", "qwen -o stream-json --approval-mode yolo < prompt"),
        (
            "copilot",
            "copilot --no-ask-user --no-color --output-format json --log-level none --no-auto-update \
             --allow-all-tools < prompt",
        ),
        ("pi", "pi -p --mode json < prompt"),
    ] {
        assert_eq!(line(name, &plain), wanted);
    }
}

#[test]
fn a_session_is_begun_with_a_chosen_id_and_gone_on_with_where_the_agent_can() {
    let new = Call { session: Session::New("S"), model: Some("m"), ..Call::default() };
    let resume = Call { session: Session::Resume("S"), ..Call::default() };
    assert!(
        line("claude", &new).ends_with("--dangerously-skip-permissions --model m --session-id S < prompt")
    );
    assert!(line("claude", &resume).ends_with("--dangerously-skip-permissions --resume S < prompt"));
    assert!(line("codex", &resume).starts_with("codex exec resume S --json "), "{}", line("codex", &resume));
    assert!(line("codex", &resume).ends_with(" - < prompt"));
    assert!(!line("codex", &new).contains('S'), "codex lets nobody choose");
    assert!(line("gemini", &resume).ends_with("--resume S < prompt"));
    assert!(line("copilot", &resume).ends_with("'--resume=S' < prompt"));
    assert!(line("opencode", &resume).ends_with("-s S < prompt"));
    assert!(line("pi", &resume).ends_with("--session S < prompt"));
    let presets = presets();
    let can = |name: &str| presets.get(name).map(|preset| (preset.can_name_session(), preset.can_resume()));
    assert_eq!(can("claude"), Some((true, true)));
    assert_eq!(can("codex"), Some((false, true)));
    assert_eq!(can("aider"), Some((false, false)));
}

#[test]
fn edits_alone_and_further_directories_are_asked_for_in_each_agents_own_words() {
    let dirs = ["/a b".to_owned(), "/c".to_owned()];
    let call = Call { permission: Permission::Edits, extra_dirs: &dirs, ..Call::default() };
    assert!(
        line("claude", &call)
            .ends_with("--permission-mode acceptEdits --add-dir '/a b' --add-dir /c < prompt")
    );
    assert!(line("gemini", &call).contains("--approval-mode auto_edit --include-directories '/a b'"));
    let codex = line("codex", &call);
    assert!(codex.contains("'sandbox_mode=\"workspace-write\"'"), "{codex}");
    assert!(codex.contains("'sandbox_workspace_write.writable_roots=[\"/a b\",\"/c\"]'"), "{codex}");
}

#[test]
fn a_prompt_goes_by_standard_input_by_a_file_or_as_an_argument() {
    let call = Call { prompt: "do {session} it", prompt_file: Some("/run/p.md"), ..Call::default() };
    assert!(line("aider", &call).ends_with("--message-file /run/p.md"));
    assert!(line("cursor", &call).ends_with("--force 'do {session} it'"));
    assert!(line("mini", &call).ends_with("-t 'do {session} it'"));
    assert!(!line("claude", &call).contains("do"));
}

#[test]
fn codex_tells_times_in_utc_and_gemini_names_causes_by_exit_code() {
    let presets = presets();
    let codex = presets.get("codex").expect("codex").command_line(&Call::default());
    assert_eq!(codex.env, [("TZ".to_owned(), "UTC".to_owned())]);
    let gemini = presets.get("gemini").expect("gemini");
    assert_eq!((gemini.exit_means(173), gemini.exit_means(1)), (Some("rate_limit"), None));
}

#[test]
fn configuration_changes_single_keys_and_makes_agents_of_its_own() {
    let mut presets = presets();
    presets.set("claude", "flags.model", &json!(["-M", "{model}"])).expect("sets");
    presets.set("claude", "env.A.B", &json!("1")).expect("sets");
    let claude = presets.get("claude").expect("claude");
    assert_eq!(claude.flags.model, ["-M", "{model}"]);
    assert!(claude.env.contains_key("A.B") && claude.env.contains_key("DISABLE_AUTOUPDATER"));
    assert_eq!(claude.command, "claude");

    presets.set("mine", "args", &json!(["-x"])).expect("sets");
    assert_eq!(presets.problem("mine"), Some("it has neither `command` nor `acp.command`"));
    presets.set("mine", "command", &json!("./mine")).expect("sets");
    presets.set("mine", "stall", &json!("90s")).expect("sets");
    assert_eq!(presets.problem("mine"), None);
    let mine = presets.get("mine").expect("mine");
    assert_eq!(mine.stall, Some(Duration::from_secs(90)));
    assert_eq!(
        mine.command_line(&Call::default()),
        CommandLine { program: "./mine".into(), args: vec!["-x".into()], env: vec![], stdin: true }
    );
    presets.set("mine", "prompt", &json!("file")).expect("sets");
    assert!(presets.problem("mine").is_some_and(|problem| problem.contains("{prompt-file}")));
}

#[test]
fn an_agent_that_speaks_acp_has_a_second_preset_that_follows_the_first() {
    let mut presets = presets();
    let line = |presets: &Presets, name: &str, model| {
        let line = presets.get(name).expect(name).command_line(&Call { model, ..Call::default() });
        [vec![line.program], line.args].concat().join(" ")
    };
    for (name, wanted) in [
        ("claude-acp", "claude-agent-acp"),
        ("codex-acp", "codex-acp"),
        ("gemini-acp", "gemini --acp --skip-trust -m big"),
        ("opencode-acp", "opencode acp"),
        ("qwen-acp", "qwen --acp -m big"),
        ("copilot-acp", "copilot --acp --model big"),
    ] {
        assert_eq!(line(&presets, name, Some("big")), wanted);
        let (base, second) = (name.trim_end_matches("-acp"), presets.get(name).expect("second"));
        let base = presets.get(base).expect("base");
        assert!(second.speaks_acp() && !base.speaks_acp());
        assert_eq!((&second.provider, &second.secrets, second.rank), (&base.provider, &base.secrets, 0));
    }
    presets.set("gemini-acp", "env.OWN", &json!("1")).expect("sets");
    presets.set("gemini", "acp.command", &json!("npx")).expect("sets");
    presets.set("gemini", "acp.args", &json!(["-y", "@google/gemini-cli", "--acp"])).expect("sets");
    presets.set("gemini", "stall", &json!("3m")).expect("sets");
    assert_eq!(line(&presets, "gemini-acp", None), "npx -y @google/gemini-cli --acp");
    let gemini = presets.get("gemini-acp").expect("gemini");
    assert!(gemini.env.contains_key("OWN") && gemini.env.contains_key("GEMINI_CLI_NO_RELAUNCH"));
    assert_eq!((gemini.stall, gemini.patience()), (Some(Duration::from_mins(3)), Duration::from_mins(5)));
    presets.set("gemini-acp", "acp.patience", &json!("5s")).expect("sets");
    assert_eq!(presets.get("gemini-acp").map(Preset::patience), Some(Duration::from_secs(5)));
    assert_eq!(line(&presets, "gemini", None), line(&Presets::compiled_in(), "gemini", None));
    let said_by: Vec<&str> = presets.said_by("gemini-acp").collect();
    assert_eq!(said_by, ["gemini-acp", "gemini"]);
    assert_eq!(presets.said_by("gemini").count(), 1);
}

#[test]
fn an_agent_of_ones_own_speaks_acp_by_its_acp_command_or_by_its_protocol() {
    let mut presets = presets();
    presets.set("mine", "acp.args", &json!(["--acp"])).expect("sets");
    presets.set("mine", "acp.command", &json!("my-agent")).expect("sets");
    presets.set("other", "protocol", &json!("acp")).expect("sets");
    presets.set("other", "command", &json!("uvx")).expect("sets");
    presets.set("other", "args", &json!(["other-agent"])).expect("sets");
    for (name, wanted) in [("mine", ["my-agent", "--acp"]), ("other", ["uvx", "other-agent"])] {
        let preset = presets.get(name).expect(name);
        assert!(preset.speaks_acp() && presets.problem(name).is_none());
        let line = preset.command_line(&Call::default());
        assert_eq!([line.program, line.args[0].clone()], wanted);
        assert!(line.stdin);
    }
    assert!(presets.get("mine-acp").is_none() && presets.get("other-acp").is_none());
    presets.set("mine", "command", &json!("my-agent")).expect("sets");
    assert!(!presets.get("mine").expect("mine").speaks_acp() && presets.get("mine-acp").is_some());
}

#[test]
fn what_is_fetched_first_may_take_longer_and_is_the_same_agent_at_home() {
    let mut presets = presets();
    let of = |presets: &Presets, name: &str| {
        let preset = presets.get(name).expect(name);
        (preset.fetching(), preset.writes.contains(&"~/.claude/".to_owned()))
    };
    assert_eq!(of(&presets, "claude-acp"), (Duration::ZERO, true));
    presets.set("claude", "acp.command", &json!("/usr/bin/npx")).expect("sets");
    assert_eq!(of(&presets, "claude-acp"), (Duration::from_mins(5), true));
    assert_eq!(of(&presets, "claude").0, Duration::ZERO);
    presets.set("claude", "acp.patience", &json!("9m")).expect("sets");
    assert_eq!(of(&presets, "claude-acp").0, Duration::from_mins(9));
    for wrong in ["etc", "../x", ""] {
        presets.set("claude", "writes", &json!([wrong])).expect("sets");
        let problem = presets.problem("claude-acp").unwrap_or_else(|| panic!("`{wrong}` is taken"));
        assert!(problem.contains("`writes`"), "{wrong}");
    }
    presets.set("claude", "writes", &json!(["~/.local/state/own/"])).expect("sets");
    assert_eq!(presets.problem("claude"), None);
}

#[test]
fn a_wrong_value_is_told_in_words_and_changes_nothing() {
    let mut presets = presets();
    let before = presets.clone();
    let mut said = |name: &str, key: &str, value: Value| presets.set(name, key, &value).expect_err("wrong");
    assert_eq!(said("claude", "arg", json!([])), Wrong::Key { near: Some("args") });
    assert_eq!(said("Cl/aude", "args", json!([])), Wrong::Name);
    assert_eq!(said("auto", "args", json!([])), Wrong::Name);
    let Wrong::Value(text) = said("claude", "args", json!("x")) else { panic!("no value") };
    assert_eq!(text, "this must be a list, not string \"x\"");
    let Wrong::Value(text) = said("claude", "stall", json!("10")) else { panic!("no value") };
    assert!(text.contains("a time with its unit"), "{text}");
    let Wrong::Value(text) = said("claude", "events", json!("claude-json")) else { panic!("no value") };
    assert!(text.contains("claude-stream-json"), "{text}");
    assert_eq!(presets, before);
}

#[test]
fn auto_tries_them_in_a_set_order() {
    let presets = presets();
    let order = presets.in_order();
    assert_eq!(order[..4], ["claude", "codex", "gemini", "copilot"]);
    assert!(!order.contains(&"mini"));
}

#[test]
fn an_agent_that_brings_a_sandbox_of_its_own_says_when() {
    let presets = presets();
    let has = |name: &str, permission| presets.get(name).expect("is built in").has_own_sandbox(permission);
    assert!(has("codex", Permission::Edits) && !has("codex", Permission::Unattended));
    assert!(has("codex-acp", Permission::Edits) && has("codex-acp", Permission::Unattended));
    assert!(!has("claude", Permission::Edits) && !has("gemini-acp", Permission::Unattended));
}
