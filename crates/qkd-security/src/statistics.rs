use crate::error::require;
use crate::{Error, TestedBasis};

/// What one basis showed, per intensity: index 0 the signal, 1 the decoy.
///
/// `N` is `u64` for what was observed and `f64` for expectation values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct BasisStatistics<N = u64> {
    /// Detections in slots where both sides chose this basis.
    pub counts: [N; 2],
    /// How many of them carry different bits at Alice and Bob.
    pub errors: [N; 2],
}

/// What a block showed: the input of every key-length theorem.
///
/// The errors of the key basis come after error correction, from comparing the corrected string
/// with the one Bob measured and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Statistics<N = u64> {
    /// Z, whose bits become the key.
    pub key: BasisStatistics<N>,
    /// X, whose bits are disclosed.
    pub test: BasisStatistics<N>,
}

impl BasisStatistics<u64> {
    /// Detections of both intensities.
    pub fn total_counts(&self) -> u64 {
        self.counts[0].saturating_add(self.counts[1])
    }

    /// Errors of both intensities.
    pub fn total_errors(&self) -> u64 {
        self.errors[0].saturating_add(self.errors[1])
    }

    /// Errors divided by detections, both intensities together; 0 without detections.
    pub fn qber(&self) -> f64 {
        BasisStatistics::<f64>::from(*self).qber()
    }
}

impl BasisStatistics<f64> {
    /// Detections of both intensities.
    pub fn total_counts(&self) -> f64 {
        self.counts[0] + self.counts[1]
    }

    /// Errors of both intensities.
    pub fn total_errors(&self) -> f64 {
        self.errors[0] + self.errors[1]
    }

    /// Errors divided by detections, both intensities together; 0 without detections.
    pub fn qber(&self) -> f64 {
        let counts = self.total_counts();
        if counts > 0.0 {
            self.total_errors() / counts
        } else {
            0.0
        }
    }
}

impl<N> BasisStatistics<N> {
    fn map<M>(self, value: &impl Fn(N) -> M) -> BasisStatistics<M> {
        BasisStatistics {
            counts: self.counts.map(value),
            errors: self.errors.map(value),
        }
    }
}

impl<N> Statistics<N> {
    /// What `basis` showed.
    pub fn basis(&self, basis: TestedBasis) -> &BasisStatistics<N> {
        match basis {
            TestedBasis::Key => &self.key,
            TestedBasis::Test => &self.test,
        }
    }

    /// The same with `value` applied to every count and error.
    pub fn map<M>(self, value: impl Fn(N) -> M) -> Statistics<M> {
        Statistics {
            key: self.key.map(&value),
            test: self.test.map(&value),
        }
    }
}

impl Statistics<f64> {
    /// The same when it can be the outcome of a measurement.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a count that is negative or not finite and for more errors than
    /// counts of the same class.
    pub fn checked(self) -> Result<Self, Error> {
        check_basis(&KEY_BASIS, &self.key.counts, &self.key.errors)?;
        check_basis(&TEST_BASIS, &self.test.counts, &self.test.errors)?;
        Ok(self)
    }

    /// The same with every count and error multiplied by `factor`.
    pub fn scaled(&self, factor: f64) -> Self {
        self.map(|count| count * factor)
    }
}

impl From<BasisStatistics<u64>> for BasisStatistics<f64> {
    fn from(observed: BasisStatistics<u64>) -> Self {
        // Exact up to 2^53 detections, which at 1 GHz take three months.
        BasisStatistics {
            counts: observed.counts.map(|count| count as f64),
            errors: observed.errors.map(|count| count as f64),
        }
    }
}

impl From<Statistics<u64>> for Statistics<f64> {
    fn from(observed: Statistics<u64>) -> Self {
        Statistics {
            key: observed.key.into(),
            test: observed.test.into(),
        }
    }
}

/// What the numbers of one basis are called where they are refused.
pub(crate) struct BasisNames {
    counts: &'static str,
    errors: &'static str,
}

pub(crate) const KEY_BASIS: BasisNames = BasisNames {
    counts: "an entry of key_basis.counts",
    errors: "an entry of key_basis.errors",
};

pub(crate) const TEST_BASIS: BasisNames = BasisNames {
    counts: "an entry of test_basis.counts",
    errors: "an entry of test_basis.errors",
};

/// Counts are finite and not negative, errors no more than counts, class by class.
pub(crate) fn check_basis(names: &BasisNames, counts: &[f64], errors: &[f64]) -> Result<(), Error> {
    for (&count, &error) in counts.iter().zip(errors) {
        let holds = count >= 0.0 && count.is_finite();
        require(names.counts, count, holds, "zero or more detections")?;
        let holds = (0.0..=count).contains(&error);
        let expected = "from zero to the number of detections of the same intensity";
        require(names.errors, error, holds, expected)?;
    }
    Ok(())
}

/// Bits said in public about the key, counted where they were said; a theorem decides which of
/// them it charges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Leakage {
    /// Parities (or syndrome bits) of her own string that Alice sent.
    pub from_alice_bits: u64,
    /// Comparison bits that Bob sent, functions of the error pattern and of public data.
    pub from_bob_bits: u64,
    /// Length of the verification tags that Alice sent.
    pub verification_tag_bits: u64,
    /// Bits that told the outcome of the verifications.
    pub verification_outcome_bits: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qber_is_errors_over_detections_of_both_classes() {
        let basis = BasisStatistics {
            counts: [900_u64, 100],
            errors: [20, 10],
        };
        assert!((basis.qber() - 0.03).abs() < 1e-15);
        assert_eq!(BasisStatistics::<u64>::default().qber(), 0.0);
    }

    #[test]
    fn observed_counts_become_the_same_numbers() {
        let basis = BasisStatistics {
            counts: [3_u64, 4],
            errors: [1, 2],
        };
        let observed = Statistics {
            key: basis,
            test: basis,
        };
        let numbers = Statistics::<f64>::from(observed).scaled(2.0);
        assert_eq!(numbers.key.counts, [6.0, 8.0]);
        assert_eq!(numbers.test.errors, [2.0, 4.0]);
    }
}
