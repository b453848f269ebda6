//! What the decoy method says about single photons in the limit of infinitely many pulses.
//!
//! Ma, Qi, Zhao and Lo, "Practical decoy state for quantum key distribution", PRA 72, 012326
//! (2005): exact values of its channel (equations 6 to 11), two decoys of which the weaker may be
//! vacuum (equations 18, 21 and 25; vacuum+weak is equations 34 and 37), one decoy (the paper's
//! section on it, with the bound on the vacuum stated below). No statistical fluctuation anywhere:
//! gains and error rates count as known exactly. For blocks of finite length see
//! [`crate::wiesemann2024`].
//!
//! Reading of "one decoy": the paper bounds the vacuum yield by the errors of the signal alone;
//! here it is the smaller of what the errors of either class allow, which is as valid and doubles
//! Y₁ on the paper's own example.
//!
//! Assumptions: phase randomisation; yields and error rates of n photons the same for every class.

use crate::error::require;
use crate::mathematics::{exp, exp_m1};
use crate::{Error, range};

/// e₀: error rate of a click without light, which is random.
const VACUUM_ERROR_RATE: f64 = 0.5;

/// What is seen of the pulses of one intensity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassGain {
    /// μ: mean photons per pulse, 0 to 10; 0 for a vacuum decoy.
    pub intensity: f64,
    /// Q_μ: clicks per pulse sent, 0 to 1.
    pub gain: f64,
    /// E_μ: share of wrong bits among the clicks, 0 to 1.
    pub qber: f64,
}

impl ClassGain {
    /// The same when every figure lies in its range.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure that does not.
    pub fn checked(self) -> Result<Self, Error> {
        let holds = (0.0..=10.0).contains(&self.intensity);
        let expected = "a mean photon number from 0 to 10";
        require("intensity", self.intensity, holds, expected)?;
        let holds = (0.0..=1.0).contains(&self.gain);
        let expected = "from 0 to 1 click per pulse sent";
        require("gain", self.gain, holds, expected)?;
        let holds = (0.0..=1.0).contains(&self.qber);
        let expected = "a share of wrong bits from 0 to 1";
        require("qber", self.qber, holds, expected)?;
        Ok(self)
    }

    /// Q e^μ: the sum of Y_n μⁿ/n!.
    fn raised_gain(&self) -> f64 {
        self.gain * exp(self.intensity)
    }

    /// E Q e^μ: the sum of e_n Y_n μⁿ/n!.
    fn raised_errors(&self) -> f64 {
        self.qber * self.raised_gain()
    }
}

/// Bounds on what single photons do, or their exact values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SinglePhotons {
    /// Y₀ as used: clicks per pulse without photons, the bound on the side that is safe.
    pub vacuum_yield: f64,
    /// Y₁: at least so many clicks per pulse of exactly one photon; 0 when nothing is known.
    pub photon_yield: f64,
    /// e₁: at most this share of wrong bits among them, clamped to ½.
    pub error_rate: f64,
}

impl SinglePhotons {
    fn new(vacuum_yield: f64, photon_yield: f64, errors_per_pulse: f64) -> SinglePhotons {
        let known = photon_yield > 0.0;
        SinglePhotons {
            vacuum_yield: vacuum_yield.min(1.0),
            photon_yield: if known { photon_yield.min(1.0) } else { 0.0 },
            error_rate: if known {
                (errors_per_pulse / photon_yield).clamp(0.0, 0.5)
            } else {
                0.5
            },
        }
    }

    /// The same when every figure lies in its range.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure that does not.
    pub fn checked(self) -> Result<Self, Error> {
        let rows = [
            ("vacuum_yield", self.vacuum_yield),
            ("photon_yield", self.photon_yield),
        ];
        for (what, value) in rows {
            let holds = (0.0..=1.0).contains(&value);
            require(what, value, holds, "from 0 to 1 click per pulse")?;
        }
        range::error_rate("error_rate of single photons", self.error_rate)?;
        Ok(self)
    }

