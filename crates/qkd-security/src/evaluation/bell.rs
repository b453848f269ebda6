use super::Evaluation;
use crate::bbm92::Errors;
use crate::chsh::{self, BellTest, Coincidences, Correlators, TSIRELSON};
use crate::{Error, Figure, range};

/// What was seen of the four pairs of settings, in the order (a₀, b₀), (a₀, b₁), (a₁, b₀), (a₁, b₁).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcomes {
    /// Mean products of outcomes ±1.
    Correlators(Correlators),
    /// How often both outcomes were equal and different.
    Coincidences([Coincidences; 4]),
}

/// Standard deviations by which S is lowered to show what hangs on its being exact.
const DEVIATIONS: f64 = 5.0;

/// A test of Bell's inequality and the key rounds beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasuredBell {
    /// The test rounds.
    pub outcomes: Outcomes,
    /// Q of the key rounds, \[0, ½\]; that of a Werner state with the same S when `None`.
    pub qber: Option<f64>,
    /// f, \[1, 10\].
    pub reconciliation_inefficiency: f64,
    /// Sifted bits of the key rounds per second.
    pub sifted_rate_bps: Option<f64>,
}

impl Outcomes {
    fn correlators(&self) -> Result<Correlators, Error> {
        match self {
            Outcomes::Correlators(correlators) => Ok(*correlators),
            Outcomes::Coincidences([a0_b0, a0_b1, a1_b0, a1_b1]) => Ok(Correlators {
                a0_b0: a0_b0.correlator()?,
                a0_b1: a0_b1.correlator()?,
                a1_b0: a1_b0.correlator()?,
                a1_b1: a1_b1.correlator()?,
            }),
        }
    }

    /// Standard deviation of S: each correlator has the variance (1 − E²)/N of a mean of signs.
    fn standard_deviation(&self) -> Result<Option<f64>, Error> {
        let Outcomes::Coincidences(settings) = self else {
            return Ok(None);
        };
        let mut variance = 0.0;
        for setting in settings {
            let correlator = setting.correlator()?;
            let rounds = setting.equal as f64 + setting.different as f64;
            variance += (1.0 - correlator * correlator) / rounds;
        }
        Ok(Some(variance.sqrt()))
    }
}

impl MeasuredBell {
    pub(super) fn evaluate(&self) -> Result<Evaluation, Error> {
        let correlators = self.outcomes.correlators()?;
        let chsh = correlators.chsh()?;
        let visibility = chsh / TSIRELSON;
        let test = self.test(chsh);
        let qber = test.qber;
        let independent = test.device_independent()?;
        let deviation = self.outcomes.standard_deviation()?;
        let trusted = Errors {
            qber,
            phase_error_rate: qber,
            reconciliation_inefficiency: self.reconciliation_inefficiency,
        };
        let trusted = trusted.secret_fraction()?;
        let mut figures = vec![
            Figure::plain(
                "correlator_a0_b0",
                correlators.a0_b0,
                "mean product E(a₀, b₀)",
            ),
            Figure::plain(
                "correlator_a0_b1",
                correlators.a0_b1,
                "mean product E(a₀, b₁)",
            ),
            Figure::plain(
                "correlator_a1_b0",
                correlators.a1_b0,
                "mean product E(a₁, b₀)",
            ),
            Figure::plain(
                "correlator_a1_b1",
                correlators.a1_b1,
                "mean product E(a₁, b₁)",
            ),
            Figure::plain("chsh", chsh, "2 without entanglement, 2.828 at most (S)"),
        ];
        if let Some(deviation) = deviation {
            let meaning = "standard deviation of S";
            figures.push(Figure::plain("chsh_standard_deviation", deviation, meaning));
        }
        figures.extend([
            Figure::plain(
                "visibility",
                visibility,
                "of a Werner state with this S (V)",
            ),
            Figure::plain("qber", qber, "wrong bits of the key rounds (Q)"),
            Figure::plain(
                "trusted_secret_fraction",
                trusted,
                "1 − f h(Q) − h(Q), for devices that are trusted (BBM92)",
            )
            .measured_in("bits/bit"),
        ]);
        figures.extend(independent.figures());
        if let Some(deviation) = deviation {
            let low = self.test((chsh - DEVIATIONS * deviation).max(0.0));
            let meaning = "the same where S is five standard deviations lower";
            let fraction = low.device_independent()?.secret_fraction;
            let figure = Figure::plain("secret_fraction_5_sigma_below", fraction, meaning);
            figures.push(figure.measured_in("bits/bit"));
        }
        let mut evaluation = Evaluation::new("chsh", chsh::STANDING, figures);
        let fraction = independent.secret_fraction.max(0.0);
        evaluation.secret_fraction = Some(fraction);
        if let Some(sifted) = self.sifted_rate_bps {
            let sifted = range::positive("sifted_rate_bps", sifted, "bit/s above 0")?;
            evaluation.secret_key_rate_bps = Some(fraction * sifted);
        }
        self.explain(&mut evaluation, chsh);
        Ok(evaluation)
    }

