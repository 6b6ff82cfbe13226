//! `--sandbox`: what tasks can no longer do, what they still can, and what happens where the kernel cannot hold to it.

use super::sandbox::{Ended, Sandbox, finish};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A task that runs `code`, and nothing else.
fn task(code: &str) -> String {
    let code: String = code.lines().map(|line| format!("  {line}\n")).collect();
    format!("- [ ] T001 Try it\n\n  ```sh run\n{code}  ```\n")
}

/// The directory beside the project, in which nothing is a task's business.
fn outside(sandbox: &Sandbox) -> PathBuf {
    let dir = sandbox.root().parent().unwrap().join("outside");
    std::fs::create_dir_all(dir.join("empty")).unwrap();
    for name in ["keep", "kept", "keys", "cut"] {
        std::fs::write(dir.join(name), "precious\n").unwrap();
    }
    std::fs::write(sandbox.root().parent().unwrap().join("home/.bashrc"), "precious\n").unwrap();
    dir
}

/// Everything below a directory, with its content.
fn everything(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut found, mut dirs) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).unwrap().flatten() {
            let kind = entry.file_type().unwrap();
            let is_dir = kind.is_dir();
            // A pipe would be waited for.
            let content =
                if kind.is_file() { std::fs::read(entry.path()).unwrap_or_default() } else { Vec::new() };
            found.push((entry.path(), content));
            dirs.extend(is_dir.then(|| entry.path()));
        }
    }
    found.sort();
    found
}

fn implement(sandbox: &Sandbox, level: &str, env: &[(&str, &Path)]) -> Ended {
    let level = format!("--sandbox={level}");
    let mut command = sandbox.command(["implement", "--yes", "--retries=0", &level]);
    command.envs(env.iter().copied());
    finish(command.spawn().unwrap())
}

/// A process that is no task.
struct Bystander(Child);

impl Bystander {
    fn new() -> Bystander {
        let child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn();
        Bystander(child.unwrap())
    }

