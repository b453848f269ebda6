//! Alice's and Bob's state machines for one link: detections in, secret keys out.
//!
//! An engine takes values and returns values. It opens no socket, reads no clock, starts no thread
//! and never looks inside light; it never shares state with its peer: the two meet only through
//! [`Message`]s.

mod message;

pub use message::{Abort, AbortReason, Message};
