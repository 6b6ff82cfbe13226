//! What a night needs, with the real program: another agent that takes over at a limit, questions that wait for a person
//! without holding up the rest.

use super::agents::{Agents, FAKE, task};
use super::sandbox::{Ended, Sandbox, finish};
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
