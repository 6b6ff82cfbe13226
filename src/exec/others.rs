//! Whether anybody but this run is at work in a directory: what changed there may be theirs.

use super::guardian::mark;
use super::tree::Proc;
use crate::sys::{self, Pid};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Programs of others whose working directory is `root` or below it, by name and number. Not this process, those that it
/// was started by (they wait for it) and those that the session `run` started.
pub fn others_at_work(run: &str, root: &Path) -> Vec<String> {
    let ours = mark(run);
    let processes = Proc::all();
    let parents: HashMap<Pid, Pid> = processes.iter().map(|process| (process.pid, process.parent)).collect();
    let above = ancestors(std::process::id() as Pid, &parents);
    let is_other = |process: &&Proc| {
        !process.is_zombie
            && !above.contains(&process.pid)
            && !sys::mark_of(process.pid).is_ok_and(|found| found == ours)
            && !ancestors(process.pid, &parents).contains(&(std::process::id() as Pid))
    };
    let is_here = |process: &&Proc| {
        std::fs::read_link(format!("/proc/{}/cwd", process.pid)).is_ok_and(|dir| dir.starts_with(root))
    };
    let others = processes.iter().filter(is_here).filter(is_other);
    others.map(|process| format!("{} ({})", process.name(), process.pid)).collect()
}

/// `pid`, its parent, and so on.
fn ancestors(pid: Pid, parents: &HashMap<Pid, Pid>) -> HashSet<Pid> {
    let mut above = HashSet::new();
    let mut next = Some(pid);
    while let Some(pid) = next.filter(|pid| *pid > 1 && above.insert(*pid)) {
        next = parents.get(&pid).copied();
    }
    above
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn whoever_was_started_elsewhere_and_works_there_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        assert_eq!(others_at_work("none", &root), Vec::<String>::new());
        // Orphaned at once, so that it is no child of this process.
        let script = "sleep 60 >/dev/null 2>&1 & echo $!";
        let said = Command::new("sh").args(["-c", script]).current_dir(&root).output().unwrap();
        let pid: Pid = String::from_utf8_lossy(&said.stdout).trim().parse().unwrap();
        assert_eq!(others_at_work("none", &root), [format!("sleep ({pid})")]);
        assert_eq!(others_at_work("none", &root.join("below")), Vec::<String>::new());
        sys::kill(pid, 9).unwrap();
    }
}
