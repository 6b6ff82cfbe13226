//! People edit the task file while a run goes on (SPEC 2.6): their edits survive and are taken up.

use super::sandbox::{Sandbox, finish, processes_in, until};
use std::time::Duration;

/// `T001` waits until the file `go` exists; what comes after is up to the edit.
fn waiting(rest: &str) -> Sandbox {
    Sandbox::new(&format!(
        "# Tasks\n\n- [ ] T001 Wait\n\n  ```sh run\n  echo T001 >> ran\n  until test -e go; do sleep 0.02; done\n  ```\n{rest}"
    ))
}

fn task(id: &str) -> String {
    format!("- [ ] {id} Step\n\n  ```sh run\n  echo {id} >> ran\n  ```\n")
}

/// Starts a run, edits the file while `T001` runs, waits until the edit was noticed, lets it go on to the end.
fn edited(sandbox: &Sandbox, noticed: &str, edit: impl FnOnce(&str) -> String) -> super::sandbox::Ended {
    let child = sandbox.command(["implement", "--yes"]).spawn().unwrap();
    until("the first task to run", || sandbox.exists("ran"));
    let text = edit(&sandbox.read("tasks.md"));
    sandbox.write("tasks.md", &text);
    until("the edit to be noticed", || sandbox.events().iter().any(|event| event["kind"] == noticed));
    sandbox.write("go", "");
    finish(child)
}

#[test]
fn a_task_added_while_running_joins_if_its_commands_were_agreed_to() {
    let sandbox = waiting(&task("T002"));
    // The same commands as T002: nothing new would be executed.
    let again = task("T002").replace("T002 Step", "T003 Step");
    edited(&sandbox, "plan_changed", |text| format!("{text}{again}")).expect(0);
    assert_eq!(sandbox.read("ran"), "T001\nT002\nT002\n");
    assert_eq!(sandbox.ticked(), ["T001", "T002", "T003"]);
}

#[test]
fn commands_that_nobody_agreed_to_wait_for_a_person() {
    let sandbox = waiting(&task("T002"));
    let ended = edited(&sandbox, "note", |text| format!("{text}{}", task("T003")));
    assert_eq!(sandbox.read("ran"), "T001\nT002\n", "{}", ended.all());
    assert_eq!(sandbox.ticked(), ["T001", "T002"]);
    assert!(ended.all().contains("T003"), "{}", ended.all());
}

#[test]
fn a_task_removed_while_running_is_dropped_and_said() {
    let sandbox = waiting(&format!("{}{}", task("T002"), task("T003")));
    let ended = edited(&sandbox, "plan_changed", |text| text.replace(&task("T002"), "")).expect(0);
    assert_eq!(sandbox.read("ran"), "T001\nT003\n");
    assert_eq!(sandbox.ticked(), ["T001", "T003"]);
    assert!(ended.all().contains("T002"), "{}", ended.all());
}

#[test]
fn a_box_that_a_person_ticks_is_believed() {
    let sandbox = waiting(&format!("{}{}", task("T002"), task("T003")));
    edited(&sandbox, "plan_changed", |text| text.replace("- [ ] T002", "- [x] T002")).expect(0);
    assert_eq!(sandbox.read("ran"), "T001\nT003\n");
    assert_eq!(sandbox.ticked(), ["T001", "T002", "T003"]);
}

#[test]
fn a_box_that_a_person_clears_makes_the_task_run_again() {
    let sandbox = Sandbox::new(&format!("{}{}", task("T001"), task("T002")));
    sandbox.run(["implement", "--yes"]).expect(0);
    sandbox.write("tasks.md", &sandbox.read("tasks.md").replace("- [x] T001", "- [ ] T001"));
    sandbox.run(["implement", "--yes"]).expect(0);
    assert_eq!(sandbox.read("ran"), "T001\nT002\nT001\n");
    assert_eq!(sandbox.ticked(), ["T001", "T002"]);
}

#[test]
fn a_box_that_a_person_clears_while_others_run_makes_the_task_run_again() {
    let ids = ["T001", "T002", "T003", "T004"];
    let task = |id| {
        let code = format!("until test -e go-{id}; do sleep 0.01; done; echo {id} >> ran");
        format!("- [ ] {id} [P] Step\n\n  ```sh run\n  {code}\n  ```\n")
    };
    let sandbox = Sandbox::new(&ids.map(task).concat());
    let child = sandbox.command(["implement", "--parallel", "-j4", "--yes"]).spawn().unwrap();
    // One after the other: a box is known to be cleared, and not undone by an old copy, by later ticks that stand.
    for id in &ids[..3] {
        sandbox.write(&format!("go-{id}"), "");
        until("it to be ticked", || sandbox.ids("box_ticked").contains(&(*id).to_owned()));
    }
    sandbox.write("tasks.md", &sandbox.read("tasks.md").replace("- [x] T001", "- [ ] T001"));
    until("it to run again", || sandbox.ids("attempt_started").len() == 5);
    sandbox.write("go-T004", "");
    finish(child).expect(0);
    assert_eq!(sandbox.ticked(), ids);
    for (id, times) in ids.into_iter().zip([2, 1, 1, 1]) {
        assert_eq!(sandbox.read("ran").matches(id).count(), times, "{id}");
    }
}

