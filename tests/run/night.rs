//! What a night needs, with the real program: another agent that takes over at a limit, questions that wait for a person
//! without holding up the rest.

use super::agents::{Agents, FAKE, task};
use super::sandbox::{Ended, Sandbox, finish};
use super::worktrees::Project;
use std::os::unix::fs::PermissionsExt as _;

/// A limit that lasts for hours at whatever time of day.
const LIMIT: &str = "error 429 You've hit your weekly limit · resets Jan 9, 3am (UTC)";

/// With a second agent of another provider beside `claude`.
fn two_agents(tasks: &str) -> Sandbox {
    let project = Sandbox::new(tasks);
    project.hire();
    let second = project.home().join("bin/second");
    std::fs::write(&second, FAKE).unwrap();
    std::fs::set_permissions(&second, std::fs::Permissions::from_mode(0o755)).unwrap();
    let config = project.home().join(".config/specter/config.toml");
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    let text = "[agents.second]\ncommand = \"second\"\nprovider = \"other\"\nevents = \"claude-stream-json\"\n\
                flags.resume = [\"--resume\", \"{session}\"]\nflags.new-session = [\"--session-id\", \"{session}\"]\n";
    std::fs::write(config, text).unwrap();
    project
}

fn run(project: &Sandbox, args: &[&str]) -> Ended {
    let mut command = project.command(args);
    command.env("PATH", format!("{}:/usr/bin:/bin", project.home().join("bin").display()));
    finish(command.spawn().unwrap())
}

fn executors(project: &Sandbox) -> Vec<String> {
    let started = project.of_kind("attempt_started");
    started.iter().map(|start| start["executor"].as_str().unwrap().to_owned()).collect()
}

const CHAIN: [&str; 5] = ["implement", "tasks.md", "--yes", "--agent=claude,second", "--on-limit=failover"];

#[test]
fn at_a_limit_a_proven_agent_goes_on_with_what_is_there_and_an_unproven_one_does_not() {
    let first = format!("first {LIMIT}");
    let orders = ["first write a.txt half", &first, "run grep -q half a.txt", "write a.txt whole"];
    let project = two_agents(&task("T001 Write a.txt", &orders, None));
    let ended = run(&project, &[&CHAIN[..], &["--max-wait=1ms"]].concat()).expect(3);
    assert!(ended.stderr.contains("nothing proves that `second` answers"), "{}", ended.stderr);
    assert!(ended.stderr.contains("`specter doctor --agents` proves it"), "{}", ended.stderr);
    assert_eq!(executors(&project), ["claude"]);
    run(&project, &["doctor", "tasks.md", "--agents"]);
    let proofs = std::fs::read_to_string(project.home().join(".local/state/specter/agents.json")).unwrap();
    assert!(proofs.contains("\"second\"") && proofs.contains("0.0.1 (Fake)"), "{proofs}");

    let ended = run(&project, &["resume", "tasks.md", "--yes"]).expect(0);
    assert_eq!(executors(&project), ["claude", "second"]);
    assert!(
        ended.stderr.contains("second takes over from claude, which is at its limit"),
        "{}",
        ended.stderr
    );
    let changed = &project.of_kind("agent_changed")[0];
    assert_eq!(
        (&changed["from"], &changed["to"], &changed["why"]),
        (&"claude".into(), &"second".into(), &"usage-limit".into())
    );
    assert!(
        project.note("session", "T001", 2).starts_with("new "),
        "another agent knows nothing of the session"
    );
    assert!(
        project
            .of_kind("agent_step")
            .iter()
            .any(|step| step["title"] == "grep -q half a.txt" && step["ok"] == true)
    );
    let log = project.read(".specter/implementation.log");
    assert!(log.contains("T001: second takes over from claude"), "{log}");
    let why = run(&project, &["why", "T001", "tasks.md"]).expect(0);
    assert!(why.stdout.contains("by second"), "{}", why.stdout);
    project.nothing_is_left();
}

