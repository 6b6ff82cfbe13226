//! What tasks print, and what titles and ids hold, attacks neither the terminal nor the service that reads the output.

use super::sandbox::{Ended, Sandbox, finish};
use std::process::Stdio;

/// Each ends in a word of its own, so that a raw one can be told from specter's own control sequences.
const PAYLOADS: [&str; 26] = [
    "\x1b[31mPWN",
    "\x1b[2JPWN",
    "\x1b[1;1HPWN",
    "\x1b[8mPWN",
    "\x1b[?1049hPWN",
    "\x1b]0;PWN\x07",
    "\x1b]2;PWN\x1b\\",
    "\x1b]8;;http://evil.example\x07PWN\x1b]8;;\x07",
    "\x1b]52;c;UFdO\x07PWN",
    "\x1b]1337;File=:PWN\x07",
    "\x1bPq#0;2;0;0;0#PWN\x1b\\",
    "\x1b_GPWN\x1b\\",
    "\x1b^PWN\x1b\\",
    "\x1bXPWN\x1b\\",
    "\x1bcPWN",
    "\x1b[6nPWN",
    "\x1b(0PWN",
    "\u{9b}31mPWN",
    "\u{9d}0;PWN\u{9c}",
    "\u{90}PWN\u{9c}",
    "\rPWN",
    "\x08\x08\x08PWN",
    "\u{202e}PWN\u{202c}",
    "\u{2066}PWN\u{2069}",
    "\u{200b}\u{e0041}PWN",
    "\x07\x0b\x0c\x7fPWN",
];
const COMMANDS: [&str; 6] = [
    "::error file=a::PWN",
    "  ::add-mask::PWN",
    "::stop-commands::PWN",
    "##[error]PWN",
    "x ##vso[task.setvariable variable=a]PWN",
    "##teamcity[message text='PWN']",
];

/// The hostile lines, printed by two tasks: one that succeeds and one that fails.
fn project() -> Sandbox {
    let title = |text: &str| text.replace(['\r', '\n', '\x0b', '\x0c'], " ");
    let mut tasks = String::from("# Spec \u{202e}x\u{1b}[31mPWN ##[error]PWN\n\n");
    for (id, end) in [("T001", "true"), ("T002", "exit 1")] {
        tasks += &format!(
            "- [ ] {id} Print {}\n\n  ```sh run\n  cat hostile\n  {end}\n  ```\n\n",
            title(PAYLOADS[0])
        );
    }
    for (n, payload) in PAYLOADS.iter().chain(&COMMANDS).enumerate() {
        tasks += &format!("- [x] T1{n:02} {} in `src/{}`\n", title(payload), title(payload));
    }
    tasks += "- [ ] T\u{1b}[31mPWN::error::1 ::error::PWN (depends on T\u{202e}99)\n";
    let sandbox = Sandbox::new(&tasks);
    let lines: Vec<String> = PAYLOADS.iter().chain(&COMMANDS).map(|payload| format!("{payload}\n")).collect();
    let raw = [lines.concat().into_bytes(), b"\xff\x9b31mPWN\n\x9d0;PWN\x9c\n".to_vec()].concat();
    std::fs::write(sandbox.root().join("hostile"), raw).unwrap();
    sandbox
}

/// What a reader must not get: raw control bytes, hidden and reordering characters, commands.
fn faults(bytes: &[u8], is_terminal: bool) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut faults = Vec::new();
    if !is_terminal {
        let bad = |c: char| specter::text::is_unsafe(c) && c != '\n';
        faults.extend(text.lines().filter(|line| line.contains(bad)).map(|line| format!("raw: {line:?}")));
        // Also what no decoder would take for text: C1 as bytes.
        let is_lone = std::str::from_utf8(bytes).is_err();
        faults.extend(is_lone.then(|| "not UTF-8".to_owned()));
    }
    // On a terminal specter's own sequences are there too: none of the hostile ones may be.
    faults.extend(
        PAYLOADS.iter().filter(|p| **p != "\rPWN" && text.contains(**p)).map(|p| format!("raw {p:?}")),
    );
    let hidden = |c: char| (c as u32) >= 0x80 && specter::text::is_unsafe(c);
    faults.extend(text.lines().filter(|line| line.contains(hidden)).map(|line| format!("hidden: {line:?}")));
    for line in text.lines() {
        let start = line.trim_start();
        if start.starts_with("::") || ["##[", "##vso[", "##teamcity["].iter().any(|c| line.contains(c)) {
            faults.push(format!("command: {line:?}"));
        }
    }
    faults
}