    fn is_alive(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Name and command of everything a task must not be able to do. Without a sandbox each of them works.
const ESCAPES: &[(&str, &str)] = &[
    ("write", "echo evil > $OUT/new"),
    ("keys", "echo evil >> $OUT/keys"),
    ("bashrc", "echo evil >> $HOME/.bashrc"),
    ("cut", "truncate -s 0 $OUT/cut"),
    ("remove", "rm -f $OUT/keep && test ! -e $OUT/keep"),
    ("rmdir", "rmdir $OUT/empty"),
    ("mkdir", "mkdir $OUT/dir"),
    ("fifo", "mkfifo $OUT/fifo"),
    ("link", "ln -s /etc/passwd $OUT/link"),
    ("through a link", "ln -s $OUT out && echo evil > out/through"),
    ("through a link that was there", "echo evil > there/through2"),
    ("hard link in", "ln $OUT/kept hard && echo evil >> hard"),
    ("hard link out", "echo own > own && ln own $OUT/hard"),
    ("rename in", "mv $OUT/kept stolen && test ! -e $OUT/kept"),
    ("rename out", "echo own > own2 && mv own2 $OUT/own2"),
    ("over a parent", "echo evil > ../outside/parent"),
    ("through the root", "echo evil > /proc/self/root$OUT/root"),
    ("signal", "kill $(cat victim)"),
];

fn script() -> String {
    let tries = ESCAPES.iter().map(|(name, code)| {
        format!("if ( {code} ) 2>> errors; then echo '{name}' >> worked; else echo '{name}' >> refused; fi\n")
    });
    tries.collect()
}

fn names(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn attempt_escapes(level: &str) -> (Sandbox, Vec<(PathBuf, Vec<u8>)>, PathBuf, Bystander) {
    let sandbox = Sandbox::new(&task(&script()));
    let out = outside(&sandbox);
    let bystander = Bystander::new();
    sandbox.write("victim", &bystander.0.id().to_string());
    std::os::unix::fs::symlink(&out, sandbox.root().join("there")).unwrap();
    let before = everything(&out);
    implement(&sandbox, level, &[("OUT", &out)]).expect(0);
    (sandbox, before, out, bystander)
}

#[test]
fn a_task_in_the_sandbox_changes_and_signals_nothing_outside() {
    let (sandbox, before, out, mut bystander) = attempt_escapes("require");
    let expected: Vec<String> = ESCAPES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&sandbox.read("refused")), expected, "worked: {}", sandbox.read("worked"));
    assert_eq!(everything(&out), before);
    assert!(bystander.is_alive());
    assert_eq!(sandbox.read("../home/.bashrc"), "precious\n");
}

#[test]
fn each_of_the_ways_out_is_one_without_the_sandbox() {
    let (sandbox, before, out, mut bystander) = attempt_escapes("off");
    let worked = names(&sandbox.read("worked"));
    let missing: Vec<_> = ESCAPES.iter().filter(|(name, _)| !worked.iter().any(|w| w == name)).collect();
    assert!(missing.is_empty(), "{missing:?}: {}", sandbox.read("errors"));
    assert_ne!(everything(&out), before);
    super::sandbox::until("the bystander to end", || !bystander.is_alive());
}

#[test]
fn a_task_in_the_sandbox_gains_no_privileges_and_makes_no_device() {
    let code = "grep NoNewPrivs /proc/self/status > status\n\
                if mknod disk b 7 0 2>/dev/null; then echo device >> got; fi\n\
                mkdir -p mnt; if mount -t tmpfs none mnt 2>/dev/null; then echo mount >> got; fi";
    let sandbox = Sandbox::new(&task(code));
    implement(&sandbox, "require", &[]).expect(0);
    assert_eq!(sandbox.read("status").split_whitespace().last(), Some("1"));
    assert_eq!(sandbox.read("got"), "");
}

#[test]
fn everything_in_the_project_and_the_usual_devices_can_be_written() {
    let code = "mkdir -p a/b; echo 1 > a/b/f; mv a/b/f a/g; ln a/g a/b/h; ln -s g a/s; mkfifo p; rm p a/s; rmdir -p a/b 2>/dev/null || true
echo x > /dev/null; dd if=/dev/zero of=/dev/null count=1 2>/dev/null
f=/dev/shm/specter-test-$$; echo x > $f; rm $f
test -f a/g && echo fine > result";
    let sandbox = Sandbox::new(&task(code));
    implement(&sandbox, "require", &[]).expect(0);
    assert_eq!(sandbox.read("result"), "fine\n");
}

#[test]
fn each_attempt_has_its_own_place_for_temporary_files_and_it_is_gone_afterwards() {
    let one = |id: &str| {
        format!(
            "- [ ] {id} Use it\n\n  ```sh run\n  test $TMPDIR = $TMP && test $TMPDIR = $TEMP\n  stat -c '%a %n' $TMPDIR >> places\n  \
             mkdir -p $TMPDIR/x/y && echo x > $(mktemp) && chmod 0 $TMPDIR/x\n  ls -A $TMPDIR | wc -l >> counts\n  test -e again\n  ```\n\n  ```sh verify\n  test -d $TMPDIR\n  ```\n\n"
        )
    };
    let sandbox = Sandbox::new(&(one("T001") + &one("T002")));
    sandbox.write("specter.toml", "[retry]\nbase = '1ms'\njitter = '0s'\n");
    let temporary = sandbox.root().parent().unwrap().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let run = || {
        let mut command = sandbox.command(["implement", "--yes", "--retries=1", "--sandbox=require"]);
        finish(command.env("TMPDIR", &temporary).spawn().unwrap())
    };
    run().expect(1);
    sandbox.write("again", "");
    run().expect(0);
    let places = names(&sandbox.read("places"));
    // T001 fails twice and blocks T002; then both succeed.
    assert_eq!((places.len(), sandbox.read("counts")), (4, "2\n".repeat(4)), "{places:?}");
    let mut distinct = places.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 4, "{places:?}");
    assert!(places.iter().all(|place| place.starts_with("700 ") && place.contains("/temporary/specter-")));
    assert_eq!(everything(&temporary), [], "something was left");
}