#[test]
fn a_save_of_an_old_copy_makes_no_finished_task_run_again() {
    let sandbox = waiting("");
    let text = sandbox.read("tasks.md").replace("T001 Wait", "T001 [P] Wait");
    let text = text + &format!("{}{}", task("T002"), task("T003")).replace("Step", "[P] Step");
    sandbox.write("tasks.md", &text);
    let child = sandbox.command(["implement", "--parallel", "-j2", "--yes"]).spawn().unwrap();
    until("the others to be ticked", || sandbox.ids("box_ticked").len() == 2);
    // An editor that had the file open since before; and it adds a task.
    let again = task("T002").replace("T002 Step", "T004 [P] Step");
    sandbox.write("tasks.md", &format!("{text}{again}"));
    until("the new one to be done", || sandbox.ids("task_done").len() == 3);
    sandbox.write("go", "");
    finish(child).expect(0);
    assert_eq!(sandbox.ticked(), ["T001", "T002", "T003", "T004"]);
    assert_eq!(sandbox.read("ran").matches("T003").count(), 1);
    // T004 does what T002 did.
    assert_eq!(sandbox.read("ran").matches("T002").count(), 2);
    assert_eq!(sandbox.ids("attempt_started").len(), 4);
}

#[test]
fn prose_edits_survive_byte_for_byte() {
    let sandbox = waiting(&task("T002"));
    let child = sandbox.command(["implement", "--yes"]).spawn().unwrap();
    until("the first task to run", || sandbox.exists("ran"));
    let text =
        sandbox.read("tasks.md").replace("# Tasks", "# Tasks\r\n\r\nA note\twith a tab and no sense  ");
    sandbox.write("tasks.md", &text);
    sandbox.write("go", "");
    finish(child).expect(0);
    assert_eq!(sandbox.read("tasks.md"), text.replace("- [ ]", "- [x]"));
}

#[test]
fn an_edit_that_cannot_be_planned_changes_nothing_that_runs() {
    let sandbox = waiting(&task("T002"));
    let ended = edited(&sandbox, "note", |text| format!("{text}{}{}", task("T009"), task("T009")));
    assert_eq!(sandbox.read("ran"), "T001\nT002\n");
    assert!(ended.all().contains("duplicate") || ended.all().contains("twice"), "{}", ended.all());
    assert_eq!(sandbox.ticked(), ["T001", "T002"]);
}

#[test]
fn a_file_deleted_while_running_costs_only_its_ticks_until_it_is_back() {
    let sandbox = waiting(&task("T002"));
    let child = sandbox.command(["implement", "--yes"]).spawn().unwrap();
    until("the first task to run", || sandbox.exists("ran"));
    let text = sandbox.read("tasks.md");
    std::fs::remove_file(sandbox.root().join("tasks.md")).unwrap();
    sandbox.write("go", "");
    // Everything is done, and yet the state is not complete: no success.
    let ended = finish(child).expect(74);
    assert!(ended.all().contains("tasks.md"), "{}", ended.all());
    assert_eq!(sandbox.ids("task_done"), ["T001", "T002"]);
    // The record is the truth: back again, the boxes are ticked and nothing runs twice.
    sandbox.write("tasks.md", &text);
    sandbox.run(["resume", "--yes"]).expect(0);
    assert_eq!(sandbox.read("ran"), "T001\nT002\n");
    assert_eq!(sandbox.ticked(), ["T001", "T002"]);
}

#[test]
fn a_second_specter_is_turned_away_and_told_who_holds_the_lock() {
    let sandbox = waiting("");
    let child = sandbox.command(["implement", "--yes"]).spawn().unwrap();
    until("the first task to run", || sandbox.exists("ran"));
    let second = sandbox.run(["implement", "--yes"]).expect(75);
    assert!(second.stderr.contains(&child.id().to_string()), "{}", second.stderr);
    sandbox.write("go", "");
    finish(child).expect(0);
    assert_eq!(sandbox.read("ran"), "T001\n");
}

#[test]
fn a_running_task_that_is_removed_ends_and_what_moved_is_not_mistaken_for_it() {
    let sandbox = waiting(&format!("{}{}", task("T002"), task("T003")));
    let original = sandbox.read("tasks.md");
    let end = original.find("- [ ] T002").unwrap();
    let without_first = format!("# Tasks\n\n{}", &original[end..]);
    edited(&sandbox, "plan_changed", |_| without_first.clone()).expect(0);
    assert_eq!(sandbox.read("ran"), "T001\nT002\nT003\n");
    assert_eq!(sandbox.read("tasks.md"), without_first.replace("- [ ]", "- [x]"));
    assert_eq!(sandbox.ids("attempt_finished"), ["T001", "T002", "T003"]);
}

