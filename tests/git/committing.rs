//! Commits on the user's branch: they hold what attempts changed and nothing of the user's, what does not fit is put
//! off, and a stop anywhere neither loses nor doubles one.

use super::{Place, git_in, integrate, lease, no_git, put, run_git};
use specter::git::{Committing, Git, Made, NewCommit, PutOff, Steps};
use std::path::Path;

const TEN: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";

fn new(message: &str) -> NewCommit {
    NewCommit { message: format!("{message}\n"), tag: None }
}

/// An attempt that is integrated.
fn done(place: &Place, git: &mut Git, task: &str, change: impl Fn(&Path)) {
    let pool = place.pool(git);
    let worktree = lease(git, &pool, task);
    change(worktree.root());
    let outcome = integrate(git, worktree);
    assert!(matches!(outcome, specter::git::Outcome::Integrated(_)), "{outcome:?}");
}

/// Everything that is not committed, one commit each.
fn commit(git: &mut Git) -> Vec<Committing> {
    let pending = git.uncommitted().unwrap();
    assert!(!pending.went_back);
    let mut told = Vec::new();
    for one in pending.attempts {
        let outcome = git.commit_on_branch(std::slice::from_ref(&one), &new(&one.attempt.task)).unwrap();
        let is_over = matches!(outcome, Committing::PutOff(_));
        told.push(outcome);
        if is_over {
            break;
        }
    }
    told
}

#[track_caller]
fn made(told: &[Committing]) -> &Made {
    match told {
        [Committing::Made(made)] => made,
        other => panic!("{other:?}"),
    }
}

fn put_off(told: &[Committing]) -> &PutOff {
    match told {
        [Committing::PutOff(why)] => why,
        other => panic!("{other:?}"),
    }
}

fn log(place: &Place) -> Vec<String> {
    place.git(&["log", "--format=%s", "main"]).lines().map(str::to_owned).collect()
}

#[test]
fn a_commit_holds_what_attempts_changed_and_nothing_of_the_users() {
    if no_git() {
        return;
    }
    let place =
        Place::new(&[("a", TEN), ("b", "b\n"), ("gone", "gone\n"), ("mine", "mine\n"), ("x/y", "y\n")]);
    // Lines of the user in the very file, a staged file, a new one.
    place.write("a", &TEN.replace("1\n", "one\n"));
    place.write("mine", "changed\n");
    place.git(&["add", "mine"]);
    place.write("mine", "changed and changed again\n");
    place.write("new", "new\n");
    let mut git = place.open();
    done(&place, &mut git, "T1", |root| {
        put(root, "a", &std::fs::read_to_string(root.join("a")).unwrap().replace("9\n", "nine\n"));
        std::fs::remove_file(root.join("gone")).unwrap();
        std::fs::remove_dir_all(root.join("x")).unwrap();
        put(root, "x", "a file now\n");
        put(root, "d/made", "made\n");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(root.join("b"), mode).unwrap();
    });
    let before = place.git(&["rev-parse", "HEAD"]);
    let told = commit(&mut git);
    let made = made(&told);
    assert_eq!((made.branch.as_str(), &made.tag), ("main", &None));
    assert_eq!(place.git(&["rev-parse", "HEAD~1"]), before);
    assert_eq!(place.git(&["rev-parse", "HEAD"]).trim(), made.commit.to_string());
    assert_eq!(place.git(&["show", "--format=%an <%ae> %s", "-s", "HEAD"]), "A User <user@example.org> T1\n");
    assert_eq!(place.git(&["show", "HEAD:a"]), TEN.replace("9\n", "nine\n"));
    let changed = place.git(&["diff", "--name-status", "--no-renames", "HEAD~1", "HEAD"]);
    assert_eq!(changed.replace('\t', " "), "M a\nM b\nA d/made\nD gone\nA x\nD x/y\n");
    let status = place.git(&["status", "--porcelain"]);
    assert_eq!(status, " M a\nMM mine\n?? new\n");
    assert_eq!(place.git(&["diff", "a"]).lines().filter(|line| line.starts_with(['+', '-'])).count(), 4);
    assert_eq!(place.git(&["show", ":mine"]), "changed\n");
    assert!(place.git(&["reflog"]).lines().next().unwrap().contains("commit (specter): T1"));
    assert!(git.uncommitted().unwrap().attempts.is_empty() && commit(&mut git).is_empty());
    place.fsck();
    assert!(!place.path(".git/index.lock").exists());
    place.git(&["commit", "-q", "-m", "the user goes on"]);
    assert_eq!(place.git(&["show", "--name-only", "--format=", "HEAD"]), "mine\n");
}