#[track_caller]
fn assert_tame(what: &str, ended: &Ended) {
    let found = [faults(ended.stdout.as_bytes(), false), faults(ended.stderr.as_bytes(), false)].concat();
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn no_stream_carries_a_control_sequence_or_a_command_of_others() {
    let sandbox = project();
    let run =
        ["implement", "--yes", "--retries=1", "--continue-on-error", "--only=T001,T002", "--color=never"];
    let ended = sandbox.run([&run[..], &["-v", "-v"]].concat()).expect(1);
    assert!(ended.all().contains("PWN"), "the hostile output is shown somewhere: {}", ended.all());
    assert_tame("implement", &ended);
    let commands: [&[&str]; 17] = [
        &["log", "T001"],
        &["log", "T002"],
        &["log"],
        &["log", "--format=json"],
        &["status"],
        &["status", "--format=json"],
        &["why", "T002"],
        &["why", "T100"],
        &["why", "T002", "--format=json"],
        &["why", "::error::PWN\u{202e}"],
        &["plan"],
        &["plan", "--format=json"],
        &["check", "tasks.md"],
        &["check", "tasks.md", "--table"],
        &["check", "tasks.md", "--format=json"],
        &["check", "tasks.md", "--format=sarif"],
        &["trust", "--hash"],
    ];
    for args in commands {
        let ended = sandbox.run([args, &["--color=never"]].concat());
        assert!(matches!(ended.code, Some(0..=77)), "{args:?} {:?}\n{}", ended.code, ended.all());
        assert_tame(&args.join(" "), &ended);
    }
    let ended =
        sandbox.run(["resume", "--yes", "--retries=0", "--continue-on-error", "--format=json"]).expect(1);
    assert!(ended.stdout.contains("PWN"));
    assert_tame("events", &ended);
}

#[test]
fn a_live_screen_carries_none_either() {
    let sandbox = project();
    let run = "implement --yes --retries=0 --continue-on-error --only=T001,T002 -v -v";
    let command = format!("'{}' {run}", env!("CARGO_BIN_EXE_specter"));
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).current_dir(sandbox.root()).env_clear();
    script
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("TERM", "xterm-256color")
        .env("SHELL", "/bin/sh");
    script.env("HOME", sandbox.root().parent().unwrap().join("home"));
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = script.spawn() else {
        println!("skipped: there is no `script` here");
        return;
    };
    let input = child.stdin.take();
    let ended = finish(child).expect(1);
    drop(input);
    assert!(ended.stdout.contains("PWN"), "{}", ended.stdout);
    let found = faults(ended.stdout.as_bytes(), true);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn children_get_the_environment_that_the_table_says() {
    let kept = ["HOME", "LANG", "SSH_AUTH_SOCK", "CARGO_HOME", "GITHUB_ACTIONS", "EDITOR", "PAGER"];
    let dropped = [
        "LD_PRELOAD_X",
        "LD_LIBRARY_PATH",
        "LD_AUDIT",
        "BASH_ENV",
        "ENV",
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_SSH_COMMAND",
        "GIT_CONFIG_COUNT",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "NPM_TOKEN",
        "OPENAI_API_KEY",
        "DB_PASSWORD",
        "MYSQL_PASSWD",
        "GOOGLE_CREDENTIALS",
        "api_key",
        "Client_Secret",
        "GPG_PASSPHRASE",
        "SPECTER_JOBS_X",
    ];
    let passed = ["PASSED_TOKEN", "GIT_AUTHOR_NAME"];
    let code = "- [ ] T001 Tell\n\n  ```sh run\n  env | cut -d= -f1 | sort > names\n  echo $GIT_TERMINAL_PROMPT $CI >> said\n  ```\n";
    for sandboxed in ["off", "write"] {
        let sandbox = Sandbox::new(code);
        let own = "[env]\npass = ['PASSED_*', 'GIT_AUTHOR_NAME']\n";
        sandbox.write("../home/.config/specter/config.toml", own);
        let level = format!("--sandbox={sandboxed}");
        let mut command = sandbox.command(["implement", "--yes", &level]);
        for name in kept.iter().filter(|name| **name != "HOME").chain(&dropped).chain(&passed) {
            command.env(name, "/nowhere");
        }
        finish(command.spawn().unwrap()).expect(0);
        let names = sandbox.read("names");
        let has = |name: &&&str| names.lines().any(|line| line == **name);
        assert_eq!(kept.iter().chain(&passed).filter(|name| !has(name)).count(), 0, "{names}");
        assert_eq!(dropped.iter().filter(has).collect::<Vec<_>>(), Vec::<&&str>::new());
        assert_eq!(sandbox.read("said"), "0 true\n");
    }
}
