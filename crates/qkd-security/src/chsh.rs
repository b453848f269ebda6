//! The Clauser–Horne–Shimony–Holt test: what four correlators say about a key.
//!
//! Clauser, Horne, Shimony and Holt, PRL 23, 880 (1969); for key E91: Ekert, PRL 67, 661 (1991),
//! with the settings of [`e91`]; device-independent: Acín, Brunner, Gisin, Massar, Pironio and
//! Scarani, PRL 98, 230501 (2007). Asymptotic: no statistical fluctuation is subtracted.
//!
//! Ekert's equation 4 has the opposite sign of S, a matter of which correlators carry the minus;
//! here S is the largest of the four combinations.

pub mod e91;

use crate::range;
use crate::{Error, Figure, Standing, binary_entropy};

/// What the rates of this module are worth.
pub const STANDING: Standing = Standing::Asymptotic;

/// The largest S that quantum theory allows, 2√2. Tsirelson (Cirel'son), Lett. Math. Phys. 4, 93
/// (1980).
pub const TSIRELSON: f64 = 2.0 * std::f64::consts::SQRT_2;

/// Rounding that S may carry beyond [`TSIRELSON`] before it is refused.
const ROUNDING: f64 = 1e-9;

/// The four mean products of outcomes ±1, each in \[−1, 1\].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Correlators {
    /// E(a₀, b₀).
    pub a0_b0: f64,
    /// E(a₀, b₁).
    pub a0_b1: f64,
    /// E(a₁, b₀).
    pub a1_b0: f64,
    /// E(a₁, b₁).
    pub a1_b1: f64,
}

impl Correlators {
    /// S: the largest of the four sums in which one correlator counts negatively, in \[0, 4\].
    ///
    /// Above 2 no local model explains it, above 2√2 ([`TSIRELSON`]) quantum theory does not either:
    /// then the counts are few or faulty.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the correlator outside \[−1, 1\].
    pub fn chsh(&self) -> Result<f64, Error> {
        let named = [
            ("correlator a0_b0", self.a0_b0),
            ("correlator a0_b1", self.a0_b1),
            ("correlator a1_b0", self.a1_b0),
            ("correlator a1_b1", self.a1_b1),
        ];
        for (what, value) in named {
            let holds = (-1.0..=1.0).contains(&value);
            range::require(what, value, holds, "a mean of products between -1 and 1")?;
        }
        let sum: f64 = named.iter().map(|(_, value)| value).sum();
        Ok(named
            .iter()
            .map(|(_, value)| (sum - 2.0 * value).abs())
            .fold(0.0, f64::max))
    }
}

/// Coincidences of one pair of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coincidences {
    /// Both sides got the same outcome.
    pub equal: u64,
    /// They got different outcomes.
    pub different: u64,
}

impl Coincidences {
    /// E = (equal − different)/(equal + different).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] without any coincidence.
    pub fn correlator(&self) -> Result<f64, Error> {
        // Exact up to 2^53 coincidences.
        let (equal, different) = (self.equal as f64, self.different as f64);
        let total = equal + different;
        let expected = "at least one coincidence for each pair of settings";
        range::require("coincidences", total, total > 0.0, expected)?;
        Ok((equal - different) / total)
    }
}

/// What a Bell test and its key rounds showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BellTest {
    /// S of the test rounds, \[0, 2√2\].
    pub chsh: f64,
    /// Q: share of wrong bits in the key rounds, \[0, ½\].
    pub qber: f64,
    /// f ≥ 1.
    pub reconciliation_inefficiency: f64,
}

/// Device-independent rate with the figures it was made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeviceIndependent {
    /// χ(S): at most so many bits Eve has per sifted bit.
    pub holevo_bits: f64,
    /// f h(Q): bits disclosed per sifted bit.
    pub disclosed_bits: f64,
    /// 1 − f h(Q) − χ(S), bits per sifted bit; negative means no key.
    pub secret_fraction: f64,
}

impl DeviceIndependent {
    /// Every figure with its meaning and unit, in the order in which the rate is made of them.
    pub fn figures(&self) -> Vec<Figure> {
        let bits =
            |name, value, meaning| Figure::plain(name, value, meaning).measured_in("bits/bit");
        vec![
            bits(
                "holevo_bits",
                self.holevo_bits,
                "what Eve knows of a sifted bit, at most (χ(S))",
            ),
            bits(
                "disclosed_bits",
                self.disclosed_bits,
                "disclosed by error correction (f h(Q))",
            ),
            bits(
                "secret_fraction",
                self.secret_fraction,
                "1 − f h(Q) − χ(S), device-independent; below zero no key",
            ),
        ]
    }
}

