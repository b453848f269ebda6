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

/// Free bytes at the end of the heap that are kept, at most: several of the largest blocks that daemons make
/// by default.
#[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
const KEPT_BYTES_MAX: libc::c_int = 1 << 30;

/// Bytes from which on an allocation is the system's own pages, which are fresh each time: the most that
/// the library allows where addresses have 64 bits.
#[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
const OWN_PAGES_BYTES: libc::c_int = 32 << 20;

/// Bytes by which the heap grows at least.
#[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
const GROWTH_BYTES: libc::c_int = 1 << 20;

/// Has the process reuse its memory, best before there is a second thread. Gives what the allocator says
/// to each of its options: 1 when it takes it.
#[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
pub(crate) fn keep_memory() -> [i32; 4] {
    let options = [
        // One heap: what one thread frees another may have. Short pieces come from caches of the threads,
        // which take no lock.
        (libc::M_ARENA_MAX, 1),
        (libc::M_TRIM_THRESHOLD, KEPT_BYTES_MAX),
        (libc::M_MMAP_THRESHOLD, OWN_PAGES_BYTES),
        (libc::M_TOP_PAD, GROWTH_BYTES),
    ];
    // SAFETY: `mallopt` takes two numbers and changes settings of the allocator under the allocator's own
    // lock; it is valid at any time, and no memory is handed over.
    options.map(|(option, value)| unsafe { libc::mallopt(option, value) })
}

/// Elsewhere the allocator stays as it is.
#[cfg(not(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64")))]
pub(crate) fn keep_memory() -> [i32; 4] {
    [1; 4]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allocator_takes_every_option() {
        assert_eq!(keep_memory(), [1; 4]);
    }
}