#[test]
fn what_does_not_fit_is_put_off_and_committed_in_order_once_it_does() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("a", TEN), ("b", "b\n")]);
    let mut git = place.open();
    done(&place, &mut git, "T1", |root| put(root, "a", &TEN.replace("9\n", "nine\n")));
    done(&place, &mut git, "T2", |root| put(root, "b", "bb\n"));
    // Staged otherwise: it, and what comes after it.
    place.write("a", &TEN.replace("1\n", "one\n").replace("9\n", "nine\n"));
    place.git(&["add", "a"]);
    let index = std::fs::read(place.path(".git/index")).unwrap();
    assert_eq!(put_off(&commit(&mut git)), &PutOff::Staged("a".into()));
    place.git(&["reset", "-q"]);
    // An entry that is only promised, and a new file where the commit wants a directory.
    place.git(&["checkout", "-q", "--detach"]);
    assert_eq!(put_off(&commit(&mut git)), &PutOff::Detached);
    place.git(&["checkout", "-q", "main"]);
    place.write(".git/MERGE_HEAD", &place.git(&["rev-parse", "HEAD"]));
    assert_eq!(put_off(&commit(&mut git)), &PutOff::UnderWay("merge"));
    std::fs::remove_file(place.path(".git/MERGE_HEAD")).unwrap();
    place.write(".git/index.lock", "");
    assert_eq!(put_off(&commit(&mut git)), &PutOff::Busy);
    std::fs::remove_file(place.path(".git/index.lock")).unwrap();
    assert_eq!(log(&place), ["first"]);
    assert!(index != std::fs::read(place.path(".git/index")).unwrap());
    assert_eq!(commit(&mut git).len(), 2);
    assert_eq!(log(&place), ["T2", "T1", "first"]);
    assert_eq!(place.git(&["show", "HEAD:a"]), TEN.replace("9\n", "nine\n"));
    assert_eq!(place.git(&["status", "--porcelain"]), " M a\n");
    // From now on the run commits here and nowhere else.
    done(&place, &mut git, "T3", |root| put(root, "c", "c\n"));
    place.git(&["checkout", "-q", "-b", "other"]);
    assert_eq!(put_off(&commit(&mut git)), &PutOff::Elsewhere("main".to_owned()));
    place.fsck();
}

#[test]
fn what_the_user_has_not_committed_is_never_swallowed() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("a", TEN)]);
    place.write("a", &TEN.replace("5\n", "five\n"));
    place.write("untracked", "mine\n");
    let mut git = place.open();
    done(&place, &mut git, "T1", |root| {
        // In the line itself.
        put(root, "a", &std::fs::read_to_string(root.join("a")).unwrap().replace("five\n", "FIVE\n"));
    });
    assert_eq!(put_off(&commit(&mut git)), &PutOff::Contradicts("a".into()));
    assert_eq!(log(&place), ["first"]);
    // Committed, it goes.
    place.write("a", &TEN.replace("5\n", "five\n"));
    place.git(&["commit", "-q", "-am", "mine"]);
    place.write("a", &TEN.replace("5\n", "FIVE\n"));
    assert_eq!(made(&commit(&mut git)).branch, "main");
    assert_eq!(place.git(&["status", "--porcelain"]), "?? untracked\n");
    done(&place, &mut git, "T2", |root| put(root, "untracked", "mine\nand more\n"));
    assert_eq!(put_off(&commit(&mut git)), &PutOff::Contradicts("untracked".into()));
    // Committed by the user with the rest: there is nothing left to commit.
    place.git(&["add", "-A"]);
    place.git(&["commit", "-q", "-m", "all of it"]);
    assert_eq!(commit(&mut git), [Committing::There]);
    assert!(git.uncommitted().unwrap().attempts.is_empty());
    assert_eq!(log(&place), ["all of it", "T1", "mine", "first"]);
}

#[test]
fn names_in_the_way_of_the_index_put_it_off() {
    if no_git() {
        return;
    }
    for (staged, made) in [("dir", "dir/file"), ("name/below", "name")] {
        let place = Place::new(&[("a", "a\n")]);
        let mut git = place.open();
        done(&place, &mut git, "T1", |root| put(root, made, "made\n"));
        std::fs::remove_dir_all(place.path("dir")).ok();
        std::fs::remove_file(place.path("name")).ok();
        place.write(staged, "staged\n");
        place.git(&["add", staged]);
        let before = std::fs::read(place.path(".git/index")).unwrap();
        assert_eq!(put_off(&commit(&mut git)), &PutOff::Staged(staged.into()));
        assert_eq!(std::fs::read(place.path(".git/index")).unwrap(), before);
    }
    let place = Place::new(&[("a", "a\n")]);
    let mut git = place.open();
    done(&place, &mut git, "T1", |root| put(root, "promised", "made\n"));
    place.git(&["add", "-N", "promised"]);
    assert_eq!(put_off(&commit(&mut git)), &PutOff::Staged("promised".into()));
}

