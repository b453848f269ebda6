//! Tags, checks, orders and rekeys the messages of the classical channel.
//!
//! Envelopes are tagged in one of two ways ([`Authentication`]), under keys derived from a pre-shared
//! key: by HMAC-SHA-256 over header and payload, or by HMAC-SHA-256 over the header and a universal hash
//! of the payload (POLYVAL at a secret point), on a processor with VPCLMULQDQ three times as fast at a
//! kilobyte and seven times at a hundred. Either is *computational* authentication, not
//! information-theoretic. An adversary who can break HMAC-SHA-256 while the
//! protocol runs can impersonate a peer; one who breaks it later learns nothing about keys that
//! were distilled before. The universal hash adds, for each attempt at a forgery, a probability of at
//! most the payload's blocks of 16 bytes over 2¹²⁸, which is proven and needs no assumption.
//!
//! This crate never encrypts, never parses a payload, never opens a socket, never reads a clock,
//! and changes no state because of a message that it rejects.

#![deny(unsafe_code)]

mod authentication;
mod channel;
mod envelope;
mod error;
mod handshake;
mod key;
mod schedule;
mod tag;

pub use authentication::Authentication;
pub use channel::{Channel, RefreshId, Rekey};
pub use envelope::{Envelope, Role, TAG_BYTES};
pub use error::{Error, Reject, RejectCounters};
pub use handshake::{Handshake, Keyed, NONCE_BYTES, Opening, PARAMETERS_BYTES_MAX, Proof, VERSION};
pub use key::PreSharedKey;
