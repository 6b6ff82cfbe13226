//! What attempts made reaches the user's working tree, and nothing else changes.

use super::{Place, attempt, integrate, lease, no_git, put, save};
use specter::git::{ConflictKind, Outcome};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

fn lines(changed: &[(usize, &str)]) -> String {
    (0..20)
        .map(|n| match changed.iter().find(|(at, _)| *at == n) {
            Some((_, text)) => format!("{text}\n"),
            None => format!("line {n}\n"),
        })
        .collect()
}

#[test]
fn changes_side_by_side_meet_in_the_working_tree() {
    let place = Place::new(&[("a", &lines(&[])), ("b", "b\n"), ("gone/x", "x\n")]);
    let own = place.own();
    let mut git = place.open();
    let pool = place.pool(&git);
    let one = lease(&mut git, &pool, "T1");
    let other = lease(&mut git, &pool, "T2");
    put(one.root(), "a", &lines(&[(2, "one")]));
    put(one.root(), "new/deep/file", "new\n");
    std::fs::set_permissions(one.root().join("b"), PermissionsExt::from_mode(0o755)).unwrap();
    put(other.root(), "a", &lines(&[(15, "other")]));
    std::fs::remove_dir_all(other.root().join("gone")).unwrap();
    symlink("b", other.root().join("link")).unwrap();
    assert!(matches!(integrate(&mut git, one), Outcome::Integrated(i) if !i.was_merged));
    assert!(matches!(integrate(&mut git, other), Outcome::Integrated(i) if i.was_merged));
    assert_eq!(place.read("a"), lines(&[(2, "one"), (15, "other")]));
    assert_eq!(place.read("new/deep/file"), "new\n");
    assert!(!place.path("gone").exists());
    assert_eq!(std::fs::read_link(place.path("link")).unwrap(), PathBuf::from("b"));
    assert_eq!(std::fs::metadata(place.path("b")).unwrap().permissions().mode() & 0o111, 0o111);
    assert_eq!(place.own(), own);
    assert!(git.integrated(&attempt("T1")).unwrap().is_some());
    assert!(git.integrated(&attempt("T3")).unwrap().is_none());
    let next = lease(&mut git, &pool, "T3");
    assert_eq!(std::fs::read_to_string(next.root().join("a")).unwrap(), place.read("a"));
    if !no_git() {
        place.fsck();
    }
}

