//! Turns two similar strings into one secret key: reconciles, verifies, amplifies and confirms.
//!
//! The order of the stages is held by types, [`SiftedKey`] → [`ReconciledKey`] → [`VerifiedKey`]
//! → [`SecretKey`]; each stage consumes what came before, and the count of disclosed bits
//! ([`Disclosed`]) travels along until [`VerifiedKey::amplify`] holds the length against it.
//!
//! This crate never draws randomness (seeds and hash keys are arguments), never talks to a
//! socket, never decides how long a key may be, and never prints a key bit. A peer that lies can
//! make verification fail and nothing else: work, memory and rounds are bounded.

#![deny(unsafe_code)]

mod amplify;
mod confirm;
mod disclosed;
mod error;
mod gf2;
mod key;
pub mod reconcile;
mod squares;
mod verify;

pub use amplify::{seed_bits, toeplitz_hash};
pub use confirm::{CHECK_PAD_BITS, CheckValue};
pub use disclosed::Disclosed;
pub use error::Error;
pub use key::{KEY_BITS_MAX, ReconciledKey, SecretKey, SiftedKey, VerifiedKey};
pub use reconcile::cascade::{CascadeAlice, CascadeBob, CascadePlan};
pub use reconcile::{Comparison, Corrector, Method, Referee, Step};
pub use verify::{VERIFICATION_TAG_BITS, VerificationFailed, VerificationTag};
