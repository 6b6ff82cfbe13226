//! What finished runs kept goes only when it is asked for.

use super::{Place, attempt, no_git, put, save};
use specter::clock::Clock;
use specter::git::{Git, Outcome, Rules, Run, Steps};

impl Place {
    fn of_run(&self, run: &str) -> Git {
        let state = self.dir.path().join("state");
        Git::open(&self.root(), &state, Run::new(run), Rules::new(&[]), Clock::start()).unwrap()
    }

    /// A run with one attempt that is integrated.
    fn one_run(&self, run: &str) {
        let mut git = self.of_run(run);
        let pool = self.pool(&git);
        let tip = git.tip().unwrap();
        let worktree = git.lease(&pool, tip, &attempt("T1"), &[]).unwrap().0;
        put(worktree.root(), "a", &format!("by {run}\n"));
        let saved = save(&mut git, &worktree);
        assert!(matches!(git.integrate(&worktree, &saved, false).unwrap(), Outcome::Integrated(_)));
        git.give_back(worktree, &saved).unwrap();
    }

    fn refs(&self) -> Vec<String> {
        let refs = self.git(&["for-each-ref", "--format=%(refname)", "refs"]);
        refs.lines().map(str::to_owned).collect()
    }
}

const FAR: i64 = i64::MAX;

#[test]
fn only_what_was_listed_of_finished_runs_goes_and_only_when_asked() {
    if no_git() {
        return;
    }
    let place = Place::new(&[("a", "a\n")]);
    for run in ["R1", "R2", "R3"] {
        place.one_run(run);
    }
    let before = place.refs();
    let git = place.of_run("R9");
    let runs = |names: &[&str]| -> Vec<Run> { names.iter().map(|name| Run::new(name)).collect() };
    let of = |listed: &[specter::git::Expirable]| -> Vec<String> {
        let mut runs: Vec<String> = listed.iter().map(|one| one.run.clone()).collect();
        runs.dedup();
        runs
    };
    // One that may be unfinished is not named, so it is not listed; nor the newest; nor what is too young.
    let listed = git.expirable(&runs(&["R1"]), 0, FAR).unwrap();
    assert_eq!(of(&listed), ["R1"]);
    assert!(git.expirable(&runs(&["R1"]), 1, FAR).unwrap().is_empty());
    assert!(git.expirable(&runs(&["R1", "R2"]), 0, 1).unwrap().is_empty());
    assert_eq!(of(&place.of_run("R2").expirable(&runs(&["R1", "R2"]), 0, FAR).unwrap()), ["R1"]);
    assert_eq!(place.refs(), before);
    // What moved since stays.
    let moved = listed.iter().find(|one| one.reference.ends_with("/tip")).unwrap();
    place.git(&["update-ref", &moved.reference, "HEAD"]);
    let deleted = git.expire(&listed).unwrap();
    assert_eq!(deleted.len(), listed.len() - 1);
    let left: Vec<String> = before.into_iter().filter(|name| !deleted.contains(name)).collect();
    assert_eq!(place.refs(), left);
    assert!(left.iter().any(|name| name == "refs/specter/R1/tip"));
    assert!(deleted.iter().all(|name| name.contains("/R1/")));
    place.fsck();
}

#[test]
fn a_run_that_stopped_half_way_keeps_all_it_has() {
    let place = Place::new(&[("a", "a\n")]);
    place.one_run("R1");
    let mut git = place.of_run("R2");
    let pool = place.pool(&git);
    let tip = git.tip().unwrap();
    let worktree = git.lease(&pool, tip, &attempt("T1"), &[]).unwrap().0;
    put(worktree.root(), "a", "b\n");
    let saved = save(&mut git, &worktree);
    let mut stopped = (0..).map(|steps| {
        let mut git = place.of_run("R2").with_steps(Steps::at_most(steps));
        let result = git.integrate(&worktree, &saved, false);
        assert!(result.is_err());
        place.of_run("R9").expirable(&[Run::new("R2")], 0, FAR).unwrap().len()
    });
    // Until it begins to change the working tree there is nothing half done.
    assert!(stopped.next().unwrap() > 0);
    assert_eq!(stopped.find(|listed| *listed == 0), Some(0));
    let mut git = place.of_run("R2");
    git.finish().unwrap().unwrap();
    assert!(!place.of_run("R9").expirable(&[Run::new("R2")], 0, FAR).unwrap().is_empty());
}
