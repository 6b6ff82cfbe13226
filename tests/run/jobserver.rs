//! Real builds side by side: with the jobserver no more compilers run at once than it has tokens, without it more do.
//!
//! `SPECTER_CRATES=12 SPECTER_BUILDS=4 SPECTER_TOKENS=4` is the size: crates of each build, builds side by side, tokens.
//! Needs cargo and make; says so without them. No network, no crates but those made here.

use super::sandbox::{Sandbox, scale};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What a compiler is started by: notes how many of them there are, then does its work.
const COUNTED: &str = r#"#!/bin/sh
here=$(dirname "$0")/live
case "$*" in
  *--crate-name\ ___*) exec "$@" ;;
  *--crate-name*|*pretend*) ;;
  *) exec "$@" ;;
esac
: > "$here/$$"
ls "$here" | wc -l >> "$here.seen"
"$@"
code=$?
rm "$here/$$"
exit $code
"#;

fn works(program: &str) -> bool {
    let asked = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// The toolchain's own programs: with another HOME, the usual ones would look for it in vain.
fn toolchain() -> Option<PathBuf> {
    let cargo = PathBuf::from(std::env::var_os("CARGO")?);
    let dir = cargo.parent()?.to_owned();
    (works(dir.join("cargo").to_str()?) && works(dir.join("rustc").to_str()?)).then_some(dir)
}

/// A workspace of `crates` libraries that need one another in no way, and a program that needs them all.
fn workspace(sandbox: &Sandbox, name: &str, crates: u64) {
    let manifest = |package: &str, rest: &str| {
        format!("[package]\nname = \"{package}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}")
    };
    let mut needs =
        String::from("[workspace]\nmembers = [\"*\"]\nexclude = [\"src\", \"target\"]\n[dependencies]\n");
    for n in 0..crates {
        needs += &format!("lib{n} = {{ path = \"lib{n}\" }}\n");
        let functions: String = (0..60)
            .map(|k| format!("pub fn f{k}(v: &[u64]) -> Vec<String> {{ v.iter().map(|x| format!(\"{{}}\", x + {k})).collect() }}\n"))
            .collect();
        sandbox.write(&format!("{name}/lib{n}/Cargo.toml"), &manifest(&format!("lib{n}"), ""));
        sandbox.write(&format!("{name}/lib{n}/src/lib.rs"), &functions);
    }
    sandbox.write(&format!("{name}/Cargo.toml"), &manifest(name, &needs));
    sandbox.write(&format!("{name}/src/main.rs"), "fn main() {}\n");
}

/// `builds` tasks side by side, each with the block `code` makes of its number.
fn tasks(builds: u64, code: impl Fn(u64) -> String) -> String {
    (1..=builds)
        .map(|n| format!("- [ ] T{n:03} [P] Build {n}\n\n  ```sh run\n  {}\n  ```\n", code(n)))
        .collect()
}

/// The most compilers that ran at once in a run with these flags.
fn most(sandbox: &Sandbox, path: &std::ffi::OsStr, flags: &[&str]) -> u64 {
    sandbox.write("live/.keep", "");
    let builds = std::fs::read_dir(sandbox.root()).unwrap().flatten();
    builds.for_each(|dir| drop(std::fs::remove_dir_all(dir.path().join("target"))));
    for left in ["live.seen", "live/.keep"] {
        let _none = std::fs::remove_file(sandbox.root().join(left));
    }
    let open = sandbox.read("tasks.md").replace("[x]", "[ ]");
    sandbox.write("tasks.md", &open);
    let mut command = sandbox.command(["implement", "--yes", "--parallel", "--jobs=64"]);
    command.args(flags).env("PATH", path).env("CARGO_NET_OFFLINE", "true").env("CARGO_BUILD_JOBS", "4");
    super::sandbox::finish(command.spawn().unwrap()).expect(0);
    let seen = sandbox.read("live.seen");
    let counts: Vec<u64> = seen.lines().map(|line| line.trim().parse().unwrap()).collect();
    println!("{} compilers, at most {} at once with {flags:?}", counts.len(), counts.iter().max().unwrap());
    counts.into_iter().max().unwrap()
}

fn with_wrapper(tasks: &str) -> Sandbox {
    let sandbox = Sandbox::new(tasks);
    sandbox.write("counted", COUNTED);
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(sandbox.root().join("counted"), executable).unwrap();
    sandbox
}

#[test]
fn campaign_cargo_builds_side_by_side_share_the_tokens() {
    let Some(dir) = toolchain() else { return println!("skipped: no cargo that tells where it is") };
    let (crates, builds) = (scale("SPECTER_CRATES", 4), scale("SPECTER_BUILDS", 2));
    let tokens = scale("SPECTER_TOKENS", 2);
    let root = with_wrapper(&tasks(builds, |n| {
        format!("cd b{n} && RUSTC_WRAPPER=$SPECTER_PROJECT/counted cargo build --offline --quiet")
    }));
    (1..=builds).for_each(|n| workspace(&root, &format!("b{n}"), crates));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([dir].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let shared = most(&root, &path, &[&format!("--jobserver={tokens}")]);
    let unbound = most(&root, &path, &["--jobserver=off"]);
    assert!(shared <= tokens.max(builds), "{shared} compilers at once with {tokens} tokens");
    assert!(unbound > tokens, "only {unbound} at once without the jobserver: nothing was to be shared");
}

#[test]
fn campaign_makes_side_by_side_share_the_tokens() {
    if !works("make") {
        return println!("skipped: there is no make");
    }
    let (objects, builds) = (scale("SPECTER_CRATES", 4) * 2, scale("SPECTER_BUILDS", 2));
    let tokens = scale("SPECTER_TOKENS", 2);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let run = |command: &str, flags: &[&str]| {
        let root = with_wrapper(&tasks(builds, |n| format!("{command} -C b{n}")));
        let all: String = (0..objects).map(|n| format!(" o{n}")).collect();
        let rules = format!(
            "all:{all}\n{all}:\n\t../counted sh -c 'n=0; while [ $$n -lt 40000 ]; do n=$$((n+1)); done # pretend'\n"
        );
        (1..=builds).for_each(|n| root.write(&format!("b{n}/Makefile"), &rules));
        most(&root, &path, flags)
    };
    let shared = run("make", &[&format!("--jobserver={tokens}"), "--parallel-make"]);
    assert!(shared <= tokens.max(builds), "{shared} at once with {tokens} tokens");
    let plain = run("make", &[&format!("--jobserver={tokens}")]);
    assert!(plain <= builds, "a plain make ran {plain} at once: it was not told to run in parallel");
    let unbound = run("make -j", &["--jobserver=off"]);
    assert!(unbound > tokens, "only {unbound} at once without the jobserver: nothing was to be shared");
}
