//! Measurement-device-independent QKD: both sides send, an untrusted node in between measures.
//! Lo, Curty and Qi, PRL 108, 130503 (2012).
//!
//! No detector needs to be trusted. Phase-randomised weak pulses with decoys at both senders; key
//! in the rectilinear basis, phase errors from the diagonal one. Asymptotic: [`Mdi`] predicts a
//! link with infinitely many decoys, [`ObservedMdi`] bounds single photons from what three
//! intensities showed; neither subtracts statistical fluctuation.
//!
//! All rates are per pair of pulses, without the share that sifting loses.

mod observed;

use crate::bbm92::Arms;
use crate::mathematics::{exp, exp_m1};
use crate::maximisation::{Interval, Maximum, maximise};
use crate::range;
use crate::{Error, Standing, binary_entropy};
pub use observed::{GainMatrix, ObservedBounds, ObservedMdi};

/// What the rates of this module are worth.
pub const STANDING: Standing = Standing::Asymptotic;

/// Two senders and a node with a beam splitter, two polarising beam splitters and four detectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mdi {
    /// μ_a, μ_b: mean photons per signal pulse, (0, 10].
    pub intensities: Arms,
    /// η_a, η_b: transmittance from each sender to a click, detectors included, \[0, 1].
    pub transmittances: Arms,
    /// p_d: probability of a click without light, per detector and slot, \[0, 1).
    pub dark_count_probability: f64,
    /// e_d: probability that the polarisations of a pair of pulses end up wrong, \[0, ½\].
    pub misalignment_error: f64,
    /// f ≥ 1.
    pub reconciliation_inefficiency: f64,
}

/// What one basis shows: gain and error rate of announced pairs of pulses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Announced {
    /// Q: probability per pair of pulses that the node announces a Bell state.
    pub gain: f64,
    /// E: share of wrong bits among them.
    pub qber: f64,
}

/// What [`Mdi`] gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MdiRate {
    /// Rectilinear basis, which makes the key.
    pub rectilinear: Announced,
    /// Y₁₁: probability of an announcement when both pulses hold one photon.
    pub single_photon_yield: f64,
    /// e₁₁: error rate of those in the diagonal basis, the phase error of the key.
    pub phase_error_rate: f64,
    /// Q₁₁ = μ_a μ_b e^(−μ_a−μ_b) Y₁₁.
    pub single_photon_gain: f64,
    /// Q₁₁ (1 − h(e₁₁)) − f Q h(E), bits per pair of pulses; negative means no key.
    pub secret_bits_per_pulse_pair: f64,
}

impl Mdi {
    /// Gains, errors and the rate with infinitely many decoys.
    ///
    /// Ma and Razavi, PRA 86, 062319 (2012): equations 21 and 23 for single photons, 51 to 54 for
    /// the rectilinear basis; rate of Lo, Curty and Qi, equation 1.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure outside its range.
    pub fn rate(&self) -> Result<MdiRate, Error> {
        range::intensity("intensities.alice", self.intensities.alice)?;
        range::intensity("intensities.bob", self.intensities.bob)?;
        self.checked_link()?;
        Ok(self.evaluate())
    }

    /// The intensity within `search`, the same at both senders, that gives the most secret bits per
    /// pair of pulses; the value is that rate.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure outside its range; the `intensities` of `self`
    /// are not looked at.
    pub fn optimal_intensity(&self, search: Interval) -> Result<Maximum, Error> {
        self.checked_link()?;
        range::intensity("to (end of the search for the intensity)", search.to)?;
        maximise(search, |intensity| {
            let link = Mdi {
                intensities: Arms::both(intensity),
                ..*self
            };
            link.evaluate().secret_bits_per_pulse_pair
        })
    }

    fn checked_link(&self) -> Result<(), Error> {
        self.transmittances.transmittances()?;
        range::below_one("dark_count_probability", self.dark_count_probability)?;
        range::error_rate("misalignment_error", self.misalignment_error)?;
        range::inefficiency(self.reconciliation_inefficiency)?;
        Ok(())
    }

    fn evaluate(&self) -> MdiRate {
        let rectilinear = self.rectilinear();
        let (single_photon_yield, phase_error_rate) = self.single_photons();
        let Arms { alice, bob } = self.intensities;
        let single_photon_gain = alice * bob * exp(-alice - bob) * single_photon_yield;
        let disclosed =
            self.reconciliation_inefficiency * rectilinear.gain * binary_entropy(rectilinear.qber);
        MdiRate {
            rectilinear,
            single_photon_yield,
            phase_error_rate,
            single_photon_gain,
            secret_bits_per_pulse_pair: single_photon_gain
                * (1.0 - binary_entropy(phase_error_rate))
                - disclosed,
        }
    }