#[test]
fn who_fails_for_good_gives_the_task_to_the_next_and_is_not_asked_again() {
    let wrong = "write a.txt wrong";
    let check = "grep -q right a.txt";
    let orders = [wrong, "by second write a.txt right"];
    let project = two_agents(&task("T001 Write a.txt", &orders, Some(check)));
    run(&project, &["doctor", "tasks.md", "--agents"]);
    run(&project, &[&CHAIN[..4], &["--retries=1"]].concat()).expect(0);
    assert_eq!(executors(&project), ["claude", "claude", "second"]);
    assert_eq!(project.of_kind("agent_changed")[0]["used_up"], true);
    assert_eq!(project.ticked(), ["T001"]);
    // An agent that no longer answers proves nothing any more.
    std::fs::write(
        project.home().join("bin/second"),
        FAKE.replace("step=0\n", "fail 401 'Invalid API key'\nstep=0\n"),
    )
    .unwrap();
    run(&project, &["doctor", "tasks.md", "--agents"]);
    let proofs = std::fs::read_to_string(project.home().join(".local/state/specter/agents.json")).unwrap();
    assert!(!proofs.contains("\"second\"") && proofs.contains("\"claude\""), "{proofs}");
}

#[test]
fn what_an_agent_waits_for_and_tells_only_its_own_log_is_known() {
    let log = |what: &str| {
        format!(
            "run mkdir -p $HOME/.second && echo '{what}' >> $HOME/.second/$(cut -c5- $HOME/fake/session.T001-1).txt"
        )
    };
    let limit = log("[ERROR] 429 You have hit your usage limit, try again at Jan 9th, 2099 3:00 AM.");
    let end = log("[ERROR] Request was aborted.");
    let project =
        two_agents(&task("T001 Write a.txt", &[&limit, &end, "stderr Operation cancelled", "hang"], None));
    let config = project.home().join(".config/specter/config.toml");
    let text = std::fs::read_to_string(&config).unwrap() + "log = \".second/{session}.txt\"\n";
    std::fs::write(&config, text).unwrap();
    run(
        &project,
        &["implement", "tasks.md", "--yes", "--agent=second", "--stall=2s", "--grace=1s", "--on-limit=stop"],
    )
    .expect(3);
    let (class, rule) = project.failures().remove(0);
    assert_eq!(class, "usage-limit", "{rule}");
}

/// `T002` needs `T001`, which asks; `T003` has nothing to do with them.
fn asking(asks: &str, third: &[&str]) -> Sandbox {
    let tasks = [
        task("T001 [P] Write a.txt", &[asks, "write a.txt x"], None),
        task("T002 [P] Write b.txt (depends on T001)", &["write b.txt x"], None),
        task("T003 [P] Write c.txt", third, None),
    ];
    let project = Sandbox::new(&tasks.concat());
    project.hire();
    project
}

const GRAPH: [&str; 6] =
    ["implement", "tasks.md", "--yes", "--agent=claude", "--parallel=graph", "--isolation=none"];

