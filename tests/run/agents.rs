//! Tasks done by agents, with the real program and an agent that does what its prompt orders: whatever an agent does or
//! fails to do, the record tells it, a box is ticked only for work that is there, and nothing of it stays behind.

use super::sandbox::{Ended, Sandbox, processes_in, scale};
use super::worktrees::Project;
use crate::git::no_git;
use serde_json::Value;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

pub(crate) const FAKE: &str = concat!(include_str!("agents/orders.sh"), include_str!("agents/fake.sh"));

/// A task with orders for the agent, and perhaps a check.
pub(crate) fn task(line: &str, orders: &[&str], check: Option<&str>) -> String {
    let mut text = format!("- [ ] {line}\n");
    for order in orders {
        text += &format!("  - fake: {order}\n");
    }
    if let Some(check) = check {
        text += &format!("\n  ```sh verify\n  {check}\n  ```\n");
    }
    text + "\n"
}

pub(crate) trait Agents {
    fn sandbox(&self) -> &Sandbox;

    /// With the agent under the name of a real one, first on PATH.
    fn hire(&self) -> &Self {
        let bin = self.sandbox().home().join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        // In the home directory itself, agents kept apart can make nothing.
        std::fs::create_dir_all(self.sandbox().home().join("fake")).unwrap();
        std::fs::write(bin.join("claude"), FAKE).unwrap();
        std::fs::set_permissions(bin.join("claude"), std::fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn agents(&self, more: &[&str]) -> Ended {
        let usual = ["implement", "tasks.md", "--yes", "--agent=claude"];
        let mut command = self.sandbox().command(usual.iter().chain(more));
        command.env("PATH", self.path());
        // What tests themselves were started with is none of the agents' business.
        super::sandbox::finish(command.spawn().unwrap())
    }

    fn path(&self) -> OsString {
        let mut path = self.sandbox().home().join("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        path
    }

    fn of_kind(&self, kind: &str) -> Vec<Value> {
        self.sandbox().events().into_iter().filter(|event| event["kind"] == kind).collect()
    }

    /// Class and rule of each attempt that failed, in order.
    fn failures(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let ended = self.of_kind("attempt_finished").into_iter().filter(|event| event["class"].is_string());
        ended.map(|event| (text(&event["class"]), text(&event["rule"]))).collect()
    }

    /// What the agent noted in its n-th call for a task.
    fn note(&self, name: &str, task: &str, call: u32) -> String {
        let notes = self.sandbox().home().join("fake");
        let name =
            if name == "prompt" { format!("{task}-{call}.prompt") } else { format!("{name}.{task}-{call}") };
        std::fs::read_to_string(notes.join(name)).unwrap_or_default()
    }

    fn nothing_is_left(&self) {
        let left = processes_in(&self.sandbox().root());
        assert!(left.is_empty(), "{left:?}");
    }
}

impl Agents for Sandbox {
    fn sandbox(&self) -> &Sandbox {
        self
    }
}

impl Agents for Project {
    fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }
}

#[test]
fn agents_do_what_has_no_commands_of_its_own_and_the_record_tells_what_they_did() {
    let shell = "- [ ] T001 Prepare\n\n  ```sh run\n  echo base > base.txt\n  ```\n\n";
    let tasks = [
        shell.to_owned(),
        task(
            "T002 [US1] Write src/a.txt",
            &["write src/a.txt alpha", "run test -s src/a.txt"],
            Some("grep -q alpha src/a.txt"),
        ),
        task("T003 Write src/b.txt", &["say I look around", "run false", "write src/b.txt beta"], None),
    ];
    let project = Sandbox::new(&tasks.concat());
    let ended = project.hire().agents(&[]).expect(0);
    assert_eq!(project.ticked(), ["T001", "T002", "T003"]);
    let steps: Vec<String> = project
        .of_kind("agent_step")
        .iter()
        .map(|step| {
            format!("{} {} {} {} {}", step["task"], step["n"], step["action"], step["title"], step["ok"])
        })
        .collect();
    assert_eq!(
        steps,
        [
            r#""T002" 1 "edit" "Write src/a.txt" true"#,
            r#""T002" 2 "run" "test -s src/a.txt" true"#,
            r#""T003" 1 "run" "false" false"#,
            r#""T003" 2 "edit" "Write src/b.txt" true"#,
        ]
    );
    let verdicts: Vec<Value> =
        project.of_kind("task_done").iter().map(|done| done["verdict"].clone()).collect();
    assert_eq!(verdicts, ["unverified", "verified", "unverified"]);
    let executors: Vec<Value> =
        project.of_kind("attempt_started").iter().map(|start| start["executor"].clone()).collect();
    assert_eq!(executors, ["shell", "claude", "claude"]);
    let reports: Vec<Value> =
        project.of_kind("attempt_finished").iter().map(|end| end["agent"].clone()).collect();
    assert!(reports[0].is_null());
    assert_eq!((&reports[1]["model"], &reports[1]["spent"]["output"]), (&"fake-1".into(), &10.into()));
    assert_eq!(
        project.note("session", "T002", 1),
        format!("new {}\n", reports[1]["session"].as_str().unwrap())
    );
    let log = project.read(".specter/implementation.log");
    assert!(log.contains("    - edit src/a.txt\n    - run test -s src/a.txt\n  spent: 120 tokens in (20 cached), 10 out, $0.0125"), "{log}");
    let metrics = project.metrics();
    assert_eq!(
        (&metrics["resources"]["tokens"], &metrics["resources"]["cost"]),
        (&260.into(), &0.025.into())
    );
    assert_eq!(metrics["agents"]["providers"][0]["name"], "anthropic");
    assert_eq!(metrics["agents"]["stories"][0]["tokensIn"], 120);
    assert_eq!(metrics["taskRows"][1]["tokens"], 130);
    assert!(ended.stdout.contains("240 tokens in"), "{}", ended.stdout);
    let gates: Vec<String> = project
        .of_kind("gate_finished")
        .iter()
        .map(|gate| format!("{} {}", gate["gate"], gate["verdict"]))
        .collect();
    assert_eq!(gates[..3], [r#""process" "passed""#, r#""artifact" "passed""#, r#""verify" "passed""#]);
    project.nothing_is_left();
}

#[test]
fn a_prompt_holds_the_task_its_checks_and_nothing_of_the_environment_that_is_secret() {
    let check = "test -s out.txt";
    let project = Sandbox::new(&task("T001 Write out.txt", &["write out.txt x"], Some(check)));
    project.hire();
    let mut command = project.command(["implement", "tasks.md", "--yes", "--agent=claude"]);
    command
        .env("PATH", project.path())
        .env("ANTHROPIC_API_KEY", "sk-for-the-agent-0123")
        .env("AWS_PROFILE", "mine");
    command.env("GITHUB_TOKEN", "ghp-not-for-the-agent").env("CARGO_HOME", "/c");
    super::sandbox::finish(command.spawn().unwrap()).expect(0);
    let prompt = project.note("prompt", "T001", 1);
    assert!(
        prompt.contains("T001") && prompt.contains("fake: write out.txt x") && prompt.contains(check),
        "{prompt}"
    );
    let env = project.note("env", "T001", 1);
    for line in
        ["ANTHROPIC_API_KEY=sk-for-the-agent-0123", "CARGO_HOME=/c", "CI=true", "SPECTER_TASK_ID=T001"]
    {
        assert!(env.lines().any(|known| known == line), "{line}\n{env}");
    }
    assert!(!env.contains("ghp-not") && !env.contains("AWS_PROFILE"), "{env}");
}

#[test]
fn who_says_it_is_done_and_changed_nothing_is_asked_again_and_then_it_failed() {
    let project = Sandbox::new(&task("T001 Write out.txt", &["say all done"], None));
    project.hire().agents(&["--retries=2"]).expect(1);
    let classes: Vec<String> = project.failures().into_iter().map(|(class, _)| class).collect();
    assert_eq!(classes, ["no-change"; 3]);
    assert!(project.ticked().is_empty());
    assert!(project.note("prompt", "T001", 2).contains("no file was changed"));
    let first = project.note("session", "T001", 1);
    assert_eq!(project.note("session", "T001", 2), first.replace("new", "resume"), "in the same session");
}

#[test]
fn who_changed_nothing_where_a_check_fails_has_changed_nothing_it_had_to() {
    let orders = ["later write out.txt right"];
    let check = "grep -q right out.txt || { echo not right yet; exit 1; }";
    let project = Sandbox::new(&task("T001 Make it right", &orders, Some(check)));
    project.hire().agents(&[]).expect(0);
    let (class, rule) = project.failures().remove(0);
    assert_eq!(class, "no-change");
    assert!(rule.starts_with("it says it is done, no file changed, and a `verify` block failed"), "{rule}");
    assert!(project.note("prompt", "T001", 2).contains("not right yet"));
}

#[test]
fn a_failed_check_goes_back_to_the_same_session_with_its_output() {
    let check = "grep -q right out.txt || { echo not right yet; exit 1; }";
    let orders = ["first write out.txt wrong", "later write out.txt right"];
    let project = Sandbox::new(&task("T001 Write out.txt", &orders, Some(check)));
    project.hire().agents(&[]).expect(0);
    assert_eq!(project.ticked(), ["T001"]);
    assert_eq!(project.failures()[0].0, "gate");
    assert!(project.note("prompt", "T001", 2).contains("not right yet"));
    assert!(project.note("session", "T001", 2).starts_with("resume "));
}

#[test]
fn a_file_that_the_task_names_and_nobody_made_is_missed() {
    let orders = ["write other.txt x", "later write src/out.txt x"];
    let project = Sandbox::new(&task("T001 Write `src/out.txt`", &orders, None));
    project.hire().agents(&[]).expect(0);
    let (class, rule) = project.failures().remove(0);
    assert!(class == "gate" && rule.contains("`src/out.txt` does not exist"), "{rule}");
    assert!(project.note("prompt", "T001", 2).contains("src/out.txt does not exist"));
}

#[test]
fn who_leaves_what_the_task_names_as_it_was_has_not_done_it() {
    let orders = ["write NOTES.md done", "later write src/out.txt new"];
    let project = Sandbox::new(&task("T001 Extend `src/out.txt`", &orders, None));
    project.write("src/out.txt", "old\n");
    project.hire().agents(&[]).expect(0);
    let (class, rule) = project.failures().remove(0);
    let told = "of what the task names nothing changed: `src/out.txt`";
    assert!(class == "gate" && rule.contains(told), "{rule}");
    assert!(project.note("prompt", "T001", 2).contains(&told.replace('`', "")));
    // A check of its own proves more than names.
    let orders = ["write NOTES.md done"];
    let project = Sandbox::new(&task("T001 Extend `src/out.txt`", &orders, Some("test -s NOTES.md")));
    project.write("src/out.txt", "old\n");
    project.hire().agents(&[]).expect(0);
    assert!(project.failures().is_empty());
}

#[test]
fn a_question_in_the_last_message_is_not_done() {
    let orders = ["write out.txt x", "first ask Should I use tabs or spaces here?"];
    let project = Sandbox::new(&task("T001 Write out.txt", &orders, None));
    project.hire().agents(&[]).expect(0);
    let (class, rule) = project.failures().remove(0);
    assert!(class == "gate" && rule.contains("Should I use tabs or spaces here?"), "{rule}");
    assert!(project.note("prompt", "T001", 2).contains("Nobody is there to answer"));
}

#[test]
fn whatever_an_agent_prints_is_no_success_and_no_crash() {
    let garbage = task("T001 Write a.txt", &["garbage", "quiet 0"], None);
    let silent = task("T002 Write b.txt", &["stderr something is odd", "quiet 3"], None);
    let torn = task("T003 Write c.txt", &["write c.txt x", "first cut"], None);
    let long = task("T004 Write d.txt", &["line 20000000", "write d.txt x"], None);
    let project = Sandbox::new(&[garbage, silent, torn, long].concat());
    project.hire().agents(&["--retries=1", "--continue-on-error"]).expect(1);
    assert_eq!(project.ticked(), ["T003", "T004"]);
    let ended = project.of_kind("attempt_finished");
    let of = |task: &str| ended.iter().filter(move |event| event["task"] == task).collect::<Vec<_>>();
    assert_eq!(of("T003")[0]["outcome"]["signalled"], 9);
    assert!(
        project.note("session", "T003", 2).starts_with("resume "),
        "what it did before it died is not done again"
    );
    assert!(of("T002")[0]["tail"].as_str().unwrap().contains("something is odd"));
    assert!(of("T001").iter().all(|event| event["class"] != "no-change" || event["rule"].is_string()));
    project.nothing_is_left();
}

#[test]
fn limits_spend_no_attempt_and_a_full_context_begins_a_new_session() {
    let limited =
        task("T001 Write a.txt", &["first error 429 Request rejected (429)", "write a.txt x"], None);
    let full = task(
        "T002 Write b.txt",
        &["first error 400 prompt is too long: 250000 tokens > 200000 maximum", "write b.txt x"],
        None,
    );
    let project = Sandbox::new(&[limited, full].concat());
    project.write("specter.toml", QUICK);
    project.hire().agents(&["--retries=1"]).expect(0);
    let failures = project.failures();
    assert_eq!(failures[0].0, "rate-limit", "{failures:?}");
    assert!(project.note("session", "T001", 2).starts_with("resume "));
    assert_eq!(failures[1].0, "transient", "{failures:?}");
    assert!(project.note("session", "T002", 2).starts_with("new "), "{failures:?}");
    let project = Sandbox::new(&task(
        "T001 Write a.txt",
        &["first error 429 Request rejected (429)", "write a.txt x"],
        None,
    ));
    project.write("specter.toml", QUICK);
    project.hire().agents(&["--retries=0"]).expect(0);
    let told: Vec<String> =
        project.of_kind("provider_held").iter().map(|event| event["why"].to_string()).collect();
    assert_eq!(told, ["\"rate-limit\""]);
    assert_eq!(project.of_kind("provider_opened").len(), 1);
}

/// Limits that name no time last thirty times as long.
const QUICK: &str = "[retry]\nbase = '20ms'\n";

#[test]
fn a_usage_limit_that_is_not_waited_for_ends_the_run_with_its_end_and_a_resume_does_not_run_into_it() {
    let limit = "error 429 You've hit your 5-hour limit · resets 3:36am (UTC)";
    let tasks =
        [task("T001 Write a.txt", &[limit], None), task("T002 Write b.txt", &["write b.txt x"], None)];
    let project = Sandbox::new(&tasks.concat());
    let ended = project.hire().agents(&["--on-limit=stop"]).expect(3);
    assert!(ended.stderr.contains("is at its limit until 20"), "{}", ended.stderr);
    assert!(ended.stderr.contains(":36 UTC"), "{}", ended.stderr);
    assert_eq!(project.failures()[0].0, "usage-limit");
    let held = project.of_kind("provider_held");
    assert_eq!((held.len(), &held[0]["told"]), (1, &Value::Bool(true)));
    // However long it is until half past three: longer than a moment.
    let ended = project.agents(&["--resume", "--max-wait=1ms", "--on-limit=wait"]).expect(3);
    assert!(ended.stderr.contains("is at its limit until 20"), "{}", ended.stderr);
    assert_eq!(project.of_kind("attempt_started").len(), 1, "nothing was asked");
    let why = project.run(["why", "T002", "tasks.md"]).expect(0);
    assert!(why.stdout.contains("is held until"), "{}", why.stdout);
}

#[test]
fn a_time_of_day_without_its_zone_is_one_of_the_machines() {
    let limit = "error 429 You've hit your usage limit. Try again at 3:36 AM.";
    let project = Sandbox::new(&task("T001 Write a.txt", &[limit], None));
    project.hire();
    let usual = ["implement", "tasks.md", "--yes", "--agent=claude", "--on-limit=stop"];
    let mut command = project.command(usual);
    let ended =
        super::sandbox::finish(command.env("PATH", project.path()).env("TZ", "IST-5:30").spawn().unwrap());
    assert!(ended.expect(3).stderr.contains("22:06 UTC"));
}

#[test]
fn what_agents_used_ends_the_run_at_its_budget() {
    let tasks = ["001", "002", "003"]
        .map(|name| task(&format!("T{name} Write {name}.txt"), &[&format!("write {name}.txt x")], None));
    for (budget, told) in [("--max-tokens=200", "200 tokens"), ("--max-cost=0.02", "$0.02")] {
        let project = Sandbox::new(&tasks.concat());
        let ended = project.hire().agents(&[budget]).expect(3);
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
        assert_eq!(project.of_kind("attempt_started").len(), 2);
    }
}

#[test]
fn who_is_not_logged_in_is_not_asked_again() {
    let orders = ["error 401 Invalid API key · Please run /login"];
    let project = Sandbox::new(&task("T001 Write a.txt", &orders, None));
    project.hire().agents(&[]).expect(1);
    let failures = project.failures();
    assert_eq!((failures.len(), failures[0].0.as_str()), (1, "permanent"), "{failures:?}");
}

#[test]
fn the_stuck_are_found_and_ended_with_all_they_started_and_go_on_in_their_session() {
    for stuck in ["hang", "chatter", "wait-in-tool"] {
        let order = format!("first {stuck}");
        let tasks = task("T001 Write a.txt", &["first write a.txt x", &order, "write a.txt y"], None);
        let project = Sandbox::new(&tasks);
        let started = Instant::now();
        // A tool whose process lives is no standstill: only the time for all of it ends that.
        let limits = if stuck == "wait-in-tool" {
            ["--timeout=2s", "--stall=1s"]
        } else {
            ["--timeout=60s", "--stall=1s"]
        };
        project.hire().agents(&[limits[0], limits[1], "--grace=1s"]).expect(0);
        assert!(started.elapsed() < Duration::from_secs(40), "{stuck}: {:?}", started.elapsed());
        let (class, rule) = project.failures().remove(0);
        let expected = if stuck == "wait-in-tool" { "no end after" } else { "no progress for 1s" };
        assert!(class == "transient" && rule.contains(expected), "{stuck}: {rule}");
        assert!(project.note("session", "T001", 2).starts_with("resume "), "{stuck}");
        let quiet = project.of_kind("attempt_quiet");
        let first = quiet.iter().filter(|told| told["attempt"] == 1);
        let stages: Vec<Value> = first.map(|told| told["stage"].clone()).collect();
        // Who reads nothing after its prompt cannot be asked whether it goes on.
        let expected: &[&str] = if stuck == "wait-in-tool" { &[] } else { &["notice", "soft_stop"] };
        assert_eq!(stages, expected, "{stuck}");
        project.nothing_is_left();
    }
}

#[test]
fn who_is_asked_to_end_may_tidy_up_and_who_does_not_is_ended() {
    for (stuck, noted) in [("tidy-hang", "interrupted\n"), ("deaf-hang", "")] {
        let orders = ["first write a.txt x", &format!("first {stuck}"), "write a.txt y"];
        let project = Sandbox::new(&task("T001 Write a.txt", &orders, None));
        project.hire().agents(&["--stall=1s", "--timeout=60s", "--grace=1s"]).expect(0);
        let (class, rule) = project.failures().remove(0);
        assert!(class == "transient" && rule.contains("no progress for 1s"), "{stuck}: {rule}");
        assert_eq!(project.note("tidied", "T001", 1), noted, "{stuck}");
        assert!(project.note("session", "T001", 2).starts_with("resume "), "{stuck}");
        project.nothing_is_left();
    }
}

#[test]
fn a_daemon_that_an_agent_leaves_ends_with_it_and_is_told() {
    let project = Sandbox::new(&task("T001 Write a.txt", &["write a.txt x", "daemon"], None));
    project.hire().agents(&[]).expect(0);
    let ended = &project.of_kind("attempt_finished")[0];
    assert!(ended["leaked"].to_string().contains("sleep"), "{ended}");
    project.nothing_is_left();
}

#[test]
fn ten_thousand_events_are_recorded_and_very_much_output_takes_no_more_memory() {
    let lines = scale("SPECTER_AGENT_LINES", 300_000);
    let flood = format!("flood {lines}");
    let project = Sandbox::new(
        &[
            task("T001 Write a.txt", &["events 10000", "write a.txt x"], None),
            task("T002 Write b.txt", &[&flood, "write b.txt x"], None),
        ]
        .concat(),
    );
    project.hire();
    let mut command = project.command(["implement", "tasks.md", "--yes", "--agent=claude", "-q"]);
    command.env("PATH", project.path());
    let mut child = command.spawn().unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = peak
            .max(high.and_then(|kib| kib.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    super::sandbox::finish(child).expect(0);
    assert_eq!(project.ticked(), ["T001", "T002"]);
    let steps = project.of_kind("agent_step");
    assert_eq!(steps.iter().filter(|step| step["task"] == "T001").count(), 10_000);
    let ended = project.of_kind("attempt_finished");
    assert!(ended[1]["output_bytes"].as_u64().unwrap() > lines * 100);
    let log = project
        .root()
        .join(".specter/runs")
        .join(project.of_kind("run_started")[0]["info"]["run"].as_str().unwrap());
    let log = log.join(ended[1]["log"].as_str().unwrap());
    assert!(log.metadata().unwrap().len() <= 65 << 20);
    println!("{} bytes printed, peak {peak} KiB", ended[1]["output_bytes"]);
    assert!(peak < 120 << 10, "{peak} KiB");
}

#[test]
fn agents_side_by_side_work_in_trees_of_their_own_and_what_they_commit_is_folded_in() {
    if no_git() {
        return;
    }
    let tasks = [
        task(
            "T001 [P] Write src/a.txt",
            &["write src/a.txt a", "run git add -A; git -c user.name=a -c user.email=a@b commit -qm mine"],
            Some("test -s src/a.txt"),
        ),
        task(
            "T002 [P] Write src/b.txt",
            &["write src/b.txt wrong", "later write src/b.txt right"],
            Some("grep -q right src/b.txt"),
        ),
        task("T003 [P] Write src/c.txt", &["write src/c.txt c"], Some("test -s src/c.txt")),
    ];
    let project = Project::new(&tasks.concat(), &[("README.md", "x\n")]);
    let own = project.own();
    project.hire().agents(&["--parallel", "-j3"]).expect(0);
    assert_eq!(project.own(), own);
    assert_eq!(project.sandbox.ticked(), ["T001", "T002", "T003"]);
    assert_eq!(project.sandbox.read("src/b.txt"), "right\n");
    assert_eq!(project.of_kind("worktree_leased").len(), 4);
    let trees: Vec<Value> = project
        .of_kind("worktree_leased")
        .into_iter()
        .filter(|event| event["task"] == "T002")
        .map(|event| event["path"].clone())
        .collect();
    assert_eq!(trees[0], trees[1], "the second attempt goes on where the first ended");
    assert!(project.note("session", "T002", 2).starts_with("resume "));
    project.fsck();
    project.nothing_is_left();
}

#[test]
fn an_agent_that_writes_outside_or_into_the_task_file_changes_neither() {
    if no_git() {
        return;
    }
    let project = Project::new("", &[("README.md", "x\n")]);
    let outside = project.sandbox.root().join("README.md");
    let escape = format!("first run echo changed >> {}", outside.display());
    let tasks = [
        task("T001 Write a.txt", &["write a.txt x", &escape], None),
        task("T002 Write b.txt", &["write b.txt x", "run sed -i s/T002/T999/ tasks.md"], None),
    ];
    project.sandbox.write("tasks.md", &tasks.concat());
    project.git(&["add", "-A"]);
    project.git(&["commit", "-qm", "tasks"]);
    project.hire().agents(&["--isolation=worktree", "--user-edits=none", "--sandbox=off"]).expect(0);
    assert_eq!(project.of_kind("escaped").len(), 1);
    assert_eq!(project.failures()[0].0, "gate");
    assert_eq!(project.sandbox.ticked(), ["T001", "T002"]);
}

#[test]
fn an_agent_that_writes_into_the_tree_of_another_at_work_is_found_and_neither_is_integrated_so() {
    if no_git() {
        return;
    }
    let tasks = [
        task("T001 [P] Write a.txt", &["first await into.T001", "write a.txt a"], None),
        task("T002 [P] Write b.txt", &["write b.txt b", "first into T001 astray.txt"], None),
    ];
    let project = Project::new(&tasks.concat(), &[("README.md", "x\n")]);
    project.hire().agents(&["--parallel", "-j2", "--user-edits=none", "--sandbox=off"]).expect(0);
    let escaped = project.of_kind("escaped");
    let told: Vec<(&str, &str)> =
        escaped.iter().map(|e| (e["task"].as_str().unwrap(), e["changes"][0].as_str().unwrap())).collect();
    assert!(told.contains(&("T001", "T002 wrote `astray.txt` in this task's working tree")), "{told:?}");
    assert!(told.contains(&("T002", "wrote `astray.txt` in the working tree of T001")), "{told:?}");
    assert_eq!(told.len(), 2);
    // Both were done again, and what was astray is in neither: it is kept with the attempt in whose tree it was.
    assert_eq!(project.sandbox.ticked(), ["T001", "T002"]);
    assert_eq!(project.sandbox.read("a.txt"), "a\n");
    assert!(!project.sandbox.root().join("astray.txt").exists());
    let saved = project.of_kind("attempt_saved");
    let of_first = saved.iter().find(|event| event["task"] == "T001" && event["attempt"] == 1).unwrap();
    let kept = format!("{}:astray.txt", of_first["commit"].as_str().unwrap());
    assert_eq!(project.git(&["show", &kept]), "stray\n");
    project.fsck();
}

#[test]
fn what_an_agent_says_of_its_files_names_no_working_tree_to_the_next() {
    if no_git() {
        return;
    }
    let tasks = [
        task("T001 Write a.txt", &["write a.txt a", "where a.txt"], None),
        task("T002 Write b.txt (depends on T001)", &["write b.txt b"], None),
    ];
    let project = Project::new(&tasks.concat(), &[("README.md", "x\n")]);
    project.hire().agents(&["--isolation=worktree", "--user-edits=none"]).expect(0);
    let tree = project.of_kind("worktree_leased")[0]["path"].as_str().unwrap().to_owned();
    let prompt = project.note("prompt", "T002", 1);
    assert!(prompt.contains("made a.txt"), "{prompt}");
    assert!(!prompt.contains(&format!("{tree}/a.txt")), "{prompt}");
}

#[test]
fn a_box_that_an_agent_ticks_is_cleared_and_earned() {
    let tasks = [
        task(
            "T001 Write a.txt",
            &["write a.txt x", "run sed -i 's/\\[ \\]/[x]/' tasks.md", "run sleep 2"],
            None,
        ),
        task("T002 Write b.txt", &["say nothing"], None),
    ];
    let project = Sandbox::new(&tasks.concat());
    project.hire().agents(&["--retries=0"]).expect(1);
    assert_eq!(project.ticked(), ["T001"]);
    let notes: Vec<String> =
        project.of_kind("note").iter().map(|note| note["text"].as_str().unwrap().to_owned()).collect();
    assert!(
        notes.iter().any(|note| note.contains("ticked while an agent worked here") && note.contains("T002")),
        "{notes:?}"
    );
}

#[test]
fn a_killed_run_leaves_no_agent_and_goes_on_in_its_session() {
    let orders = ["write a.txt x", "first daemon", "first hang", "write a.txt y"];
    let project = Sandbox::new(&task("T001 Write a.txt", &orders, Some("grep -q y a.txt")));
    project.hire();
    let mut command = project.command(["implement", "tasks.md", "--yes", "--agent=claude"]);
    command.env("PATH", project.path());
    let mut child = command.spawn().unwrap();
    super::sandbox::until("the agent to work", || !project.of_kind("agent_step").is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    super::sandbox::until("nothing to be left", || processes_in(&project.root()).is_empty());
    let mut command = project.command(["resume", "tasks.md", "--yes"]);
    command.env("PATH", project.path());
    super::sandbox::finish(command.spawn().unwrap()).expect(0);
    assert_eq!(project.ticked(), ["T001"]);
    assert_eq!(project.of_kind("attempt_started").len(), 2);
}

#[test]
fn who_finds_all_done_by_the_attempt_before_has_not_done_nothing() {
    let orders = ["first write a.txt x", "first cut"];
    let project = Sandbox::new(&task("T001 Write a.txt", &orders, None));
    project.hire().agents(&[]).expect(0);
    assert_eq!(project.ticked(), ["T001"]);
}

#[test]
fn what_contradicts_others_work_is_done_again_from_where_they_stand() {
    if no_git() {
        return;
    }
    let wait = |own: &str, other: &str| {
        format!("first run touch $HOME/fake/{own}; while [ ! -e $HOME/fake/{other} ]; do sleep 0.05; done")
    };
    let tasks = [
        task(
            "T001 [P] Change the first line",
            &[&wait("a", "b"), "run sed -i s/one/ONE/ shared.txt", "run echo first >> shared.txt"],
            None,
        ),
        task(
            "T002 [P] Change it too",
            &[&wait("b", "a"), "run sed -i s/one/Two/I shared.txt", "run echo more >> shared.txt"],
            None,
        ),
    ];
    let project = Project::new(&tasks.concat(), &[("shared.txt", "one\n")]);
    project.hire().agents(&["--parallel", "-j2"]).expect(0);
    assert_eq!(project.sandbox.ticked(), ["T001", "T002"]);
    assert_eq!(project.of_kind("conflicted").len(), 1);
    let again = project.of_kind("attempt_started").into_iter().find(|start| start["attempt"] == 2).unwrap();
    let prompt = project.note("prompt", again["task"].as_str().unwrap(), 2);
    assert!(prompt.contains("was not taken over: conflicts in shared.txt"), "{prompt}");
    assert!(project.note("session", again["task"].as_str().unwrap(), 2).starts_with("new "));
    project.fsck();
}

#[test]
fn an_agent_of_the_users_own_is_called_as_configured_and_a_task_may_name_its_agent() {
    let mine = task("T001 Write a.txt", &["write a.txt x"], None)
        .replace("a.txt\n  -", "a.txt\n  - agent: mine\n  -");
    let project = Sandbox::new(&(mine + &task("T002 Write b.txt", &["write b.txt x"], None)));
    project.hire();
    let config = project.home().join(".config/specter/config.toml");
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    let text = "agent = \"claude\"\n[agents.mine]\ncommand = \"claude\"\nprovider = \"me\"\nevents = \"claude-stream-json\"\n\
                args = [\"--session-id\", \"fixed\"]\nenv = { MINE = \"yes\" }\n";
    std::fs::write(config, text).unwrap();
    let mut command = project.command(["implement", "tasks.md", "--yes"]);
    command.env("PATH", project.path());
    super::sandbox::finish(command.spawn().unwrap()).expect(0);
    let executors: Vec<Value> =
        project.of_kind("attempt_started").iter().map(|start| start["executor"].clone()).collect();
    assert_eq!(executors, ["mine", "claude"]);
    assert_eq!(project.note("session", "T001", 1), "new fixed\n");
    assert!(project.note("env", "T001", 1).contains("MINE=yes\n"));
    let providers = &project.metrics()["agents"]["providers"];
    assert_eq!((&providers[0]["name"], &providers[1]["name"]), (&"me".into(), &"anthropic".into()));
}

#[test]
fn a_role_that_a_task_is_given_is_nobodys_name_and_a_name_that_is_nearly_right_is_told() {
    let with = |line: &str| {
        let tasks = task("T001 Write a.txt", &["write a.txt x"], None);
        Sandbox::new(&tasks.replace("a.txt\n  -", &format!("a.txt\n  - {line}\n  -")))
    };
    for line in ["**Agent**: Backend Developer", "Agent: Designer", "agent: qa", "agent: Claude"] {
        let project = with(line);
        project.hire().agents(&[]).expect(0);
        assert_eq!(project.of_kind("attempt_started")[0]["executor"], "claude", "{line}");
        assert!(project.note("prompt", "T001", 1).contains(line), "who does it is told of its role");
    }
    let said = with("agent: cluade").hire().agents(&[]).expect(78).stderr;
    assert!(said.contains("no agent `cluade` is known") && said.contains("did you mean `claude`?"), "{said}");
}

#[test]
fn doctor_asks_installed_agents_and_tells_who_answers() {
    let project = Sandbox::new("- [ ] T001 Write a.txt\n");
    project.hire();
    let doctor = |fake: &str| {
        std::fs::write(project.home().join("bin/claude"), fake).unwrap();
        let mut command = project.command(["doctor", "--agents", "--format=json"]);
        let path = format!("{}:/usr/bin:/bin", project.home().join("bin").display());
        command.env("PATH", path);
        let told: Value =
            serde_json::from_str(&super::sandbox::finish(command.spawn().unwrap()).stdout).unwrap();
        let of_agent = |finding: &&Value| finding["what"] == "agent claude";
        told["findings"].as_array().unwrap().iter().find(of_agent).unwrap().clone()
    };
    let told = doctor(FAKE);
    assert!(told["level"] == "ok" && told["text"].as_str().unwrap().contains("answers, after"), "{told}");
    let told = doctor(&FAKE.replace("step=0\n", "fail 401 'Invalid API key'\nstep=0\n"));
    assert!(told["level"] == "warn" && told["text"].as_str().unwrap().contains("does not answer"), "{told}");
    assert!(told["help"][0].as_str().unwrap().contains("/login"), "{told}");
}

#[test]
fn agents_that_are_not_there_are_told_of_before_anything_runs() {
    let project = Sandbox::new(&task("T001 Write a.txt", &[], None));
    let run = |agent: &str| {
        let agent = format!("--agent={agent}");
        let mut command = project.command(["implement", "tasks.md", "--yes", &agent]);
        command.env("PATH", "/usr/bin:/bin");
        super::sandbox::finish(command.spawn().unwrap())
    };
    let said = run("claude").expect(69).stderr;
    assert!(said.contains("`claude` is not installed") && said.contains("npm install"), "{said}");
    let said = run("cluade").expect(78).stderr;
    assert!(said.contains("did you mean `claude`?"), "{said}");
    let said = run("auto").expect(69).stderr;
    assert!(said.contains("no coding agent is installed"), "{said}");
    let said = project.run(["implement", "tasks.md", "--yes"]).expect(69).stderr;
    assert!(said.contains("1 open task without work") && said.contains("--agent"), "{said}");
    assert!(!project.exists(".specter/runs"));
}

#[test]
fn secrets_in_what_an_agent_does_and_prints_are_masked_everywhere() {
    let orders =
        ["run echo sk-secret-of-mine-01234567", "say the key is sk-secret-of-mine-01234567", "write a.txt x"];
    let project = Sandbox::new(&task("T001 Write a.txt", &[], None));
    let tasks =
        task("T001 Write a.txt", &orders, None).replace("sk-secret-of-mine-01234567", "$ANTHROPIC_API_KEY");
    project.write("tasks.md", &tasks);
    let fake = FAKE.replace("order \"$@\"\n    done 3<", "eval order \"$*\"\n    done 3<");
    project.hire();
    std::fs::write(project.home().join("bin/claude"), fake).unwrap();
    let mut command = project.command(["implement", "tasks.md", "--yes", "--agent=claude", "-vv"]);
    command.env("PATH", project.path()).env("ANTHROPIC_API_KEY", "sk-secret-of-mine-01234567");
    let ended = super::sandbox::finish(command.spawn().unwrap()).expect(0);
    assert!(!ended.all().contains("sk-secret-of-mine"), "{}", ended.all());
    let found = std::process::Command::new("grep")
        .args(["-rl", "sk-secret-of-mine", "."])
        .current_dir(project.root())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    assert!(project.of_kind("agent_step")[0]["title"].as_str().unwrap().contains("***"));
}

#[test]
fn a_run_that_is_told_to_end_ends_its_agents_and_goes_on_later() {
    let project =
        Sandbox::new(&task("T001 Write a.txt", &["write a.txt x", "first hang", "write a.txt y"], None));
    project.hire();
    let mut command = project.command(["implement", "tasks.md", "--yes", "--agent=claude", "--grace=1s"]);
    command.env("PATH", project.path());
    let child = command.spawn().unwrap();
    super::sandbox::until("the agent to work", || !project.of_kind("agent_step").is_empty());
    specter::sys::kill(child.id() as i32, specter::sys::SIGTERM).unwrap();
    super::sandbox::finish(child).expect(143);
    project.nothing_is_left();
    let mut command = project.command(["resume", "tasks.md", "--yes"]);
    command.env("PATH", project.path());
    super::sandbox::finish(command.spawn().unwrap()).expect(0);
    assert_eq!(project.ticked(), ["T001"]);
    assert!(
        project.note("session", "T001", 2).starts_with("resume "),
        "{}",
        project.note("session", "T001", 2)
    );
}

#[test]
fn an_agent_is_told_exactly_what_plan_prompt_prints() {
    let project =
        Sandbox::new(&task("T001 Add the login endpoint in src/login.rs", &["write src/login.rs x"], None));
    project.write(
        "specter.toml",
        "[[domains]]\nname = \"login\"\nwords = [\"login\"]\ninstructions = [\"Use the clock of the server.\"]\n",
    );
    project.write("spec.md", "# Spec\n\n## Login\n\nWho logs in in src/login.rs is greeted.\n");
    let printed = project.run(["plan", "tasks.md", "--prompt=T001"]).expect(0);
    project.hire().agents(&[]).expect(0);
    let told = project.note("prompt", "T001", 1);
    assert!(told.contains("Use the clock of the server."), "{told}");
    assert_eq!(told.trim_end(), printed.stdout.trim_end());
}

#[test]
fn in_the_sandbox_an_agent_writes_to_its_own_place_at_home_and_a_task_of_the_shell_does_not() {
    let own = ["try echo x > ~/.claude/x"];
    let others = ["try echo x > ~/.gemini/x", "try echo x > ~/x"];
    let orders = [own.as_slice(), &others].concat();
    let shell = "- [ ] T001 Try it\n\n  ```sh run\n  ! echo x > ~/.claude/y\n  ```\n\n";
    let project = Sandbox::new(
        &(shell.to_owned()
            + &task("T002 Write a.txt", &[&orders, ["write a.txt x"].as_slice()].concat(), None)),
    );
    let home = project.home();
    // It notes there how it was called.
    project.write("../home/.config/specter/config.toml", "sandbox-write = ['~/fake']\n");
    std::fs::create_dir(home.join(".gemini")).unwrap();
    project.hire().agents(&["--sandbox=write"]).expect(0);
    let oks: Vec<Value> = project.of_kind("agent_step").iter().map(|step| step["ok"].clone()).collect();
    assert_eq!(oks, [true, false, false, true]);
    assert!(home.join(".claude/x").exists() && !home.join(".claude/y").exists() && !home.join("x").exists());
}