    /// Y₁₁ and e₁₁ (equations 21 and 23).
    fn single_photons(&self) -> (f64, f64) {
        let Arms { alice: a, bob: b } = self.transmittances;
        let dark = self.dark_count_probability;
        let quiet = (1.0 - dark) * (1.0 - dark);
        let both = a * b / 2.0;
        let one = (2.0 * a + 2.0 * b - 3.0 * a * b) * dark;
        let none = 4.0 * (1.0 - a) * (1.0 - b) * dark * dark;
        let photon_yield = quiet * (both + one + none);
        if photon_yield <= 0.0 {
            return (0.0, 0.5);
        }
        let right_excess = (0.5 - self.misalignment_error) * quiet * both;
        (photon_yield, 0.5 - right_excess / photon_yield)
    }

    /// Gain and error of the rectilinear basis (equations 51 to 54). Nothing interferes there, and
    /// an announcement of equal bits takes a dark count.
    fn rectilinear(&self) -> Announced {
        let Received { alice, bob, root } = self.received();
        let dark = self.dark_count_probability;
        let quiet = (1.0 - dark) * (1.0 - dark);
        let silence = exp(-(alice + bob) / 2.0);
        // 1 − (1−p_d) e^(−ημ/2), without subtracting numbers near one.
        let click = |light: f64| dark - (1.0 - dark) * exp_m1(-light / 2.0);
        let different = 2.0 * quiet * silence * click(alice) * click(bob);
        let coincidence =
            bessel_minus_one(2.0 * root) - exp_m1(-(alice + bob) / 2.0) + dark * silence;
        let equal = 2.0 * dark * quiet * silence * coincidence;
        announced(different, equal, self.misalignment_error)
    }

    /// Gain and error of the diagonal basis (equations 35 and 39). Pulses with two photons give
    /// errors of a quarter there; only single photons count as phase errors.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure outside its range; intensities may be zero.
    pub fn diagonal(&self) -> Result<Announced, Error> {
        self.checked_with_vacuum()?;
        let Received { alice, bob, root } = self.received();
        // y² of the paper, (1−p_d)² e^(−(η_aμ_a+η_bμ_b)/2), and 1 − y.
        let quiet = 1.0 - self.dark_count_probability;
        let squared = quiet * quiet * exp(-(alice + bob) / 2.0);
        let missing = self.dark_count_probability - quiet * exp_m1(-(alice + bob) / 4.0);
        let once = bessel_minus_one(root);
        let twice = bessel_minus_one(2.0 * root);
        // 1 + 2y² − 4y I₀(x) + I₀(2x), as a sum of small terms.
        let excess = 2.0 * missing * missing - 4.0 * (1.0 - missing) * once + twice;
        let gain = 2.0 * squared * excess;
        if gain <= 0.0 {
            return Ok(Announced {
                gain: 0.0,
                qber: 0.5,
            });
        }
        let right_excess = 2.0 * (0.5 - self.misalignment_error) * squared * twice;
        Ok(Announced {
            gain,
            qber: 0.5 - right_excess / gain,
        })
    }

    /// Gain and error of the rectilinear basis, as for [`Mdi::diagonal`].
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure outside its range; intensities may be zero.
    pub fn key_basis(&self) -> Result<Announced, Error> {
        self.checked_with_vacuum()?;
        Ok(self.rectilinear())
    }

    fn checked_with_vacuum(&self) -> Result<(), Error> {
        let expected = "a mean photon number from 0 to 10";
        for (what, value) in [
            ("intensities.alice", self.intensities.alice),
            ("intensities.bob", self.intensities.bob),
        ] {
            range::require(what, value, (0.0..=10.0).contains(&value), expected)?;
        }
        self.checked_link()
    }

    fn received(&self) -> Received {
        let alice = self.transmittances.alice * self.intensities.alice;
        let bob = self.transmittances.bob * self.intensities.bob;
        Received {
            alice,
            bob,
            root: (alice * bob).sqrt() / 2.0,
        }
    }
}

/// η_aμ_a, η_bμ_b, and x = √(η_aμ_aη_bμ_b)/2.
struct Received {
    alice: f64,
    bob: f64,
    root: f64,
}

/// Adds announcements of different and of equal bits, of which misalignment swaps a part.
fn announced(different: f64, equal: f64, misalignment_error: f64) -> Announced {
    let gain = different + equal;
    let wrong = misalignment_error * different + (1.0 - misalignment_error) * equal;
    Announced {
        gain,
        qber: if gain > 0.0 { wrong / gain } else { 0.5 },
    }
}

/// I₀(x) − 1 = Σ_{k≥1} (x/2)^(2k)/k!², the modified Bessel function, for 0 ≤ x ≤ 10.
fn bessel_minus_one(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term) = (0.0, 1.0);
    // At x = 10 the terms fall below the last bit of the sum after 27 of them.
    for k in 1..40 {
        term *= quarter / f64::from(k * k);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests;
