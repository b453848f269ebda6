//! What a link would give: a key rate for figures that nobody has measured yet.
//!
//! [`plan`] predicts the counts of a link ([`ChannelModel`]) and puts them into a formula
//! ([`PlanTheorem`]); [`optimise`] looks for the intensities and probabilities with the highest
//! rate. Results are the same to the last bit on every machine.
//!
//! A plan is an expectation and never a promise: a finite length here is the theorem's at the
//! *expected* counts, with error correction at a stated efficiency, as published work has it. The
//! length that the running system fixes in advance leaves room for chance, and is
//! [`BlockPlan`](crate::BlockPlan)'s affair; [`fixed`] gives it for the same input.

mod asymptotic;
mod channel;
mod check;
mod finite;
mod fixed;
mod optimise;
mod point;
mod published;
mod theorem;

pub(crate) use check::known_side_channels;
pub use fixed::fixed;
pub use optimise::optimise;
pub use point::{PlanBlock, PlanBounds, PlanPoint};
pub use theorem::{ChannelModel, PlanTheorem};

use crate::lim2014::BasisCounts;
use crate::{Error, SecurityParameters, SideChannels, gllp, repeaterless};
use channel::Channel;

/// f when a configuration does not say: what our Cascade stays below on average in blocks from
/// 64 kbit on and error rates up to 5 %.
pub const RECONCILIATION_INEFFICIENCY: f64 = 1.06;

/// Most intensities that any of the formulas takes.
const CLASSES_MAX: usize = 3;

/// The link of a plan. Both sides choose Z with the same probability.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanLink {
    /// Mean photons per pulse, the brightest first; how many, [`PlanTheorem::intensities`] says.
    pub intensities: Vec<f64>,
    /// How often each is sent. Formulas for infinitely many pulses do not look at it.
    pub intensity_probabilities: Vec<f64>,
    /// Probability of Z, at Alice and at Bob alike.
    pub key_basis_probability: f64,
    /// Slots per second.
    pub clock_hz: f64,
    /// Transmittance of the fibre, 10^(−αL/10).
    pub transmittance_channel: f64,
    /// Transmittance of the receiver's optics before the detectors.
    pub insertion_transmittance: f64,
    /// η_d: probability that a photon at a detector makes it click.
    pub detector_efficiency: f64,
    /// p_d: probability of a click without light, per detector and slot.
    pub dark_count_probability: f64,
    /// Slots after a registered click in which both detectors are blind.
    pub dead_time_slots: u64,
    /// Probability that a registered click leaves a charge that fires the detector again.
    pub afterpulse_probability: f64,
    /// Mean time after the end of the dead time at which that happens, in slots.
    pub afterpulse_decay_slots: f64,
    /// e_d: probability that a photon goes to the wrong detector of the right basis.
    pub misalignment_error: f64,
}

/// What [`plan`] looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanInput {
    /// Source, fibre and receiver.
    pub link: PlanLink,
    /// The formula.
    pub theorem: PlanTheorem,
    /// What predicts clicks and errors.
    pub channel: ChannelModel,
    /// Sifted key-basis bits per block, 1 to 1e15; not looked at for infinitely many pulses.
    pub block_bits: u64,
    /// ε_sec and ε_cor; not looked at for infinitely many pulses.
    pub parameters: SecurityParameters,
    /// What the laboratories may leak; [`crate::wiesemann2024`] alone reckons with any.
    pub side_channels: SideChannels,
    /// f: bits disclosed by error correction over the Shannon limit, 1 to 10.
    pub reconciliation_inefficiency: f64,
}

/// The rate of a link, and what it is made from.
///
/// # Errors
/// [`Error::OutOfRange`] names the first figure outside its range, its value and the range.
pub fn plan(input: &PlanInput) -> Result<PlanPoint, Error> {
    let frame = Frame::new(input)?;
    let setting = Setting::of(input)?;
    let outcome = frame.outcome(&setting)?;
    frame.point(&setting, &outcome)
}