    /// The test with this S. QBER = (1 − V)/2 of a Werner state with S = 2√2 V where none is given;
    /// rounding must not make it negative.
    fn test(&self, chsh: f64) -> BellTest {
        let werner = (1.0 - chsh / TSIRELSON).max(0.0) / 2.0;
        BellTest {
            chsh,
            qber: self.qber.unwrap_or(werner),
            reconciliation_inefficiency: self.reconciliation_inefficiency,
        }
    }

    fn explain(&self, evaluation: &mut Evaluation, chsh: f64) {
        evaluation.note(
            "The secret fraction is device-independent: against collective attacks, and only where \
             no coincidence was discarded and a lost photon counted as an outcome.",
        );
        evaluation.note(match evaluation.figure("chsh_standard_deviation") {
            Some(deviation) => format!(
                "S is taken as exact. Its standard deviation is {deviation:.5}: \
                 secret_fraction_5_sigma_below is what is left if chance alone raised it by five \
                 of them, which is still no finite-key bound."
            ),
            None => "S is taken as exact: `coincidences` in place of `correlators` would say how \
                     far chance may have raised it."
                .to_owned(),
        });
        if self.qber.is_none() {
            evaluation.note("`qber` is not given: it is that of a Werner state with this S.");
        }
        if chsh <= 2.0 {
            evaluation.note("S does not exceed 2: Eve may know every bit.");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary_entropy;
    use crate::evaluation::Measured;
    use crate::evaluation::tests::{assert_within, figure};

    #[test]
    fn correlators_give_the_device_independent_fraction() {
        let cosine = 0.95 * std::f64::consts::FRAC_1_SQRT_2;
        let correlators = Correlators {
            a0_b0: cosine,
            a0_b1: cosine,
            a1_b0: cosine,
            a1_b1: -cosine,
        };
        let mut measured = MeasuredBell {
            outcomes: Outcomes::Correlators(correlators),
            qber: None,
            reconciliation_inefficiency: 1.0,
            sifted_rate_bps: Some(1e3),
        };
        let found = Measured::Bell(measured).evaluate().unwrap();
        assert_within(figure(&found, "chsh"), 0.95 * TSIRELSON, 1e-12);
        assert_within(figure(&found, "qber"), 0.025, 1e-9);
        let chi = binary_entropy((1.0 + (0.95_f64 * 0.95 * 2.0 - 1.0).sqrt()) / 2.0);
        let fraction = 1.0 - binary_entropy(0.025) - chi;
        assert_within(found.secret_fraction.unwrap(), fraction, 1e-9);
        assert_within(found.secret_key_rate_bps.unwrap(), 1e3 * fraction, 1e-9);

        let seen = Coincidences {
            equal: 8_500,
            different: 1_500,
        };
        let opposite = Coincidences {
            equal: seen.different,
            different: seen.equal,
        };
        measured.outcomes = Outcomes::Coincidences([seen, seen, seen, opposite]);
        measured.qber = Some(0.02);
        let found = Measured::Bell(measured).evaluate().unwrap();
        assert_within(figure(&found, "chsh"), 2.8, 1e-12);
        // Four variances of (1 − 0.49)/10000.
        let deviation = figure(&found, "chsh_standard_deviation");
        assert_within(deviation, 2.0 * 0.51_f64.sqrt() / 100.0, 1e-12);
        assert_eq!(figure(&found, "qber"), 0.02);
        let low = 2.8 - 5.0 * deviation;
        let chi = binary_entropy((1.0 + (low * low / 4.0 - 1.0).sqrt()) / 2.0);
        let fraction = figure(&found, "secret_fraction_5_sigma_below");
        assert_within(fraction, 1.0 - binary_entropy(0.02) - chi, 1e-9);
        assert!(fraction < found.secret_fraction.unwrap());
        assert!(
            found
                .notes
                .iter()
                .any(|note| note.contains("taken as exact"))
        );

        // Thirty-two coincidences prove nothing, whatever S says.
        let few = |equal| Coincidences {
            equal,
            different: 8 - equal,
        };
        measured.outcomes = Outcomes::Coincidences([few(7), few(7), few(7), few(1)]);
        measured.qber = None;
        let found = Measured::Bell(measured).evaluate().unwrap_err().to_string();
        assert!(found.contains("chsh is 3"), "{found}");
        measured.outcomes = Outcomes::Coincidences([few(7), few(7), few(6), few(1)]);
        let found = Measured::Bell(measured).evaluate().unwrap();
        assert!(found.secret_fraction.unwrap() > 0.5);
        assert!(figure(&found, "secret_fraction_5_sigma_below") < 0.0);
    }
}
