//! Which processes belong to an attempt, and ending all of them without ever touching another's.
//!
//! A process belongs to an attempt if it is in its session or group, carries its token in the environment, is an
//! adopted orphan that can be nobody else's, or descends from such a one.

use crate::sys::{self, LivePids, Pid, PidFd};
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the processes left over by a finished attempt may take to end themselves.
const LEFTOVER_GRACE: Duration = Duration::from_millis(200);
/// How long killing may take before it is given up (a process stuck in the system cannot be ended by anyone).
const KILL_LIMIT: Duration = Duration::from_secs(5);
/// How often the adopted processes are looked at in a row, where one is gone each time before it could be looked at. One
/// that hops is caught in a few looks; what others' processes do meanwhile must not keep us here.
const HUNT: usize = 200;
/// How many that no walk found are told by name.
const NAMED: usize = 8;
/// Name of the environment variable that carries the token.
pub(super) const TOKEN_NAME: &str = "SPECTER_ATTEMPT";
/// What the entry begins with.
pub(super) const TOKEN_IS: &str = "SPECTER_ATTEMPT=";
/// Carries the tokens of attempts around it, one a line, where a task runs specter itself: what the inner run starts
/// belongs to the outer attempt too, even once its own specter is gone.
pub(super) const OUTER_NAME: &str = "SPECTER_OUTER";

/// The system's flag for a process that has begun to end.
const PF_EXITING: i64 = 4;
/// The system's flag for its own threads.
const PF_KTHREAD: i64 = 0x20_0000;
/// How long the start of a program may leave a process without an environment.
const START_LIMIT: Duration = Duration::from_secs(1);

/// One line of `/proc/<pid>/stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proc {
    pub(super) pid: Pid,
    pub(super) parent: Pid,
    group: Pid,
    session: Pid,
    /// Ended, waiting to be reaped.
    pub(super) is_zombie: bool,
    /// On its way out by itself.
    is_exiting: bool,
    /// A thread of the system's own.
    is_kernel: bool,
    /// When it began, in the system's ticks: with the number this is one process alone.
    start: u64,
    /// Time it used on the cores, and what it waited for of its children, in the system's ticks.
    pub(super) cpu: u64,
    /// Where in its memory its arguments are: zero while it is given another program, and when it has ended.
    program: u64,
    name: String,
}

impl Proc {
    pub(super) fn read(pid: Pid) -> Option<Proc> {
        let bytes = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Proc::parse(&String::from_utf8_lossy(&bytes))
    }

