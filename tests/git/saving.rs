//! Saving keeps every byte, and nothing of the user's repository moves.

use super::{Place, files_below, git_in, lease, no_git, put, save};
use specter::git::{Removal, Why};
use std::os::unix::fs::{PermissionsExt, symlink};

#[test]
fn saving_keeps_what_is_tracked_and_what_is_not_but_not_what_is_ignored() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("src/a.rs", "a\n"), (".gitignore", "*.o\n/out/\n"), ("gone.txt", "x\n")]);
    place.write("src/a.rs", "changed\n");
    place.write("new/file with space", "new\n");
    place.write("out/big", "built\n");
    place.write("src/a.o", "object\n");
    std::fs::remove_file(place.path("gone.txt")).unwrap();
    std::fs::set_permissions(place.path("new/file with space"), PermissionsExt::from_mode(0o755)).unwrap();
    symlink("../nowhere", place.path("src/link")).unwrap();
    place.git(&["add", "src/link"]);
    let before = place.own();
    let saved = place.open().checkpoint("one").unwrap();
    assert_eq!(place.own(), before);
    let tree = place.git(&["ls-tree", "-r", "--format=%(objectmode) %(path)", &saved.tree().to_string()]);
    assert_eq!(tree, "100644 .gitignore\n100755 new/file with space\n100644 src/a.rs\n120000 src/link\n");
    assert_eq!(place.git(&["show", &format!("{}:src/a.rs", saved.commit())]), "changed\n");
    place.fsck();
}

#[test]
fn the_tree_is_what_git_itself_would_commit() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("a", "1\n"), ("d/b", "2\n"), ("d/e/c", "3\n"), ("x.y", "4\n"), ("x/y", "5\n")]);
    let mut git = place.open();
    for n in 0..4 {
        place.write(&format!("d/e/new{n}"), "n\n");
        place.write("a", &format!("{n}\n"));
        if n == 2 {
            std::fs::remove_dir_all(place.path("x")).unwrap();
            place.write("x", "a file where a directory was\n");
            std::fs::remove_file(place.path("x.y")).unwrap();
            place.write("x.y/z", "a directory where a file was\n");
        }
        let tree = git.checkpoint("now").unwrap().tree();
        place.git(&["add", "-A"]);
        assert_eq!(place.git(&["write-tree"]).trim(), tree.to_string());
    }
}

#[test]
fn a_change_within_the_clock_s_grain_is_seen() {
    let place = Place::new(&[("a", "0000\n")]);
    let mut git = place.open();
    let mut trees = std::collections::BTreeSet::new();
    for n in 0..40 {
        place.write("a", &format!("{n:04}\n"));
        trees.insert(git.checkpoint("now").unwrap().tree());
    }
    assert_eq!(trees.len(), 40);
}

#[test]
fn line_ends_are_saved_as_they_are_on_disk() {
    if no_git() {
        return;
    }
    let place = Place::new(&[
        (".gitattributes", "* text=auto eol=crlf\n"),
        ("a.txt", "one\r\ntwo\r\n"),
        ("b.txt", "b\n"),
    ]);
    place.git(&["checkout", "-q", "--", "."]);
    let saved = place.open().checkpoint("one").unwrap();
    assert_eq!(place.git(&["cat-file", "blob", &format!("{}:a.txt", saved.tree())]), "one\r\ntwo\r\n");
}

#[test]
fn what_cannot_be_kept_is_listed_and_stays() {
    let place = Place::new(&[("a", "a\n")]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let worktree = lease(&mut git, &pool, "T1");
    let root = worktree.root().to_owned();
    put(&root, "huge", &"x".repeat((1 << 20) + 1));
    put(&root, "inner/file", "x\n");
    git_in(&root.join("inner"), &["init", "-q"]);
    std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    let saved = save(&mut git, &worktree);
    let left: Vec<(String, Why)> =
        saved.left_out().iter().map(|out| (out.path.display().to_string(), out.why.clone())).collect();
    let expected = [
        ("huge".to_owned(), Why::TooLarge((1 << 20) + 1)),
        ("inner".to_owned(), Why::NestedRepository),
        ("socket".to_owned(), Why::Special),
    ];
    assert_eq!(left, expected);
    let before = files_below(&root);
    assert!(matches!(git.give_back(worktree, &saved).unwrap(), Removal::Kept(out) if out.len() == 3));
    assert_eq!(git.collect_garbage(&pool, 0).unwrap(), 0);
    assert_eq!(files_below(&root), before);
}

#[test]
fn what_an_attempt_committed_amended_stashed_and_staged_is_reachable() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("a", "a\n"), (".gitignore", "*.secret\ntarget\n")]);
    let own = place.own();
    let mut git = place.open();
    let pool = place.pool(&git);
    let worktree = lease(&mut git, &pool, "T1");
    let root = worktree.root();
    let me = ["-c", "user.name=agent", "-c", "user.email=a@b"];
    let commit = |text: &str, more: &[&str]| {
        put(root, "work", text);
        git_in(root, &["add", "-A"]);
        git_in(root, &[&me[..], &["commit", "-q", "-m", "w"], more].concat());
    };
    commit("committed first\n", &[]);
    commit("amended away\n", &[]);
    commit("amended\n", &["--amend"]);
    git_in(root, &["checkout", "-q", "-b", "side"]);
    commit("on a side branch\n", &[]);
    put(root, "work", "stashed\n");
    git_in(root, &[&me[..], &["stash", "-q"]].concat());
    put(root, "work", "staged\n");
    git_in(root, &["add", "work"]);
    put(root, "work", "on disk\n");
    put(root, "my.secret", "ignored\n");
    put(root, "target/o", "built\n");
    let saved = save(&mut git, &worktree);
    let reachable = place.git(&["rev-list", "--objects", saved.reference()]);
    let contents: Vec<String> = reachable
        .lines()
        .map(|line| &line[..40])
        .filter(|id| place.git(&["cat-file", "-t", id]).trim() == "blob")
        .map(|id| place.git(&["cat-file", "blob", id]))
        .collect();
    for text in [
        "committed first",
        "amended away",
        "amended",
        "on a side branch",
        "stashed",
        "staged",
        "on disk",
        "ignored",
    ] {
        assert!(contents.contains(&format!("{text}\n")), "{text} in {contents:?}");
    }
    assert!(!contents.contains(&"built\n".to_owned()));
    assert_eq!(git.give_back(worktree, &saved).unwrap(), Removal::Idle);
    assert_eq!(place.own(), own);
    place.fsck();
}
