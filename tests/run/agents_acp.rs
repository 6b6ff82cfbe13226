//! Tasks done by an agent that speaks the Agent Client Protocol, with the real program and an agent that does what its
//! prompt orders: whatever it does with the protocol, an attempt ends, ends as what it is, and leaves nothing behind.

use super::agents::Agents as _;
use super::sandbox::{Ended, Sandbox, finish, until};
use super::worktrees::Project;
use crate::git::no_git;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

const FAKE: &str = concat!(include_str!("agents/orders.sh"), include_str!("agents/fake_acp.sh"));

fn task(orders: &[&str]) -> String {
    let orders: String = orders.iter().map(|order| format!("  - fake: {order}\n")).collect();
    format!("- [ ] T001 Write a.txt\n{orders}\n")
}

/// With the agent under the name of a real adapter, and whatever goes wrong before its prompt.
fn hired(orders: &[&str], trouble: &str) -> Sandbox {
    let project = Sandbox::new(&task(orders));
    let bin = project.home().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::write(bin.join("claude-agent-acp"), FAKE).unwrap();
    std::fs::set_permissions(bin.join("claude-agent-acp"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(project.home().join("fake-acp"), trouble).unwrap();
    let config = project.home().join(".config/specter/config.toml");
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    // Who is to be given up is given up soon; who only has a busy machine to itself is not.
    let patience = if matches!(trouble, "initialize" | "session/new") { "2s" } else { "1m" };
    std::fs::write(config, format!("[agents.claude-acp]\nacp.patience = \"{patience}\"\n")).unwrap();
    project
}

fn run(project: &Sandbox, more: &[&str]) -> Ended {
    let usual = ["implement", "tasks.md", "--yes", "--agent=claude-acp", "--grace=1s"];
    let mut command = project.command(usual.iter().chain(more));
    command.env("PATH", project.path());
    finish(command.spawn().unwrap())
}

/// What it was told in its n-th call, one message a line.
fn heard(project: &Sandbox, call: u32) -> Vec<Value> {
    let text = project.note("acp", "T001", call);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn steps(project: &Sandbox) -> Vec<String> {
    let step = |step: &Value| {
        format!("{} {} {}", step["action"].as_str().unwrap(), step["title"].as_str().unwrap(), step["ok"])
    };
    project.of_kind("agent_step").iter().map(step).collect()
}

#[test]
fn an_agent_is_spoken_with_from_the_first_call_to_the_end_of_its_turn() {
    let orders = [
        "say I begin",
        "write a.txt alpha",
        "request fs/read_text_file",
        "request terminal/create",
        "garbage",
    ];
    let project = hired(&orders, "");
    run(&project, &[]).expect(0);
    assert_eq!(project.ticked(), ["T001"]);
    assert_eq!(project.read("a.txt"), "alpha\n");
    assert_eq!(steps(&project), ["edit Write a.txt true"]);
    let end = &project.of_kind("attempt_finished")[0]["agent"];
    assert_eq!(
        (&end["session"], &end["stop"], &end["text"]),
        (&"fake-T001-1".into(), &"end_turn".into(), &"done".into())
    );
    assert_eq!((&end["spent"]["input"], &end["spent"]["output"]), (&100.into(), &10.into()));
    let heard = heard(&project, 1);
    let methods: Vec<&str> = heard.iter().filter_map(|message| message["method"].as_str()).collect();
    assert_eq!(methods, ["initialize", "session/new", "session/prompt"]);
    assert_eq!(heard[1]["params"]["cwd"], project.root().canonicalize().unwrap().to_str().unwrap());
    let refused: Vec<&Value> =
        heard.iter().map(|message| &message["error"]["code"]).filter(|code| !code.is_null()).collect();
    assert_eq!(refused, [-32601, -32601]);
    project.nothing_is_left();
}

#[test]
fn leave_is_given_inside_of_the_workspace_and_not_outside_and_both_are_on_record() {
    let outside = tempfile::tempdir().unwrap();
    let outside = outside.path().join("stolen.txt");
    let orders = ["ask a.txt", &format!("ask {}", outside.display())];
    let project = hired(&orders, "");
    run(&project, &[]).expect(0);
    assert_eq!(project.read("a.txt"), "asked\n");
    assert!(!outside.exists());
    let steps = steps(&project);
    let path = outside.display();
    assert_eq!(
        steps,
        [
            "permit allowed: Writing a.txt true".to_owned(),
            "edit Writing a.txt true".to_owned(),
            format!("permit refused, as `{path}` is outside: Writing {path} false"),
            format!("edit Writing {path} false"),
        ]
    );
}

#[test]
fn whoever_answers_no_call_is_given_up_at_its_deadline() {
    for method in ["initialize", "session/new"] {
        let project = hired(&["write a.txt x"], method);
        let started = Instant::now();
        run(&project, &["--retries=0"]).expect(1);
        assert!(started.elapsed() < Duration::from_secs(20), "{method}: {:?}", started.elapsed());
        let (class, rule) = project.failures().remove(0);
        assert_eq!(class, "unknown", "{method}: {rule}");
        assert!(rule.contains("`no_answer`"), "{method}: {rule}");
        let log = project.read(".specter/implementation.log");
        assert!(log.contains(&format!("did not answer `{method}` within 2 s")), "{log}");
        project.nothing_is_left();
    }
}

#[test]
fn who_is_not_logged_in_is_told_so_and_asked_once() {
    let project = hired(&["write a.txt x"], "auth");
    let ended = run(&project, &["--retries=3"]).expect(1);
    let failures = project.failures();
    assert_eq!((failures.len(), failures[0].0.as_str()), (1, "permanent"), "{failures:?}");
    assert!(ended.all().contains("/login"), "{}", ended.all());
}

#[test]
fn an_agent_that_dies_or_leaves_in_its_turn_has_failed_and_goes_on_in_its_session() {
    for (order, class, words) in
        [("first die", "unknown", "signal"), ("first leave", "unknown", "middle of its turn")]
    {
        let project = hired(&["first write a.txt x", order, "later write b.txt y"], "");
        run(&project, &["--retries=1"]).expect(0);
        let (found, rule) = project.failures().remove(0);
        assert!(found == class || found == "transient", "{order}: {found} {rule}");
        assert!(rule.contains(words) || found == "transient", "{order}: {rule}");
        let heard = heard(&project, 2);
        assert_eq!(
            (&heard[1]["method"], &heard[1]["params"]["sessionId"]),
            (&"session/resume".into(), &"fake-T001-1".into())
        );
        assert!(!heard[2]["params"]["prompt"][0]["text"].as_str().unwrap().contains("You work on one task"));
        project.nothing_is_left();
    }
}

#[test]
fn errors_of_a_prompt_are_judged_by_the_agents_word_for_them() {
    for (error, class) in [
        ("-32603 rate_limit slow down", "rate-limit"),
        ("-32603 usage_limit_reached no more, try again in 2s", "rate-limit"),
        ("-32603 authentication_failed who are you", "permanent"),
        ("-32603 unknown Prompt is too long", "transient"),
        ("529 unknown busy", "transient"),
        ("-32603 unknown whatever", "unknown"),
    ] {
        let project =
            hired(&["first write a.txt x", &format!("first error {error}"), "later write a.txt y"], "");
        run(&project, &["--retries=1", "--on-limit=wait"]);
        let (found, rule) = project.failures().remove(0);
        assert_eq!(found, class, "{error}: {rule}");
    }
}

#[test]
fn what_hangs_is_asked_whether_it_goes_on_and_its_answer_counts() {
    let project = hired(&["first write a.txt x", "first hang", "later write a.txt y"], "");
    run(&project, &["--retries=1", "--stall=1s"]).expect(0);
    let stages: Vec<Value> =
        project.of_kind("attempt_quiet").iter().map(|told| told["stage"].clone()).collect();
    assert_eq!(stages[..2], ["notice", "nudge"]);
    let methods: Vec<Value> = heard(&project, 1).iter().map(|message| message["method"].clone()).collect();
    let prompts = methods.iter().filter(|method| **method == "session/prompt").count();
    assert!(methods.contains(&"session/cancel".into()) && prompts == 2, "{methods:?}");
    assert_eq!(project.of_kind("attempt_finished").len(), 1, "it ended its turn, and its work is there");
    project.nothing_is_left();
}

#[test]
fn what_does_not_listen_is_ended_and_goes_on_in_its_session() {
    let project = hired(&["first write a.txt x", "first deaf", "later write a.txt y"], "");
    let started = Instant::now();
    run(&project, &["--retries=1", "--stall=1s"]).expect(0);
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
    let first = &project.of_kind("attempt_finished")[0];
    assert_eq!(
        (&first["class"], &first["agent"]["stop"]),
        (&"transient".into(), &"cancelled".into()),
        "{first}"
    );
    let methods: Vec<Value> = heard(&project, 1).iter().map(|message| message["method"].clone()).collect();
    assert!(!methods.contains(&"session/cancel".into()), "{methods:?}");
    assert_eq!(heard(&project, 2)[1]["method"], "session/resume");
    project.nothing_is_left();
}

#[test]
fn who_stays_after_its_turn_is_ended_and_has_done_its_work() {
    let project = hired(&["write a.txt x", "stay"], "");
    let started = Instant::now();
    run(&project, &["--retries=0"]).expect(0);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(project.ticked(), ["T001"]);
    project.nothing_is_left();
}

/// In a working tree, with an agent that `npx` fetches into the home directory and that keeps its sessions there in a
/// directory which is not there yet.
fn fetched(config: &str) -> Project {
    let project = Project::new(&task(&["write a.txt x"]), &[("README.md", "# an example\n")]);
    let (home, bin) = (project.sandbox.home(), project.sandbox.home().join("bin"));
    for dir in [&bin, &home.join("fake"), &home.join(".config/specter")] {
        std::fs::create_dir_all(dir).unwrap();
    }
    std::fs::write(home.join(".config/specter/config.toml"), config).unwrap();
    let npx = "test \"$1 $2\" = '-y an-agent' || exit 9\nmkdir -p ~/.npm/_npx/1 && echo fetched > ~/.npm/_npx/1/agent\n\
               mkdir -p ~/.own && echo 1 > ~/.own/session || { sleep 0.1; exit 1; }\nexec ~/bin/an-agent\n";
    for (name, text) in [("npx", format!("#!/bin/sh\n{npx}")), ("an-agent", FAKE.to_owned())] {
        std::fs::write(bin.join(name), text).unwrap();
        std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    project
}

fn run_apart(project: &Project) -> Ended {
    let usual = [
        "implement",
        "tasks.md",
        "--yes",
        "--agent=mine",
        "--isolation=worktree",
        "--retries=0",
        "--grace=1s",
    ];
    finish(project.sandbox.command(usual).env("PATH", project.path()).spawn().unwrap())
}

#[test]
fn an_agent_that_is_fetched_keeps_what_it_keeps_at_home_also_from_a_tree_of_its_own() {
    if no_git() {
        return;
    }
    const MINE: &str = "[agents.mine]\nacp.command = \"npx\"\nacp.args = [\"-y\", \"an-agent\"]\n";
    let project = fetched(MINE);
    let ended = run_apart(&project).expect(1);
    let (_, rule) = project.failures().remove(0);
    assert!(rule.contains("/.own`"), "{rule}\n{}", ended.all());
    let project = fetched(&format!("{MINE}writes = [\"~/.own/\"]\n"));
    run_apart(&project).expect(0);
    assert_eq!(project.sandbox.read("../home/.own/session"), "1\n");
    assert_eq!(project.sandbox.read("../home/.npm/_npx/1/agent"), "fetched\n");
    assert_eq!(project.sandbox.ticked(), ["T001"]);
    project.nothing_is_left();
}

#[test]
fn a_message_of_any_size_is_passed_over() {
    let project = hired(&["huge 40000000", "write a.txt x"], "");
    run(&project, &["--retries=0"]).expect(0);
    assert_eq!(steps(&project), ["edit Write a.txt true"]);
}

#[test]
fn a_run_that_is_told_to_end_calls_its_agents_off() {
    let project = hired(&["write a.txt x", "first hang"], "");
    let mut command = project.command(["implement", "tasks.md", "--yes", "--agent=claude-acp", "--grace=2s"]);
    command.env("PATH", project.path());
    let child = command.spawn().unwrap();
    until("the agent to work", || !project.of_kind("agent_step").is_empty());
    specter::sys::kill(child.id() as i32, specter::sys::SIGTERM).unwrap();
    finish(child).expect(143);
    assert!(heard(&project, 1).iter().any(|message| message["method"] == "session/cancel"));
    project.nothing_is_left();
    let mut command = project.command(["resume", "tasks.md", "--yes"]);
    command.env("PATH", project.path());
    finish(command.spawn().unwrap()).expect(0);
    assert_eq!(heard(&project, 2)[1]["params"]["sessionId"], "fake-T001-1");
}

#[test]
fn agents_and_doctor_show_and_ask_it_like_any_other() {
    let project = hired(&[], "");
    let told = |arguments: &[&str]| -> Value {
        let mut command = project.command(arguments.iter());
        command.env("PATH", format!("{}:/usr/bin:/bin", project.home().join("bin").display()));
        serde_json::from_str(&finish(command.spawn().unwrap()).stdout).unwrap()
    };
    let agents = told(&["agents", "claude-acp", "--format=json"]);
    let agent = &agents["agents"][0];
    assert_eq!((&agent["call"], &agent["protocol"]), (&"claude-agent-acp".into(), &"acp".into()), "{agent}");
    assert!(agent["path"].as_str().unwrap().ends_with("bin/claude-agent-acp"));
    let doctor = told(&["doctor", "--agents", "--format=json"]);
    let of_agent = |finding: &&Value| finding["what"] == "agent claude-acp";
    let found = doctor["findings"].as_array().unwrap().iter().find(of_agent).unwrap();
    assert!(found["level"] == "ok" && found["text"].as_str().unwrap().contains("answers, after"), "{found}");
    // What a repository names as the program of an agent is not called, under its second name neither.
    project.write("specter.toml", "[agents.claude]\nacp.command = \"claude-agent-acp\"\n");
    let doctor = told(&["doctor", "--agents", "--format=json"]);
    assert!(
        doctor["findings"].as_array().unwrap().iter().all(|finding| finding["what"] != "agent claude-acp")
    );
}
