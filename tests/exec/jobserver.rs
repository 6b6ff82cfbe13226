//! The jobserver as children see it: a shell script is the simplest client there is.

use super::*;
use specter::exec::{Elsewhere, JobserverConfig, SandboxConfig};

/// Finds the pipe as a client does; takes and gives tokens, and says how many lie there.
const CLIENT: &str = r"all=${CARGO_MAKEFLAGS##*=}; from=/dev/fd/${all%,*}; to=/dev/fd/${all#*,}
take() { dd if=$from iflag=nonblock bs=1 count=1 status=none 2> /dev/null | grep -q .; }
give() { printf + > $to; }
free() { n=0; while take; do n=$((n+1)); done; i=0; while [ $i -lt $n ]; do give; i=$((i+1)); done; echo $n; }
";

fn bench(tokens: u32, change: impl FnOnce(&mut ShellConfig)) -> Bench {
    Bench::with(|config| {
        config.jobserver = Some(JobserverConfig { tokens, parallel_make: false });
        change(config);
    })
}

fn client(code: &str) -> Block {
    sh(&format!("{CLIENT}{code}"))
}

#[test]
fn children_find_the_tokens_that_attempts_leave() {
    let bench = bench(3, |_| {});
    assert!(bench.run(&[client("free > free")]).outcome.is_success());
    assert_eq!(bench.file("free").unwrap(), "2\n", "one is the attempt's own");
}

#[test]
fn children_in_the_sandbox_find_them_too() {
    let writable = |project: &Path| SandboxConfig {
        writable: vec![project.to_owned()],
        elsewhere: Elsewhere::Nothing,
        of_agents: std::collections::BTreeMap::new(),
    };
    if writable(Path::new("/tmp")).try_out().is_err() {
        return println!("skipped: this kernel has no Landlock");
    }
    let bench = bench(3, |config| config.sandbox = Some(writable(&config.project)));
    let report = bench.run(&[client("free > free; take; give; free > again")]);
    assert!(report.outcome.is_success(), "{report:?}");
    assert_eq!((bench.file("free").unwrap(), bench.file("again").unwrap()), ("2\n".into(), "2\n".into()));
}

#[test]
fn tokens_of_a_killed_attempt_are_there_again_once_nothing_runs() {
    let bench = bench(4, |_| {});
    let stop = StopHandle::new();
    let hoard = [client("take; take; take && echo 1 > taken; exec sleep 1000")];
    let report = beside(
        &stop,
        || bench.run_with(&hoard, &stop, true),
        || {
            bench.when("taken", || stop.stop(Stop::Now));
        },
    );
    assert_eq!(report.outcome, specter::event::AttemptOutcome::Cancelled);
    bench.run(&[client("free > before")]);
    assert_eq!(bench.file("before").unwrap(), "0\n", "a worker that goes on cannot tell what is missing");
    bench.shell.rest();
    bench.run(&[client("free > after")]);
    assert_eq!((bench.file("after").unwrap(), bench.shell.lost_tokens()), ("3\n".into(), 3));
}

#[test]
fn an_attempt_that_begins_while_a_build_has_all_tokens_gets_the_next() {
    let bench = bench(2, |_| {});
    let stop = StopHandle::new();
    let build = "take && echo 1 > has-all; until [ -e second ]; do :; done; give
                 while take; do give; done; echo 1 > gone";
    let first = [client(build)];
    let second = [sh("echo 1 > second; until [ -e gone ]; do :; done")];
    let report = beside(
        &stop,
        || bench.run_with(&first, &stop, true),
        || {
            bench.when("has-all", || assert!(bench.run(&second).outcome.is_success()));
        },
    );
    assert!(report.outcome.is_success(), "{report:?}");
    bench.shell.rest();
    assert_eq!(bench.shell.lost_tokens(), 0);
}

#[test]
fn a_plain_make_is_told_only_where_the_user_runs_it_in_parallel() {
    let told = |own: Option<&str>, parallel_make: bool| {
        let bench = bench(2, |config| {
            config.vars.retain(|(name, _)| name != "MAKEFLAGS");
            config.vars.extend(own.map(|own| ("MAKEFLAGS".into(), own.into())));
            config.jobserver = Some(JobserverConfig { tokens: 2, parallel_make });
        });
        bench.sh("echo \"${MAKEFLAGS-none}\" > told");
        bench.file("told").unwrap().trim_end().to_owned()
    };
    assert_eq!(told(None, false), "none");
    assert_eq!(told(Some("-k"), false), "-k");
    assert_eq!(told(Some("-j --jobserver-auth=3,4"), false), "none", "another make's");
    assert!(told(None, true).starts_with("-j --jobserver-"));
    let with_own = told(Some("kj8"), false);
    assert!(with_own.starts_with("-j --jobserver-") && with_own.ends_with(" -kj8"), "{with_own}");
}

#[test]
fn without_a_jobserver_nothing_is_told_and_nothing_handed_down() {
    let bench =
        Bench::with(|config| config.vars.push(("CARGO_MAKEFLAGS".into(), "-j --jobserver-auth=3,4".into())));
    bench.sh("echo \"${CARGO_MAKEFLAGS-none}\" > told; ls /proc/$$/fd > open");
    assert_eq!(bench.file("told").unwrap(), "none\n");
    let most = bench.file("open").unwrap().lines().map(|fd| fd.parse::<u32>().unwrap()).max();
    assert!(most.unwrap() < 200, "{most:?}");
}
