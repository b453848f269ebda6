use crate::{
    BasisStatistics, DecoySource, IntensityClass, KeyLength, Leakage, SecurityParameters,
    Statistics, TestedBasis, Theorem,
};

mod chance;
mod honest;
mod inefficiency;
mod plan;

pub use honest::{HonestBlock, RefusalChance, Requirement};
pub use inefficiency::cascade_inefficiency_max;
pub use plan::{BlockPlan, Margin};

/// The limits inside which a block yields exactly `secret_length_bits`, fixed before it begins.
///
/// Plain data: derived by [`BlockPlan::derive`] or written by hand in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// Fewest sifted key-basis detections, \[signal, decoy\].
    pub key_counts_min: [u64; 2],
    /// Fewest sifted test-basis detections, \[signal, decoy\].
    pub test_counts_min: [u64; 2],
    /// Most errors in the key basis, \[signal, decoy\].
    pub key_errors_max: [u64; 2],
    /// Most errors in the test basis, \[signal, decoy\].
    pub test_errors_max: [u64; 2],
    /// λ_EC: most bits about the key that Alice may send in error correction, verification not
    /// included.
    pub leaked_bits_max: u64,
    /// ℓ: the length of the key of every accepted block; 0 means that no block can be accepted.
    pub secret_length_bits: u64,
}

/// An accepted block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accepted {
    /// What the theorem says about the counts that were seen: its length is at least ℓ.
    pub length: KeyLength,
    /// ℓ: the length to amplify to, the one fixed in advance.
    pub secret_length_bits: u64,
}

/// Why a block yields no key; the display says it in words.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Too many errors: somebody listens, or the link is worse than it was planned.
    #[error(
        "QBER too high: {errors} errors in {counts} {class} detections of the {basis} ({:.2} %), \
         at most {errors_max} errors are accepted",
        percent(*.errors, *.counts)
    )]
    QberTooHigh {
        /// Where the errors are.
        basis: TestedBasis,
        /// Which intensity they were sent with.
        class: IntensityClass,
        /// Errors seen.
        errors: u64,
        /// Detections they were seen in.
        counts: u64,
        /// Most errors accepted.
        errors_max: u64,
    },
    /// Too few detections: loss, an attack on the decoys, or a block closed before it was full.
    #[error(
        "too few detections: {counts} {class} detections in the {basis}, at least {counts_min} \
         are needed"
    )]
    TooFewDetections {
        /// Where detections are missing.
        basis: TestedBasis,
        /// Which intensity is missing.
        class: IntensityClass,
        /// Detections seen.
        counts: u64,
        /// Fewest accepted.
        counts_min: u64,
    },
    /// What was seen and said does not leave the length fixed in advance.
    #[error(
        "no secret bits left: {} (bound {bound_bits:.0} bits, fixed length \
         {secret_length_bits} bits, {leaked_bits} of at most {leaked_bits_max} bits leaked{})",
        shortfall(*.secret_length_bits, *.leaked_bits, *.leaked_bits_max),
        side_channels(*.side_channel_bits)
    )]
    ZeroLength {
        /// What the theorem allows for the counts seen; may be negative.
        bound_bits: f64,
        /// ℓ as fixed in advance.
        secret_length_bits: u64,
        /// Bits Alice sent in error correction.
        leaked_bits: u64,
        /// Most of them accepted.
        leaked_bits_max: u64,
        /// Bits that the stated side channels took from the bound.
        side_channel_bits: f64,
    },
}

fn percent(errors: u64, counts: u64) -> f64 {
    100.0 * errors as f64 / counts.max(1) as f64
}

fn side_channels(bits: f64) -> String {
    match bits > 0.0 {
        true => format!(", {bits:.0} bits charged for the stated side channels"),
        false => String::new(),
    }
}

fn shortfall(secret_length_bits: u64, leaked_bits: u64, leaked_bits_max: u64) -> &'static str {
    if secret_length_bits == 0 {
        "the link was planned with length zero"
    } else if leaked_bits > leaked_bits_max {
        "error correction leaked too much"
    } else {
        "the counts seen do not support the fixed length"
    }
}

