//! Alice's and Bob's state machines for one link: detections in, secret keys out.
//!
//! An engine takes values and returns values. It opens no socket, reads no clock, starts no thread
//! and never looks inside light; it never shares state with its peer: the two meet only through
//! [`Message`]s.
//!
//! Blocks do not wait for each other: an engine passes on what they are told, and what they do is
//! [`Work`], which its caller runs on the threads that it has.
//!
//! The order of a block, which the types of `qkd-distill` enforce: announce (Bob is committed),
//! disclose, sift, reconcile, verify, accept, and only then draw the amplification seed.

#![forbid(unsafe_code)]

mod alice;
mod blocks;
mod bob;
mod engine;
mod finish;
mod message;
mod monitors;
mod parts;
mod report;
mod short;
mod work;

#[cfg(test)]
mod tests;

pub use alice::{Alice, AliceInput, AliceOutput};
pub use bob::{Bob, BobInput, BobOutput, Progress, UNANNOUNCED_BLOCKS_MAX};
pub use engine::{Distilled, Error, SessionId, SessionLimits, Time};
pub use finish::{AUTHENTICATION_REFRESH_BITS, CHECK_BITS, OVERHEAD_BITS};
pub use message::{Abort, AbortReason, Message};
pub use monitors::{Action, Actions, Monitors};
pub use parts::{DETECTIONS_PER_PART_MAX, SEED_BITS_PER_PART_MAX};
pub use qkd_optics::{Alarm, Gaps, Monitor};
pub use report::{BlockReport, Outcome, SiftedReport};
pub use work::{Work, Worked};
