//! What two key stores survive of their disks: power cuts, torn and lost writes, calls that fail, bytes
//! that rot, old copies. The files are those of the daemons, on disks that a test can spoil.
//!
//! The bounded runs are part of every test run; the whole of it is
//! `QKD_DISK_CUTS=10000 cargo test --release -p qkd-node --test disk`.

// The helpers of a test may fail it; clippy excuses test functions only.
#![allow(clippy::unwrap_used)]

mod calls;
mod cuts;
mod mounted;
mod pair;
mod platter;
mod rot;

/// Whether everything is to be tried, not a sample.
fn is_whole_run() -> bool {
    std::env::var_os("QKD_DISK_CUTS").is_some()
}