impl Acceptance {
    /// Whether a block is inside the limits, and so yields ℓ bits.
    ///
    /// Errors are looked at first, then detections, then leakage and length. The limits alone
    /// would not do, because the decoy bound *falls* with the number of signal detections: so the
    /// theorem is applied to the counts seen as well, and must reach ℓ. Hence ℓ ≤ bound for every
    /// accepted outcome, which is what a fixed-length proof asks of the set of accepted outcomes.
    /// That set may have any shape: with the counts in public, the state given acceptance is a
    /// mixture over counts; each part has the entropy its own counts promise, so at least ℓ, and
    /// the failure probabilities of the parts add up to no more than those of the whole.
    ///
    /// # Errors
    /// The [`Refusal`] with what was seen and what the limit was.
    pub fn test(
        &self,
        statistics: &Statistics,
        leakage: &Leakage,
        source: &DecoySource,
        parameters: &SecurityParameters,
        theorem: Theorem,
    ) -> Result<Accepted, Refusal> {
        let bases = self.limits([&statistics.key, &statistics.test]);
        for limits in &bases {
            limits.test_errors()?;
        }
        for limits in &bases {
            limits.test_counts()?;
        }
        let length = theorem.secret_length(*statistics, source, leakage, parameters);
        let enough = self.secret_length_bits > 0
            && leakage.from_alice_bits <= self.leaked_bits_max
            && length.secret_length_bits() >= self.secret_length_bits;
        if !enough {
            return Err(Refusal::ZeroLength {
                bound_bits: length.length_unclamped,
                secret_length_bits: self.secret_length_bits,
                leaked_bits: leakage.from_alice_bits,
                leaked_bits_max: self.leaked_bits_max,
                side_channel_bits: length.side_channel_bits(),
            });
        }
        Ok(Accepted {
            length,
            secret_length_bits: self.secret_length_bits,
        })
    }

    /// What can be said before error correction: the test basis and the numbers of key-basis
    /// detections. A block refused here would be refused by [`test`](Self::test) as well.
    ///
    /// # Errors
    /// The [`Refusal`] with what was seen and what the limit was.
    pub fn test_before_reconciliation(
        &self,
        key_counts: [u64; 2],
        test: &BasisStatistics,
    ) -> Result<(), Refusal> {
        let key = BasisStatistics {
            counts: key_counts,
            errors: [0; 2],
        };
        let [key, test] = self.limits([&key, test]);
        test.test_errors()?;
        key.test_counts()?;
        test.test_counts()
    }

    fn limits<'a>(&'a self, [key, test]: [&'a BasisStatistics; 2]) -> [Limits<'a>; 2] {
        [
            Limits {
                basis: TestedBasis::Key,
                seen: key,
                counts_min: &self.key_counts_min,
                errors_max: &self.key_errors_max,
            },
            Limits {
                basis: TestedBasis::Test,
                seen: test,
                counts_min: &self.test_counts_min,
                errors_max: &self.test_errors_max,
            },
        ]
    }
}

/// One basis of a block beside its limits.
struct Limits<'a> {
    basis: TestedBasis,
    seen: &'a BasisStatistics,
    counts_min: &'a [u64; 2],
    errors_max: &'a [u64; 2],
}

impl Limits<'_> {
    fn test_errors(&self) -> Result<(), Refusal> {
        for class in IntensityClass::ALL {
            let i = class.index();
            let (errors, errors_max) = (self.seen.errors[i], self.errors_max[i]);
            if errors > errors_max || self.rate_too_high(i) {
                return Err(Refusal::QberTooHigh {
                    basis: self.basis,
                    class,
                    errors,
                    counts: self.seen.counts[i],
                    errors_max,
                });
            }
        }
        Ok(())
    }

    /// In a block that was closed early, errors stay under a limit made for a full one. It is
    /// refused in any case; this only finds the better reason, six standard deviations sure.
    fn rate_too_high(&self, i: usize) -> bool {
        if self.seen.counts[i] >= self.counts_min[i] {
            return false;
        }
        let rate_max = self.errors_max[i] as f64 / self.counts_min[i] as f64;
        let expected = rate_max * self.seen.counts[i] as f64;
        self.seen.errors[i] as f64 > expected + 6.0 * expected.sqrt() + 6.0
    }

    fn test_counts(&self) -> Result<(), Refusal> {
        for class in IntensityClass::ALL {
            let i = class.index();
            let (counts, counts_min) = (self.seen.counts[i], self.counts_min[i]);
            if counts < counts_min {
                return Err(Refusal::TooFewDetections {
                    basis: self.basis,
                    class,
                    counts,
                    counts_min,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
