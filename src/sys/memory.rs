//! How the allocator asks the system for memory.

/// Keeps memory that was given back, and asks for more in larger pieces.
///
/// The usual settings map each large list anew and return it at once; a plan of many tasks then spends a fifth of its
/// time on pages that it had a moment ago. Costs a tenth more memory at the peak. To be called first.
///
/// All threads share one heap: with one each, what planning gave back could not be used for what the recorder writes.
/// They seldom meet there, for each keeps a few pieces of every small size.
pub fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const LISTS_UP_TO: libc::c_int = 1 << 30;
        const SPARE: libc::c_int = 256 << 20;
        const PIECE: libc::c_int = 1 << 20;
        // SAFETY: these set numbers of the allocator, which is ready at any time. What it does not know it ignores.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, 1);
            libc::mallopt(libc::M_MMAP_THRESHOLD, LISTS_UP_TO);
            libc::mallopt(libc::M_TRIM_THRESHOLD, SPARE);
            libc::mallopt(libc::M_TOP_PAD, PIECE);
        }
        touch(128 << 10);
    }
}

/// What planning and running a few tasks needs of memory, in one call: each page would otherwise cost a trap when it is
/// first touched. To be called when the copy of this process that is its guard has been made: pages from before are
/// copied when they are written, so [`keep_memory`] takes no more than reading the command line needs.
pub fn prepare_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    touch(128 << 10);
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn touch(bytes: usize) {
    const PAGE: usize = 4 << 10;
    let mut room = Vec::<u8>::new();
    if room.try_reserve_exact(bytes).is_err() {
        return;
    }
    let start = room.as_mut_ptr().addr().next_multiple_of(PAGE) - room.as_mut_ptr().addr();
    let len = bytes.saturating_sub(start) / PAGE * PAGE;
    // SAFETY: the range lies in memory that `room` owns, and reads the same afterwards. Systems that do not know the call
    // refuse it, and nothing is lost.
    unsafe { libc::madvise(room.as_mut_ptr().add(start).cast(), len, libc::MADV_POPULATE_WRITE) };
    // Dropped, it stays with the allocator.
}

/// Makes room for `bytes` more, in pages as large as the system has them: a list of a hundred thousand tasks lies on
/// thirty thousand small ones, and each costs a trap when it is first touched.
pub fn expect_memory(bytes: usize) {
    const PAGE: usize = 2 << 20;
    let mut room = Vec::<u8>::new();
    // No room is no reason to stop: what is really needed will say so.
    if room.try_reserve_exact(bytes).is_err() {
        return;
    }
    let start = room.as_mut_ptr().addr().next_multiple_of(PAGE) - room.as_mut_ptr().addr();
    let len = bytes.saturating_sub(start) / PAGE * PAGE;
    if len > 0 {
        // SAFETY: the range lies in memory that `room` owns; the advice changes nothing that it holds.
        unsafe { libc::madvise(room.as_mut_ptr().add(start).cast(), len, libc::MADV_HUGEPAGE) };
    }
    // Dropped, it stays with the allocator (see `keep_memory`) for what comes next.
}
