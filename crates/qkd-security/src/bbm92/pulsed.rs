use super::{Arms, Errors};
use crate::Error;
use crate::maximisation::{Interval, Maximum, maximise};
use crate::range;

/// A pulsed parametric source of pairs and two stations with threshold detectors.
///
/// Ma, Fung and Lo, PRA 76, 012307 (2007): n pairs in a pulse with probability
/// (n+1) λⁿ/(1+λ)^(n+2); the two polarisation modes of one time bin share λ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PulsedPairs {
    /// λ = μ/2: half the mean number of pairs per pulse, (0, 10].
    pub lambda: f64,
    /// η_A, η_B: transmittance from the source to a click, detector efficiency included, \[0, 1].
    pub transmittances: Arms,
    /// Y₀A, Y₀B: probability per pulse of a click without light, all detectors of a station
    /// together, \[0, 1).
    pub dark_count_probabilities: Arms,
    /// e_d: probability that the halves of one pair give different bits, \[0, ½\].
    pub misalignment_error: f64,
    /// q: share of the coincidences that sifting keeps, (0, 1]; ½ when both choose evenly.
    pub sifting_share: f64,
    /// f ≥ 1.
    pub reconciliation_inefficiency: f64,
}

/// What [`PulsedPairs`] gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PulsedRate {
    /// Q_λ: probability per pulse that both sides click.
    pub gain: f64,
    /// E_λ: share of wrong bits, the same in both bases.
    pub qber: f64,
    /// 1 − f h(E) − h(E), bits per sifted bit; negative means no key.
    pub secret_fraction: f64,
    /// R = q Q (1 − f h(E) − h(E)), bits per pulse; negative means no key.
    pub secret_bits_per_pulse: f64,
}

impl PulsedPairs {
    /// Gain, error and rate.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure outside its range.
    pub fn rate(&self) -> Result<PulsedRate, Error> {
        range::intensity(
            "lambda (half the mean number of pairs per pulse)",
            self.lambda,
        )?;
        self.checked_link()?;
        Ok(self.evaluate())
    }

    /// The λ within `search` that gives the most secret bits per pulse; the value is that rate.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure outside its range; the `lambda` of `self` is
    /// not looked at.
    pub fn optimal_lambda(&self, search: Interval) -> Result<Maximum, Error> {
        self.checked_link()?;
        range::intensity("to (end of the search for lambda)", search.to)?;
        maximise(search, |lambda| {
            PulsedPairs { lambda, ..*self }
                .evaluate()
                .secret_bits_per_pulse
        })
    }

    fn checked_link(&self) -> Result<(), Error> {
        self.transmittances.transmittances()?;
        self.dark_count_probabilities.dark_counts()?;
        range::error_rate("misalignment_error", self.misalignment_error)?;
        range::sifting_share(self.sifting_share)?;
        range::inefficiency(self.reconciliation_inefficiency)?;
        Ok(())
    }

    fn evaluate(&self) -> PulsedRate {
        let (gain, wrong) = self.gain_and_errors();
        // No click at all: nothing is known of a bit that never comes.
        let qber = if gain > 0.0 { wrong / gain } else { 0.5 };
        let secret_fraction = Errors {
            qber,
            phase_error_rate: qber,
            reconciliation_inefficiency: self.reconciliation_inefficiency,
        }
        .fraction();
        PulsedRate {
            gain,
            qber,
            secret_fraction,
            secret_bits_per_pulse: self.sifting_share * gain * secret_fraction,
        }
    }

