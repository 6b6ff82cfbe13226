//! What a block is run with, and what its end means.

use super::*;
use specter::event::{AttemptOutcome, FailureClass};

#[test]
fn blocks_run_in_order_and_stop_at_the_first_failure() {
    let bench = Bench::new();
    let report =
        bench.run(&[sh("echo one >> order"), sh("echo two >> order; exit 4"), sh("echo three >> order")]);
    assert_eq!(report.outcome, AttemptOutcome::ExitCode(4));
    assert_eq!(report.block.unwrap().number, 2);
    assert_eq!(bench.file("order").unwrap(), "one\ntwo\n");
}

#[test]
fn a_failing_line_in_the_middle_fails_the_block() {
    let bench = Bench::new();
    let report = bench.sh("echo before\nfalse\ntouch after");
    assert_eq!(report.outcome, AttemptOutcome::ExitCode(1));
    assert_eq!(report.tail, "before");
    assert!(bench.file("after").is_none());
}

#[test]
fn fallbacks_are_tried_only_when_run_has_failed_for_good() {
    let blocks = [
        sh("exit 1"),
        block(BlockKind::Fallback, "sh", "exit 2"),
        block(BlockKind::Fallback, "sh", "touch done"),
    ];
    let bench = Bench::new();
    let report = bench.run_with(&blocks, &StopHandle::new(), false);
    assert_eq!(report.outcome, AttemptOutcome::ExitCode(1));
    assert!(bench.file("done").is_none());
    let report = bench.run_with(&blocks, &StopHandle::new(), true);
    assert!(report.outcome.is_success() && report.by_fallback && report.class.is_none(), "{report:?}");
    assert!(bench.file("done").is_some());
    // A permanent failure is for good at once.
    let blocks = [sh("no-such-program-at-all"), block(BlockKind::Fallback, "sh", "true")];
    assert!(bench.run_with(&blocks, &StopHandle::new(), false).by_fallback);
}

#[test]
fn a_failed_verify_is_a_gate_and_a_passed_one_is_told() {
    let bench = Bench::new();
    let verify = |code: &str| block(BlockKind::Verify, "sh", code);
    let report = bench.run(&[sh("touch made"), verify("test -f made"), verify("test -f other")]);
    assert_eq!(report.class, Some(FailureClass::Gate));
    assert!(!report.verified && report.block.unwrap().kind == BlockKind::Verify);
    let report = bench.run(&[sh("touch made"), verify("test -f made")]);
    assert!(report.outcome.is_success() && report.verified);
    assert!(!bench.sh("true").verified);
}

#[test]
fn with_and_without_a_shell_a_command_ends_the_same() {
    let direct = Bench::new();
    let shell = Bench::with(|config| config.force_shell = true);
    for bench in [&direct, &shell] {
        std::fs::write(bench.path().join("plain"), "echo ran $1\n").unwrap();
        std::fs::write(bench.path().join("closed"), "#!/bin/sh\necho no\n").unwrap();
        std::fs::write(bench.path().join("lost"), "#!/no/such/interpreter\n").unwrap();
        for name in ["plain", "lost"] {
            use std::os::unix::fs::PermissionsExt;
            let path = bench.path().join(name);
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    for code in [
        "true",
        "false",
        "echo a b",
        "echo  a   b ",
        "expr 1 + 1",
        "ls no-such-file",
        "no-such-program x",
        "./plain 7",
        "./closed",
        "./lost",
        "./no-such",
        "env",
        "/bin/echo x",
        "sh plain 8",
        "cat /dev/stdin",
        "ls",
        "/",
        "sleep 0",
        "id -u",
        "basename a/b",
        "echo a=b",
        "seq 3",
        "",
        "# nothing",
    ] {
        let (a, b) = (direct.sh(code), shell.sh(code));
        assert_eq!(a.outcome, b.outcome, "{code}: {} / {}", a.tail, b.tail);
        assert_eq!(a.class, b.class, "{code}");
        if code != "env" && !code.is_empty() {
            let rename = |text: &str, bench: &Bench| text.replace(bench.path().to_str().unwrap(), "DIR");
            assert_eq!(rename(&a.tail, &direct), rename(&b.tail, &shell), "{code}");
        }
    }
}

#[test]
fn attributes_of_a_block_hold() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path().join("web")).unwrap();
    let mut here = sh("pwd -P > where; echo \"$PWD|$A|$CI\" >> where");
    here.given.dir = Some("web".into());
    here.given.env = vec![("A".into(), "b c".into()), ("CI".into(), "mine".into())].into();
    assert!(bench.run(&[here]).outcome.is_success());
    let web = bench.path().canonicalize().unwrap().join("web").display().to_string();
    assert_eq!(bench.file("web/where").unwrap(), format!("{web}\n{web}|b c|mine\n"));

    let mut nowhere = sh("true");
    nowhere.given.dir = Some("no/such".into());
    let report = bench.run(&[nowhere]);
    let AttemptOutcome::StartFailed(why) = &report.outcome else { panic!("{report:?}") };
    assert_eq!(why, "the directory `no/such` does not exist");
    assert_eq!(report.class, Some(FailureClass::Permanent));
}