#[test]
fn what_is_done_and_not_yet_ticked_does_not_run_again_when_an_edit_is_taken_up() {
    // T002 adds a task at once after T001 ended, long before boxes are ticked, and waits until that was noticed.
    let joining = task("T003").replace("echo T003", "echo T001");
    let sandbox = Sandbox::new(&format!(
        "{}- [ ] T002 Edit\n\n  ```sh run\n  cat joining >> tasks.md\n  until grep -q plan_changed .specter/runs/*/journal.ndjson; do sleep 0.02; done\n  echo T002 >> ran\n  ```\n\n",
        task("T001"),
    ));
    sandbox.write("joining", &joining);
    let ended = sandbox.run(["implement", "--yes"]).expect(0);
    assert_eq!(sandbox.read("ran"), "T001\nT002\nT001\n", "{}", ended.all());
    assert_eq!(sandbox.ids("task_done"), ["T001", "T002", "T003"]);
    assert_eq!(sandbox.ticked(), ["T001", "T002", "T003"]);
}

#[test]
fn a_save_of_a_stale_text_that_undoes_ticks_makes_nothing_run_again() {
    // The text was read before T001 was ticked and is saved, with a task more, after.
    let sandbox = Sandbox::new(&format!(
        "{}- [ ] T002 Edit\n\n  ```sh run\n  cat tasks.md joining > new\n  until grep -q '^- .x. T001' tasks.md; do sleep 0.02; done\n  mv new tasks.md\n  until grep -q plan_changed .specter/runs/*/journal.ndjson; do sleep 0.02; done\n  echo T002 >> ran\n  ```\n\n",
        task("T001"),
    ));
    sandbox.write("joining", &task("T003").replace("echo T003", "echo T001"));
    let ended = sandbox.run(["implement", "--yes"]).expect(0);
    assert_eq!(sandbox.read("ran"), "T001\nT002\nT001\n", "{}", ended.all());
    assert_eq!(sandbox.ids("task_done"), ["T001", "T002", "T003"]);
    assert_eq!(sandbox.ticked(), ["T001", "T002", "T003"]);
}

/// A run is killed after T001 and T002 were ticked, one look apart, and while T003 runs. Then `edit` makes the text
/// that is found by the resume, saved `later` than the run's last record. Returns what ran, oldest first.
fn killed_and_edited(later: Duration, edit: impl FnOnce(&str) -> String) -> String {
    let slow = "- [ ] T002 Step\n\n  ```sh run\n  until grep -q '^- .x. T001' tasks.md; do sleep 0.02; done\n  echo T002 >> ran\n  ```\n";
    let last = "- [ ] T003 Wait\n\n  ```sh run\n  until test -e go; do sleep 0.02; done\n  echo T003 >> ran\n  ```\n";
    let sandbox = Sandbox::new(&format!("{}{slow}{last}", task("T001")));
    let mut child = sandbox.command(["implement", "--yes"]).spawn().unwrap();
    until("two boxes to be ticked", || sandbox.ids("box_ticked") == ["T001", "T002"]);
    child.kill().unwrap();
    child.wait().unwrap();
    until("the killed run's processes to be gone", || processes_in(&sandbox.root()).is_empty());
    sandbox.write("tasks.md", &edit(&sandbox.read("tasks.md")));
    sandbox.write("go", "");
    let file = std::fs::File::options().write(true).open(sandbox.root().join("tasks.md")).unwrap();
    file.set_modified(sandbox.journal_written() + later).unwrap();
    sandbox.run(["resume", "--yes"]).expect(0);
    assert_eq!(sandbox.ticked(), ["T001", "T002", "T003"]);
    sandbox.read("ran")
}

const AT_ONCE: Duration = Duration::ZERO;
const MUCH_LATER: Duration = Duration::from_secs(20);

#[test]
fn a_stale_text_saved_just_before_a_crash_makes_nothing_run_again() {
    let without_the_last = |text: &str| text.replace("[x] T002", "[ ] T002");
    assert_eq!(killed_and_edited(AT_ONCE, without_the_last), "T001\nT002\nT003\n");
    let without_any = |text: &str| text.replace("[x]", "[ ]");
    assert_eq!(killed_and_edited(AT_ONCE, without_any), "T001\nT002\nT003\n");
}

#[test]
fn a_box_cleared_just_before_a_crash_runs_again_if_a_later_one_stands() {
    let without_the_first = |text: &str| text.replace("[x] T001", "[ ] T001");
    assert_eq!(killed_and_edited(AT_ONCE, without_the_first), "T001\nT002\nT001\nT003\n");
}

#[test]
fn any_box_cleared_after_a_crash_runs_again() {
    let without_the_last = |text: &str| text.replace("[x] T002", "[ ] T002");
    assert_eq!(killed_and_edited(MUCH_LATER, without_the_last), "T001\nT002\nT002\nT003\n");
}
