//! Packed bit strings, secrets that wipe themselves, the two kinds of randomness, and tests of it.
//!
//! This crate never draws entropy on its own: every generator is seeded by its caller. It knows
//! no protocol, no clock, no file and no socket.

#![deny(unsafe_code)]

mod bit_string;
pub mod health;
mod random;
mod secret;
mod secret_stream;

pub use bit_string::{BitString, WrongLength};
pub use health::{Defect, HealthAlarm};
pub use random::{PhysicsRng, SecretRng};
pub use secret::{SecretBits, SecretBytes};
pub use secret_stream::SecretStream;
