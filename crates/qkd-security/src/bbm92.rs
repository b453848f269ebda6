//! BBM92: entangled pairs, both sides measure Z or X. Bennett, Brassard and Mermin, PRL 68, 557
//! (1992).
//!
//! The source may belong to anybody, Eve included: with detectors whose efficiency does not depend
//! on the basis, errors alone bound what she knows (Koashi and Preskill, PRL 90, 057902 (2003);
//! Ma, Fung and Lo, PRA 76, 012307 (2007)). No decoys are needed; several pairs at once show up as
//! errors. Asymptotic: no statistical fluctuation is subtracted anywhere in this module.
//!
//! [`PulsedPairs`] is the pulsed parametric source, [`ContinuousPairs`] the continuous one with
//! coincidence windows.

mod continuous;
mod pulsed;

use crate::range;
use crate::{Error, Standing, binary_entropy};
pub use continuous::{ContinuousPairs, ContinuousRate};
pub use pulsed::{PulsedPairs, PulsedRate};

/// What the rates of this module are worth.
pub const STANDING: Standing = Standing::Asymptotic;

/// One figure for each of the two arms of a link with a source, or a node, in between.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arms {
    /// At Alice's.
    pub alice: f64,
    /// At Bob's.
    pub bob: f64,
}

impl Arms {
    /// The same figure in both arms.
    pub fn both(value: f64) -> Self {
        Arms {
            alice: value,
            bob: value,
        }
    }

    /// The same arms when both are transmittances.
    pub(crate) fn transmittances(self) -> Result<Self, Error> {
        range::transmittance("transmittances.alice", self.alice)?;
        range::transmittance("transmittances.bob", self.bob)?;
        Ok(self)
    }

    /// The same arms when both are probabilities below one.
    pub(crate) fn dark_counts(self) -> Result<Self, Error> {
        range::below_one("dark_count_probabilities.alice", self.alice)?;
        range::below_one("dark_count_probabilities.bob", self.bob)?;
        Ok(self)
    }
}

/// Where the source of pairs stands on the line between Alice and Bob.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SourcePlace {
    /// In Alice's laboratory: the whole line lies before Bob.
    Alice,
    /// In Bob's laboratory.
    Bob,
    /// At a third party's, in the middle of the loss.
    Middle,
}

impl SourcePlace {
    /// How a line of `loss_db` (decibels, zero or more) divides into the transmittances of the
    /// two arms, detectors not included.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when the loss is negative or not finite.
    pub fn arms(self, loss_db: f64) -> Result<Arms, Error> {
        range::not_negative("loss_db", loss_db, "decibels of loss, zero or more")?;
        let after = |db: f64| crate::mathematics::pow(10.0, -db / 10.0);
        Ok(match self {
            SourcePlace::Alice => Arms {
                alice: 1.0,
                bob: after(loss_db),
            },
            SourcePlace::Bob => Arms {
                alice: after(loss_db),
                bob: 1.0,
            },
            SourcePlace::Middle => Arms::both(after(loss_db / 2.0)),
        })
    }
}

/// Errors of the two bases, and what correcting one of them costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Errors {
    /// E: share of wrong bits in the key basis, \[0, ½\].
    pub qber: f64,
    /// e_ph: share of wrong bits in the other basis, \[0, ½\].
    pub phase_error_rate: f64,
    /// f: bits disclosed over the Shannon limit, at least 1.
    pub reconciliation_inefficiency: f64,
}

impl Errors {
    /// 1 − f h(E) − h(e_ph): secret bits per sifted bit; negative means no key.
    ///
    /// Shor and Preskill, PRL 85, 441 (2000); for pairs Koashi and Preskill 2003 and Ma, Fung and
    /// Lo 2007.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the figure outside its range.
    pub fn secret_fraction(self) -> Result<f64, Error> {
        range::error_rate("qber", self.qber)?;
        range::error_rate("phase_error_rate", self.phase_error_rate)?;
        range::inefficiency(self.reconciliation_inefficiency)?;
        Ok(self.fraction())
    }

    pub(crate) fn fraction(self) -> f64 {
        1.0 - self.reconciliation_inefficiency * binary_entropy(self.qber)
            - binary_entropy(self.phase_error_rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_the_source_moves_loss_but_does_not_change_it() {
        for place in [SourcePlace::Alice, SourcePlace::Bob, SourcePlace::Middle] {
            let arms = place.arms(23.0).unwrap();
            assert!((arms.alice * arms.bob / 10_f64.powf(-2.3) - 1.0).abs() < 1e-14);
        }
        let error = SourcePlace::Middle.arms(-1.0).unwrap_err().to_string();
        assert!(error.contains("loss_db") && error.contains("-1"), "{error}");
    }

    #[test]
    fn the_fraction_vanishes_at_the_threshold() {
        let errors = Errors {
            qber: 0.110_027_864_438_249_34,
            phase_error_rate: 0.110_027_864_438_249_34,
            reconciliation_inefficiency: 1.0,
        };
        assert!(errors.secret_fraction().unwrap().abs() < 1e-12);
        let wrong = Errors {
            qber: 0.6,
            ..errors
        };
        assert!(
            wrong
                .secret_fraction()
                .unwrap_err()
                .to_string()
                .contains("qber is 0.6")
        );
        let wrong = Errors {
            reconciliation_inefficiency: 0.9,
            ..errors
        };
        assert!(wrong.secret_fraction().is_err());
    }
}
