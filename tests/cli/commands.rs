//! `init`, `completions`, `man`, `--help`, and what holds for every command.

use super::{TRACE, everything, page};
use crate::run::sandbox::{Sandbox, finish};
use std::process::Stdio;

const COMMANDS: [&str; 17] = [
    "implement",
    "plan",
    "check",
    "why",
    "status",
    "resume",
    "log",
    "checkpoints",
    "rollback",
    "recover",
    "agents",
    "doctor",
    "config",
    "trust",
    "init",
    "completions",
    "man",
];

#[test]
fn init_says_what_it_did_and_never_overwrites() {
    let sandbox = Sandbox::new("");
    for name in ["tasks.md", "specter.toml"] {
        std::fs::remove_file(sandbox.root().join(name)).unwrap();
    }
    sandbox.write(".gitignore", "target/\n.specter/");
    let first = page(&sandbox, &sandbox.run(["init", "--example"]).expect(0));
    let made = everything(&sandbox);
    let second = page(&sandbox, &sandbox.run(["init", "--example"]).expect(0));
    assert_eq!(everything(&sandbox), made);
    assert_eq!(sandbox.read(".gitignore"), "target/\n.specter/\n.specter-state/\n");
    insta::assert_snapshot!(format!("{first}{second}"));
}

#[test]
fn the_example_of_init_runs_and_its_configuration_is_valid() {
    let sandbox = Sandbox::new("");
    for name in ["tasks.md", "specter.toml"] {
        std::fs::remove_file(sandbox.root().join(name)).unwrap();
    }
    sandbox.run(["init", "--example"]).expect(0);
    sandbox.run(["implement", "--yes"]).expect(0);
    assert_eq!(sandbox.ticked(), ["T001", "T002"]);
    // Its comments are settings too, once the mark before them is taken away.
    let plain = sandbox.read("specter.toml").replace("# jobs", "jobs").replace("# retries", "retries");
    sandbox.write("specter.toml", &plain.replace("# timeout", "timeout"));
    let shown = sandbox.run(["config"]).expect(0).stdout;
    assert!(shown.contains("specter.toml:2"), "{shown}");
}

#[test]
fn help_and_manual_tell_every_command_and_exit_code() {
    let sandbox = Sandbox::new(TRACE);
    let help = sandbox.run(["--help"]).expect(0).stdout;
    let man = sandbox.run(["man"]).expect(0).stdout;
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in the help");
        assert!(man.contains(command), "{command} is not in the manual");
        sandbox.run([command, "--help"]).expect(0);
    }
    for code in ["0", "1", "2", "3", "65", "69", "70", "74", "75", "77", "78", "130", "143"] {
        let is_row = |line: &str| line.trim_start().starts_with(&format!("{code}  "));
        assert!(help.lines().any(is_row), "{code} is not in the help");
        assert!(man.lines().any(is_row), "{code} is not in the manual");
    }
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    for exit in specter::cli::exit::Exit::ALL {
        let row = format!("| {} | {} |", exit.code(), exit.text());
        assert!(readme.contains(&row), "the README lacks `{row}`");
    }
    insta::assert_snapshot!("help", help);
    insta::assert_snapshot!("help_implement", sandbox.run(["implement", "--help"]).expect(0).stdout);
}

#[test]
fn every_shell_gets_completions() {
    let sandbox = Sandbox::new(TRACE);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = sandbox.run(["completions", shell]).expect(0).stdout;
        assert!(COMMANDS.iter().all(|command| script.contains(command)), "{shell}");
    }
}

#[test]
fn a_reader_that_went_away_is_a_quiet_end() {
    let sandbox = Sandbox::new(TRACE);
    let looks: [&[&str]; 9] = [
        &["plan"],
        &["plan", "--format=json"],
        &["check"],
        &["check", "--format=sarif"],
        &["why", "T001"],
        &["config"],
        &["man"],
        &["completions", "zsh"],
        &["--help"],
    ];
    for args in looks {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = finish(sandbox.command(args).stdout(Stdio::from(writer)).spawn().unwrap()).expect(0);
        assert_eq!(ended.stderr, "", "{args:?}");
    }
}

#[test]
fn story_and_filter_agree() {
    let story =
        |n: u32| format!("- [ ] T00{n} [US{n}] Story {n}\n\n  ```sh run\n  echo {n} >> trace\n  ```\n");
    let sandbox = Sandbox::new(&(1..=3).map(story).collect::<String>());
    let planned = |flag: &str| sandbox.run(["plan", flag]).expect(0).stdout.replace(flag, "[flag]");
    assert_eq!(planned("--story=US2"), planned("--filter=US2"));
    assert_ne!(planned("--story=US2"), planned("--story=US3"));
    sandbox.run(["implement", "--yes", "--filter=US2"]).expect(0);
    assert_eq!(sandbox.read("trace"), "2\n");
    sandbox.run(["implement", "--yes", "--story=us1"]).expect(0);
    assert_eq!(sandbox.read("trace"), "2\n1\n");
}

#[test]
fn a_flag_without_effect_says_so() {
    let sandbox = Sandbox::new(TRACE);
    let ended =
        sandbox.run(["implement", "--yes", "--skip-tests", "--skip-checklists", "--profile=fast"]).expect(0);
    for flag in ["--skip-tests", "--skip-checklists", "--profile"] {
        assert!(ended.stderr.contains(&format!("`{flag}` has no effect")), "{flag}: {}", ended.stderr);
    }
}
