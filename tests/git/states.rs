//! What a repository is like, found before anything starts; and each kind of it works or is refused.

use super::{Place, git_in, integrate, lease, no_git, put, run_git};
use specter::clock::Clock;
use specter::git::{Git, Outcome, Rules, Run, State, probe};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

fn states(dir: &Path) -> Vec<(State, bool)> {
    probe(dir).unwrap().into_iter().map(|finding| (finding.state, finding.help.is_some())).collect()
}

#[test]
fn a_clean_repository_has_nothing_to_say() {
    if no_git() {
        return;
    }
    assert_eq!(states(&Place::new(&[("a", "a\n")]).root()), []);
}

#[test]
fn what_forbids_working_trees_says_what_to_do() {
    if no_git() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(states(dir.path()), [(State::NoRepository, true)]);
    git_in(dir.path(), &["init", "-q", "--bare"]);
    assert_eq!(states(dir.path()), [(State::Bare, true)]);

    let place = Place::new(&[("a", "1\n")]);
    place.git(&["checkout", "-q", "-b", "side"]);
    place.write("a", "2\n");
    place.git(&["commit", "-q", "-a", "-m", "side"]);
    place.git(&["checkout", "-q", "main"]);
    place.write("a", "3\n");
    place.git(&["commit", "-q", "-a", "-m", "main"]);
    assert!(!run_git(&place.root(), &["merge", "-q", "side"]).status.success());
    assert!(states(&place.root()).contains(&(State::UnderWay("merge"), true)));
    place.git(&["merge", "--abort"]);
    assert!(!run_git(&place.root(), &["rebase", "-q", "side"]).status.success());
    assert!(states(&place.root()).contains(&(State::UnderWay("rebase"), true)));
    place.git(&["rebase", "--abort"]);
    place.git(&["bisect", "start"]);
    assert!(states(&place.root()).contains(&(State::UnderWay("bisect"), true)));
}

#[test]
fn a_lock_of_the_index_tells_whether_a_git_command_runs() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("a", "a\n")]);
    let path = place.root().canonicalize().unwrap().join(".git/index.lock");
    std::fs::write(&path, "").unwrap();
    let dead = State::IndexLocked { path: path.clone(), is_owner_alive: false };
    assert_eq!(states(&place.root()), [(dead, true)]);
    // Nothing of specter's needs it, and it stays.
    let mut git = place.open();
    let pool = place.pool(&git);
    let worktree = lease(&mut git, &pool, "T1");
    put(worktree.root(), "a", "b\n");
    assert!(matches!(integrate(&mut git, worktree), Outcome::Integrated(_)));
    assert!(path.exists());
    let mut running = std::process::Command::new("git")
        .args(["cat-file", "--batch"])
        .current_dir(place.root())
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let alive = State::IndexLocked { path, is_owner_alive: true };
    assert!(states(&place.root()).contains(&(alive, true)));
    drop(running.stdin.take());
    running.wait().unwrap();
}

#[test]
fn the_lock_of_a_passing_git_command_is_never_one_left_behind() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("a", "a\n")]);
    let root = place.root();
    let is_over = AtomicBool::new(false);
    let mut seen = 0;
    std::thread::scope(|scope| {
        let user = scope.spawn(|| {
            for n in 0..150 {
                put(&root, "a", &format!("{n}\n"));
                place.git(&["add", "a"]);
            }
            is_over.store(true, Ordering::Relaxed);
        });
        while !is_over.load(Ordering::Relaxed) && !user.is_finished() {
            for (state, _) in states(&root) {
                if let State::IndexLocked { is_owner_alive, .. } = state {
                    assert!(is_owner_alive);
                    seen += 1;
                }
            }
        }
    });
    println!("a lock was seen {seen} times");
}

/// An attempt goes all the way, and the user's things stay.
fn works(place: &Place) {
    let own = place.own();
    let mut git = place.open();
    let pool = place.pool(&git);
    let worktree = lease(&mut git, &pool, "T1");
    put(worktree.root(), "made", "made\n");
    let outcome = integrate(&mut git, worktree);
    assert!(matches!(outcome, Outcome::Integrated(_)), "{outcome:?}");
    assert_eq!(place.read("made"), "made\n");
    assert_eq!(place.own(), own);
    place.fsck();
}

