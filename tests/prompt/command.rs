//! `specter plan --prompt`, `specter check` of templates, and the settings that belong to them.

use crate::run::sandbox::Sandbox;
use std::path::Path;

const TASKS: &str = "specs/001-short-links/tasks.md";
const TASK_TEMPLATE: &str = ".specter/prompts/task.md.j2";

/// The Spec Kit feature as a project.
fn project() -> Sandbox {
    let sandbox = Sandbox::new("");
    std::fs::remove_file(sandbox.root().join("tasks.md")).unwrap();
    copy(&super::root("speckit"), &sandbox.root());
    sandbox
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn plan_prints_the_prompt_and_what_it_is_made_of() {
    let sandbox = project();
    sandbox.write("src/slug_words.rs", "");
    let ended = sandbox.run(["plan", "--prompt", "T003"]).expect(0);
    assert!(
        ended.stdout.starts_with("# How you work here\n") && ended.stdout.contains("# Your task: T003\n")
    );
    // What is beside the file it names.
    assert!(ended.stdout.contains("- `src/slug_words.rs`"), "{}", ended.stdout);
    insta::assert_snapshot!(ended.stderr);
    let quiet = sandbox.run(["plan", "--quiet", "--prompt", "T003"]).expect(0);
    assert_eq!((quiet.stdout, quiet.stderr.as_str()), (ended.stdout, ""));
    assert!(!sandbox.exists(".specter"), "nothing is written");
}

#[test]
fn a_task_that_is_not_there_or_has_no_prompt_is_refused() {
    let sandbox = project();
    let ended = sandbox.run(["plan", "--prompt", "T03"]).expect(2);
    assert!(ended.stderr.contains("there is no task `T03`") && ended.stderr.contains("did you mean `T003`?"));
    let kiro = Sandbox::new("- [ ] 1. Group\n- [ ] 1.1 Child\n");
    let ended = kiro.run(["plan", "--prompt", "1"]).expect(2);
    assert!(ended.stderr.contains("`1` is a group"), "{}", ended.stderr);
}

#[test]
fn a_projects_template_takes_the_place_of_the_usual_one() {
    let sandbox = project();
    sandbox
        .write(TASK_TEMPLATE, "DO {{ task.id }}\n{% for slice in slices %}{{ slice.source }}\n{% endfor %}");
    let ended = sandbox.run(["plan", "--prompt", "T003"]).expect(0);
    assert!(ended.stdout.contains("\nDO T003\n") && !ended.stdout.contains("# Your task"));
    assert!(ended.stderr.contains("the project's template does not use it"), "{}", ended.stderr);
}

#[test]
fn an_error_in_a_template_is_found_by_check_and_before_anything_is_printed() {
    let sandbox = project();
    sandbox.run(["check"]).expect(0);
    sandbox.write(TASK_TEMPLATE, "DO {{ task.id }}\n{{ task.tittle }}\n");
    let checked = sandbox.run(["check"]).expect(65);
    let place = format!("{TASK_TEMPLATE}:2:");
    assert!(checked.stdout.contains(&place) && checked.stdout.contains("bad-template"), "{}", checked.stdout);
    let planned = sandbox.run(["plan", "--prompt", "T003"]).expect(78);
    assert!(planned.stdout.is_empty() && planned.stderr.contains(&place), "{}", planned.stderr);
}

#[test]
fn domains_and_limits_are_settings() {
    let sandbox = project();
    sandbox.write(
        "specter.toml",
        "prompt-tokens = 4000\n\n[[domains]]\nname = \"links\"\npaths = [\"src/slug.rs\"]\nagent = \"claude\"\nmodel = \"opus\"\n\
         instructions = [\"count twice\"]\n",
    );
    let ended = sandbox.run(["plan", "--prompt", "T003"]).expect(0);
    assert!(ended.stdout.contains("- count twice\n"));
    let expected = "for claude with model opus: it names src/slug.rs (domain links)";
    assert!(ended.stderr.contains(expected) && ended.stderr.contains("of 4,000 tokens"), "{}", ended.stderr);
    let plan = sandbox.run(["plan", TASKS]).expect(0);
    assert!(plan.stdout.contains("claude, opus") && plan.stdout.contains("T003"), "{}", plan.stdout);
    sandbox.write("specter.toml", "prompt-tokens = 10\n");
    let refused = sandbox.run(["plan"]).expect(78);
    assert!(refused.stderr.contains("at least 3000"), "{}", refused.stderr);
}

#[test]
fn hints_in_plain_words_decide_and_what_means_nothing_is_refused() {
    let sandbox = project();
    let mode = |args: &[&str]| {
        let ended = sandbox.run(["plan", "--format=json", TASKS].iter().chain(args)).expect(0);
        serde_json::from_str::<serde_json::Value>(&ended.stdout).unwrap()["mode"].as_str().unwrap().to_owned()
    };
    assert_eq!(mode(&["run all tasks in parallel"]), "parallel");
    assert_eq!(mode(&["use auth agents in parallel"]), "parallel");
    assert_eq!(mode(&["in parallel", "--parallel=graph"]), "graph");
    assert_eq!(mode(&["--parallel=graph", "--hint", "one at a time"]), "sequential");
    let refused = sandbox.run(["plan", TASKS, "use auht agents"]).expect(2);
    assert!(refused.stderr.contains("`use auht agents` is no hint that is understood"), "{}", refused.stderr);
    assert!(refused.stderr.contains("did you mean `auth`?"), "{}", refused.stderr);
    assert!(refused.stderr.contains("`run domain agents directly`"), "{}", refused.stderr);
}

#[test]
fn a_hint_holds_for_the_run_that_goes_on_until_another_one_is_given() {
    let sandbox = Sandbox::new("- [ ] T001 Fail\n\n  ```sh run retries=0\n  false\n  ```\n");
    let mode = || {
        let last = sandbox.events().into_iter().rfind(|event| event["kind"] == "run_started");
        last.unwrap()["info"]["options"]
            .as_array()
            .unwrap()
            .iter()
            .any(|option| option == "--hint=in parallel")
    };
    sandbox.run(["implement", "--yes", "tasks.md", "in parallel"]).expect(1);
    assert!(mode());
    sandbox.run(["resume", "--yes", "tasks.md", "sequential"]).expect(1);
}

#[test]
fn hooks_of_extensions_are_told_in_the_plan() {
    let sandbox = project();
    let hook = |optional: bool| {
        format!(
            "hooks:\n  before_implement:\n    - extension: git\n      command: speckit.git.commit\n      optional: {optional}\n"
        )
    };
    let plan = |file: &str| {
        sandbox.write(".specify/extensions.yml", file);
        sandbox.run(["plan", TASKS]).expect(0)
    };
    let told = plan(&hook(false)).stdout;
    assert!(told.contains("/speckit.git.commit of git: has to be run"), "{told}");
    assert!(told.contains("they are commands of an agent: the run's agent (`--agent`)"), "{told}");
    assert!(plan(&hook(true)).stdout.contains("/speckit.git.commit of git: optional"));
    let ended = plan("hooks:\n  before_implement:\n    - command: *anchor\n");
    assert!(
        ended.stderr.contains("bad-hooks") && ended.stderr.contains("extensions.yml:3"),
        "{}",
        ended.stderr
    );
    assert!(!plan("installed: [git]\n").stdout.contains("Hooks"));
}

#[test]
fn a_domain_or_a_hint_says_which_agent_does_a_task() {
    let sandbox = project();
    let plan = sandbox.run(["plan", TASKS, "use codex"]).expect(0);
    assert!(plan.stdout.contains("Domains") && plan.stdout.contains("codex"), "{}", plan.stdout);
    // Who is named has to be known before anything is run.
    sandbox.write("specter.toml", "[[domains]]\nname = \"links\"\nwords = [\"slugs\"]\nagent = \"nobody\"\n");
    let refused = sandbox.run(["implement", "--yes", TASKS, "--only=T003"]).expect(78);
    assert!(refused.stderr.contains("no agent `nobody` is known"), "{}", refused.stderr);
}
