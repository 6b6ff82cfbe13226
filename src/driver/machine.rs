//! What is free on this machine: memory, also as far as a control group allows it, disks, time on the cores; and whether
//! that is less than its floor (SPEC 4.5). Reads at most once a second; what follows is the scheduler's to decide.
//!
//! What cannot be read is taken for enough: a floor is a precaution, and no reason not to run.

use crate::event::{Elapsed, Scarce};
use crate::fs::shown;
use crate::policy::Floors;
use crate::schedule::Shortage;
use crate::sys;
use crate::text::size;
use std::path::{Path, PathBuf};
use std::time::Duration;

const RATE: Duration = Duration::from_secs(1);
/// Of all memory, or all room on a disk, no floor that nobody set takes more than this part.
const PART: u64 = 16;
const MEMORY: u64 = 256 << 20;
const DISK: u64 = 512 << 20;

pub(super) struct Machine {
    floors: Floors,
    /// Where attempts write, one for each disk as far as that is known.
    dirs: Vec<PathBuf>,
    proc: PathBuf,
    /// The control groups that this process is in, from its own upwards.
    groups: Vec<Group>,
    last: Option<Scarce>,
    next: Elapsed,
}

/// Something else is scarce than before, or nothing any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change(pub(super) Option<Shortage>);

/// Files that tell of a control group's memory.
struct Group {
    limit: PathBuf,
    used: PathBuf,
    stat: PathBuf,
    /// The line of `stat` that tells what is used and would be given back.
    spare: &'static str,
}

impl Machine {
    /// None where no floor is set: then nothing is read.
    pub(super) fn new(floors: Floors, dirs: Vec<PathBuf>) -> Option<Machine> {
        let is_off = floors.memory.is_off() && floors.disk.is_off() && floors.max_load.is_none();
        let machine = || Machine::reading(Path::new("/proc"), Path::new("/sys/fs/cgroup"), floors, dirs);
        (!is_off).then(machine)
    }

    fn reading(proc: &Path, groups: &Path, floors: Floors, mut dirs: Vec<PathBuf>) -> Machine {
        dirs.dedup();
        let of_process = std::fs::read_to_string(proc.join("self/cgroup")).unwrap_or_default();
        let groups = if floors.memory.is_off() { Vec::new() } else { groups_of(&of_process, groups) };
        Machine { floors, dirs, proc: proc.to_owned(), groups, last: None, next: Elapsed::ZERO }
    }

    /// When it is to be asked again.
    pub(super) fn next(&self) -> Elapsed {
        self.next
    }

    /// What is scarce now, if that is something else than the last time.
    pub(super) fn look(&mut self, now: Elapsed) -> Option<Change> {
        if now < self.next {
            return None;
        }
        self.next = now + RATE;
        let found = self.shortage();
        let of = found.as_ref().map(|short| short.of);
        (std::mem::replace(&mut self.last, of) != of).then_some(Change(found))
    }

    fn shortage(&self) -> Option<Shortage> {
        self.disk().or_else(|| self.memory()).or_else(|| self.load())
    }

    fn disk(&self) -> Option<Shortage> {
        self.dirs.iter().filter(|_| !self.floors.disk.is_off()).find_map(|dir| {
            let room = sys::room(dir).ok().filter(|room| room.all > 0)?;
            let floor = self.floors.disk.of(DISK.min(room.all / PART));
            let text =
                || format!("{} are free for `{}`, the floor is {}", size(room.free), shown(dir), size(floor));
            (room.free < floor).then(|| Shortage { of: Scarce::Disk, text: text() })
        })
    }