#[test]
fn what_the_user_lists_can_be_written_and_what_a_project_lists_is_refused() {
    let sandbox = Sandbox::new(&task("echo x > $OUT/empty/listed\n! echo x > $OUT/new 2>/dev/null"));
    let out = outside(&sandbox);
    let listed =
        format!("sandbox = 'write'\nsandbox-write = ['{}', '~/missing']\n", out.join("empty").display());
    sandbox.write("../home/.config/specter/config.toml", &listed);
    let mut command = sandbox.command(["implement", "--yes"]);
    let ended = finish(command.env("OUT", &out).spawn().unwrap()).expect(0);
    assert!(out.join("empty/listed").exists() && !out.join("new").exists());
    assert!(ended.stderr.contains("missing`: it does not exist"), "{}", ended.stderr);
    assert!(ended.stderr.contains("shell in a sandbox"), "{}", ended.stderr);
    sandbox.write("specter.toml", "sandbox-write = ['/']\n");
    let ended = sandbox.run(["implement", "--yes"]).expect(78);
    assert!(ended.stderr.contains("a project cannot set `sandbox-write`"), "{}", ended.stderr);
}

#[test]
fn a_project_can_ask_for_the_sandbox_and_cannot_take_it_away() {
    let sandbox = Sandbox::new("- [ ] T001 Think\n");
    let level = |user: &str, project: &str| {
        sandbox.write("../home/.config/specter/config.toml", user);
        sandbox.write("specter.toml", project);
        let shown = sandbox.run(["config", "--format=json"]).expect(0).stdout;
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        let settings = shown["settings"].as_array().unwrap();
        let level = settings.iter().find(|setting| setting["key"] == "sandbox").unwrap()["value"].clone();
        (level.as_str().unwrap().to_owned(), shown["notes"].as_array().unwrap().len())
    };
    assert_eq!(level("", ""), ("auto".to_owned(), 0));
    assert_eq!(level("", "sandbox = 'off'\n"), ("auto".to_owned(), 1));
    assert_eq!(level("sandbox = 'off'\n", ""), ("off".to_owned(), 0));
    assert_eq!(level("sandbox = 'off'\n", "sandbox = 'auto'\n"), ("auto".to_owned(), 0));
    assert_eq!(level("", "sandbox = 'write'\n"), ("write".to_owned(), 0));
    assert_eq!(level("sandbox = 'write'\n", "sandbox = 'require'\n"), ("require".to_owned(), 0));
    assert_eq!(level("sandbox = 'require'\n", "sandbox = 'write'\n"), ("require".to_owned(), 1));
    assert_eq!(level("sandbox = 'write'\n", "sandbox = 'off'\n"), ("write".to_owned(), 1));
}

#[test]
fn a_level_that_does_not_exist_is_a_mistake_on_the_command_line() {
    let sandbox = Sandbox::new(&task("echo ran > trace"));
    let ended = sandbox.run(["implement", "--yes", "--sandbox=full"]).expect(2);
    assert!(ended.stderr.contains("`full` does not exist yet; `write` and `require` do"), "{}", ended.stderr);
    let ended = sandbox.run(["implement", "--yes", "--sandbox=wriet"]).expect(2);
    assert!(ended.stderr.contains("did you mean `write`?"), "{}", ended.stderr);
    assert!(!sandbox.exists("trace"));
}

#[test]
fn a_resumed_run_keeps_its_sandbox_and_its_journal_cannot_loosen_it() {
    let sandbox = Sandbox::new(&task("echo x > $OUT/new || echo refused >> refused; test -e allowed"));
    let out = outside(&sandbox);
    let run = |args: &[&str]| finish(sandbox.command(args).env("OUT", &out).spawn().unwrap());
    run(&["implement", "--yes", "--retries=0", "--sandbox=write"]).expect(1);
    run(&["resume", "--yes"]).expect(1);
    assert_eq!(names(&sandbox.read("refused")).len(), 2);
    // A run that remembers that it had none, in a world whose user wants one.
    std::fs::remove_dir_all(sandbox.root().join(".specter")).unwrap();
    sandbox.write("refused", "");
    run(&["implement", "--yes", "--retries=0", "--sandbox=off"]).expect(1);
    std::fs::remove_file(out.join("new")).unwrap();
    sandbox.write("../home/.config/specter/config.toml", "sandbox = 'write'\n");
    sandbox.write("allowed", "");
    run(&["resume", "--yes"]).expect(0);
    assert_eq!(names(&sandbox.read("refused")).len(), 1);
    assert!(!out.join("new").exists());
}

