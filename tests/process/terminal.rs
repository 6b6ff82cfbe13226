//! A person at a terminal, or a system that ends one: four signals in three situations, through a real pty, and what
//! else keys can do.
//!
//! `SPECTER_SIGNALS` is how often each of the 12 cells is played, `SPECTER_SUSPENDS` how often Ctrl-Z is pressed
//! during a storm of starts.

use super::pty::{CTRL_BACKSLASH, CTRL_C, CTRL_Z, Terminal};
use super::{NEVER, Times, check_record, many_tasks, one_task, system};
use crate::run::sandbox::{Sandbox, finish, processes_in, scale, until, wait};
use std::process::{Child, Command};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[derive(Clone, Copy, Debug)]
enum Situation {
    /// Nothing runs: the only task waits for its next try.
    Idle,
    /// Two tasks run, many wait.
    Busy,
    /// Tasks end all the time, and boxes are ticked.
    WriteBack,
}

#[derive(Clone, Copy, Debug)]
enum Signal {
    CtrlC,
    Terminate,
    /// The window is closed.
    HangUp,
    /// Ctrl-Z, `fg`, then Ctrl-C.
    CtrlZ,
}

const SITUATIONS: [Situation; 3] = [Situation::Idle, Situation::Busy, Situation::WriteBack];
const SIGNALS: [Signal; 4] = [Signal::CtrlC, Signal::Terminate, Signal::HangUp, Signal::CtrlZ];
/// Each start is noted with its time.
const NOTE: &str = "date +%s%N >> starts";
const ARGS: [&str; 4] = ["implement", "--parallel", "-j2", "--yes"];

impl Situation {
    fn sandbox(self) -> Sandbox {
        match self {
            Situation::Idle => {
                let sandbox =
                    Sandbox::new(&one_task("", &format!("{NOTE}; echo connection refused; exit 1")));
                sandbox.write("specter.toml", "retryDelays = [60000]\n");
                sandbox
            }
            Situation::Busy => Sandbox::new(&many_tasks(40, &format!("{NOTE}; exec sleep 300"))),
            Situation::WriteBack => Sandbox::new(&many_tasks(3_000, NOTE)),
        }
    }

    fn await_begin(self, sandbox: &Sandbox) {
        until(&format!("{self:?}"), || match self {
            Situation::Idle => !sandbox.ids("retry_scheduled").is_empty(),
            Situation::Busy => starts(sandbox).len() == 2,
            Situation::WriteBack => !sandbox.ticked().is_empty(),
        });
    }
}

fn starts(sandbox: &Sandbox) -> Vec<u64> {
    sandbox.read("starts").lines().filter_map(|line| line.parse().ok()).collect()
}

fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// A shell with job control around specter, as people have it: Enter is `fg`.
fn in_shell(specter: &Command) -> Command {
    // Not a loop: a stopped job breaks out of those.
    let script = "set -m
        go_on() {
            code=$?
            if [ $code = 148 ]; then echo stopped; read -r line; fg >/dev/null; go_on; fi
        }
        \"$@\"; go_on; echo \"ended $code\"; exit $code";
    let mut command = Command::new("bash");
    command.args(["-c", script, "bash"]).arg(specter.get_program()).args(specter.get_args());
    command.current_dir(specter.get_current_dir().unwrap()).env_clear();
    command.envs(specter.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

/// Processes in the project by state: stopped ones, and all. A shell in the middle of a `vfork` cannot be stopped and
/// waits for its stopped child; specter stops last.
fn stopped(sandbox: &Sandbox) -> (usize, usize) {
    let all: Vec<String> =
        processes_in(&sandbox.root()).into_iter().filter(|process| !process.contains(" bash -c ")).collect();
    let is_stopped = |process: &&String| {
        let pid = process.split(' ').next().unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        state == Some('T') || (state == Some('D') && !stat.contains("(specter)"))
    };
    (all.iter().filter(is_stopped).count(), all.len())
}

fn await_stopped(sandbox: &Sandbox) {
    let begun = Instant::now();
    loop {
        let (stopped, all) = stopped(sandbox);
        if stopped > 0 && stopped == all {
            return;
        }
        assert!(begun.elapsed() < NEVER, "{stopped} of {:?} are stopped", processes_in(&sandbox.root()));
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[derive(Default)]
struct Measured {
    last_start: Times,
    end: Times,
}

/// One cell, once.
fn play(situation: Situation, signal: Signal, measured: &mut Measured) {
    let sandbox = situation.sandbox();
    let mut terminal = Terminal::new(24, 80);
    let specter = sandbox.command(ARGS);
    let mut child = match signal {
        Signal::CtrlZ => terminal.start(in_shell(&specter)),
        _ => terminal.start(specter),
    };
    situation.await_begin(&sandbox);
    if matches!(signal, Signal::CtrlZ) {
        suspend_and_go_on(&sandbox, &terminal);
    }
    let (ordered, at) = (Instant::now(), wall());
    let code = match signal {
        Signal::CtrlC | Signal::CtrlZ => {
            terminal.press(CTRL_C);
            130
        }
        Signal::Terminate => {
            system::signal(child.id(), libc::SIGTERM);
            143
        }
        Signal::HangUp => {
            terminal.close();
            130
        }
    };
    let status = wait(&mut child, NEVER).unwrap_or_else(|| panic!("{situation:?} {signal:?}: it goes on"));
    measured.end.note(ordered.elapsed());
    let last = starts(&sandbox).into_iter().max().unwrap_or(at).saturating_sub(at);
    measured.last_start.note(Duration::from_nanos(last));
    if !matches!(signal, Signal::HangUp) {
        terminal.check_restored();
        assert!(terminal.shown().contains("specter resume"), "{signal:?}: {}", terminal.shown());
    }
    assert_eq!(status.code(), Some(code), "{situation:?} {signal:?}");
    assert_eq!(processes_in(&sandbox.root()), Vec::<String>::new(), "{situation:?} {signal:?}");
    check_record(&sandbox);
    assert_eq!(sandbox.ids("interrupted").len(), 1);
}

/// Ctrl-Z stops specter and its tasks; while it is stopped nothing happens; Enter brings all of it back.
fn suspend_and_go_on(sandbox: &Sandbox, terminal: &Terminal) {
    terminal.press(CTRL_Z);
    await_stopped(sandbox);
    let before = (starts(sandbox).len(), sandbox.events().len());
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(before, (starts(sandbox).len(), sandbox.events().len()), "something went on while stopped");
    terminal.press("\n");
    until("it to go on", || stopped(sandbox).0 == 0);
}

#[test]
fn campaign_every_signal_ends_every_situation_in_order() {
    let rounds = scale("SPECTER_SIGNALS", 1);
    let mut all = Measured::default();
    for signal in SIGNALS {
        for situation in SITUATIONS {
            let mut measured = Measured::default();
            (0..rounds).for_each(|_| play(situation, signal, &mut measured));
            println!("{signal:?} {situation:?}: {}", measured.end.tell("to the end"));
            all.last_start.0.append(&mut measured.last_start.0);
            all.end.0.append(&mut measured.end.0);
        }
    }
    println!("12 cells, {rounds} times each");
    println!("{}", all.last_start.tell("last start after the signal"));
    println!("{}", all.end.tell("to the end"));
}

#[test]
fn campaign_a_second_ctrl_c_ends_everything_at_once() {
    let mut times = Times::default();
    for _ in 0..scale("SPECTER_SIGNALS", 1) {
        let code = "trap '' TERM INT; echo up > up; while :; do sleep 0.1; done";
        let sandbox = Sandbox::new(&one_task("", code));
        let terminal = Terminal::new(24, 80);
        let mut child = terminal.start(sandbox.command(["implement", "--yes", "--grace=10m"]));
        until("the task to run", || sandbox.exists("up"));
        terminal.press(CTRL_C);
        until("the first to be heard", || !sandbox.ids("interrupted").is_empty());
        let second = Instant::now();
        terminal.press(CTRL_C);
        assert_eq!(wait(&mut child, NEVER).expect("it ends").code(), Some(130), "{}", terminal.shown());
        times.note(second.elapsed());
        terminal.check_restored();
        check_record_of_two(&sandbox);
        assert_eq!(processes_in(&sandbox.root()), Vec::<String>::new());
    }
    println!("{}", times.tell("from the second Ctrl-C to the end"));
}

/// Both were recorded, and the attempt has its end.
fn check_record_of_two(sandbox: &Sandbox) {
    check_record(sandbox);
    assert_eq!(sandbox.ids("interrupted").len(), 2);
    assert_eq!(sandbox.ids("task_cancelled"), ["T001"]);
}

#[test]
fn ctrl_backslash_is_a_crash_that_leaves_nothing_behind() {
    let sandbox = Situation::Busy.sandbox();
    let terminal = Terminal::new(24, 80);
    let mut child = terminal.start(sandbox.command(ARGS));
    Situation::Busy.await_begin(&sandbox);
    terminal.press(CTRL_BACKSLASH);
    assert_eq!(wait(&mut child, NEVER).expect("it ends").code(), None);
    terminal.check_restored();
    until("its tasks to be ended", || processes_in(&sandbox.root()).is_empty());
    sandbox.write("tasks.md", &sandbox.read("tasks.md").replace("exec sleep 300", "true"));
    finish(sandbox.command(["resume", "--yes", "-q"]).spawn().unwrap()).expect(0);
    assert_eq!(sandbox.ticked().len(), 40);
}

#[test]
fn time_spent_suspended_is_not_charged_to_a_time_out() {
    let sandbox = Sandbox::new(&one_task("timeout=2s", "echo up > up; sleep 1; echo down > down"));
    let terminal = Terminal::new(24, 80);
    let mut child = terminal.start(in_shell(&sandbox.command(["implement", "--yes"])));
    until("the task to run", || sandbox.exists("up"));
    terminal.press(CTRL_Z);
    await_stopped(&sandbox);
    // Longer than the limit allows for all of it.
    std::thread::sleep(Duration::from_millis(2_100));
    assert!(!sandbox.exists("down"));
    terminal.press("\n");
    assert_eq!(wait(&mut child, NEVER).expect("it ends").code(), Some(0), "{}", terminal.shown());
    assert!(sandbox.exists("down"));
    assert_eq!(sandbox.ids("attempt_started").len(), 1);
    terminal.check_restored();
}

#[test]
fn campaign_ctrl_z_during_a_storm_of_starts_never_sticks() {
    let wanted = scale("SPECTER_SUSPENDS", 4);
    let sandbox = Sandbox::new(&many_tasks(wanted * 300, "true; true"));
    let terminal = Terminal::new(24, 80);
    let specter = sandbox.command(["implement", "--parallel", "-j4", "--yes"]);
    let mut child = terminal.start(in_shell(&specter));
    let mut rng = fastrand::Rng::with_seed(scale("SPECTER_SEED", 7));
    until("the storm to begin", || sandbox.journal().is_some());
    let mut hits = 0;
    for _ in 0..wanted {
        std::thread::sleep(Duration::from_micros(rng.u64(0..40_000)));
        if !suspend_once(&sandbox, &terminal, &mut child) {
            break;
        }
        hits += 1;
    }
    assert_eq!(wait(&mut child, NEVER * 2).expect("it ends").code(), Some(0), "{}", terminal.shown());
    println!("{hits} times suspended during a storm of starts");
    assert!(hits > wanted / 2, "the storm was over too soon: {hits}");
    assert_eq!(sandbox.ticked().len() as u64, wanted * 300);
    check_record(&sandbox);
    terminal.check_restored();
}

/// False if the run is over.
fn suspend_once(sandbox: &Sandbox, terminal: &Terminal, shell: &mut Child) -> bool {
    let told = |terminal: &Terminal| terminal.shown().matches("stopped").count();
    let before = told(terminal);
    terminal.press(CTRL_Z);
    let mut is_over = false;
    until("the shell to have it back", || {
        is_over = shell.try_wait().unwrap().is_some() || terminal.shown().contains("ended ");
        is_over || told(terminal) > before
    });
    if is_over {
        return false;
    }
    await_stopped(sandbox);
    terminal.press("\n");
    until("it to go on", || stopped(sandbox).0 == 0 || terminal.shown().contains("ended "));
    true
}

#[test]
fn ctrl_z_where_no_shell_could_bring_it_back_does_nothing() {
    let sandbox = Sandbox::new(&one_task("", "echo up > up; until test -e go; do sleep 0.01; done"));
    let terminal = Terminal::new(24, 80);
    // It leads the session itself, as under `ssh -t` or in a container.
    let mut child = terminal.start(sandbox.command(["implement", "--yes"]));
    until("the task to run", || sandbox.exists("up"));
    terminal.press(CTRL_Z);
    sandbox.write("go", "");
    assert_eq!(wait(&mut child, NEVER).expect("it goes on").code(), Some(0), "{}", terminal.shown());
    terminal.check_restored();
}
