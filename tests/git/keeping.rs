//! What is kept, looked at and brought back.

use super::{Place, attempt, git_in, lease, no_git, put, run_git, save};
use specter::git::{Changed, Git, Kept, Outcome, Saved, Steps, WrittenOut};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// An attempt that changed, added and removed files, with bytes no text has, and wrote what git ignores.
fn kept(place: &Place) -> (Git, Kept) {
    let mut git = place.open();
    let pool = place.pool(&git);
    let worktree = lease(&mut git, &pool, "T1");
    let root = worktree.root().to_owned();
    put(&root, "a", "1\ntwo\n3\nno line end");
    put(&root, "d/new", "\u{1b}[2J tricky\r\n");
    std::fs::write(root.join("image"), [0, 1, 2, 255, 0]).unwrap();
    std::fs::remove_file(root.join("gone")).unwrap();
    put(&root, "secret.env", "KEY=1\n");
    std::fs::set_permissions(root.join("run.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    let saved = save(&mut git, &worktree);
    git.give_back(worktree, &saved).unwrap();
    let kept = git.kept().unwrap();
    assert_eq!(kept.len(), 1);
    (git, kept.into_iter().next().unwrap())
}

fn place() -> Place {
    Place::new(&[
        ("a", "1\n2\n3\n"),
        ("gone", "x\ny\n"),
        ("run.sh", "#!/bin/sh\n"),
        (".gitignore", "*.env\n"),
    ])
}

fn patch(git: &Git, kept: &Kept, paths: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    git.patch(kept, &paths, true, &mut |kind, content| {
        if matches!(kind, '+' | '-' | ' ') {
            bytes.push(kind as u8);
        }
        bytes.extend_from_slice(content);
        true
    })
    .unwrap();
    bytes
}

#[test]
fn what_an_attempt_changed_is_told_by_file_with_lines() {
    let place = place();
    let (git, kept) = kept(&place);
    assert_eq!(kept.attempt, Some(attempt("T1")));
    let changes = git.changes(&kept).unwrap();
    let told: Vec<_> = changes
        .iter()
        .map(|change| (change.path.to_str().unwrap(), change.how, change.lines, change.is_ignored))
        .collect();
    assert_eq!(
        told,
        [
            ("a", Changed::Changed, Some((2, 1)), false),
            ("d/new", Changed::Added, Some((1, 0)), false),
            ("gone", Changed::Removed, Some((0, 2)), false),
            ("image", Changed::Added, None, false),
            ("run.sh", Changed::Changed, Some((0, 0)), false),
            ("secret.env", Changed::Added, Some((1, 0)), true),
        ]
    );
    assert_eq!(git.count_changes(&kept).unwrap(), 6);
}

#[test]
fn a_patch_applied_by_git_gives_byte_for_byte_what_the_attempt_left() {
    if no_git() {
        return;
    }
    let place = place();
    let (git, kept) = kept(&place);
    let file = place.root().with_file_name("patch");
    std::fs::write(&file, patch(&git, &kept, &[])).unwrap();
    place.git(&["apply", "--binary", file.to_str().unwrap()]);
    assert_eq!(place.read("a"), "1\ntwo\n3\nno line end");
    assert_eq!(place.read("d/new"), "\u{1b}[2J tricky\r\n");
    assert_eq!(std::fs::read(place.path("image")).unwrap(), [0, 1, 2, 255, 0]);
    assert_eq!(place.read("secret.env"), "KEY=1\n");
    assert!(!place.path("gone").exists());
    assert_ne!(place.path("run.sh").metadata().unwrap().permissions().mode() & 0o100, 0);
    let one = String::from_utf8(patch(&git, &kept, &["d"])).unwrap();
    assert!(one.contains("d/new") && !one.contains("secret"), "{one}");
}

#[test]
fn bringing_back_saves_first_what_is_there_also_what_git_ignores() {
    let place = place();
    let (mut git, kept) = kept(&place);
    place.write("a", "mine\n");
    place.write("secret.env", "KEY=mine\n");
    place.write("other", "mine too\n");
    let own = place.own();
    let back = git.put_back(&kept, &[], "before-restore-1").unwrap().unwrap();
    assert_eq!(back.paths.len(), 6);
    assert_eq!(place.read("a"), "1\ntwo\n3\nno line end");
    assert_eq!(place.read("secret.env"), "KEY=1\n");
    assert_eq!(place.read("other"), "mine too\n");
    assert!(!place.path("gone").exists());
    assert_eq!(place.own(), own);
    let rescued = git.find(&back.rescued.unwrap()).unwrap().unwrap();
    if !no_git() {
        assert_eq!(place.git(&["show", &format!("{rescued}:secret.env")]), "KEY=mine\n");
        assert_eq!(place.git(&["show", &format!("{}:a", back.saved.commit())]), "mine\n");
        place.fsck();
    }
    // And back on that.
    git.restore(back.saved.commit(), "again", &[]).unwrap();
    assert_eq!((place.read("a"), place.read("gone")), ("mine\n".to_owned(), "x\ny\n".to_owned()));
}

#[test]
fn single_paths_are_brought_back_alone() {
    let place = place();
    let (mut git, kept) = kept(&place);
    let none = git.put_back(&kept, &["missing".into(), "gone".into()], "x").unwrap().unwrap_err();
    assert_eq!(none.len(), 2, "it left neither");
    let back = git.put_back(&kept, &["d".into()], "before").unwrap().unwrap();
    assert_eq!(back.paths, [Path::new("d/new")]);
    assert_eq!(place.read("a"), "1\n2\n3\n");
    assert!(place.path("gone").exists());
}

#[test]
fn what_cannot_be_saved_is_never_overwritten() {
    let place = place();
    let (mut git, kept) = kept(&place);
    std::fs::write(place.path("a"), vec![b'x'; 2 << 20]).unwrap();
    let error = git.put_back(&kept, &[], "before").unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");
    assert_eq!(std::fs::metadata(place.path("a")).unwrap().len(), 2 << 20);
    assert!(place.path("gone").exists(), "nothing was changed");
}

#[test]
fn another_directory_gets_the_files_and_what_stands_there_stays() {
    let place = place();
    let (git, kept) = kept(&place);
    let dir = place.root().with_file_name("out");
    put(&dir, "a", "other\n");
    let WrittenOut { written, stay } = git.write_out(&kept, &[], &dir).unwrap().unwrap();
    assert_eq!(stay, [Path::new("a")]);
    assert_eq!(written.len(), 4);
    assert_eq!(std::fs::read_to_string(dir.join("a")).unwrap(), "other\n");
    assert_eq!(std::fs::read(dir.join("image")).unwrap(), [0, 1, 2, 255, 0]);
    let WrittenOut { written, stay } = git.write_out(&kept, &["image".into()], &dir).unwrap().unwrap();
    assert!(written.is_empty() && stay.is_empty(), "it is there already");
}

#[test]
fn bringing_back_goes_on_after_a_stop_at_any_step() {
    for steps in 0.. {
        let place = place();
        let (_, kept) = kept(&place);
        place.write("a", "mine\n");
        let mut git = place.open_with(Steps::at_most(steps));
        let is_stopped = git.put_back(&kept, &[], "before").is_err();
        let mut git = place.open();
        git.clear_stale_locks().unwrap();
        let finished = git.finish().unwrap().is_some();
        let is_back = finished || !is_stopped;
        let expected = if is_back { "1\ntwo\n3\nno line end" } else { "mine\n" };
        assert_eq!(place.read("a"), expected, "stopped after {steps}");
        assert_eq!(place.path("gone").exists(), !is_back, "stopped after {steps}");
        if !is_stopped {
            assert!(steps > 10);
            return;
        }
    }
}

#[test]
fn an_attempt_that_waits_for_review_is_integrated_from_what_is_kept() {
    let place = Place::new(&[("a", "1\n2\n3\n")]);
    let mut git = place.open();
    let pool = place.pool(&git);
    let worktree = lease(&mut git, &pool, "T1");
    put(worktree.root(), ".envrc", "export A=1\n");
    put(worktree.root(), "a", "1\n2\nthree\n");
    let saved: Saved = save(&mut git, &worktree);
    assert!(matches!(git.integrate(&worktree, &saved, false).unwrap(), Outcome::Review { .. }));
    git.give_back(worktree, &saved).unwrap();
    place.write("a", "one\n2\n3\n");
    let kept = git.kept().unwrap().into_iter().next().unwrap();
    let Outcome::Integrated(done) = git.accept(&kept).unwrap() else { panic!() };
    assert_eq!(done.paths.len(), 2);
    assert_eq!((place.read("a"), place.read(".envrc")), ("one\n2\nthree\n".into(), "export A=1\n".into()));
    assert_eq!(git.all_integrated(&kept.run).unwrap().len(), 1);
    if !no_git() {
        place.fsck();
        assert!(run_git(&place.root(), &["diff", "--cached", "--quiet"]).status.success());
        assert_eq!(git_in(&place.root(), &["stash", "list"]), "");
    }
}

#[test]
fn what_specter_derives_is_neither_saved_nor_a_change_of_anybody() {
    let place = place();
    let mut git = place.open();
    let (before, tree) = (git.fingerprint().unwrap(), git.checkpoint("one").unwrap().tree());
    for own in [".specter/x", ".specter-state/x", ".specify/agents/context/implementation/rollback-plan.md"] {
        place.write(own, "derived\n");
    }
    let after = git.fingerprint().unwrap();
    assert_eq!(git.compare(&before, &after).unwrap(), []);
    assert_eq!(git.checkpoint("two").unwrap().tree(), tree);
}
