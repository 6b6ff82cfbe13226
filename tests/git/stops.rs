//! Stopped between any two effects, nothing is lost, nothing half done stays, and the user's git works right after.

use super::{Place, attempt, lease, no_git, put, save};
use specter::git::{Outcome, Steps};

/// Files that an attempt changes in every way there is.
const BEFORE: &[(&str, &str)] =
    &[("a", "1\n2\n3\n4\n5\n6\n"), ("d/b", "b\n"), ("d/c", "c\n"), ("f", "f\n"), (".gitignore", "*.o\n")];

fn change(root: &std::path::Path) {
    put(root, "a", "1\n2\n3\n4\n5\nsix\n");
    std::fs::remove_dir_all(root.join("d")).unwrap();
    put(root, "new/deep", "new\n");
    std::fs::remove_file(root.join("f")).unwrap();
    put(root, "f/inner", "inner\n");
}

fn is_changed(place: &Place, a: &str) {
    assert_eq!(place.read("a"), a);
    assert!(!place.path("d").exists());
    assert_eq!((place.read("new/deep"), place.read("f/inner")), ("new\n".to_owned(), "inner\n".to_owned()));
}

/// Stops integrating after `steps`, lets `meanwhile` happen, starts again. False once nothing was stopped any more.
fn stopped_after(steps: u32, meanwhile: impl Fn(&Place), a: &str) -> bool {
    let place = Place::new(BEFORE);
    let mut git = place.open();
    let pool = place.pool(&git);
    let worktree = lease(&mut git, &pool, "T1");
    change(worktree.root());
    let own = place.own();
    let mut git = place.open_with(Steps::at_most(steps));
    let go = |git: &mut specter::git::Git| {
        let saved = git.save_attempt(&worktree, worktree.attempt())?;
        git.integrate(&worktree, &saved, false)
    };
    let is_stopped = go(&mut git).is_err();
    drop(git);
    assert_eq!(place.own(), own, "stopped after {steps}");
    meanwhile(&place);
    let mut git = place.open();
    git.clear_stale_locks().unwrap();
    let finished = git.finish().unwrap();
    if git.integrated(&attempt("T1")).unwrap().is_none() {
        assert!(finished.is_none());
        assert!(matches!(go(&mut git).unwrap(), Outcome::Integrated(_)));
    }
    is_changed(&place, a);
    let saved = save(&mut git, &worktree);
    git.give_back(worktree, &saved).unwrap();
    let left = std::fs::read_dir(place.dir.path().join("state/git")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).filter(|name| name != "now").collect();
    assert!(left.is_empty(), "stopped after {steps}: {left:?}");
    if !no_git() {
        place.git(&["add", "-A"]);
        place.git(&["commit", "-q", "-m", "right after"]);
        place.fsck();
    }
    is_stopped
}

#[test]
fn integrating_goes_on_after_a_stop_at_any_step() {
    let stops = (0..500).take_while(|steps| stopped_after(*steps, |_| {}, "1\n2\n3\n4\n5\nsix\n")).count();
    assert!(stops > 15, "{stops}");
}

#[test]
fn an_edit_of_the_user_between_the_stop_and_the_next_start_is_kept() {
    let edit = |place: &Place| {
        let text = place.read("a");
        place.write("a", &text.replacen("1\n", "one\n", 1));
    };
    let stops = (0..500).take_while(|steps| stopped_after(*steps, edit, "one\n2\n3\n4\n5\nsix\n")).count();
    assert!(stops > 15, "{stops}");
}

#[test]
fn going_back_goes_on_after_a_stop_at_any_step() {
    for steps in 0.. {
        let place = Place::new(BEFORE);
        let mut git = place.open();
        let first = git.checkpoint("first").unwrap();
        change(&place.root());
        let full = git.checkpoint("full").unwrap();
        let mut git = place.open_with(Steps::at_most(steps));
        let is_stopped = git.restore(first.commit(), "before", &[]).is_err();
        let mut git = place.open();
        let finished = git.finish().unwrap();
        let now = git.checkpoint("now").unwrap().tree();
        let is_back = finished.is_some() || !is_stopped;
        assert_eq!(now, if is_back { first.tree() } else { full.tree() });
        if !is_stopped {
            assert!(steps > 10);
            return;
        }
    }
}
