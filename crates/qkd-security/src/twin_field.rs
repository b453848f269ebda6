//! Twin-field QKD: both sides send weak pulses whose amplitudes interfere at a node in between, and
//! one photon suffices, so that the rate falls with the root of the line's transmittance. Lucamarini,
//! Yuan, Dynes and Shields, Nature 557, 400 (2018).
//!
//! The variant without phase slices by Curty, Azuma and Lo, npj Quantum Inf. 5, 64 (2019): key from
//! coherent states ±α (their X basis), phase errors bounded by the yields of photon-number states
//! (their Z basis), here with infinitely many decoys, which know every yield. Asymptotic. The
//! model: two equal arms, equal detectors, a phase mismatch, no polarisation error.

use crate::mathematics::{exp, exp_m1, pow};
use crate::maximisation::{Interval, Maximum, maximise};
use crate::range;
use crate::{Error, Standing, binary_entropy};

/// What the rates of this module are worth.
pub const STANDING: Standing = Standing::Asymptotic;

/// Photon numbers 0 to 7 of each sender have their own yield; a yield of 1 is assumed for all
/// others, which is on the safe side.
const PHOTONS: usize = 8;
/// Terms of Σ c_n after which, at α² ≤ 10, the rest is below the last bit.
const AMPLITUDES: usize = 120;

/// Two senders of equal distance and a node with a beam splitter and two detectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwinField {
    /// α²: mean photons of each key pulse, (0, 10]; useful values are a few hundredths.
    pub intensity: f64,
    /// √η: transmittance from one sender to a click, detector included, \[0, 1].
    pub arm_transmittance: f64,
    /// p_d: probability of a click without light, per detector and slot, \[0, 1).
    pub dark_count_probability: f64,
    /// sin²(θ/2) of the phase mismatch θ: share of the light that leaves by the wrong port, \[0, ½\].
    pub misalignment_error: f64,
    /// f ≥ 1.
    pub reconciliation_inefficiency: f64,
}

/// What [`TwinField`] gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwinFieldRate {
    /// p_X: probability per pair of pulses that one given detector clicks and the other does not.
    pub gain: f64,
    /// e_X: share of wrong bits.
    pub qber: f64,
    /// e_Z: at most this rate of phase errors, clamped to ½.
    pub phase_error_rate: f64,
    /// 2 p_X (1 − f h(e_X) − h(e_Z)), bits per pair of pulses, both detectors; negative means no
    /// key.
    pub secret_bits_per_pulse_pair: f64,
}

impl TwinField {
    /// Gain, errors and rate.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure outside its range.
    pub fn rate(&self) -> Result<TwinFieldRate, Error> {
        range::intensity("intensity", self.intensity)?;
        self.checked_link()?;
        Ok(self.evaluate(&self.yield_roots()))
    }

    /// The intensity within `search` that gives the most secret bits per pair of pulses; the value
    /// is that rate.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure outside its range; the `intensity` of `self` is
    /// not looked at.
    pub fn optimal_intensity(&self, search: Interval) -> Result<Maximum, Error> {
        self.checked_link()?;
        range::intensity("to (end of the search for the intensity)", search.to)?;
        let roots = self.yield_roots();
        maximise(search, |intensity| {
            let link = TwinField { intensity, ..*self };
            link.evaluate(&roots).secret_bits_per_pulse_pair
        })
    }

    fn checked_link(&self) -> Result<(), Error> {
        range::transmittance("arm_transmittance", self.arm_transmittance)?;
        range::below_one("dark_count_probability", self.dark_count_probability)?;
        range::error_rate("misalignment_error", self.misalignment_error)?;
        range::inefficiency(self.reconciliation_inefficiency)?;
        Ok(())
    }

    fn evaluate(&self, yield_roots: &YieldRoots) -> TwinFieldRate {
        let (gain, qber) = self.key_pulses();
        let phase_error_rate = if gain > 0.0 {
            (self.phase_errors(yield_roots) / gain).min(0.5)
        } else {
            0.5
        };
        let secret_fraction = 1.0
            - self.reconciliation_inefficiency * binary_entropy(qber)
            - binary_entropy(phase_error_rate);
        TwinFieldRate {
            gain,
            qber,
            phase_error_rate,
            secret_bits_per_pulse_pair: 2.0 * gain * secret_fraction,
        }
    }