#[test]
fn line_ends_are_committed_as_git_keeps_them_and_filtered_files_are_not() {
    if no_git() {
        return;
    }
    let place =
        Place::new(&[(".gitattributes", "*.txt text eol=crlf\n*.bin filter=lfs\n"), ("a.txt", "1\n2\n")]);
    place.git(&["rm", "-q", "--cached", "-r", "."]);
    place.git(&["reset", "-q", "--hard"]);
    assert_eq!(place.read("a.txt"), "1\r\n2\r\n");
    let mut git = place.open();
    done(&place, &mut git, "T1", |root| {
        put(root, "a.txt", "1\r\n2\r\n3\r\n");
        put(root, "new.txt", "new\r\n");
    });
    made(&commit(&mut git));
    assert_eq!(place.git(&["show", "HEAD:a.txt"]), "1\n2\n3\n");
    assert_eq!(place.git(&["show", "HEAD:new.txt"]), "new\n");
    assert_eq!(place.git(&["status", "--porcelain"]), "");
    done(&place, &mut git, "T2", |root| put(root, "large.bin", "large\n"));
    assert_eq!(put_off(&commit(&mut git)), &PutOff::Filtered("large.bin".into()));
}

#[test]
fn several_attempts_make_one_commit_and_a_tag_that_is_there_stays() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("a", TEN)]);
    place.git(&["tag", "taken"]);
    let mut git = place.open();
    done(&place, &mut git, "T1", |root| put(root, "a", &TEN.replace("1\n", "one\n")));
    done(&place, &mut git, "T2", |root| {
        put(root, "a", &TEN.replace("1\n", "one\n").replace("9\n", "nine\n"));
    });
    let picks = git.uncommitted().unwrap().attempts;
    let tagged = |tag: &str| NewCommit { message: "Phase\n".to_owned(), tag: Some(tag.to_owned()) };
    let told = [git.commit_on_branch(&picks, &tagged("done/phase")).unwrap()];
    assert_eq!(made(&told).tag.as_deref(), Some("done/phase"));
    assert_eq!(place.git(&["rev-parse", "done/phase"]), place.git(&["rev-parse", "HEAD"]));
    assert_eq!(log(&place), ["Phase", "first"]);
    done(&place, &mut git, "T3", |root| put(root, "b", "b\n"));
    let picks = git.uncommitted().unwrap().attempts;
    let told = [git.commit_on_branch(&picks, &tagged("taken")).unwrap()];
    assert_eq!((made(&told).tag.as_deref(), made(&told).taken.as_deref()), (None, Some("taken")));
    assert_eq!(place.git(&["rev-parse", "taken"]), place.git(&["rev-parse", "HEAD~2"]));
}

#[test]
fn a_run_that_went_back_makes_no_more_commits() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("a", "a\n")]);
    let mut git = place.open();
    let start = git.checkpoint("start").unwrap().commit();
    done(&place, &mut git, "T1", |root| put(root, "a", "b\n"));
    assert!(!git.uncommitted().unwrap().went_back);
    git.restore(start, "before", &[]).unwrap();
    assert!(git.uncommitted().unwrap().went_back);
    done(&place, &mut git, "T1b", |root| put(root, "a", "c\n"));
    assert!(git.uncommitted().unwrap().went_back);
}

