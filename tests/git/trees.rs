//! Working trees of attempts.

use super::{Place, attempt, files_below, git_in, lease, no_git, put, save};
use specter::git::{Carry, Error, How, Owner, Removal, Steps};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;

#[test]
fn a_worktree_holds_what_the_user_has_and_git_finds_nothing_to_say() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("src/a.rs", "a\n"), ("run.sh", "#!/bin/sh\n"), (".gitignore", "target\n")]);
    place.git(&["update-index", "--chmod=+x", "run.sh"]);
    place.write("specs/new.md", "not committed\n");
    place.write("src/a.rs", "edited\n");
    place.write("target/o", "built\n");
    symlink("a.rs", place.path("src/b.rs")).unwrap();
    let own = place.own();
    let mut git = place.open();
    let pool = place.pool(&git);
    let worktree = lease(&mut git, &pool, "T1");
    let root = worktree.root();
    assert_eq!(root.file_name().unwrap(), "project");
    assert!(!root.starts_with(place.root()));
    assert_eq!(std::fs::read_to_string(root.join("src/a.rs")).unwrap(), "edited\n");
    assert_eq!(std::fs::read_to_string(root.join("specs/new.md")).unwrap(), "not committed\n");
    assert_eq!(std::fs::read_link(root.join("src/b.rs")).unwrap(), PathBuf::from("a.rs"));
    assert!(!root.join("target").exists());
    assert_eq!(git_in(root, &["status", "--porcelain"]), "");
    assert_eq!(git_in(root, &["rev-parse", "HEAD"]).trim(), worktree.base().to_string());
    assert_eq!(git_in(root, &["rev-parse", "main"]), place.git(&["rev-parse", "main"]));
    assert_eq!(git_in(root, &["config", "user.name"]), "A User\n");
    git_in(root, &["fsck", "--strict"]);
    assert_eq!(place.own(), own);
}

#[test]
fn a_worktree_is_used_again_and_holds_nothing_of_the_last_attempt() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("a", "a\n"), ("d/b", "b\n"), (".gitignore", "target\n*.env\n")]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let first = lease(&mut git, &pool, "T1");
    let root = first.root().to_owned();
    std::fs::remove_dir_all(root.join("d")).unwrap();
    symlink(place.root(), root.join("d")).unwrap();
    put(&root, "a", "changed\n");
    put(&root, "new/file", "new\n");
    put(&root, "target/o", "warm\n");
    put(&root, "my.env", "SECRET\n");
    git_in(&root, &["config", "core.hooksPath", "/evil"]);
    git_in(&root, &["update-ref", "refs/heads/x", "HEAD"]);
    let saved = save(&mut git, &first);
    assert_eq!(git.give_back(first, &saved).unwrap(), Removal::Idle);
    let second = lease(&mut git, &pool, "T2");
    assert_eq!(second.root(), root);
    let names: Vec<String> = files_below(&root)
        .iter()
        .map(|path| path.strip_prefix(&root).unwrap().display().to_string())
        .collect();
    assert_eq!(names, [".git", ".gitignore", "a", "d/b", "target/o"]);
    assert_eq!(git_in(&root, &["status", "--porcelain"]), "");
    assert_eq!(
        git_in(&root, &["config", "--list", "--local"]).lines().filter(|l| l.contains("hooks")).count(),
        0
    );
    assert_eq!(git_in(&root, &["for-each-ref", "refs/heads/x"]), "");
    assert_eq!(place.read("d/b"), "b\n");
}