    /// p_X and e_X: with γ = √η α² and Ω = cos θ,
    /// p_X = (1−p_d)(e^(−γΩ) + e^(γΩ)) e^(−γ)/2 − (1−p_d)² e^(−2γ), each part without subtracting
    /// numbers near one.
    fn key_pulses(&self) -> (f64, f64) {
        let light = self.arm_transmittance * self.intensity;
        // γ(1 − Ω) and γ(1 + Ω): what reaches the wrong and the right detector.
        let at_wrong = 2.0 * light * self.misalignment_error;
        let at_right = 2.0 * light * (1.0 - self.misalignment_error);
        let dark = self.dark_count_probability;
        // One port silent, the other not: e^(−silent) (1 − (1−p_d) e^(−clicking)).
        let click = |light: f64| dark - (1.0 - dark) * exp_m1(-light);
        let right = (1.0 - dark) * exp(-at_wrong) * click(at_right) / 2.0;
        let wrong = (1.0 - dark) * exp(-at_right) * click(at_wrong) / 2.0;
        let gain = right + wrong;
        (gain, if gain > 0.0 { wrong / gain } else { 0.5 })
    }

    /// p_X e_Z ≤ Σ_j (Σ_mn c_m^(j) c_n^(j) √Y_mn)²: j = 0 the even, j = 1 the odd photon numbers.
    fn phase_errors(&self, yield_roots: &YieldRoots) -> f64 {
        let amplitudes = self.amplitudes();
        let parity_sum = |parity: usize| {
            let mut known = 0.0;
            for (m, roots) in yield_roots.iter().enumerate().skip(parity).step_by(2) {
                for (n, root) in roots.iter().enumerate().skip(parity).step_by(2) {
                    known += amplitudes[m] * amplitudes[n] * root;
                }
            }
            let sum = |range: &[f64]| range.iter().skip(parity).step_by(2).sum::<f64>();
            let (few, many) = (sum(&amplitudes[..PHOTONS]), sum(&amplitudes[PHOTONS..]));
            // Pairs with at least one photon number beyond the known yields.
            let total = known + many * (2.0 * few + many);
            total * total
        };
        parity_sum(0) + parity_sum(1)
    }

    /// c_n = e^(−α²/2) αⁿ/√n!.
    fn amplitudes(&self) -> [f64; AMPLITUDES] {
        let root = self.intensity.sqrt();
        let mut amplitude = exp(-self.intensity / 2.0);
        let mut amplitudes = [0.0; AMPLITUDES];
        for (n, entry) in amplitudes.iter_mut().enumerate() {
            *entry = amplitude;
            amplitude *= root / ((n + 1) as f64).sqrt();
        }
        amplitudes
    }

    /// √Y_mn for few photons; all of them symmetric in m and n.
    fn yield_roots(&self) -> YieldRoots {
        let mut roots = [[0.0; PHOTONS]; PHOTONS];
        for (m, row) in roots.iter_mut().enumerate() {
            for (n, root) in row.iter_mut().enumerate() {
                *root = self.photon_yield(m, n).sqrt();
            }
        }
        roots
    }

    /// Y_mn: probability that one given detector clicks and the other does not, when `alice` and
    /// `bob` photons are sent.
    ///
    /// Of k + l photons that arrive, all leave by one port with probability C(k+l, k)/2^(k+l)
    /// (Hong, Ou and Mandel). Summed so that nothing cancels: first the photons that make the click,
    /// then the dark count that makes it without any.
    fn photon_yield(&self, alice: usize, bob: usize) -> f64 {
        let arrive = self.arm_transmittance;
        let dark = self.dark_count_probability;
        let mut by_light = 0.0;
        for k in 0..=alice {
            for l in 0..=bob {
                let lost = (alice + bob - k - l) as f64;
                let arrived = (k + l) as f64;
                let ways = binomial(alice, k) * binomial(bob, l);
                let probability = ways * pow(arrive, arrived) * pow(1.0 - arrive, lost);
                let clicked = if k + l == 0 { dark } else { 1.0 };
                by_light += probability * clicked * binomial(k + l, k) / pow(2.0, arrived);
            }
        }
        (1.0 - dark) * by_light
    }
}

