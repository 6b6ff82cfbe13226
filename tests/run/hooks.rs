//! Hooks of Spec Kit's extensions around a run, carried out by the fake agent: what has to be run is, once; what fails ends it.

use super::agents::{Agents as _, task};
use super::sandbox::{Ended, Sandbox, finish, processes_in, until};
use super::signals::signal;
use serde_json::Value;

fn hook(moment: &str, command: &str, more: &str) -> String {
    format!(
        "  {moment}_implement:\n    - extension: git\n      command: {command}\n      optional: false\n{more}"
    )
}

/// A task by an agent, hooks before and after, and what their commands order.
fn project(before: &str, after: &str) -> Sandbox {
    let sandbox = Sandbox::new(&task("T001 Write a.txt", &["write a.txt alpha"], None));
    let file = format!(
        "hooks:\n{}{}",
        hook("before", "speckit.git.commit", ""),
        hook("after", "speckit.git.tell", "")
    );
    sandbox.write(".specify/extensions.yml", &file);
    orders(&sandbox, "speckit.git.commit", before);
    orders(&sandbox, "speckit.git.tell", after);
    sandbox.hire();
    sandbox
}

fn orders(sandbox: &Sandbox, command: &str, text: &str) {
    sandbox.write(
        &format!(".specify/extensions/git/commands/{command}.md"),
        &format!("# What it does\n\n{text}\n"),
    );
}

/// `before` and whether it failed, of each hook on record.
fn recorded(sandbox: &Sandbox) -> Vec<(bool, bool)> {
    let hooks = sandbox.of_kind("hook_finished");
    hooks.iter().map(|hook| (hook["before"] == Value::Bool(true), hook["failed"].is_string())).collect()
}

fn resume(sandbox: &Sandbox, more: &[&str]) -> Ended {
    let mut command = sandbox.command(["resume", "tasks.md", "--yes"].iter().chain(more));
    command.env("PATH", sandbox.path());
    finish(command.spawn().unwrap())
}

#[test]
fn what_has_to_be_run_around_a_run_is_carried_out_by_its_agent_before_and_after_it() {
    let project =
        project("fake: run test ! -e a.txt && echo first > before.txt", "fake: run cp a.txt after.txt");
    let ended = project.agents(&[]).expect(0);
    assert_eq!(
        (project.read("before.txt").as_str(), project.read("after.txt").as_str()),
        ("first\n", "alpha\n")
    );
    assert_eq!(recorded(&project), [(true, false), (false, false)]);
    let kinds: Vec<Value> = project.events().iter().map(|event| event["kind"].clone()).collect();
    // On record, and on disk, before anything else begins.
    assert_eq!(&kinds[..3], ["run_started", "hook_finished", "attempt_started"]);
    assert_eq!(&kinds[kinds.len() - 2..], ["run_finished", "hook_finished"]);
    let prompt = project.note("prompt", "hook-before-1", 1);
    assert!(prompt.contains("/speckit.git.commit") && prompt.contains("# What it does"), "{prompt}");
    let log = project.read(".specter/implementation.log");
    for told in [
        "hook before the run, `/speckit.git.commit` of git: done by claude",
        "hook after the run, `/speckit.git.tell` of git: done by claude",
    ] {
        assert!(log.contains(told), "{log}");
    }
    assert!(ended.stderr.contains("`/speckit.git.commit` of git before the run: claude"), "{}", ended.stderr);
    project.nothing_is_left();
}

#[test]
fn a_hook_that_fails_before_a_run_keeps_it_from_beginning() {
    let project = project("fake: error 500 the server broke", "");
    let ended = project.agents(&[]).expect(69);
    assert!(ended.stderr.contains("claude failed: "), "{}", ended.stderr);
    assert!(ended.stderr.contains("--no-hooks") && !project.exists("a.txt"), "{}", ended.stderr);
    // There is an account of it, where people look for one.
    let kinds: Vec<Value> = project.events().iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, ["run_started", "hook_finished", "run_finished"]);
    let log = project.read(".specter/implementation.log");
    assert!(log.contains("hook before the run, `/speckit.git.commit` of git: claude failed: "), "{log}");
    let status = project.run(["status"]).expect(0).stdout;
    assert!(status.contains("no task was begun: hook before the run"), "{status}");
    // One that asks has not done it either, and is asked again when the run goes on.
    orders(&project, "speckit.git.commit", "fake: block which branch");
    let ended = resume(&project, &[]).expect(69);
    assert!(ended.stderr.contains("which branch"), "{}", ended.stderr);
    assert_eq!(recorded(&project), [(true, true), (true, true)]);
    orders(&project, "speckit.git.commit", "fake: run echo first > before.txt");
    resume(&project, &[]).expect(0);
    assert_eq!((project.read("before.txt").as_str(), project.exists("a.txt")), ("first\n", true));
    let sessions: Vec<Value> =
        project.of_kind("run_resumed").iter().map(|event| event["session"].clone()).collect();
    assert_eq!(sessions, [2, 3]);
}

