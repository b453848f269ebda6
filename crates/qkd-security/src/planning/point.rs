use crate::{Figure, KeyLength, lim2014, rusca2018};

/// One point of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanPoint {
    /// Expected share of wrong bits: of the sifted key for finite blocks, all intensities together;
    /// E_μ of the signal for infinitely many pulses.
    pub qber: f64,
    /// The bound on the phase error rate of the single photons, at most ½.
    pub phase_error_rate: f64,
    /// Secret bits per slot of Alice's clock, 0 or more.
    pub secret_bits_per_pulse: f64,
    /// The same per second.
    pub secret_key_rate_bps: f64,
    /// What no protocol without repeaters exceeds on this fibre, bits per slot
    /// ([`crate::repeaterless`]); infinite without loss.
    pub repeaterless_bits_per_pulse: f64,
    /// Mean photon numbers that were used.
    pub intensities: Vec<f64>,
    /// How often each was sent; 1 for the signal and 0 for decoys where infinitely many pulses let
    /// decoys be as rare as one likes.
    pub intensity_probabilities: Vec<f64>,
    /// Probability of Z on both sides.
    pub key_basis_probability: f64,
    /// The block; `None` for infinitely many pulses.
    pub block: Option<PlanBlock>,
}

/// What a block of finite length is expected to show and to give.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanBlock {
    /// ℓ in whole bits, 0 when there is no key.
    pub secret_length_bits: u64,
    /// ℓ before it is clamped at zero and rounded down: negative means no key.
    pub length_unclamped: f64,
    /// Slots of Alice's clock that the block takes, expected.
    pub slots: f64,
    /// The same in seconds.
    pub seconds: f64,
    /// λ_EC: bits disclosed by error correction, verification not included.
    pub leaked_bits: f64,
    /// Expected sifted detections in the key basis, by intensity.
    pub key_counts: Vec<f64>,
    /// How many of them are wrong.
    pub key_errors: Vec<f64>,
    /// Expected sifted detections in the test basis, by intensity.
    pub test_counts: Vec<f64>,
    /// How many of them are wrong.
    pub test_errors: Vec<f64>,
    /// Every bound that the length was made from.
    pub bounds: PlanBounds,
}

/// The bounds of the theorem that was used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PlanBounds {
    /// Of [`crate::wiesemann2024`].
    Wiesemann2024(KeyLength),
    /// Of [`crate::rusca2018`].
    Rusca2018(rusca2018::Bounds),
    /// Of [`crate::lim2014`].
    Lim2014(lim2014::Bounds),
}

impl PlanBounds {
    /// ℓ before it is clamped at zero and rounded down.
    pub fn length_unclamped(&self) -> f64 {
        match self {
            PlanBounds::Wiesemann2024(length) => length.length_unclamped,
            PlanBounds::Rusca2018(bounds) => bounds.length_unclamped,
            PlanBounds::Lim2014(bounds) => bounds.length_unclamped,
        }
    }

    /// ℓ in whole bits, 0 when there is no key.
    pub fn secret_length_bits(&self) -> u64 {
        match self {
            PlanBounds::Wiesemann2024(length) => length.secret_length_bits(),
            PlanBounds::Rusca2018(bounds) => bounds.secret_length_bits(),
            PlanBounds::Lim2014(bounds) => bounds.secret_length_bits(),
        }
    }

    /// φ: the bound on the phase error rate of the key's single photons.
    pub fn phase_error_rate(&self) -> f64 {
        match self {
            PlanBounds::Wiesemann2024(length) => length.phase_error_rate,
            PlanBounds::Rusca2018(bounds) => bounds.phase_error_rate,
            PlanBounds::Lim2014(bounds) => bounds.phase_error_rate,
        }
    }

    /// The account of the length.
    pub fn figures(&self) -> Vec<Figure> {
        match self {
            PlanBounds::Wiesemann2024(length) => length.figures(),
            PlanBounds::Rusca2018(bounds) => bounds.figures(),
            PlanBounds::Lim2014(bounds) => bounds.figures(),
        }
    }
}