/// √Y_mn by the photon numbers of Alice and Bob.
type YieldRoots = [[f64; PHOTONS]; PHOTONS];

/// C(n, k), exact for the n ≤ 14 of this module.
fn binomial(n: usize, k: usize) -> f64 {
    (0..k).fold(1.0, |value, i| value * (n - i) as f64 / (i + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference_table::Table;

    fn link(distance_km: f64) -> TwinField {
        TwinField {
            intensity: 0.02,
            arm_transmittance: 0.2 * 10_f64.powf(-0.01 * distance_km),
            dark_count_probability: 1e-7,
            misalignment_error: 0.02,
            reconciliation_inefficiency: 1.16,
        }
    }

    #[test]
    fn reference_rows_are_reproduced() {
        let table = Table::parse(include_str!("mdi/reference.csv"));
        for row in table.rows() {
            let link = link(row.number("L_km"));
            let rate = link.rate().unwrap();
            // The reference takes differences of numbers near one: the error rate of few clicks
            // among many pulses has lost digits.
            row.assert_within("tf.02_eX", rate.qber, 1e-6);
            row.assert_within("tf.02_eZ", rate.phase_error_rate, 1e-6);
            row.assert_within("tf.02_R", rate.secret_bits_per_pulse_pair, 1e-6);

            let intensity = row.number("tf_alpha2_opt");
            let there = TwinField { intensity, ..link }.rate().unwrap();
            row.assert_within("tf_eX", there.qber, 1e-6);
            row.assert_within("tf_eZ", there.phase_error_rate, 1e-6);
            row.assert_within("tf_R", there.secret_bits_per_pulse_pair, 1e-6);

            if row.number("tf_R") > 0.0 {
                let search = Interval {
                    from: 1e-3,
                    to: 1.0,
                };
                let best = link.optimal_intensity(search).unwrap();
                row.assert_within("tf_alpha2_opt", best.argument, 1e-3);
                row.assert_within("tf_R", best.value, 1e-6);
            }
        }
    }

    #[test]
    fn the_rate_passes_the_repeaterless_bound_but_not_that_of_one_repeater() {
        let link = TwinField {
            arm_transmittance: 10_f64.powf(-3.5),
            dark_count_probability: 1e-10,
            misalignment_error: 0.005,
            ..link(0.0)
        };
        let search = Interval {
            from: 1e-3,
            to: 1.0,
        };
        let rate = link.optimal_intensity(search).unwrap().value;
        let line = 1e-7;
        assert!(rate > crate::repeaterless::bits_per_use(line).unwrap());
        assert!(rate < crate::repeaterless::bits_per_use_with_repeaters(line, 1).unwrap());
    }

    #[test]
    fn yields_of_few_photons_are_those_of_a_beam_splitter() {
        let link = TwinField {
            arm_transmittance: 0.3,
            dark_count_probability: 0.0,
            ..link(0.0)
        };
        assert_eq!(link.photon_yield(0, 0), 0.0);
        assert!((link.photon_yield(1, 0) - 0.15).abs() < 1e-15);
        // Two photons that arrive always leave together, by this port in half of the cases.
        assert!((link.photon_yield(1, 1) - (0.3 * 0.7 + 0.09 / 2.0)).abs() < 1e-15);
    }

    #[test]
    fn figures_outside_their_range_are_named() {
        let good = link(10.0);
        let bright = TwinField {
            intensity: 0.0,
            ..good
        };
        let clear = TwinField {
            arm_transmittance: 1.5,
            ..good
        };
        let skew = TwinField {
            misalignment_error: 0.6,
            ..good
        };
        for (link, name) in [
            (bright, "intensity is 0"),
            (clear, "arm_transmittance is 1.5"),
            (skew, "misalignment_error is 0.6"),
        ] {
            let error = link.rate().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        let dark = TwinField {
            arm_transmittance: 0.0,
            dark_count_probability: 0.0,
            ..good
        };
        assert_eq!(dark.rate().unwrap().secret_bits_per_pulse_pair, 0.0);
    }
}
