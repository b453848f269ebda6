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
    /// Share of all pairs in which both sides send their signal in the key basis, (0, 1\]; without
    /// it nothing can be said per pair of pulses or per second.
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
        if let Some(clock_hz) = self.clock_hz {
            range::positive("clock_hz", clock_hz, "a clock rate in Hz above 0")?;
        }
        if let Some(share) = self.sifted_share {
            let expected = "a share of all pairs of pulses above 0 and at most 1";
            range::require("sifted_share", share, share > 0.0 && share <= 1.0, expected)?;
            let per_pair = bounds.secret_bits_per_signal_pair.max(0.0) * share;
            evaluation.secret_bits_per_pulse = Some(per_pair);
            evaluation.secret_key_rate_bps = self.clock_hz.map(|clock_hz| per_pair * clock_hz);
        } else {
            evaluation.note(
                "`sifted_share` is not given: how many of all pairs of pulses are signals of both \
                 in the key basis. Without it there are no bits per pulse and no rate, only \
                 secret_bits_per_signal_pair.",
            );
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
        let per_signal_pair = figure(&found, "secret_bits_per_signal_pair");
        assert!(per_signal_pair > 0.0);
        let per_pair = found.secret_bits_per_pulse.unwrap();
        assert_within(per_pair, per_signal_pair * 0.25, 1e-12);
        assert_within(found.secret_key_rate_bps.unwrap(), per_pair * 1e9, 1e-12);
    }

    #[test]
    fn without_the_share_of_signals_there_is_no_rate_and_a_note_that_asks_for_it() {
        let measured = MeasuredRelay {
            observed: relay(),
            clock_hz: Some(1e9),
            sifted_share: None,
        };
        let found = Measured::Relay(measured).evaluate().unwrap();
        assert_eq!(found.secret_bits_per_pulse, None);
        assert_eq!(found.secret_key_rate_bps, None);
        assert!(figure(&found, "secret_bits_per_signal_pair") > 0.0);
        assert!(
            found
                .notes
                .iter()
                .any(|note| note.contains("`sifted_share`"))
        );
        let measured = MeasuredRelay {
            sifted_share: Some(1.5),
            ..measured
        };
        let error = Measured::Relay(measured)
            .evaluate()
            .unwrap_err()
            .to_string();
        assert!(error.contains("sifted_share is 1.5"), "{error}");
    }
}