#[test]
fn peculiar_repositories_are_told_and_work() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("a", "a\n")]);
    place.git(&["checkout", "-q", "--detach"]);
    assert_eq!(states(&place.root()), [(State::Detached, false)]);
    works(&place);

    let place = Place::new(&[("a", "a\n"), ("b", "b\n")]);
    place.write("a", "changed\n");
    place.write("c", "new\n");
    assert_eq!(states(&place.root()), [(State::Dirty { changed: 1, untracked: 1 }, false)]);
    works(&place);

    let place = Place::new(&[(".gitattributes", "*.bin filter=lfs diff=lfs\n"), ("a.bin", "big\n")]);
    assert_eq!(states(&place.root()), [(State::Filters(vec!["lfs".to_owned()]), false)]);
    works(&place);

    let place = Place::new(&[("in/a", "a\n"), ("out/b", "b\n")]);
    place.git(&["sparse-checkout", "set", "in"]);
    assert!(states(&place.root()).contains(&(State::Sparse, false)));
    works(&place);
    assert!(!place.path("out").exists());

    let place = Place::new(&[("a", "a\n")]);
    place.git(&["config", "commit.gpgsign", "true"]);
    place.write(".git/hooks/post-checkout", "#!/bin/sh\ntouch \"$(dirname \"$0\")/ran\"\n");
    place.write(".git/hooks/reference-transaction", "#!/bin/sh\ntouch \"$(dirname \"$0\")/ran\"\n");
    for hook in ["post-checkout", "reference-transaction"] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(place.path(".git/hooks").join(hook), mode).unwrap();
    }
    let found = states(&place.root());
    assert!(found.contains(&(State::Signs, false)));
    assert!(found.iter().any(|(state, _)| matches!(state, State::Hooks(hooks) if hooks.len() == 2)));
    works(&place);
    assert!(!place.path(".git/hooks/ran").exists());
}

#[test]
fn a_repository_without_a_commit_works() {
    if no_git() {
        return;
    }
    let place = Place::new(&[]);
    place.git(&["checkout", "-q", "--orphan", "fresh"]);
    place.write("a", "a\n");
    assert!(states(&place.root()).contains(&(State::Unborn, false)));
    let mut git = place.open();
    let pool = place.pool(&git);
    let worktree = lease(&mut git, &pool, "T1");
    put(worktree.root(), "made", "made\n");
    assert!(matches!(integrate(&mut git, worktree), Outcome::Integrated(_)));
    assert_eq!((place.read("a"), place.read("made")), ("a\n".to_owned(), "made\n".to_owned()));
}

#[test]
fn submodules_and_shallow_clones_and_linked_trees_are_told_and_work() {
    if no_git() {
        return;
    }
    let inner = Place::new(&[("i", "i\n")]);
    let place = Place::new(&[("a", "a\n")]);
    let url = inner.root().display().to_string();
    place.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "sub"]);
    place.git(&["commit", "-q", "-m", "with a submodule"]);
    assert_eq!(states(&place.root()), [(State::Submodules(vec!["sub".into()]), false)]);
    works(&place);
    assert_eq!(place.read("sub/i"), "i\n");

    place.git(&["stash", "-q", "-u"]);
    place.git(&["worktree", "add", "-q", "../linked"]);
    let linked = place.root().join("../linked");
    assert!(states(&linked).contains(&(State::Linked, false)));
    git_in(
        &place.root().join(".."),
        &["clone", "-q", "--depth", "1", &format!("file://{}", place.root().display()), "shallow"],
    );
    assert_eq!(
        states(&place.root().join("../shallow")).first(),
        Some(&(State::Submodules(vec!["sub".into()]), false))
    );
    let shallow = place.root().join("../shallow");
    assert!(states(&shallow).contains(&(State::Shallow, false)));
    for (name, root) in [("linked", linked), ("shallow", shallow)] {
        let before = git_in(&root, &["for-each-ref", "refs/heads", "refs/remotes", "refs/stash"]);
        let rules = Rules::new(&[]);
        let state = place.root().join("..").join(format!("state-{name}"));
        let mut git = Git::open(&root, &state, Run::new(name), rules, Clock::start()).unwrap();
        let pool = place.pool(&git);
        let worktree = lease(&mut git, &pool, "T1");
        put(worktree.root(), "a", "changed\n");
        git_in(
            worktree.root(),
            &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-a", "-m", "own"],
        );
        assert!(matches!(integrate(&mut git, worktree), Outcome::Integrated(_)));
        assert_eq!(git_in(&root, &["status", "--porcelain"]), " M a\n");
        assert_eq!(git_in(&root, &["for-each-ref", "refs/heads", "refs/remotes", "refs/stash"]), before);
        git_in(&root, &["fsck", "--strict"]);
    }
}