#[test]
fn what_is_written_after_it_was_saved_keeps_a_worktree_from_being_reset() {
    let place = Place::new(&[("a", "a\n")]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let worktree = lease(&mut git, &pool, "T1");
    let saved = save(&mut git, &worktree);
    put(worktree.root(), "a", "b\n");
    assert!(matches!(git.give_back(worktree.clone(), &saved), Err(Error::ChangedSince { .. })));
    let saved = save(&mut git, &worktree);
    assert_eq!(git.give_back(worktree.clone(), &saved).unwrap(), Removal::Idle);
    // Nobody has it now, and still somebody writes.
    put(worktree.root(), "a", "late\n");
    assert_eq!(git.collect_garbage(&pool, 0).unwrap(), 1);
    if !no_git() {
        let reference = place.git(&["for-each-ref", "--format=%(refname)", "refs/specter/R1/rescued"]);
        assert_eq!(place.git(&["show", &format!("{}:a", reference.trim())]), "late\n");
    }
}

#[test]
fn the_proof_of_one_tree_does_not_remove_another() {
    let place = Place::new(&[("a", "a\n")]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let one = lease(&mut git, &pool, "T1");
    let other = lease(&mut git, &pool, "T2");
    assert_ne!(one.root(), other.root());
    let saved = save(&mut git, &one);
    assert!(matches!(git.give_back(other, &saved), Err(Error::NotSaved { .. })));
}

#[test]
fn a_stop_while_a_worktree_is_made_leaves_what_is_swept_up() {
    let place = Place::new(&[("a", "a\n"), ("d/b", "b\n")]);
    let mut leased = 0;
    for steps in 0..40 {
        let mut git = place.open_with(Steps::at_most(steps));
        let pool = place.pool(&git);
        let Ok(tip) = git.tip() else { continue };
        let made = git.lease(&pool, tip, &attempt("T1"), &[]);
        let mut git = place.open();
        leased = git.leased(&pool).unwrap().len();
        assert_eq!(leased, usize::from(made.is_ok()));
        if leased == 1 {
            break;
        }
        git.collect_garbage(&pool, 9).unwrap();
        let left = std::fs::read_dir(place.dir.path().join("cache")).unwrap().next().unwrap().unwrap().path();
        assert_eq!(files_below(&left), Vec::<PathBuf>::new());
    }
    assert_eq!(leased, 1);
}

#[test]
fn what_a_killed_run_left_is_found_saved_and_given_back() {
    let place = Place::new(&[("a", "a\n")]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let worktree = lease(&mut git, &pool, "T1");
    put(worktree.root(), "work", "half a night\n");
    drop(git);
    let mut git = place.open();
    let found = git.leased(&pool).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].attempt(), worktree.attempt());
    let saved = save(&mut git, &found[0]);
    assert_eq!(git.give_back(found[0].clone(), &saved).unwrap(), Removal::Idle);
    if !no_git() {
        assert_eq!(place.git(&["show", &format!("{}:work", saved.reference())]), "half a night\n");
    }
}

#[test]
fn what_is_ignored_but_needed_is_carried_over() {
    let place = Place::new(&[("a", "a\n"), (".gitignore", "node_modules\n.env\ntarget\nnotes\nshared\n")]);
    place.write("node_modules/x/index.js", "x\n");
    symlink("x/index.js", place.path("node_modules/link")).unwrap();
    place.write(".env", "KEY=1\n");
    place.write("notes", "mine\n");
    place.write("shared/s", "s\n");
    let mut wanted = Carry::usual();
    wanted.push(Carry { name: "shared".into(), how: How::Symlink });
    let mut git = place.open();
    let pool = place.pool(&git);
    let tip = git.tip().unwrap();
    let (worktree, carried) = git.lease(&pool, tip, &attempt("T1"), &wanted).unwrap();
    let root = worktree.root();
    assert_eq!(carried.len(), 3);
    assert_eq!(std::fs::read_to_string(root.join("node_modules/link")).unwrap(), "x\n");
    assert_eq!(std::fs::read_to_string(root.join(".env")).unwrap(), "KEY=1\n");
    assert!(std::fs::symlink_metadata(root.join("shared")).unwrap().is_symlink());
    assert!(!root.join("notes").exists());
    // What a task does to its own settings is not done to the user's.
    put(root, ".env", "KEY=2\n");
    assert_eq!(place.read(".env"), "KEY=1\n");
    let inode = |path: PathBuf| std::fs::metadata(path).unwrap().ino();
    assert_ne!(inode(root.join(".env")), inode(place.path(".env")));
    // It is kept, and the next attempt gets the user's again.
    let saved = save(&mut git, &worktree);
    assert_eq!(git.give_back(worktree.clone(), &saved).unwrap(), Removal::Idle);
    if !no_git() {
        assert!(place.git(&["log", "-p", saved.reference()]).contains("+KEY=2"));
    }
    let (again, _) = git.lease(&pool, tip, &attempt("T2"), &wanted).unwrap();
    assert_eq!(again.root(), worktree.root());
    assert_eq!(std::fs::read_to_string(again.root().join(".env")).unwrap(), "KEY=1\n");
    // A secret that nobody changed stays out of the repository.
    let saved = save(&mut git, &again);
    assert_eq!(git.give_back(again, &saved).unwrap(), Removal::Idle);
    if !no_git() {
        assert!(!place.git(&["log", "-p", saved.reference()]).contains("KEY="));
    }
}

#[test]
fn sixteen_attempts_at_once_meet_no_lock() {
    if no_git() {
        return;
    }
    let files: Vec<(String, String)> =
        (0..300).map(|n| (format!("d{}/f{n}", n % 20), format!("{n}\n"))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let place = Place::new(&files);
    let own = place.own();
    let git = place.open();
    let pool = place.pool(&git);
    let owner = Owner::start(git).unwrap();
    std::thread::scope(|scope| {
        for n in 0..16 {
            let (owner, pool) = (&owner, pool.clone());
            scope.spawn(move || {
                let task = format!("T{n:03}");
                let asked = pool.clone();
                let worktree = owner.ask(move |git| Ok(lease(git, &asked, &task))).unwrap();
                put(worktree.root(), &format!("d{}/f{n}", n % 20), &format!("changed by {n}\n"));
                git_in(worktree.root(), &["add", "-A"]);
                git_in(worktree.root(), &["-c", "gc.auto=1", "commit", "-q", "-m", "mine"]);
                let outcome = owner.ask(move |git| Ok(super::integrate(git, worktree))).unwrap();
                assert!(matches!(outcome, specter::git::Outcome::Integrated(_)), "{outcome:?}");
            });
        }
    });
    for n in 0..16 {
        assert_eq!(place.read(&format!("d{}/f{n}", n % 20)), format!("changed by {n}\n"));
    }
    assert_eq!(place.own(), own);
    place.fsck();
}

#[test]
fn a_working_tree_is_made_only_where_there_is_room() {
    let place = Place::new(&[("a", "a\n")]);
    let git = place.open();
    let pool = place.pool(&git);
    let free = specter::git::room(&place.root()).unwrap();
    let mut git = git.with_limits(specter::git::Limits { room_bytes: u64::MAX, ..Default::default() });
    let tip = git.tip().unwrap();
    let refused = git.lease(&pool, tip, &attempt("T1"), &[]).unwrap_err();
    assert!(matches!(&refused, Error::NoRoom { wanted: u64::MAX, .. }), "{refused}");
    assert!(free > 0 && refused.to_string().contains("MiB left"), "{refused}");
    assert_eq!(git.collect_garbage(&pool, 0).unwrap(), 0);
    let mut git = git.with_limits(specter::git::Limits { room_bytes: 0, ..Default::default() });
    git.lease(&pool, tip, &attempt("T1"), &[]).unwrap();
}