    /// Q₁ = Y₁ μ e^(−μ): clicks of single photons per pulse sent with `intensity`.
    pub fn gain(&self, intensity: f64) -> f64 {
        self.photon_yield * intensity * exp(-intensity)
    }
}

/// The channel of the paper: threshold detection whose error rate is the same for every photon.
///
/// An approximation that counts a dark count and light in one slot twice: off by a factor of at
/// most 1 + Y₀. [`crate::LinkModel`] is exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AsymptoticChannel {
    /// η: probability that a photon Alice sends can click, detector included, 0 to 1.
    pub transmittance: f64,
    /// Y₀: probability of a click without light, per slot, both detectors together, 0 to 1.
    pub vacuum_yield: f64,
    /// e_d: share of photons that go to the wrong detector, 0 to ½.
    pub misalignment_error: f64,
}

impl AsymptoticChannel {
    /// The same when every figure lies in its range.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure that does not.
    pub fn checked(self) -> Result<Self, Error> {
        range::transmittance("transmittance", self.transmittance)?;
        range::below_one("vacuum_yield", self.vacuum_yield)?;
        range::error_rate("misalignment_error", self.misalignment_error)?;
        Ok(self)
    }

    /// What is seen of pulses of `intensity` ≥ 0: Q = Y₀ + 1 − e^(−ημ) (equation 10) and
    /// EQ = e₀Y₀ + e_d(1 − e^(−ημ)) (equation 11).
    pub fn class(&self, intensity: f64) -> ClassGain {
        let light = -exp_m1(-self.transmittance * intensity);
        let gain = self.vacuum_yield + light;
        let errors = VACUUM_ERROR_RATE * self.vacuum_yield + self.misalignment_error * light;
        ClassGain {
            intensity,
            gain: gain.min(1.0),
            qber: if gain > 0.0 { errors / gain } else { 0.0 },
        }
    }

    /// What infinitely many decoys would find: Y₁ = Y₀ + η − Y₀η (equation 7) and
    /// e₁Y₁ = e₀Y₀ + e_dη (equation 9).
    pub fn single_photons(&self) -> SinglePhotons {
        let photon_yield = self.vacuum_yield + self.transmittance * (1.0 - self.vacuum_yield);
        let errors =
            VACUUM_ERROR_RATE * self.vacuum_yield + self.misalignment_error * self.transmittance;
        SinglePhotons::new(self.vacuum_yield, photon_yield, errors)
    }
}

/// Signal and two decoys, ν₂ < ν₁ and ν₁ + ν₂ < μ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoDecoys {
    /// μ.
    pub signal: ClassGain,
    /// ν₁, the brighter decoy.
    pub weak: ClassGain,
    /// ν₂, the darker decoy; with intensity 0 this is the vacuum+weak method.
    pub dim: ClassGain,
}

impl TwoDecoys {
    /// Bounds from two decoys (Ma et al., equations 18, 21 and 25).
    ///
    /// Y₀ is a lower bound; exact when the dim decoy is vacuum.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless every class is in range and 0 ≤ ν₂ < ν₁, ν₁ + ν₂ < μ.
    pub fn single_photons(&self) -> Result<SinglePhotons, Error> {
        let signal = self.signal.checked()?;
        let weak = self.weak.checked()?;
        let dim = self.dim.checked()?;
        let (mu, nu_1, nu_2) = (signal.intensity, weak.intensity, dim.intensity);
        let expected = "brighter than the dim decoy";
        require("intensity of the weak decoy", nu_1, nu_1 > nu_2, expected)?;
        let expected = "brighter than both decoys together";
        require("intensity of the signal", mu, mu > nu_1 + nu_2, expected)?;

        let vacuum = (nu_1 * dim.raised_gain() - nu_2 * weak.raised_gain()) / (nu_1 - nu_2);
        let vacuum = vacuum.max(0.0);
        let squares = (nu_1 * nu_1 - nu_2 * nu_2) / (mu * mu);
        let photon_yield = mu / (mu * (nu_1 - nu_2) - nu_1 * nu_1 + nu_2 * nu_2)
            * (weak.raised_gain() - dim.raised_gain() - squares * (signal.raised_gain() - vacuum));
        let errors = (weak.raised_errors() - dim.raised_errors()) / (nu_1 - nu_2);
        Ok(SinglePhotons::new(vacuum, photon_yield, errors.max(0.0)))
    }
}