/// Stops after so many effects, starts again, commits. False once nothing was stopped any more.
fn stopped_after(steps: u32, meanwhile: impl Fn(&Place)) -> bool {
    let place = Place::new(&[("a", TEN), ("b", "b\n"), ("mine", "mine\n")]);
    place.write("a", &TEN.replace("1\n", "one\n"));
    place.write("mine", "staged\n");
    place.git(&["add", "mine"]);
    let mut git = place.open();
    done(&place, &mut git, "T1", |root| {
        put(root, "a", &std::fs::read_to_string(root.join("a")).unwrap().replace("9\n", "nine\n"));
        std::fs::remove_file(root.join("b")).unwrap();
        put(root, "new", "new\n");
    });
    let mut git = place.open_with(Steps::at_most(steps));
    let picks = git.uncommitted().unwrap().attempts;
    let tagged = NewCommit { message: "T1\n".to_owned(), tag: Some("done/T1".to_owned()) };
    let is_stopped = git.commit_on_branch(&picks, &tagged).is_err();
    drop(git);
    let locks = [".git/index.lock", ".git/refs/heads/main.lock"];
    if !locks.iter().any(|lock| place.path(lock).exists()) {
        // The user's own git works right after, and the next start copes with it.
        meanwhile(&place);
    }
    let mut git = place.open();
    git.clear_stale_locks().unwrap();
    let found = git.take_up_commits(&|_| false).unwrap();
    let mut known: Vec<_> = found.iter().map(|found| found.commit).collect();
    for pick in git.uncommitted().unwrap().attempts {
        assert!(found.is_empty(), "stopped after {steps}");
        match git.commit_on_branch(&[pick], &tagged).unwrap() {
            Committing::Made(made) => known.push(made.commit),
            other => panic!("stopped after {steps}: {other:?}"),
        }
    }
    // However the stop came: what is on the branch is found, until it is known.
    assert_eq!(known.len(), 1, "stopped after {steps}");
    assert_eq!(git.take_up_commits(&|_| false).unwrap().len(), 1, "stopped after {steps}");
    assert!(git.take_up_commits(&|commit| known.contains(&commit)).unwrap().is_empty());
    let all = log(&place);
    assert_eq!(all.iter().filter(|title| *title == "T1").count(), 1, "stopped after {steps}: {all:?}");
    assert_eq!(place.git(&["show", "HEAD:a"]), TEN.replace("9\n", "nine\n"), "stopped after {steps}");
    assert!(!run_git(&place.root(), &["cat-file", "-e", "HEAD:b"]).status.success());
    assert_eq!(place.git(&["show", "done/T1:new"]), "new\n");
    assert_eq!(place.git(&["show", ":mine"]), "staged\n");
    assert_eq!(place.git(&["diff", "--cached", "--name-only"]), "mine\n", "stopped after {steps}");
    assert_eq!(place.git(&["diff", "--name-only"]), "a\n", "stopped after {steps}");
    assert!(
        !place.path(".git/refs/heads/main.lock").exists()
            && !place.path(".git/refs/tags/done/T1.lock").exists()
    );
    let left: Vec<_> =
        std::fs::read_dir(place.path(".git")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let is_left = |name: &std::ffi::OsString| {
        name.to_string_lossy().starts_with("specter") || name.to_string_lossy().ends_with(".lock")
    };
    assert!(!left.iter().any(is_left), "stopped after {steps}: {left:?}");
    place.git(&["commit", "-q", "-m", "right after"]);
    place.fsck();
    is_stopped
}

#[test]
fn a_stop_anywhere_neither_loses_nor_doubles_a_commit() {
    if no_git() {
        return;
    }
    let stops = (0..100).take_while(|steps| stopped_after(*steps, |_| {})).count();
    assert!(stops > 6, "{stops}");
}

#[test]
fn all_commits_that_nobody_recorded_are_found_and_no_others() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("a", "a\n")]);
    let mut git = place.open();
    for task in ["T1", "T2", "T3"] {
        done(&place, &mut git, task, |root| put(root, task, "made\n"));
    }
    let made: Vec<_> =
        commit(&mut git).iter().map(|one| self::made(std::slice::from_ref(one)).commit).collect();
    assert_eq!(made.len(), 3);
    drop(git);
    let git = place.open();
    for known in 0..=3 {
        let found = git.take_up_commits(&|commit| made[..known].contains(&commit)).unwrap();
        let found: Vec<_> = found.into_iter().map(|found| found.commit).collect();
        assert_eq!(found, made[known..], "the first {known} are on record");
    }
    // A commit that the user took back from the branch is none of it any more.
    place.git(&["reset", "-q", "--soft", "HEAD~1"]);
    let left = git.take_up_commits(&|_| false).unwrap();
    assert_eq!(left.into_iter().map(|found| found.commit).collect::<Vec<_>>(), made[..2]);
}

#[test]
fn commits_of_the_user_between_a_stop_and_the_next_start_are_no_matter() {
    if no_git() {
        return;
    }
    let commits = |place: &Place| {
        place.write("theirs", "theirs\n");
        place.git(&["add", "theirs"]);
        git_in(&place.root(), &["commit", "-q", "-m", "theirs", "--", "theirs"]);
    };
    let stops = (0..100).take_while(|steps| stopped_after(*steps, commits)).count();
    assert!(stops > 6, "{stops}");
}

#[test]
fn a_reflog_that_takes_no_line_is_told_and_the_commit_stands() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("a", "a\n")]);
    let mut git = place.open();
    done(&place, &mut git, "T1", |root| put(root, "a", "b\n"));
    // A directory refuses a line whoever asks.
    let log = place.root().join(".git/logs/HEAD");
    std::fs::remove_file(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    let told = commit(&mut git);
    let made = made(&told);
    let why = made.unnoted.as_deref().unwrap();
    assert!(why.contains("logs/HEAD"), "{why}");
    assert_eq!(git_in(&place.root(), &["rev-parse", "HEAD"]).trim(), made.commit.to_string());
}
