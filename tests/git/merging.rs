//! Merges by rule and after renamings, through whole integrations.

use super::{Place, attempt, integrate, lease, no_git, put, save};
use specter::git::{ConflictKind, Outcome};
use std::path::PathBuf;

const MANIFEST: &str = "[package]\nname = \"x\"\n\n[dependencies]\nserde = \"1\"\n";

fn text(changed: &[(usize, &str)]) -> String {
    let line = |n| {
        changed
            .iter()
            .find(|(at, _)| *at == n)
            .map_or_else(|| format!("line {n}"), |(_, text)| (*text).to_owned())
    };
    (0..20).map(|n| line(n) + "\n").collect()
}

fn rename(worktree: &specter::git::Worktree, from: &str, to: &str, content: &str) {
    std::fs::remove_file(worktree.root().join(from)).unwrap();
    put(worktree.root(), to, content);
}

#[test]
fn dependencies_of_two_tasks_meet_in_one_manifest_and_the_commit_says_so() {
    let place = Place::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", "pub mod a;\n")]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let one = lease(&mut git, &pool, "T1");
    let other = lease(&mut git, &pool, "T2");
    put(one.root(), "Cargo.toml", &format!("{MANIFEST}toml = \"1\"\n"));
    put(one.root(), "src/lib.rs", "pub mod a;\npub mod b;\n");
    put(other.root(), "Cargo.toml", &format!("{MANIFEST}url = \"2\"\n"));
    put(other.root(), "src/lib.rs", "pub mod a;\npub mod c;\n");
    assert!(matches!(integrate(&mut git, one), Outcome::Integrated(i) if i.by_rule.is_empty()));
    let Outcome::Integrated(done) = integrate(&mut git, other) else { panic!() };
    let by_rule = [("Cargo.toml", "entries of tables united"), ("src/lib.rs", "imports united")];
    assert_eq!(done.by_rule, by_rule.map(|(path, rule)| (PathBuf::from(path), rule)));
    assert_eq!(place.read("Cargo.toml"), format!("{MANIFEST}toml = \"1\"\nurl = \"2\"\n"));
    assert_eq!(place.read("src/lib.rs"), "pub mod a;\npub mod b;\npub mod c;\n");
    assert!(git.integrated(&attempt("T2")).unwrap().is_some());
    if !no_git() {
        let message = place.git(&["log", "-1", "--format=%B", &done.commit.to_string()]);
        assert!(message.contains("Specter-Merged: Cargo.toml: entries of tables united\n"), "{message}");
    }
}

#[test]
fn what_the_user_added_to_a_list_meanwhile_is_united_with_too() {
    let place = Place::new(&[("Cargo.toml", MANIFEST)]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let one = lease(&mut git, &pool, "T1");
    place.write("Cargo.toml", &format!("{MANIFEST}anyhow = \"1\"\n"));
    put(one.root(), "Cargo.toml", &format!("{MANIFEST}toml = \"1\"\n"));
    let Outcome::Integrated(done) = integrate(&mut git, one) else { panic!() };
    assert_eq!(done.by_rule.len(), 1);
    assert_eq!(place.read("Cargo.toml"), format!("{MANIFEST}anyhow = \"1\"\ntoml = \"1\"\n"));
}

#[test]
fn a_lock_file_that_only_its_tool_can_merge_is_a_conflict_that_says_so() {
    let lock = |version: &str| format!("version = 4\n\n[[package]]\nname = \"a\"\nversion = \"{version}\"\n");
    let place = Place::new(&[("Cargo.lock", &lock("1.0.0"))]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let one = lease(&mut git, &pool, "T1");
    let other = lease(&mut git, &pool, "T2");
    put(one.root(), "Cargo.lock", &lock("1.0.1"));
    put(other.root(), "Cargo.lock", &lock("1.0.2"));
    assert!(matches!(integrate(&mut git, one), Outcome::Integrated(_)));
    let Outcome::Conflict(conflicts) = integrate(&mut git, other) else { panic!() };
    assert!(conflicts[0].help.unwrap().contains("`cargo update --workspace`"), "{conflicts:?}");
    assert_eq!(place.read("Cargo.lock"), lock("1.0.1"));
}

#[test]
fn a_change_follows_a_file_that_the_attempt_renamed() {
    let place = Place::new(&[("a", &text(&[])), ("z", "z\n")]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let one = lease(&mut git, &pool, "T1");
    let other = lease(&mut git, &pool, "T2");
    put(one.root(), "a", &text(&[(2, "one")]));
    rename(&other, "a", "deep/b", &text(&[(15, "other")]));
    assert!(matches!(integrate(&mut git, one), Outcome::Integrated(_)));
    let saved = save(&mut git, &other);
    let preview = git.preview(&other, &saved).unwrap();
    let Outcome::Integrated(done) = git.integrate(&other, &saved, false).unwrap() else { panic!() };
    assert_eq!(preview.merged, Some(done.tree));
    assert_eq!(done.by_rule, [(PathBuf::from("deep/b"), "followed a renaming")]);
    assert!(!place.path("a").exists());
    assert_eq!(place.read("deep/b"), text(&[(2, "one"), (15, "other")]));
}

#[test]
fn a_change_follows_a_file_that_was_renamed_there() {
    let place = Place::new(&[("b", &text(&[]))]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let one = lease(&mut git, &pool, "T1");
    let other = lease(&mut git, &pool, "T2");
    rename(&one, "b", "a", &text(&[(2, "one")]));
    put(other.root(), "b", &text(&[(15, "other")]));
    assert!(matches!(integrate(&mut git, one), Outcome::Integrated(_)));
    assert!(matches!(integrate(&mut git, other), Outcome::Integrated(i) if i.by_rule.len() == 1));
    assert!(!place.path("b").exists());
    assert_eq!(place.read("a"), text(&[(2, "one"), (15, "other")]));
}

#[test]
fn a_file_that_both_renamed_alike_is_merged() {
    let place = Place::new(&[("a", &text(&[]))]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let one = lease(&mut git, &pool, "T1");
    let other = lease(&mut git, &pool, "T2");
    rename(&one, "a", "b", &text(&[(2, "one")]));
    rename(&other, "a", "b", &text(&[(15, "other")]));
    assert!(matches!(integrate(&mut git, one), Outcome::Integrated(_)));
    assert!(matches!(integrate(&mut git, other), Outcome::Integrated(_)));
    assert_eq!(place.read("b"), text(&[(2, "one"), (15, "other")]));
}

#[test]
fn a_renaming_that_is_not_sure_or_changed_alike_stays_a_conflict() {
    // Two files of one content: either could be meant.
    let place = Place::new(&[("a", &text(&[])), ("a2", &text(&[])), ("c", &text(&[(1, "c"), (2, "c")]))]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let one = lease(&mut git, &pool, "T1");
    put(one.root(), "a", &text(&[(2, "one")]));
    put(one.root(), "c", &text(&[(1, "c"), (2, "one")]));
    let other = lease(&mut git, &pool, "T2");
    rename(&other, "a", "b", &text(&[]));
    rename(&other, "a2", "b2", &text(&[]));
    let third = lease(&mut git, &pool, "T3");
    rename(&third, "c", "d", &text(&[(1, "c"), (2, "third")]));
    assert!(matches!(integrate(&mut git, one), Outcome::Integrated(_)));
    for worktree in [other, third] {
        let Outcome::Conflict(conflicts) = integrate(&mut git, worktree) else { panic!() };
        assert_eq!(conflicts[0].kind, ConflictKind::RemovedByAttempt);
    }
    assert_eq!(place.read("a"), text(&[(2, "one")]));
}