#[test]
fn hooks_that_fail_are_left_to_people_where_they_say_so() {
    let project = project("fake: error 500 the server broke", "");
    project.agents(&[]).expect(69);
    project.agents(&["--no-hooks"]).expect(0);
    assert_eq!((recorded(&project).len(), project.exists("a.txt")), (0, true));
}

#[test]
fn a_hook_that_is_done_is_on_record_before_the_next_one_begins_whatever_happens_then() {
    let project = project("fake: run echo once >> before.txt", "");
    let two = hook("before", "speckit.git.commit", "")
        + "    - extension: git\n      command: speckit.git.tell\n      optional: false\n";
    project.write(".specify/extensions.yml", &format!("hooks:\n{two}"));
    orders(&project, "speckit.git.tell", "fake: hang");
    let mut command = project.command(["implement", "tasks.md", "--yes", "--agent=claude"]);
    command.env("PATH", project.path());
    let mut child = command.spawn().unwrap();
    let begun = project.home().join("fake/orders.hook-before-2");
    until("the second hook has begun", || begun.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    until("its processes are gone", || processes_in(&project.root()).is_empty());
    assert_eq!(recorded(&project), [(true, false)]);
    orders(&project, "speckit.git.tell", "fake: run echo two >> before.txt");
    resume(&project, &[]).expect(0);
    assert_eq!(project.read("before.txt"), "once\ntwo\n");
    // So it is where the first task was about to begin.
    let journal = project.journal().unwrap();
    let text = std::fs::read_to_string(&journal).unwrap();
    let end = text.find("attempt_started").map(|at| text[..at].rfind('\n').unwrap() + 1).unwrap();
    std::fs::write(&journal, &text[..end]).unwrap();
    std::fs::remove_file(project.root().join("a.txt")).unwrap();
    project.write("tasks.md", &project.read("tasks.md").replace("[x]", "[ ]"));
    resume(&project, &[]).expect(0);
    assert_eq!((project.read("before.txt").as_str(), project.exists("a.txt")), ("once\ntwo\n", true));
}

#[test]
fn what_hooks_spend_is_part_of_the_account_and_of_the_budget() {
    let project = project("fake: run echo first > before.txt", "fake: run cp a.txt after.txt");
    project.agents(&[]).expect(0);
    let of_kind = |kind: &str, spent: &dyn Fn(&Value) -> Value| -> u64 {
        let all = project.of_kind(kind);
        all.iter()
            .map(spent)
            .map(|spent| spent["input"].as_u64().unwrap() + spent["output"].as_u64().unwrap())
            .sum()
    };
    let hooks = of_kind("hook_finished", &|event| event["spent"].clone());
    let task = of_kind("attempt_finished", &|event| event["agent"]["spent"].clone());
    assert!(hooks == 2 * task && task > 0, "{hooks} {task}");
    assert_eq!(project.metrics()["resources"]["tokens"], hooks + task);
    let project = self::project("fake: run echo first > before.txt", "");
    let ended = project.agents(&["--max-tokens=50"]).expect(3);
    assert!(project.of_kind("attempt_started").is_empty() && !project.exists("a.txt"), "{}", ended.all());
    assert_eq!(project.of_kind("budget_reached")[0]["budget"], "tokens");
    // What is spent is spent, also for who goes on.
    resume(&project, &[]).expect(3);
    resume(&project, &["--max-tokens=1000"]).expect(0);
}

#[test]
fn a_hook_that_fails_after_a_run_is_told_by_the_exit_and_undoes_nothing() {
    let project = project("", "fake: error 500 the server broke");
    let ended = project.agents(&["--format=json"]).expect(1);
    assert_eq!(
        (project.ticked(), recorded(&project)),
        (vec!["T001".to_owned()], vec![(true, false), (false, true)])
    );
    assert!(ended.stderr.contains("all tasks are done"), "{}", ended.stderr);
    let last: Value = serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["kind"], "hook_finished");
    let log = project.read(".specter/implementation.log");
    assert!(log.contains("hook after the run, `/speckit.git.tell` of git: claude failed: "), "{log}");
}

