//! Packed bit strings, secrets that wipe themselves, and the two kinds of randomness.
//!
//! This crate never draws entropy on its own: every generator is seeded by its caller. It knows
//! no protocol, no clock, no file and no socket.

mod bit_string;
mod random;
mod secret;
mod secret_stream;

pub use bit_string::{BitString, WrongLength};
pub use random::{PhysicsRng, SecretRng};
pub use secret::{SecretBits, SecretBytes};
pub use secret_stream::SecretStream;
