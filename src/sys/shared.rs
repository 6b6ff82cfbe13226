//! The table of live sessions, in memory shared with the guardian: one store per start and end, no system call.

use super::{Pid, check};
use std::io;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

const SLOTS: usize = 4096;

/// Which sessions belong to running attempts. Clones are the same table, also across a fork.
#[derive(Clone, Debug)]
pub struct LivePids(Arc<Mapping>);

#[derive(Debug)]
struct Mapping(NonNull<AtomicI32>);

// SAFETY: the mapping holds only atomics.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl LivePids {
    pub fn new() -> io::Result<LivePids> {
        let bytes = SLOTS * size_of::<AtomicI32>();
        // SAFETY: a new anonymous mapping, zeroed by the system, is valid as an array of atomics.
        let at = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        check(if at == libc::MAP_FAILED { -1 } else { 0 })?;
        let at = NonNull::new(at.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(LivePids(Arc::new(Mapping(at))))
    }

    fn slots(&self) -> &[AtomicI32] {
        // SAFETY: the mapping has SLOTS elements and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.0.0.as_ptr(), SLOTS) }
    }

    /// Notes `pid` as alive. Nothing happens if the table is full: the environment's token still names it.
    pub fn add(&self, pid: Pid) {
        let start = pid as usize % SLOTS;
        let slots = self.slots();
        let order = (start..SLOTS).chain(0..start);
        for slot in order {
            if slots[slot].compare_exchange(0, pid, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }

    pub fn remove(&self, pid: Pid) {
        let start = pid as usize % SLOTS;
        let slots = self.slots();
        for slot in (start..SLOTS).chain(0..start) {
            if slots[slot].compare_exchange(pid, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }

    pub fn all(&self) -> Vec<Pid> {
        self.slots().iter().map(|slot| slot.load(Ordering::Acquire)).filter(|pid| *pid != 0).collect()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped in `new` with this size, unmapped once.
        unsafe { libc::munmap(self.0.as_ptr().cast(), SLOTS * size_of::<AtomicI32>()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pids_that_fall_on_one_slot_are_all_kept() {
        let table = LivePids::new().unwrap();
        let pids = [7, 7 + SLOTS as i32, 7 + 2 * SLOTS as i32];
        for pid in pids {
            table.add(pid);
        }
        table.remove(pids[1]);
        assert_eq!(table.all(), [pids[0], pids[2]]);
    }
}
