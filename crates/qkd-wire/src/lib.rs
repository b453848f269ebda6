//! Bytes to messages and back: the only crate that knows protobuf.
//!
//! It converts and checks; it never opens a socket, never tags or verifies an envelope, and never
//! changes the bytes that a tag covers. Whatever arrives, it returns a message or an error that
//! names the field: it does not panic on anybody's bytes.

#![forbid(unsafe_code)]

mod delivery;
mod error;
pub mod link;
pub mod proto;

pub use error::DecodeError;

/// Version of the link protocol that openings carry; both nodes must speak the same.
pub const PROTOCOL_VERSION: u32 = qkd_auth::VERSION;
