//! Checkpoints, and back to them.

use super::{Place, integrate, lease, no_git, put};
use specter::git::Outcome;

#[test]
fn going_back_restores_the_exact_tree_and_going_back_on_that_too() {
    let place = Place::new(&[("a", "a\n"), ("d/b", "b\n")]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let phase = git.checkpoint("phase 1").unwrap();
    for task in ["T1", "T2"] {
        let worktree = lease(&mut git, &pool, task);
        put(worktree.root(), task, "made\n");
        std::fs::remove_file(worktree.root().join(if task == "T1" { "a" } else { "d/b" })).unwrap();
        assert!(matches!(integrate(&mut git, worktree), Outcome::Integrated(_)));
    }
    place.write("mine", "the user's\n");
    let own = place.own();
    let full = git.checkpoint("all").unwrap();
    let list: Vec<String> = git.checkpoints().unwrap().into_iter().map(|c| c.name).collect();
    assert_eq!(list.len(), 2);
    assert!(list.contains(&"phase 1".to_owned()));
    let would = git.would_restore(phase.commit(), &[]).unwrap();
    let back = git.restore(phase.commit(), "before going back", &[]).unwrap();
    assert_eq!(would, back.paths);
    assert_eq!(back.saved.tree(), full.tree());
    assert_eq!(git.checkpoint("now").unwrap().tree(), phase.tree());
    assert!(place.path("a").exists() && !place.path("mine").exists() && !place.path("T1").exists());
    let forth = git.restore(back.saved.commit(), "before going forth", &[]).unwrap();
    assert!(forth.kept.is_empty());
    assert_eq!(git.checkpoint("now").unwrap().tree(), full.tree());
    assert_eq!(place.read("mine"), "the user's\n");
    assert_eq!(place.own(), own);
    // Attempts start from there.
    let worktree = lease(&mut git, &pool, "T3");
    assert!(worktree.root().join("T2").exists());
    if !no_git() {
        place.fsck();
    }
}

#[test]
fn what_is_excepted_stays() {
    let place = Place::new(&[("a", "a\n"), ("tasks.md", "- [ ] T1\n")]);
    let mut git = place.open();
    let first = git.checkpoint("first").unwrap();
    place.write("a", "b\n");
    place.write("tasks.md", "- [x] T1\n");
    git.restore(first.commit(), "before", &["tasks.md".into()]).unwrap();
    assert_eq!((place.read("a"), place.read("tasks.md")), ("a\n".to_owned(), "- [x] T1\n".to_owned()));
}