    fn memory(&self) -> Option<Shortage> {
        if self.floors.memory.is_off() {
            return None;
        }
        let text = std::fs::read_to_string(self.proc.join("meminfo")).ok()?;
        let (all, mut free) = (kib(&text, "MemTotal:")?, kib(&text, "MemAvailable:")?);
        let mut least = all;
        for (limit, left) in self.groups.iter().filter_map(|group| group.read(all)) {
            (least, free) = (least.min(limit), free.min(left));
        }
        let floor = self.floors.memory.of(MEMORY.min(least / PART));
        let text = || format!("{} are available, the floor is {}", size(free), size(floor));
        (free < floor).then(|| Shortage { of: Scarce::Memory, text: text() })
    }

    fn load(&self) -> Option<Shortage> {
        let most = self.floors.max_load?;
        let text = std::fs::read_to_string(self.proc.join("loadavg")).ok()?;
        let load: f64 = text.split(' ').next()?.parse().ok()?;
        let text = || format!("the load is {load:.1}, the limit is {most}");
        (load > most).then(|| Shortage { of: Scarce::Load, text: text() })
    }
}

impl Group {
    fn of(dir: &Path, limit: &str, used: &str, spare: &'static str) -> Group {
        Group { limit: dir.join(limit), used: dir.join(used), stat: dir.join("memory.stat"), spare }
    }

    /// Its limit and how much of it is left; none where it has none, or allows more than the machine's `all`: then what is
    /// used need not be asked, for which the system adds up the figures of all cores.
    fn read(&self, all: u64) -> Option<(u64, u64)> {
        let number = |path: &Path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
        let limit = number(&self.limit).filter(|limit| *limit <= all)?;
        let used = number(&self.used)?;
        let stat = std::fs::read_to_string(&self.stat).unwrap_or_default();
        let spare = stat.lines().find_map(|line| line.strip_prefix(self.spare)?.trim().parse().ok());
        Some((limit, limit.saturating_sub(used.saturating_sub(spare.unwrap_or(0)))))
    }
}

/// `of_process` is `/proc/self/cgroup`; `root` is where the groups are.
fn groups_of(of_process: &str, root: &Path) -> Vec<Group> {
    let mut groups = Vec::new();
    for line in of_process.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let is_second = controllers.is_empty();
        if !is_second && !controllers.split(',').any(|controller| controller == "memory") {
            continue;
        }
        let root = if is_second { root.to_owned() } else { root.join("memory") };
        let own = root.join(path.trim_start_matches('/'));
        let inside = own.ancestors().take_while(|dir| dir.starts_with(&root));
        groups.extend(inside.map(|dir| {
            if is_second {
                Group::of(dir, "memory.max", "memory.current", "inactive_file ")
            } else {
                Group::of(dir, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ")
            }
        }));
    }
    groups
}

