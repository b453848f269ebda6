//! What the allocator of the C library does with memory that is not needed just now: it keeps it.
//!
//! A block of ten million bits takes some thirty megabytes and gives them back in pieces of up to a few
//! megabytes, on several threads. By default each thread has an arena of its own, and what lies free at an
//! arena's end goes back to the system, which has to clear it before the next block gets it: that took
//! more of a block's time than its announcement. What the process needs at its peak is bounded by other
//! limits and does not change: memory is reused instead of returned.
//!
//! It never decides what is allocated, and wipes nothing: secrets wipe themselves before they are freed.

// The crate's one module with unsafe code.
#![allow(unsafe_code)]

/// Free bytes at the end of the heap that are kept, at most: more than any setting of ours leaves there.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES_MAX: libc::c_int = 1 << 30;

/// Bytes from which on an allocation is the system's own pages, which are fresh each time: the most that
/// the library allows.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const OWN_PAGES_BYTES: libc::c_int = 32 << 20;

/// Bytes by which the heap grows at least.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const GROWTH_BYTES: libc::c_int = 1 << 20;

/// Has the process reuse its memory. To be called before there is a second thread.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn keep_memory() {
    let options = [
        // One heap: what one thread frees another may have. Short pieces come from caches of the threads,
        // which take no lock.
        (libc::M_ARENA_MAX, 1),
        (libc::M_TRIM_THRESHOLD, KEPT_BYTES_MAX),
        (libc::M_MMAP_THRESHOLD, OWN_PAGES_BYTES),
        (libc::M_TOP_PAD, GROWTH_BYTES),
    ];
    for (option, value) in options {
        // SAFETY: `mallopt` takes two numbers and changes settings of the allocator under the allocator's
        // own lock; it is valid at any time, and no memory is handed over.
        let accepted = unsafe { libc::mallopt(option, value) };
        debug_assert_eq!(accepted, 1, "option {option} of the allocator");
    }
}

/// Elsewhere the allocator stays as it is.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn keep_memory() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allocator_takes_every_option() {
        // It says so itself, where it has options.
        keep_memory();
    }
}
