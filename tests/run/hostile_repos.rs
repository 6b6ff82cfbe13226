//! Bytes in a repository never choose a command until its user agreed: hostile repositories, each tried on a terminal,
//! without one, and on a machine that says it is continuous integration. A canary outside tells whether anything ran.

use super::sandbox::{Ended, Sandbox, finish, until};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What must come of a repository where nobody agreed to anything in it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expect {
    /// It names a command: asked on a terminal, refused elsewhere.
    Asked,
    /// It names none: nobody is asked.
    NoPrompt,
    /// Its configuration asks for what it must not: refused before anything else.
    Invalid,
}
use Expect::{Asked, Invalid, NoPrompt};

/// A repository beside one whose commands were agreed to, and a canary that every hostile command would leave.
struct World {
    sandbox: Sandbox,
}

impl World {
    fn new() -> World {
        let world = World { sandbox: Sandbox::new("- [ ] T001 Nothing\n") };
        std::fs::create_dir(world.trusted()).unwrap();
        std::fs::write(world.trusted().join("specter.toml"), "").unwrap();
        std::fs::write(world.trusted().join("tasks.md"), task("sh", "true")).unwrap();
        let mut command = world.sandbox.command(["trust"]);
        finish(command.current_dir(world.trusted()).spawn().unwrap()).expect(0);
        world
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.sandbox.root().parent().unwrap().join(name)
    }

    fn trusted(&self) -> PathBuf {
        self.beside("trusted")
    }

    fn canary(&self) -> PathBuf {
        self.beside("canary")
    }

    /// A command that leaves the canary.
    fn evil(&self) -> String {
        format!("echo > {}", self.canary().display())
    }

    fn tasks(&self, interpreter: &str) {
        self.sandbox.write("tasks.md", &task(interpreter, &self.evil()));
    }