/// A figure of `/proc/meminfo`, in bytes.
fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches("kB").trim_end().parse::<u64>().ok().map(|kib| kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Floor;

    /// A machine of files: 8 GiB of memory, of which so much is available.
    fn machine(available_mib: u64, load: &str, floors: Floors) -> (tempfile::TempDir, Machine) {
        let dir = tempfile::tempdir().unwrap();
        let (proc, groups) = (dir.path().join("proc"), dir.path().join("groups"));
        let put = |path: &str, text: String| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("proc/meminfo", format!("MemTotal:  8388608 kB\nMemAvailable: {} kB\n", available_mib << 10));
        put("proc/loadavg", format!("{load} 0.10 0.10 1/100 5\n"));
        put("proc/self/cgroup", "0::/a/b\n".to_owned());
        put("groups/a/b/memory.max", "max\n".to_owned());
        put("groups/a/b/memory.current", "5\n".to_owned());
        let machine = Machine::reading(&proc, &groups, floors, Vec::new());
        (dir, machine)
    }

    fn of_memory(floor: Floor) -> Floors {
        Floors { memory: floor, disk: Floor::Off, max_load: None }
    }

    #[test]
    fn memory_below_its_floor_is_scarce() {
        let short = |mib| machine(mib, "0.0", of_memory(Floor::Auto)).1.shortage();
        assert_eq!(short(256), None);
        let text = "255 MiB are available, the floor is 256 MiB".to_owned();
        assert_eq!(short(255), Some(Shortage { of: Scarce::Memory, text }));
        assert_eq!(machine(1, "0.0", of_memory(Floor::Off)).1.shortage(), None);
        assert!(machine(2000, "0.0", of_memory(Floor::Bytes(2 << 30))).1.shortage().is_some());
    }

    #[test]
    fn what_a_group_above_allows_counts_less_what_it_could_give_back() {
        let (dir, machine) = machine(4000, "0.0", of_memory(Floor::Auto));
        let put =
            |name: &str, text: &str| std::fs::write(dir.path().join("groups/a").join(name), text).unwrap();
        put("memory.max", "1073741824\n");
        put("memory.current", "1060000000\n");
        // A sixteenth of the group's memory, which is less than what is usual.
        let text = "13.1 MiB are available, the floor is 64 MiB".to_owned();
        assert_eq!(machine.shortage(), Some(Shortage { of: Scarce::Memory, text }));
        put("memory.stat", "anon 5\ninactive_file 100000000\n");
        assert_eq!(machine.shortage(), None);
    }

    #[test]
    fn the_groups_of_older_systems_are_found_too() {
        let groups = groups_of("5:cpu:/x\n4:memory,hugetlb:/y/z\n", Path::new("/g"));
        let limits: Vec<_> = groups.iter().map(|group| group.limit.to_str().unwrap()).collect();
        let name = "memory.limit_in_bytes";
        assert_eq!(limits, ["y/z/", "y/", ""].map(|dir| format!("/g/memory/{dir}{name}")));
    }

    #[test]
    fn load_counts_where_a_limit_is_set() {
        let floors = |max_load| Floors { memory: Floor::Off, disk: Floor::Off, max_load };
        assert_eq!(machine(1, "9.50", floors(None)).1.shortage(), None);
        let text = "the load is 9.5, the limit is 8".to_owned();
        assert_eq!(
            machine(1, "9.50", floors(Some(8.0))).1.shortage(),
            Some(Shortage { of: Scarce::Load, text })
        );
        assert_eq!(machine(1, "7.99", floors(Some(8.0))).1.shortage(), None);
    }

    #[test]
    fn a_change_is_told_once_and_asked_for_at_most_once_a_second() {
        let (dir, mut machine) = machine(100, "0.0", of_memory(Floor::Auto));
        assert!(machine.look(Duration::ZERO).is_some_and(|Change(short)| short.is_some()));
        assert_eq!(machine.look(Duration::from_secs(1)), None, "nothing new");
        std::fs::write(dir.path().join("proc/meminfo"), "MemTotal: 8388608 kB\nMemAvailable: 900000 kB\n")
            .unwrap();
        assert_eq!(machine.look(Duration::from_millis(1500)), None, "not yet");
        assert_eq!(machine.look(Duration::from_secs(2)), Some(Change(None)));
        assert_eq!(machine.next(), Duration::from_secs(3));
    }

    #[test]
    fn a_disk_has_room_unless_its_floor_says_otherwise_and_what_cannot_be_read_is_enough() {
        let disk = |floor| Floors { memory: Floor::Off, disk: floor, max_load: None };
        let here = || vec![std::env::temp_dir(), PathBuf::from("/no/such/place")];
        let of = |floor| Machine::new(disk(floor), here()).and_then(|machine| machine.shortage());
        assert_eq!(of(Floor::Bytes(1)), None);
        assert!(of(Floor::Bytes(u64::MAX)).is_some_and(|short| short.of == Scarce::Disk));
        assert!(Machine::new(disk(Floor::Off), here()).is_none());
        let (_dir, mut gone) = machine(1, "0.0", of_memory(Floor::Auto));
        gone.proc = PathBuf::from("/no/such/place");
        assert_eq!(gone.shortage(), None);
    }
}
