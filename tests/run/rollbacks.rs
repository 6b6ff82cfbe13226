//! Going back, stopped between any two of its effects: whoever starts next finishes it, and nothing is lost.

use crate::cli::kept::{TASKS, checkpoint_tree, files, fsck, implement, own, repository, tree_now};
use crate::git::no_git;
use crate::run::sandbox::{Sandbox, scale};
use specter::clock::Clock;
use specter::driver::rollback::{Goal, Place, begin, preview};
use specter::git::{Git, Rules, Run, Steps};
use specter::history::checkpoints::{done_after, find, points};
use specter::journal::Store;
use std::collections::HashSet;
use std::path::PathBuf;

const TO: &str = "before Phase 2: Core";

/// Goes back in this process, stopped after so many effects. False once nothing was stopped any more.
fn go_back(sandbox: &Sandbox, steps: u32) -> bool {
    let root = sandbox.root().canonicalize().unwrap();
    let store = Store::find(&root, None).unwrap().unwrap();
    let lock = store.lock("a test", 0).unwrap();
    let run = store.latest(None).unwrap().unwrap();
    let loaded = store.load(&run).unwrap();
    let rules = Rules::new(&[PathBuf::from("tasks.md")]);
    let git = Git::open(&root, store.dir(), Run::new(run.as_str()), rules, Clock::start()).unwrap();
    let mut git = git.with_steps(Steps::at_most(steps));
    let points = points(&loaded.events);
    let point = find(&points, &[], TO).unwrap();
    let then = done_after(loaded.events.iter().take_while(|event| event.seq <= point.seq));
    let now = done_after(&loaded.events);
    let (name, reference) = (point.name.as_str(), point.reference.as_str());
    let may_tick = HashSet::new();
    let goal = Goal { name, reference, then: &then, now: &now, may_tick: &may_tick };
    let (task_file, except) = (root.join("tasks.md"), [PathBuf::from("tasks.md")]);
    let place = Place {
        store: &store,
        run: &run,
        lock: &lock,
        loaded: &loaded,
        task_file: &task_file,
        except: &except,
        now_ms: Clock::start().wall_ms(),
    };
    let Ok(preview) = preview(&mut git, &goal, &place) else { return true };
    begin(&mut git, &preview.rollback, &place).is_err()
}

/// What must hold after the going back is finished, however often it was begun.
fn check_back(sandbox: &Sandbox, then: &str, steps: u32) {
    assert_eq!(sandbox.ticked(), ["T001", "T002"], "stopped after {steps}");
    assert_eq!(tree_now(sandbox), then, "stopped after {steps}");
    assert_eq!(sandbox.ids("rolled_back").len(), 1, "stopped after {steps}");
    let run = sandbox.journal().unwrap();
    assert!(!run.with_file_name("rollback.json").exists(), "stopped after {steps}");
}

#[test]
fn a_going_back_that_was_stopped_anywhere_is_finished_by_the_same_command_and_by_resume() {
    if no_git() {
        return;
    }
    let base = repository(TASKS);
    // In the project itself: what is kept elsewhere is known by the project's path, and this one is copied.
    base.run(["implement", "--yes"]).expect(0);
    base.write("notes", "mine\n");
    let full = files(&base.root());
    let then = checkpoint_tree(&base, TO);
    let every = scale("SPECTER_ROLLBACK_EVERY", 4) as u32;
    let (mut steps, mut stops, mut unbegun) = (0, 0, 0);
    loop {
        let sandbox = base.copy();
        let own_before = own(&sandbox.root());
        let is_stopped = go_back(&sandbox, steps);
        assert_eq!(own(&sandbox.root()), own_before, "stopped after {steps}");
        let is_begun = sandbox.journal().unwrap().with_file_name("rollback.json").exists();
        stops += u32::from(is_stopped);
        unbegun += u32::from(is_stopped && !is_begun);
        if is_stopped && !is_begun && sandbox.ids("rolled_back").is_empty() {
            // Nothing has happened yet, and nothing is finished by itself.
            assert_eq!(files(&sandbox.root()), full, "stopped after {steps}");
        }
        if steps % 2 == 0 || !is_begun {
            sandbox.run(["rollback", "--to=phase:2"]).expect(0);
            check_back(&sandbox, &then, steps);
        }
        sandbox.run(["resume", "--yes"]).expect(0);
        assert_eq!(sandbox.ticked().len(), 4, "stopped after {steps}");
        assert_eq!(sandbox.ids("rolled_back").len(), 1, "stopped after {steps}");
        assert_eq!(sandbox.read("a.txt"), "a\nmore\n", "stopped after {steps}");
        assert!(!sandbox.exists("notes"), "stopped after {steps}");
        // Whatever was there before the first step can be had again.
        sandbox.run(["rollback", "--to=before-rollback-1"]).expect(0);
        assert_eq!(files(&sandbox.root()), full, "stopped after {steps}");
        assert_eq!(own(&sandbox.root()), own_before, "stopped after {steps}");
        fsck(&sandbox.root());
        if !is_stopped {
            break;
        }
        steps += every;
    }
    println!("{stops} stops, {unbegun} of them before anything was changed, the last after {steps} effects");
    assert!(stops > 4 && unbegun > 0 && stops > unbegun, "{stops} {unbegun}");
}

#[test]
fn a_run_that_was_killed_is_gone_back_on_with_what_it_left_saved() {
    if no_git() {
        return;
    }
    let tasks = TASKS.replace("echo c > c.txt", "echo half > half.txt && touch started && sleep 600");
    let sandbox = repository(&tasks);
    let mut child = sandbox.command(["implement", "--yes", "--isolation=worktree"]).spawn().unwrap();
    let trees = sandbox.root().parent().unwrap().join("home/.local/state/specter/worktrees");
    crate::run::sandbox::until("the last task to start", || {
        let projects = std::fs::read_dir(&trees).into_iter().flatten().flatten();
        projects.into_iter().any(|project| project.path().join("1/p/started").exists())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    sandbox.run(["rollback", "--to=T001"]).expect(0);
    assert_eq!(sandbox.ticked(), ["T001"]);
    assert!(sandbox.exists("a.txt") && !sandbox.exists("d/b.txt"));
    let kept = sandbox.run(["recover", "show", "T004/1"]).expect(0);
    assert!(kept.stdout.contains("half.txt"), "{}", kept.stdout);
    sandbox.write("tasks.md", &sandbox.read("tasks.md").replace("sleep 600", "true"));
    implement(&sandbox, &["--resume"]).expect(0);
    assert_eq!(sandbox.ticked().len(), 4);
    assert_eq!(sandbox.read("a.txt"), "a\nmore\n");
}
