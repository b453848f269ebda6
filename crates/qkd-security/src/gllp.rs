//! Key rate of BB84 with weak coherent pulses in the limit of infinitely many of them.
//!
//! R = q{−Q_μ f h(E_μ) + Q₁\[1 − h(e₁)\]}: Gottesman, Lo, Lütkenhaus and Preskill, Quantum Inf.
//! Comput. 4, 325 (2004), in the form of Ma, Qi, Zhao and Lo, PRA 72, 012326 (2005), equation 1.
//! Q₁ and e₁ come from [`crate::decoy`], or without decoys from the assumption that Eve knows every
//! pulse of several photons.
//!
//! **For planning alone.** An asymptotic rate times a number of pulses is not the length of any
//! key: no statistical fluctuation is in it, so a finite block needs [`crate::wiesemann2024`].
//!
//! Assumptions: phase randomisation, basis-independent detection, squashing, no side channels.

use crate::bisection::last_holding;
use crate::decoy::{ClassGain, SinglePhotons};
use crate::error::require;
use crate::mathematics::{exp, exp_m1};
use crate::{Error, binary_entropy, range};

/// What post-processing costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PostProcessing {
    /// q: share of the clicks that sifting keeps; ½ for BB84 with unbiased bases, P(Z)² for a key
    /// made in Z alone. Above 0, at most 1.
    pub sifted_share: f64,
    /// f: bits disclosed by error correction over the Shannon limit, 1 to 10.
    pub reconciliation_inefficiency: f64,
}

impl PostProcessing {
    /// The same when both figures lie in their range.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the one that does not.
    pub fn checked(self) -> Result<Self, Error> {
        let q = self.sifted_share;
        let expected = "a share of the clicks above 0 and at most 1";
        require("sifted_share", q, q > 0.0 && q <= 1.0, expected)?;
        range::inefficiency(self.reconciliation_inefficiency)?;
        Ok(self)
    }
}

/// A key rate and what it was made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Q₁: clicks of single photons per pulse sent.
    pub single_photon_gain: f64,
    /// e₁: share of wrong bits among them, which is also their phase error rate.
    pub phase_error_rate: f64,
    /// Q₁(1 − h(e₁)): bits per pulse that Eve does not know, before sifting.
    pub private_bits_per_pulse: f64,
    /// Q f h(E): bits per pulse disclosed by error correction, before sifting.
    pub leaked_bits_per_pulse: f64,
    /// R: secret bits per pulse sent; negative means no key.
    pub secret_bits_per_pulse_unclamped: f64,
}

impl Rate {
    /// R, 0 when there is no key.
    pub fn secret_bits_per_pulse(&self) -> f64 {
        self.secret_bits_per_pulse_unclamped.max(0.0)
    }
}

/// The rate when `single` is known of the single photons; key from the signal's pulses alone.
///
/// # Errors
/// [`Error::OutOfRange`] for a figure of `signal`, `single` or `processing` outside its range.
pub fn with_decoys(
    signal: &ClassGain,
    single: &SinglePhotons,
    processing: &PostProcessing,
) -> Result<Rate, Error> {
    let signal = signal.checked()?;
    let single = single.checked()?;
    let processing = processing.checked()?;
    Ok(rate(
        &signal,
        single.gain(signal.intensity),
        single.error_rate,
        &processing,
    ))
}

/// The rate without decoys: every pulse of several photons that can click does, without error, and
/// is Eve's. `signal` is what was registered, dead time included; `dead_time_slots` is k.
///
/// Q₁ ≥ Q − P/(1 + kP) with P = 1 − (1+μ)e^(−μ), and e₁ ≤ EQ/Q₁ (GLLP; Lütkenhaus, PRA 61, 052304
/// (2000), both without dead time). Nothing is left where pulses of several photons could explain
/// all clicks.
///
/// Registered clicks are k + 1 slots apart, and Alice's photon numbers are independent of each
/// other. Of slots that are right with probability P one can pick no more, each k + 1 after the last,
/// than by taking the first that comes: one in k + 1/P. That holds for an Eve who knows every photon
/// number in advance. The share of live slots times P would be less, but it is no bound: she may
/// keep the detectors from clicking where a pulse of several photons is due.
///
/// # Errors
/// [`Error::OutOfRange`] for a negative dead time and for a figure of `signal` or `processing`
/// outside its range.
pub fn without_decoys(
    signal: &ClassGain,
    dead_time_slots: f64,
    processing: &PostProcessing,
) -> Result<Rate, Error> {
    let signal = signal.checked()?;
    range::not_negative("dead_time_slots", dead_time_slots, "zero or more slots")?;
    let processing = processing.checked()?;
    let mu = signal.intensity;
    // 1 − e^(−μ) − μe^(−μ)
    let several = -exp_m1(-mu) - mu * exp(-mu);
    let gain = (signal.gain - several / (1.0 + dead_time_slots * several)).max(0.0);
    let errors = signal.qber * signal.gain;
    let error_rate = if gain > 0.0 {
        (errors / gain).min(0.5)
    } else {
        0.5
    };
    Ok(rate(&signal, gain, error_rate, &processing))
}

/// The intensity with the highest rate for infinitely many decoys and little background:
/// (1 − μ)e^(−μ) = f h(e_d)/(1 − h(e_d)) (Ma et al., equation 12).
///
/// `None` when no intensity gives a key.
///
/// # Errors
/// [`Error::OutOfRange`] unless `misalignment_error` is from 0 to ½ and f from 1 to 10.
pub fn optimal_intensity(
    misalignment_error: f64,
    processing: &PostProcessing,
) -> Result<Option<f64>, Error> {
    range::error_rate("misalignment_error", misalignment_error)?;
    let processing = processing.checked()?;
    let entropy = binary_entropy(misalignment_error);
    let cost = processing.reconciliation_inefficiency * entropy / (1.0 - entropy);
    Ok(last_holding(0.0..=1.0, |mu| (1.0 - mu) * exp(-mu) >= cost).filter(|mu| *mu > 0.0))
}

fn rate(
    signal: &ClassGain,
    single_photon_gain: f64,
    phase_error_rate: f64,
    processing: &PostProcessing,
) -> Rate {
    let private_bits_per_pulse = single_photon_gain * (1.0 - binary_entropy(phase_error_rate));
    // An error rate above one half costs as much as one below it: Bob flips his bits.
    let leaked_bits_per_pulse =
        signal.gain * processing.reconciliation_inefficiency * binary_entropy(signal.qber);
    Rate {
        single_photon_gain,
        phase_error_rate,
        private_bits_per_pulse,
        leaked_bits_per_pulse,
        secret_bits_per_pulse_unclamped: processing.sifted_share
            * (private_bits_per_pulse - leaked_bits_per_pulse),
    }
}

#[cfg(test)]
mod tests;
