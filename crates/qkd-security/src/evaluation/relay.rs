use super::Evaluation;
use crate::mdi::{self, ObservedMdi};
use crate::{Error, Figure, range};

/// Gains and errors of measurement-device-independent QKD.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasuredRelay {
    /// Intensities, gains and errors of both bases.
    pub observed: ObservedMdi,
    /// Pairs of pulses per second, Hz.
    pub clock_hz: Option<f64>,
    /// Share of the pairs in which both sides send their signal in the key basis, (0, 1\]; 1 when
    /// `None`.
    pub sifted_share: Option<f64>,
}

impl MeasuredRelay {
    pub(super) fn evaluate(&self) -> Result<Evaluation, Error> {
        let bounds = self.observed.bounds()?;
        let key = &self.observed.key_basis;
        let mut figures = vec![
            Figure::plain(
                "gain",
                key.gains[0][0],
                "signals announced per pair, key basis (Q)",
            ),
            Figure::plain("qber", key.errors[0][0], "wrong bits among them (E)"),
        ];
        figures.extend(bounds.figures());
        let mut evaluation = Evaluation::new("mdi", mdi::STANDING, figures);
        let per_pair = bounds.secret_bits_per_pulse_pair.max(0.0);
        evaluation.secret_bits_per_pulse = Some(per_pair);
        let share = self.sifted_share.unwrap_or(1.0);
        range::sifting_share(share)?;
        if let Some(clock_hz) = self.clock_hz {
            let clock_hz = range::positive("clock_hz", clock_hz, "a clock rate in Hz above 0")?;
            evaluation.secret_key_rate_bps = Some(per_pair * clock_hz * share);
            if self.sifted_share.is_none() {
                evaluation.note(
                    "The rate is that of pairs of signals in the key basis alone; `sifted_share` \
                     says how many of all pairs they are.",
                );
            }
        }
        evaluation.note(
            "The gains are taken as exact: bounds from the counts of a finite run are estimates.",
        );
        Ok(evaluation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bbm92::Arms;
    use crate::evaluation::Measured;
    use crate::evaluation::tests::{assert_within, figure};
    use crate::mathematics::pow;
    use crate::mdi::{GainMatrix, Mdi};

    /// What two senders and a node in the middle show at 50 km by the model of Ma and Razavi.
    fn relay() -> ObservedMdi {
        let intensities = [0.4, 0.05, 0.001];
        let mut observed = ObservedMdi {
            alice_intensities: intensities,
            bob_intensities: intensities,
            key_basis: GainMatrix {
                gains: [[0.0; 3]; 3],
                errors: [[0.0; 3]; 3],
            },
            test_basis: GainMatrix {
                gains: [[0.0; 3]; 3],
                errors: [[0.0; 3]; 3],
            },
            reconciliation_inefficiency: 1.16,
        };
        for (i, alice) in intensities.into_iter().enumerate() {
            for (j, bob) in intensities.into_iter().enumerate() {
                let link = Mdi {
                    intensities: Arms { alice, bob },
                    transmittances: Arms::both(0.145 * pow(10.0, -0.5)),
                    dark_count_probability: 6.02e-6,
                    misalignment_error: 0.015,
                    reconciliation_inefficiency: 1.16,
                };
                let (key, test) = (link.key_basis().unwrap(), link.diagonal().unwrap());
                observed.key_basis.gains[i][j] = key.gain;
                observed.key_basis.errors[i][j] = key.qber;
                observed.test_basis.gains[i][j] = test.gain;
                observed.test_basis.errors[i][j] = test.qber;
            }
        }
        observed
    }

    #[test]
    fn gains_and_errors_give_the_rate_of_a_relay() {
        let measured = MeasuredRelay {
            observed: relay(),
            clock_hz: Some(1e9),
            sifted_share: Some(0.25),
        };
        let found = Measured::Relay(measured).evaluate().unwrap();
        // The bounds of an implementation by others (PyPI `qkd` 0.2.0).
        assert_within(
            figure(&found, "single_photon_yield_key_min"),
            0.000_997_865_164_456_826_8,
            1e-8,
        );
        assert_within(
            figure(&found, "phase_error_rate"),
            0.048_071_205_119_935_54,
            1e-8,
        );
        let per_pair = found.secret_bits_per_pulse.unwrap();
        assert!(per_pair > 0.0);
        assert_within(found.secret_key_rate_bps.unwrap(), per_pair * 2.5e8, 1e-12);
    }
}