    /// `pid (name) state ppid pgrp session tty tpgid flags`, times the 14th to the 17th, threads the 20th, the start the 22nd, the place of the
    /// arguments the 48th, see proc(5). The name may hold anything, so its end is the last parenthesis.
    fn parse(stat: &str) -> Option<Proc> {
        let (pid, rest) = stat.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?;
        let mut number = || fields.next()?.parse::<i64>().ok();
        let [parent, group, session] = [number()? as Pid, number()? as Pid, number()? as Pid];
        let [_terminal, _its_group, flags] = [number()?, number()?, number()?];
        let mut cpu = 0;
        for field in fields.by_ref().skip(4).take(4) {
            cpu += field.parse::<u64>().ok()?;
        }
        let threads = fields.nth(2)?.parse::<u32>().ok()?;
        let start = fields.nth(1).and_then(|start| start.parse().ok()).unwrap_or(0);
        let program = fields.nth(25).and_then(|program| program.parse().ok()).unwrap_or(0);
        Some(Proc {
            pid: pid.parse().ok()?,
            parent,
            group,
            session,
            is_exiting: flags & PF_EXITING != 0,
            // A first thread that ended before the others looks like a zombie while the process lives on.
            is_zombie: matches!(state, "Z" | "X") && threads <= 1,
            is_kernel: flags & PF_KTHREAD != 0,
            start,
            cpu,
            program,
            name: name.to_owned(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn all() -> Vec<Proc> {
        Proc::numbers().filter_map(Proc::read).collect()
    }

    /// Of all processes, ascending as the system lists them.
    pub(super) fn numbers() -> impl Iterator<Item = Pid> {
        let entries = fs::read_dir("/proc").into_iter().flatten();
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
    }

    /// Signals the process that was read, not one that has its number by now. It may have ended meanwhile.
    pub(super) fn signal(&self, signal: i32) {
        // Held first and looked at then: what is looked at is what is held.
        let held = PidFd::open(self.pid);
        if Proc::read(self.pid).is_none_or(|now| now.start != self.start) {
            return;
        }
        let _ended_meanwhile = match held {
            Ok(held) => held.signal(signal),
            // An old system, or no descriptor left.
            Err(_) => sys::kill(self.pid, signal),
        };
    }

    /// The tokens in its environment, as far as we may look: its own attempt's and those around it.
    pub(super) fn tokens(&self) -> Vec<Vec<u8>> {
        let limit = Instant::now() + START_LIMIT;
        let mut program = None;
        loop {
            let is_empty = match read_environ(format!("/proc/{}/environ", self.pid).as_ref()) {
                Ok(environ) if !environ.is_empty() => return tokens_in(&environ),
                Ok(_) => true,
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Vec::new(),
                // Gone, or it cannot be told just now.
                Err(_) => false,
            };
            // Empty is also that of a process which is just being given another program: it is looked at again.
            let Some(now) = Proc::read(self.pid) else { return Vec::new() };
            if now.is_zombie || now.is_exiting || now.is_kernel || Instant::now() > limit {
                return self.tokens_of_threads();
            }
            if is_empty && now.program != 0 && program.replace(now.program) == Some(now.program) {
                return Vec::new();
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Where only the first thread has ended, the others still show the environment.
    fn tokens_of_threads(&self) -> Vec<Vec<u8>> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid)).into_iter().flatten().flatten();
        let mut each = threads.filter_map(|thread| read_environ(&thread.path().join("environ")).ok());
        each.find(|environ| !environ.is_empty()).map_or_else(Vec::new, |environ| tokens_in(&environ))
    }

    /// Whether it has begun to end, or has ended, since it was read.
    fn is_gone(&self) -> bool {
        Proc::read(self.pid).is_none_or(|now| now.is_exiting || now.is_zombie)
    }

    pub(super) fn in_sessions(&self, sessions: &[Pid]) -> bool {
        sessions.contains(&self.session) || sessions.contains(&self.group)
    }

    pub(super) fn describe(&self) -> String {
        format!("{} (pid {})", self.name, self.pid)
    }
}

/// In one call, since what a process was given is gone with its program: read in two, a process that is given another one
/// in between shows the first half. An environment may be of any size; the tokens stand within the system's own limit.
fn read_environ(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut environ = vec![0; 64 << 10];
    loop {
        let read = sys::read_at(&file, &mut environ)?;
        if read < environ.len() || environ.len() >= 8 << 20 {
            environ.truncate(read);
            return Ok(environ);
        }
        environ.resize(environ.len() * 8, 0);
    }
}

fn tokens_in(environ: &[u8]) -> Vec<Vec<u8>> {
    let mut tokens = Vec::new();
    for entry in environ.split(|byte| *byte == 0) {
        let value = [TOKEN_NAME, OUTER_NAME].iter().find_map(|name| entry.strip_prefix(name.as_bytes()));
        if let Some(value) = value.and_then(|value| value.strip_prefix(b"=")) {
            tokens.extend(value.split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
        }
    }
    tokens
}

/// Living processes that are a root, or descend from one. `never` and what descends only from it stays out.
pub(super) fn families(never: &[Pid], is_root: impl Fn(&Proc) -> bool) -> Vec<Proc> {
    let all: Vec<Proc> = Proc::all().into_iter().filter(|p| !never.contains(&p.pid)).collect();
    let mut children: HashMap<Pid, Vec<usize>> = HashMap::new();
    for (at, process) in all.iter().enumerate() {
        children.entry(process.parent).or_default().push(at);
    }
    let mut open: Vec<usize> = (0..all.len()).filter(|at| is_root(&all[*at])).collect();
    let mut seen: HashSet<usize> = HashSet::new();
    while let Some(at) = open.pop() {
        if seen.insert(at) {
            open.extend(children.get(&all[at].pid).into_iter().flatten());
        }
    }
    let mut found: Vec<Proc> = seen.into_iter().map(|at| all[at].clone()).filter(|p| !p.is_zombie).collect();
    // Parents before children, mostly: a shell asked to end first does not comment on the end of its commands.
    found.sort_unstable_by_key(|process| process.pid);
    found
}

/// Freezes and kills what `find` finds until it finds nothing twice. Frozen first, so that nothing can start
/// another while it is being killed. `hunt` is called after each round: it reaps, and ends what is too quick for a walk
/// over all processes (it starts another and ends before the walk comes to it); true if there was such a one.
pub(super) fn exterminate(mut find: impl FnMut() -> Vec<Proc>, mut hunt: impl FnMut() -> bool) -> bool {
    let limit = Instant::now() + KILL_LIMIT;
    let mut quiet = 0;
    let mut pause = Duration::from_micros(200);
    while quiet < 2 {
        let victims = freeze(&mut find);
        quiet = if victims.is_empty() { quiet + 1 } else { 0 };
        for victim in &victims {
            victim.signal(sys::SIGKILL);
        }
        if !victims.is_empty() {
            if Instant::now() > limit {
                return false;
            }
            // A killed process needs a moment to end, and tells nobody but its parent.
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
        if hunt() {
            quiet = 0;
            if Instant::now() > limit {
                return false;
            }
        }
    }
    true
}

fn freeze(find: &mut impl FnMut() -> Vec<Proc>) -> Vec<Proc> {
    let mut frozen = HashSet::new();
    // Each round finds only what was started before its parent froze: a few suffice, the rest is for the next walk.
    for _ in 0..8 {
        let found = find();
        let fresh: Vec<&Proc> = found.iter().filter(|p| frozen.insert(p.pid)).collect();
        if fresh.is_empty() {
            return found;
        }
        for process in fresh {
            process.signal(sys::SIGSTOP);
        }
    }
    find()
}

/// Asks processes to end.
fn ask(processes: &[Proc]) {
    for process in processes {
        process.signal(sys::SIGTERM);
        // A stopped process would take the request only when it goes on.
        process.signal(sys::SIGCONT);
    }
}

/// An attempt, as far as its processes are concerned.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a> {
    /// Its session, group and first process.
    pub(super) leader: Pid,
    pub(super) token: &'a [u8],
}

/// What all attempts of a run share: how to look at the processes of this machine.
pub(super) struct Trees {
    own: Pid,
    own_session: Pid,
    guard: Option<Pid>,
    live: LivePids,
    /// Children of the main thread: orphans are adopted by it, while children of workers are listed elsewhere.
    adopted: Option<File>,
    /// The content of `adopted` when there is no orphan.
    nobody: Vec<u8>,
    /// Held while the list of adopted processes is read or one of them reaped: where one goes in the middle of a list,
    /// the system may leave out the next.
    list: Mutex<()>,
}

/// What a look at the adopted processes found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sight {
    Nothing,
    /// One was gone before it could be looked at: what it started is on the next list.
    Moved,
    Ours,
}

impl Trees {
    pub(super) fn new(live: LivePids, guard: Option<Pid>) -> Trees {
        let own = std::process::id() as Pid;
        let adopted = File::open(format!("/proc/self/task/{own}/children")).ok();
        let nobody = guard.map_or_else(Vec::new, |pid| format!("{pid} ").into_bytes());
        Trees { own, own_session: sys::own_session(), guard, live, adopted, nobody, list: Mutex::new(()) }
    }

    pub(super) fn live(&self) -> &LivePids {
        &self.live
    }

    /// Ends what a finished attempt left behind, and says what that was. The leader is reaped.
    pub(super) fn clear(&self, owner: Owner<'_>) -> Vec<String> {
        if !sys::group_exists(owner.leader) && self.has_no_orphans() {
            return Vec::new();
        }
        if !self.has_orphan_of(owner) && !sys::group_exists(owner.leader) {
            return Vec::new();
        }
        self.clear_leftovers(owner)
    }

    /// Whether an orphan may be the attempt's. Its leader has ended, so what lives of it is in its group or was
    /// adopted, or descends from such a one. Spares a walk over all processes while others have daemons.
    fn has_orphan_of(&self, owner: Owner<'_>) -> bool {
        let alone = Self::is_alone(owner, &self.live.all());
        let mut looks = 0..HUNT;
        let look = || {
            self.bury();
            self.look(|process| self.is_of(process, owner, alone), |_, _| {})
        };
        // In doubt there is one.
        looks.find_map(|_| Some(look()).filter(|sight| *sight != Sight::Moved)) != Some(Sight::Nothing)
    }

    /// Looks at every adopted process, one after the other; `found` gets those that `is_ours`, held.
    fn look(&self, is_ours: impl Fn(&Proc) -> bool, mut found: impl FnMut(&Proc, &PidFd)) -> Sight {
        let mut sight = Sight::Nothing;
        for pid in self.orphans() {
            // Held first, so that it is the one looked at.
            let held = PidFd::open(pid);
            let process = Proc::read(pid).filter(|process| process.parent == self.own);
            match (process, held) {
                (Some(process), _) if process.session == self.own_session => {}
                (Some(process), _) if process.is_zombie => sight = sight.max(Sight::Moved),
                (Some(process), Ok(held)) if is_ours(&process) => {
                    found(&process, &held);
                    sight = Sight::Ours;
                }
                (Some(process), Err(_)) if is_ours(&process) => sight = Sight::Ours,
                // It says no more whose it is, and what it started is adopted only when it has ended.
                (Some(process), _) if process.is_gone() => sight = sight.max(Sight::Moved),
                (Some(_), _) => {}
                (None, _) => sight = sight.max(Sight::Moved),
            }
        }
        sight
    }

    /// Kills adopted processes the moment they are found to be ours, until there is none: one that starts another and
    /// ends at once is always adopted, and never there when a walk over all processes comes to it. True if one was
    /// killed, or if it cannot be told.
    fn hunt(&self, is_ours: impl Fn(&Proc) -> bool, ended: &mut Vec<String>) -> bool {
        let mut has_killed = false;
        for _ in 0..HUNT {
            self.bury();
            let sight = self.look(&is_ours, |process, held| {
                if held.signal(sys::SIGKILL).is_ok() && ended.len() < NAMED {
                    ended.push(process.describe());
                }
            });
            match sight {
                Sight::Nothing => return has_killed,
                Sight::Ours => has_killed = true,
                Sight::Moved => {}
            }
        }
        true
    }

    /// Whether no other attempt runs: an orphan that names nobody is this one's then.
    fn is_alone(owner: Owner<'_>, live: &[Pid]) -> bool {
        live.iter().all(|pid| *pid == owner.leader)
    }

    /// Whether `process` is itself a root of the attempt; `is_orphan_of` says that a nameless orphan would be.
    fn is_of(&self, process: &Proc, owner: Owner<'_>, is_orphan_of: bool) -> bool {
        if process.session == self.own_session || process.is_zombie {
            return false;
        }
        let tokens = process.tokens();
        if tokens.is_empty() {
            // Who is ending has no environment any more: a nameless orphan is one that stays.
            let is_in_group = process.session == owner.leader || process.group == owner.leader;
            return is_in_group || is_orphan_of && !process.is_gone();
        }
        tokens.iter().any(|token| token == owner.token)
    }

    /// One `pread`. Without the file (a kernel without it) every attempt is looked after in full.
    fn has_no_orphans(&self) -> bool {
        let mut listed = [0; 64];
        let Some(file) = &self.adopted else { return false };
        sys::read_at(file, &mut listed).is_ok_and(|n| listed[..n] == *self.nobody)
    }

    fn clear_leftovers(&self, owner: Owner<'_>) -> Vec<String> {
        // None where what is left was gone before the walk came to it.
        let mut left = self.members(owner);
        ask(&left);
        // Who was about to end anyway was not left behind.
        left.retain(|process| !process.is_exiting);
        let limit = Instant::now() + LEFTOVER_GRACE;
        let mut pause = Duration::from_millis(1);
        while Instant::now() < limit && !self.members(owner).is_empty() {
            // Nobody tells when the last of a family has ended.
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
            self.bury();
        }
        let mut ended = Vec::new();
        self.kill_and_name(owner, &mut ended);
        let mut known = HashSet::new();
        let all = left.iter().map(Proc::describe).chain(ended);
        all.filter(|process| known.insert(process.clone())).collect()
    }

    /// Asks what the attempt runs to end. A process that was just being started is not told, and if what started it
    /// has ended meanwhile, nobody waits for it: so `asked` grows by newly adopted ones when this is called again. A
    /// process started later by one that cleans up after itself is left alone.
    pub(super) fn ask_all(&self, owner: Owner<'_>, asked: &mut HashSet<Pid>) -> usize {
        let members = self.members(owner);
        let is_first = asked.is_empty();
        let is_due = |p: &&Proc| (is_first || p.parent == self.own) && !asked.contains(&p.pid);
        let due: Vec<Proc> = members.iter().filter(is_due).cloned().collect();
        ask(&due);
        asked.extend(due.iter().map(|process| process.pid));
        members.len()
    }

    /// Kills everything of the attempt. False if something could not be ended.
    pub(super) fn kill(&self, owner: Owner<'_>) -> bool {
        self.kill_and_name(owner, &mut Vec::new())
    }

    /// `ended` grows by what was still there, some of it more than once.
    fn kill_and_name(&self, owner: Owner<'_>, ended: &mut Vec<String>) -> bool {
        let mut walked = Vec::new();
        let hunt = || {
            let alone = Self::is_alone(owner, &self.live.all());
            self.hunt(|process| self.is_of(process, owner, alone), ended)
        };
        let find = || {
            let found = self.members(owner);
            let room = NAMED.saturating_sub(walked.len());
            walked.extend(found.iter().take(room).map(Proc::describe));
            found
        };
        let is_done = exterminate(find, hunt);
        ended.append(&mut walked);
        is_done
    }

    /// What lives of the attempt.
    pub(super) fn members(&self, owner: Owner<'_>) -> Vec<Proc> {
        let live = self.live.all();
        let orphans = self.orphans();
        let alone = Self::is_alone(owner, &live);
        let mut never: Vec<Pid> = live.iter().copied().filter(|pid| *pid != owner.leader).collect();
        never.extend([self.own].into_iter().chain(self.guard));
        families(&never, |process| self.is_of(process, owner, alone && orphans.contains(&process.pid)))
    }

    /// Ends every orphan there is, whoever started it: for the end of a run, when no attempt is left.
    pub(super) fn clear_orphans(&self) -> Vec<String> {
        if self.has_no_orphans() {
            return Vec::new();
        }
        self.bury();
        let find = || {
            let orphans = self.orphans();
            families(&[self.own], |p| orphans.contains(&p.pid) && p.session != self.own_session)
        };
        let (left, mut hunted) = (find(), Vec::new());
        exterminate(find, || self.hunt(|_| true, &mut hunted));
        left.iter().map(Proc::describe).chain(hunted).collect()
    }

    /// Adopted children that are no attempt's first process.
    fn orphans(&self) -> HashSet<Pid> {
        let known: HashSet<Pid> = self.live.all().into_iter().chain(self.guard).collect();
        let list = {
            let _alone = self.list.lock().unwrap_or_else(PoisonError::into_inner);
            fs::read_to_string(format!("/proc/self/task/{}/children", self.own)).unwrap_or_default()
        };
        list.split_ascii_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .filter(|pid| !known.contains(pid))
            .collect()
    }

    /// Reaps adopted processes that have ended.
    fn bury(&self) {
        for pid in self.orphans() {
            let is_foreign = |p: Proc| p.is_zombie && p.session != self.own_session;
            if Proc::read(pid).is_some_and(is_foreign) {
                let _alone = self.list.lock().unwrap_or_else(PoisonError::into_inner);
                sys::reap(pid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_parentheses_and_spaces() {
        let process = Proc::parse("42 (a) (b) S 7 40 39 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9").unwrap();
        assert_eq!((process.pid, process.parent, process.group, process.session), (42, 7, 40, 39));
        assert_eq!(process.describe(), "a) (b (pid 42)");
    }

    #[test]
    fn a_process_lives_as_long_as_one_of_its_threads() {
        let parse = |threads| {
            Proc::parse(&format!("42 (a) Z 7 40 39 0 -1 4194564 1 2 3 4 5 6 7 8 20 0 {threads} 0 9"))
        };
        assert_eq!([1, 2].map(|threads| parse(threads).unwrap().is_zombie), [true, false]);
    }

    #[test]
    fn an_environment_may_hold_tokens_of_several_attempts() {
        let environ = b"A=1\0SPECTER_OUTER=r1/T1/1\nr2/T2/1\0SPECTER_ATTEMPT=r3/T3/2\0SPECTER_ATTEMPTS=4\0";
        assert_eq!(tokens_in(environ), [&b"r1/T1/1"[..], b"r2/T2/1", b"r3/T3/2"]);
        assert!(tokens_in(b"").is_empty());
    }

    #[test]
    fn this_process_finds_itself() {
        let own = std::process::id() as Pid;
        assert!(Proc::all().iter().any(|p| p.pid == own && !p.is_zombie));
    }
}
