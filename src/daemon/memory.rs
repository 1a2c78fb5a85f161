//! What the process holds of the machine's memory.

/// Gives back what the allocator keeps of a time when more was needed. It takes milliseconds: for a daemon that nobody
/// needs just now.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(
        unsafe_code,
        reason = "the C library has no safe way in, and this call has no condition that could be broken"
    )]
    // SAFETY: it takes no pointer, and may be called at any time from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
