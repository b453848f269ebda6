use super::Evaluation;
use crate::bisection::last_holding;
use crate::gg02::{self, FiniteSize, Gg02, Quadratures};
use crate::mathematics::erfc;
use crate::{Error, Figure, range};
use std::f64::consts::FRAC_1_SQRT_2;

/// A line of continuous variables as it was calibrated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasuredGaussian {
    /// Modulation, line and detector.
    pub line: Gg02,
    /// For a block of finite length.
    pub finite: Option<FiniteLine>,
    /// Symbols per second, to give a rate.
    pub symbol_rate_hz: Option<f64>,
}

/// A block of symbols.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FiniteLine {
    /// N: symbols exchanged.
    pub symbols: f64,
    /// m: how many of them were disclosed to estimate the line; half when `None`.
    pub estimation_symbols: Option<f64>,
    /// ε: divided evenly among smoothing, privacy amplification and the estimate, (0, 1).
    pub secrecy: f64,
}

impl FiniteLine {
    fn size(&self) -> Result<FiniteSize, Error> {
        let expected = "a probability strictly between 0 and 1";
        let holds = self.secrecy > 0.0 && self.secrecy < 1.0;
        let part = range::require("secrecy", self.secrecy, holds, expected)? / 3.0;
        Ok(FiniteSize {
            symbols: self.symbols,
            estimation_symbols: self.estimation_symbols.unwrap_or(self.symbols / 2.0),
            estimation_deviations: deviations(part),
            smoothing_failure: part,
            amplification_failure: part,
        })
    }
}

/// z with 1 − erf(z/√2) = ε (Leverrier, Grosshans and Grangier 2010, below their equation 15): half
/// of ε for each of the two estimates. 6.467 for 1e-10.
fn deviations(failure: f64) -> f64 {
    // Beyond 38 the tail is smaller than any double; ε of 1 is met at 0.
    let above = |z: f64| erfc(z * FRAC_1_SQRT_2) >= failure;
    last_holding(0.0..=40.0, above).unwrap_or(0.0)
}

impl MeasuredGaussian {
    pub(super) fn evaluate(&self) -> Result<Evaluation, Error> {
        let rate = self.line.rate()?;
        let name = match self.line.quadratures {
            Quadratures::One => "gg02-homodyne",
            Quadratures::Both => "gg02-heterodyne",
        };
        let mut evaluation = Evaluation::new(name, gg02::STANDING, rate.figures());
        let mut per_symbol = rate.secret_bits_per_symbol;
        if let Some(finite) = &self.finite {
            let size = finite.size()?;
            let found = self.line.finite_rate(&size)?;
            evaluation.standing = gg02::FINITE_STANDING;
            let deviations = Figure::plain(
                "estimation_deviations",
                size.estimation_deviations,
                "standard deviations by which the estimates are moved (z)",
            );
            evaluation.figures.push(deviations);
            evaluation.figures.extend(found.figures());
            per_symbol = found.secret_bits_per_symbol;
            // Nothing is sifted: a fraction of sifted bits has no meaning here.
            evaluation = evaluation.with_length(per_symbol * size.symbols, size.symbols);
            evaluation.secret_fraction = None;
        }
        evaluation.secret_bits_per_pulse = Some(per_symbol.max(0.0));
        if let Some(symbol_rate) = self.symbol_rate_hz {
            let expected = "symbols per second above 0";
            let symbol_rate = range::positive("symbol_rate_hz", symbol_rate, expected)?;
            evaluation.secret_key_rate_bps = Some(per_symbol.max(0.0) * symbol_rate);
        }
        evaluation.note(
            "The detector is trusted: its efficiency and electronic noise are calibrated and not \
             Eve's. Gaussian modulation; a local oscillator within Eve's reach is not covered.",
        );
        Ok(evaluation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Standing;
    use crate::evaluation::Measured;
    use crate::evaluation::tests::{assert_within, figure};
    use crate::mathematics::pow;

    #[test]
    fn the_deviations_are_those_of_the_literature() {
        assert!((deviations(1e-10) - 6.467).abs() < 5e-4);
        assert!((deviations(0.05) - 1.959_963_985).abs() < 1e-8);
        assert!(deviations(1e-300) < 40.0);
    }

    fn lodewyck() -> Gg02 {
        Gg02 {
            quadratures: Quadratures::One,
            modulation_variance_snu: 18.5,
            transmittance_channel: 0.302,
            excess_noise_snu: 0.005,
            detector_efficiency: 0.606,
            electronic_noise_snu: 0.041,
            reconciliation_efficiency: 0.898,
        }
    }

    #[test]
    fn lodewycks_line_gives_the_published_rate() {
        let measured = MeasuredGaussian {
            line: lodewyck(),
            finite: None,
            symbol_rate_hz: Some(350e3),
        };
        let found = Measured::Gaussian(measured).evaluate().unwrap();
        assert_within(
            figure(&found, "mutual_information_bits"),
            1.04364964873,
            1e-9,
        );
        assert_within(figure(&found, "holevo_bits"), 0.902043294561, 1e-9);
        assert_within(found.secret_bits_per_pulse.unwrap(), 0.035154090001, 1e-9);
        assert_within(found.secret_key_rate_bps.unwrap(), 12303.9315004, 1e-9);
        assert_eq!(found.secret_length_bits, None);
        assert_eq!(found.standing, Standing::Asymptotic);
    }

    #[test]
    fn a_block_of_symbols_has_a_length_and_a_smaller_rate() {
        let line = Gg02 {
            modulation_variance_snu: 5.0,
            transmittance_channel: pow(10.0, -0.2),
            excess_noise_snu: 0.01,
            detector_efficiency: 0.6,
            electronic_noise_snu: 0.1,
            reconciliation_efficiency: 0.95,
            ..lodewyck()
        };
        let found = Measured::Gaussian(MeasuredGaussian {
            line,
            finite: Some(FiniteLine {
                symbols: 1e9,
                estimation_symbols: None,
                secrecy: 3e-10,
            }),
            symbol_rate_hz: None,
        });
        let found = found.evaluate().unwrap();
        // Published with z = 6.5 for 1e-10, which is 6.467 to the last digit.
        let per_symbol = found.secret_bits_per_pulse.unwrap();
        assert_within(per_symbol, 0.123986830592, 1e-3);
        assert!(per_symbol > 0.123986830592);
        assert_eq!(found.secret_length_bits, Some((per_symbol * 1e9) as u64));
        assert_eq!(found.standing, Standing::FiniteCollective);
    }
}