/// Runs specter where no further restriction is taken: sixteen are the most that Linux stacks.
pub(super) fn where_the_kernel_refuses(command: Command) -> Ended {
    use landlock::{AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _};
    let spawn = move || {
        for _ in 0..16 {
            // Moves between directories are forbidden by every one that does not allow them.
            let ruleset = Ruleset::default().handle_access(AccessFs::Refer).unwrap().create().unwrap();
            let everywhere = PathBeneath::new(PathFd::new("/").unwrap(), AccessFs::Refer);
            ruleset.add_rule(everywhere).unwrap().restrict_self().unwrap();
        }
        let mut command = command;
        finish(command.spawn().unwrap())
    };
    std::thread::spawn(spawn).join().unwrap()
}

#[test]
fn where_the_kernel_cannot_hold_to_it_one_line_says_so_and_require_runs_nothing() {
    let sandbox = Sandbox::new(&task("echo ran >> trace"));
    let ended = where_the_kernel_refuses(sandbox.command(["implement", "--yes", "--sandbox=require"]));
    let ended = ended.expect(69);
    assert!(ended.stderr.contains("tasks cannot be sandboxed here"), "{}", ended.stderr);
    assert!(!sandbox.exists("trace") && !sandbox.exists(".specter"));
    let ended =
        where_the_kernel_refuses(sandbox.command(["implement", "--yes", "--sandbox=write"])).expect(0);
    assert_eq!(ended.stderr.matches("tasks cannot be sandboxed here").count(), 1, "{}", ended.stderr);
    assert_eq!(sandbox.read("trace"), "ran\n");
}

#[test]
fn a_sandbox_that_holds_the_home_directory_is_none_and_that_is_said() {
    let sandbox = Sandbox::new(&task("echo ran >> trace"));
    let home = sandbox.root();
    let run = |level: &str| implement(&sandbox, level, &[("HOME", &home)]);
    let ended = run("require").expect(69);
    assert!(ended.stderr.contains("does not protect your home directory"), "{}", ended.stderr);
    assert!(!sandbox.exists("trace"));
    let ended = run("write").expect(0);
    assert!(ended.stderr.contains("does not protect your home directory"), "{}", ended.stderr);
}

#[test]
fn state_kept_elsewhere_is_out_of_reach_of_tasks() {
    let tasks = task("for run in $STATE/runs/*; do (echo forged > $run/forged) || true; done");
    let forged = |level: &str| {
        let sandbox = Sandbox::new(&tasks);
        let state = sandbox.root().parent().unwrap().join("state");
        let level = format!("--sandbox={level}");
        let args = ["implement", "--yes", &level, "--state-dir", state.to_str().unwrap()];
        finish(sandbox.command(args).env("STATE", &state).spawn().unwrap()).expect(0);
        let run = std::fs::read_dir(state.join("runs")).unwrap().next().unwrap().unwrap().path();
        assert!(run.join("journal.ndjson").exists());
        run.join("forged").exists()
    };
    assert!(!forged("require") && forged("off"));
}

