//! Tags, checks, orders and rekeys the messages of the classical channel.
//!
//! Authentication is HMAC-SHA-256 under keys derived from a pre-shared key: *computational*
//! authentication, not information-theoretic. An adversary who can break HMAC-SHA-256 while the
//! protocol runs can impersonate a peer; one who breaks it later learns nothing about keys that
//! were distilled before.
//!
//! This crate never encrypts, never parses a payload, never opens a socket, never reads a clock,
//! and changes no state because of a message that it rejects.

#![forbid(unsafe_code)]

mod channel;
mod envelope;
mod error;
mod handshake;
mod key;
mod schedule;
mod tag;

pub use channel::{Channel, RefreshId, Rekey};
pub use envelope::{Envelope, Role, TAG_BYTES};
pub use error::{Error, Reject, RejectCounters};
pub use handshake::{Handshake, Keyed, NONCE_BYTES, Opening, PARAMETERS_BYTES_MAX, Proof, VERSION};
pub use key::PreSharedKey;