#[test]
fn a_conflict_shows_both_sides_names_both_tasks_and_changes_nothing() {
    let place = Place::new(&[("a", &lines(&[])), ("b", "b\n"), ("c", "c\n")]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let one = lease(&mut git, &pool, "T1");
    let other = lease(&mut git, &pool, "T2");
    put(one.root(), "a", &lines(&[(5, "one")]));
    std::fs::remove_file(one.root().join("b")).unwrap();
    put(other.root(), "a", &lines(&[(5, "other")]));
    put(other.root(), "b", "changed\n");
    put(other.root(), "c", "would merge\n");
    assert!(matches!(integrate(&mut git, one), Outcome::Integrated(_)));
    let saved = save(&mut git, &other);
    let Outcome::Conflict(conflicts) = git.integrate(&other, &saved, false).unwrap() else { panic!() };
    assert_eq!(conflicts.len(), 2);
    assert!(conflicts.iter().all(|conflict| conflict.other == Some(attempt("T1"))), "{conflicts:?}");
    let ConflictKind::Lines(hunks) = &conflicts[0].kind else { panic!("{conflicts:?}") };
    assert_eq!(
        (hunks.len(), &hunks[0].there[..], &hunks[0].attempt[..]),
        (1, &["one".to_owned()][..], &["other".to_owned()][..])
    );
    assert_eq!(hunks[0].base, ["line 5"]);
    assert_eq!(conflicts[1].kind, ConflictKind::RemovedThere);
    assert_eq!(place.read("a"), lines(&[(5, "one")]));
    assert_eq!(place.read("c"), "c\n");
    // It stays reachable, and a try on the fresh base goes through.
    git.give_back(other, &saved).unwrap();
    let again = lease(&mut git, &pool, "T2");
    put(again.root(), "a", &lines(&[(5, "one and other")]));
    assert!(matches!(integrate(&mut git, again), Outcome::Integrated(_)));
}

#[test]
fn what_the_user_edited_meanwhile_is_merged_with_and_what_clashes_is_left_alone() {
    let place = Place::new(&[("a", &lines(&[])), ("b", &lines(&[])), ("c", "c\n")]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let one = lease(&mut git, &pool, "T1");
    let other = lease(&mut git, &pool, "T2");
    place.write("a", &lines(&[(1, "user")]));
    place.write("b", &lines(&[(1, "user")]));
    place.write("mine", "untracked\n");
    let own = place.own();
    put(one.root(), "a", &lines(&[(10, "one")]));
    assert!(matches!(integrate(&mut git, one), Outcome::Integrated(_)));
    assert_eq!(place.read("a"), lines(&[(1, "user"), (10, "one")]));
    put(other.root(), "b", &lines(&[(1, "other")]));
    put(other.root(), "mine", "the attempt's\n");
    put(other.root(), "c", "would merge\n");
    let Outcome::Conflict(conflicts) = integrate(&mut git, other) else { panic!() };
    let paths: Vec<_> = conflicts.iter().map(|conflict| conflict.path.display().to_string()).collect();
    assert_eq!(paths, ["b", "mine"]);
    assert!(conflicts.iter().all(|conflict| conflict.other.is_none()));
    assert_eq!(place.read("b"), lines(&[(1, "user")]));
    assert_eq!((place.read("mine"), place.read("c")), ("untracked\n".to_owned(), "c\n".to_owned()));
    assert_eq!(place.own(), own);
}

#[test]
fn a_commit_of_the_user_meanwhile_changes_nothing_for_the_attempt() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("a", &lines(&[])), ("b", "b\n")]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let one = lease(&mut git, &pool, "T1");
    place.write("a", &lines(&[(1, "user")]));
    place.git(&["commit", "-q", "-a", "-m", "user's"]);
    let own = place.own();
    put(one.root(), "a", &lines(&[(10, "one")]));
    assert!(matches!(integrate(&mut git, one), Outcome::Integrated(_)));
    assert_eq!(place.own(), own);
    assert_eq!(place.git(&["diff", "--stat", "--", "b"]), "");
    place.git(&["commit", "-q", "-a", "-m", "right after"]);
    assert_eq!(place.git(&["status", "--porcelain"]), "");
}