#[test]
fn a_run_that_goes_on_carries_out_nothing_twice() {
    let project = project("fake: run echo once >> before.txt", "fake: run echo after >> after.txt");
    project.write(
        "tasks.md",
        &task("T001 Write a.txt", &["first error 401 no key", "later write a.txt alpha"], None),
    );
    project.agents(&["--retries=0"]).expect(1);
    assert!(!project.exists("after.txt"), "not all is done");
    resume(&project, &[]).expect(0);
    assert_eq!(
        (project.read("before.txt").as_str(), project.read("after.txt").as_str()),
        ("once\n", "after\n")
    );
    assert_eq!(recorded(&project), [(true, false), (false, false)]);
}

#[test]
fn without_an_agent_for_a_hook_nothing_begins() {
    let project = project("", "");
    project.write("tasks.md", "- [ ] T001 Write\n\n  ```sh run\n  echo x > a.txt\n  ```\n");
    let ended = project.run(["implement", "--yes"]).expect(69);
    assert!(
        ended.stderr.contains("the hook `/speckit.git.commit` of git before the run has to be run"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("--agent") && ended.stderr.contains("--no-hooks"), "{}", ended.stderr);
    assert!(!project.exists("a.txt"));
    project.run(["implement", "--yes", "--no-hooks"]).expect(0);
}

#[test]
fn optional_hooks_are_told_and_those_whose_condition_does_not_hold_are_not() {
    let project = project("", "");
    let file = "hooks:\n  before_implement:\n    - extension: git\n      command: speckit.git.commit\n      prompt: Commit first?\n    \
                - extension: ci\n      command: speckit.ci.check\n      optional: false\n      condition: env.NOBODY_SETS_THIS is set\n";
    project.write(".specify/extensions.yml", file);
    let ended = project.agents(&[]).expect(0);
    let told =
        "the hook `/speckit.git.commit` of git before the run is optional and left to you (Commit first?)";
    assert!(ended.stderr.contains(told) && !ended.stderr.contains("speckit.ci.check"), "{}", ended.stderr);
    assert!(recorded(&project).is_empty());
}

#[test]
fn hooks_are_agreed_to_with_what_their_commands_say_and_again_when_that_changes() {
    let project = project("fake: run echo x > before.txt", "");
    let implement = || {
        let mut command = project.command(["implement", "tasks.md", "--agent=claude"]);
        command.env("PATH", project.path());
        finish(command.spawn().unwrap())
    };
    let ended = implement().expect(77);
    assert!(
        ended.stderr.contains("/speckit.git.commit of git") && ended.stderr.contains("echo x > before.txt"),
        "{}",
        ended.stderr
    );
    assert!(!project.exists("before.txt"));
    project.run(["trust"]).expect(0);
    orders(&project, "speckit.git.commit", "fake: run echo other > before.txt");
    implement().expect(77);
    project.run(["trust"]).expect(0);
    implement().expect(0);
    assert_eq!(project.read("before.txt"), "other\n");
}

#[test]
fn a_signal_ends_a_hook_and_all_it_started() {
    let project = project("fake: hang", "");
    let mut command = project.command(["implement", "tasks.md", "--yes", "--agent=claude"]);
    command.env("PATH", project.path());
    let child = command.spawn().unwrap();
    let begun = project.home().join("fake/orders.hook-before-1");
    until("the hook has begun", || begun.exists());
    signal(&child, "INT");
    let ended = finish(child).expect(130);
    assert!(ended.stderr.contains("no task was begun"), "{}", ended.stderr);
    let last = project.events().pop().unwrap();
    assert_eq!(
        (&last["kind"], &last["outcome"]["interrupted"]["signal"]),
        (&"run_finished".into(), &2.into())
    );
    assert!(processes_in(&project.root()).is_empty() && !project.exists("a.txt"));
}