/// What stays the same while intensities and probabilities are varied.
#[derive(Clone, Debug)]
struct Frame {
    theorem: PlanTheorem,
    channel: Channel,
    clock_hz: f64,
    transmittance_channel: f64,
    block_bits: f64,
    parameters: SecurityParameters,
    side_channels: SideChannels,
    reconciliation_inefficiency: f64,
}

/// What Alice and Bob may choose, in the order of the intensities; unused places hold 0.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Setting {
    intensities: [f64; CLASSES_MAX],
    probabilities: [f64; CLASSES_MAX],
    key_basis_probability: f64,
}

/// What comes out for one setting.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Block {
        /// Slots of Alice's clock that the block takes, expected.
        slots: f64,
        key: BasisCounts,
        test: BasisCounts,
        /// λ_EC, verification not included.
        leaked_bits: f64,
        bounds: PlanBounds,
    },
    Limit {
        /// E_μ of the signal.
        qber: f64,
        rate: gllp::Rate,
    },
}

impl Outcome {
    /// Secret bits per slot of Alice's clock; 0 where there is no key.
    fn secret_bits_per_pulse(&self) -> f64 {
        match self {
            // Less than a bit is no key.
            Outcome::Block { slots, bounds, .. } if bounds.length_unclamped() >= 1.0 => {
                bounds.length_unclamped() / slots
            }
            Outcome::Block { .. } => 0.0,
            Outcome::Limit { rate, .. } => rate.secret_bits_per_pulse(),
        }
    }
}

impl Frame {
    fn outcome(&self, setting: &Setting) -> Result<Outcome, Error> {
        match self.theorem {
            PlanTheorem::Wiesemann2024 => finite::outcome(self, setting, finite::wiesemann2024),
            PlanTheorem::Rusca2018 => finite::outcome(self, setting, finite::rusca2018),
            PlanTheorem::Lim2014 => finite::outcome(self, setting, finite::lim2014),
            PlanTheorem::Gllp => asymptotic::without_decoys(self, setting),
            PlanTheorem::GllpDecoyInfinite => asymptotic::decoy_infinite(self, setting),
            PlanTheorem::GllpVacuumWeak => asymptotic::vacuum_weak(self, setting),
        }
    }

    fn point(&self, setting: &Setting, outcome: &Outcome) -> Result<PlanPoint, Error> {
        let used = self.theorem.intensities_used();
        let secret_bits_per_pulse = outcome.secret_bits_per_pulse();
        let (qber, phase_error_rate, block) = match outcome {
            Outcome::Block {
                slots,
                key,
                test,
                leaked_bits,
                bounds,
            } => {
                let block = PlanBlock {
                    secret_length_bits: bounds.secret_length_bits(),
                    length_unclamped: bounds.length_unclamped(),
                    slots: *slots,
                    seconds: slots / self.clock_hz,
                    leaked_bits: *leaked_bits,
                    key_counts: key.counts[..used].to_vec(),
                    key_errors: key.errors[..used].to_vec(),
                    test_counts: test.counts[..used].to_vec(),
                    test_errors: test.errors[..used].to_vec(),
                    bounds: *bounds,
                };
                (key.qber(), bounds.phase_error_rate(), Some(block))
            }
            Outcome::Limit { qber, rate } => (*qber, rate.phase_error_rate, None),
        };
        Ok(PlanPoint {
            qber,
            phase_error_rate,
            secret_bits_per_pulse,
            secret_key_rate_bps: secret_bits_per_pulse * self.clock_hz,
            repeaterless_bits_per_pulse: repeaterless::bits_per_use(self.transmittance_channel)?,
            intensities: setting.intensities[..used].to_vec(),
            intensity_probabilities: setting.probabilities[..used].to_vec(),
            key_basis_probability: setting.key_basis_probability,
            block,
        })
    }
}

#[cfg(test)]
mod tests;
