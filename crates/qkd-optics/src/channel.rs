//! What happens to light between the laboratories.
//!
//! The fixed loss of a fibre is applied by whoever sends light into it, photon by photon
//! ([`Fibre`], the transmitter's own segment). Everything else a channel does, background light and
//! what changes with time, acts at Bob's entrance as [`Conditions`] that hold for a run of slots
//! ([`Channel`]). Nothing here knows a clock: time is counted in slots.

mod conditions;
mod fibre;

pub use conditions::{Channel, Conditions};
pub use fibre::{Fibre, transmittance};
