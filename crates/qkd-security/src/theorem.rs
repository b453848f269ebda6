use crate::{
    DecoySource, Error, Leakage, PlanTheorem, SecurityParameters, Statistics, wiesemann2024,
};
use std::fmt;
use std::str::FromStr;

/// The key-length theorems that a key can be made by, chosen by name.
///
/// Only what is proven for a block of finite length; [`PlanTheorem`] has those that predict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Theorem {
    /// One decoy, finite key, corrected: [`wiesemann2024`].
    #[default]
    Wiesemann2024,
}

impl Theorem {
    /// Every theorem there is.
    pub const ALL: [Theorem; 1] = [Theorem::Wiesemann2024];

    /// The name in configurations and reports.
    pub fn name(self) -> &'static str {
        match self {
            Theorem::Wiesemann2024 => "wiesemann2024",
        }
    }

    /// How many secret bits a block with these statistics holds, with every intermediate figure.
    ///
    /// `statistics` may be observed counts or expectation values.
    pub fn secret_length(
        self,
        statistics: impl Into<Statistics<f64>>,
        source: &DecoySource,
        leakage: &Leakage,
        parameters: &SecurityParameters,
    ) -> KeyLength {
        match self {
            Theorem::Wiesemann2024 => {
                wiesemann2024::secret_length(statistics, source, leakage, parameters)
            }
        }
    }
}

impl fmt::Display for Theorem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Theorem {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let known = || Theorem::ALL.map(Theorem::name).join(", ");
        let mut all = Theorem::ALL.into_iter();
        if let Some(theorem) = all.find(|theorem| theorem.name() == name) {
            return Ok(theorem);
        }
        Err(match PlanTheorem::from_str(name) {
            Ok(planned) => Error::NotForBlocks {
                name: planned.name(),
                standing: planned.standing(),
                known: known(),
            },
            Err(_) => Error::UnknownTheorem {
                name: name.to_owned(),
                known: known(),
            },
        })
    }
}

/// A key length and the figures it was made from; all are bounds, none an estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeyLength {
    /// s⁺_Z0: at most so many key-basis detections came from vacuum.
    pub vacuum_key_max: f64,
    /// s⁺_X0: at most so many test-basis detections came from vacuum.
    pub vacuum_test_max: f64,
    /// s⁻_Z1: at least so many key-basis detections came from single photons.
    pub single_photon_key_min: f64,
    /// s⁻_X1: at least so many test-basis detections came from single photons.
    pub single_photon_test_min: f64,
    /// v⁺_X1: at most so many errors among the single photons of the test basis.
    pub single_photon_test_errors_max: f64,
    /// φ: at most this rate of phase errors in the single photons of the key, clamped to ½.
    pub phase_error_rate: f64,
    /// λ: bits subtracted for what was said in public, verification included.
    pub charged_leakage_bits: f64,
    /// Bits subtracted for the finite failure probability.
    pub security_overhead_bits: f64,
    /// ℓ before it is clamped at zero and rounded down: negative means no key.
    pub length_unclamped: f64,
}

impl KeyLength {
    /// ℓ in whole bits, 0 when there is no key.
    pub fn secret_length_bits(&self) -> u64 {
        // A float-to-integer cast saturates: negative lengths and NaN give 0.
        self.length_unclamped.floor() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theorem_is_found_by_its_name() {
        for theorem in Theorem::ALL {
            assert_eq!(theorem.name().parse::<Theorem>(), Ok(theorem));
        }
    }

    #[test]
    fn an_unknown_name_is_told_the_known_ones() {
        let error = "wiesemann".parse::<Theorem>().unwrap_err();
        assert!(matches!(error, Error::UnknownTheorem { .. }));
        assert!(error.to_string().contains("wiesemann2024"), "{error}");
    }

    #[test]
    fn a_theorem_that_only_predicts_makes_no_key_and_is_told_why() {
        for planned in PlanTheorem::ALL {
            match planned.name().parse::<Theorem>() {
                Ok(theorem) => assert_eq!(theorem.name(), planned.name()),
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains("for planning"), "{error}");
                    assert!(error.contains("wiesemann2024"), "{error}");
                }
            }
        }
        assert!("rusca2018".parse::<Theorem>().is_err());
    }
}
