//! How the allocator asks the system for memory.

/// Keeps memory that was given back, and asks for more in larger pieces.
///
/// The usual settings map each large list anew and return it at once; a plan of many tasks then spends a fifth of its
/// time on pages that it had a moment ago. Costs a tenth more memory at the peak. To be called first.
pub fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const LISTS_UP_TO: libc::c_int = 1 << 30;
        const SPARE: libc::c_int = 256 << 20;
        const PIECE: libc::c_int = 1 << 20;
        // SAFETY: these set numbers of the allocator, which is ready at any time. What it does not know it ignores.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LISTS_UP_TO);
            libc::mallopt(libc::M_TRIM_THRESHOLD, SPARE);
            libc::mallopt(libc::M_TOP_PAD, PIECE);
        }
    }
}