#[test]
fn a_question_parks_its_branch_and_an_answer_lets_it_go_on_in_its_session() {
    let project = asking("first block which port?", &["write c.txt x"]);
    let ended = run(&project, &GRAPH).expect(3);
    assert_eq!(project.ticked(), ["T003"]);
    for words in
        ["T001 waits for an answer: which port?", "Waiting for your answer", "specter answer T001 \"…\""]
    {
        assert!(ended.all().contains(words), "{words}: {}", ended.all());
    }
    let parked = &project.of_kind("task_parked")[0];
    assert_eq!((&parked["question"], &parked["default"]), (&"which port?".into(), &"8080".into()));
    assert_eq!(project.of_kind("task_blocked")[0]["by"], "T001");
    assert!(project.of_kind("retry_scheduled").is_empty() && project.of_kind("task_failed").is_empty());
    for args in [&["status", "tasks.md"][..], &["why", "T001", "tasks.md"], &["answer"], &["answer", "T001"]]
    {
        let shown = run(&project, args).expect(0).stdout;
        assert!(shown.contains("which port?") && shown.contains("specter answer T001"), "{args:?}: {shown}");
    }
    let status: serde_json::Value =
        serde_json::from_str(&run(&project, &["status", "tasks.md", "--format=json"]).expect(0).stdout)
            .unwrap();
    assert_eq!((&status["tasks"][0]["state"], &status["counts"]["parked"]), (&"parked".into(), &1.into()));
    assert_eq!(status["tasks"][0]["question"]["options"][1], "8080");

    let json = |args: &[&str]| -> serde_json::Value {
        let shown = run(&project, &[args, &["--format=json"]].concat()).expect(0).stdout;
        serde_json::from_str::<serde_json::Value>(&shown).unwrap()["questions"].clone()
    };
    let asked = serde_json::json!([{ "task": "T001", "attempt": 1, "question": "which port?", "options": ["80", "8080"],
        "default": "8080", "answer": null }]);
    assert_eq!((json(&["answer"]), json(&["answer", "T001"])), (asked.clone(), asked));
    let mut by_agent = project.command(["answer", "T001", "80"]);
    by_agent.env("SPECTER_TASK_ID", "T001");
    let said = finish(by_agent.spawn().unwrap()).expect(77).stderr;
    assert!(said.contains("answered by a person"), "{said}");

    for (args, told) in [
        (["answer", "T009", "x"], "there is no task `T009`"),
        (["answer", "T003", "x"], "T003 asks nothing"),
        (["answer", "T001", " "], "the answer is empty"),
    ] {
        let said = run(&project, &args).expect(2).stderr;
        assert!(said.contains(told), "{said}");
    }
    run(&project, &["resume", "tasks.md", "--yes"]).expect(3);
    assert_eq!(project.of_kind("attempt_started").len(), 2, "nobody is asked before there is an answer");
    let said = run(&project, &["answer", "T001", "take 80"]).expect(0).stdout;
    assert!(said.contains("`specter resume` goes on with it"), "{said}");
    let given = &json(&["answer", "T001", "take 81"])[0];
    assert_eq!((&given["answer"], &given["taken_up_by"]), (&"take 81".into(), &"resume".into()));
    let said = run(&project, &["answer", "T001", "no: \u{1b}[31mtake 8081"]).expect(0).stdout;
    assert!(said.contains("instead of the answer before"), "{said}");
    assert_eq!(project.of_kind("question_answered").len(), 3);
    assert!(!run(&project, &["answer"]).expect(0).stdout.contains('\u{1b}'));

    run(&project, &["resume", "tasks.md", "--yes"]).expect(0);
    assert_eq!(project.ticked(), ["T001", "T002", "T003"]);
    let prompt = project.note("prompt", "T001", 2);
    assert!(
        prompt.contains("which port?") && prompt.contains("take 8081") && !prompt.contains("take 80\n"),
        "{prompt}"
    );
    assert_eq!(
        project.note("session", "T001", 2),
        project.note("session", "T001", 1).replace("new", "resume")
    );
    let said = run(&project, &["answer", "T001", "x"]).expect(2).stderr;
    assert!(said.contains("T001 asks nothing"), "{said}");
    let log = project.read(".specter/implementation.log");
    assert!(
        log.contains("T001 waits for an answer: which port? (80 | 8080; by itself it would take 8080)"),
        "{log}"
    );
}

#[test]
fn in_working_trees_an_answer_goes_on_with_what_was_there_when_it_was_asked() {
    let orders = [
        "first write half.txt begun",
        "first write both.txt one",
        "first block which port?",
        "later run test -s half.txt && cp half.txt whole.txt",
    ];
    let tasks = [
        task("T001 [P] Write whole.txt", &orders, None),
        task("T002 [P] Write other.txt", &["write other.txt x"], None),
    ];
    let project = Project::new(&tasks.concat(), &[]);
    project.hire();
    let go = |args: &[&str]| run(&project.sandbox, args);
    let usual =
        ["implement", "tasks.md", "--yes", "--agent=claude", "--parallel=graph", "--isolation=worktree"];
    go(&usual).expect(3);
    assert_eq!(project.sandbox.ticked(), ["T002"]);
    assert!(!project.sandbox.exists("half.txt"), "nothing of it is integrated yet");
    go(&["answer", "T001", "8080"]).expect(0);
    let ended = go(&["resume", "tasks.md", "--yes"]).expect(0);
    assert_eq!(project.sandbox.ticked(), ["T001", "T002"]);
    let read = |name: &str| project.sandbox.read(name);
    assert_eq!(
        (read("half.txt"), read("whole.txt"), read("both.txt")),
        ("begun\n".into(), "begun\n".into(), "one\n".into())
    );
    assert!(ended.stderr.contains("T001 goes on with what it left before it asked"), "{}", ended.stderr);
}