#[test]
fn other_interpreters_get_their_code() {
    let bench = Bench::new();
    let perl = block(BlockKind::Run, "perl", "print \"perl \", 6 * 7, \"\\n\"; exit 3");
    let report = bench.run(&[perl]);
    assert_eq!((report.outcome, report.tail.as_str()), (AttemptOutcome::ExitCode(3), "perl 42"));
    // `awk -f`-like programs that take no code on the command line get a private file, gone afterwards.
    let cat = block(BlockKind::Run, "cat", "the code\n");
    let report = bench.run(&[cat]);
    assert_eq!(bench.log(&report), "the code\n");
    assert_eq!(std::fs::read_dir(bench.path().join("run/scripts")).unwrap().count(), 0);

    let report = bench.run(&[block(BlockKind::Run, "no-such-interpreter", "x")]);
    assert!(
        matches!(&report.outcome, AttemptOutcome::StartFailed(why) if why.contains("`no-such-interpreter`"))
    );
    assert_eq!(report.class, Some(FailureClass::Permanent));
}

#[test]
fn code_longer_than_an_argument_may_be_runs_from_a_file() {
    let bench = Bench::new();
    let report = bench.sh(&format!("# {}\necho long; exit 5", "x".repeat(200_000)));
    assert_eq!((report.outcome, report.tail.as_str()), (AttemptOutcome::ExitCode(5), "long"));
}

#[test]
fn a_child_has_a_session_of_its_own_and_no_terminal_and_no_input() {
    let bench = Bench::new();
    let report = bench.sh("read line && echo got; ps -o sid= -p $$ | tr -d ' ' > sid; echo $$ > pid; (: < /dev/tty) 2>/dev/null && echo tty; exit 6");
    // `read` fails at the end of input; in a list with && that does not end the block.
    assert_eq!((report.outcome, report.tail.as_str()), (AttemptOutcome::ExitCode(6), ""));
    assert_eq!(bench.file("sid"), bench.file("pid"));
}

#[test]
fn signals_have_their_default_meaning_and_no_descriptor_is_inherited() {
    let bench = Bench::new();
    let kept = std::fs::File::open("/dev/null").unwrap();
    let report = bench.sh("ls /proc/self/fd | wc -l; yes | head -1; kill -PIPE $$; echo survived");
    drop(kept);
    assert_eq!(report.outcome, AttemptOutcome::Signalled(13));
    // 0, 1, 2 and the one with which `ls` reads.
    assert_eq!(report.tail, "4\ny");
}

#[test]
fn the_environment_is_filtered_and_says_whose_it_is() {
    let bench = Bench::with(|config| {
        let vars = [
            ("PATH", "/usr/bin:/bin"),
            ("HOME", "/h"),
            ("DEPLOY_TOKEN", "tell-nobody-1"),
            ("NPM_TOKEN", "for-npm-only-1"),
            ("GIT_DIR", "/x"),
            ("LD_PRELOAD_X", "/x"),
            ("BASH_ENV", "/x"),
            ("SPECTER_JOBS", "3"),
        ];
        config.vars = vars.map(|(name, value)| (name.into(), value.into())).to_vec();
        config.env_pass = vec!["NPM_TOKEN".into()];
    });
    assert!(bench.sh("env > all\necho x").outcome.is_success());
    let all = bench.file("all").unwrap();
    let names: std::collections::BTreeSet<&str> =
        all.lines().filter_map(|l| Some(l.split_once('=')?.0)).collect();
    let expected = "CI DEBIAN_FRONTEND GIT_TERMINAL_PROMPT HOME NPM_TOKEN PATH PWD SPECTER_ATTEMPT SPECTER_PROJECT SPECTER_RUN SPECTER_TASK_ID SPECTER_TASK_TITLE";
    assert_eq!(names.into_iter().filter(|name| *name != "_").collect::<Vec<_>>().join(" "), expected);
    assert!(
        all.contains("SPECTER_TASK_ID=T001\n") && all.contains("SPECTER_TASK_TITLE=Add a model\n"),
        "{all}"
    );
}

#[test]
fn secrets_of_the_environment_are_in_no_log_and_no_report() {
    let bench = Bench::with(|config| {
        config.vars.push(("MY_API_KEY".into(), "s3cr3t-v4lue".into()));
        config.env_pass = vec!["MY_API_KEY".into()];
    });
    let report = bench.sh("echo key $MY_API_KEY; printf s3cr3t; printf '%s\\n' -v4lue; exit 1");
    assert_eq!(report.tail, "key ***\n***");
    assert_eq!(bench.log(&report), "key ***\n***\n");
}

#[test]
fn what_it_used_is_accounted() {
    let bench = Bench::new();
    let report = bench.sh("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done");
    assert!(report.cpu_ms > 0 && report.max_rss_kb > 500, "{report:?}");
    assert!(report.duration > Duration::from_millis(5));
    assert!(report.log.is_empty() && report.output_bytes == 0);
}

#[test]
fn known_commands_have_alternatives_when_wanted() {
    let script = "#!/bin/sh\necho \"$@\" >> calls\n[ \"$1\" = ci ]\n";
    for wanted in [false, true] {
        let bench = Bench::with(|config| {
            use std::os::unix::fs::PermissionsExt;
            config.try_alternatives = wanted;
            let npm = config.project.join("npm");
            std::fs::write(&npm, script).unwrap();
            std::fs::set_permissions(&npm, std::fs::Permissions::from_mode(0o755)).unwrap();
            let path = format!("{}:/usr/bin:/bin", config.project.display());
            config.vars.retain(|(name, _)| name != "PATH");
            config.vars.push(("PATH".into(), path.into()));
        });
        let report = bench.sh("npm install");
        assert_eq!(report.outcome.is_success(), wanted);
        if wanted {
            assert_eq!(bench.file("calls").unwrap(), "install\nci\n");
            assert_eq!(report.rule.as_deref(), Some("`npm install` failed, `npm ci` succeeded"));
        }
    }
}
