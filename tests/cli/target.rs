//! Which task file is meant when none, a part of a name or a directory is typed (SPEC 10.1).

use super::{TRACE, page};
use crate::run::sandbox::{Sandbox, finish};
use serde_json::Value;

const DONE: &str = "- [x] T001 Done\n";

/// A project with these features and no task file of its own.
fn project(features: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new("");
    std::fs::remove_file(sandbox.root().join("tasks.md")).unwrap();
    for (name, text) in features {
        sandbox.write(&format!("{name}/tasks.md"), text);
    }
    sandbox
}

/// The file that `plan ARGS` is about, when typed in `dir`.
#[track_caller]
fn planned(sandbox: &Sandbox, dir: &str, args: &[&str], env: &[(&str, &str)]) -> String {
    let mut command = sandbox.command(["plan", "--format=json"].iter().chain(args));
    command.current_dir(sandbox.root().join(dir)).envs(env.iter().copied());
    let ended = finish(command.spawn().unwrap()).expect(0);
    let plan: Value = serde_json::from_str(&ended.stdout).unwrap();
    plan["file"].as_str().unwrap().to_owned()
}

#[test]
fn a_feature_is_found_by_file_directory_id_and_name() {
    let sandbox =
        project(&[("specs/001-auth", TRACE), ("specs/002-chat", TRACE), (".kiro/specs/mail", TRACE)]);
    let auth = "specs/001-auth/tasks.md";
    for typed in [auth, "specs/001-auth", "./specs/001-auth/", "001", "F001", "001-auth"] {
        assert_eq!(planned(&sandbox, ".", &[typed], &[]), auth, "{typed}");
    }
    assert_eq!(planned(&sandbox, ".", &["mail"], &[]), ".kiro/specs/mail/tasks.md");
    assert_eq!(planned(&sandbox, "specs/002-chat", &["../001-auth"], &[]), auth);
}

#[test]
fn without_a_target_the_first_that_says_so_decides() {
    let sandbox = project(&[("specs/001-auth", TRACE), ("specs/002-chat", TRACE), ("specs/003-mail", TRACE)]);
    let (auth, chat, mail) =
        ("specs/001-auth/tasks.md", "specs/002-chat/tasks.md", "specs/003-mail/tasks.md");
    // Where people are.
    assert_eq!(planned(&sandbox, "specs/003-mail", &[], &[]), mail);
    // The branch's number.
    let git = |args: &[&str]| {
        let mut command = std::process::Command::new("git");
        let status = command.args(args).current_dir(sandbox.root()).env("HOME", sandbox.root()).output();
        assert!(status.unwrap().status.success(), "{args:?}");
    };
    git(&["init", "-q", "-b", "feat/003-mail"]);
    git(&["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"]);
    assert_eq!(planned(&sandbox, ".", &[], &[]), mail);
    // Spec Kit's own record is stronger than the branch, and the environment stronger than both.
    sandbox.write(".specify/feature.json", "{\"feature_directory\": \"specs/002-chat\"}");
    assert_eq!(planned(&sandbox, ".", &[], &[]), chat);
    let env = [("SPECIFY_FEATURE_DIRECTORY", "specs/001-auth")];
    assert_eq!(planned(&sandbox, ".", &[], &env), auth);
    assert_eq!(planned(&sandbox, "specs/003-mail", &[], &env), auth);
}

#[test]
fn the_only_feature_with_open_tasks_is_meant() {
    let sandbox = project(&[("specs/001-auth", DONE), ("specs/002-chat", TRACE), ("features/mail", DONE)]);
    assert_eq!(planned(&sandbox, ".", &[], &[]), "specs/002-chat/tasks.md");
    sandbox.write("tasks.md", TRACE);
    assert_eq!(planned(&sandbox, ".", &[], &[]), "tasks.md");
}

#[test]
fn several_features_are_a_list_to_choose_from_and_never_silently_the_highest() {
    let sandbox =
        project(&[("specs/001-auth", TRACE), ("specs/002-chat", TRACE), ("specs/002-other", TRACE)]);
    let mut text = String::new();
    for (args, code) in [(&["plan"][..], 2), (&["plan", "002"], 2), (&["plan", "001-auht"], 65)] {
        let ended = sandbox.run(args).expect(code);
        text += &format!("## {}\n{}\n", args.join(" "), page(&sandbox, &ended));
    }
    let nothing = project(&[]);
    text += &format!("## nothing\n{}\n", page(&nothing, &nothing.run(["implement"]).expect(2)));
    sandbox.write(".specify/feature.json", "{\"feature_directory\": \"specs/009-gone\"}");
    text += &format!("## gone\n{}\n", page(&sandbox, &sandbox.run(["plan"]).expect(65)));
    sandbox.write(".specify/feature.json", "{");
    text += &format!("## broken\n{}\n", page(&sandbox, &sandbox.run(["plan"]).expect(65)));
    insta::assert_snapshot!(text);
}

#[test]
fn tasks_run_in_the_project_and_state_is_kept_there_wherever_people_are() {
    let sandbox = project(&[("specs/001-auth", TRACE)]);
    let mut command = sandbox.command(["implement", "--yes"]);
    command.current_dir(sandbox.root().join("specs/001-auth"));
    finish(command.spawn().unwrap()).expect(0);
    assert!(sandbox.exists("trace") && sandbox.exists(".specter/runs"));
    assert!(!sandbox.exists("specs/001-auth/trace") && !sandbox.exists("specs/001-auth/.specter"));
}

#[test]
fn an_empty_git_directory_above_makes_no_project() {
    let sandbox = Sandbox::new("- [ ] T001 x\n\n  ```sh run\n  true\n  ```\n");
    let above = sandbox.root().parent().unwrap().to_owned();
    // As the sandbox of one agent leaves it behind in `/tmp`.
    std::fs::create_dir(above.join(".git")).unwrap();
    std::fs::remove_file(sandbox.root().join("specter.toml")).ok();
    sandbox.run(["implement", "--yes"]).expect(0);
    assert!(sandbox.exists(".specter") && !above.join(".specter").exists());
    // With what git asks of one, it is a repository, and the project is all of it.
    std::fs::write(above.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    std::fs::remove_dir_all(sandbox.root().join(".specter")).unwrap();
    sandbox.write("tasks.md", "- [ ] T001 x\n\n  ```sh run\n  true\n  ```\n");
    sandbox.run(["implement", "--yes", "--isolation=none"]).expect(0);
    assert!(above.join(".specter").exists() && !sandbox.exists(".specter"));
}