#[test]
fn specter_is_not_made_to_write_where_its_tasks_cannot() {
    let links = "for run in .specter/runs/*; do mkdir -p $run/tasks; ln -s $OUT $run/tasks/T002; done
for name in implementation-context.md implementation-metrics.json history.ndjson implementation.log; do
  ln -sf $OUT/keep .specter/$name
done
rm -rf .specter-memory .specter-state
ln -s $OUT .specter-memory
mkdir .specter-state && ln -s $OUT .specter-state/checkpoints && ln -s $OUT/kept .specter-state/current-session.md";
    let second = task("echo evil >&2; seq 100000").replace("T001", "T002");
    let sandbox = Sandbox::new(&(task(links) + &second));
    let out = outside(&sandbox);
    let before = everything(&out);
    let ended = implement(&sandbox, "require", &[("OUT", &out)]).expect(0);
    assert_eq!(everything(&out), before, "{}", ended.all());
    assert!(ended.all().contains("a derived file is behind"), "{}", ended.all());
    assert_eq!(sandbox.ticked(), ["T001", "T002"]);
}

#[test]
fn tasks_in_the_sandbox_end_and_fail_as_others_do() {
    let one = |id: &str, code: &str| format!("- [ ] {id} Try\n\n  ```sh run\n  {code}\n  ```\n\n");
    let tasks = one("T001", "no-such-program --here")
        + &one("T002", "(sleep 1000 & setsid sleep 1000 &) ; exit 3")
        + &one("T003", "cd / && pwd > \"$OLDPWD/where\"")
        + &one("T004", "./not-executable")
        + "- [ ] T005 Elsewhere\n\n  ```sh run dir=missing\n  true\n  ```\n";
    let sandbox = Sandbox::new(&tasks);
    sandbox.write("not-executable", "x");
    let of = |level: &str| {
        let level = format!("--sandbox={level}");
        let ended = sandbox.run(["implement", "--yes", "--retries=0", "--continue-on-error", "-j4", &level]);
        let _ = ended.expect(1);
        let finished = sandbox.events().into_iter().filter(|event| event["kind"] == "attempt_finished");
        let mut said: Vec<String> = finished
            .map(|event| {
                let report = &event["report"];
                format!(
                    "{} {} {} {}",
                    event["task"],
                    report["outcome"],
                    report["class"],
                    report["leaked"].as_array().map_or(0, Vec::len)
                )
            })
            .collect();
        said.sort();
        sandbox.write("tasks.md", &tasks);
        said
    };
    let (inside, outside) = (of("require"), of("off"));
    assert_eq!(inside, outside);
    assert_eq!(inside.len(), 5);
    assert_eq!(super::sandbox::processes_in(&sandbox.root()), Vec::<String>::new());
}

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

#[test]
fn a_compiler_and_git_work_in_the_sandbox() {
    if !has("cc") || !has("git") {
        println!("skipped: there is no cc or no git here");
        return;
    }
    let code = "printf 'int main(void) { return 0; }' > a.c
cc -pipe -O1 -o a a.c
cc -o b a.c
./a && ./b
git init -q . && git add a.c
git -c user.name=a -c user.email=a@b commit -qm one
git gc -q
git checkout -qb other
git log --oneline | wc -l > commits";
    let sandbox = Sandbox::new(&task(code));
    implement(&sandbox, "require", &[]).expect(0);
    assert_eq!(sandbox.read("commits").trim(), "1");
}

#[test]
fn cargo_builds_in_the_sandbox_with_a_home_it_cannot_write() {
    let cargo = PathBuf::from(env!("CARGO"));
    let rustc = cargo.with_file_name("rustc");
    if !rustc.exists() {
        println!("skipped: no compiler lies beside cargo");
        return;
    }
    let sandbox = Sandbox::new(&task("$CARGO_PROGRAM build --offline --quiet && ./target/debug/tiny > said"));
    sandbox
        .write("Cargo.toml", "[package]\nname = 'tiny'\nversion = '0.1.0'\nedition = '2021'\n[workspace]\n");
    sandbox.write("src/main.rs", "fn main() { println!(\"built\"); }\n");
    let home = sandbox.root().parent().unwrap().join("home/.cargo");
    std::fs::create_dir(&home).unwrap();
    let env = [("CARGO_PROGRAM", &*cargo), ("RUSTC", &*rustc), ("CARGO_HOME", &*home)];
    implement(&sandbox, "require", &env).expect(0);
    assert_eq!(sandbox.read("said"), "built\n");
}