#[test]
fn what_was_there_when_it_was_asked_and_does_not_fit_any_more_is_kept_and_told() {
    let orders = ["first write a.txt half", "first block which port?", "later write b.txt whole"];
    let project = Project::new(&task("T001 Write b.txt", &orders, None), &[("a.txt", "as it was\n")]);
    project.hire();
    let go = |args: &[&str]| run(&project.sandbox, args);
    go(&["implement", "tasks.md", "--yes", "--agent=claude", "--isolation=worktree"]).expect(3);
    project.sandbox.write("a.txt", "a person's\n");
    go(&["answer", "T001", "8080"]).expect(0);
    let ended = go(&["resume", "tasks.md", "--yes"]).expect(0);
    assert_eq!(
        (project.sandbox.read("a.txt"), project.sandbox.read("b.txt")),
        ("a person's\n".into(), "whole\n".into())
    );
    assert!(
        ended.stderr.contains("T001 begins anew: what it left before it asked does not fit"),
        "{}",
        ended.stderr
    );
    let kept = ended.stderr.split("it is kept (`").nth(1).and_then(|rest| rest.split('`').next()).unwrap();
    assert_eq!(project.git(&["show", &format!("{kept}:a.txt")]).trim(), "half");
}

#[test]
fn an_answer_reaches_the_run_at_work() {
    let hold = "run while [ ! -e go ]; do sleep 0.05; done";
    let project = asking("first ask BLOCKED: which port", &[hold, "write c.txt x"]);
    let fourth = task("T004 [P] Write d.txt", &["write d.txt x"], None);
    project.write("tasks.md", &(project.read("tasks.md") + &fourth));
    let mut command = project.command(GRAPH.iter().chain(&["-j2"]));
    command.env("PATH", format!("{}:/usr/bin:/bin", project.home().join("bin").display()));
    let child = command.spawn().unwrap();
    super::sandbox::until("the question", || !project.of_kind("task_parked").is_empty());
    super::sandbox::until("the fourth's box", || project.ticked() == ["T004"]);
    let said = run(&project, &["answer", "T001", "8081"]).expect(0).stdout;
    assert!(said.contains("the run at work takes it up"), "{said}");
    super::sandbox::until("the answer", || !project.of_kind("question_answered").is_empty());
    super::sandbox::until("what waited for it", || project.exists("b.txt"));
    project.write("go", "");
    finish(child).expect(0);
    assert_eq!(project.ticked(), ["T001", "T002", "T003", "T004"]);
    assert!(project.note("prompt", "T001", 2).contains("8081"));
    assert_eq!(project.of_kind("attempt_started").len(), 5, "what is done and ticked does not run again");
    let run_dir = project.root().join(".specter/runs");
    let run_dir = run_dir.join(project.of_kind("run_started")[0]["info"]["run"].as_str().unwrap());
    assert_eq!(std::fs::read_dir(run_dir.join("answers")).unwrap().count(), 0, "taken up is gone");
}

#[test]
fn who_is_not_to_be_asked_takes_the_default_or_fails_and_a_plain_question_is_handed_back_once() {
    let project = asking("first block which port?", &["write c.txt x"]);
    run(&project, &[&GRAPH[..], &["--blocked=default"]].concat()).expect(0);
    let prompt = project.note("prompt", "T001", 2);
    assert!(prompt.contains("Nobody is there to answer") && prompt.contains("8080"), "{prompt}");
    assert_eq!(project.of_kind("question_answered")[0]["by"], "default");

    let project = asking("block which port?", &["write c.txt x"]);
    run(&project, &[&GRAPH[..], &["--blocked=fail"]].concat()).expect(1);
    assert_eq!(project.failures().len(), 1);
    assert_eq!(project.ticked(), ["T003"]);

    let project = asking("ask Should I take the first port?", &["write c.txt x"]);
    run(&project, &GRAPH).expect(3);
    assert_eq!(project.failures().len(), 2, "once it is told to decide by itself");
    assert!(project.note("prompt", "T001", 2).contains("Nobody is there to answer"));
    assert_eq!(project.of_kind("task_parked").len(), 1);
}

#[test]
fn the_model_of_a_domain_is_used_by_the_agent_it_is_for() {
    let project = Sandbox::new(&task("T001 Write the login page in a.txt", &["write a.txt x"], None));
    project.hire();
    project
        .write("specter.toml", "[[domains]]\nname = \"login\"\nwords = [\"login\"]\nmodel = \"small-one\"\n");
    run(&project, &[&GRAPH[..4], &["--model=big-one"]].concat()).expect(0);
    let args = project.note("args", "T001", 1);
    assert!(args.contains("--model small-one"), "{args}");
}