impl BellTest {
    /// 1 − f h(Q) − h((1 + √((S/2)² − 1))/2): nothing is assumed of source and detectors but that
    /// they tell nothing. Collective attacks, and no coincidence may be discarded: a lost photon
    /// is an outcome.
    ///
    /// Acín et al. 2007, equations 2 and 3. Without violation (S ≤ 2) Eve has everything.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the figure outside its range.
    pub fn device_independent(&self) -> Result<DeviceIndependent, Error> {
        let BellTest {
            chsh,
            qber,
            reconciliation_inefficiency,
        } = *self;
        let holds = (0.0..=TSIRELSON + ROUNDING).contains(&chsh);
        let expected = "between 0 and 2√2, the most quantum theory allows; with few coincidences \
                        take a lower bound of S";
        range::require("chsh", chsh, holds, expected)?;
        range::error_rate("qber", qber)?;
        range::inefficiency(reconciliation_inefficiency)?;
        let violation = (chsh / 2.0).powi(2) - 1.0;
        let holevo_bits = binary_entropy((1.0 + violation.clamp(0.0, 1.0).sqrt()) / 2.0);
        let disclosed_bits = reconciliation_inefficiency * binary_entropy(qber);
        Ok(DeviceIndependent {
            holevo_bits,
            disclosed_bits,
            secret_fraction: 1.0 - disclosed_bits - holevo_bits,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bbm92::Errors;
    use crate::reference_table::Table;
    use crate::repeater::Werner;

    #[test]
    fn reference_rows_are_reproduced() {
        let table = Table::parse(include_str!("chsh/reference.csv"));
        for row in table.rows() {
            let pair = Werner::new(row.number("V")).unwrap();
            row.assert_equal("QBER", pair.qber());
            row.assert_equal("S", pair.chsh());
            row.assert_equal("F_werner", pair.fidelity());
            for (column, reconciliation_inefficiency) in
                [("r_BBM92_f1", 1.0), ("r_BBM92_f1.16", 1.16)]
            {
                let errors = Errors {
                    qber: pair.qber(),
                    phase_error_rate: pair.qber(),
                    reconciliation_inefficiency,
                };
                row.assert_equal(column, errors.secret_fraction().unwrap());
            }
            let test = BellTest {
                chsh: pair.chsh(),
                qber: pair.qber(),
                reconciliation_inefficiency: 1.0,
            };
            let rate = test.device_independent().unwrap();
            row.assert_within("r_DI_Acin2007", rate.secret_fraction, 1e-6);
        }
    }

    #[test]
    fn the_device_independent_threshold_is_7_1492_percent() {
        let fraction = |qber: f64| {
            let test = BellTest {
                chsh: TSIRELSON * (1.0 - 2.0 * qber),
                qber,
                reconciliation_inefficiency: 1.0,
            };
            test.device_independent().unwrap().secret_fraction
        };
        assert!(fraction(0.071_491) > 0.0);
        assert!(fraction(0.071_493) < 0.0);
    }

    #[test]
    fn without_violation_eve_has_everything() {
        let test = BellTest {
            chsh: 2.0,
            qber: 0.0,
            reconciliation_inefficiency: 1.0,
        };
        assert_eq!(test.device_independent().unwrap().holevo_bits, 1.0);
    }

    #[test]
    fn the_sign_convention_of_the_correlators_does_not_matter() {
        let cosine = std::f64::consts::FRAC_1_SQRT_2;
        for minus in 0..4 {
            let mut values = [cosine; 4];
            values[minus] = -cosine;
            let [a0_b0, a0_b1, a1_b0, a1_b1] = values;
            let correlators = Correlators {
                a0_b0,
                a0_b1,
                a1_b0,
                a1_b1,
            };
            assert!((correlators.chsh().unwrap() - TSIRELSON).abs() < 1e-14);
        }
    }

    #[test]
    fn impossible_input_is_named() {
        let correlators = Correlators {
            a0_b0: 0.7,
            a0_b1: 0.7,
            a1_b0: 1.2,
            a1_b1: -0.7,
        };
        let error = correlators.chsh().unwrap_err().to_string();
        assert!(error.contains("a1_b0 is 1.2"), "{error}");
        let none = Coincidences {
            equal: 0,
            different: 0,
        };
        assert!(none.correlator().is_err());
        let test = BellTest {
            chsh: 3.0,
            qber: 0.0,
            reconciliation_inefficiency: 1.0,
        };
        let error = test.device_independent().unwrap_err().to_string();
        assert!(error.contains("chsh is 3"), "{error}");
    }
}
