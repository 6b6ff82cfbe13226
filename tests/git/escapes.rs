//! What changes behind specter's back is found.

use super::{Place, git_in, lease, no_git};
use specter::git::Change;
use std::path::Path;

/// Something an attempt does, and the change it must be seen as.
type Way<'a> = (Box<dyn Fn() + 'a>, fn(&Change) -> bool);

#[test]
fn every_way_out_of_a_working_tree_is_found() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("a", "a\n")]);
    place.git(&["branch", "other"]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let worktree = lease(&mut git, &pool, "T1");
    let root = place.root();
    let before = git.fingerprint().unwrap();
    let same = git.fingerprint().unwrap();
    assert_eq!(git.compare(&before, &same).unwrap(), []);
    // By absolute path, from within its own tree.
    let write = |path: &str, text: &str| std::fs::write(root.join(path), text).unwrap();
    let ways: Vec<Way<'_>> = vec![
        (
            Box::new(|| write("a", "evil\n")),
            |c| matches!(c, Change::File { path, .. } if path == Path::new("a")),
        ),
        (
            Box::new(|| write("new", "evil\n")),
            |c| matches!(c, Change::File { path, from: None, .. } if path == Path::new("new")),
        ),
        (Box::new(|| drop(place.git(&["add", "a"]))), |c| *c == Change::Index),
        (
            Box::new(|| {
                drop(git_in(worktree.root(), &["-C", root.to_str().unwrap(), "commit", "-q", "-m", "x"]));
            }),
            |c| matches!(c, Change::Reference { name, .. } if name == "refs/heads/main"),
        ),
        (
            Box::new(|| drop(place.git(&["checkout", "-q", "other"]))),
            |c| matches!(c, Change::Head { to, .. } if to.ends_with("other")),
        ),
        (Box::new(|| drop(place.git(&["config", "core.fsmonitor", "evil"]))), |c| {
            *c == Change::Setting("config".into())
        }),
        (Box::new(|| write(".git/hooks/pre-commit", "evil")), |c| {
            *c == Change::Setting("hooks/pre-commit".into())
        }),
        (
            Box::new(|| drop(place.git(&["tag", "-f", "t"]))),
            |c| matches!(c, Change::Reference { name, .. } if name == "refs/tags/t"),
        ),
    ];
    for (n, (escape, is_it)) in ways.iter().enumerate() {
        let before = git.fingerprint().unwrap();
        escape();
        let after = git.fingerprint().unwrap();
        let changes = git.compare(&before, &after).unwrap();
        assert!(changes.iter().any(is_it), "way {n}: {changes:?}");
    }
}

#[test]
fn looking_at_the_repository_is_no_change() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("a", "a\n")]);
    let mut git = place.open();
    let before = git.fingerprint().unwrap();
    std::fs::write(place.path("a"), "a\n").unwrap();
    std::process::Command::new("git").arg("status").current_dir(place.root()).output().unwrap();
    let _saved = git.checkpoint("one").unwrap();
    git.tip().unwrap();
    let after = git.fingerprint().unwrap();
    assert_eq!(git.compare(&before, &after).unwrap(), []);
}
