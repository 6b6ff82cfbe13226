//! What a working tree and an integration cost, beside the `git` program on the same repository.

use super::{Place, attempt, git_in, no_git, put, run_git};
use specter::git::Outcome;
use std::time::{Duration, Instant};

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1000.0;
    format!("median {:.1} ms, p95 {:.1} ms", at(50), at(95))
}

fn timed<T>(times: &mut Vec<Duration>, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    times.push(start.elapsed());
    result
}

/// `SPECTER_FILES=10000 SPECTER_ROUNDS=20` for figures.
#[test]
fn campaign_the_cost_of_working_trees_and_integration() {
    if no_git() {
        return;
    }
    let size = |name, default| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (files, rounds): (usize, usize) = (size("SPECTER_FILES", 100), size("SPECTER_ROUNDS", 2));
    let text: String = (0..40).map(|n| format!("line {n} of a file that is like many\n")).collect();
    let files: Vec<(String, String)> =
        (0..files).map(|n| (format!("d{}/e{}/f{n}", n % 25, n % 100), format!("{n}\n{text}"))).collect();
    let list: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let place = Place::new(&list);
    let mut git = place.open();
    let pool = place.pool(&git);
    let [mut first, mut again, mut made, mut back, mut saved_in, mut integrated, mut git_add, mut git_merge] =
        [const { Vec::new() }; 8];
    let tip = timed(&mut first, || git.tip().unwrap());
    let _checkpoint = timed(&mut again, || git.checkpoint("x").unwrap());
    let mut open = Vec::new();
    for n in 0..rounds {
        open.push(timed(&mut made, || git.lease(&pool, tip, &attempt(&format!("N{n}")), &[]).unwrap().0));
        let path = format!("../git{n}");
        timed(&mut git_add, || place.git(&["worktree", "add", "-q", "--detach", &path]));
    }
    for worktree in open {
        let saved = git.save_attempt(&worktree, worktree.attempt()).unwrap();
        git.give_back(worktree, &saved).unwrap();
    }
    for n in 0..rounds {
        let tip = git.tip().unwrap();
        let worktree = timed(&mut back, || git.lease(&pool, tip, &attempt(&format!("T{n}")), &[]).unwrap().0);
        for k in 0..5 {
            put(worktree.root(), &files[(n * 5 + k) % files.len()].0, &format!("changed {n}\n{text}"));
        }
        let saved = timed(&mut saved_in, || git.save_attempt(&worktree, worktree.attempt()).unwrap());
        let outcome = timed(&mut integrated, || git.integrate(&worktree, &saved, false).unwrap());
        assert!(matches!(outcome, Outcome::Integrated(_)));
        git.give_back(worktree, &saved).unwrap();
    }
    place.git(&["checkout", "-q", "--", "."]);
    for n in 0..rounds {
        let dir = place.root().join(format!("../git{n}"));
        for k in 0..5 {
            put(&dir, &files[(n * 5 + k) % files.len()].0, &format!("changed {n}\n{text}"));
        }
        timed(&mut git_merge, || {
            git_in(&dir, &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-a", "-m", "x"]);
            let head = git_in(&dir, &["rev-parse", "HEAD"]);
            assert!(run_git(&place.root(), &["merge", "-q", "--no-edit", head.trim()]).status.success());
        });
    }
    println!("{} files, {rounds} rounds", files.len());
    for (what, times) in [
        ("first snapshot", first),
        ("second snapshot", again),
        ("new working tree", made),
        ("git worktree add", git_add),
        ("working tree used again", back),
        ("save an attempt", saved_in),
        ("integrate", integrated),
        ("git commit + git merge", git_merge),
    ] {
        println!("{what}: {}", spread(times));
    }
    place.fsck();
}