    /// Q (equation 9) and EQ (equation 10), rearranged so that nothing cancels: as printed, Q is a
    /// difference of numbers near one.
    ///
    /// The denominator D = 1 + η_Aλ + η_Bλ − η_Aη_Bλ enters the error to power 1, though it stands
    /// squared in the gain; squaring it there too is a common misreading.
    fn gain_and_errors(&self) -> (f64, f64) {
        let lambda = self.lambda;
        let light = Arms {
            alice: self.transmittances.alice * lambda,
            bob: self.transmittances.bob * lambda,
        };
        let dark = self.dark_count_probabilities;
        let single = |light: f64, dark: f64| {
            (dark + light * (2.0 + light)) / ((1.0 + light) * (1.0 + light))
        };
        let product = (1.0 + light.alice) * (1.0 + light.bob);
        let joint = light.alice * self.transmittances.bob * (1.0 + lambda);
        let denominator = 1.0 + light.alice + light.bob - light.alice * self.transmittances.bob;
        let correlated = joint * (product + denominator) / (product * denominator).powi(2);
        let gain = single(light.alice, dark.alice) * single(light.bob, dark.bob)
            + (1.0 - dark.alice) * (1.0 - dark.bob) * correlated;
        let right_excess = 2.0 * (0.5 - self.misalignment_error) * joint / (product * denominator);
        (gain, 0.5 * gain - right_excess)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference_table::Table;

    const GAIN_300_KM: f64 = 9.975057248514399e-10;
    const QBER_300_KM: f64 = 0.08292181813786385;
    const RATE_300_KM: f64 = 4.2139908152257657e-11;

    fn link(distance_km: f64) -> PulsedPairs {
        PulsedPairs {
            lambda: 0.02,
            transmittances: Arms::both(0.145 * 10_f64.powf(-0.02 * distance_km / 2.0)),
            dark_count_probabilities: Arms::both(6.02e-6),
            misalignment_error: 0.015,
            sifting_share: 0.5,
            reconciliation_inefficiency: 1.22,
        }
    }

    #[test]
    fn reference_rows_are_reproduced() {
        let table = Table::parse(include_str!("pulsed_reference.csv"));
        for row in table.rows() {
            let distance_km = row.number("L_total_km");
            let rate = link(distance_km).rate().unwrap();
            // The reference takes differences of numbers near one: at 300 km it has lost half of
            // its digits (50-digit arithmetic gives R = 4.213990815e-11, as we do).
            let relative = if distance_km < 300.0 { 1e-6 } else { 1e-5 };
            row.assert_within("Q", rate.gain, relative);
            row.assert_within("E", rate.qber, relative);
            row.assert_within("R", rate.secret_bits_per_pulse, relative);

            let search = Interval {
                from: 1e-4,
                to: 1.0,
            };
            let best = link(distance_km).optimal_lambda(search).unwrap();
            row.assert_within("lambda_opt", best.argument, 1e-3);
            row.assert_within("R_opt", best.value, relative);
            let there = PulsedPairs {
                lambda: row.number("lambda_opt"),
                ..link(distance_km)
            };
            let there = there.rate().unwrap();
            row.assert_within("Q_opt", there.gain, relative);
            row.assert_within("E_opt", there.qber, relative);
        }
    }

    /// By 50-digit arithmetic, where the textbook form loses half of its digits.
    #[test]
    fn nothing_cancels_at_long_distance() {
        let rate = link(300.0).rate().unwrap();
        assert!((rate.gain / GAIN_300_KM - 1.0).abs() < 1e-12);
        assert!((rate.qber / QBER_300_KM - 1.0).abs() < 1e-12);
        assert!((rate.secret_bits_per_pulse / RATE_300_KM - 1.0).abs() < 1e-11);
    }

    /// Neither clicks nor light: a product over both sides of what each sees alone.
    #[test]
    fn without_light_coincidences_are_accidental_and_random() {
        let dark = PulsedPairs {
            transmittances: Arms::both(0.0),
            ..link(0.0)
        };
        let rate = dark.rate().unwrap();
        assert!((rate.gain / 6.02e-6_f64.powi(2) - 1.0).abs() < 1e-12);
        assert_eq!(rate.qber, 0.5);
        assert!(rate.secret_bits_per_pulse < 0.0);
    }

    #[test]
    fn figures_outside_their_range_are_named() {
        let good = link(10.0);
        let bad = [
            (
                PulsedPairs {
                    lambda: 0.0,
                    ..good
                },
                "lambda",
            ),
            (
                PulsedPairs {
                    transmittances: Arms::both(1.2),
                    ..good
                },
                "transmittances.alice",
            ),
            (
                PulsedPairs {
                    dark_count_probabilities: Arms::both(-0.1),
                    ..good
                },
                "dark_count",
            ),
            (
                PulsedPairs {
                    misalignment_error: 0.7,
                    ..good
                },
                "misalignment_error",
            ),
            (
                PulsedPairs {
                    sifting_share: f64::NAN,
                    ..good
                },
                "sifting_share",
            ),
            (
                PulsedPairs {
                    reconciliation_inefficiency: 0.5,
                    ..good
                },
                "reconciliation",
            ),
        ];
        for (link, name) in bad {
            let error = link.rate().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
