//! What happens to light between the laboratories.
//!
//! The fixed loss of a fibre is applied by whoever sends light into it, photon by photon
//! ([`Fibre`], the transmitter's own segment). Everything else a channel does, background light and
//! what changes with time, acts at Bob's entrance as [`Conditions`] that hold for a run of slots
//! ([`Channel`]). Nothing here knows a clock: time is counted in slots.

mod background;
mod conditions;
mod effects;
mod fibre;
mod free_space;
mod polarisation_drift;
mod satellite_pass;
#[cfg(test)]
mod tests;
mod turbulence;

pub use background::{Background, Daylight, SharedFibre, SharedLength, Window};
pub use conditions::{Channel, Conditions};
pub use effects::ChannelEffects;
pub use fibre::{Fibre, transmittance};
pub use free_space::{Beam, FreeSpace};
pub use polarisation_drift::PolarisationDrift;
pub use satellite_pass::SatellitePass;
pub use turbulence::Turbulence;

/// Shortest time, in s, for which conditions should stay the same at a clock of `clock_hz`: 100,000
/// slots, or 1 ms on a slow clock. The receiver computes its tables anew at each change, which
/// shorter steps would have it do most of the time.
fn shortest_step_s(clock_hz: f64) -> f64 {
    (1e5 / clock_hz).min(1e-3)
}
