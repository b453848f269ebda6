//! Differential phase shift. Inoue, Waks and Yamamoto, PRL 89, 037902 (2002).
//!
//! **A demonstration.** The rate holds only against an Eve who attacks every photon by itself:
//! Waks, Takesue and Yamamoto, PRA 73, 012344 (2006). Sequential attacks do better (Curty, Zhang,
//! Lo and Lütkenhaus, QIC 7, 665 (2007)). [`STANDING`] says so and belongs beside every figure.
//!
//! Misprint: equation 37 of Waks et al. has the sign of the privacy-amplification term inverted;
//! here it is positive, as their equation 34 and the text around it want it.

use crate::mathematics::{exp_m1, log2};
use crate::range;
use crate::{Error, Standing, binary_entropy};

/// What the rates of this module are worth.
pub const STANDING: Standing = Standing::IndividualAttacks;

/// 6/38: from here on the collision probability of equation 34 would fall again, as if more errors
/// helped.
const QBER_OF_FULL_KNOWLEDGE: f64 = 6.0 / 38.0;

/// A train of weak pulses with random phases 0 and π, and an interferometer of one slot's delay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dps {
    /// μ: mean photons per pulse, (0, ½): from ½ on Eve splits off everything.
    pub intensity: f64,
    /// Pulses per second, above 0.
    pub clock_hz: f64,
    /// η: probability that a photon Alice sends clicks: line, interferometer, detectors and their
    /// time gate. \[0, 1].
    pub transmittance: f64,
    /// Probability of a click without light per slot, both detectors together, \[0, 1).
    pub dark_count_probability: f64,
    /// Probability that light goes to the wrong detector, \[0, ½\].
    pub misalignment_error: f64,
    /// f ≥ 1.
    pub reconciliation_inefficiency: f64,
}

/// What [`Dps`] gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DpsRate {
    /// Probability of a click per slot; every click is a sifted bit. No dead time.
    pub gain: f64,
    /// Sifted bits per second.
    pub sifted_rate_bps: f64,
    /// Share of wrong bits.
    pub qber: f64,
    /// P_c0: collision probability of one bit that Eve attacked, given the errors.
    pub collision_probability: f64,
    /// (1 − 2μ)(−log₂ P_c0): bits per sifted bit that privacy amplification leaves.
    pub amplified_bits: f64,
    /// amplified − f h(E), bits per sifted bit; negative means no key.
    pub secret_fraction: f64,
    /// Secret bits per second against individual attacks only; negative means no key.
    pub secret_key_rate_bps: f64,
}

impl Dps {
    /// Clicks, errors and the rate against individual attacks (Waks et al., equations 34 and 37).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure outside its range.
    pub fn rate(&self) -> Result<DpsRate, Error> {
        self.check()?;
        // 1 − (1−p_d) e^(−ημ) as a sum of small terms.
        let light = -exp_m1(-self.transmittance * self.intensity);
        let dark = self.dark_count_probability;
        let gain = light + dark * (1.0 - light);
        let wrong = self.misalignment_error * light + dark / 2.0;
        // A dark count in a slot with light is counted in full, so the share may pass one half.
        let qber = if gain > 0.0 {
            (wrong / gain).min(0.5)
        } else {
            0.5
        };
        let known = qber.min(QBER_OF_FULL_KNOWLEDGE);
        let collision_probability = 1.0 - known * known - (1.0 - 6.0 * known).powi(2) / 2.0;
        let amplified_bits = -(1.0 - 2.0 * self.intensity) * log2(collision_probability);
        let secret_fraction =
            amplified_bits - self.reconciliation_inefficiency * binary_entropy(qber);
        let sifted_rate_bps = self.clock_hz * gain;
        Ok(DpsRate {
            gain,
            sifted_rate_bps,
            qber,
            collision_probability,
            amplified_bits,
            secret_fraction,
            secret_key_rate_bps: sifted_rate_bps * secret_fraction,
        })
    }

    fn check(&self) -> Result<(), Error> {
        let mean = self.intensity;
        let holds = mean > 0.0 && mean < 0.5;
        let expected = "a mean photon number above 0 and below 0.5";
        range::require("intensity", mean, holds, expected)?;
        range::positive("clock_hz", self.clock_hz, "pulses per second above 0")?;
        range::transmittance("transmittance", self.transmittance)?;
        range::below_one("dark_count_probability", self.dark_count_probability)?;
        range::error_rate("misalignment_error", self.misalignment_error)?;
        range::inefficiency(self.reconciliation_inefficiency)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference_table::Table;

    /// Takesue et al., Nat. Photonics 1, 343 (2007).
    fn link(loss_db: f64) -> Dps {
        Dps {
            intensity: 0.2,
            clock_hz: 10e9,
            transmittance: 10_f64.powf(-(loss_db + 2.5) / 10.0) * 0.014 * 0.64,
            dark_count_probability: 50.0 * 50e-12,
            misalignment_error: 0.023,
            reconciliation_inefficiency: 1.16,
        }
    }

    #[test]
    fn reference_rows_are_reproduced() {
        let table = Table::parse(include_str!("dps/reference.csv"));
        for row in table.rows() {
            let rate = link(row.number("loss_dB")).rate().unwrap();
            // The reference forms 1 − e^(−x) and has lost digits where clicks are rare.
            row.assert_within("sifted_cps", rate.sifted_rate_bps, 1e-8);
            row.assert_within("QBER", rate.qber, 1e-8);
            row.assert_within("R_bps", rate.secret_key_rate_bps, 1e-7);
        }
    }

    #[test]
    fn the_published_rate_at_105_km_is_met() {
        let rate = link(21.0).rate().unwrap().secret_key_rate_bps;
        assert!((rate / 17e3 - 1.0).abs() < 0.03, "{rate}");
    }

    #[test]
    fn many_errors_leave_no_key() {
        for misalignment_error in [0.1, 0.16, 0.3, 0.5] {
            let rate = Dps {
                misalignment_error,
                ..link(10.0)
            };
            assert!(rate.rate().unwrap().secret_key_rate_bps < 0.0);
        }
        let dark = Dps {
            transmittance: 0.0,
            ..link(0.0)
        };
        assert_eq!(dark.rate().unwrap().qber, 0.5);
    }

    #[test]
    fn what_the_figure_is_worth_is_said() {
        assert!(STANDING.to_string().contains("demonstration"));
    }

    #[test]
    fn figures_outside_their_range_are_named() {
        let good = link(10.0);
        let bad = [
            (
                Dps {
                    intensity: 0.5,
                    ..good
                },
                "intensity is 0.5",
            ),
            (
                Dps {
                    clock_hz: 0.0,
                    ..good
                },
                "clock_hz",
            ),
            (
                Dps {
                    transmittance: 1.2,
                    ..good
                },
                "transmittance is 1.2",
            ),
            (
                Dps {
                    dark_count_probability: 1.0,
                    ..good
                },
                "dark_count_probability",
            ),
            (
                Dps {
                    misalignment_error: -0.1,
                    ..good
                },
                "misalignment_error",
            ),
        ];
        for (link, name) in bad {
            let error = link.rate().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
