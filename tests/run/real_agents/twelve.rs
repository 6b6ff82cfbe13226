//! Twelve tasks side by side, each in a working tree of its own: all verified, and the record tells step by step what the
//! model ordered.

use super::{Account, Real};
use crate::git::no_git;
use crate::model::{Action, INPUT, Model, OUTPUT};
use crate::run::agents::Agents as _;
use crate::run::sandbox::finish;
use crate::run::worktrees::Project;
use serde_json::Value;

const WORDS: [&str; 12] =
    ["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay", "kiwi", "lynx"];
/// Two files and a command.
const STEPS: u64 = 3;

#[test]
fn real_agents_do_twelve_tasks_side_by_side_and_the_record_tells_what_the_model_ordered() {
    let all = Real::all();
    if all.is_empty() || no_git() {
        return;
    }
    for real in &all {
        twelve_tasks(real);
    }
}

fn task(word: &str, id: &str) -> String {
    format!(
        "- [ ] {id} [P] Create src/{word}.py that prints {word}, and docs/{word}.md\n  \
           - order: write src/{word}.py print(\"{word}\")\n  \
           - order: run python3 src/{word}.py\n  \
           - order: write docs/{word}.md # The {word}\\n\\nIt prints.\n\n  \
         ```sh verify\n  test \"$(python3 src/{word}.py)\" = {word}\n  grep -q 'It prints' docs/{word}.md\n  ```\n\n"
    )
}

/// What the record tells of a step, in the words of an order.
pub(super) fn did(step: &Value) -> Action {
    let what = if step["action"] == "edit" { &step["paths"][0] } else { &step["title"] };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Action { action: text(&step["action"]), what: text(what) }
}

fn twelve_tasks(real: &Real) {
    let name = real.name;
    let ids: Vec<String> = (1..=WORDS.len()).map(|n| format!("T{n:03}")).collect();
    let tasks: String = WORDS.iter().zip(&ids).map(|(word, id)| task(word, id)).collect();
    let project = Project::new(&tasks, &[("README.md", "# an example\n")]);
    let own = project.own();
    let model = Model::start();
    let started = std::time::Instant::now();
    let mut command = real.implement(&project, &model, Account::Key, &["--parallel", "-j4", "--stall=2m"]);
    let ended = finish(command.spawn().unwrap());
    let took = started.elapsed();
    let log = project.sandbox.read(".specter/implementation.log");
    assert_eq!(ended.code, Some(0), "{name}\n{}\n{log}\n{:?}", ended.all(), model.log());
    assert_eq!(project.sandbox.ticked(), ids, "{name}");
    let done = project.of_kind("task_done");
    assert!(done.iter().all(|done| done["verdict"] == "verified"), "{name}: {done:?}");
    let leased = project.of_kind("worktree_leased");
    assert_eq!(leased.len(), WORDS.len(), "{name}: each in a working tree of its own\n{log}");

    let (steps, attempts) = (project.of_kind("agent_step"), project.of_kind("attempt_finished"));
    assert_eq!(attempts.len(), WORDS.len(), "{name}: no attempt failed\n{log}");
    for id in &ids {
        let of_task = |event: &&Value| event["task"] == id.as_str();
        // Leave that was asked for is no action.
        let is_action = |step: &&Value| of_task(step) && step["action"] != "permit";
        let mut mine: Vec<&Value> = steps.iter().filter(is_action).collect();
        mine.sort_by_key(|step| step["n"].as_u64());
        assert!(mine.iter().all(|step| step["ok"] != false), "{name}, {id}: {mine:?}");
        let ordered = model.ordered(id);
        assert_eq!(ordered.len() as u64, STEPS, "{name}, {id}: {:?}", model.log());
        let told: Vec<Action> = mine.into_iter().map(did).collect();
        assert_eq!(told, ordered, "{name}, {id}: the record tells what was ordered");
        for Action { action, what } in &ordered {
            assert!(log.contains(&format!("    - {action} {what}")), "{name}, {id}: {action} {what}\n{log}");
        }
        let agent = &attempts.iter().find(of_task).unwrap()["agent"];
        assert!(agent["session"].as_str().is_some_and(|session| !session.is_empty()), "{name}: {agent}");
        let answers = model.answered(id);
        assert_eq!(answers, STEPS + 1, "{name}, {id}: one for each step and one for the end");
        let spent = (&agent["spent"]["input"], &agent["spent"]["output"]);
        assert_eq!(spent, (&(answers * INPUT).into(), &(answers * OUTPUT).into()), "{name}, {id}: {agent}");
    }
    let tokens = WORDS.len() as u64 * (STEPS + 1) * (INPUT + OUTPUT);
    assert_eq!(project.sandbox.metrics()["resources"]["tokens"], tokens, "{name}: in the metrics");
    assert_eq!(project.own(), own, "{name}: nothing of the user's changed");
    project.fsck();
    project.nothing_is_left();
    println!(
        "{name}: {} tasks verified in {took:.1?}, {} steps as ordered, {tokens} tokens",
        ids.len(),
        steps.len()
    );
}