#[test]
fn protected_paths_wait_for_a_person_and_the_task_file_never_comes_along() {
    let place = Place::new(&[("tasks.md", "- [ ] T1 x\n"), ("a", "a\n")]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let one = lease(&mut git, &pool, "T1");
    put(one.root(), "tasks.md", "- [x] T1 x\n");
    assert!(
        matches!(integrate(&mut git, one), Outcome::Nothing { dropped } if dropped == [PathBuf::from("tasks.md")])
    );
    for (path, target) in [
        (".github/workflows/ci.yml", None),
        ("sub/.envrc", None),
        ("out", Some("../../etc")),
        ("abs", Some("/etc")),
    ] {
        let worktree = lease(&mut git, &pool, "T2");
        match target {
            Some(target) => symlink(target, worktree.root().join(path)).unwrap(),
            None => put(worktree.root(), path, "run: evil\n"),
        }
        put(worktree.root(), "a", "changed\n");
        let saved = save(&mut git, &worktree);
        let outcome = git.integrate(&worktree, &saved, false).unwrap();
        assert!(
            matches!(&outcome, Outcome::Review { paths } if *paths == [PathBuf::from(path)]),
            "{outcome:?}"
        );
        assert_eq!(place.read("a"), "a\n");
        git.give_back(worktree, &saved).unwrap();
    }
    let worktree = lease(&mut git, &pool, "T3");
    put(worktree.root(), ".envrc", "seen\n");
    let saved = save(&mut git, &worktree);
    assert!(matches!(git.integrate(&worktree, &saved, true).unwrap(), Outcome::Integrated(_)));
    assert_eq!(place.read(".envrc"), "seen\n");
}

#[test]
fn nothing_is_written_through_a_link_or_over_a_directory() {
    let place = Place::new(&[("d/a", "a\n"), ("f", "f\n")]);
    let outside = tempfile::tempdir().unwrap();
    let mut git = place.open();
    let pool = place.pool(&git);
    let one = lease(&mut git, &pool, "T1");
    let other = lease(&mut git, &pool, "T2");
    put(one.root(), "d/new", "new\n");
    put(other.root(), "new", "a file\n");
    put(other.root(), "g/x", "x\n");
    std::fs::remove_dir_all(place.path("d")).unwrap();
    symlink(outside.path(), place.path("d")).unwrap();
    place.write("new/of/the/user", "mine\n");
    place.write("g", "a file of the user\n");
    let outcome = integrate(&mut git, one);
    assert!(
        matches!(&outcome, Outcome::Conflict(c) if matches!(c[0].kind, ConflictKind::InTheWay(_))),
        "{outcome:?}"
    );
    let outcome = integrate(&mut git, other);
    assert!(matches!(&outcome, Outcome::Conflict(c) if c.len() == 2), "{outcome:?}");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    assert_eq!(
        (place.read("new/of/the/user"), place.read("g")),
        ("mine\n".to_owned(), "a file of the user\n".to_owned())
    );
}

#[test]
fn a_file_becomes_a_directory_and_a_directory_a_file() {
    let place = Place::new(&[("f", "f\n"), ("d/a", "a\n"), ("d/b", "b\n")]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let one = lease(&mut git, &pool, "T1");
    std::fs::remove_file(one.root().join("f")).unwrap();
    put(one.root(), "f/inner", "inner\n");
    std::fs::remove_dir_all(one.root().join("d")).unwrap();
    put(one.root(), "d", "a file now\n");
    let outcome = integrate(&mut git, one);
    assert!(matches!(&outcome, Outcome::Integrated(i) if i.kept.is_empty()), "{outcome:?}");
    assert_eq!((place.read("f/inner"), place.read("d")), ("inner\n".to_owned(), "a file now\n".to_owned()));
}

#[test]
fn files_that_are_no_text_and_both_changed_are_a_conflict() {
    let place = Place::new(&[("a.bin", "a\0b\n")]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let one = lease(&mut git, &pool, "T1");
    let other = lease(&mut git, &pool, "T2");
    put(one.root(), "a.bin", "a\0b\none\n");
    put(other.root(), "a.bin", "other\na\0b\n");
    assert!(matches!(integrate(&mut git, one), Outcome::Integrated(_)));
    let outcome = integrate(&mut git, other);
    assert!(matches!(&outcome, Outcome::Conflict(c) if c[0].kind == ConflictKind::Binary), "{outcome:?}");
}

#[test]
fn a_lock_that_a_dead_run_left_on_a_reference_of_its_own_is_no_obstacle() {
    let place = Place::new(&[("a", "a\n")]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let worktree = lease(&mut git, &pool, "T1");
    put(worktree.root(), "a", "b\n");
    std::fs::write(place.path(".git/refs/specter/R1/tip.lock"), "").unwrap();
    assert!(matches!(integrate(&mut git, worktree), Outcome::Integrated(i) if i.kept.is_empty()));
    assert_eq!(place.read("a"), "b\n");
}

#[test]
fn what_the_user_did_between_two_sessions_is_in_the_base_of_the_next_attempt() {
    let place = Place::new(&[("a", "a\n"), ("b", "b\n")]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let first = lease(&mut git, &pool, "T1");
    put(first.root(), "b", "by T1\n");
    assert!(matches!(integrate(&mut git, first), Outcome::Integrated(_)));
    place.write("a", "repaired\n");
    let tip = git.take_up().unwrap();
    assert_eq!(git.take_up().unwrap(), tip);
    let second = lease(&mut git, &pool, "T2");
    assert_eq!(second.base(), tip);
    let read = |name: &str| std::fs::read_to_string(second.root().join(name)).unwrap();
    assert_eq!((read("a"), read("b")), ("repaired\n".to_owned(), "by T1\n".to_owned()));
    assert!(git.integrated(&attempt("T1")).unwrap().is_some());
}
