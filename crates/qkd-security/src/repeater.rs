//! Entanglement over several links: Werner pairs, swapping, purification, waiting, and memories
//! that forget.
//!
//! Swapping and its Bell measurement are ideal here; every imperfection is in the pairs.

mod waiting;

use crate::Error;
use crate::mathematics::exp;
use crate::range;
pub use waiting::Waiting;

/// A pair in a Werner state: w |Φ⁺⟩⟨Φ⁺| + (1 − w) 𝟙/4. Werner, PRA 40, 4277 (1989).
///
/// Holds w in \[0, 1]; there is no other way to build one. w is the visibility V of an
/// interference curve measured with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Werner(f64);

/// What one round of purification gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Purified {
    /// The pair that is left when the round succeeds.
    pub pair: Werner,
    /// Probability that it does; otherwise both pairs are lost.
    pub success_probability: f64,
}

impl Werner {
    /// The pair with weight (visibility) `weight`, in \[0, 1].
    ///
    /// # Errors
    /// [`Error::OutOfRange`] outside it.
    pub fn new(weight: f64) -> Result<Self, Error> {
        let holds = (0.0..=1.0).contains(&weight);
        range::require("visibility", weight, holds, "between 0 and 1")?;
        Ok(Werner(weight))
    }

    /// The pair with overlap F = (3w + 1)/4 with the wanted Bell state, in \[¼, 1].
    ///
    /// # Errors
    /// [`Error::OutOfRange`] outside it.
    pub fn from_fidelity(fidelity: f64) -> Result<Self, Error> {
        let holds = (0.25..=1.0).contains(&fidelity);
        let expected = "between 0.25 (no correlation) and 1";
        range::require("fidelity", fidelity, holds, expected)?;
        Ok(Werner((4.0 * fidelity - 1.0) / 3.0))
    }

    /// w.
    pub fn visibility(self) -> f64 {
        self.0
    }

    /// F = (3w + 1)/4.
    pub fn fidelity(self) -> f64 {
        (3.0 * self.0 + 1.0) / 4.0
    }

    /// Q = (1 − w)/2, the same in every basis.
    pub fn qber(self) -> f64 {
        (1.0 - self.0) / 2.0
    }

    /// S = 2√2 w with the best settings.
    pub fn chsh(self) -> f64 {
        crate::chsh::TSIRELSON * self.0
    }

    /// The pair between the far ends after a perfect Bell measurement on the near ends: weights
    /// multiply. Briegel, Dür, Cirac and Zoller, PRL 81, 5932 (1998).
    pub fn swapped(self, next: Werner) -> Werner {
        Werner(self.0 * next.0)
    }

    /// The pair after a chain of links, swapped in any order; w = 1 without links.
    pub fn chained(links: impl IntoIterator<Item = Werner>) -> Werner {
        links.into_iter().fold(Werner(1.0), Werner::swapped)
    }

    /// The pair after `storage` in memories that depolarise: w e^(−t/T).
    pub fn stored(self, storage: Storage) -> Result<Werner, Error> {
        let Storage {
            time_s,
            coherence_time_s,
        } = storage;
        range::not_negative("time_s", time_s, "seconds, zero or more")?;
        range::positive("coherence_time_s", coherence_time_s, "seconds above 0")?;
        Ok(Werner(self.0 * exp(-time_s / coherence_time_s)))
    }

    /// One round of purification with two equal pairs, made Werner again by twirling.
    ///
    /// F′ = (F² + ((1−F)/3)²)/p with p = F² + 2F(1−F)/3 + 5((1−F)/3)². Bennett, Brassard, Popescu,
    /// Schumacher, Smolin and Wootters, PRL 76, 722 (1996), equation 7. Gains only above F = ½.
    pub fn purified(self) -> Purified {
        let good = self.fidelity();
        let bad = (1.0 - good) / 3.0;
        let success_probability = good * good + 2.0 * good * bad + 5.0 * bad * bad;
        let fidelity = (good * good + bad * bad) / success_probability;
        Purified {
            pair: Werner((4.0 * fidelity - 1.0) / 3.0),
            success_probability,
        }
    }
}

/// How long a pair lies in memories, and how well they keep it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Storage {
    /// Time in the memories, seconds, zero or more.
    pub time_s: f64,
    /// T: time after which w has fallen to 1/e, both memories together, seconds above 0.
    pub coherence_time_s: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bbm92::Errors;
    use crate::reference_table::Table;

    #[test]
    fn chains_equal_the_reference_rows() {
        let table = Table::parse(include_str!("repeater/swap_chain_reference.csv"));
        for row in table.rows() {
            let link = Werner::from_fidelity(row.number("F_link")).unwrap();
            let links = row.number("n_links") as usize;
            let end = Werner::chained(std::iter::repeat_n(link, links));
            row.assert_equal("F_end", end.fidelity());
            row.assert_equal("QBER", end.qber());
            row.assert_equal("S", end.chsh());
            let errors = Errors {
                qber: end.qber(),
                phase_error_rate: end.qber(),
                reconciliation_inefficiency: 1.0,
            };
            let fraction = errors.secret_fraction().unwrap().max(0.0);
            row.assert_within("r_BBM92", fraction, 1e-9);
        }
    }

    #[test]
    fn two_links_give_the_fidelity_written_out() {
        let (first, second) = (0.93, 0.88);
        let end = Werner::from_fidelity(first)
            .unwrap()
            .swapped(Werner::from_fidelity(second).unwrap());
        let expected = first * second + (1.0 - first) * (1.0 - second) / 3.0;
        assert!((end.fidelity() - expected).abs() < 1e-15);
    }

    #[test]
    fn purification_equals_the_reference_rows() {
        let table = Table::parse(include_str!("repeater/bbpssw_reference.csv"));
        for row in table.rows() {
            let purified = Werner::from_fidelity(row.number("F_in"))
                .unwrap()
                .purified();
            row.assert_equal("F_out", purified.pair.fidelity());
            row.assert_equal("p_success", purified.success_probability);
        }
    }

    #[test]
    fn a_memory_forgets_exponentially() {
        let storage = Storage {
            time_s: 0.1,
            coherence_time_s: 0.2,
        };
        let pair = Werner::new(0.9).unwrap().stored(storage).unwrap();
        assert!((pair.visibility() - 0.9 * (-0.5_f64).exp()).abs() < 1e-15);
        let broken = Storage {
            coherence_time_s: 0.0,
            ..storage
        };
        let error = pair.stored(broken).unwrap_err().to_string();
        assert!(error.contains("coherence_time_s"), "{error}");
    }

    #[test]
    fn pairs_that_do_not_exist_are_refused() {
        assert!(Werner::new(1.1).is_err());
        assert!(Werner::from_fidelity(0.2).is_err());
        assert!(Werner::from_fidelity(f64::NAN).is_err());
    }
}
