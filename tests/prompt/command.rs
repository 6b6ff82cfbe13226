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