/// Signal and one decoy, 0 < ν < μ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneDecoy {
    /// μ.
    pub signal: ClassGain,
    /// ν.
    pub decoy: ClassGain,
}

impl OneDecoy {
    /// Bounds from one decoy (Ma et al.; the vacuum bounded as the file says).
    ///
    /// Y₀ ≤ min over the classes of E Q e^μ/e₀, an upper bound; e₁ ≤ E_ν Q_ν e^ν/(Y₁ν), all errors
    /// of the decoy put down to single photons.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless both classes are in range and 0 < ν < μ.
    pub fn single_photons(&self) -> Result<SinglePhotons, Error> {
        let signal = self.signal.checked()?;
        let decoy = self.decoy.checked()?;
        let (mu, nu) = (signal.intensity, decoy.intensity);
        let expected = "above 0 and below the signal's";
        require("intensity of the decoy", nu, nu > 0.0 && nu < mu, expected)?;

        let vacuum = signal.raised_errors().min(decoy.raised_errors()) / VACUUM_ERROR_RATE;
        let ratio = (nu / mu) * (nu / mu);
        let photon_yield = mu / (nu * (mu - nu))
            * (decoy.raised_gain() - ratio * signal.raised_gain() - (1.0 - ratio) * vacuum);
        let errors = decoy.raised_errors() / nu;
        Ok(SinglePhotons::new(vacuum, photon_yield, errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: AsymptoticChannel = AsymptoticChannel {
        transmittance: 0.0065,
        vacuum_yield: 1.7e-6,
        misalignment_error: 0.033,
    };

    fn two_decoys(dim: f64) -> TwoDecoys {
        TwoDecoys {
            signal: CHANNEL.class(0.48),
            weak: CHANNEL.class(0.05),
            dim: CHANNEL.class(dim),
        }
    }

    #[test]
    fn every_bound_is_on_its_side_of_the_truth() {
        let truth = CHANNEL.single_photons();
        let one = OneDecoy {
            signal: CHANNEL.class(0.48),
            decoy: CHANNEL.class(0.12),
        };
        let bounds = [
            two_decoys(0.0).single_photons(),
            two_decoys(0.005).single_photons(),
            one.single_photons(),
        ];
        for found in bounds.map(Result::unwrap) {
            assert!(found.photon_yield <= truth.photon_yield, "{found:?}");
            assert!(found.error_rate >= truth.error_rate, "{found:?}");
        }
    }

    #[test]
    fn a_vacuum_decoy_shows_the_vacuum_yield() {
        let found = two_decoys(0.0).single_photons().unwrap();
        assert!(
            (found.vacuum_yield / 1.7e-6 - 1.0).abs() < 1e-9,
            "{found:?}"
        );
        let dim = two_decoys(0.005).single_photons().unwrap();
        assert!(dim.vacuum_yield < 1.7e-6, "{dim:?}");
    }

    #[test]
    fn decoys_that_photon_number_splitting_takes_away_show_no_single_photons() {
        let mut seen = two_decoys(0.0);
        // Eve blocks single photons: the weak decoy keeps 14 % of its clicks, the signal all.
        seen.weak.gain *= 0.138;
        let found = seen.single_photons().unwrap();
        assert_eq!((found.photon_yield, found.error_rate), (0.0, 0.5));
    }

    #[test]
    fn intensities_out_of_order_are_refused_by_name() {
        let mut wrong = two_decoys(0.0);
        wrong.weak.intensity = 0.5;
        let error = wrong.single_photons().unwrap_err().to_string();
        assert!(error.contains("intensity of the signal"), "{error}");
        let wrong = OneDecoy {
            signal: CHANNEL.class(0.1),
            decoy: CHANNEL.class(0.2),
        };
        let error = wrong.single_photons().unwrap_err().to_string();
        assert!(error.contains("intensity of the decoy"), "{error}");
    }
}