    fn program(&self, name: &str) {
        use std::os::unix::fs::PermissionsExt;
        self.sandbox.write(name, &format!("#!/bin/sh\n{}\nexec /bin/sh \"$@\"\n", self.evil()));
        let path = self.sandbox.root().join(name);
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn agree(&self) {
        self.sandbox.run(["trust"]).expect(0);
    }
}

fn task(interpreter: &str, code: &str) -> String {
    format!("- [ ] T001 Do it\n\n  ```{interpreter} run\n  {code}\n  ```\n")
}

type Make = fn(&World);

const REPOSITORIES: &[(&str, Expect, Make)] = &[
    ("a run block", Asked, |w| w.tasks("sh")),
    ("another interpreter", Asked, |w| w.tasks("bash")),
    ("an interpreter of its own", Asked, |w| {
        w.program("evil");
        w.tasks("./evil");
    }),
    ("a verify and a fallback block", Asked, |w| {
        let more = format!("\n  ```sh fallback\n  {0}\n  ```\n\n  ```sh verify\n  {0}\n  ```\n", w.evil());
        w.sandbox.write("tasks.md", &(task("sh", "true") + &more));
    }),
    ("a block's own environment", Asked, |w| {
        w.program("bin/tool");
        w.sandbox.write(
            "tasks.md",
            &task("sh", "tool").replace(" run", " run env.PATH=bin env.LD_PRELOAD=./evil.so"),
        );
    }),
    ("a shell in specter.toml", Asked, |w| {
        w.program("evil");
        w.sandbox.write("specter.toml", "shell = './evil'\n");
        w.tasks("sh");
    }),
    ("a shell in impl-config.json", Asked, |w| {
        w.program("evil");
        w.sandbox.write(".specter/impl-config.json", "{\"shell\": \"./evil\"}");
        w.tasks("sh");
    }),
    ("a shell in a linked specter.toml", Asked, |w| {
        w.program("evil");
        std::fs::write(w.beside("elsewhere.toml"), "shell = './evil'\n").unwrap();
        std::fs::remove_file(w.sandbox.root().join("specter.toml")).unwrap();
        symlink(w.beside("elsewhere.toml"), w.sandbox.root().join("specter.toml")).unwrap();
        w.tasks("sh");
    }),
    ("a shell around a block that was agreed to", Asked, |w| {
        w.sandbox.write("tasks.md", &task("sh", "true;"));
        w.agree();
        w.program("evil");
        w.sandbox.write("specter.toml", "shell = './evil'\n");
    }),
    ("a configuration that trusts itself", Invalid, |w| {
        w.sandbox.write("specter.toml", "trust = true\n");
        w.tasks("sh");
    }),
    ("a configuration that says yes", Invalid, |w| {
        w.sandbox.write(".specter/impl-config.json", "{\"yes\": true}");
        w.tasks("sh");
    }),
    ("a configuration that passes secrets", Invalid, |w| {
        w.sandbox.write("specter.toml", "[env]\npass = ['*']\n");
        w.tasks("sh");
    }),
    ("a configuration that moves state", Invalid, |w| {
        w.sandbox.write("specter.toml", "state-dir = '../trusted/.specter'\n");
        w.tasks("sh");
    }),
    ("a configuration that opens the sandbox", Invalid, |w| {
        w.sandbox.write("specter.toml", "sandbox-write = ['/']\n");
        w.tasks("sh");
    }),
    ("a configuration that takes the sandbox away", Asked, |w| {
        w.sandbox.write("specter.toml", "sandbox = 'off'\n");
        w.tasks("sh");
    }),
    ("a configuration that is a directory", Invalid, |w| {
        std::fs::remove_file(w.sandbox.root().join("specter.toml")).unwrap();
        std::fs::create_dir(w.sandbox.root().join("specter.toml")).unwrap();
        w.tasks("sh");
    }),
    ("a .git file that names a trusted repository", Asked, |w| {
        std::fs::create_dir_all(w.trusted().join(".git/worktrees/p")).unwrap();
        w.sandbox.write(".git", &format!("gitdir: {}/.git/worktrees/p\n", w.trusted().display()));
        w.tasks("sh");
    }),
    ("a commondir that names a trusted repository", Asked, |w| {
        w.sandbox.write(".git/commondir", &format!("{}/.git\n", w.trusted().display()));
        w.sandbox.write(".git/HEAD", "ref: refs/heads/main\n");
        w.tasks("sh");
    }),
    ("a git configuration that runs programs", NoPrompt, |w| {
        w.program("evil");
        let evil = w.sandbox.root().join("evil");
        let config = format!(
            "[core]\n\trepositoryformatversion = 0\n\tfsmonitor = {0}\n\tsshCommand = {0}\n\tpager = {0}\n\thooksPath = .\n\
             [filter \"x\"]\n\tsmudge = {0}\n\tclean = {0}\n",
            evil.display()
        );
        w.sandbox.write(".git/config", &config);
        w.sandbox.write(".git/HEAD", "ref: refs/heads/001-x\n");
        w.sandbox.write(".git/objects/x", "");
        w.sandbox.write(".git/refs/x", "");
        w.sandbox.write(".gitattributes", "* filter=x\n");
        w.program("post-checkout");
    }),
    ("configuration of other tools that run things", NoPrompt, |w| {
        for name in [
            ".envrc",
            ".mise.toml",
            "Makefile",
            "package.json",
            ".bashrc",
            ".profile",
            ".claude/settings.json",
        ] {
            w.sandbox.write(name, &w.evil());
        }
    }),
    ("a journal of a trusted run", Asked, |w| {
        w.sandbox.write("tasks.md", &task("sh", &format!("{}; false", w.evil())));
        w.sandbox.run(["implement", "--yes", "--retries=0"]).expect(1);
        std::fs::remove_file(w.canary()).unwrap();
        let run = w.sandbox.journal().unwrap();
        let text = std::fs::read_to_string(&run).unwrap();
        assert!(!text.contains("--yes"), "consent is not remembered in a journal");
    }),
    ("a record of consent of its own", Asked, |w| {
        w.tasks("sh");
        w.agree();
        let state = w.beside("home/.local/state/specter");
        let copy = w.sandbox.root().join(".local/state");
        std::fs::create_dir_all(&copy).unwrap();
        std::fs::rename(state, copy.join("specter")).unwrap();
        w.sandbox.write(".config/specter/config.toml", "yes = true\n");
    }),
    ("a command changed by one space", Asked, |w| {
        w.sandbox.write("tasks.md", &task("sh", "true"));
        w.agree();
        w.sandbox.write("tasks.md", &task("sh", &format!("true ;{}", w.evil())));
    }),
    ("another repository at a trusted path", Asked, |w| {
        w.sandbox.write("tasks.md", &task("sh", "true"));
        w.agree();
        std::fs::rename(w.sandbox.root(), w.beside("old")).unwrap();
        std::fs::create_dir(w.sandbox.root()).unwrap();
        w.sandbox.write("specter.toml", "");
        w.tasks("sh");
    }),
    ("a project in a trusted project", Asked, |w| {
        w.sandbox.write("tasks.md", &task("sh", "true"));
        w.agree();
        w.sandbox.write("sub/.specify/x", "");
        w.sandbox.write("sub/tasks.md", &task("sh", &w.evil()));
        w.sandbox.write("tasks.md", "");
        w.sandbox.write(".specify/feature.json", "{\"feature_directory\": \"sub\"}");
    }),
    ("a feature elsewhere", Asked, |w| {
        std::fs::create_dir(w.beside("other")).unwrap();
        std::fs::write(w.beside("other/tasks.md"), task("sh", &w.evil())).unwrap();
        w.sandbox.write(".specify/feature.json", "{\"feature_directory\": \"../other\"}");
    }),
    ("a task file that is a link elsewhere", Asked, |w| {
        std::fs::create_dir(w.beside("other")).unwrap();
        std::fs::write(w.beside("other/tasks.md"), task("sh", &w.evil())).unwrap();
        std::fs::remove_file(w.sandbox.root().join("tasks.md")).unwrap();
        symlink(w.beside("other/tasks.md"), w.sandbox.root().join("tasks.md")).unwrap();
    }),
    ("a command behind control sequences", Asked, |w| {
        w.sandbox.write(
            "tasks.md",
            &task("sh", &format!("{} #\u{1b}[2K\u{1b}[1A\r\u{202e}true\u{1b}[8m", w.evil())),
        );
    }),
    ("a command behind a hundred thousand spaces", Asked, |w| {
        w.sandbox.write("tasks.md", &task("sh", &format!("true{};{}", " ".repeat(100_000), w.evil())));
    }),
    ("an info string with hidden characters", Asked, |w| {
        w.program("sh\u{200b}");
        w.sandbox.write(
            "tasks.md",
            &(task("sh\u{200b}", "true") + &task("sh", &w.evil()).replace("T001", "T002")),
        );
    }),
    ("commands in titles, ids and paths", NoPrompt, |w| {
        let evil = w.evil();
        let text =
            format!("- [ ] T001 $({evil}) `{evil}` ; {evil} in `src/$({evil}).rs`\n- [ ] T-$({evil}) x\n");
        w.sandbox.write("tasks.md", &text);
    }),
    ("blocks that are not marked to run", NoPrompt, |w| {
        let evil = w.evil();
        let text = format!(
            "- [ ] T001 x\n\n  ```sh\n  {evil}\n  ```\n\n  ```sh title=run\n  {evil}\n  ```\n\n<!--\n- [ ] T002 y\n\n  ```sh run\n  {evil}\n  ```\n-->\n"
        );
        w.sandbox.write("tasks.md", &text);
    }),
    ("files named by the task file", NoPrompt, |w| {
        w.sandbox.write("more.md", &task("sh", &w.evil()));
        w.sandbox.write(
            "tasks.md",
            "- [ ] T001 x\n\n@more.md\n![[more.md]]\n{% include 'more.md' %}\n--8<-- \"more.md\"\n",
        );
    }),
    ("nothing left to do", NoPrompt, |w| w.sandbox.write("tasks.md", "- [x] T001 Done\n")),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Terminal,
    Nowhere,
    Ci,
}

const PROMPT: &str = "Run them? [o]nce";

/// `specter implement` there; what is typed is a plain return, which agrees to nothing. `None` without a terminal to make.
fn implement(world: &World, place: Place) -> Option<Ended> {
    let sandbox = &world.sandbox;
    if place != Place::Terminal {
        let mut command = sandbox.command(["implement"]);
        // The second shell of some: a place inside the repository, which the standard says to ignore.
        command.env("XDG_STATE_HOME", ".local/state").env("XDG_CONFIG_HOME", ".config");
        if place == Place::Ci {
            command.envs([("CI", "true"), ("GITHUB_ACTIONS", "true"), ("SPECTER_YES", "1")]);
        }
        return Some(finish(command.spawn().unwrap()));
    }
    let mut command = terminal(sandbox, "implement");
    let mut child = command.spawn().ok()?;
    let mut input = child.stdin.take().unwrap();
    let _gone_already = input.write_all(b"\n\n");
    let ended = finish(child);
    drop(input);
    Some(ended)
}

fn terminal(sandbox: &Sandbox, args: &str) -> Command {
    let mut script = Command::new("script");
    script.args(["-qec", &format!("'{}' {args}", env!("CARGO_BIN_EXE_specter")), "/dev/null"]);
    script.current_dir(sandbox.root()).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    script
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .env("HOME", sandbox.root().parent().unwrap().join("home"));
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    script
}

fn fault(world: &World, expect: Expect, place: Place, ended: &Ended) -> Option<String> {
    let said = ended.all();
    let prompts = said.matches(PROMPT).count();
    let expected_prompts = usize::from(expect == Asked && place == Place::Terminal);
    let raw = |c: char| !matches!(c, '\n' | '\r' | '\x1b') && specter::text::is_unsafe(c);
    let lists = said.contains("canary") || said.contains("evil") || said.contains("PATH=bin");
    match () {
        () if world.canary().exists() => Some("something was executed".to_owned()),
        () if prompts != expected_prompts => Some(format!("{prompts} prompts")),
        () if (ended.code == Some(77)) != (expect == Asked) => Some(format!("exit {:?}", ended.code)),
        () if expect == Invalid && ended.code != Some(78) => Some(format!("exit {:?}", ended.code)),
        () if expect == Asked && !lists => Some("the command is not shown".to_owned()),
        () if said.contains(raw) || said.contains("\x1b[2K\x1b[1A") => {
            Some("raw control characters".to_owned())
        }
        () => None,
    }
}

#[test]
fn no_hostile_repository_runs_anything_before_consent() {
    let tries = || {
        let places = [Place::Terminal, Place::Nowhere, Place::Ci];
        REPOSITORIES.iter().flat_map(move |repository| places.map(|place| (repository, place)))
    };
    let one = |(name, expect, make): &(&str, Expect, Make), place: Place| {
        let world = World::new();
        make(&world);
        let Some(ended) = implement(&world, place) else {
            println!("skipped on a terminal: there is no `script` here");
            return (0, None);
        };
        let told = |fault| {
            let said: String = ended.all().chars().take(1500).collect();
            format!("{name}, {place:?}: {fault}\n{said}")
        };
        (1, fault(&world, *expect, place, &ended).map(told))
    };
    // Most of the time of each goes by in waiting for processes.
    const THREADS: usize = 4;
    let results: Vec<(usize, Option<String>)> = std::thread::scope(|scope| {
        let part = |n: usize| {
            let mine = tries().skip(n).step_by(THREADS);
            scope.spawn(move || mine.map(|(repository, place)| one(repository, place)).collect::<Vec<_>>())
        };
        let threads: Vec<_> = (0..THREADS).map(part).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let tried: usize = results.iter().map(|(tried, _)| tried).sum();
    let faults: Vec<String> = results.into_iter().filter_map(|(_, fault)| fault).collect();
    assert!(faults.is_empty(), "{} of {tried}:\n{}", faults.len(), faults.join("\n"));
    assert!(tried >= 2 * REPOSITORIES.len() && REPOSITORIES.len() >= 30);
    println!("{tried} tried");
}

#[test]
fn the_canary_sings_when_somebody_agrees() {
    let asked = REPOSITORIES.iter().filter(|(_, expect, _)| *expect == Asked);
    let silent = asked.filter(|(_, _, make)| {
        let world = World::new();
        make(&world);
        world.sandbox.run(["implement", "--yes", "--retries=0", "--continue-on-error"]);
        !world.canary().exists()
    });
    let silent: Vec<&str> = silent.map(|(name, ..)| *name).collect();
    assert_eq!(silent, Vec::<&str>::new());
}

#[test]
fn what_changes_between_the_question_and_the_run_is_not_run() {
    let world = World::new();
    let sandbox = &world.sandbox;
    sandbox.write("tasks.md", &task("sh", "echo agreed >> trace"));
    let Ok(mut child) =
        terminal(sandbox, "implement --retries=0").stderr(Stdio::null()).stdout(Stdio::piped()).spawn()
    else {
        println!("skipped: there is no `script` here");
        return;
    };
    let mut input = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    let said = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = std::sync::Arc::clone(&said);
    let reader = std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(n) = std::io::Read::read(&mut output, &mut piece) {
            if n == 0 {
                break;
            }
            heard.lock().unwrap().extend_from_slice(&piece[..n]);
        }
    });
    until("the question", || String::from_utf8_lossy(&said.lock().unwrap()).contains(PROMPT));
    sandbox
        .write("tasks.md", &(task("sh", &world.evil()) + &task("sh", &world.evil()).replace("T001", "T002")));
    sandbox.write("specter.toml", "shell = './evil'\n");
    world.program("evil");
    input.write_all(b"a\n").unwrap();
    let status = super::sandbox::wait(&mut child, std::time::Duration::from_mins(1));
    drop(input);
    reader.join().unwrap();
    assert!(status.is_some());
    assert!(!world.canary().exists(), "{}", String::from_utf8_lossy(&said.lock().unwrap()));
    // What stands there now was not agreed to.
    sandbox.run(["implement"]).expect(77);
    assert!(!world.canary().exists());
}
