use super::{Arms, Errors};
use crate::Error;
use crate::mathematics::erfc;
use crate::range;

/// A continuously pumped source of pairs, with coincidences found in a time window.
///
/// Neumann, Scheidl, Selimovic, Pivoluska, Liu, Bohmann and Ursin, PRA 104, 022406 (2021), section
/// "Model". Detectors without dead time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContinuousPairs {
    /// B: pairs per second made in the crystal, above 0.
    pub pair_rate_hz: f64,
    /// η_A, η_B: heralding efficiency at the source, times the loss of the arm, times the detector
    /// efficiency, \[0, 1].
    pub transmittances: Arms,
    /// DC_A, DC_B: dark counts per second, all detectors of a station together.
    pub dark_count_rates_hz: Arms,
    /// t_CC: full width of the coincidence window in seconds, above 0.
    pub coincidence_window_s: f64,
    /// t_Δ: full width at half maximum, in seconds, of the difference of the two arrival times:
    /// jitter of both detectors, of the electronics, and dispersion together. Above 0.
    pub jitter_fwhm_s: f64,
    /// e_pol: probability that the halves of one pair give different bits, \[0, ½\].
    pub misalignment_error: f64,
    /// q: share of the coincidences that sifting keeps, (0, 1].
    pub sifting_share: f64,
    /// f ≥ 1.
    pub reconciliation_inefficiency: f64,
}

/// What [`ContinuousPairs`] gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContinuousRate {
    /// S_A, S_B: clicks per second at each side.
    pub singles_hz: Arms,
    /// η_tCC: share of the true pairs whose arrival times differ by less than the window allows.
    pub window_share: f64,
    /// CC_t: true pairs found, per second.
    pub true_coincidences_hz: f64,
    /// CC_acc: chance coincidences per second, half of them wrong.
    pub accidental_coincidences_hz: f64,
    /// CC_m: all coincidences per second.
    pub coincidences_hz: f64,
    /// E: share of wrong bits, the same in both bases.
    pub qber: f64,
    /// 1 − f h(E) − h(E), bits per sifted bit; negative means no key.
    pub secret_fraction: f64,
    /// q CC_m (1 − f h(E) − h(E)), bits per second; negative means no key.
    pub secret_key_rate_bps: f64,
}

impl ContinuousPairs {
    /// Coincidences, error and rate.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure outside its range.
    pub fn rate(&self) -> Result<ContinuousRate, Error> {
        self.check()?;
        let eta = self.transmittances;
        let dark = self.dark_count_rates_hz;
        let singles_hz = Arms {
            alice: self.pair_rate_hz * eta.alice + dark.alice,
            bob: self.pair_rate_hz * eta.bob + dark.bob,
        };
        // erf(√(ln 2) t_CC/t_Δ), the part of a Gaussian inside the window.
        let half_widths =
            std::f64::consts::LN_2.sqrt() * self.coincidence_window_s / self.jitter_fwhm_s;
        let window_share = 1.0 - erfc(half_widths);
        let true_coincidences_hz = self.pair_rate_hz * eta.alice * eta.bob * window_share;
        let accidental_coincidences_hz =
            singles_hz.alice * singles_hz.bob * self.coincidence_window_s;
        let coincidences_hz = true_coincidences_hz + accidental_coincidences_hz;
        let wrong =
            self.misalignment_error * true_coincidences_hz + accidental_coincidences_hz / 2.0;
        // No coincidence: nothing is known of a bit that never comes.
        let qber = if coincidences_hz > 0.0 {
            wrong / coincidences_hz
        } else {
            0.5
        };
        let secret_fraction = Errors {
            qber,
            phase_error_rate: qber,
            reconciliation_inefficiency: self.reconciliation_inefficiency,
        }
        .fraction();
        Ok(ContinuousRate {
            singles_hz,
            window_share,
            true_coincidences_hz,
            accidental_coincidences_hz,
            coincidences_hz,
            qber,
            secret_fraction,
            secret_key_rate_bps: self.sifting_share * coincidences_hz * secret_fraction,
        })
    }

    fn check(&self) -> Result<(), Error> {
        range::positive(
            "pair_rate_hz",
            self.pair_rate_hz,
            "pairs per second above 0",
        )?;
        self.transmittances.transmittances()?;
        let expected = "counts per second, zero or more";
        let dark = self.dark_count_rates_hz;
        range::not_negative("dark_count_rates_hz.alice", dark.alice, expected)?;
        range::not_negative("dark_count_rates_hz.bob", dark.bob, expected)?;
        let expected = "seconds above 0";
        range::positive("coincidence_window_s", self.coincidence_window_s, expected)?;
        range::positive("jitter_fwhm_s", self.jitter_fwhm_s, expected)?;
        range::error_rate("misalignment_error", self.misalignment_error)?;
        range::sifting_share(self.sifting_share)?;
        range::inefficiency(self.reconciliation_inefficiency)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference_table::Table;

    fn link(loss_db: f64) -> ContinuousPairs {
        ContinuousPairs {
            pair_rate_hz: 1e7,
            transmittances: Arms::both(0.2 * 10_f64.powf(-loss_db / 20.0)),
            dark_count_rates_hz: Arms::both(300.0),
            coincidence_window_s: 300e-12,
            jitter_fwhm_s: 150e-12,
            misalignment_error: 0.01,
            sifting_share: 0.5,
            reconciliation_inefficiency: 1.1,
        }
    }

    #[test]
    fn reference_rows_are_reproduced() {
        let table = Table::parse(include_str!("continuous_reference.csv"));
        for row in table.rows() {
            let rate = link(row.number("total_loss_dB")).rate().unwrap();
            row.assert_equal("CC_cps", rate.coincidences_hz);
            row.assert_equal("accidentals_cps", rate.accidental_coincidences_hz);
            row.assert_equal("QBER", rate.qber);
            row.assert_equal("SKR_bps", rate.secret_key_rate_bps);
        }
    }

    #[test]
    fn figures_outside_their_range_are_named() {
        let good = link(10.0);
        let bad = [
            (
                ContinuousPairs {
                    pair_rate_hz: -1.0,
                    ..good
                },
                "pair_rate_hz is -1",
            ),
            (
                ContinuousPairs {
                    coincidence_window_s: 0.0,
                    ..good
                },
                "coincidence_window_s",
            ),
            (
                ContinuousPairs {
                    jitter_fwhm_s: f64::NAN,
                    ..good
                },
                "jitter_fwhm_s",
            ),
            (
                ContinuousPairs {
                    dark_count_rates_hz: Arms::both(-1.0),
                    ..good
                },
                "dark_count",
            ),
        ];
        for (link, name) in bad {
            let error = link.rate().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
